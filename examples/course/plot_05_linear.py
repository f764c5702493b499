r"""
5. Linear classifiers
=====================

A linear classifier keeps no rows. It learns one vector of weights and one number for each class, and then throws the
training rows away:

.. math:: f(x) = W x + b

W has a row for each class. f(x) is a **score** for each class; the largest one wins. This page looks at f in three
ways: as algebra, as pictures, and as geometry.
"""

# %%
# Algebra
# -------
#
# Take a picture of four pixels and three classes: cat, dog and ship. Then W is 3 × 4 and b has three values.

import matplotlib.pyplot as plt
import numpy as np
import pictures

import fastclf
from fastclf.plotting import plot_templates

x = np.array([56, 231, 24, 2])
W = np.array([[0.2, -0.5, 0.1, 2.0], [1.5, 1.3, 2.1, 0.0], [0, 0.25, 0.2, -0.3]])
b = np.array([1.1, 3.2, -1.2])
scores = W @ x + b
for name, score in zip(("cat", "dog", "ship"), scores, strict=True):
    print(f"{name:4} {score:7.2f}")

# %%
# The dog's score is the largest, 437.9, so this W answers "dog".

# sphinx_gallery_start_ignore
assert [f"{score:.2f}" for score in scores] == ["-96.80", "437.90", "60.75"]
# sphinx_gallery_end_ignore

# %%
# **The bias trick.** Append a 1 to each x, and b as one more column to W. Then f(x) = Wx alone: one matrix to learn
# instead of two parts.

assert np.allclose(np.column_stack([W, b]) @ np.append(x, 1), scores)

# %%
# They are the same function. The fit is the same, too, as long as b is treated as it was. It is customary not to
# penalise b (:ref:`page 10 <sphx_glr_course_plot_10_regularisation.py>`), so `fastclf.LinearClassifier` keeps it apart.
#
# Pictures: rows of W are templates
# ---------------------------------
#
# A score is an inner product: large where x has much ink at places with positive weights, and little at places with
# negative ones. So each row of W is a **template** of its class, and can be drawn as a picture. Red counts for the
# class, blue against it.

data = pictures.chosen()
scale = float(data.X_train.max())
model = fastclf.LinearClassifier("softmax", l2=1e-2).fit(data.X_train / scale, data.y_train)
print(f"test accuracy: {model.score(data.X_test / scale, data.y_test):.1%}")
plot_templates(model.coef_, data.shape, data.class_names, figure=plt.figure(figsize=(8, 3.6)))

# %%
# Look at the 0: ink in the middle counts against it, ink around it for it. A nearest-neighbour classifier compares a
# query with 1437 pictures; this one compares it with ten. It is faster by that much, and has one template for all
# ways to write a digit. Of the test pictures 93.3 % are named rightly, where the nearest neighbour had 98.3 %.

# sphinx_gallery_start_ignore
if pictures.are_digits(data):
    assert f"{model.score(data.X_test / scale, data.y_test):.1%}" == "93.3%"
# sphinx_gallery_end_ignore

# %%
# Geometry: lines
# ---------------
#
# Where two classes have equal scores, :math:`(w_1 - w_2) \cdot x + b_1 - b_2 = 0`: a straight line in the plane, a
# hyperplane in more dimensions. A row of W is an arrow at right angles to the line where its own score is zero. It
# points to where the score grows. b moves the line away from the origin: without it, all lines pass through the
# origin.

centres = np.array([[-1.8, 0.2], [1.8, 0.0], [0.2, 2.6]])
rng = np.random.default_rng(1)
y = rng.integers(3, size=210)
X = centres[y] + rng.standard_normal((210, 2)) * 0.7
COLOURS = np.array(["#0072b2", "#e69f00", "#009e73"])


def draw(ax, model, X, y, title):
    """Draw the regions of a model's classes, the rows, and the lines where a class's score is 0."""
    reach = np.abs(X).max() * 1.15
    grid = np.linspace(-reach, reach, 240)
    plane = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
    ax.contourf(
        grid, grid, model.predict(plane).reshape(240, 240), levels=[-1, 0.5, 1.5, 2.5], colors=COLOURS, alpha=0.3
    )
    if hasattr(model, "coef_"):
        for colour, w, offset in zip(COLOURS, model.coef_, model.intercept_, strict=False):
            ax.contour(grid, grid, (plane @ w + offset).reshape(240, 240), levels=[0], colors=colour, linewidths=1.5)
            foot = -offset * w / (w @ w)
            ax.annotate(
                "", foot + 1.1 * w / np.sqrt(w @ w), foot, arrowprops={"arrowstyle": "->", "color": colour, "lw": 2}
            )
    ax.scatter(*X.T, c=COLOURS[y], s=9, edgecolors="k", linewidths=0.3)
    ax.set(title=title, xticks=[], yticks=[], xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")


figure, axes = plt.subplots(1, 2, figsize=(8.6, 4.2))
with_b = fastclf.LinearClassifier("hinge", l2=1e-2).fit(X, y)
without_b = fastclf.LinearClassifier("hinge", l2=1e-2, fit_intercept=False).fit(X, y)
draw(axes[0], with_b, X, y, "with b")
draw(axes[1], without_b, X, y, "without b: lines through the origin")

# %%
# What lines cannot separate
# --------------------------
#
# Two classes whose rows lie around each other have no line between them. Nor has "exclusive or" (one class in two
# opposite corners), nor a class in two places. Nearest neighbours have no trouble with any of them.

circle = rng.uniform(-1, 1, (300, 2))
corners = rng.uniform(-1, 1, (300, 2))
stripes = rng.uniform(-1, 1, (300, 2))
hard = {
    "a ring": (circle, (np.hypot(*circle.T) < 0.6).astype(int)),
    "exclusive or": (corners, (corners[:, 0] * corners[:, 1] > 0).astype(int)),
    "a class in two places": (stripes, (np.abs(stripes[:, 0] + stripes[:, 1]) < 0.6).astype(int)),
}
figure, axes = plt.subplots(2, 3, figsize=(9, 6.2))
for column, (name, (rows, labels)) in enumerate(hard.items()):
    for ax, model in zip(axes[:, column], (fastclf.LinearClassifier(), fastclf.KNN(k=5)), strict=True):
        model.fit(rows[:200], labels[:200])
        kind = "linear" if hasattr(model, "coef_") else "5 nearest"
        draw(ax, model, rows[:200], labels[:200], f"{name}\n{kind}: {model.score(rows[200:], labels[200:]):.0%}")

# %%
# Two ways lead out: better features of x, in which the classes *are* apart (exercise 1, and
# :ref:`page 14 <sphx_glr_course_plot_14_embeddings.py>`), or a layer that learns such features
# (:ref:`page 12 <sphx_glr_course_plot_12_hidden_layer.py>`).
#
# How W and b are found is the subject of the next pages: first what makes a good W (:ref:`6
# <sphx_glr_course_plot_06_svm.py>`, :ref:`7 <sphx_glr_course_plot_07_softmax.py>`, :ref:`8
# <sphx_glr_course_plot_08_regression.py>`), then how to get there (:ref:`11
# <sphx_glr_course_plot_11_optimisation.py>`).

# %%
# Exercises
# ---------
#
# **1.** Give the linear classifier the features :math:`x_1, x_2, x_1^2, x_1 x_2, x_2^2`. Which of the three problems
# above does it solve now?
#
# .. raw:: html
#
#    <details class="solution"><summary>Solution</summary>
#
# All three: a circle is a plane in terms of the squares, the corners have different signs of :math:`x_1 x_2`, and the
# band is where :math:`(x_1 + x_2)^2` is small.


def squares(x):
    """Return the features, their squares and their product."""
    return np.column_stack([x, x**2, x[:, 0] * x[:, 1]])


for name, (rows, labels) in hard.items():
    curved = fastclf.LinearClassifier(l2=1e-5).fit(squares(rows[:200]), labels[:200])
    print(f"{name}: {curved.score(squares(rows[200:]), labels[200:]):.0%}")
    assert curved.score(squares(rows[200:]), labels[200:]) > 0.9

# %%
# .. raw:: html
#
#    </details>
#
# **2.** Add the same number to every value of b, and the same row to every row of W. What do the predictions do?
#
# .. raw:: html
#
#    <details class="solution"><summary>Solution</summary>
#
# Nothing. All scores of a picture grow by the same amount. So W is not determined by the predictions; a penalty on
# large weights picks one of the many.

same = X @ (with_b.coef_ + np.array([7.0, -3.0])).T + (with_b.intercept_ + 5)
assert (same.argmax(axis=1) == with_b.predict(X)).all()

# %%
# .. raw:: html
#
#    </details>
#
# **3.** Draw the templates for ``l2=1e-6``, a ten-thousandth of the penalty above. They look like noise. Is the
# classifier worse?
#
# .. raw:: html
#
#    <details class="solution"><summary>Solution</summary>
#
# No, it is even better here: 96.1 %. A template need not look like its class; it only has to separate it from the
# others. Pixels at the border, where hardly any picture has ink, get large weights if that helps a few training rows.
# How large a penalty is right is a question for validation rows (:ref:`page 10
# <sphx_glr_course_plot_10_regularisation.py>`).

loose = fastclf.LinearClassifier("softmax", l2=1e-6).fit(data.X_train / scale, data.y_train)
print(f"{loose.score(data.X_test / scale, data.y_test):.1%}")
# sphinx_gallery_start_ignore
if pictures.are_digits(data):
    assert f"{loose.score(data.X_test / scale, data.y_test):.1%}" == "96.1%"
# sphinx_gallery_end_ignore
plot_templates(loose.coef_, data.shape, data.class_names, figure=plt.figure(figsize=(8, 3.6)))

# %%
# .. raw:: html
#
#    </details>
