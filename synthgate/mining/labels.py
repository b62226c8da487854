"""Rules on labels: functional dependencies, implications, equality, ranges by category, order by key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from synthgate.mining.rows import Flags, Rows
from synthgate.mining.rules import Rule, Tested, numbers_of, plain
from synthgate.mining.words import Spell, identifier, listed, number

SQL_VALUES = 40
NAMED_RANGES = 3


@dataclass(frozen=True)
class Same(Rule):
    """Two discrete columns hold the same label."""

    kind: ClassVar[str] = "equality"

    def test(self, rows: Rows) -> Tested:
        """Return the rows in which the labels differ."""
        a, b = self.columns
        place = {label: at for at, label in enumerate(rows.labels[b])}
        table = np.array([place.get(label, -2) for label in rows.labels[a]] + [-1], np.int64)
        applies = (rows.codes[a] >= 0) & (rows.codes[b] >= 0)
        return Tested(applies, applies & (table[rows.codes[a]] != rows.codes[b]))

    def words(self) -> str:
        """Return the rule in words."""
        return f"{self.columns[0]} = {self.columns[1]}"

    def sql(self, spell: Spell) -> str:
        """Return the equation."""
        a, b = map(identifier, self.columns)
        return f"{a} = {b}"


@dataclass(frozen=True)
class Rising(Rule):
    """A column never falls as the key rises."""

    kind: ClassVar[str] = "monotone"
    falling: bool = False

    def test(self, rows: Rows) -> Tested:
        """Return the rows that lie below the row with the next smaller key."""
        key, column = numbers_of(rows, self.columns[0]), rows.numbers[self.columns[1]]
        applies = ~np.isnan(key) & ~np.isnan(column)
        at = np.flatnonzero(applies)
        at = at[np.argsort(key[at], kind="stable")]
        before, after = column[at[:-1]], column[at[1:]]
        broken = np.zeros(rows.size, bool)
        broken[at[1:]] = after > before if self.falling else after < before
        return Tested(applies, broken)

    def words(self) -> str:
        """Return the rule in words."""
        return f"{self.columns[1]} never {'rises' if self.falling else 'falls'} as {self.columns[0]} rises"


@dataclass(frozen=True, eq=False)
class Determines(Rule):
    """One or two columns fix the value of another: the last.

    Attributes
    ----------
    known : tuple of array
        Values (codes of labels, or numbers) of the determinants, in rising order of their joint code.
    value : array
        The dependent's value for each.
    support : int
        Known rows beyond the first of each value: those that could have broken the rule.
    broken : int
        Known rows with another value than the most frequent one.
    both_ways : bool
        The dependent determines the determinant as well.
    """

    kind: ClassVar[str] = "functional dependency"
    known: tuple[NDArray[np.float64], ...] = ()
    value: NDArray[np.float64] = None  # type: ignore[assignment]  # always given: dataclass order asks for a default
    frequent: NDArray[np.bool_] = None  # type: ignore[assignment]  # as above
    labels: tuple[tuple[str, ...] | None, ...] = ()
    both_ways: bool = False
    support: int = 0
    broken: int = 0

    def test(self, rows: Rows) -> Tested:
        """Return the rows with a known determinant and another value than goes with it.

        A determinant that is not known, such as a new id, still has to go with one value: that of its first row.
        """
        *left, right = (plain(rows, name) for name in self.columns)
        there = ~np.isnan(right)
        found, at = np.ones(rows.size, bool), np.zeros(rows.size, np.int64)
        for known, column in zip(self._levels, left, strict=True):
            there &= ~np.isnan(column)
            place = np.minimum(np.searchsorted(known, column), max(0, len(known) - 1))
            found &= known[place] == column
            at = at * len(known) + place
        joint = self._joint
        place = np.minimum(np.searchsorted(joint, at), len(joint) - 1)
        found &= there & (joint[place] == at)
        broken = found & (self.value[place] != right)
        new = np.flatnonzero(there & ~found)
        if len(new):
            group = np.unique(np.stack([column[new] for column in left]), axis=1, return_inverse=True)[1].ravel()
            first = np.full(int(group.max()) + 1, len(new))
            np.minimum.at(first, group, np.arange(len(new)))
            found[new] = first[group] != np.arange(len(new))
            broken[new] = right[new] != right[new[first[group]]]
        return Tested(found, broken)

    @property
    def _levels(self) -> list[NDArray[np.float64]]:
        return [np.unique(column) for column in self.known]

    @property
    def _joint(self) -> NDArray[np.int64]:
        at = np.zeros(len(self.value), np.int64)
        for known, column in zip(self._levels, self.known, strict=True):
            at = at * len(known) + np.searchsorted(known, column)
        return at

    def words(self) -> str:
        """Return the rule in words."""
        *left, right = self.columns
        if self.both_ways:
            return f"{left[0]} and {right} determine each other"
        return f"{listed(left, 'and')} determine{'s' if len(left) == 1 else ''} {right}"

    def sql(self, spell: Spell) -> str | None:
        """Return a case for every frequent value of one determinant; None when there are many, or two determinants."""
        rows = np.flatnonzero(self.frequent)
        if len(self.columns) != 2 or not 0 < len(rows) <= SQL_VALUES:
            return None
        left, right = map(identifier, self.columns)
        cases = [
            f"WHEN {self._literal(0, known, spell)} THEN {right} = {self._literal(1, value, spell)}"
            for known, value in zip(self.known[0][rows], self.value[rows], strict=True)
        ]
        return f"CASE {left} {' '.join(cases)} ELSE true END"

    def _literal(self, side: int, value: float, spell: Spell) -> str:
        labels = self.labels[side]
        return number(value) if labels is None else spell(self.columns[side], labels[int(value)])


@dataclass(frozen=True)
class Atom:
    """Something that is true or false of one column in a row.

    Attributes
    ----------
    column : str
    test : str
        ``null``, ``present``, ``in`` (labels), ``equal`` or ``other`` (numbers).
    labels : tuple of str
    number : float
    """

    column: str
    test: str
    labels: tuple[str, ...] = ()
    number: float = 0.0

    def holds(self, rows: Rows) -> Flags:
        """Return the rows in which it is true."""
        if self.test in ("null", "present"):
            missing = rows.missing(self.column)
            return missing if self.test == "null" else ~missing
        if self.test == "in":
            place = {label: at for at, label in enumerate(rows.labels[self.column])}
            return np.isin(rows.codes[self.column], [place[label] for label in self.labels if label in place])
        values = rows.numbers[self.column]
        equal: Flags = values == self.number
        return equal if self.test == "equal" else ~np.isnan(values) & ~equal

    def known(self, rows: Rows) -> Flags:
        """Return the rows in which it is true or false, and not unknown."""
        if self.test in ("null", "present"):
            return np.ones(rows.size, bool)
        return ~rows.missing(self.column)

    def words(self) -> str:
        """Return it in words."""
        if self.test == "in":
            return f"{self.column} is {listed([repr(label) for label in self.labels], 'or')}"
        tests = {"null": "is missing", "present": "is not missing", "equal": "is", "other": "is not"}
        value = f" {number(self.number)}" if self.test in ("equal", "other") else ""
        return f"{self.column} {tests[self.test]}{value}"

    def sql(self, spell: Spell) -> str:
        """Return it in SQL."""
        name = identifier(self.column)
        if self.test == "in":
            return f"{name} IN ({', '.join(spell(self.column, label) for label in self.labels)})"
        tests = {"null": "IS NULL", "present": "IS NOT NULL", "equal": "=", "other": "<>"}
        value = f" {number(self.number)}" if self.test in ("equal", "other") else ""
        return f"{name} {tests[self.test]}{value}"


@dataclass(frozen=True)
class Implies(Rule):
    """When something is true of one column, something else is true of another.

    Attributes
    ----------
    when, then : Atom
    exactly : bool
        The converse holds as well.
    """

    kind: ClassVar[str] = "implication"
    when: Atom = Atom("", "null")
    then: Atom = Atom("", "null")
    exactly: bool = False

    def test(self, rows: Rows) -> Tested:
        """Return the rows that meet the condition, and those without what should follow."""
        when, then = self.when.holds(rows), self.then.holds(rows)
        known = self.then.known(rows)
        if self.exactly:
            known &= self.when.known(rows)
            return Tested(known & (when | then), known & (when != then))
        return Tested(when & known, when & known & ~then)

    def words(self) -> str:
        """Return the rule in words."""
        return f"{self.then.words()} {'exactly ' if self.exactly else ''}when {self.when.words()}"

    def sql(self, spell: Spell) -> str:
        """Return the implication."""
        when, then = self.when.sql(spell), self.then.sql(spell)
        return f"({when}) = ({then})" if self.exactly else f"CASE WHEN {when} THEN {then} ELSE true END"


@dataclass(frozen=True)
class Together(Rule):
    """Columns are missing in the same rows."""

    kind: ClassVar[str] = "missing together"

    def test(self, rows: Rows) -> Tested:
        """Return the rows in which some of them are missing and others are not."""
        count = np.zeros(rows.size, np.int64)
        for name in self.columns:
            count += rows.missing(name)
        return Tested(np.ones(rows.size, bool), (count > 0) & (count < len(self.columns)))

    def words(self) -> str:
        """Return the rule in words."""
        return f"{listed(self.columns, 'and')} are missing in the same rows"

    def sql(self, spell: Spell) -> str:
        """Return the equations."""
        first, *others = (f"({identifier(name)} IS NULL)" for name in self.columns)
        return " AND ".join(f"{first} = {other}" for other in others)


@dataclass(frozen=True)
class Range:
    """A category with the range that a number keeps to within it; None for an end that is no bound."""

    label: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Within(Rule):
    """A number keeps to a range of its own within categories.

    Attributes
    ----------
    ranges : tuple of Range
    """

    kind: ClassVar[str] = "conditional range"
    ranges: tuple[Range, ...] = ()

    def test(self, rows: Rows) -> Tested:
        """Return the rows of the categories, and those beyond the ranges."""
        category, name = self.columns
        labels = rows.labels[category]
        at = {label: place for place, label in enumerate(labels)}
        low, high = np.full(len(labels) + 1, -np.inf), np.full(len(labels) + 1, np.inf)
        member = np.zeros(len(labels) + 1, bool)
        for own in (own for own in self.ranges if own.label in at):
            place = at[own.label]
            member[place] = True
            low[place] = -np.inf if own.low is None else own.low
            high[place] = np.inf if own.high is None else own.high
        codes, values = rows.codes[category], rows.numbers[name]
        applies = member[codes] & ~np.isnan(values)
        with np.errstate(invalid="ignore"):
            return Tested(applies, applies & ((values < low[codes]) | (values > high[codes])))

    def words(self) -> str:
        """Return the rule in words."""
        category, name = self.columns
        if len(self.ranges) > NAMED_RANGES:
            return f"{name} keeps to a range of its own for {len(self.ranges)} values of {category}"
        told = []
        for own in self.ranges:
            ends = [f"at least {number(own.low)}"] if own.low is not None else []
            ends += [f"at most {number(own.high)}"] if own.high is not None else []
            told.append(f"{' and '.join(ends)} when {category} is {own.label!r}")
        return f"{name} is {'; '.join(told)}"

    def sql(self, spell: Spell) -> str | None:
        """Return the comparison within each category."""
        if len(self.ranges) > SQL_VALUES:
            return None
        category, name = map(identifier, self.columns)
        cases = []
        for own in self.ranges:
            ends = [f"{name} >= {number(own.low)}"] if own.low is not None else []
            ends += [f"{name} <= {number(own.high)}"] if own.high is not None else []
            cases.append(f"WHEN {spell(self.columns[0], own.label)} THEN {' AND '.join(ends)}")
        return f"CASE {category} {' '.join(cases)} ELSE true END"
