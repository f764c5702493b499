"""The documentation's programs run, its pages are whole, and the check of its links finds what is broken."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest
from tool_programs import load_tool

ROOT = Path(__file__).parents[2]
COURSE = sorted((ROOT / "examples" / "course").glob("plot_*.py"))
PAGES = [ROOT / "README.md", *(ROOT / "docs" / f"{name}.md" for name in ("index", "persistence", "windows"))]
PAGES += sorted((ROOT / "docs" / "guides").glob("*.md"))
RNG = np.random.default_rng(0)


def programs():
    """Every block of Python, but for those that begin in the middle."""
    for page in PAGES:
        for i, block in enumerate(re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)):
            if block.startswith(("import ", "from ")):
                yield pytest.param(block, id=f"{page.stem}-{i}")


def data():
    """What programs take as given."""
    X, y = RNG.integers(0, 256, (300, 1024), dtype=np.uint8), np.arange(300) % 10
    given = {}
    if importlib.util.find_spec("torch"):
        import torch

        given = {"logits": torch.zeros(300, 10, requires_grad=True), "targets": torch.arange(300) % 10}
    return given | {
        "X": X,
        "y": y,
        "more_X": X[:20],
        "more_y": y[:20],
        "Q": X[:30],
        "mask": np.arange(320) % 2 == 0,
        "scores": RNG.standard_normal((300, 10)),
        "labels": y,
        "sentences": [["She", "lives", "in", "Rome"]] * 3,
        "tags": [["O", "O", "O", "LOC"]] * 3,
    }


@pytest.mark.parametrize("block", list(programs()))
def test_programs_of_the_pages_run(block):
    pytest.importorskip("matplotlib")
    if "faiss" in block:
        pytest.importorskip("faiss")
    if "torch" in block:
        pytest.importorskip("torch")
    if "dask" in block:
        pytest.importorskip("dask")
    given = data()
    if "majority_vote(labels, " in block:
        given["labels"] = given["labels"].reshape(-1, 3)
    exec(compile(block, "block", "exec"), given)


def test_a_program_that_is_wrong_fails():
    with pytest.raises(AttributeError):
        exec("import fastclf\nfastclf.no_such_name", data())


@pytest.mark.parametrize("page", COURSE, ids=lambda page: page.stem)
def test_pages_of_the_course_end_with_exercises_and_solutions(page):
    text = page.read_text()
    exercises = text.split("# Exercises\n# ---------\n")[1]
    count = len(re.findall(r"^# \*\*\d\.\*\* ", exercises, re.MULTILINE))
    assert 2 <= count <= 3
    assert exercises.count('<details class="solution"><summary>Solution</summary>') == count
    assert exercises.count("</details>") == count
    assert text.count("sphinx_gallery_start_ignore") == text.count("sphinx_gallery_end_ignore")


def test_every_page_of_the_course_is_on_the_map():
    linked = set(re.findall(r"course/(plot_\w+)\.rst", (ROOT / "docs" / "map.md").read_text()))
    assert linked == {page.stem for page in COURSE}


def test_the_version_to_cite_is_that_of_the_package():
    version = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[1]
    assert f"version: {version}\n" in (ROOT / "CITATION.cff").read_text()


@pytest.fixture
def site(tmp_path):
    (tmp_path / "index.html").write_text(
        '<a href="other.html#here">x</a><a href="https://else.where/">y</a><img src="p.png">'
    )
    (tmp_path / "other.html").write_text('<h1 id="here">z</h1><a href="#here">x</a>')
    (tmp_path / "p.png").write_bytes(b"")
    return tmp_path


def test_links_that_lead_somewhere(site):
    assert load_tool("check_links").broken(site) == []


@pytest.mark.parametrize(
    ("link", "line"),
    [
        ('<a href="none.html">x</a>', "third.html: none.html: no such file"),
        ('<a href="other.html#there">x</a>', "third.html: other.html#there: no such heading"),
        ('<img src="q.png">', "third.html: q.png: no such file"),
        ('<a href="#there">x</a>', "third.html: #there: no such heading"),
    ],
)
def test_links_that_lead_nowhere(site, link, line):
    (site / "third.html").write_text(link)
    assert load_tool("check_links").broken(site) == [line]
