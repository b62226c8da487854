"""Traits of a continuous column that differs: facts from which the way it went wrong can be told.

Made only for columns that look different, from value counts alone.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from synthgate.findings import Json
from synthgate.plan import ColumnPlan
from synthgate.roles import Role
from synthgate.statistics.distances import FloatArray, expected_kolmogorov_smirnov, kolmogorov_smirnov
from synthgate.values import NumberCounts

QUANTILES = np.arange(1, 20) / 20
LEAST_DISTANCE = 0.1
LEAST_FACTOR = 1.5
LEAST_POINTS = 3
NEAR = 0.05
REST = 0.35
HEAVY_SHARE = 0.05
SPIKES_GAP = 0.1
ROUND_GAP = 0.15
ROUND_TIMES = 1.5
MAX_BASES = 16
DAY = 86_400_000_000.0


def traits(plan: ColumnPlan, real: NumberCounts, synthetic: NumberCounts) -> dict[str, Json]:
    """Return what can be told of how a column differs; a trait that does not clearly hold is left out.

    Returns
    -------
    dict
        ``scaled_by``: a factor that maps real values onto synthetic ones; ``shifted_by``: a constant that does
        (days for dates); ``negated``: the signs are the opposite ones; ``rounded_to``: a base whose multiples are far
        more frequent than in real, with both shares; ``spikes``: the share of rows on the frequent real values, on
        both sides, when most of it is lost.
    """
    real, synthetic = real.finite(), synthetic.finite()
    if not real.total or not synthetic.total:
        return {}
    found: dict[str, Json] = {}
    moved = _moved(plan, real, synthetic)
    if moved is not None:
        found[moved[0]] = moved[1]
        if plan.role is Role.DATETIME:
            found["unit"] = "days"
        return found
    if plan.role is Role.NUMERICAL:
        found.update(_rounded(plan, real, synthetic))
    found.update(_spikes(real, synthetic))
    return found


def _moved(plan: ColumnPlan, real: NumberCounts, synthetic: NumberCounts) -> tuple[str, float] | None:
    """Return the factor or the shift that maps the real distribution onto the synthetic one, if one does."""
    before = kolmogorov_smirnov(real, synthetic).value
    if before < LEAST_DISTANCE:
        return None
    allowed = max(NEAR, 2 * expected_kolmogorov_smirnov(real.total, synthetic.total).mean)
    allowed = min(allowed, REST * before)
    here, there = real.quantiles(QUANTILES), synthetic.quantiles(QUANTILES)
    tried: list[tuple[float, str, float]] = []
    if plan.role is Role.NUMERICAL and _opposite(real, synthetic):
        distance = _distance(real, NumberCounts(synthetic.values[::-1], synthetic.counts[::-1]), np.negative, plan)
        if distance <= allowed:
            return "negated", -1.0
    factor = _factor(here, there) if plan.role is Role.NUMERICAL else None
    if factor is not None:
        tried.append((_distance(real, synthetic, lambda v: v / factor, plan), "scaled_by", factor))
    shift = float(np.median(there - here))
    if shift != 0 and np.isfinite(shift) and len(np.unique(here)) >= LEAST_POINTS:
        days = shift / DAY if plan.role is Role.DATETIME else shift
        tried.append((_distance(real, synthetic, lambda v: v - shift, plan), "shifted_by", days))
    good = [item for item in tried if item[0] <= allowed]
    return min(good)[1:] if good else None


def _opposite(real: NumberCounts, synthetic: NumberCounts) -> bool:
    """Whether one side has no negative value and the other no positive one."""
    ends = (real.values[0], -synthetic.values[-1]), (-real.values[-1], synthetic.values[0])
    return any(min(pair) >= 0 for pair in ends)


def _factor(here: FloatArray, there: FloatArray) -> float | None:
    usable = (here != 0) & (there != 0)
    if len(np.unique(here[usable])) < LEAST_POINTS:
        return None
    with np.errstate(over="ignore", under="ignore"):
        factor = float(np.median(there[usable] / here[usable]))
    if not np.isfinite(factor) or factor <= 0 or 1 / LEAST_FACTOR < factor < LEAST_FACTOR:
        return None
    return factor


def _distance(
    real: NumberCounts, synthetic: NumberCounts, back: Callable[[FloatArray], FloatArray], plan: ColumnPlan
) -> float:
    """Return the Kolmogorov-Smirnov distance after synthetic values were moved back, and rounded as real ones are."""
    with np.errstate(over="ignore", under="ignore"):
        values = back(synthetic.values)
    if plan.role is Role.NUMERICAL and plan.decimals < 15:
        values = np.round(values, plan.decimals)
    return kolmogorov_smirnov(real, NumberCounts(values, synthetic.counts)).value


def multiples(counts: NumberCounts, base: float) -> float:
    """Return the share of values that are multiples of a base, rounding errors allowed for."""
    with np.errstate(over="ignore", invalid="ignore"):  # beyond the range every number is whole
        parts = counts.values / base
        is_multiple = ~(np.abs(parts - np.round(parts)) >= 1e-6)
    return float(counts.counts[is_multiple].sum()) / counts.total


def _rounded(plan: ColumnPlan, real: NumberCounts, synthetic: NumberCounts) -> dict[str, Json]:
    """Return the base at whose multiples synthetic values heap."""
    low, high = real.quantiles(np.array([0.05, 0.95]))
    unit = 10.0 ** -min(plan.decimals, 6)
    bases = [unit * step * 10.0**power for power in range(MAX_BASES // 2) for step in (5, 10)]
    best: tuple[float, float, float, float] | None = None
    for base in bases:
        if base > (high - low) / 2:
            break
        shares = (multiples(real, base), multiples(synthetic, base))
        gap = shares[1] - shares[0]
        if gap >= ROUND_GAP and shares[1] >= ROUND_TIMES * shares[0] and (best is None or gap >= best[0] - 0.02):
            best = (gap, base, *shares)
    if best is None:
        return {}
    return {"rounded_to": {"base": best[1], "real_share": best[2], "synthetic_share": best[3]}}


def _spikes(real: NumberCounts, synthetic: NumberCounts) -> dict[str, Json]:
    """Return the share of rows on the frequent real values when synthetic keeps less than half of it."""
    heavy = real.counts >= HEAVY_SHARE * real.total
    here = float(real.counts[heavy].sum()) / real.total
    there = float(synthetic.counts[np.isin(synthetic.values, real.values[heavy])].sum()) / synthetic.total
    if here - there < SPIKES_GAP or there > here / 2:
        return {}
    return {"spikes": {"real_share": here, "synthetic_share": there}}
