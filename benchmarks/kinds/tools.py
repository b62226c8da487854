"""What the makers share: choosing rows, columns and groups, and writing values back in a column's own type."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from .making import Context


def some(rows: int | np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Return a random share of row numbers, in order; ``rows`` is a count, a mask or the numbers themselves."""
    if isinstance(rows, int):
        pool = np.arange(rows)
    else:
        pool = np.flatnonzero(rows) if np.asarray(rows).dtype == bool else np.asarray(rows)
    return np.sort(rng.permutation(pool)[: round(min(1.0, share) * len(pool))])


def put(table: pd.DataFrame, column: str, rows: Any, values: Any) -> None:
    """Write values into rows of a column and keep its type."""
    old = table[column]
    new = old.to_numpy(copy=True)
    if pd.api.types.is_integer_dtype(old):
        values = np.rint(np.asarray(values, dtype=float))
    new[rows] = values
    table[column] = pd.Series(new, index=table.index, dtype=old.dtype)


def snapped(values: Any, like: pd.Series) -> np.ndarray:
    """Return the values, each moved to the nearest that occurs in a column; missing ones stay missing."""
    values = np.asarray(values, dtype=float)
    grid = np.unique(like.dropna().to_numpy(dtype=float))
    at = np.clip(np.searchsorted(grid, values), 1, len(grid) - 1)
    near = np.where(values - grid[at - 1] <= grid[at] - values, grid[at - 1], grid[at])
    return np.where(np.isnan(values), np.nan, near)


def floats(series: pd.Series) -> np.ndarray:
    """Return a copy of a column as floats, missing values as NaN."""
    return np.array(series.to_numpy(dtype=float, na_value=np.nan))


def rewrite(table: pd.DataFrame, column: str, rows: np.ndarray, values: np.ndarray, like: pd.Series) -> None:
    """Write numbers into rows of a column, each moved to the nearest value it has; missing ones stay as they are."""
    known = ~np.isnan(values) & table[column].notna().to_numpy()[rows]
    put(table, column, rows[known], snapped(values[known], like))


def exchange(table: pd.DataFrame, columns: Iterable[str], rows: np.ndarray, rng: np.random.Generator) -> None:
    """Exchange the values of columns among rows, all of them together."""
    order = rng.permutation(rows)
    for column in columns:
        put(table, column, rows, table[column].to_numpy()[order])


def copy_rows(table: pd.DataFrame, rows: np.ndarray, source: pd.DataFrame) -> None:
    """Write the columns of another table over rows of a table."""
    for column in source:
        put(table, column, rows, source[column].to_numpy())


def one_of(names: Sequence[Any], rng: np.random.Generator) -> Any:
    """Return one of the names, or None where there is none."""
    return names[int(rng.integers(len(names)))] if len(names) else None


def ranks(series: pd.Series) -> np.ndarray:
    """Return ranks between 0 and 1; NaN where a value is missing."""
    return np.asarray(series.rank(pct=True), dtype=float)


def levels(series: pd.Series, bins: int = 6, keep: int = 8) -> np.ndarray:
    """Return small whole numbers for a column: bins of numbers and dates, frequent categories; -1 where missing.

    A value that would fill a bin of a number alone has one of its own.
    """
    if pd.api.types.is_datetime64_any_dtype(series):
        series = series.astype("int64").where(series.notna())
    if pd.api.types.is_numeric_dtype(series) and not pd.api.types.is_bool_dtype(series) and series.nunique() > keep:
        usual = series.value_counts(normalize=True)
        if usual.iloc[0] <= 1 / bins:
            return np.asarray(pd.qcut(series, bins, labels=False, duplicates="drop").fillna(-1), dtype=int)
        at_usual = (series == usual.index[0]).to_numpy()
        rest = pd.qcut(series.mask(at_usual), bins - 1, labels=False, duplicates="drop").fillna(-1)
        return np.where(at_usual, bins, np.asarray(rest, dtype=int))
    top = list(series.value_counts().index[:keep])
    codes = series.map({value: at for at, value in enumerate(top)}).to_numpy(dtype=float, na_value=np.nan)
    return np.where(series.isna(), -1, np.where(np.isnan(codes), keep, codes)).astype(int)


def crossed(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the table of counts of two columns of codes."""
    rows, columns = (np.unique(side, return_inverse=True)[1] for side in (first, second))
    wide = columns.max() + 1
    return np.bincount(rows * wide + columns, minlength=(rows.max() + 1) * wide).reshape(-1, wide).astype(float)


def association(first: np.ndarray, second: np.ndarray) -> float:
    """Return Cramer's V of two columns of codes, corrected for chance."""
    counts = crossed(first, second)
    least = min(counts.shape) - 1
    if not least:
        return 0.0
    total = counts.sum()
    expected = np.outer(counts.sum(1), counts.sum(0)) / total
    found = ((counts - expected) ** 2 / expected).sum() / total
    chance = (counts.shape[0] - 1) * (counts.shape[1] - 1) / total
    return float(np.sqrt(max(0.0, found - chance) / least))


def partner(context: Context, column: str, among: Iterable[str] | None = None) -> tuple[float, str]:
    """Return the column that depends most on a column, with the strength."""
    fresh = context.fresh
    own = levels(fresh[column])
    others = [n for n in (fresh.columns if among is None else among) if n != column]
    return max(((association(own, levels(fresh[n])), n) for n in others), default=(0.0, ""))


def tied(context: Context, names: Iterable[str], least: float) -> tuple[str, str] | None:
    """Return the one of several columns that depends most on another, and that other; None below a strength."""
    best = max(((*partner(context, name), name) for name in names), default=(0.0, "", ""))
    return (best[2], best[1]) if best[0] >= least else None


def correlated(context: Context, least: float = 0.3) -> tuple[str, str] | None:
    """Return the two continuous numbers of the strongest rank correlation; None below a strength."""
    names = list(context.continuous)
    if len(names) < 2:
        return None
    table = context.fresh[names].rank().corr().abs().to_numpy(copy=True)
    table[np.isnan(table)] = 0
    np.fill_diagonal(table, 0)
    first, second = np.unravel_index(int(table.argmax()), table.shape)
    return (names[first], names[second]) if table[first, second] >= least else None


def group(
    context: Context, rng: np.random.Generator, low: float, high: float, avoid: Sequence[str] = ()
) -> tuple[str, np.ndarray] | None:
    """Return a category and the mask of one of its groups whose share is within bounds."""
    found = []
    for name in context.categories:
        if name != context.target and name not in avoid:
            shares = context.fresh[name].value_counts(normalize=True, dropna=False)
            found += [(name, value) for value, share in shares.items() if low <= share <= high and pd.notna(value)]
    picked = one_of(found, rng)
    return None if picked is None else (picked[0], (context.fresh[picked[0]] == picked[1]).to_numpy(dtype=bool))


def different(before: pd.Series, after: pd.Series) -> float:
    """Return the share of a column's values that would have to change to give the shares of another one."""
    sides = [side.value_counts(normalize=True) for side in (before, after)]
    return float(0.5 * sides[0].subtract(sides[1], fill_value=0).abs().sum())
