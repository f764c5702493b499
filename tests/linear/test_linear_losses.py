"""What the solvers know of each loss: its curvature is the slope of the kernels' gradients."""

from __future__ import annotations

import numpy as np
import pytest
import reference_linear as reference

from fastclf._shared.batch import Batch
from fastclf.linear.losses import LOSSES

each_loss = pytest.mark.parametrize("name", LOSSES)
STEP = 1e-5
ROWS, CLASSES = 40, 4


def test_every_loss_has_a_reference():
    assert set(reference.KERNELS) == set(LOSSES)


def batch(name, scores, rng):
    """A batch with everything that the loss takes; hinges smoothed, so that they bend."""
    options = {}
    if name == "sigmoid":
        target = rng.integers(0, 2, (ROWS, CLASSES)).astype(np.float64)
        options = {"target": target, "column": np.array([1, 2, 0.5, 3.0]), "targets": "parts"}
    else:
        options["label"] = rng.integers(0, CLASSES, ROWS)
    if name in reference.HINGES:
        options |= {"margin": 1.0, "squared": LOSSES[name].squared}
        options |= {} if LOSSES[name].squared else {"hinge_width": 0.3}
    return Batch(LOSSES[name].kernel, scores, **options)


def gradients(of, scores):
    moved = Batch(**{**vars(of), "scores": scores})
    gradient = np.empty_like(scores)
    moved.run(1.0, 1, None, None, gradient)
    return gradient


@each_loss
def test_curvatures_are_slopes_of_slopes(name, rng):
    scores = rng.normal(size=(ROWS, CLASSES))
    of = batch(name, scores, rng)
    found = LOSSES[name].curvature(scores, of)
    np.testing.assert_allclose(LOSSES[name].diagonal(scores, of), np.einsum("rii->ri", found), atol=1e-12)
    if not LOSSES[name].convex:
        assert np.linalg.eigvalsh(found).min() > -1e-12  # takes the place of the Hessian, which is not
        return
    for c in range(CLASSES):
        step = STEP * np.eye(CLASSES)[c]
        expected = (gradients(of, scores + step) - gradients(of, scores - step)) / (2 * STEP)
        np.testing.assert_allclose(found[:, c], expected, atol=1e-4)
