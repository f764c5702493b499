"""The functions of arrays: what they return, and what they refuse."""

from __future__ import annotations

import re
import threading

import numpy as np
import pytest
import reference
from scipy.spatial.distance import cdist

import fastclf
from fastclf import _native

SCIPY_NAMES = {"l1": "cityblock", "l2": "euclidean", "cosine": "cosine"}


@pytest.fixture
def arrays(rng):
    return rng.normal(size=(13, 6)), rng.normal(size=(29, 6))


@pytest.fixture(autouse=True)
def _default_threads():
    yield
    fastclf.set_num_threads(None)


# --- knn and pairwise_distances ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", SCIPY_NAMES)
def test_pairwise_distances_agree_with_scipy(arrays, metric):
    distances = fastclf.pairwise_distances(*arrays, metric=metric)
    np.testing.assert_allclose(distances, cdist(*arrays, SCIPY_NAMES[metric]), rtol=1e-12)
    assert distances.dtype == np.float64
    assert distances.flags.c_contiguous


def test_the_reference_agrees_with_scipy(arrays):
    for metric, name in SCIPY_NAMES.items():
        np.testing.assert_allclose(reference.METRICS[metric](*arrays), cdist(*arrays, name), rtol=1e-12)


@pytest.mark.parametrize("metric", SCIPY_NAMES)
@pytest.mark.parametrize("k", [1, 4, 29])
def test_knn_gives_the_first_of_the_sorted_distances(arrays, metric, k):
    distances, indices = fastclf.knn(*arrays, k, metric=metric)
    expected_distances, expected_indices = reference.exact_knn(metric, *arrays, k)
    assert indices.tolist() == expected_indices.tolist()
    assert distances.tobytes() == expected_distances.tobytes()
    assert (distances.dtype, indices.dtype) == (np.float64, np.int64)


def test_the_default_metric_is_l2(arrays):
    expected = fastclf.pairwise_distances(*arrays, metric="l2")
    assert fastclf.pairwise_distances(*arrays).tobytes() == expected.tobytes()
    assert fastclf.knn(*arrays, 3)[0].tobytes() == fastclf.knn(*arrays, 3, metric="l2")[0].tobytes()


@pytest.mark.parametrize(("name", "same"), [("manhattan", "l1"), ("cityblock", "l1"), ("euclidean", "l2")])
def test_scikit_learns_names_of_metrics(arrays, name, same):
    assert fastclf.knn(*arrays, 3, metric=name)[0].tobytes() == fastclf.knn(*arrays, 3, metric=same)[0].tobytes()


def test_lists_and_any_integral_k_are_taken():
    distances, indices = fastclf.knn([[0, 0]], [[3, 4], [1, 0]], np.int8(2))
    assert distances.tolist() == [[1.0, 5.0]]
    assert indices.tolist() == [[1, 0]]


def test_no_queries_give_an_empty_answer(arrays):
    _, X = arrays
    distances, indices = fastclf.knn(np.empty((0, 6)), X, 4)
    assert (distances.shape, indices.shape) == ((0, 4), (0, 4))
    assert (distances.dtype, indices.dtype) == (np.float64, np.int64)
    assert fastclf.pairwise_distances(np.empty((0, 6)), X).shape == (0, 29)
    assert fastclf.pairwise_distances(X, np.empty((0, 6))).shape == (29, 0)


def test_inputs_are_not_changed(arrays):
    before = [a.tobytes() for a in arrays]
    fastclf.knn(*arrays, 3)
    fastclf.pairwise_distances(*arrays)
    assert [a.tobytes() for a in arrays] == before


def test_out_receives_the_distances(arrays):
    out = np.full((13, 29), np.nan)
    assert fastclf.pairwise_distances(*arrays, out=out) is out
    assert out.tobytes() == fastclf.pairwise_distances(*arrays).tobytes()


def _read_only():
    a = np.empty((13, 29))
    a.flags.writeable = False
    return a


BAD_OUTS = {
    "a list": (lambda: [[0.0] * 29] * 13, TypeError, "out must be an array, got list"),
    "float32": (lambda: np.empty((13, 29), np.float32), ValueError, "out must be float64 .* got float32"),
    "byte-swapped": (lambda: np.empty((13, 29), np.dtype(">f8")), ValueError, "out must be float64"),
    "wrong shape": (lambda: np.empty((29, 13)), ValueError, r"out must be .* shape \(13, 29\), got .* \(29, 13\)"),
    "F order": (lambda: np.empty((13, 29), order="F"), ValueError, "out must be C-contiguous"),
    "strided": (lambda: np.empty((13, 58))[:, ::2], ValueError, "out must be C-contiguous"),
    "read-only": (_read_only, ValueError, "out must be .*writeable"),
    "misaligned": (
        lambda: np.frombuffer(bytearray(13 * 29 * 8 + 1), np.uint8)[1:].view(np.float64).reshape(13, 29),
        ValueError,
        "out must be .*aligned",
    ),
}


@pytest.mark.parametrize("case", BAD_OUTS)
def test_out_that_cannot_be_written_to_is_refused(arrays, case):
    make, error, message = BAD_OUTS[case]
    with pytest.raises(error, match=message):
        fastclf.pairwise_distances(*arrays, out=make())


def test_out_that_overlaps_an_input_is_refused(rng):
    X = rng.normal(size=(5, 5))
    with pytest.raises(ValueError, match="out overlaps an input"):
        fastclf.pairwise_distances(X, X, out=X)


# --- majority_vote ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 2, 5, 12])
@pytest.mark.parametrize("n_classes", [1, 2, 3, 1000])
def test_majority_vote_agrees_with_the_reference(rng, k, n_classes):
    labels = rng.integers(0, min(n_classes, 4), (200, k))
    winners = fastclf.majority_vote(labels, n_classes)
    assert winners.dtype == np.int64
    assert winners.tolist() == reference.vote(labels).tolist()
    weights = rng.integers(0, 3, labels.shape) / 4
    winners = fastclf.majority_vote(labels, n_classes, weights=weights)
    assert winners.tolist() == reference.vote(labels, weights).tolist()


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "uint32", "int64", "uint64", ">i4"])
def test_labels_of_any_integer_type_and_layout(rng, dtype):
    labels = rng.integers(0, 3, (40, 10)).astype(dtype)[::-2, ::3]
    assert fastclf.majority_vote(labels, 3).tolist() == reference.vote(labels).tolist()


def test_smallest_class_wins_a_tie():
    assert fastclf.majority_vote([[2, 1, 1, 2], [3, 0, 3, 0]], 4).tolist() == [1, 0]
    assert fastclf.majority_vote([[2, 1]], 3, weights=[[0.0, 0.0]]).tolist() == [1]


def test_no_rows_have_no_winners():
    assert fastclf.majority_vote(np.empty((0, 3), int), 2).shape == (0,)


INT64_MIN = -(2**63)
BAD_VOTES = {
    "label too large": (([[0, 1], [2, 3]], 3), {}, ValueError, r"labels\[1, 1\] = 3 is outside \[0, 3\)"),
    "label negative": (([[0, -1]], 3), {}, ValueError, r"labels\[0, 1\] = -1 is outside"),
    "label INT64_MIN": (([[0, INT64_MIN]], 3), {}, ValueError, rf"labels\[0, 1\] = {INT64_MIN} is outside"),
    "label 2**63": ((np.array([[2**63]], np.uint64), 3), {}, ValueError, r"labels\[0, 0\] = 9223372036854775808"),
    "label 2**63 in other bytes": (
        (np.array([[2**63]], ">u8"), 3),
        {},
        ValueError,
        r"labels\[0, 0\] = 9223372036854775808",
    ),
    "label 1.5": (([[1.5]], 3), {}, TypeError, "labels must be integers, got dtype float64"),
    "label text": (([["a"]], 3), {}, TypeError, "labels must be integers"),
    "masked labels": ((np.ma.array([[1, 2]], mask=[[0, 1]]), 3), {}, TypeError, "labels has masked entries"),
    "masked record": (
        (np.ma.array([(1, 2)], mask=[(0, 1)], dtype=[("a", int), ("b", int)]), 3),
        {},
        TypeError,
        "labels has masked entries",
    ),
    "one-dimensional": (([0, 1], 3), {}, ValueError, r"labels must have shape \(rows, k\).* got shape \(2,\)"),
    "no columns": ((np.empty((2, 0), int), 3), {}, ValueError, r"labels must have shape .* got shape \(2, 0\)"),
    "no classes": (([[0]], 0), {}, ValueError, "n_classes must be from 1 to 2147483647, got 0"),
    "negative classes": (([[0]], -1), {}, ValueError, "n_classes must be from 1 to 2147483647, got -1"),
    "n_classes 2.0": (([[0]], 2.0), {}, TypeError, "n_classes must be an int, got 2.0"),
    "n_classes True": (([[0]], True), {}, TypeError, "n_classes must be an int, got True"),
    "n_classes 2**70": (([[0]], 2**70), {}, ValueError, "n_classes"),
    "weights shape": (
        ([[0, 1]], 2),
        {"weights": [0.5, 0.5]},
        ValueError,
        r"weights must have shape \(1, 2\), got \(2,\)",
    ),
    "weight NaN": (([[0, 1]], 2), {"weights": [[1, np.nan]]}, ValueError, r"weights\[0, 1\] = nan: .* finite"),
    "weight inf": (([[0, 1]], 2), {"weights": [[1, np.inf]]}, ValueError, r"weights\[0, 1\] = inf: .* finite"),
    "weight negative": (([[0, 1]], 2), {"weights": [[-1, 1]]}, ValueError, r"weights\[0, 0\] = -1.0: .* not negative"),
    "weight text": (([[0, 1]], 2), {"weights": [["a", "b"]]}, TypeError, "weights must be numbers"),
    "masked weights": (([[0]], 2), {"weights": np.ma.array([[1.0]], mask=True)}, TypeError, "weights has masked"),
}


@pytest.mark.parametrize("case", BAD_VOTES)
def test_bad_votes_are_refused(case):
    args, kwargs, error, message = BAD_VOTES[case]
    with pytest.raises(error, match=message):
        fastclf.majority_vote(*args, **kwargs)


def test_votes_of_misaligned_labels():
    labels = np.zeros(1 + 2 * 3 * 8, np.uint8)[1:].view(np.int64).reshape(2, 3)
    labels[:] = [[2, 0, 2], [1, 0, 2]]
    assert not labels.flags.aligned
    np.testing.assert_array_equal(fastclf.majority_vote(labels, 3), [2, 0])


# --- threads and settings ---------------------------------------------------------------------------------------------


def current_threads():
    return fastclf.show_config("dicts")["n_threads"]


def test_set_num_threads_and_back():
    default = current_threads()
    fastclf.set_num_threads(default + 2)
    assert current_threads() == default + 2
    fastclf.set_num_threads(None)
    assert current_threads() == default


def test_threads_nest_and_end_with_the_block():
    fastclf.set_num_threads(4)
    with fastclf.threads(3):
        assert current_threads() == 3
        with fastclf.threads(1):
            assert current_threads() == 1
        assert current_threads() == 3
        fastclf.set_num_threads(5)
        assert current_threads() == 3
    assert current_threads() == 5
    with pytest.raises(KeyError), fastclf.threads(2):
        raise KeyError
    assert current_threads() == 5


def test_threads_concern_one_python_thread():
    seen = []
    with fastclf.threads(current_threads() + 3):
        other = threading.Thread(target=lambda: seen.append(current_threads()))
        other.start()
        other.join()
        assert seen == [current_threads() - 3]


BAD_THREADS = {0: ValueError, -2: ValueError, 1.5: TypeError, "2": TypeError, True: TypeError}


@pytest.mark.parametrize(("value", "error"), BAD_THREADS.items(), ids=repr)
def test_bad_thread_counts_name_argument_and_value(arrays, value, error):
    problem = "must be at least 1, got" if error is ValueError else "must be an int, got"
    for name, call in {
        "n_threads": lambda: fastclf.knn(*arrays, 1, n_threads=value),
        "n_threads ": lambda: fastclf.pairwise_distances(*arrays, n_threads=value),
        "n": lambda: fastclf.set_num_threads(value),
        "n ": lambda: fastclf.threads(value).__enter__(),
    }.items():
        with pytest.raises(error, match=f"^{name.strip()} {problem} {re.escape(repr(value))}"):
            call()


def test_any_number_of_threads_is_taken(arrays):
    expected = fastclf.knn(*arrays, 2, n_threads=1)[0].tobytes()
    for n in (10**6, 2**40, 2**100):
        assert fastclf.knn(*arrays, 2, n_threads=n)[0].tobytes() == expected


def test_show_config_tells_what_is_in_use(capsys, isa):
    settings = fastclf.show_config("dicts")
    assert settings["isa"] == isa
    assert settings["isas"] == _native.isas()
    assert settings["version"] == fastclf.__version__
    assert settings["n_threads"] >= 1
    assert fastclf.show_config() is None
    printed = capsys.readouterr().out
    assert all(name in printed and str(value) in printed for name, value in settings.items())
    with pytest.raises(ValueError, match="mode must be 'stdout' or 'dicts', got 'json'"):
        fastclf.show_config("json")


def test_unknown_names_of_the_package_are_attribute_errors():
    assert set(fastclf.__all__) <= set(dir(fastclf))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        fastclf.nothing  # noqa: B018


def test_labels_that_another_thread_changes(monkeypatch):
    labels = np.array([[0, 1, 1]])

    def changed(*args):
        labels[0, 0] = 1 << 40
        try:
            vote(*args)
        finally:
            labels[0, 0] = 0

    vote = _native.vote
    monkeypatch.setattr(_native, "vote", changed)
    with pytest.raises(ValueError, match=r"^labels changed during the call: one was outside \[0, 3\)"):
        fastclf.majority_vote(labels, 3)
