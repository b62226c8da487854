"""One evaluation for all tests of a gate file, also when several processes run them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from synthgate.errors import SynthgateError
from synthgate.gate import evaluate
from synthgate.render import FORMATS, render, write
from synthgate.results import read_result
from synthgate.verdict import Verdict


def verdict_of(gate: Path, config: pytest.Config) -> Verdict:
    """Evaluate a gate file and write its reports, or read what another worker has left.

    Raises
    ------
    SynthgateError
        When the gate cannot be judged.
    """
    folder = getattr(config, "workerinput", {}).get("synthgate_folder")
    if folder is None:
        return _evaluate(gate, config)
    name = hashlib.sha256(os.fsencode(gate.resolve())).hexdigest()[:32]
    result, problem = Path(folder, f"{name}.json"), Path(folder, f"{name}.problem")
    with _locked(Path(folder, f"{name}.lock")):
        if problem.exists():
            where, told, fix = problem.read_text(encoding="utf-8").split("\0")
            raise SynthgateError(where, told, fix)
        if not result.exists():
            try:
                result.write_text(render(_evaluate(gate, config), "json"), encoding="utf-8")
            except SynthgateError as error:
                problem.write_text("\0".join((error.where, error.problem, error.fix)), encoding="utf-8")
                raise
    return read_result(result)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock that the system lets go of when its holder dies."""
    with path.open("a+b") as file:
        try:
            import fcntl
        except ImportError:
            yield from _locked_by_range(file)
            return
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _locked_by_range(file: Any) -> Iterator[None]:
    """Hold a lock where there is no ``flock``: on the first byte of the file."""
    import time
    from importlib import import_module

    msvcrt: Any = import_module("msvcrt")
    while True:
        try:
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            break
        except OSError:
            time.sleep(0.1)
    yield
    file.seek(0)
    msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)


def _evaluate(gate: Path, config: pytest.Config) -> Verdict:
    baseline = config.getoption("--synthgate-baseline")
    verdict = evaluate(
        gate=gate,
        baseline=config.invocation_params.dir / baseline if baseline else None,
        cache=config.getoption("--synthgate-cache"),
    )
    folder = report_folder(gate, config)
    for kind in dict.fromkeys(("json", *config.getini("synthgate_formats"))):
        write(verdict, folder / FORMATS.get(kind, kind), kind)
    return verdict


def report_folder(gate: Path, config: pytest.Config) -> Path:
    """Return where the reports of a gate file go: each file has a folder of its own, but for ``synthgate.yaml``."""
    given: str | None = config.getoption("--synthgate-out")
    base = config.invocation_params.dir / given if given else config.rootpath / str(config.getini("synthgate_out"))
    try:
        parts = gate.resolve().relative_to(config.rootpath.resolve()).with_suffix("").parts
    except ValueError:
        parts = (gate.stem,)
    return base if parts == ("synthgate",) else base / "-".join(parts)
