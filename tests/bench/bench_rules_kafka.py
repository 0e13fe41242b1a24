# SPDX-License-Identifier: Apache-2.0
"""One stateful level, Kafka to Kafka: count, sum and greatest value by key over ten seconds of event
time, by `kaiju operator`, by Kafka Streams and by Flink, turn by turn in one run and over the same
values.

Counted are events per CPU second of the process that runs the rule (user and system, all threads),
its peak memory, and the rate; the broker, the load and who reads the rows are processes of their
own. `rules_load` checks that counts and sums are those of the values, key by key, so the rows of all
are the same. A first round of each warms up and is not counted.

  kaiju exactly once        a transaction each 200 ms: rows, journal; the rule keeps sums, as Streams does
  kaiju at least once       the same records by the idempotent producer, without transactions
  kaiju ..., time_batch     exactly once; the rule keeps the events of its ten seconds
  streams ... rocksdb       Kafka Streams as it comes, one thread, a commit each 200 ms
  streams ... memory        with its state in memory, and its changelog
  flink exactly once        one slot of its local cluster, state on the heap, a checkpoint each 200 ms,
                            at which its sink commits; the topic is taken as keyed already
  flink ..., keyBy          as it is usually written
  flink at least once       without transactions
  flink ..., our records    exactly once, keyed, out of the very records that we read, by Avro's reader

Otherwise Streams and Flink read a record per value, eight bytes and a key, from a topic that is keyed
already; we read metrics as `kaiju ingest` writes them, and write our rows as such.
"""
import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile

from kaiju_run import apply, cpu_of, memory_of, wait_log

BROKERS = os.environ["KAIJU_KAFKA_BROKERS"]
KAFKA = ["--bus-kind", "kafka", "--bus-kafka-brokers", BROKERS, "--bus-kafka-replication",
         os.environ["KAIJU_KAFKA_NODES"], "--http-listen", "127.0.0.1:0"]
PARTS = "4"
SCHEMA = os.path.join(os.path.dirname(__file__), "../../schemas/event_batch.avsc")
# What Flink's own scripts open to it, as far as it wants it here.
OPENED = [f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in ("lang", "util")]
GRAPH = """apiVersion: kaiju/v1
kind: RuleGraph
name: load
levels:
  - name: metrics
    epl: |
      %s
"""
SELECT = "select service, count(*) as n, sum(value) as total, max(value) as top from Metric"
SUMS = GRAPH % ("create context Tens initiated @now and pattern [every timer:interval(10 sec)] "
                "terminated after 10 sec; @name('load') context Tens insert into Load " + SELECT +
                " group by service output snapshot when terminated;")
BATCH = GRAPH % ("@name('load') insert into Load " + SELECT + "#time_batch(10 sec) group by service;")


class Load:
    """rules_load at work; rounds are asked of it."""

    def __init__(self, build, form, source, out):
        self.process = subprocess.Popen([os.path.join(build, "tests/bench/rules_load"), form, BROKERS,
                                         source, out, PARTS], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)

    def round(self, count):
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        words = self.process.stdout.readline().split()
        if words[:1] != ["done"]:
            raise RuntimeError("rules_load has ended")
        return float(words[2]), int(words[3])

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)


def measured(load, pid, asked):
    """(events per second, per CPU second, peak MB, rows) of one run."""
    load.round(asked.warm)
    before = cpu_of(pid)
    seconds, rows = load.round(asked.events)
    used = cpu_of(pid) - before
    return asked.events / seconds, asked.events / used, memory_of(pid, "VmHWM"), rows


def kaiju(asked, name, rules, options):
    prefix = f"bench{os.getpid()}.{name}."
    program = os.path.join(asked.build, "kaiju")
    with tempfile.TemporaryDirectory(prefix="kaiju-bench-") as directory:
        graph = os.path.join(directory, "graph.yaml")
        with open(graph, "w", encoding="utf-8") as f:
            f.write(rules)
        logs = [os.path.join(directory, role) for role in ("coordinator", "operator")]
        running = []
        try:
            for role, log in zip(("coordinator", "operator"), logs):
                extra = options if role == "operator" else []
                running.append(subprocess.Popen(
                    [program, role, *KAFKA, "--bus-prefix", prefix, "--bus-partitions", PARTS, *extra],
                    stderr=open(log, "w", encoding="utf-8")))
            addr = wait_log(logs[0], r"msg=ready.* http=(\S+)").group(1)
            apply(program, addr, graph)
            wait_log(logs[1], 'msg="graph is live"')
            load = Load(asked.build, "batches", prefix + "metrics", prefix + "events")
            pid = running[1].pid
            if asked.profile and (name.startswith("exact") or asked.only):
                load.round(asked.warm)
                with subprocess.Popen(["perf", "record", "-g", "-o", asked.profile, "-p", str(pid)],
                                      stderr=subprocess.DEVNULL) as perf:
                    load.round(asked.events)
                    perf.send_signal(signal.SIGINT)
            figures = measured(load, pid, asked)
            load.close()
            return figures
        finally:
            for process in reversed(running):
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def peer(asked, who, turn, *how):
    """A Load.java of tests/peers, which says when it is ready and ends with its input."""
    prefix = f"bench{os.getpid()}-{who}-{'-'.join(how)}-{turn}-"
    jars = os.path.join(os.environ["PEERS_DIR"], who)
    with tempfile.TemporaryDirectory(prefix="kaiju-bench-") as directory:
        with subprocess.Popen(
                ["java", f"-Xmx{asked.heap}", *OPENED, "-cp", f"{jars}/classes:{jars}/lib/*", "Load",
                 BROKERS, prefix + "in", prefix + "out", *how, directory, PARTS, SCHEMA],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            try:
                if process.stdout.readline().strip() != "ready":
                    raise RuntimeError(f"{who} does not run")
                form = "batches-records" if "batches" in how else "records"
                load = Load(asked.build, form, prefix + "in", prefix + "out")
                figures = measured(load, process.pid, asked)
                load.close()
                process.stdin.close()
                process.wait(30)
                return figures
            finally:
                process.kill()


WHO = {
    "kaiju exactly once": lambda asked, turn: kaiju(asked, f"exact{turn}", SUMS, []),
    "kaiju at least once": lambda asked, turn: kaiju(asked, f"least{turn}", SUMS,
                                                     ["--operator-at-least-once"]),
    "kaiju exactly once, time_batch": lambda asked, turn: kaiju(asked, f"batch{turn}", BATCH, []),
    "streams exactly once, rocksdb": lambda asked, turn: peer(asked, "streams", turn, "exactly_once_v2",
                                                              "rocksdb"),
    "streams exactly once, memory": lambda asked, turn: peer(asked, "streams", turn, "exactly_once_v2",
                                                             "memory"),
    "streams at least once, memory": lambda asked, turn: peer(asked, "streams", turn, "at_least_once",
                                                              "memory"),
    "flink exactly once": lambda asked, turn: peer(asked, "flink", turn, "exactly_once", "keyed"),
    "flink exactly once, keyBy": lambda asked, turn: peer(asked, "flink", turn, "exactly_once", "shuffle"),
    "flink exactly once, our records": lambda asked, turn: peer(asked, "flink", turn, "exactly_once",
                                                                "batches"),
    "flink at least once": lambda asked, turn: peer(asked, "flink", turn, "at_least_once", "keyed"),
}


def show(seen, asked):
    print(f"{asked.events} events of 1000 keys, {asked.rounds} rounds, median (least - most); "
          f"load {os.getloadavg()[0]:.1f}")
    print(f"{'who':32} {'events/s':>9} {'events per CPU second':>32} {'peak MB':>18} {'rows':>7}")
    middle = {}
    for who, figures in seen.items():
        rate, per_cpu, peak, rows = zip(*figures)
        middle[who] = (statistics.median(per_cpu), statistics.median(peak))
        print(f"{who:32} {statistics.median(rate):9.0f} {middle[who][0]:10.0f} "
              f"({min(per_cpu):8.0f} - {max(per_cpu):8.0f}) {middle[who][1]:5.0f} "
              f"({min(peak):4.0f} - {max(peak):4.0f}) {max(rows):7}")
    ours = middle.get("kaiju exactly once")
    for who, figures in middle.items():
        if ours and who != "kaiju exactly once":
            print(f"exactly once over {who}: {ours[0] / figures[0]:.2f} times the events per CPU second, "
                  f"1/{figures[1] / ours[1]:.1f} of the memory")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--events", type=int, default=2000000)
    parser.add_argument("--warm", type=int, default=500000)
    parser.add_argument("--heap", default="512m", help="of the JVM")
    parser.add_argument("--only", default="", help="rows whose name matches this")
    parser.add_argument("--profile", default="", help="a file for perf record, of kaiju")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    seen = {}
    for turn in range(asked.rounds):
        for who, run in WHO.items():
            if re.search(asked.only, who):
                figures = run(asked, turn)
                seen.setdefault(who, []).append(figures)
                print(f"round {turn + 1}: {who}: {figures[1]:.0f} per CPU second", file=sys.stderr)
    show(seen, asked)
    if asked.json:
        print(json.dumps(seen))


if __name__ == "__main__":
    main()
