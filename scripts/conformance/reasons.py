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


def table(runs: list[UnitRun], reference: dict[str, dict[str, str]]) -> str:
    """Per unit: of the tests the reference passes, how many pass, fail and never ran."""
    lines = [f"{'unit':36} {'baseline':>8} {'passed':>7} {'failed':>7} {'missing':>8} {'deaths':>7}"]
    total = [0, 0, 0, 0, 0]
    for run in runs:
        expected = {t for t, status in reference.get(run.unit, {}).items() if status == "pass"}
        counts = [
            len(expected),
            sum(outcome.status == "pass" for outcome in run.outcomes),
            sum(outcome.status in ("fail", "err") for outcome in run.outcomes),
            sum(outcome.status == "missing" for outcome in run.outcomes),
            len(run.deaths),
        ]
        total = [a + b for a, b in zip(total, counts)]
        lines.append(f"{run.unit:36} {counts[0]:8} {counts[1]:7} {counts[2]:7} {counts[3]:8} {counts[4]:7}")
    lines.append(f"{'all':36} {total[0]:8} {total[1]:7} {total[2]:7} {total[3]:8} {total[4]:7}")
    return "\n".join(lines)


def markdown(runs: list[UnitRun], reference: dict[str, dict[str, str]], verdict: Verdict) -> str:
    """The fragment for the compatibility page: totals per unit, then failing tests by reason."""
    out = ["| unit | reference passes | passed | failed | missing |", "|---|---:|---:|---:|---:|"]
    for run in runs:
        expected = sum(status == "pass" for status in reference.get(run.unit, {}).values())
        count = {s: sum(o.status == s for o in run.outcomes) for s in ("pass", "fail", "err", "missing")}
        out.append(
            f"| {run.unit} | {expected} | {count['pass']} | {count['fail'] + count['err']} | {count['missing']} |"
        )
    out += ["", "| unit | test | outcome | reason |", "|---|---|---|---|"]
    reasons = [(o, reason) for o, reason in verdict.explained]
    reasons += [(o, f"UNEXPLAINED: {o.text[:160]}") for o in verdict.unexplained]
    for outcome, reason in sorted(reasons, key=lambda pair: (pair[0].unit, pair[0].test)):
        cells = [outcome.unit, outcome.test, outcome.status, reason]
        out.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join(out) + "\n"
