#!/bin/sh
# What takes too long for each change, in the environment of `python`: the figures of tools/reliability.toml that are
# marked nightly, such as Python under sanitizers, fuzzing, valgrind, analysers, long runs, every flipped bit, coverage;
# and F03, the kernels under sanitizers, which a machine's processor decides much of.
#
#   tools/nightly.sh MINUTES
#
# MINUTES is how long each part takes that can take any time; 1 is a short form. What was found goes to
# tools/reliability.json and docs/reliability.md.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ $# = 1 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2; }
exec python "$here/reliability.py" run $(($1 * 60)) nightly F03
