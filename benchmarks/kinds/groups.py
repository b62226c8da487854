"""Defects within the groups of a category: a table that is right as a whole and wrong in a part."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from .making import Context, Spoiled, kind
from .numbers import distance, whole
from .tools import (
    association,
    correlated,
    exchange,
    floats,
    group,
    levels,
    one_of,
    partner,
    put,
    rewrite,
    snapped,
    some,
)

InGroup = tuple[float, float, float]
"""A strength, and the bounds of the group's share."""
Tied = tuple[float, float, float, float]
"""The same, and how strongly the group must be tied to something else."""


def _few(context: Context, least: float = 0.05) -> list[str]:
    """Return categories of a few groups, two of them at least of some size."""
    found = []
    for name in context.categories:
        shares = context.fresh[name].value_counts(normalize=True)
        if name != context.target and 2 <= len(shares) <= 12 and shares.iloc[1] >= least:
            found.append(name)
    return found


def explained(number: np.ndarray, codes: np.ndarray) -> float:
    """Return the share of a number's variance that lies between groups."""
    frame = pd.DataFrame({"x": number, "g": codes}).dropna()
    means = frame.groupby("g")["x"].transform("mean")
    return float(means.var() / frame["x"].var()) if frame["x"].var() > 0 else 0.0


@kind("fidelity", (0.3, 0.08, 0.3), (0.7, 0.1, 0.35), (1.5, 0.3, 0.7))
def shifted_in_a_group(context: Context, strength: InGroup, rng: np.random.Generator) -> Spoiled | None:
    """Shift a number in one group by a part of its spread.

    A group that the condition of a conditional generator does not reach.
    """
    name, found = one_of(context.continuous, rng), group(context, rng, *strength[1:])
    if name is None or found is None:
        return None
    table = context.spoilable()
    x = floats(context.fresh[name])
    rows = np.flatnonzero(found[1])
    rewrite(table, name, rows, x[rows] + strength[0] * np.nanstd(x), context.fresh[name])
    return Spoiled(table, (name, found[0]))


@kind("fidelity schema", (1.15, 0.1, 0.35), (1.6, 0.1, 0.35), (10.0, 0.3, 0.7))
def scaled_in_a_group(context: Context, strength: InGroup, rng: np.random.Generator) -> Spoiled | None:
    """Multiply a number in one group.

    Sources of different currencies or units that were put together.
    """
    fresh = context.fresh
    wide = [n for n in context.continuous if fresh[n].min() >= 0 and fresh[n].std() > 0.25 * fresh[n].mean()]
    positive = [n for n in wide if (fresh[n] > 0).mean() >= 0.5]
    name, found = one_of(positive, rng), group(context, rng, *strength[1:])
    if name is None or found is None:
        return None
    table = context.spoilable()
    rows = np.flatnonzero(found[1] & context.fresh[name].notna().to_numpy())
    values = floats(context.fresh[name])[rows] * strength[0]
    put(table, name, rows, np.rint(values) if whole(context.fresh[name]) else values)
    return Spoiled(table, (name, found[0]))


@kind("fidelity coverage", 0.05, 0.2, 0.6)
def group_mean_imputed(context: Context, share: float, rng: np.random.Generator) -> Spoiled | None:
    """Give the mean of the group in place of the own value in some rows.

    Imputation before training, which the generator learned.
    """
    name, by = one_of(context.continuous, rng), one_of(_few(context), rng)
    if name is None or by is None:
        return None
    table = context.spoilable()
    means = floats(context.fresh.groupby(by)[name].transform("mean"))
    rows = some(~np.isnan(means) & context.fresh[name].notna().to_numpy(), share, rng)
    put(table, name, rows, np.rint(means[rows]) if whole(context.fresh[name]) else means[rows])
    return Spoiled(table, (name,))


@kind("coverage fidelity", (0.5, 0.08, 0.35), (1.0, 0.15, 0.4), (1.0, 0.4, 0.8))
def upper_half_lost_in_a_group(context: Context, strength: InGroup, rng: np.random.Generator) -> Spoiled | None:
    """Write values of the lower half of a number over those of the upper half, in one group.

    Mode collapse within one condition.
    """
    name, found = one_of(context.continuous, rng), group(context, rng, *strength[1:])
    if name is None or found is None:
        return None
    x = floats(context.fresh[name])
    above = x > np.nanmedian(x[found[1]])
    below = np.flatnonzero(found[1] & ~above & ~np.isnan(x))
    rows = some(found[1] & above, strength[0], rng)
    if not len(below):
        return None
    table = context.spoilable()
    put(table, name, rows, x[rng.choice(below, len(rows))])
    return Spoiled(table, (name, found[0]))


@kind("fidelity utility", (0.4, 0.08, 0.3, 0.15), (0.9, 0.12, 0.35, 0.2), (1.0, 0.35, 0.75, 0.3))
def binary_flipped_in_a_group(context: Context, strength: Tied, rng: np.random.Generator) -> Spoiled | None:
    """Give the other of two values in one group.

    A code that two sources use the other way round.
    """
    fresh = context.fresh
    twofold = [n for n in context.categories if n != context.target and fresh[n].nunique() == 2]
    name = one_of([n for n in twofold if partner(context, n)[0] >= strength[3]], rng)
    found = None if name is None else group(context, rng, *strength[1:3], avoid=(name,))
    if name is None or found is None:
        return None
    first, second = sorted(fresh[name].dropna().unique())
    rows = some(found[1] & fresh[name].notna().to_numpy(), strength[0], rng)
    table = context.spoilable()
    put(table, name, rows, np.where(fresh[name].to_numpy()[rows] == first, second, first))
    return Spoiled(table, (name, found[0]))


@kind("fidelity", (0.4, 2.0), (0.8, 2.5), (1.0, 4.0))
def spreads_made_equal(context: Context, strength: tuple[float, float], rng: np.random.Generator) -> Spoiled | None:
    """Give a number the same spread in all groups; its mean stays different.

    Heteroscedasticity is lost in a model with one variance for all.
    """
    weight, least = strength
    fresh = context.fresh
    found = []
    for name in context.continuous:
        for by in context.features:
            codes = levels(fresh[by])
            frame = fresh[name].astype(float).groupby(codes)
            sizes, spreads = frame.size(), frame.std()
            wide = spreads[(sizes >= 0.05 * len(fresh)) & (sizes.index >= 0)]
            if by != name and len(wide) >= 2 and wide.min() > 0 and wide.max() / wide.min() >= least:
                found.append((name, by, codes))
    picked = one_of(found, rng)
    if picked is None:
        return None
    name, by, codes = picked
    frame = fresh[name].astype(float).groupby(codes)
    mean, spread = floats(frame.transform("mean")), floats(frame.transform("std"))
    x = floats(fresh[name])
    pooled = np.sqrt(np.nanmean((x - mean) ** 2))
    factor = np.where(spread > 0, (pooled / np.where(spread > 0, spread, 1)) ** weight, 1)
    table = context.spoilable()
    rewrite(table, name, np.arange(len(table)), mean + (x - mean) * factor, fresh[name])
    return Spoiled(table, (name, by))


@kind("fidelity", (0.35, 0.06), (0.7, 0.1), (1.0, 0.2))
def means_made_equal(context: Context, strength: tuple[float, float], rng: np.random.Generator) -> Spoiled | None:
    """Take away the differences of a number's mean between groups; its spread in each stays.

    A generator that does not take the group into account for this number.
    """
    weight, least = strength
    fresh = context.fresh
    by_group = [(n, by, levels(fresh[by])) for n in context.continuous for by in _few(context)]
    picked = one_of([one for one in by_group if explained(floats(fresh[one[0]]), one[2]) >= least], rng)
    if picked is None:
        return None
    name, by, codes = picked
    x = floats(fresh[name])
    mean = floats(fresh[name].astype(float).groupby(codes).transform("mean"))
    table = context.spoilable()
    rewrite(table, name, np.arange(len(table)), x - weight * (mean - np.nanmean(x)), fresh[name])
    return Spoiled(table, (name, by))


@kind("fidelity", (0.4, 0.08, 0.3), (1.0, 0.12, 0.4), (1.0, 0.5, 0.9))
def tie_reversed_in_a_group(context: Context, strength: InGroup, rng: np.random.Generator) -> Spoiled | None:
    """Turn the tie of two numbers round in one group: high goes with low.

    A paradox made by putting together parts that were generated apart.
    """
    pair, found = correlated(context), group(context, rng, *strength[1:])
    if pair is None or found is None:
        return None
    name = pair[0]
    x = floats(context.fresh[name])
    rows = some(found[1] & ~np.isnan(x), strength[0], rng)
    within = context.fresh.iloc[rows]
    if abs(within[pair[0]].corr(within[pair[1]], method="spearman")) < 0.3:
        return None
    order = np.argsort(x[rows], kind="stable")
    values = np.empty(len(rows))
    values[order] = x[rows][order[::-1]]
    table = context.spoilable()
    put(table, name, rows, snapped(values, context.fresh[name]))
    return Spoiled(table, (*pair, found[0]))


@kind("fidelity utility", (0.25, 0.08, 0.3, 0.15), (0.6, 0.12, 0.35, 0.2), (1.0, 0.25, 0.5, 0.3))
def members_at_random(context: Context, strength: Tied, rng: np.random.Generator) -> Spoiled | None:
    """Exchange the membership of one group between its members and others.

    A minority of which the generator has learned the share only.
    """
    found = group(context, rng, *strength[1:3])
    if found is None:
        return None
    name, inside = found
    others = [n for n in context.fresh if n != name]
    if max((association(inside.astype(int), levels(context.fresh[n])) for n in others), default=0.0) < strength[3]:
        return None
    members = some(inside, strength[0], rng)
    outside = np.flatnonzero(~inside & context.fresh[name].notna().to_numpy())
    count = min(len(members), len(outside))
    table = context.spoilable()
    exchange(table, (name,), np.concatenate([members[:count], rng.permutation(outside)[: 2 * count]]), rng)
    return Spoiled(table, (name,))


@kind("fidelity", (0.4, 0.03), (0.7, 0.06), (1.0, 0.15))
def normal_within_groups(context: Context, strength: tuple[float, float], rng: np.random.Generator) -> Spoiled | None:
    """Give a number the shape of a normal one within each group, of the group's mean and spread.

    One normal component for each class: what has two humps or a long tail within a group has them no more.
    """
    weight, least = strength
    fresh = context.fresh
    name, by = one_of(context.continuous, rng), one_of(_few(context), rng)
    if name is None or by is None:
        return None
    frame = fresh[name].astype(float).groupby(levels(fresh[by]))
    place = floats(frame.rank(pct=True)).clip(0.002, 0.998)
    mean, spread = floats(frame.transform("mean")), floats(frame.transform("std"))
    x = floats(fresh[name])
    normal = mean + np.nan_to_num(spread) * stats.norm.ppf(place)
    table = context.spoilable()
    rewrite(table, name, np.arange(len(x)), (1 - weight) * x + weight * normal, fresh[name])
    return Spoiled(table, (name, by)) if distance(fresh[name], table[name]) >= least else None
