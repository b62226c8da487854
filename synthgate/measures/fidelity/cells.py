"""Cells: how often each value, or range of values, of a column occurs on each side."""

from __future__ import annotations

from dataclasses import dataclass

from synthgate.statistics.distances import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Cells:
    """One column's cell counts on each side, over the same cells, missing left out."""

    real: IntArray
    synthetic: IntArray
    holdout: IntArray | None
    uniform: FloatArray
    labels: tuple[str, ...]

    @property
    def pool(self) -> IntArray:
        """Counts of all rows known to be real."""
        return self.real if self.holdout is None else self.real + self.holdout
