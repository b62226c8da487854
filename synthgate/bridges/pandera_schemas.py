"""Pandera schemas of a gate file: read from pandera's YAML, or taken from a Python file that the gate allows to run."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from copy import deepcopy
from typing import Any

from synthgate.contracts import Contract, ContractSource
from synthgate.errors import GateFileError, nearest
from synthgate.libraries import require, silent
from synthgate.yamlfile import Node, read_yaml_file, shown

EXTRA = "pandera"
MODULES = {"pandas": "pandera.pandas", "polars": "pandera.polars"}
READERS = {"pandas": "pandera.io.pandas_io", "polars": "pandera.io.polars_io"}
SCHEMA_KEYS = (
    "schema_type", "version", "api", "dataframe_library", "columns", "checks", "index", "multiindex", "dtype", "coerce",
    "strict", "name", "ordered", "unique", "report_duplicates", "unique_column_names", "add_missing_columns", "title",
    "description", "drop_invalid_rows", "metadata",
)  # fmt: skip
COLUMN_KEYS = (
    "title", "description", "dtype", "nullable", "checks", "name", "unique", "coerce", "required", "regex", "default",
    "report_duplicates", "drop_invalid_rows",
)  # fmt: skip
CHECK_OPTIONS = (
    "check_name", "ignore_na", "raise_warning", "n_failure_cases", "groupby", "groups", "error", "name",
)  # fmt: skip


def load_pandera(source: ContractSource, columns: Sequence[str]) -> Contract:
    """Load the pandera schema that an entry names.

    Parameters
    ----------
    source : ContractSource
    columns : sequence of str
        Of the real table; each column that the schema requires has to be among them.

    Raises
    ------
    GateFileError
        When there is no such schema, or it is one for another table.
    UsageError
        When pandera is not installed.
    """
    require("pandera", EXTRA, source.place)
    if source.attribute is None:
        schema = _from_yaml(source)
    else:
        from synthgate.bridges.user_code import load_object

        schema = load_object(source, lambda found: _to_schema(found, source))
    _refuse_other_columns(schema, source, columns)
    return Contract(source, schema)


def _to_schema(found: Any, source: ContractSource) -> Any:
    """Return the ``DataFrameSchema`` of an object that is one, or a ``DataFrameModel``.

    Raises
    ------
    GateFileError
    """
    to_schema = getattr(found, "to_schema", None)
    if isinstance(found, type) and callable(to_schema):
        found = to_schema()
    if backend_of(found) is None:
        kind = f"{type(found).__module__}.{type(found).__name__}"
        raise GateFileError(
            source.place,
            f"{source.attribute!r} is a {kind}, expected a DataFrameSchema or DataFrameModel of pandas or polars",
            "name the schema itself",
        )
    return deepcopy(found)


def backend_of(schema: object) -> str | None:
    """Return ``"pandas"`` or ``"polars"``, whichever a ``DataFrameSchema`` is made for; None for anything else."""
    for parent in type(schema).__mro__:
        for name in MODULES:
            if parent.__module__ == f"pandera.api.{name}.container" and parent.__name__ == "DataFrameSchema":
                return name
    return None


def _refuse_other_columns(schema: Any, source: ContractSource, columns: Sequence[str]) -> None:
    wanted = [str(name) for name, column in schema.columns.items() if column.required and not column.regex]
    absent = [name for name in wanted if name not in columns]
    if absent:
        more = f" (and {len(absent) - 1} more)" if len(absent) > 1 else ""
        raise GateFileError(
            source.place,
            f"the schema requires the column {absent[0]!r}{more}, which is not in the real table",
            f"{nearest(absent[0], columns)} Or set `required: false`, or name the schema of this table",
        )


def _from_yaml(source: ContractSource) -> Any:
    """Read pandera's YAML, where every key and check has to be known: pandera itself passes over unknown ones."""
    path = source.path
    if path is None or not path.is_file():
        raise GateFileError(source.place, f"{path} does not exist", "check the path: it is relative to the gate file")
    node = read_yaml_file(path)
    kind = node.text("schema_type", default="dataframe")
    api = node.text("dataframe_library") or node.text("api", default="pandas")
    if kind != "dataframe" or api not in MODULES:
        raise GateFileError(
            str(path), f"is a {kind} schema for {api}, expected a dataframe schema for pandas or polars", ""
        )
    library = require(MODULES[api], EXTRA, source.place)
    _refuse_unknown(node, library.Check)
    reader = require(READERS[api], EXTRA, source.place)
    from pandera.errors import SchemaDefinitionError, SchemaInitError

    try:
        with silent():
            return reader.deserialize_schema(deepcopy(node.values))
    except (AttributeError, KeyError, TypeError, ValueError, re.error, SchemaDefinitionError, SchemaInitError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise GateFileError(str(path), f"is no pandera schema: {first}", "write it with pandera's to_yaml") from error


def _refuse_unknown(node: Node, check: Any) -> None:
    known = {*check.CHECK_FUNCTION_REGISTRY, *check.REGISTERED_CUSTOM_CHECKS}
    node.refuse_unknown(SCHEMA_KEYS)
    if not isinstance(node.values.get("columns"), dict) or not node.values["columns"]:
        found = shown(node.values.get("columns"))
        raise GateFileError(node.place("columns"), f"`columns` is {found}, expected a mapping of columns", "")
    _refuse_checks(node, known)
    columns = node.mapping("columns")
    for name, value in columns.values.items():
        if value is None:
            columns.values[name] = {}
        column = columns.mapping(name)
        _refuse_checks(column, known)
        for key in column.values:
            if key not in COLUMN_KEYS and key not in known:
                fix = nearest(key, (*COLUMN_KEYS, *known))
                raise GateFileError(column.place(key), f"unknown check or key {key!r}", fix)


def _refuse_checks(node: Node, known: Collection[str]) -> None:
    """Refuse unknown names in the other form, in which checks stand under ``checks``."""
    checks = node.values.get("checks")
    if checks is not None and not isinstance(checks, dict | list):
        raise GateFileError(node.place("checks"), f"`checks` is {shown(checks)}, expected a list", "")
    if isinstance(checks, dict):
        named = list(checks.items())
    else:
        items = [node.child(f"checks.{at}", item) for at, item in enumerate(checks or ())]
        named = [(item.mapping("options").values.get("check_name"), item.values) for item in items]
    for name, item in named:
        if name not in known:
            raise GateFileError(node.place("checks"), f"unknown check {name!r}", nearest(str(name), known))
        if isinstance(item, dict) and isinstance(item.get("options"), dict):
            for option in item["options"]:
                if option not in CHECK_OPTIONS:
                    fix = nearest(option, CHECK_OPTIONS)
                    raise GateFileError(node.place("checks"), f"unknown option {option!r}", fix)
