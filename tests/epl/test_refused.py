# SPDX-License-Identifier: Apache-2.0
"""refused.txt: statements that are refused, and what is said about them.

    test_refused.py KAIJU FILE [--write]

The file begins with declarations that all statements may use, up to the first empty line. A statement is a line
`> TEXT`; the line below it says what `kaiju epl check` answers: its place, line and column counted from the
statement, what kind of an error it is, and the message. --write puts in what is answered now, to be read before it
is kept. Several lines of one statement are written as one with '\\n' in it.
"""
import concurrent.futures
import json
import pathlib
import subprocess
import sys
import tempfile


def answer(kaiju, folder, number, head, statement):
    path = pathlib.Path(folder, f"{number}.epl")
    path.write_text(head + statement.replace("\\n", "\n") + "\n", encoding="utf-8")
    p = subprocess.run([kaiju, "epl", "check", "-o", "json", str(path)], capture_output=True, text=True,
                       timeout=60, check=False)
    if p.returncode == 0:
        return "accepted"
    if p.returncode != 1:
        return f"exit code {p.returncode}: {p.stderr.strip()}"
    d = json.loads(p.stdout.splitlines()[0])
    line = d["line"] - head.count("\n")
    return f"{line}:{d['column']} {d['code']} {d['message']}"


def main():
    kaiju, path = sys.argv[1], pathlib.Path(sys.argv[2])
    head, _, rest = path.read_text(encoding="utf-8").partition("\n\n")
    head = "".join(line + "\n" for line in head.splitlines() if not line.startswith("#"))
    lines = rest.splitlines()
    at = [i for i, line in enumerate(lines) if line.startswith("> ")]
    with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(2) as pool:
        got = dict(zip(at, pool.map(lambda i: answer(kaiju, folder, i, head, lines[i][2:]), at)))
    if "--write" in sys.argv:
        out = []
        for i, line in enumerate(lines):
            if i in got:
                out += [line, "  " + got[i]]
            elif not line.startswith("  "):
                out.append(line)
        first = path.read_text(encoding="utf-8").partition("\n\n")[0]
        path.write_text(first + "\n\n" + "\n".join(out) + "\n", encoding="utf-8")
        return 0
    wrong = 0
    for i in at:
        want = lines[i + 1].strip() if i + 1 < len(lines) else ""
        if want != got[i]:
            wrong += 1
            print(f"{lines[i]}\n  wanted: {want}\n  got:    {got[i]}")
    print(f"{len(at)} statements, {wrong} with another answer")
    return int(wrong > 0 or not at)


if __name__ == "__main__":
    sys.exit(main())
