# SPDX-License-Identifier: Apache-2.0
"""Shared by the lints: which files there are, their text without comments, and how to complain.

A lint is a module with check(root) that yields Finding(path, line, text). lint.py runs one or all
and fails when there is any finding. Every lint has a tree of bad examples in bad/NAME, and
selftest.py holds that it finds them: a lint that cannot fail is worth nothing.
"""
import os
import re
import subprocess
from collections import namedtuple

Finding = namedtuple("Finding", "path line text")

CODE_DIRS = ("core", "ingest", "operators", "coordinator", "loadgen")
SKIP = ("build/", "tests/lint/bad/", "kaiju-data/")


def tracked(root):
    """Paths below root, relative: what git knows or would add; any file where there is no git."""
    if os.path.exists(os.path.join(root, ".git")):
        out = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard"],
                             capture_output=True, text=True, check=True).stdout
        names = out.split("\n")
    else:
        names = [os.path.relpath(os.path.join(d, f), root)
                 for d, _, files in os.walk(root) for f in files]
    return sorted(n for n in names if n and not n.startswith(SKIP) and
                  os.path.isfile(os.path.join(root, n)))


def sources(root, tests=False):
    """C files of the program; with tests=True also those of the tests."""
    for name in tracked(root):
        if name.endswith((".c", ".h")) and (tests or not name.startswith("tests/")):
            yield name


def read(root, name):
    with open(os.path.join(root, name), encoding="utf-8", errors="replace") as f:
        return f.read()


def strip_comments(text):
    """Comments and the contents of literals become blanks; lines keep their numbers."""
    def blank(match):
        token = match.group(0)
        if token[0] in "\"'":
            return token[0] + " " * (len(token) - 2) + token[-1]
        return re.sub(r"[^\n]", " ", token)
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text,
                  flags=re.S)


def lines(text):
    return enumerate(text.split("\n"), 1)


def ctags(root, names, kinds):
    """(name, path, line, end, kind, file_scope) of the definitions of these kinds."""
    if not names:
        return
    out = subprocess.run(["ctags", "-f", "-", "--languages=C", "--langmap=C:.c.h", "-I",
                          "NODISCARD,COLD,PROCESS_WIDE,_Noreturn",
                          f"--kinds-C={kinds}", "--fields=+neKzfS", "-n", "-L", "-"],
                         input="\n".join(names), cwd=root, capture_output=True, text=True,
                         check=True).stdout
    for row in out.split("\n"):
        parts = row.split("\t")
        if len(parts) < 4 or row.startswith("!"):
            continue
        fields = dict(p.split(":", 1) for p in parts[3:] if ":" in p)
        line = int(fields.get("line", 0))
        yield (parts[0], parts[1], line, int(fields.get("end", line)), fields.get("kind", ""),
               "file" in fields)


def allowed(root, lint):
    """tests/lint/allow/LINT: 'path name  reason' a line; what is let through, and why."""
    path = os.path.join(root, "tests/lint/allow", lint)
    if not os.path.exists(path):
        return {}
    result = {}
    with open(path, encoding="utf-8") as f:
        for row in f:
            parts = row.split(None, 2)
            if len(parts) == 3 and not row.startswith("#"):
                result[(parts[0], parts[1])] = parts[2].strip()
    return result
