"""The kernels of window classifiers: what the definitions say, and the same bytes for any processor and threads."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import reference_window as reference
from digests import digest
from names import FLOAT_DTYPES, each_float

from fastclf import _native
from fastclf.window.net import ACTIVATIONS, Net, drawn_vectors
from fastclf.window.training import Steps

EPS = {dtype: float(np.finfo(dtype).eps) for dtype in FLOAT_DTYPES}

# words, dim, window, hidden, classes, windows: around the sizes of lines, tiles and blocks
SHAPES = [
    (3, 1, 0, None, 1, 1),
    (9, 3, 1, None, 2, 31),
    (9, 16, 2, None, 5, 32),
    (40, 5, 3, None, 7, 33),
    (9, 17, 1, 1, 2, 15),
    (9, 3, 2, 16, 13, 65),
    (40, 50, 2, 33, 4, 100),
]


def drawn(shape, dtype, rng, activation="tanh", trained=None):
    """A model, a text with windows that overlap, and labels."""
    words, dim, window, hidden, classes, n = shape
    vectors = 3 * drawn_vectors((words, dim), rng, dtype)
    sizes = [classes] if hidden is None else [hidden, classes]
    net = Net.drawn(vectors, words if trained is None else trained, sizes, window, activation, rng)
    for layer in net.layers:
        layer.b += rng.normal(size=layer.b.shape).astype(dtype)
    word = rng.integers(0, words, n + 2 * window).astype(np.int32)
    return net, word, window + rng.permutation(n), rng.integers(0, classes, n)


def train(net, word, centre, label, corrupt=None, corrupt_label=None, *, batch, l2=0.0, n_threads=1, weight=None):
    objective, how = np.empty(-(-len(centre) // batch)), Steps(corrupt is not None, batch, 0.1, l2, 1.0)
    assert _native.window_train(net, how, word, centre, label, corrupt, corrupt_label, n_threads, objective, weight)
    return objective


def test_every_activation_has_a_reference():
    assert set(reference.ACTIVATIONS) == set(ACTIVATIONS)


@each_float
@pytest.mark.parametrize(
    ("shape", "activation"),
    [(shape, name) for shape in SHAPES for name in (ACTIVATIONS if shape[3] else ACTIVATIONS[:1])],
    ids=str,
)
def test_scores(isa, dtype, shape, activation, rng):
    net, word, centre, _ = drawn(shape, dtype, rng, activation)
    wanted = [reference.score(net, word, c) for c in centre]
    found = net.scores(word, centre, 1)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, wanted, rtol=0, atol=32 * EPS[dtype] * (1 + np.abs(wanted).max()))
    assert net.scores(word, centre, 3).tobytes() == found.tobytes()
    assert net.scores(word, centre[5:6], 1).tobytes() == found[5:6].tobytes()


@pytest.mark.parametrize(
    ("pairs", "hidden", "activation", "trained", "l2"),
    [
        (False, None, "tanh", 9, 0.0),
        (False, 6, "tanh", 9, 0.05),
        (False, 5, "logistic", 2, 0.05),
        (False, 1, "tanh", 0, 0.0),
        (True, None, "tanh", 9, 0.05),
        (True, 6, "logistic", 9, 0.0),
        (True, 5, "tanh", 2, 0.0),
    ],
)
def test_slopes_of_the_whole_model_are_those_of_differences(isa, pairs, hidden, activation, trained, l2, rng):
    net, word, centre, label = drawn((9, 3, 2, hidden, 4, 35), "float64", rng, activation, trained)
    corrupt = (rng.permutation(centre), rng.integers(0, 4, 35)) if pairs else (None, None)
    before = copy.deepcopy(net)
    wanted = reference.gradients(net, word, centre, label, l2, *corrupt)
    value = reference.objective(net, word, centre, label, l2, *corrupt)
    assert train(net, word, centre, label, *corrupt, batch=35, l2=l2)[0] == pytest.approx(value, rel=1e-12)
    # The first step of Adagrad leaves the gradients' squares behind, and goes against them.
    triples = zip(reference.squares(net), reference.parameters(net), reference.parameters(before), strict=True)
    for slope, (total, after, start) in zip(wanted, triples, strict=True):
        np.testing.assert_allclose(-np.sign(after - start) * np.sqrt(total), slope, rtol=1e-6, atol=2e-9)
    assert net.vectors[trained:].tobytes() == before.vectors[trained:].tobytes()


@each_float
@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize("hidden", [None, 3])
def test_steps_are_those_of_adagrad(isa, dtype, pairs, hidden, rng):
    net, word, centre, label = drawn((7, 2, 1, hidden, 3, 21), dtype, rng)
    corrupt = (rng.permutation(centre), rng.integers(0, 3, 21)) if pairs else (None, None)
    plain = copy.deepcopy(net)
    for values in (plain.layers, [plain]):
        for part in values:
            for name, value in vars(part).items():
                if isinstance(value, np.ndarray):
                    setattr(part, name, value.astype(float))
    wanted = []
    for start in range(0, 21, 8):
        some = slice(start, start + 8)
        pair = [None if c is None else c[some] for c in corrupt]
        wanted.append(reference.adagrad(plain, 0.1, word, centre[some], label[some], 0.01, *pair))
    found = train(net, word, centre, label, *corrupt, batch=8, l2=0.01)
    # Adagrad divides a slope by gradients of its own size, so that the errors of small ones are no smaller.
    tolerance = 2e-4 if dtype == "float32" else 1e-7
    np.testing.assert_allclose(found, wanted, rtol=tolerance)
    for a, b in zip(reference.parameters(net), reference.parameters(plain), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance)


@pytest.mark.parametrize("pairs", [False, True])
def test_weights_of_windows(isa, pairs, rng):
    net, word, centre, label = drawn((7, 2, 1, 3, 3, 75), "float64", rng)
    corrupt = (rng.permutation(centre), rng.integers(0, 3, 75)) if pairs else (None, None)
    # No weights cancel: Adagrad would make a whole step of what rounding leaves of a slope of 0.
    weight, plain, wanted = rng.uniform(size=75) * (rng.random(75) < 0.8), copy.deepcopy(net), []
    for some in (slice(0, 40), slice(40, 75)):
        pair = [None if c is None else c[some] for c in corrupt]
        weights = {"weight": weight[some]}
        wanted.append(reference.adagrad(plain, 0.1, word, centre[some], label[some], 0.01, *pair, **weights))
    found = train(net, word, centre, label, *corrupt, batch=40, l2=0.01, weight=weight)
    np.testing.assert_allclose(found, wanted, rtol=1e-7)
    for a, b in zip(reference.parameters(net), reference.parameters(plain), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)


@each_float
@pytest.mark.parametrize("pairs", [False, True])
def test_training_has_the_same_bytes_on_every_processor_with_any_threads(dtype, pairs):
    before, seen = _native.isa(), {}
    try:
        for name in _native.isas():
            _native.use_isa(name)
            for n_threads in (1, 2, 5):
                rng = np.random.default_rng(3)
                for shape in SHAPES[1:]:
                    net, word, centre, label = drawn(shape, dtype, rng)
                    corrupt = (
                        (rng.permutation(centre), rng.integers(0, shape[4], len(centre))) if pairs else (None, None)
                    )
                    for batch in (1, 32, 1000):
                        values = train(net, word, centre, label, *corrupt, batch=batch, l2=1e-3, n_threads=n_threads)
                        found = digest(values, *reference.parameters(net), *reference.squares(net))
                        assert seen.setdefault((shape, batch), found) == found, (name, n_threads, shape, batch)
    finally:
        _native.use_isa(before)


@pytest.mark.parametrize("pairs", [False, True])
def test_large_batches_have_the_same_bytes_with_any_threads(pairs):
    digests = set()
    for n_threads in (1, 4):
        rng = np.random.default_rng(8)
        net, word, centre, label = drawn((500, 20, 3, 40, 5, 3000), "float32", rng)
        corrupt = (rng.permutation(centre), rng.integers(0, 5, 3000)) if pairs else (None, None)
        values = train(net, word, centre, label, *corrupt, batch=1500, n_threads=n_threads)
        digests.add(digest(values, *reference.parameters(net)))
    assert len(digests) == 1


def test_no_windows(isa, rng):
    net, word, centre, label = drawn(SHAPES[1], "float32", rng)
    before = digest(*reference.parameters(net))
    assert train(net, word, centre[:0], label[:0], batch=4).shape == (0,)
    assert net.scores(word, centre[:0], 1).shape == (0, 2)
    assert digest(*reference.parameters(net)) == before


@pytest.mark.parametrize("pairs", [False, True])
def test_steps_before_an_overflow_are_kept(isa, pairs, rng):
    net, word, centre, label = drawn((9, 3, 1, None, 2, 20), "float32", rng)
    corrupt = (centre.copy(), 1 - label) if pairs else (None, None)
    order = np.argsort(centre)
    word[word == 8] = 7
    word[18] = 8  # in windows of the second half
    net.vectors[8] = np.inf
    first = copy.deepcopy(net)
    arrays = [word, centre[order], label[order], *(None if c is None else c[order] for c in corrupt)]
    assert not _native.window_train(net, Steps(pairs, 10, 0.1, 0.0, 1.0), *arrays, 1, np.empty(2))
    train(first, *[word, *(None if a is None else a[:10] for a in arrays[1:])], batch=10)
    assert digest(*reference.parameters(net)) == digest(*reference.parameters(first))


REFUSED = {
    "a centre too near to the start": ("centre", 0, 0),
    "a centre too near to the end": ("centre", 3, 21),
    "a centre far beyond": ("centre", 3, 2**62),
    "a negative centre": ("centre", 3, -1),
    "the least number as a centre": ("centre", 3, -(2**63)),
    "a word beyond the table": ("word", 4, 9),
    "a negative word": ("word", 4, -1),
    "a label beyond the classes": ("label", 2, 2),
    "a negative label": ("label", 2, -1),
    "a corrupt centre": ("corrupt", 0, 22),
    "a corrupt label": ("corrupt_label", 0, 7),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_does_not_go_together_is_refused(what, rng):
    net, word, centre, label = drawn((9, 3, 1, None, 2, 20), "float32", rng)
    arrays = {"word": word, "centre": centre, "label": label, "corrupt": centre.copy(), "corrupt_label": label.copy()}
    name, at, value = REFUSED[what]
    arrays[name][at] = value
    before = digest(*reference.parameters(net))
    with pytest.raises(ValueError, match="do not go together"):
        train(net, *arrays.values(), batch=8)
    assert digest(*reference.parameters(net)) == before
    if name in ("word", "centre"):
        with pytest.raises(ValueError, match="do not go together"):
            net.scores(word, centre, 1)


def test_arrays_of_another_shape_or_dtype_are_refused(rng):
    net, word, centre, label = drawn((9, 3, 1, 5, 2, 20), "float32", rng)
    with pytest.raises(ValueError, match="need shape"):
        train(net, word, centre, label[:-1], batch=8)
    with pytest.raises(ValueError, match="come together"):
        train(net, word, centre, label, centre, None, batch=8)
    with pytest.raises(TypeError, match="format"):
        train(net, word.astype(np.int64), centre, label, batch=8)
    with pytest.raises(ValueError, match="a batch must have a window"):
        _native.window_train(net, Steps(False, 0, 0.1, 0.0, 1.0), word, centre, label, None, None, 1, np.empty(1))
    with pytest.raises(ValueError, match="1 to 2 layers, got 0"):
        _native.window_scores(dataclasses.replace(net, layers=[]), word, centre, 1, np.empty((20, 2), np.float32))
    net.layers[1].W = net.layers[1].W[:, :-1].copy()
    with pytest.raises(ValueError, match="need shape"):
        train(net, word, centre, label, batch=8)
    net.layers[1].W = np.zeros((2, 5))
    with pytest.raises(TypeError, match="format"):
        net.scores(word, centre, 1)
