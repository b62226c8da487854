"""Tables: whatever the user has, as Arrow batches that can be streamed again and again.

:func:`open_table` finds out what a source is, checks it, and returns a :class:`Table`. Everything
that can be wrong with a source ends in one :class:`~synthgate.errors.DataError`, never in the
traceback of a library. No rows, or no columns, is such an error.

========================================  ==========================================================
source                                    read by
========================================  ==========================================================
``.csv .tsv .tab``                        pyarrow as text, typed by :mod:`synthgate.tables.text_types`
``.jsonl .ndjson .json``                  DuckDB (objects line by line, or one array of objects)
``.parquet .pq``                          pyarrow
``.arrow .feather .ipc .arrows``          pyarrow, memory-mapped
``duckdb:///PATH?table=NAME``             DuckDB, read-only
a profile, whatever its name              counts in place of rows: :mod:`synthgate.tables.profiles`
anything with ``__arrow_c_stream__``      pyarrow; also pandas objects and dicts of columns
========================================  ==========================================================

Files may be compressed (``.gz``, ``.zst``) and may be named by a glob: many files of one table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from synthgate.errors import DataError
from synthgate.tables.columns import Feed, coded_schema, regroup
from synthgate.tables.files import Layout, SourceFile, digest_files, find_files, is_url, mask_url
from synthgate.tables.profiles import AGAIN, ProfileDocument, is_profile, no_rows, read_document

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["DEFAULT_MISSING", "Table", "open_table"]

DEFAULT_MISSING = ("",)
MAX_ROWS = 1_048_576
PIECE_ROWS = 65_536


@dataclass(frozen=True, eq=False)
class Table:
    """A table that can be read any number of times.

    Attributes
    ----------
    name : str
        For messages.
    source : str
        What the user gave: a path, a glob, a URL (credentials masked), ``<DataFrame>``.
    schema : pyarrow.Schema
        Names and Arrow types, without metadata. Strings, binaries and lists are of the plain kind
        (no large or view types); dictionaries stay.
    rows : int
        Exact, at least 1.
    as_text : bool
        Whether a text file was left as text, so that its types say nothing.
    profile : ProfileDocument or None
        The counts of a profile, which stand in place of rows: there are none to stream, though `rows` tells
        how many were counted.
    """

    name: str
    source: str
    schema: pa.Schema
    rows: int
    _stream: Callable[[], Iterator[pa.RecordBatch]] = field(repr=False)
    _digest: Callable[[], str] = field(repr=False)
    _coded: Callable[[], Iterator[pa.RecordBatch]] | None = field(default=None, repr=False)
    as_text: bool = False
    profile: ProfileDocument | None = None

    def batches(self, max_rows: int = MAX_ROWS) -> Iterator[pa.RecordBatch]:
        """Stream all rows in order, from the start.

        Parameters
        ----------
        max_rows : int
            Rows of a batch at most. All batches but the last hold as many, so a table that is no
            longer comes as one; fewer when a batch would hold more than 134 million cells, or a
            column more than 2 GiB of text.

        Raises
        ------
        DataError
            When a file turns out to be damaged, or has changed since it was opened.
        """
        return regroup(self._stream(), self.schema, max_rows)

    def coded_batches(self) -> Iterator[pa.RecordBatch]:
        """Stream all rows as the source cuts them, text as dictionaries where it is held so: to be counted.

        Small batches are joined, so that all but the last hold some 65,000 rows, and large ones cut.

        Raises
        ------
        DataError
        """
        if self._coded is None:
            return regroup(self._stream(), self.schema, MAX_ROWS, PIECE_ROWS)
        return regroup(self._coded(), coded_schema(self.schema), MAX_ROWS, PIECE_ROWS)

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of the data, in hexadecimal; computed when first asked for.

        Of the bytes of a file; of names, sizes and bytes of the files of a glob, sorted by name;
        of an Arrow IPC serialisation for objects in memory, which does not depend on how their
        rows are chunked.
        """
        return self._digest()


def open_table(
    source: object, *, name: str = "table", as_text: bool = False, missing_values: Sequence[str] = DEFAULT_MISSING
) -> Table:
    """Open a table.

    Parameters
    ----------
    source : str, Path or table-like object
        See the module. A path that holds ``*``, ``?`` or ``[`` and names no file is a glob. A text file has
        its column names on line 1. An unnamed pandas index is no column (neither here nor in Parquet
        that pandas wrote); a named one is. Object columns of mixed Python types become text.
    name : str
        Of the table, for messages.
    as_text : bool
        Leave every value of a text file (CSV, TSV, JSON Lines) as text; nested values of JSON Lines keep
        their types. Typed sources are not affected.
    missing_values : sequence of str
        Text that stands for a missing value in CSV and TSV, quoted or not. By default only the empty field:
        ``?``, ``NA`` and ``None`` stay values unless named here. An empty line is skipped,
        except in a table of one column, where it is an empty field.

    Raises
    ------
    DataError
        When the source is no readable table.

    Notes
    -----
    Types of a text column are inferred from all of its values: integers that fit 64 bits stay exact and
    longer ones stay text; integers with leading zeros (post codes) stay text; dates and timestamps are
    ISO 8601 only; timestamps that all carry an offset, even different ones, become UTC, and a column
    where only some do stays text. Times of day stay text. A column with no value at all has type null.
    """
    if not isinstance(source, str | Path):
        return _open_object(source, name)
    if isinstance(source, str) and is_url(source):
        from synthgate.tables.databases import open_database

        path, feed = open_database(source)
        return _table(name, mask_url(source), feed, lambda: digest_files((SourceFile(path, Layout.DATABASE, ""),)))
    if is_profile(source):
        return _open_profile(source, name, is_judged=as_text)
    files = find_files(source)
    left = as_text and files[0].layout not in (Layout.PARQUET, Layout.ARROW)
    opened = _table(name, str(source), _open_files(files, missing_values, as_text=as_text), lambda: digest_files(files))
    return replace(opened, as_text=left)


def _open_profile(source: str | Path, name: str, *, is_judged: bool) -> Table:
    document = read_document(source)
    if is_judged:
        problem = f"is a profile, which holds counts and no rows; expected the rows of the {name} table"
        raise DataError(document.where, problem, "a profile can stand for the real table only")
    try:
        digest = str(document.body["sha256"])
        return Table(name, document.where, document.schema(), document.rows, no_rows, lambda: digest, profile=document)
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise DataError(document.where, "is a damaged profile: it does not say what table it is of", AGAIN) from error


def _open_object(source: object, name: str) -> Table:
    from synthgate.tables.frames import coded_parts, digest_table, open_frame

    frame = open_frame(source)
    feed = Feed(frame.schema, frame.num_rows, lambda: iter(frame.to_batches()), lambda: coded_parts(frame, MAX_ROWS))
    return _table(name, f"<{type(source).__name__}>", feed, lambda: digest_table(frame))


def _open_files(files: tuple[SourceFile, ...], missing_values: Sequence[str], *, as_text: bool) -> Feed:
    layout = files[0].layout
    if layout is Layout.PARQUET:
        from synthgate.tables.columnar import open_parquet

        return open_parquet(files)
    if layout is Layout.ARROW:
        from synthgate.tables.columnar import open_arrow

        return open_arrow(files)
    if layout is Layout.JSON:
        from synthgate.tables.json_lines import open_json

        return open_json(files, as_text=as_text)
    from synthgate.tables.delimited import open_delimited

    return open_delimited(files, as_text=as_text, missing_values=missing_values)


def _table(name: str, source: str, feed: Feed, digest: Callable[[], str]) -> Table:
    if not feed.rows:
        raise DataError(
            source,
            f"found no rows, only the names of {len(feed.schema.names):,} columns; expected at least one row",
            "check the step that wrote it",
        )
    return Table(name, source, feed.schema, feed.rows, feed.stream, digest, feed.coded)
