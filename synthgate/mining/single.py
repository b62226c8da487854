"""Rules on one column: bounds, steps, units of time, days of the week, patterns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from synthgate.mining.rows import Rows
from synthgate.mining.rules import Rule, Tested, date_part, over
from synthgate.mining.words import Spell, date_literal, identifier, listed, literal, number


@dataclass(frozen=True)
class Bound(Rule):
    """A column never leaves a bound at which many of its values lie."""

    kind: ClassVar[str] = "bound"
    edge: float = 0.0
    upper: bool = False
    is_date: bool = False

    def test(self, rows: Rows) -> Tested:
        """Return the rows beyond the bound."""
        (values,), applies = over(rows, self.columns)
        with np.errstate(invalid="ignore"):
            return Tested(applies, values > self.edge if self.upper else values < self.edge)

    def words(self) -> str:
        """Return the rule in words."""
        if not self.upper and self.edge == 0 and not self.is_date:
            return f"{self.columns[0]} is never negative"
        edge = date_literal(self.edge, plain=True) if self.is_date else number(self.edge)
        return f"{self.columns[0]} is never {'above' if self.upper else 'below'} {edge}"

    def sql(self, spell: Spell) -> str:
        """Return the comparison."""
        edge = date_literal(self.edge) if self.is_date else number(self.edge)
        return f"{identifier(self.columns[0])} {'<=' if self.upper else '>='} {edge}"


@dataclass(frozen=True)
class Step(Rule):
    """The values of a column are multiples of a step."""

    kind: ClassVar[str] = "step"
    step: float = 1.0
    places: int = 0

    def test(self, rows: Rows) -> Tested:
        """Return the rows whose value lies between two multiples."""
        (values,), applies = over(rows, self.columns)
        applies &= np.isfinite(values)
        with np.errstate(invalid="ignore", over="ignore"):
            if self.places:
                off = np.abs(np.round(values, self.places) - values) > 1e-9 * np.maximum(1, np.abs(values))
            else:
                off = np.abs(values / self.step - np.round(values / self.step)) > 1e-9 * np.maximum(1, np.abs(values))
        return Tested(applies, applies & off)

    def words(self) -> str:
        """Return the rule in words."""
        if self.places:
            return f"{self.columns[0]} has at most {self.places} decimal{'s' if self.places > 1 else ''}"
        kind = "a whole number" if self.step == 1 else f"a multiple of {number(self.step)}"
        return f"{self.columns[0]} is {kind}"

    def sql(self, spell: Spell) -> str:
        """Return the equation, up to the precision of floating point."""
        name = identifier(self.columns[0])
        if self.places:
            return f"abs(round({name}, {self.places}) - {name}) <= 1e-9 * greatest(1, abs({name}))"
        steps = f"{name} / {number(self.step)}"
        return f"abs({steps} - round({steps})) <= 1e-9 * greatest(1, abs({name}))"


UNITS = {"day": 86_400e6, "hour": 3_600e6, "minute": 60e6, "second": 1e6}
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class Clock(Rule):
    """Time stamps stand on full days, hours, minutes or seconds, or at the start of a month."""

    kind: ClassVar[str] = "unit of time"
    unit: str = "day"

    def test(self, rows: Rows) -> Tested:
        """Return the rows whose time stamp does not."""
        (values,), applies = over(rows, self.columns)
        applies &= np.isfinite(values)
        if self.unit == "month":
            return Tested(applies, applies & ((date_part(values, "day") != 1) | (values % UNITS["day"] != 0)))
        with np.errstate(invalid="ignore"):
            return Tested(applies, applies & (values % UNITS[self.unit] != 0))

    def words(self) -> str:
        """Return the rule in words."""
        name = self.columns[0]
        if self.unit == "month":
            return f"{name} is always the first day of a month"
        return f"{name} is always midnight" if self.unit == "day" else f"{name} is always a full {self.unit}"

    def sql(self, spell: Spell) -> str:
        """Return the comparison with the truncated time stamp."""
        name = identifier(self.columns[0])
        return f"date_trunc('{self.unit}', {name}::TIMESTAMP) = {name}::TIMESTAMP"


@dataclass(frozen=True)
class Weekdays(Rule):
    """Dates fall on some days of the week only."""

    kind: ClassVar[str] = "weekday"
    days: tuple[int, ...] = (1, 2, 3, 4, 5)

    def test(self, rows: Rows) -> Tested:
        """Return the rows on another day."""
        (values,), applies = over(rows, self.columns)
        applies &= np.isfinite(values)
        return Tested(applies, applies & ~np.isin(date_part(values, "weekday"), self.days))

    def words(self) -> str:
        """Return the rule in words."""
        name = self.columns[0]
        if self.days == (1, 2, 3, 4, 5):
            return f"{name} is always Monday to Friday"
        return f"{name} is always a {listed([DAYS[day - 1] for day in self.days], 'or')}"

    def sql(self, spell: Spell) -> str:
        """Return the test of the day."""
        return f"isodow({identifier(self.columns[0])}) IN ({', '.join(map(str, self.days))})"


@dataclass(frozen=True)
class Pattern(Rule):
    """The text of a column always matches a pattern."""

    kind: ClassVar[str] = "pattern"
    regex: str = ""

    def test(self, rows: Rows) -> Tested:
        """Return the rows whose text does not match."""
        import pyarrow as pa
        import pyarrow.compute as pc

        name = self.columns[0]
        codes = rows.codes[name]
        labels = pa.array(rows.labels[name], pa.string())
        fits = pc.match_substring_regex(labels, f"^(?:{self.regex})$").to_numpy(zero_copy_only=False)
        wrong = np.append(~fits.astype(bool), False)
        return Tested(codes >= 0, wrong[codes])

    def words(self) -> str:
        """Return the rule in words."""
        return f"{self.columns[0]} matches {self.regex}"

    def sql(self, spell: Spell) -> str:
        """Return the match."""
        return f"regexp_full_match({identifier(self.columns[0])}, {literal(self.regex)})"
