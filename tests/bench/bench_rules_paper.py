# SPDX-License-Identifier: Apache-2.0
"""What `kaiju standalone` costs at the load of the paper, with its rules: 2,500 spans, 1,500 log
records and 2,000 metric points a second over gRPC, as kaiju-loadgen makes them, with incidents that
the rules look for; everything on the embedded bus, 8 raw partitions as it comes.

The rules are those of tests/bench/rules_paper.yaml, made by `kaiju import esper`; --rules DIR makes
the graph anew from the statement and event files there.

Counted from the end of the warm-up on: CPU seconds of the process (user and system, all threads)
per second, greatest RssAnon (looked at twice a second), the peak of the resident set, and that the
rules keep up: inputs taken of those sent, greatest lag of a task.
"""
import argparse
import glob
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

from kaiju_run import apply, cpu_of, memory_of, wait_log

HERE = os.path.dirname(os.path.abspath(__file__))
INCIDENTS = ("cpu-saturation", "slow-dependency", "bad-rollout")


def sums(addr):
    """Greatest and sum of each metric of the process."""
    with urllib.request.urlopen(f"http://{addr}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    total, most = {}, {}
    for name, value in re.findall(r"^(\w+)(?:\{.*\})? ([-+.\deE]+)$", text, re.M):
        total[name] = total.get(name, 0) + float(value)
        most[name] = max(most.get(name, float(value)), float(value))
    return total, most


def graph_of(asked, program, directory):
    if not asked.rules:
        return os.path.join(HERE, "rules_paper.yaml")
    path = os.path.join(directory, "graph.yaml")
    levels = [os.path.join(asked.rules, f"{level}-statements.txt")
              for level in ("metrics", "logs", "traces", "hl")]
    subprocess.run([program, "import", "esper", "--events", os.path.join(asked.rules, "hl-events.txt"),
                    "--statements", *levels, "--name", "paper", "-o", path], check=True, timeout=60)
    return path


def begin(program, directory):
    log = os.path.join(directory, "log")
    process = subprocess.Popen(
        [program, "standalone", "--bus-local-dir", os.path.join(directory, "bus"),
         "--http-listen", "127.0.0.1:0", "--otlp-grpc-listen", "127.0.0.1:0",
         "--otlp-http-listen", "off"], stderr=open(log, "w", encoding="utf-8"))
    try:
        http = wait_log(log, r"msg=ready.* http=(\S+)").group(1)
        grpc = wait_log(log, r'msg="receiving OTLP[^"]*" addr=(\S+)').group(1)
    except RuntimeError:
        process.kill()
        raise
    return process, http, grpc


def measure(asked, process, addr):
    time.sleep(asked.warm)
    (before, _), used, began = sums(addr), cpu_of(process.pid), time.monotonic()
    anon, lag = 0.0, 0.0
    while time.monotonic() - began < asked.seconds:
        time.sleep(0.5)
        anon = max(anon, memory_of(process.pid, "RssAnon"))
    seconds = time.monotonic() - began
    used = cpu_of(process.pid) - used
    after, most = sums(addr)
    lag = most.get("kaiju_task_lag_seconds", 0)
    taken = after["kaiju_task_inputs_total"] - before["kaiju_task_inputs_total"]
    return {"core": 100 * used / seconds, "anon": anon, "peak": memory_of(process.pid, "VmHWM"),
            "inputs": taken / seconds, "lag": lag, "outputs": after["kaiju_task_outputs_total"],
            "rows": after.get("kaiju_task_rows", 0), "poison": after.get("kaiju_task_poison_total", 0)}


def run(asked, turn):
    program = os.path.join(asked.build, "kaiju")
    loadgen = glob.glob(os.path.join(asked.build, "**", "kaiju-loadgen"), recursive=True)[0]
    with tempfile.TemporaryDirectory(prefix="kaiju-bench-") as directory:
        process, addr, grpc = begin(program, directory)
        load = None
        try:
            apply(program, addr, graph_of(asked, program, directory))
            length = asked.warm + asked.seconds + 3
            command = [loadgen, "--to", f"grpc://{grpc}", "--preset", "paper", "--quiet",
                       "--duration", f"{length}s", "--seed", str(turn + 1)]
            for name in INCIDENTS:
                command += ["--incident", f"{name}@{asked.warm // 2}s:{asked.seconds}s"]
            with open(os.path.join(directory, "load"), "w+", encoding="utf-8") as report:
                load = subprocess.Popen(command, stdout=report, stderr=subprocess.STDOUT)
                figures = measure(asked, process, addr)
                if load.wait(60) != 0:
                    report.seek(0)
                    raise RuntimeError("not all was acknowledged:\n" + report.read())
            return figures
        finally:
            if load is not None and load.poll() is None:
                load.kill()
                load.wait()
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build")
    parser.add_argument("--rules", default="", help="directory of statement and event files")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--warm", type=int, default=15)
    parser.add_argument("--seconds", type=int, default=60)
    asked = parser.parse_args()
    seen = []
    for turn in range(asked.runs):
        seen.append(run(asked, turn))
        print(f"run {turn + 1}: {seen[-1]}", file=sys.stderr)
    print(f"6,000 items a second for {asked.seconds} s, {asked.runs} runs, median (least - most); "
          f"load {os.getloadavg()[0]:.1f}")
    for name, what in (("core", "% of a core"), ("anon", "RssAnon, MB"), ("peak", "VmHWM, MB"),
                       ("inputs", "inputs taken by tasks, a second"), ("lag", "lag at the end, s"),
                       ("outputs", "events put out"), ("rows", "rows held"), ("poison", "letters to dlq")):
        of = [figures[name] for figures in seen]
        print(f"{what:34} {statistics.median(of):10.1f} ({min(of):9.1f} - {max(of):9.1f})")


if __name__ == "__main__":
    main()
