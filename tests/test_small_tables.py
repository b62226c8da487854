"""Small tables: fresh real rows hardly ever fail, and a clear defect still does."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from synthgate.findings import Status
from synthgate.gate import evaluate


def drawn(kind: str, rows: int, rng: np.random.Generator) -> pa.Table:
    shares = {"rare": [0.92, 0.03, 0.02, 0.02, 0.01], "even": [0.5, 0.5], "many": [1 / 12] * 12}
    if kind in shares:
        return pa.table({"x": rng.choice([f"c{k}" for k in range(len(shares[kind]))], rows, p=shares[kind])})
    return pa.table({"x": rng.exponential(1.0, rows).round(2)})


@pytest.mark.slow
@pytest.mark.parametrize("rows", [20, 40, 100])
@pytest.mark.parametrize("kind", ["rare", "even", "many", "numbers"])
def test_fresh_rows_of_one_small_column_hardly_ever_fail(kind, rows):
    rng = np.random.default_rng([rows, *kind.encode()])
    failed = 0
    for _ in range(300):
        verdict = evaluate(drawn(kind, rows, rng), drawn(kind, rows, rng), only=["fidelity.columns"])
        failed += verdict["fidelity.columns"].status is Status.FAIL
    # of 300 at 0.2 %, three or more come in 2 % of all runs, and the seed is fixed
    assert failed <= 2


@pytest.mark.parametrize("kind", ["rare", "even", "many", "numbers"])
def test_one_value_everywhere_fails_in_a_small_table(kind):
    rng = np.random.default_rng(4)
    real = drawn(kind, 60, rng)
    wrong = pa.table({"x": pa.array([9.75 if kind == "numbers" else "c1"] * 60)})
    assert evaluate(real, wrong, only=["fidelity.columns"])["fidelity.columns"].status is Status.FAIL
