"""Values go from server to server with DUMP and RESTORE, and must arrive as they were.

    python3 scripts/conformance/exchange.py --seed 1 --values 400 [--server PATH]

Random values of every type are made on one server, small ones and such that outgrow their small form, under
changing limits. Their payloads are restored on the other, and DEBUG DIGEST-VALUE, the type, and what a digest leaves
out (deadlines of fields, groups of streams) are compared. Then they go back. 7.0 refuses what we write, as it is newer.
The same programs run on both sides too, so that digests of equal data are compared and not copies alone.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
from pathlib import Path

import fetch
from resp import Broken, Connection, Reply, quote, show
from servers import Server, ServerFailed

Program = list[list[bytes]]
FAR_MS = 4_000_000_000_000
LIMITS = [
    ("hash-max-listpack-entries", (2, 128, 512)),
    ("hash-max-listpack-value", (8, 64)),
    ("set-max-intset-entries", (2, 512)),
    ("zset-max-listpack-entries", (2, 128)),
    ("zset-max-listpack-value", (8, 64)),
    ("list-max-listpack-size", (-1, -2, 3, 128)),
    ("stream-node-max-entries", (3, 100)),
]


class Maker:
    """Random values, as the commands that make them at `key`."""

    def __init__(self, rng: random.Random, new: bool):
        self.rng = rng
        self.new = new
        """Whether the server knows deadlines of fields, and writes scores in the shortest form."""

    def text(self) -> bytes:
        kind = self.rng.randrange(10)
        if kind == 0:
            return b"%d" % (self.rng.getrandbits(64) - (1 << 63) >> self.rng.randrange(64))
        if kind == 1:
            return self.rng.choice([b"r", b"abc", b"\x00"]) * self.rng.randrange(200)
        if kind == 2:
            return bytes(self.rng.randrange(256) for _ in range(self.rng.randrange(40)))
        if kind == 3 and self.rng.randrange(10) == 0:
            return b"long " * self.rng.randrange(5000)
        return b"%d" % self.rng.randrange(100)

    def score(self) -> bytes:
        """Short ones: of some long ones 7.4 writes more digits than it must, 877838e15 as 8778380000000001e5."""
        kind = self.rng.randrange(6)
        if kind == 0:
            return self.rng.choice([b"inf", b"-inf"])
        if kind == 1 and self.new:
            return b"%de%d" % (self.rng.randrange(-(10**6), 10**6), self.rng.randrange(-12, 9))
        if kind == 2:
            return b"%d" % (self.rng.randrange(-(10**9), 10**9))
        return repr(self.rng.randrange(-40, 40) / 4).encode()

    def size(self) -> int:
        return self.rng.randrange(1, 600 if self.rng.randrange(6) == 0 else 12)

    def make(self, key: bytes) -> Program:
        kinds = [self.string, self.list, self.set, self.ints, self.zset, self.hash, self.stream, self.sketch]
        program = self.rng.choice(kinds)(key)
        if self.rng.randrange(4) == 0:
            program.append([b"PEXPIREAT", key, b"%d" % (FAR_MS + self.rng.randrange(1000))])
        return program

    def string(self, key: bytes) -> Program:
        return [[b"SET", key, self.text()]]

    def list(self, key: bytes) -> Program:
        end = [b"LPUSH", b"RPUSH"]
        return [[self.rng.choice(end), key, self.text()] for _ in range(self.size())]

    def set(self, key: bytes) -> Program:
        return [[b"SADD", key, *(self.text() for _ in range(self.size()))]]

    def ints(self, key: bytes) -> Program:
        bits = self.rng.choice([8, 20, 40, 63])
        return [[b"SADD", key, *(b"%d" % (self.rng.getrandbits(bits) - (1 << bits - 1)) for _ in range(self.size()))]]

    def zset(self, key: bytes) -> Program:
        pairs = [word for _ in range(self.size()) for word in (self.score(), self.text())]
        return [[b"ZADD", key, *pairs]]

    def hash(self, key: bytes) -> Program:
        program = [[b"HSET", key, *(self.text() for _ in range(2 * self.size()))]]
        if self.new and self.rng.randrange(2):
            for field in program[0][2 : 2 + self.rng.randrange(1, 8) * 2 : 2]:
                at = b"%d" % (FAR_MS + self.rng.randrange(10_000))
                program.append([b"HPEXPIREAT", key, at, b"FIELDS", b"1", field])
            if self.rng.randrange(3) == 0:
                program.append([b"HPERSIST", key, b"FIELDS", b"1", program[0][2]])
        return program

    def stream(self, key: bytes) -> Program:
        program: Program = []
        ids = [b"%d-%d" % (5 + at // 3, at + 1) for at in range(self.size())]
        for name in ids:
            pairs = [word for field in (b"a", b"b")[: self.rng.randrange(1, 3)] for word in (field, self.text())]
            program.append([b"XADD", key, name, *pairs])
        for name in self.rng.sample(ids, len(ids) // 4):
            program.append([b"XDEL", key, name])
        for group in range(self.rng.randrange(3)):
            program.append([b"XGROUP", b"CREATE", key, b"g%d" % group, self.rng.choice([b"0", b"$", ids[0]])])
            for consumer in (b"one", b"two"):
                read = [b"XREADGROUP", b"GROUP", b"g%d" % group, consumer, b"COUNT", b"3"]
                program.append([*read, b"STREAMS", key, b">"])
            program.append([b"XACK", key, b"g%d" % group, ids[0]])
            program.append([b"XGROUP", b"CREATECONSUMER", key, b"g%d" % group, b"idle"])
        if self.rng.randrange(3) == 0:
            program.append([b"XTRIM", key, b"MAXLEN", b"2"])
        return program

    def sketch(self, key: bytes) -> Program:
        return [[b"PFADD", key, *(self.text() for _ in range(self.size()))]]


APART = (b"seen-time", b"active-time", b"idle", b"inactive", b"lag", b"radix-tree-keys", b"radix-tree-nodes")
"""What time changes, what 7.0 lacks or counts in another way, and how trees are built."""


def plain(reply: Reply) -> object:
    """Without the names in `APART` and what stands behind them."""
    _, content = reply
    if not isinstance(content, list):
        return content
    items = [plain(item) for item in content]
    apart = {at for at, item in enumerate(items[:-1]) if item in APART and len(items) % 2 == 0 and at % 2 == 0}
    return [item for at, item in enumerate(items) if at not in apart and at - 1 not in apart]


class Side:
    def __init__(self, name: str, binary: str, snapshot: Path | None = None):
        """Starts with the keys of `snapshot`, if one is given."""
        self.name = name
        self.server = Server(binary)
        if snapshot:
            shutil.copy(snapshot, self.server.dir / "dump.rdb")
        self.server.start()
        self.connection = Connection(self.server.port)

    def call(self, *argv: bytes | str) -> Reply:
        return self.connection.call(*argv)

    def facts(self, key: bytes, with_fields: bool) -> list[object]:
        kind = self.call("TYPE", key)[1]
        facts: list[object] = [kind, self.call("PTTL", key)[1] == b"-1", self.call("DEBUG", "DIGEST-VALUE", key)[1]]
        if kind == b"stream":
            facts.append(plain(self.call("XINFO", "STREAM", key, "FULL", "COUNT", "0")))
            facts.append(plain(self.call("XINFO", "GROUPS", key)))
        if kind == b"hash" and with_fields:
            fields = self.call("HKEYS", key)[1]
            names = sorted(content for _, content in fields)[:200]
            facts.append(plain(self.call("HPEXPIRETIME", key, "FIELDS", str(len(names)), *names)))
        return facts

    def close(self) -> None:
        self.connection.close()
        self.server.close()


def problem(what: str, program: Program, said: str) -> None:
    print(f"FAIL {what}: {said}")
    for argv in program[:12]:
        print("  " + " ".join(quote(word if len(word) < 200 else word[:200] + b"...") for word in argv[:12]))


def send(origin: Side, target: Side, key: bytes, with_fields: bool) -> str:
    """What is wrong with the copy of `key` at `target`, which has the same time to live; empty if nothing."""
    mark, payload = origin.call("DUMP", key)
    if mark != "$" or payload is None:
        return f"DUMP of {origin.name} says {show((mark, payload))}"
    at = origin.call("PEXPIRETIME", key)[1]
    answer = target.call("RESTORE", key, at if at != b"-1" else b"0", payload, "REPLACE", "ABSTTL")
    if answer != ("+", b"OK"):
        return f"RESTORE of {target.name} says {show(answer)} to {quote(payload[:300])}"
    before, after = origin.facts(key, with_fields), target.facts(key, with_fields)
    return "" if before == after else f"{origin.name} has {before!r}, {target.name} got {after!r}"[:1500]


def run(server: str, reference: str, seed: int, values: int) -> bool:
    """Exchanges values with one reference; true if all arrived."""
    new = reference == "7.4"
    binary = str(fetch.redis_7_4()) if new else "/usr/bin/redis-server"
    ours, theirs = Side("stoa", os.path.abspath(server)), Side(reference, binary)
    failed = sent = 0
    try:
        for number in range(values):
            rng = random.Random(seed * 1_000_003 + number)
            if number % 20 == 0:
                for name, choices in LIMITS:
                    for side in (ours, theirs):
                        side.call("CONFIG", "SET", name, str(random.Random(f"{name}{number}{seed}").choice(choices)))
            key = b"k%d" % number
            program = Maker(rng, new).make(key)
            for side in (ours, theirs):
                for argv in program:
                    side.call(*argv)
            case = f"value {number} of seed {seed} with {reference}"
            mine, others = ours.call("DEBUG", "DIGEST-VALUE", key), theirs.call("DEBUG", "DIGEST-VALUE", key)
            wrong = "" if mine == others else f"made alike, the digests are {show(mine)} and {show(others)}"
            wrong = wrong or send(theirs, ours, key, new)
            if new:
                wrong = wrong or send(ours, theirs, key, new)
            else:
                refused = theirs.call("RESTORE", b"new", b"0", ours.call("DUMP", key)[1])
                want = b"ERR DUMP payload version or checksum are wrong"
                wrong = wrong or ("" if refused == ("-", want) else f"7.0 takes version 12: {show(refused)}")
            sent += 1
            if wrong:
                failed += 1
                problem(case, program, wrong)
                if failed >= 10:
                    break
        whole = ours.call("DEBUG", "DIGEST"), theirs.call("DEBUG", "DIGEST")
        if whole[0] != whole[1] and not failed:
            failed += 1
            print(f"FAIL the whole of seed {seed} with {reference}: {show(whole[0])} and {show(whole[1])}")
    except Broken as error:
        failed += 1
        print(f"FAIL with {reference}: {error}; stoa's last words: {ours.server.log_tail()}")
    finally:
        ours.close()
        theirs.close()
    print(f"{sent} values exchanged with {reference}, {failed} failed")
    return failed == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    candidate = os.environ.get("STOA_SERVER", str(fetch.REPO / "target/release/stoa-server"))
    parser.add_argument("--server", default=candidate)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--values", type=int, default=400)
    parser.add_argument("--reference", action="append", choices=["7.4", "7.0"], help="default: both")
    options = parser.parse_args()
    try:
        references = options.reference or ["7.4", "7.0"]
        verdicts = [run(options.server, name, options.seed, options.values) for name in references]
    except (fetch.FetchFailed, ServerFailed) as error:
        print(error)
        return 2
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
