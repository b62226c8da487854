"""The reverse test of ``utility.tstr``: do synthetic outcomes follow from the other columns as real ones do?"""

import numpy as np
import pyarrow as pa
import pytest

from synthgate.catalogue import find_measure
from synthgate.findings import Status
from synthgate.judging import judge
from synthgate.measures.utility.features import fit_encoder
from synthgate.measures.utility.labels import trts
from synthgate.roles import Role


def table(rows: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    x, z, job = rng.normal(size=rows), rng.normal(size=rows), rng.choice(["a", "b", "c"], rows)
    y = 2 * x + (job == "a") + rng.normal(0, 0.5, rows)
    return {"x": x, "z": z, "job": job, "y": y, "hit": np.where(y > 0.3, "yes", "no")}


def found(make_evidence, synthetic, target="hit", rows=3000):
    real, holdout = (pa.table(table(rows, k)) for k in (1, 2))
    return trts(make_evidence(real, pa.table(synthetic), holdout, targets=(target,)))


def statuses(measurement):
    return [judge(f.estimate, f.limit) for f in measurement.findings]


@pytest.mark.parametrize("target", ["hit", "y"])
@pytest.mark.parametrize("seed", range(3, 9))
def test_outcomes_of_fresh_rows_follow_as_well(make_evidence, target, seed):
    out = found(make_evidence, table(3000, seed), target)
    assert out.score.position.high > 0.95
    assert Status.FAIL not in statuses(out)


def test_a_tenth_of_wrong_labels_fails_though_models_learn_as_much(make_evidence):
    spoiled = table(3000, 3)
    wrong = np.arange(3000) % 10 == 0
    spoiled["hit"] = np.where(wrong, np.where(spoiled["hit"] == "yes", "no", "yes"), spoiled["hit"])
    out = found(make_evidence, spoiled)
    assert out.score.position.high < 0.8
    real, holdout = (pa.table(table(3000, k)) for k in (1, 2))
    tstr = find_measure("utility.tstr")
    evidence = make_evidence(real, pa.table(spoiled), holdout, targets=("hit",))
    judged = tstr.compute(evidence, dict(tstr.options))
    assert judged.score.position.high > 0.9
    failing = [f for f in judged.findings if f.limit and judge(f.estimate, f.limit) is Status.FAIL]
    assert "label_information" in [f.metric for f in failing]
    assert failing[0].message in judged.reason


def test_outcomes_that_are_shuffled_in_one_group_name_its_column(make_evidence):
    spoiled = table(3000, 3)
    group = np.flatnonzero(spoiled["job"] == "b")[:500]
    spoiled["hit"][group] = np.random.default_rng(0).permutation(spoiled["hit"][group])
    out = found(make_evidence, spoiled)
    failing = [f for f, s in zip(out.findings, statuses(out), strict=True) if s is Status.FAIL]
    assert ("hit", "job") in [f.columns for f in failing]
    assert any("'job' is 'b'" in f.message for f in failing)


def test_shuffled_numbers_fail_and_no_single_row_decides(make_evidence):
    shuffled, odd = table(3000, 3), table(3000, 3)
    shuffled["y"] = np.random.default_rng(0).permutation(shuffled["y"])
    odd["y"][0] = 1e12
    assert found(make_evidence, shuffled, "y").score.position.high == 0
    assert found(make_evidence, odd, "y").score.position.high > 0.95


def test_outcomes_that_follow_too_closely_fail(make_evidence):
    spoiled = table(3000, 3)
    mean = 2 * spoiled["x"] + (spoiled["job"] == "a")
    spoiled["y"] = mean + 0.5 * (spoiled["y"] - mean)
    out = found(make_evidence, spoiled, "y")
    close = {f.metric: (f, s) for f, s in zip(out.findings, statuses(out), strict=True)}["label_uncertainty_kept"]
    assert close[1] is Status.FAIL
    assert close[0].estimate.value < 0.5
    assert "too closely" in close[0].message


def test_what_real_rows_do_not_teach_is_not_assessed(make_evidence):
    noise = table(3000, 3)
    assert found(make_evidence, noise, "z").not_assessed
    assert found(make_evidence, {k: v[:50] for k, v in noise.items()}, rows=3000).not_assessed
    del noise["hit"]
    assert "does not have 'hit'" in found(make_evidence, noise).not_assessed


def test_a_part_of_the_training_rows_says_which_levels_have_a_number():
    codes = np.repeat(np.arange(60), np.arange(60, 0, -1))
    whole = fit_encoder({"c": codes}, {"c": Role.CATEGORICAL}, {"c": [str(k) for k in range(60)]})
    part = {"c": np.r_[codes[codes > 50], 0]}
    own = whole.of_part(part).tree(part)
    assert len(np.unique(own)) == 10
    assert len(np.unique(whole.tree(part))) == 2
