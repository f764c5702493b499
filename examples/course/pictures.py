"""The pictures that pages of the course classify."""

from __future__ import annotations

import sys

from fastclf import datasets


def chosen(n: int = 5000) -> datasets.Dataset:
    """Return scikit-learn's digits; or of what ``--data`` names, as `find` takes it, the first `n` of each part.

    Parameters
    ----------
    n : int, default=5000
        The most pictures of each part.

    Returns
    -------
    fastclf.datasets.Dataset
        Training and test pictures.
    """
    if sys.argv[1:2] == ["--data"]:
        return datasets.load_or_fetch(sys.argv[2], verbose=1).head(n)
    return datasets.digits()


def are_digits(data: datasets.Dataset) -> bool:
    """Say whether these are the digits, which the numbers in the pages' text are about."""
    return data.shape == (8, 8)
