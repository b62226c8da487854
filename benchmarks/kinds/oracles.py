"""Tests that know what a kind of defect does: a defect which they do not see at once gets no label."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from .base import Context, changed_rows
from .tools import levels

CHANCE = 1e-6
"""A defect is there where chance would show so much no more often than this, all tests taken together."""
PROBE = 400
"""Rows whose nearest neighbours are sought."""


def seen(context: Context, table: pd.DataFrame, columns: tuple[str, ...]) -> bool:
    """Tell whether columns of a table, or their ties to others, differ from those of the fresh rows."""
    before = context.fresh
    both = pd.concat([before, table], ignore_index=True)
    side = np.repeat([0, 1], [len(before), len(table)])
    codes = {name: levels(both[name]) for name in before}
    pairs = [(a, b) for a in columns for b in before if a != b] if columns else list(combinations(before, 2))
    sets = [*((n,) for n in columns or before), *pairs]
    if len(columns) >= 3:
        sets.append(columns[:3])
    chances = [_homogeneous([codes[n] for n in names], side) for names in sets]
    chances += [_alike(before[n], table[n]) for n in columns or before]
    return min(chances) * len(chances) < CHANCE


def _homogeneous(codes: list[np.ndarray], side: np.ndarray) -> float:
    """Return the chance of such counts of combinations on two sides, were they of one source."""
    key = codes[0]
    for more in codes[1:]:
        key = key * 32 + more
    cells = np.unique(key, return_inverse=True)[1]
    counts = np.bincount(cells * 2 + side, minlength=2 * (cells.max() + 1)).reshape(-1, 2).astype(float)
    rare = counts.sum(1) < 20
    if rare.any():
        counts = np.vstack([counts[~rare], counts[rare].sum(0)])
    counts = counts[counts.sum(1) > 0]
    return float(stats.chi2_contingency(counts).pvalue) if len(counts) > 1 else 1.0


def _alike(before: pd.Series, after: pd.Series) -> float:
    """Return the chance of such a difference of two columns, value by value and as distributions."""
    values = pd.concat([before, after], ignore_index=True).astype(object)
    codes = pd.factorize(values)[0] + 1
    chance = _homogeneous([codes], np.repeat([0, 1], [len(before), len(after)]))
    if pd.api.types.is_numeric_dtype(before) and pd.api.types.is_numeric_dtype(after):
        chance = min(chance, float(stats.ks_2samp(before.dropna().astype(float), after.dropna().astype(float)).pvalue))
    return chance


def closer(context: Context, table: pd.DataFrame, columns: tuple[str, ...]) -> bool:
    """Tell whether the changed rows are nearer to training rows than fresh rows are."""
    changed = table[changed_rows(context.fresh, table)]
    if len(changed) < 10:
        return False
    copied, usual = (nearest(_probe(rows), context.train) for rows in (changed, context.fresh))
    return bool(
        np.median(copied) < np.quantile(usual, 0.05)
        and stats.ks_2samp(copied, usual, alternative="greater").pvalue < CHANCE
    )


def crowded(context: Context, table: pd.DataFrame, columns: tuple[str, ...]) -> bool:
    """Tell whether the rows of a table are nearer to each other than fresh rows are."""
    spoiled, usual = (nearest(_probe(rows), rows, own=True) for rows in (table, context.fresh))
    return bool(stats.ks_2samp(spoiled, usual, alternative="greater").pvalue < CHANCE)


def _probe(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.sample(min(PROBE, len(rows)), random_state=0)


def nearest(rows: pd.DataFrame, among: pd.DataFrame, *, own: bool = False) -> np.ndarray:
    """Return the distance of each row to the nearest of others: 1 for each column that is wholly different.

    With ``own`` the rows are some of the others, and a row is not its own neighbour.
    """
    total = np.zeros((len(rows), len(among)), dtype=np.float32)
    for name in among:
        if pd.api.types.is_numeric_dtype(among[name]) and among[name].nunique() > 12:
            grid = np.sort(among[name].dropna().to_numpy(dtype=float))
            left, right = (
                np.where(side.isna(), -1.0, np.searchsorted(grid, side.to_numpy(dtype=float, na_value=0)) / len(grid))
                for side in (rows[name], among[name])
            )
            total += np.minimum(1.0, np.abs(left[:, None] - right[None, :])).astype(np.float32)
        else:
            codes = pd.factorize(pd.concat([rows[name], among[name]], ignore_index=True).astype(object))[0]
            total += codes[: len(rows), None] != codes[None, len(rows) :]
    if own:
        place = {label: at for at, label in enumerate(among.index)}
        total[np.arange(len(rows)), [place[label] for label in rows.index]] = np.inf
    return np.asarray(total.min(axis=1))
