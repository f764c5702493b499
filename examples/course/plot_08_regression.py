r"""
8. Classification as regression, and why its gradient dies
==========================================================

Why not simply ask for the score 1 at the right class and 0 elsewhere, and minimise squared errors? It can be done, and
sometimes it is. This page shows what goes wrong: in one way with raw scores, in another with a softmax.
"""

# %%
# Regression on labels
# --------------------
#
# Write the label as a vector that is 1 at the class and 0 elsewhere (*one-hot*), and fit it by least squares.
# ``loss="mse"`` does that. In one dimension, two classes, the fitted line is near 0 on the left and near 1 on the
# right, and the boundary is where it crosses one half:

import matplotlib.pyplot as plt
import numpy as np
from loss_surfaces import LOSSES, along_line, draw  # examples/loss_surfaces.py

import fastclf
from fastclf import losses

rng = np.random.default_rng(0)
x = np.concatenate([rng.normal(-1, 0.5, 40), rng.normal(1, 0.5, 40)])
y = np.repeat([0, 1], 40)
far = np.concatenate([x, np.full(20, 12.0)])  # twenty more rows of class 1, far on the right side
y_far = np.concatenate([y, np.ones(20, int)])

boundaries = {}
figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True)
for ax, rows, labels, title in ((axes[0], x, y, "the data"), (axes[1], far, y_far, "and rows far on the right side")):
    for loss, style in (("mse", "-"), ("softmax", "--")):
        model = fastclf.LinearClassifier(loss, l2=1e-4).fit(rows[:, None], labels)
        line = np.linspace(-3, 13, 600)
        scores = model.decision_function(line[:, None])
        boundaries[title, loss] = line[np.argmax(model.predict(line[:, None]))]
        share = (
            model.intercept_[1] + model.coef_[1] * line if loss == "mse" else model.predict_proba(line[:, None])[:, 1]
        )
        ax.plot(line, share, style, label="least squares" if loss == "mse" else "softmax")
    ax.plot(rows, labels, "k|")
    ax.axhline(0.5, color="0.8", linewidth=0.8)
    ax.set(title=title, xlabel="x", ylim=(-0.4, 1.6))
axes[0].legend()
for (title, loss), at in boundaries.items():
    print(f"{title}, {loss}: boundary at {at:.2f}")

# %%
# The rows added on the right of the second picture are as right as can be. Yet least squares moves its boundary
# towards the right, to where class 1 begins: for a row at 12, a score of 4 is an error of 3, to be repaired.
# Cross-entropy does not mind them.

# sphinx_gallery_start_ignore
assert boundaries["and rows far on the right side", "mse"] > boundaries["the data", "mse"] + 0.3
assert abs(boundaries["and rows far on the right side", "softmax"] - boundaries["the data", "softmax"]) < 0.1
# sphinx_gallery_end_ignore

# %%
# Squared error after a softmax
# -----------------------------
#
# Then squash the scores first: :math:`\sum_k (p_k - y_k)^2` with p the softmax. No score is too right now. But look
# at the surfaces. The losses of two scores are drawn over the plane; the second class is the true one. Beneath are
# their slopes along the line (s, −s): on the right the row is classified wrongly, the more confidently the farther.

draw(figure=plt.figure(figsize=(10.5, 6.6)))

# %%
# On the left, where the row is hopelessly wrong, the loss is highest and **flat**. A row there is not learned from.
# The squared error of raw scores has a slope everywhere, but also pulls back rows that are too right. The
# cross-entropy is a ramp: its slope is the error, p − y.

print("   s   " + "   ".join(f"{name}: loss, slope" for name in LOSSES))
for s in (-5.0, 0.0, 2.0, 5.0, 10.0):
    values = [along_line(loss, [s]) for loss in LOSSES.values()]
    print(f"{s:5.0f}  " + "   ".join(f"{value[0]:12.3g} {slope[0]:12.3g}" for value, slope in values))

# %%
# Why? The chain rule
# -------------------
#
# The derivative of the squared error of a softmax, with d = p − y, is
#
# .. math:: \frac{\partial}{\partial s_i} \sum_k (p_k - y_k)^2 = 2 p_i \left( d_i - \sum_k p_k d_k \right) .
#
# When p is almost 1 at one class, *right or wrong*, each of these is almost 0: either the factor :math:`p_i` is, or the
# bracket. Cross-entropy has the logarithm, whose derivative 1/p cancels that factor.
#
# Walk down from a confident mistake, scores (5, −5), by gradient descent at rate 1, and count the steps until the row
# is classified rightly:

steps = {}
for name, loss, classes in (
    ("squared error of softmax", losses.softmax_mse, 2),
    ("cross-entropy", losses.cross_entropy, 1),
):
    scores, taken, path = np.array([[5.0, -5.0]]), 0, []
    while scores[0, 0] > scores[0, 1]:
        value, gradient = loss(scores, [1], return_grad=True)
        path.append(classes * value)
        scores = scores - classes * gradient
        taken += 1
    steps[name] = path
    print(f"{name}: {taken} steps")
figure, ax = plt.subplots()
for name, path in steps.items():
    ax.semilogx(np.arange(1, len(path) + 1), path, "o-" if len(path) < 20 else "-", label=name)
ax.set(xlabel="step", ylabel="loss")
ax.legend()

# %%
# Six steps with cross-entropy; 2762 with the squared error, nearly all of them on the plateau. From (10, −10) it
# would be 61 million.

# sphinx_gallery_start_ignore
assert [len(path) for path in steps.values()] == [2762, 6]
# sphinx_gallery_end_ignore

# %%
# Does it matter for a fit? A fit begins at W = 0, where no row is confident, so that less goes wrong than one might
# fear. Still, cross-entropy is ahead on the digits. A plateau has one merit: a row whose label is a mistake has a
# bounded loss, and cannot pull without end. Here a fifth of the labels are drawn by lot, and all three losses bear it
# well. :doc:`/loss_surfaces` has the formulas behind this page.

from fastclf.datasets import digits

data = digits()
X, X_test = data.X_train / 16, data.X_test / 16
noisy = np.where(rng.random(len(X)) < 0.2, rng.integers(10, size=len(X)), data.y_train)
for name in ("softmax", "mse", "softmax_mse"):
    clean = fastclf.LinearClassifier(name, l2=1e-3).fit(X, data.y_train)
    spoilt = fastclf.LinearClassifier(name, l2=1e-3).fit(X, noisy)
    a, b = (model.score(X_test, data.y_test) for model in (clean, spoilt))
    print(f"{name:12} {a:.1%}; with a fifth of the labels drawn by lot {b:.1%}")

# %%
# Exercises
# ---------
#
# **1.** Where is the slope of the squared error of a softmax steepest, along the line (s, −s)?
#
# .. raw:: html
#
#    <details class="solution"><summary>Solution</summary>
#
# With :math:`p_1 = 1/(1 + e^{-2s})` the loss is :math:`2 p_1^2` and the slope :math:`8 p_1^2 p_2`. It is largest where
# :math:`p_1 = 2/3`, at :math:`s = \tfrac{1}{2} \ln 2`: a row that is just wrong is learned from most.

line = np.linspace(-3, 3, 100_001)
_, slope = along_line(losses.softmax_mse, line)
print(f"{line[slope.argmax()]:.3f}; ln(2) / 2 = {np.log(2) / 2:.3f}")
assert abs(line[slope.argmax()] - np.log(2) / 2) < 1e-3

# %%
# .. raw:: html
#
#    </details>
#
# **2.** Least squares has a formula. Check that ``loss="mse"`` with ``l2=0`` finds what ``numpy.linalg.lstsq`` finds.
#
# .. raw:: html
#
#    <details class="solution"><summary>Solution</summary>

rows = rng.standard_normal((100, 3))
labels = rng.integers(4, size=100)
one_hot = np.eye(4)[labels]
formula = np.linalg.lstsq(np.column_stack([rows, np.ones(100)]), one_hot)[0]
fitted = fastclf.LinearClassifier("mse", l2=0, tol=1e-12).fit(rows, labels)
assert np.allclose(fitted.coef_, formula[:3].T, atol=1e-6)
assert np.allclose(fitted.intercept_, formula[3], atol=1e-6)

# %%
# .. raw:: html
#
#    </details>
