"""What bad input gets: an error that names the argument and says what is wrong, and a model left as it was."""

from __future__ import annotations

import re

import numpy as np
import pytest
import scipy.sparse
from odd_arrays import NOT_NUMBERS, LiesAboutItsShape, RaisesWhenRead, nullable

import fastclf
from fastclf import KNN, LinearClassifier
from fastclf.neighbors.backends import exact
from fastclf.neighbors.backends.registry import BACKENDS

GOOD = np.array([[0.0, 1.0, 2.0], [5.0, 3.0, 1.0], [9.0, 9.0, 0.0]])
LABELS = [0, 1, 0]
SKLEARN_TEXT = "not compatible with arrays of bytes/strings"


# Arrays that every entry point refuses: what, the functions' error and message after the argument's name, the model's.
BAD_ARRAYS = {
    "0-d": (np.float64(1), ValueError, "Expected 2D array for {}, got 0D", ValueError, "Expected 2D array, got scalar"),
    "1-d": (GOOD[0], ValueError, r"Expected 2D array for {}, got 1D.*\(3,\)", ValueError, "Expected 2D array, got 1D"),
    "3-d": (np.zeros((3, 3, 3)), ValueError, r"Expected 2D array for {}, got 3D", ValueError, "array with dim 3"),
    "no features": (GOOD[:, :0], ValueError, r"0 feature\(s\).* required for {}", ValueError, r"0 feature\(s\)"),
    "ragged": ([[1, 2, 3], [4, 5]], ValueError, "{}.*inhomogeneous", ValueError, "inhomogeneous"),
    "empty list": ([], ValueError, "Expected 2D array for {}, got 1D", ValueError, "Expected 2D array, got 1D"),
    "None": (None, ValueError, "{} is None; an array is required", ValueError, "X is None; an array is required"),
    "a string": ("abc", ValueError, "Expected 2D array for {}, got 0D", ValueError, "Expected 2D array"),
    "a dict": ({"a": [1]}, ValueError, "Expected 2D array for {}, got 0D", ValueError, "Expected 2D array"),
    "a generator": ((row for row in GOOD), ValueError, "Expected 2D array for {}, got 0D", ValueError, "Expected 2D"),
    "objects with None": (
        np.where(GOOD > 8, None, GOOD),
        ValueError,
        f"{{}} {NOT_NUMBERS}",
        ValueError,
        "X contains NaN",
    ),
    "strings": (GOOD.astype(str), ValueError, f"{{}} {NOT_NUMBERS}", ValueError, SKLEARN_TEXT),
    "bytes": (GOOD.astype("S"), ValueError, f"{{}} {NOT_NUMBERS}", ValueError, SKLEARN_TEXT),
    "StringDType": (GOOD.astype(str).astype("T"), ValueError, f"{{}} {NOT_NUMBERS}", TypeError, "StringDType"),
    "complex64": (
        (GOOD + 1j).astype("c8"),
        ValueError,
        f"{{}} {NOT_NUMBERS}",
        ValueError,
        "Complex data not supported",
    ),
    "complex": (GOOD + 1j, ValueError, f"{{}} {NOT_NUMBERS}", ValueError, "Complex data not supported"),
    "records": (np.zeros((3, 3), "f4,f4"), ValueError, f"{{}} {NOT_NUMBERS}", ValueError, SKLEARN_TEXT),
    "dates": (GOOD.astype("M8[D]"), ValueError, f"{{}} {NOT_NUMBERS}", ValueError, f"X {NOT_NUMBERS}"),
    "time spans": (GOOD.astype("m8[s]"), ValueError, f"{{}} {NOT_NUMBERS}", ValueError, f"X {NOT_NUMBERS}"),
    "masked": (np.ma.masked_less(GOOD, 2), TypeError, "{} has masked entries", TypeError, "X has masked entries"),
    "csr": (scipy.sparse.csr_array(GOOD), TypeError, "Sparse data was passed for {}", TypeError, "Sparse .* for X"),
    "coo": (scipy.sparse.coo_matrix(GOOD), TypeError, "Sparse data was passed for {}", TypeError, "Sparse .* for X"),
    "pandas NA": (nullable(), ValueError, f"{{}} {NOT_NUMBERS}", ValueError, "X contains NaN"),
    "a lie": (LiesAboutItsShape(), ValueError, "Expected 2D array for {}, got 1D", ValueError, "Expected 2D array"),
    "raises": (RaisesWhenRead(), RuntimeError, "not to be read", RuntimeError, "not to be read"),
}


def bad_value(dtype, at, value):
    a = GOOD.astype(dtype)
    a[at] = value
    return a


for dtype in ("float16", "float32", ">f4", "float64", "longdouble"):
    for value, at, what in ((np.nan, (2, 0), "NaN"), (np.inf, (1, 2), "infinity"), (-np.inf, (1, 2), "infinity")):
        message = rf"Input {{}} contains {what}.* \(first in row {at[0]}\)"
        BAD_ARRAYS[f"{dtype} {value}"] = (
            bad_value(dtype, at, value),
            ValueError,
            message,
            ValueError,
            f"X contains {what}",
        )


@pytest.fixture(params=["unfitted", "fitted"])
def model(request):
    return KNN(1) if request.param == "unfitted" else KNN(1).fit(GOOD, LABELS)


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_functions_name_the_bad_array(case):
    bad, error, message, *_ = BAD_ARRAYS[case]
    for function in (fastclf.pairwise_distances, lambda Q, X: fastclf.knn(Q, X, 1)):
        for name, args in {"Q": (bad, GOOD), "X": (GOOD, bad)}.items():
            with pytest.raises(error, match=message.format(name)):
                function(*args)


@pytest.mark.filterwarnings("ignore:X has feature names")  # one of the arrays is a frame
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_fitting_a_bad_array_leaves_the_model_as_it_was(model, state, method, case):
    bad, _, _, error, message = BAD_ARRAYS[case]
    before = state(model)
    with pytest.raises(error, match=message):
        getattr(model, method)(bad, LABELS)
    assert state(model) == before


@pytest.mark.filterwarnings("ignore:X has feature names")  # one of the arrays is a frame
@pytest.mark.parametrize("method", ["predict", "predict_proba", "kneighbors", "kneighbors_graph"])
@pytest.mark.parametrize("case", [case for case in BAD_ARRAYS if case != "None"])  # None asks for the fitted rows
def test_queries_that_are_bad_arrays(state, method, case):
    bad, _, _, error, message = BAD_ARRAYS[case]
    model = KNN(1).fit(GOOD, LABELS)
    before = state(model)
    with pytest.raises(error, match=message):
        getattr(model, method)(bad)
    assert state(model) == before


def test_nan_and_infinity_are_found_everywhere():
    for value, dtype in ((np.nan, "float32"), (np.inf, "float64")):
        for at in range(0, 7000, 97):
            X = np.zeros((700, 10), dtype)
            X.ravel()[at] = value
            with pytest.raises(ValueError, match=rf"^Input X contains .* \(first in row {at // 10}\)"):
                fastclf.knn(X[:0], X, 1)


# X, y that do not go together, and labels that are none: error and message.
UNSORTABLE = "Unknown label type|not supported between|not valid|mix"
BAD_TARGETS = {
    "no rows": (GOOD[:0], [], ValueError, r"0 sample\(s\)"),
    "too few labels": (GOOD, [0, 1], ValueError, r"inconsistent numbers of samples: \[3, 2\]"),
    "no labels": (GOOD, None, ValueError, "requires y to be passed"),
    "one label": (GOOD, 1, TypeError, "at least 1 dimension"),
    "two columns": (GOOD, np.eye(3)[:, :2], ValueError, "y should be a 1d array"),
    "fractions": (GOOD, [0.5, 1.5, 2.0], ValueError, "Unknown label type: continuous"),
    "NaN": (GOOD, [0.0, np.nan, 1.0], ValueError, "y contains NaN"),
    "infinity": (GOOD, [0.0, np.inf, 1.0], ValueError, "y contains infinity"),
    "None in strings": (GOOD, np.array(["a", None, "b"], object), (TypeError, ValueError), UNSORTABLE),
    "mixed objects": (GOOD, np.array(["a", 1, 2.5], object), (TypeError, ValueError), UNSORTABLE),
    "objects of no order": (GOOD, np.array([{}, [], ()], object), (TypeError, ValueError), UNSORTABLE),
    "masked": (GOOD, np.ma.masked_equal([0, 1, 2], 1), TypeError, "y has masked entries"),
    "sparse": (GOOD, scipy.sparse.csr_array(np.eye(3)), (TypeError, ValueError), "[Ss]parse|y should be"),
}


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize("case", BAD_TARGETS)
def test_bad_labels_leave_the_model_as_it_was(model, state, method, case):
    X, y, error, message = BAD_TARGETS[case]
    before = state(model)
    with pytest.raises(error, match=message):
        getattr(model, method)(X, y)
    assert state(model) == before


@pytest.mark.parametrize("columns", [1, 2, 4])
def test_widths_must_agree(state, columns):
    narrow, model = np.zeros((2, columns)), KNN(1).fit(GOOD, LABELS)
    before = state(model)
    for function in (fastclf.pairwise_distances, lambda Q, X: fastclf.knn(Q, X, 1)):
        with pytest.raises(ValueError, match=f"Q has {columns} features, but X has 3"):
            function(narrow, GOOD)
    for call in (model.predict, model.kneighbors, lambda X: model.partial_fit(X, [0, 1])):
        with pytest.raises(ValueError, match=f"X has {columns} features, but KNN is expecting 3"):
            call(narrow)
    assert state(model) == before


# Values of k: error and message.
BAD_K = [
    (0, ValueError, "Expected k >= 1, got k = 0"),
    (-1, ValueError, "Expected k >= 1, got k = -1"),
    (np.int64(-(2**63)), ValueError, f"Expected k >= 1, got k = -{2**63}"),
    (True, TypeError, "k must be an int, got True of type bool"),
    (np.True_, TypeError, r"k must be an int, got np\.True_"),
    (1.0, TypeError, r"k must be an int, got 1\.0 of type float"),
    (np.float32(2), TypeError, "k must be an int, got .* of type float32"),
    ("3", TypeError, "k must be an int, got '3' of type str"),
    (None, TypeError, "k must be an int, got None"),
    ([1], TypeError, r"k must be an int, got \[1\]"),
]


@pytest.mark.parametrize(("k", "error", "message"), BAD_K, ids=repr)
def test_bad_k(model, state, k, error, message):
    with pytest.raises(error, match=message):
        fastclf.knn(GOOD, GOOD, k)
    model.set_params(k=k)
    before = state(model)
    with pytest.raises(error, match=message):
        model.fit(GOOD, LABELS)
    assert state(model) == before
    model = KNN(1).fit(GOOD, LABELS)
    for call in (model.kneighbors, model.kneighbors_graph):
        if k is not None:  # the model's own
            with pytest.raises(error, match=message):
                call(GOOD, k)
    model.k = k
    with pytest.raises(error, match=message):
        model.predict(GOOD)


@pytest.mark.parametrize("k", [4, 2**40, 2**63, 2**70])
def test_k_beyond_the_number_of_rows(k):
    with pytest.raises(ValueError, match=f"Expected k <= n_samples, but k = {k}, n_samples = 3"):
        fastclf.knn(GOOD, GOOD, k)
    model = KNN(k if k < 2**63 else 4).fit(GOOD, LABELS)
    for call in (model.predict, model.predict_proba, model.kneighbors):
        with pytest.raises(ValueError, match=f"Expected k <= n_samples_fit, but k = {model.k}, n_samples_fit = 3"):
            call(GOOD)
    with pytest.raises(ValueError, match=f"Expected k <= n_samples_fit, but k = {k}"):
        model.kneighbors(GOOD, k)
    with pytest.raises(ValueError, match="Expected k <= n_samples_fit - 1, but k = 3, n_samples_fit - 1 = 2"):
        model.kneighbors(k=3)


def test_a_single_row_has_no_neighbours():
    with pytest.raises(ValueError, match="Expected k <= n_samples_fit - 1, but k = 1, n_samples_fit - 1 = 0"):
        KNN(1).fit(GOOD[:1], [0]).kneighbors()


BAD_PARAMETERS = [
    ("metric", "l3", ValueError),
    ("metric", "minkowski", ValueError),
    ("metric", "", ValueError),
    ("metric", 2, ValueError),
    ("metric", None, ValueError),
    ("metric", ["l2"], ValueError),
    ("weights", "heavy", ValueError),
    ("weights", None, ValueError),
    ("weights", [1.0], ValueError),
    ("backend", "gpu", ValueError),
    ("backend", None, ValueError),
    ("n_threads", 0, ValueError),
    ("n_threads", -2, ValueError),
    ("n_threads", 1.5, TypeError),
    ("n_threads", "all", TypeError),
]
KNOWN = {"metric": ("l1", "l2", "cosine"), "weights": ("uniform", "distance"), "backend": ("auto", "exact")}


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
@pytest.mark.parametrize(("name", "value", "error"), BAD_PARAMETERS, ids=repr)
def test_bad_parameters(model, state, method, name, value, error):
    model.set_params(**{name: value})
    before = state(model)
    with pytest.raises(error, match=rf"^{name} must be .*got {re.escape(repr(value))}") as raised:
        getattr(model, method)(GOOD, LABELS)
    assert all(known in str(raised.value) for known in KNOWN.get(name, ()))
    assert state(model) == before


@pytest.mark.parametrize("metric", [value for name, value, _ in BAD_PARAMETERS if name == "metric"], ids=repr)
def test_unknown_metrics_of_the_functions(metric):
    for call in (fastclf.pairwise_distances, lambda Q, X, metric: fastclf.knn(Q, X, 1, metric=metric)):
        with pytest.raises(
            ValueError, match=rf"^metric must be one of \[.*'cosine'.*\], got {re.escape(repr(metric))}"
        ):
            call(GOOD, GOOD, metric=metric)


def test_unknown_modes_of_the_graph():
    with pytest.raises(ValueError, match=r"mode must be one of .*, got 'adjacency'"):
        KNN(1).fit(GOOD, LABELS).kneighbors_graph(mode="adjacency")


# What a weights function may return for one query with two neighbours: error and message.
BAD_WEIGHTS = [
    (lambda d: d[:, :1], ValueError, r"weights must have shape \(1, 2\), got \(1, 1\)"),
    (lambda _: 1.0, ValueError, r"weights must have shape \(1, 2\), got \(\)"),
    (lambda d: -d, ValueError, r"weights\[0, 1\] = -1.*not negative"),
    (lambda d: np.full(d.shape, np.nan), ValueError, r"weights\[0, 0\] = nan"),
    (lambda d: np.full(d.shape, np.inf), ValueError, r"weights\[0, 0\] = inf"),
    (lambda d: np.full(d.shape, "heavy"), TypeError, "weights must be numbers"),
    (lambda _: None, ValueError, "weights is None; an array is required"),
]


@pytest.mark.parametrize(("weights", "error", "message"), BAD_WEIGHTS)
def test_what_a_weights_function_returns_is_checked(weights, error, message):
    model = KNN(2, metric="l1", weights=weights).fit(np.array([[0.0], [1.0]]), [0, 1])
    for method in (model.predict, model.predict_proba):
        with pytest.raises(error, match=message):
            method([[0.0]])


@pytest.mark.parametrize("classes", [["a"], [[0, 1]], 3, [None, 1], [np.nan]], ids=repr)
def test_classes_that_do_not_fit_the_labels(model, state, classes):
    before = state(model)
    with pytest.raises((TypeError, ValueError)):
        model.partial_fit(GOOD, LABELS, classes=classes)
    assert state(model) == before


# Parameters of backends, the error and its message.
BAD_BACKENDS = [
    ({"backend": "annoy"}, ValueError, re.escape(f"backend must be one of {sorted({'auto', *BACKENDS})}, got 'annoy'")),
    ({"backend": None}, ValueError, "backend must be one of .*, got None"),
    (
        {"recall": 0.9, "backend": "exact"},
        ValueError,
        "recall=0.9 is for backend='faiss' or 'auto', got backend='exact'",
    ),
    ({"recall": 0.9, "backend": "exact"}, ValueError, "recall=0.9 is for"),
    ({"recall": 0}, ValueError, r"recall must be in \(0, 1\], got 0"),
    ({"recall": 1.5}, ValueError, r"recall must be in \(0, 1\], got 1.5"),
    ({"recall": float("nan")}, ValueError, r"recall must be in \(0, 1\], got nan"),
    ({"recall": "high"}, TypeError, "recall must be a number, got 'high'"),
    ({"recall": True}, TypeError, "recall must be a number, got True"),
    ({"index": "Flat"}, ValueError, "index='Flat' is for backend='faiss', got backend='auto'"),
    ({"index": 7, "backend": "faiss"}, TypeError, "index must be a FAISS factory string or None, got 7"),
    ({"verbose": -1}, ValueError, "verbose must be at least 0, got -1"),
    ({"verbose": "yes"}, TypeError, "verbose must be an int, got 'yes'"),
]


@pytest.mark.parametrize(("parameters", "error", "message"), BAD_BACKENDS)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_parameters_of_backends(state, method, parameters, error, message):
    model = KNN(1).fit(GOOD, LABELS)
    model.set_params(**parameters)
    before = state(model)
    with pytest.raises(error, match=message):
        getattr(model, method)(GOOD, LABELS)
    assert state(model) == before


def no_memory(*_):
    raise MemoryError


@pytest.mark.parametrize(("method", "step", "columns"), [("fit", "__init__", 2), ("partial_fit", "extended", 3)])
def test_a_model_survives_a_lack_of_memory(state, monkeypatch, method, step, columns):
    model = KNN(1).fit(GOOD, LABELS)
    before = state(model)
    monkeypatch.setattr(exact.Exact, step, no_memory)
    with pytest.raises(MemoryError):
        getattr(model, method)(GOOD[:, :columns], [7, 8, 9])
    assert state(model) == before
    assert model.predict(GOOD).tolist() == LABELS


def test_what_has_no_values_yet_is_refused():
    polars = pytest.importorskip("polars")
    plan = polars.DataFrame({"a": [0.0, 1.0]}).lazy()
    model = KNN(1).fit([[0.0], [1.0]], [0, 1])
    for name, call in {
        "X": lambda: KNN(1).fit(plan, [0, 1]),
        "y": lambda: KNN(1).fit([[0.0], [1.0]], plan),
        "Q": lambda: fastclf.knn(plan, [[0.0]], 1),
        "sample_weight": lambda: model.score([[0.0], [1.0]], [0, 1], sample_weight=plan),
    }.items():
        with pytest.raises(TypeError, match=rf"^{name} is a LazyFrame, .* give {name}\.collect\(\) instead"):
            call()


def test_scores_need_labels_and_linear_ones_rows():
    X, y = [[0.0], [1.0]], [0, 1]
    for model in (KNN(1), LinearClassifier()):
        for rows in (X, None):
            with pytest.raises(ValueError, match=r"^y is None; an array is required"):
                model.fit(X, y).score(rows, None)
    with pytest.raises(ValueError, match=r"^X is None; an array is required"):
        LinearClassifier().fit(X, y).score(None, y)
