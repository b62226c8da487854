"""Leaks: rows of the training part that come back, changed enough not to be equal."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .making import Context, Spoiled, kind
from .numbers import whole
from .oracles import closer
from .tools import copy_rows, exchange, floats, one_of, put, rewrite, snapped, some


def _drawn(context: Context, share: float, rng: np.random.Generator) -> tuple[np.ndarray, pd.DataFrame]:
    """Return rows to write over, and as many different training rows."""
    rows = some(len(context.fresh), share, rng)
    rows = rows[: len(context.train)]
    picked = rng.permutation(len(context.train))[: len(rows)]
    return rows, context.train.iloc[picked].reset_index(drop=True)


def _back(context: Context, rows: np.ndarray, source: pd.DataFrame, *, exact: bool = False) -> Spoiled | None:
    """Return the fresh rows with others written over some; None where most of these are plain copies, if not wanted."""
    known = pd.util.hash_pandas_object(context.train, index=False)
    if not exact and pd.util.hash_pandas_object(source[list(context.train)], index=False).isin(known).mean() > 0.5:
        return None
    table = context.spoilable()
    copy_rows(table, rows, source)
    return Spoiled(table)


@kind("privacy", 0.03, 0.1, 0.4, oracle=closer)
def train_one_column_redrawn(context: Context, share: float, rng: np.random.Generator) -> Spoiled | None:
    """Copy training rows with one column exchanged among them.

    A filter for exact copies is passed, or a key is made new, and nothing else is.
    """
    rows, source = _drawn(context, share, rng)
    exchange(source, (one_of(list(source), rng),), np.arange(len(source)), rng)
    return _back(context, rows, source)


@kind("privacy", 0.04, 0.12, 0.4, oracle=closer)
def train_two_columns_redrawn(context: Context, share: float, rng: np.random.Generator) -> Spoiled | None:
    """Copy training rows, each with two columns of its own taken from another row.

    A generator that has overfitted, with some noise in what it decodes.
    """
    if len(context.fresh.columns) < 7:
        return None
    rows, source = _drawn(context, share, rng)
    names = list(source)
    for _ in range(2):
        column = rng.integers(len(names), size=len(source))
        for at, name in enumerate(names):
            exchange(source, (name,), np.flatnonzero(column == at), rng)
    return _back(context, rows, source)


@kind("privacy", 0.03, 0.1, 0.4, oracle=closer)
def train_numbers_noised(context: Context, share: float, rng: np.random.Generator) -> Spoiled | None:
    """Copy training rows with a little noise on each number.

    Anonymisation by noise that is too small.
    """
    if len(context.continuous) < 2:
        return None
    rows, source = _drawn(context, share, rng)
    for name in context.continuous:
        x = floats(source[name])
        noisy = x + rng.normal(0, 0.03 * np.nanstd(floats(context.train[name])), len(x))
        rewrite(source, name, np.arange(len(x)), noisy, context.train[name])
    return _back(context, rows, source)


@kind("privacy", 0.03, 0.1, 0.4, oracle=closer)
def train_numbers_made_coarse(context: Context, share: float, rng: np.random.Generator) -> Spoiled | None:
    """Copy training rows with each number rounded to two digits, or to fives where it has no more.

    Anonymisation by rounding: whoever knows a person's numbers finds the row.
    """
    if len(context.continuous) < 2:
        return None
    rows, source = _drawn(context, share, rng)
    for name in context.continuous:
        x = floats(source[name])
        digits = np.floor(np.log10(np.where(np.abs(x) > 0, np.abs(x), 1)))
        size = np.where((digits <= 1) & whole(context.train[name]), 5.0, 10.0 ** (digits - 1))
        known = np.flatnonzero(~np.isnan(x))
        put(source, name, known, snapped(np.round(x / size) * size, context.train[name])[known])
    return _back(context, rows, source)


@kind("privacy", 0.005, 0.02, 0.08, oracle=closer, least=(0.003, 0.015, 0.06))
def outliers_memorised(context: Context, share: float, rng: np.random.Generator) -> Spoiled | None:
    """Copy the training rows that are farthest out.

    What is rare is learned by heart: those who need protection most have the least.
    """
    if len(context.continuous) < 2:
        return None
    train = context.train[list(context.continuous)].astype(float)
    far = ((train - train.median()).abs() / train.std()).fillna(0).clip(upper=8).sum(axis=1).to_numpy()
    rows = some(len(context.fresh), share, rng)
    source = context.train.iloc[np.argsort(-far, kind="stable")[: len(rows)]]
    return _back(context, rows, source, exact=True)


@kind("privacy", (0.01, 0.03), (0.04, 0.12), (0.2, 0.5), oracle=closer, least=(0.008, 0.03, 0.15))
def group_memorised(context: Context, strength: tuple[float, float], rng: np.random.Generator) -> Spoiled | None:
    """Copy training rows of one group over the rows of that group.

    A group too small to learn from, and learned by heart. The group's share sets the strength.
    """
    fresh, train = context.fresh, context.train
    found = []
    for name in context.categories:
        shares = fresh[name].value_counts(normalize=True)
        found += [(name, value) for value, share in shares.items() if strength[0] <= share <= strength[1]]
    picked = one_of(found, rng)
    if picked is None:
        return None
    name, value = picked
    rows, source = np.flatnonzero(fresh[name] == value), np.flatnonzero(train[name] == value)
    count = min(len(rows), len(source))
    return _back(context, rng.permutation(rows)[:count], train.iloc[rng.permutation(source)[:count]], exact=True)


@kind("privacy", 0.04, 0.12, 0.5, oracle=closer)
def between_two_training_rows(context: Context, share: float, rng: np.random.Generator) -> Spoiled | None:
    """Put rows on the way from a training row to another one, near the first.

    Oversampling as SMOTE does it, called synthetic data.
    """
    if len(context.continuous) < 2:
        return None
    rows, source = _drawn(context, share, rng)
    other = context.train.iloc[rng.integers(len(context.train), size=len(rows))]
    way = rng.uniform(0.01, 0.12, len(rows))
    for name in context.continuous:
        x, y = floats(source[name]), floats(other[name])
        rewrite(source, name, np.arange(len(x)), x + way * (y - x), context.train[name])
    return _back(context, rows, source)


def _fingerprints(context: Context, table: pd.DataFrame, columns: tuple[str, ...]) -> bool:
    """Tell whether more rows than among the fresh ones have all numbers of a training row."""
    names = list(columns)
    known = pd.util.hash_pandas_object(context.train[names].astype(float), index=False)
    shares = [
        pd.util.hash_pandas_object(side[names].astype(float), index=False).isin(known).mean()
        for side in (context.fresh, table)
    ]
    return bool(shares[0] < 0.01 and shares[1] > shares[0] + 0.02)


@kind("privacy", 0.05, 0.15, 0.5, oracle=_fingerprints)
def numbers_of_a_training_row(context: Context, share: float, rng: np.random.Generator) -> Spoiled | None:
    """Write the numbers of the nearest training row over those of a row; its categories stay.

    A generator that draws categories anew and looks numbers up: together they are a fingerprint.
    """
    from sklearn.neighbors import KDTree

    names = list(context.continuous)
    if len(names) < 2:
        return None
    whole_train = np.flatnonzero(context.train[names].notna().all(axis=1).to_numpy())
    rows = some(context.fresh[names].notna().all(axis=1).to_numpy(), share, rng)
    if not len(rows) or not len(whole_train):
        return None
    train, fresh = (side[names].to_numpy(dtype=float) for side in (context.train, context.fresh))
    spread = train[whole_train].std(axis=0)
    found = KDTree(train[whole_train] / spread).query(fresh[rows] / spread, return_distance=False)[:, 0]
    table = context.spoilable()
    for name in names:
        put(table, name, rows, context.train[name].to_numpy()[whole_train[found]])
    return Spoiled(table, tuple(names))
