"""SDMetrics' column scores from counts, equal to the library's to 1e-9.

Each function takes the counts of the real and the synthetic column and returns SDMetrics' value,
NaN where SDMetrics gives NaN. The definitions are those of SDMetrics 0.32.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from synthgate.canonical import number_label, parse_datetime, parse_number
from synthgate.counts import ColumnCounts
from synthgate.errors import SynthgateError
from synthgate.measures.fidelity.compatible import ks_complement, tv_complement
from synthgate.roles import Role
from synthgate.values import NumberCounts

NAN = float("nan")


class IncomputableError(SynthgateError):
    """SDMetrics raises on such a column."""


def column_score(
    name: str, options: Mapping[str, object], role: Role, real: ColumnCounts, synthetic: ColumnCounts
) -> float:
    """Return a column's score by the metric's name.

    Parameters
    ----------
    name : str
        Of a metric that synthgate computes itself.
    options : dict
        The metric's keyword arguments.
    role : Role
        Of the column.
    real, synthetic : ColumnCounts

    Returns
    -------
    float
        In [0, 1], or NaN.

    Raises
    ------
    IncomputableError
        Where SDMetrics raises.
    """
    if name == "KSComplement":
        return ks_complement(real, synthetic)
    if name == "TVComplement":
        if not real.present or not synthetic.present:
            raise IncomputableError(name, "it needs one or more values that are not missing on both sides")
        return tv_complement(real, synthetic)
    if name == "BoundaryAdherence":
        return boundary_adherence(real, synthetic, options, role)
    if name == "CategoryAdherence":
        return category_adherence(real, synthetic, options)
    if name == "StatisticSimilarity":
        return statistic_similarity(real, synthetic, str(options.get("statistic", "mean")))
    return {
        "CategoryCoverage": category_coverage,
        "RangeCoverage": range_coverage,
        "MissingValueSimilarity": missing_value_similarity,
        "KeyUniqueness": key_uniqueness,
    }[name](real, synthetic)


def boundary_adherence(
    real: ColumnCounts,
    synthetic: ColumnCounts,
    options: Mapping[str, object] | None = None,
    role: Role = Role.NUMERICAL,
) -> float:
    """Return the share of synthetic values within the bounds; missing ones are wrong unless real has some, too."""
    given = options or {}
    values, counts = synthetic.numbers.values, synthetic.numbers.counts
    rows = synthetic.present if _nullable(real, given) else synthetic.rows
    low = _bound(given.get("range_min"), role, real.numbers.values[:1])
    high = _bound(given.get("range_max"), role, real.numbers.values[-1:])
    return int(counts[(values >= low) & (values <= high)].sum()) / rows if rows else NAN


def _bound(given: object, role: Role, found: Sequence[float] | np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    if given is None:
        return float(found[0]) if len(found) else NAN
    text = str(given)
    number = parse_datetime(text) if role is Role.DATETIME else parse_number(text)
    if number is None:
        raise IncomputableError("BoundaryAdherence", "a bound is no value of the column's role")
    return number


def _nullable(real: ColumnCounts, options: Mapping[str, object]) -> bool:
    told = options.get("range_is_nullable")
    return real.missing > 0 if told is None else bool(told)


def category_adherence(
    real: ColumnCounts, synthetic: ColumnCounts, options: Mapping[str, object] | None = None
) -> float:
    """Return the share of synthetic values that are real (or given) categories."""
    given = options or {}
    if not synthetic.rows:
        return NAN
    told = given.get("range_values")
    known = real.labels.labels.to_pylist() if told is None else [_label(v) for v in _listed(told)]
    right = int(synthetic.labels.of_categories(tuple(dict.fromkeys(known))).sum())
    missing = synthetic.missing if _nullable(real, given) else 0
    return (right + missing) / synthetic.rows


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _label(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return number_label(float(value)) if isinstance(value, int | float) else str(value)


def category_coverage(real: ColumnCounts, synthetic: ColumnCounts) -> float:
    """Return the share of real categories that occur in synthetic."""
    known = real.labels.labels.to_pylist()
    if not known:
        raise IncomputableError("CategoryCoverage", "the real column has no value")
    return int((synthetic.labels.of_categories(tuple(known)) > 0).sum()) / len(known)


def range_coverage(real: ColumnCounts, synthetic: ColumnCounts) -> float:
    """Return how much of the real range lies within the synthetic range; NaN when the real column is constant."""
    if not real.present or not synthetic.present:
        return NAN
    low, high = (np.float64(v) for v in real.numbers.values[[0, -1]])
    least, most = (np.float64(v) for v in synthetic.numbers.values[[0, -1]])
    if low == high:
        return NAN
    with np.errstate(all="ignore"):
        below, above = (least - low) / (high - low), (high - most) / (high - low)
    if np.isnan(below) or np.isnan(above):
        return NAN
    return float(max(1 - (max(below, 0) + max(above, 0)), 0))


def missing_value_similarity(real: ColumnCounts, synthetic: ColumnCounts) -> float:
    """Return one minus the difference of the shares of missing values."""
    if not real.rows or not synthetic.rows:
        return NAN
    return 1 - abs(real.missing / real.rows - synthetic.missing / synthetic.rows)


def key_uniqueness(real: ColumnCounts, synthetic: ColumnCounts) -> float:
    """Return the share of synthetic rows whose key is neither missing nor a repetition of an earlier one."""
    del real  # SDMetrics looks at the synthetic keys only
    return len(synthetic.values.counts) / synthetic.rows if synthetic.rows else NAN


def statistic_similarity(real: ColumnCounts, synthetic: ColumnCounts, statistic: str = "mean") -> float:
    """Return one minus the difference of a statistic over the real range; NaN when the real column is constant.

    Parameters
    ----------
    real, synthetic : ColumnCounts
    statistic : str
        ``mean``, ``median`` or ``std`` (sample standard deviation).
    """
    if len(real.numbers.values) < 2 or not synthetic.present:
        return NAN
    of = {"mean": _mean, "median": _median, "std": _std}[statistic]
    values = real.numbers.values
    with np.errstate(all="ignore"):
        gap = np.abs(of(real.numbers) - of(synthetic.numbers)) / (values[-1] - values[0])
    return NAN if np.isnan(gap) else float(max(1 - gap, 0))


def _mean(counts: NumberCounts) -> np.float64:
    with np.errstate(all="ignore"):
        return np.float64((counts.values * (counts.counts / counts.total)).sum())


def _std(counts: NumberCounts) -> np.float64:
    if counts.total < 2:
        return np.float64(NAN)
    with np.errstate(all="ignore"):
        square = (counts.values - _mean(counts)) ** 2
        return np.float64(np.sqrt((square * (counts.counts / (counts.total - 1))).sum()))


def _median(counts: NumberCounts) -> np.float64:
    upto = np.cumsum(counts.counts)
    middle = np.searchsorted(upto, [(counts.total - 1) // 2, counts.total // 2], side="right")
    with np.errstate(all="ignore"):
        return np.float64(counts.values[middle].mean())
