r"""
7. Softmax and cross-entropy
============================

The SVM asks for scores in the right order, with a margin. The softmax classifier reads scores as **logarithms of
probabilities**, not yet normalised. Then a loss follows from a principle: make the training labels as likely as can be.
"""

# %%
# From scores to probabilities
# ----------------------------
#
# .. math:: p_k = \frac{e^{s_k}}{\sum_j e^{s_j}}
#
# Exponentials are positive; the division makes them sum to 1.

import matplotlib.pyplot as plt
import numpy as np

import fastclf
from fastclf import losses

classes = ["cat", "car", "frog"]
scores = np.array([[3.2, 5.1, -1.7]])  # a picture of a cat
p = losses.softmax(scores)
figure, axes = plt.subplots(1, 3, figsize=(9, 2.8))
for ax, values, title in zip(
    axes, (scores, np.exp(scores), p), ("scores", "exponentials", "probabilities"), strict=True
):
    bars = ax.bar(classes, values[0], color=["#0072b2", "#e69f00", "#009e73"])
    ax.bar_label(bars, [f"{value:.2f}" for value in values[0]])
    ax.set(title=title, yticks=[])
    ax.margins(y=0.2)

loss = losses.cross_entropy(scores, [0])
print(f"p(cat) = {p[0, 0]:.2f}, loss = -log p(cat) = {loss:.2f}")

# %%
# The cat gets a probability of 0.13. The loss is minus its logarithm, :math:`-\log 0.13 = 2.04`.

# sphinx_gallery_start_ignore
assert f"{p[0, 0]:.2f} {loss:.2f}" == "0.13 2.04"
# sphinx_gallery_end_ignore

# %%
# Why the logarithm? Maximum likelihood
# -------------------------------------
#
# If rows are independent, the probability of all labels is the product of :math:`p_{y_i}`. To make it largest is to
# make the sum of :math:`-\log p_{y_i}` least. That sum, as a mean, is the **cross-entropy loss**. A product of ten
# thousand probabilities is 0 in floating point; their logarithms are not.

rng = np.random.default_rng(0)
many = rng.standard_normal((10_000, 3))
labels = rng.integers(3, size=10_000)
likelihood = losses.softmax(many)[np.arange(10_000), labels].prod()
mean = losses.cross_entropy(many, labels)
print(f"product: {likelihood}; mean of -log p: {mean:.4f}")
assert likelihood == 0

# %%
# Entropy, cross-entropy, KL
# --------------------------
#
# Let p be the distribution that is true and q the one that the model says. The **cross-entropy** is the mean number
# of nats to tell outcomes of p in a code made for q. It is the **entropy** of p, which no code can beat, plus what
# the wrong code costs, the **KL divergence**:
#
# .. math:: H(p, q) = -\sum_k p_k \log q_k = H(p) + \mathrm{KL}(p \,\|\, q)

target = np.array([[0.7, 0.2, 0.1]])
H = -(target * np.log(target)).sum()
H_pq = losses.cross_entropy(scores, target)
KL = losses.kl_div(scores, target)
print(f"H(p) = {H:.4f}, KL = {KL:.4f}, H(p, q) = {H_pq:.4f}")
assert np.isclose(H_pq, H + KL)

# %%
# When the label is certain, p is 1 at y and 0 elsewhere: H(p) = 0, and cross-entropy *is* the KL divergence. H(p)
# does not depend on the scores, so that both have the same gradient.

_, by_entropy = losses.cross_entropy(scores, target, return_grad=True)
_, by_kl = losses.kl_div(scores, target, return_grad=True)
assert np.allclose(by_entropy, by_kl)

# %%
# The gradient is the error
# -------------------------
#
# .. math:: \frac{\partial L}{\partial s_k} = p_k - y_k
#
# where y is 1 at the true class. There is nothing simpler: what was said, less what is so. The logarithm undoes the
# exponential, and no factor is left that could make the slope vanish where the model is wrong (see
# :ref:`page 8 <sphx_glr_course_plot_08_regression.py>`).

_, gradient = losses.cross_entropy(scores, [0], return_grad=True)
print(gradient.round(3))
assert np.allclose(gradient, p - [1, 0, 0])

# %%
# At the start
# ------------
#
# Small W, all scores about 0: each class has the probability 1/C, and the loss is ln C. With ten classes 2.303: the
# number to look for in the first line that a training program prints.

start = losses.cross_entropy(np.zeros((4, 10)), np.arange(4))
print(f"{start:.3f}")
assert np.isclose(start, np.log(10))

# %%
# Numbers that are too large
# --------------------------
#
# :math:`e^{1000}` is infinite in floating point. The formula as it is written then says NaN. A constant c may be
# taken from all scores, since it cancels; with c the largest score, no exponential is beyond 1. fastclf does the
# equivalent of that, and keeps all digits of losses near 0, too:

large = np.array([[123.0, 456.0, 1000.0]])
with np.errstate(all="ignore"):
    naive = np.exp(large) / np.exp(large).sum()
print("naive:", naive, " fastclf:", losses.softmax(large))
print(
    "a loss near 0:", losses.cross_entropy([[40.0, 0.0]], [0]), " as written:", -np.log(np.exp(40) / (np.exp(40) + 1))
)
assert np.isnan(naive).any()
assert losses.cross_entropy([[40.0, 0.0]], [0]) == np.log1p(np.exp(-40))

# %%
# Softmax against SVM
# -------------------
#
# Three rows of scores, the first class being the right one; and then the right class's score doubled.

rows = np.array([[10.0, -2, 3], [10, 9, 9], [10, -100, -100]])
doubled = rows * [2, 1, 1]
print("scores                svm   softmax   doubled: svm   softmax")
table = []
for row, more in zip(rows, doubled, strict=True):
    values = [f([s], [0]) for s in (row, more) for f in (losses.hinge, losses.cross_entropy)]
    table.append(values)
    print(f"{row!s:20} {values[0]:4.1f} {values[1]:9.2g} {values[2]:14.1f} {values[3]:9.2g}")

# %%
# The SVM is content with all three: each wrong class is below by at least the margin. It would not move W for any of
# them. The softmax classifier is not: [10, 9, 9] costs 0.55, though the right class is first. Double the right score
# and its loss falls on. It is never content: a right class at 100 instead of 10 is still a little better. That is why
# the softmax cares about all rows, and the SVM only about those near the boundary.

# sphinx_gallery_start_ignore
assert [values[0] for values in table] == [values[2] for values in table] == [0, 0, 0]
assert f"{table[1][1]:.2f}" == "0.55"
assert all(values[3] < values[1] for values in table[:2])
# sphinx_gallery_end_ignore

s = np.linspace(-4, 6, 300)
pairs = np.column_stack([s, np.zeros_like(s)])
first = np.zeros(len(s), dtype=int)
figure, ax = plt.subplots()
ax.plot(s, losses.cross_entropy(pairs, first, reduction="none"), label="softmax")
ax.plot(s, losses.hinge(pairs, first, reduction="none"), "--", label="SVM")
ax.set(xlabel="right score, less the other", ylabel="loss")
ax.legend()

# %%
# In practice the two classify about equally well. The softmax gives probabilities as well. How sharp these are
# depends on the penalty: with small weights all scores are small, and the probabilities near 1/C.

from fastclf.datasets import digits

data = digits()
for l2 in (1e-4, 1e-2, 1):
    model = fastclf.LinearClassifier("softmax", l2=l2).fit(data.X_train / 16, data.y_train)
    sure = model.predict_proba(data.X_test / 16).max(axis=1).mean()
    print(f"l2 = {l2:g}: {model.score(data.X_test / 16, data.y_test):.1%} right, mean largest probability {sure:.2f}")

# %%
# Exercises
# ---------
#
# **1.** Show that adding a constant to all scores changes neither p nor the loss.
#
# .. raw:: html
#
#    <details class="solution"><summary>Solution</summary>
#
# :math:`e^{s_k + c} = e^c e^{s_k}`, and the factor cancels. By code, up to rounding:

assert np.allclose(losses.softmax(scores + 123.4), p)

# %%
# .. raw:: html
#
#    </details>
#
# **2.** *Label smoothing* takes 1 − ε at the true class and spreads ε over all classes. What is the least loss then,
# and where?
#
# .. raw:: html
#
#    <details class="solution"><summary>Solution</summary>
#
# Where q equals the smoothed target: then KL = 0, and what is left is its entropy. The scores are finite there, so
# that weights do not grow without end.

eps, C = 0.1, 3
smooth = np.full(C, eps / C)
smooth[0] += 1 - eps
least = losses.cross_entropy([np.log(smooth)], [0], label_smoothing=eps)
assert np.isclose(least, -(smooth * np.log(smooth)).sum())
print(f"{least:.3f}")

# %%
# .. raw:: html
#
#    </details>
#
# **3.** Is KL(p ‖ q) equal to KL(q ‖ p)?
#
# .. raw:: html
#
#    <details class="solution"><summary>Solution</summary>
#
# No; it is no distance. The first punishes q for being small where p is not; the second the reverse.

q = losses.softmax(scores)
print(f"{KL:.3f} and {losses.kl_div(np.log(target), q):.3f}")
assert not np.isclose(KL, losses.kl_div(np.log(target), q))

# %%
# .. raw:: html
#
#    </details>
