"""Blocks: the rows of a table in canonical form, a million at a time.

What a table comes in, row groups and chunks, is read piece by piece, so that what reading needs stays in the
processor's cache, into arrays that are made once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synthgate.canonical import Canonical, Labels, Numbers
from synthgate.tables import MAX_ROWS, Table
from synthgate.tables.columns import MAX_CELLS, rows_within

if TYPE_CHECKING:
    import pyarrow as pa

CACHED = 65_536


def blocks(
    table: Table, read: Callable[[pa.RecordBatch], Mapping[str, Canonical]]
) -> Iterator[tuple[int, Mapping[str, Canonical]]]:
    """Stream a table's rows in order.

    Parameters
    ----------
    table : Table
    read : callable
        Gives the columns of a batch in canonical form: the same columns of every batch.

    Yields
    ------
    int
        Rows of the block: a million, or fewer when the table is wide or has no more.
    dict of Numbers or Labels
    """
    most = rows_within(MAX_CELLS, len(table.schema.names), MAX_ROWS)
    left = table.rows
    filling: dict[str, _Filling] = {}
    held = 0
    for batch in table.coded_batches():
        rows = batch.num_rows
        if held and held + rows > most:
            yield held, {name: column.whole() for name, column in filling.items()}
            filling, held = {}, 0
        room = max(rows, min(most, left))
        for name, piece in read(batch).items():
            filling.setdefault(name, _Filling(room)).add(piece)
        held += rows
        left -= rows
        del batch  # or it would keep what it was cut from in memory while the next is read
    if held:
        yield held, {name: column.whole() for name, column in filling.items()}


def join_columns(parts: Sequence[Canonical]) -> Canonical:
    """Return parts of one column, at least one, as one column over one list of labels."""
    filling = _Filling(sum(_length(part) for part in parts))
    for part in parts:
        filling.add(part)
    return filling.whole()


def _length(column: Canonical) -> int:
    return len(column.values if isinstance(column, Numbers) else column.codes)


class _Filling:
    """One column of at most so many rows, filled piece by piece; a single piece is left as it is."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.first: Canonical | None = None
        self.array: NDArray[Any] | None = None
        self.rows = self.misfits = 0
        self.pools: list[pa.Array] = []

    def add(self, piece: Canonical) -> None:
        if self.first is None:
            self.first = piece
            self.misfits = piece.misfits
            return
        if self.array is None:
            self.array = np.empty(self.room, np.float64 if isinstance(self.first, Numbers) else np.int32)
            self._write(self.array, self.first)
        self._write(self.array, piece)
        self.misfits += piece.misfits

    def _write(self, array: NDArray[Any], piece: Canonical) -> None:
        here = array[self.rows : self.rows + _length(piece)]
        self.rows += len(here)
        if isinstance(piece, Numbers):
            here[:] = piece.values
            return
        if not self.pools or not self.pools[-1].equals(piece.labels):
            self.pools.append(piece.labels)
        start = sum(map(len, self.pools[:-1]))
        np.add(piece.codes, start, out=here, where=piece.codes >= 0)
        here[piece.codes < 0] = -1

    def whole(self) -> Canonical:
        """Return what was added."""
        if self.first is None:
            raise ValueError("nothing was added")
        if self.array is None:
            return self.first
        array = self.array[: self.rows]
        if isinstance(self.first, Numbers):
            return Numbers(array, self.misfits)
        return Labels(array, self.pools[0] if len(self.pools) == 1 else self._one_pool(array), self.misfits)

    def _one_pool(self, codes: NDArray[np.int32]) -> pa.Array:
        """Give each label one code, in place; return the labels."""
        import pyarrow as pa

        pool = pa.concat_arrays(self.pools).dictionary_encode()
        place = np.append(pool.indices.to_numpy(), -1).astype(np.int32)
        for at in range(0, len(codes), CACHED):
            codes[at : at + CACHED] = place[codes[at : at + CACHED]]
        return pool.dictionary
