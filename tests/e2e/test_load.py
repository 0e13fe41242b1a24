# SPDX-License-Identifier: Apache-2.0
"""kaiju-loadgen as a program, alone and against kaiju standalone: the same seed gives the same
bytes, everything sent is acknowledged and there, refusals are met with patience."""
import json
import os
import re
import signal
import struct
import subprocess
import time
import unittest

from program import Case, KAIJU, run

LOADGEN = os.path.join(os.path.dirname(KAIJU), "kaiju-loadgen")
START = ("--start-time", "2026-01-01T00:00:00Z")
TOPICS = ("spans", "logs", "metrics", "k8s")


def load(*args, **kwargs):
    return run(*args, program=LOADGEN, **kwargs)


def summary(done):
    """The report's JSON, from `-o json`."""
    return json.loads(done.stdout)


class Alone(Case):
    def path(self, name):
        return os.path.join(self.temp.name, name)

    def write(self, name, *args):
        done = load("--write", self.path(name), "--duration", "30s", *START, *args)
        self.assertEqual(done.returncode, 0, done.stderr)
        with open(self.path(name), "rb") as f:
            return f.read()

    def test_the_same_seed_gives_the_same_bytes_and_another_does_not(self):
        one = self.write("1", "--seed", "7", "--incident", "bad-rollout@5s")
        self.assertEqual(one, self.write("2", "--seed", "7", "--incident", "bad-rollout@5s"))
        self.assertNotEqual(one, self.write("3", "--seed", "8", "--incident", "bad-rollout@5s"))
        self.assertGreater(len(one), 100_000)

    def test_a_written_file_can_be_taken_apart(self):
        bytes_, at, items = self.write("1", "--batch", "100"), 0, 0
        while at < len(bytes_):
            magic, signal_, count, length = struct.unpack_from(">4sc3xII", bytes_, at)
            self.assertEqual(magic, b"OTLP")
            self.assertIn(signal_, b"slm")
            self.assertTrue(0 < count <= 100)
            self.assertEqual(bytes_[at + 16:at + 17], b"\n")  # field 1, a message
            at += 16 + length
            items += count
        self.assertGreater(items, 15_000)

    def test_a_directory_gets_a_file_for_each_request(self):
        done = load("--write", self.path("d") + "/", "--duration", "3s", "--encoding", "json",
                    "-o", "json", *START)
        self.assertEqual(done.returncode, 0, done.stderr)
        names = sorted(os.listdir(self.path("d")))
        self.assertEqual(len(names), summary(done)["requests"])
        for name in names:
            with open(os.path.join(self.path("d"), name)) as f:
                (key, groups), = json.load(f).items()
            self.assertIn(key, ("resourceSpans", "resourceLogs", "resourceMetrics"))
            self.assertTrue(groups)

    def test_the_truth_says_what_where_and_when(self):
        self.write("1", "--incident", "node-loss@5s:10s", "--incident", "orders-lost@8s",
                   "--truth", self.path("truth"))
        with open(self.path("truth")) as f:
            rows = [json.loads(line) for line in f]
        self.assertEqual([r["incident"] for r in rows], ["node-loss", "orders-lost"])
        self.assertEqual(rows[0]["to_ns"] - rows[0]["from_ns"], 10_000_000_000)
        self.assertEqual(rows[0]["from"], "2026-01-01T00:00:05.000Z")
        self.assertTrue(rows[0]["where"]["node"])
        self.assertEqual([r["state"] for r in rows], ["over", "under way"])

    def test_mistakes_are_told(self):
        for args, word in ((("--incident", "no-such@5s"), "no-such"), (("--to", "ftp://x"), "http://"),
                           (("--write", "/nowhere/x", "--duration", "1s"), "/nowhere/x"),
                           (("--write", self.path("x")), "--duration"),
                           (("--truth", "/nowhere/x", "--duration", "1s"), "/nowhere/x"),
                           (("--to", "grpc://127.0.0.1:1", "--encoding", "json"), "json"),
                           (("--start-time", "soon"), "soon"), (("extra",), "extra")):
            done = load(*args)
            self.assertEqual(done.returncode, 2, args)
            self.assertIn(word, done.stderr)
        self.assertIn("slow-dependency", load("--list-incidents").stdout)
        self.assertIn("--flat-out", load("--help").stdout)

    def test_nowhere_measures_the_generator(self):
        said = []
        for seed in ("3", "3", "4"):
            done = load("--to", "discard:", "--flat-out", "--items", "200000", "--seed", seed, "--quiet",
                        "-o", "json", *START)
            self.assertEqual(done.returncode, 0)
            self.assertGreaterEqual(sum(summary(done)["made"].values()), 200_000)
            said.append([summary(done)[key] for key in ("made", "requests", "bytes")])
        self.assertEqual(said[0], said[1])
        self.assertNotEqual(said[0], said[2])

    def test_nobody_there_is_told_by_the_exit_code(self):
        done = load("--to", "http://127.0.0.1:1", "--duration", "1s", "--drain-timeout", "1s",
                    "-o", "json", "--quiet")
        self.assertEqual(done.returncode, 7)
        self.assertGreater(summary(done)["unacknowledged_requests"], 0)


class Sent(Case):
    def standalone(self, *args):
        role = self.role("standalone", "--bus-local-dir", self.dir, *args)
        role.wait_ready()
        role.grpc, role.http = re.findall(r'msg="receiving OTLP" addr=(\S+)', role.log())
        return role

    def events(self, topic):
        # What one item gives beside itself.
        return [e for e in super().events(topic) if e["type"] not in ("ExceptionEvent", "Exemplar")]

    def ids(self):
        return {t: {e["id"] for e in self.events(t)} for t in TOPICS}

    def test_everything_acknowledged_is_there_by_any_wire(self):
        role = self.standalone()
        ways = ((f"http://{role.http}",), (f"grpc://{role.grpc}", "--compress", "zstd"),
                (f"http://{role.http}", "--encoding", "json", "--compress", "gzip"))
        first = None
        for i, way in enumerate(ways):
            done = load("--to", *way, "--duration", "3s", "--incident", "bad-rollout@1s", *START,
                        "-o", "json")
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            said = summary(done)
            self.assertEqual(said["made"], said["acknowledged"])
            ids = self.ids()
            self.assertEqual(len(ids["spans"]), said["made"]["spans"])
            self.assertEqual(len(ids["metrics"]), said["made"]["metrics"])
            self.assertGreater(len(ids["k8s"]), 0)
            # Each run repeats the one before it: equal ids, so a reader can tell.
            first = first or ids
            self.assertEqual(ids, first)
            self.assertEqual(len(self.events("spans")), (i + 1) * said["made"]["spans"])

    def test_a_sender_outlives_a_restart_of_the_receiver(self):
        role = self.standalone()
        ledger = os.path.join(self.temp.name, "ledger")
        ports = ("--otlp-http-listen", role.http, "--otlp-grpc-listen", "off")
        sender = subprocess.Popen(
            [LOADGEN, "--to", f"http://{role.http}", "--duration", "5s", "--ledger", ledger, *START,
             "-o", "json", "--quiet"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(sender.kill)
        time.sleep(1.5)
        role.stop(signal.SIGKILL)
        time.sleep(0.5)
        again = self.role("standalone", "--bus-local-dir", self.dir, *ports)
        again.wait_ready()
        out, _ = sender.communicate(timeout=180)
        self.assertEqual(sender.returncode, 0, out)
        said = json.loads(out)
        self.assertGreater(said["repeated"], 0)
        self.assertEqual(len(self.ids()["spans"]), said["made"]["spans"])
        with open(ledger) as f:
            rows = [json.loads(line) for line in f]
        self.assertEqual(len(rows), said["requests"])
        self.assertEqual({r["outcome"] for r in rows}, {"acknowledged"})
        self.assertGreater(max(r["tries"] for r in rows), 1)

    def test_over_tls_to_whom_it_trusts_and_to_nobody_else(self):
        cert, key = (os.path.join(self.temp.name, n) for n in ("cert.pem", "key.pem"))
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
                        "-keyout", key, "-out", cert], check=True, capture_output=True)
        role = self.standalone("--otlp-tls-cert-file", cert, "--otlp-tls-key-file", key,
                               "--otlp-tls-client-ca-file", cert)
        http, grpc = (int(a.rsplit(":", 1)[1]) for a in (role.http, role.grpc))
        ours = ("--tls-cert-file", cert, "--tls-key-file", key)
        for to in (f"https://localhost:{http}", f"grpcs://localhost:{grpc}"):
            done = load("--to", to, "--tls-ca-file", cert, *ours, "--duration", "1s", "--quiet")
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            for wrong in (ours, ("--tls-ca-file", cert)):
                done = load("--to", to, *wrong, "--duration", "1s", "--drain-timeout", "1s", "--quiet")
                self.assertEqual(done.returncode, 7, done.stdout + done.stderr)

    def test_an_interrupt_ends_it_well(self):
        role = self.standalone()
        sender = subprocess.Popen([LOADGEN, "--to", f"grpc://{role.grpc}", "-o", "json", "--quiet"],
                                  stdout=subprocess.PIPE, text=True)
        self.addCleanup(sender.kill)
        self.until("nothing is sent", lambda: len(self.events("spans")) > 200)
        sender.send_signal(signal.SIGINT)
        out, _ = sender.communicate(timeout=90)
        self.assertEqual(sender.returncode, 0)
        said = json.loads(out)
        self.assertEqual(said["made"], said["acknowledged"])
        self.assertGreater(said["made"]["spans"], 100)


if __name__ == "__main__":
    unittest.main(verbosity=2)
