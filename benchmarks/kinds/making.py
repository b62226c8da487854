"""What every kind of defect is made of: the context it is made in, its registry, and what is demanded of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

FEW = 12
"""A number with so few values or fewer is a category."""
MANY = 30
"""A number with so many values or more is continuous."""
SEVERITIES = ("subtle", "moderate", "gross")
LEAST = (0.01, 0.04, 0.15)
"""Shares of rows that must differ for a defect to be called subtle, moderate or gross."""


@dataclass(frozen=True)
class Context:
    """Three disjoint random parts of a real table; defects are put into ``fresh``."""

    train: pd.DataFrame
    holdout: pd.DataFrame
    fresh: pd.DataFrame
    target: str | None

    @cached_property
    def dates(self) -> tuple[str, ...]:
        """Columns of dates or times."""
        return tuple(n for n in self.fresh if pd.api.types.is_datetime64_any_dtype(self.fresh[n]))

    @cached_property
    def numbers(self) -> tuple[str, ...]:
        """Numbers of more than a few values."""
        return tuple(
            name
            for name in self.fresh
            if name not in self.dates
            and pd.api.types.is_numeric_dtype(self.fresh[name])
            and not pd.api.types.is_bool_dtype(self.fresh[name])
            and self.fresh[name].nunique() > FEW
        )

    @cached_property
    def categories(self) -> tuple[str, ...]:
        """Everything that is neither a date nor a number of more than a few values."""
        return tuple(n for n in self.fresh if n not in self.numbers and n not in self.dates)

    @cached_property
    def features(self) -> tuple[str, ...]:
        """All columns but the target."""
        return tuple(n for n in self.fresh if n != self.target)

    @cached_property
    def continuous(self) -> tuple[str, ...]:
        """Numbers of many values which are not the target."""
        return tuple(n for n in self.numbers if n != self.target and self.fresh[n].nunique() >= MANY)

    @cached_property
    def guesses(self) -> np.ndarray | None:
        """What a model of the training part says of the target of fresh rows; None where it has many classes."""
        from .labels import guessed

        return guessed(self)

    def spoilable(self) -> pd.DataFrame:
        """Return a copy of the fresh rows."""
        return self.fresh.copy()

    def without(self, gone: Any) -> pd.DataFrame:
        """Return the fresh rows that are not in a mask."""
        return self.fresh[~np.asarray(gone, dtype=bool)].reset_index(drop=True)


@dataclass(frozen=True)
class Spoiled:
    """A table with a defect, and the columns that it is about: none where it is about whole rows."""

    table: pd.DataFrame
    columns: tuple[str, ...] = ()


Maker = Callable[[Context, Any, np.random.Generator], Spoiled | None]
Oracle = Callable[[Context, pd.DataFrame, tuple[str, ...]], bool]


@dataclass(frozen=True)
class Kind:
    """A kind of defect.

    ``families`` are those that should react, the one it is about first; ``oracle`` tells whether one who knows the
    defect sees it; ``least`` has the share of rows that must differ at each severity.
    """

    name: str
    title: str
    families: tuple[str, ...]
    strengths: dict[str, Any]
    maker: Maker
    oracle: Oracle
    least: dict[str, float]


KINDS: dict[str, Kind] = {}


def kind(
    families: str,
    subtle: Any,
    moderate: Any,
    gross: Any,
    *,
    oracle: Oracle | None = None,
    least: tuple[float, float, float] = LEAST,
) -> Callable[[Maker], Maker]:
    """Register a maker; its name and the first line of its docstring are those of the kind."""

    def register(maker: Maker) -> Maker:
        from .oracles import seen

        title = (maker.__doc__ or "").strip().splitlines()[0]
        strengths = dict(zip(SEVERITIES, (subtle, moderate, gross), strict=True))
        shares = dict(zip(SEVERITIES, least, strict=True))
        name = maker.__name__
        KINDS[name] = Kind(name, title, tuple(families.split()), strengths, maker, oracle or seen, shares)
        return maker

    return register


def make(context: Context, kind: Kind | str, severity: str, seed: int) -> Spoiled | None:
    """Return the fresh rows with a defect in them.

    None where the table has one column only, where the kind does not apply to it or changes fewer rows than it must,
    or where not even a test that knows what to look for would see it. The same seed gives the same table; rows that
    are spoiled at one severity are spoiled at greater ones too, where the columns are the same.
    """
    if len(context.fresh.columns) < 2:
        return None
    known = KINDS[kind] if isinstance(kind, str) else kind
    rng = np.random.default_rng([seed, *known.name.encode()])
    spoiled = known.maker(context, known.strengths[severity], rng)
    if spoiled is None or not len(spoiled.table):
        return None
    spoiled = Spoiled(spoiled.table.reset_index(drop=True), spoiled.columns)
    if changed_share(context.fresh, spoiled.table) < known.least[severity]:
        return None
    return spoiled if known.oracle(context, spoiled.table, spoiled.columns) else None


def changed_rows(before: pd.DataFrame, after: pd.DataFrame) -> np.ndarray:
    """Return a mask of the rows in which any column differs; both tables have the same rows."""
    differs = np.zeros(len(before), dtype=bool)
    for name in before:
        codes = pd.factorize(pd.concat([before[name], after[name]], ignore_index=True).astype(object))[0]
        differs |= codes[: len(before)] != codes[len(before) :]
    return differs


def changed_share(before: pd.DataFrame, after: pd.DataFrame) -> float:
    """Return the share of rows that differ, or that are gone."""
    if len(before) != len(after):
        return abs(1 - len(after) / len(before))
    return float(changed_rows(before, after).mean())
