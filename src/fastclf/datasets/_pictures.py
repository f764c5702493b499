"""Pictures in rows, with their classes; and scikit-learn's digits."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

Bytes = NDArray[np.uint8]

_TEST_SHARE = 0.2
_SPLIT_SEED = 0


@dataclass(frozen=True, eq=False)
class Dataset:
    """Pictures in rows, with their classes.

    All parameters are attributes of the same names.

    Parameters
    ----------
    X_train : ndarray of shape (n_pictures, n_features), uint8
        Pictures to train on, one a row.
    y_train : ndarray of shape (n_pictures,), uint8
        Their classes: positions in `class_names`.
    X_test : ndarray of shape (n_pictures, n_features), uint8
        Pictures to test on.
    y_test : ndarray of shape (n_pictures,), uint8
        Their classes.
    shape : tuple of int
        Shape of a picture: (height, width), or (height, width, 3) with colours.
    class_names : tuple of str
        What the classes are called.
    """

    X_train: Bytes
    y_train: Bytes
    X_test: Bytes
    y_test: Bytes
    shape: tuple[int, ...]
    class_names: tuple[str, ...]

    def pictures(self, rows: NDArray[np.generic]) -> NDArray[np.generic]:
        """Lay rows out as pictures.

        Parameters
        ----------
        rows : ndarray of shape (n_pictures, n_features)
            Rows such as those of `X_train`. With colours they hold the red plane, then the green, then the blue.

        Returns
        -------
        ndarray of shape (n_pictures, height, width) or (n_pictures, height, width, 3)
            A view where possible.

        Raises
        ------
        ValueError
            If the rows do not have as many values as a picture.

        Examples
        --------
        >>> from fastclf.datasets import digits
        >>> data = digits()
        >>> data.pictures(data.X_test[:2]).shape
        (2, 8, 8)
        """
        height, width, *colours = self.shape
        if not colours:
            return rows.reshape(-1, height, width)
        return rows.reshape(-1, *colours, height, width).transpose(0, 2, 3, 1)

    def head(self, n: int) -> Dataset:
        """Return the first `n` training and the first `n` test pictures.

        Parameters
        ----------
        n : int
            How many of each, at most.

        Returns
        -------
        Dataset
            Views of the arrays.

        Raises
        ------
        TypeError
            If `n` is not an integer.

        Examples
        --------
        >>> from fastclf.datasets import digits
        >>> len(digits().head(100).X_train)
        100
        """
        return replace(
            self, X_train=self.X_train[:n], y_train=self.y_train[:n], X_test=self.X_test[:n], y_test=self.y_test[:n]
        )


def digits() -> Dataset:
    """Load scikit-learn's handwritten digits: 1797 pictures of 8 x 8 with values from 0 to 16.

    Returns
    -------
    Dataset
        A fifth of each class, always the same, is the test set.

    Examples
    --------
    >>> from fastclf.datasets import digits
    >>> data = digits()
    >>> data.X_train.shape, data.X_test.shape, data.X_train.max()
    ((1437, 64), (360, 64), np.uint8(16))
    """
    X, y = load_digits(return_X_y=True)
    names = tuple(str(digit) for digit in range(10))
    return split(X.astype(np.uint8), y.astype(np.uint8), (8, 8), names)


def split(X: Bytes, y: Bytes, shape: tuple[int, ...], names: tuple[str, ...]) -> Dataset:
    """Set a fifth of each class apart, always the same, as the test set."""
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=_TEST_SHARE, stratify=y, random_state=_SPLIT_SEED
    )
    return Dataset(X_train, y_train, X_test, y_test, shape, names)
