#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the causes of rows to what they promise, over scenarios of the rule language.

    run_causes.py KAIJU DIRECTORY_OR_FILE... [-j JOBS] [-v] [--share PERCENT]

Each scenario runs with and without --causes. (1) The rows are the same. (2) Every cause is an event
that was sent, at this step or before, or one that a statement inserted before; following those ends
at events that were sent. (3) Replay: a fresh engine that gets the same statements, deployments and
clock steps, but of the events only the row's causes, gives the row, too. That cannot hold for
everything; EXCEPT says for what not, and why. How many of all rows (3) has been asked of is printed;
less than --share percent of them is a failure. Exit 77 if the first directory does not exist.
"""
import argparse
import concurrent.futures
import json
import os
import re
import subprocess
import sys

from run_scenarios import SKIPPED, equal, files_below

KEPT = 8  # of an aggregate
NOTHING = -1  # below a derived event without causes

# What a statement may have in it that makes its rows depend on more than events that contributed.
EXCEPT = [
    ("absence and timers", r"\bnot\s+\w+\s*=|\bnot\s+[A-Z(]|and\s+not\b|\btimer:"),
    ("padded joins", r"\bouter\s+join\b"),
    ("looks at places in the stream", r"\bprev\w*\s*\(|\bprior\s*\("),
    ("output when so and so many came", r"\boutput\b.*\b(events|when|after|terminated)\b"),
    ("rows are states, changed by other events", r"\bon\s+\w+.*\b(merge|update|set|delete)\b|\binto\s+table\b"),
    ("batches are counted", r"(#|:)(length|ext_timed|expr|time_length)_batch\b"),
    ("batches that are put out later", r"#time_batch\b.*\boutput\b"),
    ("only what leaves", r"\brstream\b|\bistream\s*\(|\bleaving\s*\(|\brate\s*\("),
    ("what is not there", r"\bnot\s+exists\b|\bnot\s+in\b|\ball\s*\(|\bany\s*\(|\bsome\s*\("),
    ("aggregates of what has left", r"ever\s*\(.*#|#.*ever\s*\("),
    ("order of limit", r"\blimit\b"),
    ("other matches are suppressed", r"@(discard|suppress|consume)\w*"),
    ("numbers of partitions", r"\bcontext\.id\b|\bcontext\s+\w+\s.*\bfrom\s+\w+[^,]*,\s*\w+"),
    ("first of all, which then leaves another window", r"#first\w*\([^)]*\)\s*#"),
    ("groups of its own", r"\bgroup_by\s*:"),
    ("no inputs", r"\bcurrent_timestamp\b|\bcurrent_evaluation_context\b"),
]
UNTAGGED = r"(?<![=\w.'])(?!(?:EVERY|OR|AND|NOT|UNTIL|WHERE|IN|IS|NULL)\b)[A-Z]\w*"  # a type in a pattern, without a tag
AGGREGATES = r"\b(sum|avg|count|min|max|median|stddev|avedev|first|last|window|sorted|maxby|minby|nth|fmin|fmax|"\
    r"fsum|favg|fcount|percentile\w*|plugin)\s*\(|group\s+by"


def run(kaiju, scenario, *options):
    question = json.dumps({k: v for k, v in scenario.items() if k != "expect"})
    p = subprocess.run([kaiju, "epl", "scenario", *options, "-"], input=question.encode(),
                       capture_output=True, timeout=60)
    if p.returncode != 0:
        raise RuntimeError(f"exit code {p.returncode}: {p.stderr.decode()[-300:]}")
    return json.loads(p.stdout)


def plain(entries):
    """As it would be without --causes."""
    ret = []
    for e in entries:
        if "derived" not in e:
            ret.append({k: [r["row"] for r in v] if k in ("insert", "remove", "query") else v
                        for k, v in e.items()})
    return ret


def statements(text):
    """Each statement of a module; strings and comments may hold semicolons."""
    parts = re.findall(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|/\*.*?\*/|//[^\n]*|;|[^;'\"/]+|/", text, re.S)
    now = []
    for p in parts:
        if p == ";":
            yield "".join(now)
            now = []
        elif not p.startswith(("/*", "//")):
            now.append(p)
    yield "".join(now)


class Rules:
    """What is known of the statements of a scenario by their text."""

    def __init__(self, scenario):
        texts = [scenario.get("epl", "")] + [s["deploy"] for s in scenario.get("steps", []) if "deploy" in s]
        self.by_name, self.by_type, self.windows = {}, {}, {}
        self.texts = [s.strip() for t in texts for s in statements(t)]
        for s in self.texts:
            name = re.search(r"@name\s*\(\s*(?:value\s*=\s*)?['\"](.*?)['\"]\s*\)", s, re.I)
            if name:
                self.by_name.setdefault(name.group(1), s)
            for t in re.findall(r"\binsert\s+(?:[ir]*stream\s+)?into\s+(\w+)", s, re.I):
                self.by_type.setdefault(t, []).append(s)
            made = re.match(r"(?:@\w+(?:\([^)]*\))?\s*)*create\s+window\s+(\w+)", s, re.I)
            if made:
                self.windows[made.group(1)] = s
        undeploys = any("undeploy" in s or "deploy" in s for s in scenario.get("steps", []))
        whole = "\n".join(self.texts)
        self.why_none = "statements come and go" if undeploys else \
            "variables" if re.search(r"\bcreate\s+(\w+\s+)*variable\b", whole, re.I) else \
            "partitions begin and end by events" if re.search(
                r"\bcreate\s+context\b[^;]*\b(start|initiated|terminated|end|context\s+\w+\s+(partition|group))\b", whole, re.I) else \
            "priorities" if re.search(r"@(priority|drop)\b", whole, re.I) else \
            "queries change windows" if any(re.match(r"\s*(insert|update|delete)\b", s.get("query", ""), re.I)
                                            for s in scenario.get("steps", [])) else \
            "tables" if re.search(r"\bcreate\s+table\b", whole, re.I) else None

    def why_not(self, text, seen=()):
        """Why replay cannot be asked of rows of that statement; None: it can."""
        bare = re.sub(r"@name\s*\([^)]*\)", "", text)
        bare = re.sub(r"'(?:[^'\\]|\\.)*'", "''", bare)
        for why, pattern in EXCEPT:
            if re.search(pattern, bare, re.I | re.S):
                return why
        if re.search(AGGREGATES, bare, re.I) and re.search(r"\boutput\b", bare, re.I):
            return "values of the moment when they are put out"
        if any(re.search(UNTAGGED, p) for p in re.findall(r"\bpattern\b(?:\s*@\w+)*\s*\[(.*)\]", bare, re.S | re.I)):
            return "events without a tag"
        for t in set(re.findall(r"\w+", bare)):
            if t in seen:
                continue
            for s in self.by_type.get(t, []) + ([self.windows[t]] if t in self.windows else []):
                if s != text:
                    why = self.why_not(s, (*seen, t))
                    if why:
                        return "inputs: " + why
            if t in self.windows and any(re.search(rf"\bon\b.*\b{t}\b", s, re.I | re.S) for s in self.texts):
                return "a window that others change"
        return None


class Check:
    def __init__(self, kaiju, scenario):
        self.kaiju, self.scenario = kaiju, scenario
        self.steps = scenario.get("steps", [])
        self.rules = Rules(scenario)
        self.lines, self.skipped, self.replays = [], {}, {}
        self.news = []  # rows that have entered: what leaves with equal values has equal causes
        self.rows = self.asked = self.none = 0

    def inputs(self, causes, step, derived):
        """The sent events below these causes."""
        sent = set()
        for c in causes:
            if isinstance(c, str):
                if c not in derived:
                    self.lines.append(f"step {step}: {c} is not there yet")
                else:
                    sent |= derived[c]
            elif c > step or "send" not in self.steps[c]:
                self.lines.append(f"step {step}: {c} is no event that was sent before")
            else:
                sent.add(c)
        if len(set(map(str, causes))) != len(causes):
            self.lines.append(f"step {step}: a cause stands twice in {causes}")
        return sent

    def replay(self, sent):
        """Rows by statement of an engine that gets these events alone."""
        key = frozenset(sent)
        if key not in self.replays:
            steps = [s for i, s in enumerate(self.steps) if "advance" in s or "advance_span" in s or i in key]
            rows = {}
            for e in run(self.kaiju, {**self.scenario, "steps": steps}):
                rows.setdefault(e.get("statement"), []).extend((e.get("insert") or []) + (e.get("remove") or []))
            self.replays[key] = rows
        return self.replays[key]

    def ask(self, e, row, sent, leaves):
        text = self.rules.by_name.get(e["statement"])
        why = self.rules.why_none or (self.rules.why_not(text) if text else "unknown statement")
        if not why and (not sent or NOTHING in sent):
            why = "nothing is left in a group, or only time has made it"
        if not why and len(row["causes"]) >= KEPT:
            why = "a sample"
        if not why and re.search(AGGREGATES, text, re.I) and re.search(r"#(sort|rank|time_accum)\b", text, re.I):
            why = "values in which an event is not that did not stay"
        if not why and "NaN" in json.dumps(row["row"]) and re.search(AGGREGATES, text, re.I):
            why = "NaN stays in a sum until all have left"
        same = [e["statement"], row["row"], set(map(str, row["causes"]))]
        was_new = any(equal(same[:2], n[:2]) and same[2] == n[2] for n in self.news) if leaves else self.news.append(same)
        if not why and leaves and not was_new and re.search(AGGREGATES + r"|\(\s*select\b", text, re.I):
            why = "values of the moment when something leaves"
        if why:
            self.skipped[why] = self.skipped.get(why, 0) + 1
            return
        self.asked += 1
        if not any(equal(row["row"], r) for r in self.replay(sent).get(e["statement"], [])):
            self.lines.append(f"step {e['step']} '{e['statement']}': its causes {row['causes']} alone do not give "
                              f"{json.dumps(row['row'])[:200]}")

    def all(self):
        entries = run(self.kaiju, self.scenario, "--causes")
        if not equal(plain(entries), run(self.kaiju, self.scenario)):
            self.lines.append("other rows with --causes than without")
        derived = {}
        for e in entries:
            if "derived" in e:
                derived[e["derived"]] = self.inputs(e["causes"], e["step"], derived) or {NOTHING}
            for i, row in enumerate((e.get("insert") or []) + (e.get("remove") or [])):
                sent = self.inputs(row["causes"], e["step"], derived)
                self.rows += 1
                self.none += not sent
                self.ask(e, row, sent, i >= len(e.get("insert") or []))
        return self


def check(kaiju, scenario):
    c = Check(kaiju, scenario)
    try:
        return c.all()
    except (RuntimeError, ValueError, subprocess.TimeoutExpired) as e:
        c.lines.append(str(e))
        return c


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("kaiju")
    ap.add_argument("paths", nargs="+")
    ap.add_argument("-j", type=int, default=2)
    ap.add_argument("-v", action="store_true", help="show why replay was not asked")
    ap.add_argument("--share", type=float, default=30, help="of rows that replay must be asked of, in percent")
    a = ap.parse_args()
    if not os.path.exists(a.paths[0]):
        print(f"skipped: there are no scenarios at {a.paths[0]}")
        return SKIPPED
    scenarios = []
    for path in files_below(a.paths):
        with open(path, encoding="utf-8") as f:
            scenarios.append(json.load(f))
    failed = rows = asked = none = 0
    skipped = {}
    with concurrent.futures.ThreadPoolExecutor(a.j) as pool:
        for s, c in zip(scenarios, pool.map(lambda s: check(a.kaiju, s), scenarios)):
            rows, asked, none = rows + c.rows, asked + c.asked, none + c.none
            failed += bool(c.lines)
            for why, n in c.skipped.items():
                skipped[why] = skipped.get(why, 0) + n
            if c.lines:
                print(f"FAIL {s['name']}")
                print("\n".join("    " + line for line in c.lines[:5]))
    for why, n in sorted(skipped.items(), key=lambda x: -x[1]) if a.v else ():
        print(f"{n:7} not replayed: {why}")
    share = 100 * asked / max(rows, 1)
    print(f"{rows} rows of {len(scenarios)} scenarios: {failed} scenarios failed; {none} rows without causes; "
          f"replay was asked of {asked} rows ({share:.1f} %)")
    return 1 if failed or not scenarios or share < a.share else 0


if __name__ == "__main__":
    sys.exit(main())
