#!/usr/bin/env python3
"""Large values against the best peer in the run.

    python3 scripts/bench/values.py                      all three parts
    python3 scripts/bench/values.py --only memory
    python3 scripts/bench/values.py --write              docs/perf/<date>-values.md

sorted   ZADD, ZRANK and ZRANGE BYSCORE on one sorted set of a million members, pipeline 16, random members: server
         CPU an operation, medians of rounds in which the servers take turns.
memory   resident memory that a million-member sorted set, a million hashes of ten fields, a stream of a million
         entries and a list of a million elements add to a fresh server.
freeing  a value of ten million elements goes by DEL, UNLINK, SET or expiry, or is copied, while another client reads
         one key, one GET at a time: what its slowest requests took. The same without any of it says what the machine adds.

The server has one core, the load the other.
"""

import argparse
import contextlib
import datetime
import gc
import os
import pathlib
import random
import statistics
import sys
import tempfile
import threading
import time

import load
import machine
import peers
import servers
import wire

ROOT = pathlib.Path(__file__).resolve().parents[2]
OURS = ROOT / "target" / "release" / "stoa-server"
MILLION = 1_000_000
CONNECTIONS = 50
SETTLE_S = 6.0
"""After filling, rehashing goes on and allocators give back what they only borrowed."""
WATCH_S = 3.0
"""How long GETs are timed after a large value went: freeing ten million elements in portions takes a while."""

SORTED = {
    "ZADD, another score": ["ZADD", "big", "__rand_int__", "member:__rand_int__"],
    "ZRANK": ["ZRANK", "big", "member:__rand_int__"],
    "ZRANGE BYSCORE, ten": ["ZRANGE", "big", "__rand_int__", "+inf", "BYSCORE", "LIMIT", "0", "10"],
}
KINDS = ("set", "zset", "hash", "list")
WAYS = ("nothing", "DEL", "UNLINK", "SET over it", "expiry", "COPY")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=["sorted", "memory", "freeing"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument("--elements", type=int, default=10 * MILLION, help="of a value to be freed")
    parser.add_argument("--kinds", default=",".join(KINDS), help="types of values to be freed")
    parser.add_argument("--ours", default=str(OURS), help="the server to be measured")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    others = [] if options.no_peers else peers.find(ROOT, None, True, _say)
    targets = peers.told_apart([peers.describe(options.ours, candidate=True)] + others)
    cores = sorted(os.sched_getaffinity(0))
    command = f"`python3 {' '.join(sys.argv)}`, {datetime.date.today()}, {_machine()}"
    lines = ["# Large values\n", f"{command}. Servers: {', '.join(target.title for target in targets)}.\n"]
    parts = {"sorted": _sorted, "memory": _memory, "freeing": _freeing}
    with tempfile.TemporaryDirectory(prefix="stoa-bench-") as scratch:
        try:
            for name, part in parts.items():
                if options.only in (None, name):
                    lines += part(options, targets, cores, scratch)
        finally:
            servers.stop_all()
    page = "\n".join(lines) + "\n"
    print(page)
    if options.write:
        (ROOT / "docs" / "perf" / f"{datetime.date.today()}-values.md").write_text(page)


def _machine():
    about = machine.describe(ROOT)
    return f"{about['cpu']}, {about['cores']} cores, Linux {about['kernel']}, {about['commit']}, load {about['load_average'][0]}"


def _sorted(options, targets, cores, scratch):
    tool = peers.tool("redis-benchmark", True, _say)
    names = [target.name for target in targets]
    lines = ["## A sorted set of a million members\n", "Server CPU, µs an operation, medians; the rate is the best peer's figure over ours.\n"]
    lines += ["| command | " + " | ".join(names) + " | rate |", "|---|" + "--:|" * (len(names) + 1)]
    with contextlib.ExitStack() as stack:
        alive = [stack.enter_context(servers.start(target, {cores[0]}, scratch)) for target in targets]
        for server in alive:
            _fill(server, "zset", "big", MILLION)
        for what, words in SORTED.items():
            runs = {name: [] for name in names}
            for number in range(options.rounds):
                for server in servers.in_turn(alive, number):
                    runs[server.target.name].append(_tool(tool, server, cores[-1], words, options.requests))
            medians = [statistics.median(runs[name]) for name in names]
            rate = min(medians[1:], default=float("nan")) / medians[0]
            lines.append(f"| {what} | " + " | ".join(f"{value:.2f}" for value in medians) + f" | {rate:.2f} |")
            _say(lines[-1])
    return lines + [""]


def _tool(tool, server, core, words, requests):
    line = [tool, "-h", wire.HOST, "-p", server.port, "-n", requests, "-c", CONNECTIONS, "-P", 16, "-r", MILLION, "-q", *words]
    return load.cost(server, core, line, requests)[0]


def _memory(options, targets, cores, scratch):
    names = [target.name for target in targets]
    lines = ["## Resident memory\n", "MiB that the value adds to a fresh server. Ratio: ours to the best peer.\n"]
    lines += ["| value | " + " | ".join(names) + " | ratio |", "|---|" + "--:|" * (len(names) + 1)]
    shapes = {
        "sorted set of 1M members": ("zset", "big"),
        "1M hashes of ten fields": ("hashes", None),
        "stream of 1M entries": ("stream", "big"),
        "list of 1M elements": ("list", "big"),
        "set of 1M members": ("set", "big"),
        "hash of 1M fields": ("hash", "big"),
    }
    for what, (kind, key) in shapes.items():
        added = []
        for target in targets:
            with servers.start(target, {cores[0]}, scratch) as server:
                _warm_up(server)
                time.sleep(SETTLE_S)
                before = server.rss_bytes()
                _fill(server, kind, key, MILLION)
                time.sleep(SETTLE_S)
                added.append((server.rss_bytes() - before) / (1 << 20))
        ratio = added[0] / min(added[1:], default=float("nan"))
        lines.append(f"| {what} | " + " | ".join(f"{value:.1f}" for value in added) + f" | {ratio:.2f} |")
        _say(lines[-1])
    return lines + [""]


def _warm_up(server):
    """What a server needs once it is talked to, such as buffers, is no part of a value."""
    with wire.Client(server.port) as client:
        _send(client, (["ECHO", "x" * 200] for _ in range(100_000)), 500)


def _freeing(options, targets, cores, scratch):
    lines = [f"## Freeing a value of {options.elements:,} elements\n",
             f"GETs of another client, one at a time, for {WATCH_S:.0f} s from the moment the value goes; ms. Meanwhile both run before anything else on the machine.\n",
             "| server | value | goes by, or is copied | GETs | median | p99.9 | slowest | the command itself |", "|---|---|---|--:|--:|--:|--:|--:|"]
    os.sched_setaffinity(0, {cores[-1]})
    for target in targets:
        # Peers show what the figure is without any care: their DEL of a set is enough for that.
        kinds = options.kinds.split(",") if target.candidate else ["set"]
        ways = WAYS if target.candidate else ("DEL", "UNLINK", "COPY")
        with servers.start(target, {cores[0]}, scratch) as server:
            with wire.Client(server.port) as client:
                client.command("SET", "small", "x" * 64)
            for kind in kinds:
                for way in ways:
                    row = _freed(server, kind, way, options.elements)
                    lines.append(f"| {target.name} | {kind} | {way} | " + " | ".join(row) + " |")
                    _say(lines[-1])
    os.sched_setaffinity(0, set(cores))
    return lines + [""]


def _freed(server, kind, way, elements):
    """One value made and gone; GETs meanwhile."""
    _fill(server, kind, "big", elements)
    time.sleep(1.0)
    took, stop = [], threading.Event()
    reader = threading.Thread(target=_read, args=(server.port, took, stop))
    with wire.Client(server.port) as client:
        words = {"nothing": ["PING"], "DEL": ["DEL", "big"], "UNLINK": ["UNLINK", "big"],
                 "SET over it": ["SET", "big", "x"], "expiry": ["PEXPIRE", "big", "100"],
                 "COPY": ["COPY", "big", "twin"]}[way]
        gc.disable()
        reader.start()
        _before_all_else(server, True)
        time.sleep(0.05)
        took.clear()
        began = time.perf_counter()
        client.command(*words)
        itself = (time.perf_counter() - began) * 1e3
        time.sleep(WATCH_S)
        _before_all_else(server, False)
        stop.set()
        reader.join()
        gc.enable()
        client.command("FLUSHALL", "ASYNC")
        client.command("SET", "small", "x" * 64)
        time.sleep(2.0)
    took.sort()
    at = lambda share: took[min(len(took) - 1, int(len(took) * share))] * 1e3
    return [f"{len(took):,}", f"{at(0.5):.3f}", f"{at(0.999):.3f}", f"{took[-1] * 1e3:.2f}", f"{itself:.2f}"]


def _before_all_else(server, is_so):
    """Real time for the server and ourselves, where that is allowed: on a shared machine what else runs would be
    most of the tail."""
    policy, priority = (os.SCHED_FIFO, 10) if is_so else (os.SCHED_OTHER, 0)
    for pid in (server.pid, os.getpid()):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(PermissionError, ProcessLookupError):
                os.sched_setscheduler(int(thread), policy, os.sched_param(priority))


def _read(port, took, stop):
    """Times GETs until told to stop."""
    with wire.Client(port) as client:
        while not stop.is_set():
            began = time.perf_counter()
            client.command("GET", "small")
            took.append(time.perf_counter() - began)


def _fill(server, kind, key, count):
    """`count` elements, the same ones for every server."""
    chance = random.Random(7)
    scores = random.Random(8)
    made = {
        "zset": lambda n: (scores.randrange(MILLION), "member:%012d" % n),
        "set": lambda n: ("member:%012d" % n,),
        "hash": lambda n: ("field:%012d" % n, "%016x" % chance.getrandbits(64)),
        "list": lambda n: ("%016x" % chance.getrandbits(64),),
    }
    verb = {"zset": "ZADD", "set": "SADD", "hash": "HSET", "list": "RPUSH"}
    with wire.Client(server.port) as client:
        if kind == "hashes":
            values = lambda: sum(([f"field{n}", "%012x" % chance.getrandbits(48)] for n in range(10)), [])
            _send(client, ((["HSET", wire.key(n), *values()]) for n in range(count)), 500)
        elif kind == "stream":
            words = (["XADD", key, "%d-1" % (1_700_000_000_000 + n), "sensor", "%06d" % (n % 1000), "value", "%012x" % chance.getrandbits(48)]
                     for n in range(count))
            _send(client, words, 500)
        else:
            words = ([verb[kind], key, *(word for n in range(at, min(at + 100, count)) for word in made[kind](n))]
                     for at in range(0, count, 100))
            _send(client, words, 20)


def _send(client, requests, batch):
    """Writes requests in batches and reads what comes."""
    parts = []

    def flush():
        client._socket.sendall(b"".join(parts))
        for _ in parts:
            wire.read_reply(client._reader)
        parts.clear()

    for words in requests:
        parts.append(wire.encode(*words))
        if len(parts) == batch:
            flush()
    flush()


def _say(text):
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
