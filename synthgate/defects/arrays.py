"""Change columns of an Arrow table and keep their types."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgate.canonical import EPOCH, number_label
from synthgate.defects.catalogue import NotApplicableError
from synthgate.notations import write
from synthgate.plan import ColumnPlan
from synthgate.roles import Role

if TYPE_CHECKING:
    import pyarrow as pa

Rows = NDArray[np.intp]
DAY = 86_400e6
"""Microseconds of a day."""


def some_rows(rows: int, share: float, rng: np.random.Generator) -> Rows:
    """Return a random share of the row numbers, at least one; a greater share holds those of a smaller one."""
    return np.sort(rng.permutation(rows)[: max(1, round(share * rows))])


def count_of(rows: Rows, table: pa.Table) -> str:
    """Return how many rows were changed, in words."""
    return f"{len(rows):,} of {table.num_rows:,} rows"


def with_column(table: pa.Table, name: str, array: pa.Array) -> pa.Table:
    """Return a table with another array in the place of a column."""
    return table.set_column(table.schema.get_field_index(name), name, array)


def with_moved(table: pa.Table, name: str, to: Rows, source: Rows) -> pa.Table:
    """Return a table whose column has, at the rows `to`, the values of its rows `source`."""
    import pyarrow as pa

    places = np.arange(table.num_rows)
    places[to] = source
    return with_column(table, name, table[name].take(pa.array(places)))


def permuted(table: pa.Table, name: str, rows: Rows, rng: np.random.Generator) -> pa.Table:
    """Return a table with the values of one column exchanged among some rows: its distribution stays exact."""
    return with_moved(table, name, rows, rng.permutation(rows))


def with_nulls(table: pa.Table, name: str, rows: Rows) -> pa.Table:
    """Return a table with missing values at some rows of a column."""
    import pyarrow as pa
    import pyarrow.compute as pc

    gone = np.zeros(table.num_rows, bool)
    gone[rows] = True
    column = table[name]
    return with_column(table, name, pc.if_else(pa.array(gone), pa.scalar(None, column.type), column))


def with_texts(table: pa.Table, name: str, rows: Rows, texts: list[str | None]) -> pa.Table:
    """Return a table with other texts at some rows of a column, which becomes plain text."""
    import pyarrow as pa

    values = table[name].to_pylist()
    for row, text in zip(rows.tolist(), texts, strict=True):
        values[row] = text
    return with_column(table, name, pa.array([None if v is None else str(v) for v in values], pa.string()))


def with_numbers(table: pa.Table, plan: ColumnPlan, values: NDArray[np.float64]) -> pa.Table:
    """Return a table with other numbers, or moments, in a continuous column; NaN is missing.

    The column keeps its type; where that cannot hold a value it becomes the widest of its kind.
    """
    return with_column(table, plan.name, numbers_as(table.schema.field(plan.name).type, plan, values))


def numbers_as(kind: pa.DataType, plan: ColumnPlan, values: NDArray[np.float64]) -> pa.Array:
    """Return numbers, or microseconds since 1970, as an array of the type of a column.

    Raises
    ------
    NotApplicableError
        When they cannot be written as that type.
    """
    import pyarrow as pa
    import pyarrow.types as pt

    if pt.is_dictionary(kind):
        return numbers_as(kind.value_type, plan, values)
    gone = ~np.isfinite(values) if not pt.is_floating(kind) else np.isnan(values)
    try:
        if plan.role is Role.DATETIME:
            return _moments(kind, plan, np.where(gone, 0, values), gone)
        if pt.is_string(kind):
            spell = partial(write, layout=plan.layout) if plan.layout else number_label
            return pa.array([None if lost else spell(v) for v, lost in zip(values, gone, strict=True)], kind)
        if pt.is_integer(kind):
            whole = pa.array(np.round(np.where(gone, 0, values)).astype(np.int64), mask=gone)
            least, greatest = np.nanmin(values, initial=0), np.nanmax(values, initial=0)
            fits = -(2 ** (kind.bit_width - 1)) <= least and greatest < 2 ** (kind.bit_width - 1)
            return whole.cast(kind) if fits and not (pt.is_unsigned_integer(kind) and least < 0) else whole
        return pa.array(values, mask=gone).cast(kind if pt.is_floating(kind) else pa.float64(), safe=False)
    except (pa.ArrowException, OverflowError) as error:
        raise NotApplicableError(f"the column cannot hold the changed values ({kind})") from error


def _moments(kind: pa.DataType, plan: ColumnPlan, micro: NDArray[np.float64], gone: NDArray[np.bool_]) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as pt

    if pt.is_string(kind):
        day = bool((micro % DAY == 0).all())
        return pa.array([None if g else _text(m, plan.layout, day) for m, g in zip(micro, gone, strict=True)], kind)
    stamps = pa.array(micro.astype(np.int64), mask=gone).cast(pa.timestamp("us"))
    if pt.is_timestamp(kind) and kind.tz:
        stamps = pc.assume_timezone(stamps, "UTC")
    return stamps.cast(kind, safe=False)


def _text(micro: float, layout: str | None, is_day: bool) -> str:  # noqa: FBT001 - one of three plain facts
    from datetime import timedelta

    moment = (EPOCH + timedelta(microseconds=int(micro))).replace(tzinfo=None)
    if layout:
        return moment.strftime(layout)
    return moment.date().isoformat() if is_day else moment.isoformat(sep=" ")
