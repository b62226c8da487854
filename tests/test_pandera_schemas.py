"""Users' pandera schemas: run as they are, every failure counted, real as a control, bad ones refused."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

import synthgate
from synthgate.cli import run_command
from synthgate.findings import Severity, Status
from synthgate.gatefile import load_gate
from synthgate.libraries import require
from synthgate.measures.constraints.frames import pandas_frame, polars_frame

pandera = require("pandera.pandas", "pandera", "tests")
CHECK = "constraints.pandera"
FIRST = """\
import pandera.pandas as pa

class People(pa.DataFrameModel):
    age: int = pa.Field(ge=0, le=200)
    job: str = pa.Field(isin=["clerk", "nurse", "farmer", "pilot"])
    wage: float = pa.Field(nullable=True)
    day: pa.DateTime

    @pa.dataframe_check
    def paid(cls, df):
        return df["wage"].isna() | (df["wage"] > 0)

Schema = People.to_schema()
"""


def gate(folder: Path, entries: str, **files: str) -> Path:
    """Write a gate file with entries under ``schemas``, and files beside it."""
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text, encoding="utf-8")
    path = folder / "gate.yaml"
    path.write_text(f"allow_code: true\nschemas:\n{entries}", encoding="utf-8")
    return path


def judged(real, synthetic, path):
    return synthgate.evaluate(real, synthetic, gate=path, only=[CHECK])[CHECK]


def messages(result, status=Status.FAIL):
    return [f.measured.message for f in result.findings if f.status is status]


@pytest.fixture
def tables(draw_people):
    real, synthetic = draw_people(300, 1), draw_people(300, 2)
    age = synthetic["age"].to_pylist()
    age[3], age[4], age[5] = 500, -5, -6
    return real, synthetic, synthetic.set_column(1, "age", pa.array(age))


@pytest.mark.parametrize("name", ["People", "Schema"])
def test_a_model_and_a_schema_are_run_and_every_failure_is_counted(tables, tmp_path, name):
    real, good, bad = tables
    path = gate(tmp_path, f"  - pandera: people.py:{name}\n", people__py=FIRST)
    assert judged(real, good, path).status is Status.PASS
    result = judged(real, bad, path)
    assert result.status is Status.FAIL
    found = {f.measured.details["rule"]: f.measured for f in result.failed}
    assert found.keys() == {"greater_than_or_equal_to(0)", "less_than_or_equal_to(200)"}
    below = found["greater_than_or_equal_to(0)"]
    assert (below.columns, below.details["broken"], below.estimate.value) == (("age",), 2, 2 / 300)
    assert result.ledger.scored > 10


def test_every_kind_of_rule_is_counted_by_row(tables, tmp_path):
    real, good, _ = tables
    code = """\
import pandera.pandas as pa
S = pa.DataFrameSchema({
    "id": pa.Column(str, unique=True),
    "wage": pa.Column(float, nullable=False),
    "age": pa.Column(int, pa.Check(lambda s: s.mean() > 1000, name="mean above 1000")),
    "rich": pa.Column(str),
    "job": pa.Column(str, pa.Check(lambda s: 1 / 0, name="broken")),
    "region": pa.Column(str, pa.Check.isin(["north"], raise_warning=True)),
}, checks=pa.Check(lambda d: d["age"] < 0, name="age below 0"), unique=["age", "job"])
"""
    ids = good["id"].to_pylist()
    ids[1] = ids[2] = ids[0]
    bad = good.set_column(0, "id", pa.array(ids))
    path = gate(tmp_path, "  - pandera: s.py:S\n", s__py=code)
    result = judged(real, bad, path)
    told = {f.measured.details["rule"]: f for f in result.findings}
    (unique,) = (f for f in result.findings if f.measured.columns == ("id",))
    assert (unique.status, unique.measured.details["broken"]) == (Status.FAIL, 3)
    pairs = pd.Series(list(zip(bad["age"].to_pylist(), bad["job"].to_pylist(), strict=True)))
    (both,) = (f for f in result.findings if f.measured.columns == ("age", "job"))
    assert both.measured.details["broken"] == pairs.duplicated(keep=False).sum()
    nulls = told["has a value in every row"]
    assert nulls.status is Status.WARN
    assert nulls.measured.details["broken"] == good["wage"].null_count
    assert nulls.measured.details["broken_in_real"] == real["wage"].null_count
    assert "so the schema is at fault" in nulls.measured.message
    assert told["mean above 1000"].measured.estimate.value == 1
    assert told["age below 0"].measured.details["broken"] == 300
    assert told["has the type str"].status is Status.WARN
    raised = told["broken"]
    assert raised.status is Status.FAIL
    assert "could not be judged, it raised on real too: ZeroDivisionError" in raised.measured.message
    assert told["isin(['north'])"].status is Status.WARN


def test_what_hides_failures_is_undone(tables, tmp_path, monkeypatch):
    real, _, bad = tables
    monkeypatch.setenv("PANDERA_VALIDATION_ENABLED", "False")
    code = """\
import pandera.pandas as pa
S = pa.DataFrameSchema(
    {"age": pa.Column(int, pa.Check.in_range(0, 200, n_failure_cases=1), coerce=True)}, drop_invalid_rows=True
)
"""
    result = judged(real, bad, gate(tmp_path, "  - pandera: s.py:S\n", s__py=code))
    assert [f.measured.details["broken"] for f in result.failed] == [3]


def test_validation_cannot_be_turned_off_by_configuration(tables, tmp_path):
    from pandera.config import config_context

    real, _, bad = tables
    with config_context(validation_enabled=False):
        result = judged(real, bad, gate(tmp_path, "  - pandera: p.py:People\n", p__py=FIRST))
    assert result.status is Status.FAIL


def test_tolerance_severity_and_name_of_an_entry(tables, tmp_path):
    real, _, bad = tables
    entry = "  - {pandera: 'people.py:People', name: ours, %s}\n"
    tolerant = judged(real, bad, gate(tmp_path, entry % "tolerance: 0.02", people__py=FIRST))
    assert tolerant.status is Status.PASS
    assert [f.measured.details["broken"] for f in tolerant.findings] == [2, 1]
    warned = judged(real, bad, gate(tmp_path, entry % "severity: warn", people__py=FIRST))
    assert warned.status is Status.WARN
    assert all(m.startswith("ours: ") for m in messages(warned, Status.WARN))


def test_a_rule_that_real_breaks_is_the_schemas_fault(tables, tmp_path):
    _, good, bad = tables
    path = gate(tmp_path, "  - pandera: people.py:People\n", people__py=FIRST)
    result = judged(bad, good, path)
    assert result.status is Status.PASS
    assert "2 are at fault, since real itself breaks them" in result.reason
    assert all("real itself breaks it" in f.measured.message for f in result.findings)
    assert judged(bad, bad, path).status is Status.WARN


POLARS = """\
import polars as pl
import pandera.polars as pa

S = pa.DataFrameSchema({
    "age": pa.Column(pl.Int32, pa.Check.in_range(0, 200)),
    "job": pa.Column(str, pa.Check.isin(["clerk", "nurse", "farmer", "pilot"])),
    "wage": pa.Column(float, nullable=True),
    "id": pa.Column(str, unique=True),
})

class M(pa.DataFrameModel):
    age: int = pa.Field(ge=0, le=200)
"""


@pytest.mark.parametrize(("name", "broken"), [("S", [3]), ("M", [2, 1])])
def test_polars_schemas_see_the_rows_and_not_only_the_types(tables, tmp_path, name, broken):
    real, good, bad = tables
    path = gate(tmp_path, f"  - pandera: p.py:{name}\n", p__py=POLARS)
    assert judged(real, good, path).status is Status.PASS
    result = judged(real, bad, path)
    assert sorted(f.measured.details["broken"] for f in result.failed) == sorted(broken)


def test_text_files_get_the_real_types_before_they_are_judged(tables, tmp_path):
    real, good, _ = tables
    pa_csv.write_csv(real, tmp_path / "r.csv")
    pa_csv.write_csv(good, tmp_path / "s.csv")
    path = gate(tmp_path, "  - pandera: people.py:People\n", people__py=FIRST)
    assert judged(tmp_path / "r.csv", tmp_path / "s.csv", path).status is Status.PASS
    lines = (tmp_path / "s.csv").read_text().splitlines()
    first = lines[1].split(",")
    lines[1] = ",".join([first[0], "many", *first[2:]])
    (tmp_path / "s.csv").write_text("\n".join(lines) + "\n")
    result = judged(tmp_path / "r.csv", tmp_path / "s.csv", path)
    assert result.status is Status.FAIL
    assert {f.measured.details["rule"]: f.measured.details["broken"] for f in result.failed} == {
        "holds values of the real type": 1,
        "has a value in every row": 1,
    }


def test_columns_come_as_the_schema_expects_when_no_value_is_lost():
    ints = pa.chunked_array([pa.array([1, None, 3])])
    table = pa.table(
        {
            "gaps": ints,
            "whole": pa.array([1.0, 2.0, 3.0]),
            "part": pa.array([1.0, 2.5, 3.0]),
            "day": pa.array([1, 2, 3], pa.date32()),
            "word": pa.array(["a", None, "b"]).dictionary_encode(),
            "flag": pa.array([True, None, False]),
        }
    )
    wanted = {
        "gaps": pd.Int64Dtype(),
        "whole": np.dtype("int64"),
        "part": np.dtype("int64"),
        "day": np.dtype("datetime64[ns]"),
        "word": np.dtype("str"),
        "flag": pd.BooleanDtype(),
    }
    frame = pandas_frame(table, wanted)
    kinds = {name: str(kind) for name, kind in frame.dtypes.items()}
    assert kinds["gaps"] == "Int64"
    assert kinds["whole"] == "int64"
    assert kinds["part"] == "float64", "a fraction is never cut off"
    assert kinds["day"] == "datetime64[ns]"
    assert kinds["flag"] == "boolean"
    assert frame["word"].isna().tolist() == [False, True, False], "a missing value is not the word None"
    assert polars_frame(table, {"whole": pl.Int64, "part": pl.Int64}).dtypes[1:3] == [pl.Int64, pl.Float64]


def test_only_the_columns_of_a_schema_are_converted(tables, tmp_path, monkeypatch):
    from synthgate.measures.constraints import pandera_schemas

    seen = []

    def spy(table, expected):
        seen.append(table.column_names)
        return pandas_frame(table, expected)

    monkeypatch.setattr(pandera_schemas, "pandas_frame", spy)
    code = (
        "import pandera.pandas as pa\nS = pa.DataFrameSchema({'age': pa.Column(int), '^re': pa.Column(regex=True)})\n"
    )
    judged(tables[0], tables[1], gate(tmp_path, "  - pandera: s.py:S\n", s__py=code))
    assert seen == [["age", "region"]] * 2


YAML = """\
schema_type: dataframe
columns:
  age:
    dtype: int64
    in_range: {min_value: 0, max_value: 200}
  job:
    dtype: str
    checks:
      isin: {value: [clerk, nurse, farmer, pilot]}
"""


def test_panderas_own_yaml_is_run_without_code(tables, tmp_path):
    real, good, bad = tables
    schema = pandera.DataFrameSchema({"age": pandera.Column(int, pandera.Check.in_range(0, 200))})
    for text in (YAML, schema.to_yaml()):
        path = gate(tmp_path, "  - pandera: s.yaml\n", s__yaml=text)
        path.write_text(path.read_text().replace("allow_code: true\n", ""))
        assert judged(real, good, path).status is Status.PASS
        assert [f.measured.details["broken"] for f in judged(real, bad, path).failed] == [3]


BAD = {
    "raises": ({"s.py": "raise RuntimeError('no db')"}, "s.py:S", "raises RuntimeError when it is imported: no db"),
    "leaves": ({"s.py": "import sys; sys.exit(0)"}, "s.py:S", "raises SystemExit"),
    "syntax": ({"s.py": "S = ("}, "s.py:S", "raises SyntaxError"),
    "no such file": ({}, "s.py:S", "s.py does not exist"),
    "no such object": ({"s.py": "Adult = 1"}, "s.py:Adlt", "did you mean 'Adult'?"),
    "no schema": ({"s.py": "S = 1"}, "s.py:S", "expected a DataFrameSchema or DataFrameModel"),
    "no such module": ({}, "nowhere_at_all:S", "raises ModuleNotFoundError"),
    "no yaml file": ({}, "s.yaml", "s.yaml does not exist"),
    "unknown check": ({"s.yaml": YAML.replace("in_range", "in_rnge")}, "s.yaml", "did you mean 'in_range'?"),
    "unknown check in list": ({"s.yaml": YAML.replace("isin:", "is_in:")}, "s.yaml", "unknown check 'is_in'"),
    "method as check": ({"s.yaml": YAML.replace("in_range: {", "from_builtin_check_name: {")}, "s.yaml", "unknown"),
    "unknown key": ({"s.yaml": YAML + "stict: true\n"}, "s.yaml", "did you mean 'strict'?"),
    "unknown type": ({"s.yaml": YAML.replace("int64", "int65")}, "s.yaml", "is no pandera schema"),
    "wrong arguments": ({"s.yaml": YAML.replace("min_value: 0", "mn_value: 0")}, "s.yaml", "is no pandera schema"),
    "other library": ({"s.yaml": YAML + "api: pyspark\n"}, "s.yaml", "for pandas or polars"),
    "no columns": ({"s.yaml": "schema_type: dataframe\n"}, "s.yaml", "expected a mapping of columns"),
    "other columns": ({"s.yaml": YAML.replace("  job:", "  jobs:")}, "s.yaml", "did you mean 'job'?"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_a_bad_schema_is_one_clear_sentence_exit_2_and_nothing_on_disk(tables, tmp_path, capsys, case):
    files, target, says = BAD[case]
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    pq.write_table(tables[0], tmp_path / "r.parquet")
    path = gate(tmp_path, f"  - pandera: {target}\n")
    before = sorted(tmp_path.rglob("*"))
    arguments = ["run", tmp_path / "r.parquet", tmp_path / "r.parquet", "--gate", path, "--out", tmp_path / "out"]
    assert run_command([str(a) for a in arguments]) == 2
    err = capsys.readouterr().err
    assert says in err
    assert "Traceback" not in err
    assert sorted(tmp_path.rglob("*")) == before


def test_code_is_not_run_unless_the_gate_allows_it(tables, tmp_path):
    path = gate(tmp_path, "  - pandera: s.py:S\n", s__py="from pathlib import Path\nPath(__file__ + '.ran').touch()\n")
    path.write_text(path.read_text().replace("allow_code: true\n", ""))
    with pytest.raises(synthgate.SynthgateError, match="runs as code"):
        load_gate(path)
    assert not (tmp_path / "s.py.ran").exists()


def test_a_file_may_import_its_neighbours_and_leaves_nothing_behind(tables, tmp_path):
    path = gate(
        tmp_path, "  - pandera: s.py:S\n", s__py="from near_by import S\n", near_by__py=FIRST + "\nS = Schema\n"
    )
    before = sorted(tmp_path.rglob("*"))
    paths = list(sys.path)
    assert judged(tables[0], tables[1], path).status is Status.PASS
    assert sorted(tmp_path.rglob("*")) == before
    assert sys.path == paths


def test_a_missing_library_names_the_command_that_installs_it(tables, tmp_path, monkeypatch):
    path = gate(tmp_path, "  - pandera: s.yaml\n", s__yaml=YAML)
    monkeypatch.setitem(sys.modules, "pandera", None)
    with pytest.raises(synthgate.SynthgateError, match=r"pip install 'synthgate\[pandera\]'"):
        judged(tables[0], tables[1], path)


def test_without_a_schema_the_check_is_not_assessed(tables):
    result = synthgate.evaluate(tables[0], tables[1], only=[CHECK])[CHECK]
    assert result.status is Status.NOT_ASSESSED
    assert "under `schemas`" in result.reason
    assert result.severity is Severity.ERROR


def test_the_library_stays_quiet(tables, tmp_path, capfd):
    code = FIRST + "\nprint('hello')\nimport warnings\nwarnings.warn('noise')\n"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        judged(tables[0], tables[2], gate(tmp_path, "  - pandera: s.py:People\n", s__py=code))
    assert capfd.readouterr().out == ""


def test_a_kept_verdict_is_not_reused_once_the_schema_has_changed(tables, tmp_path, monkeypatch):
    monkeypatch.setenv("SYNTHGATE_CACHE", str(tmp_path / "cache"))
    path = gate(tmp_path, "  - pandera: s.yaml\n", s__yaml=YAML)
    path.write_text(path.read_text().replace("allow_code: true\n", ""))

    def again():
        verdict = synthgate.evaluate(tables[0], tables[2], gate=path, only=[CHECK], cache=True)
        return verdict[CHECK].status, any("reused" in note for note in verdict.run.notes)

    assert [again(), again()] == [(Status.FAIL, False), (Status.FAIL, True)]
    (tmp_path / "s.yaml").write_text(YAML.replace("in_range: {min_value: 0, max_value: 200}", "nullable: true"))
    assert again() == (Status.PASS, False)
