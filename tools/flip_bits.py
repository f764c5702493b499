"""Flip every bit of saved models, one at a time: how often loading them ends the process, or changes an answer.

Usage: flip_bits.py [MODEL...]

Models are those of this version in tests/data/models, by default all of them. Each is loaded in a process of its own
for every thousand flips, with bounded memory. Prints a line for each, and then the sum; a changed answer is a failure.
"""

from __future__ import annotations

import os
import pickle
import resource
import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "helpers"))

import saved_models

import fastclf

_FOLDER = saved_models.FOLDER / fastclf.__version__
_FLIPS_A_PROCESS = 1000
_MOST_MEMORY = 4 << 30
_CHANGED = 1  # exit status


def loads_otherwise(pickled: bytes, bit: int, record: dict) -> bool:
    """Whether a model with a flipped bit loads and gives other answers than are recorded."""
    damaged = bytearray(pickled)
    damaged[bit // 8] ^= 1 << bit % 8
    try:
        model = pickle.loads(damaged)
        return saved_models.answers(model, record["answers"], record["questions"]) != record["answers"]
    except Exception:  # of any kind: it was refused, or is of no use
        return False


def _status(pickled: bytes, bits: range, record: dict) -> int:
    """Load what these flips make in a process of its own; how it ends."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    warnings.simplefilter("ignore")
    os._exit(_CHANGED if any(loads_otherwise(pickled, bit, record) for bit in bits) else 0)


def bad_flips(pickled: bytes, bits: range, record: dict) -> dict[int, int]:
    """Return the flips after which a process did not end well, and how it ended."""
    status = _status(pickled, bits, record)
    if status == 0:
        return {}
    if len(bits) == 1:
        return {bits[0]: status}
    half = len(bits) // 2
    return bad_flips(pickled, bits[:half], record) | bad_flips(pickled, bits[half:], record)


def main(names: list[str]) -> int:
    """Try every flip of these models; return the exit status."""
    recorded = saved_models.recorded(_FOLDER)
    flips = crashes = changes = 0
    for name in names or recorded:
        pickled = (_FOLDER / f"{name}.pickle").read_bytes()
        bits = range(8 * len(pickled))
        bad: dict[int, int] = {}
        for start in range(0, len(bits), _FLIPS_A_PROCESS):
            bad |= bad_flips(pickled, bits[start : start + _FLIPS_A_PROCESS], recorded[name])
        changed = sum(status == _CHANGED for status in bad.values())
        print(f"{name}: {len(bits)} flips, {len(bad) - changed} crashes, {changed} changed answers", flush=True)
        flips, crashes, changes = flips + len(bits), crashes + len(bad) - changed, changes + changed
    print(f"{flips} flips, {crashes} crashes, {changes} changed answers")
    return int(changes > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
