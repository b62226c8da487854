"""Scores between their baselines, on one axis."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from synthgate.findings import Estimate, Finding, Limit
from synthgate.render.pictures.reading import coordinate
from synthgate.render.text import TIMES

QUARTER = 0.25
NO_SCORES = ("importance_rank_correlation", "permutation_importance")
"""Findings on models that are no score of one, and have another scale."""


@dataclass(frozen=True, slots=True)
class Bullet:
    """A value with its interval, its baselines and its place on a common axis, in percent of the width."""

    label: str
    estimate: Estimate
    finding: Finding
    at: dict[str, str]


@dataclass(frozen=True, slots=True)
class Bullets:
    """Several values on one axis, with the axis' marks as (place, value)."""

    rows: list[Bullet]
    ticks: list[tuple[str, float]]


def bullets(findings: Iterable[Finding], most: int) -> Bullets | None:
    """Return models' scores, whole and on slices, on one axis, with floor, ceiling and interval."""
    chosen = [(_model(f), f) for f in findings if f.measured.metric not in NO_SCORES and _has_baselines(f)]
    return _bullets([(label, f) for label, f in chosen if label is not None][:most])


def _model(finding: Finding) -> str | None:
    """Return what a score of a model is about: the slice of the rows, else the column it predicts and the model."""
    details = finding.measured.details
    if "slice" in details:
        return str(details["slice"]) if "model" in details or "tstr" in details else None
    if "model" not in details:
        return None
    return ", ".join([*finding.measured.columns[:1], str(details["model"]).replace("_", " ")])


def triples(findings: Iterable[Finding], most: int) -> Bullets | None:
    """Return how well three columns together (findings with ``details["cause"]``) agree, on one axis."""
    chosen = [f for f in findings if "cause" in f.measured.details and _has_baselines(f)]
    return _bullets([(f" {TIMES} ".join(f.measured.columns), f) for f in chosen[:most]])


def _has_baselines(finding: Finding) -> bool:
    """Return whether a finding lies on the way from a floor up to a ceiling."""
    e = finding.measured.estimate
    ends = (e.value, e.low, e.high) if e is not None else (math.nan,)
    floor, ceiling = (e.floor, e.ceiling) if e is not None else (None, None)
    return floor is not None and ceiling is not None and floor < ceiling and all(map(math.isfinite, ends))


def _bullets(chosen: list[tuple[str, Finding]]) -> Bullets | None:
    kept = [(label, f, f.measured.estimate) for label, f in chosen]
    known = [(label, f, e) for label, f, e in kept if e is not None]
    ends = [v for *_, e in known for v in (e.value, e.low, e.high, e.floor, e.ceiling) if v is not None]
    if not known:
        return None
    low, high = min(0.0, *ends), max(1.0 if max(ends) <= 1 else 0.0, *ends)
    step = QUARTER if high - low <= 2 else (high - low) / 4
    first, last = math.floor(low / step), math.ceil(high / step)
    low, length = first * step, (last - first) * step

    def at(value: float | None) -> str:
        return "" if value is None or not math.isfinite(value) else coordinate((value - low) / length * 1000)

    rows = []
    for label, finding, e in known:
        places = {"zero": at(0.0), "value": at(e.value), "low": at(e.low), "high": at(e.high)}
        rows.append(Bullet(label, e, finding, {**places, "floor": at(e.floor), "ceiling": at(e.ceiling)}))
    return Bullets(rows, [(at(k * step), k * step) for k in range(first, last + 1)])


@dataclass(frozen=True, slots=True)
class Scale:
    """A value between floor and ceiling: places in units of a hundredth, floor at 0 and ceiling at 100."""

    value: float
    low: float
    high: float
    at: str
    left: str
    wide: str
    limit: str | None


def scale(estimate: Estimate | None, limit: Limit) -> Scale | None:
    """Return an estimate's bar between floor and ceiling, or None when it has no such place."""
    if estimate is None:
        return None
    floor, ceiling, place = estimate.floor, estimate.ceiling, estimate.position
    ends = [place.value, place.low, place.high] if place is not None else []
    if place is None and floor is not None and ceiling is not None and floor != ceiling:
        ends = [(v - floor) / (ceiling - floor) for v in (estimate.value, estimate.low, estimate.high)]
    if not ends or not all(map(math.isfinite, ends)):
        return None
    value, low, high = (100 * min(1.2, max(-0.2, end)) for end in ends)
    bound = None if limit.min_position is None else coordinate(100 * limit.min_position)
    return Scale(ends[0], ends[1], ends[2], coordinate(value), coordinate(low), coordinate(max(0.0, high - low)), bound)
