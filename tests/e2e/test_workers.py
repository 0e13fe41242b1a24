# SPDX-License-Identifier: Apache-2.0
"""Two workers and a coordinator on a real Kafka: the tasks of a graph are spread over both, one is
killed and another one joins, round by round, and what the rules put out has each event's effect
once, as a reader of committed records sees it."""
import json
import os
import random
import re
import signal
import threading
import time
import unittest

from otlp_json import logs, post
from program import BROKERS, run
import test_rules

ROUNDS = int(os.environ.get("KAIJU_WORKER_ROUNDS", "2"))
SERVICES, LINES = 5, 20
TASKS = 8 + 4  # of the level that reads signals one for each of their partitions, and of the other


@unittest.skipUnless(BROKERS, "needs a bus that many processes write")
class Workers(test_rules.Bed):
    def worker(self, *args):
        """Every second one writes its snapshots in slices so small that it dies within some."""
        self.begun = getattr(self, "begun", 0) + 1
        slices = ("--operator-snapshot-slice", "256") if self.begun % 2 == 0 else ()
        role = self.role("operator", *self.bus, "--operator-slots", "2",
                         "--operator-snapshot-interval", "200ms", *slices, *args)
        role.wait_ready(90)
        return role

    def spread(self):
        """Tasks per worker, those that are live."""
        found = {}
        for task in json.loads(self.coordinator.get("/api/v1/tasks?limit=100"))["items"]:
            if task["state"] == "live":
                found.setdefault(task["worker"], set()).add(task["key"])
        return found

    def all_live(self, workers):
        """All tasks, on so many workers that are there, each with some."""
        found = {name: tasks for name, tasks in self.spread().items()
                 if any(name.endswith(f"-{w.process.pid}") for w in workers)}
        return len(found) == len(workers) and sum(len(t) for t in found.values()) == TASKS

    def begin_all(self, *args):
        self.coordinator = self.role("coordinator", *self.bus, *args)
        self.coordinator.wait_ready(90)
        self.ingest = self.role("ingest", *self.bus, *args)
        self.ingest.wait_ready(90)
        self.ingest.otlp = self.ingest.wait_log(
            r'msg="receiving OTLP" addr=\S+\n(?:.*\n)*?.*msg="receiving OTLP" addr=(\S+)').group(1)

    def send(self, number):
        for n in range(8):
            first = (number * 8 + n) * LINES + 1
            body = logs(LINES, first, f"s{n % SERVICES}")
            self.assertEqual(200, post(self.ingest.otlp, "logs", body).status)
            time.sleep(0.05)

    def test_each_line_counts_once_though_workers_die(self):
        chance = random.Random(int(os.environ.get("KAIJU_WORKER_SEED", "11")))
        self.begin_all()
        workers = [self.worker(), self.worker()]
        self.until("writable", lambda: '"writable":true' in
                   self.coordinator.get("/api/v1/status").replace(" ", ""), 90)
        self.apply(self.coordinator, test_rules.KEPT)
        self.until("tasks are not spread", lambda: self.all_live(workers), 90)
        for number in range(ROUNDS):
            sent = threading.Thread(target=self.send, args=(2 * number,))
            sent.start()
            time.sleep(chance.random() * 1.5)
            workers.pop(chance.randrange(2)).stop(signal.SIGKILL)
            sent.join()
            self.send(2 * number + 1)
            if number % 2 == 0:
                workers.append(self.worker())
                self.until("the new one has no tasks", lambda: self.all_live(workers), 90)
            else:
                self.until("the other does not go on", lambda: self.all_live(workers), 90)
                workers.append(self.worker())
        self.until("not all lines came through", lambda: self.totals() == self.there(), 90)
        self.assertEqual(ROUNDS * 16 * LINES, sum(self.there().values()))
        self.same_again("lines", 2 * ROUNDS * 16 * LINES)
        for worker in workers:
            self.assertEqual(0, worker.stop())


    def task_of(self, graph):
        """The only one, as it is told."""
        return next((t for t in json.loads(self.coordinator.get("/api/v1/tasks"))["items"]
                     if t["graph"] == graph), {})

    def doctor(self):
        return run("doctor", "--look", "100ms", "--api", f"http://{self.coordinator.addr}").stdout

    def test_graphs_that_cost_without_bound_leave_their_neighbour_alone(self):
        """As in test_rules, of five tasks on two workers with a slot each: the neighbour has said what it
        has to of each line soon, nobody dies or loses a slot, who is degraded is named with the limit and
        the rule, and what was dropped is dropped again."""
        few = ("--bus-partitions", "1")
        self.begin_all(*few)
        workers = [self.worker(*few, "--operator-slots", "1") for _ in range(2)]
        self.until("writable", lambda: '"writable":true' in
                   self.coordinator.get("/api/v1/status").replace(" ", ""), 90)
        graphs = [*test_rules.BAD, "whole"]
        for name in graphs[:-1]:
            self.apply(self.coordinator, test_rules.bad_graph(name))
        self.apply(self.coordinator, test_rules.WHOLE)
        self.until("not all is live on both", lambda: len(self.spread()) == 2 and
                   sum(map(len, self.spread().values())) == len(graphs), 60)
        slowest = 0
        for n in range(5):
            began = time.monotonic()
            self.assertEqual(200, post(self.ingest.otlp, "logs", logs(400, 1 + n * 400)).status)
            self.until("the neighbour waits", lambda: self.each() == 400 * (n + 1), 20)
            slowest = max(slowest, time.monotonic() - began)
        self.assertLess(slowest, 8)
        said = r"hoards.*state: no more than 200000, then drop_oldest \('waits'\)"
        self.until("who holds too much is not degraded", lambda: re.search(said, self.doctor()))
        self.until("nor who never ended", lambda: re.search(
            r"cycle.*'(one|two|three)' was stopped by a limit", self.doctor()))
        phases = {name: json.loads(self.coordinator.get(f"/api/v1/rulegraphs/{name}/status"))["phase"]
                  for name in graphs}
        self.assertEqual(("degraded", "degraded", "running"),
                         (phases["hoards"], phases["cycle"], phases["whole"]))
        self.assertLessEqual(self.task_of("hoards")["held_bytes"], 210000)
        self.assertIn("was stopped by a limit", self.task_of("cycle")["degraded"])
        self.assertEqual("", self.task_of("whole").get("degraded", ""))
        for worker in workers:
            self.assertIsNone(worker.process.poll())
            self.assertNotRegex(worker.log(), "a slot is lost|a task is lost")
            worker.stop(signal.SIGKILL)
        self.same_again("hoards", 0)
        self.same_again("whole", 2000)

    def refused(self):
        done = run("doctor", "-o", "json", "--look", "10ms", "--api",
                   f"http://{self.coordinator.addr}")
        return [f["what"] for f in json.loads(done.stdout) if f["code"] == "name_taken"]

    def test_of_two_of_one_name_the_later_runs_nothing(self):
        self.coordinator = self.role("coordinator", *self.bus)
        self.coordinator.wait_ready(90)
        first = self.worker("--operator-name", "w")
        self.apply(self.coordinator, test_rules.KEPT)
        self.until("tasks do not run", lambda: len(self.spread().get("w", ())) == TASKS, 90)
        second = self.worker("--operator-name", "w")
        second.wait_log('msg="another worker has this name, so this one runs nothing" name=w')
        self.until("doctor does not say so", lambda: self.refused() == [
            "workers run nothing, for others have their name: 'w'"])
        time.sleep(5)
        self.assertNotIn('msg="slot begins"', second.log())
        self.assertEqual(1, second.log().count("another worker has this name"))
        self.assertNotIn("is lost", first.log())
        self.assertEqual(0, first.stop())
        second.wait_log('msg="this worker has its name now" name=w')
        second.wait_log('msg="slot begins"')
        self.until("doctor still says so", lambda: self.refused() == [])
        self.assertEqual(0, second.stop())


class Level(test_rules.Bed):
    def test_a_worker_for_one_level_takes_no_other(self):
        role = self.begin("--operator-level", "hl")
        self.apply(role, test_rules.GRAPH)
        role.wait_log(r'msg="a slot\'s tasks" slot=local/0 tasks=4')
        done = run("operator", "--level", "hl", "--help")
        self.assertIn("operator", done.stdout + done.stderr)
        role.stop()


if __name__ == "__main__":
    unittest.main()
