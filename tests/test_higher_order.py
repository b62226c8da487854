"""Three columns at a time: what pairs cannot tell, chosen and explained; mostlyai-qa's accuracy."""

from __future__ import annotations

import csv
from itertools import combinations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from synthgate.catalogue import find_measure
from synthgate.findings import Limit, Status
from synthgate.judging import judge
from synthgate.measures.fidelity import accuracy
from synthgate.measures.triples import Cut, choose, joint_of
from synthgate.statistics.distances import (
    careless_total_variation,
    careless_total_variations,
    expected_total_variation,
    expected_total_variations,
    total_variation,
    total_variations,
)
from synthgate.statistics.joint import interaction_test, pairs_only, raked

EACH = Limit(min_position=0.85)
KEPT = ("three_way_dependence_kept", "pair_dependence_kept", "dependence_kept_in_a_part")


def run(evidence):
    found = find_measure("fidelity.higher_order")
    assert found is not None
    return found.compute(evidence, found.options)


def failing(measurement, metric="three_way_similarity"):
    judged = [f for f in measurement.findings if f.judged and f.estimate and f.metric == metric]
    return [f for f in judged if judge(f.estimate, EACH) is Status.FAIL]


def rule(rows, seed, *, kept=True, extra=2):
    """Draw three columns of which each two are independent and the third follows from the others, and more."""
    rng = np.random.default_rng(seed)
    a, b = rng.integers(0, 2, rows), rng.integers(0, 2, rows)
    c = np.where(rng.random(rows) < 0.95, a ^ b, 1 - (a ^ b))
    if not kept:
        c = rng.permutation(c)
    more = {f"other{k}": rng.choice(["x", "y", "z"], rows) for k in range(extra)}
    names = np.array(["no", "yes"])
    return pa.table({"mail": names[a], "size": rng.normal(size=rows), "phone": names[b], "renew": names[c], **more})


def test_a_lost_rule_of_three_columns_is_named_though_every_pair_holds(make_evidence):
    evidence = make_evidence(rule(2000, 1), rule(2000, 2, kept=False), rule(2000, 3))
    (found,) = failing(run(evidence))
    assert found.columns == ("mail", "phone", "renew")
    assert found.details["cause"] == "the three together, not in their pairs"
    assert "mail" in found.message.split("most of all in")[1]
    pairs = find_measure("fidelity.pairs")
    assert pairs is not None
    measured = pairs.compute(evidence, {})
    assert not [f for f in measured.findings if f.judged and f.estimate and judge(f.estimate, EACH) is Status.FAIL]


def test_the_floor_is_what_a_table_with_the_right_pairs_alone_scores(make_evidence):
    (found,) = failing(run(make_evidence(rule(4000, 1), rule(4000, 2, kept=False), rule(4000, 3))))
    assert found.estimate.value == pytest.approx(found.estimate.floor, abs=0.02)
    assert found.estimate.position.value < 0.05


def test_a_rule_of_three_columns_that_is_lost_in_some_rows_is_seen_in_its_own_direction(make_evidence):
    gone, left = rule(1500, 2, kept=False).slice(0, 450), rule(1500, 2).slice(450)
    result = run(make_evidence(rule(1500, 1), pa.concat_tables([gone, left]), rule(1500, 3)))
    (found,) = [f for f in result.findings if f.metric == "three_way_dependence_kept"]
    assert found.columns == ("mail", "phone", "renew")
    assert found.estimate.low < 0.7 < found.estimate.high < 0.85
    assert judge(found.estimate, found.limit) is Status.PASS
    assert {"phone", "renew"} <= {name for f in failing(result, "dependence_kept_in_a_part") for name in f.columns}
    whole = run(make_evidence(rule(1500, 1), rule(1500, 2, kept=False), rule(1500, 3)))
    (found,) = [f for f in whole.findings if f.metric == "three_way_dependence_kept"]
    assert judge(found.estimate, found.limit) is Status.FAIL


def test_a_pair_that_is_broken_inside_one_group_is_named_with_its_cause(make_evidence, draw_people):
    broken = draw_people(4000, 3).to_pandas()
    north = broken["member"].to_numpy()
    broken.loc[north, "job"] = np.random.default_rng(0).permutation(broken.loc[north, "job"])
    evidence = make_evidence(draw_people(4000, 1), pa.Table.from_pandas(broken), draw_people(4000, 2))
    found = failing(run(evidence))
    assert found
    assert all({"job", "region"} <= set(f.columns) for f in found)
    assert {f.details["cause"] for f in found} == {"how job and region go together"}


@pytest.mark.parametrize("rows", [60, 200, 2000])
@pytest.mark.parametrize("holdout", [True, False])
def test_fresh_rows_never_fail(make_evidence, draw_people, rows, holdout):
    for seed in range(4):
        third = draw_people(rows, seed + 90) if holdout else None
        result = run(make_evidence(draw_people(rows, seed), draw_people(rows, seed + 50), third))
        for metric in ("three_way_similarity", *KEPT):
            assert not failing(result, metric)
        assert judge(result.score, Limit(min_position=0.8)) is not Status.FAIL


def test_the_same_input_gives_the_same_numbers(make_evidence, draw_people):
    tables = [draw_people(500, seed) for seed in range(3)]
    assert run(make_evidence(*tables)) == run(make_evidence(*tables))


def test_a_pair_that_goes_with_less_is_seen_beside_a_twin_that_holds_its_column(make_evidence):
    def twins(seed, *, loose):
        rng = np.random.default_rng(seed)
        income = rng.normal(size=3000)
        wealth = 0.5 * income + rng.normal(size=3000)
        order = rng.permutation(3000)
        income = np.where(rng.random(3000) < loose, income[order], income)
        return pa.table({"income": income, "income in cents": np.round(100 * income), "wealth": wealth})

    result = run(make_evidence(twins(1, loose=0.0), twins(2, loose=0.6), twins(3, loose=0.0)))
    found = failing(result, "pair_dependence_kept")
    assert {f.columns for f in found} == {("income", "wealth"), ("income in cents", "wealth")}
    assert not failing(run(make_evidence(*(twins(k, loose=0.0) for k in (1, 2, 3)))), "pair_dependence_kept")


def test_of_rows_in_groups_no_direction_is_told(make_evidence):
    tables = [pa.concat_tables([rule(150, seed)] * 6) for seed in (1, 2, 3)]
    result = run(make_evidence(*tables))
    assert not [f for f in result.findings if "kept" in f.metric]
    assert "rows come in groups" in " ".join(skip.reason for skip in result.ledger.skipped)


def test_two_columns_or_a_handful_of_rows_are_not_assessed(make_evidence):
    two = rule(300, 1).select(["mail", "size"])
    assert run(make_evidence(two, two)).not_assessed == "there are no three comparable, varying columns"
    assert run(make_evidence(rule(300, 1), rule(5, 2))).not_assessed == "too few rows for three-way tables"


def test_of_too_many_triples_those_that_matter_are_chosen_and_the_rest_is_told(make_evidence):
    tables = [rule(1500, seed, kept=seed != 2, extra=60) for seed in (1, 2)]
    evidence = make_evidence(*tables, targets=("other7",))
    rng = np.random.default_rng(0)
    joint = joint_of(evidence, Cut(), rng)
    triples, candidates = choose(joint, evidence.targets, rng)
    names = [tuple(joint.columns[k].name for k in triple) for triple in triples]
    assert joint.candidates == candidates == 64 * 63 * 62 // 6
    assert len(set(names)) == len(names) == joint.affordable < candidates
    assert ("mail", "phone", "renew") in names
    assert sum("other7" in triple for triple in names) > len(names) / 4
    result = run(evidence)
    assert [f.columns for f in failing(result)] == [("mail", "phone", "renew")]
    assert result.ledger.scored == joint.affordable
    assert "were screened in real and not chosen" in result.ledger.skipped[0].reason


def test_findings_are_few_for_one_cause_and_the_rest_is_counted(make_evidence, draw_people):
    other = draw_people(3000, 3)
    other = other.set_column(3, "wage", pa.array(np.random.default_rng(0).permutation(other["wage"].to_numpy())))
    result = run(make_evidence(draw_people(3000, 1), other, draw_people(3000, 2)))
    causes = [f.details["cause"] for f in failing(result)]
    assert causes
    assert max(causes.count(cause) for cause in causes) <= 3
    assert "more triples differ for the same causes" in result.reason


def test_no_rare_value_is_shown_and_hostile_names_pass_through(make_evidence):
    tables = []
    for seed in (1, 2, 3):
        table = rule(600, seed, kept=seed != 2).rename_columns(["<b>", "size", "a\n'b", 'q"', "other0", "other1"])
        rare = np.array(["common", "frequent"])[np.arange(600) % 2].astype(object)
        rare[:5] = "secret"
        tables.append(table.append_column("rare", pa.array(rare)))
    result = run(make_evidence(*tables))
    assert ("<b>", "a\n'b", 'q"') in [f.columns for f in failing(result)]
    assert "secret" not in repr(result)


@pytest.mark.parametrize("seed", range(5))
def test_many_tables_at_once_are_as_one_at_a_time(seed):
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(12, 0.4), 7)
    real, synthetic = (np.stack([rng.multinomial(n, p) for p in shares]) for n in (150, 90))
    value, error = total_variations(real, synthetic)
    for pool in (real, real + 3 * real):
        mean, spread = expected_total_variations(pool, 150, 90)
        for k in range(7):
            one = expected_total_variation(pool[k], 150, 90)
            assert (mean[k], spread[k]) == pytest.approx((one.mean, one.spread))
    careless = careless_total_variations(real, shares, 90)
    for k in range(7):
        one = total_variation(real[k], synthetic[k])
        assert (value[k], error[k]) == pytest.approx((one.value, one.error))
        assert careless[k] == pytest.approx(careless_total_variation(real[k], shares[k], 90))


@pytest.mark.parametrize("seed", range(5))
def test_the_fitted_table_keeps_the_pairs_and_has_no_joint_effect(seed):
    rng = np.random.default_rng(seed)
    tables = rng.multinomial(2000, rng.dirichlet(np.ones(36)), 4).reshape(4, 3, 4, 3)
    fitted = pairs_only(tables)
    for axis in (1, 2, 3):
        assert fitted.sum(axis=axis) == pytest.approx(tables.sum(axis=axis) / 2000, abs=1e-3)
    statistic, chance = interaction_test(np.rint(fitted * 1e6).astype(np.int64), fitted)
    assert (statistic < 1).all()
    assert (chance > 0.99).all()
    assert (interaction_test(tables, fitted)[1] < 1e-6).all()


def test_the_test_for_a_joint_effect_is_rarely_wrong():
    rng = np.random.default_rng(0)
    tables = np.stack([rng.multinomial(1500, np.full(27, 1 / 27)) for _ in range(400)]).reshape(400, 3, 3, 3)
    chance = interaction_test(tables, pairs_only(tables))[1]
    assert 0.02 < (chance < 0.05).mean() < 0.09


def test_raking_keeps_the_dependence_and_takes_over_the_margins():
    known = np.array([[[40, 10], [10, 40]]])
    onto = np.array([[[90, 0], [0, 10]]])
    fitted = raked(known, onto)[0]
    assert fitted.sum(axis=0) == pytest.approx([90, 10], rel=1e-3)
    assert fitted.sum(axis=1) == pytest.approx([90, 10], rel=1e-3)
    odds = fitted[0, 0] * fitted[1, 1] / (fitted[0, 1] * fitted[1, 0])
    assert odds == pytest.approx(16, rel=0.1)


def shown(measurement):
    return {f.metric: f for f in measurement if f.metric.startswith("accuracy")}


def test_accuracy_by_hand(make_evidence):
    real = pa.table({"a": ["x"] * 60 + ["y"] * 40, "b": [1.5] * 50 + [2.5] * 50, "c": ["u", "v"] * 50})
    synthetic = pa.table({"a": ["x"] * 50 + ["y"] * 50, "b": [1.5] * 50 + [2.5] * 50, "c": ["u", "v"] * 50})
    found = shown(accuracy.findings(make_evidence(real, synthetic)))
    assert not any(f.judged for f in found.values())
    # only a differs, by a tenth of the rows, in every set that holds it
    assert found["accuracy_univariate"].estimate.value == pytest.approx(1 - 0.1 / 3)
    assert found["accuracy_bivariate"].estimate.value == pytest.approx(1 - 0.2 / 3)
    assert found["accuracy_trivariate"].estimate.value == pytest.approx(0.9)
    parts = [found[f"accuracy_{n}"].estimate.value for n in ("univariate", "bivariate", "trivariate")]
    assert found["accuracy"].estimate.value == pytest.approx(np.mean(parts))
    noise = 0.5 * sum(np.sqrt(2 / np.pi * p * (1 - p) * 0.02) for p in (0.6, 0.4))
    even = 0.5 * 2 * np.sqrt(2 / np.pi * 0.25 * 0.02)
    assert found["accuracy_univariate"].estimate.ceiling == pytest.approx(1 - (noise + 2 * even) / 3)


def test_accuracy_bins_as_defined():
    rng = np.random.default_rng(0)
    breaks = accuracy.quantile_breaks(rng.normal(size=5000))
    assert len(breaks) == 11
    assert (np.diff(breaks) > 0).all()
    assert accuracy.quantile_breaks(np.array([3.0, 1.0, 1.0])).tolist() == [1, 3, 4]
    coded = accuracy.bin_numbers({"real": np.array([1.0, 3.0, np.nan]), "synthetic": np.array([-9.0, 99.0, 2.0])})
    assert coded["real"].tolist() == [0, 1, accuracy.LEVELS - 1]
    assert coded["synthetic"].tolist() == [0, 1, 0]
    labels = tuple(f"c{k:02d}" for k in range(12))
    codes = np.concatenate([np.full(30 - k, k) for k in range(12)] + [[-1]]).astype(np.int32)
    place = accuracy.bin_labels_of({"real": codes, "synthetic": np.array([11, 3, -1], np.int32)}, labels)
    assert place["synthetic"].tolist() == [accuracy.LEVELS - 2, 3, accuracy.LEVELS - 1]


@pytest.mark.parametrize(
    ("file", "published"),
    [
        ("2024-12_mostlyai", "adult_mostlyai.csv.gz"),
        ("2024-12_synthcity-ctgan", "adult_synthcity-ctgan.csv.gz"),
        ("2024-12_synthcity-bayesian_network", "online-shoppers_synthcity-bayesian_network.csv.gz"),
    ],
)
def test_accuracy_is_the_published_one(make_evidence, shared_data, file, published):
    paper = shared_data / "paper"
    with (paper / "published_2024-12_metrics.csv").open() as stream:
        (row,) = [row for row in csv.DictReader(stream) if row["file"] == published]
    base = paper / row["dataset"]
    real, synthetic = (pq.read_table(base / name) for name in ("train.parquet", f"synthetic/{file}.parquet"))
    found = shown(accuracy.findings(make_evidence(real, synthetic)))
    for part in ("univariate", "bivariate"):
        assert found[f"accuracy_{part}"].estimate.value == pytest.approx(float(row[part]), abs=0.0015)
        assert found[f"accuracy_{part}"].estimate.ceiling == pytest.approx(float(row[f"{part}_max"]), abs=0.0015)


def test_every_triple_is_counted_once():
    assert len(set(combinations(range(9), 3))) == 84
    drawn = accuracy._drawn(9, 3, 50, np.random.default_rng(0))
    assert len(set(drawn)) == 50
    assert all(len(set(s)) == 3 and list(s) == sorted(s) for s in drawn)
