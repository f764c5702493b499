"""What the window classifier refuses, and that a refusal changes nothing."""

from __future__ import annotations

import mmap

import numpy as np
import pytest
from tagged import SENTENCES, TAGS, each_loss, small, state, tagged


@pytest.mark.parametrize(
    ("sentences", "tags", "error", "match"),
    [
        ("a b", [["X"]], TypeError, "sentences must be a list of lists"),
        (3, [["X"]], TypeError, "sentences must be a list of lists, got 3 of type int"),
        (["a b"], [["X", "Y"]], TypeError, r"sentences\[0\] must be a list, got 'a b' of type str"),
        ([["a"], None], [["X"], []], TypeError, r"sentences\[1\] must be a list, got None"),
        ([["a", 1]], [["X", "Y"]], TypeError, r"sentences\[0\]\[1\] = 1 of type int: words must be str"),
        ([[], ["a", np.nan]], [[], ["X", "Y"]], TypeError, r"sentences\[1\]\[1\] = nan of type float"),
        ([["a"]], ["X"], TypeError, r"tags\[0\] must be a list, got 'X'"),
        ([["a"]], None, TypeError, "tags must be a list of lists, got None"),
        ([["a"], ["b"]], [["X"]], ValueError, "must be as many, got 2 and 1"),
        ([["a"], ["b", "c"]], [["X"], ["Y"]], ValueError, r"sentences\[1\] has 2 words, but tags\[1\] has 1 tags"),
        (
            [["a", "b"]],
            [["X", None]],
            TypeError,
            r"tags\[0\]\[1\] = None of type NoneType: tags must be str, int or bool",
        ),
        (
            [["a", "b"]],
            [["X", 1]],
            TypeError,
            r"tags\[0\]\[1\] = 1 of type int: tags must be like the first, 'X'",
        ),
        ([["a", "b"]], [[0.5, 1.0]], TypeError, r"tags\[0\]\[0\] = 0.5 of type float"),
        ([["a", "b"]], [["X", "X"]], ValueError, r"only one class, \['X'\]: at least 2 classes"),
        ([], [], ValueError, "no words: there is nothing to learn"),
        ([[]], [[]], ValueError, "no words: there is nothing to learn"),
    ],
)
def test_data_that_cannot_be_learned(sentences, tags, error, match):
    model = small().fit(SENTENCES, TAGS)
    before = state(model)
    for method in (model.fit, model.partial_fit, small().fit):
        if match.startswith("only one class") and method == model.partial_fit:
            continue
        with pytest.raises(error, match=match):
            method(sentences, tags)
    assert state(model) == before


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("window", -1, ValueError),
        ("window", 1.5, TypeError),
        ("window", 10**9, ValueError),
        ("dim", 0, ValueError),
        ("dim", "50", TypeError),
        ("dim", 10**12, ValueError),
        ("loss", "hinge", ValueError),
        ("hidden", 0, ValueError),
        ("hidden", 2.0, TypeError),
        ("activation", "relu", ValueError),
        ("train_vectors", "no", TypeError),
        ("min_count", 0, ValueError),
        ("word_dropout", -0.1, ValueError),
        ("word_dropout", np.inf, ValueError),
        ("word_dropout", np.nan, ValueError),
        ("word_dropout", "Auto", ValueError),
        ("word_dropout", "0.5", ValueError),
        ("word_dropout", None, TypeError),
        ("word_dropout", True, TypeError),
        ("word_dropout", [1.0], TypeError),
        ("lowercase", None, TypeError),
        ("l2", -1.0, ValueError),
        ("l2", np.nan, ValueError),
        ("margin", -1.0, ValueError),
        ("learning_rate", 0.0, ValueError),
        ("learning_rate", 1e300, ValueError),
        ("learning_rate", np.nan, ValueError),
        ("learning_rate", "fast", TypeError),
        ("batch_size", 0, ValueError),
        ("batch_size", 2.5, TypeError),
        ("max_iter", 0, ValueError),
        ("max_iter", -1, ValueError),
        ("random_state", "seed", ValueError),
        ("n_threads", 0, ValueError),
        ("verbose", -1, ValueError),
    ],
)
def test_parameters_that_are_none(name, value, error):
    with pytest.raises(error, match=name if name != "random_state" else "seed"):
        small(**{name: value}).fit(SENTENCES, TAGS)


def test_an_overflow_is_an_error_and_changes_nothing():
    model = small().fit(SENTENCES, TAGS)
    before = state(model)
    with pytest.raises(ValueError, match="values overflow"):
        model.set_params(vectors={"a": [3e38] * 50, "b": [-3e38] * 50}).fit(SENTENCES, TAGS)
    assert state(model) == before


def test_there_is_no_score_of_nothing():
    with pytest.raises(ValueError, match="no words"):
        small().fit(SENTENCES, TAGS).score([[]], [[]])


@each_loss
@pytest.mark.parametrize("options", [{"learning_rate": 3e38}, {"l2": 1e300}], ids=str)
def test_an_overflow_in_the_last_step_is_an_error(loss, options):
    with pytest.raises(ValueError, match="values overflow"):
        small(loss=loss, max_iter=1, **options).fit(SENTENCES, TAGS)


def test_vectors_whose_squared_slopes_overflow():
    with pytest.raises(ValueError, match="values overflow"):
        small(vectors={"a": [1e30] * 4, "b": [-1e30] * 4, "c": [1e30] * 4}).fit(SENTENCES, TAGS)


def test_an_overflow_of_partial_fit_is_an_error():
    model = small().fit(SENTENCES, TAGS).set_params(learning_rate=3e38)
    with pytest.raises(ValueError, match="values overflow"):
        model.partial_fit(SENTENCES, TAGS)


@pytest.mark.parametrize(
    ("tags", "match"),
    [
        ([[2**63, 1]], "range of int64"),
        ([["A", "A\0"]], "NUL"),
        ([[True, 1]], r"tags\[0\]\[1\] = 1 of type int: tags must be like the first, True"),
        ([[b"A", b"B"]], "tags must be str, int or bool"),
        ([{"A", "B"}], r"tags\[0\] must be a list, got {"),
        ([np.array("A")], r"tags\[0\] must be a list"),
        ({("A", "B"): 1}, "tags must be a list of lists"),
    ],
)
def test_tags_that_are_none(tags, match):
    with pytest.raises((TypeError, ValueError), match=match):
        small().fit([["a", "b"]], tags)


@pytest.mark.parametrize("classes", ["XY", 3, [0.5, 1.5], ["X", 1], ["X"]])
def test_classes_that_are_none(classes):
    with pytest.raises((TypeError, ValueError), match="classes"):
        small().partial_fit([["a"]], [["X"]], classes=classes)


def test_classes_of_another_kind():
    with pytest.raises(ValueError, match=r"tags have classes \[True\] that are not among those so far, \[0, 1\]"):
        small().partial_fit([["a"]], [[True]], classes=[0, 1])


class Tag(str):
    __slots__ = ()

    def __str__(self):
        return "a tag"


NAME, OTHER = Tag("name"), Tag("other")


@pytest.mark.parametrize(
    ("tags", "classes"),
    [
        ([NAME, OTHER], ["name", "other"]),
        ([np.uint64(1), np.int64(-1)], [-1, 1]),
        ([2**62 + 1, 2**62], [2**62, 2**62 + 1]),
        ([True, np.False_], [False, True]),
    ],
)
def test_tags_of_derived_types_become_plain(tags, classes):
    model = small(max_iter=40).fit([["a", "b"]] * 9, [tags] * 9)
    assert model.classes_.tolist() == classes
    assert model.predict([["a", "b"]]) == [tags]
    assert [type(tag) for tag in model.predict([["a"]])[0]] == [type(classes[0])]


def test_words_of_derived_types_become_plain():
    model = small().fit([[NAME, np.str_("b")]], [["X", "Y"]])
    assert model.vocabulary_ == {"b": 2, "name": 3}
    assert {type(word) for word in model.vocabulary_} == {str}


def test_a_model_mapped_from_a_file_goes_on_with_arrays_of_its_own():
    sentences, tags = tagged(30)
    model, mapped = (small(hidden=3).fit(sentences, tags) for _ in range(2))
    for owner in (mapped._model.net, *mapped._model.net.layers):
        for name, array in vars(owner).items():
            if isinstance(array, np.ndarray):
                memory = mmap.mmap(-1, array.nbytes)
                memory[:] = array.tobytes()
                frozen = np.frombuffer(memory, array.dtype).reshape(array.shape)
                frozen.flags.writeable = False
                setattr(owner, name, frozen)
    assert state(mapped.partial_fit(sentences, tags)) == state(model.partial_fit(sentences, tags))


def test_given_words_that_differ_in_case_alone():
    vectors = (["The", "the", "Paris"], np.eye(3))
    model = small(vectors=vectors, lowercase=True, train_vectors=False).fit([["THE", "paris"]], [["X", "Y"]])
    assert model.vocabulary_ == {"the": 2, "paris": 3}
    assert model.vectors_[2:].tolist() == [[1, 0, 0], [0, 0, 1]]
