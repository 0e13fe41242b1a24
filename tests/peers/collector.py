# SPDX-License-Identifier: Apache-2.0
"""A running OpenTelemetry collector: OTLP in on ports of the kernel's choice, out by one exporter."""
import json
import os
import re
import signal
import subprocess
import time

COLLECTOR = os.path.join(os.environ["PEERS_DIR"], "bin", "collector")
SIGNALS = ("traces", "metrics", "logs")


class Collector:
    """Its exporters retry for ever; `batch` is of the batch processor, None for none of it."""

    def __init__(self, directory, exporter, settings, batch=None):
        config = {
            "receivers": {"otlp": {"protocols": {wire: {"endpoint": "127.0.0.1:0"} for wire in
                                                 ("grpc", "http")}}},
            "processors": {"batch": batch or {}},
            "exporters": {exporter: settings},
            "service": {
                "telemetry": {"metrics": {"level": "none"}},
                "pipelines": {name: {"receivers": ["otlp"], "exporters": [exporter],
                                     "processors": ["batch"] if batch is not None else []}
                              for name in SIGNALS}},
        }
        path = os.path.join(directory, "collector.yaml")  # JSON is YAML
        with open(path, "w", encoding="utf-8") as f:
            json.dump(config, f)
        self.log_path = os.path.join(directory, "collector.log")
        with open(self.log_path, "w", encoding="utf-8") as f:
            self.process = subprocess.Popen([COLLECTOR, "--config", f"file:{path}"], stderr=f)
        self.grpc, self.http = (self.wait_log(rf'Starting {wire} server.*"endpoint": "([^"]+)"')
                                for wire in ("GRPC", "HTTP"))
        self.wait_log("(Everything is ready)")

    def log(self):
        with open(self.log_path, encoding="utf-8") as f:
            return f.read()

    def wait_log(self, pattern, timeout=60):
        end = time.monotonic() + timeout
        while self.process.poll() is None and time.monotonic() < end:
            if found := re.search(pattern, self.log()):
                return found.group(1)
            time.sleep(0.02)
        raise AssertionError(f"no {pattern!r} in the collector's log:\n{self.log()}")

    def stop(self):
        """When it has ended by itself it has exported what it had; its log, of warnings and worse."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(60)
        if status != 0:
            raise AssertionError(f"the collector ended with {status}:\n{self.log()}")
        return [line for line in self.log().splitlines() if re.search(r"\t(warn|error|fatal)\t", line)]

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
