#!/bin/sh
# Run Python with an extension module that is built under clang's sanitizers of addresses and undefined behaviour, and
# with Cython's checks of overflow, None and memory views that are not set.
#
#   tools/sanitize_python.sh ARGUMENT...
#
# The arguments are those of `python`, as in `-m pytest -q tests/api`; pytest leaves out the tests that
# tools/not_sanitized.txt names, each with its reason. The first report ends a process. Two bugs that are planted have
# to be reported before. The module has the threads of csrc/core/pool.c, as in wheels. On a processor without AVX-512
# its kernels, which are never run there, are compiled without sanitizers, which takes long. Memory that is lost when a
# process ends is not looked for: Python itself keeps some. The build stays in build/sanitized for the next time.
#
# Needs: clang with its sanitizers, on Debian the packages clang-19 libclang-rt-19-dev; in the environment of `python`
# what fastclf is built with.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
[ $# -gt 0 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2; }

clang=$("$here/clang.sh") || exit 2
runtime=$("$clang" -print-file-name="libclang_rt.asan-$(uname -m).so")
[ -e "$runtime" ] || { echo "$0: missing: the sanitizers of $clang (libclang-rt-19-dev)" >&2; exit 2; }

build=$root/build/sanitized
mkdir -p "$build"
lacking=-mavx512f
if grep -q avx512 /proc/cpuinfo; then lacking=nothing; fi
cat >"$build/cc" <<EOF
#!/bin/sh
case " \$* " in *" $lacking "*) exec $clang "\$@" -O0 ;; esac
exec $clang "\$@" -O1 -g1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all -shared-libsan
EOF
chmod +x "$build/cc"
CC=$build/cc python -m pip install --quiet --target "$build/site" --upgrade --no-deps --no-build-isolation \
    -Ccmake.build-type=Debug -Cinstall.strip=false -Cbuild-dir="$build/objects" \
    -Ccmake.define.CMAKE_DISABLE_FIND_PACKAGE_OpenMP=ON \
    "-Ccmake.define.CYTHON_ARGS=-X;overflowcheck=True;-X;initializedcheck=True;-X;nonecheck=True" "$root" >&2

# An environment of its own: in that of `python` there may be an editable fastclf.
python -m venv --without-pip --clear "$build/environment"
site=$("$build/environment/bin/python" -c "import sysconfig; print(sysconfig.get_path('purelib'))")
{
    echo "$build/site"
    python -c "import sys; print(*(path for path in sys.path if path.endswith('-packages')), sep='\n')"
} >"$site/others.pth"
export PATH="$build/environment/bin:$PATH" PYTHONMALLOC=malloc FASTCLF_PATIENCE=10
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 UBSAN_OPTIONS=print_stacktrace=1
sanitized() { LD_PRELOAD="$runtime" python "$@"; }

expect_report() { # expect_report PLANT WHAT: fail unless the planted bug ends a process with a report that says WHAT
    if sanitized "$root/tests/helpers/planted.py" "$1" "$build/planted.so" >"$build/log" 2>&1 ||
        ! grep -q "$2" "$build/log"; then
        cat "$build/log" >&2
        echo "$0: the planted bug was not reported: $2" >&2
        exit 1
    fi
    echo "the planted bug was reported: $2" >&2
}
expect_report over_read "heap-buffer-overflow"
echo 'int doubled(int n) { return n * 2; }' | "$build/cc" -shared -fPIC -x c -o "$build/planted.so" -
expect_report overflow "signed integer overflow"

if [ "$1" = -m ] && [ "${2-}" = pytest ]; then
    # shellcheck disable=SC2046  # a list of words
    set -- "$@" -o timeout=3000 $(sed -n 's/^\(tests[^ ]*\) .*/--deselect=\1/p' "$here/not_sanitized.txt")
fi
sanitized "$@"
