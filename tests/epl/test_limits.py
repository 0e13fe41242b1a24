#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Limits of the engine, on scenarios: each with half of what it held at its most.

    test_limits.py KAIJU DIRECTORY... [--every N] [--offset K] [--reload] [-v]

Of every N-th scenario in the directories: what it holds at most is asked for (--peaks); then it runs
again with half of that, one kind of limit after the other and each policy the kind has, twice. It
must not fail, drop the same both times, hold no more than the limit allows, and say what it met
exactly if something was dropped. With --reload the second run is saved and loaded after every step
(and compared, within the engine's own command, with one that is not). Exit 0, 1, or 77 if no directory exists.
"""
import argparse
import glob
import json
import os
import subprocess
import sys

SKIPPED = 77
OLDEST, NEW, STOP = "drop_oldest", "drop_new", "stop_statement"
POLICIES = {
    "rows": (OLDEST, NEW, STOP),
    "bytes": (OLDEST, NEW, STOP),
    "groups": (NEW, STOP),
    "partials": (NEW, STOP),
    "output": (NEW, STOP),
    "cascade": (NEW, STOP),
    "state": (OLDEST, NEW, STOP),
}
# Rows that are changed in place grow beyond a limit on bytes, a batch makes the groups of events
# that are in it, and a match that begins several parts begins them all.
SHARP = ("rows", "output", "cascade")


def run(kaiju, path, *options):
    p = subprocess.run([kaiju, "epl", "scenario", path, "--peaks", *options],
                       capture_output=True, text=True, timeout=60)
    if p.returncode != 0:
        raise AssertionError(f"exit code {p.returncode}: {p.stderr[-400:]}")
    return p.stdout


def last(entries, key):
    return next((e[key] for e in reversed(entries) if key in e), {})


def without_peaks(text):
    """An engine that was loaded counts its peaks anew."""
    return [e for e in json.loads(text) if "peaks" not in e]


def check(kaiju, path, kind, limit, policy, again):
    """None, or what is wrong."""
    options = ("--limits", f"{kind}={limit}:{policy}")
    text = run(kaiju, path, *options)
    if without_peaks(text) != without_peaks(run(kaiju, path, *options, *again)):
        return "twice is not the same"
    out = json.loads(text)
    hits = [e for e in out if "limit" in e]
    dropped, peak = last(out, "dropped")[kind], last(out, "peaks")[kind]
    if bool(hits) != (dropped > 0):
        return f"{dropped} dropped, {len(hits)} reports"
    if any(e["limit"] != kind for e in hits):
        return f"another limit is reported: {hits}"
    if kind in SHARP and peak > limit:
        return f"holds {peak}"
    return None


def main():
    arg = argparse.ArgumentParser()
    arg.add_argument("kaiju")
    arg.add_argument("dirs", nargs="+")
    arg.add_argument("--every", type=int, default=1)
    arg.add_argument("--offset", type=int, default=0)
    arg.add_argument("--reload", action="store_true")
    arg.add_argument("-v", action="store_true")
    o = arg.parse_args()
    paths = sorted(p for d in o.dirs
                   for p in glob.glob(os.path.join(d, "**", "*.json"), recursive=True))
    if not paths:
        return SKIPPED
    runs = failed = met = 0
    for path in paths[o.offset::o.every]:
        try:
            peaks = last(json.loads(run(o.kaiju, path)), "peaks")
        except (AssertionError, ValueError):
            continue  # not a scenario, or one that is refused
        for kind, policies in POLICIES.items():
            for policy in policies:
                if peaks.get(kind, 0) < 2:
                    continue
                runs += 1
                try:
                    wrong = check(o.kaiju, path, kind, peaks[kind] // 2, policy,
                                  ["--reload"] if o.reload else [])
                except (AssertionError, subprocess.TimeoutExpired) as e:
                    wrong = str(e)
                if wrong:
                    failed += 1
                    print(f"FAIL {path} {kind}={peaks[kind] // 2}:{policy}: {wrong}")
                elif o.v:
                    print(f"ok   {path} {kind}={peaks[kind] // 2}:{policy}")
    print(f"{runs - failed} of {runs} runs with half of what was held are as they must be")
    return 1 if failed or not runs else 0


if __name__ == "__main__":
    sys.exit(main())
