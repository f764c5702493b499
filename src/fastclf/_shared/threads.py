"""How many threads a call uses: as many as it asks for, else as the process was told, else as the machine grants."""

from __future__ import annotations

import contextlib
import contextvars
import functools
import math
import numbers
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastclf import _native

_MOST = 2**30  # fits C's int; the kernels start eight for a CPU at most

_process_wide: int | None = None
_in_context: contextvars.ContextVar[int | None] = contextvars.ContextVar("fastclf.threads", default=None)


def checked(n_threads: object, name: str = "n_threads") -> int:
    """`n_threads` as an int, or a clear error."""
    if isinstance(n_threads, bool) or not isinstance(n_threads, numbers.Integral):
        raise TypeError(f"{name} must be an int, got {n_threads!r} of type {type(n_threads).__name__}")
    if n_threads < 1:
        raise ValueError(f"{name} must be at least 1, got {n_threads!r}")
    return min(int(n_threads), _MOST)


def resolve(n_threads: int | None) -> int:
    """How many threads a call given `n_threads` uses."""
    return asked(n_threads) or default()


def asked(n_threads: int | None) -> int | None:
    """How many threads a call given `n_threads` was told to use, by whatever means; None if it was not."""
    if n_threads is not None:
        return checked(n_threads)
    return _in_context.get() or _process_wide


def default() -> int:
    """Return the smallest of OpenMP's limits, the CPUs of this process, and the quota of its control groups."""
    return max(1, min(_native.max_threads(), _quota_at_start()))


@functools.cache
def _quota_at_start() -> int:
    return cgroup_cpus(Path("/sys/fs/cgroup"), Path("/proc/self/cgroup"))


def cgroup_cpus(root: Path, membership: Path) -> int:
    """CPUs granted by the quotas of the process's control groups, rounded up; a large number where there are none."""
    if not sys.platform.startswith("linux"):
        return sys.maxsize
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return sys.maxsize
    granted: list[int] = [sys.maxsize]
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            granted += [_quota(folder / "cpu.max") for folder in _upwards(root, path)]
        elif "cpu" in controllers.split(","):
            granted += [_quota_v1(folder) for folder in _upwards(root / "cpu", path)]
    return min(granted)


def _upwards(root: Path, path: str) -> Iterator[Path]:
    folder = root / path.lstrip("/")
    while folder != root and root in folder.parents:
        yield folder
        folder = folder.parent
    yield root


def _quota(file: Path) -> int:
    try:
        quota, period = file.read_text().split()
        return math.ceil(int(quota) / int(period))
    except (OSError, ValueError):  # no such file, or "max": no limit here
        return sys.maxsize


def _quota_v1(folder: Path) -> int:
    try:
        quota = int((folder / "cpu.cfs_quota_us").read_text())
        period = int((folder / "cpu.cfs_period_us").read_text())
    except (OSError, ValueError):
        return sys.maxsize
    return math.ceil(quota / period) if quota > 0 and period > 0 else sys.maxsize


def set_num_threads(n: int | None) -> None:
    """Set how many threads fastclf uses, in the whole process, where a call does not say.

    Parameters
    ----------
    n : int or None
        Number of threads, at least 1. None returns to the default: the smallest of the CPUs this process may run on,
        its control group's CPU quota and ``OMP_NUM_THREADS``.

    Raises
    ------
    TypeError
        If `n` is not an integer.
    ValueError
        If `n` is less than 1.

    Notes
    -----
    Only fastclf is affected; OpenMP's own settings, which other packages share, are left alone.

    Examples
    --------
    >>> import fastclf
    >>> fastclf.set_num_threads(2)
    >>> fastclf.set_num_threads(None)
    """
    global _process_wide
    _process_wide = None if n is None else checked(n, "n")


@contextlib.contextmanager
def threads(n: int) -> Iterator[None]:
    """Use `n` threads inside a ``with`` block, in this thread (or asyncio task) only.

    Parameters
    ----------
    n : int
        Number of threads, at least 1.

    Yields
    ------
    None
        Nothing: the block is run.

    Raises
    ------
    TypeError
        If `n` is not an integer.
    ValueError
        If `n` is less than 1.

    Examples
    --------
    >>> import numpy as np, fastclf
    >>> X = np.eye(3)
    >>> with fastclf.threads(1):
    ...     distances, indices = fastclf.knn(X, X, k=1)
    >>> indices.ravel().tolist()
    [0, 1, 2]
    """
    token = _in_context.set(checked(n, "n"))
    try:
        yield
    finally:
        _in_context.reset(token)


_blas_lock = threading.Lock()
_blas_wanted: list[tuple[int, int]] = []  # thread, and its limit
_blas_limits: dict[Any, Any] = {}  # the first of each controller, which knows what there was before


@contextlib.contextmanager
def blas(n: int) -> Iterator[None]:
    """Limit BLAS, where it is loaded, to `n` threads; of calls at the same time the least limit holds for all.

    The limit is one of the process: each call putting back what it found would leave another call's limit for good.
    What asks for one thread may need it for the bytes of its results; what asks for more only for time.
    """
    of_thread = threading.get_ident(), n
    with _blas_lock:
        before = _blas_limit()
        _blas_wanted.append(of_thread)
        _change_blas(before)
    try:
        yield
    finally:
        with _blas_lock:
            before = _blas_limit()
            _blas_wanted.remove(of_thread)
            _change_blas(before)


def _blas_limit() -> int | None:
    return min((limit for _, limit in _blas_wanted), default=None)


def _change_blas(before: int | None) -> None:
    """Limit BLAS as is wanted now, if that was not so before."""
    limit = _blas_limit()
    if limit is None:
        _free_blas()
    elif limit != before:
        controller = _controller()
        _blas_limits.setdefault(controller, controller.limit(limits=limit, user_api="blas"))


def _begin_anew() -> None:
    """In a child that was forked, forget what other threads do and want: they are not there."""
    global _blas_lock
    _blas_lock = threading.Lock()
    before = _blas_limit()
    _blas_wanted[:] = [wanted for wanted in _blas_wanted if wanted[0] == threading.get_ident()]
    if before is not None:
        _change_blas(before)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


def _free_blas() -> None:
    while _blas_limits:
        _blas_limits.popitem()[1].restore_original_limits()  # the last one first


def _controller() -> Any:
    """Return what sets BLAS's threads; to look for BLAS takes a millisecond, and it comes with modules."""
    return _controller_of(len(sys.modules))


@functools.lru_cache(maxsize=1)
def _controller_of(n_modules: int) -> Any:  # noqa: ARG001 -- more modules, another look
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def environment() -> dict[str, str]:
    """Return the settings of the environment that matter here."""
    return {
        name: os.environ[name] for name in ("FASTCLF_ISA", "OMP_NUM_THREADS", "OMP_THREAD_LIMIT") if name in os.environ
    }
