"""Rows unlike any real one: noise, mixtures of rows, and what else lies where fresh real rows hardly ever do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgate.encoding import Float32Array, vectors
from synthgate.findings import Estimate, Measured
from synthgate.statistics.intervals import newcombe, z_value

if TYPE_CHECKING:
    from synthgate.evidence import Evidence

LEAST_ROWS = 500
"""Rows of each kind below which one in a hundred is too few to tell more."""
FLOPS = 4e9
BLOCK = 500
FAR = (0.005, 0.01, 0.02)
"""Shares of fresh real rows that lie farthest from real ones."""
SURE = 0.998
FloatArray = NDArray[np.float32]


def unlike_any_real(evidence: Evidence) -> Measured | None:
    """Return by how many rows more synthetic lies farther from all real rows than the farthest fresh ones do.

    Distances to the nearest real row add up ranks and mismatches over all columns. The fresh rows are the holdout,
    else a half of the real ones, held against the other half. Rows that no single column, pair or slice gives away as
    wrong lie far from everything in all of them together.

    Source: Kynkaanniemi et al. (2019), arXiv 1904.06991 (precision of samples, from nearest neighbours).
    """
    coded = vectors(evidence.sample).sides
    rng = evidence.sample.rng("fidelity.unlike")
    dimensions = coded["real"].shape[1]
    most = int(np.sqrt(FLOPS / (2 * max(1, dimensions))))
    real, synthetic = (_some(coded[side], 2 * most, rng) for side in ("real", "synthetic"))
    fresh = _some(coded["holdout"], most, rng) if "holdout" in coded else real[:0]
    if len(fresh) < LEAST_ROWS:
        real, fresh = np.array_split(real, 2)
    rows = min(len(real), len(fresh), len(synthetic), most)
    if not dimensions or rows < LEAST_ROWS:
        return None
    here, there = (_nearest(side[:rows], real[:most]) for side in (synthetic, fresh))
    z = z_value(SURE, looks=len(FAR)) * evidence.design_effect
    found = [_beyond(here, float(np.quantile(there, 1 - share)), there, z) for share in FAR]
    estimate, distant, due = max(found, key=lambda one: one[0].low)
    return Measured(
        metric="unlike_any_real_share",
        message=(
            f"{distant:,} of {rows:,} synthetic rows lie far from every real row, of as many fresh real rows {due:,}"
        ),
        estimate=estimate,
        details={"rows": rows, "far": distant, "far_fresh": due},
    )


def _some(rows: Float32Array, most: int, rng: np.random.Generator) -> Float32Array:
    """Return at most so many rows, in random order."""
    some: Float32Array = rows[rng.permutation(len(rows))[:most]]
    return some


def _nearest(rows: Float32Array, real: Float32Array) -> FloatArray:
    """Return the squared distance of each row to the nearest real one."""
    lengths = (real**2).sum(axis=1)
    out = [
        (lengths - 2 * (block @ real.T)).min(axis=1) + (block**2).sum(axis=1)
        for block in np.array_split(rows, -(-len(rows) // BLOCK))
    ]
    return np.concatenate(out)


def _beyond(here: FloatArray, reach: float, there: FloatArray, z: float) -> tuple[Estimate, int, int]:
    distant, due, rows = int((here > reach).sum()), int((there > reach).sum()), len(here)
    low, high = newcombe((distant, due), (rows, rows), z)
    estimate = Estimate(
        value=(distant - due) / rows,
        low=low,
        high=high,
        method=f"Newcombe, z = {z:.2f} for {len(FAR)} distances",
        ceiling=0.0,
    )
    return estimate, distant, due
