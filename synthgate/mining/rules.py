"""Kinds of rule: what each says in words and in SQL, and which rows break it.

A rule applies to a row when all its columns have a value there (an implication: when its
condition is met), as null keeps a rule in an SQL CHECK.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from synthgate.mining.rows import Flags, Floats, Rows
from synthgate.mining.words import Spell


@dataclass(frozen=True, slots=True)
class Tested:
    """Which rows a rule applies to, and which of those break it."""

    applies: Flags
    broken: Flags

    @property
    def of(self) -> int:
        """Rows that the rule applies to."""
        return int(self.applies.sum())

    @property
    def rows(self) -> int:
        """Rows that break it."""
        return int(self.broken.sum())


@dataclass(frozen=True)
class Rule(ABC):
    """Something that holds in every row.

    Attributes
    ----------
    columns : tuple of str
    """

    kind: ClassVar[str] = "rule"
    columns: tuple[str, ...]

    @abstractmethod
    def test(self, rows: Rows) -> Tested:
        """Return which rows the rule applies to, and which of them break it."""

    @abstractmethod
    def words(self) -> str:
        """Return the rule in words."""

    def sql(self, spell: Spell) -> str | None:
        """Return the rule as a boolean SQL expression over a row, or None when it cannot be said so."""
        return None


def over(rows: Rows, names: Sequence[str]) -> tuple[list[Floats], Flags]:
    """Return number columns, and the rows in which each has a value."""
    columns = [rows.numbers[name] for name in names]
    applies = ~np.isnan(columns[0])
    for column in columns[1:]:
        applies &= ~np.isnan(column)
    return columns, applies


def plain(rows: Rows, name: str) -> Floats:
    """Return a column as floats: numbers as they are, codes with NaN for missing."""
    if name in rows.numbers:
        return rows.numbers[name]
    codes = rows.codes[name]
    return np.where(codes < 0, np.nan, codes)


def numbers_of(rows: Rows, name: str) -> Floats:
    """Return a column as numbers: a discrete one through its labels, NaN where they spell none."""
    if name in rows.numbers:
        return rows.numbers[name]
    labels = rows.labels[name]
    present, place = np.unique(rows.codes[name], return_inverse=True)
    values = np.array([np.nan if code < 0 else _parsed(labels[code]) for code in present])
    out: Floats = values[place] if len(values) else np.empty(0)
    return out


def _parsed(label: str) -> float:
    try:
        return float(label)
    except ValueError:
        return float("nan")


def date_part(micro: Floats, part: str) -> Floats:
    """Return a part of dates given as microseconds since 1970: year, month, day, hour, or weekday (Monday is 1)."""
    there = np.isfinite(micro)
    whole = np.where(there, micro, 0).astype(np.int64)
    days = whole // 86_400_000_000
    if part == "weekday":
        out = (days + 3) % 7 + 1
    elif part == "hour":
        out = whole // 3_600_000_000 % 24
    else:
        day = days.astype("datetime64[D]")
        months = day.astype("datetime64[M]").astype(np.int64)
        if part == "day":
            out = (day - day.astype("datetime64[M]")).astype(np.int64) + 1
        else:
            out = months // 12 + 1970 if part == "year" else months % 12 + 1
    return np.where(there, out, np.nan)
