"""Suppression: what is left out of counts so that no cell of fewer than ``k`` rows can be told.

Pure functions from exact counts to suppressed ones, and the record of what they did and how much that moved,
which measures need to compare like with like.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from synthgate.counts import PairName
from synthgate.rounding import between, to_power
from synthgate.statistics.distances import kolmogorov_smirnov, total_variation
from synthgate.values import NumberCounts

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MAX_POINTS = 1_500
"""Most values of a continuous column that are kept, groups included."""
SWEEPS = 30


@dataclass(frozen=True, slots=True)
class Groups:
    """Runs of neighbouring values that are known only together.

    Attributes
    ----------
    low, high : float64 array, shape (groups,)
        Where each begins (included) and ends (not included, but for infinity); rising, disjoint.
    points : float64 array, shape (groups,)
        The value that stands for all of it.
    """

    low: FloatArray
    high: FloatArray
    points: FloatArray

    @classmethod
    def none(cls) -> Groups:
        """Return no groups."""
        return cls(np.empty(0), np.empty(0), np.empty(0))

    def coarsen(self, counts: NumberCounts) -> NumberCounts:
        """Count every value of a group at the group's point, so that both sides are known alike."""
        if not len(self.points) or counts.overflowed or not len(counts.values):
            return counts
        at = np.searchsorted(self.low, counts.values, side="right") - 1
        place = np.maximum(at, 0)
        inside = (at >= 0) & ((counts.values < self.high[place]) | np.isposinf(self.high[place]))
        values = np.where(inside, self.points[place], counts.values)
        distinct, place = np.unique(values, return_inverse=True)
        return NumberCounts(distinct, np.bincount(place, weights=counts.counts).astype(np.int64))


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnSuppression:
    """What was left out of one column.

    Attributes
    ----------
    share_gap : float
        Bound on how far the total variation distance to any other table moved, in [0, 1].
    step_gap : float
        The same of the Kolmogorov-Smirnov distance.
    bounds : (float, float)
        Beyond which no real value lies: the extremes, or round numbers farther out.
    groups : Groups
    unique : bool
        Every row has a value, and no two the same.
    masks : tuple of str
        The shapes of all texts, where they are few and each is frequent; else empty.
    """

    share_gap: float = 0.0
    step_gap: float = 0.0
    bounds: tuple[float, float] = (-np.inf, np.inf)
    groups: Groups = field(default_factory=Groups.none)
    unique: bool = False
    masks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Suppression:
    """What was left out of the real side's counts.

    Attributes
    ----------
    k : int
        Cells of fewer rows are not told.
    columns : dict of ColumnSuppression
    pairs : dict of float
        Per pair, a bound on how far its total variation distance to any other table moved.
    """

    k: int
    columns: Mapping[str, ColumnSuppression]
    pairs: Mapping[PairName, float]


def suppress_numbers(
    counts: NumberCounts, k: int, cuts: FloatArray, *, dates: bool = False
) -> tuple[NumberCounts, ColumnSuppression]:
    """Return counts without any value of fewer than `k` rows, and what that changed.

    Values of `k` rows or more stay. Runs of rarer ones form groups of at least `k` rows, which do not cross the
    `cuts` unless a bin holds fewer rows; a run of fewer than `k` rows between two frequent values is
    counted at the nearer one. In a column of more than :data:`MAX_POINTS` such points, groups are larger.

    Parameters
    ----------
    counts : NumberCounts
    k : int
    cuts : float64 array
        The bin edges of the plan, rising.
    dates : bool
        The numbers are microseconds since 1970.
    """
    if counts.total < k:
        return NumberCounts.empty(), ColumnSuppression()
    least = _least_rows(counts, k)
    group = _grouped(counts, least, cuts)
    frequent = counts.counts >= least
    if not frequent.any() and (group < 0).all():
        return NumberCounts.empty(), ColumnSuppression()
    moved = _absorbed(counts, frequent, group)
    groups, kept = _collected(moved, group, frequent, dates=dates)
    coarse = groups.coarsen(kept)
    share = total_variation(counts.binned(cuts), kept.binned(cuts)).value + _crossing(moved, group, cuts)
    step = kolmogorov_smirnov(counts, kept).value + _largest(moved, group) / counts.total
    return coarse, ColumnSuppression(share_gap=share, step_gap=step, bounds=_bounds(counts, k), groups=groups)


def _least_rows(counts: NumberCounts, k: int) -> int:
    frequent = counts.counts >= k
    points = int(frequent.sum()) + int(counts.counts[~frequent].sum()) // k
    return k if points <= MAX_POINTS else max(k, -(-2 * counts.total // MAX_POINTS))


def _grouped(counts: NumberCounts, least: int, cuts: FloatArray) -> IntArray:
    """Return the number of each distinct value's group, rising; -1 where it is in none."""
    frequent = counts.counts >= least
    run = np.cumsum(frequent) * 2 + frequent
    bins = np.searchsorted(cuts, counts.values, side="right")
    infinite = np.where(np.isinf(counts.values), np.sign(counts.values), 0)
    fresh = np.flatnonzero((np.diff(run) != 0) | (np.diff(bins) != 0) | (np.diff(infinite) != 0)) + 1
    starts = np.concatenate(([0], fresh)).astype(np.int64)
    ends = np.append(starts[1:], len(run))
    rows = np.add.reduceat(counts.counts, starts)
    out = np.full(len(run), -1, np.int64)
    number = 0
    for first, last in _joined(starts, ends, rows, run, frequent, least):
        inside = counts.counts[first:last]
        total = int(inside.sum())
        parts = max(1, total // (least + int(inside.max()) - 1))
        # value j ends after cum[j] rows: parts of equal mass hold at least `least` rows each
        place = -(-np.cumsum(inside) * parts // total) - 1
        _, place = np.unique(place, return_inverse=True)
        out[first:last] = number + place
        number += int(place[-1]) + 1
    return out


def _joined(
    starts: IntArray, ends: IntArray, rows: IntArray, run: IntArray, frequent: NDArray[np.bool_], least: int
) -> list[tuple[int, int]]:
    """Join neighbouring stretches of one run of rare values until each holds enough rows; drop runs that never do."""
    joined: list[tuple[int, int]] = []
    open_from, held, last_run = -1, 0, -1
    for first, last, count in zip(starts.tolist(), ends.tolist(), rows.tolist(), strict=True):
        if frequent[first]:
            continue
        if run[first] != last_run:
            open_from, held, last_run = first, 0, int(run[first])
        if held == 0:
            open_from = first
        held += count
        if held >= least:
            joined.append((open_from, last))
            held = 0
        elif joined and run[joined[-1][0]] == run[first] and (last == len(run) or run[last] != run[first]):
            # what is left at the end of a run joins the stretch before it
            joined[-1] = (joined[-1][0], last)
    return joined


def _absorbed(counts: NumberCounts, frequent: NDArray[np.bool_], group: IntArray) -> NumberCounts:
    """Count rows of runs too short for a group at the nearest value that is kept or grouped."""
    kept = frequent | (group >= 0)
    homes = np.flatnonzero(kept)
    lost = np.flatnonzero(~kept)
    out = np.where(kept, counts.counts, 0)
    if len(lost):
        right = np.searchsorted(homes, lost)
        before = homes[np.maximum(right - 1, 0)]
        after = homes[np.minimum(right, len(homes) - 1)]
        with np.errstate(invalid="ignore", over="ignore"):
            near = np.abs(counts.values[lost] - counts.values[before]) <= np.abs(
                counts.values[after] - counts.values[lost]
            )
        home = np.where((right == len(homes)) | (near & (right > 0)), before, after)
        np.add.at(out, home, counts.counts[lost])
    return NumberCounts(counts.values, out)


def _collected(
    counts: NumberCounts, group: IntArray, frequent: NDArray[np.bool_], *, dates: bool
) -> tuple[Groups, NumberCounts]:
    """Return the groups, and the counts before any is drawn together."""
    kept = frequent | (group >= 0)
    moved = NumberCounts(counts.values[kept], counts.counts[kept])
    members = np.flatnonzero(group >= 0)
    if not len(members):
        return Groups.none(), moved
    _, starts = np.unique(group[members], return_index=True)
    first, last = members[starts], members[np.append(starts[1:], len(members)) - 1]
    low, high = _borders(counts.values, first, last, dates=dates)
    return Groups(low, high, _points(counts, members, starts, (low, high))), moved


def _borders(values: FloatArray, first: IntArray, last: IntArray, *, dates: bool) -> tuple[FloatArray, FloatArray]:
    """Return where groups begin and end: short numbers between neighbouring values, or beyond every number."""

    def cut(left: IntArray) -> FloatArray:
        """Return a number between ``values[left]`` and the next value."""
        here, there = values[left], values[left + 1]
        finite = np.isfinite(here) & np.isfinite(there)
        safe = between(np.where(finite, here, 0.0), np.where(finite, there, 1.0), dates=dates)
        outside = np.where(np.isfinite(here), np.finfo(np.float64).max, -np.finfo(np.float64).max)
        return np.where(finite, np.where(np.isnan(safe), there, safe), outside)

    low, high = np.full(len(first), -np.inf), np.full(len(last), np.inf)
    inner, outer = first > 0, last < len(values) - 1
    low[inner] = cut(first[inner] - 1)
    high[outer] = cut(last[outer])
    return low, high


def _points(
    counts: NumberCounts, members: IntArray, starts: IntArray, borders: tuple[FloatArray, FloatArray]
) -> FloatArray:
    """Return a short number near each group's mean, inside it, that is none of its values."""
    values, weights = counts.values[members], counts.counts[members]
    least, most = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    weights = np.where(np.isfinite(values), weights, 0)
    rows = np.maximum(1, np.add.reduceat(weights, starts))
    shares = weights / np.repeat(rows, np.diff(np.append(starts, len(values))))
    mean = np.add.reduceat(np.where(np.isfinite(values), values, 0.0) * shares, starts)
    with np.errstate(invalid="ignore", over="ignore"):
        width = most / 2 - least / 2
    usable = np.isfinite(width) & (width > 0)
    power = np.floor(np.log10(np.where(usable, width, 1.0)))
    out, found = mean.copy(), ~usable
    for digits in (1, 2, 3):
        near = to_power(mean, power - digits)
        fits = ~found & (near > least) & (near < most) & ~np.isin(near, counts.values)
        out[fits], found = near[fits], found | fits
    return _apart(out, counts.values, borders)


def _apart(points: FloatArray, values: FloatArray, borders: tuple[FloatArray, FloatArray]) -> FloatArray:
    """Move points that coincide with a real value to between it and its neighbour."""
    low, high = borders
    same = np.flatnonzero(np.isin(points, values))
    for at in same.tolist():
        place = int(np.searchsorted(values, points[at]))
        for left in (place, place - 1):
            if 0 <= left < len(values) - 1 and np.isfinite(values[left : left + 2]).all():
                moved = float(between(values[left : left + 1], values[left + 1 : left + 2])[0])
                if low[at] <= moved < high[at]:
                    points[at] = moved
                    break
    return points


def _crossing(counts: NumberCounts, group: IntArray, cuts: FloatArray) -> float:
    """Return the share of rows in groups that lie in more than one bin."""
    members = group >= 0
    if not members.any() or not len(cuts):
        return 0.0
    bins = np.searchsorted(cuts, counts.values[members], side="right")
    numbers = group[members]
    _, starts = np.unique(numbers, return_index=True)
    across = np.minimum.reduceat(bins, starts) != np.maximum.reduceat(bins, starts)
    return float(np.add.reduceat(counts.counts[members], starts)[across].sum()) / counts.total


def _largest(counts: NumberCounts, group: IntArray) -> int:
    members = group >= 0
    return int(np.bincount(group[members], weights=counts.counts[members]).max()) if members.any() else 0


def _bounds(counts: NumberCounts, k: int) -> tuple[float, float]:
    """Return numbers beyond which no real value lies, and which say of the outermost value only what is true of `k`.

    The extreme itself when `k` rows have it; else the end of the smallest cell of a round grid (steps of 1, 2
    or 5 times a power of ten) in which the `k` outermost rows all lie; infinite when there is none.
    """
    total = np.cumsum(counts.counts)
    inner = float(counts.values[np.searchsorted(total, k)])
    upper = _outward(float(counts.values[np.searchsorted(total, counts.total - k, side="right")]), counts.values[-1])
    return -_outward(-inner, -counts.values[0]), upper


def _outward(inner: float, extreme: float) -> float:
    if inner == extreme or not np.isfinite(extreme):
        return float(extreme)
    with np.errstate(over="ignore", invalid="ignore"):
        first = int(np.floor(np.log10(max(extreme - inner, np.finfo(np.float64).tiny))))
        for power in range(max(first, -290), min(first + 20, 308)):
            for times in (1.0, 2.0, 5.0):
                step = float(to_power(np.array(times * 10.0**power), np.array(float(power))))
                for shift in (0.0, 0.5):
                    cell = np.floor(extreme / step + shift)
                    end = float((cell + 1 - shift) * step)
                    if np.floor(inner / step + shift) == cell and extreme < end < np.inf:
                        return end
    return float("inf")


def suppress_margin(rows: IntArray, k: int) -> IntArray:
    """Return the rows of a column's bins, those of bins of fewer than `k` counted in the largest one."""
    small = rows < k
    out = np.where(small, 0, rows)
    out[np.argmax(rows)] += rows[small].sum()
    return out


def suppress_table(table: IntArray, k: int) -> IntArray:
    """Return a contingency table with cells of fewer than `k` rows set to zero, and nothing to be had by subtraction.

    What a row or column holds beside its kept cells could be had by subtraction from its total. Where that is
    fewer than `k` rows, they are moved: into a large cell of the line, and back in another line, so that
    all totals stay and no cell changes by `k` rows or more (controlled tabular adjustment: Dandekar and
    Cox 2002). Where no such cells are, the smallest kept cell of the line is taken out, too (secondary suppression).
    """
    work = table.copy()
    for _ in range(2):
        for view in (work, work.T):
            for line in _thin(view, k):
                _clear(view, line, k)
    kept = np.where(work >= k, work, 0)
    for view, known in ((work, kept), (work.T, kept.T)) * 2:
        for line in _thin(view, k, known):
            while known[line].any() and 0 < view[line].sum() - known[line].sum() < k:
                there = np.flatnonzero(known[line])
                known[line, there[np.argmin(known[line, there])]] = 0
    return kept


def _thin(table: IntArray, k: int, kept: IntArray | None = None) -> list[int]:
    """Return the rows whose cells that are not kept hold fewer than `k` rows together, and at least one."""
    known = np.where(table >= k, table, 0) if kept is None else kept
    rest = table.sum(axis=1) - known.sum(axis=1)
    lines: list[int] = np.flatnonzero((rest > 0) & (rest < k) & known.any(axis=1)).tolist()
    return lines


def _clear(table: IntArray, line: int, k: int) -> None:
    """Move the rows of a line's small cells into its largest cell, and as many back in another line."""
    into = int(np.argmax(table[line]))
    for small in np.flatnonzero((table[line] > 0) & (table[line] < k)).tolist():
        moved = int(table[line, small])
        fits = (table[:, into] >= k + moved) & (table[:, small] >= k)
        fits[line] = False
        if fits.any():
            other = int(np.argmax(np.where(fits, np.minimum(table[:, into], table[:, small]), -1)))
            table[line, small] -= moved
            table[line, into] += moved
            table[other, small] += moved
            table[other, into] -= moved


def fill_table(kept: IntArray, rows: IntArray, columns: IntArray) -> IntArray:
    """Return a whole table: kept cells as they are, the other rows spread as the margins say.

    The rest of each margin is spread over the cells that were taken out in proportion to the product of both
    margins, by iterative proportional fitting (Deming and Stephan 1940, Annals of Mathematical Statistics 11,
    427-444), and rounded to whole rows by largest remainders.

    Parameters
    ----------
    kept : int64 array, shape (rows, columns)
        Zero where a cell was taken out.
    rows, columns : int64 array
        The whole table's margins.
    """
    left, top = np.maximum(0, rows - kept.sum(axis=1)), np.maximum(0, columns - kept.sum(axis=0))
    total = int(left.sum())
    if not total or not top.sum():
        return kept.copy()
    product = np.outer(left, top) / total
    spread = np.where(kept == 0, product, 0.0)
    for _ in range(SWEEPS):
        for axis, wanted in ((1, left), (0, top)):
            have = spread.sum(axis=axis)
            factor = np.where(have > 0, wanted / np.where(have > 0, have, 1.0), 0.0)
            spread = spread * (factor[:, None] if axis == 1 else factor[None, :])
    if not spread.sum() > 0:
        spread = product  # margins that were suppressed, too, may leave rows for kept cells alone
    spread *= total / spread.sum()
    whole = np.floor(spread + 1e-9)
    missing = total - int(whole.sum())
    if missing > 0:
        # rounded, so that the last bits of a machine's arithmetic decide no tie
        order = np.argsort(-np.round((spread - whole).ravel(), 9), kind="stable")[:missing]
        whole.ravel()[order] += 1
    return kept + whole.astype(np.int64)
