"""Named entities: train a window classifier, tell what it gets right and wrong, and whether vectors should be trained.

Needs files of tagged sentences: WikiANN's (a word and a tag a line, between them a tab) or CoNLL's (columns between
spaces, the word first and the tag last).

    python examples/named_entities.py TRAIN DEV [--vectors glove.6B.50d.txt]

Without --vectors, the experiment begins with vectors made of the words of both files, without their tags: principal
directions of how often words stand beside one another, compared with chance (positive pointwise mutual information). So
words that are used alike have similar vectors, as GloVe's do.

What to expect: of few sentences, training moves the vectors of their words away from those of similar words that the
sentences do not have, and keeping all vectors is the better choice; of many, trained vectors are better by far.
"""

from __future__ import annotations

import argparse
from collections import Counter
from itertools import chain
from typing import Any

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
from numpy.typing import NDArray
from sklearn.metrics import classification_report, f1_score

from fastclf import WindowClassifier
from fastclf.window import read_tagged, read_vectors

Lists = list[list[str]]

SMALL, SMALL_PASSES, SEEDS = 200, 50, 3  # sentences; passes over them; models, of which the mean is told
SPREAD = 0.1  # of vectors' values: what WindowClassifier draws
NEIGHBOURS = 2  # words on either side that stand beside a word
MOST_WORDS = 20_000


def vectors_of_text(sentences: Lists, dim: int) -> tuple[list[str], NDArray[np.float32]]:
    """Return the most frequent words, and vectors of how they are used."""
    words = [word for word, count in Counter(chain(*sentences)).most_common(MOST_WORDS) if count > 1]
    number = {word: i for i, word in enumerate(words)}
    pairs = Counter(
        (number[a], number[b])
        for sentence in sentences
        for i, a in enumerate(sentence)
        for j in range(max(0, i - NEIGHBOURS), min(i + NEIGHBOURS + 1, len(sentence)))
        if i != j and a in number and (b := sentence[j]) in number
    )
    rows, columns = np.array(list(pairs)).T
    counts = np.array(list(pairs.values()), float)
    of_word = np.bincount(rows, counts, len(words))
    expected = of_word[rows] * of_word[columns] / counts.sum()
    information = np.maximum(np.log(counts / expected), 0)
    table = scipy.sparse.csr_array((information, (rows, columns)), shape=(len(words), len(words)))
    left, size, _ = scipy.sparse.linalg.svds(table, k=min(dim, len(words) - 1), random_state=0)
    vectors = left * np.sqrt(size)
    return words, (vectors * (SPREAD / vectors.std())).astype(np.float32)


def macro_f1(model: WindowClassifier, sentences: Lists, tags: Lists) -> float:
    """Return the mean of the tags' F1."""
    return float(f1_score(list(chain(*tags)), list(chain(*model.predict(sentences))), average="macro"))


def print_wrong_windows(model: WindowClassifier, sentences: Lists, tags: Lists, most: int) -> None:
    """Print the windows whose predicted tag scores most above the true one."""
    wrong = []
    for words, true, scores in zip(sentences, tags, model.decision_function(sentences), strict=True):
        for i, tag in enumerate(true):
            above = scores[i].max() - scores[i, model.classes_ == tag].max(initial=-np.inf)
            if above > 0:
                window = [*words[max(0, i - model.window) : i], f"[{words[i]}]", *words[i + 1 : i + 1 + model.window]]
                wrong.append((float(above), tag, str(model.classes_[scores[i].argmax()]), " ".join(window)))
    print(
        f"\n{len(wrong)} of {sum(map(len, sentences))} words are tagged wrongly; by the largest difference of scores:"
    )
    for above, tag, predicted, text in sorted(wrong, reverse=True)[:most]:
        print(f"  {above:6.2f}  {predicted} instead of {tag:5} {text}")


def compare_training_of_vectors(train: tuple[Lists, Lists], dev: tuple[Lists, Lists], options: dict[str, Any]) -> None:
    """Print F1 with vectors that are kept, and that are trained, for few sentences and all of them."""
    print("\nmacro F1 on DEV      vectors kept   trained")
    for n, passes, seeds in ((SMALL, SMALL_PASSES, SEEDS), (len(train[0]), options["max_iter"], 1)):
        found = []
        for trains in (False, True):
            choice = options | {"train_vectors": trains, "max_iter": passes}
            fits = [WindowClassifier(**choice, random_state=i).fit(train[0][:n], train[1][:n]) for i in range(seeds)]
            found.append(np.mean([macro_f1(model, *dev) for model in fits]))
        print(f"{min(n, len(train[0])):6} sentences {found[0]:16.4f} {found[1]:9.4f}")


def main() -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("train", help="tagged sentences to train on")
    parser.add_argument("dev", help="tagged sentences to test on")
    parser.add_argument("--vectors", help="word vectors, such as GloVe's text files")
    parser.add_argument("--loss", default="softmax", choices=["softmax", "max_margin"])
    parser.add_argument("--hidden", type=int, help="number of hidden units")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--wrong", type=int, default=10, help="how many wrong windows to show")
    arguments = parser.parse_args()
    train, dev = read_tagged(arguments.train), read_tagged(arguments.dev)
    options = {"loss": arguments.loss, "hidden": arguments.hidden, "max_iter": arguments.epochs}
    model = WindowClassifier(verbose=1, random_state=0, **options).fit(*train)
    predicted = model.predict(dev[0])
    print(classification_report(list(chain(*dev[1])), list(chain(*predicted)), digits=4, zero_division=0))
    print_wrong_windows(model, *dev, arguments.wrong)
    if arguments.vectors:
        words = {form for word in chain(*train[0], *dev[0]) for form in (word, word.lower())}
        vectors = read_vectors(arguments.vectors, words, verbose=1)
        options["lowercase"] = all(word == word.lower() for word in vectors[0])
    else:
        vectors = vectors_of_text(train[0] + dev[0], 50)
    compare_training_of_vectors(train, dev, options | {"vectors": vectors})


if __name__ == "__main__":
    main()
