"""The kernels of multiclass SVMs: what the definitions say, and the same bytes for any processor and threads."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import numpy as np
import pytest
import reference_svm as reference
import scipy.sparse
from digests import digest
from names import DTYPES, FLOAT_DTYPES

from fastclf import _native

each_dual = pytest.mark.parametrize("kind", ["hinge", "squared_hinge", "crammer_singer"])
each_kind = pytest.mark.parametrize("largest", [False, True], ids=["hinge", "crammer_singer"])
SHAPES = [(1, 1, 2), (5, 3, 3), (40, 17, 4), (300, 65, 5), (33, 8, 13)]
each_shape = pytest.mark.parametrize("shape", SHAPES, ids=str)


def compressed(X):
    X = scipy.sparse.csr_array(X)
    return SimpleNamespace(start=X.indptr.astype(np.int64), index=X.indices.astype(np.int32), value=X.data)


def problem(shape, largest, rng, dtype="float64", is_sparse=False, unit=0.0, squared=False):
    """A problem, its rows, and a feasible dual point."""
    n, d, classes = shape
    X = (rng.integers(0, 9, (n, d)) if dtype == "uint8" else rng.normal(size=(n, d))).astype(dtype)
    centre = None if is_sparse else rng.normal(size=d)
    off = X.astype(float) - (0 if is_sparse else centre)
    y = rng.integers(0, classes, n)
    how = SimpleNamespace(
        X=None if is_sparse else X,
        centre=centre,
        compressed=compressed(X) if is_sparse else None,
        label=y,
        weight=rng.random(n) / n,
        squares=(off**2).sum(axis=1),
        margins=reference.margin_matrix(rng.random((classes, classes)) * 2, classes),
        l2=0.01,
        unit=unit,
        largest=largest,
        squared=squared,
    )
    a = rng.random((n, classes)) * (rng.random((n, classes)) < 0.5) / (classes if largest else 1)
    a[np.arange(n), y] = 0
    a[np.arange(n), y] = -a.sum(axis=1)
    return how, off, a


def ascend(how, sweeps, a, b, features, seed=3):
    a, b = a.copy(), b.copy()
    W = np.full((features, -(-len(b) // 4) * 4), np.nan)
    visits = _native.svm_ascend(how, sweeps, seed, a, W, b)
    return a, W[:, : len(b)].T, b, visits


def dual(how, X, a, offset):
    """The dual objective, with intercepts that are held near an offset."""
    W = -(how.weight[:, None] * a).T @ X / (2 * how.l2)
    sums = how.weight @ a
    linear = (how.weight[:, None] * a * how.margins[how.label]).sum() + sums @ offset
    if how.squared:
        linear -= how.weight @ (np.where(np.arange(len(offset)) != how.label[:, None], a, 0) ** 2).sum(axis=1) / 4
    return linear - how.l2 * (W**2).sum() - how.unit / (4 * how.l2) * (sums @ sums)


@each_dual
@each_shape
@pytest.mark.parametrize("is_sparse", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("unit", [0.0, 2.0])
def test_sweeps_climb(isa, kind, shape, dtype, is_sparse, unit, rng):
    how, X, a = problem(shape, kind == "crammer_singer", rng, dtype, is_sparse, unit, kind == "squared_hinge")
    offset = rng.normal(size=shape[2])
    values = [dual(how, X, a, offset)]
    for sweeps in (0, 1, 2, 20):
        found, W, b, visits = ascend(how, sweeps, a, offset, shape[1])
        np.testing.assert_allclose(W, -(how.weight[:, None] * found).T @ X / (2 * how.l2), rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(b, offset - unit * (how.weight @ found) / (2 * how.l2), rtol=1e-9, atol=1e-9)
        assert visits <= sweeps * len(X)
        values.append(dual(how, X, found, offset))
    assert values[0] == pytest.approx(values[1], rel=1e-12)
    assert all(now >= before - 1e-12 for before, now in itertools.pairwise(values))


@each_dual
def test_a_row_alone_is_solved_in_one_visit(isa, kind, rng):
    largest, squared = kind == "crammer_singer", kind == "squared_hinge"
    for classes in (2, 3, 4, 5, 9, 40):
        for scale in (1e-3, 1, 1e3):
            how, _, a = problem((1, 3, classes), largest, rng, squared=squared)
            how.weight[:] = scale
            offset = rng.normal(size=classes) * 3
            bend = float(how.weight[0] * how.squares[0] / (2 * how.l2))
            u, soft = (offset + how.margins[how.label[0]]) / bend, 1 / (2 * bend) if squared else 0
            wanted = reference.row_solution(largest, how.label[0], u, soft)
            found = ascend(how, 1, np.zeros_like(a), offset, 3)[0]
            np.testing.assert_allclose(found[0], wanted, rtol=1e-11, atol=1e-11)


@each_kind
@each_shape
@pytest.mark.parametrize("own", FLOAT_DTYPES)
def test_lagrangians(isa, largest, shape, own, rng):
    how, X, multipliers = problem(shape, largest, rng)
    W, b = rng.normal(size=(shape[2], shape[1])).astype(own), rng.normal(size=shape[2]).astype(own)
    rows, eps = X.astype(own), float(np.finfo(own).eps)
    scores = (rows.astype(float) @ W.T.astype(float) + b).astype(own)
    wanted = reference.lagrangian(largest, scores, how.label, how.weight, how.margins, multipliers, 0.3)
    a, given = np.empty_like(multipliers), scores.copy()
    found = _native.svm_lagrangian_of_scores(how, given, 2, multipliers, 0.3, a, False)
    np.testing.assert_allclose(found, wanted[:2], rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(a, wanted[2], rtol=0, atol=1e-12)
    np.testing.assert_allclose(given, how.weight[:, None] * a, rtol=4 * eps)
    of_W, of_b, written = np.empty(W.shape), np.empty(len(b)), np.full_like(scores, np.nan)
    found = _native.svm_lagrangian(how, rows, None, W, b, 1, multipliers, 0.3, a, written, False, of_W, of_b)
    np.testing.assert_allclose(written, scores, rtol=0, atol=64 * eps * shape[1] * (1 + abs(scores).max()))
    size = 64 * eps * shape[1] * (1 + abs(rows).max()) ** 2 * abs(W).max()
    np.testing.assert_allclose(found, wanted[:2], rtol=0, atol=size * shape[2])
    weighted = how.weight[:, None] * a
    beside = 1e-12 + 32 * eps * (abs(weighted).T @ abs(rows)).max()
    np.testing.assert_allclose(of_W, weighted.T @ rows.astype(float), rtol=0, atol=beside)
    np.testing.assert_allclose(of_b, weighted.sum(axis=0), rtol=0, atol=1e-12 + 32 * eps)


@each_dual
def test_bytes_do_not_depend_on_the_instruction_set_or_threads(kind):
    largest, squared = kind == "crammer_singer", kind == "squared_hinge"
    before, seen = _native.isa(), {}
    try:
        for name in _native.isas():
            _native.use_isa(name)
            rng = np.random.default_rng(5)
            for shape in [*SHAPES, (900, 400, 11)]:
                for is_sparse in (False, True):
                    how, X, a = problem(shape, largest, rng, "float32", is_sparse, 1.0, squared)
                    W, b = rng.normal(size=(shape[2], shape[1])), np.zeros(shape[2])
                    ascended = ascend(how, 3, a, b, shape[1])[:3]
                    for n_threads in (1, 3):
                        found = digest(*ascended, *lagrangian(how, X, W, b, n_threads, a))
                        assert seen.setdefault((shape, is_sparse), found) == found, (name, shape)
    finally:
        _native.use_isa(before)


def lagrangian(how, X, W, b, n_threads, a, scores=None):
    """All that is written, and the values; `scores` are known where they are given."""
    known = scores is not None
    out, scores = np.empty_like(a), scores if known else np.empty(a.shape, W.dtype)
    of_W, of_b = np.empty(W.shape), np.empty(len(b))
    values = _native.svm_lagrangian(how, X, None, W, b, n_threads, a, 0.2, out, scores, known, of_W, of_b)
    return np.array(values), out, scores, of_W, of_b


@each_kind
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_known_scores_are_not_computed_again(isa, largest, dtype, rng):
    how, X, a = problem((700, 400, 11), largest, rng)  # of several blocks
    X, W, b = (4 * X).astype(dtype), rng.normal(size=(11, 400)).astype("float32"), np.zeros(11, "float32")
    whole = lagrangian(how, X, W, b, 1, a)
    again = lagrangian(how, X, np.zeros_like(W), b, 2, a, whole[2].copy())
    assert digest(*again[:3]) == digest(*whole[:3])
    others = lagrangian(how, X, W, b, 2, a, whole[2] + np.arange(11, dtype="float32"))
    assert digest(others[1]) != digest(whole[1])


@each_kind
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_gradients_of_known_scores_are_a_change(isa, largest, dtype, rng):
    how, X, a = problem((700, 400, 11), largest, rng)
    how.weight[100:620] = 0  # whole blocks of rows that change nothing
    X = (4 * X).astype(dtype)
    W, b = rng.normal(size=(11, 400)), np.zeros(11)
    W, b = (W, b) if dtype == "float64" else (W.astype("float32"), b.astype("float32"))
    scores = lagrangian(how, X, W, b, 1, a)[2]
    _, moved, _, of_W, of_b = lagrangian(how, X, W, b, 2, a, scores)
    change = how.weight[:, None] * (moved - a)
    eps = np.finfo(W.dtype).eps
    beside = 1e-12 + 32 * eps * (abs(change).T @ abs(X.astype(float))).max()
    np.testing.assert_allclose(of_W, change.T @ X.astype(float), rtol=0, atol=beside)
    np.testing.assert_allclose(of_b, change.sum(axis=0), rtol=0, atol=1e-12 + 32 * eps)
    slopes = scores.copy()
    _native.svm_lagrangian_of_scores(how, slopes, 2, a, 0.2, np.empty_like(a), True)
    np.testing.assert_allclose(slopes, change, rtol=2 * eps, atol=0)


def test_scores_that_overflow_have_no_answer(isa, rng):
    how, X, a = problem((5, 3, 3), True, rng)
    scores = rng.normal(size=(5, 3))
    scores[2, 1] = np.inf
    assert _native.svm_lagrangian_of_scores(how, scores, 1, a, 0.1, np.empty_like(a), False) is None
    W = np.full((3, 3), 1e308)
    of_W, of_b = np.empty(W.shape), np.empty(3)
    found = _native.svm_lagrangian(
        how, X * 1e3, None, W, np.zeros(3), 1, a, 0.1, np.empty_like(a), scores, False, of_W, of_b
    )
    assert found is None


def test_bad_arguments(rng):
    how, _, a = problem((5, 3, 3), True, rng, is_sparse=True)
    W, b = np.empty((3, 4)), np.zeros(3)
    for name, wrong in (("l2", 0.0), ("l2", np.nan), ("unit", -1.0), ("squared", True)):
        with pytest.raises(ValueError, match="do not go together"):
            _native.svm_ascend(SimpleNamespace(**{**vars(how), name: wrong}), 1, 0, a, W, b)
    for shape in ((3, 3), (3, 8)):
        with pytest.raises(ValueError, match="need shape"):
            _native.svm_ascend(how, 1, 0, a, np.empty(shape), b)
    how.compressed.index[1] = 3
    with pytest.raises(ValueError, match="do not go together"):
        _native.svm_ascend(how, 1, 0, a, W, b)
    with pytest.raises(ValueError, match="do not go together"):
        _native.svm_lagrangian_of_scores(how, np.zeros((5, 3)), 1, a, 0.0, np.empty_like(a), False)
