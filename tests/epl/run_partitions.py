#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the planner of keys to its word: scenarios, divided, deliver what they deliver undivided.

    run_partitions.py KAIJU DIRECTORY_OR_FILE... [-j JOBS] [-v] [--partitions 1,3,16] [--least 15]

Each scenario goes through `kaiju epl scenario --partitions N`, which compares by itself (see
operators/cmd/cmd_parts.c). Prints what differs, why units are one task, the share of units with
input that were partitioned, and a closing line. Exit 0 if nothing differs and the share is at least
`--least` percent, 1 if not, 77 if the first directory does not exist.
"""
import argparse
import collections
import concurrent.futures
import os
import re
import subprocess
import sys

SKIPPED = 77
CLOSING = re.compile(r"units with input (\d+), partitioned (\d+), rows (\d+), different (\d+), "
                     r"answers not compared (\d+)")


def files_of(paths):
    for path in paths:
        if os.path.isfile(path):
            yield path
        for folder, _, names in sorted(os.walk(path)):
            yield from (os.path.join(folder, n) for n in sorted(names) if n.endswith(".json"))


def run(kaiju, path, partitions):
    try:
        p = subprocess.run([kaiju, "epl", "scenario", "--partitions", str(partitions), path],
                           capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        return path, partitions, None, "it took longer than 120 s"
    found = CLOSING.search(p.stdout)
    sane = found is not None and p.returncode in (0, 1)
    return path, partitions, found if sane else None, p.stdout if sane else p.stderr[-2000:]


def reasons(text):
    """Why units are one task: the words behind the node, without names."""
    for line in text.splitlines():
        if line.startswith("unit ") and ": one task" in line:
            yield re.sub(r"'[^']*'", "..", line.split(": one task", 1)[1].lstrip(": "))


def main():
    a = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    a.add_argument("kaiju")
    a.add_argument("paths", nargs="+")
    a.add_argument("-j", type=int, default=2)
    a.add_argument("-v", action="store_true", help="what was chosen for each unit")
    a.add_argument("--partitions", default="1,3,16")
    a.add_argument("--least", type=float, default=15)
    o = a.parse_args()
    if not os.path.exists(o.paths[0]):
        print(f"{o.paths[0]} does not exist: skipped")
        return SKIPPED
    counts = [int(n) for n in o.partitions.split(",")]
    jobs = [(o.kaiju, path, n) for path in files_of(o.paths) for n in counts]
    units = parts = rows = skipped = 0
    failed, why = [], collections.Counter()
    with concurrent.futures.ThreadPoolExecutor(o.j) as pool:
        for path, n, found, text in pool.map(lambda job: run(*job), jobs):
            if found is None or int(found[4]) > 0:
                failed.append(path)
                print(f"FAIL {path} in {n} partitions\n{text}")
            elif o.v and n == counts[0]:
                print(f"{path}\n{text}", end="")
            if found is not None and n == counts[0]:
                units, parts = units + int(found[1]), parts + int(found[2])
                rows, skipped = rows + int(found[3]), skipped + int(found[5])
                why.update(reasons(text))
    for reason, n in why.most_common():
        print(f"{n:5} one task: {reason}")
    share = 100 * parts / units if units else 0
    print(f"{parts} of {units} units with input are partitioned ({share:.1f} %), {rows} rows, "
          f"{skipped} answers not compared")
    if share < o.least:
        print(f"less than {o.least:g} % are partitioned")
    print(f"{len(jobs) - len(failed)} passed, {len(failed)} failed")
    return 0 if jobs and not failed and share >= o.least else 1


if __name__ == "__main__":
    sys.exit(main())
