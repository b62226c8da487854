"""Counts of a table are the same integers, however its rows are cut into batches."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthgate import sides
from synthgate.contingency import count_pairs
from synthgate.counts import GROUPS, Counts, count_columns, pair_names, row_groups
from synthgate.sides import read_columns
from synthgate.survey import make_plan
from synthgate.tables import open_table
from synthgate.values import LabelCounts

columns = {
    "x": st.one_of(st.none(), st.integers(-9, 9).map(float), st.floats(allow_nan=False)),
    "c": st.one_of(st.none(), st.sampled_from(["a", "b", "<b>", "naïve\n"])),
    "flag": st.one_of(st.none(), st.booleans()),
}


@st.composite
def tables(draw):
    rows = draw(st.integers(1, 40))
    data = {name: draw(st.lists(kind, min_size=rows, max_size=rows)) for name, kind in columns.items()}
    return pa.table(
        {
            "x": pa.array(data["x"], pa.float64()),
            "c": pa.array(data["c"], pa.string()),
            "flag": pa.array(data["flag"], pa.bool_()),
        }
    )


def count_all(plan, table, size):
    total, first = Counts.empty(), 0
    parts = []
    for batch in table.to_batches(max_chunksize=size):
        canonical = read_columns(plan, batch)
        counted = count_columns(canonical) + count_pairs(plan, canonical, pair_names(plan, plan.names), first)
        parts.append(Counts(batch.num_rows, counted.columns, counted.pairs))
        first += batch.num_rows
    for part in reversed(parts):
        total = total + part
    return total


def same(a, b):
    if a.rows != b.rows or a.columns.keys() != b.columns.keys() or a.pairs.keys() != b.pairs.keys():
        return False
    for name in a.columns:
        x, y = a.columns[name], b.columns[name]
        if (x.rows, x.missing, x.misfits) != (y.rows, y.missing, y.misfits):
            return False
        if isinstance(x.values, LabelCounts):
            if x.values.as_dict() != y.values.as_dict():
                return False
        elif not (
            np.array_equal(x.values.values, y.values.values) and np.array_equal(x.values.counts, y.values.counts)
        ):
            return False
    return all(np.array_equal(a.pairs[p], b.pairs[p]) for p in a.pairs)


@settings(deadline=None)
@given(tables(), st.integers(1, 41))
def test_any_split_in_any_order_gives_identical_integers(table, size):
    plan = make_plan(open_table(table), {}, (), {})
    whole = count_all(plan, table, table.num_rows)
    assert same(count_all(plan, table, size), whole)
    assert same(whole + Counts.empty(), whole)
    for pair, groups in whole.pairs.items():
        assert groups.shape[0] == GROUPS
        assert groups.sum() == table.num_rows, pair


def test_pair_tables_have_the_columns_own_counts_as_margins(make_evidence, draw_people):
    table = draw_people(500, 1)
    evidence = make_evidence(table, table)
    joint = evidence.pair_tables["real"]["job", "member"]
    counts = evidence.real.counts.columns["job"].labels.as_dict()
    labels = evidence.plan["job"].code_labels()
    assert {label: n for label, n in zip(labels, joint.sum(axis=1), strict=True) if n} == counts


def test_groups_are_about_equal_and_depend_on_the_row_number_alone():
    groups = row_groups(0, 10_000)
    assert np.array_equal(groups[300:700], row_groups(300, 400))
    assert np.bincount(groups, minlength=GROUPS).min() > 850


def test_a_table_in_many_batches_is_judged_like_one_in_one(monkeypatch, make_evidence, draw_people):
    real, synthetic = draw_people(700, 1), draw_people(700, 2)
    one = make_evidence(real, synthetic)
    monkeypatch.setattr(sides, "SAMPLE_ROWS", 200)
    many = make_evidence(real, synthetic)
    assert not many.real.is_whole
    assert many.sample.real.rows == 200
    assert np.array_equal(one.pair_tables["real"]["age", "job"], many.pair_tables["real"]["age", "job"])
    for name, column in many.sample.real.columns.items():
        assert (
            np.array_equal(column, one.sample.real.columns[name][many.sample.real.index], equal_nan=True)
            or name in many.sample.dictionaries
        )


def test_a_sampled_label_keeps_its_meaning(monkeypatch, make_evidence, draw_people):
    monkeypatch.setattr(sides, "SAMPLE_ROWS", 100)
    real = draw_people(600, 1)
    sample = make_evidence(real, draw_people(600, 2)).sample
    words = [sample.dictionaries["job"][code] for code in sample.real.columns["job"]]
    assert words == [real["job"][int(k)].as_py() for k in sample.real.index]


def test_same_seed_gives_the_same_sample(monkeypatch, make_evidence, draw_people):
    monkeypatch.setattr(sides, "SAMPLE_ROWS", 50)
    real = draw_people(300, 1)
    first, again, other = (make_evidence(real, real, seed=s).sample.real.index for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_numbers_and_labels_do_not_add_up(make_evidence, draw_people):
    counts = make_evidence(draw_people(50, 1), draw_people(50, 2)).real.counts.columns
    with pytest.raises(TypeError, match="do not add up"):
        counts["age"] + counts["job"]


def test_tables_that_do_not_fit_in_memory_are_counted_block_by_block_to_the_same_numbers(
    make_evidence, draw_people, monkeypatch
):
    from synthgate import evidence as module
    from synthgate.contingency import PairTables
    from synthgate.measures.fidelity.pairs import pairs

    tables = [draw_people(400, seed) for seed in (1, 2, 3)]
    whole = make_evidence(*tables)
    monkeypatch.setattr(module, "MAX_PAIR_BYTES", 0)
    monkeypatch.setattr(module, "MAX_BLOCK_BYTES", 40_000)
    blocks = make_evidence(*tables)
    found = blocks.pairs["real"].pairs
    assert isinstance(found, PairTables)
    assert len(found.blocks) > 2
    assert list(found) == list(whole.pairs["real"].pairs)
    for side, counts in whole.pairs.items():
        for pair in reversed(list(counts.pairs)):
            assert np.array_equal(counts.pairs[pair], blocks.pairs[side].pairs[pair])
            assert np.array_equal(whole.pair_tables[side][pair], blocks.pair_tables[side][pair])
    ours, theirs = pairs(whole, {}), pairs(blocks, {})
    assert ours.score.value == pytest.approx(theirs.score.value, rel=1e-12)
    assert [f.columns for f in ours.findings] == [f.columns for f in theirs.findings]
    for one, other in zip(ours.findings, theirs.findings, strict=True):
        assert one.estimate.value == pytest.approx(other.estimate.value, rel=1e-9)


def test_blocks_of_pair_tables_are_counted_once(make_evidence, draw_people, monkeypatch):
    from collections import Counter

    from synthgate import evidence as module
    from synthgate.measures.fidelity.pairs import pairs

    counted = Counter()
    count = module._count_pairs

    def counting(plan, side, names, cuts):
        counted[side.table.name, tuple(names)] += 1
        return count(plan, side, names, cuts)

    monkeypatch.setattr(module, "MAX_PAIR_BYTES", 0)
    monkeypatch.setattr(module, "MAX_BLOCK_BYTES", 40_000)
    monkeypatch.setattr(module, "_count_pairs", counting)
    pairs(make_evidence(*(draw_people(400, seed) for seed in (1, 2, 3))), {})
    assert max(counted.values()) == 1


def test_only_the_worst_pairs_are_listed_and_all_are_scored(make_evidence, draw_people, monkeypatch):
    from synthgate.measures.fidelity import pairs as module

    evidence = make_evidence(draw_people(400, 1), draw_people(400, 2))
    every = module.pairs(evidence, {})
    monkeypatch.setattr(module, "MAX_FINDINGS", 3)
    few = module.pairs(evidence, {})
    judged = [[f for f in m.findings if f.metric == "contingency_similarity"] for m in (every, few)]
    assert len(judged[0]) > 10
    assert [f.columns for f in judged[1]] == [f.columns for f in judged[0]][:3]
    assert few.score == every.score
    assert few.ledger.scored == every.ledger.scored
    assert "3 worst" in few.reason
