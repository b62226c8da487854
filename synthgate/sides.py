"""Sides: a table streamed once, into counts of its columns and a bounded, seeded sample of its canonical rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgate.blocks import blocks, join_columns
from synthgate.canonical import Canonical, Labels, Numbers, kind_of, to_vectors
from synthgate.counts import Counts, PairName, count_columns
from synthgate.plan import Plan
from synthgate.roles import Role

if TYPE_CHECKING:
    import pyarrow as pa

    from synthgate.suppression import Suppression
    from synthgate.tables import Table

SAMPLE_ROWS = 1_048_576


@dataclass(frozen=True)
class Side:
    """One table, counted, with its sampled rows in canonical form.

    Attributes
    ----------
    table : Table
    counts : Counts
        Of the columns; pair tables are made on demand by :class:`Evidence`.
    index : int64 array
        Row numbers of the kept rows.
    kept : dict of Numbers or Labels
        The kept rows, per shared column that is neither vector nor unread.
    vectors : dict of float32 array
    suppression : Suppression or None
        What a profile leaves out; None for a table with rows.
    tables : dict of int64 array or None
        The pair tables of a profile.
    """

    table: Table
    counts: Counts
    index: NDArray[np.int64]
    kept: Mapping[str, Canonical]
    vectors: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    suppression: Suppression | None = None
    tables: Mapping[PairName, NDArray[np.int64]] | None = None

    @property
    def has_rows(self) -> bool:
        """Whether it is a table, not a profile."""
        return self.suppression is None

    @property
    def rows(self) -> int:
        """Rows of the table."""
        return self.counts.rows

    @property
    def is_whole(self) -> bool:
        """Whether every row was kept."""
        return len(self.index) == self.rows


@dataclass(frozen=True, slots=True)
class Streamed:
    """What one pass over a table gave: counts per column, and the kept rows."""

    counts: Counts
    index: NDArray[np.int64]
    kept: Mapping[str, Canonical]


def stream(
    table: Table,
    seed: int,
    read: Callable[[pa.RecordBatch], Mapping[str, Canonical]],
) -> Streamed:
    """Stream a table once: add up the counts of its columns, and keep a seeded sample of its rows.

    Parameters
    ----------
    table : Table
    seed : int
    read : callable
        Gives the columns of a batch in canonical form.
    """
    wanted = sampled_rows(table.rows, seed)
    counts, start = Counts.empty(), 0
    parts: list[Mapping[str, Canonical]] = []
    for rows, block in blocks(table, read):
        counts = counts + Counts(rows, count_columns(block).columns, {})
        here = wanted[(wanted >= start) & (wanted < start + rows)] - start
        parts.append(block if len(here) == rows else {name: _take(column, here) for name, column in block.items()})
        start += rows
    kept = {name: join_columns([part[name] for part in parts]) for name in parts[0]} if parts else {}
    return Streamed(counts, wanted, kept)


def sampled_rows(rows: int, seed: int) -> NDArray[np.int64]:
    """Return the numbers of the rows that are kept of a table, rising: all of them, or a random million."""
    if rows <= SAMPLE_ROWS:
        return np.arange(rows, dtype=np.int64)
    rng = np.random.default_rng([seed, *b"rows"])
    return np.sort(rng.choice(rows, SAMPLE_ROWS, replace=False)).astype(np.int64)


def read_columns(plan: Plan, batch: pa.RecordBatch) -> dict[str, Canonical]:
    """Return the planned columns of a batch in canonical form, vectors left aside."""
    present = set(batch.schema.names)
    return {
        column.name: column.read(batch.column(column.name))
        for column in plan.columns
        if column.name in present and column.role is not Role.VECTOR
    }


def count_side(plan: Plan, table: Table, seed: int) -> Side:
    """Stream a table once: add up its counts and keep a seeded sample of its rows."""
    if table.profile is not None:
        return _profiled_side(table)
    streamed = stream(table, seed, lambda batch: read_columns(plan, batch))
    return Side(table, streamed.counts, streamed.index, streamed.kept, read_vectors(plan, table, streamed.index))


def _profiled_side(table: Table) -> Side:
    from synthgate.profile import read_profile

    profile = read_profile(table)
    none = np.empty(0, np.int64)
    return Side(table, profile.counts, none, {}, suppression=profile.suppression, tables=profile.tables)


def read_vectors(plan: Plan, table: Table, index: NDArray[np.int64]) -> dict[str, NDArray[np.float32]]:
    """Return the vectors of some rows, per column of vectors that the plan knows."""
    planned = {column.name for column in plan.columns if column.role is Role.VECTOR}
    names = [item.name for item in table.schema if item.name in planned and kind_of(item.type) == "vector"]
    parts: dict[str, list[NDArray[np.float32]]] = {name: [] for name in names}
    start = 0
    for batch in table.batches() if names else ():
        here = index[(index >= start) & (index < start + batch.num_rows)] - start
        for name, found in parts.items():
            found.append(to_vectors(batch.column(name))[here])
        start += batch.num_rows
    return {name: np.concatenate(found) for name, found in parts.items()}


def _take(column: Canonical, rows: NDArray[np.int64]) -> Canonical:
    if isinstance(column, Numbers):
        return Numbers(column.values[rows])
    return Labels(column.codes[rows], column.labels)
