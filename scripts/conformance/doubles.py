#!/usr/bin/env python3
"""The digits of doubles: ours against Redis 7.4, value by value.

    python3 scripts/conformance/doubles.py [--server PATH] [--reference PATH] [--values 100000] [--seed N]

Redis prints doubles by an algorithm that does not always find the fewest digits, so equal numbers are not enough: the
texts must be the same. Random doubles of several kinds go through ZADD and come back by ZSCORE in RESP2 and RESP3, by
ZRANGE WITHSCORES (a small set keeps texts) and by ZINCRBY; pairs of them through INCRBYFLOAT and HINCRBYFLOAT. The
seed is printed.
"""

import argparse
import os
import random
import struct
import sys

import fetch
from resp import Connection, encode
from servers import Supervised

BATCH = 200
SHOWN = 20


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", default=str(fetch.REPO / "target" / "release" / "stoa-server"))
    parser.add_argument("--reference", help="redis-server 7.4; fetched unless given")
    parser.add_argument("--values", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    print(f"seed {options.seed}, {options.values} doubles", flush=True)
    chance = random.Random(options.seed)
    servers = [Supervised(os.path.abspath(binary)) for binary in (options.server, options.reference or str(fetch.redis_7_4()))]
    differing, compared = [], 0
    try:
        pair = []
        for server in servers:
            server.start()
            pair.append([Connection(server.port), Connection(server.port)])
            pair[-1][1].call("HELLO", "3")
        for _ in range(0, options.values, BATCH):
            commands = [command for _ in range(BATCH) for command in asked(double(chance), chance)]
            for proto in (0, 1):
                ours, theirs = (said(connections[proto], commands) for connections in pair)
                compared += len(commands)
                differing += [(command, a, b) for command, a, b in zip(commands, ours, theirs) if a != b]
    finally:
        for server in servers:
            server.close()
    for command, ours, theirs in differing[:SHOWN]:
        print(f"{' '.join(command)}\n  reference: {theirs}\n  candidate: {ours}")
    print(f"{compared} replies compared, {len(differing)} differ")
    return 1 if differing else 0


def double(chance):
    """Any bits, numbers as people write them, and what comes of dividing."""
    kind = chance.randrange(4)
    if kind == 0:
        while True:
            value, = struct.unpack("<d", struct.pack("<Q", chance.getrandbits(64)))
            if value - value == 0:
                return value
    if kind == 1:
        return chance.uniform(-1e6, 1e6)
    if kind == 2:
        return round(chance.uniform(-1e4, 1e4), chance.randrange(12))
    return chance.random() * 10.0 ** chance.randrange(-30, 31)


def asked(value, chance):
    text = repr(value)
    small = repr(round(chance.uniform(-1e6, 1e6), chance.randrange(8)))
    yield ("DEL", "z", "s", "h")
    yield ("ZADD", "z", text, "m")
    yield ("ZSCORE", "z", "m")
    yield ("ZRANGE", "z", "0", "-1", "WITHSCORES")
    yield ("ZINCRBY", "z", small, "m")
    if abs(value) < 1e15:
        yield ("INCRBYFLOAT", "s", text)
        yield ("INCRBYFLOAT", "s", small)
        yield ("HINCRBYFLOAT", "h", "f", text)


def said(connection, commands):
    connection.send(b"".join(encode([word.encode() for word in command]) for command in commands))
    return [connection.read() for _ in commands]


if __name__ == "__main__":
    sys.exit(main())
