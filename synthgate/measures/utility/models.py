"""Model families from scikit-learn, one thread each, so that results do not depend on the machine's cores."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from threading import Lock
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from synthgate.measures.utility import zoo
from synthgate.measures.utility.features import Columns, Encoder
from synthgate.threads import spread

FloatArray = NDArray[np.float64]
T = TypeVar("T")
Predict: TypeAlias = "Callable[[Columns], FloatArray]"

SMALL = 4000
LOWEST = 1e37
"""Within reach of single precision, which scikit-learn's trees use."""
FAMILIES = ("boosting", "linear")
# scikit-learn resets the process's warning filters around each logistic fit, which two at a time trip over
_ONE_AT_A_TIME = Lock()
NAMES = {"boosting": "gradient boosting", "linear": "a linear model"}


def name_of(family: str) -> str:
    """Return what reports call a model family."""
    return NAMES.get(family) or zoo.title(family)


@dataclass(frozen=True, slots=True)
class Recipe:
    """A model family, set for a number of training rows.

    Attributes
    ----------
    family : str
        One of :data:`FAMILIES` or of :data:`synthgate.measures.utility.zoo.NAMED`, or ``module:Class``.
    classes : int
        0 for a regression.
    rows : int
        Training rows that the settings are for; parts of them are trained with the same settings.
    seed : int
        Of families that draw at random.
    """

    family: str
    classes: int
    rows: int
    seed: int = 0

    def fit(self, encoder: Encoder, columns: Columns, outcome: FloatArray) -> Predict:
        """Train on rows without missing outcomes, and return what predicts.

        Outcomes that do not vary, or features that do not, give a model that always says the same.
        """
        view = self._view(encoder)
        matrix = _without_gaps_only(view(columns))
        if not len(outcome) or (outcome == outcome[0]).all() or not matrix.shape[1]:
            return self._constant(outcome)
        if self.family == "linear":
            model = self._linear(len(outcome))
        elif self.family == "boosting":
            model = self._boosting(encoder.categorical(columns), len(outcome))
        else:
            model = self._other(len(outcome))
        if not self.classes:
            model.fit(matrix, outcome)
            low, high = float(outcome.min()), float(outcome.max())
            return lambda rows: np.clip(np.asarray(model.predict(view(rows)), np.float64), low, high)
        with _ONE_AT_A_TIME if self.family == "linear" else nullcontext():
            model.fit(matrix, outcome.astype(np.int64))
        at = model.classes_

        def predict(rows: Columns) -> FloatArray:
            said = model.predict_proba(view(rows))
            chances = np.zeros((len(said), self.classes))
            chances[:, at] = said
            return chances

        return predict

    def _view(self, encoder: Encoder) -> Callable[[Columns], FloatArray]:
        """Return how the family reads rows: trees that know no missing values see them as a very low number."""
        if self.family == "boosting":
            return encoder.tree
        if zoo.reads_codes(self.family):
            return lambda rows: np.nan_to_num(np.clip(encoder.tree(rows), -LOWEST, LOWEST), nan=-LOWEST)
        return encoder.linear

    def _other(self, rows: int) -> Any:
        model = zoo.make_estimator(self.family, classes=bool(self.classes), seed=self.seed)
        if self.family == "neighbours":
            model.set_params(n_neighbors=max(1, min(15, rows // 4)))
        return model

    def _linear(self, rows: int) -> Any:
        from sklearn.linear_model import LogisticRegression, Ridge

        return (
            LogisticRegression(C=1.0, max_iter=60, tol=1e-3) if self.classes else Ridge(alpha=max(1.0, rows**0.5 / 10))
        )

    def _boosting(self, categorical: NDArray[np.bool_], rows: int) -> Any:
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        if self.classes > 2:
            rounds = max(15, min(30, 180 // self.classes))
            rate, leaves, bins, shrink = 4.5 / rounds, 8, 255, 10.0
        elif self.rows < SMALL:
            rounds, rate, leaves, bins, shrink = 40, 0.1, 8, 64, 0.0
        else:
            rounds, rate, leaves, bins, shrink = 60, 0.15, 15, 255, 5.0
        kind = HistGradientBoostingClassifier if self.classes else HistGradientBoostingRegressor
        return kind(
            max_iter=rounds,
            learning_rate=rate,
            max_leaf_nodes=leaves,
            max_bins=bins,
            l2_regularization=shrink,
            min_samples_leaf=max(3, min(20, rows // 20)),
            categorical_features=categorical if categorical.any() else None,
            early_stopping=False,
            random_state=0,
        )

    def _constant(self, outcome: FloatArray) -> Predict:
        if not self.classes:
            level = float(outcome.mean()) if len(outcome) else 0.0
            return lambda rows: np.full(len(next(iter(rows.values()))), level)
        shares = np.bincount(outcome.astype(np.int64), minlength=self.classes) + 1e-9
        return lambda rows: np.tile(shares / shares.sum(), (len(next(iter(rows.values()))), 1))


def run_all(jobs: Sequence[Callable[[], T]], *, in_turn: bool = False) -> list[T]:
    """Run jobs in parallel, or one after the other, and return their results in order.

    scikit-learn's warning that an iteration limit was reached is left out: the limit is meant. So is that of its own
    parallel loops, which swap the process's warning filters and find each other's in threads. Others are passed on
    when all jobs are done.
    """
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        done = [job() for job in jobs] if in_turn else spread(lambda job: job(), jobs)
    for item in caught:
        if not issubclass(item.category, ConvergenceWarning) and "sklearn.utils.parallel" not in str(item.message):
            warnings.warn_explicit(item.message, item.category, item.filename, item.lineno)
    return done


def _without_gaps_only(matrix: FloatArray) -> FloatArray:
    """Return the matrix with columns that hold no value at all set to zero: boosting cannot bin them."""
    empty = np.isnan(matrix).all(axis=0)
    return np.where(empty, 0.0, matrix) if empty.any() else matrix
