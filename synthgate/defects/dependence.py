"""Defects of dependence: every column stays as it is, and they no longer go together."""

from __future__ import annotations

from itertools import combinations, permutations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgate.defects.arrays import Rows, count_of, permuted, some_rows, with_moved
from synthgate.defects.catalogue import (
    LEAST_DEPENDENCE,
    Codes,
    Injection,
    NotApplicableError,
    Subject,
    cramers_v,
    defect,
)
from synthgate.roles import Role

if TYPE_CHECKING:
    import pyarrow as pa

TRIED_PAIRS = 10
LEAST_PAIR = 0.2
"""Cramer's V of two columns whose parting is worth noticing."""
TRIED_TRIPLES = 18
"""Columns among which a triple is looked for."""
LEAST_THREE_WAY = 0.03
"""Share of rows that a table with the same pairs and no three-way dependence places elsewhere."""
ROUNDS = 12
FloatArray = NDArray[np.float64]


@defect("Shuffled column", ("fidelity", "utility"), (0.05, 0.25, 0.5, 1.0))
def shuffled_column(subject: Subject, strength: float, rng: np.random.Generator) -> Injection:
    """Exchange the values of one column among a share of the rows."""
    if not subject.depending:
        raise NotApplicableError("no two columns depend on each other")
    name = subject.depending[int(rng.integers(min(4, len(subject.depending))))]
    rows = some_rows(subject.rows, strength, rng)
    table = permuted(subject.table, name, rows, rng)
    return Injection(table=table, columns=(name,), told=f"one column's values are exchanged in {count_of(rows, table)}")


@defect("All columns shuffled", ("fidelity", "utility"), (0.02, 0.1, 0.25, 1.0))
def all_columns_shuffled(subject: Subject, strength: float, rng: np.random.Generator) -> Injection:
    """Exchange the values of every column on its own among a share of the rows."""
    if not subject.depending:
        raise NotApplicableError("no two columns depend on each other")
    rows = some_rows(subject.rows, strength, rng)
    table = subject.table
    for name in subject.table.column_names:
        table = permuted(table, name, rows, rng)
    return Injection(table=table, columns=(), told=f"every column's values are exchanged in {count_of(rows, table)}")


@defect("Broken pair", ("fidelity", "utility"), (0.05, 0.25, 0.5, 1.0))
def broken_pair(subject: Subject, strength: float, rng: np.random.Generator) -> Injection:
    """Exchange one column's values among rows alike in a third: two columns part, the others keep to each other."""
    pairs = [pair for pair, tie in subject.dependence.items() if tie >= LEAST_PAIR][:TRIED_PAIRS]
    order = rng.permutation(len(pairs))
    for a, b in (pairs[at] for at in order):
        third = _companion(subject, a, b)
        if third is None:
            continue
        groups = subject.levels[third]
        to, source = _within(groups, np.arange(subject.rows), np.random.default_rng(rng.integers(2**31)))
        mixed = subject.levels[b].copy()
        mixed[to] = subject.levels[b][source]
        if cramers_v(subject.levels[a], mixed) > 0.7 * subject.tie(a, b):
            continue
        rows = some_rows(subject.rows, strength, rng)
        to, source = _within(groups, rows, rng)
        table = with_moved(subject.table, b, to, source)
        told = f"of two columns one's values are exchanged in {count_of(rows, table)}, among rows alike in a third"
        return Injection(table=table, columns=(a, b), told=told)
    raise NotApplicableError("no two columns depend on each other beyond what a third tells")


def _companion(subject: Subject, a: str, b: str) -> str | None:
    """Return the third column on which `b` depends most, of those that say little of `a`."""
    others = [c for c in subject.levels if c not in (a, b) and subject.tie(a, c) < 0.5 * max(0.2, subject.tie(a, b))]
    return max(others, key=lambda c: subject.tie(b, c), default=None)


def _within(groups: Codes, rows: Rows, rng: np.random.Generator) -> tuple[Rows, Rows]:
    """Return rows and the rows whose values they take, exchanged inside each group."""
    to: list[Rows] = [np.empty(0, np.intp)]
    source: list[Rows] = [np.empty(0, np.intp)]
    for group in np.unique(groups[rows]):
        here = rows[groups[rows] == group]
        to.append(here)
        source.append(rng.permutation(here))
    return np.concatenate(to), np.concatenate(source)


@defect("Correlation shrunk", ("fidelity", "utility"), (0.05, 0.15, 0.35, 0.8))
def correlation_shrunk(subject: Subject, strength: float, rng: np.random.Generator) -> Injection:
    """Mix noise into the ranks of the numbers that depend on others: distributions stay, correlations shrink.

    The strength is the noise's share of the variance of the normal scores.
    """
    depending = set(subject.depending)
    names = [n for n in subject.named(Role.NUMERICAL) if n in depending and n not in subject.targets]
    if len(names) < 2 or max(subject.tie(a, b) for a, b in combinations(names, 2)) < LEAST_DEPENDENCE:
        raise NotApplicableError("no two numbers depend on each other")
    table = subject.table
    for name in names:
        table = _noisy_ranks(table, name, subject.values(name), strength, rng)
    told = f"noise with {strength:.0%} of the variance in the ranks of {len(names)} columns, whose distributions stay"
    return Injection(table=table, columns=tuple(names), told=told)


def _noisy_ranks(table: pa.Table, name: str, values: FloatArray, share: float, rng: np.random.Generator) -> pa.Table:
    """Return a table with one column's values in the order of their normal scores mixed with noise."""
    from scipy.special import ndtri

    known = np.flatnonzero(~np.isnan(values))
    # ties are ranked at random
    order = known[np.lexsort((rng.random(len(known)), values[known]))]
    scores = np.empty(len(order))
    scores[:] = ndtri((np.arange(len(order)) + 0.5) / len(order))
    mixed = np.sqrt(1 - share) * scores + np.sqrt(share) * rng.normal(size=len(order))
    return with_moved(table, name, order[np.argsort(mixed, kind="stable")], order)


@defect("Three-way interaction destroyed", ("fidelity", "utility"), (0.1, 0.25, 0.5, 1.0))
def three_way_destroyed(subject: Subject, strength: float, rng: np.random.Generator) -> Injection:
    """Draw one column anew, given two others, from the table with the same pairs and no three-way dependence."""
    found = _strongest_triple(subject)
    if found is None:
        raise NotApplicableError("no three columns depend on each other beyond their pairs")
    names, fitted = found
    a, b, c = (subject.levels[name] for name in names)
    rows = some_rows(subject.rows, strength, rng)
    share = fitted[a[rows], b[rows]]
    total = share.sum(axis=1, keepdims=True)
    chances = np.cumsum(share / np.where(total > 0, total, 1), axis=1)
    wanted = np.minimum((rng.random(len(rows))[:, None] > chances).sum(axis=1), share.shape[1] - 1)
    wanted = np.where(total[:, 0] > 0, wanted, c[rows])
    source = np.empty(len(rows), np.intp)
    for level in np.unique(wanted):
        pool = np.flatnonzero(c == level)
        at = wanted == level
        source[at] = rng.choice(pool, int(at.sum())) if len(pool) else rows[at]
    table = with_moved(subject.table, names[2], rows, source)
    told = f"three columns keep their pairs and lose what is beyond them, in {count_of(rows, table)}"
    return Injection(table=table, columns=names, told=told)


def _strongest_triple(subject: Subject) -> tuple[tuple[str, str, str], FloatArray] | None:
    """Return the triple that is least explained by its pairs, with the fitted table; the drawn column is the last."""
    names = list(dict.fromkeys((*subject.targets, *subject.depending, *subject.levels)))
    names = [name for name in names if name in subject.levels][:TRIED_TRIPLES]
    best: tuple[float, tuple[str, str, str], FloatArray] | None = None
    for triple in combinations(names, 3):
        observed = _joint([subject.levels[name] for name in triple])
        fitted = _without_three_way(observed)
        free = np.prod([max(1, n - 1) for n in observed.shape])
        # what sampling alone places elsewhere, with one absolute standard normal a degree of freedom
        noise = float(free) * 0.4 / np.sqrt(max(1.0, float(free)) * subject.rows)
        gap = float(np.abs(observed - fitted).sum()) / 2 - noise
        if best is None or gap > best[0]:
            best = (gap, triple, fitted)
    if best is None or best[0] < LEAST_THREE_WAY:
        return None
    weakest = min(permutations(range(3)), key=lambda p: sum(subject.tie(best[1][p[2]], n) for n in subject.levels))
    a, b, c = (best[1][at] for at in weakest)
    return (a, b, c), best[2].transpose(weakest)


def _joint(levels: list[Codes]) -> FloatArray:
    shape = tuple(int(level.max(initial=0)) + 1 for level in levels)
    places = np.ravel_multi_index(tuple(levels), shape)
    counts = np.bincount(places, minlength=int(np.prod(shape))).reshape(shape)
    shares: FloatArray = counts / counts.sum()
    return shares


def _without_three_way(observed: FloatArray) -> FloatArray:
    """Return the table with the same three pair tables and no dependence beyond them.

    Source: iterative proportional fitting, Deming and Stephan (1940), Annals of Mathematical Statistics 11, 427-444.
    """
    fitted = np.full(observed.shape, 1.0 / observed.size)
    for _ in range(ROUNDS):
        for axis in range(3):
            wanted, have = observed.sum(axis=axis, keepdims=True), fitted.sum(axis=axis, keepdims=True)
            fitted = fitted * np.where(have > 0, wanted / np.where(have > 0, have, 1), 0)
    return fitted
