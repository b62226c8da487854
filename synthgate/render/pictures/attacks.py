"""How far attacks get: ROC curves on log axes, and risks beside those of rows that were never seen."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from synthgate.findings import Finding
from synthgate.render.pictures.reading import coordinate, number, numbers
from synthgate.render.text import name, percent

ROC_SIDE = 300.0
ROC_LEAST = 1e-3
ROC_POINTS = 90


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
    return "M" + "L".join(f"{coordinate(x)} {coordinate(y)}" for x, y in kept) if kept else ""


def _rates(found: Any) -> dict[str, tuple[str, str]]:
    """Return true positive rates, and their intervals where they have one, by false positive rate, as text."""
    out: dict[str, tuple[str, str]] = {}
    for rate, value in found.items() if isinstance(found, Mapping) else ():
        if isinstance(value, Mapping):
            low, high = number(value.get("low")), number(value.get("high"))
            band = f"{percent(low)} to {percent(high)}" if low is not None and high is not None else ""
            out[_rate_label(rate)] = (percent(number(value.get("value"))), band)
        else:
            out[_rate_label(rate)] = (percent(number(value)), "")
    return out


def _rate_label(rate: Any) -> str:
    """Return a rate as a percentage, or whatever else the key says."""
    try:
        share = float(rate)
    except (TypeError, ValueError):
        return name(rate)
    return f"{100 * share:g} %"
