"""How the action tells: annotations, outputs and the job summary, with everything escaped."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

from synthgate.findings import CheckResult, Status
from synthgate.render.text import visible
from synthgate.verdict import Verdict, blocks

MOST = 10
"""Annotations of one level that GitHub shows for a step."""


def annotation(level: str, message: str, *, file: str = "", line: int = 0, title: str = "") -> str:
    r"""Return a workflow command that shows a message on a file.

    Examples
    --------
    >>> annotation("error", "50 % lost\nnot there", file="a,b.csv", title="x: y")
    '::error file=a%2Cb.csv,title=x%3A y::50 %25 lost%0Anot there'
    """
    named = {"file": file, "line": str(line) if line else "", "title": title}
    properties = ",".join(f"{key}={_property(value)}" for key, value in named.items() if value)
    return f"::{level}{' ' if properties else ''}{properties}::{_data(message)}"


def _data(text: str) -> str:
    shown = "\n".join(visible(line) for line in text.splitlines())
    return shown.replace("%", "%25").replace("\n", "%0A")


def _property(text: str) -> str:
    return visible(text).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")


def output(name: str, value: str) -> str:
    """Return a line of ``GITHUB_OUTPUT``, which no value can end early."""
    mark = f"end-{secrets.token_hex(16)}"
    return f"{name}<<{mark}\n{value}\n{mark}\n"


def write_outputs(path: str, values: Mapping[str, str]) -> None:
    """Append outputs to the runner's file, if there is one."""
    if path:
        with Path(path).open("a", encoding="utf-8", newline="\n") as file:
            file.write("".join(output(name, value) for name, value in values.items()))


def annotations_of(verdict: Verdict, gate: Path | None, data: str) -> Iterable[str]:
    """Yield annotations: what fails on the line of the gate file that sets it, and the verdict on the data file."""
    told = [c for c in verdict if blocks(c)] + list(verdict.missing())
    warned = [c for c in verdict if c.status is Status.WARN]
    if data and told:
        names = ", ".join(check.id for check in told)
        yield annotation("error", f"{verdict.outcome}: {names}", file=data, line=1, title="synthgate")
    for level, checks in (("error", told), ("warning", warned)):
        for check in checks[: MOST - 1]:
            place = {"file": str(gate), "line": _line_of(check, gate)} if gate else {}
            yield annotation(level, check.reason, title=f"synthgate: {check.id}", **place)  # type: ignore[arg-type]  # a file and its line


def _line_of(check: CheckResult, gate: Path) -> int:
    """Return the line that names the check, or the first."""
    try:
        lines = gate.read_text(encoding="utf-8").splitlines()
    except OSError:
        return 1
    named = re.compile(rf"^\s*['\"]?{re.escape(check.id)}['\"]?\s*:")
    return next((at for at, line in enumerate(lines, start=1) if named.match(line)), 1)
