"""Another thread writes to the inputs during a call: that ends with any answer or a ValueError, never with a crash."""

from __future__ import annotations

import contextlib
import threading
import time
from types import SimpleNamespace

import calls
import numpy as np
import pytest
import scipy.sparse

import fastclf
from fastclf import _native
from fastclf._shared.batch import Batch

FAR = 1 << 40  # what a number becomes that is an address: far from all memory


@contextlib.contextmanager
def writing(arrays, bad):
    """Let a thread write something bad to the arrays, and what was there, again and again."""
    stop, good = threading.Event(), [a.copy() for a in arrays]

    def write():
        while not stop.is_set():
            for a, was in zip(arrays, good, strict=True):
                a.fill(min(bad, np.iinfo(a.dtype).max) if a.dtype.kind == "i" else bad)
                np.copyto(a, was)
                time.sleep(0)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield
    finally:
        stop.set()
        writer.join()


def outcomes(seconds, call, arrays, bad=FAR):
    """Make the call for some time while `arrays` change: whether it ended each time, and whether it is right after."""
    expected, ended = digest(call()), 0
    with writing(arrays, bad):
        end = time.monotonic() + seconds
        while time.monotonic() < end or ended == 0:
            with contextlib.suppress(ValueError):
                call()
            ended += 1
    return [ended > 0, digest(call()) == expected]


def digest(answer):
    parts = answer if isinstance(answer, tuple) else (answer,)
    return [np.asarray(part).tobytes() for part in parts]


def drawn(*shape, high=5, dtype=np.int64):
    return np.random.default_rng(0).integers(0, high, shape).astype(dtype)


def floats(*shape):
    return np.random.default_rng(1).random(shape)


def vote():
    labels = drawn(200_000, 5)
    return lambda: fastclf.majority_vote(labels, 5), [labels]


def weighted_vote():
    labels, weights = drawn(200_000, 5), floats(200_000, 5)
    return lambda: fastclf.majority_vote(labels, 5, weights=weights), [labels, weights]


def vote_of_neighbours():
    labels, index, winners = drawn(1000), drawn(200_000, 5, high=1000), np.empty(200_000, np.int64)

    def call():
        _native.vote(labels, index, 5, None, None, winners)
        return winners

    return call, [labels, index]


def votes_of_prefixes():
    labels, index, winners = drawn(1000), drawn(100_000, 5, high=1000), np.empty((2, 100_000), np.int64)
    prefix = np.array([2, 5])

    def call():
        _native.vote_prefixes(labels, index, 5, prefix, winners)
        return winners

    return call, [labels, index, prefix]


def loss():
    scores, target = floats(50_000, 5), drawn(50_000)
    return lambda: fastclf.losses.cross_entropy(scores, target, return_grad=True, n_threads=2)[0], [target]


def weighted_loss():
    scores, target, weight = floats(50_000, 5), drawn(50_000), floats(5)
    return lambda: fastclf.losses.cross_entropy(scores, target, weight=weight), [target, weight]


def loss_without_checks(name, classes):
    """The kernel itself, whose caller may not have copied the labels."""

    def made():
        scores, labels = floats(50_000, classes), drawn(50_000)
        how, gradient, losses = Batch(name, scores, label=labels, margin=1.0), np.empty_like(scores), np.empty(50_000)

        def call():
            if _native.losses(how, scores, 1.0, 2, losses, None, gradient) is not None:
                raise ValueError("a row without an answer")
            return losses

        return call, [labels]

    return made


def scores_of_a_loss():
    scores, target = floats(50_000, 5), drawn(50_000)
    return lambda: fastclf.losses.cross_entropy(scores, target, n_threads=2), [scores], np.nan


def linear_loss():
    X, W, labels = floats(20_000, 8), floats(5, 8), drawn(20_000)
    how, of_W, of_b = Batch("cross_entropy", np.empty((20_000, 5)), label=labels), np.empty((5, 8)), np.empty(5)

    def call():
        _native.linear_loss(how, X, None, W, None, 2, of_W, of_b)
        return of_W

    return call, [labels]


def sparse(form="csr"):
    return scipy.sparse.random(20_000, 50, 0.1, format=form, random_state=0, dtype=np.float64)


def sparse_product(of):
    def made():
        X, M, out = sparse(), floats(50, 5), np.empty((20_000, 5))
        start, index = X.indptr.astype(np.int64), X.indices.astype(np.int32)

        def call():
            _native.sparse_product(start, index, X.data, M, 2, out)
            return out

        return call, [{"start": start, "index": index}[of]]

    return made


def svm(of):
    """Sweeps of dual coordinate ascent, or the augmented Lagrangian."""

    def made():
        X, labels, weight = sparse(), drawn(20_000), np.full(20_000, 5e-5)
        rows = SimpleNamespace(start=X.indptr.astype(np.int64), index=X.indices.astype(np.int32), value=X.data)
        how = SimpleNamespace(X=None, centre=None, compressed=rows, label=labels, weight=weight, squares=weight * 0 + 1)
        how.margins, how.l2, how.unit, how.largest, how.squared = 1 - np.eye(5), 1e-3, 1.0, True, False
        a, scores = np.zeros((20_000, 5)), floats(20_000, 5)

        def ascend():
            W = np.empty((50, 8))
            _native.svm_ascend(how, 2, 0, a.copy(), W, np.zeros(5))
            return W

        def lagrangian():
            out = np.empty_like(a)
            if _native.svm_lagrangian_of_scores(how, scores.copy(), 2, a, 0.1, out, False) is None:
                raise ValueError("scores that are not finite")
            return out

        call = lagrangian if of == "lagrangian" else ascend
        return call, [labels if of in ("labels", "lagrangian") else {"start": rows.start, "index": rows.index}[of]]

    return made


def sparse_parts(X):
    """What says where its values are."""
    return [getattr(X, name) for name in ("indices", "indptr", "row", "col") if hasattr(X, name)]


def sparse_fit(form):
    def made():
        X, y = sparse(form), drawn(20_000, high=3)
        model = fastclf.LinearClassifier(max_iter=3, tol=1, n_threads=2, random_state=0)
        return lambda: model.fit(X, y).coef_, sparse_parts(X)

    return made


def unordered_fit():
    X, y = sparse(), drawn(20_000, high=3)
    X.indices[:] = X.indices[::-1].copy()
    model = fastclf.LinearClassifier(max_iter=3, tol=1, n_threads=2, random_state=0)
    return lambda: model.fit(X, y).coef_, sparse_parts(X)


def sparse_steps():
    X, y = sparse(), drawn(20_000, high=3)

    def call():
        return fastclf.LinearClassifier(random_state=0, n_threads=2).partial_fit(X, y).coef_

    return call, [*sparse_parts(X), y]


def sparse_scores(form):
    def made():
        X = sparse(form)
        model = fastclf.LinearClassifier(max_iter=3, tol=1).fit(X.tocsr(), drawn(20_000, high=3))
        return lambda: model.decision_function(X), sparse_parts(X)

    return made


def sparse_labels():
    X, y = floats(2000, 5), scipy.sparse.csr_array(drawn(2000, 4, high=2))
    model = fastclf.LinearClassifier("sigmoid", max_iter=3, tol=1, n_threads=2, random_state=0)
    return lambda: model.fit(X, y).coef_, [y.indices, y.indptr]


def labels_of_steps():
    X, y = floats(20_000, 5), drawn(20_000)
    classes = np.arange(5)
    return lambda: fastclf.LinearClassifier(random_state=0).partial_fit(X, y, classes=classes).coef_, [y]


def labels_of_neighbours():
    X, y = floats(5000, 5), drawn(5000)

    def call():
        model = fastclf.KNN(k=3, n_threads=2).fit(X[:100], drawn(100))
        model.partial_fit(X, y)
        return model.predict(X[:50])

    return call, [y]


def dense_fit():
    X, y = floats(5000, 8), drawn(5000)
    model = fastclf.LinearClassifier(max_iter=5, tol=1, n_threads=2, random_state=0)
    return lambda: model.fit(X, y).coef_, [X], np.nan


def search(metric, value):
    def made():
        Q, X = floats(500, 20), floats(4000, 20)
        return lambda: fastclf.knn(Q, X, 7, metric=metric, n_threads=2), [Q, X], value

    return made


def tree_search():
    X = floats(5000, 3)  # of each query among NaN, all are looked at
    Q = X.copy()
    model = fastclf.KNN(k=3, n_threads=2).fit(X, drawn(5000))
    assert model._memory.backend._tree is not None
    return lambda: model.predict(Q), [X, Q], np.nan


def reranking():
    Q, X, rows = floats(2000, 8), floats(3000, 8), drawn(2000, 50, high=3000)
    found = calls.outputs(2000, 5)

    def call():
        _native.rerank("l2", Q, X, rows, None, 2, *found)
        return found

    return call, [rows]


def search_across_groups():
    X, groups = floats(3000, 8), np.arange(3000) % 100
    found = calls.outputs(3000, 5)

    def call():
        _native.knn_across_groups("l2", X, groups, None, False, 2, *found)
        return found

    return call, [groups]


def cross_validation():
    X, y = floats(600, 4), drawn(600, high=2)
    parts = [(np.arange(300), np.arange(300, 600)), (np.arange(300, 600), np.arange(300))]
    arrays = [rows for part in parts for rows in part]
    return lambda: fastclf.KNNCV((1, 3), cv=parts, n_threads=2).fit(X, y).cv_scores_, arrays


def small_net(words=100, dim=6, classes=4):
    def layer(outputs, inputs):
        shape = outputs, inputs
        return SimpleNamespace(W=floats(*shape), b=floats(outputs), W_squares=floats(*shape), b_squares=floats(outputs))

    vectors = floats(words, dim)
    return SimpleNamespace(
        window=2, trained=words, activation="tanh", vectors=vectors, squares=floats(words, dim),
        layers=[layer(8, 5 * dim), layer(classes, 8)],
    )  # fmt: skip


def windows():
    net, words, centres = small_net(), drawn(20_000, high=100, dtype=np.int32), np.arange(2, 19_998)
    scores = np.empty((len(centres), 4))

    def call():
        _native.window_scores(net, words, centres, 2, scores)
        return scores

    return call, [words, centres]


def window_steps(ranks):
    def made():
        words, centres = drawn(20_000, high=100, dtype=np.int32), np.arange(2, 19_998)
        labels, how = drawn(len(centres), high=4), SimpleNamespace(batch=5000, rate=0.01, l2=0.0, margin=1.0)
        corrupt = (centres[::-1].copy(), labels[::-1].copy()) if ranks else (None, None)

        def call():
            objective = np.empty(4)
            _native.window_train(small_net(), how, words, centres, labels, *corrupt, 2, objective)
            return objective

        return call, [words, centres, labels, *(corrupt if ranks else ())]

    return made


CALLS = {
    "vote": vote,
    "weighted vote": weighted_vote,
    "vote of neighbours": vote_of_neighbours,
    "votes of prefixes": votes_of_prefixes,
    "loss": loss,
    "weighted loss": weighted_loss,
    "kernel of few classes": loss_without_checks("cross_entropy", 5),
    "kernel of many classes": loss_without_checks("cross_entropy", 100),
    "kernel of hinges": loss_without_checks("hinge", 5),
    "kernel of many hinges": loss_without_checks("hinge", 100),
    "kernel of largest hinges": loss_without_checks("crammer_singer", 5),
    "kernel of squares": loss_without_checks("mse", 5),
    "kernel of softmax and squares": loss_without_checks("softmax_mse", 5),
    "scores of a loss": scores_of_a_loss,
    "linear loss": linear_loss,
    "columns of a product": sparse_product("index"),
    "rows of a product": sparse_product("start"),
    "labels of an SVM": svm("labels"),
    "columns of an SVM": svm("index"),
    "rows of an SVM": svm("start"),
    "labels of an SVM's Lagrangian": svm("lagrangian"),
    "fit of csr": sparse_fit("csr"),
    "fit of csc": sparse_fit("csc"),
    "fit of coo": sparse_fit("coo"),
    "fit of bsr": sparse_fit("bsr"),
    "fit of csr out of order": unordered_fit,
    "partial_fit of csr": sparse_steps,
    "decision_function of csr": sparse_scores("csr"),
    "decision_function of csc": sparse_scores("csc"),
    "decision_function of coo": sparse_scores("coo"),
    "sparse labels": sparse_labels,
    "labels of partial_fit": labels_of_steps,
    "labels of neighbours": labels_of_neighbours,
    "dense fit": dense_fit,
    "search by l1, NaN": search("l1", np.nan),
    "search by l2, infinity": search("l2", np.inf),
    "search by cosine, large": search("cosine", 1e300),
    "search by a tree": tree_search,
    "reranking": reranking,
    "search apart": search_across_groups,
    "cross-validation": cross_validation,
    "windows": windows,
    "steps on windows": window_steps(False),
    "steps on ranked windows": window_steps(True),
}


def run(name, seconds):
    return outcomes(seconds, *CALLS[name]())


@pytest.mark.parametrize("seconds", [0.3, pytest.param(2.0, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", list(CALLS))
def test_inputs_that_change_during_a_call_do_no_harm(worker, name, seconds):
    assert worker.result(run, name, seconds) == [True, True]
