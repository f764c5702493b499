"""Votes by several numbers of neighbours at once; what one number gives is tested with the classifier."""

from __future__ import annotations

import numpy as np
import pytest
import reference

from fastclf import _native


def prefixes(labels, index, n_classes, ks):
    winners = np.full((len(ks), len(index)), -1)
    _native.vote_prefixes(labels, index, n_classes, np.array(ks, dtype=np.int64), winners)
    return winners


@pytest.mark.parametrize("rows", [0, 1, 50])
@pytest.mark.parametrize("n_classes", [1, 2, 10])
@pytest.mark.parametrize("ks", [[1], [7], [1, 2, 2, 3, 30], list(range(1, 31))])
def test_each_prefix_is_a_vote_of_its_own(rng, rows, n_classes, ks):
    labels = rng.integers(0, n_classes, 40)
    index = rng.integers(0, 40, (rows, 30))
    expected = [reference.vote(labels[index[:, :k]]).tolist() for k in ks]
    assert prefixes(labels, index, n_classes, ks).tolist() == expected


@pytest.mark.parametrize(
    ("n_classes", "ks", "bad"), [(3, [0], 0), (3, [3, 2], 0), (3, [1, 5], 0), (2, [1], 0), (3, [1], 9), (3, [1], -1)]
)
def test_what_does_not_go_together_is_refused(n_classes, ks, bad):
    index = np.array([[0, 1, 2, bad]])
    with pytest.raises(ValueError, match="do not go together"):
        prefixes(np.array([0, 1, 2]), index, n_classes, ks)
