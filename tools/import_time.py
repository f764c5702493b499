"""Measure how much of the processor's time `import fastclf` takes beside NumPy, which it imports.

Usage: import_time.py [MILLISECONDS]

Each import is made by a new process, many times, in turns; the least time of each counts, as everything else only adds
to it. Fails if fastclf takes more than so many milliseconds beside NumPy.
"""

from __future__ import annotations

import subprocess
import sys

_REPETITIONS = 10
# What an editable install first does, to build what has changed, is no part of it.
_PROGRAM = """
import sys, time
for finder in sys.meta_path:
    if hasattr(finder, "rebuilt"):
        finder.rebuilt = True
start = time.process_time()
import {}
print(time.process_time() - start)
"""


def seconds(names: str) -> float:
    """Return the processor's time that a new process takes to import these."""
    command = [sys.executable, "-c", _PROGRAM.format(names)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main(words: list[str]) -> int:
    """Measure; return the exit status."""
    most = float(words[0]) if words else float("inf")
    found = [[seconds(names) for names in ("numpy", "numpy, fastclf")] for _ in range(_REPETITIONS)]
    numpy, both = (1e3 * min(times) for times in zip(*found, strict=True))
    print(f"NumPy: {numpy:.1f} ms, fastclf beside it: {both - numpy:.1f} ms")
    return int(both - numpy > most)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
