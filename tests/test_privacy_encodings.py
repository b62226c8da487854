"""Encodings and block products: symmetric, order-free, and equal to brute force."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from synthgate.measures.privacy.encodings import Encoding, Rows, distinct_rows, encode, is_among
from synthgate.measures.privacy.neighbours import (
    agreement_index,
    best_agreement,
    distance_index,
    lead_of_best,
    nearest,
)
from synthgate.measures.privacy.panel import make_panel
from synthgate.sample import Sample

MakeSample = Callable[..., Sample]


@pytest.fixture
def make_sample(make_evidence: Callable[..., Any]) -> MakeSample:
    return lambda *tables, **more: make_evidence(*tables, **more).sample


def mixed(rows: int, seed: int) -> pa.Table:
    """Draw rows with rare and frequent values, missing cells, and a column that never varies."""
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "key": [f"{seed}x{rng.integers(2**40):x}" for _ in range(rows)],
            "kind": rng.choice(["a", "b", "c", "rare"], rows, p=[0.6, 0.3, 0.09, 0.01]),
            "town": pa.array([f"t{k}" for k in rng.geometric(0.05, rows)], mask=rng.random(rows) < 0.1),
            "size": pa.array(rng.normal(0, 1, rows).round(2), mask=rng.random(rows) < 0.1),
            "count": rng.poisson(3, rows),
            "same": ["one"] * rows,
        }
    )


def cells(encoding: Encoding, rows: Rows) -> np.ndarray:
    return np.stack([codes.astype(int) for codes in rows.codes], axis=1)


def test_swapping_real_and_holdout_leaves_every_encoder_unchanged(make_sample: MakeSample):
    a, b, s = mixed(300, 1), mixed(300, 2), mixed(400, 3)
    one, two = encode(make_sample(a, s, b)), encode(make_sample(b, s, a))
    for first, second in zip(one.columns, two.columns, strict=True):
        assert first.name == second.name
        assert np.array_equal(first.counts, second.counts)
        assert np.array_equal(first.bins, second.bins)
        assert np.array_equal(first.tree, second.tree, equal_nan=True)
    assert one.holdout is not None
    assert np.array_equal(one.holdout.hashes, two.real.hashes)
    assert np.array_equal(one.synthetic.dense, two.synthetic.dense)


def test_the_order_of_rows_changes_nothing(make_sample: MakeSample):
    a, s, b = mixed(200, 1), mixed(200, 3), mixed(200, 2)
    turned = [t.take(pa.array(np.random.default_rng(0).permutation(t.num_rows))) for t in (a, s, b)]
    one, two = encode(make_sample(a, s, b)), encode(make_sample(*turned))
    assert np.array_equal(one.real.hashes, two.real.hashes)
    assert np.array_equal(cells(one, one.synthetic), cells(two, two.synthetic))


def test_hashes_are_equal_exactly_when_rows_are(make_sample: MakeSample):
    encoding = encode(make_sample(mixed(300, 1), mixed(300, 1), mixed(200, 2)))
    pool = np.concatenate([cells(encoding, r) for r in (encoding.real, encoding.synthetic)])
    hashes = np.concatenate([encoding.real.hashes, encoding.synthetic.hashes])
    assert len(np.unique(pool, axis=0)) == len(np.unique(hashes))
    once, seen = distinct_rows(encoding.real)
    assert seen.sum() == len(encoding.real)
    assert is_among(once, encoding.synthetic).all()


def test_ids_and_constant_columns_are_left_out_and_said(make_sample: MakeSample):
    encoding = encode(make_sample(mixed(100, 1), mixed(100, 3), mixed(100, 2)))
    assert {skip.subject for skip in encoding.skipped} == {"key", "same"}
    assert {column.name for column in encoding.columns} == {"kind", "town", "size", "count"}


def test_float_noise_and_finer_synthetic_values_do_not_hide_equality(make_sample: MakeSample):
    real = pa.table({"x": np.round(np.arange(60) * 0.1, 1), "y": ["a", "b", "c"] * 20})
    noisy = pa.table({"x": np.arange(60) * 0.1 + 1e-12, "y": ["a", "b", "c"] * 20})
    encoding = encode(make_sample(real, noisy))
    assert np.array_equal(encoding.real.hashes, encoding.synthetic.hashes)


def test_dates_are_compared_at_the_unit_of_the_real_ones(make_sample: MakeSample):
    days = np.datetime64("2020-01-01", "us") + np.arange(60).astype("timedelta64[D]")
    with_hours = days + np.timedelta64(5, "h")
    encoding = encode(make_sample(pa.table({"day": days}), pa.table({"day": with_hours})))
    assert np.array_equal(encoding.real.hashes, encoding.synthetic.hashes)


def test_vectors_are_whole_values_and_distances(make_sample: MakeSample):
    rng = np.random.default_rng(0)
    points = rng.normal(size=(80, 5)).astype(np.float32)
    real = pa.table({"v": pa.array(list(points)), "k": ["a", "b"] * 40})
    near = pa.table({"v": pa.array(list(points + 1e-3)), "k": ["a", "b"] * 40})
    encoding = encode(make_sample(real, near, real))
    assert not is_among(encoding.synthetic, encoding.real).any()
    distances, _ = nearest(encoding.synthetic, distance_index(encoding.real, encoding), 1)
    assert distances.max() < 0.05


@pytest.mark.parametrize("k", [1, 3, 40])
def test_nearest_equals_brute_force(make_sample: MakeSample, k: int):
    encoding = encode(make_sample(mixed(700, 1), mixed(150, 3), mixed(50, 2)))
    queries, target = encoding.synthetic, encoding.real
    gaps = np.square(queries.dense[:, None] - target.dense[None]).sum(axis=2, dtype=np.float64)
    for at in encoding.matched:
        gaps += queries.codes[at][:, None] != target.codes[at][None]
    distances, at = nearest(queries, distance_index(target, encoding), k)
    assert np.allclose(distances, np.sqrt(np.sort(gaps, axis=1)[:, :k]), atol=1e-5)
    assert np.allclose(np.sqrt(np.take_along_axis(gaps, at, axis=1)), distances, atol=1e-5)


def test_best_agreement_equals_brute_force(make_sample: MakeSample):
    encoding = encode(make_sample(mixed(700, 1), mixed(150, 3), mixed(50, 2)))
    queries, target = encoding.synthetic, encoding.real
    rng = np.random.default_rng(0)
    weights = [rng.random(card) + 0.1 for card in encoding.cards]
    agreement = np.zeros((len(queries), len(target)))
    for mine, theirs, weight in zip(queries.codes, target.codes, weights, strict=True):
        agreement += (mine[:, None] == theirs[None]) * weight[mine][:, None]
    score, at = best_agreement(queries, agreement_index(target, encoding), weights)
    assert np.allclose(score, agreement.max(axis=1), atol=1e-5)
    assert np.allclose(agreement[np.arange(len(queries)), at], score)
    again, same, lead = lead_of_best(queries, agreement_index(target, encoding), weights)
    ordered = np.sort(agreement, axis=1)
    assert np.array_equal(again, score)
    assert np.array_equal(same, at)
    assert np.allclose(lead, ordered[:, -1] - ordered[:, -2], atol=2e-3)


def test_the_lead_is_the_same_however_targets_are_tiled(make_sample: MakeSample, monkeypatch: pytest.MonkeyPatch):
    encoding = encode(make_sample(mixed(700, 1), mixed(150, 3), mixed(50, 2)))
    weights = [np.arange(card) / card + 0.5 for card in encoding.cards]
    whole = lead_of_best(encoding.synthetic, agreement_index(encoding.real, encoding), weights)
    monkeypatch.setattr("synthgate.measures.privacy.neighbours.TILE_ROWS", 100)
    tiled = lead_of_best(encoding.synthetic, agreement_index(encoding.real, encoding), weights)
    assert np.allclose(whole[0], tiled[0])
    assert np.allclose(whole[2], tiled[2], atol=2e-3)


def test_nearest_of_nothing_and_of_one(make_sample: MakeSample):
    encoding = encode(make_sample(mixed(100, 1), mixed(100, 3), mixed(100, 2)))
    index = distance_index(encoding.real.take(np.arange(1)), encoding)
    assert nearest(encoding.synthetic, index, 5)[0].shape == (100, 1)
    assert nearest(encoding.synthetic.take(np.arange(0)), index, 5)[0].shape == (0, 1)


def test_a_panel_shares_no_row_between_sides_folds_and_references(make_sample: MakeSample):
    both = mixed(50, 9)
    real, holdout = pa.concat_tables([mixed(400, 1), both]), pa.concat_tables([mixed(400, 2), both])
    panel = make_panel(encode(make_sample(real, mixed(300, 3), holdout)), "standard")
    assert panel.common >= 45
    member, other = (panel.queries.take(panel.member == kind).hashes for kind in (True, False))
    assert not np.isin(member, other).any()
    assert len(np.unique(panel.queries.hashes)) == len(panel.queries)
    for f, reference in enumerate(panel.references):
        asked = panel.queries.take(panel.fold == f)
        assert not np.isin(asked.hashes, reference.hashes).any()
        assert (panel.member & (panel.fold == f)).any()
        assert (~panel.member & (panel.fold == f)).any()


def test_rows_that_come_in_groups_are_split_by_group(make_sample: MakeSample):
    tables = []
    for seed in (1, 3, 2):
        rng = np.random.default_rng(seed)
        person = np.repeat([f"p{seed}-{k}" for k in range(60)], 5)
        tables.append(
            pa.table({"person": person, "x": rng.normal(size=300).round(3), "k": rng.choice(list("abc"), 300)})
        )
    encoding = encode(make_sample(*tables))
    assert encoding.grouped_by == "person"
    panel = make_panel(encoding, "standard")
    for f, reference in enumerate(panel.references):
        asked = panel.queries.take((panel.fold == f) & ~panel.member)
        assert not np.isin(asked.groups, reference.groups).any()
    assert panel.units == (60, 60)


def test_values_that_cross_sides_are_no_groups(make_sample: MakeSample):
    assert encode(make_sample(mixed(300, 1), mixed(300, 3), mixed(300, 2))).grouped_by is None
