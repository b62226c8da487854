"""Accuracy as mostlyai-qa 1.10 defines it, under its name, for people who know its figures. Shown, never judged.

The original is real and holdout together. Numbers and dates are cut at up to ten quantiles of the
original, categories are its ten most frequent ones (at least five rows each), what is missing, empty or other
has a bin of its own. Accuracy is one minus the total variation distance, averaged over all columns
(univariate), pairs (bivariate) and triples (trivariate); the overall accuracy is the mean of the three.
Here, ids, free text and vectors take no part, and the triples that are too many are left to a seeded draw.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from math import comb, pi
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synthgate.encoding import sides_of
from synthgate.findings import Estimate, Measured
from synthgate.roles import Role
from synthgate.statistics.distances import FloatArray, IntArray, total_variations
from synthgate.statistics.intervals import z_value

if TYPE_CHECKING:
    from synthgate.evidence import Evidence

Codes = NDArray[np.intp]

BINS = 10
LEVELS = BINS + 4
MIN_CATEGORY = 5
MOST_QUANTILES = 1000
MOST_DIGITS = 20
MAX_ROWS = 25_000
ROW_TABLES, MOST_TABLES = 35_000_000, 1_500
CHUNK = 200
EMPTY, RARE = "", "_RARE_"
NAMES = {1: "accuracy_univariate", 2: "accuracy_bivariate", 3: "accuracy_trivariate"}


def findings(evidence: Evidence) -> list[Measured]:
    """Return the accuracies of single columns, pairs and triples, and their mean."""
    rng = evidence.sample.rng("fidelity.accuracy")
    original, synthetic = _binned(evidence, rng)
    parts = {size: _accuracy(original, synthetic, size, rng) for size in NAMES if len(original) >= size}
    if not parts:
        return []
    shown = [_shown(NAMES[size], estimate, words) for size, (estimate, words) in parts.items()]
    every = [estimate for estimate, _ in parts.values()]
    overall = Estimate(
        value=_mean([e.value for e in every]),
        low=_mean([e.low for e in every]),
        high=_mean([e.high for e in every]),
        method=every[0].method,
        ceiling=_mean([e.ceiling or 1.0 for e in every]),
    )
    return [_shown("accuracy", overall, "the mean of the univariate, bivariate and trivariate accuracy"), *shown]


NOUNS = {1: "columns", 2: "pairs", 3: "triples"}


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _shown(metric: str, estimate: Estimate, words: str) -> Measured:
    message = (
        f"{metric.replace('_', ' ')} {estimate.value:.3f} as in mostlyai-qa, which calls {estimate.ceiling or 1.0:.3f} "
        f"the greatest that sampling allows ({words}); shown, not judged"
    )
    return Measured(metric=metric, message=message, estimate=estimate, judged=False)


def _binned(evidence: Evidence, rng: np.random.Generator) -> tuple[list[Codes], list[Codes]]:
    """Return the bins of every column's rows: original (real and holdout), and synthetic."""
    sample = evidence.sample
    sides = sides_of(sample)
    most = {name: min(side.rows, MAX_ROWS) for name, side in sides.items()}
    rows = {name: np.sort(rng.choice(side.rows, most[name], replace=False)) for name, side in sides.items()}
    original, synthetic = [], []
    for name, role in sample.roles.items():
        if role in (Role.ID, Role.TEXT, Role.VECTOR):
            continue
        columns = {side: data.columns[name][rows[side]] for side, data in sides.items()}
        numeric = evidence.plan[name].kind in ("integer", "float")
        if role.is_discrete and not numeric:
            coded = bin_labels_of(columns, sample.dictionaries[name])
        else:
            values = columns if role.is_continuous else _as_numbers(columns, sample.dictionaries[name])
            coded = bin_numbers(values)
        original.append(np.concatenate([coded[side] for side in coded if side != "synthetic"]))
        synthetic.append(coded["synthetic"])
    return original, synthetic


def _as_numbers(columns: Mapping[str, NDArray[Any]], labels: tuple[str, ...]) -> dict[str, FloatArray]:
    """Return numbers that are read as categories as numbers again; other text becomes missing."""
    known = np.full(len(labels) + 1, np.nan)
    for at, label in enumerate(labels):
        try:
            known[at] = float(label)
        except ValueError:
            continue
    return {side: known[codes] for side, codes in columns.items()}


def bin_labels_of(columns: Mapping[str, NDArray[np.int32]], labels: tuple[str, ...]) -> dict[str, Codes]:
    """Return the bins of categories: the ten most frequent of the original, empty, rare, other, missing."""
    counts = np.zeros(len(labels) + 1, np.int64)
    for side, codes in columns.items():
        if side != "synthetic":
            counts += np.bincount(codes + 1, minlength=len(labels) + 1)
    # missing values compete for the ten places, as they do there
    order = np.argsort(-counts, kind="stable")[:BINS]
    place = np.full(len(labels) + 1, LEVELS - 2, np.intp)
    for text, code in ((EMPTY, LEVELS - 4), (RARE, LEVELS - 3)):
        if text in labels:
            place[labels.index(text) + 1] = code
    for at, label in enumerate(order):
        if counts[label] >= MIN_CATEGORY and place[label] == LEVELS - 2:
            place[label] = at
    place[0] = LEVELS - 1
    return {side: place[codes + 1] for side, codes in columns.items()}


def bin_numbers(columns: Mapping[str, FloatArray]) -> dict[str, Codes]:
    """Return the bins of numbers: up to ten quantiles of the original, and one for missing values."""
    known = np.concatenate([values for side, values in columns.items() if side != "synthetic"])
    breaks = quantile_breaks(known[~np.isnan(known)])
    coded = {}
    for side, values in columns.items():
        missing = np.isnan(values)
        inside = np.clip(np.where(missing, 0.0, values), breaks[0], breaks[-1])
        place = np.searchsorted(breaks[1:-1], inside, side="right").astype(np.intp)
        coded[side] = np.where(missing, LEVELS - 1, place)
    return coded


def quantile_breaks(values: FloatArray) -> FloatArray:
    """Return rising breaks: every value where there are at most ten, else the least and greatest and nine between.

    Quantiles are taken ever finer until eleven of them differ; all but the last are rounded down to the
    fewest decimals that keep them apart.
    """
    ordered = np.sort(values)
    distinct = np.unique(ordered)
    if len(distinct) == 0:
        return np.array([-1e10, 1e10])
    if len(distinct) <= BINS:
        return np.append(distinct, distinct[-1] + 1)
    breaks = distinct[:1]
    for n in range(BINS, max(BINS + 1, min(MOST_QUANTILES, len(ordered) + 1))):
        breaks = np.unique(ordered[np.linspace(0, len(ordered) - 1, n).astype(int)])
        if len(breaks) > BINS:
            break
    for digits in range(MOST_DIGITS):
        with np.errstate(over="ignore", invalid="ignore"):
            floored = np.floor(breaks * 10.0**digits) / 10.0**digits
        if np.isfinite(floored).all() and len(np.unique(floored)) == len(breaks):
            return np.append(floored[:-1], breaks[-1])
    return breaks


def _accuracy(
    original: list[Codes], synthetic: list[Codes], size: int, rng: np.random.Generator
) -> tuple[Estimate, str]:
    """Return the mean accuracy over all sets of `size` columns, or as many as are affordable."""
    n, m = len(original[0]), len(synthetic[0])
    every, most = comb(len(original), size), min(MOST_TABLES, max(100, ROW_TABLES // max(1, n + m)))
    sets = list(combinations(range(len(original)), size)) if every <= most else _drawn(len(original), size, most, rng)
    shape = (LEVELS,) * size
    sums = np.zeros(3)
    for start in range(0, len(sets), CHUNK):
        chunk = sets[start : start + CHUNK]
        known, found = (_tables(side, chunk, shape) for side in (original, synthetic))
        distance, error = total_variations(known, found)
        p = known / n
        noise = 0.5 * np.sqrt(2 / pi * p * (1 - p) * (1 / n + 1 / m)).sum(axis=1)
        sums += [distance.sum(), error.sum(), noise.sum()]
    distance, error, noise = sums / len(sets)
    half = z_value() * float(error)
    estimate = Estimate(
        value=1 - float(distance),
        low=max(0.0, 1 - float(distance) - half),
        high=min(1.0, 1 - float(distance) + half),
        method="mean of the parts' intervals, 95 %",
        ceiling=1 - float(noise),
    )
    return estimate, f"{len(sets):,} of {every:,} {NOUNS[size]}" if len(
        sets
    ) < every else f"all {every:,} {NOUNS[size]}"


def _drawn(columns: int, size: int, most: int, rng: np.random.Generator) -> list[tuple[int, ...]]:
    """Return `most` random sets of `size` columns, in order."""
    sets: set[tuple[int, ...]] = set()
    while len(sets) < most:
        drawn = np.argpartition(rng.random((most, columns)), size, axis=1)[:, :size]
        sets.update(tuple(sorted(row)) for row in drawn.tolist())
    found = sorted(sets)
    return sorted(found[k] for k in rng.choice(len(found), most, replace=False))


def _tables(columns: list[Codes], sets: list[tuple[int, ...]], shape: tuple[int, ...]) -> IntArray:
    cells = int(np.prod(shape))
    out = np.empty((len(sets), cells), np.int64)
    before: tuple[int, ...] | None = None
    for at, chosen in enumerate(sets):
        if before is None or chosen[:-1] != before:
            before = chosen[:-1]
            code: Codes | int = 0
            for k in before:
                code = (code + columns[k]) * LEVELS
        out[at] = np.bincount(code + columns[chosen[-1]], minlength=cells)
    return out
