"""What other programs read: result.json, JUnit XML and SARIF."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from xml.etree import ElementTree as ET

import jsonschema
import pytest

from synthgate._bundle import bundled
from synthgate.findings import Estimate, Measured, Status
from synthgate.render import junit, sarif
from synthgate.render.json import as_dict, render


@pytest.fixture(scope="module")
def schema():
    return json.loads(bundled("reports").joinpath("result.schema.json").read_text(encoding="utf-8"))


def test_schema_is_itself_valid(schema):
    jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("name", ["verdict", "adult_sized", "hostile"])
def test_result_is_valid(request, schema, name):
    result = json.loads(render(request.getfixturevalue(name)))
    jsonschema.Draft202012Validator(schema).validate(result)
    result["checks"][0]["status"] = "perhaps"
    assert not jsonschema.Draft202012Validator(schema).is_valid(result)


def test_every_key_is_in_the_schema(schema, verdict):
    result = as_dict(verdict)
    places = schema["$defs"]
    assert set(result) == set(schema["properties"])
    assert set(result["run"]) == set(schema["properties"]["run"]["properties"])
    for check in result["checks"]:
        # only a run for several tables says how each came out
        assert set(check) == set(places["check"]["properties"]) - {"tables"} == set(places["check"]["required"])
        for finding in check["findings"]:
            assert set(finding) == set(places["finding"]["properties"]) == set(places["finding"]["required"])


def test_text_and_dictionary_say_the_same(verdict, hostile):
    for one in (verdict, hostile):
        assert json.loads(render(one)) == as_dict(one)
        assert one.to_dict() == as_dict(one)


def test_what_is_not_finite_is_null_and_floats_are_whole(verdict):
    estimate = Estimate(value=0.1 + 0.2, low=-math.inf, high=math.nan, method="m")
    finding = replace(verdict["fidelity.columns"].findings[0], measured=Measured(
        metric="m", message="m", estimate=estimate, details={"b": [math.nan, 1], "a": math.inf}))  # fmt: skip
    check = replace(verdict["fidelity.columns"], findings=(finding,))
    result = json.loads(render(replace(verdict, checks=(check,))), parse_constant=pytest.fail)
    found = result["checks"][0]["findings"][0]
    assert found["value"] == 0.1 + 0.2
    assert found["interval"] == [None, None]
    assert found["details"] == {"a": None, "b": [None, 1]}


def test_order_of_free_mappings_does_not_change_the_bytes(verdict):
    def turned(mapping):
        return dict(reversed(list(mapping.items())))

    run = replace(verdict.run, versions=turned(verdict.run.versions), roles=turned(verdict.run.roles))
    checks = tuple(replace(check, details=turned(check.details)) for check in verdict.checks)
    assert render(replace(verdict, run=run, checks=checks)) == render(verdict)


def test_a_value_that_json_does_not_know_is_refused(verdict):
    check = replace(verdict["schema.keys"], details={"x": object()})
    with pytest.raises(TypeError, match="holds a object"):
        render(replace(verdict, checks=(check,)))


def test_junit_has_one_case_for_each_check(verdict):
    suites = ET.fromstring(junit.render(verdict).encode())
    cases = suites.findall("testsuite/testcase")
    assert [(case.get("classname"), case.get("name")) for case in cases] == [(c.family, c.id) for c in verdict.checks]
    element = {
        Status.FAIL: "failure",
        Status.ERROR: "error",
        Status.NOT_ASSESSED: "skipped",
        Status.INCONCLUSIVE: "skipped",
    }
    for case, check in zip(cases, verdict.checks, strict=True):
        open_and_required = check.required and check.status in (Status.NOT_ASSESSED, Status.INCONCLUSIVE)
        wanted = "error" if open_and_required else element.get(check.status)
        outcome = [child.tag for child in case if child.tag != "system-out"]
        assert outcome == ([wanted] if wanted else [])
        if wanted:
            assert check.reason[1:] in case[0].get("message", "")
    for key, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert suites.get(key) == str(len(suites.findall(f".//{tag}")))
        assert suites.get(key) != "0"


def test_hostile_junit_is_well_formed(hostile, hostile_texts):
    suites = ET.fromstring(junit.render(hostile).encode())
    names = [str(case.get("name")) for case in suites.iter("testcase")]
    assert names[0] == f"fidelity.{hostile_texts[0]}"
    assert len(names) == len(hostile_texts)


@pytest.mark.parametrize("name", ["verdict", "hostile"])
def test_sarif_holds_together(request, name):
    verdict = request.getfixturevalue(name)
    log = json.loads(sarif.render(verdict))
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert log["version"] == "2.1.0"
    assert len(rules) == len(verdict.checks)
    assert all(rule["help"]["text"] and rule["shortDescription"]["text"] for rule in rules)
    assert run["results"]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] == "none" or result["kind"] == "fail"
        assert result["message"]["text"]
        place = result["locations"][0]["physicalLocation"]
        assert place["region"]["startLine"] == 1
        assert place["artifactLocation"]["uri"].isascii()
    prints = [r["partialFingerprints"]["synthgate/v1"] for r in run["results"]]
    assert len(prints) == len(set(prints))


def test_sarif_points_to_the_gate_file_else_to_the_data(verdict):
    def uri(one):
        result = json.loads(sarif.render(one))["runs"][0]["results"][0]
        return result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]

    assert uri(verdict) == "synthgate.yaml"
    data = replace(verdict.run.synthetic, source="my data/new.csv")
    assert uri(replace(verdict, run=replace(verdict.run, gate_file=None, synthetic=data))) == "my%20data/new.csv"


def test_passing_checks_give_no_sarif_result(verdict):
    ids = {result["ruleId"] for result in json.loads(sarif.render(verdict))["runs"][0]["results"]}
    assert ids == {check.id for check in verdict.checks if check.status is not Status.PASS}
