"""CSV and TSV: DuckDB parses strictly, as text; what it refuses is explained by line.

The dialect is not guessed from the data: values are quoted by ``"``, a quote inside a quoted value is doubled,
line 1 holds the names, and in CSV the delimiter is the one of ``, ; | tab`` that splits line 1 into
most names (first of all, into as many as the next line).
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from synthgate.errors import DataError
from synthgate.tables.columns import Feed, check_names, quoted
from synthgate.tables.duck import connect, literal, pattern_of, query_batches, reader_errors
from synthgate.tables.files import Layout, SourceFile, damaged, first_line, open_bytes
from synthgate.tables.text_types import EVERY_FAMILY
from synthgate.tables.texts import check_all_same, text_feed

if TYPE_CHECKING:
    import pyarrow as pa

DELIMITERS = ",;|\t"
HEAD_BYTES = 2**22
# bytes of the longest line, and of what DuckDB reads at a time
LINE_BYTES = 2**25
# stands in nullstr when nothing is missing: DuckDB demands an entry
NOTHING = "\x1a\x1a"


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one file is laid out."""

    delimiter: str
    names: tuple[str, ...]


def open_delimited(files: Sequence[SourceFile], *, as_text: bool, missing_values: Sequence[str]) -> Feed:
    """Return the feed of CSV or TSV files of one table.

    Raises
    ------
    DataError
    """
    dialects = {file: _dialect(file) for file in files}
    names = dialects[files[0]].names
    check_all_same(files, [dialects[file].names for file in files])
    for file, dialect in dialects.items():
        _check_missing(missing_values, dialect.delimiter, file.where)

    def parse(file: SourceFile, rows: int) -> Iterator[pa.RecordBatch]:
        for batch in _parse(file, dialects[file], missing_values, rows):
            yield batch if dialects[file].names == names else batch.select(list(names))

    return text_feed(files, names, parse, [EVERY_FAMILY] * len(names), as_text=as_text)


def _check_missing(missing_values: Sequence[str], delimiter: str, where: str) -> None:
    for text in missing_values:
        if delimiter in text or '"' in text:
            raise DataError(
                where,
                f"the missing value {quoted(text)} holds the delimiter {delimiter!r} or a quote; expected plain text",
                "choose other text for missing values",
            )


def _parse(file: SourceFile, dialect: Dialect, missing_values: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
    """Yield the rows of one file as text; the names are given, so that DuckDB renames none."""
    import pyarrow as pa

    columns = ", ".join(f"'c{at}': 'VARCHAR'" for at in range(len(dialect.names)))
    missing = ", ".join(literal(text) for text in missing_values) or literal(NOTHING)
    sql = f"""SELECT * FROM read_csv($1, columns = {{{columns}}}, auto_detect = false, header = true, skip = 0,
        delim = {literal(dialect.delimiter)}, quote = '"', escape = '"', comment = '', nullstr = [{missing}],
        strict_mode = true, null_padding = false, ignore_errors = false, encoding = 'utf-8',
        compression = '{file.compression or "none"}', max_line_size = {LINE_BYTES}, buffer_size = {LINE_BYTES})"""  # noqa: S608
    try:
        with connect() as connection:
            for batch in query_batches(connection, sql, [pattern_of(file.path)], rows):
                yield pa.RecordBatch.from_arrays(batch.columns, names=dialect.names)
    except reader_errors() as error:
        raise _explain(file, dialect, error) from error


def _dialect(file: SourceFile) -> Dialect:
    """Return the dialect of a file by its first two lines, after checking the names.

    Raises
    ------
    DataError
    """
    try:
        with open_bytes(file) as stream:
            head = stream.read(HEAD_BYTES)
    except reader_errors() as error:
        raise damaged(file, error) from error
    if not head:
        raise DataError(
            file.where, "the file is empty once uncompressed, expected a table", "check the step that wrote it"
        )
    try:
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(head, len(head) < HEAD_BYTES)
    except UnicodeDecodeError as error:
        raise _explain(file, None, error) from error
    best: tuple[tuple[bool, int], Dialect] | None = None
    for delimiter in "\t" if file.layout is Layout.TSV else DELIMITERS:
        try:
            records = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
            names = tuple(next(records, ()))
        except csv.Error:
            continue
        score = len(names) > 1 and len(names) == len(_next_record(records)), len(names)
        if best is None or score > best[0]:
            best = score, Dialect(delimiter, names)
    where = f"{file.where}, line 1"
    if best is None:
        raise DataError(where, "found a quote that is not closed, expected the column names", "close or drop the quote")
    if not best[1].names:
        raise DataError(where, "the line is blank, expected the column names", "remove the lines before the names")
    check_names(best[1].names, where)
    return best[1]


def _next_record(records: Iterator[list[str]]) -> list[str]:
    try:
        return next(records, [])
    except csv.Error:
        return []


def _explain(file: SourceFile, dialect: Dialect | None, error: BaseException) -> DataError:
    """Find the first damaged line of a file that could not be read, with the csv module."""
    try:
        return _not_text(file) or (dialect and _bad_record(file, dialect)) or _mixed_ends(file) or _other(file, error)
    except reader_errors() as broken:
        return damaged(file, broken)


def _other(file: SourceFile, error: BaseException) -> DataError:
    return DataError(file.where, f"cannot be read as {file.layout} ({first_line(error)})", "write the file again")


def _not_text(file: SourceFile) -> DataError | None:
    with open_bytes(file) as stream:
        for number, line in enumerate(io.BufferedReader(stream), 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                return DataError(
                    f"{file.where}, line {number:,}",
                    f"found the byte 0x{line[error.start]:02x}, which is not UTF-8; expected text encoded as UTF-8",
                    "save the file as UTF-8, for instance with: iconv -f latin1 -t utf-8",
                )
    return None


def _bad_record(file: SourceFile, dialect: Dialect) -> DataError | None:
    expected = len(dialect.names)
    with open_bytes(file) as stream:
        text = io.TextIOWrapper(io.BufferedReader(stream), encoding="utf-8-sig", newline="")
        records = csv.reader(text, delimiter=dialect.delimiter, strict=True)
        line = 1
        try:
            for record in records:
                if record and len(record) != expected and (len(record) < expected or any(record[expected:])):
                    fields = f"{len(record):,} field" + "s" * (len(record) != 1)
                    return DataError(
                        f"{file.where}, line {line:,}",
                        f"found {fields}, expected {expected:,}, one for each name in line 1",
                        f"complete the line, or quote the values that hold a {dialect.delimiter!r}",
                    )
                line = records.line_num + 1
        except csv.Error as error:
            if "field larger" in str(error):
                return None
            return DataError(
                f"{file.where}, line {line:,}",
                "found a quoted value that is not closed, or text after its closing quote; "
                "expected a delimiter or the end of the line there",
                'double every quote inside a quoted value, as in "6"" pipe"',
            )
    return None


def _mixed_ends(file: SourceFile) -> DataError | None:
    ends: set[str] = set()
    with open_bytes(file) as stream:
        for line in io.BufferedReader(stream):
            ends.add("\\r\\n" if line.endswith(b"\r\n") else "\\n")
            if len(ends) > 1:
                return DataError(
                    file.where,
                    r"lines end in \n and in \r\n; expected one kind of line ending",
                    "make them alike, for instance with dos2unix",
                )
    return None
