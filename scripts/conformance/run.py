"""Judges a server by what others wrote: `make conformance`.

    python3 scripts/conformance/run.py                         every suite
    python3 scripts/conformance/run.py --suite tcl --unit unit/scan
    python3 scripts/conformance/run.py --target redis          the same on Redis 7.4.1: judges the suites
    python3 scripts/conformance/run.py --server /usr/bin/redis-server
    python3 scripts/conformance/run.py --suite diff --seed 7 --commands 20000

Each suite is a function from the arguments to "is it as expected"; what it needs is fetched under
`.cache/` first. A suite whose tool is not on the machine says so and is left out of the verdict.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from pathlib import Path

import differential
import exchange
import fetch
import reasons
import tcl_suite
import tools
import whole_files
from servers import Server, ServerFailed, binary_version

HERE = Path(__file__).resolve().parent
OUT = fetch.CACHE / "conformance"
CANDIDATE = fetch.REPO / "target" / "release" / "stoa-server"


class Skipped(Exception):
    """The suite cannot run here; the text says what is missing and how to get it."""


def reference_server() -> str:
    found = shutil.which("redis-server")
    if not found:
        raise Skipped("no redis-server on this machine; on Debian: apt-get install redis-server")
    return found


FRAGMENT = Path(__file__).parents[2] / "crates/commands/tests/reference/suite.md"


def suite_tcl(options: argparse.Namespace) -> bool:
    if not shutil.which("tclsh"):
        raise Skipped("tclsh is missing; on Debian: apt-get install tcl")
    runs, reference = [], {}
    for plan in plans(options):
        baseline = tcl_suite.read_baseline(plan.profile)
        for run in tcl_suite.run_all(options.server, plan, options.unit):
            reference[run.unit] = baseline.get(run.unit, {})
            tcl_suite.add_missing(run, reference[run.unit])
            runs.append(run)
    verdict = reasons.judge(runs, reasons.read(), reference)
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "tcl.json").write_text(json.dumps(tcl_suite.as_json(runs), indent=1))
    fragment = reasons.markdown(runs, verdict)
    (OUT / "tcl.md").write_text(fragment)
    if options.record_fragment and not options.unit and not options.milestone:
        FRAGMENT.write_text(fragment)
    print(reasons.table(runs, verdict))
    by_reason: dict[str, int] = {}
    for _, reason in verdict.explained:
        by_reason[reason] = by_reason.get(reason, 0) + 1
    for reason, count in sorted(by_reason.items(), key=lambda pair: -pair[1]):
        print(f"  explained {count:4}: {reason}")
    for outcome in verdict.unexplained:
        text = " ".join(outcome.text.split())[:400]
        print(f"UNEXPLAINED {outcome.unit} | {' '.join(outcome.test.split())} | {outcome.status} | {text}")
    for rule in verdict.stale:
        print(f"STALE reasons.tsv:{rule.line}: {rule.unit} | {rule.test} passes now: remove the line")
    for run in runs:
        for death in run.deaths:
            print(f"DEATH in {run.unit}: {death[:600]}")
    print(f"results: {OUT / 'tcl.json'}, {OUT / 'tcl.md'}")
    return not verdict.unexplained and not any(run.deaths for run in runs)


def plans(options: argparse.Namespace) -> list[tcl_suite.Milestone]:
    """The milestones asked for; a unit that none of them has is an error, not an empty run."""
    chosen = tcl_suite.milestones(options.milestone)
    known = {unit for plan in chosen for unit, _ in plan.tasks()}
    for unit in options.unit or []:
        if unit not in known:
            raise SystemExit(f"no milestone has {unit}; add it to milestones.toml. There are: {', '.join(sorted(known))}")
    return chosen


def record_baseline(options: argparse.Namespace) -> int:
    """Runs the milestones on the reference and writes what it said into `baseline.tsv`."""
    binary = reference_server()
    runs = []
    for plan in plans(options):
        print(f"{plan.name} on {binary}:")
        runs += [(plan.profile, run) for run in tcl_suite.run_all(binary, plan, options.unit)]
    tcl_suite.write_baseline(runs, binary_version(binary))
    failing = [outcome for _, run in runs for outcome in run.outcomes if outcome.status != "pass"]
    for outcome in failing:
        print(f"  {outcome.unit} | {outcome.test} | {outcome.status} | {outcome.text[:200]}")
    print(f"wrote {tcl_suite.BASELINE}")
    return 0


def suite_diff(options: argparse.Namespace) -> bool:
    """Against the version aimed at, and against the one everybody has."""
    good = True
    # Redis is not asked what its versions disagree on.
    for reference in options.reference or (["7.4"] if options.target == "redis" else ["7.4", "7.0"]):
        if reference == "7.0":
            reference_server()
        groups = options.groups.split(",")
        good &= differential.run(options.server, reference, options.seed, options.commands, groups, 30, None)
    return good


def suite_exchange(options: argparse.Namespace) -> bool:
    """DUMP here, RESTORE there, and back."""
    good = True
    for reference in ("7.4", "7.0"):
        if reference == "7.0":
            reference_server()
        good &= exchange.run(options.server, reference, options.seed, 400)
    return good


def suite_files(options: argparse.Namespace) -> bool:
    """Snapshots of real servers through the library and back."""
    if options.target == "redis":
        raise Skipped("it judges the library, and the target is another server")
    good = True
    for reference in ("7.4", "7.0"):
        if reference == "7.0":
            reference_server()
        for seed in range(options.seed, options.seed + 3):
            good &= whole_files.run(str(whole_files.tool_path()), reference, seed, 200)
    return good


def suite_redis_py(options: argparse.Namespace) -> bool:
    python = fetch.python_with(fetch.REDIS_PY)
    return client_script(options, [str(python), str(HERE / "client_redis_py.py")], [])


def suite_ioredis(options: argparse.Namespace) -> bool:
    if not shutil.which("node"):
        raise Skipped("node is missing; install Node.js")
    modules = fetch.node_with(fetch.IOREDIS) / "node_modules"
    return client_script(options, ["node", str(HERE / "client_ioredis.mjs")], [str(modules)])


def client_script(options: argparse.Namespace, command: list[str], rest: list[str]) -> bool:
    """Runs a client's script on a fresh server; a line "FAIL ..." is a finding, as is a bad end."""
    with Server(options.server) as server:
        done = tools.run([*command, str(server.port), *rest], deadline_s=300)
        alive = server.alive()
        log = server.log_tail()
    lines = done.out.split("\n")
    for line in lines:
        if line.startswith("FAIL"):
            print(line)
    print(f"{sum(line.startswith('ok ') for line in lines)} passed, {sum(line.startswith('FAIL') for line in lines)} failed")
    if not alive:
        print(f"DEATH of the server: {log}")
    if done.code != 0 and not any(line.startswith("FAIL") for line in lines):
        print(f"the script ended badly: {done}")
    return done.code == 0 and alive


def tool_results(results: list[tuple[str, str]]) -> bool:
    for name, wrong in results:
        if wrong:
            print(f"FAIL {name}: {wrong}")
    failed = sum(bool(wrong) for _, wrong in results)
    print(f"{len(results) - failed} passed, {failed} failed")
    return failed == 0


def suite_cli(options: argparse.Namespace) -> bool:
    if not shutil.which("redis-cli"):
        raise Skipped("redis-cli is missing; on Debian: apt-get install redis-tools")
    return tool_results(tools.check_cli(options.server))


def suite_benchmark(options: argparse.Namespace) -> bool:
    if not shutil.which("redis-benchmark"):
        raise Skipped("redis-benchmark is missing; on Debian: apt-get install redis-tools")
    return tool_results(tools.check_benchmark(options.server))


def suite_memtier(options: argparse.Namespace) -> bool:
    results = tools.check_memtier(options.server)
    if results is None:
        raise Skipped("memtier_benchmark is not installed and Debian has no package of it; put it on PATH")
    return tool_results(results)


SUITES = {
    "tcl": suite_tcl,
    "diff": suite_diff,
    "exchange": suite_exchange,
    "files": suite_files,
    "redis-py": suite_redis_py,
    "ioredis": suite_ioredis,
    "redis-cli": suite_cli,
    "redis-benchmark": suite_benchmark,
    "memtier": suite_memtier,
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--suite", action="append", choices=[*SUITES, "all"], help="default: all; of Redis all but tcl")
    parser.add_argument("--target", choices=["self", "redis"], default=os.environ.get("TARGET") or "self",
                        help="whom to judge: our release build, or Redis 7.4.1 itself, which must pass what we must")
    parser.add_argument("--server", default=os.environ.get("STOA_SERVER"), help="judge this program instead")
    parser.add_argument("--milestone", action="append", default=[],
                        help="units and flags of milestones.toml; may be repeated; default: all")
    parser.add_argument("--unit", action="append", help="only this unit of the Tcl suite; may be repeated")
    parser.add_argument("--record-fragment", action="store_true",
                        help="keep the report of all Tcl units for docs/COMPATIBILITY.md (then run `make docs`)")
    parser.add_argument("--record-baseline", action="store_true", help="run the reference, write baseline.tsv")
    parser.add_argument("--seed", type=int, default=1, help="of the random programs")
    parser.add_argument("--commands", type=int, default=20_000, help="how many random commands")
    parser.add_argument("--groups", default=",".join(differential.DEFAULT_GROUPS), help="of the random programs")
    parser.add_argument("--reference", action="append", help="7.4, 7.0 or a path; default: 7.4 and 7.0")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    if options.record_baseline:
        return record_baseline(options)
    options.server = options.server or (str(fetch.redis_7_4()) if options.target == "redis" else str(CANDIDATE))
    if not shutil.which(options.server):
        print(f"no server at {options.server}; build it (cargo build --release) or give --server PATH")
        return 2
    options.server = os.path.abspath(shutil.which(options.server))
    print(f"server: {options.server}: {binary_version(options.server)}")
    wanted = options.suite or ["all"]
    names = list(SUITES) if "all" in wanted else wanted
    if options.target == "redis" and not options.suite:
        # Those tests are of Redis itself, of an older version, and the reasons kept are ours.
        names.remove("tcl")
    verdicts = {}
    for name in names:
        print(f"== {name}", flush=True)
        began = time.monotonic()
        try:
            verdicts[name] = "ok" if SUITES[name](options) else "FAILED"
        except Skipped as why:
            verdicts[name] = f"skipped: {why}"
        except (fetch.FetchFailed, ServerFailed) as error:
            verdicts[name] = f"FAILED: {error}"
        print(f"== {name}: {verdicts[name]} ({time.monotonic() - began:.0f} s)", flush=True)
    print("\n".join(["", *(f"{name:16} {verdict}" for name, verdict in verdicts.items())]))
    return 1 if any(verdict.startswith("FAILED") for verdict in verdicts.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
