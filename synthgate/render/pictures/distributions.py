"""How columns are distributed on every side, as outlines and bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from synthgate.findings import Finding
from synthgate.render.pictures.reading import coordinate, numbers, texts

WIDTH, HEIGHT = 260.0, 96.0
ROW = 19.0


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
    labels, kind = texts(found.get("labels")), str(found.get("kind"))
    real, synthetic, holdout = (numbers(found.get(side)) for side in ("real", "synthetic", "holdout"))
    if not labels or real is None or synthetic is None or not len(labels) == len(real) == len(synthetic):
        return None
    if holdout is not None and len(holdout) != len(labels):
        holdout = None
    third: Sequence[float | None] = holdout or [None] * len(labels)
    rows = list(zip(labels, real, synthetic, third, strict=True))
    top = max(*real, *synthetic, *(holdout or [0.0]), 1e-9)
    if kind == "categories":
        return Distribution(finding, kind, rows, coordinate(ROW * len(rows) + 2), top, {}, _bars(rows, top))
    sides = {"real": real, "synthetic": synthetic, **({"holdout": holdout} if holdout else {})}
    paths = {side: steps(shares, top) for side, shares in sides.items()}
    paths["area"] = f"M0 {coordinate(HEIGHT)}V{paths['real'][3:]}V{coordinate(HEIGHT)}Z"
    return Distribution(finding, "bins", rows, coordinate(HEIGHT), top, paths, [])


def steps(shares: Sequence[float], top: float) -> str:
    """Return the outline of a histogram with equal steps, as an SVG path from the left edge to the right one."""
    wide = WIDTH / len(shares)
    heights = [HEIGHT - 2 - (HEIGHT - 8) * share / top for share in shares]
    parts = [f"M0 {coordinate(heights[0])}"]
    for at, height in enumerate(heights):
        parts.append(f"V{coordinate(height)}H{coordinate(wide * (at + 1))}" if at else f"H{coordinate(wide)}")
    return "".join(parts)


def _bars(rows: Sequence[tuple[str, float, float, float | None]], top: float) -> list[Bar]:
    room = WIDTH - 104

    def long(share: float) -> str:
        return coordinate(max(0.0, share) / top * room)

    return [
        Bar(label, coordinate(1 + ROW * at), long(r), long(s), None if h is None else long(h))
        for at, (label, r, s, h) in enumerate(rows)
    ]
