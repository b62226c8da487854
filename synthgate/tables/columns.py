"""What all sources share: names are checked, types made plain, batches regrouped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from synthgate.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

MAX_CELLS = 2**27
STREAM_CELLS = 2**21
MAX_SHOWN = 5
MAX_SHOWN_LENGTH = 60


@dataclass(frozen=True, slots=True)
class Feed:
    """A checked source: its schema, its rows, and a function that streams it from the start.

    `coded` streams the same rows with every text column as a dictionary (see :func:`coded_schema`), for sources that
    give it so faster; it is None for others.
    """

    schema: pa.Schema
    rows: int
    stream: Callable[[], Iterator[pa.RecordBatch]]
    coded: Callable[[], Iterator[pa.RecordBatch]] | None = None


def quoted(text: str) -> str:
    """Return hostile `text` for a message: quoted, line breaks escaped, at most 60 characters."""
    return repr(text if len(text) <= MAX_SHOWN_LENGTH else text[: MAX_SHOWN_LENGTH - 1] + "…")


def listed(names: Sequence[str]) -> str:
    """Return the first five `names` for a message, and how many more there are."""
    more = f" and {len(names) - MAX_SHOWN:,} more" if len(names) > MAX_SHOWN else ""
    return ", ".join(quoted(n) for n in names[:MAX_SHOWN]) + more


def check_names(names: Sequence[str], where: str) -> None:
    """Raise unless there are columns, each with a name of its own.

    Raises
    ------
    DataError
    """
    if not names:
        raise DataError(where, "found no columns, expected at least one", "check the step that wrote it")
    empty = [at for at, name in enumerate(names, 1) if not name.strip()]
    if empty:
        at = ", ".join(f"{n:,}" for n in empty[:MAX_SHOWN]) + (", ..." if len(empty) > MAX_SHOWN else "")
        raise DataError(
            where,
            f"column {at} of {len(names):,} has an empty name; expected every column to have one",
            "name it (a pandas index is left out by to_csv(..., index=False))",
        )
    if len(set(names)) < len(names):
        twice = [name for name, times in Counter(names).items() if times > 1]
        raise DataError(
            where,
            f"found duplicate column names: {listed(twice)}; expected every name once",
            "rename or drop the duplicates",
        )


def check_same_names(first: Sequence[str], first_where: str, names: Sequence[str], where: str) -> None:
    """Raise unless two files of one table have the same columns, in whatever order.

    Raises
    ------
    DataError
    """
    here, there = set(names), set(first)
    lacking = [name for name in first if name not in here]
    extra = [name for name in names if name not in there]
    if not lacking and not extra:
        return
    found = [f"lacks {listed(lacking)}"] if lacking else []
    found += [f"also has {listed(extra)}"] if extra else []
    raise DataError(
        where,
        f"{' and '.join(found)}; expected the columns of {first_where}, the first file of the table",
        "give the files of one table only, or write them with the same columns",
    )


def plain_type(kind: pa.DataType) -> pa.DataType:
    """Return the plain type that holds the same values: string for large_string and string_view, and so on."""
    import pyarrow as pa
    import pyarrow.types as pt

    if isinstance(kind, pa.BaseExtensionType):
        return plain_type(kind.storage_type)
    if pt.is_large_string(kind) or pt.is_string_view(kind):
        return pa.string()
    if pt.is_large_binary(kind) or pt.is_binary_view(kind):
        return pa.binary()
    return _plain_nested(kind) if pt.is_nested(kind) or pt.is_dictionary(kind) or pt.is_run_end_encoded(kind) else kind


def _plain_nested(kind: pa.DataType) -> pa.DataType:
    import pyarrow as pa
    import pyarrow.types as pt

    if pt.is_dictionary(kind):
        return pa.dictionary(kind.index_type, plain_type(kind.value_type), kind.ordered)
    if pt.is_run_end_encoded(kind):
        return plain_type(kind.value_type)
    if pt.is_map(kind):
        return pa.map_(plain_type(kind.key_type), plain_type(kind.item_type))
    if pt.is_struct(kind):
        inner = [kind.field(at) for at in range(kind.num_fields)]
        return pa.struct([pa.field(item.name, plain_type(item.type)) for item in inner])
    if pt.is_fixed_size_list(kind):
        return pa.list_(plain_type(kind.value_type), kind.list_size)
    return kind if pt.is_union(kind) else pa.list_(plain_type(kind.value_type))


def plain_schema(schema: pa.Schema, where: str) -> pa.Schema:
    """Check the names of `schema` and return it with plain types, all nullable, without metadata.

    Raises
    ------
    DataError
    """
    import pyarrow as pa

    check_names(schema.names, where)
    return pa.schema([pa.field(item.name, plain_type(item.type)) for item in schema])


def coded_schema(schema: pa.Schema) -> pa.Schema:
    """Return the schema with a dictionary of strings for each column of strings."""
    import pyarrow as pa

    coded = pa.dictionary(pa.int32(), pa.string())
    return pa.schema([pa.field(item.name, coded if item.type == pa.string() else item.type) for item in schema])


def plain_array(array: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return `array` as `kind`, the plain type of its own or a wider one."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.types as pt

    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if pt.is_run_end_encoded(array.type):
        array = pc.run_end_decode(array)
    if array.type.equals(kind):
        return array
    if pt.is_dictionary(kind):
        return _dictionary_array(array, kind)
    if pt.is_dictionary(array.type):
        return plain_array(array.dictionary_decode(), kind)
    if "list_view" in str(array.type):
        # pyarrow 26 casts a list view to a list that is not valid
        return pa.array(array.to_pylist(), kind)
    try:
        return pc.cast(array, kind)
    except pa.ArrowNotImplementedError:
        return pa.array(array.to_pylist(), kind)


def _dictionary_array(array: pa.Array, kind: pa.DataType) -> pa.Array:
    import pyarrow as pa
    import pyarrow.types as pt

    encoded = array if pt.is_dictionary(array.type) else plain_array(array, kind.value_type).dictionary_encode()
    values = plain_array(encoded.dictionary, kind.value_type)
    return pa.DictionaryArray.from_arrays(encoded.indices.cast(kind.index_type), values, ordered=kind.ordered)


def plain_batches(batch: pa.RecordBatch, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield the rows of `batch` with the columns of `schema`, in its order and types.

    A batch whose text is too long for the 32-bit offsets of a string column comes in halves.
    """
    import pyarrow as pa

    found = batch.schema
    if found.equals(schema):
        yield batch
        return
    at = [found.get_field_index(name) for name in schema.names]
    try:
        columns = [plain_array(batch.column(i), kind) for i, kind in zip(at, schema.types, strict=True)]
    except pa.ArrowInvalid:
        if batch.num_rows < 2:
            raise
        half = batch.num_rows // 2
        yield from plain_batches(batch.slice(0, half), schema)
        yield from plain_batches(batch.slice(half), schema)
        return
    yield pa.RecordBatch.from_arrays(columns, schema=schema)


def rows_within(cells: int, columns: int, most: int) -> int:
    """Return how many rows of so many columns hold at most `cells` cells: from 1 to `most`."""
    return max(1, min(most, cells // max(columns, 1)))


def regroup(
    batches: Iterator[pa.RecordBatch], schema: pa.Schema, max_rows: int, least: int | None = None
) -> Iterator[pa.RecordBatch]:
    """Cut and join `batches` so that all but the last hold `max_rows` rows, or `least` (see :meth:`Table.batches`)."""
    if max_rows < 1:
        raise ValueError(f"max_rows is {max_rows}, expected at least 1")
    size = rows_within(MAX_CELLS, len(schema.names), max_rows)
    enough = size if least is None else min(size, least)
    waiting: list[pa.RecordBatch] = []
    held = 0
    for batch in batches:
        at = 0
        while batch.num_rows - at:
            piece = batch.slice(at, size - held)
            waiting.append(piece)
            held += piece.num_rows
            at += piece.num_rows
            if held >= enough:
                yield from _joined(waiting, schema)
                waiting, held = [], 0
    if waiting:
        yield from _joined(waiting, schema)


def _joined(batches: list[pa.RecordBatch], schema: pa.Schema) -> list[pa.RecordBatch]:
    import pyarrow as pa

    if len(batches) == 1:
        return batches
    joined: list[pa.RecordBatch] = pa.Table.from_batches(batches, schema).combine_chunks().to_batches()
    return joined
