"""JSON Lines: DuckDB finds the keys and types of all records, then reads every scalar as text.

Numbers get the types that the same digits would get in a CSV (64-bit integers exact); strings never become
numbers, but ISO dates become dates, since JSON has none. A key that a record lacks is a missing
value. A column that holds both numbers and strings, or scalars and nested values, is text.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from synthgate.errors import DataError
from synthgate.tables.columns import Feed, check_names, listed, quoted
from synthgate.tables.duck import connect, literal, pattern_of, query_batches, reader_errors
from synthgate.tables.files import SourceFile, arrow_errors, damaged, first_line, open_bytes
from synthgate.tables.text_types import Family
from synthgate.tables.texts import check_all_same, text_feed

if TYPE_CHECKING:
    import pyarrow as pa

RECORD_BYTES = 2**25
HEAD_BYTES = 2**16
BOM = b"\xef\xbb\xbf"
FIX = "write one JSON object on every line"
# no maps for records of many keys, no key left out for being rare, every record of every file looked at
WHOLE = (
    "sample_size = -1, maximum_sample_files = 2147483647, map_inference_threshold = -1, field_appearance_threshold = 0"
)
NUMBERS = ("BIGINT", "UBIGINT", "HUGEINT", "UHUGEINT", "DOUBLE")
MIXED = "JSON"


def open_json(files: Sequence[SourceFile], *, as_text: bool) -> Feed:
    """Return the feed of JSON Lines files of one table.

    Raises
    ------
    DataError
    """
    keys = [_keys(file) for file in files]
    check_all_same(files, keys)
    kinds = _kinds(files)
    families = [_families(kind) for kind in kinds.values()]
    return text_feed(files, tuple(kinds), lambda file, rows: _parse(file, kinds, rows), families, as_text=as_text)


def _is_nested(kind: str) -> bool:
    return kind.endswith("]") or kind.startswith(("STRUCT(", "MAP("))


def _families(kind: str) -> frozenset[Family] | None:
    """Return what the values of a column may be, by the type that DuckDB found."""
    if _is_nested(kind):
        return None
    if kind == MIXED:
        return frozenset()
    if kind == "BOOLEAN":
        return frozenset({Family.BOOLEAN})
    return frozenset({Family.NUMBER if kind in NUMBERS else Family.DATE})


def _shape(file: SourceFile) -> str:
    """Return DuckDB's name for lines of objects, or for one array of objects."""
    try:
        with open_bytes(file) as stream:
            head = stream.read(HEAD_BYTES)
    except arrow_errors() as error:
        raise damaged(file, error) from error
    return "array" if head.removeprefix(BOM).lstrip().startswith(b"[") else "newline_delimited"


def _source(*files: SourceFile) -> str:
    """Return the first arguments of a JSON reader."""
    paths = ", ".join(literal(pattern_of(file.path)) for file in files)
    shapes = {_shape(file) for file in files}
    shape = shapes.pop() if len(shapes) == 1 else "auto"
    packings = {file.compression or "none" for file in files}
    packing = packings.pop() if len(packings) == 1 else "auto_detect"
    return f"[{paths}], format = '{shape}', compression = '{packing}', maximum_object_size = {RECORD_BYTES}"


def _keys(file: SourceFile) -> tuple[str, ...]:
    """Return the keys of all records of a file, sorted.

    Raises
    ------
    DataError
    """
    sql = f"FROM read_json_objects({_source(file)}) SELECT DISTINCT unnest(json_keys(json)) AS key ORDER BY key"
    try:
        with connect() as connection:
            names = [row[0] for row in connection.execute(sql).fetchall()]
    except reader_errors() as error:
        raise _explain(file, error) from error
    if not names:
        raise _bad_line(file) or DataError(file.where, "found no records, expected JSON objects with keys", FIX)
    check_names(names, file.where)
    folded: dict[str, str] = {}
    for name in names:
        twin = folded.setdefault(name.lower(), name)
        if twin != name:
            raise DataError(
                file.where,
                f"the keys {listed([twin, name])} differ in case only, which cannot be told apart in JSON Lines",
                "rename one, or write the table as Parquet",
            )
    return tuple(names)


def _kinds(files: Sequence[SourceFile]) -> dict[str, str]:
    """Return the columns of all records, in order of appearance, with the types that DuckDB finds for them.

    Raises
    ------
    DataError
    """
    sql = f"DESCRIBE FROM read_json({_source(*files)}, records = true, {WHOLE})"
    try:
        with connect() as connection:
            return {row[0]: row[1] for row in connection.execute(sql).fetchall()}
    except reader_errors() as error:
        raise _explain_any(files, error) from error


def _parse(file: SourceFile, kinds: dict[str, str], rows: int) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    columns = [f"{literal(name)}: {literal(kind if _is_nested(kind) else 'VARCHAR')}" for name, kind in kinds.items()]
    columns_sql = f"columns = {{{', '.join(columns)}}}, records = true, ignore_errors = false"
    sql = f"FROM read_json({_source(file)}, {columns_sql})"
    try:
        with connect() as connection:
            for batch in query_batches(connection, sql, [], rows):
                yield pa.RecordBatch.from_arrays(batch.columns, names=list(kinds))
    except reader_errors() as error:
        raise _explain(file, error) from error


def _explain_any(files: Sequence[SourceFile], error: BaseException) -> DataError:
    """Find the damaged one of several files."""
    for file in files[:-1]:
        found = _bad_line(file)
        if found:
            return found
    return _explain(files[-1], error)


def _explain(file: SourceFile, error: BaseException) -> DataError:
    """Word why a file could not be read, with the line where there is one."""
    return _bad_line(file) or DataError(file.where, f"cannot be read as JSON records ({first_line(error)})", FIX)


def _bad_line(file: SourceFile) -> DataError | None:
    """Find the first damaged line of a file, with the json module."""
    try:
        if _shape(file) == "newline_delimited":
            with open_bytes(file) as stream:
                for number, line in enumerate(io.BufferedReader(stream), 1):
                    record = line.removeprefix(BOM) if number == 1 else line
                    problem = _problem_of(record) if record.strip() else ""
                    if problem:
                        return DataError(f"{file.where}, line {number:,}", problem, FIX)
    except arrow_errors() as broken:
        return damaged(file, broken)
    return None


class _TwiceError(Exception):
    """An object has a key twice."""


def _fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise _TwiceError(next(key for at, (key, _) in enumerate(pairs) if key in dict(pairs[:at])))
    return fields


def _problem_of(line: bytes) -> str:
    try:
        value = json.loads(line.decode("utf-8"), object_pairs_hook=_fields)
    except _TwiceError as error:
        return f"found the key {quoted(str(error))} twice in an object; expected every key once"
    except UnicodeDecodeError as error:
        return f"found the byte 0x{line[error.start]:02x}, which is not UTF-8; expected text encoded as UTF-8"
    except json.JSONDecodeError as error:
        return f"is not JSON ({error.msg} at character {error.pos + 1:,}); expected one JSON object"
    except RecursionError:
        return "is nested too deeply; expected one JSON object"
    if isinstance(value, dict):
        return "" if value else "found an object without keys, expected at least one"
    return f"found a JSON {type(value).__name__}, expected one JSON object"
