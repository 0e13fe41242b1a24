# SPDX-License-Identifier: Apache-2.0
"""Twice the load that the bus takes, for as long as asked.

    KAIJU=build/release/kaiju PUT_EVENTS=- KAIJU_SOURCE_DIR=. SLOW_SYNC=build/release/tests/e2e/libslow_sync.so \\
        python3 tests/e2e/overload.py --seconds 600

`kaiju standalone` on an embedded bus whose disk is slow (slow_sync.c), with small bounds on memory:
what it takes is first measured; then two kaiju-loadgens, one by gRPC and one by HTTP, each
offer a little more than that. They repeat what is refused, and go on until everything was acknowledged. Held is:

- with --tolerance, goodput stays within that of its median, from window to window;
- anonymous memory stays flat: its most in the second half is not above that of the first by 10 % and 2 MB;
- every refusal says when to come again, 1 to 30 s from then;
- every span made is acknowledged, and is on the bus.
"""
import argparse
import array
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from program import KAIJU, Role  # noqa: E402

LOADGEN = os.path.join(os.path.dirname(KAIJU), "kaiju-loadgen")
SLOW_SYNC = os.environ["SLOW_SYNC"]
BATCH = "64"
CONNECTIONS = "64"
WARM_S = 5


def loadgen(to, seed, *args):
    return subprocess.Popen(
        [LOADGEN, "--to", to, "--only", "spans", "--seed", str(seed), "--batch", BATCH, "--flush",
         "100ms", "--connections", CONNECTIONS, "--quiet", "-o", "json", *args],
        stdout=subprocess.PIPE, text=True)


def said(process, timeout):
    out, _ = process.communicate(timeout=timeout)
    return json.loads(out)


class Standalone(Role):
    def __init__(self, directory):
        os.environ["LD_PRELOAD"] = SLOW_SYNC
        os.environ["KAIJU_SLOW_SYNC_MS"] = "300"
        try:
            super().__init__("standalone", "--bus-local-dir", directory, "--bus-writer-queue",
                             "2MiB", "--ingest-memory", "16MiB")
        finally:
            del os.environ["LD_PRELOAD"]
        self.wait_ready()
        self.grpc, self.http = re.findall(r'msg="receiving OTLP" addr=(\S+)', self.log())

    def sample(self):
        """(time, spans acknowledged, anonymous memory in bytes)"""
        text = self.get("/metrics")
        spans = sum(map(int, re.findall(r'(?m)^kaiju_ingest_items_total\{[^}]*"traces"\} (\d+)', text)))
        anon = int(re.search(r"(?m)^kaiju_process_rss_anon_bytes (\d+)", text).group(1))
        return time.monotonic(), spans, anon


def capacity(kaiju):
    """Spans a second that it acknowledges when there are far too many. These are told apart by the
    name of their cluster, and nobody waits for them."""
    senders = [loadgen(to, 1, "--rate", "15000", "--cluster", "warm")
               for to in (f"grpc://{kaiju.grpc}", f"http://{kaiju.http}")]
    time.sleep(4)
    first = kaiju.sample()
    time.sleep(6)
    last = kaiju.sample()
    for sender in senders:
        sender.kill()
        sender.communicate()
    time.sleep(2)
    return (last[1] - first[1]) / (last[0] - first[0])


def ids_there(directory):
    """How many different spans the bus has."""
    ids, rest = array.array("Q"), re.compile(r'"id":"([0-9a-f]{16})')
    with subprocess.Popen([KAIJU, "tail", "spans", "--bus-local-dir", directory, "--from", "start",
                           "--no-follow", "-o", "json"], stdout=subprocess.PIPE, text=True) as tail:
        for line in tail.stdout:
            if '"type":"Span"' in line and '"k8s.cluster.name":"warm"' not in line:
                ids.append(int(rest.search(line).group(1), 16))
    if tail.returncode != 0:
        raise AssertionError("tail has failed")
    return len(set(ids))


def check(what, ok):
    print(("ok    " if ok else "FAILED") + "  " + what, flush=True)
    return ok


def overload(directory, seconds, tolerance):
    kaiju = Standalone(os.path.join(directory, "bus"))
    try:
        before = capacity(kaiju)
        spans_before = kaiju.sample()[1]
        print(f"takes {before:.0f} spans/s, is offered 2.2 times that for {seconds} s", flush=True)
        # The longest that the backlog of `seconds` may take, and then some.
        drain = f"{3 * seconds + 60}s"
        senders = [loadgen(to, seed, "--rate", f"{1.1 * before:.0f}", "--duration", f"{seconds}s", "--queue",
                           "8GiB", "--drain-timeout", drain)
                   for seed, to in ((11, f"grpc://{kaiju.grpc}"), (12, f"http://{kaiju.http}"))]
        end, samples = time.monotonic() + seconds, []
        while time.monotonic() < end:
            samples.append(kaiju.sample())
            time.sleep(0.5)
        reports = [said(sender, 3 * seconds + 120) for sender in senders]
        spans_after = kaiju.sample()[1]
        kaiju.stop()
    finally:
        kaiju.close()
    return judge(seconds, tolerance, samples, reports, spans_after - spans_before,
                 ids_there(os.path.join(directory, "bus")))


def windows(samples, count):
    """Goodput of each of `count` equal pieces of the time, without the first seconds."""
    samples = [s for s in samples if s[0] - samples[0][0] >= WARM_S]
    edges = [samples[i * (len(samples) - 1) // count] for i in range(count + 1)]
    return [(b[1] - a[1]) / (b[0] - a[0]) for a, b in zip(edges, edges[1:])]


def judge(seconds, tolerance, samples, reports, taken, there):
    made = sum(r["made"]["spans"] for r in reports)
    put_off = sum(r["put_off"] for r in reports)
    rates = windows(samples, max(4, min(30, seconds // 20)))
    middle = statistics.median(rates)
    half = len(samples) // 2
    warm = [s[2] for s in samples if s[0] - samples[0][0] >= WARM_S]
    most = [max(warm[:len(warm) // 2]), max(warm[len(warm) // 2:])]
    least = min(r["asked_delay"]["least_ms"] for r in reports)
    longest = max(r["asked_delay"]["max_ms"] for r in reports)
    offered = made / seconds
    print("goodput of each window:", *(f"{rate:.0f}" for rate in rates))
    return all([
        check(f"offered {offered:.0f} spans/s, {offered / middle:.2f} times the goodput",
              tolerance is None or offered >= 2 * (1 - tolerance) * middle),
        check(f"goodput {middle:.0f} spans/s, {len(rates)} windows: {min(rates) / middle - 1:+.1%} to "
              f"{max(rates) / middle - 1:+.1%}",
              tolerance is None or all(abs(r / middle - 1) <= tolerance for r in rates)),
        check(f"RssAnon at most {most[0] / 2**20:.1f} MB in the first half, {most[1] / 2**20:.1f} MB in "
              f"the second; {samples[half][2] / 2**20:.1f} MB between", most[1] <= 1.1 * most[0] + (2**23 if tolerance is None else 2**21)),
        check(f"{put_off} refusals, delays {least:.0f} to {longest:.0f} ms, none without; "
              f"{sum(r['unanswered'] for r in reports)} tries without an answer",
              put_off > 0 and sum(r["undirected"] + r["unanswered"] for r in reports) == 0
              and least >= 1000 and longest <= 30000),
        check(f"{made} spans made, {sum(r['acknowledged']['spans'] for r in reports)} acknowledged, "
              f"{taken} counted by the receiver",
              made == sum(r["acknowledged"]["spans"] for r in reports) == taken),
        check(f"{there} different spans on the bus", there == made),
    ])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--tolerance", type=float,
                        help="of the goodput; without, how fast it is is not judged")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kaiju-overload-") as top:
        sys.exit(0 if overload(top, asked.seconds, asked.tolerance) else 1)
