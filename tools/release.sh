#!/bin/sh
# What a release needs beside .ci/run, in the environment of `python`: every figure of docs/reliability.md, the portable
# kernels for Arm, the models of this version that later ones must load, and wheels.
#
#   tools/release.sh MINUTES
#
# MINUTES is how long each part takes that can take any time: 600 is what is aimed at, 1 a short form.  Wheels go to the
# folder dist.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ $# = 1 ] || { sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2; exit 2; }

python "$here/save_models.py"
failed=
python "$here/reliability.py" run $(($1 * 60)) all || failed=" figures"
"$here/neon.sh" all || failed="$failed neon"
"$here/wheels.sh" dist || failed="$failed wheels"
[ -z "$failed" ] || { echo "$0: failed:$failed" >&2; exit 1; }
