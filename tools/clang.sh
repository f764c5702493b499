#!/bin/sh
# Print the newest clang that is at hand.
for program in clang-21 clang-20 clang-19 clang-18 clang; do
    if command -v "$program"; then exit; fi
done
echo "$0: missing: clang (clang-19)" >&2
exit 2
