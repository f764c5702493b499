#!/bin/sh
# Run the kernels under clang's sanitizers: addresses and undefined behaviour on every instruction set, and data races.
# Each sanitizer first has to report a bug that is planted for it.
#
#   tools/sanitize.sh [memory]
#
# With "memory": instead reads of memory that was never written, on the portable instruction set.
#
# Needs: clang with its sanitizers and LLVM's OpenMP; on Debian the packages clang-19 libclang-rt-19-dev libomp-19-dev.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
case ${1:-all} in
all) sanitizers="address thread" ;;
memory) sanitizers=memory ;;
*) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac

clang=$("$here/clang.sh") || exit 2

work=$(mktemp -d)
beside= # what runs in the background
trap '[ -z "$beside" ] || kill "$beside" 2>/dev/null || true; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

for sanitizer in $sanitizers; do
    echo 'int main(void) { return 0; }' |
        "$clang" -fsanitize=$sanitizer -fopenmp=libomp -x c - -o "$work/probe" 2>"$work/log" ||
        { echo "$0: missing: $clang's $sanitizer sanitizer or OpenMP (libclang-rt-19-dev libomp-19-dev)" >&2; exit 2; }
done

build() { # build OUTPUT FLAG...
    output=$1
    shift
    RUNS_HERE=1 "$here/build_harness.sh" "$output" "$clang" -O1 -g -fno-omit-frame-pointer "$@" >"$work/log" 2>&1 ||
        { cat "$work/log" >&2; exit 1; }
}

# expect_report WHAT PROGRAM...: fail unless the program is stopped with a report that says WHAT.
expect_report() {
    what=$1
    shift
    if "$@" >"$work/log" 2>&1; then echo "$0: the planted bug was not reported: $what" >&2; exit 1; fi
    grep -q "$what" "$work/log" || { cat "$work/log" >&2; exit 1; }
    echo "the planted bug was reported: $what"
}

# Without OpenMP, which is not built for the sanitizer.
if [ "$sanitizers" = memory ]; then
    build "$work/memory" -fsanitize=memory -DFC_PORTABLE
    expect_report "use-of-uninitialized-value" "$work/memory" --plant unwritten
    "$work/memory" scalar
    echo "no reports"
    exit
fi

# Without OpenMP, so that the threads of core/pool.c are tested.
build "$work/addresses" -fsanitize=address,undefined -fno-sanitize-recover=all
expect_report "heap-buffer-overflow" "$work/addresses" --plant over-read
expect_report "signed integer overflow" "$work/addresses" --plant overflow

# Archer tells the thread sanitizer what OpenMP's barriers order.
archer=$(dirname "$("$clang" -print-file-name=libomp.so)")/libarcher.so
export OMP_TOOL_LIBRARIES="$archer" TSAN_OPTIONS=ignore_noninstrumented_modules=1:halt_on_error=1
build "$work/races" -fsanitize=thread -fopenmp=libomp -DFC_PORTABLE
expect_report "data race" "$work/races" --plant race

# Both take long: side by side.
"$work/races" scalar >"$work/raced" 2>&1 &
beside=$!
"$work/addresses"
wait "$beside" || { cat "$work/raced" >&2; exit 1; }
beside=
cat "$work/raced"
echo "no reports"
