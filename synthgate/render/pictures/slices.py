"""How often a slice of the table was found, against how often it was due."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from synthgate.findings import Finding
from synthgate.render.pictures.reading import coordinate, number, numbers

SHOWN_SLICES = 24
RATIO_SPAN = 3.0
"""Ratios are drawn from 1/8 to 8, on a scale of powers of two."""


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
        expected, found = number(details.get("expected")), number(details.get("found"))
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
    return coordinate(500 + 500 * min(RATIO_SPAN, max(-RATIO_SPAN, power)) / RATIO_SPAN)
