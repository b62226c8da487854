"""Slices of test rows: conditions in words, and those in which synthetic training loses most."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthgate.measures.utility.scores import row_losses
from synthgate.measures.utility.trials import Trial, closest_look
from synthgate.plan import format_value
from synthgate.sample import Sample

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Holds = Callable[[NDArray[Any]], BoolArray]

LEAST_SLICE_ROWS = 60
LEAST_SLICE_SHARE = 0.03
MAX_LEVELS = 10
MAX_SLICE_COLUMNS = 30
DEEPENED = 6
FOUND = 3
SURE = 2.0
NEARLY = 0.85
OVERLAP = 0.4
LEAST_SAVED = 0.05


@dataclass(frozen=True, slots=True)
class Slice:
    """Test rows that meet a condition.

    Attributes
    ----------
    words : str
        The condition, such as ``'sex' is 'Female'``.
    columns : tuple of str
    rows : bool array
        Over all test rows.
    """

    words: str
    columns: tuple[str, ...]
    rows: BoolArray


@dataclass(frozen=True, slots=True)
class SingleSlice(Slice):
    """Test rows that meet a condition on one column.

    Attributes
    ----------
    holds : callable
        Tells which values of the column, as samples hold them, meet the condition.
    """

    holds: Holds


@dataclass(frozen=True, slots=True)
class Search:
    """The slices that one half of the test rows shows to lose most, worst first.

    Attributes
    ----------
    tried : int
        Conditions that were compared.
    kept : bool array
        Test rows that took no part in the search, on which the slices are to be measured.
    """

    slices: tuple[Slice, ...]
    tried: int
    kept: BoolArray


def single_slices(sample: Sample, trial: Trial) -> list[SingleSlice]:
    """Return conditions on one column that hold for at least 3 % of the test rows and for 60.

    The more frequent levels of discrete columns, the lowest, middle and highest third of continuous ones, and missing
    values. Conditions on more than 30 columns are a random part of them.
    """
    tested, where = trial.split.tested, trial.test_rows
    names = [
        n for n, role in sample.roles.items() if n != trial.task.target and (role.is_discrete or role.is_continuous)
    ]
    drawn = np.sort(sample.rng("utility.slices").permutation(len(names))[:MAX_SLICE_COLUMNS])
    out: list[SingleSlice] = []
    for name in (names[k] for k in drawn):
        values = tested.columns[name][where]
        parts = _levels(sample, name, values) if sample.roles[name].is_discrete else _thirds(sample, name, values)
        masks = [(words, holds(values), holds) for words, holds in parts]
        out += [SingleSlice(words, (name,), rows, holds) for words, rows, holds in masks if _is_large(rows)]
    return out


def _is_large(rows: BoolArray) -> bool:
    count = int(rows.sum())
    return max(LEAST_SLICE_ROWS, LEAST_SLICE_SHARE * len(rows)) <= count < len(rows)


def _levels(sample: Sample, name: str, codes: NDArray[np.int32]) -> Iterator[tuple[str, Holds]]:
    yield f"{name!r} is missing", _is_gap
    counts = np.bincount(codes[codes >= 0], minlength=1)
    for code in np.argsort(-counts, kind="stable")[:MAX_LEVELS]:
        yield f"{name!r} is {sample.dictionaries[name][code]!r}", partial(np.equal, code)


def _is_gap(values: NDArray[Any]) -> BoolArray:
    return np.isnan(values) if values.dtype.kind == "f" else values < 0


def _between(low: float, high: float, values: NDArray[Any]) -> BoolArray:
    return (values > low) & (values <= high)


def _thirds(sample: Sample, name: str, values: FloatArray) -> Iterator[tuple[str, Holds]]:
    yield f"{name!r} is missing", _is_gap
    known = np.sort(values[~np.isnan(values)])
    if not len(known) or known[0] == known[-1]:
        return
    low, high = known[len(known) // 3], known[(2 * len(known)) // 3]
    edges = [format_value(edge, sample.roles[name]) for edge in (low, high)]
    yield f"{name!r} is at most {edges[0]}", partial(np.greater_equal, low)
    if low < high:
        yield f"{name!r} is over {edges[0]} and at most {edges[1]}", partial(_between, low, high)
        yield f"{name!r} is over {edges[1]}", partial(np.less, high)
    else:
        yield f"{name!r} is over {edges[0]}", partial(np.less, low)


def find_slices(sample: Sample, trial: Trial) -> Search:
    """Find up to three slices in which training on synthetic rows loses most, on a random half of the test rows.

    Conditions on one column, and of the six worst with each other column's, are ranked by the share of the loss that
    real training saves within the slice and synthetic training does not, less two standard errors, at most all of it.
    Of conditions that lose nearly as much (85 %) as the worst, the broadest is taken: a part of a spoilt group is as
    spoilt as the group.
    """
    order = sample.rng(f"utility.slices {trial.task.target}").permutation(len(trial.truth))
    kept = np.zeros(len(order), np.bool_)
    kept[order[: len(order) // 2]] = True
    singles = single_slices(sample, trial)
    if not singles:
        return Search((), 0, kept)
    lost = _Lost(trial, ~kept)
    first = lost.of([s.rows for s in singles])
    worst = [singles[k] for k in np.argsort(-first, kind="stable")[:DEEPENED]]
    pairs = [pair for at, one in enumerate(worst) for pair in _deepened(one, singles, worst[:at])]
    slices, values = [*singles, *pairs], np.concatenate([first, lost.of([s.rows for s in pairs])])
    found: list[Slice] = []
    for _ in range(FOUND):
        apart = [k for k, s in enumerate(slices) if values[k] > 0 and not any(_overlap(s, f) for f in found)]
        if not apart:
            break
        best = max(values[k] for k in apart)
        near = [k for k in apart if values[k] >= NEARLY * best]
        found.append(slices[max(near, key=lambda k: (int(slices[k].rows.sum()), -len(slices[k].columns)))])
    return Search(tuple(found), len(slices), kept)


def _deepened(one: Slice, singles: Sequence[Slice], done: Sequence[Slice]) -> Iterator[Slice]:
    for other in singles:
        if other.columns == one.columns or other in done:
            continue
        both = one.rows & other.rows
        if _is_large(both) and both.sum() < 0.9 * one.rows.sum():
            yield Slice(f"{one.words} and {other.words}", one.columns + other.columns, both)


def _overlap(one: Slice, other: Slice) -> bool:
    both = int((one.rows & other.rows).sum())
    return both > OVERLAP * min(int(one.rows.sum()), int(other.rows.sum()))


class _Lost:
    """The share of what real training saves that synthetic training loses, per slice of some test rows."""

    def __init__(self, trial: Trial, rows: BoolArray) -> None:
        best = closest_look(trial)
        truth = trial.truth[rows]
        real = row_losses(truth, best.real.said[rows])
        more = row_losses(truth, best.synthetic.said[rows]) - real
        self._rows = rows
        classes = len(trial.task.classes)
        shown = np.eye(classes)[truth.astype(np.int64)] if classes else np.column_stack([truth, truth**2])
        self._is_classes = bool(classes)
        self._sums = np.column_stack([np.ones(len(truth)), real, more, more**2, shown])

    def of(self, slices: Sequence[BoolArray]) -> FloatArray:
        """Return the share lost, at most one, less two standard errors; -1 where real training saves nothing."""
        if not slices:
            return np.empty(0)
        sums = np.stack(slices)[:, self._rows].astype(np.float64) @ self._sums
        count = np.maximum(sums[:, 0], 1.0)
        real, more, square = (sums[:, k] / count for k in (1, 2, 3))
        shown = sums[:, 4:] / count[:, None]
        if self._is_classes:
            base = -(shown * np.log(np.maximum(shown, 1e-12))).sum(axis=1)
        else:
            base = shown[:, 1] - shown[:, 0] ** 2
        saved = base - real
        error = np.sqrt(np.maximum(square - more**2, 0.0) / count)
        low = (np.minimum(more, saved) - SURE * error) / np.where(saved > 0, saved, 1.0)
        return np.where((saved > LEAST_SAVED * base) & (sums[:, 0] >= LEAST_SLICE_ROWS / 3), low, -1.0)
