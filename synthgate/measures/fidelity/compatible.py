"""SDMetrics' quality scores under SDMetrics' names, for people who migrate.

These follow the definitions of the SDMetrics 0.32 QualityReport to the last digit: bins of
mixed pairs are cut on each table's own range, unseen categories get a weight of one
millionth of a row, and pairs of weak association leave the mean. They are shown, never judged.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgate.contingency import runs
from synthgate.counts import ColumnCounts, PairName
from synthgate.findings import Json
from synthgate.measures.fidelity.groupings import Tables
from synthgate.sample import Sample, SampleSide
from synthgate.statistics.distances import kolmogorov_smirnov
from synthgate.values import NumberCounts

if TYPE_CHECKING:
    from synthgate.evidence import Evidence

MAX_DECIMALS = 14
WHOLE_FROM = 1e15
UNSEEN_WEIGHT = 1e-6
CORRELATION_THRESHOLD = 0.5
ASSOCIATION_THRESHOLD = 0.3
BLOCK = 16_384
TOGETHER = 256
TIE = 1e-9


def column_shapes(evidence: Evidence, measured: Mapping[str, float] | None = None) -> Json:
    """Return Column Shapes: ``KSComplement`` or ``TVComplement`` per column, and their mean; nothing of a profile.

    `measured` holds ``TVComplement`` of discrete columns, and complements of the Kolmogorov-Smirnov distance of
    values that were not rounded.
    """
    if not evidence.real.has_rows:
        return None
    scores: dict[str, Json] = {}
    for name in evidence.shared:
        plan = evidence.plan[name]
        real, synthetic = evidence.real.counts.columns[name], evidence.synthetic.counts.columns[name]
        if plan.is_paired and not real.values.overflowed and not synthetic.values.overflowed:
            continuous = plan.role.is_continuous
            known_here = (measured or {}).get(name)
            if continuous:
                score = ks_complement(real, synthetic, known_here)
            else:
                score = tv_complement(real, synthetic) if known_here is None else known_here
            scores[name] = None if np.isnan(score) else score
    known = [s for s in scores.values() if isinstance(s, float)]
    return {"column_shapes": float(np.mean(known)) if known else None, "columns": scores}


def ks_complement(real: ColumnCounts, synthetic: ColumnCounts, known: float | None = None) -> float:
    """Return SDMetrics' ``KSComplement``, NaN when a side has no value; `known` where rounding changes nothing."""
    if not real.present or not synthetic.present:
        return float("nan")
    a, b = _rounded(real.numbers), _rounded(synthetic.numbers)
    if known is not None and a is real.numbers and b is synthetic.numbers:
        return known
    return 1 - kolmogorov_smirnov(a, b).value


def _rounded(counts: NumberCounts) -> NumberCounts:
    values = counts.values.copy()
    small = np.abs(values) < WHOLE_FROM
    values[small] = np.round(values[small], MAX_DECIMALS)
    if np.array_equal(values, counts.values):
        return counts
    distinct, place = np.unique(values, return_inverse=True)
    return NumberCounts(distinct, np.bincount(place, weights=counts.counts).astype(np.int64))


def tv_complement(real: ColumnCounts, synthetic: ColumnCounts) -> float:
    """Return SDMetrics' ``TVComplement``, NaN when a side has no value."""
    if not real.present or not synthetic.present:
        return float("nan")
    labels = tuple(dict.fromkeys([*real.labels.labels.to_pylist(), *synthetic.labels.labels.to_pylist()]))
    return tv_complement_of(real.labels.of_categories(labels), synthetic.labels.of_categories(labels))


def tv_complement_of(real: NDArray[np.int64], synthetic: NDArray[np.int64]) -> float:
    """Return ``TVComplement`` of counts over the same categories; those that neither side has do not count."""
    seen = real + synthetic > 0
    known, found = real[seen].astype(np.float64), synthetic[seen]
    known[known == 0] = UNSEEN_WEIGHT
    return 1 - 0.5 * float(np.abs(found / found.sum() - known / known.sum()).sum())


def pair_trends(
    evidence: Evidence,
    correlation_threshold: float = CORRELATION_THRESHOLD,
    association_threshold: float = ASSOCIATION_THRESHOLD,
) -> PairTrends:
    """Return Column Pair Trends of all pairs: see :class:`PairTrends`."""
    trends = PairTrends(evidence, correlation_threshold, association_threshold)
    tables = evidence.pairs["real"].pairs
    for some in runs(tables, list(tables), TOGETHER):
        trends.add(some)
    return trends


class PairTrends:
    """Column Pair Trends, ``CorrelationSimilarity`` or ``ContingencySimilarity`` per pair, some pairs at a time.

    Parameters
    ----------
    evidence : Evidence
    correlation_threshold, association_threshold : float
        Pairs whose real correlation or Cramer's V lies at or below are left out of the mean; no association is
        computed, and no pair left out, when its threshold is 0.

    Attributes
    ----------
    pairs : dict
        What is known of each pair so far.
    """

    def __init__(
        self,
        evidence: Evidence,
        correlation_threshold: float = CORRELATION_THRESHOLD,
        association_threshold: float = ASSOCIATION_THRESHOLD,
    ) -> None:
        names = [c.name for c in evidence.plan.columns if c.is_paired and c.name in evidence.shared]
        self._sample = evidence.sample
        self._correlations = Correlations(
            evidence.sample, sorted(name for name in names if evidence.plan[name].role.is_continuous)
        )
        self._tables = Tables(evidence)
        self._least = {"CorrelationSimilarity": correlation_threshold, "ContingencySimilarity": association_threshold}
        self.pairs: dict[PairName, Json] = {}
        self._everything: list[float] = []
        self._strong: list[float] = []

    @property
    def continuous(self) -> tuple[str, ...]:
        """The columns that are correlated."""
        return tuple(self._correlations.at)

    @property
    def pearson(self) -> dict[str, NDArray[np.float64]]:
        """Their correlations, real and synthetic; shape (columns, columns)."""
        return {"real": self._correlations.real, "synthetic": self._correlations.synthetic}

    @property
    def summary(self) -> Json:
        """The means over the pairs so far, with and without thresholds."""
        return {
            "column_pair_trends": float(np.mean(self._strong)) if self._strong else None,
            "column_pair_trends_all_pairs": float(np.mean(self._everything)) if self._everything else None,
            "pairs_scored_at_default_thresholds": len(self._strong),
            "rows_correlated": min(self._sample.real.rows, self._sample.synthetic.rows),
        }

    def add(self, pairs: Sequence[PairName]) -> None:
        """Score some more pairs, in the plan's order."""
        at = self._correlations.at
        counted = self._tables.scores([pair for pair in pairs if not all(name in at for name in pair)])
        for pair in pairs:
            self._add(pair, counted.get(pair))

    def _add(self, pair: PairName, counted: tuple[float, float] | None) -> None:
        if counted is None:
            score, strength = self._correlations.score(*pair)
            metric = "CorrelationSimilarity"
            meets = self._correlations.exceeds(*pair, self._least[metric])
            if not self._correlations.exceeds(*pair, 0.0):
                score = float("nan")  # SDMetrics leaves out what is at or below a threshold of zero, too
        else:
            score, strength = counted
            metric = "ContingencySimilarity"
            least = self._least[metric]
            meets = least == 0 or exceeds(strength, least, partial(self._tables.codes.table, *pair))
        if np.isfinite(score):
            self._everything.append(score)
            self._strong.extend([score] if meets else [])
        self.pairs[pair] = {
            "metric": metric,
            "score": score if np.isfinite(score) else None,
            "real_association": strength if np.isfinite(strength) else None,
            "meets_threshold": meets,
        }


class Correlations:
    """Pearson or Spearman correlations of both sides, with pairwise deletion of missing values.

    Parameters
    ----------
    sample : Sample
    names : list of str
        Continuous columns.
    ranked : bool
        Correlate ranks, ties sharing their mean (Spearman), instead of values (Pearson).
    """

    def __init__(self, sample: Sample, names: list[str], *, ranked: bool = False) -> None:
        self.at = {name: k for k, name in enumerate(names)}
        self.ranked, self.columns = ranked, sample.real.columns
        self.real = _correlation_matrix(sample.real, names, ranked=ranked)
        self.synthetic = _correlation_matrix(sample.synthetic, names, ranked=ranked)

    def score(self, a: str, b: str) -> tuple[float, float]:
        """Return the score of a pair and the real correlation."""
        real, synthetic = self.real[self.at[a], self.at[b]], self.synthetic[self.at[a], self.at[b]]
        return float(1 - abs(real - synthetic) / 2), float(real)

    def exceeds(self, a: str, b: str, threshold: float) -> bool:
        """Whether the real correlation lies above a threshold, ties decided by the arithmetic that SDMetrics uses."""
        strength = abs(float(self.real[self.at[a], self.at[b]]))
        if not abs(strength - threshold) < TIE or np.isnan(strength):
            return strength > threshold
        from scipy.stats import pearsonr, spearmanr

        keep = ~(np.isnan(self.columns[a]) | np.isnan(self.columns[b]))
        pair = self.columns[a][keep], self.columns[b][keep]
        found = spearmanr(*pair).statistic if self.ranked else pearsonr(*pair).statistic
        return abs(float(found)) > threshold


def _correlation_matrix(side: SampleSide, names: list[str], *, ranked: bool) -> NDArray[np.float64]:
    out = np.full((len(names), len(names)), np.nan)
    if not names or side.rows < 2:
        return out
    data = [side.columns[name] for name in names]
    gone = [np.isnan(row) for row in data]
    whole = [not missing.any() for missing in gone]
    form: Callable[[NDArray[np.float64]], NDArray[np.float64]] = _ranks if ranked else np.asarray
    formed = [form(row) for row, complete in zip(data, whole, strict=True) if complete]
    at = np.flatnonzero(whole)
    out[np.ix_(at, at)] = _pearson_matrix(formed)
    for i, j in combinations(range(len(names)), 2):
        if not (whole[i] and whole[j]):
            keep = ~(gone[i] | gone[j])
            out[i, j] = out[j, i] = pearson(form(data[i][keep]), form(data[j][keep]))
    clipped: NDArray[np.float64] = np.clip(out, -1, 1)
    return clipped


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.stats import rankdata

    ranks: NDArray[np.float64] = rankdata(values)
    return ranks


def pearson(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Return the Pearson correlation, NaN when it is undefined."""
    return float(_pearson_matrix([x, y])[0, 1])


def _pearson_matrix(columns: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return Pearson correlations of columns without missing values, NaN where undefined; copies are of blocks only."""
    out = np.full((len(columns), len(columns)), np.nan)
    known = {at: line for at, column in enumerate(columns) if (line := _Line.of(column)) is not None}
    if not known:
        return out
    products = np.zeros((len(known), len(known)))
    for start in range(0, len(columns[0]), BLOCK):
        block = np.stack([line.scaled(columns[at][start : start + BLOCK]) for at, line in known.items()])
        products += block @ block.T
    length = np.sqrt(np.diagonal(products))
    out[np.ix_([*known], [*known])] = products / np.outer(length, length)
    return out


@dataclass(frozen=True, slots=True)
class _Line:
    """How a column is centred and scaled to [-1, 1]: or squares of huge numbers would overflow, of tiny ones vanish."""

    largest: float
    mean: float
    farthest: float

    @classmethod
    def of(cls, x: NDArray[np.float64]) -> _Line | None:
        """Look at a column; None when its values do not vary or are not all finite."""
        if len(x) < 2:
            return None
        low, high = float(x.min()), float(x.max())
        largest = max(1.0, -low, high)
        if not np.isfinite(largest) or low == high:
            return None
        mean = sum(float((x[at : at + BLOCK] / largest).sum()) for at in range(0, len(x), BLOCK)) / len(x)
        farthest = max(mean - low / largest, high / largest - mean)
        return cls(largest, mean, farthest) if farthest > 0 else None

    def scaled(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return some of the column's values, centred and scaled."""
        out = x / self.largest
        out -= self.mean
        out /= self.farthest
        return out


def exceeds(strength: float, threshold: float, table: Callable[[], NDArray[np.int64]]) -> bool:
    """Whether an association lies above a threshold, ties decided by the arithmetic that SDMetrics uses.

    Parameters
    ----------
    strength : float
        Cramer's V of the real table, or NaN.
    threshold : float
        In [0, 1].
    table : callable
        Makes the real contingency table, without empty rows and columns; called only for a tie.
    """
    if not abs(strength - threshold) < TIE:
        return strength > threshold
    from scipy.stats.contingency import association

    return float(association(table(), method="cramer")) > threshold
