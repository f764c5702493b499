r"""
11. Finding W: gradients, all rows or a few at a time
=====================================================

A loss says how good W is. Its gradient says in which direction it gets worse fastest. Go the other way, and repeat:

.. math:: W \leftarrow W - \eta \, \nabla J(W)
"""

# %%
# The gradient of a linear classifier
# -----------------------------------
#
# By the chain rule: the loss hands back its gradient G with respect to the scores, one row a picture. Since :math:`s
# = W x + b`, the gradient with respect to W is :math:`G^T X`, and that with respect to b is the sum of G's rows.

import matplotlib.pyplot as plt
import numpy as np

import fastclf
from fastclf import losses
from fastclf.datasets import digits
from fastclf.plotting import plot_loss_curves

data = digits()
X, y = data.X_train / 16, data.y_train.astype(int)
L2 = 1e-3


def objective(W, b, rows=slice(None)):
    """Return J of some rows, and its gradients."""
    loss, G = losses.cross_entropy(X[rows] @ W.T + b, y[rows], return_grad=True)
    return loss + L2 * (W**2).sum(), G.T @ X[rows] + 2 * L2 * W, G.sum(axis=0)


W, b = np.zeros((10, 64)), np.zeros(10)
value, dW, db = objective(W, b)
print(f"J at the start: {value:.4f}; ln 10 = {np.log(10):.4f}")

# %%
# Trust no gradient that has not been checked. Move one weight up and down by a little, and compare:

rng = np.random.default_rng(0)
at = rng.standard_normal((10, 64)) * 0.1
_, slope, _ = objective(at, b)
worst = 0.0
for k, j in rng.integers((10, 64), size=(30, 2)):
    h = np.zeros_like(at)
    h[k, j] = 1e-5
    numeric = (objective(at + h, b)[0] - objective(at - h, b)[0]) / 2e-5
    worst = max(worst, abs(numeric - slope[k, j]))
print(f"largest difference: {worst:.1e}")
assert worst < 1e-8

# %%
# All rows at each step
# ---------------------
#
# Small rates creep; large ones leap over the valley and climb. In between it works.

optimum = fastclf.LinearClassifier("softmax", l2=L2, tol=1e-10).fit(X, y)
J_star = optimum.objective_


def descend(rate, steps):
    """Return J before each step on all rows."""
    W, b, curve = np.zeros((10, 64)), np.zeros(10), []
    for _ in range(steps):
        J, dW, db = objective(W, b)
        curve.append(J)
        W, b = W - rate * dW, b - rate * db
    return np.array(curve)


curves = {f"rate {rate:g}": descend(rate, 151)[1:] - J_star for rate in (0.01, 0.1, 0.5, 3.0)}
[ax] = plot_loss_curves(curves, figure=plt.figure()).axes
ax.set(xlabel="steps, each over all rows", ylabel="J, above the optimum", ylim=(1e-3, 20))

# %%
# A few rows at a time
# --------------------
#
# The gradient of 32 rows points in about the same direction as that of all 1437, for a fortieth of the work.
# **Stochastic gradient descent** takes such a **mini-batch** at each step. It comes near the optimum in few passes
# over the rows, then jumps about it; a rate that falls makes the jumps smaller.


def stochastic(rate, batch, passes, falls):
    """Return J of all rows after each pass."""
    rng = np.random.default_rng(0)
    W, b, curve, step = np.zeros((10, 64)), np.zeros(10), [objective(np.zeros((10, 64)), np.zeros(10))[0]], 0
    for _ in range(passes):
        order = rng.permutation(len(X))
        for start in range(0, len(X), batch):
            _, dW, db = objective(W, b, order[start : start + batch])
            now = rate / (1 + step / 100) if falls else rate
            W, b, step = W - now * dW, b - now * db, step + 1
        curve.append(objective(W, b)[0])
    return np.array(curve)


passes = 30
whole = descend(0.5, passes + 1) - J_star
constant = stochastic(0.5, 32, passes, falls=False) - J_star
falling = stochastic(0.5, 32, passes, falls=True) - J_star
curves = {"all rows": whole[1:], "batches of 32, one rate": constant[1:], "batches of 32, rate falls": falling[1:]}
[ax] = plot_loss_curves(curves, figure=plt.figure()).axes
ax.set(xlabel="passes over the rows", ylabel="J, above the optimum")
assert falling[-1] < whole[-1]

# %%
# Why it is slow: the valley is long
# ----------------------------------
#
# If J bends much in one direction and little in another, a rate that suits the first creeps along the second. How
# much the bends differ is the **condition** of the problem. Newton's method divides by the bend in each direction;
# quasi-Newton methods (L-BFGS) learn the bends on the way. ``LinearClassifier`` learns them from a sample of the rows
# first (:doc:`/linear`), so that units and correlations of the features do not matter.

import warnings

from sklearn.linear_model import LogisticRegression

counts = {}
for name, scale in (("pixels as they are", np.ones(64)), ("half of the pixels in other units", np.repeat([1, 10], 32))):
    rows = X * scale
    ours = fastclf.LinearClassifier("softmax", l2=1e-3, solver="lbfgs").fit(rows, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that 300 iterations are not enough
        theirs = LogisticRegression(C=1 / (2 * 1e-3 * len(X)), max_iter=300).fit(rows, y)
    counts[name] = (ours.n_iter_, int(theirs.n_iter_[0]))
    print(f"{name}: {ours.n_iter_} iterations; L-BFGS that learns the bends on the way {theirs.n_iter_[0]}")

# %%
# When to stop
# ------------
#
# A small step is no proof of being near: it may be a small rate. ``converged_`` says that J is within ``tol`` of its
# least value, by the curvature of all rows at the end. For the SVM there is a proof: the **duality gap** is an upper
# bound of how far J is above its least value.

svm = fastclf.LinearClassifier("hinge", l2=1e-3).fit(X, y)
gap = svm.duality_gap(X, y)
print(f"converged: {svm.converged_}; J = {svm.objective_:.5f}, at most {gap:.1e} above the least")
assert svm.converged_
assert gap < 1e-3 * svm.objective_

# %%
# Data that come in parts
# -----------------------
#
# `partial_fit` makes steps on the rows that it is given and forgets them: for data that do not fit into memory, or that
# never end.

stream = fastclf.LinearClassifier("softmax", l2=L2)
for _ in range(5):
    for start in range(0, len(X), 100):
        stream.partial_fit(X[start : start + 100], y[start : start + 100], classes=np.arange(10))
streamed = stream.score(data.X_test / 16, data.y_test)
at_optimum = optimum.score(data.X_test / 16, data.y_test)
print(f"after five passes in parts of 100: {streamed:.1%}; at the optimum: {at_optimum:.1%}")

# %%
# Exercises
# ---------
#
# **1.** Add momentum: :math:`v \leftarrow 0.9 v - \eta \nabla J`, :math:`W \leftarrow W + v`. How far does it come in
# 150 steps on all rows with η = 0.1?
#
# .. raw:: html
#
#    <details class="solution"><summary>Solution</summary>

W, b, v, u = np.zeros((10, 64)), np.zeros(10), np.zeros((10, 64)), np.zeros(10)
for _ in range(150):
    J, dW, db = objective(W, b)
    v, u = 0.9 * v - 0.1 * dW, 0.9 * u - 0.1 * db
    W, b = W + v, b + u
plain = descend(0.1, 150)[-1]
print(f"above the optimum: {objective(W, b)[0] - J_star:.4f}; without momentum {plain - J_star:.4f}")
assert objective(W, b)[0] < plain

# %%
# .. raw:: html
#
#    </details>
#
# **2.** How does the noise of a mini-batch's gradient fall with the size of the batch?
#
# .. raw:: html
#
#    <details class="solution"><summary>Solution</summary>
#
# As one over the root of the size: four times as many rows, half of the noise. So small batches are the better
# bargain far from the optimum, and large ones near it.

noise = {}
_, mean_gradient, _ = objective(at, b * 0)
for size in (8, 32, 128):
    draws = [objective(at, b * 0, rng.integers(len(X), size=size))[1] - mean_gradient for _ in range(200)]
    noise[size] = np.sqrt(np.mean(np.square(draws)))
print({size: f"{value / noise[8]:.2f}" for size, value in noise.items()})
assert 0.4 < noise[32] / noise[8] < 0.6

# %%
# .. raw:: html
#
#    </details>
