"""Evidence: all that measures may look at, each part made at most once.

The embedded engine lives here: it streams batches of each table through the plan, adds
them up into counts, and keeps a bounded, seeded sample of the canonical rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synthgate.canonical import Labels, Numbers, kind_of, to_labels, to_numbers, to_vectors
from synthgate.clusters import observed_design, row_units, unit_designs
from synthgate.counts import (
    ColumnCounts,
    Counts,
    PairName,
    PairTables,
    SummedTables,
    count_column,
    count_columns,
    count_pairs,
    in_blocks,
    pair_names,
    table_bytes,
)
from synthgate.infer import date_layout, number_role, target_role, text_role
from synthgate.plan import Canonical, ColumnPlan, Plan, plan_column
from synthgate.roles import Role
from synthgate.sample import Sample
from synthgate.sampling import build_sample
from synthgate.values import LabelCounts, NumberCounts

if TYPE_CHECKING:
    import pyarrow as pa

    from synthgate.contracts import Contract
    from synthgate.gatefile import Constraint
    from synthgate.links import Link, SequenceKey
    from synthgate.review.signoff import SignOff
    from synthgate.suppression import Suppression
    from synthgate.tables import Table

SAMPLE_ROWS = 1_048_576
MAX_PAIR_BYTES = 2**28
"""Most bytes of one side's pair tables that are kept; more are counted block by block when asked for."""
MAX_BLOCK_BYTES = 2**26


@dataclass(frozen=True)
class Side:
    """One table, counted, with its sampled rows in canonical form.

    Attributes
    ----------
    table : Table
    counts : Counts
        Of the columns; pair tables are made on demand by :class:`Evidence`.
    index : int64 array
        Row numbers of the kept rows.
    kept : dict of Numbers or Labels
        The kept rows, per shared column that is neither vector nor unread.
    vectors : dict of float32 array
    suppression : Suppression or None
        What a profile leaves out; None for a table with rows.
    tables : dict of int64 array or None
        The pair tables of a profile.
    """

    table: Table
    counts: Counts
    index: NDArray[np.int64]
    kept: Mapping[str, Canonical]
    vectors: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
    suppression: Suppression | None = None
    tables: Mapping[PairName, NDArray[np.int64]] | None = None

    @property
    def has_rows(self) -> bool:
        """Whether it is a table, not a profile."""
        return self.suppression is None

    @property
    def rows(self) -> int:
        """Rows of the table."""
        return self.counts.rows

    @property
    def is_whole(self) -> bool:
        """Whether every row was kept."""
        return len(self.index) == self.rows


def read_columns(plan: Plan, batch: pa.RecordBatch) -> dict[str, Canonical]:
    """Return the planned columns of a batch in canonical form, vectors left aside."""
    present = set(batch.schema.names)
    return {
        column.name: column.read(batch.column(column.name))
        for column in plan.columns
        if column.name in present and column.role is not Role.VECTOR
    }


def make_plan(table: Table, roles: Mapping[str, Role], targets: tuple[str, ...], layouts: Mapping[str, str]) -> Plan:
    """Look once at the real table and fix how every column is read.

    Parameters
    ----------
    table : Table
        The real table.
    roles : dict of Role
        Roles that were given, which go before inferred ones.
    targets : tuple of str
        Columns to predict: whole numbers with few values among them are read as classes.
    layouts : dict of str
        ``strptime`` layouts that were given for dates stored as text.
    """
    if table.profile is not None:
        return _profiled_plan(table, roles, layouts)
    raw: dict[str, ColumnCounts] = {}
    for batch in table.batches():
        for name in batch.schema.names:
            counted = _look(name, batch.column(name), roles.get(name))
            raw[name] = raw[name] + counted if name in raw else counted
    columns = []
    for item in table.schema:
        kind = kind_of(item.type)
        seen = raw[item.name]
        role, layout = _role(item.name, kind, seen, is_target=item.name in targets)
        role = roles.get(item.name, role)
        layout = layouts.get(item.name, layout)
        values = _values_for(role, layout, seen)
        columns.append(plan_column(item.name, role, kind, values, nullable=seen.missing > 0, layout=layout))
    return Plan(tuple(columns))


def _profiled_plan(table: Table, roles: Mapping[str, Role], layouts: Mapping[str, str]) -> Plan:
    from synthgate.profile import read_profile, refuse_other_roles

    plan = read_profile(table).plan
    refuse_other_roles(table, plan, roles, layouts)
    return plan


def _profiled_side(table: Table) -> Side:
    from synthgate.profile import read_profile

    profile = read_profile(table)
    none = np.empty(0, np.int64)
    return Side(table, profile.counts, none, {}, suppression=profile.suppression, tables=profile.tables)


def _look(name: str, array: pa.Array, role: Role | None) -> ColumnCounts:
    kind = kind_of(array.type)
    as_numbers = kind in ("integer", "float", "datetime") and not (role and role.is_discrete)
    read_as = (Role.DATETIME if kind == "datetime" else Role.NUMERICAL) if as_numbers else Role.TEXT
    column = to_numbers(array, read_as) if as_numbers else to_labels(array, read_as)
    nothing = np.empty(0)
    return count_column(ColumnPlan(name=name, role=read_as, kind=kind, edges=nothing, fine_edges=nothing), column)


def _role(name: str, kind: str, seen: ColumnCounts, *, is_target: bool) -> tuple[Role, str | None]:
    if kind == "boolean":
        return Role.BOOLEAN, None
    if kind == "datetime":
        return Role.DATETIME, None
    if kind == "vector":
        return Role.VECTOR, None
    if isinstance(seen.values, NumberCounts):
        role = number_role(name, kind, seen.values)
        return (target_role(role, kind, seen.values) if is_target else role), None
    is_date, layout = date_layout(seen.values.labels) if kind == "string" else (False, None)
    return (Role.DATETIME, layout) if is_date else (text_role(name, seen.values), None)


def _values_for(role: Role, layout: str | None, seen: ColumnCounts) -> NumberCounts | LabelCounts:
    """Recount the looked-at values in the domain of the role that was chosen."""
    import pyarrow as pa

    values = seen.values
    if isinstance(values, NumberCounts) and not role.is_continuous:
        labels = to_labels(pa.array(values.values), role)
        return LabelCounts.of(labels.labels, _spread(labels, values.counts))
    if isinstance(values, LabelCounts) and role.is_continuous:
        numbers = to_numbers(values.labels, role, layout)
        return _weighted(numbers.values, values.counts)
    if isinstance(values, LabelCounts) and role is Role.BOOLEAN:
        labels = to_labels(values.labels, role)
        return LabelCounts.of(labels.labels, _spread(labels, values.counts))
    return values


def _spread(labels: Labels, counts: NDArray[np.int64]) -> NDArray[np.int64]:
    keep = labels.codes >= 0
    return np.bincount(labels.codes[keep], weights=counts[keep], minlength=len(labels.labels)).astype(np.int64)


def _weighted(values: NDArray[np.float64], counts: NDArray[np.int64]) -> NumberCounts:
    keep = ~np.isnan(values)
    distinct, place = np.unique(values[keep], return_inverse=True)
    return NumberCounts(distinct, np.bincount(place, weights=counts[keep], minlength=len(distinct)).astype(np.int64))


def count_side(plan: Plan, table: Table, seed: int) -> Side:
    """Stream a table once: add up its counts and keep a seeded sample of its rows."""
    if table.profile is not None:
        return _profiled_side(table)
    rng = np.random.default_rng([seed, *b"rows"])
    wanted = np.arange(table.rows)
    if table.rows > SAMPLE_ROWS:
        wanted = np.sort(rng.choice(table.rows, SAMPLE_ROWS, replace=False))
    counts, start = Counts.empty(), 0
    parts: list[dict[str, Canonical]] = []
    vectors: list[dict[str, NDArray[np.float32]]] = []
    for batch in table.batches():
        canonical = read_columns(plan, batch)
        counted = count_columns(plan, canonical)
        counts = counts + Counts(batch.num_rows, counted.columns, {})
        here = wanted[(wanted >= start) & (wanted < start + batch.num_rows)] - start
        whole = len(here) == batch.num_rows
        parts.append(canonical if whole else {n: _take(c, here) for n, c in canonical.items()})
        vectors.append({c.name: to_vectors(batch.column(c.name))[here] for c in _vector_columns(plan, batch)})
        start += batch.num_rows
    kept = {name: join_columns([part[name] for part in parts]) for name in parts[0]} if parts else {}
    joined = {name: np.concatenate([v[name] for v in vectors]) for name in vectors[0]} if vectors else {}
    return Side(table, counts, wanted.astype(np.int64), kept, joined)


def _vector_columns(plan: Plan, batch: pa.RecordBatch) -> list[Any]:
    present = {f.name for f in batch.schema if kind_of(f.type) == "vector"}
    return [c for c in plan.columns if c.role is Role.VECTOR and c.name in present]


def _take(column: Canonical, rows: NDArray[np.int64]) -> Canonical:
    if isinstance(column, Numbers):
        return Numbers(column.values[rows])
    return Labels(column.codes[rows], column.labels)


def join_columns(parts: list[Canonical]) -> Canonical:
    """Return parts of one column as one, over one list of labels."""
    import pyarrow as pa

    if len(parts) == 1:
        return parts[0]
    if all(isinstance(part, Numbers) for part in parts):
        return Numbers(np.concatenate([part.values for part in parts if isinstance(part, Numbers)]))
    labels = [part for part in parts if isinstance(part, Labels)]
    pool = pa.concat_arrays([part.labels for part in labels]).dictionary_encode()
    place, codes, at = pool.indices.to_numpy(), [], 0
    for part in labels:
        codes.append(np.append(place[at : at + len(part.labels)], -1)[part.codes])
        at += len(part.labels)
    return Labels(np.concatenate(codes).astype(np.int32), pool.dictionary)


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
            side: pair_counts(self.plan, data, [p for p in names if _has_both(data, p)])
            for side, data in self.sides.items()
        }

    @cached_property
    def pair_tables(self) -> dict[str, Mapping[PairName, NDArray[np.int64]]]:
        """The pair tables of every side, over all rows."""
        return {
            side: {pair: t.sum(axis=0) for pair, t in counts.pairs.items()}
            if isinstance(counts.pairs, dict)
            else SummedTables(counts.pairs)
            for side, counts in self.pairs.items()
        }

    @cached_property
    def sample(self) -> Sample:
        """The sampled rows, with one dictionary per discrete column."""
        return build_sample(self)


def _has_both(side: Side, pair: PairName) -> bool:
    return pair[0] in side.counts.columns and pair[1] in side.counts.columns


def pair_counts(plan: Plan, side: Side, names: list[PairName]) -> Counts:
    """Count all pairs at once, or block by block on demand where their tables would not fit in memory.

    A profile has whole tables only, as one group of rows.
    """
    if side.tables is not None:
        return Counts(0, {}, {pair: side.tables[pair][None] for pair in names})
    if sum(table_bytes(plan, pair) for pair in names) <= MAX_PAIR_BYTES:
        return _count_pairs(plan, side, names)

    def count(block: Sequence[PairName]) -> Mapping[PairName, NDArray[np.int64]]:
        return _count_pairs(plan, side, list(block)).pairs

    return Counts(0, {}, PairTables(in_blocks(plan, names, MAX_BLOCK_BYTES), count))


def _count_pairs(plan: Plan, side: Side, names: list[PairName]) -> Counts:
    if side.is_whole:
        return count_pairs(plan, side.kept, names)
    total, first = Counts.empty(), 0
    for batch in side.table.batches():
        total = total + count_pairs(plan, read_columns(plan, batch), names, first)
        first += batch.num_rows
    return total
