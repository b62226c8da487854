"""The inferred contract as a pandera schema: as an object, as pandera's YAML, and as a Python file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from synthgate.bridges.inferred import ColumnRules
from synthgate.errors import UsageError
from synthgate.libraries import require, silent

EXTRA = "pandera"
DTYPES = {"integer": "int64", "float": "float64", "string": "str", "boolean": "bool", "datetime": "datetime64[ns]"}
NULLABLE = {"integer": "Int64", "boolean": "boolean"}
FIRST, LAST = datetime(1678, 1, 1, tzinfo=UTC), datetime(2262, 1, 1, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOTE = """\
# What {source} keeps. Edit it, and list it in a gate file; the tolerance is for what fresh rows may bring that no row
# here shows, such as a rare category:
#   schemas:
#     - {{pandera: {target}, tolerance: {tolerance:g}}}
"""
SCRIPT = """\
{note}#   allow_code: true

{imports}import pandera.pandas as pa

schema = pa.DataFrameSchema(
    columns={{
{columns}
    }},
    strict=True,
)
"""


def schema_text(rules: Sequence[ColumnRules], target: Path, source: str, tolerance: float) -> str:
    """Return the contract as text: Python when `target` ends in ``.py``, else pandera's YAML.

    Parameters
    ----------
    rules : sequence of ColumnRules
    target : Path
        The file that will hold it: ``.py``, ``.yaml`` or ``.yml``.
    source : str
        The real table, for a comment.
    tolerance : float
        Share of rows that a gate should let break a rule, for the same comment.

    Raises
    ------
    UsageError
        For another ending, or when pandera is not installed.
    """
    suffix = target.suffix.lower()
    if suffix not in (".py", ".yaml", ".yml"):
        raise UsageError("--pandera", f"{target} ends in {suffix or 'nothing'!r}", "name it schema.yaml or schema.py")
    schema = pandera_schema(rules)
    one_line = " ".join(source.split())
    if suffix == ".py":
        note = NOTE.format(source=one_line, target=f"{target.name}:schema", tolerance=tolerance)
        columns = "\n".join(_column_code(rule) for rule in rules)
        imports = "import pandas as pd\n" if any(rule.kind == "datetime" for rule in rules) else ""
        return SCRIPT.format(note=note, imports=imports, columns=columns)
    require("yaml", EXTRA, "--pandera")
    with silent():
        body: str = schema.to_yaml()
    return NOTE.format(source=one_line, target=target.name, tolerance=tolerance) + body


def pandera_schema(rules: Sequence[ColumnRules]) -> Any:
    """Return the contract as a ``pandera.pandas.DataFrameSchema``.

    Raises
    ------
    UsageError
        When pandera is not installed.
    """
    pa = require("pandera.pandas", EXTRA, "--pandera")
    columns = {}
    for rule in rules:
        checks = [getattr(pa.Check, name)(**_native(arguments)) for name, arguments in _checks(rule)]
        columns[rule.name] = pa.Column(_dtype(rule), checks or None, **_options(rule))
    return pa.DataFrameSchema(columns, strict=True)


def _dtype(rule: ColumnRules) -> str | None:
    if rule.kind not in DTYPES:
        return None
    bounds = [bound for bound in (rule.low, rule.high) if bound is not None]
    if rule.kind == "datetime" and any(_bound(rule, bound) is None for bound in bounds):
        # too early or too late for the nanoseconds of pandas
        return None
    if rule.zone:
        return f"datetime64[ns, {rule.zone}]"
    if rule.kind == "integer" and rule.unsigned:
        return "UInt64" if rule.nullable else "uint64"
    return NULLABLE.get(rule.kind, DTYPES[rule.kind]) if rule.nullable else DTYPES[rule.kind]


def _options(rule: ColumnRules) -> dict[str, bool]:
    """Return the flags of a column.

    Types that depend on how a file was read are coerced, unless that could hide something: a fraction cut off.
    """
    coerced = rule.kind in ("float", "datetime") or (rule.nullable and rule.kind in NULLABLE)
    coerced = coerced and _dtype(rule) is not None
    flags = {"nullable": rule.nullable, "unique": rule.unique, "coerce": coerced}
    return {name: True for name, wanted in flags.items() if wanted}


def _checks(rule: ColumnRules) -> list[tuple[str, dict[str, Any]]]:
    """Return the checks by pandera's names; moments are ``datetime`` objects."""
    checks: list[tuple[str, dict[str, Any]]] = []
    low, high = (_bound(rule, bound) for bound in (rule.low, rule.high))
    if _dtype(rule) is None:
        return checks
    if low is not None and high is not None:
        checks.append(("in_range", {"min_value": low, "max_value": high}))
    elif low is not None:
        checks.append(("greater_than_or_equal_to", {"min_value": low}))
    elif high is not None:
        checks.append(("less_than_or_equal_to", {"max_value": high}))
    if rule.allowed:
        checks.append(("isin", {"allowed_values": list(rule.allowed)}))
    if rule.pattern:
        checks.append(("str_matches", {"pattern": rule.pattern}))
    return checks


def _bound(rule: ColumnRules, bound: float | None) -> int | float | datetime | None:
    if bound is None:
        return None
    if rule.kind != "datetime":
        return int(bound) if rule.kind == "integer" else bound
    moment = moment_of(bound)
    return moment.replace(tzinfo=None) if moment is not None and FIRST <= moment <= LAST else None


def moment_of(micros: float) -> datetime | None:
    """Return a moment from microseconds since 1970, or None where Python has none."""
    try:
        return EPOCH + timedelta(microseconds=micros)
    except OverflowError:
        return None


def _native(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments with moments as pandas has them."""
    import pandas as pd

    return {name: pd.Timestamp(v) if isinstance(v, datetime) else v for name, v in arguments.items()}


def _column_code(rule: ColumnRules) -> str:
    """Return one column as Python: names, values and patterns only ever as literals."""
    checks = []
    for name, arguments in _checks(rule):
        told = ", ".join(f"{key}={_literal(value)}" for key, value in arguments.items())
        checks.append(f"pa.Check.{name}({told})")
    parts = [repr(_dtype(rule))]
    parts += [f"[{', '.join(checks)}]"] if checks else []
    parts += [f"{name}={value}" for name, value in _options(rule).items()]
    return f"        {_literal(rule.name)}: pa.Column({', '.join(parts)}),"


def _literal(value: object) -> str:
    if isinstance(value, datetime):
        return f"pd.Timestamp({value.isoformat()!r})"
    return ascii(value)
