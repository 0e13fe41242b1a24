# SPDX-License-Identifier: Apache-2.0
"""Rounds of kill -9 while senders write: what was acknowledged must be there afterwards.

    KAIJU=build/release/kaiju PUT_EVENTS=- KAIJU_SOURCE_DIR=. \\
        python3 tests/e2e/kill_rounds.py --rounds 50 --seed 1 [--from 17]

Seed and round decide how long a round lives and who sends how much; --from goes on at a round.
"""
import argparse
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from otlp_json import logs, post  # noqa: E402
from program import Role, run  # noqa: E402

WORKERS = 4
PER_REQUEST = 10


def numbers_there(directory):
    done = run("tail", "logs", "--bus-local-dir", directory, "--from", "start", "--no-follow", "-o",
               "json", timeout=300)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    bodies = (json.loads(line)["payload"]["body"] for line in done.stdout.splitlines())
    return {int(body.split()[1]) for body in bodies}


def one_round(directory, seed, number):
    """The numbers that were acknowledged before the process was killed."""
    chance = random.Random(seed * 1_000_003 + number)
    role = Role("standalone", "--bus-local-dir", directory)
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
                    if post(otlp, "logs", logs(PER_REQUEST, first), timeout=5).status == 200:
                        acknowledged.extend(range(first, first + PER_REQUEST))
                except (OSError, ValueError):
                    return
                time.sleep(chance.random() * 0.002)

        workers = [threading.Thread(target=send, args=(w,)) for w in range(WORKERS)]
        for w in workers:
            w.start()
        time.sleep(0.05 + chance.random() * 0.4)
        role.process.send_signal(signal.SIGKILL)
        role.process.wait()
        stop.set()
        for w in workers:
            w.join()
    finally:
        role.close()
    return acknowledged


def rounds(count, seed, first=0, say=print):
    """Runs them; the number of acknowledged records that were checked."""
    checked = 0
    with tempfile.TemporaryDirectory(prefix="kaiju-kill-") as top:
        directory = os.path.join(top, "bus")
        acknowledged = set()
        for number in range(first, first + count):
            acknowledged.update(one_round(directory, seed, number))
            lost = acknowledged - numbers_there(directory)
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
    asked = parser.parse_args()
    total = rounds(asked.rounds, asked.seed, asked.first)
    print(f"{asked.rounds} rounds, seed {asked.seed}: {total} acknowledged, none lost")
