"""Intervals for shares and differences of shares, and normal quantiles."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95


def z_value(level: float = LEVEL, looks: int = 1) -> float:
    """Return the two-sided normal quantile at `level`, shared over `looks` intervals (Bonferroni).

    Parameters
    ----------
    level : float
        In (0, 1).
    looks : int
        How many intervals shall hold together.
    """
    from scipy.special import ndtri

    return float(ndtri(1 - (1 - level) / (2 * max(1, looks))))


def t_value(freedom: int, level: float = LEVEL, looks: int = 1) -> float:
    """Return the two-sided quantile of Student's t at `level`, shared over `looks` intervals (Bonferroni).

    Parameters
    ----------
    freedom : int
        Degrees of freedom, at least 1.
    level : float
        In (0, 1).
    looks : int
        How many intervals shall hold together.
    """
    from scipy.special import stdtrit

    return float(stdtrit(max(1, freedom), 1 - (1 - level) / (2 * max(1, looks))))


def wilson(successes: float, trials: float, z: float = 1.959963984540054) -> tuple[float, float]:
    """Return the Wilson score interval of a share.

    Source: Wilson (1927), Journal of the American Statistical Association 22, 209-212.

    Examples
    --------
    >>> low, high = wilson(850, 1000)
    >>> round(low, 3), round(high, 3)
    (0.827, 0.871)
    """
    if trials <= 0:
        return 0.0, 1.0
    share = successes / trials
    centre = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials)) / (1 + z * z / trials)
    return max(0.0, centre - half), min(1.0, centre + half)


def newcombe(
    successes: tuple[float, float], trials: tuple[float, float], z: float = 1.959963984540054
) -> tuple[float, float]:
    """Return the interval of a difference of two independent shares, first minus second.

    Source: Newcombe (1998), Statistics in Medicine 17, 873-890, method 10.
    """
    (low_a, high_a), (low_b, high_b) = (wilson(s, t, z) for s, t in zip(successes, trials, strict=True))
    a, b = (s / t if t else 0.0 for s, t in zip(successes, trials, strict=True))
    gap = a - b
    return gap - sqrt((a - low_a) ** 2 + (high_b - b) ** 2), gap + sqrt((high_a - a) ** 2 + (b - low_b) ** 2)


def scaled_difference(
    successes: tuple[float, float], trials: tuple[float, float], factor: float, z: float = 1.959963984540054
) -> tuple[float, float]:
    """Return the interval of one share less `factor` times another, the two being independent.

    The intervals of both shares are put together as in Newcombe's (factor 1), which holds for any linear
    contrast (MOVER; Zou and Donner 2008, Statistics in Medicine 27, 1693-1702).
    """
    (low_a, high_a), (low_b, high_b) = (wilson(s, t, z) for s, t in zip(successes, trials, strict=True))
    a, b = (s / t if t else 0.0 for s, t in zip(successes, trials, strict=True))
    value = a - factor * b
    below = sqrt((a - low_a) ** 2 + (factor * (high_b - b)) ** 2)
    above = sqrt((high_a - a) ** 2 + (factor * (b - low_b)) ** 2)
    return value - below, value + above


def ratio_interval(found: int, found_of: int, expected: int, expected_of: int, z: float) -> tuple[float, float]:
    """Return the interval of the ratio of two small shares, ``(found / found_of) / (expected / expected_of)``.

    Given the sum of both counts, the first is binomial; the Clopper-Pearson interval of its
    share turns into one of the ratio (Przyborowski and Wilenski 1940, Biometrika 31, 313-323).

    Returns
    -------
    low, high : float
        In [0, inf].
    """
    low, high = ratio_intervals(np.array([found]), found_of, np.array([expected]), expected_of, z)
    return float(low[0]), float(high[0])


def ratio_intervals(
    found: NDArray[np.int64], found_of: int, expected: NDArray[np.int64], expected_of: int, z: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return :func:`ratio_interval` for many counts of the same two tables at once."""
    from scipy.special import betaincinv, ndtr

    tail = 1 - float(ndtr(z))
    some, known = np.maximum(found, 1), np.maximum(expected, 1)
    low = np.where(found > 0, betaincinv(some, expected + 1, tail), 0.0)
    high = np.where(expected > 0, betaincinv(found + 1, known, 1 - tail), 1.0)
    sizes = expected_of / found_of
    with np.errstate(divide="ignore"):
        odds = np.where(high < 1, high / (1 - high), np.inf) * sizes
    least: NDArray[np.float64] = low / (1 - low) * sizes
    return least, odds
