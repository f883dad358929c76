"""Runs units of the reference Tcl suite against one server and says what became of each test.

Every unit gets a fresh server and a process of its own (two units on one server give false
failures), with `shim.tcl` inserted, which keeps the unit going after an exception. A unit that makes
no progress is stuck on a socket the shim does not watch: its server is shot, the supervisor starts
the next one, and the unit goes on.
"""

from __future__ import annotations

import base64
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
import tomllib
from dataclasses import asdict, dataclass, field
from pathlib import Path

import fetch
from servers import ServerFailed, Supervised

HERE = Path(__file__).resolve().parent
BASELINE = HERE / "baseline.tsv"
PROFILES = tuple(tomllib.loads((HERE / "milestones.toml").read_text())["profiles"])
REPLY_DEADLINE_MS = 20_000
"""Far above any reply of a healthy server on a busy machine, and what a lost reply costs."""
STALL_S = 300.0
"""Longest silence of a unit: far above the slowest test of the reference on a busy machine."""
UNIT_S = 900.0
MARK = "if {$::client} {"
"""The line of the suite's entry file before which the shim is sourced."""


@dataclass
class Outcome:
    unit: str
    test: str
    status: str
    """pass, fail (an assertion), err (an exception), missing (the reference ran it, we did not)."""
    text: str = ""
    ms: int = 0


@dataclass
class UnitRun:
    unit: str
    outcomes: list[Outcome] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    body: list[str] = field(default_factory=list)
    """Exceptions between tests, which cost the tests behind them their setup."""
    deaths: list[str] = field(default_factory=list)
    seconds: float = 0.0
    ended: bool = False


@dataclass(frozen=True)
class Milestone:
    name: str
    profile: str
    flags: tuple[str, ...]
    deny: tuple[str, ...]
    units: tuple[str, ...]
    native: tuple[str, ...]


    def tasks(self) -> list[tuple[str, bool]]:
        """Units and whether they run natively."""
        return [(unit, False) for unit in self.units] + [(unit, True) for unit in self.native]


def milestones(wanted: list[str], path: Path = HERE / "milestones.toml") -> list[Milestone]:
    """The named milestones, or all; a unit of two of them with one profile stays in the first."""
    table = tomllib.loads(path.read_text())
    plans, seen = [], set()
    for name in wanted or table["milestones"]:
        if name not in table["milestones"]:
            raise SystemExit(f"no milestone {name}; there are: {', '.join(table['milestones'])}")
        entry = table["milestones"][name]
        profile = table["profiles"][entry["profile"]]

        def first(units: list[str], native: bool) -> tuple[str, ...]:
            fresh = [unit for unit in units if (unit, native) not in seen]
            seen.update((unit, native) for unit in fresh)
            return tuple(fresh)

        plans.append(Milestone(
            name, entry["profile"], tuple(profile["flags"]), tuple(profile["deny"]),
            first(entry["units"], False), first(entry["native"], True),
        ))
    return plans


def label(unit: str, native: bool) -> str:
    """How a unit is called in tables: the same file may run in both modes."""
    return f"{unit} (native)" if native else unit


def workspace(binary: str) -> Path:
    """A copy of the suite whose `src/` holds the binaries under test, shim in place."""
    suite = fetch.reference_suite()
    parent = fetch.CACHE / "conformance"
    parent.mkdir(parents=True, exist_ok=True)
    root = Path(tempfile.mkdtemp(prefix="suite-", dir=parent))
    shutil.copytree(suite / "tests", root / "tests")
    (root / "tests" / "tmp").mkdir(exist_ok=True)
    (root / "src").mkdir()
    (root / "src" / "redis-server").symlink_to(os.path.abspath(binary))
    for tool in ("redis-cli", "redis-benchmark", "redis-check-aof", "redis-check-rdb"):
        found = shutil.which(tool)
        if found:
            (root / "src" / tool).symlink_to(found)
    for extra in ("redis.conf", "utils"):
        if (suite / extra).exists():
            (root / extra).symlink_to(suite / extra)
    entry = root / "tests" / "test_helper.tcl"
    text = entry.read_text(encoding="utf-8")
    assert text.count(MARK) == 1, f"the suite has no single line {MARK!r}: look where to source the shim"
    entry.write_text(text.replace(MARK, f"source {HERE / 'shim.tcl'}\n{MARK}"), encoding="utf-8")
    return root


def parse_line(line: str) -> tuple[str, list[str]]:
    """One line of the shim's result file: the kind and its fields."""
    kind, *fields = line.rstrip("\n").split("\t")
    return kind, [base64.b64decode(f).decode("utf-8", "replace") for f in fields]


class Reader:
    """Folds the shim's lines into a `UnitRun`; what was begun and never ended is a hung test."""

    def __init__(self, unit: str):
        self.run = UnitRun(unit)
        self.current: str | None = None
        self.pids: list[int] = []

    def feed(self, line: str) -> None:
        kind, fields = parse_line(line)
        if kind == "begin":
            self.close("the test ended without a result")
            self.current = fields[0]
        elif kind in ("pass", "fail", "err"):
            name, ms, text = fields
            self.current = None
            self.run.outcomes.append(Outcome(self.run.unit, name, kind, text, int(ms)))
        elif kind == "skip":
            self.run.skipped.append(fields[0])
        elif kind == "body":
            self.run.body.append(fields[0])
        elif kind == "pid":
            self.pids.append(int(fields[0]))
        elif kind == "done":
            self.run.ended = True

    def close(self, why: str) -> None:
        if self.current is not None:
            self.run.outcomes.append(Outcome(self.run.unit, self.current, "err", why))
            self.current = None


def run_unit(root: Path, binary: str, unit: str, flags: list[str], native: bool) -> UnitRun:
    reader = Reader(label(unit, native))
    results = root / f"results-{unit.replace('/', '-')}-{'native' if native else 'external'}"
    results.touch()
    server = None
    began = time.monotonic()
    try:
        where: list[str] = []
        if not native:
            server = Supervised(binary)
            try:
                server.start()
            except ServerFailed as error:
                reader.run.body.append(str(error))
                reader.run.deaths.append(str(error))
                return reader.run
            where = ["--host", "127.0.0.1", "--port", str(server.port)]
        environment = dict(
            os.environ, STOA_RESULTS=str(results), STOA_REPLY_DEADLINE_MS=str(REPLY_DEADLINE_MS)
        )
        if native:
            # Two runs next door must not look for ports in one place.
            where = ["--baseport", str(random.SystemRandom().randrange(200, 320) * 100), "--portcount", "100"]
        command = ["tclsh", "tests/test_helper.tcl", "--single", unit, *where, *flags]
        with open(str(results) + ".log", "wb") as log:
            process = subprocess.Popen(
                command, cwd=root, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )
        try:
            follow(process, results, reader, server)
        finally:
            kill_group(process.pid)
            process.wait()
            for pid in reader.pids:
                kill_suite_server(pid, root)
        reader.close("the unit ended inside this test")
        if not reader.run.ended:
            tail = Path(str(results) + ".log").read_text(errors="replace")[-400:]
            reader.run.body.append(f"the unit did not reach its end: {tail}")
    finally:
        if server:
            server.close()
            reader.run.deaths += [f"status {status}: {said[-600:]}" for status, said in server.deaths]
        reader.run.seconds = time.monotonic() - began
    return reader.run


def follow(process: subprocess.Popen, results: Path, reader: Reader, server: Supervised | None) -> None:
    """Reads outcomes as they come; breaks a stall by shooting the server, then the unit."""
    began = last = time.monotonic()
    shots = deaths = 0
    with open(results, encoding="ascii") as lines:
        partial = ""
        while True:
            line = lines.readline()
            if line:
                partial += line
                if partial.endswith("\n"):
                    if server and len(server.deaths) - shots > deaths:
                        deaths = len(server.deaths) - shots
                        reader.run.deaths.append(f"around test: {reader.current}")
                    reader.feed(partial)
                    partial = ""
                    last = time.monotonic()
                continue
            if process.poll() is not None:
                if not lines.readline():
                    return
                continue
            now = time.monotonic()
            if now - began > UNIT_S:
                reader.close(f"the unit took more than {UNIT_S:.0f} s")
                return
            if now - last > STALL_S:
                reader.close(f"no progress for {STALL_S:.0f} s")
                if server is None or shots == 3:
                    return
                shots += 1
                server.shoot()
                last = now
            time.sleep(0.02)


def kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def kill_suite_server(pid: int, root: Path) -> None:
    """Ends a server the suite started, if it is still that server and no other's process."""
    try:
        here = os.readlink(f"/proc/{pid}/cwd")
        if here.startswith(str(root)):
            os.kill(pid, signal.SIGKILL)
    except OSError:
        pass


# ------------------------------------------------------------------------------------- baseline


def read_baseline(profile: str, path: Path = BASELINE) -> dict[str, dict[str, str]]:
    """unit -> test -> status on the reference, as recorded with the flags of `profile`."""
    table: dict[str, dict[str, str]] = {}
    if not path.exists():
        return table
    for line in path.read_text(encoding="utf-8").split("\n"):
        if not line or line.startswith("#"):
            continue
        profiles, unit, status, test = line.split("\t")
        if profile in profiles.split(","):
            table.setdefault(unit, {})[unescape(test)] = status
    return table


def write_baseline(runs: list[tuple[str, UnitRun]], head: str, path: Path = BASELINE) -> None:
    """Puts runs, each with the name of its profile, in the place of older ones in the table."""
    fresh = {(profile, run.unit) for profile, run in runs}
    rows: dict[tuple[str, str, str], set[str]] = {}
    for profile in PROFILES:
        for unit, tests in read_baseline(profile, path).items():
            if (profile, unit) not in fresh:
                for test, status in tests.items():
                    rows.setdefault((unit, status, test), set()).add(profile)
    for profile, run in runs:
        for outcome in run.outcomes:
            rows.setdefault((run.unit, outcome.status, outcome.test), set()).add(profile)
    with open(path, "w", encoding="utf-8") as out:
        out.write("# The tests the reference ran, and how: written by `run.py --record-baseline`.\n")
        out.write(f"# {head}\n# profiles\tunit\tstatus\ttest\n")
        for (unit, status, test), profiles in rows.items():
            out.write(f"{','.join(sorted(profiles))}\t{unit}\t{status}\t{escape(test)}\n")


def escape(name: str) -> str:
    return name.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")


def unescape(name: str) -> str:
    out, rest = [], iter(name)
    for char in rest:
        out.append({"t": "\t", "n": "\n"}.get(nxt, nxt) if char == "\\" and (nxt := next(rest, "")) else char)
    return "".join(out)


def add_missing(run: UnitRun, expected: dict[str, str]) -> None:
    """Baseline tests that never ran are findings too; the last exception between tests says why."""
    ran = {outcome.test for outcome in run.outcomes}
    why = "; ".join(run.body[-2:]) or "no exception was seen"
    for test, status in expected.items():
        if test not in ran and status == "pass":
            run.outcomes.append(Outcome(run.unit, test, "missing", f"never ran: {why}"))


def run_all(binary: str, plan: Milestone, units: list[str] | None, progress=print) -> list[UnitRun]:
    root = workspace(binary)
    flags = list(plan.flags)
    if plan.deny:
        flags += ["--tags", " ".join(f"-{tag}" for tag in plan.deny)]
    todo = [(unit, native) for unit, native in plan.tasks() if not units or unit in units]
    runs = []
    try:
        for unit, native in todo:
            run = run_unit(root, binary, unit, flags, native)
            runs.append(run)
            bad = sum(outcome.status != "pass" for outcome in run.outcomes)
            progress(
                f"  {run.unit}: {len(run.outcomes) - bad} passed, {bad} failed, {run.seconds:.0f} s"
                + (f", the server died {len(run.deaths)}x" if run.deaths else "")
            )
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return runs


def as_json(runs: list[UnitRun]) -> list[dict]:
    return [asdict(run) for run in runs]
