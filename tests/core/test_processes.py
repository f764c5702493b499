"""Processes made from a process that has used all its threads, and several Python threads on one object."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import threading

import children
import first_in_a_fork
import numpy as np
import pytest
import watching
from scipy.spatial.distance import cdist

import fastclf

SECONDS = 20


def data():
    rng = np.random.default_rng(3)
    return rng.integers(0, 256, (300, 64), dtype=np.uint8), rng.integers(0, 256, (4000, 64), dtype=np.uint8)


def answers_right(n_threads=2):
    """Whether a search worth several threads agrees with SciPy."""
    Q, X = data()
    distances, indices = fastclf.knn(Q, X, 5, metric="l1", n_threads=n_threads)
    table = cdist(Q, X, "cityblock")
    expected = np.argsort(table, axis=1, kind="stable")[:, :5]
    return bool(np.array_equal(indices, expected) and np.array_equal(distances, np.take_along_axis(table, expected, 1)))


def uses_two_threads():
    """Whether a call with n_threads=2 adds threads to those that are there."""
    Q, X = data()
    before = watching.thread_count()
    for _ in range(50):
        _, most = watching.most_threads(lambda: fastclf.pairwise_distances(Q, X, n_threads=2))
        if most > before:
            return True
    return False


def exit_by_answer():
    os._exit(0 if answers_right() else 1)


def answers_right_beside_sklearn():
    from sklearn.neighbors import NearestNeighbors

    Q, X = data()
    table = NearestNeighbors(n_neighbors=5, algorithm="brute", metric="cityblock").fit(X).kneighbors(Q)[0]
    return answers_right() and np.array_equal(table, np.sort(cdist(Q, X, "cityblock"), axis=1)[:, :5])


WORK = {
    "an answer": answers_right,
    "two threads": uses_two_threads,
    "a child": lambda: children.status_of_fork(answers_right) == 0 and answers_right(),
    "two calls": lambda: answers_right() and answers_right(),
    "scikit-learn": answers_right_beside_sklearn,
}


def fork_after_use(work):
    assert answers_right()
    statuses = [children.status_of_fork(WORK[work]) for _ in range(3)]
    return [*statuses, answers_right()]


def fork_in_a_thread():
    assert answers_right()
    statuses = []
    thread = threading.Thread(target=lambda: statuses.append(children.status_of_fork(answers_right)))
    thread.start()
    thread.join()
    return [*statuses, answers_right()]


def fork_during_a_call():
    """Fork in a Python thread while another is inside the kernels, not in its first import, whose lock would stay."""
    assert answers_right()
    stop = threading.Event()

    def keep_busy():
        while not stop.is_set():
            answers_right()

    thread = threading.Thread(target=keep_busy)
    thread.start()
    statuses = [children.status_of_fork(answers_right) for _ in range(3)]
    stop.set()
    thread.join()
    return [*statuses, answers_right()]


def start_after_use(method):
    assert answers_right()
    process = multiprocessing.get_context(method).Process(target=exit_by_answer)
    process.start()
    process.join(SECONDS)
    if process.is_alive():
        process.kill()
        return ["hangs"]
    return [process.exitcode, answers_right()]


@pytest.mark.parametrize("work", list(WORK))
def test_a_forked_child_works_with_its_threads(worker, work):
    assert worker.result(fork_after_use, work) == [0, 0, 0, True]


def test_a_child_forked_in_a_thread_works(worker):
    assert worker.result(fork_in_a_thread) == [0, True]


def test_a_child_forked_during_a_call_works(worker):
    assert worker.result(fork_during_a_call) == [0, 0, 0, True]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_process_started_after_use_works(worker, method):
    assert worker.result(start_after_use, method) == [0, True]


def first_uses():
    """What has been used, and what is done then; most pairs with an index, which take long, are long tests."""
    for use, answer in itertools.product(first_in_a_fork.USES, first_in_a_fork.ANSWERS):
        is_long = answer == "index_is_right" and use != "use_the_faiss_backend"
        yield pytest.param(use, answer, marks=[pytest.mark.slow] * is_long)


@pytest.mark.parametrize(("use", "answer"), list(first_uses()))
def test_a_child_is_the_first_to_use_fastclf(use, answer):
    if "faiss" in use or answer == "index_is_right":
        pytest.importorskip("faiss")
    assert children.result(first_in_a_fork.status_of_a_child, use, answer, timeout=120) == 0


def test_python_threads_on_one_object_get_the_serial_answer():
    Q, X = data()
    model = fastclf.KNN(k=7, metric="l2", n_threads=2).fit(X, X[:, 0] % 10)
    expected = model.predict(Q).tobytes()
    start, found = threading.Barrier(8), []

    def predict():
        start.wait()
        found.extend(model.predict(Q).tobytes() for _ in range(10))

    threads = [threading.Thread(target=predict) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 80
