"""How sure models are against how right they are, and what they take for what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from synthgate.findings import Finding
from synthgate.render.pictures.matrices import Contingency, shaded
from synthgate.render.pictures.reading import coordinate, matrix, number, texts

SIDE = 200.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """Stated against observed shares of right answers, for training on real and on synthetic rows.

    Attributes
    ----------
    sides : dict
        For each side its line, its points as (x, y), its rows as (stated, right, rows), and the mean gap.
    """

    finding: Finding
    sides: dict[str, Line]


@dataclass(frozen=True, slots=True)
class Line:
    """One side's calibration."""

    path: str
    points: list[tuple[str, str]]
    bins: list[tuple[float, float, float]]
    error: float | None


def calibration(finding: Finding) -> Calibration | None:
    """Return the reliability diagram of ``details["calibration"]``."""
    found = finding.measured.details.get("calibration")
    if not isinstance(found, Mapping):
        return None
    lines = {side: _line(found.get(side)) for side in ("real", "synthetic")}
    drawn = {side: line for side, line in lines.items() if line is not None}
    return Calibration(finding, drawn) if len(drawn) == len(lines) else None


def _line(found: Any) -> Line | None:
    raw = found.get("bins") if isinstance(found, Mapping) else None
    if isinstance(raw, str) or not isinstance(raw, Sequence):
        return None
    bins = []
    for one in raw:
        values = [number(one.get(key)) for key in ("stated", "right", "rows")] if isinstance(one, Mapping) else []
        stated, right, rows = values if len(values) == 3 else (None, None, None)
        if stated is not None and right is not None and rows is not None:
            bins.append((stated, right, rows))
    points = [(coordinate(SIDE * stated), coordinate(SIDE * (1 - right))) for stated, right, _ in bins]
    path = "M" + "L".join(f"{x} {y}" for x, y in points)
    return Line(path, points, bins, number(found.get("error"))) if points else None


def confusion(finding: Finding) -> Contingency | None:
    """Return what a model takes each class for, from ``details["confusion"]``: shares of each true class."""
    found = finding.measured.details.get("confusion")
    sides = {side: found.get(side) for side in ("real", "synthetic")} if isinstance(found, Mapping) else {}
    named = {side: one for side, one in sides.items() if isinstance(one, Mapping)}
    classes = {side: texts(one.get("classes")) for side, one in named.items()}
    names = classes.get("real")
    if not names or names != classes.get("synthetic"):
        return None
    real, synthetic = (matrix(named[side].get("shares"), len(names), len(names)) for side in ("real", "synthetic"))
    if real is None or synthetic is None:
        return None
    both = [("Trained on real", shaded(real, 1.0)), ("Trained on synthetic", shaded(synthetic, 1.0))]
    return Contingency(finding, names, names, both)
