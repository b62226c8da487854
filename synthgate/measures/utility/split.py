"""Which rows train and which rows test, and which columns may be used to predict a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthgate.findings import Skip
from synthgate.measures.utility.features import Columns, group_codes, mid_ranks, strongest
from synthgate.roles import Role
from synthgate.sample import Sample, SampleSide

IntArray = NDArray[np.int64]

TEST_SHARE = 0.25
LATE_SHARE = 0.3
MAX_FEATURES = 100
SCREENED_ROWS = 4000
MANY_COLUMNS = 1000
CHECKED_ROWS = 20_000
FEW_DUPLICATES = 0.05
BY_CHANCE = np.log(1e-6)
SURE_ROWS = 500


@dataclass(frozen=True, slots=True)
class Split:
    """Rows that train and rows that test.

    Attributes
    ----------
    real, synthetic : int64 array
        Training rows of each side, equally many.
    test : int64 array
        Test rows of `tested`.
    tested : SampleSide
        The holdout; the real side where there is none.
    has_holdout : bool
    duplicates : int
        Test rows that also occur in the real training rows.
    dropped : bool
        Whether these were left out; they stay in where chance alone explains them.
    real_pool, synthetic_pool : int64 array
        All rows that may train, where sizes are not matched.
    by_time : str
        How time orders the split, and what is wrong with it; empty without a time column.
    """

    real: IntArray
    synthetic: IntArray
    test: IntArray
    tested: SampleSide
    has_holdout: bool
    duplicates: int
    dropped: bool
    real_pool: IntArray
    synthetic_pool: IntArray
    by_time: str = ""


def make_split(sample: Sample, max_train_rows: int, max_test_rows: int, time: str = "") -> Split:
    """Draw as many training rows from real and synthetic, and find the test rows.

    Test rows that are copies of real training rows are left out: a model may know them by heart. In a table of few
    distinct rows copies are no leak, so they stay where real training rows repeat each other as often.

    Parameters
    ----------
    time : str
        A continuous column that orders the rows: without a holdout the last 30 % of real test, and no row from their
        time trains; a holdout that is not later than real is told.
    """
    rng = sample.rng("utility.split")
    tested = sample.holdout if sample.holdout is not None else sample.real
    pool, test = np.arange(sample.real.rows), np.arange(tested.rows)
    synthetic, by_time = np.arange(sample.synthetic.rows), ""
    if sample.holdout is None and time:
        pool, test, synthetic, by_time = _past_and_future(sample, time)
    elif sample.holdout is None:
        order = rng.permutation(sample.real.rows)
        cut = round(TEST_SHARE * len(order))
        test, pool = np.sort(order[:cut]), np.sort(order[cut:])
    elif time:
        by_time = _told_order(sample.real.columns[time], sample.holdout.columns[time], time)
    size = min(len(pool), len(synthetic), max_train_rows)
    duplicates, twins = _copies(sample, pool, tested, test)
    share = float(duplicates.mean()) if len(test) else 0.0
    dropped = bool(duplicates.any()) and (share <= FEW_DUPLICATES or share > 1.5 * twins)
    kept = test[~duplicates] if dropped else test
    return Split(
        real=np.sort(rng.permutation(pool)[:size]),
        synthetic=np.sort(rng.permutation(synthetic)[:size]),
        test=np.sort(rng.permutation(kept)[:max_test_rows]),
        tested=tested,
        has_holdout=sample.holdout is not None,
        duplicates=int(duplicates.sum()),
        dropped=dropped,
        real_pool=pool,
        synthetic_pool=synthetic,
        by_time=by_time,
    )


def _past_and_future(sample: Sample, time: str) -> tuple[IntArray, IntArray, IntArray, str]:
    """Split real rows at a moment: what came up to it trains, what came later tests.

    Synthetic rows from after that moment do not train either: they would tell of the time that is tested.
    """
    real, synthetic = sample.real.columns[time], sample.synthetic.columns[time]
    known = np.sort(real[~np.isnan(real)])
    if not len(known):
        nothing = np.empty(0, np.int64)
        return nothing, nothing, nothing, f"{time!r} is missing in every real row"
    cut = known[max(0, round((1 - LATE_SHARE) * len(known)) - 1)]
    if cut == known[-1] and known[0] < cut:
        cut = known[np.searchsorted(known, cut) - 1]
    past, early = np.flatnonzero(real <= cut), np.flatnonzero(synthetic <= cut)
    told = f"the latest {1 - len(past) / len(known):.0%} of real rows by {time!r} test, and only earlier rows train"
    undated = len(real) - len(known)
    if undated:
        told += f"; {undated:,} real rows without a time are left out"
    return past, np.flatnonzero(real > cut), early, told


def _told_order(real: NDArray[np.float64], holdout: NDArray[np.float64], time: str) -> str:
    """Say whether the holdout is later than real."""
    before, after = real[~np.isnan(real)], holdout[~np.isnan(holdout)]
    if not len(before) or not len(after):
        return f"{time!r} is missing in every row of {'the holdout' if len(before) else 'real'}"
    early = float((after <= before.max()).mean())
    if not early:
        return f"the holdout is later than every real row by {time!r}"
    return (
        f"{early:.0%} of the holdout rows are not later than the last real row by {time!r}: "
        "training rows may tell of the time that is tested"
    )


def take(side: SampleSide, names: Sequence[str], rows: IntArray) -> dict[str, NDArray[Any]]:
    """Return some columns of some rows."""
    return {name: side.columns[name][rows] for name in names}


def _copies(sample: Sample, pool: IntArray, tested: SampleSide, test: IntArray) -> tuple[NDArray[np.bool_], float]:
    """Tell which test rows also occur in the pool, and which share of the pool has a twin there."""
    names = [name for name, role in sample.roles.items() if role not in (Role.ID, Role.VECTOR)]
    if not names or not len(pool):
        return np.zeros(len(test), np.bool_), 0.0
    known, counts = np.unique(row_keys(take(sample.real, names, pool)), return_counts=True)
    twins = float(counts[counts > 1].sum() / len(pool))
    return np.isin(row_keys(take(tested, names, test)), known), twins


def row_keys(columns: Columns) -> NDArray[np.uint64]:
    """Return one 64-bit number per row, equal for equal rows (missing equals missing)."""
    keys = np.zeros(len(next(iter(columns.values()))), np.uint64)
    for values in columns.values():
        plain = values.astype(np.float64) + 0.0
        bits = np.where(np.isnan(plain), np.nan, plain).view(np.uint64)
        keys = (keys ^ bits) * np.uint64(0x9E3779B97F4A7C15)
        keys ^= keys >> np.uint64(29)
        keys *= np.uint64(0xBF58476D1CE4E5B9)
        keys ^= keys >> np.uint64(32)
    return keys


def find_features(
    sample: Sample, split: Split, target: str, outcome: NDArray[np.float64], barred: Mapping[str, str] | None = None
) -> tuple[list[str], list[Skip]]:
    """Return the columns that may predict `target`, and those left out, with why.

    Parameters
    ----------
    barred : dict of str
        Columns that must not predict, and why: keys, and the time that orders the rows.
    outcome : float64 array
        The target in the real training rows: class numbers or values, NaN for missing.
    """
    skipped: list[Skip] = []
    names: list[str] = []
    last_resort: list[str] = []
    for name, role in sample.roles.items():
        if name == target:
            continue
        if barred and name in barred:
            skipped.append(Skip(name, barred[name]))
        elif role in (Role.TEXT, Role.VECTOR):
            last_resort.append(name)
        elif role is Role.ID:
            skipped.append(Skip(name, "an id predicts nothing"))
        elif _is_gone(split.tested.columns[name]):
            skipped.append(Skip(name, f"missing in every row of {'the holdout' if split.has_holdout else 'real'}"))
        else:
            names.append(name)
    everything = names
    if len(names) > 2 * MAX_FEATURES:
        names = _screened(sample, split, names, outcome, 2 * MAX_FEATURES)
    names, determining = _without_determining(sample, split, names, target)
    skipped += [Skip(name, f"determines {target!r}: to predict would be to look up") for name in determining]
    if names:
        skipped += [
            Skip(name, f"{sample.roles[name]} columns are used only where nothing else is") for name in last_resort
        ]
    else:
        names = last_resort
    if len(names) > MAX_FEATURES:
        names = _screened(sample, split, names, outcome, MAX_FEATURES)
    used = {*names, *determining}
    weak = f"not among the {MAX_FEATURES} columns that tell most about {target!r}"
    return names, skipped + [Skip(name, weak) for name in everything if name not in used]


def _is_gone(values: NDArray[Any]) -> bool:
    return bool(np.isnan(values).all()) if values.dtype.kind == "f" else bool((values < 0).all())


def _without_determining(
    sample: Sample, split: Split, names: Sequence[str], target: str
) -> tuple[list[str], list[str]]:
    values = sample.real.columns[target][split.real[:CHECKED_ROWS]]
    known = ~np.isnan(values) if values.dtype.kind == "f" else values >= 0
    rows, outcome = split.real[:CHECKED_ROWS][known], values[known].astype(np.float64)
    determining = [name for name in names if determines(sample.real.columns[name][rows], outcome)]
    return [name for name in names if name not in determining], determining


def _screened(sample: Sample, split: Split, names: Sequence[str], outcome: NDArray[np.float64], most: int) -> list[str]:
    rows = SCREENED_ROWS if len(names) <= MANY_COLUMNS else SCREENED_ROWS // 4
    known = np.flatnonzero(~np.isnan(outcome))[:rows]
    values = outcome[known]
    classes = np.unique(values)
    parts = (values[:, None] == classes).astype(np.float64) if len(classes) <= 20 else mid_ranks(values)[:, None]
    return strongest(take(sample.real, names, split.real[known]), sample.roles, parts, most)


def determines(column: NDArray[Any], outcome: NDArray[np.float64]) -> bool:
    """Tell whether a column gives the outcome away: the same thing under another name, or a finer one.

    True for columns of the same order (rank correlation of 1), and where rows that share a value share the
    outcome, without exception and more often than chance explains. Where the outcome does not give the column back,
    500 rows must show it: in few rows a strong feature looks the same.
    """
    if len(outcome) < 20:
        return False
    groups, classes = group_codes(column), group_codes(outcome)
    if column.dtype.kind == "f" and not np.isnan(column).any() and classes.max() >= 10 and _same_order(column, outcome):
        return True
    if not _is_function(groups, classes):
        return False
    shared = int((np.bincount(groups)[groups] > 1).sum())
    return _is_function(classes, groups) or shared >= SURE_ROWS


def _same_order(column: NDArray[np.float64], outcome: NDArray[np.float64]) -> bool:
    a, b = mid_ranks(column), mid_ranks(outcome)
    spread = float(a.std() * b.std())
    return spread > 0 and abs(float(((a - a.mean()) * (b - b.mean())).mean())) / spread > 1 - 1e-6


def _is_function(groups: IntArray, classes: IntArray) -> bool:
    """Tell whether rows of one group are always of one class, beyond chance, for half of the rows at least."""
    sizes = np.bincount(groups)
    if sizes[sizes > 1].sum() < len(groups) / 2 or classes.max() == 0:
        return False
    first = np.zeros(len(sizes), np.int64)
    first[groups[::-1]] = classes[::-1]
    if (first[groups] != classes).any():
        return False
    shares = np.bincount(classes) / len(classes)
    repeated, many = np.unique(np.minimum(sizes[sizes > 1], 200), return_counts=True)
    pure = np.log(np.maximum((shares[:, None] ** repeated).sum(axis=0), 1e-300))
    return bool((pure * many).sum() < BY_CHANCE)
