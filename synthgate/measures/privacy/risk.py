"""Risks in excess of a control: how much more an attack succeeds on training rows than on others.

What an attack reaches on people who are not in the data is what any good statistic teaches; only the
excess is the fault of this table. As Giomi et al. (2023), PoPETs 2023(2), 312-328 define it, the risk is
the excess as a share of what was left to lose: ``(main - control) / (1 - control)``.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np

from synthgate.findings import Estimate, Json, Position
from synthgate.measures.privacy.encodings import Floats
from synthgate.measures.privacy.inference import Places, rounded, simultaneous_z
from synthgate.statistics.intervals import wilson

ERROR = 0.001


@dataclass(frozen=True, slots=True)
class Tried:
    """Attacks on one kind of rows.

    Attributes
    ----------
    hits : float
        Successful ones; fractions are allowed, where several attacks on one row are averaged.
    trials : int
    design : float
        Variance of the rate as a multiple of that of as many independent trials: above 1 where rows come in
        groups, below 1 for averages.
    """

    hits: float
    trials: int
    design: float = 1.0

    @property
    def rate(self) -> float:
        """Share of successful attacks."""
        return self.hits / self.trials if self.trials else 0.0

    def interval(self, z: float) -> tuple[float, float]:
        """Return the Wilson interval of the rate, at the independent number of trials."""
        return wilson(self.hits / self.design, self.trials / self.design, z)


def counted(values: Floats, units: Places) -> Tried:
    """Return attacks on some rows, with the design effect of groups of rows and of means over attacks.

    Parameters
    ----------
    values : float64 array, shape (rows, attacks)
        Success of each attack on each row, 0 or 1.
    units : int64 array, shape (rows,)
        Rows of different units are independent.
    """
    rows, attacks = values.shape
    means = values.mean(axis=1)
    rate = float(means.mean())
    _, place = np.unique(units, return_inverse=True)
    sums = np.bincount(place, weights=means - rate)
    groups = max(2, len(sums))
    variance = groups / (groups - 1) * float(np.square(sums).sum()) / rows**2
    plain = rate * (1 - rate) / (rows - 1)
    # attacks that never or always succeed say nothing of how they depend on each other
    design = max(1 / attacks, variance / plain) if plain > 0 else rows / len(sums)
    return Tried(float(means.sum()), rows, design)


def risk(main: Tried, control: Tried, looks: int = 1) -> Estimate:
    """Return the risk in excess of the control, with an interval of 99.9 % each side.

    The risk is ``1 - R`` with R the ratio of failure rates; its interval combines the Wilson intervals of
    both rates (MOVER: Donner and Zou 2012, Statistical Methods in Medical Research 21, 347-359).

    Parameters
    ----------
    main, control : Tried
        Attacks on training rows and on holdout rows.
    looks : int
        Over how many risks the error is shared (Bonferroni).

    Examples
    --------
    >>> found = risk(Tried(900, 1000), Tried(800, 1000))
    >>> round(found.value, 6), found.low > 0.2, found.high < 0.8
    (0.5, True, True)
    """
    z = simultaneous_z(ERROR, looks)
    low_m, high_m = main.interval(z)
    low_c, high_c = control.interval(z)
    top, bottom = 1 - main.rate, 1 - control.rate
    value = 1 - top / bottom if bottom > 0 else 0.0
    product = top * bottom
    least = _ratio(product, -1, ((1 - high_m) * (2 * top - (1 - high_m)), (1 - low_c) * (2 * bottom - (1 - low_c))))
    most = _ratio(product, 1, ((1 - low_m) * (2 * top - (1 - low_m)), (1 - high_c) * (2 * bottom - (1 - high_c))))
    return excess_estimate(value, 1 - most, 1 - least, _method("MOVER of Wilson intervals", looks))


def _ratio(product: float, sign: int, parts: tuple[float, float]) -> float:
    """Return one limit of a ratio; infinite where the control leaves nothing to lose."""
    first, second = parts
    if second <= 0:
        return 0.0 if sign < 0 else float("inf")
    return max(0.0, (product + sign * sqrt(max(0.0, product * product - first * second))) / second)


def _method(base: str, looks: int) -> str:
    many = f", simultaneous over {looks}" if looks > 1 else ""
    return f"{base}{many}, 99.9 % each side"


def excess_estimate(value: float, low: float, high: float, method: str) -> Estimate:
    """Return a risk as an estimate: 0 is what fresh rows show, 1 is that every attack succeeds."""
    value, low, high = (min(1.0, max(-1.0, x)) for x in (value, low, high))
    low, high = min(low, value), max(high, value)
    position = Position(value=_safe(value), low=_safe(high), high=_safe(low))
    return Estimate(
        value=rounded(value, 4), low=low, high=high, method=method, ceiling=0.0, floor=None, position=position
    )


def _safe(value: float) -> float:
    return min(1.0, max(0.0, 1 - value))


def opened(estimate: Estimate, why: str) -> Estimate:
    """Return an estimate that decides nothing, since what it stands on does not hold."""
    return excess_estimate(estimate.value, min(0.0, estimate.low), 1.0, f"{estimate.method}; opened: {why}")


def as_json(main: Tried, control: Tried) -> dict[str, Json]:
    """Return both rates with their 95 % Wilson intervals, for the report."""
    out: dict[str, Json] = {}
    for name, tried in (("main", main), ("control", control)):
        low, high = tried.interval(1.959963984540054)
        out[name] = {"rate": rounded(tried.rate), "interval": [rounded(low), rounded(high)], "attacks": tried.trials}
    return out
