"""The measurements. Each section takes the plan, starts its servers, and returns plain rows.

All figures of a section come from servers that were alive in the same minutes, and rounds go
A B C, B C A, C A B, so that neither drift nor order favours one.
"""

import contextlib
import re
import time
from dataclasses import dataclass, field

import load
import pages
import servers
import wire

SETTLE_S = 2.0
"""After starting or connecting, allocators give back what they only borrowed."""

FILLED_SETTLE_S = 6.0
"""After filling, finish rehashing and purge: Redis 8 falls by 3 % between the second and the sixth second."""

SHARDS_PIPELINE = 16
MATRIX_SHARE = 0.7
"""Part of the remaining time after which the matrix begins no further round."""

INSERT_SLACK = 64
"""Bytes a key takes besides its value, and some."""

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
    shards_requests: int
    keys: int = 1_000_000
    value_len: int = 64
    idle_connections: int = 5_000
    idle_s: float = 5.0
    insert_keys: int = 1_000_000
    deadline: float = 0.0
    say: callable = field(default=print)

    def candidate(self):
        return next((target for target in self.targets if target.candidate), None)


def matrix_and_memory(plan, with_matrix):
    """Bytes per key while filling, then throughput, latency and CPU on the filled servers."""
    with _all_started(plan) as alive:
        time.sleep(SETTLE_S)
        empty = {server.target.name: server.rss_bytes() for server in alive}
        for server in alive:
            wire.fill(server.port, plan.keys, plan.value_len)
        time.sleep(FILLED_SETTLE_S)
        memory = [_weigh_keys(plan, server, empty[server.target.name]) for server in alive]
        return memory, _rounds(plan, alive) if with_matrix else []


def idle(plan):
    """CPU of a server nobody talks to, and what a connection that waits costs.

    Servers are idle together, connections are opened at one after the other: so many descriptors
    are not to be had for all at once.
    """
    limit = servers.raise_descriptor_limit(plan.idle_connections + IDLE_SLACK)
    count = min(plan.idle_connections, limit - IDLE_SLACK)
    if count < plan.idle_connections:
        plan.say(f"idle connections: only {count}; raise `ulimit -n` for more")
    with _all_started(plan) as alive:
        time.sleep(SETTLE_S)
        rows = [
            {"section": "idle", "server": server.target.name, "connections": count, "cpu_percent": percent}
            for server, percent in zip(alive, _idle_cpu_percent(alive, plan.idle_s))
        ]
        for row, server in zip(rows, alive):
            row |= _weigh_connections(plan, server, count) if count > 0 else {}
            plan.say(f"idle {server.target.name}: {row}")
    return rows


def shards(plan):
    """Two shards against one, and against peers with two I/O threads.

    Servers may use both cores, and so may the load where the machine has no more; random keys make
    every second command one for the other shard. Then I/O threads that spin waste what the load
    needs: that is their cost on so few cores, and no fault of the measurement.
    """
    with contextlib.ExitStack() as stack:
        alive = []
        for target in plan.targets:
            for width in (1, 2) if target.candidate else (2,):
                try:
                    server = stack.enter_context(servers.start(target, plan.pair_cores, plan.scratch, width))
                except servers.StartError as error:
                    if target.candidate:
                        raise
                    plan.say(f"{target.name} with {width} threads: left out: {error}")
                    continue
                wire.fill(server.port, plan.keys, plan.value_len)
                alive.append((f"{target.name} x{width}", server))
        return _turns(plan, "shards", alive, [SHARDS_PIPELINE], plan.deadline)


def insert(plan):
    """Inserts many keys into one shard and asks it for its histogram of insert times."""
    target = plan.candidate()
    if target is None:
        return {"histogram": "no candidate"}
    extra = ["--enable-debug-command", "yes"]
    memory = plan.insert_keys * (plan.value_len + INSERT_SLACK)
    before, again = (pages.slowest_us(plan.single_core, memory) for _ in range(2))
    with servers.start(target, plan.single_core, plan.scratch, extra=extra) as server:
        cpu, wall = server.cpu_s(), time.monotonic()
        wire.fill(server.port, plan.insert_keys, plan.value_len)
        result = {
            "server": target.name,
            "keys": plan.insert_keys,
            "page_us_max": [before, again],
            "wall_s": time.monotonic() - wall,
            "cpu_s_per_mop": (server.cpu_s() - cpu) * 1e6 / plan.insert_keys,
        }
        with wire.Client(server.port) as client:
            try:
                result["histogram"] = _text(client.command("DEBUG", "INSERT-HISTOGRAM"))
                result["insert_us_max"] = insert_us_max(result["histogram"])
            except wire.ErrorReply as error:
                result["histogram"] = f"not supported ({error})"
    return result


def insert_us_max(histogram):
    """The slowest insert, where the histogram ends with `max N ns`; else None."""
    match = re.search(r"\bmax (\d+) ns", histogram)
    return int(match.group(1)) / 1000 if match else None


def memtier(plan):
    """The matrix once more with memtier_benchmark, on servers filled with its kind of keys."""
    with _all_started(plan) as alive:
        for server in alive:
            wire.fill(server.port, plan.keys, plan.value_len, first=load.MEMTIER_KEY_FIRST)
        named = [(server.target.name, server) for server in alive]
        return _turns(plan, "memtier", named, plan.pipelines, plan.deadline)


@contextlib.contextmanager
def _all_started(plan):
    """Every target on the one server core, all alive until the block ends."""
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(servers.start(target, plan.single_core, plan.scratch)) for target in plan.targets
        ]


def _rounds(plan, alive):
    # What comes after the matrix needs its share of the time too.
    soon = time.monotonic() + (plan.deadline - time.monotonic()) * MATRIX_SHARE
    named = [(server.target.name, server) for server in alive]
    return _turns(plan, "matrix", named, plan.pipelines, soon)


def _turns(plan, section, named, pipelines, deadline):
    """All rounds of a section. The first is always whole; past the deadline nothing further begins,
    which leaves no cell without a figure and costs the others a round at most."""
    runs = []
    for number in range(plan.rounds):
        for command in plan.commands:
            for pipeline in pipelines:
                if number and time.monotonic() > deadline:
                    plan.say(f"{section}: out of time in round {number + 1} of {plan.rounds}")
                    return runs
                for name, server in servers.in_turn(named, number):
                    runs.append(_one(plan, server, name, number, command, pipeline, section))
    return runs


def _one(plan, server, name, number, command, pipeline, section):
    """One load on one server, with the server's CPU clock read before and after."""
    requests = plan.shards_requests if section == "shards" else plan.requests[pipeline]
    size = (command, pipeline, requests, plan.keys, plan.value_len)
    with servers.alone(server):
        cpu, wall = server.cpu_s(), time.monotonic()
        outcome = _load(plan, server, section, size)
        cpu, wall = server.cpu_s() - cpu, time.monotonic() - wall
    run = {"section": section, "round": number, "server": name, "command": command, "pipeline": pipeline}
    run |= {"requests": requests, "cpu_s_per_mop": cpu * 1e6 / requests, "cpu_busy": cpu / wall}
    run |= vars(outcome)
    plan.say(
        f"{section} {number + 1}/{plan.rounds} {command} P{pipeline:<3} {name:<14}"
        f" {run['cpu_s_per_mop']:7.3f} CPU s/M  {outcome.rps:>10,.0f}/s  p99.9 {outcome.p999_ms:.3f} ms"
    )
    return run


def _load(plan, server, section, size):
    if section == "memtier":
        return load.memtier(plan.memtier, server.port, plan.load_core, *size, plan.scratch)
    pair = section == "shards"
    cores = plan.pair_load_cores if pair else plan.load_core
    return load.redis_benchmark(plan.redis_benchmark, server.port, cores, *size, threads=2 if pair else 1)


def _weigh_keys(plan, server, empty):
    full = server.rss_bytes()
    with wire.Client(server.port) as client:
        keys = client.command("DBSIZE")
    if keys != plan.keys:
        raise wire.WireError(f"{server.target.title} holds {keys} of {plan.keys} keys after filling")
    row = {"section": "memory", "server": server.target.name, "keys": plan.keys, "empty_bytes": empty}
    row |= {"full_bytes": full, "bytes_per_key": (full - empty) / plan.keys}
    plan.say(f"memory {server.target.name}: {row['bytes_per_key']:.1f} bytes per key")
    return row


def _idle_cpu_percent(alive, seconds):
    """Share of a core that each of the servers uses while nothing is asked of any."""
    cpu, wall = [server.cpu_s() for server in alive], time.monotonic()
    time.sleep(seconds)
    wall = time.monotonic() - wall
    return [(server.cpu_s() - before) * 100 / wall for server, before in zip(alive, cpu)]


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
        (percent,) = _idle_cpu_percent([server], SETTLE_S)
        return {"bytes_per_connection": grown / count, "cpu_percent_connected": percent}
    finally:
        wire.close_all(sockets)


def _text(reply):
    """Any reply as lines of text."""
    if isinstance(reply, list):
        return "\n".join(_text(each) for each in reply)
    return reply.decode(errors="replace") if isinstance(reply, bytes) else str(reply)
