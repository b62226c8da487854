"""Cycles of time, and the parts of a column between its tails: what a distribution function hardly shows."""

import numpy as np
import pyarrow as pa
import pytest

import synthgate
from synthgate.findings import Status
from synthgate.measures.fidelity.cycles import turned_by

ROWS = 3000
BY_DAY = np.array([1, 1, 1, 1, 1, 2, 6, 12, 18, 20, 20, 19, 20, 19, 18, 18, 17, 15, 12, 9, 6, 4, 3, 2], float)


def events(seed, rows=ROWS):
    """Return moments of working days and of working hours, over two years, and times of a wait."""
    rng = np.random.default_rng(seed)
    day = rng.integers(0, 730, 4 * rows)
    day = day[(day % 7 < 5) | (rng.random(len(day)) < 0.25)][:rows]
    hour = rng.choice(24, rows, p=BY_DAY / BY_DAY.sum())
    second = day * 86_400 + hour * 3600 + rng.integers(0, 3600, rows)
    at = np.datetime64("2021-03-01T00:00:00") + second.astype("timedelta64[s]")
    wait = np.where(rng.random(rows) < 0.3, 0.0, rng.exponential(20, rows).round(1))
    return {"at": at, "wait": wait}


def judged(synthetic, real=None, holdout=None):
    sides = [None if t is None else pa.table(t) for t in (real or events(1), synthetic, holdout)]
    return synthgate.evaluate(*sides[:2], holdout=sides[2], only=["fidelity.columns", "coverage.ranges"])


def failing(verdict):
    return {f.measured.metric for check in verdict for f in check.failed}


@pytest.mark.parametrize("rows", [200, 3000])
def test_fresh_moments_pass(rows):
    for seed in range(4):
        held = events(seed + 20, rows) if seed % 2 else None
        verdict = judged(events(seed + 10, rows), events(seed + 30, rows), held)
        assert failing(verdict) == set()
        metrics = {f.measured.metric for f in verdict["fidelity.columns"].findings}
        assert {f"{of}_similarity" for of in ("hours", "weekdays", "month_days", "months")} <= metrics


@pytest.mark.parametrize(("hours", "words"), [(3, "3 hours late"), (-6, "6 hours early")])
def test_another_time_zone_is_found_and_told(hours, words):
    moved = events(2)
    moved["at"] = moved["at"] + np.timedelta64(hours, "h")
    verdict = judged(moved)
    assert failing(verdict) == {"hours_similarity"}
    (found,) = verdict.diagnosis
    assert found.name == "shifted clock"
    assert words in found.sentence
    assert found.columns == ("at",)


def test_lost_nights_and_weekends_are_found_though_the_dates_are_right():
    rng = np.random.default_rng(0)
    blurred = events(2)
    blurred["at"] = blurred["at"] + rng.integers(-3 * 86_400, 3 * 86_400, ROWS).astype("timedelta64[s]")
    verdict = judged(blurred)
    assert failing(verdict) == {"hours_similarity", "weekdays_similarity"}
    assert [d.name for d in verdict.diagnosis] == ["lost rhythm of time"]


def test_days_that_were_put_to_the_first_of_the_month_are_found():
    moved = events(2)
    unknown = np.random.default_rng(0).random(ROWS) < 0.08
    first = moved["at"].astype("datetime64[M]").astype(moved["at"].dtype)
    moved["at"] = np.where(unknown, first + (moved["at"] - moved["at"].astype("datetime64[D]")), moved["at"])
    verdict = judged(moved)
    assert failing(verdict) == {"month_days_similarity"}
    assert "; 1 differs most" in verdict["fidelity.columns"].failed[0].measured.message
    assert [d.name for d in verdict.diagnosis] == ["lost rhythm of time"]


def test_days_have_no_hours():
    days = [{"day": events(seed)["at"].astype("datetime64[D]"), "x": events(seed)["wait"]} for seed in (1, 2)]
    verdict = judged(days[1], days[0])
    metrics = {f.measured.metric for f in verdict["fidelity.columns"].findings}
    assert "hours_similarity" not in metrics
    assert "weekdays_similarity" in metrics


def test_hours_that_are_no_turn_are_not_told_as_one():
    day = (BY_DAY * 50).astype(np.int64)
    assert turned_by(day, np.roll(day, 4)) == 4
    assert turned_by(day, day[::-1].copy()) in {None, *range(-12, 13)}
    assert turned_by(day, np.full(24, int(day.mean()))) is None


def parts(verdict):
    return {
        f.measured.columns[0]: f for f in verdict["coverage.ranges"].findings if f.measured.metric == "part_share_ratio"
    }


def test_a_value_that_stands_for_many_is_found_inside_the_range():
    spoiled = events(2)
    some = np.flatnonzero(spoiled["wait"] > 0)[::12]
    spoiled["wait"][some] = 30.0
    verdict = judged(spoiled)
    found = parts(verdict)["wait"]
    assert found.status is Status.FAIL
    assert found.measured.details["found"] > 2 * found.measured.details["expected"]
    assert [d.name for d in verdict.diagnosis] == ["crowded values"]
    assert verdict.diagnosis[0].columns == ("wait",)


def test_a_hole_in_the_range_is_found():
    spoiled = events(2)
    hole = (spoiled["wait"] > 8) & (spoiled["wait"] < 11)
    spoiled["wait"][hole] = np.random.default_rng(0).choice(spoiled["wait"][~hole & (spoiled["wait"] > 0)], hole.sum())
    verdict = judged(spoiled)
    assert failing(verdict) == {"part_share_ratio"}
    assert parts(verdict)["wait"].measured.details["found"] == 0
    assert [d.name for d in verdict.diagnosis] == ["lost values"]


def test_parts_with_few_real_rows_are_not_named():
    few = parts(judged(events(2, 300), events(1, 300)))
    assert few.keys() == {"at", "wait"}
    for found in few.values():
        known = found.measured.details["expected"]
        assert known >= 10 or "fewer than 10 real rows" in found.measured.message
