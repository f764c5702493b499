#!/bin/sh
# Run cases of the fuzz targets under valgrind, which sees bytes that nobody has written, and reads beside arrays, also
# by a part of a vector. Planted bugs of both kinds come first. Instruction sets are those of valgrind, up to AVX2.
#
#   tools/memcheck.sh [CASES]
#
# CASES: of each target, 1000 by default. Needs: valgrind and gcc.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cases=${1:-1000}
command -v valgrind >/dev/null || { echo "$0: missing: valgrind" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

PROGRAM="$(echo "$here"/../tests/fuzz/*.c) $here/../tests/helpers/drawn_cases.c" \
    RUNS_HERE=1 "$here/build_harness.sh" "$work/cases" gcc -O2 -g >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }

check() { # check TARGET BUG COUNT
    FUZZ_TARGET=$1 FUZZ_PLANT=$2 valgrind --quiet --partial-loads-ok=no --error-exitcode=9 --exit-on-first-error=yes \
        "$work/cases" "$3" >"$work/log" 2>&1
}

expect_found() { # expect_found TARGET BUG WHAT
    if check "$1" "$2" 1000 || ! grep -q "$3" "$work/log"; then
        cat "$work/log" >&2
        echo "$0: the planted bug was not found in $1: $2" >&2
        exit 1
    fi
}

total=0
for target in $(sed -n 's/^void fuzz_\(.*\)(source \*s);$/\1/p' "$here/../tests/fuzz/fuzz.h"); do
    expect_found "$target" short "Invalid read"
    expect_found "$target" unset "uninitialised"
    check "$target" none "$cases" || { cat "$work/log" >&2; exit 1; }
    echo "$target: $cases cases, planted bugs found"
    total=$((total + cases))
done
echo "$total cases, nothing read that was not written"
