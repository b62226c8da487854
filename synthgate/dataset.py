"""What is judged: one table, or several that belong together, with the evidence of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from synthgate.bridges.sdv import TablesMetadata
from synthgate.clock import Clock
from synthgate.dealing import by_table, settled
from synthgate.errors import DataError, UsageError
from synthgate.gatefile import Gate
from synthgate.gathering import Ties, gather, in_the_same_order
from synthgate.links import Link, Relationship, check_relationships, parents_first
from synthgate.looks import described_tables
from synthgate.roles import Role

if TYPE_CHECKING:
    from synthgate.evidence import Evidence
    from synthgate.tables import Table

SIDES = ("real", "synthetic", "holdout")
MOST_ORPHANS = 0.5
"""Share of real rows without their parent from which on a declared foreign key contradicts the data."""
SEEN_BEFORE = 0.05
TORN = 0.1
"""Share of real rows without their parent from which on the split, not the data, may be at fault."""


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """The tables of a run.

    Attributes
    ----------
    evidence : dict of Evidence
        By table; the only table of a run for one has the name ``""``.
    sources : dict of str
        What each side was read from.
    tables : dict of dict of Table
        By side, then by table.
    missing, added : tuple of str
        Tables that only real has, and that only synthetic has.
    notes : tuple of str
    """

    evidence: Mapping[str, Evidence]
    sources: Mapping[str, str]
    tables: Mapping[str, Mapping[str, Table]]
    missing: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_many(self) -> bool:
        """Whether the run is about several tables (a folder or a mapping, even of one)."""
        return "" not in self.evidence

    @property
    def targets(self) -> tuple[str, ...]:
        """The columns to predict, with their table where there are several."""
        return tuple(_dotted(table, name) for table, evidence in self.evidence.items() for name in evidence.targets)

    @property
    def roles(self) -> dict[str, str]:
        """How every column is read."""
        return {
            _dotted(table, column.name): str(column.role)
            for table, evidence in self.evidence.items()
            for column in evidence.plan.columns
        }


def _dotted(table: str, column: str) -> str:
    return f"{table}.{column}" if table else column


def open_sides(policy: Gate, given: Mapping[str, object]) -> tuple[dict[str, dict[str, Table]], dict[str, str]]:
    """Open the tables of every side; text files of the judged sides are read as text, so that no value is lost.

    Parameters
    ----------
    policy : Gate
    given : dict
        Per side a source, or None.

    Returns
    -------
    tables : dict of dict of Table
        By side, then by table; ``""`` for the only table.
    sources : dict of str

    Raises
    ------
    SynthgateError
        When a side is missing or not readable, or one side holds several tables and another one.
    """
    from synthgate.tables import DEFAULT_MISSING, open_table
    from synthgate.tables.folders import is_many, open_many

    for name in ("real", "synthetic"):
        if given[name] is None:
            raise UsageError(
                name, f"no {name} table is given", f"give it as an argument, or as `{name}:` in the gate file"
            )
    missing = DEFAULT_MISSING if policy.missing_values is None else policy.missing_values
    here = {side: source for side, source in given.items() if source is not None}
    many = {side: is_many(source) for side, source in here.items()}
    if len(set(many.values())) > 1:
        told = ", ".join(
            f"{side} holds {'several tables' if several else 'one table'}" for side, several in many.items()
        )
        raise UsageError("tables", told, "give all sides as folders (or mappings), or all as one table")
    tables: dict[str, dict[str, Table]] = {}
    sources: dict[str, str] = {}
    for side, source in here.items():
        as_text = side != "real"
        if many[side]:
            tables[side] = open_many(source, name=side, as_text=as_text, missing_values=missing)
            sources[side] = f"<{len(tables[side])} tables>" if isinstance(source, Mapping) else str(source)
        else:
            tables[side] = {"": open_table(source, name=side, as_text=as_text, missing_values=missing)}
            sources[side] = tables[side][""].source
    return tables, sources


def gather_one(
    policy: Gate,
    tables: Mapping[str, Mapping[str, Table]],
    sources: Mapping[str, str],
    described: TablesMetadata,
    clock: Clock,
) -> DataSet:
    """Gather the evidence of a run for one table."""
    sides = {side: there[""] for side, there in tables.items()}
    metadata = described.one(sides["real"].schema.names)
    evidence = gather(policy, sides, metadata, clock)
    notes = (
        *metadata.notes,
        *_of_the_holdout({"": evidence}),
        *_of_notations({"": evidence}),
        *_of_sameness(evidence, sides),
    )
    return DataSet(evidence={"": evidence}, sources=sources, tables=tables, notes=notes)


def gather_many(
    policy: Gate,
    tables: Mapping[str, Mapping[str, Table]],
    sources: Mapping[str, str],
    described: TablesMetadata,
    clock: Clock,
) -> DataSet:
    """Gather the evidence of every table that real and synthetic have, parents before children.

    Raises
    ------
    SynthgateError
        When metadata or gate file name tables that are not there, or contradict what real holds.
    """
    real, synthetic, holdout = tables["real"], tables["synthetic"], tables.get("holdout", {})
    shared = [name for name in real if name in synthetic]
    if not shared:
        problem = f"shares no table with {sources['real']}: it has {_some(synthetic)}, expected {_some(real)}"
        raise DataError(sources["synthetic"], problem, "give the same tables under the same names")
    notes: list[str] = []
    metadata = described_tables(described, real, notes)
    relationships = clock.run("link", lambda: _relationships(policy, described, real, notes))
    lost = [r for r in relationships if r.parent not in shared or r.child not in shared]
    notes += [f"the foreign key {r} is not compared: one of its tables is missing in synthetic" for r in lost]
    kept = [r for r in relationships if r not in lost]
    views = by_table(policy, {name: real[name].schema.names for name in real})
    evidence: dict[str, Evidence] = {}
    where = policy.place("relationships") if policy.relationships else described.where
    for name in parents_first(shared, kept, where):
        sides = {side: there[name] for side, there in tables.items() if name in there}
        ties = _ties(name, kept, evidence, declared=name in policy.reference)
        evidence[name] = gather(views[name], sides, metadata[name], clock, ties)
        for own in (r for r in kept if r.child == name == r.parent):
            bare = evidence[name]
            evidence[name] = replace(bare, links=(*bare.links, Link(own, replace(bare, links=()))))
    evidence = {name: evidence[name] for name in shared}
    for link in (link for one in evidence.values() for link in one.links):
        _refuse_wrong_link(link, evidence[link.relationship.child], notes)
    notes += [note for table in metadata.values() for note in table.notes]
    if holdout:
        notes += [
            f"the holdout lacks the table {name!r}: its privacy cannot be assessed"
            for name in shared
            if name not in holdout
        ]
    reference = [name for name, one in evidence.items() if one.is_reference]
    if reference:
        notes.append(
            f"reference tables, the same rows in real and holdout: {', '.join(reference)}; copying them gives nothing "
            "away, so that privacy and utility are not assessed there"
        )
    notes += [*_of_the_holdout(evidence), *_of_notations(evidence)]
    return DataSet(
        evidence=evidence,
        sources=sources,
        tables=tables,
        missing=tuple(name for name in real if name not in synthetic),
        added=tuple(name for name in synthetic if name not in real),
        notes=tuple(notes),
    )


def _some(names: Iterable[str]) -> str:
    known = list(names)
    return ", ".join(map(repr, known[:5])) + (f" and {len(known) - 5} more" if len(known) > 5 else "")


def _relationships(
    policy: Gate, described: TablesMetadata, real: Mapping[str, Table], notes: list[str]
) -> tuple[Relationship, ...]:
    """Return the declared foreign keys, of gate file and metadata, else those that real itself speaks for."""
    columns = {name: table.schema.names for name, table in real.items()}
    own = tuple(settled(one, columns) for one in policy.relationships)
    declared = tuple(dict.fromkeys((*own, *described.relationships)))
    check_relationships(own, columns, policy.place("relationships"))
    check_relationships(described.relationships, columns, described.where)
    if declared or set(described.tables) != {""}:
        return declared
    from synthgate.linking import infer_relationships

    found = infer_relationships(real)
    told = "; ".join(map(str, found))
    notes.append(
        f"foreign keys inferred from names and values of the real tables: {told}"
        if found
        else "no foreign key is declared, and none could be inferred: tables are compared one by one"
    )
    return found


def _ties(name: str, relationships: Iterable[Relationship], made: Mapping[str, Evidence], *, declared: bool) -> Ties:
    """Return the links of a table to its parents, and the roles of its key columns.

    A foreign key into a reference table is a category: its values mean the same on every side.
    """
    labels: dict[str, Role] = {}
    links, joints, named = [], [], []
    for one in relationships:
        if one.parent == name:
            named.append(one.key_columns)
            labels.update({} if isinstance(one.key, tuple) else {one.key: Role.ID})
            joints += [one.key_columns] if one.is_composite else []
    for one in relationships:
        if one.child != name:
            continue
        if isinstance(one.foreign_key, str):
            fixed = one.parent != name and made[one.parent].is_reference
            labels[one.foreign_key] = Role.CATEGORICAL if fixed and one.foreign_key not in labels else Role.ID
        else:
            joints.append(one.foreign_columns)
            labels.update(_parts_of_ids(one, made) if one.parent != name else {})
        if one.parent != name:
            links.append(Link(one, made[one.parent]))
    ties = Ties(name=name, links=tuple(links), labels=labels, is_reference=True if declared else None)
    return replace(ties, joints=tuple(dict.fromkeys(joints)), named=tuple(dict.fromkeys(named)))


def _parts_of_ids(one: Relationship, made: Mapping[str, Evidence]) -> dict[str, Role]:
    """Return the columns of a composite foreign key that are ids in the parent, and so are here."""
    plan = made[one.parent].plan
    pairs = zip(one.key_columns, one.foreign_columns, strict=True)
    return {foreign: Role.ID for key, foreign in pairs if plan[key].role is Role.ID}


def _refuse_wrong_link(link: Link, child: Evidence, notes: list[str]) -> None:
    """Raise for a foreign key that real contradicts: a parent key that repeats, or children that have no parents.

    Raises
    ------
    DataError
    """
    one = link.relationship
    key, foreign = (e.real.counts.columns.get(n) for e, n in ((link.parent, link.key), (child, link.foreign_key)))
    if key is None or foreign is None:
        notes.append(f"the foreign key {one} takes columns that are not counted together, and is not compared")
        return
    if key.values.overflowed or foreign.values.overflowed:
        notes.append(f"the foreign key {one} has too many different values to count, and is not compared")
        return
    repeated = int((key.values.counts - 1).sum())
    if repeated:
        problem = f"{repeated:,} values of {one.parent_words} repeat in real, so that it is no key to point to"
        raise DataError(str(one), problem, "correct the relationship")
    there = set(key.labels.labels.to_pylist())
    orphans = sum(n for label, n in foreign.labels.as_dict().items() if label not in there)
    pairs = zip(one.key_columns, one.foreign_columns, strict=True)
    kinds = [(link.parent.plan[a].kind, child.plan[b].kind) for a, b in pairs]
    unlike = next(((a, b) for a, b in kinds if a != b and {a, b} != {"integer", "float"}), None)
    if orphans > MOST_ORPHANS * foreign.present:
        problem = f"{orphans:,} of {foreign.present:,} real rows name a parent that is not there"
        if unlike is not None:
            problem += f"; {one.parent} stores its key as {unlike[0]}, {one.child} as {unlike[1]}"
        fix = "correct the relationship, or store both keys as the same type; split tables by parent, not row by row"
        raise DataError(str(one), problem, fix)
    if orphans:
        told = f"{orphans:,} of {foreign.present:,} real rows break the foreign key {one}: as many are accepted"
        torn = "; if the tables were split row by row, split them by parent, so that children stay with theirs"
        notes.append(told + (torn if orphans > TORN * foreign.present else ""))
    if unlike is not None:
        notes.append(f"the foreign key {one} joins {unlike[1]} to {unlike[0]}; values are compared as text")


def _of_the_holdout(evidence: Mapping[str, Evidence]) -> list[str]:
    """Say where holdout rows belong to parents or sequences that real holds too: then they are not new."""
    from synthgate.clusters import is_fixed

    notes = []
    for table, one in evidence.items():
        if one.holdout is None or one.is_reference:
            continue
        tied = [(link.foreign_key, f"parents ({link.relationship.parent})") for link in one.links if not is_fixed(link)]
        if one.sequence is not None and one.sequence.key is not None:
            tied.append((one.sequence.key, "sequences"))
        for column, noun in tied:
            real, held = (side.counts.columns.get(column) for side in (one.real, one.holdout))
            if real is None or held is None or real.values.overflowed or held.values.overflowed:
                continue
            there = set(real.labels.labels.to_pylist())
            names = held.labels.labels.to_pylist()
            again = sum(name in there for name in names)
            if names and again > SEEN_BEFORE * len(names):
                notes.append(
                    f"{again:,} of {len(names):,} {noun} of the holdout{f' of {table!r}' if table else ''} are named "
                    "in real too: unless they were numbered anew, its rows are not new, and privacy looks better than "
                    "it is; split by parent, not by row"
                )
    return notes


def _of_notations(evidence: Mapping[str, Evidence]) -> list[str]:
    """Say which texts were read as numbers, by their notation."""
    found: dict[str, list[str]] = {}
    for table, one in evidence.items():
        for column in one.plan.columns:
            if column.role is Role.NUMERICAL and column.layout:
                found.setdefault(column.layout, []).append(_dotted(table, column.name))
    told = "read as numbers, for all real values are texts like"
    return [f"{told} {like}: {_some(names)}" for like, names in found.items()]


def _of_sameness(evidence: Evidence, tables: Mapping[str, Table]) -> list[str]:
    """Say that a side is another one under another name, which explains whatever else is found."""
    notes = []
    if "holdout" in tables and evidence.holdout is None:
        notes.append(
            "the holdout holds the same rows as real, in the same order, and was left out: give real rows that the "
            "generator never saw"
        )
    sides = {"real": evidence.real, "the holdout": evidence.holdout}
    return notes + [
        f"synthetic holds the same rows as {name}, in the same order: is the right file given?"
        for name, side in sides.items()
        if side is not None and in_the_same_order(side, evidence.synthetic)
    ]
