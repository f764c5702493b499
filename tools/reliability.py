"""Measure the figures of reliability, and make docs/reliability.md of what was found.

Usage: reliability.py run SECONDS (NAME... | CI | nightly | release | all)
       reliability.py page

`run` runs the commands that reliability.toml has for these figures, each once, and keeps the last line of what each
says, with its date, in reliability.json. `page` writes the page. A figure counts as met only by a command that is the
one of today and has ended well.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastclf._reports.machine import processor

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "tools" / "reliability.toml"
RESULTS = ROOT / "tools" / "reliability.json"
PAGE = ROOT / "docs" / "reliability.md"

STATES = ("met", "in part", "missed", "not measured")

_HEAD = """\
# Figures of reliability

What breaks an extension in C, and what fastclf does about it, in figures: what is aimed at, what was found, and what
measures it. `tools/reliability.py` makes this page from what the commands said when they were last run.

- **met**: the command reaches what is aimed at.
- **in part**: the command ended well, but falls short of the aim, as the second table says.
- **missed**: the command failed.
- **not measured**: no command has been run for it, or another one than today's.

`.ci/run` runs those marked CI. `tools/nightly.sh MINUTES` and `tools/release.sh MINUTES` run what takes longer.
`SECURITY.md` in the repository says what is promised about hostile input.

"""


def figures() -> dict[str, dict[str, str]]:
    """Return the figures by name."""
    return tomllib.loads(FIGURES.read_text(encoding="utf-8"))


def results() -> dict[str, dict[str, Any]]:
    """Return what was found, by the command of reliability.toml."""
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}


def state_of(figure: dict[str, str], found: dict[str, dict[str, Any]]) -> str:
    """Return one of STATES."""
    result = found.get(figure.get("command", ""))
    if result is None:
        return "not measured"
    if result["status"] != 0:
        return "missed"
    return "in part" if "lacks" in figure else "met"


def page(all_figures: dict[str, dict[str, str]], found: dict[str, dict[str, Any]]) -> str:
    """Return the page in Markdown."""
    states = {name: state_of(figure, found) for name, figure in all_figures.items()}
    counts = ", ".join(f"{list(states.values()).count(state)} {state}" for state in STATES)
    machines = "".join(f" Found on: {on}." for on in sorted({result["on"] for result in found.values()}))
    lines = [f"{_HEAD}Of {len(states)} figures: {counts}.{machines}", ""]
    lines += ["| | figure | aim | found | by |", "|---|---|---|---|---|"]
    for name, figure in all_figures.items():
        result = found.get(figure.get("command", ""))
        said = f"**{states[name]}**" + (f": {_plain(result['found'])}" if result else "")
        by = f"`{_plain(result['ran'] if result else figure['command'])}`" if "command" in figure else ""
        where = f"{figure['runs']}; {result['date']}" if result else figure.get("runs", "")
        lines.append(f"| {name} | {figure['figure']} | {figure['target']} | {said} | {by} {where} |")
    lines += ["", "## What is missing", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {figure['lacks']} |" for name, figure in all_figures.items() if "lacks" in figure]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    return text.replace("|", "\\|").replace("`", "'")


def said_last(output: str) -> str:
    """Return the last line that says something; of pytest without its time."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return re.sub(r"^=* ?(.*?) in \d[\d.]*s( \(.*\))? ?=*$", r"\1", lines[-1]) if lines else "nothing"


def run(command: str, seconds: int) -> dict[str, Any]:
    """Run a command; return what it said last, and how it ended."""
    ran = command.format(seconds=seconds)
    print(f"\n== {ran}", flush=True)
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(ran, shell=True, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    print(done.stdout, end="", flush=True)
    return {
        "ran": ran,
        "status": done.returncode,
        "found": said_last(done.stdout),
        "date": datetime.now(UTC).date().isoformat(),
        "on": f"{processor()}, {os.cpu_count()} CPUs",
    }


def chosen(names: list[str], all_figures: dict[str, dict[str, str]]) -> list[str]:
    """Return the commands of these figures, each once, in their order."""
    wanted = {name for name in all_figures if name in names or all_figures[name].get("runs") in names or "all" in names}
    unknown = set(names) - all_figures.keys() - {"CI", "nightly", "release", "all"}
    if unknown or not wanted:
        raise SystemExit(f"reliability.py: no figures of these names: {sorted(unknown) or names}")
    return list(
        dict.fromkeys(all_figures[name]["command"] for name in sorted(wanted) if "command" in all_figures[name])
    )


def main(words: list[str]) -> int:
    """Do what the words say; return the exit status."""
    if words == ["page"]:
        PAGE.write_text(page(figures(), results()), encoding="utf-8")
        return 0
    if len(words) < 3 or words[0] != "run" or not words[1].isdecimal():
        raise SystemExit(__doc__)
    failed = []
    for command in chosen(words[2:], figures()):
        result = run(command, int(words[1]))
        RESULTS.write_text(json.dumps(results() | {command: result}, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        failed += [result["ran"]] * (result["status"] != 0)
    PAGE.write_text(page(figures(), results()), encoding="utf-8")
    print("".join(f"failed: {ran}\n" for ran in failed), end="", file=sys.stderr)
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
