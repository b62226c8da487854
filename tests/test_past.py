"""Earlier verdicts: read back whole, compared beyond noise, held to, and reused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import synthgate
from synthgate.cache import FOLDER
from synthgate.cli import Exit, run_command
from synthgate.errors import DataError
from synthgate.findings import Outcome, Status
from synthgate.ratchet import Trend, as_baseline, compare, hold
from synthgate.render import FORMATS, render
from synthgate.results import from_dict, read_result

COUNTED = ("schema", "fidelity", "coverage")


def broken(table: pa.Table, seed: int, share: float) -> pa.Table:
    """Shuffle a share of the wages, which breaks their dependence on age."""
    rng = np.random.default_rng(seed)
    rows = np.flatnonzero(rng.random(table.num_rows) < share)
    order = np.arange(table.num_rows)
    order[rows] = rng.permutation(rows)
    at = table.schema.get_field_index("wage")
    return table.set_column(at, "wage", table["wage"].take(pa.array(order)))


@pytest.fixture(scope="module")
def tables(draw_people):
    return {name: draw_people(2500, seed) for seed, name in enumerate(("real", "holdout", "good"), start=1)}


@pytest.fixture(scope="module")
def judged(tables):
    def judge(synthetic, **more):
        return synthgate.evaluate(tables["real"], synthetic, holdout=tables["holdout"], only=COUNTED, **more)

    made = {share: judge(broken(tables["good"], 5, share)) for share in (0.0, 0.7, 1.0)}
    return judge, made


def test_a_result_is_read_back_whole(judged, tmp_path):
    made = judged[1][0.7]
    # JSON holds free mappings in the order of their keys
    run = replace(made.run, **{key: dict(sorted(getattr(made.run, key).items())) for key in ("seconds", "roles")})
    verdict = replace(made, run=run)
    path = tmp_path / "result.json"
    path.write_text(render(verdict, "json"))
    again = read_result(path)
    assert again.to_dict() == verdict.to_dict()
    for kind in FORMATS:
        assert render(again, kind) == render(verdict, kind)


def test_keys_of_a_later_release_are_passed_over(judged):
    data = json.loads(json.dumps(judged[1][0.0].to_dict()))
    data["new"] = data["checks"][0]["new"] = data["run"]["new"] = 1
    assert from_dict(data).to_dict() == judged[1][0.0].to_dict()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda d: d.update(schema_version=2), "schema_version 2, expected 1"),
        (lambda d: d.pop("schema_version"), "no result of synthgate"),
        (lambda d: d["checks"][0].pop("status"), "damaged"),
        (lambda d: d["checks"][0].update(status="fine"), "damaged"),
        (lambda d: d.update(checks=5), "damaged"),
        (lambda d: d.update(run=None), "damaged"),
    ],
)
def test_what_is_no_result_is_refused(judged, change, told):
    data = json.loads(json.dumps(judged[1][0.0].to_dict()))
    change(data)
    with pytest.raises(DataError, match=told):
        from_dict(data)


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"checks": []}'])
def test_a_file_that_holds_no_result_is_refused_on_the_command_line(tmp_path, capsys, text):
    path = tmp_path / "old.json"
    path.write_text(text)
    assert run_command(["diff", str(path), str(path)]) == Exit.UNJUDGED
    assert str(path) in capsys.readouterr().err
    assert run_command(["diff", str(tmp_path / "absent"), str(path)]) == Exit.UNJUDGED
    assert run_command(["baseline", str(path), "-o", str(tmp_path / "b.json")]) == Exit.UNJUDGED
    assert not (tmp_path / "b.json").exists()


def test_nothing_changes_against_itself(judged):
    for verdict in judged[1].values():
        assert {c.trend for c in compare(verdict, verdict)} <= {Trend.SAME}
        assert {c.trend for c in compare(as_baseline(verdict), verdict)} == {Trend.SAME}


def test_other_draws_of_the_same_kind_are_no_change(judged, draw_people):
    judge, made = judged
    other = judge(draw_people(2500, 4))
    trends = [c.trend for c in compare(made[0.0], other)]
    assert len(trends) > 30
    assert trends.count(Trend.WORSE) + trends.count(Trend.BETTER) <= 0.05 * len(trends)


def test_a_broken_dependence_is_worse_and_its_repair_is_better(judged):
    made = judged[1]

    def about(changes, trend):
        return {c.finding.measured.columns for c in changes if c.finding and c.trend is trend}

    assert ("age", "wage") in about(compare(made[0.0], made[1.0]), Trend.WORSE)
    assert ("age", "wage") in about(compare(made[1.0], made[0.0]), Trend.BETTER)
    assert ("job", "region") not in about(compare(made[0.0], made[1.0]), Trend.WORSE)


def test_the_ratchet_forgives_what_failed_before_and_nothing_that_is_worse(judged, tables):
    judge, made = judged
    assert [v.outcome for v in made.values()] == [Outcome.PASS, Outcome.FAIL, Outcome.FAIL]
    held = hold(made[0.7], made[0.7], "old.json")
    assert held.outcome is Outcome.PASS
    assert held["fidelity.pairs"].status is Status.WARN
    assert any("old.json" in (f.waived or "") for f in held["fidelity.pairs"].findings)
    assert hold(made[1.0], made[0.7], "old.json").outcome is Outcome.FAIL
    assert hold(made[0.7], made[0.0], "old.json").outcome is Outcome.FAIL
    assert hold(made[0.7], made[1.0], "old.json").outcome is Outcome.PASS
    other_flaw = judge(tables["good"].drop_columns(["job"]))
    assert hold(other_flaw, made[1.0], "old.json").outcome is Outcome.FAIL


def test_a_broken_check_is_never_forgiven(judged):
    verdict = judged[1][0.7]
    checks = tuple(
        replace(c, status=Status.ERROR, findings=(), score=None) if c.id == "fidelity.pairs" else c
        for c in verdict.checks
    )
    assert hold(replace(verdict, checks=checks), verdict, "x").outcome is Outcome.FAIL


def test_a_baseline_of_other_data_is_told(judged, tables):
    made = judged[1]
    other = synthgate.evaluate(tables["holdout"], tables["good"], only=COUNTED)
    notes = " ".join(hold(made[0.0], other, "old.json").run.notes)
    assert "other real data" in notes
    assert "no holdout" in notes


@pytest.fixture
def files(tables, tmp_path):
    given = {**tables, "bad": broken(tables["good"], 5, 1.0)}
    for name, table in given.items():
        pq.write_table(table, tmp_path / f"{name}.parquet")
    return {name: str(tmp_path / f"{name}.parquet") for name in given}


def test_baseline_and_diff_on_the_command_line(files, tmp_path, capsys):
    only = [word for family in COUNTED for word in ("--only", family)]
    run = ["run", files["real"], files["bad"], "--holdout", files["holdout"], *only, "--out", str(tmp_path / "o")]
    result, kept = str(tmp_path / "o" / "result.json"), str(tmp_path / "kept.json")
    assert run_command(run) == Exit.FAIL
    assert run_command(["baseline", result, "-o", kept]) == Exit.PASS
    assert run_command(["baseline", result, "-o", kept]) == Exit.UNJUDGED
    capsys.readouterr()
    assert run_command([*run, "--baseline", kept]) == Exit.PASS
    assert "no worse than there" in capsys.readouterr().out
    good = [files["good"] if word == files["bad"] else word for word in run]
    assert run_command(good) == Exit.PASS
    capsys.readouterr()
    assert run_command(["diff", result, kept, "--exit-code"]) == Exit.FAIL
    text = capsys.readouterr().out
    assert "verdict pass, now fail" in text
    assert "age \N{MULTIPLICATION SIGN} wage" in text
    assert run_command(["diff", kept, result, "--exit-code", "--format", "json"]) == Exit.PASS
    assert json.loads(capsys.readouterr().out)["verdict"] == {"before": "fail", "after": "pass"}
    assert run_command(["diff", kept, result, "--format", "markdown"]) == Exit.PASS
    assert "Got better" in capsys.readouterr().out


def test_a_verdict_is_reused_only_for_the_same_data_gate_and_options(tables, tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER, str(tmp_path / "cache"))
    calls = []

    def judge(synthetic="good", **more):
        calls.clear()
        given = {"holdout": tables["holdout"], "only": ("schema",), "cache": True, "progress": calls.append, **more}
        return synthgate.evaluate(tables["real"], tables[synthetic], **given)

    first, again = judge(), judge()
    assert "plan" not in calls
    assert any("reused" in note for note in again.run.notes)
    assert replace(again, run=first.run) == first
    for other in ({"synthetic": "holdout"}, {"seed": 5}, {"only": ("schema", "coverage")}, {"holdout": None}):
        judge(**other)
        assert "plan" in calls, other
        judge(**other)
        assert "plan" not in calls, other


def test_a_damaged_cache_is_made_anew_and_one_that_cannot_be_written_changes_nothing(tables, tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv(FOLDER, str(folder))

    def judge():
        return synthgate.evaluate(tables["real"], tables["good"], only=("schema",), cache=True)

    first = judge()
    (kept,) = folder.iterdir()
    kept.write_text(kept.read_text()[:100])
    assert judge().checks[0].findings == first.checks[0].findings
    monkeypatch.setenv(FOLDER, str(kept / "no-folder"))
    assert judge().passed


def test_a_waiver_that_expires_is_not_outlived_by_the_cache(files, tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER, str(tmp_path / "cache"))
    gate = tmp_path / "gate.yaml"
    today = date.today()
    for until, passed in ((today, True), (today - timedelta(days=1), False)):
        gate.write_text(
            f"waivers:\n  - {{check: fidelity.pairs, until: {until}, reason: known, owner: Ann}}\n", encoding="utf-8"
        )
        verdict = synthgate.evaluate(
            files["real"], files["bad"], holdout=files["holdout"], gate=gate, only=("fidelity.pairs",), cache=True
        )
        assert verdict.passed is passed
        assert passed == any("Ann" in (f.waived or "") for f in verdict["fidelity.pairs"].findings)
