#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every lint finds what its bad example does wrong: bad/NAME/** holds files, and bad/NAME.expect the
lines that must come, each as 'path:line: part of the text'."""
import importlib
import json
import os
import shutil
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from lint import NAMES  # noqa: E402


def compile_commands(root):
    """What configuring the lint preset would write: clang-tidy wants it."""
    shutil.copy(os.path.join(HERE, "../../.clang-tidy"), root)
    names = [os.path.join(d, f) for d, _, files in os.walk(root) for f in files if f.endswith(".c")]
    os.makedirs(os.path.join(root, "build/lint"))
    with open(os.path.join(root, "build/lint/compile_commands.json"), "w", encoding="utf-8") as f:
        json.dump([{"directory": root, "file": n, "command": f"clang-14 -I. -c {n}"}
                   for n in names], f)


def main():
    failed = 0
    for name in set(NAMES) - {n[:-len(".expect")] for n in os.listdir(os.path.join(HERE, "bad"))}:
        print(f"selftest: {name} has no bad example")
        failed += 1
    bad = os.path.join(HERE, "bad")
    for expect in sorted(n for n in os.listdir(bad) if n.endswith(".expect")):
        name = expect[:-len(".expect")]
        with tempfile.TemporaryDirectory() as root:
            shutil.copytree(os.path.join(bad, name), root, dirs_exist_ok=True)
            shutil.copy(os.path.join(HERE, "../../.clang-format"), root)
            compile_commands(root)
            found = [f"{f.path}:{f.line}: {f.text}"
                     for f in importlib.import_module(name).check(root)]
        with open(os.path.join(bad, expect), encoding="utf-8") as f:
            wanted = [row.rstrip("\n") for row in f if row.strip()]
        for row in wanted:
            place, part = row.split(": ", 1)
            if not any(got.startswith(place + ":") and part in got for got in found):
                print(f"selftest: {name} does not find: {row}\n  found: {found}")
                failed += 1
        if len(found) != len(wanted):
            print(f"selftest: {name}: {len(wanted)} findings expected, got: {found}")
            failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
