# SPDX-License-Identifier: Apache-2.0
"""OTLP requests as JSON, and a sender that says what came back: no library of ours in between."""
import gzip
import json
import urllib.error
import urllib.request


def attributes(**pairs):
    def value(v):
        if isinstance(v, bool):
            return {"boolValue": v}
        if isinstance(v, int):
            return {"intValue": str(v)}
        if isinstance(v, float):
            return {"doubleValue": v}
        return {"stringValue": v}

    return [{"key": k.replace("__", "."), "value": value(v)} for k, v in pairs.items()]


def spans(count, first=1, service="cart", **extra):
    def span(n):
        return {"traceId": f"{n:032x}", "spanId": f"{n:016x}", "name": f"span {n}", "kind": 2,
                "startTimeUnixNano": str(1_800_000_000_000_000_000 + n),
                "endTimeUnixNano": str(1_800_000_000_005_000_000 + n),
                "attributes": attributes(number=n, ok=True, share=0.5, text="é\u0000x"),
                "status": {"code": 2, "message": "broken"} if n % 10 == 0 else {}, **extra}

    return {"resourceSpans": [{"resource": {"attributes": attributes(service__name=service)},
                               "scopeSpans": [{"scope": {"name": "test", "version": "1"},
                                               "spans": [span(n) for n in
                                                         range(first, first + count)]}]}]}


def logs(count, first=1, service="cart"):
    records = [{"timeUnixNano": str(1_800_000_000_000_000_000 + n), "severityNumber": 9,
                "severityText": "INFO", "body": {"stringValue": f"line {n}"},
                "attributes": attributes(number=n)} for n in range(first, first + count)]
    return {"resourceLogs": [{"resource": {"attributes": attributes(service__name=service)},
                              "scopeLogs": [{"logRecords": records}]}]}


def gauge(value, service="cart"):
    point = {"timeUnixNano": "1800000000000000000", "asDouble": value,
             "attributes": attributes(core=1)}
    return {"resourceMetrics": [{"resource": {"attributes": attributes(service__name=service)},
                                 "scopeMetrics": [{"metrics": [
                                     {"name": "cpu", "unit": "1",
                                      "gauge": {"dataPoints": [point]}}]}]}]}


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


def post(addr, signal, body, content_type="application/json", coding=None, timeout=90):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": content_type}
    if coding == "gzip":
        data = gzip.compress(data)
    if coding:
        headers["Content-Encoding"] = coding
    request = urllib.request.Request(f"http://{addr}/v1/{signal}", data, headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return Answer(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as e:
        return Answer(e.code, e.headers, e.read())
