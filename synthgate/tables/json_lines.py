"""JSON Lines: DuckDB finds the structure of all records, then reads every number as text.

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
from synthgate.tables.duck import connect, identifier, literal, pattern_of, query_batches, reader_errors
from synthgate.tables.files import SourceFile, damaged, first_line, open_bytes
from synthgate.tables.text_types import Family
from synthgate.tables.texts import check_all_same, text_feed

if TYPE_CHECKING:
    import pyarrow as pa

RECORD_BYTES = 2**25
HEAD_BYTES = 2**16
NUMBERS = ("UBIGINT", "BIGINT", "HUGEINT", "DOUBLE")
FAMILIES = {
    "VARCHAR": frozenset({Family.DATE}),
    "BOOLEAN": frozenset({Family.BOOLEAN}),
    **dict.fromkeys(NUMBERS, frozenset({Family.NUMBER})),
}

#: of DuckDB's json_structure: the name of a type, a list with one element, or fields by name
Structure = str | list[Any] | dict[str, Any]


def open_json(files: Sequence[SourceFile], *, as_text: bool) -> Feed:
    """Return the feed of JSON Lines files of one table.

    Raises
    ------
    DataError
    """
    structures = [_structure(file) for file in files]
    check_all_same(files, [tuple(found) for found in structures])
    whole = structures[0]
    for other in structures[1:]:
        whole = {name: merged(whole[name], other[name]) for name in whole}
    families = [FAMILIES.get(kind, frozenset()) if isinstance(kind, str) else None for kind in whole.values()]
    return text_feed(files, tuple(whole), lambda file, rows: _parse(file, whole, rows), families, as_text=as_text)


def merged(one: Structure, other: Structure) -> Structure:
    """Return the structure that holds the values of two."""
    if other in (one, "NULL"):
        return one
    if one == "NULL":
        return other
    if one in NUMBERS and other in NUMBERS:
        return max(one, other, key=NUMBERS.index)
    if isinstance(one, list) and isinstance(other, list):
        return [merged(one[0], other[0])]
    if isinstance(one, dict) and isinstance(other, dict):
        return {name: merged(one.get(name, "NULL"), other.get(name, "NULL")) for name in one | other}
    return "JSON"


def sql_type(kind: Structure) -> str:
    """Return the SQL type that holds nested values."""
    if isinstance(kind, list):
        return f"{sql_type(kind[0])}[]"
    if isinstance(kind, dict):
        return f"STRUCT({', '.join(f'{identifier(name)} {sql_type(inner)}' for name, inner in kind.items())})"
    return {"NULL": "VARCHAR", "JSON": "VARCHAR", "HUGEINT": "DOUBLE", "UBIGINT": "UBIGINT"}.get(kind, kind)


def _shape(file: SourceFile) -> str:
    """Return DuckDB's name for lines of objects, or for one array of objects."""
    try:
        with open_bytes(file) as stream:
            head = stream.read(HEAD_BYTES)
    except reader_errors() as error:
        raise damaged(file, error) from error
    return "array" if head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"[") else "newline_delimited"


def _options(file: SourceFile) -> str:
    return (
        f"format = '{_shape(file)}', compression = '{file.compression or 'none'}', maximum_object_size = {RECORD_BYTES}"
    )


def _structure(file: SourceFile) -> dict[str, Structure]:
    """Return the fields of all records of a file, with their structures.

    Raises
    ------
    DataError
    """
    sql = f"""SELECT json_group_structure(json)::VARCHAR AS found, count(*) AS records
        FROM read_json_objects($1, {_options(file)})"""  # noqa: S608
    try:
        with connect() as connection:
            row = next(query_batches(connection, sql, [pattern_of(file.path)], 1)).to_pylist()[0]
    except reader_errors() as error:
        raise _explain(file, error) from error
    if not row["records"]:
        raise DataError(
            file.where, "found no records, expected a JSON object on every line", "check the step that wrote it"
        )
    found = json.loads(row["found"])
    if not isinstance(found, dict):
        raise _explain(file, None)
    check_names(tuple(found), file.where)
    folded: dict[str, str] = {}
    for name in found:
        twin = folded.setdefault(name.lower(), name)
        if twin != name:
            raise DataError(
                file.where,
                f"the keys {listed([twin, name])} differ in case only, which cannot be told apart in JSON Lines",
                "rename one, or write the table as Parquet",
            )
    return found


def _parse(file: SourceFile, structure: dict[str, Structure], rows: int) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    kinds = [
        f"{literal(name)}: {literal('VARCHAR' if isinstance(kind, str) else sql_type(kind))}"
        for name, kind in structure.items()
    ]
    sql = f"""SELECT * FROM read_json($1, columns = {{{", ".join(kinds)}}}, records = true, ignore_errors = false,
        {_options(file)})"""  # noqa: S608
    try:
        with connect() as connection:
            for batch in query_batches(connection, sql, [pattern_of(file.path)], rows):
                yield pa.RecordBatch.from_arrays(batch.columns, names=list(structure))
    except reader_errors() as error:
        raise _explain(file, error) from error


def _explain(file: SourceFile, error: BaseException | None) -> DataError:
    """Find the first damaged line of a file that could not be read, with the json module."""
    fix = "write one JSON object on every line"
    try:
        if _shape(file) == "newline_delimited":
            with open_bytes(file) as stream:
                for number, line in enumerate(io.BufferedReader(stream), 1):
                    line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                    problem = _problem_of(line) if line.strip() else ""
                    if problem:
                        return DataError(f"{file.where}, line {number:,}", problem, fix)
    except reader_errors() as broken:
        return damaged(file, broken)
    found = first_line(error) if error else "found something else than JSON objects, or objects without keys"
    return DataError(file.where, f"cannot be read as JSON records: {found}", fix)


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
