"""What ``utility.rare_classes`` and ``utility.importance`` say of good, spoilt and small tables."""

import json
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from synthgate.catalogue import find_measure
from synthgate.declared import declared_checks
from synthgate.errors import GateFileError
from synthgate.findings import Limit, Measured, Measurement, Status
from synthgate.judging import judge
from synthgate.measures.utility.scores import average_precision, one_class_scores, weighted_average_precision

CHECKS = {check.id: check for check in declared_checks()}


@cache
def staff(rows: int, seed: int, target: str = "paid") -> pa.Table:
    rng = np.random.default_rng(seed)
    sex = rng.choice(["f", "m"], rows, p=[0.4, 0.6])
    hours = rng.gamma(8, 5, rows)
    skill = rng.normal(size=rows)
    site = rng.choice(["north", "south", "west"], rows)
    score = 1.6 * skill + hours / 12 - 3.4 + rng.normal(0, 0.5, rows)
    grade = np.where(score > 2.2, "top", np.where(score > 0, "mid", "low"))
    outcome = score > 0.6 if target == "paid" else grade
    return pa.table({"sex": sex, "hours": hours, "skill": skill, "site": site, target: outcome})


def changed(table: pa.Table, name: str, values) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, pa.array(values))


def shuffled_where(table: pa.Table, target: str, rows: np.ndarray) -> pa.Table:
    values = table[target].to_numpy(zero_copy_only=False).copy()
    values[rows] = np.random.default_rng(0).permutation(values[rows])
    return changed(table, target, values)


def measured(make_evidence, check: str, real, synthetic, holdout, targets=("paid",), **options) -> Measurement:
    found = find_measure(check)
    evidence = make_evidence(real, synthetic, holdout, targets=targets)
    out = found.compute(evidence, {**found.options, **options})
    json.dumps([dict(f.details) for f in out.findings], allow_nan=False)
    return out


def failing(check: str, out: Measurement) -> list[Measured]:
    assert out.not_assessed is None, out.not_assessed
    limit = CHECKS[check].each
    kept = [f for f in out.findings if f.judged and f.estimate]
    return [f for f in kept if judge(f.estimate, f.limit or limit) is Status.FAIL]


@pytest.mark.parametrize("target", ["paid", "grade"])
def test_fresh_rows_pass(make_evidence, target):
    tables = [staff(1200, k, target) for k in (1, 2, 3)]
    for check in ("utility.rare_classes", "utility.importance"):
        out = measured(make_evidence, check, *tables, (target,))
        assert failing(check, out) == []
        assert out.score is None or judge(out.score, CHECKS[check].threshold) is not Status.FAIL
        assert len(out.findings) >= 4


@pytest.mark.parametrize("seed", range(3))
def test_small_fresh_tables_do_not_fail(make_evidence, seed):
    tables = [staff(200, 100 + 3 * seed + k) for k in range(3)]
    out = measured(make_evidence, "utility.rare_classes", *tables)
    assert out.not_assessed or failing("utility.rare_classes", out) == []


def test_a_target_shuffled_in_a_subgroup_is_named(make_evidence):
    real, fresh, holdout = staff(2500, 1), staff(2500, 2), staff(2500, 3)
    bad = shuffled_where(fresh, "paid", np.flatnonzero(np.asarray(fresh["sex"]) == "f"))
    out = measured(make_evidence, "utility.rare_classes", real, bad, holdout)
    worst = failing("utility.rare_classes", out)
    slices = [f for f in worst if f.metric.startswith("slice_")]
    assert min(slices, key=lambda f: f.estimate.position.value).columns == ("paid", "sex")
    assert any("'sex' is 'f'" in f.message and "on other test rows" in f.message for f in worst)


def test_a_subgroup_of_two_conditions_is_named(make_evidence):
    real, fresh, holdout = staff(4000, 1), staff(4000, 2), staff(4000, 3)
    inside = (np.asarray(fresh["sex"]) == "f") & (np.asarray(fresh["site"]) == "north")
    bad = shuffled_where(fresh, "paid", np.flatnonzero(inside))
    found = [f.columns for f in measured(make_evidence, "utility.rare_classes", real, bad, holdout).findings]
    assert any(set(columns) == {"paid", "sex", "site"} for columns in found)


def test_a_dropped_rare_class_is_named(make_evidence):
    real, fresh, holdout = (staff(1500, k, "grade") for k in (1, 2, 3))
    bad = fresh.filter(pa.array(np.asarray(fresh["grade"]) != "top"))
    worst = failing(
        "utility.rare_classes", measured(make_evidence, "utility.rare_classes", real, bad, holdout, ("grade",))
    )
    named = {f.metric for f in worst if f.details.get("class") == "top"}
    assert {"average_precision", "recall"} <= named
    assert any("no row of it" in f.message for f in worst)


def test_slices_that_the_gate_file_names_are_measured(make_evidence):
    real, fresh, holdout = staff(2000, 1), staff(2000, 2), staff(2000, 3)
    bad = shuffled_where(fresh, "paid", np.flatnonzero(np.asarray(fresh["site"]) == "west"))
    sql = "site = 'west' AND hours > 10"
    out = measured(make_evidence, "utility.rare_classes", real, bad, holdout, slices=[sql, "site = 'north'"])
    places = {f.details["slice"]: f.estimate.position for f in out.findings if f.metric == "slice_log_loss_saved"}
    assert sql in [f.details.get("slice") for f in failing("utility.rare_classes", out)]
    assert places["site = 'north'"].value > places[sql].value + 0.2
    assert any("named by the gate file" in f.message for f in out.findings)


@pytest.mark.parametrize("sql", ["sitee = 'west'", "1; DROP TABLE data", "(SELECT 1) = 1", "getenv('HOME') = 'x'"])
def test_a_slice_that_is_no_condition_is_refused(make_evidence, sql):
    with pytest.raises(GateFileError, match="slices"):
        measured(make_evidence, "utility.rare_classes", *(staff(300, k) for k in (1, 2, 3)), slices=[sql])


def test_gaps_between_groups_are_compared(make_evidence):
    real, fresh, holdout = staff(2000, 1), staff(2000, 2), staff(2000, 3)
    paid = np.asarray(fresh["paid"]) & ((np.asarray(fresh["sex"]) == "m") | (np.arange(2000) % 8 == 0))
    good, bad = (
        measured(make_evidence, "utility.rare_classes", real, table, holdout, groups=["sex"])
        for table in (fresh, changed(fresh, "paid", paid))
    )
    gaps = {f.metric for f in good.findings if f.metric.endswith("_gap")}
    assert gaps == {"selection_rate_gap", "true_positive_rate_gap", "accuracy_gap"}
    assert failing("utility.rare_classes", good) == []
    wider = {f.metric for f in failing("utility.rare_classes", bad)}
    assert {"selection_rate_gap", "true_positive_rate_gap"} <= wider
    shown = next(f for f in good.findings if f.metric == "accuracy_gap").details["groups"]
    assert set(shown) == {"f", "m"}
    assert {f.limit for f in good.findings if f.metric == "accuracy_gap"} == {Limit(max=0.1)}


@pytest.mark.parametrize(("name", "why"), [("sexx", "did you mean 'sex'"), ("hours", "read as numerical")])
def test_groups_that_are_none_are_refused(make_evidence, name, why):
    with pytest.raises(GateFileError, match=why):
        measured(make_evidence, "utility.rare_classes", *(staff(300, k) for k in (1, 2, 3)), groups=[name])


def test_classes_of_few_rows_are_counted_and_not_named(make_evidence):
    def rare(table: pa.Table) -> pa.Table:
        values = np.asarray(table["grade"]).astype("U9")
        values[:7] = "secretone"
        return changed(table, "grade", values)

    tables = [rare(staff(600, k, "grade")) for k in (1, 2, 3)]
    out = measured(make_evidence, "utility.rare_classes", *tables, ("grade",))
    assert any("fewer than 20 test rows" in skip.reason for skip in out.ledger.skipped)
    assert "secretone" not in " ".join(f.message for f in out.findings)


def test_a_column_whose_role_changed_is_named(make_evidence):
    real, fresh, holdout = staff(2500, 1), staff(2500, 2), staff(2500, 3)
    bad = changed(fresh, "skill", np.random.default_rng(0).permutation(np.asarray(fresh["skill"])))
    out = measured(make_evidence, "utility.importance", real, bad, holdout)
    worst = next(f for f in out.findings if f.metric == "permutation_importance")
    assert worst.columns == ("paid", "skill")
    assert "loses" in worst.message
    assert judge(worst.estimate, CHECKS["utility.importance"].each) is Status.FAIL
    assert CHECKS["utility.importance"].severity == "warn"


def test_model_families_are_ranked_and_only_clear_pairs_judged(make_evidence):
    out = measured(make_evidence, "utility.importance", staff(1500, 1), staff(1500, 2), staff(1500, 3))
    ranking = next(f for f in out.findings if f.metric == "model_ranking")
    assert ranking.judged == (ranking.details["clear_pairs"] > 0)
    assert ranking.estimate.value == 1.0
    assert set(ranking.details["scores"]) == {"boosting", "linear", "tree", "neighbours"}
    off = measured(make_evidence, "utility.importance", *(staff(600, k) for k in (1, 2, 3)), ranking=False)
    assert all(f.metric != "model_ranking" for f in off.findings)


@pytest.mark.parametrize("check", ["utility.rare_classes", "utility.importance"])
@pytest.mark.parametrize(
    "make",
    [
        lambda t: t.slice(0, 12),
        lambda t: t.select(["paid"]),
        lambda t: changed(t, "paid", [True] * t.num_rows),
        lambda t: changed(t, "paid", [None] * (t.num_rows - 5) + [True, False, True, False, True]),
        lambda t: t.select(["site", "paid"]),
    ],
)
def test_bad_tables_are_not_assessed_with_a_reason(make_evidence, check, make):
    out = measured(make_evidence, check, *(make(staff(300, k)) for k in (1, 2, 3)))
    assert out.not_assessed


def test_checks_share_their_trials(make_evidence):
    found = {name: find_measure(f"utility.{name}") for name in ("tstr", "rare_classes", "importance")}
    evidence = make_evidence(*(staff(400, k) for k in (1, 2, 3)), targets=("paid",))
    for one in found.values():
        one.compute(evidence, one.options)
    assert sum(key.startswith("utility.trial") for key in evidence.sample._derived) == 1


@pytest.mark.parametrize("seed", range(3))
def test_weighted_scores_of_a_class_are_the_plain_ones(seed):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, 200)
    chances = rng.dirichlet(np.ones(3), 200).round(1)
    counts = rng.integers(0, 3, 200)
    again = np.repeat(np.arange(200), counts)
    weighted = weighted_average_precision(truth == 1, chances[:, 1], counts[None, :].astype(float))
    assert weighted[0] == pytest.approx(average_precision(truth[again] == 1, chances[again, 1]))
    plain = one_class_scores(truth[again], chances[again], 1, np.ones((1, len(again))))
    heavy = one_class_scores(truth, chances, 1, counts[None, :].astype(float))
    assert heavy == pytest.approx(plain, nan_ok=True)
    said = chances[again].argmax(axis=1) == 1
    assert plain[1, 0] == pytest.approx((said & (truth[again] == 1)).sum() / (truth[again] == 1).sum())


@pytest.mark.slow
def test_the_spoilt_subgroup_of_the_defect_corpus_is_named(shared_data, make_evidence):
    folder = shared_data / "defects" / "adult_plus"
    real, holdout = (pq.read_table(folder / f"real_{name}.parquet") for name in ("train", "holdout"))
    bad = pq.read_table(folder / "target_shuffled_in_subgroup__gross.parquet")
    worst = failing(
        "utility.rare_classes", measured(make_evidence, "utility.rare_classes", real, bad, holdout, ("income",))
    )
    assert {f.details.get("slice") for f in worst} == {"'sex' is 'Female'"}
