"""Copies but for one column: counted rightly, shown in tables of few values, never shown for fresh rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from synthgate.findings import Measured, Status
from synthgate.judging import judge
from synthgate.measures.privacy import copies
from synthgate.measures.privacy.apart import meet
from synthgate.measures.privacy.encodings import encode
from synthgate.sample import Sample

ROWS = 1500
MakeSample = Callable[..., Sample]


@pytest.fixture
def make_sample(make_evidence: Callable[..., Any]) -> MakeSample:
    return lambda *tables, **more: make_evidence(*tables, **more).sample


def patients(rows: int, seed: int) -> pa.Table:
    """Draw rows of few columns and values, in which most rows come close to many others."""
    rng = np.random.default_rng(seed)
    plan, clinic = rng.integers(0, 5, rows), rng.geometric(0.02, rows)
    return pa.table(
        {
            "clinic": [f"c{k}" for k in clinic],
            "plan": [f"p{k}" for k in plan],
            "share": np.array([0.0, 2.25, 4.62, 5.55, 6.91])[plan],
            "age": rng.integers(30, 60, rows),
            "visits": rng.geometric(0.3, rows),
        }
    )


def with_copies(real: pa.Table, fresh: pa.Table, count: int, spoil: Callable[[pa.Table], pa.Table]) -> pa.Table:
    return pa.concat_tables([spoil(real.slice(0, count)).cast(fresh.schema), fresh.slice(count)])


def swap_one(table: pa.Table) -> pa.Table:
    """Take one column of each row from elsewhere, another one in each row."""
    rng = np.random.default_rng(5)
    at = rng.integers(0, table.num_columns, table.num_rows)
    columns = []
    for j, column in enumerate(table.columns):
        values = column.to_numpy(zero_copy_only=False)
        columns.append(np.where(at == j, np.roll(values, 7), values))
    return pa.table(columns, names=table.column_names)


def move(table: pa.Table) -> pa.Table:
    """Move a number that has five values by a little."""
    moved = table["share"].to_numpy() + np.random.default_rng(6).normal(0, 0.1, table.num_rows)
    return table.set_column(2, "share", pa.array(moved.round(2)))


def respell(table: pa.Table) -> pa.Table:
    """Write one text in capitals, with white space around."""
    return table.set_column(0, "clinic", pa.array([f" {text.upper()} " for text in table["clinic"].to_pylist()]))


def apart(sample: Sample) -> Measured:
    found = [
        f
        for f in copies.assess(sample).findings
        if f.metric == "near_copies" and "no exact copy equals" in (f.message or "")
    ]
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("spoil", [swap_one, move, respell])
def test_copies_but_for_one_column_are_shown_where_all_rows_lie_close(
    make_sample: MakeSample, spoil: Callable[[pa.Table], pa.Table]
):
    real, fresh, holdout = (patients(ROWS, k) for k in (11, 12, 13))
    found = apart(make_sample(real, with_copies(real, fresh, 300, spoil), holdout))
    assert found.limit is not None
    assert judge(found.estimate, found.limit) is Status.FAIL
    assert found.details["p_adjusted"] < 1e-3


@pytest.mark.parametrize("seed", range(4))
def test_fresh_rows_are_not_shown(make_sample: MakeSample, seed: int):
    found = apart(make_sample(*(patients(ROWS, 10 * seed + k) for k in (5, 6, 7))))
    assert found.estimate is not None
    assert found.estimate.value == 0


def test_rows_met_are_those_that_a_naive_count_finds(make_sample: MakeSample):
    tables = [patients(90, 1), swap_one(patients(90, 1)), patients(60, 3)]
    encoding = encode(make_sample(tables[0], tables[1], tables[2]))
    real, synthetic, holdout = ([tuple(row.values()) for row in t.to_pylist()] for t in tables)
    synthetic = [row for row in synthetic if row not in {*real, *holdout}]
    assert len(synthetic) > 40
    for met in meet(encoding, np.zeros(len(encoding.synthetic), np.bool_)):
        at = None if met.column is None else tables[0].column_names.index(met.column)
        sides = [{tuple(v for j, v in enumerate(r) if j != at) for r in rows} for rows in (real, synthetic, holdout)]
        mine, theirs = sides[0] - sides[2], sides[2] - sides[0]
        assert met.subjects == (len(mine), len(theirs))
        assert met.hits == (len(mine & sides[1]), len(theirs & sides[1]))


def test_groups_are_counted_as_one(make_sample: MakeSample):
    def visits(rows: int, seed: int) -> pa.Table:
        person = [f"s{seed}p{k // 5}" for k in range(rows)]
        return patients(rows, seed).append_column("person", pa.array(person))

    real, holdout = visits(300, 1), visits(300, 2)
    encoding = encode(make_sample(real, swap_one(real.slice(0, 100)), holdout))
    assert encoding.grouped_by == "person"
    clinics = encoding.columns[0].name
    assert clinics == "clinic"
    none = np.zeros(len(encoding.synthetic), np.bool_)
    met = next(met for met in meet(encoding, none) if met.column == clinics)
    rows = [[tuple(r.values())[1:] for r in t.to_pylist()] for t in (real, holdout)]
    alike = {r[:-1] for r in rows[0]} & {r[:-1] for r in rows[1]}
    assert met.subjects == tuple(len({r[-1] for r in side if r[:-1] not in alike}) for side in rows)
    assert 0 < met.hits[0] <= 20


def test_a_copy_in_one_column_less_of_a_table_of_two_is_no_question(make_sample: MakeSample):
    two = [patients(200, k).select(["clinic", "age"]) for k in (1, 2, 3)]
    metrics = [f.message or "" for f in copies.assess(make_sample(*two)).findings]
    assert not any("no exact copy equals" in words for words in metrics)
