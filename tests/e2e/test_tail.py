# SPDX-License-Identifier: Apache-2.0
"""`kaiju tail`, `topics` and `top` on the embedded bus and on Kafka, alone and beside a writing
process."""
import json
import signal
import re
import subprocess
import threading
import time
import unittest

from program import Case, KAIJU, run, takes, uses_librdkafka

EVENTS = 95


class Tail(Case):
    def setUp(self):
        super().setUp()
        self.put("logs", EVENTS)

    def tail(self, *args):
        done = run("tail", *args, *self.bus, "--no-follow", "--timeout", "90s")
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.splitlines()

    def json(self, *args):
        return [json.loads(line) for line in self.tail(*args, "-o", "json")]

    def test_every_event_once_and_what_is_no_batch_as_it_is(self):
        rows = self.json("logs", "--from", "start")
        events = [r for r in rows if "payload" in r]
        self.assertEqual(sorted(e["payload"]["number"] for e in events), list(range(EVENTS)))
        self.assertEqual([(r["key"], r["value"]) for r in rows if "payload" not in r],
                         [("odd", "not a batch")])
        self.assertEqual(len({e["ref"] for e in events}), EVENTS)
        self.assertEqual({e["context"]["k8s.pod.name"] for e in events}, {"cart-0", "cart-1"})

    def test_filters_and_type(self):
        rows = self.json("--type", "LogRecord", "--from", "start", "-f", "k8s.pod.name=cart-1")
        self.assertEqual(sorted(r["payload"]["number"] for r in rows), list(range(1, EVENTS, 2)))
        rows = self.json("logs", "--from", "start", "-f", "k8s.pod.name=cart-1", "--filter",
                         "number=7")
        self.assertEqual([r["payload"]["number"] for r in rows], [7])
        self.assertEqual(self.json("logs", "--from", "start", "--filter", "number~no"), [])
        self.assertEqual(self.json("--type", "ExceptionEvent", "--from", "start"), [])

    def test_limit_and_positions(self):
        self.assertEqual(len(self.json("logs", "--from", "start", "-n", "12")), 12)
        self.assertEqual(self.json("logs"), [])  # from the end, and not waiting
        self.assertEqual(len(self.json("logs", "--from", "-1h")), EVENTS + 1)
        self.assertEqual(self.json("logs", "--from", "2199-01-01T00:00:00Z"), [])
        done = run("tail", "logs", *self.bus, "--from", "soon")
        self.assertEqual(done.returncode, 2)
        self.assertIn("expected start, end", done.stderr)

    def test_the_table_is_one_line_an_event(self):
        lines = self.tail("logs", "--from", "start", "-f", "number=3")
        self.assertEqual(len(lines), 2)
        self.assertRegex(lines[0], r"^TIME +TYPE +SUBJECT +PAYLOAD")
        self.assertRegex(lines[1], r"^2027-01-15T08:00:03.000Z +LogRecord +cart-1 +number=3 body=hello")

    def test_errors_say_what_to_do(self):
        done = run("tail", "lgos", *self.bus)
        self.assertEqual(done.returncode, 5)
        self.assertIn("kaiju topics", done.stderr)
        done = run("tail", *self.bus)
        self.assertEqual(done.returncode, 2)
        self.assertIn("--type", done.stderr)
        done = run("tail", "logs", *self.bus, "--filter", "nonsense")
        self.assertEqual(done.returncode, 2)

    def test_a_bus_that_is_not_there(self):
        done = run("tail", "logs", "--bus-local-dir", self.dir + "-nowhere")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(self.dir + "-nowhere", done.stderr)

    @uses_librdkafka
    def test_brokers_that_are_not_there(self):
        for command in (("tail", "logs"), ("topics",)):
            done = run(*command, "--bus-kind", "kafka", "--bus-kafka-brokers", "127.0.0.1:1",
                       "--timeout", "1s")
            self.assertEqual(done.returncode, 8)
            self.assertIn("no answer within 1000 ms", done.stderr)

    def test_topics_lists_what_is_there(self):
        rows = {}
        done = run("topics", *self.bus, "-o", "json", "--timeout", "90s")
        self.assertEqual(done.returncode, 0, done.stderr)
        for line in done.stdout.splitlines():
            row = json.loads(line)
            rows[row["topic"]] = row
        self.assertEqual(rows["logs"]["partitions"], 8)
        self.assertGreaterEqual(rows["logs"]["records_at_most"], (EVENTS + 9) // 10 + 1)
        self.assertEqual(rows["spans"]["records_at_most"], 0)
        self.assertEqual(rows["alerts"]["cleanup"], "compact")
        self.assertIn("metric points", run("topics", *self.bus, "--timeout", "90s").stdout)


class Follow(Case):
    def test_events_of_another_process_arrive_while_it_writes(self):
        self.put("logs", 0)
        follower = subprocess.Popen([KAIJU, "tail", "logs", "-o", "json", *self.bus, "-n",
                                     "30", "--from", "start", "--timeout", "90s"],
                                    stdout=subprocess.PIPE, text=True)
        self.addCleanup(follower.kill)
        time.sleep(0.3)
        self.put("logs", 29)
        out, _ = follower.communicate(timeout=90)
        self.assertEqual(follower.returncode, 0)
        self.assertEqual(len(out.splitlines()), 30)

    def test_top_counts_what_arrives_from_now_on(self):
        self.put("logs", 50)
        top = subprocess.Popen([KAIJU, "top", *self.bus, "--every", "400ms", "--timeout", "90s"],
                               stdout=subprocess.PIPE, text=True)
        self.addCleanup(top.kill)
        lines = []
        reader = threading.Thread(target=lambda: lines.extend(top.stdout))
        reader.start()

        def shown(what):
            """The last count of it."""
            found = re.findall(rf"{what} +\d+ +(\d+) ", "".join(lines))
            return int(found[-1]) if found else 0

        self.until("no table", lambda: any("kaiju top" in line for line in lines))
        for _ in range(2):  # it may have been about to find the ends when the first were put
            before = shown("LogRecord")
            self.put("logs", 20)
            end = time.monotonic() + 30
            while shown("LogRecord") < before + 20 and time.monotonic() < end:
                time.sleep(0.1)
        self.assertLess(before, 50)
        self.assertEqual(before + 20, shown("LogRecord"))
        self.assertEqual(before + 20, shown("cart"))
        top.send_signal(signal.SIGINT)
        reader.join()
        self.assertEqual(top.wait(90), 130)
        top.stdout.close()

    def test_an_interrupt_ends_it(self):
        self.put("logs", 10)
        follower = subprocess.Popen([KAIJU, "tail", "logs", *self.bus],
                                    stdout=subprocess.PIPE, text=True)
        self.addCleanup(follower.kill)
        self.until("it takes no signal", lambda: takes(follower, signal.SIGINT))
        follower.send_signal(signal.SIGINT)
        self.assertEqual(follower.wait(90), 130)
        follower.stdout.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
