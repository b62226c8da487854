"""Value counts: how often each distinct value of a column occurs.

Both kinds form a commutative monoid under ``+``: any split of the rows into batches,
added in any order, gives identical integers. Past a bound on distinct values a count
overflows, and stays so: whether it does depends on all rows, not on their order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MAX_NUMBERS = 4_000_000
MAX_LABELS = 2_000_000
DENSE_FACTOR = 4
SCALES = (1, 10, 100, 1000)
TRIED = 1000
BLOCK = 65_536


@dataclass(frozen=True, slots=True)
class NumberCounts:
    """Distinct finite or infinite numbers with their counts.

    Attributes
    ----------
    values : float64 array, shape (distinct,), rising
    counts : int64 array, shape (distinct,)
    overflowed : bool
        More than :data:`MAX_NUMBERS` distinct values were seen; both arrays are then empty.
    """

    values: FloatArray
    counts: IntArray
    overflowed: bool = False

    @classmethod
    def empty(cls) -> NumberCounts:
        """Return the neutral element."""
        return cls(np.empty(0), np.empty(0, np.int64))

    @classmethod
    def of(cls, numbers: FloatArray) -> NumberCounts:
        """Count the numbers of one batch; NaN stands for missing and is left out."""
        gone = np.isnan(numbers)
        kept = numbers[~gone] if gone.any() else numbers
        if not len(kept):
            return cls.empty()
        dense = _count_dense(kept)
        if dense is not None:
            return cls._bounded(*dense)
        kept = np.sort(kept)
        first = np.flatnonzero(np.concatenate(([True], kept[1:] != kept[:-1])))
        # 0.0 added turns -0.0 into 0.0, so that the two are one value
        return cls._bounded(kept[first] + 0.0, np.diff(np.append(first, len(kept))))

    @classmethod
    def _bounded(cls, values: FloatArray, counts: IntArray) -> NumberCounts:
        if len(values) > MAX_NUMBERS:
            return cls(np.empty(0), np.empty(0, np.int64), overflowed=True)
        return cls(values, counts.astype(np.int64))

    def __add__(self, other: NumberCounts) -> NumberCounts:
        if self.overflowed or other.overflowed:
            return self if self.overflowed else other
        if not len(self.values) or not len(other.values):
            return other if not len(self.values) else self
        values, place = np.unique(np.concatenate((self.values, other.values)), return_inverse=True)
        counts = np.zeros(len(values), np.int64)
        np.add.at(counts, place, np.concatenate((self.counts, other.counts)))
        return self._bounded(values, counts)

    @property
    def total(self) -> int:
        """Values counted."""
        return int(self.counts.sum())

    def finite(self) -> NumberCounts:
        """Return the counts without infinities."""
        keep = np.isfinite(self.values)
        return self if keep.all() else NumberCounts(self.values[keep], self.counts[keep], self.overflowed)

    def mean_std(self) -> tuple[float, float]:
        """Return mean and population standard deviation of the finite values (NaN when there is none)."""
        kept = self.finite()
        if not kept.total:
            return float("nan"), float("nan")
        scale = max(1.0, float(np.abs(kept.values).max()))
        scaled, weights = kept.values / scale, kept.counts / kept.total
        mean = float((scaled * weights).sum())
        return mean * scale, float(np.sqrt(((scaled - mean) ** 2 * weights).sum())) * scale

    def quantiles(self, shares: FloatArray) -> FloatArray:
        """Return the smallest finite values at or below which the given shares of the finite values lie."""
        kept = self.finite()
        at = np.searchsorted(np.cumsum(kept.counts), np.asarray(shares) * kept.total, side="left")
        return kept.values[np.minimum(at, len(kept.values) - 1)]

    def binned(self, edges: FloatArray) -> IntArray:
        """Return counts per bin, the bins being cut at the inner `edges` (left-closed)."""
        codes = np.searchsorted(edges, self.values, side="right")
        return np.bincount(codes, weights=self.counts, minlength=len(edges) + 1).astype(np.int64)


def _count_dense(kept: FloatArray) -> tuple[FloatArray, IntArray] | None:
    """Count decimals of a narrow range without sorting, or return None for other numbers.

    Every value has to be a whole number, or one divided by 10, 100 or 1,000, to the last bit.
    """
    low, high = float(kept.min()), float(kept.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        return None
    for scale in SCALES:
        if scale * (high / 2 - low / 2) > DENSE_FACTOR * len(kept) or abs(low) * scale > 2**52:
            return None
        if scale > 1 and not _are_decimals(kept[:TRIED], scale):
            continue
        first = np.rint(low * scale)
        counts = np.zeros(int(np.rint(high * scale) - first) + 1, np.int64)
        values = (np.arange(len(counts)) + first) / scale
        if all(_add_dense(kept[at : at + BLOCK], scale, first, counts) for at in range(0, len(kept), BLOCK)):
            seen = np.flatnonzero(counts)
            # 0.0 added turns -0.0 into 0.0, so that the two are one value
            return values[seen] + 0.0, counts[seen]
    return None


def _add_dense(kept: FloatArray, scale: int, first: float, counts: IntArray) -> bool:
    """Add a block's numbers to the `counts` from `first` on, unless one of them is no decimal of this scale."""
    offsets = kept - first if scale == 1 else np.rint(kept * scale - first)
    if not np.array_equal((np.rint(offsets) + first) / scale, kept):
        return False
    places = offsets.astype(np.intp)
    if len(counts) > len(places):  # a count per block would cost as much as the whole range
        np.add.at(counts, places, 1)
    else:
        counts += np.bincount(places, minlength=len(counts))
    return True


def _are_decimals(values: FloatArray, scale: int) -> bool:
    return bool((np.rint(values * scale) / scale == values).all())


@dataclass(frozen=True, slots=True)
class LabelCounts:
    """Distinct strings with their counts, sorted by string.

    Attributes
    ----------
    labels : pyarrow.StringArray, shape (distinct,)
    counts : int64 array, shape (distinct,)
    overflowed : bool
        More than :data:`MAX_LABELS` distinct values were seen; both arrays are then empty.
    """

    labels: pa.Array
    counts: IntArray
    overflowed: bool = False

    @classmethod
    def empty(cls) -> LabelCounts:
        """Return the neutral element."""
        import pyarrow as pa

        return cls(pa.array([], pa.string()), np.empty(0, np.int64))

    @classmethod
    def of(cls, labels: pa.Array, counts: IntArray) -> LabelCounts:
        """Sort and bound distinct `labels`, dropping those never seen."""
        import pyarrow as pa
        import pyarrow.compute as pc

        seen = counts > 0
        if not seen.all():
            labels, counts = labels.filter(pa.array(seen)), counts[seen]
        if len(labels) > MAX_LABELS:
            return cls(pa.array([], pa.string()), np.empty(0, np.int64), overflowed=True)
        order = pc.sort_indices(labels)
        return cls(labels.take(order), counts[order.to_numpy()].astype(np.int64))

    def __add__(self, other: LabelCounts) -> LabelCounts:
        import pyarrow as pa

        if self.overflowed or other.overflowed:
            return self if self.overflowed else other
        if not len(self.labels) or not len(other.labels):
            return other if not len(self.labels) else self
        both = pa.table(
            {
                "label": pa.chunked_array([self.labels, other.labels]),
                "count": np.concatenate((self.counts, other.counts)),
            }
        )
        summed = both.group_by("label").aggregate([("count", "sum")])
        return self.of(summed["label"].combine_chunks(), summed["count_sum"].to_numpy())

    @property
    def total(self) -> int:
        """Values counted."""
        return int(self.counts.sum())

    def as_dict(self) -> dict[str, int]:
        """Return the counts by label."""
        return dict(zip(self.labels.to_pylist(), self.counts.tolist(), strict=True))

    def of_categories(self, categories: tuple[str, ...]) -> IntArray:
        """Return the counts of the given labels, zero where absent."""
        import pyarrow as pa
        import pyarrow.compute as pc

        place = pc.index_in(pa.array(categories, pa.string()), value_set=self.labels)
        found = place.fill_null(-1).to_numpy(zero_copy_only=False)
        padded: IntArray = np.append(self.counts, 0)
        out: IntArray = padded[found]
        return out


ValueCounts = NumberCounts | LabelCounts
