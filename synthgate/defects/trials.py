"""The self test: a gate is run on clean rows, then on the same rows with known defects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthgate.bridges.sdv import Metadata, read_tables_metadata
from synthgate.clock import Progress
from synthgate.defects import DEFECTS, Defect, Injection, NotApplicableError, Rung, Subject, inject
from synthgate.defects.limits import Suggestion, suggest
from synthgate.defects.parts import Parts, Source, open_source
from synthgate.errors import UsageError, nearest
from synthgate.findings import Outcome, Severity, Status
from synthgate.gate import evaluate
from synthgate.gatefile import Gate, load_gate, select
from synthgate.judging import judge
from synthgate.survey import make_plan
from synthgate.tables import DEFAULT_MISSING, open_table
from synthgate.verdict import Verdict

if TYPE_CHECKING:
    import pyarrow as pa

    from synthgate.findings import CheckResult

MOST_ROWS = 4000
"""Rows of each part, unless asked otherwise: a run on so many takes seconds."""
CONTROLS = 3
"""Clean runs, each on parts of its own: the first on those that are spoiled afterwards."""
FALLING = tuple(reversed(Rung))
FAMILY_ORDER = ("privacy", "coverage", "fidelity", "utility", "schema", "constraints")


@dataclass(frozen=True, slots=True, order=True)
class Alarm:
    """A check that failed, for some columns or for the table as a whole (no columns)."""

    check: str
    family: str
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """The gate's verdict on fresh real rows."""

    outcome: Outcome
    alarms: tuple[Alarm, ...]
    open: tuple[str, ...]
    """Checks that were not decided or not assessed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What the gate said of one defect at one severity.

    Attributes
    ----------
    told : str
        What was done to the table; why nothing was, when the defect does not apply.
    applies : bool
    alarms : tuple of Alarm
        Those that no clean control raised.
    right_family : bool
        Whether a check of the right family raised one.
    right_column : bool or None
        Whether that check named a spoiled column; None where no column is at fault.
    suggestions : tuple of Suggestion
        For a defect that was missed: settings that would catch it, and pass the clean controls.
    """

    rung: Rung
    told: str
    applies: bool = True
    rows: int = 0
    columns: tuple[str, ...] = ()
    outcome: Outcome | None = None
    alarms: tuple[Alarm, ...] = ()
    right_family: bool = False
    right_column: bool | None = None
    diagnosis: tuple[str, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DefectResult:
    """From which severity on a gate catches a defect.

    Attributes
    ----------
    trials : tuple of Trial
        From gross down to the first that was missed; what is below it was not run.
    """

    defect: Defect
    trials: tuple[Trial, ...]

    @property
    def applies(self) -> bool:
        """Whether the defect could be injected at any severity."""
        return any(trial.applies for trial in self.trials)

    @property
    def lowest(self) -> Trial | None:
        """The trial at the lowest severity that was caught, together with all above it."""
        caught = [trial for trial in self.trials if trial.right_family]
        return caught[-1] if caught else None

    @property
    def missed(self) -> Trial | None:
        """The trial that was missed, if any was."""
        return next((trial for trial in self.trials if trial.applies and not trial.right_family), None)

    def at(self, rung: Rung) -> Trial | None:
        """Return the trial at a severity; None when it was not run."""
        return next((trial for trial in self.trials if trial.rung is rung), None)


@dataclass(frozen=True, kw_only=True)
class SelfTest:
    """What a self test found.

    Attributes
    ----------
    real, holdout : str
        Sources; the holdout is empty where the real table was cut in three.
    rows : dict of int
        Of each part: ``real``, ``holdout``, ``spoiled``; and of the sources, ``of real`` and ``of holdout``.
    gate : str
        The gate file, or the preset.
    """

    real: str
    holdout: str
    rows: Mapping[str, int]
    gate: str
    targets: tuple[str, ...]
    seed: int
    controls: tuple[Control, ...]
    defects: tuple[DefectResult, ...]

    @property
    def clean_fails(self) -> bool:
        """Whether the gate fails fresh real rows: then a failure of it says little."""
        return any(control.outcome is Outcome.FAIL for control in self.controls)

    def count(self, rung: Rung) -> tuple[int, int]:
        """Return how many of the defects that apply at a severity are caught there, and how many apply."""
        applying = [r for r in self.defects if (t := r.at(rung)) is None or t.applies]
        applying = [r for r in applying if r.applies]
        caught = [r for r in applying if (t := r.at(rung)) is not None and t.right_family]
        return len(caught), len(applying)


def self_test(
    policy: Gate,
    real: object = None,
    holdout: object = None,
    *,
    metadata: str | Path | Mapping[str, Any] | None = None,
    rows: int = MOST_ROWS,
    only: Sequence[str] = (),
    progress: Progress | None = None,
) -> SelfTest:
    """Inject known defects into fresh real rows and say which of them a gate catches.

    Parameters
    ----------
    policy : Gate
        As :func:`policy_of` makes it.
    real, holdout : path, URL or dataframe
        By default what the gate names. Without a holdout the real table is cut into three random parts; with one, the
        holdout is cut into two: rows that the gate gets as its holdout, and rows that are spoiled.
    metadata : path or dict, optional
    rows : int
        Of each part, at most.
    only : sequence of str
        Names of defects; all by default.
    progress : callable, optional

    Raises
    ------
    SynthgateError
        When the tables or the gate file do not allow a run.
    """
    wanted = _wanted(only)
    described = metadata if metadata is not None else policy.metadata
    texts = DEFAULT_MISSING if policy.missing_values is None else policy.missing_values
    given = (policy.real if real is None else real, policy.holdout if holdout is None else holdout)
    source = open_source(*given, texts)
    policy = replace(policy, real=None, synthetic=None, holdout=None, metadata=None)
    about = read_tables_metadata(described).one(source.names) if described is not None else Metadata()
    tester = _Tester(policy, source, described, about, rows, progress)
    first = tester.parts(0)
    subject = subject_of(policy, first.real, first.fresh, policy.targets, about)
    clean = tester.controls(first)
    results = tester.defects(wanted, subject, first, clean)
    return SelfTest(
        real=source.real.source,
        holdout=source.holdout.source if source.holdout is not None else "",
        rows={**first.sizes, **source.sizes},
        gate=str(policy.path) if policy.path else f"preset {policy.preset}",
        targets=policy.targets,
        seed=policy.seed,
        controls=tuple(_control(verdict) for verdict in clean),
        defects=results,
    )


def policy_of(
    gate: str | Path | None = None,
    *,
    preset: str | None = None,
    target: Sequence[str] = (),
    seed: int | None = None,
    missing_values: Sequence[str] | None = None,
) -> Gate:
    """Return the gate to test: as :func:`synthgate.evaluate` reads it, without what a person signs.

    Raises
    ------
    SynthgateError
        When the gate file is not valid.
    """
    policy = load_gate(gate, preset=preset)
    return replace(
        policy,
        # a sign-off is about one table, and none of these
        checks=select(policy.checks, (), ("review",)),
        targets=tuple(target) or policy.targets,
        seed=policy.seed if seed is None else seed,
        missing_values=policy.missing_values if missing_values is None else tuple(missing_values),
    )


def _wanted(only: Sequence[str]) -> list[Defect]:
    for name in only:
        if name not in DEFECTS:
            raise UsageError("--defect", f"there is no defect {name!r}", nearest(name, DEFECTS))
    chosen = [found for found in DEFECTS.values() if not only or found.name in only]
    return sorted(chosen, key=lambda d: (FAMILY_ORDER.index(d.families[0]), d.name))


def subject_of(
    policy: Gate, train: pa.Table, fresh: pa.Table, targets: tuple[str, ...], described: Metadata | None = None
) -> Subject:
    """Return what injectors need to know of fresh rows: roles, keys and rules of the real ones."""
    about = described or Metadata()
    roles = {**about.roles, **policy.roles}
    plan = make_plan(open_table(train, name="real"), roles, targets, about.layouts)
    return Subject(
        table=fresh,
        train=train,
        plan=plan,
        targets=targets,
        keys=policy.keys or about.keys,
        constraints=policy.constraints,
    )


@dataclass(frozen=True)
class _Tester:
    """Runs a gate on parts of a source."""

    policy: Gate
    source: Source
    metadata: str | Path | Mapping[str, Any] | None
    about: Metadata
    rows: int
    progress: Progress | None

    def parts(self, at: int) -> Parts:
        sequence = self.policy.sequences.get("") or self.about.sequence
        return self.source.split(self.rows, self.policy.seed, at, sequence.key if sequence else None)

    def judged(self, parts: Parts, table: pa.Table) -> Verdict:
        return evaluate(parts.real, table, holdout=parts.holdout, gate=self.policy, metadata=self.metadata)

    def controls(self, first: Parts) -> list[Verdict]:
        verdicts = []
        for at in range(CONTROLS):
            self._say(f"clean control {at + 1} of {CONTROLS}")
            parts = first if at == 0 else self.parts(at)
            verdicts.append(self.judged(parts, parts.fresh))
        return verdicts

    def defects(
        self, wanted: Sequence[Defect], subject: Subject, parts: Parts, clean: Sequence[Verdict]
    ) -> tuple[DefectResult, ...]:
        results = []
        for at, defect in enumerate(wanted, 1):
            trials: list[Trial] = []
            for rung in FALLING:
                self._say(f"defect {at} of {len(wanted)}: {defect.title.lower()}, {rung}")
                trials.append(self._trial(defect, rung, subject, parts, clean))
                if trials[-1].applies and not trials[-1].right_family:
                    break
            results.append(DefectResult(defect=defect, trials=tuple(trials)))
        return tuple(results)

    def _trial(self, defect: Defect, rung: Rung, subject: Subject, parts: Parts, clean: Sequence[Verdict]) -> Trial:
        try:
            spoiled = inject(defect.name, subject, rung, self.policy.seed)
        except NotApplicableError as reason:
            return Trial(rung=rung, told=str(reason), applies=False)
        return tried(defect, rung, spoiled, self.judged(parts, spoiled.table), clean)

    def _say(self, step: str) -> None:
        if self.progress is not None:
            self.progress(step)


def tried(defect: Defect, rung: Rung, spoiled: Injection, verdict: Verdict, clean: Sequence[Verdict]) -> Trial:
    """Return what a verdict says of a defect, beside the verdicts on clean rows."""
    known = {alarm for one in clean for alarm in alarms_of(one)}
    alarms = tuple(sorted(set(alarms_of(verdict)) - known))
    right = [alarm for alarm in alarms if alarm.family in defect.families]
    named = any(set(alarm.columns) & set(spoiled.columns) for alarm in right)
    return Trial(
        rung=rung,
        told=spoiled.told,
        rows=spoiled.table.num_rows,
        columns=spoiled.columns,
        outcome=verdict.outcome,
        alarms=alarms,
        right_family=bool(right),
        right_column=named if spoiled.columns else None,
        diagnosis=tuple(dict.fromkeys(found.name for found in verdict.diagnosis)),
        suggestions=() if right else suggest(verdict, clean, defect.families, spoiled.columns),
    )


def _control(verdict: Verdict) -> Control:
    still_open = tuple(c.id for c in verdict if c.status in (Status.INCONCLUSIVE, Status.NOT_ASSESSED))
    return Control(outcome=verdict.outcome, alarms=tuple(alarms_of(verdict)), open=still_open)


def alarms_of(verdict: Verdict) -> list[Alarm]:
    """Return what failed: each check with the columns of each failing finding, and without any for its score."""
    return sorted({alarm for check in verdict.failures() for alarm in _alarms(check)})


def _alarms(check: CheckResult) -> list[Alarm]:
    found = [
        Alarm(check.id, check.family, f.measured.columns)
        for f in check.failed
        if f.measured.severity not in (Severity.WARN, Severity.INFO)
    ]
    bounded = check.score is not None and check.threshold.as_dict()
    if not found or (bounded and check.score and judge(check.score, check.threshold) is Status.FAIL):
        found.append(Alarm(check.id, check.family))
    return found
