"""The measurements. Each section takes the plan, starts its servers, and returns plain rows.

All figures of a section come from servers that were alive in the same minutes, and rounds go
A B C, B C A, C A B, so that neither drift nor order favours one.
"""

import time
from dataclasses import dataclass, field

import load
import servers
import wire

SETTLE_S = 2.0
"""After filling or connecting, allocators give back what they only borrowed."""

IDLE_SLACK = 200
"""Descriptors we need besides the idle connections."""


@dataclass
class Plan:
    """Everything a run needs to know."""

    targets: list
    root: str
    scratch: str
    single_core: set
    load_core: set
    pair_cores: set
    pair_load_cores: set
    redis_benchmark: str
    memtier: str
    pipelines: list
    commands: list
    rounds: int
    requests: dict
    keys: int = 1_000_000
    value_len: int = 64
    idle_connections: int = 5_000
    idle_s: float = 5.0
    insert_keys: int = 1_000_000
    deadline: float = 0.0
    say: callable = field(default=print)

    def candidate(self):
        return next((target for target in self.targets if target.candidate), None)

    def late(self):
        return time.monotonic() > self.deadline


def matrix_and_memory(plan, with_matrix):
    """Bytes per key while filling, then throughput, latency and CPU on the filled servers."""
    alive, memory, runs = [], [], []
    try:
        for target in plan.targets:
            server = servers.start(target, plan.single_core, plan.scratch)
            alive.append(server)
            memory.append(_fill_and_weigh(plan, server))
        if with_matrix:
            runs = _rounds(plan, alive)
    finally:
        for server in alive:
            server.stop()
    return memory, runs


def idle(plan):
    """CPU of a server nobody talks to, and what a connection that waits costs."""
    limit = servers.raise_descriptor_limit(plan.idle_connections + IDLE_SLACK)
    count = min(plan.idle_connections, limit - IDLE_SLACK)
    if count < plan.idle_connections:
        plan.say(f"idle connections: only {count}; raise `ulimit -n` for more")
    rows = []
    for target in plan.targets:
        with servers.start(target, plan.single_core, plan.scratch) as server:
            time.sleep(SETTLE_S)
            row = {"section": "idle", "server": target.name, "connections": count}
            row["cpu_percent"] = _idle_cpu_percent(plan, server)
            if count > 0:
                row |= _weigh_connections(plan, server, count)
        rows.append(row)
        plan.say(f"idle {target.name}: {row}")
    return rows


def shards(plan):
    """Two shards against one, and against peers with two I/O threads.

    Servers may use both cores, and so may the load where the machine has no more; random keys make
    every second command one for the other shard.
    """
    alive, runs = [], []
    try:
        for target in plan.targets:
            widths = (1, 2) if target.candidate else (2,)
            for width in widths:
                try:
                    server = servers.start(target, plan.pair_cores, plan.scratch, width)
                except servers.StartError as error:
                    plan.say(f"{target.name} with {width} threads: left out: {error}")
                    continue
                wire.fill(server.port, plan.keys, plan.value_len)
                alive.append((f"{target.name} x{width}", server))
        for number in range(plan.rounds):
            if number and plan.late():
                plan.say(f"shards: out of time after {number} rounds")
                break
            for command in plan.commands:
                for name, server in _turned(alive, number):
                    runs.append(_one(plan, server, name, number, command, 16, "shards"))
    finally:
        for _, server in alive:
            server.stop()
    return runs


def insert(plan):
    """Inserts many keys into one shard and asks it for its histogram of insert times."""
    target = plan.candidate()
    if target is None:
        return {"histogram": "no candidate"}
    extra = ["--enable-debug-command", "yes"]
    with servers.start(target, plan.single_core, plan.scratch, extra=extra) as server:
        cpu, wall = server.cpu_s(), time.monotonic()
        wire.fill(server.port, plan.insert_keys, plan.value_len)
        result = {
            "server": target.name,
            "keys": plan.insert_keys,
            "wall_s": time.monotonic() - wall,
            "cpu_s_per_mop": (server.cpu_s() - cpu) * 1e6 / plan.insert_keys,
        }
        with wire.Client(server.port) as client:
            try:
                result["histogram"] = _text(client.command("DEBUG", "INSERT-HISTOGRAM"))
            except wire.ErrorReply as error:
                result["histogram"] = f"not supported ({error})"
    return result


def memtier(plan):
    """The matrix once more with memtier_benchmark, on servers filled with its kind of keys."""
    alive, runs = [], []
    try:
        for target in plan.targets:
            server = servers.start(target, plan.single_core, plan.scratch)
            alive.append((target.name, server))
            wire.fill(server.port, plan.keys, plan.value_len, first=load.MEMTIER_KEY_FIRST)
        for number in range(plan.rounds):
            if number and plan.late():
                break
            for command in plan.commands:
                for pipeline in plan.pipelines:
                    for name, server in _turned(alive, number):
                        runs.append(_one(plan, server, name, number, command, pipeline, "memtier"))
    finally:
        for _, server in alive:
            server.stop()
    return runs


def _rounds(plan, alive):
    runs = []
    named = [(server.target.name, server) for server in alive]
    for number in range(plan.rounds):
        if number and plan.late():
            plan.say(f"matrix: out of time after {number} rounds")
            break
        for command in plan.commands:
            for pipeline in plan.pipelines:
                for name, server in _turned(named, number):
                    runs.append(_one(plan, server, name, number, command, pipeline, "matrix"))
    return runs


def _one(plan, server, name, number, command, pipeline, section):
    """One load on one server, with the server's CPU clock read before and after."""
    requests = plan.requests[pipeline]
    size = (command, pipeline, requests, plan.keys, plan.value_len)
    cpu, wall = server.cpu_s(), time.monotonic()
    if section == "memtier":
        outcome = load.memtier(plan.memtier, server.port, plan.load_core, *size, plan.scratch)
    else:
        pair = section == "shards"
        cores = plan.pair_load_cores if pair else plan.load_core
        outcome = load.redis_benchmark(plan.redis_benchmark, server.port, cores, *size, threads=2 if pair else 1)
    cpu, wall = server.cpu_s() - cpu, time.monotonic() - wall
    run = {"section": section, "round": number, "server": name, "command": command, "pipeline": pipeline}
    run |= {"requests": requests, "cpu_s_per_mop": cpu * 1e6 / requests, "cpu_busy": cpu / wall}
    run |= vars(outcome)
    plan.say(
        f"{section} {number + 1}/{plan.rounds} {command} P{pipeline:<3} {name:<14}"
        f" {run['cpu_s_per_mop']:7.3f} CPU s/M  {outcome.rps:>10,.0f}/s  p99.9 {outcome.p999_ms:.3f} ms"
    )
    return run


def _fill_and_weigh(plan, server):
    with wire.Client(server.port) as client:
        client.command("PING")
    time.sleep(SETTLE_S / 2)
    empty = server.rss_bytes()
    wire.fill(server.port, plan.keys, plan.value_len)
    time.sleep(SETTLE_S)
    full = server.rss_bytes()
    with wire.Client(server.port) as client:
        keys = client.command("DBSIZE")
    if keys != plan.keys:
        raise wire.WireError(f"{server.target.title} holds {keys} of {plan.keys} keys after filling")
    row = {"section": "memory", "server": server.target.name, "keys": plan.keys, "empty_bytes": empty}
    row |= {"full_bytes": full, "bytes_per_key": (full - empty) / plan.keys}
    plan.say(f"memory {server.target.name}: {row['bytes_per_key']:.1f} bytes per key")
    return row


def _idle_cpu_percent(plan, server):
    cpu, wall = server.cpu_s(), time.monotonic()
    time.sleep(plan.idle_s)
    return (server.cpu_s() - cpu) * 100 / (time.monotonic() - wall)


def _weigh_connections(plan, server, count):
    before = server.rss_bytes()
    try:
        sockets = wire.open_idle(server.port, count)
    except (OSError, wire.WireError) as error:
        plan.say(f"idle connections of {server.target.name}: skipped: {error}")
        return {}
    try:
        time.sleep(SETTLE_S)
        grown = server.rss_bytes() - before
        return {"bytes_per_connection": grown / count, "cpu_percent_connected": _idle_cpu_percent(plan, server)}
    finally:
        wire.close_all(sockets)


def _turned(items, number):
    """The same items, starting one further each round."""
    at = number % len(items) if items else 0
    return items[at:] + items[:at]


def _text(reply):
    """Any reply as lines of text."""
    if isinstance(reply, list):
        return "\n".join(_text(each) for each in reply)
    return reply.decode(errors="replace") if isinstance(reply, bytes) else str(reply)
