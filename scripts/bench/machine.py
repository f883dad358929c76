"""What the figures were taken on: without it they mean nothing to anyone else."""

import os
import pathlib
import platform
import subprocess


def describe(root):
    """CPU, cores, kernel, memory, load and commit."""
    return {
        "cpu": _field("/proc/cpuinfo", "model name"),
        "cores": len(os.sched_getaffinity(0)),
        "memory": _field("/proc/meminfo", "MemTotal"),
        "kernel": platform.release(),
        "os": _os_name(),
        "load_average": pathlib.Path("/proc/loadavg").read_text().split()[:3],
        "commit": _commit(root),
    }


def steal_and_busy(before, after):
    """Shares of all core time that went to other guests and to any work, between two readings."""
    delta = [new - old for old, new in zip(before, after)]
    total = sum(delta) or 1
    return {"steal": delta[7] / total, "busy": 1 - (delta[3] + delta[4]) / total}


def cpu_ticks():
    """user nice system idle iowait irq softirq steal, for the whole machine."""
    first = pathlib.Path("/proc/stat").read_text().splitlines()[0]
    return [int(word) for word in first.split()[1:9]]


def _field(path, name):
    for line in pathlib.Path(path).read_text().splitlines():
        if line.startswith(name):
            return " ".join(line.split(":", 1)[1].split())
    return "unknown"


def _os_name():
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        return "Linux"


def _commit(root):
    words = ["git", "-C", str(root), "describe", "--always", "--dirty"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"
