"""Defects of one number: its distribution, its grid and its range."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from .making import Context, Spoiled, kind
from .oracles import outside
from .tools import floats, one_of, partner, put, ranks, rewrite, snapped, some

Strength = tuple[float, float]


def distance(before: pd.Series, after: pd.Series) -> float:
    """Return the Kolmogorov-Smirnov distance of two columns."""
    return float(stats.ks_2samp(before.dropna().astype(float), after.dropna().astype(float), method="asymp").statistic)


def _rewritten(context: Context, name: str, values: np.ndarray, *, least: float = 0.0) -> Spoiled | None:
    """Return the fresh rows with a whole number column rewritten on its grid, where that moves it far enough."""
    table = context.spoilable()
    rewrite(table, name, np.arange(len(table)), values, context.fresh[name])
    return Spoiled(table, (name,)) if distance(context.fresh[name], table[name]) >= least else None


def whole(series: pd.Series) -> bool:
    """Tell whether a column of numbers has whole numbers only."""
    known = series.dropna().to_numpy(dtype=float)
    return bool(len(known)) and bool((known == np.rint(known)).all())


@kind("fidelity", (1.12, 0.03), (1.35, 0.1), (2.2, 0.25))
def warped(context: Context, strength: Strength, rng: np.random.Generator) -> Spoiled | None:
    """Warp a number by a power of its place in its range.

    A wrong inverse of a power or Box-Cox transform does so; ranks, ties to others and range stay right.
    """
    name = one_of(context.continuous, rng)
    if name is None:
        return None
    x = floats(context.fresh[name])
    low, wide = np.nanmin(x), np.nanmax(x) - np.nanmin(x)
    return _rewritten(context, name, low + wide * ((x - low) / wide) ** strength[0], least=strength[1])


@kind("fidelity coverage", (0.9, 0.0), (0.75, 0.05), (0.4, 0.12))
def shrunk_to_the_mean(context: Context, strength: Strength, rng: np.random.Generator) -> Spoiled | None:
    """Pull a number towards its mean: too little variance.

    Models trained for squared error, and decoders that give the mean of what they expect, do so.
    """
    name = one_of(context.continuous, rng)
    if name is None:
        return None
    x = floats(context.fresh[name])
    return _rewritten(context, name, np.nanmean(x) + strength[0] * (x - np.nanmean(x)), least=strength[1])


@kind("coverage fidelity schema", (0.015, 0.01), (0.06, 0.04), (0.2, 0.12))
def tail_wrapped(context: Context, strength: Strength, rng: np.random.Generator) -> Spoiled | None:
    """Let the upper tail of a number come out at its low end.

    An integer that overflows, or a modulus, does so.
    """
    name = one_of(context.continuous, rng)
    if name is None:
        return None
    x = floats(context.fresh[name])
    top = np.nanquantile(x, 1 - strength[0])
    return _rewritten(context, name, np.where(x > top, np.nanmin(x) + (x - top), x), least=strength[1])


@kind("fidelity coverage schema", 0.015, 0.06, 0.3)
def zeros_put_in(context: Context, share: float, rng: np.random.Generator) -> Spoiled | None:
    """Write 0 over some values of a number that is hardly ever 0.

    Missing values filled with 0 before training look so.
    """
    fresh = context.fresh
    name = one_of([n for n in context.continuous if fresh[n].min() >= 0 and (fresh[n] == 0).mean() < 0.02], rng)
    if name is None:
        return None
    table = context.spoilable()
    put(table, name, some(fresh[name].notna().to_numpy(), share, rng), 0)
    return Spoiled(table, (name,))


@kind("fidelity", 0.05, 0.2, 1.0)
def logged(context: Context, share: float, rng: np.random.Generator) -> Spoiled | None:
    """Give the logarithm of a number in some rows.

    A transform that was not undone, or undone in some batches only.
    """
    fresh = context.fresh
    name = one_of([n for n in context.continuous if fresh[n].min() >= 0 and fresh[n].median() >= 20], rng)
    if name is None:
        return None
    table = context.spoilable()
    rows = some(fresh[name].notna().to_numpy(), share, rng)
    values = np.log1p(floats(fresh[name])[rows])
    put(table, name, rows, np.rint(values) if whole(fresh[name]) else np.round(values, 4))
    return Spoiled(table, (name,))


@kind("coverage fidelity", 0.04, 0.12, 0.35)
def range_hole(context: Context, share: float, rng: np.random.Generator) -> Spoiled | None:
    """Leave a middle stretch of a number empty; what was in it goes to its ends.

    A mode that a GAN has lost.
    """
    name = one_of(context.continuous, rng)
    if name is None:
        return None
    x = floats(context.fresh[name])
    start = rng.uniform(0.25, 0.5)
    low, high = np.nanquantile(x, [start, start + share])
    inside = (x > low) & (x < high)
    if inside.mean() < share / 3:
        return None
    return _rewritten(context, name, np.where(inside, np.where(rng.random(len(x)) < 0.5, low, high), x))


@kind("fidelity coverage", (0.2, 0.0), (0.5, 0.04), (1.2, 0.1))
def blurred(context: Context, strength: Strength, rng: np.random.Generator) -> Spoiled | None:
    """Add noise to a number that scales with its spread.

    A variational autoencoder with a wide decoder, or a kernel density of too wide a kernel.
    """
    name = one_of(context.continuous, rng)
    if name is None:
        return None
    x = floats(context.fresh[name])
    noisy = x + rng.normal(0, strength[0] * np.nanstd(x), len(x))
    return _rewritten(context, name, noisy, least=strength[1])


@kind("fidelity coverage", (0.3, 0.1, 0.0), (0.6, 0.15, 0.03), (1.0, 0.35, 0.08))
def spikes_smeared(context: Context, strength: tuple[float, float, float], rng: np.random.Generator) -> Spoiled | None:
    """Move values at the spikes of a number to values beside them.

    Mixtures of normals cannot give one value to many rows: round amounts and usual hours get lost.
    """
    share, least, far = strength
    fresh = context.fresh
    found = []
    for name in context.numbers:
        shares = fresh[name].value_counts(normalize=True)
        spikes = set(shares.index[shares >= 0.04])
        plain = np.sort([v for v in shares.index if v not in spikes]).astype(float)
        at_spike = fresh[name].isin(spikes).to_numpy()
        if name != context.target and len(plain) >= 10 and at_spike.mean() >= least:
            found.append((name, plain, at_spike))
    picked = one_of(found, rng)
    if picked is None:
        return None
    name, plain, at_spike = picked
    rows = some(at_spike, share, rng)
    near = np.searchsorted(plain, floats(fresh[name])[rows]) + rng.integers(-3, 3, len(rows))
    table = context.spoilable()
    put(table, name, rows, plain[np.clip(near, 0, len(plain) - 1)])
    return Spoiled(table, (name,)) if distance(fresh[name], table[name]) >= far else None


@kind("fidelity", (0.15, 0.1), (0.4, 0.15), (1.0, 0.3))
def zeros_lost(context: Context, strength: Strength, rng: np.random.Generator) -> Spoiled | None:
    """Write other values of a number over the zeros of one that has many.

    Zero inflation is lost where a continuous density is fitted to all values.
    """
    share, least = strength
    fresh = context.fresh
    name = one_of([n for n in context.numbers if n != context.target and (fresh[n] == 0).mean() >= least], rng)
    if name is None:
        return None
    rows = some((fresh[name] == 0).to_numpy(), share, rng)
    table = context.spoilable()
    put(table, name, rows, rng.choice(fresh[name][fresh[name] > 0].to_numpy(), len(rows)))
    return Spoiled(table, (name,))


def _steps(context: Context, most: int) -> list[str]:
    """Return whole numbers of a few to some levels."""
    return [
        name
        for name in context.features
        if name not in context.dates
        and pd.api.types.is_numeric_dtype(context.fresh[name])
        and 4 <= context.fresh[name].nunique() <= most
        and whole(context.fresh[name])
    ]


@kind("fidelity", (0.15, 1), (0.45, 1), (0.9, 3))
def moved_to_neighbours(context: Context, strength: tuple[float, int], rng: np.random.Generator) -> Spoiled | None:
    """Move the codes of an ordered column to neighbouring ones.

    A continuous latent value that is rounded to the nearest code has such noise.
    """
    share, steps = strength
    name = one_of([n for n in _steps(context, 30) if partner(context, n)[0] >= 0.15], rng)
    if name is None:
        return None
    grid = np.sort(context.fresh[name].dropna().unique()).astype(float)
    rows = some(context.fresh[name].notna().to_numpy(), share, rng)
    at = np.searchsorted(grid, floats(context.fresh[name])[rows])
    at = at + rng.integers(1, steps + 1, len(rows)) * rng.choice([-1, 1], len(rows))
    table = context.spoilable()
    put(table, name, rows, grid[np.clip(at, 0, len(grid) - 1)])
    return Spoiled(table, (name,))


@kind("fidelity schema", 0.1, 0.3, 1.0)
def off_by_one(context: Context, share: float, rng: np.random.Generator) -> Spoiled | None:
    """Give codes that are greater by one.

    Counting from 1 in place of 0, in all rows or in those of one batch.
    """
    name = one_of(_steps(context, 20), rng)
    if name is None:
        return None
    rows = some(context.fresh[name].notna().to_numpy(), share, rng)
    table = context.spoilable()
    put(table, name, rows, floats(context.fresh[name])[rows] + 1)
    return Spoiled(table, (name,))


@kind("schema fidelity constraints", 0.02, 0.15, 1.0)
def fractions_of_counts(context: Context, share: float, rng: np.random.Generator) -> Spoiled | None:
    """Give fractions in a column of whole numbers.

    A generator of continuous values whose output nobody rounded: 2.37 children.
    """
    found = [n for n in context.numbers if n != context.target and whole(context.fresh[n])]
    name = one_of([n for n in found if context.fresh[n].abs().max() < 1000], rng)
    if name is None:
        return None
    table = context.spoilable()
    values = floats(context.fresh[name])
    rows = some(~np.isnan(values), share, rng)
    values[rows] = np.round(values[rows] + rng.uniform(0.05, 0.45, len(rows)), 3)
    table[name] = values
    return Spoiled(table, (name,))


@kind("schema fidelity coverage constraints", (0.012, 0.3), (0.05, 1.0), (0.25, 2.0), oracle=outside)
def beyond_the_range(context: Context, strength: Strength, rng: np.random.Generator) -> Spoiled | None:
    """Give values above any that a number has.

    Unbounded outputs, and noise that was added for privacy and not clipped.
    """
    share, reach = strength
    name = one_of(context.continuous, rng)
    if name is None:
        return None
    x = floats(context.fresh[name])
    rows = some(~np.isnan(x), share, rng)
    top = max(np.nanmax(x), context.train[name].max())
    table = context.spoilable()
    values = top + (top - np.nanmedian(x)) * rng.uniform(0.05, reach, len(rows))
    put(table, name, rows, np.round(values, 2))
    return Spoiled(table, (name,))


@kind("schema fidelity constraints", 0.012, 0.06, 0.3, oracle=outside)
def below_zero(context: Context, share: float, rng: np.random.Generator) -> Spoiled | None:
    """Give negative values of a number that has none.

    A normal density fitted to amounts and counts.
    """
    name = one_of([n for n in context.continuous if min(context.fresh[n].min(), context.train[n].min()) >= 0], rng)
    if name is None:
        return None
    x = floats(context.fresh[name])
    rows = some(~np.isnan(x), share, rng)
    values = -np.nanstd(x) * rng.uniform(0.05, 1, len(rows))
    table = context.spoilable()
    put(table, name, rows, np.floor(values) if whole(context.fresh[name]) else np.round(values, 3))
    return Spoiled(table, (name,))


@kind("fidelity", (0.3, 0.03), (0.6, 0.08), (1.0, 0.15))
def made_normal(context: Context, strength: Strength, rng: np.random.Generator) -> Spoiled | None:
    """Give a skewed number the shape of a normal one, of the same mean and spread.

    A copula with normal margins; ranks and ties to others stay right.
    """
    weight, least = strength
    skewed = [n for n in context.continuous if abs(stats.skew(context.fresh[n].dropna().astype(float))) >= 1]
    name = one_of(skewed, rng)
    if name is None:
        return None
    x = floats(context.fresh[name])
    normal = np.nanmean(x) + np.nanstd(x) * stats.norm.ppf(np.clip(ranks(context.fresh[name]), 0.001, 0.999))
    return _rewritten(context, name, (1 - weight) * x + weight * normal, least=least)


@kind("fidelity", (40, 0.03), (12, 0.08), (3, 0.2))
def redrawn_in_bins(context: Context, strength: tuple[int, float], rng: np.random.Generator) -> Spoiled | None:
    """Draw a number evenly within a few bins of equal width.

    Generators that make bins first and then fill them.
    """
    bins, least = strength
    name = one_of(context.continuous, rng)
    if name is None:
        return None
    x = floats(context.fresh[name])
    low, high = np.nanquantile(x, [0.002, 0.998])
    width = (high - low) / bins
    if not width:
        return None
    start = low + np.floor((x - low) / width) * width
    drawn = np.where((x >= low) & (x < high), start + rng.random(len(x)) * width, x)
    return _rewritten(context, name, snapped(drawn, context.fresh[name]), least=least)


@kind("coverage fidelity", (40, 0.01), (12, 0.03), (4, 0.08))
def few_values_only(context: Context, strength: tuple[int, float], rng: np.random.Generator) -> Spoiled | None:
    """Give the middle of its bin in place of each value of a number: only so many different values are left.

    Trees, and generators of tokens, that make bins and give their middles back.
    """
    bins, least = strength
    name = one_of([n for n in context.continuous if context.fresh[n].nunique() >= 2.5 * bins], rng)
    if name is None:
        return None
    x = context.fresh[name].astype(float)
    middle = x.groupby(pd.qcut(x, bins, labels=False, duplicates="drop")).transform("median")
    return _rewritten(context, name, floats(middle), least=least)


@kind("fidelity", 0.1, 0.3, 1.0)
def scale_reversed(context: Context, share: float, rng: np.random.Generator) -> Spoiled | None:
    """Count the codes of an ordered column from the other end.

    Questionnaires that ask the same in the other direction, in all rows or in those of one wave.
    """
    shares = {n: context.fresh[n].value_counts(normalize=True).sort_index() for n in _steps(context, 12)}
    skewed = [n for n, s in shares.items() if np.abs(s.to_numpy() - s.to_numpy()[::-1]).sum() >= 0.4]
    name = one_of(skewed, rng)
    if name is None:
        return None
    grid = np.sort(context.fresh[name].dropna().unique()).astype(float)
    rows = some(context.fresh[name].notna().to_numpy(), share, rng)
    table = context.spoilable()
    put(table, name, rows, grid[::-1][np.searchsorted(grid, floats(context.fresh[name])[rows])])
    return Spoiled(table, (name,))


@kind("schema fidelity coverage constraints", 0.015, 0.06, 0.4, oracle=outside)
def decimal_point_lost(context: Context, share: float, rng: np.random.Generator) -> Spoiled | None:
    """Give a hundred times the value in some rows.

    Decimal points and commas read in the wrong way.
    """
    name = one_of([n for n in context.continuous if not whole(context.fresh[n])], rng)
    if name is None:
        return None
    rows = some((context.fresh[name].notna() & (context.fresh[name] != 0)).to_numpy(), share, rng)
    table = context.spoilable()
    put(table, name, rows, 100 * floats(context.fresh[name])[rows])
    return Spoiled(table, (name,))
