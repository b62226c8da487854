"""Scores under weights agree with scikit-learn, and the ratio's interval keeps its promise."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from synthgate.measures.utility import scores
from synthgate.measures.utility.ratio import Skills

SEEDS = st.integers(0, 2**32 - 1)


def draw(seed: int, rows: int, classes: int, levels: int = 0):
    rng = np.random.default_rng(seed)
    truth = np.r_[np.arange(classes), rng.integers(0, classes, rows - classes)]
    raw = rng.random((rows, classes)) + 0.8 * np.eye(classes)[truth]
    raw = np.round(raw * levels) + 1 if levels else raw + 0.01
    return truth, raw / raw.sum(axis=1, keepdims=True), rng.integers(0, 4, (3, rows)).astype(float)


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(5, 80), st.sampled_from([0, 2]))
def test_weighted_auc_is_the_textbook_one(seed, rows, levels):
    truth, chances, weights = draw(seed, rows, 2, levels)
    weights[:, :2] += 1
    ours = scores.auc(truth == 1, chances[:, 1], weights)
    for got, weight in zip(ours, weights, strict=True):
        assert got == pytest.approx(metrics.roc_auc_score(truth, chances[:, 1], sample_weight=weight))


@settings(max_examples=20, deadline=None)
@given(SEEDS, st.integers(2, 5))
def test_class_scores_are_the_textbook_ones(seed, classes):
    truth, chances, _ = draw(seed, 60, classes)
    got = scores.class_scores(truth, chances)
    guess = chances.argmax(axis=1)
    assert got["accuracy"] == pytest.approx(metrics.accuracy_score(truth, guess))
    assert got["balanced_accuracy"] == pytest.approx(metrics.balanced_accuracy_score(truth, guess))
    assert got["f1_macro"] == pytest.approx(metrics.f1_score(truth, guess, average="macro"))
    assert got["log_loss"] == pytest.approx(metrics.log_loss(truth, chances, labels=range(classes)))
    assert got["brier"] == pytest.approx(((chances - np.eye(classes)[truth]) ** 2).sum() / len(truth))
    if classes > 2:
        ours = scores.one_vs_rest_auc(truth, chances, np.ones((1, len(truth))))[0]
        assert ours == pytest.approx(metrics.roc_auc_score(truth, chances, multi_class="ovr", average="weighted"))
        hot = np.eye(classes)[truth]
        assert got["average_precision"] == pytest.approx(
            metrics.average_precision_score(hot, chances, average="weighted")
        )


@settings(max_examples=20, deadline=None)
@given(SEEDS)
def test_number_scores_are_the_textbook_ones(seed):
    rng = np.random.default_rng(seed)
    truth = rng.normal(5, 3, 50)
    predicted = truth + rng.normal(0, 2, 50)
    weights = rng.integers(0, 4, (2, 50)).astype(float)
    for got, weight in zip(scores.r_squared(truth, predicted, weights), weights, strict=True):
        assert got == pytest.approx(metrics.r2_score(truth, predicted, sample_weight=weight))
    found = scores.number_scores(truth, predicted)
    assert found["rmse"] == pytest.approx(metrics.root_mean_squared_error(truth, predicted))
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(truth, predicted))
    assert scores.number_scores(truth, np.exp(predicted / 9))["rank_correlation"] == pytest.approx(
        found["rank_correlation"]
    )


def test_confidence_is_nothing_for_plain_shares_and_one_for_certainty():
    truth = np.repeat([0, 1, 2], [50, 30, 20])
    ones = np.ones((1, 100))
    assert scores.confidence(truth, np.tile([0.5, 0.3, 0.2], (100, 1)), ones)[0] == pytest.approx(0)
    assert scores.confidence(truth, np.eye(3)[truth], ones)[0] == pytest.approx(1)
    assert scores.confidence(truth, np.eye(3)[(truth + 1) % 3], ones)[0] < 0


def test_calibration_sees_overconfidence():
    rng = np.random.default_rng(0)
    truth = (rng.random(4000) < 0.7).astype(int)
    honest, boastful = ([0.3, 0.7], [0.02, 0.98])
    gap = [scores.calibration(truth, np.tile(chances, (4000, 1)))["error"] for chances in (honest, boastful)]
    assert gap[0] < 0.02
    assert gap[1] == pytest.approx(0.28, abs=0.02)


def test_a_constant_target_in_a_draw_has_no_auc_and_breaks_nothing():
    drawn = scores.auc(np.array([True, False]), np.array([0.6, 0.4]), np.array([[1.0, 0.0], [1.0, 1.0]]))
    assert np.isnan(drawn[0])
    assert drawn[1] == 1


def make_skills(**more):
    plain = {
        "synthetic": 0.3, "real": 0.4, "test_synthetic": 0.0, "test_real": 0.0, "test_both": 0.0,
        "train": 0.0, "degrees": 5, "draws": 200,
    }  # fmt: skip
    return Skills(**{**plain, **more})


def test_the_interval_of_exact_skills_is_their_ratio():
    assert make_skills().ratio_interval() == pytest.approx((0.75, 0.75, 0.75))


def test_more_noise_more_looks_and_fewer_degrees_widen_the_interval():
    def width(looks=1, **more):
        value, low, high = make_skills(**more).ratio_interval(looks)
        assert low <= value <= high
        return high - low

    assert width(train=1e-4) < width(train=4e-4) < width(train=4e-4, test_real=2e-4, test_synthetic=2e-4)
    assert width(train=4e-4) < width(looks=6, train=4e-4)
    assert width(train=4e-4, degrees=20) < width(train=4e-4, degrees=3)
    paired = {"test_real": 4e-4, "test_synthetic": 4e-4}
    assert width(**paired, test_both=3e-4) < width(**paired)


def test_a_skill_that_may_be_chance_bounds_nothing():
    _, low, high = make_skills(real=0.02, synthetic=0.01, train=4e-4).ratio_interval()
    assert (low, high) == (-np.inf, np.inf)


def test_the_interval_covers_the_true_ratio_as_often_as_it_says():
    rng = np.random.default_rng(1)
    hits, runs, error = 0, 2000, 0.03
    for _ in range(runs):
        train = error**2 * rng.chisquare(5) / 5
        synthetic, real = rng.normal(0.27, error), rng.normal(0.3, error)
        _, low, high = make_skills(synthetic=synthetic, real=real, train=train).ratio_interval()
        hits += low <= 0.9 <= high
    assert 0.93 < hits / runs < 0.99


def test_confusion_tells_shares_of_each_class_and_leaves_out_rare_ones():
    truth = np.repeat([0, 1, 2], [20, 10, 9])
    chances = np.eye(3)[np.r_[np.zeros(15, int), np.full(5, 2), np.ones(10, int), np.full(9, 2)]]
    found = scores.confusion(truth, chances, ["a", "b", "rare"])
    assert found == {"classes": ["a", "b"], "shares": [[0.75, 0.0], [0.0, 1.0]]}


def test_confusion_of_many_classes_shows_the_most_frequent():
    truth = np.repeat(np.arange(20), np.arange(30, 10, -1))
    found = scores.confusion(truth, np.eye(20)[truth], [str(k) for k in range(20)])
    assert found["classes"] == [str(k) for k in range(12)]
    assert found["shares"] == np.eye(12).tolist()
