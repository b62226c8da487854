"""Sizes of groups compared: children per parent, steps per sequence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthgate.findings import Estimate, Json, Measured
from synthgate.measures.fidelity.columns import drifted
from synthgate.plan import bin_codes, bin_labels, quantile_edges
from synthgate.roles import Role
from synthgate.statistics.distances import (
    careless_total_variation,
    expected_kolmogorov_smirnov,
    expected_total_variation,
    kolmogorov_smirnov,
    total_variation,
)
from synthgate.statistics.positions import place
from synthgate.values import NumberCounts

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

LEAST_SCALE = 0.2
MOST_SCALE = 0.5
BINS = 50
SMALL_CELL = 10


@dataclass(frozen=True, slots=True)
class Sizes:
    """The size of every group, per side; groups are independent of each other.

    Attributes
    ----------
    real, synthetic : int64 array
    holdout : int64 array or None
    """

    real: IntArray
    synthetic: IntArray
    holdout: IntArray | None


def size_findings(sizes: Sizes, columns: tuple[str, ...], unit: str, z: float) -> tuple[list[Measured], Estimate]:
    """Compare distributions of sizes by Kolmogorov-Smirnov and total variation.

    The floor is what rows dealt to the groups at random would show: sizes of a Poisson distribution with the
    real mean. The ceiling is what as many fresh groups would show.

    Parameters
    ----------
    sizes : Sizes
    columns : tuple of str
        What the findings are about.
    unit : str
        For the messages, such as ``"children per parent"``.
    z : float
        Normal quantile of the intervals.

    Returns
    -------
    findings : list of Measured
    estimate : Estimate
        The Kolmogorov-Smirnov complement.
    """
    counted = {side: NumberCounts.of(values.astype(np.float64)) for side, values in _sides(sizes).items()}
    real, synthetic, holdout = counted["real"], counted["synthetic"], counted.get("holdout")
    edges = quantile_edges(real, BINS)
    cells = {side: values.binned(edges) for side, values in counted.items()}
    grid = np.arange(int(max(sizes.real.max(initial=0), sizes.synthetic.max(initial=0))) + 1)
    chance = _poisson(grid, float(sizes.real.mean()))
    ks, tv = _ks(real, synthetic, holdout, _careless_ks(real, grid, chance), z), _tv(cells, edges, grid, chance, z)
    means = {side: float(values.mean()) for side, values in _sides(sizes).items()}
    told = f"{means['synthetic']:.3g} {unit} on average in synthetic, {means['real']:.3g} in real"
    details: dict[str, Json] = {
        "distribution": _picture(counted, edges),
        "mean_real": means["real"],
        "mean_synthetic": means["synthetic"],
        "n_real": len(sizes.real),
        "n_synthetic": len(sizes.synthetic),
    }
    found = [
        Measured(
            metric="size_ks_complement",
            message=f"{told}; distributions agree to {ks.value:.1%}, fresh real ones to {ks.ceiling or 1:.1%}",
            estimate=ks,
            columns=columns,
            details=details,
        ),
        Measured(
            metric="size_tv_complement",
            message=f"{tv.value:.1%} of the shares of {unit} agree; fresh real ones reach {tv.ceiling or 1:.1%}",
            estimate=tv,
            columns=columns,
        ),
    ]
    return found, ks


def _sides(sizes: Sizes) -> dict[str, IntArray]:
    sides = {"real": sizes.real, "synthetic": sizes.synthetic}
    return {**sides, "holdout": sizes.holdout} if sizes.holdout is not None and len(sizes.holdout) else sides


def _poisson(grid: IntArray, mean: float) -> FloatArray:
    """Return the Poisson probabilities of the sizes on the grid; the tail is in the last."""
    from scipy.special import gammaln

    if mean <= 0:
        none: FloatArray = (grid == 0).astype(np.float64)
        return none
    shares: FloatArray = np.exp(grid * np.log(mean) - mean - gammaln(grid + 1))
    shares[-1] += max(0.0, 1 - float(shares.sum()))
    return shares


def _careless_ks(real: NumberCounts, grid: IntArray, chance: FloatArray) -> float:
    steps = np.concatenate(([0], np.cumsum(real.counts)))
    ours = steps[np.searchsorted(real.values, grid, side="right")] / max(1, real.total)
    return float(np.abs(ours - np.cumsum(chance)).max())


def _ks(
    real: NumberCounts, synthetic: NumberCounts, holdout: NumberCounts | None, careless: float, z: float
) -> Estimate:
    n, m = real.total, synthetic.total
    fresh = expected_kolmogorov_smirnov(n, m)
    if holdout is not None:
        fresh = drifted(fresh, kolmogorov_smirnov(real, holdout), n, holdout.total, m)
    return place(kolmogorov_smirnov(real, synthetic), fresh, careless, z, least=LEAST_SCALE, most=MOST_SCALE)


def _tv(cells: dict[str, IntArray], edges: FloatArray, grid: IntArray, chance: FloatArray, z: float) -> Estimate:
    real, synthetic, holdout = cells["real"], cells["synthetic"], cells.get("holdout")
    n, m = int(real.sum()), int(synthetic.sum())
    fresh = expected_total_variation(real if holdout is None else real + holdout, n, m)
    if holdout is not None:
        fresh = drifted(fresh, total_variation(real, holdout), n, int(holdout.sum()), m)
    at = bin_codes(edges, grid.astype(np.float64))
    binned = np.bincount(at, weights=chance, minlength=len(edges) + 1).astype(np.float64)
    careless = careless_total_variation(real, binned, max(1, m))
    return place(total_variation(real, synthetic), fresh, careless, z, least=LEAST_SCALE, most=MOST_SCALE)


def _picture(counted: dict[str, NumberCounts], edges: FloatArray) -> Json:
    """Return the shares per bin, neighbouring bins pooled until none holds fewer than ten real groups."""
    kept: list[float] = []
    total, since = counted["real"].total, 0
    cells = counted["real"].binned(edges)
    for at, edge in enumerate(edges):
        since += int(cells[at])
        total -= int(cells[at])
        if since >= SMALL_CELL and total >= SMALL_CELL:
            kept.append(float(edge))
            since = 0
    cuts = np.array(kept)
    shares = {side: values.binned(cuts) / max(1, values.total) for side, values in counted.items()}
    return {
        "kind": "bins",
        "labels": list(bin_labels(cuts, Role.NUMERICAL)),
        **{
            side: [float(s) for s in shares[side]] if side in shares else None
            for side in ("real", "synthetic", "holdout")
        },
    }
