"""Pandera schemas: run as they are, every failure counted, with the real table as a control."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from synthgate.canonical import kind_of
from synthgate.catalogue import Options, measure
from synthgate.contracts import Library
from synthgate.findings import Measurement
from synthgate.libraries import silent
from synthgate.measures.constraints.breaches import Breach, Report, contracts_of, misfit, summed_up, with_rows
from synthgate.measures.constraints.frames import pandas_frame, polars_frame, typed_rows
from synthgate.measures.constraints.shown import MOST_ROWS

if TYPE_CHECKING:
    import pyarrow as pa

    from synthgate.evidence import Evidence
    from synthgate.sides import Side

STRUCTURE = {
    "COLUMN_NOT_IN_DATAFRAME": "the column is absent",
    "COLUMN_NOT_IN_SCHEMA": "the schema, which is strict, has no such column",
    "COLUMN_NOT_ORDERED": "the column stands in another place",
    "DUPLICATE_COLUMN_LABELS": "the name of the column stands twice",
    "INVALID_COLUMN_NAME": "no column has such a name",
    "MISMATCH_INDEX": "the index has another form",
    "WRONG_FIELD_NAME": "the column has another name",
    "ADD_MISSING_COLUMN_NO_DEFAULT": "the column is absent",
}
RULES = {
    "SERIES_CONTAINS_NULLS": "has a value in every row",
    "SERIES_CONTAINS_DUPLICATES": "is unique",
    "DUPLICATES": "is unique",
}
RAISED = ("CHECK_ERROR", "PARSER_ERROR", "SCHEMA_COMPONENT_PARSER", "DATAFRAME_PARSER")


@measure("constraints.pandera")
def pandera(evidence: Evidence, options: Options) -> Measurement:
    """Hold synthetic, and real as a control, against each pandera schema, and count the rows that break each rule.

    Schemas run lazily, so that every rule is judged. A rule that real itself breaks beyond its tolerance is
    the schema's fault, and is told as a warning.
    """
    contracts = contracts_of(evidence, Library.PANDERA)
    if not contracts:
        return Measurement.missing("no pandera schema is named: list one under `schemas` in the gate file")
    reports = []
    for contract in contracts:
        strict = _strict(contract.schema)
        synthetic = with_rows(evidence, _validate(evidence, evidence.synthetic, strict))
        real = _validate(evidence, evidence.real, strict) if evidence.real.has_rows else None
        reports.append(Report(contract.source, "schema", synthetic, real, len(list(_rules(contract.schema)))))
    return summed_up(reports)


def _components(schema: Any) -> Iterator[Any]:
    """Return everything in a schema that holds checks."""
    yield schema
    yield from schema.columns.values()
    index = getattr(schema, "index", None)
    if index is not None:
        yield from getattr(index, "indexes", [index])


def _rules(schema: Any) -> Iterator[str]:
    """Return one word for each rule that a schema sets."""
    for part in _components(schema):
        yield from ("check" for _ in part.checks or ())
        if part is schema:
            yield from ("whole" for wanted in (schema.strict, schema.ordered, schema.unique) if wanted)
            continue
        rules = (part.dtype is not None, not part.nullable, part.unique, getattr(part, "required", False))
        yield from ("rule" for wanted in rules if wanted)


@dataclass(frozen=True, slots=True)
class Strict:
    """A copy of a schema that hides nothing.

    Attributes
    ----------
    schema : object
    softened : frozenset of int
        Ids of the checks that only warn.
    together : tuple of str
        Columns that are unique together: counted here, since pandera takes minutes to list many repeated rows.
    """

    schema: Any
    softened: frozenset[int]
    together: tuple[str, ...]


def _strict(schema: Any) -> Strict:
    """Return a strict copy.

    ``drop_invalid_rows`` would drop bad rows in silence and ``raise_warning`` would not tell which rows are bad. How
    many failure cases a check shows does not matter here, since they are counted before.
    """
    copy = deepcopy(schema)
    softened = set()
    for part in _components(copy):
        if getattr(part, "drop_invalid_rows", False):
            part.drop_invalid_rows = False
        for check in part.checks or ():
            check.n_failure_cases = 1
            if check.raise_warning:
                softened.add(id(check))
                check.raise_warning = False
    together = [copy.unique] if isinstance(copy.unique, str) else copy.unique or ()
    copy.unique = None
    return Strict(copy, frozenset(softened), tuple(str(name) for name in together))


def _validate(evidence: Evidence, side: Side, strict: Strict) -> list[Breach]:
    from pandera.config import ValidationDepth, config_context
    from pandera.errors import SchemaErrors

    schema = strict.schema
    polars = "polars" in type(schema).__module__
    read = typed_rows(evidence, side, _needed(strict, side.table.schema.names))
    expected = _expected(schema, read.table.column_names)
    frame = polars_frame(read.table, expected) if polars else pandas_frame(read.table, expected)
    found = [misfit(name, n, side.rows) for name, n in read.misfits.items()]
    # an environment variable can turn pandera off; here that would be a pass
    depth = ValidationDepth.SCHEMA_AND_DATA
    with silent(), config_context(validation_enabled=True, validation_depth=depth):
        try:
            schema.validate(frame, lazy=True)
        except SchemaErrors as errors:
            found += [_breach(error, side.rows, strict.softened, polars=polars) for error in errors.schema_errors]
    found += _repeated(frame, strict.together, side.rows, polars=polars)
    gaps = _gaps(read.table, expected)
    return [breach for breach in found if not (breach.key[0] in gaps and "WRONG_DATATYPE" in breach.key)]


def _repeated(frame: Any, names: tuple[str, ...], rows: int, *, polars: bool) -> list[Breach]:
    """Count the rows that are not unique in columns that have to be so together."""
    if not names or not set(names) <= set(frame.columns):
        return []
    repeated = frame.select(names).is_duplicated() if polars else frame.duplicated(subset=list(names), keep=False)
    broken = int(repeated.sum())
    first = tuple(np.flatnonzero(repeated.to_numpy())[:MOST_ROWS].tolist())
    rule = f"is unique in {', '.join(names)}"
    found = Breach(columns=names, rule=rule, key=(*names, "together"), rows=broken, of=rows, first=first)
    return [found] if broken else []


def _gaps(table: pa.Table, expected: Mapping[str, Any]) -> frozenset[str]:
    """Return the columns that pandas cannot hold as they are: whole numbers or truth values, some of them missing.

    That values are missing is a rule of its own; that their type differs is no second fault.
    """
    numpy_kinds = {"integer": "iu", "boolean": "b"}
    return frozenset(
        name
        for name in table.column_names
        if table[name].null_count
        and (getattr(expected.get(name), "kind", None) or "-") in numpy_kinds.get(kind_of(table[name].type), "")
    )


def _needed(strict: Strict, names: list[str]) -> list[str]:
    """Return the columns that a schema looks at; all of them when it looks at the table as a whole."""
    schema = strict.schema
    if schema.strict or schema.checks or schema.ordered or getattr(schema, "parsers", None):
        return names
    grouped = any(check.groupby is not None for part in _components(schema) for check in part.checks or ())
    if grouped:
        return names
    patterns = [re.compile(str(name)) for name, column in schema.columns.items() if column.regex]
    wanted = {*schema.columns, *strict.together}
    return [name for name in names if name in wanted or any(pattern.match(name) for pattern in patterns)]


def _expected(schema: Any, names: list[str]) -> dict[str, Any]:
    """Return the types that a schema sets, as its library has them."""
    expected: dict[str, Any] = {}
    for name in names:
        column = schema.columns.get(name) or next(
            (c for key, c in schema.columns.items() if c.regex and re.match(str(key), name)), None
        )
        dtype = (column.dtype if column is not None else None) or schema.dtype
        kind = getattr(dtype, "type", None)
        if kind is not None:
            expected[name] = kind
    return expected


def _breach(error: Any, rows: int, softened: frozenset[int], *, polars: bool) -> Breach:
    reason = error.reason_code.name if error.reason_code is not None else ""
    columns = _columns(error, reason)
    rule = _rule(error, reason)
    key = (*columns, reason, rule, str(error.check_index))
    warns = id(error.check) in softened
    if reason in RAISED:
        problem = str(error.failure_cases).splitlines()[0][:200] if error.failure_cases is not None else ""
        return Breach(
            columns=columns, rule=rule, key=key, rows=rows, of=rows, raised=problem or "an error", warns=warns
        )
    whole = reason in STRUCTURE or reason == "WRONG_DATATYPE"
    broken = None if whole else _count(error, polars=polars)
    first = _first(error, polars=polars) if broken else ()
    return Breach(columns=columns, rule=rule, key=key, rows=broken, of=rows, warns=warns, first=first)


def _columns(error: Any, reason: str) -> tuple[str, ...]:
    if reason in ("COLUMN_NOT_IN_DATAFRAME", "COLUMN_NOT_IN_SCHEMA", "COLUMN_NOT_ORDERED"):
        cases = error.failure_cases
        names = [cases] if isinstance(cases, str) else _listed(cases)
        return tuple(str(name) for name in names)
    name = error.column_name or getattr(error.schema, "name", None)
    is_table = hasattr(error.schema, "columns")
    return (str(name),) if name is not None and not is_table else ()


def _listed(cases: Any) -> list[Any]:
    if hasattr(cases, "columns") and "failure_case" in cases.columns:
        return list(cases["failure_case"])
    return list(cases) if isinstance(cases, list | tuple) else [cases]


def _rule(error: Any, reason: str) -> str:
    if reason in STRUCTURE:
        return STRUCTURE[reason]
    if reason in RULES:
        return RULES[reason]
    dtype = getattr(error.schema, "dtype", None)
    if reason in ("WRONG_DATATYPE", "DATATYPE_COERCION"):
        return f"has the type {dtype}"
    check = error.check
    text = str(getattr(check, "error", None) or getattr(check, "name", None) or check)
    return text if len(text) <= 80 else text[:77] + "..."


def _count(error: Any, *, polars: bool) -> int | None:
    """Return how many rows break a rule; None when it is about the column as a whole."""
    output = error.check_output
    if polars:
        return _count_polars(error)
    if output is not None and hasattr(output, "ndim"):
        kept = output.fillna(value=False).astype(bool)
        return int((~(kept.all(axis=1) if output.ndim == 2 else kept)).sum())
    cases = error.failure_cases
    if cases is None or isinstance(cases, str | bool) or not hasattr(cases, "__len__"):
        return None
    if isinstance(cases, Mapping) or not hasattr(cases, "index"):
        return None
    return int(cases["index"].nunique()) if "index" in getattr(cases, "columns", ()) else len(cases)


def _first(error: Any, *, polars: bool) -> tuple[int, ...]:
    """Return the numbers of the first rows that break a rule, as far as pandera tells."""
    output = error.check_output
    if polars:
        if output is None or not hasattr(output, "columns") or output.height <= 1:
            return ()
        kept = output[output.columns[-1]].fill_null(value=False).to_numpy()
    elif output is not None and hasattr(output, "ndim"):
        kept = output.fillna(value=False).astype(bool).to_numpy()
        kept = kept.all(axis=1) if kept.ndim == 2 else kept
    else:
        cases = error.failure_cases
        index = cases["index"].dropna() if "index" in getattr(cases, "columns", ()) else ()
        return tuple(int(at) for at in index[:MOST_ROWS] if isinstance(at, int | float))
    return tuple(np.flatnonzero(~kept)[:MOST_ROWS].tolist())


def _count_polars(error: Any) -> int | None:
    output = error.check_output
    if output is not None and hasattr(output, "columns") and output.height > 1:
        column = output[output.columns[-1]]
        return int((~column.fill_null(value=False)).sum())
    cases = error.failure_cases
    return int(cases.height) if hasattr(cases, "height") and cases.height > 1 else None
