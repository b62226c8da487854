"""Declared constraints and keys: where an expression goes wrong, rows on request only, composite keys."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import synthgate
from synthgate.bridges.sdv import read_metadata
from synthgate.cli import run_command
from synthgate.errors import GateFileError
from synthgate.findings import Status
from synthgate.gatefile import Constraint, load_gate

REAL = pa.table({"a": [1, 2, 3, 4], "b c": [5, 5, 6, 7], "t": ["x", "y", "x", "y"]})
BAD = pa.table({"a": [-1, 2, None, -9], "b c": [5, 5, 5, 5], "t": ["secret\n<script>", "y", "x", "z" * 200]})


def judged(*rules: Constraint, synthetic: pa.Table = BAD, **options: bool) -> synthgate.Verdict:
    gate = replace(load_gate(only=["constraints.declared"]), constraints=rules)
    return synthgate.evaluate(REAL, synthetic, gate=gate, **options)


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("a >=", "at its end"),
        ("a >= 1 adn a < 3", "at character 8"),
        ("a >= 1 and nope < 3", "'nope' at character 12"),
        ("a >= 1 and\n  nope < 3", "'nope' at character 14"),
        ("a >= 1 and getenv('x') = 'y'", "getenv() at character 12"),
        ("a > (select 1)", "subquery at character 5"),
        ("foo(a) > 1", "foo does not exist"),
        ("a > 'x'", "Could not convert"),
    ],
)
def test_an_expression_that_goes_wrong_is_told_with_its_place(sql: str, says: str) -> None:
    with pytest.raises(GateFileError) as caught:
        judged(Constraint(sql="a > 0", name="first"), Constraint(sql=sql, name="second", place="g.yaml:7"))
    assert caught.value.where == "g.yaml:7"
    assert says in str(caught.value)


def test_columns_are_found_in_any_case_and_by_their_table() -> None:
    check = judged(Constraint(sql='A > 0 and data.a < 9 and "B C" > 4', name="n"))["constraints.declared"]
    assert check.findings[0].measured.details["broken"] == 2
    assert check.findings[0].measured.columns == ("a", "b c")


def test_a_constraint_on_a_column_that_synthetic_lacks_is_not_assessed() -> None:
    rules = (Constraint(sql="a > 0", name="first"), Constraint(sql="t <> ''", name="second"))
    check = judged(*rules, synthetic=BAD.select(["a"]))["constraints.declared"]
    by_name = {f.measured.details["name"]: f.status for f in check.findings}
    assert by_name == {"first": Status.FAIL, "second": Status.NOT_ASSESSED}
    assert check.ledger.scored == 1
    assert "no column 't'" in check.ledger.skipped[0].reason


def test_rows_are_shown_on_request_only() -> None:
    rule = Constraint(sql="a > 0", name="positive", where="t <> 'never'")
    silent = judged(rule)["constraints.declared"].findings[0].measured
    assert "secret" not in silent.message + json.dumps(dict(silent.details))
    told = judged(rule, show_rows=True)["constraints.declared"].findings[0].measured.message
    assert "synthetic rows, shown as asked" in told
    assert "row 1 (a = -1, t = 'secret\\n<script>')" in told
    assert "row 4 (a = -9" in told
    assert "z" * 61 not in told


def test_the_command_line_shows_rows_on_request(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import pyarrow.parquet as pq

    for name, table in (("real", REAL), ("bad", BAD)):
        pq.write_table(table, tmp_path / f"{name}.parquet")
    gate = tmp_path / "g.yaml"
    gate.write_text("constraints: ['a > 0']\n")
    files = [str(tmp_path / "real.parquet"), str(tmp_path / "bad.parquet")]
    arguments = ["run", *files, "--gate", str(gate), "--only", "constraints.declared", "--out", str(tmp_path / "out")]
    for extra, shown in (([], False), (["--show-rows"], True)):
        assert run_command([*arguments, *extra]) == 1
        assert ("row 4" in (tmp_path / "out" / "result.json").read_text()) is shown
    capsys.readouterr()


def test_many_rules_count_as_one_by_one() -> None:
    rng = np.random.default_rng(0)
    rows = 150_000  # more than one chunk
    table = pa.table({"a": rng.integers(0, 100, rows), "b": rng.random(rows), "t": rng.choice(["x", "y"], rows)})
    rules = tuple(Constraint(sql=f"a <> {k}", name=str(k), where="t = 'x'" if k % 2 else None) for k in range(20))
    gate = replace(load_gate(only=["constraints.declared"]), constraints=rules)
    check = synthgate.evaluate(table, table, gate=gate)["constraints.declared"]
    a, t = table["a"].to_numpy(), table["t"].to_numpy()
    for k, finding in enumerate(check.findings):
        held = (t == "x") | (k % 2 == 0)
        assert finding.measured.details["broken"] == int((held & (a == k)).sum())
        assert finding.measured.details["rows"] == int(held.sum())


def visits(repeats: int) -> pa.Table:
    country = np.repeat(["AT", "BE", "CH"], 40)
    code = np.tile(np.arange(40), 3)
    code[:repeats] = 39
    return pa.table({"country": country, "code": code, "value": np.arange(120.0)})


@pytest.mark.parametrize(("repeats", "status"), [(0, Status.PASS), (1, Status.FAIL)])
def test_a_composite_key_is_unique_over_its_columns_together(tmp_path: Path, repeats: int, status: Status) -> None:
    gate = tmp_path / "g.yaml"
    gate.write_text("key: [[country, code]]\n")
    check = synthgate.evaluate(visits(0), visits(repeats), gate=gate, only=["schema.keys"])["schema.keys"]
    assert check.status is status
    assert check.findings[0].measured.columns == ("country", "code")
    kinds = {"country": "categorical", "code": "categorical", "value": "numerical"}
    columns = {name: {"sdtype": kind} for name, kind in kinds.items()}
    metadata = {"columns": columns, "primary_key": ["country", "code"]}
    same = synthgate.evaluate(visits(0), visits(repeats), metadata=metadata, only=["schema.keys"])["schema.keys"]
    assert same.status is status


def test_a_composite_key_with_a_missing_part_is_told() -> None:
    bad = visits(0).set_column(0, "country", pa.array([None] * 2 + ["AT"] * 38 + ["BE"] * 40 + ["CH"] * 40))
    gate = replace(load_gate(only=["schema.keys"]), composite_keys=(("country", "code"),))
    check = synthgate.evaluate(visits(0), bad, gate=gate)["schema.keys"]
    assert [(f.measured.metric, f.status) for f in check.findings] == [
        ("repeated_share", Status.PASS),
        ("missing_key_share", Status.FAIL),
    ]


@pytest.mark.parametrize(
    ("text", "single", "composite"),
    [
        ("key: id", ("id",), ()),
        ("key: [id, mail]", ("id", "mail"), ()),
        ("key: [id, [country, code]]", ("id",), (("country", "code"),)),
        ("key: [[id]]", ("id",), ()),
    ],
)
def test_keys_of_a_gate_file(tmp_path: Path, text: str, single: tuple[str, ...], composite: object) -> None:
    gate = tmp_path / "g.yaml"
    gate.write_text(text + "\n")
    assert (load_gate(gate).keys, load_gate(gate).composite_keys) == (single, composite)


@pytest.mark.parametrize("text", ["key: 5", "key: [[]]", "key: [[a, a]]", "key: [[a, 1]]", "key: {a: b}"])
def test_a_key_that_names_no_columns_is_refused(tmp_path: Path, text: str) -> None:
    gate = tmp_path / "g.yaml"
    gate.write_text("version: 1\n" + text + "\n")
    with pytest.raises(GateFileError, match="key") as caught:
        load_gate(gate)
    assert caught.value.where.endswith(":2")


def test_metadata_keys_of_all_kinds_are_read() -> None:
    columns = {name: {"sdtype": "id"} for name in "abcd"}
    read = read_metadata({"columns": columns, "primary_key": "a", "alternate_keys": ["b", ["c", "d"]]})
    assert (read.keys, read.composite_keys) == (("a", "b"), (("c", "d"),))


@pytest.mark.parametrize("library", ["pandera", "polars", "great_expectations", "mined"])
def test_mined_rules_and_schemas_show_rows_on_request_only(library: str, tmp_path: Path) -> None:
    def table(seed: int) -> pa.Table:
        rng = np.random.default_rng(seed)
        low = rng.integers(0, 50, 600)
        return pa.table({"low": low, "high": low + rng.geometric(0.1, 600) - 1, "mark": rng.integers(0, 9, 600)})

    bad = table(2)
    wrong = bad["low"].to_numpy().copy()
    wrong[[41, 7, *range(100, 160)]] = 7777
    bad = bad.set_column(0, "low", pa.array(wrong))
    path = tmp_path / "gate.yaml"
    check = f"constraints.{'pandera' if library == 'polars' else library}"
    if library == "mined":
        path.write_text("version: 1\n")
    elif library == "great_expectations":
        pytest.importorskip("great_expectations")
        kwargs = {"column": "low", "max_value": 100}
        rule = {"type": "expect_column_values_to_be_between", "kwargs": kwargs, "meta": {}}
        suite = {"name": "s", "meta": {"great_expectations_version": "1.5.0"}, "expectations": [rule]}
        (tmp_path / "suite.json").write_text(json.dumps(suite))
        path.write_text("schemas: [{great_expectations: suite.json}]\n")
    else:
        pytest.importorskip("pandera")
        module = "pandas" if library == "pandera" else "polars"
        lines = (
            f"import pandera.{module} as pa",
            "S = pa.DataFrameSchema({'low': pa.Column(checks=pa.Check.lt(100))})",
        )
        (tmp_path / "s.py").write_text("\n".join(lines))
        path.write_text("schemas: [{pandera: 's.py:S'}]\nallow_code: true\n")

    def messages(*, show: bool) -> str:
        verdict = synthgate.evaluate(table(1), bad, gate=load_gate(path, only=[check]), show_rows=show)
        return " ".join(f.measured.message for f in verdict[check].findings if f.status is Status.FAIL)

    assert "7777" not in messages(show=False)
    assert "row 8 (low = 7777" in messages(show=True)
    assert "row 42 (low = 7777" in messages(show=True)
    assert "row 101 (low = 7777" in messages(show=True)
    assert "mark" not in messages(show=True)
