"""Comparing the two trainings on any score: paired bootstrap of the test rows, part models for the training rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from synthgate.findings import Estimate, Position
from synthgate.measures.utility.fitting import Result, covariance, degrees_of, part_noise, summed
from synthgate.measures.utility.ratio import Skills
from synthgate.measures.utility.scores import resampling_weights
from synthgate.measures.utility.trials import Trial
from synthgate.statistics.intervals import z_value

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]
Score = Callable[[IntArray, FloatArray, FloatArray], FloatArray]
"""From places among the test rows, predictions for them, and weights (draws, rows) to scores above chance, of shape
(scores, draws)."""

CELLS = 1_500_000
KNOWN_TO = 0.25


def compare(
    trial: Trial,
    result: Result,
    score: Score,
    rng: np.random.Generator,
    rows: BoolArray | None = None,
    draws: int = 150,
) -> list[Skills]:
    """Score both trainings on some of the test rows, with the errors of test rows and training rows.

    Parameters
    ----------
    rows : bool array, optional
        Test rows to score; all by default.
    draws : int
        Bootstrap draws.
    """
    at = np.arange(len(trial.truth)) if rows is None else np.flatnonzero(rows)
    said = [fitted.said[at] for fitted in (result.real, result.synthetic)]
    plain = np.ones((1, len(at)))
    real, synthetic = (score(at, predicted, plain)[:, 0] for predicted in said)
    drawn = np.sort(rng.permutation(len(at))[: max(1000, CELLS // draws)])
    weights = resampling_weights(rng, len(drawn), draws)
    own = [score(at[drawn], predicted[drawn], weights) for predicted in said]
    noise = _train_noise(trial, result, score, rows)
    share = len(drawn) / len(at)
    return [
        summed(
            (float(synthetic[k]), float(real[k])),
            covariance(np.stack([own[0][k], own[1][k]]), share),
            float(noise[k]),
            degrees_of(result.parts),
            draws,
            (min(trial.trained["real"], len(at)), trial.units),
        )
        for k in range(len(real))
    ]


def _train_noise(trial: Trial, result: Result, score: Score, rows: BoolArray | None) -> FloatArray:
    """Return the variance over training rows, from part models on those of the few test rows that are asked for."""
    here = np.ones(len(trial.few), np.bool_) if rows is None else rows[trial.few]
    at = trial.few[here]
    ones = np.ones((1, len(at)))
    return part_noise(result.parts, lambda fitted: score(at, fitted.said[here], ones)[:, 0])


def selected(skills: Skills, tried: int, looks: int) -> Skills:
    """Widen the training error for a subject that was picked out of many on other test rows.

    Other test rows make the test error honest. The training rows stay the same ones, so the luck that made the
    subject look bad is still there: its error counts as the largest of `tried` rather than of `looks`.
    """
    if tried <= looks:
        return skills
    factor = (z_value(looks=tried) / z_value(looks=looks)) ** 2
    return replace(skills, train=skills.train * factor)


def is_known(skills: Skills, least: float) -> bool:
    """Tell whether real training reaches `least` above chance and this is known to a quarter."""
    return bool(np.isfinite(skills.real)) and skills.real >= least and skills.real_half() < KNOWN_TO * skills.real


def place(skills: Skills, looks: int = 1) -> Position:
    """Return the ratio of the skills with its interval, kept on the scale from chance to real rows."""
    value, low, high = (min(1.0, max(0.0, end)) for end in skills.ratio_interval(looks))
    return Position(value=value, low=low, high=high)


def as_estimate(skills: Skills, chance: float, looks: int, subject: str) -> Estimate:
    """Return a synthetic training's score with its place between chance and real training."""
    value, half = skills.synthetic + chance, skills.synthetic_half()
    level = "95 %" if looks <= 1 else f"95 % for {looks} findings together"
    return Estimate(
        value=value,
        low=max(0.0, value - half) if chance else value - half,
        high=min(1.0, value + half),
        method=(
            f"paired bootstrap of {subject} ({skills.draws} draws) and models on disjoint parts of the real training "
            f"rows; position by Fieller's theorem, {level}"
        ),
        ceiling=skills.real + chance,
        floor=chance,
        position=place(skills, looks),
    )
