#!/bin/sh
# What compilers and analysers say of csrc: gcc's warnings with none allowed; then gcc's -fanalyzer, cppcheck and
# clang-tidy of all that is not compiled once for each instruction set. A finding that tools/analysis.txt does not
# explain is a failure, and so is an explanation of what is not found any more. The analysers first have to find a bug
# that is planted.
#
#   tools/analyse.sh [FILE...]
#
# FILE: of csrc/, by default all; only these are analysed, and no warnings of gcc are looked for.
#
# Needs: gcc, cppcheck and clang-tidy; on Debian the packages cppcheck clang-tidy-19.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$here/..
tidy=$(command -v clang-tidy-19 || command -v clang-tidy) || { echo "$0: missing: clang-tidy" >&2; exit 2; }
command -v cppcheck >/dev/null || { echo "$0: missing: cppcheck" >&2; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
cd "$root"

flags="-std=c11 -I csrc -I src/fastclf/include -DFASTCLF_VERSION=analysed"
# Of clang-tidy's: not its taste in the order of arguments, in widths, and in functions of C11's annex K, which no
# system here has; nor that _GNU_SOURCE is a reserved name.
checks='-*,bugprone-*,cert-*,clang-analyzer-*,-bugprone-easily-swappable-parameters,-bugprone-narrowing-conversions'
checks=$checks',-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling,-bugprone-reserved-identifier'
checks=$checks',-cert-dcl37-c,-cert-dcl51-cpp,-bugprone-implicit-widening-of-multiplication-result'

# What each tool finds in one file, a line each: the tool, the file, the check.
# shellcheck disable=SC2086  # $flags is a list, meant to be split
analyse() {
    {
        gcc $flags -O1 -fanalyzer -c "$1" -o /dev/null 2>&1 |
            sed -n 's/^\([^ :]*\):[0-9:]* warning: .*\[-W\(analyzer.*\)\]$/gcc \1 \2/p'
        cppcheck --quiet $(echo "$flags" | sed 's/-std/--std/') --enable=warning,performance,portability \
            --template='cppcheck {file} {id}' --template-location= "$1" 2>&1
        "$tidy" --quiet --checks="$checks" "$1" -- $flags 2>/dev/null |
            sed -n 's/^\(.*\):[0-9]*:[0-9]*: warning: .*\[\(.*\)\]$/tidy \1 \2/p' | sed "s|$PWD/||"
    } | sort -u
}

cat >"$work/planted.c" <<'EOF'
#include <stdlib.h>
int planted(int n);
int planted(int n) {
    int few[4] = {0}, *one = malloc(sizeof *one);
    if (n > 3) one[0] = n / (n - n);
    return few[4] + one[0];
}
EOF
analyse "$work/planted.c" >"$work/found"
for tool in gcc cppcheck tidy; do
    grep -q "^$tool " "$work/found" || { echo "$0: the planted bug was not found by $tool" >&2; exit 1; }
done

stale=
if [ $# = 0 ]; then
    "$here/build_harness.sh" "$work/strict" gcc -O2 -Werror -Wshadow -Wvla >"$work/log" 2>&1 ||
        { cat "$work/log" >&2; exit 1; }
    stale="explained, but not found: "
    # shellcheck disable=SC2046  # no name has a blank
    set -- $(find csrc -name '*.c' ! -path '*/isa/*' | sort)
fi
for file; do analyse "$file"; done | sort -u >"$work/found"
sed -n 's/^\([a-z]* csrc[^ ]* [^ :]*\): .*/\1/p' "$here/analysis.txt" | sort -u >"$work/explained"
{
    comm -13 "$work/explained" "$work/found" | sed 's/^/not explained: /'
    [ -z "$stale" ] || comm -23 "$work/explained" "$work/found" | sed "s/^/$stale/"
} >"$work/log"
[ ! -s "$work/log" ] || { cat "$work/log" >&2; exit 1; }
echo "no warning, $(wc -l <"$work/found") findings of analysers explained"
