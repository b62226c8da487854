"""Defects of what is missing: where, and with what."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .making import Context, Spoiled, kind
from .tools import association, exchange, levels, one_of, ranks, some

Strength = tuple[float, float]


def _gappy(context: Context, least: float = 0.05) -> list[str]:
    return [n for n in context.fresh if n != context.target and least <= context.fresh[n].isna().mean() <= 0.95]


@kind("fidelity", (0.2, 0.2), (0.5, 0.25), (1.0, 0.4))
def missing_at_random(context: Context, strength: Strength, rng: np.random.Generator) -> Spoiled | None:
    """Exchange a column that is missing together with others, or for their values, among rows.

    Gaps that are generated column by column: questions that were never put have answers.
    """
    share, least = strength
    fresh = context.fresh
    found = []
    for name in _gappy(context):
        gaps = fresh[name].isna().to_numpy().astype(int)
        tie = max((association(gaps, levels(fresh[n])) for n in fresh if n != name), default=0.0)
        if tie >= least:
            found.append(name)
    name = one_of(found, rng)
    if name is None:
        return None
    table = context.spoilable()
    exchange(table, (name,), some(len(table), share, rng), rng)
    return Spoiled(table, (name,))


@kind("fidelity coverage", 0.15, 0.5, 1.0)
def gaps_gathered(context: Context, share: float, rng: np.random.Generator) -> Spoiled | None:
    """Move the gaps of a column to rows in which another one is missing.

    Gaps that are generated for whole rows: the share of each column is right, and the rows are empty or full.
    """
    fresh = context.fresh
    found = []
    for name in _gappy(context):
        for other in _gappy(context):
            gaps, lead = fresh[name].isna().to_numpy(), fresh[other].isna().to_numpy()
            movable = min((gaps & ~lead).sum(), (lead & ~gaps).sum())
            if name != other and movable >= 0.03 * len(fresh):
                found.append((name, other))
    pair = one_of(found, rng)
    if pair is None:
        return None
    gaps, lead = (fresh[n].isna().to_numpy() for n in pair)
    alone, wanted = rng.permutation(np.flatnonzero(gaps & ~lead)), rng.permutation(np.flatnonzero(lead & ~gaps))
    count = round(share * min(len(alone), len(wanted)))
    values = fresh[pair[0]].to_numpy(copy=True)
    values[alone[:count]], values[wanted[:count]] = fresh[pair[0]].to_numpy()[wanted[:count]], values[alone[:count]]
    table = context.spoilable()
    table[pair[0]] = pd.Series(values, dtype=fresh[pair[0]].dtype)
    return Spoiled(table, pair)


@kind("fidelity coverage schema", 0.02, 0.08, 0.35)
def high_values_missing(context: Context, share: float, rng: np.random.Generator) -> Spoiled | None:
    """Leave a number out where it is great.

    Values beyond a limit were set to missing when the data were cleaned.
    """
    name = one_of(context.continuous, rng)
    if name is None:
        return None
    high = ranks(context.fresh[name]) > 1 - share
    table = context.spoilable()
    column = table[name]
    if pd.api.types.is_integer_dtype(column):
        column = column.astype("Int64")
    table[name] = column.mask(high)
    return Spoiled(table, (name,))
