"""Parquet and Arrow IPC, read by pyarrow a batch at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from synthgate.errors import DataError
from synthgate.tables.columns import (
    Feed,
    check_same_names,
    coded_schema,
    plain_batches,
    plain_schema,
    rows_within,
)
from synthgate.tables.files import SourceFile, arrow_errors, damaged, first_line, plain_path

if TYPE_CHECKING:
    import pyarrow as pa

STREAM_CELLS = 2**24
STREAM_ROWS = 131_072
IPC_FILE_MAGIC = b"ARROW1"
PANDAS_INDEX = re.compile(r"__index_level_\d+__")

Batches = Callable[[SourceFile], Iterator["pa.RecordBatch"]]


def open_parquet(files: Sequence[SourceFile]) -> Feed:
    """Return the feed of the Parquet files of one table.

    Raises
    ------
    DataError
    """
    return _feed(files, _parquet_head, _parquet_batches, partial(_parquet_batches, is_coded=True))


def open_arrow(files: Sequence[SourceFile]) -> Feed:
    """Return the feed of the Arrow IPC (Feather) files or streams of one table.

    Raises
    ------
    DataError
    """
    return _feed(files, _arrow_head, _arrow_batches)


def _feed(
    files: Sequence[SourceFile],
    head: Callable[[SourceFile], tuple[pa.Schema, int]],
    batches: Batches,
    coded: Batches | None = None,
) -> Feed:
    heads = [head(file) for file in files]
    schemas = [plain_schema(schema, file.where) for file, (schema, _) in zip(files, heads, strict=True)]
    whole = schemas[0]
    for file, schema in zip(files[1:], schemas[1:], strict=True):
        check_same_names(whole.names, files[0].where, schema.names, file.where)
        whole = _wider(whole, schema, files[0], file)

    def stream(read: Batches, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        for file in files:
            with _reading(file):
                for batch in read(file):
                    yield from plain_batches(batch, schema)

    in_codes = partial(stream, coded, coded_schema(whole)) if coded else None
    return Feed(whole, sum(rows for _, rows in heads), partial(stream, batches, whole), in_codes)


def _wider(one: pa.Schema, other: pa.Schema, first: SourceFile, file: SourceFile) -> pa.Schema:
    """Return the schema that holds the columns of both, in the order of `one`."""
    import pyarrow as pa

    if one.equals(other):
        return one
    try:
        return pa.unify_schemas([one, other], promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        wrong = [name for name in one.names if not _fit(one.field(name).type, other.field(name).type)]
        name = wrong[0] if wrong else one.names[0]
        raise DataError(
            file.where,
            f"the column {name!r} is {other.field(name).type}, expected {one.field(name).type} as in {first.where}",
            "write all files of the table with the same types",
        ) from error


def _fit(one: pa.DataType, other: pa.DataType) -> bool:
    import pyarrow as pa

    try:
        pa.unify_schemas([pa.schema([("x", one)]), pa.schema([("x", other)])], promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return False
    return True


@contextmanager
def _reading(file: SourceFile) -> Iterator[None]:
    try:
        yield
    except arrow_errors() as error:
        raise _explain(file, error) from error


def _explain(file: SourceFile, error: BaseException) -> DataError:
    if not file.path.exists():
        return damaged(file, error)
    if file.compression:
        try:
            with plain_path(file):
                pass
        except arrow_errors() as broken:
            return damaged(file, broken)
    return DataError(
        file.where,
        f"cannot be read as {file.layout}, it is damaged or cut short ({first_line(error)})",
        "copy or write the file again",
    )


@contextmanager
def _parquet_file(file: SourceFile, coded: Sequence[str] = ()) -> Iterator[Any]:
    import pyarrow.parquet as pq

    with (
        plain_path(file) as path,
        pq.ParquetFile(path, memory_map=not file.compression, read_dictionary=list(coded)) as parquet,
    ):
        yield parquet


def _parquet_head(file: SourceFile) -> tuple[pa.Schema, int]:
    with _reading(file), _parquet_file(file) as parquet:
        schema = _without_index(parquet.schema_arrow)
        return schema, parquet.metadata.num_rows


def _without_index(schema: pa.Schema) -> pa.Schema:
    """Leave out the unnamed indexes of a pandas frame, which are row labels and not data."""
    import pyarrow as pa

    try:
        stored = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))
    except ValueError:
        return schema
    indexes = stored.get("index_columns", []) if isinstance(stored, dict) else []
    index = {name for name in indexes if isinstance(name, str) and PANDAS_INDEX.fullmatch(name)}
    return pa.schema([item for item in schema if item.name not in index]) if index else schema


def _parquet_batches(file: SourceFile, *, is_coded: bool = False) -> Iterator[pa.RecordBatch]:
    with _parquet_file(file, _text_columns(file) if is_coded else ()) as parquet:
        columns = parquet.metadata.num_columns
        for at in range(parquet.metadata.num_row_groups):
            if parquet.metadata.row_group(at).num_rows * columns <= STREAM_CELLS:
                # at once, so that all of it has the same dictionaries
                yield from parquet.read_row_group(at).to_batches(STREAM_ROWS)
            else:
                yield from parquet.iter_batches(rows_within(STREAM_CELLS, columns, STREAM_ROWS), row_groups=[at])


def _text_columns(file: SourceFile) -> list[str]:
    import pyarrow.types as pt

    with _parquet_file(file) as parquet:
        return [item.name for item in parquet.schema_arrow if pt.is_string(item.type) or pt.is_large_string(item.type)]


@contextmanager
def _arrow_reader(file: SourceFile) -> Iterator[Any]:
    """Give a reader of the file or stream format; the data of a plain file are memory-mapped."""
    import pyarrow as pa

    with plain_path(file) as path:
        opened = pa.OSFile(str(path)) if file.compression else pa.memory_map(str(path))
        with opened as source:
            is_file = source.read(len(IPC_FILE_MAGIC)) == IPC_FILE_MAGIC
            source.seek(0)
            with pa.ipc.open_file(source) if is_file else pa.ipc.open_stream(source) as reader:
                yield reader


def _arrow_head(file: SourceFile) -> tuple[pa.Schema, int]:
    with _reading(file), _arrow_reader(file) as reader:
        return reader.schema, sum(batch.num_rows for batch in _batches_of(reader))


def _arrow_batches(file: SourceFile) -> Iterator[pa.RecordBatch]:
    with _arrow_reader(file) as reader:
        yield from _batches_of(reader)


def _batches_of(reader: Any) -> Iterator[pa.RecordBatch]:
    if hasattr(reader, "num_record_batches"):
        return (reader.get_batch(at) for at in range(reader.num_record_batches))
    return iter(reader)
