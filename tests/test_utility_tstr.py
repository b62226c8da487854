"""What ``utility.tstr`` says of good, bad, small and impossible tables."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest

from synthgate.catalogue import find_measure
from synthgate.findings import Limit, Measurement, Status
from synthgate.judging import judge
from synthgate.measures.utility.trials import Settings
from synthgate.measures.utility.tstr import assess
from synthgate.roles import Role
from synthgate.sample import Sample, SampleSide

LIMIT = Limit(min_position=0.9)
ROLES = {
    "age": Role.NUMERICAL, "wage": Role.NUMERICAL, "job": Role.CATEGORICAL, "noise": Role.NUMERICAL,
    "rich": Role.BOOLEAN, "id": Role.ID, "note": Role.TEXT,
}  # fmt: skip
WORDS = {
    "job": ("clerk", "farmer", "nurse", "pilot"),
    "rich": ("false", "true"),
    "id": tuple(f"{k:06d}" for k in range(5000)),
    "note": ("good word", "bad word"),
}


def people(rows: int, seed: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    age = rng.gamma(6, 7, rows).round()
    job = rng.choice(4, rows, p=[0.5, 0.3, 0.15, 0.05]).astype(np.int32)
    wage = 1000 + 30 * age + 500 * (job == 3) + rng.normal(0, 250, rows)
    rich = (wage + 200 * (job == 1) + rng.normal(0, 300, rows) > 2350).astype(np.int32)
    wage[rng.random(rows) < 0.1] = np.nan
    return {
        "age": age, "wage": wage, "job": job, "noise": rng.normal(size=rows), "rich": rich,
        "id": np.arange(rows, dtype=np.int32), "note": rng.integers(0, 2, rows).astype(np.int32),
    }  # fmt: skip


def side(columns: Mapping[str, np.ndarray]) -> SampleSide:
    rows = len(next(iter(columns.values())))
    return SampleSide(rows, np.arange(rows), columns)


def build(real, synthetic, holdout=None, roles=None, words=None, seed=0) -> Sample:
    roles = {name: role for name, role in (roles or ROLES).items() if name in synthetic}
    holdout = side(holdout) if holdout is not None else None
    return Sample(roles, words or WORDS, {}, side(real), side(synthetic), holdout, seed)


def shuffled(columns, *names, seed=0):
    rng = np.random.default_rng(seed)
    return {n: rng.permutation(v) if not names or n in names else v for n, v in columns.items()}


def run(real, synthetic, holdout=None, targets=("rich",), **more) -> Measurement:
    sample = build(real, synthetic, holdout, **more)
    found = assess(sample, targets, Settings())
    json.dumps([dict(f.details) for f in found.findings], allow_nan=False)
    return found


def statuses(found: Measurement) -> set[Status]:
    assert found.not_assessed is None, found.not_assessed
    return {judge(f.estimate, LIMIT) for f in found.findings if f.estimate and f.judged}


def position(found: Measurement) -> float:
    assert found.score is not None, found.not_assessed
    assert found.score.position is not None
    assert found.score.position.low <= found.score.position.value <= found.score.position.high
    return found.score.position.value


@pytest.mark.parametrize("target", ["rich", "wage"])
def test_fresh_rows_pass_and_shuffled_rows_fail(target):
    real, fresh, holdout = people(1500, 1), people(1500, 2), people(1500, 3)
    good = run(real, fresh, holdout, (target,))
    bad = run(real, shuffled(fresh), holdout, (target,))
    assert Status.FAIL not in statuses(good)
    assert judge(good.score, LIMIT) is Status.PASS
    assert judge(bad.score, LIMIT) is Status.FAIL
    assert position(bad) < 0.3
    assert position(good) > 0.9


@pytest.mark.parametrize("seed", range(6))
def test_150_perfect_rows_do_not_fail(seed):
    found = run(people(150, 10 * seed), people(150, 10 * seed + 1), people(150, 10 * seed + 2))
    assert Status.FAIL not in statuses(found)
    assert judge(found.score, LIMIT) is not Status.FAIL


def test_noisy_labels_fail_by_their_probabilities():
    real, fresh, holdout = people(3000, 1), people(3000, 2), people(3000, 3)
    flipped = np.random.default_rng(0).random(3000) < 0.15
    found = run(real, {**fresh, "rich": np.where(flipped, 1 - fresh["rich"], fresh["rich"])}, holdout)
    failing = {f.metric for f in found.findings if f.judged and judge(f.estimate, LIMIT) is Status.FAIL}
    assert "log_loss_saved" in failing
    shown = assess(build(real, fresh, holdout), ("rich",), Settings(), probabilities=False)
    assert [f.judged for f in shown.findings if f.metric == "log_loss_saved"] == [False]


def test_findings_hold_what_reports_need():
    found = run(people(800, 1), people(800, 2), people(800, 3), ("rich", "wage"))
    assert found.ledger.scored == 2
    assert found.power is not None
    skipped = {skip.subject: skip.reason for skip in found.ledger.skipped}
    assert set(skipped) == {"id", "note"}
    metrics = [(f.columns, f.metric) for f in found.findings]
    assert metrics.count((("rich",), "auc")) == metrics.count((("wage",), "r2")) == 2
    for finding in found.findings:
        assert finding.estimate.floor == (0.5 if finding.metric == "auc" else 0.0)
        assert finding.estimate.low <= finding.estimate.value <= finding.estimate.high
        assert finding.details["model"] in ("boosting", "linear")
    details = next(f.details for f in found.findings if f.metric == "auc")
    assert details["tstr"] == pytest.approx(details["raw_ratio"] * details["trtr"])
    assert details["scores"]["synthetic"].keys() == details["scores"]["real"].keys()
    assert {"accuracy", "brier", "f1_macro", "average_precision"} <= details["scores"]["real"].keys()
    assert details["calibration"]["real"]["error"] < 0.2


def test_the_same_seed_gives_the_same_numbers_and_another_one_nearly():
    tables = people(600, 1), people(600, 2), people(600, 3)
    assert run(*tables, seed=5) == run(*tables, seed=5)
    other = run(*tables, seed=6)
    assert position(other) == pytest.approx(position(run(*tables, seed=5)), abs=0.1)


def test_bare_noise_is_not_judged():
    found = run(people(500, 1), people(500, 2), people(500, 3), ("noise",))
    assert "real rows" in found.not_assessed


def test_a_target_without_rows_in_synthetic_fails():
    real, fresh, holdout = people(600, 1), people(600, 2), people(600, 3)
    lost = {name: values for name, values in fresh.items() if name != "rich"}
    cases = {
        "does not have this target": lost,
        "no usable value": {**fresh, "rich": np.full(600, -1, np.int32)},
        "constant in synthetic": {**fresh, "rich": np.ones(600, np.int32)},
        "synthetic rows have a target": {**fresh, "rich": np.where(np.arange(600) < 3, 0, -1).astype(np.int32)},
    }
    for words, synthetic in cases.items():
        found = run(real, synthetic, holdout)
        assert judge(found.score, LIMIT) is Status.FAIL, words
        assert position(found) < 0.5
        if words != "synthetic rows have a target":
            assert any(words in f.message for f in found.findings), words


def test_a_constant_number_in_synthetic_fails():
    real, fresh, holdout = people(600, 1), people(600, 2), people(600, 3)
    found = run(real, {**fresh, "wage": np.full(600, 5.0)}, holdout, ("wage",))
    assert judge(found.score, LIMIT) is Status.FAIL


def test_a_class_that_synthetic_lost_is_named():
    def draw(seed, classes):
        rng = np.random.default_rng(seed)
        kind = rng.choice(classes, 800).astype(np.int32)
        return {"kind": kind, "x": kind + rng.normal(0, 0.4, 800), "y": rng.normal(size=800)}

    roles = {"kind": Role.CATEGORICAL, "x": Role.NUMERICAL, "y": Role.NUMERICAL}
    words = {"kind": ("one", "<script>", "it's\n'three'")}
    found = run(draw(1, 3), draw(2, 2), draw(3, 3), ("kind",), roles=roles, words=words)
    assert any("no row of class" in f.message and "three" in f.message for f in found.findings)
    assert judge(found.score, LIMIT) is Status.FAIL
    absent = run(draw(1, 3), draw(2, 3), draw(3, 2), ("kind",), roles=roles, words=words)
    assert any("is not scored" in f.message for f in absent.findings)
    assert Status.FAIL not in statuses(absent)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda t: {n: v[:12] for n, v in t.items()}, "at least 30 rows"),
        (lambda t: {**t, "rich": np.full(len(t["age"]), -1, np.int32)}, "nothing to predict"),
        (lambda t: {**t, "rich": np.zeros(len(t["age"]), np.int32)}, "nothing to predict"),
        (lambda t: {**t, "rich": np.where(np.arange(len(t["age"])) < 8, t["rich"], -1).astype(np.int32)}, ""),
        (lambda t: {"rich": t["rich"]}, "no column"),
        (lambda t: {"rich": t["rich"], "id": t["id"]}, "no column"),
        (lambda t: {"rich": t["rich"], "note": t["note"]}, "real rows"),
    ],
)
def test_what_cannot_be_asked_is_not_assessed_with_a_reason(change, why):
    found = run(*(change(people(300, seed)) for seed in (1, 2, 3)))
    assert found.not_assessed
    assert why in found.not_assessed


def test_an_id_as_target_is_not_assessed():
    assert "id" in run(people(300, 1), people(300, 2), people(300, 3), ("id",)).not_assessed


def test_one_feature_is_enough():
    tables = [{"rich": t["rich"], "age": t["age"]} for t in (people(800, 1), people(800, 2), people(800, 3))]
    found = run(*tables)
    assert Status.FAIL not in statuses(found)


def test_a_holdout_that_is_the_training_table_is_refused():
    real = people(400, 1)
    assert "copy" in run(real, people(400, 2), real).not_assessed


def test_the_target_under_another_name_is_left_out():
    tables = [{**t, "twin": (1 - t["rich"]).astype(np.int32)} for t in (people(600, 1), people(600, 2), people(600, 3))]
    roles, words = {**ROLES, "twin": Role.CATEGORICAL}, {**WORDS, "twin": ("no", "yes")}
    found = run(*tables, roles=roles, words=words)
    assert "twin" in {skip.subject for skip in found.ledger.skipped}
    assert found.findings[0].estimate.ceiling < 0.99


def test_without_a_holdout_the_message_says_that_it_is_optimistic():
    found = run(people(800, 1), people(800, 2))
    assert "no holdout" in found.reason
    assert any("too good" in f.message for f in found.findings)
    assert found.findings[0].details["tested_on"] == "real"


def test_without_a_target_the_best_predicted_ones_are_chosen():
    tables = people(800, 1), people(800, 2), people(800, 3)
    found = run(*tables, targets=())
    assert "no target was named" in found.reason
    judged = {f.columns[0] for f in found.findings}
    assert {"wage", "age"} <= judged
    assert not judged & {"noise", "id", "note"}
    assert judge(run(tables[0], shuffled(tables[1]), tables[2], targets=()).score, LIMIT) is Status.FAIL
    noise = [{"noise": t["noise"], "x": t["noise"][::-1].copy()} for t in tables]
    dull = run(*noise, targets=(), roles={"noise": Role.NUMERICAL, "x": Role.NUMERICAL})
    assert "can be predicted" in dull.not_assessed


def test_infinities_and_gaps_break_nothing():
    def spoil(columns, seed):
        rng = np.random.default_rng(seed)
        wage = columns["wage"].copy()
        wage[rng.random(len(wage)) < 0.3] = rng.choice([np.inf, -np.inf, np.nan, 1e308])
        return {**columns, "wage": wage, "noise": np.full(len(wage), np.nan)}

    found = run(*(spoil(people(400, seed), seed) for seed in (1, 2, 3)))
    assert found.not_assessed is None
    assert "noise" in {skip.subject for skip in found.ledger.skipped}


@pytest.mark.parametrize("unit", [1e-310, 1e-200, 1e200])
def test_extreme_targets_break_nothing(unit):
    tables = [{"y": t["wage"] / 3000 * unit, "age": t["age"] * unit} for t in map(people, (300,) * 3, (1, 2, 3))]
    tables[1]["y"] = tables[1]["y"] * 1e50
    assert run(*tables, ("y",), roles={"y": Role.NUMERICAL, "age": Role.NUMERICAL}).reason


def test_it_is_registered_and_runs_on_tables(make_evidence, draw_people, shuffle_columns):
    found = find_measure("utility.tstr")
    tables = draw_people(700, 1), draw_people(700, 2), draw_people(700, 3)
    good = found.compute(make_evidence(*tables, targets=("rich",)), found.options)
    bad = found.compute(
        make_evidence(tables[0], shuffle_columns(tables[1]), tables[2], targets=("rich",)), found.options
    )
    assert Status.FAIL not in statuses(good)
    assert judge(bad.score, LIMIT) is Status.FAIL
    reverse = {
        "label_information",
        "label_information_in_a_part",
        "label_uncertainty_kept",
        "dependence_kept_in_a_part",
    }
    assert {f.metric for f in good.findings} == {"auc", "log_loss_saved", *reverse}


def published(folder: Path, dataset: str) -> dict[str, float]:
    rows = pc.read_csv(folder / "paper" / "published_2023-05_ml.csv").to_pylist()
    return {row["synthesizer"]: row["auc"] for row in rows if row["dataset"] == dataset}


@pytest.mark.slow
@pytest.mark.parametrize(("dataset", "target"), [("adult", "income"), ("online-shoppers", "Revenue")])
def test_boosting_reproduces_the_published_auc(shared_data, make_evidence, dataset, target):
    folder = shared_data / "paper" / dataset
    found = find_measure("utility.tstr")
    real, holdout = (pq.read_table(folder / f"{name}.parquet") for name in ("train", "holdout"))
    told = published(shared_data, dataset)
    ours = {}
    for name in sorted(told.keys() - {"ORIGINAL"}):
        synthetic: pa.Table = pq.read_table(folder / "synthetic" / f"2023-05_{name}.parquet")
        evidence = make_evidence(real, synthetic, holdout, targets=(target,))
        out = found.compute(evidence, {**found.options, "models": ["boosting"]})
        boosting = next(f.details for f in out.findings if f.metric == "auc")
        ours[name], ours["ORIGINAL"] = boosting["tstr"], boosting["trtr"]
    # the figures are of 50,000 rows, and the files at hand are parts of these: of this one too small a part
    loose = {"ctgan": 0.07} if dataset == "online-shoppers" else {}
    apart = {name: (ours[name], told[name]) for name in told}
    assert {n: pair for n, pair in apart.items() if abs(pair[0] - pair[1]) > loose.get(n, 0.015)} == {}
    for first in told:
        for second in told:
            if told[first] > told[second] + 0.01:
                assert ours[first] > ours[second], (first, second)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dataset", "target"),
    [("breast_cancer", "target"), ("credit_data", "Status"), ("diabetes", "target"), ("bird_strikes", "time_of_day")],
)
def test_known_tables_are_judged_rightly(shared_data, make_evidence, dataset, target):
    folder = shared_data / "single" / dataset
    found = find_measure("utility.tstr")
    real, holdout = (pq.read_table(folder / f"{name}.parquet") for name in ("train", "holdout"))
    failing = {}
    for name in ("fresh_real", "independent_marginals", "rule_based"):
        synthetic = pq.read_table(folder / "synthetic" / f"{name}.parquet")
        result = found.compute(make_evidence(real, synthetic, holdout, targets=(target,)), found.options)
        failing[name] = Status.FAIL in statuses(result)
    assert failing == {"fresh_real": False, "independent_marginals": True, "rule_based": True}
