"""The dependence kept inside parts: unbiased, with the right error, blind to margins, and named where it is lost."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from synthgate.findings import Limit, Status
from synthgate.judging import judge
from synthgate.measures.parts import kept_in_parts, worst_parts
from synthgate.measures.utility.labels import LEAST, trts
from synthgate.statistics.joint import pairs_only
from synthgate.statistics.kept import (
    Kept,
    Means,
    of_known_rows,
    pair_contrast,
    triple_contrast,
    triple_mean,
    without_margins,
)


def workers(rows, seed, *, loose=0.0):
    """Draw a wage that goes with five columns, weakly, and exchange it among `loose` of the rows of one region."""
    rng = np.random.default_rng(seed)
    wage = rng.normal(size=rows)
    more = {f"x{k}": np.round(0.35 * wage + rng.normal(size=rows), 2) for k in range(5)}
    region = rng.choice(["north", "south", "east", "west", "centre", "coast"], rows)
    hit = np.flatnonzero((region == "coast") & (rng.random(rows) < loose))
    wage[hit] = wage[rng.permutation(hit)]
    return pa.table({"wage": np.round(wage, 2), "region": region, **more})


def z_of(kept):
    return (kept.synthetic - kept.real) / np.hypot(kept.synthetic_error, kept.real_error)


@pytest.mark.parametrize("rows", [1500, 3000])
@pytest.mark.parametrize("holdout", [True, False])
def test_fresh_rows_keep_all_and_their_errors_are_right(make_evidence, rows, holdout):
    found = []
    for seed in range(0, 30, 3):
        third = workers(rows, seed + 2) if holdout else None
        found += kept_in_parts(make_evidence(workers(rows, seed), workers(rows, seed + 1), third))
    scores = np.array([z_of(one.kept) for one in found])
    assert len(scores) > 20
    assert abs(scores.mean()) < 0.4
    assert 0.75 < scores.std() < 1.25


def test_a_column_that_is_exchanged_inside_one_group_is_named_with_the_group(make_evidence):
    evidence = make_evidence(workers(4000, 1), workers(4000, 2, loose=0.9), workers(4000, 3))
    found = [one for one in worst_parts(kept_in_parts(evidence), 0.85) if one.estimate.position.high < 0.85]
    assert found[0].columns == ("wage", "region")
    assert {one.columns[1] for one in found} == {"region"}
    assert "where 'region' is coast" in found[0].message
    assert found[0].estimate.low < 0.1 < found[0].estimate.high
    target = make_evidence(workers(4000, 1), workers(4000, 2, loose=0.9), workers(4000, 3), targets=("wage",))
    judged = [f for f in trts(target).findings if f.metric == "dependence_kept_in_a_part"]
    assert judge(judged[0].estimate, judged[0].limit) is Status.FAIL
    assert judged[0].columns == ("wage", "region")
    assert judged[0].limit == Limit(min_position=LEAST)


def test_known_values_that_are_exchanged_among_each_other_are_seen_though_most_are_missing(make_evidence):
    tables = []
    for seed in (1, 2, 3):
        table = workers(6000, seed)
        wage, gaps = np.array(table["wage"]), np.arange(6000) % 10 > 2
        known = np.flatnonzero(~gaps)
        order = np.random.default_rng(0).permutation(known) if seed == 2 else known
        values = wage.copy()
        values[known] = wage[order]
        tables.append(table.set_column(0, "wage", pa.array(values, mask=gaps)))
    found = worst_parts(kept_in_parts(make_evidence(*tables)), 0.85)
    assert found[0].columns == ("wage",)
    assert found[0].message.startswith("where 'wage' is known, 'wage' keeps")
    assert found[0].estimate.position.high < 0.85


def test_a_holdout_that_has_drifted_is_no_reproach_to_synthetic_rows(make_evidence):
    loose = workers(4000, 1, loose=0.9)
    evidence = make_evidence(loose, workers(4000, 2, loose=0.9), workers(4000, 3))
    assert all(one.kept.interval(4.0)[1] > 0.85 for one in kept_in_parts(evidence))
    one, other = (Means(np.array([m]), np.array([0.1]), np.array([50.0])) for m in (0.1, 1.0))
    assert of_known_rows(one, other)[0] == 0.1
    assert of_known_rows(other, one)[0] == 0.1
    near = Means(np.array([1.2]), np.array([0.1]), np.array([150.0]))
    assert of_known_rows(other, near)[0] == pytest.approx(1.15)
    assert of_known_rows(other, None)[0] == 1.0


def test_other_margins_alone_lose_nothing():
    rng = np.random.default_rng(1)
    ties = 1 + 0.5 * np.outer(np.linspace(-1, 1, 5), np.linspace(-1, 1, 5))
    counts = rng.poisson(200 * ties).astype(float)
    contrast, surely = pair_contrast(counts)
    assert surely.item() > 0.9
    for tilt in (np.ones(5), np.linspace(0.2, 2, 5)):
        shares = np.outer(tilt / tilt.sum(), np.full(5, 0.2))
        assert (without_margins(contrast, shares * 1e6) * shares).sum() == pytest.approx(0, abs=1e-9)
    noise, none = pair_contrast(rng.poisson(np.full((5, 5), 40.0)).astype(float))
    assert none.item() < 0.5
    assert np.abs(noise).max() < 1


def test_pairs_alone_have_nothing_of_a_three_way_effect():
    rng = np.random.default_rng(2)
    levels = np.linspace(-1, 1, 3)
    effect = 1 + 0.8 * levels[:, None, None] * levels[None, :, None] * levels[None, None, :]
    counts = rng.poisson(100 * effect)[None].astype(float)
    contrast = triple_contrast(counts, pairs_only(counts.astype(int)))
    other = rng.poisson(100 * effect[::-1, :, :] ** 0)[None].astype(float)
    other *= np.linspace(0.5, 2, 3)[None, :, None, None]
    fitted = pairs_only(other.astype(int))
    alone = triple_mean(contrast, fitted * other.sum(), fitted)
    assert alone.mean[0] == pytest.approx(0, abs=1e-6)
    fresh = rng.poisson(100 * effect)[None].astype(float)
    there = triple_mean(contrast, fresh, pairs_only(fresh.astype(int)))
    assert there.mean[0] > 6 * there.error[0]


def test_the_interval_is_that_of_a_ratio_and_open_where_the_real_side_is_not_known():
    low, high = Kept(0.5, 0.05, 1.0, 0.0).interval(2.0)
    assert (low, high) == pytest.approx((0.4, 0.6))
    low, high = Kept(0.5, 0.05, 1.0, 0.1).interval(2.0)
    assert low < 0.4
    assert high > 0.62
    assert Kept(0.5, 0.05, 0.1, 0.1).interval(2.0) == (float("-inf"), float("inf"))
    assert not Kept(0.0, 0.0, 1e-19, 0.0).is_known
