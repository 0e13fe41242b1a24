# SPDX-License-Identifier: Apache-2.0
# needs: python telemetrygen
"""telemetrygen, the collector project's own load generator, over gRPC and HTTP: what it says it has
sent is there, once, and whole."""
import os
import subprocess
import unittest

from peer import PeerCase

TELEMETRYGEN = os.path.join(os.environ["PEERS_DIR"], "bin", "telemetrygen")
WORKERS, EACH, CHILDREN = 3, 700, 4
EACH_TRACES = 60  # sent span by span: in batches it drops what its own queue has no room for


class Telemetrygen(PeerCase):
    def setUp(self):
        super().setUp()
        self.kaiju = self.start()

    def send(self, http, signal, each, *args):
        """Workers together make WORKERS * each items of the signal."""
        done = subprocess.run(
            [TELEMETRYGEN, signal, "--otlp-insecure", "--otlp-endpoint",
             self.kaiju.http if http else self.kaiju.grpc, "--rate", "0", "--workers", str(WORKERS),
             f"--{signal}", str(each), "--service", "generated", "--telemetry-attributes",
             'text="ü"', "--telemetry-attributes", "number=5", "--telemetry-attributes", "yes=true",
             *(["--otlp-http"] if http else []), *args],
            capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("\tERROR\t", done.stderr)

    def read(self, topic, count):
        events = self.events(topic)
        self.assertEqual(len(events), count)
        self.assertEqual(len({e.id for e in events}), count)
        for e in events:
            self.assertEqual(e.context["service.name"], "generated")
            self.assertEqual((e.flags, e.payload["text"]), ([], "ü"))
            self.same([5, True], [e.payload["number"], e.payload["yes"]])
        self.empty("dlq")
        return events

    def traces(self, http):
        self.send(http, "traces", EACH_TRACES, "--batch=false", "--child-spans", str(CHILDREN), "--span-duration", "1234567ns",
                  "--status-code", "Error", "--span-links", "2")
        events = self.read("spans", WORKERS * EACH_TRACES * (1 + CHILDREN))
        traces = {}
        for e in events:
            traces.setdefault(e.trace_id, {})[e.span_id.hex()] = e
            self.assertEqual(e.payload["status_code"], "error")
        self.assertEqual(len(traces), WORKERS * EACH_TRACES)
        for spans in traces.values():
            self.assertEqual(len(spans), 1 + CHILDREN)
            roots = [i for i, e in spans.items() if "parent_span_id" not in e.payload]
            self.assertEqual(len(roots), 1)
            for i, e in spans.items():
                if i not in roots:
                    self.assertEqual(e.payload["parent_span_id"], roots[0])
                    self.assertEqual(e.payload["duration_ns"], 1234567)

    def metrics(self, http):
        for n, kind in enumerate(("Gauge", "Sum", "Histogram", "ExponentialHistogram"), 1):
            self.send(http, "metrics", EACH, "--metric-type", kind, "--otlp-metric-name", kind)
            events = self.read("metrics", n * WORKERS * EACH)
            of_kind = [e for e in events if e.payload["name"] == kind]
            self.assertEqual(len(of_kind), WORKERS * EACH)
            want = "exponential_histogram" if kind.startswith("E") else kind.lower()
            self.assertEqual({e.payload["metric_type"] for e in of_kind}, {want})

    def logs(self, http):
        self.send(http, "logs", EACH, "--body", "line", "--severity-number", "17", "--severity-text", "E",
                  "--trace-id", "0123456789abcdef0123456789abcdef", "--span-id", "fedcba9876543210")
        for e in self.read("logs", WORKERS * EACH):
            self.same(["line", 17, "E"],
                      [e.payload[k] for k in ("body", "severity_number", "severity_text")])
            self.assertEqual((e.trace_id.hex(), e.span_id.hex()),
                             ("0123456789abcdef0123456789abcdef", "fedcba9876543210"))

    def test_traces_by_grpc(self):
        self.traces(False)

    def test_traces_by_http(self):
        self.traces(True)

    def test_metrics_by_grpc(self):
        self.metrics(False)

    def test_metrics_by_http(self):
        self.metrics(True)

    def test_logs_by_grpc(self):
        self.logs(False)

    def test_logs_by_http(self):
        self.logs(True)


if __name__ == "__main__":
    unittest.main(verbosity=2)
