"""Roles: what a column is to the checks."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What a column is."""

    NUMERICAL = "numerical"
    CATEGORICAL = "categorical"
    BOOLEAN = "boolean"
    DATETIME = "datetime"
    ID = "id"
    TEXT = "text"
    VECTOR = "vector"

    @property
    def is_continuous(self) -> bool:
        """Whether values have an order and a distance (numerical, datetime)."""
        return self in (Role.NUMERICAL, Role.DATETIME)

    @property
    def is_discrete(self) -> bool:
        """Whether values are compared for equality only (categorical, boolean)."""
        return self in (Role.CATEGORICAL, Role.BOOLEAN)
