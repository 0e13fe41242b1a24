# SPDX-License-Identifier: Apache-2.0
"""Every public function begins with a prefix of CONTRIBUTING.md's list, and none with a prefix that
belongs to a library or to the C standard."""
import re

from common import CODE_DIRS, Finding, ctags, read, sources

FORBIDDEN = re.compile(r"^(event_|ev_|evbuffer_|bufferevent_|json_|avro_|rd_|rd_kafka_|ERR_|SSL_|"
                       r"timer_|sched_|str[a-z]|mdb_|yaml_|nghttp2_|curl_)|_t$")


def known(root):
    """The rows of the table between '<!-- prefixes -->' marks: | `slice_` | core/base |"""
    text = read(root, "CONTRIBUTING.md")
    part = text.split("<!-- prefixes -->")
    return re.findall(r"`([a-z0-9_]+_)`", part[1]) if len(part) >= 3 else []


def check(root):
    prefixes = tuple(known(root))
    if not prefixes:
        yield Finding("CONTRIBUTING.md", 1, "no list of prefixes")
        return
    names = [n for n in sources(root) if n.startswith(CODE_DIRS)]
    for function, path, line, _, kind, file_scope in ctags(root, names, "f"):
        if file_scope and path.endswith(".c"):
            continue
        source = read(root, path).split("\n")
        head = " ".join(source[max(0, line - 2):line])
        if re.search(r"\bstatic\b", head) and path.endswith(".c"):
            continue
        if function == "main" or function.startswith("LLVMFuzzer"):
            continue
        if function.isupper():  # a macro that declares something
            continue
        if FORBIDDEN.search(function):
            yield Finding(path, line, f"{function}: the prefix belongs to somebody else")
        elif not (function + "_").startswith(prefixes):
            yield Finding(path, line, f"{function}: its prefix is not in CONTRIBUTING.md")
