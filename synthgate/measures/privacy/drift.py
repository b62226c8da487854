"""Is the holdout a random part of the real rows? A blind attack that never sees a synthetic row.

Where training rows and holdout can be told apart without the synthetic table, an attack that
tells them apart proves nothing about the generator (Das, Zhang and Tramer 2024, arXiv 2406.16201).
Attacks are then compared within deciles of the blind score only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synthgate.measures.privacy.attacks import REFERENCE_FACTOR, Stage, tree_matrix
from synthgate.measures.privacy.boosted import boosted_scores
from synthgate.measures.privacy.encodings import Encoding, Floats, Rows
from synthgate.measures.privacy.inference import Auc, Flags, Places, stratified_auc
from synthgate.measures.privacy.panel import Panel
from synthgate.threads import spread

LEVEL = 0.01
CLUSTERED_Z = 3.09
CLUSTERED_BY = 0.025
DECILES = 10
LEAST_OVERLAP = 0.5
TRAINED_ROWS = 4_000
TRAINED_ROUNDS = 40
TRAINED_LEAVES = 15
FOLD_DEPENDENCE = 2.0


@dataclass(frozen=True, slots=True)
class Drift:
    """How well training rows and holdout are told apart without synthetic rows.

    Attributes
    ----------
    auc : Auc
        Cross-validated; its variances include the dependence of the two halves.
    p : float
        One-sided.
    deciles : int64 array, shape (queries,)
        Decile of each query's blind score, within the half its model did not see.
    columns : tuple of str
        Columns whose own distribution differs (Holm, 1 %), only looked for when there is drift.
    is_clustered : bool
        Whether holdout rows are nearer to other holdout rows than training rows are, by more than chance:
        rows belong together in a way no column tells, and the real rows were split by it.
    overlap : float
        Share of the smaller side that has a counterpart of the other side in its stratum, in [0, 1].
    """

    auc: Auc
    p: float
    deciles: Places
    columns: tuple[str, ...]
    is_clustered: bool
    overlap: float

    @property
    def is_shown(self) -> bool:
        """Whether the holdout differs from the training rows by more than chance."""
        return self.p < LEVEL

    @property
    def is_apart(self) -> bool:
        """Whether the holdout differs so much that few training rows have their like in it."""
        return self.is_shown and self.overlap < LEAST_OVERLAP


def measure_drift(stage: Stage) -> Drift:
    """Train members against non-members on one half of the panel, score the other, and the reverse.

    Under the null both halves can depend on each other perfectly, so the variance is doubled.
    """
    from scipy.special import ndtr

    encoding, panel, seed = stage.encoding, stage.panel, stage.seed
    half = _halves(panel)
    x = tree_matrix(encoding, panel.queries)
    scores = np.empty(len(half))
    found = spread(
        lambda side: _blind(x, panel.member, np.flatnonzero(half != side), np.flatnonzero(half == side), seed), (0, 1)
    )
    for side in (0, 1):
        scores[half == side] = found[side]
    raw = stratified_auc(scores, panel.member, half, panel.unit if panel.grouped_by else None)
    auc = Auc(raw.value, FOLD_DEPENDENCE * raw.variance, FOLD_DEPENDENCE * raw.null_variance, raw.design)
    p = float(1 - ndtr((auc.value - 0.5) / np.sqrt(auc.null_variance))) if auc.null_variance else 1.0
    columns = drifted_columns(encoding, panel) if p < LEVEL else ()
    deciles = _deciles(scores, half)
    strata = panel.fold * DECILES + deciles if p < LEVEL else panel.fold
    return Drift(auc, p, deciles, columns, _is_clustered(stage, strata), _overlap(panel.member, strata))


def _overlap(member: Flags, strata: Places) -> float:
    mine, others = (np.bincount(strata[side], minlength=int(strata.max()) + 1) for side in (member, ~member))
    return float(np.minimum(mine, others).sum() / max(1, min(mine.sum(), others.sum())))


def _is_clustered(stage: Stage, strata: Places) -> bool:
    """Tell whether non-members are nearer to the reference than members of their stratum (one-sided, 0.1 %).

    Every attack with a reference would then find non-members by their kin in the reference, whatever the
    synthetic table holds.
    """
    panel = stage.panel
    units = panel.unit if panel.grouped_by else None
    nearness = stratified_auc(-stage.near_reference[:, 0], panel.member, strata, units)
    error = REFERENCE_FACTOR * float(np.sqrt(nearness.null_variance))
    return 0.5 - nearness.value > max(CLUSTERED_BY, CLUSTERED_Z * error)


def _halves(panel: Panel) -> Places:
    """Split members and non-members in halves that have nothing to do with the folds."""
    start = np.where(panel.member, 0, panel.unit[~panel.member].min())
    half: Places = ((panel.unit - start) // panel.folds) % 2
    return half


def _blind(x: Floats, member: Flags, train: Places, test: Places, seed: int) -> Floats:
    rng = np.random.default_rng([seed, len(train), *b"drift"])
    if len(train) > TRAINED_ROWS:
        train = np.sort(rng.choice(train, TRAINED_ROWS, replace=False))
    return boosted_scores(x[train], member[train], x[test], rounds=TRAINED_ROUNDS, leaves=TRAINED_LEAVES, seed=seed)


def _deciles(scores: Floats, half: Places) -> Places:
    out = np.empty(len(scores), np.int64)
    for side in (0, 1):
        at = np.flatnonzero(half == side)
        out[at[np.argsort(scores[at], kind="stable")]] = np.arange(len(at)) * DECILES // max(1, len(at))
    return out


def drifted_columns(encoding: Encoding, panel: Panel) -> tuple[str, ...]:
    """Return the columns whose distribution differs between members and non-members (Holm, 1 %)."""
    members = panel.queries.take(np.flatnonzero(panel.member))
    others = panel.queries.take(np.flatnonzero(~panel.member))
    p_values = [_column_p(encoding, at, members, others) for at in range(len(encoding.columns))]
    found = []
    for place, at in enumerate(np.argsort(p_values, kind="stable")):
        if p_values[at] * (len(p_values) - place) >= LEVEL:
            break
        found.append(encoding.columns[at].name)
    return tuple(found)


def _column_p(encoding: Encoding, at: int, members: Rows, others: Rows) -> float:
    from scipy.stats import chi2_contingency, ks_2samp

    column = encoding.columns[at]
    if column.ranks is not None:
        ranks = np.nan_to_num(column.ranks, nan=-1.0)
        return float(ks_2samp(ranks[members.codes[at]], ranks[others.codes[at]], method="asymp").pvalue)
    size = int(column.bins.max()) + 1
    table = np.stack([np.bincount(column.bins[rows.codes[at]], minlength=size) for rows in (members, others)])
    table = table[:, table.sum(axis=0) > 0]
    return float(chi2_contingency(table).pvalue) if table.shape[1] > 1 else 1.0
