"""One function decides, and only when the whole interval lies on one side."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthgate.findings import Estimate, Limit, Position, Status
from synthgate.judging import judge

unit = st.floats(0, 1)


def estimate(low, high, position=None):
    return Estimate(value=(low + high) / 2, low=low, high=high, method="test", position=position)


@given(unit, unit, unit)
def test_an_interval_beyond_fails_within_passes_across_is_inconclusive(a, b, bound):
    low, high = sorted((a, b))
    status = judge(estimate(low, high), Limit(min=bound))
    assert status is (Status.FAIL if high < bound else Status.PASS if low >= bound else Status.INCONCLUSIVE)
    status = judge(estimate(low, high), Limit(max=bound))
    assert status is (Status.FAIL if low > bound else Status.PASS if high <= bound else Status.INCONCLUSIVE)


@given(unit, unit, unit)
def test_min_and_max_mirror_each_other(a, b, bound):
    low, high = sorted((a, b))
    assert judge(estimate(low, high), Limit(min=bound)) is judge(estimate(-high, -low), Limit(max=-bound))


@pytest.mark.parametrize(
    ("limit", "status"),
    [(Limit(), Status.PASS), (Limit(min=0.9, max=0.95), Status.FAIL), (Limit(min=0.1, max=0.5), Status.INCONCLUSIVE)],
)
def test_every_bound_counts(limit, status):
    assert judge(estimate(0.4, 0.6), limit) is status


def test_a_position_bound_reads_the_position():
    position = Position(value=0.5, low=0.4, high=0.6)
    assert judge(estimate(0.99, 1.0, position), Limit(min_position=0.75)) is Status.FAIL
    assert judge(estimate(0.99, 1.0), Limit(min_position=0.75)) is Status.PASS


def test_a_finding_that_decides_keeps_the_check_open():
    from datetime import date

    from synthgate.declared import DeclaredCheck
    from synthgate.findings import Measured, Measurement
    from synthgate.judging import Waivers, judge_check

    check = DeclaredCheck(
        id="privacy.membership", family="privacy", title="t", question="q?", threshold=Limit(max=0.55)
    )
    undecided = Measured(metric="tpr", message="m", estimate=estimate(0.0, 1.0), limit=Limit(max=0.03))
    score = estimate(0.5, 0.51)

    def status(**changes):
        found = Measured(
            **{**{f: getattr(undecided, f) for f in ("metric", "message", "estimate", "limit")}, **changes}
        )
        measurement = Measurement(reason="r", score=score, findings=(found,))
        return judge_check(check, measurement, Waivers((), date(2026, 1, 1), set()), 0.0).status

    assert status() is Status.PASS
    assert status(decides=True) is Status.INCONCLUSIVE
    assert status(decides=True, estimate=None, not_assessed="too few") is Status.INCONCLUSIVE
