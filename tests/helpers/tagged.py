"""Tagged sentences, and small window classifiers, for the tests of these."""

from __future__ import annotations

import numpy as np
import pytest
import reference_window as reference

from fastclf import WindowClassifier

LOSSES = ("softmax", "max_margin")
each_loss = pytest.mark.parametrize("loss", LOSSES)

SENTENCES = [["a", "b", "c"], ["b"], [], ["c", "a"]]
TAGS = [["X", "Y", "X"], ["Y"], [], ["X", "X"]]


def tagged(n, seed=0):
    """Sentences whose tags need the word before: a word is "after" behind "the", else what its letter says."""
    rng = np.random.default_rng(seed)
    sentences = [rng.choice(["the", *"uvwxyz"], rng.integers(0, 9)).tolist() for _ in range(n)]
    return sentences, [
        [
            "after" if before == "the" else "early" if word < "w" else "late"
            for before, word in zip(["", *s], s, strict=False)
        ]
        for s in sentences
    ]


def small(**options):
    return WindowClassifier(**({"window": 1, "dim": 4, "max_iter": 3, "random_state": 0} | options))


def state(model):
    net = model._model.net
    arrays = [model.classes_, model.loss_curve_, *reference.parameters(net), *reference.squares(net)]
    return list(model.vocabulary_.items()), [(a.dtype.str, a.shape, a.tobytes()) for a in arrays]
