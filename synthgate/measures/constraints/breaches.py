"""Rules of other libraries' contracts that were broken, and the findings they become."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from synthgate.contracts import Contract, ContractSource, Library
from synthgate.findings import Estimate, Json, Ledger, Limit, Measured, Measurement, Severity
from synthgate.measures.constraints.shown import numbered_rows, told_rows
from synthgate.measures.fidelity.columns import SMALL_CELL

if TYPE_CHECKING:
    from synthgate.evidence import Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """One rule that one table breaks.

    Attributes
    ----------
    columns : tuple of str
        Empty for a rule about the whole table.
    rule : str
    key : tuple of str
        Tells the same rule on another table.
    rows : int or None
        Rows that break it; None for a rule about a column or table as a whole.
    of : int
        Rows that the rule applies to.
    allowed : float
        Share of rows that the contract itself lets break it.
    raised : str or None
        What went wrong when the rule itself did.
    warns : bool
        Whether the contract says that breaking it is only worth a warning.
    observed : str or None
        What was found, for a rule about a column or table as a whole.
    first : tuple of int
        Numbers of the first rows that break it, from 0, as far as the library tells.
    shown : tuple of str
        Those rows in words, where the user asked for them.
    """

    columns: tuple[str, ...]
    rule: str
    key: tuple[str, ...]
    rows: int | None
    of: int
    allowed: float = 0.0
    raised: str | None = None
    warns: bool = False
    observed: str | None = None
    first: tuple[int, ...] = ()
    shown: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """Share of rows that break the rule; 1 when it is about a column or table as a whole, or raised."""
        if self.rows is None or self.raised is not None or not self.of:
            return 1.0
        return self.rows / self.of

    @property
    def told(self) -> str:
        """How much breaks the rule, in words."""
        if self.rows is None:
            return f"broken, found {self.observed}" if self.observed else "broken"
        return f"{self.rows:,} of {self.of:,} rows break it{told_rows(self.shown)}"

    @property
    def told_of_real(self) -> str:
        """The same of real rows, without a value of theirs or a count below ten."""
        if self.rows is None:
            return "broken"
        return f"{few_told(self.rows)} of {self.of:,} rows break it"


@dataclass(frozen=True, slots=True)
class Report:
    """What one contract found.

    Attributes
    ----------
    source : ContractSource
    noun : str
        ``"schema"`` or ``"suite"``.
    synthetic : list of Breach
    real : list of Breach or None
        The control; None where real is a profile.
    rules : int
        How many rules the contract sets.
    """

    source: ContractSource
    noun: str
    synthetic: Sequence[Breach]
    real: Sequence[Breach] | None
    rules: int


def misfit(column: str, rows: int, of: int) -> Breach:
    """Return the breach that values of a text file are which the real type cannot hold."""
    return Breach(columns=(column,), rule="holds values of the real type", key=(column, "misfit"), rows=rows, of=of)


def with_rows(evidence: Evidence, breaches: Sequence[Breach]) -> list[Breach]:
    """Return breaches of synthetic with their first rows in words, if the user asked to see rows."""
    return [replace(one, shown=numbered_rows(evidence, one.first, one.columns)) for one in breaches]


def contracts_of(evidence: Evidence, library: Library) -> list[Contract]:
    """Return the contracts of one library."""
    return [contract for contract in evidence.contracts if contract.source.library is library]


def summed_up(reports: Sequence[Report]) -> Measurement:
    """Return the findings of all contracts; the score is the share of rules that hold."""
    findings = [finding for report in reports for finding in _findings(report)]
    rules = sum(report.rules for report in reports)
    broken = sum(1 for f in findings if f.judged and f.severity not in (Severity.WARN, Severity.INFO) and _beyond(f))
    faults = sum(_faults(report) for report in reports)
    reason = f"{broken:,} of {rules:,} rules are broken" if broken else f"all {rules:,} rules hold"
    if faults:
        reason = f"{broken:,} of {rules:,} rules are broken; {faults:,} are at fault, since real itself breaks them"
    return Measurement(
        reason=reason,
        findings=tuple(findings),
        score=Estimate.exact(max(0.0, 1 - broken / max(1, rules))),
        ledger=Ledger(scored=rules),
    )


def _beyond(finding: Measured) -> bool:
    limit = finding.limit.max if finding.limit else 0.0
    return finding.estimate is not None and finding.estimate.value > (limit or 0.0)


def _faults(report: Report) -> int:
    return sum(1 for breach in report.real or () if breach.share > _allowed(report.source, breach))


def _allowed(source: ContractSource, breach: Breach) -> float:
    return max(source.tolerance, breach.allowed)


def _findings(report: Report) -> list[Measured]:
    control = {breach.key: breach for breach in report.real or ()}
    broken = {breach.key for breach in report.synthetic}
    found = [_finding(report, breach, control.get(breach.key)) for breach in report.synthetic]
    # a rule that only real breaks says nothing of synthetic, yet whoever owns the contract should know
    for breach in report.real or ():
        if breach.key not in broken and breach.share > _allowed(report.source, breach):
            message = f"{_title(report, breach)}: real itself breaks it ({breach.told_of_real}), synthetic keeps it"
            found.append(
                Measured(metric="violating_share", message=message, columns=breach.columns, judged=False,
                         estimate=Estimate.exact(0.0), details=_details(report, None, breach))
            )  # fmt: skip
    return found


def _title(report: Report, breach: Breach) -> str:
    return f"{report.source.name}: {breach.rule}"


def _finding(report: Report, breach: Breach, real: Breach | None) -> Measured:
    severity = report.source.severity or (Severity.WARN if breach.warns else None)
    if breach.raised is not None:
        severity = report.source.severity
        also = " on real too" if real is not None and real.raised is not None else ""
        message = f"{_title(report, breach)}: could not be judged, it raised{also}: {breach.raised}"
    elif real is not None and real.share > _allowed(report.source, breach):
        message = f"{_title(report, breach)}: {breach.told}; real itself breaks it ({real.told_of_real})"
        message += f", so the {report.noun} is at fault"
        severity = Severity.WARN
    else:
        message = f"{_title(report, breach)}: {breach.told}"
    return Measured(
        metric="violating_share",
        message=message,
        estimate=Estimate.exact(breach.share),
        columns=breach.columns,
        limit=Limit(max=_allowed(report.source, breach)),
        severity=severity,
        details=_details(report, breach, real),
    )


def _details(report: Report, breach: Breach | None, real: Breach | None) -> dict[str, Json]:
    either = breach or real
    return {
        "name": report.source.name,
        "rule": either.rule if either else "",
        "rows": breach.of if breach else None,
        "broken": breach.rows if breach else 0,
        "broken_in_real": few_hidden(real.rows if real else None if report.real is None else 0),
    }


def few_hidden(rows: int | None) -> int | None:
    """Return a number of real rows, or None for so few that it is not told."""
    return None if rows is not None and 0 < rows < SMALL_CELL else rows


def few_told(rows: int) -> str:
    """Return a number of real rows in words, without a count below ten."""
    return f"fewer than {SMALL_CELL}" if 0 < rows < SMALL_CELL else f"{rows:,}"
