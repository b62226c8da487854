"""Fidelity, coverage, schema and constraints on tables with known truths."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from synthgate.catalogue import find_measure
from synthgate.findings import Limit, Severity, Status
from synthgate.judging import judge


def run(check_id, evidence):
    found = find_measure(check_id)
    assert found is not None
    return found.compute(evidence, found.options)


def failing(measurement, limit):
    return {
        f.columns for f in measurement.findings if f.estimate and judge(f.estimate, f.limit or limit) is Status.FAIL
    }


def replaced(table, name, values):
    return table.set_column(table.column_names.index(name), name, pa.array(values))


@pytest.mark.parametrize("rows", [60, 200, 3000])
@pytest.mark.parametrize("check", ["fidelity.columns", "fidelity.pairs"])
def test_fresh_rows_reach_the_ceiling_at_any_size(make_evidence, draw_people, check, rows):
    for seed in range(5):
        evidence = make_evidence(draw_people(rows, seed), draw_people(rows, seed + 50), draw_people(rows, seed + 90))
        result = run(check, evidence)
        assert result.score.position.high > 0.75
        assert not failing(result, Limit(min_position=0.5))


def test_an_independent_shuffle_keeps_the_columns_and_loses_the_pairs(make_evidence, draw_people, shuffle_columns):
    real, holdout = draw_people(3000, 1), draw_people(3000, 2)
    evidence = make_evidence(real, shuffle_columns(draw_people(3000, 3)), holdout)
    assert run("fidelity.columns", evidence).score.position.low > 0.9
    pairs = run("fidelity.pairs", evidence)
    assert pairs.score.position.high < 0.2
    assert ("job", "region") in failing(pairs, Limit(min_position=0.5))


def test_a_floor_is_what_the_shuffle_scores(make_evidence, draw_people, shuffle_columns):
    evidence = make_evidence(draw_people(2000, 1), shuffle_columns(draw_people(2000, 3)), draw_people(2000, 2))
    pairs = run("fidelity.pairs", evidence)
    assert pairs.score.value == pytest.approx(pairs.score.floor, abs=0.01)


@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("wage", lambda t, rng: np.array(t["wage"].to_pylist(), float) * 100),
        ("age", lambda t, rng: np.round(np.array(t["age"]) / 10).astype(np.int64) * 10),
        ("day", lambda t, rng: np.array(t["day"].to_numpy()) - np.timedelta64(364, "D")),
        ("job", lambda t, rng: rng.choice(["clerk", "nurse", "farmer", "pilot"], t.num_rows)),
    ],
)
def test_a_damaged_column_is_named(make_evidence, draw_people, column, change):
    damaged = draw_people(3000, 3)
    damaged = replaced(damaged, column, change(damaged, np.random.default_rng(0)))
    result = run("fidelity.columns", make_evidence(draw_people(3000, 1), damaged, draw_people(3000, 2)))
    assert failing(result, Limit(min_position=0.5)) == {(column,)}


def test_filled_missing_values_are_named(make_evidence, draw_people):
    filled = draw_people(2000, 3)
    filled = replaced(filled, "wage", [2000.0 if v is None else v for v in filled["wage"].to_pylist()])
    result = run("fidelity.columns", make_evidence(draw_people(2000, 1), filled))
    worst = [
        f
        for f in result.findings
        if f.metric == "missing_value_similarity" and judge(f.estimate, f.limit) is Status.FAIL
    ]
    assert [f.columns for f in worst] == [("wage",)]


def test_a_lost_rare_category_is_named_and_a_hopelessly_rare_one_is_not_judged(make_evidence, draw_people):
    real = draw_people(3000, 1)
    lost = draw_people(3000, 3)
    lost = replaced(lost, "job", ["clerk" if j == "pilot" else j for j in lost["job"].to_pylist()])
    result = run("coverage.categories", make_evidence(real, lost))
    bad = [f for f in result.findings if judge(f.estimate, Limit(min=0.5)) is Status.FAIL]
    assert [(f.columns, f.details["name"], f.details["found"]) for f in bad] == [(("job",), "pilot", 0)]
    few = make_evidence(real, lost.slice(0, 60))
    assert "pilot" not in {f.details["name"] for f in run("coverage.categories", few).findings}


def test_clipped_tails_are_named(make_evidence, draw_people):
    real, clipped = draw_people(4000, 1), draw_people(4000, 3)
    low, high = np.quantile(np.array(real["age"]), [0.08, 0.92])
    clipped = replaced(clipped, "age", np.clip(np.array(clipped["age"]), low, high).astype(np.int64))
    result = run("coverage.ranges", make_evidence(real, clipped))
    assert failing(result, Limit(min=0.5)) == {("age",)}


def test_a_lost_region_is_found_and_described(make_evidence, draw_people):
    whole = draw_people(9000, 3)
    rows = [
        k
        for k, (job, region) in enumerate(zip(whole["job"].to_pylist(), whole["region"].to_pylist(), strict=True))
        if (job, region) != ("nurse", "west")
    ]
    result = run("coverage.modes", make_evidence(draw_people(6000, 1), whole.take(rows[:6000]), draw_people(6000, 2)))
    bad = [f for f in result.findings if judge(f.estimate, Limit(min=0.5)) is Status.FAIL]
    assert bad
    assert any("nurse" in f.message or "west" in f.message for f in bad)
    fresh = run("coverage.modes", make_evidence(draw_people(6000, 1), draw_people(6000, 4), draw_people(6000, 2)))
    assert not failing(fresh, Limit(min=0.5))


def test_schema_checks_name_what_is_wrong(make_evidence, draw_people):
    real, holdout = draw_people(2000, 1), draw_people(2000, 2)
    bad = draw_people(2000, 3)
    ages = [None] * 12 + bad["age"].to_pylist()[12:]
    bad = replaced(bad, "age", ages)
    bad = replaced(bad, "region", ["soutth", *bad["region"].to_pylist()[1:]])
    bad = replaced(bad, "id", ["x/1"] * 2 + bad["id"].to_pylist()[2:])
    bad = replaced(bad, "wage", [v if v is None or k > 100 else v * 100 for k, v in enumerate(bad["wage"].to_pylist())])
    evidence = make_evidence(real, bad.drop_columns(["member"]), holdout)
    zero = Limit(max=0.0)
    assert failing(run("schema.columns", evidence), zero) == {("member",)}
    assert failing(run("schema.nulls", evidence), zero) == {("age",)}
    assert failing(run("schema.categories", evidence), zero) == {("region",)}
    assert failing(run("schema.keys", evidence), zero) == {("id",)}
    assert failing(run("schema.ranges", evidence), zero) == {("wage",)}
    told = [f for f in run("schema.formats", evidence).findings if f.severity is Severity.WARN]
    assert [f.columns for f in told] == [("id",)]


def test_what_one_more_real_row_could_show_is_told_without_a_warning(make_evidence, draw_people):
    real, holdout, fresh = (draw_people(2000, seed) for seed in (1, 2, 3))

    def told(rows):
        bad = replaced(fresh, "region", ["abroad"] * rows + fresh["region"].to_pylist()[rows:])
        bad = replaced(bad, "age", [None] * rows + fresh["age"].to_pylist()[rows:])
        evidence = make_evidence(real, bad, holdout)
        found = [f for check in ("categories", "nulls") for f in run(f"schema.{check}", evidence).findings]
        found = [f for f in found if f.metric != "missing_share_ratio"]
        assert {f.columns for f in found} == {("region",), ("age",)}
        return [(f.estimate.value > 0, f.severity) for f in found]

    assert told(1) == [(False, None)] * 2
    assert told(4) == [(True, Severity.WARN)] * 2
    assert told(12) == [(True, None)] * 2


def test_schema_checks_are_quiet_on_fresh_rows(make_evidence, draw_people):
    for seed in range(8):
        evidence = make_evidence(draw_people(1500, seed), draw_people(1500, seed + 50), draw_people(1500, seed + 90))
        for check in ("columns", "types", "nulls", "ranges", "categories", "keys", "formats"):
            assert not failing(run(f"schema.{check}", evidence), Limit(max=0.0)), check


def test_types_tell_text_in_numbers_and_fractions_in_whole_numbers(make_evidence, draw_people):
    real = draw_people(300, 1)
    text = replaced(real, "age", [str(a) if k else "old" for k, a in enumerate(real["age"].to_pylist())])
    found = run("schema.types", make_evidence(real, text)).findings
    assert {f.metric for f in found if f.columns == ("age",)} == {"misfit_share", "stored_type"}
    half = replaced(real, "age", [a + 0.5 for a in real["age"].to_pylist()])
    found = run("schema.types", make_evidence(real, half)).findings
    assert {f.metric for f in found} == {"fraction_share", "stored_type"}


def test_integer_codes_written_as_floats_are_the_same_categories(make_evidence):
    real = pa.table({"class": [1, 2, 3] * 50})
    floats = pa.table({"class": [1.0, 2.0, 3.0] * 50})
    result = run("fidelity.columns", make_evidence(real, floats))
    assert result.score.value == 1.0


def test_rows_in_groups_lower_the_ceiling_and_independent_rows_do_not(make_evidence, draw_people):
    def grouped(seed):
        few = draw_people(60, seed)
        return few.take(pa.array(np.random.default_rng(seed).integers(0, 60, 2400)))

    evidence = make_evidence(grouped(1), grouped(2), grouped(3))
    assert evidence.design_effect > 2
    assert not failing(run("fidelity.pairs", evidence), Limit(min_position=0.85))
    fresh = [make_evidence(*(draw_people(1500, 10 * s + k) for k in range(3))).design_effect for s in range(8)]
    assert fresh == [1.0] * 8
