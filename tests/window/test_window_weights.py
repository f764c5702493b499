"""Weights of tags and of sentences."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
from tagged import each_loss, small, state, tagged

from fastclf import WindowClassifier


def rare():
    """Sentences in which one word in forty is a name, by its neighbour; noise hides half of these."""
    rng = np.random.default_rng(5)
    words = rng.integers(0, 30, (400, 10))
    is_name = (words == 7) & (rng.random(words.shape) < 0.4)
    return [[f"w{w}" for w in row] for row in words], [["NAME" if n else "O" for n in row] for row in is_name]


def test_class_weights_find_more_of_rare_tags():
    sentences, tags = rare()
    found = {}
    for class_weight in (None, {"NAME": 1.0}, "balanced", {"NAME": 100.0}, {"NAME": 0}):
        model = WindowClassifier(0, 4, class_weight=class_weight, word_dropout=0, random_state=0)
        predicted = list(chain(*model.fit(sentences, tags).predict(sentences)))
        found[str(class_weight)] = predicted.count("NAME"), state(model)
    # 0.4 of the word's places are names: without weights, the other tag is the more probable one.
    of_word = sum(word == "w7" for sentence in sentences for word in sentence)
    assert found["None"][0] == found["{'NAME': 0}"][0] == 0
    assert found["balanced"][0] == of_word
    assert found["{'NAME': 100.0}"][0] >= of_word
    assert found["{'NAME': 1.0}"][1] == found["None"][1]


@each_loss
def test_weights_of_sentences(loss):
    sentences, tags = tagged(60)
    plain = small(loss=loss).fit(sentences, tags)
    for weight in (np.ones(60), np.full(60, 4)):
        assert state(small(loss=loss).fit(sentences, tags, weight)) == state(plain)
    once = small(loss=loss).partial_fit(sentences, tags, None, np.ones(60))
    assert state(once) == state(small(loss=loss).partial_fit(sentences, tags))
    # Of two texts that contradict each other, the one with the weight is believed.
    other = dict(zip(plain.classes_, np.roll(plain.classes_, 1), strict=True))
    twisted = [[other[tag] for tag in row] for row in tags]
    weight = np.repeat([1.0, 0.01], 60)
    model = small(loss=loss, max_iter=15).fit(sentences * 2, tags + twisted, weight)
    assert model.score(sentences, tags) > 0.9


@pytest.mark.parametrize(
    ("parameters", "weight", "error", "match"),
    [
        ({"class_weight": "equal"}, None, ValueError, "class_weight must be a dict"),
        ({"class_weight": {"NAME": -1}}, None, ValueError, "class_weight must be finite and not negative"),
        ({"class_weight": {"NAMES": 1}}, None, ValueError, "which are no classes"),
        ({}, np.ones(3), ValueError, r"sample_weight must have shape \(400,\)"),
        ({}, -np.ones(400), ValueError, r"sample_weight\[0\] = -1"),
        ({}, np.zeros(400), ValueError, "must sum to a normal number above 0, got 0"),
        ({}, np.full(400, 1e-315), ValueError, "must sum to a normal number above 0"),
        ({}, np.full(400, 1e308), ValueError, "must sum to a normal number above 0, got inf"),
        ({}, ["a"] * 400, TypeError, "sample_weight must be numbers"),
    ],
)
def test_bad_weights(parameters, weight, error, match):
    model = WindowClassifier(**parameters)
    with pytest.raises(error, match=match):
        model.fit(*rare(), weight)
    assert not hasattr(model, "coefs_")
