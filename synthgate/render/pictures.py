"""The geometry of the report's charts: details of findings in, coordinates out; the templates draw.

Whatever is absent or has another form than expected gives no picture, never an error: the numbers
stand in the tables and in ``result.json``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from synthgate.findings import Estimate, Finding, Limit
from synthgate.render.text import name, percent

HEAT_LEVELS = 9
Picture = TypeVar("Picture")

WIDTH, HEIGHT = 260.0, 96.0
ROW = 19.0
ROC_SIDE = 300.0
ROC_LEAST = 1e-3
ROC_POINTS = 90
SHOWN_SLICES = 24
SHOWN_CONTINGENCIES = 6
RATIO_SPAN = 3.0
"""Ratios are drawn from 1/8 to 8, on a scale of powers of two."""
TABLE_CELLS = 900


def present(drawn: Iterable[Picture | None], most: int) -> list[Picture]:
    """Return the first pictures that could be drawn."""
    return list(islice((picture for picture in drawn if picture is not None), most))


def numbers(value: Any) -> list[float] | None:
    """Return a list of finite numbers, or None when `value` is something else."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        return None
    ok = all(isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) for v in value)
    return [float(v) for v in value] if ok and value else None


def _number(value: Any) -> float | None:
    found = numbers([value])
    return found[0] if found else None


def _texts(value: Any) -> list[str] | None:
    return [str(v) for v in value] if isinstance(value, Sequence) and not isinstance(value, str) else None


def _matrix(value: Any, rows: int, columns: int) -> list[list[float]] | None:
    if isinstance(value, str) or not isinstance(value, Sequence) or len(value) != rows:
        return None
    lines = [numbers(line) for line in value]
    good = [line for line in lines if line is not None and len(line) == columns]
    return good if len(good) == rows else None


def _f(value: float) -> str:
    """Return a coordinate: short, and never in scientific notation."""
    return f"{value:.1f}".removesuffix(".0")


@dataclass(frozen=True, slots=True)
class Bar:
    """One category's bars: where its row lies, and how long each side's bar is."""

    label: str
    y: str
    real: str
    synthetic: str
    holdout: str | None


@dataclass(frozen=True, slots=True)
class Distribution:
    """One column's distribution on every side; `kind` is ``"bins"`` or ``"categories"``."""

    finding: Finding
    kind: str
    rows: list[tuple[str, float, float, float | None]]
    height: str
    top: float
    paths: dict[str, str]
    bars: list[Bar]


def distribution(finding: Finding) -> Distribution | None:
    """Return a column's picture from ``details["distribution"]``."""
    found = finding.measured.details.get("distribution")
    if not isinstance(found, Mapping):
        return None
    labels, kind = _texts(found.get("labels")), str(found.get("kind"))
    real, synthetic, holdout = (numbers(found.get(side)) for side in ("real", "synthetic", "holdout"))
    if not labels or real is None or synthetic is None or not len(labels) == len(real) == len(synthetic):
        return None
    if holdout is not None and len(holdout) != len(labels):
        holdout = None
    third: Sequence[float | None] = holdout or [None] * len(labels)
    rows = list(zip(labels, real, synthetic, third, strict=True))
    top = max(*real, *synthetic, *(holdout or [0.0]), 1e-9)
    if kind == "categories":
        return Distribution(finding, kind, rows, _f(ROW * len(rows) + 2), top, {}, _bars(rows, top))
    sides = {"real": real, "synthetic": synthetic, **({"holdout": holdout} if holdout else {})}
    paths = {side: steps(shares, top) for side, shares in sides.items()}
    paths["area"] = f"M0 {_f(HEIGHT)}V{paths['real'][3:]}V{_f(HEIGHT)}Z"
    return Distribution(finding, "bins", rows, _f(HEIGHT), top, paths, [])


def steps(shares: Sequence[float], top: float) -> str:
    """Return the outline of a histogram with equal steps, as an SVG path from the left edge to the right one."""
    wide = WIDTH / len(shares)
    heights = [HEIGHT - 2 - (HEIGHT - 8) * share / top for share in shares]
    parts = [f"M0 {_f(heights[0])}"]
    for at, height in enumerate(heights):
        parts.append(f"V{_f(height)}H{_f(wide * (at + 1))}" if at else f"H{_f(wide)}")
    return "".join(parts)


def _bars(rows: Sequence[tuple[str, float, float, float | None]], top: float) -> list[Bar]:
    room = WIDTH - 104

    def long(share: float) -> str:
        return _f(max(0.0, share) / top * room)

    return [
        Bar(label, _f(1 + ROW * at), long(r), long(s), None if h is None else long(h))
        for at, (label, r, s, h) in enumerate(rows)
    ]


@dataclass(frozen=True, slots=True)
class Heat:
    """One matrix: a path of unit squares for each level of colour."""

    title: str
    paths: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Heatmap:
    """The association of every pair of columns on both sides, and its difference."""

    columns: list[str]
    panels: list[Heat]
    table: list[list[str]]


def heatmap(details: Mapping[str, Any]) -> Heatmap | None:
    """Return the pair heatmaps from a check's ``details["heatmap"]``."""
    found = details.get("heatmap")
    columns = _texts(found.get("columns")) if isinstance(found, Mapping) else None
    if not columns or not isinstance(found, Mapping):
        return None
    k = len(columns)
    sides = [_matrix(found.get(side), k, k) for side in ("real", "synthetic", "difference")]
    real, synthetic, difference = sides
    if real is None or synthetic is None or difference is None:
        return None
    panels = [
        Heat("Real", _levels(real, _sequential)),
        Heat("Synthetic", _levels(synthetic, _sequential)),
        Heat("Difference (synthetic - real)", _levels(difference, _diverging)),
    ]
    shown = k * k <= TABLE_CELLS
    table = [[f"{r:.2f} → {s:.2f}" for r, s in zip(*rows, strict=True)] for rows in zip(real, synthetic, strict=True)]
    return Heatmap(columns, panels, table if shown else [])


def _sequential(value: float) -> str:
    return f"s{min(HEAT_LEVELS, max(0, round(value * HEAT_LEVELS)))}"


def _diverging(value: float) -> str:
    level = min(HEAT_LEVELS, round(abs(value) * 2 * HEAT_LEVELS))
    return f"{'n' if value < 0 else 'p'}{level}" if level else "s0"


def _levels(matrix: Sequence[Sequence[float]], level: Callable[[float], str]) -> list[tuple[str, str]]:
    paths: dict[str, list[str]] = {}
    for y, row in enumerate(matrix):
        for x, value in enumerate(row):
            paths.setdefault(level(value), []).append(f"M{x} {y}h1v1h-1z")
    return [(key, "".join(parts)) for key, parts in sorted(paths.items()) if key != "s0"]


@dataclass(frozen=True, slots=True)
class Contingency:
    """The joint shares of one failing pair on both sides, with a colour level for each cell."""

    finding: Finding
    rows: list[str]
    columns: list[str]
    sides: list[tuple[str, list[list[tuple[float, str]]]]]


def contingency(finding: Finding) -> Contingency | None:
    """Return a pair's joint shares from ``details["contingency"]``."""
    found = finding.measured.details.get("contingency")
    if not isinstance(found, Mapping):
        return None
    rows, columns = _texts(found.get("rows")), _texts(found.get("columns"))
    if not rows or not columns:
        return None
    tables = [_matrix(found.get(side), len(rows), len(columns)) for side in ("real", "synthetic")]
    real, synthetic = tables
    if real is None or synthetic is None:
        return None
    top = max(*map(max, real), *map(max, synthetic), 1e-9)

    def shaded(table: Sequence[Sequence[float]]) -> list[list[tuple[float, str]]]:
        return [[(share, _sequential(math.sqrt(max(0.0, share) / top))) for share in row] for row in table]

    return Contingency(finding, rows, columns, [("Real", shaded(real)), ("Synthetic", shaded(synthetic))])


@dataclass(frozen=True, slots=True)
class Curve:
    """One attack's ROC curve on log axes."""

    attack: str
    path: str
    finding: Finding
    tpr: dict[str, tuple[str, str]]


def roc(findings: Iterable[Finding]) -> list[Curve]:
    """Return the curves of ``details["roc"]``, the most successful attack first."""
    curves = []
    for finding in findings:
        details = finding.measured.details
        found = details.get("roc")
        points = [numbers(p) for p in found] if isinstance(found, Sequence) and not isinstance(found, str) else []
        good = [(p[0], p[1]) for p in points if p is not None and len(p) == 2]
        if len(good) > 1:
            attack = str(details.get("attack", finding.measured.metric))
            curves.append(Curve(attack, _roc_path(good), finding, _rates(details.get("tpr"))))
    return sorted(curves, key=lambda c: -c.finding.measured.estimate.value if c.finding.measured.estimate else 0.0)


def log_place(rate: float) -> float:
    """Return where a rate lies on a log axis from 0.001 (0) to 1 (the whole side)."""
    return ROC_SIDE * (1 - math.log10(min(1.0, max(ROC_LEAST, rate))) / math.log10(ROC_LEAST))


def _roc_path(points: Sequence[tuple[float, float]]) -> str:
    inside = [(log_place(x), ROC_SIDE - log_place(y)) for x, y in points if x >= ROC_LEAST]
    stride = max(1, len(inside) // ROC_POINTS)
    kept = inside[::stride] + ([inside[-1]] if inside and (len(inside) - 1) % stride else [])
    return "M" + "L".join(f"{_f(x)} {_f(y)}" for x, y in kept) if kept else ""


def _rates(found: Any) -> dict[str, tuple[str, str]]:
    """Return true positive rates, and their intervals where they have one, by false positive rate, as text."""
    out: dict[str, tuple[str, str]] = {}
    for rate, value in found.items() if isinstance(found, Mapping) else ():
        if isinstance(value, Mapping):
            low, high = _number(value.get("low")), _number(value.get("high"))
            band = f"{percent(low)} to {percent(high)}" if low is not None and high is not None else ""
            out[_rate_label(rate)] = (percent(_number(value.get("value"))), band)
        else:
            out[_rate_label(rate)] = (percent(_number(value)), "")
    return out


def _rate_label(rate: Any) -> str:
    """Return a rate as a percentage, or whatever else the key says."""
    try:
        share = float(rate)
    except (TypeError, ValueError):
        return name(rate)
    return f"{100 * share:g} %"


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


def bullets(findings: Iterable[Finding]) -> Bullets | None:
    """Return models' scores (those with ``details["model"]``) on one axis, with floor, ceiling and interval."""
    chosen = [(f, f.measured.estimate) for f in findings if "model" in f.measured.details]
    kept = [(f, e) for f, e in chosen if e is not None and math.isfinite(e.value)]
    ends = [
        v for _, e in kept for v in (e.value, e.low, e.high, e.floor, e.ceiling) if v is not None and math.isfinite(v)
    ]
    if not kept:
        return None
    low, high = min(0.0, *ends), max(1.0 if max(ends) <= 1 else 0.0, *ends)
    length = (high - low) or 1.0

    def at(value: float | None) -> str:
        return "" if value is None or not math.isfinite(value) else _f((value - low) / length * 1000)

    rows = []
    for finding, e in kept:
        places = {"zero": at(0.0), "value": at(e.value), "low": at(e.low), "high": at(e.high)}
        label = str(finding.measured.details["model"])
        rows.append(Bullet(label, e, finding, {**places, "floor": at(e.floor), "ceiling": at(e.ceiling)}))
    return Bullets(rows, [(at(low + length * k / 4), low + length * k / 4) for k in range(5)])


@dataclass(frozen=True, slots=True)
class Slice:
    """How often a category, tail or region was found, against how often it was expected."""

    label: str
    finding: Finding
    expected: float
    found: float
    at: str
    low: str
    high: str
    is_lost: bool


def slices(findings: Iterable[Finding]) -> list[Slice]:
    """Return expected and found counts on a scale of powers of two, worst first as given."""
    out = []
    for finding in findings:
        details = finding.measured.details
        expected, found = _number(details.get("expected")), _number(details.get("found"))
        band = numbers(details.get("interval"))
        if not expected or expected <= 0 or found is None or band is None or len(band) != 2:
            continue
        at, low, high = (_ratio_place(v / expected) for v in (found, *band))
        label = " = ".join([*finding.measured.columns, str(details.get("name", ""))])
        out.append(Slice(label, finding, expected, found, at=at, low=low, high=high, is_lost=found == 0))
        if len(out) == SHOWN_SLICES:
            break
    return out


def _ratio_place(ratio: float) -> str:
    """Return where a ratio lies between 1/8 (0) and 8 (1000)."""
    power = math.log2(ratio) if ratio > 0 else -RATIO_SPAN
    return _f(500 + 500 * min(RATIO_SPAN, max(-RATIO_SPAN, power)) / RATIO_SPAN)


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
    bound = None if limit.min_position is None else _f(100 * limit.min_position)
    return Scale(ends[0], ends[1], ends[2], _f(value), _f(low), _f(max(0.0, high - low)), bound)
