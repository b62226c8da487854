"""Fairness: how far apart a model treats named groups, trained on synthetic and on real rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from synthgate.errors import GateFileError, nearest
from synthgate.findings import Estimate, Json, Limit, Measured
from synthgate.measures.utility.compare import Score, compare
from synthgate.measures.utility.ratio import Skills
from synthgate.measures.utility.scores import TINY
from synthgate.measures.utility.trials import Trial, closest_look
from synthgate.sample import Sample

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]
Rate = Callable[[FloatArray, FloatArray, FloatArray, BoolArray], FloatArray]

LEAST_GROUP_ROWS = 50
WORDS = {
    "selection_rate": "the share of rows that it selects",
    "true_positive_rate": "the share of positive rows that it finds",
    "accuracy": "its accuracy",
    "error": "its mean absolute error in standard deviations of the target",
}


def check_groups(sample: Sample, names: Sequence[str], where: str) -> None:
    """Refuse groups that are no discrete column of both tables.

    Raises
    ------
    GateFileError
    """
    discrete = [name for name, role in sample.roles.items() if role.is_discrete]
    for name in names:
        if name not in sample.roles:
            raise GateFileError(where, f"column {name!r} is not in both tables", nearest(name, discrete))
        if name not in discrete:
            found = f"column {name!r} is read as {sample.roles[name]}, expected groups"
            raise GateFileError(where, found, "name a categorical or boolean column, or give its role under `roles`")


def group_findings(sample: Sample, trial: Trial, name: str, looks: int, most: float) -> list[Measured]:
    """Compare the gap between groups of a column under both trainings.

    The gap is the largest difference between groups of at least 50 test rows: of the selection rate, the true positive
    rate and the accuracy for two classes (the rarer one is selected), of the accuracy for more, of the mean absolute
    error for numbers.

    Parameters
    ----------
    most : float
        How much larger the gap may be after synthetic training.
    """
    codes = trial.split.tested.columns[name][trial.test_rows]
    counts = np.bincount(codes[codes >= 0], minlength=1)
    levels = np.flatnonzero(counts >= LEAST_GROUP_ROWS)
    subject = f"groups of {name!r}"
    if len(levels) < 2:
        why = f"fewer than two {subject} have {LEAST_GROUP_ROWS} test rows"
        return [Measured(metric="group_gap", message=why, columns=(name, trial.task.target), not_assessed=why)]
    positive = int(np.bincount(trial.truth.astype(np.int64)).argmin()) if len(trial.task.classes) == 2 else -1
    result = closest_look(trial)
    group = np.searchsorted(levels, codes)
    group = np.where(np.isin(codes, levels), group, -1)
    out = []
    for metric, rate in _rates(trial, positive).items():

        def each(rows: IntArray, said: FloatArray, weights: FloatArray, rate: Rate = rate) -> FloatArray:
            truth, own = trial.truth[rows], group[rows]
            return np.stack([rate(truth, said, weights, own == k) for k in range(len(levels))])

        def gap(rows: IntArray, said: FloatArray, weights: FloatArray, rates: Score = each) -> FloatArray:
            found = rates(rows, said, weights)
            return np.asarray(found.max(axis=0) - found.min(axis=0), np.float64)[None, :]

        skills = compare(trial, result, gap, sample.rng(f"utility.groups {name} {metric}"))[0]
        everything, ones = np.arange(len(codes)), np.ones((1, len(codes)))
        sides = [each(everything, fitted.said, ones)[:, 0] for fitted in (result.real, result.synthetic)]
        shown: dict[str, Json] = {
            sample.dictionaries[name][level]: {"trtr": _number(sides[0][k]), "tstr": _number(sides[1][k])}
            for k, level in enumerate(levels)
        }
        out.append(_gap_finding(trial, name, metric, skills, shown, looks, most))
    return out


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _mean(weights: FloatArray, values: FloatArray, among: BoolArray) -> FloatArray:
    total = weights @ among.astype(np.float64)
    return np.where(total > 0, weights @ (values * among) / np.maximum(total, TINY), np.nan)


def _rates(trial: Trial, positive: int) -> dict[str, Rate]:
    def selection(_: FloatArray, said: FloatArray, weights: FloatArray, group: BoolArray) -> FloatArray:
        return _mean(weights, (said.argmax(axis=1) == positive).astype(np.float64), group)

    def found(truth: FloatArray, said: FloatArray, weights: FloatArray, group: BoolArray) -> FloatArray:
        return _mean(weights, (said.argmax(axis=1) == positive).astype(np.float64), group & (truth == positive))

    def accuracy(truth: FloatArray, said: FloatArray, weights: FloatArray, group: BoolArray) -> FloatArray:
        return _mean(weights, (said.argmax(axis=1) == truth).astype(np.float64), group)

    def error(truth: FloatArray, said: FloatArray, weights: FloatArray, group: BoolArray) -> FloatArray:
        return _mean(weights, np.abs(said - truth), group)

    if not trial.task.is_classification:
        return {"error": error}
    if positive < 0:
        return {"accuracy": accuracy}
    return {"selection_rate": selection, "true_positive_rate": found, "accuracy": accuracy}


def _gap_finding(
    trial: Trial, name: str, metric: str, skills: Skills, shown: Json, looks: int, most: float
) -> Measured:
    columns = (name, trial.task.target)
    if not np.isfinite([skills.real, skills.synthetic]).all():
        why = f"a group of {name!r} has no row on which {metric} can be told"
        return Measured(metric=f"{metric}_gap", message=why, columns=columns, not_assessed=why)
    more = skills.synthetic - skills.real
    half = skills.difference_half(looks)
    text = (
        f"between groups of {name!r}, {WORDS[metric]} differs by up to {skills.synthetic:.3f} when trained on "
        f"synthetic rows and by {skills.real:.3f} when trained on as many real rows"
    )
    return Measured(
        metric=f"{metric}_gap",
        message=text,
        estimate=Estimate(
            value=more,
            low=more - half,
            high=more + half,
            method=f"paired bootstrap of the test rows and part models, 95 % for {looks} findings together",
        ),
        columns=columns,
        limit=Limit(max=most),
        details={"trtr_gap": skills.real, "tstr_gap": skills.synthetic, "groups": shown},
    )
