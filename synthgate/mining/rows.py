"""Rows as the miner sees them: one side's canonical columns, and random parts of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from synthgate.roles import Role
from synthgate.sample import Sample, SampleSide

Floats = NDArray[np.float64]
Codes = NDArray[np.int32]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Rows:
    """Rows of one side.

    Attributes
    ----------
    size : int
    roles : dict of Role
    numbers : dict of float64 array
        Numerical columns, and datetimes as microseconds since 1970; NaN for missing.
    codes : dict of int32 array
        Every other column, as codes into `labels`; -1 for missing.
    labels : dict of tuple of str
    decimals : dict of int
        Decimal places per numerical column; 15 for numbers that were never rounded.
    """

    size: int
    roles: Mapping[str, Role]
    numbers: Mapping[str, Floats]
    codes: Mapping[str, Codes]
    labels: Mapping[str, tuple[str, ...]]
    decimals: Mapping[str, int]

    def take(self, index: NDArray[np.int64]) -> Rows:
        """Return the rows of the given numbers."""
        numbers = {name: column[index] for name, column in self.numbers.items()}
        codes = {name: column[index] for name, column in self.codes.items()}
        return replace(self, size=len(index), numbers=numbers, codes=codes)

    def head(self, rows: int) -> Rows:
        """Return the first rows, at most `rows` of them."""
        if rows >= self.size:
            return self
        numbers = {name: column[:rows] for name, column in self.numbers.items()}
        codes = {name: column[:rows] for name, column in self.codes.items()}
        return replace(self, size=rows, numbers=numbers, codes=codes)

    def shuffled(self, name: str, rng: np.random.Generator) -> Rows:
        """Return the rows with the values of one column dealt anew, as independence would."""
        order = rng.permutation(self.size)
        if name in self.numbers:
            return replace(self, numbers={**self.numbers, name: self.numbers[name][order]})
        return replace(self, codes={**self.codes, name: self.codes[name][order]})

    def missing(self, name: str) -> Flags:
        """Return which rows have no value in a column."""
        return np.isnan(self.numbers[name]) if name in self.numbers else self.codes[name] < 0

    def of_role(self, role: Role) -> list[str]:
        """Return the continuous columns of a role."""
        return [name for name in self.numbers if self.roles[name] is role]


def rows_of(sample: Sample, side: SampleSide) -> Rows:
    """Return one side of the sample, vectors left aside."""
    numbers = {n: side.columns[n] for n, role in sample.roles.items() if role.is_continuous}
    codes = {n: side.columns[n] for n in sample.dictionaries}
    return Rows(side.rows, sample.roles, numbers, codes, sample.dictionaries, sample.decimals)


def joined(parts: list[Rows]) -> Rows:
    """Return the rows of several sides as one."""
    first = parts[0]
    if len(parts) == 1:
        return first
    numbers = {name: np.concatenate([rows.numbers[name] for rows in parts]) for name in first.numbers}
    codes = {name: np.concatenate([rows.codes[name] for rows in parts]) for name in first.codes}
    return replace(first, size=sum(rows.size for rows in parts), numbers=numbers, codes=codes)
