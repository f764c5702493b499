"""How Sphinx builds the site: `sphinx-build -W docs build/site`."""

from __future__ import annotations

import os
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

import fastclf

ROOT = Path(__file__).parents[1]
sys.path += [str(ROOT / "docs" / "_ext"), str(ROOT / "examples")]  # extensions; what pages of the course import
os.environ["PYTHONPATH"] = str(ROOT / "examples")

project = "fastclf"
author = "The fastclf developers"
copyright = author  # noqa: A001 -- Sphinx's name
version = release = fastclf.__version__

extensions = [
    "mathml",
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_ext", "_static", "_templates", "course/*.ipynb", "course/*.py", "course/*.json"]
templates_path = ["_templates"]
default_role = "py:obj"  # a name in single backquotes: a link if it is in the reference, else code
nitpicky = False
root_doc = "index"

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

html_theme = "pydata_sphinx_theme"
html_title = "fastclf"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/icon.svg"
html_math_renderer = "mathml"
html_show_sourcelink = False
html_copy_source = False
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system has it
html_theme_options: dict[str, Any] = {
    "logo": {"text": "fastclf", "image_light": "_static/icon.svg", "image_dark": "_static/icon.svg", "alt_text": ""},
    "navbar_align": "left",
    "header_links_before_dropdown": 6,
    "show_nav_level": 1,
    "show_toc_level": 2,
    "secondary_sidebar_items": {"[!c]*": ["page-toc"], "c[!o]*": ["page-toc"]},  # the course's code needs the width
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"index": []}

autodoc_typehints = "none"  # docstrings say it in words
autodoc_mock_imports = [] if find_spec("torch") else ["torch"]  # large, and needed for two docstrings only
autosummary_generate = True
numpydoc_show_class_members = False  # templates list the members
numpydoc_xref_param_type = False
numpydoc_validation_checks = {
    *("GL03", "GL06", "GL07", "GL08", "PR01", "PR02", "PR03", "PR04", "PR07", "PR10", "RT01", "RT03", "SS01", "YD01")
}
numpydoc_validation_exclude = {r"\.(get_params|set_params|get_metadata_routing)$"}

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True


def is_scikit_learns(_app: Sphinx, _what: str, name: str, _value: Any, _skip: bool, _options: Any) -> bool | None:
    """Leave out methods that are scikit-learn's own, whose docstrings refer to its pages."""
    return True if re.fullmatch(r"(set|get)_(\w+_request|output|metadata_routing|params)", name) else None


def setup(app: Sphinx) -> None:
    """Connect what has to be asked during a build."""
    app.connect("autodoc-skip-member", is_scikit_learns)


sphinx_gallery_conf = {
    "examples_dirs": [str(ROOT / "examples" / "course")],
    "gallery_dirs": ["course"],
    "within_subsection_order": "FileNameSortKey",
    "reset_modules": ("matplotlib", "figures.reset"),
    "abort_on_example_error": True,
    "capture_repr": ("_repr_html_",),
    "download_all_examples": False,
    "ignore_pattern": r"pictures\.py$",
    "image_srcset": ["2x"],
    "plot_gallery": True,
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    "thumbnail_size": (480, 300),
    "write_computation_times": False,
}
