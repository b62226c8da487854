"""The ratchet: what got better and what got worse since an earlier verdict, and a gate that minds only the latter."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias

from synthgate.findings import CheckResult, Estimate, Finding, Limit, Status
from synthgate.judging import judge
from synthgate.verdict import Verdict, conclude

Key: TypeAlias = tuple[str | None, tuple[str, ...], str, str]
SEARCHED = ("misplaced_share",)
SEARCHED_SHARES = (
    "pair_dependence_kept",
    "three_way_dependence_kept",
    "dependence_kept_in_a_part",
    "label_information_in_a_part",
)
"""Of which the least is the worst."""
NUMBER = re.compile(r"[\d.,%]+")


class Trend(StrEnum):
    """What became of one subject since the earlier verdict."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "same"
    NEW = "new"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One score or finding, before and after.

    Attributes
    ----------
    check : str
    finding : Finding or None
        The later finding, or the earlier one where it is gone; None for the check's own score.
    trend : Trend
        ``better`` and ``worse`` only when the difference is larger than its noise.
    before, after : Estimate or None
    status_before, status_after : Status or None
    on_position : bool
        Whether the two were compared between floor and ceiling, not on the raw scale.
    """

    check: str
    finding: Finding | None
    trend: Trend
    before: Estimate | None
    after: Estimate | None
    status_before: Status | None
    status_after: Status | None
    on_position: bool = False


def compare(old: Verdict, new: Verdict) -> tuple[Change, ...]:
    """Return what changed between two verdicts, check by check: every score and judged finding of either."""
    before = {check.id: check for check in old.checks}
    changes: list[Change] = []
    for check in new.checks:
        changes += _compare_checks(before.pop(check.id, None), check)
    for check in before.values():
        changes += _compare_checks(check, None)
    return tuple(changes)


def hold(new: Verdict, old: Verdict, source: str) -> Verdict:
    """Return `new` with every failure that `old` already had, and that is no worse beyond noise, as a warning.

    A check that broke, or that is required and open, stays as it is.

    Parameters
    ----------
    new, old : Verdict
    source : str
        What `old` was read from, for the notes.
    """
    before = {check.id: check for check in old.checks}
    checks = tuple(_held(check, before.get(check.id), source) for check in new.checks)
    failing = [sum(check.status is Status.FAIL for check in side) for side in (new.checks, checks)]
    notes = [f"baseline {source}: {failing[0] - failing[1]} of {failing[0]} failing checks are no worse than there"]
    notes += [f"baseline {source}: {problem}" for problem in _unlike(old, new)]
    run = replace(new.run, notes=(*new.run.notes, *notes))
    return replace(new, outcome=conclude(checks), checks=checks, run=run)


def as_baseline(verdict: Verdict) -> Verdict:
    """Return a verdict without what differs between equal runs, and without aggregates for charts.

    What is left is all that a comparison needs: fit to be kept under version control.
    """
    checks = tuple(_bare(check) for check in verdict.checks)
    return replace(verdict, checks=checks, run=replace(verdict.run, seconds={}))


def _bare(check: CheckResult) -> CheckResult:
    findings = tuple(
        replace(f, measured=replace(f.measured, details=_naming(f))) for f in check.findings if f.measured.judged
    )
    return replace(check, seconds=0.0, details={}, findings=findings)


def _naming(finding: Finding) -> dict[str, str]:
    attack = finding.measured.details.get("attack")
    return {"attack": attack} if isinstance(attack, str) else {}


def _key(finding: Finding) -> Key:
    """Return what a finding is about, as far as its columns, its metric and its attack tell."""
    measured = finding.measured
    return (measured.table, measured.columns, measured.metric, _naming(finding).get("attack", ""))


def _pair_up(old: Iterable[Finding], new: Iterable[Finding]) -> list[tuple[Finding | None, Finding | None]]:
    """Match the judged findings of two results by subject, in the order of the new ones; what is left comes after.

    Several findings about the same columns (categories, slices, rules) are told apart by their
    sentence with its numbers left out.
    """
    sides = [[f for f in findings if f.measured.judged] for findings in (old, new)]
    several = {key for side in sides for key, times in Counter(map(_key, side)).items() if times > 1}

    def name(finding: Finding) -> Key:
        key = _key(finding)
        return (*key[:3], key[3] + NUMBER.sub("#", finding.measured.message)) if key in several else key

    waiting: dict[Key, list[Finding]] = {}
    for finding in sides[0]:
        waiting.setdefault(name(finding), []).append(finding)
    pairs: list[tuple[Finding | None, Finding | None]] = []
    for finding in sides[1]:
        there = waiting.get(name(finding))
        pairs.append((there.pop(0) if there else None, finding))
    return pairs + [(finding, None) for left in waiting.values() for finding in left]


def _compare_checks(old: CheckResult | None, new: CheckResult | None) -> list[Change]:
    check = new or old
    if check is None:
        return []
    changes: list[Change] = []
    scores = [c.score if c else None for c in (old, new)]
    if any(scores):
        changes.append(_change(check.id, None, scores, [_score_status(c) for c in (old, new)], check.threshold))
    for before, after in _pair_up(old.findings if old else (), new.findings if new else ()):
        finding = after or before
        if finding is not None:
            limit = finding.measured.limit or check.each
            estimates = [f.measured.estimate if f else None for f in (before, after)]
            states = [f.status if f else None for f in (before, after)]
            changes.append(_change(check.id, finding, estimates, states, limit))
    return changes


def _score_status(check: CheckResult | None) -> Status | None:
    if check is None or check.score is None:
        return None
    return judge(check.score, check.threshold) if check.threshold.as_dict() else check.status


def _change(
    check: str,
    finding: Finding | None,
    estimates: list[Estimate | None],
    states: list[Status | None],
    limit: Limit,
) -> Change:
    before, after = estimates
    trend, on_position = Trend.SAME, False
    if states[0] is None:
        trend = Trend.NEW
    elif states[1] is None:
        trend = Trend.GONE
    elif before is not None and after is not None:
        trend, on_position = _trend(before, after, limit)
    return Change(
        check=check,
        finding=finding,
        trend=trend,
        before=before,
        after=after,
        status_before=states[0],
        status_after=states[1],
        on_position=on_position,
    )


def _trend(before: Estimate, after: Estimate, limit: Limit) -> tuple[Trend, bool]:
    """Tell a difference from noise: it must exceed the root of the summed squares of both half widths.

    That is the interval of a difference of two independent estimates, at the level of their own
    intervals. Verdicts over the same real rows are not independent; their difference varies less.
    """
    on_position = limit.max is None and before.position is not None and after.position is not None
    a, b = (e.position if on_position and e.position else e for e in (before, after))
    difference = b.value - a.value
    down, up = a.value - a.low, b.high - b.value
    if difference > 0:
        down, up = a.high - a.value, b.value - b.low
    noise = math.hypot(down, up)
    if math.isnan(difference) or math.isnan(noise) or abs(difference) <= noise:
        return Trend.SAME, on_position
    risen = difference > 0
    good = risen if limit.max is None else not risen
    return (Trend.BETTER if good else Trend.WORSE), on_position


def _failures(check: CheckResult) -> int:
    """Return how many of a check's findings, and its score, fail."""
    return len(check.failed) + (_score_status(check) is Status.FAIL)


def _held(check: CheckResult, old: CheckResult | None, source: str) -> CheckResult:
    if check.status is not Status.FAIL or old is None or not _failures(check):
        return check
    before = {id(after): earlier for earlier, after in _pair_up(old.findings, check.findings) if after is not None}
    held = tuple(_held_finding(f, _earlier(f, before.get(id(f)), old), check.each, source) for f in check.findings)
    score = _score_status(check)
    if score is Status.FAIL and _no_worse(old.score, check.score, _score_status(old), check.threshold):
        score = Status.WARN
    if Status.FAIL in {score, *(finding.status for finding in held)}:
        return replace(check, findings=held)
    reason = f"{check.reason}; no worse than the baseline {source}"
    return replace(check, findings=held, status=Status.WARN, reason=reason)


def _earlier(finding: Finding, matched: Finding | None, old: CheckResult) -> Finding | None:
    """Return the earlier finding to hold one against: slices and parts are searched anew, so for them the worst."""
    metric = finding.measured.metric
    if matched is not None or metric not in SEARCHED + SEARCHED_SHARES:
        return matched
    sign = -1 if metric in SEARCHED_SHARES else 1
    there = [f for f in old.findings if f.measured.judged and f.measured.metric == metric]
    return max(
        there, key=lambda f: sign * f.measured.estimate.value if f.measured.estimate else -math.inf, default=None
    )


def _held_finding(finding: Finding, old: Finding | None, each: Limit, source: str) -> Finding:
    if finding.status is not Status.FAIL or old is None:
        return finding
    measured = finding.measured
    was_bad = Status.FAIL if old.status is Status.FAIL or old.waived else old.status
    if not _no_worse(old.measured.estimate, measured.estimate, was_bad, measured.limit or each):
        return finding
    return replace(finding, status=Status.WARN, waived=f"no worse than the baseline {source}")


def _no_worse(before: Estimate | None, after: Estimate | None, was: Status | None, limit: Limit) -> bool:
    if was is not Status.FAIL or before is None or after is None:
        return False
    return _trend(before, after, limit)[0] is not Trend.WORSE


def _unlike(old: Verdict, new: Verdict) -> list[str]:
    """Return in what the two verdicts are not about the same thing."""
    out = []
    if old.run.real.sha256 != new.run.real.sha256:
        out.append("it judged against other real data")
    if bool(old.run.holdout) != bool(new.run.holdout):
        out.append("it had a holdout and this run has none" if old.run.holdout else "it had no holdout")
    if old.run.synthgate_version != new.run.synthgate_version:
        out.append(f"it was made by synthgate {old.run.synthgate_version}")
    return out
