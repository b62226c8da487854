"""Distances between two counted distributions, and what fresh rows and careless draws would score.

The reference distances need no resampling. Under "both samples come from one population" the
rows are exchangeable, so every cell of the pooled counts is split at random between the two;
the expected distance and its spread follow cell by cell from the pooled counts alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import pi, sqrt

import numpy as np
from numpy.typing import NDArray

from synthgate.values import NumberCounts

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

EXACT_CELLS = 40
KOLMOGOROV_MEAN = 0.868731160636159
KOLMOGOROV_STD = 0.260332987091083


@dataclass(frozen=True, slots=True)
class Distance:
    """A distance with its standard error."""

    value: float
    error: float


@dataclass(frozen=True, slots=True)
class Reference:
    """The distance that random rows would show: mean and spread."""

    mean: float
    spread: float


def total_variation(real: IntArray, synthetic: IntArray) -> Distance:
    """Return the total variation distance of two count vectors, with its standard error.

    ``TV = 1/2 sum |p - q|``. Each cell's difference is normal with variance ``v = p (1 - p) / n +
    q (1 - q) / m``; its absolute value varies by ``v`` where the cells clearly differ and by
    ``(1 - 2 / pi) v`` where they do not (folded normal), and the error runs between the two as
    the difference grows from one to three standard errors. Clear differences are not independent: what one cell has
    too much of, others lack. With weights ``w``, the sign of a clear difference and 0 else, ``sum w (p - q)`` varies by
    ``(sum w^2 p - (sum w p)^2) / n + (sum w^2 q - (sum w q)^2) / m`` (multinomial covariance).

    Parameters
    ----------
    real, synthetic : int64 array
        Counts over the same cells, of any equal shape.
    """
    n, m = int(real.sum()), int(synthetic.sum())
    if not n or not m:
        return Distance(1.0, 0.0)
    values, errors = total_variations(real.reshape(1, -1), synthetic.reshape(1, -1))
    return Distance(float(values[0]), float(errors[0]))


def total_variations(real: IntArray, synthetic: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return :func:`total_variation` and its standard error for many tables at once.

    Parameters
    ----------
    real, synthetic : int64 array, shape (tables, cells)
        Every table of a side holds the same number of rows, at least one.
    """
    n, m = int(real[0].sum()), int(synthetic[0].sum())
    p, q = real / n, synthetic / m
    variance = p * (1 - p) / n + q * (1 - q) / m
    gap = np.abs(p - q)
    clear = np.clip((gap / np.sqrt(np.where(variance > 0, variance, 1.0)) - 1) / 2, 0, 1)
    weight, folded = clear * np.sign(p - q), (1 - 2 / pi) + (2 / pi) * clear
    within = ((folded - clear**2) * variance).sum(axis=1)
    square = weight**2
    together = ((square * p).sum(axis=1) - (weight * p).sum(axis=1) ** 2) / n
    together += ((square * q).sum(axis=1) - (weight * q).sum(axis=1) ** 2) / m
    return 0.5 * gap.sum(axis=1), 0.5 * np.sqrt(np.maximum(within + together, 0.0))


def expected_total_variation(pool: IntArray, n: int, m: int) -> Reference:
    """Return the total variation distance of two disjoint random samples of one population.

    Parameters
    ----------
    pool : int64 array
        Counts of all rows known to come from the population (real and holdout).
    n, m : int
        Rows of the two samples. When the pool is smaller than both together, the distance is
        computed at the size that it affords and carried to ``n`` and ``m`` with the decay that
        the pool itself shows between half and full size.

    Returns
    -------
    Reference
        Expected distance and its standard deviation over random splits.
    """
    counts = pool.ravel()[pool.ravel() > 0]
    if int(counts.sum()) < 2 or len(counts) < 2:
        return Reference(0.0, 0.0)
    means, spreads = expected_total_variations(counts.reshape(1, -1), n, m)
    return Reference(float(means[0]), float(spreads[0]))


def expected_total_variations(pools: IntArray, n: int, m: int) -> tuple[FloatArray, FloatArray]:
    """Return :func:`expected_total_variation` (mean and spread) for many pooled tables at once.

    Parameters
    ----------
    pools : int64 array, shape (tables, cells)
        Every table holds the same number of rows, at least two.
    """
    total, needed = int(pools[0].sum()), n + m
    if total >= needed:
        return _split(pools, total, n / total, m / total)
    a, b = n / needed, m / needed
    full, half = _split(pools, total, a, b), _split(pools, total, a / 2, b / 2)
    known = (full[0] > 0) & (half[0] > 0)
    drop = np.log2(np.where(known, half[0], 1.0) / np.where(known, full[0], 1.0))
    decay = np.where(known, np.clip(drop, 0.0, 0.5), 0.5)
    ratio = needed / total
    return full[0] * ratio**-decay, full[1] * ratio**-0.5


def _split(counts: IntArray, total: int, a: float, b: float) -> tuple[FloatArray, FloatArray]:
    """Return the distance when each pooled row goes to one sample with chance `a`, to the other with `b`."""
    n, m = a * total, b * total
    square = counts * (a / n**2 + b / m**2) * (1 - counts / total)
    mean = np.sqrt(2 / pi * square)
    small = counts <= EXACT_CELLS
    if small.any():
        table = _small_cells(a, b, n, m)
        mean[small] = table[counts[small]] * np.sqrt(1 - counts[small] / total)
    variance = np.maximum(0.0, square - mean**2)
    cells = np.maximum(2, (counts > 0).sum(axis=1))
    return 0.5 * mean.sum(axis=1), 0.5 * np.sqrt(variance.sum(axis=1) * cells / (cells - 1))


@lru_cache(maxsize=64)
def _small_cells(a: float, b: float, n: float, m: float) -> FloatArray:
    """Return ``E|X/n - Y/m|`` for cells of 0..EXACT_CELLS pooled rows, split multinomially."""
    from scipy.special import gammaln

    k = np.arange(EXACT_CELLS + 1)
    log_choose = gammaln(k[:, None] + 1) - gammaln(k[None, :] + 1) - gammaln(np.maximum(k[:, None] - k[None, :], 0) + 1)
    below = k[None, :] <= k[:, None]

    def binomial(share: float) -> FloatArray:
        rest = np.maximum(k[:, None] - k[None, :], 0)
        with np.errstate(divide="ignore"):
            fail = np.where(rest > 0, rest * np.log(max(1 - share, 1e-300)), 0.0)
        return np.where(below, np.exp(log_choose + k[None, :] * np.log(share) + fail), 0.0)

    first = binomial(a / (a + b))
    gap = np.abs(k[None, :] / n - (k[:, None] - k[None, :]) / m)
    used = (first * np.where(below, gap, 0.0)).sum(axis=1)
    taken = binomial(min(a + b, 1.0)) if a + b < 1 else np.eye(EXACT_CELLS + 1)
    out: FloatArray = taken @ used
    return out


def careless_total_variation(real: IntArray, shares: FloatArray, m: int) -> float:
    """Return the expected distance of the real counts to `m` rows drawn from other shares.

    Each cell of the draw is normal around its share: ``E|N(mu, s^2)| = s sqrt(2/pi) exp(-mu^2 / 2 s^2) +
    mu erf(mu / (s sqrt 2))`` with ``mu = p - q``, ``s^2 = q (1 - q) / m`` (folded normal mean,
    Leone et al. 1961, Technometrics 3, 543-550).
    """
    return float(careless_total_variations(real.reshape(1, -1), shares.reshape(1, -1), m)[0])


def careless_total_variations(real: IntArray, shares: FloatArray, m: int) -> FloatArray:
    """Return :func:`careless_total_variation` for many tables at once, one a row."""
    from scipy.special import erf

    p = real / np.maximum(1, real.sum(axis=1, keepdims=True))
    mu, s = np.abs(p - shares), np.sqrt(np.maximum(shares * (1 - shares), 0.0) / m)
    safe = np.where(s > 0, s, 1.0)
    folded = s * sqrt(2 / pi) * np.exp(-(mu**2) / (2 * safe**2)) + mu * erf(mu / (safe * sqrt(2)))
    out: FloatArray = 0.5 * np.where(s > 0, folded, mu).sum(axis=1)
    return out


@dataclass(frozen=True, slots=True)
class Steps:
    """Two empirical distribution functions over one grid: how many values lie at or below each of its points."""

    grid: FloatArray
    real: FloatArray
    synthetic: FloatArray


def steps_of(real: NumberCounts, synthetic: NumberCounts) -> Steps:
    """Return the distribution functions of two counts over all their values."""
    grid = np.union1d(real.values, synthetic.values)
    return Steps(grid, _steps(real, grid), _steps(synthetic, grid))


def kolmogorov_smirnov(real: NumberCounts, synthetic: NumberCounts, steps: Steps | None = None) -> Distance:
    """Return the two-sample Kolmogorov-Smirnov distance, with its standard error.

    The largest gap between the two empirical distribution functions; the error is that of the
    two shares at the place of the largest gap. `steps` spares making them anew.
    """
    n, m = real.total, synthetic.total
    if not n or not m:
        return Distance(1.0, 0.0)
    steps = steps or steps_of(real, synthetic)
    f, g = steps.real / n, steps.synthetic / m
    at = int(np.argmax(np.abs(f - g)))
    error = sqrt(f[at] * (1 - f[at]) / n + g[at] * (1 - g[at]) / m)
    return Distance(float(abs(f[at] - g[at])), error)


def _steps(counts: NumberCounts, grid: FloatArray) -> FloatArray:
    total = np.concatenate(([0], np.cumsum(counts.counts)))
    return total[np.searchsorted(counts.values, grid, side="right")].astype(np.float64)


def expected_kolmogorov_smirnov(n: int, m: int) -> Reference:
    """Return the distance of two samples of one continuous population.

    Mean and standard deviation of the Kolmogorov distribution over ``sqrt(n m / (n + m))``
    (Kolmogorov 1933); for columns with ties it is an upper bound.
    """
    scale = sqrt((n + m) / (n * m)) if n and m else 1.0
    return Reference(KOLMOGOROV_MEAN * scale, KOLMOGOROV_STD * scale)


def uniform_kolmogorov_smirnov(real: NumberCounts) -> float:
    """Return the distance of the real values to a uniform draw over their range."""
    kept = real.finite()
    if len(kept.values) < 2:
        return 0.0
    values = kept.values / max(1.0, float(np.abs(kept.values).max()))
    uniform = (values - values[0]) / (values[-1] - values[0])
    above = np.cumsum(kept.counts) / kept.total
    below = above - kept.counts / kept.total
    return float(max(np.abs(above - uniform).max(), np.abs(uniform - below).max()))


def wasserstein(real: NumberCounts, synthetic: NumberCounts, steps: Steps | None = None) -> float:
    """Return the 1-Wasserstein distance of the finite values, in the column's own unit."""
    a, b = real.finite(), synthetic.finite()
    if not a.total or not b.total:
        return float("nan")
    steps = steps if steps is not None and a is real and b is synthetic else steps_of(a, b)
    gap = np.abs(steps.real / a.total - steps.synthetic / b.total)
    scale = max(1.0, float(np.abs(steps.grid).max()))
    return float((gap[:-1] * np.diff(steps.grid / scale)).sum()) * scale


def jensen_shannon(real: IntArray, synthetic: IntArray) -> float:
    """Return the Jensen-Shannon distance (square root of the divergence, base 2), in [0, 1]."""
    p, q = real.ravel() / max(1, real.sum()), synthetic.ravel() / max(1, synthetic.sum())
    middle = (p + q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.where(p > 0, p * np.log2(p / middle), 0.0).sum()
        right = np.where(q > 0, q * np.log2(q / middle), 0.0).sum()
    return float(sqrt(max(0.0, (left + right) / 2)))


def mutual_information(table: IntArray) -> float:
    """Return the mutual information of a contingency table, in nats."""
    total = table.sum()
    if not total:
        return 0.0
    joint = table / total
    outer = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    seen = joint > 0
    return float(max(0.0, (joint[seen] * np.log(joint[seen] / outer[seen])).sum()))


def cramers_v(table: IntArray) -> float:
    """Return Cramer's V of a contingency table, corrected for bias, in [0, 1].

    Source: Bergsma (2013), Journal of the Korean Statistical Society 42, 323-328.
    """
    kept = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    total = kept.sum()
    rows, columns = kept.shape
    if total < 2 or min(rows, columns) < 2:
        return 0.0
    expected = kept.sum(axis=1, keepdims=True) * (kept.sum(axis=0, keepdims=True) / total)
    phi = float(((kept - expected) ** 2 / expected).sum() / total)
    phi = max(0.0, phi - (rows - 1) * (columns - 1) / (total - 1))
    rows_c = rows - (rows - 1) ** 2 / (total - 1)
    columns_c = columns - (columns - 1) ** 2 / (total - 1)
    return float(sqrt(min(1.0, phi / max(1e-12, min(rows_c - 1, columns_c - 1)))))
