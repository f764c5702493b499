#!/bin/sh
# Build all wheels on a Linux machine, by the compiler of the package ziglang, and check them as far as that can be
# done there.  Ends with a table of the wheels, with what was not checked, and with what failed.
#
#   tools/wheels.sh FOLDER [TAG...]
#
# FOLDER gets the wheels of tools/wheels/targets.txt, or of those tags.  WHEELS_WORK names a folder for what lies
# between, which is kept: with it, a second run compiles only what has changed.
#
# Needs CPython 3.11 or later with its headers.  Checks more where it finds a C compiler; of Debian's packages
# qemu-user-static, libc6-arm64-cross and debootstrap (Arm), wine64 (Windows) and musl; more versions of Python.
set -eu
[ $# -gt 0 ] || { echo "usage: $0 FOLDER [TAG...]" >&2; exit 2; }
mkdir -p "$1"
folder=$(cd "$1" && pwd)
shift
cd "$(dirname "$0")/.."
. tools/wheels/building.sh
. tools/wheels/checking.sh
. tools/wheels/emulating.sh

targets() { # targets [TAG...]: lines of a tag and zig's name for the target; without tags, all
    sed '/^#/d' tools/wheels/targets.txt | while read -r tag target; do
        case " ${*:-$tag} " in *" $tag "*) echo "$tag $target" ;; esac
    done
}

for wanted in "$@"; do
    [ -n "$(targets "$wanted")" ] || { echo "$0: not in tools/wheels/targets.txt: $wanted" >&2; exit 2; }
done

work=${WHEELS_WORK:-$(mktemp -d)}
mkdir -p "$work"
work=$(cd "$work" && pwd)
beside= # what runs in the background
clean_up() {
    for process in $beside; do kill "$process" 2>/dev/null || true; done
    [ -n "${WHEELS_WORK:-}" ] || rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM
rm -rf "$work/results" # TAG.isas: digests; TAG.pythons: what was tried on each Python; failed and unchecked
mkdir "$work/results"
bin=$work/tools/bin

step() { echo "== $1"; }
failed() { echo "$1" >>"$work/results/failed"; }
unchecked() { echo "$1" >>"$work/results/unchecked"; }

logged() { # logged TAG FAULT COMMAND...: what it prints is shown, and the fault noted, where it fails
    tag=$1
    fault=$2
    shift 2
    if "$@" >"$work/$tag/log" 2>&1; then return; fi
    tail -n 40 "$work/$tag/log"
    failed "$tag: $fault"
    return 1
}

make_and_try() { # make_and_try TAG TARGET: digests are taken in the background
    make_wheel "$1" "$2" || return 0
    logged "$1" "the harness does not link" link_harness "$1" || return 0
    take_digests "$1" "$2" &
    beside="$beside $!"
    case $1 in musllinux_*) check_musl "$1" "${2%%-*}" ;; esac
    case $1 in
        manylinux_*_"$(uname -m)") try_pythons "$1" ;;
        manylinux_*_aarch64) check_emulated "$1" ;;
        *) unchecked "$1: not imported by Python: none here is for it" ;;
    esac
}

list() { # list FIELD FILE: a field of all lines, on one line and each value once; "-" where there are none
    if [ -s "$2" ]; then cut -d' ' -f"$1" "$2" | uniq | paste -sd' '; else echo -; fi
}

print_row() { printf '%-23s %-22s %5s  %-20s %-12s %-11s %s\n' "$@"; }

print_table() {
    print_row platform tag KiB Python tests best digest
    while read -r tag target; do
        wheel=$(echo "$folder"/fastclf-*-"$tag".whl)
        [ -e "$wheel" ] || continue
        isas=$work/results/$tag.isas
        tried=$work/results/$tag.pythons
        print_row "$target" "$tag" $(($(wc -c <"$wheel") / 1024)) "$(list 1 "$tried")" "$(list 3 "$tried")" \
            "$(list 1 "$isas" | sed 's/.* //')" "$(list 2 "$isas")"
    done <"$work/targets.txt"
}

step "tools"
make_tools
targets "$@" >"$work/targets.txt"
while read -r tag target <&3; do
    step "$tag"
    make_and_try "$tag" "$target"
done 3<"$work/targets.txt"
step "digests"
take_native_digests
for process in $beside; do wait "$process"; done
beside=
while read -r tag target; do check_isa "$tag" "$target"; done <"$work/targets.txt"
[ "$(cat "$work"/results/*.isas | cut -d' ' -f2 | sort -u | wc -l)" = 1 ] || failed "the digests are not one"

step "wheels"
print_table
step "not checked"
unchecked "free-threaded builds of Python: there is no wheel for them, as the stable ABI is for builds with a GIL"
sort "$work/results/unchecked"
[ ! -e "$work/results/failed" ] || { step "failed"; sort "$work/results/failed"; exit 1; }
