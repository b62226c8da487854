"""Scored attacks: each attack of the ensemble and their sum, held against guessing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from synthgate.measures.privacy.attacks import REFERENCE_FACTOR, Attack, Stage
from synthgate.measures.privacy.drift import DECILES, Drift
from synthgate.measures.privacy.encodings import Floats
from synthgate.measures.privacy.inference import (
    FALSE_POSITIVE_RATES,
    Auc,
    Places,
    auc_bounds,
    fold_ranks,
    rate_at,
    simultaneous_z,
    stratified_auc,
)
from synthgate.measures.privacy.meta import combine
from synthgate.measures.privacy.multiplicity import null_statistics, step_down
from synthgate.measures.privacy.panel import Panel
from synthgate.sample import Sample

AUC_ERROR = 0.02
RATE_ERROR = 0.02
META_ERROR = 0.01
META_FACTOR = sqrt(2.0)
# Folds share holdout rows as references, which lets what is learnt on one fold help a little on the next: on
# splits without any leak the sum of attacks lies this many standard errors above guessing.
META_SHIFT = 0.5


@dataclass(frozen=True)
class Scored:
    """One attack, scored and compared with guessing.

    Attributes
    ----------
    name : str
    scores, ranks : float64 array, shape (queries,)
        As the attack gave them, and within folds.
    auc : Auc
    factor : float
        What the standard error is multiplied by for the dependence of folds.
    z, p : float
        Against guessing; `p` is adjusted for the number of attacks.
    tail : float
        Error of each bound.
    shift : float
        Standard errors by which the attack lies above guessing when there is no leak; the lower bound and
        `p` allow for it.
    """

    name: str
    scores: Floats
    ranks: Floats
    auc: Auc
    factor: float
    z: float
    p: float
    tail: float
    shift: float = 0.0

    @property
    def error(self) -> float:
        """Standard error of the AUC, widened for the dependence of the folds."""
        return self.factor * sqrt(self.auc.variance)

    @property
    def bounds(self) -> tuple[float, float]:
        """One-sided bounds that hold together with those of the other attacks."""
        z = simultaneous_z(self.tail, 1)
        return auc_bounds(self.auc, z + self.shift, z, self.factor)


def score_attacks(stage: Stage, attacks: Sequence[Attack], drift: Drift, sample: Sample) -> list[Scored]:
    """Run the attacks and their sum, which comes last; strata are folds, by drift decile where the holdout drifted."""
    panel = stage.panel
    strata = panel.fold * DECILES + drift.deciles if drift.is_shown else panel.fold
    scores = [attack.score(stage) for attack in attacks]
    ranks = [fold_ranks(s, panel.fold, sample.rng(f"ties.{a.name}")) for a, s in zip(attacks, scores, strict=True)]
    factors = [REFERENCE_FACTOR if attack.uses_reference else 1.0 for attack in attacks]
    units = panel.unit if panel.grouped_by else None
    aucs = [stratified_auc(s, panel.member, strata, units) for s in scores]
    z = np.array([_z(a, f) for a, f in zip(aucs, factors, strict=True)])
    draws = null_statistics(np.stack(scores), panel.member, strata, sample.rng("privacy.permutations"))
    adjusted = step_down(z, draws)
    tail = AUC_ERROR / len(attacks)
    scored = [
        Scored(attack.name, scores[i], ranks[i], aucs[i], factors[i], float(z[i]), float(adjusted[i]), tail)
        for i, attack in enumerate(attacks)
    ]
    return [*scored, _meta(np.stack(ranks), panel, strata, sample)]


def _meta(ranks: Floats, panel: Panel, strata: Places, sample: Sample) -> Scored:
    from scipy.special import ndtr

    scores = combine(ranks, panel.member, panel.fold)
    auc = stratified_auc(scores, panel.member, strata, panel.unit if panel.grouped_by else None)
    z = _z(auc, META_FACTOR)
    own = fold_ranks(scores, panel.fold, sample.rng("ties.meta"))
    return Scored("meta", scores, own, auc, META_FACTOR, z, float(1 - ndtr(z - META_SHIFT)), META_ERROR, META_SHIFT)


def _z(auc: Auc, factor: float) -> float:
    return (auc.value - 0.5) / (factor * sqrt(auc.null_variance)) if auc.null_variance > 0 else 0.0


def rates_of(one: Scored, panel: Panel, sample: Sample) -> dict[float, dict[str, float] | None]:
    """Return the share of members found at each false-positive rate, None where it cannot be estimated."""
    tail = META_ERROR if one.name == "meta" else RATE_ERROR * one.tail / AUC_ERROR
    out: dict[float, dict[str, float] | None] = {}
    for allowed in FALSE_POSITIVE_RATES:
        rng = sample.rng(f"rate.{one.name}.{allowed}")
        rate = rate_at(one.ranks, panel.member, allowed, tail, rng, design=one.auc.design)
        out[allowed] = {"value": rate.value, "low": rate.low, "high": rate.high, "p": rate.p} if rate else None
    return out
