"""Whole files go from a server to the library and back, and must arrive as they were.

    python3 scripts/conformance/whole_files.py --seed 1 --values 200 [--tool PATH] [--reference 7.4]

Random values of every type, in several databases, and a library of functions are made on a real server, which saves them.
The example `snapshot` of the crate `stoa` loads the file, says its digest, and writes it anew, in the oldest version that
holds what there is. A second real server of the kind starts with what was written: digests, and what they leave out,
are compared. With 7.0 every second seed makes no consumers of streams, whose file 7.0 refuses as it is newer.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import fetch
from exchange import LIMITS, Maker, Side
from resp import Broken, show
from servers import ServerFailed

CODE = b"#!lua name=mine\nredis.register_function('one', function() return 1 end)"
DATABASES = 3
TOOL_DEADLINE_S = 120


def tool_path() -> Path:
    """The example, built if it is not there."""
    tool = fetch.REPO / "target/release/examples/snapshot"
    if not tool.exists():
        subprocess.run(["cargo", "build", "--release", "-p", "stoa", "--example", "snapshot"], cwd=fetch.REPO, check=True)
    return tool


def fill(side: Side, seed: int, values: int, new: bool, with_groups: bool) -> list[list[bytes]]:
    """Makes values; gives the keys of each database."""
    side.call("FUNCTION", "LOAD", CODE)
    for number in range(values):
        rng = random.Random(seed * 1_000_003 + number)
        if number % 20 == 0:
            for name, choices in LIMITS:
                side.call("CONFIG", "SET", name, str(rng.choice(choices)))
        side.call("SELECT", str(number % DATABASES))
        for argv in Maker(rng, new).make(b"k%d" % number):
            if with_groups or argv[0] not in (b"XGROUP", b"XREADGROUP", b"XACK"):
                side.call(*argv)
    keys = []
    for index in range(DATABASES):
        side.call("SELECT", str(index))
        keys.append(sorted(content for _, content in side.call("KEYS", "*")[1]))
    return keys


def facts(side: Side, keys: list[list[bytes]], new: bool) -> list[object]:
    """What there is, with what a digest leaves out."""
    found: list[object] = [side.call("DEBUG", "DIGEST")[1], side.call("FCALL", "one", "0")[1]]
    for index, names in enumerate(keys):
        side.call("SELECT", str(index))
        found.append((index, side.call("DBSIZE")[1]))
        for key in names:
            found.append((index, key, side.call("PEXPIRETIME", key)[1], side.facts(key, new)))
    return found


def take_over(tool: str, directory: Path) -> bytes:
    """What the library says of the snapshot in `directory`, which it has written anew then."""
    ran = subprocess.run([tool, str(directory)], capture_output=True, timeout=TOOL_DEADLINE_S, check=False)
    if ran.returncode != 0:
        return b"failed: " + ran.stderr
    return ran.stdout


def compare(said: bytes, before: list[object]) -> str:
    lines = said.decode().splitlines()
    told = {line.split()[0]: line.split()[1].encode() for line in lines if len(line.split()) == 2}
    if told.get("digest") != before[0]:
        return f"the server's digest is {before[0]!r}, the library says {said[:400]!r}"
    sizes = {f"db{entry[0]}": entry[1] for entry in before if isinstance(entry, tuple) and len(entry) == 2}
    sizes = {name: size for name, size in sizes.items() if size != b"0"}
    told.pop("digest")
    return "" if sizes == told else f"the server has {sizes!r}, the library {told!r}"


def goes_back(binary: str, reference: str, snapshot: Path, keys: list[list[bytes]], before: list[object]) -> str:
    """What is wrong on a server that starts with our file."""
    side = Side(reference, binary, snapshot)
    try:
        after = facts(side, keys, reference == "7.4")
        wrong = [f"{old!r} became {new!r}" for old, new in zip(before, after, strict=True) if old != new]
        return wrong[0][:1500] if wrong else ""
    finally:
        side.close()


def is_refused(binary: str, reference: str, snapshot: Path) -> str:
    try:
        Side(reference, binary, snapshot).close()
    except ServerFailed as error:
        return "" if "Can't handle RDB format version 11" in str(error) else f"it says {error}"
    return f"{reference} takes a file of version 11"


def run(tool: str, reference: str, seed: int, values: int) -> bool:
    """One file there and back; true if nothing was lost."""
    new = reference == "7.4"
    binary = str(fetch.redis_7_4()) if new else "/usr/bin/redis-server"
    directory = Path(tempfile.mkdtemp(prefix="stoa-whole-"))
    snapshot = directory / "dump.rdb"
    try:
        theirs = Side(reference, binary)
        try:
            with_groups = new or seed % 2 == 0
            keys = fill(theirs, seed, values, new, with_groups)
            before = facts(theirs, keys, new)
            saved = theirs.call("SAVE")
            if saved != ("+", b"OK"):
                print(f"FAIL SAVE of {reference} says {show(saved)}")
                return False
            shutil.copy(theirs.server.dir / "dump.rdb", snapshot)
        finally:
            theirs.close()
        wrong = compare(take_over(tool, directory), before)
        if not wrong:
            if new or not with_groups:
                wrong = goes_back(binary, reference, snapshot, keys, before)
            else:
                wrong = is_refused(binary, reference, snapshot)
        print(f"FAIL file of seed {seed} with {reference}: {wrong}" if wrong else
              f"a file of {sum(map(len, keys))} keys exchanged with {reference}, seed {seed}")
        return not wrong
    except Broken as error:
        print(f"FAIL with {reference}: {error}")
        return False
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", help="the built example `snapshot`; default: target/release, built if missing")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--values", type=int, default=200)
    parser.add_argument("--reference", action="append", choices=["7.4", "7.0"], help="default: both")
    options = parser.parse_args()
    try:
        tool = os.path.abspath(options.tool or tool_path())
        verdicts = [run(tool, name, options.seed, options.values) for name in options.reference or ["7.4", "7.0"]]
    except (fetch.FetchFailed, ServerFailed, subprocess.SubprocessError) as error:
        print(error)
        return 2
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
