"""Change single lines of the kernels, and see whether the cases of the fuzz targets notice.

Usage: mutate.py COUNT [SEED]

Each change is one of an operator, of a constant, or of a statement that is left out, at a place that is drawn. It is
noticed if a target of tests/fuzz/ ends with a wrong answer, a crash, lost memory, or not at all. Templates are changed
for the portable instruction set alone, whose answers are compared with those of another. Changes that do not compile,
or compile to the same bytes, do not count. All are printed: some that nothing notices only cost time, others lack a
test.

Uses the objects that an editable install has left in build/, and gcc.
"""

from __future__ import annotations

import random
import re
import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("neighbors", "losses", "window", "isa/neighbors", "isa/losses", "isa/window")
TARGETS = {
    "neighbors": ("neighbors", "stages", "trees", "votes"),
    "losses": ("losses", "windows"),
    "window": ("windows",),
}
CASES = 1500  # of each target
SANITIZED = "-fsanitize=address"  # what is changed, and all memory of the heap
SECONDS = 60  # of the processor, after which a change is noticed as one that does not end

# What is written as what else; operators have blanks around them.
_CHANGES = (
    (r" < ", " <= "),
    (r" <= ", " < "),
    (r" > ", " >= "),
    (r" >= ", " > "),
    (r" == ", " != "),
    (r" != ", " == "),
    (r" \+ ", " - "),
    (r" - ", " + "),
    (r" \* ", " + "),
    (r" \+= ", " -= "),
    (r" && ", " || "),
    (r" \|\| ", " && "),
    (r"(?<![\w.])0(?![\w.])", "1"),
    (r"(?<![\w.])1(?![\w.])", "2"),
    (r"^( +)(?!return|break|continue|const|static|typedef)[\w\[\]>.*-]+(?: [-+*]?= .*|\(.*\));$", r"\1;"),
)
_NO_CODE = re.compile(r"^\s*(?:#|/\*|\*|//|enum|typedef|static const)|\\$|^\s*$")


@dataclass
class Change:
    """A line of a file as it becomes."""

    path: Path
    line: int
    before: str
    after: str


def drawn(rng: random.Random) -> Change:
    """Return a change at a place where there can be one."""
    files = [path for folder in FOLDERS for path in sorted((ROOT / "csrc" / folder).glob("*.[ch]"))]
    files = [path for path in files if path.name not in ("kernels.c", "kernels.h")]
    sizes = [path.stat().st_size for path in files]
    while True:
        path = rng.choices(files, sizes)[0]
        lines = path.read_text(encoding="utf-8").splitlines()
        at = rng.randrange(len(lines))
        places = [
            (found, to)
            for pattern, to in _CHANGES
            if not _NO_CODE.search(lines[at])
            for found in re.finditer(pattern, lines[at].split("/*")[0])
        ]
        if places:
            found, to = rng.choice(places)
            after = lines[at][: found.start()] + found.expand(to) + lines[at][found.end() :]
            return Change(path, at, lines[at], after)


def family_of(path: Path) -> str:
    """Return the folder of csrc/ that a file's family has."""
    return path.parent.name


def objects() -> dict[str, Path]:
    """Return the objects of an editable install by their sources; of instruction sets with their names before."""
    found = {}
    for path in ROOT.glob("build/cp*/CMakeFiles/*.dir/csrc/**/*.o"):
        kind, source = path.with_suffix("").as_posix().split("CMakeFiles/")[1].split(".dir/")
        found[f"{kind}:{source}" if "/isa/" in source else source] = path
    if not found:
        raise SystemExit("mutate.py: build/ has no objects: install in the editable way first")
    return found


def compiled(source: Path, to: Path, *flags: str) -> bool:
    """Compile; return whether it went well."""
    words = ["gcc", "-std=c11", "-O1", "-ffp-contract=off", "-fno-math-errno", "-w", "-DFASTCLF_VERSION=changed"]
    includes = [f"-I{ROOT / 'csrc'}", f"-I{ROOT / 'src/fastclf/include'}"]
    done = subprocess.run([*words, *flags, *includes, "-c", source, "-o", to], capture_output=True, check=False)
    return done.returncode == 0


def _limits() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def notices(program: Path, target: str) -> bool:
    """Return whether a target does not end well, or not at all."""
    words = ["env", f"FUZZ_TARGET={target}", str(program), str(CASES)]
    try:
        done = subprocess.run(words, capture_output=True, check=False, preexec_fn=_limits, timeout=5 * SECONDS)
    except subprocess.TimeoutExpired:  # it waits for a lock, perhaps
        return True
    return done.returncode != 0


class Trial:
    """Programs of changed sources, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.objects, self.plain = folder, objects(), {}
        self.program = folder / "cases"
        self.cases = []
        for source in (*(ROOT / "tests/fuzz").glob("*.c"), ROOT / "tests/helpers/drawn_cases.c"):
            self.cases.append(folder / f"{source.stem}_cases.o")
            if not compiled(source, self.cases[-1]):
                raise SystemExit(f"mutate.py: {source} does not compile")
        self.link()
        if any(notices(self.program, target) for target in {t for targets in TARGETS.values() for t in targets}):
            raise SystemExit("mutate.py: a target fails without any change")

    def link(self, key: str = "", changed: Path | None = None) -> None:
        """Make the program, with one object changed."""
        parts = [changed if key == name else path for name, path in self.objects.items()]
        words = ["gcc", SANITIZED, "-o", self.program, *self.cases, *parts, "-lm", "-fopenmp", "-pthread"]
        subprocess.run(words, check=True)

    def result(self, change: Change) -> str:
        """Return which target notices a change; "nothing" if none does, "no change" if there is none to notice."""
        whole = change.path.read_text(encoding="utf-8").splitlines()
        whole[change.line] = change.after
        relative = change.path.relative_to(ROOT / "csrc")
        copy = self.folder / "csrc" / relative
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text("\n".join(whole) + "\n", encoding="utf-8")
        is_template = relative.parts[0] == "isa"
        source = f"csrc/{relative.parent / 'kernels.c'}" if is_template else f"csrc/{relative}"
        if change.path.suffix == ".h" and not is_template:
            source = f"csrc/{relative.with_suffix('.c')}"
        key = f"fastclf_scalar:{source}" if is_template else source
        flags = ["-DFC_ISA=scalar"] if is_template else []
        if key not in self.objects:
            copy.unlink()
            return "no change"
        if key not in self.plain:
            before = self.folder / f"plain_{len(self.plain)}.o"
            compiled(ROOT / source, before, *flags)
            self.plain[key] = before.read_bytes()
        # The copies come first where sources are included by their path below csrc/.
        changed = self.folder / "changed.o"
        begin = copy if copy.suffix == ".c" else ROOT / source
        went_well = compiled(begin, changed, *flags, f"-I{self.folder / 'csrc'}")
        is_there = went_well and changed.read_bytes() != self.plain[key]
        if is_there:
            compiled(begin, changed, *flags, f"-I{self.folder / 'csrc'}", SANITIZED)
        copy.unlink()
        if not is_there:
            return "no change"
        self.link(key, changed)
        return next((t for t in TARGETS[family_of(change.path)] if notices(self.program, t)), "nothing")


def main(words: list[str]) -> int:
    """Try as many changes as are asked for; print those that nothing notices."""
    if len(words) not in (1, 2) or not all(word.isdecimal() for word in words):
        raise SystemExit(__doc__)
    rng = random.Random(int(words[1]) if len(words) == 2 else 1)
    tried = noticed = 0
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(Path(folder))
        while tried < int(words[0]):
            change = drawn(rng)
            by = trial.result(change)
            if by == "no change":
                continue
            tried, noticed = tried + 1, noticed + (by != "nothing")
            where = f"{change.path.relative_to(ROOT)}:{change.line + 1}"
            print(f"{where}: {by}\n  - {change.before.strip()}\n  + {change.after.strip()}", flush=True)
    print(f"{noticed} of {tried} changes noticed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
