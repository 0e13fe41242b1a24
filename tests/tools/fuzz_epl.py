#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""fuzz_epl.py OUT: what the fuzz targets of the rule language begin with, out of the sources.

OUT/fuzz_epl.dict     the keywords, functions, windows, aggregations and pattern parts of the tables
OUT/fuzz_epl_parse    the texts of the scenarios, their queries, the examples of the manual
OUT/fuzz_epl_bind     the same, fitted to what the target itself declares (`prefix` in fuzz_epl_bind.c)

KAIJU_CONFORMANCE may name one more folder of scenarios. Files are named by their contents, so
nothing grows when it is called again.
"""
import hashlib
import json
import os
import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
TEXT_MAX = 4096
TABLES = {
    "operators/epl/tok.def": r'KW\(\w+, "([^"]+)"',
    "operators/sig/fn.def": r'FN\w*\(\w+, \w+, "[^"]*", "([^"]+)"',
    "operators/agg/agg.def": r"AGG\((\w+)",
    "operators/window/window.def": r"WIN\((\w+)",
    "operators/pattern/pat.def": r'"([a-z:-]+)"',
    "operators/epl/print.c": r'"(\w+)",',
}
MARKS = ["->", "=>", "||", "<=", ">=", "!=", "<>", "/*", "*/", "//", "\\'", "#", "@", "::", "?:",
         "[*]", "(*)", "1L", "0x1F", "1e-3", "1.5f", "'a'", "`a`", "@name('out') ", "@hint('", "*/2",
         "context.key1", "context.id", "istream_flag", "x => x", "(x, i) => ", "{1, 2}", "new {a = 1}",
         "timer:interval(1 sec)", "timer:at(*, *, *, *, *)", "timer:within(1 sec)", "every ", "match_recognize (",
         " pattern (a b*)", "#length(3)", "#time(1 sec)", "from A", "from pattern [", "create schema X ",
         "context K ", "context P ", "insert into X ", "into table T ", "on A "]


def dictionary():
    words = set(MARKS)
    for name, pattern in TABLES.items():
        words.update(re.findall(pattern, (TOP / name).read_text()))
    escape = lambda w: w.replace("\\", "\\\\").replace('"', '\\"')
    return "".join(f'"{escape(w)}"\n' for w in sorted(words))


def scenarios():
    folders = [TOP / "tests/epl/scenarios"]
    if os.environ.get("KAIJU_CONFORMANCE"):
        folders.append(Path(os.environ["KAIJU_CONFORMANCE"]))
    for folder in folders:
        for path in sorted(folder.rglob("*.json")):
            what = json.loads(path.read_text())
            if not isinstance(what, dict):
                continue
            yield from (what[k] for k in ("epl",) if isinstance(what.get(k), str))
            for step in what.get("steps", []):
                yield from (step[k] for k in ("query", "deploy") if isinstance(step.get(k), str))


def manual():
    for path in sorted((TOP / "docs").glob("*.md")):
        yield from re.findall(r"```(?:epl|sql)\n(.*?)```", path.read_text(), re.S)


SCHEMA = r"create\s+schema\s+(\w+)\s*\(([^;]*)\)\s*;?"


def declared():
    source = "".join(re.findall(r'^ *"(.*)(?:\\n)?"', (TOP / "tests/fuzz/fuzz_epl_bind.c").read_text(), re.M))
    return {name: re.sub(r"\W+", " ", cols.replace("\\n", " ")) for name, cols in re.findall(SCHEMA, source)}


def fitted(text, types):
    """Without the types that are declared; one of the same name with other columns is renamed."""
    for part in re.split(r"(?<=;)", text):
        found = re.fullmatch(r"\s*" + SCHEMA + r"\s*", part)
        if found and found[1] in types:
            if re.sub(r"\W+", " ", found[2]) == types[found[1]]:
                text = text.replace(part, "", 1)
            else:
                text = re.sub(rf"\b{found[1]}\b", found[1] + "x", text)
    return text.strip()


def put(folder, texts):
    folder.mkdir(parents=True, exist_ok=True)
    for text in texts:
        data = text.encode()
        if 0 < len(data) <= TEXT_MAX:
            path = folder / hashlib.sha1(data).hexdigest()
            if not path.exists():
                path.write_bytes(data)


def main():
    out = Path(sys.argv[1])
    texts = sorted(set([*scenarios(), *manual()]))
    types = declared()
    put(out / "fuzz_epl_parse", texts)
    put(out / "fuzz_epl_bind", sorted({fitted(t, types) for t in texts}))
    (out / "fuzz_epl.dict").write_text(dictionary())


if __name__ == "__main__":
    main()
