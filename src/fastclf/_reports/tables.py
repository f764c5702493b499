"""A table, in plain text and in HTML."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import escape

_CHOSEN = "  <- chosen"
_NUMBER = re.compile(r"[-+]?\d")


@dataclass(frozen=True)
class Table:
    """Cells under a head, in words; `chosen` are the numbers of rows that stand out, `note` is what to know of them."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    chosen: frozenset[int] = frozenset()
    note: str = ""

    def as_text(self) -> str:
        """Return lines with columns one below the other, numbers to the right."""
        columns = list(zip(self.head, *self.rows, strict=True))
        widths = [max(map(len, column)) for column in columns]
        right = self._are_numbers()
        lines = []
        for i, row in enumerate((self.head, *self.rows), -1):
            cells = [
                cell.rjust(width) if number else cell.ljust(width)
                for cell, width, number in zip(row, widths, right, strict=True)
            ]
            lines.append("  ".join(cells).rstrip() + (_CHOSEN if i in self.chosen else ""))
        return "\n".join([self.title, *lines, *filter(None, [self.note])])

    def as_markdown(self) -> str:
        """Return the head and the rows as a table of Markdown, and the note."""
        escaped = [[cell.replace("|", "\\|") for cell in row] for row in (self.head, *self.rows)]
        lines = [f"| {' | '.join(row)} |" for row in escaped]
        lines.insert(1, "|---" * len(self.head) + "|")
        return "\n".join([*lines, "", self.note] if self.note else lines)

    def as_html(self) -> str:
        """Return a table of HTML, with what is chosen in bold type; a head of empty words is left out."""
        right = self._are_numbers()
        head = "".join(_cell("th", cell, number) for cell, number in zip(self.head, right, strict=True))
        rows = [f"<tr>{head}</tr>"] if any(self.head) else []
        for i, row in enumerate(self.rows):
            cells = "".join(_cell("td", cell, number) for cell, number in zip(row, right, strict=True))
            rows.append(f'<tr class="chosen">{cells}</tr>' if i in self.chosen else f"<tr>{cells}</tr>")
        note = f"<p>{escape(self.note)}</p>\n" if self.note else ""
        return f"<h2>{escape(self.title)}</h2>\n<table>\n" + "\n".join(rows) + f"\n</table>\n{note}"

    def _are_numbers(self) -> list[bool]:
        """Whether all cells of each column begin as numbers do, with a digit after a sign or none, or are empty."""
        return [all(not row[i] or _NUMBER.match(row[i]) for row in self.rows) for i in range(len(self.head))]


def _cell(tag: str, text: str, is_number: bool) -> str:
    return f'<{tag} class="number">{escape(text)}</{tag}>' if is_number else f"<{tag}>{escape(text)}</{tag}>"
