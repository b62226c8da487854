"""The plan: how every column is read, fixed by one look at the real table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgate.canonical import Canonical, Labels, Numbers, kind_of, number_label, parse_number, to_labels, to_numbers
from synthgate.roles import Role
from synthgate.rounding import between
from synthgate.values import LabelCounts, NumberCounts, ValueCounts

if TYPE_CHECKING:
    import pyarrow as pa

PAIR_BINS = 10
FINE_BINS = 50
PAIR_CATEGORIES = 40
WHOLE_FROM = 1e15
RARE_BELOW = 10
"""A value of fewer real rows is told nowhere."""
OPEN_SHARE = 0.01
"""Share of real rows with a category that occurs once, from which on fresh rows hold many that real lacks."""
THINNINGS = 8
MOST_RANKED = 2_000
CURSE = 0.014
"""Share of rows by which categories chosen for their frequency may be more frequent in half of the rows that chose them
than in the other half; with all rows the two differ by a factor of the square root of two less, by 0.01."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnPlan:
    """How one column is read and coded.

    Attributes
    ----------
    name : str
    role : Role
    kind : str
        What the real table stores: integer, float, boolean, string, datetime, vector, ...
    layout : str or None
        How dates stored as text are written, by ``strptime`` (None means ISO 8601), and numbers stored as text, by
        :mod:`synthgate.notations` (None means plain ones).
    nullable : bool
        Whether missing values are expected (the real column has some, or metadata says so).
    edges : float64 array
        Inner bin edges for pair tables (continuous roles).
    fine_edges : float64 array
        Inner bin edges for the column's own distribution (continuous roles).
    categories : tuple of str
        The real categories (discrete roles): first those with a code of their own, each part most frequent first,
        unless so many are about equally frequent that their order is a matter of chance.
    shown : int
        How many of `categories` have a code of their own in pair tables; the rest share one.
    open : bool
        Whether fresh real rows would hold categories that real lacks: some of its own occur once (Good 1953, Biometrika
        40, 237-264). Such rows share a code with those of the categories that have none of their own.
    pool : str or None
        The last of `categories`, as which every label that is none of them is read; None where labels stay.
    """

    name: str
    role: Role
    kind: str
    layout: str | None = None
    nullable: bool = False
    integral: bool = False
    decimals: int = 15
    edges: NDArray[np.float64]
    fine_edges: NDArray[np.float64]
    categories: tuple[str, ...] = ()
    shown: int = 0
    open: bool = False
    pool: str | None = None

    @property
    def is_paired(self) -> bool:
        """Whether the column enters pair tables."""
        return self.role.is_discrete or self.role.is_continuous

    @property
    def n_codes(self) -> int:
        """Codes in pair tables: bins or categories, then ``other``, ``unseen`` (discrete), then missing."""
        return len(self.edges) + 2 if self.role.is_continuous else self.shown + 3

    @property
    def unseen(self) -> int:
        """The pair code of categories that real does not have (discrete roles)."""
        return self.shown if self.open else self.shown + 1

    def code_labels(self) -> list[str]:
        """Return what each pair code stands for, in plain words."""
        if self.role.is_discrete:
            return [*self.categories[: self.shown], "(other)", "(unseen)", "(missing)"]
        return [*bin_labels(self.edges, self.role), "(missing)"]

    def read(self, array: pa.Array) -> Canonical:
        """Return one batch's column in canonical form."""
        if self.role.is_continuous:
            return to_numbers(array, self.role, self.layout)
        labels = to_labels(array, self.role)
        rewrite = self.kind in ("integer", "float") and kind_of(array.type) == "string"
        return self.pooled(_numeric_labels(labels) if rewrite and self.role is not Role.BOOLEAN else labels)

    def pooled(self, labels: Labels) -> Labels:
        """Read labels that are no category as the pool, where there is one."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if self.pool is None or not len(labels.labels):
            return labels
        known = pa.array(self.categories, pa.string())
        place = pc.index_in(labels.labels, value_set=known).fill_null(len(self.categories) - 1)
        codes = np.append(place.to_numpy(zero_copy_only=False), -1).astype(np.int32)
        return Labels(codes[labels.codes], known, labels.misfits)

    def encode(self, column: Canonical) -> NDArray[np.intp]:
        """Return the pair code of every row."""
        if isinstance(column, Numbers):
            codes = bin_codes(self.edges, column.values)
            codes[np.isnan(column.values)] = self.n_codes - 1
            return codes
        return np.append(self.label_codes(column.labels), self.n_codes - 1)[column.codes]

    def ranks(self, labels: pa.Array) -> NDArray[np.intp]:
        """Return the place of every label among the categories, -1 where it is none."""
        import pyarrow as pa
        import pyarrow.compute as pc

        known = pc.index_in(labels, value_set=pa.array(self.categories, pa.string()))
        ranks: NDArray[np.intp] = known.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.intp)
        return ranks

    def label_codes(self, labels: pa.Array) -> NDArray[np.intp]:
        """Return the pair code of every label."""
        ranks = self.ranks(labels)
        return np.where(ranks < 0, self.unseen, np.minimum(ranks, self.shown))


@dataclass(frozen=True)
class Plan:
    """The columns of the real table, in order."""

    columns: tuple[ColumnPlan, ...]

    def __getitem__(self, name: str) -> ColumnPlan:
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> dict[str, ColumnPlan]:
        return {column.name: column for column in self.columns}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The column names, in order."""
        return tuple(column.name for column in self.columns)


def _numeric_labels(labels: Labels) -> Labels:
    """Write numbers that arrive as text the way the real side's codes are written: ``3.0`` as ``3``."""
    import pyarrow as pa

    def rewrite(text: str) -> str:
        number = parse_number(text)
        return number_label(number) if number is not None and abs(number) <= 2**53 else text

    if not len(labels.labels):
        return labels
    rewritten = pa.array([rewrite(text) for text in labels.labels.to_pylist()], pa.string()).dictionary_encode()
    codes = np.append(rewritten.indices.to_numpy(), -1).astype(np.int32)
    return Labels(codes[labels.codes], rewritten.dictionary, labels.misfits)


def quantile_edges(
    values: NumberCounts, bins: int, *, least: int = RARE_BELOW, dates: bool = False
) -> NDArray[np.float64]:
    """Return inner edges of about `bins` bins of equal mass, in which frequent values stand alone.

    A value that holds at least one bin's share of the rows gets a bin of its own; the
    remaining rows are cut at their quantiles. With at most `bins` distinct values each gets its own.
    An edge is a real value only when at least `least` rows have it; else a short number between
    two neighbouring values, which cuts the real rows at the same place.

    Parameters
    ----------
    values : NumberCounts
    bins : int
    least : int
    dates : bool
        The values are microseconds since 1970.
    """
    kept = values.finite()
    return _told(kept, _raw_edges(kept, bins), least, dates=dates)


def _told(values: NumberCounts, edges: NDArray[np.float64], least: int, *, dates: bool) -> NDArray[np.float64]:
    """Move edges off values of fewer than `least` rows, to between such a value and the one before it."""
    at = np.searchsorted(values.values, edges)
    rare = values.counts[at] < least
    out = edges.copy()
    out[rare] = between(values.values[at[rare] - 1], edges[rare], dates=dates)
    told: NDArray[np.float64] = out[~np.isnan(out)]
    return told


def _raw_edges(kept: NumberCounts, bins: int) -> NDArray[np.float64]:
    """Return the edges as real values."""
    if len(kept.values) <= 1:
        return np.empty(0)
    if len(kept.values) <= bins:
        return kept.values[1:].copy()
    heavy = kept.counts >= kept.total / bins
    rest = NumberCounts(kept.values[~heavy], kept.counts[~heavy])
    cuts = max(1, bins - int(heavy.sum()))
    starts: list[float] = []
    if len(rest.values):
        starts.extend(rest.quantiles(np.arange(1, cuts) / cuts).tolist())
    at = np.flatnonzero(heavy)
    starts.extend(kept.values[at].tolist())
    starts.extend(kept.values[at[at + 1 < len(kept.values)] + 1].tolist())
    edges: NDArray[np.float64] = np.unique(np.array(starts))
    above: NDArray[np.float64] = edges[edges > kept.values[0]]
    return above


def bin_codes(edges: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return how many of the few rising `edges` lie at or below each value; NaN gets 0.

    One comparison a row and edge, without branches: several times faster than a binary search here.
    """
    codes = np.zeros(len(values), np.uint8 if len(edges) < 256 else np.uint16)
    for edge in edges:
        np.add(codes, (values >= edge).view(np.uint8), out=codes)
    return codes.astype(np.intp)


def bin_labels(edges: NDArray[np.float64], role: Role) -> list[str]:
    """Return readable labels of the bins cut at `edges`."""
    if not len(edges):
        return ["all"]
    texts = [format_value(edge, role) for edge in edges]
    middle = [f"{low} to {high}" for low, high in pairwise(texts)]
    return [f"below {texts[0]}", *middle, f"{texts[-1]} and above"]


def format_value(value: float, role: Role) -> str:
    """Return a number, or a datetime's day (its time too when it is not midnight), for reading."""
    if role is Role.DATETIME and np.isfinite(value):
        moment = np.datetime64(round(value), "us")
        day = moment.astype("datetime64[D]")
        return str(day) if day == moment else str(moment.astype("datetime64[m]")).replace("T", " ")
    return f"{value:.6g}"


def decimals_of(values: NumberCounts) -> int:
    """Return the decimal places that the finite values need, at most 15."""
    finite = values.finite().values
    finite = finite[np.abs(finite) < WHOLE_FROM]
    step = max(1, len(finite) // 2000)
    sample = finite[::step]
    for places in range(16):
        if (np.round(sample, places) == sample).all():
            return places
    return 15


def plan_column(
    name: str, role: Role, kind: str, values: ValueCounts, *, nullable: bool, layout: str | None
) -> ColumnPlan:
    """Fix how one column is read, from its real values."""
    none = np.empty(0)
    if isinstance(values, NumberCounts):
        dates = role is Role.DATETIME
        finite = values.finite().values
        return ColumnPlan(
            name=name,
            role=role,
            kind=kind,
            layout=layout,
            nullable=nullable,
            integral=bool(len(finite)) and bool((finite == np.floor(finite)).all()),
            decimals=decimals_of(values) if role is Role.NUMERICAL else 0,
            edges=quantile_edges(values, PAIR_BINS, dates=dates),
            fine_edges=quantile_edges(values, FINE_BINS, dates=dates),
        )
    categories: tuple[str, ...] = ()
    shown, is_open = 0, False
    if role.is_discrete:
        order, shown, is_open = _own_codes(values.counts)
        categories = tuple(values.labels.take(order).to_pylist())
    return ColumnPlan(
        name=name,
        role=role,
        kind=kind,
        layout=layout,
        nullable=nullable,
        edges=none,
        fine_edges=none,
        categories=categories,
        shown=shown,
        open=is_open,
    )


def _own_codes(counts: NDArray[np.int64]) -> tuple[NDArray[np.intp], int, bool]:
    """Return an order of the categories, how many of the first get a code of their own, and whether there are more.

    Up to 40 all have one, most frequent first. Of more, those come first whose rank is no matter of chance: the most
    frequent of many about equally frequent ones owe their rank to chance and are rarer among fresh rows. The other
    places go to categories in the order of the table of values, which does not depend on how frequent they are, unless
    fresh rows hold many that real lacks.
    """
    order, once = np.argsort(-counts, kind="stable"), int((counts == 1).sum())
    if len(counts) <= PAIR_CATEGORIES:
        return order, len(counts), once > 0
    sure = _sure_ranks(counts[order])
    if once > OPEN_SHARE * counts.sum():
        return order, min(sure, int((counts >= RARE_BELOW).sum())), True
    fill = np.sort(order[sure:])[: PAIR_CATEGORIES - sure]
    first = np.concatenate([order[:sure], fill])
    return np.concatenate([first, order[~np.isin(order, first)]]), PAIR_CATEGORIES, once > 0


def _sure_ranks(counts: NDArray[np.int64]) -> int:
    """Return how many categories can be chosen for their frequency, so that they stay as frequent among fresh rows.

    The rows are parted into halves at random: those that are most frequent in one half are counted in the other.

    Parameters
    ----------
    counts : int64 array
        Falling.
    """
    top, total = counts[:MOST_RANKED], int(counts.sum())
    rng = np.random.default_rng(total)
    ranks = np.arange(1, PAIR_CATEGORIES + 1)
    excess = np.zeros(PAIR_CATEGORIES)
    for _ in range(THINNINGS):
        half = rng.binomial(top, 0.5)
        best = np.argsort(-half, kind="stable")[:PAIR_CATEGORIES]
        excess += np.cumsum(2 * half[best] - top[best]) / (THINNINGS * total / 2)
    return int(np.max(ranks[excess <= CURSE], initial=0))


def roles_of(plan: Plan) -> Mapping[str, Role]:
    """Return the role per column."""
    return {column.name: column.role for column in plan.columns}


__all__ = ["ColumnPlan", "LabelCounts", "Plan", "plan_column", "quantile_edges"]
