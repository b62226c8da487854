"""The action's own shell steps, run as a runner would run them, with stand-ins for its files and for synthgate."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from synthgate.demo import demo_files

ACTION = Path(__file__).resolve().parents[1] / "github-action" / "action.yml"
DEFINITION = YAML(typ="safe").load(ACTION.read_text(encoding="utf-8"))
STEPS = {step["name"]: step for step in DEFINITION["runs"]["steps"]}
EXPRESSION = re.compile(r"\$\{\{\s*([a-z_.-]+)\s*\}\}")

# Notes its arguments, writes what it is told to, and ends with the code it is told.
STAND_IN = """#!{python}
import json, os, pathlib, sys
pathlib.Path(os.environ["SEEN"]).write_text(json.dumps(sys.argv[1:]))
out = next((a.split("=", 1)[1] for a in sys.argv if a.startswith("--out=")))
code = int(os.environ["EXIT"])
if code in (0, 1, 3):
    folder = pathlib.Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "summary.md").write_text("the verdict\\n")
    (folder / "report.html").write_text("<p>")
    check = dict(id="schema.columns", status=os.environ["STATUS"])
    (folder / "result.json").write_text(json.dumps(dict(checks=[check])))
sys.exit(code)
"""

HOSTILE = [
    "$(touch pwned)",
    "`touch pwned`",
    '"; touch pwned; "',
    "'; touch pwned; '",
    "a b\tc*",
    "${{ github.token }}",
    "--help",
    "x\nverdict=pass\ny",
]

pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="the action needs bash")


@dataclass
class Job:
    """What a run of the action left behind."""

    code: int
    outputs: dict[str, str]
    summary: str
    arguments: list[str]
    log: str


class Runner:
    """A runner for composite steps: conditions are fixed, expressions are looked up."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.work = folder / "work"
        self.work.mkdir()
        self.temp = folder / "temp"
        self.temp.mkdir()

    def stand_in(self) -> None:
        """Put a stand-in where the action's first step would have installed synthgate."""
        scripts = self.temp / "synthgate" / "bin"
        scripts.mkdir(parents=True)
        (scripts / "python").symlink_to(sys.executable)
        path = scripts / "synthgate"
        path.write_text(STAND_IN.format(python=sys.executable))
        path.chmod(0o755)

    def step(self, name: str, context: dict[str, str], **extra: str) -> subprocess.CompletedProcess[str]:
        """Run one step as ``shell: bash`` does."""
        step = STEPS[name]
        assert step["shell"] == "bash"
        env = {key: EXPRESSION.sub(lambda m: context.get(m[1], ""), text) for key, text in step["env"].items()}
        ours = {"RUNNER_TEMP": self.temp, "GITHUB_OUTPUT": self.folder / "output"}
        ours |= {"GITHUB_STEP_SUMMARY": self.folder / "summary", "SEEN": self.folder / "seen"}
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.work,
            env={**os.environ, **{k: str(v) for k, v in ours.items()}, **env, **extra},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def run(self, inputs: dict[str, str], *, exit_code: int = 0, status: str = "pass") -> Job:
        """Run the steps after the installation, and collect what they left."""
        context = {f"inputs.{name}": entry["default"] for name, entry in DEFINITION["inputs"].items()}
        context |= {f"inputs.{name}": value for name, value in inputs.items()}
        gate = self.step("Gate", context, EXIT=str(exit_code), STATUS=status)
        text = self._left("output")
        outputs = dict(line.split("=", 1) for line in text.splitlines())
        context |= {f"steps.gate.outputs.{name}": value for name, value in outputs.items()}
        verdict = self.step("Verdict", context)
        return Job(
            code=verdict.returncode,
            outputs=outputs,
            summary=self._left("summary"),
            arguments=json.loads(self._left("seen") or "[]"),
            log=gate.stdout + gate.stderr + verdict.stdout + verdict.stderr,
        )

    def _left(self, name: str) -> str:
        path = self.folder / name
        return path.read_text() if path.exists() else ""


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    runner = Runner(tmp_path)
    runner.stand_in()
    return runner


def test_no_input_is_spliced_into_a_script() -> None:
    assert set(STEPS) == {"Install", "Gate", "Verdict"}
    for step in STEPS.values():
        assert "${{" not in step["run"]
        assert "uses" not in step


def test_every_input_and_output_is_used_and_described() -> None:
    used = {m for step in STEPS.values() for text in step["env"].values() for m in EXPRESSION.findall(text)}
    assert {f"inputs.{name}" for name in DEFINITION["inputs"]} == {name for name in used if name.startswith("inputs.")}
    readme = (ACTION.parent / "README.md").read_text(encoding="utf-8")
    for name in [*DEFINITION["inputs"], *DEFINITION["outputs"]]:
        assert f"`{name}`" in readme


@pytest.mark.parametrize(
    ("exit_code", "verdict"), [(0, "pass"), (1, "fail"), (2, "error"), (3, "incomplete"), (4, "error")]
)
def test_the_job_ends_with_the_gates_code(runner: Runner, exit_code: int, verdict: str) -> None:
    job = runner.run({"gate": "synthgate.yaml"}, exit_code=exit_code)
    assert job.code == exit_code
    assert job.outputs["verdict"] == verdict
    assert job.outputs["report"] == "synthgate-report/report.html"
    assert job.outputs["result"] == "synthgate-report/result.json"
    assert ("the verdict" in job.summary) == (verdict != "error")
    assert job.summary


@pytest.mark.parametrize(
    ("fail_on", "exit_code", "status", "expected"),
    [
        ("never", 1, "fail", 0),
        ("never", 3, "fail", 0),
        ("never", 2, "fail", 2),
        ("never", 4, "fail", 4),
        ("warn", 0, "warn", 1),
        ("warn", 0, "pass", 0),
        ("warn", 3, "pass", 3),
        ("fail", 0, "warn", 0),
        ("sometimes", 0, "pass", 2),
        ("", 0, "pass", 2),
    ],
)
def test_fail_on(runner: Runner, fail_on: str, exit_code: int, status: str, expected: int) -> None:
    assert runner.run({"fail-on": fail_on}, exit_code=exit_code, status=status).code == expected


def test_a_gate_step_that_never_ran_is_not_a_pass(runner: Runner) -> None:
    for fail_on in ("fail", "warn", "never"):
        assert runner.step("Verdict", {"inputs.fail-on": fail_on}).returncode == 2


def test_inputs_become_arguments(runner: Runner) -> None:
    inputs = {"real": "r.csv", "synthetic": "s.csv", "holdout": "h.csv", "target": "y", "preset": "release"}
    job = runner.run({**inputs, "formats": "junit"})
    options, tables = job.arguments[1:-3], job.arguments[-2:]
    assert job.arguments[0] == "run"
    assert job.arguments[-3] == "--"
    assert tables == ["r.csv", "s.csv"]
    assert options == [
        "--out=synthgate-report",
        "--format=html,json,markdown,junit",
        "--holdout=h.csv",
        "--target=y",
        "--preset=release",
    ]


def test_one_table_alone_is_refused(runner: Runner) -> None:
    for name in ("real", "synthetic"):
        job = runner.run({name: "a.csv"})
        assert job.code == 2
        assert job.arguments == []
        assert "both real and synthetic" in job.log


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_inputs_are_arguments_and_nothing_else(runner: Runner, text: str) -> None:
    inputs = dict.fromkeys(("gate", "real", "synthetic", "holdout", "target", "preset", "formats"), text)
    job = runner.run(inputs, exit_code=1)
    assert not list(runner.folder.rglob("pwned"))
    assert job.code == 1
    assert job.outputs["verdict"] == "fail"
    assert job.arguments[-2:] == [text, text]
    assert f"--target={text}" in job.arguments


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("name", ["report-dir", "fail-on", "python-version"])
def test_hostile_settings_neither_run_nor_pass(runner: Runner, name: str, text: str) -> None:
    if name == "python-version":
        installed = runner.step("Install", {"inputs.python-version": text, "github.action_path": "."})
        assert installed.returncode == 2
    else:
        job = runner.run({name: text}, exit_code=1)
        assert job.code in (1, 2)
        assert job.outputs.get("verdict", "error") != "pass"
    assert not list(runner.folder.rglob("pwned"))


def test_an_earlier_report_is_not_taken_for_this_runs(runner: Runner) -> None:
    assert runner.run({}).code == 0
    job = runner.run({}, exit_code=4)
    assert job.outputs["verdict"] == "error"
    assert "gave no verdict (exit code 4)" in job.summary


@pytest.mark.slow
def test_the_action_judges_the_demo(tmp_path: Path) -> None:
    runner = Runner(tmp_path)
    installed = runner.step("Install", {"github.action_path": str(ACTION.parent)})
    assert installed.returncode == 0, installed.stdout + installed.stderr
    files = demo_files()
    inputs = {name: str(getattr(files, name)) for name in ("real", "synthetic", "holdout", "target")}
    job = runner.run({**inputs, "formats": "junit"})
    assert job.code == 1, job.log
    assert job.outputs["verdict"] == "fail"
    assert "privacy.copies" in job.summary
    report = runner.work / job.outputs["report"]
    assert report.is_file()
    assert json.loads((runner.work / job.outputs["result"]).read_text(encoding="utf-8"))["verdict"] == "fail"
    assert list(report.parent.glob("*.xml"))
