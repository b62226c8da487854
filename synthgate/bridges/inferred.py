"""The contract that a real table implies, in no library's words: types, missing values, ranges, values, keys, formats.

Every rule is one that real keeps and that fresh rows of the same source are expected to keep, so the rules are wider
than real itself: ranges reach beyond the extremes as far as the tails suggest, and values are only listed where each
is frequent. That also keeps rare real values out of the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgate.canonical import kind_of
from synthgate.roles import Role
from synthgate.values import LabelCounts, NumberCounts

if TYPE_CHECKING:
    import pyarrow as pa

    from synthgate.counts import ColumnCounts
    from synthgate.plan import ColumnPlan, Plan

MIN_COUNT = 10
MAX_ALLOWED = 100
MAX_SHAPES = 5
MAX_SHAPE_LENGTH = 60
DAY = 86_400e6
HARD_NEXT = 20.0
MOST_TOLERATED = 0.05
SHORT_TAIL = 1.5
LEAST_STRETCH = 1.5
FEW = 100
MIN_INDEX, MAX_INDEX = -0.1, 2.0
NORMAL_80 = 1.2816
LARGEST = 1e15
EXPECTED_BELOW = 5.0
SHAPE = re.compile(r"(?P<digits>[0-9]+)|(?P<upper>[A-Z]+)|(?P<lower>[a-z]+)|(?P<sign>.)", re.DOTALL)


def tolerance_for(rows: int) -> float:
    """Return the share of fresh rows that may break a rule which all of `rows` real rows keep: 10 / rows, at most 5 %.

    What no real row shows may still come: by the rule of three, its share is below 3 / rows with 95 % confidence, and
    so many fresh rows then bring more than 10 of it with a chance of less than 1 in 1,000.
    """
    share = min(MOST_TOLERATED, 10 / max(1, rows))
    digit = 10.0 ** np.floor(np.log10(share))
    return float(f"{np.ceil(share / digit - 1e-9) * digit:.3g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnRules:
    """What every value of one column has to be.

    Attributes
    ----------
    name : str
    kind : str
        Plain name of what the column stores, see :func:`synthgate.canonical.kind_of`; ``"other"`` for what no
        library has a type for.
    unsigned : bool
        Whether whole numbers are stored as unsigned 64 bits.
    zone : str or None
        Time zone of time stamps.
    by_day : bool
        Whether moments are stored as dates.
    nullable, unique : bool
    low, high : float or None
        Least and greatest value; microseconds since 1970 for moments.
    allowed : tuple
        All values there are; empty when any may come.
    pattern : str or None
        A regular expression that every text matches from start to end.
    """

    name: str
    kind: str
    unsigned: bool = False
    zone: str | None = None
    by_day: bool = False
    nullable: bool = True
    unique: bool = False
    low: float | None = None
    high: float | None = None
    allowed: tuple[str | int | float, ...] = ()
    pattern: str | None = None


def infer_rules(
    plan: Plan, counts: Mapping[str, ColumnCounts], schema: pa.Schema, keys: Sequence[str]
) -> tuple[ColumnRules, ...]:
    """Return the rules of every column of a real table.

    Parameters
    ----------
    plan : Plan
    counts : dict of ColumnCounts
    schema : pyarrow.Schema
        Of the real table.
    keys : sequence of str
        Columns that are unique in every row.
    """
    return tuple(
        _rules(column, counts.get(column.name), schema.field(column.name).type, is_key=column.name in keys)
        for column in plan.columns
    )


def _rules(plan: ColumnPlan, counts: ColumnCounts | None, kind: pa.DataType, *, is_key: bool) -> ColumnRules:
    import pyarrow.types as pt

    stored = kind.value_type if pt.is_dictionary(kind) else kind
    plain = kind_of(stored)
    usual = plain in ("integer", "float", "string", "boolean", "datetime") and not pt.is_decimal(stored)
    low, high = _range(plan, counts, plain) if usual else (None, None)
    zoned = getattr(stored, "tz", None)
    return ColumnRules(
        name=plan.name,
        kind=plain if usual else "other",
        unsigned=pt.is_uint64(stored),
        zone=zoned,
        by_day=pt.is_date(stored),
        nullable=counts is None or counts.missing > counts.misfits or plain == "null",
        unique=is_key,
        low=None if zoned else low,
        high=None if zoned else high,
        allowed=_allowed(plan, counts, plain) if usual else (),
        pattern=_pattern(plan, counts) if plain == "string" else None,
    )


def _allowed(plan: ColumnPlan, counts: ColumnCounts | None, kind: str) -> tuple[str | int | float, ...]:
    """Return all values of a categorical column, unless some are so rare that others may exist."""
    if plan.role is not Role.CATEGORICAL or counts is None or not isinstance(counts.values, LabelCounts):
        return ()
    known = counts.labels
    if known.overflowed or not 0 < len(known.counts) <= MAX_ALLOWED or int(known.counts.min()) < MIN_COUNT:
        return ()
    labels = known.labels.to_pylist()
    if kind == "integer":
        return tuple(sorted(int(label) for label in labels))
    if kind == "float":
        return tuple(sorted(float(label) for label in labels))
    return tuple(labels) if kind == "string" else ()


def shape_of(text: str) -> str:
    r"""Return a regular expression of the shape of a text: runs of digits and letters between fixed signs.

    Examples
    --------
    >>> shape_of("AB-12")
    '[A-Z]+\\-[0-9]+'
    """
    kinds = {"digits": "[0-9]+", "upper": "[A-Z]+", "lower": "[a-z]+"}
    return "".join(kinds.get(str(m.lastgroup)) or re.escape(m.group()) for m in SHAPE.finditer(text))


def _pattern(plan: ColumnPlan, counts: ColumnCounts | None) -> str | None:
    """Return one pattern for a text column of few shapes, each of them frequent; it is held against every value."""
    import pyarrow.compute as pc

    if counts is None or plan.role not in (Role.ID, Role.TEXT) or not isinstance(counts.values, LabelCounts):
        return None
    known = counts.labels
    if known.overflowed or known.total < 5 * MIN_COUNT:
        return None
    seen: dict[str, int] = {}
    step = max(1, len(known.labels) // 20_000)
    for label, n in zip(known.labels[::step].to_pylist(), known.counts[::step].tolist(), strict=True):
        shape = shape_of(label)
        seen[shape] = seen.get(shape, 0) + n
        if len(seen) > MAX_SHAPES or len(shape) > MAX_SHAPE_LENGTH:
            return None
    if not seen or min(seen.values()) < MIN_COUNT:
        return None
    pattern = rf"^(?:{'|'.join(sorted(seen))})$"
    keep = all(label.isascii() for label in seen) and pc.all(pc.match_substring_regex(known.labels, pattern)).as_py()
    return pattern if keep else None


def _range(plan: ColumnPlan, counts: ColumnCounts | None, kind: str) -> tuple[float | None, float | None]:
    if not plan.role.is_continuous or kind not in ("integer", "float", "datetime") or counts is None:
        return None, None
    values = counts.values
    if not isinstance(values, NumberCounts) or values.overflowed or not len(values.values):
        return None, None
    ends = np.abs(values.values[[0, -1]])
    if not np.isfinite(ends).all() or (kind != "datetime" and ends.max() > LARGEST):
        return None, None
    high = upper_bound(values.values, values.counts)
    low = upper_bound(-values.values[::-1], values.counts[::-1])
    low = None if low is None else -low
    if kind != "datetime" and low is not None and low < 0 <= values.values[0] and _is_hard_zero(values):
        low = 0.0
    unit = DAY if kind == "datetime" else _unit(values)
    return _rounded(low, values.values[0], unit, np.floor), _rounded(high, values.values[-1], unit, np.ceil)


def _unit(values: NumberCounts) -> float:
    length = float(values.values[-1] - values.values[0]) or abs(float(values.values[-1])) or 1.0
    return float(10.0 ** (np.floor(np.log10(length)) - 1))


def _rounded(bound: float | None, extreme: float, unit: float, away: np.ufunc) -> float | None:
    """Return a bound that was extended, rounded away from the data; one that real reaches stays exact."""
    if bound is None or bound == extreme:
        return bound
    return float(f"{away(bound / unit) * unit:.12g}")


def upper_bound(values: NDArray[np.float64], counts: NDArray[np.int64]) -> float | None:
    """Return an upper bound that fresh rows are not expected to pass.

    Where values pile up at the greatest, it is the bound. Else what lies above the median is taken to have a
    generalised Pareto tail, whose index comes from the 80th percentile and the tenth largest value, and the bound is
    its quantile that one row in a thousand times as many would pass. It lies at least half as far again from the
    median as the greatest value. A tail that ends abruptly, as a uniform one does, gets that much only.

    Parameters
    ----------
    values : float64 array, shape (distinct,)
        Rising and finite.
    counts : int64 array, shape (distinct,)

    Returns
    -------
    float or None
        None when fewer than 10 rows lie above the median, so that nothing is known of the tail.

    References
    ----------
    Pickands (1975), Annals of Statistics 3, 119-131.
    """
    if _is_hard(counts):
        return float(values[-1])
    middle, tail, above = _tail(values, counts)
    if above < MIN_COUNT or not tail:
        return None
    reach = float(values[-1] - middle)
    least = LEAST_STRETCH * reach
    if reach / tail < SHORT_TAIL:
        return middle + least * (1 if above >= FEW else 2)
    if above < FEW:
        return middle + reach * max(2.0, reach / tail) * 2
    large = values[len(counts) - 1 - np.searchsorted(np.cumsum(counts[::-1]), MIN_COUNT)] - middle
    index = _tail_index(float(large) / tail, above / MIN_COUNT)
    return middle + max(least, tail * _stretch(1000 * above, index) / _stretch(5, index))


def _stretch(times: float, index: float) -> float:
    """Return the quantile of a generalised Pareto tail of unit scale that one in `times` rows passes."""
    return float(np.log(times) if abs(index) < 1e-9 else (times**index - 1) / index)


def _tail_index(ratio: float, times: float) -> float:
    """Return the tail index with which the quantile passed by one in `times` is `ratio` times that passed by 1 in 5.

    Between -0.1 (nearly normal) and 2: a more negative index would trust that there is an end.
    """
    low, high = MIN_INDEX, MAX_INDEX
    for _ in range(40):
        middle = (low + high) / 2
        below = _stretch(times, middle) / _stretch(5, middle) < ratio
        low, high = (middle, high) if below else (low, middle)
    return (low + high) / 2


def _is_hard(counts: NDArray[np.int64]) -> bool:
    """Whether values pile up at the end: from the last two counts, a next value would be expected but there is none."""
    last = int(counts[-1])
    if last < MIN_COUNT:
        return False
    return len(counts) == 1 or last * last / int(counts[-2]) >= HARD_NEXT


def _tail(values: NDArray[np.float64], counts: NDArray[np.int64]) -> tuple[float, float, int]:
    """Return the median, how far above it the 80th percentile of what lies above lies, and the rows above."""
    middle = float(values[np.searchsorted(np.cumsum(counts), counts.sum() / 2)])
    upper = values > middle
    above = int(counts[upper].sum())
    if not above:
        return middle, 0.0, 0
    at = np.searchsorted(np.cumsum(counts[upper]), 0.8 * above)
    return middle, float(values[upper][at] - middle), above


def _is_hard_zero(values: NumberCounts) -> bool:
    """Whether a column without negative values can be expected to stay so.

    So it is when values pile up at zero, when the lower tail is short, or when a normal tail of the same width would
    have brought at least five negative values.
    """
    from scipy.special import ndtr

    middle, tail, above = _tail(-values.values[::-1], values.counts[::-1])
    if values.values[0] == 0 and values.counts[0] >= MIN_COUNT:
        return True
    if above < MIN_COUNT or not tail:
        return False
    if (-values.values[0] - middle) / tail < SHORT_TAIL:
        return True
    return bool(values.total * ndtr(middle / (tail / NORMAL_80)) >= EXPECTED_BELOW)
