"""Matrices over pairs of columns or classes, with a level of colour for each cell."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from synthgate.findings import Finding
from synthgate.render.pictures.reading import filled, matrix, texts

HEAT_LEVELS = 9
SHOWN_CONTINGENCIES = 6
TABLE_CELLS = 900
HIDDEN = -1.0
"""Stands for the share of so few real rows that it is not told."""


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
    columns = texts(found.get("columns")) if isinstance(found, Mapping) else None
    return _heatmap(found, columns, _sequential) if columns and isinstance(found, Mapping) else None


def correlations(details: Mapping[str, Any]) -> list[tuple[str, Heatmap]]:
    """Return the correlations of all numerical columns, by kind, from a check's ``details["correlations"]``."""
    found = details.get("correlations")
    columns = texts(found.get("columns")) if isinstance(found, Mapping) else None
    if not columns or not isinstance(found, Mapping):
        return []
    kinds = {kind: found.get(kind) for kind in ("pearson", "spearman")}
    drawn = {kind: _heatmap(one, columns, _signed) for kind, one in kinds.items() if isinstance(one, Mapping)}
    return [(kind, picture) for kind, picture in drawn.items() if picture is not None]


def _heatmap(found: Mapping[str, Any], columns: list[str], level: Callable[[float], str]) -> Heatmap | None:
    k = len(columns)
    real, synthetic, difference = (matrix(found.get(side), k, k) for side in ("real", "synthetic", "difference"))
    if real is None or synthetic is None or difference is None:
        return None
    panels = [
        Heat("Real", _levels(real, level)),
        Heat("Synthetic", _levels(synthetic, level)),
        Heat("Difference (synthetic - real)", _levels(difference, _diverging)),
    ]
    shown = k * k <= TABLE_CELLS
    table = [[f"{r:.2f} → {s:.2f}" for r, s in zip(*rows, strict=True)] for rows in zip(real, synthetic, strict=True)]
    return Heatmap(columns, panels, table if shown else [])


def _sequential(value: float) -> str:
    return f"s{min(HEAT_LEVELS, max(0, round(value * HEAT_LEVELS)))}"


def _signed(value: float) -> str:
    return _diverging(value / 2)


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
    """The joint shares on both sides, with a colour level for each cell: of a pair, or of true and stated classes."""

    finding: Finding
    rows: list[str]
    columns: list[str]
    sides: list[tuple[str, list[list[tuple[float, str]]]]]


def contingency(finding: Finding) -> Contingency | None:
    """Return a pair's joint shares from ``details["contingency"]``."""
    found = finding.measured.details.get("contingency")
    if not isinstance(found, Mapping):
        return None
    rows, columns = texts(found.get("rows")), texts(found.get("columns"))
    if not rows or not columns:
        return None
    real, synthetic = (
        matrix(filled(found.get(side), HIDDEN), len(rows), len(columns)) for side in ("real", "synthetic")
    )
    if real is None or synthetic is None:
        return None
    top = max(*map(max, real), *map(max, synthetic), 1e-9)
    return Contingency(finding, rows, columns, [("Real", shaded(real, top)), ("Synthetic", shaded(synthetic, top))])


def shaded(table: Sequence[Sequence[float]], top: float) -> list[list[tuple[float, str]]]:
    """Return shares with their levels of colour, the square root of the share up to `top`; a hidden one is NaN."""

    def cell(share: float) -> tuple[float, str]:
        return (math.nan if share == HIDDEN else share), _sequential(math.sqrt(max(0.0, share) / top))

    return [[cell(share) for share in row] for row in table]
