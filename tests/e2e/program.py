# SPDX-License-Identifier: Apache-2.0
"""What the tests of the program share: running a command, and a role that lives for one test.

Deadlines are long: they say that something happens at all, on however busy a machine. How soon is
what the benchmarks measure.

Ports are asked of the kernel (port 0) and read from the line the role logs when it is ready, so
tests may run side by side. With KAIJU_KAFKA_BROKERS the bus of a Case is a Kafka, each with a prefix
of its own; without, it is a directory.
"""
import collections
import itertools
import json
import os
import re
import signal
import subprocess
import tempfile
import time
import unittest
import urllib.request

KAIJU = os.environ["KAIJU"]
PUT_EVENTS = os.environ["PUT_EVENTS"]
SOURCE = os.environ["KAIJU_SOURCE_DIR"]
BROKERS = os.environ.get("KAIJU_KAFKA_BROKERS")
# ThreadSanitizer does not know of threads that are made as librdkafka makes them, and crashes.
uses_librdkafka = unittest.skipIf(os.environ.get("KAIJU_SANITIZE") == "thread",
                                  "librdkafka does not run under ThreadSanitizer")
NUMBERS = itertools.count(1)


def run(*args, env=None, timeout=180, program=None, text=None):
    """The finished process of `kaiju ARGS`; text is its standard input."""
    return subprocess.run([program or KAIJU, *args], capture_output=True, text=True, timeout=timeout,
                          input=text, env={**os.environ, **(env or {})})


def takes(process, signo):
    """Does the process do something of its own at this signal by now?"""
    try:
        with open(f"/proc/{process.pid}/status") as f:
            masks = dict(line.split(":\t") for line in f if line.startswith(("SigCgt", "SigBlk")))
    except FileNotFoundError:
        return False
    return any(int(mask, 16) >> (signo - 1) & 1 for mask in masks.values())


class Role:
    """A running role, ready when the object exists."""

    def __init__(self, name, *args, wait=True):
        self.log_path = tempfile.mktemp(prefix="kaiju-log-")
        self.log_file = open(self.log_path, "w+")
        # Ports of the kernel's choice, unless the test says otherwise: the last of equal flags wins.
        ports = ["--http-listen", "127.0.0.1:0"]
        if name in ("ingest", "standalone"):
            ports += ["--otlp-grpc-listen", "127.0.0.1:0", "--otlp-http-listen", "127.0.0.1:0"]
        self.process = subprocess.Popen([KAIJU, name, *ports, *args],
                                        stderr=self.log_file, stdout=self.log_file)
        self.addr = None
        if wait:
            found = self.wait_log(r"msg=ready.* http=(\S+)")
            self.addr = found.group(1)

    def log(self):
        with open(self.log_path) as f:
            return f.read()

    def wait_log(self, pattern, timeout=90):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            found = re.search(pattern, self.log())
            if found:
                return found
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(f"no {pattern!r} in the log:\n{self.log()}")

    def get(self, path):
        with urllib.request.urlopen(f"http://{self.addr}{path}", timeout=60) as answer:
            return answer.read().decode()

    def wait_ready(self, timeout=90):
        end = time.monotonic() + timeout
        while True:
            try:
                return self.get("/readyz")
            except urllib.error.HTTPError as e:
                if time.monotonic() > end:
                    raise AssertionError(e.read().decode()) from e
            time.sleep(0.05)

    def stop(self, signo=signal.SIGTERM, timeout=90):
        if self.process.poll() is None:
            self.process.send_signal(signo)
        try:
            return self.process.wait(timeout)
        finally:
            self.close()

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if not self.log_file.closed:
            self.log_file.close()
            os.unlink(self.log_path)


class Case(unittest.TestCase):
    """A test with a directory of its own; roles started with self.role end with it."""

    def setUp(self):
        self.temp = tempfile.TemporaryDirectory(prefix="kaiju-e2e-")
        self.addCleanup(self.temp.cleanup)
        self.dir = os.path.join(self.temp.name, "bus")
        self.bus = ("--bus-local-dir", self.dir)
        if BROKERS:
            self.bus = ("--bus-kind", "kafka", "--bus-kafka-brokers", BROKERS,
                        "--bus-kafka-replication", os.environ["KAIJU_KAFKA_NODES"],
                        "--bus-prefix", f"e{os.getpid()}.{time.time_ns():x}.{next(NUMBERS)}.")

    def role(self, name, *args, **kw):
        role = Role(name, *args, **kw)
        self.addCleanup(role.close)
        return role

    def begin(self, *args):
        """A standalone that takes telemetry."""
        role = self.role("standalone", *self.bus, *args)
        role.otlp = role.wait_log(r'msg="receiving OTLP" addr=\S+\n(?:.*\n)*?.*msg="receiving OTLP" '
                                  r'addr=(\S+)').group(1)
        role.wait_ready()
        return role

    def write(self, name, text):
        path = os.path.join(self.temp.name, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def apply(self, role, text):
        """What `kaiju apply` says of the graph."""
        done = run("apply", "-f", self.write("graph.yaml", text), "--api", f"http://{role.addr}")
        self.assertEqual(0, done.returncode, done.stderr)
        return done.stdout

    def events(self, topic):
        """All that is on a topic."""
        done = run("tail", topic, *self.bus, "--from", "start", "--no-follow", "-o", "json",
                   "--timeout", "90s")
        self.assertEqual(0, done.returncode, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def until(self, what, check, timeout=90):
        end = time.monotonic() + timeout
        while not check():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.1)

    def last_totals(self, events):
        """The last count of each service; each row is one more than the row before."""
        last = collections.Counter()
        for event in events:
            if event["type"] == "Total":
                row = event["payload"]
                self.assertEqual(last[row["service"]] + 1, row["n"])
                last[row["service"]] = row["n"]
        return last

    def put(self, topic, count, *args):
        done = run(topic, str(count), *(args or self.bus), program=PUT_EVENTS)
        self.assertEqual(done.returncode, 0, done.stderr)
