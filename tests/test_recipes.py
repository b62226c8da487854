"""The page on CI is true: its commands run, its files parse, its Python does what it says."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import types
from pathlib import Path

import pyarrow.csv
import pytest
from ruamel.yaml import YAML

import synthgate
from synthgate.cli import Exit, run_command
from synthgate.errors import NotPassedError

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
PYTHON = [text for language, text in BLOCKS if language == "python"]
COMMAND = re.compile(r"\bsynthgate (?:run|baseline|diff)\b[^'\"\n]*")


@pytest.fixture
def project(tmp_path, monkeypatch, draw_people):
    """A project in which the gate fails for a lost column, or passes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SYNTHGATE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "data").mkdir()
    for seed, name in enumerate(("real", "synthetic", "holdout"), start=1):
        pyarrow.csv.write_csv(draw_people(300, seed), tmp_path / "data" / f"{name}.csv")
    skipped = "".join(f"  {check.id}: {{skip: true}}\n" for check in declared() if check.family != "schema")
    (tmp_path / "synthgate.yaml").write_text(
        f"real: data/real.csv\nsynthetic: data/synthetic.csv\nholdout: data/holdout.csv\nchecks:\n{skipped}"
    )
    return tmp_path


def declared():
    from synthgate.declared import declared_checks

    return declared_checks()


def test_the_commands_run(project):
    commands = list(dict.fromkeys(COMMAND.findall("\n".join(text for _, text in BLOCKS))))
    assert len(commands) >= 6
    for command in commands:
        if "{{" not in command:
            assert run_command(shlex.split(command)[1:]) == Exit.PASS, command
    airflow = next(command for command in commands if "{{" in command)
    filled = airflow.replace("{{ params.gate }}", "synthgate.yaml").replace("{{ params.out }}", "out")
    assert run_command(shlex.split(filled)[1:]) == Exit.PASS
    assert (project / "out" / "report.html").exists()


def test_the_files_parse():
    texts = [text for language, text in BLOCKS if language == "yaml"]
    assert len(texts) == 3
    for text in texts:
        assert YAML(typ="safe").load(text)


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_the_makefile_trains_only_after_a_pass(project):
    (text,) = (text for language, text in BLOCKS if language == "make")
    (project / "Makefile").write_text(text.replace("synthgate run", f"{sys.executable} -m synthgate run"))
    (project / "train.py").write_text("open('model.pkl', 'w')\n")
    (project / "Makefile").write_text((project / "Makefile").read_text().replace("\tpython", f"\t{sys.executable}"))
    env = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "SYNTHGATE_CACHE": str(project / "cache")}

    def make():
        return subprocess.run(["make"], cwd=project, env=env, capture_output=True, check=False).returncode

    assert make() == 0
    assert (project / "model.pkl").exists()
    table = pyarrow.csv.read_csv(project / "data" / "synthetic.csv").drop_columns(["job"])
    pyarrow.csv.write_csv(table, project / "data" / "synthetic.csv")
    (project / "model.pkl").unlink()
    assert make() != 0
    assert not (project / "model.pkl").exists()


def test_the_guard_in_a_pipeline_refuses_other_data(project):
    names: dict = {}
    exec(next(text for text in PYTHON if "BaseEstimator" in text), names)
    guard = names["Gated"]("data/synthetic.csv")
    assert run_command(["run", "--quiet"]) == Exit.PASS
    assert guard.fit([[1]]).transform([[2]]) == [[2]]
    with Path("data/synthetic.csv").open("a") as file:
        file.write("P9,1,clerk,1,2020-01-01 00:00:00,west,true,1\n")
    with pytest.raises(NotPassedError, match="judged other data"):
        guard.fit([[1]])


def test_the_guard_refuses_what_failed_and_knows_dataframes(draw_people, tmp_path):
    real, good = draw_people(300, 1), draw_people(300, 2)
    bad = good.drop_columns(["job"])
    for table, passes in ((good, True), (bad, False)):
        path = tmp_path / "result.json"
        verdict = synthgate.evaluate(real, table, only=["schema"])
        from synthgate.render import write

        write(verdict, path, "json")
        if passes:
            assert synthgate.require_pass(table, path).passed
        else:
            with pytest.raises(NotPassedError, match=r"fail \(schema.columns\)"):
                synthgate.require_pass(table, path)
    with pytest.raises(synthgate.DataError):
        synthgate.require_pass(good, tmp_path / "absent.json")


def test_mlflow_gets_verdict_scores_and_report(project, monkeypatch):
    logged = {}

    class Run:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return False

    stand_in = types.ModuleType("mlflow")
    stand_in.start_run = Run
    stand_in.set_tag = lambda key, value: logged.update({key: value})
    stand_in.log_metrics = logged.update
    stand_in.log_dict = lambda value, name: logged.update({name: value["verdict"]})
    stand_in.log_artifact = lambda path, folder: logged.update({folder: Path(path).stat().st_size})
    monkeypatch.setitem(sys.modules, "mlflow", stand_in)
    exec(next(text for text in PYTHON if "mlflow" in text), {})
    assert logged["synthgate.verdict"] == logged["synthgate/result.json"] == "pass"
    assert logged["synthgate"] > 10_000


def test_the_remaining_examples_are_python():
    for text in PYTHON:
        compile(text, "docs/ci.md", "exec")


def test_the_hook_runs_the_gate_for_data_and_gate_files():
    (hook,) = YAML(typ="safe").load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert hook["entry"] == "synthgate run"
    assert hook["pass_filenames"] is False
    chosen = re.compile(hook["files"])
    assert all(chosen.search(n) for n in ("data/a.csv", "a.parquet", "x.csv.gz", "synthgate.yaml", "d/synthgate.yml"))
    assert not any(chosen.search(n) for n in ("a.py", "notsynthgate.yaml", "csv/readme.md"))
