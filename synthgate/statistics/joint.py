"""Three-way tables, many at a time: the closest table without a joint effect, and a test for that effect."""

from __future__ import annotations

import numpy as np

from synthgate.statistics.distances import FloatArray, IntArray

ROUNDS = 20


def pairs_only(tables: IntArray) -> FloatArray:
    """Return the shares that keep every pair table and hold no dependence beyond the pairs.

    The distribution of largest entropy among all with the given pair tables, which is the log-linear model
    without a three-way effect, by iterative proportional fitting (Deming and Stephan 1940, Annals of
    Mathematical Statistics 11, 427-444; Bartlett 1935 for the hypothesis).

    Parameters
    ----------
    tables : int64 array, shape (tables, a, b, c)

    Returns
    -------
    float64 array of the same shape
        Shares; each table adds up to 1.
    """
    shares = tables / np.maximum(1, tables.sum(axis=(1, 2, 3), keepdims=True))
    margins = [shares.sum(axis=axis, keepdims=True) for axis in (1, 2, 3)]
    fitted: FloatArray = np.full(tables.shape, 1 / np.prod(tables.shape[1:]))
    for _ in range(ROUNDS):
        for axis, margin in zip((1, 2, 3), margins, strict=True):
            now = fitted.sum(axis=axis, keepdims=True)
            fitted *= margin / np.where(now > 0, now, 1.0)
    return fitted


def interaction_test(tables: IntArray, fitted: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the likelihood-ratio statistic of the three-way effect, and its chance under none.

    ``G2 = 2 sum n log(n / expected)`` on ``(a - 1)(b - 1)(c - 1)`` degrees of freedom, where a, b and c count
    the levels that occur; cells that the pair tables rule out make it conservative.

    Parameters
    ----------
    tables : int64 array, shape (tables, a, b, c)
    fitted : float64 array of the same shape
        From :func:`pairs_only`.
    """
    from scipy.special import gammaincc

    rows = tables.sum(axis=(1, 2, 3))
    expected = fitted * rows[:, None, None, None]
    there = (tables > 0) & (expected > 0)
    ratio = np.where(there, tables / np.where(there, expected, 1.0), 1.0)
    statistic: FloatArray = np.maximum(0.0, 2 * (tables * np.log(ratio)).sum(axis=(1, 2, 3)))
    others = ((2, 3), (1, 3), (1, 2))
    levels = [(tables.sum(axis=axes) > 0).sum(axis=1) for axes in others]
    freedom = np.maximum(1, np.prod([np.maximum(1, n) - 1 for n in levels], axis=0))
    chance: FloatArray = gammaincc(freedom / 2, statistic / 2)
    return statistic, chance


def raked(tables: IntArray, onto: IntArray) -> FloatArray:
    """Return what the dependence of some tables gives with the margins of others, as counts.

    Two-way tables are fitted to the one-way margins, three-way tables to the pair margins of `onto`, by
    iterative proportional fitting; every interaction of the highest order is kept (Deming and Stephan 1940).
    One row more is spread over each table as if the columns were independent, so that a margin that only `onto`
    has has somewhere to go.

    Parameters
    ----------
    tables, onto : int64 array, shape (tables, a, b) or (tables, a, b, c)
    """
    axes = tuple(range(1, tables.ndim))
    margins = [onto.sum(axis=axis, keepdims=True).astype(np.float64) for axis in axes]
    rows = np.maximum(1, tables.sum(axis=axes, keepdims=True))
    spread: FloatArray = np.ones(rows.shape)
    for axis in axes:
        spread = spread * (tables.sum(axis=tuple(a for a in axes if a != axis), keepdims=True) / rows)
    fitted: FloatArray = tables + spread
    for _ in range(ROUNDS // 2):
        for axis, margin in zip(axes, margins, strict=True):
            now = fitted.sum(axis=axis, keepdims=True)
            fitted *= margin / np.where(now > 0, now, 1.0)
    return fitted
