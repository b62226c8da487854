"""What the survey saves of the real side is what counting it anew would give."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthgate import sides
from synthgate.canonical import Numbers
from synthgate.roles import Role
from synthgate.sides import count_side
from synthgate.survey import count_surveyed, plan_of, survey
from synthgate.tables import open_table

MOMENTS = [dt.datetime(2020, 1, day, 12) for day in range(1, 9)]
columns = {
    "few": (pa.int64(), st.integers(0, 3)),
    "many": (pa.int64(), st.integers(-(2**60), 2**60)),
    "share": (pa.float64(), st.one_of(st.sampled_from([0.5, -0.0, 0.0, 2.0]), st.floats())),
    "word": (pa.string(), st.sampled_from(["a", "b", "<b>", "naïve\n", " "])),
    "flag": (pa.bool_(), st.booleans()),
    "yes": (pa.string(), st.sampled_from(["yes", "no", "maybe"])),
    "day": (pa.string(), st.sampled_from([str(m.date()) for m in MOMENTS])),
    "moment": (pa.timestamp("s"), st.sampled_from(MOMENTS)),
    "spelled": (pa.string(), st.sampled_from(["1", "2.5", "nan", "many"])),
    "code": (pa.dictionary(pa.int8(), pa.string()), st.sampled_from(["x", "y"])),
    "point": (pa.list_(pa.float32()), st.lists(st.floats(0, 1, width=32), min_size=2, max_size=2)),
}
roles = st.dictionaries(st.sampled_from([name for name in columns if name != "point"]), st.sampled_from(list(Role)[:6]))


@st.composite
def tables(draw):
    rows = draw(st.integers(1, 40))
    cells = {n: draw(st.lists(st.one_of(st.none(), v), min_size=rows, max_size=rows)) for n, (_, v) in columns.items()}
    return pa.table({name: pa.array(cells[name], kind) for name, (kind, _) in columns.items()})


def same_counts(a, b):
    if (a.rows, a.missing, a.misfits) != (b.rows, b.missing, b.misfits) or type(a.values) is not type(b.values):
        return False
    if hasattr(a.values, "labels"):
        return a.values.as_dict() == b.values.as_dict()
    return np.array_equal(a.values.values, b.values.values) and np.array_equal(a.values.counts, b.values.counts)


def spelled(column):
    if isinstance(column, Numbers):
        return [None if np.isnan(value) else value for value in column.values.tolist()]
    return [None if code < 0 else column.labels[int(code)].as_py() for code in column.codes]


@settings(deadline=None, max_examples=60)
@given(tables(), roles, st.sampled_from(["", "few"]), st.booleans())
def test_the_survey_gives_what_counting_anew_would(table, given_roles, target, is_sampled):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sides, "SAMPLE_ROWS", 10 if is_sampled else 1000)
        opened = open_table(table)
        seen = survey(opened, given_roles, 5)
        plan = plan_of(seen, (target,) if target else (), {})
        found, anew = count_surveyed(plan, seen, 5), count_side(plan, opened, 5)
    assert list(found.counts.columns) == list(anew.counts.columns)
    assert found.counts.rows == anew.counts.rows == table.num_rows
    assert np.array_equal(found.index, anew.index)
    for name, counted in anew.counts.columns.items():
        assert same_counts(found.counts.columns[name], counted), name
        assert spelled(found.kept[name]) == spelled(anew.kept[name]), name
    for name, vectors in anew.vectors.items():
        assert np.array_equal(found.vectors[name], vectors, equal_nan=True)


def test_a_table_of_plain_columns_is_read_once(monkeypatch):
    table = open_table(pa.table({"n": list(range(30)), "g": [0, 1, 1] * 10, "w": ["a", "b", None] * 10}))
    seen = survey(table, {})
    plan = plan_of(seen, ("g",), {})
    monkeypatch.setattr("synthgate.survey.stream", lambda *_: pytest.fail("the table was read again"))
    assert count_surveyed(plan, seen, 0).counts.columns["g"].labels.as_dict() == {"0": 10, "1": 20}
