"""What other programs read: result.json, JUnit XML and SARIF."""

from __future__ import annotations

import json
import math
import re
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
        counted = str(len(suites.findall(f".//{tag}")))
        assert suites[0].get(key) == counted != "0"
        assert suites.get(key) == (None if key == "skipped" else counted)


# What the strictest schema in use lets stand where: the one of Jenkins' xUnit plugin (junit-10), in our words.
ALLOWED = {
    "testsuites": ({"testsuite"}, {"name", "time", "tests", "failures", "errors"}),
    "testsuite": ({"properties", "testcase", "system-out", "system-err"},
                  {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname", "group", "id",
                   "package", "file", "log", "url"}),
    "properties": ({"property"}, set()),
    "property": (set(), {"name", "value"}),
    "testcase": ({"skipped", "error", "failure", "system-out", "system-err"}, {"name", "classname", "time", "group"}),
    "failure": (set(), {"type", "message"}),
    "error": (set(), {"type", "message"}),
    "skipped": (set(), {"type", "message"}),
    "system-out": (set(), set()),
}  # fmt: skip
NEEDED = {"testsuite": {"name", "tests", "failures", "errors"}, "testcase": {"name"}, "property": {"name", "value"}}


@pytest.mark.parametrize("name", ["verdict", "adult_sized", "hostile"])
def test_junit_has_only_what_ci_systems_know(request, name):
    root = ET.fromstring(junit.render(request.getfixturevalue(name)).encode())
    assert root.tag == "testsuites"
    seen = set()
    for element in root.iter():
        children, attributes = ALLOWED[element.tag]
        assert {child.tag for child in element} <= children
        assert set(element.attrib) <= attributes
        assert set(element.attrib) >= NEEDED.get(element.tag, set())
        assert "time" not in element.attrib or re.fullmatch(r"\d+\.\d*", element.attrib["time"])
        seen.add(element.tag)
    assert seen >= {"testsuites", "testsuite", "properties", "property", "testcase", "skipped"}


TEXT = {"type": "object", "required": ["text"], "additionalProperties": False,
        "properties": {"text": {"type": "string", "minLength": 1}}}  # fmt: skip
LEVEL = {"enum": ["none", "note", "warning", "error"]}
# The part of SARIF 2.1.0 (OASIS, errata 01) that synthgate writes, section by section in our words: whatever it
# writes beyond that is refused, so a new key has to be looked up there first.
SARIF = {
    "type": "object", "required": ["$schema", "version", "runs"], "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "pattern": "^https://.*sarif-schema-2.1.0.json$"},
        "version": {"const": "2.1.0"},
        "runs": {"type": "array", "items": {
            "type": "object", "required": ["tool"], "additionalProperties": False,
            "properties": {
                "tool": {"type": "object", "required": ["driver"], "additionalProperties": False, "properties": {
                    "driver": {"type": "object", "required": ["name"], "additionalProperties": False, "properties": {
                        "name": {"type": "string"}, "version": {"type": "string"},
                        "rules": {"type": "array", "uniqueItems": True, "items": {
                            "type": "object", "required": ["id"], "additionalProperties": False,
                            "properties": {
                                "id": {"type": "string"}, "name": {"type": "string"}, "shortDescription": TEXT,
                                "fullDescription": TEXT, "help": TEXT,
                                "defaultConfiguration": {"type": "object", "additionalProperties": False,
                                                         "properties": {"level": LEVEL}},
                                "properties": {"type": "object", "properties": {"tags": {
                                    "type": "array", "uniqueItems": True, "items": {"type": "string"}}}},
                            },
                        }},
                    }},
                }},
                "automationDetails": {"type": "object", "additionalProperties": False,
                                      "properties": {"id": {"type": "string"}}},
                "invocations": {"type": "array", "items": {
                    "type": "object", "required": ["executionSuccessful"], "additionalProperties": False,
                    "properties": {"executionSuccessful": {"type": "boolean"}}}},
                "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                "properties": {"type": "object"},
                "results": {"type": "array", "items": {
                    "type": "object", "required": ["message"], "additionalProperties": False,
                    "properties": {
                        "ruleId": {"type": "string"}, "ruleIndex": {"type": "integer", "minimum": 0},
                        "kind": {"enum": ["notApplicable", "pass", "fail", "review", "open", "informational"]},
                        "level": LEVEL, "message": TEXT,
                        "partialFingerprints": {"type": "object", "additionalProperties": {"type": "string"}},
                        "locations": {"type": "array", "items": {
                            "type": "object", "additionalProperties": False,
                            "properties": {
                                "logicalLocations": {"type": "array", "uniqueItems": True, "items": {
                                    "type": "object", "additionalProperties": False,
                                    "properties": {"fullyQualifiedName": {"type": "string"}}}},
                                "physicalLocation": {"type": "object", "additionalProperties": False, "properties": {
                                    "artifactLocation": {"type": "object", "additionalProperties": False,
                                                         "properties": {"uri": {"type": "string", "minLength": 1}}},
                                    "region": {"type": "object", "additionalProperties": False,
                                               "properties": {"startLine": {"type": "integer", "minimum": 1}}},
                                }},
                            },
                        }},
                    },
                }},
            },
        }},
    },
}  # fmt: skip


@pytest.mark.parametrize("name", ["verdict", "adult_sized", "hostile"])
def test_sarif_keeps_to_the_part_of_the_standard_that_it_uses(request, name):
    log = json.loads(sarif.render(request.getfixturevalue(name)))
    jsonschema.Draft202012Validator.check_schema(SARIF)
    jsonschema.Draft202012Validator(SARIF).validate(log)
    log["runs"][0]["results"][0]["level"] = "fatal"
    assert not jsonschema.Draft202012Validator(SARIF).is_valid(log)


def test_findings_that_look_alike_have_fingerprints_of_their_own(verdict):
    check = verdict["fidelity.detection"]
    twice = replace(check, findings=(check.findings[0], check.findings[0]))
    results = json.loads(sarif.render(replace(verdict, checks=(twice,))))["runs"][0]["results"]
    first, second = (result["partialFingerprints"]["synthgate/v1"] for result in results)
    assert first != second
    (alone,) = json.loads(sarif.render(replace(verdict, checks=(replace(check, findings=check.findings[:1]),))))[
        "runs"
    ][0]["results"]
    assert alone["partialFingerprints"]["synthgate/v1"] == first


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
