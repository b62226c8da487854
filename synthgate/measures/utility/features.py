"""Features: columns as models read them, coded by what the training rows show and nothing else.

One fitted :class:`Encoder` gives two views of the same rows: a dense, scaled matrix for linear
models, and raw values with level codes for trees. Levels that training never saw, and
values that are missing, have a place in both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from synthgate.roles import Role

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Columns: TypeAlias = "Mapping[str, NDArray[Any]]"

MAX_LEVELS = 40
MAX_WIDTH = 400
QUANTILES = 200
FAR = 6.0
LARGEST = 1e150
BEYOND = 1e6
TEXT_BUCKETS = 128
VECTOR_PARTS = 64


@dataclass(frozen=True, slots=True)
class NumberCode:
    """A continuous column: scaled value and rank among the training rows.

    Attributes
    ----------
    unit : float
        Largest absolute value in training, which keeps squares finite; never so small that dividing overflows.
    steps : float64 array
        Sorted training values (quantiles of them when many), in units.
    gaps : bool
        Whether values were missing in training.
    """

    unit: float
    mean: float
    spread: float
    steps: FloatArray
    gaps: bool

    is_categorical = False

    def linear(self, values: NDArray[Any]) -> FloatArray:
        """Return scaled value, centred rank and, where training had gaps, whether the value is missing."""
        scaled = np.clip(finite(values) / self.unit, -BEYOND, BEYOND)
        near = np.clip((scaled - self.mean) / self.spread, -FAR, FAR)
        missing = np.isnan(scaled)
        below, upto = np.searchsorted(self.steps, scaled, "left"), np.searchsorted(self.steps, scaled, "right")
        rank = ((below + upto) / (2 * len(self.steps)) - 0.5) * np.sqrt(12)
        parts = [np.where(missing, 0.0, near), np.where(missing, 0.0, rank)]
        return np.column_stack([*parts, missing] if self.gaps else parts)

    def tree(self, values: NDArray[Any]) -> FloatArray:
        """Return the values themselves, NaN for missing."""
        return finite(values)[:, None]


@dataclass(frozen=True, slots=True)
class LevelCode:
    """A discrete column: ``place[code]`` is the level's number, -1 where training never saw it.

    The most frequent levels have a number each and the others share one; missing values count as a level.
    """

    place: IntArray
    width: int

    is_categorical = True

    def linear(self, values: NDArray[Any]) -> FloatArray:
        """Return one-hot codes; all zero for a level that training never saw."""
        at = self.place[values.astype(np.int64) + 1]
        block = np.zeros((len(at), self.width))
        known = at >= 0
        block[np.flatnonzero(known), at[known]] = 1.0
        return block

    def tree(self, values: NDArray[Any]) -> FloatArray:
        """Return the level's number, NaN for a level that training never saw."""
        at = self.place[values.astype(np.int64) + 1].astype(np.float64)
        return np.where(at < 0, np.nan, at)[:, None]


@dataclass(frozen=True, slots=True)
class BlockCode:
    """A text or vector column as several numbers a row; `table` holds them per text."""

    mean: FloatArray
    spread: FloatArray
    table: NDArray[np.float32] | None

    is_categorical = False

    def linear(self, values: NDArray[Any]) -> FloatArray:
        """Return the scaled block."""
        scaled = np.clip((self.tree(values) - self.mean) / self.spread, -FAR, FAR)
        return np.nan_to_num(scaled)

    def tree(self, values: NDArray[Any]) -> FloatArray:
        """Return the block itself."""
        if self.table is not None:
            return self.table[values.astype(np.int64) + 1].astype(np.float64)
        return finite(values[:, :VECTOR_PARTS])


Code: TypeAlias = "NumberCode | LevelCode | BlockCode"


@dataclass(frozen=True, slots=True)
class Encoder:
    """The codes of the columns that vary in training."""

    codes: Mapping[str, Code]

    def linear(self, columns: Columns) -> FloatArray:
        """Return the rows as a dense matrix for linear models."""
        return _stack([code.linear(columns[name]) for name, code in self.codes.items()], columns)

    def tree(self, columns: Columns) -> FloatArray:
        """Return the rows as a matrix for trees; see :meth:`categorical`."""
        return _stack([code.tree(columns[name]) for name, code in self.codes.items()], columns)

    def of_part(self, columns: Columns) -> Encoder:
        """Return the encoder for a part of the training rows: its own rows say which levels have a number of their own.

        Which levels are frequent enough is luck of the training rows as well: a model trained on others would pool
        others.
        """
        codes = dict(self.codes)
        for name, code in self.codes.items():
            own = _levels(columns[name], len(code.place) - 1, code.width) if isinstance(code, LevelCode) else None
            codes[name] = own or code
        return Encoder(codes)

    def categorical(self, columns: Columns) -> NDArray[np.bool_]:
        """Tell which columns of :meth:`tree` hold level numbers."""
        widths = [(code.tree(columns[name][:1]).shape[1], code.is_categorical) for name, code in self.codes.items()]
        return np.repeat([is_level for _, is_level in widths], [width for width, _ in widths]).astype(np.bool_)


def _stack(blocks: Sequence[FloatArray], columns: Columns) -> FloatArray:
    if blocks:
        return np.concatenate(blocks, axis=1)
    return np.empty((len(next(iter(columns.values()), ())), 0))


def finite(values: NDArray[Any]) -> FloatArray:
    """Return the values with infinities and absurdly large ones drawn in, so that sums of squares stay finite."""
    return np.clip(values.astype(np.float64), -LARGEST, LARGEST)


def fit_encoder(columns: Columns, roles: Mapping[str, Role], dictionaries: Mapping[str, Sequence[str]]) -> Encoder:
    """Code the columns by what the training rows show; columns that do not vary there are left out.

    Parameters
    ----------
    columns : dict of array
        The training rows' columns, as in :class:`~synthgate.sample.SampleSide`.
    """
    levels = min(MAX_LEVELS, max(2, MAX_WIDTH // max(1, sum(roles[name].is_discrete for name in columns))))
    codes: dict[str, Code] = {}
    for name, values in columns.items():
        role = roles[name]
        code: Code | None
        if role.is_continuous:
            code = _number(values)
        elif role.is_discrete:
            code = _levels(values, len(dictionaries[name]), levels)
        else:
            code = _block(values, text_table(dictionaries[name]) if role is not Role.VECTOR else None)
        if code is not None:
            codes[name] = code
    return Encoder(codes)


def _number(values: NDArray[Any]) -> NumberCode | None:
    known = finite(values)
    known = known[~np.isnan(known)]
    gaps = len(known) < len(values)
    if not len(known) or (known.min() == known.max() and not gaps):
        return None
    unit = max(float(np.abs(known).max()), 1 / LARGEST)
    scaled = np.sort(known / unit)
    spread = float(scaled.std())
    if len(scaled) > QUANTILES:
        scaled = scaled[np.linspace(0, len(scaled) - 1, QUANTILES).astype(int)]
    return NumberCode(unit, float((known / unit).mean()), spread if spread > 0 else 1.0, scaled, gaps)


def _levels(values: NDArray[Any], size: int, most: int) -> LevelCode | None:
    counts = np.bincount(values.astype(np.int64) + 1, minlength=size + 1)
    seen = np.flatnonzero(counts)
    if len(seen) < 2:
        return None
    order = seen[np.argsort(-counts[seen], kind="stable")]
    place = np.full(size + 1, -1, np.int64)
    place[order] = np.minimum(np.arange(len(order)), most - 1)
    return LevelCode(place, min(len(order), most))


def _block(values: NDArray[Any], table: NDArray[np.float32] | None) -> BlockCode | None:
    rows = BlockCode(np.zeros(1), np.ones(1), table).tree(values)
    if not len(rows) or rows.shape[1] == 0:
        return None
    known = np.where(np.isnan(rows), 0.0, rows) / LARGEST**0.5
    mean, spread = known.mean(axis=0) * LARGEST**0.5, known.std(axis=0) * LARGEST**0.5
    if not (spread > 0).any():
        return None
    return BlockCode(mean, np.where(spread > 0, spread, 1.0), table)


def text_table(texts: Sequence[str]) -> NDArray[np.float32]:
    """Return the hashed words of each text, its vector of length one; the first row stands for missing."""
    from sklearn.feature_extraction.text import HashingVectorizer

    hashed = HashingVectorizer(n_features=TEXT_BUCKETS, alternate_sign=False)
    rows = hashed.transform(texts).toarray() if len(texts) else np.empty((0, TEXT_BUCKETS))
    return np.vstack([np.zeros(TEXT_BUCKETS), rows]).astype(np.float32)


def group_codes(values: NDArray[Any]) -> IntArray:
    """Return one whole number per distinct value, missing values being one of them."""
    _, codes = np.unique(values, return_inverse=True)
    return codes.astype(np.int64)


def mid_ranks(values: NDArray[Any]) -> FloatArray:
    """Return ranks in (0, 1), ties sharing their mean; missing values rank highest, together."""
    _, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2
    return np.asarray(middle[codes] / max(1, len(values)), np.float64)


def strongest(columns: Columns, roles: Mapping[str, Role], outcome: FloatArray, most: int) -> list[str]:
    """Return the `most` columns that tell most about the outcome, each on its own, in their given order.

    The share of the outcome's variance between ten groups of the column (correlation ratio,
    Pearson 1905).

    Parameters
    ----------
    outcome : float64 array, shape (rows, parts)
        Class indicators, or one column of ranks.
    """
    tell = partial(_correlation_ratio, outcome=outcome - outcome.mean(axis=0))
    shares = {name: tell(_ten_groups(values, roles[name])) for name, values in columns.items()}
    kept = set(sorted(shares, key=lambda name: -shares[name])[:most])
    return [name for name in columns if name in kept]


def _ten_groups(values: NDArray[Any], role: Role) -> IntArray:
    if role.is_continuous:
        return np.where(np.isnan(values), 10, np.minimum(9, mid_ranks(values) * 10)).astype(np.int64)
    if values.ndim > 1:
        return _ten_groups(values[:, 0], Role.NUMERICAL)
    codes = values.astype(np.int64) + 1
    counts = np.bincount(codes)
    place = np.full(len(counts), 9)
    top = np.argsort(-counts, kind="stable")[:9]
    place[top] = np.arange(len(top))
    return place[codes]


def _correlation_ratio(groups: IntArray, outcome: FloatArray) -> float:
    counts = np.maximum(1, np.bincount(groups, minlength=11))
    between = 0.0
    for part in outcome.T:
        sums = np.bincount(groups, weights=part, minlength=11)
        between += float((sums**2 / counts).sum())
    total = float((outcome**2).sum())
    return between / total if total > 0 else 0.0
