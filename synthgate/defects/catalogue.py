"""What a defect is: a pure function that spoils a clean table, with a ladder of severities.

A defect is entered with :func:`defect` and run with :func:`inject`. It gets a :class:`Subject` (clean rows, and what is
known of them), how strong it is to be, and a random generator; it returns an :class:`Injection`, or raises
:class:`NotApplicableError` where the table has nothing that could be spoiled so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgate.canonical import Canonical, Numbers
from synthgate.errors import UsageError, nearest
from synthgate.plan import Plan
from synthgate.roles import Role

if TYPE_CHECKING:
    import pyarrow as pa

    from synthgate.gatefile import Constraint

LEVELS = 6
"""Coarse levels of a column, where dependence is looked for."""
MOST_COLUMNS = 40
"""Columns among which dependence is looked for, in the order of the table."""
LEAST_DEPENDENCE = 0.1
"""Bias-corrected Cramer's V from which on two columns are taken to depend on each other."""

Codes = NDArray[np.intp]


class Rung(StrEnum):
    """How severe a defect is: next to sampling noise, subtle, moderate, gross."""

    TRACE = "trace"
    SUBTLE = "subtle"
    MODERATE = "moderate"
    GROSS = "gross"


RUNGS = tuple(Rung)


class NotApplicableError(Exception):
    """The table has nothing that the defect could spoil; the message says what is lacking."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Clean rows, and what is known of them.

    Attributes
    ----------
    table : pyarrow.Table
        Rows to spoil: real ones that are not among `train`.
    train : pyarrow.Table
        The real rows that the gate compares with.
    plan : Plan
        Of `train`.
    targets : tuple of str
    keys : tuple of str
        Columns that must be unique.
    constraints : tuple of Constraint
        Of the gate file.
    """

    table: pa.Table
    train: pa.Table
    plan: Plan
    targets: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    constraints: tuple[Constraint, ...] = ()

    @property
    def rows(self) -> int:
        """Rows to spoil."""
        return int(self.table.num_rows)

    def named(self, *roles: Role) -> list[str]:
        """Return the columns of some roles that are no keys, in the order of the table."""
        return [c.name for c in self.plan.columns if c.role in roles and c.name not in self.keys]

    def values(self, name: str) -> NDArray[np.float64]:
        """Return a continuous column of `table`: numbers, or microseconds since 1970; NaN is missing."""
        return numbers_of(self.plan, self.table, name)

    @cached_property
    def levels(self) -> dict[str, Codes]:
        """Coarse levels of `table`, of the columns among which dependence is looked for."""
        return {name: self.coarse(name) for name in self.named(*DEPENDING)[:MOST_COLUMNS]}

    def coarse(self, name: str) -> Codes:
        """Return codes of at most six levels: quantiles, or the most frequent categories, and one for the rest."""
        column = read(self.plan, self.table, name)
        if isinstance(column, Numbers):
            known = column.values[np.isfinite(column.values)]
            cuts = np.unique(np.quantile(known, np.arange(1, LEVELS - 1) / (LEVELS - 1))) if len(known) else np.empty(0)
            codes = np.searchsorted(cuts, column.values, side="right")
            return np.where(np.isnan(column.values), len(cuts) + 1, codes).astype(np.intp)
        counts = np.bincount(column.codes[column.codes >= 0], minlength=len(column.labels))
        order = np.argsort(-counts, kind="stable")
        ranks = np.full(len(counts) + 1, LEVELS - 1)
        ranks[order] = np.minimum(np.arange(len(order)), LEVELS - 2)
        return ranks[np.where(column.codes < 0, len(counts), column.codes)].astype(np.intp)

    @cached_property
    def dependence(self) -> dict[tuple[str, str], float]:
        """How much two columns depend on each other, strongest first: bias-corrected Cramer's V in [0, 1]."""
        found = {(a, b): cramers_v(self.levels[a], self.levels[b]) for a, b in combinations(self.levels, 2)}
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    def tie(self, a: str, b: str) -> float:
        """Return how much two columns depend on each other."""
        return self.dependence.get((a, b), self.dependence.get((b, a), 0.0))

    @cached_property
    def depending(self) -> list[str]:
        """The columns that depend on another one, those that do most first."""
        names: dict[str, None] = {}
        for pair, strength in self.dependence.items():
            if strength >= LEAST_DEPENDENCE:
                names.update(dict.fromkeys(pair))
        return list(names)


DEPENDING = (Role.NUMERICAL, Role.DATETIME, Role.CATEGORICAL, Role.BOOLEAN)


def read(plan: Plan, table: pa.Table, name: str) -> Canonical:
    """Return a column of a table in canonical form."""
    import pyarrow as pa

    column = table[name].combine_chunks()
    whole = pa.concat_arrays(column.chunks) if isinstance(column, pa.ChunkedArray) else column
    return plan[name].read(whole)


def numbers_of(plan: Plan, table: pa.Table, name: str) -> NDArray[np.float64]:
    """Return a continuous column of a table as numbers; nothing but missing values for other columns."""
    column = read(plan, table, name)
    return column.values if isinstance(column, Numbers) else np.full(table.num_rows, np.nan)


def cramers_v(a: Codes, b: Codes) -> float:
    """Return the bias-corrected Cramer's V of two columns of codes, in [0, 1].

    Source: Bergsma (2013), Journal of the Korean Statistical Society 42, 323-328.
    """
    table = np.bincount(a * (b.max(initial=0) + 1) + b, minlength=(a.max(initial=0) + 1) * (b.max(initial=0) + 1))
    table = table.reshape(a.max(initial=0) + 1, -1).astype(np.float64)
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    n, (r, c) = table.sum(), table.shape
    if n < 2 or min(r, c) < 2:
        return 0.0
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / n
    phi = max(0.0, float(((table - expected) ** 2 / expected).sum()) / n - (r - 1) * (c - 1) / (n - 1))
    most = min(r - (r - 1) ** 2 / (n - 1), c - (c - 1) ** 2 / (n - 1)) - 1
    return min(1.0, float(np.sqrt(phi / most))) if most > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """A spoiled table.

    Attributes
    ----------
    columns : tuple of str
        The columns that a check should name; empty where no column is at fault more than another.
    told : str
        What was done, in counts and shares: never a value of the table.
    """

    table: pa.Table
    columns: tuple[str, ...]
    told: str


Spoil = Callable[[Subject, float, np.random.Generator], Injection]


@dataclass(frozen=True, slots=True)
class Defect:
    """A way in which synthetic tables go wrong.

    Attributes
    ----------
    name : str
        Such as ``memorised_rows``.
    title : str
        For people.
    families : tuple of str
        Of the checks that should react; the first is the one it is about.
    ladder : tuple of four float
        Its strength at each rung, in rising order; what it means is the defect's own.
    spoil : callable
    """

    name: str
    title: str
    families: tuple[str, ...]
    ladder: tuple[float, float, float, float]
    spoil: Spoil

    def strength(self, rung: Rung) -> float:
        """Return how strong the defect is at a rung."""
        return self.ladder[RUNGS.index(rung)]


DEFECTS: dict[str, Defect] = {}


def defect(title: str, families: Sequence[str], ladder: tuple[float, float, float, float]) -> Callable[[Spoil], Spoil]:
    """Enter a function under its own name."""

    def enter(spoil: Spoil) -> Spoil:
        name = getattr(spoil, "__name__", "")
        if not name or name in DEFECTS:
            raise ValueError(f"the defect {name!r} is entered twice")
        DEFECTS[name] = Defect(name, title, tuple(families), ladder, spoil)
        return spoil

    return enter


def inject(name: str, subject: Subject, rung: Rung, seed: int) -> Injection:
    """Return a clean table with one defect.

    The generator depends on seed and defect, not on the rung: higher rungs spoil the same columns, and more rows.

    Raises
    ------
    NotApplicableError
        When the table has nothing to spoil, or nothing as little as the rung says.
    UsageError
        When there is no such defect.
    """
    if name not in DEFECTS:
        raise UsageError(name, "there is no such defect", nearest(name, DEFECTS))
    found = DEFECTS[name]
    made = found.spoil(subject, found.strength(rung), np.random.default_rng([seed, *name.encode()]))
    if made.table.equals(subject.table):
        raise NotApplicableError("at this severity nothing of the table would change")
    return made
