"""Check the links inside a built site: every page, picture, file and heading that is linked to has to be there.

usage: python tools/check_links.py build/site
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LINKS = {"a": "href", "link": "href", "img": "src", "script": "src", "source": "src"}


class Page(HTMLParser):
    """What a page links to, and the names that may be linked to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.names: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note one element's link and name."""
        values = dict(attrs)
        self.names |= {value for key in ("id", "name") if (value := values.get(key))}
        link = values.get(LINKS.get(tag, ""))
        if link is not None:
            self.links.append(link)


def broken(root: Path) -> list[str]:
    """Return a line for each link that leads nowhere."""
    files = [file for file in sorted(root.rglob("*.html")) if "_static" not in file.parts]
    pages = {file.resolve(): Page(file.read_text()) for file in files}
    lines = []
    for file, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (file.parent / unquote(parts.path)).resolve() if parts.path else file
            if not target.is_file():
                lines.append(f"{file.relative_to(root)}: {link}: no such file")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].names:
                lines.append(f"{file.relative_to(root)}: {link}: no such heading")
    return lines


def main() -> int:
    """Print the broken links; fail if there are any."""
    if len(sys.argv) != 2 or not Path(sys.argv[1], "index.html").is_file():
        print(__doc__, file=sys.stderr)
        return 2
    lines = broken(Path(sys.argv[1]).resolve())
    print("\n".join(lines) or "all links inside the site lead somewhere")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
