"""The gate file: which data, which checks, which limits, which waivers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from synthgate.bridges.entries import read_entries
from synthgate.contracts import ContractSource
from synthgate.declared import FAMILIES, NAMED_PREFIX, DeclaredCheck, apply, declared_checks, names_code, read_preset
from synthgate.errors import GateFileError, UsageError, nearest
from synthgate.findings import Severity
from synthgate.links import Relationship, SequenceKey
from synthgate.roles import Role
from synthgate.yamlfile import Node, read_yaml, read_yaml_file, shown

KEYS = (
    "version", "real", "synthetic", "holdout", "metadata", "target", "preset", "seed", "roles", "key", "time",
    "missing_values", "relationships", "reference", "sequence", "constraints", "schemas", "checks", "waivers",
    "allow_code",
)  # fmt: skip
VERSION = 1
MAX_SEED = 2**32 - 1
"""Greatest seed that every library underneath takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """A rule that every row has to keep: a boolean SQL expression.

    Attributes
    ----------
    tolerance : float
        Share of rows that may break it, in [0, 1].
    where : str or None
        A condition: only rows that meet it are held to the rule.
    place : str
        ``file:line``, for messages.
    table : str or None
        The table that it is about, in a data set of several.
    """

    sql: str
    name: str
    tolerance: float = 0.0
    severity: Severity | None = None
    where: str | None = None
    place: str = "constraints"
    table: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """A failure that is accepted for a time, with the reason."""

    check: str
    until: date
    reason: str
    columns: tuple[str, ...] = ()
    owner: str | None = None
    place: str = "waivers"


@dataclass(frozen=True, kw_only=True)
class Gate:
    """A whole policy: data, checks with their limits, constraints and waivers."""

    path: Path | None = None
    preset: str = "default"
    real: str | None = None
    synthetic: str | None = None
    holdout: str | None = None
    metadata: str | None = None
    targets: tuple[str, ...] = ()
    seed: int = 0
    roles: Mapping[str, Role] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    composite_keys: tuple[tuple[str, ...], ...] = ()
    time: str = ""
    missing_values: tuple[str, ...] | None = None
    relationships: tuple[Relationship, ...] = ()
    reference: tuple[str, ...] = ()
    sequences: Mapping[str, SequenceKey] = field(default_factory=dict)
    constraints: tuple[Constraint, ...] = ()
    schemas: tuple[ContractSource, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    checks: tuple[DeclaredCheck, ...] = ()
    allow_code: bool = False
    show_rows: bool = False
    lines: Mapping[str, int] = field(default_factory=dict)

    def place(self, key: str) -> str:
        """Return ``file:line`` of a dotted key, or the key itself without a gate file."""
        if self.path is None:
            return key
        line = self.lines.get(key)
        return f"{self.path}:{line}" if line else str(self.path)


def load_gate(
    source: str | Path | None = None, *, preset: str | None = None, only: Sequence[str] = (), skip: Sequence[str] = ()
) -> Gate:
    """Read and validate a gate file.

    Parameters
    ----------
    source : path, optional
        Without one the preset alone makes the gate.
    preset : str, optional
        Goes before the file's.
    only, skip : sequence of str
        Ids or families of checks to keep, or to leave out.

    Raises
    ------
    GateFileError
        With file, line and the nearest right spelling.
    UsageError
        For an unknown id in `only` or `skip`.
    """
    path = Path(source) if source else None
    node = read_yaml("", "gate") if path is None else read_yaml_file(path)
    node.refuse_unknown(KEYS)
    _refuse_version(node)
    name = preset or node.text("preset") or "default"
    checks = _checks(node, name, node.place("preset") if preset is None else "--preset")
    folder = path.parent if path else Path()
    allow_code = node.flag("allow_code", default=False)
    missing = node.words("missing_values") if node.values.get("missing_values") is not None else None
    keys = _keys(node)
    return Gate(
        path=path,
        preset=name,
        real=_data_path(node.text("real"), folder),
        synthetic=_data_path(node.text("synthetic"), folder),
        holdout=_data_path(node.text("holdout"), folder),
        metadata=_data_path(node.text("metadata"), folder),
        targets=node.words("target"),
        seed=node.whole("seed", default=0, greatest=MAX_SEED),
        roles=_roles(node),
        keys=tuple(key[0] for key in keys if len(key) == 1),
        composite_keys=tuple(key for key in keys if len(key) > 1),
        time=node.text("time") or "",
        missing_values=missing,
        relationships=tuple(_relationship(node, at, item) for at, item in enumerate(node.items("relationships"))),
        reference=node.words("reference"),
        sequences=_sequences(node),
        constraints=tuple(_constraint(node, at, item) for at, item in enumerate(node.items("constraints"))),
        schemas=read_entries(node, folder, allow_code=allow_code),
        waivers=tuple(_waiver(node, at, item) for at, item in enumerate(node.items("waivers"))),
        checks=select(checks, only, skip),
        allow_code=allow_code,
        lines=node.lines,
    )


def _checks(node: Node, preset: str, where: str) -> tuple[DeclaredCheck, ...]:
    """Return the declared checks with the changes of the preset, then of the gate file."""
    checks = apply(apply(declared_checks(), read_preset(preset, where).checks), node.mapping("checks"))
    _refuse_code(node, checks)
    if not checks:
        raise GateFileError(node.place("checks"), "every check is skipped, so nothing would be judged", "keep one")
    return checks


def _refuse_version(node: Node) -> None:
    if "version" in node.values and (node.values["version"] != VERSION or node.values["version"] is True):
        raise GateFileError(
            node.place("version"), f"version {shown(node.values['version'])}, expected {VERSION}", "write `version: 1`"
        )


def _refuse_code(node: Node, checks: tuple[DeclaredCheck, ...]) -> None:
    """Refuse options that name code, unless the gate file allows it.

    Raises
    ------
    GateFileError
    """
    for check in checks:
        code = names_code(check)
        if code and not node.flag("allow_code", default=False):
            place = node.place(f"checks.{check.id}")
            raise GateFileError(place, f"{code!r} names Python code to be run", "write `allow_code: true` to allow it")


def _data_path(value: str | None, folder: Path) -> str | None:
    """Return a path of the gate file relative to where the file stands; URLs stay."""
    if value is None or "://" in value:
        return value
    return str(folder / value)


def select(checks: tuple[DeclaredCheck, ...], only: Sequence[str], skip: Sequence[str]) -> tuple[DeclaredCheck, ...]:
    """Keep the checks that `only` names and drop those that `skip` names, by id or family.

    Raises
    ------
    UsageError
        For a name that is neither, or when no check is left: a gate that judges nothing must not pass.
    """
    known = {check.id for check in (*declared_checks(), *checks)} | {*FAMILIES, NAMED_PREFIX.rstrip(".")}
    for option, names in (("--only", only), ("--skip", skip)):
        for name in names:
            if name not in known and name.startswith(NAMED_PREFIX):
                problem = f"{name} is not in the gate file, so it has no limit"
                raise UsageError(option, problem, "add it under `checks:`, for instance with {min: 0.9}")
            if name not in known:
                raise UsageError(option, f"unknown check or family {name!r}", nearest(name, known))
    kept = [c for c in checks if not only or c.id in only or c.family in only]
    left = tuple(c for c in kept if c.id not in skip and c.family not in skip)
    if not left:
        where = " and ".join(option for option, names in (("--only", only), ("--skip", skip)) if names) or "checks"
        raise UsageError(where, "no check is left, so nothing would be judged", "name a check that the gate file keeps")
    return left


def _keys(node: Node) -> tuple[tuple[str, ...], ...]:
    """Read keys: a column, or a list of columns and of lists of columns that are unique together."""
    value = node.values.get("key")
    several = [] if value is None else value if isinstance(value, list) else [value]
    keys = [tuple(item) if isinstance(item, list) else (item,) for item in several]
    for key in keys:
        if not key or not all(isinstance(name, str) for name in key) or len(set(key)) < len(key):
            fix = "write a column, or a list of columns; columns that are unique together stand in a list of their own"
            raise GateFileError(node.place("key"), f"`key` holds {shown(list(key))}, expected names of columns", fix)
    return tuple(dict.fromkeys(keys))


def _roles(node: Node) -> dict[str, Role]:
    roles = {}
    entries = node.mapping("roles")
    for column, value in entries.values.items():
        role = value
        if isinstance(value, dict):
            entry = entries.child(column, value)
            entry.refuse_unknown(("role",))
            role = entry.text("role")
        if role not in tuple(Role):
            raise GateFileError(entries.place(column), f"unknown role {role!r}", nearest(str(role), tuple(Role)))
        roles[column] = Role(role)
    return roles


def _relationship(node: Node, at: int, item: Any) -> Relationship:
    """Read a foreign key, written as ``{child: flights.tailnum, parent: planes.tailnum}``; a list for several columns.

    Raises
    ------
    GateFileError
    """
    entry = node.child(f"relationships.{at}", item)
    entry.refuse_unknown(("parent", "child"))
    (parent, key), (child, foreign) = (_end(entry, name) for name in ("parent", "child"))
    if len(key) != len(foreign):
        problem = f"`child` has {len(foreign)} columns and `parent` {len(key)}, expected as many"
        raise GateFileError(entry.place("child"), problem, "name the columns of both in the same order")
    return Relationship(parent, child, key[0] if len(key) == 1 else key, foreign[0] if len(key) == 1 else foreign)


def _end(entry: Node, name: str) -> tuple[str, tuple[str, ...]]:
    """Return the table and the columns of one end of a foreign key."""
    given = entry.values.get(name)
    words = given if isinstance(given, list) and given else [given]
    parts = [word.partition(".") if isinstance(word, str) else ("", "", "") for word in words]
    tables, columns = {table for table, _, _ in parts}, tuple(column for _, _, column in parts)
    if len(tables) > 1 or not all(table and column for table, _, column in parts) or len(set(columns)) < len(columns):
        fix = "write for instance {child: orders.customer, parent: customers.id}, or lists of columns of one table"
        raise GateFileError(entry.place(name), f"`{name}` is {shown(given)}, expected a table and its column", fix)
    return tables.pop(), columns


def _sequences(node: Node) -> dict[str, SequenceKey]:
    """Read one sequence, or one for each table; ``""`` stands for the only table."""
    found = {}
    given = node.values.get("sequence")
    items = node.items("sequence") if isinstance(given, list) else [given] if given is not None else []
    for at, item in enumerate(items):
        entry = node.child(f"sequence.{at}" if isinstance(given, list) else "sequence", item)
        entry.refuse_unknown(("table", "key", "index"))
        key, table = entry.text("key"), entry.text("table") or ""
        if key is None:
            raise GateFileError(
                entry.place(), "the sequence has no `key`", "name the column that says which rows belong together"
            )
        if table in found:
            raise GateFileError(entry.place(), f"a second sequence of the table {table!r}", "keep one of them")
        found[table] = SequenceKey(key, entry.text("index"))
    return found


def _constraint(node: Node, at: int, item: Any) -> Constraint:
    place = node.place(f"constraints.{at}")
    if isinstance(item, str) and item.strip():
        return Constraint(sql=item, name=item, place=place)
    if not isinstance(item, dict):
        raise GateFileError(
            place, f"the constraint is {shown(item)}, expected an SQL expression", "write for instance `age >= 17`"
        )
    entry = node.child(f"constraints.{at}", item)
    entry.refuse_unknown(("sql", "name", "tolerance", "severity", "where", "table"))
    sql = entry.text("sql")
    if not sql:
        raise GateFileError(place, "the constraint has no `sql`", 'write for instance {sql: "age >= 17"}')
    tolerance = entry.number("tolerance") or 0.0
    if not 0 <= tolerance <= 1:
        raise GateFileError(entry.place("tolerance"), f"tolerance is {tolerance:g}, expected a share from 0 to 1", "")
    severity = entry.text("severity")
    if severity is not None and severity not in tuple(Severity):
        fix = nearest(severity, tuple(Severity))
        raise GateFileError(entry.place("severity"), f"unknown severity {severity!r}", fix)
    return Constraint(
        sql=sql,
        name=entry.text("name") or sql,
        tolerance=tolerance,
        severity=Severity(severity) if severity else None,
        where=entry.text("where"),
        place=place,
        table=entry.text("table"),
    )


def _waiver(node: Node, at: int, item: Any) -> Waiver:
    entry = node.child(f"waivers.{at}", item)
    entry.refuse_unknown(("check", "columns", "until", "reason", "owner"))
    for key in ("check", "until", "reason"):
        if entry.text(key) is None:
            raise GateFileError(entry.place(), f"the waiver has no `{key}`", "a waiver names check, until and reason")
    check = str(entry.text("check"))
    known = [c.id for c in declared_checks()]
    known += [name for name in node.mapping("checks").values if name.startswith(NAMED_PREFIX)]
    if check not in known:
        raise GateFileError(entry.place("check"), f"unknown check {check!r}", nearest(check, known))
    until = str(entry.text("until"))
    try:
        day = date.fromisoformat(until)
    except ValueError as error:
        raise GateFileError(
            entry.place("until"), f"until is {shown(until)}, expected a date", "write it as 2027-03-31"
        ) from error
    return Waiver(
        check=check,
        until=day,
        reason=str(entry.text("reason")),
        columns=entry.words("columns"),
        owner=entry.text("owner"),
        place=entry.place(),
    )
