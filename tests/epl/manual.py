# SPDX-License-Identifier: Apache-2.0
"""Examples out of Markdown as scenarios. An example is a fenced block `epl`, then `events` (may be
missing), then `rows` or `refused`:

    ```epl
    @name('out') select irstream x from A#length(1);
    ```
    ```events
    0s A {"x": 1}                 an event; the clock moves there first
    2min                          the clock alone
    2min ? select * from W        an on-demand query
    ```
    ```rows
    0s out + {"x": 1}             what entered (+) and left (-)
    2min ? {"x": 1}               a row of an answer
    ```

A block `epl prelude` is put before the statements of every later example of its file. `refused` holds
words that the message of the refusal must contain. A block `epl` with nothing behind it must be
accepted. Times: ms, s, min, h, d. Rows of one time, statement and side are compared as a multiset; how
they were grouped into deliveries is not the matter of a manual."""
import collections
import json
import re

FENCE = re.compile(r"^```(\w+)?([^\n]*)\n(.*?)^```\s*$", re.M | re.S)
UNITS = {"ms": 1, "s": 1000, "min": 60000, "h": 3600000, "d": 86400000}


class Example:
    def __init__(self, path, line, epl):
        self.where, self.epl = f"{path}:{line}", epl
        self.events = self.rows = self.refused = None
        self.rows_span = None


def milliseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(ms|s|min|h|d)", text).groups()
    return round(float(number) * UNITS[unit])


def examples(path):
    with open(path, encoding="utf-8") as f:
        text = f.read()
    prelude, found = "", []
    for m in FENCE.finditer(text):
        kind, info, body = m.group(1), m.group(2).strip(), m.group(3)
        line = text.count("\n", 0, m.start()) + 1
        if kind == "epl" and info == "prelude":
            prelude += body
        elif kind == "epl":
            found.append(Example(path, line, prelude + body))
        elif kind in ("events", "rows", "refused"):
            if not found or getattr(found[-1], kind) is not None:
                raise ValueError(f"{path}:{line}: a block {kind} that belongs to nothing")
            setattr(found[-1], kind, body)
            if kind == "rows":
                found[-1].rows_span = m.span(3)
    return found


def scenario(example):
    """The form that `kaiju epl scenario` takes, and the time of each step."""
    steps, times, now = [], [], 0
    for line in (example.events or "").splitlines():
        if not line.strip():
            continue
        when, _, rest = line.strip().partition(" ")
        at = milliseconds(when)
        if at != now:
            steps.append({"advance": at})
            times.append(at)
            now = at
        kind, _, what = rest.strip().partition(" ")
        if kind == "?":
            steps.append({"query": what.strip()})
        elif kind:
            steps.append({"send": kind, "event": json.loads(what)})
        if kind:
            times.append(at)
    return {"name": example.where, "clock": "external", "epl": example.epl, "steps": steps}, times


def expected(example):
    """(time, statement, sign) -> rows; of answers the statement is ? and the sign empty."""
    rows = collections.defaultdict(list)
    for line in (example.rows or "").splitlines():
        if line.strip():
            m = re.fullmatch(r"(\S+)\s+(?:(\?)|(\S+)\s+([+-]))\s+(\{.*\})", line.strip())
            if m is None:
                raise ValueError(f"{example.where}: not a row: {line}")
            key = (milliseconds(m.group(1)), m.group(2) or m.group(3), m.group(4) or "")
            rows[key].append(json.loads(m.group(5)))
    return rows


def delivered(entries, times):
    """The same shape, of what the engine printed."""
    rows = collections.defaultdict(list)
    for e in entries:
        if "error" in e:
            raise ValueError(f"refused: {e}")
        at = times[e["step"]]
        for sign, side in (("+", "insert"), ("-", "remove")):
            if e.get(side):
                rows[at, e["statement"], sign] += e[side]
        if e.get("query"):
            rows[at, "?", ""] += e["query"]
    return rows
