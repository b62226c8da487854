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

LEAST_SYNTHETIC = 60


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition in words, and which test rows and synthetic rows meet it."""

    words: str
    columns: tuple[str, ...]
    tested: BoolArray
    synthetic: BoolArray


def conditions_of(sample: Sample, trial: Trial, rows: IntArray) -> list[Condition]:
    """Return the conditions of :func:`single_slices` that at least 60 of the given synthetic rows meet as well."""
    found = []
    for one in single_slices(sample, trial):
        there = one.holds(sample.synthetic.columns[one.columns[0]][rows])
        if int(there.sum()) >= LEAST_SYNTHETIC:
            found.append(Condition(one.words, one.columns, one.rows, there))
    return found
