"""A trial: the same models trained on real and on synthetic rows, tested on the same real rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthgate.findings import Skip
from synthgate.measures.utility import zoo
from synthgate.measures.utility.features import Columns
from synthgate.measures.utility.fitting import Bench, Extra, Result, Settings, fit_all
from synthgate.measures.utility.split import Split, find_features, make_split, take
from synthgate.measures.utility.tasks import Task, make_task
from synthgate.sample import Sample

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

LEAST_TRAIN_ROWS = 30
LEAST_TEST_ROWS = 20
LEAST_TEST_CLASS = 5
LEAST_SKILL = 0.05
NEARLY_BEST = 0.9


@dataclass(frozen=True, slots=True)
class Trial:
    """All families on one target.

    Attributes
    ----------
    truth : float64 array
        Outcomes of the test rows.
    test_rows : int64 array
        Which rows of the tested side they are.
    test : dict of array
        Features of the test rows.
    few : int64 array
        Places among the test rows that part models were tested on.
    trained : dict of int
        Training rows with a known outcome, per side.
    synthetic_values : int
        Distinct outcomes among the synthetic training rows.
    absent_from_synthetic, absent_from_test : tuple of str
        Classes that real training rows have.
    units : int
        Independent units behind the rows, such as sequences; 0 when each row stands for itself.
    """

    task: Task
    split: Split
    features: tuple[str, ...]
    skipped: tuple[Skip, ...]
    truth: FloatArray
    test_rows: IntArray
    test: Columns
    few: IntArray
    trained: dict[str, int]
    synthetic_values: int
    absent_from_synthetic: tuple[str, ...]
    absent_from_test: tuple[str, ...]
    results: tuple[Result, ...]
    extras: tuple[Extra, ...] = ()
    unfit: tuple[Skip, ...] = ()
    units: int = 0


@dataclass(frozen=True, slots=True)
class Untried:
    """A target that could not be tried, and why."""

    reason: str
    skipped: tuple[Skip, ...] = ()


def find_trial(sample: Sample, target: str, settings: Settings) -> Trial | Untried:
    """Return the trial of a target, made at most once per sample."""
    return sample.derive(f"utility.trial {target!r} {settings}", lambda rows: run_trial(rows, target, settings))


def run_trial(sample: Sample, target: str, settings: Settings) -> Trial | Untried:
    """Train every family on real and on synthetic rows and test all on the same real rows.

    Sizes are matched: both sides train on equally many rows. Each side's features are coded by its own rows. The
    result depends on neither the number of cores nor other targets.
    """
    sizes = (settings.max_train_rows, settings.max_test_rows, settings.time)
    split = sample.derive(f"utility.split {sizes}", lambda rows: make_split(rows, *sizes))
    why = _too_small(sample, split)
    if why:
        return Untried(why)
    task = make_task(sample, target, split.real, settings.max_classes)
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
    features, skipped = find_features(sample, split, target, outcome["real"], settings.barred)
    if not features:
        return Untried(f"there is no column to predict {target!r} from", tuple(skipped))
    bench = Bench(sample, task, split, tuple(features), settings)
    known = ~np.isnan(outcome["test"])
    test, truth = take(split.tested, features, split.test[known]), outcome["test"][known]
    able = [family for family in settings.families if zoo.fits(family, classes=task.is_classification)]
    if not able:
        return Untried(f"none of the models named fits {target!r}, a {task.kind}", tuple(skipped))
    learnt = {side: outcome[side][~np.isnan(outcome[side])] for side in ("real", "synthetic")}
    made = fit_all(bench, able, test, truth)
    return Trial(
        task=task,
        split=split,
        features=tuple(features),
        skipped=tuple(skipped),
        truth=truth,
        test_rows=split.test[known],
        test=test,
        few=made.few,
        trained={side: len(rows) for side, rows in learnt.items()},
        synthetic_values=len(np.unique(learnt["synthetic"])),
        absent_from_synthetic=_absent(task, learnt["synthetic"]),
        absent_from_test=_absent(task, truth),
        results=made.results,
        extras=made.extras,
        units=settings.units,
        unfit=tuple(Skip(f, f"it does not fit {task.kind}s") for f in settings.families if f not in able),
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


def _absent(task: Task, outcome: FloatArray) -> tuple[str, ...]:
    counts = np.bincount(outcome.astype(np.int64), minlength=len(task.classes)) if task.classes else np.empty(0)
    return tuple(name for name, count in zip(task.classes, counts, strict=True) if not count)


def ranked_families(trial: Trial) -> list[Result]:
    """Return the results, the family that learns most from real rows first."""
    return sorted(trial.results, key=lambda result: -result.skills.real)


def judged_families(trial: Trial) -> list[Result]:
    """Return the families that learn from real rows nearly as much as the best one, best first."""
    ranked = ranked_families(trial)
    return [result for result in ranked if result.skills.real >= NEARLY_BEST * ranked[0].skills.real]


def closest_look(trial: Trial) -> Result:
    """Return the family to look at parts of the rows with: the best one that is not linear, if it is nearly the best.

    A linear model has one answer for all rows, and hides what a part of them teaches.
    """
    judged = judged_families(trial)
    return next((result for result in judged if result.family != "linear"), judged[0])


def why_not_learnable(trial: Trial) -> str | None:
    """Say why even real training rows teach too little to compare with, if so."""
    best, task = ranked_families(trial)[0].skills, trial.task
    score = f"{task.score} {best.real + task.chance:.3f} where chance is {task.chance:g}"
    if best.real < LEAST_SKILL:
        return f"real rows hardly predict {task.target!r} ({score}): a share of so little skill says nothing"
    if best.real_half() >= best.real:
        return f"at this size real rows do not surely predict {task.target!r} better than chance ({score})"
    return None
