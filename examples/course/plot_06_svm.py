r"""
6. The multiclass SVM loss, by hand
===================================

A **loss** says how unhappy we are with scores. The support vector machine is unhappy about each wrong class whose score
is not at least a **margin** Δ below that of the right class:

.. math:: L_i = \sum_{j \ne y_i} \max(0,\; s_j - s_{y_i} + \Delta)

This is the loss of Weston and Watkins. The loss of a data set is the mean over its rows.
"""

# %%
# Cat, car, frog
# --------------
#
# Three pictures and their scores for three classes. The picture in each column has the class at its head.

import matplotlib.pyplot as plt
import numpy as np

import fastclf
from fastclf import losses

classes = ["cat", "car", "frog"]
scores = np.array([[3.2, 5.1, -1.7], [1.3, 4.9, 2.0], [2.2, 2.5, -3.1]])  # a row for each picture
y = np.array([0, 1, 2])
print("         " + "".join(f"{name:>8}" for name in classes))
for name, of_class in zip(classes, scores.T, strict=True):
    print(f"{name:>8} " + "".join(f"{score:8.1f}" for score in of_class))

# %%
# By hand, with Δ = 1:
#
# - cat: max(0, 5.1 − 3.2 + 1) + max(0, −1.7 − 3.2 + 1) = 2.9 + 0 = **2.9**
# - car: max(0, 1.3 − 4.9 + 1) + max(0, 2.0 − 4.9 + 1) = 0 + 0 = **0**
# - frog: max(0, 2.2 + 3.1 + 1) + max(0, 2.5 + 3.1 + 1) = 6.3 + 6.6 = **12.9**
#
# The mean is (2.9 + 0 + 12.9) / 3 = **5.27**. The car has no loss: its score is beyond the others' by more than the
# margin, and how far beyond does not matter.

each = losses.hinge(scores, y, reduction="none")
print("each:", each.round(2), " mean:", round(losses.hinge(scores, y), 2))
assert each.round(10).tolist() == [2.9, 0, 12.9]
assert round(losses.hinge(scores, y), 2) == 5.27

# %%
# One term, drawn over the score of the right class when the other's is 0:

s = np.linspace(-2, 3, 300)
pairs = np.column_stack([s, np.zeros_like(s)])
right = np.zeros(len(s), dtype=int)
figure, ax = plt.subplots()
ax.plot(s, losses.hinge(pairs, right, reduction="none"), label="hinge")
ax.plot(s, losses.hinge(pairs, right, squared=True, reduction="none"), "--", label="squared hinge")
ax.axvline(1, color="0.7", linewidth=0.8)
ax.set(xlabel="score of the right class, minus that of the other", ylabel="loss", ylim=(-0.2, 6))
ax.legend()

# %%
# Questions, answered by code
# ---------------------------
#
# **What happens to the loss if the car's scores change a little?** Nothing: its terms are 0 and stay 0.

nudged = scores + np.array([[0, 0, 0], [0.1, -0.1, 0.1], [0, 0, 0]])
assert losses.hinge(nudged, y) == losses.hinge(scores, y)

# %%
# **What are the least and the largest possible loss?** 0, and there is no largest: scores can be wrong by any amount.
#
# **At the start W is small, and all scores are about 0. What is the loss?** Each of the C − 1 wrong classes contributes
# the margin: C − 1. If your first printed loss is another number, look for a mistake.

C = 10
start = losses.hinge(np.zeros((5, C)), np.arange(5))
print(start)
assert start == C - 1

# %%
# **What if the sum is over all classes, the right one included?** Its term is max(0, Δ) = Δ. All losses grow by 1, and
# the best W is the same.

assert np.isclose(losses.hinge(scores, y, count_target=True), losses.hinge(scores, y) + 1)

# %%
# **What if we take the mean over the classes, not the sum?** Then the loss is divided by C − 1. That changes its scale,
# and the best W stays (with l2 divided alike).

assert np.isclose(losses.hinge(scores, y, average=True), losses.hinge(scores, y) / 2)

# %%
# **What if each term is squared?** That is another loss. It punishes one large mistake more than several small ones,
# and a small one hardly at all. The frog's loss was four times the cat's; squared, it is ten times the cat's:

squared = losses.hinge(scores, y, squared=True, reduction="none")
print(squared.round(2))
assert np.allclose(squared, [2.9**2, 0, 6.3**2 + 6.6**2])

# %%
# **Some W has loss 0. Is it the only one?** No: 2W has loss 0 as well, since all differences double. That is one reason
# to add a penalty on large weights (:ref:`page 10 <sphx_glr_course_plot_10_regularisation.py>`).

assert losses.hinge(scores[1:2], y[1:2]) == losses.hinge(2 * scores[1:2], y[1:2]) == 0

# %%
# **Does the value of Δ matter?** Not together with a penalty. Scaling W scales all differences, so a margin of 10 with
# weights ten times as large is the same classifier. Δ = 1 is a choice of units.

a = fastclf.LinearClassifier("hinge", l2=1e-2, margin=1.0, tol=1e-9).fit(scores, y)
b = fastclf.LinearClassifier("hinge", l2=1e-3, margin=10.0, tol=1e-9).fit(scores, y)
print(np.abs(b.coef_ / 10 - a.coef_).max() < 1e-4)
assert np.allclose(b.coef_ / 10, a.coef_, atol=1e-4)

# %%
# The gradient
# ------------
#
# A term that is positive pushes the wrong class's score down by 1 and the right one's up by 1. Count them:

loss, gradient = losses.hinge(scores, y, reduction="sum", return_grad=True)
print(gradient)
assert gradient.tolist() == [[-1, 1, 0], [0, 0, 0], [1, 1, -2]]

# %%
# With respect to W, each row's gradient is that times its x. Rows whose terms are all 0 have no gradient: only the
# rest, the *support vectors*, decide where W ends.
#
# Margins of class pairs
# ----------------------
#
# Some mistakes are worse than others. To take a cat for a frog may be worse than for a car. So let the margin depend on
# both: :math:`s_y - s_j \ge \Delta(y, j)`.

margin = np.array([[0, 1, 5], [1, 0, 1], [5, 1, 0]], dtype=float)
by_pair = losses.hinge(scores, y, margin=margin, reduction="none")
print(by_pair.round(2))
assert by_pair.round(10).tolist() == [3.0, 0, 16.9]

# %%
# The cat's frog term is max(0, −1.7 − 3.2 + 5) = 0.1 now; the frog's cat term is 2.2 + 3.1 + 5 = 10.3, with 6.6 for
# the car.
#
# The largest term only
# ---------------------
#
# Crammer and Singer's loss takes the largest term instead of the sum. A row then counts once, however many classes are
# in its way.

largest = losses.hinge(scores, y, kind="crammer_singer", reduction="none")
print(largest.round(2))
assert largest.round(10).tolist() == [2.9, 0, 6.6]

# %%
# Fit all of them
# ---------------
#
# The same losses are ``loss=`` of `fastclf.LinearClassifier`. On three overlapping classes:

rng = np.random.default_rng(0)
centres = np.array([[-1.5, 0], [1.5, 0], [0, 2]])
labels = rng.integers(3, size=300)
rows = centres[labels] + rng.standard_normal((300, 2))
grid = np.linspace(-4.5, 4.5, 200)
plane = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
colours = np.array(["#0072b2", "#e69f00", "#009e73"])
figure, axes = plt.subplots(1, 3, figsize=(9.6, 3.5))
for ax, name in zip(axes, ("hinge", "squared_hinge", "crammer_singer"), strict=True):
    model = fastclf.LinearClassifier(name, l2=1e-2).fit(rows, labels)
    regions = model.predict(plane).reshape(200, 200)
    ax.contourf(grid, grid, regions, levels=[-1, 0.5, 1.5, 2.5], colors=colours, alpha=0.3)
    ax.scatter(*rows.T, c=colours[labels], s=8, edgecolors="k", linewidths=0.3)
    ax.set(title=f"{name}: {model.score(rows, labels):.1%}", xticks=[], yticks=[])
    gap = model.duality_gap(rows, labels)
    print(f"{name}: J is proved to be at most {gap / model.objective_:.0e} of itself above the least")

# %%
# Exercises
# ---------
#
# **1.** Write the loss in NumPy without a loop over the classes, and compare.
#
# .. raw:: html
#
#    <details class="solution"><summary>Solution</summary>


def svm_loss(s, y, delta=1.0):
    """Return the loss of each row."""
    terms = np.maximum(0, s - s[np.arange(len(s)), y][:, None] + delta)
    terms[np.arange(len(s)), y] = 0
    return terms.sum(axis=1)


assert np.allclose(svm_loss(scores, y), each)

# %%
# .. raw:: html
#
#    </details>
#
# **2.** Check the gradient by finite differences. Where does that fail?
#
# .. raw:: html
#
#    <details class="solution"><summary>Solution</summary>
#
# At a kink, where a term is exactly 0: to the left the slope is 0, to the right it is 1. Elsewhere both agree.

h = 1e-6
for at in np.ndindex(scores.shape):
    step = np.zeros_like(scores)
    step[at] = h
    slope = (losses.hinge(scores + step, y, reduction="sum") - losses.hinge(scores - step, y, reduction="sum")) / (
        2 * h
    )
    assert abs(slope - gradient[at]) < 1e-6

# %%
# .. raw:: html
#
#    </details>
#
# **3.** With two classes, what is the loss in terms of the difference :math:`m = s_y - s_j`?
#
# .. raw:: html
#
#    <details class="solution"><summary>Solution</summary>
#
# max(0, 1 − m): the hinge of the binary SVM. Weston and Watkins' and Crammer and Singer's losses are then the same.

two = rng.standard_normal((50, 2))
truth = rng.integers(2, size=50)
m = two[np.arange(50), truth] - two[np.arange(50), 1 - truth]
assert np.allclose(losses.hinge(two, truth, reduction="none"), np.maximum(0, 1 - m))
assert np.allclose(losses.hinge(two, truth), losses.hinge(two, truth, kind="crammer_singer"))

# %%
# .. raw:: html
#
#    </details>
