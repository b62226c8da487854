"""Objects in memory: anything that speaks the Arrow C stream, pandas objects, dicts of columns."""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from synthgate.errors import DataError
from synthgate.tables.columns import check_names, coded_schema, plain_batches, plain_schema, quoted, regroup
from synthgate.tables.files import arrow_errors, first_line

if TYPE_CHECKING:
    import pyarrow as pa

DIGEST_ROWS = 65_536
EXPECTED = "expected a path, or a table such as a pandas, polars or pyarrow one, or a dict of columns"


def open_frame(source: object) -> pa.Table:
    """Return a table-like object as an Arrow table with plain types; streams are read to their end.

    Raises
    ------
    DataError
    """
    import pyarrow as pa

    where = f"<{type(source).__name__}>"
    refusals: tuple[type[Exception], ...] = (TypeError, ValueError, *arrow_errors())
    try:
        table = _as_arrow(source, where)
        schema = plain_schema(table.schema, where)
        batches = [plain for batch in table.to_batches() for plain in plain_batches(batch, schema)]
        return pa.Table.from_batches(batches, schema)
    except refusals as error:
        raise DataError(
            where, f"cannot be taken over as an Arrow table ({first_line(error)})", "convert its columns to plain types"
        ) from error


def _as_arrow(source: object, where: str) -> pa.Table:
    import pyarrow as pa

    if type(source).__module__.split(".")[0] == "pandas":
        return _from_pandas(source, where)
    if isinstance(source, pa.Table):
        return source
    if isinstance(source, pa.RecordBatch):
        return pa.Table.from_batches([source])
    if isinstance(source, Mapping):
        return _from_columns(source, where)
    if isinstance(source, pa.ChunkedArray | pa.Array) or type(source).__name__ == "Series":
        raise DataError(where, "is one column, expected a table", "give the frame that holds it")
    if hasattr(source, "__arrow_c_stream__"):
        return pa.RecordBatchReader.from_stream(source).read_all()
    if hasattr(source, "collect"):
        raise DataError(where, f"is not computed yet; {EXPECTED}", "call its collect() first")
    raise DataError(where, f"is no table; {EXPECTED}", "give one of these")


def _from_pandas(frame: Any, where: str) -> pa.Table:
    """Take over a pandas frame, NaN and None as missing; named indexes become columns."""
    import pyarrow as pa

    if not hasattr(frame, "columns"):
        raise DataError(where, "is one column, expected a table", "give the frame that holds it")
    levels = [name for name in frame.index.names if name is not None]
    names = [*map(str, levels), *map(str, frame.columns)]
    check_names(names, where)
    if levels:
        frame = frame.reset_index(level=levels)
    columns = {name: _dense(frame.iloc[:, at]) for at, name in enumerate(names)}
    return pa.table({name: _column(column, column.isna()) for name, column in columns.items()})


def _dense(column: Any) -> Any:
    """Return a pandas column with all of its values, where only those that are not zero are stored."""
    return column.sparse.to_dense() if str(column.dtype).startswith("Sparse") else column


def _from_columns(columns: Mapping[Any, Any], where: str) -> pa.Table:
    import pyarrow as pa

    names = [str(name) for name in columns]
    check_names(names, where)
    arrays: dict[str, pa.Array] = {}
    for name, values in zip(names, columns.values(), strict=True):
        if isinstance(values, str | bytes) or not isinstance(values, Iterable):
            raise DataError(
                where,
                f"the column {quoted(name)} is one {type(values).__name__}, expected a list or an array",
                "give lists or arrays of one length",
            )
        held = values if hasattr(values, "__len__") else list(values)
        arrays[name] = _column(held, (_is_missing(value) for value in held))
        first = next(iter(arrays))
        found, expected = len(arrays[name]), len(arrays[first])
        if found != expected:
            raise DataError(
                where,
                f"the column {quoted(name)} has {found:,} values, expected {expected:,} as in {quoted(first)}",
                "give columns of one length",
            )
    return pa.table(arrays)


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _column(values: Any, missing: Iterable[bool]) -> pa.Array:
    """Return Python values as an Arrow array; those of mixed types become text."""
    import pyarrow as pa

    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        texts = [None if lacks else str(value) for value, lacks in zip(values, missing, strict=True)]
        return pa.array(texts, pa.string())


def coded_parts(table: pa.Table, rows: int) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a table with text as dictionaries, each over at most so many rows.

    Codes are a fraction of the text: joining the chunks that a table came in copies them instead of it.
    """
    schema = coded_schema(table.schema)
    for start in range(0, table.num_rows, rows):
        part = table.slice(start, rows)
        for at, (found, wanted) in enumerate(zip(table.schema, schema, strict=True)):
            if not found.type.equals(wanted.type):
                part = part.set_column(at, wanted, part.column(at).dictionary_encode())
        yield from part.to_batches()


class _HashSink(io.RawIOBase):
    """A file that keeps nothing but the digest of what is written to it."""

    def __init__(self) -> None:
        self.hash = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.hash.update(data)
        return len(data)


def digest_table(table: pa.Table) -> str:
    """Return the SHA-256 of an Arrow IPC stream of `table`, dictionaries decoded, in batches of 65,536 rows."""
    import pyarrow as pa

    plain = pa.schema([(f.name, f.type.value_type if pa.types.is_dictionary(f.type) else f.type) for f in table.schema])
    decoded = (done for batch in table.to_batches() for done in plain_batches(batch, plain))
    with _HashSink() as sink:
        with pa.ipc.new_stream(sink, plain) as writer:
            for batch in regroup(decoded, plain, DIGEST_ROWS):
                # a copy, since a slice may be written with bytes of its neighbours
                writer.write_batch(batch.take(pa.array(range(batch.num_rows))))
        return sink.hash.hexdigest()
