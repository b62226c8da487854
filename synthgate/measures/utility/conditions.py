"""Parts of the rows by a condition on one column, the same on test rows and on synthetic ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthgate.measures.utility.slices import single_slices
from synthgate.measures.utility.trials import Trial
from synthgate.sample import Sample

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

LEAST_ROWS = 60


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition in words, and which test rows, synthetic rows and real training rows meet it."""

    words: str
    columns: tuple[str, ...]
    tested: BoolArray
    synthetic: BoolArray
    learnt: BoolArray


def conditions_of(sample: Sample, trial: Trial, synthetic: IntArray, learnt: IntArray) -> list[Condition]:
    """Return the conditions of :func:`single_slices` that at least 60 rows of the other two kinds meet as well.

    Parameters
    ----------
    synthetic, learnt : int64 array
        Synthetic rows, and real training rows.
    """
    found = []
    for one in single_slices(sample, trial):
        name = one.columns[0]
        there = one.holds(sample.synthetic.columns[name][synthetic])
        known = one.holds(sample.real.columns[name][learnt])
        if min(int(there.sum()), int(known.sum())) >= LEAST_ROWS:
            found.append(Condition(one.words, one.columns, one.rows, there, known))
    return found
