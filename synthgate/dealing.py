"""What a gate file says of each table of a data set: names of columns and rules, dealt to their tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from synthgate.contracts import ContractSource
from synthgate.errors import GateFileError, UsageError, nearest
from synthgate.gatefile import Constraint, Gate
from synthgate.links import Relationship

T = TypeVar("T")
R = TypeVar("R", Constraint, ContractSource)


def by_table(policy: Gate, columns: Mapping[str, list[str]]) -> dict[str, Gate]:
    """Return what the policy says of each table; a column that several tables have is named ``table.column``.

    Parameters
    ----------
    policy : Gate
    columns : dict of list of str
        The columns of every real table.

    Raises
    ------
    SynthgateError
        For a table or a column that is not there, or a name that several tables have.
    """
    roles = _split(policy, [(f"roles.{name}", name, role) for name, role in policy.roles.items()], columns)
    targets = _split(policy, [("target", name, None) for name in policy.targets], columns)
    keys = _split(policy, [("key", name, None) for name in policy.keys], columns)
    times = _split(policy, [("time", policy.time, None)] if policy.time else [], columns)
    composite = _composite_keys(policy, columns)
    for table in (*policy.reference, *(name for name in policy.sequences if name)):
        _refuse_table(policy, "reference" if table in policy.reference else "sequence", table, columns)
    sequences = {name: one for name, one in policy.sequences.items() if name}
    if "" in policy.sequences:
        found = _split(policy, [("sequence", policy.sequences[""].key or "", None)], columns)
        sequences.update({table: policy.sequences[""] for table, named in found.items() if named})
    constraints = _dealt(policy.constraints, "constraint", columns)
    schemas = _dealt(policy.schemas, "schema", columns)
    return {
        name: replace(
            policy,
            roles=dict(roles[name]),
            targets=tuple(column for column, _ in targets[name]),
            keys=tuple(column for column, _ in keys[name]),
            composite_keys=tuple(composite[name]),
            time=times[name][0][0] if times[name] else "",
            constraints=tuple(constraints[name]),
            schemas=tuple(schemas[name]),
            sequences={"": sequences[name]} if name in sequences else {},
            waivers=(),
        )
        for name in columns
    }


def _refuse_table(policy: Gate, key: str, table: str, columns: Mapping[str, list[str]]) -> None:
    if table not in columns:
        kind = GateFileError if policy.path else UsageError
        raise kind(policy.place(key), f"there is no table {table!r}", nearest(table, columns))


def _dealt(rules: Iterable[R], noun: str, columns: Mapping[str, list[str]]) -> dict[str, list[R]]:
    """Deal constraints or schemas to the tables that they name."""
    out: dict[str, list[R]] = {name: [] for name in columns}
    for rule in rules:
        if rule.table is None and len(columns) > 1:
            problem = f"the {noun} {rule.name!r} does not say which table it is about"
            raise GateFileError(rule.place, problem, f"add `table`, one of {', '.join(columns)}")
        table = rule.table if rule.table is not None else next(iter(columns))
        if table not in columns:
            raise GateFileError(rule.place, f"there is no table {table!r}", nearest(table, columns))
        out[table].append(rule)
    return out


def _composite_keys(policy: Gate, columns: Mapping[str, list[str]]) -> dict[str, list[tuple[str, ...]]]:
    """Deal keys of several columns to the one table that has them all.

    Raises
    ------
    SynthgateError
        When no table has them all, or several have and none is named.
    """
    out: dict[str, list[tuple[str, ...]]] = {name: [] for name in columns}
    kind = GateFileError if policy.path else UsageError
    for key in policy.composite_keys:
        found = {table: names for table, there in columns.items() if (names := _within(key, table, there))}
        told = f"the key ({', '.join(key)})"
        if not found:
            known = [f"{table}.{column}" for table, there in columns.items() for column in there]
            lost = next((n for n in key if n not in known and not any(n in there for there in columns.values())), None)
            fix = nearest(lost, known) if lost else "name columns of one table"
            raise kind(policy.place("key"), f"{told} is in no real table", fix)
        if len(found) > 1:
            fix = f"write table.column, such as {next(iter(found))}.{key[0]}"
            raise kind(policy.place("key"), f"{told} is in several tables: {', '.join(found)}", fix)
        ((table, names),) = found.items()
        out[table].append(names)
    return out


def _within(key: tuple[str, ...], table: str, columns: list[str]) -> tuple[str, ...]:
    """Return a key as columns of a table, or nothing when one of them is not there."""
    names = []
    for name in key:
        dotted = name.removeprefix(f"{table}.")
        names += [dotted] if dotted != name and dotted in columns else [name] if name in columns else []
    return tuple(names) if len(names) == len(key) else ()


def _split(
    policy: Gate, entries: list[tuple[str, str, T]], columns: Mapping[str, list[str]]
) -> dict[str, list[tuple[str, T]]]:
    """Deal named columns to their tables.

    Raises
    ------
    SynthgateError
        For a column that no table has, or that several have.
    """
    out: dict[str, list[tuple[str, T]]] = {name: [] for name in columns}
    kind = GateFileError if policy.path else UsageError
    for key, name, value in entries:
        places = [(t, name[len(t) + 1 :]) for t in columns if name.startswith(f"{t}.")]
        places = [(table, column) for table, column in places if column in columns[table]]
        places = places or [(table, name) for table, there in columns.items() if name in there]
        if not places:
            known = [f"{table}.{column}" for table, there in columns.items() for column in there]
            raise kind(policy.place(key), f"column {name!r} is in no real table", nearest(name, known))
        if len(places) > 1:
            told = ", ".join(f"{table}.{column}" for table, column in places)
            raise kind(policy.place(key), f"column {name!r} is in several tables", f"write one of {told}")
        out[places[0][0]].append((places[0][1], value))
    return out


def settled(one: Relationship, columns: Mapping[str, list[str]]) -> Relationship:
    """Return a foreign key of a gate file with names of tables that hold a dot cut in the right place."""
    parent, key = _cut(one.parent, one.key_columns, columns)
    child, foreign = _cut(one.child, one.foreign_columns, columns)
    return Relationship(parent, child, *(names if len(names) > 1 else names[0] for names in (key, foreign)))


def _cut(table: str, names: tuple[str, ...], columns: Mapping[str, list[str]]) -> tuple[str, tuple[str, ...]]:
    whole = [f"{table}.{name}" for name in names]
    for other, there in columns.items():
        cut = tuple(text.removeprefix(f"{other}.") for text in whole)
        if table not in columns and all(name in there and name != text for name, text in zip(cut, whole, strict=True)):
            return other, cut
    return table, names
