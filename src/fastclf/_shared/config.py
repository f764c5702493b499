"""What this build and machine are."""

from __future__ import annotations

from importlib import metadata
from typing import Any

from fastclf import _native
from fastclf._shared import threads as _threads


def config() -> dict[str, Any]:
    """Return the version, instruction sets and threads in force."""
    return {
        "version": metadata.version("fastclf"),
        "isa": _native.isa(),
        "isas": _native.isas(),
        "openmp": _native.has_openmp(),
        "n_threads": _threads.resolve(None),
        "environment": _threads.environment(),
    }


def show_config(mode: str = "stdout") -> dict[str, Any] | None:
    """Tell which instruction set, how many threads and what build are in use.

    Parameters
    ----------
    mode : {"stdout", "dicts"}, default="stdout"
        Print the settings, or return them as a dictionary.

    Returns
    -------
    dict or None
        With ``mode="dicts"``: ``version``; ``isa``, the instruction set in use; ``isas``, those that this machine can
        run, worst first; ``openmp``; ``n_threads``, the default number of threads; ``environment``, the variables set
        among ``FASTCLF_ISA``, ``OMP_NUM_THREADS`` and ``OMP_THREAD_LIMIT``.

    Raises
    ------
    ValueError
        If `mode` is neither name.

    Notes
    -----
    The best instruction set is chosen at run time. Setting ``FASTCLF_ISA`` to one of ``isas`` before Python starts
    lowers the choice. To use ``amx``, and to tell whether it can be, Linux is asked for its registers: from then on it
    refuses signal stacks that would not hold them, below ``AT_MINSIGSTKSZ``, in the whole process.

    Examples
    --------
    >>> import fastclf
    >>> "scalar" in fastclf.show_config("dicts")["isas"]
    True
    """
    settings = config()
    if mode == "dicts":
        return settings
    if mode != "stdout":
        raise ValueError(f"mode must be 'stdout' or 'dicts', got {mode!r}")
    for name, value in settings.items():
        print(f"{name:12} {value}")
    return None
