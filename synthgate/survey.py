"""The survey: the first look at the real table, which fixes the plan and is not wasted on that.

Columns are read before their roles are known: numbers and moments as numbers, all else as labels. Most roles ask for
just that reading, so that the counts and rows of the survey serve the real side as they are. The others follow from
it without reading the table again, except where only the table itself tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgate.canonical import Canonical, Labels, Numbers, as_booleans, kind_of, number_label, to_labels, to_numbers
from synthgate.counts import ColumnCounts, Counts, count_column
from synthgate.infer import date_layout, number_notation, number_role, target_role, text_role
from synthgate.plan import ColumnPlan, Plan, plan_column
from synthgate.roles import Role
from synthgate.sides import Side, Streamed, count_side, read_columns, read_vectors, stream
from synthgate.values import LabelCounts, NumberCounts

if TYPE_CHECKING:
    import pyarrow as pa

    from synthgate.tables import Table

MOST_WHOLE = 2.0**53
MOST_RELABELLED = 10_000
"""Most distinct numbers that are written as labels one by one; Arrow does more of them faster from the table."""


@dataclass(frozen=True)
class Survey:
    """The real table as it looks before any role is known.

    Attributes
    ----------
    table : Table
    given : dict of Role
        Roles that were given, which go before inferred ones.
    read_as : dict of Role
        As what each column was read: numerical, datetime, or text.
    streamed : Streamed or None
        Counts and kept rows of these readings; None of a profile, which has no rows.
    """

    table: Table
    given: Mapping[str, Role]
    read_as: Mapping[str, Role]
    streamed: Streamed | None


def survey(table: Table, given: Mapping[str, Role], seed: int = 0) -> Survey:
    """Stream the real table once, before any role is known.

    Parameters
    ----------
    table : Table
    given : dict of Role
        Roles that were given, which go before inferred ones.
    seed : int
        Of the sample of rows, where the table has more than are kept.
    """
    if table.profile is not None:
        return Survey(table, given, {}, None)
    read_as = {item.name: _first_reading(kind_of(item.type), given.get(item.name)) for item in table.schema}

    def read(batch: pa.RecordBatch) -> dict[str, Canonical]:
        return {name: _read(batch.column(name), read_as[name]) for name in batch.schema.names}

    return Survey(table, given, read_as, stream(table, seed, read))


def _first_reading(kind: str, role: Role | None) -> Role:
    if kind not in ("integer", "float", "datetime") or (role and role.is_discrete):
        return Role.TEXT
    return Role.DATETIME if kind == "datetime" else Role.NUMERICAL


def _read(array: pa.Array, role: Role) -> Canonical:
    import pyarrow as pa

    if kind_of(array.type) == "vector":  # vectors have no labels worth the making
        return Labels(np.where(array.is_null(), -1, 0).astype(np.int32), pa.array(["vector"]))
    return to_labels(array, role) if role is Role.TEXT else to_numbers(array, role)


def make_plan(table: Table, roles: Mapping[str, Role], targets: tuple[str, ...], layouts: Mapping[str, str]) -> Plan:
    """Look once at the real table and fix how every column is read: :func:`survey`, then :func:`plan_of`."""
    return plan_of(survey(table, roles), targets, layouts)


def plan_of(seen: Survey, targets: tuple[str, ...], layouts: Mapping[str, str]) -> Plan:
    """Fix how every column is read.

    Parameters
    ----------
    seen : Survey
    targets : tuple of str
        Columns to predict: whole numbers with few values among them are read as classes.
    layouts : dict of str
        ``strptime`` layouts that were given for dates stored as text.
    """
    if seen.streamed is None:
        return _profiled_plan(seen, layouts)
    columns = []
    for item in seen.table.schema:
        kind, counts = kind_of(item.type), seen.streamed.counts.columns[item.name]
        inferred, layout = _role(item.name, kind, counts, is_target=item.name in targets)
        role = seen.given.get(item.name, inferred)
        layout = layout if role is inferred else None
        layout = layouts.get(item.name, layout)
        values = _values_for(role, layout, counts)
        columns.append(plan_column(item.name, role, kind, values, nullable=counts.missing > 0, layout=layout))
    return Plan(tuple(columns))


def _profiled_plan(seen: Survey, layouts: Mapping[str, str]) -> Plan:
    from synthgate.profile import read_profile, refuse_other_roles

    plan = read_profile(seen.table).plan
    refuse_other_roles(seen.table, plan, seen.given, layouts)
    return plan


def _role(name: str, kind: str, seen: ColumnCounts, *, is_target: bool) -> tuple[Role, str | None]:
    if kind == "boolean":
        return Role.BOOLEAN, None
    if kind == "datetime":
        return Role.DATETIME, None
    if kind == "vector":
        return Role.VECTOR, None
    if isinstance(seen.values, NumberCounts):
        role = number_role(name, kind, seen.values)
        return (target_role(role, kind, seen.values) if is_target else role), None
    return _text_role(name, kind, seen.values, is_target=is_target)


def _text_role(name: str, kind: str, values: LabelCounts, *, is_target: bool) -> tuple[Role, str | None]:
    """Return the role of a column of texts, and how they are written when they are dates or numbers."""
    if kind == "string":
        is_date, layout = date_layout(values.labels)
        if is_date:
            return Role.DATETIME, layout
        notation = number_notation(name, values, is_target=is_target)
        if notation is not None:
            return Role.NUMERICAL, notation
    return text_role(name, values), None


def _values_for(role: Role, layout: str | None, seen: ColumnCounts) -> NumberCounts | LabelCounts:
    """Recount the looked-at values in the domain of the role that was chosen."""
    import pyarrow as pa

    values = seen.values
    if isinstance(values, NumberCounts) and not role.is_continuous:
        labels = to_labels(pa.array(values.values), role)
        return LabelCounts.of(labels.labels, _spread(labels, values.counts))
    if isinstance(values, LabelCounts) and role.is_continuous:
        numbers = to_numbers(values.labels, role, layout)
        return _weighted(numbers.values, values.counts)
    if isinstance(values, LabelCounts) and role is Role.BOOLEAN:
        labels = to_labels(values.labels, role)
        return LabelCounts.of(labels.labels, _spread(labels, values.counts))
    return values


def _spread(labels: Labels, counts: NDArray[np.int64]) -> NDArray[np.int64]:
    keep = labels.codes >= 0
    return np.bincount(labels.codes[keep], weights=counts[keep], minlength=len(labels.labels)).astype(np.int64)


def _weighted(values: NDArray[np.float64], counts: NDArray[np.int64]) -> NumberCounts:
    keep = ~np.isnan(values)
    distinct, place = np.unique(values[keep], return_inverse=True)
    return NumberCounts(distinct, np.bincount(place, weights=counts[keep], minlength=len(distinct)).astype(np.int64))


def count_surveyed(plan: Plan, seen: Survey, seed: int) -> Side:
    """Count the real side from its survey, reading the table again for those columns only that need it.

    Equal to :func:`synthgate.sides.count_side` of the same table, with the seed that the survey was made with.
    """
    if seen.streamed is None:
        return count_side(plan, seen.table, seed)
    first, whole = seen.streamed, len(seen.streamed.index) == seen.table.rows
    counts: dict[str, ColumnCounts] = {}
    kept: dict[str, Canonical] = {}
    left: list[ColumnPlan] = []
    for column in plan.columns:
        raw = first.kept[column.name]
        read = reread(column, raw, seen.read_as[column.name], first.counts.columns[column.name])
        if column.role is Role.VECTOR:
            continue
        if read is raw:
            counts[column.name], kept[column.name] = first.counts.columns[column.name], raw
        elif read is not None and whole:
            counts[column.name], kept[column.name] = count_column(read), read
        else:
            left.append(column)
    if left:
        again = stream(seen.table, seed, lambda batch: read_columns(Plan(tuple(left)), batch))
        counts.update(again.counts.columns)
        kept.update(again.kept)
    names = [column.name for column in plan.columns if column.name in counts]
    ordered = Counts(first.counts.rows, {name: counts[name] for name in names}, {})
    vectors = read_vectors(plan, seen.table, first.index)
    return Side(seen.table, ordered, first.index, {name: kept[name] for name in names}, vectors)


def reread(column: ColumnPlan, raw: Canonical, read_as: Role, seen: ColumnCounts) -> Canonical | None:
    """Return what :meth:`ColumnPlan.read` would, from the first reading; None where only the table itself tells."""
    if isinstance(raw, Numbers):
        if column.role is read_as:
            return raw
        are_numbers = column.kind in ("integer", "float")
        labelled = are_numbers and not column.role.is_continuous and column.role is not Role.BOOLEAN
        return _labelled(raw, seen.numbers) if labelled else None
    if column.role.is_continuous:
        return _parsed(column, raw) if column.kind == "string" else None
    return as_booleans(raw) if column.role is Role.BOOLEAN else raw


def _labelled(raw: Numbers, seen: NumberCounts) -> Labels | None:
    """Write numbers as labels, where that is exact."""
    import pyarrow as pa

    values = seen.values
    if seen.overflowed or len(values) > MOST_RELABELLED or not (np.abs(values) <= MOST_WHOLE).all():
        return None
    codes = np.searchsorted(values, raw.values).astype(np.int32)
    codes[np.isnan(raw.values)] = -1
    return Labels(codes, pa.array([number_label(value) for value in values.tolist()], pa.string()))


def _parsed(column: ColumnPlan, raw: Labels) -> Numbers | None:
    """Parse labels as numbers or moments, where all of them are some."""
    numbers = to_numbers(raw.labels, column.role, column.layout)
    return None if numbers.misfits else Numbers(np.append(numbers.values, np.nan)[raw.codes])
