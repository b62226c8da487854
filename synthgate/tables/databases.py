"""Tables of a database file, read by DuckDB: ``duckdb:///PATH?table=NAME``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote

from synthgate.errors import DataError, nearest
from synthgate.tables.columns import STREAM_CELLS, Feed, plain_batches, plain_schema, quoted, rows_within
from synthgate.tables.duck import connect, identifier, literal, query_batches, reader_errors
from synthgate.tables.files import check_file, first_line, mask_url, shown

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

URL = re.compile(r"(?P<kind>duckdb|sqlite):///(?P<path>[^?#]+)(\?(?P<query>[^#]*))?", re.IGNORECASE)
STREAM_ROWS = 65_536
FORM = "duckdb:///PATH?table=NAME"


def open_database(url: str) -> tuple[Path, Feed]:
    """Return the database file that a URL names, and the feed of its table.

    Raises
    ------
    DataError
    """
    where = mask_url(url)
    parts = URL.fullmatch(url)
    if not parts:
        raise DataError(
            where,
            f"is a URL that is not read; expected a path or {FORM}",
            "save the table to a file, such as Parquet, and give its path",
        )
    kind, path = parts["kind"].lower(), _path(unquote(parts["path"]))
    check_file(path)
    names = parse_qs(parts["query"] or "", keep_blank_values=True).get("table", [])
    try:
        with _attached(path, kind) as connection:
            table = _table_of(connection, names[0] if names else "", where)
            answer = next(query_batches(connection, f"FROM {table} SELECT count(*)", [], 1))
            rows = answer.column(0)[0].as_py()
            relation = connection.sql(f"FROM {table} LIMIT 0")
            schema = plain_schema(relation.to_arrow_table().schema, where)
    except reader_errors() as error:
        raise _unreadable(path, kind, error) from error

    def stream() -> Iterator[pa.RecordBatch]:
        size = rows_within(STREAM_CELLS, len(schema.names), STREAM_ROWS)
        try:
            with _attached(path, kind) as connection:
                for batch in query_batches(connection, f"FROM {table}", [], size):
                    yield from plain_batches(batch, schema)
        except reader_errors() as error:
            raise _unreadable(path, kind, error) from error

    return path, Feed(schema, rows, stream)


def _path(text: str) -> Path:
    """Return the path of a URL: relative as after three slashes, absolute as after four, or where the file is."""
    path = Path(text).expanduser()
    absolute = Path("/", text)
    return absolute if not path.exists() and absolute.exists() else path


@contextmanager
def _attached(path: Path, kind: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a connection that sees the database, read-only, and nothing else on this machine."""
    with connect() as connection:
        if kind == "sqlite":
            connection.execute("LOAD sqlite")
        connection.execute(f"ATTACH {literal(str(path))} AS source (READ_ONLY, TYPE {kind})")
        # a view in the database must not open files of its own choice
        connection.execute("SET enable_external_access = false")
        yield connection


def _table_of(connection: duckdb.DuckDBPyConnection, name: str, where: str) -> str:
    """Return the quoted full name of the one table that is called `name`."""
    found = connection.execute(
        "SELECT table_schema, table_name FROM information_schema.tables WHERE table_catalog = 'source' ORDER BY ALL"
    ).fetchall()
    if not found:
        raise DataError(where, "the database holds no tables", "give another database")
    hits = [pair for pair in found if name in (pair[1], f"{pair[0]}.{pair[1]}")]
    if len(hits) == 1:
        return ".".join(identifier(part) for part in ("source", *hits[0]))
    known = {
        table if len([1 for pair in found if pair[1] == table]) == 1 else f"{schema}.{table}" for schema, table in found
    }
    if not name:
        raise DataError(where, f"names no table, expected {FORM}", nearest("", known))
    times = "several tables" if hits else "no table"
    raise DataError(where, f"{times} of the database are called {quoted(name)}, expected one", nearest(name, known))


def _unreadable(path: Path, kind: str, error: BaseException) -> DataError:
    if kind == "sqlite" and "extension" in str(error).lower():
        return DataError(
            shown(path),
            "SQLite databases need DuckDB's sqlite extension, which is not installed here",
            "run INSTALL sqlite in DuckDB once, or export the table to CSV or Parquet",
        )
    return DataError(
        shown(path), f"cannot be read as a {kind} database ({first_line(error)})", "close programs that write to it"
    )
