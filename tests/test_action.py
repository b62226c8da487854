"""The action's own steps, run as a runner would run them: real git, a stand-in for the API, hostile inputs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pyarrow.csv
import pytest
from ruamel.yaml import YAML

from synthgate.action.comment import LIMIT, fit
from synthgate.action.telling import annotation, output
from synthgate.declared import FAMILIES, declared_checks
from synthgate.demo import demo_files

ROOT = Path(__file__).resolve().parents[1]
ACTION = ROOT / "github-action" / "action.yml"
EXAMPLES = sorted((ROOT / "github-action" / "examples").glob("*.yml"))
DEFINITION = YAML(typ="safe").load(ACTION.read_text(encoding="utf-8"))
STEPS = {step["name"]: step for step in DEFINITION["runs"]["steps"]}
EXPRESSION = re.compile(r"\$\{\{\s*([a-z_.-]+)\s*\}\}")
PINNED = re.compile(r"^[\w./-]+@[0-9a-f]{40}$")

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

pytestmark = pytest.mark.skipif(shutil.which("bash") is None or shutil.which("git") is None, reason="needs bash, git")


@dataclass
class Job:
    """What a run of the action left behind."""

    code: int
    outputs: dict[str, str]
    summary: str
    log: str

    @property
    def annotations(self) -> list[str]:
        return [line for line in self.log.splitlines() if line.startswith("::")]


@dataclass
class Runner:
    """A runner for the composite's shell steps; steps that use other actions are left out."""

    folder: Path
    event: dict[str, str] = field(default_factory=dict)

    @property
    def work(self) -> Path:
        return self.folder / "work"

    def prepare(self) -> None:
        for name in ("work", "temp"):
            (self.folder / name).mkdir()

    def stand_in(self) -> None:
        """Put this Python where the action's Install step would have made an environment."""
        scripts = self.folder / "temp" / "synthgate" / "bin"
        scripts.mkdir(parents=True)
        path = scripts / "python"
        path.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" "$@"\n')
        path.chmod(0o755)

    def step(self, name: str, context: dict[str, str], **extra: str) -> subprocess.CompletedProcess[str]:
        """Run one step as ``shell: bash`` does."""
        step = STEPS[name]
        assert step["shell"] == "bash"
        env = {key: EXPRESSION.sub(lambda m: context.get(m[1], ""), text) for key, text in step["env"].items()}
        ours = {"RUNNER_TEMP": self.folder / "temp", "GITHUB_OUTPUT": self.folder / "output"}
        ours |= {"GITHUB_STEP_SUMMARY": self.folder / "summary", "GITHUB_WORKSPACE": self.work}
        ours |= {"SYNTHGATE_CACHE": self.folder / "cache", "GITHUB_REPOSITORY": "us/data"}
        where = EXPRESSION.sub(lambda m: context.get(m[1], ""), step.get("working-directory", "."))
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.work / where,
            env={**os.environ, **{k: str(v) for k, v in ours.items()}, **self.event, **env, **extra},
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def run(self, inputs: dict[str, str] | None = None, **extra: str) -> Job:
        """Run the steps after the installation, and collect what they left."""
        for name in ("output", "summary"):
            (self.folder / name).unlink(missing_ok=True)
        context = {f"inputs.{name}": str(entry["default"]) for name, entry in DEFINITION["inputs"].items()}
        context |= {f"inputs.{name}": value for name, value in (inputs or {}).items()}
        gate = self.step("Gate", context)
        outputs = parse_outputs(self._left("output"))
        context |= {f"steps.gate.outputs.{name}": value for name, value in outputs.items()}
        steps = [gate]
        if context["inputs.comment"] == "true":
            steps.append(self.step("Comment", context, **extra))
            assert steps[-1].returncode == 0
        steps.append(self.step("Verdict", context))
        log = "".join(done.stdout + done.stderr for done in steps)
        return Job(steps[-1].returncode, outputs, self._left("summary"), log)

    def _left(self, name: str) -> str:
        path = self.folder / name
        return path.read_text() if path.exists() else ""

    def git(self, *arguments: str) -> str:
        base = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
        return subprocess.run([*base, *arguments], cwd=self.work, check=True, capture_output=True, text=True).stdout

    def commit(self, message: str) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD").strip()

    def pull_request(self, base: str, *, head: str = "us/data", name: str = "pull_request") -> None:
        payload = {
            "pull_request": {
                "number": 7,
                "base": {"sha": base, "repo": {"full_name": "us/data"}},
                "head": {"sha": "x", "repo": {"full_name": head} if head else None},
            }
        }
        path = self.folder / "event.json"
        path.write_text(json.dumps(payload))
        self.event = {"GITHUB_EVENT_NAME": name, "GITHUB_EVENT_PATH": str(path)}


def parse_outputs(text: str) -> dict[str, str]:
    """Read ``GITHUB_OUTPUT`` as the runner does: name, delimiter, value."""
    found, lines = {}, iter(text.splitlines())
    for line in lines:
        name, mark = line.split("<<", 1)
        value = []
        for inner in lines:
            if inner == mark:
                break
            value.append(inner)
        found[name] = "\n".join(value)
    return found


def gate_text(folder: str = "data") -> str:
    kept = ("schema.columns", "schema.types", "fidelity.columns")
    skipped = "".join(f"  {c.id}: {{skip: true}}\n" for c in declared_checks() if c.id not in kept)
    return f"real: {folder}/real.csv\nsynthetic: {folder}/synthetic.csv\nchecks:\n{skipped}  schema.columns: {{}}\n"


@pytest.fixture
def runner(tmp_path: Path, draw_people: Any) -> Runner:
    """A checkout of a data repository, with a gate that passes."""
    runner = Runner(tmp_path)
    runner.prepare()
    runner.stand_in()
    (runner.work / "data").mkdir()
    for seed, name in enumerate(("real", "synthetic"), start=1):
        pyarrow.csv.write_csv(draw_people(200, seed), runner.work / "data" / f"{name}.csv")
    (runner.work / "synthgate.yaml").write_text(gate_text())
    (runner.work / ".gitignore").write_text("synthgate-report/\n")
    return runner


@pytest.fixture
def spoil(draw_people: Any):
    def without_job(runner: Runner, folder: str = "data") -> None:
        path = runner.work / folder / "synthetic.csv"
        pyarrow.csv.write_csv(draw_people(200, 2).drop_columns(["job"]), path)

    return without_job


def test_no_input_is_spliced_into_a_script_and_other_actions_are_pinned() -> None:
    assert set(STEPS) == {
        "Python", "Cache", "Install", "Gate", "Comment", "Keep the reports", "Code scanning", "Verdict",
    }  # fmt: skip
    for step in STEPS.values():
        assert "${{" not in step.get("run", "")
        assert PINNED.match(step["uses"]) if "uses" in step else "run" in step
    for path in EXAMPLES:
        text = path.read_text(encoding="utf-8")
        used = [
            step["uses"]
            for job in YAML(typ="safe").load(text)["jobs"].values()
            for step in job["steps"]
            if "uses" in step
        ]
        assert used
        for name in used:
            assert PINNED.match(name) or name.startswith("OWNER/synthgate/")


def test_every_input_and_output_is_used_and_described() -> None:
    text = ACTION.read_text(encoding="utf-8").split("\nruns:")[1]
    readme = (ACTION.parent / "README.md").read_text(encoding="utf-8")
    for name in DEFINITION["inputs"]:
        assert f"inputs.{name}" in text
        assert f"`{name}`" in readme
    assert {f"score-{family}" for family in ("schema", "fidelity", "coverage", "utility", "privacy")} <= set(
        DEFINITION["outputs"]
    )
    assert all(name[6:] in FAMILIES for name in DEFINITION["outputs"] if name.startswith("score-"))
    for name in DEFINITION["outputs"]:
        assert f"`{name}`" in readme or name.startswith("score-")
    for path in EXAMPLES:
        assert path.name in readme


def test_examples_use_inputs_that_exist() -> None:
    assert len(EXAMPLES) >= 3
    for path in EXAMPLES:
        for job in YAML(typ="safe").load(path.read_text(encoding="utf-8"))["jobs"].values():
            assert job["permissions"]["contents"] == "read"
            for step in job["steps"]:
                if step.get("uses", "").startswith("OWNER/"):
                    assert set(step["with"]) <= set(DEFINITION["inputs"])


def test_a_push_that_passes(runner: Runner) -> None:
    job = runner.run()
    assert job.code == 0, job.log
    assert job.outputs["verdict"] == "pass"
    assert job.outputs["report"] == "synthgate-report/report.html"
    assert (runner.work / job.outputs["report"]).is_file()
    assert 0.9 < float(job.outputs["score-schema"]) <= 1
    assert json.loads(job.outputs["scores"])["schema"] == pytest.approx(float(job.outputs["score-schema"]))
    assert "synthgate: Pass" in job.summary


def test_a_push_that_fails_annotates_the_gate_and_the_data(runner: Runner, spoil: Any) -> None:
    spoil(runner)
    job = runner.run({"formats": "junit", "sarif": "true"})
    assert job.code == 1
    assert job.outputs["verdict"] == "fail"
    assert job.outputs["sarif"] == "synthgate-report/result.sarif"
    assert (runner.work / "synthgate-report" / "junit.xml").is_file()
    line = gate_text().splitlines().index("  schema.columns: {}") + 1
    assert any(
        a.startswith(f"::error file=synthgate.yaml,line={line},title=synthgate%3A schema.columns")
        for a in job.annotations
    )
    assert any(a.startswith("::error file=data/synthetic.csv,line=1,title=synthgate::fail") for a in job.annotations)
    assert "job" in job.summary


@pytest.mark.parametrize(
    ("fail_on", "code", "verdict", "warned", "expected"),
    [
        ("never", "1", "fail", "false", 0),
        ("never", "3", "incomplete", "false", 0),
        ("never", "2", "error", "false", 2),
        ("never", "4", "error", "false", 4),
        ("warn", "0", "pass", "true", 1),
        ("warn", "0", "pass", "false", 0),
        ("warn", "3", "incomplete", "true", 3),
        ("fail", "0", "pass", "true", 0),
        ("fail", "", "skipped", "", 0),
        ("fail", "", "", "", 2),
        ("never", "", "", "", 2),
        ("sometimes", "0", "pass", "false", 2),
        ("", "0", "pass", "false", 2),
    ],
)
def test_fail_on(runner: Runner, fail_on: str, code: str, verdict: str, warned: str, expected: int) -> None:
    left = {"steps.gate.outputs.code": code, "steps.gate.outputs.verdict": verdict}
    context = {"inputs.fail-on": fail_on, "steps.gate.outputs.warned": warned, **left}
    assert runner.step("Verdict", context).returncode == expected


def test_an_installation_that_failed_is_no_pass(tmp_path: Path) -> None:
    runner = Runner(tmp_path)
    runner.prepare()
    assert runner.step("Verdict", {"inputs.fail-on": "never"}).returncode == 2


def test_a_pull_request_judges_only_the_gates_it_concerns_and_tells_what_changed(runner: Runner, spoil: Any) -> None:
    for name in ("b c", "d"):
        shutil.copytree(runner.work / "data", runner.work / name)
        (runner.work / "gates").mkdir(exist_ok=True)
        (runner.work / "gates" / f"{name}.yaml").write_text(gate_text(f"../{name}"))
    runner.git("init", "-q")
    base = runner.commit("base")
    spoil(runner, "b c")
    runner.commit("spoil one table")
    runner.pull_request(base)
    job = runner.run({"gate": "gates/*.yaml"})
    assert job.code == 1, job.log
    assert job.outputs["report"] == "synthgate-report/gates-b c/report.html"
    assert "gates/d.yaml reads, so it is not judged" in job.summary
    assert "verdict pass, now fail" in job.summary
    assert not (runner.work / "synthgate-report" / "gates-d").exists()
    assert runner.git("status", "--porcelain").strip() == ""


def test_a_pull_request_that_changes_no_data_is_skipped(runner: Runner) -> None:
    runner.git("init", "-q")
    base = runner.commit("base")
    (runner.work / "README.md").write_text("words\n")
    runner.commit("docs")
    runner.pull_request(base)
    job = runner.run()
    assert (job.code, job.outputs["verdict"], job.outputs["report"]) == (0, "skipped", "")
    assert "is not judged" in job.summary
    assert runner.run({"only-changed": "false"}).outputs["verdict"] == "pass"
    (runner.work / "synthgate.yaml").write_text(gate_text() + "seed: 3\n")
    runner.commit("gate")
    assert runner.run().outputs["verdict"] == "pass"


def test_a_commit_that_git_does_not_know_runs_every_gate(runner: Runner) -> None:
    runner.git("init", "-q")
    runner.commit("base")
    runner.pull_request("0" * 40)
    job = runner.run()
    assert job.outputs["verdict"] == "pass"
    assert any("git cannot tell" in a for a in job.annotations)


def test_a_repaired_table_is_told_as_better_and_the_new_gate_has_no_base(
    runner: Runner, spoil: Any, draw_people: Any
) -> None:
    spoil(runner)
    runner.git("init", "-q")
    base = runner.commit("base")
    pyarrow.csv.write_csv(draw_people(200, 2), runner.work / "data" / "synthetic.csv")
    (runner.work / "new.yaml").write_text(gate_text())
    runner.commit("repair")
    runner.pull_request(base)
    job = runner.run({"gate": "synthgate.yaml\nnew.yaml"})
    assert job.code == 0
    assert "verdict fail, now pass" in job.summary
    assert "No comparison with the base branch: it has no such gate file." in job.summary
    assert "baseline" not in runner.run({"compare": "false"}).summary


@pytest.mark.parametrize(
    ("spoiling", "told"),
    [
        (lambda w: (w / "data" / "synthetic.csv").unlink(), "this pull request deletes it"),
        (
            lambda w: (
                ((w / "data" / "synthetic.csv").rename(w / "data" / "gone") and None)
                or (w / "data" / "synthetic.csv.dvc").write_text("outs:\n- path: synthetic.csv\n")
            ),
            "run `dvc pull`",
        ),
        (
            lambda w: (w / "data" / "synthetic.csv").write_text(
                f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12\n"
            ),
            "Git LFS",
        ),
        (lambda w: (w / "synthgate.yaml").write_text("checks: {schema.colums: {}}\n"), "did you mean"),
        (lambda w: (w / "synthgate.yaml").write_text("checks: ["), "synthgate.yaml"),
        (lambda w: (w / "synthgate.yaml").unlink(), "synthgate.yaml"),
    ],
)
def test_what_cannot_be_judged_gets_one_annotation_and_exit_code_2(runner: Runner, spoiling: Any, told: str) -> None:
    runner.git("init", "-q")
    base = runner.commit("base")
    spoiling(runner.work)
    runner.commit("spoil")
    runner.pull_request(base)
    job = runner.run({"fail-on": "never"})
    errors = [a for a in job.annotations if a.startswith("::error")]
    assert job.code == 2, job.log
    assert job.outputs["verdict"] == "error"
    assert len(errors) == 1
    assert told in errors[0]
    assert told in job.summary
    assert "Traceback" not in job.log


def test_a_baseline_forgives_what_failed_before(runner: Runner, spoil: Any) -> None:
    spoil(runner)
    assert runner.run().code == 1
    (runner.work / "synthgate-report" / "result.json").rename(runner.work / "old.json")
    assert runner.run({"baseline": "old.json"}).outputs["verdict"] == "pass"
    old = json.loads((runner.work / "old.json").read_text())
    (runner.work / "old.json").write_text(json.dumps(old | {"schema_version": 9}))
    job = runner.run({"baseline": "old.json", "fail-on": "never"})
    errors = [a for a in job.annotations if a.startswith("::error")]
    assert (job.code, len(errors)) == (2, 1)
    assert "schema_version 9, expected 1" in errors[0]


def test_a_gate_file_outside_the_workspace_is_refused(runner: Runner) -> None:
    (runner.folder / "outside.yaml").write_text(gate_text())
    job = runner.run({"gate": "../outside.yaml"})
    assert job.code == 2
    assert "outside the workspace" in job.summary
    assert runner.run({"gate": "none-*.yaml"}).code == 2


def test_a_working_directory_and_paths_with_spaces_and_quotes(runner: Runner) -> None:
    odd = runner.work / 'it\'s a "folder"'
    (runner.work / "data").rename(runner.work / "d")
    odd.mkdir()
    (runner.work / "d").rename(odd / "data")
    (runner.work / "synthgate.yaml").rename(odd / "my gate.yaml")
    job = runner.run({"working-directory": odd.name, "gate": "my gate.yaml"})
    assert job.code == 0, job.log
    assert (odd / job.outputs["report"]).is_file()


def test_one_table_alone_is_refused(runner: Runner) -> None:
    for name in ("real", "synthetic"):
        job = runner.run({name: "a.csv"})
        assert job.code == 2
        assert "both real and synthetic" in job.summary


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_inputs_neither_run_nor_pass(runner: Runner, text: str) -> None:
    job = runner.run(dict.fromkeys(("real", "synthetic", "holdout", "target", "preset", "formats"), text))
    assert (job.code, job.outputs["verdict"]) == (2, "error")
    assert not list(runner.folder.rglob("pwned"))


@pytest.mark.slow
@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("name", ["gate", "report-dir", "fail-on", "only-changed", "compare", "sarif", "version"])
def test_hostile_settings_neither_run_nor_pass(runner: Runner, name: str, text: str) -> None:
    if name == "version":
        assert runner.step("Install", {"inputs.version": text, "github.action_path": "."}).returncode == 2
    else:
        job = runner.run({name: text})
        accepted = name == "report-dir" and "\n" not in text
        assert (job.code == 0) == accepted
        assert job.outputs["verdict"] == ("pass" if accepted else "error")
    assert not list(runner.folder.rglob("pwned"))


def test_a_module_in_the_checkout_is_not_run_in_place_of_synthgates(runner: Runner) -> None:
    for name in ("click.py", "synthgate.py", "json.py", "numpy.py"):
        (runner.work / name).write_text("open('pwned', 'w')\n")
    assert runner.run().outputs["verdict"] == "pass"
    assert not (runner.work / "pwned").exists()


class Api(BaseHTTPRequestHandler):
    """A stand-in for GitHub's comments, kept on the server object."""

    server: Any

    def _answer(self, status: int, body: Any) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _body(self) -> Any:
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def do_GET(self) -> None:
        self.server.seen.append(("GET", self.headers["Authorization"]))
        page = int(self.path.rpartition("page=")[2])
        self._answer(self.server.status, self.server.comments[(page - 1) * 100 : page * 100])

    def do_POST(self) -> None:
        self.server.seen.append(("POST", self.path))
        self.server.comments.append({"id": len(self.server.comments) + 1, **self._body()})
        self._answer(201, {})

    def do_PATCH(self) -> None:
        self.server.seen.append(("PATCH", self.path))
        at = int(self.path.rpartition("/")[2]) - 1
        self.server.comments[at] |= self._body()
        self._answer(200, {})

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def api() -> Iterator[Any]:
    server: Any = HTTPServer(("127.0.0.1", 0), Api)
    server.comments = [{"id": n + 1, "body": f"comment {n}"} for n in range(120)]
    server.seen, server.status = [], 200
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def comment_job(runner: Runner, api: Any, **inputs: str) -> Job:
    url = f"http://127.0.0.1:{api.server_address[1]}"
    return runner.run({"comment": "true", "token": "t0ken", **inputs}, GITHUB_API_URL=url)


def test_one_comment_is_written_and_then_kept_up_to_date(runner: Runner, api: Any, spoil: Any) -> None:
    runner.git("init", "-q")
    base = runner.commit("base")
    spoil(runner)
    runner.commit("spoil")
    runner.pull_request(base)
    job = comment_job(runner, api)
    assert "t0ken" not in job.log
    assert api.seen[0] == ("GET", "Bearer t0ken")
    assert len(api.comments) == 121
    assert "synthgate: Fail" in api.comments[-1]["body"]
    runner.git("checkout", "-q", base, "--", "data")
    runner.commit("repair")
    comment_job(runner, api, **{"only-changed": "false"})
    assert len(api.comments) == 121
    assert "synthgate: Pass" in api.comments[-1]["body"]
    comment_job(runner, api, **{"only-changed": "false", "artifact-name": "other"})
    assert len(api.comments) == 122


def test_a_fork_gets_the_summary_only(runner: Runner, api: Any) -> None:
    runner.git("init", "-q")
    base = runner.commit("base")
    for head in ("someone/data", ""):
        runner.pull_request(base, head=head)
        job = comment_job(runner, api, **{"only-changed": "false"})
        assert job.code == 0
        assert api.seen == []
        assert any("fork" in a for a in job.annotations)
        assert "synthgate: Pass" in job.summary


@pytest.mark.parametrize("status", [401, 403, 404, 500])
def test_a_refused_comment_is_a_notice_and_no_failure(runner: Runner, api: Any, status: int) -> None:
    runner.git("init", "-q")
    runner.pull_request(runner.commit("base"))
    api.status = status
    job = comment_job(runner, api, **{"only-changed": "false"})
    assert job.code == 0
    assert any(a.startswith("::notice::no comment") for a in job.annotations)


def test_a_push_writes_no_comment(runner: Runner, api: Any) -> None:
    assert comment_job(runner, api).code == 0
    assert api.seen == []


def test_a_long_comment_is_cut_where_nothing_is_open() -> None:
    block = ["<details><summary>x</summary>", "", *["é" * 90] * 100, "</details>"]
    text = "\n".join(block * 20)
    short = fit(text)
    assert len(short.encode("utf-16-le")) // 2 <= LIMIT
    assert short.count("<details") == short.count("</details>") > 3
    assert fit("as it is") == "as it is"


@pytest.mark.parametrize("text", ["a\n::error::b", "x%0A", "end\rof", "\u202eback"])
def test_no_message_becomes_a_command_of_its_own(text: str) -> None:
    told = annotation("warning", text, file=text, title=text)
    assert len(told.splitlines()) == 1
    assert told.startswith("::warning file=")


def test_no_value_ends_an_output_early() -> None:
    hostile = "a\nEOF\nverdict<<x\npass\nx"
    assert parse_outputs(output("name", hostile) + output("b", "c")) == {"name": hostile, "b": "c"}


@pytest.mark.slow
def test_the_action_judges_the_demo(tmp_path: Path) -> None:
    runner = Runner(tmp_path)
    runner.prepare()
    installed = runner.step("Install", {"github.action_path": str(ACTION.parent), "inputs.version": ""})
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
