"""Arrays that grow at the end without being changed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class _Buffer:
    """Memory that several arrays begin with; `used` of it belong to the longest of them."""

    def __init__(self, memory: NDArray[Any], used: int) -> None:
        self.memory = memory
        self.used = used


class GrowingArray:
    """Rows that never change; `appended` gives longer ones, in amortised constant time a row.

    The longest array of a buffer may go on in its spare memory. Any other one, such as what a copied or interrupted
    owner still holds, moves to a buffer of its own. Pickles hold the rows alone.
    """

    def __init__(self, rows: NDArray[Any]) -> None:
        self._buffer = _Buffer(rows, len(rows))
        self._count = len(rows)

    def __len__(self) -> int:
        return self._count

    def __reduce__(self) -> tuple[type[GrowingArray], tuple[NDArray[Any]]]:
        return GrowingArray, (self.view,)

    @property
    def view(self) -> NDArray[Any]:
        """The rows, read-only."""
        view = self._buffer.memory[: self._count]
        view.flags.writeable = False
        return view

    def appended(self, rows: NDArray[Any], dtype: np.dtype[Any] | None = None) -> GrowingArray:
        """Return these rows and then `rows`, of a dtype that holds both: NumPy's choice, unless it is given."""
        total = self._count + len(rows)
        buffer, memory = self._buffer, self._buffer.memory
        dtype = np.promote_types(memory.dtype, rows.dtype) if dtype is None else dtype
        fits = buffer.used == self._count and total <= len(memory) and dtype == memory.dtype and memory.flags.writeable
        if not fits:
            memory = np.empty((max(total, 2 * self._count), *memory.shape[1:]), dtype)
            memory[: self._count] = self.view
            buffer = _Buffer(memory, self._count)
        buffer.used = total
        memory[self._count : total] = rows
        longer = GrowingArray.__new__(GrowingArray)
        longer._buffer, longer._count = buffer, total
        return longer
