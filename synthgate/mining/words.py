"""Words and SQL: how names, numbers, dates and values are written. Names and values are hostile."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from synthgate.plan import Plan
from synthgate.roles import Role
from synthgate.tables.duck import identifier, literal

Spell = Callable[[str, str], str]
"""Writes a label of a column as an SQL literal."""


def number(value: float) -> str:
    """Write a number so that it is read back as the same."""
    if abs(value) < 1e15 and value == int(value):
        return str(int(value))
    return repr(float(value))


def date_literal(micro: float, *, plain: bool = False) -> str:
    """Write microseconds since 1970 as a date, or with its time where that is not midnight."""
    moment = np.datetime64(round(micro), "us")
    day = moment.astype("datetime64[D]")
    text = str(day) if day == moment else str(moment).replace("T", " ")
    return text if plain else f"TIMESTAMP '{text}'"


def listed(items: Sequence[str], word: str) -> str:
    """Join items: ``a, b and c``."""
    return f"{', '.join(items[:-1])} {word} {items[-1]}" if len(items) > 1 else "".join(items)


def spelling(plan: Plan) -> Spell:
    """Return how labels are written in SQL: by what the real column stores."""

    def spell(name: str, label: str) -> str:
        column = plan[name]
        if column.role is Role.BOOLEAN:
            return label
        if column.role.is_discrete and column.kind in ("integer", "float"):
            return label
        return literal(label)

    return spell


__all__ = ["Spell", "date_literal", "identifier", "listed", "literal", "number", "spelling"]
