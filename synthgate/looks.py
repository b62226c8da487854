"""One look at the real side, one table or several: what `init` writes gate files, metadata and contracts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthgate.bridges.sdv import Key, Metadata, TablesMetadata, read_tables_metadata
from synthgate.errors import DataError
from synthgate.links import Relationship, check_relationships
from synthgate.roles import Role

if TYPE_CHECKING:
    from synthgate.counts import ColumnCounts
    from synthgate.linking import Suggestion
    from synthgate.plan import Plan
    from synthgate.sides import Side
    from synthgate.tables import Table


@dataclass(frozen=True, kw_only=True)
class Look:
    """A real table, planned and counted.

    Attributes
    ----------
    table : Table
    plan : Plan
    side : Side
    keys : tuple of str or of tuple of str
        Those that metadata names, else ids that are unique in real.
    described : Metadata
    """

    table: Table
    plan: Plan
    side: Side
    keys: tuple[Key, ...]
    described: Metadata

    @property
    def plain_keys(self) -> tuple[str, ...]:
        """The keys of one column."""
        return tuple(key for key in self.keys if isinstance(key, str))


@dataclass(frozen=True, kw_only=True)
class Looks:
    """The real side.

    Attributes
    ----------
    source : str
    tables : dict of Look
        By table; ``""`` for the only one.
    relationships : tuple of Relationship
        Those that metadata names, else those that names and values speak for.
    is_inferred : bool
        Whether nobody named the relationships.
    suggested : tuple of Suggestion
        Further ones that values alone speak for; they are not used.
    """

    source: str
    tables: Mapping[str, Look]
    relationships: tuple[Relationship, ...] = ()
    is_inferred: bool = False
    suggested: tuple[Suggestion, ...] = ()

    @property
    def is_many(self) -> bool:
        """Whether it is a data set of several tables."""
        return "" not in self.tables


def look_at(real: object, metadata: str | Path | Mapping[str, Any] | None = None) -> Looks:
    """Read, plan and count the real side.

    Parameters
    ----------
    real : path, URL, dataframe or mapping
        A folder or a mapping from name to table is a data set of several tables.
    metadata : path or dict, optional
        SDV metadata, whose roles, keys and relationships go before inferred ones.

    Raises
    ------
    DataError
        When it cannot be read, is a profile, or metadata is about something else.
    """
    from synthgate.linking import suggest_relationships
    from synthgate.tables import open_table
    from synthgate.tables.folders import is_many, open_many

    read = read_tables_metadata(metadata) if metadata is not None else TablesMetadata({"": Metadata()})
    if not is_many(real):
        table = open_table(real, name="real")
        return Looks(source=table.source, tables={"": _look("", table, read.one(table.schema.names), {})})
    tables = open_many(real, name="real")
    relationships, is_inferred = _links(read, tables)
    described = described_tables(read, tables, [])
    looks = {name: _look(name, table, described[name], _ids(name, relationships)) for name, table in tables.items()}
    source = f"<{len(tables)} tables>" if isinstance(real, Mapping) else str(real)
    suggested = suggest_relationships(tables, relationships) if is_inferred else ()
    return Looks(source=source, tables=looks, relationships=relationships, is_inferred=is_inferred, suggested=suggested)


def _links(read: TablesMetadata, tables: Mapping[str, Table]) -> tuple[tuple[Relationship, ...], bool]:
    """Return the foreign keys, and whether they are inferred."""
    check_relationships(read.relationships, {name: table.schema.names for name, table in tables.items()}, read.where)
    if read.relationships or set(read.tables) != {""}:
        return read.relationships, False
    for table in tables.values():
        _refuse_profile(table)
    from synthgate.linking import infer_relationships

    return infer_relationships(tables), True


def _ids(name: str, relationships: tuple[Relationship, ...]) -> dict[str, Role]:
    """Return the columns of a table that foreign keys make ids."""
    ends = [(one.parent, one.key) for one in relationships] + [(one.child, one.foreign_key) for one in relationships]
    return {key: Role.ID for table, key in ends if table == name and isinstance(key, str)}


def _refuse_profile(table: Table) -> None:
    if table.profile is not None:
        problem = "is a profile, which holds counts and no rows; expected a table"
        raise DataError(table.source, problem, "give the real table itself")


def _look(name: str, table: Table, described: Metadata, ids: Mapping[str, Role]) -> Look:
    from synthgate.contradictions import refuse_contradictions, refuse_unknown
    from synthgate.survey import count_surveyed, plan_of, survey

    _refuse_profile(table)
    refuse_unknown(described, table)
    seen = survey(table, {**described.roles, **ids})
    plan = plan_of(seen, (), described.layouts)
    side = count_surveyed(plan, seen, 0)
    refuse_contradictions(described, plan, side, name)
    named: tuple[Key, ...] = (*described.keys, *described.composite_keys)
    return Look(
        table=table, plan=plan, side=side, described=described, keys=named or unique_ids(plan, side.counts.columns)
    )


def unique_ids(plan: Plan, counts: Mapping[str, ColumnCounts]) -> tuple[str, ...]:
    """Return the ids that have another value in every row."""
    ids = [c.name for c in plan.columns if c.role is Role.ID and c.name in counts]
    return tuple(n for n in ids if not counts[n].missing and len(counts[n].values.counts) == counts[n].rows)


def described_tables(read: TablesMetadata, real: Mapping[str, Table], notes: list[str]) -> dict[str, Metadata]:
    """Return the metadata of every real table; a file for one table goes to the table that it fits.

    Parameters
    ----------
    read : TablesMetadata
    real : dict of Table
    notes : list of str
        To which is added what metadata leaves unsaid.

    Raises
    ------
    DataError
        When it describes a table that is not there.
    """
    from synthgate.errors import nearest

    found = {name: Metadata() for name in real}
    known = dict(read.tables)
    if set(known) == {""}:
        only = known.pop("")
        fitting = [n for n, table in real.items() if only.columns and set(only.columns) <= set(table.schema.names)]
        if only.columns and len(fitting) != 1:
            problem = f"describes one table, and {len(fitting)} of the {len(real)} tables have its columns"
            raise DataError(read.where, problem, "give metadata of all tables (MULTI_TABLE_V1)")
        known = {fitting[0]: only} if fitting else {}
    for name, table in known.items():
        if name not in real:
            raise DataError(read.where, f"describes the table {name!r}, which real does not have", nearest(name, real))
        found[name] = table
    if known:
        notes += [
            f"metadata says nothing of the table {name!r}: its roles are inferred" for name in real if name not in known
        ]
    return found
