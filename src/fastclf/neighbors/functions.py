"""The kernels as functions of arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastclf import _native
from fastclf._shared import threads
from fastclf._shared import validation as check
from fastclf._shared.tensors import given_back
from fastclf._shared.types import Metric
from fastclf.neighbors.backends import plain


def knn(
    Q: ArrayLike, X: ArrayLike, k: int, *, metric: Metric = "l2", n_threads: int | None = None
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Find the `k` rows of `X` nearest to each row of `Q`, exactly.

    Parameters
    ----------
    Q : array-like of shape (n_queries, n_features)
        Queries. bool, integers, float16, bfloat16, float32 and float64 are taken; see Notes.
    X : array-like of shape (n_samples, n_features)
        Rows to search.
    k : int
        Number of neighbours, from 1 to `n_samples`.
    metric : {"l1", "l2", "cosine", ...}, default="l2"
        Distance, as `pairwise_distances` defines it.
    n_threads : int, optional
        Number of threads; by default as `set_num_threads` says.

    Returns
    -------
    distances : ndarray of shape (n_queries, k), float64
        Distances, nearest first. With ``metric="inner_product"``, the products, the largest first.
    indices : ndarray of shape (n_queries, k), int64
        Row numbers. Among equal distances the lower row comes first.

    Raises
    ------
    TypeError
        If `k` or `n_threads` is not an integer, if an array is sparse or has masked entries.
    ValueError
        If shapes do not fit, `k` is out of range, or `metric` is unknown; if a value is NaN, infinite, missing, not a
        number, or not exact in float64.

    See Also
    --------
    pairwise_distances : All distances.
    KNN : The classifier; for many queries it searches several times as fast, after it has learned from the rows.

    Notes
    -----
    The answer is the first `k` rows in the order of (exact distance, row), with the distances of `pairwise_distances`.
    Its bytes do not depend on the number of threads, on the other queries of the call, on the order of features, or on
    the processor.

    No value is changed. uint8, int8, float16, bfloat16 (of the package ml_dtypes), float32 and float64 are read as they
    are. bool and integers from 0 to 255 are used as uint8, other integers as the narrowest of float32 and float64 that
    holds them all exactly. The same holds for the values of data frames (pandas, polars, Arrow), of nested lists and of
    Python's objects, such as fractions, decimals or digits. A value that float64 does not hold exactly is refused; the
    error names it and its place. An array in C order of one of these dtypes is not copied; but queries of two bytes a
    value, and of int8 where rows are of another dtype, are used as float32. Beside these and the results, a call uses
    less than 1 MiB, and 4 MiB a thread (and 24 bytes for each of `k` above 50 000).

    Tensors in main memory, of PyTorch or any package that offers DLPack, are taken like arrays. If `Q` is one, the
    results are tensors of the same package. They carry no gradient, whether or not `Q` or `X` require one.

    Examples
    --------
    >>> import fastclf
    >>> X = [[0.0, 0.0], [3.0, 4.0], [1.0, 1.0]]
    >>> distances, indices = fastclf.knn([[0.0, 0.0]], X, k=2, metric="l1")
    >>> distances
    array([[0., 2.]])
    >>> indices
    array([[0, 2]])
    >>> fastclf.knn([[1.0, 1.0]], X, k=2, metric="inner_product")
    (array([[7., 2.]]), array([[1, 2]]))
    """
    name = check.metric_name(metric)
    queries, rows = check.matrix(Q, "Q", narrow=True), check.matrix(X, "X", narrow=True)
    check.same_width(queries, rows)
    count = check.neighbor_count(k, len(rows), "n_samples")
    middle, wide = plain.centre(rows, len(queries)), plain.widened(queries, rows)
    distances, indices = plain.search(name, wide, rows, count, threads.resolve(n_threads), middle=middle)
    return given_back(distances, Q), given_back(indices, Q)


def pairwise_distances(
    Q: ArrayLike,
    X: ArrayLike,
    *,
    metric: Metric = "l2",
    out: NDArray[np.float64] | None = None,
    n_threads: int | None = None,
) -> NDArray[np.float64]:
    r"""Compute the distance of every row of `Q` from every row of `X`.

    Parameters
    ----------
    Q : array-like of shape (n_queries, n_features)
        Queries.
    X : array-like of shape (n_samples, n_features)
        Rows. Dtypes are those of `knn`.
    metric : {"l1", "l2", "cosine", ...}, default="l2"
        ``"l1"``: :math:`\sum_i |q_i - x_i|`. ``"l2"``: :math:`\sqrt{\sum_i (q_i - x_i)^2}`. ``"cosine"``:
        :math:`1 - q \cdot x / \sqrt{|q|^2 |x|^2}`, and 1 where a vector is zero. ``"inner_product"``:
        :math:`\sum_i q_i x_i`, which is no distance but a similarity.
        docs/metrics.md has the others, and other packages' names.
    out : array of shape (n_queries, n_samples), float64, optional
        Where to write the distances: C-contiguous, writeable, not overlapping `Q` or `X`.
    n_threads : int, optional
        Number of threads; by default as `set_num_threads` says.

    Returns
    -------
    ndarray of shape (n_queries, n_samples), float64
        The distances; `out` if it was given; a tensor if `Q` is one, as in `knn`.

    Raises
    ------
    TypeError
        If `out` is not an array, `n_threads` is not an integer, or an array is sparse or has masked entries.
    ValueError
        If shapes do not fit, values are not as `knn` takes them, `out` cannot be written to, or `metric` is unknown.

    Notes
    -----
    Each distance is that of exact arithmetic on the values as stored, rounded once to the nearest float64. A distance
    beyond float64's range is infinite; an inner product then has its sign, and one that rounds to 0 has none. By
    cosine, exact positive multiples of a row are at distance 0 from it, and rows of zeros are at distance 1 from all.

    Examples
    --------
    >>> import fastclf
    >>> fastclf.pairwise_distances([[0, 0], [1, 1]], [[3, 4]])
    array([[5.        ],
           [3.60555128]])
    >>> fastclf.pairwise_distances([[1, 1], [-1, 0]], [[3, 4], [2, 0]], metric="inner_product")
    array([[ 7.,  2.],
           [-3., -2.]])
    """
    name = check.metric_name(metric)
    queries, rows = check.matrix(Q, "Q", narrow=True), check.matrix(X, "X", narrow=True)
    check.same_width(queries, rows)
    shape = (len(queries), len(rows))
    distances = np.empty(shape) if out is None else check.output(out, shape, (queries, rows))
    _native.pairwise(name, plain.widened(queries, rows), rows, threads.resolve(n_threads), distances)
    return given_back(distances, Q) if out is None else out


def majority_vote(labels: ArrayLike, n_classes: int, *, weights: ArrayLike | None = None) -> NDArray[np.int64]:
    """Choose in each row the label that occurs most, or weighs most.

    Parameters
    ----------
    labels : array-like of int, shape (n_rows, k)
        Class ids in ``[0, n_classes)``, such as the labels of k neighbours.
    n_classes : int
        Number of classes.
    weights : array-like of shape (n_rows, k), optional
        Weight of each vote, finite and not negative. By default each counts one.

    Returns
    -------
    ndarray of shape (n_rows,), int64
        The winners; among equals the smallest class. A tensor if `labels` is one, as in `knn`.

    Raises
    ------
    TypeError
        If `labels` are not integers, `weights` not numbers, or `n_classes` is not an int.
    ValueError
        If a label is out of range (the error names row and value), or becomes so during the call; if shapes do not fit;
        if a weight is negative, NaN, infinite or not exact in float64.

    Examples
    --------
    >>> import fastclf
    >>> fastclf.majority_vote([[2, 0, 2], [1, 0, 2]], n_classes=3)
    array([2, 0])
    >>> fastclf.majority_vote([[2, 0, 2]], n_classes=3, weights=[[0.2, 1.0, 0.3]])
    array([0])
    """
    ids = check.votes(labels, n_classes)
    counted = None if weights is None else check.vote_weights(weights, ids.shape)
    winners = np.empty(len(ids), dtype=np.int64)
    try:
        _native.vote(ids, None, int(n_classes), counted, None, winners)
    except ValueError:
        raise check.refused_ids(ids, "labels", int(n_classes)) from None
    return given_back(winners, labels)
