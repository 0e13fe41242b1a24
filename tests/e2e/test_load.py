# SPDX-License-Identifier: Apache-2.0
"""kaiju-loadgen as a program, alone and against kaiju standalone: the same seed gives the same
bytes, everything sent is acknowledged and there, refusals are met with patience."""
import json
import os
import re
import signal
import subprocess
import threading
import time
import unittest

from program import Case, KAIJU, run

LOADGEN = os.path.join(os.path.dirname(KAIJU), "kaiju-loadgen")
START = ("--start", "2026-01-01T00:00:00Z")


class Alone(Case):
    def write(self, name, *args):
        path = os.path.join(self.temp.name, name)
        done = run("--write", path, "--duration", "30s", *START, *args, program=LOADGEN)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(path, "rb") as f:
            return f.read()

    def test_the_same_seed_gives_the_same_bytes_and_another_does_not(self):
        one = self.write("1", "--seed", "7", "--incident", "bad-rollout@5s")
        self.assertEqual(one, self.write("2", "--seed", "7", "--incident", "bad-rollout@5s"))
        self.assertNotEqual(one, self.write("3", "--seed", "8", "--incident", "bad-rollout@5s"))
        self.assertGreater(len(one), 100_000)

    def test_the_truth_says_what_where_and_when(self):
        truth = os.path.join(self.temp.name, "truth")
        self.write("1", "--incident", "node-loss@5s:10s", "--incident", "orders-lost@8s",
                   "--truth", truth)
        with open(truth) as f:
            rows = [json.loads(line) for line in f]
        self.assertEqual([r["incident"] for r in rows], ["node-loss", "orders-lost"])
        self.assertEqual(rows[0]["to_ns"] - rows[0]["from_ns"], 10_000_000_000)
        self.assertTrue(rows[0]["where"])

    def test_mistakes_are_told(self):
        for args, word in ((("--incident", "no-such@5s"), "no-such"), (("--to", "ftp://x"), "http://"),
                           (("--write", "/nowhere/x", "--duration", "1s"), "/nowhere/x"),
                           (("--start", "soon"), "soon"), (("extra",), "extra")):
            done = run(*args, program=LOADGEN)
            self.assertEqual(done.returncode, 2, args)
            self.assertIn(word, done.stderr)
        self.assertIn("slow-dependency", run("--list", program=LOADGEN).stdout)


class Sent(Case):
    def standalone(self, *args):
        role = self.role("standalone", "--bus-local-dir", self.dir, *args)
        role.wait_ready()
        role.grpc, role.http = re.findall(r'msg="receiving OTLP" addr=(\S+)', role.log())
        return role

    def events(self, topic):
        done = run("tail", topic, "--bus-local-dir", self.dir, "--from", "start", "--no-follow",
                   "-o", "json")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def test_everything_acknowledged_is_there_by_either_wire(self):
        role = self.standalone()
        for to in (f"http://{role.http}", f"grpc://{role.grpc}"):
            before = {t: len(self.events(t)) for t in ("spans", "logs", "metrics", "k8s")}
            done = run("--to", to, "--duration", "3s", *START, program=LOADGEN)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            made, acknowledged = map(int, re.search(
                r"made (\d+) items.* acknowledged (\d+) items", done.stdout).groups())
            self.assertEqual(made, acknowledged)
            there = sum(len([e for e in self.events(t) if e["type"] not in
                             ("ExceptionEvent", "Exemplar")]) for t in before)
            extra = sum(before.values())
            self.assertGreaterEqual(there + extra, made)
        spans = [e for e in self.events("spans") if e["type"] == "Span"]
        # The second run repeats the first: equal ids, so a reader can tell.
        self.assertEqual(len(spans), 2 * len({e["id"] for e in spans}))

    def test_a_sender_outlives_a_restart_of_the_receiver(self):
        role = self.standalone()
        ports = ("--otlp-http-listen", role.http, "--otlp-grpc-listen", "off")
        load = subprocess.Popen([LOADGEN, "--to", f"http://{role.http}", "--duration", "5s", *START],
                                stdout=subprocess.PIPE, text=True)
        self.addCleanup(load.kill)
        time.sleep(1.5)
        role.stop(signal.SIGKILL)
        time.sleep(0.5)
        again = self.role("standalone", "--bus-local-dir", self.dir, *ports)
        again.wait_ready()
        out, _ = load.communicate(timeout=60)
        self.assertEqual(load.returncode, 0, out)
        self.assertGreater(int(re.search(r"retried (\d+)\n$", out).group(1)), 0)
        made = int(re.search(r"made (\d+) items", out).group(1))
        ids = {(e["type"], e["id"]) for t in ("spans", "logs", "metrics", "k8s")
               for e in self.events(t) if e["type"] not in ("ExceptionEvent", "Exemplar")}
        self.assertGreaterEqual(len(ids), made)


if __name__ == "__main__":
    unittest.main(verbosity=2)
