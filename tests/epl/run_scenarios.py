#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs scenarios of the rule language and compares what is delivered with what is expected.

    run_scenarios.py KAIJU DIRECTORY_OR_FILE... [-j JOBS] [-v] [--area A] [--tier N] [--names FILE]

Each scenario goes to `kaiju epl scenario -` on standard input, without its "expect": the engine
cannot look. The comparison: see agree() below, and README.md. Prints a table by area and tier, what
failed, and a closing line. Exit 0 if all passed, 1 if not, 77 if the first directory does not exist.
"""
import argparse
import collections
import concurrent.futures
import json
import math
import os
import subprocess
import sys

SKIPPED = 77
CLOSE = 1e-9


# ---- comparing ----

def number(v):
    return isinstance(v, (int, float)) and not isinstance(v, bool)


def equal(want, got):
    """Numbers by value, whatever their type; everything else exactly, keys of objects included."""
    if number(want) and number(got):
        if isinstance(want, int) and isinstance(got, int):
            return want == got
        return want == got or math.isclose(want, got, rel_tol=CLOSE, abs_tol=1e-12)
    if isinstance(want, dict) and isinstance(got, dict):
        return want.keys() == got.keys() and all(equal(v, got[k]) for k, v in want.items())
    if isinstance(want, list) and isinstance(got, list):
        return len(want) == len(got) and all(map(equal, want, got))
    return type(want) is type(got) and want == got


def unmatched(want, got, same):
    """What is left of two multisets after equal items have been taken out in pairs."""
    left, missing = list(got), []
    for w in want:
        for i, g in enumerate(left):
            if same(w, g):
                del left[i]
                break
        else:
            missing.append(w)
    return missing, left


def same_rows(ordered):
    def same(want, got):
        if len(want) != len(got):
            return False
        return equal(want, got) if ordered else unmatched(want, got, equal) == ([], [])
    return same


def split(entries):
    """Refusals, answers by step, deliveries by step and statement."""
    refused, answers, deliveries = [], {}, collections.defaultdict(list)
    for e in entries:
        step = e.get("step", -1)
        if "error" in e:
            refused.append((step, e["error"]))
        elif "query" in e:
            answers[step] = e["query"] or []
        elif e.get("insert") or e.get("remove"):
            deliveries[step, e["statement"]].append((e.get("insert") or [], e.get("remove") or []))
    return sorted(refused), answers, deliveries


def short(v):
    text = json.dumps(v)
    return text if len(text) <= 240 else text[:240] + "..."


def tell_rows(where, want, got):
    missing, extra = unmatched(want, got, equal)
    yield from (f"{where}: missing {short(r)}" for r in missing)
    yield from (f"{where}: unexpected {short(r)}" for r in extra)
    if not missing and not extra:
        yield f"{where}: the same rows in another order"


def tell_delivery(where, want, got):
    """Why the deliveries of a statement in one step differ."""
    def side(deliveries, i):
        return [row for d in deliveries for row in d[i]]
    lines = []
    for i, name in enumerate(("insert", "remove")):
        if not same_rows(False)(side(want, i), side(got, i)):
            lines += tell_rows(f"{where} {name}", side(want, i), side(got, i))
    sizes = [[(len(a), len(b)) for a, b in d] for d in (want, got)]
    return lines or [f"{where}: want deliveries of {sizes[0]} rows, got {sizes[1]}, or another order"]


def text_of(scenario, step):
    """The step as people know it."""
    if step < 0:
        return "the statements"
    steps = scenario.get("steps", [])
    return f"step {step} {short(steps[step])}" if step < len(steps) else f"step {step}"


def agree(scenario, actual):
    """Why they differ, line by line; empty if they agree."""
    ordered = bool(scenario.get("ordered"))
    rows = same_rows(ordered)
    refused, answers, deliveries = split(scenario["expect"])
    got_refused, got_answers, got_deliveries = split(actual)
    lines = []
    if refused != got_refused:
        missing, extra = unmatched(refused, got_refused, equal)
        lines += [f"{text_of(scenario, step)}: should be refused ({kind})" for step, kind in missing]
        lines += [f"{text_of(scenario, step)}: is refused ({kind})" for step, kind in extra]
        if (-1, "compile") in refused + got_refused:
            return lines
    for step in sorted(answers.keys() | got_answers.keys()):
        want, got = answers.get(step), got_answers.get(step)
        if want is None or got is None:
            lines.append(f"step {step}: {'no answer' if got is None else 'an answer that was not expected'}")
        elif not rows(want, got):
            lines += tell_rows(f"step {step} query", want, got)

    def same(want, got):
        return rows(want[0], got[0]) and rows(want[1], got[1])
    for key in sorted(deliveries.keys() | got_deliveries.keys()):
        want, got = deliveries.get(key, []), got_deliveries.get(key, [])
        if ordered:
            fine = len(want) == len(got) and all(map(same, want, got))
        else:
            fine = unmatched(want, got, same) == ([], [])
        if not fine:
            lines += tell_delivery(f"step {key[0]} '{key[1]}'", want, got)
    return lines


# ---- running ----

def files_below(paths):
    for path in paths:
        if os.path.isfile(path):
            yield path
        for root, dirs, files in os.walk(path):
            dirs.sort()
            yield from (os.path.join(root, f) for f in sorted(files) if f.endswith(".json"))


def run(command, scenario, limit):
    """What differs, line by line."""
    question = json.dumps({k: v for k, v in scenario.items() if k != "expect"})
    try:
        p = subprocess.run(command, input=question.encode(), capture_output=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return [f"no answer within {limit} s"]
    said = p.stderr.decode("utf-8", "replace").strip().splitlines()
    if p.returncode != 0:
        return [f"exit code {p.returncode}"] + said[-12:]
    try:
        lines = agree(scenario, json.loads(p.stdout))
    except ValueError as e:
        return [f"the output is no JSON: {e}"] + said[-3:]
    return lines + said[:3] if lines else []


def table(rows, tiers):
    def cell(count):
        return f"{count[0]}/{count[1]}" if count[1] else "-"
    names = [f"tier {t}" for t in tiers] + ["all"]
    print("%-14s" % "area" + "".join("%11s" % n for n in names))
    for area in sorted(a for a in rows if a != "all") + ["all"]:
        print("%-14s" % area + "".join("%11s" % cell(rows[area][t]) for t in tiers + ["all"]))


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("kaiju")
    ap.add_argument("paths", nargs="+")
    ap.add_argument("-j", type=int, default=2)
    ap.add_argument("-v", action="store_true", help="show what differs")
    ap.add_argument("--area")
    ap.add_argument("--tier", type=int)
    ap.add_argument("--limit", type=float, default=30, help="seconds for one scenario")
    ap.add_argument("--names", help="file to write the names of those that passed to")
    ap.add_argument("--known", action="append", default=[], help="file with the names of those that are known to fail: a line each, "
                    "'#' begins a remark; it is a failure, too, if one of them passes")
    ap.add_argument("--with", dest="options", action="append", default=[],
                    help="option for kaiju epl scenario")
    a = ap.parse_args()
    if not os.path.exists(a.paths[0]):
        print(f"skipped: there are no scenarios at {a.paths[0]}")
        return SKIPPED
    scenarios = []
    for path in files_below(a.paths):
        with open(path, encoding="utf-8") as f:
            s = json.load(f)
        if a.area in (None, s.get("area")) and a.tier in (None, s.get("tier")):
            scenarios.append(s)
    command = [a.kaiju, "epl", "scenario", *a.options, "-"]
    counts = collections.defaultdict(lambda: collections.defaultdict(lambda: [0, 0]))
    failed, passed = [], []
    with concurrent.futures.ThreadPoolExecutor(a.j) as pool:
        for s, lines in zip(scenarios, pool.map(lambda s: run(command, s, a.limit), scenarios)):
            for area in (s.get("area", "?"), "all"):
                for tier in (s.get("tier", 0), "all"):
                    counts[area][tier][1] += 1
                    counts[area][tier][0] += not lines
            if lines:
                failed.append((s["name"], lines))
            else:
                passed.append(s["name"])
    table(counts, sorted(t for t in counts["all"] if t != "all"))
    for name, lines in failed:
        print(f"FAIL {name}")
        if a.v:
            print("\n".join("    " + line for line in lines))
    if a.names:
        with open(a.names, "w", encoding="utf-8") as f:
            f.write("".join(n + "\n" for n in passed))
    known = set()
    for path in a.known:
        with open(path, encoding="utf-8") as f:
            known |= {line.split("#")[0].strip() for line in f} - {""}
    for name in sorted(known & set(passed)):
        print(f"PASSES NOW {name}: take it off {' or '.join(a.known)}")
    print(f"{len(passed)} of {len(scenarios)} scenarios passed, {len(known)} are known not to")
    bad = {name for name, _ in failed} ^ (known & {s["name"] for s in scenarios})
    return 0 if scenarios and not bad else 1


if __name__ == "__main__":
    sys.exit(main())
