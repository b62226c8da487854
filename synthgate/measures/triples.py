"""Triples of columns: which ones to look at, and their three-way tables over a few coarse levels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgate.canonical import Canonical, Labels, Numbers
from synthgate.counts import GROUPS, row_groups
from synthgate.plan import ColumnPlan, bin_labels
from synthgate.statistics.distances import IntArray

if TYPE_CHECKING:
    from synthgate.evidence import Evidence
    from synthgate.sample import Sample
    from synthgate.sides import Side

Codes = NDArray[np.intp]
Triple = tuple[int, int, int]

MIN_LEVEL_ROWS = 10
OTHER, MISSING = "(other)", "(missing)"
MAX_ROWS = 30_000
ROW_TRIPLES = 40_000_000
LEAST_TRIPLES, MOST_TRIPLES = 200, 1_500
SCREENED_COLUMNS = 120
SCREEN_FLOPS = 1_500_000_000


@dataclass(frozen=True, slots=True)
class Cut:
    """Into how many levels columns are cut, one more for missing values left aside.

    Attributes
    ----------
    levels : int
        For categories: the most frequent ones, and one level for all other.
    runs : int
        For numbers and dates: runs of about equal weight.
    share : float
        Least share of the real rows that a level of its own holds; it holds at least ten rows.
    """

    levels: int = 5
    runs: int = 5
    share: float = 0.01

    @property
    def codes(self) -> int:
        """Levels, the one for missing values included."""
        return self.levels + 1


@dataclass(frozen=True, slots=True)
class Coarse:
    """One column cut into few levels, the last one for missing values.

    Attributes
    ----------
    labels : tuple of str
        What each level stands for; a level named by a value holds at least ten real rows.
    codes : dict of intp array
        Per side, the level of every used row.
    """

    name: str
    labels: tuple[str, ...]
    codes: Mapping[str, Codes]


@dataclass(frozen=True)
class Joint:
    """The columns that enter triples, coarse, over the rows that are used of each side."""

    columns: tuple[Coarse, ...]
    rows: Mapping[str, int]
    cut: Cut

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape of a three-way table."""
        return (self.cut.codes,) * 3

    @cached_property
    def candidates(self) -> int:
        """How many triples there are."""
        return comb(len(self.columns), 3)

    @cached_property
    def affordable(self) -> int:
        """How many triples are counted at most."""
        return min(MOST_TRIPLES, max(LEAST_TRIPLES, ROW_TRIPLES // max(1, sum(self.rows.values()))))

    def count(self, triples: Sequence[Triple], side: str, *, grouped: bool = False) -> IntArray:
        """Return the three-way tables of a side.

        Returns
        -------
        int64 array, shape (triples, cells), or (triples, GROUPS, cells) when `grouped`
        """
        levels, cells = self.cut.codes, self.cut.codes**3
        codes = [column.codes[side] for column in self.columns]
        group = row_groups(0, self.rows[side]) if grouped else np.int64(0)
        groups = GROUPS if grouped else 1
        out = np.empty((len(triples), groups * cells), np.int64)
        last: tuple[int, int] | None = None
        for at, (i, j, k) in enumerate(triples):
            if (i, j) != last:
                last, pair = (i, j), ((group * levels + codes[i]) * levels + codes[j]) * levels
            out[at] = np.bincount(pair + codes[k], minlength=groups * cells)
        return out.reshape(len(triples), GROUPS, cells) if grouped else out


def joint_of(evidence: Evidence, cut: Cut, rng: np.random.Generator) -> Joint:
    """Cut every comparable, varying column into coarse levels, over at most :data:`MAX_ROWS` rows a side."""
    used = {name: used_rows(side, MAX_ROWS, rng) for name, side in evidence.sides.items()}
    columns = []
    for name in evidence.shared:
        plan = evidence.plan[name]
        if plan.is_paired and all(name in side.kept for side in evidence.sides.values()):
            coarse = _coarse(plan, cut, {s: _take(side.kept[name], used[s]) for s, side in evidence.sides.items()})
            columns += [coarse] if coarse else []
    return Joint(tuple(columns), {name: len(rows) for name, rows in used.items()}, cut)


def used_rows(side: Side, most: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Return which of the kept rows are used: all, or a random `most` of them."""
    kept = len(side.index)
    return np.arange(kept) if kept <= most else np.sort(rng.choice(kept, most, replace=False))


def _take(column: Canonical, rows: NDArray[np.intp]) -> Canonical:
    if isinstance(column, Numbers):
        return Numbers(column.values[rows])
    return Labels(column.codes[rows], column.labels)


def _coarse(plan: ColumnPlan, cut: Cut, columns: Mapping[str, Canonical]) -> Coarse | None:
    fine = {side: plan.encode(column) for side, column in columns.items()}
    known = sum(np.bincount(fine[side], minlength=plan.n_codes) for side in fine if side != "synthetic")
    level, labels = _levels(plan, cut, np.asarray(known))
    codes = {side: level[code] for side, code in fine.items()}
    return Coarse(plan.name, labels, codes) if len(np.unique(codes["real"])) > 1 else None


def _levels(plan: ColumnPlan, cut: Cut, known: IntArray) -> tuple[Codes, tuple[str, ...]]:
    """Return the coarse level of every pair code, and what the levels stand for."""
    least = max(MIN_LEVEL_ROWS, cut.share * known.sum())
    level = np.full(len(known), cut.levels, np.intp)
    if plan.role.is_discrete:
        names = plan.code_labels()
        top = [c for c in np.argsort(-known[: plan.shown], kind="stable") if known[c] >= least][: cut.levels - 1]
        level[:-1] = len(top)
        level[top] = np.arange(len(top))
        shown = [names[c] for c in top]
        return level, (*shown, *[OTHER] * (cut.levels - len(shown)), MISSING)
    body = known[:-1]
    starts = _cuts(body, cut.runs, least)
    level[:-1] = np.searchsorted(starts, np.arange(len(body)), side="right")
    edges = np.array([plan.edges[start - 1] for start in starts])
    shown = bin_labels(edges, plan.role)
    return level, (*shown, *[""] * (cut.levels - len(shown)), MISSING)


def _cuts(body: IntArray, runs: int, least: float) -> list[int]:
    """Return where to cut bins in a row into at most `runs` runs of about equal weight."""
    cuts: list[int] = []
    total, held, begun = int(body.sum()), 0, 0
    for at in range(1, len(body)):
        held += int(body[at - 1])
        left = total - begun
        share = left / (runs - len(cuts))
        ahead = int(body[at])
        enough = held >= least and left - held >= least
        if len(cuts) < runs - 1 and enough and abs(held - share) <= abs(held + ahead - share):
            cuts.append(at)
            begun, held = begun + held, 0
    return cuts


@dataclass(frozen=True, slots=True)
class Chosen:
    """The triples to look at, chosen once and shared by all measures.

    Attributes
    ----------
    joint : Joint
        The columns, cut as :class:`Cut` does by default.
    triples : tuple of (int, int, int)
        Places in ``joint.columns``, rising.
    candidates : int
        How many triples they were chosen from.
    """

    joint: Joint
    triples: tuple[Triple, ...]
    candidates: int

    def within(self, other: Joint) -> list[Triple]:
        """Return the places of the same triples in columns that are cut in another way."""
        at = {column.name: place for place, column in enumerate(other.columns)}
        names = [tuple(at.get(self.joint.columns[k].name, -1) for k in triple) for triple in self.triples]
        return [(a, b, c) for a, b, c in names if min(a, b, c) >= 0]


def chosen_triples(evidence: Evidence) -> Chosen:
    """Return the triples to look at: see :func:`choose`."""

    def make(sample: Sample) -> Chosen:
        rng = sample.rng("triples")
        joint = joint_of(evidence, Cut(), rng)
        triples, candidates = choose(joint, evidence.targets, rng) if joint.candidates else ([], 0)
        return Chosen(joint, tuple(triples), candidates)

    return evidence.sample.derive("triples", make)


def choose(joint: Joint, targets: Sequence[str], rng: np.random.Generator) -> tuple[list[Triple], int]:
    """Choose the triples to score: all when they are affordable, else those that matter, and some at random.

    A third of them hold a target, a third are those whose third moment in real is the largest (columns that
    depend only jointly), the rest those whose columns depend most on each other in pairs and, in
    equal number, random ones. The choice looks at the real rows alone.

    Returns
    -------
    triples : list of (int, int, int)
        Places in ``joint.columns``, rising.
    candidates : int
        How many triples they were chosen from.
    """
    n = len(joint.columns)
    if joint.candidates <= joint.affordable:
        return list(combinations(range(n), 3)), joint.candidates
    wanted = {at for at, column in enumerate(joint.columns) if column.name in targets}
    others = [at for at in range(n) if at not in wanted]
    kept = np.sort([*wanted, *rng.permutation(others)[: max(0, SCREENED_COLUMNS - len(wanted))]]).astype(np.intp)
    places = np.array(list(combinations(range(len(kept)), 3)), np.intp)
    moment, strength = _screen(joint, kept, places, rng)
    holds_target = np.isin(kept[places], list(wanted)).any(axis=1)
    share = joint.affordable // 3
    order = [
        np.argsort(-np.where(holds_target, moment + strength, -1.0), kind="stable")[
            : min(share, int(holds_target.sum()))
        ],
        np.argsort(-moment, kind="stable")[:share],
        np.argsort(-strength, kind="stable")[: share // 2],
        rng.permutation(len(places)),
    ]
    chosen = np.array(list(dict.fromkeys(np.concatenate(order).tolist()))[: joint.affordable], np.intp)
    triples = sorted(tuple(int(v) for v in kept[row]) for row in places[chosen])
    return [(a, b, c) for a, b, c in triples], len(places)


def _screen(
    joint: Joint, kept: Codes, places: Codes, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the absolute third moment of each triple's standardised levels, and its strongest correlation."""
    rows = joint.rows["real"]
    most = int(max(200, SCREEN_FLOPS // (2 * len(kept) ** 3)))
    used = np.sort(rng.choice(rows, min(rows, most), replace=False))
    scores = np.stack([joint.columns[at].codes["real"][used] for at in kept]).astype(np.float32)
    scores -= scores.mean(axis=1, keepdims=True)
    spread = scores.std(axis=1, keepdims=True)
    scores /= np.where(spread > 0, spread, 1.0)
    pairs = np.abs(scores @ scores.T) / len(used)
    a, b, c = places.T
    moment = np.empty(len(places))
    for first in np.unique(a):
        here = a == first
        moment[here] = np.abs((scores * scores[first]) @ scores.T)[b[here], c[here]] / len(used)
    strength = np.maximum(np.maximum(pairs[a, b], pairs[a, c]), pairs[b, c]).astype(np.float64)
    return moment, strength
