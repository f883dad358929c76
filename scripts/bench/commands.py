#!/usr/bin/env python3
"""`make bench-commands`: CPU per operation of the other commands, against the best peer in the run.

    python3 scripts/bench/commands.py                          data types and transactions
    python3 scripts/bench/commands.py --only types --rounds 3
    python3 scripts/bench/commands.py --write                  docs/perf/<date>-commands.md

Types: what redis-benchmark runs, at pipeline 1 and 16, one core for the server and one for the load. What it cannot
be told by name (XADD in the tool of 7.0) it gets as a command. PING, GET and SET are `make bench`'s.
Transactions: MSET, MGET and EVAL on random keys by redis-benchmark, and EXEC of ten commands, which no tool
sends, written from here in batches; on one shard and on two. Servers take turns, and server CPU is what counts.
"""

import argparse
import contextlib
import datetime
import os
import pathlib
import socket
import statistics
import sys
import tempfile

import load
import machine
import peers
import servers
import wire

ROOT = pathlib.Path(__file__).resolve().parents[2]
OURS = ROOT / "target" / "release" / "stoa-server"
TYPES = "incr,lpush,rpush,lpop,rpop,sadd,hset,spop,zadd,zpopmin,lrange_100,lrange_300,lrange_500,lrange_600,mset,xadd".split(",")
SPELLED = {"xadd": ["XADD", "mystream", "*", "myfield", "xxx"]}
"""Given as a command, with the words that newer tools send. The stream grows with the requests of its rounds and goes
with the row; every server gets as many."""
FILLED_BY = {"lpop": "lpush", "rpop": "lpush", "spop": "sadd", "zpopmin": "zadd"}
"""Without something to take out, a pop only answers that there is nothing."""
CONNECTIONS = 50
BATCH = 16
KEYS = 100_000


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=["types", "transactions"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--tests", default=",".join(TYPES), help="some of the types' tests")
    parser.add_argument("--pipelines", default="1,16", help="of the types' tests")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    targets = peers.told_apart([peers.describe(OURS, candidate=True)] + peers.find(ROOT, None, True, _say))
    cores = sorted(os.sched_getaffinity(0))
    lines = [f"# Commands: CPU per operation\n", f"`python3 {' '.join(sys.argv)}`, {datetime.date.today()}, {_machine()}\n"]
    with tempfile.TemporaryDirectory(prefix="stoa-bench-") as scratch:
        try:
            if options.only != "transactions":
                lines += types(options, targets, cores, scratch)
            if options.only != "types":
                lines += transactions(options, targets, cores, scratch)
        finally:
            servers.stop_all()
    page = "\n".join(lines) + "\n"
    print(page)
    if options.write:
        (ROOT / "docs" / "perf" / f"{datetime.date.today()}-commands.md").write_text(page)


def _machine():
    about = machine.describe(ROOT)
    return f"{about['cpu']}, {about['cores']} cores, Linux {about['kernel']}, load {about['load_average'][0]}"


def types(options, targets, cores, scratch):
    """Microseconds of server CPU an operation, medians; the ratio is to the best peer."""
    tool = peers.tool("redis-benchmark", True, _say)
    names = [target.name for target in targets]
    lines = ["## What redis-benchmark knows\n", "Server CPU, µs an operation, medians. Ratio: ours to the best peer.\n"]
    lines += ["| test | pipeline | " + " | ".join(names) + " | ratio |", "|---|--:|" + "--:|" * (len(names) + 1)]
    with contextlib.ExitStack() as stack:
        alive = [stack.enter_context(servers.start(target, {cores[0]}, scratch)) for target in targets]
        for test in options.tests.split(","):
            for pipeline in map(int, options.pipelines.split(",")):
                requests = options.requests // (10 if test.startswith("lrange") else 1)
                runs = {name: [] for name in names}
                for number in range(options.rounds):
                    for server in servers.in_turn(alive, number):
                        if test in FILLED_BY:
                            # Members come by chance, so more of them are added than are taken out.
                            _tool(tool, server, cores[-1], FILLED_BY[test], 16, 3 * requests)
                        runs[server.target.name].append(_tool(tool, server, cores[-1], test, pipeline, requests))
                lines.append(_row(test, pipeline, names, runs))
                _say(lines[-1])
                for server in alive:
                    with wire.Client(server.port) as client:
                        client.command("FLUSHALL")
    return lines + [""]


def _tool(tool, server, core, test, pipeline, requests):
    return load.cost(server, core, tool_line(tool, server.port, test, pipeline, requests), requests)[0]


def tool_line(tool, port, test, pipeline, requests):
    """What runs a test: by its name, or a command behind all options."""
    line = [tool, "-h", wire.HOST, "-p", port, "-n", requests, "-c", CONNECTIONS, "-P", pipeline, "-r", KEYS, "-q"]
    return [str(word) for word in line + SPELLED.get(test, ["-t", test])]


def _row(test, pipeline, names, runs):
    medians = [statistics.median(runs[name]) for name in names]
    ratio = medians[0] / min(medians[1:]) if len(medians) > 1 else float("nan")
    return f"| {test} | {pipeline} | " + " | ".join(f"{value:.2f}" for value in medians) + f" | {ratio:.2f} |"


def _payloads():
    """Batches of requests by name."""
    def batch(make):
        return b"".join(make(n) for n in range(BATCH))

    exec10 = lambda n: (wire.encode("MULTI") + b"".join(wire.encode("INCR", f"{{t{n % 64}}}{i}") for i in range(10)) + wire.encode("EXEC"))
    return {
        "EXEC of 10, one slot": lambda k: batch(lambda n: exec10(k * BATCH + n)),
    }


def _requests():
    """Requests for redis-benchmark, by name. Every key is drawn from all, on its own."""
    value, key = "v" * 64, "key:__rand_int__"
    return {
        "MSET of 10": ["MSET"] + [key, value] * 10,
        "MGET of 10": ["MGET"] + [key] * 10,
        "EVAL, one key": ["EVAL", "return redis.call('incr', KEYS[1])", 1, "n:__rand_int__"],
    }


def transactions(options, targets, cores, scratch):
    """The same requests to every server; ours on two shards, too."""
    tool = peers.tool("redis-benchmark", True, _say)
    rounds, batches = options.rounds, max(200, options.requests // BATCH // 8)
    lines = ["## Transactions\n", f"Server CPU, µs an operation, medians of {rounds} rounds; {BATCH} requests a batch, eight connections.\n"]
    with contextlib.ExitStack() as stack:
        alive = [(target.name, stack.enter_context(servers.start(target, {cores[0]}, scratch))) for target in targets]
        ours = targets[0]
        alive.append((f"{ours.name} x2", stack.enter_context(servers.start(ours, set(cores[:2]), scratch, 2))))
        names = [name for name, _ in alive]
        lines += ["| request | " + " | ".join(names) + " |", "|---|" + "--:|" * len(names)]
        slowest = []
        runs_of = {what: lambda server, request=request: _custom(tool, server, cores[-1], request, options.requests)
                   for what, request in _requests().items()}
        runs_of |= {what: lambda server, payload=payload: (_blast(server, payload, batches), None)
                    for what, payload in _payloads().items()}
        for what, run in runs_of.items():
            runs = {name: [] for name in names}
            for number in range(rounds):
                for name, server in servers.in_turn(alive, number):
                    runs[name].append(run(server))
            cpu = {name: statistics.median(cost for cost, _ in runs[name]) for name in names}
            lines.append(f"| {what} | " + " | ".join(f"{cpu[name]:.2f}" for name in names) + " |")
            _say(lines[-1])
            p99 = {name: statistics.median(late for _, late in runs[name]) for name in names if runs[name][0][1]}
            if p99:
                slowest.append(f"| {what} | " + " | ".join(f"{p99[name]:.2f}" for name in names) + " |")
    lines += ["", "p99 of the same runs, ms, 50 connections that always have a batch under way:\n"]
    lines += ["| request | " + " | ".join(names) + " |", "|---|" + "--:|" * len(names)] + slowest
    return lines + [""]


def _custom(tool, server, core, request, count):
    """Server CPU, µs an operation, and the load's p99, ms, of `count` requests of redis-benchmark."""
    words = [tool, "-h", wire.HOST, "-p", server.port, "-n", count, "-c", CONNECTIONS, "-P", BATCH, "-r", KEYS, "--csv"]
    cost, out = load.cost(server, core, words + request, count)
    rows = [line.rsplit('"', 15) for line in out.splitlines() if line.count('","') >= 7]
    return cost, float(out.splitlines()[-1].split(",")[-2].strip('"')) if rows else None


def _blast(server, payload, batches):
    """Eight connections each write a batch, then all are read to their sentinel, again and again."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection((wire.HOST, server.port), timeout=60)) for _ in range(8)]
        made = [payload(number) + wire.encode("ECHO", "<end>") for number in range(64)]
        with servers.alone(server):
            before = server.cpu_s()
            for number in range(batches):
                for at, client in enumerate(clients):
                    client.sendall(made[(number * 8 + at) % len(made)])
                for client in clients:
                    _read_to_end(client)
            return (server.cpu_s() - before) * 1e6 / (batches * 8 * BATCH)


def _read_to_end(sock):
    tail = b""
    while not tail.endswith(b"<end>\r\n"):
        got = sock.recv(1 << 20)
        if not got:
            raise wire.WireError("the server closed the connection")
        tail = (tail + got)[-16:]


def _say(text):
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
