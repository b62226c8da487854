"""Tables side by side: every pair once, little padding, and scores as of each pair by itself."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthgate.measures.fidelity import abreast
from synthgate.measures.fidelity.pair_scores import score_pairs

shape = st.tuples(st.integers(1, 40), st.integers(1, 40))


@given(st.lists(shape, min_size=1, max_size=40))
def test_every_pair_is_in_one_group_of_like_shapes(shapes):
    named = {(f"a{at}", f"b{at}"): one for at, one in enumerate(shapes)}
    groups = list(abreast.alike(named))
    assert sorted(pair for group in groups for pair in group) == sorted(named)
    for group in groups:
        low, long = zip(*(sorted(named[pair]) for pair in group), strict=True)
        laid = len(group) * max(low) * max(long)
        assert laid <= abreast.WASTE * sum(a * b for a, b in zip(low, long, strict=True)) or len(group) == 1


@given(st.lists(shape, min_size=1, max_size=6), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_tables_are_laid_with_the_shorter_side_down_and_zeros_around(shapes, parts, seed):
    rng = np.random.default_rng(seed)
    tables = [rng.integers(1, 9, (parts, *one)) for one in shapes]
    laid = abreast.lay(tables, parts)
    for table, found in zip(tables, laid, strict=True):
        turned = table.transpose(0, 2, 1) if table.shape[1] > table.shape[2] else table
        assert np.array_equal(found[:, : turned.shape[1], : turned.shape[2]], turned)
        assert found.sum() == table.sum()


def test_scores_do_not_depend_on_what_lies_beside(make_evidence):
    rng = np.random.default_rng(1)

    def draw(rows):
        level = rng.integers(0, 9, rows)
        return pa.table(
            {
                "wide": [f"w{k}" for k in (level * 4 + rng.integers(0, 4, rows))],
                "two": np.where(level > rng.integers(0, 9, rows), "x", "y"),
                "some": [f"s{k}" for k in level],
                "x": level + rng.normal(size=rows),
            }
        )

    evidence = make_evidence(draw(900), draw(700), draw(500))
    names = list(evidence.pairs["real"].pairs)
    together = list(score_pairs(evidence, names))
    assert [one.pair for one in together] == names
    for one in together:
        (alone,) = score_pairs(evidence, [one.pair])
        for part in ("careless", "association", "information"):
            assert getattr(one, part) == pytest.approx(getattr(alone, part), rel=1e-12)
        for side in ("real", "synthetic"):
            assert one.entropies[side] == pytest.approx(alone.entropies[side], rel=1e-12)
        assert one.distance.value == pytest.approx(alone.distance.value, rel=1e-12)
        assert one.without == pytest.approx(alone.without, rel=1e-12)
        for side in ("synthetic", "holdout"):
            assert one.kept[side] == pytest.approx(alone.kept[side], rel=1e-9, abs=1e-15)
