"""SDMetrics' pair scores, equal to the library's to 1e-9: correlations and contingency tables of two columns."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from synthgate.counts import PairName
from synthgate.measures.fidelity.compatible import Correlations, exceeds
from synthgate.measures.fidelity.groupings import DENSE_CELLS, dense, similarity, uncorrected_v
from synthgate.measures.sdmetrics.scores import NAN, IncomputableError
from synthgate.sample import Sample, SampleSide

Codes = NDArray[np.int64]


def correlation_scores(
    sample: Sample, names: list[str], options: Mapping[str, object]
) -> dict[PairName, float | IncomputableError]:
    """Return ``CorrelationSimilarity`` of every pair.

    Parameters
    ----------
    sample : Sample
    names : list of str
        Continuous columns.
    options : dict
        ``coefficient`` (Pearson or Spearman) and ``real_correlation_threshold``.

    Returns
    -------
    dict
        Per pair its score in [0, 1], NaN below the threshold, or why SDMetrics raises.
    """
    threshold = float(str(options.get("real_correlation_threshold", 0.0)))
    found = Correlations(sample, names, ranked=options.get("coefficient") == "Spearman")
    constant = {side: _constant(getattr(sample, side), names) for side in ("real", "synthetic")}
    out: dict[PairName, float | IncomputableError] = {}
    for a, b in combinations(names, 2):
        flat = [(side, name) for side, those in constant.items() for name in (a, b) if name in those]
        if flat:
            side, name = flat[0]
            out[a, b] = IncomputableError("CorrelationSimilarity", f"{name} is constant in the {side} table")
            continue
        score, _ = found.score(a, b)
        out[a, b] = score if found.exceeds(a, b, threshold) else NAN
    return out


def _constant(side: SampleSide, names: list[str]) -> set[str]:
    out = set()
    for name in names:
        present = side.columns[name][~np.isnan(side.columns[name])]
        if len(present) and (present == present[0]).all():
            out.add(name)
    return out


def contingency_scores(
    sample: Sample, names: list[str], options: Mapping[str, object]
) -> dict[PairName, float | IncomputableError]:
    """Return ``ContingencySimilarity`` of every pair, continuous columns cut at edges of the real table.

    Parameters
    ----------
    sample : Sample
    names : list of str
        Discrete columns, and continuous ones to be cut into bins of equal width.
    options : dict
        ``num_discrete_bins``, ``num_rows_subsample`` and ``real_association_threshold``.
    """
    bins = int(str(options.get("num_discrete_bins", 10)))
    threshold = float(str(options.get("real_association_threshold", 0.0)))
    coded: dict[str, tuple[Codes, Codes, int] | IncomputableError] = {}
    for name in names:
        coded[name] = _binned(sample, name, bins) if sample.roles[name].is_continuous else _labelled(sample, name)
    rows = [_rows(sample, side, options.get("num_rows_subsample")) for side in ("real", "synthetic")]
    out: dict[PairName, float | IncomputableError] = {}
    for a, b in combinations(names, 2):
        left, right = coded[a], coded[b]
        if isinstance(left, IncomputableError):
            out[a, b] = left
        elif isinstance(right, IncomputableError):
            out[a, b] = right
        else:
            sides = zip(left[:2], right[:2], rows, strict=True)
            flat = [here[kept] * right[2] + there[kept] for here, there, kept in sides]
            out[a, b] = _similarity(flat, left[2], right[2], threshold)
    return out


def _rows(sample: Sample, side: str, wanted: object) -> slice | NDArray[np.int64]:
    there: int = getattr(sample, side).rows
    if wanted is None or int(str(wanted)) >= there:
        return slice(None)
    chosen: NDArray[np.int64] = sample.rng(f"sdmetrics rows {side}").permutation(there)[: int(str(wanted))]
    return chosen


def _labelled(sample: Sample, name: str) -> tuple[Codes, Codes, int]:
    size = len(sample.dictionaries[name]) + 1
    sides = (sample.real.columns[name], sample.synthetic.columns[name])
    real, synthetic = (np.where(codes < 0, size - 1, codes).astype(np.int64) for codes in sides)
    return real, synthetic, size


def _binned(sample: Sample, name: str, bins: int) -> tuple[Codes, Codes, int] | IncomputableError:
    real, synthetic = sample.real.columns[name], sample.synthetic.columns[name]
    present = real[~np.isnan(real)]
    if not np.isfinite(present).all():
        return IncomputableError("ContingencySimilarity", f"{name} holds infinite values, which cannot be binned")
    try:
        inner = np.histogram_bin_edges(present, bins=bins)[1:-1]
    except ValueError:
        return IncomputableError("ContingencySimilarity", f"the range of {name} is too narrow for {bins} bins")
    out = []
    for values in (real, synthetic):
        codes = np.searchsorted(inner, values, side="right").astype(np.int64)
        codes[np.isnan(values) | (values == np.inf)] = bins  # SDMetrics gives both the code after the last bin
        out.append(codes)
    return out[0], out[1], bins + 1


def _similarity(flat: list[Codes], rows: int, columns: int, threshold: float) -> float:
    real, synthetic = flat
    if not len(real) or not len(synthetic):
        return NAN
    cells, found = rows * columns, flat
    if cells > DENSE_CELLS:
        labels, pooled = np.unique(np.concatenate(flat), return_inverse=True)
        cells, found = len(labels), [pooled[: len(real)], pooled[len(real) :]]
    counted = [np.bincount(codes, minlength=cells) for codes in found]
    if threshold > 0:
        table = dense(real, columns)
        if not exceeds(uncorrected_v(table), threshold, lambda: table):
            return NAN
    return similarity(counted)
