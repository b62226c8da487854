"""What is to be predicted: a target column as a task, with its classes or its scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthgate.measures.utility.features import BEYOND, finite
from synthgate.sample import Sample

FloatArray = NDArray[np.float64]

MAX_CLASSES = 10
LEAST_OF_A_CLASS = 5
OTHERS = "(all others)"


@dataclass(frozen=True, slots=True)
class Task:
    """A target, and how its values become outcomes.

    Attributes
    ----------
    target : str
    classes : tuple of str
        Of a classification; empty for a regression. Rare classes beyond the most frequent share the last one.
    place : int64 array
        Class number per dictionary code plus one, -1 where it is none.
    mean, spread : float
        Of a regression: scale on which models see the target.
    pooled : int
        How many rare classes share the last one.
    """

    target: str
    classes: tuple[str, ...]
    place: NDArray[np.int64]
    mean: float = 0.0
    spread: float = 1.0
    pooled: int = 0

    @property
    def is_classification(self) -> bool:
        """Whether classes are predicted, rather than numbers."""
        return bool(self.classes)

    @property
    def kind(self) -> str:
        """``"classification"`` or ``"regression"``."""
        return "classification" if self.classes else "regression"

    @property
    def metric(self) -> str:
        """The judged score: ``"auc"`` or ``"r2"``."""
        return "auc" if self.classes else "r2"

    @property
    def score(self) -> str:
        """The judged score, as people write it."""
        return "AUC" if self.classes else "R2"

    @property
    def chance(self) -> float:
        """The judged score of a model that knows nothing."""
        return 0.5 if self.classes else 0.0

    def outcomes(self, values: NDArray[Any]) -> FloatArray:
        """Return class numbers, or numbers in standard deviations of real ones (at most a million).

        NaN for missing, and for classes that real does not have.
        """
        if not self.classes:
            reach = BEYOND * self.spread
            return (np.clip(finite(values), self.mean - reach, self.mean + reach) - self.mean) / self.spread
        at = self.place[values.astype(np.int64) + 1].astype(np.float64)
        return np.where(at < 0, np.nan, at)


def make_task(sample: Sample, target: str, rows: NDArray[np.int64], max_classes: int = MAX_CLASSES) -> Task | str:
    """Turn a target into a task by its real training rows, or say why it cannot be predicted.

    Beyond `max_classes` the rarest ones share the last class.
    """
    role = sample.roles[target]
    values = sample.real.columns[target][rows]
    if role.is_continuous:
        return _regression(target, values)
    if not role.is_discrete:
        return f"{target} is read as {role}: its values are not classes that repeat"
    counts = np.bincount(values.astype(np.int64) + 1, minlength=len(sample.dictionaries[target]) + 1)[1:]
    order = np.argsort(-counts, kind="stable")
    order = order[counts[order] > 0]
    own = order[counts[order] >= LEAST_OF_A_CLASS][:max_classes]
    rare = order[len(own) :]
    if len(own) and len(own) + bool(len(rare)) > max_classes:
        own, rare = order[: max_classes - 1], order[max_classes - 1 :]
    if len(order) < 2:
        return f"{target} has {len(order) or 'no'} {'class' if len(order) else 'value'} in real: nothing to predict"
    with_others = counts[rare].sum() >= LEAST_OF_A_CLASS
    if len(own) + with_others < 2:
        return f"{target} has no two classes of at least {LEAST_OF_A_CLASS} rows in real: too few to learn from"
    return _classification(sample, target, own, rare if with_others else rare[:0])


def _classification(sample: Sample, target: str, own: NDArray[np.int64], rare: NDArray[np.int64]) -> Task:
    names = sample.dictionaries[target]
    if len(own) == 2 and not len(rare):
        own = np.sort(own)
    place = np.full(len(names) + 1, -1, np.int64)
    place[own + 1] = np.arange(len(own))
    place[rare + 1] = len(own)
    classes = [names[k] for k in own] + ([OTHERS] if len(rare) else [])
    return Task(target, tuple(classes), place, pooled=len(rare))


def _regression(target: str, values: NDArray[Any]) -> Task | str:
    known = finite(values)
    known = known[~np.isnan(known)]
    if not len(known) or known.min() == known.max():
        return f"{target} has {'one' if len(known) else 'no'} value in real: nothing to predict"
    unit = float(np.abs(known).max())
    spread = float((known / unit).std()) * unit
    if not spread:
        return f"{target} has values too close to each other in real: nothing to predict"
    return Task(target, (), np.empty(0, np.int64), float((known / unit).mean()) * unit, spread)
