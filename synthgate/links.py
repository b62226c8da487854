"""What ties rows together: foreign keys between tables, and the steps of a sequence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from synthgate.errors import DataError

if TYPE_CHECKING:
    from synthgate.evidence import Evidence


@dataclass(frozen=True, slots=True, order=True)
class Relationship:
    """A foreign key: every child row names the parent row that it belongs to.

    Attributes
    ----------
    parent, child : str
        Names of tables.
    key : str
        The unique column of the parent.
    foreign_key : str
        The column of the child that holds values of `key`.
    """

    parent: str
    child: str
    key: str
    foreign_key: str

    def __str__(self) -> str:
        return f"{self.child}.{self.foreign_key} -> {self.parent}.{self.key}"


@dataclass(frozen=True, slots=True)
class SequenceKey:
    """How rows form sequences.

    Attributes
    ----------
    key : str or None
        Column that says which sequence a row belongs to; None when all rows are one sequence.
    index : str or None
        Column that orders the steps of a sequence; None for the order of the rows.
    """

    key: str | None
    index: str | None = None


@dataclass(frozen=True, eq=False)
class Link:
    """A relationship with the evidence of its parent table, as the child sees it."""

    relationship: Relationship
    parent: Evidence

    @property
    def foreign_key(self) -> str:
        """The child's column."""
        return self.relationship.foreign_key

    @property
    def key(self) -> str:
        """The parent's column."""
        return self.relationship.key


def parents_first(names: Iterable[str], relationships: Iterable[Relationship], where: str) -> tuple[str, ...]:
    """Return the tables so that every parent stands before its children; a table may point to itself.

    Raises
    ------
    DataError
        When foreign keys of several tables form a circle.
    """
    needs: dict[str, set[str]] = {name: set() for name in names}
    for relationship in relationships:
        if relationship.parent != relationship.child:
            needs[relationship.child].add(relationship.parent)
    try:
        return tuple(TopologicalSorter({name: sorted(needs[name]) for name in needs}).static_order())
    except CycleError as error:
        circle = " -> ".join(repr(name) for name in error.args[1])
        raise DataError(
            where,
            f"the foreign keys form a circle: {circle}; expected tables that can be filled one after the other",
            "leave out one relationship of the circle",
        ) from error


def check_relationships(
    relationships: Iterable[Relationship], columns: Mapping[str, Iterable[str]], where: str
) -> None:
    """Refuse relationships that name a table or a column that is not there.

    Raises
    ------
    DataError
    """
    from synthgate.errors import nearest

    for one in relationships:
        for table, column, role in ((one.parent, one.key, "parent key"), (one.child, one.foreign_key, "foreign key")):
            if table not in columns:
                problem = f"the foreign key {one} names the table {table!r}, which is not there"
                raise DataError(where, problem, nearest(table, columns))
            if column not in columns[table]:
                problem = f"the {role} {column!r} of {one} is no column of the table {table!r}"
                raise DataError(where, problem, nearest(column, columns[table]))
