"""Defects of keys and rules: what must hold in every row does not."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgate.canonical import Labels
from synthgate.defects.arrays import (
    Rows,
    count_of,
    permuted,
    some_rows,
    with_column,
    with_moved,
    with_nulls,
    with_numbers,
)
from synthgate.defects.catalogue import Injection, NotApplicableError, Subject, defect, numbers_of, read
from synthgate.expressions import check_expression, locked_connection
from synthgate.roles import Role

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from synthgate.gatefile import Constraint

LEAST_BOTH = 0.05
"""Share of rows of a rule that has to say something, such as that one date lies truly after another."""
MOST_CODES = 200
RULE_LADDER = (0.0002, 0.002, 0.02, 0.1)


@defect("Repeated keys", ("schema", "constraints"), RULE_LADDER)
def repeated_keys(subject: Subject, strength: float, rng: np.random.Generator) -> Injection:
    """Give a share of the rows the key of another row."""
    names = _keys(subject)
    rows = some_rows(subject.rows, strength, rng)
    others = np.setdiff1d(np.arange(subject.rows), rows)
    if not len(others):
        raise NotApplicableError("there are too few rows")
    table, source = subject.table, rng.choice(others, len(rows))
    for name in names:
        table = with_moved(table, name, rows, source)
    return Injection(table=table, columns=names, told=f"{count_of(rows, table)} have the key of another row")


@defect("Missing keys", ("schema", "constraints"), RULE_LADDER)
def missing_keys(subject: Subject, strength: float, rng: np.random.Generator) -> Injection:
    """Delete the key of a share of the rows."""
    names = _keys(subject)
    rows = some_rows(subject.rows, strength, rng)
    table = with_nulls(subject.table, names[0], rows)
    return Injection(table=table, columns=names[:1], told=f"{count_of(rows, table)} lack their key")


def _keys(subject: Subject) -> tuple[str, ...]:
    """Return the key: the one that is declared, else an id that is never missing and never repeats.

    Raises
    ------
    NotApplicableError
    """
    declared = tuple(name for name in subject.keys if name in subject.table.column_names)
    if declared:
        return declared[:1]
    for name in (c.name for c in subject.plan.columns if c.role is Role.ID):
        values = subject.train[name]
        if not values.null_count and len(values.unique()) == len(values):
            return (name,)
    raise NotApplicableError("the table has no key")


@defect("Broken constraint", ("constraints", "schema"), RULE_LADDER)
def broken_constraint(subject: Subject, strength: float, rng: np.random.Generator) -> Injection:
    """Make a share of the rows break a constraint of the gate file, by other values in the columns that it names."""
    if not subject.constraints:
        raise NotApplicableError("the gate declares no constraint")
    wanted = max(1, round(strength * subject.rows))
    with locked_connection() as connection:
        for rule in (subject.constraints[at] for at in rng.permutation(len(subject.constraints))):
            named = {n for text in (rule.sql, rule.where) if text for n in _named(connection, text, rule, subject)}
            names = [name for name in subject.plan.names if name in named]
            for candidate in _spoiled(subject, names, rng):
                broken = _breaking(connection, candidate, rule)
                if len(broken) < max(1, wanted // 2):
                    continue
                rows = np.sort(rng.permutation(broken)[:wanted])
                table = subject.table
                for name in names:
                    table = _mixed(table, candidate, name, rows)
                told = f"{count_of(rows, table)} break a constraint of the gate"
                return Injection(table=table, columns=tuple(names), told=told)
    raise NotApplicableError("no constraint of the gate could be broken by other values of its columns")


def _named(connection: duckdb.DuckDBPyConnection, text: str, rule: Constraint, subject: Subject) -> frozenset[str]:
    return check_expression(connection, text, rule.place, subject.table.column_names)


def _spoiled(subject: Subject, names: list[str], rng: np.random.Generator) -> Iterator[pa.Table]:
    """Yield tables with other values in some columns: exchanged, beyond both ends, and missing."""
    every = np.arange(subject.rows)
    for name in names:
        yield permuted(subject.table, name, every, rng)
    for name in (n for n in names if subject.plan[n].role.is_continuous):
        values = subject.values(name)
        known = values[np.isfinite(values)]
        length = float(np.ptp(known)) if len(known) else 0.0
        for shift in (-1.1, 1.1, -20.0, 20.0):
            try:
                yield with_numbers(subject.table, subject.plan[name], values + shift * (length or 1.0))
            except NotApplicableError:
                continue
    for name in names:
        yield with_nulls(subject.table, name, every)


def _breaking(connection: duckdb.DuckDBPyConnection, table: pa.Table, rule: Constraint) -> Rows:
    """Return the rows of a table that break a constraint."""
    import duckdb

    applies = f"coalesce((\n{rule.where}\n)::BOOLEAN, false)" if rule.where else "true"
    # a row breaks the rule when the expression is false; an unknown result keeps it, as in an SQL CHECK
    query = f"SELECT {applies} AND NOT coalesce((\n{rule.sql}\n)::BOOLEAN, true) FROM data"  # noqa: S608 - both parts have passed check_expression
    connection.register("data", table)
    try:
        broken = connection.execute(query).fetchall()
    except duckdb.Error:
        return np.empty(0, np.intp)
    finally:
        connection.unregister("data")
    return np.flatnonzero([flag for (flag,) in broken])


def _mixed(table: pa.Table, other: pa.Table, name: str, rows: Rows) -> pa.Table:
    """Return a table whose column has another table's values at some rows."""
    import pyarrow as pa
    import pyarrow.compute as pc

    here = np.zeros(table.num_rows, bool)
    here[rows] = True
    own, its = table[name], other[name]
    kind = its.type if its.type != own.type else own.type
    return with_column(table, name, pc.if_else(pa.array(here), its.cast(kind), own.cast(kind)))


@defect("Broken order", ("constraints", "fidelity"), RULE_LADDER)
def broken_order(subject: Subject, strength: float, rng: np.random.Generator) -> Injection:
    """Swap two numbers, or dates, of which one is never below the other in real."""
    names, truly = _ordered(subject)
    rows = truly[some_rows(len(truly), strength, rng)] if len(truly) else truly
    low, high = (subject.values(name).copy() for name in names)
    low[rows], high[rows] = high[rows].copy(), low[rows].copy()
    table = with_numbers(subject.table, subject.plan[names[0]], low)
    table = with_numbers(table, subject.plan[names[1]], high)
    return Injection(
        table=table, columns=names, told=f"{count_of(rows, table)} break an order of two columns that real always keeps"
    )


def _ordered(subject: Subject) -> tuple[tuple[str, str], Rows]:
    """Return two columns of which one is never below the other, and the rows where it is truly above.

    Columns whose ranges hardly overlap are no rule: they would be ordered whatever they mean.

    Raises
    ------
    NotApplicableError
    """
    for role in (Role.DATETIME, Role.NUMERICAL):
        known = {n: numbers_of(subject.plan, subject.train, n) for n in subject.named(role)[:MOST_CODES]}
        best: tuple[float, tuple[str, str]] | None = None
        for low, high in permutations(known, 2):
            both = ~np.isnan(known[low]) & ~np.isnan(known[high])
            if both.mean() < LEAST_BOTH or (known[low][both] > known[high][both]).any():
                continue
            # how often another row's value would break the order
            overlap = float(np.mean(np.sort(known[low][both])[::-1] > np.sort(known[high][both])))
            if overlap > LEAST_BOTH and (best is None or overlap > best[0]):
                best = (overlap, (low, high))
        if best is not None:
            low_values, high_values = (subject.values(name) for name in best[1])
            return best[1], np.flatnonzero(low_values < high_values)
    raise NotApplicableError("no column is always at or above another whose range it shares")


@defect("Broken dependency", ("constraints", "fidelity", "schema"), RULE_LADDER)
def broken_dependency(subject: Subject, strength: float, rng: np.random.Generator) -> Injection:
    """Give a share of the rows another value in a column that a second one determines in real."""
    determined = _determined(subject)
    if determined is None:
        raise NotApplicableError("no category is determined by another column")
    a, b = determined
    rows = some_rows(subject.rows, strength, rng)
    codes = _codes(subject, subject.table, b)
    source = np.empty(len(rows), np.intp)
    for code in np.unique(codes[rows]):
        others, at = np.flatnonzero((codes != code) & (codes >= 0)), codes[rows] == code
        source[at] = rng.choice(others, int(at.sum())) if len(others) else rows[at]
    table = with_moved(subject.table, b, rows, source)
    told = f"{count_of(rows, table)} have another value in a column that a second one determines in real"
    return Injection(table=table, columns=(a, b), told=told)


def _determined(subject: Subject) -> tuple[str, str] | None:
    """Return two columns of which the first determines the second in every real row, and is no mere copy of a key."""
    names = subject.named(Role.CATEGORICAL, Role.BOOLEAN)
    codes = {name: _codes(subject, subject.train, name) for name in names}
    for a, b in permutations(names, 2):
        n_a, n_b = int(codes[a].max(initial=-1)) + 1, int(codes[b].max(initial=-1)) + 1
        if not 2 <= n_b <= n_a <= MOST_CODES or (codes[b] < 0).any():
            continue
        seen = np.unique(codes[a].astype(np.int64) * (n_b + 1) + codes[b])
        groups = np.unique(seen // (n_b + 1))
        if len(groups) == len(seen) and subject.train.num_rows >= 20 * len(seen):
            return a, b
    return None


def _codes(subject: Subject, table: pa.Table, name: str) -> NDArray[np.int32]:
    column = read(subject.plan, table, name)
    return column.codes if isinstance(column, Labels) else np.full(table.num_rows, -1, np.int32)
