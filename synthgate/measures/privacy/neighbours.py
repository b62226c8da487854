"""Best agreement and nearest rows, exact, by block products.

Both questions compare every query with every target. Values that are frequent among the targets
become one-hot columns of a matrix product; the few targets that share a rare value are reached
through a list per value. The product therefore stays narrow, no matrix of all queries by all
targets is ever held, and the reported scores are computed again exactly from the codes.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from synthgate.measures.privacy.encodings import Encoding, Floats, Ints, Rows
from synthgate.threads import spread

T = TypeVar("T")

FREQUENT = 0.045
GROUP = 32
BLOCK_CELLS = 3_000_000
MAX_BLOCK = 128
FAR = 1e9


@dataclass(frozen=True, slots=True)
class Postings:
    """One column's targets by value: a product column for a frequent value, a list for a rare one.

    Attributes
    ----------
    at : int
        Place of the column.
    slot : int64 array of shape (card,)
        Column of the product for each code, -1 for rare codes.
    order : int64 array
        Targets with a rare value, by code.
    starts, lengths : int64 array of shape (card,)
        Where each code's targets lie in `order`.
    """

    at: int
    slot: NDArray[np.int64]
    order: NDArray[np.int64]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Index:
    """Targets, prepared for block products."""

    target: Rows
    postings: tuple[Postings, ...]
    width: int
    dense: int
    product: NDArray[np.float32]

    @property
    def block(self) -> int:
        """Queries to compare at once."""
        return max(1, min(MAX_BLOCK, BLOCK_CELLS // max(1, int(self.product.shape[1]))))


def agreement_index(target: Rows, encoding: Encoding) -> Index:
    """Prepare targets for :func:`best_agreement`: all columns, compared for equality."""
    return _build(target, encoding, tuple(range(len(encoding.columns))), dense=False)


def distance_index(target: Rows, encoding: Encoding) -> Index:
    """Prepare targets for :func:`nearest`: ranks by difference, discrete columns by mismatch."""
    return _build(target, encoding, encoding.matched, dense=True)


def _build(target: Rows, encoding: Encoding, columns: tuple[int, ...], *, dense: bool) -> Index:
    first = target.dense.shape[1] + 1 if dense else 0
    postings, width = [], first
    for at in columns:
        counts = np.bincount(target.codes[at], minlength=encoding.columns[at].card)
        often = counts >= max(2.0, FREQUENT * len(target))
        slot = np.where(often, np.cumsum(often) - 1 + width, -1)
        width += int(often.sum())
        rare = np.flatnonzero(slot[target.codes[at]] < 0)
        order = rare[np.argsort(target.codes[at][rare], kind="stable")]
        lengths = np.where(often, 0, counts)
        postings.append(Postings(at, slot, order, np.cumsum(lengths) - lengths, lengths))
    padded = -(-max(1, len(target)) // GROUP) * GROUP
    product = np.zeros((max(1, width), padded), np.float32)
    for posting in postings:
        slots = posting.slot[target.codes[posting.at]]
        there = np.flatnonzero(slots >= 0)
        product[slots[there], there] = 1.0
    if dense:
        product[: first - 1, : len(target)] = target.dense.T
        product[first - 1, : len(target)] = np.square(target.dense).sum(axis=1)
        product[first - 1, len(target) :] = FAR
    return Index(target, tuple(postings), max(1, width), first, product)


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
    left = np.zeros((len(queries), index.width), np.float32)
    for posting in index.postings:
        codes = queries.codes[posting.at]
        slots = posting.slot[codes]
        there = np.flatnonzero(slots >= 0)
        left[there, slots[there]] = weights[posting.at][codes[there]]

    def _block(rows: slice, out: NDArray[np.float32]) -> NDArray[np.int64]:
        np.matmul(left[rows], index.product, out=out)
        for posting in index.postings:
            codes = queries.codes[posting.at][rows]
            _add_rare(out, posting, codes, weights[posting.at])
        best: NDArray[np.int64] = out[:, : len(index.target)].argmax(axis=1)
        return best

    at = np.concatenate(_each_block(len(queries), index, _block)) if len(queries) else np.zeros(0, np.int64)
    return agreement(queries, index.target.take(at), weights), at


def agreement(queries: Rows, partners: Rows, weights: Sequence[Floats]) -> Floats:
    """Return the total weight of the cells in which each query agrees with its partner."""
    total = np.zeros(len(queries))
    for mine, theirs, weight in zip(queries.codes, partners.codes, weights, strict=True):
        total += np.where(mine == theirs, weight[mine], 0.0)
    return total


def _add_rare(out: NDArray[np.float32], posting: Postings, codes: Ints, weights: Floats) -> None:
    """Add the weight of each query's rare value at the targets that share it."""
    lengths = posting.lengths[codes]
    total = int(lengths.sum())
    if not total:
        return
    ends = np.cumsum(lengths)
    rows = np.repeat(np.arange(len(codes)), lengths)
    place = np.arange(total) + np.repeat(posting.starts[codes] - (ends - lengths), lengths)
    out[rows, posting.order[place]] += weights[codes].astype(np.float32)[rows]


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
    for posting in index.postings:
        slots = posting.slot[queries.codes[posting.at]]
        there = np.flatnonzero(slots >= 0)
        left[there, slots[there]] = -1.0
    ones = [np.full(len(p.slot), -1.0) for p in index.postings]

    def _block(rows: slice, out: NDArray[np.float32]) -> tuple[Floats, NDArray[np.int64]]:
        np.matmul(left[rows], index.product, out=out)
        for posting, weight in zip(index.postings, ones, strict=True):
            _add_rare(out, posting, queries.codes[posting.at][rows], weight)
        at = out.argmin(axis=1)[:, None] if k == 1 else _smallest(out, k)
        at = np.minimum(at, len(index.target) - 1)
        return _exact(queries, rows, index, at)

    if not len(queries):
        return np.zeros((0, k)), np.zeros((0, k), np.int64)
    parts = _each_block(len(queries), index, _block)
    return np.concatenate([d for d, _ in parts]), np.concatenate([at for _, at in parts])


def _smallest(values: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Return the places of the k smallest values of each row, in no order.

    The k smallest lie in the k groups with the smallest minima, so only those are looked at.
    """
    groups = values.shape[1] // GROUP
    if groups <= 2 * k:
        return np.argpartition(values, min(k, values.shape[1]) - 1, axis=1)[:, :k]
    minima = values.reshape(len(values), GROUP, groups).min(axis=1)
    best = np.argpartition(minima, k - 1, axis=1)[:, :k]
    at = (best[:, :, None] + np.arange(GROUP) * groups).reshape(len(values), -1)
    among = np.take_along_axis(values, at, axis=1)
    inner = np.argpartition(among, k - 1, axis=1)[:, :k]
    return np.take_along_axis(at, inner, axis=1)


def _exact(queries: Rows, rows: slice, index: Index, at: NDArray[np.int64]) -> tuple[Floats, NDArray[np.int64]]:
    """Compute the distances to chosen targets again from ranks and codes, and sort them."""
    gap = queries.dense[rows][:, None, :] - index.target.dense[at]
    squared = np.square(gap, dtype=np.float64).sum(axis=2)
    for posting in index.postings:
        squared += queries.codes[posting.at][rows][:, None] != index.target.codes[posting.at][at]
    order = np.lexsort((at, squared), axis=1)
    return np.sqrt(np.take_along_axis(squared, order, axis=1)), np.take_along_axis(at, order, axis=1)


def _each_block(rows: int, index: Index, job: Callable[[slice, NDArray[np.float32]], T]) -> list[T]:
    """Run a job on each block of queries, on all cores, and return the answers in order.

    Blocks depend on sizes only.
    """
    held = threading.local()

    def run(rows: slice) -> T:
        if not hasattr(held, "out"):
            held.out = np.empty((index.block, index.product.shape[1]), np.float32)
        return job(rows, held.out[: rows.stop - rows.start])

    blocks = [slice(start, min(rows, start + index.block)) for start in range(0, rows, index.block)]
    return spread(run, blocks)
