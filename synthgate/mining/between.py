"""Rules between numbers and dates of one row: order, sums, products, parts of dates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from synthgate.mining.rows import Rows
from synthgate.mining.rules import Rule, Tested, date_part, numbers_of, over
from synthgate.mining.words import Spell, identifier, number

ELAPSED_SLACK = 0.501
"""Units by which a rounded length of time may be off."""


@dataclass(frozen=True)
class Order(Rule):
    """One number or date never lies above another."""

    kind: ClassVar[str] = "order"
    strict: bool = False

    def test(self, rows: Rows) -> Tested:
        """Return the rows in which the lower column lies above the upper one."""
        (low, high), applies = over(rows, self.columns)
        with np.errstate(invalid="ignore"):
            return Tested(applies, low >= high if self.strict else low > high)

    def words(self) -> str:
        """Return the rule in words."""
        low, high = self.columns
        return f"{low} < {high}" if self.strict else f"{low} <= {high}"

    def sql(self, spell: Spell) -> str:
        """Return the comparison."""
        low, high = map(identifier, self.columns)
        return f"{low} {'<' if self.strict else '<='} {high}"


@dataclass(frozen=True)
class Linear(Rule):
    """One column is a constant multiple of another, with a constant added; equality is one case."""

    kind: ClassVar[str] = "multiple"
    factor: float = 1.0
    offset: float = 0.0
    tolerance: float = 0.0

    def test(self, rows: Rows) -> Tested:
        """Return the rows in which the two differ by more than rounding."""
        (a, b), applies = over(rows, self.columns)
        with np.errstate(invalid="ignore", over="ignore"):
            return Tested(applies, np.abs(self.factor * a + self.offset - b) > self.tolerance)

    def words(self) -> str:
        """Return the rule in words."""
        a, b = self.columns
        if self.factor == 1 and self.offset == 0:
            return f"{a} = {b}"
        right = a if self.factor == 1 else f"{number(self.factor)} * {a}"
        return f"{b} = {right}" + (
            f" {'-' if self.offset < 0 else '+'} {number(abs(self.offset))}" if self.offset else ""
        )

    def sql(self, spell: Spell) -> str:
        """Return the equation, up to rounding."""
        a, b = map(identifier, self.columns)
        if self.factor == 1 and self.offset == 0 and self.tolerance == 0:
            return f"{a} = {b}"
        return f"abs({number(self.factor)} * {a} + {number(self.offset)} - {b}) <= {number(self.tolerance)}"


@dataclass(frozen=True)
class Sum(Rule):
    """The first two columns add up to the third."""

    kind: ClassVar[str] = "sum"
    tolerance: float = 0.0

    def test(self, rows: Rows) -> Tested:
        """Return the rows in which they do not, by more than rounding."""
        (a, b, c), applies = over(rows, self.columns)
        with np.errstate(invalid="ignore", over="ignore"):
            return Tested(applies, np.abs(a + b - c) > self.tolerance)

    def words(self) -> str:
        """Return the rule in words."""
        a, b, c = self.columns
        return f"{a} + {b} = {c}"

    def sql(self, spell: Spell) -> str:
        """Return the equation, up to rounding."""
        a, b, c = map(identifier, self.columns)
        return f"abs({a} + {b} - {c}) <= {number(self.tolerance)}"


@dataclass(frozen=True)
class Product(Rule):
    """The first two columns multiply to the third; or the third divided by the second is the first, rounded."""

    kind: ClassVar[str] = "product"
    tolerance: float = 0.0
    ratio: bool = False

    def test(self, rows: Rows) -> Tested:
        """Return the rows in which they do not, by more than rounding."""
        (a, b, c), applies = over(rows, self.columns)
        with np.errstate(invalid="ignore", over="ignore"):
            allowed = self.tolerance * np.abs(b) if self.ratio else self.tolerance
            return Tested(applies, np.abs(a * b - c) > allowed + 1e-9 * np.abs(c))

    def words(self) -> str:
        """Return the rule in words."""
        a, b, c = self.columns
        return f"{c} / {b} = {a}" if self.ratio else f"{a} * {b} = {c}"

    def sql(self, spell: Spell) -> str:
        """Return the equation, up to rounding."""
        a, b, c = map(identifier, self.columns)
        allowed = f"{number(self.tolerance)} * abs({b})" if self.ratio else number(self.tolerance)
        return f"abs({a} * {b} - {c}) <= {allowed} + 1e-9 * abs({c})"


@dataclass(frozen=True)
class Elapsed(Rule):
    """The second date lies as long after the first as the third column says, in one unit of time."""

    kind: ClassVar[str] = "elapsed time"
    unit: str = "days"
    micro: float = 86_400e6

    def test(self, rows: Rows) -> Tested:
        """Return the rows in which it does not, by more than half a unit."""
        (start, end, length), applies = over(rows, self.columns)
        with np.errstate(invalid="ignore", over="ignore"):
            return Tested(applies, np.abs((end - start) / self.micro - length) > ELAPSED_SLACK)

    def words(self) -> str:
        """Return the rule in words."""
        start, end, length = self.columns
        return f"{start} + {length} {self.unit} = {end}"

    def sql(self, spell: Spell) -> str:
        """Return the equation, up to rounding."""
        start, end, length = map(identifier, self.columns)
        gap = f"epoch_us({end}::TIMESTAMP) - epoch_us({start}::TIMESTAMP)"
        return f"abs(({gap}) / {number(self.micro)} - {length}) <= {ELAPSED_SLACK}"


@dataclass(frozen=True)
class DatePart(Rule):
    """A column holds the year, month, day, hour or weekday of a date."""

    kind: ClassVar[str] = "part of a date"
    part: str = "year"
    shift: int = 0

    def test(self, rows: Rows) -> Tested:
        """Return the rows in which it does not."""
        date, column = self.columns
        parts = date_part(rows.numbers[date], self.part) + self.shift
        held = numbers_of(rows, column)
        applies = ~np.isnan(parts) & ~np.isnan(held)
        return Tested(applies, applies & (parts != held))

    def words(self) -> str:
        """Return the rule in words."""
        date, column = self.columns
        counted = (
            f", counted from {self.shift + (1 if self.part == 'weekday' else 0)}" if self.part == "weekday" else ""
        )
        return f"{column} is the {self.part} of {date}{counted}"

    def sql(self, spell: Spell) -> str:
        """Return the equation."""
        date, column = map(identifier, self.columns)
        part = "isodow" if self.part == "weekday" else self.part
        moved = f" + {self.shift}" if self.shift > 0 else f" - {-self.shift}" if self.shift else ""
        return f"date_part('{part}', {date}){moved} = {column}"
