#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the tests have run, by folder.

    coverage.py BUILD FOLDER [-v] [--lines PERCENT] [--branches PERCENT]

Reads what a build with KAIJU_COVERAGE left behind, by gcov, for the sources below FOLDER. A line of
several units (a function in a header) has run if it has in any. Branches of assert() do not count:
the other way is a bug. -v lists files and their lines that never ran. Exit 1 below a wanted share.
"""
import argparse
import collections
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys


class Source:
    def __init__(self):
        self.lines = collections.Counter()
        self.branches = {}

    def add(self, line, text):
        number = line["line_number"]
        self.lines[number] += line["count"]
        counts = [b["count"] for b in line["branches"]]
        if not counts or "assert(" in text:
            return
        old = self.branches.get(number)
        if old is not None and len(old) == len(counts):
            counts = [a + b for a, b in zip(old, counts)]
        if old is None or len(counts) >= len(old):
            self.branches[number] = counts


def unit(gcda):
    p = subprocess.run(["gcov", "--json-format", "--stdout", "--branch-probabilities", str(gcda)],
                       capture_output=True, cwd=gcda.parent, check=False)
    return [json.loads(line) for line in p.stdout.splitlines() if line.startswith(b"{")]


def collect(build, root, folder):
    sources = collections.defaultdict(Source)
    texts = {}
    found = list(pathlib.Path(build).resolve().rglob("*.gcda"))
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for part in pool.map(unit, found):
            for answer in part:
                for f in answer["files"]:
                    path = os.path.relpath(os.path.join(answer["current_working_directory"], f["file"]), root)
                    if not path.startswith(folder.rstrip("/") + "/"):
                        continue
                    if path not in texts:
                        texts[path] = [""] + pathlib.Path(root, path).read_text().splitlines()
                    for line in f["lines"]:
                        sources[path].add(line, texts[path][line["line_number"]])
    return sources


def share(sources):
    lines = [n for s in sources for n in s.lines.values()]
    branches = [n for s in sources for counts in s.branches.values() for n in counts]
    return [(sum(n > 0 for n in v), len(v)) for v in (lines, branches)]


def percent(pair):
    return 100.0 * pair[0] / pair[1] if pair[1] else 100.0


def row(name, pairs):
    print(f"{name:40} {pairs[0][1]:7} {percent(pairs[0]):7.1f} %  {pairs[1][1]:8} {percent(pairs[1]):7.1f} %")


def ranges(numbers):
    out = []
    for n in sorted(numbers):
        if out and out[-1][1] == n - 1:
            out[-1][1] = n
        else:
            out.append([n, n])
    return " ".join(str(a) if a == b else f"{a}-{b}" for a, b in out)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("build")
    p.add_argument("folder")
    p.add_argument("-v", action="store_true")
    p.add_argument("--lines", type=float, default=0)
    p.add_argument("--branches", type=float, default=0)
    a = p.parse_args()
    sources = collect(a.build, os.getcwd(), a.folder)
    if not sources:
        sys.exit(f"coverage: nothing below {a.folder} has run in {a.build}")
    folders = collections.defaultdict(list)
    for path, s in sorted(sources.items()):
        folders[os.path.dirname(path)].append(s)
        if a.v:
            row(path, share([s]))
            print("    never:", ranges(n for n, c in s.lines.items() if c == 0) or "-")
    print(f"{'folder':40} {'lines':>7} {'run':>9}  {'branches':>8} {'run':>9}")
    for folder, found in sorted(folders.items()):
        row(folder, share(found))
    total = share(sources.values())
    row("all", total)
    low = percent(total[0]) < a.lines or percent(total[1]) < a.branches
    if low:
        print(f"coverage: wanted are {a.lines:g} % of the lines, {a.branches:g} % of the branches")
    return int(low)


if __name__ == "__main__":
    sys.exit(main())
