"""The README as a package index shows it: its links lead to the files of this version, wherever it is read.

The build calls `dynamic_metadata` (`[[tool.dynamic-metadata]]` in pyproject.toml). In the tree the README's links stay
relative, so that they work in every copy of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

_LINK = re.compile(r"(?P<picture>!?)(?P<text>\[[^\]]*\])\((?P<target>[^)\s]+)\)")


def with_absolute_links(text: str, source: str, version: str) -> str:
    """Return Markdown whose relative links lead to the version's files in the repository at `source`.

    A path without a suffix is a folder: wheels are also built where the linked files are missing.
    """

    def absolute(link: re.Match[str]) -> str:
        path, picture = link["target"], link["picture"]
        if re.match(r"[a-z]+:|#", path):
            return link[0]
        kind = "raw" if picture else "blob" if PurePosixPath(path).suffix else "tree"
        return f"{picture}{link['text']}({source}/{kind}/v{version}/{path})"

    return _LINK.sub(absolute, text)


def dynamic_metadata(settings: Mapping[str, Any], project: Mapping[str, Any]) -> dict[str, Any]:
    """Return the field `readme`; there are no settings."""
    if settings:
        raise ValueError(f"tools/package_page.py has no settings, got {sorted(settings)}")
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    text = with_absolute_links(text, project["urls"]["Source"], project["version"])
    return {"readme": {"content-type": "text/markdown", "text": text}}
