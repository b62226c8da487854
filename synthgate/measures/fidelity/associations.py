"""How strongly columns go together: Theil's U per pair, Pearson and Spearman matrices. Shown, never judged."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from synthgate.counts import PairName
from synthgate.findings import Json
from synthgate.measures.fidelity.compatible import PairTrends
from synthgate.sample import Sample, SampleSide
from synthgate.statistics.distances import FloatArray

RANKED_ROWS = 5_000
SHOWN_COLUMNS = 60
DIGITS = 4


@dataclass(frozen=True)
class Correlations:
    """Pearson and Spearman correlations of the continuous columns, real and synthetic.

    Attributes
    ----------
    columns : tuple of str
    pearson, spearman : dict of float64 array, shape (columns, columns)
        Per side; NaN where a correlation is undefined.
    rows, ranked_rows : dict of int
        Rows per side that Pearson's and Spearman's coefficients were computed on.
    """

    columns: tuple[str, ...]
    pearson: dict[str, FloatArray]
    spearman: dict[str, FloatArray]
    rows: dict[str, int]
    ranked_rows: dict[str, int]

    @cached_property
    def places(self) -> dict[str, int]:
        """The place of each column in the matrices."""
        return {name: at for at, name in enumerate(self.columns)}

    def of_pair(self, pair: PairName) -> dict[str, Json]:
        """Return a pair's correlations as ``[real, synthetic]``; nothing when a column is not continuous."""
        i, j = (self.places.get(name) for name in pair)
        if i is None or j is None:
            return {}
        coefficients = {"pearson": self.pearson, "spearman": self.spearman}
        return {key: [_plain(m["real"][i, j]), _plain(m["synthetic"][i, j])] for key, m in coefficients.items()}

    def details(self) -> Json:
        """Return both matrices and their differences (synthetic minus real), for the columns that differ most."""
        if len(self.columns) < 2:
            return None
        gaps = np.nan_to_num(np.abs(self.spearman["synthetic"] - self.spearman["real"]))
        kept = np.sort(np.argsort(-gaps.max(axis=1), kind="stable")[:SHOWN_COLUMNS])

        def shown(matrices: dict[str, FloatArray]) -> dict[str, Json]:
            real, synthetic = (matrices[side][np.ix_(kept, kept)] for side in ("real", "synthetic"))
            every = {"real": real, "synthetic": synthetic, "difference": synthetic - real}
            return {name: [[_plain(v) for v in row] for row in values] for name, values in every.items()}

        return {
            "columns": [self.columns[k] for k in kept],
            "columns_left_out": len(self.columns) - len(kept),
            "pearson": shown(self.pearson),
            "spearman": shown(self.spearman),
            "rows": dict(self.rows),
            "ranked_rows": dict(self.ranked_rows),
        }


def _plain(value: float) -> float | None:
    return round(float(value), DIGITS) if np.isfinite(value) else None


def correlations(sample: Sample, trends: PairTrends) -> Correlations:
    """Return the correlations of the continuous columns.

    Pearson's are those that SDMetrics' pair trends rest on (pairwise deletion of missing values). Spearman's
    is Pearson's of mid-ranks (Spearman 1904) over at most :data:`RANKED_ROWS` random rows a side; ranks are taken among
    each column's own known values.
    """
    sides = {"real": sample.real, "synthetic": sample.synthetic}
    rng = sample.rng("fidelity.associations")
    spearman, ranked = {}, {}
    for name, side in sides.items():
        rows = _some_rows(side, rng)
        ranked[name] = side.rows if rows is None else len(rows)
        values = [side.columns[column] if rows is None else side.columns[column][rows] for column in trends.continuous]
        spearman[name] = rank_correlations(values)
    pearson = {name: _with_diagonal(matrix, spearman[name]) for name, matrix in trends.pearson.items()}
    every = {name: side.rows for name, side in sides.items()}
    return Correlations(trends.continuous, pearson, spearman, every, ranked)


def _with_diagonal(matrix: FloatArray, like: FloatArray) -> FloatArray:
    """Return a matrix of pairs with the diagonal of another, which knows the columns that do not vary."""
    out = matrix.copy()
    np.fill_diagonal(out, np.diagonal(like))
    return out


def _some_rows(side: SampleSide, rng: np.random.Generator) -> NDArray[np.int64] | None:
    return None if side.rows <= RANKED_ROWS else rng.choice(side.rows, RANKED_ROWS, replace=False)


def rank_correlations(columns: list[FloatArray]) -> FloatArray:
    """Return Spearman's correlation of every two columns, missing values deleted in pairs.

    Parameters
    ----------
    columns : list of float64 array
        Of equal length; NaN is missing, an infinity is the greatest or least value.

    Returns
    -------
    float64 array, shape (columns, columns)
        NaN where a column does not vary among the rows of a pair.
    """
    if not columns:
        return np.empty((0, 0))
    ranks = np.stack([mid_ranks(values) for values in columns])
    there = ~np.isnan(ranks)
    x, w = np.where(there, ranks, 0.0), there.astype(np.float64)
    n = w @ w.T
    known = np.maximum(n, 1.0)
    sums, squares, products = x @ w.T, (x * x) @ w.T, x @ x.T
    varies = np.maximum(squares - sums * sums / known, 0.0)
    spread = np.sqrt(varies * varies.T)
    with np.errstate(invalid="ignore", divide="ignore"):
        out: FloatArray = np.clip((products - sums * sums.T / known) / spread, -1, 1)
    tiny = 1e-12 * np.maximum(1.0, squares)
    out[(varies <= tiny) | (varies.T <= tiny.T)] = np.nan
    return out


def mid_ranks(values: FloatArray) -> FloatArray:
    """Return ranks from -1/2 to 1/2 around the middle; ties share the mean of theirs, NaN stays NaN."""
    order = np.argsort(values, kind="stable")
    known = len(values) - int(np.isnan(values).sum())
    ordered = values[order[:known]]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1]))) if known else np.empty(0, np.intp)
    sizes = np.diff(np.append(starts, known))
    out = np.full(len(values), np.nan)
    out[order[:known]] = np.repeat(starts + (sizes - 1) / 2, sizes)
    centred: FloatArray = (out - (known - 1) / 2) / max(1, known)
    return centred


def theils_u(information: float, entropies: tuple[float, float]) -> list[float | None]:
    """Return Theil's uncertainty coefficients of two columns: of the first given the second, then the reverse.

    ``U(a | b) = I(a; b) / H(a)``: the share of one column's entropy that the other explains, in [0, 1]; None for a
    column that does not vary (Theil 1970, American Journal of Sociology 76, 103-154).
    """
    return [min(1.0, information / h) if h > 0 else None for h in entropies]
