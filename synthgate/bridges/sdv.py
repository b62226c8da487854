"""SDV metadata, version 1, read and written: one table, sequences, and several tables with relationships."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from synthgate.errors import DataError, nearest
from synthgate.findings import Json
from synthgate.links import Relationship, SequenceKey, parents_first
from synthgate.plan import Plan
from synthgate.roles import Role

SDTYPES = {
    "numerical": Role.NUMERICAL,
    "categorical": Role.CATEGORICAL,
    "ordinal": Role.CATEGORICAL,
    "boolean": Role.BOOLEAN,
    "datetime": Role.DATETIME,
    "id": Role.ID,
    "text": Role.TEXT,
    "unknown": None,
}
PERSONAL = frozenset((
    "name", "first_name", "last_name", "prefix", "suffix", "phone_number", "email", "safe_email", "user_name",
    "password", "ssn", "passport_number", "address", "street_address", "street_name", "building_number",
    "secondary_address", "iban", "bban", "swift", "swift8", "swift11", "credit_card_number", "credit_card_full",
    "credit_card_security_code", "license_plate", "ipv4", "ipv4_private", "ipv4_public", "ipv6", "mac_address",
    "uuid4", "vin", "company", "url", "uri", "image_url", "domain_name", "free_email", "company_email",
    "national_id", "bank_account",
))  # fmt: skip
"""Sdtypes of values that name a person or an account: read as text, their distribution means nothing."""
PLACES = frozenset((
    "city", "country", "country_code", "current_country", "administrative_unit", "state", "state_abbr",
    "postcode", "zipcode", "postalcode_in_state", "latitude", "longitude", "bank_country", "job", "locale",
    "currency_code", "timezone", "military_state",
))  # fmt: skip
"""Sdtypes of values that say where or what, and that many share: read by what the real column holds."""
SINGLE, MULTI, UNIFIED = "SINGLE_TABLE_V1", "MULTI_TABLE_V1", "V1"
BACK = {Role.VECTOR: "unknown"}


@dataclass(frozen=True, slots=True)
class Metadata:
    """What SDV metadata says of one table.

    Attributes
    ----------
    roles : dict of Role
    layouts : dict of str
        ``strptime`` formats of dates.
    keys : tuple of str
        Primary and alternate keys of one column.
    composite_keys : tuple of tuple of str
        Those of several columns.
    notes : tuple of str
        What was not understood and how it was read.
    patterns : dict of str
        Regular expressions that the values of ids have to match as a whole.
    sequence : SequenceKey or None
        Which rows form a sequence, and in which order.
    """

    roles: Mapping[str, Role] = field(default_factory=dict)
    layouts: Mapping[str, str] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    composite_keys: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()
    patterns: Mapping[str, str] = field(default_factory=dict)
    sequence: SequenceKey | None = None
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TablesMetadata:
    """What SDV metadata says of a data set.

    Attributes
    ----------
    tables : dict of Metadata
        By table; a single-table file has one table without a name, ``""``.
    relationships : tuple of Relationship
    where : str
        The file, for messages.
    """

    tables: Mapping[str, Metadata]
    relationships: tuple[Relationship, ...] = ()
    where: str = "metadata"

    def one(self, columns: Iterable[str]) -> Metadata:
        """Return the metadata of the table that has these columns.

        Raises
        ------
        DataError
            When no table of a file for several, or more than one, fits.
        """
        if len(self.tables) == 1:
            return next(iter(self.tables.values()))
        known = set(columns)
        fitting = [name for name, table in self.tables.items() if table.columns and set(table.columns) <= known]
        if len(fitting) != 1:
            told = ", ".join(repr(name) for name in (fitting or self.tables))
            problem = f"describes {len(self.tables)} tables ({told}), and {len(fitting)} of them fit the real table"
            raise DataError(self.where, problem, "give the metadata of the one table, or all tables as a folder")
        return self.tables[fitting[0]]


def read_metadata(source: str | Path | Mapping[str, Any]) -> Metadata:
    """Read SDV metadata of one table from a JSON file or a dictionary.

    Raises
    ------
    DataError
        When the file is not readable, not JSON, or not metadata of a single table.
    """
    read = read_tables_metadata(source)
    if len(read.tables) != 1:
        raise DataError(
            read.where, f"describes {len(read.tables)} tables, expected one", "give the metadata of one table"
        )
    return next(iter(read.tables.values()))


def read_tables_metadata(source: str | Path | Mapping[str, Any]) -> TablesMetadata:
    """Read SDV metadata of one table or several from a JSON file or a dictionary.

    ``SINGLE_TABLE_V1``, ``MULTI_TABLE_V1`` and ``V1`` are read alike; keys may take several columns.

    Raises
    ------
    DataError
        When the file is not readable, not JSON, or contradicts itself: a key that is no column, a foreign
        key to nowhere, foreign keys that form a circle.
    """
    where = str(source) if not isinstance(source, Mapping) else "metadata"
    content = source if isinstance(source, Mapping) else _load(Path(source))
    if not isinstance(content, Mapping):
        raise DataError(where, "found no JSON object, expected SDV metadata", "save metadata with SDV's save_to_json")
    version = content.get("METADATA_SPEC_VERSION")
    if version not in (None, SINGLE, MULTI, UNIFIED):
        problem = f"is metadata of version {version!r}, expected {SINGLE}, {MULTI} or {UNIFIED}"
        raise DataError(where, problem, "write it with SDV 1.0 or later")
    tables = content.get("tables")
    if tables is None:
        return TablesMetadata({"": _table(content, where, "")}, (), where)
    if not isinstance(tables, Mapping) or not tables:
        raise DataError(where, "`tables` holds no table", "expected SDV metadata of version MULTI_TABLE_V1")
    read = {str(name): _table(table, where, f"{name}.") for name, table in tables.items()}
    found = _relationships(content.get("relationships") or (), read, where)
    parents_first(read, found, where)
    return TablesMetadata(read, found, where)


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(str(path), "the metadata file does not exist", "check the path") from error
    except OSError as error:
        raise DataError(str(path), f"cannot be read: {error.strerror}", "check the path and its permissions") from error
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise DataError(str(path), f"is not valid JSON: {error}", "save metadata with SDV's save_to_json") from error


def _table(content: Any, where: str, prefix: str) -> Metadata:
    columns = content.get("columns") if isinstance(content, Mapping) else None
    if not isinstance(columns, Mapping):
        of = f"the table {prefix[:-1]!r} " if prefix else ""
        raise DataError(where, f"{of}has no `columns`", "expected SDV metadata of version 1")
    roles, layouts, patterns, notes = {}, {}, {}, []
    for name, entry in columns.items():
        sdtype = entry.get("sdtype") if isinstance(entry, Mapping) else None
        if not isinstance(sdtype, str):
            raise DataError(
                where, f"column {prefix + name!r} has no sdtype", 'write for instance {"sdtype": "numerical"}'
            )
        role, note = _role(prefix + name, sdtype, personal=entry.get("pii") is True)
        notes += [note] if note else []
        if role is not None:
            roles[name] = role
        if isinstance(entry.get("datetime_format"), str):
            layouts[name] = entry["datetime_format"]
        if isinstance(entry.get("regex_format"), str):
            patterns[name] = _pattern(entry["regex_format"], prefix + name, where)
    keys = _keys(content, columns, where, prefix, notes)
    return Metadata(
        roles,
        layouts,
        keys=tuple(key[0] for key in keys if len(key) == 1),
        composite_keys=tuple(key for key in keys if len(key) > 1),
        notes=tuple(notes),
        patterns=patterns,
        sequence=_sequence(content, columns, where, prefix),
        columns=tuple(columns),
    )


def _role(name: str, sdtype: str, *, personal: bool) -> tuple[Role | None, str | None]:
    """Return the role of an sdtype, and a note where its values are not compared or it is not known."""
    if sdtype in SDTYPES:
        return SDTYPES[sdtype], None
    if sdtype in PLACES:
        return None, None
    if sdtype in PERSONAL or personal:
        return Role.TEXT, f"metadata: column {name!r} holds personal data of sdtype {sdtype!r}, read as text"
    return None, f"metadata: column {name!r} has the unknown sdtype {sdtype!r}, read by what real holds"


def _pattern(text: str, name: str, where: str) -> str:
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        problem = f"the regex_format {text!r} of column {name!r} is no regular expression: {error}"
        raise DataError(where, problem, "correct `regex_format`") from error
    return text


def _keys(
    content: Mapping[str, Any], columns: Mapping[str, Any], where: str, prefix: str, notes: list[str]
) -> list[tuple[str, ...]]:
    """Return primary and alternate keys, and note those that are not understood."""
    of = f" of the table {prefix[:-1]!r}" if prefix else ""
    keys: list[tuple[str, ...]] = []
    for key in (content.get("primary_key"), *(content.get("alternate_keys") or ())):
        names = [key] if isinstance(key, str) else key
        if isinstance(names, list | tuple) and names and all(isinstance(name, str) for name in names):
            keys.append(tuple(names))
        elif key:
            notes.append(f"metadata: the key {key!r}{of} is not understood, and not checked")
    for name in (name for key in keys for name in key):
        if name not in columns:
            raise DataError(where, f"the key {name!r} is not among the columns{of}", "correct `primary_key`")
    return list(dict.fromkeys(keys))


def _sequence(content: Mapping[str, Any], columns: Mapping[str, Any], where: str, prefix: str) -> SequenceKey | None:
    found = {}
    for name in ("sequence_key", "sequence_index"):
        value = content.get(name)
        if isinstance(value, list | tuple) and len(value) == 1:
            value = value[0]
        if value is None:
            continue
        if not isinstance(value, str) or value not in columns:
            of = f" of the table {prefix[:-1]!r}" if prefix else ""
            raise DataError(where, f"the {name} {value!r} is not among the columns{of}", nearest(str(value), columns))
        found[name] = value
    if found and found.get("sequence_key") == found.get("sequence_index"):
        raise DataError(where, f"{found['sequence_key']!r} is both sequence_key and sequence_index", "correct one")
    return SequenceKey(found.get("sequence_key"), found.get("sequence_index")) if found else None


def _relationships(entries: Any, tables: Mapping[str, Metadata], where: str) -> tuple[Relationship, ...]:
    """Read the relationships; each has to join columns that the tables have."""
    keys = ("parent_table_name", "child_table_name", "parent_primary_key", "child_foreign_key")
    found = []
    for entry in entries if isinstance(entries, list | tuple) else (entries,):
        if not isinstance(entry, Mapping) or not all(entry.get(key) for key in keys):
            raise DataError(where, f"the relationship {entry!r:.200} lacks one of {', '.join(keys)}", "add it")
        key, foreign = (_names(entry[name], name, where) for name in keys[2:])
        if len(key) != len(foreign):
            problem = f"the foreign key ({', '.join(foreign)}) has {len(foreign)} columns, its parent's key {len(key)}"
            raise DataError(where, problem, "name the columns of both in the same order")
        parent, child = str(entry[keys[0]]), str(entry[keys[1]])
        one = Relationship(parent, child, *(names[0] if len(names) == 1 else names for names in (key, foreign)))
        for table, column in [*((parent, name) for name in key), *((child, name) for name in foreign)]:
            if table not in tables:
                problem = f"the foreign key {one} leads to nowhere: there is no table {table!r}"
                raise DataError(where, problem, nearest(table, tables))
            if column not in tables[table].columns:
                problem = f"the foreign key {one} leads to nowhere: {table!r} has no column {column!r}"
                raise DataError(where, problem, nearest(column, tables[table].columns))
        found.append(one)
    return tuple(dict.fromkeys(found))


def _names(value: Any, key: str, where: str) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise DataError(where, f"`{key}` is {value!r:.200}, expected a column or a list of columns", f"correct `{key}`")
    return tuple(names)


Key = str | tuple[str, ...]


def write_metadata(plan: Plan, keys: tuple[Key, ...] = (), described: Metadata | None = None) -> dict[str, Json]:
    """Return SDV metadata (SINGLE_TABLE_V1) of a plan.

    Parameters
    ----------
    plan : Plan
    keys : tuple of str or of tuple of str
        The primary key, then alternate keys; a key of several columns as a tuple.
    described : Metadata, optional
        Whose patterns and sequence are written too.
    """
    return {"METADATA_SPEC_VERSION": SINGLE, **_written(plan, keys, described or Metadata())}


def write_tables_metadata(
    plans: Mapping[str, Plan],
    keys: Mapping[str, tuple[Key, ...]],
    relationships: Iterable[Relationship],
    described: Mapping[str, Metadata] | None = None,
) -> dict[str, Json]:
    """Return SDV metadata (MULTI_TABLE_V1) of several tables.

    A foreign key of one column, and the key that it names, are written as ids, as SDV wants them.
    """
    links = tuple(relationships)
    ids = {name: {r.key for r in links if r.parent == name} | {r.foreign_key for r in links if r.child == name}
           for name in plans}  # fmt: skip
    tables: dict[str, Json] = {}
    for name, plan in plans.items():
        plain = {key for key in ids[name] if isinstance(key, str)}
        tables[name] = _written(plan, keys.get(name, ()), (described or {}).get(name, Metadata()), plain)
    written: list[Json] = [
        {
            "parent_table_name": r.parent,
            "child_table_name": r.child,
            "parent_primary_key": _plain(r.key),
            "child_foreign_key": _plain(r.foreign_key),
        }
        for r in links
    ]
    return {"METADATA_SPEC_VERSION": MULTI, "tables": tables, "relationships": written}


def _plain(key: Key) -> Json:
    return key if isinstance(key, str) else list(key)


def _written(
    plan: Plan, keys: tuple[Key, ...], described: Metadata, ids: set[str] | frozenset[str] = frozenset()
) -> dict[str, Json]:
    columns: dict[str, Json] = {}
    for column in plan.columns:
        sdtype = "id" if column.name in ids else BACK.get(column.role, str(column.role))
        entry: dict[str, Json] = {"sdtype": sdtype}
        if column.layout and sdtype == "datetime":
            entry["datetime_format"] = column.layout
        if column.name in described.patterns and sdtype in ("id", "text"):
            entry["regex_format"] = described.patterns[column.name]
        columns[column.name] = entry
    out: dict[str, Json] = {"columns": columns}
    if keys:
        out["primary_key"] = _plain(keys[0])
    if len(keys) > 1:
        out["alternate_keys"] = [_plain(key) for key in keys[1:]]
    if described.sequence and described.sequence.key:
        out["sequence_key"] = described.sequence.key
    if described.sequence and described.sequence.index:
        out["sequence_index"] = described.sequence.index
    return out
