"""What pytest loads at its start: options, the marker, and nothing that takes time.

Everything else is imported when a gate file is collected or the fixture is asked for.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from synthgate.testing.fixture import Gatekeeper

SUFFIXES = (".yaml", ".yml")
OWN_NAME = re.compile(r"(^|[._-])synthgate([._-]|$)")
GATE_KEY = re.compile(r"^(real|synthetic|holdout|preset|checks|constraints|waivers)\s*:", re.MULTILINE)
LOOKED_AT = 65_536
MARKER = (
    "synthgate(gate=None, preset=None, only=(), skip=(), target=None, seed=None, ...): "
    "arguments of synthgate.evaluate for the `synthgate` fixture; also carried by every test of a gate file."
)
FOLDER = pytest.StashKey[str]()
REPORT_PROPERTY = "synthgate_report"
NOTE_PROPERTY = "synthgate_note"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, all in one group of ``pytest --help``."""
    group = parser.getgroup("synthgate", "gates of synthetic data")
    group.addoption(
        "--synthgate",
        action="append",
        default=[],
        metavar="FILE",
        help="also run the checks of this gate file, one test each; may be repeated. "
        "A gate file may be named like a test file, too: pytest synthgate.yaml",
    )
    group.addoption("--synthgate-out", metavar="DIR", help="folder for the reports of gate files")
    group.addoption(
        "--synthgate-baseline", metavar="FILE", help="an earlier result.json: fail only on what is worse than there"
    )
    group.addoption("--synthgate-cache", action="store_true", help="reuse verdicts over the same data and gate")
    parser.addini("synthgate_gates", "gate files that are always run as tests", type="paths", default=[])
    parser.addini("synthgate_out", "folder for the reports of gate files", default="synthgate-report")
    parser.addini("synthgate_formats", "reports of gate files to write", type="args", default=["html", "json"])


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, and have the gate files collected that options name."""
    config.addinivalue_line("markers", MARKER)
    for path in _gates(config):
        if path not in config.args:
            config.args.append(path)


def _gates(config: pytest.Config) -> list[str]:
    return [*config.getoption("--synthgate"), *map(str, config.getini("synthgate_gates"))]


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect a gate file that was named; one that merely lies about is left alone."""
    if file_path.suffix not in SUFFIXES:
        return None
    config = parent.config
    if not _is_among(file_path, config.args, config):
        return None
    if not _is_among(file_path, _gates(config), config) and not _looks_like_a_gate(file_path):
        return None
    from synthgate.testing.items import GateCollector

    return GateCollector.from_parent(parent, path=file_path)


def _is_among(path: Path, arguments: list[str], config: pytest.Config) -> bool:
    base = config.invocation_params.dir
    return path.resolve() in {(base / argument.split("::", maxsplit=1)[0]).resolve() for argument in arguments}


def _looks_like_a_gate(path: Path) -> bool:
    """Whether a YAML file is meant for this plugin and not for another one's."""
    if OWN_NAME.search(path.stem):
        return True
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return bool(GATE_KEY.search(file.read(LOOKED_AT)))
    except OSError:
        return False


@pytest.fixture
def synthgate(request: pytest.FixtureRequest) -> Gatekeeper:
    """Evaluate tables inside a test: ``synthgate(real, synthetic, ...)`` gives a verdict.

    ``synthgate.assert_passes(real, synthetic, ...)`` fails with the findings instead of a traceback.
    Arguments of the marker ``@pytest.mark.synthgate(...)`` are defaults.
    """
    from synthgate.testing.fixture import Gatekeeper

    defaults: dict[str, Any] = {}
    for mark in request.node.iter_markers("synthgate"):
        for key, value in mark.kwargs.items():
            defaults.setdefault(key, value)
    return Gatekeeper(defaults)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
    call: pytest.CallInfo[Any],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add the findings of each verdict that a failing test held."""
    report = yield
    failed = call.excinfo is not None and call.excinfo.errisinstance(AssertionError)
    if call.excinfo is not None and failed and "synthgate.verdict" in sys.modules:
        from synthgate.testing.fixture import verdicts_in

        for name, text in verdicts_in(call.excinfo.traceback):
            report.sections.append((f"synthgate: {name}", text))
    return report


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Give the workers of pytest-xdist one folder, where the first to evaluate a gate leaves the result."""
    stash = node.config.stash
    if FOLDER not in stash:
        stash[FOLDER] = tempfile.mkdtemp(prefix="synthgate-")
    node.workerinput["synthgate_folder"] = stash[FOLDER]


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the folder that workers shared."""
    if FOLDER in config.stash:
        shutil.rmtree(config.stash[FOLDER], ignore_errors=True)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what each gate's verdict is, where its report is, and what passed with a warning."""
    told: dict[str, dict[str, None]] = {NOTE_PROPERTY: {}, REPORT_PROPERTY: {}}
    for reports in terminalreporter.stats.values():
        for report in reports:
            for key, value in getattr(report, "user_properties", ()):
                if key in told:
                    told[key][str(value)] = None
    lines = [line for kind in told.values() for line in kind]
    if lines:
        terminalreporter.section("synthgate")
        for line in lines:
            terminalreporter.line(line)
