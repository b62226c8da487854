"""Several tables in one verdict: how each came out, family by family, and how columns run through sequences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from synthgate.findings import CheckResult, Finding, Status
from synthgate.render import pictures
from synthgate.render.story import RANK, families
from synthgate.verdict import Verdict

LOWEST = -0.5
"""Autocorrelations are drawn from here to 1."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """The worst outcome of every table in every family; None where no check of the family concerned the table."""

    families: list[str]
    rows: list[tuple[str, list[Status | None]]]


def matrix(verdict: Verdict) -> Matrix | None:
    """Return the outcomes table by table, or None for a verdict on one table."""
    grouped = {family: checks for family, checks in families(verdict).items() if any(c.tables for c in checks)}
    names = list(dict.fromkeys(one.table for check in verdict.checks for one in check.tables))
    if not names:
        return None
    rows = [(name, [_worst(name, checks) for checks in grouped.values()]) for name in names]
    return Matrix(list(grouped), rows)


def _worst(table: str, checks: list[CheckResult]) -> Status | None:
    states = [one.status for check in checks for one in check.tables if one.table == table]
    assessed = [status for status in states if status is not Status.NOT_ASSESSED]
    return min(assessed or states, key=RANK.__getitem__, default=None)


def heatmaps(check: CheckResult) -> list[tuple[str, pictures.Heatmap]]:
    """Return the association pictures of a check's tables that have one."""
    drawn = [(one.table, pictures.heatmap(one.details)) for one in check.tables]
    return [(table, picture) for table, picture in drawn if picture is not None]


@dataclass(frozen=True, slots=True)
class Course:
    """Autocorrelation over lags: one path for each side, and what stands in the table below."""

    finding: Finding
    lags: list[int]
    paths: dict[str, str]
    zero: str
    rows: list[tuple[int, float, float, float]]


def course(finding: Finding) -> Course | None:
    """Return the picture of a finding's ``details`` with lags, or None when it holds none."""
    details: Mapping[str, object] = finding.measured.details
    lags = pictures.numbers(details.get("lags"))
    lines = {side: pictures.numbers(details.get(side)) for side in ("real", "synthetic", "random_order")}
    known = {side: values for side, values in lines.items() if values is not None}
    if lags is None or len(known) < len(lines) or any(len(values) != len(lags) for values in known.values()):
        return None
    paths = {side: _path(values) for side, values in known.items()}
    rows = [
        (int(lag), r, s, x)
        for lag, r, s, x in zip(lags, known["real"], known["synthetic"], known["random_order"], strict=True)
    ]
    return Course(finding, [int(lag) for lag in lags], paths, f"{_height(0.0):.1f}", rows)


@dataclass(frozen=True, slots=True)
class Trace:
    """How a column runs through its sequences: per side the band between the quartiles, and the median."""

    finding: Finding
    bands: dict[str, str]
    medians: dict[str, str]
    low: float
    high: float
    steps: int


def trace(finding: Finding) -> Trace | None:
    """Return the picture of ``details["trace"]``, or None when there is none."""
    found = finding.measured.details.get("trace")
    if not isinstance(found, Mapping):
        return None
    first = found.get("real")
    length = len(first) if isinstance(first, Sequence) else 0
    sides = {side: pictures.matrix(found.get(side), length, 3) for side in ("real", "synthetic")}
    known = {side: rows for side, rows in sides.items() if rows is not None}
    if length < 2 or len(known) < len(sides):
        return None
    low = min(row[0] for rows in known.values() for row in rows)
    high = max(row[2] for rows in known.values() for row in rows)
    span, step = (high - low) or 1.0, pictures.WIDTH / (length - 1)

    def points(rows: list[list[float]], at: int) -> list[str]:
        return [f"{k * step:.1f} {pictures.HEIGHT * (high - row[at]) / span:.1f}" for k, row in enumerate(rows)]

    bands = {side: f"M{'L'.join([*points(rows, 0), *points(rows, 2)[::-1]])}Z" for side, rows in known.items()}
    medians = {side: f"M{'L'.join(points(rows, 1))}" for side, rows in known.items()}
    return Trace(finding, bands, medians, low, high, length)


def _path(values: list[float]) -> str:
    step = pictures.WIDTH / max(1, len(values) - 1)
    points = [f"{at * step:.1f} {_height(value):.1f}" for at, value in enumerate(values)]
    return "M" + "L".join(points if len(points) > 1 else [points[0], f"{pictures.WIDTH:.1f} {_height(values[0]):.1f}"])


def _height(value: float) -> float:
    shown = min(1.0, max(LOWEST, value))
    return pictures.HEIGHT * (1 - shown) / (1 - LOWEST)
