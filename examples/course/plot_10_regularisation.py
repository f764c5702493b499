r"""
10. Regularisation: a price for large weights
=============================================

Many W fit the training rows equally well. Add a price for large weights, and there is one answer, which does better on
new rows:

.. math:: J(W, b) = \frac{1}{n} \sum_i L(f(x_i), y_i) \;+\; \lambda \sum_{k} \sum_{j} W_{kj}^2
"""

# %%
# Which of these would you take?
# ------------------------------
#
# For x = (1, 1, 1, 1), the weights (1, 0, 0, 0) and (¼, ¼, ¼, ¼) give the same score. Their squares sum to 1 and to
# ¼. The penalty prefers the second: to look a little at everything rather than to rely on one pixel.

import matplotlib.pyplot as plt
import numpy as np

import fastclf
from fastclf import losses
from fastclf.datasets import digits
from fastclf.plotting import plot_penalties, plot_templates

x = np.ones(4)
one, all_four = np.array([1.0, 0, 0, 0]), np.full(4, 0.25)
assert one @ x == all_four @ x == 1
print((one**2).sum(), (all_four**2).sum())

# %%
# It settles what the loss leaves open
# ------------------------------------
#
# If rows can be separated, twice the weights separate them as well: the SVM's loss stays 0, that of the softmax
# falls, for ever larger weights. Without a penalty there is no best W. With one there is, and J is the sum of two
# parts:

X = np.array([[-2.0], [-1.0], [1.0], [2.0]])
y = np.array([0, 0, 1, 1])
w = np.linspace(0, 6, 200)
data_part = np.array([losses.cross_entropy(np.column_stack([-X[:, 0] * v, X[:, 0] * v]), y) for v in w])
penalty = 0.02 * 2 * w**2
figure, ax = plt.subplots()
ax.plot(w, data_part, "--", label="mean loss")
ax.plot(w, penalty, ":", label="penalty")
ax.plot(w, data_part + penalty, label="J")
ax.set(xlabel="weight", ylim=(0, 1))
ax.legend()
fitted = fastclf.LinearClassifier("softmax", l2=0.02, fit_intercept=False, tol=1e-10).fit(X, y)
print(f"drawn: {w[np.argmin(data_part + penalty)]:.2f}, fitted: {fitted.coef_[1, 0]:.2f}")
assert abs(w[np.argmin(data_part + penalty)] - fitted.coef_[1, 0]) < 0.03

# %%
# b is not penalised: it moves a boundary and does not lean on any feature. A data set that is shifted should get the
# same classifier, shifted.

rng = np.random.default_rng(0)
rows, labels = rng.standard_normal((200, 3)), rng.integers(3, size=200)
here = fastclf.LinearClassifier(l2=1e-2, tol=1e-10).fit(rows, labels)
there = fastclf.LinearClassifier(l2=1e-2, tol=1e-10).fit(rows + 100, labels)
assert np.allclose(here.coef_, there.coef_, atol=1e-5)

# %%
# Too little, too much
# --------------------
#
# λ is a hyperparameter. To see both ends, fit only 60 digits: there are ten times as many weights as rows.

data = digits()
few = slice(0, 60)
X_few, y_few = data.X_train[few] / 16, data.y_train[few]
X_val, y_val = data.X_train[60:] / 16, data.y_train[60:]
penalties = np.logspace(-6, 1, 22)
models = [fastclf.LinearClassifier("softmax", l2=l2).fit(X_few, y_few) for l2 in penalties]
on_training = [model.score(X_few, y_few) for model in models]
on_validation = [model.score(X_val, y_val) for model in models]

figure, axes = plt.subplots(1, 2, figsize=(9.4, 3.4))
plot_penalties(penalties, {"other rows": on_validation, "60 training rows": on_training}, ax=axes[0])
axes[0].set_ylim(0, 1.03)
axes[1].loglog(penalties, [(model.coef_**2).sum() for model in models], "o-")
axes[1].set(xlabel="λ", ylabel="sum of squared weights")
best = int(np.argmax(on_validation))
print(f"best on the other rows: λ = {penalties[best]:.1e}, {on_validation[best]:.1%}")
assert 0 < best < len(penalties) - 1

# %%
# To the left, the weights grow and the training rows are all right, whatever the others are: **overfitting**. To the
# right all weights go to 0, and with them all that was learned: **underfitting**. The templates show it:

for l2 in (1e-6, 1e-1):
    model = fastclf.LinearClassifier("softmax", l2=l2).fit(X_few, y_few)
    figure = plt.figure(figsize=(8, 3.5))
    plot_templates(model.coef_, data.shape, data.class_names, figure=figure)
    figure.suptitle(f"λ = {l2:g}", x=0.02, ha="left")

# %%
# More rows need less of it
# -------------------------
#
# A thousand rows leave less open than sixty, and, chance aside, a smaller λ is best. The mean of the loss, not its
# sum, is what is added to the penalty here; with a sum λ would have to grow with n. (scikit-learn's ``C`` weighs the
# sum: ``C = 1 / (2 · l2 · n)``.)

best_for = {}
for n in (60, 200, 1000):
    scores = [
        fastclf.LinearClassifier("softmax", l2=l2)
        .fit(data.X_train[:n] / 16, data.y_train[:n])
        .score(data.X_test / 16, data.y_test)
        for l2 in penalties[::3]
    ]
    best_for[n] = penalties[::3][int(np.argmax(scores))]
    print(f"{n:5} rows: best λ about {best_for[n]:.0e}, {max(scores):.1%}")
assert best_for[1000] <= best_for[60]

# %%
# Exercises
# ---------
#
# **1.** Some prices λ are so high that the classifier is hardly better than a guess. Does it then predict one class
# always?
#
# .. raw:: html
#
#    <details class="solution"><summary>Solution</summary>
#
# As λ grows, W goes to 0 and b stays: scores tend to the logarithms of the classes' frequencies, and the most frequent
# class wins by a hair nearly everywhere.

heavy = fastclf.LinearClassifier("softmax", l2=1e6).fit(X_few, y_few)
counts = np.bincount(y_few)
print(heavy.intercept_[counts.argmax()] == heavy.intercept_.max(), np.bincount(heavy.predict(X_val), minlength=10))
assert np.allclose(losses.softmax(heavy.intercept_[None])[0], counts / counts.sum(), atol=1e-3)

# %%
# .. raw:: html
#
#    </details>
#
# **2.** *Maximum a posteriori:* show that the penalty is the same as a belief that weights are normally distributed
# around 0. With which variance?
#
# .. raw:: html
#
#    <details class="solution"><summary>Solution</summary>
#
# The logarithm of a normal density is :math:`-w^2 / 2\sigma^2` and a constant. Its sum with the log likelihood
# :math:`-\sum_i L_i`, over n, is −J for :math:`\lambda = 1 / (2 n \sigma^2)`. For the best λ of 60 rows:

print(f"standard deviation of the weights believed in: {np.sqrt(1 / (2 * 60 * penalties[best])):.2f}")

# %%
# .. raw:: html
#
#    </details>
