"""Many attacks at once: p-values adjusted by the maximum over attacks (max-T)."""

from __future__ import annotations

import numpy as np

from synthgate.measures.privacy.encodings import Floats
from synthgate.measures.privacy.inference import Flags, Places

DRAWS = 2_000
NORMAL_DRAWS = 20_000
NORMAL_FROM = 5_000
CHUNK_CELLS = 4_000_000


def step_down(observed: Floats, draws: Floats) -> Floats:
    """Return p-values adjusted for the maximum over attacks, stepping down.

    Valid under any dependence between attacks (Westfall and Young 1993, Resampling-based multiple
    testing, algorithm 2.8).

    Parameters
    ----------
    observed : float64 array, shape (attacks,)
    draws : float64 array, shape (draws, attacks)
        The statistics under the null hypothesis, drawn jointly.
    """
    order = np.argsort(-observed, kind="stable")
    adjusted = np.empty(len(observed))
    worst = 0.0
    for place, attack in enumerate(order):
        largest = draws[:, order[place:]].max(axis=1)
        p = (1 + np.count_nonzero(largest >= observed[attack])) / (len(draws) + 1)
        worst = max(worst, p)
        adjusted[attack] = worst
    return adjusted


def null_statistics(scores: Floats, member: Flags, strata: Places, rng: np.random.Generator) -> Floats:
    """Draw the standardised AUCs of all attacks jointly under labels permuted within strata.

    From 5,000 records on, the normal limit of the permutation law is drawn, with the exact
    permutation covariance.

    Parameters
    ----------
    scores : float64 array, shape (attacks, records)

    Returns
    -------
    float64 array, shape (draws, attacks)
        Mean 0 and variance 1 each; an attack whose scores are all equal gives 0.
    """
    from scipy.stats import rankdata

    parts = []
    for stratum in np.unique(strata):
        here = np.flatnonzero(strata == stratum)
        n = int(member[here].sum())
        if 0 < n < len(here):
            ranks = rankdata(scores[:, here], axis=1)
            weight = n * (len(here) - n) / len(here)
            parts.append((ranks - ranks.mean(axis=1, keepdims=True), n, weight))
    covariance = np.zeros((len(scores), len(scores)))
    for ranks, n, weight in parts:
        total = ranks.shape[1]
        covariance += weight**2 * (ranks @ ranks.T) / (total * (total - 1.0) * n * (total - n))
    deviation = np.sqrt(np.diag(covariance))
    scale = np.where(deviation > 0, deviation, 1.0)
    if len(member) >= NORMAL_FROM:
        correlation = covariance / np.outer(scale, scale)
        return rng.multivariate_normal(np.zeros(len(scores)), correlation, NORMAL_DRAWS, method="eigh")
    draws = np.zeros((DRAWS, len(scores)))
    for ranks, n, weight in parts:
        draws += weight * _permuted(ranks, n, rng)
    return draws / scale


def _permuted(ranks: Floats, n: int, rng: np.random.Generator) -> Floats:
    """Return centred AUCs of one stratum under random choices of `n` members."""
    total = ranks.shape[1]
    out = np.empty((DRAWS, len(ranks)))
    step = max(1, CHUNK_CELLS // total)
    for start in range(0, DRAWS, step):
        labels = np.zeros((min(step, DRAWS - start), total), np.float32)
        labels[:, :n] = 1.0
        rng.permuted(labels, axis=1, out=labels)
        out[start : start + len(labels)] = labels @ ranks.T / (n * (total - n))
    return out
