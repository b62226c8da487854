"""Defects of the target: what a model that is trained on the table gets wrong."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .making import Context, Spoiled, kind
from .tools import association, different, exchange, floats, group, levels, one_of, partner, put, ranks, some

Strength = tuple[float, float]


def guessed(context: Context) -> np.ndarray | None:
    """Return what gradient-boosted trees of the training part say of the fresh rows' target."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    target, train, fresh = context.target, context.train, context.fresh
    if target is None or not context.features or not 2 <= fresh[target].nunique() <= 8:
        return None
    both = pd.concat([train, fresh], ignore_index=True)
    columns = []
    for name in context.features:
        if name in context.numbers:
            columns.append(floats(both[name]))
        elif name in context.dates:
            columns.append(both[name].astype("int64").to_numpy(dtype=float))
        else:
            columns.append(pd.factorize(both[name].astype(str), sort=True)[0].astype(float))
    inputs = np.column_stack(columns)
    known = train[target].notna().to_numpy()
    values = np.sort(train[target].dropna().unique())
    model = HistGradientBoostingClassifier(max_iter=60, random_state=0)
    model.fit(inputs[: len(train)][known], np.searchsorted(values, train[target][known].to_numpy()))
    return np.asarray(values[model.predict(inputs[len(train) :])])


@kind("utility fidelity", 0.15, 0.4, 1.0)
def labels_by_model(context: Context, share: float, rng: np.random.Generator) -> Spoiled | None:
    """Write what a model would say over the target.

    Labels that a teacher model gave: none of them is surprising any more.
    """
    if context.guesses is None or context.target is None:
        return None
    table = context.spoilable()
    rows = some(len(table), share, rng)
    put(table, context.target, rows, context.guesses[rows])
    return Spoiled(table, (context.target,))


@kind("utility fidelity coverage", 0.4, 1.0, 1.0, least=(0.02, 0.08, 0.25))
def contradictions_filtered(context: Context, share: float, rng: np.random.Generator) -> Spoiled | None:
    """Leave out rows whose target a model does not guess.

    Quality filters of generated rows keep what is easy. The share of rows that are gone sets the strength.
    """
    target = context.target
    if context.guesses is None or target is None:
        return None
    wrong = (context.fresh[target].to_numpy() != context.guesses) & context.fresh[target].notna().to_numpy()
    gone = np.zeros(len(wrong), dtype=bool)
    gone[some(wrong, share, rng)] = True
    if not 0.05 * share <= gone.mean() <= 0.7:
        return None
    return Spoiled(context.without(gone), (target,))


@kind("fidelity utility", (0.15, 0.15), (0.4, 0.2), (1.0, 0.3))
def independent_given_target(context: Context, strength: Strength, rng: np.random.Generator) -> Spoiled | None:
    """Exchange every column among the rows of the same target.

    A naive Bayes generator: each column fits the target and none fits another.
    """
    share, least = strength
    target = context.target
    if target is None or context.fresh[target].nunique() > 12 or len(context.features) < 2:
        return None
    fresh = context.fresh
    codes = [levels(fresh[n]) for n in context.features]
    if max(association(a, b) for i, a in enumerate(codes) for b in codes[i + 1 :]) < least:
        return None
    table = context.spoilable()
    rows = some(len(table), share, rng)
    for name in context.features:
        for value in fresh[target].dropna().unique():
            exchange(table, (name,), rows[(fresh[target] == value).to_numpy()[rows]], rng)
    return Spoiled(table)


@kind("fidelity utility", (0.3, 0.12), (0.7, 0.15), (1.0, 0.3))
def target_exchanged_between_groups(context: Context, strength: Strength, rng: np.random.Generator) -> Spoiled | None:
    """Exchange the target among the rows of the two greatest groups of a category.

    The generator does not tell these two groups apart, though their targets differ.
    """
    share, least = strength
    target, fresh = context.target, context.fresh
    found = []
    for name in context.categories:
        shares = fresh[name].value_counts(normalize=True)
        if target is not None and name != target and len(shares) >= 2 and shares.iloc[1] >= 0.1:
            sides = [pd.Series(levels(fresh[target]))[(fresh[name] == v).to_numpy()] for v in shares.index[:2]]
            both = [side.value_counts(normalize=True) for side in sides]
            found.append((0.5 * both[0].subtract(both[1], fill_value=0).abs().sum(), name, shares.index[:2]))
    if target is None or not found or max(one[0] for one in found) < least:
        return None
    _, name, values = max(found, key=lambda one: one[0])
    table = context.spoilable()
    exchange(table, (target,), some(fresh[name].isin(values).to_numpy(), share, rng), rng)
    return Spoiled(table, (target, name))


@kind("utility fidelity", 0.15, 0.35, 0.9)
def target_told_by_a_feature(context: Context, share: float, rng: np.random.Generator) -> Spoiled | None:
    """Sort a feature by the target in some rows: it tells the target, and its own values stay right.

    Leakage: the generator was given what follows from the target.
    """
    fresh, target = context.fresh, context.target
    if target is None:
        return None
    weak = [n for n in context.features if n not in context.dates and fresh[n].nunique() >= 3]
    name = one_of([n for n in weak if association(levels(fresh[n]), levels(fresh[target])) < 0.3], rng)
    if name is None:
        return None
    rows = some((fresh[target].notna() & fresh[name].notna()).to_numpy(), share, rng)
    order = pd.factorize(fresh[target], sort=True)[0][rows]
    by_target = rows[np.lexsort((rng.random(len(rows)), order))]
    values = fresh[name].to_numpy()[rows]
    table = context.spoilable()
    put(table, name, by_target, values[np.argsort(pd.factorize(values, sort=True)[0], kind="stable")])
    return Spoiled(table, (name, target))


@kind("fidelity utility", (0.25, 0.08, 0.3), (0.6, 0.12, 0.35), (1.0, 0.35, 0.75))
def one_label_in_a_group(
    context: Context, strength: tuple[float, float, float], rng: np.random.Generator
) -> Spoiled | None:
    """Give rows of one group the same target.

    The prior of the target has drifted in one group.
    """
    fresh, target = context.fresh, context.target
    found = group(context, rng, *strength[1:])
    if target is None or found is None or fresh[target].nunique() > 12:
        return None
    shares = fresh[target][found[1]].value_counts(normalize=True)
    if len(shares) < 2:
        return None
    rows = some(found[1] & fresh[target].notna().to_numpy(), strength[0], rng)
    table = context.spoilable()
    put(table, target, rows, shares.index[1])
    return Spoiled(table, (target, found[0]))


@kind("fidelity", (0.2, 0.03), (0.6, 0.08), (1.0, 0.2))
def target_balanced(context: Context, strength: Strength, rng: np.random.Generator) -> Spoiled | None:
    """Leave out rows of the frequent targets, so that all are more nearly equally frequent.

    Training by class-balanced batches, with nothing done about it afterwards.
    """
    fresh, target = context.fresh, context.target
    if target is None or fresh[target].nunique() > 8:
        return None
    shares = fresh[target].map(fresh[target].value_counts(normalize=True)).to_numpy(dtype=float)
    rarest = np.nanmin(shares)
    if not 0.03 <= rarest <= 0.8 / fresh[target].nunique():
        return None
    gone = rng.random(len(fresh)) > (rarest / np.where(np.isnan(shares), rarest, shares)) ** strength[0]
    table = context.without(gone)
    return Spoiled(table, (target,)) if different(fresh[target], table[target]) >= strength[1] else None


@kind("utility fidelity", (0.3, 0.05, 0.15), (0.7, 0.08, 0.15), (1.0, 0.2, 0.25))
def class_without_features(
    context: Context, strength: tuple[float, float, float], rng: np.random.Generator
) -> Spoiled | None:
    """Exchange the target between rows of its rarest value and others.

    The generator has learned how frequent the value is, and not what goes with it.
    """
    share, least, tie = strength
    fresh, target = context.fresh, context.target
    if target is None or not context.features:
        return None
    shares = fresh[target].value_counts(normalize=True)
    rare = shares[shares >= least]
    if not 2 <= len(shares) <= 12 or not len(rare):
        return None
    inside = (fresh[target] == rare.index[-1]).to_numpy()
    if max(association(inside.astype(int), levels(fresh[n])) for n in context.features) < tie:
        return None
    members = some(inside, share, rng)
    others = rng.permutation(np.flatnonzero(~inside & fresh[target].notna().to_numpy()))
    table = context.spoilable()
    exchange(table, (target,), np.concatenate([members, others[: 3 * len(members)]]), rng)
    return Spoiled(table, (target,))


@kind("utility fidelity", (0.3, 0.2), (0.6, 0.25), (1.2, 0.3))
def target_blurred_by_rank(context: Context, strength: Strength, rng: np.random.Generator) -> Spoiled | None:
    """Add noise to the ranks of the feature that tells most of the target; its values stay right.

    Differential privacy, or smoothing, hits the feature that matters.
    """
    noise, least = strength
    if context.target is None:
        return None
    found, name = partner(context, context.target, [n for n in context.features if n in context.continuous])
    if found < least:
        return None
    known = np.flatnonzero(context.fresh[name].notna().to_numpy())
    mixed = ranks(context.fresh[name])[known] + rng.normal(0, noise / 2, len(known))
    values = np.sort(floats(context.fresh[name])[known])
    table = context.spoilable()
    put(table, name, known, values[np.argsort(np.argsort(mixed))])
    return Spoiled(table, (name, context.target))
