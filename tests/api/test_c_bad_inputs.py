"""What the public C interface refuses: by number, with nothing written, and never by a crash."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest
from c_functions import FUNCTIONS, NUMBERS, call

HUGE = 2**62
UNKNOWN = (-1, 1000, 2**31 - 1, -(2**31))
F32, F64, U8 = NUMBERS["f32"], NUMBERS["f64"], NUMBERS["u8"]


def misaligned(a):
    """A copy of an array that begins one byte off."""
    room = np.empty(a.nbytes + 1, np.uint8)
    room[1:] = np.frombuffer(a.tobytes(), np.uint8)
    return room.ctypes.data + 1, room


def spoilt(a, value, place=-1):
    a = a.copy()
    a.ravel()[place] = value
    return a


X, Q = np.arange(12, dtype=np.float32).reshape(6, 2), np.ones((3, 2), np.float32)
OFF, KEEP_OFF = misaligned(X)
Z, W, B = np.arange(12.0).reshape(4, 3), np.ones((3, 2)), np.zeros(3)
LABELS = np.array([0, 1, 2, -1])
T = np.full((4, 3), 1 / 3)


def fresh(*shape, dtype=float):
    return np.full(shape, 77, dtype)


# Arguments by name; those named in `outputs` are written.
CALLS = {
    "knn": (
        {"metric": 0, "dtype": F32, "Q": Q, "n_queries": 3, "X": X, "n_rows": 6, "n_features": 2, "k": 2}
        | {"n_threads": 1, "distances": fresh(3, 2), "indices": fresh(3, 2, dtype=np.int64)}
    ),
    "pairwise_distances": (
        {"metric": 0, "dtype": F32, "Q": Q, "n_queries": 3, "X": X, "n_rows": 6, "n_features": 2, "n_threads": 1}
        | {"distances": fresh(3, 6)}
    ),
    "majority_vote": (
        {"labels": np.arange(6) % 3, "n_labels": 6, "indices": np.array([[0, 1], [5, 4]]), "n_rows": 2, "k": 2}
        | {"n_classes": 3, "weights": np.ones((2, 2)), "votes": fresh(2, 3), "winners": fresh(2, dtype=np.int64)}
    ),
    "index_create": (
        {"metric": 0, "dtype": F32, "X": X, "n_rows": 6, "n_features": 2, "flags": 0, "n_threads": 1}
        | {"index": fresh(1, dtype=np.int64)}
    ),
    "loss": (
        {"loss": NUMBERS["cross_entropy"], "dtype": F64, "scores": Z, "n_rows": 4, "n_classes": 3, "labels": LABELS}
        | {"targets": None, "row_weights": np.ones(4), "class_weights": np.ones(3), "margins": None, "parameter": 0.0}
        | {"flags": 0, "scale": 1.0, "n_threads": 1, "losses": fresh(4), "gradient": fresh(4, 3)}
        | {"bad_row": fresh(1, dtype=np.int64)}
    ),
    "linear_scores": (
        {"x_dtype": F64, "X": Z, "n_rows": 4, "n_features": 3, "dtype": F64, "W": np.ones((2, 3)), "b": np.ones(2)}
        | {"n_classes": 2, "n_threads": 1, "scores": fresh(4, 2)}
    ),
    "linear_loss": (
        {"x_dtype": F64, "X": Z[:, :2].copy(), "n_rows": 4, "n_features": 2, "dtype": F64, "W": W, "b": B}
        | {"n_classes": 3, "loss": NUMBERS["hinge"], "labels": LABELS, "targets": None, "row_weights": None}
        | {"class_weights": None, "margins": np.ones((3, 3)), "parameter": 1.0, "flags": 3, "scale": 1.0}
        | {"n_threads": 1, "total": fresh(1), "of_W": fresh(3, 2), "of_b": fresh(3)}
    ),
}
# Outputs are told by what they hold.
OUTPUTS = {
    name: [key for key, value in arguments.items() if isinstance(value, np.ndarray) and np.all(value == 77)]
    for name, arguments in CALLS.items()
}

NEAR = ("knn", "pairwise_distances", "index_create")
LINEAR = ("linear_scores", "linear_loss")
LOSSES = ("loss", "linear_loss")


def sizes():
    """Each size of each function, as something that no size can be."""
    for name, arguments in CALLS.items():
        for size in (key for key in arguments if key.startswith("n_") and key != "n_threads"):
            for value in (-1, -HUGE, HUGE, 2**63 - 1):
                yield name, {size: value}, "BAD_SIZE"
        for size in ("n_features", "n_classes"):
            if size in arguments:
                yield name, {size: 0}, "BAD_SIZE"


def missing():
    """Each array that has to be there."""
    optional = {"weights", "votes", "winners", "indices", "row_weights", "class_weights", "margins", "labels", "b"}
    optional |= {"losses", "gradient", "bad_row", "targets"}
    for name, arguments in CALLS.items():
        for key, value in arguments.items():
            needed = key not in optional or (name == "knn" and key == "indices") or key == "labels"
            if isinstance(value, np.ndarray) and needed:
                lost = "BAD_OPTION" if name in LOSSES and key == "labels" else "NULL_POINTER"
                yield name, {key: None}, lost


def shifted():
    """Each array of more than bytes, not aligned."""
    for name, arguments in CALLS.items():
        for key, value in arguments.items():
            if isinstance(value, np.ndarray):
                yield name, {key: OFF}, "MISALIGNED"


BAD = [
    *sizes(),
    *missing(),
    *shifted(),
    *((name, {"metric": value}, "BAD_METRIC") for name in NEAR for value in UNKNOWN),
    *((name, {"dtype": value}, "BAD_DTYPE") for name in CALLS if "dtype" in CALLS[name] for value in UNKNOWN),
    *((name, {"x_dtype": value}, "BAD_DTYPE") for name in LINEAR for value in UNKNOWN),
    *((name, {"loss": value}, "BAD_LOSS") for name in LOSSES for value in UNKNOWN),
    *((name, {"n_threads": -1}, "BAD_THREADS") for name in CALLS if "n_threads" in CALLS[name]),
    *((name, {"dtype": U8}, "BAD_DTYPE") for name in ("loss", *LINEAR)),
    *((name, {"dtype": F32}, "BAD_DTYPE") for name in LINEAR),  # narrower than X
    *(("knn", {"k": k}, "BAD_K") for k in (0, -1, 7, HUGE, -HUGE)),
    *(("majority_vote", {"k": k} | given, "BAD_K") for k in (0, -1, -HUGE) for given in ({}, {"indices": None})),
    ("majority_vote", {"k": HUGE}, "BAD_SIZE"),
    *((name, {"X": spoilt(X, v)}, "NOT_FINITE") for name in NEAR for v in (np.nan, np.inf, -np.inf)),
    *((name, {"Q": spoilt(Q, v)}, "NOT_FINITE") for name in NEAR[:2] for v in (np.nan, np.inf, -np.inf)),
    ("index_create", {"flags": 2}, "BAD_OPTION"),
    ("index_create", {"n_rows": 0}, "BAD_SIZE"),
    ("majority_vote", {"n_classes": 2**31}, "BAD_SIZE"),
    *(("majority_vote", {"indices": None, "n_labels": n}, "BAD_SIZE") for n in (0, 3, 5, 6)),
    # Refused before a row is read: there are 6 only.
    *((name, {"n_rows": 2**32}, "BAD_SIZE") for name in ("knn", "index_create")),
    ("linear_loss", {"n_rows": 0, "n_classes": 2**30}, "BAD_SIZE"),  # margins of 2^63 bytes
    *(("majority_vote", {"weights": spoilt(np.ones((2, 2)), v)}, "BAD_WEIGHT") for v in (-1, np.nan, np.inf)),
    ("majority_vote", {"weights": np.full((2, 2), 1e308)}, "BAD_WEIGHT"),
    *(("loss", {"row_weights": spoilt(np.ones(4), v)}, "BAD_WEIGHT") for v in (-1, np.nan, np.inf)),
    *(("loss", {"class_weights": spoilt(np.ones(3), v)}, "BAD_WEIGHT") for v in (-1, np.nan, np.inf)),
    *(("loss", {"parameter": v}, "BAD_OPTION") for v in (-0.1, 1.1, np.nan)),
    *((name, {"scale": v}, "BAD_OPTION") for name in LOSSES for v in (np.nan, np.inf)),
    ("loss", {"targets": T}, "BAD_OPTION"),  # beside labels
    ("loss", {"flags": 1}, "BAD_OPTION"),
    ("loss", {"margins": np.ones((3, 3))}, "BAD_OPTION"),
    ("loss", {"loss": NUMBERS["kl_div"]}, "BAD_OPTION"),
    ("loss", {"loss": NUMBERS["softmax"]}, "BAD_OPTION"),
    ("loss", {"loss": NUMBERS["mse"]}, "BAD_OPTION"),  # takes no class weights
    *(("linear_loss", {"flags": v}, "BAD_OPTION") for v in (4, -1, 2**31 - 1)),
    ("linear_loss", {"margins": spoilt(np.ones((3, 3)), np.nan)}, "BAD_OPTION"),
    ("linear_loss", {"loss": NUMBERS["mse"]}, "BAD_OPTION"),
]
# Refused when some may have been written.
LATE = [
    *(("majority_vote", {"labels": spoilt(np.arange(6) % 3, v)}, "BAD_LABEL") for v in (-1, 3, HUGE)),
    *(("majority_vote", {"indices": np.array([[0, 1], [v, 2]])}, "BAD_LABEL") for v in (-1, 6, HUGE, -HUGE)),
    *((name, {"labels": spoilt(LABELS, v)}, "BAD_LABEL") for name in LOSSES for v in (-2, 3, HUGE, -HUGE)),
    *(("loss", {"scores": spoilt(Z, v, 0)}, "BAD_ROW") for v in (np.nan, np.inf)),
    *(("linear_loss", {"X": spoilt(np.ones((4, 2)), v, 0)}, "BAD_ROW") for v in (np.nan, np.inf)),
    ("loss", {"labels": None, "targets": spoilt(T, 2)}, "BAD_ROW"),
    ("loss", {"labels": None, "targets": spoilt(T, np.nan)}, "BAD_ROW"),
]


def attempt(name, changes):
    """Status of a call with some arguments changed, and its outputs."""
    arguments = CALLS[name] | {key: CALLS[name][key].copy() for key in OUTPUTS[name]} | changes
    return call(name, *arguments.values()), [arguments[key] for key in OUTPUTS[name] if key not in changes]


@pytest.mark.parametrize("name", CALLS)
def test_the_arguments_that_are_changed_below_are_good(name):
    status, outputs = attempt(name, {})
    assert status == 0
    assert all((out != 77).any() for out in outputs)
    if name == "index_create":
        FUNCTIONS["index_free"](ctypes.c_void_p(int(outputs[0][0])))


@pytest.mark.parametrize(("name", "changes", "error"), BAD)
def test_bad_arguments_are_refused_and_nothing_is_written(name, changes, error):
    status, outputs = attempt(name, changes)
    assert call("error_string", status) == call("error_string", NUMBERS[error])
    assert all((out == (0 if name == "index_create" else 77)).all() for out in outputs)


def test_votes_of_as_many_labels_as_neighbours_are_counted():
    status, (votes, winners) = attempt("majority_vote", {"indices": None, "n_labels": 4})
    assert status == 0
    np.testing.assert_array_equal(votes, [[1, 1, 0], [1, 0, 1]])
    np.testing.assert_array_equal(winners, [0, 0])


@pytest.mark.parametrize("loss", ["cross_entropy", "hinge"])
def test_classes_are_limited_by_margins_only_where_there_are_margins(loss):
    """For 2^30 classes margins would take 2^63 bytes; the scratch takes 40 GiB, which not all machines have."""
    given = {"loss": NUMBERS[loss], "n_rows": 0, "n_classes": 2**30, "class_weights": None}
    assert attempt("loss", given)[0] in (NUMBERS["OK"], NUMBERS["NO_MEMORY"])
    given |= {"loss": NUMBERS["hinge"], "margins": np.ones((3, 3))}
    assert attempt("loss", given)[0] == NUMBERS["BAD_SIZE"]


@pytest.mark.parametrize(("name", "changes", "error"), LATE)
def test_bad_values_are_refused(name, changes, error):
    assert attempt(name, changes)[0] == NUMBERS[error]


def search(index, **changes):
    arguments = {"dtype": F32, "Q": Q, "n_queries": 3, "k": 2, "n_threads": 1}
    arguments |= {"distances": fresh(3, 2), "indices": fresh(3, 2, dtype=np.int64)} | changes
    outputs = [arguments[key] for key in ("distances", "indices") if key not in changes]
    status = call("index_search", index, *arguments.values())
    assert status == 0 or all((out == 77).all() for out in outputs)
    return status


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        *(({"dtype": value}, "BAD_DTYPE") for value in UNKNOWN),
        *(({"k": k}, "BAD_K") for k in (0, -1, 7, HUGE, -HUGE)),
        *(({"n_queries": n}, "BAD_SIZE") for n in (-1, HUGE)),
        *(({"Q": spoilt(Q, v)}, "NOT_FINITE") for v in (np.nan, np.inf)),
        *(({key: None}, "NULL_POINTER") for key in ("Q", "distances", "indices")),
        *(({key: OFF}, "MISALIGNED") for key in ("Q", "distances", "indices")),
        ({"n_threads": -1}, "BAD_THREADS"),
    ],
)
def test_bad_searches_of_an_index_are_refused(changes, error):
    index = ctypes.c_void_p()
    assert call("index_create", 0, F32, X, 6, 2, 0, 1, ctypes.addressof(index)) == 0
    assert search(index) == 0
    assert search(index, **changes) == NUMBERS[error]
    FUNCTIONS["index_free"](index)


def test_no_index_is_none():
    assert search(None) == NUMBERS["NULL_POINTER"]
    FUNCTIONS["index_free"](None)


@pytest.mark.parametrize("name", ["knn", "pairwise_distances", "loss", "linear_scores", "linear_loss"])
def test_no_rows_are_fine(name):
    rows = "n_queries" if name in NEAR else "n_rows"
    status, outputs = attempt(name, {rows: 0})
    assert status == 0
    if rows == "n_queries":
        assert all((out == 77).all() for out in outputs)
