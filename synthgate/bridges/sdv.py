"""SDV metadata (SINGLE_TABLE_V1): read and written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from synthgate.errors import DataError
from synthgate.findings import Json
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
    """

    roles: Mapping[str, Role] = field(default_factory=dict)
    layouts: Mapping[str, str] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    composite_keys: tuple[tuple[str, ...], ...] = ()
    notes: tuple[str, ...] = ()


def read_metadata(source: str | Path | Mapping[str, Any]) -> Metadata:
    """Read SDV metadata from a JSON file or a dictionary.

    Raises
    ------
    DataError
        When the file is not readable, not JSON, or not metadata of a single table.
    """
    where = str(source) if not isinstance(source, Mapping) else "metadata"
    content = source if isinstance(source, Mapping) else _load(Path(source))
    if not isinstance(content, Mapping):
        raise DataError(where, "found no JSON object, expected SDV metadata", "save metadata with SDV's save_to_json")
    tables = content.get("tables")
    if isinstance(tables, Mapping):
        if len(tables) != 1:
            raise DataError(where, f"describes {len(tables)} tables, expected one", "give the metadata of one table")
        content = next(iter(tables.values()))
    columns = content.get("columns")
    if not isinstance(columns, Mapping):
        raise DataError(where, "has no `columns`", "expected SDV metadata of version SINGLE_TABLE_V1")
    return _metadata(columns, content, where)


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise DataError(str(path), "the metadata file does not exist", "check the path") from error
    except OSError as error:
        raise DataError(str(path), f"cannot be read: {error.strerror}", "check the path and its permissions") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(str(path), f"is not valid JSON: {error}", "save metadata with SDV's save_to_json") from error


def _metadata(columns: Mapping[str, Any], content: Mapping[str, Any], where: str) -> Metadata:
    roles, layouts, notes = {}, {}, []
    for name, entry in columns.items():
        sdtype = entry.get("sdtype") if isinstance(entry, Mapping) else None
        if not isinstance(sdtype, str):
            raise DataError(where, f"column {name!r} has no sdtype", 'write for instance {"sdtype": "numerical"}')
        if sdtype not in SDTYPES:
            notes.append(f"metadata: column {name!r} has sdtype {sdtype!r}, read as text")
        role = SDTYPES.get(sdtype, Role.TEXT)
        if role is not None:
            roles[name] = role
        if isinstance(entry.get("datetime_format"), str):
            layouts[name] = entry["datetime_format"]
    keys = _keys(content, notes)
    unknown = [name for key in keys for name in key if name not in columns]
    if unknown:
        raise DataError(where, f"the key {unknown[0]!r} is not among its columns", "correct `primary_key`")
    single = tuple(key[0] for key in keys if len(key) == 1)
    return Metadata(roles, layouts, single, tuple(key for key in keys if len(key) > 1), tuple(notes))


def _keys(content: Mapping[str, Any], notes: list[str]) -> list[tuple[str, ...]]:
    """Return primary and alternate keys, and note those that are not understood."""
    keys: list[tuple[str, ...]] = []
    for key in (content.get("primary_key"), *(content.get("alternate_keys") or ())):
        names = [key] if isinstance(key, str) else key
        if isinstance(names, list) and names and all(isinstance(name, str) for name in names):
            keys.append(tuple(names))
        elif key:
            notes.append(f"metadata: the key {key!r} is not understood, and not checked")
    return keys


def write_metadata(plan: Plan, keys: tuple[str, ...] = ()) -> dict[str, Json]:
    """Return SDV metadata (SINGLE_TABLE_V1) of a plan."""
    columns: dict[str, Json] = {}
    for column in plan.columns:
        entry: dict[str, Json] = {"sdtype": BACK.get(column.role, str(column.role))}
        if column.layout:
            entry["datetime_format"] = column.layout
        columns[column.name] = entry
    out: dict[str, Json] = {"METADATA_SPEC_VERSION": "SINGLE_TABLE_V1", "columns": columns}
    if keys:
        out["primary_key"] = keys[0]
    return out
