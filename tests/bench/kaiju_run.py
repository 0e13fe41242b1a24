# SPDX-License-Identifier: Apache-2.0
"""What benchmarks of whole programs have in common: CPU seconds and memory of a process, waiting for
a line of its log, applying a graph."""
import os
import re
import subprocess
import time

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_of(pid):
    """CPU seconds so far, user and system, all threads."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_of(pid, name):
    """A row of /proc/PID/status (RssAnon, VmHWM), in MB."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(name + r":\s*(\d+)", f.read()).group(1)) / 1024


def wait_log(path, pattern, seconds=60):
    for _ in range(seconds * 10):
        with open(path, encoding="utf-8") as f:
            found = re.search(pattern, f.read())
        if found:
            return found
        time.sleep(0.1)
    with open(path, encoding="utf-8") as f:
        raise RuntimeError(f"no {pattern!r} in {path}:\n{f.read()[-2000:]}")


def apply(program, addr, graph):
    """Again and again, while the coordinator is not there yet."""
    for _ in range(300):
        done = subprocess.run([program, "apply", "-f", graph, "--api", f"http://{addr}"],
                              capture_output=True, text=True, timeout=60)
        if done.returncode == 0:
            return
        time.sleep(0.2)
    raise RuntimeError(done.stderr)
