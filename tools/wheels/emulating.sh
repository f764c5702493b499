# shellcheck shell=sh disable=SC2154  # tools/wheels.sh sets $work, $bin and $folder
# The wheel for glibc on Arm, in CPython on an emulated processor.  tools/wheels.sh reads this file.

ARM_DEBIAN=bookworm ARM_PYTHON=3.11 # which that release has
# Tests that start no other program: the emulator would not run it.
EMULATED_TESTS="tests/neighbors/test_functional.py tests/losses/test_plain_calls.py tests/losses/test_losses.py"

make_arm_root() { # a folder with Debian's programs for Arm, none of which is run to make it; status 3 where it can't be
    arm_root=$work/arm64
    [ ! -e "$arm_root/made" ] || return 0
    [ "$(id -u)" = 0 ] && command -v debootstrap >/dev/null || return 3
    rm -rf "$arm_root"
    debootstrap --arch=arm64 --foreign --variant=minbase --include=python3 "$ARM_DEBIAN" "$arm_root" || return 1
    for package in "$arm_root"/var/cache/apt/archives/*.deb; do
        dpkg --extract "$package" "$arm_root" || return 1
    done
    touch "$arm_root/made"
}

install_for_arm() { # install_for_arm FOLDER: the wheel and what its tests need
    platforms=
    for glibc in 17 24 26 27 28 31 34 35 36; do platforms="$platforms --platform manylinux_2_${glibc}_aarch64"; done
    # shellcheck disable=SC2086  # a list of options
    "$bin/pip" install --quiet --target "$1" --only-binary=:all: --implementation cp --python-version "$ARM_PYTHON" \
        $platforms --platform manylinux2014_aarch64 --find-links "$folder" \
        fastclf hypothesis ml_dtypes pytest pytest-timeout
}

on_arm() { # on_arm FOLDER WORDS...: run CPython with the packages of a folder
    packages=$1
    shift
    PYTHONPATH=$packages "$emulator" -L "$arm_root" "$arm_root/usr/bin/python$ARM_PYTHON" "$@"
}

try_emulated() { # try_emulated TAG: a line of the version, the instruction set that it found, and how many tests passed
    emulator=$(first_of qemu-aarch64-static qemu-aarch64) || return 3
    make_arm_root || return
    rm -rf "$work/$1/packages" "$work/$1/tree"
    mkdir -p "$work/$1/tree"
    install_for_arm "$work/$1/packages" && cp -r tests pyproject.toml "$work/$1/tree" || return 1
    (
        cd "$work/$1/tree" || exit 1
        # shellcheck disable=SC2086  # a list of files
        on_arm "$work/$1/packages" -m pytest -q -m "not slow" --junit-xml=outcomes.xml $EMULATED_TESTS &&
            on_arm "$work/$1/packages" -c '
import fastclf, sys, xml.etree.ElementTree as ET
(suite,) = ET.parse("outcomes.xml").iter("testsuite")
print(sys.argv[1], fastclf.show_config("dicts")["isa"], int(suite.get("tests")) - int(suite.get("skipped")))' \
                "$ARM_PYTHON" >"$work/results/$1.pythons"
    )
}

check_emulated() { # check_emulated TAG
    status=0
    try_emulated "$1" >"$work/$1/log" 2>&1 || status=$?
    case $status in
        0) ;;
        3) unchecked "$1: not imported by Python: that needs debootstrap, root's rights and qemu-user-static" ;;
        *) tail -n 40 "$work/$1/log"; failed "$1: not right in an emulated Python" ;;
    esac
}
