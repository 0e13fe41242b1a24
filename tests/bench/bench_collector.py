# SPDX-License-Identifier: Apache-2.0
"""The OpenTelemetry collector (otlp receiver, batch processor, kafka exporter) as peer of
`kaiju ingest`: the same sender (bench_ingest), the same Kafka, topics of equal settings, turn by
turn in one run. Counted are items per CPU second of the receiving process, and its peak memory.

The collector answers before Kafka has anything; its CPU time is taken when it has come to rest. It
runs as it would be set up for little CPU (`plain`: no compression, acks=1, any partition), in the
way that we put records (`alike`: lz4, acks=all), and so that a trace, or a resource, has one
partition, as it has with us (`keyed`). Batches are of three requests, as many as fit
into a Kafka record of the default size; its queue holds senders back instead of dropping.
"""
import argparse
import os
import re
import signal
import statistics
import subprocess
import tempfile
import time

from collector import Collector

BROKERS = os.environ["KAIJU_KAFKA_BROKERS"]
KAFKA = ["--bus-kind", "kafka", "--bus-kafka-brokers", BROKERS, "--bus-kafka-replication",
         os.environ["KAIJU_KAFKA_NODES"]]
ALIKE = {"producer": {"compression": "lz4", "required_acks": -1}}
KINDS = {"plain": {"producer": {"compression": "none", "required_acks": 1}},
         "alike": ALIKE,
         "keyed": ALIKE | {"partition_traces_by_id": True, "partition_logs_by_resource_attributes": True,
                           "partition_metrics_by_resource_attributes": True}}
TOPICS = {"traces": "spans", "metrics": "metrics", "logs": "logs"}


def make_topics(kaiju, prefix, directory):
    """Those of the peer are made by us, too, so that they have the same settings."""
    path = os.path.join(directory, "topics.log")
    with open(path, "w", encoding="utf-8") as log:
        role = subprocess.Popen([kaiju, "ingest", "--http-listen", "127.0.0.1:0", "--otlp-grpc-listen",
                                 "off", "--otlp-http-listen", "127.0.0.1:0", *KAFKA, "--bus-prefix",
                                 prefix], stderr=log)
    for _ in range(600):
        with open(path, encoding="utf-8") as log:
            if "topics are there" in log.read():
                break
        time.sleep(0.1)
    role.send_signal(signal.SIGTERM)
    if role.wait(30) != 0:
        raise RuntimeError("the topics could not be made; see " + path)


def rows(bench, args):
    """{wire: (items per second, items per CPU second, peak MB)} of one run of bench_ingest."""
    done = subprocess.run([bench, *args], capture_output=True, text=True, timeout=300, check=True)
    out = {}
    for line in done.stdout.splitlines():
        words = line.split()
        if words[:1] in (["grpc"], ["http"]):
            if words[8] != "0":
                raise RuntimeError("requests have failed: " + line)
            out[words[0]] = (float(words[2]), float(words[3]), float(words[10]))
    return out


def peer_rows(bench, kind, prefix, common):
    with tempfile.TemporaryDirectory(prefix="kaiju-bench-") as directory:
        settings = KINDS[kind] | {"brokers": [BROKERS], "sending_queue":
                                  {"enabled": True, "block_on_overflow": True}}
        settings |= {name: {"topic": prefix + topic} for name, topic in TOPICS.items()}
        collector = Collector(directory, "kafka", settings,
                              {"send_batch_size": 1536, "send_batch_max_size": 1536})
        try:
            out = rows(bench, [*common, "--peer", str(collector.process.pid), collector.grpc,
                               collector.http])
            lost = [line for line in collector.stop() if re.search("drop|fail", line, re.I)]
            if lost:
                raise RuntimeError("the collector did not export everything:\n" + "\n".join(lost))
            return out
        finally:
            collector.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", default="3")
    parser.add_argument("--only", default="traces", choices=TOPICS)
    asked = parser.parse_args()
    bench = os.path.join(asked.build, "bench", "bench_ingest")
    prefix = f"bench{os.getpid()}."
    common = ["--seconds", asked.seconds, "--only", asked.only]
    seen = {}
    with tempfile.TemporaryDirectory(prefix="kaiju-bench-") as directory:
        make_topics(os.path.join(asked.build, "kaiju"), prefix, directory)
    for _ in range(asked.rounds):
        turns = {"kaiju": rows(bench, [*common, *KAFKA, "--bus-prefix", prefix])}
        turns |= {kind: peer_rows(bench, kind, prefix, common) for kind in KINDS}
        for who, of_wires in turns.items():
            for wire, figures in of_wires.items():
                seen.setdefault((wire, who), []).append(figures)
    print(f"{asked.only}, {asked.rounds} rounds of {asked.seconds} s, median (least - most); "
          f"load {os.getloadavg()[0]:.1f}")
    print(f"{'wire':5} {'receiver':16} {'items/s':>9} {'items per CPU second':>32} "
          f"{'peak MB':>18} {'ours, times':>12} {'memory':>7}")
    for wire in ("grpc", "http"):
        ours = [statistics.median(column) for column in zip(*seen[wire, "kaiju"])]
        for who in ("kaiju", *KINDS):
            rate, per_cpu, peak = zip(*seen[wire, who])
            mid_cpu, mid_peak = statistics.median(per_cpu), statistics.median(peak)
            name = who if who == "kaiju" else f"collector {who}"
            print(f"{wire:5} {name:16} {statistics.median(rate):9.0f} {mid_cpu:10.0f} "
                  f"({min(per_cpu):8.0f} - {max(per_cpu):8.0f}) "
                  f"{mid_peak:5.0f} ({min(peak):4.0f} - {max(peak):4.0f}) {ours[1] / mid_cpu:12.2f} "
                  f"{mid_peak / ours[2]:6.1f}x")


if __name__ == "__main__":
    main()
