# SPDX-License-Identifier: Apache-2.0
"""What every file carries: a licence line, a header comment, a README of at most 80 lines in each
folder of code and of tests; and what none carries: names of package hosts, paths of one machine."""
import os
import re

from common import CODE_DIRS, Finding, lines, read, tracked

SPDX = "SPDX-License-Identifier: Apache-2.0"
LICENSED = (".c", ".h", ".def", ".sh", ".py", ".cmake", "CMakeLists.txt")
README_LINES = 80
FOREIGN = re.compile("|".join(["pypi" + r"\.org", "files\\.pythonhosted", "repo1?\\.maven",
                               "maven\\.org", "registry\\.npmjs", "crates" + r"\.io",
                               "proxy\\.golang", "deb\\.debian", r"/work/(main|wt|shared)\b"]))


def check(root):
    names = tracked(root)
    for name in names:
        if name.endswith(LICENSED) and SPDX not in read(root, name)[:400]:
            yield Finding(name, 1, "no SPDX line")
        if name.endswith((".c", ".h")) and name.startswith(CODE_DIRS) and \
                not re.match(r"/\* SPDX[^\n]*\n \*\n \* \S", read(root, name)):
            yield Finding(name, 1, "no header comment: what it is, and why it is this way")
        for number, line in lines(read(root, name)):
            if FOREIGN.search(line):
                yield Finding(name, number, "names a package host or a path of one machine")
    folders = sorted({os.path.dirname(n) for n in names
                      if n.endswith((".c", ".h")) and n.startswith(CODE_DIRS)} |
                     {"/".join(n.split("/")[:2]) for n in names if re.match("tests/[^/]+/", n)} |
                     {n.split("/")[0] for n in names if re.match(r"[a-z]+/", n)} - {"cmake"})
    for folder in folders:
        readme = os.path.join(folder, "README.md")
        if readme not in names:
            yield Finding(folder, 1, "has no README.md")
        elif read(root, readme).count("\n") > README_LINES:
            yield Finding(readme, README_LINES, f"more than {README_LINES} lines")
