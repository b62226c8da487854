"""The self test of a gate: what it catches, what it misses, which setting would catch it, and what is written."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import synthgate
from synthgate.cli import Exit, run_command
from synthgate.cli.selftest import DEFAULT_ROWS
from synthgate.declared import declared_checks
from synthgate.defects import Rung
from synthgate.defects.limits import _between
from synthgate.defects.parts import open_source
from synthgate.defects.report import as_html, as_json, as_text, cell
from synthgate.defects.trials import MOST_ROWS, alarms_of, policy_of, self_test
from synthgate.errors import DataError, UsageError
from synthgate.findings import Outcome
from synthgate.gatefile import load_gate

HOSTILE = "<script>alert(1)</script>\"'&\u202e"
SCHEMA_ONLY = """\
version: 1
key: id
constraints: [age >= 0]
checks:
  fidelity.columns: {min_position: 0.0, each: {min_position: 0.0}}
"""
KEPT = ("schema", "constraints.declared", "fidelity.columns")
QUICK = SCHEMA_ONLY + "".join(
    f"  {check.id}: {{skip: true}}\n" for check in declared_checks() if not {check.id, check.family} & set(KEPT)
)


@pytest.fixture
def gate_file(tmp_path):
    path = tmp_path / "synthgate.yaml"
    path.write_text(SCHEMA_ONLY)
    return path


def run_on(gate_file, table, *, only, **more):
    policy = policy_of(gate_file)
    kept = tuple(c for c in policy.checks if c.id in KEPT or c.family in KEPT)
    return self_test(replace(policy, checks=kept), table, only=only, **more)


@pytest.fixture(scope="module")
def result(tmp_path_factory, draw_people):
    gate_file = tmp_path_factory.mktemp("gate") / "synthgate.yaml"
    gate_file.write_text(SCHEMA_ONLY)
    names = ("new_category", "unit_change", "memorised_rows", "shifted_dates", "shuffled_target")
    return run_on(gate_file, draw_people(1500, 1), only=names)


def by_name(test):
    return {found.defect.name: found for found in test.defects}


def test_it_says_from_which_severity_a_defect_is_caught_and_by_what(result):
    assert [control.outcome for control in result.controls] == [Outcome.PASS] * 3
    assert not result.clean_fails
    found = by_name(result)["new_category"]
    assert found.lowest.rung is Rung.TRACE
    assert {alarm.check for alarm in found.lowest.alarms} == {"schema.categories"}
    assert found.lowest.right_column
    assert found.missed is None
    assert [trial.rung for trial in found.trials] == [Rung.GROSS, Rung.MODERATE, Rung.SUBTLE, Rung.TRACE]


def test_what_a_gate_has_no_check_for_is_never_caught(result):
    found = by_name(result)["memorised_rows"]
    assert found.lowest is None
    assert found.missed.rung is Rung.GROSS
    assert len(found.trials) == 1, "below a miss nothing is run"
    assert found.missed.suggestions == ()
    assert cell(found, Rung.TRACE).word == "not run"
    assert "no limit of these families" in as_text(result)


def test_what_does_not_apply_says_why(result):
    found = by_name(result)["shuffled_target"]
    assert not found.applies
    assert "no target is named" in found.trials[0].told
    assert "No target is named" in as_html(result)
    caught, of = result.count(Rung.GROSS)
    assert (caught, of) == (3, 4)


def test_a_suggested_limit_catches_the_defect_and_passes_clean_rows(gate_file, draw_people):
    table = draw_people(1500, 1)
    found = by_name(run_on(gate_file, table, only=("heaping",)))["heaping"]
    assert found.lowest is None, "the limit of the only check that could see it is 0"
    (first, *_) = found.missed.suggestions
    assert first.check == "fidelity.columns"
    gate_file.write_text(SCHEMA_ONLY.replace("{min_position: 0.0, each: {min_position: 0.0}}", _in_full(first.setting)))
    again = run_on(gate_file, table, only=("heaping",))
    assert not again.clean_fails
    assert by_name(again)["heaping"].at(Rung.GROSS).right_family


def _in_full(setting: str) -> str:
    """Return a setting that leaves the other of the two limits as loose as it was."""
    if "each" in setting:
        return setting.replace("{each", "{min_position: 0.0, each")
    return setting.replace("}", ", each: {min_position: 0.0}}")


def test_a_gate_that_fails_clean_rows_is_told_first(gate_file, draw_people, tmp_path, capsys):
    gate_file.write_text(QUICK.replace("{min_position: 0.0, each: {min_position: 0.0}}", "{min: 1.0}"))
    source = tmp_path / "real.parquet"
    pq.write_table(draw_people(900, 1), source)
    words = [
        "selftest",
        str(source),
        "--gate",
        str(gate_file),
        "--defect",
        "new_category",
        "--out",
        str(tmp_path / "o"),
    ]
    assert run_command(words) == Exit.FAIL
    out = capsys.readouterr().out
    assert out.startswith("CLEAN CONTROL FAILS\n")
    assert "fidelity.columns" in out
    kept = json.loads((tmp_path / "o" / "selftest.json").read_text())
    assert kept["clean_fails"] is True
    assert kept["defects"][0]["trials"][0]["right_family"], "an alarm that clean rows do not raise still counts"
    assert "fidelity.columns" not in {
        a["check"] for t in kept["defects"][0]["trials"] for a in t["alarms"] if not a["columns"]
    }


def test_the_command_writes_both_files_and_passes(gate_file, draw_people, tmp_path, capsys, monkeypatch):
    source, held = tmp_path / "real.parquet", tmp_path / "holdout.parquet"
    pq.write_table(draw_people(600, 1), source)
    pq.write_table(draw_people(800, 2), held)
    gate_file.write_text(f"{QUICK}real: real.parquet\nholdout: holdout.parquet\n")
    monkeypatch.chdir(tmp_path)
    words = ["selftest", "--defect", "repeated_keys", "--defect", "broken_constraint", "--rows", "300"]
    assert run_command(words) == Exit.PASS
    told = capsys.readouterr()
    assert "Repeated keys" in told.out
    assert "report: synthgate-selftest/selftest.html" in told.out
    kept = json.loads((tmp_path / "synthgate-selftest" / "selftest.json").read_text())
    assert kept["rows"] == {"real": 300, "holdout": 300, "spoiled": 300, "of real": 600, "of holdout": 800}
    assert [d["caught_from"] for d in kept["defects"]] == ["trace", "trace"]
    assert (tmp_path / "synthgate-selftest" / "selftest.html").read_text().startswith("<!DOCTYPE html>")


def test_the_same_seed_gives_the_same_bytes(gate_file, draw_people):
    table = draw_people(900, 1)
    one, two = (as_json(run_on(gate_file, table, only=("unit_change",))) for _ in range(2))
    assert one == two


def test_the_page_escapes_names_and_shows_no_row(gate_file, draw_people):
    table = draw_people(900, 1).rename_columns(["id", "age", HOSTILE, "wage", "day", "region", "member", "rich"])
    test = run_on(gate_file, table, only=("new_category", "repeated_keys"))
    page, text = as_html(test), as_text(test)
    assert "Content-Security-Policy" in page
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "\u202e" not in page + text + as_json(test)
    rows = [row for row in table["id"].to_pylist() if row in page or row in text]
    assert rows == []
    json.loads(as_json(test))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["selftest"], "no table is given and there is no gate file here"),
        (["selftest", "few.parquet"], "expected at least 100 in each of 3"),
        (["selftest", "few.parquet", "--defect", "memorized_rows"], "did you mean 'memorised_rows'?"),
        (["selftest", "folder"], "several tables are given"),
        (["selftest", "few.parquet", "--holdout", "other.parquet"], "lacks 'age'"),
        (["selftest", "absent.parquet"], "absent.parquet"),
    ],
)
def test_bad_input_is_told_and_ends_with_2(words, told, tmp_path, monkeypatch, capsys, draw_people):
    pq.write_table(draw_people(120, 1), tmp_path / "few.parquet")
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "other.parquet")
    (tmp_path / "folder").mkdir()
    pq.write_table(draw_people(120, 1), tmp_path / "folder" / "a.parquet")
    pq.write_table(draw_people(120, 1), tmp_path / "folder" / "b.parquet")
    monkeypatch.chdir(tmp_path)
    assert run_command(words) == Exit.UNJUDGED
    assert told in capsys.readouterr().err


def test_parts_are_disjoint_and_sequences_stay_whole():
    rng = np.random.default_rng(0)
    key = np.repeat(np.arange(120), rng.integers(5, 30, 120))
    table = pa.table({"row": np.arange(len(key)), "key": rng.permutation(120)[key]})
    source = open_source(table, None, ("",))
    for unit in (None, "key"):
        parts = source.split(4000, 3, 0, unit)
        rows = [set(part["row"].to_pylist()) for part in (parts.real, parts.holdout, parts.fresh)]
        assert len(set.union(*rows)) == sum(map(len, rows)) <= len(key)
        assert min(map(len, rows)) > 0.25 * len(key)
    keys = [set(part["key"].to_pylist()) for part in (parts.real, parts.holdout, parts.fresh)]
    assert sum(map(len, keys)) == len(set.union(*keys))


def test_a_limit_lies_between_spoiled_and_clean_or_nowhere():
    gap, at, spoiled, clean = _between(0.62, [0.93, 0.95], "min")
    assert (spoiled, clean) == (0.62, 0.93)
    assert spoiled < at <= clean
    assert gap == pytest.approx(0.31)
    _, at, spoiled, clean = _between(0.3, [0.0, None], "max")
    assert clean <= at < spoiled
    assert _between(0.94, [0.93, 0.95], "min") is None
    assert _between(0.92, [0.93, 0.98], "min") is None, "clean tables lie farther apart than that"
    assert _between(None, [0.5], "min") is None


def test_alarms_are_named_by_check_and_columns(draw_people):
    real = draw_people(300, 1)
    spoiled = real.set_column(1, "age", pa.array(np.full(300, 900)))
    verdict = synthgate.evaluate(real, spoiled, gate=load_gate(only=("schema.ranges", "fidelity.columns")))
    alarms = alarms_of(verdict)
    assert ("schema.ranges", ("age",)) in {(a.check, a.columns) for a in alarms}
    assert alarms == sorted(set(alarms))


def test_a_person_s_sign_off_is_no_part_of_it():
    assert "review" not in {check.family for check in policy_of(preset="release").checks}


def test_a_source_without_rows_enough_is_refused(draw_people):
    with pytest.raises(DataError, match="expected at least 100"):
        open_source(draw_people(200, 1), None, ("",)).split(4000, 0, 0, None)
    with pytest.raises(UsageError, match="no real table"):
        open_source(None, None, ("",))


def test_the_command_line_states_the_rows_that_are_used():
    assert DEFAULT_ROWS == MOST_ROWS
