"""Rare categories taken together: never missed for chance, found when half of them are gone."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

import synthgate
from synthgate.findings import Status
from synthgate.gatefile import load_gate
from synthgate.measures.coverage import combinations, shares
from synthgate.measures.coverage.lost import LEAST_KEPT, Categories, _beyond_chance, lost_together
from synthgate.statistics.intervals import z_value

Z = z_value(0.998)
SIZES = [(3000, 3000, 800, 1.0), (6000, 3000, 300, 1.2), (500, 500, 60, 1.0), (2000, 8000, 1500, 0.7)]


def heavy_tailed(kinds, power):
    shares = 1 / np.arange(1, kinds + 1) ** power
    return shares / shares.sum()


def draw(rng, rows, shares):
    return np.bincount(rng.choice(len(shares), rows, p=shares), minlength=len(shares))


@pytest.mark.parametrize(("n", "m", "kinds", "power"), SIZES)
def test_fresh_rows_keep_them_and_their_interval_holds(n, m, kinds, power):
    shares = heavy_tailed(kinds, power)
    found = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        measured = lost_together(Categories(("c",), draw(rng, n, shares), draw(rng, m, shares)), Z)
        found.append(measured.estimate)
    assert np.mean([e.value for e in found]) == pytest.approx(1, abs=0.02)
    assert not [e for e in found if e.high < LEAST_KEPT]
    assert np.mean([e.high >= 0.999 for e in found]) > 0.95


@pytest.mark.parametrize(("n", "m", "kinds", "power"), SIZES)
def test_half_of_them_gone_is_found(n, m, kinds, power):
    shares = heavy_tailed(kinds, power)
    for seed in range(20):
        rng = np.random.default_rng(seed)
        rare = np.flatnonzero(shares * m < 10)
        poorer = shares.copy()
        poorer[rng.choice(rare, len(rare) // 2, replace=False)] = 0
        measured = lost_together(Categories(("c",), draw(rng, n, shares), draw(rng, m, poorer / poorer.sum())), Z)
        assert measured.estimate.high < LEAST_KEPT
        assert measured.limit.min == LEAST_KEPT


def test_too_few_rare_rows_tell_nothing():
    few = Categories(("c",), np.array([500, 3, 2]), np.array([500, 0, 0]))
    assert lost_together(few, Z) is None
    assert lost_together(Categories(("c",), np.array([500, 400]), np.array([500, 400])), Z) is None
    assert lost_together(Categories(("c",), np.array([], np.int64), np.array([], np.int64)), Z) is None


def test_a_table_that_lost_them_fails_and_no_rare_name_is_told():
    rng = np.random.default_rng(1)
    shares = heavy_tailed(300, 1.1)
    names = np.array([f"town-{k:03d}" for k in range(300)])

    def table(weights):
        town = rng.choice(names, 3000, p=weights)
        return pa.table({"town": town, "x": rng.normal(size=3000)})

    real, good = table(shares), table(shares)
    pruned = np.where(np.arange(300) % 2 * (shares * 3000 < 10), 0, shares)
    bad = table(pruned / pruned.sum())

    def judge(synthetic):
        return synthgate.evaluate(real, synthetic, only=["coverage.categories"])["coverage.categories"]

    assert judge(good).status is Status.PASS
    failed = judge(bad)
    assert failed.status is Status.FAIL
    (finding,) = [f for f in failed.failed if f.measured.metric == "rare_rows_kept"]
    assert finding.measured.columns == ("town",)
    assert "town-" not in finding.measured.message


def test_one_category_that_chance_leaves_out_is_not_a_loss():
    one_gone = Categories(("c",), np.array([867, 91, 12, 14]), np.array([442, 48, 0, 6]))
    assert lost_together(one_gone, Z).estimate.high >= LEAST_KEPT


@pytest.mark.parametrize("rows", [[18, 15], [25, 3, 3, 2], [30] * 8, [2] * 40])
def test_what_lies_beyond_chance_is_as_rare_as_said(rows):
    rows = np.array(rows, np.float64)
    chance = 0.75**rows
    far = _beyond_chance(rows, chance, 2.0)
    absent = np.random.default_rng(0).random((40_000, len(rows))) < chance
    assert np.mean(absent @ rows - float(rows @ chance) > far + 1e-9) <= 0.0228 + 0.003


def test_what_is_told_as_lost_is_what_fails_by_default() -> None:
    limits = {check.id: check.each.min for check in load_gate().checks}
    assert {limits[f"coverage.{name}"] for name in ("categories", "ranges", "modes")} == {shares.LEAST_SHARE}
    assert limits["coverage.combinations"] == combinations.LEAST_SHARE < combinations.LOOK_CLOSER
