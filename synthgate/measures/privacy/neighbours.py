"""Best agreement and nearest rows, exact, by block products.

Both questions compare every query with every target. Values that are frequent among the targets
become one-hot columns of a matrix product; the few targets that share a rare value are reached
through a list per value. The product therefore stays narrow. Targets are taken a tile at a time and
queries a block at a time, so that memory does not grow with the targets, and the reported
scores are computed again exactly from the codes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthgate.measures.privacy.encodings import Encoding, Floats, Ints, Rows
from synthgate.threads import spread

FREQUENT = 0.045
GROUP = 32
TILE_ROWS = 16_384
MAX_BLOCK = 128
FAR = 1e9
LEAD_DIGITS = 3


@dataclass(frozen=True, slots=True)
class Postings:
    """Which targets of a tile share a rare value of one column.

    Attributes
    ----------
    at : int
        Place of the column.
    codes : integer array
        The rare values that occur, rising.
    order : int64 array, of the same shape
        The target that has each.
    """

    at: int
    codes: Ints
    order: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Tile:
    """Some of the targets, laid out for a product with a block of queries.

    Attributes
    ----------
    start : int
        Place of the first.
    rows : int
    product : float32 array, shape (width, targets)
        Padded with targets that are far from everything.
    postings : tuple of Postings
    """

    start: int
    rows: int
    product: NDArray[np.float32]
    postings: tuple[Postings, ...]


@dataclass(frozen=True, slots=True)
class Index:
    """Targets and how to compare them: a column of the product for each frequent value, a list for each rare one.

    Attributes
    ----------
    target : Rows
    slots : dict of int64 array, each of shape (card,)
        By column: the column of the product for each code, -1 for rare codes.
    width : int
        Columns of the product.
    dense : int
        How many of them, the first, serve the differences of ranks.
    """

    target: Rows
    slots: Mapping[int, NDArray[np.int64]]
    width: int
    dense: int

    def tiles(self) -> Iterator[Tile]:
        """Lay out the targets, so many at a time that a tile stays in the cache."""
        rows = len(self.target)
        step = -(-rows // max(1, -(-rows // TILE_ROWS)))
        for start in range(0, rows, max(1, step)):
            yield self._tile(self.target.take(slice(start, start + step)), start)

    def _tile(self, rows: Rows, start: int) -> Tile:
        product = np.zeros((self.width, -(-len(rows) // GROUP) * GROUP), np.float32)
        postings = []
        for at, slot in self.slots.items():
            slots = slot[rows.codes[at]]
            there, rare = np.flatnonzero(slots >= 0), np.flatnonzero(slots < 0)
            product[slots[there], there] = 1.0
            if len(rare):
                order = rare[np.argsort(rows.codes[at][rare], kind="stable")]
                postings.append(Postings(at, rows.codes[at][order], order))
        if self.dense:
            product[: self.dense - 1, : len(rows)] = rows.dense.T
            product[self.dense - 1, : len(rows)] = np.square(rows.dense).sum(axis=1)
            product[self.dense - 1, len(rows) :] = FAR
        return Tile(start, len(rows), product, tuple(postings))


def agreement_index(target: Rows, encoding: Encoding) -> Index:
    """Prepare targets for :func:`best_agreement`: all columns, compared for equality."""
    return _build(target, encoding, tuple(range(len(encoding.columns))), dense=0)


def distance_index(target: Rows, encoding: Encoding) -> Index:
    """Prepare targets for :func:`nearest`: ranks by difference, discrete columns by mismatch."""
    return _build(target, encoding, encoding.matched, dense=target.dense.shape[1] + 1)


def _build(target: Rows, encoding: Encoding, columns: tuple[int, ...], *, dense: int) -> Index:
    slots, width = {}, dense
    for at in columns:
        counts = np.bincount(target.codes[at], minlength=encoding.columns[at].card)
        often = counts >= max(2.0, FREQUENT * len(target))
        slots[at] = np.where(often, np.cumsum(often) - 1 + width, -1)
        width += int(often.sum())
    return Index(target, slots, max(1, width), dense)


def best_agreement(queries: Rows, index: Index, weights: Sequence[Floats]) -> tuple[Floats, NDArray[np.int64]]:
    """Return the highest total weight of agreeing cells over all targets, and the target that reaches it.

    This is probabilistic record linkage (Fellegi and Sunter 1969, Journal of the American
    Statistical Association 64, 1183-1210) with no weight for disagreement.

    Parameters
    ----------
    queries : Rows
    index : Index
        From :func:`agreement_index`.
    weights : sequence of float64 array, each of shape (card,)
        Weight of an agreement on each code, per column; positive.

    Returns
    -------
    score : float64 array, shape (queries,)
    at : int64 array, shape (queries,)
        Place of the target; the first of equal ones.
    """
    score, at, _ = _agree(queries, index, weights, with_second=False, skip=None)
    return score, at


def lead_of_best(
    queries: Rows, index: Index, weights: Sequence[Floats], *, skip: NDArray[np.int64] | None = None
) -> tuple[Floats, NDArray[np.int64], Floats]:
    """Return what :func:`best_agreement` does, and by how much the best target leads over the next.

    Parameters
    ----------
    skip : int64 array, shape (queries,), or None
        For each query the target that is left out, such as itself.

    Returns
    -------
    score, at : arrays, shape (queries,)
    lead : float64 array, shape (queries,)
        Difference of the two highest totals, rounded to what single precision can tell; 0 for equal ones.
    """
    score, at, second = _agree(queries, index, weights, with_second=True, skip=skip)
    lead: Floats = np.maximum(score - second, 0.0).astype(np.float64).round(LEAD_DIGITS)
    return score, at, lead


def _agree(
    queries: Rows, index: Index, weights: Sequence[Floats], *, with_second: bool, skip: NDArray[np.int64] | None
) -> tuple[Floats, NDArray[np.int64], Floats]:
    left = np.zeros((len(queries), index.width), np.float32)
    for column, slot in index.slots.items():
        slots = slot[queries.codes[column]]
        there = np.flatnonzero(slots >= 0)
        left[there, slots[there]] = weights[column][queries.codes[column][there]]
    by_column = dict(enumerate(weights))
    best, at = np.full(len(queries), -np.inf, np.float32), np.zeros(len(queries), np.int64)
    second = np.zeros(len(queries), np.float32)

    def keep(block: slice, tile: Tile, out: NDArray[np.float32]) -> None:
        _fill(out, left[block], tile, queries.take(block), by_column)
        each = np.arange(len(out))
        if skip is not None:
            own = skip[block] - tile.start
            here = np.flatnonzero((own >= 0) & (own < tile.rows))
            out[here, own[here]] = -1.0
        found = out[:, : tile.rows].argmax(axis=1)
        score = out[each, found]
        better = score > best[block]
        if with_second:
            out[each, found] = 0.0
            beaten = np.where(better, best[block], score)
            second[block] = np.maximum(second[block], np.maximum(beaten, out[:, : tile.rows].max(axis=1)))
        best[block][better] = score[better]
        at[block][better] = tile.start + found[better]

    _each_block(len(queries), index, keep)
    return agreement(queries, index.target.take(at), weights), at, second.astype(np.float64)


def agreement(queries: Rows, partners: Rows, weights: Sequence[Floats]) -> Floats:
    """Return the total weight of the cells in which each query agrees with its partner."""
    total = np.zeros(len(queries))
    for mine, theirs, weight in zip(queries.codes, partners.codes, weights, strict=True):
        total += np.where(mine == theirs, weight[mine], 0.0)
    return total


def _fill(
    out: NDArray[np.float32], left: NDArray[np.float32], tile: Tile, queries: Rows, weights: Mapping[int, Floats]
) -> None:
    """Write the total of every query with every target of a tile."""
    np.matmul(left, tile.product, out=out)
    for posting in tile.postings:
        _add_rare(out, posting, queries.codes[posting.at], weights[posting.at])


def _add_rare(out: NDArray[np.float32], posting: Postings, codes: Ints, weights: Floats) -> None:
    """Add the weight of each query's rare value at the targets that share it."""
    starts = np.searchsorted(posting.codes, codes, side="left")
    lengths = np.searchsorted(posting.codes, codes, side="right") - starts
    total = int(lengths.sum())
    if not total:
        return
    before = np.cumsum(lengths) - lengths
    place = posting.order[np.arange(total) + np.repeat(starts - before, lengths)]
    place += np.repeat(np.arange(len(codes)) * out.shape[1], lengths)
    out.reshape(-1)[place] += np.repeat(weights[codes].astype(np.float32), lengths)


def nearest(queries: Rows, index: Index, k: int) -> tuple[Floats, NDArray[np.int64]]:
    """Return the distances to the k nearest targets, rising, and their places.

    The squared distance is the sum of squared rank differences plus the number of discrete
    columns that differ.

    Parameters
    ----------
    queries : Rows
    index : Index
        From :func:`distance_index`.
    k : int
        At most the number of targets counts.

    Returns
    -------
    distances : float64 array, shape (queries, k)
    at : int64 array, shape (queries, k)
    """
    k = max(1, min(k, len(index.target)))
    left = np.zeros((len(queries), index.width), np.float32)
    left[:, : index.dense - 1] = -2 * queries.dense
    left[:, index.dense - 1] = 1.0
    for at, slot in index.slots.items():
        slots = slot[queries.codes[at]]
        there = np.flatnonzero(slots >= 0)
        left[there, slots[there]] = -1.0
    ones = {at: np.full(len(slot), -1.0) for at, slot in index.slots.items()}
    least = np.full((len(queries), k), np.inf, np.float32)
    places = np.zeros((len(queries), k), np.int64)

    def keep(block: slice, tile: Tile, out: NDArray[np.float32]) -> None:
        _fill(out, left[block], tile, queries.take(block), ones)
        at = out.argmin(axis=1)[:, None] if k == 1 else _smallest(out, k, least[block].max(axis=1))
        found = np.concatenate([least[block], np.take_along_axis(out, at, axis=1)], axis=1)
        where = np.concatenate([places[block], tile.start + at], axis=1)
        order = np.argpartition(found, k - 1, axis=1)[:, :k]
        least[block] = np.take_along_axis(found, order, axis=1)
        places[block] = np.take_along_axis(where, order, axis=1)

    _each_block(len(queries), index, keep)
    return _exact(queries, index, np.minimum(places, len(index.target) - 1))


def _smallest(values: NDArray[np.float32], k: int, bound: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return places of each row that hold its k smallest values, those not below its bound left out, in no order.

    The k smallest lie in the k groups with the smallest minima, so only those are looked at.
    """
    groups = values.shape[1] // GROUP
    if groups <= 2 * k:
        return np.argpartition(values, min(k, values.shape[1]) - 1, axis=1)[:, :k]
    minima = values.reshape(len(values), GROUP, groups).min(axis=1)
    wanted = min(k, int((minima < bound[:, None]).sum(axis=1).max()))
    best = np.argpartition(minima, max(0, wanted - 1), axis=1)[:, :wanted]
    at: NDArray[np.int64] = (best[:, :, None] + np.arange(GROUP) * groups).reshape(len(values), -1)
    return at


def _exact(queries: Rows, index: Index, at: NDArray[np.int64]) -> tuple[Floats, NDArray[np.int64]]:
    """Compute the distances to chosen targets again from ranks and codes, and sort them."""
    squared = np.empty(at.shape)

    def fill(block: slice) -> None:
        near = at[block]
        gap = queries.dense[block][:, None, :] - index.target.dense[near]
        squared[block] = np.square(gap, dtype=np.float64).sum(axis=2)
        for column in index.slots:
            squared[block] += queries.codes[column][block][:, None] != index.target.codes[column][near]

    spread(fill, _blocks(len(queries)))
    order = np.lexsort((at, squared), axis=1)
    return np.sqrt(np.take_along_axis(squared, order, axis=1)), np.take_along_axis(at, order, axis=1)


def _blocks(rows: int) -> list[slice]:
    return [slice(start, min(rows, start + MAX_BLOCK)) for start in range(0, rows, MAX_BLOCK)]


def _each_block(rows: int, index: Index, job: Callable[[slice, Tile, NDArray[np.float32]], None]) -> None:
    """Run a job on each block of queries and each tile of targets, the blocks on all cores, the tiles in turn.

    Blocks and tiles depend on sizes only.
    """
    blocks = _blocks(rows)
    for tile in index.tiles() if blocks else ():
        held = threading.local()

        def run(block: slice, tile: Tile = tile, held: threading.local = held) -> None:
            if not hasattr(held, "out"):
                held.out = np.empty((MAX_BLOCK, tile.product.shape[1]), np.float32)
            job(block, tile, held.out[: block.stop - block.start])

        spread(run, blocks)
