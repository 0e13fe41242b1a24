# SPDX-License-Identifier: Apache-2.0
"""Calls that are not made, variables that are not global, blocks without braces."""
import re

from common import CODE_DIRS, Finding, ctags, lines, read, sources, strip_comments

# (pattern, where it is allowed, what to do instead)
CALLS = [
    (r"\b(strcpy|strcat|sprintf|vsprintf|stpcpy)\s*\(", (), "snprintf or struct buf"),
    (r"\b(strtok|atoi|atol|atoll|atof)\s*\(", (), "slice_split, slice_to_i64, slice_to_f64"),
    (r"\b(gets|alloca)\s*\(", (), "a bounded buffer or an arena"),
    (r"\b(setjmp|longjmp)\s*\(", ("tests/test_main.c",), "return an error"),
    (r"\b(malloc|calloc|realloc|free|strdup|strndup|asprintf|vasprintf)\s*\(",
     ("core/base/", "tests/"), "core/base/mem.h, an arena or a pool"),
    (r"\b(time|clock|gettimeofday|clock_gettime)\s*\(",
     ("core/base/clock.c", "loadgen/", "tests/"), "core/base/clock.h"),
    (r"\b(rand|srand|random|srandom|drand48|arc4random)\s*\(", ("loadgen/",),
     "nothing random below the roles; a seeded generator in tests"),
]
BARE_BLOCK = re.compile(r"^\s*(if|for|while|else if)\b.*[^{;,&|(\\]\s*$|^\s*else\s*$")


def calls(name, text):
    for number, line in lines(text):
        for pattern, where, instead in CALLS:
            match = re.search(pattern, line)
            if match and not name.startswith(tuple(where) or ("\0",)):
                before = line[:match.start(1)].rstrip()
                if before.endswith(("->", ".")):
                    continue
                yield Finding(name, number, f"{match.group(1)}() is not used here: {instead}")


def is_const(declaration, variable):
    head = re.split(rf"\b{variable}\b", declaration)[0]
    if "{" in head:
        return "const" in head.split("{")[0]
    return re.search(r"\*\s*const\s*$", head) if "*" in head else "const" in head


def declaration_of(root, path, line):
    """The lines from the end of the statement before to this one."""
    source = read(root, path).split("\n")[:line]
    first = len(source) - 1
    while first > 0 and not re.search(r"[;{}]\s*$|^\s*$|\*/\s*$", source[first - 1]):
        first -= 1
    if re.match(r"\s*}", source[-1]):  # "static const struct { ... } rows[] =": the head is above
        while first > 0 and not re.match(r"\S", source[first - 1]):
            first -= 1
        first = max(0, first - 1)
    return " ".join(source[first:])


def globals_of(root, names):
    for variable, path, line, _, _, _ in ctags(root, names, "v"):
        text = declaration_of(root, path, line)
        if "PROCESS_WIDE" not in text and not is_const(text, variable):
            yield Finding(path, line, f"{variable}: a variable of the whole process: pass it, or "
                                      "say PROCESS_WIDE and why")


def check(root):
    names = list(sources(root, tests=True))
    for name in names:
        text = strip_comments(read(root, name))
        yield from calls(name, text)
        above = ""
        for number, line in lines(text):
            above, last = line, above
            if re.match(r"^\s+static\s+(?!const\b|_Thread_local const\b|inline\b)", line) and \
                    name.startswith(CODE_DIRS) and "PROCESS_WIDE" not in line + last and \
                    not re.search(r"\bconst\b.*[=\[;]|\(", line):
                yield Finding(name, number, "a static local that is not const")
    yield from globals_of(root, [n for n in names if n.startswith(CODE_DIRS)])
