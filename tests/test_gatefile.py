"""Gate files: what is read is what is written, what is wrong is named with its line, and nothing is let through."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from synthgate.declared import BOUNDS, FAMILIES, apply, declared_checks, preset_names
from synthgate.errors import GateFileError, UsageError
from synthgate.findings import Estimate, Limit, Position, Status
from synthgate.gatefile import load_gate, select
from synthgate.judging import judge
from synthgate.schemas import gate_schema
from synthgate.yamlfile import MAX_VALUES, read_yaml


def load(tmp_path, text, **options):
    path = tmp_path / "g.yaml"
    path.write_text(text, encoding="utf-8")
    return load_gate(path, **options)


# --- every error names file, line and mend ------------------------------------------------------------------------

BAD = [
    ("version: 1\nreel: x", 2, "unknown key 'reel'", "'real'"),
    ("version: 2", 1, "expected 1", "version: 1"),
    ("version: true", 1, "expected 1", "version: 1"),
    ("a: [1", 1, "no valid YAML", ""),
    ("- a", 1, "expected a mapping", "version: 1"),
    ("real: a\nreal: b", 2, "duplicate key 'real'", ""),
    ('roles:\n  1: id\n  "1": text', 3, "duplicate key '1'", ""),
    ("\nreal: 5", 2, "expected text", "quotes"),
    ('real: " "', 1, "empty", ""),
    ("preset: releese", 1, "unknown preset", "'release'"),
    ("\n\npreset: 3", 3, "expected text", ""),
    ("seed: -1", 1, "whole number", ""),
    ("seed: 1.5", 1, "whole number", ""),
    ("seed: .inf", 1, "whole number", ""),
    ("seed: .nan", 1, "whole number", ""),
    ("seed: true", 1, "expected a number", ""),
    ("seed: 1" + "0" * 400, 1, "too large", ""),
    ("seed: 1" + "0" * 5000, 1, "no valid int", ""),
    ("roles:\n  age: numercal", 2, "unknown role", "'numerical'"),
    ("roles:\n  age: [id]", 2, "unknown role", ""),
    ("roles:\n  age: {role: id, unit: m}", 2, "unknown key 'unit'", "role"),
    ("missing_values: [-999]", 1, "list of texts", "quotes"),
    ("target: 3", 1, "list of texts", "quotes"),
    ("constraints: age >= 17", 1, "expected a list", ""),
    ("constraints:\n  - a > 0\n  - ''", 3, "expected an SQL expression", "age >= 17"),
    ("constraints:\n  - 5", 2, "expected an SQL expression", ""),
    ("constraints:\n  - {name: x}", 2, "no `sql`", ""),
    ("constraints:\n  - sql: a > 0\n    tolerence: 0.1", 3, "unknown key", "'tolerance'"),
    ("constraints:\n  - sql: a > 0\n    tolerance: 1.1", 3, "share from 0 to 1", ""),
    ("constraints:\n  - sql: a > 0\n    severity: eror", 3, "unknown severity", "'error'"),
    ("version: 1\nschemas:\n  - pandera: a.py:X", 3, "runs as code", "allow_code: true"),
    ("schemas:\n  - pandera: a.csv", 2, "names no pandera schema", "schemas.py:Adult"),
    ("schemas:\n  - great_expectations: a.yaml", 2, "no JSON file", "saved as JSON"),
    ("schemas:\n  - pandra: a.yaml", 2, "unknown key 'pandra'", "'pandera'"),
    ("schemas:\n  - a.yaml", 2, "expected a mapping", "pandera: schema.yaml"),
    ("schemas:\n  - {pandera: a.yaml, great_expectations: a.json}", 2, "2 libraries, expected one", "pandera"),
    ("schemas:\n  - {pandera: a.yaml, tolerance: 2}", 2, "share from 0 to 1", ""),
    ("schemas:\n  - {pandera: a.yaml, severity: wran}", 2, "unknown severity", "'warn'"),
    ("checks: [fidelity.columns]", 1, "expected a mapping", ""),
    ("checks:\n  fidelity.colums: {}", 2, "unknown check", "'fidelity.columns'"),
    ("checks:\n  fidelity.columns: 0.5", 2, "expected a mapping", ""),
    ("checks:\n  fidelity.columns:\n    min_positon: 0.5", 3, "unknown key", "'min_position'"),
    ("checks:\n  fidelity.columns:\n    min_position: 1.5", 3, "expected 0 to 1", ""),
    ("checks:\n  fidelity.columns:\n    min: .nan", 3, "expected 0 to 1", ""),
    ("checks:\n  fidelity.columns:\n    min: '0.8'", 3, "expected a number", "without quotes"),
    ("checks:\n  fidelity.columns:\n    each: {least: 1}", 3, "unknown key", ""),
    ("checks:\n  fidelity.columns:\n    severity: errro", 3, "unknown severity", "'error'"),
    ("checks:\n  fidelity.columns:\n    require: 'yes'", 3, "true or false", ""),
    ("checks:\n  fidelity.columns:\n    inconclusive: skip", 3, "unknown value", "warn"),
    ("checks:\n  fidelity.columns:\n    profile: quick", 3, "unknown key 'profile'", ""),
    ("checks:\n  privacy.membership:\n    profile: standrad", 3, "unknown value", "'standard'"),
    ("checks:\n  privacy.membership:\n    profile: 3", 3, "expected a value like 'standard'", ""),
    ("checks:\n  privacy.membership:\n    max_tpr: 3", 3, "share from 0 to 1", ""),
    ("checks:\n  privacy.membership:\n    max_tpr: .nan", 3, "share from 0 to 1", ""),
    ("checks:\n  utility.tstr:\n    draws: 0", 3, "whole number from 1", ""),
    ("checks:\n  privacy.membership:\n    min: 0.55", 3, "a bad table could pass", "max"),
    ("checks:\n  coverage.ranges:\n    min_position: 0.5", 3, "a bad table could pass", "min"),
    ("checks:\n  schema.columns:\n    max: 0.1", 3, "no effect", "each"),
    ("checks:\n  schema.columns:\n    each:\n      min: 0", 4, "a bad table could pass", "max"),
    ("checks:\n  constraints.declared:\n    each: {max: 0.1}", 3, "no effect", "tolerance"),
    ("waivers:\n  - {check: fidelity.columns, until: 2027-01-01}", 2, "no `reason`", ""),
    ("waivers:\n  - {check: fidelity.colums, until: 2027-01-01, reason: r}", 2, "unknown check", "'fidelity.columns'"),
    ("waivers:\n  - {check: fidelity.columns, until: 2027-02-30, reason: r}", 2, "expected a date", "2027-03-31"),
    ("waivers:\n  - {check: fidelity.columns, until: 2027-03-31T10:00:00, reason: r}", 2, "expected a date", ""),
    ("waivers:\n  - {check: fidelity.columns, until: 2027-03-31, reason: ' '}", 2, "empty", ""),
    ("allow_code: 1", 1, "true or false", ""),
    ("real: !!python/object/apply:os.system [id]", 1, "not allowed", ""),
    ("roles: !thing {a: id}", 1, "not allowed", ""),
    ("roles: !!set {a, b}", 1, "not allowed", ""),
    ("checks: !!omap [a: 1]", 1, "not allowed", ""),
    ("real: !!map x", 1, "not allowed", ""),
    ("roles: !!seq {a: id}", 1, "not allowed", ""),
    ("? [a, b]\n: c", 1, "key is no plain text", ""),
    ("roles:\n  !x a: id", 2, "key is no plain text", ""),
    ("checks:\n  fidelity.pairs: &a {severity: warn}\n  fidelity.columns: {<<: *a}", 3, "merge keys", "repeat"),
    ("constraints: &a [*a]", 1, "alias stands inside", ""),
    ("real: " + "[" * 100 + "]" * 100, 1, "levels deep", ""),
    ("---\nversion: 1\n---\nversion: 1", 3, "another document", ""),
]


@pytest.mark.parametrize(("text", "line", "problem", "fix"), BAD, ids=[repr(b[0])[:60] for b in BAD])
def test_every_mistake_is_named_with_its_line_and_its_mend(tmp_path, text, line, problem, fix):
    with pytest.raises(GateFileError) as caught:
        load(tmp_path, text)
    assert caught.value.where == f"{tmp_path / 'g.yaml'}:{line}"
    assert problem in caught.value.problem
    assert fix in caught.value.fix


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(GateFileError, match="does not exist"):
        load_gate(tmp_path / "absent.yaml")
    with pytest.raises(GateFileError, match="cannot be read"):
        load_gate(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"real: caf\xe9")
    with pytest.raises(GateFileError, match="UTF-8"):
        load_gate(tmp_path / "latin.yaml")


# --- nothing is let through ---------------------------------------------------------------------------------------


def worst(declared: Limit) -> Estimate:
    """Return the worst that a measure under this limit can find; without a position where none is declared."""
    value = 1.0 if declared.max is not None else 0.0
    nowhere = Position(value=0.0, low=0.0, high=0.0) if declared.min_position is not None else None
    return Estimate(value=value, low=value, high=value, method="exact", position=nowhere)


def test_no_gate_file_can_set_a_limit_that_the_worst_table_meets(tmp_path):
    """For every check, place and bound: the file is refused, or the worst estimate still fails."""
    taken = refused = 0
    for check in declared_checks():
        for place in ("threshold", "each"):
            for bound in BOUNDS:
                policy = {bound: 0.5} if place == "threshold" else {"each": {bound: 0.5}}
                try:
                    gate = load(tmp_path, json.dumps({"checks": {check.id: policy}}))
                except GateFileError:
                    refused += 1
                    continue
                taken += 1
                changed = next(c for c in gate.checks if c.id == check.id)
                limit, declared = getattr(changed, place), getattr(check, place)
                assert limit.as_dict() == {bound: 0.5}
                assert judge(worst(declared), limit) is Status.FAIL, (check.id, place, bound)
    assert taken > 10
    assert refused > 10


def test_a_gate_that_would_judge_nothing_is_refused(tmp_path):
    every = "checks:\n" + "".join(f"  {check.id}: {{skip: true}}\n" for check in declared_checks())
    with pytest.raises(GateFileError, match="nothing would be judged"):
        load(tmp_path, every)
    with pytest.raises(UsageError, match="nothing would be judged"):
        load_gate(only=["fidelity"], skip=[c.id for c in declared_checks() if c.family == "fidelity"])
    with pytest.raises(UsageError, match="nothing would be judged"):
        load(tmp_path, "checks: {fidelity.columns: {skip: true}}", only=["fidelity.columns"])


def test_an_empty_policy_changes_nothing(tmp_path):
    gate = load(tmp_path, "checks:\n  fidelity.columns:\n  fidelity.pairs: {each: , min: }\nreal:\nmissing_values:\n")
    assert gate.checks == load_gate().checks
    assert gate.real is None
    assert gate.missing_values is None


# --- what is read is what is written ------------------------------------------------------------------------------


def test_paths_stand_relative_to_the_gate_file_and_urls_stay(tmp_path):
    gate = load(tmp_path, "real: data/a.csv\nsynthetic: /b.csv\nholdout: postgres://host/table\n")
    assert (gate.real, gate.synthetic) == (str(tmp_path / "data/a.csv"), "/b.csv")
    assert gate.holdout == "postgres://host/table"


def test_a_waiver_ends_on_a_day(tmp_path):
    for until in ("2027-03-31", "'2027-03-31'"):
        gate = load(tmp_path, f"waivers: [{{check: schema.nulls, until: {until}, reason: r, columns: a}}]")
        assert type(gate.waivers[0].until) is date
        assert gate.waivers[0].until == date(2027, 3, 31)
        assert gate.waivers[0].columns == ("a",)


def test_names_of_columns_are_the_text_of_the_file(tmp_path):
    names = ["no", "1e3", "017", "2020-01-01", "true", "null", "~", "a.b", "'<<'"]
    gate = load(tmp_path, "roles:\n" + "".join(f"  {name}: id\n" for name in names))
    assert list(gate.roles) == [*names[:-1], "<<"]
    assert [gate.place(f"roles.{name}").rsplit(":")[-1] for name in gate.roles] == [
        str(line) for line in range(2, 2 + len(names))
    ]


def test_anchors_may_be_used_within_reason(tmp_path):
    gate = load(tmp_path, "checks:\n  fidelity.columns: &a {require: &y true}\n  fidelity.pairs: *a\n")
    assert [c.id for c in gate.checks if c.required] == ["fidelity.columns", "fidelity.pairs"]
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]\n" for k in range(1, 20))
    with pytest.raises(GateFileError, match=f"more than {MAX_VALUES:,} values"):
        read_yaml(bomb, "x")


PLAIN_TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn", "Co", "Zl", "Zp")), max_size=12)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | PLAIN_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PLAIN_TEXT, inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(PLAIN_TEXT, PLAIN, max_size=4))
@settings(max_examples=80)
def test_json_is_read_as_it_stands(values):
    read = read_yaml(json.dumps(values, ensure_ascii=False), "x").values
    assert read == values
    assert repr(read) == repr(values)


@given(st.text(st.sampled_from(list("ab01 \n:-[]{},&*!?|>'\"%@#~.<=\t\ufeff\x00é")), max_size=40))
@settings(max_examples=200)
def test_any_text_is_read_or_refused(text):
    with suppress(GateFileError):
        node = read_yaml(text, "x")
        assert all(node.place(key).startswith("x:") for key in node.values)


# --- the schema for editors and the reader agree ------------------------------------------------------------------

FULL: dict[str, Any] = {
    "version": 1,
    "real": "a.csv",
    "target": ["income"],
    "preset": "release",
    "seed": 4,
    "roles": {"age": "numerical", "zip": {"role": "categorical"}},
    "key": "id",
    "missing_values": ["", "?"],
    "constraints": ["age >= 17", {"sql": "a < b", "name": "n", "tolerance": 0.1, "severity": "warn", "where": "a > 0"}],
    "checks": {
        "fidelity.columns": {"min_position": 0.7, "each": {"min": 0.3}, "severity": "warn", "inconclusive": "fail"},
        "privacy.membership": {"profile": "quick", "max": 0.6, "max_tpr": 0.1, "require": True},
        "schema.columns": {"each": {"max": 0.1}},
        "utility.tstr": {"draws": 10},
        "coverage.modes": {"skip": True},
    },
    "waivers": [{"check": "fidelity.columns", "columns": ["c"], "until": "2027-03-31", "reason": "r", "owner": "o"}],
    "allow_code": False,
}
JUNK: tuple[Any, ...] = (True, 0, 1, -1, 0.5, 2.5, 10**10, "", " ", "word", "warn", [], [3], ["word"], {}, {"max": 0.5})


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Return the path of everything inside a value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inside:
        yield (*path, key)
        yield from places(item, (*path, key))


def mutants() -> Iterator[dict[str, Any]]:
    """Return the full gate file with one thing in it replaced, or one key added."""
    for path in places(FULL):
        for junk in JUNK:
            mutant = copy.deepcopy(FULL)
            inner = mutant
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = junk
            yield mutant
        if isinstance(path[-1], str):
            mutant = copy.deepcopy(FULL)
            inner = mutant
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1] + "x"] = inner.pop(path[-1])
            yield mutant


def test_the_schema_accepts_what_the_reader_accepts_and_nothing_else(monkeypatch, tmp_path):
    """One change at a time, everywhere in a full gate file, by everything that does not belong there."""
    from synthgate import gatefile
    from synthgate.yamlfile import Node

    validator = Draft202012Validator(gate_schema())
    path = tmp_path / "g.yaml"
    counts = {True: 0, False: 0}
    for values in (FULL, *mutants()):
        # values go in as they are: parsing thousands of texts is another test's concern, and slow
        monkeypatch.setattr(gatefile, "read_yaml_file", lambda _path, values=values: Node(values, "g.yaml"))
        try:
            load_gate(path)
            read = True
        except GateFileError:
            read = False
        assert validator.is_valid(values) is read, values
        counts[read] += 1
    assert validator.is_valid(FULL)
    assert min(counts.values()) > 50


# --- selection and presets ----------------------------------------------------------------------------------------


def test_checks_are_selected_by_id_and_by_family_in_the_order_of_the_catalogue():
    assert [c.id for c in load_gate(only=["privacy.copies", "fidelity"]).checks] == [
        "fidelity.columns",
        "fidelity.pairs",
        "fidelity.higher_order",
        "fidelity.detection",
        "privacy.copies",
    ]
    families = [c.family for c in load_gate(skip=["utility"]).checks]
    assert "utility" not in families
    assert families == sorted(families, key=FAMILIES.index)
    with pytest.raises(UsageError, match="did you mean 'fidelity'"):
        load_gate(skip=["fidelty"])
    with pytest.raises(UsageError, match="nothing would be judged"):
        select((), (), ())


def test_the_argument_goes_before_the_files_preset(tmp_path):
    assert load(tmp_path, "preset: release").preset == "release"
    assert load(tmp_path, "preset: release", preset="share").preset == "share"
    with pytest.raises(GateFileError, match="--preset"):
        load_gate(preset="shar")


def test_a_gate_file_changes_a_preset_key_by_key(tmp_path):
    gate = load(tmp_path, "preset: share\nchecks: {privacy.membership: {max: 0.6}}")
    check = next(c for c in gate.checks if c.id == "privacy.membership")
    preset = next(c for c in load_gate(preset="share").checks if c.id == "privacy.membership")
    assert check.threshold.max == 0.6
    assert (check.each.max, preset.each.max) == (0.6, 0.52)
    assert check.required
    assert preset.required


def test_a_limit_on_findings_follows_the_score_unless_it_is_set(tmp_path):
    alone = load(tmp_path, "checks: {fidelity.columns: {min_position: 0.7}}").checks
    both = load(tmp_path, "checks: {fidelity.columns: {min_position: 0.7, each: {min_position: 0.4}}}").checks
    raw = load(tmp_path, "checks: {fidelity.columns: {min: 0.9}}").checks
    limits = [next(c for c in checks if c.id == "fidelity.columns").each.min_position for checks in (alone, both, raw)]
    assert limits == [0.7, 0.4, 0.95]


def test_naming_a_skipped_check_brings_it_back_in_its_place():
    removed = apply(declared_checks(), read_yaml("fidelity.columns: {skip: true}", "preset"))
    assert "fidelity.columns" not in [c.id for c in removed]
    back = apply(removed, read_yaml("fidelity.columns: {severity: warn}", "gate"))
    assert [c.id for c in back] == [c.id for c in declared_checks()]
    assert next(c for c in back if c.id == "fidelity.columns").severity == "warn"


def test_a_raw_bound_may_follow_a_position_and_the_other_way_round():
    raw = apply(declared_checks(), read_yaml("fidelity.columns: {min: 0.9}", "preset"))
    back = apply(raw, read_yaml("fidelity.columns: {min_position: 0.7}", "gate"))
    assert next(c for c in back if c.id == "fidelity.columns").threshold == Limit(min_position=0.7)


@pytest.mark.parametrize("name", preset_names())
def test_presets_demand_what_their_names_say(name):
    checks = {check.id: check for check in load_gate(preset=name).checks}
    required = {check_id for check_id, check in checks.items() if check.required}
    assert set(checks) == {check.id for check in declared_checks()} - {"review.sample"}
    assert {
        "default": not required,
        "training": {"fidelity.columns", "utility.tstr"} <= required
        and checks["privacy.membership"].severity == "warn",
        "share": {"privacy.copies", "privacy.membership"} <= required and checks["utility.tstr"].severity == "warn",
        "release": {"fidelity.columns", "utility.tstr", "privacy.copies", "privacy.membership"} <= required,
    }[name]
