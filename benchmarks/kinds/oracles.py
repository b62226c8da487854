"""Tests that know what a kind of defect does: a defect which they do not see at once gets no label."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
from scipy import stats

from .making import Context, changed_rows
from .tools import levels

CHANCE = 1e-6
"""A defect is there where chance would show so much no more often than this, all tests taken together."""
PROBE = 1200
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
    side = np.repeat([0, 1], [len(before), len(after)])
    chance = min(_homogeneous([codes], side), _one_value(codes, side))
    if pd.api.types.is_numeric_dtype(before) and pd.api.types.is_numeric_dtype(after):
        chance = min(
            chance,
            float(stats.ks_2samp(before.dropna().astype(float), after.dropna().astype(float), method="asymp").pvalue),
        )
    return chance


def _one_value(codes: np.ndarray, side: np.ndarray) -> float:
    """Return the chance of the greatest difference of a single value's share, all values taken together."""
    counts = np.bincount(codes * 2 + side, minlength=2 * (codes.max() + 1)).reshape(-1, 2).astype(float)
    counts = counts[counts.sum(1) >= 20]
    total = np.bincount(side).astype(float)
    both = counts.sum(1) / total.sum()
    spread = np.sqrt(both * (1 - both) * (1 / total).sum())
    different = np.abs(counts[:, 0] / total[0] - counts[:, 1] / total[1]) / np.where(spread > 0, spread, 1)
    return float(min(1.0, 2 * stats.norm.sf(different.max()) * len(counts))) if len(counts) else 1.0


def closer(context: Context, table: pd.DataFrame, columns: tuple[str, ...]) -> bool:
    """Tell whether the changed rows are nearer to training rows than fresh rows are."""
    changed = table[changed_rows(context.fresh, table)]
    if len(changed) < 10:
        return False
    copied, usual = (nearest(_probe(rows), context.train) for rows in (changed, context.fresh))
    return bool(
        np.median(copied) < np.quantile(usual, 0.05)
        and stats.ks_2samp(copied, usual, alternative="greater", method="asymp").pvalue < CHANCE
    )


def crowded(context: Context, table: pd.DataFrame, columns: tuple[str, ...]) -> bool:
    """Tell whether the rows of a table are nearer to each other than fresh rows are."""
    spoiled, usual = (nearest(_probe(rows), rows, own=True) for rows in (table, context.fresh))
    near = [(side <= np.quantile(usual, 0.05)).sum() for side in (spoiled, usual)]
    counts = np.array([[near[0], len(spoiled) - near[0]], [near[1], len(usual) - near[1]]])
    chance = stats.fisher_exact(counts, alternative="greater").pvalue
    return bool(min(chance, stats.ks_2samp(spoiled, usual, alternative="greater", method="asymp").pvalue) < CHANCE / 2)


def outside(context: Context, table: pd.DataFrame, columns: tuple[str, ...]) -> bool:
    """Tell whether a column has values beyond any that it has in real rows."""
    name = columns[0]
    real = pd.concat([context.train[name], context.holdout[name], context.fresh[name]])
    return bool(((table[name] < real.min()) | (table[name] > real.max())).mean() >= 0.008)


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
