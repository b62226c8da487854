"""Slices: conjunctions of up to three simple conditions that hold far more, or far fewer, synthetic rows than real.

Searched on one half of the rows and counted on the other, so that no slice is judged by the rows that chose it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from synthgate.measures.fidelity.slicing import CodeArray, FloatArray, Slicer

MAX_PAIRS = 2000
MAX_TRIPLES = 2000
FACTOR = 2.0
"""How many times its right share a slice may hold before its rows count as misplaced."""
LEAST_EVIDENCE = 20.0
CLEAR_EVIDENCE = 40.0
LEAST_EXCESS = 0.002
NEARLY = 0.8
CELLS_PER_SET = 4
SEEDS = 48
CANDIDATES = 400
RAKING_ROUNDS = 4
RAKED_FROM = 4.0
MOST_MARGINAL = 4
MOST_JOINT = 10
MOST_MILD = 4

Box = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A slice: per condition the column's place among the slicers and its first and last class."""

    box: Box

    @property
    def order(self) -> int:
        """Number of columns."""
        return len(self.box)

    def holds(self, codes: CodeArray) -> NDArray[np.bool_]:
        """Tell which rows lie in the slice; `codes` has one line per column."""
        inside = np.ones(codes.shape[1], np.bool_)
        for at, first, last in self.box:
            inside &= (codes[at] >= first) & (codes[at] <= last)
        return inside

    def words(self, slicers: Sequence[Slicer]) -> str:
        """Return the slice as a condition for people."""
        return " and ".join(slicers[at].words(first, last) for at, first, last in self.box)

    def columns(self, slicers: Sequence[Slicer]) -> tuple[str, ...]:
        """Return the columns it is about."""
        return tuple(slicers[at].name for at, _, _ in self.box)


@dataclass(slots=True)
class Half:
    """The rows that slices are searched in: classes and weights of both sides.

    Weights begin at one and fall where a chosen slice, or a column of its own, explains a difference.
    """

    synthetic: CodeArray
    real: CodeArray
    weights: tuple[FloatArray, FloatArray] = field(init=False)

    def __post_init__(self) -> None:
        self.weights = (np.ones(self.synthetic.shape[1]), np.ones(self.real.shape[1]))

    def shares(self, columns: tuple[int, ...], sizes: Sequence[int]) -> tuple[FloatArray, FloatArray]:
        """Return the weighted rows of every cell of some columns, both sides as shares of all rows."""
        shape = [sizes[at] for at in columns]
        tables = []
        for codes, weights in zip((self.synthetic, self.real), self.weights, strict=True):
            place = codes[columns[0]]
            for at in columns[1:]:
                place = place * sizes[at] + codes[at]
            cells = np.bincount(place, weights=weights, minlength=int(np.prod(shape)))
            tables.append((cells / codes.shape[1]).reshape(shape))
        return tables[0], tables[1]

    def explain(self, inside: tuple[NDArray[np.bool_], NDArray[np.bool_]]) -> None:
        """Weigh the rows of a slice down on the side that holds too many, so that it shows no difference any more."""
        there = [
            float((weights * held).sum()) / max(1, len(weights))
            for weights, held in zip(self.weights, inside, strict=True)
        ]
        more = 0 if there[0] > there[1] else 1
        if there[more] > 0:
            self.weights[more][inside[more]] *= there[1 - more] / there[more]

    def rake(self, sizes: Sequence[int]) -> None:
        """Weigh rows until every column on its own agrees: what is left is how columns depend on each other.

        Columns that differ by no more than chance are left alone, for weighing noise away costs rows.
        """
        rows = (self.synthetic.shape[1], self.real.shape[1])
        for _ in range(RAKING_ROUNDS):
            for at in range(len(sizes)):
                mine, theirs = self.shares((at,), sizes)
                freedom = max(1, int(((mine + theirs) > 0).sum()) - 1)
                if evidence_of(mine, theirs, rows).sum() < freedom + RAKED_FROM * np.sqrt(2 * freedom):
                    continue
                least = np.minimum(mine, theirs)
                for k, (cells, codes) in enumerate(((mine, self.synthetic), (theirs, self.real))):
                    self.weights[k][:] *= np.divide(least, cells, out=np.ones_like(cells), where=cells > 0)[codes[at]]


def excess(mine: FloatArray, theirs: FloatArray) -> FloatArray:
    """Return the share of rows beyond double the right share, or missing below half of it."""
    return np.maximum(mine - FACTOR * theirs, theirs - FACTOR * mine)


def evidence_of(mine: FloatArray, theirs: FloatArray, rows: tuple[int, int]) -> FloatArray:
    """Return the likelihood ratio statistic of each cell's two shares being equal (Wilks 1938)."""
    n, m = rows
    a, b = mine * n, theirs * m
    both = a + b
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.where(a > 0, a * np.log(a * (n + m) / (both * n)), 0.0)
        right = np.where(b > 0, b * np.log(b * (n + m) / (both * m)), 0.0)
    return np.asarray(2 * (left + right), np.float64)


def column_sets(columns: int, rng: np.random.Generator) -> tuple[list[tuple[int, ...]], dict[int, int]]:
    """Return the pairs and triples to search, and how many there are; a seeded draw where there are too many."""
    sets: list[tuple[int, ...]] = []
    for order, most in ((2, MAX_PAIRS), (3, MAX_TRIPLES)):
        if comb(columns, order) <= most:
            sets += combinations(range(columns), order)
        else:
            drawn = {tuple(sorted(rng.choice(columns, order, replace=False).tolist())) for _ in range(most)}
            sets += sorted(drawn)
    return sets, {order: comb(columns, order) for order in (2, 3)}


@dataclass(frozen=True, slots=True)
class _Seed:
    excess: float
    evidence: float
    rule: Rule


def search(half: Half, slicers: Sequence[Slicer], rng: np.random.Generator) -> list[Rule]:
    """Find the slices that differ most, each beyond what those before it explain.

    First columns on their own; then, with every column's own difference weighed away, pairs and triples.
    """
    sizes = [slicer.size for slicer in slicers]
    singles = _grown(half, slicers, _seeds(half, sizes, [(at,) for at in range(len(sizes))]))
    rules = _choose(half, singles, MOST_MARGINAL, by_evidence=False)
    half.rake(sizes)
    sets, _ = column_sets(len(sizes), rng)
    seeds = _grown(half, slicers, _seeds(half, sizes, sets))
    rules += _choose(half, seeds, MOST_JOINT, by_evidence=False)
    return rules + _choose(half, seeds, MOST_MILD, by_evidence=True)


def _rows(half: Half) -> tuple[int, int]:
    return half.synthetic.shape[1], half.real.shape[1]


def _seeds(half: Half, sizes: Sequence[int], sets: Iterable[tuple[int, ...]]) -> list[_Seed]:
    """Return the cells of these column sets that differ most, by rows misplaced and by evidence."""
    found: list[_Seed] = []
    for columns in sets:
        mine, theirs = (table.ravel() for table in half.shares(columns, sizes))
        evidence = evidence_of(mine, theirs, _rows(half))
        clear = np.flatnonzero(evidence >= LEAST_EVIDENCE)
        if not len(clear):
            continue
        beyond = excess(mine, theirs)
        best = {
            *clear[np.argsort(-beyond[clear])[:CELLS_PER_SET]],
            *clear[np.argsort(-evidence[clear])[:CELLS_PER_SET]],
        }
        shape = [sizes[at] for at in columns]
        for cell in sorted(int(k) for k in best):
            place = np.unravel_index(cell, shape)
            box = tuple((at, int(k), int(k)) for at, k in zip(columns, place, strict=True))
            found.append(_Seed(float(beyond[cell]), float(evidence[cell]), Rule(box)))
    by_excess = sorted(found, key=lambda s: -s.excess)[:CANDIDATES]
    by_evidence = sorted(found, key=lambda s: -s.evidence)[:CANDIDATES]
    return list({seed.rule.box: seed for seed in (*by_excess, *by_evidence)}.values())


def _grown(half: Half, slicers: Sequence[Slicer], seeds: list[_Seed]) -> list[_Seed]:
    """Add, for the strongest seeds, the slice that they grow into when neighbouring classes are joined."""
    sizes = [slicer.size for slicer in slicers]
    out = {seed.rule.box: seed for seed in seeds}
    for by in ("excess", "evidence"):
        for seed in sorted(seeds, key=lambda s: -float(getattr(s, by)))[:SEEDS]:
            grown = _grow(half, slicers, sizes, seed, by)
            out[grown.rule.box] = grown
    return list(out.values())


def _grow(half: Half, slicers: Sequence[Slicer], sizes: Sequence[int], seed: _Seed, by: str) -> _Seed:
    columns = tuple(at for at, _, _ in seed.rule.box)
    tables = half.shares(columns, sizes)
    best = seed
    while True:
        tried = [_scored(half, tables, box) for box in _wider(best.rule.box, slicers)]
        better = max(tried, key=lambda s: float(getattr(s, by)), default=best)
        if getattr(better, by) <= getattr(best, by) or better.evidence < LEAST_EVIDENCE:
            return best
        best = better


def _wider(box: Box, slicers: Sequence[Slicer]) -> Iterable[Box]:
    for k, (at, first, last) in enumerate(box):
        top = slicers[at].size - 2
        if not slicers[at].is_ordered or first > top:
            continue
        for low, high in ((first - 1, last), (first, last + 1)):
            if low >= 0 and high <= top and (low, high) != (0, top):
                yield (*box[:k], (at, low, high), *box[k + 1 :])


def _scored(half: Half, tables: tuple[FloatArray, FloatArray], box: Box) -> _Seed:
    cut = tuple(slice(first, last + 1) for _, first, last in box)
    mine, theirs = (np.array([table[cut].sum()]) for table in tables)
    return _Seed(float(excess(mine, theirs)[0]), float(evidence_of(mine, theirs, _rows(half))[0]), Rule(box))


def _choose(half: Half, seeds: list[_Seed], most: int, *, by_evidence: bool) -> list[Rule]:
    """Take the slice that differs most, weigh its difference away, and look again."""
    if not seeds:
        return []
    inside = [np.stack([seed.rule.holds(codes) for seed in seeds]) for codes in (half.synthetic, half.real)]
    dense = [held.astype(np.float32) for held in inside]
    taken: list[int] = []
    for _ in range(most):
        mine, theirs = (
            (held @ weights.astype(np.float32)).astype(np.float64) / len(weights)
            for held, weights in zip(dense, half.weights, strict=True)
        )
        evidence, beyond = evidence_of(mine, theirs, _rows(half)), excess(mine, theirs)
        if by_evidence:
            score = np.where(evidence >= CLEAR_EVIDENCE, evidence, -1.0)
        else:
            score = np.where((evidence >= LEAST_EVIDENCE) & (beyond >= LEAST_EXCESS), beyond, -1.0)
        score[taken] = -1.0
        best = int(np.argmax(score))
        if score[best] <= 0:
            break
        best = _simplest(seeds, score, best)
        taken.append(best)
        half.explain((inside[0][best], inside[1][best]))
    return [seeds[at].rule for at in taken]


def _simplest(seeds: list[_Seed], score: FloatArray, best: int) -> int:
    """Return the slice with fewest conditions among those that hold the best one and differ nearly as much."""
    names = {part[0] for part in seeds[best].rule.box}
    near = [
        at for at in np.flatnonzero(score >= NEARLY * score[best]) if {part[0] for part in seeds[at].rule.box} <= names
    ]
    return int(min(near, key=lambda at: (seeds[at].rule.order, -score[at])))
