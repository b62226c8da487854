"""Which setting would have caught a defect that a gate missed, and still pass fresh real rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from synthgate.findings import CheckResult, Estimate, Finding, Severity, Status
from synthgate.verdict import Verdict

MOST_DIGITS = 6
MOST = 2
"""Suggestions for one trial."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """A setting of one check.

    Attributes
    ----------
    check : str
    setting : str
        As the gate file has it, such as ``{min_position: 0.93}``; in words where findings bring their own limit.
    spoiled, clean : float or None
        The bound from which on the spoiled table fails, and the one at which the first clean control would.
    """

    check: str
    setting: str
    spoiled: float | None = None
    clean: float | None = None


def suggest(
    verdict: Verdict, clean: Sequence[Verdict], families: Sequence[str], columns: Sequence[str]
) -> tuple[Suggestion, ...]:
    """Return the settings of checks of some families that would fail a verdict's table and pass clean ones.

    Parameters
    ----------
    verdict : Verdict
        On the spoiled table.
    clean : sequence of Verdict
        On clean tables.
    families : sequence of str
    columns : sequence of str
        The spoiled ones: only findings that name one of them count, where there are any.

    Returns
    -------
    tuple of Suggestion
        At most two: first what needs no new limit, then the limits that lie farthest from clean tables.
    """
    plain: list[Suggestion] = []
    limits: list[tuple[float, Suggestion]] = []
    for check in verdict:
        if check.family not in families:
            continue
        controls = [one for v in clean for one in v if one.id == check.id]
        if len(controls) != len(clean):
            continue
        plain += _policies(check, controls)
        limits += _limits(check, controls, columns)
    limits.sort(key=lambda item: -item[0])
    return (*plain, *(made for _, made in limits))[:MOST]


def _policies(check: CheckResult, controls: Sequence[CheckResult]) -> Iterator[Suggestion]:
    """Yield settings other than limits: what only warned, and what was left undecided."""
    calm = all(control.status is Status.PASS for control in controls)
    if calm and check.status is Status.WARN and check.severity is not Severity.ERROR:
        yield Suggestion(check=check.id, setting="{severity: error}")
    if calm and check.status is Status.INCONCLUSIVE:
        yield Suggestion(check=check.id, setting="{inconclusive: fail}")


def _limits(
    check: CheckResult, controls: Sequence[CheckResult], columns: Sequence[str]
) -> Iterator[tuple[float, Suggestion]]:
    """Yield bounds between what the spoiled and what the clean tables reach, with their distance."""
    for bound in check.threshold.as_dict():
        marks = [mark(control.score, bound) for control in controls]
        found = _between(mark(check.score, bound), marks, bound)
        if found is not None:
            yield found[0], _made(check, f"{{{bound}: {found[1]:g}}}", found)
    for bound in check.each.as_dict():
        spoiled = _worst(_free(check, columns), bound)
        found = _between(spoiled, [_worst(_free(control, ()), bound) for control in controls], bound)
        if found is not None:
            yield found[0], _made(check, f"{{each: {{{bound}: {found[1]:g}}}}}", found)
    yield from _own_limits(check, controls, columns)


def _own_limits(
    check: CheckResult, controls: Sequence[CheckResult], columns: Sequence[str]
) -> Iterator[tuple[float, Suggestion]]:
    owned = [f for f in _judged(check, columns) if f.measured.limit is not None]
    for metric in dict.fromkeys(f.measured.metric for f in owned):
        here = [f for f in owned if f.measured.metric == metric]
        for bound in (here[0].measured.limit or check.each).as_dict():
            others = [
                _worst([f for f in _judged(control, ()) if f.measured.metric == metric], bound) for control in controls
            ]
            found = _between(_worst(here, bound), others, bound)
            if found is not None:
                words = f"a limit ({bound}) of {found[1]:g} on {metric.replace('_', ' ')}"
                yield found[0], _made(check, words, found)


def _made(check: CheckResult, setting: str, found: tuple[float, float, float, float]) -> Suggestion:
    return Suggestion(check=check.id, setting=setting, spoiled=found[2], clean=found[3])


def mark(estimate: Estimate | None, bound: str) -> float | None:
    """Return the end of an interval that a bound is held against: the bound fails what lies beyond it."""
    if estimate is None:
        return None
    if bound == "min_position":
        return estimate.position.high if estimate.position is not None else None
    return estimate.high if bound == "min" else estimate.low


def _judged(check: CheckResult, columns: Sequence[str]) -> list[Finding]:
    """Return the findings that can fail the check, of some columns where any are given."""
    quiet = (Severity.WARN, Severity.INFO)
    every = [f for f in check.findings if f.measured.judged and f.measured.severity not in quiet and f.waived is None]
    return [f for f in every if not columns or set(f.measured.columns) & set(columns)]


def _free(check: CheckResult, columns: Sequence[str]) -> list[Finding]:
    return [f for f in _judged(check, columns) if f.measured.limit is None]


def _worst(findings: Sequence[Finding], bound: str) -> float | None:
    found = [at for f in findings if (at := mark(f.measured.estimate, bound)) is not None]
    return (max if bound == "max" else min)(found, default=None)


def _between(
    spoiled: float | None, clean: Sequence[float | None], bound: str
) -> tuple[float, float, float, float] | None:
    """Return the gap between spoiled and clean, a bound inside it, and both ends; None where there is no clear gap.

    The gap has to be wider than the clean tables lie apart. A clean table without the finding stands at the harmless
    end of the scale.
    """
    if spoiled is None or not clean:
        return None
    is_most = bound == "max"
    known = [(0.0 if is_most else 1.0) if at is None else at for at in clean]
    harmless = max(known) if is_most else min(known)
    gap = spoiled - harmless if is_most else harmless - spoiled
    if gap <= max(known) - min(known):
        return None
    for digits in range(1, MOST_DIGITS + 1):
        at = round((spoiled + harmless) / 2, digits)
        if (harmless <= at < spoiled) if is_most else (spoiled < at <= harmless):
            return gap, at, spoiled, harmless
    return None
