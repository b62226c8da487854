"""Cycles of time: the hours of the day, the days of the week and of the month, and the months on which moments lie.

A column of moments can have the right distribution over years and yet have lost its nights and its weekends, or tell
them in another time zone, or lie on the first of the month where nobody knew the day.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from synthgate.findings import Estimate, Json, Measured
from synthgate.measures.fidelity.cells import Cells
from synthgate.statistics.distances import FloatArray, IntArray, expected_total_variation, total_variation
from synthgate.values import NumberCounts

HOUR = 3_600_000_000.0
DAY = 24 * HOUR
MONDAY = 3
"""Days from the Monday before 1970-01-01, a Thursday."""
QUARTER, YEAR = 92 * DAY, 366 * DAY
LEAST_TURN = 0.05
TURNED_FROM = 0.35
"""Share of the distance that may be left after hours were turned back."""


def _hours(values: FloatArray) -> IntArray:
    return (np.floor(values / HOUR) % 24).astype(np.int64)


def _weekdays(values: FloatArray) -> IntArray:
    return ((np.floor(values / DAY) + MONDAY) % 7).astype(np.int64)


def _months(values: FloatArray) -> IntArray:
    return values.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64) % 12


def _month_days(values: FloatArray) -> IntArray:
    days = values.astype("datetime64[us]").astype("datetime64[D]")
    first = days.astype("datetime64[M]").astype("datetime64[D]")
    return days.astype(np.int64) - first.astype(np.int64)


@dataclass(frozen=True, slots=True)
class Cycle:
    """A cycle and its parts.

    Attributes
    ----------
    metric : str
    words : str
        Of which it is the parts, for people.
    parts : tuple of str
    place : callable
        From microseconds since 1970 to the part.
    span : float
        Microseconds that moments must span for the cycle to come round.
    """

    metric: str
    words: str
    parts: tuple[str, ...]
    place: Callable[[FloatArray], IntArray]
    span: float = 0.0

    def count(self, moments: NumberCounts) -> IntArray:
        """Return how many of the moments lie in each part."""
        kept = moments.finite()
        return np.bincount(self.place(kept.values), weights=kept.counts, minlength=len(self.parts)).astype(np.int64)


HOURS = Cycle("hours_similarity", "hours of the day", tuple(f"{hour:02d}:00" for hour in range(24)), _hours)
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
CYCLES = (
    HOURS,
    Cycle("weekdays_similarity", "days of the week", ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), _weekdays),
    Cycle("month_days_similarity", "days of the month", tuple(str(day) for day in range(1, 32)), _month_days, QUARTER),
    Cycle("months_similarity", "months of the year", MONTHS, _months, YEAR),
)


def cycle_findings(
    name: str,
    moments: tuple[NumberCounts, NumberCounts, NumberCounts | None],
    estimate: Callable[[Cells], Estimate],
) -> list[Measured]:
    """Compare the shares of each part of the cycles that real moments go through.

    Parameters
    ----------
    name : str
        The column.
    moments : tuple of NumberCounts
        Of real, synthetic and, where there is one, the holdout.
    estimate : callable
        Places the counts of both sides between careless and fresh real rows.
    """
    return [_finding(name, cycle, moments, estimate) for cycle in cycles_of(moments[0])]


def _finding(
    name: str,
    cycle: Cycle,
    moments: tuple[NumberCounts, NumberCounts, NumberCounts | None],
    estimate: Callable[[Cells], Estimate],
) -> Measured:
    real, synthetic = (cycle.count(side) for side in moments[:2] if side is not None)
    held, parts = moments[2], len(cycle.parts)
    found = estimate(
        Cells(real, synthetic, cycle.count(held) if held else None, np.full(parts, 1 / parts), cycle.parts)
    )
    most = int(np.argmax(np.abs(real / max(1, real.sum()) - synthetic / max(1, synthetic.sum()))))
    turned = turned_by(real, synthetic) if cycle is HOURS else None
    details: dict[str, Json] = {"cycle": cycle.words, "most": cycle.parts[most]}
    return Measured(
        metric=cycle.metric,
        message=(
            f"{found.value:.1%} of the rows fall on the same {cycle.words}, fresh real rows to "
            f"{found.ceiling or 1.0:.1%}; {cycle.parts[most]} differs most"
        ),
        estimate=found,
        columns=(name,),
        details=details | ({"late_hours": turned} if turned is not None else {}),
    )


def cycles_of(real: NumberCounts) -> list[Cycle]:
    """Return the cycles that real moments go through: they lie on two parts at least, and span it."""
    kept = real.finite()
    if not kept.total:
        return []
    span = float(kept.values[-1] - kept.values[0])
    return [c for c in CYCLES if span > c.span and (c.count(kept) > 0).sum() > 1]


def turned_by(real: IntArray, synthetic: IntArray) -> int | None:
    """Return by how many hours synthetic moments are late (negative: early), where turning them back explains them.

    Examples
    --------
    >>> day = np.array([5, 2, 1, 1, 1, 5, 20, 60, 90, 80, 70, 70] + [60] * 6 + [40, 40, 30, 20, 20, 10]) * 10
    >>> turned_by(day, np.roll(day, 2)), turned_by(day, np.roll(day, -5)), turned_by(day, day)
    (2, -5, None)
    """
    before = total_variation(real, synthetic).value
    left = [total_variation(real, np.roll(synthetic, -hours)).value for hours in range(len(real))]
    best = int(np.argmin(left))
    chance = 2 * expected_total_variation(real, int(real.sum()), int(synthetic.sum())).mean
    if best == 0 or left[best] > min(max(LEAST_TURN, chance), TURNED_FROM * before):
        return None
    return best if best <= len(real) // 2 else best - len(real)
