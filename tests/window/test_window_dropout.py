"""At which rate words are read as unknown: given, or chosen by the tags of words that occur once."""

from __future__ import annotations

import copy
import pickle
from itertools import chain

import numpy as np
import pytest
import saved_models
from tagged import each_loss, small, state

from fastclf import WindowClassifier
from fastclf.window import read_tagged


def corpus(names, others):
    """A sentence of words that occur once, as many names and others, and 200 more words that are all "of"."""
    words = [f"Name{i}" for i in range(names)] + [f"word{i}" for i in range(others)]
    tags = ["NAME"] * names + ["O"] * others
    return [words, ["of"] * 200], [tags, ["O"] * 200]


BELOW = corpus(25, 76)  # 25 names of 101 words that occur once
AT = corpus(25, 75)  # of 100
ABOVE = corpus(25, 74)  # of 99
EACH_SIDE = [(BELOW, 0.0), (AT, 1.0), (ABOVE, 1.0)]


@each_loss
@pytest.mark.parametrize(("data", "rate"), EACH_SIDE)
def test_the_rate_follows_from_a_quarter_of_the_words_that_occur_once(loss, data, rate):
    assert WindowClassifier().word_dropout == "auto"
    model = small(loss=loss).fit(*data)
    assert model.word_dropout_ == rate
    given, other = (small(loss=loss, word_dropout=a).fit(*data) for a in (rate, 1 - rate))
    assert state(model) == state(given) != state(other)
    assert (given.word_dropout_, other.word_dropout_) == (rate, 1 - rate)


@pytest.mark.parametrize("rate", [0, 0.25, np.float32(0.5), 1])
def test_a_rate_that_is_given_counts_whatever_the_words(rate):
    for data, _ in EACH_SIDE:
        model = small(word_dropout=rate).fit(*data)
        assert model.word_dropout_ == rate
        assert type(model.word_dropout_) is float


def test_words_that_occur_twice_do_not_count():
    sentences, tags = BELOW
    model = small().fit([*sentences, ["twice", "twice", "again"], ["again"]], [*tags, ["NAME"] * 3, ["NAME"]])
    assert model.word_dropout_ == 0


@pytest.mark.parametrize(("lowercase", "rate"), [(False, 1), (True, 0)])
def test_words_count_as_they_are_taken(lowercase, rate):
    """Three words that occur once, one of them a name; in lower case two of four: "of" is there twice then."""
    sentences, tags = [["Rome", "rome", "a", "b"], ["the"] * 9], [["NAME", "O", "O", "O"], ["O"] * 9]
    assert small(lowercase=lowercase).fit(sentences, tags).word_dropout_ == rate


@pytest.mark.parametrize("train_vectors", [True, False])
@pytest.mark.parametrize(("given", "rate"), [("Name0", 0), ("word0", 1)])
def test_words_that_come_with_vectors_do_not_count(given, rate, train_vectors):
    """Without the one word there are 24 names of 99, or 25 of 99."""
    options = {"vectors": {given: [1.0, 0.0, 2.0]}, "train_vectors": train_vectors}
    assert small(**options).fit(*AT).word_dropout_ == rate


def test_where_all_words_come_with_vectors_the_rate_changes_nothing():
    vectors = {word: [i / 100, 1.0, 0.0] for i, word in enumerate(sorted(set(chain(*BELOW[0]))))}
    fits = [small(vectors=vectors, word_dropout=a).fit(*BELOW) for a in ("auto", 0, 1)]
    assert state(fits[0]) == state(fits[1]) == state(fits[2])


@pytest.mark.parametrize("min_count", [1, 2])
def test_without_words_that_occur_once_the_rate_is_1(min_count):
    model = small(min_count=min_count).fit([["a", "b"]] * 2, [["X", "Y"]] * 2)
    assert model.word_dropout_ == 1


def test_words_that_get_no_vector_count():
    assert [small(min_count=2).fit(*data).word_dropout_ for data, _ in EACH_SIDE] == [0, 1, 1]


@pytest.mark.parametrize(("first", "second"), ["XY", "YX"])
def test_of_equally_common_tags_that_of_fewest_words_that_occur_once_counts(first, second):
    """All words that occur once have the one tag, but each tag is there three times."""
    assert small().fit([["a", "b", "c"], ["d"] * 3], [[first] * 3, [second] * 3]).word_dropout_ == 1


# --- part by part


@pytest.mark.parametrize(("first", "rate", "later"), [(BELOW, 0, ABOVE), (ABOVE, 1, corpus(1, 300))])
def test_partial_fit_keeps_the_choice(first, rate, later):
    model, given = small().partial_fit(*first), small(word_dropout=rate).partial_fit(*first)
    for _ in range(2):
        assert model.word_dropout_ == rate
        assert state(model) == state(given)
        model.partial_fit(*later)
        given.partial_fit(*later)


def test_fit_chooses_again_and_partial_fit_goes_on_with_that():
    model = small().fit(*BELOW).fit(*AT)
    assert model.word_dropout_ == 1
    assert model.partial_fit(*BELOW).word_dropout_ == 1


def test_copies_and_pickles_keep_the_choice():
    model = small().fit(*BELOW)
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other.word_dropout_ == 0
        assert other.partial_fit(*corpus(9, 0)).word_dropout_ == 0


def test_a_rate_given_later_counts_as_long_as_it_is_given():
    model = small().fit(*BELOW)
    assert model.set_params(word_dropout=0.5).partial_fit(*BELOW).word_dropout_ == 0.5
    assert model.set_params(word_dropout="auto").partial_fit(*corpus(9, 0)).word_dropout_ == 0


def test_the_first_call_that_has_to_choose_does():
    model = small(word_dropout=0).fit(*BELOW).set_params(word_dropout="auto")
    assert model.partial_fit([["new", "of", "of"]], [["NAME", "O", "O"]]).word_dropout_ == 1


def test_a_call_that_fails_chooses_nothing():
    model = small()
    with pytest.raises(ValueError, match="values overflow"):
        model.set_params(learning_rate=3e38).partial_fit(*BELOW)
    assert not hasattr(model, "word_dropout_")
    assert model.set_params(learning_rate=0.1).partial_fit(*ABOVE).word_dropout_ == 1


@pytest.mark.parametrize("name", ["window", "window-hidden", "window-max-margin"])
def test_models_saved_with_a_rate_go_on(name):
    """They were before there was a choice."""
    model = saved_models.loaded(saved_models.FOLDER / "0.1.0", name)
    data = [["the", "cat"]], [["D", "N"]]
    assert model.partial_fit(*data).word_dropout_ == 1
    assert model.set_params(word_dropout="auto").partial_fit(*data).word_dropout_ == 1


# --- real names


def test_words_that_occur_once_are_often_names(data_file):
    sentences, tags = read_tagged(data_file("ner/wikiann-en-train.tsv"))
    assert WindowClassifier(max_iter=1, dim=2, random_state=0).fit(sentences, tags).word_dropout_ == 1
