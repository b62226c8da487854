"""The pytest plugin: gate files as tests, the fixture, and failures that explain themselves."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import pyarrow.csv
import pytest

import synthgate
from synthgate.testing.plugin import GATE_KEY, OWN_NAME

ROOT = Path(__file__).resolve().parents[1]
GATE = """\
version: 1
real: my data/real.csv
synthetic: my data/good.csv
checks:
  schema.columns: {}
"""
ONLY = ("schema.columns", "schema.types", "fidelity.columns", "fidelity.pairs", "constraints.declared")


def gate_text(synthetic="good", *, more=""):
    from synthgate.declared import declared_checks

    skipped = "".join(f"  {c.id}: {{skip: true}}\n" for c in declared_checks() if c.id not in ONLY)
    return f"real: my data/real.csv\nsynthetic: my data/{synthetic}.csv\nchecks:\n{skipped}{more}"


@pytest.fixture
def project(pytester, monkeypatch, draw_people):
    """A project with data, a gate file that passes and one that fails; plugins are named, not found."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    folder = pytester.path / "my data"
    folder.mkdir()
    for seed, name in enumerate(("real", "good"), start=1):
        pyarrow.csv.write_csv(draw_people(400, seed), folder / f"{name}.csv")
    pyarrow.csv.write_csv(draw_people(400, 3).drop_columns(["job"]), folder / "bad.csv")
    (pytester.path / "synthgate.yaml").write_text(gate_text())
    (pytester.path / "bad.yaml").write_text(gate_text("bad"))
    return pytester


def run(project, *arguments):
    return project.runpytest_subprocess("-p", "synthgate.testing.plugin", "-p", "xdist", *arguments, timeout=120)


def test_the_entry_point_names_the_plugin():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["pytest11"] == {"synthgate": "synthgate.testing.plugin"}


def test_a_gate_file_gives_one_test_for_each_check(project):
    done = run(project, "synthgate.yaml", "-v")
    done.assert_outcomes(passed=4, skipped=1)
    done.stdout.fnmatch_lines(["*synthgate.yaml::fidelity.columns PASSED*", "*report: synthgate-report/report.html*"])
    assert json.loads((project.path / "synthgate-report" / "result.json").read_text())["verdict"] == "pass"


def test_checks_that_are_no_question_about_this_data_are_skipped(project):
    (project.path / "whole.yaml").write_text("real: my data/real.csv\nsynthetic: my data/good.csv\n")
    done = run(project, "whole.yaml", "-k", "relations or sequences or pandera or schema.columns", "-rs")
    done.assert_outcomes(passed=1, skipped=7, deselected=done.parseoutcomes()["deselected"])
    assert "no question about this data" in done.stdout.str()


def test_a_failure_shows_the_findings_and_no_traceback(project):
    done = run(project, "bad.yaml", "--junit-xml", "junit.xml")
    assert done.ret == 1
    done.stdout.fnmatch_lines(["*failed: schema.columns", "*job*", "*Try:*", "FAILED bad.yaml::schema.columns*"])
    text = done.stdout.str()
    assert "Traceback" not in text
    assert "CheckFailureError" not in text
    assert (project.path / "synthgate-report" / "bad" / "report.html").is_file()
    cases = ElementTree.parse(project.path / "junit.xml").getroot().iter("testcase")
    properties = {case.get("name"): {p.get("name"): p.get("value") for p in case.iter("property")} for case in cases}
    assert properties["schema.columns"]["status"] == "fail"
    assert float(properties["fidelity.columns"]["score"]) > 0.5
    assert "bad/report.html" in properties["fidelity.columns"]["synthgate_report"]


def test_checks_are_selected_and_the_failed_ones_run_again(project):
    run(project, "bad.yaml", "-k", "fidelity").assert_outcomes(passed=2, deselected=3)
    run(project, "bad.yaml", "-m", "not synthgate").assert_outcomes(deselected=5)
    run(project, "bad.yaml::schema.types").assert_outcomes(passed=1)
    run(project, "bad.yaml").assert_outcomes(passed=3, skipped=1, failed=1)
    run(project, "bad.yaml", "--lf").assert_outcomes(failed=1)


def test_workers_evaluate_once(project):
    (project.path / "conftest.py").write_text(
        "import synthgate.testing.shared as shared\n"
        "made = shared.evaluate\n"
        "def counted(**given):\n"
        "    open('calls.txt', 'a').write('x')\n"
        "    return made(**given)\n"
        "shared.evaluate = counted\n"
    )
    run(project, "bad.yaml", "-n", "2").assert_outcomes(passed=3, skipped=1, failed=1)
    assert (project.path / "calls.txt").read_text() == "x"


def test_the_gate_is_run_beside_the_project_s_own_tests(project):
    project.makepyfile("def test_own(): pass")
    run(project).assert_outcomes(passed=1)
    run(project, "--synthgate", "bad.yaml", "--synthgate-out", "out").assert_outcomes(passed=4, skipped=1, failed=1)
    assert (project.path / "out" / "bad" / "result.json").is_file()
    project.makeini("[pytest]\nsynthgate_gates = synthgate.yaml\nsynthgate_formats = markdown\n")
    run(project).assert_outcomes(passed=5, skipped=1)
    assert (project.path / "synthgate-report" / "summary.md").is_file()


def test_what_failed_before_is_let_pass_with_a_baseline(project):
    run(project, "bad.yaml", "--synthgate-cache").assert_outcomes(failed=1, passed=3, skipped=1)
    old = project.path / "synthgate-report" / "bad" / "result.json"
    kept = old.rename(project.path / "old.json")
    done = run(project, "bad.yaml", "--synthgate-baseline", kept.name)
    done.assert_outcomes(passed=4, skipped=1)
    done.stdout.fnmatch_lines(["*schema.columns: warn*no worse than the baseline*"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (GATE + "  schema.colums: {}\n", "did you mean 'schema.columns'"),
        (GATE + "nonsense: 1\n", "nonsense"),
        ("checks: [\n", "synthgate.yaml"),
    ],
)
def test_an_invalid_gate_file_is_a_collection_error_in_plain_words(project, text, told):
    (project.path / "synthgate.yaml").write_text(text)
    done = run(project, "synthgate.yaml")
    assert done.ret == 2
    assert told in done.stdout.str()
    assert "Traceback" not in done.stdout.str()


def test_data_that_is_not_there_fails_in_plain_words(project):
    (project.path / "my data" / "good.csv").unlink()
    done = run(project, "synthgate.yaml", "-n", "2")
    done.assert_outcomes(failed=5)
    assert "good.csv" in done.stdout.str()
    assert "Traceback" not in done.stdout.str()
    assert run(project, "absent.yaml").ret == 4


def test_a_gate_in_which_nothing_can_be_assessed_is_no_pass(project):
    from synthgate.declared import declared_checks

    skipped = "".join(f"  {c.id}: {{skip: true}}\n" for c in declared_checks() if c.id != "constraints.declared")
    (project.path / "g.yaml").write_text(f"real: my data/real.csv\nsynthetic: my data/good.csv\nchecks:\n{skipped}")
    done = run(project, "g.yaml")
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*nothing could be assessed*"])


def test_the_fixture_evaluates_and_a_failing_assertion_shows_the_findings(project):
    project.makepyfile(
        """
        import pytest
        from pathlib import Path

        DATA = Path(__file__).parent / "my data"

        def test_good(synthgate):
            assert synthgate(DATA / "real.csv", DATA / "good.csv", only=["schema"]).passed

        @pytest.mark.synthgate(only=["schema.columns"])
        def test_bad(synthgate):
            verdict = synthgate(DATA / "real.csv", DATA / "bad.csv")
            assert [check.id for check in verdict] == ["schema.columns"]
            assert verdict.passed

        @pytest.mark.synthgate(only=["schema.columns"])
        def test_bad_too(synthgate):
            synthgate.assert_passes(DATA / "real.csv", DATA / "bad.csv")

        def test_bad_without_fixture():
            import synthgate
            synthgate.assert_passes(DATA / "real.csv", DATA / "bad.csv", only=["schema"])
        """
    )
    done = run(project, "--strict-markers")
    done.assert_outcomes(passed=1, failed=3)
    done.stdout.fnmatch_lines(["*where False = <verdict: fail; failed: schema.columns>.passed*"])
    done.stdout.fnmatch_lines(["*- synthgate: verdict -*", "*schema.columns*"])
    assert done.stdout.str().count("Column job") + done.stdout.str().count("job") >= 3


def test_assert_passes_returns_the_verdict(draw_people):
    verdict = synthgate.assert_passes(draw_people(400, 1), draw_people(400, 2), only=["schema"])
    assert verdict.passed
    with pytest.raises(AssertionError, match=r"schema\.columns"):
        synthgate.assert_passes(draw_people(400, 1), draw_people(400, 2).drop_columns(["job"]), only=["schema"])


@pytest.mark.parametrize(
    ("name", "text", "meant"),
    [
        ("synthgate", "", True),
        ("my.synthgate", "", True),
        ("synthgate-release", "", True),
        ("gate", "# a comment\nchecks:\n", True),
        ("gate", "synthetic : x.csv", True),
        ("docker-compose", "services:\n  checks:\n", False),
        ("notsynthgate", "a: 1", False),
    ],
)
def test_only_what_looks_like_a_gate_is_taken_from_other_plugins(name, text, meant):
    assert bool(OWN_NAME.search(name) or GATE_KEY.search(text)) is meant


def test_gate_files_that_are_not_named_are_left_alone(project):
    project.makepyfile("def test_own(): pass")
    run(project, ".").assert_outcomes(passed=1)


def test_help_tells_of_the_options(project):
    text = run(project, "--help").stdout.str()
    for word in ("--synthgate=FILE", "--synthgate-baseline", "synthgate_gates", "synthgate_out"):
        assert word in text
    assert "synthgate(gate=None" in run(project, "--markers").stdout.str()


def test_the_plugin_loads_nothing_while_it_is_not_used(project):
    project.makepyfile(
        "import sys\n"
        "def test_light():\n"
        "    heavy = {'synthgate.gate', 'numpy', 'duckdb', 'pyarrow', 'ruamel.yaml', 'jinja2'}\n"
        "    assert not heavy & set(sys.modules)\n"
    )
    run(project).assert_outcomes(passed=1)
