"""Calls of losses that are refused: good arguments beside the bad one, and the check that nothing is written."""

from __future__ import annotations

import numpy as np
import pytest
import reference_losses as reference

from fastclf import losses

GOOD = np.array([[0.0, 1.0, 2.0], [5.0, 3.0, 1.0], [9.0, 9.0, 0.0]])
LABELS = [0, 1, 2]
CERTAIN = np.eye(3)
TARGETS = {name: LABELS if name in ("cross_entropy", "hinge") else CERTAIN for name in reference.LOSSES}

each_loss = pytest.mark.parametrize("name", reference.LOSSES)


def out_for(name, like):
    out = np.full(np.shape(like), 7.0), np.full(np.shape(like), 7.0)
    return out if name == "max_margin" else out[0]


def refused(name, scores, target, error, message, like=GOOD, *, for_values=False, **keywords):
    """The call raises, with and without a gradient, and writes nothing but before it meets a value that it refuses."""
    out = out_for(name, like)
    with pytest.raises(error, match=message):
        getattr(losses, name)(scores, target, **keywords)
    with pytest.raises(error, match=message):
        getattr(losses, name)(scores, target, return_grad=True, **{"grad_out": out, **keywords})
    assert for_values or (np.asarray(out) == 7).all()


def changed(target, at, value):
    target = np.array(target, dtype=np.result_type(target, type(value)))
    target[at] = value
    return target
