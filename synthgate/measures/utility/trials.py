"""A trial: the same models trained on real and on synthetic rows, tested on the same real rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from synthgate.findings import Skip
from synthgate.measures.utility.features import Columns, Encoder, fit_encoder
from synthgate.measures.utility.models import FAMILIES, Predict, Recipe, run_all
from synthgate.measures.utility.ratio import Skills
from synthgate.measures.utility.scores import resampling_weights, skills
from synthgate.measures.utility.split import Split, find_features, make_split, take
from synthgate.measures.utility.tasks import Task, make_task
from synthgate.sample import Sample, SampleSide

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

LEAST_TRAIN_ROWS = 30
LEAST_TEST_ROWS = 20
LEAST_TEST_CLASS = 5
PART_TEST_ROWS = 4000
MANY_ROWS = 12_000
FEW_ROWS = 1000
BOOTSTRAP_CELLS = 4_000_000
LEAST_DRAWS = 20
UNKNOWN_VARIANCE = 0.25


@dataclass(frozen=True, slots=True)
class Settings:
    """How large a trial may be.

    Attributes
    ----------
    max_train_rows, max_test_rows : int
    draws : int
        Bootstrap draws of the test rows.
    """

    max_train_rows: int = 25_000
    max_test_rows: int = 50_000
    draws: int = 200


@dataclass(frozen=True, slots=True)
class Training:
    """The rows of one side that train, with known outcomes, and how they are coded."""

    columns: Columns
    outcome: FloatArray
    encoder: Encoder

    def part(self, rows: IntArray) -> tuple[Columns, FloatArray]:
        """Return the columns and the outcomes of some of the rows."""
        return {name: values[rows] for name, values in self.columns.items()}, self.outcome[rows]


@dataclass(frozen=True, slots=True)
class Result:
    """One model family: its predictions for the test rows after either training, and the skills that they show.

    Attributes
    ----------
    skills : Skills
        By the judged score: AUC or R2.
    confidence : Skills or None
        Of a classification: by log loss.
    """

    family: str
    real: FloatArray
    synthetic: FloatArray
    skills: Skills
    confidence: Skills | None


@dataclass(frozen=True, slots=True)
class Trial:
    """All families on one target.

    Attributes
    ----------
    truth : float64 array
        Outcomes of the test rows.
    trained : dict of int
        Training rows with a known outcome, per side.
    synthetic_values : int
        Distinct outcomes among the synthetic training rows.
    absent_from_synthetic, absent_from_test : tuple of str
        Classes that real training rows have.
    """

    task: Task
    split: Split
    features: tuple[str, ...]
    skipped: tuple[Skip, ...]
    truth: FloatArray
    trained: dict[str, int]
    synthetic_values: int
    absent_from_synthetic: tuple[str, ...]
    absent_from_test: tuple[str, ...]
    results: tuple[Result, ...]


@dataclass(frozen=True, slots=True)
class Untried:
    """Why a target was not tried, and the columns that were left out by then."""

    reason: str
    skipped: tuple[Skip, ...] = ()


def run_trial(sample: Sample, target: str, settings: Settings) -> Trial | Untried:
    """Train every family on both sides and test it on real rows; made once per target and settings."""
    name = f"utility.trial {settings} {target}"
    return sample.derive(name, partial(_run, target=target, settings=settings))


def _run(sample: Sample, target: str, settings: Settings) -> Trial | Untried:
    sizes = (settings.max_train_rows, settings.max_test_rows)
    split = sample.derive(f"utility.split {sizes}", lambda rows: make_split(rows, *sizes))
    why = _too_small(sample, split)
    if why:
        return Untried(why)
    task = make_task(sample, target, split.real)
    if isinstance(task, str):
        return Untried(task)
    outcome = {
        "real": task.outcomes(sample.real.columns[target][split.real]),
        "synthetic": task.outcomes(sample.synthetic.columns[target][split.synthetic]),
        "test": task.outcomes(split.tested.columns[target][split.test]),
    }
    why = _too_few(task, outcome["real"], outcome["test"])
    if why:
        return Untried(why)
    features, skipped = find_features(sample, split, target, outcome["real"])
    if not features:
        return Untried(f"there is no column to predict {target!r} from", tuple(skipped))
    trainings = {
        "real": _training(sample, sample.real, features, split.real, outcome["real"]),
        "synthetic": _training(sample, sample.synthetic, features, split.synthetic, outcome["synthetic"]),
    }
    known = ~np.isnan(outcome["test"])
    test, truth = take(split.tested, features, split.test[known]), outcome["test"][known]
    results = _results(sample, task, trainings, test, truth, settings)
    return Trial(
        task=task,
        split=split,
        features=tuple(features),
        skipped=tuple(skipped),
        truth=truth,
        trained={side: len(training.outcome) for side, training in trainings.items()},
        synthetic_values=len(np.unique(trainings["synthetic"].outcome)),
        absent_from_synthetic=_absent(task, trainings["synthetic"].outcome),
        absent_from_test=_absent(task, truth),
        results=tuple(results),
    )


def _too_small(sample: Sample, split: Split) -> str | None:
    if not len(split.test) and split.duplicates:
        return "every test row is a copy of a real training row: there is nothing new to predict"
    if len(split.real) < LEAST_TRAIN_ROWS or len(split.test) < LEAST_TEST_ROWS:
        sizes = f"real has {sample.real.rows:,} rows, synthetic {sample.synthetic.rows:,}"
        tested = f"the holdout {split.tested.rows:,}" if split.has_holdout else "and there is no holdout"
        least = f"at least {LEAST_TRAIN_ROWS} rows to train and {LEAST_TEST_ROWS} to test are needed"
        return f"{sizes}, {tested}: {least}"
    return None


def _too_few(task: Task, real: FloatArray, test: FloatArray) -> str | None:
    """Say why real rows with a known outcome do not suffice, if they do not."""
    known, tested = int((~np.isnan(real)).sum()), test[~np.isnan(test)]
    if known < LEAST_TRAIN_ROWS or len(tested) < LEAST_TEST_ROWS:
        gaps = f"{task.target!r} is known in {known:,} of {len(real):,} real training rows"
        return f"{gaps} and in {len(tested):,} of {len(test):,} test rows: too few to train and test"
    if task.is_classification:
        counts = np.sort(np.bincount(tested.astype(np.int64), minlength=len(task.classes)))
        if counts[-2] < LEAST_TEST_CLASS:
            return f"the test rows hold fewer than two classes of {task.target!r} with {LEAST_TEST_CLASS} rows each"
    elif (tested == tested[0]).all():
        return f"{task.target!r} has one value in all test rows"
    return None


def _training(
    sample: Sample, side: SampleSide, features: Sequence[str], rows: IntArray, outcome: FloatArray
) -> Training:
    known = ~np.isnan(outcome)
    columns = take(side, features, rows[known])
    return Training(columns, outcome[known], fit_encoder(columns, sample.roles, sample.dictionaries))


def _absent(task: Task, outcome: FloatArray) -> tuple[str, ...]:
    counts = np.bincount(outcome.astype(np.int64), minlength=len(task.classes)) if task.classes else np.empty(0)
    return tuple(name for name, count in zip(task.classes, counts, strict=True) if not count)


def _results(
    sample: Sample,
    task: Task,
    trainings: dict[str, Training],
    test: Columns,
    truth: FloatArray,
    settings: Settings,
) -> list[Result]:
    """Fit everything in one parallel batch: the full trainings first, then the parts that show the training noise."""
    rows = max(len(training.outcome) for training in trainings.values())
    rng = sample.rng(f"utility.trial {task.target}")
    few = np.sort(rng.permutation(len(truth))[:PART_TEST_ROWS])
    small_test, small_truth = {name: values[few] for name, values in test.items()}, truth[few]
    parts = _parts(rng, len(trainings["real"].outcome))
    recipes = [Recipe(family, len(task.classes), rows) for family in FAMILIES]
    jobs: list[Callable[[], FloatArray]] = [
        partial(_predict, recipe, trainings[side], None, test) for recipe in recipes for side in ("real", "synthetic")
    ]
    jobs += [
        partial(_part_skill, recipe, trainings["real"], part, small_test, small_truth)
        for recipe in recipes
        for repeat in parts
        for part in repeat
    ]
    done = run_all(jobs)
    predictions = [(done[2 * k], done[2 * k + 1]) for k in range(len(FAMILIES))]
    rest = iter(done[2 * len(FAMILIES) :])
    noise = [_noise(rest, parts) for _ in FAMILIES]
    tests = _test_errors(rng, task, truth, predictions, settings.draws)
    degrees = sum(len(repeat) - 1 for repeat in parts)
    results = []
    for k, (family, (real, synthetic)) in enumerate(zip(FAMILIES, predictions, strict=True)):
        reached = [skills(truth, predicted)[:, 0] for predicted in (synthetic, real)]
        found = [
            Skills(
                synthetic=float(reached[0][at]),
                real=float(reached[1][at]),
                test_synthetic=float(test[1, 1]),
                test_real=float(test[0, 0]),
                test_both=float(test[0, 1]),
                train=float(noise[k][at]),
                degrees=degrees,
                draws=settings.draws,
            )
            for at, test in enumerate(tests[k])
        ]
        results.append(Result(family, real, synthetic, found[0], found[1] if task.is_classification else None))
    return results


def _predict(recipe: Recipe, training: Training, rows: IntArray | None, test: Columns) -> FloatArray:
    columns, outcome = (training.columns, training.outcome) if rows is None else training.part(rows)
    predict: Predict = recipe.fit(training.encoder, columns, outcome)
    return predict(test)


def _part_skill(recipe: Recipe, training: Training, rows: IntArray, test: Columns, truth: FloatArray) -> FloatArray:
    return skills(truth, _predict(recipe, training, rows, test))


def _parts(rng: np.random.Generator, rows: int) -> list[list[IntArray]]:
    """Return disjoint parts of the training rows: random quarters of many rows, or random halves of few, repeated."""
    shares, repeats = (4, 2) if rows >= MANY_ROWS else (2, 5 if rows >= FEW_ROWS else 8)
    return [[np.sort(part) for part in np.array_split(rng.permutation(rows), shares)] for _ in range(repeats)]


def _noise(drawn: Iterator[FloatArray], parts: list[list[IntArray]]) -> FloatArray:
    """Return the variance of each score over training samples of full size, from models trained on disjoint parts.

    The variance between parts of ``n / g`` rows, over ``g``: right where it falls with one over the rows, and too large
    rather than too small where models converge faster.
    """
    variances = []
    for repeat in parts:
        values = np.stack([next(drawn)[:, 0] for _ in repeat])
        variances.append(values.var(axis=0, ddof=1) / len(repeat))
    return np.asarray(np.nan_to_num(np.mean(variances, axis=0), nan=UNKNOWN_VARIANCE), np.float64)


def _test_errors(
    rng: np.random.Generator,
    task: Task,
    truth: FloatArray,
    predictions: Sequence[tuple[FloatArray, FloatArray]],
    draws: int,
) -> list[list[FloatArray]]:
    """Return the covariance of the real- and the synthetic-trained skill over test rows, per family and score.

    By a paired bootstrap without refitting. Of very many cells a random part is resampled, and its covariance
    scaled by its share of the rows.
    """
    cells = draws * (len(task.classes) if len(task.classes) > 2 else 1)
    rows = np.sort(rng.permutation(len(truth))[: max(1000, BOOTSTRAP_CELLS // cells)])
    weights = resampling_weights(rng, len(rows), draws)
    flat = [predicted[rows] for pair in predictions for predicted in pair]
    drawn = run_all([partial(skills, truth[rows], predicted, weights) for predicted in flat])
    share = len(rows) / len(truth)
    return [
        [_covariance(np.stack(pair), share) for pair in zip(drawn[2 * k], drawn[2 * k + 1], strict=True)]
        for k in range(len(predictions))
    ]


def _covariance(pair: FloatArray, share: float) -> FloatArray:
    known = pair[:, np.isfinite(pair).all(axis=0)]
    if known.shape[1] < LEAST_DRAWS:
        return np.eye(2) * UNKNOWN_VARIANCE
    return np.asarray(np.cov(known) * share, np.float64)
