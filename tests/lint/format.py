# SPDX-License-Identifier: Apache-2.0
"""clang-format 14 would change nothing."""
import re
import subprocess

from common import Finding, sources


def check(root):
    names = list(sources(root, tests=True))
    if not names:
        return
    out = subprocess.run(["clang-format-14", "--dry-run", "--Werror"] + names, cwd=root,
                         capture_output=True, text=True, check=False).stderr
    seen = set()
    for match in re.finditer(r"^([^:\n]+):(\d+):\d+: error:", out, flags=re.M):
        if match.group(1) not in seen:
            seen.add(match.group(1))
            yield Finding(match.group(1), int(match.group(2)), "clang-format-14 -i would change it")
