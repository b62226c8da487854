"""Text files as a feed: read as text once, typed from all values, kept when small.

A small file is parsed once and kept in memory as typed Arrow data. A large one is parsed in one pass for
its types and rows, which also finds every damaged line, and again for every stream, a batch at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from synthgate.errors import DataError
from synthgate.tables.columns import STREAM_CELLS, Feed, check_same_names, rows_within
from synthgate.tables.files import SourceFile
from synthgate.tables.text_types import Claims, Family, both, claims_of, settle, typed

if TYPE_CHECKING:
    import pyarrow as pa

KEPT_BYTES = 2**27
COMPRESSION_RATIO = 8
STREAM_ROWS = 65_536

#: parses one file into batches of the table's columns, at most so many rows each
Parse = Callable[[SourceFile, int], Iterator["pa.RecordBatch"]]


def is_small(files: Sequence[SourceFile]) -> bool:
    """Tell whether the files, uncompressed, are likely to hold at most 128 MiB."""
    sizes = [file.path.stat().st_size * (COMPRESSION_RATIO if file.compression else 1) for file in files]
    return sum(sizes) <= KEPT_BYTES


def same_names(files: Sequence[SourceFile], names: Callable[[SourceFile], tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Return the column names of every file, the first one's being those of the table.

    Raises
    ------
    DataError
        When two files have different columns.
    """
    found = [names(file) for file in files]
    for file, here in zip(files[1:], found[1:], strict=True):
        check_same_names(found[0], files[0].where, here, file.where)
    return found


def text_feed(
    files: Sequence[SourceFile], parse: Parse, families: Sequence[frozenset[Family] | None], *, as_text: bool
) -> Feed:
    """Return the feed of text files.

    Parameters
    ----------
    files : sequence of SourceFile
    parse : callable
    families : sequence of frozenset of Family or None
        Per column: what it may be, or None when it already has its type.
    as_text : bool
        Leave text as text.
    """
    import pyarrow as pa

    small = is_small(files)
    rows_at_once = rows_within(STREAM_CELLS, len(families), STREAM_ROWS)
    claims: list[Claims | None] = [None] * len(families)
    kept: list[pa.RecordBatch] = []
    schema, rows = None, 0
    for batch in _joined(files, parse, rows_at_once, whole=small):
        schema, rows = batch.schema, rows + batch.num_rows
        if small:
            kept.append(batch)
        if not as_text:
            for at, (column, allowed) in enumerate(zip(batch.columns, families, strict=True)):
                # what is text already needs no further look
                if allowed is not None and claims[at] != frozenset():
                    claims[at] = both(claims[at], claims_of(column, allowed))
    if schema is None:
        schema = pa.schema([(f"column {at}", pa.string()) for at in range(len(families))])
    if not as_text:
        known = zip(schema, families, claims, strict=True)
        schema = pa.schema([(f.name, f.type if allowed is None else settle(claim)) for f, allowed, claim in known])
    if small:
        ready = [_typed_batch(batch, schema) for batch in kept]
        return Feed(schema, rows, lambda: iter(ready))
    return Feed(schema, rows, lambda: _stream(files, parse, rows_at_once, schema))


def _joined(files: Sequence[SourceFile], parse: Parse, rows: int, *, whole: bool) -> Iterator[pa.RecordBatch]:
    """Yield the batches of all files, or all rows as one batch where that is possible."""
    import pyarrow as pa

    batches = (batch for file in files for batch in parse(file, rows))
    if not whole:
        yield from batches
        return
    table = list(batches)
    if table:
        yield from pa.Table.from_batches(table).combine_chunks().to_batches()


def _typed_batch(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    columns = [typed(column, kind) for column, kind in zip(batch.columns, schema.types, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _stream(files: Sequence[SourceFile], parse: Parse, rows: int, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    for file in files:
        for batch in parse(file, rows):
            try:
                yield _typed_batch(batch, schema)
            except pa.ArrowInvalid as error:
                raise DataError(
                    file.where,
                    "holds other values than when it was opened",
                    "leave the file alone while synthgate runs",
                ) from error
