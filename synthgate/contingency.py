"""Contingency tables of pairs of columns, counted once as finely as anything asks for, then folded together.

Two codings of a column are at work at the same time: that of the plan, in which sides are compared, and a side's own,
which other libraries' scores rest on. Rows are counted by their common refinement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from synthgate.canonical import Canonical, Numbers
from synthgate.counts import GROUPS, Counts, IntArray, PairName, row_groups
from synthgate.crosstabs import Coded, Codes, crosstabs
from synthgate.plan import ColumnPlan, Plan, bin_codes
from synthgate.values import NumberCounts

FloatArray = NDArray[np.float64]
Cuts = Mapping[str, FloatArray]

BLOCK = 65_536
EQUAL_BINS = 10
FINE_CATEGORIES = 64
"""Most categories of a column that are counted each by itself before they are folded together."""


@dataclass(frozen=True, slots=True)
class Coding:
    """The codes of one column's rows.

    Attributes
    ----------
    column : ColumnPlan
    edges : float64 array
        Inner edges that rows are cut at (continuous roles): a refinement of the plan's.
    categories : int
        Categories with a code of their own (discrete roles); then come all others, unseen labels and missing values.
    fold : int64 array, shape (codes,)
        The plan's pair code that each code belongs to.
    """

    column: ColumnPlan
    edges: FloatArray
    categories: int
    fold: IntArray

    @classmethod
    def of(cls, column: ColumnPlan, cuts: FloatArray | None = None) -> Coding:
        """Refine the plan's coding: by further inner edges, or by the categories that it puts together."""
        if column.role.is_continuous:
            edges = column.edges if cuts is None else np.union1d(column.edges, cuts)
            fold = np.concatenate(([0], np.searchsorted(column.edges, edges, side="right"), [column.n_codes - 1]))
            return cls(column, edges, 0, fold.astype(np.int64))
        categories = len(column.categories) if len(column.categories) <= FINE_CATEGORIES else column.shown
        known = np.minimum(np.arange(categories + 1), column.shown)
        return cls(column, column.edges, categories, np.append(known, [column.unseen, column.n_codes - 1]))

    @property
    def size(self) -> int:
        """How many codes there are; the last is that of missing values."""
        return len(self.fold)

    @property
    def is_finer(self) -> bool:
        """Whether the plan's coding puts some of the codes together."""
        return self.size > self.column.n_codes

    def codes(self, column: Canonical) -> Codes:
        """Return the code of every row, as a small integer."""
        small = np.uint8 if self.size <= 256 else np.uint16
        if isinstance(column, Numbers):
            out: Codes = np.empty(len(column.values), small)
            for start in range(0, len(out), BLOCK):
                here = column.values[start : start + BLOCK]
                codes = bin_codes(self.edges, here)
                codes[np.isnan(here)] = self.size - 1
                out[start : start + BLOCK] = codes
            return out
        ranks = self.column.ranks(column.labels)
        shared = self.column.open and self.categories == self.column.shown
        unseen = self.categories if shared else self.categories + 1
        known = np.where(ranks < 0, unseen, np.minimum(ranks, self.categories))
        table: Codes = np.append(known, self.size - 1).astype(small)
        return table[column.codes]


def equal_edges(counts: NumberCounts) -> FloatArray | None:
    """Return eleven edges of ten bins of equal width over a column's range; None where it cannot be cut so."""
    ends = counts.values[[0, -1]] if len(counts.values) else np.empty(0)
    half = ends / 2
    if not np.isfinite(half).all() or (len(half) and half[1] - half[0] > np.finfo(np.float64).max / 2):
        return None
    try:
        return np.histogram_bin_edges(ends, bins=EQUAL_BINS)
    except ValueError:  # the range is too narrow
        return None


def count_pairs(
    plan: Plan, batch: Mapping[str, Canonical], pairs: Iterable[PairName], first: int = 0, cuts: Cuts | None = None
) -> Counts:
    """Count the contingency tables of one batch.

    Parameters
    ----------
    plan : Plan
    batch : dict of Numbers or Labels
    pairs : iterable of (str, str)
    first : int
        Number of the batch's first row in its table.
    cuts : dict of float64 array
        Further inner edges of continuous columns, for the fine tables.
    """
    wanted = list(pairs)
    used = dict.fromkeys(name for pair in wanted for name in pair)
    codings = {name: Coding.of(plan[name], (cuts or {}).get(name)) for name in used}
    coded = {name: Coded(coding.codes(batch[name]), coding.size) for name, coding in codings.items()}
    groups = row_groups(first, len(next(iter(coded.values())).codes) if coded else 0)
    plain = [pair for pair in wanted if all(plan[name].role.is_continuous for name in pair)]
    coarse = {name: _coarse(coded[name], codings[name]) for name in dict.fromkeys(n for pair in plain for n in pair)}
    tables: dict[PairName, IntArray] = {}
    fine: dict[PairName, IntArray] = {}
    for counted in crosstabs(coarse, plain, groups):
        tables |= counted
    for counted in crosstabs(coded, sorted(set(wanted).difference(plain)), groups):
        refined = {pair: table for pair, table in counted.items() if any(codings[name].is_finer for name in pair)}
        fine |= {pair: table.sum(axis=0) for pair, table in refined.items()}
        tables |= counted | _folded(refined, codings)
    return Counts(0, {}, {pair: tables[pair] for pair in wanted}, fine)


def _coarse(column: Coded, coding: Coding) -> Coded:
    """Return a column in the plan's codes."""
    if not coding.is_finer:
        return column
    return Coded(coding.fold.astype(column.codes.dtype)[column.codes], coding.column.n_codes)


def _folded(counted: Mapping[PairName, IntArray], codings: Mapping[str, Coding]) -> dict[PairName, IntArray]:
    """Return the plan's tables of finer ones; those in which a column is refined are folded along it side by side."""
    tables = dict(counted)
    for axis in (0, 1):
        along: dict[str, list[PairName]] = {}
        for pair in counted:
            along.setdefault(pair[axis], []).append(pair)
        for name, there in along.items():
            if codings[name].is_finer:
                tables.update(_fold_together({pair: tables[pair] for pair in there}, codings[name], axis + 1))
    return tables


def _fold_together(tables: Mapping[PairName, IntArray], coding: Coding, axis: int) -> dict[PairName, IntArray]:
    other = 3 - axis
    ends = np.cumsum([table.shape[other] for table in tables.values()])[:-1]
    whole = fold(np.concatenate(list(tables.values()), axis=other), coding.fold, coding.column.n_codes, axis)
    return dict(zip(tables, np.split(whole, ends, axis=other), strict=True))


def fold(table: IntArray, codes: IntArray, size: int, axis: int) -> IntArray:
    """Add up the slices of a table along an axis that get the same one of `size` codes, which must not fall."""
    if len(codes) == size:
        return table
    starts = np.flatnonzero(np.append(True, codes[1:] != codes[:-1]))
    summed: IntArray = np.add.reduceat(table, starts, axis=axis)
    if len(starts) == size:
        return summed
    out = np.zeros((*table.shape[:axis], size, *table.shape[axis + 1 :]), np.int64)
    np.moveaxis(out, axis, 0)[codes[starts]] = np.moveaxis(summed, axis, 0)
    return out


@dataclass(frozen=True, eq=False)
class PairTables(Mapping[PairName, IntArray]):
    """Contingency tables that are counted when asked for, a block of pairs at a time, and forgotten again.

    For more pairs than fit in memory. Reading the pairs in order, or by :func:`runs`, counts each of them once.

    Attributes
    ----------
    blocks : tuple of tuple of (str, str)
        The pairs, in order, in blocks that are counted together.
    count : callable
        Counts the tables of some pairs.
    """

    blocks: tuple[tuple[PairName, ...], ...]
    count: Callable[[Sequence[PairName]], Counts]
    _held: dict[str, Counts] = field(default_factory=dict, repr=False)

    @cached_property
    def _block_of(self) -> dict[PairName, int]:
        return {pair: at for at, block in enumerate(self.blocks) for pair in block}

    def block_number(self, pair: PairName) -> int:
        """Return which block a pair is in."""
        return self._block_of[pair]

    def block(self, pair: PairName) -> Counts:
        """Return the counts of the block that a pair is in."""
        held = self._held.get("block")
        if held is None or pair not in held.pairs:
            self._held.clear()
            held = self._held["block"] = self.count(self.blocks[self._block_of[pair]])
        return held

    def __getitem__(self, pair: PairName) -> IntArray:
        return self.block(pair).pairs[pair]

    def __contains__(self, pair: object) -> bool:
        return pair in self._block_of

    def __iter__(self) -> Iterator[PairName]:
        return iter(self._block_of)

    def __len__(self) -> int:
        return len(self._block_of)


@dataclass(frozen=True, eq=False)
class SummedTables(Mapping[PairName, IntArray]):
    """The same tables over all groups of rows."""

    tables: Mapping[PairName, IntArray]

    def __getitem__(self, pair: PairName) -> IntArray:
        whole: IntArray = self.tables[pair].sum(axis=0)
        return whole

    def __contains__(self, pair: object) -> bool:
        return pair in self.tables

    def __iter__(self) -> Iterator[PairName]:
        return iter(self.tables)

    def __len__(self) -> int:
        return len(self.tables)


def runs(tables: Mapping[PairName, IntArray], pairs: Sequence[PairName], most: int) -> Iterator[list[PairName]]:
    """Cut pairs into runs of at most so many whose tables are counted together, and may be read in any order."""
    run: list[PairName] = []
    at = block = 0
    for pair in pairs:
        block = tables.block_number(pair) if isinstance(tables, PairTables) else 0
        if run and (len(run) == most or block != at):
            yield run
            run = []
        at = block
        run.append(pair)
    if run:
        yield run


def in_blocks(plan: Plan, pairs: Sequence[PairName], most: int) -> tuple[tuple[PairName, ...], ...]:
    """Cut pairs into runs whose tables hold at most `most` bytes together, one pair at least."""
    blocks: list[tuple[PairName, ...]] = []
    block: list[PairName] = []
    held = 0
    for a, b in pairs:
        size = table_bytes(plan, (a, b))
        if block and held + size > most:
            blocks.append(tuple(block))
            block, held = [], 0
        block.append((a, b))
        held += size
    return (*blocks, tuple(block)) if block else tuple(blocks)


def table_bytes(plan: Plan, pair: PairName) -> int:
    """Return the bytes that a pair's tables take."""
    return GROUPS * plan[pair[0]].n_codes * plan[pair[1]].n_codes * 8
