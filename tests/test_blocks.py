"""Blocks hold the rows of a table in order, however the table is cut into pieces."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthgate import blocks as blocks_module
from synthgate.blocks import blocks, join_columns
from synthgate.canonical import Labels, Numbers
from synthgate.survey import plan_of, survey
from synthgate.tables import open_table

labels = st.lists(st.one_of(st.none(), st.sampled_from(["a", "b", "<i>", "", "z"])), max_size=8)


def coded(values):
    encoded = pa.array(values, pa.string()).dictionary_encode()
    return Labels(encoded.indices.fill_null(-1).to_numpy().astype(np.int32), encoded.dictionary, len(values))


def spelled(column):
    return [None if code < 0 else column.labels[code].as_py() for code in column.codes.tolist()]


@given(st.lists(labels, min_size=1, max_size=6))
def test_joined_labels_are_the_parts_one_after_the_other(parts):
    joined = join_columns([coded(part) for part in parts])
    assert spelled(joined) == [value for part in parts for value in part]
    assert joined.misfits == sum(map(len, parts))
    assert len(set(joined.labels.to_pylist())) == len(joined.labels) or len(parts) == 1


@given(st.lists(st.lists(st.floats(allow_nan=True), max_size=5), min_size=1, max_size=6))
def test_joined_numbers_are_the_parts_one_after_the_other(parts):
    joined = join_columns([Numbers(np.array(part, np.float64), 1) for part in parts])
    expected = np.array([value for part in parts for value in part], np.float64)
    assert np.array_equal(joined.values, expected, equal_nan=True)
    assert joined.misfits == len(parts)


@pytest.mark.parametrize("most", [7, 64, 1000])
def test_blocks_do_not_depend_on_how_a_table_is_cut(monkeypatch, tmp_path, most):
    monkeypatch.setattr("synthgate.tables.MAX_ROWS", most)
    monkeypatch.setattr(blocks_module, "MAX_ROWS", most)
    monkeypatch.setattr("synthgate.tables.PIECE_ROWS", 5)
    rng = np.random.default_rng(0)
    words = [None if k == 0 else f"w{k}" for k in rng.integers(0, 20, 300)]
    frame = pa.table({"w": words, "n": rng.integers(0, 9, 300), "x": [None, *rng.normal(size=299)]})
    pq.write_table(frame, tmp_path / "t.parquet", row_group_size=11)
    chunks = pa.concat_tables([frame.slice(at, 13) for at in range(0, 300, 13)])
    for source in (frame, chunks, str(tmp_path / "t.parquet")):
        table = open_table(source)
        plan = plan_of(survey(table, {}), (), {})
        found = list(blocks(table, lambda batch, p=plan: {c.name: c.read(batch.column(c.name)) for c in p.columns}))
        assert sum(rows for rows, _ in found) == 300
        assert max(rows for rows, _ in found) <= most
        spelt = [value for _, block in found for value in spelled(block["w"])]
        assert spelt == words
        numbers = np.concatenate([block["x"].values for _, block in found])
        assert np.array_equal(numbers, frame["x"].to_numpy(), equal_nan=True)
