#!/bin/sh
# Build the harness for systems that are not here, by the compiler of the package ziglang, and run it where that can be:
# on Linux with musl.  For Windows and macOS this shows that all of csrc/ compiles and links, without OpenMP.
#
# Needs: Python with ziglang (pip install ziglang), and a C compiler here.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
"$python" -m ziglang version >/dev/null 2>&1 || { echo "$0: missing: ziglang (pip install ziglang)" >&2; exit 2; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

for target in x86_64-linux-musl aarch64-linux-musl x86_64-windows-gnu aarch64-macos; do
    printf '#!/bin/sh\nexec "%s" -m ziglang cc -target %s "$@"\n' "$python" "$target" >"$work/cc"
    chmod +x "$work/cc"
    "$here/build_harness.sh" "$work/$target" "$work/cc" >"$work/sets" 2>"$work/log" || { cat "$work/log" >&2; exit 1; }
    if grep 'warning: .*\[-W' "$work/log"; then exit 1; fi
    echo "$target: $(tr "\n" " " <"$work/sets")"
done

"$here/build_harness.sh" "$work/native" "${CC:-cc}" >/dev/null 2>&1
"$work/native" >"$work/digests"
[ "$(uname -m)" != x86_64 ] || "$work/x86_64-linux-musl" >>"$work/digests"
cat "$work/digests"
[ "$(cut -d' ' -f2 "$work/digests" | sort -u | wc -l)" = 1 ] || { echo "$0: the digests differ" >&2; exit 1; }
echo "all equal"
