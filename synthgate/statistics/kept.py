"""How much of a known dependence other rows keep: a contrast learnt on some rows, and its mean on rows it never saw.

A contrast says for each cell of a table how much more frequent it is than it would be without the dependence. Learnt
on one half of the real rows, its mean is taken on the other half, and on the synthetic rows; their ratio is 1 where
the dependence is as in real, and 0 where it is gone. One number is looked at instead of all cells, in the direction of
the real dependence alone (Rao 1948, Proceedings of the Cambridge Philosophical Society 44, 50-57, the score test).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from synthgate.findings import Estimate, Position
from synthgate.statistics.distances import FloatArray

FEW = 3.0
"""Rows by which a cell's expectation is raised, so that nearly empty cells do not outweigh all others."""
SURE = 0.998
"""Level at which all shares of a kind hold together."""
LEAST_SIGNAL = 6.0
"""Least real dependence, in its standard errors, of which a share is told."""
NOTHING = 1e-6
"""What sums of rounded numbers leave of a dependence that is not there."""
SWEEPS = 6
APART = 3.0
"""Standard errors from which on real and holdout are taken to have drifted apart."""
_PAIR = (-2, -1)


@dataclass(frozen=True, slots=True)
class Means:
    """Means of some subjects over rows, their standard errors and how many rows there are."""

    mean: FloatArray
    error: FloatArray
    rows: FloatArray


@dataclass(frozen=True, slots=True)
class Kept:
    """A contrast's mean on synthetic and on real rows, with their standard errors."""

    synthetic: float
    synthetic_error: float
    real: float
    real_error: float

    @property
    def is_known(self) -> bool:
        """Whether the real dependence is beyond doubt."""
        return self.real > max(NOTHING, LEAST_SIGNAL * self.real_error)

    @property
    def share(self) -> float:
        """The share kept."""
        return self.synthetic / self.real

    def interval(self, z: float) -> tuple[float, float]:
        """Return the ends of the share's interval: the ratio of two independent means.

        Source: Fieller (1954), Journal of the Royal Statistical Society B 16, 175-185.
        """
        a = self.real**2 - (z * self.real_error) ** 2
        if a <= 0:
            return float("-inf"), float("inf")
        b, c = self.synthetic * self.real, self.synthetic**2 - (z * self.synthetic_error) ** 2
        root = sqrt(max(0.0, b * b - a * c))
        return (b - root) / a, (b + root) / a

    def estimate(self, z: float, looks: int) -> Estimate:
        """Return the share with its interval, one of so many that hold together."""
        low, high = self.interval(z)
        at = [min(1.0, max(0.0, value)) for value in (self.share, low, high)]
        return Estimate(
            value=self.share,
            low=low,
            high=high,
            method=f"ratio of two means of independent rows by Fieller's theorem, 99.8 % over {looks:,} such findings",
            ceiling=1.0,
            floor=0.0,
            position=Position(value=at[0], low=at[1], high=at[2]),
        )


def of_known_rows(real: Means, held: Means | None) -> tuple[FloatArray, FloatArray]:
    """Return the mean of real and holdout rows together with its error, or the smaller where they have drifted apart.

    Synthetic rows are made from real ones; what a later holdout lost, or has more of, is not theirs to keep.
    """
    if held is None:
        return real.mean, real.error
    rows = np.maximum(1.0, real.rows + held.rows)
    mean = (real.rows * real.mean + held.rows * held.mean) / rows
    error = np.hypot(real.rows * real.error, held.rows * held.error) / rows
    drifted = np.abs(real.mean - held.mean) > APART * np.hypot(real.error, held.error)
    less = real.mean < held.mean
    return (
        np.where(drifted, np.where(less, real.mean, held.mean), mean),
        np.where(drifted, np.where(less, real.error, held.error), error),
    )


def pair_contrast(counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return how far each cell of two columns lies from independence, and how much of that is more than chance.

    Parameters
    ----------
    counts : float64 array, shape (..., a, b)

    Returns
    -------
    contrast : float64 array of the same shape
        Rows beyond the expected ones over the expected ones.
    surely : float64 array, shape (..., 1, 1)
        In [0, 1], one less degrees of freedom over Pearson's statistic: the shrinkage of a mean towards zero
        (James and Stein 1961, Proceedings of the Fourth Berkeley Symposium 1, 361-379).
    """
    down, across = counts.sum(-1, keepdims=True), counts.sum(-2, keepdims=True)
    expected = down * across / np.maximum(1.0, counts.sum(_PAIR, keepdims=True))
    apart = counts - expected
    freedom = _levels(down) * _levels(across)
    statistic = (apart**2 / np.where(expected > 0, expected, 1.0)).sum(_PAIR, keepdims=True)
    surely = np.clip(1.0 - freedom / np.maximum(statistic, 1e-9), 0.0, 1.0)
    return apart / (expected + FEW), surely


def _levels(margin: FloatArray) -> FloatArray:
    found: FloatArray = np.maximum(0, (margin > 0).sum(_PAIR, keepdims=True) - 1)
    return found


def without_margins(contrast: FloatArray, counts: FloatArray) -> FloatArray:
    """Return a contrast whose mean over some rows is that of their deviation from independence.

    What the margins of these rows alone do to the mean is taken off, so that other margins lose nothing, and each
    cell holds what a row in it adds to first order.

    Parameters
    ----------
    contrast, counts : float64 array, shape (..., a, b)
    """
    shares = counts / np.maximum(1.0, counts.sum(_PAIR, keepdims=True))
    down, across = shares.sum(-1, keepdims=True), shares.sum(-2, keepdims=True)
    in_rows = (contrast * across).sum(-1, keepdims=True)
    in_columns = (contrast * down).sum(-2, keepdims=True)
    out: FloatArray = contrast - in_rows - in_columns + (in_rows * down).sum(-2, keepdims=True)
    return out


def pair_mean(contrast: FloatArray, counts: FloatArray) -> Means:
    """Return a contrast's mean over some rows less what their margins alone give.

    Parameters
    ----------
    contrast, counts : float64 array, shape (tables, a, b)
    """
    return _mean(without_margins(contrast, counts), counts)


def _mean(adds: FloatArray, counts: FloatArray) -> Means:
    """Return the mean of what each row adds, by its cell."""
    axes = tuple(range(1, counts.ndim))
    rows = np.maximum(1.0, counts.sum(axes))
    shares = counts / rows.reshape(-1, *(1 for _ in axes))
    mean = (shares * adds).sum(axes)
    return Means(mean, np.sqrt(np.maximum(0.0, (shares * adds**2).sum(axes) - mean**2) / rows), rows)


def triple_contrast(counts: FloatArray, fitted: FloatArray) -> FloatArray:
    """Return how far each cell of three columns lies from the table that keeps their pairs alone.

    Parameters
    ----------
    counts : float64 array, shape (tables, a, b, c)
    fitted : float64 array of the same shape
        Shares, from :func:`synthgate.statistics.joint.pairs_only`.
    """
    expected = fitted * counts.sum((1, 2, 3), keepdims=True)
    contrast: FloatArray = (counts - expected) / (expected + FEW)
    return contrast


def triple_mean(contrast: FloatArray, counts: FloatArray, fitted: FloatArray) -> Means:
    """Return a contrast's mean over some rows less what their pairs alone give, and its standard error.

    What functions of two of the columns can tell is taken off the contrast, in the weights of the fitted table: its
    mean over that table is nothing then, and other pair tables lose nothing.

    Parameters
    ----------
    contrast, counts, fitted : float64 array, shape (tables, a, b, c)
    """
    left = contrast.copy()
    for _ in range(SWEEPS):
        for axis in (1, 2, 3):
            weight = fitted.sum(axis, keepdims=True)
            left -= (fitted * left).sum(axis, keepdims=True) / np.where(weight > 0, weight, 1.0)
    return _mean(left, counts)
