# SPDX-License-Identifier: Apache-2.0
"""What the tests of the program share: running a command, and a role that lives for one test.

Ports are asked of the kernel (port 0) and read from the line the role logs when it is ready, so
tests may run side by side. With KAIJU_KAFKA_BROKERS the bus of a Case is a Kafka, each with a prefix
of its own; without, it is a directory.
"""
import itertools
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


def run(*args, env=None, timeout=60, program=None):
    """The finished process of `kaiju ARGS`."""
    return subprocess.run([program or KAIJU, *args], capture_output=True, text=True, timeout=timeout,
                          env={**os.environ, **(env or {})})


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

    def wait_log(self, pattern, timeout=30):
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
        with urllib.request.urlopen(f"http://{self.addr}{path}", timeout=10) as answer:
            return answer.read().decode()

    def wait_ready(self, timeout=30):
        end = time.monotonic() + timeout
        while True:
            try:
                return self.get("/readyz")
            except urllib.error.HTTPError as e:
                if time.monotonic() > end:
                    raise AssertionError(e.read().decode()) from e
            time.sleep(0.05)

    def stop(self, signo=signal.SIGTERM, timeout=30):
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

    def put(self, topic, count, *args):
        done = run(topic, str(count), *(args or self.bus), program=PUT_EVENTS)
        self.assertEqual(done.returncode, 0, done.stderr)
