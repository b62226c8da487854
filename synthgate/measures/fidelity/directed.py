"""How much of a dependence of two or three columns is kept, in its own direction: one number instead of all cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from synthgate.counts import GROUPS, row_groups
from synthgate.findings import Limit, Measured
from synthgate.measures.triples import Joint, Triple
from synthgate.statistics.distances import FloatArray, IntArray
from synthgate.statistics.intervals import z_value
from synthgate.statistics.joint import pairs_only
from synthgate.statistics.kept import (
    SURE,
    Kept,
    Means,
    of_known_rows,
    pair_contrast,
    pair_mean,
    triple_contrast,
    triple_mean,
)

MOST_SHOWN = 10
LEAST_OF_TWO = 0.85
"""Least share of the dependence of two columns: it rests on the few levels that are named."""
LEAST_OF_THREE = 0.5
"""Least share of a three-way dependence: rows of one person, in a table that does not say so, share more than pairs."""
Halves = dict[str, list[FloatArray]]
"""Per side, the tables of either half of its rows."""


def three_way_kept(joint: Joint, triples: Sequence[Triple]) -> list[Measured]:
    """Return what is kept of the three-way dependence of some triples, those that surely keep less first.

    All cells of a triple move little when a rule of three columns is lost in a part of the rows; their move along the
    real three-way effect is seen long before. The effect is learnt on one half of the known rows and measured on the
    other.
    """
    cube = (len(triples), *joint.shape)
    halves = {side: _halves(joint.count(triples, side, grouped=True), cube) for side in joint.rows} if triples else {}
    found = _kept(
        halves,
        lambda counts: triple_contrast(counts, _fitted(counts)),
        lambda contrast, counts: triple_mean(contrast, counts, _fitted(counts)),
    )
    words = "of the real dependence of the three beyond their pairs is kept"
    worst = _worst(joint, list(triples), found, "three_way_dependence_kept", words)
    return [replace(one, limit=Limit(min_position=LEAST_OF_THREE)) for one in worst]


def pairs_kept(joint: Joint, triples: Sequence[Triple]) -> list[Measured]:
    """Return what is kept of the dependence of each two columns, those that surely keep less first.

    A column may keep to a twin of its own and lose all others: all its pairs together hardly lose, and the shares of a
    pair's cells differ by more from chance alone.
    """
    pairs = sorted({pair for triple in triples for pair in combinations(triple, 2)})
    square = (len(pairs), *joint.shape[:2])
    halves = {side: _halves(_pair_counts(joint, pairs, side), square) for side in joint.rows} if pairs else {}

    def learn(counts: FloatArray) -> FloatArray:
        contrast, surely = pair_contrast(counts)
        return contrast * surely

    words = "of their real dependence is kept"
    worst = _worst(joint, pairs, _kept(halves, learn, pair_mean), "pair_dependence_kept", words)
    return [replace(one, limit=Limit(min_position=LEAST_OF_TWO)) for one in worst]


def _pair_counts(joint: Joint, pairs: Sequence[tuple[int, int]], side: str) -> IntArray:
    levels = joint.cut.codes
    codes = [column.codes[side] for column in joint.columns]
    group = row_groups(0, joint.rows[side]) * levels
    cells = GROUPS * levels**2
    counts = [np.bincount((group + codes[a]) * levels + codes[b], minlength=cells) for a, b in pairs]
    return np.stack(counts).reshape(len(pairs), GROUPS, levels**2)


def _kept(
    halves: Halves, learn: Callable[[FloatArray], FloatArray], measure: Callable[[FloatArray, FloatArray], Means]
) -> list[Kept]:
    """Return what is kept of each table's contrast, learnt on one half of the known rows and measured on the other."""
    if not halves:
        return []
    known = [side for side in ("real", "holdout") if side in halves]
    contrasts = [learn(np.sum([halves[side][half] for side in known], axis=0)) for half in (0, 1)]
    means = {
        side: _of_both(measure(contrasts[1], halves[side][0]), measure(contrasts[0], halves[side][1])) for side in known
    }
    real, error = of_known_rows(means["real"], means.get("holdout"))
    synthetic = measure((contrasts[0] + contrasts[1]) / 2, halves["synthetic"][0] + halves["synthetic"][1])
    rows = sum(means[side].rows for side in known)
    # as many fresh rows would vary as real ones do: synthetic rows that hardly vary prove no more than that
    spread = np.maximum(synthetic.error, error * np.sqrt(rows / synthetic.rows))
    return [Kept(*(float(v) for v in row)) for row in zip(synthetic.mean, spread, real, error, strict=True)]


def _halves(groups: IntArray, shape: tuple[int, ...]) -> list[FloatArray]:
    half = GROUPS // 2
    return [part.sum(axis=1).reshape(shape).astype(np.float64) for part in (groups[:, :half], groups[:, half:])]


def _fitted(counts: FloatArray) -> FloatArray:
    return pairs_only(counts.astype(np.int64))


def _of_both(one: Means, other: Means) -> Means:
    rows = one.rows + other.rows
    mean = (one.rows * one.mean + other.rows * other.mean) / rows
    return Means(mean, np.hypot(one.rows * one.error, other.rows * other.error) / rows, rows)


def _worst(
    joint: Joint, sets: Sequence[tuple[int, ...]], kept: Sequence[Kept], metric: str, words: str
) -> list[Measured]:
    """Return the findings on the sets of columns that surely keep less than fresh rows, the least kept first."""
    found = [(columns, one) for columns, one in zip(sets, kept, strict=True) if one.is_known]
    z = z_value(SURE, looks=len(found))
    short = sorted((one.interval(z)[1], columns, one) for columns, one in found if one.interval(z)[1] < 1.0)
    return [_finding(joint, columns, one, z, (metric, words, len(found))) for _, columns, one in short[:MOST_SHOWN]]


def _finding(joint: Joint, columns: tuple[int, ...], kept: Kept, z: float, told: tuple[str, str, int]) -> Measured:
    metric, words, looks = told
    return Measured(
        metric=metric,
        message=f"{max(0.0, kept.share):.0%} {words}",
        estimate=kept.estimate(z, looks),
        columns=tuple(joint.columns[at].name for at in columns),
    )
