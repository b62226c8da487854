"""Declared checks, presets and gate files say only what can be carried out."""

from __future__ import annotations

import json

import pytest
from jsonschema import Draft202012Validator

from synthgate._bundle import bundled
from synthgate.catalogue import find_measure
from synthgate.declared import declared_checks, index, preset_names
from synthgate.errors import GateFileError
from synthgate.findings import Severity
from synthgate.gatefile import Constraint, load_gate
from synthgate.schemas import INDEX_MARK, as_text, check_schema, gate_schema
from synthgate.yamlfile import read_yaml


@pytest.mark.parametrize("check", declared_checks(), ids=lambda c: c.id)
def test_every_check_has_a_measure_limits_and_words(check):
    assert check.id.startswith(check.family + ".")
    assert check.question.endswith("?")
    assert check.why
    assert check.remedy
    assert check.how_to_read
    assert check.threshold.as_dict() or check.each.as_dict()
    found = find_measure(check.id)
    assert found is not None
    assert check.options.items() <= found.options.items()
    texts = {key for key, value in check.options.items() if isinstance(value, str)}
    lists = {key for key, value in check.options.items() if isinstance(value, list)}
    assert texts - {"file"} <= set(check.choices) <= texts - {"file"} | lists
    for key, values in check.choices.items():
        assert set(check.options[key] if key in lists else [check.options[key]]) <= set(values)


def test_the_choices_are_those_of_the_code():
    from synthgate.measures.privacy.panel import QUERIES

    choices = next(check for check in declared_checks() if check.id == "privacy.membership").choices
    assert set(choices["profile"]) == set(QUERIES)


@pytest.mark.parametrize("check_id", ["schema", "constraints", "fidelity", "coverage", "privacy.copies"])
def test_measures_give_what_the_declared_limits_hold(make_evidence, draw_people, check_id):
    """A limit on a score that is never given, or on a position that is never there, would let everything pass."""
    real, synthetic, holdout = (draw_people(300, seed) for seed in (1, 2, 3))
    rules = (Constraint(sql="age >= 0", name="age"),)
    evidence = make_evidence(real, synthetic, holdout, keys=("id",), constraints=rules)
    judged = 0
    for check in load_gate(only=[check_id]).checks:
        measurement = find_measure(check.id).compute(evidence, check.options)
        if measurement.not_assessed is not None:
            continue
        score = measurement.score
        assert not check.threshold.as_dict() or score is not None, check.id
        assert check.threshold.min_position is None or score.position is not None, check.id
        for found in measurement.findings:
            if found.judged and found.estimate is not None:
                judged += 1
                assert found.limit is not None or not check.own_limits, (check.id, found.metric)
                position = found.limit is None and check.each.min_position is not None
                assert not position or found.estimate.position is not None, (check.id, found.metric)
    assert judged


def test_ids_are_unique():
    ids = [check.id for check in declared_checks()]
    assert len(ids) == len(set(ids))


def test_the_shipped_schemas_and_the_index_are_those_of_the_code():
    folder = bundled("checks")
    assert folder.joinpath("gate.schema.json").read_text() == as_text(gate_schema())
    assert folder.joinpath("check.schema.json").read_text() == as_text(check_schema())
    assert folder.joinpath("README.md").read_text().split(INDEX_MARK)[1] == index() + "\n"


def test_the_shipped_files_meet_their_schema():
    validator = Draft202012Validator(check_schema())
    for file in bundled("checks").iterdir():
        if file.name.endswith(".yaml"):
            validator.validate(read_yaml(file.read_text(), file.name).values)


GOOD = """
version: 1
target: [income]
preset: release
seed: 4
roles: {age: numerical, zip: {role: categorical}}
key: id
missing_values: ["", "?"]
constraints: [age >= 17, {sql: a < b, name: n, tolerance: 0.1, severity: warn, where: a > 0}]
checks:
  fidelity.columns: {min_position: 0.7, each: {min_position: 0.3}, severity: warn, require: true, inconclusive: fail}
  privacy.membership: {profile: quick}
  coverage.modes: {skip: true}
waivers:
  - {check: fidelity.columns, columns: [capital-gain], until: 2027-03-31, reason: known heavy tail, owner: me}
"""


def test_a_gate_file_is_read_as_it_is_written(tmp_path):
    path = tmp_path / "synthgate.yaml"
    path.write_text("real: data/a.csv\n" + GOOD)
    gate = load_gate(path)
    checks = {check.id: check for check in gate.checks}
    assert gate.real == str(tmp_path / "data/a.csv")
    assert gate.targets == ("income",)
    assert gate.roles["zip"] == "categorical"
    assert gate.keys == ("id",)
    assert "coverage.modes" not in checks
    columns = checks["fidelity.columns"]
    assert (columns.threshold.min_position, columns.each.min_position) == (0.7, 0.3)
    assert (columns.severity, columns.required, columns.inconclusive) == (Severity.WARN, True, "fail")
    assert checks["privacy.membership"].options["profile"] == "quick"
    assert checks["privacy.membership"].required
    assert [c.tolerance for c in gate.constraints] == [0.0, 0.1]
    assert gate.waivers[0].until.year == 2027
    assert gate.place("checks.fidelity.columns") == f"{path}:12"


def test_what_the_reader_accepts_the_schema_accepts():
    values = read_yaml(GOOD, "x").values
    values["waivers"][0]["until"] = str(values["waivers"][0]["until"])
    Draft202012Validator(gate_schema()).validate(json.loads(json.dumps(values, default=str)))


@pytest.mark.parametrize("name", preset_names())
def test_presets_load(name):
    assert load_gate(preset=name).preset == name


def test_yaml_keeps_norway_and_refuses_twins_and_objects():
    assert read_yaml("a: no\nb: 017\nc: on", "x").values == {"a": "no", "b": 17, "c": "on"}
    for text in ("a: 1\na: 2", "a: !!python/name:os.system", "a: !thing x", "a: [1", "\t- x: 1"):
        with pytest.raises(GateFileError):
            read_yaml(text, "x")
