"""Coverage of categories and tails: what was expected of each, and what was found."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgate.catalogue import Options, measure
from synthgate.findings import Estimate, Ledger, Measured, Measurement, Skip
from synthgate.measures.coverage.lost import Categories, lost_together
from synthgate.statistics.intervals import ratio_interval, z_value
from synthgate.statistics.positions import ratio_estimate
from synthgate.values import LabelCounts

if TYPE_CHECKING:
    from synthgate.evidence import Evidence

MIN_EXPECTED = 5.0
LEAST_KNOWN = 10
"""Known values of a column below which their shares tell nothing."""
SMALL_CELL = 10
RARE_SHARE = 0.05
LEAST_SHARE = 0.75
"""Ratio to the real share below which a category, tail or region is told to be off: the default limit."""
SURE = 0.998
"""Level at which rare categories taken together are held; many columns and tables are looked at."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A slice of the real table: how often it occurs among known real rows, and in synthetic.

    Attributes
    ----------
    known, known_of : int
        Rows of it among all rows known to be real, the holdout's included.
    found, found_of : int
        Rows of it in synthetic.
    held, held_of : int
        Rows of it in the holdout alone, zero without one.
    """

    column: str
    name: str
    metric: str
    known: int
    known_of: int
    found: int
    found_of: int
    held: int = 0
    held_of: int = 0

    @property
    def expected(self) -> float:
        """Rows of it that as many fresh real rows would hold."""
        return self.known * self.found_of / self.known_of


def judge_cells(cells: Iterable[Cell], noun: str) -> Measurement:
    """Compare each cell's share with the real one, and sum up.

    A cell's value is the ratio of its synthetic to its real share, turned over when above one, so that
    1 is right and 0 is lost (or flooded). Its interval is exact given the sum of both counts, shared
    over all cells. Cells expected fewer than five times are left out: their absence says nothing.
    """
    every = list(cells)
    tested = [cell for cell in every if cell.expected >= MIN_EXPECTED and cell.known_of >= LEAST_KNOWN]
    if not tested:
        return Measurement.missing(f"no {noun} is expected often enough to be missed at this size")
    z = z_value(looks=len(tested)) * np.sqrt(dispersion(tested))
    findings = [cell_finding(cell, z) for cell in tested]
    lost = [f for f in findings if f.estimate and f.estimate.high < LEAST_SHARE]
    findings.sort(key=lambda f: f.estimate.high if f.estimate else 1.0)
    skipped = _skipped(every, noun)
    plural = "categories" if noun == "category" else f"{noun}s"
    smallest = min(cell.expected for cell in tested)
    reason = (
        f"{len(lost)} of {len(tested)} {plural} have {outside(LEAST_SHARE)} of their real share"
        if lost
        else f"all {len(tested)} {plural} have their real share, as far as this size can tell"
    )
    return Measurement(
        reason=reason,
        findings=tuple(findings),
        score=Estimate.exact(1 - len(lost) / len(tested)),
        ledger=Ledger(len(tested), skipped),
        power=f"the rarest {noun} tested is expected {smallest:.0f} times in synthetic",
    )


def outside(least: float) -> str:
    """Say in words which shares lie beyond a least ratio, or its reciprocal."""
    return f"less than {least:.0%} or more than {1 / least:.0%}"


def dispersion(cells: list[Cell]) -> float:
    """Return how much more real and holdout differ than independent rows would: 1, or more when rows come in groups.

    The mean squared Pearson residual of the holdout's counts given both, in which independent rows
    show 1; it is used only when it lies three standard errors above 1.
    """
    if not cells:
        return 1.0
    held, known, share = (
        np.array(part)
        for part in zip(*((cell.held, cell.known, cell.held_of / cell.known_of) for cell in cells), strict=True)
    )
    return overdispersion(held, known, share)


def overdispersion(held: NDArray[np.int64], known: NDArray[np.int64], share: NDArray[np.float64] | float) -> float:
    """Return :func:`dispersion` of many cells, from their holdout's and both sides' counts and the holdout's share."""
    variance = known * share * (1 - share)
    there = variance > 0
    squares = (held - known * share)[there] ** 2 / variance[there]
    if len(squares) < 3:
        return 1.0
    mean = float(np.mean(np.minimum(squares, 100.0)))
    return mean if mean > 1 + 3 * np.sqrt(2 / len(squares)) else 1.0


def _skipped(cells: list[Cell], noun: str) -> tuple[Skip, ...]:
    few: dict[str, int] = {}
    for cell in cells:
        if cell.expected < MIN_EXPECTED or cell.known_of < LEAST_KNOWN:
            few[cell.column] = few.get(cell.column, 0) + 1
    return tuple(Skip(column, f"{n} {noun}s expected fewer than 5 times") for column, n in few.items())


def kept(cell: Cell, z: float) -> tuple[float, float, float]:
    """Return the ratio of a cell's share to the real one, turned over when above one, with its interval."""
    low, high = ratio_interval(cell.found, cell.found_of, cell.known, cell.known_of, z)
    ratio = (cell.found / cell.found_of) / (cell.known / cell.known_of)
    if ratio > 1:
        return 1 / ratio, 1 / high if np.isfinite(high) else 0.0, 1 / low if low > 0 else 1.0
    return ratio, low, high


def cell_finding(cell: Cell, z: float) -> Measured:
    """Return the finding on a cell: its share over the real one, named where ten real rows have it."""
    ratio, low, high = kept(cell, z)
    spread = np.sqrt(cell.expected * (1 + cell.found_of / cell.known_of))
    band = (max(0.0, cell.expected - z * spread), cell.expected + z * spread)
    shown = (
        cell.name
        if cell.known >= SMALL_CELL
        else f"(a {cell.metric.split('_')[0]} with fewer than {SMALL_CELL} real rows)"
    )
    message = f"{shown}: {cell.found:,} rows found, {cell.expected:,.0f} expected"
    if cell.found == 0:
        message += "; it is lost"
    return Measured(
        metric=cell.metric,
        message=message,
        estimate=ratio_estimate(ratio, low, high, z),
        columns=(cell.column,),
        details={
            "name": shown,
            "expected": float(cell.expected),
            "found": cell.found,
            "interval": [float(band[0]), float(band[1])],
            "rare": cell.known / cell.known_of < RARE_SHARE,
        },
    )


@measure("coverage.categories")
def categories(evidence: Evidence, options: Options) -> Measurement:
    """Compare how often each category occurs with how often it should; rare ones count as much as common ones.

    Categories that are too rare to be judged one by one are judged together, column by column.
    """
    cells: list[Cell] = []
    columns: list[Categories] = []
    for name in evidence.shared:
        plan = evidence.plan[name]
        known = evidence.real.counts.columns[name].values
        synthetic = evidence.synthetic.counts.columns[name]
        if not plan.role.is_discrete or known.overflowed or synthetic.values.overflowed or not synthetic.present:
            continue
        labels = evidence.real.counts.columns[name].labels
        fresh = LabelCounts.empty()
        if evidence.holdout and name in evidence.holdout.counts.columns:
            fresh = evidence.holdout.counts.columns[name].labels
        labels = labels + fresh
        names = tuple(labels.labels.to_pylist())
        columns.append(_with_new(name, labels, synthetic.labels))
        sides = (labels.counts, synthetic.labels.of_categories(names), fresh.of_categories(names))
        totals = (labels.total, synthetic.present, fresh.total)
        cells += [
            Cell(name, label, "category_share_ratio", int(k), totals[0], int(f), totals[1], int(h), totals[2])
            for label, k, f, h in zip(names, *sides, strict=True)
        ]
    if not cells:
        return Measurement.missing("no categorical or boolean column")
    measured = judge_cells(cells, "category")
    if measured.not_assessed is not None and not columns:
        return measured
    z = z_value(SURE, looks=len(columns))
    together = [lost_together(column, z * evidence.design_of(*column.columns)) for column in columns]
    more = tuple(found for found in together if found is not None)
    if measured.not_assessed is not None and more:
        reason = "each category is too rare to be judged alone, and they are judged together"
        return Measurement(reason=reason, findings=more, ledger=Ledger(len(more)))
    return replace(measured, findings=(*more, *measured.findings))


def _with_new(name: str, known: LabelCounts, synthetic: LabelCounts) -> Categories:
    """Return the counts of all categories of either table."""
    labels = (known + synthetic).labels.to_pylist()
    return Categories((name,), known.of_categories(tuple(labels)), synthetic.of_categories(tuple(labels)))
