"""How the course's figures look."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl

from fastclf.plotting import STYLE


def reset(_conf: dict[str, Any], _file: str) -> None:
    """Set how figures look, anew before each page."""
    mpl.rcParams.update({**STYLE, "figure.dpi": 100, "figure.figsize": (6.4, 3.6)})
