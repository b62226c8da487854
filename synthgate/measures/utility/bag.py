"""A forest: scikit-learn's trees on resampled rows, averaged.

scikit-learn's own forests swap the process's warning filters for each tree, which goes wrong when several are
fitted in threads at once, as here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


class Bag:
    """Decision trees on bootstrap samples of the rows (Breiman 2001, Machine Learning 45, 5-32).

    Parameters
    ----------
    kind : class
        A scikit-learn tree.
    trees : int
    seed : int
    settings
        Of each tree.
    """

    def __init__(self, kind: Any, trees: int, seed: int, **settings: Any) -> None:
        self._kind = kind
        self._trees = trees
        self._seed = seed
        self._settings = settings
        self._fitted: list[Any] = []
        self.classes_: NDArray[Any] = np.empty(0)

    def fit(self, matrix: FloatArray, outcome: NDArray[Any]) -> Bag:
        """Grow the trees."""
        rng = np.random.default_rng(self._seed)
        rows, size = np.ascontiguousarray(matrix, np.float32), len(outcome)
        self.classes_ = np.unique(outcome)
        self._fitted = []
        for _ in range(self._trees):
            weights = np.bincount(rng.integers(0, size, size), minlength=size).astype(np.float64)
            tree = self._kind(random_state=int(rng.integers(2**31)), **self._settings)
            self._fitted.append(tree.fit(rows, outcome, sample_weight=weights, check_input=False))
        return self

    def predict(self, matrix: FloatArray) -> FloatArray:
        """Return the mean of the trees' numbers."""
        return self._mean("predict", matrix)

    def predict_proba(self, matrix: FloatArray) -> FloatArray:
        """Return the mean of the trees' class shares, in the order of ``classes_``."""
        return self._mean("predict_proba", matrix)

    def _mean(self, method: str, matrix: FloatArray) -> FloatArray:
        rows = np.ascontiguousarray(matrix, np.float32)
        total = sum(getattr(tree, method)(rows, check_input=False) for tree in self._fitted)
        return np.asarray(total, np.float64) / len(self._fitted)
