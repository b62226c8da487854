"""Diversity: is there a synthetic row near every real one, and are synthetic rows as different from each other?

Both answers are ratios to what fresh real rows reach at the same size: the holdout, else a random half of real.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthgate.counts import GROUPS, row_groups
from synthgate.encoding import Float32Array
from synthgate.findings import Estimate, Limit, Measured
from synthgate.statistics.distances import FloatArray
from synthgate.statistics.intervals import LEVEL, newcombe, z_value

NEIGHBOURS = 5
MAX_ROWS = 2_000
MIN_ROWS = 100
MIN_REGION_ROWS = 10
CLOSE = 1e-5
FINDINGS = 3
LEAST_UNREPEATED = 0.95

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Regions:
    """Where rows belong, and what each region is called.

    Attributes
    ----------
    of_real, of_synthetic : intp array
        The region of every used row.
    words : sequence of str
    """

    of_real: NDArray[np.intp]
    of_synthetic: NDArray[np.intp]
    words: Sequence[str]


@dataclass(frozen=True, slots=True)
class Drawn:
    """Equally many rows of three kinds, as places in their tables' encoded rows.

    Attributes
    ----------
    real, fresh, synthetic : intp array
        `real` and `fresh` share no row; `fresh` counts in the holdout, where there is one of enough rows.
    has_holdout : bool
    """

    real: NDArray[np.intp]
    fresh: NDArray[np.intp]
    synthetic: NDArray[np.intp]
    has_holdout: bool


def draw(real: int, synthetic: int, holdout: int, rng: np.random.Generator) -> Drawn | None:
    """Draw the rows to compare, at most :data:`MAX_ROWS` of a kind; None when there are too few."""
    order = rng.permutation(real)
    has_holdout = holdout >= MIN_ROWS
    cut = real if has_holdout else real // 2
    fresh = rng.permutation(holdout) if has_holdout else order[cut:]
    n = min(cut, len(fresh), synthetic, MAX_ROWS)
    if n < MIN_ROWS:
        return None
    return Drawn(order[:n], fresh[:n], rng.permutation(synthetic)[:n], has_holdout)


def findings(real: Float32Array, fresh: Float32Array, synthetic: Float32Array, regions: Regions) -> list[Measured]:
    """Return the coverage of real neighbourhoods and the distinct rows, next to fresh real rows.

    Parameters
    ----------
    real, fresh, synthetic : float32 array, shape (rows, dimensions)
        As many rows of each.
    """
    apart = _distances(real, real)
    np.fill_diagonal(apart, np.inf)
    close = CLOSE * (1 + float(np.median((real**2).sum(axis=1))))
    radius = np.partition(apart, NEIGHBOURS - 1, axis=1)[:, NEIGHBOURS - 1] + close
    near = float(np.median(apart.min(axis=1))) + close
    there = {"synthetic": synthetic, "fresh": fresh}
    inside = {name: _by_group(_distances(real, rows) <= radius[:, None]) for name, rows in there.items()}
    alike = {}
    for name, rows in there.items():
        between = _distances(rows, rows)
        np.fill_diagonal(between, np.inf)
        alike[name] = _by_group(between <= near)
    return [_coverage(inside, regions), _distinct(alike, regions)]


def _distances(a: Float32Array, b: Float32Array) -> Float32Array:
    """Return the squared Euclidean distances."""
    out: Float32Array = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None, :] - 2 * (a @ b.T)
    return out


def _by_group(near: BoolArray) -> FloatArray:
    """Return how many rows of each random group lie near each row, shape (rows, GROUPS)."""
    groups = np.eye(GROUPS, dtype=np.float32)[row_groups(0, near.shape[1])]
    counts: FloatArray = np.rint(near.astype(np.float32) @ groups).astype(np.float64)
    return counts


def _coverage(inside: dict[str, FloatArray], regions: Regions) -> Measured:
    """Share of real rows with a synthetic row among their five nearest real rows' reach (Naeem et al. 2020)."""
    total = {name: counts.sum(axis=1) for name, counts in inside.items()}
    covered = {name: count > 0 for name, count in total.items()}
    without = {name: ((total[name][:, None] - counts) > 0).mean(axis=0) for name, counts in inside.items()}
    groups = row_groups(0, len(regions.of_real))
    both = [np.array([covered[name][groups != g].mean() for g in range(GROUPS)]) for name in ("synthetic", "fresh")]
    value, best = (float(covered[name].mean()) for name in ("synthetic", "fresh"))
    spreads = [
        without["synthetic"] / best,
        value / np.maximum(without["fresh"], 1e-9),
        both[0] / np.maximum(both[1], 1e-9),
    ]
    estimate = _ratio(value / max(best, 1e-9), spreads)
    short = covered["fresh"].astype(np.float64) - covered["synthetic"]
    found = f"{value:.1%} of real rows have a synthetic row in their neighbourhood"
    message = f"{found}; as many fresh real rows reach {best:.1%}"
    message += _most(short, regions.of_real, regions.words, "least covered") if estimate.high < 1 else ""
    density = {name: float(count.mean()) / NEIGHBOURS for name, count in total.items()}
    return Measured(
        metric="neighbourhood_coverage_ratio",
        message=message,
        estimate=estimate,
        details={
            "coverage": value,
            "coverage_fresh": best,
            "density": density["synthetic"],
            "density_fresh": density["fresh"],
        },
    )


def _distinct(alike: dict[str, FloatArray], regions: Regions) -> Measured:
    """Effective number of distinct rows: each counts one over the number of rows as near as it and its like."""
    each = {name: 1 / (1 + counts.sum(axis=1)) for name, counts in alike.items()}
    value, best = (float(each[name].mean()) for name in ("synthetic", "fresh"))
    without = {name: _without(counts) for name, counts in alike.items()}
    spreads = [without["synthetic"] / best, value / without["fresh"]]
    estimate = _ratio(value / best, spreads)
    rows = len(regions.of_synthetic)
    found = f"{rows:,} synthetic rows count as {value * rows:,.0f} distinct ones"
    message = f"{found}, as many fresh real rows as {best * rows:,.0f}"
    if estimate.high < 1:
        message += _most(1 - each["synthetic"], regions.of_synthetic, regions.words, "most alike")
    return Measured(
        metric="distinct_rows_ratio",
        message=message,
        estimate=estimate,
        details={"distinct_share": value, "distinct_share_fresh": best, "rows": rows},
    )


def repeated(real: Float32Array, synthetic: Float32Array, rng: np.random.Generator) -> Measured:
    """Share of rows that equal another row, ids aside; they come at least in twos, so that the interval is widened.

    Of all rows, as many of each: among a few drawn ones hardly two are left of those that are written twice.

    Parameters
    ----------
    real, synthetic : float32 array, shape (rows, dimensions)
    rng : numpy.random.Generator
        Draws the rows of the longer table.
    """
    n = min(len(real), len(synthetic))
    shares = {}
    for name, rows in (("synthetic", synthetic), ("real", real)):
        _, times = np.unique(_marks(rows[rng.permutation(len(rows))[:n]]), return_counts=True)
        shares[name] = int(times[times > 1].sum())
    excess = max(0, shares["synthetic"] - shares["real"]) / n
    z = z_value(looks=FINDINGS) * 2**0.5
    low, high = newcombe((shares["synthetic"], shares["real"]), (n, n), z)
    return Measured(
        metric="repeated_rows",
        message=(
            f"{shares['synthetic'] / n:.1%} of {n:,} synthetic rows equal another one, "
            f"of as many real rows {shares['real'] / n:.1%}"
        ),
        estimate=Estimate(
            value=1 - excess,
            low=min(1.0, 1 - high),
            high=min(1.0, 1 - low),
            method=f"Newcombe, z = {z:.2f} for rows in twos",
            ceiling=1.0,
            floor=0.0,
        ),
        limit=Limit(min=LEAST_UNREPEATED),
        details={"repeated_share": shares["synthetic"] / n, "repeated_share_real": shares["real"] / n, "rows": n},
    )


def _marks(rows: Float32Array) -> NDArray[np.uint64]:
    """Return a number for each row that equal rows share, and others by chance in one pair of 10^19."""
    marks = np.zeros(len(rows), np.uint64)
    for column in rows.T:
        # zero added turns -0.0 into 0.0, so that the two are one value
        marks += np.ascontiguousarray(column + np.float32(0)).view(np.uint32)
        marks ^= marks >> np.uint64(29)
        marks *= np.uint64(0x9E3779B97F4A7C15)
    return marks


def _without(counts: FloatArray) -> FloatArray:
    """Return the mean of one over one plus the row's like, with one random group of rows left out at a time."""
    groups = row_groups(0, len(counts))
    total = counts.sum(axis=1)
    return np.array([(1 / (1 + total - counts[:, g]))[groups != g].mean() for g in range(GROUPS)])


def _ratio(value: float, left_out: Sequence[FloatArray]) -> Estimate:
    """Return a ratio, at most one, with its delete-a-group interval (Efron and Stein 1981)."""
    from scipy.special import stdtrit

    variance = sum((GROUPS - 1) / GROUPS * float(((part - part.mean()) ** 2).sum()) for part in left_out)
    half = float(stdtrit(GROUPS - 1, 1 - (1 - LEVEL) / (2 * FINDINGS))) * variance**0.5
    return Estimate(
        value=min(1.0, value),
        low=min(1.0, max(0.0, value - half)),
        high=min(1.0, value + half),
        method="delete-a-group jackknife, Student's t, 95 % for all",
        ceiling=1.0,
        floor=0.0,
    )


def _most(short: FloatArray, region: NDArray[np.intp], words: Sequence[str], what: str) -> str:
    """Word the region in which most is missing; one with few real rows is not told."""
    lacking = np.bincount(region, weights=short, minlength=len(words))
    lacking[np.bincount(region, minlength=len(words)) < MIN_REGION_ROWS] = 0
    at = int(np.argmax(lacking))
    return f"; {what}: {words[at]}" if lacking[at] > 0 else ""
