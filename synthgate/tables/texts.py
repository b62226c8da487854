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


def check_all_same(files: Sequence[SourceFile], names: Sequence[Sequence[str]]) -> None:
    """Raise unless all files of a table have the columns of the first.

    Raises
    ------
    DataError
    """
    for file, here in zip(files[1:], names[1:], strict=True):
        check_same_names(names[0], files[0].where, here, file.where)


def text_feed(
    files: Sequence[SourceFile],
    names: Sequence[str],
    parse: Parse,
    families: Sequence[frozenset[Family] | None],
    *,
    as_text: bool,
) -> Feed:
    """Return the feed of text files.

    Parameters
    ----------
    files : sequence of SourceFile
    names : sequence of str
    parse : callable
    families : sequence of frozenset of Family or None
        Per column: what it may be, or None when it already has its type.
    as_text : bool
        Leave text as text.
    """
    import pyarrow as pa

    small = is_small(files)
    rows_at_once = rows_within(STREAM_CELLS, len(names), STREAM_ROWS)
    claims: list[Claims | None] = [None] * len(names)
    kept: list[pa.RecordBatch] = []
    kinds, rows = [pa.null()] * len(names), 0
    for batch in _batches(files, parse, rows_at_once, whole=small):
        kinds, rows = batch.schema.types, rows + batch.num_rows
        if small:
            kept.append(batch)
        for at, (column, allowed) in enumerate(zip(batch.columns, families, strict=True)):
            # what is text already needs no further look
            if not as_text and allowed is not None and claims[at] != frozenset():
                claims[at] = both(claims[at], claims_of(column, allowed))
    if not as_text:
        known = zip(kinds, families, claims, strict=True)
        kinds = [kind if allowed is None else settle(claim) for kind, allowed, claim in known]
    schema = pa.schema(list(zip(names, kinds, strict=True)))
    if small:
        ready = [_typed_batch(batch, schema) for batch in kept]
        return Feed(schema, rows, lambda: iter(ready))
    return Feed(schema, rows, lambda: _stream(files, parse, rows_at_once, schema))


def _batches(files: Sequence[SourceFile], parse: Parse, rows: int, *, whole: bool) -> Iterator[pa.RecordBatch]:
    """Yield the batches of all files; when `whole`, joined to one where that is possible."""
    import pyarrow as pa

    batches = (batch for file in files for batch in parse(file, rows))
    if not whole:
        yield from batches
        return
    held = list(batches)
    if held:
        yield from pa.Table.from_batches(held).combine_chunks().to_batches()


def _typed_batch(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    columns = [typed(column, kind) for column, kind in zip(batch.columns, schema.types, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _stream(files: Sequence[SourceFile], parse: Parse, rows: int, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    for file in files:
        for batch in parse(file, rows):
            try:
                ready = _typed_batch(batch, schema)
            except pa.ArrowInvalid as error:
                raise DataError(
                    file.where,
                    "holds other values than when it was opened",
                    "leave the file alone while synthgate runs",
                ) from error
            yield ready
