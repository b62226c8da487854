"""Tables as strangers write them: another column order, other dates, a handful of rows."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pytest

from synthgate.errors import DataError
from synthgate.findings import Outcome, Status
from synthgate.gate import evaluate
from synthgate.infer import date_layout
from synthgate.render.story import opening

BY_COUNTS = ("schema", "constraints", "fidelity", "coverage")
LIGHT = ("schema", "fidelity.columns", "coverage.categories")


def people(rows: int, seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.table({"age": rng.integers(18, 90, rows), "town": rng.choice(["Bern", "Graz", "Linz"], rows)})


def test_another_column_order_is_told_and_passes():
    fresh = people(300, 2)
    verdict = evaluate(people(300, 1), fresh.select(["town", "age"]), only=LIGHT)
    assert verdict["schema.columns"].status is Status.PASS
    assert [f.measured.metric for f in verdict["schema.columns"].findings] == ["column_order"]


@pytest.mark.parametrize(("here", "there"), [(3, 3), (1, 600), (600, 1), (1, 1)])
def test_a_handful_of_rows_decides_nothing_and_is_no_pass(here, there):
    verdict = evaluate(people(here, 1), people(there, 2), only=LIGHT)
    assert verdict["fidelity.columns"].status not in (Status.PASS, Status.FAIL)
    assert verdict["coverage.categories"].status not in (Status.PASS, Status.FAIL)
    assert verdict.outcome is Outcome.INCOMPLETE
    assert "more rows" in opening(verdict)


@pytest.mark.parametrize("side", ["real", "holdout"])
def test_a_column_without_a_value_on_one_side_breaks_no_check(side):
    tables = {name: people(300, seed) for seed, name in enumerate(("real", "synthetic", "holdout"))}
    for name, table in tables.items():
        known = np.arange(300) % 50 == 0 if name != side else np.zeros(300, bool)
        tables[name] = table.append_column("seldom", pa.array(np.arange(300.0), mask=~known))
    verdict = evaluate(tables["real"], tables["synthetic"], holdout=tables["holdout"], only=BY_COUNTS)
    assert not [check.id for check in verdict if check.status is Status.ERROR]


def test_the_form_alone_can_pass():
    assert evaluate(people(3, 1), people(3, 1), only=["schema.columns"]).outcome is Outcome.PASS


@pytest.mark.parametrize(
    "layout", ["%d/%m/%y", "%d/%m/%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%m/%d/%Y %I:%M %p", "%d-%m-%Y", "%Y/%m/%d %H:%M"]
)
def test_dates_are_read_as_people_write_them(layout):
    start = datetime(2019, 1, 1, 7, 25)
    texts = pa.array([(start + timedelta(days=3 * k, minutes=17 * k)).strftime(layout) for k in range(200)])
    assert date_layout(texts) == (True, layout)


def test_utf_16_without_a_mark_is_told_as_such(tmp_path):
    path = tmp_path / "real.csv"
    path.write_bytes("town,age\nK\u00f6ln,3\n".encode("utf-16-le"))
    pc.write_csv(people(30, 1), tmp_path / "synthetic.csv")
    with pytest.raises(DataError, match="utf-16le"):
        evaluate(path, tmp_path / "synthetic.csv")


def test_a_column_that_the_holdout_lacks_blames_nobody():
    def draw(seed, gone):
        rng = np.random.default_rng(seed)
        x, rows = rng.normal(size=1200), 1200
        mask = np.ones(rows, bool) if gone else rng.random(rows) < 0.1
        return pa.table({"x": x, "y": x + rng.normal(size=rows), "z": pa.array(rng.normal(size=rows), mask=mask)})

    verdict = evaluate(draw(1, gone=False), draw(2, gone=False), holdout=draw(3, gone=True))
    assert not [c.id for c in verdict if c.status in (Status.ERROR, Status.FAIL)]
    filled = evaluate(draw(1, gone=False), draw(2, gone=True), holdout=draw(3, gone=True), only=["schema"])
    assert filled["schema.nulls"].status is Status.FAIL
