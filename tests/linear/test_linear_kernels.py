"""The kernels of linear models: what the definitions say, and the same bytes for any processor, threads and batch."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import reference_linear as reference
import scipy.sparse
from digests import digest
from names import DTYPES, FLOAT_DTYPES, each_dtype, each_float

from fastclf import _native
from fastclf._shared.batch import Batch

# dtype of X, and of what is computed in, which is no narrower
each_pair = pytest.mark.parametrize(
    ("dtype", "own"),
    [(x, own) for x, own in itertools.product(DTYPES, FLOAT_DTYPES) if np.promote_types(x, own) == own],
)

# rows, features, classes: around the sizes of tiles, lines and blocks
SHAPES = [
    (1, 1, 1),
    (2, 15, 2),
    (3, 16, 3),
    (5, 17, 4),
    (4, 64, 5),
    (33, 63, 6),
    (7, 65, 7),
    (20, 130, 13),
    (1100, 3, 2),
    (9, 1024, 7),  # features that are summed at a time, in float32; and more
    (10, 1041, 3),
]
MANY_PARTS = (700, 2000, 11)  # more blocks than one, and not a whole number

KERNELS = ["cross_entropy", "mse", "hinge"]


def problem(dtype, own, shape, rng):
    """Rows, centre, weights and labels."""
    n, d, classes = shape
    X = rng.integers(0, 256, (n, d)) if dtype == "uint8" else rng.normal(3, 2, (n, d))
    X = X.astype(dtype)
    W = (rng.normal(size=(classes, d)) / max(X.astype(float).std(), 1) / np.sqrt(d)).astype(own)
    return X, X.mean(axis=0).astype(own), W, rng.normal(size=classes).astype(own), rng.integers(0, classes, n)


def batch(kernel, own, classes, y, **more):
    return Batch(kernel, np.empty((len(y), classes), own), label=y.astype(np.int64), margin=1.0, **more)


def scores(X, centre, W, b, n_threads=1):
    out = np.empty((len(X), len(W)), W.dtype)
    _native.linear_scores(X, centre, W, b, n_threads, out)
    return out


def loss(how, X, centre, W, b, n_threads=1):
    of_W, of_b = np.empty(W.shape), np.empty(len(W))
    value = _native.linear_loss(how, X, centre, W, b, n_threads, of_W, of_b)
    assert value is not None
    return value, of_W, of_b


@each_pair
@pytest.mark.parametrize("shape", [*SHAPES, MANY_PARTS], ids=str)
def test_scores_losses_and_gradients(isa, dtype, own, shape, rng):
    X, centre, W, b, y = problem(dtype, own, shape, rng)
    eps = np.finfo(own).eps
    wanted = reference.scores(X, W, b, centre)
    size = (abs(X.astype(float) - centre) @ abs(W).T.astype(float) + abs(b)).max()
    np.testing.assert_allclose(scores(X, centre, W, b), wanted.astype(float), rtol=0, atol=8 * eps * size)
    value, of_W, of_b = loss(batch("cross_entropy", own, shape[2], y), X, centre, W, b)
    mean, gradients = reference.loss_and_gradients("softmax", wanted, y)
    np.testing.assert_allclose(value, float(mean * len(X)), rtol=16 * eps, atol=16 * eps * size * len(X))
    gradients = (gradients * len(X)).astype(float)
    exact = gradients.T @ (X.astype(float) - centre)
    beside = (abs(gradients).T @ abs(X.astype(float) - centre)).max() + abs(X.astype(float) - centre).sum() * size
    np.testing.assert_allclose(of_W, exact, rtol=0, atol=16 * eps * beside)
    np.testing.assert_allclose(of_b, gradients.sum(axis=0), rtol=0, atol=16 * eps * len(X) * (1 + size))


@each_pair
def test_bytes_do_not_depend_on_the_instruction_set(dtype, own):
    before, seen = _native.isa(), {}
    try:
        for name in _native.isas():
            _native.use_isa(name)
            rng = np.random.default_rng(4)
            for shape in (*SHAPES[3:], MANY_PARTS):
                X, centre, W, b, y = problem(dtype, own, shape, rng)
                for kernel in KERNELS:
                    found = digest(scores(X, centre, W, b), *loss(batch(kernel, own, shape[2], y), X, centre, W, b))
                    assert seen.setdefault((shape, kernel), found) == found, (name, shape, kernel)
    finally:
        _native.use_isa(before)


@each_pair
def test_bytes_do_not_depend_on_threads_or_other_rows(isa, dtype, own, rng):
    X, centre, W, b, y = problem(dtype, own, MANY_PARTS, rng)
    alone, together = scores(X[5:6], centre, W, b), scores(X, centre, W, b)
    assert alone.tobytes() == together[5:6].tobytes()
    assert scores(X[3:202], centre, W, b, 3).tobytes() == together[3:202].tobytes()
    how = batch("cross_entropy", own, MANY_PARTS[2], y)
    assert len({digest(*loss(how, X, centre, W, b, n_threads)) for n_threads in (1, 2, 3, 8)}) == 1


def test_no_rows_and_no_features(isa):
    W, b = np.ones((3, 4)), np.arange(3.0)
    value, of_W, of_b = loss(batch("cross_entropy", "float64", 3, np.empty(0, int)), np.empty((0, 4)), None, W, b)
    assert (value, of_W.any(), of_b.any()) == (0, False, False)
    y = np.array([0, 2])
    value, of_W, of_b = loss(batch("mse", "float64", 3, y), np.empty((2, 0)), None, np.empty((3, 0)), b)
    assert value == 1 + 1 + 4 + 0 + 1 + 1
    assert of_W.shape == (3, 0)
    assert of_b.tolist() == [-2, 4, 6]


def test_weights_of_rows_and_rows_left_out(isa, rng):
    X, centre, W, b, y = problem("float64", "float64", (50, 7, 3), rng)
    weight = rng.integers(0, 3, 50).astype(float)
    again = np.repeat(np.arange(50), weight.astype(int))
    found = loss(batch("cross_entropy", "float64", 3, y, weight=weight), X, centre, W, b)
    wanted = loss(batch("cross_entropy", "float64", 3, y[again]), X[again], centre, W, b)
    for a, b_ in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b_, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("classes", [1, 2, 3, 4, 5, 8, 9, 12, 13, 16, 17, 33])
@pytest.mark.parametrize("own", FLOAT_DTYPES)
@each_dtype
def test_sparse_products(isa, dtype, own, classes, rng):
    dense = rng.integers(0, 200, (60, 37)) * (rng.random((60, 37)) < 0.3)
    dense[7] = 0
    X, M = scipy.sparse.csr_array(dense.astype(dtype)), rng.normal(size=(37, classes)).astype(own)
    start, index = X.indptr.astype(np.int64), X.indices.astype(np.int32)
    found = []
    for n_threads in (1, 3):
        out = np.full((60, classes), 7, own)
        _native.sparse_product(start, index, X.data, M, n_threads, out)
        found.append(out)
    np.testing.assert_allclose(
        found[0], dense @ M.astype(float), rtol=2 * np.finfo(own).eps, atol=1e-5 if own == "float32" else 1e-11
    )
    assert found[0].tobytes() == found[1].tobytes()


def test_sparse_bytes_do_not_depend_on_the_instruction_set(rng):
    X = scipy.sparse.random_array((300, 80), density=0.2, format="csr", random_state=np.random.default_rng(1))
    M, before, seen = rng.normal(size=(80, 21)), _native.isa(), set()
    try:
        for name in _native.isas():
            _native.use_isa(name)
            out = np.empty((300, 21))
            _native.sparse_product(X.indptr.astype(np.int64), X.indices.astype(np.int32), X.data, M, 1, out)
            seen.add(out.tobytes())
    finally:
        _native.use_isa(before)
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("start", "index"),
    [([0, 1], [3]), ([0, 1], [-1]), ([0, 2], [0]), ([1, 1], [0]), ([0, 1, 0], [0])],
    ids=["column", "negative column", "values", "first", "falling"],
)
def test_sparse_matrices_that_are_none_are_refused(start, index):
    out = np.empty((len(start) - 1, 2))
    with pytest.raises(ValueError, match="do not go together"):
        _native.sparse_product(
            np.array(start, np.int64), np.array(index, np.int32), np.ones(1), np.ones((3, 2)), 1, out
        )


@pytest.mark.parametrize("rows", [1, 16, 33])
@pytest.mark.parametrize("classes", [2, 7, 130])
@pytest.mark.parametrize("kernel", reference.SMOOTHED)
@each_float
@pytest.mark.parametrize("smooth", [2.0, 0.1, 1e-6])
def test_smoothed_hinges(isa, kernel, dtype, rows, classes, smooth, rng):
    z = rng.normal(0, 2, (rows, classes)).astype(dtype)
    y, margins = rng.integers(0, classes, rows), rng.random((classes, classes))
    for matrix in (None, margins):
        how = Batch(kernel, z, label=y, margin=0.7 * (matrix is None), margins=matrix, hinge_width=smooth)
        found, gradients = np.empty(rows), np.empty_like(z)
        assert _native.losses(how, z, 1.0, 1, found, None, gradients) is None
        for i, label in enumerate(y):
            wanted, slope = reference.SMOOTHED[kernel](z[i], label, 0.7 if matrix is None else matrix[label], smooth)
            # A term divided by `smooth` is rounded to a part of itself, which is an error of the exponential's
            # argument.
            eps = np.finfo(dtype).eps + np.finfo(float).eps * np.ptp(z[i]) / smooth
            np.testing.assert_allclose(found[i], float(wanted), rtol=1e-12, atol=1e-14)
            np.testing.assert_allclose(gradients[i], slope.astype(float), rtol=8 * eps, atol=np.finfo(dtype).tiny)
