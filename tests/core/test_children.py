"""A worker says how a function failed, and runs the next one in a new process."""

from __future__ import annotations

import fcntl
import os
import signal
import threading
import time

import pytest

used = []


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


def parent_and_uses():
    used.append("once more")
    return [os.getppid(), len(used)]


def hang_with(path):
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        hang()


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


def test_forks_share_imports_and_nothing_else(forks):
    first, second = forks.result(parent_and_uses), forks.result(parent_and_uses)
    assert first == second
    assert first[1] == 1


@pytest.mark.parametrize(("function", "message"), [(fail, "ValueError: as it is"), (crash, "exit status -11")])
def test_failures_of_forks_are_told(forks, function, message):
    with pytest.raises(AssertionError, match=message):
        forks.result(function, timeout=60)
    assert forks.result(process) != os.getpid()


def test_a_fork_that_hangs_is_ended(forks, tmp_path):
    path = tmp_path / "lock"
    with pytest.raises(AssertionError, match="3 s allowed"):
        forks.result(hang_with, str(path), timeout=3)
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # which waits for who has it
