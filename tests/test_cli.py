"""The command line: exit codes, output, start-up, and no half-written report."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from synthgate import cli
from synthgate.cli import Exit, run_command
from synthgate.declared import declared_checks, preset_names
from synthgate.gatefile import MAX_SEED

HEAVY = ("numpy", "duckdb", "pyarrow", "sklearn", "scipy", "jinja2", "pandas", "ruamel")


@pytest.fixture
def files(tmp_path, draw_people):
    out = {}
    for seed, name in enumerate(("real", "synthetic", "holdout")):
        out[name] = str(tmp_path / f"{name}.parquet")
        pq.write_table(draw_people(800, seed + 1), out[name])
    return out


def run(*arguments):
    return run_command([str(a) for a in arguments])


COUNTED = ("--skip", "utility", "--skip", "privacy")


def test_a_pass_exits_0_and_a_fail_exits_1(files, tmp_path, capsys, draw_people):
    out = tmp_path / "out"
    assert (
        run("run", files["real"], files["synthetic"], "--holdout", files["holdout"], "--out", out, *COUNTED)
        == Exit.PASS
    )
    text = capsys.readouterr().out
    assert "pass" in text.lower()
    assert f"report: {out / 'report.html'}" in text
    assert {p.name for p in out.iterdir()} == {"report.html", "result.json"}
    bad = tmp_path / "bad.parquet"
    pq.write_table(draw_people(800, 9).drop_columns(["job"]), bad)
    assert run("run", files["real"], bad, "--out", out, *COUNTED) == Exit.FAIL
    assert json.loads((out / "result.json").read_text())["verdict"] == "fail"
    assert "schema.columns" in capsys.readouterr().out


def test_incomplete_exits_3(files, tmp_path):
    gate = tmp_path / "g.yaml"
    gate.write_text("checks: {constraints.declared: {require: true}}\n")
    assert (
        run("run", files["real"], files["synthetic"], "--gate", gate, "--out", tmp_path / "o", *COUNTED)
        == Exit.INCOMPLETE
    )


def test_every_format_is_written(files, tmp_path):
    out = tmp_path / "out"
    run(
        "run",
        files["real"],
        files["synthetic"],
        "--out",
        out,
        "--format",
        "html,json,junit,markdown,sarif",
        "--quiet",
        *COUNTED,
    )
    assert len(list(out.iterdir())) == 5


def test_quiet_prints_nothing_and_timings_go_to_standard_error(files, tmp_path, capsys):
    run("run", files["real"], files["synthetic"], "--out", tmp_path / "o", "--quiet", "--timings", *COUNTED)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "fidelity.pairs" in captured.err


def test_a_gate_file_in_the_folder_is_used(files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("init", "real.parquet") == Exit.PASS
    assert run("init", "real.parquet") == Exit.UNJUDGED
    assert run("init", "real.parquet", "--force") == Exit.PASS
    assert run("run", "--skip", "utility", "--skip", "privacy", "--quiet") == Exit.PASS


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["run"], "no gate file here"),
        (["run", "one.csv"], "expected two"),
        (["run", "a", "b", "--format", "jsn"], "did you mean"),
        (["run", "a", "b", "--only", "fidelty"], "did you mean 'fidelity'"),
        (["run", "a", "b", "--engine", "spark"], "not available"),
        (["run", "a", "b", "--nonsense"], "No such option"),
        (["rnu"], "No such command"),
        (["explain", "fidelity.colums"], "did you mean 'fidelity.columns'"),
    ],
)
def test_bad_arguments_exit_2_with_one_clear_sentence(tmp_path, monkeypatch, capsys, arguments, says):
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == Exit.UNJUDGED
    err = capsys.readouterr().err
    assert says in err
    assert "Traceback" not in err


def test_a_defect_exits_4_without_a_traceback(files, monkeypatch, capsys, tmp_path):
    def boom(*_arguments, **_options):
        raise RuntimeError("boom")

    monkeypatch.setattr("synthgate.gate.evaluate", boom)
    assert run("run", files["real"], files["synthetic"], "--out", tmp_path / "o") == Exit.DEFECT
    err = capsys.readouterr().err
    assert "boom" in err
    assert "Traceback" not in err
    assert run("run", files["real"], files["synthetic"], "--out", tmp_path / "o", "--traceback") == Exit.DEFECT
    assert "Traceback" in capsys.readouterr().err
    monkeypatch.setenv("SYNTHGATE_DEBUG", "1")
    assert run("run", files["real"], files["synthetic"], "--out", tmp_path / "o") == Exit.DEFECT
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--skip", "fidelity"], ["--gate", "g.yaml"]])
def test_a_run_that_would_judge_nothing_exits_2(files, tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    skipped = ", ".join(f"{c.id}: {{skip: true}}" for c in declared_checks() if c.family == "fidelity")
    Path("g.yaml").write_text(f"checks: {{{skipped}}}\n")
    given = ["run", files["real"], files["synthetic"], "--only", "fidelity", *arguments]
    assert run(*given) == Exit.UNJUDGED
    assert "nothing would be judged" in capsys.readouterr().err
    assert not Path("synthgate-report").exists()


def test_ctrl_c_exits_130_and_leaves_no_report(files, monkeypatch, tmp_path):
    def stop(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("synthgate.gate.evaluate", stop)
    assert run("run", files["real"], files["synthetic"], "--out", tmp_path / "o") == Exit.INTERRUPTED
    assert not (tmp_path / "o").exists()


def test_the_arguments_reach_evaluate_as_given(monkeypatch, tmp_path):
    seen = {}

    def evaluate(**request):
        seen.update(request)
        raise RuntimeError

    monkeypatch.setattr("synthgate.gate.evaluate", evaluate)
    given = ["run", "r", "s", "--holdout", "h", "--target", "a", "--target", "b", "--gate", "g", "--preset", "share"]
    given += [
        "--only",
        "x",
        "--skip",
        "y",
        "--seed",
        "7",
        "--metadata",
        "m",
        "--missing",
        "?",
        "--baseline",
        "o",
        "--cache",
    ]
    assert run(*given) == Exit.DEFECT
    assert callable(seen.pop("progress"))
    assert seen == {
        "real": "r", "synthetic": "s", "holdout": "h", "target": ("a", "b"), "gate": Path("g"), "preset": "share",
        "metadata": Path("m"), "only": ("x",), "skip": ("y",), "seed": 7, "missing_values": ("", "?"),
        "baseline": Path("o"), "cache": True, "risk_file": None, "show_rows": False,
    }  # fmt: skip


def test_what_is_repeated_for_a_quick_start_is_the_same():
    assert sorted(cli.PRESETS) == sorted(preset_names())
    assert cli.MAX_SEED == MAX_SEED


SYNTHGATE = [sys.executable, "-m", "synthgate"]


def test_a_reader_that_stops_reading_changes_no_exit_status(files, tmp_path):
    bad = tmp_path / "bad.parquet"
    pq.write_table(pq.read_table(files["synthetic"]).drop_columns(["job"]), bad)
    cases = {(files["synthetic"],): Exit.PASS, (bad,): Exit.FAIL, ("absent.csv",): Exit.UNJUDGED}
    for (synthetic,), status in cases.items():
        given = [*SYNTHGATE, "run", files["real"], str(synthetic), "--only", "schema", "--out", str(tmp_path / "o")]
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run([*given, "--timings"], stdout=writing, stderr=writing, check=False)
        os.close(writing)
        assert done.returncode == status


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_under_standard_output_is_no_defect():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*SYNTHGATE, "checks"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == Exit.UNJUDGED
    assert "standard output" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_terminal_without_the_signs_gets_the_verdict(files, tmp_path):
    given = [*SYNTHGATE, "run", files["real"], files["synthetic"], "--only", "schema", "--out", str(tmp_path / "o")]
    done = subprocess.run(given, capture_output=True, env={**os.environ, "PYTHONIOENCODING": "cp1252"}, check=False)
    assert done.returncode == Exit.PASS
    assert b"PASS" in done.stdout


def test_a_renderer_that_breaks_leaves_the_old_report(files, tmp_path, monkeypatch):
    out = tmp_path / "out"
    out.mkdir()
    (out / "report.html").write_text("old")

    def boom(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("synthgate.render.write", boom)
    assert run("run", files["real"], files["synthetic"], "--out", out, *COUNTED) == Exit.UNJUDGED
    assert (out / "report.html").read_text() == "old"
    assert [p.name for p in out.iterdir()] == ["report.html"]


def test_checks_and_explain_tell_of_every_check(capsys):
    assert run("checks") == 0
    text = capsys.readouterr().out
    assert run("checks", "--format", "json") == 0
    listed = json.loads(capsys.readouterr().out)
    for check in listed:
        assert check["id"] in text
        assert run("explain", check["id"]) == 0
        assert check["question"][:40] in capsys.readouterr().out


def test_help_loads_nothing_heavy_and_names_the_exit_codes():
    code = (
        "import sys, synthgate\n"
        "from synthgate.cli import run_command\n"
        "run_command(['--help'])\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules])\n"
    )
    text = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert text.splitlines()[-1] == "[]"
    assert "3 incomplete" in text


@pytest.mark.parametrize(("code", "seconds"), [("run_command(['--help'])", 0.4), ("", 0.3)])
def test_start_up_is_quick(code, seconds):
    """Processor time, the least of three: the wall time of a shared machine says nothing."""
    text = "import synthgate\n" + (f"from synthgate.cli import run_command\n{code}\n" if code else "")

    def spent():
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    times = []
    for _ in range(3):
        before = spent()
        subprocess.run([sys.executable, "-c", text], stdout=subprocess.DEVNULL, check=True)
        times.append(spent() - before)
    assert min(times) < seconds


def test_public_names_are_found_when_asked_for():
    import synthgate

    for name in synthgate.__all__:
        assert getattr(synthgate, name).__name__ == name
        assert name in dir(synthgate)
    with pytest.raises(AttributeError, match="evalute"):
        synthgate.evalute  # noqa: B018 - looking it up is what is tested


def test_progress_is_told_after_a_second_only(capsys):
    progress = cli.Progress(quiet=False)
    progress("early")
    progress.start -= 2
    progress("late")
    assert "early" not in (err := capsys.readouterr().err)
    assert "late" in err


def test_the_demo_runs(tmp_path):
    assert run("demo", "--out", tmp_path / "demo", "--quiet") in (Exit.PASS, Exit.FAIL)
    assert (tmp_path / "demo" / "report.html").stat().st_size > 10_000
