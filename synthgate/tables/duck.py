"""DuckDB as a reader: locked-down connections, safe quoting, streams of Arrow batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from synthgate.tables.files import arrow_errors

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


def reader_errors() -> tuple[type[Exception], ...]:
    """Return what DuckDB and pyarrow raise on data that cannot be read."""
    import duckdb

    return (duckdb.Error, *arrow_errors())


@contextmanager
def connect() -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a private in-memory connection that fetches no extensions, shows no progress and lives in UTC."""
    import duckdb

    with duckdb.connect(
        ":memory:", config={"autoinstall_known_extensions": False, "autoload_known_extensions": False}
    ) as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.execute("SET TimeZone = 'UTC'")
        yield connection


def identifier(name: str) -> str:
    """Quote a name for SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a text for SQL."""
    return "'" + text.replace("'", "''") + "'"


def pattern_of(path: Path) -> str:
    """Return the pattern that matches `path` alone: DuckDB takes every path for a glob."""
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in str(path))


def query_batches(
    connection: duckdb.DuckDBPyConnection, sql: str, values: Sequence[object], rows: int
) -> Iterator[pa.RecordBatch]:
    """Stream the answer of `sql` in order, in batches of at most `rows` rows."""
    relation = connection.sql(sql, params=list(values))
    # the method has another name before DuckDB 1.4
    open_reader = getattr(relation, "to_arrow_reader", None) or relation.fetch_arrow_reader
    yield from open_reader(rows)
