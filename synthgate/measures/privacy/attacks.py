"""The attacks: each gives every queried record a score, higher meaning more likely a member.

An attacker sees the synthetic rows S and a reference R of holdout rows of other folds. Scores are
compared within a fold only. The ensemble is fixed and versioned, since adding attacks costs power.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, pairwise
from math import prod

import numpy as np
from numpy.typing import NDArray

from synthgate.measures.privacy.boosted import boosted_scores
from synthgate.measures.privacy.encodings import Encoding, Floats, Ints, Rows, narrow
from synthgate.measures.privacy.neighbours import agreement_index, best_agreement, distance_index, nearest
from synthgate.measures.privacy.panel import Panel
from synthgate.threads import spread

ENSEMBLE = "v1"
NEAR = 8
MAX_NEAR = 32
LEAST_DISTANCE = 1e-3
REFERENCE_FACTOR = 1.15
MAX_PAIRS = 1_000
ALL_PAIRS_COLUMNS = 45
ALL_TRIPLES_COLUMNS = 20
MAX_TRIPLES = 500
DIRECT_SHARE = 4
FEW_KNOWN = 4
TRAINED_ROWS = 6_000
TRAINED_ROUNDS = 60
TRAINED_LEAVES = 31
ROWS_PER_ROUND = 100


@dataclass(frozen=True)
class Stage:
    """What the attacks of one run look at; the neighbour passes are made once."""

    encoding: Encoding
    panel: Panel
    seed: int

    @property
    def synthetic(self) -> Rows:
        """The synthetic rows, copies kept: their number carries the leak."""
        return self.encoding.synthetic

    def folds(self) -> Iterator[tuple[Ints, Rows, Rows]]:
        """Yield per fold the places of its queries, the queries and the reference."""
        for f, reference in enumerate(self.panel.references):
            at = np.flatnonzero(self.panel.fold == f)
            yield at, self.panel.queries.take(at), reference

    @cached_property
    def near_synthetic(self) -> Floats:
        """Distances to the nearest synthetic rows, shape (queries, k)."""
        sizes = [len(reference) for reference in self.panel.references]
        k = min(MAX_NEAR, max(1, round(NEAR * len(self.synthetic) / max(1.0, float(np.mean(sizes))))))
        return nearest(self.panel.queries, distance_index(self.synthetic, self.encoding), k)[0]

    @cached_property
    def near_reference(self) -> Floats:
        """Distances to the nearest reference rows, shape (queries, k)."""
        k = min(NEAR, *(len(reference) for reference in self.panel.references))
        out = np.empty((len(self.panel.queries), k))
        for at, queries, reference in self.folds():
            out[at] = nearest(queries, distance_index(reference, self.encoding), k)[0]
        return out


def dcr(stage: Stage) -> Floats:
    """Nearness to the closest synthetic row (GAN-Leaks, Chen et al. 2020)."""
    return -stage.near_synthetic[:, 0]


def dcr_cal(stage: Stage) -> Floats:
    """Nearness to the closest synthetic row against the closest reference row, as a log ratio."""
    return _logs(stage.near_reference[:, :1]) - _logs(stage.near_synthetic[:, :1])


def knn_ratio(stage: Stage) -> Floats:
    """Local density of synthetic rows against reference rows, by nearest neighbours.

    A density-ratio attack in the manner of DOMIAS (van Breugel et al. 2023, arXiv 2302.12580).
    """
    return _logs(stage.near_reference) - _logs(stage.near_synthetic)


def _logs(distances: Floats) -> Floats:
    means: Floats = np.log(distances + LEAST_DISTANCE).mean(axis=1)
    return means


def agreement_weights(encoding: Encoding, first: Rows, second: Rows) -> list[Floats]:
    """Return the surprisal of each value over two sets of rows, per column, in nats."""
    total = len(first) + len(second)
    out = []
    for column, mine, theirs in zip(encoding.columns, first.codes, second.codes, strict=True):
        counts = np.bincount(mine, minlength=column.card) + np.bincount(theirs, minlength=column.card)
        out.append(-np.log((counts + 1.0) / (total + column.card)))
    return out


def linkage(stage: Stage) -> Floats:
    """Surprisal of the cells shared with the best synthetic row, less that with the best reference row."""
    synthetic = agreement_index(stage.synthetic, stage.encoding)
    scores = np.empty(len(stage.panel.queries))
    for at, queries, reference in stage.folds():
        weights = agreement_weights(stage.encoding, stage.synthetic, reference)
        to_synthetic, _ = best_agreement(queries, synthetic, weights)
        to_reference, _ = best_agreement(queries, agreement_index(reference, stage.encoding), weights)
        scores[at] = to_synthetic - to_reference
    return scores


def value_ratio(stage: Stage) -> Floats:
    """How much more often each cell's exact value occurs in synthetic than in reference rows."""
    return _ratio(stage, _singles(stage.encoding), binned=False)


def marginal_pairs(stage: Stage) -> Floats:
    """How much more often each pair of exact values occurs in synthetic than in reference rows."""
    return _ratio(stage, _pairs(stage.encoding), binned=False)


def marginal_bins(stage: Stage) -> Floats:
    """How much more often coarse values, pairs and triples of them occur: a discrete density ratio."""
    encoding = stage.encoding
    return _ratio(stage, [*_singles(encoding), *_pairs(encoding), *_triples(encoding)], binned=True)


def _singles(encoding: Encoding) -> list[tuple[int, ...]]:
    return [(at,) for at in range(len(encoding.columns))]


def _pairs(encoding: Encoding) -> list[tuple[int, ...]]:
    every = list(combinations(range(len(encoding.columns)), 2))
    if len(encoding.columns) > ALL_PAIRS_COLUMNS:
        every = _most_informative(encoding, every)[:MAX_PAIRS]
    return list(every)


def _triples(encoding: Encoding) -> list[tuple[int, ...]]:
    columns = len(encoding.columns)
    if columns <= ALL_TRIPLES_COLUMNS:
        return [*combinations(range(columns), 3)]
    pairs = _most_informative(encoding, list(combinations(range(columns), 2)))[: MAX_TRIPLES // 4]
    found: set[tuple[int, ...]] = set()
    for first, second in combinations(pairs, 2):
        together = {*first, *second}
        if len(together) == 3:
            found.add(tuple(sorted(together)))
    return sorted(found)[:MAX_TRIPLES]


def _most_informative(encoding: Encoding, pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Order pairs of columns by the mutual information of their bins over up to 2,000 synthetic rows."""
    rows = encoding.synthetic.take(np.arange(min(2_000, len(encoding.synthetic))))
    binned = [column.bins[codes] for column, codes in zip(encoding.columns, rows.codes, strict=True)]
    sizes = [int(column.bins.max()) + 1 for column in encoding.columns]
    scores = []
    for a, b in pairs:
        table = np.bincount(binned[a] * sizes[b] + binned[b], minlength=sizes[a] * sizes[b]) / max(1, len(rows))
        joint = table.reshape(sizes[a], sizes[b])
        apart = np.outer(joint.sum(axis=1), joint.sum(axis=0))
        there = joint > 0
        scores.append(float((joint[there] * np.log(joint[there] / apart[there])).sum()))
    return [pairs[at] for at in np.argsort(-np.array(scores), kind="stable")]


def _ratio(stage: Stage, sets: Sequence[tuple[int, ...]], *, binned: bool) -> Floats:
    """Sum over column sets of the smoothed log ratio of how often the record's values occur in S and in R."""
    panel = stage.panel
    columns = _code(stage, binned=binned)
    scores = np.zeros(len(panel.queries))
    for places in sets:
        synthetic, *references = _joint([columns[at] for at in places])
        up = np.log((synthetic + 1.0) / (len(stage.synthetic) + 1.0))
        for f, (counts, reference) in enumerate(zip(references, panel.references, strict=True)):
            here = panel.fold == f
            scores[here] += up[here] - np.log((counts[here] + 1.0) / (len(reference) + 1.0))
    return scores


@dataclass(frozen=True, slots=True)
class _Coded:
    """One column of the queries, then the synthetic rows, then the references, as codes of the queries' values.

    Attributes
    ----------
    codes : integer array
        0 for values that no query has.
    size : int
        Number of codes.
    known : int64 array or slice
        Rows that may have a code above 0: all queries and some others, or all where those are many.
    ends : int64 array
        Where among them the queries, the synthetic rows and each reference end.
    """

    codes: Ints
    size: int
    known: NDArray[np.int64] | slice
    ends: NDArray[np.int64]


def _code(stage: Stage, *, binned: bool) -> list[_Coded]:
    whole = [stage.panel.queries, stage.synthetic, *stage.panel.references]
    ends = np.cumsum([len(rows) for rows in whole])
    out = []
    for at, column in enumerate(stage.encoding.columns):
        value = column.bins if binned else np.arange(column.card)
        among = np.zeros(int(value.max()) + 1, np.bool_)
        among[value[whole[0].codes[at]]] = True
        size = int(among.sum()) + 1
        code = narrow(np.where(among, np.cumsum(among), 0), size)[value]
        codes = np.concatenate([code[rows.codes[at]] for rows in whole])
        if FEW_KNOWN * np.count_nonzero(codes) > len(codes):
            out.append(_Coded(codes, size, slice(None), ends))
        else:
            known = np.flatnonzero(codes)
            out.append(_Coded(codes, size, known, np.searchsorted(known, ends)))
    return out


def _joint(columns: Sequence[_Coded]) -> list[Ints]:
    """Return how often each query's combination of values occurs in the synthetic rows and in each reference."""
    fewest = min(columns, key=lambda column: int(column.ends[-1]))
    rows, ends = fewest.known, fewest.ends
    cells = prod(column.size for column in columns)
    kind = np.dtype(np.uint16 if cells <= 2**16 else np.int32 if cells <= 2**31 else np.int64).type
    keys: Ints = columns[0].codes[rows].astype(kind)
    for column in columns[1:]:
        keys = keys * kind(column.size) + column.codes[rows].astype(kind, copy=False)
    if cells > DIRECT_SHARE * len(keys):
        distinct, keys = np.unique(keys, return_inverse=True)
        cells = len(distinct)
    asked = keys[: ends[0]]
    parts = [keys[start:end] for start, end in pairwise(ends)]
    return [np.bincount(part, minlength=cells)[asked] for part in parts]


def tree_matrix(encoding: Encoding, rows: Rows) -> Floats:
    """Return rows as a matrix for tree models: ranks of numbers, categories by falling frequency."""
    return np.stack([c.tree[codes] for c, codes in zip(encoding.columns, rows.codes, strict=True)], axis=1)


def logan_clf(stage: Stage) -> Floats:
    """Log-odds of a boosted classifier that tells synthetic from reference rows (LOGAN, Hayes et al. 2019)."""
    folds = [(f, *fold) for f, fold in enumerate(stage.folds())]
    scores = np.empty(len(stage.panel.queries))
    for (_, at, _, _), found in zip(folds, spread(lambda fold: _classify(stage, *fold), folds), strict=True):
        scores[at] = found
    return scores


def _classify(stage: Stage, f: int, _: Ints, queries: Rows, reference: Rows) -> Floats:
    rng = np.random.default_rng([stage.seed, f, *b"logan"])
    fake = _some(stage.synthetic, min(TRAINED_ROWS, 2 * len(reference)), rng)
    real = _some(reference, TRAINED_ROWS, rng)
    x = np.concatenate([tree_matrix(stage.encoding, fake), tree_matrix(stage.encoding, real)])
    y = np.repeat([1, 0], [len(fake), len(real)])
    return boosted_scores(
        x,
        y,
        tree_matrix(stage.encoding, queries),
        rounds=min(TRAINED_ROUNDS, 10 + len(x) // ROWS_PER_ROUND),
        leaves=min(TRAINED_LEAVES, max(4, len(x) // ROWS_PER_ROUND)),
        seed=stage.seed,
    )


def _some(rows: Rows, most: int, rng: np.random.Generator) -> Rows:
    return rows if len(rows) <= most else rows.take(np.sort(rng.choice(len(rows), most, replace=False)))


@dataclass(frozen=True, slots=True)
class Attack:
    """An attack of the ensemble.

    Attributes
    ----------
    name : str
    score : function of a Stage
    uses_reference : bool
        Folds are slightly dependent through the reference; the standard error is then widened.
    is_quick : bool
        Whether the quick profile runs it.
    """

    name: str
    score: Callable[[Stage], Floats]
    uses_reference: bool = True
    is_quick: bool = True


ATTACKS = (
    Attack("linkage", linkage),
    Attack("value_ratio", value_ratio),
    Attack("marginal_pairs", marginal_pairs),
    Attack("marginal_bins", marginal_bins, is_quick=False),
    Attack("dcr", dcr, uses_reference=False),
    Attack("dcr_cal", dcr_cal),
    Attack("knn_ratio", knn_ratio),
    Attack("logan_clf", logan_clf, is_quick=False),
)
