r"""
2. The number of neighbours, and where classes end
==================================================

One neighbour may be a mistake: a blot, a wrong label. So let the *k* nearest rows vote, and take the class that most of
them have. In two dimensions we can draw what this does: colour each point of the plane by the class that it gets.
"""

# %%
# The data
# --------
#
# Three classes of points that overlap: no classifier can be right everywhere.

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from sklearn.datasets import make_blobs

import fastclf

centres = [[-1.5, 0], [1.5, 0], [0, 2.2]]
X, y = make_blobs(240, centers=centres, cluster_std=1.0, random_state=3)
X_new, y_new = make_blobs(3000, centers=centres, cluster_std=1.0, random_state=4)

COLOURS = ["#0072b2", "#e69f00", "#009e73"]


def draw_regions(ax, model, X, y, title, steps=220):
    """Colour the plane by what a model predicts, and draw the rows that it knows."""
    low, high = X.min(axis=0) - 0.6, X.max(axis=0) + 0.6
    plane = np.stack(np.meshgrid(*np.linspace(low, high, steps).T), axis=-1)
    classes = model.predict(plane.reshape(-1, 2)).reshape(steps, steps)
    extent = (low[0], high[0], low[1], high[1])
    ax.imshow(classes, cmap=ListedColormap(COLOURS), alpha=0.3, origin="lower", extent=extent, aspect="auto")
    ax.scatter(*X.T, c=y, cmap=ListedColormap(COLOURS), s=10, edgecolors="k", linewidths=0.3)
    ax.set(title=title, xticks=[], yticks=[])


# %%
# One neighbour, and more
# -----------------------

figure, axes = plt.subplots(1, 3, figsize=(9.6, 3.4))
for ax, k in zip(axes, (1, 5, 45), strict=True):
    draw_regions(ax, fastclf.KNN(k=k).fit(X, y), X, y, f"k = {k}")

# %%
# - With **k = 1** each training point is surrounded by its own colour, even one that strayed among another class. It
#   makes an island. All training rows are named rightly, since each is its own nearest neighbour.
# - With **k = 5** most islands are gone.
# - With **k = 45** the boundaries are smooth. Larger still, and a vote would be about which class is frequent, not
#   about what is near: with k = n all points get the same class.
#
# A small k follows every accident of the data (*variance*); a large one blurs what is there (*bias*). Draw the accuracy
# on the training rows and on new ones, and both ends show:

ks = (1, 3, 5, 9, 15, 25, 45, 75, 125, 200, 239)
models = {k: fastclf.KNN(k=k).fit(X, y) for k in ks}
on_training = [model.score(X, y) for model in models.values()]
on_new = [model.score(X_new, y_new) for model in models.values()]

figure, ax = plt.subplots()
ax.semilogx(ks, on_training, "s--", label="training rows")
ax.semilogx(ks, on_new, "o-", label="new rows")
ax.set(xlabel="k, number of neighbours", ylabel="accuracy", xticks=ks, xticklabels=ks)
ax.legend()
best = ks[int(np.argmax(on_new))]
print(f"on new rows: {on_new[0]:.1%} with k = 1, {max(on_new):.1%} with k = {best}")
assert on_training[0] == 1

# %%
# With k = 1 all training rows are right, and 77.2 % of new ones. That is why the accuracy on training rows cannot
# choose k: it always says 1. The :ref:`next page <sphx_glr_course_plot_03_cross_validation.py>` shows what can.

# sphinx_gallery_start_ignore
assert f"{on_new[0]:.1%}" == "77.2%"
# sphinx_gallery_end_ignore

# %%
# The metric draws, too
# ---------------------
#
# The distance shapes the regions. Below are twelve rows, each with a class of its own: the region of a row is all
# that is nearest to it (a Voronoi diagram). L2 separates two rows by the straight line midway. L1 bends that line;
# cosine looks only at directions from the origin (the cross), so that its regions are sectors.

few = np.random.default_rng(5).uniform(-1, 1, (12, 2))
figure, axes = plt.subplots(1, 3, figsize=(9.6, 3.4))
for ax, metric in zip(axes, ("l2", "l1", "cosine"), strict=True):
    model = fastclf.KNN(k=1, metric=metric).fit(few, np.arange(12))
    plane = np.stack(np.meshgrid(*2 * [np.linspace(-1.2, 1.2, 300)]), axis=-1)
    ax.imshow(
        model.predict(plane.reshape(-1, 2)).reshape(300, 300),
        cmap="tab20",
        alpha=0.6,
        origin="lower",
        extent=(-1.2, 1.2, -1.2, 1.2),
    )
    ax.plot(*few.T, "k.", markersize=5)
    ax.plot(0, 0, "k+", markersize=9)
    ax.set(title=metric, xticks=[], yticks=[])

# %%
# Nearer neighbours count more
# ----------------------------
#
# ``weights="distance"`` weighs a vote by the inverse of its distance. A function may say anything else. Then a large k
# does less harm, as rows far away hardly count. Of 240 rows, let 230 vote:

k = 230
weighted = {
    "uniform": "uniform",
    "distance": "distance",
    "a bell": lambda distances: np.exp(-4 * distances**2) + 1e-300,
}
for name, weights in weighted.items():
    model = fastclf.KNN(k=k, weights=weights).fit(X, y)
    print(f"k = {k}, weights {name}: {model.score(X_new, y_new):.1%}")

# %%
# Votes that tie
# --------------
#
# With an even k, or three classes, votes can tie. fastclf then takes the smallest class, always: an answer does not
# depend on the order in which rows were found. Neighbours at equal distances come in the order of their rows.

tie = fastclf.KNN(k=2).fit([[-1.0], [1.0]], ["b", "a"])
print(tie.predict([[0.0]]), tie.kneighbors([[0.0]], return_distance=False))
assert tie.predict([[0.0]]) == ["a"]

# %%
# Exercises
# ---------
#
# **1.** What does ``KNN(k=n)`` predict, with n the number of all rows?
#
# .. raw:: html
#
#    <details class="solution"><summary>Solution</summary>
#
# The class that most rows have, for each query: all rows vote. (If classes are equally frequent, the smallest.)

counts = np.bincount(y[:-1])
everything = fastclf.KNN(k=len(y) - 1).fit(X[:-1], y[:-1])
print(f"counts {counts}; predicted: {np.unique(everything.predict(X_new))}")
assert (everything.predict(X_new) == counts.argmax()).all()

# %%
# .. raw:: html
#
#    </details>
#
# **2.** Multiply the second feature by 100, as if it were in centimetres and not in metres. Draw the regions of k =
# 15 again.
#
# .. raw:: html
#
#    <details class="solution"><summary>Solution</summary>
#
# The second feature now decides everything: its differences are a hundred times as large. Bring features to one scale
# first, with scikit-learn's ``StandardScaler``, if their units have nothing to do with each other.

scale = np.array([1, 100])
figure, axes = plt.subplots(1, 2, figsize=(8, 3.4))
draw_regions(axes[0], fastclf.KNN(k=15).fit(X, y), X, y, "metres and metres")
draw_regions(axes[1], fastclf.KNN(k=15).fit(X * scale, y), X * scale, y, "metres and centimetres")

# %%
# .. raw:: html
#
#    </details>
