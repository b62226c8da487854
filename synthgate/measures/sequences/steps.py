"""The steps of sequences, in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgate.canonical import Labels, Numbers
from synthgate.clusters import LEAST_CLUSTERS, sorted_codes

if TYPE_CHECKING:
    from synthgate.evidence import Evidence

IntArray = NDArray[np.int64]

NO_SEQUENCES = (
    "the table has no sequence key: name one in the metadata (`sequence_key`), or under `sequence` in the gate file"
)


@dataclass(frozen=True, slots=True)
class Steps:
    """The kept rows of one side, sequence by sequence and in order.

    Attributes
    ----------
    order : int64 array, shape (steps,)
        Places among the kept rows.
    sequence : int64 array, shape (steps,)
        Dense number of each step's sequence, rising.
    sequences : int
    """

    order: IntArray
    sequence: IntArray
    sequences: int

    def pairs(self, lag: int) -> NDArray[np.intp]:
        """Return the steps that have a step `lag` later in the same sequence."""
        return np.flatnonzero(self.sequence[: len(self.sequence) - lag] == self.sequence[lag:])


def why_not(evidence: Evidence) -> str | None:
    """Return why the order of steps cannot be assessed, or None when it can."""
    sequence = evidence.sequence
    if sequence is None:
        return NO_SEQUENCES
    if sequence.key is None:
        return "all rows are one sequence: without a sequence key nothing says how much another would differ"
    if sequence.key not in evidence.shared:
        return f"the sequence key {sequence.key!r} is missing in synthetic"
    for name, side in evidence.sides.items():
        if name != "holdout" and not side.is_whole:
            return f"the {name} table is larger than the sample of rows, which would tear sequences apart"
        if name != "holdout" and count_sequences(evidence, name) < LEAST_CLUSTERS:
            return f"the {name} table has fewer than {LEAST_CLUSTERS} sequences"
    return None


def count_sequences(evidence: Evidence, side: str) -> int:
    """Return how many sequences a side has."""
    key = evidence.sequence.key if evidence.sequence else None
    column = evidence.sides[side].kept.get(key) if key else None
    return len(np.unique(column.codes[column.codes >= 0])) if isinstance(column, Labels) else 0


def steps_of(evidence: Evidence, side: str) -> Steps | None:
    """Return a side's steps in order of the index column (of the rows where there is none), or None without a key."""
    data, sequence = evidence.sides[side], evidence.sequence
    if sequence is None or sequence.key is None or not data.is_whole:
        return None
    key = data.kept.get(sequence.key)
    if not isinstance(key, Labels):
        return None
    codes = sorted_codes(key)
    keep = np.flatnonzero(codes >= 0)
    index = data.kept.get(sequence.index) if sequence.index else None
    if isinstance(index, Numbers):
        order = keep[np.lexsort((keep, index.values[keep], codes[keep]))]
    else:
        order = keep[np.argsort(codes[keep], kind="stable")]
    _, dense = np.unique(codes[order], return_inverse=True)
    return Steps(order.astype(np.int64), dense.astype(np.int64), int(dense.max(initial=-1)) + 1)


def sides_with_steps(evidence: Evidence) -> dict[str, Steps]:
    """Return the steps of every side that has them."""
    made = {side: steps_of(evidence, side) for side in evidence.sides}
    return {side: steps for side, steps in made.items() if steps is not None and steps.sequences >= 2}


def own_columns(evidence: Evidence) -> list[str]:
    """Return the shared columns that are neither sequence key nor sequence index."""
    named = {evidence.sequence.key, evidence.sequence.index} if evidence.sequence else set()
    return [name for name in evidence.shared if name not in named and not evidence.is_tie(name)]
