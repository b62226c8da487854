"""Coverage of ranges: do the tails of each continuous column, and the parts between them, hold the rows they should?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgate.catalogue import Options, measure
from synthgate.findings import Measured, Measurement
from synthgate.measures.coverage.shares import (
    LEAST_KNOWN,
    LEAST_SHARE,
    MIN_EXPECTED,
    SURE,
    Cell,
    cell_finding,
    dispersion,
    judge_cells,
    kept,
    outside,
)
from synthgate.plan import ColumnPlan, bin_labels
from synthgate.statistics.intervals import z_value
from synthgate.values import NumberCounts

if TYPE_CHECKING:
    from synthgate.evidence import Evidence

TAILS = (0.01, 0.05)


@measure("coverage.ranges")
def ranges(evidence: Evidence, options: Options) -> Measurement:
    """Compare how many rows lie in the outer 1 % and 5 % of each continuous column, at both ends, and in between.

    In between, each column is cut into up to 50 parts that hold about as many real rows, in which frequent values stand
    alone; the part that is kept worst is told.
    """
    cells: list[Cell] = []
    parts: dict[str, list[Cell]] = {}
    for name in evidence.shared:
        if not evidence.plan[name].role.is_continuous:
            continue
        known, fresh = evidence.real.counts.columns[name].numbers, NumberCounts.empty()
        if evidence.holdout and name in evidence.holdout.counts.columns:
            fresh = evidence.comparable(evidence.holdout, name).numbers
        known = known + fresh
        synthetic = evidence.comparable(evidence.synthetic, name).numbers
        if known.overflowed or synthetic.overflowed or not synthetic.total or len(known.values) < 3:
            continue
        cells.extend(_tails(name, known, synthetic, fresh))
        # a profile knows only how many values lie together, which need not be as finely as parts are cut
        if evidence.real.suppression is None:
            parts[name] = _parts(evidence.plan[name], known, synthetic, fresh)
    if not cells:
        return Measurement.missing("no numerical or datetime column with a tail")
    return _with_parts(judge_cells(cells, "tail"), parts)


def _parts(plan: ColumnPlan, known: NumberCounts, synthetic: NumberCounts, fresh: NumberCounts) -> list[Cell]:
    """Return the parts of a column that are expected often enough to be missed."""
    sides = (known.finite(), synthetic.finite(), fresh.finite())
    totals = [max(1, side.total) for side in sides]
    rows = zip(*(side.binned(plan.fine_edges).tolist() for side in sides), strict=True)
    cells = [
        Cell(plan.name, label, "part_share_ratio", here, totals[0], there, totals[1], held, totals[2])
        for label, (here, there, held) in zip(bin_labels(plan.fine_edges, plan.role), rows, strict=True)
    ]
    return [cell for cell in cells if cell.expected >= MIN_EXPECTED and cell.known_of >= LEAST_KNOWN]


def _with_parts(measured: Measurement, parts: Mapping[str, list[Cell]]) -> Measurement:
    """Add, for each column, the part that is kept worst; all parts of all columns are held together."""
    every = [cell for cells in parts.values() for cell in cells]
    if measured.not_assessed is not None or not every:
        return measured
    z = z_value(SURE, looks=len(every)) * float(np.sqrt(dispersion(every)))
    found = [_worst(cells, z) for cells in parts.values() if cells]
    lost = [one.columns[0] for one in found if one.estimate and one.estimate.high < LEAST_SHARE]
    return replace(
        measured,
        findings=(*measured.findings, *found),
        reason=measured.reason + (f"; within their tails, parts of {len(lost)} columns do not" if lost else ""),
    )


def _worst(cells: Sequence[Cell], z: float) -> Measured:
    """Return the finding on the part of a column whose share is furthest from the real one, beyond doubt."""
    told = [(kept(cell, z), cell) for cell in cells]
    worst = cell_finding(min(told, key=lambda one: (one[0][2], one[0][0]))[1], z)
    bad = sum(part[2] < LEAST_SHARE for part, _ in told)
    many = f"{bad} of {len(cells)} parts have {outside(LEAST_SHARE)} of their share; " if bad > 1 else ""
    details = {**worst.details, "parts": len(cells), "parts_off": bad}
    return replace(worst, message=many + worst.message, details=details)


def _tails(name: str, known: NumberCounts, synthetic: NumberCounts, fresh: NumberCounts) -> list[Cell]:
    sides = (known, synthetic, fresh)
    cells = []
    for share in TAILS:
        low, high = known.quantiles(np.array([share, 1 - share]))
        tails = {
            "lower": [_rows(side, side.values < low) for side in sides],
            "upper": [_rows(side, side.values > high) for side in sides],
        }
        for end, (here, there, held) in tails.items():
            if here:
                label = f"{end} {share:.0%} tail"
                totals = (known.total, synthetic.total, fresh.total)
                cells.append(Cell(name, label, "tail_share_ratio", here, totals[0], there, totals[1], held, totals[2]))
    return cells


def _rows(counts: NumberCounts, chosen: NDArray[np.bool_]) -> int:
    return int(counts.counts[chosen].sum())
