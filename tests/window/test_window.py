"""The window classifier: what it learns, what it keeps, what it refuses."""

from __future__ import annotations

import copy
import pickle
import sys
from itertools import chain

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from tagged import SENTENCES, TAGS, each_loss, small, state, tagged

from fastclf import WindowClassifier
from fastclf.window import read_tagged


@each_loss
@pytest.mark.parametrize("hidden", [None, 12])
def test_context_is_learned(loss, hidden):
    sentences, tags = tagged(400)
    model = WindowClassifier(1, 8, loss=loss, hidden=hidden, max_iter=15, random_state=0).fit(sentences, tags)
    others, their_tags = tagged(100, seed=1)
    assert model.score(others, their_tags) > 0.97
    assert model.loss_curve_.shape == (model.n_iter_,) == (15,)
    assert model.loss_curve_[-1] < 0.5 * model.loss_curve_[0]
    assert small(window=0, loss=loss).fit(sentences, tags).score(others, their_tags) < 0.95


def test_shapes_and_names_of_what_is_learned():
    model = small(hidden=5).fit(SENTENCES, TAGS)
    assert model.classes_.tolist() == ["X", "Y"]
    assert model.vocabulary_ == {"a": 2, "b": 3, "c": 4}
    assert model.vectors_.shape == (5, 4)
    assert [W.shape for W in model.coefs_] == [(5, 12), (2, 5)]
    assert [b.shape for b in model.intercepts_] == [(5,), (2,)]
    assert {a.dtype.name for a in [model.vectors_, *model.coefs_, *model.intercepts_]} == {"float32"}


@pytest.mark.parametrize("hidden", [None, 5])
def test_scores_are_those_of_the_attributes(hidden):
    model = small(window=2, hidden=hidden).fit(SENTENCES, TAGS)
    for words, found in zip(SENTENCES, model.decision_function(SENTENCES), strict=True):
        numbers = [0, 0, *(model.vocabulary_[word] for word in words), 0, 0]
        assert found.shape == (len(words), 2)
        for i in range(len(words)):
            values = model.vectors_[numbers[i : i + 5]].astype(float).ravel()
            if hidden:
                values = np.tanh(model.coefs_[0] @ values + model.intercepts_[0])
            wanted = model.coefs_[-1].astype(float) @ values + model.intercepts_[-1]
            np.testing.assert_allclose(found[i], wanted, rtol=1e-5, atol=1e-6)


@each_loss
def test_predictions_follow_the_scores(loss):
    sentences, tags = tagged(30)
    model = small(loss=loss).fit(sentences, tags)
    scores, predicted = model.decision_function(sentences), model.predict(sentences)
    assert predicted == [[model.classes_[c] for c in s.argmax(axis=1)] for s in scores]
    assert {type(tag) for tag in chain(*predicted)} == {str}
    share = np.mean([a == b for a, b in zip(chain(*predicted), chain(*tags), strict=True)])
    assert model.score(sentences, tags) == pytest.approx(share)
    if loss == "softmax":
        for s, p in zip(scores, model.predict_proba(sentences), strict=True):
            wanted = np.exp(s) / np.exp(s).sum(axis=1, keepdims=True)
            np.testing.assert_allclose(p, wanted, rtol=1e-12)
    else:
        with pytest.raises(AttributeError, match="no attribute"):
            model.predict_proba(sentences)


@each_loss
@pytest.mark.parametrize("hidden", [None, 3])
def test_the_same_for_a_seed_whatever_the_threads_and_the_processor(isa, loss, hidden):
    sentences, tags = tagged(60)
    fits = [small(loss=loss, hidden=hidden, n_threads=n).fit(sentences, tags) for n in (1, 3)]
    assert state(fits[0]) == state(fits[1])
    assert state(small(loss=loss, hidden=hidden, random_state=1).fit(sentences, tags)) != state(fits[0])
    alone = [fits[0].decision_function([s])[0] for s in sentences]
    together = fits[1].decision_function(sentences)
    assert [a.tobytes() for a in alone] == [t.tobytes() for t in together]


def test_fitting_again_forgets():
    sentences, tags = tagged(30)
    model = small().fit(SENTENCES, TAGS)
    assert state(model.fit(sentences, tags)) == state(small().fit(sentences, tags))


# --- words


def test_words_that_were_never_seen_have_the_vector_of_unknown_ones():
    model = small().fit(SENTENCES, TAGS)
    scores = model.decision_function([["new", "b"], ["newer", "b"], ["a", "b"]])
    assert scores[0].tobytes() == scores[1].tobytes() != scores[2].tobytes()


def test_unknown_words_are_learned_from_rare_ones():
    words = [[f"rare{i}"] for i in range(200)] + [["common"]] * 200
    tags = [["name"]] * 200 + [["other"]] * 200
    assert small(max_iter=10).fit(words, tags).predict([["unseen"]]) == [["name"]]
    kept = small(word_dropout=0).fit(words, tags)
    drawn = small(word_dropout=0, max_iter=1, learning_rate=1e-30).fit(words, tags)
    assert kept.vectors_[1].tobytes() == drawn.vectors_[1].tobytes()  # nothing was read as unknown


def test_frequent_words_alone_get_vectors():
    model = small(min_count=2).fit(SENTENCES, TAGS)
    assert set(model.vocabulary_) == {"a", "b", "c"}
    assert set(small(min_count=3).fit([*SENTENCES, ["c"]], [*TAGS, ["X"]]).vocabulary_) == {"c"}
    assert small(min_count=9).fit(SENTENCES, TAGS).vectors_.shape == (2, 4)


def test_lower_case():
    model = small(lowercase=True).fit([["Paris", "in"]], [["LOC", "O"]])
    assert set(model.vocabulary_) == {"paris", "in"}
    one, other = model.decision_function([["PARIS", "IN"], ["paris", "in"]])
    assert one.tobytes() == other.tobytes()


# --- vectors that are given


GIVEN = {"a": [1.0, 0.0, 2.0], "b": [0.0, 1.0, 0.0], "z": [5.0, 5.0, 5.0]}


@pytest.mark.parametrize(
    "vectors", [GIVEN, (list(GIVEN), np.array(list(GIVEN.values()))), (list(GIVEN), np.float32(list(GIVEN.values())))]
)
def test_given_vectors_are_kept(vectors):
    model = small(vectors=vectors, train_vectors=False).fit(SENTENCES, TAGS)
    assert list(model.vocabulary_) == ["a", "b", "z"]
    for word, vector in GIVEN.items():
        assert model.vectors_[model.vocabulary_[word]].tolist() == vector
    begun = small(vectors=vectors, train_vectors=False, learning_rate=1e-30).fit(SENTENCES, TAGS)
    np.testing.assert_allclose(begun.vectors_[1], np.mean(list(GIVEN.values()), axis=0), rtol=1e-6)
    assert (model.vectors_[:2] != begun.vectors_[:2]).any(axis=1).all()  # nobody gave those


def test_given_vectors_are_trained_and_new_words_join_them():
    given = np.array(list(GIVEN.values()))
    model = small(vectors=(list(GIVEN), given)).fit(SENTENCES, TAGS)
    assert model.vocabulary_ == {"a": 2, "b": 3, "z": 4, "c": 5}
    assert (model.vectors_[2] != given[0]).all()
    assert model.vectors_[4].tolist() == given[2].tolist()  # no sentence has it
    assert given.tolist() == list(GIVEN.values())
    seen_nowhere, unknown = model.decision_function([["z"], ["?"]])
    assert seen_nowhere.tobytes() != unknown.tobytes()


@pytest.mark.parametrize(
    ("vectors", "error", "match"),
    [
        ("glove.txt", TypeError, "vectors must be a mapping"),
        ({}, ValueError, "a row for each of 0 words"),
        ({"a": [1, 2], "b": [1]}, ValueError, "vectors"),
        ({"a": []}, ValueError, r"shape \(1, 0\)"),
        ({1: [1.0]}, TypeError, "the word 1 of type int"),
        ({"a": ["x"]}, TypeError, "must be numbers"),
        ({"a": [np.nan]}, ValueError, "vectors contains NaN"),
        ({"a": [1e300]}, ValueError, "vectors contains infinity"),
        ((["a", "a"], np.ones((2, 3))), ValueError, "2 words of which only 1 differ"),
        ((["a"], np.ones((2, 3))), ValueError, "a row for each of 1 words"),
        ((["a"], np.ones(3)), ValueError, "a row for each of 1 words"),
    ],
)
def test_vectors_that_are_none(vectors, error, match):
    with pytest.raises(error, match=match):
        small(vectors=vectors).fit(SENTENCES, TAGS)


def test_the_penalty_makes_weights_and_vectors_smaller():
    sentences, tags = tagged(100)
    plain, penalised = (small(l2=l2, max_iter=10).fit(sentences, tags) for l2 in (0, 0.1))
    assert np.linalg.norm(penalised.coefs_[0]) < 0.5 * np.linalg.norm(plain.coefs_[0])
    assert np.linalg.norm(penalised.vectors_) < 0.7 * np.linalg.norm(plain.vectors_)


# --- part by part


@each_loss
def test_partial_fit_learns(loss):
    sentences, tags = tagged(400)
    model = WindowClassifier(1, 8, loss=loss, random_state=0)
    for i in range(60):
        some = slice(100 * (i % 4), 100 * (i % 4 + 1))
        model.partial_fit(sentences[some], tags[some])
    assert model.score(*tagged(100, seed=1)) > 0.97
    assert model.n_iter_ == len(model.loss_curve_) == 60


def test_one_pass_is_a_partial_fit():
    sentences, tags = tagged(50)
    assert state(small(max_iter=1).fit(sentences, tags)) == state(small().partial_fit(sentences, tags))


def test_partial_fit_meets_new_words():
    model = small(min_count=2).partial_fit([["a", "a", "b"]], [["X", "X", "Y"]])
    assert set(model.vocabulary_) == {"a"}
    before = model.vectors_.copy()
    model.partial_fit([["b", "c"]], [["Y", "X"]])  # b for the second time
    assert model.vocabulary_ == {"a": 2, "b": 3}
    assert model.vectors_.shape == (4, 4)
    assert model.vectors_[2].tobytes() == before[2].tobytes()  # not touched by sentences without it
    fixed = small(train_vectors=False, vectors=GIVEN).partial_fit([["new"], ["a"]], [["X"], ["Y"]])
    assert "new" not in fixed.vocabulary_


def test_partial_fit_with_classes_to_come():
    model = small().partial_fit([["a"]], [["X"]], classes=["Z", "X", "Y"])
    assert model.classes_.tolist() == ["X", "Y", "Z"]
    model.partial_fit([["a", "b"]], [["Y", "Z"]])
    before = state(model)
    with pytest.raises(ValueError, match=r"classes \['W'\] that are not among those so far"):
        model.partial_fit([["a"]], [["W"]])
    with pytest.raises(ValueError, match=r"is not what it was before"):
        model.partial_fit([["a"]], [["X"]], classes=["X", "Y"])
    with pytest.raises(ValueError, match="at least 2 classes"):
        small().partial_fit([["a"]], [["X"]], classes=["X"])
    assert state(model) == before


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("window", 2),
        ("loss", "max_margin"),
        ("hidden", 3),
        ("activation", "logistic"),
        ("lowercase", True),
        ("train_vectors", False),
    ],
)
def test_a_model_does_not_change_its_kind(name, value):
    model = small().fit(SENTENCES, TAGS)
    before, scores = state(model), model.decision_function(SENTENCES)
    with pytest.raises(ValueError, match=rf"{name}={value!r} was set after the model was fitted"):
        model.set_params(**{name: value}).partial_fit(SENTENCES, TAGS)
    assert state(model) == before
    for found, score in zip(model.decision_function(SENTENCES), scores, strict=True):
        assert found.tobytes() == score.tobytes()
    assert state(model.fit(SENTENCES, TAGS)) == state(small(**{name: value}).fit(SENTENCES, TAGS))


def test_memory_that_runs_out_leaves_a_model_that_goes_on(monkeypatch):
    model, calls, concatenate = small().fit(SENTENCES, TAGS), [], np.concatenate

    def fails_once(arrays):
        calls.append(arrays)
        if len(calls) == 2:
            raise MemoryError
        return concatenate(arrays)

    monkeypatch.setattr("fastclf.window.net.np.concatenate", fails_once)
    with pytest.raises(MemoryError):
        model.partial_fit([["new"]], [["X"]])
    monkeypatch.undo()
    model.partial_fit([["new"]], [["X"]])
    assert "new" in model.vocabulary_
    assert len(model.vectors_) == len(model.vocabulary_) + 2


def test_copies_and_pickles_go_on_alike():
    sentences, tags = tagged(40)
    model = small().partial_fit(sentences, tags)
    others = [copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    for each in (model, *others):
        each.partial_fit(sentences, tags)
    assert [state(each) for each in others] == [state(model)] * 2


# --- what there is to train on


@each_loss
@pytest.mark.parametrize("window", [0, 1, 5])
def test_short_and_empty_sentences(loss, window):
    model = small(window=window, loss=loss).fit(SENTENCES, TAGS)
    assert [len(tags) for tags in model.predict(SENTENCES)] == [3, 1, 0, 2]
    assert model.predict([]) == []
    assert model.predict([[], []]) == [[], []]
    assert model.decision_function([[]])[0].shape == (0, 2)


@each_loss
def test_batches_of_any_size(loss):
    sentences, tags = tagged(30)
    words = sum(map(len, sentences))
    fits = [small(loss=loss, batch_size=size).fit(sentences, tags) for size in (1, 7, words, 1 << 19)]
    assert all(np.isfinite(model.loss_curve_).all() for model in fits)
    assert state(fits[2]) == state(fits[3])


def test_corrupt_windows_of_tags_that_are_the_only_ones():
    """All words of a call have one tag, so that there are no windows of another."""
    model = small(loss="max_margin").partial_fit([["a", "b"]], [["X", "X"]], classes=["X", "Y"])
    assert model.predict([["a", "b"]]) == [["X", "X"]]


def test_integer_tags():
    model = small(max_iter=30).fit([["a", "b"]] * 20, [[3, 7]] * 20)
    assert model.predict([["a", "b"]]) == [[3, 7]]
    assert model.score([["a", "b"]], [[3, np.int64(7)]]) == 1


def test_other_sequences():
    pandas = pytest.importorskip("pandas")
    want = state(small().fit(SENTENCES, TAGS))
    forms = [
        (tuple(map(tuple, SENTENCES)), tuple(map(tuple, TAGS))),
        ([np.array(s, dtype=str) for s in SENTENCES], [np.array(t, dtype=str) for t in TAGS]),
        (pandas.Series(SENTENCES), pandas.Series(TAGS)),
        ((s for s in SENTENCES), (t for t in TAGS)),
    ]
    for sentences, tags in forms:
        assert state(small().fit(sentences, tags)) == want


# --- scikit-learn


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
def test_a_model_that_is_not_fitted_says_so(method):
    with pytest.raises(NotFittedError):
        getattr(small(), method)(SENTENCES)


def test_clones_and_searches():
    sentences, tags = tagged(60)
    model = small(vectors=GIVEN).fit(SENTENCES, TAGS)
    assert clone(model).get_params() == model.get_params()
    assert not hasattr(clone(model), "classes_")
    folds = KFold(3)
    scores = cross_val_score(small(), sentences, tags, cv=folds)
    assert scores.shape == (3,)
    wanted = []
    for train, test in folds.split(sentences):
        fitted = small().fit([sentences[i] for i in train], [tags[i] for i in train])
        wanted.append(fitted.score([sentences[i] for i in test], [tags[i] for i in test]))
    assert scores.tolist() == wanted
    search = GridSearchCV(small(), {"window": [0, 1]}, cv=folds).fit(sentences, tags)
    assert search.best_params_ == {"window": 1}
    assert make_pipeline(small()).fit(sentences, tags).score(sentences, tags) > 0.5


# --- telling


@pytest.mark.parametrize("has_tqdm", [True, False])
def test_progress(capfd, monkeypatch, has_tqdm):
    if has_tqdm:
        pytest.importorskip("tqdm")
    else:
        monkeypatch.setitem(sys.modules, "tqdm", None)
    sentences, tags = tagged(40)
    small(verbose=1).fit(sentences, tags)
    assert "window classifier" in capfd.readouterr().err
    small().fit(sentences, tags)
    assert capfd.readouterr().err == ""


# --- real names


@each_loss
def test_named_entities(data_file, loss):
    words, tags = read_tagged(data_file("ner/wikiann-en-train.tsv"))
    others, their_tags = read_tagged(data_file("ner/wikiann-en-dev.tsv"))
    model = WindowClassifier(loss=loss, random_state=0).fit(words, tags)
    assert model.classes_.tolist() == ["LOC", "O", "ORG", "PER"]
    predicted = model.predict(others)
    assert f1_score(list(chain(*their_tags)), list(chain(*predicted)), average="macro") > 0.78
