"""Rows as vectors: the metric of mixed columns, and what regions and privacy attacks share of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from synthgate.encoding import frequency_order, rank, vectors
from synthgate.measures.privacy.encodings import encode


@given(st.lists(st.one_of(st.none(), st.integers(-3, 3)), max_size=30))
def test_ranks_are_mid_ranks_and_missing_has_the_last_code(values: list[int | None]):
    numbers = np.array([np.nan if value is None else value for value in values], float)
    found = rank(numbers)
    known = ~np.isnan(numbers)
    expected = (rankdata(numbers[known]) - 0.5) / max(1, known.sum())
    assert np.allclose(found.ranks[found.codes[known]], expected)
    assert np.all(found.codes[~known] == len(found.counts) - 1)
    assert np.array_equal(found.counts, np.bincount(found.codes, minlength=len(found.counts)))
    assert np.isnan(found.ranks[-1])


@given(st.lists(st.integers(0, 5), min_size=1, max_size=20))
def test_order_by_frequency_is_a_permutation_with_the_most_frequent_first(counts: list[int]):
    order = frequency_order(np.array(counts))
    assert sorted(order.tolist()) == list(range(len(counts)))
    assert np.all(np.diff(np.array(counts)[np.argsort(order)]) <= 0)


def test_both_layouts_have_one_metric(make_evidence: Callable[..., Any]):
    rng = np.random.default_rng(0)

    def table(rows: int) -> pa.Table:
        size = rng.gamma(3, 2, rows).round(1)
        return pa.table(
            {
                "size": pa.array([None if s > 12 else s for s in size]),
                "hue": rng.choice(list("rgbyk"), rows),
                "town": [f"t{k}" for k in rng.geometric(0.2, rows)],
            }
        )

    sample = make_evidence(table(120), table(80), table(60)).sample
    encoding, plain = encode(sample), vectors(sample).sides["real"].astype(float)
    rows = encoding.real
    order = np.argsort(rows.place)
    gaps = np.square(rows.dense[order][:, None] - rows.dense[order][None]).sum(axis=2, dtype=float)
    for at in encoding.matched:
        codes = rows.codes[at][order]
        gaps += codes[:, None] != codes[None]
    assert np.square(plain[:, None] - plain[None]).sum(axis=2) == pytest.approx(gaps, abs=1e-5)
