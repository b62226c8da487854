"""Theil's U and correlations of every pair: equal to scipy's and numpy's, small in the result."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
import scipy.stats

from synthgate.catalogue import find_measure
from synthgate.measures.fidelity.associations import SHOWN_COLUMNS, mid_ranks, rank_correlations, theils_u


def pairs(evidence):
    found = find_measure("fidelity.pairs")
    assert found is not None
    return found.compute(evidence, found.options)


@pytest.mark.parametrize("levels", [3, 50, 10**9])
def test_rank_correlation_is_scipys(levels):
    rng = np.random.default_rng(levels)
    base = rng.integers(0, levels, 400).astype(float)
    columns = [base, base + rng.integers(0, levels, 400), rng.integers(0, levels, 400).astype(float)]
    expected = scipy.stats.spearmanr(np.stack(columns, axis=1)).statistic
    assert rank_correlations(columns) == pytest.approx(expected, abs=1e-12)


def test_ranks_share_ties_and_leave_missing_values_out():
    ranks = mid_ranks(np.array([5.0, np.nan, 1.0, 5.0, np.inf]))
    assert np.isnan(ranks[1])
    assert (ranks[[2, 0, 3, 4]] * 4).tolist() == [-1.5, 0.0, 0.0, 1.5]


def test_a_constant_or_missing_column_has_no_correlation():
    x = np.arange(20.0)
    gone = np.full(20, np.nan)
    found = rank_correlations([x, np.ones(20), gone, np.where(x < 10, 1.0, np.nan)])
    assert found[0, 0] == 1
    assert np.isnan(found[0, 1:]).all()


def test_missing_values_are_deleted_in_pairs():
    x = np.arange(50.0)
    y = np.where(x % 5 == 0, np.nan, -x)
    assert rank_correlations([x, y])[0, 1] == pytest.approx(-1, abs=1e-3)


def test_theils_u_by_hand():
    table = np.array([[30, 0], [0, 30], [20, 20]])
    joint = table / 100
    outer = joint.sum(1, keepdims=True) * joint.sum(0)
    information = float((joint[joint > 0] * np.log((joint / outer)[joint > 0])).sum())
    entropies = float(scipy.stats.entropy(table.sum(1))), float(scipy.stats.entropy(table.sum(0)))
    of_rows, of_columns = theils_u(information, entropies)
    assert of_rows == pytest.approx(information / scipy.stats.entropy([30, 30, 40]))
    assert of_columns == pytest.approx(information / np.log(2))
    assert theils_u(0.0, (0.0, 1.0)) == [None, 0.0]


def test_a_function_is_seen_in_one_direction(make_evidence):
    rng = np.random.default_rng(0)
    small = rng.choice(["a", "b", "c", "d"], 1000)
    table = pa.table(
        {"fine": small, "coarse": np.where(np.isin(small, ["a", "b"]), "ab", "cd"), "x": rng.normal(size=1000)}
    )
    found = {f.columns: f.details for f in pairs(make_evidence(table, table)).findings if f.judged}
    of_fine, of_coarse = found["fine", "coarse"]["theils_u_real"]
    assert of_coarse == pytest.approx(1)
    assert of_fine == pytest.approx(0.5, abs=0.02)
    assert "pearson" not in found["fine", "x"]


def test_pairs_and_matrices_hold_what_numpy_and_scipy_say(make_evidence, draw_people):
    real, synthetic = draw_people(800, 1), draw_people(700, 2)
    result = pairs(make_evidence(real, synthetic))
    details = result.details["correlations"]
    at = details["columns"].index("age"), details["columns"].index("wage")
    for side, table in (("real", real), ("synthetic", synthetic)):
        frame = table.to_pandas()[["age", "wage"]].dropna()
        pearson = np.corrcoef(frame["age"], frame["wage"])[0, 1]
        assert details["pearson"][side][at[0]][at[1]] == pytest.approx(pearson, abs=1e-4)
        # ranks are taken in each column's own known values
        spearman = scipy.stats.spearmanr(frame["age"], frame["wage"]).statistic
        assert details["spearman"][side][at[0]][at[1]] == pytest.approx(spearman, abs=5e-3)
    (pair,) = [f for f in result.findings if f.judged and f.columns == ("age", "wage")]
    assert pair.details["pearson"] == [details["pearson"][s][at[0]][at[1]] for s in ("real", "synthetic")]
    for key in ("pearson", "spearman"):
        shown = details[key]
        assert np.array(shown["difference"]) == pytest.approx(
            np.array(shown["synthetic"]) - np.array(shown["real"]), abs=2e-4
        )


def test_matrices_stay_small(make_evidence):
    rng = np.random.default_rng(0)
    columns = {f"c{k}": rng.normal(size=80) for k in range(SHOWN_COLUMNS + 10)}
    other = {**columns, "c65": -columns["c65"], "c0": columns["c1"]}
    details = pairs(make_evidence(pa.table(columns), pa.table(other))).details["correlations"]
    assert len(details["columns"]) == SHOWN_COLUMNS
    assert details["columns_left_out"] == 10
    assert {"c0", "c1"} <= set(details["columns"])
    assert len(json.dumps(details)) < 300_000
