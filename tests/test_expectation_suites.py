"""Great Expectations suites: run in a context that leaves nothing behind, real as a control, bad ones refused."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

import synthgate
from synthgate.cli import run_command
from synthgate.findings import Status
from synthgate.libraries import require, silent

CHECK = "constraints.great_expectations"
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def gx():
    return require("great_expectations", "great-expectations", "tests")


def save(gx, path, *expectations, **more):
    """Write a suite with the library's own tools."""
    with silent():
        suite = gx.ExpectationSuite(name="ours", expectations=list(expectations), **more)
        path.write_text(json.dumps(suite.to_json_dict()), encoding="utf-8")


def gate(folder, entries="  - great_expectations: suite.json\n"):
    path = folder / "gate.yaml"
    path.write_text(f"schemas:\n{entries}")
    return path


def judged(real, synthetic, path):
    return synthgate.evaluate(real, synthetic, gate=path, only=[CHECK])[CHECK]


@pytest.fixture
def tables(draw_people):
    real, synthetic = draw_people(300, 1), draw_people(300, 2)
    age = synthetic["age"].to_pylist()
    age[3], age[4], age[5] = 500, -5, -6
    return real, synthetic, synthetic.set_column(1, "age", pa.array(age))


def test_unexpected_values_are_counted_by_expectation_and_column(gx, tables, tmp_path):
    e = gx.expectations
    save(
        gx,
        tmp_path / "suite.json",
        e.ExpectColumnValuesToBeBetween(column="age", min_value=0, max_value=200),
        e.ExpectColumnValuesToBeBetween(column="age", min_value=0, max_value=200, mostly=0.9),
        e.ExpectColumnValuesToBeBetween(column="age", min_value=-100, max_value=200, severity="warning"),
        e.ExpectColumnValuesToBeInSet(column="job", value_set=["clerk", "nurse", "farmer", "pilot"]),
        e.ExpectColumnValuesToBeUnique(column="id"),
        e.ExpectColumnMeanToBeBetween(column="age", min_value=20, max_value=60),
        e.ExpectColumnMaxToBeBetween(column="age", max_value=200),
        e.ExpectColumnValuesToBeBetween(column="day", min_value="2019-01-01", max_value="2025-01-01"),
        e.ExpectTableColumnsToMatchSet(column_set=tables[0].column_names),
    )
    path = gate(tmp_path)
    good = judged(tables[0], tables[1], path)
    assert good.status is Status.PASS
    assert good.ledger.scored == 9
    result = judged(tables[0], tables[2], path)
    told = [(f.status, f.measured.columns, f.measured.details["broken"]) for f in result.findings]
    assert told == [
        (Status.FAIL, ("age",), 3),
        (Status.PASS, ("age",), 3),
        (Status.WARN, ("age",), 1),
        (Status.FAIL, ("age",), None),
    ]
    assert result.findings[0].measured.estimate.value == 3 / 300
    assert result.findings[1].measured.limit.max == pytest.approx(0.1)
    assert "found 500" in result.findings[3].measured.message


def test_what_real_does_not_meet_either_is_the_suites_fault(gx, tables, tmp_path):
    save(
        gx,
        tmp_path / "suite.json",
        gx.expectations.ExpectColumnValuesToBeInSet(column="job", value_set=["clerk"]),
        gx.expectations.ExpectTableColumnsToMatchSet(column_set=["age"]),
    )
    result = judged(tables[0], tables[1], gate(tmp_path))
    assert result.status is Status.WARN
    assert all("so the suite is at fault" in f.measured.message for f in result.findings)
    assert len(result.findings) == 2


def test_an_expectation_that_raises_fails_closed(gx, tables, tmp_path):
    save(
        gx,
        tmp_path / "suite.json",
        gx.expectations.ExpectColumnMeanToBeBetween(column="job", min_value=0, max_value=1, severity="warning"),
    )
    result = judged(tables[0], tables[1], gate(tmp_path))
    assert result.status is Status.FAIL
    assert "could not be judged, it raised on real too" in result.findings[0].measured.message


def test_text_files_get_the_real_types_before_they_are_judged(gx, tables, tmp_path):
    save(
        gx,
        tmp_path / "suite.json",
        gx.expectations.ExpectColumnValuesToBeOfType(column="age", type_="int64"),
        gx.expectations.ExpectColumnValuesToBeBetween(column="wage", min_value=0, max_value=100000),
    )
    for name, table in zip("rs", tables[:2], strict=True):
        pa_csv.write_csv(table, tmp_path / f"{name}.csv")
    assert judged(tmp_path / "r.csv", tmp_path / "s.csv", gate(tmp_path)).status is Status.PASS


def test_parameters_of_a_suite_are_used(gx, tables, tmp_path):
    save(
        gx,
        tmp_path / "suite.json",
        gx.expectations.ExpectColumnValuesToBeBetween(column="age", min_value=0, max_value={"$PARAMETER": "oldest"}),
        suite_parameters={"oldest": 200},
    )
    assert judged(tables[0], tables[1], gate(tmp_path)).status is Status.PASS
    assert judged(tables[0], tables[2], gate(tmp_path)).status is Status.FAIL


OLD = {
    "expectation_suite_name": "old",
    "data_asset_type": None,
    "expectations": [{"expectation_type": "expect_column_to_exist", "kwargs": {"column": "age"}, "meta": {}}],
    "meta": {"great_expectations_version": "0.18.22"},
}


def one(kind, **kwargs):
    return {
        "name": "s",
        "expectations": [{"type": kind, "kwargs": kwargs}],
        "meta": {"great_expectations_version": "1.9"},
    }


BETWEEN = "expect_column_values_to_be_between"
BAD = {
    "0.x": (OLD, "is a suite of Great Expectations 0.x (0.18.22), expected version 1"),
    "other column": (one(BETWEEN, column="aeg", min_value=0), "did you mean 'age'?"),
    "other pair": (one("expect_column_pair_values_to_be_equal", column_A="age", column_B="b"), "the column 'b'"),
    "unknown expectation": (one("expect_miracles", column="age"), "expect_miracles"),
    "wrong arguments": (one(BETWEEN, column="age", min_value=0, mostly=7), "expectation 1"),
    "unknown argument": (one(BETWEEN, column="age", minimum=0), "expectation 1"),
    "empty": ({"name": "s", "expectations": []}, "holds no expectations"),
    "no type": ({"name": "s", "expectations": [{"kwargs": {}}]}, "has no `type`"),
    "a list": ([], "holds no JSON object"),
    "no json": ("{", "is no valid JSON"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_suite_is_one_clear_sentence_exit_2_and_nothing_on_disk(gx, tables, tmp_path, capsys, case):
    content, says = BAD[case]
    (tmp_path / "suite.json").write_text(content if isinstance(content, str) else json.dumps(content))
    pq.write_table(tables[0], tmp_path / "r.parquet")
    path = gate(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    arguments = ["run", tmp_path / "r.parquet", tmp_path / "r.parquet", "--gate", path, "--out", tmp_path / "out"]
    assert run_command([str(a) for a in arguments]) == 2
    captured = capsys.readouterr()
    assert says in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""
    assert sorted(tmp_path.rglob("*")) == before


def test_a_missing_file_and_a_missing_library_are_said(tables, tmp_path, monkeypatch):
    path = gate(tmp_path)
    with pytest.raises(synthgate.SynthgateError, match=r"suite\.json does not exist"):
        judged(tables[0], tables[1], path)
    (tmp_path / "suite.json").write_text(json.dumps(one(BETWEEN, column="age", min_value=0)))
    monkeypatch.setitem(sys.modules, "great_expectations", None)
    with pytest.raises(synthgate.SynthgateError, match=r"pip install 'synthgate\[great-expectations\]'"):
        judged(tables[0], tables[1], path)


def test_it_writes_nothing_calls_nobody_and_keeps_quiet(gx, tables, tmp_path, monkeypatch, capfd):
    def refuse(*_arguments, **_options):
        raise AssertionError("the network was used")

    work = tmp_path / "work"
    work.mkdir()
    save(gx, work / "suite.json", gx.expectations.ExpectColumnValuesToBeUnique(column="id"))
    path = gate(work)
    before = sorted(tmp_path.rglob("*"))
    monkeypatch.chdir(work)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    environment, level = dict(os.environ), logging.getLogger("great_expectations").level
    assert judged(tables[0], tables[2], path).status is Status.PASS
    assert sorted(tmp_path.rglob("*")) == before
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err == ""
    assert dict(os.environ) == environment
    assert logging.getLogger("great_expectations").level == level


GUARD = """
import socket, sys
def refuse(*a, **k):
    sys.stderr.write("NETWORK USED")
    raise OSError("refused")
socket.socket.connect = refuse
socket.getaddrinfo = refuse
from synthgate.cli import main
main(["run", "r.parquet", "r.parquet", "--gate", "gate.yaml", "--only", "constraints", "--out", "out"])
"""


@pytest.mark.slow
def test_a_whole_run_in_a_fresh_process_leaves_reports_only(gx, tables, tmp_path):
    save(gx, tmp_path / "suite.json", gx.expectations.ExpectColumnValuesToBeUnique(column="id"))
    pq.write_table(tables[0], tmp_path / "r.parquet")
    gate(tmp_path)
    before = {p.name for p in tmp_path.rglob("*")}
    environment = {**os.environ, "HOME": str(tmp_path), "PYTHONPATH": str(ROOT)}
    environment.pop("GX_ANALYTICS_ENABLED", None)
    done = subprocess.run(
        [sys.executable, "-c", GUARD], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "NETWORK" not in done.stderr
    assert "Calculating Metrics" not in done.stderr + done.stdout
    assert {p.name for p in tmp_path.rglob("*")} - before == {"out", "report.html", "result.json"}


IMPORTS = """
import sys, synthgate
synthgate.evaluate("r.parquet", "r.parquet", gate=sys.argv[1], only=["schema", "constraints"])
print(*[name for name in ("pandera", "great_expectations") if name in sys.modules])
"""


@pytest.mark.parametrize(
    ("entries", "loaded"), [("", ""), ("schemas:\n  - pandera: s.yaml\n", "pandera")], ids=["none", "pandera"]
)
def test_a_gate_pays_only_for_the_libraries_it_names(tables, tmp_path, entries, loaded):
    pq.write_table(tables[0], tmp_path / "r.parquet")
    (tmp_path / "s.yaml").write_text("schema_type: dataframe\ncolumns:\n  age: {dtype: int64}\n")
    (tmp_path / "g.yaml").write_text(f"version: 1\n{entries}")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS, "g.yaml"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == loaded


def test_a_suite_is_left_alone_when_its_check_does_not_run(tables, tmp_path):
    verdict = synthgate.evaluate(tables[0], tables[1], gate=gate(tmp_path), only=["schema.columns"])
    assert verdict["schema.columns"].status is Status.PASS
