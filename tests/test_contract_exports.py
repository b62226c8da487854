"""The inferred contract: what it holds, that real and fresh real rows keep it, and that it goes there and back."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import synthgate
from synthgate.bridges.exports import contract_text, implied_contract
from synthgate.bridges.inferred import shape_of, tolerance_for, upper_bound
from synthgate.bridges.pandera_export import pandera_schema
from synthgate.cli import run_command
from synthgate.contracts import Contract, ContractSource, Library
from synthgate.findings import Status
from synthgate.libraries import require, silent
from synthgate.looks import look_at
from synthgate.measures.constraints.frames import pandas_frame
from synthgate.values import NumberCounts

pandera = require("pandera.pandas", "pandera", "tests")
HOSTILE = ("no", "1e3", "quote\"s'", "line\nbreak", "<script>", "{x}%s", "ключ", "a: b", "')\nimport os\n('", "# c")


def run(*arguments):
    return run_command([str(a) for a in arguments])


def fails(contract, frame):
    """Validate with the library itself and return the failing columns and checks."""
    with silent():
        try:
            pandera_schema(contract.rules).validate(frame, lazy=True)
        except pandera.errors.SchemaErrors as errors:
            return errors.failure_cases[["column", "check"]].drop_duplicates().to_numpy().tolist()
    return []


@pytest.fixture
def files(tmp_path, draw_people, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, seed in (("real", 1), ("fresh", 2)):
        pq.write_table(draw_people(800, seed), tmp_path / f"{name}.parquet")
    return tmp_path


def test_the_contract_says_types_gaps_ranges_values_keys_and_formats(draw_people):
    rules = {rule.name: rule for rule in implied_contract(look_at(draw_people(800, 1)).tables[""]).rules}
    assert rules["id"].unique
    assert rules["id"].pattern == r"^(?:[A-Z]+[0-9]+\-[0-9]+)$"
    assert rules["job"].allowed == ("clerk", "farmer", "nurse", "pilot")
    assert rules["rich"].allowed == (0, 1)
    assert (rules["wage"].nullable, rules["age"].nullable) == (True, False)
    age = draw_people(800, 1)["age"].to_numpy()
    assert rules["age"].low < age.min()
    assert age.max() < rules["age"].high < 4 * age.max()
    assert rules["day"].by_day
    assert [rules[n].kind for n in ("member", "day", "wage")] == ["boolean", "datetime", "float"]


def test_rare_values_do_not_enter_the_file(draw_people):
    table = draw_people(800, 1)
    jobs = table["job"].to_pylist()
    jobs[5] = "astronaut"
    age = table["age"].to_pylist()
    age[7] = 117
    table = table.set_column(2, "job", pa.array(jobs)).set_column(1, "age", pa.array(age))
    contract = implied_contract(look_at(table).tables[""])
    text = contract_text(contract, Library.PANDERA, Path("x.yaml"))
    assert "astronaut" not in text
    assert "117" not in text
    assert "isin" in text


@pytest.mark.parametrize("size", [60, 150, 800])
def test_real_and_fresh_real_rows_keep_it(draw_people, make_evidence, size):
    from synthgate.catalogue import find_measure

    check = find_measure("constraints.pandera")
    for seed in range(6):
        real, fresh = draw_people(size, 2 * seed), draw_people(size, 2 * seed + 1)
        contract = implied_contract(look_at(real).tables[""])
        assert fails(contract, pandas_frame(real)) == []
        source = ContractSource(library=Library.PANDERA, name="own", tolerance=contract.tolerance)
        held = Contract(source, pandera_schema(contract.rules))
        found = check.compute(make_evidence(real, fresh, contracts=(held,)), {})
        assert [f.message for f in found.findings if f.estimate.value > f.limit.max] == []


@pytest.mark.parametrize("draw", ["normal", "exponential", "lognormal", "pareto", "uniform", "integers"])
def test_ranges_reach_far_enough_for_fresh_rows_of_any_tail(draw):
    rng = np.random.default_rng(0)
    draws = {
        "normal": lambda n: rng.normal(size=n),
        "exponential": lambda n: rng.exponential(size=n),
        "lognormal": lambda n: rng.lognormal(sigma=1.5, size=n),
        "pareto": lambda n: rng.pareto(1.2, size=n),
        "uniform": rng.random,
        "integers": lambda n: rng.integers(1, 8, n).astype(float),
    }[draw]
    passed = 0
    for _ in range(150):
        known = NumberCounts.of(draws(400))
        bound = upper_bound(known.values, known.counts)
        assert bound >= known.values[-1]
        passed += (draws(400) > bound).sum() > 0
    assert passed <= 6
    if draw == "integers":
        assert bound == 7, "values pile up at the end"


def test_a_tolerance_is_ten_rows():
    assert [tolerance_for(n) for n in (1, 100, 800, 10_000, 24_000)] == [0.05, 0.05, 0.02, 0.001, 0.0005]


@given(st.text(min_size=1, max_size=30))
def test_a_shape_matches_its_own_text(text):
    import re

    assert re.fullmatch(shape_of(text), text, re.DOTALL)


@given(arrays(np.int64, st.integers(1, 60), elements=st.integers(-5000, 5000)), st.sampled_from([1, 10, 100, 1000]))
def test_decimals_are_counted_as_sorting_would(numbers, scale):
    values = numbers / scale
    counted = NumberCounts.of(np.append(values, np.nan))
    expected = np.unique(values, return_counts=True)
    assert np.array_equal(counted.values, expected[0])
    assert np.array_equal(counted.counts, expected[1])


@pytest.mark.parametrize("target", ["schema.yaml", "schema.py"])
def test_an_exported_schema_is_used_again_by_the_gate_it_comes_with(files, target):
    assert run("init", "real.parquet", "--pandera", target) == 0
    assert run("run", "--gate", "synthgate.yaml", "real.parquet", "fresh.parquet", "--only", "constraints.pandera") == 0
    result = json.loads((files / "synthgate-report" / "result.json").read_text())
    (check,) = result["checks"]
    assert check["status"] == "pass"
    assert check["ledger"]["scored"] > 15
    gate = synthgate.evaluate("real.parquet", "fresh.parquet", gate="synthgate.yaml", only=["constraints.pandera"])
    assert gate["constraints.pandera"].status is Status.PASS


def test_an_edited_schema_is_held_to(files):
    run("init", "real.parquet", "--pandera", "schema.yaml", "-o", "g.yaml")
    path = files / "schema.yaml"
    path.write_text(path.read_text().replace("    - pilot\n", ""))
    for name in ("real", "fresh"):
        table = pq.read_table(f"{name}.parquet")
        keep = table.filter(pa.compute.not_equal(table["job"], "pilot")) if name == "real" else table
        pq.write_table(keep, f"{name}2.parquet")
    verdict = synthgate.evaluate("real2.parquet", "fresh2.parquet", gate="g.yaml", only=["constraints.pandera"])
    (found,) = verdict["constraints.pandera"].findings
    pilots = pq.read_table("fresh.parquet")["job"].to_pylist().count("pilot")
    assert pilots
    assert found.measured.details["broken"] == pilots


def test_pandera_itself_reads_the_file_and_real_keeps_it(files):
    from pandera.io import pandas_io

    run("init", "real.parquet", "--pandera", "schema.yaml")
    with silent():
        schema = pandas_io.from_yaml(files / "schema.yaml")
        schema.validate(pd.read_parquet("real.parquet"), lazy=True)
    assert len(schema.columns) == 8


def test_great_expectations_itself_loads_and_runs_the_suite(files):
    assert run("init", "real.parquet", "--great-expectations", "suite.json") == 0
    gx = require("great_expectations", "great-expectations", "tests")
    content = json.loads((files / "suite.json").read_text())
    with silent():
        context = gx.get_context(mode="ephemeral")
        suite = gx.ExpectationSuite(**content)
        asset = context.data_sources.add_pandas("p").add_dataframe_asset("t")
        definition = asset.add_batch_definition_whole_dataframe("b")
        for name in ("real", "fresh"):
            frame = pd.read_parquet(f"{name}.parquet")
            result = definition.get_batch({"dataframe": frame}).validate(suite)
            assert result.success, [r.expectation_config.kwargs for r in result.results if not r.success]
        frame["age"] = -1000
        assert not definition.get_batch({"dataframe": frame}).validate(suite).success
    assert len(suite.expectations) == len(content["expectations"]) > 20
    gated = synthgate.evaluate(
        "real.parquet", "fresh.parquet", gate="synthgate.yaml", only=["constraints.great_expectations"]
    )
    assert gated["constraints.great_expectations"].status is Status.PASS


@pytest.mark.parametrize("target", ["s.yaml", "s.py"])
def test_hostile_names_and_values_are_only_names_and_values(tmp_path, monkeypatch, target):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    words = np.array(["no", "yes", "'); import os #", "a\nb", "<b>", "null", "1.0"])
    table = pa.table({name: words[rng.integers(0, 7, 400)] for name in HOSTILE})
    pq.write_table(table, "t.parquet")
    assert run("init", "t.parquet", "--pandera", target, "--great-expectations", "s.json") == 0
    verdict = synthgate.evaluate(
        "t.parquet", "t.parquet", gate="synthgate.yaml", only=["constraints.pandera", "constraints.great_expectations"]
    )
    assert [c.status for c in verdict] == [Status.PASS, Status.PASS]
    assert verdict["constraints.pandera"].ledger.scored >= 4 * len(HOSTILE)
    bad = table.set_column(0, HOSTILE[0], pa.array(["other"] * 400))
    verdict = synthgate.evaluate(table, bad, gate="synthgate.yaml", only=["constraints.pandera"])
    assert [f.measured.columns for f in verdict["constraints.pandera"].failed] == [(HOSTILE[0],)]


DAYS = [pd.Timestamp(f"2020-01-{d % 28 + 1:02}") for d in range(60)]
OLD = [pd.Timestamp("1066-10-14").date(), pd.Timestamp("2020-01-01").date()] * 30
GAPS = {"a": pa.array([1, None] * 40), "b": pa.array([True, None] * 40), "c": pa.array(["x", None] * 40)}
ODD = {
    "infinities": pa.table({"a": [float("inf"), float("-inf"), 1.0, 2.0] * 20}),
    "huge": pa.table({"a": [1.7e308, -1.7e308, 5e-324, 0.0] * 20, "b": pa.array(range(80), pa.uint64())}),
    "all missing": pa.table({"a": pa.array([None] * 50, pa.float64()), "b": pa.nulls(50)}),
    "constant": pa.table({"a": [7] * 50, "b": ["x"] * 50}),
    "one row": pa.table({"a": [1], "b": ["x"]}),
    "nested": pa.table({"a": [{"x": 1}, {"x": 2}] * 30, "b": [[1.0], [2.0]] * 30}),
    "decimals": pa.table({"a": pa.array(range(60), pa.decimal128(20, 3))}),
    "zones": pa.table({"a": pa.array(DAYS).cast(pa.timestamp("us", "Asia/Tokyo"))}),
    "old dates": pa.table({"a": pa.array(OLD)}),
    "gaps": pa.table(GAPS),
    "times": pa.table({"a": pa.array(range(60), pa.time64("us")), "b": pa.array(range(60), pa.duration("s"))}),
}  # fmt: skip


@pytest.mark.parametrize("case", ODD)
def test_odd_tables_keep_their_own_contract_in_both_libraries(tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    pq.write_table(ODD[case], "t.parquet")
    assert run("init", "t.parquet", "--pandera", "s.yaml", "--great-expectations", "s.json") == 0
    verdict = synthgate.evaluate(
        "t.parquet", "t.parquet", gate="synthgate.yaml", only=["constraints.pandera", "constraints.great_expectations"]
    )
    assert [(c.status, c.findings) for c in verdict] == [(Status.PASS, ())] * 2


def test_metadata_and_other_exports_go_together_and_a_mistake_leaves_nothing(files, capsys):
    before = sorted(files.rglob("*"))
    assert run("init", "real.parquet", "--pandera", "schema.json") == 2
    assert "name it schema.yaml or schema.py" in capsys.readouterr().err
    assert sorted(files.rglob("*")) == before
    (files / "suite.json").touch()
    assert run("init", "real.parquet", "--great-expectations", "suite.json") == 2
    assert "exists already" in capsys.readouterr().err
    assert run("init", "real.parquet", "--sdv", "m.json", "--pandera", "sub.yaml", "--metadata", "m.json") == 2
    assert run("init", "real.parquet", "--sdv", "m.json", "--pandera", "sub.yaml") == 0
    assert {"m.json", "sub.yaml", "synthgate.yaml"} <= {p.name for p in files.iterdir()}


def test_a_missing_library_is_said_and_nothing_is_written(files, capsys, monkeypatch):
    before = sorted(files.rglob("*"))
    monkeypatch.setitem(sys.modules, "pandera", None)
    monkeypatch.setitem(sys.modules, "pandera.pandas", None)
    assert run("init", "real.parquet", "--pandera", "schema.yaml") == 2
    assert "pip install 'synthgate[pandera]'" in capsys.readouterr().err
    assert sorted(files.rglob("*")) == before


@pytest.mark.slow
def test_fresh_rows_of_the_shared_tables_keep_it(shared_data, make_evidence):
    from synthgate.catalogue import find_measure

    check = find_measure("constraints.pandera")
    for name in ("paper/adult", "paper/online-shoppers", "single/bird_strikes", "single/credit_data"):
        parts = [pq.read_table(shared_data / name / f"{part}.parquet") for part in ("train", "holdout")]
        whole = pa.concat_tables(parts, promote_options="permissive")
        for seed in range(4):
            rows = np.random.default_rng(seed).permutation(whole.num_rows)[:1200]
            real, fresh = (whole.take(pa.array(rows[at : at + 600])) for at in (0, 600))
            contract = implied_contract(look_at(real).tables[""])
            source = ContractSource(library=Library.PANDERA, name="own", tolerance=contract.tolerance)
            held = Contract(source, pandera_schema(contract.rules))
            found = check.compute(make_evidence(real, fresh, contracts=(held,)), {})
            assert [f.message for f in found.findings if f.estimate.value > f.limit.max] == [], name
