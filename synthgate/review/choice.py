"""Which rows a reviewer sees: the most implausible ones, and some drawn at random."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgate.counts import PairName, pair_names
from synthgate.plan import Plan

if TYPE_CHECKING:
    from synthgate.evidence import Evidence
    from synthgate.sides import Side

MOST_PAIRS = 2_000
MOST_LIKE = 20_000
REASONS = 2
SMOOTHING = 0.5
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a row looks implausible: two of its values that real rows hardly ever have together.

    Attributes
    ----------
    known : int
        Real rows in the same cells of both columns.
    expected : float
        Real rows there if the two columns were independent.
    """

    columns: tuple[str, str]
    known: int
    expected: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One synthetic row on the page.

    Attributes
    ----------
    number : int
        Row number in the synthetic table, from 1.
    values : tuple of str or None
    at_random : bool
        Whether it was drawn at random, and not for being implausible.
    like : tuple of str or None, or None
        The real row with most cells in common, when real rows are to be shown.
    """

    number: int
    values: tuple[str | None, ...]
    reasons: tuple[Reason, ...]
    at_random: bool
    like: tuple[str | None, ...] | None = None


def choose(evidence: Evidence, rows: int, *, with_real: bool) -> tuple[tuple[str, ...], list[Shown]]:
    """Return the columns and the rows to look at, the most implausible first.

    A row's implausibility is the mean pointwise mutual information of its pairs of values among the
    real rows (Church and Hanks 1990, Computational Linguistics 16, 22-29), low meaning implausible:
    values that are merely rare do not count against it, values that do not go together do.

    Parameters
    ----------
    evidence : Evidence
    rows : int
        How many; two thirds are the most implausible, the rest is drawn at random.
    with_real : bool
        Whether to give the most similar real row beside each.
    """
    side = evidence.synthetic
    pairs = pair_names(evidence.plan, evidence.shared)[:MOST_PAIRS]
    codes = {name: evidence.plan[name].encode(side.kept[name]) for name in {n for pair in pairs for n in pair}}
    score, tables = _scores(evidence, pairs, codes, len(side.index))
    order = np.argsort(score, kind="stable")
    worst = order[: max(1, rows * 2 // 3)]
    rest = order[len(worst) :]
    drawn = np.sort(evidence.sample.rng("review").permutation(rest)[: rows - len(worst)])
    chosen = [(int(at), at_random) for group, at_random in ((worst, False), (drawn, True)) for at in group]
    names = tuple(evidence.synthetic.table.schema.names)
    values = dict(zip([at for at, _ in chosen], _values(side, [at for at, _ in chosen], names), strict=True))
    like = _likest(evidence, [at for at, _ in chosen], codes, names) if with_real else {}
    return names, [
        Shown(
            number=int(side.index[at]) + 1,
            values=values[at],
            reasons=_reasons(tables, codes, at),
            at_random=at_random,
            like=like.get(at),
        )
        for at, at_random in chosen
    ]


@dataclass(frozen=True, slots=True)
class _Table:
    pair: PairName
    known: NDArray[np.int64]
    expected: FloatArray
    information: FloatArray


def _scores(
    evidence: Evidence, pairs: list[PairName], codes: dict[str, NDArray[np.intp]], rows: int
) -> tuple[FloatArray, list[_Table]]:
    total = np.zeros(rows)
    tables = []
    for pair in pairs:
        known = evidence.pair_tables["real"][pair]
        n = max(1, int(known.sum()))
        expected = np.outer(known.sum(axis=1), known.sum(axis=0)) / n
        information = np.log((known + SMOOTHING) / (expected + SMOOTHING))
        total += information[codes[pair[0]], codes[pair[1]]]
        tables.append(_Table(pair, known, expected, information))
    return total / max(1, len(pairs)), tables


def _reasons(tables: list[_Table], codes: dict[str, NDArray[np.intp]], at: int) -> tuple[Reason, ...]:
    """Return the pairs of values that count most against a row, as far as any does."""
    found = []
    for table in tables:
        a, b = (int(codes[name][at]) for name in table.pair)
        if table.information[a, b] < -1 and table.expected[a, b] >= 1:
            found.append((float(table.information[a, b]), table, a, b))
    found.sort(key=lambda item: item[0])
    return tuple(
        Reason(columns=table.pair, known=int(table.known[a, b]), expected=float(table.expected[a, b]))
        for _, table, a, b in found[:REASONS]
    )


def _values(side: Side, places: list[int], names: tuple[str, ...]) -> Iterator[tuple[str | None, ...]]:
    """Yield the rows at some places of a side's sample, as text, in that order."""
    numbers = [int(side.index[at]) for at in places]
    wanted, found, first = set(numbers), {}, 0
    for batch in side.table.batches():
        here = [n for n in wanted if first <= n < first + batch.num_rows]
        for number in here:
            row = batch.slice(number - first, 1)
            found[number] = tuple(
                _text(row.column(name)[0].as_py()) if name in row.schema.names else None for name in names
            )
        first += batch.num_rows
    for number in numbers:
        yield found[number]


def _text(value: object) -> str | None:
    if value is None:
        return None
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _likest(
    evidence: Evidence, places: list[int], codes: dict[str, NDArray[np.intp]], names: tuple[str, ...]
) -> dict[int, tuple[str | None, ...]]:
    """Return for each row the real row that shares most cells with it."""
    side = evidence.real
    most = min(len(side.index), MOST_LIKE)
    real = {name: _codes_of(evidence.plan, side, name)[:most] for name in codes if name in side.kept}
    nearest = []
    for at in places:
        same = np.zeros(most, np.int32)
        for name, column in real.items():
            same += column == codes[name][at]
        nearest.append(int(np.argmax(same)))
    return dict(zip(places, _values(side, nearest, names), strict=True))


def _codes_of(plan: Plan, side: Side, name: str) -> NDArray[np.intp]:
    return plan[name].encode(side.kept[name])
