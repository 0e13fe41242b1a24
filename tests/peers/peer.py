# SPDX-License-Identifier: Apache-2.0
"""What the tests with foreign senders share: a running `kaiju ingest`, and what it put on the bus,
read twice: by `kaiju tail -o json`, and by fastavro from the bytes of the records. Every test that
reads a topic thereby also holds the two readings against each other.

Values are compared by type as well: 1, 1.0, True and "1" are four different things (typed()).
"""
import base64
import io
import json
import math
import os
import re
import struct
import subprocess

import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form

from program import Case, SOURCE, run

BUS_DUMP = os.environ["BUS_DUMP"]
KINDS = ["none", "metric", "log", "span", "kube", "profile", "dump", "derived"]
FLAGS = ["clamped", "repaired", "no_time", "saturated", "late"]


def typed(v):
    """A value with its types, in a form that == compares by type, bit and key."""
    if isinstance(v, bool) or v is None:
        return f"{v}"
    if isinstance(v, float):
        return ("double", struct.pack(">d", v).hex())
    if isinstance(v, (bytes, bytearray)):
        return ("bytes", bytes(v))
    if isinstance(v, (list, tuple)):
        return [typed(item) for item in v]
    if hasattr(v, "items"):
        return {key: typed(item) for key, item in v.items()}
    return (type(v).__name__, v)


def plain(value):
    """A Value record of the schema as what it holds."""
    v = value["v"]
    if isinstance(v, list):
        return [plain(item) for item in v]
    return {key: plain(item) for key, item in v.items()} if isinstance(v, dict) else v


def as_json(v):
    """What `kaiju tail -o json` should say for it."""
    if isinstance(v, bytes):
        return base64.b64encode(v).decode()
    if isinstance(v, float) and not math.isfinite(v):
        return "NaN" if math.isnan(v) else "Infinity" if v > 0 else "-Infinity"
    if isinstance(v, list):
        return [as_json(item) for item in v]
    return {key: as_json(item) for key, item in v.items()} if isinstance(v, dict) else v


def differences(want, got, path):
    """A line for each place where two typed values differ."""
    if isinstance(want, dict) and isinstance(got, dict):
        return [line for key in sorted(want.keys() | got.keys()) for line in
                differences(want.get(key, "nothing"), got.get(key, "nothing"), f"{path}/{key}")]
    if isinstance(want, list) and isinstance(got, list) and len(want) == len(got):
        return [line for i, (w, g) in enumerate(zip(want, got))
                for line in differences(w, g, f"{path}/{i}")]
    return [] if want == got else [f"{path}: want {want!r:.300}, got {got!r:.300}"]


class Event:
    """One event as fastavro reads it."""

    def __init__(self, raw, contexts):
        self.ts, self.ingest_ts, self.type = raw["ts"], raw["ingest_ts"], raw["type"]
        self.kind, self.id = KINDS[raw["kind"]], raw["id"].hex()
        self.trace_id, self.span_id = raw["trace_id"], raw["span_id"]
        self.flags = [name for bit, name in enumerate(FLAGS) if raw["flags"] >> bit & 1]
        self.context = {key: plain(v) for key, v in contexts[raw["context"]].items()}
        self.payload = {key: plain(v) for key, v in raw["payload"].items()}

    def json(self):
        out = {"ts": self.ts, "ingest_ts": self.ingest_ts, "kind": self.kind, "type": self.type,
               "id": self.id, "context": as_json(self.context), "payload": as_json(self.payload)}
        for name in ("trace_id", "span_id"):
            if any(getattr(self, name) or b""):
                out[name] = getattr(self, name).hex()
        if self.flags:
            out["flags"] = self.flags
        return out


class PeerCase(Case):
    maxDiff = None

    def start(self, *args):
        """Each of the two listeners takes both protocols; they are told in the order of their
        settings: gRPC's first."""
        role = self.role("ingest", "--bus-local-dir", self.dir, *args)
        role.wait_ready()
        role.grpc, role.http = re.findall(r'msg="receiving OTLP" addr=(\S+)', role.log())
        return role

    def events(self, topic):
        """All events of the topic, by both readings, which must agree."""
        with open(f"{SOURCE}/schemas/event_batch.avsc", encoding="utf-8") as f:
            schema = json.load(f)
        number = int.from_bytes(bytes.fromhex(
            fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO")), "little")
        parsed, events = fastavro.parse_schema(schema), []
        done = subprocess.run([BUS_DUMP, topic, "--bus-local-dir", self.dir], capture_output=True,
                              timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        raw = io.BytesIO(done.stdout)
        while head := raw.read(4):
            record = raw.read(struct.unpack(">I", head)[0])
            self.assertEqual(record[:2], b"\xc3\x01")
            self.assertEqual(struct.unpack("<Q", record[2:10])[0], number)
            body = io.BytesIO(record[10:])
            batch = fastavro.schemaless_reader(body, parsed)
            self.assertEqual(body.read(), b"")
            of_batch = [Event(e, batch["contexts"]) for e in batch["events"]]
            self.assertEqual(batch["min_ts"], min(e.ts for e in of_batch))
            self.assertEqual(batch["max_ts"], max(e.ts for e in of_batch))
            events += of_batch
        self.same_as_tail(topic, events)
        return events

    def same_as_tail(self, topic, events):
        done = run("tail", topic, "--bus-local-dir", self.dir, "--from", "start", "--no-follow",
                   "-o", "json")
        self.assertEqual(done.returncode, 0, done.stderr)
        told = [json.loads(line) for line in done.stdout.splitlines()]
        for line in told:
            del line["time"], line["ref"]
        order = lambda e: (e["id"], e["type"], e["ts"])
        self.same(sorted((e.json() for e in events), key=order), sorted(told, key=order))

    def same(self, want, got):
        if typed(want) != typed(got):
            self.fail("\n".join(differences(typed(want), typed(got), "")))

    def empty(self, *topics):
        for topic in topics:
            self.assertEqual(self.events(topic), [])
