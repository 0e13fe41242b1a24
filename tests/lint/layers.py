# SPDX-License-Identifier: Apache-2.0
"""Includes point one way only: the table of docs and README, as code. Also no header cycles."""
import os
import re

from common import Finding, lines, read, sources

CORE = ["base", "codec", "conf", "stats", "event", "net", "bus", "role"]
OPERATORS = [["sig"], ["epl"], ["doc"], ["time"], ["plan"], ["expr"], ["agg"], ["window"], ["route"],
             ["pattern"], ["join"], ["table"], ["graph"], ["state"], ["shard"], ["replay"], ["sink"], ["cmd"]]
COORDINATOR_MAY = {"operators/doc/doc.h", "operators/epl/epl.h", "operators/plan/plan.h"}


def rank(order, folder):
    for i, group in enumerate(order):
        if folder == group or (isinstance(group, list) and folder in group):
            return i
    return None


def may_include(source, target):
    """None when fine, else the reason."""
    s, t = source.split("/"), target.split("/")
    if s[0] == "tests" or len(s) == 1:
        return None
    if t[0] == "tests" or len(t) == 1:
        return "only tests may include that"
    if t[0] == "core":
        if s[0] != "core" or len(t) == 2:  # a header of core itself belongs to all
            return None
        a, b = rank(CORE, s[1]), rank(CORE, t[1])
        if a is None or b is None:
            return "the folder has no place in the order of core"
        return None if b <= a else f"core/{s[1]} stands before core/{t[1]}"
    if s[0] == "coordinator" and target in COORDINATOR_MAY:
        return None
    if s[0] != t[0]:
        return f"{s[0]}/ may not include {t[0]}/"
    if s[0] == "operators" and len(s) > 2 and len(t) > 2:
        a, b = rank(OPERATORS, s[1]), rank(OPERATORS, t[1])
        if a is None or b is None:
            return "the folder has no place in the order of operators"
        same_group = a == b and s[1] != t[1]
        return None if b <= a and not same_group else f"operators/{s[1]} stands before {t[1]}"
    return None


def includes(root, name):
    for number, line in lines(read(root, name)):
        match = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
        if match:
            yield number, match.group(1)


def cycle(graph):
    """One cycle as a list of names, or None."""
    state, stack = {}, []

    def visit(node):
        state[node] = 1
        stack.append(node)
        for target in graph.get(node, ()):
            if state.get(target) == 1:
                return stack[stack.index(target):] + [target]
            if target not in state:
                found = visit(target)
                if found:
                    return found
        stack.pop()
        state[node] = 2
        return None

    for node in sorted(graph):
        if node not in state:
            found = visit(node)
            if found:
                return found
    return None


def check(root):
    graph = {}
    for name in sources(root, tests=True):
        for number, target in includes(root, name):
            if not os.path.exists(os.path.join(root, target)):
                if "/" not in target and name.startswith("tests/"):
                    continue
                yield Finding(name, number, f'"{target}": include from the root of the project')
                continue
            reason = may_include(name, target)
            if reason:
                yield Finding(name, number, f'includes "{target}": {reason}')
            if name.endswith(".h") and target.endswith(".h"):
                graph.setdefault(name, []).append(target)
    found = cycle(graph)
    if found:
        yield Finding(found[0], 1, "headers include each other: " + " -> ".join(found))
