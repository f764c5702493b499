#!/bin/sh
# Fuzz the C interface under sanitizers of addresses and undefined behaviour: each case is computed by two instruction
# sets, and by a plain search, or by plain sums where these are exact (tests/fuzz/).
#
#   tools/fuzz.sh TARGET SECONDS
#
# TARGET is neighbors, stages, trees, votes, losses, sparse, windows, or all of them, which share the time. Each first
# has to find bugs that are planted. Cases that reach something new stay in build/fuzz/TARGET for the next run; one that
# fails, in build/fuzz.
#
# Needs: clang with libFuzzer and its sanitizers; on Debian the packages clang-19 libclang-rt-19-dev.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$here/../build/fuzz

[ $# = 2 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
targets=$(sed -n 's/^void fuzz_\(.*\)(source \*s);$/\1/p' "$here/../tests/fuzz/fuzz.h")
case " $(echo "$targets" | tr '\n' ' ')" in
*" $1 "*) targets=$1 ;;
*) [ "$1" = all ] || { echo "$0: no such target: $1" >&2; exit 2; } ;;
esac
count=$(echo "$targets" | wc -w)
seconds=$((($2 + count - 1) / count))

clang=$("$here/clang.sh") || exit 2
mkdir -p "$folder"
echo 'int LLVMFuzzerTestOneInput(const char *p, unsigned long n) { return (void)p, (void)n, 0; }' |
    "$clang" -fsanitize=fuzzer,address,undefined -x c -o "$folder/probe" - 2>/dev/null ||
    { echo "$0: missing: the sanitizers of $clang (libclang-rt-19-dev)" >&2; exit 2; }
log=$folder/log
# Without traces of comparisons, which take most of the time in sums of many digits, and without heaps in the place of
# stacks, which take a third of what is left: no function of csrc returns what lies on its stack.
PROGRAM=$(echo "$here"/../tests/fuzz/*.c) RUNS_HERE=1 "$here/build_harness.sh" "$folder/fuzz" "$clang" -O2 -g1 \
    -fno-omit-frame-pointer -fsanitize=fuzzer,address,undefined -fsanitize-address-use-after-return=never \
    -fno-sanitize-coverage=trace-cmp -fno-sanitize-recover=all >"$log" 2>&1 || { cat "$log" >&2; exit 1; }

fuzz() { # fuzz TARGET BUG OPTION...
    target_of_run=$1
    bug=$2
    shift 2
    FUZZ_TARGET=$target_of_run FUZZ_PLANT=$bug "$folder/fuzz" -max_len=2048 -timeout=10 -rss_limit_mb=1024 \
        -artifact_prefix="$folder/" "$@"
}

expect_found() { # expect_found TARGET BUG WHAT: fail unless the planted bug ends the run with a report that says WHAT
    # It takes seconds; 300 are for a machine that does much else.
    if fuzz "$1" "$2" -max_total_time=300 -artifact_prefix="$folder/planted-" >"$log" 2>&1 ||
        ! grep -q "$3" "$log"; then
        cat "$log" >&2
        echo "$0: the planted bug was not found in $1: $2" >&2
        exit 1
    fi
    rm -f "$folder"/planted-*
}

total=0
for target in $targets; do
    expect_found "$target" short "heap-buffer-overflow"
    expect_found "$target" changed "wrong answer"
    case $target in stages | trees) expect_found "$target" tight "wrong answer" ;; esac
    expect_found "$target" lost "detected memory leaks"
    mkdir -p "$folder/$target"
    fuzz "$target" none -max_total_time="$seconds" "$folder/$target" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
    done=$(sed -n 's/^Done \([0-9]*\) runs in \([0-9]*\) .*/\1 \2/p' "$log")
    total=$((total + ${done% *}))
    echo "$target: ${done% *} executions in ${done#* } s, planted bugs found"
done
echo "$total executions, no crash, no other answer, nothing lost"
