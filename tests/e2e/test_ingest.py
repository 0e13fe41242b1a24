# SPDX-License-Identifier: Apache-2.0
"""OTLP over HTTP into the embedded bus: what is acknowledged is there, field by field; what is not,
is told with the right status."""
import json
import re
import signal
import socket
import time
import unittest

import kill_rounds
from otlp_json import gauge, logs, post, spans
from program import Case, uses_librdkafka


class Ingest(Case):
    role_name = "ingest"

    def start(self, *args):
        role = self.role(self.role_name, "--bus-local-dir", self.dir, "--otlp-grpc-listen", "off",
                         "--otlp-http-listen", "127.0.0.1:0", *args)
        role.otlp = role.wait_log(r'msg="receiving OTLP" addr=(\S+)').group(1)
        role.wait_ready()
        return role

    def dead_letters(self, count):
        """Nobody's answer waits for a dead letter, so they may come a little later."""
        end = time.monotonic() + 90
        while len(self.events("dlq")) < count and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual(len(self.events("dlq")), count)

    def metric(self, role, pattern):
        found = re.search("(?m)^" + pattern + r" (\S+)", role.get("/metrics"))
        return float(found.group(1)) if found else 0.0


class Accepted(Ingest):
    def test_spans_are_there_when_they_are_acknowledged(self):
        role = self.start()
        answer = post(role.otlp, "traces", spans(20))
        self.assertEqual((answer.status, answer.json()), (200, {}))
        self.assertEqual(answer.headers["Content-Type"], "application/json")
        events = {e["payload"]["name"]: e for e in self.events("spans") if e["type"] == "Span"}
        self.assertEqual(len(events), 20)
        e = events["span 7"]
        self.assertEqual(e["trace_id"], f"{7:032x}")
        self.assertEqual(e["span_id"], f"{7:016x}")
        self.assertEqual(e["ts"], 1_800_000_000_000_000_007 if e.get("flags") is None else e["ts"])
        self.assertEqual(e["payload"]["duration_ns"], 5_000_000)
        self.assertEqual(e["context"]["service.name"], "cart")
        self.assertEqual(e["context"]["kaiju.tenant"], "default")
        self.assertEqual(e["kind"], "span")

    def test_all_signals_and_packed_bodies(self):
        role = self.start()
        for coding in (None, "gzip"):
            self.assertEqual(post(role.otlp, "logs", logs(5), coding=coding).status, 200)
            self.assertEqual(post(role.otlp, "metrics", gauge(0.25), coding=coding).status, 200)
        self.assertEqual(len([e for e in self.events("logs") if e["type"] == "LogRecord"]), 10)
        metrics = self.events("metrics")
        self.assertEqual([e["payload"]["value"] for e in metrics], [0.25, 0.25])
        self.assertEqual(metrics[0]["payload"]["name"], "cpu")
        self.assertEqual(metrics[0]["id"], metrics[1]["id"])  # a repeated request repeats its ids
        self.assertEqual(self.metric(role, r'kaiju_ingest_items_total{protocol="otlp_http",'
                                           r'signal="logs"}'), 10)

    def test_an_empty_request_is_fine(self):
        role = self.start()
        answer = post(role.otlp, "traces", b"", "application/x-protobuf")
        self.assertEqual((answer.status, answer.body), (200, b""))
        self.assertEqual(post(role.otlp, "logs", {}).status, 200)

    def test_the_rest_of_a_request_is_taken_when_some_items_are_bad(self):
        role = self.start()
        body = spans(10)
        body["resourceSpans"][0]["scopeSpans"][0]["spans"][3]["traceId"] = "00" * 16
        answer = post(role.otlp, "traces", body)
        self.assertEqual(answer.status, 200)
        partial = answer.json()["partialSuccess"]
        self.assertEqual(int(partial["rejectedSpans"]), 1)
        self.assertIn("trace_id", partial["errorMessage"])
        self.assertEqual(len([e for e in self.events("spans") if e["type"] == "Span"]), 9)
        self.dead_letters(1)


class Refused(Ingest):
    def test_every_status_of_the_table(self):
        role = self.start("--ingest-request-max", "4KiB", "--ingest-unpacked-max", "64KiB")
        rows = [
            ("traces", b"{", "application/json", None, 400, 3),
            ("traces", b"\x0a\xff", "application/x-protobuf", None, 400, 3),
            ("traces", b"x", "text/plain", None, 415, 12),
            ("traces", b"x", "application/json", "br", 415, 12),
            ("traces", b"not gzip", "application/json", "zstd", 400, 3),
            ("traces", b"x" * 5000, "application/json", None, 413, 8),
            ("logs", b" " * 500_000, "application/json", "gzip", 413, 8),
        ]
        for signal_name, body, kind, coding, status, code in rows:
            with self.subTest(kind=kind, coding=coding, status=status):
                answer = post(role.otlp, signal_name, body, kind, coding)
                self.assertEqual(answer.status, status, answer.body)
                if "json" in answer.headers["Content-Type"]:
                    self.assertEqual(answer.json()["code"], code)
                    self.assertTrue(answer.json()["message"])
                self.assertIsNone(answer.headers["Retry-After"])
        self.assertEqual(post(role.otlp, "nothing", b"").status, 404)
        self.assertEqual(self.metric(role, r'kaiju_ingest_replies_total{protocol="otlp_http",'
                                           r'state="UNDECODABLE"}'), 3)
        self.dead_letters(3)
        self.assertEqual(self.events("spans"), [])
        self.assertEqual(role.get("/healthz"), "ok\n")
        self.assertIn('kaiju_grpc_calls_total{server="otlp"} 0', role.get("/metrics"))

    @uses_librdkafka
    def test_without_a_bus_senders_are_told_when_to_come_again(self):
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            role = self.role("ingest", "--bus-kind", "kafka", "--bus-kafka-brokers",
                             "127.0.0.1:%d" % closed.getsockname()[1], "--otlp-grpc-listen", "off",
                             "--otlp-http-listen", "127.0.0.1:0")
            otlp = role.wait_log(r'msg="receiving OTLP" addr=(\S+)').group(1)
            answer = post(otlp, "traces", spans(1))
            self.assertEqual(answer.status, 503)
            self.assertTrue(1 <= int(answer.headers["Retry-After"]) <= 30)
            self.assertEqual(answer.json()["code"], 14)
            delay = answer.json()["details"][0]
            self.assertEqual(delay["@type"], "type.googleapis.com/google.rpc.RetryInfo")
            self.assertRegex(delay["retryDelay"], r"^\d+(\.\d+)?s$")

    def test_memory_is_refused_before_it_is_gone(self):
        role = self.start("--ingest-memory", "16MiB", "--ingest-request-max", "16MiB")
        host, port = role.otlp.rsplit(":", 1)
        head = ("POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                "Content-Length: %d\r\n\r\n")
        with socket.create_connection((host, int(port))) as greedy:
            greedy.sendall((head % (15 << 20)).encode())
            while self.metric(role, "kaiju_ingest_memory_bytes") < 15 << 20:
                pass
            answer = post(role.otlp, "traces", spans(20000))
            self.assertEqual(answer.status, 503)
            self.assertTrue(answer.headers["Retry-After"])
            self.assertEqual(post(role.otlp, "traces", spans(10)).status, 200)
        while self.metric(role, "kaiju_ingest_memory_bytes") > 0:
            pass  # given back when the client has gone
        self.assertEqual(post(role.otlp, "traces", spans(2000)).status, 200)


class Life(Ingest):
    def test_what_was_acknowledged_survives_kill_9(self):
        self.assertGreater(kill_rounds.rounds(5, seed=1, say=lambda text: None), 100)

    def test_a_request_under_way_is_answered_while_draining(self):
        role = self.start()
        host, port = role.otlp.rsplit(":", 1)
        body = json.dumps(spans(3)).encode()
        with socket.create_connection((host, int(port)), timeout=90) as late:
            late.sendall(b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json"
                         b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:10])
            while self.metric(role, "kaiju_ingest_memory_bytes") == 0:
                pass
            role.process.send_signal(signal.SIGTERM)
            role.wait_log("msg=draining")
            late.sendall(body[10:])
            self.assertIn(late.recv(4096).split(b" ")[1], (b"200", b"503"))
        self.assertEqual(role.process.wait(90), 0)


class Standalone(Accepted):
    role_name = "standalone"


if __name__ == "__main__":
    unittest.main(verbosity=2)
