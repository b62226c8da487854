"""How much of a three-way dependence is kept, in its own direction: one number for each triple that has one in real."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from synthgate.counts import GROUPS
from synthgate.findings import Estimate, Measured, Position
from synthgate.measures.triples import Joint, Triple
from synthgate.statistics.distances import FloatArray, IntArray
from synthgate.statistics.intervals import z_value
from synthgate.statistics.joint import pairs_only
from synthgate.statistics.kept import SURE, Kept, Means, of_known_rows, triple_contrast, triple_mean

MOST_SHOWN = 10


def three_way_kept(joint: Joint, triples: Sequence[Triple]) -> list[Measured]:
    """Return what is kept of the three-way dependence of some triples, those that surely keep less first.

    All cells of a triple move little when a rule of three columns is lost in a part of the rows; their move along the
    real three-way effect is seen long before. The effect is learnt on one half of the known rows and measured on the
    other.
    """
    found = [one for one in _kept(joint, list(triples)) if one[1].is_known]
    z = z_value(SURE, looks=len(found))
    order = sorted(found, key=lambda one: one[1].interval(z)[1])
    short = [one for one in order if one[1].interval(z)[1] < 1.0]
    return [_finding(joint, triple, kept, z, len(found)) for triple, kept in short[:MOST_SHOWN]]


def _kept(joint: Joint, triples: list[Triple]) -> list[tuple[Triple, Kept]]:
    if not triples:
        return []
    cube = (len(triples), *joint.shape)
    halves = {side: _halves(joint.count(triples, side, grouped=True), cube) for side in joint.rows}
    known = [side for side in ("real", "holdout") if side in halves]
    contrasts = []
    for half in (0, 1):
        counts = np.sum([halves[side][half] for side in known], axis=0)
        contrasts.append(triple_contrast(counts, _fitted(counts)))
    measured = {side: _measured(contrasts[::-1], halves[side]) for side in known}
    real, error = of_known_rows(measured["real"], measured.get("holdout"))
    both = halves["synthetic"][0] + halves["synthetic"][1]
    synthetic = triple_mean((contrasts[0] + contrasts[1]) / 2, both, _fitted(both))
    rows = sum(measured[side].rows for side in known)
    # as many fresh rows would vary as real ones do: synthetic rows that hardly vary prove no more than that
    spread = np.maximum(synthetic.error, error * np.sqrt(rows / synthetic.rows))
    numbers = zip(synthetic.mean, spread, real, error, strict=True)
    return [(triple, Kept(*(float(v) for v in row))) for triple, row in zip(triples, numbers, strict=True)]


def _halves(groups: IntArray, cube: tuple[int, ...]) -> list[FloatArray]:
    half = GROUPS // 2
    return [part.sum(axis=1).reshape(cube).astype(np.float64) for part in (groups[:, :half], groups[:, half:])]


def _fitted(counts: FloatArray) -> FloatArray:
    return pairs_only(counts.astype(np.int64))


def _measured(contrasts: list[FloatArray], halves: list[FloatArray]) -> Means:
    """Return the mean over both halves, each measured by the contrast that the other half taught."""
    one, other = (triple_mean(c, counts, _fitted(counts)) for c, counts in zip(contrasts, halves, strict=True))
    rows = one.rows + other.rows
    mean = (one.rows * one.mean + other.rows * other.mean) / rows
    return Means(mean, np.hypot(one.rows * one.error, other.rows * other.error) / rows, rows)


def _finding(joint: Joint, triple: Triple, kept: Kept, z: float, looks: int) -> Measured:
    names = tuple(joint.columns[at].name for at in triple)
    low, high = kept.interval(z)
    at = [min(1.0, max(0.0, value)) for value in (kept.share, low, high)]
    return Measured(
        metric="three_way_dependence_kept",
        message=f"{max(0.0, kept.share):.0%} of the real dependence of the three beyond their pairs is kept",
        estimate=Estimate(
            value=kept.share,
            low=low,
            high=high,
            method=f"ratio of two means of independent rows by Fieller's theorem, 99 % over {looks:,} such findings",
            ceiling=1.0,
            floor=0.0,
            position=Position(value=at[0], low=at[1], high=at[2]),
        ),
        columns=names,
    )
