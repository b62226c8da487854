"""Combinations of two and three values: lost, flooded, invented, and those that say nothing."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from synthgate.catalogue import find_measure
from synthgate.findings import Limit, Severity, Status
from synthgate.judging import judge
from synthgate.statistics.intervals import ratio_interval, ratio_intervals


def run(evidence):
    found = find_measure("coverage.combinations")
    assert found is not None
    return found.compute(evidence, found.options)


def failing(measurement, severity=None):
    wrong = [f for f in measurement.findings if f.estimate and judge(f.estimate, Limit(min=0.5)) is Status.FAIL]
    return {(f.columns, f.details.get("name")) for f in wrong if f.severity is severity}


def without(table, keep):
    """Return the rows to keep, repeated up to the length of the table."""
    rows = np.flatnonzero(keep)
    return table.take(pa.array(np.resize(np.random.default_rng(0).permutation(rows), table.num_rows)))


def test_a_lost_combination_is_named_with_its_counts(make_evidence, draw_people):
    other = draw_people(4000, 3)
    lost = (np.array(other["job"]) == "nurse") & np.array(other["member"])
    result = run(make_evidence(draw_people(4000, 1), without(other, ~lost), draw_people(4000, 2)))
    assert (("job", "member"), "job = 'nurse' and member = 'true'") in failing(result)
    (found,) = [f for f in result.findings if f.columns == ("job", "member") and f.details["found"] == 0]
    assert 300 < found.details["expected"] < 420
    assert found.message.endswith("it is lost")
    assert result.score.value < 1


def test_fresh_rows_never_fail(make_evidence, draw_people):
    for rows in (150, 1500):
        for seed in range(4):
            third = draw_people(rows, seed + 90) if seed % 2 else None
            result = run(make_evidence(draw_people(rows, seed), draw_people(rows, seed + 50), third))
            assert failing(result) | failing(result, Severity.WARN) == set()


def test_a_lost_category_is_not_told_again_as_lost_combinations(make_evidence, draw_people):
    other = draw_people(4000, 3)
    result = run(make_evidence(draw_people(4000, 1), without(other, np.array(other["job"]) != "farmer")))
    assert failing(result) == set()


def test_a_lost_pair_is_not_told_again_as_lost_triples(make_evidence, draw_people):
    other = draw_people(4000, 3)
    lost = (np.array(other["job"]) == "nurse") & np.array(other["member"])
    result = run(make_evidence(draw_people(4000, 1), without(other, ~lost), draw_people(4000, 2)))
    assert {columns for columns, _ in failing(result)} == {("job", "member")}


def test_three_values_that_go_together_too_seldom_are_named(make_evidence):
    def draw(rows, seed, *, kept=True):
        rng = np.random.default_rng(seed)
        a, b = rng.integers(0, 2, rows), rng.integers(0, 2, rows)
        c = a ^ b if kept else rng.integers(0, 2, rows)
        names = np.array(["no", "yes"])
        return pa.table({"a": names[a], "b": names[b], "c": names[c]})

    result = run(make_evidence(draw(2000, 1), draw(2000, 2, kept=False), draw(2000, 3)))
    told = failing(result, Severity.WARN)
    assert {columns for columns, _ in told} == {("a", "b", "c")}
    assert "a = 'yes' and b = 'yes' and c = 'yes'" in {name for _, name in told}
    assert all("fewer than" in f.message for f in result.findings)


def test_what_is_expected_a_fraction_of_a_time_says_nothing(make_evidence):
    def draw(rows, seed):
        rng = np.random.default_rng(seed)
        return pa.table(
            {"a": rng.choice(["x", "y"], rows, p=[0.995, 0.005]), "b": rng.choice(["u", "v"], rows, p=[0.97, 0.03])}
        )

    real, synthetic = draw(2000, 1), draw(2000, 2)
    result = run(
        make_evidence(
            real, without(synthetic, ~((np.array(synthetic["a"]) == "y") & (np.array(synthetic["b"]) == "v")))
        )
    )
    assert failing(result) == set()
    assert result.ledger.scored <= 3


def test_a_rare_value_is_never_named(make_evidence):
    rng = np.random.default_rng(0)
    a = np.where(np.arange(3000) < 6, "secret", rng.choice(["x", "y"], 3000))
    real = pa.table({"a": a, "b": rng.choice(["u", "v"], 3000), "c": rng.choice(["p", "q"], 3000)})
    flooded = pa.table(
        {"a": np.where(rng.random(3000) < 0.2, "secret", a), "b": real["b"], "c": np.where(a == "x", "p", "q")}
    )
    result = run(make_evidence(real, flooded))
    assert result.findings
    assert "secret" not in repr(result)


def test_numbers_read_as_ranges_and_missing_values_as_missing(make_evidence, draw_people):
    other = draw_people(4000, 3).to_pandas()
    farmer = other["job"] == "farmer"
    other.loc[~farmer, "wage"] = other.loc[~farmer, "wage"].fillna(2000.0)
    other.loc[farmer & (np.arange(4000) % 2 == 0), "wage"] = None
    result = run(make_evidence(draw_people(4000, 1), pa.Table.from_pandas(other), draw_people(4000, 2)))
    names = {name for _, name in failing(result)}
    assert "job = 'clerk' and wage is missing" in names
    assert (
        result.findings
        == run(make_evidence(draw_people(4000, 1), pa.Table.from_pandas(other), draw_people(4000, 2))).findings
    )


def test_one_column_is_not_assessed(make_evidence):
    table = pa.table({"a": ["x", "y"] * 50})
    assert "no combination" in str(run(make_evidence(table, table)).not_assessed)


@pytest.mark.parametrize("found", [0, 3, 40])
@pytest.mark.parametrize("known", [0, 5, 60])
def test_many_ratio_intervals_are_as_one(found, known):
    low, high = ratio_intervals(np.array([found, 7]), 500, np.array([known, 9]), 800, 2.5)
    if found or known:
        assert (low[0], high[0]) == ratio_interval(found, 500, known, 800, 2.5)
    assert low[1] < (7 / 500) / (9 / 800) < high[1]


def test_a_holdout_without_a_column_is_left_aside(make_evidence, draw_people):
    tables = draw_people(1500, 1), draw_people(1500, 2), draw_people(1500, 3).drop_columns(["member"])
    assert failing(run(make_evidence(*tables))) == set()


def answers(rows, seed):
    """Draw two answers of twelve that mostly agree; what does not is a rare combination of its own."""
    rng = np.random.default_rng(seed)
    one = rng.integers(0, 12, rows)
    other = np.where(rng.random(rows) < 0.85, one, rng.integers(0, 12, rows))
    words = np.array([f"a{k}" for k in range(12)])
    return pa.table({"one": words[one], "other": words[other], "third": rng.choice(["x", "y"], rows)})


def test_rare_combinations_are_missed_together_though_each_may_be_absent_by_chance(make_evidence):
    real, holdout, fresh = (answers(3000, seed) for seed in (1, 2, 3))
    agree = np.array(fresh["one"]) == np.array(fresh["other"])
    kept = agree | (np.random.default_rng(0).random(3000) < 0.1)
    result = run(make_evidence(real, without(fresh, kept), holdout))
    (found,) = [f for f in result.findings if f.metric == "rare_rows_kept"]
    assert found.columns == ("one", "other")
    assert judge(found.estimate, Limit(min=0.5)) is Status.FAIL
    assert "rare combinations do not occur" in found.message


@pytest.mark.parametrize("seed", range(3))
def test_fresh_rows_and_lost_categories_lack_no_rare_combination(make_evidence, seed):
    real, holdout, fresh = (answers(3000, 10 * seed + at) for at in range(3))
    gone = without(fresh, ~np.isin(np.array(fresh["one"]), ["a1", "a2"]))
    for table in (fresh, gone):
        result = run(make_evidence(real, table, holdout))
        assert not [f for f in result.findings if f.metric == "rare_rows_kept"]
