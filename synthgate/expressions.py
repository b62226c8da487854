"""Boolean SQL expressions over a row, run by a DuckDB that can reach nothing but the rows it is given.

An expression is parsed first and its syntax tree is walked: only scalar expressions over the
table's own columns are let through. It then runs on a connection without access to files, the
network, settings or extensions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synthgate.canonical import Numbers
from synthgate.errors import GateFileError
from synthgate.plan import Canonical, ColumnPlan, Plan
from synthgate.roles import Role

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

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


def check_expression(connection: duckdb.DuckDBPyConnection, sql: str, where: str) -> None:
    """Refuse anything but one scalar expression over the row's own columns.

    Raises
    ------
    GateFileError
        For statements, sub-selects, windows, parameters, and functions that look outside the row.
    """
    fix = "write one boolean expression over the columns, such as `age >= 17`"
    wrapped = f"SELECT (\n{sql}\n) FROM data"  # noqa: S608 - parsed below, run only when its tree is a scalar expression
    row = connection.execute("SELECT json_serialize_sql(?)", [wrapped]).fetchall()
    tree: dict[str, Any] = json.loads(row[0][0]) if row else {"error": True}
    if tree.get("error"):
        message = str(tree.get("error_message", "it cannot be parsed"))
        at = str(tree.get("position", ""))
        place = f" at character {max(1, int(at) - len('SELECT (x'))}" if at.isdigit() else ""
        raise GateFileError(where, f"the expression {sql!r} is no valid SQL{place}: {message}", fix)
    statements = tree["statements"]
    node = statements[0]["node"]
    plain = len(statements) == 1 and node.get("type") == "SELECT_NODE" and len(node["select_list"]) == 1
    clauses = ("where_clause", "having", "qualify", "sample")
    if not plain or any(node.get(c) for c in clauses) or node["from_table"].get("type") != "BASE_TABLE":
        raise GateFileError(where, f"the expression {sql!r} is more than one expression", fix)
    if node.get("cte_map", {}).get("map") or node.get("modifiers"):
        raise GateFileError(where, f"the expression {sql!r} is more than one expression", fix)
    _walk(node["select_list"][0], sql, where, fix)


def _walk(tree: Any, sql: str, where: str, fix: str) -> None:
    if isinstance(tree, list):
        for part in tree:
            _walk(part, sql, where, fix)
    if not isinstance(tree, dict):
        return
    kind = tree.get("class")
    if kind is not None and kind not in ALLOWED:
        raise GateFileError(where, f"the expression {sql!r} uses a {str(kind).lower()}, which is not allowed", fix)
    name = str(tree.get("function_name", ""))
    if DENIED_FUNCTION.match(name):
        raise GateFileError(where, f"the expression {sql!r} calls {name}(), which looks outside the row", fix)
    for part in tree.values():
        _walk(part, sql, where, fix)


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
            return pa.array([None if v is None else _number(v) for v in text.to_pylist()], pa.float64())
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


def count_violations(
    connection: duckdb.DuckDBPyConnection, batch: pa.RecordBatch, sql: str, condition: str | None, where: str
) -> tuple[int, int]:
    """Count the rows of a batch that break an expression, and those it applies to.

    As in an SQL CHECK, a row breaks the rule when the expression is false; unknown (null) keeps it.

    Raises
    ------
    GateFileError
        When the expression does not fit the columns.
    """
    import duckdb
    import pyarrow as pa

    connection.register("data", pa.Table.from_batches([batch]))
    applies = f"coalesce((\n{condition}\n)::BOOLEAN, false)" if condition else "true"
    breaks = f"{applies} AND NOT coalesce((\n{sql}\n)::BOOLEAN, true)"
    query = f"SELECT count(*) FILTER (WHERE {breaks}), count(*) FILTER (WHERE {applies}) FROM data"  # noqa: S608 - both parts have passed check_expression
    try:
        rows = connection.execute(query).fetchall()
    except duckdb.Error as error:
        first = str(error).split("\n", maxsplit=1)[0]
        raise GateFileError(
            where, f"the expression {sql!r} does not fit the table: {first}", _candidates(str(error))
        ) from error
    finally:
        connection.unregister("data")
    return int(rows[0][0]), int(rows[0][1])


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
        fix = _candidates(str(error))
        raise GateFileError(where, f"the condition {sql!r} does not fit the table: {first}", fix) from error
    finally:
        connection.unregister("data")
    return np.asarray(met, np.bool_)


def _candidates(message: str) -> str:
    found = re.search(r"Candidate bindings: (.*)", message)
    return (
        f"columns with a like name: {found.group(1).splitlines()[0]}"
        if found
        else "correct the expression in the gate file"
    )
