"""Rows as vectors: the metric of mixed columns, and vectors of bounded width that have it.

Squared distances add up the squared differences of pooled ranks (continuous columns) and one per mismatch
(discrete columns). Everything is fitted on the pooled rows of all sides, so that no side is favoured: swapping real and
holdout changes nothing. Ranks and orders by frequency are made here for whoever needs them.

There are two layouts of this one metric. Regions have centres, which are means of vectors, so they need the vectors
made here, in which the rarer of many levels share a place. The privacy attacks need exact values, each level
apart, with texts up to letter case and numbers up to rounding the same; their layout
(`synthgate.measures.privacy.encodings`) keeps codes and counts mismatches, at any number of levels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthgate.roles import Role
from synthgate.sample import Sample, SampleSide

Float32Array = NDArray[np.float32]

MAX_LEVELS = 48
HASH_BUCKETS = 16


@dataclass(frozen=True, slots=True)
class Ranked:
    """Numbers as codes that rise with them, and the rank of each code.

    Attributes
    ----------
    codes : int64 array
        The last code stands for missing.
    counts : int64 array, shape (codes,)
    ranks : float64 array, shape (codes,)
        Mid-rank over the known numbers, in [0, 1]; NaN for missing.
    """

    codes: NDArray[np.int64]
    counts: NDArray[np.int64]
    ranks: NDArray[np.float64]


def rank(values: NDArray[np.float64]) -> Ranked:
    """Return the codes and mid-ranks of numbers; NaN is missing.

    Examples
    --------
    >>> found = rank(np.array([3.0, 1.0, 3.0, np.nan]))
    >>> found.codes.tolist(), found.ranks[:2].round(3).tolist()
    ([1, 0, 1, 2], [0.167, 0.667])
    """
    missing = np.isnan(values)
    distinct, place = np.unique(values[~missing], return_inverse=True)
    codes = np.full(len(values), len(distinct), np.int64)
    codes[~missing] = place
    counts = np.bincount(codes, minlength=len(distinct) + 1)
    known = counts[:-1]
    ranks = np.append((np.cumsum(known) - known / 2) / max(1, int(known.sum())), np.nan)
    return Ranked(codes, counts, ranks)


def frequency_order(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return each code's place by falling frequency, the first of equally frequent ones first."""
    order = np.empty(len(counts), np.int64)
    order[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return order


@dataclass(frozen=True, slots=True)
class Vectors:
    """The rows of each side as float32 vectors: ranks in [0, 1], and one-hot codes over sqrt 2."""

    sides: Mapping[str, Float32Array]
    columns: tuple[str, ...]


def sides_of(sample: Sample) -> dict[str, SampleSide]:
    """Return the sides of a sample, by name."""
    sides = {"real": sample.real, "synthetic": sample.synthetic}
    return {**sides, "holdout": sample.holdout} if sample.holdout is not None else sides


def vectors(sample: Sample) -> Vectors:
    """Return the rows of every side as vectors; ids and free text are left out."""
    return sample.derive("vectors", _make)


def _make(sample: Sample) -> Vectors:
    sides = sides_of(sample)
    parts: dict[str, list[Float32Array]] = {name: [] for name in sides}
    used = []
    for column, role in sample.roles.items():
        if role in (Role.ID, Role.TEXT):
            continue
        arrays = {name: side.columns[column] for name, side in sides.items()}
        if role is Role.VECTOR:
            coded = _standardised(arrays)
        elif role.is_continuous:
            coded = ranked(arrays)
        else:
            coded = one_hot(arrays, len(sample.dictionaries[column]))
        if coded is None:
            continue
        used.append(column)
        for name, block in coded.items():
            parts[name].append(block)
    empty = {name: np.empty((side.rows, 0), np.float32) for name, side in sides.items()}
    return Vectors({n: np.concatenate(p, axis=1) if p else empty[n] for n, p in parts.items()}, tuple(used))


def ranked(arrays: Mapping[str, NDArray[np.float64]]) -> dict[str, Float32Array] | None:
    """Return mid-ranks in the pool, in [0, 1], with an indicator of missing values where there are any."""
    found = rank(np.concatenate(list(arrays.values())))
    missing = found.codes == len(found.counts) - 1
    if np.count_nonzero(found.counts) < 2 or not found.counts[:-1].any():
        return None
    columns = [np.nan_to_num(found.ranks, nan=0.5)[found.codes]]
    if missing.any():
        columns.append(missing.astype(np.float64))
    block = np.stack(columns, axis=1).astype(np.float32)
    ends = np.cumsum([len(values) for values in arrays.values()])[:-1]
    return dict(zip(arrays, np.split(block, ends), strict=True))


def one_hot(arrays: Mapping[str, NDArray[np.int32]], levels: int) -> dict[str, Float32Array] | None:
    """Return one-hot codes over sqrt 2; the rarer of many levels share hashed buckets."""
    pool = np.concatenate(list(arrays.values()))
    counts = np.bincount(pool + 1, minlength=levels + 1)
    if (counts > 0).sum() < 2:
        return None
    place = np.arange(levels + 1)
    width = levels + 1
    if width > MAX_LEVELS + HASH_BUCKETS:
        order = frequency_order(counts)
        shared = MAX_LEVELS + (np.arange(levels + 1) * 2654435761 % 2**32) % HASH_BUCKETS
        place = np.where(order < MAX_LEVELS, order, shared)
        width = MAX_LEVELS + HASH_BUCKETS
    out = {}
    for name, codes in arrays.items():
        block = np.zeros((len(codes), width), np.float32)
        block[np.arange(len(codes)), place[codes + 1]] = np.sqrt(0.5)
        out[name] = block
    return out


def _standardised(arrays: Mapping[str, Float32Array]) -> dict[str, Float32Array] | None:
    if len({a.shape[1] for a in arrays.values()}) != 1:
        return None
    pool = np.concatenate(list(arrays.values()))
    mean, spread = np.nanmean(pool, axis=0), np.nanstd(pool, axis=0)
    spread = np.where(spread > 0, spread, 1.0) * np.sqrt(12)
    return {name: np.nan_to_num((a - mean) / spread).astype(np.float32) for name, a in arrays.items()}
