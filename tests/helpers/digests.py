"""Short stand-ins for the bytes of arrays, and functions that by these know what they have been asked before."""

from __future__ import annotations

import functools
import hashlib

import numpy as np

_REMEMBERED = 4000


def digest(*arrays):
    return hashlib.sha256(b"".join(np.asarray(a).tobytes() for a in arrays)).hexdigest()


def _key(asked):
    if not isinstance(asked, np.ndarray):
        return asked
    assert asked.dtype != object  # whose bytes are addresses
    return asked.dtype, asked.shape, digest(asked)


def _copied(found):
    if isinstance(found, tuple):
        return tuple(map(_copied, found))
    return found.copy() if isinstance(found, np.ndarray) else found


def remembering(of, most=_REMEMBERED):
    """Keep the last answers: the same arrays come once for each instruction set, and in several tests."""
    answers = {}

    @functools.wraps(of)
    def answer(*args):
        asked = tuple(map(_key, args))
        if asked not in answers:
            if len(answers) == most:
                del answers[next(iter(answers))]
            answers[asked] = of(*args)
        return _copied(answers[asked])

    return answer
