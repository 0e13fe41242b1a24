# SPDX-License-Identifier: Apache-2.0
"""Holds our Avro against fastavro's, both ways: what we write it must read, what it writes we must
read, under the current schema and under others, and both must give schemas the same fingerprint.

usage: fastavro_test.py AVRO_DUMP SCHEMAS WORK_DIR
"""

import base64
import copy
import io
import json
import math
import random
import struct
import subprocess
import sys

import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form

DUMP, SCHEMAS, WORK = sys.argv[1:4]
KINDS = ["none", "metric", "log", "span", "kube", "profile", "dump", "derived"]
FLAGS = ["clamped", "repaired", "no_time", "saturated", "late"]
checks = 0


def check(what, want, got):
    global checks
    checks += 1
    if want != got:
        sys.exit(f"FAILED {what}:\n  want {want!r}\n  got  {got!r}")


def load(name):
    with open(f"{SCHEMAS}/{name}", encoding="utf-8") as f:
        return json.load(f)


def number_of(schema):
    canonical = to_parsing_canonical_form(schema)
    return int.from_bytes(bytes.fromhex(fingerprint(canonical, "CRC-64-AVRO")), "little")


def run(*args):
    done = subprocess.run([DUMP, *args], capture_output=True, check=False)
    if done.returncode != 0:
        sys.exit(f"FAILED {args}: {done.stderr.decode()}")
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr.decode()


def records(path):
    with open(path, "rb") as f:
        while head := f.read(4):
            yield f.read(struct.unpack(">I", head)[0])


# --- one event of fastavro's in the form of our JSON ---

def as_json(value, doubles):
    """A Value record; the bits of doubles go to the list, in key order."""
    v = value["v"]
    if isinstance(v, float):
        doubles.append(struct.pack(">d", v).hex())
        if math.isnan(v):
            return "NaN"
        return v if math.isfinite(v) else ("Infinity" if v > 0 else "-Infinity")
    if isinstance(v, bytes):
        return base64.b64encode(v).decode()
    if isinstance(v, list):
        return [as_json(item, doubles) for item in v]
    if isinstance(v, dict):
        return map_as_json(v, doubles)
    return v


def map_as_json(values, doubles):
    return {key: as_json(values[key], doubles)
            for key in sorted(values, key=lambda k: k.encode())}


def event_as_json(event, batch):
    doubles = []
    flags = event.get("flags", 0)
    out = {
        "ts": event["ts"],
        "ingest_ts": event.get("ingest_ts", 0),
        "kind": KINDS[event["kind"]] if event["kind"] < len(KINDS) else event["kind"],
        "type": event["type"],
        "id": event["id"].hex(),
        "context_number": event["context"],
        "context": map_as_json(batch["contexts"][event["context"]], doubles),
        "payload": map_as_json(event["payload"], doubles),
        "doubles": doubles,
    }
    for name in ("trace_id", "span_id"):
        if event.get(name) is not None and any(event[name]):
            out[name] = event[name].hex()
    if event.get("n"):
        out["n"] = event["n"]
    if flags:
        out["flags"] = [FLAGS[i] if i < len(FLAGS) else f"bit{i}"
                        for i in range(32) if flags >> i & 1]
    if event.get("causes"):
        out["causes"] = [cause.hex() for cause in event["causes"]]
    return out


def same_batch(batch, lines, at):
    """Compares one batch of fastavro's with our lines from `at`; the position behind it."""
    head = lines[at]
    for name in ("source", "seq", "min_ts", "max_ts"):
        if name in batch:
            check(name, batch[name], head[name])
    check("contexts", len(batch["contexts"]), head["contexts"])
    check("events", len(batch["events"]), head["events"])
    for i, event in enumerate(batch["events"]):
        got = dict(lines[at + 1 + i])
        got.pop("time")
        want = event_as_json(event, batch)
        check(f"event {i}", sorted(want), sorted(got))
        for name, value in want.items():
            check(f"event {i} {name}", value, got[name])
    return at + 1 + len(batch["events"])


# --- schemas of other versions ---

def event_fields(schema):
    return next(f for f in schema["fields"] if f["name"] == "events")["type"]["items"]["fields"]


def later(schema):
    schema = copy.deepcopy(schema)
    schema["fields"].insert(0, {"name": "region", "type": "string", "default": "nowhere"})
    fields = event_fields(schema)
    fields.append({"name": "severity", "type": ["null", "int"], "default": None})
    fields.insert(3, {"name": "links", "default": [],
                      "type": {"type": "array", "items": {"type": "map", "values": "float"}}})
    return schema


def earlier(schema):
    schema = copy.deepcopy(schema)
    fields = event_fields(schema)
    for name in ("flags", "causes", "span_id", "n", "ingest_ts"):
        fields.remove(next(f for f in fields if f["name"] == name))
    return schema


def reordered(schema):
    """Not allowed to ourselves, but Avro resolves by name."""
    schema = copy.deepcopy(schema)
    event_fields(schema).sort(key=lambda f: f["name"] not in ("ts", "type", "context"))
    return schema


# --- random batches ---

def any_value(rng, depth):
    kind = rng.randrange(8 if depth else 6)
    if kind == 0:
        return {"v": None}
    if kind == 1:
        return {"v": rng.random() < 0.5}
    if kind == 2:
        return {"v": rng.choice([0, -1, 2**63 - 1, -(2**63), rng.getrandbits(60)])}
    if kind == 3:
        bits = rng.choice([0x7FF0000000000002, 0x8000000000000000, 0x7FF0000000000000,
                           rng.getrandbits(64)])
        return {"v": struct.unpack(">d", struct.pack(">Q", bits))[0]}
    if kind == 4:
        return {"v": "".join(rng.choice("ab\0é€😀\"\\\n") for _ in range(rng.randrange(30)))}
    if kind == 5:
        return {"v": rng.randbytes(rng.randrange(40))}
    if kind == 6:
        return {"v": [any_value(rng, depth - 1) for _ in range(rng.randrange(5))]}
    return {"v": {f"k\0{i}": any_value(rng, depth - 1) for i in range(rng.randrange(5))}}


def some_map(rng, depth):
    return {f"key.{i}é": any_value(rng, depth) for i in range(rng.randrange(10))}


def any_batch(rng, names):
    contexts = [some_map(rng, 1) for _ in range(1 + rng.randrange(6))]
    events = []
    for _ in range(rng.randrange(30)):
        event = {
            "context": rng.randrange(len(contexts)), "n": rng.getrandbits(31),
            "id": rng.randbytes(16), "ts": rng.getrandbits(62), "ingest_ts": rng.getrandbits(62),
            "kind": rng.randrange(9), "type": rng.choice(["Metric", "Span", "Überlauf"]),
            "trace_id": rng.choice([None, rng.randbytes(16)]),
            "span_id": rng.choice([None, rng.randbytes(8)]), "flags": rng.getrandbits(31),
            "causes": [rng.randbytes(16) for _ in range(rng.randrange(4))],
            "payload": some_map(rng, 3), "severity": rng.choice([None, 5]),
            "links": [{"x": 1.5}],
        }
        events.append({name: value for name, value in event.items() if name in names})
    return {"region": "here", "source": "püthon", "seq": rng.getrandbits(62),
            "min_ts": -5, "max_ts": 5, "contexts": contexts, "events": events}


def write_and_let_read(name, schema, parsed, expect_fast):
    rng = random.Random(name)
    names = {f["name"] for f in event_fields(schema)}
    batches = [any_batch(rng, names) for _ in range(40)]
    path, number = f"{WORK}/{name}.bin", number_of(schema)
    with open(path, "wb") as f:
        for batch in batches:
            body = io.BytesIO()
            fastavro.schemaless_writer(body, parsed, batch)
            record = b"\xc3\x01" + struct.pack("<Q", number) + body.getvalue()
            f.write(struct.pack(">I", len(record)) + record)
    with open(f"{WORK}/{name}.avsc", "w", encoding="utf-8") as f:
        json.dump(schema, f)
    lines, counts = run("read", path, f"{number:016x}={WORK}/{name}.avsc")
    at = 0
    for batch in batches:
        at = same_batch(batch, lines, at)
    check("lines", len(lines), at)
    check("path taken", "fast 40 slow 0" if expect_fast else "fast 0 slow 40", counts.strip())


def has_bytes(v):
    """fastavro, given a reader's schema, takes the first type of a union that it can promote to:
    string for bytes. (Java looks for the exact type first.) Such batches are left out there."""
    if isinstance(v, dict):
        return any(isinstance(inner, bytes) if key == "v" else has_bytes(inner)
                   for key, inner in v.items()) or has_bytes(list(v.values()))
    return isinstance(v, list) and any(has_bytes(item) for item in v)


def read_what_we_write(current, parsed, others):
    path = f"{WORK}/ours.bin"
    lines, _ = run("write", "1000", "120", path)
    at, kinds, resolved = 0, set(), 0
    for record in records(path):
        check("mark", b"\xc3\x01", record[:2])
        check("fingerprint", number_of(current), struct.unpack("<Q", record[2:10])[0])
        body = io.BytesIO(record[10:])
        batch = fastavro.schemaless_reader(body, parsed)
        check("tail", b"", body.read())
        kinds |= {event["kind"] for event in batch["events"]}
        at = same_batch(batch, lines, at)
        if has_bytes(batch):
            continue
        resolved += 1
        for name, other in others.items():
            seen = fastavro.schemaless_reader(io.BytesIO(record[10:]), parsed, other)
            for want, got in zip(batch["events"], seen["events"], strict=True):
                for field in ("ts", "type", "id", "kind"):
                    check(f"{name} {field}", want[field], got[field])
            if name == "later":
                check("default", "nowhere", seen["region"])
                check("default", [None] * len(seen["events"]),
                      [event["severity"] for event in seen["events"]])
    check("lines", len(lines), at)
    check("kinds seen", True, len(kinds) > 7)
    check("batches read under other schemas", True, resolved > 50)


def main():
    current = load("event_batch.avsc")
    versions = {"later": later(current), "earlier": earlier(current),
                "reordered": reordered(current)}
    parsed = {name: fastavro.parse_schema(schema) for name, schema in versions.items()}
    own = fastavro.parse_schema(current)
    for name in ("alert.avsc", "dlq.avsc"):
        fastavro.parse_schema(load(name))
    read_what_we_write(current, own, parsed)
    write_and_let_read("current", current, own, True)
    for name, schema in versions.items():
        write_and_let_read(name, schema, parsed[name], False)
    print(f"{checks} comparisons with fastavro {fastavro.__version__}: all equal")


main()
