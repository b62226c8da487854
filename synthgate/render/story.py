"""The story every format tells in the same words: the verdict, what matters most, and what is left open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import isnan

from synthgate.findings import CheckResult, Finding, Limit, Outcome, Severity, Status
from synthgate.render.text import TIMES, count, listed, name, plain, sentence
from synthgate.verdict import Verdict, blocks


@dataclass(frozen=True, slots=True)
class Sign:
    """How a status looks: a symbol that needs no colour, and a word."""

    symbol: str
    word: str


SIGNS = {
    Status.ERROR: Sign("‼", "error"),
    Status.FAIL: Sign("✕", "failed"),
    Status.WARN: Sign("!", "warning"),
    Status.INCONCLUSIVE: Sign("?", "not decided"),
    Status.NOT_ASSESSED: Sign("○", "not assessed"),
    Status.PASS: Sign("✓", "passed"),
}
NOT_JUDGED = Sign("·", "not judged")
RANK = {status: at for at, status in enumerate(SIGNS)}
OUTCOMES = {
    Outcome.PASS: Sign("✓", "Pass"),
    Outcome.FAIL: Sign("✕", "Fail"),
    Outcome.INCOMPLETE: Sign("?", "Incomplete"),
}
FAMILIES = {
    "schema": ("Schema", "Is it the right kind of table?"),
    "constraints": ("Constraints", "Do the rules that hold in real data hold here?"),
    "relations": ("Relations", "Do the tables still belong together?"),
    "fidelity": ("Fidelity", "Does it look like the real data?"),
    "coverage": ("Coverage", "Are the rare cases and the extremes there?"),
    "utility": ("Utility", "Do models learn the same from it?"),
    "privacy": ("Privacy", "Does it give away the people behind the real rows?"),
    "sequences": ("Sequences", "Does it behave the same over time?"),
    "review": ("Review", "Has a person looked at it?"),
    "sdmetrics": ("SDMetrics", "What do SDMetrics' own scores say?"),
}
TRIANGLE = ("fidelity", "utility", "privacy")
# A leak cannot be taken back, a broken table cannot be used at all, and a flaw in one column is the least of these.
WEIGHT = ("privacy", "schema", "constraints", "relations", "utility", "fidelity", "sequences", "coverage")


def sign_of(finding: Finding) -> Sign:
    """Return the sign of a finding; one that is only shown has its own."""
    shown_only = not finding.measured.judged and finding.status is Status.PASS
    return NOT_JUDGED if shown_only else SIGNS[finding.status]


def family_title(family: str) -> str:
    """Return a family's name for display."""
    return FAMILIES[family][0] if family in FAMILIES else name(family).capitalize()


def family_question(family: str) -> str:
    """Return what a family asks, in plain words."""
    return FAMILIES[family][1] if family in FAMILIES else ""


def families(verdict: Verdict) -> dict[str, list[CheckResult]]:
    """Return the checks of each family that has any, in the order of the report."""
    grouped: dict[str, list[CheckResult]] = {}
    for check in verdict.checks:
        grouped.setdefault(check.family, []).append(check)
    order = list(FAMILIES)
    names = sorted(grouped, key=lambda f: (order.index(f) if f in order else len(order), f))
    return {family: grouped[family] for family in names}


def worst_status(checks: Iterable[CheckResult]) -> Status:
    """Return the status that matters most among some checks.

    One that was not assessed counts only when it is required, or when there is nothing else: it is
    listed as open all the same.
    """
    states = [check.status for check in checks if check.required or check.status is not Status.NOT_ASSESSED]
    return min(states, key=RANK.__getitem__, default=Status.NOT_ASSESSED)


def counted_word(status: Status, n: int) -> str:
    """Return the word for `n` checks of a status."""
    word = SIGNS[status].word
    return word + "s" if n != 1 and status in (Status.WARN, Status.ERROR) else word


def tally(checks: Iterable[CheckResult]) -> dict[Status, int]:
    """Count the checks by status, worst first, without the states that do not occur."""
    states = [check.status for check in checks]
    return {status: states.count(status) for status in RANK if status in states}


def _weight(check: CheckResult) -> tuple[int, int, int, str]:
    at = WEIGHT.index(check.family) if check.family in WEIGHT else len(WEIGHT)
    return (RANK[check.status], at, -len(check.failed), check.id)


def troubles(verdict: Verdict) -> list[CheckResult]:
    """Return the checks that failed, broke or warn, by how much they matter: those that block go first."""
    bad = [c for c in verdict.checks if c.status in (Status.FAIL, Status.ERROR, Status.WARN)]
    return sorted(bad, key=lambda c: (not blocks(c), *_weight(c)))


def left_open(verdict: Verdict) -> list[CheckResult]:
    """Return the checks that were not assessed or not decided, required ones first."""
    bad = [c for c in verdict.checks if c.status in (Status.NOT_ASSESSED, Status.INCONCLUSIVE)]
    return sorted(bad, key=lambda c: (not c.required, *_weight(c)))


def ranked(findings: Iterable[Finding], each: Limit) -> list[Finding]:
    """Return findings worst first: by status, then by how far they lie on the wrong side."""
    return sorted(findings, key=lambda f: (not f.measured.judged, RANK[f.status], _margin(f, each), _below(f)))


def _margin(finding: Finding, each: Limit) -> float:
    """Return how far a finding lies on the right side of its limit, as a share of the room there is."""
    estimate, limit = finding.measured.estimate, finding.measured.limit or each
    if estimate is None:
        return 0.0
    value, bound, end = estimate.value, 0.0, 1.0
    if limit.max is not None:
        value, bound, end = -estimate.value, -limit.max, 0.0
    elif limit.min is not None:
        bound = limit.min
    elif estimate.position is not None:
        value, bound = estimate.position.value, limit.min_position or 0.0
    margin = (value - bound) / (end - bound if end > bound else 1.0)
    return 0.0 if isnan(margin) else margin


def _below(finding: Finding) -> float:
    """Return how far a finding lies above its floor: it tells those apart that are all as bad as careless ones."""
    e = finding.measured.estimate
    if e is None or e.floor is None or e.ceiling is None or e.ceiling <= e.floor or isnan(e.value):
        return 0.0
    return (e.value - e.floor) / (e.ceiling - e.floor)


def places(findings: Iterable[Finding]) -> list[tuple[str, int]]:
    """Return the columns that findings are about, those of most findings first."""
    counted = Counter(column for finding in findings for column in dict.fromkeys(finding.measured.columns))
    return counted.most_common()


def weakest(checks: Iterable[CheckResult]) -> CheckResult | None:
    """Return the check that pulls its family's score down most: one that fails, where any does by whatever finding."""
    scored = [
        (c.status is not Status.FAIL, c.score.position.value if c.score.position else c.score.value, c)
        for c in checks
        if c.score
    ]
    return min(scored, key=lambda item: item[:2], default=(True, 0.0, None))[2]


def subject(finding: Finding) -> str:
    """Return what a finding is about, in words."""
    measured = finding.measured
    attack = measured.details.get("attack") if not measured.columns else None
    words = f" {TIMES} ".join(name(column) for column in measured.columns)
    words = words or (f"attack {name(attack)}" if isinstance(attack, str) else "whole table")
    return f"{name(measured.table)}: {words}" if measured.table is not None else words


def limit_words(limit: Limit) -> list[str]:
    """Return the bounds of a limit, one short phrase each."""
    out = [f"at least {plain(limit.min)}"] if limit.min is not None else []
    out += [f"at most {plain(limit.max)}"] if limit.max is not None else []
    out += [f"position at least {plain(limit.min_position)}"] if limit.min_position is not None else []
    return out


def opening(verdict: Verdict) -> str:
    """Return the verdict as one sentence: what it means, and on account of what."""
    counted = tally(verdict.checks)
    checks = count(len(verdict.checks), "check")
    these, the = ("these tables", "the tables") if verdict.run.synthetic.tables else ("this table", "the table")
    if verdict.outcome is Outcome.FAIL:
        failed = [check for check in troubles(verdict) if blocks(check)]
        where = listed(list(dict.fromkeys(family_title(check.family).lower() for check in failed)), 6)
        verb = "fails" if len(failed) == 1 else "fail"
        return f"Do not use {these} in place of the real one yet: {len(failed):,} of {checks} {verb}, in {where}."
    if verdict.outcome is Outcome.INCOMPLETE:
        needed = [check for check in left_open(verdict) if check.required]
        if not needed:
            return f"Not decided: nothing fails, but the rows decide nothing beyond the form of {the}; give more rows."
        verb = "is" if len(needed) == 1 else "are"
        return f"Not decided: nothing fails, but {len(needed):,} of {checks} {verb} required and still open."
    passed = f"{counted.get(Status.PASS, 0):,} of {checks} passed"
    warned, openly = counted.get(Status.WARN, 0), len(left_open(verdict))
    caveats = [count(warned, "warning")] if warned else []
    caveats += [f"{count(openly, 'question')} left open"] if openly else []
    note = f", with {' and '.join(caveats)}" if caveats else ""
    return f"By this gate, {the} may be used in place of the real one: {passed}{note}."


def diagnosed(verdict: Verdict) -> list[tuple[str, str]]:
    """Return what seems to have gone wrong: each failure mode's name with how sure it is, and its sentence."""
    out = []
    for found in verdict.diagnosis:
        told = sentence(found.sentence)
        if found.sentence.startswith(found.columns):  # a column's name stays as it is written
            told = found.sentence[:1] + told[1:]
        out.append((name(found.name).capitalize() + (" (likely)" if found.confidence == "likely" else ""), told))
    return out


def family_line(checks: list[CheckResult]) -> str:
    """Return how a family's checks came out, as a short count."""
    return ", ".join(f"{n:,} {counted_word(status, n)}" for status, n in tally(checks).items())


def consequence(check: CheckResult) -> str:
    """Return what a check's outcome does to the verdict, in words."""
    if blocks(check):
        return "makes the verdict fail"
    if check.required and check.status in (Status.NOT_ASSESSED, Status.INCONCLUSIVE):
        return "required: makes the verdict incomplete"
    if check.severity is not Severity.ERROR:
        return f"told as {'a warning' if check.severity is Severity.WARN else 'information'} only"
    return ""
