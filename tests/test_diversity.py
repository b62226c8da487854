"""Diversity: few rows repeated with noise are found, and fresh rows never are."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from synthgate.catalogue import find_measure
from synthgate.findings import Limit, Status
from synthgate.judging import judge

METRICS = {"neighbourhood_coverage_ratio", "distinct_rows_ratio"}


def run(evidence):
    found = find_measure("coverage.modes")
    assert found is not None
    return found.compute(evidence, found.options)


def diversity(measurement):
    return {f.metric: f for f in measurement.findings if f.metric in METRICS}


def failing(measurement):
    return {m for m, f in diversity(measurement).items() if judge(f.estimate, Limit(min=0.5)) is Status.FAIL}


def repeated(table, times, seed):
    """Return few of the rows, each repeated with tiny noise in its numbers."""
    rng = np.random.default_rng(seed)
    some = table.take(pa.array(np.repeat(rng.permutation(table.num_rows)[: table.num_rows // times], times)))
    wage = np.array(some["wage"].to_pylist(), float)
    return some.set_column(3, "wage", pa.array(wage + rng.normal(0, 0.5, len(wage)), from_pandas=True))


@pytest.mark.parametrize("holdout", [True, False])
def test_few_rows_repeated_with_noise_fail(make_evidence, draw_people, holdout):
    third = draw_people(2400, 3) if holdout else None
    result = run(make_evidence(draw_people(2400, 1), repeated(draw_people(2400, 2), 12, 0), third))
    assert "distinct_rows_ratio" in failing(result)
    found = diversity(result)["distinct_rows_ratio"]
    assert found.details["distinct_share"] < 0.25
    assert "most alike: rows with" in found.message
    assert "as distinct" in result.reason


def test_each_row_twice_is_half_as_distinct(make_evidence, draw_people):
    once = draw_people(2000, 2)
    twice = pa.concat_tables([once.slice(0, 1000)] * 2)
    found = diversity(run(make_evidence(draw_people(2000, 1), twice, draw_people(2000, 3))))["distinct_rows_ratio"]
    assert found.estimate.low < 0.75
    assert found.estimate.high > 0.4


def test_rows_written_twice_are_found_among_many(make_evidence, draw_people):
    once = draw_people(9000, 2)
    some = np.arange(9000)
    some[:1000] = some[5000:6000]
    result = run(make_evidence(draw_people(9000, 1), once.take(pa.array(some)), draw_people(9000, 3)))
    (found,) = (f for f in result.findings if f.metric == "repeated_rows")
    assert judge(found.estimate, found.limit) is Status.FAIL
    assert found.details["rows"] == 9000
    assert found.details["repeated_share"] - found.details["repeated_share_real"] > 0.2


@pytest.mark.parametrize("rows", [300, 1200])
def test_fresh_rows_never_fail(make_evidence, draw_people, rows):
    for seed in range(6):
        third = draw_people(rows, seed + 90) if seed % 2 else None
        result = run(make_evidence(draw_people(rows, seed), draw_people(rows, seed + 50), third))
        assert diversity(result).keys() == METRICS
        assert failing(result) == set()
        assert all(f.estimate.high > 0.8 for f in diversity(result).values())


def test_a_table_of_repeated_categories_is_no_false_alarm(make_evidence):
    def draw(seed):
        rng = np.random.default_rng(seed)
        return pa.table({"a": rng.choice(list("xyz"), 900), "b": rng.choice(["u", "v"], 900)})

    result = run(make_evidence(draw(1), draw(2), draw(3)))
    assert failing(result) == set()
    assert all(f.estimate.value > 0.9 for f in diversity(result).values())


def test_rows_off_the_real_ones_cover_little(make_evidence, draw_people, shuffle_columns):
    real, holdout = draw_people(1500, 1), draw_people(1500, 2)
    near = diversity(run(make_evidence(real, draw_people(1500, 3), holdout)))["neighbourhood_coverage_ratio"]
    far = diversity(run(make_evidence(real, shuffle_columns(draw_people(1500, 3)), holdout)))[
        "neighbourhood_coverage_ratio"
    ]
    assert far.estimate.high < near.estimate.low
    assert far.details["density"] < 0.7 * far.details["density_fresh"]
    assert near.details["density"] == pytest.approx(1, abs=0.1)
    assert "least covered" in far.message


def test_too_few_rows_are_said_not_to_be_compared(make_evidence, draw_people):
    small = run(make_evidence(draw_people(400, 1), draw_people(400, 2), draw_people(60, 3)))
    assert diversity(small).keys() == METRICS  # halves of real stand in for a small holdout
    result = run(make_evidence(draw_people(400, 1), draw_people(60, 2), draw_people(400, 3)))
    assert diversity(result) == {}
    assert "diversity was not assessed" in result.reason


@pytest.mark.parametrize(("name", "wrong"), [("low_diversity", METRICS), ("fresh_real", set())])
def test_images_of_low_diversity_fail(make_evidence, shared_data, name, wrong):
    base = shared_data / "image" / "digits8"
    files = ("train", f"synthetic/{name}", "holdout")
    assert failing(run(make_evidence(*(pq.read_table(base / f"{file}.parquet") for file in files)))) == wrong


def measured(rows, seed):
    """Draw two numbers and five categories that have nothing to do with them."""
    rng = np.random.default_rng(seed)
    words = np.array(["a", "b", "c", "d"])
    numbers = {name: rng.normal(size=rows) for name in ("width", "height")}
    return pa.table({**numbers, **{f"kind{k}": words[rng.integers(0, 4, rows)] for k in range(5)}})


def test_a_region_of_the_numbers_that_is_lost_is_seen_though_categories_outweigh_them(make_evidence):
    fresh = measured(3000, 2)
    ring = np.hypot(np.asarray(fresh["width"]) - 0.8, np.asarray(fresh["height"]) - 0.8) < 0.6
    tables = measured(3000, 1), fresh.filter(pa.array(~ring)), measured(3000, 3)
    lost = [f for f in run(make_evidence(*tables)).findings if f.metric == "region_share_ratio"]
    worst = [f for f in lost if judge(f.estimate, Limit(min=0.5)) is Status.FAIL]
    assert worst
    assert all("width" in f.message or "height" in f.message for f in worst)
    clean = run(make_evidence(tables[0], fresh, tables[2]))
    assert not [f for f in clean.findings if judge(f.estimate, Limit(min=0.5)) is Status.FAIL]
