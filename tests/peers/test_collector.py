# SPDX-License-Identifier: Apache-2.0
# needs: python collector
"""The OpenTelemetry collector as sender: what came to its OTLP receiver leaves by its otlp_grpc and
otlp_http exporters, in every packing and encoding that both of us speak, and is on the bus field by
field. What comes to it is told by the SDK for Python (the cases of test_sdk_python.py, with one more
program on the way) and by kaiju-loadgen, whose direct way to us must give the same events.
"""
import os
import subprocess
import unittest

from opentelemetry.exporter.otlp.proto.grpc import (
    _log_exporter as grpc_logs, metric_exporter as grpc_metrics, trace_exporter as grpc_traces)

from collector import Collector
from peer import PeerCase, typed
from program import KAIJU
from test_sdk_python import Sdk

LOADGEN = os.path.join(os.path.dirname(KAIJU), "kaiju-loadgen")
TOPICS = ("spans", "logs", "metrics", "k8s")


class Through(PeerCase):
    exporter_name, packing, encoding, batch = "otlp_grpc", "none", None, None

    def collector(self, kaiju):
        settings = {"compression": self.packing,
                    "endpoint": kaiju.grpc if self.exporter_name == "otlp_grpc" else
                    f"http://{kaiju.http}", "tls": {"insecure": True}}
        if self.encoding:
            settings["encoding"] = self.encoding
        collector = Collector(self.temp.name, self.exporter_name, settings, self.batch)
        self.addCleanup(collector.close)
        return collector


class OfTheSdk(Sdk, Through):
    """Three tests, which are Sdk's; abstract, as the classes below give the way out."""

    def setUp(self):
        super().setUp()
        self.between = self.collector(self.kaiju)

    def exporter(self, signal):
        kind = {"traces": grpc_traces.OTLPSpanExporter, "metrics": grpc_metrics.OTLPMetricExporter,
                "logs": grpc_logs.OTLPLogExporter}[signal]
        return kind(endpoint=f"http://{self.between.grpc}", insecure=True, timeout=20)

    def compare(self, want, *topics):
        self.assertEqual(self.between.stop(), [])
        super().compare(want, *topics)


class Grpc(OfTheSdk):
    pass


class GrpcGzipBatched(OfTheSdk):
    packing, batch = "gzip", {"timeout": "50ms"}


class GrpcZstd(OfTheSdk):
    packing = "zstd"


class Http(OfTheSdk):
    exporter_name = "otlp_http"


class HttpGzipBatched(Http):
    packing, batch = "gzip", {"timeout": "50ms"}


class HttpZstd(Http):
    packing = "zstd"


class HttpDeflate(Http):
    packing = "deflate"


class HttpJson(Http):
    encoding = "json"


class HttpJsonGzip(HttpJson):
    packing = "gzip"


class OfTheLoadgen(Through):
    """The same load twice: straight to us, and by way of the collector, which cuts and joins
    requests as it likes. Every event must be the same in all but the time of its arrival."""

    def load(self, to):
        done = subprocess.run(
            [LOADGEN, "--to", to, "--duration", "6s", "--preset", "paper", "--start-time",
             "2026-01-01T00:00:00Z", "--incident", "bad-rollout@2s", "--quiet"],
            capture_output=True, text=True, timeout=120, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def all(self):
        """Per topic: the events, without what differs between two runs, in an order."""
        out = {}
        for topic in TOPICS:
            out[topic] = sorted(
                ({"type": e.type, "kind": e.kind, "id": e.id, "ts": e.ts, "flags": e.flags,
                  "trace_id": e.trace_id, "span_id": e.span_id, "context": e.context,
                  "payload": e.payload} for e in self.events(topic)),
                key=lambda e: (e["id"], e["type"], repr(typed(e))))
        return out

    def same_by_the_collector(self):
        top = self.dir
        self.dir = top + "-direct"
        direct = self.start()
        self.load(f"grpc://{direct.grpc}")
        direct.stop()
        want = self.all()
        self.dir = top
        kaiju = self.start()
        between = self.collector(kaiju)
        self.load(f"grpc://{between.grpc}")
        self.assertEqual(between.stop(), [])
        got = self.all()
        fields = 0
        for topic in TOPICS:
            self.assertEqual(len(want[topic]), len(got[topic]), topic)
            self.assertEqual(len({(e["id"], e["type"]) for e in got[topic]}), len(got[topic]), topic)
            for w, g in zip(want[topic], got[topic]):
                self.same(w, g)
                fields += len(w["context"]) + len(w["payload"]) + 7
        self.assertGreater(len(want["spans"]), 10_000)
        self.assertGreater(len(want["k8s"]), 0)
        self.empty("dlq")
        print(f"{type(self).__name__}: {sum(map(len, got.values()))} events, {fields} fields equal")


class LoadGrpcZstd(OfTheLoadgen):
    packing, batch = "zstd", {"send_batch_size": 700, "send_batch_max_size": 1000}

    def test_load(self):
        self.same_by_the_collector()


class LoadHttpJsonGzip(OfTheLoadgen):
    exporter_name, packing, encoding, batch = "otlp_http", "gzip", "json", {"send_batch_size": 3000}

    def test_load(self):
        self.same_by_the_collector()


def load_tests(loader, tests, pattern):
    """All but OfTheSdk, which has no way out of its own."""
    del tests, pattern
    return unittest.TestSuite(
        loader.loadTestsFromTestCase(case) for case in
        (Grpc, GrpcGzipBatched, GrpcZstd, Http, HttpGzipBatched, HttpZstd, HttpDeflate, HttpJson,
         HttpJsonGzip, LoadGrpcZstd, LoadHttpJsonGzip))


if __name__ == "__main__":
    unittest.main(verbosity=2)
