"""Value counts add up to the same integers, however the rows are split."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthgate import values
from synthgate.canonical import to_labels
from synthgate.roles import Role
from synthgate.values import LabelCounts, NumberCounts

numbers = st.lists(
    st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.integers(-3, 3).map(float)), max_size=60
)
texts = st.lists(
    st.one_of(st.none(), st.sampled_from(["a", "b", "<script>", "", "ä\n"]), st.text(max_size=4)), max_size=60
)
cuts = st.lists(st.integers(0, 60), max_size=5)


def split(items, at):
    edges = sorted({0, len(items), *(min(c, len(items)) for c in at)})
    return [items[a:b] for a, b in pairwise(edges)]


def same_numbers(a: NumberCounts, b: NumberCounts) -> bool:
    return np.array_equal(a.values, b.values) and np.array_equal(a.counts, b.counts) and a.overflowed == b.overflowed


def count_labels(items) -> LabelCounts:
    labels = to_labels(pa.array(items, pa.string()), Role.CATEGORICAL)
    seen = np.bincount(labels.codes[labels.codes >= 0], minlength=len(labels.labels)).astype(np.int64)
    return LabelCounts.of(labels.labels, seen)


@given(numbers, cuts, st.randoms(use_true_random=False))
def test_numbers_split_anyhow_and_added_in_any_order_count_the_same(items, at, random):
    parts = [NumberCounts.of(np.array(part, np.float64)) for part in split(items, at)]
    random.shuffle(parts)
    total = NumberCounts.empty()
    for part in parts:
        total = total + part
    whole = NumberCounts.of(np.array(items, np.float64))
    assert same_numbers(total, whole)
    assert whole.total == sum(not np.isnan(x) for x in items)
    assert (np.diff(whole.values) > 0).all()


@given(texts, cuts, st.randoms(use_true_random=False))
def test_labels_split_anyhow_and_added_in_any_order_count_the_same(items, at, random):
    parts = [count_labels(part) for part in split(items, at)]
    random.shuffle(parts)
    total = LabelCounts.empty()
    for part in parts:
        total = total + part
    expected = {label: items.count(label) for label in set(items) if label is not None}
    assert total.as_dict() == expected
    assert count_labels(items).as_dict() == expected


def test_overflow_depends_on_the_rows_and_not_on_their_order(monkeypatch):
    monkeypatch.setattr(values, "MAX_NUMBERS", 3)
    a, b, c = (NumberCounts.of(np.array(part, np.float64)) for part in ([1, 2], [2, 3], [4]))
    assert not (a + b).overflowed
    for order in ((a, b, c), (c, b, a), (b, c, a)):
        assert (order[0] + order[1] + order[2]).overflowed


def test_quantiles_and_moments_equal_numpy():
    rows = np.random.default_rng(1).normal(5, 3, 999)
    counts = NumberCounts.of(rows)
    shares = np.array([0.01, 0.25, 0.5, 0.9])
    assert counts.quantiles(shares) == pytest.approx(np.quantile(rows, shares, method="inverted_cdf"))
    mean, std = counts.mean_std()
    assert (mean, std) == pytest.approx((rows.mean(), rows.std()))


def test_bins_are_left_closed_and_complete():
    counts = NumberCounts.of(np.array([1.0, 2.0, 2.0, 3.0, np.inf, -np.inf]))
    assert counts.binned(np.array([2.0, 3.0])).tolist() == [2, 2, 2]
