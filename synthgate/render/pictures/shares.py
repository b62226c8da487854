"""Two shares side by side on one axis: of real and synthetic rows, or of attacks on training rows and on others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from synthgate.findings import Finding
from synthgate.render.pictures.reading import coordinate, number, numbers

SHOWN = 24
SIDE = 200.0


@dataclass(frozen=True, slots=True)
class Share:
    """A share with its interval, and their places on the axis.

    Attributes
    ----------
    value : float or None
        None for a share of so few real rows that it is not told.
    """

    value: float | None
    low: float | None
    high: float | None
    wide: str
    whisker: str


@dataclass(frozen=True, slots=True)
class Twin:
    """One subject's two shares."""

    label: str
    finding: Finding
    first: Share
    second: Share


@dataclass(frozen=True, slots=True)
class Twins:
    """Rows of two shares, and where their common axis ends."""

    rows: list[Twin]
    top: float


Raw = tuple[float | None, float | None, float | None]
Row = tuple[str, Finding, Raw, Raw]


def slice_rules(findings: Iterable[Finding]) -> Twins | None:
    """Return the slices that give synthetic rows away: their shares of synthetic and of real rows."""
    found: list[Row] = []
    for finding in findings:
        details = finding.measured.details
        rule, ours = details.get("rule"), number(details.get("synthetic_share"))
        if isinstance(rule, str) and ours is not None:
            first = (ours, *_ends(details.get("synthetic_interval")))
            second = (number(details.get("real_share")), *_ends(details.get("real_interval")))
            found.append((rule, finding, first, second))
    return _twins(found)


def risks(findings: Iterable[Finding]) -> Twins | None:
    """Return how often an attack succeeds on training rows and on rows that were never seen, worst first."""
    found: list[Row] = []
    for finding in findings:
        details = finding.measured.details
        first, second = _rate(details.get("main")), _rate(details.get("control"))
        if first[0] is not None and second[0] is not None:
            kind = details.get("kind")
            label = ", ".join(finding.measured.columns) or (kind if isinstance(kind, str) else "whole table")
            found.append((label, finding, first, second))
    return _twins(found)


def _rate(value: Any) -> Raw:
    """Return a rate with its interval; it is a number, or stands beside its interval."""
    if isinstance(value, Mapping):
        return (number(value.get("rate")), *_ends(value.get("interval")))
    return number(value), None, None


def _ends(value: Any) -> tuple[float | None, float | None]:
    ends = numbers(value)
    return (ends[0], ends[1]) if ends is not None and len(ends) == 2 else (None, None)


def _twins(found: list[Row]) -> Twins | None:
    if not found:
        return None
    found = found[:SHOWN]
    top = max(end for _, _, a, b in found for end in (*a, *b, 1e-9) if end is not None)
    return Twins([Twin(label, finding, _share(a, top), _share(b, top)) for label, finding, a, b in found], top)


def _share(raw: Raw, top: float) -> Share:
    def place(value: float) -> str:
        return coordinate(SIDE * min(1.0, max(0.0, value / top)))

    value, low, high = raw
    whisker = f"M{place(low)} 0H{place(high)}" if low is not None and high is not None else ""
    return Share(value, low, high, place(value or 0.0), whisker)
