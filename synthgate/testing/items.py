"""A gate file as tests: one item for each of its checks, all judged by one evaluation."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from synthgate.errors import SynthgateError
from synthgate.findings import CheckResult, Outcome, Status
from synthgate.gatefile import load_gate
from synthgate.render import FORMATS
from synthgate.render.console import describe
from synthgate.testing.plugin import NOTE_PROPERTY, REPORT_PROPERTY
from synthgate.testing.shared import report_folder, verdict_of
from synthgate.verdict import Verdict, blocks


class GateCollector(pytest.File):
    """A gate file."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield an item for each check that the gate runs.

        Raises
        ------
        CollectError
            For a gate file that is not valid.
        """
        try:
            gate = load_gate(self.path)
        except SynthgateError as error:
            raise self.CollectError(str(error)) from error
        for check in gate.checks:
            item = CheckItem.from_parent(self, name=check.id)
            item.add_marker(pytest.mark.synthgate)
            yield item

    @cached_property
    def judged(self) -> Verdict | SynthgateError:
        """The verdict, or why there is none: found out when the first check is run."""
        try:
            return verdict_of(self.path, self.config)
        except SynthgateError as error:
            return error


class CheckFailureError(Exception):
    """A check that does not pass; its text is all there is to show."""


class CheckItem(pytest.Item):
    """One check of a gate file."""

    def runtest(self) -> None:
        """Hold the check's result against what passes."""
        judged = self._collector.judged
        if isinstance(judged, SynthgateError):
            raise CheckFailureError(str(judged))
        check = next((check for check in judged if check.id == self.name), None)
        if check is None:
            pytest.skip("no question about this data: it has no other tables, no sequences or no schemas")
        self._note(judged, check)
        if blocks(check) or (check.required and check.status in (Status.NOT_ASSESSED, Status.INCONCLUSIVE)):
            raise CheckFailureError(describe(check))
        if check.status is Status.NOT_ASSESSED:
            if judged.outcome is Outcome.INCOMPLETE and all(c.status is Status.NOT_ASSESSED for c in judged):
                raise CheckFailureError(f"nothing could be assessed, and that is no pass\n{describe(check)}")
            pytest.skip(f"not assessed: {check.reason}")
        if check.status is not Status.PASS:
            self.add_report_section("call", "synthgate", describe(check))

    @property
    def _collector(self) -> GateCollector:
        parent = self.parent
        if not isinstance(parent, GateCollector):
            raise TypeError("a check item belongs to a gate file")
        return parent

    def _note(self, verdict: Verdict, check: CheckResult) -> None:
        """Leave what reports such as JUnit XML show, and what the summary at the end says."""
        self.user_properties.append(("status", str(check.status)))
        if check.score is not None:
            interval = f"{check.score.low:.6g} to {check.score.high:.6g}"
            self.user_properties += [("score", f"{check.score.value:.6g}"), ("interval", interval)]
        folder = report_folder(self.path, self.config)
        names = [FORMATS[kind] for kind in ("html", "json") if (folder / FORMATS[kind]).exists()]
        page = folder / (names[0] if names else FORMATS["json"])
        self.user_properties.append(
            (REPORT_PROPERTY, f"{verdict.outcome}: {self.path.name}, report: {_relative(page)}")
        )
        if check.status in (Status.WARN, Status.INCONCLUSIVE) and not check.required:
            self.user_properties.append((NOTE_PROPERTY, f"{self.nodeid}: {check.status}: {check.reason}"))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return the finding table of a check that fails, and a traceback only for a defect."""
        if isinstance(excinfo.value, CheckFailureError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        """Return where the check stands, and what it is called."""
        return self.path, None, f"{self.name} ({self.path.name})"


def _relative(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
