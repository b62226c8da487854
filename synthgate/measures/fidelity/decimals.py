"""Decimals: are numbers written as finely as the real ones?"""

from __future__ import annotations

import numpy as np

from synthgate.findings import Estimate, Limit, Measured, Severity
from synthgate.measures.fidelity.traits import multiples
from synthgate.plan import ColumnPlan
from synthgate.roles import Role
from synthgate.statistics.intervals import newcombe
from synthgate.values import NumberCounts

MOST_PLACES = 6
TOLD_FROM = 0.1
LEAST_KEPT = 0.8
COARSE = 0.01
"""Share of the middle half's width from which on the lost places are coarse enough to fail; finer ones are told."""


def decimals_kept(plan: ColumnPlan, real: NumberCounts, synthetic: NumberCounts, z: float) -> Measured | None:
    """Compare how many values have fewer decimal places than real values have; None where no more do.

    Parameters
    ----------
    plan : ColumnPlan
    real, synthetic : NumberCounts
    z : float
        Normal quantile of the interval.
    """
    if plan.role is not Role.NUMERICAL or plan.integral:
        return None
    real, synthetic = real.finite(), synthetic.finite()
    if not real.total or not synthetic.total:
        return None
    shares = [
        (multiples(synthetic, 10.0**-k), multiples(real, 10.0**-k), k) for k in range(min(plan.decimals, MOST_PLACES))
    ]
    here, there, places = max(shares, key=lambda s: s[0] - s[1], default=(0.0, 0.0, 0))
    if here - there < TOLD_FROM:
        return None
    counted = (round(here * synthetic.total), round(there * real.total))
    low, high = newcombe(counted, (synthetic.total, real.total), z)
    low_q, high_q = real.quantiles(np.array([0.25, 0.75]))
    digits = "no decimal place" if not places else f"at most {places} decimal place{'s' * (places > 1)}"
    return Measured(
        metric="decimals_kept",
        message=f"{here:.0%} of synthetic values have {digits}, {there:.0%} of real ones",
        estimate=Estimate(
            value=1 - (here - there), low=1 - high, high=min(1.0, 1 - low), method=f"Newcombe, z = {z:.2f}", ceiling=1.0
        ),
        columns=(plan.name,),
        limit=Limit(min=LEAST_KEPT),
        severity=None if 10.0**-places >= COARSE * (high_q - low_q) else Severity.WARN,
    )
