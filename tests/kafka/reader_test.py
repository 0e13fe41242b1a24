# SPDX-License-Identifier: Apache-2.0
"""What the Kafka bus wrote, as others read it: kcat finds the committed records and no others, with
their keys, headers and order; fastavro reads the event batches in them, and finds in them what our
own reader says.

usage: reader_test.py AVRO_DUMP KAFKA_FEED SCHEMAS WORK_DIR
"""

import json
import os
import struct
import subprocess
import sys
import time

import fastavro

DUMP, FEED, SCHEMAS, WORK = sys.argv[1:5]
BROKERS = os.environ["KAIJU_KAFKA_BROKERS"]
BATCHES = 23
SINGLE_OBJECT = b"\xc3\x01"
checks = 0


def check(what, want, got):
    global checks
    checks += 1
    if want != got:
        sys.exit(f"FAILED {what}:\n  want {want!r}\n  got  {got!r}")


def run(*args):
    done = subprocess.run(args, capture_output=True, check=False, timeout=120)
    if done.returncode != 0:
        sys.exit(f"FAILED {args}: {done.stderr.decode()}")
    return done.stdout


def unhex(text):
    return None if text is None else bytes.fromhex(text)


def read(topic, partition, isolation):
    """(key, value, headers) of each record by kcat, whose fields are told by their lengths: no
    separator can be mistaken. Headers are asked for once more, as JSON."""
    common = ["kcat", "-b", BROKERS, "-C", "-e", "-q", "-t", topic, "-p", str(partition), "-o",
              "beginning", "-X", f"isolation.level={isolation}"]
    raw = run(*common, "-f", "%K %S %o %k%s")
    rows = []
    while raw:
        key_len, value_len, offset, raw = raw.split(b" ", 3)
        key_len, value_len = int(key_len), int(value_len)
        key, raw = (None, raw[4:]) if key_len < 0 and raw.startswith(b"NULL") else \
            (None if key_len < 0 else raw[:key_len], raw[max(key_len, 0):])
        value, raw = (None, raw[4:]) if value_len < 0 and raw.startswith(b"NULL") else \
            (None if value_len < 0 else raw[:value_len], raw[max(value_len, 0):])
        rows.append([int(offset), key, value, []])
    lines = run(*common, "-f", "%o|%h\n").decode().splitlines()
    check("kcat's two readings", [r[0] for r in rows], [int(l.split("|", 1)[0]) for l in lines])
    for row, line in zip(rows, lines):
        text = line.split("|", 1)[1]
        row[3] = [tuple(h.split("=", 1)) for h in text.split(",")] if text else []
    return rows


def check_topic(topic, fed):
    found = []
    for partition in range(4):
        want = [r for r in fed if r["partition"] == partition]
        got = read(topic, partition, "read_committed")
        check(f"records of partition {partition}", len(want), len(got))
        check("offsets rise", True, all(a[0] < b[0] for a, b in zip(got, got[1:])))
        for w, (_, key, value, headers) in zip(want, got):
            check("key", unhex(w["key"]) or None, key or None)
            check("value", unhex(w["value"]), value)
            check("headers", [(h["name"], unhex(h["value"]).decode()) for h in w["headers"]],
                  headers)
            found.append(value)
        everything = [r[2] for r in read(topic, partition, "read_uncommitted")]
        check("what is not committed is there, but hidden", True,
              b"left open" in everything and b"left open" not in found and b"aborted" not in found)
    return found


def check_batches(values, schema, number, told):
    """told: how many events our own reader finds in each batch, by the batch's bytes."""
    batches = [v for v in values if v is not None and v.startswith(SINGLE_OBJECT)]
    check("batches", sorted(told), sorted(batches))
    events = 0
    for bytes_ in batches:
        check("fingerprint", number, struct.unpack("<Q", bytes_[2:10])[0])
        with open(os.path.join(WORK, "one"), "wb") as f:
            f.write(bytes_[10:])
        with open(os.path.join(WORK, "one"), "rb") as f:
            batch = fastavro.schemaless_reader(f, schema)
            check("nothing behind it", b"", f.read())
        events += len(batch["events"])
        check("events of the batch", told[bytes_], len(batch["events"]))
    return events


def our_reading(lines):
    """Our dump: a line with the batch's header, then one for each event."""
    return [line["events"] for line in map(json.loads, lines) if "min_ts" in line]


def main():
    from fastavro.schema import fingerprint, to_parsing_canonical_form
    with open(f"{SCHEMAS}/event_batch.avsc", encoding="utf-8") as f:
        raw = json.load(f)
    number = int.from_bytes(
        bytes.fromhex(fingerprint(to_parsing_canonical_form(raw), "CRC-64-AVRO")), "little")
    schema = fastavro.parse_schema(raw)
    path = os.path.join(WORK, "batches")
    counts = our_reading(run(DUMP, "write", "7", str(BATCHES), path).splitlines())
    prefix = f"r{os.getpid()}.{int(time.time())}."
    fed = [json.loads(line) for line in run(FEED, prefix, path).splitlines()]
    check("records fed", BATCHES + 2, len(fed))
    told = dict(zip((unhex(r["value"]) for r in fed), counts))
    check("batches differ", BATCHES, len(told))
    values = check_topic(prefix + "events", fed)
    events = check_batches(values, schema, number, told)
    print(f"{checks} checks passed: {len(fed)} records, {events} events")


main()
