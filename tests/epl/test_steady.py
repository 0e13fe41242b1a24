# SPDX-License-Identifier: Apache-2.0
"""In a steady state the engine asks for no memory: no call of mem_*, no object that the free lists
did not have, per event, counted by `kaiju epl bench --allocs` over the events of its best run."""
import json
import os
import subprocess
import tempfile
import unittest

SCHEMA = "create schema Metric(name string, host string, value double, ts long);\n"
STREAM = {"type": "Metric", "event": {"name": {"const": "cpu"}, "host": {"key": "host-", "n": 20},
                                      "value": {"double": [0, 100]}, "ts": {"clock": True}}}
STATEMENTS = {
    "filter": "@name('out') select host, value from Metric(name='cpu' and value > 90);",
    "length window": "@name('out') select irstream host, value from Metric#length(500);",
    "time window": "@name('out') select irstream host, value from Metric#time(1 sec);",
    "total": "@name('out') select sum(value) as s, count(*) as n from Metric#length(500);",
    "grouped aggregate": "@name('out') select host, avg(value) as a, count(*) as n "
                         "from Metric#length(500) group by host;",
    "join": "@name('out') select a.value as x, b.value as y from Metric(value < 50)#unique(host) a, "
            "Metric(value >= 50)#unique(host) b where a.host = b.host;",
}


def allocations(statement, *options):
    bench = {"epl": SCHEMA + statement,
             "bench": {"warmup": 60000, "events": 20000, "advance_every": 10, "advance_ms": 10, "streams": [STREAM]}}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as f:
        json.dump(bench, f)
        f.flush()
        out = subprocess.run([os.environ["KAIJU"], "epl", "bench", f.name, "-o", "json", *options],
                             check=True, capture_output=True, text=True).stdout
    return json.loads(out.splitlines()[0])["allocs_per_event"]


class Steady(unittest.TestCase):
    def test_no_allocation_per_event(self):
        for source in ("event", "batch"):
            for causes in ("on", "off"):
                for name, statement in STATEMENTS.items():
                    with self.subTest(statement=name, source=source, causes=causes):
                        self.assertEqual(0, allocations(statement, "--from", source, f"--causes={causes}"))

    def test_what_grows_is_seen(self):
        self.assertLess(0, allocations("@name('out') select * from Metric#keepall;", "--from", "batch"))


if __name__ == "__main__":
    unittest.main()
