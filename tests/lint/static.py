# SPDX-License-Identifier: Apache-2.0
"""cppcheck: warnings, performance and portability."""
import os
import re
import subprocess

from common import CODE_DIRS, Finding


def check(root):
    folders = [d for d in CODE_DIRS if os.path.isdir(os.path.join(root, d))]
    if not folders:
        return
    out = subprocess.run(["cppcheck", "-q", "-j", "2", "--std=c11", "--inline-suppr", "-I", ".",
                          "-D_GNU_SOURCE", "-D__GNUC__=12", "--enable=warning,portability",
                          "--suppress=*:/usr/include/*", "--suppress=missingIncludeSystem",
                          "--suppress=unknownMacro", "--suppress=shiftTooManyBitsSigned", "--suppress=preprocessorErrorDirective",
                          "--template={file}:{line}: {severity}: {message} [{id}]"] + folders,
                         cwd=root, capture_output=True, text=True, check=False).stderr
    for match in re.finditer(r"^([^:\n]+):(\d+): ((?!style|information).*)$", out, flags=re.M):
        yield Finding(match.group(1), int(match.group(2)), match.group(3))
