"""Synthetic rows that break a rule, shown where the user asked for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synthgate.evidence import Evidence

MOST_ROWS = 5
MOST_LETTERS = 60


def row_words(row: Mapping[str, Any]) -> str:
    """Return a row in words, long values cut; under ``row`` stands its number."""
    cells = (f"{name} = {shortened(value)}" for name, value in row.items() if name != "row")
    return f"row {row['row']:,} ({', '.join(cells)})"


def shortened(value: object) -> str:
    """Return a value on one line of at most 60 characters."""
    text = "missing" if value is None else repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= MOST_LETTERS else text[: MOST_LETTERS - 1] + "…"


def told_rows(rows: Sequence[str]) -> str:
    """Return what is added to a message; nothing without rows."""
    return f"; synthetic rows, shown as asked: {'; '.join(rows)}" if rows else ""


def numbered_rows(evidence: Evidence, numbers: Sequence[int], columns: Sequence[str]) -> tuple[str, ...]:
    """Return the first few of some synthetic rows in words, if the user asked to see rows.

    Parameters
    ----------
    evidence : Evidence
    numbers : sequence of int
        Rows of the table, from 0.
    columns : sequence of str
        What is shown of each; those that the table lacks are left out.
    """
    wanted = sorted(int(number) for number in numbers)[:MOST_ROWS]
    if not evidence.show_rows or not wanted:
        return ()
    table = evidence.synthetic.table
    names = [name for name in dict.fromkeys(columns) if name in table.schema.names]
    told, start = [], 0
    for batch in table.batches():
        here = [number - start for number in wanted if start <= number < start + batch.num_rows]
        cells = batch.select(names).take(here).to_pylist() if here and names else [{} for _ in here]
        told += [row_words({**row, "row": start + at + 1}) for at, row in zip(here, cells, strict=True)]
        start += batch.num_rows
        if start > wanted[-1]:
            break
    return tuple(told)
