"""The page of figures says what was measured and no more; what measures them sees what is planted."""

from __future__ import annotations

import os
import re
import signal
import subprocess

import numpy as np
import pytest
from tool_programs import TOOLS, command_of, load_tool

reliability = load_tool("reliability")
FIGURES = reliability.figures()


def test_there_are_all_figures():
    assert list(FIGURES) == [f"F{i:02}" for i in range(1, 55)]


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_has_a_command_or_a_reason(name):
    figure = FIGURES[name]
    assert figure.keys() <= {"figure", "target", "command", "runs", "lacks"}
    assert ("command" in figure) == (figure.get("runs") in ("CI", "nightly", "release"))
    assert "command" in figure or figure["lacks"]
    for path in re.findall(r"(?:tools|tests)/[\w/.]*", figure.get("command", "")):
        assert (TOOLS.parent / path).exists()


def test_results_are_of_the_commands_of_today():
    assert reliability.results().keys() <= {figure.get("command") for figure in FIGURES.values()}


def test_the_page_is_made_of_these():
    """Else run python tools/reliability.py page."""
    assert reliability.PAGE.read_text() == reliability.page(FIGURES, reliability.results())


@pytest.mark.parametrize(
    ("figure", "found", "state"),
    [
        ({"lacks": "all"}, {}, "not measured"),
        ({"command": "a"}, {}, "not measured"),
        ({"command": "a"}, {"a -k b": {"status": 0}}, "not measured"),
        ({"command": "a"}, {"a": {"status": 1}}, "missed"),
        ({"command": "a", "lacks": "some"}, {"a": {"status": 1}}, "missed"),
        ({"command": "a", "lacks": "some"}, {"a": {"status": 0}}, "in part"),
        ({"command": "a"}, {"a": {"status": 0}}, "met"),
    ],
)
def test_states(figure, found, state):
    assert reliability.state_of(figure, found) == state


def test_a_command_that_fails_is_told():
    good, bad = reliability.run("echo one; echo 'two {seconds}'", 7), reliability.run("echo why; exit 3", 7)
    assert (good["found"], good["status"], good["ran"]) == ("two 7", 0, "echo one; echo 'two 7'")
    assert (bad["found"], bad["status"]) == ("why", 3)


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("..\n3 passed in 1.20s\n", "3 passed"),
        ("====== 1 failed, 3 passed, 2 skipped in 61.89s (0:01:01) ======\n\n", "1 failed, 3 passed, 2 skipped"),
        ("all equal\n", "all equal"),
        ("\n", "nothing"),
    ],
)
def test_what_was_said_last(output, said):
    assert reliability.said_last(output) == said


def test_figures_are_chosen_by_name_or_by_where_they_run():
    chosen = reliability.chosen
    assert chosen(["F07", "F02"], FIGURES) == [FIGURES["F02"]["command"]]
    assert chosen(["release"], FIGURES) == [f["command"] for f in FIGURES.values() if f.get("runs") == "release"]
    assert len(chosen(["all"], FIGURES)) == len({f["command"] for f in FIGURES.values() if "command" in f})
    with pytest.raises(SystemExit, match="no figures of these names: \\['F99'\\]"):
        chosen(["F01", "F99"], FIGURES)


# --- what measures --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plant", "fault"),
    [("answer", "another answer: "), ("refusal", "is not refused"), ("leak", "memory grows")],
)
def test_long_runs_report_what_is_planted(plant, fault):
    seconds = "3" if plant == "leak" else "60"  # others end the run at once
    command = command_of("soak", seconds, "--threads", "2", "--plant", plant)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert fault in done.stdout


def test_growth_is_that_of_the_later_calls():
    growth = load_tool("soak").growth
    calls = np.arange(0, 30_000, 100.0)
    once = np.where(calls < 5000, calls * 1000, 5e6)
    assert growth(np.stack([calls, once], axis=1)) == (0, 0)
    slope, chance = growth(np.stack([calls, once + 7 * calls], axis=1))
    assert slope == pytest.approx(7)
    assert chance == pytest.approx(0, abs=1e-6)
    noisy = once + np.random.default_rng(0).integers(0, 2, len(calls)) * 4096
    slope, chance = growth(np.stack([calls, noisy], axis=1))
    assert abs(slope) < chance


def test_files_that_fail_are_reported():
    done = subprocess.run(command_of("fuzz_readers", "60", "--plant"), capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "failed, with exit status 3" in done.stdout
    assert "planted" in done.stderr


def test_flips_that_crash_or_change_an_answer_are_told_apart(monkeypatch):
    flip_bits = load_tool("flip_bits")

    def loads_otherwise(_pickled, bit, _record):
        if bit == 9:
            os.kill(os.getpid(), signal.SIGKILL)
        return bit == 5

    monkeypatch.setattr(flip_bits, "loads_otherwise", loads_otherwise)
    assert flip_bits.bad_flips(b"..", range(16), {}) == {5: 1, 9: -signal.SIGKILL}
