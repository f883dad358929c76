"""Why a test of the reference suite fails: the hand-kept `reasons.tsv`, applied to a run.

A rule names a unit and a test (exact, `*`, or `/regex/`) and may ask for a regex in the failure text, so
that one line explains a class ("unknown command 'RPUSH'"). First match wins, so exact rules stand
above classes. A failure no rule explains makes the run fail; a rule whose test passes is stale.
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass, field
from pathlib import Path

from tcl_suite import Outcome, UnitRun, unescape

REASONS = Path(__file__).resolve().parent / "reasons.tsv"

NOT_OURS = ("needs ", "since 7.", "fails on the reference", "a fault of the test", "of Debian")
"""How a reason begins that says: this test does not apply. It asks for a feature that is not there yet, for what newer
versions of Redis do otherwise, or for what is none of Redis. All other reasons admit a difference."""


@dataclass
class Rule:
    unit: str
    test: str
    text: str
    reason: str
    line: int
    used: int = 0

    def exact(self) -> bool:
        return self.test != "*" and not self.test.startswith("/")

    def names(self, outcome: Outcome) -> bool:
        if not fnmatch.fnmatchcase(outcome.unit, self.unit):
            return False
        if self.test == "*":
            return True
        if self.test.startswith("/"):
            return re.search(self.test.strip("/"), outcome.test) is not None
        return unescape(self.test) == outcome.test

    def explains(self, outcome: Outcome) -> bool:
        return self.names(outcome) and (
            not self.text or re.search(self.text, outcome.text, re.IGNORECASE) is not None
        )


@dataclass
class Verdict:
    explained: list[tuple[Outcome, str]] = field(default_factory=list)
    unexplained: list[Outcome] = field(default_factory=list)
    stale: list[Rule] = field(default_factory=list)

    def not_applying(self, unit: str) -> int:
        """How many tests of a unit fail for a reason that is not ours."""
        return sum(o.unit == unit and reason.startswith(NOT_OURS) for o, reason in self.explained)


def read(path: Path = REASONS) -> list[Rule]:
    rules = []
    if not path.exists():
        return rules
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if not line.strip() or line.startswith("#"):
            continue
        cells = line.split("\t")
        if len(cells) != 4:
            raise SystemExit(f"{path.name}:{number}: want unit, test, text, reason split by tabs")
        rules.append(Rule(*cells, line=number))
    return rules


def judge(runs: list[UnitRun], rules: list[Rule], reference: dict[str, dict[str, str]]) -> Verdict:
    """Sorts failures into explained and not. What fails on the reference as well is explained by that."""
    verdict = Verdict()
    passed: list[Outcome] = []
    for run in runs:
        for outcome in run.outcomes:
            if outcome.status == "pass":
                passed.append(outcome)
                continue
            rule = next((rule for rule in rules if rule.explains(outcome)), None)
            if rule:
                rule.used += 1
                verdict.explained.append((outcome, rule.reason))
            elif reference.get(run.unit, {}).get(outcome.test) in ("fail", "err"):
                verdict.explained.append((outcome, "fails on the reference as well"))
            else:
                verdict.unexplained.append(outcome)
    verdict.stale = [
        rule for rule in rules
        if rule.exact() and not rule.used and any(rule.names(outcome) for outcome in passed)
    ]
    return verdict


def counts(run: UnitRun, verdict: Verdict) -> tuple[int, int, int, int, int]:
    """Of one unit: tests that apply, passed, failed though they apply, never ran, and all."""
    passed = sum(outcome.status == "pass" for outcome in run.outcomes)
    missing = sum(outcome.status == "missing" for outcome in run.outcomes)
    applies = len(run.outcomes) - verdict.not_applying(run.unit)
    return applies, passed, applies - passed, missing, len(run.outcomes)


def share(passed: int, applies: int) -> str:
    return f"{100 * passed / applies:.1f} %" if applies else ""


def table(runs: list[UnitRun], verdict: Verdict) -> str:
    """Per unit: of the tests that apply, how many pass."""
    lines = [f"{'unit':36} {'tests':>6} {'apply':>6} {'passed':>7} {'failed':>7} {'share':>8} {'deaths':>7}"]
    total = [0, 0, 0, 0, 0]
    for run in runs:
        applies, passed, failed, _, all_of = counts(run, verdict)
        row = [all_of, applies, passed, failed, len(run.deaths)]
        total = [a + b for a, b in zip(total, row)]
        lines.append(f"{run.unit:36} {row[0]:6} {row[1]:6} {row[2]:7} {row[3]:7} {share(passed, applies):>8} {row[4]:7}")
    lines.append(f"{'all':36} {total[0]:6} {total[1]:6} {total[2]:7} {total[3]:7} {share(total[2], total[1]):>8} {total[4]:7}")
    return "\n".join(lines)


def markdown(runs: list[UnitRun], verdict: Verdict) -> str:
    """The fragment for the compatibility page: totals per unit, then failing tests by reason."""
    out = [
        "A test *applies* unless it asks for a feature that is still to come, or for what newer versions of Redis than the",
        "suite's (7.0) do otherwise; its reason says which.", "",
        "| unit | tests | apply | passed | failed | share |", "|---|---:|---:|---:|---:|---:|",
    ]
    total = [0, 0, 0, 0]
    for run in runs:
        applies, passed, failed, _, all_of = counts(run, verdict)
        total = [a + b for a, b in zip(total, (all_of, applies, passed, failed))]
        out.append(f"| {run.unit} | {all_of} | {applies} | {passed} | {failed} | {share(passed, applies)} |")
    out.append(f"| all | {' | '.join(map(str, total))} | {share(total[2], total[1])} |")
    out += ["", "| unit | test | outcome | applies | reason |", "|---|---|---|---|---|"]
    reasons = [(o, reason) for o, reason in verdict.explained]
    reasons += [(o, f"UNEXPLAINED: {o.text[:160]}") for o in verdict.unexplained]
    for outcome, reason in sorted(reasons, key=lambda pair: (pair[0].unit, pair[0].test)):
        applies = "" if reason.startswith(NOT_OURS) else "yes"
        cells = [outcome.unit, outcome.test, outcome.status, applies, reason]
        out.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join(out) + "\n"
