"""Copies: shown when they are there, never shown when chance explains them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from synthgate.findings import Measured, Measurement, Status
from synthgate.judging import judge
from synthgate.measures.privacy import copies, kin, near
from synthgate.measures.privacy.encodings import encode
from synthgate.measures.privacy.near import dcr_share
from synthgate.measures.privacy.sides import split_sides
from synthgate.measures.privacy.slices import Slice, synthetic_kinds
from synthgate.sample import Sample

MakeSample = Callable[..., Sample]


@pytest.fixture
def make_sample(make_evidence: Callable[..., Any]) -> MakeSample:
    return lambda *tables, **more: make_evidence(*tables, **more).sample


def population(rows: int, seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    kind = rng.choice(["a", "b", "c", "d"], rows, p=[0.5, 0.3, 0.15, 0.05])
    size = rng.gamma(3, 2, rows)
    return pa.table(
        {
            "id": [f"{seed:04d}-{rng.integers(2**40):x}" for _ in range(rows)],
            "kind": kind,
            "town": [f"t{k}" for k in rng.geometric(0.04, rows)],
            "size": size.round(1),
            "price": (100 * size + rng.normal(0, 60, rows)).round(0),
            "age": rng.integers(18, 80, rows),
            "hue": rng.choice(list("rgbyk"), rows),
            "flag": (size + rng.normal(0, 2, rows) > 6).astype(str),
        }
    )


def with_rows(table: pa.Table, rows: pa.Table) -> pa.Table:
    """Replace the first rows by others, under the ids they had."""
    ids = table["id"]
    mixed = pa.concat_tables([rows, table.slice(rows.num_rows)])
    return mixed.set_column(0, "id", ids)


def judged(measurement: Measurement) -> dict[str, Status]:
    """Return the worst status by metric."""
    out: dict[str, Status] = {}
    for f in measurement.findings:
        if f.judged and f.estimate is not None:
            assert f.limit is not None
            found = judge(f.estimate, f.limit)
            out[f.metric] = Status.FAIL if Status.FAIL in (found, out.get(f.metric)) else found
    return out


def metric(measurement: Measurement, name: str) -> list[Measured]:
    return [f for f in measurement.findings if f.metric == name]


def test_fifty_copied_rows_of_five_thousand_fail_with_and_without_a_holdout(make_sample: MakeSample):
    real, fresh, holdout = population(5000, 1), population(5000, 3), population(5000, 2)
    synthetic = with_rows(fresh, real.slice(100, 50))
    for sides in ((real, synthetic, holdout), (real, synthetic)):
        found = copies.assess(make_sample(*sides))
        states = judged(found)
        assert states["copied_rows"] is Status.FAIL
        assert states["copied_rare_rows"] is Status.FAIL
        assert "50 of the" in found.reason
    assert metric(found, "near_copies")[0].not_assessed is not None


@pytest.mark.parametrize("seed", range(6))
def test_fresh_rows_never_fail(make_sample: MakeSample, seed: int):
    tables = [population(800, 100 + 10 * seed + k) for k in range(3)]
    for sides in (tables, tables[:2]):
        found = copies.assess(make_sample(*sides))
        assert set(judged(found).values()) == {Status.PASS}
        assert found.score is not None
        assert found.score.value == 0
        assert "beyond what chance explains" in found.reason


def test_coincidences_of_a_table_with_few_values_are_no_copies(make_sample: MakeSample):
    def few(rows: int, seed: int) -> pa.Table:
        rng = np.random.default_rng(seed)
        return pa.table({name: rng.choice(list("abcd"), rows, p=[0.7, 0.2, 0.08, 0.02]) for name in "uvwxyz"})

    found = copies.assess(make_sample(few(3000, 1), few(3000, 3), few(3000, 2)))
    assert set(judged(found).values()) == {Status.PASS}
    assert set(judged(copies.assess(make_sample(few(3000, 1), few(3000, 3)))).values()) == {Status.PASS}


def test_one_percent_of_exact_copies_fails_at_any_size_of_table(make_sample: MakeSample):
    for rows in (2500, 10_000):
        real, holdout = population(rows, 1), population(rows, 2)
        synthetic = with_rows(population(rows, 3), real.slice(0, rows // 100))
        found = judged(copies.assess(make_sample(real, synthetic, holdout)))
        assert found["copied_rows"] is Status.FAIL


def test_rows_changed_in_one_cell_or_by_jitter_are_near_copies(make_sample: MakeSample):
    real, fresh, holdout = population(2000, 1), population(2000, 3), population(2000, 2)
    rng = np.random.default_rng(0)
    part = real.slice(0, 100)
    towns = part.set_column(2, "town", pa.array([f"new{k}" for k in range(100)]))
    jitter = part
    for name, noise in (("size", 0.3), ("price", 8.0)):
        moved = (part[name].to_numpy() + rng.normal(0, noise, 100)).round(1 if name == "size" else 0)
        jitter = jitter.set_column(jitter.column_names.index(name), name, pa.array(moved))
    for changed in (towns, jitter):
        states = judged(copies.assess(make_sample(real, with_rows(fresh, changed), holdout)))
        assert states["near_copies"] is Status.FAIL
        assert states["copied_rare_rows"] is Status.PASS


def test_ids_of_training_rows_are_a_leak_unless_they_merely_count(make_sample: MakeSample):
    real, fresh, holdout = population(500, 1), population(500, 3), population(500, 2)
    leaked = fresh.set_column(0, "id", pa.array([*real["id"].to_pylist()[:4], *fresh["id"].to_pylist()[4:]]))
    assert judged(copies.assess(make_sample(real, leaked, holdout)))["id_leak"] is Status.FAIL
    assert judged(copies.assess(make_sample(real, fresh, holdout)))["id_leak"] is Status.PASS

    def counted(table: pa.Table, first: int) -> pa.Table:
        return table.set_column(0, "id", pa.array([f"P{first + k:07d}" for k in range(500)]))

    numbered = counted(real, 1), counted(fresh, 1), counted(holdout, 501)
    found = copies.assess(make_sample(*numbered))
    assert "id_leak" not in judged(found)
    assert "mean nothing" in metric(found, "id_leak")[0].message


def test_numbers_drawn_from_a_wide_range_may_coincide_now_and_then(make_sample: MakeSample):
    rng = np.random.default_rng(0)
    tables = [population(2000, k) for k in (1, 3, 2)]
    numbers = rng.choice(800_000, 4000, replace=False)
    draws = [numbers[:2000], rng.choice(800_000, 2000, replace=False), numbers[2000:]]
    tables = [t.set_column(0, "id", pa.array([f"P{k:07d}" for k in d])) for t, d in zip(tables, draws, strict=True)]
    found = copies.assess(make_sample(*tables))
    assert metric(found, "id_leak")[0].details["hits"] != 0
    assert judged(found)["id_leak"] is Status.PASS


def test_a_column_of_training_values_is_named(make_sample: MakeSample):
    real, fresh, holdout = population(2000, 1), population(2000, 3), population(2000, 2)
    price = np.random.default_rng(0).permutation(real["price"].to_numpy())
    synthetic = fresh.set_column(4, "price", pa.array(price))
    found = copies.assess(make_sample(real, synthetic, holdout))
    failing = [f.columns for f in metric(found, "value_leak") if judge(f.estimate, f.limit) is Status.FAIL]
    assert failing == [("price",)]
    assert judged(found)["copied_rows"] is Status.PASS


def test_copied_texts_are_found(make_sample: MakeSample):
    def texts(seed: int) -> list[str]:
        rng = np.random.default_rng(seed)
        words = [f"word{k}" for k in range(300)]
        return [" ".join(rng.choice(words, 8)) for _ in range(800)]

    real, holdout = (pa.table({"text": texts(k), "n": list(range(20)) * 40}) for k in (1, 2))
    stolen = [*real["text"].to_pylist()[:60], *texts(3)[60:]]
    synthetic = pa.table({"text": stolen, "n": np.random.default_rng(0).integers(0, 20, 800)})
    found = judged(copies.assess(make_sample(real, synthetic, holdout)))
    assert found["text_leak"] is Status.FAIL


def test_whole_groups_are_counted_where_rows_come_in_groups(make_sample: MakeSample):
    def grouped(seed: int) -> pa.Table:
        rng = np.random.default_rng(seed)
        person = np.repeat([f"p{seed}-{k}" for k in range(80)], 6)
        return pa.table({"person": person, "x": rng.normal(size=480).round(4), "k": rng.choice(list("abc"), 480)})

    real, fresh, holdout = grouped(1), grouped(3), grouped(2)
    copied = pa.concat_tables([real.slice(0, 180), fresh.slice(180)]).set_column(0, "person", fresh["person"])
    found = copies.assess(make_sample(real, copied, holdout))
    assert judged(found)["copied_rows"] is Status.FAIL
    assert 30 <= metric(found, "copied_rows")[0].details["hits"] <= 34
    assert "of the 80 training groups (by 'person')" in metric(found, "copied_rows")[0].message
    assert set(judged(copies.assess(make_sample(real, fresh, holdout))).values()) == {Status.PASS}


def test_the_share_of_closer_rows_has_the_variance_of_its_votes():
    rng = np.random.default_rng(0)
    votes = np.zeros(1000)
    votes[:10] = 50.0
    spread = []
    for _ in range(300):
        is_training = rng.permutation(np.repeat([True, False], 500))
        spread.append(float(dcr_share(votes, is_training).details["z"]))
    assert 0.85 < np.std(spread) < 1.15
    assert abs(np.mean(spread)) < 0.2


def test_nothing_to_compare_is_said(make_sample: MakeSample):
    same = pa.table({"x": ["one"] * 30})
    found = copies.assess(make_sample(same, same, same))
    assert found.not_assessed is not None


def test_no_cell_and_no_row_number_is_returned(make_sample: MakeSample):
    real = population(600, 1).set_column(1, "kind", pa.array([f"<b>Secret {k}</b>" for k in range(600)]))
    holdout = population(600, 2).set_column(1, "kind", pa.array([f"x{k}" for k in range(600)]))
    found = copies.assess(make_sample(real, real, holdout))
    text = str(found) + json.dumps([dict(f.details) for f in found.findings])
    assert "Secret" not in text
    assert judged(found)["copied_rows"] is Status.FAIL


def test_hits_below_three_are_hidden(make_sample: MakeSample):
    real, fresh, holdout = population(600, 1), population(600, 3), population(600, 2)
    found = copies.assess(make_sample(real, with_rows(fresh, real.slice(0, 2)), holdout))
    rows = metric(found, "copied_rows")[0]
    assert rows.details["hits"] == "<3"
    assert rows.message.startswith("<3")
    assert judged(found)["copied_rows"] is Status.PASS


def moved(rows: pa.Table, rng: np.random.Generator) -> pa.Table:
    """Move the numbers a little, so that hardly a cell stays as it was."""
    return (
        rows.set_column(3, "size", [np.round(rows["size"].to_numpy() + rng.normal(0, 0.15, len(rows)), 1)])
        .set_column(4, "price", [np.round(rows["price"].to_numpy() + rng.normal(0, 15, len(rows)))])
        .set_column(5, "age", [rows["age"].to_numpy() + rng.integers(-1, 2, len(rows))])
    )


def test_a_few_rows_that_were_moved_a_little_are_found(make_sample: MakeSample):
    real, fresh, holdout = (population(1500, seed) for seed in (1, 2, 3))
    rng = np.random.default_rng(0)
    leaky = with_rows(fresh, moved(real.slice(0, 75), rng))
    assert judged(copies.assess(make_sample(real, fresh, holdout)))["near_copies"] is Status.PASS
    found = copies.assess(make_sample(real, leaky, holdout))
    assert judged(found)["near_copies"] is Status.FAIL
    others = with_rows(fresh, moved(holdout.slice(0, 75), rng))
    assert judged(copies.assess(make_sample(real, others, holdout)))["near_copies"] is Status.PASS


def split_by_age(rows: int, seed: int) -> tuple[pa.Table, pa.Table]:
    """Return young and old people."""
    drawn = population(4 * rows, seed)
    young = drawn["age"].to_numpy() < 45
    return drawn.filter(young).slice(0, rows), drawn.filter(~young).slice(0, rows)


def test_a_holdout_of_other_people_accuses_no_fresh_rows(make_sample: MakeSample):
    (real, holdout), (fresh, _) = split_by_age(1200, 1), split_by_age(1200, 2)
    found = copies.assess(make_sample(real, fresh, holdout))
    assert Status.FAIL not in judged(found).values()
    (opened,) = (f for f in found.findings if f.metric == "near_copies")
    assert opened.decides
    assert opened.not_assessed is not None
    assert "no random part" in opened.not_assessed


def test_exact_copies_are_found_whatever_the_holdout_holds(make_sample: MakeSample):
    (real, holdout), (fresh, _) = split_by_age(1200, 1), split_by_age(1200, 2)
    found = copies.assess(make_sample(real, with_rows(fresh, real.slice(0, 60)), holdout))
    assert judged(found)["copied_rows"] is Status.FAIL


def isolated(rows: pa.Table, others: pa.Table, count: int) -> pa.Table:
    """Return the rows whose numbers lie farthest from those of others."""
    names = ("size", "price", "age")
    centre = [np.median(others[name].to_numpy()) for name in names]
    spread = [others[name].to_numpy().std() for name in names]
    gaps = [(rows[name].to_numpy() - c) / s for name, c, s in zip(names, centre, spread, strict=True)]
    return rows.take(pa.array(np.argsort(-np.square(gaps).sum(axis=0))[:count]))


def test_fifteen_moved_outliers_of_fifteen_hundred_rows_are_found(make_sample: MakeSample):
    real, fresh, holdout = (population(1500, seed) for seed in (1, 2, 3))
    rng = np.random.default_rng(0)
    for people, expected in ((real, Status.FAIL), (holdout, Status.PASS)):
        leaky = with_rows(fresh, moved(isolated(people, fresh, 15), rng))
        found = copies.assess(make_sample(real, leaky, holdout))
        assert judged(found)["near_copies"] is expected
        assert judged(found)["copied_rows"] is Status.PASS


def test_the_surest_run_shows_near_copies_beside_any_holdout(make_sample: MakeSample):
    for rows in (1000, 200):
        sample = make_sample(population(1000, 1), population(1000, 3), population(rows, 2))
        encoding = encode(sample)
        sides = split_sides(encoding)
        pool = near.make_pool(sides)
        training = np.flatnonzero(pool.is_training)
        for named, expected in ((near.surest_near((1000, rows)), 0), (near.surest_near((1000, rows)) - 1, -1)):
            one = near.Ranking("name {}", training[:named], np.arange(named), 1.0)
            limits = (sides, near.Allowed(0.002, 0.0))
            found = near._strongest(one, pool, near._totals(pool), limits, near.LEAST_RATIO)
            assert found.estimate is not None
            assert np.sign(found.estimate.value) - 1 == expected


def test_a_group_is_seen_among_its_like_where_the_whole_list_hides_it(make_sample: MakeSample):
    sample = make_sample(population(1500, 1), population(1500, 3), population(1500, 2))
    sides = split_sides(encode(sample))
    pool = near.make_pool(sides)
    rng = np.random.default_rng(4)
    training, at = np.flatnonzero(pool.is_training), rng.permutation(len(pool.rows))[:1500]
    group = rng.permutation(1500)[:60]
    leaky = at.copy()
    leaky[group] = rng.permutation(training)[:60]
    limits = (sides, near.Allowed(0.002, 0.0))
    kinds = [Slice(f"kind {k}", ("kind",), np.isin(np.arange(1500), rows)) for k, rows in enumerate((group, group + 1))]
    for named, expected in ((at, 0), (leaky, 1)):
        ranking = near.Ranking("name {}", named, np.arange(1500), 1.0)
        whole = near._strongest(ranking, pool, near._totals(pool), limits, near.LEAST_RATIO)
        assert whole.estimate is not None
        assert whole.estimate.value == 0
        (found,) = near._in_kinds([ranking], kinds, pool, limits)
        assert found.estimate is not None
        assert np.sign(found.estimate.value) == expected
        assert not expected or "kind 0" in (found.message or "")


def earners(rows: int, seed: int) -> pa.Table:
    """Draw people of few kinds with one fine number, of which many lie close to each other."""
    rng = np.random.default_rng(seed)
    school = rng.integers(8, 18, rows)
    return pa.table(
        {
            "wage": np.exp(5 + 0.05 * school + rng.normal(0, 0.7, rows)).round(2),
            "school": school,
            "years": rng.integers(0, 40, rows),
            "region": rng.choice(["north", "south", "west"], rows),
            "city": rng.choice(["yes", "no"], rows),
        }
    )


def test_the_highest_numbers_moved_a_little_are_found(make_sample: MakeSample):
    real, fresh, holdout = (earners(4000, seed) for seed in (1, 2, 3))
    rng = np.random.default_rng(0)
    for people, expected in ((real, Status.FAIL), (holdout, Status.PASS)):
        top = people.take(pa.array(np.argsort(-people["wage"].to_numpy())[:40]))
        wage = (top["wage"].to_numpy() + rng.normal(0, 2, 40)).round(2)
        leaky = pa.concat_tables([top.set_column(0, "wage", pa.array(wage)), fresh.slice(40)])
        assert judged(copies.assess(make_sample(real, leaky, holdout)))["near_copies"] is expected


def redrawn(rows: pa.Table, others: pa.Table, names: list[str]) -> pa.Table:
    """Take the named columns from other rows, together."""
    for name in names:
        rows = rows.set_column(rows.column_names.index(name), name, others[name].slice(0, len(rows)))
    return rows


def test_half_of_the_columns_of_some_training_rows_are_found(make_sample: MakeSample):
    real, fresh, holdout = (population(1500, seed) for seed in (1, 2, 3))
    others = population(1500, 4)
    for people, expected in ((real, Status.FAIL), (holdout, Status.PASS)):
        leaky = with_rows(fresh, redrawn(people.slice(0, 225), others, ["kind", "age", "hue", "flag"]))
        assert judged(copies.assess(make_sample(real, leaky, holdout)))["near_copies"] is expected


def by_age(rows: int, seed: int, slope: float) -> pa.Table:
    """Return people among whom the old are more or less frequent."""
    drawn = population(4 * rows, seed)
    age = drawn["age"].to_numpy()
    keep = np.random.default_rng([seed, 1]).random(len(age)) < 0.5 + slope * (age - 49) / 62
    return drawn.filter(keep).slice(0, rows)


@pytest.mark.parametrize("slope", [0.35, 0.6])
def test_a_drifted_holdout_hides_no_near_copies_and_accuses_no_fresh_rows(make_sample: MakeSample, slope: float):
    real, fresh, holdout = by_age(2000, 1, slope), by_age(2000, 2, slope), by_age(2000, 3, -slope)
    clean = copies.assess(make_sample(real, fresh, holdout))
    assert Status.FAIL not in judged(clean).values()
    leaky = with_rows(fresh, moved(real.slice(0, 150), np.random.default_rng(0)))
    found = copies.assess(make_sample(real, leaky, holdout))
    accused = [f for f in found.findings if f.metric == "near_copies" and f.estimate and f.estimate.low > 0]
    assert accused
    assert all("within tenths" in f.message for f in accused)
    assert found.score is not None
    assert found.score.value > 0


def test_lists_are_looked_at_from_the_shortest_that_can_show_to_a_fifth():
    found = list(near.lengths(14, 1500))
    assert found[0] == 14
    assert found[-1] == 300
    assert all(1.2 < b / a < 1.6 for a, b in pairwise(found[:-1]))
    assert near.lengths(14, 30) == [14]
    assert near.lengths(14, 8) == [8]


@pytest.mark.slow
def test_labels_that_mean_nothing_accuse_as_rarely_as_stated(make_sample: MakeSample):
    """Shuffle whose the real rows are 4,000 times: the errors of five rankings share 0.0625 %."""
    encoding = encode(make_sample(population(300, 1), population(300, 2), population(300, 3)))
    sides = split_sides(encoding)
    pool = near.make_pool(sides)
    ranked, _ = near._rank(encoding, sides, pool)
    rng = np.random.default_rng(0)
    accused = 0
    for _ in range(4_000):
        shuffled = replace(pool, is_training=rng.permutation(pool.is_training))
        limits = (sides, near.Allowed(0.0, 0.0))
        shown = [near._strongest(one, shuffled, near._totals(shuffled), limits, 1.0) for one in ranked]
        accused += any(f.estimate is not None and f.estimate.value > 0 for f in shown)
    assert accused <= 8  # 2.5 are expected at most; 9 or more would come by chance once in 900 runs


@pytest.mark.slow
def test_kinds_of_rows_accuse_as_rarely_as_stated(make_sample: MakeSample, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(near, "KIND_ALPHA", 0.05)
    sample = make_sample(population(600, 1), population(600, 2), population(600, 3))
    encoding = encode(sample)
    sides = split_sides(encoding)
    pool = near.make_pool(sides)
    ranked, _ = near._rank(encoding, sides, pool)
    kinds = synthetic_kinds(encoding, sides.synthetic, sample)
    assert len(kinds) > 10
    rng = np.random.default_rng(0)
    accused = 0
    for _ in range(200):
        shuffled = replace(pool, is_training=rng.permutation(pool.is_training))
        (found,) = near._in_kinds(ranked, kinds, shuffled, (sides, near.Allowed(0.0, 0.0)))
        assert found.estimate is not None
        accused += found.estimate.value > 0
    assert accused <= 20  # 10 are expected at most; 21 or more would come by chance once in 600 runs


def test_without_a_holdout_near_copies_leave_the_check_open(make_sample: MakeSample):
    real, fresh = population(1500, 1), population(1500, 3)
    jittered = with_rows(fresh, moved(real.slice(0, 75), np.random.default_rng(0)))
    halves = with_rows(fresh, redrawn(real.slice(0, 300), population(1500, 4), ["age", "hue", "flag"]))
    for synthetic, is_open in ((fresh, False), (population(1500, 5), False), (jittered, True), (halves, True)):
        (near_copies,) = metric(copies.assess(make_sample(real, synthetic)), "near_copies")
        assert near_copies.not_assessed is not None
        assert near_copies.decides is is_open
        assert ("would settle it" in near_copies.not_assessed) is is_open


def test_beside_a_small_holdout_near_copies_leave_the_check_open(make_sample: MakeSample):
    real, fresh, holdout = population(1500, 1), population(1500, 3), population(200, 2)
    leaky = with_rows(fresh, moved(real.slice(0, 60), np.random.default_rng(0)))
    for synthetic, is_open in ((fresh, False), (leaky, True)):
        found = copies.assess(make_sample(real, synthetic, holdout))
        assert Status.FAIL not in judged(found).values()
        assert any(f.decides and f.not_assessed for f in metric(found, "near_copies")) is is_open


def test_pairs_within_are_counted_once_and_a_row_is_no_kin_of_its_own(make_sample: MakeSample):
    one = population(60, 1).drop_columns("id")
    encoding = encode(make_sample(one, population(60, 3).drop_columns("id")))
    sides = split_sides(encoding)
    training = sides.training
    gaps = np.square(training.dense[:, None] - training.dense[None]).sum(axis=2, dtype=np.float64)
    for at in encoding.matched:
        gaps += training.codes[at][:, None] != training.codes[at][None]
    np.fill_diagonal(gaps, np.inf)
    best = gaps.argmin(axis=1)
    pairs = {(min(a, b), max(a, b)): np.sqrt(gaps[a, b]) for a, b in enumerate(best)}
    words, _, within, sizes = next(kin._pairs(encoding, sides))
    assert "closest" in words
    assert np.allclose(np.sort(within), np.sort(list(pairs.values())), atol=1e-5)
    assert sizes == (60, 60)
