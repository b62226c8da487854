"""Statistics of attacks: against brute force, against their own law, and at their edges."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, norm

from synthgate.measures.privacy.excess import against_coincidence, against_holdout, against_strata, surest_run
from synthgate.measures.privacy.inference import (
    advantage,
    auc,
    auc_bounds,
    detectable_auc,
    detectable_rate,
    epsilon_bound,
    fold_ranks,
    lower_share,
    rate_at,
    roc,
    shown,
    stratified_auc,
)
from synthgate.measures.privacy.multiplicity import null_statistics, step_down
from synthgate.statistics.intervals import newcombe

SCORES = st.lists(st.integers(0, 6), min_size=2, max_size=25)


@given(SCORES, SCORES)
def test_auc_counts_pairs_and_ties_half(positive: list[int], negative: list[int]):
    wins = sum((p > q) + 0.5 * (p == q) for p in positive for q in negative)
    found = auc(np.array(positive, float), np.array(negative, float))
    assert found.value == pytest.approx(wins / (len(positive) * len(negative)))
    mirrored = auc(np.array(negative, float), np.array(positive, float))
    assert mirrored.value == pytest.approx(1 - found.value)
    assert mirrored.null_variance == pytest.approx(found.null_variance)


def test_auc_interval_covers_and_null_variance_is_that_of_the_rank_sum():
    rng = np.random.default_rng(1)
    n, m, shift = 80, 120, 0.6
    truth = norm.cdf(shift / np.sqrt(2))
    found = [auc(rng.normal(shift, 1, n), rng.normal(0, 1, m)) for _ in range(400)]
    covered = np.mean([abs(a.value - truth) <= 1.96 * a.variance**0.5 for a in found])
    assert 0.92 <= covered <= 0.98
    assert found[0].null_variance == pytest.approx((n + m + 1) / (12 * n * m), rel=1e-6)


def test_rows_in_groups_widen_the_interval_and_equal_groups_of_one_change_nothing():
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(40), 10)
    scores = rng.normal(0, 1, 40)[groups] + rng.normal(0, 0.1, 400)
    other = rng.normal(0, 1, 40)[groups] + rng.normal(0, 0.1, 400)
    plain, grouped = auc(scores, other), auc(scores, other, (groups, groups))
    assert grouped.value == plain.value
    assert 7 < grouped.variance / plain.variance < 13
    single = auc(scores, other, (np.arange(400), np.arange(400)))
    assert single.variance == pytest.approx(plain.variance, rel=1e-9)


def test_stratified_auc_ignores_what_separates_strata():
    rng = np.random.default_rng(3)
    strata = np.repeat([0, 1], 500)
    member = rng.random(1000) < np.where(strata == 0, 0.2, 0.8)
    scores = rng.normal(0, 1, 1000) + 5 * strata
    assert auc(scores[member], scores[~member]).value > 0.7
    assert abs(stratified_auc(scores, member, strata).value - 0.5) < 0.06


@given(st.integers(0, 10_000))
@settings(max_examples=20)
def test_fold_ranks_keep_order_and_break_ties(seed: int):
    rng = np.random.default_rng(seed)
    scores, fold = rng.integers(0, 5, 60).astype(float), rng.integers(0, 3, 60)
    ranks = fold_ranks(scores, fold, rng)
    for f in range(3):
        here = fold == f
        assert len(np.unique(ranks[here])) == here.sum()
        assert np.all(np.diff(scores[here][np.argsort(ranks[here])]) >= 0)


def test_rate_at_is_exact_under_exchangeable_labels_and_bounded():
    rng = np.random.default_rng(4)
    p_values = []
    for _ in range(300):
        member = rng.permutation(np.repeat([True, False], [1000, 1000]))
        rate = rate_at(rng.permutation(2000) / 2000.0, member, 0.01, 0.025, rng)
        assert rate is not None
        assert rate.low <= rate.value <= rate.high
        p_values.append(rate.p)
    assert np.mean(np.array(p_values) <= 0.05) <= 0.085
    assert np.mean(p_values) > 0.45


def test_rate_at_counts_members_above_the_next_nonmember():
    member = np.repeat([True, False], [1000, 1000])
    ranks = np.concatenate([np.linspace(0.5, 1, 1000), np.linspace(0, 0.75, 1000)])
    threshold = np.sort(ranks[~member])[::-1][10]
    rate = rate_at(ranks, member, 0.01, 0.01, np.random.default_rng(0))
    assert rate is not None
    assert rate.value == np.mean(ranks[member] > threshold)
    assert rate.p < 1e-9


@pytest.mark.parametrize(("m", "allowed"), [(999, 0.01), (9_999, 0.001), (99, 0.1)])
def test_rate_at_refuses_when_too_few_false_positives_exist(m: int, allowed: float):
    ranks, member = np.random.default_rng(0).random(m + 500), np.repeat([True, False], [500, m])
    assert rate_at(ranks, member, allowed, 0.01, np.random.default_rng(0)) is None


def test_roc_rises_within_the_square_and_never_below_one_false_positive():
    rng = np.random.default_rng(5)
    points = np.array(roc(rng.random(3000), rng.random(3000) < 0.5))
    assert len(points) <= 60
    assert np.all(np.diff(points, axis=0) >= 0)
    assert points[:, 0].min() > 0
    assert points[-1, 0] == 1.0


def test_advantage_of_chance_is_not_significant_and_of_a_leak_is():
    rng = np.random.default_rng(6)
    member = np.repeat([True, False], 500)
    assert advantage(rng.random(1000), member)[1] > 0.01
    gap, p = advantage(np.concatenate([rng.random(500) + 0.3, rng.random(500)]), member)
    assert gap > 0.2
    assert p < 1e-6


def test_epsilon_bound_is_nothing_for_chance_and_grows_with_perfect_guesses():
    member = np.repeat([True, False], 5000)
    perfect = np.arange(10_000, 0, -1, dtype=float)
    # all 1,000 best guesses right: log of the bound's odds (published for an error of 0.05/5 per grid point: 5.8)
    assert epsilon_bound(perfect, member, 0.05)["value"] == pytest.approx(
        np.log(1 / (0.01 ** (-1 / 1000) - 1)), rel=0.02
    )
    chance = [epsilon_bound(np.random.default_rng(s).random(10_000), member, 0.05)["value"] for s in range(40)]
    assert np.mean(np.array(chance) > 0) <= 0.1


def test_published_power_table_is_met():
    expected = {100: 0.655, 250: 0.598, 1_000: 0.549, 10_000: 0.515, 25_000: 0.510}
    assert {n: round(detectable_auc(n, n, 8), 3) for n in expected} == pytest.approx(expected, abs=0.0011)
    assert detectable_rate(500, 500, 8) is None
    for n, rate in {1_000: 0.038, 5_000: 0.020, 25_000: 0.014}.items():
        assert detectable_rate(n, n, 8) == pytest.approx(rate, abs=0.004)


def test_step_down_controls_the_family_and_never_undercuts_a_single_p():
    rng = np.random.default_rng(7)
    draws = rng.normal(size=(4000, 8))
    false = [step_down(rng.normal(size=8), draws).min() < 0.05 for _ in range(400)]
    assert np.mean(false) <= 0.08
    observed = np.array([4.5, 0.0, 1.0, -1, 0.5, 0, 0, 2.0])
    adjusted = step_down(observed, draws)
    single = np.array([(draws[:, k] >= z).mean() for k, z in enumerate(observed)])
    assert np.all(adjusted >= single)
    assert adjusted[0] < 0.01


@pytest.mark.parametrize("records", [400, 6_000])
def test_null_statistics_are_standard_and_keep_the_attacks_dependence(records: int):
    rng = np.random.default_rng(8)
    base = rng.normal(size=records)
    scores = np.stack([base, base + 0.01 * rng.normal(size=records), rng.normal(size=records), np.zeros(records)])
    member, fold = rng.random(records) < 0.4, rng.integers(0, 2, records)
    draws = null_statistics(scores, member, fold, rng)
    assert np.allclose(draws[:, :3].std(axis=0), 1, atol=0.08)
    assert np.allclose(draws[:, :3].mean(axis=0), 0, atol=0.1)
    assert np.corrcoef(draws[:, 0], draws[:, 1])[0, 1] > 0.98
    assert abs(np.corrcoef(draws[:, 0], draws[:, 2])[0, 1]) < 0.15
    assert np.allclose(draws[:, 3], 0, atol=1e-6)


@given(st.integers(1, 12), st.integers(0, 12), st.integers(12, 20), st.integers(12, 20))
def test_hits_against_the_holdout_have_the_hypergeometric_p(x: int, y: int, n: int, m: int):
    tail = sum(comb(n, k) * comb(m, x + y - k) for k in range(x, min(n, x + y) + 1) if x + y - k <= m)
    assert against_holdout((x, y), (n, m), 0.01).p == pytest.approx(tail / comb(n + m, x + y))


@given(st.integers(0, 300), st.integers(0, 300))
def test_what_is_shown_is_never_more_than_what_is_seen(x: int, y: int):
    found = against_holdout((x, y), (1000, 1000), 1e-3)
    assert 0 <= found.proven <= max(0, x)
    if found.proven:
        assert found.p < 1e-3
        assert x >= 3


def test_exchangeable_hits_are_hardly_ever_shown_as_copies():
    rng = np.random.default_rng(9)
    for subjects in ((1000, 1000), (1000, 200)):
        hits = rng.hypergeometric(subjects[0], subjects[1], 60, 4000)
        assert np.mean([against_holdout((int(x), int(60 - x)), subjects, 0.01).proven > 0 for x in hits]) <= 0.013


def test_coincidences_of_fresh_rows_are_hardly_ever_shown_as_copies():
    rng = np.random.default_rng(10)
    false = []
    for _ in range(500):
        real, synthetic = rng.integers(0, 40_000, 1000), rng.integers(0, 40_000, 1000)
        values, counts = np.unique(real, return_counts=True)
        hits = int(np.isin(values[counts == 1], synthetic).sum())
        false.append(against_coincidence(hits, int((counts == 2).sum()), (1000, 1000), 0.01).proven > 0)
    assert np.mean(false) <= 0.02
    assert against_coincidence(50, 0, (5000, 5000), 1e-4).proven > 25


def test_lower_share_covers():
    rng = np.random.default_rng(11)
    hits = rng.binomial(60, 0.7, 3000)
    assert np.mean([lower_share(int(k), int(60 - k), 0.05) > 0.7 for k in hits]) <= 0.06


def test_small_counts_are_hidden():
    assert [shown(k) for k in (0, 1, 2, 3, 40)] == [0, "<3", "<3", 3, 40]


@pytest.mark.parametrize(("hits", "drawn"), [(3, [2, 2]), (4, [3, 1]), (2, [0, 5])])
def test_draws_within_strata_have_the_law_of_random_labels(hits: int, drawn: list[int]):
    totals = np.array([[4, 3], [2, 5]])
    rng = np.random.default_rng(0)
    labels = [np.repeat([1, 0], totals[:, j]) for j in range(2)]
    draws = 20_000
    counts = sum(
        (rng.permuted(np.tile(labels[j], (draws, 1)), axis=1)[:, : drawn[j]].sum(axis=1) for j in range(2)),
        start=np.zeros(draws),
    )
    found = against_strata(hits, np.array(drawn), totals, 0.05)
    assert found.p == pytest.approx((counts >= hits).mean(), abs=0.012)
    assert found.expected == pytest.approx(counts.mean(), abs=0.03)


def test_one_stratum_is_compared_as_without_strata():
    plain = against_holdout((30, 3), (500, 700), 1e-3)
    found = against_strata(30, np.array([33]), np.array([[500], [700]]), 1e-3)
    assert found.p == pytest.approx(plain.p)
    assert found.proven == pytest.approx(plain.proven)


@pytest.mark.parametrize("totals", [(300, 300), (1500, 300), (200, 5000)])
@pytest.mark.parametrize("alpha", [1e-2, 1e-4])
def test_the_surest_run_is_the_shortest_that_shows(totals: tuple[int, int], alpha: float):
    k = surest_run(np.array(totals), alpha)
    both = np.array(totals)[:, None]
    assert against_strata(k, np.array([k]), both, alpha).p < alpha
    assert against_strata(k - 1, np.array([k - 1]), both, alpha).p >= alpha
    assert surest_run(np.array([3, 1]), 1e-4) == 4


@pytest.mark.parametrize(("n", "m", "shift"), [(100, 100, 0.0), (120, 300, 2.0), (150, 100, 3.5)])
def test_auc_bounds_hold_under_no_leak_and_near_one(n: int, m: int, shift: float):
    rng = np.random.default_rng(1)
    truth, runs, z = norm.cdf(shift / np.sqrt(2)), 600, norm.isf(0.01)
    found = [auc_bounds(auc(rng.normal(shift, 1, n), rng.normal(0, 1, m)), z, z) for _ in range(runs)]
    # 6 misses are expected a side; 16 or more come once in 2,500 runs
    assert sum(low > truth for low, _ in found) < 16
    assert sum(high < truth for _, high in found) < 16


def test_a_perfect_attack_is_shown_and_one_that_tells_nothing_is_not():
    low, high = auc_bounds(auc(np.arange(300) + 300.0, np.arange(300.0)), 2.8, 2.8)
    assert low > 0.9
    assert high == pytest.approx(1)
    low, high = auc_bounds(auc(np.zeros(300), np.zeros(300)), 2.8, 2.8)
    assert 0.48 < low < 0.5 < high < 0.52


@pytest.mark.parametrize(
    ("rows", "shares"), [((300, 300), (0.02, 0.0)), ((300, 100), (0.03, 0.01)), ((100, 300), (0.3, 0.02))]
)
def test_auc_bounds_hold_for_a_rare_yes_or_no(rows: tuple[int, int], shares: tuple[float, float]):
    (n, m), tail = rows, 0.0025
    z = norm.isf(tail)
    law = [binom.pmf(np.arange(rows[k] + 1), rows[k], shares[k]) for k in (0, 1)]
    truth = 0.5 + (shares[0] - shares[1]) / 2
    missed = np.zeros(2)
    for x in np.flatnonzero(law[0] > 1e-6):
        for y in np.flatnonzero(law[1] > 1e-6):
            low, high = auc_bounds(auc(yes_or_no(x, n), yes_or_no(y, m)), z, z)
            missed += law[0][x] * law[1][y] * np.array([low > truth, high < truth])
    assert missed.max() < 1.7 * tail


def yes_or_no(hits: int, rows: int) -> np.ndarray:
    return (np.arange(rows) < hits).astype(float)


def test_a_yes_or_no_has_the_interval_of_a_difference_of_shares():
    z = norm.isf(0.01)
    found = auc_bounds(auc(yes_or_no(30, 200), yes_or_no(12, 150)), z, z)
    low, high = newcombe((30, 12), (200, 150), z)
    assert found == pytest.approx((0.5 + low / 2, 0.5 + high / 2), abs=0.003)


@pytest.mark.parametrize("factor", [1.0, 1.4])
def test_a_few_ties_hardly_move_the_bounds(factor: float):
    rng = np.random.default_rng(3)
    mine, others = rng.normal(1, 1, 200), rng.normal(0, 1, 150)
    tied = mine.copy()
    tied[:2] = others[:2]
    z = norm.isf(0.01)
    assert auc_bounds(auc(tied, others), z, z, factor) == pytest.approx(
        auc_bounds(auc(mine, others), z, z, factor), abs=0.01
    )
    fold = np.repeat([0, 1], 175)
    scores, member = np.concatenate([tied, others]), np.arange(350) < 200
    whole = stratified_auc(scores, member, np.random.default_rng(0).permutation(fold))
    assert whole.ties.share == pytest.approx(auc(tied, others).ties.share, abs=1e-3)
    low, high = auc_bounds(whole, z, z, factor)
    assert low < whole.value < high


def test_bounds_of_a_rate_hold_with_ten_false_positives():
    rng = np.random.default_rng(2)
    member, runs = np.repeat([True, False], [1500, 1000]), 200
    truth = norm.sf(norm.isf(0.01) - 1.0)
    found = [
        rate_at(np.concatenate([rng.normal(1, 1, 1500), rng.normal(0, 1, 1000)]), member, 0.01, 0.02, rng)
        for _ in range(runs)
    ]
    # 4 misses are expected a side; 12 or more come once in 1,000 runs
    assert sum(rate is not None and rate.low > truth for rate in found) < 12
    assert sum(rate is not None and rate.high < truth for rate in found) < 12
    assert all(rate is not None and rate.low > 0 for rate in found)
