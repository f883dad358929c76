"""When two replies to the same command count as the same.

Exactly equal, byte for byte, is the rule. `TOLERANT` lists what may differ between two healthy servers
(order, the clock, identities); `KNOWN` lists where a newer version changed its mind on purpose, each with its
reason, and applies only to the reference it names.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from resp import Reply

CLOCK_MS = 30_000
"""A relative deadline lands on two servers at two moments; a busy machine stretches that."""


def same(step_argv: tuple[bytes, ...], ours: Reply, theirs: Reply) -> bool:
    """Whether the candidate's reply `theirs` is as good as the reference's `ours`."""
    if ours == theirs or (step_argv and step_argv[-1] == b"*" and step_argv[0].upper() == b"CONFIG"):
        return True
    words = [word.upper() for word in step_argv[:2]]
    if words and words[0] in (b"SORT", b"SORT_RO") and is_unsorted(step_argv):
        return same_mark(ours, theirs) and (ours[0] != "*" or len(ours[1]) == len(theirs[1]))
    for names in (b" ".join(words), words[0] if words else b""):
        rule = TOLERANT.get(names)
        if rule:
            return rule(ours, theirs)
    return False


def is_unsorted(argv: tuple[bytes, ...]) -> bool:
    """SORT by what is no pattern, or with equal words to sort by, gives the elements of a set in the order of its table."""
    words = [word.upper() for word in argv]
    patterns = [argv[at + 1] for at, word in enumerate(words[:-1]) if word == b"BY"]
    return any(b"*" not in pattern for pattern in patterns) or bool(patterns) and b"ALPHA" in words


def integers(ours: Reply, theirs: Reply) -> tuple[int, int] | None:
    if ours[0] == theirs[0] == ":":
        return int(ours[1]), int(theirs[1])
    return None


def close(tolerance: int) -> Callable[[Reply, Reply], bool]:
    def rule(ours: Reply, theirs: Reply) -> bool:
        pair = integers(ours, theirs)
        return pair is not None and min(pair) >= 0 and abs(pair[0] - pair[1]) <= tolerance
    return rule


def both_integers(ours: Reply, theirs: Reply) -> bool:
    pair = integers(ours, theirs)
    return pair is not None and min(pair) > 0


def same_mark(ours: Reply, theirs: Reply) -> bool:
    return ours[0] == theirs[0] and (ours[1] is None) == (theirs[1] is None)


def unordered(ours: Reply, theirs: Reply) -> bool:
    return same_mark(ours, theirs) and ours[0] in "*~>" and sorted(map(repr, ours[1])) == sorted(map(repr, theirs[1]))


def pairs(reply: Reply) -> list[tuple[str, str]]:
    items = reply[1] or []
    return sorted((repr(items[i]), repr(items[i + 1])) for i in range(0, len(items) - 1, 2))


def unordered_pairs(ours: Reply, theirs: Reply) -> bool:
    return same_mark(ours, theirs) and ours[0] in "*%" and pairs(ours) == pairs(theirs)


def some_key(ours: Reply, theirs: Reply) -> bool:
    """RANDOMKEY: any key will do where there is one."""
    return same_mark(ours, theirs)


def scan_page(ours: Reply, theirs: Reply) -> bool:
    """One page of SCAN is of the server's choosing: only its form is compared."""
    if ours[0] != "*" or theirs[0] != "*":
        return False
    return [item[0] for item in ours[1]] == [item[0] for item in theirs[1]] == ["$", "*"]


def hello(ours: Reply, theirs: Reply) -> bool:
    """The same fields in the same order with the same kinds; identity and version may differ."""
    if not same_mark(ours, theirs) or ours[0] not in "*%":
        return False
    mine, other = ours[1], theirs[1]
    if [item[0] for item in mine] != [item[0] for item in other]:
        return False
    for i in range(0, len(mine) - 1, 2):
        if mine[i] != other[i] or (mine[i][1] in (b"proto", b"mode", b"role") and mine[i + 1] != other[i + 1]):
            return False
    return True


STEADY_FIELDS = {b"name", b"db", b"sub", b"psub", b"user", b"cmd", b"resp", b"redir"}


def client_line(ours: Reply, theirs: Reply) -> bool:
    """CLIENT INFO: no field of the reference is absent, and those that must agree do."""
    if ours[0] not in "$=" or theirs[0] != ours[0]:
        return False
    mine, other = (fields(reply[1].removeprefix(b"txt:")) for reply in (ours, theirs))
    return set(mine) <= set(other) and all(mine[f] == other[f] for f in STEADY_FIELDS if f in mine)


def client_list(ours: Reply, theirs: Reply) -> bool:
    """CLIENT LIST: the same clients, in any order: ids are given by shard, not by time."""
    if ours[0] not in "$=" or theirs[0] != ours[0]:
        return False

    def clients(reply: Reply) -> list[tuple]:
        lines = [fields(line) for line in reply[1].removeprefix(b"txt:").split(b"\n") if line]
        return sorted(tuple((name, line.get(name)) for name in sorted(STEADY_FIELDS)) for line in lines)
    return clients(ours) == clients(theirs)


TOO_BIG = re.compile(rb"too big (mbulk|bulk) count string|invalid (multibulk|bulk) length")
"""One and the same to a client: which it is depends on how the kernel cut the bytes, not on them."""
IDENTITY = re.compile(rb"(version\r\n)\$\d+\r\n[^\r]*|(\bid\r\n):\d+")


def raw(ours: bytes, theirs: bytes) -> bool:
    """What a connection said in all: equal but for the version and client id that HELLO tells."""
    ours, theirs = (TOO_BIG.sub(b"bad count", IDENTITY.sub(rb"\1\2_", said)) for said in (ours, theirs))
    # A line above 64 KiB is served by Redis when its end came in the same read; we always refuse it.
    return ours == theirs or b"too big inline request" in theirs and theirs.split(b"-ERR Protocol")[0] == ours[: theirs.find(b"-ERR Protocol")]


def fields(line: bytes) -> dict[bytes, bytes]:
    return dict(word.split(b"=", 1) for word in line.strip().split(b" ") if b"=" in word)


def not_more(ours: Reply, theirs: Reply) -> bool:
    """DBSIZE of Redis counts keys whose deadline passed until it happens to reclaim them."""
    pair = integers(ours, theirs)
    return pair is not None and pair[1] <= pair[0]


def pages(ours: Reply, theirs: Reply) -> bool:
    """A scan of a small value gives all at once, in an order of the server's choosing."""
    if ours[0] != "*" or theirs[0] != "*" or len(ours[1]) != 2 or len(theirs[1]) != 2:
        return False
    if (b"0" != ours[1][0][1]) or (b"0" != theirs[1][0][1]):
        # A large value comes in pages of the server's choosing.
        return scan_page(ours, theirs)
    return ours[1][0] == theirs[1][0] and (unordered(ours[1][1], theirs[1][1]) or unordered_pairs(ours[1][1], theirs[1][1]))


def all_close(tolerance: int) -> Callable[[Reply, Reply], bool]:
    def rule(ours: Reply, theirs: Reply) -> bool:
        if not same_mark(ours, theirs) or ours[0] != "*" or len(ours[1]) != len(theirs[1]):
            return False
        return all(mine == other or close(tolerance)(mine, other) for mine, other in zip(ours[1], theirs[1]))
    return rule


def loosely(ours: Reply, theirs: Reply) -> bool:
    """What a script gives is of commands that are not known here: order and the clock may differ in each."""
    if ours == theirs:
        return True
    if ours[0] != theirs[0] or not isinstance(ours[1], list) or not isinstance(theirs[1], list):
        return ours[0] == theirs[0] == ":" and close(CLOCK_MS)(ours, theirs)
    if len(ours[1]) != len(theirs[1]):
        return False
    return all(map(loosely, ours[1], theirs[1])) or unordered(ours, theirs) or unordered_pairs(ours, theirs)


TOLERANT: dict[bytes, Callable[[Reply, Reply], bool]] = {
    b"PTTL": close(CLOCK_MS),
    b"TTL": close(CLOCK_MS // 1000),
    b"EXPIRETIME": close(CLOCK_MS // 1000),
    b"PEXPIRETIME": close(CLOCK_MS),
    b"OBJECT IDLETIME": close(CLOCK_MS // 1000),
    b"OBJECT REFCOUNT": both_integers,
    b"MEMORY USAGE": both_integers,
    b"CLIENT ID": both_integers,
    b"CLIENT INFO": client_line,
    b"HELLO": hello,
    b"HTTL": all_close(CLOCK_MS // 1000),
    b"HPTTL": all_close(CLOCK_MS),
    b"HEXPIRETIME": all_close(CLOCK_MS // 1000),
    b"HPEXPIRETIME": all_close(CLOCK_MS),
    b"HGETALL": unordered_pairs,
    b"HKEYS": unordered,
    b"HVALS": unordered,
    b"HRANDFIELD": lambda ours, theirs: unordered(ours, theirs) or unordered_pairs(ours, theirs),
    b"HSCAN": pages,
    b"SMEMBERS": unordered,
    b"SINTER": unordered,
    b"SUNION": unordered,
    b"SDIFF": unordered,
    b"ZRANDMEMBER": lambda ours, theirs: unordered(ours, theirs) or unordered_pairs(ours, theirs),
    b"ZSCAN": pages,
    b"EVAL": loosely,
    b"EVAL_RO": loosely,
    b"SPOP": unordered,
    b"SRANDMEMBER": unordered,
    b"SSCAN": pages,
    b"KEYS": unordered,
    b"SCAN": scan_page,
    b"RANDOMKEY": some_key,
    b"DBSIZE": not_more,
    b"TIME": same_mark,
    b"INFO": same_mark,
    b"LOLWUT": same_mark,
    b"COMMAND": lambda ours, theirs: ours[0] == theirs[0] == "*",
    b"COMMAND COUNT": both_integers,
    b"CLIENT LIST": client_list,
    b"COMMAND GETKEYS": lambda ours, theirs: False,
    b"COMMAND GETKEYSANDFLAGS": lambda ours, theirs: False,
    b"CONFIG GET": unordered_pairs,
}

Known = tuple[str, Callable[[tuple[bytes, ...], Reply, Reply], bool]]

def numbers_of(reply: Reply) -> list[object] | None:
    """A page of ZSCAN with its scores as numbers."""
    try:
        (_, cursor), (_, items) = reply[1]
        return [cursor, sorted((items[i][1], float(items[i + 1][1])) for i in range(0, len(items), 2))]
    except (TypeError, ValueError, IndexError):
        return None


DAMAGED_SKETCH = ("a HyperLogLog damaged by other commands: 7.4.1 goes on past its last register (7.4.5 refuses, as is done here) and "
                  "takes the zero behind the string for the second half of an opcode")
NUL_INLINE = "an inline request with a zero byte: Redis looks for the line's end with a C string function and waits for ever"
ERRNO_STORED = "SORT of Redis with such an ERANGE does not write the key of its STORE"

PARTS: frozenset[str] = frozenset({DAMAGED_SKETCH, NUL_INLINE, ERRNO_STORED})
"""Known differences after which the keys may not be the same any more."""

KNOWN: dict[str, list[Known]] = {
    "7.0": [
        (
            "7.2 checks the arguments of BITCOUNT and BITPOS before it looks for the key",
            lambda argv, ours, theirs: verb(argv) in (b"BITCOUNT", b"BITPOS") and ours[0] == ":" and theirs[0] == "-",
        ),
        (
            "CLIENT SETINFO and CLIENT NO-TOUCH are new in 7.2",
            lambda argv, ours, theirs: verb(argv) == b"CLIENT" and verb(argv[1:]) in (b"SETINFO", b"NO-TOUCH")
            and b"unknown subcommand" in text(ours),
        ),
        (
            "COMMAND GETKEYS of a command without arguments: 7.2 lets it through to the better error",
            lambda argv, ours, theirs: verb(argv) == b"COMMAND" and len(argv) == 3 and theirs[0] == "-"
            and b"wrong number of arguments for 'command|getkeys" in text(ours),
        ),
        (
            "7.4 reads SCAN's cursor as a plain unsigned number, 7.0 with strtoul",
            lambda argv, ours, theirs: verb(argv) == b"SCAN" and len(argv) > 1 and not argv[1].isdigit(),
        ),
    ],
    "7.4": [
        (
            ERRNO_STORED,
            lambda argv, ours, theirs: verb(argv) == b"SORT" and b"STORE" in [word.upper() for word in argv]
            and b"can't be converted into double" in text(ours) and theirs[0] == ":",
        ),
        (
            "SORT of Redis refuses numbers after another command left ERANGE in errno, which it does not clear",
            lambda argv, ours, theirs: verb(argv) in (b"SORT", b"SORT_RO") and b"can't be converted into double" in text(ours)
            and theirs[0] != "-",
        ),
        (
            "SORT of Redis turns a small sorted set into a large one for good",
            lambda argv, ours, theirs: verb(argv) == b"OBJECT" and (text(ours), text(theirs)) == (b"skiplist", b"listpack"),
        ),
        (
            "ZSCAN of a large sorted set writes seventeen digits, and SORT made this one large",
            lambda argv, ours, theirs: verb(argv) == b"ZSCAN" and numbers_of(ours) == numbers_of(theirs) is not None,
        ),
        (
            "MEMORY USAGE of Redis counts a key whose deadline has passed until it happens to reclaim it",
            lambda argv, ours, theirs: verb(argv) == b"MEMORY" and verb(argv[1:]) == b"USAGE" and ours[0] == ":" and theirs[0] in "$_"
            and theirs[1] in (None, b""),
        ),
        (
            NUL_INLINE,
            lambda argv, ours, theirs: ours[0] == "raw" and b"\0" in b"".join(argv),
        ),
        (
            DAMAGED_SKETCH,
            lambda argv, ours, theirs: verb(argv) in (b"PFADD", b"PFCOUNT", b"PFMERGE") and theirs[0] == "-"
            and text(theirs).startswith(b"INVALIDOBJ"),
        ),
    ],
}
"""Differences from a reference version that are meant: what 7.0.15 and 7.4 were seen to disagree on."""


def verb(argv: tuple[bytes, ...]) -> bytes:
    return argv[0].upper() if argv else b""


def text(reply: Reply) -> bytes:
    return reply[1] if isinstance(reply[1], bytes) else b""


def known(version: str, argv: tuple[bytes, ...], ours: Reply, theirs: Reply) -> str | None:
    for reason, applies in KNOWN.get(version, []):
        if applies(argv, ours, theirs):
            return reason
    return None
