"""Defects of whole rows: which of them there are, and which are not."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from .making import Context, Spoiled, kind
from .oracles import crowded
from .tools import copy_rows, exchange, floats, group, one_of, put, ranks, rewrite, snapped, some


@kind("coverage fidelity", 0.03, 0.1, 0.3)
def extreme_rows_left_out(context: Context, share: float, rng: np.random.Generator) -> Spoiled | None:
    """Leave out the rows that are extreme in one of a few numbers.

    Outliers were removed before training.
    """
    names = [context.continuous[at] for at in rng.permutation(len(context.continuous))[:3]]
    if not names:
        return None
    farthest = np.max([np.nan_to_num(np.abs(ranks(context.fresh[n]) - 0.5)) for n in names], axis=0)
    return Spoiled(context.without(farthest > np.quantile(farthest, 1 - share)), tuple(names))


def _pairs(context: Context) -> list[tuple[str, str]]:
    names = [n for n in context.categories if 2 <= context.fresh[n].nunique() <= 40]
    return list(combinations(names, 2))


@kind("coverage fidelity", 0.02, 0.08, 0.25)
def rare_pairs_left_out(context: Context, share: float, rng: np.random.Generator) -> Spoiled | None:
    """Leave out the rows of the rarest pairs of two categories.

    Suppression of small cells, as statistical offices do it.
    """
    pairs = [p for p in _pairs(context) if min(context.fresh[n].nunique() for n in p) >= 3]
    pair = one_of(pairs, rng)
    if pair is None:
        return None
    key = context.fresh[list(pair)].astype(str).agg("|".join, axis=1)
    shares = key.value_counts(normalize=True)[::-1]
    gone = key.isin(shares.index[shares.cumsum() <= share])
    return Spoiled(context.without(gone), pair) if gone.mean() >= share / 3 else None


@kind("coverage fidelity", (0.015, 0.04), (0.05, 0.12), (0.2, 0.5))
def intersection_lost(context: Context, strength: tuple[float, float], rng: np.random.Generator) -> Spoiled | None:
    """Leave out all rows of one combination of two values, each of which is there elsewhere.

    Mode collapse where margins are watched and combinations are not: no young widows.
    """
    low, high = strength
    fresh = context.fresh
    found = []
    for first, second in _pairs(context):
        counts = fresh.groupby([first, second], observed=True).size() / len(fresh)
        for (a, b), share in counts.items():
            elsewhere = min((fresh[first] == a).mean() - share, (fresh[second] == b).mean() - share)
            if low <= share <= high and elsewhere >= 0.02:
                found.append((first, second, a, b))
    picked = one_of(found, rng)
    if picked is None:
        return None
    first, second, a, b = picked
    return Spoiled(context.without((fresh[first] == a) & (fresh[second] == b)), (first, second))


@kind("coverage fidelity", 0.25, 0.6, 1.0)
def cluster_lost(context: Context, share: float, rng: np.random.Generator) -> Spoiled | None:
    """Leave out rows of one of eight clusters of the numbers.

    A mode that a GAN has lost. With a gross one three of the eight clusters are gone.
    """
    from sklearn.cluster import KMeans

    names = [n for n in context.numbers if n != context.target]
    if len(names) < 2:
        return None
    place = np.column_stack([np.nan_to_num(ranks(context.fresh[n]), nan=0.5) for n in names])
    cluster = KMeans(8, n_init=2, random_state=0).fit_predict(place)
    lost = rng.permutation(8)[: 3 if share == 1 else 1]
    gone = np.zeros(len(place), dtype=bool)
    gone[some(np.isin(cluster, lost), share, rng)] = True
    return Spoiled(context.without(gone), tuple(names))


@kind("fidelity coverage", (1.6, 0.05, 0.3), (2.5, 0.05, 0.2), (8.0, 0.05, 0.2))
def one_group_too_frequent(
    context: Context, strength: tuple[float, float, float], rng: np.random.Generator
) -> Spoiled | None:
    """Thin all rows but those of one group.

    A group that was drawn more often on purpose, with no weights given.
    """
    found = group(context, rng, *strength[1:])
    if found is None:
        return None
    gone = ~found[1] & (rng.random(len(context.fresh)) > 1 / strength[0])
    return Spoiled(context.without(gone), found[:1])


@kind("fidelity coverage", 0.4, 0.7, 1.0)
def chosen_by_a_number(context: Context, weight: float, rng: np.random.Generator) -> Spoiled | None:
    """Keep rows the less probably the greater a number is.

    Selection: those who answer, who are cheap, who have lived long enough. With a gross one hardly any row of the
    greatest values is left.
    """
    name = one_of(context.continuous, rng)
    if name is None:
        return None
    place = np.nan_to_num(ranks(context.fresh[name]), nan=0.0)
    return Spoiled(context.without(rng.random(len(place)) < weight * place), (name,))


@kind("fidelity", 0.3, 0.55, 0.9)
def middle_thinned(context: Context, weight: float, rng: np.random.Generator) -> Spoiled | None:
    """Leave out rows in the middle half of a number.

    Importance sampling that favours what is rare.
    """
    name = one_of(context.continuous, rng)
    if name is None:
        return None
    middle = np.abs(np.nan_to_num(ranks(context.fresh[name]), nan=0.0) - 0.5) <= 0.25
    return Spoiled(context.without(middle & (rng.random(len(middle)) < weight)), (name,))


@kind("coverage fidelity", 0.1, 0.3, 0.85, oracle=crowded)
def few_templates(context: Context, share: float, rng: np.random.Generator) -> Spoiled | None:
    """Write the rows of a few templates over some of the rows.

    A language model that falls into repeating itself.
    """
    table = context.spoilable()
    core = rng.permutation(len(table))[: max(30, len(table) // 25)]
    rows = some(len(table), share, rng)
    copy_rows(table, rows, context.fresh.iloc[rng.choice(core, len(rows))])
    return Spoiled(table)


@kind("coverage fidelity", 0.5, 0.2, 0.03, oracle=crowded)
def made_from_few_rows(context: Context, share: float, rng: np.random.Generator) -> Spoiled | None:
    """Make every row from one of a part of the rows, with each number moved a little.

    Augmentation of a small sample, sold as a large table.
    """
    if not context.numbers:
        return None
    core = rng.permutation(len(context.fresh))[: max(20, int(share * len(context.fresh)))]
    table = context.fresh.iloc[rng.choice(core, len(context.fresh))].reset_index(drop=True)
    for name in (n for n in context.numbers if n != context.target):
        x = floats(table[name])
        rewrite(table, name, np.arange(len(x)), x + rng.normal(0, 0.05 * np.nanstd(x), len(x)), context.fresh[name])
    return Spoiled(table)


@kind("coverage fidelity", 0.08, 0.25, 0.8, oracle=crowded)
def fanned_out_by_a_join(context: Context, share: float, rng: np.random.Generator) -> Spoiled | None:
    """Repeat rows with another value in one category.

    A join to a table that has several rows for one: the rest is there twice and more.
    """
    name = one_of([n for n in context.categories if n != context.target and context.fresh[n].nunique() >= 2], rng)
    if name is None or len(context.fresh.columns) < 3:
        return None
    table = context.spoilable()
    rows = some(len(table), share, rng)
    kept = np.setdiff1d(np.arange(len(table)), rows)
    copy_rows(table, rows, context.fresh.iloc[rng.choice(rng.permutation(kept)[: max(1, len(rows) // 2)], len(rows))])
    exchange(table, (name,), rows, rng)
    return Spoiled(table)


@kind("fidelity coverage schema", 0.02, 0.08, 0.35)
def noise_rows_mixed_in(context: Context, share: float, rng: np.random.Generator) -> Spoiled | None:
    """Mix in rows in which every column is drawn evenly from its range or its values.

    Fuzzing, or the output of a generator before it was trained.
    """
    table = context.spoilable()
    rows = some(len(table), share, rng)
    for name in table:
        values = context.fresh[name].dropna()
        if name in context.numbers:
            drawn = snapped(rng.uniform(values.min(), values.max(), len(rows)), values)
        else:
            drawn = pd.Series(values.unique()).to_numpy()[rng.integers(values.nunique(), size=len(rows))]
        put(table, name, rows, drawn)
    return Spoiled(table)


@kind("coverage utility fidelity", 0.08, 0.25, 0.8, oracle=crowded)
def twins_of_another_target(context: Context, share: float, rng: np.random.Generator) -> Spoiled | None:
    """Repeat rows with a target that is drawn anew.

    Augmentation of the features only: the same person is there with both answers.
    """
    if context.target is None or len(context.fresh.columns) < 3:
        return None
    table = context.spoilable()
    rows = some(len(table), share, rng)
    kept = np.setdiff1d(np.arange(len(table)), rows)
    source = context.fresh.iloc[rng.choice(rng.permutation(kept)[: max(1, len(rows) // 2)], len(rows))]
    copy_rows(table, rows, source.drop(columns=context.target))
    exchange(table, (context.target,), rows, rng)
    return Spoiled(table)
