"""Train on synthetic, test on real: how much of a real model's skill does synthetic training keep?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from synthgate.catalogue import Options, measure
from synthgate.findings import Estimate, Json, Ledger, Measured, Measurement, Position, Skip
from synthgate.measures.utility.choice import Candidate, choose_targets
from synthgate.measures.utility.models import NAMES
from synthgate.measures.utility.scores import calibration, class_scores, number_scores
from synthgate.measures.utility.tasks import Task
from synthgate.measures.utility.trials import Result, Settings, Trial, Untried, run_trial

if TYPE_CHECKING:
    from synthgate.evidence import Evidence
    from synthgate.sample import Sample

LEAST_SKILL = 0.05
NEARLY_BEST = 0.9
CHOSEN_TRAIN_ROWS = 8000
SHOWN_CLASSES = 3


@dataclass(frozen=True, slots=True)
class Judged:
    """What was found about one target.

    Attributes
    ----------
    findings : tuple of Measured
        One per model family, the best one by training on real rows first.
    position : Position or None
        Of the best family, at 95 %; None when the target was not assessed.
    """

    target: str
    findings: tuple[Measured, ...]
    position: Position | None = None
    skipped: tuple[Skip, ...] = ()


@measure("utility.tstr", max_train_rows=20_000, draws=200, max_targets=3)
def tstr(evidence: Evidence, options: Options) -> Measurement:
    """Train models on synthetic and on as many real rows, and test both on real rows that neither saw.

    Per target a linear model and gradient boosting, each coded by its own training rows only. The judged number is
    the skill above chance (AUC less 0.5, or R2) kept by training on synthetic rows: 1 is as good as real rows, 0 is
    chance. Its interval covers the test rows and both samples of training rows.
    """
    settings = Settings(int(str(options["max_train_rows"])), int(str(options["draws"])))
    return assess(evidence.sample, evidence.targets, settings, int(str(options["max_targets"])))


def assess(sample: Sample, targets: Sequence[str], settings: Settings, max_targets: int = 3) -> Measurement:
    """Assess the named targets, or those that real rows predict best when none is named.

    Parameters
    ----------
    targets : sequence of str
        Columns of the real table; one that synthetic lacks is a failure with position 0.
    max_targets : int
        How many targets are chosen when none is named.
    """
    named = tuple(dict.fromkeys(targets))
    chosen: list[Candidate] = []
    if not named:
        chosen = choose_targets(sample, max_targets)
        if not chosen:
            why = "no target was named, and no column of the real table can be predicted from the others at this size"
            return Measurement.missing(why)
        settings = Settings(min(settings.max_train_rows, CHOSEN_TRAIN_ROWS), settings.draws)
    names = named or tuple(candidate.target for candidate in chosen)
    trials = {name: run_trial(sample, name, settings) if name in sample.roles else None for name in names}
    looks = max(1, sum(len(_judged_families(t)) for t in trials.values() if isinstance(t, Trial)))
    judged = [_judge_target(name, trial, looks) for name, trial in trials.items()]
    return _sum_up(judged, trials, chosen, looks)


def _judged_families(trial: Trial) -> list[Result]:
    """Return the families that learn from real rows nearly as well as the best one, best first."""
    ranked = sorted(trial.results, key=lambda result: -result.skills.real)
    return [result for result in ranked if result.skills.real >= NEARLY_BEST * ranked[0].skills.real]


def _judge_target(target: str, trial: Trial | Untried | None, looks: int) -> Judged:
    if trial is None:
        return Judged(target, (_absent_target(target),), Position(value=0.0, low=0.0, high=0.0))
    if isinstance(trial, Untried):
        missing = Measured(metric="skill", message=trial.reason, columns=(target,), not_assessed=trial.reason)
        return Judged(target, (missing,), skipped=(Skip(target, trial.reason), *trial.skipped))
    ranked = sorted(trial.results, key=lambda result: -result.skills.real)
    best = ranked[0]
    why = _not_learnable(trial, best)
    if why:
        findings = tuple(_finding(trial, result, looks, not_assessed=why) for result in ranked)
        return Judged(target, findings, skipped=(Skip(target, why), *trial.skipped))
    judged = _judged_families(trial)
    findings = tuple(_finding(trial, result, looks, judged=result in judged) for result in ranked)
    return Judged(target, findings, _position(best, 1), trial.skipped)


def _absent_target(target: str) -> Measured:
    nothing = Position(value=0.0, low=0.0, high=0.0)
    return Measured(
        metric="skill_ratio",
        message="synthetic does not have this target: no model can be trained on it",
        estimate=Estimate(value=0.0, low=0.0, high=0.0, method="exact", ceiling=1.0, floor=0.0, position=nothing),
        columns=(target,),
    )


def _not_learnable(trial: Trial, best: Result) -> str | None:
    """Say why even real training rows teach too little to compare with, if so."""
    task, reached = trial.task, best.skills.real
    score = f"{_metric(task)} {reached + task.chance:.3f} where chance is {task.chance:g}"
    if reached < LEAST_SKILL:
        return f"real rows hardly predict {task.target!r} ({score}): a share of so little skill says nothing"
    if best.skills.real_half() >= reached:
        return f"at this size real rows do not surely predict {task.target!r} better than chance ({score})"
    return None


def _metric(task: Task) -> str:
    return "AUC" if task.is_classification else "R2"


def _position(result: Result, looks: int) -> Position:
    value, low, high = (min(1.0, max(0.0, end)) for end in result.skills.ratio_interval(looks))
    return Position(value=value, low=low, high=high)


def _finding(
    trial: Trial, result: Result, looks: int, *, judged: bool = True, not_assessed: str | None = None
) -> Measured:
    task, skills = trial.task, result.skills
    value, ceiling = skills.synthetic + task.chance, skills.real + task.chance
    half = skills.synthetic_half()
    least = 0.0 if task.is_classification else float("-inf")
    estimate = Estimate(
        value=value,
        low=max(least, value - half),
        high=min(1.0, value + half),
        method=_method(trial, skills.draws, looks),
        ceiling=ceiling,
        floor=task.chance,
        position=_position(result, looks),
    )
    return Measured(
        metric=task.metric,
        message=_message(trial, result, judged=judged),
        estimate=None if not_assessed else estimate,
        columns=(task.target,),
        judged=judged,
        not_assessed=not_assessed,
        details=_details(trial, result),
    )


def _method(trial: Trial, draws: int, looks: int) -> str:
    level = "95 %" if looks == 1 else f"95 % for {looks} findings together"
    return (
        f"paired bootstrap of {len(trial.truth):,} test rows ({draws} draws) and models on disjoint parts of the "
        f"training rows; position by Fieller's theorem, {level}"
    )


def _message(trial: Trial, result: Result, *, judged: bool) -> str:
    task, skills = trial.task, result.skills
    name = _metric(task)
    text = (
        f"{NAMES[result.family]} reaches {name} {skills.synthetic + task.chance:.3f} when trained on synthetic rows and "
        f"{skills.real + task.chance:.3f} when trained on as many real rows (chance {task.chance:g})"
    )
    if len(task.classes) > 2:
        text += "; each class against the rest, weighted by its share"
    return "; ".join([text, *_remarks(trial)]) + (
        "" if judged else "; shown only, as another model learns more from real"
    )


def _remarks(trial: Trial) -> list[str]:
    """Return what a reader must know of this trial."""
    task, split = trial.task, trial.split
    known = trial.trained["synthetic"]
    remarks = []
    if not known:
        remarks.append("synthetic has no value of the target")
    elif trial.synthetic_values == 1:
        remarks.append("the target is constant in synthetic")
    elif known < 0.9 * len(split.synthetic) and known < 0.9 * trial.trained["real"]:
        remarks.append(f"only {known:,} of {len(split.synthetic):,} synthetic rows have a target that real knows")
    for names, where in ((trial.absent_from_synthetic, "synthetic"), (trial.absent_from_test, "the test rows")):
        if names and (where != "synthetic" or known):
            shown = ", ".join(repr(name) for name in names[:SHOWN_CLASSES])
            more = f" and {len(names) - SHOWN_CLASSES} more" if len(names) > SHOWN_CLASSES else ""
            remarks.append(f"{where} has no row of class {shown}{more}" if where == "synthetic" else
                           f"{where} hold no row of class {shown}{more}, which is not scored")  # fmt: skip
    if task.pooled:
        remarks.append(f"{task.pooled} rare classes are taken together")
    if split.duplicates:
        fate = "were left out of the test" if split.dropped else "stayed in the test, as chance explains them"
        remarks.append(f"{split.duplicates:,} test rows that also occur in real training rows {fate}")
    if not split.has_holdout:
        remarks.append(
            "there is no holdout, so a quarter of real tests; synthetic may have been fitted on it and look too good"
        )
    return remarks


def _details(trial: Trial, result: Result) -> dict[str, Json]:
    task, skills = trial.task, result.skills
    ratio, low, high = skills.ratio_interval()
    trtr, tstr_ = skills.real + task.chance, skills.synthetic + task.chance
    scores = {"real": _scores(trial, result.real), "synthetic": _scores(trial, result.synthetic)}
    details: dict[str, Json] = {
        "model": result.family,
        "task": "classification" if task.is_classification else "regression",
        "trtr": trtr,
        "tstr": tstr_,
        "raw_ratio": tstr_ / trtr if trtr else None,
        "skill_ratio": ratio,
        "skill_ratio_interval": [low, high] if np.isfinite([low, high]).all() else None,
        "scores": scores,
        "train_rows": {side: rows for side, rows in trial.trained.items()},
        "test_rows": len(trial.truth),
        "tested_on": "holdout" if trial.split.has_holdout else "real",
        "duplicates": trial.split.duplicates,
        "features": list(trial.features),
        "errors": {
            "test": [skills.test_synthetic**0.5, skills.test_real**0.5],
            "training": skills.train**0.5,
        },
    }
    if task.is_classification:
        truth = trial.truth.astype(np.int64)
        details["classes"] = list(task.classes)
        details["absent_from_synthetic"] = list(trial.absent_from_synthetic)
        details["calibration"] = {
            "real": calibration(truth, result.real),
            "synthetic": calibration(truth, result.synthetic),
        }
    return details


def _scores(trial: Trial, predicted: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Mapping[str, Json]:
    if trial.task.is_classification:
        return class_scores(trial.truth.astype(np.int64), predicted)
    scores = number_scores(trial.truth, predicted)
    spread = trial.task.spread
    return {name: value * spread if name in ("rmse", "mae") else value for name, value in scores.items()}


def _sum_up(
    judged: Sequence[Judged], trials: Mapping[str, Trial | Untried | None], chosen: Sequence[Candidate], looks: int
) -> Measurement:
    scored = [(j, j.position) for j in judged if j.position is not None]
    chosen_note = ""
    if chosen:
        shown = ", ".join(repr(candidate.target) for candidate in chosen)
        chosen_note = f"; no target was named, so those that real rows predict best were chosen: {shown}"
    if not scored:
        why = "; ".join(found.not_assessed for j in judged for found in j.findings[:1] if found.not_assessed)
        return Measurement.missing(why + chosen_note)
    ends = [[getattr(position, end) for _, position in scored] for end in ("value", "low", "high")]
    value, low, high = (float(np.mean(end)) for end in ends)
    score = Estimate(
        value=value,
        low=low,
        high=high,
        method="mean of the targets' intervals, 95 %",
        ceiling=1.0,
        floor=0.0,
        position=Position(value=value, low=low, high=high),
    )
    done = [trial for trial in trials.values() if isinstance(trial, Trial)]
    without_holdout = any(not trial.split.has_holdout for trial in done)
    many = f"{len(scored)} targets" if len(scored) > 1 else repr(scored[0][0].target)
    return Measurement(
        reason=(
            f"models trained on synthetic rows keep {value:.0%} of the skill above chance for {many}"
            + (", tested on real rows that synthetic may have been fitted on (no holdout)" if without_holdout else "")
            + chosen_note
        ),
        findings=tuple(found for j in judged for found in j.findings),
        score=score,
        ledger=Ledger(len(scored), _skips(judged)),
        power=_power(scored, done),
        details={"chosen": {candidate.target: candidate.skill for candidate in chosen}} if chosen else {},
    )


def _skips(judged: Sequence[Judged]) -> tuple[Skip, ...]:
    """Return what was left out; with several targets, a column that was left out for all of them once."""
    every = [set(j.skipped) for j in judged]
    common = set.intersection(*every) if every else set()
    out = list(dict.fromkeys(skip for j in judged for skip in j.skipped if skip in common))
    for j in judged:
        suffix = f" (for {j.target!r})" if len(judged) > 1 else ""
        out += [
            Skip(skip.subject, skip.reason if skip.subject == j.target else skip.reason + suffix)
            for skip in j.skipped
            if skip not in common
        ]
    return tuple(out)


def _power(scored: Sequence[tuple[Judged, Position]], trials: Sequence[Trial]) -> str | None:
    """Word the smallest loss of skill that this trial would have told from none."""
    halves = [
        max(high - value, value - low)
        for trial in trials
        for value, low, high in [_judged_families(trial)[0].skills.ratio_interval()]
        if np.isfinite([low, high]).all()
    ]
    if not halves or not scored:
        return None
    rows = trials[0].trained
    smallest = min(1.0, float(np.median(halves)))
    return (
        f"with {min(rows.values()):,} training and {len(trials[0].truth):,} test rows, "
        f"a loss of {smallest:.1%} of the skill or more would have been told from none"
    )
