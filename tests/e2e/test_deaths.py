# SPDX-License-Identifier: Apache-2.0
"""A record on which the process dies each time it is taken (poison.c is a bug in a library that
rules call): after so many deaths it is passed over by a journaled decision, one letter in dlq says
so, and every other record has its effect once."""
import collections
import http.client
import os
import signal
import time
import unittest

from otlp_json import attributes, logs, post
import test_rules

POISON = os.environ.get("POISON")
DEATHS = 5  # nobody expected the first, three are counted, the last dies alone with the record
GRAPH = """apiVersion: kaiju/v1
kind: RuleGraph
name: match
levels:
  - name: logs
    epl: |
      @name('match') insert into Match select body from LogRecord(body regexp '.*line.*');
"""


def line(text):
    """One more line of the same sender."""
    body = logs(1, 50)
    body["resourceLogs"][0]["resource"]["attributes"] = attributes(service__name="cart")
    body["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["body"]["stringValue"] = text
    return body


@unittest.skipIf(not POISON or os.environ.get("KAIJU_SANITIZE"),
                 "a library that is preloaded does not go with sanitizers")
class Deaths(test_rules.Bed):
    def begin(self, *args):
        """It may be dead before it has said that it is ready."""
        os.environ["LD_PRELOAD"] = POISON
        try:
            return self.role("standalone", *self.bus, *args, wait=False)
        finally:
            del os.environ["LD_PRELOAD"]

    def otlp(self, role):
        return role.wait_log(r'msg="receiving OTLP" addr=\S+\n(?:.*\n)*?.*msg="receiving OTLP" '
                             r'addr=(\S+)').group(1)

    def dies(self, role):
        """True: of the record. False: it lives and has passed it over."""
        end = time.monotonic() + 90
        while time.monotonic() < end:
            if role.process.poll() is not None:
                self.assertEqual(-signal.SIGABRT, role.process.returncode, role.log())
                return True
            if self.letters():
                return False
            time.sleep(0.1)
        return self.fail(f"it neither dies nor goes on:\n{role.log()}")

    def letters(self):
        return [e["payload"] for e in self.events("dlq") if e["payload"].get("reason") == "deadly"]

    def bodies(self):
        return collections.Counter(e["payload"]["body"] for e in self.events("events"))

    def test_a_record_that_kills_is_passed_over(self):
        role = self.begin()
        role.addr = role.wait_log(r"msg=ready.* http=(\S+)").group(1)
        role.wait_ready()
        self.apply(role, GRAPH)
        role.wait_log(r'msg="graph is live"')
        post(self.otlp(role), "logs", logs(10, 1))
        self.until("nothing came out", lambda: sum(self.bodies().values()) == 10)
        try:
            post(self.otlp(role), "logs", line("line of poison"), timeout=20)
        except (OSError, ValueError, http.client.HTTPException):
            pass  # it died, and the answer with it
        deaths = 0
        while self.dies(role):
            deaths += 1
            self.assertLessEqual(deaths, DEATHS)
            role = self.begin()
        self.assertEqual(DEATHS, deaths)
        post(self.otlp(role), "logs", logs(10, 11))
        self.until("not all came out", lambda: sum(self.bodies().values()) >= 20)
        self.assertEqual({f"line {n}": 1 for n in range(1, 21)}, dict(self.bodies()))
        self.assertEqual(1, len(self.letters()), self.letters())
        role.stop()


if __name__ == "__main__":
    unittest.main()
