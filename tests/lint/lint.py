#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""lint.py [NAME...] [--root DIR]: runs lints (all without a name); exit 1 when there is a finding."""
import importlib
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
NAMES = ["layers", "budgets", "banned", "prefixes", "tables", "text", "format", "tidy", "static"]


def main(argv):
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    if "--root" in argv:
        at = argv.index("--root")
        root = argv[at + 1]
        argv = argv[:at] + argv[at + 2:]
    unknown = [a for a in argv if a not in NAMES]
    if unknown:
        print(f"lint: there is no '{unknown[0]}'; there are: {' '.join(NAMES)}", file=sys.stderr)
        return 2
    count = 0
    for name in argv or NAMES:
        for finding in importlib.import_module(name).check(root):
            print(f"{finding.path}:{finding.line}: [{name}] {finding.text}")
            count += 1
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
