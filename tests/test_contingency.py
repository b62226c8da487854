"""Tables that were counted finely and folded are those that counting each coding by itself gives."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from synthgate import contingency, crosstabs
from synthgate.contingency import EQUAL_BINS, Coding, count_pairs, equal_edges, fold
from synthgate.counts import GROUPS, pair_names, row_groups
from synthgate.sides import count_side
from synthgate.survey import make_plan
from synthgate.tables import open_table
from synthgate.values import NumberCounts


def table(rows, seed, towns):
    rng = np.random.default_rng(seed)
    x = np.round(rng.gamma(2, 10, rows), 1)
    return pa.table(
        {
            "x": pa.array(x, mask=rng.random(rows) < 0.1),
            "y": rng.normal(size=rows),
            "town": pa.array([f"t{k}" for k in rng.integers(0, towns, rows)], mask=rng.random(rows) < 0.05),
            "job": rng.choice(["a", "b", "c"], rows),
        }
    )


@pytest.mark.parametrize("towns", [5, 41, 50, 90])
@pytest.mark.parametrize("together", [2**26, 1])
def test_folded_tables_are_those_of_the_plans_own_codes(monkeypatch, towns, together):
    monkeypatch.setattr(contingency, "BLOCK", 333)
    monkeypatch.setattr(crosstabs, "BLOCK", 333)
    monkeypatch.setattr(crosstabs, "MOST_TOGETHER", together)
    plan = make_plan(open_table(table(3000, 1, towns)), {}, (), {})
    side = count_side(plan, open_table(table(2000, 2, towns + 3)), 0)
    cuts = {name: equal_edges(side.counts.columns[name].numbers) for name in ("x", "y")}
    names = pair_names(plan, plan.names)
    counted = count_pairs(plan, side.kept, names, 0, cuts)
    groups = row_groups(0, 2000)
    for a, b in names:
        direct = np.zeros((GROUPS, plan[a].n_codes, plan[b].n_codes), np.int64)
        np.add.at(direct, (groups, plan[a].encode(side.kept[a]), plan[b].encode(side.kept[b])), 1)
        assert np.array_equal(counted.pairs[a, b], direct), (a, b)
    assert ("x", "job") in counted.fine
    assert ("x", "y") not in counted.fine


def test_fine_tables_fold_into_bins_of_equal_width():
    plan = make_plan(open_table(table(3000, 1, 5)), {}, (), {})
    side = count_side(plan, open_table(table(2000, 2, 5)), 0)
    edges = equal_edges(side.counts.columns["x"].numbers)
    fine = count_pairs(plan, side.kept, [("x", "job")], 0, {"x": edges}).fine["x", "job"]
    coding = Coding.of(plan["x"], edges)
    own = np.concatenate(([0], np.searchsorted(edges, coding.edges, side="right"), [len(edges)]))
    values = side.kept["x"].values
    codes = np.where(np.isnan(values), EQUAL_BINS + 1, np.digitize(values, edges))
    expected = np.bincount(codes, minlength=EQUAL_BINS + 2)
    assert np.array_equal(fold(fine, own, EQUAL_BINS + 2, 0).sum(axis=1), expected)


@pytest.mark.parametrize("values", [[1.0, float("inf")], [-1.7e308, 1.7e308]])
def test_a_range_without_end_has_no_equal_edges(values):
    assert equal_edges(NumberCounts.of(np.array(values))) is None
