#!/bin/sh
# Run the kernels of arm64 under emulation, and show that they give the same bytes as every instruction set of this
# machine.
#
#   tools/neon.sh [all]
#
# With "all": also the portable kernels as they are compiled for arm64.
#
# Needs: a C compiler here, and on Debian the packages gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ $# = 0 ] || [ "$*" = all ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2; }

first_of() {
    for program in "$@"; do command -v "$program" && return; done
    return 1
}

missing=
cross=$(first_of aarch64-linux-gnu-gcc aarch64-linux-gnu-gcc-14 aarch64-linux-gnu-gcc-13 aarch64-linux-gnu-gcc-12) ||
    missing="$missing aarch64-linux-gnu-gcc (gcc-aarch64-linux-gnu)"
[ -e /usr/aarch64-linux-gnu/lib/libc.a ] || missing="$missing /usr/aarch64-linux-gnu/lib/libc.a (libc6-dev-arm64-cross)"
emulator=$(first_of qemu-aarch64-static qemu-aarch64) || missing="$missing qemu-aarch64-static (qemu-user-static)"
native=$(first_of "${CC:-cc}" gcc clang) || missing="$missing cc (gcc)"
[ -z "$missing" ] || { echo "$0: missing:$missing" >&2; exit 2; }

work=$(mktemp -d)
beside= # what runs in the background
trap 'for process in $beside; do kill "$process" 2>/dev/null || true; done; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

has_openmp() {
    echo 'int main(void) { return 0; }' | "$@" -fopenmp -x c - -o "$work/probe" 2>"$work/probe.log"
}

# build OUTPUT COMPILER [FLAG...]: with OpenMP where the compiler has it; OUTPUT.sets are its instruction sets.
build() {
    output=$1
    shift
    if has_openmp "$@"; then set -- "$@" -fopenmp; else echo "$1: no OpenMP, one thread"; fi
    RUNS_HERE=1 "$here/build_harness.sh" "$output" "$@" >"$output.sets" 2>"$work/log" ||
        { cat "$work/log" >&2; exit 1; }
    # A static OpenMP mentions dlopen, which is never called: other warnings are ours.
    if grep -q 'warning: .*\[-W' "$work/log"; then cat "$work/log" >&2; exit 1; fi
}

build "$work/native" "$native"
build "$work/arm64" "$cross" -static
# Under emulation each takes long: side by side.  Threads that wait leave their CPU to the others.
emulated=neon
[ $# = 0 ] || emulated=$(cat "$work/arm64.sets")
for isa in $emulated; do
    OMP_WAIT_POLICY=passive "$emulator" "$work/arm64" "$isa" >"$work/digest_$isa" &
    beside="$beside $!"
done
"$work/native" >"$work/digests"
for process in $beside; do wait "$process" || { cat "$work"/digest*; exit 1; }; done
beside=
cat "$work"/digest_* >>"$work/digests"
cat "$work/digests"

grep -q '^neon ' "$work/digests" || { echo "$0: NEON was not run" >&2; exit 1; }
[ "$(cut -d' ' -f2 "$work/digests" | sort -u | wc -l)" = 1 ] || { echo "$0: the digests differ" >&2; exit 1; }
echo "all equal"
