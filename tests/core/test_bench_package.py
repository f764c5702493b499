"""Comparisons with other packages, as the package has them: what they answer and tell, not how long it takes."""

from __future__ import annotations

import importlib.util
import itertools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import reference
import threadpoolctl

from fastclf._reports import machine
from fastclf.bench import __main__ as command
from fastclf.bench import cases, losses, peers, searches, timing

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def threads_afterwards():
    """Other packages set the number of OpenMP's threads for the whole process."""
    before = [(library, library.num_threads) for library in threadpoolctl.ThreadpoolController().lib_controllers]
    yield
    for library, count in before:
        library.set_num_threads(count)


@pytest.mark.parametrize("values", list(cases.VALUES))
@pytest.mark.parametrize("peer", [peers.PLAIN, *peers.PEERS], ids=lambda peer: peer.name)
def test_peers_find_the_nearest(peer, values):
    if not peer.installed():
        pytest.skip(f"{peer.name} is not installed")
    X, Q = cases.made(300, 24).as_values(values)
    for metric in peer.queries:
        expected = reference.exact_knn(metric, Q[:20], X, 5)[1]
        neighbors = peer.build(X, metric, 2).neighbors(Q[:20], 5)
        assert timing.rows_differ(neighbors, expected) == 0, metric


def test_rows_differ_counts_queries_with_other_rows():
    one = np.array([[1, 2], [3, 4], [5, 6]])
    assert timing.rows_differ(one, np.array([[2, 1], [3, 5]])) == 1


def test_a_median_of_ratios(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(timing.time, "perf_counter", lambda: clock[0])
    count = {"ours": 0, "theirs": 0}

    def taking(name, seconds):
        def call():
            count[name] += 1
            clock[0] += seconds

        return call

    assert timing.median_ratio(taking("ours", 0.25), taking("theirs", 0.75), 3, 1.0) == 3
    assert count == {"ours": 2 + 3 * 4, "theirs": 2 + 3 * 2}


NO_DATA = cases.Data("drawn", *[np.zeros(1)] * 3)
RESULTS = [
    searches.Result("l2, uint8", "one", 2.0, 0, 50, True),
    searches.Result("l2, uint8", "other", 0.5, 3, 50, False),
    searches.Result("l1, uint8", "other", 10.0, 0, 50, False),
]


def test_a_peer_without_the_metric_has_an_empty_cell():
    table = searches.table(RESULTS, NO_DATA, {})
    assert table.head == ("drawn", "one", "other")
    assert table.rows == (("l2, uint8", "2", "0.5"), ("l1, uint8", "", "10"))


def test_the_note_names_what_is_unlike():
    note = searches.table(RESULTS, NO_DATA, {"third": "not installed", "fourth": "cannot be imported: x"}).note
    assert "the same number of threads (one for one), medians" in note
    assert "(ties, rounding or an error): other on 3 of 50 (l2, uint8)." in note
    assert note.endswith("Left out: third (not installed); fourth (cannot be imported: x).")
    note = searches.table(RESULTS[2:], NO_DATA, {}).note
    assert "the same number of threads, medians" in note
    assert "an error): none." in note
    assert note.endswith("Left out: none.")


@pytest.mark.parametrize(
    ("one_thread", "n_threads", "expected"), [(True, 2, True), (True, 1, False), (False, 2, False)]
)
def test_a_peer_of_one_thread_is_known(one_thread, n_threads, expected):
    peer = peers.Peer("plain", "fastclf", "fastclf", peers.Plain, {"l2": 5}, one_thread)
    [result] = searches.compare(cases.Case("l2", "uint8", 3, 20), cases.made(50, 8), [peer], n_threads, 1)
    assert result.one_thread == expected


def test_peers_that_do_not_load_are_left_out():
    def broken(*_):
        raise ImportError("no library")

    some = [
        peers.Peer("broken", "numpy", "numpy", broken, {"l2": 5}),
        peers.Peer("absent", "no_such_module", "absent", broken, {"l2": 5}),
        peers.PLAIN,
    ]
    usable, left_out = peers.sort_out(some, 1)
    assert usable == [peers.PLAIN]
    assert left_out == {"broken": "cannot be imported: no library", "absent": "not installed"}


def test_an_error_of_a_peer_is_not_hidden():
    def wrong(*_):
        raise TypeError("wrong call")

    with pytest.raises(TypeError, match="wrong call"):
        peers.sort_out([peers.Peer("wrong", "numpy", "numpy", wrong, {"l2": 5})], 1)


def test_the_chart_has_a_sign_for_each_result():
    pytest.importorskip("matplotlib")
    [axes] = searches.chart(RESULTS, NO_DATA).axes
    drawn = {line.get_label(): line for line in axes.lines if not line.get_label().startswith("_")}
    places = {name: list(zip(line.get_xdata(), line.get_ydata(), strict=True)) for name, line in drawn.items()}
    assert places == {"one": [(2.0, 0)], "other": [(0.5, 0), (10.0, 1)]}
    assert [label.get_text() for label in axes.get_yticklabels()] == ["l2, uint8", "l1, uint8"]
    assert drawn["one"].get_marker() != drawn["other"].get_marker()


def test_a_peer_that_answers_otherwise_is_told_of():
    class Reversed:
        def __init__(self, X, *_):
            self.n = len(X)

        def neighbors(self, Q, k):
            return np.tile(np.arange(self.n - k, self.n), (len(Q), 1))

    peer = peers.Peer("reversed", "numpy", "numpy", Reversed, {"l2": 30})
    case = cases.Case("l2", "uint8", 3, 100)
    [result] = searches.compare(case, cases.made(400, 8), [peer], 1, 1)
    assert (result.rows_differ, result.queries) == (30, 30)
    assert searches.compare(cases.Case("l1", "uint8", 3, 100), cases.made(400, 8), [peer], 1, 1) == []


def test_losses_that_differ_are_told_of(monkeypatch):
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.nn.functional, "mse_loss", lambda *given: 0 * torch.nn.functional.l1_loss(*given))
    result = losses.compare((50, 4), 1, 1)
    assert result.differences["mse"] == 1
    assert all(0 <= result.differences[name] < 1e-5 for name in set(result.differences) - {"mse"})
    assert all(time > 0 for time in result.times.values())
    assert "(rounding or an error): mse of 50 x 4 by 1.\n" in losses.table([result]).note


@pytest.mark.parametrize(("difference", "told"), [(0.9e-4, "none"), (float("nan"), "mse of 50 x 4 by nan")])
def test_differences_of_rounding_are_not_told(monkeypatch, difference, told):
    monkeypatch.setattr(losses, "missing", lambda: "")
    result = losses.Result(50, 4, {"mse": 2.0}, {"mse": difference}, 1.5)
    assert f"(rounding or an error): {told}.\n" in losses.table([result]).note


def test_losses_without_pytorch(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    result = losses.compare((50, 4), 1, 1)
    assert (result.times, result.differences) == ({}, {})
    table = losses.table([result])
    assert len(table.head) == 2
    assert table.note.startswith("Left out: PyTorch (")


def test_a_table_in_markdown_is_what_scripts_print():
    lines = searches.table(RESULTS, NO_DATA, {}).as_markdown().splitlines()
    assert lines[:3] == ["| drawn | one | other |", "|---|---|---|", "| l2, uint8 | 2 | 0.5 |"]
    assert lines[4] == ""
    assert lines[5].startswith("Times as long")


def run(tmp_path, *options):
    return subprocess.run(
        [sys.executable, "-m", "fastclf.bench", "--rounds", "1", *options],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=200,
    )


def measured():
    """Each class of the benchmarks for asv."""
    for path in sorted((ROOT / "benchmarks").glob("[a-z]*.py")):
        spec = importlib.util.spec_from_file_location(f"benchmarks_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        classes = [value for value in vars(module).values() if getattr(value, "__module__", "") == module.__name__]
        assert classes, path
        yield from (pytest.param(cls, id=f"{path.stem}-{cls.__name__}") for cls in classes)


@pytest.mark.slow
@pytest.mark.parametrize("cls", list(measured()))
def test_benchmarks_for_asv_run(cls):
    params = getattr(cls, "params", ())
    lists = params if params and isinstance(params[0], tuple) else [params] if params else []
    assert len(getattr(cls, "param_names", ())) == len(lists)
    names = [name for name in vars(cls) if name.startswith(("time_", "peakmem_"))]
    assert names
    for values in itertools.product(*lists):
        one = cls()
        one.setup(*values)
        for name in names:
            getattr(one, name)(*values)


def test_asv_finds_them():
    settings = json.loads((ROOT / "asv.conf.json").read_text("utf-8"))
    assert settings["project"] == "fastclf"
    assert (ROOT / settings["benchmark_dir"] / "__init__.py").is_file()


@pytest.mark.slow
def test_the_command_writes_what_it_prints(tmp_path):
    done = run(tmp_path, "--made", "300", "16")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "out" / "bench.json").read_text("utf-8"))
    text = (tmp_path / "out" / "bench.html").read_text("utf-8")
    assert report["made_on"]["processor"] == machine.processor()
    assert machine.processor() in text
    installed = {peer.name for peer in peers.PEERS if peer.installed()}
    results = report["searches"]["results"]
    assert {result["peer"] for result in results} == installed
    assert {result["case"] for result in results} == {case.name for case in cases.CASES}
    assert all(result["times"] > 0 for result in results)
    for result in results:
        assert f"{result['times']:.3g}" in done.stdout
        assert f"{result['times']:.3g}</td>" in text
    assert [(one["rows"], one["classes"]) for one in report["losses"]] == list(losses.SMALL_SHAPES)
    expected = {case.name for case in losses.CASES} if importlib.util.find_spec("torch") else set()
    assert all(set(one["times"]) == expected for one in report["losses"])
    assert ("data:image/png;base64," in text) == (importlib.util.find_spec("matplotlib") is not None)


def test_one_comparison_only(tmp_path):
    done = run(tmp_path, "--only", "losses", "--out", "made")
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "made" / "bench.json").read_text("utf-8"))
    assert set(report) == {"made_on", "losses"}
    assert "Exact search" not in done.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--data", "nowhere"], "nowhere: no such directory"),
        (["--made", "0", "5"], "argument --made: must be at least 1, got 0"),
        (["--made", "6", "5"], "made, 6 x 5: 7 neighbours are searched for, got 6 rows"),
        (["--threads", "0"], "must be at least 1, got 0"),
        (["--out", "/dev/null/x"], "/dev/null"),
    ],
)
def test_bad_arguments_end_with_a_message(tmp_path, monkeypatch, capsys, options, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        sys.exit(command.main(["--rounds", "1", *options]))
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_errors_of_programs_are_not_hidden(tmp_path, monkeypatch):
    def wrong(*_):
        raise TypeError("wrong call")

    monkeypatch.setattr(losses, "compare", wrong)
    with pytest.raises(TypeError, match="wrong call"):
        command.main(["--only", "losses", "--out", str(tmp_path)])


def test_versions_are_told_of_all_peers():
    for peer in peers.PEERS:
        if peer.installed():
            assert machine.facts([peer.distribution])[peer.distribution]
