"""Labels come back with the values and the dtype that they had; what is missing is refused."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from fastclf import KNN, KNNCV, LinearClassifier

X = np.array([[0.0, 0.0], [5.0, 5.0], [0.0, 1.0], [5.0, 4.0]])
FAR = [2**53, 2**53 + 1] * 2  # which float64 takes for one
WORDS = ["no", "yes"] * 2
MODELS = (KNN(1), KNNCV([1], cv=2), LinearClassifier())
each_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)


def polars_series(values, dtype=None):
    polars = pytest.importorskip("polars")
    return polars.Series(values, dtype=None if dtype is None else getattr(polars, dtype))


def arrow(values):
    return pytest.importorskip("pyarrow").array(values)


def arrow_column(values):
    pytest.importorskip("pyarrow")
    return pd.Series(values, dtype="int64[pyarrow]")


# What makes the labels, their values, and the dtype that predictions have.
LABELS = {
    "Int64": (lambda: pd.Series(FAR, dtype="Int64"), FAR, "int64"),
    "Int64 array": (lambda: pd.array(FAR, dtype="Int64"), FAR, "int64"),
    "Int64 index": (lambda: pd.Index(FAR, dtype="Int64"), FAR, "int64"),
    "UInt8": (lambda: pd.Series([1, 2, 1, 2], dtype="UInt8"), [1, 2, 1, 2], "uint8"),
    "UInt64": (lambda: pd.Series([2**64 - 1, 2**64 - 2] * 2, dtype="UInt64"), [2**64 - 1, 2**64 - 2] * 2, "uint64"),
    "Float64": (lambda: pd.Series([1, 2] * 2, dtype="Float64"), [1.0, 2.0] * 2, "float64"),
    "boolean": (lambda: pd.Series([True, False] * 2, dtype="boolean"), [True, False] * 2, "bool"),
    "category": (lambda: pd.Series(FAR, dtype="category"), FAR, "int64"),
    "word categories": (lambda: pd.Series(WORDS, dtype="category"), WORDS, "object"),
    "string": (lambda: pd.Series(WORDS, dtype="string"), WORDS, "object"),
    "object words": (lambda: np.array(WORDS, object), WORDS, "object"),
    "object integers": (lambda: np.array(FAR, object), FAR, "int64"),
    "object np.int64": (lambda: np.array([np.int64(label) for label in FAR] + [0], object)[:4], FAR, "int64"),
    "object bools": (lambda: np.array([True, False] * 2, object), [True, False] * 2, "bool"),
    "Series of objects": (lambda: pd.Series(FAR, dtype=object), FAR, "int64"),
    "Arrow in pandas": (lambda: arrow_column(FAR), FAR, "int64"),
    "Arrow": (lambda: arrow(FAR), FAR, "int64"),
    "Arrow bools": (lambda: arrow([True, False] * 2), [True, False] * 2, "bool"),
    "Arrow words": (lambda: arrow(WORDS), WORDS, "object"),
    "polars": (lambda: polars_series(FAR), FAR, "int64"),
    "polars bools": (lambda: polars_series([True, False] * 2), [True, False] * 2, "bool"),
    "polars Int128": (lambda: polars_series(FAR, "Int128"), FAR, "int64"),
    "polars categories": (lambda: polars_series(WORDS, "Categorical"), WORDS, "object"),
    "list": (lambda: FAR, FAR, "int64"),
}


@each_model
@pytest.mark.parametrize("name", LABELS)
def test_predicted_labels_are_those_given(model, name):
    make, values, dtype = LABELS[name]
    fitted = model.fit(X, make())
    found = fitted.predict(X)
    assert found.dtype == dtype
    assert found.tolist() == values
    assert [type(label) for label in found.tolist()] == [type(value) for value in values]
    assert fitted.score(X, make()) == 1.0
    assert fitted.score(X[::-1], make()) == 0.0


@pytest.mark.parametrize("name", LABELS)
@pytest.mark.parametrize("model", [KNN(1), LinearClassifier(random_state=0)], ids=["KNN", "LinearClassifier"])
def test_labels_of_more_rows_and_classes(model, name):
    make, values, dtype = LABELS[name]
    model = type(model)(**model.get_params()).partial_fit(X, make(), classes=make()).partial_fit(X, make())
    assert model.classes_.tolist() == sorted(set(values))
    assert model.classes_.dtype == dtype


@each_model
def test_a_frame_of_one_column_has_labels(model):
    with pytest.warns(UserWarning, match="column-vector y was passed"):
        model.fit(X, pd.DataFrame({"y": pd.Series(FAR, dtype="Int64")}))
    assert model.predict(X).tolist() == FAR


NA = (pd.NA, "no", "yes", "no")
MISSING = {
    "Int64": (lambda: pd.Series([None, 1, 2, 1], dtype="Int64"), "NaN"),
    "boolean": (lambda: pd.Series([None, True, False, True], dtype="boolean"), "<NA>"),
    "string": (lambda: pd.Series(NA, dtype="string"), "<NA>"),
    "category": (lambda: pd.Series([None, 1, 2, 1], dtype="category"), "NaN"),
    "word categories": (lambda: pd.Series([None, *WORDS[1:]], dtype="category"), "NaN"),
    "objects": (lambda: np.array(NA, object), "<NA>"),
    "Series of objects": (lambda: pd.Series(NA, dtype=object), "<NA>"),
    "object NaN": (lambda: np.array([np.nan, *WORDS[1:]], object), "NaN"),
    "None": (lambda: [None, *WORDS[1:]], "None"),
    "dates": (lambda: pd.to_datetime([None, 1, 2, 1]), "NaT"),
    "time spans": (lambda: np.array(["NaT", 1, 2, 1], "m8[s]"), "NaT"),
    "object NaT": (lambda: np.array([pd.NaT, *WORDS[1:]], object), "NaT"),
    "None and integers": (lambda: [None, 1, 2, 1], "None"),
    "Arrow in pandas": (lambda: arrow_column([None, 1, 2, 1]), "NaN"),
    "Arrow": (lambda: arrow([None, 1, 2, 1]), "NaN"),
    "polars": (lambda: polars_series([None, 1, 2, 1]), "NaN"),
    "polars bools": (lambda: polars_series([None, True, False, True]), "None"),
    "polars words": (lambda: polars_series([None, *WORDS[1:]]), "None"),
}


@each_model
@pytest.mark.parametrize("name", MISSING)
def test_missing_labels_are_refused(model, state, name):
    make, found = MISSING[name]
    model = type(model)(**model.get_params())
    before = state(model)
    with pytest.raises(ValueError, match=rf"Input y contains {found} \(first at \[0\]\)"):
        model.fit(X, make())
    assert state(model) == before
    with pytest.raises(ValueError, match=rf"Input y contains {found} \(first at \[0\]\)"):
        model.fit(X, WORDS).score(X, make())


@each_model
@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a", 1, "a", 1], r"y has text and other labels, a mix .*: 1 of type int at \[1\]"),
        (["a", b"b", "a", b"b"], r"y has text and other labels, a mix .*: b'b' of type bytes at \[1\]"),
        ([2**53 + 1, 0.5, 1, 1], rf"y .*{2**53 + 1} at \[0\]"),
    ],
)
def test_labels_that_would_be_changed_are_refused(model, labels, message):
    with pytest.raises(ValueError, match=message):
        model.fit(X, labels)


HELD = {
    "list": list,
    "tuple": tuple,
    "objects": lambda labels: np.array(labels, object),
    "Series": pd.Series,
    "categories": lambda labels: pd.Series(labels, dtype="category"),
}


@each_model
@pytest.mark.parametrize("hold", HELD)
def test_labels_that_differ_in_a_nul_at_the_end_are_kept_apart(model, hold):
    labels = ["a", "a\0"] * 2
    fitted = model.fit(X, HELD[hold](labels))
    assert fitted.classes_.tolist() == ["a", "a\0"]
    assert fitted.predict(X).tolist() == labels
    assert fitted.score(X, HELD[hold](labels)) == 1.0


@pytest.mark.parametrize("model", [KNN(1), LinearClassifier()], ids=["KNN", "LinearClassifier"])
def test_a_nul_makes_another_class_of_more_rows(model):
    model.partial_fit(X, ["a", "b", "a", "b"], classes=["a", "a\0", "b"]).partial_fit(X, ["a\0", "b", "a\0", "b"])
    assert model.classes_.tolist() == ["a", "a\0", "b"]


DAY, SECOND = np.datetime64("2020-01-01"), np.datetime64("2020-01-01T00:00:01")
HOUR, MINUTE = np.timedelta64(1, "h"), np.timedelta64(1, "m")
TIMES = {"dates": [DAY, SECOND] * 2, "time spans": [HOUR, MINUTE] * 2}


@each_model
@pytest.mark.parametrize("hold", ["list", "tuple", "objects"])
@pytest.mark.parametrize("name", TIMES)
def test_times_of_several_units(model, hold, name):
    fitted = model.fit(X, HELD[hold](TIMES[name]))
    assert fitted.predict(X).tolist() == np.array(TIMES[name]).tolist()
    assert len(fitted.classes_) == 2


@each_model
@pytest.mark.parametrize("hold", [list, lambda times: np.array(times, object)])
@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([np.datetime64("9999999", "Y"), np.datetime64(1, "ns")], "y has labels of several units, .*9999999"),
        ([np.timedelta64(2**62, "s"), np.timedelta64(1, "ns")], "y has labels of several units, .*4611686018427387904"),
        ([DAY, np.timedelta64(1, "s")], "y has dates and other labels, a mix .*timedelta64"),
        ([np.timedelta64(1, "s"), 3], "y has time spans and other labels, a mix .*: 3 of type int"),
    ],
)
def test_times_that_would_be_changed_are_refused(model, hold, labels, message):
    with pytest.raises(ValueError, match=message):
        model.fit(X, hold(labels * 2))


def test_times_do_not_become_known_classes_by_overflow():
    first = np.array([0, 1], "M8[ns]")
    for model in (KNN(1), LinearClassifier()):
        model.partial_fit(X[:2], first)
        with pytest.raises(ValueError, match=r"y has class labels that are datetime64\[us\]"):
            model.partial_fit(X[:2], np.array([2**61, 2**61], "M8[us]"))


def test_bools_in_a_list_of_integers_are_integers():
    for model in (KNN(1), LinearClassifier()):
        assert model.fit(X, [True, 2, 0, 2]).classes_.tolist() == [0, 1, 2]
        for labels in (np.array([True, 2] * 2, object), pd.Series([True, 2] * 2, dtype=object)):
            with pytest.raises(ValueError, match=r"y has bools and other labels, a mix .*: 2 of type int at \[1\]"):
                model.fit(X, labels)


def test_integers_do_not_become_known_classes_by_rounding():
    for model in (LinearClassifier(random_state=0), KNN(1)):
        model.partial_fit(X, [0.0, 2.0**53] * 2)
        with pytest.raises(ValueError, match="y has class labels of dtype int64 that do not go with those so far"):
            model.partial_fit(X, [0, 2**53 + 1] * 2)


def test_groups_are_not_rounded():
    from sklearn.model_selection import LeaveOneGroupOut

    groups = pd.Series(np.repeat([2**53, 2**53 + 1], 2), dtype="Int64")
    model = KNNCV([1], cv=LeaveOneGroupOut()).fit(X, WORDS, groups=groups)
    assert model.cv_scores_.shape == (2, 1, 2)


# --- labels of other dtypes -------------------------------------------------------------------------------------------

DAY = 1_577_836_800  # 2020-01-01, in seconds
WRAPPED = DAY + 2**55  # times 10^9 that is DAY in nanoseconds, in int64

# Labels to fit, labels of the same rows to score, and which of these are the same.
SCORED = {
    "float64, one less": ([2**53 + 1, 0, 2**53 + 1, 0], np.array([2.0**53, 0, 2.0**53, 0]), [0, 1, 0, 1]),
    "int64, one more": (np.array([2.0**53, 0, 2.0**53, 0]), [2**53 + 1, 0, 2**53, 0], [0, 1, 1, 1]),
    "uint64": ([2**62 + 1, 0, 2**62 + 1, 0], np.array([2**62 + 1, 0, 2**62, 0], "uint64"), [1, 1, 0, 1]),
    "float32": ([1, 0, 1, 0], np.array([1, 0, 0, 0], "float32"), [1, 1, 0, 1]),
    "objects": ([2**53 + 1, 0] * 2, np.array([2**53, 0, 2**53 + 1, 0], object), [0, 1, 1, 1]),
    "a column": ([2**53 + 1, 0] * 2, np.array([[2.0**53], [0], [2.0**53], [0]]), [0, 1, 0, 1]),
    "nanoseconds": (
        np.array([DAY, 0] * 2).astype("M8[s]"),
        np.array([DAY * 10**9, 0, DAY * 10**9 + 1, 0]).astype("M8[ns]"),
        [1, 1, 0, 1],
    ),
    "seconds that nanoseconds do not hold": (
        np.array([DAY * 10**9, 0] * 2).astype("M8[ns]"),
        np.array([WRAPPED, 0, DAY, 0]).astype("M8[s]"),
        [0, 1, 1, 1],
    ),
}


@each_model
@pytest.mark.parametrize("case", SCORED)
@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
def test_scores_round_no_label(model, case):
    labels, others, same = SCORED[case]
    model = clone(model).fit(X, labels)
    assert model.predict(X).tolist() == np.asarray(labels).tolist()
    assert model.score(X, others) == np.mean(same)
    weights = [4.0, 1.0, 2.0, 1.0]
    assert model.score(X, others, sample_weight=weights) == np.dot(same, weights) / 8


def test_partial_fit_takes_no_class_for_another():
    model = LinearClassifier().partial_fit(X, FAR, classes=FAR[:2])
    model.partial_fit(X, FAR, classes=np.array(FAR[:2], "uint64"))
    with pytest.raises(ValueError, match="is not what it was before"):
        model.partial_fit(X, FAR, classes=[2.0**53, 2.0**53 + 2])


def test_partial_fit_takes_dates_of_any_kind_and_nothing_else_for_them():
    dates = np.array([3, 5], "M8[ns]")
    model = LinearClassifier().partial_fit(X, np.tile(dates, 2), classes=dates)
    model.partial_fit(X, np.tile(dates, 2), classes=list(map(pd.Timestamp, dates)))
    for others in (dates.astype("m8[ns]"), [3, 5], list(map(pd.Timestamp, dates + 1)), ["3", "5"]):
        with pytest.raises(ValueError, match="is not what it was before"):
            model.partial_fit(X, np.tile(dates, 2), classes=others)


DAYS = np.array(["2020-01-01", "2020-01-02"] * 2, "M8[s]")
NAMES = {
    "dates": (DAYS, lambda day: np.datetime64(day, "D")),
    "nanoseconds": (DAYS, lambda day: np.datetime64(day, "ns")),
    "Timestamps": (DAYS, pd.Timestamp),
    "datetime": (DAYS, lambda day: pd.Timestamp(day).to_pydatetime()),
    "dates of Python": (DAYS, lambda day: pd.Timestamp(day).date()),
    "Timestamps with nanoseconds": (DAYS.astype("M8[ns]") + 7, pd.Timestamp),
    "time spans": (DAYS - DAYS[0], lambda span: np.timedelta64(span, "ms")),
    "Timedeltas": (DAYS - DAYS[0], pd.Timedelta),
    "floats": (np.array([2.0**53, 1.0] * 2), int),
    "far integers": (np.array(FAR), int),
    "words": (np.array(WORDS), str),
    "bools": (np.array([True, False] * 2), bool),
}


@pytest.mark.parametrize("case", NAMES)
def test_class_weights_by_names_of_any_kind(case):
    labels, name = NAMES[case]
    wanted = LinearClassifier().fit(X, labels, sample_weight=np.where(labels == labels[0], 3.0, 1.0))
    for named in ({name(labels[0]): 3.0}, {name(labels[0]): 3.0, name(labels[1]): 1.0}):
        found = LinearClassifier(class_weight=named).fit(X, labels)
        assert found.coef_.tobytes() == wanted.coef_.tobytes()


@pytest.mark.parametrize(
    ("labels", "named"),
    [
        (DAYS, {np.datetime64("2021-01-01"): 2.0}),
        (DAYS, {pd.Timestamp("2020-01-01", tz="UTC"): 2.0}),
        (np.array(FAR), {2.0**53: 1.0, 2**53 + 2: 2.0}),
        (np.array(WORDS), {("no", "yes"): 2.0}),
    ],
)
def test_class_weights_of_no_class_are_refused(labels, named):
    with pytest.raises(ValueError, match=r"class_weight has .* which are no classes"):
        LinearClassifier(class_weight=named).fit(X, labels)


DATES = np.array(["2020-01-01", "2021-01-01", "2020-01-01"], "M8[ns]")


@pytest.mark.parametrize(
    ("named", "error", "message"),
    [
        ({DATES[0].astype(int).item(): 2}, ValueError, r"which are no classes; .* \['2020-01-01T.*', '2021-01-01T"),
        (
            {DATES[0]: 2, datetime.date(2020, 1, 1): 5},
            ValueError,
            r"one class twice: datetime.date\(2020, 1, 1\)",
        ),
        ({DATES[0]: "x"}, TypeError, r"class_weight must have numbers, got 'x' for "),
    ],
)
def test_class_weights_of_dates_that_say_nothing(named, error, message):
    with pytest.raises(error, match=message):
        LinearClassifier(class_weight=named).fit([[0.0], [1.0], [2.0]], DATES)


@pytest.mark.parametrize("model", [KNN(1), LinearClassifier()])
def test_a_score_of_dates_among_numbers_says_so(model):
    X, y = [[0.0], [1.0], [2.0]], np.array([0, 1, 0])
    with pytest.raises(ValueError, match=r"y has labels that are datetime64\[ns\], but the classes are numbers"):
        model.fit(X, y).score(X, DATES)
    with pytest.raises(ValueError, match=r"y has labels that are numbers, but the classes are datetime64\[ns\]"):
        model.fit(X, DATES).score(X, y)
    assert model.score(X, DATES.astype("M8[D]")) > 0
