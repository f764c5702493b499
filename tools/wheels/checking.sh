# shellcheck shell=sh disable=SC2154  # tools/wheels.sh sets $work, $bin and $folder
# What wheels do where they run.  tools/wheels.sh reads this file.

link_harness() { # link_harness TAG: the program of tests/helpers/ that prints digests, with the objects of the wheel
    # shellcheck disable=SC2046  # a list of files
    "$work/$1/cc" -std=c11 -O3 -ffp-contract=off -I csrc -I src/fastclf/include tests/helpers/harness*.c \
        $(find "$work/$1/build" -path '*/fastclf_*.dir/*' -name '*.o*') -pthread -lm -o "$work/$1/harness.exe"
}

first_of() {
    for program in "$@"; do command -v "$program" && return; done
    return 1
}

run_harness() { # run_harness TAG TARGET: print "ISA DIGEST" for each instruction set; status 3 where nothing runs it
    case $2 in
        "$(uname -m)"-linux-*) "$work/$1/harness.exe" ;;
        aarch64-linux-*)
            emulator=$(first_of qemu-aarch64-static qemu-aarch64) || return 3
            case $2 in *-gnu*) [ -e /usr/aarch64-linux-gnu/lib/ld-linux-aarch64.so.1 ] || return 3 ;; esac
            "$emulator" -L /usr/aarch64-linux-gnu "$work/$1/harness.exe" neon ;; # tools/neon.sh all: the others, too
        x86_64-windows-*)
            wine=$(first_of wine64 wine /usr/lib/wine/wine64) || return 3
            WINEPREFIX=$work/wine WINEDEBUG=-all WINEDLLOVERRIDES='mscoree,mshtml=' \
                "$wine" "$work/$1/harness.exe" >"$work/$1/digests" && tr -d '\r' <"$work/$1/digests" ;;
        *) return 3 ;;
    esac
}

take_digests() { # take_digests TAG TARGET
    status=0
    run_harness "$1" "$2" >"$work/results/$1.isas" 2>"$work/$1/errors" || status=$?
    case $status in
        0) ;;
        3) unchecked "$1: the kernels were not run: nothing here runs them" ;;
        *) cat "$work/$1/errors" >&2; failed "$1: the harness ended with status $status" ;;
    esac
}

check_isa() { # check_isa TAG TARGET: the best instruction set that ran is no lower than the processor's
    [ -s "$work/results/$1.isas" ] || return 0
    best=$(tail -n 1 "$work/results/$1.isas" | cut -d' ' -f1)
    case $2 in
        x86_64-*) if [ "$best" = scalar ] && grep -qw avx2 /proc/cpuinfo; then failed "$1: scalar where AVX2 is"; fi ;;
        aarch64-*) [ "$best" = neon ] || failed "$1: $best, not neon" ;;
    esac
}

check_musl() { # check_musl TAG PROCESSOR: musl's loader finds all that the module needs, but for what Python has
    loader=/lib/ld-musl-$2.so.1
    if [ "$2" != "$(uname -m)" ] || [ ! -e "$loader" ]; then
        unchecked "$1: not read by musl's loader: none is here for $2"
        return
    fi
    "$loader" --list "$work/$1"/unpacked/*/fastclf/_native.abi3.so >"$work/$1/log" 2>&1 || true
    sed -n 's/^Error relocating .*: \(.*\): symbol not found$/\1/p' "$work/$1/log" >"$work/$1/missing"
    grep -q '^_*Py' "$work/$1/missing" || { cat "$work/$1/log"; failed "$1: musl's loader did not read it"; }
    ! grep -v '^_*Py' "$work/$1/missing" || failed "$1: musl lacks these functions"
}

pythons() { # every CPython here that the wheels are for, with a GIL: one of each version
    suits='import ensurepip, sys; sys.exit(sys.implementation.name != "cpython" or "t" in sys.abiflags)'
    for minor in 11 12 13 14 15 16; do
        for python in "$(command -v "python3.$minor")" "${PYENV_ROOT:-$HOME/.pyenv}/versions/3.$minor".*/bin/python; do
            "$python" -c "$suits" 2>/dev/null || continue
            echo "3.$minor $python"
            break
        done
    done
}

try_pythons() { # try_pythons TAG: lines of a version, the instruction set that it found, and how many tests passed
    pythons >"$work/pythons.txt"
    while read -r version python <&4; do
        if result=$("$python" tools/wheels/try_wheel.py "$folder" 2>"$work/$1/errors"); then
            echo "$version $result" >>"$work/results/$1.pythons"
        else
            cat "$work/$1/errors" >&2
            failed "$1: not right on Python $version"
        fi
    done 4<"$work/pythons.txt"
    [ -s "$work/pythons.txt" ] || failed "$1: no Python to try it on"
}

take_native_digests() { # by the C compiler here, for comparison
    native=$(first_of "${CC:-cc}" gcc clang) || { unchecked "other compilers' digests: none is here"; return; }
    mkdir -p "$work/native"
    logged native "not built by $native" tools/build_harness.sh "$work/native/harness" "$native" || return 0
    "$work/native/harness" >"$work/results/native.isas" || failed "native: no digest"
}
