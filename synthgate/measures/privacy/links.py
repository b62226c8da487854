"""Links: what the best matching synthetic row tells about a record, cell by cell.

One pass over the synthetic rows serves two attackers. One knows all cells of a record but one and
reads that one off the synthetic row that fits best. The other holds two halves of a record
and joins them when one synthetic row fits both best.

A cell fits the better the less likely a random cell would fit as well: an equal value weighs its
surprisal, a number nearby weighs -log of the share of rows that lie as near or nearer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from synthgate.measures.privacy.encodings import Column, Encoding, Floats, Ints, Rows
from synthgate.measures.privacy.inference import Flags
from synthgate.threads import spread

CHUNK_ROWS = 16_384
SMALL_CARD = 4_096
QUERY_BLOCK = 64
NEAR_RANK = 0.025
HALVES = 4
FAR = np.float32(9.0)

Costs = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Links:
    """What both attackers reach on every query.

    Attributes
    ----------
    guessed : bool array, shape (queries, columns)
        Whether the cell is read rightly off the best row that the other cells find; a number counts as right
        when at most 2.5 % of all rows lie between it and the guess.
    fit : float32 array, shape (queries, columns)
        How well the other cells fit that row, in nats.
    joined : bool array, shape (queries, halves)
        Whether both halves of the columns find the same row, per way to halve them.
    """

    guessed: Flags
    fit: NDArray[np.float32]
    joined: Flags


@dataclass(frozen=True, slots=True)
class _Target:
    """Synthetic rows of one chunk, one array per column that comparing it needs."""

    start: int
    rows: int
    cells: tuple[Ints, ...]


@dataclass(frozen=True, slots=True)
class _Scale:
    """How cells of one column are compared.

    Attributes
    ----------
    weights : float32 array of shape (card,)
        Log of each value's share of the pool.
    ranks : float32 array of shape (card,), or None
        For numbers; missing is far from all.
    """

    weights: NDArray[np.float32]
    ranks: NDArray[np.float32] | None


@dataclass(frozen=True, slots=True)
class _Best:
    """The best row so far per query and question, and its cost (lower is better)."""

    cost: NDArray[np.float32]
    at: NDArray[np.int64]


def find_links(queries: Rows, encoding: Encoding, rng: np.random.Generator) -> Links:
    """Run both attackers on every query, against all synthetic rows.

    Parameters
    ----------
    queries : Rows
        Real rows.
    encoding : Encoding
        With at least two columns.
    rng : Generator
        Chooses how columns are halved.
    """
    width = len(encoding.columns)
    halves = halve(width, rng)
    questions = width + 2 * len(halves)
    best = _Best(np.full((len(queries), questions), np.inf, np.float32), np.zeros((len(queries), questions), np.int64))
    blocks = [np.arange(a, min(a + QUERY_BLOCK, len(queries))) for a in range(0, len(queries), QUERY_BLOCK)]
    synthetic = encoding.synthetic
    scales = [_scale(column) for column in encoding.columns]
    for start in range(0, len(synthetic), CHUNK_ROWS):
        target = _prepare(scales, synthetic.take(np.arange(start, min(start + CHUNK_ROWS, len(synthetic)))), start)
        spread(partial(_search, queries, target, scales, halves, best), blocks)
    at, first = best.at, width
    second = first + len(halves)
    guessed = np.stack([_is_right(encoding, j, queries, synthetic.codes[j][at[:, j]]) for j in range(width)], axis=1)
    return Links(guessed, -best.cost[:, :width], at[:, first:second] == at[:, second:])


def best_fit(queries: Rows, targets: Rows, encoding: Encoding) -> Floats:
    """Return how well the best target fits each query over all cells, in nats."""
    scales = [_scale(column) for column in encoding.columns]
    best = np.zeros(len(queries))
    blocks = [np.arange(a, min(a + QUERY_BLOCK, len(queries))) for a in range(0, len(queries), QUERY_BLOCK)]
    for start in range(0, len(targets), CHUNK_ROWS):
        target = _prepare(scales, targets.take(np.arange(start, min(start + CHUNK_ROWS, len(targets)))), start)
        spread(partial(_fit, queries, target, scales, best), blocks)
    return best


def fit_of(queries: Rows, partners: Rows, encoding: Encoding) -> Floats:
    """Return how well each query fits its own partner over all cells, in nats."""
    total = np.zeros(len(queries))
    for column, mine, theirs in zip(encoding.columns, queries.codes, partners.codes, strict=True):
        share = np.maximum(1, column.counts) / column.counts.sum()
        gain = np.where(mine == theirs, -np.log(share)[mine], 0.0)
        if column.ranks is not None:
            apart = np.abs(column.ranks[mine] - column.ranks[theirs])
            near = -np.log(np.minimum(1.0, 2 * np.nan_to_num(apart, nan=1.0) + share[mine]))
            gain = np.where(mine == theirs, gain, near)
        total += gain
    return total


def _fit(queries: Rows, target: _Target, scales: Sequence[_Scale], best: Floats, block: Ints) -> None:
    costs = np.empty((len(scales), target.rows), np.float32)
    for i in block:
        _compare(queries, int(i), target, scales, costs)
        best[i] = max(best[i], -float(costs.sum(axis=0).min()))


def halve(width: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return ways to halve the columns, different ones where there are enough, shape (halves, width)."""
    seen: dict[bytes, NDArray[np.float32]] = {}
    for _ in range(4 * HALVES):
        half = np.zeros(width, np.float32)
        half[rng.permutation(width)[: width // 2]] = 1.0
        if (1 - half).astype(np.float32).tobytes() not in seen:
            seen[half.tobytes()] = half
        if len(seen) == HALVES:
            break
    return np.stack(list(seen.values()))


def _scale(column: Column) -> _Scale:
    weights = np.log(np.maximum(1, column.counts) / column.counts.sum()).astype(np.float32)
    ranks = None if column.ranks is None else np.nan_to_num(column.ranks, nan=float(FAR)).astype(np.float32)
    return _Scale(weights, ranks)


def _prepare(scales: Sequence[_Scale], rows: Rows, start: int) -> _Target:
    """Lay out what comparing needs: codes for equality and look-ups, ranks for numbers of many values."""
    cells: list[Ints] = []
    for scale, codes in zip(scales, rows.codes, strict=True):
        if scale.ranks is None:
            cells.append(np.ascontiguousarray(codes))
        else:
            cells.append(codes.astype(np.intp) if len(scale.ranks) <= SMALL_CARD else scale.ranks[codes])
    return _Target(start, len(rows), tuple(cells))


def _search(
    queries: Rows,
    target: _Target,
    scales: Sequence[_Scale],
    halves: NDArray[np.float32],
    best: _Best,
    block: Ints,
) -> None:
    """Compare a block of queries with a chunk of rows and keep what is better than before."""
    width = len(scales)
    costs = np.empty((width, target.rows), np.float32)
    sums = np.empty((len(halves) + 1, target.rows), np.float32)
    rest = np.empty(target.rows, np.float32)
    whole = np.concatenate([halves, np.ones((1, width), np.float32)])
    for i in block:
        _compare(queries, int(i), target, scales, costs)
        np.matmul(whole, costs, out=sums)
        total = sums[-1]
        _keep_all_but_one(total, costs, best, int(i), target.start)
        for h in range(len(halves)):
            _keep(sums[h], best, i, width + h, target.start)
            np.subtract(total, sums[h], out=rest)
            _keep(rest, best, i, width + len(halves) + h, target.start)


def _compare(queries: Rows, i: int, target: _Target, scales: Sequence[_Scale], costs: NDArray[np.float32]) -> None:
    """Write how well each cell of one query fits that of every row: 0 for not at all, else the log of a share."""
    equal = np.empty(target.rows, np.bool_)
    for j, scale in enumerate(scales):
        code = int(queries.codes[j][i])
        if scale.ranks is not None and scale.ranks[code] != FAR:
            _grade(target.cells[j], scale, code, costs[j])
        else:
            np.equal(target.cells[j], FAR if target.cells[j].dtype == np.float32 else code, out=equal)
            np.multiply(equal, scale.weights[code], out=costs[j])


def _grade(cells: Ints, scale: _Scale, code: int, out: NDArray[np.float32]) -> None:
    """Write the log share of rows as near as each cell or nearer: 0 for far ones, the value's own for equal ones."""
    if scale.ranks is None:
        raise ValueError("only numbers are graded")
    rank, share = scale.ranks[code], np.exp(scale.weights[code])
    if cells.dtype != np.float32:
        by_value = np.log(np.minimum(2 * np.abs(scale.ranks - rank) + share, np.float32(1)))
        np.take(by_value, cells, out=out, mode="clip")
        return
    np.subtract(cells, rank, out=out)
    np.abs(out, out=out)
    np.multiply(out, np.float32(2), out=out)
    np.add(out, share, out=out)
    np.minimum(out, np.float32(1), out=out)
    np.log(out, out=out)


def _keep(costs: NDArray[np.float32], best: _Best, i: int, question: int, start: int) -> None:
    at = int(costs.argmin())
    if costs[at] < best.cost[i, question]:
        best.cost[i, question] = costs[at]
        best.at[i, question] = start + at


def _keep_all_but_one(total: Costs, costs: Costs, best: _Best, i: int, start: int) -> None:
    """Keep the row that fits best without one cell, for each cell.

    No cell makes a row fit worse, so rows that fit worse with all cells than every best one without one need no look.
    """
    width = len(costs)
    first = int(total.argmin())
    least = np.minimum(best.cost[i, :width], total[first] - costs[:, first]).max()
    near = np.flatnonzero(total <= least)
    if not len(near):
        return
    rest = total[near] - costs[:, near]
    at = rest.argmin(axis=1)
    found = rest[np.arange(width), at]
    better = np.flatnonzero(found < best.cost[i, :width])
    best.cost[i, better] = found[better]
    best.at[i, better] = start + near[at[better]]


def _is_right(encoding: Encoding, j: int, queries: Rows, guess: Ints) -> Flags:
    """Tell which guesses of one column are right."""
    column, truth = encoding.columns[j], queries.codes[j]
    right: Flags = guess == truth
    if column.ranks is not None:
        with np.errstate(invalid="ignore"):
            right |= np.abs(column.ranks[guess] - column.ranks[truth]) <= NEAR_RANK
    return right


def likeliest(column: Column) -> float:
    """Return how often always guessing the most frequent value of a column is right."""
    return float(column.counts.max() / column.counts.sum())


def most_confident(fit: Floats, member: Flags, guessed: Flags, share: float) -> tuple[float, float]:
    """Return the success on members and on others among the guesses whose best row fits best of all."""
    kept = np.argsort(-fit, kind="stable")[: max(1, round(share * len(fit)))]
    right, mine = guessed[kept], member[kept]
    main, control = (float(right[side].mean()) if side.any() else 0.0 for side in (mine, ~mine))
    return main, control
