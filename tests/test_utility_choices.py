"""Which models, rows and columns ``utility.tstr`` uses when it is told: models by name, all rows, time, keys."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from synthgate.catalogue import find_measure
from synthgate.declared import declared_checks
from synthgate.errors import SynthgateError
from synthgate.gate import evaluate
from synthgate.gatefile import load_gate
from synthgate.judging import judge
from synthgate.measures.utility.split import make_split
from synthgate.measures.utility.zoo import NAMED


def table(rows: int, seed: int, first_day: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    x, job = rng.normal(size=rows), rng.choice(["a", "b", "c"], rows)
    day = np.datetime64("2020-01-01", "us") + (first_day + rng.integers(0, 1000, rows)).astype("timedelta64[D]")
    y = x + (job == "a") + rng.normal(0, 0.5, rows)
    return pa.table({"x": x, "job": job, "day": day, "y": y, "hit": y > 0.3})


def found(make_evidence, real, synthetic, holdout=None, targets=("hit",), options=None, **more):
    tstr = find_measure("utility.tstr")
    evidence = make_evidence(real, synthetic, holdout, targets=targets, **more)
    out = tstr.compute(evidence, {**tstr.options, **(options or {})})
    json.dumps([dict(f.details) for f in out.findings], allow_nan=False)
    return out


@pytest.mark.parametrize("family", sorted(set(NAMED) - {"quick_forest"}))
def test_models_by_name_learn_and_keep_their_skill(make_evidence, family):
    tables = [table(400, k) for k in (1, 2, 3)]
    targets = ("hit",) if family == "naive_bayes" else ("hit", "y")
    out = found(make_evidence, *tables, targets, {"models": [family]})
    skills = [f for f in out.findings if f.metric in ("auc", "r2")]
    assert {f.details["model"] for f in skills} == {family}
    assert len(skills) == len(targets)
    assert min(f.estimate.position.value for f in skills) > 0.7


def test_every_named_model_can_stand_in_a_gate_file():
    check = next(c for c in declared_checks() if c.id == "utility.tstr")
    assert set(check.choices["models"]) == {"boosting", "linear", *NAMED} - {"quick_forest"}


def test_a_model_that_fits_no_numbers_says_so(make_evidence):
    tables = [table(200, k) for k in (1, 2, 3)]
    assert "none of the models" in found(make_evidence, *tables, ("y",), {"models": ["naive_bayes"]}).not_assessed


def gate(tmp_path, text):
    path = tmp_path / "synthgate.yaml"
    path.write_text(f"version: 1\ntarget: hit\n{text}\n")
    return path


def test_code_is_run_only_where_the_gate_file_allows_it(tmp_path):
    models = "checks: {utility.tstr: {models: [boosting, 'sklearn.ensemble:AdaBoostClassifier']}}"
    with pytest.raises(SynthgateError, match="allow_code: true"):
        load_gate(gate(tmp_path, models))
    path = gate(tmp_path, f"{models}\nallow_code: true")
    verdict = evaluate(*(table(300, k) for k in (1, 2)), gate=load_gate(path, only=["utility.tstr"]))
    named = {f.measured.details["model"] for f in verdict["utility.tstr"].findings if f.measured.metric == "auc"}
    assert named == {"boosting", "sklearn.ensemble:AdaBoostClassifier"}


@pytest.mark.parametrize(
    ("models", "why"),
    [
        ("[bosting]", "did you mean 'boosting'"),
        ("[]", "is empty"),
        ("[3]", "text"),
        ("['no_such_module:Model']", "cannot be imported"),
        ("['os:getcwd']", "no estimator"),
    ],
)
def test_a_model_that_there_is_not_is_refused(tmp_path, models, why):
    path = gate(tmp_path, f"checks: {{utility.tstr: {{models: {models}}}}}\nallow_code: true")
    with pytest.raises(SynthgateError, match=why):
        evaluate(*(table(200, k) for k in (1, 2)), gate=load_gate(path, only=["utility.tstr"]))


def test_sizes_are_matched_and_all_rows_are_shown_beside(make_evidence):
    out = found(make_evidence, table(300, 1), table(1500, 2), table(600, 3))
    judged = [f for f in out.findings if f.metric == "auc"]
    assert {f.details["train_rows"]["synthetic"] for f in judged} == {300}
    more = [f for f in out.findings if f.metric == "auc_all_synthetic"]
    assert {f.details["train_rows"] for f in more} == {1500}
    assert not any(f.judged for f in more)
    assert all("sizes are not matched" in f.message for f in more)
    assert not any("all_" in f.metric for f in found(make_evidence, *(table(300, k) for k in (1, 2, 3))).findings)


def test_augmentation_trains_on_both_sides(make_evidence):
    tables = [table(300, k) for k in (1, 2, 3)]
    both = [f for f in found(make_evidence, *tables, options={"augmentation": True}).findings if "and" in f.metric]
    assert {f.details["train_rows"] for f in both} == {600}
    assert {f.details["model"] for f in both} == {"boosting", "linear"}
    assert not any(f.judged for f in both)


def test_named_scores_of_both_trainings_and_of_chance_are_there(make_evidence):
    out = found(make_evidence, *(table(300, k) for k in (1, 2, 3)), ("hit", "y"))
    classes, numbers = (next(f.details for f in out.findings if f.metric == m) for m in ("auc", "r2"))
    wanted = {"auc_macro", "average_precision", "accuracy", "balanced_accuracy", "f1_macro", "log_loss", "brier"}
    assert all(wanted <= classes["scores"][side].keys() for side in ("real", "synthetic", "chance"))
    assert all({"rmse", "mae", "rank_correlation"} <= numbers["scores"][s].keys() for s in ("real", "chance"))
    assert classes["scores"]["chance"]["balanced_accuracy"] == pytest.approx(0.5)
    assert classes["scores"]["chance"]["auc_macro"] == pytest.approx(0.5)
    assert classes["scores"]["real"]["log_loss"] < classes["scores"]["chance"]["log_loss"]
    assert numbers["scores"]["real"]["rmse"] < numbers["scores"]["chance"]["rmse"]


def test_without_a_holdout_the_latest_rows_test_and_nothing_of_their_time_trains(make_evidence):
    real, synthetic = table(600, 1), table(600, 2)
    evidence = make_evidence(real, synthetic, time="day", targets=("hit",))
    sample = evidence.sample
    split = make_split(sample, 10_000, 10_000, "day")
    days = {side: getattr(sample, side).columns["day"] for side in ("real", "synthetic")}
    cut = days["real"][split.real].max()
    assert days["real"][split.test].min() > cut
    assert days["synthetic"][split.synthetic].max() <= cut
    assert 0.25 < len(split.test) / 600 <= 0.3
    out = found(make_evidence, real, synthetic, time="day")
    assert any("only earlier rows train" in f.message for f in out.findings)
    assert ("day", True) in {(s.subject, "orders the rows" in s.reason) for s in out.ledger.skipped}


def test_a_holdout_that_is_not_later_is_told(make_evidence):
    real, synthetic = table(300, 1), table(300, 2)
    later, same = (found(make_evidence, real, synthetic, table(300, 3, day), time="day") for day in (2000, 0))
    assert any("later than every real row" in f.message for f in later.findings)
    assert any("not later than the last real row" in f.message for f in same.findings)


def test_a_time_column_that_synthetic_lacks_leaves_it_open(make_evidence):
    out = found(make_evidence, table(200, 1), table(200, 2).drop(["day"]), time="day")
    assert "'day'" in out.not_assessed


@pytest.mark.parametrize(("name", "why"), [("dya", "did you mean 'day'"), ("job", "expected datetime or numerical")])
def test_a_time_that_is_none_is_refused(tmp_path, name, why):
    with pytest.raises(SynthgateError, match=why):
        evaluate(table(60, 1), table(60, 2), gate=gate(tmp_path, f"time: {name}"))


def test_keys_copies_and_what_gives_the_target_away_do_not_predict(make_evidence):
    def leaky(rows, seed):
        made = table(rows, seed)
        return made.append_column("number", pa.array(np.arange(rows) * 2 + made["hit"].to_numpy().astype(int)))

    real, synthetic, holdout = leaky(400, 1), leaky(400, 2), leaky(400, 3)
    holdout = pa.concat_tables([holdout, real.slice(0, 60)])
    out = found(make_evidence, real, synthetic, holdout, keys=("number",))
    reasons = {skip.subject: skip.reason for skip in out.ledger.skipped}
    assert "key names rows" in reasons["number"]
    assert any("60 test rows that also occur" in f.message for f in out.findings)
    twin = [
        t.append_column("twin", pa.array(np.where(t["hit"].to_numpy(), "yes", "no")))
        for t in map(table, (600,) * 3, (1, 2, 3))
    ]
    assert "determines 'hit'" in {s.subject: s.reason for s in found(make_evidence, *twin).ledger.skipped}["twin"]


def test_dependence_that_pairs_do_not_show_is_missed_by_no_column(make_evidence):
    def draw(rows, seed, broken):
        rng = np.random.default_rng(seed)
        a, b = rng.integers(0, 2, (2, rows))
        c = rng.integers(0, 2, rows) if broken else np.where(rng.random(rows) < 0.95, a ^ b, 1 - (a ^ b))
        return pa.table({"a": a.astype(str), "b": b.astype(str), "c": c.astype(str)})

    good, bad = (
        found(make_evidence, draw(800, 1, False), draw(800, 2, broken), draw(800, 3, False), ())
        for broken in (False, True)
    )
    limit = next(c for c in declared_checks() if c.id == "utility.tstr").threshold
    assert {f.columns[0] for f in good.findings} == {"a", "b", "c"}
    assert judge(good.score, limit) == "pass"
    assert judge(bad.score, limit) == "fail"
    assert "lowest are" in bad.reason


def test_a_target_of_another_type_in_synthetic_is_judged_not_raised(make_evidence):
    real, synthetic, holdout = (table(300, k) for k in (1, 2, 3))
    spoilt = synthetic.set_column(synthetic.column_names.index("y"), "y", pa.array([f"v{k}" for k in range(300)]))
    out = found(make_evidence, real, spoilt, holdout, ("y",))
    assert out.score.position.value < 0.2
    assert any("no usable value" in f.message for f in out.findings)


@pytest.mark.slow
@pytest.mark.parametrize(("dataset", "target"), [("adult", "income"), ("online-shoppers", "Revenue")])
def test_synthesizers_rank_alike_over_seeds(shared_data, make_evidence, dataset, target):
    folder = shared_data / "paper" / dataset
    real, holdout = (pq.read_table(folder / f"{name}.parquet").slice(0, 4000) for name in ("train", "holdout"))
    orders = []
    for seed in range(5):
        places = {}
        for name in ("mostly", "ctgan", "gaussian_copula", "syndiffix"):
            synthetic = pq.read_table(folder / "synthetic" / f"2023-05_{name}.parquet").slice(0, 4000)
            out = found(make_evidence, real, synthetic, holdout, (target,), {"models": ["boosting"]}, seed=seed)
            places[name] = out.score.position.value
        orders.append(sorted(places, key=places.get))
    assert all(order == orders[0] for order in orders)
