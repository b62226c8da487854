"""Reading ``result.json`` back: for baselines, differences and reused verdicts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from synthgate.errors import DataError
from synthgate.findings import (
    CheckResult,
    DataInfo,
    Estimate,
    Finding,
    Ledger,
    Limit,
    Measured,
    Outcome,
    Position,
    RunInfo,
    Severity,
    Skip,
    Status,
    TableResult,
)
from synthgate.verdict import SCHEMA_VERSION, Verdict

T = TypeVar("T")
UNKNOWN = float("nan")


def read_result(path: str | Path) -> Verdict:
    """Read a verdict back from a ``result.json``.

    Raises
    ------
    DataError
        When the file cannot be read, is no result of synthgate, or has another schema version.
    """
    where = str(path)
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        problem = f"the result cannot be read: {error.strerror or error}"
        raise DataError(where, problem, "name the result.json of an earlier run") from error
    except ValueError as error:
        raise DataError(where, f"not valid JSON: {error}", "name the result.json of an earlier run, whole") from error
    return from_dict(data, where)


def from_dict(data: object, where: str = "the result") -> Verdict:
    """Return the verdict that :func:`synthgate.render.json.as_dict` made `data` from.

    Numbers that JSON cannot hold come back as NaN.

    Raises
    ------
    DataError
        When `data` is no result of synthgate, or has another schema version.
    """
    if not isinstance(data, dict) or "schema_version" not in data or "checks" not in data:
        raise DataError(where, "this is no result of synthgate: it has no schema_version", "name a result.json")
    if data["schema_version"] != SCHEMA_VERSION:
        problem = f"schema_version {data['schema_version']!r}, expected {SCHEMA_VERSION}"
        raise DataError(where, problem, "make it again with this version of synthgate")
    try:
        checks = tuple(_check(check) for check in data["checks"])
        return Verdict(outcome=Outcome(data["verdict"]), checks=checks, run=_run(data))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        problem = f"the result is damaged: {type(error).__name__}: {error}"
        raise DataError(where, problem, "make it again with `synthgate run`") from error


def _run(data: Mapping[str, Any]) -> RunInfo:
    run = data["run"]
    sides = {side: _data(data["data"][side]) for side in ("real", "synthetic") if data["data"][side]}
    holdout = data["data"]["holdout"]
    rest = {**run, "targets": tuple(run["targets"]), "notes": tuple(run["notes"])}
    given = {"seed": data["seed"], "synthgate_version": data["synthgate_version"]}
    return _only(RunInfo, {**rest, **given, **sides, "holdout": _data(holdout) if holdout else None})


def _data(side: Mapping[str, Any]) -> DataInfo:
    tables = {name: _data(table) for name, table in side.get("tables", {}).items()}
    return _only(DataInfo, {**side, "tables": tables})


def _only(kind: type[T], values: Mapping[str, Any]) -> T:
    """Make `kind` of the keys it has: a later release of the same schema version may have written more."""
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]  # every kind here is a data class
    return kind(**{key: value for key, value in values.items() if key in names})


def _number(value: float | None) -> float:
    return UNKNOWN if value is None else float(value)


def _estimate(item: Mapping[str, Any], key: str) -> Estimate | None:
    if item["method"] is None:
        return None
    low, high = item["interval"] or (None, None)
    place = None
    if item["position"] is not None or item["position_interval"] is not None:
        ends = item["position_interval"] or (None, None)
        place = Position(value=_number(item["position"]), low=_number(ends[0]), high=_number(ends[1]))
    return Estimate(
        value=_number(item[key]),
        low=_number(low),
        high=_number(high),
        method=item["method"],
        ceiling=item["ceiling"],
        floor=item["floor"],
        position=place,
    )


def _check(item: Mapping[str, Any]) -> CheckResult:
    skipped = tuple(_only(Skip, skip) for skip in item["ledger"]["skipped"])
    read = {
        "status": Status(item["status"]),
        "severity": Severity(item["severity"]),
        "score": _estimate(item, "score"),
        "threshold": Limit(**item["threshold"]),
        "each": Limit(**item["each"]),
        "ledger": Ledger(item["ledger"]["scored"], skipped),
        "seconds": item["seconds"] or 0.0,
        "findings": tuple(_finding(finding) for finding in item["findings"]),
        "tables": tuple(_table(table) for table in item.get("tables", ())),
    }
    return _only(CheckResult, {**item, **read})


def _table(item: Mapping[str, Any]) -> TableResult:
    return _only(TableResult, {**item, "status": Status(item["status"]), "score": _estimate(item, "score")})


def _finding(item: Mapping[str, Any]) -> Finding:
    read = {
        "columns": tuple(item["columns"]),
        "estimate": _estimate(item, "value"),
        "limit": Limit(**item["limit"]) if item["limit"] is not None else None,
        "severity": Severity(item["severity"]) if item["severity"] is not None else None,
    }
    measured = _only(Measured, {**item, **read})
    return Finding(measured=measured, status=Status(item["status"]), waived=item["waived"])
