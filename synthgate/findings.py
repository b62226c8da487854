"""What a run says: estimates, findings, checks and the verdict.

A measure returns a :class:`Measurement`, which holds no opinion. Judging turns it
into a :class:`CheckResult`, and a report only ever reads a :class:`Verdict`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, TypeAlias

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"


class Status(StrEnum):
    """The outcome of a check or of one finding."""

    PASS = "pass"
    WARN = "warn"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    NOT_ASSESSED = "not_assessed"
    ERROR = "error"


class Severity(StrEnum):
    """What a failing check does to the verdict."""

    ERROR = "error"
    WARN = "warn"
    INFO = "info"


class Outcome(StrEnum):
    """The verdict in one word."""

    PASS = "pass"
    FAIL = "fail"
    INCOMPLETE = "incomplete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a value lies between its floor (0: careless) and its ceiling (1: as good as fresh real rows)."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A measured value with its uncertainty.

    Attributes
    ----------
    value : float
    low, high : float
        Ends of the interval around `value`.
    method : str
        How the interval was made and its level, such as ``"Wilson 95 %"`` or ``"exact"``.
    ceiling, floor : float or None
        The same metric for fresh real rows, and for a careless generator.
    position : Position or None
        `value` on the scale from floor to ceiling, with its interval.
    """

    value: float
    low: float
    high: float
    method: str
    ceiling: float | None = None
    floor: float | None = None
    position: Position | None = None

    @classmethod
    def exact(cls, value: float) -> Estimate:
        """Return an estimate without sampling error: a count, or a share of the rows at hand."""
        return cls(value=value, low=value, high=value, method="exact")


@dataclass(frozen=True, slots=True)
class Limit:
    """A bound on a value, on its raw scale or between floor and ceiling."""

    min: float | None = None
    max: float | None = None
    min_position: float | None = None

    def as_dict(self) -> dict[str, float]:
        """Return the bounds that are set."""
        named = {"min": self.min, "max": self.max, "min_position": self.min_position}
        return {name: bound for name, bound in named.items() if bound is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One measured fact about one subject, before it is judged.

    Attributes
    ----------
    metric : str
        The field's standard name of what was measured, such as ``"ks_complement"``.
    message : str
        One sentence for people: what was found.
    estimate : Estimate or None
        None when it could not be measured; then `not_assessed` says why.
    columns : tuple of str
        The columns it is about; empty for the whole table.
    table : str or None
        The table it is about, in a relational data set.
    limit : Limit or None
        A limit of its own, which goes before the check's ``each`` limit.
    judged : bool
        False for a number that is shown and never judged.
    severity : Severity or None
        What failing does, where that differs from the check's severity.
    decides : bool
        Whether the check stays undecided as long as this finding does, though its score is decided.
    not_assessed : str or None
        Why it was not measured.
    details : dict
        Aggregates for charts and experts: counts and shares, never rows.
    """

    metric: str
    message: str
    estimate: Estimate | None = None
    columns: tuple[str, ...] = ()
    table: str | None = None
    limit: Limit | None = None
    judged: bool = True
    severity: Severity | None = None
    decides: bool = False
    not_assessed: str | None = None
    details: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Skip:
    """A subject that a check left out, and why."""

    subject: str
    reason: str


@dataclass(frozen=True, slots=True)
class Ledger:
    """How many subjects a check scored, and which it left out."""

    scored: int = 0
    skipped: tuple[Skip, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What a measure returns: facts, without an opinion.

    Attributes
    ----------
    reason : str
        One sentence that sums up what was found.
    findings : tuple of Measured
    score : Estimate or None
        The one number of the check, judged by its ``threshold``.
    ledger : Ledger
    power : str or None
        What this measurement would have been able to see.
    not_assessed : str or None
        Why the whole check could not be measured; then everything else is empty.
    details : dict
        Aggregates about the whole check, for charts and experts.
    """

    reason: str
    findings: tuple[Measured, ...] = ()
    score: Estimate | None = None
    ledger: Ledger = field(default_factory=Ledger)
    power: str | None = None
    not_assessed: str | None = None
    details: Mapping[str, Json] = field(default_factory=dict)

    @classmethod
    def missing(cls, why: str) -> Measurement:
        """Return a measurement that says it could not be made."""
        return cls(reason=why, not_assessed=why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A measured fact with its judgement."""

    measured: Measured
    status: Status
    waived: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TableResult:
    """How a check came out for one table of several."""

    table: str
    status: Status
    reason: str
    score: Estimate | None = None
    details: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One check, judged; `tables` says how each table came out, where there are several."""

    id: str
    family: str
    title: str
    question: str
    status: Status
    severity: Severity
    required: bool
    reason: str
    why: str
    remedy: str
    score: Estimate | None = None
    threshold: Limit = field(default_factory=Limit)
    each: Limit = field(default_factory=Limit)
    ledger: Ledger = field(default_factory=Ledger)
    power: str | None = None
    seconds: float = 0.0
    findings: tuple[Finding, ...] = ()
    details: Mapping[str, Json] = field(default_factory=dict)
    tables: tuple[TableResult, ...] = ()

    @property
    def failed(self) -> tuple[Finding, ...]:
        """The findings that fail."""
        return tuple(f for f in self.findings if f.status is Status.FAIL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """A failure mode, told from findings that fail together.

    Attributes
    ----------
    name : str
        Such as ``"unit change"``.
    sentence : str
        What seems to have happened, in plain words.
    confidence : "clear" or "likely"
        Whether the findings leave hardly another explanation, or this is merely the best one.
    checks : tuple of str
        The checks that it stands on.
    columns : tuple of str
        The columns it is about; empty for the whole table.
    """

    name: str
    sentence: str
    confidence: Literal["clear", "likely"]
    checks: tuple[str, ...]
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DataInfo:
    """What was judged: one side's origin and size, and those of its tables where there are several."""

    source: str
    rows: int
    columns: int
    sha256: str
    tables: Mapping[str, DataInfo] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """Everything about a run that is not a finding."""

    real: DataInfo
    synthetic: DataInfo
    holdout: DataInfo | None
    seed: int
    synthgate_version: str
    versions: Mapping[str, str]
    created: str
    targets: tuple[str, ...] = ()
    gate_file: str | None = None
    preset: str = "default"
    roles: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
