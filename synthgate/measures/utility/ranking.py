"""Model ranking: does who picks a model family on synthetic rows pick the one that is best on real rows?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from synthgate.findings import Estimate, Json, Limit, Measured
from synthgate.measures.utility.features import Columns, fit_encoder
from synthgate.measures.utility.fitting import covariance
from synthgate.measures.utility.models import Recipe, name_of, run_all
from synthgate.measures.utility.scores import resampling_weights, skills
from synthgate.measures.utility.split import take
from synthgate.measures.utility.trials import Trial
from synthgate.sample import Sample, SampleSide
from synthgate.statistics.intervals import z_value

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

FAMILIES = ("boosting", "linear", "tree", "neighbours")
TRAIN_ROWS = 2000
TEST_ROWS = 1500
LEAST_ROWS = 100
LEAST_GAP = 0.01
DRAWS = 100


@dataclass(frozen=True, slots=True)
class Standing:
    """The families' skills on one side, and how their gaps err."""

    skill: FloatArray
    drawn: FloatArray

    def gap(self, a: int, b: int, z: float) -> tuple[float, float]:
        """Return the gap between two families and the half width of its interval, training luck counted as much."""
        error = covariance(np.stack([self.drawn[a], self.drawn[b]]))
        test = max(0.0, float(error[0, 0] + error[1, 1] - 2 * error[0, 1]))
        return float(self.skill[a] - self.skill[b]), z * float(np.sqrt(2 * test))


def rank_models(sample: Sample, trial: Trial) -> list[Measured]:
    """Train four families on each side, test each on other rows of the same side, and compare the order.

    Only pairs of families are judged that lie clearly apart on both sides (at least 0.01, and beyond noise that is
    twice the variance over test rows, for the luck of training rows): an order within noise says nothing.
    """
    target, split = trial.task.target, trial.split
    rng = sample.rng(f"utility.ranking {target}")
    sides = {
        "real": (sample.real, split.real, split.tested, split.test),
        "synthetic": (sample.synthetic, *_halved(rng, split.synthetic_pool, len(split.test))),
    }
    standings = {side: _standing(sample, trial, *rows, rng) for side, rows in sides.items()}
    if any(standing is None for standing in standings.values()):
        why = f"too few rows of {target!r} are known on a side to rank models"
        return [Measured(metric="model_ranking", message=why, columns=(target,), not_assessed=why)]
    real, synthetic = (standing for standing in standings.values() if standing is not None)
    pairs = list(combinations(range(len(FAMILIES)), 2))
    z = z_value(looks=2 * len(pairs))
    clear, turned = 0, []
    for a, b in pairs:
        gaps = [standing.gap(a, b, z) for standing in (real, synthetic)]
        if all(abs(gap) > max(half, LEAST_GAP) for gap, half in gaps):
            clear += 1
            if gaps[0][0] * gaps[1][0] < 0:
                turned.append((FAMILIES[a], FAMILIES[b]))
    return [_finding(trial, real, synthetic, clear, turned)]


def _halved(rng: np.random.Generator, rows: IntArray, most: int) -> tuple[IntArray, None, IntArray]:
    order = rng.permutation(rows)
    cut = len(order) - min(most, len(order) // 2)
    return np.sort(order[:cut]), None, np.sort(order[cut:])


def _standing(
    sample: Sample,
    trial: Trial,
    side: SampleSide,
    train: IntArray,
    tested: SampleSide | None,
    test: IntArray,
    rng: np.random.Generator,
) -> Standing | None:
    other = side if tested is None else tested
    columns, outcome = _known(trial, side, np.sort(rng.permutation(train)[:TRAIN_ROWS]))
    shown, truth = _known(trial, other, np.sort(rng.permutation(test)[:TEST_ROWS]))
    if min(len(outcome), len(truth)) < LEAST_ROWS or (truth == truth[0]).all():
        return None
    encoder = fit_encoder(columns, sample.roles, sample.dictionaries)
    classes = len(trial.task.classes)
    weights = np.vstack([np.ones((1, len(truth))), resampling_weights(rng, len(truth), DRAWS)])

    def reach(family: str) -> FloatArray:
        said = Recipe(family, classes, len(outcome)).fit(encoder, columns, outcome)(shown)
        return np.asarray(skills(truth, said, weights)[0], np.float64)

    jobs: list[Callable[[], FloatArray]] = [partial(reach, family) for family in FAMILIES]
    reached = np.stack(run_all(jobs))
    return Standing(reached[:, 0], reached[:, 1:])


def _known(trial: Trial, side: SampleSide, rows: IntArray) -> tuple[Columns, FloatArray]:
    outcome = trial.task.outcomes(side.columns[trial.task.target][rows])
    known = ~np.isnan(outcome)
    return take(side, trial.features, rows[known]), outcome[known]


def _finding(trial: Trial, real: Standing, synthetic: Standing, clear: int, turned: list[tuple[str, str]]) -> Measured:
    target, chance = trial.task.target, trial.task.chance
    best = [FAMILIES[int(standing.skill.argmax())] for standing in (synthetic, real)]
    kept = clear - len(turned)
    text = (
        f"of {clear} pairs of model families that lie clearly apart for {target!r}, {kept} have the same order when "
        f"trained and tested on synthetic rows as on real ones; best on synthetic: {name_of(best[0])}, on real: "
        f"{name_of(best[1])}"
    )
    if turned:
        text += f"; turned round: {', '.join(f'{name_of(a)} and {name_of(b)}' for a, b in turned)}"
    table: dict[str, Json] = {
        family: {"real": float(real.skill[k]) + chance, "synthetic": float(synthetic.skill[k]) + chance}
        for k, family in enumerate(FAMILIES)
    }
    return Measured(
        metric="model_ranking",
        message=text,
        estimate=Estimate.exact(kept / clear if clear else 1.0),
        columns=(target,),
        judged=clear > 0,
        limit=Limit(min=1.0),
        details={"scores": table, "clear_pairs": clear},
    )
