"""A worker says how a function failed, and runs the next one in a new process."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest


def process():
    print("what is printed is no answer")
    return os.getpid()


def fail():
    raise ValueError("as it is")


def crash():
    os.kill(os.getpid(), signal.SIGSEGV)


def hang():
    time.sleep(1000)


def go_on():
    threading.Thread(target=hang, daemon=True).start()
    return process()


def test_functions_share_a_process(worker):
    assert worker.result(process) == worker.result(process) != os.getpid()


@pytest.mark.parametrize(
    ("function", "message"), [(fail, "ValueError: as it is"), (crash, "exit status -11"), (hang, "1 s allowed")]
)
def test_failures_are_told_and_end_the_process(worker, function, message):
    before = worker.result(process)
    with pytest.raises(AssertionError, match=message):
        worker.result(function, timeout=60 if function is not hang else 1)
    assert worker.result(process) != before


def test_a_process_with_threads_left_is_not_used_again(worker):
    assert worker.result(go_on) != worker.result(process)
