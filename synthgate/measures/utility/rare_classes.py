"""What an average hides: rare classes, slices of the rows, and gaps between groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgate.catalogue import Options, measure
from synthgate.findings import Estimate, Ledger, Measured, Measurement, Position, Skip
from synthgate.measures.utility.compare import as_estimate, compare, is_known, selected
from synthgate.measures.utility.groups import check_groups, group_findings
from synthgate.measures.utility.models import name_of
from synthgate.measures.utility.rare import class_findings, class_skills, rare_classes
from synthgate.measures.utility.ratio import Skills
from synthgate.measures.utility.scores import skills as score_skills
from synthgate.measures.utility.slices import Slice, find_slices
from synthgate.measures.utility.sweep import asked
from synthgate.measures.utility.trials import Trial, closest_look

if TYPE_CHECKING:
    from synthgate.evidence import Evidence
    from synthgate.sample import Sample
    from synthgate.sides import Side

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SWEPT_TARGETS = 2
LEAST_SLICE_TEST = 200
LEAST_CONFIDENCE = 0.2
LEAST_SLICE_SKILL = 0.1
WHERE = "checks.utility.rare_classes"


@measure("utility.rare_classes", slices=[], groups=[], max_gap=0.1)
def rare_cases(evidence: Evidence, options: Options) -> Measurement:
    """Look where averages hide a loss: each rare class, the slices that lose most, the gaps between named groups.

    The models are those of ``utility.tstr``. Rare classes are judged by average precision, recall and precision. Slices
    are named by conditions, or searched for on one half of the test rows and measured on the other. Where no target is
    named, the two columns that real rows predict best are looked at.
    """
    sample = evidence.sample
    groups = [str(name) for name in _list(options["groups"])]
    check_groups(sample, groups, f"{WHERE}.groups")
    found = asked(evidence)
    trials = found.best(SWEPT_TARGETS)
    if not trials:
        return Measurement.missing("no target is predicted by real rows well enough to compare trainings on rare cases")
    conditions = [str(sql) for sql in _list(options["slices"])]
    most = float(str(options["max_gap"]))
    findings: list[Measured] = []
    skips: list[Skip] = []
    for trial in trials.values():
        named = _named(evidence, trial, conditions)
        part, left = _assess(sample, trial, named, len(groups))
        findings += part
        skips += left
        for name in groups:
            findings += group_findings(sample, trial, name, 3 * len(groups) * len(trials), most)
    return _sum_up(findings, skips, tuple(trials))


def _list(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else ()


def _assess(sample: Sample, trial: Trial, named: Sequence[Slice], groups: int) -> tuple[list[Measured], list[Skip]]:
    """Measure the rare classes and the slices of one target, all corrected together."""
    classes: dict[int, dict[str, Skills]] = {}
    skips: list[Skip] = []
    if trial.task.is_classification:
        rare, skips = rare_classes(trial)
        classes = {at: class_skills(sample, trial, at) for at in rare}
    slices = [(one, _slice_skills(sample, trial, one, one.rows), 0) for one in named]
    if trial.units:
        tied = (
            "rows come in sequences or families: no half of the test rows is new to the other, and no slice is sought"
        )
        skips.append(Skip(trial.task.target, tied))
    elif len(trial.truth) >= LEAST_SLICE_TEST:
        search = find_slices(sample, trial)
        slices += [(s, _slice_skills(sample, trial, s, s.rows & search.kept), search.tried) for s in search.slices]
    else:
        few = f"slices are searched for from {LEAST_SLICE_TEST} test rows on, and there are {len(trial.truth):,}"
        skips.append(Skip(trial.task.target, few))
    looks = max(1, 3 * len(classes) + sum(len(skills) for _, skills, _ in slices))
    out = [found for at, skills in classes.items() for found in class_findings(trial, at, skills, looks)]
    for one, skills, tried in slices:
        out += _slice_findings(trial, one, skills, tried, looks)
    return out, skips


def _slice_skills(sample: Sample, trial: Trial, one: Slice, rows: NDArray[np.bool_]) -> list[Skills]:
    def score(at: IntArray, said: FloatArray, weights: FloatArray) -> FloatArray:
        return score_skills(trial.truth[at], said, weights)

    if not rows.any():
        return []
    return compare(trial, closest_look(trial), score, sample.rng(f"utility.slice {one.words}"), rows)


def _slice_findings(trial: Trial, one: Slice, skills: Sequence[Skills], tried: int, looks: int) -> list[Measured]:
    columns = (trial.task.target, *one.columns)
    rows = int(one.rows.sum())
    how = f"found among {tried:,} conditions on other test rows" if tried else "named by the gate file"
    subject = f"where {one.words} ({rows:,} test rows; {how})"
    if not skills or not np.isfinite([skills[0].real, skills[0].synthetic]).all():
        why = f"{subject} too few rows or outcomes are tested"
        return [Measured(metric="slice_skill", message=why, columns=columns, not_assessed=why)]
    out = []
    family = name_of(closest_look(trial).family)
    for at, measured in enumerate(skills):
        wide = selected(measured, tried, looks) if tried else measured
        chance = trial.task.chance if at == 0 else 0.0
        judged = is_known(wide, LEAST_CONFIDENCE if at else LEAST_SLICE_SKILL)
        name = "share of log loss saved" if at else trial.task.score
        text = (
            f"{subject}, {family} reaches {name} {measured.synthetic + chance:.3f} for {trial.task.target!r} when "
            f"trained on synthetic rows and {measured.real + chance:.3f} when trained on as many real rows"
        )
        out.append(
            Measured(
                metric="slice_log_loss_saved" if at else f"slice_{trial.task.metric}",
                message=text if judged else f"{text}; shown only, as real rows do not surely teach it there",
                estimate=as_estimate(wide, chance, looks, "the slice's test rows"),
                columns=columns,
                judged=judged,
                details={
                    "slice": one.words,
                    "test_rows": rows,
                    "conditions_tried": tried,
                    "trtr": measured.real + chance,
                    "tstr": measured.synthetic + chance,
                },
            )
        )
    return out


def _named(evidence: Evidence, trial: Trial, conditions: Sequence[str]) -> list[Slice]:
    """Return the slices that the gate file names, as conditions in SQL over the columns of the tested table.

    Raises
    ------
    GateFileError
        For anything but one condition over the row's own columns.
    """
    from synthgate.expressions import check_expression, locked_connection, row_mask, typed_batch

    if not conditions:
        return []
    side: Side = evidence.holdout if evidence.holdout is not None else evidence.real
    batch = typed_batch(evidence.plan, side.kept, evidence.real.table.schema)
    out = []
    with locked_connection() as connection:
        for sql in conditions:
            check_expression(connection, sql, f"{WHERE}.slices", batch.schema.names)
            mask = row_mask(connection, batch, sql, f"{WHERE}.slices")
            out.append(Slice(sql, (), mask[trial.test_rows]))
    return out


def _sum_up(findings: Sequence[Measured], skips: Sequence[Skip], targets: Sequence[str]) -> Measurement:
    judged = [(f, f.estimate.position) for f in findings if f.judged and f.estimate and f.estimate.position]
    names = ", ".join(repr(name) for name in targets)
    if not judged:
        shown = [f for f in findings if f.estimate]
        why = f"no rare class or slice of {names} is taught surely enough by real rows of this size"
        if not any(f.judged for f in shown):
            return Measurement(reason=why, not_assessed=why, findings=tuple(findings), ledger=Ledger(0, tuple(skips)))
        return Measurement(reason=why, findings=tuple(findings), ledger=Ledger(len(shown), tuple(skips)))
    value, low, high = (float(np.mean([getattr(at, end) for _, at in judged])) for end in ("value", "low", "high"))
    worst = min(judged, key=lambda item: item[1].high)[0]
    return Measurement(
        reason=f"rare classes and slices of {names} keep {value:.0%} of what real training reaches; "
        f"lowest: {worst.message}",
        findings=tuple(sorted(findings, key=_badness)),
        score=Estimate(
            value=value,
            low=low,
            high=high,
            method="mean of the judged findings' intervals",
            ceiling=1.0,
            floor=0.0,
            position=Position(value=value, low=low, high=high),
        ),
        ledger=Ledger(len(judged), tuple(skips)),
    )


def _badness(found: Measured) -> float:
    return found.estimate.position.value if found.estimate and found.estimate.position and found.judged else 2.0
