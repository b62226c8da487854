"""Train on real, test on synthetic: do synthetic outcomes follow from the other columns as real ones do?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgate.findings import Estimate, Ledger, Limit, Measured, Measurement, Skip
from synthgate.measures.parts import kept_in_parts, worst_parts
from synthgate.measures.utility.compare import place
from synthgate.measures.utility.conditions import Condition, conditions_of
from synthgate.measures.utility.fitting import Result
from synthgate.measures.utility.models import name_of
from synthgate.measures.utility.ratio import Skills
from synthgate.measures.utility.scores import row_losses
from synthgate.measures.utility.split import take
from synthgate.measures.utility.sweep import asked
from synthgate.measures.utility.trials import Trial, Untried, why_not_learnable

if TYPE_CHECKING:
    from synthgate.evidence import Evidence
    from synthgate.sample import Sample

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MAX_ROWS = 50_000
LEAST_ROWS = 100
SWEPT_TARGETS = 2
REACH = 0.02
"""Share of real outcomes at either end that count as the outcome before them, so that a few rows cannot decide."""
KNOWN_TO = 0.5
"""Half width of the holdout's gain, as a share of it, up to which a ratio is judged."""
SHOWN_PARTS = 5
LEAST = 0.8
"""Least share of the real gain: a tenth of wrong labels costs more where outcomes are well predicted."""
SURER = 10
"""How many times fewer false alarms than at 95 % the findings on all rows may give: 99.5 % on all targets together."""
SUREST = 25
"""The same for outcomes that follow too closely, and for parts, whose few rows may be dependent: 99.8 %."""
LEAST_LEFT = 0.95
"""Least share of the loss that fresh rows leave to the real model which synthetic rows have to leave to it."""
TELLING = 0.02
"""Share of the plain loss that fresh rows have to leave to the model, for less to tell anything."""
WHOLE, PART, CLOSE = "label_information", "label_information_in_a_part", "label_uncertainty_kept"


def beside(measurement: Measurement, evidence: Evidence) -> Measurement:
    """Return what train on synthetic, test on real measured, with the findings of the reverse test."""
    if measurement.not_assessed:
        return measurement
    reverse = trts(evidence)
    if not reverse.findings:
        return measurement
    ledger = measurement.ledger
    bad = [found for found in reverse.findings if found.metric != CLOSE and _high(found) < LEAST]
    bad += [f for f in reverse.findings if f.metric == CLOSE and f.estimate and f.estimate.high < LEAST_LEFT]
    return replace(
        measurement,
        reason=measurement.reason + (f"; {min(bad, key=_whole_first).message}" if bad else ""),
        findings=(*measurement.findings, *reverse.findings),
        ledger=Ledger(ledger.scored, (*ledger.skipped, *reverse.ledger.skipped)) if ledger else reverse.ledger,
    )


def trts(evidence: Evidence) -> Measurement:
    """Test the model that was trained on real rows on synthetic rows, and on the holdout.

    The model states chances (or a number) for each row, and so saves a part of the loss that stating the real shares
    (or the mean) has. What it saves on synthetic rows, over what it saves on fresh real ones, is 1 where outcomes go
    with the other columns as in real, 0 where they are independent of them. The model is the same on both sides and
    saw neither, so the luck of its training does not count: labels that are wrong in a few rows show here long before
    a model that is trained on them predicts anything else. Also asked for parts of the rows, by conditions on one
    column, all corrected together; there against the shares (or the mean) of the part, which a shuffle inside it keeps.

    Source: Esteban et al. (2017), arXiv 1706.02633 (train on real, test on synthetic).
    """
    found = asked(evidence)
    trials = found.best(SWEPT_TARGETS) if found.swept else found.trials
    findings: list[Measured] = []
    skips: list[Skip] = []
    for name, trial in trials.items():
        why = _why_not(name, trial)
        if isinstance(trial, Trial) and not why:
            told = _Told.of(evidence.sample, trial)
            why = told if isinstance(told, str) else ""
            findings += [] if isinstance(told, str) else _findings(evidence.sample, told, len(trials))
        if why:
            skips.append(Skip(name, why))
    if not found.swept:
        own = [one for one in kept_in_parts(evidence) if one.column in found.trials]
        findings += worst_parts(own, LEAST)
    return _sum_up(findings, skips)


def _why_not(target: str, trial: Trial | Untried | None) -> str:
    if trial is None:
        return f"synthetic does not have {target!r}"
    return trial.reason if isinstance(trial, Untried) else why_not_learnable(trial) or ""


@dataclass(frozen=True, slots=True)
class _Told:
    """What the real model saves of the loss, row by row, on both sides.

    Attributes
    ----------
    synthetic, fresh : float64 array
        What it saves, in nats, or squared standard deviations.
    left_synthetic, left_fresh : float64 array
        What it leaves.
    outcome : float64 array
        Outcomes of the synthetic rows.
    rows : int64 array
        Which synthetic rows they are.
    learnt, learnt_rows : float64 array, int64 array
        Outcomes of the real training rows, and which rows they are.
    """

    trial: Trial
    result: Result
    synthetic: FloatArray
    fresh: FloatArray
    left_synthetic: FloatArray
    left_fresh: FloatArray
    outcome: FloatArray
    rows: IntArray
    learnt: FloatArray
    learnt_rows: IntArray

    @classmethod
    def of(cls, sample: Sample, trial: Trial) -> _Told | str:
        task = trial.task
        result = max(trial.results, key=lambda one: (one.confidence or one.skills).real)
        drawn = sample.rng(f"utility.trts {task.target}").permutation(trial.split.synthetic_pool)[:MAX_ROWS]
        rows = np.sort(drawn)
        outcome = task.outcomes(sample.synthetic.columns[task.target][rows])
        rows, outcome = rows[~np.isnan(outcome)], outcome[~np.isnan(outcome)]
        if len(rows) < LEAST_ROWS or len(trial.truth) < LEAST_ROWS:
            counts = f"{len(rows):,} synthetic and {len(trial.truth):,} test rows have a known outcome"
            return f"{counts}: at least {LEAST_ROWS} are needed"
        said = result.real.predict(take(sample.synthetic, trial.features, rows))
        learnt = task.outcomes(sample.real.columns[task.target][trial.split.real])
        known = ~np.isnan(learnt)
        learnt, learnt_rows = learnt[known], trial.split.real[known]
        left = _left(outcome, said, learnt)
        left_fresh = _left(trial.truth, result.real.said, learnt)
        classes = len(task.classes)
        return cls(
            trial=trial,
            result=result,
            synthetic=_plain(outcome, learnt, learnt, classes) - left,
            fresh=_plain(trial.truth, learnt, learnt, classes) - left_fresh,
            left_synthetic=left,
            left_fresh=left_fresh,
            outcome=outcome,
            rows=rows,
            learnt=learnt,
            learnt_rows=learnt_rows,
        )

    def within(self, condition: Condition) -> Skills:
        """Return the mean gain of the rows of a part, over stating what the part's own training rows have."""
        classes, part = len(self.trial.task.classes), self.learnt[condition.learnt]
        sides = (
            (self.outcome, self.left_synthetic, condition.synthetic),
            (self.trial.truth, self.left_fresh, condition.tested),
        )
        synthetic, fresh = (
            _plain(outcome[rows], part, self.learnt, classes) - left[rows] for outcome, left, rows in sides
        )
        return self.skills(synthetic, fresh)

    def skills(self, synthetic: FloatArray, fresh: FloatArray) -> Skills:
        """Return the mean gain of some rows of both sides, with their errors; the model is the same on both."""
        return Skills(
            synthetic=float(synthetic.mean()),
            real=float(fresh.mean()),
            test_synthetic=float(synthetic.var() / len(synthetic)),
            test_real=float(fresh.var() / len(fresh)),
            test_both=0.0,
            train=0.0,
            degrees=1,
            draws=min(len(synthetic), len(fresh)),
            rows=min(len(synthetic), len(fresh)),
            units=self.trial.units,
        )


def _plain(outcome: FloatArray, stated: FloatArray, learnt: FloatArray, classes: int) -> FloatArray:
    """Return, for each row, the loss of stating the shares (or the mean) of some training rows out of all."""
    if classes:
        shares = np.bincount(stated.astype(np.int64), minlength=classes) + 0.5
        return row_losses(outcome, np.tile(shares / shares.sum(), (len(outcome), 1)))
    low, high = np.quantile(learnt, (REACH, 1 - REACH))
    return row_losses(np.clip(outcome, low, high), np.full(len(outcome), np.clip(stated, low, high).mean()))


def _left(outcome: FloatArray, said: FloatArray, learnt: FloatArray) -> FloatArray:
    """Return, for each row, the model's own loss."""
    if said.ndim == 2:
        return row_losses(outcome, said)
    low, high = np.quantile(learnt, (REACH, 1 - REACH))
    return row_losses(np.clip(outcome, low, high), np.clip(said, low, high))


def _findings(sample: Sample, told: _Told, targets: int) -> list[Measured]:
    """Return the finding on all rows of one of some targets, and on the parts where the real model surely predicts."""
    trial = told.trial
    parts: list[tuple[Condition | None, Skills]] = [(None, told.skills(told.synthetic, told.fresh))]
    if not trial.units:
        conditions = conditions_of(sample, trial, told.rows, told.learnt_rows)
        parts += [(condition, told.within(condition)) for condition in conditions]
    known = [(one, skills) for one, skills in parts if _is_known(skills)]
    within = max(1, sum(one is not None for one, _ in known))
    looks = (SURER * targets, SUREST * targets * within)
    findings = [_finding(told, one, skills, looks[one is not None]) for one, skills in known]
    whole = [found for found in findings if found.metric == WHOLE]
    close = _too_close(told, targets) if whole else []
    return [*whole, *close, *sorted((found for found in findings if found.metric == PART), key=_high)[:SHOWN_PARTS]]


def _too_close(told: _Told, targets: int) -> list[Measured]:
    """Return what synthetic rows leave uncertain to the real model, where fresh rows leave it enough to be missed."""
    left = told.skills(told.left_synthetic, told.left_fresh)
    if left.real < TELLING * (left.real + float(told.fresh.mean())) or not _is_known(left):
        return []
    looks = SUREST * targets
    ratio, low, high = left.ratio_interval(looks)
    task = told.trial.task
    loss = "log loss" if task.is_classification else "squared error"
    text = (
        f"{name_of(told.result.family)} trained on real rows has {ratio:.0%} of the {loss} for {task.target!r} on "
        f"synthetic rows that it has on fresh real ones"
    )
    return [
        Measured(
            metric=CLOSE,
            message=text + ("; synthetic outcomes follow too closely" if high < LEAST_LEFT else ""),
            estimate=Estimate(
                value=ratio,
                low=low,
                high=high,
                method="ratio of two means of independent rows by Fieller's theorem, 99.8 % on all targets together",
                ceiling=1.0,
                floor=0.0,
            ),
            columns=(task.target,),
            limit=Limit(min=LEAST_LEFT),
            details={"left_on_synthetic": left.synthetic, "left_on_fresh": left.real},
        )
    ]


def _is_known(skills: Skills) -> bool:
    return skills.real > 0 and skills.real_half() < KNOWN_TO * skills.real


def _high(found: Measured) -> float:
    return found.estimate.position.high if found.estimate and found.estimate.position else 1.0


def _whole_first(found: Measured) -> tuple[bool, float]:
    return bool(found.details.get("where")), _high(found)


def _finding(told: _Told, condition: Condition | None, skills: Skills, looks: int) -> Measured:
    task = told.trial.task
    ratio, low, high = skills.ratio_interval(looks)
    sizes = (len(told.synthetic), len(told.fresh))
    if condition is not None:
        sizes = (int(condition.synthetic.sum()), int(condition.tested.sum()))
    where = f"where {condition.words}, " if condition else ""
    rows = f"{sizes[0]:,} synthetic and {sizes[1]:,} test rows"
    loss = "log loss" if task.is_classification else "squared error"
    text = (
        f"{where}{name_of(told.result.family)} trained on real rows saves {ratio:.0%} of the {loss} for "
        f"{task.target!r} on synthetic rows that it saves on fresh real ones ({rows})"
    )
    level = "99.8 % for all parts" if condition else "99.5 % for all rows"
    return Measured(
        metric=WHOLE if condition is None else PART,
        message=text,
        estimate=Estimate(
            value=ratio,
            low=low,
            high=high,
            method=f"ratio of two means of independent rows by Fieller's theorem, {level} on all targets together",
            ceiling=1.0,
            floor=0.0,
            position=place(skills, looks),
        ),
        columns=(task.target, *(condition.columns if condition else ())),
        limit=Limit(min_position=LEAST),
        details={
            "model": told.result.family,
            "saved_on_synthetic": skills.synthetic,
            "saved_on_fresh": skills.real,
            "synthetic_rows": sizes[0],
            "test_rows": sizes[1],
            "where": condition.words if condition else None,
        },
    )


def _sum_up(findings: Sequence[Measured], skips: Sequence[Skip]) -> Measurement:
    if not findings:
        why = "; ".join(skip.reason for skip in skips) or "no target is predicted well enough by real rows"
        return Measurement(reason=why, not_assessed=why, ledger=Ledger(0, tuple(skips)))
    worst = min(findings, key=_high)
    whole = [found for found in findings if found.metric == WHOLE]
    return Measurement(
        reason=f"lowest: {worst.message}",
        findings=tuple(findings),
        score=min(whole, key=_high).estimate if whole else None,
        ledger=Ledger(len(findings), tuple(skips)),
    )
