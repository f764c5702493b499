"""No number is changed on its way to the kernels: it is held exactly, or refused by name, value and place."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from names import each_float
from tables import FAR, TABLES, fractions

import fastclf
from fastclf import KNN, KNNCV, LinearClassifier, WindowClassifier, losses

each_table = pytest.mark.parametrize("name", TABLES)
SENTENCES, TAGS = [["a", "b"], ["b", "a"]], [["X", "Y"], ["Y", "X"]]


def refusal(argument):
    """Match what names the argument, the value and where it is."""
    return rf"(?s)^{argument} .*{FAR}.*(row 0, column 't'|at \[0, 0\])"


def l1(rows):
    """Distances of all pairs, exact and then rounded once."""
    return [[float(sum(abs(a - b) for a, b in zip(q, x, strict=True))) for x in rows] for q in rows]


@each_table
def test_functions_refuse_what_float64_does_not_hold(name):
    bad = TABLES[name]([FAR, 1])
    good = np.zeros(np.shape(bad))
    for function in (fastclf.pairwise_distances, lambda Q, X: fastclf.knn(Q, X, 1)):
        with pytest.raises(ValueError, match=refusal("Q")):
            function(bad, good)
        with pytest.raises(ValueError, match=refusal("X")):
            function(good, bad)


@each_table
@pytest.mark.filterwarnings("ignore:X has feature names")
@pytest.mark.filterwarnings("ignore:pandas.DataFrame with sparse columns")
def test_estimators_refuse_what_float64_does_not_hold(name, state):
    bad = TABLES[name]([FAR, 1])
    good = np.full(np.shape(bad), [[0.0], [9.0]])
    for model in (KNN(1), KNNCV([1], cv=[([0], [1])]), LinearClassifier()):
        before = state(model)
        with pytest.raises(ValueError, match=refusal("X")):
            model.fit(bad, [0, 1])
        assert state(model) == before
        with pytest.raises(ValueError, match=refusal("X")):
            model.fit(good, [0, 1]).predict(bad)
    for model in (KNN(1), LinearClassifier()):
        with pytest.raises(ValueError, match=refusal("X")):
            model.partial_fit(bad, [0, 1])


@each_table
def test_losses_refuse_what_float64_does_not_hold(name):
    bad = TABLES[name]([FAR, 1])
    good = np.zeros(np.shape(bad))
    with pytest.raises(ValueError, match=refusal("scores")):
        losses.cross_entropy(bad, [0, 0])
    with pytest.raises(ValueError, match=refusal("target")):
        losses.mse(good, bad)


@each_table
@pytest.mark.parametrize("values", [[2**53, 3], [2**53 - 1, 2**53], [5, 2]])
def test_what_float64_holds_is_kept(name, values):
    table, expected = TABLES[name](values), l1(fractions(name, values))
    assert fastclf.pairwise_distances(table, table, metric="l1").tolist() == expected
    distances, rows = fastclf.knn(table, table, 1, metric="l1")
    assert distances.tolist() == [[0.0], [0.0]]
    assert rows.tolist() == [[0], [1]]


@each_table
@pytest.mark.parametrize("values", [[2**53, 3], [2**53 - 1, 2**53], [5, 2]])
@pytest.mark.filterwarnings("ignore:pandas.DataFrame with sparse columns")
def test_a_model_keeps_what_float64_holds(name, values):
    table, expected = TABLES[name](values), l1(fractions(name, values))
    model = KNN(2, metric="l1").fit(table, ["a", "b"])
    distances, rows = model.kneighbors(table)
    assert rows.tolist() == [[0, 1], [1, 0]]
    assert distances.tolist() == [[0.0, expected[0][1]], [0.0, expected[1][0]]]


@pytest.mark.parametrize("far", [2**60, 2**53 + 2, -(2**63)])
def test_integers_among_floats_are_kept_beyond_as_well_where_they_are_exact(far):
    for table in (pd.DataFrame({"t": [far, 0], "f": [0.5, 0.5]}), [[far, 0.5], [0, 0.5]]):
        assert fastclf.pairwise_distances(table, table, metric="l1").tolist() == [[0, abs(far)], [abs(far), 0]]


def test_half_precision_beside_small_integers():
    column = pd.Series([-128, 127], dtype="int8")
    for table in (
        pd.DataFrame({"t": column, "f": pd.Series([0.5, 1.0], dtype="float16")}),
        [[np.float16(-128), np.float16(0.5)], [np.float16(127), 1]],
    ):
        assert fastclf.pairwise_distances(table, table, metric="l1").tolist() == [[0.0, 255.5], [255.5, 0.0]]


# What is no number that float64 holds: the table, the error and its message after the argument's name.
NO_NUMBERS = {
    "a third": (np.array([[Fraction(1, 3), 0]], object), ValueError, r"not hold exactly: Fraction\(1, 3\) at \[0, 0\]"),
    "a tenth": (np.array([[0, Decimal("0.1")]], object), ValueError, r"not hold exactly: Decimal\('0.1'\) at \[0, 1\]"),
    "huge": (np.array([[0, 2**2000]], object), ValueError, r"not hold exactly: 1148.* at \[0, 1\]"),
    "a word": (np.array([[0, "one"]], object), ValueError, r"numbers are required, got 'one' at \[0, 1\]"),
    "an array": (np.array([[np.ones(1), 0], [0, 0]], object)[:1], TypeError, "an array is no number"),
    "a dict": (np.array([[{}, 0]], object), TypeError, r"numbers are required, got \{\} at \[0, 0\]"),
    "complex": (np.array([[0, 1j]], object), TypeError, r"numbers are required, got 1j at \[0, 1\]"),
    "np.complex128": (np.array([[np.complex128(1)]], object), TypeError, "numbers are required, got np.complex128"),
    "np.datetime64": (np.array([[np.datetime64(1, "ns")]], object), TypeError, "numbers are required, got np.datetime"),
    "np.timedelta64": (np.array([[np.timedelta64(1, "ns")]], object), TypeError, "numbers are required, got np.timede"),
    "dates": (
        pd.DataFrame({"t": pd.to_datetime([1])}),
        ValueError,
        r"datetime64.* in column 't'; numbers are required",
    ),
    "dates, floats": (
        pd.DataFrame({"f": [0.5], "t": pd.to_datetime([1])}),
        ValueError,
        r"datetime64.* in column 't'; numbers are required",
    ),
    "time zones": (
        pd.DataFrame({"t": pd.to_datetime([1], utc=True)}),
        (TypeError, ValueError),
        r"numbers are required.*",
    ),
    "time spans": (
        pd.DataFrame({"f": [0.5], "t": pd.to_timedelta([1])}),
        ValueError,
        r"timedelta64.* in column 't'; numbers are required",
    ),
    "words": (pd.DataFrame({"t": ["one"]}), ValueError, "numbers are required, got 'one' in row 0, column 't'"),
    "word categories": (
        pd.DataFrame({"t": pd.Categorical(["one"])}),
        ValueError,
        "numbers are required, got 'one' in row 0, column 't'",
    ),
    "complex column": (pd.DataFrame({"t": [1j]}), ValueError, "complex128 in column 't'; numbers are required"),
    "missing": (
        pd.DataFrame({"t": pd.Series([None], dtype="Int64"), "f": [0.5]}),
        ValueError,
        "NaN: .*Int64; numbers are required, got nan in row 0, column 't'",
    ),
    "missing bools": (
        pd.DataFrame({"t": pd.Series([None], dtype="boolean")}),
        ValueError,
        "NaN: .*numbers are required, got <NA> in row 0, column 't'",
    ),
    "missing objects": (
        pd.DataFrame({"t": pd.Series([pd.NA], dtype=object)}),
        ValueError,
        "NaN: .*numbers are required, got <NA> in row 0, column 't'",
    ),
    "NaN": (pd.DataFrame({"t": [np.nan], "n": [2]}), ValueError, "NaN"),
}


@pytest.mark.parametrize("case", NO_NUMBERS)
def test_what_is_no_number_is_refused(case):
    bad, error, message = NO_NUMBERS[case]
    with pytest.raises(error, match=f"(?s)Q .*{message}"):
        fastclf.pairwise_distances(bad, np.zeros((1, bad.shape[1])))
    for model in (KNN(1), LinearClassifier()):
        with pytest.raises(error, match=f"(?s)X .*{message}"):
            model.fit(bad, [0])


def test_times_of_polars_are_no_numbers():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"t": polars.Series([FAR, 1]).cast(polars.Datetime("ns")), "f": [0.5, 0.5]})
    with pytest.raises(ValueError, match=r"X has dtype datetime64\[ns\] in column 't'; numbers are required"):
        KNN(1).fit(frame, [0, 1])
    with pytest.raises(ValueError, match="Q has dtype datetime64"):
        fastclf.knn(frame, frame, 1)


@pytest.mark.parametrize("interface", ["pandas", "polars", "pyarrow"])
def test_missing_values_of_each_interface(interface):
    module = pytest.importorskip(interface)
    columns = {"t": [FAR, None], "f": [0.5, 0.5]}
    frame = module.table(columns) if interface == "pyarrow" else module.DataFrame(columns)
    for call in (lambda: KNN(1).fit(frame, [0, 1]), lambda: fastclf.knn(frame, frame, 1)):
        with pytest.raises(ValueError, match="contains NaN"):
            call()


def test_frames_without_columns():
    for model in (KNN(1), LinearClassifier()):
        with pytest.raises(ValueError, match=r"0 feature\(s\) \(shape=\(2, 0\)\)"):
            model.fit(pd.DataFrame(index=[0, 1]), [0, 1])
    with pytest.raises(ValueError, match=r"0 feature\(s\) .* required for Q"):
        fastclf.knn(pd.DataFrame(index=[0, 1]), [[1.0]], 1)


def test_sparse_frames_are_looked_at_before_columns_become_one_matrix():
    a = pd.arrays.SparseArray([0, FAR])
    frame = pd.DataFrame({"a": a, "b": pd.arrays.SparseArray([0.0, 0.5], fill_value=0.0)})
    with pytest.raises(ValueError, match=f"X .*{FAR} in row 1, column 'a'"):
        LinearClassifier().fit(frame, [0, 1])
    frame["a"] = pd.arrays.SparseArray([0, 3])
    dense, sparse = (LinearClassifier().fit(X, [0, 1]) for X in (frame.to_numpy(), frame))
    np.testing.assert_allclose(sparse.decision_function(frame), dense.decision_function(frame.to_numpy()), rtol=1e-6)


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_sparse_integers(dtype):
    for data in ([FAR, 1], [2**53, 1], [2**63 - 1, 2**63 - 1]):
        same_place = scipy.sparse.csr_array((np.array(data, dtype), [0, 0], [0, 2, 2]), shape=(2, 2))
        with pytest.raises(ValueError, match=r"X of dtype .* holds .*, beyond 2\*\*53"):
            LinearClassifier().fit(same_place, [0, 1])


def test_sparse_entries_of_one_place_may_not_sum_to_infinity():
    X = scipy.sparse.csr_array((np.array([1e308, 1e308]), [0, 0], [0, 2, 2]), shape=(2, 2))
    with pytest.raises(ValueError, match="X contains entries of the same place whose sum is beyond float64"):
        LinearClassifier().fit(X, [0, 1])


def test_weights_are_not_rounded():
    for weights in (np.array([FAR, 1]), pd.Series([FAR, 1], dtype="Int64"), [FAR, 0.5]):
        with pytest.raises(ValueError, match=f"^sample_weight .*{FAR}"):
            LinearClassifier().fit([[0.0], [1.0]], [0, 1], sample_weight=weights)
        with pytest.raises(ValueError, match=f"^sample_weight .*{FAR}"):
            losses.cross_entropy(np.zeros((2, 2)), [0, 1], sample_weight=weights)
    long = np.array([np.nextafter(np.longdouble(1), 2), 1])
    for weights in (long, list(long), np.array([np.longdouble("1e4000"), 1])):
        if weights[0] == np.float64(weights[0]):
            pytest.skip("long double is no longer than float64 here")
        for call in (
            lambda w: LinearClassifier().fit([[0.0], [1.0]], [0, 1], sample_weight=w),
            lambda w: losses.cross_entropy(np.zeros((2, 2)), [0, 1], sample_weight=w),
            lambda w: KNN(1).fit([[0.0], [1.0]], [0, 1]).score([[0.0], [1.0]], [0, 1], sample_weight=w),
        ):
            with pytest.raises(ValueError, match=r"^sample_weight of dtype .* does not hold exactly: .* at \[0\]"):
                call(weights)
    with pytest.raises(ValueError, match=r"^margin of dtype .* does not hold exactly: .* at \[0, 0\]"):
        losses.hinge(np.zeros((1, 2)), [0], margin=np.array([long, long]))
    with pytest.raises(ValueError, match=f"^weights .*{FAR}"):
        fastclf.majority_vote([[0, 1]], 2, weights=[[FAR, 0.5]])


def test_labels_of_votes_may_be_frames():
    frame = pd.DataFrame({"first": pd.Series([2, 1], dtype="Int64"), "second": [2, 0], "third": [0, 0]})
    assert fastclf.majority_vote(frame, 3).tolist() == [2, 0]
    with pytest.raises(TypeError, match="labels must be integers, got dtype float64"):
        fastclf.majority_vote([[FAR - 1, 0.5]], 3)


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        ((["a", "b"], np.array([[2**24 + 1, 0], [1, 2]])), r"16777217, beyond 2\*\*24 \(at \[0, 0\]\)"),
        ((["a", "b"], pd.DataFrame({"t": [FAR, 1], "f": [0.5, 0.5]})), f"{FAR} in row 0, column 't'"),
        ({"a": [FAR, 0.5], "b": [0.5, 0.5]}, rf"{FAR} at \[0, 0\]"),
        ({"a": np.array([FAR, 1]), "b": np.array([0.5, 0.5])}, rf"{FAR} at \[0, 0\]"),
    ],
)
def test_word_vectors_are_not_rounded_from_integers(vectors, message):
    with pytest.raises(ValueError, match=f"^vectors .*{message}"):
        WindowClassifier(vectors=vectors).fit(SENTENCES, TAGS)


def test_word_vectors_of_a_frame():
    frame = pd.DataFrame({"t": [2**24, 1], "f": [0.5, 0.25]})
    model = WindowClassifier(vectors=(["a", "b"], frame), train_vectors=False, random_state=0).fit(SENTENCES, TAGS)
    assert [model.vectors_[model.vocabulary_[word]].tolist() for word in "ab"] == frame.to_numpy().tolist()


@each_float
def test_frames_of_floats_are_not_copied_before_the_kernels(dtype, monkeypatch):
    X = np.arange(12, dtype=dtype).reshape(6, 2) / 8
    frame = pd.DataFrame(X, columns=["a", "b"], copy=False)
    seen = []
    monkeypatch.setattr("fastclf._native.pairwise", lambda *args: seen.append(args[1]))
    fastclf.pairwise_distances(frame, frame)
    assert np.shares_memory(seen[0], X)


def test_frames_of_floats_go_on_with_their_names():
    frame = pd.DataFrame({"a": [0.5, 1.5], "b": pd.Series([1.0, 2.0], dtype="float32")})
    model = KNN(1).fit(frame, [0, 1])
    assert model.feature_names_in_.tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[["b", "a"]])
    with pytest.warns(UserWarning, match="X does not have valid feature names, but KNN was fitted with"):
        assert model.predict(frame.to_numpy()).tolist() == [0, 1]
    with pytest.warns(UserWarning, match="X has feature names, but KNN was fitted without"):
        KNN(1).fit(frame.to_numpy(), [0, 1]).predict(frame)
