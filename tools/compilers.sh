#!/bin/sh
# Build the kernels by other compilers, and at other levels of optimisation: answers have the same bytes.
#
#   tools/compilers.sh [COMPILER...]
#
# COMPILER: by default gcc and clang. Takes long: the harness is built and run eight times.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
if [ $# = 0 ]; then
    clang=$("$here/clang.sh") || exit 2
    set -- gcc "$clang"
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

for compiler in "$@"; do
    for level in -O0 -O1 -O2 -O3; do
        "$here/build_harness.sh" "$work/harness" "$compiler" "$level" >"$work/log" 2>&1 ||
            { cat "$work/log" >&2; exit 1; }
        "$work/harness" >"$work/found"
        sed "s/^/$(basename "$compiler") $level /" "$work/found"
        cat "$work/found" >>"$work/digests"
    done
done
[ "$(cut -d' ' -f2 "$work/digests" | sort -u | wc -l)" = 1 ] || { echo "$0: the digests differ" >&2; exit 1; }
echo "the same bytes by $# compilers at 4 levels of optimisation"
