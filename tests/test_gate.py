"""The gate as a whole: verdicts, requirements, waivers, seeds, roles and metadata."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import synthgate
from synthgate import gate as gate_module
from synthgate.bridges.sdv import read_metadata, write_metadata
from synthgate.catalogue import Measure
from synthgate.errors import DataError, UsageError
from synthgate.findings import Outcome, Status
from synthgate.gatefile import Waiver, load_gate
from synthgate.looks import look_at
from synthgate.roles import Role
from synthgate.scaffold import gate_yaml
from synthgate.survey import make_plan
from synthgate.tables import open_table

COUNTED = ["schema", "constraints", "fidelity", "coverage"]


def test_fresh_rows_pass_and_a_shuffle_fails_in_fidelity_alone(draw_people, shuffle_columns):
    real, holdout = draw_people(4000, 1), draw_people(4000, 2)
    good = synthgate.evaluate(real, draw_people(4000, 3), holdout=holdout, only=COUNTED)
    assert good.passed, good
    bad = synthgate.evaluate(real, shuffle_columns(draw_people(4000, 3)), holdout=holdout, only=COUNTED)
    assert bad.outcome is Outcome.FAIL
    joint = {
        "fidelity.pairs", "fidelity.higher_order", "fidelity.detection", "coverage.modes", "coverage.combinations",
        # only farmers live in the north: a rule that mining finds, and that shuffling breaks
        "constraints.mined",
    }  # fmt: skip
    assert {c.id for c in bad.failures()} <= joint
    assert bad["fidelity.pairs"].status is Status.FAIL


@pytest.mark.parametrize("rows", [30, 200, 1000])
def test_small_perfect_tables_fail_nothing(draw_people, rows):
    for seed in range(6):
        verdict = synthgate.evaluate(
            draw_people(rows, seed), draw_people(rows, seed + 20), holdout=draw_people(rows, seed + 40), only=COUNTED
        )
        assert not verdict.failures(), verdict


def test_what_is_required_and_not_assessed_makes_the_verdict_incomplete(draw_people):
    real = draw_people(300, 1)
    gate = load_gate(only=["constraints.declared", "schema.columns"])
    required = replace(gate, checks=tuple(replace(c, required=True) for c in gate.checks))
    assert synthgate.evaluate(real, draw_people(300, 2), gate=gate).passed
    verdict = synthgate.evaluate(real, draw_people(300, 2), gate=required)
    assert verdict.outcome is Outcome.INCOMPLETE
    assert [c.id for c in verdict.missing()] == ["constraints.declared"]


def test_a_gate_that_could_assess_nothing_does_not_pass(draw_people):
    verdict = synthgate.evaluate(draw_people(300, 1), draw_people(300, 2), only=["privacy.membership"])
    assert verdict["privacy.membership"].status is Status.NOT_ASSESSED
    assert verdict.outcome is Outcome.INCOMPLETE


def test_a_measure_that_breaks_fails_closed(monkeypatch, draw_people):
    def boom(evidence, options):
        raise RuntimeError("boom")

    monkeypatch.setattr(gate_module, "find_measure", lambda check_id: Measure(check_id, boom, {}))
    verdict = synthgate.evaluate(draw_people(50, 1), draw_people(50, 2), only=["schema.columns"])
    assert verdict["schema.columns"].status is Status.ERROR
    assert verdict.outcome is Outcome.FAIL


@pytest.mark.parametrize(("until", "status"), [("2999-01-01", Status.WARN), ("2001-01-01", Status.FAIL)])
def test_a_waiver_holds_until_it_expires(draw_people, until, status):
    real = draw_people(500, 1)
    bad = draw_people(500, 2).drop_columns(["region"])
    waiver = Waiver(check="schema.columns", columns=("region",), until=date.fromisoformat(until), reason="retired")
    gate = replace(load_gate(only=["schema.columns"]), waivers=(waiver,))
    verdict = synthgate.evaluate(real, bad, gate=gate)
    assert verdict["schema.columns"].status is status
    assert any("expired" in note for note in verdict.run.notes) is (status is Status.FAIL)


def test_a_waiver_that_waives_nothing_is_told(draw_people):
    waiver = Waiver(check="schema.columns", until=date(2999, 1, 1), reason="old")
    gate = replace(load_gate(only=["schema.columns"]), waivers=(waiver,))
    verdict = synthgate.evaluate(draw_people(50, 1), draw_people(50, 2), gate=gate)
    assert any("waived nothing" in note for note in verdict.run.notes)


def test_the_same_seed_gives_the_same_result(draw_people):
    def once():
        return synthgate.evaluate(
            draw_people(600, 1), draw_people(600, 2), holdout=draw_people(600, 3), target="rich", seed=3
        )

    first, again = once(), once()
    strip = [replace(c, seconds=0.0) for c in first], [replace(c, seconds=0.0) for c in again]
    assert repr(strip[0]) == repr(strip[1])


def test_roles_are_inferred(draw_people):
    table = draw_people(400, 1)
    table = table.append_column("when", pa.array([f"2021-0{k % 9 + 1}-1{k % 9}" for k in range(400)]))
    table = table.append_column("note", pa.array([f"they said {k} things on day {k * 7}" for k in range(400)]))
    table = table.append_column("code", pa.array([k % 7 for k in range(400)]))
    plan = make_plan(open_table(table), {}, (), {})
    assert {c.name: c.role for c in plan.columns} == {
        "id": Role.ID, "age": Role.NUMERICAL, "job": Role.CATEGORICAL, "wage": Role.NUMERICAL, "day": Role.DATETIME,
        "region": Role.CATEGORICAL, "member": Role.BOOLEAN, "rich": Role.CATEGORICAL, "when": Role.DATETIME,
        "note": Role.TEXT, "code": Role.CATEGORICAL,
    }  # fmt: skip


def test_the_same_table_as_csv_and_parquet_gets_the_same_scores(tmp_path, draw_people):
    real, synthetic = draw_people(500, 1), draw_people(500, 2)
    scores = []
    for kind in ("csv", "parquet"):
        paths = []
        for name, table in (("r", real), ("s", synthetic)):
            path = tmp_path / f"{name}.{kind}"
            pa.csv.write_csv(table, path) if kind == "csv" else pq.write_table(table, path)
            paths.append(path)
        scores.append(synthgate.evaluate(*paths, only=COUNTED).scores)
    assert scores[0] == scores[1]


def test_a_written_gate_file_is_accepted_and_the_real_table_keeps_it(tmp_path, draw_people):
    pq.write_table(draw_people(300, 1), tmp_path / "real.parquet")
    gate = tmp_path / "synthgate.yaml"
    gate.write_text(gate_yaml(look_at(tmp_path / "real.parquet")))
    verdict = synthgate.evaluate(synthetic=tmp_path / "real.parquet", gate=gate, only=["schema", "constraints"])
    assert verdict.passed
    assert verdict["constraints.declared"].ledger.scored > 0
    assert verdict.run.roles["day"] == "datetime"


def test_sdv_metadata_is_read_and_written(tmp_path, draw_people):
    content = {
        "METADATA_SPEC_VERSION": "SINGLE_TABLE_V1",
        "primary_key": "id",
        "columns": {"id": {"sdtype": "id"}, "rich": {"sdtype": "boolean"}, "job": {"sdtype": "phone_number"}},
    }
    path = tmp_path / "metadata.json"
    path.write_text(json.dumps(content))
    metadata = read_metadata(path)
    assert metadata.keys == ("id",)
    assert metadata.roles == {"id": Role.ID, "rich": Role.BOOLEAN, "job": Role.TEXT}
    assert "phone_number" in metadata.notes[0]
    plan = make_plan(open_table(draw_people(50, 1)), metadata.roles, (), {})
    written = write_metadata(plan, ("id",))
    assert read_metadata(written).roles["rich"] is Role.BOOLEAN


@pytest.mark.parametrize(
    "text",
    [
        "nope",
        "[]",
        "{}",
        '{"columns": {"a": {}}}',
        '{"columns": {}, "primary_key": "x"}',
        '{"tables": {"a": {}, "b": {}}}',
    ],
)
def test_bad_metadata_is_one_clear_sentence(tmp_path, text):
    path = tmp_path / "metadata.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"metadata\.json"):
        read_metadata(path)


def test_unknown_names_and_missing_tables_are_refused(draw_people):
    table = draw_people(50, 1)
    with pytest.raises(UsageError, match="did you mean 'rich'"):
        synthgate.evaluate(table, table, target="richh")
    with pytest.raises(UsageError, match="no synthetic table"):
        synthgate.evaluate(table)
    with pytest.raises(UsageError, match="did you mean 'fidelity'"):
        synthgate.evaluate(table, table, only=["fidelty"])


def test_only_and_skip_choose_checks_of_a_loaded_gate_too(draw_people):
    real, synthetic = (draw_people(200, seed) for seed in (1, 2))
    verdict = synthgate.evaluate(real, synthetic, gate=load_gate(), only=["schema"], skip=["schema.types"])
    assert {check.family for check in verdict} == {"schema"}
    assert "schema.types" not in {check.id for check in verdict}
    with pytest.raises(UsageError, match="beside a gate that is loaded"):
        synthgate.evaluate(real, synthetic, gate=load_gate(), preset="release")
