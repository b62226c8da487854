"""What ties rows together: foreign keys between tables, and the steps of a sequence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

from synthgate.errors import DataError

if TYPE_CHECKING:
    from synthgate.evidence import Evidence


@dataclass(frozen=True, slots=True)
class Relationship:
    """A foreign key: every child row names the parent row that it belongs to.

    Attributes
    ----------
    parent, child : str
        Names of tables.
    key : str or tuple of str
        The column of the parent that is unique, or the columns that are so together.
    foreign_key : str or tuple of str
        The columns of the child that hold values of `key`, in the same order. A row that lacks any of them names
        no parent (as ``MATCH SIMPLE`` of SQL has it).
    """

    parent: str
    child: str
    key: str | tuple[str, ...]
    foreign_key: str | tuple[str, ...]

    @property
    def key_columns(self) -> tuple[str, ...]:
        """The columns of the parent."""
        return (self.key,) if isinstance(self.key, str) else self.key

    @property
    def foreign_columns(self) -> tuple[str, ...]:
        """The columns of the child."""
        return (self.foreign_key,) if isinstance(self.foreign_key, str) else self.foreign_key

    @property
    def is_composite(self) -> bool:
        """Whether it takes several columns."""
        return len(self.key_columns) > 1

    @property
    def parent_words(self) -> str:
        """The parent's side in words."""
        return _dotted(self.parent, self.key_columns)

    def __str__(self) -> str:
        return f"{_dotted(self.child, self.foreign_columns)} -> {self.parent_words}"


def _dotted(table: str, columns: tuple[str, ...]) -> str:
    return f"{table}.{columns[0]}" if len(columns) == 1 else f"{table}.({', '.join(columns)})"


def joint_name(columns: tuple[str, ...]) -> str:
    """Return the name under which a side holds the joint values of columns: the column's own, for one."""
    return columns[0] if len(columns) == 1 else "".join(f"\x1f{name}" for name in columns)


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
    def columns(self) -> tuple[str, ...]:
        """The child's columns."""
        return self.relationship.foreign_columns

    @property
    def foreign_key(self) -> str:
        """The name under which the child's sides hold the foreign key."""
        return joint_name(self.relationship.foreign_columns)

    @property
    def key(self) -> str:
        """The name under which the parent's sides hold the key."""
        return joint_name(self.relationship.key_columns)


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
        ends = ((one.parent, one.key_columns, "parent key"), (one.child, one.foreign_columns, "foreign key"))
        for table, names, role in ends:
            if table not in columns:
                problem = f"the foreign key {one} names the table {table!r}, which is not there"
                raise DataError(where, problem, nearest(table, columns))
            for column in names:
                if column not in columns[table]:
                    problem = f"the {role} {column!r} of {one} is no column of the table {table!r}"
                    raise DataError(where, problem, nearest(column, columns[table]))
