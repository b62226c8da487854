"""Defects of whole rows: who is there, who is not, and who was copied."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgate.canonical import Labels, Numbers
from synthgate.defects.arrays import Rows, count_of, permuted, some_rows, with_column, with_numbers
from synthgate.defects.catalogue import Injection, NotApplicableError, Subject, defect, numbers_of, read
from synthgate.roles import Role

if TYPE_CHECKING:
    import pyarrow as pa

JITTER = 0.01
"""Of near copies, in standard deviations of the column."""
CLUSTERS = 20
TRIES = 20
RARE = 0.05
"""Greatest share of a category that counts as rare."""


@defect("Memorised rows", ("privacy",), (0.001, 0.01, 0.05, 0.25))
def memorised_rows(subject: Subject, strength: float, rng: np.random.Generator) -> Injection:
    """Put exact copies of training rows in the place of a share of the rows; keys stay new."""
    spoiled, rows, _ = _copied(subject, strength, rng)
    return Injection(table=spoiled, columns=(), told=f"{count_of(rows, spoiled)} are copies of real rows, keys aside")


@defect("Near copies", ("privacy",), (0.001, 0.01, 0.05, 0.25))
def near_copies(subject: Subject, strength: float, rng: np.random.Generator) -> Injection:
    """Put training rows with a little noise in the place of a share of the rows; keys stay new.

    Numbers move by a hundredth of their standard deviation; a table without numbers gets one other cell a row.
    """
    spoiled, rows, _ = _copied(subject, strength, rng)
    for name in subject.named(Role.NUMERICAL):
        plan, values = subject.plan[name], numbers_of(subject.plan, spoiled, name)
        finite = values[np.isfinite(values)]
        spread = float(np.std(finite)) if len(finite) else 0.0
        noise = rng.normal(0, JITTER * spread, len(rows))
        step = 1.0 if plan.integral else 10.0**-plan.decimals
        moved = values.copy()
        moved[rows] = np.round(np.round((values[rows] + noise) / step) * step, plan.decimals)
        if spread > 0:
            spoiled = with_numbers(spoiled, plan, moved)
    if not subject.named(Role.NUMERICAL):
        names = subject.named(Role.CATEGORICAL, Role.BOOLEAN, Role.DATETIME)
        if len(names) < 2:
            raise NotApplicableError("there are too few columns for a copy to differ in one of them")
        spoiled = permuted(spoiled, names[int(rng.integers(len(names)))], rows, rng)
    return Injection(
        table=spoiled, columns=(), told=f"{count_of(rows, spoiled)} are real rows with a little noise, keys aside"
    )


def _own(subject: Subject) -> set[str]:
    """Return the columns that stay a row's own when the row is written over: keys and ids."""
    return {c.name for c in subject.plan.columns if c.role is Role.ID} | set(subject.keys)


def _copied(subject: Subject, share: float, rng: np.random.Generator) -> tuple[pa.Table, Rows, Rows]:
    """Return the table with training rows at some places, the places, and the training rows' numbers."""
    import pyarrow as pa

    rows = some_rows(subject.rows, share, rng)
    source = rng.permutation(subject.train.num_rows)
    while len(source) < len(rows):
        source = np.concatenate((source, rng.permutation(subject.train.num_rows)))
    source = source[: len(rows)]
    spoiled = subject.table
    places = np.arange(subject.rows)
    places[rows] = subject.rows + source
    own = _own(subject)
    for name in subject.table.column_names:
        if name in subject.train.column_names and name not in own:
            pool = pa.concat_tables([subject.table.select([name]), subject.train.select([name])])
            spoiled = with_column(spoiled, name, pool[name].take(pa.array(places)))
    return spoiled, rows, source


@defect("Repeated rows", ("coverage",), (0.02, 0.08, 0.15, 0.4))
def repeated_rows(subject: Subject, strength: float, rng: np.random.Generator) -> Injection:
    """Write other rows of the table in the place of a share of the rows; keys stay."""
    rows = some_rows(subject.rows, strength, rng)
    others = np.setdiff1d(np.arange(subject.rows), rows)
    if not len(others):
        raise NotApplicableError("there are too few rows for some to be repeated")
    places = np.arange(subject.rows)
    places[rows] = rng.choice(others, len(rows))
    spoiled = subject.table.take(places)
    for name in _own(subject) & set(spoiled.column_names):
        spoiled = with_column(spoiled, name, subject.table[name])
    if spoiled.equals(subject.table):
        raise NotApplicableError("all rows are alike")
    return Injection(table=spoiled, columns=(), told=f"{count_of(rows, spoiled)} are other rows again, keys aside")


@defect("Mode collapse", ("coverage", "fidelity", "utility"), (0.01, 0.05, 0.18, 0.42))
def mode_collapse(subject: Subject, strength: float, rng: np.random.Generator) -> Injection:
    """Leave out whole clusters of rows (k-means on standardised columns) until a share of the rows is gone."""
    from sklearn.cluster import KMeans

    matrix = _matrix(subject)
    if not matrix.shape[1] or subject.rows < 10 * CLUSTERS:
        raise NotApplicableError(f"fewer than {10 * CLUSTERS} rows, or no column that can be clustered")
    model = KMeans(CLUSTERS, n_init=1, max_iter=50, random_state=int(rng.integers(2**31)))
    labels = model.fit_predict(matrix)
    sizes = np.bincount(labels, minlength=CLUSTERS)
    gone = _closest(sizes, [rng.permutation(CLUSTERS) for _ in range(TRIES)], strength * subject.rows)
    keep = ~np.isin(labels, gone)
    return _without(
        subject, keep, (), f"{len(gone)} of {CLUSTERS} clusters of rows are missing, {_lost(keep)} of the rows"
    )


def _matrix(subject: Subject) -> NDArray[np.float64]:
    parts = []
    for name in subject.named(Role.NUMERICAL, Role.DATETIME, Role.CATEGORICAL, Role.BOOLEAN):
        column = read(subject.plan, subject.table, name)
        if isinstance(column, Numbers):
            finite = np.isfinite(column.values)
            middle, spread = (f(column.values[finite]) if finite.any() else 0.0 for f in (np.mean, np.std))
            parts.append(np.where(finite, column.values - middle, 0.0)[:, None] / (spread or 1.0))
        else:
            levels = subject.coarse(name)
            parts.append(np.eye(levels.max(initial=0) + 1)[levels])
    return np.hstack(parts) if parts else np.empty((subject.rows, 0))


def _closest(sizes: NDArray[np.int64], orders: Sequence[Rows], wanted: float) -> Rows:
    """Return the first parts, in one of some orders, whose sizes add up closest to what is wanted.

    Raises
    ------
    NotApplicableError
        When that is not even half of it, or more than twice as much.
    """
    best, taken = float("inf"), np.empty(0, np.intp)
    for order in orders:
        off = np.abs(np.log(np.maximum(1, np.cumsum(sizes[order])) / wanted))
        if len(off) and off.min() < best:
            best, taken = float(off.min()), order[: int(off.argmin()) + 1]
    if best > np.log(2):
        raise NotApplicableError("no parts of the table hold about as many rows as this severity takes")
    return taken


@defect("Rare categories dropped", ("coverage", "fidelity"), (0.002, 0.0075, 0.04, 0.07))
def rare_category_dropped(subject: Subject, strength: float, rng: np.random.Generator) -> Injection:
    """Leave out the rows of a column's rarest categories, those that hold a share of the rows together."""
    found: list[tuple[str, Labels, NDArray[np.int64]]] = []
    for name in subject.named(Role.CATEGORICAL):
        column = read(subject.plan, subject.table, name)
        if not isinstance(column, Labels):
            continue
        counts = np.bincount(column.codes[column.codes >= 0], minlength=len(column.labels))
        if (counts > 0).sum() >= 4 and 0 < counts[counts > 0].min() <= RARE * subject.rows:
            found.append((name, column, counts))
    if not found:
        raise NotApplicableError("no column has rare categories")
    # the column with most of them, so that the ladder has steps
    name, column, counts = max(found, key=lambda item: int((item[2] > 0).sum()))
    del rng
    rare = np.flatnonzero((counts > 0) & (counts <= 2 * RARE * subject.rows))
    gone = _closest(counts, [rare[np.argsort(counts[rare], kind="stable")]], strength * subject.rows)
    keep = ~np.isin(column.codes, gone)
    return _without(
        subject, keep, (name,), f"{len(gone)} rare categories are missing, {_lost(keep)} of the rows had them"
    )


@defect("Lost subgroup", ("coverage", "fidelity", "utility"), (0.01, 0.025, 0.05, 0.12))
def lost_subgroup(subject: Subject, strength: float, rng: np.random.Generator) -> Injection:
    """Leave out the rows that have two values together, where that is about a share of the rows."""
    names = [n for n in subject.named(Role.CATEGORICAL, Role.BOOLEAN) if n in subject.levels]
    best: tuple[float, tuple[str, ...], NDArray[np.bool_]] | None = None
    for a, b in combinations(names, 2):
        both = subject.levels[a] * 10 + subject.levels[b]
        expected = np.bincount(both)
        # the last level is the rest: missing values and everything rare
        cells = [cell for cell in np.flatnonzero(expected) if cell % 10 < 5 and cell // 10 < 5]
        for cell in cells:
            off = abs(np.log(expected[cell] / subject.rows / strength))
            if best is None or off < best[0]:
                best = (float(off), (a, b), both == cell)
    if best is None or best[0] > np.log(2):
        raise NotApplicableError(f"no two categories occur together in about {strength:.1%} of the rows")
    return _without(subject, ~best[2], best[1], f"one combination of values is missing, {_lost(~best[2])} of the rows")


def _lost(keep: NDArray[np.bool_]) -> str:
    return f"{1 - keep.mean():.1%}"


def _without(subject: Subject, keep: NDArray[np.bool_], columns: tuple[str, ...], told: str) -> Injection:
    import pyarrow as pa

    if not keep.any():
        raise NotApplicableError("no row would be left")
    return Injection(table=subject.table.filter(pa.array(keep)), columns=columns, told=told)
