"""Judging: one function holds an interval against a limit, and nothing else decides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

from synthgate.findings import CheckResult, Estimate, Finding, Limit, Measured, Measurement, Severity, Status

if TYPE_CHECKING:
    from synthgate.declared import DeclaredCheck
    from synthgate.gatefile import Waiver


def judge(estimate: Estimate, limit: Limit) -> Status:
    """Hold an interval against a limit.

    *Fail* when the interval lies wholly beyond a bound, *pass* when it lies wholly within every bound,
    else *inconclusive*. A bound on the position does not apply to an estimate without one.
    """
    sides: list[tuple[bool, bool]] = []
    if limit.min is not None:
        sides.append((estimate.high < limit.min, estimate.low >= limit.min))
    if limit.max is not None:
        sides.append((estimate.low > limit.max, estimate.high <= limit.max))
    if limit.min_position is not None and estimate.position is not None:
        sides.append((estimate.position.high < limit.min_position, estimate.position.low >= limit.min_position))
    if any(beyond for beyond, _ in sides):
        return Status.FAIL
    return Status.PASS if all(within for _, within in sides) else Status.INCONCLUSIVE


@dataclass(slots=True)
class Waivers:
    """The waivers of a gate, and which of them have been used."""

    rules: Sequence[Waiver]
    today: date
    used: set[int]

    def reason(self, check_id: str, columns: tuple[str, ...], table: str | None = None) -> str | None:
        """Return why a failing finding is waived, or None. An expired waiver waives nothing."""
        named = {f"{table}.{column}" for column in columns} if table is not None else set(columns)
        for at, rule in enumerate(self.rules):
            given = set(rule.columns)
            covers = not rule.columns or (columns and (named <= given or set(columns) <= given))
            if rule.check == check_id and covers and rule.until >= self.today:
                self.used.add(at)
                owner = f"{rule.owner}, " if rule.owner else ""
                return f"{rule.reason} ({owner}until {rule.until.isoformat()})"
        return None

    def notes(self) -> list[str]:
        """Say which waivers have expired, and which waive nothing any more."""
        out = []
        for at, rule in enumerate(self.rules):
            subject = f"the waiver of {rule.check}" + (f" for {', '.join(rule.columns)}" if rule.columns else "")
            if rule.until < self.today:
                out.append(f"{subject} expired on {rule.until.isoformat()} and waives nothing")
            elif at not in self.used:
                out.append(f"{subject} waived nothing in this run: it can be removed")
        return out


def judge_check(check: DeclaredCheck, measurement: Measurement, waivers: Waivers, seconds: float) -> CheckResult:
    """Turn what a measure found into a judged check."""
    findings = tuple(_judge_finding(check, found, waivers) for found in measurement.findings)
    status = _status(check, measurement, findings, waivers)
    return replace(
        _blank(check),
        status=status,
        reason=measurement.not_assessed or _reason(measurement, findings, status),
        score=measurement.score,
        ledger=measurement.ledger,
        power=measurement.power,
        seconds=seconds,
        findings=findings,
        details=measurement.details,
    )


def broken_check(check: DeclaredCheck, error: Exception, seconds: float) -> CheckResult:
    """Return the result of a check whose measure raised: an error, which the gate counts as a failure."""
    reason = f"the measure broke: {type(error).__name__}: {error}"
    return replace(_blank(check), status=Status.ERROR, reason=reason, seconds=seconds)


def _blank(check: DeclaredCheck) -> CheckResult:
    return CheckResult(
        id=check.id,
        family=check.family,
        title=check.title,
        question=check.question,
        status=Status.NOT_ASSESSED,
        severity=check.severity,
        required=check.required,
        reason="",
        why=check.why,
        remedy=check.remedy,
        threshold=check.threshold,
        each=check.each,
    )


def _judge_finding(check: DeclaredCheck, found: Measured, waivers: Waivers) -> Finding:
    if found.not_assessed is not None or (found.judged and found.estimate is None):
        return Finding(measured=found, status=Status.NOT_ASSESSED)
    if found.estimate is None:
        return Finding(measured=found, status=Status.PASS)
    limit = found.limit or check.each
    if not found.judged or not limit.as_dict():
        return Finding(measured=replace(found, judged=False), status=Status.PASS)
    status = judge(found.estimate, limit)
    if status is Status.FAIL:
        waived = waivers.reason(check.id, found.columns, found.table)
        if waived is not None:
            return Finding(measured=found, status=Status.WARN, waived=waived)
        if found.severity in (Severity.WARN, Severity.INFO):
            return Finding(measured=found, status=Status.WARN)
    return Finding(measured=found, status=status)


def _status(check: DeclaredCheck, measurement: Measurement, findings: Sequence[Finding], waivers: Waivers) -> Status:
    if measurement.not_assessed is not None:
        return Status.NOT_ASSESSED
    states = {finding.status for finding in findings}
    score = judge(measurement.score, check.threshold) if measurement.score and check.threshold.as_dict() else None
    if score is Status.FAIL and waivers.reason(check.id, ()) is not None:
        score = Status.WARN
    if Status.FAIL in (*states, score):
        return Status.FAIL if check.severity is Severity.ERROR else Status.WARN
    if findings and score is None and states == {Status.NOT_ASSESSED}:
        return Status.NOT_ASSESSED
    still_open = {f.status for f in findings if f.measured.decides} & {Status.INCONCLUSIVE, Status.NOT_ASSESSED}
    undecided = score is Status.INCONCLUSIVE or bool(still_open) or (score is None and Status.INCONCLUSIVE in states)
    if undecided and check.inconclusive == "fail" and not check.required:
        return Status.FAIL if check.severity is Severity.ERROR else Status.WARN
    if undecided:
        return Status.INCONCLUSIVE
    return Status.WARN if Status.WARN in (*states, score) else Status.PASS


def _reason(measurement: Measurement, findings: Iterable[Finding], status: Status) -> str:
    """Return the measurement's sentence, with the worst failing subjects named."""
    failing = [f for f in findings if f.status is Status.FAIL]
    if not failing or status not in (Status.FAIL, Status.WARN):
        return measurement.reason
    names = list(dict.fromkeys(" x ".join(f.measured.columns) for f in failing if f.measured.columns))
    if not names:
        return measurement.reason
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{measurement.reason}; failing: {', '.join(names[:3])}{more}"
