#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""compare_mutants.py ENGINE ORACLE PATH... [--seed N] [--each K] [--keep DIR]

Takes scenarios as they are and changes them a little: other events, other times, another window, another clause, another
number. Both engines get the same changed scenario, and where they differ it is shown. ENGINE and ORACLE are as for
compare_random.py; PATHs are scenarios or folders of them; each is changed K times. What differs is written to DIR
as a scenario whose answer is the oracle's. The same seed gives the same changes.
"""
import argparse
import copy
import json
import os
import random
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from run_scenarios import agree, files_below  # noqa: E402

WINDOWS = ["#length(2)", "#length(3)", "#time(5 sec)", "#keepall", "#lastevent", "#length_batch(2)", "#time_batch(4 sec)",
           "#firstlength(2)", "#time_accum(3 sec)", "#time_length_batch(5 sec, 3)", "#expr(current_count <= 2)"]
OUTPUTS = ["output all every 2 events", "output last every 2 events", "output first every 2 events", "output snapshot every 3 sec",
           "output every 3 events", "output last every 4 sec", "output first every 4 sec", "output all every 4 sec"]
WORDS = [("avg(", "sum("), ("sum(", "max("), ("max(", "min("), ("min(", "count("), (" > ", " >= "), (" < ", " <= "), (" = ", " != "),
         (" and ", " or "), ("select irstream ", "select "), ("select istream ", "select rstream "), ("every ", ""), (" asc", " desc"),
         (" left outer join ", " full outer join "), (" inner join ", " left outer join "), ("insert into", "insert istream into"),
         ("where timer:within", "where timer:withinmax"), ("count(*)", "count(distinct 1)"), (" desc", "")]


def change_events(r, sc):
    """One change to what is sent."""
    steps = sc["steps"]
    sends = [i for i, s in enumerate(steps) if "send" in s]
    kind = r.randrange(6)
    if kind == 0 and len(steps) > 1:
        i = r.randrange(len(steps) - 1)
        if not any("deploy" in s or "undeploy" in s for s in steps[i:i + 2]):
            steps[i], steps[i + 1] = steps[i + 1], steps[i]
    elif kind == 1 and sends:
        steps.insert(r.choice(sends), copy.deepcopy(steps[r.choice(sends)]))
    elif kind == 2 and sends:
        steps.pop(r.choice(sends))
    elif kind == 3:
        steps.insert(r.randrange(len(steps) + 1), {"advance": None, "by": r.choice([500, 1000, 2500, 4000, 10000])})
    elif sends:
        one = r.choice(sends)
        event = steps[one]["event"]
        alike = [steps[i]["event"] for i in sends if steps[i]["send"] == steps[one]["send"]]
        if isinstance(event, dict) and event:
            name = r.choice(sorted(event))
            values = [e[name] for e in alike if isinstance(e, dict) and name in e]
            if kind == 4:
                event[name] = copy.deepcopy(r.choice(values + [None]))
            elif isinstance(event[name], (int, float)) and not isinstance(event[name], bool):
                event[name] = event[name] + r.choice([-1, 1, 2, -event[name]])


def straighten(sc):
    """Times never go back, whatever was moved."""
    now = 0
    for s in sc["steps"]:
        if "advance" in s:
            by = s.pop("by", None)
            now = now + by if by is not None else max(now, s["advance"])
            s["advance"] = now


def swap(r, text, pattern, others):
    found = list(re.finditer(pattern, text))
    if not found:
        return text
    m = r.choice(found)
    return text[:m.start()] + r.choice(others) + text[m.end():]


def change_text(r, sc):
    """One change to the statements."""
    text = sc["epl"]
    kind = r.randrange(4)
    if kind == 0:
        text = swap(r, text, r"#(?:length|time|keepall|lastevent|length_batch|time_batch|unique|firstlength|sort|time_accum)\b"
                    r"(?:\([^()]*\))?", WINDOWS)
    elif kind == 1:
        text = swap(r, text, r"output [^;]*(?=;|$)", OUTPUTS) if "output" in text or r.random() < 0.3 else re.sub(
            r"(?<=\w|\)|\])(?=;?\s*$)", " " + r.choice(OUTPUTS), text.rstrip().rstrip(";"), count=1)
    elif kind == 2:
        numbers = list(re.finditer(r"(?<![\w.'])\d+(?![\w.'])", text))
        if numbers:
            m = r.choice(numbers)
            text = text[:m.start()] + str(max(0, int(m.group()) + r.choice([-1, 1, 2]))) + text[m.end():]
    else:
        was, now = r.choice(WORDS)
        places = [m.start() for m in re.finditer(re.escape(was), text)]
        if places:
            at = r.choice(places)
            text = text[:at] + now + text[at + len(was):]
    sc["epl"] = text


def mutant(r, sc):
    sc = copy.deepcopy(sc)
    sc.pop("expect", None)
    before = json.dumps(sc)
    for _ in range(r.randint(1, 4)):
        change_events(r, sc)
    if r.random() < 0.7:
        change_text(r, sc)
    straighten(sc)
    return None if json.dumps(sc) == before else sc


def ours(engine, path):
    done = subprocess.run([engine, "epl", "scenario", path], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        return f"exit {done.returncode}: {done.stderr[-300:]}"
    return json.loads(done.stdout)


def theirs(oracle, paths):
    done = subprocess.run([*oracle.split(), *paths], capture_output=True, text=True, timeout=1200, check=False)
    parts = re.split(r"^# (.*)$", "\n" + done.stdout, flags=re.M)
    found = {}
    for path, text in zip(parts[1::2], parts[2::2]):
        try:
            found[path] = json.loads(text)
        except ValueError:
            continue
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("engine")
    parser.add_argument("oracle")
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--each", type=int, default=1)
    parser.add_argument("--keep")
    asked = parser.parse_args()
    r = random.Random(asked.seed)
    with tempfile.TemporaryDirectory(prefix="kaiju-mutants-") as directory:
        made = {}
        for path in files_below(asked.paths):
            with open(path, encoding="utf-8") as f:
                scenario = json.load(f)
            for k in range(asked.each):
                changed = mutant(r, scenario)
                if changed is not None:
                    name = os.path.join(directory, f"{scenario['name'].replace('/', '-')}-{asked.seed}-{k}.json")
                    with open(name, "w", encoding="utf-8") as f:
                        json.dump(changed, f, indent=1)
                    made[name] = changed
        want = theirs(asked.oracle, list(made))
        differ = 0
        for path, scenario in made.items():
            if path not in want:
                print(f"{os.path.basename(path)}: the oracle gave no answer")
                continue
            got = ours(asked.engine, path)
            scenario["expect"] = want[path]
            lines = [got] if isinstance(got, str) else agree(scenario, got)
            if lines:
                differ += 1
                print(f"---- {os.path.basename(path)}\n{scenario['epl']}")
                print("\n".join(lines[:12]))
                if asked.keep:
                    os.makedirs(asked.keep, exist_ok=True)
                    with open(os.path.join(asked.keep, os.path.basename(path)), "w", encoding="utf-8") as f:
                        json.dump(scenario, f, indent=1)
        print(f"{len(made)} scenarios, {differ} differ")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
