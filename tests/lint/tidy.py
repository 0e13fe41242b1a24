# SPDX-License-Identifier: Apache-2.0
"""clang-tidy 14 with the checks of .clang-tidy, over every source file of the program. Needs
build/lint/compile_commands.json, which configuring the lint preset writes.

The path-sensitive checks are nearly all of its cost: here they look at NODES states of a function,
with KAIJU_TIDY=deep at as many as clang would (ten minutes)."""
import os
import re
import subprocess
from concurrent.futures import ThreadPoolExecutor

from common import CODE_DIRS, Finding, sources

BUILD = "build/lint"
NODES = 20000
SHALLOW = ["--extra-arg=-Xclang", "--extra-arg=-analyzer-config", "--extra-arg=-Xclang",
           f"--extra-arg=max-nodes={NODES}"]


def run(root, name):
    depth = [] if os.environ.get("KAIJU_TIDY") == "deep" else SHALLOW
    out = subprocess.run(["clang-tidy-14", "--quiet", "-p", os.path.join(root, BUILD), *depth, name],
                         cwd=root, capture_output=True, text=True, check=False).stdout
    return re.findall(r"^([^\s:][^:\n]*):(\d+):\d+: (?:warning|error): (.*)$", out, flags=re.M)


def check(root):
    if not os.path.exists(os.path.join(root, BUILD, "compile_commands.json")):
        yield Finding(BUILD, 1, "not configured: cmake --preset lint")
        return
    names = [n for n in sources(root) if n.endswith(".c") and
             (n.startswith(CODE_DIRS) or "/" not in n)]
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
        found = {row for rows in pool.map(lambda n: run(root, n), names) for row in rows}
    for path, line, text in sorted(found):
        yield Finding(os.path.relpath(path, os.path.abspath(root)), int(line), text)
