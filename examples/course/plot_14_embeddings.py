r"""
14. Embeddings of others as features
====================================

Page 1 ended with a defeat: a picture moved by one pixel is far from itself. The way out is not a better distance of
pixels, but better vectors: **embeddings**, hidden layers of a network that was trained on something else. Near then
means alike, and the classifiers of this course, plain as they are, become strong again.
"""

# %%
# A network that others have trained
# ----------------------------------
#
# Today's embeddings come from networks trained on millions of pictures or texts, to answer other questions than
# yours. Such a network is too large for this page. So we train a small one on 1000 pictures, each moved by up to one
# pixel in all directions. It learns the four questions of :ref:`page 9 <sphx_glr_course_plot_09_labels.py>`: is the
# digit even, has it a loop, is it at least five, is it prime? It is never told which digit it sees; 5 and 7 have the
# same four answers, and so have 6 and 8. Then we throw its last layer away.

import hidden_layer  # examples/hidden_layer.py
import matplotlib.pyplot as plt
import numpy as np

import fastclf
from fastclf import losses
from fastclf.datasets import digits

data = digits()
X, y = np.concatenate([data.X_train, data.X_test]) / 16, np.concatenate([data.y_train, data.y_test])
MOVES = [(up, left) for up in (-1, 0, 1) for left in (-1, 0, 1)]
N_THEIRS = 1000
ANSWERS = np.column_stack(
    [np.isin(np.arange(10), yes) for yes in ([0, 2, 4, 6, 8], [0, 6, 8, 9], range(5, 10), [2, 3, 5, 7])]
)


def moved(rows, up, left):
    """Return pictures moved by some pixels, with paper where nothing comes in."""
    framed = np.pad(rows.reshape(-1, 8, 8), ((0, 0), (1, 1), (1, 1)))
    return framed[:, 1 + up : 9 + up, 1 + left : 9 + left].reshape(len(rows), -1)


tanh = hidden_layer.ACTIVATIONS["tanh"]
theirs = np.concatenate([moved(X[:N_THEIRS], *move) for move in MOVES])
answers = np.tile(ANSWERS[y[:N_THEIRS]], (len(MOVES), 1)).astype(float)
network = hidden_layer.initial(64, 96, 4, np.random.default_rng(0))
rng = np.random.default_rng(0)
for _ in range(30):
    for rows in np.array_split(rng.permutation(len(theirs)), 140):
        h, scores = hidden_layer.forward(network, theirs[rows], tanh)
        _, ds = losses.binary_cross_entropy_with_logits(scores, answers[rows], return_grad=True)
        da = ds @ network.W_out * tanh.slope(h)
        for part, slope in zip(network, (da.T @ theirs[rows], da.sum(0), ds.T @ h, ds.sum(0)), strict=True):
            part -= 1.0 * slope


def embedded(rows):
    """Return the hidden layer's values."""
    return hidden_layer.forward(network, rows, tanh)[0]


# %%
# The task, with few labels
# -------------------------
#
# The other 797 pictures, each moved by chance, are ours. We want to know which digit they show. A few of each class
# have labels.

X_ours = np.concatenate([moved(row[None], *MOVES[rng.integers(9)]) for row in X[N_THEIRS:]])
y_ours = y[N_THEIRS:]
order = rng.permutation(len(X_ours))
test = order[-300:]
sizes = [1, 2, 5, 10, 20]


def few(each, seed):
    """Return the numbers of some rows of each class, none of the test."""
    shuffled = np.random.default_rng(seed).permutation(order[:-300])
    return np.concatenate([shuffled[y_ours[shuffled] == label][:each] for label in range(10)])


def score(model, features):
    """Return the mean accuracy for each number of labels, over ten draws of them."""
    return [
        np.mean(
            [
                model.fit(features[rows], y_ours[rows]).score(features[test], y_ours[test])
                for rows in (few(each, seed) for seed in range(10))
            ]
        )
        for each in sizes
    ]


features = {"pixels": X_ours, "embedding": embedded(X_ours)}
models = {
    "nearest neighbour": fastclf.KNN(k=1, metric="cosine"),
    "linear": fastclf.LinearClassifier("softmax", l2=1e-3),
}
results = {(what, name): score(model, rows) for what, rows in features.items() for name, model in models.items()}
figure, ax = plt.subplots(figsize=(6.6, 4))
for (what, name), line in zip(results, ("o--", "s--", "o-", "s-"), strict=True):
    ax.semilogx(
        sizes, results[what, name], line, color="#d55e00" if what == "pixels" else "#0072b2", label=f"{name}, {what}"
    )
    print(f"{name:18} of {what:10} " + "  ".join(f"{value:.1%}" for value in results[what, name]))
ax.set(xlabel="labels for each class", ylabel="accuracy", xticks=sizes, xticklabels=sizes)
ax.legend()

# %%
# The embedding beats pixels with every number of labels. What was learned for four other questions, strokes and what
# a move does to them, serves this one, and tells even 5 from 7.

# sphinx_gallery_start_ignore
for name in models:
    assert all(a > b for a, b in zip(results["embedding", name], results["pixels", name], strict=True))
# sphinx_gallery_end_ignore

# %%
# Look at the neighbours
# ----------------------
#
# For one picture, its nearest ones by pixels and by the embedding.

query = test[3]
others = order[:-300]
figure, axes = plt.subplots(2, 8, figsize=(9.5, 2.8))
for row, (what, rows) in zip(axes, features.items(), strict=True):
    _, nearest = fastclf.knn(rows[[query]], rows[others], 7, metric="cosine")
    for ax, number in zip(row, [query, *others[nearest[0]]], strict=True):
        ax.imshow(X_ours[number].reshape(8, 8))
        right = y_ours[number] == y_ours[query]
        ax.set(xticks=[], yticks=[])
        ax.set_xlabel(f"{'✓' if right else '✗'} {y_ours[number]}", color="#0072b2" if right else "#c2410c")
    row[0].set_ylabel(what)

# %%
# With real embeddings
# --------------------
#
# The recipe is the same whatever the network: compute vectors once, keep them, and let a nearest-neighbour or a
# linear classifier work on them (a *linear probe*). Sentence encoders, picture encoders and protein models all hand
# out such vectors.
#
# - Use ``metric="cosine"`` where only the direction means something, as with most encoders; ``"inner_product"`` where
#   the length does too.
# - float32 vectors are taken as they are, tensors too (:doc:`/tensors`).
# - Adding a class means adding rows: `fastclf.KNN.partial_fit`, with nothing to train.
# - Word vectors such as GloVe's are read by `fastclf.window.read_vectors`, and go into `fastclf.WindowClassifier` as
#   ``vectors=`` (:ref:`page 13 <sphx_glr_course_plot_13_windows.py>`).
# - Of many rows, exact search skips most of the work, and an approximate index more (:ref:`page 4
#   <sphx_glr_course_plot_04_search.py>`).

# %%
# Exercises
# ---------
#
# **1.** Is it the training, or would any hidden layer do? Use a network with random weights.
#
# .. raw:: html
#
#    <details class="solution"><summary>Solution</summary>
#
# It is the training. Random features keep distances about as they were, and so are no better than pixels.

network = hidden_layer.initial(64, 96, 5, np.random.default_rng(0))
by_chance = score(models["nearest neighbour"], embedded(X_ours))
print("  ".join(f"{value:.1%}" for value in by_chance))
assert by_chance[2] < results["embedding", "nearest neighbour"][2]

# %%
# .. raw:: html
#
#    </details>
#
# **2.** On unit vectors, L2 distance and cosine distance put rows into the same order. Show why, and check it.
#
# .. raw:: html
#
#    <details class="solution"><summary>Solution</summary>
#
# :math:`\|a - b\|^2 = 2 - 2\, a \cdot b`, which is twice the cosine distance.

unit = features["embedding"] / np.linalg.norm(features["embedding"], axis=1, keepdims=True)
squared = fastclf.pairwise_distances(unit[:20], unit, metric="sqeuclidean")
cosine = fastclf.pairwise_distances(unit[:20], unit, metric="cosine")
assert np.allclose(squared, 2 * cosine)

# %%
# .. raw:: html
#
#    </details>
