"""Watch a call from another Python thread: how many threads the process has while it runs."""

from __future__ import annotations

import os
import threading


def thread_count():
    return len(os.listdir("/proc/self/task"))


def most_threads(call):
    """Return the result of `call` and the most threads seen meanwhile, the watching one not counted."""
    most, done = 0, threading.Event()

    def watch():
        nonlocal most
        while not done.wait(0.0005):
            most = max(most, thread_count() - 1)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        found = call()
    finally:
        done.set()
        watcher.join()
    return found, most
