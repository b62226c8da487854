"""``sdmetrics.NAME`` in a gate file: any metric for one table runs, and what cannot is said with its line."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from jsonschema import Draft202012Validator

from synthgate.cli import run_command
from synthgate.errors import GateFileError, UsageError
from synthgate.findings import Outcome, Status
from synthgate.gate import evaluate
from synthgate.gatefile import load_gate
from synthgate.measures.sdmetrics import metrics
from synthgate.measures.sdmetrics.metrics import OURS, find_metric
from synthgate.roles import Role
from synthgate.schemas import gate_schema
from synthgate.yamlfile import read_yaml

PAGE = Path(__file__).resolve().parents[1] / "docs" / "sdmetrics.md"


def write(folder, checks, head=""):
    path = folder / "synthgate.yaml"
    path.write_text(f"checks:\n  {checks}\n{head}")
    return path


def run(folder, checks, tables, head="", **more):
    roles = "" if "roles" in head else "roles: {flat: numerical}\n" * ("flat" in tables[0].column_names)
    return evaluate(*tables, gate=write(folder, checks, roles + head), only=["sdmetrics"], **more)


@pytest.fixture
def tables():
    def table(seed, rows=160):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=rows)
        return pa.table(
            {
                "key": [f"{seed}-{k}" for k in range(rows)],
                "x": x,
                "y": x + rng.normal(size=rows),
                "c": rng.choice(list("abc"), rows),
                "d": rng.choice(["u", "v"], rows),
                "flat": np.ones(rows),
                "yes": x + rng.normal(size=rows) > 0,
            }
        )

    return table(1), table(2)


def test_ours_runs_with_one_finding_per_column_and_the_mean_as_its_score(tmp_path, tables):
    verdict = run(tmp_path, "sdmetrics.KSComplement: {min: 0.5}", tables)
    check = verdict["sdmetrics.KSComplement"]
    assert verdict.outcome is Outcome.PASS
    assert {f.measured.columns for f in check.findings} == {("x",), ("y",), ("flat",)}
    assert check.score.value == pytest.approx(np.mean([f.measured.estimate.value for f in check.findings]))
    assert check.threshold.min == 0.5
    assert not any(f.measured.judged for f in check.findings), "without `each` the columns are shown, not judged"
    assert {skip.subject for skip in check.ledger.skipped} >= {"c", "d", "yes"}


def test_a_limit_on_each_column_judges_each_column(tmp_path, tables):
    strict = run(tmp_path, "sdmetrics.KSComplement: {min: 0.5, each: {min: 0.9999}}", tables)["sdmetrics.KSComplement"]
    assert strict.status is Status.FAIL
    assert ("flat",) not in {f.measured.columns for f in strict.failed}
    chosen = run(tmp_path, "sdmetrics.KSComplement: {min: 1, columns: flat}", tables)["sdmetrics.KSComplement"]
    assert chosen.status is Status.PASS


def test_the_score_is_held_to_the_limit(tmp_path, tables):
    assert run(tmp_path, "sdmetrics.TVComplement: {min: 1}", tables).outcome is Outcome.FAIL
    warns = run(tmp_path, "sdmetrics.TVComplement: {min: 1, severity: warn}", tables)
    assert warns["sdmetrics.TVComplement"].status is Status.WARN


def test_a_constant_column_is_not_assessed_and_stands_in_the_ledger(tmp_path, tables):
    check = run(tmp_path, "sdmetrics.CorrelationSimilarity: {min: 0.1}", tables)["sdmetrics.CorrelationSimilarity"]
    left = {f.measured.columns for f in check.findings if f.status is Status.NOT_ASSESSED}
    assert left == {("x", "flat"), ("y", "flat")}
    assert any("flat is constant" in skip.reason for skip in check.ledger.skipped)
    assert check.ledger.scored == 1


def test_what_could_not_be_assessed_leaves_the_verdict_incomplete(tmp_path, tables):
    checks = "sdmetrics.StatisticSimilarity: {min: 0.1, columns: flat}"
    assert run(tmp_path, checks, tables).outcome is Outcome.INCOMPLETE


INSTALLED = {
    "CSTest": "min: 0",
    "ContinuousKLDivergence": "min: 0",
    "DiscreteKLDivergence": "min: 0",
    "RegexFormatAdherence": "min: 1, columns: key, regex_format: '\\d-\\d+'",
    "SequenceLengthSimilarity": "min: 0, columns: c",
    "NewRowSynthesis": "min: 0, synthetic_sample_size: 5",
    "LogisticDetection": "min: 0",
    "LinearRegression": "min: -5, target: y",
    "BinaryDecisionTreeClassifier": "min: 0, target: yes",
    "CategoricalCAP": "min: 0, key_fields: [c], sensitive_fields: [d]",
    "NumericalLR": "min: 0, key_fields: [x], sensitive_fields: [y]",
    "DisclosureProtection": "min: 0, known_column_names: [c], sensitive_column_names: [d]",
    "DCRBaselineProtection": "min: 0, num_rows_subsample: 20, num_iterations: 2",
    "DCROverfittingProtection": "min: 0, num_rows_subsample: 20",
}


@pytest.mark.parametrize("name", sorted(INSTALLED))
def test_the_library_runs_what_is_not_ours_quietly_and_repeatably(tmp_path, tables, name, capfd):
    real, synthetic = tables
    checks = f"sdmetrics.{name}: {{{INSTALLED[name]}}}"
    state = np.random.get_state()[1].copy()
    found = [run(tmp_path, checks, tables, holdout=synthetic)[f"sdmetrics.{name}"] for _ in range(2)]
    assert found[0].score is not None, found[0].reason
    assert found[0].score.value == found[1].score.value
    assert (np.random.get_state()[1] == state).all(), "the process's own random numbers are left alone"
    out, err = capfd.readouterr()
    assert out + err == ""
    assert real is not synthetic


def test_the_library_gives_the_same_as_when_it_is_called_by_hand(tmp_path, tables):
    from sdmetrics import single_table

    frames = [t.select(["c", "d"]).to_pandas() for t in tables]
    metadata = {"columns": {"c": {"sdtype": "categorical"}, "d": {"sdtype": "categorical"}}}
    two = [t.select(["c", "d"]) for t in tables]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = single_table.CSTest.compute(*frames, metadata)
    assert run(tmp_path, "sdmetrics.CSTest: {min: 0}", two)["sdmetrics.CSTest"].score.value == pytest.approx(expected)


def test_an_error_of_the_library_is_told_by_its_kind_and_shows_no_value(tmp_path, tables):
    real = tables[0].append_column("secret", pa.array([f"patient-{k}" for k in range(tables[0].num_rows)]))
    synthetic = tables[1].append_column("secret", pa.array([f"other-{k}" for k in range(tables[1].num_rows)]))
    verdict = run(
        tmp_path, "sdmetrics.LogisticDetection: {min: 0}", (real, synthetic), head="roles: {secret: categorical}\n"
    )
    check = verdict["sdmetrics.LogisticDetection"]
    assert verdict.outcome is Outcome.INCOMPLETE
    assert "raised ValueError" in check.reason
    assert "patient-" not in str(verdict.to_dict())


REFUSED = {
    "sdmetrics.KSComplment: {min: 0.5}": "did you mean 'KSComplement'",
    "sdmetrics.Kscomplement: {min: 0.5}": "did you mean 'KSComplement'",
    "sdmetrics.Nothing: {min: 0.5}": "no metric 'Nothing'",
    "sdmetrics.LSTMDetection: {min: 0.5}": "for sequences, not for one table",
    "sdmetrics.StatisticMSAS: {min: 0.5}": "for sequences, not for one table",
    "sdmetrics.CardinalityShapeSimilarity: {min: 0.5}": "for several tables, not for one table",
    "sdmetrics.ReferentialIntegrity: {min: 0.5}": "for several tables, not for one table",
    "sdmetrics.SingleColumnMetric: {min: 0.5}": "no metric",
    "sdmetrics.KSComplement:": "`min` is missing",
    "sdmetrics.KSComplement: {max: 0.5}": "`max` does not limit",
    "sdmetrics.KSComplement: {min: 1.01}": "expected 0 to 1",
    "sdmetrics.KSComplement: {min: -0.1}": "expected 0 to 1",
    "sdmetrics.KSComplement: {min: high}": "expected a number",
    "sdmetrics.KSComplement: {min: .nan}": "expected 0 to 1",
    "sdmetrics.KSComplement: {min: 0.5, each: {min: 2}}": "expected 0 to 1",
    "sdmetrics.KSComplement: {min: 0.5, each: {max: 1}}": "`max` does not limit",
    "sdmetrics.KSComplement: {min_position: 0.5}": "unknown key 'min_position'",
    "sdmetrics.KSComplement: {min: 0.5, colums: [x]}": "did you mean 'columns'",
    "sdmetrics.StatisticSimilarity: {min: 0.5, statistic: means}": "did you mean 'mean'",
    "sdmetrics.CorrelationSimilarity: {min: 0.5, coefficient: 3}": "unknown value 3",
    "sdmetrics.CorrelationSimilarity: {min: 0.5, real_correlation_threshold: 2}": "a share from 0 to 1",
    "sdmetrics.ContingencySimilarity: {min: 0.5, num_discrete_bins: 0}": "a whole number from 1",
    "sdmetrics.BoundaryAdherence: {min: 0.5, range_is_nullable: maybe}": "expected true or false",
    "sdmetrics.CategoricalCAP: {min: 0.5, key_fields: c}": "needs `sensitive_fields`",
    "sdmetrics.DisclosureProtection: {min: 0.5}": "needs `known_column_names`",
    "sdmetrics.RegexFormatAdherence: {min: 0.5, columns: key}": "needs `regex_format`",
    "sdmetrics.RegexFormatAdherence: {min: 0.5, regex_format: a}": "needs `columns`",
    "sdmetrics.LinearRegression: {min: 0.5, scorer: r2}": "unknown key 'scorer'",
    "sdmetrics.LinearRegression: {min: 1.5, target: y}": "expected -inf to 1",
}


@pytest.mark.parametrize("checks", REFUSED)
def test_what_cannot_be_run_is_refused_with_file_and_line(tmp_path, checks):
    path = write(tmp_path, checks)
    with pytest.raises(GateFileError, match=re.escape(REFUSED[checks])) as caught:
        load_gate(path)
    assert str(caught.value).startswith(f"{path}:2")


@pytest.mark.parametrize(
    ("checks", "told"),
    [
        ("sdmetrics.KSComplement: {min: 0.5, columns: [xx]}", "column 'xx' is not in the real table"),
        ("sdmetrics.LinearRegression: {min: 0, target: z}", "column 'z' is not in the real table"),
        ("sdmetrics.LinearRegression: {min: 0}", "needs `target`"),
        ("sdmetrics.DCROverfittingProtection: {min: 0}", "no holdout is given"),
        ("sdmetrics.KeyUniqueness: {min: 0}", "needs a key"),
    ],
)
def test_what_the_tables_lack_is_said_with_file_and_line(tmp_path, tables, checks, told):
    with pytest.raises(GateFileError, match=told) as caught:
        run(tmp_path, checks, tables)
    assert str(caught.value).startswith(f"{tmp_path / 'synthgate.yaml'}:2")


def test_the_runs_key_and_target_are_used(tmp_path, tables):
    verdict = run(tmp_path, "sdmetrics.KeyUniqueness: {min: 1}", tables, head="key: key\n")
    assert verdict["sdmetrics.KeyUniqueness"].score.value == 1
    verdict = run(tmp_path, "sdmetrics.LinearRegression: {min: -9}", tables, target="y")
    assert verdict["sdmetrics.LinearRegression"].score is not None


def test_a_missing_package_says_how_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setattr(metrics, "is_installed", lambda: False)
    assert load_gate(write(tmp_path, "sdmetrics.KSComplement: {min: 0.5}")).checks[-1].id == "sdmetrics.KSComplement"
    with pytest.raises(GateFileError, match=r"pip install 'synthgate\[sdmetrics\]'"):
        load_gate(write(tmp_path, "sdmetrics.CSTest: {min: 0.5}"))


def test_ours_does_not_import_the_library():
    code = (
        "import sys, pyarrow as pa; from synthgate.gate import evaluate; from synthgate.gatefile import load_gate\n"
        "from pathlib import Path; import tempfile\n"
        "path = Path(tempfile.mkdtemp()) / 'g.yaml'\n"
        f"path.write_text('checks:\\n' + ''.join(f'  sdmetrics.{{n}}: {{{{min: 0}}}}\\n' for n in {sorted(OURS)!r}))\n"
        "t = pa.table({'k': ['a', 'b', 'c'], 'x': [1.0, 2.0, 3.0], 'y': [1.0, 3.0, 2.0], 'c': ['a', 'b', 'a']})\n"
        "gate = load_gate(path, only=['sdmetrics'])\n"
        "from dataclasses import replace\n"
        "evaluate(t, t, gate=replace(gate, keys=('k',)))\n"
        "sys.exit('sdmetrics' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_ours_take_the_arguments_that_the_library_takes():
    found = metrics._installed()
    for name, metric in OURS.items():
        if name not in ("QualityReport", "DiagnosticReport"):
            assert dict(metric.options) == dict(found[name].options), name
            assert (metric.kind, metric.low, metric.high) == (found[name].kind, found[name].low, found[name].high)
            assert metric.maximize == found[name].maximize
            if found[name].roles:
                assert set(metric.roles) == set(found[name].roles), name


def test_every_metric_of_the_library_for_one_table_can_be_named():
    from sdmetrics import single_column, single_table

    names = {n for module in (single_column, single_table) for n in module.__all__ if hasattr(module, n)}
    classes = {n for n in names if n[0].isupper() and not n.endswith("Metric")}
    assert len(classes) > 40
    assert {find_metric(name, "here").name for name in classes} == classes


def test_selection_explanation_and_waivers_know_the_names(tmp_path, capsys):
    path = write(tmp_path, "sdmetrics.KSComplement: {min: 0.5}")
    assert [c.id for c in load_gate(path, only=["sdmetrics.KSComplement"]).checks] == ["sdmetrics.KSComplement"]
    assert not [c.id for c in load_gate(path, skip=["sdmetrics"]).checks if c.family == "sdmetrics"]
    with pytest.raises(UsageError, match="is not in the gate file"):
        load_gate(only=["sdmetrics.KSComplement"])
    path.write_text(path.read_text() + "waivers: [{check: sdmetrics.KSComplement, until: 2099-01-01, reason: r}]\n")
    assert load_gate(path).waivers[0].check == "sdmetrics.KSComplement"
    assert run_command(["explain", "sdmetrics.KSComplement"]) == 0
    assert "Kolmogorov-Smirnov" in capsys.readouterr().out
    assert run_command(["explain", "sdmetrics.KSComplment"]) == 2
    assert "did you mean 'KSComplement'" in capsys.readouterr().err
    assert run_command(["checks"]) == 0
    assert "sdmetrics.NAME" in capsys.readouterr().out


def test_the_schema_for_editors_takes_the_names():
    validator = Draft202012Validator(gate_schema())
    good = {"checks": {"sdmetrics.KSComplement": {"min": 0.8, "columns": ["x"], "each": {"min": 0.7}}}}
    assert validator.is_valid(good)
    for bad in ({"sdmetrics.": {"min": 1}}, {"sdmetrics.KSComplement": {}}, {"sdmetrics.K": {"min": "high"}}):
        assert not validator.is_valid({"checks": bad})


def test_the_page_is_true(tmp_path, tables):
    text = PAGE.read_text(encoding="utf-8")
    (example,) = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    path = tmp_path / "synthgate.yaml"
    path.write_text(example)
    assert Draft202012Validator(gate_schema()).is_valid(read_yaml(example, "x").values)
    verdict = evaluate(*tables, gate=path, only=["sdmetrics"])
    assert all(check.score is not None for check in verdict)
    assert len(list(verdict)) == 5
    table = text.split("| SDMetrics |")[1].split("\n\n")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(OURS)


def test_frames_hold_what_the_tables_hold(make_evidence):
    from synthgate.measures.sdmetrics.frames import frame

    real = pd.DataFrame(
        {
            "whole": [1, 2, 3],
            "part": [1.5, None, 3.0],
            "text": ["a", None, "<b>"],
            "flag": [True, False, None],
            "day": pd.to_datetime(["2020-01-01 00:00", None, "1850-06-01 12:00"]),
        }
    )
    logging.getLogger("sdmetrics").setLevel(logging.CRITICAL)
    sample = make_evidence(
        pa.Table.from_pandas(real), pa.Table.from_pandas(real), roles={"text": Role.CATEGORICAL}
    ).sample
    made = frame(sample, sample.real, real.columns)
    assert made["whole"].dtype.kind == "i"
    for name in real.columns:
        assert made[name].isna().tolist() == real[name].isna().tolist(), name
        assert made[name].dropna().tolist() == real[name].dropna().tolist(), name
