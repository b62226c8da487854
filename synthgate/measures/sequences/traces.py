"""Traces: how a column runs from the first step of its sequences on, as quartiles over many of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgate.canonical import Numbers
from synthgate.findings import Json
from synthgate.measures.sequences.steps import Steps

if TYPE_CHECKING:
    from synthgate.evidence import Evidence

MOST_STEPS = 60
LEAST_SEQUENCES = 30
"""Fewest sequences behind the quartiles of a step, so that they are nobody's own values."""
QUARTERS = (0.25, 0.5, 0.75)


def trace(evidence: Evidence, name: str, steps: Mapping[str, Steps]) -> Json:
    """Return quartiles of a column at each step of its sequences, real and synthetic, for a picture.

    Returns
    -------
    dict or None
        Per side a list of ``[lower quartile, median, upper quartile]``, one for each of the first steps that enough
        sequences of both sides have; None when there are fewer than two.
    """
    found = {side: _quartiles(evidence, name, side, steps[side]) for side in ("real", "synthetic")}
    length = min(len(rows) for rows in found.values())
    return {side: rows[:length] for side, rows in found.items()} if length >= 2 else None


def _quartiles(evidence: Evidence, name: str, side: str, steps: Steps) -> list[Json]:
    column = evidence.sides[side].kept.get(name)
    if not isinstance(column, Numbers):
        return []
    values = column.values[steps.order]
    place: NDArray[np.intp] = np.arange(len(values)) - np.searchsorted(steps.sequence, steps.sequence)
    out: list[Json] = []
    for at in range(MOST_STEPS):
        here = values[place == at]
        here = here[np.isfinite(here)]
        if len(here) < LEAST_SEQUENCES:
            break
        out.append([float(v) for v in np.quantile(here, QUARTERS)])
    return out
