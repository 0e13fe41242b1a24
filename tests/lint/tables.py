# SPDX-License-Identifier: Apache-2.0
"""Every row of a .def table has its documentation: the last string of the row is not empty."""
import re

from common import Finding, lines, read, tracked


def rows(text):
    """(line, row) of each macro call at the beginning of a line, over several lines if need be."""
    body = re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m.group(0)), text, flags=re.S)
    collected, start, depth = "", 0, 0
    for number, line in lines(body):
        if not collected and not re.match(r"[A-Z][A-Z0-9_]*\(", line):
            continue
        start = start if collected else number
        collected += line + "\n"
        depth = collected.count("(") - collected.count(")")
        if depth <= 0 or line.rstrip().endswith(")"):
            yield start, collected
            collected = ""


def check(root):
    for name in tracked(root):
        if not name.endswith(".def"):
            continue
        for number, row in rows(read(root, name)):
            strings = re.findall(r'"((?:\\.|[^"\\])*)"', row)
            if not strings or not strings[-1].strip():
                yield Finding(name, number, "a row without its line of documentation")
