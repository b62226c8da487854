"""Cut real rows into parts: what the gate compares with, its holdout, and fresh rows to spoil."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgate.errors import DataError, UsageError
from synthgate.tables import Table, open_table

if TYPE_CHECKING:
    import pyarrow as pa

LEAST_ROWS = 100
"""Rows of a part, below which nearly every check is left open."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Disjoint random parts of the real rows."""

    real: pa.Table
    holdout: pa.Table
    fresh: pa.Table

    @property
    def sizes(self) -> dict[str, int]:
        """Rows of each part."""
        return {"real": self.real.num_rows, "holdout": self.holdout.num_rows, "spoiled": self.fresh.num_rows}


@dataclass(frozen=True, slots=True)
class Source:
    """The real table and, if there is one, the holdout."""

    real: Table
    holdout: Table | None

    @property
    def names(self) -> list[str]:
        """The columns of the real table."""
        return list(self.real.schema.names)

    @property
    def sizes(self) -> dict[str, int]:
        """Rows of both."""
        return {"of real": self.real.rows, "of holdout": self.holdout.rows if self.holdout is not None else 0}

    def split(self, most: int, seed: int, at: int, unit: str | None) -> Parts:
        """Return random parts of at most so many rows each.

        Parameters
        ----------
        most : int
            Rows of a part.
        seed, at : int
            Which draw.
        unit : str or None
            A column whose equal values belong together (a sequence's key): no part gets some of them only.

        Raises
        ------
        DataError
            When a part would be too small to say anything.
        """
        rng = np.random.default_rng([seed, at, *b"parts"])
        if self.holdout is None:
            rows = _cut(self.real, 3, most, rng, unit)
            return Parts(*(draw(self.real, part) for part in rows))
        (real,) = _cut(self.real, 1, most, rng, unit)
        held, fresh = _cut(self.holdout, 2, most, rng, unit)
        return Parts(draw(self.real, real), draw(self.holdout, held), draw(self.holdout, fresh))


def open_source(real: object, holdout: object, missing_values: Sequence[str]) -> Source:
    """Open the real table and the holdout.

    Raises
    ------
    SynthgateError
        When no table is given, when it holds several, or when the two do not have the same columns.
    """
    from synthgate.tables.folders import is_many

    if real is None:
        raise UsageError("REAL", "no real table is given", "give it as an argument, or as `real:` in the gate file")
    for source in (real, holdout):
        if source is not None and is_many(source):
            raise UsageError(str(source), "several tables are given, expected one", "name the files of one table")
    opened = open_table(real, name="real", missing_values=missing_values)
    if holdout is None:
        return Source(opened, None)
    held = open_table(holdout, name="holdout", missing_values=missing_values)
    lacking = [name for name in opened.schema.names if name not in held.schema.names]
    if lacking:
        problem = f"lacks {', '.join(map(repr, lacking[:5]))} of {opened.source}"
        raise DataError(held.source, problem, "give a holdout with the columns of the real table")
    return Source(opened, held)


def _cut(table: Table, parts: int, most: int, rng: np.random.Generator, unit: str | None) -> list[NDArray[np.int64]]:
    """Return the row numbers of disjoint random parts of equal size, at most `most` rows each, whole units only."""
    size = min(most, table.rows // parts)
    if unit is None:
        order = rng.permutation(table.rows)
        cut = [np.sort(order[k * size : (k + 1) * size]) for k in range(parts)]
    else:
        groups = _groups(table, unit)
        place = rng.permutation(int(groups.max(initial=-1)) + 1)[groups]
        order = np.argsort(place, kind="stable")
        # the part that each unit begins in
        begins = np.searchsorted(np.sort(place), place[order])
        part = begins // max(1, size)
        cut = [np.sort(order[part == k]) for k in range(parts)]
    if min(map(len, cut)) < LEAST_ROWS:
        fewest = min(map(len, cut))
        problem = f"a part of it would have {fewest:,} rows, expected at least {LEAST_ROWS} in each of {parts}"
        raise DataError(table.source, problem, "give more rows, or a holdout")
    return cut


def _groups(table: Table, unit: str) -> NDArray[np.int64]:
    import pyarrow as pa

    column = pa.chunked_array([batch.column(unit) for batch in table.batches()])
    codes = column.combine_chunks().dictionary_encode(null_encoding="encode")
    plain = codes.combine_chunks() if isinstance(codes, pa.ChunkedArray) else codes
    found: NDArray[np.int64] = plain.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return found


def draw(table: Table, rows: NDArray[np.int64]) -> pa.Table:
    """Return some rows of a table, in their order; it is streamed once."""
    import pyarrow as pa

    start, kept = 0, []
    for batch in table.batches():
        here = rows[(rows >= start) & (rows < start + batch.num_rows)] - start
        kept.append(batch.take(pa.array(here)))
        start += batch.num_rows
    return pa.Table.from_batches(kept, table.schema).combine_chunks()
