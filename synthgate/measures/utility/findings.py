"""From a trial to findings: what is judged, and what is said about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthgate.findings import Estimate, Json, Measured, Position, Skip
from synthgate.measures.utility.compare import as_estimate, place
from synthgate.measures.utility.fitting import Extra, Result
from synthgate.measures.utility.models import name_of
from synthgate.measures.utility.scores import calibration, class_scores, confusion, number_scores
from synthgate.measures.utility.trials import (
    NEARLY_BEST,
    Trial,
    Untried,
    judged_families,
    ranked_families,
    why_not_learnable,
)

LEAST_CONFIDENCE = 0.2
KNOWN_TO = 0.25
SHOWN_CLASSES = 3
NOTHING = Position(value=0.0, low=0.0, high=0.0)


@dataclass(frozen=True, slots=True)
class Judged:
    """What was found about one target.

    Attributes
    ----------
    findings : tuple of Measured
        The best family by training on real rows first.
    position : Position or None
        Of the best family, at 95 %; None when the target was not assessed.
    skipped : tuple of Skip
    """

    target: str
    findings: tuple[Measured, ...]
    position: Position | None = None
    skipped: tuple[Skip, ...] = ()


def count_looks(trial: Trial | Untried | None, *, probabilities: bool) -> int:
    """Return how many findings on a target are judged."""
    if not isinstance(trial, Trial) or why_not_learnable(trial):
        return 0
    return len(judged_families(trial)) + (probabilities and trial.task.is_classification)


def judge_target(target: str, trial: Trial | Untried | None, looks: int, *, probabilities: bool | None) -> Judged:
    """Turn the trial of one target into findings.

    Parameters
    ----------
    trial : Trial, Untried or None
        None when synthetic does not have the target.
    looks : int
        How many findings are judged over all targets.
    probabilities : bool or None
        Whether the saved log loss is judged; it is shown anyway, unless this is None.
    """
    if trial is None:
        return Judged(target, (_absent_target(target),), NOTHING)
    if isinstance(trial, Untried):
        missing = Measured(metric="skill", message=trial.reason, columns=(target,), not_assessed=trial.reason)
        return Judged(target, (missing,), skipped=(Skip(target, trial.reason), *trial.skipped))
    ranked, judged = ranked_families(trial), judged_families(trial)
    why = why_not_learnable(trial)
    if why:
        shown = tuple(_skill_finding(trial, result, looks, not_assessed=why) for result in ranked)
        return Judged(target, shown, skipped=(Skip(target, why), *trial.skipped))
    findings = [_skill_finding(trial, result, looks, is_judged=result in judged) for result in ranked]
    if trial.task.is_classification and probabilities is not None:
        findings.append(_confidence_finding(trial, judged, looks, is_judged=probabilities))
    findings += [_extra_finding(trial, extra) for extra in trial.extras]
    return Judged(target, tuple(findings), place(ranked[0].skills), (*trial.skipped, *trial.unfit))


def _absent_target(target: str) -> Measured:
    return Measured(
        metric="skill_ratio",
        message="synthetic does not have this target: no model can be trained on it",
        estimate=Estimate(value=0.0, low=0.0, high=0.0, method="exact", ceiling=1.0, floor=0.0, position=NOTHING),
        columns=(target,),
    )


def _skill_finding(
    trial: Trial, result: Result, looks: int, *, is_judged: bool = True, not_assessed: str | None = None
) -> Measured:
    task, skills = trial.task, result.skills
    name = task.score
    text = (
        f"{name_of(result.family)} reaches {name} {skills.synthetic + task.chance:.3f} when trained on synthetic rows "
        f"and {skills.real + task.chance:.3f} when trained on as many real rows (chance {task.chance:g})"
    )
    if len(task.classes) > 2:
        text += ", each class against the rest, weighted by its share"
    remarks = _remarks(trial) if is_judged else ["shown only, as another model learns more from real rows"]
    return Measured(
        metric=task.metric,
        message="; ".join([text, *remarks]),
        estimate=None if not_assessed else as_estimate(skills, task.chance, looks, f"{len(trial.truth):,} test rows"),
        columns=(task.target,),
        judged=is_judged,
        not_assessed=not_assessed,
        details=_details(trial, result),
    )


def _extra_finding(trial: Trial, extra: Extra) -> Measured:
    """Show, unjudged, what training on more rows than were matched gives."""
    task = trial.task
    rows = {
        "all_real": f"all {extra.rows:,} real training rows",
        "all_synthetic": f"all {extra.rows:,} synthetic rows",
        "real_and_synthetic": f"real and synthetic rows together ({extra.rows:,})",
    }[extra.kind]
    value = extra.skill + task.chance
    text = (
        f"{name_of(extra.family)} reaches {task.score} {value:.3f} when trained on {rows}: {extra.gain:+.3f} "
        f"(+-{extra.half:.3f}) against {trial.trained['real']:,} real rows; shown only, as sizes are not matched"
    )
    return Measured(
        metric=f"{task.metric}_{extra.kind}",
        message=text,
        estimate=Estimate(
            value=value,
            low=value - extra.half,
            high=value + extra.half,
            method="paired bootstrap of the test rows against the model on matched real rows, 95 %",
        ),
        columns=(task.target,),
        judged=False,
        details={"model": extra.family, "train_rows": extra.rows, "gain": extra.gain},
    )


def _confidence_finding(trial: Trial, judged: Sequence[Result], looks: int, *, is_judged: bool) -> Measured:
    """Compare the log loss that is saved, by the model that shows it with the smallest error among the best.

    Where training on real rows saves less than a fifth, or a share that is not known to a quarter, it is shown only:
    few rows and weak signals teach order long before they teach probabilities.
    """
    saved = [(result, result.confidence) for result in judged if result.confidence is not None]
    most = max(skills.real for _, skills in saved)
    result, skills = min(
        ((result, skills) for result, skills in saved if skills.real >= NEARLY_BEST * most),
        key=lambda item: item[1].real_half(),
        default=max(saved, key=lambda item: item[1].real),
    )
    learns = skills.real >= LEAST_CONFIDENCE and skills.real_half() < skills.real * KNOWN_TO
    text = (
        f"the probabilities of {name_of(result.family)} save {skills.synthetic:.1%} of the log loss of plain class "
        f"shares when trained on synthetic rows and {skills.real:.1%} when trained on as many real rows"
    )
    return Measured(
        metric="log_loss_saved",
        message=text if learns else f"{text}; shown only, as real rows hardly teach probabilities here",
        estimate=as_estimate(skills, 0.0, looks, f"{len(trial.truth):,} test rows"),
        columns=(trial.task.target,),
        judged=learns and is_judged,
        details={"model": result.family, "trtr": skills.real, "tstr": skills.synthetic},
    )


def _remarks(trial: Trial) -> list[str]:
    """Return what a reader must know of this trial."""
    task, split = trial.task, trial.split
    known = trial.trained["synthetic"]
    remarks = []
    if not known:
        remarks.append("synthetic has no usable value of the target")
    elif trial.synthetic_values == 1:
        remarks.append("the target is constant in synthetic")
    elif known < 0.9 * len(split.synthetic) and known < 0.9 * trial.trained["real"]:
        remarks.append(f"only {known:,} of {len(split.synthetic):,} synthetic rows have a target that real knows")
    if trial.absent_from_synthetic and known:
        remarks.append(f"synthetic has no row of class {_listed(trial.absent_from_synthetic)}")
    if trial.absent_from_test:
        remarks.append(f"test rows hold no class {_listed(trial.absent_from_test)}, which is not scored")
    if task.pooled:
        remarks.append(f"{task.pooled} rare classes are taken together")
    if split.duplicates:
        fate = "were left out of the test" if split.dropped else "stayed in the test, as chance explains them"
        remarks.append(f"{split.duplicates:,} test rows that also occur in real training rows {fate}")
    if split.by_time:
        remarks.append(split.by_time)
    if not split.has_holdout:
        share = len(split.test) / max(1, len(split.test) + len(split.real_pool))
        remarks.append(
            f"there is no holdout, so {share:.0%} of real tests; synthetic may have been fitted on it and look too good"
        )
    return remarks


def _listed(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - SHOWN_CLASSES} more" if len(names) > SHOWN_CLASSES else ""
    return ", ".join(repr(name) for name in names[:SHOWN_CLASSES]) + more


def _details(trial: Trial, result: Result) -> dict[str, Json]:
    task, skills = trial.task, result.skills
    ratio, low, high = skills.ratio_interval()
    trtr, tstr = skills.real + task.chance, skills.synthetic + task.chance
    details: dict[str, Json] = {
        "model": result.family,
        "task": "classification" if task.is_classification else "regression",
        "trtr": trtr,
        "tstr": tstr,
        "raw_ratio": tstr / trtr if trtr else None,
        "skill_ratio": ratio,
        "skill_ratio_interval": [low, high] if np.isfinite([low, high]).all() else None,
        "scores": {
            "real": _scores(trial, result.real.said),
            "synthetic": _scores(trial, result.synthetic.said),
            "chance": _scores(trial, _chance(trial)),
        },
        "train_rows": dict(trial.trained),
        "test_rows": len(trial.truth),
        "tested_on": "holdout" if trial.split.has_holdout else "real",
        "duplicates": trial.split.duplicates,
        "features": list(trial.features),
        "standard_errors": {
            "test_synthetic": float(np.sqrt(skills.test_synthetic)),
            "test_real": float(np.sqrt(skills.test_real)),
            "training": float(np.sqrt(skills.train)),
        },
    }
    if task.is_classification:
        truth = trial.truth.astype(np.int64)
        details["classes"] = list(task.classes)
        details["absent_from_synthetic"] = list(trial.absent_from_synthetic)
        details["calibration"] = {
            "real": calibration(truth, result.real.said),
            "synthetic": calibration(truth, result.synthetic.said),
        }
        details["confusion"] = {
            "real": confusion(truth, result.real.said, task.classes),
            "synthetic": confusion(truth, result.synthetic.said, task.classes),
        }
    return details


def _chance(trial: Trial) -> NDArray[np.float64]:
    """Return what a model says that knows the real shares of the classes, or the mean, and nothing else."""
    if not trial.task.is_classification:
        return np.zeros(len(trial.truth))
    shares = np.bincount(trial.truth.astype(np.int64), minlength=len(trial.task.classes)) / len(trial.truth)
    return np.tile(shares, (len(trial.truth), 1))


def _scores(trial: Trial, predicted: NDArray[np.float64]) -> Mapping[str, Json]:
    if trial.task.is_classification:
        return class_scores(trial.truth.astype(np.int64), predicted)
    scores = number_scores(trial.truth, predicted)
    spread = trial.task.spread
    return {name: value * spread if name in ("rmse", "mae") else value for name, value in scores.items()}
