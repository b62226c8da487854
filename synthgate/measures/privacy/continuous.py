"""Attacks on tables of mostly continuous numbers, where hardly any cells are equal.

They join the ensemble only where they can find something and are cheap: elsewhere they would cost
power, since every further attack widens the bounds of all.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from synthgate.measures.privacy.attacks import ATTACKS, Attack, Stage
from synthgate.measures.privacy.encodings import Encoding, Floats, Rows
from synthgate.measures.privacy.links import best_fit

MANY_VALUES = 0.5
MOST_CELLS = 1.5e9
MOST_PAIRS = 5e7
DIMENSIONS = 10
NEIGHBOURS = 10
LEAST_SPREAD = 1e-6
BLOCK = 256
HIGHEST = 50.0


def linkage_surprisal(stage: Stage) -> Floats:
    """Fit of the best synthetic row, less that of the best reference row; numbers fit by how near they lie."""
    scores = best_fit(stage.panel.queries, stage.synthetic, stage.encoding)
    for at, queries, reference in stage.folds():
        scores[at] -= best_fit(queries, reference, stage.encoding)
    return scores


def gen_lra(stage: Stage) -> Floats:
    """How much adding the record to the reference raises the likelihood of the synthetic rows nearest to it.

    The generative likelihood ratio attack (Gen-LRA, as in Ward et al. 2025, arXiv 2509.18014) with a Gaussian kernel
    of fixed width, for which the refitted density has a closed form:
    ``sum over near s of log((n + K(s - x) / p(s)) / (n + 1))`` with p the density of the n reference rows.
    """
    scores = np.empty(len(stage.panel.queries))
    for at, queries, reference in stage.folds():
        project = _whitening(reference)
        synthetic, known, asked = (project(rows) for rows in (stage.synthetic, reference, queries))
        width = len(known) ** (-1.0 / (known.shape[1] + 4)) if known.shape[1] else 1.0
        log_density = _log_density(synthetic, known, width)
        near = min(NEIGHBOURS, len(synthetic))
        for start in range(0, len(asked), BLOCK):
            squared = _squared(asked[start : start + BLOCK], synthetic)
            chosen = np.argpartition(squared, near - 1, axis=1)[:, :near]
            gain = -np.take_along_axis(squared, chosen, axis=1) / (2 * width * width) - log_density[chosen]
            added = np.log((len(known) + np.exp(np.minimum(gain, HIGHEST))) / (len(known) + 1))
            scores[at[start : start + BLOCK]] = added.sum(axis=1)
    return scores


def _whitening(reference: Rows) -> Callable[[Rows], Floats]:
    """Return the projection of rows on the main directions of the reference, each with variance 1."""
    dense = reference.dense.astype(np.float64)
    centre = dense.mean(axis=0)
    _, spread, directions = np.linalg.svd(dense - centre, full_matrices=False)
    scale = spread / np.sqrt(max(1, len(dense) - 1))
    kept = np.flatnonzero(scale > LEAST_SPREAD)[:DIMENSIONS]
    turned = (directions[kept] / scale[kept, None]).T

    def project(rows: Rows) -> Floats:
        projected: Floats = (rows.dense - centre) @ turned
        return projected

    return project


def _squared(first: Floats, second: Floats) -> Floats:
    cross = first @ second.T
    squared: Floats = np.square(first).sum(axis=1)[:, None] + np.square(second).sum(axis=1) - 2 * cross
    return np.maximum(squared, 0.0)


def _log_density(points: Floats, known: Floats, width: float) -> Floats:
    """Return the log of the kernel density, up to the kernel's constant."""
    out = np.empty(len(points))
    for start in range(0, len(points), BLOCK):
        scaled = -_squared(points[start : start + BLOCK], known) / (2 * width * width)
        top = scaled.max(axis=1)
        out[start : start + BLOCK] = top + np.log(np.exp(scaled - top[:, None]).mean(axis=1))
    return out


def ensemble(stage: Stage, profile: str) -> tuple[Attack, ...]:
    """Return the attacks to run: the fixed ones of the profile, and those for continuous tables where they apply."""
    chosen = tuple(attack for attack in ATTACKS if attack.is_quick or profile != "quick")
    if not is_continuous(stage.encoding):
        return chosen
    queries, rows = len(stage.panel.queries), len(stage.synthetic) + max(len(r) for r in stage.panel.references)
    if queries * rows * len(stage.encoding.columns) <= MOST_CELLS:
        chosen = (*chosen, Attack("linkage_surprisal", linkage_surprisal))
    if queries * rows <= MOST_PAIRS:
        chosen = (*chosen, Attack("gen_lra", gen_lra))
    return chosen


def is_continuous(encoding: Encoding) -> bool:
    """Tell whether more than half of the columns are numbers that hardly ever repeat."""
    many = [c.ranks is not None and c.card - 1 > MANY_VALUES * int(c.counts[:-1].sum()) for c in encoding.columns]
    return 2 * sum(many) > len(many)
