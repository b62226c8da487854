"""The verdict: what the findings add up to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from synthgate.diagnosis import diagnose
from synthgate.findings import CheckResult, Diagnosis, Json, Outcome, RunInfo, Severity, Status

SCHEMA_VERSION = 1
"""Of ``result.json``; raised when a key is removed or changes its meaning."""


FORM = ("schema", "constraints", "review")
"""Families that a few rows can pass, whatever they hold."""
DECIDED = (Status.PASS, Status.WARN, Status.FAIL)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The outcome of a run, its checks and what was judged.

    Examples
    --------
    ``verdict.passed``, ``verdict.failures()``, ``verdict["fidelity.columns"].score``
    """

    outcome: Outcome
    checks: tuple[CheckResult, ...]
    run: RunInfo

    @property
    def passed(self) -> bool:
        """Whether every check that counts passed, and everything required was assessed."""
        return self.outcome is Outcome.PASS

    def failures(self) -> tuple[CheckResult, ...]:
        """Return the checks that make the verdict fail."""
        return tuple(check for check in self.checks if blocks(check))

    def missing(self) -> tuple[CheckResult, ...]:
        """Return the required checks that were not assessed or not decided."""
        open_states = (Status.NOT_ASSESSED, Status.INCONCLUSIVE)
        return tuple(check for check in self.checks if check.required and check.status in open_states)

    @property
    def scores(self) -> dict[str, float | None]:
        """The family scores: the mean position (else score) of the family's scored checks, in [0, 1]."""
        families: dict[str, list[float]] = {}
        for check in self.checks:
            values = families.setdefault(check.family, [])
            if check.score is not None:
                at = check.score.position.value if check.score.position else check.score.value
                values.append(min(1.0, max(0.0, at)))
        return {family: sum(v) / len(v) if v else None for family, v in families.items()}

    @property
    def diagnosis(self) -> tuple[Diagnosis, ...]:
        """The failure modes that the findings point to, in words; empty when none is clear."""
        return diagnose(self.checks)

    def __getitem__(self, check_id: str) -> CheckResult:
        for check in self.checks:
            if check.id == check_id:
                return check
        raise KeyError(check_id)

    def __iter__(self) -> Iterator[CheckResult]:
        return iter(self.checks)

    def __repr__(self) -> str:
        failed = ", ".join(check.id for check in self.failures())
        open_checks = ", ".join(check.id for check in self.missing())
        parts = [f"verdict: {self.outcome}"]
        parts += [f"failed: {failed}"] if failed else []
        parts += [f"required but open: {open_checks}"] if open_checks else []
        return "<" + "; ".join(parts) + ">"

    def to_dict(self) -> dict[str, Json]:
        """Return the verdict as ``result.json`` holds it."""
        from synthgate.render.json import as_dict

        return as_dict(self)

    def to_html(self, path: str | Path) -> Path:
        """Write the report as one HTML file that opens offline, and return its path."""
        from synthgate.render import write

        return write(self, Path(path), "html")

    def _repr_html_(self) -> str:
        from synthgate.render.html import render_fragment

        return render_fragment(self)


def blocks(check: CheckResult) -> bool:
    """Whether a check makes the verdict fail: it failed or broke, and its severity is ``error``."""
    return check.severity is Severity.ERROR and check.status in (Status.FAIL, Status.ERROR)


def conclude(checks: tuple[CheckResult, ...]) -> Outcome:
    """Add the checks up: fail goes before incomplete, incomplete before pass.

    Nothing assessed is no pass, nor is a table so small that no column was compared and nothing but its form decided.
    """
    if any(blocks(check) for check in checks):
        return Outcome.FAIL
    if all(check.status is Status.NOT_ASSESSED for check in checks):
        return Outcome.INCOMPLETE
    if any(check.required and check.status in (Status.NOT_ASSESSED, Status.INCONCLUSIVE) for check in checks):
        return Outcome.INCOMPLETE
    beyond = [check for check in checks if check.family not in FORM]
    compared = [check for check in beyond if check.id == "fidelity.columns" and check.score is None]
    if compared and not any(check.status in DECIDED for check in beyond):
        return Outcome.INCOMPLETE
    return Outcome.PASS
