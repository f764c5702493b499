"""Each allocation of each call fails once: MemoryError or the right answer, nothing lost, the model as it was."""

from __future__ import annotations

import ctypes
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import children
import numpy as np
import pytest
import scipy.sparse
from adversarial import few_directions

import fastclf
from fastclf import KNN, KNNCV, LinearClassifier, WindowClassifier, _native
from fastclf.neighbors.backends import choosing, trees

SHIM = Path(__file__).parents[1] / "helpers" / "failing_malloc.c"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is refused as the C library of Linux has it")


def floats(*shape):
    return np.random.default_rng(1).random(shape)


def bytes_(*shape):
    return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)


def labels(n, classes=3):
    return np.arange(n) % classes


def search(dtype, nq, metric):
    Q, X = floats(nq, 40).astype(dtype), floats(3000, 40).astype(dtype)
    return None, lambda: fastclf.knn(Q, X, 5, metric=metric, n_threads=2)


def search_of_bytes():
    Q, X = bytes_(400, 40), bytes_(3000, 40)
    return None, lambda: fastclf.knn(Q, X, 5, metric="l1", n_threads=2)


def search_by_tree():
    X = floats(20_000, 3)
    model = KNN(3, n_threads=2).fit(X, labels(len(X)))
    return None, lambda: model.kneighbors(X[:3000])


def search_in_stages(metric):
    """By all stages that there are, whether they pay or not: l1 has groups of features, l2 directions, too."""
    trees._LEAST_ROWS, choosing.LEAST_ROWS, choosing.LEAST_TIME, choosing.WORTHWHILE = np.inf, 1, 1, np.inf
    X = few_directions(0.0)(np.random.default_rng(1), (3000, 200), np.float32).astype("float32")
    model = KNN(3, metric=metric, n_threads=2).fit(X, labels(len(X)))
    assert model._memory.backend._cascade.stages
    return None, lambda: model.kneighbors(X[:300])


def all_distances():
    Q, X = floats(200, 60), floats(2000, 60)
    return None, lambda: fastclf.pairwise_distances(Q, X, n_threads=2)


def among_some_rows():
    Q, X = floats(300, 20), floats(3000, 20)
    rows, found = np.arange(300 * 100).reshape(300, 100) % 3000, (np.empty((300, 5)), np.empty((300, 5), np.int64))

    def call():
        _native.rerank("l2", Q, X, rows, None, 2, *found)
        return found

    return None, call


def votes():
    given = labels(20_000 * 5, 7).reshape(-1, 5)
    return None, lambda: fastclf.majority_vote(given, 7, weights=np.ones(given.shape))


def loss(name, classes):
    scores = floats(3000, classes)
    target = scores if name == "mse" else labels(3000, classes)
    return None, lambda: getattr(fastclf.losses, name)(scores, target, return_grad=True, n_threads=2)


def linear_loss():
    X, W = floats(3000, 40), floats(5, 40)
    return None, lambda: fastclf.losses.linear_cross_entropy(X, W, labels(3000, 5), return_grad=True, n_threads=2)[0]


def fit(model, X, y):
    """Fit again on other rows: the model, and the call."""
    model.fit(X[: len(y) // 2], y[: len(y) // 2])
    return model, lambda: digest(model.fit(X, y))


def svm(loss, rows, features):
    """A coarse tolerance: each iteration asks for memory at the same places."""
    return fit(LinearClassifier(loss, tol=0.1, random_state=0, n_threads=2), floats(rows, features), labels(rows))


def windows(loss):
    words, tags = [[str(i % 97) for i in range(600)]], [[i % 3 for i in range(600)]]
    model = WindowClassifier(1, 6, loss=loss, max_iter=2, batch_size=100, random_state=0, n_threads=2)
    return fit(model, words * 2, tags * 2)


def scores_of_windows():
    words, tags = [[str(i % 97) for i in range(600)]], [[i % 3 for i in range(600)]]
    model = WindowClassifier(1, 6, max_iter=1, random_state=0, n_threads=2).fit(words, tags)
    return None, lambda: model.decision_function(words)


CALLS = {
    "search by l1": lambda: search("float64", 300, "l1"),
    "search by l2 in float32": lambda: search("float32", 300, "l2"),
    "search by cosine": lambda: search("float32", 300, "cosine"),
    "search by inner product": lambda: search("float64", 300, "inner_product"),
    "search of few": lambda: search("float32", 2, "l2"),
    "search of bytes": search_of_bytes,
    "search by tree": search_by_tree,
    "search in stages by l1": lambda: search_in_stages("l1"),
    "search in stages by l2": lambda: search_in_stages("l2"),
    "all distances": all_distances,
    "among some rows": among_some_rows,
    "votes": votes,
    "cross-entropy of few classes": lambda: loss("cross_entropy", 5),
    "cross-entropy of many classes": lambda: loss("cross_entropy", 100),
    "hinge": lambda: loss("hinge", 20),
    "mse": lambda: loss("mse", 20),
    "linear loss": linear_loss,
    "fit of a tree": lambda: fit(KNN(3, n_threads=2), floats(9000, 3), labels(9000)),
    "fit of sketches": lambda: fit(KNN(3, n_threads=2), floats(5000, 200).astype("float32"), labels(5000)),
    "fit across folds": lambda: fit(KNNCV((1, 3), cv=3, n_threads=2), floats(900, 20), labels(900)),
    "fit by lbfgs": lambda: fit(LinearClassifier(max_iter=20, n_threads=2), floats(900, 20), labels(900)),
    "fit of sparse rows": lambda: fit(
        LinearClassifier(max_iter=20, n_threads=2),
        scipy.sparse.random(900, 50, 0.1, "csr", random_state=0),
        labels(900),
    ),
    "fit of an SVM": lambda: svm("hinge", 60, 5),
    "fit of a Crammer-Singer SVM": lambda: svm("crammer_singer", 60, 5),
    "fit of an SVM of many features": lambda: svm("hinge", 20, 40),
    "fit of windows": lambda: windows("softmax"),
    "fit of ranked windows": lambda: windows("max_margin"),
    "scores of windows": scores_of_windows,
}


def digest(answer):
    """What an answer, or a model, holds."""
    if isinstance(answer, tuple | list):
        return [digest(part) for part in answer]
    return np.asarray(answer).tobytes().hex() if not hasattr(answer, "get_params") else pickle.dumps(answer).hex()


def code_of_the_module():
    """Where the extension module's code is in memory."""
    maps = [line.split() for line in Path("/proc/self/maps").read_text().splitlines()]
    (place,) = (line[0] for line in maps if line[-1] == _native.__file__ and "x" in line[1])
    return [int(end, 16) for end in place.split("-")]


def refused_one_by_one(name):
    """Refuse each allocation of a call in turn: how many there are, and what was not as it should be."""
    shim = ctypes.CDLL(None)
    begin, end = (ctypes.c_void_p(at) for at in code_of_the_module())
    model, call = CALLS[name]()
    shim.refuse(begin, end, 0)
    right = [digest(call()), digest(call())][1]
    faults, which, refused = [], 0, 0
    while True:
        which += 1
        before, held = model and digest(model), shim.held_now()
        shim.refuse(begin, end, which)
        try:
            answer = digest(call())
        except MemoryError:
            answer = None
        was_refused = shim.asked_for() >= which
        shim.refuse(begin, end, 0)
        if answer not in (None, right):
            faults.append(f"{which}: another answer")
        if answer is None and (model and digest(model)) != before:
            faults.append(f"{which}: another model")
        if shim.held_now() != held:
            faults.append(f"{which}: {shim.held_now() - held} held")
        if not was_refused:
            return [refused, faults]
        refused += answer is None


@pytest.fixture(scope="module")
def forks_with_shim(tmp_path_factory):
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler")
    library = tmp_path_factory.mktemp("shim") / "failing_malloc.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-fno-builtin", "-o", str(library), str(SHIM)]
    subprocess.run(command, check=True)
    with children.Worker({"LD_PRELOAD": str(library)}, in_forks=True) as one:
        yield one


@pytest.mark.parametrize("name", CALLS)
def test_each_allocation_that_fails_is_an_error_or_does_not_matter(forks_with_shim, name):
    refused, faults = forks_with_shim.result(refused_one_by_one, name, timeout=200)
    assert refused > 0
    assert faults == []
