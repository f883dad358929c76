"""The load: redis-benchmark, and memtier_benchmark where it is installed.

redis-benchmark's CSV has no p99.9, so its long form is read: a list of `percent <= milliseconds`.
With a pipeline its latency is that of the whole batch. Only one load runs at a time.
"""

import json
import pathlib
import re
import subprocess
from dataclasses import dataclass

import servers
import wire

RUN_S_MAX = 300.0
CONNECTIONS = 50
MEMTIER_KEY_FIRST = 100_000_000_000
"""memtier does not pad its key numbers with zeros; from here on they are 12 digits anyway."""


class LoadError(Exception):
    """The load tool failed or said something that cannot be read."""


@dataclass(frozen=True)
class Outcome:
    """What the tool saw from its side."""

    rps: float
    p50_ms: float
    p99_ms: float
    p999_ms: float


def cost(server, core, words, requests):
    """Server CPU, µs an operation, while `words` put `requests` on it from `core`; and what they printed."""
    with servers.alone(server):
        before = server.cpu_s()
        printed = _run(words, {core})
        return (server.cpu_s() - before) * 1e6 / requests, printed


def redis_benchmark(tool, port, cores, command, pipeline, requests, keys, value_len, threads=1):
    """Runs one command at one pipeline depth over random keys."""
    words = [tool, "-h", wire.HOST, "-p", port, "-t", command.lower(), "-n", requests]
    words += ["-c", CONNECTIONS, "-r", keys, "-d", value_len, "-P", pipeline, "--precision", 3]
    if threads > 1:
        words += ["--threads", threads]
    return parse_redis_benchmark(_run(words, cores))


def memtier(tool, port, cores, command, pipeline, requests, keys, value_len, scratch):
    """The same question asked by memtier_benchmark; its keys start at MEMTIER_KEY_FIRST."""
    out = pathlib.Path(scratch) / "memtier.json"
    ratio = "1:0" if command == "SET" else "0:1"
    words = [tool, "-s", wire.HOST, "-p", port, "-t", 1, "-c", CONNECTIONS]
    words += ["-n", max(1, requests // CONNECTIONS), "--pipeline", pipeline, "--ratio", ratio, "-d", value_len]
    words += ["--key-prefix", "key:", "--key-minimum", MEMTIER_KEY_FIRST]
    words += ["--key-maximum", MEMTIER_KEY_FIRST + keys - 1, "--key-pattern", "R:R"]
    words += ["--print-percentiles", "50,99,99.9", "--hide-histogram", "--json-out-file", out]
    _run(words, cores)
    return parse_memtier(out.read_text(), command)


def parse_redis_benchmark(text):
    """Throughput and percentiles out of redis-benchmark's long form."""
    rates = re.findall(r"throughput summary: ([\d.]+) requests per second", text)
    points = re.findall(r"([\d.]+)% <= ([\d.]+) milliseconds", text)
    if len(rates) != 1 or not points:
        raise LoadError(f"redis-benchmark's output has no summary:\n{text[-600:]}")
    points = sorted((float(percent), float(ms)) for percent, ms in points)
    return Outcome(float(rates[0]), *(percentile(points, p) for p in (50.0, 99.0, 99.9)))


def percentile(points, percent):
    """The smallest listed latency that covers `percent`: an upper bound, never flattering.

    The list has 99.902 %, so p99.9 is off by two requests in a hundred thousand at most; p99 is
    read at 99.219 % or wherever the second list, in steps of 0.1 ms, comes closer.
    """
    covering = [ms for covered, ms in points if covered >= percent]
    if not covering:
        raise LoadError(f"no latency covers {percent} %")
    return min(covering)


def parse_memtier(text, command):
    """Throughput and percentiles out of memtier's JSON."""
    try:
        row = json.loads(text)["ALL STATS"]["Sets" if command == "SET" else "Gets"]
        # Keys are "p99.90" or, in newer versions, as precise as need be.
        listed = row["Percentile Latencies"].items()
        ms = {float(name[1:]): value for name, value in listed if re.fullmatch(r"p[\d.]+", name)}
        return Outcome(row["Ops/sec"], ms[50.0], ms[99.0], ms[99.9])
    except (KeyError, ValueError) as error:
        raise LoadError(f"memtier's JSON lacks {error}; is its version older than 1.4?") from error


def _run(words, cores):
    words = [str(word) for word in words]
    try:
        done = subprocess.run(
            words,
            capture_output=True,
            timeout=RUN_S_MAX,
            check=False,
            stdin=subprocess.DEVNULL,
            preexec_fn=servers.child_setup(cores),
        )
    except subprocess.TimeoutExpired as error:
        raise LoadError(f"no end after {RUN_S_MAX:.0f} s: {' '.join(words)}") from error
    out = done.stdout.decode(errors="replace").replace("\r", "\n")
    complaint = done.stderr.decode(errors="replace").strip()
    if done.returncode != 0 or "Error from server" in out + complaint:
        raise LoadError(f"exit code {done.returncode}: {' '.join(words)}\n{complaint or out[-400:]}")
    return out
