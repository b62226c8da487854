"""``schema.nulls``: shares of missing values in columns that have some in real."""

import numpy as np
import pyarrow as pa
import pytest

from synthgate.catalogue import find_measure
from synthgate.findings import Status
from synthgate.judging import judge

ROWS = 4000


def table(share: float, seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=ROWS)
    return pa.table({"x": pa.array(values, mask=rng.random(ROWS) < share), "y": values})


def finding(make_evidence, share, real=0.04):
    nulls = find_measure("schema.nulls")
    evidence = make_evidence(table(real, 1), table(share, 2), table(real, 3))
    out = nulls.compute(evidence, dict(nulls.options))
    assert [f.columns for f in out.findings] == [("x",)]
    return out, out.findings[0]


@pytest.mark.parametrize("share", [0.0, 0.012, 0.016, 0.12])
def test_less_than_two_thirds_or_more_than_one_and_a_half_of_the_share_fails(make_evidence, share):
    out, found = finding(make_evidence, share)
    assert found.judged
    assert judge(found.estimate, found.limit) is Status.FAIL
    assert "1 have less than two thirds or more than one and a half" in out.reason


@pytest.mark.parametrize("share", [0.14, 0.16, 0.18])
def test_about_the_same_share_passes(make_evidence, share):
    _, found = finding(make_evidence, share, real=0.16)
    assert judge(found.estimate, found.limit) is Status.PASS


def test_what_stays_in_doubt_is_shown_only(make_evidence):
    out, found = finding(make_evidence, 0.023)
    assert not found.judged
    assert "less than two thirds" not in out.reason


def test_fresh_rows_practically_never_fail(make_evidence):
    nulls = find_measure("schema.nulls")
    for seed in range(0, 150, 3):
        evidence = make_evidence(*(table(0.01, seed + k) for k in range(3)))
        findings = nulls.compute(evidence, dict(nulls.options)).findings
        assert not [f for f in findings if f.judged and judge(f.estimate, f.limit) is Status.FAIL]
