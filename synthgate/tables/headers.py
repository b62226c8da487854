"""Text files without a line of names: refused, and nothing of the row that stands there is told.

Line 1 is taken for a row of values when more than half of its fields are what a value would be: a number or a date
over a column of numbers or dates, or a text that stands in its own column again. Whole numbers that count on evenly
(``0, 1, 2`` as pandas writes them, ``10, 20, 30``) and rising years are names all the same.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise

from synthgate.errors import DataError

ROWS = 1_000
"""Rows that line 1 is compared with."""
MOST_NAMES = 0.5
MOST_OTHERS = 0.9
YEARS = (1900, 2100)
NUMBER = re.compile(r"[-+(]?\s*[$€£]?\s*(\d[\d.,' ]*|\.\d+)([eE][-+]?\d+)?\s*[%€]?\)?")
DATE = re.compile(r"\d{4}[-/.]\d\d?[-/.]\d\d?([T ].*)?|\d\d?[-/.]\d\d?[-/.]\d{2,4}( .*)?|\d\d?:\d\d(:\d\d.*)?")
MEND = "write the column names into line 1 (in pandas: to_csv(..., header=True)), or give the table as Parquet"


def refuse_values(names: Sequence[str], records: Iterator[list[str]], where: str) -> None:
    """Raise when the names of a text file are a row of values.

    Parameters
    ----------
    names : sequence of str
        The fields of line 1.
    records : iterator of list of str
        The file's records, from line 1 on.
    where : str

    Raises
    ------
    DataError
        It names no field.
    """
    rows = [row for row in _rows(records, len(names)) if row != list(names)]
    columns = [[row[at] for row in rows if row[at]] for at in range(len(names))]
    like = sum(_is_value(name.strip(), column) for name, column in zip(names, columns, strict=True))
    if like > MOST_NAMES * len(names) and not _counts_on(names):
        found = f"{like:,} of {len(names):,} fields look like values of a row"
        raise DataError(where, f"found no column names: {found}; expected a line of names", MEND)
    twice = [name for name, times in Counter(names).items() if times > 1]
    if any(_kind(name.strip()) for name in twice):
        at = [f"{place:,}" for place, name in enumerate(names, 1) if name in twice]
        shown = ", ".join(at[:5]) + (", ..." if len(at) > 5 else "")
        found = f"the fields {shown} are numbers or dates that occur twice, as in a row of values"
        raise DataError(where, f"found no column names: {found}; expected every name once", MEND)


def _rows(records: Iterator[list[str]], width: int) -> list[list[str]]:
    rows: list[list[str]] = []
    try:
        rows.extend(row for row in islice(records, 1, ROWS + 1) if len(row) == width)
    except csv.Error:
        return rows  # a damaged line is told where the file is read
    return rows


def _kind(text: str) -> str:
    return "number" if NUMBER.fullmatch(text) else "date" if DATE.fullmatch(text) else ""


def _is_value(name: str, column: Sequence[str]) -> bool:
    """Tell whether a field of line 1 is like the values below it."""
    if not name or not column:
        return False
    kind = _kind(name)
    if kind:
        return sum(_kind(value.strip()) == kind for value in column) >= MOST_OTHERS * len(column)
    return name in column


def _counts_on(names: Sequence[str]) -> bool:
    """Tell whether the names that are numbers are whole and rise by the same step, as numbered columns do."""
    numbers = [name.strip() for name in names if _kind(name.strip())]
    if not numbers or not all(number.isdecimal() for number in numbers):
        return False
    whole = [int(number) for number in numbers]
    steps = {after - before for before, after in pairwise(whole)}
    is_run = whole[0] in (0, 1) and steps <= {1}
    are_years = min(whole) >= YEARS[0] and max(whole) <= YEARS[1] and min(steps, default=1) > 0
    return is_run or are_years or (len(whole) > 2 and len(steps) == 1 and min(steps) > 0)
