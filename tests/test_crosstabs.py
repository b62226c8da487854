"""Tables of several columns at a time have the same margins as tables of two."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthgate import crosstabs
from synthgate.counts import GROUPS
from synthgate.crosstabs import Coded


def columns(rows, sizes, seed):
    rng = np.random.default_rng(seed)
    return {f"c{at}": Coded(rng.integers(0, size, rows).astype(np.uint16), size) for at, size in enumerate(sizes)}


def directly(coded, pair, groups):
    a, b = (coded[name] for name in pair)
    table = np.zeros((GROUPS, a.size, b.size), np.int64)
    np.add.at(table, (groups, a.codes, b.codes), 1)
    return table


@settings(max_examples=60, deadline=None)
@given(
    rows=st.sampled_from([0, 1, 50, 900]),
    sizes=st.lists(st.integers(1, 30), min_size=2, max_size=7),
    least=st.sampled_from([1e-4, 0.1, 2, 1000]),
    together=st.sampled_from([1, 2**13, 2**26]),
    seed=st.integers(0, 999),
    data=st.data(),
)
def test_every_pair_is_counted_once_and_exactly(rows, sizes, least, together, seed, data):
    coded = columns(rows, sizes, seed)
    every = list(combinations(coded, 2))
    pairs = data.draw(st.lists(st.sampled_from(every), unique=True))
    groups = np.random.default_rng(seed + 1).integers(0, GROUPS, rows)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(crosstabs, "ROWS_PER_CELL", least)
        patched.setattr(crosstabs, "MOST_TOGETHER", together)
        patched.setattr(crosstabs, "BLOCK", 128)
        parts = list(crosstabs.crosstabs(coded, pairs, groups))
    found = [pair for part in parts for pair in part]
    assert sorted(found) == sorted(pairs)
    for part in parts:
        for pair, table in part.items():
            assert np.array_equal(table, directly(coded, pair, groups))


def test_small_columns_are_counted_together():
    sizes = {"a": 3, "b": 4, "c": 5, "d": 40}
    pairs = list(combinations(sizes, 2))
    jobs = crosstabs._jobs(pairs, sizes, 100_000)
    assert len(jobs) < len(pairs)
    assert sorted(pair for job in jobs for pair in job.pairs) == sorted(pairs)
    apart = crosstabs._jobs(pairs, sizes, 100)
    assert [len(job.left + job.right) for job in apart] == [2] * len(pairs)
