#!/bin/sh
# Which lines and branches tests reach: in a build of its own, in build/coverage.
#
#   tools/coverage.sh [ARGUMENT OF PYTEST...]
#
# By default all tests but the long ones run, in two processes. Processes that tests start are counted, too, but for
# those that a signal ends, and for the C of forks that end by os._exit. Fails below the shares that are aimed at,
# in percent: LEAST_C (98), LEAST_BRANCHES (92) and LEAST_PYTHON (98).
#
# Needs: gcc, gcov, and the Python packages coverage (7.10 or later) and gcovr, beside those that tests need.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
folder=$root/build/coverage
[ $# -gt 0 ] || set -- -q -n 2 -m "not slow"
for package in coverage gcovr; do
    python -c "import $package" 2>/dev/null || { echo "$0: missing: the Python package $package" >&2; exit 2; }
done

rm -rf "$folder"
mkdir -p "$folder"
cd "$root"
CFLAGS="--coverage -fprofile-update=atomic" python -m pip install --quiet --no-deps --no-build-isolation \
    --target "$folder/site" -Cbuild-dir="$folder/build" -Cinstall.strip=false .
# The tests and the processes that they start import this build, also where another one is installed to be edited.
cat >"$folder/site/sitecustomize.py" <<'EOF'
import contextlib, sys

sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__name__ != "ScikitBuildRedirectingFinder"]
with contextlib.suppress(ImportError):  # a test's environment may lack it
    import coverage

    coverage.process_startup()
EOF
cat >"$folder/settings" <<EOF
[run]
branch = true
parallel = true
patch = _exit
data_file = $folder/python
source = $folder/site/fastclf
EOF
PYTHONPATH=$folder/site COVERAGE_PROCESS_START=$folder/settings python -m pytest -p no:cacheprovider "$@" ||
    echo "tests failed: what they reach is counted all the same" >&2

python -m coverage combine --quiet --rcfile="$folder/settings"
python -m coverage report --rcfile="$folder/settings" --precision=1 >"$folder/python.txt"
# CMake compiles a file of its own, which is gone; and loops of kernels run billions of times, which gcovr doubts.
python -m gcovr --root "$root" --object-directory "$folder/build" --gcov-exclude-directories '.*CompilerIdC' \
    --gcov-ignore-parse-errors=suspicious_hits.warn --filter "$root/csrc/" --exclude-throw-branches \
    --exclude-unreachable-branches --merge-mode-functions=merge-use-line-min \
    --json-summary "$folder/c.json" --txt "$folder/c.txt"
cat "$folder/python.txt" "$folder/c.txt"
LEAST_C=${LEAST_C:-98} LEAST_BRANCHES=${LEAST_BRANCHES:-92} LEAST_PYTHON=${LEAST_PYTHON:-98} python - "$folder" <<'EOF'
import json, os, pathlib, sys

folder = pathlib.Path(sys.argv[1])
c = json.loads((folder / "c.json").read_text())
python = float((folder / "python.txt").read_text().split()[-1].rstrip("%"))
found = {"C": c["line_percent"], "BRANCHES": c["branch_percent"], "PYTHON": python}
print(f"C {c['line_percent']} % of lines, {c['branch_percent']} % of branches; Python {python} %")
sys.exit(any(share < float(os.environ[f"LEAST_{name}"]) for name, share in found.items()))
EOF
