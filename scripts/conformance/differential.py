"""The same random programs on a reference and on the candidate; every reply is compared.

    python3 scripts/conformance/differential.py --seed 1 --commands 50000 [--server PATH]
        [--reference 7.4|7.0|PATH] [--groups string,generic,...] [--round SEED]

A run is cut into rounds of fresh servers' state, each from its own seed, so that one failing round can be
repeated alone (`--round`). After some commands the whole keyspace is compared too, which catches a wrong
write long before something reads it. A failing program is shrunk and printed as lines for redis-cli.
Failures that look alike are counted once.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import sys
import time
from dataclasses import dataclass, field

import compare
import fetch
from grammar import DEFAULT_GROUPS, GROUPS, RESETS, Generator, Step, names
from resp import Broken, Connection, Reply, encode, exchange_raw, quote, show
from servers import ServerFailed, Supervised, binary_version
from shrink import shrink

ROUND_STEPS = 2_000
"""Short enough to shrink from, long enough for keys to gather history."""
STATE_EVERY = 100
PROGRESS_ROUNDS = 50
"""A long run says now and then how far it is."""
PIPELINE = 12
CONNECTIONS = 3
DBS = (0, 1)
MARKER = (b"ECHO", b"<end of batch>")
QUEUED = ("+", b"QUEUED")
STATE = (b"<keyspace>",)
"""Stands for the comparison of all keys where an argv is wanted."""


@dataclass
class Mismatch:
    step: Step
    ours: Reply | None
    theirs: Reply | None
    signature: tuple[str, ...] = ()


@dataclass
class Finding:
    mismatch: Mismatch
    program: list[Step]
    round_seed: int
    count: int = 1


@dataclass
class Tally:
    commands: int = 0
    findings: dict[tuple[str, ...], Finding] = field(default_factory=dict)
    known: dict[str, int] = field(default_factory=dict)


class Node:
    """One server with its connections. What breaks is kept as a reply of mark '!!'."""

    def __init__(self, binary: str):
        self.server = Supervised(binary)
        self.server.start()
        self.connections: list[Connection] = []
        self.admin: Connection | None = None

    def close(self) -> None:
        self.hang_up()
        self.server.close()

    def hang_up(self) -> None:
        for connection in [*self.connections, *([self.admin] if self.admin else [])]:
            connection.close()
        self.connections, self.admin = [], None

    def reset(self) -> None:
        """An empty server with default settings and new connections."""
        self.hang_up()
        for attempt in range(60):
            try:
                self.admin = Connection(self.server.port)
                if attempt == 0 and self.admin.call("FLUSHALL")[0] != "+":
                    self.replace_server()
                    raise Broken("no FLUSHALL: a new server instead")
                for name, value in RESETS:
                    self.admin.call("CONFIG", "SET", name, value)
                self.connections = [Connection(self.server.port) for _ in range(CONNECTIONS)]
                return
            except (OSError, Broken) as error:
                last = error
                self.hang_up()
                time.sleep(0.25)
        raise ServerFailed(f"{self.server.binary} does not come back: {last}\n{self.server.log_tail()}")

    def replace_server(self) -> None:
        """For a server that cannot empty itself. This end was asked for and is no death."""
        ended = len(self.server.deaths)
        self.server.shoot()
        while len(self.server.deaths) == ended:
            time.sleep(0.02)
        self.server.deaths.pop()
        time.sleep(0.1)

    def batch(self, steps: list[Step]) -> list[Reply]:
        """Runs consecutive plain commands of one connection in one write, with a marker behind."""
        connection = self.connections[steps[0].conn]
        marker = MARKER[1]
        replies: list[Reply] = []
        try:
            connection.send(b"".join(encode(list(step.argv)) for step in steps) + encode(list(MARKER)))
            for _ in steps:
                replies.append(connection.read())
            end = connection.read()
            if end not in (("$", marker), QUEUED):
                replies[-1] = ("!!", b"out of step: one reply too few or too many, then " + show(end).encode())
        except Broken as error:
            # The connection is of no use any more, whatever comes next says so again.
            connection.close()
            said = f"{error}{self.obituary()}".encode()
            replies += [("!!", said)] * (len(steps) - len(replies))
        return replies

    def obituary(self) -> str:
        time.sleep(0.1)
        if self.server.deaths:
            status, log = self.server.deaths[-1]
            return f"; the server died with status {status}: {log.strip()[-400:]}"
        return ""

    def special(self, step: Step) -> Reply:
        connection = self.connections[step.conn]
        try:
            if step.kind == "raw":
                return "raw", exchange_raw(self.server.port, list(step.argv), 5.0)
            if step.kind == "scan":
                return self.scan(connection, list(step.argv))
            if step.kind == "expire":
                first = connection.call("PEXPIRE", step.argv[0], "2")
                time.sleep(0.02)
                return "*", [first, connection.call("EXISTS", step.argv[0]), connection.call("TTL", step.argv[0])]
            assert step.kind == "quiet", step.kind
            words = [["CLIENT", "REPLY", "OFF"], ["SET", "a", "quiet"], ["GET", "a"], ["CLIENT", "REPLY", "ON"],
                     ["CLIENT", "REPLY", "SKIP"], ["APPEND", "a", "x"], ["GET", "a"]]
            connection.send(b"".join(encode([w.encode() for w in argv]) for argv in words))
            return "*", [connection.read(), connection.read()]
        except (Broken, OSError) as error:
            return "!!", f"{error}{self.obituary()}".encode()

    def scan(self, connection: Connection, options: list[bytes]) -> Reply:
        """A whole iteration: the set of keys it gave. Nothing changes meanwhile, so it is exact."""
        cursor, seen = b"0", set()
        for _ in range(10_000):
            reply = connection.call("SCAN", cursor, *options)
            if reply[0] != "*":
                return reply
            (_, cursor), (_, keys) = reply[1]
            seen |= {key for _, key in keys}
            if cursor == b"0":
                return "*", [("$", key) for key in sorted(seen)]
        return "!!", b"SCAN does not end"

    def keyspace(self) -> Reply:
        """Every key of the databases in use with type, value, encoding and deadline."""
        out: list[Reply] = []
        try:
            for db in DBS:
                self.admin.call("SELECT", str(db))
                keys = self.admin.call("KEYS", "*")
                if keys[0] != "*":
                    return keys
                for _, key in sorted(keys[1]):
                    kind = self.admin.call("TYPE", key)
                    value, expires = VALUES.get(kind[1]), [b"PTTL", key]
                    reads = [[word or key for word in value], expires] if value else [expires]
                    self.admin.send(b"".join(encode(read) for read in reads))
                    content = in_order(kind, self.admin.read()) if value else ("_", b"")
                    out.append(("*", [("db", str(db).encode()), ("$", key), kind, content, self.admin.read()]))
        except (Broken, OSError) as error:
            return "!!", str(error).encode()
        return "*", out


VALUES: dict[bytes, list[bytes | None]] = {
    b"string": [b"GET", None],
    b"list": [b"LRANGE", None, b"0", b"-1"],
    b"hash": [b"HGETALL", None],
    b"set": [b"SMEMBERS", None],
    b"zset": [b"ZRANGE", None, b"0", b"-1", b"WITHSCORES"],
    b"stream": [b"XINFO", b"STREAM", None, b"FULL", b"COUNT", b"0"],
}
"""What reads the whole value of a key of each type; None stands for the key."""


def in_order(kind: Reply, value: Reply) -> Reply:
    """A value in one order and without what the clock decides."""
    if kind[1] == b"set" and value[0] in "*~":
        return "*", sorted(value[1])
    if kind[1] == b"hash" and value[0] in "*%":
        return "*", [("$", word.encode()) for pair in compare.pairs(value) for word in pair]
    if kind[1] == b"stream":
        return without_moments(value)
    return value


MOMENTS = (b"seen-time", b"active-time", b"pending", b"pel", b"radix-tree-keys", b"radix-tree-nodes")


def without_moments(value: Reply) -> Reply:
    """XINFO without the fields that tell a moment or how memory is laid out."""
    if not isinstance(value[1], list):
        return value
    items, skips = [], False
    for item in value[1]:
        if not skips:
            skips = item[0] == "$" and item[1] in MOMENTS
            items.append(without_moments(item))
        else:
            skips = False
    return value[0], items


def keyspaces_differ(ours: Reply, theirs: Reply) -> tuple[Reply | None, Reply | None] | None:
    """The first key on which two keyspaces disagree."""
    if b"unknown command" in compare.text(theirs):
        return None
    if ours[0] != "*" or theirs[0] != "*":
        return None if ours == theirs else (ours, theirs)
    mine = {(item[1][0][1], item[1][1][1]): item for item in ours[1]}
    other = {(item[1][0][1], item[1][1][1]): item for item in theirs[1]}
    for name in sorted(mine.keys() | other.keys()):
        a, b = mine.get(name), other.get(name)
        if a is None or b is None or a[1][2:4] != b[1][2:4] or not compare.same((b"PTTL",), a[1][4], b[1][4]):
            return a, b
    return None


def signature(step: Step, ours: Reply | None, theirs: Reply | None) -> tuple[str, ...]:
    """What makes two mismatches look alike: the command and the forms of the two replies."""
    if step.argv == STATE:
        return ("keyspace", form(ours), form(theirs))
    if step.kind != "call" or not step.argv:
        return (step.kind, form(ours), form(theirs))
    verb = step.argv[0].upper().decode("latin-1")
    if verb not in VERBS:
        verb = "an unknown command"
    elif verb in CONTAINERS and len(step.argv) > 1:
        sub = step.argv[1].upper().decode("latin-1")
        verb += f" {sub}" if sub in SUBCOMMANDS else " ?"
    return (verb, form(ours), form(theirs))


CONTAINERS = ("CLIENT", "CONFIG", "OBJECT", "COMMAND", "DEBUG", "MEMORY", "BITOP", "HELLO", "XGROUP", "XINFO", "SCRIPT")
VERBS = {verb for lines in GROUPS.values() for _, line in lines for verb in line.split()[0].strip("()").split("|")}
SUBCOMMANDS = {word.strip("()|") for lines in GROUPS.values() for _, line in lines for word in re.findall(r"[A-Z-]{2,}", line)}


def form(reply: Reply | None) -> str:
    if reply is None:
        return "absent"
    mark, content = reply
    if mark == "_" or content is None:
        return "null"
    if mark == "raw":
        # A sequence of replies. Which one differs is not known here: the last is the likeliest.
        lines = content.strip().split(b"\r\n")
        return "bytes ending in " + plain(lines[-1])
    if mark in "-!!":
        return mark + plain(content)
    if isinstance(content, list):
        return mark + ("0" if not content else "n")
    return mark


def plain(text: bytes) -> str:
    """An error text without what was quoted or counted in it."""
    words = re.sub(r"'.*'|[0-9]+", "_", text.decode("latin-1"))
    return "".join(c if c.isprintable() and ord(c) < 127 else "." for c in words[:60])


class Pair:
    """Reference and candidate, and the comparing run of a program over both."""

    def __init__(self, reference: str, candidate: str, version: str):
        self.ours = Node(reference)
        self.theirs = Node(candidate)
        self.version = version
        self.known: dict[str, int] = {}
        self.without: frozenset[tuple[str, ...]] = frozenset()
        self.queues: dict[int, list[tuple[bytes, ...]]] = {}
        """What each connection queued since its MULTI."""
        self.parted = False
        """Whether a known difference emptied both servers: what was already answered behind it says nothing."""

    def look_what_is_there(self, groups: list[str]) -> None:
        """Commands the candidate does not know at all are told once and left out: each would be a
        finding, and its absence makes every later one."""
        self.reset()
        missing = set()
        for name in sorted({names(line) for group in groups for _, line in GROUPS[group]}):
            if name[0].startswith("{") or name[0] in ("QUIT", "SHUTDOWN"):
                continue
            mine, other = (node.admin.call(*name) for node in (self.ours, self.theirs))
            if compare.text(other).startswith((b"ERR unknown command", b"ERR unknown subcommand")) and other != mine:
                missing.add(name)
        self.without = frozenset(missing)
        if missing:
            print(f"left out, for the candidate does not serve them: {', '.join(' '.join(name) for name in sorted(missing))}")

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()

    def reset(self) -> None:
        self.ours.reset()
        self.theirs.reset()
        self.queues = {}

    def follow(self, step: Step, reply: Reply) -> None:
        """Keeps the books on what is queued, by the reference's reply."""
        verb = step.argv[0].upper() if step.kind == "call" and step.argv else b""
        if reply == QUEUED:
            self.queues.setdefault(step.conn, []).append(step.argv)
        elif verb == b"MULTI" and reply[0] == "+":
            self.queues[step.conn] = []
        elif verb in (b"EXEC", b"RESET") or verb == b"DISCARD" and reply[0] == "+":
            self.queues.pop(step.conn, None)

    def exec_differs(self, step: Step, ours: Reply, theirs: Reply) -> bool:
        """Whether some command of a transaction answered otherwise."""
        queue = self.queues.get(step.conn, [])
        if not ours[0] == theirs[0] == "*" or ours[1] is None or theirs[1] is None:
            return ours != theirs
        if not len(ours[1]) == len(theirs[1]) == len(queue):
            return True
        for argv, a, b in zip(queue, ours[1], theirs[1]):
            if self.differs(Step(step.conn, "call", argv), a, b):
                return True
            if self.parted:
                break
        return False

    def differs(self, step: Step, ours: Reply, theirs: Reply) -> bool:
        if step.kind == "call":
            if compare.same(step.argv, ours, theirs):
                return False
            if step.argv and step.argv[0].upper() == b"EXEC":
                return self.exec_differs(step, ours, theirs)
        elif ours == theirs or ours[0] == theirs[0] == "raw" and compare.raw(ours[1], theirs[1]):
            return False
        reason = compare.known(self.version, step.argv, ours, theirs)
        if reason:
            self.known[reason] = self.known.get(reason, 0) + 1
            if reason in compare.PARTS:
                self.parted = True
                for node in (self.ours, self.theirs):
                    node.admin.call("FLUSHALL")
            return False
        if step.kind == "raw":
            return self.raw_differs(step)
        return True

    def raw_differs(self, step: Step) -> bool:
        """A close with bytes unread may cost a client the last words; only what always differs counts."""
        mine, other = [], []
        for _ in range(4):
            mine.append(self.ours.special(step)[1])
            other.append(self.theirs.special(step)[1])
            if any(compare.raw(a, b) for a in mine for b in other):
                return False
        return True

    def run(self, steps: list[Step], pipelined: bool, state_every: int | None) -> tuple[int, Mismatch] | None:
        """The index of the first step that tells the servers apart, and how."""
        at = since = 0
        while at < len(steps):
            group = batch_at(steps, at, PIPELINE if pipelined else 1)
            if group[0].conn in self.queues and (group[0].kind not in ("call", "raw") or not pipelines(group[0])):
                # What it does takes several replies, which a transaction holds back; and Redis loses the error of
                # an AUTH inside.
                at += 1
                continue
            if group[0].kind == "call":
                mine, other = self.ours.batch(group), self.theirs.batch(group)
            else:
                mine, other = [self.ours.special(group[0])], [self.theirs.special(group[0])]
            self.parted = False
            for offset, (step, a, b) in enumerate(zip(group, mine, other)):
                if not self.parted and self.differs(step, a, b):
                    return at + offset, Mismatch(step, a, b, signature(step, a, b))
                self.follow(step, a)
            if group[0].kind == "call" and group[0].conn in self.queues:
                self.queues[group[0].conn].append(MARKER)
            at += len(group)
            since += len(group)
            if since >= (state_every or len(steps)) or at == len(steps):
                since = 0
                if found := keyspaces_differ(self.ours.keyspace(), self.theirs.keyspace()):
                    step = Step(0, "call", STATE)
                    return at - 1, Mismatch(step, *found, signature(step, *found))
        return None


def batch_at(steps: list[Step], at: int, most: int) -> list[Step]:
    """The plain commands from `at` on that go to one connection; anything else goes alone."""
    first = steps[at]
    end = at + 1
    if not pipelines(first):
        return [first]
    while end < len(steps) and end - at < most and pipelines(steps[end]) and steps[end].conn == first.conn:
        end += 1
    return steps[at:end]


def pipelines(step: Step) -> bool:
    # Since 7.2 Redis swallows the error of AUTH while other replies of the client are pending.
    return step.kind == "call" and not (step.argv and step.argv[0].upper() in (b"AUTH", b"HELLO"))


def shrunk(pair: Pair, steps: list[Step], mismatch: Mismatch) -> tuple[list[Step], Mismatch]:
    """The smallest program that shows a mismatch of the same signature, and that mismatch."""
    best = mismatch

    def with_pipeline(pipelined: bool):
        def fails(program: list[Step]) -> bool:
            nonlocal best
            pair.reset()
            found = pair.run(program, pipelined, None)
            if found and found[1].signature == mismatch.signature:
                best = found[1]
                return True
            return False
        return fails

    for pipelined in (False, True):
        fails = with_pipeline(pipelined)
        if fails(steps):
            return shrink(steps, fails), best
    return steps[-40:], mismatch


def search(pair: Pair, seed: int, commands: int, groups: list[str], most: int, only: int | None = None) -> Tally:
    tally = Tally()
    pair.look_what_is_there(groups)
    rounds = [only] if only is not None else None
    number = 0
    while tally.commands < commands and len(tally.findings) < most:
        round_seed = rounds[0] if rounds else seed * 1_000_003 + number
        number += 1
        if number % PROGRESS_ROUNDS == 0:
            print(f"{tally.commands} commands so far, next is round {round_seed}", flush=True)
        generator = Generator(round_seed, groups, CONNECTIONS, pair.without)
        steps = [generator.step() for _ in range(ROUND_STEPS)]
        done = 0
        while done < len(steps):
            pair.reset()
            rest = steps[done:]
            found = pair.run(rest, True, STATE_EVERY)
            if found is None:
                tally.commands += len(rest)
                break
            at, mismatch = found
            tally.commands += at + 1
            done += at + 1
            note(pair, tally, rest[: at + 1], mismatch, round_seed)
            if len(tally.findings) >= most:
                break
        if rounds:
            break
    tally.known = pair.known
    return tally


def note(pair: Pair, tally: Tally, steps: list[Step], mismatch: Mismatch, round_seed: int) -> None:
    if seen := tally.findings.get(mismatch.signature):
        seen.count += 1
        return
    program, best = shrunk(pair, steps, mismatch)
    finding = Finding(best, program, round_seed)
    tally.findings[mismatch.signature] = finding
    print(tell(finding), flush=True)


def tell(finding: Finding) -> str:
    lines = [f"MISMATCH ({' / '.join(finding.mismatch.signature)}), round {finding.round_seed}:"]
    single = len({step.conn for step in finding.program}) == 1
    for step in finding.program:
        head = "  " if single else f"  [{step.conn}] "
        words = " ".join(quote(word) for word in step.argv)
        if step.kind == "raw":
            words = "raw bytes on a new connection: " + " ++ ".join(quote_long(piece) for piece in step.argv)
        elif step.kind != "call":
            words = f"({step.kind}) {words}"
        lines.append(head + words)
    if finding.mismatch.step.argv == STATE:
        lines.append("  then the keyspaces differ:")
    for name, reply in (("reference", finding.mismatch.ours), ("candidate", finding.mismatch.theirs)):
        text = quote_long(reply[1]) if reply and reply[0] == "raw" else show(reply)
        lines.append(f"    {name}: {text}")
    return "\n".join(lines)


def quote_long(data: bytes) -> str:
    return quote(data) if len(data) <= 300 else quote(data[:60]) + f"...({len(data)} bytes)..." + quote(data[-40:])


def reference_binary(name: str) -> tuple[str, str]:
    """The binary of a reference and the version its known differences are listed under."""
    if name == "7.4":
        return str(fetch.redis_7_4()), "7.4"
    if name == "7.0":
        return "/usr/bin/redis-server", "7.0"
    return os.path.abspath(name), re.sub(r".*v=(\d+\.\d+).*", r"\1", binary_version(name))


def run(candidate: str, reference: str, seed: int, commands: int, groups: list[str], most: int, only: int | None) -> bool:
    candidate = os.path.abspath(candidate)
    binary, version = reference_binary(reference)
    print(f"reference: {binary_version(binary)}\nseed {seed}, {commands} commands, groups {', '.join(groups)}", flush=True)
    began = time.monotonic()
    pair = Pair(binary, candidate, version)
    try:
        tally = search(pair, seed, commands, groups, most, only)
    finally:
        pair.close()
    seconds = time.monotonic() - began
    total = sum(finding.count for finding in tally.findings.values())
    print(f"{tally.commands} commands in {seconds:.0f} s: {len(tally.findings)} kinds of mismatch, {total} in all")
    for finding in sorted(tally.findings.values(), key=lambda f: -f.count):
        print(f"  {finding.count:5}x {' / '.join(finding.mismatch.signature)}")
    for reason, count in sorted(tally.known.items()):
        print(f"  known {count:5}x {reason}")
    for status, log in pair.theirs.server.deaths:
        print(f"DEATH of the candidate, status {status}: {log[-600:]}")
    return not tally.findings and not pair.theirs.server.deaths


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default=str(fetch.REPO / "target" / "release" / "stoa-server"))
    parser.add_argument("--reference", default="7.0", help="7.0 (Debian's), 7.4 (from a wheel) or a path")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--commands", type=int, default=50_000)
    parser.add_argument("--groups", default=",".join(DEFAULT_GROUPS), help=f"of {', '.join(GROUPS)}")
    parser.add_argument("--findings", type=int, default=30, help="stop after so many kinds of mismatch")
    parser.add_argument("--round", type=int, help="repeat just the round of this seed")
    options = parser.parse_args()
    groups = options.groups.split(",")
    good = run(options.server, options.reference, options.seed, options.commands, groups, options.findings, options.round)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
