# SPDX-License-Identifier: Apache-2.0
"""Sizes: functions 60 lines (100 with a reason in allow/budgets), complexity 20, .c files 800 lines
(1200 with a reason), headers 150."""
import subprocess

from common import Finding, allowed, ctags, read, sources

FUNCTION, FUNCTION_HARD, COMPLEXITY, SOURCE, SOURCE_HARD, HEADER = 60, 100, 20, 800, 1200, 150


def check(root):
    names = list(sources(root, tests=True))
    let = allowed(root, "budgets")
    for name in names:
        count = read(root, name).count("\n")
        limit = HEADER if name.endswith(".h") else SOURCE_HARD if (name, "file") in let else SOURCE
        if count > limit:
            yield Finding(name, count, f"{count} lines: at most {limit}")
    for function, path, line, end, _, _ in ctags(root, names, "f"):
        limit = FUNCTION_HARD if (path, function) in let else FUNCTION
        if end - line + 1 > limit:
            yield Finding(path, line, f"{function}: {end - line + 1} lines: at most {limit}")
    c_files = [n for n in names if n.endswith(".c")]
    if not c_files:
        return
    out = subprocess.run(["pmccabe"] + c_files, cwd=root, capture_output=True, text=True,
                         check=False).stdout
    for row in out.split("\n"):
        parts = row.split("\t")
        if len(parts) < 6:
            continue
        function = parts[5].split(":", 1)[1].strip() if ":" in parts[5] else parts[5]
        path, line = parts[5].split("(", 1)[0], int(parts[3])
        if int(parts[0]) > COMPLEXITY and (path, function) not in let:
            yield Finding(path, line, f"{function}: complexity {parts[0]}: at most {COMPLEXITY}")
