# SPDX-License-Identifier: Apache-2.0
"""What ran, again: exact replay of a graph that ran through kills, against its topics; and graphs over
the lines that are there already, in free mode."""
import collections
import json
import os
import random
import re
import signal
import time
import unittest

from otlp_json import logs, post
from program import Case, run

GRAPH = """apiVersion: kaiju/v1
kind: RuleGraph
name: lines
archive_every: 1s
levels:
  - name: logs
    partitions: 1
    bound: 0s
    epl: |
      @name('seen') insert into Seen select service, body from LogRecord;
  - name: hl
    partitions: 4
    epl: |
      @name('total') insert into Total select service, count(*) as n from Seen group by service;
      @name('five') @Alert(severity='page', key='service', summary='{service} says {body}')
      select * from Seen where body like '%5';
"""
ARCHIVED = 2.5  # by then a state is saved, some second after the one before
BACK = GRAPH.replace("name: lines", "name: back")


def canonical(lines):
    """Events without their places within records: how many go into one follows the time."""
    return [{k: v for k, v in json.loads(line).items() if k != "n"} for line in lines.splitlines()]


class Replay(Case):
    def begin(self, *args):
        return super().begin(*args, "--operator-snapshot-interval", "300ms")

    def apply(self, role, text):
        super().apply(role, text)
        role.wait_log(r'msg="graph is live"')

    def replay(self, *args, code=0):
        done = run("replay", *self.bus, *args)
        self.assertEqual(code, done.returncode, done.stdout + done.stderr)
        return done

    def verify(self, *args):
        return json.loads(self.replay("--graph", "lines", "--verify", "-o", "json", *args).stdout)

    def send(self, role, rounds, first, chance):
        for n in range(rounds):
            self.assertEqual(200, post(role.otlp, "logs", logs(20, first + n * 20, f"s{n % 5}")).status)
            time.sleep(chance.random() * 0.02)

    def totals(self, lines):
        return self.last_totals(map(json.loads, lines))

    def test_what_ran_runs_again(self):
        chance = random.Random(3)
        role = self.begin()
        self.apply(role, GRAPH)
        for number in range(3):
            self.send(role, 10, number * 200 + 1, chance)
            time.sleep(ARCHIVED)
            middle = time.time_ns() // 1_000_000
            self.send(role, 1, 1000 + number * 20, chance)
            if number < 2:
                role.stop(signal.SIGKILL)
                role = self.begin()
                role.wait_log(r'msg="graph is live"')
        self.until("not all came through", lambda: sum(self.last_totals(self.events("events")).values()) == 660)
        there = self.last_totals(self.events("events"))
        while_running = self.verify("--from", "0")
        self.assertTrue(while_running["same"])
        role.stop()
        report = self.verify("--from", "0")
        tasks = {t["task"]: t for t in report["tasks"]}
        self.assertEqual(5, len(tasks))
        self.assertTrue(report["same"])
        self.assertEqual(660, tasks["default/lines/logs/0"]["events_same"])
        told = len(self.events("alerts.history"))
        self.assertEqual(66, told)
        self.assertEqual(660 + told, sum(t["events_same"] for n, t in tasks.items() if "/hl/" in n))
        for task in tasks.values():
            self.assertEqual(task["events_made"], task["events_same"])
        # From the archived state before the range, instead of from the first record.
        late = self.verify("--from", str(middle))
        self.assertTrue(late["same"])
        archived = {t["task"]: t for t in late["tasks"]}["default/lines/logs/0"]
        self.assertGreater(archived["archived_record"], 0)
        self.assertLess(archived["records_before"], archived["first_record"] // 2)
        self.assertGreater(archived["events_same"], 0)
        events = self.replay("--graph", "default/lines", "--from", "0", "--verify", "--events", "--task",
                             "/hl/").stdout
        self.assertEqual(there, self.totals(x for x in events.splitlines() if x.startswith("{")))
        # Rules that did not run: their journal is another's.
        other = self.write("other.yaml", GRAPH.replace("body from", "body, trace_id from"))
        done = self.replay("-f", other, "--verify")
        self.assertIn("records of other rules passed over", done.stdout)
        self.assertIn("there is no graph 'none'", self.replay("--graph", "none", "--verify", code=5).stderr)

    def test_records_of_graphs_that_nobody_can_read_are_passed_over(self):
        """As coordinator and workers do: what was applied before stays."""
        role = self.begin()
        self.apply(role, GRAPH)
        self.send(role, 1, 1, random.Random(7))
        self.until("not all came through", lambda: sum(self.last_totals(self.events("events")).values()) == 20)
        role.stop()
        record = {"format": 1, "tenant": "default", "name": "lines", "version": 9, "hash": "0" * 16,
                  "document": BACK}
        odd = ["no JSON", "{}", json.dumps({**record, "format": 2}), json.dumps({**record, "hash": "x"}),
               json.dumps({**record, "life": -1}), json.dumps({**record, "previous": [1]}),
               json.dumps({**record, "name": "other"})]
        done = run("ctl.graphs", *self.bus, program=os.environ["PUT_RECORDS"],
                   text="".join(f"default/lines\t{value}\n" for value in odd))
        self.assertEqual(0, done.returncode, done.stderr)
        done = self.replay("--graph", "lines", "--verify", "--from", "0", "-o", "json")
        self.assertEqual((True, 5), (json.loads(done.stdout)["same"], len(json.loads(done.stdout)["tasks"])))
        self.assertEqual(len(odd), done.stderr.count("ctl.graphs is passed over (default/lines): "))

    def test_without_what_followed_an_archived_state_nothing_is_replayed(self):
        """Retention has removed the records of the journal behind it: that is said, and where the
        floor is; the journal is not torn."""
        chance = random.Random(6)
        role = self.begin()
        self.apply(role, GRAPH)
        for first in (1, 61):
            self.send(role, 3, first, chance)
            time.sleep(ARCHIVED)
        middle = time.time_ns() // 1_000_000
        self.send(role, 3, 121, chance)
        self.until("not all came through", lambda: sum(self.last_totals(self.events("events")).values()) == 180)
        role.stop()
        before = len(self.events("events"))
        done = run("journal", "trim", *self.bus, program=os.environ["PUT_RECORDS"])
        self.assertEqual(0, done.returncode, done.stderr)
        role = self.begin("--operator-snapshot-interval", "10m")
        role.wait_log(r'msg="graph is live"')
        self.send(role, 1, 181, chance)
        self.until("it does not go on", lambda: len(self.events("events")) > before)
        role.stop()
        said = self.replay("--graph", "lines", "--verify", "--task", "logs/0", "--from", str(middle),
                           code=5).stdout
        self.assertRegex(said, r"nothing is left to begin with before record \d+; the replay floor is")

    def test_before_the_floor_nothing_is_replayed(self):
        chance = random.Random(5)
        role = self.begin()
        self.apply(role, GRAPH)
        for number in range(2):  # some archived states, the last with all that was sent
            self.send(role, 3, number * 60 + 1, chance)
            time.sleep(ARCHIVED)
        self.until("not all came through", lambda: sum(self.last_totals(self.events("events")).values()) == 120)
        time.sleep(0.5)
        role.stop()
        done = run("logs", "trim", *self.bus, program=os.environ["PUT_RECORDS"])
        self.assertEqual(0, done.returncode, done.stderr)
        role = self.begin()
        role.wait_log(r'msg="graph is live"')
        self.send(role, 1, 500, chance)
        time.sleep(ARCHIVED)
        self.send(role, 3, 1000, chance)
        self.until("not all came through", lambda: sum(self.last_totals(self.events("events")).values()) == 200)
        role.stop()
        self.assertIn("no task of these rules has 'logs/9' in its name",
                      self.replay("--graph", "lines", "--verify", "--task", "logs/9", code=5).stderr)
        task = ("--graph", "lines", "--verify", "--task", "logs/0")
        said = self.replay(*task, "--from", "0", code=5).stdout
        self.assertRegex(said, r"^default/lines/logs/0: cannot be replayed: not from 1970-01-01T00:00:00.000Z: "
                         r"record 1 needs logs/\d from offset 0, retention has removed what is before \d+; "
                         r"the replay floor is \S+ \(record \d+\)\n"
                         r"REFUSED: 0 records of the journal replayed; 1 tasks cannot be\n$")
        floor = re.search(r"floor is (\S+)", said)[1]
        done = self.replay(*task, "--from", floor, "-o", "json")
        self.assertGreaterEqual(json.loads(done.stdout)["tasks"][0]["events_same"], 20)
        just_before = str(json.loads(done.stdout)["from_ms"] - 1)
        self.assertIn(f"the replay floor is {floor}",
                      self.replay(*task, "--from", just_before, code=5).stdout)

    def test_statements_that_may_lack_lost_input_are_named(self):
        role = Case.begin(self)  # no snapshot comes before it dies
        self.apply(role, GRAPH.replace("archive_every: 1s\n", "").replace(
            "from LogRecord;", "from LogRecord; @name('all') select count(*) as n from LogRecord;"))
        self.send(role, 5, 1, random.Random(6))
        self.until("not all came through", lambda: sum(self.last_totals(self.events("events")).values()) == 100)
        api = ("--api", f"http://{role.addr}")
        self.assertNotIn("incomplete", run("status", *api).stdout)
        self.assertNotIn("was lost", run("top", "-n", "1", *self.bus).stdout)
        role.stop(signal.SIGKILL)
        done = run("logs", "trim", *self.bus, program=os.environ["PUT_RECORDS"])
        self.assertEqual(0, done.returncode, done.stderr)
        role = Case.begin(self)
        role.wait_log(r'msg="graph is live"')
        api = ("--api", f"http://{role.addr}")
        self.until("status names none", lambda: "incomplete" in run("status", *api).stdout)
        self.assertIn("incomplete   default/lines logs.2/all (1 tasks)\n", run("status", *api).stdout)
        graph = json.loads(role.get("/api/v1/topology"))["graphs"][0]
        self.assertEqual([("logs.2/all", 1)], [(x["statement"], x["tasks"]) for x in graph["incomplete"]])
        marks = [s.get("incomplete", False) for level in graph["levels"] for s in level["statements"]]
        self.assertEqual([False, True, False, False], marks)
        totals = json.loads(role.get("/api/v1/rulegraphs/lines/status"))["totals"]
        self.assertEqual(1, totals["incomplete_tasks"])
        self.assertIn("was lost: 1 statements of 1 tasks may lack it",
                      run("top", "-n", "1", *self.bus).stdout)
        self.assertIn("logs.2/all", run("doctor", "--look", "100ms", *api).stdout)

    def test_rules_that_were_others_in_between_are_passed_over(self):
        """The same rules before and after others of the same name, which left outputs, too."""
        chance = random.Random(9)
        role = self.begin()
        other = GRAPH.replace("body from", "body, trace_id from")
        for number, text in enumerate((GRAPH, other, GRAPH)):
            self.apply(role, text)
            self.until("it is not live", lambda n=number: n + 1 == role.log().count("graph is live"))
            self.send(role, 3, number * 60 + 1, chance)
            self.until("not all came through", lambda n=number: len(self.events("alerts.history")) == 6 * (n + 1))
            done = run("delete", "graph", "lines", "--api", f"http://{role.addr}")
            self.assertEqual(0, done.returncode, done.stderr)
            self.until("it is not gone", lambda n=number: n + 1 == role.log().count("a deleted rule graph has ended"))
        role.stop()
        report = json.loads(self.replay("-f", self.write("graph.yaml", GRAPH), "--verify", "-o", "json",
                                        "--from", "0").stdout)
        self.assertTrue(report["same"])
        self.assertEqual(120, sum(t["events_same"] for t in report["tasks"] if "/logs/" in t["task"]))

    def test_who_applies_is_told_of_topics_that_keep_too_little(self):
        role = self.begin("--bus-retention", "2h")
        path = self.write("graph.yaml", GRAPH)
        apply = ("apply", "-f", path, "--dry-run", "--api", f"http://{role.addr}")
        wanted = ("topic 'journal' keeps 2h; to verify by replay what ran up to 7d ago "
                  "(the graph's replay_horizon) it has to keep 604801s")

        def said():
            done = run(*apply)
            self.assertEqual(0, done.returncode, done.stderr)
            return done.stdout + done.stderr

        self.until("no warning", lambda: wanted in said())
        self.assertIn("KJ-BUS-0001", said())
        role.stop()
        role = self.begin()  # what the topics really keep counts, not what the setting says now
        apply = apply[:-1] + (f"http://{role.addr}",)
        self.until("no warning", lambda: wanted in said())

    def test_rules_run_over_what_is_there(self):
        role = self.begin()
        self.send(role, 20, 1, random.Random(4))
        path = self.write("back.yaml", BACK)
        first = self.replay("-f", path, "--from", "-10m", "--threads", "1")
        again = self.replay("-f", path, "--from", "-10m", "--threads", "4", "-o", "json")
        self.assertEqual(canonical(first.stdout), canonical(again.stdout))
        self.assertEqual(collections.Counter({f"s{n}": 80 for n in range(5)}),
                         self.totals(first.stdout.splitlines()))
        self.assertEqual(800, json.loads(again.stderr.splitlines()[-1])["events"])
        self.assertEqual("", self.replay("-f", path, "--from", "-20m", "--to", "-10m").stdout)
        if "--bus-kind" not in " ".join(self.bus):
            self.assertIn("only one program may",
                          self.replay("-f", path, "--to-topics", code=2).stderr)
        role.stop()
        self.replay("-f", path, "--from", "-10m", "--to-topics", "--id", "mine")
        self.assertEqual(400, sum(self.last_totals(self.events("bt.mine.events")).values()))


if __name__ == "__main__":
    unittest.main()
