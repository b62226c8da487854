"""Rows with the real table's types again, for SQL: what declared constraints see."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from synthgate.blocks import blocks
from synthgate.expressions import typed_batch
from synthgate.plan import Plan
from synthgate.sides import Side, read_columns

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK = 122_880
"""Rows of a chunk: as many as DuckDB gives one thread at a time."""


def typed_rows(plan: Plan, side: Side, schema: pa.Schema, names: frozenset[str]) -> Iterator[pa.Table]:
    """Yield all rows of a side, in the types of the real table, in tables of many chunks.

    Parameters
    ----------
    plan : Plan
    side : Side
        Its kept rows are used where all were kept; else the table is read again.
    schema : pyarrow.Schema
        The real table's schema.
    names : set of str
        Columns that are wanted; without any, the first is given, so that rows are counted.
    """
    import pyarrow as pa

    wanted = names or frozenset(list(side.kept)[:1])
    again = blocks(side.table, lambda batch: read_columns(plan, batch))
    for columns in [side.kept] if side.is_whole else (block for _, block in again):
        batch = typed_batch(plan, {name: column for name, column in columns.items() if name in wanted}, schema)
        yield pa.Table.from_batches([batch.slice(at, CHUNK) for at in range(0, max(1, batch.num_rows), CHUNK)])
