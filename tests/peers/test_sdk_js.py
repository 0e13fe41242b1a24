# SPDX-License-Identifier: Apache-2.0
# needs: python js
"""The OpenTelemetry SDK for JavaScript over its three exporters (JSON, protobuf, gRPC): what js/send.js
says its exporters were given is on the bus, field by field."""
import json
import os
import subprocess
import unittest

from peer import PeerCase
from program import SOURCE

JS = os.path.join(os.environ["PEERS_DIR"], "js")


def given(**pairs):
    return {key: value for key, value in pairs.items() if value not in (None, "", [])}


class SdkJs(PeerCase):
    def send(self, protocol):
        kaiju = self.start()
        addr = kaiju.grpc if protocol == "grpc" else kaiju.http
        done = subprocess.run(["node", os.path.join(SOURCE, "tests/peers/js/send.js"), protocol, f"http://{addr}"],
                              capture_output=True, text=True, timeout=60, check=False,
                              env={**os.environ, "NODE_PATH": os.path.join(JS, "node_modules")})
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def match(self, wanted, events):
        """wanted: (type, ts, trace_id, span_id, scope, payload)"""
        found = {(e.type, e.ts, json.dumps(e.json()["payload"], sort_keys=True)): e for e in events}
        self.assertEqual(len(wanted), len(events))
        self.assertEqual(len({e.id for e in events}), len(events))
        self.assertEqual(len(found), len(events))
        for type_, ts, trace_id, span_id, scope, payload in wanted:
            e = found.get((type_, ts, json.dumps(payload, sort_keys=True)))
            if e is None:
                near = [p for p in (e.payload for e in events if (e.type, e.ts) == (type_, ts))
                        if [p.get(k) for k in ("name", "body")] ==
                        [payload.get(k) for k in ("name", "body")]]
                self.assertTrue(near, (type_, ts, payload))
                self.same(payload, near[0])
            self.same(payload, e.payload)
            self.assertEqual((e.flags, e.trace_id and e.trace_id.hex(), e.span_id and e.span_id.hex()),
                             ([], trace_id, span_id))
            self.same({"service.name": "js", "answer": 42, "share": 0.25, "kaiju.tenant": "default",
                       "otel.scope.name": scope["name"], "otel.scope.version": scope["version"]},
                      e.context)

    def spans(self, s):
        events = [{"name": e["name"], "timestamp_ns": int(e["time"]), **given_attributes(e)}
                  for e in s["events"]]
        links = [{"trace_id": k["trace_id"], "span_id": k["span_id"],
                  "flags": k["flags"] | (0x300 if k["remote"] else 0x100),
                  **given(trace_state=k.get("trace_state")), **given_attributes(k)} for k in s["links"]]
        remote = s.get("parent") == "fedcba9876543210"
        own = given(name=s["name"], kind=s["kind"], status_code=s["status"], events=events, links=links,
                    status_message=s.get("message"), parent_span_id=s.get("parent"),
                    trace_state=s.get("trace_state"))
        own.update(duration_ns=int(s["end"]) - int(s["start"]), flags=s["flags"] | (0x300 if remote else 0x100))
        return ("Span", int(s["start"]), s["trace_id"], s["span_id"], s["scope"],
                {**s["attributes"], **own})

    def exceptions(self, s):
        return [("ExceptionEvent", int(e["time"]), s["trace_id"], s["span_id"], s["scope"],
                 {k.replace(".", "_"): v for k, v in e["attributes"].items()})
                for e in s["events"] if e["name"] == "exception"]

    def log(self, r):
        own = given(severity_text=r.get("text"), event_name=r.get("event"))
        own.update(body=r["body"], severity_number=r["severity"],
                   observed_timestamp_ns=int(r["observed"]))
        if r.get("trace_id"):
            own["flags"] = 1
        return ("LogRecord", int(r["time"]), r.get("trace_id"), r.get("span_id"), r["scope"],
                {**r["attributes"], **own})

    def point(self, p):
        kind = p["kind"].lower()
        own = given(name=p["name"], unit=p["unit"], description=p["description"])
        own["metric_type"] = kind
        own["start_timestamp_ns"] = int(p["start"])
        if kind != "gauge":
            own["temporality"] = "cumulative"
        if kind == "sum":
            own["monotonic"] = p["monotonic"]
        if kind in ("sum", "gauge"):
            own["value"] = float(p["value"]) if p["is_double"] else p["value"]
        else:
            own.update(count=p["count"], **{k: float(p[k]) for k in ("sum", "min", "max")})
        if kind == "histogram":
            own.update(bucket_counts=p["buckets"]["counts"],
                       bounds=[float(b) for b in p["buckets"]["boundaries"]])
        if kind == "exponential_histogram":
            own.update(scale=p["scale"], zero_count=p["zeroCount"])
            for sign in ("positive", "negative"):
                if p[sign]["bucketCounts"]:
                    own[sign + "_offset"] = p[sign]["offset"]
                    own[sign + "_counts"] = p[sign]["bucketCounts"]
        return ("Metric", int(p["time"]), None, None, p["scope"], {**p["attributes"], **own})

    def check(self, protocol):
        seen = self.send(protocol)
        self.assertEqual([len(seen[k]) for k in ("spans", "points", "logs")], [106, 9, 8])
        self.match([self.spans(s) for s in seen["spans"]], self.events("spans"))
        self.match([self.point(p) for p in seen["points"]], self.events("metrics"))
        self.match([self.log(r) for r in seen["logs"]] +
                   [e for s in seen["spans"] for e in self.exceptions(s)], self.events("logs"))
        self.empty("dlq")

    def test_json(self):
        self.check("http")

    def test_protobuf(self):
        self.check("proto")

    def test_grpc(self):
        self.check("grpc")


def given_attributes(of):
    return {"attributes": of["attributes"]} if of.get("attributes") else {}


if __name__ == "__main__":
    unittest.main(verbosity=2)
