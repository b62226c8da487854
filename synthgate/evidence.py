"""Evidence: all that measures may look at, each part made at most once.

Tables are counted by :mod:`synthgate.sides`; pair tables and the sample are made here, when a measure asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgate.blocks import blocks
from synthgate.clusters import observed_design, row_units, unit_designs
from synthgate.contingency import (
    Coding,
    Cuts,
    PairTables,
    SummedTables,
    count_pairs,
    equal_edges,
    in_blocks,
    table_bytes,
)
from synthgate.counts import ColumnCounts, Counts, PairName, pair_names
from synthgate.plan import Plan
from synthgate.sample import Sample
from synthgate.sampling import build_sample
from synthgate.sides import Side, read_columns
from synthgate.values import NumberCounts

if TYPE_CHECKING:
    from synthgate.contracts import Contract
    from synthgate.gatefile import Constraint
    from synthgate.links import Link, SequenceKey
    from synthgate.review.signoff import SignOff

MAX_PAIR_BYTES = 2**28
"""Most bytes of one side's pair tables that are kept; more are counted block by block when asked for."""
MAX_BLOCK_BYTES = 2**26


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a measure may look at.

    Attributes
    ----------
    plan : Plan
        Of the real table.
    real, synthetic : Side
    holdout : Side or None
    seed : int
    targets : tuple of str
    keys : tuple of str
        Columns that must be unique.
    composite_keys : tuple of tuple of str
        Columns that must be unique together.
    time : str
        Column that orders the rows, or nothing.
    constraints : tuple of Constraint
    sign_off : SignOff or None
        A reviewer's word on the synthetic table, where the gate asks for one.
    contracts : tuple of Contract
        Schemas and suites of other libraries.
    links : tuple of Link
        Foreign keys of this table, with the evidence of the parents.
    sequence : SequenceKey or None
        Which rows form a sequence.
    is_reference : bool
        Whether the same rows stand in real and holdout: public facts, which no copy gives away.
    patterns : dict of str
        Regular expressions that values have to match as a whole.
    show_rows : bool
        Whether findings may show synthetic rows that break a rule.
    """

    plan: Plan
    real: Side
    synthetic: Side
    holdout: Side | None
    seed: int = 0
    targets: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    composite_keys: tuple[tuple[str, ...], ...] = ()
    time: str = ""
    constraints: tuple[Constraint, ...] = ()
    sign_off: SignOff | None = None
    contracts: tuple[Contract, ...] = ()
    links: tuple[Link, ...] = ()
    sequence: SequenceKey | None = None
    is_reference: bool = False
    patterns: Mapping[str, str] = field(default_factory=dict)
    show_rows: bool = False

    @property
    def sides(self) -> dict[str, Side]:
        """The sides that there are, by name."""
        sides = {"real": self.real, "synthetic": self.synthetic}
        return {**sides, "holdout": self.holdout} if self.holdout else sides

    @cached_property
    def shared(self) -> tuple[str, ...]:
        """Columns that real and synthetic both have, in the plan's order."""
        there = self.synthetic.counts.columns
        return tuple(name for name in self.plan.names if name in there and name in self.real.counts.columns)

    def is_tie(self, name: str) -> bool:
        """Tell whether a column only says which rows belong together: a foreign key or a sequence key."""
        named = {link.foreign_key for link in self.links}
        return name in named or (self.sequence is not None and name == self.sequence.key)

    def parent_keys(self, name: str) -> frozenset[str]:
        """Return the keys that a foreign key may name: those of the real parent table; empty for other columns."""
        keys: set[str] = set()
        for link in self.links:
            if link.foreign_key == name and link.key in link.parent.real.counts.columns:
                keys.update(link.parent.real.counts.columns[link.key].labels.labels.to_pylist())
        return frozenset(keys)

    @cached_property
    def design_effect(self) -> float:
        """How much wider errors are than for independent rows: 1, or more when rows come in groups.

        What the known groups (parents, sequences) say, or what real and holdout show, whichever is more.
        """
        known = [design for name, design in self._unit_designs.items() if self.plan[name].is_paired]
        return max(float(np.mean(known)) if known else 1.0, self._observed_design)

    @cached_property
    def units(self) -> dict[str, NDArray[np.int64] | None]:
        """The independent unit of every kept row, per side; None where each row stands for itself."""
        return {side: row_units(self, side) for side in self.sides}

    def design_of(self, *names: str) -> float:
        """Return the design effect of a column, or of columns together: that of the most clustered one."""
        return max([self._unit_designs.get(name, 1.0) for name in names] + [self._observed_design])

    @cached_property
    def _unit_designs(self) -> dict[str, float]:
        return unit_designs(self)

    @cached_property
    def _observed_design(self) -> float:
        return observed_design(self)

    def comparable(self, side: Side, name: str) -> ColumnCounts:
        """Return a column's counts as the real side is known: what a profile knows only together is one value."""
        counts, gone = side.counts.columns[name], self.real.suppression
        if gone is None or side is self.real or not isinstance(counts.values, NumberCounts):
            return counts
        return replace(counts, values=gone.columns[name].groups.coarsen(counts.values))

    def gap_of(self, pair: PairName) -> float:
        """Return a bound on how far a profile's suppression moves the distance of a pair's tables; 0 for rows."""
        return self.real.suppression.pairs[pair] if self.real.suppression else 0.0

    @cached_property
    def pairs(self) -> dict[str, Counts]:
        """The pair tables of every side, one per random group of rows."""
        names = pair_names(self.plan, self.shared)
        return {
            side: pair_counts(self.plan, data, [p for p in names if _has_both(data, p)], self.own_edges.get(side, {}))
            for side, data in self.sides.items()
        }

    @cached_property
    def own_edges(self) -> dict[str, dict[str, NDArray[np.float64]]]:
        """Edges of bins of equal width over each continuous column's own range, real and synthetic."""
        continuous = [c.name for c in self.plan.columns if c.role.is_continuous and c.name in self.shared]
        found = {
            side: {name: equal_edges(data.counts.columns[name].numbers) for name in continuous}
            for side, data in (("real", self.real), ("synthetic", self.synthetic))
        }
        return {side: {name: e for name, e in edges.items() if e is not None} for side, edges in found.items()}

    def fine_table(self, side: str, pair: PairName) -> NDArray[np.int64]:
        """Return a pair's table over all rows of real or synthetic, by the codes of :meth:`coding`."""
        counts = self.pairs[side]
        if isinstance(counts.pairs, PairTables):
            counts = counts.pairs.block(pair)
        return counts.fine[pair] if pair in counts.fine else self.pair_tables[side][pair]

    def coding(self, side: str, name: str) -> Coding:
        """Return how a column of real or synthetic is coded in the fine tables of its pairs with discrete columns."""
        return Coding.of(self.plan[name], self.own_edges[side].get(name))

    @cached_property
    def pair_tables(self) -> dict[str, Mapping[PairName, NDArray[np.int64]]]:
        """The pair tables of every side, over all rows."""
        return {side: SummedTables(counts.pairs) for side, counts in self.pairs.items()}

    @cached_property
    def sample(self) -> Sample:
        """The sampled rows, with one dictionary per discrete column."""
        return build_sample(self)


def _has_both(side: Side, pair: PairName) -> bool:
    return pair[0] in side.counts.columns and pair[1] in side.counts.columns


def pair_counts(plan: Plan, side: Side, names: list[PairName], cuts: Cuts | None = None) -> Counts:
    """Count all pairs at once, or block by block on demand where their tables would not fit in memory.

    A profile has whole tables only, as one group of rows.
    """
    if side.tables is not None:
        return Counts(0, {}, {pair: side.tables[pair][None] for pair in names})
    if sum(table_bytes(plan, pair) for pair in names) <= MAX_PAIR_BYTES:
        return _count_pairs(plan, side, names, cuts)

    def count(block: Sequence[PairName]) -> Counts:
        return _count_pairs(plan, side, block, cuts)

    return Counts(0, {}, PairTables(in_blocks(plan, names, MAX_BLOCK_BYTES), count))


def _count_pairs(plan: Plan, side: Side, names: Sequence[PairName], cuts: Cuts | None) -> Counts:
    if side.is_whole:
        return count_pairs(plan, side.kept, names, cuts=cuts)
    total, first = Counts.empty(), 0
    for rows, block in blocks(side.table, lambda batch: read_columns(plan, batch)):
        total = total + count_pairs(plan, block, names, first, cuts)
        first += rows
    return total
