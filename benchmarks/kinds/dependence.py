"""Defects of what columns have to do with each other."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .groups import explained
from .making import Context, Spoiled, kind
from .tools import (
    association,
    correlated,
    exchange,
    floats,
    levels,
    one_of,
    put,
    ranks,
    rewrite,
    some,
)

Strength = tuple[float, float]


def reordered(context: Context, name: str, by: np.ndarray, rows: np.ndarray) -> Spoiled:
    """Return the fresh rows with the values of a number in the order of a key among some rows."""
    values = np.sort(floats(context.fresh[name])[rows])
    table = context.spoilable()
    put(table, name, rows, values[np.argsort(np.argsort(by, kind="stable"), kind="stable")])
    return Spoiled(table, (name,))


def _moved(context: Context, spoiled: Spoiled, pair: tuple[str, str], least: float) -> Spoiled | None:
    """Return the spoiled table where the rank correlation of two numbers has changed far enough."""
    before, after = (side[list(pair)].corr(method="spearman").iloc[0, 1] for side in (context.fresh, spoiled.table))
    return Spoiled(spoiled.table, pair) if abs(before - after) >= least else None


def _known(context: Context, *names: str) -> np.ndarray:
    return np.flatnonzero(context.fresh[list(names)].notna().all(axis=1).to_numpy())


@kind("fidelity utility", (0.25, 0.05), (0.6, 0.12), (2.0, 0.3))
def ranks_jittered(context: Context, strength: Strength, rng: np.random.Generator) -> Spoiled | None:
    """Add noise to the ranks of a number that goes with another; its values stay right.

    A dependence that is too weak: a shrunk covariance, or noise for privacy.
    """
    pair = correlated(context)
    if pair is None:
        return None
    rows = _known(context, pair[0])
    noisy = ranks(context.fresh[pair[0]])[rows] + rng.normal(0, strength[0] / 2, len(rows))
    return _moved(context, reordered(context, pair[0], noisy, rows), pair, strength[1])


@kind("fidelity", (0.12, 0.05), (0.35, 0.15), (1.0, 0.5))
def number_mirrored(context: Context, strength: Strength, rng: np.random.Generator) -> Spoiled | None:
    """Give low values for high ones and high for low in some rows; the values stay right.

    A scale that is read the wrong way round.
    """
    pair = correlated(context)
    if pair is None:
        return None
    rows = some(_known(context, pair[0]), strength[0], rng)
    return _moved(context, reordered(context, pair[0], -floats(context.fresh[pair[0]])[rows], rows), pair, strength[1])


@kind("fidelity utility", (0.4, 0.35), (1.0, 0.35), (1.0, 0.5))
def tie_broken_in_upper_third(context: Context, strength: Strength, rng: np.random.Generator) -> Spoiled | None:
    """Exchange a number among the rows where the one it goes with is in its upper third.

    Two numbers go together in the body of the table only. With a gross one in its upper two thirds.
    """
    pair = correlated(context, strength[1])
    if pair is None:
        return None
    cut = 0.33 if strength[1] >= 0.5 else 0.67
    rows = some((ranks(context.fresh[pair[1]]) > cut) & context.fresh[pair[0]].notna().to_numpy(), strength[0], rng)
    within = context.fresh.iloc[rows]
    if not abs(within[pair[0]].corr(within[pair[1]], method="spearman")) >= 0.2:
        return None
    table = context.spoilable()
    exchange(table, pair[:1], rows, rng)
    return Spoiled(table, pair)


@kind("fidelity coverage", (0.04, 0.3), (0.1, 0.35), (0.25, 0.45))
def extremes_apart(context: Context, strength: Strength, rng: np.random.Generator) -> Spoiled | None:
    """Let the extremes of a number no longer meet those of the number it goes with.

    A normal copula has no dependence in the tails: here the rows at both ends draw from the whole.
    """
    pair = correlated(context, strength[1])
    if pair is None:
        return None
    place = ranks(context.fresh[pair[1]])
    ends = np.flatnonzero((np.abs(place - 0.5) > 0.5 - strength[0]) & context.fresh[pair[0]].notna().to_numpy())
    rest = np.setdiff1d(_known(context, *pair), ends)
    if len(ends) < 20 or not len(rest):
        return None
    table = context.spoilable()
    exchange(table, pair[:1], np.concatenate([ends, rng.permutation(rest)[: len(ends) // 2]]), rng)
    return Spoiled(table, pair)


@kind("fidelity", (0.15, 0.05), (0.45, 0.12), (0.9, 0.3))
def tie_exaggerated(context: Context, strength: Strength, rng: np.random.Generator) -> Spoiled | None:
    """Make two numbers that go together go together more closely; their values stay right.

    A model whose residual noise is too small, or a regression taken for a draw.
    """
    pair = correlated(context)
    if pair is None or abs(context.fresh[list(pair)].corr(method="spearman").iloc[0, 1]) > 0.9:
        return None
    rows = _known(context, *pair)
    own, other = (ranks(context.fresh[n])[rows] for n in pair)
    sign = np.sign(np.corrcoef(own, other)[0, 1])
    key = (1 - strength[0]) * own + strength[0] * sign * other
    tied = reordered(context, pair[0], key + rng.normal(0, 1e-6, len(rows)), rows)
    return _moved(context, tied, pair, strength[1])


@kind("fidelity", (0.15, 0.1), (0.4, 0.2), (0.9, 0.5))
def tie_invented(context: Context, strength: Strength, rng: np.random.Generator) -> Spoiled | None:
    """Make two numbers that have little to do with each other go together in some rows; their values stay right.

    A latent space too small: what is independent shares a dimension.
    """
    names = list(context.continuous)
    if len(names) < 2:
        return None
    table = context.fresh[names].rank().corr().abs()
    pair = one_of([(a, b) for a in names for b in names if a != b and table.loc[a, b] <= 0.15], rng)
    if pair is None:
        return None
    rows = some(_known(context, *pair), strength[0], rng)
    tied = reordered(context, pair[0], ranks(context.fresh[pair[1]])[rows], rows)
    return _moved(context, tied, pair, strength[1])


@kind("fidelity utility", (0.35, 0.05), (0.8, 0.06), (1.0, 0.12))
def curve_made_straight(context: Context, strength: Strength, rng: np.random.Generator) -> Spoiled | None:
    """Replace the curve by which a number follows another one by a straight line.

    Linear models, and copulas with one correlation a pair: income falls no more in old age.
    """
    weight, least = strength
    found = []
    for name in context.continuous:
        for by in (n for n in context.numbers if n != name):
            bins = levels(context.fresh[by], bins=12)
            x, y = floats(context.fresh[by]), floats(context.fresh[name])
            known = ~np.isnan(x) & ~np.isnan(y)
            straight = np.corrcoef(x[known], y[known])[0, 1] ** 2 if known.sum() > 50 else 1.0
            if explained(np.where(known, y, np.nan), bins) - straight >= least:
                found.append((name, by, bins))
    picked = one_of(found, rng)
    if picked is None:
        return None
    name, by, bins = picked
    x, y = floats(context.fresh[by]), floats(context.fresh[name])
    known = np.flatnonzero(~np.isnan(x) & ~np.isnan(y))
    curve = pd.Series(y[known]).groupby(bins[known]).transform("mean").to_numpy()
    line = np.polyval(np.polyfit(x[known], y[known], 1), x[known])
    table = context.spoilable()
    rewrite(table, name, known, y[known] + weight * (line - curve), context.fresh[name])
    return Spoiled(table, (name, by))


def _strong_pair(context: Context, least: float) -> tuple[str, str] | None:
    """Return the two features that depend most on each other, below a tie that is all but certain."""
    names = list(context.features)
    codes = {n: levels(context.fresh[n]) for n in names}
    found = [(association(codes[a], codes[b]), a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    best = max((one for one in found if one[0] >= least), default=None)
    return best[1:] if best else None


@kind("fidelity utility", (0.1, 0.15), (0.3, 0.2), (1.0, 0.3))
def pair_moved_to_other_rows(context: Context, strength: Strength, rng: np.random.Generator) -> Spoiled | None:
    """Exchange two columns that belong together, together, among rows.

    They keep each other and lose the rest: a part that was generated apart and joined at random.
    """
    pair = _strong_pair(context, 0.2)
    if pair is None:
        return None
    fresh = context.fresh
    others = [n for n in fresh if n not in pair]
    ties = [association(levels(fresh[a]), levels(fresh[b])) for a in pair for b in others]
    if max(ties, default=0.0) < strength[1]:
        return None
    table = context.spoilable()
    exchange(table, pair, some(len(table), strength[0], rng), rng)
    return Spoiled(table, pair)


@kind("fidelity utility", (0.08, 0.2), (0.3, 0.25), (1.0, 0.3))
def halves_joined_at_random(context: Context, strength: Strength, rng: np.random.Generator) -> Spoiled | None:
    """Exchange half of the columns, together, among rows.

    Two tables that were generated well and joined on a key that means nothing.
    """
    names = list(context.fresh)
    half = [names[at] for at in rng.permutation(len(names))[: len(names) // 2]]
    rest = [n for n in names if n not in half]
    codes = {n: levels(context.fresh[n]) for n in names}
    if max((association(codes[a], codes[b]) for a in half for b in rest), default=0.0) < strength[1]:
        return None
    table = context.spoilable()
    exchange(table, half, some(len(table), strength[0], rng), rng)
    return Spoiled(table)


def _like(context: Context) -> list[tuple[str, str]]:
    """Return pairs of columns with the same values that are not the same column."""
    fresh = context.fresh
    found = []
    names = list(context.features)
    values = {n: set(fresh[n].dropna().unique()) for n in names}
    for at, first in enumerate(names):
        for second in names[at + 1 :]:
            common = len(values[first] & values[second])
            same_type = fresh[first].dtype == fresh[second].dtype
            if same_type and common >= 2 and common >= 0.5 * max(len(values[first]), len(values[second])):
                found.append((first, second))
    return found


@kind("fidelity constraints", 0.06, 0.2, 1.0)
def like_columns_exchanged(context: Context, share: float, rng: np.random.Generator) -> Spoiled | None:
    """Exchange the values of two columns of the same domain in some rows.

    First and second child, last year and this year: columns that a reader of names or positions confuses.
    """
    pairs = []
    for first, second in _like(context):
        same = (context.fresh[first] == context.fresh[second]).mean()
        if same < 0.9:
            pairs.append((first, second))
    pair = one_of(pairs, rng)
    if pair is None:
        return None
    table = context.spoilable()
    rows = some(_known(context, *pair), share, rng)
    for name, other in (pair, pair[::-1]):
        put(table, name, rows, context.fresh[other].to_numpy()[rows])
    return Spoiled(table, pair)


@kind("fidelity", 0.1, 0.35, 1.0)
def column_written_over_its_like(context: Context, share: float, rng: np.random.Generator) -> Spoiled | None:
    """Write the values of a column over those of another of the same domain in some rows.

    A slip in a list of columns: the second child is the first once more.
    """
    fresh = context.fresh
    pair = one_of([p for p in _like(context) if (fresh[p[0]] == fresh[p[1]]).mean() < 0.8], rng)
    if pair is None:
        return None
    table = context.spoilable()
    rows = some(_known(context, *pair), share, rng)
    put(table, pair[0], rows, fresh[pair[1]].to_numpy()[rows])
    return Spoiled(table, pair)


@kind("constraints fidelity", 0.015, 0.08, 0.4)
def order_of_two_broken(context: Context, share: float, rng: np.random.Generator) -> Spoiled | None:
    """Exchange a number among rows which is never above another one, where that puts it above.

    A part greater than the whole, an end before its beginning.
    """
    fresh = context.fresh
    numeric = [n for n in context.features if n not in context.dates and pd.api.types.is_numeric_dtype(fresh[n])]
    found = []
    for low in (n for n in numeric if fresh[n].nunique() >= 4):
        for high in (n for n in numeric if n != low and fresh[n].nunique() >= 4):
            both = fresh[[low, high]].dropna()
            drawn = rng.permutation(both[low].to_numpy())
            if len(both) > 500 and (both[low] <= both[high]).mean() >= 0.999 and (drawn > both[high]).mean() >= 0.1:
                found.append((low, high))
    pair = one_of(found, rng)
    if pair is None:
        return None
    low, high = pair
    rows = _known(context, *pair)
    drawn = rng.choice(fresh[low].to_numpy()[rows], len(rows))
    broken = rows[drawn > fresh[high].to_numpy()[rows]]
    if len(broken) < share * len(fresh):
        return None
    values = pd.Series(drawn, index=rows)
    chosen = np.sort(rng.permutation(broken)[: round(share * len(fresh))])
    table = context.spoilable()
    put(table, low, chosen, values[chosen].to_numpy())
    return Spoiled(table, pair)
