"""Rows that belong together: joins of children to parents, and the errors of shares when rows come in clusters.

Rows of one parent, or of one sequence, are not independent: the parent is. Shares of rows then vary
as ratio estimators over clusters do, and more than a binomial says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgate.canonical import Labels
from synthgate.counts import code_counts
from synthgate.statistics.distances import expected_total_variation, total_variation
from synthgate.values import LabelCounts

if TYPE_CHECKING:
    from synthgate.evidence import Evidence
    from synthgate.links import Link

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MOST_SYSTEMS = 4
LEAST_CLUSTERS = 10
"""Fewest independent units that an error is estimated from."""


def parent_rows(evidence: Evidence, link: Link, side: str) -> IntArray:
    """Return, for every kept row of the child, the place of its parent among the parent's kept rows.

    Returns
    -------
    int64 array, shape (rows kept,)
        -1 where the row names no parent, -2 where the parent it names is not there.
    """
    import pyarrow.compute as pc

    child, parent = evidence.sides[side], link.parent.sides.get(side)
    rows = len(child.index)
    key = child.kept.get(link.foreign_key)
    if not isinstance(key, Labels):
        return np.full(rows, -1, np.int64)
    there = parent.kept.get(link.key) if parent is not None else None
    if not isinstance(there, Labels):
        return np.where(key.codes < 0, -1, -2).astype(np.int64)
    found = pc.index_in(key.labels, value_set=there.labels).fill_null(-1).to_numpy(zero_copy_only=False)
    first = np.full(len(there.labels) + 1, -2, np.int64)
    known = np.flatnonzero(there.codes >= 0)[::-1]
    first[there.codes[known]] = known  # from the last row to the first, so that the first of equal keys stays
    return np.append(first[found], -1)[key.codes].astype(np.int64)


def is_fixed(link: Link) -> bool:
    """Tell whether real and synthetic name the same parents: then those are no sample, and children are the units."""
    if link.parent.is_reference:
        return True
    real, synthetic = (link.parent.sides[side].counts.columns.get(link.key) for side in ("real", "synthetic"))
    if real is None or synthetic is None or real.values.overflowed or synthetic.values.overflowed:
        return False
    return set(real.labels.labels.to_pylist()) == set(synthetic.labels.labels.to_pylist())


def row_units(evidence: Evidence, side: str) -> IntArray | None:
    """Return the independent unit of every kept row, or None when each row stands for itself.

    The sequence when rows form sequences, else the topmost parent; among several parents the one with
    the fewest different rows, since it ties most rows together.
    """
    if evidence.sequence is not None and evidence.sequence.key is not None:
        key = evidence.sides[side].kept.get(evidence.sequence.key)
        return _own_unit(sorted_codes(key)) if isinstance(key, Labels) else None
    best: IntArray | None = None
    for link in evidence.links:
        if is_fixed(link) or link.relationship.parent == link.relationship.child:
            continue
        units = link_units(evidence, link, side)
        if best is None or len(np.unique(units)) < len(np.unique(best)):
            best = units
    return best


def link_units(evidence: Evidence, link: Link, side: str) -> IntArray:
    """Return the topmost parent of every kept row along one link; rows without parent stand for themselves."""
    return units_of(parent_rows(evidence, link, side), link.parent, side)


def units_of(rows: IntArray, above: Evidence, side: str) -> IntArray:
    """Return the unit of the row above that each row hangs on; rows without one stand for themselves.

    Parameters
    ----------
    rows : int64 array
        Places among the kept rows of the table above; below zero for none.
    above : Evidence
        Of that table.
    side : str
    """
    units = above.units.get(side)
    return _own_unit(rows if units is None else np.where(rows >= 0, units[np.maximum(rows, 0)], rows))


def sorted_codes(column: Labels) -> IntArray:
    """Return codes in the order of the labels, so that they do not depend on the order of the rows; -1 for missing."""
    import pyarrow.compute as pc

    rank = np.empty(len(column.labels) + 1, np.int64)
    rank[pc.sort_indices(column.labels).to_numpy()] = np.arange(len(column.labels))
    rank[-1] = -1
    return rank[column.codes]


def _own_unit(units: IntArray) -> IntArray:
    """Return the units numbered densely; a row without one (below zero) becomes its own."""
    lone = units < 0
    out = units.copy()
    out[lone] = units.max(initial=-1) + 1 + np.arange(int(lone.sum()))
    _, dense = np.unique(out, return_inverse=True)
    return dense.astype(np.int64)


@dataclass(frozen=True, slots=True)
class ClusteredShares:
    """Shares of cells with the variance that clusters of rows give them.

    Attributes
    ----------
    counts : int64 array, shape (cells,)
    variance : float64 array, shape (cells,)
        Of each share, linearised over clusters.
    groups : int64 array, shape (groups, cells)
        The counts of random groups of whole clusters.
    clusters : int
    """

    counts: IntArray
    variance: FloatArray
    groups: IntArray
    clusters: int

    @property
    def rows(self) -> int:
        """Rows counted."""
        return int(self.counts.sum())

    @property
    def design(self) -> float:
        """How much wider the shares' errors are than those of independent rows, at least 1 (square root of deff)."""
        share = self.counts / max(1, self.rows)
        alone = np.sqrt(share * (1 - share) / max(1, self.rows))
        total = float(alone.sum())
        return max(1.0, float(np.sqrt(self.variance).sum()) / total) if total > 0 else 1.0


def clustered_shares(units: IntArray, cells: IntArray, n_cells: int, groups: int = 20) -> ClusteredShares:
    """Count cells, with the variance of their shares over clusters.

    The share ``p = sum y_c / sum n_c`` is a ratio over clusters; its variance is
    ``sum (y_c - p n_c)^2 / (sum n_c)^2 * C / (C - 1)`` (Cochran 1977, Sampling Techniques, section 9A).

    Parameters
    ----------
    units : int64 array, shape (rows,)
        Dense numbers of clusters.
    cells : int64 array, shape (rows,)
    n_cells : int
    groups : int
        Random groups of clusters for the jackknife; a cluster's group depends on its number alone.
    """
    clusters = int(units.max(initial=-1)) + 1
    entries, counted = np.unique(units * n_cells + cells, return_counts=True)
    unit, cell = entries // n_cells, entries % n_cells
    size = np.bincount(units, minlength=clusters).astype(np.float64)
    total = max(1.0, float(size.sum()))
    counts = np.bincount(cell, weights=counted, minlength=n_cells)
    square = np.bincount(cell, weights=counted.astype(np.float64) ** 2, minlength=n_cells)
    cross = np.bincount(cell, weights=counted * size[unit], minlength=n_cells)
    share = counts / total
    variance = np.maximum(0.0, square - 2 * share * cross + share**2 * float((size**2).sum())) / total**2
    held = int((size > 0).sum())
    variance *= held / max(1, held - 1)
    at = (unit * 2_654_435_761 >> 7) % groups
    parts = np.bincount(at * n_cells + cell, weights=counted, minlength=groups * n_cells)
    return ClusteredShares(counts.astype(np.int64), variance, parts.reshape(groups, n_cells).astype(np.int64), held)


def left_out(moved: ClusteredShares, fixed: ClusteredShares) -> FloatArray:
    """Return the total variation distance with each group of clusters left out of one side, shape (groups,)."""
    still = fixed.counts / max(1, fixed.rows)
    left = moved.counts - moved.groups
    shares = left / np.maximum(1, left.sum(axis=1, keepdims=True))
    out: FloatArray = 0.5 * np.abs(shares - still).sum(axis=1)
    return out


def jackknife_error(one: ClusteredShares, other: ClusteredShares) -> float:
    """Return the standard error of the total variation distance of two sides, by leaving out groups of clusters.

    Delete-a-group jackknife (Efron and Stein 1981, Annals of Statistics 9, 586-596), both sides added up.
    """
    variance = 0.0
    for moved, fixed in ((one, other), (other, one)):
        values = left_out(moved, fixed)[moved.groups.sum(axis=1) > 0]
        n = len(values)
        if n > 1:
            variance += (n - 1) / n * float(((values - values.mean()) ** 2).sum())
    return float(np.sqrt(variance))


def unit_systems(evidence: Evidence, side: str) -> list[IntArray]:
    """Return every way in which rows belong together: by each topmost parent, or by sequence.

    An admission belongs to a patient and to a doctor, and its errors are those of the one that ties more.
    """
    if evidence.sequence is not None and evidence.sequence.key is not None:
        units = evidence.units[side]
        return [] if units is None else [units]
    systems: list[IntArray] = []
    for link in evidence.links:
        if is_fixed(link) or link.relationship.parent == link.relationship.child or side not in link.parent.sides:
            continue
        rows = parent_rows(evidence, link, side)
        above = unit_systems(link.parent, side)
        carried = [np.where(rows >= 0, units[np.maximum(rows, 0)], rows) for units in above] or [rows]
        systems += [_own_unit(units) for units in carried]
    return systems[:MOST_SYSTEMS]


def unit_designs(evidence: Evidence) -> dict[str, float]:
    """Return how much wider each column's errors are than for independent rows of the real table.

    Empty where rows stand for themselves. Of several parents the one that ties the rows most counts.
    """
    designs: dict[str, float] = {}
    for units in unit_systems(evidence, "real"):
        if int(units.max(initial=-1)) + 1 >= LEAST_CLUSTERS:
            for name, design in _designs(evidence, units).items():
                designs[name] = max(design, designs.get(name, 1.0))
    return designs


def _designs(evidence: Evidence, units: IntArray) -> dict[str, float]:
    designs = {}
    for name in evidence.shared:
        plan, column = evidence.plan[name], evidence.real.kept.get(name)
        if plan.is_paired and column is not None:
            codes = plan.encode(column).astype(np.int64)
            designs[name] = clustered_shares(units, codes, plan.n_codes).design
            if plan.role.is_continuous:  # distribution functions add up neighbouring bins, which come together
                half = (codes > np.median(codes)).astype(np.int64)
                designs[name] = max(designs[name], clustered_shares(units, half, 2).design)
        elif isinstance(column, Labels) and evidence.is_tie(name):
            designs[name] = clustered_shares(units, column.codes.astype(np.int64) + 1, len(column.labels) + 1, 1).design
    return designs


def unit_labels(evidence: Evidence, side: str, name: str) -> LabelCounts | None:
    """Return in how many independent units each label of a column occurs, or None where rows stand for themselves."""
    units, column = evidence.units[side], evidence.sides[side].kept.get(name)
    if units is None or not isinstance(column, Labels) or not evidence.sides[side].is_whole:
        return None
    here = column.codes >= 0
    entries = np.unique(units[here] * len(column.labels) + column.codes[here])
    counts = np.bincount(entries % max(1, len(column.labels)), minlength=len(column.labels))
    return LabelCounts.of(column.labels, counts.astype(np.int64))


def count_units(evidence: Evidence, side: str) -> int:
    """Return how many independent units a side has."""
    units = evidence.units[side]
    return len(evidence.sides[side].index) if units is None else int(units.max(initial=-1)) + 1


def observed_design(evidence: Evidence) -> float:
    """Return how much farther apart real and holdout lie than independent rows would.

    The mean over columns of their total variation distance over its expectation under random relabelling;
    used only when it lies clearly above 1.
    """
    if evidence.holdout is None:
        return 1.0
    ratios = []
    for name in evidence.shared:
        plan, there = evidence.plan[name], evidence.holdout.counts.columns.get(name)
        here = evidence.real.counts.columns[name]
        if not plan.is_paired or there is None or here.values.overflowed or there.values.overflowed:
            continue
        a, b = (code_counts(plan, side) for side in (here, there))
        if not (a.any() and b.any()):
            continue  # a column without a known value on one side lies nowhere
        expected = expected_total_variation(a + b, int(a.sum()), int(b.sum())).mean
        if expected > 0:
            ratios.append(total_variation(a, b).value / expected)
    mean = float(np.mean(ratios)) if len(ratios) >= 3 else 1.0
    return mean if mean > max(1.3, 1 + 1.2 / np.sqrt(max(1, len(ratios)))) else 1.0
