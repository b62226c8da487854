"""Targets when none is named: the columns that real rows predict best from the others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from synthgate.measures.utility.features import fit_encoder, group_codes
from synthgate.measures.utility.models import Recipe
from synthgate.measures.utility.scores import skills
from synthgate.measures.utility.split import Split, determines, find_features, make_split, take
from synthgate.measures.utility.tasks import Task, make_task
from synthgate.sample import Sample
from synthgate.threads import spread

MAX_CANDIDATES = 40
MAX_COLUMNS = 200
MAX_CLASSES = 20
SCREEN_ROWS = 2000
LEAST_SCREEN_ROWS = 60
LEAST_SKILL = 0.1


@dataclass(frozen=True, slots=True)
class Candidate:
    """A column that could be a target, and how well real rows predict it.

    Attributes
    ----------
    skill : float
        From chance (0) to perfect (1): R2, or twice the AUC less one.
    """

    target: str
    skill: float


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen targets, best first, and how many columns were tried as target."""

    chosen: tuple[Candidate, ...] = ()
    tried: int = 0


def choose_targets(sample: Sample, most: int) -> Choice:
    """Choose up to `most` columns that a small boosting model predicts best on real rows.

    Candidates are discrete columns of 2 to 20 classes, and continuous ones. Trained on up to 2,000 real rows, tested
    on others; in a wide table 40 random columns are tried, with 200 random ones as features. A column that a chosen
    one gives away, or that gives one away, is not chosen as well.
    """
    rng = sample.rng("utility.choice")
    columns = sorted(rng.permutation(list(sample.roles))[:MAX_COLUMNS], key=list(sample.roles).index)
    roles = {name: sample.roles[name] for name in columns}
    alone = replace(sample, roles=roles, synthetic=sample.real, holdout=None, _derived={})
    whole = make_split(alone, SCREEN_ROWS, SCREEN_ROWS)
    if len(whole.real) < LEAST_SCREEN_ROWS:
        return Choice()
    names = [name for name in roles if _is_candidate(sample, name)]
    names = [names[k] for k in np.sort(rng.permutation(len(names))[:MAX_CANDIDATES])]
    skills = spread(partial(_screen, alone, whole), names)
    chosen: list[Candidate] = []
    for name, value in sorted(zip(names, skills, strict=True), key=lambda item: -item[1]):
        known = any(_are_one(sample, whole, name, candidate.target) for candidate in chosen)
        if len(chosen) < most and value >= LEAST_SKILL and not known:
            chosen.append(Candidate(name, value))
    return Choice(tuple(chosen), len(names))


def _are_one(sample: Sample, split: Split, name: str, other: str) -> bool:
    first, second = (group_codes(sample.real.columns[n][split.real]).astype(np.float64) for n in (name, other))
    return determines(first, second) or determines(second, first)


def _is_candidate(sample: Sample, name: str) -> bool:
    role = sample.roles[name]
    if role.is_continuous:
        return True
    if not role.is_discrete:
        return False
    codes = sample.real.columns[name]
    return 2 <= len(np.unique(codes[codes >= 0])) <= MAX_CLASSES


def _screen(sample: Sample, split: Split, target: str) -> float:
    task = make_task(sample, target, split.real)
    if isinstance(task, str):
        return 0.0
    train, test = (task.outcomes(sample.real.columns[target][rows]) for rows in (split.real, split.test))
    features, _ = find_features(sample, split, target, train)
    if not features or _known(train).sum() < LEAST_SCREEN_ROWS / 2 or _known(test).sum() < LEAST_SCREEN_ROWS / 4:
        return 0.0
    columns = take(sample.real, features, split.real[_known(train)])
    encoder = fit_encoder(columns, sample.roles, sample.dictionaries)
    predict = Recipe("boosting", len(task.classes), len(split.real)).fit(encoder, columns, train[_known(train)])
    known = _known(test)
    reached = skills(test[known], predict(take(sample.real, features, split.test[known])))
    return _scaled(task, float(np.nan_to_num(reached[0, 0])))


def _known(outcome: NDArray[np.float64]) -> NDArray[np.bool_]:
    return ~np.isnan(outcome)


def _scaled(task: Task, value: float) -> float:
    return 2 * value if task.is_classification else value
