# SPDX-License-Identifier: Apache-2.0
"""Rules at work: a graph is applied to a running standalone, telemetry is sent over OTLP, the process
is killed and begun again, and what the rules put out has each event's effect once."""
import base64
import collections
import http.client
import itertools
import json
import os
import random
import re
import signal
import threading
import time
import unittest

from otlp_json import logs, post
from program import Case, run

ROUNDS = int(os.environ.get("KAIJU_RULES_ROUNDS", "6"))
GRAPH = """apiVersion: kaiju/v1
kind: RuleGraph
name: lines
levels:
  - name: logs
    epl: |
      @name('seen') insert into Seen select service, body from LogRecord;
  - name: hl
    partitions: 4
    epl: |
      @name('total') insert into Total select service, count(*) as n from Seen group by service;
"""
# The same with a state that grows: what a snapshot has to write is not all the same.
KEPT = GRAPH.replace("from Seen group by", "from Seen#keepall group by")
OTHER = GRAPH.replace("select service, body from", "select service, body, severity_number as level from")
WHOLE = """apiVersion: kaiju/v1
kind: RuleGraph
name: whole
levels:
  - name: logs
    epl: |
      @name('each') insert into Each select service, body from LogRecord;
"""
LARGE = """apiVersion: kaiju/v1
kind: RuleGraph
name: large
levels:
  - name: logs
    epl: |
""" + "".join(f"      @name('r{n}') insert into Large{n} select service, count(*) as n from LogRecord("
              f"body = 'none {n}')#time(1 min) group by service;\n" for n in range(3000))


BAD = {
    "hoards": (["@name('waits') insert into Pair select a.body as x from pattern "
                "[every a=LogRecord -> b=LogRecord(body = a.body || '!')]"], "{state: 200000}"),
    "cycle": (["@name('one') insert into A select body from LogRecord",
               "@name('two') insert into B select body from A",
               "@name('three') insert into A select body from B"], "{cascade: 2000}"),
    "ticks": (["@name('tick') insert into T select 1 as n from pattern [LogRecord -> every "
               "timer:interval(1 msec)]"],
              ""),
    "matches": (["@name('back') insert into R select body from LogRecord where 'aaaaaaaaaaaaaaaaaaaaaaaa"
                 "aaaaaaaaaaaa!' || body regexp '(a|aa|a+)+(a|b)+(a*a*a*)*c'"], ""),
}


BASE = """apiVersion: kaiju/v1
kind: RuleGraph
name: {name}
levels:
  - name: {level}
    epl: |
"""


def bad_graph(name):
    rules, limits = BAD[name]
    return BASE.format(name=name, level="logs") + "".join(f"      {rule};\n" for rule in rules) + (
        f"    limits: {limits}\n" if limits else "")


def key_bytes(key):
    """Of a key as kaiju tail prints it: in base64, if it is no text."""
    try:
        return base64.b64decode(key, validate=True)
    except ValueError:
        return key.encode()


class Bed(Case):
    def totals(self):
        return self.last_totals(self.events("events"))

    def each(self):
        return sum(e["type"] == "Each" for e in self.events("events"))

    def there(self):
        return collections.Counter(e["context"]["service.name"] for e in self.events("logs"))


    def same_again(self, graph, events):
        """All that ran is replayed from the first record on: so many events, and each state that a
        snapshot has ever saved, come out the same in one go."""
        done = run("replay", "--graph", graph, "--from", "0", "--verify", "-o", "json", *self.bus,
                   timeout=300)
        self.assertEqual(0, done.returncode, done.stdout + done.stderr)
        replayed = json.loads(done.stdout)
        self.assertTrue(replayed["same"])
        self.assertEqual(events, sum(task["events_same"] for task in replayed["tasks"]))


class Rules(Bed):
    def send_until_it_dies(self, role, number, chance):
        """Lines, one request after the other; it is killed at some moment of that."""
        sent = threading.Thread(target=self.send, args=(role, number, random.Random(number)))
        sent.start()
        time.sleep(chance.random() * 0.5)
        role.stop(signal.SIGKILL)
        sent.join()

    def send(self, role, number, chance):
        for n in range(12):
            first = (number * 12 + n) * 20 + 1
            try:
                if post(role.otlp, "logs", logs(20, first, f"s{n % 5}"), timeout=5).status == 200:
                    self.acknowledged += 20
            except (OSError, ValueError, http.client.HTTPException):
                return
            time.sleep(chance.random() * 0.04)

    def test_graphs_that_cost_without_bound_leave_their_neighbour_alone(self):
        """A rule that fills its budget of state, two that feed each other, a timer each millisecond,
        an expression that backtracks: the neighbour says what it has to of each line; status
        and doctor name who is degraded, by which limit and rule. What was dropped is dropped again."""
        role = self.begin("--bus-partitions", "1")
        for name in BAD:
            self.apply(role, bad_graph(name))
        self.apply(role, WHOLE)
        role.wait_log(r'msg="graph is live" graph=default/whole')
        for n in range(10):
            post(role.otlp, "logs", logs(200, 1 + n * 200))
            self.until("the neighbour waits", lambda: self.each() == 200 * (n + 1), 30)
        api = ("--api", f"http://{role.addr}")
        self.until("who holds too much is not degraded", lambda: "state: no more than 200000" in
                   run("doctor", "--look", "100ms", *api).stdout)
        self.until("nor who never ended", lambda: "was stopped by a limit" in
                   run("doctor", "--look", "100ms", *api).stdout)
        said = run("doctor", "--look", "100ms", *api).stdout
        self.assertRegex(said, r"hoards.*state: no more than 200000, then drop_oldest \('waits'\)")
        self.assertRegex(said, r"do: .*where timer:within")
        status = json.loads(role.get("/api/v1/rulegraphs/hoards/status"))
        self.assertEqual("degraded", status["phase"])
        held = [t["held_bytes"] for t in json.loads(role.get("/api/v1/tasks"))["items"]
                if t["graph"] == "hoards"]
        self.assertTrue(held and all(100000 < n <= 210000 for n in held), held)
        self.assertEqual("running", json.loads(role.get("/api/v1/rulegraphs/whole/status"))["phase"])
        role.stop(signal.SIGKILL)
        self.same_again("hoards", 0)
        self.same_again("whole", 2000)

    def test_each_line_counts_once_though_the_process_dies(self):
        """Snapshots are made all the time, in slices of different sizes, so that it dies within
        some; what ran can be replayed from the first record on, with the state of each snapshot
        the same."""
        chance = random.Random(7)
        args = ("--operator-snapshot-interval", "10ms", "--operator-snapshot-slice", "256")
        role = self.begin(*args)
        self.acknowledged = 0
        self.apply(role, KEPT)
        role.wait_log(r'msg="graph is live"')
        for number in range(ROUNDS):
            self.send_until_it_dies(role, number, chance)
            role = self.begin(*args[:4 if number % 3 else 2])
        role.wait_log(r'msg="graph is live"')
        self.until("not all lines came through", lambda: self.totals() == self.there())
        self.assertLessEqual(self.acknowledged, sum(self.there().values()))
        self.assertNotIn("a task is lost", role.log())
        role.stop(signal.SIGKILL)
        role = self.begin()
        role.wait_log(r'msg="graph is live"')

        def lag():
            totals = json.loads(role.get("/api/v1/rulegraphs/lines/status"))["totals"]
            return totals["lag_records"], totals["lag_ns"]
        self.until("it lags behind", lambda: lag() == (0, 0))
        self.same_again("lines", 2 * sum(self.there().values()))
        role.stop()

    def test_a_changed_graph_goes_on_and_a_deleted_one_ends(self):
        role = self.begin()
        self.apply(role, GRAPH)
        role.wait_log(r'msg="graph is live"')
        post(role.otlp, "logs", logs(10, 1))
        self.until("nothing came out", lambda: sum(self.totals().values()) == 10)
        self.assertIn("version 2", self.apply(role, OTHER))
        role.wait_log(r'msg="graph begins" graph=default/lines version=2')
        self.until("it is not live", lambda: role.log().count('msg="graph is live"') == 2)
        status = run("status", "--api", f"http://{role.addr}")
        self.assertIn("live", status.stdout)
        done = run("delete", "graph", "lines", "--api", f"http://{role.addr}")
        self.assertEqual(0, done.returncode, done.stderr)
        role.wait_log(r'msg="graph ends" graph=default/lines')
        before = len(self.events("events"))
        post(role.otlp, "logs", logs(10, 100))
        time.sleep(1)
        self.assertEqual(before, len(self.events("events")))
        role.stop()

    def test_what_is_told_of_a_rule_is_text_also_where_its_name_is_cut(self):
        role = self.begin("--bus-partitions", "1")
        self.apply(role, GRAPH.replace("'seen'", "'" + "ü" * 60 + "'"))
        role.wait_log(r'msg="graph is live"')
        post(role.otlp, "logs", logs(300, 1))

        def named():
            tasks = json.loads(role.get("/api/v1/tasks"))["items"]
            return [rule["name"] for task in tasks for rule in task["rules"] if rule["name"] != "total"]

        self.until("no rule was measured", named)
        self.assertRegex(named()[0], "^ü{31}\ufffd?$")
        role.stop()

    def test_a_graph_that_changes_while_its_tasks_are_dead_keeps_what_it_knew(self):
        """They were killed before their last records; whoever comes next lets them end first, also
        those of two versions before."""
        role = self.begin()
        self.apply(role, GRAPH)
        role.wait_log(r'msg="graph is live"')
        post(role.otlp, "logs", logs(10, 1))
        self.until("nothing came out", lambda: sum(self.totals().values()) == 10)
        role.stop(signal.SIGKILL)
        role = self.begin("--operator-level", "none")
        self.assertIn("version 2", self.apply(role, GRAPH.replace("LogRecord;", "LogRecord(true);")))
        self.assertIn("version 3", self.apply(role, GRAPH.replace("LogRecord;", "LogRecord(1 = 1);")))
        role.stop()
        role = self.begin()
        self.until("it is not live", lambda: 'msg="graph is live"' in role.log())
        post(role.otlp, "logs", logs(10, 11))
        self.until("it does not go on", lambda: sum(self.totals().values()) == 20)
        self.assertEqual({"cart": 20}, dict(self.totals()))
        self.assertNotIn("a task is lost", role.log())
        role.stop()

    def counts(self):
        return [e["payload"]["n"] for e in self.events("events") if e["type"] == "Total"]

    def test_a_graph_that_was_deleted_while_nobody_ran_it_begins_anew(self):
        """Its tasks were killed. Whoever applies the same document again, before they could end or
        behind that, begins with nothing; and state of it is not left either."""
        role = self.begin("--operator-snapshot-interval", "50ms")
        self.apply(role, GRAPH)
        role.wait_log(r'msg="graph is live"')
        post(role.otlp, "logs", logs(10, 1))
        self.until("nothing came out", lambda: len(self.counts()) == 10)
        role.stop(signal.SIGKILL)
        role = self.begin("--operator-level", "none")
        self.assertEqual(0, run("delete", "graph", "lines", "--api", f"http://{role.addr}").returncode)
        self.assertNotIn("lines", run("get", "graphs", "--api", f"http://{role.addr}").stdout)
        self.assertIn("version 1", self.apply(role, GRAPH))
        role.stop()
        role = self.begin("--operator-snapshot-interval", "50ms")
        role.wait_log(r'msg="graph is live"')
        post(role.otlp, "logs", logs(5, 11))
        self.until("it does not go on", lambda: len(self.counts()) == 15)
        self.assertEqual(list(range(1, 6)), self.counts()[10:])
        self.until("no state is kept", self.kept)
        self.same_again("lines", 10)
        role.stop(signal.SIGKILL)
        role = self.begin("--operator-level", "none")
        self.assertEqual(0, run("delete", "graph", "lines", "--api", f"http://{role.addr}").returncode)
        role.stop()
        role = self.begin()
        role.wait_log(r'msg="a deleted rule graph has ended" graph=default/lines')
        self.assertNotIn("a task is lost", role.log())
        self.assertEqual({}, self.kept())
        self.assertIn("version 1", self.apply(role, GRAPH))
        role.wait_log(r'msg="graph is live"')
        post(role.otlp, "logs", logs(5, 16))
        self.until("it does not begin", lambda: len(self.counts()) == 20)
        self.assertEqual(list(range(1, 6)), self.counts()[15:])
        role.stop()

    def ask(self, role, path):
        return json.loads(role.get("/api/v1/" + path))

    def test_state_that_no_task_carries_on_is_swept(self):
        """A level got another name while its tasks were dead, so nobody removes what they saved. The
        sweep does; what others need stays, and goes on."""
        fast = ("--operator-snapshot-interval", "50ms", "--coordinator-sweep-after", "500ms")
        role = self.begin(*fast)
        self.apply(role, GRAPH)
        self.apply(role, GRAPH.replace("name: lines", "name: others").replace("Total", "Whole"))
        self.until("nothing is live", lambda: role.log().count('msg="graph is live"') == 2)
        post(role.otlp, "logs", logs(10, 1))
        self.until("nothing came out", lambda: len(self.counts()) == 10)
        self.until("nothing is saved", lambda: len(self.kept()) > 10)
        role.stop(signal.SIGKILL)
        role = self.begin("--operator-level", "none")
        self.assertIn("version 2", self.apply(role, GRAPH.replace("name: hl", "name: higher")))
        role.stop()
        role = self.begin(*fast)

        def swept():
            sweep = self.ask(role, "status")["sweep"]
            return sweep["passes"] > 0 and sweep["keys"] > 0
        self.until("nothing is swept", swept)
        mine = {task["lineage"].to_bytes(8, "big") for task in self.ask(role, "tasks")["items"]}
        left = {key for key in map(key_bytes, self.kept()) if not key.endswith(b"over")}
        self.assertEqual(set(), {key[:8] for key in left} - mine)
        self.assertEqual(mine & {key[:8] for key in left if len(key) == 8},
                         {key for key in left if len(key) == 8})
        self.assertGreater(len(left), 0)
        found = re.search(r"kaiju_coordinator_swept_bytes_total ([0-9.e+]+)", role.get("/metrics"))
        self.assertGreater(float(found.group(1)), 100)
        role.stop(signal.SIGKILL)
        role = self.begin(*fast)
        self.until("nothing is live", lambda: role.log().count('msg="graph is live"') == 2)
        post(role.otlp, "logs", logs(10, 11))

        def wholes():
            return [e["payload"]["n"] for e in self.events("events") if e["type"] == "Whole"]
        self.until("it does not go on", lambda: len(wholes()) == 20 and len(self.counts()) == 20)
        self.assertEqual(list(range(1, 21)), wholes())
        self.assertEqual(list(range(1, 11)), self.counts()[10:])
        self.assertNotIn("a task is lost", role.log())
        role.stop()

    def kept(self):
        """What the topic of states has, by key."""
        kept = {}
        for record in self.events("state"):
            kept[record["key"]] = record.get("value")
        return {key: value for key, value in kept.items() if value is not None}

    def test_a_deleted_graph_never_goes_on_though_the_process_dies_of_that(self):
        """Killed at some moment behind the answer to the removal, again and again."""
        chance = random.Random(5)
        before = 0
        role = self.begin("--operator-snapshot-interval", "50ms")
        for number in range(max(3, ROUNDS // 2)):
            self.assertIn("version 1", self.apply(role, GRAPH))
            role.wait_log(r'msg="graph is live"')
            post(role.otlp, "logs", logs(10, 1 + 10 * number))
            self.until("nothing came out", lambda: len(self.counts()) == before + 10)
            self.assertEqual(list(range(1, 11)), self.counts()[before:])
            before += 10
            done = run("delete", "graph", "lines", "--api", f"http://{role.addr}")
            self.assertEqual(0, done.returncode, done.stderr)
            time.sleep(chance.random() * 0.1)
            role.stop(signal.SIGKILL)
            role = self.begin("--operator-snapshot-interval", "50ms")
            if number % 3 == 1:
                role.wait_log(r'msg="a deleted rule graph has ended" graph=default/lines')
        role.stop()

    def test_each_line_counts_once_though_the_process_dies_of_a_change(self):
        """Killed at some moment between the change and the first commit of the new rules, again and
        again: what was counted is never begun anew."""
        chance = random.Random(3)
        role = self.begin("--operator-snapshot-interval", "50ms")
        self.acknowledged = 0
        self.apply(role, GRAPH)
        role.wait_log(r'msg="graph is live"')
        for number in range(max(2, ROUNDS // 3)):
            post(role.otlp, "logs", logs(20, 1 + 20 * number, f"s{number % 3}"))
            sent = threading.Thread(target=self.send, args=(role, 100 + number,
                                                            random.Random(number)))
            sent.start()
            self.apply(role, GRAPH.replace("LogRecord;", f"LogRecord({number} = {number});"))
            time.sleep(chance.random() * 0.15)
            role.stop(signal.SIGKILL)
            sent.join()
            role = self.begin("--operator-snapshot-interval", "50ms")
            if number % 5 == 4:  # no more versions than are remembered
                role.wait_log(r'msg="graph is live"')
        role.wait_log(r'msg="graph is live"')
        self.until("not all lines came through", lambda: self.totals() == self.there(), 60)
        self.assertNotIn("a task is lost", role.log())
        role.stop()

    def test_a_graph_of_one_level_puts_out_its_events(self):
        role = self.begin()
        self.apply(role, WHOLE)
        role.wait_log(r'msg="graph is live"')
        post(role.otlp, "logs", logs(25, 1))
        self.until("not all came out", lambda: len(self.events("events")) == 25)
        bodies = {e["payload"]["body"] for e in self.events("events")}
        self.assertEqual({f"line {n}" for n in range(1, 26)}, bodies)
        shown = {}

        def figures():
            shown.clear()
            for line in role.get("/metrics").splitlines():
                found = re.match(r'(kaiju_(?:task|rule|slot|operator)_\w+)(?:\{(.*)\})? (\S+)$', line)
                if found:
                    shown.setdefault(found[1], {})[found[2]] = float(found[3])
            return sum(shown["kaiju_task_outputs_total"].values()) == 25
        self.until("what tasks put out is not shown", figures)
        self.assertEqual({1}, set(shown["kaiju_task_live"].values()))
        self.assertEqual({0}, set(shown["kaiju_task_lag_records"].values()))
        self.assertEqual({0}, set(shown["kaiju_task_lag_seconds"].values()))
        self.assertEqual({None: 0}, shown["kaiju_operator_tasks_not_shown"])
        self.assertTrue(any('rule="each"' in labels and 0 < cost < 1
                            for labels, cost in shown["kaiju_rule_event_seconds"].items()), shown)
        self.assertTrue(any('quantile="0.99"' in labels and 0 < took < 300
                            for labels, took in shown["kaiju_slot_commit_seconds"].items()), shown)
        role.stop()

    def test_others_go_on_beside_a_graph_whose_inputs_cost_much(self):
        """Each line costs it a large join, for all lines minutes; one of another graph in the same
        partition waits for a few of them."""
        role = self.begin()
        near = BASE.format(name="near", level="logs") + "      @name('n') @public insert into Near select body from LogRecord(body like 'ping%');\n"
        dear = BASE.format(name="dear", level="logs") + (
            "      @name('d') select count(*) as n from LogRecord#length(1200) as a, LogRecord#length(1200) as b,\n"
            "      LogRecord#length(1200) as c where a.body < b.body and b.body < c.body;\n")
        self.apply(role, near)
        role.wait_log(r'msg="graph is live" graph=default/near')
        self.apply(role, dear)
        role.wait_log(r'msg="graph is live" graph=default/dear')
        for n in range(20):
            self.assertEqual(200, post(role.otlp, "logs", logs(100, n * 100 + 1)).status)
        ping = logs(1)
        ping["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["body"]["stringValue"] = "ping"
        self.assertEqual(200, post(role.otlp, "logs", ping).status)
        self.until("the ping waits for the join", lambda: len(self.events("events")) == 1)
        behind = json.loads(role.get("/api/v1/rulegraphs/dear/status"))["totals"]
        self.assertLess(behind["taken"], 2001)  # else nothing was shown
        role.stop(signal.SIGKILL)

    def test_who_cannot_commit_ends_all_the_same(self):
        """The bus is full, so no task can finish what it has begun; who is told to end does not wait
        for room, and with room again nothing is missing."""
        role = self.begin("--bus-local-quota", "6MiB", "--drain-timeout", "2s")
        self.apply(role, WHOLE)
        role.wait_log(r'msg="graph is live"')
        answer = None
        for n in range(4000):
            answer = post(role.otlp, "logs", logs(200, n * 200 + 1)).status
            if answer != 200:
                break
        self.assertNotEqual(200, answer)
        time.sleep(2)  # the tasks, too, have tried
        self.assertEqual(0, role.stop())  # within the deadline of that
        role = self.begin()
        there = sum(self.there().values())
        self.until("all are seen", lambda: len(self.events("events")) == there)
        role.stop(signal.SIGKILL)

    def test_others_go_on_while_a_large_graph_is_applied(self):
        """It is compiled three times (as it is asked for, to know its tasks, and where they run);
        meanwhile the API answers, and another graph takes its events and commits."""
        role = self.begin()
        self.apply(role, WHOLE)
        role.wait_log(r'msg="graph is live"')
        took, seen, stop = [], [], threading.Event()

        def taken():
            """As the worker counts at this moment; the status of a graph is told once a second."""
            return sum(float(n) for n in re.findall(
                r'(?m)^kaiju_task_inputs_total\{task="default/whole/[^}]*\} (\S+)', role.get("/metrics")))

        def ask():
            while not stop.is_set():
                begun = time.monotonic()
                role.get("/api/v1/rulegraphs/whole/status")
                took.append(time.monotonic() - begun)
                seen.append(taken())
                time.sleep(0.02)

        def send():
            for n in itertools.count(1):
                if stop.is_set():
                    return
                post(role.otlp, "logs", logs(1, n))
        threads = [threading.Thread(target=ask), threading.Thread(target=send)]
        for t in threads:
            t.start()
        try:
            begun = time.monotonic()
            self.assertIn("large", self.apply(role, LARGE))
            asked = len(took)
            role.wait_log(r'msg="graph begins" graph=default/large')
            busy = time.monotonic() - begun
        finally:
            stop.set()
            for t in threads:
                t.join()
        self.assertGreater(asked, 5)
        slow = [t for t in took if t > max(0.2, busy / 10)]  # who waits for a compiler, waits longer
        self.assertLessEqual(len(slow), len(took) // 10, f"of {len(took)}: {slow}")
        self.assertGreater(seen[-1], seen[0])
        known = json.loads(role.get("/api/v1/topology?graph=large"))["graphs"][0]
        self.assertEqual(LARGE.count("@name"), len(known["levels"][0]["statements"]))
        role.stop()

    def test_doctor_says_what_is_wrong(self):
        role = self.begin()
        self.apply(role, WHOLE)
        role.wait_log(r'msg="graph is live"')
        post(role.otlp, "logs", logs(30, 1))
        self.until("no event came out", lambda: len(self.events("events")) == 30)
        self.until("top shows no task", lambda: re.search(
            r"default/whole/logs/\d +live +\d",
            run("top", *self.bus, "--rounds", "2", "--every", "1s").stdout))
        doctor = ("doctor", "--look", "100ms", "--api", f"http://{role.addr}")
        self.until("it is not well", lambda: re.fullmatch(
            r"\d+ tasks?, 0 problems, 0 warnings\n", run(*doctor).stdout))  # a commit may be slow
        self.assertEqual(0, run(*doctor).returncode)
        self.assertEqual([], json.loads(run(*doctor, "-o", "json").stdout))
        self.assertEqual(2, run("doctor", "now").returncode)
        role.stop()
        self.assertEqual(7, run(*doctor).returncode)

    def test_doctor_misses_workers(self):
        role = self.role("coordinator", *self.bus)
        role.wait_ready()
        self.until("it takes no changes",
                   lambda: '"writable":true' in role.get("/api/v1/status").replace(" ", ""))
        self.apply(role, WHOLE)
        ill = run("doctor", "--look", "10ms", "--api", f"http://{role.addr}")
        self.assertEqual(1, ill.returncode, ill.stderr)
        self.assertIn("PROBLEM no_workers", ill.stdout)
        self.assertIn("do: start kaiju operator", ill.stdout)
        role.stop()


if __name__ == "__main__":
    unittest.main()
