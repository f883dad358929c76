"""Makes a failing program small: fewer steps first, then shorter words.

Pure: it is given a predicate "does this program still fail the same way" and a budget of tries, because
each try runs on two servers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from grammar import Step

Fails = Callable[[list[Step]], bool]


class Budget:
    def __init__(self, tries: int):
        self.left = tries

    def spend(self) -> bool:
        self.left -= 1
        return self.left >= 0


def shrink(steps: list[Step], fails: Fails, tries: int = 400) -> list[Step]:
    """The smallest program found; `steps` is known to fail, with the failing step last."""
    budget = Budget(tries)
    steps = last_few(steps, fails, budget)
    steps = fewer(steps, fails, budget)
    steps = one_connection(steps, fails, budget)
    steps = plainer(steps, fails, budget)
    steps = fewer_bytes(steps, fails, budget)
    return fewer(steps, fails, budget)


def last_few(steps: list[Step], fails: Fails, budget: Budget) -> list[Step]:
    """Most failures need only what came just before: try ever longer tails."""
    length = 1
    while length < len(steps) and budget.spend():
        if fails(steps[-length:]):
            return steps[-length:]
        length *= 2
    return steps


def fewer(steps: list[Step], fails: Fails, budget: Budget) -> list[Step]:
    """Removes ever smaller pieces while the rest still fails."""
    size = max(1, len(steps) // 2)
    while True:
        at = 0
        removed = False
        while at < len(steps) and len(steps) > 1:
            shorter = steps[:at] + steps[at + size :]
            if shorter and budget.spend() and fails(shorter):
                steps = shorter
                removed = True
            else:
                at += size
        if size == 1 and not removed or budget.left <= 0:
            return steps
        size = max(1, size // 2)


def one_connection(steps: list[Step], fails: Fails, budget: Budget) -> list[Step]:
    single = [replace(step, conn=0) for step in steps]
    return single if single != steps and budget.spend() and fails(single) else steps


def plainer(steps: list[Step], fails: Fails, budget: Budget) -> list[Step]:
    """Drops words and replaces those left by the plainest that still fail."""
    for at in range(len(steps)):
        word = len(steps[at].argv) - 1
        while word >= 1 and steps[at].kind == "call":
            argv = steps[at].argv
            for other in candidates(argv, word):
                trial = [*steps[:at], replace(steps[at], argv=other), *steps[at + 1 :]]
                if not budget.spend():
                    return steps
                if fails(trial):
                    steps = trial
                    break
            word -= 1
    return steps


def fewer_bytes(steps: list[Step], fails: Fails, budget: Budget) -> list[Step]:
    """Of raw bytes: in one piece, and with as few lines as still fail."""
    for at, step in enumerate(steps):
        if step.kind != "raw":
            continue

        def with_lines(lines: list[bytes], at: int = at, step: Step = step) -> list[Step]:
            return [*steps[:at], replace(step, argv=(b"".join(lines),)), *steps[at + 1 :]]

        lines = b"".join(step.argv).splitlines(keepends=True)
        if not budget.spend() or not fails(with_lines(lines)):
            continue
        line = len(lines) - 1
        while line >= 0:
            shorter = lines[:line] + lines[line + 1 :]
            if shorter and budget.spend() and fails(with_lines(shorter)):
                lines = shorter
            line -= 1
        steps = with_lines(lines)
    return steps


def candidates(argv: tuple[bytes, ...], at: int) -> list[tuple[bytes, ...]]:
    """Programs with the word at `at` gone, or plainer, plainest first."""
    before, word, after = argv[:at], argv[at], argv[at + 1 :]
    out = [before + after]
    for plain in (b"a", b"0", b"1", word[: len(word) // 2], word[1:], word[:-1]):
        if plain != word and (len(plain), plain) < (len(word), word):
            out.append(before + (plain,) + after)
    return out
