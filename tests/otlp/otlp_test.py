# SPDX-License-Identifier: Apache-2.0
"""otlp_test.py OTLP_DUMP DIR: random requests built and encoded by opentelemetry-proto, mapped by us in
both forms. Both forms must give the same batches, and the events must say what the messages say:
the expectation is computed here from the messages, field by field, independently of the mapper."""
import base64
import json
import math
import random
import struct
import subprocess
import sys

from google.protobuf.descriptor import FieldDescriptor as F
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

REQUESTS = 60
NOW = 1787000000000000000
KINDS = ["unspecified", "internal", "server", "client", "producer", "consumer"]
rnd = random.Random(20)


# --- JSON as OTLP has it, from the descriptors ---

def json_number(field, v):
    if field.type in (F.TYPE_DOUBLE, F.TYPE_FLOAT):
        if math.isnan(v) or math.isinf(v):
            return "NaN" if math.isnan(v) else "Infinity" if v > 0 else "-Infinity"
        return v
    wide = field.type in (F.TYPE_INT64, F.TYPE_UINT64, F.TYPE_FIXED64, F.TYPE_SFIXED64)
    return str(v) if wide and rnd.random() < 0.7 else v


def json_value(field, v):
    if field.type == F.TYPE_MESSAGE:
        return to_json(v)
    if field.type == F.TYPE_BYTES:
        if field.name.endswith(("trace_id", "span_id")):
            return v.hex() if rnd.random() < 0.5 else v.hex().upper()
        return base64.b64encode(v).decode()
    if field.type in (F.TYPE_STRING, F.TYPE_BOOL):
        return v
    return json_number(field, v)


def to_json(message):
    fields = [(f.camelcase_name, [json_value(f, x) for x in v] if f.is_repeated
               else json_value(f, v)) for f, v in message.ListFields()]
    rnd.shuffle(fields)
    return dict(fields)


# --- random messages ---

def text():
    return rnd.choice(["", "a", "checkout", "GET /cart", "päckchen", "\u0000nul", "x" * 200, "\"\\"])


def number():
    return rnd.choice([0, 1, -1, 2**63 - 1, -2**63, 300, rnd.randrange(2**40)])


def real():
    return rnd.choice([0.0, -0.0, 1.5, math.nan, math.inf, -math.inf, 1e300, 5e-324,
                       rnd.random() * 1000])


def any_value(v, depth=0):
    kind = rnd.randrange(8 if depth < 4 else 6)
    if kind == 0:
        v.string_value = text()
    elif kind == 1:
        v.bool_value = rnd.random() < 0.5
    elif kind == 2:
        v.int_value = number()
    elif kind == 3:
        v.double_value = real()
    elif kind == 4:
        v.bytes_value = rnd.randbytes(rnd.randrange(5))
    elif kind == 6:
        v.array_value.SetInParent()
        for _ in range(rnd.randrange(4)):
            any_value(v.array_value.values.add(), depth + 1)
    elif kind == 7:
        v.kvlist_value.SetInParent()
        attributes(v.kvlist_value.values, depth + 1)


def attributes(to, depth=0, prefix="k."):
    for i in range(rnd.randrange(6)):
        kv = to.add(key=f"{prefix}{i}")
        any_value(kv.value, depth)


def ids(m):
    m.trace_id = bytes([1]) + rnd.randbytes(15)
    m.span_id = bytes([1]) + rnd.randbytes(7)


def time():
    return NOW - rnd.randrange(1, 10**12)


def fill_holder(holder):
    for i in range(rnd.randrange(4)):
        any_value(holder.resource.attributes.add(key=f"r.{i}").value)
    holder.resource.attributes.add(key="service.name").value.string_value = "svc"


def make_traces():
    q = ExportTraceServiceRequest()
    for _ in range(rnd.randrange(1, 4)):
        rs = q.resource_spans.add()
        fill_holder(rs)
        for _ in range(rnd.randrange(1, 3)):
            ss = rs.scope_spans.add()
            ss.scope.name = text()
            for _ in range(rnd.randrange(5)):
                make_span(ss.spans.add())
    return q


def make_span(s):
    ids(s)
    s.name, s.kind, s.trace_state = text(), rnd.randrange(6), text()
    s.parent_span_id = rnd.choice([b"", b"\1" + rnd.randbytes(7)])
    s.start_time_unix_nano = time()
    s.end_time_unix_nano = s.start_time_unix_nano + rnd.randrange(10**9)
    s.flags = rnd.choice([0, 1, 0x300, 2**32 - 1])
    s.dropped_attributes_count = rnd.choice([0, 7])
    s.dropped_events_count = rnd.choice([0, 8])
    s.dropped_links_count = rnd.choice([0, 9])
    attributes(s.attributes)
    if rnd.random() < 0.5:
        s.status.code, s.status.message = rnd.randrange(3), text()
    for _ in range(rnd.randrange(3)):
        e = s.events.add(name=text(), time_unix_nano=time(),
                         dropped_attributes_count=rnd.choice([0, 2]))
        attributes(e.attributes)
    for _ in range(rnd.randrange(3)):
        link = s.links.add(trace_state=text(), flags=rnd.choice([0, 5]))
        ids(link)
        attributes(link.attributes)


def make_logs():
    q = ExportLogsServiceRequest()
    for _ in range(rnd.randrange(1, 4)):
        rl = q.resource_logs.add()
        fill_holder(rl)
        sl = rl.scope_logs.add()
        for _ in range(rnd.randrange(6)):
            log = sl.log_records.add(time_unix_nano=time(), severity_text=text(),
                                     severity_number=rnd.randrange(1, 25), event_name=text(),
                                     flags=rnd.choice([0, 1]))
            log.observed_time_unix_nano = rnd.choice([0, time()])
            attributes(log.attributes)
            if rnd.random() < 0.8:
                any_value(log.body)
                log.body.SetInParent()
            if rnd.random() < 0.5:
                ids(log)
    return q


def make_point(p, with_value=True):
    p.start_time_unix_nano, p.time_unix_nano = rnd.choice([0, time()]), time()
    p.flags = rnd.choice([0, 2])
    attributes(p.attributes)
    if with_value and rnd.random() < 0.5:
        p.as_int = number()
    elif with_value:
        p.as_double = real()
    if hasattr(p, "exemplars"):
        for _ in range(rnd.randrange(2)):
            e = p.exemplars.add(time_unix_nano=time(), as_double=real())
            attributes(e.filtered_attributes)


def make_distribution(p):
    make_point(p, with_value=False)
    p.count = rnd.randrange(2**40)
    for name in ("sum", "min", "max"):
        if rnd.random() < 0.6:
            setattr(p, name, real())


def make_metrics():
    q = ExportMetricsServiceRequest()
    rm = q.resource_metrics.add()
    fill_holder(rm)
    sm = rm.scope_metrics.add()
    for kind in ("gauge", "sum", "histogram", "exponential_histogram", "summary") * 2:
        m = sm.metrics.add(name="m." + kind, unit=text(), description=text())
        data = getattr(m, kind)
        data.SetInParent()
        if hasattr(data, "aggregation_temporality"):
            data.aggregation_temporality = rnd.randrange(3)
        if kind == "sum":
            data.is_monotonic = rnd.random() < 0.5
        for _ in range(rnd.randrange(1, 4)):
            p = data.data_points.add()
            if kind in ("gauge", "sum"):
                make_point(p)
            elif kind == "histogram":
                make_distribution(p)
                n = rnd.randrange(4)
                p.explicit_bounds.extend(float(i * 3) for i in range(n))
                p.bucket_counts.extend(rnd.randrange(2**50) for _ in range(n + 1))
            elif kind == "exponential_histogram":
                make_distribution(p)
                p.scale, p.zero_count = rnd.randrange(-4, 9), rnd.randrange(100)
                p.zero_threshold = rnd.choice([0.0, 0.25])
                for side in (p.positive, p.negative):
                    side.offset = rnd.randrange(-20, 20)
                    side.bucket_counts.extend(rnd.randrange(2**35) for _ in range(rnd.randrange(4)))
            else:
                make_point(p, with_value=False)
                p.count, p.sum = rnd.randrange(100), real()
                for x in (0.5, 0.99):
                    p.quantile_values.add(quantile=x, value=real())
    return q


# --- what the events must say ---

def plain(v):
    """An AnyValue as our JSON shows it."""
    kind = v.WhichOneof("value")
    if kind == "array_value":
        return [plain(x) for x in v.array_value.values]
    if kind == "kvlist_value":
        return {kv.key: plain(kv.value) for kv in v.kvlist_value.values}
    if kind == "bytes_value":
        return base64.b64encode(v.bytes_value).decode()
    return shown(getattr(v, kind)) if kind else None


def shown(v):
    if isinstance(v, float):
        if math.isnan(v) or math.isinf(v):
            return "NaN" if math.isnan(v) else "Infinity" if v > 0 else "-Infinity"
    return v


def plain_all(attrs):
    return {kv.key: plain(kv.value) for kv in attrs}


def drop_empty(d):
    """Fields that say nothing are left out."""
    return {k: v for k, v in d.items() if v not in ("", None) and not (v == 0 and k in ZEROES)}


ZEROES = {"flags", "dropped_attributes_count", "dropped_events_count", "dropped_links_count",
          "start_timestamp_ns", "observed_timestamp_ns", "zero_threshold"}


def want_part(p, extra):
    d = {"attributes": plain_all(p.attributes) or None,
         "dropped_attributes_count": p.dropped_attributes_count}
    return {**drop_empty(d), **extra}


def want_traces(q):
    for rs in q.resource_spans:
        for ss in rs.scope_spans:
            context = want_context(rs, ss)
            for s in ss.spans:
                events = [want_part(e, {"name": e.name, "timestamp_ns": e.time_unix_nano})
                          for e in s.events]
                links = [{**want_part(k, drop_empty({"flags": k.flags, "trace_state": k.trace_state})),
                          "trace_id": k.trace_id.hex(), "span_id": k.span_id.hex()}
                         for k in s.links]
                own = drop_empty({
                    "status_message": s.status.message, "trace_state": s.trace_state,
                    "parent_span_id": s.parent_span_id.hex(), "flags": s.flags,
                    "dropped_attributes_count": s.dropped_attributes_count,
                    "dropped_events_count": s.dropped_events_count,
                    "dropped_links_count": s.dropped_links_count,
                    "events": events or None, "links": links or None})
                yield ("Span", s.start_time_unix_nano, s.trace_id.hex(), s.span_id.hex(), context,
                       {**plain_all(s.attributes), **own, "name": s.name, "kind": KINDS[s.kind],
                        "status_code": ["unset", "ok", "error"][s.status.code],
                        "duration_ns": s.end_time_unix_nano - s.start_time_unix_nano})


def want_context(holder, scope):
    own = {"kaiju.tenant": "default"}
    if scope.scope.name:
        own["otel.scope.name"] = scope.scope.name
    return {**plain_all(holder.resource.attributes), **own}


def want_logs(q):
    for rl in q.resource_logs:
        for sl in rl.scope_logs:
            context = want_context(rl, sl)
            for r in sl.log_records:
                own = drop_empty({"severity_text": r.severity_text, "event_name": r.event_name,
                                  "flags": r.flags,
                                  "observed_timestamp_ns": r.observed_time_unix_nano})
                if r.HasField("body"):
                    own["body"] = plain(r.body)
                yield ("LogRecord", r.time_unix_nano, r.trace_id.hex(), r.span_id.hex(), context,
                       {**plain_all(r.attributes), **own, "severity_number": r.severity_number})


def want_exemplars(p):
    if not getattr(p, "exemplars", None):
        return {}
    shown_all = []
    for e in p.exemplars:
        d = {"timestamp_ns": e.time_unix_nano, "value": shown(e.as_double)}
        if e.filtered_attributes:
            d["attributes"] = plain_all(e.filtered_attributes)
        shown_all.append(d)
    return {"exemplars": shown_all, "exemplar_value": shown_all[-1]["value"]}


def want_point(kind, p):
    own = {}
    if kind in ("gauge", "sum"):
        own["value"] = p.as_int if p.WhichOneof("value") == "as_int" else shown(p.as_double)
    else:
        own["count"] = p.count
        for name in ("sum", "min", "max"):
            if kind == "summary":
                own["sum"] = shown(p.sum)
            elif p.HasField(name):
                own[name] = shown(getattr(p, name))
    if kind == "histogram":
        own.update(bounds=list(p.explicit_bounds), bucket_counts=list(p.bucket_counts))
    if kind == "summary":
        own.update(quantiles=[x.quantile for x in p.quantile_values],
                   quantile_values=[shown(x.value) for x in p.quantile_values])
    if kind == "exponential_histogram":
        own.update(scale=p.scale, zero_count=p.zero_count)
        for side, name in ((p.positive, "positive"), (p.negative, "negative")):
            if side.bucket_counts:
                own[name + "_offset"] = side.offset
                own[name + "_counts"] = list(side.bucket_counts)
        own.update(drop_empty({"zero_threshold": p.zero_threshold}))
    return own


def want_metrics(q):
    for rm in q.resource_metrics:
        for sm in rm.scope_metrics:
            context = want_context(rm, sm)
            for m in sm.metrics:
                kind = m.WhichOneof("data")
                data = getattr(m, kind)
                common = {**drop_empty({"unit": m.unit, "description": m.description}),
                          "name": m.name, "metric_type": kind}
                if hasattr(data, "aggregation_temporality"):
                    common["temporality"] = ["unspecified", "delta", "cumulative"][
                        data.aggregation_temporality]
                if kind == "sum":
                    common["monotonic"] = data.is_monotonic
                for p in data.data_points:
                    own = drop_empty({"start_timestamp_ns": p.start_time_unix_nano,
                                      "flags": p.flags})
                    yield ("Metric", p.time_unix_nano, "", "", context,
                           {**plain_all(p.attributes), **common, **own, **want_point(kind, p),
                            **want_exemplars(p)})


# --- the comparison ---

def dump(tool, signal, form, paths):
    out = subprocess.run([tool, signal, form, *paths], check=True, capture_output=True).stdout
    return [block.split("\n") for block in out.decode().rstrip("\n").split("\n\n")]


def typed(v):
    """Distinguishes 1, 1.0, True and -0.0."""
    if isinstance(v, dict):
        return {k: typed(x) for k, x in v.items()}
    if isinstance(v, list):
        return [typed(x) for x in v]
    return (type(v).__name__, struct.pack("<d", v) if isinstance(v, float) else v)


def got(line):
    e = json.loads(line)
    return (e["type"], e["ts"], e.get("trace_id", ""), e.get("span_id", ""), e["context"],
            e["payload"])


def compare(where, want, lines):
    if len(want) != len(lines):
        sys.exit(f"{where}: {len(want)} events expected, {len(lines)} came")
    for w, line in zip(want, lines):
        g = got(line)
        for name, x, y in zip(("type", "ts", "trace", "span", "context", "payload"), w, g):
            if typed(x) != typed(y):
                sys.exit(f"{where}: {name}\n  want {x}\n  got  {y}\n  of {line}")


def run(tool, work, signal, make, want):
    messages = [make() for _ in range(REQUESTS)]
    paths = {"protobuf": [], "json": []}
    for i, m in enumerate(messages):
        for form, data in (("protobuf", m.SerializeToString()),
                           ("json", json.dumps(to_json(m), ensure_ascii=i % 2 == 0).encode())):
            path = f"{work}/{signal}.{i}.{form}"
            with open(path, "wb") as f:
                f.write(data)
            paths[form].append(path)
    blocks = {form: dump(tool, signal, form, paths[form]) for form in paths}
    events = 0
    for i, m in enumerate(messages):
        a, b = blocks["protobuf"][i], blocks["json"][i]
        if a != b:
            sys.exit(f"{signal} {i}: the two forms differ\n{a[0]}\n{b[0]}")
        lines = [x for x in a[1:] if x]
        compare(f"{signal} {i}", list(want(m)), lines)
        events += len(lines)
    print(f"{signal}: {len(messages)} requests, {events} events, equal in both forms and to what "
          f"was sent")


def main():
    tool, work = sys.argv[1:]
    run(tool, work, "traces", make_traces, want_traces)
    run(tool, work, "metrics", make_metrics, want_metrics)
    run(tool, work, "logs", make_logs, want_logs)


if __name__ == "__main__":
    main()
