"""Checks of tags, and their numbers."""

from __future__ import annotations

import itertools
import numbers
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastclf._shared import estimators
from fastclf._shared import validation as check
from fastclf._shared.class_weights import with_class_weights
from fastclf.window.sentences import Sentences, is_list, lengths_of, lists_of

Tags = Sequence[Sequence[Any]]

# What tags may be, and how those of derived types, such as NumPy's, become plain: by the kinds of dtypes.
_PLAIN: dict[str, Callable[[Any], Any]] = {"U": str.__str__, "b": bool, "i": int}


def checked_data(
    sentences: Any, tags: Any, lowercase: bool, classes: Any = None, known: NDArray[Any] | None = None
) -> tuple[Sentences, NDArray[Any], NDArray[np.int64]]:
    """Return words to train on, the classes (given or known, else those there are), and each word's among them."""
    words = Sentences.of(sentences, lowercase)
    flat = tags_of(tags, words)
    if not flat:
        raise ValueError("sentences have no words: there is nothing to learn")
    return words, *codes_of(flat, classes, known)


def tags_of(tags: Any, sentences: Sentences) -> list[Any]:
    """Check tags, one for each word; return them one after the other."""
    lists = lists_of(tags, "tags")
    if len(lists) != len(sentences.lengths):
        raise ValueError(f"sentences and tags must be as many, got {len(sentences.lengths)} and {len(lists)}")
    differing = np.flatnonzero(lengths_of(lists) != sentences.lengths)
    if len(differing):
        i = int(differing[0])
        raise ValueError(f"sentences[{i}] has {sentences.lengths[i]} words, but tags[{i}] has {len(lists[i])} tags")
    flat = list(itertools.chain.from_iterable(lists))
    return _plain(flat, lambda at: "tags[{}][{}]".format(*_place(at, sentences.lengths)))


def codes_of(tags: list[Any], given: Any, known: NDArray[Any] | None) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the classes, those given or known or else those there are, and each tag's number among them."""
    if given is not None:
        if not is_list(given):
            raise TypeError(f"classes must be a list of tags, got {given!r} of type {type(given).__name__}")
        given = _sorted(_plain(list(given), "classes[{}]".format))
    known = estimators.agreed_classes(given, known)
    found = _sorted(tags)
    if known is None:
        if len(found) < 2:
            raise ValueError(f"tags have only one class, {found.tolist()}: at least 2 classes are needed")
        known = found
    number = {tag: i for i, tag in enumerate(known.tolist())}
    unknown = [tag for tag in found.tolist() if tag not in number]
    if unknown or found.dtype.kind != known.dtype.kind:
        raise ValueError(
            f"tags have classes {(unknown or found.tolist())[:5]} that are not among those so far, "
            f"{known.tolist()[:20]}"
        )
    return known, np.fromiter(map(number.__getitem__, tags), np.int64, len(tags))


def window_weights(
    words: Sentences, classes: NDArray[Any], codes: NDArray[np.int64], class_weight: Any, sample_weight: Any
) -> NDArray[np.float64] | None:
    """Return what each window counts, 1 in the mean: its sentence's weight times its tag's; None if there are none."""
    if class_weight is None and sample_weight is None:
        return None
    weight = np.ones(len(codes))
    if sample_weight is not None:
        weight = np.repeat(check.weights_of(sample_weight, words.lengths.shape, "sample_weight"), words.lengths)
    if class_weight is not None:
        weight = with_class_weights(codes, classes, class_weight, weight)
    with np.errstate(over="ignore", divide="ignore"):
        total = weight.sum()
        scale = len(weight) / total
    if not (np.isfinite(scale) and np.isfinite(total)):
        raise ValueError(f"sample_weight and class_weight must sum to a normal number above 0, got {total}")
    scaled: NDArray[np.float64] = weight * scale
    return scaled


def _sorted(tags: Iterable[Any]) -> NDArray[Any]:
    """Return the different tags as an array that holds each as it is."""
    names = sorted(set(tags))
    try:
        array = np.array(names, np.int64 if names and type(names[0]) is int else None)
    except OverflowError:
        raise ValueError(f"tags must be in the range of int64, got {names[0]} to {names[-1]}") from None
    if array.tolist() != names:
        raise ValueError("tags must not end with the character NUL, which NumPy's strings lose")
    return array


def _kind(of: type) -> str | None:
    """Return the kind of dtype for tags of a type; None if there is none."""
    if issubclass(of, str):
        return "U"
    if issubclass(of, bool | np.bool_):
        return "b"
    return "i" if issubclass(of, numbers.Integral) else None


def _plain(tags: list[Any], name: Callable[[int], str]) -> list[Any]:
    """Return tags of one kind as plain Python's."""
    types = {of: _kind(of) for of in set(map(type, tags))}
    if not tags:
        return tags
    kind = types[type(tags[0])]
    if kind is None or set(types.values()) != {kind}:
        at = next(i for i, tag in enumerate(tags) if types[type(tag)] is None or types[type(tag)] != kind)
        wanted = "str, int or bool" if types[type(tags[at])] is None else f"like the first, {tags[0]!r}"
        raise TypeError(f"{name(at)} = {tags[at]!r} of type {type(tags[at]).__name__}: tags must be {wanted}")
    return tags if types.keys() <= {str, bool, int} else list(map(_PLAIN[kind], tags))


def _place(at: int, lengths: NDArray[np.int64]) -> tuple[int, int]:
    """Return in which sentence a word is, and where there."""
    ends = np.cumsum(lengths)
    i = int(np.searchsorted(ends, at, side="right"))
    return i, at - int(ends[i] - lengths[i])
