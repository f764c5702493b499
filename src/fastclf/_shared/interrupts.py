"""Ctrl-C during long calls of other libraries, which would serve it only at their end.

Another thread makes the call while the main one, which alone serves signals, waits. That helps where the call lets go
of the interpreter's lock: NumPy's functions and SciPy's sparse matrices do, SciPy's BLAS and LAPACK do not.
"""

from __future__ import annotations

import contextvars
import os
import threading
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_WORTH = 2e7  # values gone through, or multiplications: some 10 ms; to start a thread takes 0.1 ms
_STEP = 0.05  # seconds of waiting: some systems serve signals only between two


class _GivenUpError(BaseException):
    """Nobody waits any more for what this thread does."""


class _Helper(threading.Thread):
    """Makes one call, in the context of the thread that asks for it.

    It is no daemon: at the interpreter's end its library must not be taken down under it.
    """

    def __init__(self, call: Callable[[], Any]) -> None:
        super().__init__(name="fastclf", daemon=False)
        self._call, self._context = call, contextvars.copy_context()
        self.is_given_up = False
        self.ended = threading.Lock()
        self.ended.acquire()
        self.result: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        """Make the call and keep how it ended."""
        try:
            self.result = self._context.run(self._call)
        except BaseException as error:  # for whoever waits
            self.error = error
        del self._call, self._context
        self.ended.release()


def is_long(work: float) -> bool:
    """Whether this much work is worth another thread."""
    return work >= _WORTH


def aside(work: float, call: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """Return ``call(*args, **options)``, in the main thread so that signals are served meanwhile.

    `work` is about how many values are gone through; calls of little work are made as they are. After an interruption
    the call goes on to its end, or to the next use of this function in it: it must change nothing that others see.
    """
    current = threading.current_thread()
    if isinstance(current, _Helper) and current.is_given_up:
        raise _GivenUpError
    if not is_long(work) or current is not threading.main_thread():
        return call(*args, **options)
    return in_new_thread(lambda: call(*args, **options))


def in_new_thread(call: Callable[[], T]) -> T:
    """Return ``call()``, made by a thread that is new, or by this one where there can be none."""
    helper, here = _Helper(call), os.getpid()
    try:
        helper.start()
    except RuntimeError:  # no more threads, or the interpreter is ending
        return call()
    try:
        # Not by `join`: in some Pythons an exception there makes it believe that the thread has ended.
        while not helper.ended.acquire(timeout=_STEP):
            if os.getpid() != here:  # a signal's handler has forked, and the thread is not in this process
                return call()
    except BaseException:
        helper.is_given_up = True
        raise
    if helper.error is None:
        return helper.result  # type: ignore[no-any-return]
    try:
        raise helper.error
    finally:
        del helper  # the error's traceback has this frame: no cycle
