"""Contingency tables as SDMetrics groups rows, and its two scores of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgate.contingency import EQUAL_BINS, fold
from synthgate.counts import PairName
from synthgate.measures.fidelity.abreast import alike, lay
from synthgate.plan import bin_codes
from synthgate.sample import Sample

if TYPE_CHECKING:
    from synthgate.evidence import Evidence

BINS = 10
DENSE_CELLS = 4_000_000


class Tables:
    """Contingency tables as SDMetrics groups rows, from the tables that were counted, else from the rows."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence, self.codes = evidence, Codes(evidence.sample)
        self._own: dict[tuple[str, str], NDArray[np.int64] | None] = {}

    def scores(self, pairs: Sequence[PairName]) -> dict[PairName, tuple[float, float]]:
        """Return scores of pairs that are not of two continuous columns, and Cramer's V of their real tables."""
        found: dict[PairName, tuple[float, float]] = {}
        folded: dict[PairName, list[NDArray[np.int64]]] = {}
        for pair in pairs:
            tables = self._folded(pair)
            if tables is None:
                continuous = [self.evidence.plan[name].role.is_continuous for name in pair]
                found[pair] = self.codes.score(*pair, mixed=continuous[0] != continuous[1])
            else:
                folded[pair] = tables
        for group in alike({pair: (len(real), real.shape[1]) for pair, (real, _) in folded.items()}):
            real, synthetic = (lay([folded[pair][side][None] for pair in group], 1)[:, 0] for side in (0, 1))
            scores = zip(similarities(real, synthetic).tolist(), uncorrected_vs(real).tolist(), strict=True)
            found.update(zip(group, scores, strict=True))
        return found

    def _folded(self, pair: PairName) -> list[NDArray[np.int64]] | None:
        """Return the real and the synthetic table of a pair, None where they do not follow from what was counted."""
        tables = []
        for side in ("real", "synthetic"):
            folds = [self._fold(side, name) for name in pair]
            table = self.evidence.fine_table(side, pair)
            for axis, own in enumerate(folds):
                if own is None:
                    return None
                if len(own):
                    table = fold(table, own, EQUAL_BINS + 2, axis)
            tables.append(table)
        return tables

    def _fold(self, side: str, name: str) -> NDArray[np.int64] | None:
        """Return which of SDMetrics' codes each counted code gets, nothing where they are the same, None if unknown.

        Categories that real does not have share a code. That changes no distance, for real has nothing there.
        """
        if (side, name) not in self._own:
            coding, edges = self.evidence.coding(side, name), self.evidence.own_edges[side].get(name)
            if coding.column.role.is_discrete:
                each = coding.categories == len(coding.column.categories)
                self._own[side, name] = np.empty(0, np.int64) if each else None
            elif edges is None:
                self._own[side, name] = None
            else:
                own = np.searchsorted(edges, coding.edges, side="right")
                self._own[side, name] = np.concatenate(([0], own, [len(edges)])).astype(np.int64)
        return self._own[side, name]


class Codes:
    """Codes per column and side, as the report's ``ContingencySimilarity`` groups rows."""

    def __init__(self, sample: Sample) -> None:
        self.sample = sample
        self.made: dict[tuple[str, str, bool], tuple[NDArray[np.int64], int]] = {}

    def of(self, side: str, name: str, *, binned: bool) -> tuple[NDArray[np.int64], int]:
        """Return the codes of a column on a side, and how many codes there are."""
        key = (side, name, binned)
        if key not in self.made:
            data = self.sample.real if side == "real" else self.sample.synthetic
            column = data.columns[name]
            self.made[key] = own_bins(column) if binned else self._labels(name, column)
        return self.made[key]

    def _labels(self, name: str, column: NDArray[np.int32]) -> tuple[NDArray[np.int64], int]:
        size = len(self.sample.dictionaries[name]) + 1
        return np.where(column < 0, size - 1, column).astype(np.int64), size

    def table(self, a: str, b: str) -> NDArray[np.int64]:
        """Return the real contingency table of a pair that is not of two continuous columns."""
        roles = self.sample.roles
        (left, _), (right, columns) = (self.of("real", n, binned=roles[n].is_continuous) for n in (a, b))
        return dense(left * columns + right, columns)

    def score(self, a: str, b: str, *, mixed: bool) -> tuple[float, float]:
        """Return the score of a pair, and Cramer's V of the real table."""
        roles = self.sample.roles
        tables = []
        for side in ("real", "synthetic"):
            left, rows = self.of(side, a, binned=mixed and roles[a].is_continuous)
            right, columns = self.of(side, b, binned=mixed and roles[b].is_continuous)
            if not rows or not columns or not len(left):
                return float("nan"), float("nan")
            tables.append((left * columns + right, rows, columns))
        (real, rows, columns), (synthetic, _, _) = tables
        if rows * columns <= DENSE_CELLS:
            counted = [np.bincount(flat, minlength=rows * columns) for flat in (real, synthetic)]
        else:
            cells, flat = np.unique(np.concatenate((real, synthetic)), return_inverse=True)
            counted = [np.bincount(part, minlength=len(cells)) for part in (flat[: len(real)], flat[len(real) :])]
            return similarity(counted), uncorrected_v(dense(real, columns))
        return similarity(counted), uncorrected_v(counted[0].reshape(rows, columns))


def similarity(counted: list[NDArray[np.int64]]) -> float:
    """Return one minus the total variation distance of two tables of counts."""
    real, synthetic = (table.reshape(1, -1, 1) for table in counted)
    return float(similarities(real, synthetic)[0])


def similarities(real: NDArray[np.int64], synthetic: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return :func:`similarity` for many tables of counts, shape (tables, rows, columns)."""
    shares = [tables / tables.sum(axis=(1, 2), keepdims=True) for tables in (real, synthetic)]
    out: NDArray[np.float64] = 1 - np.abs(shares[0] - shares[1]).sum(axis=(1, 2)) / 2
    return out


def dense(flat: NDArray[np.int64], columns: int) -> NDArray[np.int64]:
    """Return the contingency table of flat cell codes, without empty rows and columns."""
    left, rows = np.unique(flat // columns, return_inverse=True)
    right, places = np.unique(flat % columns, return_inverse=True)
    return np.bincount(rows * len(right) + places, minlength=len(left) * len(right)).reshape(len(left), len(right))


def own_bins(column: NDArray[np.float64]) -> tuple[NDArray[np.int64], int]:
    """Cut a column into ten bins of equal width over its own range; the maximum and missing share an eleventh."""
    present = column[~np.isnan(column)]
    if len(present):
        ends = present.min() / 2, present.max() / 2
        if not np.isfinite(ends).all() or ends[1] - ends[0] > np.finfo(np.float64).max / 2:
            return np.empty(0, np.int64), 0
    try:
        edges = np.histogram_bin_edges(present, bins=BINS)
    except ValueError:  # the range is too narrow to be cut, as SDMetrics finds, too
        return np.empty(0, np.int64), 0
    codes = bin_codes(edges, column)
    codes[np.isnan(column)] = len(edges)
    return codes, BINS + 2


def uncorrected_v(table: NDArray[np.int64]) -> float:
    """Return Cramer's V without bias correction, NaN when a side of the table has one value."""
    return float(uncorrected_vs(table[None])[0])


def uncorrected_vs(tables: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return :func:`uncorrected_v` for many tables, shape (tables, rows, columns)."""
    down, across = np.einsum("trc->tr", tables), np.einsum("trc->tc", tables)
    total = down.sum(axis=1)
    expected = down.astype(np.float64)[:, :, None] * across[:, None, :] / np.maximum(total, 1)[:, None, None]
    seen = expected > 0
    apart = np.where(seen, tables - expected, 0.0) ** 2 / np.where(seen, expected, 1.0)
    freedom = np.minimum((down > 0).sum(axis=1), (across > 0).sum(axis=1)) - 1
    chi2 = apart.sum(axis=(1, 2)) / np.maximum(total, 1)
    return np.where(freedom > 0, np.sqrt(chi2 / np.maximum(freedom, 1)), np.nan)
