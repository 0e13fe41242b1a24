#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""fuzz_seeds.py OUT: what fuzz targets begin with whose inputs nobody has lying about.

OUT/fuzz_control    records of the control topics as they are, and each of their fields missing, of
                    another kind, huge, deep and twice
OUT/fuzz_journal    bytes of a record (a first byte that is odd), and scripts that say what records have
OUT/fuzz_snapshot   scripts of each kind
OUT/fuzz_bus_local  scripts that damage each table in each way, and cut the file

Files are named by their contents, so nothing grows when it is called again.
"""
import hashlib
import json
import sys
from pathlib import Path

TASK = "t/x/g/0"
SEAT = {"format": 1, "worker": "a", "boot": "5-1", "slot": 0, "incarnation": 3, "epoch": 4,
        "revoked": False, "tasks": [TASK, "t/x/g/1"], "died": [TASK],
        "moved": {"t/x/g/1": "b.0.2"}}
RECORDS = [  # who reads it, the key, the value
    ("g", "t/x", {"format": 1, "tenant": "t", "name": "x", "version": 2,
                  "hash": "00000000000000ab", "document": "d", "life": 1, "previous": ["c"]}),
    ("g", "t/y", {"format": 1, "tenant": "t", "name": "y", "version": 1,
                  "hash": "00000000000000ab", "document": "none", "deleted": True, "over": False}),
    ("t", TASK, {"format": 1, "tenant": "t", "graph": "x", "group": "g", "state": "live",
                 "version": 2, "worker": "a", "slot": "a.0.3", "clock": 5, "taken": 9,
                 "lag_records": 7, "life": 0, "degraded": "slow",
                 "incomplete": [{"statement": "l/s", "turns_over_ms": 5}]}),
    ("m", "a", {"format": 1, "worker": "a", "boot": "5-1", "slots": 2, "level": "",
                "leaves": False, "beat": 1, "patience_ns": 0,
                "held": [{"slot": 0, "incarnation": 3, "epoch": 4, "lost": False,
                          "waits": "b.0.2"}]}),
    ("m", "a#7", {"format": 1, "worker": "a", "boot": "7", "slots": 0, "refused": True,
                  "beat": 1}),
    ("a", "a/0", SEAT),
    ("s", "w/0", dict(SEAT, worker="w")),
    ("c", "w", {"boot": "4-1", "beat": 3, "leaves": False}),
]
ODD = [None, True, -1, 0, 9223372036854775807, 1e300, "", "x" * 300, "t/x/g/0", [], [7, None],
       ["t/x/g/0"] * 3, {}, {"t/x/g/0": 7}, {"a": {"a": {"a": []}}}]


def line(who, key, text):
    return f"{who}{key}\t{text}\n"


def dump(value):
    return json.dumps(value, separators=(",", ":"))


def control():
    """Each with the good records first, and time behind."""
    good = "".join(line(who, key, dump(value)) for who, key, value in RECORDS) + "p\n"
    yield good + "".join(f"{who}{key}\n" for who, key, _ in RECORDS) + "p\n"
    deep = "[" * 3000 + "]" * 3000
    for who, key, value in RECORDS:
        odd = ["", "7", "[]", "{", deep, '{"a":' + deep + "}"]
        yield good + "".join(line(who, key, text) for text in odd) + "p\n"
        for field in value:
            rest = {k: v for k, v in value.items() if k != field}
            texts = [dump(rest)] + [dump(dict(rest, **{field: v})) for v in ODD]
            texts.append(dump(value)[:-1] + f',"{field}":7' + "}")
            yield good + "".join(line(who, key, text) for text in texts) + "p\n"


def scripts(name, kinds, sizes):
    """Bytes that are the same in every run."""
    for kind in kinds:
        for size in sizes:
            out = b""
            while len(out) < size:
                out += hashlib.sha256(f"{name} {kind} {size} {len(out)}".encode()).digest()
            yield bytes([kind]) + out[:size]


def bus_local():
    """The tail, how many changes, then table, row, way and what it takes."""
    for table in range(5):
        for row in (0, 1, 3):
            for way in range(5):
                yield bytes([0, 1, table, row, way, 2, 0, 9, 0, 60, 0, 5, 1, 1])
    for cut in (0, 1, 4096, 8192, 20000, 60000):
        yield bytes([1, 0]) + cut.to_bytes(3, "big")


def put(folder, seeds):
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        data = seed.encode() if isinstance(seed, str) else seed
        (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)


def main():
    out = Path(sys.argv[1])
    put(out / "fuzz_control", control())
    put(out / "fuzz_journal", scripts("journal", (1, 0, 2), (40, 200, 600)))
    put(out / "fuzz_snapshot", scripts("snapshot", range(12), (30, 200)))
    put(out / "fuzz_bus_local", bus_local())


if __name__ == "__main__":
    main()
