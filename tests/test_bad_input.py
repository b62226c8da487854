"""Bad input ends in one clear sentence and exit code 2, odd input is judged; nothing breaks."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import synthgate
from synthgate.cli import run_command
from synthgate.errors import SynthgateError
from synthgate.findings import Status
from synthgate.gatefile import Constraint, load_gate

FAST = {"skip": ["utility", "privacy"]}


def judged(real, synthetic, **more):
    verdict = synthgate.evaluate(real, synthetic, **{**FAST, **more})
    broken = [c for c in verdict if c.status is Status.ERROR]
    assert not broken, broken
    return verdict


def write(path: Path, content: bytes | str) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


GOOD = "a,b\n" + "\n".join(f"{k % 40},x{k % 3}" for k in range(60)) + "\n"

BAD_FILES = {
    "empty": (b"", "t.csv"),
    "header only": (b"a,b\n", "t.csv"),
    "truncated parquet": (b"PAR1 and then nothing", "t.parquet"),
    "ragged rows": (b"a,b\n1,2\n3,4,5\n", "t.csv"),
    "wrong encoding": ("a,b\n1,caf\xe9\n".encode("latin-1"), "t.csv"),
    "unknown kind": (b"anything", "t.docx"),
    "duplicate names": (b"a,a\n1,2\n", "t.csv"),
    "empty name": (b"a,\n1,2\n", "t.csv"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "t.parquet"),
}


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("case", BAD_FILES)
def test_an_unreadable_file_is_one_clear_sentence_and_exit_code_2(tmp_path, capsys, case, side):
    content, name = BAD_FILES[case]
    files = [write(tmp_path / "good.csv", GOOD)] * 2
    files[side] = write(tmp_path / name, content)
    assert run_command(["run", *files, "--out", str(tmp_path / "out")]) == 2
    err = capsys.readouterr().err
    assert name in err
    assert "Traceback" not in err
    assert not (tmp_path / "out").exists()


def test_a_missing_file_is_named(tmp_path, capsys):
    assert run_command(["run", write(tmp_path / "good.csv", GOOD), str(tmp_path / "none.csv")]) == 2
    assert "none.csv" in capsys.readouterr().err


def test_two_tables_without_a_common_column_are_refused(tmp_path, capsys):
    files = [write(tmp_path / "a.csv", GOOD), write(tmp_path / "b.csv", GOOD.replace("a,b", "c,d"))]
    assert run_command(["run", *files]) == 2
    assert "shares no column" in capsys.readouterr().err


@pytest.mark.parametrize(
    "name", ["a;b", "quote\"s'", "two words", "<script>alert(1)</script>", "line\nbreak", "ключ", "%s{x}", ","]
)
def test_hostile_column_names_are_only_names(name):
    rng = np.random.default_rng(0)
    real = pa.table({name: rng.normal(size=80), "c": rng.choice(["<b>", "'; DROP TABLE x; --"], 80)})
    verdict = judged(real, real)
    assert name in verdict.run.roles


ODD_TABLES = {
    "one row": pa.table({"a": [1], "b": ["x"]}),
    "one column": pa.table({"a": list(range(100))}),
    "all null": pa.table({"a": pa.array([None] * 50, pa.float64()), "b": list(range(50))}),
    "null type": pa.table({"a": pa.nulls(50), "b": list(range(50))}),
    "constant": pa.table({"a": [7] * 50, "b": ["x"] * 50}),
    "infinities": pa.table({"a": [float("inf"), float("-inf"), 1.0, 2.0] * 20, "c": ["a", "b"] * 40}),
    "huge numbers": pa.table({"a": [1.7e308, -1.7e308, 5e-324, 0.0] * 20, "b": [1e300, -1e300] * 40}),
    "nested": pa.table({"a": [{"x": 1}, {"x": 2}] * 30, "b": list(range(60))}),
    "lists": pa.table({"a": [[1.0, 2.0], [3.0, 4.0]] * 30, "b": list(range(60))}),
    "integers past 2^53": pa.table({"a": [2**60 + k for k in range(60)], "b": ["u", "v"] * 30}),
    "old and far dates": pa.table(
        {"d": [dt.date(1066, 10, 14), dt.date(2999, 1, 1), dt.date(2020, 1, 1)] * 20, "b": [1, 2, 3] * 20}
    ),
    "time zones": pa.table(
        {"d": pa.array([dt.datetime(2020, 1, d % 28 + 1) for d in range(60)], pa.timestamp("us", "Asia/Tokyo"))}
    ),
    "times": pa.table({"t": [dt.time(h % 24, 5) for h in range(60)], "b": [1, 2] * 30}),
    "durations": pa.table({"t": [dt.timedelta(hours=h) for h in range(60)], "b": [1, 2] * 30}),
    "binary": pa.table({"t": [bytes([k % 7]) for k in range(60)], "b": [1, 2] * 30}),
    "decimals": pa.table({"t": pa.array(range(60), pa.decimal128(20, 3)), "b": [1, 2] * 30}),
    "dictionary": pa.table({"t": pa.array(["u", "v", None] * 20).dictionary_encode(), "b": [1, 2] * 30}),
    "long text": pa.table({"t": ["word " * 3000 + str(k) for k in range(40)], "b": [1, 2] * 20}),
}


@pytest.mark.parametrize("case", ODD_TABLES)
def test_odd_tables_are_judged_against_themselves_and_nothing_breaks(case):
    table = ODD_TABLES[case]
    verdict = judged(table, table)
    assert not verdict.failures(), [c.reason for c in verdict.failures()]


@pytest.mark.parametrize("case", ODD_TABLES)
def test_odd_tables_run_through_models_and_attacks_too(case):
    table = ODD_TABLES[case]
    verdict = synthgate.evaluate(table, table, holdout=table, target=table.column_names[-1])
    assert not [c.reason for c in verdict if c.status is Status.ERROR]


def test_ten_thousand_columns_are_judged(tmp_path):
    rng = np.random.default_rng(0)
    names = [f"c{k}" for k in range(10_000)]
    path = tmp_path / "wide.parquet"
    pq.write_table(pa.table([rng.integers(0, 5, 8) for _ in names], names=names), path)
    verdict = judged(path, path, only=["schema", "fidelity.columns"], skip=[])
    assert verdict["schema.columns"].status is Status.PASS


def test_a_synthetic_text_file_with_words_in_numbers_is_a_finding(tmp_path):
    real = write(tmp_path / "r.csv", GOOD)
    bad = write(tmp_path / "s.csv", GOOD.replace("\n39,", "\nmany,"))
    verdict = judged(real, bad)
    (found,) = verdict["schema.types"].failed
    assert found.measured.columns == ("a",)
    assert "1 of 60" in found.measured.message


def test_question_marks_are_values_unless_said_otherwise(tmp_path):
    text = GOOD.replace("x1", "?")
    real = write(tmp_path / "r.csv", text)
    as_value = judged(real, real).run.roles
    assert as_value["b"] == "categorical"
    missing = judged(real, real, missing_values=["", "?"])
    columns = {
        f.measured.columns: f.measured.message
        for f in missing["fidelity.columns"].findings
        if "missing" in f.measured.metric
    }
    assert "33.33%" in columns["b",]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("version: 2\n", "version"),
        ("chekcs: {}\n", "did you mean 'checks'"),
        ("checks:\n  fidelity.colums: {min: 0.9}\n", "did you mean 'fidelity.columns'"),
        ("checks:\n  fidelity.columns: {min_positon: 0.9}\n", "did you mean 'min_position'"),
        ("checks:\n  fidelity.columns: {min_position: 9}\n", "expected 0 to 1"),
        ("preset: relaese\n", "did you mean 'release'"),
        ("roles: {a: nummerical}\n", "did you mean 'numerical'"),
        ("roles: {aa: numerical}\n", "column 'aa' is not in the real table"),
        ("a: 1\na: 2\n", "uplicate"),
        ("- 1\n", "expected a mapping"),
        ("real: !!python/object:os.system x\n", "tag"),
        ("constraints: ['a >=']\n", "no valid SQL"),
        ("constraints: ['nope > 1']\n", "nope"),
        ("waivers: [{check: fidelity.columns, until: soon, reason: x}]\n", "expected a date"),
    ],
)
def test_a_bad_gate_file_names_the_line_and_the_mend(tmp_path, capsys, text, says):
    data = write(tmp_path / "t.csv", GOOD)
    gate = write(tmp_path / "synthgate.yaml", text)
    assert run_command(["run", data, data, "--gate", gate, "--skip", "utility", "--skip", "privacy"]) == 2
    err = capsys.readouterr().err
    assert "synthgate.yaml" in err
    assert says in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    "sql",
    [
        "a > 1; DROP TABLE data",
        "a > (SELECT count(*) FROM read_csv('/etc/passwd'))",
        "a IN (SELECT 1)",
        "getenv('HOME') = 'x'",
        "read_text('/etc/passwd') IS NULL",
        "a > 1) FROM data; COPY data TO '/tmp/leak.csv'; --",
        "COPY data TO 'x.csv'",
        "ATTACH 'x.db'",
        "PRAGMA database_list",
        "current_setting('threads') = '2'",
        "sum(a) OVER () > 1",
        "* = 1",
        "$1 = 1",
    ],
)
def test_a_constraint_can_reach_nothing_but_the_row(tmp_path, sql):
    gate = tmp_path / "g.yaml"
    gate.write_text(
        "constraints:\n  - sql: " + repr(sql).replace("\\'", "''") + "\n"
        if "'" not in sql
        else f'constraints:\n  - sql: "{sql}"\n'
    )
    before = sorted(tmp_path.iterdir())
    table = pa.table({"a": [1, 2, 3]})
    with pytest.raises(SynthgateError):
        synthgate.evaluate(table, table, gate=load_gate(gate), only=())
    assert sorted(tmp_path.iterdir()) == before


def test_constraints_count_violations_and_null_keeps_the_rule(tmp_path):
    gate = tmp_path / "g.yaml"
    rules = ("a >= 0", "{sql: a < b, name: order, tolerance: 0.5}", "{sql: a > 0, where: \"c = 'x'\"}")
    gate.write_text("constraints:\n" + "".join(f"  - {rule}\n" for rule in rules))
    real = pa.table({"a": [1, 2, 3, 4], "b": [5, 5, 5, 5], "c": ["x", "y", "x", "y"]})
    bad = pa.table({"a": [-1, 2, None, 9], "b": [5, 5, 5, 5], "c": ["y", "y", "x", "y"]})
    check = synthgate.evaluate(real, bad, gate=gate, only=["constraints"])["constraints.declared"]
    assert [f.measured.estimate.value for f in check.findings] == [0.25, 0.25, 0.0]
    assert [f.status for f in check.findings] == [Status.FAIL, Status.PASS, Status.PASS]


def test_a_rule_that_real_breaks_is_the_rules_fault():
    real = pa.table({"a": [1, -2, 3, 4]})
    gate = replace(load_gate(only=["constraints"]), constraints=(Constraint(sql="a > 0", name="positive"),))
    check = synthgate.evaluate(real, real, gate=gate)["constraints.declared"]
    assert check.status is Status.WARN
    assert "rule is at fault" in check.findings[0].measured.message
