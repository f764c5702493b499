"""Print what python3.dll of CPython 3.11 exports, as a .def file: its stable ABI, which later versions keep.

An import library made of it lets the module link with nothing that 3.11 lacks.
"""

from __future__ import annotations

from abi3info import DATAS, FUNCTIONS
from abi3info.models import PyVersion

LOWEST = PyVersion(3, 11)


def main() -> None:
    """Print the file."""
    print("LIBRARY python3.dll\nEXPORTS")
    for table, kind in ((FUNCTIONS, ""), (DATAS, " DATA")):
        for symbol, entry in table.items():
            if entry.added <= LOWEST:
                print(symbol.name + kind)


if __name__ == "__main__":
    main()
