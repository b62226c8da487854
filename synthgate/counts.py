"""Counts: everything that one pass over a table adds up.

``Counts`` form a commutative monoid: batches, files, threads and machines add up to
exactly the same integers, in any split and any order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from synthgate.canonical import Canonical, Numbers
from synthgate.plan import ColumnPlan, Plan
from synthgate.statistics.intervals import newcombe
from synthgate.values import LabelCounts, NumberCounts, ValueCounts

IntArray = NDArray[np.int64]
PairName = tuple[str, str]
K = TypeVar("K")
V = TypeVar("V", "ColumnCounts", "NDArray[np.int64]")

GROUPS = 10
DRIFTED = 3.0
"""Standard errors by which a holdout differs."""
BLOCK = 65_536
"""Rows that are looked at together: what they need stays in the processor's cache."""


@dataclass(frozen=True, slots=True)
class ColumnCounts:
    """One column of one side.

    Attributes
    ----------
    rows, missing, misfits : int
        `missing` includes the `misfits`: values that do not fit the column's role.
    values : NumberCounts or LabelCounts
    """

    rows: int
    missing: int
    misfits: int
    values: ValueCounts

    def __add__(self, other: ColumnCounts) -> ColumnCounts:
        return ColumnCounts(
            self.rows + other.rows,
            self.missing + other.missing,
            self.misfits + other.misfits,
            _add_values(self.values, other.values),
        )

    @property
    def present(self) -> int:
        """Rows with a value."""
        return self.rows - self.missing

    @property
    def missing_share(self) -> float:
        """Share of rows that were missing in the table itself (misfits left aside), in [0, 1]."""
        return (self.missing - self.misfits) / self.rows if self.rows else 0.0

    @property
    def numbers(self) -> NumberCounts:
        """The values of a continuous column."""
        if not isinstance(self.values, NumberCounts):
            raise TypeError("this column holds labels")
        return self.values

    @property
    def labels(self) -> LabelCounts:
        """The values of a discrete column."""
        if not isinstance(self.values, LabelCounts):
            raise TypeError("this column holds numbers")
        return self.values


def as_often_missing(real: ColumnCounts, held: ColumnCounts) -> bool:
    """Tell whether a holdout may lack as many values as real does; else it drifted, and says nothing of real."""
    low, high = newcombe((held.missing - held.misfits, real.missing - real.misfits), (held.rows, real.rows), DRIFTED)
    return low <= 0 <= high


def _add_values(a: ValueCounts, b: ValueCounts) -> ValueCounts:
    if isinstance(a, NumberCounts) and isinstance(b, NumberCounts):
        return a + b
    if isinstance(a, LabelCounts) and isinstance(b, LabelCounts):
        return a + b
    raise TypeError("numbers and labels do not add up")


@dataclass(frozen=True, slots=True)
class Counts:
    """One side of the comparison, counted.

    Attributes
    ----------
    rows : int
    columns : dict of ColumnCounts
    pairs : dict of int64 array
        Per pair of columns ``(a, b)``, in plan order: contingency tables of their pair codes, one per
        random group of rows, shape (GROUPS, codes of a, codes of b).
    fine : dict of int64 array
        The same over all rows, by the codes that rows were counted with, where these are finer.
    """

    rows: int
    columns: Mapping[str, ColumnCounts]
    pairs: Mapping[PairName, IntArray]
    fine: Mapping[PairName, IntArray] = field(default_factory=dict)

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.rows + other.rows,
            _add(self.columns, other.columns),
            _add(self.pairs, other.pairs),
            _add(self.fine, other.fine),
        )

    @classmethod
    def empty(cls) -> Counts:
        """Return the neutral element."""
        return cls(0, {}, {})


def _add(a: Mapping[K, V], b: Mapping[K, V]) -> dict[K, V]:
    both = dict(a)
    for key, value in b.items():
        both[key] = both[key] + value if key in both else value
    return both


def count_column(column: Canonical) -> ColumnCounts:
    """Count one canonical column of one batch."""
    if isinstance(column, Numbers):
        values = NumberCounts.of(column.values)
        rows = len(column.values)
        return ColumnCounts(rows, rows - values.total, column.misfits, values)
    seen = _count_codes(column.codes, len(column.labels))
    labels = LabelCounts.of(column.labels, seen)
    rows = len(column.codes)
    return ColumnCounts(rows, rows - int(seen.sum()), column.misfits, labels)


def _count_codes(codes: NDArray[np.int32], size: int) -> IntArray:
    """Count codes below `size`, those of missing values (-1) left out: in blocks, as long as there are few codes."""
    block = max(BLOCK, size)
    out = np.zeros(size + 1, np.int64)
    for at in range(0, len(codes), block):
        out += np.bincount(codes[at : at + block] + 1, minlength=size + 1)
    return out[1:]


def count_columns(batch: Mapping[str, Canonical]) -> Counts:
    """Count every column of one batch."""
    columns = {name: count_column(column) for name, column in batch.items()}
    rows = next((c.rows for c in columns.values()), 0)
    return Counts(rows, columns, {})


def pair_names(plan: Plan, names: Iterable[str]) -> list[PairName]:
    """Return the pairs that get a contingency table: both columns in `names`, neither an id, text or vector."""
    present = set(names)
    return list(combinations([c.name for c in plan.columns if c.is_paired and c.name in present], 2))


def row_groups(first: int, rows: int) -> IntArray:
    """Return the random group of each row, which depends on its row number alone.

    Leaving one group out at a time tells how much a score would vary with other rows.
    """
    out = np.empty(rows, np.int64)
    for at in range(0, rows, BLOCK):
        number = np.arange(first + at, first + min(rows, at + BLOCK), dtype=np.uint64)
        mixed = (number + np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(31))) * np.uint64(0x94D049BB133111EB)
        out[at : at + BLOCK] = (mixed >> np.uint64(33)) % np.uint64(GROUPS)
    return out


def code_counts(plan: ColumnPlan, column: ColumnCounts) -> NDArray[np.int64]:
    """Return the counts of a column's pair codes, missing left out."""
    if isinstance(column.values, NumberCounts):
        return column.values.binned(plan.edges)
    codes = plan.label_codes(column.values.labels)
    return np.bincount(codes, weights=column.values.counts, minlength=plan.n_codes).astype(np.int64)
