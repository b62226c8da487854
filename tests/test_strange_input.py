"""What strangers give: a side twice, contradictory options, dates in several layouts, a report folder that is none."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pytest

from synthgate.cli import run_command
from synthgate.errors import GateFileError
from synthgate.findings import Outcome, Status
from synthgate.gate import evaluate
from synthgate.infer import ID_NAME

DAYS = np.datetime64("2020-01-01") + np.arange(400)


def people(rows: int, seed: int, **more: object) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.table({"age": rng.integers(18, 90, rows), "pay": rng.normal(50, 9, rows).round(2), **more})


def dated(layouts: tuple[str, ...], seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    days = rng.choice(DAYS, 300).tolist()
    return people(300, seed, day=[day.strftime(layouts[k % len(layouts)]) for k, day in enumerate(days)])


def test_a_holdout_that_is_real_is_left_out_and_told():
    verdict = evaluate(people(200, 1), people(200, 2), holdout=people(200, 1), only=["schema", "privacy.membership"])
    assert any("holdout holds the same rows as real" in note for note in verdict.run.notes)
    assert verdict["privacy.membership"].status is Status.NOT_ASSESSED


def test_equal_columns_of_few_values_are_no_copy():
    same = pa.table({"x": [1.0] * 200})
    assert evaluate(same, same, holdout=same, only=["schema"]).outcome is Outcome.PASS


@pytest.mark.parametrize(("at", "name"), [(1, "real"), (3, "the holdout")])
def test_a_synthetic_table_that_is_another_side_is_told(at, name):
    verdict = evaluate(people(200, 1), people(200, at), holdout=people(200, 3), only=["schema"])
    assert any(f"same rows as {name}" in note for note in verdict.run.notes)


def test_a_check_cannot_be_skipped_and_required(tmp_path):
    gate = tmp_path / "gate.yaml"
    gate.write_text("version: 1\nchecks:\n  fidelity.columns:\n    skip: true\n    require: true\n")
    with pytest.raises(GateFileError, match=r"gate\.yaml:5.*skip"):
        evaluate(people(200, 1), people(200, 2), gate=gate)


@pytest.mark.parametrize(("rows", "status"), [(2, Status.WARN), (100, Status.FAIL)])
def test_infinite_values_are_told_where_real_has_none(rows, status):
    pay = np.where(np.arange(300) < rows, np.inf, np.random.default_rng(2).normal(50, 9, 300))
    types = evaluate(people(300, 1), people(300, 2).set_column(1, "pay", pa.array(pay)), only=["schema.types"])
    assert types["schema.types"].status is status
    assert "infinite" in types["schema.types"].findings[0].measured.message


def test_dates_in_several_layouts_are_told():
    table = dated(("%d.%m.%Y", "%Y-%m-%d"), 1)
    types = evaluate(table, dated(("%d.%m.%Y", "%Y-%m-%d"), 2), only=["schema.types"])["schema.types"]
    assert [f.measured.metric for f in types.findings] == ["dates_as_text"]
    assert types.status is Status.WARN
    assert all(text not in types.findings[0].measured.message for text in table["day"].to_pylist())


def test_dates_in_another_layout_are_said_to_be():
    types = evaluate(dated(("%d.%m.%Y",), 1), dated(("%Y-%m-%d",), 2), only=["schema.types"])["schema.types"]
    assert types.status is Status.FAIL
    assert "written like 2031-12-30, in real like 30.12.2031" in types.findings[0].measured.message


@pytest.mark.parametrize("numbers", ["123-45-6789", "555-0100", "12.34.56.78", "1/2"])
def test_other_numbers_with_signs_are_no_dates(numbers):
    texts = [numbers.replace("5", str(k % 10)) + str(k // 10 % 10) for k in range(300)]
    types = evaluate(people(300, 1, x=texts), people(300, 2, x=texts), only=["schema.types"])["schema.types"]
    assert types.findings == ()


def test_words_that_end_in_id_are_no_ids():
    assert [word for word in ("paid", "covid", "monkey", "bid", "userId", "user_id", "ID") if ID_NAME.search(word)] == [
        "userId",
        "user_id",
        "ID",
    ]


@pytest.mark.parametrize("out", ["file", "file/below"])
def test_a_report_folder_that_is_a_file_is_refused_before_the_work(tmp_path, monkeypatch, capsys, out):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("mine")
    for name, seed in (("a", 1), ("b", 2)):
        pc.write_csv(people(50, seed), f"{name}.csv")
    monkeypatch.setattr("synthgate.gate.evaluate", lambda *_, **__: pytest.fail("the tables were judged first"))
    assert run_command(["run", "a.csv", "b.csv", "--out", out]) == 2
    assert "file" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "mine"


def test_sparse_columns_of_pandas_are_numbers():
    import pandas as pd

    frame = people(200, 1).to_pandas().assign(x=[0.0, 1.5, 0.0, 2.5] * 50)
    sparse = frame.assign(x=pd.arrays.SparseArray(frame["x"]))
    verdict = evaluate(frame, sparse, only=["schema"])
    assert verdict["schema.types"].status is Status.PASS


def test_durations_that_are_not_compared_are_told():
    seconds = pa.array(range(300), pa.duration("s"))
    types = evaluate(people(300, 1, x=seconds), people(300, 2, x=seconds), only=["schema.types"])["schema.types"]
    assert [f.measured.metric for f in types.findings] == ["duration_as_text"]
    assert types.status is Status.WARN
