#!/bin/sh
# Build tests/helpers/harness*.c, or the files of PROGRAM, with all of csrc/, by the flags and instruction sets that
# CMakeLists.txt and csrc/lists.h name.
#
#   [PROGRAM="FILE..."] [RUNS_HERE=1] tools/build_harness.sh OUTPUT COMPILER [FLAG...]
#
# With RUNS_HERE, without AVX-512 and AMX where this processor has none: they take most of the time.
# The flags, of which none has a blank, come last and so win over those of CMakeLists.txt.  Prints the instruction sets.
#
# shellcheck disable=SC2086  # $options, $avx512, $without and $program are lists, meant to be split
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
output=$1
compiler=$2
shift 2
program=${PROGRAM:-$(echo "$root"/tests/helpers/harness*.c)}

objects=$(mktemp -d)
trap 'rm -rf "$objects"' EXIT

cmake_lists=$root/CMakeLists.txt
options=$(sed -n 's/^target_compile_options(fastclf_options INTERFACE \(.*\))$/\1/p' "$cmake_lists")
avx512=$(sed -n 's/^ *set(avx512 \(.*\))$/\1/p' "$cmake_lists")
without= # what this compiler does not know, as in CMakeLists.txt
printf '#include <immintrin.h>\nvoid f(void) { _tile_dpbuud(0, 1, 2); }\n' |
    "$compiler" -mamx-tile -mamx-int8 -x c -c -o "$objects/probe" - 2>/dev/null || without=-DFC_NO_AMX
[ -z "${RUNS_HERE-}" ] || grep -qsw avx512f /proc/cpuinfo || without="$without -DFC_NO_AVX512"
isas=$(printf '#include "lists.h"\n#define NAME(isa, needs) isa\nFC_ISAS(NAME)\n' |
    "$compiler" "$@" $without -E -P -I "$root/csrc" -)
[ -n "$options" ] && [ -n "$avx512" ] && [ -n "$isas" ] ||
    { echo "$0: CMakeLists.txt or lists.h has changed its form" >&2; exit 1; }

# The compiler's arguments for each object, a line each as xargs reads it: those that take longest come first.
for isa in $isas; do
    flags=$(sed -n "s/^ *fastclf_isa($isa\( .*\)*)\$/\1/p" "$cmake_lists" | sed "s/\${avx512}/$avx512/")
    for source in "$root"/csrc/isa/*/kernels.c; do
        echo "$* $flags -DFC_ISA=$isa '$source' -o '$objects/isa_${isa}_$(basename "$(dirname "$source")").o'"
    done
done >"$objects/jobs"
for source in $(find "$root/csrc" -name '*.c' ! -path '*/isa/*') $program; do
    echo "$* '$source' -o '$objects/$(basename "$(dirname "$source")")_$(basename "$source" .c).o'"
done >>"$objects/jobs"
xargs -P "$(getconf _NPROCESSORS_ONLN)" -L 1 "$compiler" -std=c11 -I "$root/csrc" -I "$root/src/fastclf/include" \
    -DFASTCLF_VERSION=harness $options $without -c <"$objects/jobs"
"$compiler" "$@" -pthread -o "$output" "$objects"/*.o -lm
echo "$isas"
