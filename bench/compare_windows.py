"""Compare window classification with PyTorch's: the same model, an embedding and a linear layer, by sparse Adagrad.

usage: python bench/compare_windows.py [--tagged TRAIN DEV] [--hidden H] [--passes N] [--rounds R] [--threads T]

TRAIN and DEV are files of tagged sentences, WikiANN's or CoNLL's; by default sentences are made.  Times are of training
and predicting, from lists of words to lists of tags: medians of ratios, in turns, with the same number of threads.
"""

from __future__ import annotations

import argparse
import sys
from itertools import chain
from typing import Any

import numpy as np
from script import say, turns
from sklearn.metrics import f1_score

from fastclf import WindowClassifier
from fastclf.bench.timing import timed
from fastclf.window import read_tagged

DIM, WINDOW, BATCH, RATE = 50, 2, 256, 0.1
Lists = list[list[str]]


def main() -> int:
    options = parse()
    files = options.tagged
    train, dev = map(read_tagged, files) if files else (made(20000, 0), made(5000, 1))
    common = {"hidden": options.hidden, "max_iter": options.passes, "n_threads": options.threads}
    rows = [("PyTorch", lambda: peer(train, dev[0], options))]
    for loss in ("softmax", "max_margin"):
        model = WindowClassifier(WINDOW, DIM, loss=loss, random_state=0, **common)
        rows.append((f"fastclf, {loss}", lambda model=model: model.fit(*train).predict(dev[0])))
    seconds, predicted = np.empty((options.rounds, len(rows))), {}
    for turn in range(options.rounds):
        for i, (name, run) in enumerate(rows):
            say(f"{name}, turn {turn + 1} of {options.rounds}")
            predicted[name], seconds[turn, i] = timed(run)
    ratios = np.median(seconds / seconds[:, 1:2], axis=0)
    print("| | time, of fastclf's | macro F1 |\n|---|---|---|")
    for (name, _), ratio in zip(rows, ratios, strict=True):
        f1 = f1_score(list(chain(*dev[1])), list(chain(*predicted[name])), average="macro")
        print(f"| {name} | {ratio:.3g} | {f1:.3f} |")
    return 0


def parse() -> argparse.Namespace:
    arguments = turns(__doc__)
    arguments.add_argument("--tagged", nargs=2, metavar=("TRAIN", "DEV"), help="files of tagged sentences")
    arguments.add_argument("--hidden", type=int, help="number of hidden units")
    arguments.add_argument("--passes", type=int, default=5)
    return arguments.parse_args()


def made(n: int, seed: int) -> tuple[Lists, Lists]:
    """Sentences of words as unevenly frequent as real ones, whose tags hang on the words before."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 16, n)
    numbers = np.minimum(rng.zipf(1.3, lengths.sum()), 50_000)
    parts = np.cumsum(lengths)[:-1]
    before = np.roll(numbers, 1)
    before[np.r_[0, parts]] = 0  # a sentence begins
    tags = np.where(before < 3, numbers % 4, 0)
    return (
        [[f"w{number}" for number in part] for part in np.split(numbers, parts)],
        [[f"t{tag}" for tag in part] for part in np.split(tags, parts)],
    )


def peer(train: tuple[Lists, Lists], sentences: Lists, options: argparse.Namespace) -> Lists:
    """Train and predict in PyTorch."""
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    numbers = {word: i + 2 for i, word in enumerate(sorted(set(chain(*train[0]))))}
    tags = sorted(set(chain(*train[1])))
    number_of_tag = {tag: i for i, tag in enumerate(tags)}

    def windows(sentences: Lists) -> Any:
        rows = []
        for words in sentences:
            ids = [0] * WINDOW + [numbers.get(word, 1) for word in words] + [0] * WINDOW
            rows += [ids[i : i + 2 * WINDOW + 1] for i in range(len(words))]
        return torch.tensor(rows)

    inputs = (2 * WINDOW + 1) * DIM
    embedding = torch.nn.Embedding(len(numbers) + 2, DIM, sparse=True)
    torch.nn.init.normal_(embedding.weight, std=0.1)
    if options.hidden is None:
        layers: Any = torch.nn.Linear(inputs, len(tags))
    else:
        first, second = torch.nn.Linear(inputs, options.hidden), torch.nn.Linear(options.hidden, len(tags))
        layers = torch.nn.Sequential(first, torch.nn.Tanh(), second)
    optimiser = torch.optim.Adagrad([*embedding.parameters(), *layers.parameters()], lr=RATE)
    x, y = windows(train[0]), torch.tensor([number_of_tag[tag] for tag in chain(*train[1])])
    for _ in range(options.passes):
        for rows in torch.randperm(len(x)).split(BATCH):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(layers(embedding(x[rows]).flatten(1)), y[rows]).backward()
            optimiser.step()
    with torch.no_grad():
        best = layers(embedding(windows(sentences)).flatten(1)).argmax(1).tolist()
    return [[tags[i] for i in best]]


if __name__ == "__main__":
    sys.exit(main())
