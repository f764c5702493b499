"""Tables in text and HTML, what a measurement was made on, and the main job's page."""

from __future__ import annotations

import base64
import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib import metadata

import pytest

from fastclf import _job
from fastclf._reports import machine
from fastclf._reports.page import page, preformatted, write
from fastclf._reports.tables import Table

TABLE = Table("Rows", ("name", "<n>"), (("a<b", "1"), ("c", "20.5")), frozenset({1}), "as drawn")
OPTIONS = ["--k", "1", "3", "--limit", "200", "--penalties", "0.01", "0.1"]


class Parts(HTMLParser):
    """Rows of cells, attributes of pictures, and addresses that a page would load."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.chosen, self.pictures, self.addresses, self.text = [], [], [], [], ""
        self.open = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag not in ("meta", "img"):
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
            if attrs.get("class") == "chosen":
                self.chosen.append(self.rows[-1])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
        elif tag == "img":
            self.pictures.append(attrs)
        self.addresses += [attrs[name] for name in ("src", "href") if name in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if self.open and self.open[-1] in ("td", "th"):
            self.rows[-1][-1] += data


def test_a_table_in_text():
    assert TABLE.as_text() == "Rows\nname   <n>\na<b      1\nc     20.5  <- chosen\nas drawn"


def test_a_table_in_html():
    parts = Parts(TABLE.as_html())
    assert parts.rows == [["name", "<n>"], ["a<b", "1"], ["c", "20.5"]]
    assert parts.chosen == [["c", "20.5"]]
    assert "as drawn" in parts.text
    assert parts.open == []


def test_a_page_is_whole_and_escaped():
    parts = Parts(page("a <b>", "x <i>", {"processor": "<p>"}, [TABLE.as_html(), preformatted("<u>", "1 <s>")]))
    assert parts.open == []
    assert parts.rows[-2:] == [["c", "20.5"], ["processor", "<p>"]]  # no empty head between them
    assert all(text in parts.text for text in ("a <b>", "x <i>", "<u>", "1 <s>"))


def test_a_table_in_markdown_keeps_its_columns():
    table = Table("Norms", ("of", "|x|"), (("a|b", "1"),))
    assert table.as_markdown() == "| of | \\|x\\| |\n|---|---|\n| a\\|b | 1 |"


def test_writing_tells_where(tmp_path, capsys):
    write(tmp_path / "x.html", "ü")
    assert (tmp_path / "x.html").read_bytes() == "ü".encode()
    assert capsys.readouterr().out == f"wrote {tmp_path / 'x.html'}\n"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n\nprocessor\t: 1\nmodel name\t: Some CPU\n",
            "Some CPU @ 2 GHz",
        ),
        ("processor\t: 0\nBogoMIPS\t: 48\nModel\t\t: Some Board 4\n", "Some Board 4"),
        ("processor\t: 0\n", "by Python"),
        (None, "by Python"),
    ],
)
def test_the_processor_has_a_name(tmp_path, monkeypatch, content, expected):
    file = tmp_path / "cpuinfo"
    if content is not None:
        file.write_text(content)
    monkeypatch.setattr(machine, "_CPUINFO", file)
    monkeypatch.setattr("platform.processor", lambda: "by Python")
    assert machine.processor() == expected


def test_versions_of_what_is_installed():
    facts = machine.facts(("pytest", "no-such-package"))
    assert facts["pytest"] == pytest.__version__
    assert facts["fastclf"] == metadata.version("fastclf")
    assert "no-such-package" not in facts


def test_libraries_of_blas_are_told_with_their_kernels(monkeypatch):
    openblas = {"user_api": "blas", "prefix": "libopenblas", "version": "0.3.15", "architecture": "Haswell"}
    mkl = {"user_api": "blas", "prefix": "libmkl_rt", "version": "2025"}
    openmp = {"user_api": "openmp", "prefix": "libgomp", "version": None}
    monkeypatch.setattr("threadpoolctl.threadpool_info", lambda: [openblas, openmp, mkl, openblas])
    assert machine.facts()["BLAS"] == "libmkl_rt 2025, libopenblas 0.3.15 Haswell"
    monkeypatch.setattr("threadpoolctl.threadpool_info", lambda: [openmp])
    assert machine.facts()["BLAS"] == "none"


def test_accuracies_go_with_their_penalties():
    scores = [_job.LinearScore(*one) for one in (("softmax", 1.0, 0.7), ("softmax", 2.0, 0.8), ("hinge", 1.0, 0.5))]
    fits = _job.Fits(None, None, scores, [])
    assert fits.penalties == [1.0, 2.0]
    assert fits.accuracies("softmax") == [0.7, 0.8]
    assert fits.accuracies("hinge") == [0.5]


def run(folder, before=""):
    code = f"{before}\nimport runpy, sys\nsys.argv[0] = 'fastclf'\nrunpy.run_module('fastclf', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", code, *OPTIONS, "--report", "made"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, Parts((folder / "made" / "report.html").read_text("utf-8"))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder in which the main job has made a page; what it printed; the page."""
    folder = tmp_path_factory.mktemp("job")
    return folder, *run(folder)


def test_the_page_holds_all_that_is_printed_and_drawn(made):
    folder, printed, parts = made
    words = [" ".join(row) for row in parts.rows]
    lines = [" ".join(line.split("  <-")[0].split()) for line in printed.splitlines()]
    told = [line for line in lines if re.match(r"(l[12]|softmax|hinge|kNN,|fastclf|scikit-learn brute) ?", line)]
    assert len(told) >= 4 + 4 + 3 + 2
    assert [line for line in told if line not in words] == []
    assert [" ".join(row) for row in parts.chosen] == [
        " ".join(line.split("  <-")[0].split()) for line in printed.splitlines() if line.endswith("<- chosen")
    ]
    assert len(parts.chosen) == 3
    facts = dict(row for row in parts.rows if len(row) == 2)
    assert facts["processor"] == machine.processor()
    assert facts["numpy"] == metadata.version("numpy")
    assert "200 training and 200 test rows of 64 bytes" in parts.text
    saved = {path.name: path.read_bytes() for path in (folder / "made").glob("*.png")}
    assert len(saved) == len(parts.pictures) == 6
    assert all(picture["alt"] for picture in parts.pictures)
    assert {path.name for path in folder.iterdir()} == {"made"}


def test_the_page_needs_no_other_file(made):
    folder, _, parts = made
    start = "data:image/png;base64,"
    assert [address for address in parts.addresses if not address.startswith(start)] == []
    for address in parts.addresses:
        assert base64.b64decode(address.removeprefix(start), validate=True).startswith(b"\x89PNG")
    assert "url(" not in (folder / "made" / "report.html").read_text("utf-8")


def test_a_page_without_matplotlib_says_so(tmp_path):
    absent = "import sys\nsys.modules['matplotlib'] = sys.modules['matplotlib.figure'] = None"
    _, parts = run(tmp_path, absent)
    assert "pip install fastclf[plot]" in parts.text
    assert parts.pictures == []
