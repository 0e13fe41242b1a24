# SPDX-License-Identifier: Apache-2.0
"""Every example of the manual does what the manual says.

    test_manual.py KAIJU FILE.md...
"""
import json
import subprocess
import sys

import manual
from run_scenarios import equal, unmatched


def ask(kaiju, question):
    p = subprocess.run([kaiju, "epl", "scenario", "-"], input=json.dumps(question).encode(),
                       capture_output=True, timeout=30)
    message = p.stderr.decode("utf-8", "replace").strip()
    if p.returncode != 0:
        raise ValueError(f"exit code {p.returncode}: {message}")
    return json.loads(p.stdout), message


def check(kaiju, example):
    """What is not as the manual says, line by line."""
    question, times = manual.scenario(example)
    entries, message = ask(kaiju, question)
    if example.refused is not None:
        words = [w.strip() for w in example.refused.splitlines() if w.strip()]
        if not any("error" in e for e in entries):
            return ["was accepted"]
        return [f"the message does not say '{w}': {message}" for w in words if w not in message]
    want = manual.expected(example)
    try:
        got = manual.delivered(entries, times)
    except ValueError as e:
        return [f"{e}: {message}"]
    lines = []
    for key in sorted(want.keys() | got.keys()):
        missing, extra = unmatched(want.get(key, []), got.get(key, []), equal)
        if example.rows is not None:
            lines += [f"{key}: missing {json.dumps(r)}" for r in missing]
            lines += [f"{key}: unexpected {json.dumps(r)}" for r in extra]
    return lines


def main():
    kaiju, files = sys.argv[1], sys.argv[2:]
    count = wrong = 0
    for path in files:
        for example in manual.examples(path):
            count += 1
            lines = check(kaiju, example)
            wrong += bool(lines)
            for line in lines:
                print(f"{example.where}: {line}")
    print(f"{count - wrong} of {count} examples do what the manual says")
    return 0 if count and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
