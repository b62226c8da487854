"""Distances equal scipy's, and the reference distances equal what resampling shows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import ks_2samp, wasserstein_distance
from scipy.stats.contingency import association

from synthgate.measures.fidelity.groupings import uncorrected_v
from synthgate.statistics.distances import (
    careless_total_variation,
    cramers_v,
    expected_kolmogorov_smirnov,
    expected_total_variation,
    jensen_shannon,
    kolmogorov_smirnov,
    mutual_information,
    total_variation,
    uniform_kolmogorov_smirnov,
    wasserstein,
)
from synthgate.values import NumberCounts

small = st.lists(st.floats(-5, 5).map(lambda x: round(x, 1)), min_size=1, max_size=40)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@given(small, small)
def test_ks_and_wasserstein_equal_scipy(a, b):
    real, synthetic = NumberCounts.of(np.array(a)), NumberCounts.of(np.array(b))
    assert kolmogorov_smirnov(real, synthetic).value == pytest.approx(
        ks_2samp(a, b, method="asymp").statistic, abs=1e-12
    )
    assert wasserstein(real, synthetic) == pytest.approx(wasserstein_distance(a, b), abs=1e-9)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=2, max_size=12))
def test_tv_and_js_equal_their_definitions(cells):
    p, q = np.array(cells, np.int64).T
    if p.sum() == 0 or q.sum() == 0:
        return
    assert total_variation(p, q).value == pytest.approx(0.5 * np.abs(p / p.sum() - q / q.sum()).sum())
    expected = jensenshannon(p, q, base=2)
    assert jensen_shannon(p, q) == pytest.approx(0.0 if np.isnan(expected) else expected, abs=1e-7)


def test_association_measures_equal_scipy():
    rng = np.random.default_rng(0)
    for _ in range(20):
        table = rng.integers(0, 40, rng.integers(2, 6, 2)) + 1
        assert uncorrected_v(table) == pytest.approx(association(table, method="cramer"), abs=1e-12)
        p = table / table.sum()
        entropy = -(p * np.log(p)).sum()
        margins = sum(-(p.sum(axis=a) * np.log(p.sum(axis=a))).sum() for a in (0, 1))
        assert mutual_information(table) == pytest.approx(margins - entropy, abs=1e-12)


def test_bias_corrected_v_is_about_zero_for_independent_columns():
    rng = np.random.default_rng(0)
    values = []
    for _ in range(100):
        table = np.zeros((8, 8), np.int64)
        np.add.at(table, tuple(rng.integers(0, 8, (2, 300))), 1)
        values.append((cramers_v(table), uncorrected_v(table)))
    corrected, plain = np.mean(values, axis=0)
    assert corrected < 0.05 < plain


@pytest.mark.parametrize(
    ("cells", "pool", "n", "m"),
    [(2, 4000, 1000, 1000), (150, 400, 200, 200), (40, 5000, 500, 3000), (300, 900, 300, 500)],
)
def test_expected_tv_is_the_mean_of_fresh_samples(cells, pool, n, m):
    rng = np.random.default_rng(cells)
    shares = rng.dirichlet(np.full(cells, 0.4))
    seen, mean, spread = [], [], []
    for _ in range(300):
        seen.append(total_variation(rng.multinomial(n, shares), rng.multinomial(m, shares)).value)
        reference = expected_total_variation(rng.multinomial(pool, shares), n, m)
        mean.append(reference.mean)
        spread.append(reference.spread)
    error = np.std(seen) / np.sqrt(len(seen))
    assert np.mean(mean) == pytest.approx(np.mean(seen), abs=4 * error + 0.02 * np.mean(seen))
    assert np.mean(spread) == pytest.approx(np.std(seen), rel=0.3)


def test_expected_tv_without_a_holdout_is_never_too_strict():
    rng = np.random.default_rng(3)
    shares = rng.dirichlet(np.full(200, 0.5))
    seen = [total_variation(rng.multinomial(300, shares), rng.multinomial(300, shares)).value for _ in range(200)]
    carried = [expected_total_variation(rng.multinomial(300, shares), 300, 300).mean for _ in range(200)]
    assert np.mean(seen) - 0.01 < np.mean(carried) < np.mean(seen) + 0.08


def test_expected_ks_is_the_mean_of_fresh_samples():
    rng = np.random.default_rng(0)
    seen = [
        kolmogorov_smirnov(NumberCounts.of(rng.normal(size=400)), NumberCounts.of(rng.normal(size=900))).value
        for _ in range(300)
    ]
    reference = expected_kolmogorov_smirnov(400, 900)
    assert reference.mean == pytest.approx(np.mean(seen), rel=0.06)
    assert reference.spread == pytest.approx(np.std(seen), rel=0.2)


def test_careless_tv_is_the_mean_distance_of_careless_draws():
    rng = np.random.default_rng(0)
    real = rng.multinomial(800, rng.dirichlet(np.ones(30)))
    uniform = np.full(30, 1 / 30)
    seen = [total_variation(real, rng.multinomial(500, uniform)).value for _ in range(400)]
    assert careless_total_variation(real, uniform, 500) == pytest.approx(np.mean(seen), abs=0.005)


def test_uniform_ks_equals_a_large_uniform_draw():
    rng = np.random.default_rng(0)
    real = rng.gamma(2, 2, 2000)
    draw = rng.uniform(real.min(), real.max(), 200_000)
    assert uniform_kolmogorov_smirnov(NumberCounts.of(real)) == pytest.approx(
        ks_2samp(real, draw, method="asymp").statistic, abs=0.01
    )


def test_the_error_of_tv_covers_the_truth():
    rng = np.random.default_rng(5)
    p, q = rng.dirichlet(np.ones(12)), rng.dirichlet(np.ones(12))
    truth = 0.5 * np.abs(p - q).sum()
    hits = 0
    for _ in range(400):
        d = total_variation(rng.multinomial(3000, p), rng.multinomial(3000, q))
        hits += abs(d.value - truth) <= 1.96 * d.error
    assert 0.91 <= hits / 400 <= 0.99


@pytest.mark.parametrize(
    ("p", "q"), [([0.7, 0.3], [0.3, 0.7]), ([0.9, 0.1, 0.0, 0.0], [0.5, 0.1, 0.2, 0.2]), ([0.4, 0.6], [0.9, 0.1])]
)
def test_the_error_of_tv_counts_what_one_cell_has_and_others_lack(p, q):
    rng = np.random.default_rng(1)
    drawn = [total_variation(rng.multinomial(60, p), rng.multinomial(40, q)) for _ in range(2000)]
    assert np.mean([d.error for d in drawn]) == pytest.approx(np.std([d.value for d in drawn]), rel=0.1)
