#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What rules cost that match nothing: RssAnon of a standalone that takes logs, before RULES rules are
applied, in graphs of a thousand, and after they have run on events that none of them takes. The
peak is the largest of samples, taken all the time.

    ./dev bench rules_memory [-- RULES [plain|windows|mixed]]
"""
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from kaiju_run import memory_of, wait_log  # noqa: E402
from otlp_json import logs, post  # noqa: E402

KAIJU = os.environ["KAIJU"]
PLAIN = "@name('p{n}') insert into Plain{n} select pod, body from LogRecord(service = 'none-{n}', severity_number >= 17);"
WINDOW = ("@name('w{n}') insert into Window{n} select namespace, count(*) as n from LogRecord(service = 'none-{n}')"
          "#time(1 min) group by namespace having count(*) > 20;")
EACH_GRAPH, SERVICES, EACH = 1000, 64, 200


def graph(first, rules, kind):
    def rule(n):
        return (PLAIN if kind == "plain" or (kind == "mixed" and n % 2 == 0) else WINDOW).format(n=n)
    lines = "\n".join("      " + rule(n) for n in range(first, first + rules))
    return f"apiVersion: kaiju/v1\nkind: RuleGraph\nname: many-{first}\nlevels:\n  - name: logs\n    epl: |\n{lines}\n"


def anon(pid):
    return memory_of(pid, "RssAnon")


class Peak(threading.Thread):
    """Looks every few milliseconds, also while documents are compiled behind an answer."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.most, self.done = pid, 0, threading.Event()

    def run(self):
        while not self.done.wait(0.005):
            self.most = max(self.most, anon(self.pid))

    def end(self):
        self.done.set()
        self.join()
        return self.most


def send(url):
    for i in range(SERVICES):
        while post(url, "logs", logs(EACH, first=1 + i * EACH, service=f"shop-{i}")).status != 200:
            time.sleep(0.1)


def settled(pid):
    """The least of the last seconds, once it falls no more."""
    last = anon(pid)
    for _ in range(20):
        time.sleep(1)
        now = anon(pid)
        if now > last - 0.5:
            return now
        last = now
    return last


def main():
    rules = int(sys.argv[1]) if len(sys.argv) > 1 else 10000
    kind = sys.argv[2] if len(sys.argv) > 2 else "mixed"
    with tempfile.TemporaryDirectory(prefix="kaiju-bench-") as temp:
        log = os.path.join(temp, "log")
        with open(log, "w") as out:
            p = subprocess.Popen([KAIJU, "standalone", "--bus-local-dir", os.path.join(temp, "bus"),
                                  "--http-listen", "127.0.0.1:0", "--otlp-grpc-listen", "127.0.0.1:0",
                                  "--otlp-http-listen", "127.0.0.1:0"], stdout=out, stderr=out)
        try:
            api = "http://" + wait_log(log, r"msg=ready.* http=(\S+)").group(1)
            url = wait_log(log, r'msg="receiving OTLP" addr=\S+\n(?:.*\n)*?.*msg="receiving OTLP" addr=(\S+)').group(1)
            send(url)
            before = settled(p.pid)
            path = os.path.join(temp, "graph.yaml")
            began = time.monotonic()
            sampled = Peak(p.pid)
            sampled.start()
            for first in range(0, rules, EACH_GRAPH):
                with open(path, "w") as f:
                    f.write(graph(first, min(EACH_GRAPH, rules - first), kind))
                subprocess.run([KAIJU, "apply", "-f", path, "--api", api], check=True, stdout=subprocess.DEVNULL)
            applied = time.monotonic() - began
            idle = settled(p.pid)
            for _ in range(3):
                send(url)
            time.sleep(2)
            after = settled(p.pid)
            peak = sampled.end()
            with urllib.request.urlopen(api + "/metrics", timeout=30) as answer:
                text = answer.read().decode()
            taken = sum(float(x) for x in re.findall(r"kaiju_task_inputs_total\{\S* (\S+)", text))
            print(f"{rules} rules ({kind}): RssAnon {before:.0f} MB before, {idle:.0f} applied (in {applied:.1f} s), "
                  f"{after:.0f} behind {taken:.0f} events taken: +{after - before:.0f} MB; peak +{peak - before:.0f} MB")
        finally:
            p.terminate()
            p.wait(60)


if __name__ == "__main__":
    main()
