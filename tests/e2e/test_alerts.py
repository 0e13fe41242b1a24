# SPDX-License-Identifier: Apache-2.0
"""What leaves rules besides derived events: alerts, which people, streams and other rules read, and
letters about what could not be taken."""
import json
import os
import signal
import threading
import time
import unittest
import urllib.request

from otlp_json import logs, post
from program import Case, run

PUT_RECORDS = os.environ["PUT_RECORDS"]
GRAPH = """apiVersion: kaiju/v1
kind: RuleGraph
name: lines
runbook: https://runbooks.example.org/lines
levels:
  - name: logs
    late: dlq
    epl: |
      insert into Line select service, body, severity_number as level from LogRecord;
  - name: hl
    epl: |
      @name('loud')
      @Alert(severity='page', key='service', summary='{service} says {body} {{at {level}}}')
      select * from Line where body like '%5';
"""
READER = """apiVersion: kaiju/v1
kind: RuleGraph
name: reader
levels:
  - name: hl
    epl: |
      @name('again') insert into Told
      select id, severity, state, summary, graph, statement, service, tenant, key('service') as who,
             row('body') as body, revision, starts_at
      from Alert(severity = 'page');
"""


class Listener(threading.Thread):
    """A client of a stream of alerts: what came, as JSON."""

    def __init__(self, addr):
        super().__init__(daemon=True)
        self.answer = urllib.request.urlopen(f"http://{addr}/api/v1/alerts/events", timeout=30)
        self.alerts = []
        self.live = threading.Event()
        self.start()

    def run(self):
        try:
            for line in self.answer:
                if line.startswith(b": live"):
                    self.live.set()
                if line.startswith(b"data: "):
                    self.alerts.append(json.loads(line[6:]))
        except OSError:
            pass


class Alerts(Case):
    def begin(self):
        role = self.role("standalone", *self.bus)
        role.otlp = role.wait_log(r'msg="receiving OTLP" addr=\S+\n(?:.*\n)*?.*msg="receiving OTLP" '
                                  r'addr=(\S+)').group(1)
        role.wait_ready()
        return role

    def apply(self, role, *texts):
        path = os.path.join(self.temp.name, "graph.yaml")
        for text in texts:
            with open(path, "w") as f:
                f.write(text)
            done = run("apply", "-f", path, "--api", f"http://{role.addr}")
            self.assertEqual(0, done.returncode, done.stderr)
        self.until("not live", lambda: role.log().count('msg="graph is live"') == len(texts))

    def events(self, topic):
        done = run("tail", topic, *self.bus, "--from", "start", "--no-follow", "-o", "json")
        self.assertEqual(0, done.returncode, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def until(self, what, check, timeout=30):
        end = time.monotonic() + timeout
        while not check():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.1)

    def test_alerts_are_told_to_people_streams_and_rules(self):
        role = self.begin()
        self.apply(role, GRAPH, READER)
        listener = Listener(role.addr)
        self.assertTrue(listener.live.wait(10))
        for service in ("cart", "shop"):
            self.assertEqual(200, post(role.otlp, "logs", logs(20, 1, service)).status)
        self.until("no alerts", lambda: len(self.events("alerts.history")) == 4)
        self.until("not streamed", lambda: len(listener.alerts) == 4)
        told = sorted(listener.alerts, key=lambda a: (a["key"]["service"], a["ordinal"]))
        self.assertEqual(["cart", "cart", "shop", "shop"], [a["key"]["service"] for a in told])
        self.assertEqual(4, len({(a["key"]["service"], a["ordinal"]) for a in told}))
        first = told[0]
        self.assertEqual("cart says line 5 {at 9}", first["summary"])
        self.assertEqual(("firing", "page", 0, "default", "lines", "loud"),
                         tuple(first[k] for k in ("state", "severity", "revision", "tenant", "graph",
                                                  "statement")))
        self.assertEqual({"body": "line 5", "level": 9, "service": "cart"}, first["row"])
        self.assertEqual({"runbook": "https://runbooks.example.org/lines"}, first["annotations"])
        self.assertEqual(1, len(first["causes"]))
        self.assertEqual(4, len({a["id"] for a in told}))
        seen = self.events("alerts")
        self.assertEqual({a["id"] for a in told}, {a["payload"]["id"] for a in seen})
        self.assertEqual(4, len(self.events("alerts.history")))
        self.until("no rule heard of it", lambda: len(self.events("events")) == 4)
        rows = [e["payload"] for e in self.events("events") if e["type"] == "Told"]
        row = next(r for r in rows if r["id"] == first["id"])
        self.assertEqual(("cart", "cart", "line 5", "default", "loud", "firing", 0),
                         tuple(row[k] for k in ("service", "who", "body", "tenant", "statement",
                                                "state", "revision")))
        role.stop(signal.SIGKILL)
        role = self.begin()
        self.until("not live", lambda: role.log().count('msg="graph is live"') == 2)
        post(role.otlp, "logs", logs(5, 1, "cart"))
        self.until("no alert", lambda: len(self.events("alerts.history")) == 5)
        cart = [a["payload"] for a in self.events("alerts.history")
                if a["payload"]["key"]["service"] == "cart"]
        self.assertEqual(3, len({a["ordinal"] for a in cart}))  # counting goes on
        self.assertEqual(5, len(self.events("alerts")))
        self.assertEqual(0, role.stop())


if __name__ == "__main__":
    unittest.main()
