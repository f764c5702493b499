r"""
12. A hidden layer
==================

A linear classifier cannot bend its boundary. So let it first compute new features, and *learn* which:

.. math:: h = \sigma(b + W x), \qquad s = b' + W' h

The values h are a hidden layer, σ bends: a logistic function or tanh. The scores s go into the same losses as before.
That is a neural network, and all that is new about training it is one more use of the chain rule.
"""

# %%
# Forward and backward
# --------------------
#
# The loss hands back its gradient with respect to the scores, ds. From there backpropagation goes on, layer by layer.
# With rows of X for pictures and a = b + W x:
#
# .. math::
#
#    dW' = ds^T h, \quad db' = \sum ds, \quad dh = ds\, W', \quad da = dh \odot \sigma'(a), \quad
#    dW = da^T x, \quad db = \sum da
#
# In NumPy (``examples/hidden_layer.py`` has the whole program; `fastclf.losses.cross_entropy` is its loss):

import inspect
from types import SimpleNamespace

import hidden_layer  # examples/hidden_layer.py
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap

import fastclf
from fastclf.datasets import digits

print(inspect.getsource(hidden_layer.gradients))

# %%
# The slope of tanh can be told from its value: 1 − h². That of the logistic function is h (1 − h). Before any training,
# compare all gradients with finite differences:

tanh = hidden_layer.ACTIVATIONS["tanh"]
rng = np.random.default_rng(0)
small = hidden_layer.initial(5, 4, 3, rng)
error = hidden_layer.largest_error(small, rng.standard_normal((8, 5)), rng.integers(3, size=8), tanh)
print(f"they differ by at most {error:.0e} of the largest")
assert error < 1e-7

# %%
# What a line could not separate
# ------------------------------
#
# The ring of :ref:`page 5 <sphx_glr_course_plot_05_linear.py>`, with 1, 2, 3 and 16 hidden units. Each unit of the
# first layer is a soft step across a line. Three lines can enclose a region; two cannot.

rows = rng.uniform(-1, 1, (600, 2))
labels = (np.hypot(*rows.T) < 0.6).astype(int)
options = SimpleNamespace(epochs=300, batch=32, rate=0.1, momentum=0.9)
grid = np.linspace(-1.1, 1.1, 160)
plane = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
right = {}
figure, axes = plt.subplots(1, 4, figsize=(10, 2.9))
for ax, hidden in zip(axes, (1, 2, 3, 16), strict=True):
    network = hidden_layer.initial(2, hidden, 2, np.random.default_rng(4))
    hidden_layer.train(network, rows[:300], labels[:300], tanh, options, np.random.default_rng(0))
    right[hidden] = hidden_layer.accuracy(network, rows[300:], labels[300:], tanh)
    _, scores = hidden_layer.forward(network, plane, tanh)
    ax.pcolormesh(
        grid, grid, scores.argmax(axis=1).reshape(160, 160), cmap=ListedColormap(["#0072b2", "#e69f00"]), alpha=0.3
    )
    for w, b in zip(network.W, network.b, strict=True):
        ax.contour(grid, grid, (plane @ w + b).reshape(160, 160), levels=[0], colors="0.3", linewidths=0.7)
    ax.scatter(*rows[300:].T, c=labels[300:], cmap=ListedColormap(["#0072b2", "#e69f00"]), s=3)
    ax.set(title=f"{hidden} hidden: {right[hidden]:.0%}", xticks=[], yticks=[], aspect="equal")
assert right[3] > right[1] + 0.1

# %%
# Digits
# ------
#
# The same code on pictures, beside a linear classifier and the nearest neighbours.

data = digits()
X, X_test, y, y_test = data.X_train / 16, data.X_test / 16, data.y_train, data.y_test
options = SimpleNamespace(epochs=40, batch=32, rate=0.1, momentum=0.9)
network = hidden_layer.initial(64, 64, 10, np.random.default_rng(0))
history = hidden_layer.train(network, X, y, tanh, options, np.random.default_rng(0))
scores = {
    "linear": fastclf.LinearClassifier(l2=1e-4).fit(X, y).score(X_test, y_test),
    "64 hidden units": hidden_layer.accuracy(network, X_test, y_test, tanh),
    "nearest neighbour": fastclf.KNN(k=1).fit(X, y).score(X_test, y_test),
}
for name, value in scores.items():
    print(f"{name:18} {value:.1%}")

figure, ax = plt.subplots()
ax.semilogy(np.arange(1, 41), history)
ax.set(xlabel="epoch", ylabel="mean loss of the epoch")
assert scores["linear"] < scores["64 hidden units"]

# %%
# What hidden units look for
# --------------------------
#
# Rows of W are templates again, now of strokes and edges rather than of whole digits. Here are twenty of them.

figure, axes = plt.subplots(2, 10, figsize=(9.5, 2.1))
for ax, w in zip(axes.ravel(), network.W, strict=False):
    reach = np.abs(w).max()
    ax.imshow(w.reshape(data.shape), cmap="RdBu_r", vmin=-reach, vmax=reach)
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)

# %%
# Exercises
# ---------
#
# **1.** Leave out σ: h = b + W x. What can the network represent now?
#
# .. raw:: html
#
#    <details class="solution"><summary>Solution</summary>
#
# No more than a linear classifier: W'(b + Wx) + b' = (W'W)x + (W'b + b').

W, b, W2, b2 = (rng.standard_normal(shape) for shape in ((6, 4), 6, (3, 6), 3))
x = rng.standard_normal(4)
assert np.allclose(W2 @ (W @ x + b) + b2, (W2 @ W) @ x + (W2 @ b + b2))

# %%
# .. raw:: html
#
#    </details>
#
# **2.** What happens if all weights begin at 0?
#
# .. raw:: html
#
#    <details class="solution"><summary>Solution</summary>
#
# h is 0, and W' is 0, so that the gradients of both W and W' are 0: they stay where they are, and only b' learns. If
# they all begin at the same number, all hidden units stay equal, and there is in effect one.

nothing = hidden_layer.Network(*(np.zeros_like(part) for part in network))
_, gradients = hidden_layer.gradients(nothing, X, y, tanh)
print([float(np.abs(gradient).max().round(4)) for gradient in gradients])
assert not gradients.W.any()
assert not gradients.W_out.any()
assert gradients.b_out.any()

# %%
# .. raw:: html
#
#    </details>
#
# **3.** Train with ``mse`` or ``hinge`` in the place of the cross-entropy. What has to change?
#
# .. raw:: html
#
#    <details class="solution"><summary>Solution</summary>
#
# One word: all losses of `fastclf.losses` take scores and classes, and hand back the gradient with respect to the
# scores.

from fastclf import losses

for loss in (losses.cross_entropy, losses.hinge, losses.mse):
    other = hidden_layer.initial(64, 64, 10, np.random.default_rng(0))
    for start in np.tile(np.arange(0, len(X), 32), 20):
        batch = slice(start, start + 32)
        h, s = hidden_layer.forward(other, X[batch], tanh)
        _, ds = loss(s, y[batch], return_grad=True)
        da = ds @ other.W_out * tanh.slope(h)
        for part, step in zip(other, (da.T @ X[batch], da.sum(0), ds.T @ h, ds.sum(0)), strict=True):
            part -= 0.2 * step
    print(f"{loss.__name__:14} {hidden_layer.accuracy(other, X_test, y_test, tanh):.1%}")

# %%
# .. raw:: html
#
#    </details>
