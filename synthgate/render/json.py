"""``result.json``: everything in the verdict, canonical. Its JSON Schema is ``reports/result.schema.json``."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any

from synthgate.findings import CheckResult, DataInfo, Diagnosis, Estimate, Finding, Json, RunInfo, TableResult
from synthgate.verdict import SCHEMA_VERSION, Verdict

# Invisible, direction-changing and unpaired characters are legal in JSON text, but not safe to look at.
UNSAFE = re.compile("[\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\ufff9-\uffff]")


def as_dict(verdict: Verdict) -> dict[str, Json]:
    """Return the verdict as ``result.json`` holds it: plain values, NaN and infinities as None."""
    run = verdict.run
    data = {side: _data(getattr(run, side)) for side in ("real", "synthetic", "holdout")}
    return {
        "schema_version": SCHEMA_VERSION,
        "synthgate_version": run.synthgate_version,
        "verdict": verdict.outcome.value,
        "seed": run.seed,
        "data": data,
        "scores": {family: _plain(score) for family, score in verdict.scores.items()},
        "diagnosis": [_diagnosis(found) for found in verdict.diagnosis],
        "run": _run(run),
        "checks": [_check(check) for check in verdict.checks],
    }


def render(verdict: Verdict) -> str:
    """Return ``result.json``: one line for each finding, so that two results can be compared line by line."""
    result = as_dict(verdict)
    checks = result.pop("checks")
    lines = [f"  {_dump(key)}: {_dump(value)}" for key, value in result.items()]
    items = [_check_text(check) for check in checks] if isinstance(checks, list) else []
    body = "[\n" + ",\n".join(items) + "\n  ]" if items else "[]"
    return "{\n" + ",\n".join([*lines, f'  "checks": {body}']) + "\n}\n"


def _check_text(check: Mapping[str, Json]) -> str:
    head = {key: value for key, value in check.items() if key != "findings"}
    findings = check["findings"]
    lines = [f"      {_dump(finding)}" for finding in findings] if isinstance(findings, list) else []
    body = "[\n" + ",\n".join(lines) + "\n    ]" if lines else "[]"
    return f'    {_dump(head)[:-1]}, "findings": {body}}}'


def _dump(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _plain(value: Any) -> Json:
    """Return a value as JSON can hold it; free mappings are sorted, so that equal ones give equal bytes."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _plain(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, Sequence):
        return [_plain(item) for item in value]
    raise TypeError(f"a verdict holds a {type(value).__name__}, and JSON has no such thing: {value!r:.80}")


def _diagnosis(found: Diagnosis) -> dict[str, Json]:
    return {
        "name": found.name,
        "sentence": found.sentence,
        "confidence": found.confidence,
        "checks": list(found.checks),
        "columns": list(found.columns),
    }


def _data(side: DataInfo | None) -> Json:
    if side is None:
        return None
    told: dict[str, Json] = {
        "source": side.source, "rows": side.rows, "columns": side.columns, "sha256": side.sha256
    }  # fmt: skip
    return {**told, "tables": {name: _data(table) for name, table in side.tables.items()}} if side.tables else told


def _run(run: RunInfo) -> Json:
    return {
        "created": run.created,
        "targets": list(run.targets),
        "gate_file": run.gate_file,
        "preset": run.preset,
        "roles": _plain(run.roles),
        "versions": _plain(run.versions),
        "notes": list(run.notes),
        "seconds": _plain(run.seconds),
    }


def _estimate(estimate: Estimate | None, key: str) -> dict[str, Json]:
    """Return an estimate's keys; `key` is what its value is called."""
    names = (key, "interval", "method", "ceiling", "floor", "position", "position_interval")
    if estimate is None:
        return dict.fromkeys(names)
    at = estimate.position
    interval = (estimate.low, estimate.high)
    position = (at.value, (at.low, at.high)) if at else (None, None)
    values = (estimate.value, interval, estimate.method, estimate.ceiling, estimate.floor, *position)
    return {name: _plain(value) for name, value in zip(names, values, strict=True)}


def _check(check: CheckResult) -> dict[str, Json]:
    return {
        "id": check.id,
        "family": check.family,
        "title": check.title,
        "question": check.question,
        "status": check.status.value,
        "severity": check.severity.value,
        "required": check.required,
        **_estimate(check.score, "score"),
        "threshold": _plain(check.threshold.as_dict()),
        "each": _plain(check.each.as_dict()),
        "ledger": {
            "scored": check.ledger.scored,
            "skipped": [{"subject": skip.subject, "reason": skip.reason} for skip in check.ledger.skipped],
        },
        "seconds": _plain(check.seconds),
        "reason": check.reason,
        "why": check.why,
        "remedy": check.remedy,
        "power": check.power,
        "details": _plain(check.details),
        **({"tables": [_table(one) for one in check.tables]} if check.tables else {}),
        "findings": [_finding(finding) for finding in check.findings],
    }


def _table(result: TableResult) -> Json:
    return {
        "table": result.table,
        "status": result.status.value,
        "reason": result.reason,
        **_estimate(result.score, "score"),
        "details": _plain(result.details),
    }


def _finding(finding: Finding) -> dict[str, Json]:
    measured = finding.measured
    return {
        "table": measured.table,
        "columns": list(measured.columns),
        "metric": measured.metric,
        **_estimate(measured.estimate, "value"),
        "status": finding.status.value,
        "message": measured.message,
        "judged": measured.judged,
        "limit": _plain(measured.limit.as_dict()) if measured.limit else None,
        "severity": measured.severity.value if measured.severity else None,
        "waived": finding.waived,
        "not_assessed": measured.not_assessed,
        "details": _plain(measured.details),
    }
