#!/usr/bin/env python3
"""Where values change their encoding: ours against a real server, command by command.

    python3 scripts/conformance/encodings.py --reference PATH [--programs 400] [--seed 1]

Programs of random commands on one key of each type, of sizes around the `*-max-*` directives, which CONFIG SET
changes as they go. After each command OBJECT ENCODING (of a stream the number of its blocks, of a HyperLogLog its
form) and the reply must be equal on both. Thresholds are made small, so that programs are short.
"""

import argparse
import os
import pathlib
import random
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench"))

import servers as bench_servers  # noqa: E402  (the benchmark's: starts, pins nothing here, always stops)
import peers  # noqa: E402
import wire  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
OURS = ROOT / "target" / "release" / "stoa-server"
STEPS = 40


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reference", required=True, help="redis-server 7.4")
    parser.add_argument("--ours", default=str(OURS))
    parser.add_argument("--programs", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    differing = 0
    cores = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory(prefix="stoa-encodings-") as scratch:
        try:
            pair = [bench_servers.start(peers.describe(path, candidate=path == options.ours), cores, scratch)
                    for path in (options.ours, options.reference)]
            with wire.Client(pair[0].port) as ours, wire.Client(pair[1].port) as theirs:
                for number in range(options.programs):
                    differing += _program(options.seed * 1_000_003 + number, ours, theirs)
        finally:
            bench_servers.stop_all()
    print(f"{options.programs} programs of {STEPS} commands, {differing} with a difference")
    return 1 if differing else 0


def _program(seed, ours, theirs):
    """True, and the program is printed, when the two differ."""
    chance = random.Random(seed)
    kind = chance.choice(sorted(KINDS))
    made, told = KINDS[kind](chance), []
    for client in (ours, theirs):
        client.command("FLUSHALL")
    for _ in range(STEPS):
        words = next(made)
        told.append(" ".join(str(word)[:40] for word in words))
        seen = [_seen(client, words, kind) for client in (ours, theirs)]
        if seen[0] != seen[1]:
            print(f"seed {seed}, {kind}: ours {seen[0]}, reference {seen[1]} after")
            print("\n".join(f"  {line}" for line in told), flush=True)
            return True
    return False


def _seen(client, words, kind):
    reply = _try(client, words)
    if kind in ("set", "hash") and words[0] not in ("CONFIG", "OBJECT"):
        reply = sorted(map(str, reply)) if isinstance(reply, list) else reply
    about = [_try(client, ["OBJECT", "ENCODING", key]) for key in ("k", "to")]
    if kind == "stream":
        info = _try(client, ["XINFO", "STREAM", "k"])
        about = dict(zip(info[::2], info[1::2])).get(b"radix-tree-keys") if isinstance(info, list) else info
    if kind == "hyperloglog":
        about = [_try(client, ["PFDEBUG", "ENCODING", "k"]), _try(client, ["STRLEN", "k"])]
    return reply, about


def _try(client, words):
    try:
        return client.command(*words)
    except wire.ErrorReply as error:
        return f"error {error}"


def _text(chance, limit):
    """A text about as long as the directive says, or short, or a number."""
    if chance.random() < 0.6:
        return str(chance.randrange(40))
    if chance.random() < 0.3:
        return str(chance.choice([32_767, 32_768, -32_769, 2**31, 2**63 - 1, -(2**63)]) - chance.randrange(2))
    length = max(1, limit + chance.choice([-1, 0, 0, 1])) if chance.random() < 0.25 else chance.randrange(1, 6)
    return "".join(chance.choice("abcdef") for _ in range(length))


def _directive(chance, limits, name, values):
    limits[name] = chance.choice(values)
    return ["CONFIG", "SET", name, limits[name]]


def _set(chance):
    limits = {}
    yield _directive(chance, limits, "set-max-intset-entries", [3, 8])
    yield _directive(chance, limits, "set-max-listpack-entries", [3, 8])
    yield _directive(chance, limits, "set-max-listpack-value", [5, 12])
    while True:
        many = lambda: [_text(chance, limits["set-max-listpack-value"]) for _ in range(chance.choice([1, 1, 2, 5]))]
        yield chance.choice([
            lambda: ["SADD", chance.choice(["k", "k", "to"]), *many()],
            lambda: ["SADD", "k", *many()],
            lambda: ["SREM", "k", *many()],
            lambda: [chance.choice(["SUNIONSTORE", "SINTERSTORE", "SDIFFSTORE"]), "to", "k", "to"],
            lambda: ["SMOVE", "k", "to", many()[0]],
            lambda: ["COPY", "k", "to", "REPLACE"],
            lambda: _directive(chance, limits, *chance.choice([
                ("set-max-intset-entries", [2, 3, 8]), ("set-max-listpack-entries", [2, 3, 8]), ("set-max-listpack-value", [5, 12])])),
        ])()


def _hash(chance):
    limits = {}
    yield _directive(chance, limits, "hash-max-listpack-entries", [3, 8])
    yield _directive(chance, limits, "hash-max-listpack-value", [5, 12])
    while True:
        text = lambda: _text(chance, limits["hash-max-listpack-value"])
        pairs = lambda: [text() for _ in range(2 * chance.choice([1, 1, 2, 5]))]
        yield chance.choice([
            lambda: ["HSET", "k", *pairs()],
            lambda: ["HSET", "k", *pairs()],
            lambda: ["HDEL", "k", text(), text()],
            lambda: ["HSETNX", "k", text(), text()],
            lambda: ["HINCRBY", "k", text(), 100],
            lambda: ["HINCRBYFLOAT", "k", text(), "0.5"],
            lambda: ["HEXPIRE", "k", 1_000, "FIELDS", 1, text()],
            lambda: ["HPERSIST", "k", "FIELDS", 1, text()],
            lambda: ["COPY", "k", "to", "REPLACE"],
            lambda: _directive(chance, limits, *chance.choice([
                ("hash-max-listpack-entries", [2, 3, 8]), ("hash-max-listpack-value", [5, 12])])),
        ])()


def _sorted_set(chance):
    limits = {}
    yield _directive(chance, limits, "zset-max-listpack-entries", [3, 8])
    yield _directive(chance, limits, "zset-max-listpack-value", [5, 12])
    while True:
        text = lambda: _text(chance, limits["zset-max-listpack-value"])
        pairs = lambda: sum(([chance.randrange(9), text()] for _ in range(chance.choice([1, 1, 2, 5]))), [])
        yield chance.choice([
            lambda: ["ZADD", chance.choice(["k", "k", "to"]), *pairs()],
            lambda: ["ZADD", "k", *pairs()],
            lambda: ["ZREM", "k", text(), text()],
            lambda: ["ZINCRBY", "k", 2, text()],
            lambda: ["ZPOPMIN", "k"],
            lambda: [chance.choice(["ZUNIONSTORE", "ZINTERSTORE", "ZDIFFSTORE"]), "to", 2, "k", "to"],
            lambda: ["ZRANGESTORE", "to", "k", 0, chance.choice([1, 2, 3, 7, -1])],
            lambda: ["COPY", "k", "to", "REPLACE"],
            lambda: _directive(chance, limits, *chance.choice([
                ("zset-max-listpack-entries", [0, 2, 3, 8]), ("zset-max-listpack-value", [5, 12])])),
        ])()


def _list(chance):
    limits = {}
    sizes = [-1, -2, 3, 5, 8]
    yield _directive(chance, limits, "list-max-listpack-size", sizes)
    while True:
        def text():
            if limits["list-max-listpack-size"] < 0:
                return "x" * chance.choice([5, 500, 1_000, 4_074, 4_075, 4_076, 4_080, 4_085, 4_090, 4_096, 8_170, 8_180, 8_192])
            return _text(chance, 8)
        many = lambda: [text() for _ in range(chance.choice([1, 1, 2, 3]))]
        yield chance.choice([
            lambda: [chance.choice(["LPUSH", "RPUSH"]), "k", *many()],
            lambda: [chance.choice(["LPUSH", "RPUSH"]), "k", *many()],
            lambda: [chance.choice(["LPOP", "RPOP"]), "k", chance.choice([1, 1, 2])],
            lambda: ["LSET", "k", chance.randrange(-3, 3), text()],
            lambda: ["LINSERT", "k", "BEFORE", text(), text()],
            lambda: ["LREM", "k", chance.choice([0, 1, -1]), text()],
            lambda: ["LTRIM", "k", chance.choice([0, 1]), chance.choice([-1, -2, 3])],
            lambda: ["LMOVE", "k", "to", "LEFT", "RIGHT"],
            lambda: ["COPY", "k", "to", "REPLACE"],
            lambda: _directive(chance, limits, "list-max-listpack-size", sizes),
        ])()


def _stream(chance):
    limits = {}
    yield _directive(chance, limits, "stream-node-max-bytes", [0, 100, 4_096])
    yield _directive(chance, limits, "stream-node-max-entries", [0, 3, 10])
    for at in range(1, STEPS + 1):
        yield chance.choice([
            lambda: ["XADD", "k", f"{at}-1", "f", "v" * chance.randrange(30)],
            lambda: ["XADD", "k", f"{at}-1", "f", "v", "other", at],
            lambda: ["XADD", "k", f"{at}-1", "f", "v"],
            lambda: ["XDEL", "k", f"{chance.randrange(1, at + 1)}-1"],
            lambda: ["XTRIM", "k", "MAXLEN", "~", chance.randrange(9)],
            lambda: ["XTRIM", "k", "MAXLEN", chance.randrange(4, 12)],
            lambda: _directive(chance, limits, *chance.choice([
                ("stream-node-max-bytes", [0, 100, 4_096]), ("stream-node-max-entries", [0, 3, 10])])),
        ])()


def _hyperloglog(chance):
    limits = {}
    yield _directive(chance, limits, "hll-sparse-max-bytes", [0, 60, 100, 3_000])
    while True:
        yield chance.choice([
            lambda: ["PFADD", "k", *(chance.randrange(10_000) for _ in range(chance.choice([1, 5, 20])))],
            lambda: ["PFADD", "k", *(chance.randrange(10_000) for _ in range(chance.choice([1, 5, 20])))],
            lambda: ["PFCOUNT", "k"],
            lambda: _directive(chance, limits, "hll-sparse-max-bytes", [0, 60, 100, 3_000]),
        ])()


KINDS = {"set": _set, "hash": _hash, "zset": _sorted_set, "list": _list, "stream": _stream, "hyperloglog": _hyperloglog}

if __name__ == "__main__":
    sys.exit(main())
