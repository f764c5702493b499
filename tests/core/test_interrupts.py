"""Long calls of other libraries, made by another thread as if by the one that asks; factors that are found in parts."""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback

import children
import numpy as np
import pytest
import scipy.linalg

from fastclf._shared.interrupts import aside, in_new_thread
from fastclf.linear import dense

LONG = np.inf


def test_only_long_calls_of_the_main_thread_are_made_by_another():
    here = threading.current_thread()
    assert aside(0, threading.current_thread) is here
    assert aside(LONG, threading.current_thread) is not here
    found = []
    other = threading.Thread(target=lambda: found.append(aside(LONG, threading.current_thread)))
    other.start()
    other.join()
    assert found == [other]


def test_arguments_and_answers_pass_through():
    assert aside(LONG, divmod, 17, 5) == (3, 2)
    assert aside(LONG, sorted, [1, 3, 2], reverse=True) == [3, 2, 1]


def test_errors_come_out_as_they_are():
    error = StopIteration("as it is")

    def fail():
        raise error

    with pytest.raises(StopIteration) as caught:
        aside(LONG, fail)
    assert caught.value is error
    assert traceback.extract_tb(error.__traceback__)[-1].name == "fail"


def test_settings_of_the_caller_hold():
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        aside(LONG, np.divide, np.ones(3), np.zeros(3))
    with np.errstate(divide="ignore"):
        assert np.isinf(aside(LONG, np.divide, np.ones(3), np.zeros(3))).all()


def test_without_threads_the_caller_makes_the_call(monkeypatch):
    def refuse(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert in_new_thread(threading.current_thread) is threading.current_thread()


def given_up():
    """Interrupt a call of two steps in its first one: which steps were begun."""
    begun, go_on = [], threading.Event()

    def steps():
        begun.append("first")
        go_on.wait()
        aside(0, begun.append, "second")
        begun.append("third")

    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        aside(LONG, steps)
    except KeyboardInterrupt:
        begun.append("interrupted")
    go_on.set()
    for helper in threading.enumerate():
        if helper is not threading.main_thread():
            helper.join()
    return begun


def test_what_nobody_waits_for_ends_at_its_next_step(forks):
    assert forks.result(given_up) == ["first", "interrupted"]


def forked_by_a_handler():
    """A signal's handler forks during a call: what the child and the parent get of it."""
    pids = []
    signal.signal(signal.SIGUSR1, lambda *_: pids.append(os.fork()))
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGUSR1)).start()
    answer = aside(LONG, lambda: time.sleep(1) or 7)
    if pids == [0]:
        os._exit(answer)
    return [answer, os.waitstatus_to_exitcode(os.waitpid(pids[0], 0)[1])]


def test_a_fork_during_a_call_has_the_answer_twice(forks):
    assert forks.result(forked_by_a_handler) == [7, 7]


def ends_while_given_up():
    """The process ends after an interruption while the call goes on."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
    A = np.random.default_rng(0).random((600, 600))
    with pytest.raises(KeyboardInterrupt):
        aside(LONG, lambda: [np.linalg.svd(A) for _ in range(3)])
    return True


def test_a_process_ends_well_while_a_call_goes_on():
    assert children.result(ends_while_given_up, timeout=200)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 511, 512, 513, 1300])
def test_factors_are_those_of_lapack(rng, n, dtype):
    rows = rng.random((n + 5, n))
    gram = (rows.T @ rows + np.eye(n)).astype(dtype)
    expected = scipy.linalg.cholesky(gram)
    found = np.triu(dense.cholesky(gram.copy()))
    assert found.dtype == dtype
    # Backward errors of both are below n eps of the largest entry: so are their products' differences, twice.
    error = 4 * n * np.finfo(dtype).eps * np.abs(gram).max()
    assert np.abs(found.T.astype(np.float64) @ found - gram).max() < error
    if dtype == np.float64:
        assert np.allclose(found, expected, rtol=1e-8, atol=1e-8)


def test_a_matrix_that_is_not_positive_definite_has_no_factor():
    gram = np.eye(1300)
    gram[1200, 1200] = -1
    with pytest.raises(scipy.linalg.LinAlgError):
        dense.cholesky(gram)


@pytest.mark.parametrize("side", ["N", "T"])
@pytest.mark.parametrize("columns", [0, 1, 7])
def test_solutions_in_parts_are_those_at_once(rng, monkeypatch, side, columns):
    upper, right = np.triu(rng.random((50, 50))) + 50 * np.eye(50), rng.random((50, columns))
    matrix = upper if side == "N" else upper.T
    monkeypatch.setattr(dense, "_WORK", 3 * 50**2)
    assert np.allclose(dense.solved(upper, right, side), np.linalg.solve(matrix, right), rtol=1e-12)
