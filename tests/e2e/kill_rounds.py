# SPDX-License-Identifier: Apache-2.0
"""Rounds of kill -9 while senders write: what was acknowledged must be there afterwards.

    KAIJU=build/release/kaiju PUT_EVENTS=- KAIJU_SOURCE_DIR=. \\
        python3 tests/e2e/kill_rounds.py --rounds 50 --seed 1 [--from 17]

With --kafka BROKERS and KAIJU_KAFKA_SH (tests/kafka/kafka.sh, whose one node runs) the worker stays
and the broker is killed and started again. Seed and round decide how long a round lives and who
sends how much; --from goes on at a round. A broker that starts in half of the time:
KAIJU_KAFKA_JVM="-XX:TieredStopAtLevel=1 -XX:ArchiveClassesAtExit=F" until it is stopped once, from
then on "-XX:TieredStopAtLevel=1 -XX:SharedArchiveFile=F".
"""
import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from otlp_json import logs, post  # noqa: E402
from program import Role, run  # noqa: E402

WORKERS = 4
PER_REQUEST = 10


def numbers_there(bus):
    done = run("tail", "logs", *bus, "--from", "start", "--no-follow", "-o", "json", timeout=300)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    bodies = (json.loads(line)["payload"]["body"] for line in done.stdout.splitlines())
    return {int(body.split()[1]) for body in bodies}


def kafka_sh(command):
    subprocess.run([os.environ["KAIJU_KAFKA_SH"], command, "1"], check=True, capture_output=True,
                   timeout=120)


def one_round(bus, seed, number, kill_broker):
    """The numbers that were acknowledged before, and in spite of, the kill."""
    chance = random.Random(seed * 1_000_003 + number)
    role = Role("standalone", *bus)
    acknowledged, stop = [], threading.Event()
    try:
        otlp = role.wait_log(r'msg="receiving OTLP" addr=\S+\n(?:.*\n)*?.*msg="receiving OTLP" '
                             r'addr=(\S+)').group(1)
        role.wait_ready()

        def send(worker):
            n = 0
            while not stop.is_set():
                first = (number * WORKERS + worker) * 1_000_000 + n * PER_REQUEST + 1
                n += 1
                try:
                    if post(otlp, "logs", logs(PER_REQUEST, first), timeout=20).status == 200:
                        acknowledged.extend(range(first, first + PER_REQUEST))
                except (OSError, ValueError):
                    if not kill_broker:
                        return
                time.sleep(chance.random() * 0.002)

        workers = [threading.Thread(target=send, args=(w,)) for w in range(WORKERS)]
        for w in workers:
            w.start()
        end = time.monotonic() + 60
        while not acknowledged and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(0.05 + chance.random() * 0.4)
        if kill_broker:
            kafka_sh("kill")
            time.sleep(chance.random())
            kafka_sh("revive")
            before, end = len(acknowledged), time.monotonic() + 60
            while len(acknowledged) == before and time.monotonic() < end:
                time.sleep(0.1)  # it goes on by itself
            if len(acknowledged) == before:
                raise AssertionError("nothing was acknowledged after the broker came back:\n" +
                                     role.log())
            stop.set()
        else:
            role.process.send_signal(signal.SIGKILL)
            role.process.wait()
            stop.set()
        for w in workers:
            w.join()
    finally:
        role.close()
    return acknowledged


def rounds(count, seed, first=0, say=print, kafka=None):
    """Runs them; the number of acknowledged records that were checked."""
    checked = 0
    with tempfile.TemporaryDirectory(prefix="kaiju-kill-") as top:
        bus = ["--bus-local-dir", os.path.join(top, "bus")]
        if kafka:
            bus = ["--bus-kind", "kafka", "--bus-kafka-brokers", kafka, "--bus-kafka-replication", "1",
                   "--bus-prefix", f"kill{os.getpid()}."]
        acknowledged = set()
        for number in range(first, first + count):
            acknowledged.update(one_round(bus, seed, number, kafka is not None))
            lost = acknowledged - numbers_there(bus)
            if lost:
                raise AssertionError(f"seed {seed} round {number}: {len(lost)} acknowledged records "
                                     f"are lost, the first is {min(lost)}")
            checked = len(acknowledged)
            say(f"round {number}: {checked} acknowledged records are there")
    return checked


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("--kafka", metavar="BROKERS")
    asked = parser.parse_args()
    total = rounds(asked.rounds, asked.seed, asked.first, kafka=asked.kafka)
    print(f"{asked.rounds} rounds, seed {asked.seed}: {total} acknowledged, none lost")
