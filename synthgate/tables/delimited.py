"""CSV and TSV: DuckDB parses strictly, as text; what it refuses is explained by line.

The dialect is not guessed from the data: values are quoted by ``"``, a quote inside a value is doubled,
line 1 holds the names, and in CSV the delimiter is the one of ``, ; | tab`` that splits line 1 into
most names (first of all, into as many as line 2).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from synthgate.errors import DataError
from synthgate.tables.columns import Feed, check_names, quoted
from synthgate.tables.duck import connect, first_line, literal, pattern_of, query_batches, reader_errors
from synthgate.tables.files import Layout, SourceFile, open_bytes
from synthgate.tables.text_types import EVERY_FAMILY
from synthgate.tables.texts import same_names, text_feed

if TYPE_CHECKING:
    import pyarrow as pa

DELIMITERS = ",;\t|"
HEAD_BYTES = 2**22
# bytes of the longest line, and of what DuckDB reads at a time
LINE_BYTES = 2**25
# stands in nullstr when nothing is missing: DuckDB demands an entry
NOTHING = "\x1a\x1a"


def open_delimited(files: Sequence[SourceFile], *, as_text: bool, missing_values: Sequence[str]) -> Feed:
    """Return the feed of CSV or TSV files of one table.

    Raises
    ------
    DataError
    """
    dialects = [_dialect(file) for file in files]
    names = dict(zip(files, same_names(files, dict(zip(files, [d[1] for d in dialects], strict=True)).__getitem__), strict=True))
    delimiters = dict(zip(files, [d[0] for d in dialects], strict=True))
    for delimiter in set(delimiters.values()):
        _check_missing(missing_values, delimiter)
    order = names[files[0]]

    def parse(file: SourceFile, rows: int) -> Iterator[pa.RecordBatch]:
        for batch in _parse(file, names[file], delimiters[file], missing_values, rows):
            yield batch if names[file] == order else batch.select(list(order))

    feed = text_feed(files, parse, [EVERY_FAMILY] * len(order), as_text=as_text)
    return feed if feed.rows else Feed(_named(feed.schema, order), 0, feed.stream)
