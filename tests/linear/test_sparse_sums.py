"""Entries of a sparse X that are of one place count as their sum, exact or rounded once, whatever the format."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse

from fastclf import LinearClassifier
from fastclf._shared.estimators import own_structure
from fastclf.linear.inputs import kernel_rows

SHAPE = (20, 10)


def compressed(values, of, among, n, form, shape):
    order = np.argsort(of, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(of, minlength=n))])
    return form((values[order], among[order], starts), shape=shape)


def blocks(values, rows, columns, form):
    order = np.argsort(rows, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=SHAPE[0]))])
    return form((values[order].reshape(-1, 1, 1), columns[order], starts), shape=SHAPE)


FORMS = {
    "csr_array": lambda v, r, c: compressed(v, r, c, SHAPE[0], scipy.sparse.csr_array, SHAPE),
    "csr_matrix": lambda v, r, c: compressed(v, r, c, SHAPE[0], scipy.sparse.csr_matrix, SHAPE),
    "csc_array": lambda v, r, c: compressed(v, c, r, SHAPE[1], scipy.sparse.csc_array, SHAPE),
    "coo_array": lambda v, r, c: scipy.sparse.coo_array((v, (r, c)), shape=SHAPE),
    "coo_matrix": lambda v, r, c: scipy.sparse.coo_matrix((v, (r, c)), shape=SHAPE),
    "bsr_array": lambda v, r, c: blocks(v, r, c, scipy.sparse.bsr_array),
}
each_form = pytest.mark.parametrize("form", FORMS)


def rows_of(X):
    """X as the kernels read it."""
    return kernel_rows(own_structure(X, "X"))


@each_form
@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int64", "float32", "float64", "longdouble"])
def test_sums_are_those_of_fractions(rng, form, dtype):
    rows, columns = rng.integers(0, SHAPE[0], 500), rng.integers(0, SHAPE[1], 500)
    values = (rng.random(500) * 100).astype("float64" if dtype == "longdouble" else dtype).astype(dtype)
    if dtype in ("float32", "float64"):
        values *= np.ldexp(np.ones(500, dtype), rng.integers(-60, 60, 500))
    exact = np.full(SHAPE, Fraction(0))
    for row, column, value in zip(rows, columns, values, strict=True):
        exact[row, column] += Fraction(float(value))
    found = rows_of(FORMS[form](values, rows, columns))
    assert found.has_canonical_format
    assert found.toarray().astype(np.float64).tolist() == exact.astype(np.float64).tolist()


@each_form
def test_float32_is_summed_beyond_its_digits(form):
    far = np.array([2.0**24, 1, -(2.0**24), 1], np.float32)
    found = rows_of(FORMS[form](far, np.array([0, 0, 0, 1]), np.zeros(4, int)))
    assert found.dtype == np.float32
    assert found.toarray()[:2, 0].tolist() == [1, 1]
    wide = rows_of(FORMS[form](far[:2], np.zeros(2, int), np.zeros(2, int)))
    assert wide.dtype == np.float64
    assert wide.toarray()[0, 0] == 2**24 + 1
    beyond = rows_of(FORMS[form](np.full(3, 3e38, np.float32), np.zeros(3, int), np.zeros(3, int)))
    assert beyond.toarray()[0, 0] == float(3 * Fraction(float(np.float32(3e38))))


def test_without_entries_of_one_place_the_dtype_stays():
    X = scipy.sparse.csr_array((np.float32([0.1, 0.2]), [3, 1], [0, 2]), shape=(1, 5))  # out of order
    found = rows_of(X)
    assert found.dtype == np.float32
    assert found.toarray().tolist() == X.toarray().tolist()
    assert X.indices.tolist() == [3, 1]


@each_form
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(form, value):
    X = FORMS[form](np.array([value, 1.0, 2.0]), np.array([0, 0, 1]), np.zeros(3, int))
    with pytest.raises(ValueError, match=r"Input X contains (NaN|infinity)"):
        LinearClassifier().fit(X, np.arange(SHAPE[0]) % 2)


@each_form
def test_integers_of_one_place_do_not_wrap(form):
    X = FORMS[form](np.full(1024, 2**53), np.zeros(1024, int), np.zeros(1024, int))
    with pytest.raises(ValueError, match=r"X contains integers of the same place whose sum is beyond 2\*\*62"):
        LinearClassifier().fit(X, np.arange(SHAPE[0]) % 2)


def test_masked_values_are_refused():
    X = scipy.sparse.csr_array(np.eye(2))
    X.data = np.ma.array(X.data, mask=[True, False])
    with pytest.raises(TypeError, match="X has masked entries"):
        LinearClassifier().fit(X, [0, 1])
