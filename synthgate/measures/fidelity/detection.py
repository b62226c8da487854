"""Detection: can a model tell synthetic rows from real ones, and by what?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import pi, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synthgate.catalogue import Options, measure
from synthgate.findings import Estimate, Json, Ledger, Measured, Measurement, Position, Skip
from synthgate.measures.fidelity.columns import DRIFT_Z
from synthgate.measures.fidelity.explanation import Explanation, explain
from synthgate.measures.fidelity.unlike import unlike_any_real
from synthgate.measures.privacy.inference import Auc, stratified_auc
from synthgate.measures.utility.features import Columns, fit_encoder
from synthgate.measures.utility.models import FAMILIES, NAMES, Recipe, run_all
from synthgate.roles import Role
from synthgate.sample import Sample, SampleSide
from synthgate.statistics.intervals import z_value

if TYPE_CHECKING:
    from synthgate.evidence import Evidence

FloatArray = NDArray[np.float64]
Places = NDArray[np.int64]

FOLDS = 3
LEAST_ROWS = 60
WRITTEN_DECIMALS = 15


@dataclass(frozen=True, slots=True)
class Told:
    """How well one model family tells two sides apart.

    Attributes
    ----------
    family : str
    auc : Auc
    rows : int
        Rows of each side.
    """

    family: str
    auc: Auc
    rows: int

    def interval(self, z: float, design: float) -> tuple[float, float]:
        """Return the AUC's interval, in [0, 1]."""
        half = z * sqrt(max(self.auc.variance, 0.0)) * design
        return max(0.0, self.auc.value - half), min(1.0, self.auc.value + half)


@measure("fidelity.detection", max_rows=6000)
def detection(evidence: Evidence, options: Options) -> Measurement:
    """Train models to tell synthetic from real rows, and name the slices where the two differ most.

    A classifier two-sample test (Lopez-Paz and Oquab 2017): gradient boosting and logistic regression,
    each cross-fitted, on as many rows of either side. The score is SDMetrics' detection score,
    ``1 - (2 * max(AUC, 0.5) - 1)``, of the stronger model: 1 when nothing tells the sides apart,
    0 when everything does. Its ceiling is the same for fresh real rows. Slices are conjunctions of
    up to three conditions, found on one half of the rows and counted on the other. Beside them stand the
    rows that are unlike any real one.
    """
    sample = evidence.sample
    names, skipped = _subjects(evidence)
    most = int(str(options["max_rows"]))
    rows = min(sample.real.rows, sample.synthetic.rows, most)
    if not names:
        return Measurement.missing("no column of a comparable role is shared by both tables")
    if rows < LEAST_ROWS:
        return Measurement.missing(f"models need at least {LEAST_ROWS} rows of either side, there are {rows}")
    z = z_value(looks=len(FAMILIES))
    told = tell_apart(sample, (sample.synthetic, sample.real), names, rows, FAMILIES)
    strongest = max(told, key=lambda t: t.auc.value)
    ceiling, how = _ceiling(sample, names, most, strongest)
    score = _score(told, ceiling, z, evidence.design_effect)
    explained = explain(evidence, names)
    unlike = unlike_any_real(evidence)
    return Measurement(
        reason=_reason(strongest, score, explained),
        findings=(
            *([unlike] if unlike else []),
            *explained.findings,
            *(_model(t, z, evidence.design_effect) for t in told),
        ),
        score=score,
        ledger=Ledger(len(names), (*skipped, *explained.skipped)),
        power=(
            f"with {rows:,} rows of either side, an AUC of {0.5 + _null_spread(rows) * (z + 0.84):.3f} "
            f"would have been told from guessing with probability 0.8; {explained.power}"
        ),
        details={
            "rows": rows,
            "auc": strongest.auc.value,
            "ceiling": how,
            "slices_searched": explained.searched,
            "slices_held": len(explained.findings),
        },
    )


def _subjects(evidence: Evidence) -> tuple[list[str], list[Skip]]:
    names, skipped = [], []
    for name, role in evidence.sample.roles.items():
        if name in evidence.keys:
            skipped.append(Skip(name, "keys tell rows apart by name only"))
        elif not (role.is_discrete or role.is_continuous):
            skipped.append(Skip(name, f"{role} columns are left out"))
        else:
            names.append(name)
    return names, skipped


def tell_apart(
    sample: Sample, sides: tuple[SampleSide, SampleSide], names: Sequence[str], rows: int, families: Sequence[str]
) -> list[Told]:
    """Train each model family, cross-fitted, to tell `rows` rows of the first side from as many of the second."""
    rng = sample.rng("fidelity.detection")
    taken = [np.sort(rng.choice(side.rows, rows, replace=False)) for side in sides]
    columns = {name: _joined(sample, name, sides, taken) for name in names}
    member = np.repeat([True, False], rows)
    fold = np.concatenate([rng.permutation(np.arange(rows) % FOLDS) for _ in sides]).astype(np.int64)
    scores: list[FloatArray] = []
    for family in families:
        jobs = [partial(_fit, sample, columns, member, fold == k, family) for k in range(FOLDS)]
        # logistic fits swap the process's warning filters, which no other thread may do meanwhile
        scores += run_all(jobs) if family == "boosting" else [run_all([job])[0] for job in jobs]
    out = []
    for at, family in enumerate(families):
        joined = np.empty(2 * rows)
        for k in range(FOLDS):
            joined[fold == k] = scores[at * FOLDS + k]
        out.append(Told(family, stratified_auc(joined, member, fold), rows))
    return out


def _joined(
    sample: Sample, name: str, sides: tuple[SampleSide, SampleSide], taken: Sequence[NDArray[Any]]
) -> NDArray[Any]:
    """Return a column of both sides; numbers are rounded as the real ones are written."""
    values = np.concatenate([side.columns[name][at] for side, at in zip(sides, taken, strict=True)])
    decimals = sample.decimals.get(name, WRITTEN_DECIMALS)
    if sample.roles[name] is Role.NUMERICAL and decimals < WRITTEN_DECIMALS:
        return np.where(np.abs(values) < 1e15, np.round(values, decimals), values)
    return values


def _fit(
    sample: Sample, columns: Columns, member: NDArray[np.bool_], test: NDArray[np.bool_], family: str
) -> FloatArray:
    """Train on the rows outside a fold and return the scores of the rows inside."""
    train, asked = ({name: values[at] for name, values in columns.items()} for at in (~test, test))
    roles: Mapping[str, Role] = sample.roles
    encoder = fit_encoder(train, roles, sample.dictionaries)
    model = Recipe(family, 2, int((~test).sum())).fit(encoder, train, member[~test].astype(np.float64))
    return model(asked)[:, 1]


def _null_spread(rows: int) -> float:
    """Return the AUC's standard deviation for two samples of one population (Mann and Whitney 1947)."""
    return sqrt((2 * rows + 1) / (12 * rows * rows))


def score_of(auc: float) -> float:
    """Return SDMetrics' detection score: 1 when nothing tells the sides apart, 0 when everything does.

    Examples
    --------
    >>> score_of(0.5), score_of(0.75), score_of(1.0), score_of(0.4)
    (1.0, 0.5, 0.0, 1.0)
    """
    return 2 * (1 - max(0.5, auc))


def _ceiling(sample: Sample, names: Sequence[str], most: int, strongest: Told) -> tuple[float, str]:
    """Return the score of fresh real rows, and where it comes from.

    Fresh rows of the same population reach an AUC of one half, give or take its null spread; the holdout's own
    AUC against real is used where it lies beyond chance, for then the two are not from one population.
    """
    chance = 1 - 2 * _null_spread(strongest.rows) / sqrt(2 * pi)
    held = min(sample.holdout.rows, sample.real.rows, most) if sample.holdout is not None else 0
    if sample.holdout is None or held < LEAST_ROWS:
        return chance, "one half, the AUC of rows of one population"
    (told,) = tell_apart(sample, (sample.holdout, sample.real), names, held, (strongest.family,))
    low, _ = told.interval(DRIFT_Z, 1.0)
    if low <= 0.5:
        return chance, f"the holdout's AUC against real is {told.auc.value:.3f}, within chance of one half"
    return score_of(told.auc.value), f"the holdout's AUC against real is {told.auc.value:.3f}, more than chance"


def _score(told: Sequence[Told], ceiling: float, z: float, design: float) -> Estimate:
    """Return the detection score of the stronger model, with an interval that allows for the choice."""
    ends = [t.interval(z, design) for t in told]
    value = score_of(max(t.auc.value for t in told))
    low, high = score_of(max(high for _, high in ends)), score_of(max(low for low, _ in ends))
    scale = max(ceiling, 0.1)
    at, under, over = (min(1.0, v / scale) for v in (value, low, high))
    return Estimate(
        value=value,
        low=low,
        high=high,
        method=f"DeLong within {FOLDS} folds, z = {z:.2f} for two models",
        ceiling=ceiling,
        floor=0.0,
        position=Position(value=at, low=under, high=over),
    )


def _model(told: Told, z: float, design: float) -> Measured:
    low, high = told.interval(z, design)
    details: dict[str, Json] = {"model": told.family, "rows": told.rows}
    return Measured(
        metric="detection_auc",
        message=f"{NAMES[told.family]} tells synthetic from real rows with AUC {told.auc.value:.3f}; 0.5 is guessing",
        estimate=Estimate(
            value=told.auc.value,
            low=low,
            high=high,
            method=f"DeLong within {FOLDS} folds, z = {z:.2f}",
            ceiling=0.5,
            floor=1.0,
        ),
        judged=False,
        details=details,
    )


def _reason(strongest: Told, score: Estimate, explained: Explanation) -> str:
    told = (
        f"{NAMES[strongest.family]} tells synthetic from real rows with AUC {strongest.auc.value:.3f} "
        f"(detection score {score.value:.3f})"
    )
    return f"{told}; {explained.reason}"
