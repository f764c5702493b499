r"""
1. Nearest neighbour and distance
=================================

The simplest classifier remembers all pictures that it is shown. To name a new picture, it looks for the most similar
one that it remembers, and answers with the class of that one. All that has to be decided is what *similar* means.
"""

# %%
# The data
# --------
#
# We use scikit-learn's handwritten digits: small grey pictures of 8 × 8 pixels. A pixel is a number from 0 (paper) to
# 16 (ink). A picture is a vector of 64 numbers: its rows of pixels, one after the other. Some pictures are for
# training, the others for the test: the classifier never sees those before it is tested.
#
# ``python examples/course/plot_01_nearest_neighbour.py --data cifar10`` runs the same page on CIFAR-10.

import matplotlib.pyplot as plt
import numpy as np
import pictures
from sklearn.datasets import load_sample_image

import fastclf
from fastclf.plotting import plot_neighbors

data = pictures.chosen()
X, y = data.X_train, data.y_train
print(f"{len(X)} pictures to train on, {len(data.X_test)} to test on, {X.shape[1]} numbers each")

# %%
# Two distances
# -------------
#
# The **L1 distance** (Manhattan) adds up how much the pixels differ. The **L2 distance** (Euclidean) is the length of
# the straight line between the two vectors:
#
# .. math:: d_1(a, b) = \sum_i |a_i - b_i| \qquad\qquad d_2(a, b) = \sqrt{\sum_i (a_i - b_i)^2}
#
# L1 is easily drawn: take the absolute difference of each pixel, and add all of them.

a, b = X[0].astype(float), X[1].astype(float)
difference = np.abs(a - b)
figure, axes = plt.subplots(1, 3, figsize=(8, 3))
for ax, values, title in zip(axes, (a, b, difference), ("a", "b", "|a − b|"), strict=True):
    picture = data.pictures(values[None])[0] / X.max()
    ax.imshow(picture, vmin=0, vmax=1)
    ax.set(title=title, xticks=[], yticks=[])
    if picture.shape == (8, 8):
        for (row, column), value in np.ndenumerate(values.reshape(8, 8)):
            ax.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=8, color="tab:red")
axes[2].set_xlabel(f"sum: {difference.sum():.0f}")

# %%
# The function agrees with the sum, and gives the L2 distance too:

l1 = fastclf.pairwise_distances(X[:1], X[1:2], metric="l1").item()
l2 = fastclf.pairwise_distances(X[:1], X[1:2], metric="l2").item()
print(f"L1 {l1:.0f}, L2 {l2:.2f}")
assert l1 == difference.sum()
assert l2 == np.sqrt((difference**2).sum())

# %%
# L2 is hard on one large difference, since it is squared. L1 counts the same total, however it is spread. There is one
# more difference: if you choose other axes (turn the space), L2 distances stay and L1 distances change. So L1 may suit
# features that mean something one by one.

# %%
# The classifier
# --------------
#
# ``KNN(k=1)`` is this classifier. Its `fit` does hardly more than remember.

accuracy = {}
for metric in ("l1", "l2"):
    model = fastclf.KNN(k=1, metric=metric).fit(X, y)
    accuracy[metric] = model.score(data.X_test, data.y_test)
    print(f"{metric}: {accuracy[metric]:.1%} of the test pictures are named rightly")

# %%
# Guessing would name one in ten rightly. On these digits both distances do far better: L1 names 98.6 % rightly, L2
# 98.3 %. On photographs, such as CIFAR-10's, the same program names fewer than four in ten rightly. Below we shall
# see why.

# sphinx_gallery_start_ignore
if pictures.are_digits(data):
    assert f"{accuracy['l1']:.1%} {accuracy['l2']:.1%}" == "98.6% 98.3%"
# sphinx_gallery_end_ignore

# %%
# Look at the neighbours
# ----------------------
#
# A nearest-neighbour classifier can show what its answer is made of. On the left are test pictures; beside each are the
# training pictures nearest to it. The last rows are test pictures that the model gets wrong.

model = fastclf.KNN(k=1).fit(X, y)
wrong = np.flatnonzero(model.predict(data.X_test) != data.y_test)
rows = np.concatenate([np.arange(3), wrong[:3]])
six = fastclf.KNN(k=6).fit(X, y)
plot_neighbors(
    six,
    data.X_test[rows],
    data.y_test[rows],
    X,
    y,
    data.pictures,
    class_names=data.class_names,
    figure=plt.figure(figsize=(8.5, 7.5)),
)

# %%
# Why distances of pixels deceive
# -------------------------------
#
# A distance of pixels compares each pixel with the one at the same place. It does not know what a picture shows. Here
# are one photograph and three changed copies. A person sees at once that the first copy shows the same thing. To the L2
# distance, all three are equally far from the original.

photograph = load_sample_image("flower.jpg")[80:400:2, 180:500:2].astype(float)
shifted = np.roll(photograph, 3, axis=1)
distance = np.linalg.norm(shifted - photograph)


def until(change):
    """Return the copy changed just as much as makes its distance that of the shifted one."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if np.linalg.norm(change(middle) - photograph) < distance else (low, middle)
    return change(high)


def darkened(share):
    """Return the photograph with less light."""
    return photograph * (1 - share)


def boxed(share):
    """Return the photograph with a box that is mixed in."""
    copy = photograph.copy()
    copy[50:110, 60:110] = (1 - share) * copy[50:110, 60:110]
    return copy


copies = {"original": photograph, "shifted": shifted, "darkened": until(darkened), "boxed": until(boxed)}
figure, axes = plt.subplots(1, 4, figsize=(9.5, 2.9))
for ax, (name, copy) in zip(axes, copies.items(), strict=True):
    ax.imshow(copy / 255)
    ax.set(title=name, xticks=[], yticks=[], xlabel=f"L2: {np.linalg.norm(copy - photograph):.0f}")

# %%
# The same happens with digits. Move a test picture by one pixel: a person hardly notices. For the distance, all of
# them are now farther from themselves than from the nearest picture of *another* digit.


def moved(rows):
    """Return pictures moved to the right by one pixel."""
    shaped = np.roll(data.pictures(rows), 1, axis=2)
    shaped[:, :, 0] = 0
    back = shaped if shaped.ndim == 3 else shaped.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(back.reshape(len(rows), -1))


queries = data.X_test[:300]
to_itself = np.linalg.norm(moved(queries).astype(float) - queries, axis=1)
D = fastclf.pairwise_distances(queries, X)
D[data.y_test[:300, None] == y] = np.inf
farther = (to_itself > D.min(axis=1)).mean()
after = model.score(moved(data.X_test), data.y_test)
print(f"{farther:.0%} are farther from themselves, moved, than from another class")
print(f"accuracy on test pictures that were moved: {after:.1%}")

# %%
# All of them are, and accuracy falls from 98.3 % to 65.6 %. Nothing that the pictures show has
# changed. That is why nearest neighbours are mostly searched among *embeddings* today:
# vectors in which near means alike (:ref:`the last page <sphx_glr_course_plot_14_embeddings.py>`).

# sphinx_gallery_start_ignore
if pictures.are_digits(data):
    assert f"{farther:.0%} {after:.1%}" == "100% 65.6%"
# sphinx_gallery_end_ignore

# %%
# Exercises
# ---------
#
# **1.** Shuffle the 64 pixels of all pictures, by the same permutation for each picture. How does the accuracy change?
# Think first.
#
# .. raw:: html
#
#    <details class="solution"><summary>Solution</summary>
#
# It does not change at all. Both distances are sums over pixels, and a sum does not care for the order. The classifier
# has no idea which pixels are neighbours; for a person the pictures become noise.

order = np.random.default_rng(0).permutation(X.shape[1])
shuffled = fastclf.KNN(k=1).fit(X[:, order], y)
print(f"{shuffled.score(data.X_test[:, order], data.y_test):.1%}")
assert (shuffled.predict(data.X_test[:, order]) == model.predict(data.X_test)).all()

# %%
# .. raw:: html
#
#    </details>
#
# **2.** Turn the space of all pictures: multiply each vector by the same orthogonal matrix. Which of the two distances
# stay as they are?
#
# .. raw:: html
#
#    <details class="solution"><summary>Solution</summary>
#
# L2 distances stay, up to rounding: lengths do not depend on the axes. L1 distances change, and with them the answers.

turn, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((X.shape[1], X.shape[1])))
for metric in ("l1", "l2"):
    before = fastclf.pairwise_distances(data.X_test[:50], X, metric=metric)
    turned = fastclf.pairwise_distances(data.X_test[:50] @ turn, X @ turn, metric=metric)
    print(f"{metric}: distances change by up to {np.abs(turned / before - 1).max():.1g} of themselves")

# %%
# .. raw:: html
#
#    </details>
#
# **3.** A moved picture lies far from itself. What if the training pictures are remembered in several positions, moved
# by one pixel each way?
#
# .. raw:: html
#
#    <details class="solution"><summary>Solution</summary>
#
# Then there is a training picture in the right position, and the accuracy comes back. The price is twice the memory and
# twice the work of a search. (This is *data augmentation*.)

both = fastclf.KNN(k=1).fit(np.concatenate([X, moved(X)]), np.concatenate([y, y]))
print(f"moved test pictures: {both.score(moved(data.X_test), data.y_test):.1%}")
print(f"test pictures as they are: {both.score(data.X_test, data.y_test):.1%}")

# %%
# .. raw:: html
#
#    </details>
