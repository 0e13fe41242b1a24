# SPDX-License-Identifier: Apache-2.0
"""What leaves rules besides derived events: alerts, which people, streams and other rules read, and
letters about what could not be taken."""
import collections
import json
import os
import signal
import subprocess
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


LIMITED = """apiVersion: kaiju/v1
kind: RuleGraph
name: limited
limits: {rows: '5:drop_new'}
levels:
  - name: logs
    epl: |
      @name('kept') insert into Kept select count(*) as n from LogRecord#keepall;
"""
LOOP = """apiVersion: kaiju/v1
kind: RuleGraph
name: loop
limits: {cascade: 100}
levels:
  - name: logs
    epl: |
      @name('first') insert into Again select body from LogRecord;
      @name('next') insert into Again select body from Again;
"""
FIRST_KAIJU = {
    "logs-statements.txt": "listener:none,name:Words=insert into Event select timestamp as timestamp, "
                           "new {word=fields('log')} as payload, new {namespace='n'} as context from FLog\n",
    "hl-statements.txt": "listener:simple,name:Two words=select a.word, b.word as behind "
                         "from pattern [every a=Word -> b=Word]\n",
    "hl-events.txt": "Found\nWord>{word:string}>{namespace:string}>{Found}\n"}


class Listener(threading.Thread):
    """A client of a stream of alerts: what came, as JSON."""

    def __init__(self, addr):
        super().__init__(daemon=True)
        self.answer = urllib.request.urlopen(f"http://{addr}/api/v1/alerts/events", timeout=90)
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
    def apply_all(self, role, *texts):
        for text in texts:
            self.apply(role, text)
        self.until("not live", lambda: role.log().count('msg="graph is live"') == len(texts))

    def test_alerts_are_told_to_people_streams_and_rules(self):
        role = self.begin()
        self.apply_all(role, GRAPH, READER)
        listener = Listener(role.addr)
        self.assertTrue(listener.live.wait(90))
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


    def letters(self):
        return [e["payload"] for e in self.events("dlq")]

    def test_what_cannot_be_taken_is_told_and_rules_run_on(self):
        role = self.begin()
        self.apply_all(role, GRAPH)
        self.assertEqual(200, post(role.otlp, "logs", logs(4, 1)).status)
        self.assertEqual(0, role.stop())
        with subprocess.Popen([PUT_RECORDS, "logs", *self.bus], stdin=subprocess.PIPE, text=True) as put:
            put.communicate("key\tno batch\n")
        self.assertEqual(0, put.returncode)
        role = self.begin()
        self.until("no letter", lambda: len(self.letters()) == 1)
        letter = self.letters()[0]
        self.assertEqual("undecodable", letter["reason"])
        self.assertRegex(letter["source"], "^default/lines/logs/")
        self.assertRegex(letter["reference"], "^0002")  # the topic `logs`, partition 0
        late = logs(1, 1)
        record = late["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]
        record["timeUnixNano"] = str(time.time_ns() - 3600 * 10**9)
        post(role.otlp, "logs", late)
        self.until("no letter", lambda: len(self.letters()) == 2)
        self.assertEqual({"undecodable", "late"}, {e["reason"] for e in self.letters()})
        post(role.otlp, "logs", logs(2, 4))
        self.until("it stands", lambda: len(self.events("alerts")) == 1)
        self.assertEqual(0, role.stop())

    def test_a_graph_at_its_limits_says_so_and_leaves_others_alone(self):
        role = self.begin()
        self.apply_all(role, LIMITED, GRAPH)
        post(role.otlp, "logs", logs(40, 1))
        api = f"http://{role.addr}/api/v1/rulegraphs/"
        self.until("nobody says so", lambda: json.load(urllib.request.urlopen(
            api + "limited/status"))["phase"] == "degraded")
        status = json.load(urllib.request.urlopen(api + "limited/status"))
        self.assertEqual(["rows: no more than 5, then drop_new ('kept')"],
                         [t["degraded"] for t in status["tasks"] if "degraded" in t])
        role.wait_log(r'msg="a graph does not run as it should" graph=default/limited')
        self.until("the other stands", lambda: len(self.events("alerts")) == 4)
        self.assertEqual("running", json.load(urllib.request.urlopen(api + "lines/status"))["phase"])
        self.assertEqual(0, role.stop())

    def test_who_loops_is_stopped_and_told_of_for_as_long(self):
        role = self.begin()
        self.apply_all(role, LOOP)
        api = f"http://{role.addr}/api/v1/rulegraphs/loop/status"
        self.assertEqual(200, post(role.otlp, "logs", logs(1, 1)).status)
        self.until("nobody says so", lambda: json.load(urllib.request.urlopen(api))["phase"] == "degraded")
        self.assertEqual(200, post(role.otlp, "logs", logs(40, 2)).status)
        self.until("others do not come through",
                   lambda: collections.Counter(e["type"] for e in self.events("events"))["Again"] == 141)
        self.until("it is forgotten", lambda: ["'next' was stopped by a limit"] == [
            t["degraded"] for t in json.load(urllib.request.urlopen(api))["tasks"] if "degraded" in t])
        self.assertEqual(0, role.stop())

    def test_rules_of_the_first_kaiju_tell_who_listened(self):
        """Event goes from one level to tasks of another, as in its files."""
        paths = {}
        for name, text in FIRST_KAIJU.items():
            paths[name] = os.path.join(self.temp.name, name)
            with open(paths[name], "w", encoding="utf-8") as f:
                f.write(text)
        made = run("import", "esper", "--name", "first", "--events", paths["hl-events.txt"], "--statements",
                   paths["logs-statements.txt"], paths["hl-statements.txt"])
        self.assertEqual(0, made.returncode, made.stderr)
        role = self.begin()
        self.apply_all(role, made.stdout)
        self.assertEqual(200, post(role.otlp, "logs", logs(4, 1)).status)
        self.until("nobody is told", lambda: len(self.events("alerts")) == 3)
        self.assertEqual({"Two words"}, {a["payload"]["statement"] for a in self.events("alerts")})
        self.assertEqual(0, role.stop())


if __name__ == "__main__":
    unittest.main()
