"""The auditor's sum of all attacks, and the column-shuffle control that says what kind of leak there is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import sqrt

import numpy as np

from synthgate.findings import Json
from synthgate.measures.privacy.attacks import Stage, linkage, marginal_pairs
from synthgate.measures.privacy.encodings import Floats
from synthgate.measures.privacy.inference import Flags, Places, rounded, simultaneous_z
from synthgate.measures.privacy.panel import Panel

STRENGTH = 0.1
KNEE = 1.28
TIER_QUERIES = 2_000


def combine(ranks: Floats, member: Flags, fold: Places) -> Floats:
    """Score every record by a logistic regression of membership on all attacks, trained on the other folds.

    Features are the normal scores of the within-fold ranks and their positive parts above 1.28. The AUC
    of these scores has twice the variance that DeLong's formula gives: under the null the folds that
    train each other can depend perfectly.

    Parameters
    ----------
    ranks : float64 array, shape (attacks, records)
        Within folds, in (0, 1).
    """
    from scipy.special import ndtri
    from sklearn.linear_model import LogisticRegression

    normal = ndtri(ranks)
    features = np.concatenate([normal, np.maximum(normal - KNEE, 0.0)]).T
    scores = np.empty(len(member))
    for f in np.unique(fold):
        here = fold == f
        model = LogisticRegression(C=STRENGTH, class_weight="balanced", solver="newton-cholesky")
        scores[here] = model.fit(features[~here], member[~here]).decision_function(features[here])
    return scores


def tiers(stage: Stage, scores: Mapping[str, Floats], rng: np.random.Generator) -> dict[str, Json]:
    """Split the AUC of two attacks into what single values give and what combinations and rows add.

    The control attacks the synthetic table with every column shuffled on its own: it can use nothing
    but single columns. The difference is a paired one (DeLong), on up to 2,000 + 2,000 queries.

    Parameters
    ----------
    stage : Stage
    scores : dict of float64 array
        Scores of all queries, by attack.
    rng : Generator
        Shuffles the columns.
    """
    kept = _fewer(stage.panel)
    panel = _part(stage.panel, kept)
    codes = tuple(rng.permutation(column) for column in stage.synthetic.codes)
    shuffled = replace(stage.synthetic, codes=codes)
    control = Stage(replace(stage.encoding, synthetic=shuffled), panel, stage.seed)
    out: dict[str, Json] = {}
    for name, attack in (("linkage", linkage), ("marginal_pairs", marginal_pairs)):
        whole, values, half = _paired(scores[name][kept], attack(control), panel)
        out[name] = {
            "auc": rounded(whole),
            "value_part": rounded(values - 0.5),
            "combination_part": rounded(whole - values),
            "combination_interval": [rounded(whole - values - half), rounded(whole - values + half)],
        }
    return out


def _fewer(panel: Panel) -> Places:
    return np.concatenate([np.flatnonzero(panel.member == kind)[:TIER_QUERIES] for kind in (True, False)])


def _part(panel: Panel, at: Places) -> Panel:
    queries = panel.queries.take(at)
    return replace(panel, queries=queries, member=panel.member[at], fold=panel.fold[at], unit=panel.unit[at])


def _paired(first: Floats, second: Floats, panel: Panel) -> tuple[float, float, float]:
    """Return both mean AUCs over folds and the half width of the 95 % interval of their difference."""
    values = np.zeros(2)
    variance = 0.0
    for f in range(panel.folds):
        here = panel.fold == f
        above, below = _placements(np.stack([first[here], second[here]]), panel.member[here])
        values += above.mean(axis=1) / panel.folds
        for part in (above, below):
            variance += float((part[0] - part[1]).var(ddof=1)) / part.shape[1] / panel.folds**2
    return float(values[0]), float(values[1]), simultaneous_z(0.025, 1) * sqrt(variance)


def _placements(scores: Floats, member: Flags) -> tuple[Floats, Floats]:
    """Return for each member the share of non-members below it, and for each non-member of members above it."""
    from scipy.stats import rankdata

    mine, others = scores[:, member], scores[:, ~member]
    ranks = rankdata(np.concatenate([mine, others], axis=1), axis=1)
    n, m = mine.shape[1], others.shape[1]
    above = (ranks[:, :n] - rankdata(mine, axis=1)) / m
    below = 1 - (ranks[:, n:] - rankdata(others, axis=1)) / n
    return above, below
