"""What a search gives back: candidates that hold in the probe, and how much was tried."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from synthgate.mining.rows import Floats
from synthgate.mining.rules import Rule

NEAR = 0.25
"""The edge of a bound, as a share of the way to the median."""
MIDDLE_ROWS = 50_000
"""Rows that are enough for the median."""
NEARLY_ALL = 0.005
"""Share of real rows that may break a rule on several columns: errors in the data, beside which it still holds."""


def slack(rows: int) -> int:
    """Return how many of some real rows may break a rule that nearly always holds."""
    return int(NEARLY_ALL * rows)


@dataclass
class Found:
    """Candidates of one search.

    Attributes
    ----------
    rules : list of Rule
        Hold in every row of the probe.
    tried : int
        How many rules were looked at: with more of them, more hold by luck.
    left_out : list of str
        What was not tried, and why.
    """

    rules: list[Rule] = field(default_factory=list)
    tried: int = 0
    left_out: list[str] = field(default_factory=list)

    def __iadd__(self, other: Found) -> Found:
        self.rules += other.rules
        self.tried += other.tried
        self.left_out += other.left_out
        return self


def edge_share(gaps: Floats) -> tuple[float, int]:
    """Tell how dense values lie at their bound.

    A bound that something enforces is met with many values close to it; the tail of a
    distribution that merely ended somewhere thins out before its end.

    Parameters
    ----------
    gaps : float64 array
        Distances to the bound, none negative.

    Returns
    -------
    (float, int)
        Share and number of the values within a quarter of the way from the bound to the median.
    """
    if not len(gaps):
        return 0.0, 0
    middle = float(np.median(gaps[:: max(1, len(gaps) // MIDDLE_ROWS)]))
    near = int((gaps <= NEAR * middle).sum())
    return near / len(gaps), near
