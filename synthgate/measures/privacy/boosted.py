"""Gradient boosting as privacy attacks use it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def boosted_scores(
    x: Floats, y: NDArray[np.bool_] | NDArray[np.int64], asked: Floats, *, rounds: int, leaves: int, seed: int
) -> Floats:
    """Train a classifier and return its log-odds for other rows.

    Parameters
    ----------
    x, asked : float64 array, shape (rows, columns)
        NaN is missing; columns that have no value in `x` are left out, for scikit-learn cannot bin them.
    y : bool or int64 array, shape (rows,)
        The class, of two.
    rounds, leaves : int
        Trees, and most leaves of each.
    seed : int
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    known = ~np.isnan(x).all(axis=0)
    if not known.any():
        return np.zeros(len(asked))
    model = HistGradientBoostingClassifier(
        max_iter=rounds, max_leaf_nodes=leaves, early_stopping=False, random_state=seed
    )
    scores: Floats = model.fit(x[:, known], y).decision_function(asked[:, known])
    return scores
