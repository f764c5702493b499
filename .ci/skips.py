"""Print which tests were skipped, and why; fail if one was for a reason that is not in expected_skips.toml.

Usage: skips.py OUTCOMES.xml..., as `pytest --junit-xml` writes them.
"""

from __future__ import annotations

import collections
import re
import sys
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path


def skipped(path):
    """Yield each skipped test, and the reason; a test that is expected to fail is none."""
    for test in ET.parse(path).iter("testcase"):
        for skip in test.findall("skipped"):
            if skip.get("type") == "pytest.skip":
                yield f"{test.get('classname')}::{test.get('name')}", skip.get("message")
            elif skip.get("type") is None:  # a module that was skipped as a whole
                yield test.get("name"), skip.text


def main(paths):
    """Print the skips of these files; return the exit status."""
    expected = tomllib.loads(Path(__file__).with_name("expected_skips.toml").read_text())["skip"]
    tests = collections.defaultdict(list)
    for path in paths:
        for test, reason in skipped(path):
            tests[reason].append(test)
    unexpected = False
    for reason, names in sorted(tests.items()):
        because = [skip["because"] for skip in expected if re.fullmatch(skip["reason"], reason, re.DOTALL)]
        unexpected |= not because
        print(f"{len(names)} skipped, {'expected' if because else 'NOT EXPECTED'}: {reason}")
        print("".join(f"    {line}\n" for line in because or names), end="")
    print(f"{sum(map(len, tests.values()))} tests were skipped")
    return int(unexpected)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
