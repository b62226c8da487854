"""Rows as vectors: one encoding of mixed columns for everything that needs distances.

Fitted on the pooled rows of all sides, so that no side is favoured: swapping real and
holdout changes nothing.
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
class Vectors:
    """The rows of each side as float32 vectors.

    Squared distances add up the squared differences of pooled ranks in [0, 1] (continuous columns)
    and one per mismatch (discrete columns: one-hot over sqrt 2).
    """

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
    pool = np.concatenate(list(arrays.values()))
    known = np.sort(pool[~np.isnan(pool)])
    if not len(known) or (known[0] == known[-1] and len(known) == len(pool)):
        return None
    out = {}
    for name, values in arrays.items():
        below, upto = np.searchsorted(known, values, "left"), np.searchsorted(known, values, "right")
        missing = np.isnan(values)
        rank = np.where(missing, 0.5, (below + upto) / (2 * len(known)))
        block = [rank, missing.astype(np.float64)] if len(known) < len(pool) else [rank]
        out[name] = np.stack(block, axis=1).astype(np.float32)
    return out


def one_hot(arrays: Mapping[str, NDArray[np.int32]], levels: int) -> dict[str, Float32Array] | None:
    """Return one-hot codes over sqrt 2; the rarer of many levels share hashed buckets."""
    pool = np.concatenate(list(arrays.values()))
    counts = np.bincount(pool + 1, minlength=levels + 1)
    if (counts > 0).sum() < 2:
        return None
    place = np.arange(levels + 1)
    width = levels + 1
    if width > MAX_LEVELS + HASH_BUCKETS:
        order = np.argsort(-counts, kind="stable")
        place = MAX_LEVELS + (np.arange(levels + 1) * 2654435761 % 2**32) % HASH_BUCKETS
        place[order[:MAX_LEVELS]] = np.arange(MAX_LEVELS)
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
