"""Boolean SQL expressions over a row, run by a DuckDB that can reach nothing but the rows it is given.

An expression is parsed first and its syntax tree is walked: only scalar expressions over the
table's own columns are let through. It then runs on a connection without access to files, the
network, settings or extensions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synthgate.canonical import Canonical, Numbers
from synthgate.errors import GateFileError, nearest
from synthgate.plan import ColumnPlan, Plan
from synthgate.roles import Role
from synthgate.tables.duck import identifier

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

OPENING = "SELECT (\n"
FIX = "write one boolean expression over the columns, such as `age >= 17`"
ROW_NUMBER = "row number of the table"

ALLOWED = frozenset(
    {
        "COMPARISON",
        "CONJUNCTION",
        "CONSTANT",
        "COLUMN_REF",
        "FUNCTION",
        "OPERATOR",
        "CASE",
        "CAST",
        "BETWEEN",
        "COLLATE",
        "LAMBDA",
        "TYPE",
    }
)
DENIED_FUNCTION = re.compile(
    r"^(read_|getenv|current_setting|pragma|duckdb_|query|glob|sniff|nextval|currval|random|uuid|gen_random|"
    r"set_|parquet_|json_execute|sql_|write_|version|current_|txid|now$|today$|get_current|in_search_path|setseed|getvariable)",
    re.IGNORECASE,
)


@contextmanager
def locked_connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an in-memory DuckDB without access to anything outside, and close it afterwards."""
    import duckdb

    settings: dict[str, Any] = {
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "python_enable_replacements": "false",
        "threads": "2",
    }
    connection = duckdb.connect(":memory:", config=settings)
    try:
        connection.execute("SET enable_progress_bar = false")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        yield connection
    finally:
        connection.close()


def check_expression(
    connection: duckdb.DuckDBPyConnection, sql: str, where: str, columns: Sequence[str]
) -> frozenset[str]:
    """Refuse anything but one scalar expression over the row's own columns, and return the columns it names.

    Raises
    ------
    GateFileError
        For statements, sub-selects, windows, parameters, functions that look outside the row, and for
        columns that the table does not have; with the position where it is known.
    """
    wrapped = f"{OPENING}{sql}\n) FROM data"  # parsed below, run only when its tree is a scalar expression
    row = connection.execute("SELECT json_serialize_sql(?)", [wrapped]).fetchall()
    tree: dict[str, Any] = json.loads(row[0][0]) if row else {"error": True}
    if tree.get("error"):
        message = str(tree.get("error_message", "it cannot be parsed"))
        at = str(tree.get("position", ""))
        raise GateFileError(where, f"the expression {sql!r} is no valid SQL{_place(at, sql)}: {message}", FIX)
    statements = tree["statements"]
    node = statements[0]["node"]
    plain = len(statements) == 1 and node.get("type") == "SELECT_NODE" and len(node["select_list"]) == 1
    clauses = ("where_clause", "having", "qualify", "sample")
    if not plain or any(node.get(c) for c in clauses) or node["from_table"].get("type") != "BASE_TABLE":
        raise GateFileError(where, f"the expression {sql!r} is more than one expression", FIX)
    if node.get("cte_map", {}).get("map") or node.get("modifiers"):
        raise GateFileError(where, f"the expression {sql!r} is more than one expression", FIX)
    nodes = list(_nodes(node["select_list"][0]))
    for part in nodes:
        _refuse_outside(part, sql, where)
    return _columns(nodes, sql, where, columns)


def _place(at: object, sql: str) -> str:
    """Return the place in an expression of a position in the statement around it, in words."""
    text = str(at)
    if not text.isdigit() or int(text) < len(OPENING):
        return ""
    character = int(text) - len(OPENING) + 1
    return f" at character {character}" if character <= len(sql) else " at its end"


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield every node of a syntax tree."""
    if isinstance(tree, list):
        for part in tree:
            yield from _nodes(part)
    if isinstance(tree, dict):
        yield tree
        for part in tree.values():
            yield from _nodes(part)


def _refuse_outside(node: Mapping[str, Any], sql: str, where: str) -> None:
    kind, at = node.get("class"), _place(node.get("query_location", ""), sql)
    if kind is not None and kind not in ALLOWED:
        raise GateFileError(where, f"the expression {sql!r} uses a {str(kind).lower()}{at}, which is not allowed", FIX)
    name = str(node.get("function_name", ""))
    if DENIED_FUNCTION.match(name):
        raise GateFileError(where, f"the expression {sql!r} calls {name}(){at}, which looks outside the row", FIX)


def _columns(nodes: list[dict[str, Any]], sql: str, where: str, known: Sequence[str]) -> frozenset[str]:
    """Return the columns that are named; every one of `known` where a lambda names things of its own."""
    if any(node.get("class") == "LAMBDA" for node in nodes):
        return frozenset(known)
    by_name = {name.casefold(): name for name in reversed(known)}
    found = set()
    for node in nodes:
        names = [str(name) for name in node.get("column_names") or ()] if node.get("class") == "COLUMN_REF" else []
        name = names[1] if len(names) > 1 and names[0].casefold() == "data" else names[0] if names else None
        if name is None:
            continue
        if name.casefold() not in by_name:
            at = _place(node.get("query_location", ""), sql)
            fix = nearest(name, known) if known else FIX
            raise GateFileError(
                where, f"the expression {sql!r} names the column {name!r}{at}, which real does not have", fix
            )
        found |= {other for other in known if other.casefold() == name.casefold()}
    return frozenset(found)


def typed_batch(plan: Plan, columns: Mapping[str, Canonical], schema: pa.Schema) -> pa.RecordBatch:
    """Return a batch with the real table's types; values that do not fit them are null.

    Parameters
    ----------
    plan : Plan
    columns : dict of Numbers or Labels
        Canonical columns of the batch.
    schema : pyarrow.Schema
        The real table's schema.
    """
    import pyarrow as pa

    names = [name for name in plan.names if name in columns]
    arrays = [_typed(plan[name], columns[name], schema.field(name).type) for name in names]
    return pa.RecordBatch.from_arrays(arrays, names=names)


def _typed(plan: ColumnPlan, column: Canonical, kind: pa.DataType) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    if not isinstance(column, Numbers):
        labels = pa.DictionaryArray.from_arrays(pa.array(column.codes, mask=column.codes < 0), column.labels)
        text = labels.dictionary_decode()
        if plan.role is Role.BOOLEAN:
            return pc.equal(text, "true")
        if plan.kind in ("integer", "float"):
            numbers = pa.array([_number(label) for label in column.labels.to_pylist()], pa.float64())
            return pc.take(numbers, pa.array(column.codes, mask=column.codes < 0))
        return text
    missing = np.isnan(column.values)
    if plan.role is Role.DATETIME:
        micro = pa.array(np.where(missing, 0, column.values).astype(np.int64), mask=missing)
        stamps = pc.cast(micro, pa.timestamp("us"))
        return pc.cast(stamps, kind, safe=False) if pa.types.is_date(kind) else stamps
    if plan.kind == "integer":
        whole = np.where(missing | ~np.isfinite(column.values), 0, column.values)
        if (whole == np.floor(whole)).all() and np.abs(whole).max(initial=0) < 2**62:
            return pa.array(whole.astype(np.int64), mask=missing | ~np.isfinite(column.values))
    return pa.array(column.values, mask=missing)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class Checkable:
    """A rule that has passed :func:`check_expression`.

    Attributes
    ----------
    sql : str
    condition : str or None
        Only rows that meet it are held to the rule.
    where : str
        The place of the rule, for messages.
    columns : set of str
        The columns that both name.
    """

    sql: str
    condition: str | None
    where: str
    columns: frozenset[str] = frozenset()

    @property
    def applies(self) -> str:
        """The rows that are held to the rule, in SQL."""
        return f"coalesce((\n{self.condition}\n)::BOOLEAN, false)" if self.condition else "true"

    @property
    def breaks(self) -> str:
        """The rows that break it: as in an SQL CHECK the expression is false; unknown (null) keeps the rule."""
        breaks = f"NOT coalesce((\n{self.sql}\n)::BOOLEAN, true)"
        return f"{self.applies} AND {breaks}" if self.condition else breaks


def count_violations(
    connection: duckdb.DuckDBPyConnection, batches: Iterable[pa.Table], rules: Sequence[Checkable]
) -> list[tuple[int, int]]:
    """Count for each rule the rows that break it, and those it applies to, in one pass over the batches.

    Raises
    ------
    GateFileError
        When an expression does not fit the columns.
    """
    import duckdb

    totals = np.zeros((len(rules), 2), np.int64)
    wanted = ", ".join(_counted(rule) for rule in rules)
    for batch in batches:
        connection.register("data", batch)
        try:
            row = connection.execute(f"SELECT {wanted} FROM data").fetchall()[0]  # noqa: S608 - every part has passed check_expression
        except duckdb.Error:
            _blame(connection, rules)
            raise
        finally:
            connection.unregister("data")
        totals += np.array(row, np.int64).reshape(len(rules), 2)
    return [(int(broken), int(of)) for broken, of in totals]


def _counted(rule: Checkable) -> str:
    of = f" FILTER (WHERE {rule.applies})" if rule.condition else ""
    return f"count(*) FILTER (WHERE {rule.breaks}), count(*){of}"


def _blame(connection: duckdb.DuckDBPyConnection, rules: Sequence[Checkable]) -> None:
    """Raise for the first rule that does not fit the registered rows."""
    import duckdb

    for rule in rules:
        try:
            connection.execute(f"SELECT {_counted(rule)} FROM data").fetchall()  # noqa: S608 - as above
        except duckdb.Error as error:
            first = str(error).split("\n", maxsplit=1)[0]
            problem = f"the expression {rule.sql!r} does not fit the table: {first}"
            raise GateFileError(rule.where, problem, "correct the expression in the gate file") from error


def breaking_rows(
    connection: duckdb.DuckDBPyConnection, batches: Iterable[pa.Table], rule: Checkable, most: int
) -> list[dict[str, Any]]:
    """Return the first rows that break a rule: their number from 1, and the values the rule looks at."""
    rows: list[dict[str, Any]] = []
    start = 1
    names = sorted(rule.columns)
    for batch in batches:
        connection.register("data", batch.append_column(ROW_NUMBER, [np.arange(start, start + batch.num_rows)]))
        listed = ", ".join(identifier(name) for name in (ROW_NUMBER, *names))
        query = f"SELECT {listed} FROM data WHERE {rule.breaks} ORDER BY 1 LIMIT {most - len(rows)}"  # noqa: S608 - as above
        found = connection.execute(query).fetchall()
        connection.unregister("data")
        rows += [dict(zip(("row", *names), values, strict=True)) for values in found]
        start += batch.num_rows
        if len(rows) >= most:
            break
    return rows


def row_mask(connection: duckdb.DuckDBPyConnection, batch: pa.RecordBatch, sql: str, where: str) -> NDArray[np.bool_]:
    """Tell for each row of a batch, in order, whether it meets a condition that has passed :func:`check_expression`.

    Raises
    ------
    GateFileError
        When the condition does not fit the columns.
    """
    import duckdb
    import pyarrow as pa

    connection.register("data", pa.Table.from_batches([batch]))
    query = f"SELECT coalesce((\n{sql}\n)::BOOLEAN, false) AS met FROM data"  # noqa: S608 - has passed check_expression
    try:
        met = connection.execute(query).fetchnumpy()["met"]
    except duckdb.Error as error:
        first = str(error).split("\n", maxsplit=1)[0]
        problem = f"the condition {sql!r} does not fit the table: {first}"
        raise GateFileError(where, problem, "correct the expression in the gate file") from error
    finally:
        connection.unregister("data")
    return np.asarray(met, np.bool_)
