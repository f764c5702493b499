r"""
13. Words in windows
====================

Is *Paris* a place or a person? It depends on the words around it. A **window classifier** looks at a word with m words
on either side: their vectors, side by side, are its x. Here it finds named entities: people (PER), places (LOC),
organisations (ORG), and none of these (O).
"""

# %%
# Sentences
# ---------
#
# Real sentences with tags are not ours to ship, so we make some. Names are made up of the same syllables, so that
# their letters say nothing. Some sentences tell by their words what a name is ("lives in …"); others do not ("… has
# won again"). There the classifier has to know the name.

from itertools import chain

import matplotlib.pyplot as plt
import numpy as np
from named_entities import vectors_of_text  # examples/named_entities.py
from sklearn.metrics import f1_score

from fastclf import WindowClassifier, losses

rng = np.random.default_rng(0)
SYLLABLES = [a + b for a in "bdfgklmnprstv" for b in "aeiou"]
TELLING = {
    "PER": ["mr * said so", "she met * yesterday", "his brother * was ill", "a song by *"],
    "LOC": ["they live in *", "the train to * is late", "near * it rained", "the mayor of * smiled"],
    "ORG": ["shares of * fell", "he works for *", "the board of * resigned", "customers sued *"],
}
SILENT = ["* has won again", "we heard of * today", "nobody knew *", "then * made news"]


def names(count):
    """Return made-up names, all different."""
    found = set()
    while len(found) < count:
        found.add("".join(rng.choice(SYLLABLES, 3)).capitalize())
    return sorted(found, key=lambda _: rng.random())


every = names(240)
NAMES = dict(zip(("PER", "LOC", "ORG"), (every[:80], every[80:160], every[160:]), strict=True))


def made(count, telling):
    """Return sentences and tags; a share of the sentences tells what the name is."""
    sentences, tags = [], []
    for _ in range(count):
        tag = str(rng.choice(list(TELLING)))
        pattern = str(rng.choice(TELLING[tag] if rng.random() < telling else SILENT)).split()
        name = str(rng.choice(NAMES[tag]))
        sentences.append([name if word == "*" else word for word in pattern])
        tags.append([tag if word == "*" else "O" for word in pattern])
    return sentences, tags


train, train_tags = made(3000, telling=0.5)
dev, dev_tags = made(1000, telling=0.5)
for words, of_words in zip(train[:4], train_tags[:4], strict=True):
    print(" ".join(f"{word}/{tag}" if tag != "O" else word for word, tag in zip(words, of_words, strict=True)))

# %%
# A window
# --------
#
# With m = 2 and vectors of d numbers, x has 5d numbers. Places beyond the ends of a sentence have a vector of their
# own. The rest is page 7: scores Wx + b, a softmax over tags, cross-entropy. `fastclf.WindowClassifier` is all of it.

model = WindowClassifier(window=2, dim=16, max_iter=10, random_state=0).fit(train, train_tags)


def macro_f1(model):
    """Return the mean of the tags' F1 on the development sentences."""
    return f1_score(list(chain(*dev_tags)), list(chain(*model.predict(dev))), average="macro")


print(f"macro F1 {macro_f1(model):.3f}")
unknown = [["they", "live", "in", "Zuzuzu"], ["mr", "Zuzuzu", "said", "so"]]
print(model.predict(unknown))
assert model.predict(unknown) == [["O", "O", "O", "LOC"], ["O", "PER", "O", "O"]]

# %%
# It tags even a name that it has never seen, where the words around it tell.
#
# The gradient of a window
# ------------------------
#
# The vectors are parameters, like W. The loss hands back the gradient with respect to the scores, p − y. That with
# respect to x is :math:`W^T (p - y)`: as long as x itself, 5d numbers. Cut it into five pieces. Each piece belongs to
# the vector of one word, and moves it.

W, b = model.coefs_[0], model.intercepts_[0]
window = ["they", "live", "in", "Zuzuzu", None]
numbers = [model.vocabulary_.get(word, 1) for word in window[:4]] + [0]
x = model.vectors_[numbers].ravel()
target = list(model.classes_).index("O")  # the middle word, "in", is no name
loss, gradient = losses.cross_entropy((W @ x + b)[None], [target], return_grad=True)
pieces = (gradient @ W).reshape(5, -1)
print(f"x has {x.size} numbers; its gradient is five pieces of {pieces.shape[1]}")
assert pieces.shape == (5, 16)

# %%
# So vectors learn where they help: words that are used alike with the same tags move together. Below are the names'
# vectors before training (random) and after, along their two principal directions.

before = WindowClassifier(window=2, dim=16, max_iter=1, learning_rate=1e-6, random_state=0).fit(train, train_tags)
figure, axes = plt.subplots(1, 2, figsize=(9, 3.8))
for ax, fitted, title in ((axes[0], before, "before training"), (axes[1], model, "after training")):
    known = {
        tag: [fitted.vocabulary_[name] for name in of_tag if name in fitted.vocabulary_]
        for tag, of_tag in NAMES.items()
    }
    vectors = fitted.vectors_[list(chain(*known.values()))]
    _, _, directions = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)
    for tag, mark in zip(known, "o^s", strict=True):
        ax.plot(
            *((fitted.vectors_[known[tag]] - vectors.mean(axis=0)) @ directions[:2].T).T, mark, markersize=4, label=tag
        )
    ax.set(title=title, xticks=[], yticks=[])
axes[1].legend()

# %%
# Train the vectors, or keep them?
# --------------------------------
#
# Vectors can also come from elsewhere: learned from much text without tags. Here we learn some from 20 000 of our
# sentences, by which words stand beside which (``vectors_of_text`` of ``examples/named_entities.py``). Names of one
# kind get similar vectors, without a single tag.
#
# With few tagged sentences, training moves the vectors of *their* words away from those of similar words, which stay
# behind. Then W no longer fits the names that the sentences did not have. With many, training knows better.

text, _ = made(20_000, telling=0.8)
given = vectors_of_text(text, dim=16)
sizes = [25, 50, 100, 400, 1600]
f1 = {}
for name, trained in (("kept", False), ("trained", True)):
    f1[name] = [
        np.mean(
            [
                macro_f1(
                    WindowClassifier(
                        2, vectors=given, train_vectors=trained, max_iter=40, batch_size=32, random_state=seed
                    ).fit(train[:n], train_tags[:n])
                )
                for seed in range(3)
            ]
        )
        for n in sizes
    ]
figure, ax = plt.subplots()
for name, line in zip(f1, ("o-", "s--"), strict=True):
    ax.semilogx(sizes, f1[name], line, label=f"vectors {name}")
ax.set(xlabel="tagged sentences", ylabel="macro F1", xticks=sizes, xticklabels=sizes)
ax.legend()
print({name: np.round(values, 3).tolist() for name, values in f1.items()})

# %%
# Rank windows: the max-margin loss
# ---------------------------------
#
# A softmax is not the only way. Let a window's score be at least 1 above that of a **corrupt** window, such as one with
# another word in the middle:
#
# .. math:: J = \max(0,\; 1 - s + s_c)
#
# Where the true window is ahead by 1, there is nothing to learn; else the gradient is −1 for s and +1 for :math:`s_c`.

loss, (slope, slope_corrupt) = losses.max_margin([2.0, 0.5], [0.5, 0.0], reduction="none", return_grad=True)
print(loss, slope, slope_corrupt)
assert loss.tolist() == [0, 0.5]
assert slope.tolist() == [0, -1]

# %%
# Two windows of sentences about one place:

ranking = WindowClassifier(window=2, dim=16, loss="max_margin", max_iter=20, random_state=0).fit(train, train_tags)
print(f"macro F1 {macro_f1(ranking):.3f}")
place = NAMES["LOC"][0]
windows = {"true": f"they live in {place}", "corrupt": "they live in said"}
at = list(ranking.classes_).index("LOC")
ranks = {}
for kind, sentence in windows.items():
    ranks[kind] = ranking.decision_function([sentence.split()])[0][-1, at]
    print(f"{kind:8} {sentence!r}: score of LOC {ranks[kind]:.2f}")
assert ranks["true"] > ranks["corrupt"] + 1

# %%
# Exercises
# ---------
#
# **1.** How many parameters has a window classifier with 10 000 words, d = 50, m = 2 and four tags? Which share are
# vectors?
#
# .. raw:: html
#
#    <details class="solution"><summary>Solution</summary>

vectors, weights = 10_002 * 50, 4 * 5 * 50 + 4
print(f"{vectors + weights:,}; {vectors / (vectors + weights):.1%} are vectors")
assert vectors + weights == 501_104

# %%
# .. raw:: html
#
#    </details>
#
# **2.** What does the window give? Fit with ``window=0`` and compare.
#
# .. raw:: html
#
#    <details class="solution"><summary>Solution</summary>
#
# A word alone cannot be told if it is new. Names that occurred in training still can.

alone = WindowClassifier(window=0, dim=16, max_iter=10, random_state=0).fit(train, train_tags)
print(f"macro F1 {macro_f1(alone):.3f}; {alone.predict(unknown)}")
assert alone.predict(unknown)[0] != model.predict(unknown)[0] or alone.predict(unknown)[1] != model.predict(unknown)[1]

# %%
# .. raw:: html
#
#    </details>
#
# **3.** Add a hidden layer: ``hidden=32``. When should it help?
#
# .. raw:: html
#
#    <details class="solution"><summary>Solution</summary>
#
# When words matter together: a linear score adds what each place says by itself. In our sentences the places are
# enough.

deep = WindowClassifier(window=2, dim=16, hidden=32, max_iter=10, random_state=0).fit(train, train_tags)
print(f"macro F1 {macro_f1(deep):.3f}")

# %%
# .. raw:: html
#
#    </details>
