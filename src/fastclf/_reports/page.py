"""A page of HTML that needs no other file: its pictures are in it."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from fastclf._reports.tables import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STYLE = """
:root { color-scheme: light dark; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; font: 16px/1.5 system-ui, sans-serif; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { padding: 0.15rem 0.8rem; border-bottom: 1px solid #8884; text-align: left; white-space: nowrap; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.chosen { font-weight: bold; }
figure { margin: 1.5rem 0; }
img { max-width: min(100%, 42rem); background: white; }
pre { overflow-x: auto; font-size: 0.85rem; }
"""


def page(title: str, introduction: str, facts: Mapping[str, str], parts: Iterable[str]) -> str:
    """Return a page: what it is about, its parts (in HTML), and on what it was made."""
    measured_on = Table("Made on", ("", ""), tuple(facts.items())).as_html()
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{escape(title)}</h1>
<p>{escape(introduction)}</p>
{"".join(parts)}{measured_on}</body>
</html>
"""


def picture(figure: Figure, caption: str) -> str:
    """Return a figure as HTML that holds it as PNG."""
    content = io.BytesIO()
    figure.savefig(content, format="png", bbox_inches="tight")
    packed = base64.b64encode(content.getvalue()).decode()
    words = escape(caption)
    source = f"data:image/png;base64,{packed}"
    return f'<figure>\n<img alt="{words}" src="{source}">\n<figcaption>{words}</figcaption>\n</figure>\n'


def preformatted(title: str, text: str) -> str:
    """Return lines of text as they are."""
    return f"<h2>{escape(title)}</h2>\n<pre>{escape(text)}</pre>\n"


def write(path: Path, text: str) -> None:
    """Write a file, and tell where it is."""
    path.write_text(text, encoding="utf-8")
    print(f"wrote {path}")
