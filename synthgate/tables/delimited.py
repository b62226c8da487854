"""CSV and TSV: parsed strictly, as text; what is refused is explained by line.

The dialect is not guessed from the data: values are quoted by ``"``, a quote inside a quoted value is doubled,
line 1 holds the names, and in CSV the delimiter is the one of ``, ; | tab`` that splits line 1 into
most names (first of all, into as many as the next line).

pyarrow parses, and not DuckDB: with line breaks inside quoted values and names, DuckDB 2.0 takes them for the
ends of lines and can lose rows without a word; pyarrow agreed with Python's csv module on 40,000 random
files. The one thing that pyarrow lets pass, a last value whose quote is never closed, is looked for here.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from synthgate.errors import DataError
from synthgate.tables.columns import Feed, check_names
from synthgate.tables.files import COPY_BYTES, Layout, SourceFile, arrow_errors, damaged, first_line, open_bytes
from synthgate.tables.headers import refuse_values
from synthgate.tables.text_types import EVERY_FAMILY
from synthgate.tables.texts import check_all_same, is_small, text_feed

if TYPE_CHECKING:
    import pyarrow as pa

DELIMITERS = ",;|\t"
HEAD_BYTES = 2**22
# bytes that are parsed at a time, and so of the longest line
LINE_BYTES = 2**24
QUOTE = '"'


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one file is laid out."""

    delimiter: str
    names: tuple[str, ...]
    only_names: bool


def open_delimited(files: Sequence[SourceFile], *, as_text: bool, missing_values: Sequence[str]) -> Feed:
    """Return the feed of CSV or TSV files of one table.

    Raises
    ------
    DataError
    """
    dialects = {file: _dialect(file) for file in files}
    names = dialects[files[0]].names
    check_all_same(files, [dialects[file].names for file in files])

    def parse(file: SourceFile, _: int) -> Iterator[pa.RecordBatch]:
        for batch in _parse(file, dialects[file], missing_values):
            yield batch if dialects[file].names == names else batch.select(list(names))

    return text_feed(files, names, parse, [EVERY_FAMILY] * len(names), as_text=as_text)


def _parse(file: SourceFile, dialect: Dialect, missing_values: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of one file as text."""
    import pyarrow as pa
    import pyarrow.csv as pc

    if dialect.only_names:
        return
    names = list(dialect.names)
    how = (
        pc.ReadOptions(column_names=names, skip_rows_after_names=1, block_size=LINE_BYTES),
        # an empty line is an empty value where there is but one column
        pc.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True, ignore_empty_lines=len(names) > 1),
        pc.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=list(missing_values),
            strings_can_be_null=True,
            quoted_strings_can_be_null=True,
        ),
    )
    last: pa.RecordBatch | None = None
    try:
        with open_bytes(file) as stream:
            small = is_small([file])
            for batch in pc.read_csv(stream, *how).to_batches() if small else pc.open_csv(stream, *how):
                if batch.num_rows:
                    last = batch
                    yield batch
        problem = last and _open_end(file, dialect, last.column(len(names) - 1)[-1].as_py(), missing_values)
    except arrow_errors() as error:
        raise _explain(file, dialect, error) from error
    if problem:
        raise problem


def _open_end(file: SourceFile, dialect: Dialect, value: str | None, missing_values: Sequence[str]) -> DataError | None:
    """Return what is wrong when the last value of a file opens a quote and never closes it."""
    texts = missing_values if value is None else [value]
    starts = [before + QUOTE for before in (dialect.delimiter, "\n", "\r")]
    ends = [(start + text.replace(QUOTE, QUOTE * 2)).encode() for text in texts for start in starts]
    tail = _tail(file, max(map(len, ends), default=0))
    # a closed value that ends in a line break can look the same: the csv module decides
    return _bad_record(file, dialect) if any(tail.endswith(end) for end in ends) else None


def _tail(file: SourceFile, length: int) -> bytes:
    """Return the last bytes of a file, uncompressed."""
    if not file.compression:
        with file.path.open("rb") as plain:
            plain.seek(max(0, file.path.stat().st_size - length))
            return plain.read(length)
    tail = b""
    with open_bytes(file) as stream:
        while chunk := stream.read(COPY_BYTES):
            tail = (tail + chunk)[-length:]
    return tail


def _dialect(file: SourceFile) -> Dialect:
    """Return the dialect of a file by its first two lines, after checking the names.

    Raises
    ------
    DataError
    """
    try:
        with open_bytes(file) as stream:
            head = stream.read(HEAD_BYTES)
    except arrow_errors() as error:
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
        following = _next_record(records)
        score = len(names) > 1 and len(names) == len(following or ()), len(names)
        if best is None or score > best[0]:
            best = score, Dialect(delimiter, names, following is None)
    where = f"{file.where}, line 1"
    if best is None:
        raise DataError(where, "found a quote that is not closed, expected the column names", "close or drop the quote")
    if not best[1].names:
        raise DataError(where, "the line is blank, expected the column names", "remove the lines before the names")
    refuse_values(best[1].names, csv.reader(io.StringIO(text, newline=""), delimiter=best[1].delimiter), where)
    check_names(best[1].names, where)
    return best[1]


def _next_record(records: Iterator[list[str]]) -> list[str] | None:
    try:
        return next(records, None)
    except csv.Error:
        return []


def _explain(file: SourceFile, dialect: Dialect | None, error: BaseException) -> DataError:
    """Find the first damaged line of a file that could not be read, with the csv module."""
    try:
        return _not_text(file) or (dialect and _bad_record(file, dialect)) or _other(file, error)
    except arrow_errors() as broken:
        return damaged(file, broken)


def _other(file: SourceFile, error: BaseException) -> DataError:
    if "straddling" in str(error):
        found = f"holds a line of more than {LINE_BYTES:,} bytes, expected shorter ones"
        return DataError(file.where, found, "drop such values, or write the table as Parquet")
    return DataError(file.where, f"cannot be read as {file.layout} ({first_line(error)})", "write the file again")


def _not_text(file: SourceFile) -> DataError | None:
    with open_bytes(file) as stream:
        for number, line in enumerate(io.BufferedReader(stream), 1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                encoding = "utf-16le" if b"\0" in line else "latin1"
                return DataError(
                    f"{file.where}, line {number:,}",
                    f"found the byte 0x{line[error.start]:02x}, which is not UTF-8; expected text encoded as UTF-8",
                    f"save the file as UTF-8, for instance with: iconv -f {encoding} -t utf-8",
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
                if record and len(record) != expected:
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
