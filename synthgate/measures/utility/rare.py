"""Rare classes: does synthetic training still find them?"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from synthgate.findings import Measured, Skip
from synthgate.measures.utility.compare import as_estimate, compare, is_known
from synthgate.measures.utility.models import name_of
from synthgate.measures.utility.ratio import Skills
from synthgate.measures.utility.scores import one_class_scores
from synthgate.measures.utility.tasks import OTHERS
from synthgate.measures.utility.trials import Trial, closest_look
from synthgate.sample import Sample

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

LEAST_CLASS_ROWS = 20
EVEN = 0.5
MAX_RARE = 5
NAMES = ("average_precision", "recall", "precision")
SAID = {"average_precision": "an average precision of", "recall": "a recall of", "precision": "a precision of"}
LEAST = {"average_precision": 0.05, "recall": 0.2, "precision": 0.2}


def rare_classes(trial: Trial) -> tuple[list[int], list[Skip]]:
    """Return the classes to look at: those of at most half an even share of the test rows, and the rarest one.

    Those of fewer than 20 test rows cannot be assessed, and are not named: few people may be in them.
    """
    counts = np.bincount(trial.truth.astype(np.int64), minlength=len(trial.task.classes))
    shares = counts / counts.sum()
    order = [int(k) for k in np.argsort(counts, kind="stable") if trial.task.classes[int(k)] != OTHERS]
    rare = [k for at, k in enumerate(order) if at == 0 or shares[k] <= EVEN / len(counts)]
    large = [k for k in rare if counts[k] >= LEAST_CLASS_ROWS]
    skips = []
    if len(large) < len(rare):
        few = f"{len(rare) - len(large)} classes have fewer than {LEAST_CLASS_ROWS} test rows"
        skips.append(Skip(trial.task.target, few))
    if len(large) > MAX_RARE:
        skips.append(Skip(trial.task.target, f"only the {MAX_RARE} rarest of {len(large)} rare classes are looked at"))
    return large[:MAX_RARE], skips


def class_skills(sample: Sample, trial: Trial, at: int) -> dict[str, Skills]:
    """Return average precision above the class's share, recall, and precision above the share, of both trainings."""
    result = closest_look(trial)
    share = float((trial.truth == at).mean())
    score = partial(_above_chance, truth=trial.truth.astype(np.int64), at=at, share=share)
    skills = compare(trial, result, score, sample.rng(f"utility.rare {trial.task.target} {at}"))
    return dict(zip(NAMES, skills, strict=True))


def _above_chance(
    rows: IntArray, said: FloatArray, weights: FloatArray, *, truth: IntArray, at: int, share: float
) -> FloatArray:
    scores = one_class_scores(truth[rows], said, at, weights)
    return np.asarray(scores - np.array([share, 0.0, share])[:, None], np.float64)


def class_findings(trial: Trial, at: int, found: dict[str, Skills], looks: int) -> list[Measured]:
    """Word what was found about one class: each score judged where real training surely reaches it."""
    family = closest_look(trial).family
    share = float((trial.truth == at).mean())
    rows = int((trial.truth == at).sum())
    name = trial.task.classes[at]
    absent = name in trial.absent_from_synthetic
    out = []
    for metric, skills in found.items():
        chance = 0.0 if metric == "recall" else share
        subject = f"class {name!r} of {trial.task.target!r} ({share:.1%} of the test rows)"
        if not np.isfinite([skills.real, skills.synthetic]).all():
            why = f"{subject}: {metric} cannot be told, as a model never says the class"
            out.append(Measured(metric=metric, message=why, columns=(trial.task.target,), not_assessed=why))
            continue
        judged = is_known(skills, LEAST[metric])
        text = (
            f"for {subject}, {name_of(family)} reaches {SAID[metric]} {skills.synthetic + chance:.3f} when trained on "
            f"synthetic rows and {skills.real + chance:.3f} when trained on as many real rows"
        )
        text += "; synthetic has no row of it" if absent else ""
        text += "" if judged else "; shown only, as real rows do not surely teach it at this size"
        out.append(
            Measured(
                metric=metric,
                message=text,
                estimate=as_estimate(skills, chance, looks, f"{len(trial.truth):,} test rows, {rows:,} of the class"),
                columns=(trial.task.target,),
                judged=judged,
                details={
                    "class": name,
                    "test_rows": rows,
                    "share": share,
                    "trtr": skills.real + chance,
                    "tstr": skills.synthetic + chance,
                    "model": family,
                },
            )
        )
    return out
