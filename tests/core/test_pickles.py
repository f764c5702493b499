"""Pickles of every protocol, also with their memory at addresses that kernels cannot read from."""

from __future__ import annotations

import copy
import pickle
import warnings
from collections import Counter, OrderedDict
from fractions import Fraction

import numpy as np
import pytest

from fastclf import KNN, KNNCV, LinearClassifier, WindowClassifier
from fastclf._shared import sealing

SENTENCES, TAGS = [["a", "b", "c"], ["d", "e"]] * 20, [["X", "Y", "X"], ["Y", "X"]] * 20


def data():
    X = np.random.default_rng(0).normal(size=(700, 3))
    return X, (X[:, 0] > 0) + 2.0 * (X[:, 1] > 0)


def neighbors(model):
    X, y = data()
    yield from (model.predict(X), *model.kneighbors(X), model.predict(None))
    yield from model.partial_fit(X[::2] + 0.1, y[::2]).kneighbors(X)


def scores(model):
    X, y = data()
    yield model.decision_function(X)
    yield model.partial_fit(X, y).decision_function(X)


def validation(model):
    yield model.predict_proba(data()[0])
    for name, values in model.cv_results_.items():
        yield [name, type(values).__name__, str(np.asarray(values).dtype)]
        yield values if isinstance(values, list) else np.stack([np.ma.getdata(values), np.ma.getmaskarray(values)])


def tags(model):
    yield from model.decision_function(SENTENCES)
    yield model.partial_fit([*SENTENCES, ["new"]], [*TAGS, ["X"]]).vectors_


def knn(**options):
    return lambda: KNN(3, **options).fit(*data())


def sketched():
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(60_000, 3)) @ rng.normal(size=(3, 200))).astype("float32")
    model = KNN(3, backend="exact").fit(X, np.arange(60_000) % 3)
    assert model._memory.backend.pays(3)
    return model


def some_neighbors(model):
    X = np.asarray(model._memory.backend.rows[::1000]) + np.float32(0.01)
    yield from model.kneighbors(X)


# What makes a model, and what it answers; this may change it.
MODELS = {
    "exact": (knn(backend="exact"), neighbors),
    "bytes": (lambda: KNN(3).fit(*(np.round(part * 20 + 128) for part in data())), neighbors),
    "faiss": (knn(backend="faiss", index="IVF8,Flat"), neighbors),
    "words": (lambda: KNN(3).fit(data()[0], np.array(["a", "b", "c", "d"])[data()[1].astype(int)]), None),
    "cross-validation": (lambda: KNNCV([1, 3]).fit(*data()), validation),
    "linear": (lambda: LinearClassifier().fit(*data()), lambda model: [model.decision_function(data()[0])]),
    "linear, in steps": (lambda: LinearClassifier(random_state=0).partial_fit(*data()), scores),
    "windows": (lambda: WindowClassifier(random_state=0, max_iter=2).fit(SENTENCES, TAGS), tags),
    "windows, hidden": (lambda: WindowClassifier(random_state=0, max_iter=2, hidden=5).fit(SENTENCES, TAGS), tags),
    "sketches": (sketched, some_neighbors),
}
each_model = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name == "sketches" else ()) for name in MODELS]
)


def answers(name, model):
    ask = MODELS[name][1] or (lambda model: [model.predict(data()[0])])
    return [np.asarray(found).tolist() for found in ask(model)]


def made(name):
    if name == "faiss":
        pytest.importorskip("faiss")
    return MODELS[name][0]()


def at_odd_addresses(buffers):
    """Copies of buffers, each one byte beyond a multiple of 64."""
    for buffer in buffers:
        size = buffer.raw().nbytes
        memory = np.zeros(size + 128, np.uint8)
        start = 1 - memory.ctypes.data % 64 + 64
        memory[start : start + size] = np.frombuffer(buffer.raw(), np.uint8)
        yield memory[start : start + size].data


@each_model
def test_memory_that_is_not_aligned(name):
    model, buffers = made(name), []
    pickled = pickle.dumps(model, protocol=5, buffer_callback=buffers.append)
    assert len(buffers) > 1
    again = pickle.loads(pickled, buffers=at_odd_addresses(buffers))
    assert answers(name, again) == answers(name, model)


@each_model
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_every_protocol(name, protocol):
    model = made(name)
    again = pickle.loads(pickle.dumps(model, protocol))
    assert answers(name, again) == answers(name, model)


def test_what_is_aligned_is_not_copied():
    model, buffers = made("exact"), []
    pickled = pickle.dumps(model, protocol=5, buffer_callback=buffers.append)
    again = pickle.loads(pickled, buffers=buffers)
    assert np.shares_memory(again._memory.backend.rows, model._memory.backend.rows)


def test_no_masked_array_is_pickled_as_numpy_does():
    """NumPy's own reader of them may crash on damaged ones, before the checksum is looked at."""
    model = made("cross-validation")
    model.cv_results_["param_k"][1] = np.ma.masked
    again = pickle.loads(pickle.dumps(model))
    assert again.cv_results_["param_k"].tolist() == [1, None, 3, 3]
    assert b"numpy.ma" not in pickle.dumps(model)


def test_arrays_that_were_shared_are_shared_again():
    model, buffers = made("windows"), []
    pickled = pickle.dumps(model, protocol=5, buffer_callback=buffers.append)
    again = pickle.loads(pickled, buffers=at_odd_addresses(buffers))
    assert again.vectors_ is again._model.net.vectors


# --- what is not what was saved ---------------------------------------------------------------------------------------


def outcomes(name, seeds):
    """Flip a bit of a model's pickle, in the part that is mostly arrays or anywhere: how often what happens."""
    model, told = made(name), {"refused": 0, "the same": 0, "another": 0}
    pickled, expected = pickle.dumps(model), answers(name, pickle.loads(pickle.dumps(model)))
    for seed in seeds:
        damaged = bytearray(pickled)
        damaged[np.random.default_rng(seed).integers(len(damaged))] ^= 1 << seed % 8
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                found = answers(name, pickle.loads(bytes(damaged)))
            except Exception:  # of any kind: pickle's own, or what a changed name or number leads to
                told["refused"] += 1
            else:
                told["the same" if found == expected else "another"] += 1
    return told


def test_seals_tell_what_generators_draw_next():
    generator = np.random.default_rng(0)
    sums = [sealing.checksum(generator), sealing.checksum(pickle.loads(pickle.dumps(generator)))]
    generator.random()
    sums += [sealing.checksum(generator), sealing.checksum(np.random.default_rng(1))]
    assert sums[0] == sums[1]
    assert len(set(sums)) == 3


@pytest.mark.parametrize("name", ["exact", "words", "faiss", "linear", "windows, hidden", "cross-validation"])
@pytest.mark.parametrize("seeds", [(0, 40), pytest.param((40, 400), marks=pytest.mark.slow)])
def test_flipped_bits_crash_nothing_and_change_no_answer(forks, name, seeds):
    if name == "faiss":
        pytest.importorskip("faiss")
    told = forks.result(outcomes, name, list(range(*seeds)), timeout=250)
    assert told["another"] == 0
    assert told["refused"] > 0.5 * len(range(*seeds))


def test_a_changed_value_is_refused():
    for change in (
        lambda state: state["coef_"].__setitem__((0, 0), 3.0),
        lambda state: state.update(l2=2.0),
        lambda state: state.update(extra=1),
        lambda state: state.pop("intercept_"),
    ):
        state, *seal = copy.deepcopy(made("linear").__reduce_ex__(4)[2])
        change(state)
        model = LinearClassifier.__new__(LinearClassifier)
        with pytest.raises(ValueError, match="this LinearClassifier is damaged: its values"):
            sealing.open_into(model, (state, *seal))
        assert not vars(model)


@pytest.mark.parametrize(
    ("seal", "match"),
    [
        ((sealing.FORMAT + 1, "other parts"), f"saved in format {sealing.FORMAT + 1} by a newer version"),
        ((), "it has no checksum"),
        ((1,), "it has no checksum"),
        ((1, 2), "it has no checksum"),
        (("1", 2, ()), "it has no checksum"),
        ((1, 2, ("1",)), "it has no checksum"),
    ],
)
def test_seals_that_are_none_of_this_version(seal, match):
    state = made("linear").__reduce_ex__(4)[2][0]
    model = LinearClassifier.__new__(LinearClassifier)
    with pytest.raises(ValueError, match=match):
        sealing.open_into(model, (state, *seal))
    assert not vars(model)


class Forgetful(KNN):
    """A subclass that saves less, and adds something when it is loaded."""

    def __getstate__(self):
        state = dict(super().__getstate__())
        state.pop("cache_", None)
        return state

    def __setstate__(self, state):
        super().__setstate__({**state, "loaded_": True})


class Odd:
    """Something of another package."""


class AsList:
    """Something that is a list when it is loaded."""

    def __reduce__(self):
        return list, ([1, 2],)


def ways_to_copy():
    yield from (copy.copy, copy.deepcopy)
    yield from (lambda model, p=p: pickle.loads(pickle.dumps(model, p)) for p in range(pickle.HIGHEST_PROTOCOL + 1))


def test_subclasses_have_states_of_their_own():
    X, y = data()
    model = Forgetful(3).fit(X, y)
    model.cache_ = 1
    for way in ways_to_copy():
        again = way(model)
        assert not hasattr(again, "cache_")
        assert again.loaded_
        np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_what_pickle_changes_is_no_damage():
    X, y = data()
    padded = np.zeros(9, {"names": ["a", "b"], "formats": ["u1", "f8"], "offsets": [0, 8], "itemsize": 16})[::2]
    for labels in (y.astype(">f8"), y.astype(int).astype(">i4"), y.astype(">U3")):
        model = KNN(3).fit(X, labels)
        model.extra = [
            padded,
            {Odd(), Odd()},
            AsList(),
            np.longdouble("0.1"),
            np.ones(2, np.longdouble),
            model,
        ]
        for way in ways_to_copy():
            again = way(model)
            np.testing.assert_array_equal(again.predict(X), model.predict(X))
            assert again.extra[-1] is again or way is copy.copy


@pytest.mark.parametrize("legacy", ["1.13", "1.25", False])
def test_how_numpy_prints_is_no_matter(legacy):
    X, y = data()
    saved = pickle.dumps(LinearClassifier(l2=np.float64(0.01), tol=np.float32(1e-3)).fit(X, y))
    with np.printoptions(legacy=legacy):
        assert pickle.loads(saved).l2 == 0.01


def test_containers_that_hold_themselves():
    X, y = data()
    model = KNN(3).fit(X, y)
    model.tree = {"children": []}
    model.tree["children"].append({"parent": model.tree})
    for way in ways_to_copy():
        again = way(model)
        assert again.tree["children"][0]["parent"] is again.tree
        np.testing.assert_array_equal(again.predict(X), model.predict(X))


class MadeAnew(KNN):
    """A subclass that says itself how it is pickled."""

    def __reduce__(self):
        return MadeAnew, (self.k,)


def test_subclasses_pickle_in_ways_of_their_own():
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(MadeAnew(5), protocol)).k == 5


class Slim(KNNCV):
    """A subclass that saves no table of scores."""

    def __getstate__(self):
        return {**super().__getstate__(), "cv_results_": None}


def test_a_table_of_scores_need_not_be_there():
    X, y = data()
    for make in (Slim, KNNCV):
        model = make(ks=(1, 3)).fit(X, y)
        if make is KNNCV:
            model.cv_results_ = None
        again = pickle.loads(pickle.dumps(model))
        assert again.cv_results_ is None
        np.testing.assert_array_equal(again.predict(X), model.predict(X))


def test_any_value_of_a_state_counts():
    values = [None, True, 1, 1.0, "1", b"1", (1,), [1], {"a": 1}, {"a": 2}, {1}, np.float32(1), np.int64(1)]
    values += [np.ones(2), np.ones(2, "f4"), np.ones((2, 1)), np.array(["a"], object), np.array(["b"], object)]
    values += [np.zeros((0, 3)), np.zeros((3, 0)), -0.0, 0.0, np.nan, "\ud800", 10**5000, np.longdouble(1)]
    values += [np.zeros(1, [("a", "f4")]), np.ones(1, [("a", "f4")])]
    values += [np.ones(1, [("a", "f4", 2000)])[0], np.zeros(1, [("a", "f4", 2000)])[0]]
    values += [range(3), range(4), slice(3), bytearray(b"1"), Counter("a"), Counter("aa"), OrderedDict(a=1)]
    assert len({sealing.checksum({"x": value}) for value in values}) == len(values)
    round_one: dict[str, object] = {}
    round_one["itself"] = round_one
    assert sealing.checksum(round_one) == sealing.checksum(round_one)
    assert sealing.checksum(np.ones((3, 4))[:, ::2]) == sealing.checksum(np.ones((3, 2)))
    assert sealing.checksum(np.ones(3, ">f4")) == sealing.checksum(np.ones(3, "<f4"))
    assert sealing.checksum([object()]) == sealing.checksum([Fraction(1)])  # of other packages
