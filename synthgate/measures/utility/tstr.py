"""Train on synthetic, test on real: how much of a real model's skill does synthetic training keep?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from synthgate.catalogue import Options, measure
from synthgate.findings import Estimate, Ledger, Measurement, Position, Skip
from synthgate.measures.utility import labels
from synthgate.measures.utility.findings import Judged, count_looks, judge_target
from synthgate.measures.utility.fitting import Settings
from synthgate.measures.utility.sweep import Asked, ask, settings_of
from synthgate.measures.utility.trials import Trial, ranked_families

if TYPE_CHECKING:
    from synthgate.evidence import Evidence
    from synthgate.sample import Sample

SHOWN_WORST = 3


@measure(
    "utility.tstr",
    models=["boosting", "linear"],
    max_train_rows=25_000,
    draws=200,
    max_targets=40,
    probabilities=True,
    augmentation=False,
)
def tstr(evidence: Evidence, options: Options) -> Measurement:
    """Train models on synthetic and on as many real rows, and test both on real rows that neither saw.

    Per target a linear model and gradient boosting, or what `models` names, each coded by its own training rows only.
    The judged number is the skill above chance (AUC less 0.5, or R2) that training on synthetic rows keeps: 1 is as
    good as real rows, 0 is chance. Its interval covers the test rows and the luck of the training rows. For classes
    the log loss saved is judged as well, unless `probabilities` is off: noisy labels spoil probabilities before they
    spoil the order. Without a target every column in turn is one, with a small forest.

    The reverse test stands beside it: whether synthetic outcomes follow from the other columns as real ones do, to a
    model of real rows. Labels that are wrong in a few rows show there long before models that learn from them differ.
    """
    found = assess(
        evidence.sample,
        evidence.targets,
        settings_of(evidence, options),
        max_targets=int(str(options["max_targets"])),
        probabilities=bool(options["probabilities"]),
    )
    return labels.beside(found, evidence)


def assess(
    sample: Sample,
    targets: Sequence[str],
    settings: Settings,
    *,
    max_targets: int = 40,
    probabilities: bool = True,
) -> Measurement:
    """Assess the named targets, or every column that real rows predict when none is named.

    Parameters
    ----------
    targets : sequence of str
        Columns of the real table; one that synthetic lacks is a failure with position 0.
    max_targets : int
        How many columns are tried as target when none is named.
    probabilities : bool
        Whether the log loss saved by class probabilities is judged, rather than shown only.
    """
    if settings.time and settings.time not in sample.roles:
        return Measurement.missing(f"synthetic does not have the time column {settings.time!r} that orders the rows")
    asked = ask(sample, targets, settings, max_targets)
    if not asked.trials:
        tried = f"none of the {asked.tried} real columns tried can be predicted from others at this size"
        return Measurement.missing(f"no target was named, and {tried}")
    probabilities = probabilities and not asked.swept
    looks = max(1, sum(count_looks(trial, probabilities=probabilities) for trial in asked.trials.values()))
    judged = [
        judge_target(name, trial, looks, probabilities=probabilities if not asked.swept else None)
        for name, trial in asked.trials.items()
    ]
    return _sum_up(judged, asked)


def _sum_up(judged: Sequence[Judged], asked: Asked) -> Measurement:
    note = ""
    if asked.swept:
        judged = sorted(judged, key=lambda j: j.position.value if j.position else 2.0)
        shown = ", ".join(repr(j.target) for j in judged[:SHOWN_WORST])
        note = f"; no target was named, so each column was one in turn: lowest are {shown}"
    scored = [(j.target, j.position) for j in judged if j.position is not None]
    if not scored:
        why = "; ".join(found.not_assessed for j in judged for found in j.findings[:1] if found.not_assessed)
        return Measurement.missing(why + note)
    value, low, high = (
        float(np.mean([getattr(position, end) for _, position in scored])) for end in ("value", "low", "high")
    )
    done = [trial for trial in asked.trials.values() if isinstance(trial, Trial)]
    if any(not trial.split.has_holdout for trial in done):
        note = ", tested on real rows that synthetic may have been fitted on, as there is no holdout" + note
    subject = f"{len(scored)} targets" if len(scored) > 1 else repr(scored[0][0])
    return Measurement(
        reason=f"models trained on synthetic rows keep {value:.0%} of the skill above chance for {subject}{note}",
        findings=tuple(found for j in judged for found in j.findings),
        score=Estimate(
            value=value,
            low=low,
            high=high,
            method="mean of the targets' intervals, 95 %",
            ceiling=1.0,
            floor=0.0,
            position=Position(value=value, low=low, high=high),
        ),
        ledger=Ledger(len(scored), (*_skips(judged), *_dull(asked))),
        power=_power(done),
    )


def _dull(asked: Asked) -> tuple[Skip, ...]:
    return tuple(Skip(name, "real rows hardly predict it from the other columns") for name in asked.dull)


def _skips(judged: Sequence[Judged]) -> tuple[Skip, ...]:
    """Return what was left out; a column that was left out for every target once."""
    common = set.intersection(*(set(j.skipped) for j in judged))
    out = [skip for skip in judged[0].skipped if skip in common]
    for j in judged:
        suffix = f" (for {j.target!r})" if len(judged) > 1 else ""
        own = [skip for skip in j.skipped if skip not in common]
        out += [skip if skip.subject == j.target else Skip(skip.subject, skip.reason + suffix) for skip in own]
    return tuple(out)


def _power(trials: Sequence[Trial]) -> str | None:
    """Word the smallest loss of skill that this trial would have told from none."""
    lost = []
    for trial in trials:
        value, low, high = ranked_families(trial)[0].skills.ratio_interval()
        if np.isfinite([low, high]).all():
            lost.append(max(high - value, value - low))
    if not lost:
        return None
    least = min(1.0, sorted(lost)[len(lost) // 2])
    where = " for the middling target" if len(lost) > 1 else ""
    return (
        f"with {min(trials[0].trained.values()):,} training and {len(trials[0].truth):,} test rows, "
        f"a loss of {least:.1%} of the skill or more would have been told from none{where}"
    )
