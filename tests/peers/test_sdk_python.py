# SPDX-License-Identifier: Apache-2.0
# needs: python
"""The OpenTelemetry SDK for Python, over gRPC and over HTTP: what its exporters were given is on
the bus, field by field, no more and no less.

A tee in front of each exporter keeps the SDK's own objects. The events expected are made of these,
not of the protobuf that left: the SDK's encoder is part of what is tested.
"""
import logging
import math
import time
import unittest

from grpc import Compression as GrpcCompression
from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc import (
    _log_exporter as grpc_logs, metric_exporter as grpc_metrics, trace_exporter as grpc_traces)
from opentelemetry.exporter.otlp.proto.http import (
    Compression, _log_exporter as http_logs, metric_exporter as http_metrics,
    trace_exporter as http_traces)
from opentelemetry.metrics import Observation
from opentelemetry.sdk import metrics as sdk_metrics, trace as sdk_trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import LogRecordExportResult, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import export as metric_export, view
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.span import TraceState

from peer import PeerCase

logging.getLogger("opentelemetry").setLevel(logging.ERROR)  # it warns of each dropped attribute

RESOURCE = {"service.name": "cart", "service.namespace": "shop", "env": "test", "answer": 42,
            "share": 0.25, "ok": True, "zones": ["a", "b"]}
EVERY_TYPE = {
    "text": "é€😀\"\\\n\t", "empty": "", "nul": "a\0b", "long": "x" * 5000, "true": True,
    "false": False, "zero": 0, "one": 1, "max": 2**63 - 1, "min": -(2**63), "past_double": 2**53 + 1,
    "double": 0.1, "whole": 1.0, "minus_zero": -0.0, "tiny": 5e-324, "huge": 1.7976931348623157e308,
    "inf": math.inf, "strings": ["a", "", "ü"], "ints": [0, -1, 2**62], "doubles": [0.5, 2.0],
    "bools": [True, False], "none": [], "name": "a key that is taken", "value": 7,
}
RESERVED = {"name", "value", "min", "max"}  # of EVERY_TYPE; written as attributes.KEY


def attributes(attrs):
    return {("attributes." + key if key in RESERVED else key): value
            for key, value in (attrs or {}).items()}


def inner(attrs):
    """Attributes in a map of their own keep their keys."""
    return {"attributes": dict(attrs)} if attrs else {}


def hexa(number, digits):
    return f"{number:0{digits}x}"


def tee(exporter, seen, success):
    """Keeps what is exported; the export itself must succeed."""
    export = exporter.export

    def keep(batch, *args, **kw):
        result = export(batch, *args, **kw)
        assert result == success, result
        seen.append(batch)
        return result

    exporter.export = keep
    return exporter


def resource_context(resource, scope):
    out = {("deployment.environment.name" if k == "env" else k): v
           for k, v in resource.attributes.items()}
    out["kaiju.tenant"] = "default"
    if resource.schema_url:
        out["otel.resource.schema_url"] = resource.schema_url
    if scope.name:
        out["otel.scope.name"] = scope.name
    if scope.version:
        out["otel.scope.version"] = scope.version
    if scope.schema_url:
        out["otel.scope.schema_url"] = scope.schema_url
    out.update({"otel.scope." + k: v for k, v in (scope.attributes or {}).items()})
    return out


def expected(type_, ts, context, payload, trace_id=0, span_id=0):
    return {"type": type_, "ts": ts, "context": context, "payload": payload,
            "trace_id": hexa(trace_id, 32) if trace_id else None,
            "span_id": hexa(span_id, 16) if span_id else None}


def found(event):
    """The same of an event that was read."""
    return {"type": event.type, "ts": event.ts, "context": event.context, "payload": event.payload,
            "trace_id": event.trace_id.hex() if any(event.trace_id or b"") else None,
            "span_id": event.span_id.hex() if any(event.span_id or b"") else None}


def link_flags(context):
    return 0x100 | (0x200 if context and context.is_remote else 0)


def exception_of(attrs, event):
    """The ExceptionEvent of a span's event or a log record."""
    attrs = dict(attrs)
    own = {}
    for key, name in (("exception.type", "exception_type"), ("exception.message", "exception_message"),
                      ("exception.stacktrace", "exception_stacktrace"),
                      ("exception.escaped", "escaped")):
        if key in attrs:
            own[name] = attrs.pop(key)
    if "escaped" in own:
        own["escaped"] = own["escaped"] in (True, "True")
    return {**event, "type": "ExceptionEvent", "payload": {**attributes(attrs), **own}}


def expect_span(s):
    """(the span's event, those of its exceptions)"""
    own = {"name": s.name, "kind": s.kind.name.lower(), "status_code": s.status.status_code.name.lower(),
           "duration_ns": s.end_time - s.start_time, "flags": link_flags(s.parent)}
    if s.status.description:
        own["status_message"] = s.status.description
    if s.parent:
        own["parent_span_id"] = hexa(s.parent.span_id, 16)
    if s.context.trace_state:
        own["trace_state"] = s.context.trace_state.to_header()
    for name in ("attributes", "events", "links"):
        if getattr(s, "dropped_" + name):
            own[f"dropped_{name}_count"] = getattr(s, "dropped_" + name)
    if s.events:
        own["events"] = [{"name": e.name, "timestamp_ns": e.timestamp, **inner(e.attributes),
                          **({"dropped_attributes_count": e.dropped_attributes}
                             if e.dropped_attributes else {})} for e in s.events]
    if s.links:
        own["links"] = [{"trace_id": hexa(k.context.trace_id, 32), "flags": link_flags(k.context),
                         "span_id": hexa(k.context.span_id, 16), **inner(k.attributes)}
                        for k in s.links]
    context = resource_context(s.resource, s.instrumentation_scope)
    event = expected("Span", s.start_time, context, {**attributes(s.attributes), **own},
                     s.context.trace_id, s.context.span_id)
    exceptions = [exception_of(e.attributes, {**event, "ts": e.timestamp}) for e in s.events
                  if e.name == "exception"]
    return event, exceptions


def expect_log(data):
    r = data.log_record
    # A record without a body is sent with an empty one, which is null.
    own = {"severity_number": r.severity_number.value if r.severity_number else 0, "body": r.body}
    for key, value in (("severity_text", r.severity_text), ("event_name", r.event_name),
                       ("observed_timestamp_ns", r.observed_timestamp), ("flags", int(r.trace_flags or 0))):
        if value:
            own[key] = value
    context = resource_context(data.resource, data.instrumentation_scope)
    event = expected("LogRecord", r.timestamp or r.observed_timestamp, context,
                     {**attributes(r.attributes), **own}, r.trace_id, r.span_id)
    special = any(k.startswith("exception.") for k in r.attributes or {})
    return [event] + ([exception_of(r.attributes, event)] if special else [])


def expect_exemplars(point, own):
    if not point.exemplars:
        return
    own["exemplars"] = [{"value": e.value, "timestamp_ns": e.time_unix_nano,
                         **inner(e.filtered_attributes),
                         **({"trace_id": hexa(e.trace_id, 32), "span_id": hexa(e.span_id, 16)}
                            if e.trace_id else {})} for e in point.exemplars]
    best = max(point.exemplars, key=lambda e: (bool(e.trace_id), e.time_unix_nano))
    own["exemplar_value"] = best.value
    if best.trace_id:
        own["exemplar_trace_id"] = hexa(best.trace_id, 32)
        own["exemplar_span_id"] = hexa(best.span_id, 16)


KINDS_OF_DATA = {metric_export.Gauge: "gauge", metric_export.Sum: "sum",
                 metric_export.Histogram: "histogram",
                 metric_export.ExponentialHistogram: "exponential_histogram"}


def expect_point(m, p, context):
    """(the point's event, those of its exemplars)"""
    kind = KINDS_OF_DATA[type(m.data)]
    own = {"name": m.name, "metric_type": kind}
    if m.unit:
        own["unit"] = m.unit
    if m.description:
        own["description"] = m.description
    if kind != "gauge":
        own["temporality"] = m.data.aggregation_temporality.name.lower()
        own["start_timestamp_ns"] = p.start_time_unix_nano
    if kind == "sum":
        own["monotonic"] = m.data.is_monotonic
    if kind in ("gauge", "sum"):
        own["value"] = p.value
    else:
        own.update(count=p.count, sum=float(p.sum), min=float(p.min), max=float(p.max))
    if kind == "histogram":
        own["bucket_counts"] = list(p.bucket_counts)
        own["bounds"] = [float(b) for b in p.explicit_bounds]
    if kind == "exponential_histogram":
        own.update(scale=p.scale, zero_count=p.zero_count)
        for sign, buckets in (("positive", p.positive), ("negative", p.negative)):
            if buckets.bucket_counts:
                own[sign + "_offset"] = buckets.offset
                own[sign + "_counts"] = list(buckets.bucket_counts)
    expect_exemplars(p, own)
    event = expected("Metric", p.time_unix_nano, context, {**attributes(p.attributes), **own})
    small = [expected("Exemplar", e.time_unix_nano, context,
                      {**attributes(e.filtered_attributes), "name": m.name, "value": e.value,
                       **({"unit": m.unit} if m.unit else {})}, e.trace_id, e.span_id)
             for e in p.exemplars if e.trace_id]
    return event, small


def order(event):
    return repr((event["type"], event["ts"], event["span_id"], sorted(event["payload"].items(), key=repr)))


class Sdk:
    """The tests; the classes below run them over each transport."""

    def setUp(self):
        super().setUp()
        self.kaiju = self.start()
        self.resource = Resource.create(RESOURCE)

    def compare(self, want, *topics):
        got = [e for topic in topics for e in self.events(topic)]
        for e in got:
            self.assertEqual(e.flags, [])
            self.assertTrue(abs(e.ingest_ts - time.time_ns()) < 120e9)
        self.assertEqual(len({e.id for e in got}), len(got))
        want, got = sorted(want, key=order), sorted(map(found, got), key=order)
        self.assertEqual(len(want), len(got))
        for w, g in zip(want, got):
            self.same(w, g)
        self.empty("dlq")
        print(f"{type(self).__name__}: {len(got)} events, "
              f"{sum(len(w['payload']) + len(w['context']) + 4 for w in want)} fields equal")

    def test_traces(self):
        seen = []
        limits = sdk_trace.SpanLimits(max_events=8, max_links=4, max_span_attributes=40)
        provider = sdk_trace.TracerProvider(resource=self.resource, sampler=ALWAYS_ON,
                                            span_limits=limits, shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(
            tee(self.exporter("traces"), seen, SpanExportResult.SUCCESS)))
        tracer = provider.get_tracer("peers", "1.2.3", "https://example.com/schema",
                                     attributes={"lib": "x", "level": 3})
        bare = provider.get_tracer("bare")
        remote = SpanContext(0x0123456789ABCDEF0123456789ABCDEF, 0xFEDCBA9876543210, True,
                             TraceFlags(1), TraceState([("vendor", "a:b"), ("other", "1")]))
        parent = trace.set_span_in_context(trace.NonRecordingSpan(remote))
        for kind in SpanKind:
            with tracer.start_as_current_span(f"kind {kind.name}", parent, kind, EVERY_TYPE) as span:
                span.add_event("plain", EVERY_TYPE)
                span.add_event("early", timestamp=1_700_000_000_123_456_789)
                with bare.start_as_current_span("child") as child:
                    child.set_status(Status(StatusCode.OK))
        links = [Link(remote, {"why": "batch", "n": 3}), Link(remote)]
        with bare.start_as_current_span("root", links=links) as root:
            root.add_link(root.get_span_context(), {"to": "itself"})
        try:
            with tracer.start_as_current_span("fails", attributes={"k": [1, 2]}):
                raise ValueError("a\nb\0ö")
        except ValueError:
            pass
        span = bare.start_span("times", start_time=1_600_000_000_000_000_001)
        span.record_exception(KeyError("handled"), {"code": 5, "name": "x"},
                              timestamp=1_600_000_000_000_000_002)
        span.set_status(Status(StatusCode.ERROR, "läuft nicht"))
        span.end(1_600_000_001_000_000_009)
        span = bare.start_span("too much", links=[Link(remote)] * 7)
        for n in range(20):
            span.add_event(f"event {n}")
        span.set_attributes({f"key {n}": n for n in range(60)})
        span.end()
        for n in range(200):
            bare.start_span(f"one of many {n}").end()
        provider.shutdown()
        spans = [expect_span(s) for batch in seen for s in batch]
        self.assertEqual(len(spans), 214)
        self.compare([s for s, _ in spans], "spans")
        exceptions = [e for _, es in spans for e in es]
        self.assertEqual(len(exceptions), 2)
        self.compare(exceptions, "logs")

    def test_metrics(self):
        seen = []
        exporter = tee(self.exporter("metrics"), seen, metric_export.MetricExportResult.SUCCESS)
        reader = metric_export.PeriodicExportingMetricReader(exporter, math.inf)
        exponential = view.View(instrument_name="exp*",
                                aggregation=view.ExponentialBucketHistogramAggregation())
        provider = sdk_metrics.MeterProvider(
            [reader], self.resource, exemplar_filter=sdk_metrics.AlwaysOnExemplarFilter(),
            views=[exponential, view.View(instrument_name="filtered", attribute_keys={"kept"})],
            shutdown_on_exit=False)
        meter = provider.get_meter("meter", "9", "https://example.com/m", {"part": "a"})
        tracer = sdk_trace.TracerProvider(sampler=ALWAYS_ON).get_tracer("t")
        counter = meter.create_counter("counter", "By", "bytes of it")
        ups = meter.create_up_down_counter("ups")
        gauge = meter.create_gauge("gauge", "Cel")
        histogram = meter.create_histogram("histogram", "s", "time")
        exp = meter.create_histogram("exp", "ms")
        filtered = meter.create_counter("filtered")
        meter.create_observable_counter("seen", [lambda o: [Observation(5, {"a": 1}), Observation(2**53 + 1)]])
        meter.create_observable_up_down_counter("level", [lambda o: [Observation(-1.5)]])
        meter.create_observable_gauge("heat", [lambda o: [Observation(n, {"core": n}) for n in range(30)]])
        for n in range(3):
            with tracer.start_as_current_span("s"):
                counter.add(n, {"whole": True})
                counter.add(0.5, {"whole": False, "value": "taken"})
                histogram.record(n * 0.75, {"n": n})
                histogram.record(10000.5)
                filtered.add(1, {"kept": "yes", "dropped": n})
                for value in (0, 1e-3, 0.7, 3, 1e6, 123456.789 * (n + 1)):
                    exp.record(value, {"route": "/"})
            ups.add(-n)
            gauge.set(-2**40 - n)
            gauge.set(0.1 * n, {"double": "yes"})
            exp.record(n)
            reader.collect()
        provider.shutdown()
        events, small, kinds = [], [], set()
        for batch in seen:
            for of_resource in batch.resource_metrics:
                for of_scope in of_resource.scope_metrics:
                    context = resource_context(of_resource.resource, of_scope.scope)
                    for m in of_scope.metrics:
                        kinds.add(type(m.data))
                        for p in m.data.data_points:
                            event, exemplars = expect_point(m, p, context)
                            events.append(event)
                            small += exemplars
        self.assertEqual(kinds, set(KINDS_OF_DATA))
        self.assertGreater(len(small), 20)
        self.compare(events, "metrics")
        self.compare(small, "spans")

    def test_logs(self):
        seen = []
        provider = LoggerProvider(self.resource, shutdown_on_exit=False)
        provider.add_log_record_processor(SimpleLogRecordProcessor(
            tee(self.exporter("logs"), seen, LogRecordExportResult.SUCCESS)))
        logger = provider.get_logger("app", "7", "https://example.com/l", {"x": 1})
        now = time.time_ns()
        bodies = ["plain", "", "ö\0\n", 5, -2**63, 2.0, True, None, b"\x00\xff\x80", ["a", 1, [2.5, None]],
                  {"a": {"b": [1, {"c": b"x"}]}, "n": None}]
        for n, body in enumerate(bodies):
            logger.emit(LogRecord(timestamp=now + n, observed_timestamp=now + 100 + n, body=body,
                                  severity_number=SeverityNumber.WARN, severity_text="W",
                                  attributes={**EVERY_TYPE, "raw": b"\x00\x01", "mixed": [1, "a", None],
                                              "deep": {"k": {"l": [True]}}}))
        for number in SeverityNumber:
            logger.emit(LogRecord(timestamp=now, observed_timestamp=now + 1, severity_number=number,
                                  body=number.name, event_name="peers.event"))
        logger.emit(LogRecord(observed_timestamp=now + 5, body="only observed"))
        tracer = sdk_trace.TracerProvider(sampler=ALWAYS_ON).get_tracer("t")
        with tracer.start_as_current_span("s"):
            for n in range(3):
                logger.emit(LogRecord(timestamp=now + n, body="in a span"))
            try:
                raise RuntimeError("first")
            except RuntimeError as e:
                logger.emit(LogRecord(timestamp=now, body="it failed", exception=e,
                                      severity_number=SeverityNumber.ERROR, attributes={"k": 1}))
        for n in range(100):
            logger.emit(LogRecord(timestamp=now, body="equal"))
        provider.shutdown()
        records = [r for batch in seen for r in batch]
        self.assertEqual(len(records), len(bodies) + len(SeverityNumber) + 105)
        want = [e for r in records for e in expect_log(r)]
        self.assertEqual(len([e for e in want if e["type"] == "ExceptionEvent"]), 1)
        self.compare(want, "logs")


class Grpc(Sdk, PeerCase):
    compression = GrpcCompression.NoCompression

    def exporter(self, signal):
        kind = {"traces": grpc_traces.OTLPSpanExporter, "metrics": grpc_metrics.OTLPMetricExporter,
                "logs": grpc_logs.OTLPLogExporter}[signal]
        return kind(endpoint=f"http://{self.kaiju.grpc}", insecure=True, timeout=20,
                    compression=self.compression)


class GrpcGzip(Grpc):
    compression = GrpcCompression.Gzip


class Http(Sdk, PeerCase):
    compression = Compression.NoCompression

    def exporter(self, signal):
        kind = {"traces": http_traces.OTLPSpanExporter, "metrics": http_metrics.OTLPMetricExporter,
                "logs": http_logs.OTLPLogExporter}[signal]
        return kind(endpoint=f"http://{self.kaiju.http}/v1/{signal}", timeout=20,
                    compression=self.compression)


class HttpGzip(Http):
    compression = Compression.Gzip


class HttpDeflate(Http):
    compression = Compression.Deflate


if __name__ == "__main__":
    unittest.main(verbosity=2)
