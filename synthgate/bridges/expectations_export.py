"""The inferred contract as a Great Expectations suite, made by that library itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from synthgate.bridges.inferred import ColumnRules
from synthgate.bridges.pandera_export import moment_of
from synthgate.libraries import require, silent

EXTRA = "great-expectations"
WHOLE = [f"{sign}nt{bits}" for bits in (8, 16, 32, 64) for sign in ("i", "I", "ui", "UI")]
REAL = ["float16", "float32", "float64", "Float32", "Float64"]
TYPES = {"integer": WHOLE, "float": [*REAL, *WHOLE], "boolean": ["bool", "boolean"], "string": ["str"]}


def suite_text(rules: Sequence[ColumnRules], target: Path, tolerance: float) -> str:
    """Return the contract as the JSON of a suite.

    Parameters
    ----------
    rules : sequence of ColumnRules
    target : Path
        The file that will hold it; its name becomes the suite's.
    tolerance : float
        Share of values that may break a rule other than those of keys: ``mostly`` is the rest.

    Raises
    ------
    UsageError
        When Great Expectations is not installed.
    """
    gx = require("great_expectations", EXTRA, "--great-expectations")
    names = [rule.name for rule in rules]
    items = [_item("expect_table_columns_to_match_set", column_set=names, exact_match=True)]
    items += [item for rule in rules for item in _expectations(rule, round(1 - tolerance, 9))]
    with silent():
        gx.get_context(mode="ephemeral")
        suite = gx.ExpectationSuite(name=target.stem or "contract", expectations=items)
        content = suite.to_json_dict()
    return json.dumps(content, indent=2, ensure_ascii=True) + "\n"


def _item(kind: str, **arguments: Any) -> dict[str, Any]:
    return {"type": kind, "kwargs": arguments}


def _expectations(rule: ColumnRules, mostly: float) -> list[dict[str, Any]]:
    items = []
    name = rule.name
    loose = {"mostly": 1 if rule.unique else mostly}
    if not rule.nullable:
        items.append(_item("expect_column_values_to_not_be_null", column=name, **loose))
    types = TYPES.get(rule.kind)
    if types and not (rule.nullable and rule.kind == "boolean"):
        # pandas reads whole numbers with gaps as float64
        kinds = [*types, "float64"] if rule.kind == "integer" and rule.nullable else types
        items.append(_item("expect_column_values_to_be_in_type_list", column=name, type_list=kinds))
    if rule.unique:
        items.append(_item("expect_column_values_to_be_unique", column=name))
    low, high = (_bound(rule, bound) for bound in (rule.low, rule.high))
    if low is not None or high is not None:
        bounds = {"min_value": low, "max_value": high}
        kept = {key: bound for key, bound in bounds.items() if bound is not None}
        items.append(_item("expect_column_values_to_be_between", column=name, **kept, **loose))
    if rule.allowed:
        items.append(_item("expect_column_values_to_be_in_set", column=name, value_set=list(rule.allowed), **loose))
    if rule.pattern:
        items.append(_item("expect_column_values_to_match_regex", column=name, regex=rule.pattern, **loose))
    return items


def _bound(rule: ColumnRules, bound: float | None) -> float | str | None:
    if bound is None or rule.kind != "datetime":
        return bound
    moment = moment_of(bound)
    if moment is None:
        return None
    return moment.date().isoformat() if rule.by_day else moment.replace(tzinfo=None).isoformat()
