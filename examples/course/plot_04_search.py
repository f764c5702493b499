r"""
4. Fast to fit, slow to predict
===============================

Nearest neighbours cost nothing to train and much to use: each prediction compares the query with all rows. That is the
wrong way round, since a model is trained once and used for years. This page measures it, and shows three ways out:
comparing rows cheaply first, trees, and approximate search.
"""

# %%
# Who works when
# --------------
#
# Below, a nearest-neighbour classifier and a linear one learn 40 000 rows in 64 groups, with 128 features, and predict
# 1000. Times are of this run, and drawn as shares, since seconds say more of a machine than of a method.

import time

import matplotlib.pyplot as plt
import numpy as np

import fastclf

rng = np.random.default_rng(0)
N_GROUPS, N_FEATURES = 64, 128


def made(n):
    """Return rows like embeddings: groups, spread along a few directions each, and some noise."""
    group = rng.integers(N_GROUPS, size=n)
    along = rng.standard_normal((n, 12)) * np.linspace(1.0, 0.3, 12)
    rows = CENTRES[group] + np.einsum("nk,nkd->nd", along, DIRECTIONS[group])
    return (rows + 0.03 * rng.standard_normal((n, N_FEATURES))).astype(np.float32), group


CENTRES = rng.standard_normal((N_GROUPS, N_FEATURES)) * 0.35
DIRECTIONS = rng.standard_normal((N_GROUPS, 12, N_FEATURES)) / np.sqrt(N_FEATURES)
X, y = made(40_000)
Q, truth = made(1000)


def seconds(call, rounds=3):
    """Return the median time of a call."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return float(np.median(times))


models = {
    "nearest neighbours": fastclf.KNN(k=10, backend="exact"),
    "linear": fastclf.LinearClassifier(l2=1e-3, tol=1e-2),
}
shares = {}
for name, model in models.items():
    fit = seconds(lambda model=model: model.fit(X, y), rounds=1)
    predict = seconds(lambda model=model: model.predict(Q))
    shares[name] = np.array([fit, predict]) / (fit + predict)
    print(f"{name}: {shares[name][0]:.0%} of the time in fit; {model.score(Q, truth):.1%} right")

figure, ax = plt.subplots(figsize=(6.4, 1.8))
for i, part in enumerate(("fit", "predict")):
    left = [share[:i].sum() for share in shares.values()]
    ax.barh(list(shares), [share[i] for share in shares.values()], left=left, label=part)
ax.set(xlabel="share of the time")
ax.legend(ncols=2, loc="upper center", bbox_to_anchor=(0.5, 1.35))
assert shares["linear"][1] < shares["nearest neighbours"][1]

# %%
# The cost of a prediction grows with the rows
# --------------------------------------------
#
# Plain search compares a query with n rows of d numbers: its cost grows as n · d. `fastclf.knn` is such a search, with
# fast kernels but nothing learned. Draw its time over n, beside the straight line:

ns = np.array([2500, 5000, 10_000, 20_000, 40_000])
times = np.array([seconds(lambda n=n: fastclf.knn(Q, X[:n], 10)) for n in ns])
figure, ax = plt.subplots()
ax.loglog(ns, times / times[0], "o-", label="plain search")
ax.loglog(ns, ns / ns[0], "k:", label="grows as n")
ax.set(xlabel="rows", ylabel="time, first point = 1")
ax.legend()

# %%
# Skip rows, and prove it
# -----------------------
#
# Most rows are so far away that a rough look suffices. Let P turn a row into fewer numbers, by orthonormal directions.
# Lengths can only shrink, so
#
# .. math:: \|q - x\|^2 \;\ge\; \|Pq - Px\|^2 + \left(\|q - P^T P q\| - \|x - P^T P x\|\right)^2 .
#
# The right side is a **lower bound**: if it is beyond the tenth distance found so far, the row is not among the ten
# nearest, and need not be compared. That is *pruning*: the answer is exact, and no row is compared in full without
# need. How many rows does such a bound leave? Here is the plain version in NumPy, with the principal directions of
# the rows:

middle = X.mean(axis=0)
_, _, directions = np.linalg.svd(X[:4000] - middle, full_matrices=False)
true_distance, _ = fastclf.knn(Q[:100], X, 10)


def left(count):
    """Return the share of the rows that the bound by `count` directions leaves, of all pairs with 100 queries."""
    P = directions[:count]
    short, short_Q = (X - middle) @ P.T, (Q[:100] - middle) @ P.T
    rest = np.sqrt(np.maximum(((X - middle) ** 2).sum(1) - (short**2).sum(1), 0))
    rest_Q = np.sqrt(np.maximum(((Q[:100] - middle) ** 2).sum(1) - (short_Q**2).sum(1), 0))
    bound = fastclf.pairwise_distances(short_Q, short) ** 2 + (rest_Q[:, None] - rest) ** 2
    return float((bound <= true_distance[:, -1:] ** 2 * (1 + 1e-4)).mean())


counts = [4, 8, 16, 32, 64, 96]
remaining = [left(count) for count in counts]
figure, ax = plt.subplots()
ax.semilogy(counts, remaining, "o-")
ax.axhline(10 / len(X), color="0.5", linestyle=":", label="the ten nearest themselves")
ax.set(xlabel="directions, of 128", ylabel="share of rows left", xticks=counts)
ax.legend()
assert remaining == sorted(remaining, reverse=True)

# %%
# `fastclf.KNN` does this in stages, with sketches of a byte for each number, where a sample in `fit` shows that it
# pays. In few dimensions it arranges the rows in a tree instead. These rows are too few for either to pay; `explain`
# tells:

print(models["nearest neighbours"].explain(Q))

# %%
# The answer is that of plain search, byte for byte. :doc:`/guides/exactness` says why.

distances, indices = models["nearest neighbours"].kneighbors(Q)
plain_distances, plain_indices = fastclf.knn(Q, X, 10)
assert (distances == plain_distances).all()
assert (indices == plain_indices).all()

# %%
# Approximate search: recall against speed
# ----------------------------------------
#
# If a few neighbours may be missed, an **index** can do with looking at a part of the rows. FAISS's inverted lists put
# rows into groups, and look into those nearest to the query. The more groups are looked into, the more of the true
# neighbours are found (**recall**), and the longer it takes. ``recall=`` says what share is wanted; `fit` then measures
# on rows held out how hard to search.

exact = models["nearest neighbours"]
true = exact.kneighbors(Q, return_distance=False)
exact_time = seconds(lambda: exact.kneighbors(Q))
points = []
for wanted in (0.8, 0.95, 0.99):
    model = fastclf.KNN(k=10, backend="faiss", recall=wanted).fit(X, y)
    found = model.kneighbors(Q, return_distance=False)
    share = np.mean([len(np.intersect1d(a, b)) / 10 for a, b in zip(found, true, strict=True)])
    points.append((share, exact_time / seconds(lambda model=model: model.kneighbors(Q))))
    print(f"asked for {wanted}: measured in fit {model.recall_:.3f}, on new queries {share:.3f}")

figure, ax = plt.subplots()
ax.plot(*np.transpose(points), "o-", label="approximate")
ax.plot(1, 1, "s", label="exact")
ax.set(xlabel="recall: share of true neighbours found", ylabel="queries a second, exact = 1")
ax.legend()

# %%
# A point up and to the left is fast and misses some. Whether approximate search is worth it depends on the data:
# on these rows, draw it and see. Does the classification suffer? Hardly: a vote among ten neighbours does not mind if
# one of them is the eleventh.

# %%
# Exercises
# ---------
#
# **1.** Draw rows from a normal distribution with independent features, 128 of them, and look at the bound again. What
# is left, and why?
#
# .. raw:: html
#
#    <details class="solution"><summary>Solution</summary>
#
# Nearly all rows. No direction holds more than any other, so half of the directions say half of the distance; and all
# distances are about equal (the *curse of dimensionality*). The nearest row is hardly nearer than the farthest:

noise = rng.standard_normal((5000, 128))
D = fastclf.pairwise_distances(noise[:50], noise[50:])
groups = fastclf.pairwise_distances(Q[:50], X)
print(f"nearest distance by the mean one: {np.mean(D.min(1) / D.mean(1)):.2f} (noise)")
print(f"nearest distance by the mean one: {np.mean(groups.min(1) / groups.mean(1)):.2f} (groups)")

# %%
# .. raw:: html
#
#    </details>
#
# **2.** In two dimensions a k-d tree is hard to beat. How does the number of rows that a search looks at grow with n?
#
# .. raw:: html
#
#    <details class="solution"><summary>Solution</summary>
#
# As log n: a tree halves the rows at each step, and in two dimensions it hardly ever has to look into both halves. Let
# `explain` tell:

plane = rng.uniform(size=(100_000, 2))
tree = fastclf.KNN(k=1).fit(plane, np.zeros(len(plane)))
print(tree.explain(rng.uniform(size=(1000, 2))))

# %%
# .. raw:: html
#
#    </details>
