"""Membership: copies are found, fresh rows are not accused, and nothing passes that was not shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from synthgate.catalogue import find_measure
from synthgate.findings import Limit, Measured, Measurement, Status
from synthgate.judging import judge
from synthgate.measures.privacy import membership
from synthgate.measures.privacy.attacks import ATTACKS, Stage, dcr, value_ratio
from synthgate.measures.privacy.encodings import encode
from synthgate.measures.privacy.meta import combine
from synthgate.measures.privacy.panel import make_panel
from synthgate.sample import Sample

LIMIT = Limit(max=0.55)


@pytest.fixture
def make_sample(make_evidence: Callable[..., Any]) -> Callable[..., Sample]:
    return lambda *tables, **more: make_evidence(*tables, **more).sample


def population(rows: int, seed: int) -> pa.Table:
    """Draw rows of mixed types whose columns depend on each other."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(["a", "b", "c", "d"], rows, p=[0.5, 0.3, 0.15, 0.05])
    size = rng.gamma(3, 2, rows)
    return pa.table(
        {
            "id": [f"{seed:04d}-{rng.integers(2**40):x}" for _ in range(rows)],
            "kind": kind,
            "town": [f"t{k}" for k in rng.geometric(0.04, rows)],
            "size": size.round(1),
            "price": (100 * size + rng.normal(0, 60, rows)).round(0),
            "age": rng.integers(18, 80, rows),
            "flag": (size + rng.normal(0, 2, rows) > 6).astype(str),
        }
    )


def flipped(table: pa.Table, share: float, seed: int) -> pa.Table:
    """Resample a share of the cells from their column, and give new ids."""
    rng = np.random.default_rng(seed)
    out = {"id": [f"n{seed}{k}-{rng.integers(2**40):x}" for k in range(table.num_rows)]}
    for name in table.column_names[1:]:
        values = table[name].to_numpy(zero_copy_only=False)
        out[name] = np.where(rng.random(len(values)) < share, rng.permutation(values), values)
    return pa.table(out)


def aucs(measurement: Measurement) -> dict[str, Measured]:
    return {str(f.details["attack"]): f for f in measurement.findings if f.metric == "auc"}


def status(measurement: Measurement) -> Status:
    """Judge as a gate does: any finding that fails, then the score."""
    states = [judge(f.estimate, f.limit or LIMIT) for f in measurement.findings if f.judged and f.estimate]
    assert measurement.score is not None
    return Status.FAIL if Status.FAIL in states else judge(measurement.score, LIMIT)


def test_the_measures_are_in_the_catalogue_with_their_options():
    found = {name: find_measure(f"privacy.{name}") for name in ("membership", "copies")}
    assert found["membership"] is not None
    assert found["membership"].options == {"profile": "standard", "max_tpr": 0.03}
    assert found["copies"] is not None
    assert set(found["copies"].options) == {"max_share", "max_rare_share", "max_value_share"}


def test_without_a_holdout_membership_is_not_assessed(make_sample: Callable[..., Sample]):
    found = membership.assess(make_sample(population(300, 1), population(300, 2)))
    assert found.not_assessed is not None
    assert "holdout" in found.not_assessed
    assert not found.findings


def test_a_holdout_cut_from_the_training_rows_is_refused(make_sample: Callable[..., Sample]):
    real = population(500, 1)
    found = membership.assess(make_sample(real, population(500, 2), real.slice(0, 200)))
    assert found.not_assessed is not None
    assert "no holdout" in found.not_assessed


def test_copied_training_rows_fail_and_changing_cells_hides_them_only_slowly(make_sample: Callable[..., Sample]):
    real, holdout = population(1500, 1), population(1500, 2)
    values = []
    for share in (0.0, 0.3, 0.6):
        found = membership.assess(make_sample(real, flipped(real, share, 5), holdout), "quick")
        values.append(aucs(found)["linkage"].estimate.value)
        assert status(found) is Status.FAIL
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.95


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_fresh_rows_are_not_accused_and_pass_with_holdout_enough(make_sample: Callable[..., Sample], seed: int):
    found = membership.assess(make_sample(*(population(2500, 10 * seed + k) for k in range(3))))
    assert status(found) is Status.PASS
    assert found.details["detected"] is False
    assert found.details["epsilon_lower_bound"]["value"] < 0.3
    assert found.power is not None
    assert "2,5" in found.power or "2,4" in found.power


def test_few_holdout_rows_never_decide(make_sample: Callable[..., Sample]):
    real = population(400, 1)
    for synthetic in (flipped(real, 0.0, 5), population(400, 4)):
        found = membership.assess(make_sample(real, synthetic, population(200, 2)))
        assert status(found) is Status.INCONCLUSIVE
        assert "nothing is decided" in found.reason
        assert not any(f.judged for f in found.findings if f.estimate)


def test_a_holdout_of_another_kind_is_said_and_cannot_pass(make_sample: Callable[..., Sample]):
    pool = population(6000, 2)
    holdout = pool.filter(pa.compute.greater(pool["size"], 6.0))
    found = membership.assess(make_sample(population(2000, 1), population(2000, 3), holdout), "quick")
    drift = next(f for f in found.findings if f.metric == "drift_auc")
    assert drift.judged is False
    assert drift.details["shown"] is True
    assert "size" in drift.columns
    assert status(found) is Status.INCONCLUSIVE
    assert not any(f.judged for f in found.findings if f.metric == "tpr_at_fpr_1pct")


def test_a_leak_beyond_the_drift_still_fails(make_sample: Callable[..., Sample]):
    pool, real = population(4500, 2), population(1500, 1)
    holdout = pool.filter(pa.compute.greater(pool["size"], 4.0))
    found = membership.assess(make_sample(real, flipped(real, 0.1, 4), holdout), "quick")
    assert found.details["drift"]["p"] < 0.01
    assert status(found) is Status.FAIL


def test_a_leak_of_single_values_is_told_from_a_leak_of_rows(make_sample: Callable[..., Sample]):
    real, holdout = population(1500, 1), population(1500, 2)
    synthetic = population(1500, 3)
    prices = np.random.default_rng(0).permutation(real["price"].to_numpy())
    synthetic = synthetic.set_column(synthetic.column_names.index("price"), "price", pa.array(prices))
    found = membership.assess(make_sample(real, synthetic, holdout))
    values = {name: f.estimate.value for name, f in aucs(found).items()}
    assert values["value_ratio"] > 0.56
    assert max(values["dcr"], values["logan_clf"]) < 0.54
    pairs = found.details["tiers"]["marginal_pairs"]
    low = pairs["combination_interval"][0]
    assert low < 0.02
    assert pairs["value_part"] > 0.02


def test_swapping_members_and_nonmembers_mirrors_an_attack_without_reference(make_sample: Callable[..., Sample]):
    a, b, s = population(400, 1), population(400, 2), population(300, 3)
    one = membership.assess(make_sample(a, s, b), "quick")
    two = membership.assess(make_sample(b, s, a), "quick")
    assert aucs(one)["dcr"].estimate.value == pytest.approx(1 - aucs(two)["dcr"].estimate.value, abs=1e-9)


def test_the_order_of_rows_changes_nothing(make_sample: Callable[..., Sample]):
    tables = [population(400, k) for k in (1, 3, 2)]
    turned = [t.take(pa.array(np.random.default_rng(0).permutation(400))) for t in tables]
    assert membership.assess(make_sample(*tables)) == membership.assess(make_sample(*turned))


def test_value_ratio_is_blind_to_which_values_stand_together(
    make_sample: Callable[..., Sample], shuffle_columns: Callable[..., pa.Table]
):
    real, holdout, synthetic = population(400, 1), population(400, 2), population(400, 3)
    scores = []
    for table in (synthetic, shuffle_columns(synthetic)):
        encoding = encode(make_sample(real, table, holdout))
        scores.append(value_ratio(Stage(encoding, make_panel(encoding, "quick"), 0)))
    assert np.allclose(scores[0], scores[1])


def test_repeating_the_synthetic_rows_does_not_move_the_closest_record(make_sample: Callable[..., Sample]):
    real, holdout, synthetic = population(300, 1), population(300, 2), population(200, 3)
    scores = []
    for table in (synthetic, pa.concat_tables([synthetic, synthetic])):
        encoding = encode(make_sample(real, table, holdout))
        scores.append(dcr(Stage(encoding, make_panel(encoding, "quick"), 0)))
    assert np.allclose(np.sort(scores[0]), np.sort(scores[1]), atol=0.02)


def test_the_sum_of_attacks_learns_on_other_folds_only():
    rng = np.random.default_rng(0)
    member, fold = rng.random(2000) < 0.5, np.arange(2000) % 2
    noise = [abs(np.corrcoef(combine(rng.random((5, 2000)), member, fold), member)[0, 1]) for _ in range(5)]
    assert np.mean(noise) < 0.06


def test_nothing_of_a_real_cell_or_row_number_is_returned(make_sample: Callable[..., Sample]):
    real = population(400, 1)
    names = [f"<script>Secret Person {k}</script>" for k in range(400)]
    real = real.set_column(1, "kind", pa.array(names))
    holdout = population(400, 2).set_column(1, "kind", pa.array([f"other {k}" for k in range(400)]))
    found = membership.assess(make_sample(real, real, holdout))
    text = json.dumps([dict(f.details) for f in found.findings]) + json.dumps(dict(found.details)) + str(found)
    assert "Secret" not in text
    assert "linkage" in text


def test_every_attack_reports_interval_rates_and_a_curve(make_sample: Callable[..., Sample]):
    found = membership.assess(make_sample(population(1200, 1), population(1200, 3), population(1200, 2)))
    assert set(aucs(found)) == {attack.name for attack in ATTACKS} | {"meta"}
    for f in aucs(found).values():
        assert f.estimate.low <= f.estimate.value <= f.estimate.high
        assert set(f.details["tpr"]) == {"0.001", "0.01", "0.1"}
        assert "not_estimable" in f.details["tpr"]["0.001"]
        assert 1 <= len(f.details["roc"]) <= 60
    assert sum(f.metric == "tpr_at_fpr_1pct" for f in found.findings) == len(ATTACKS)
    assert {f.limit.max for f in found.findings if f.metric == "tpr_at_fpr_1pct"} == {0.03}


def test_rows_that_belong_together_unseen_decide_nothing(make_sample: Callable[..., Sample]):
    def places(seed: int) -> pa.Table:
        rng = np.random.default_rng(seed)
        centre = np.repeat(rng.normal(0, 1, (60, 6)), 10, axis=0)
        return pa.table({f"x{k}": (centre[:, k] + rng.normal(0, 0.05, 600)).round(4) for k in range(6)})

    found = membership.assess(make_sample(places(1), places(3), places(2)))
    assert found.details["drift"]["clustered"] is True
    assert status(found) is Status.INCONCLUSIVE
    assert "names the groups" in found.reason


def test_the_drift_attack_sees_nothing_of_the_synthetic_rows(make_sample: Callable[..., Sample]):
    real, holdout = population(500, 1), population(500, 2)
    values = []
    for synthetic in (population(500, 3), flipped(real, 0.0, 4)):
        found = membership.assess(make_sample(real, synthetic, holdout), "quick")
        values.append(next(f.estimate.value for f in found.findings if f.metric == "drift_auc"))
    # the queried rows differ by nothing; bins of numbers may shift by rounding ranks
    assert values[0] == pytest.approx(values[1], abs=0.02)


@pytest.mark.slow
def test_null_calibration(make_sample: Callable[..., Sample]):
    z: dict[str, list[float]] = {}
    flagged, sums = [], []
    for seed in range(100):
        sample = make_sample(population(600, 1000 + seed), population(600, 9), population(600, 5000 + seed))
        found = membership.assess(sample)
        for name, f in aucs(found).items():
            z.setdefault(name, []).append(float(f.details["z"]))
        flagged.append(min(float(f.details["p_adjusted"]) for n, f in aucs(found).items() if n != "meta") < 0.05)
        sums.append(float(aucs(found)["meta"].details["p_adjusted"]))
        assert status(found) is not Status.FAIL
    assert np.mean(np.array(sums) < 0.01) <= 0.03
    assert np.mean(flagged) <= 0.05 + 2 * 0.022
    for name, values in z.items():
        assert abs(np.mean(values) - (0.5 if name == "meta" else 0.0)) < 0.3, name
        assert np.std(values) < 1.05 + 3 * 0.07, name
