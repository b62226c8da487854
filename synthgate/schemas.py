"""JSON Schemas of the gate file and of declared checks, made from what the readers accept."""

from __future__ import annotations

import json
from pathlib import Path

from synthgate.contracts import Library
from synthgate.declared import (
    CHECK_KEYS,
    FAMILIES,
    NAMED_PREFIX,
    NEEDS,
    UNDECIDED,
    DeclaredCheck,
    declared_checks,
    index,
    preset_names,
    settable,
)
from synthgate.findings import Json, Limit, Severity
from synthgate.gatefile import MAX_SEED, VERSION
from synthgate.roles import Role

DIALECT = "https://json-schema.org/draft/2020-12/schema"
SHARE: dict[str, Json] = {"type": "number", "minimum": 0, "maximum": 1}
TEXTS: dict[str, Json] = {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
JOINT: dict[str, Json] = {"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": True}
LIMIT: dict[str, Json] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"min": SHARE, "max": SHARE, "min_position": SHARE},
}
INDEX_MARK = "<!-- index -->\n"
TEXT: dict[str, Json] = {"type": "string", "pattern": "\\S"}
NAMED = f"^{NAMED_PREFIX[:-1]}\\.[A-Za-z]+$"
DAY = r"^\d{4}-\d{2}-\d{2}$"


def _closed(properties: dict[str, Json], required: list[Json] | None = None) -> dict[str, Json]:
    out: dict[str, Json] = {"type": "object", "additionalProperties": False, "properties": properties}
    return {**out, "required": required} if required else out


def _severity() -> Json:
    return {"enum": [str(severity) for severity in Severity]}


def _contract(library: Library) -> Json:
    """Return what an entry under ``schemas`` may say."""
    targets: dict[Library, Json] = {
        Library.PANDERA: {"type": "string", "pattern": "(\\.ya?ml|.:[^:]+)$"},
        Library.GREAT_EXPECTATIONS: {"type": "string", "pattern": "\\.json$"},
    }
    entry: dict[str, Json] = {"name": TEXT, "tolerance": SHARE, "severity": _severity(), "table": TEXT}
    return _closed({str(library): targets[library], **entry}, [str(library)])


def _policy() -> dict[str, Json]:
    """Return what a gate file may say of each check."""
    common = _common()
    out: dict[str, Json] = {}
    for check in declared_checks():
        options: dict[str, Json] = {key: _option(check, key) for key in check.options}
        limits = {} if check.own_limits else {**_bounds(check.threshold), "each": _closed(_bounds(check.each))}
        out[check.id] = {**_closed({**limits, **common, **options}), "description": check.question}
    return out


def _named_policy() -> Json:
    """Return what a gate file may say of an SDMetrics metric; its options are the metric's own arguments."""
    number: Json = {"type": "number"}
    bounds: dict[str, Json] = {"min": number, "max": number}
    policy: dict[str, Json] = {**bounds, "each": _closed(bounds), "columns": TEXTS, **_common()}
    held: list[Json] = [{"required": ["min"]}, {"required": ["max"]}, {"required": ["skip"]}]
    told = "An SDMetrics metric by its own name: docs/sdmetrics.md"
    return {"type": "object", "properties": policy, "anyOf": held, "description": told}


def _common() -> dict[str, Json]:
    return {
        "severity": _severity(),
        "require": {"type": "boolean"},
        "inconclusive": {"enum": list(UNDECIDED)},
        "skip": {"type": "boolean"},
    }


def _bounds(limit: Limit) -> dict[str, Json]:
    return dict.fromkeys(settable(limit), SHARE)


def _option(check: DeclaredCheck, key: str) -> Json:
    default = check.options[key]
    if isinstance(default, bool):
        return {"type": "boolean"}
    if isinstance(default, float):
        return SHARE
    if isinstance(default, int):
        return {"type": "integer", "minimum": 1}
    if isinstance(default, list):
        item: Json = {"type": "string"}
        if key in check.choices:
            item = {"anyOf": [{"enum": list(check.choices[key])}, {"type": "string", "pattern": ":"}]}
        return {"oneOf": [item, {"type": "array", "items": item}]}
    return {"enum": list(check.choices[key])} if key in check.choices else {"type": "string"}


def gate_schema() -> dict[str, Json]:
    """Return the JSON Schema of ``synthgate.yaml``."""
    constraint = _closed(
        {
            "sql": TEXT,
            "name": TEXT,
            "tolerance": SHARE,
            "severity": _severity(),
            "where": TEXT,
            "table": TEXT,
        },
        ["sql"],
    )
    waiver = _closed(
        {
            "check": {
                "oneOf": [{"enum": [check.id for check in declared_checks()]}, {"type": "string", "pattern": NAMED}]
            },
            "columns": TEXTS,
            "until": {"type": "string", "format": "date", "pattern": DAY},
            "reason": TEXT,
            "owner": TEXT,
        },
        ["check", "until", "reason"],
    )
    column: Json = {"type": "string", "pattern": "^[^.]+\\..+$"}
    end: Json = {"oneOf": [column, {"type": "array", "items": column, "minItems": 1}]}
    sequence = _closed({"table": TEXT, "key": TEXT, "index": TEXT}, ["key"])
    paths: dict[str, Json] = dict.fromkeys(("real", "synthetic", "holdout", "metadata"), TEXT)
    role: Json = {"enum": [str(role) for role in Role]}
    properties: dict[str, Json] = {
        "version": {"const": VERSION},
        **paths,
        "target": TEXTS,
        "preset": {"enum": list(preset_names())},
        "seed": {"type": "integer", "minimum": 0, "maximum": MAX_SEED},
        "roles": {"type": "object", "additionalProperties": {"oneOf": [role, _closed({"role": role}, ["role"])]}},
        "key": {"oneOf": [{"type": "string"}, {"type": "array", "items": {"oneOf": [{"type": "string"}, JOINT]}}]},
        "time": TEXT,
        "missing_values": TEXTS,
        "relationships": {"type": "array", "items": _closed({"parent": end, "child": end}, ["parent", "child"])},
        "reference": TEXTS,
        "sequence": {"oneOf": [sequence, {"type": "array", "items": sequence}]},
        "constraints": {"type": "array", "items": {"oneOf": [TEXT, constraint]}},
        "schemas": {"type": "array", "items": {"oneOf": [_contract(library) for library in Library]}},
        "checks": {**_closed(_policy()), "patternProperties": {NAMED: _named_policy()}},
        "waivers": {"type": "array", "items": waiver},
        "allow_code": {"type": "boolean"},
    }
    return {"$schema": DIALECT, "title": "A synthgate gate file", **_closed(properties)}


def check_schema() -> dict[str, Json]:
    """Return the JSON Schema of the files under ``checks/``."""
    text: Json = {"type": "string"}
    special: dict[str, Json] = {
        "needs": {"type": "array", "items": {"enum": list(NEEDS)}},
        "threshold": LIMIT,
        "each": LIMIT,
        "severity": _severity(),
        "required": {"type": "boolean"},
        "inconclusive": {"enum": list(UNDECIDED)},
        "options": {"type": "object"},
        "choices": {"type": "object", "additionalProperties": {"type": "array", "items": text}},
        "sources": {"type": "array", "items": text},
        "id": {"type": "string", "pattern": f"^({'|'.join(FAMILIES)})\\.[a-z_]+$"},
    }
    properties: dict[str, Json] = {key: special.get(key, text) for key in CHECK_KEYS}
    check = _closed(properties, ["id", "title", "question", "why", "remedy"])
    return {
        "$schema": DIALECT,
        "title": "Declared checks",
        **_closed({"checks": {"type": "array", "items": check}}, ["checks"]),
    }


def write_all(folder: Path) -> None:
    """Write both schemas, and the index in the README, into the folder of declared checks."""
    (folder / "gate.schema.json").write_text(as_text(gate_schema()), encoding="utf-8")
    (folder / "check.schema.json").write_text(as_text(check_schema()), encoding="utf-8")
    readme = folder / "README.md"
    head = readme.read_text(encoding="utf-8").split(INDEX_MARK)[0]
    readme.write_text(f"{head}{INDEX_MARK}{index()}\n", encoding="utf-8")


def as_text(schema: dict[str, Json]) -> str:
    """Return a schema as the shipped file holds it."""
    return json.dumps(schema, indent=2) + "\n"


if __name__ == "__main__":
    write_all(Path("checks"))
