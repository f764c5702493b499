"""The page of a package index: every link leads to a file of this version, and every address is the project's."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from tool_programs import load_tool

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
README = (ROOT / "README.md").read_text()
FILES = f"{PROJECT['urls']['Source']}/"
package_page = load_tool("package_page")


def targets(text):
    return re.findall(r"\]\(([^)]*)\)", text)


def test_no_link_of_the_page_is_relative():
    page = package_page.dynamic_metadata({}, PROJECT)["readme"]
    assert page["content-type"] == "text/markdown"
    links = targets(page["text"])
    assert len(links) == len(targets(README)) > 20
    assert all(link.startswith("https://") for link in links)


def test_links_of_the_page_lead_to_files_of_this_version():
    links = targets(package_page.dynamic_metadata({}, PROJECT)["readme"]["text"])
    found = [re.fullmatch(rf"{re.escape(FILES)}(raw|tree|blob)/v{PROJECT['version']}/(.+)", link) for link in links]
    for link in filter(None, found):
        kind, path = link.groups()
        assert (ROOT / path).is_dir() if kind == "tree" else (ROOT / path).is_file()
    assert {link[1] for link in found if link} == {"raw", "tree", "blob"}


def test_nothing_but_links_is_changed():
    page = package_page.dynamic_metadata({}, PROJECT)["readme"]["text"]
    assert re.sub(rf"{re.escape(FILES)}(raw|tree|blob)/v[^/]+/", "", page) == README


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("[a](docs/losses.md)", "[a](S/blob/v1/docs/losses.md)"),
        ("[a](docs/losses.md#here)", "[a](S/blob/v1/docs/losses.md#here)"),
        ("[a\nb](docs)", "[a\nb](S/tree/v1/docs)"),
        ("![a](docs/_static/first.png)", "![a](S/raw/v1/docs/_static/first.png)"),
        ("[a](https://else.where/) [b](#here)", "[a](https://else.where/) [b](#here)"),
    ],
)
def test_links_of_each_kind(link, expected):
    assert package_page.with_absolute_links(link, "S", "1") == expected


def test_settings_are_refused():
    with pytest.raises(ValueError, match=r"has no settings, got \['field'\]"):
        package_page.dynamic_metadata({"field": "readme"}, PROJECT)


def test_every_address_begins_as_the_homepage_does():
    assert {"Homepage", "Documentation", "Source", "Changelog", "Issues"} == PROJECT["urls"].keys()
    assert all(url.startswith(PROJECT["urls"]["Homepage"]) for url in PROJECT["urls"].values())
    citation = (ROOT / "CITATION.cff").read_text()
    assert f"\nurl: {PROJECT['urls']['Homepage']}\n" in citation
    assert f"\nrepository-code: {PROJECT['urls']['Source']}\n" in citation
