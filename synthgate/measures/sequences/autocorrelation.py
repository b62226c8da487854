"""Autocorrelation: how far a value tells the next ones of its sequence."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi, sqrt
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgate.canonical import Numbers
from synthgate.catalogue import Options, measure
from synthgate.findings import Estimate, Json, Ledger, Measured, Measurement, Skip
from synthgate.measures.fidelity.columns import drifted
from synthgate.measures.sequences.steps import Steps, own_columns, sides_with_steps, why_not
from synthgate.measures.sequences.traces import trace
from synthgate.statistics.distances import Distance, Reference
from synthgate.statistics.intervals import t_value
from synthgate.statistics.positions import average, place

if TYPE_CHECKING:
    from synthgate.evidence import Evidence

FloatArray = NDArray[np.float64]

LEAST_SCALE = 0.1
LEAST_SEQUENCES = 10
STILL = 1e-9


@dataclass(frozen=True, slots=True)
class Course:
    """How one column runs through the sequences of a side.

    Attributes
    ----------
    lags : float64 array, shape (lags,)
        Autocorrelation within sequences; NaN where too few sequences are long enough.
    variance : float64 array, shape (lags,)
    shuffled : float64 array, shape (lags,)
        What the same steps in random order within their sequences are expected to show.
    between : float
        Share of the variance that lies between sequences, in [0, 1].
    between_variance : float
    dealt : float
        What steps dealt to the sequences at random are expected to show of it.
    sequences : int
    """

    lags: FloatArray
    variance: FloatArray
    shuffled: FloatArray
    between: float
    between_variance: float
    dealt: float
    sequences: int


@measure("sequences.autocorrelation", lags=5)
def autocorrelation(evidence: Evidence, options: Options) -> Measurement:
    """Compare autocorrelations within sequences at lags 1 to `lags`, and the variance between sequences.

    Values are ranks within their side, so that a shifted column does not count here. The floor is what
    the same steps in random order show (autocorrelation), and steps dealt to sequences at random (variance
    between sequences). Sequences are the independent units of every interval.
    """
    reason = why_not(evidence)
    if reason is not None:
        return Measurement.missing(reason)
    steps = sides_with_steps(evidence)
    most = int(str(options["lags"]))
    courses: dict[str, dict[str, Course]] = {}
    skipped = []
    for name in own_columns(evidence):
        if not evidence.plan[name].role.is_continuous:
            continue
        made = {side: course(evidence, name, side, steps[side], most) for side in steps}
        found = {side: one for side, one in made.items() if one is not None}
        if "real" not in found or "synthetic" not in found:
            skipped.append(Skip(name, "constant, or nearly all missing, on one side"))
        else:
            courses[name] = found
    if not courses:
        return Measurement.missing("no numerical column varies in the sequences")
    fewest = min(one.sequences for side, one in steps.items() if side != "holdout")
    z = t_value(fewest - 1, looks=2 * len(courses))
    findings = [
        found for name, sides in courses.items() for found in _findings(name, sides, z, trace(evidence, name, steps))
    ]
    estimates = [f.estimate for f in findings if f.estimate is not None]
    score = average(estimates, least=LEAST_SCALE / 2, z=z)
    at = score.position.value if score.position else score.value
    return Measurement(
        reason=f"the course of {len(courses)} columns lies {at:.0%} of the way from steps in random order to real ones",
        findings=tuple(findings),
        score=score,
        ledger=Ledger(len(courses), tuple(skipped)),
        power="compared were " + ", ".join(f"{side} {one.sequences:,} sequences" for side, one in steps.items()),
    )


def course(evidence: Evidence, name: str, side: str, steps: Steps, most: int) -> Course | None:
    """Return how a column runs through a side's sequences, or None when it does not vary."""
    column = evidence.sides[side].kept.get(name)
    if not isinstance(column, Numbers):
        return None
    values = _ranks(column.values[steps.order])
    here = np.isfinite(values)
    if here.sum() < 2 * LEAST_SEQUENCES:
        return None
    known, sequence = np.where(here, values, 0.0), steps.sequence

    def summed(parts: FloatArray, at: NDArray[np.intp] | None = None) -> FloatArray:
        rows = sequence if at is None else sequence[at]
        return np.bincount(rows, weights=parts, minlength=steps.sequences).astype(np.float64)

    present = summed(here.astype(np.float64))
    means = summed(known) / np.maximum(1, present)
    total = np.where(here, values - float(known.sum() / here.sum()), 0.0)
    within = np.where(here, values - means[sequence], 0.0)
    spread = summed(within**2)
    if float((total**2).sum()) <= STILL:
        return None
    share, share_variance = _ratio(spread, summed(total**2))
    filled = int((present > 0).sum())
    dealt = max(0.0, (filled - 1) / max(1, int(here.sum()) - 1))
    lags, variance, shuffled = (np.full(most, np.nan) for _ in range(3))
    for lag in range(1, most + 1):
        first = steps.pairs(lag)
        first = first[here[first] & here[first + lag]]
        a = summed(within[first] * within[first + lag], first)
        b = summed((within[first] ** 2 + within[first + lag] ** 2) / 2, first)
        if (b > STILL).sum() < LEAST_SEQUENCES:
            continue
        lags[lag - 1], variance[lag - 1] = _ratio(a, b)
        shuffled[lag - 1] = -float((b / np.maximum(1, present - 1)).sum() / b.sum())
    return Course(lags, variance, shuffled, 1 - share, share_variance, dealt, filled)


def _ranks(values: FloatArray) -> FloatArray:
    """Return mid-ranks as shares in (0, 1), NaN where missing."""
    distinct, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    missing = np.isnan(distinct)
    counts = np.where(missing, 0, counts)
    middle = (np.cumsum(counts) - counts / 2) / max(1, int(counts.sum()))
    out: FloatArray = np.where(missing, np.nan, middle)[place]
    return out


def _ratio(a: FloatArray, b: FloatArray) -> tuple[float, float]:
    """Return the ratio of sums over sequences and its variance, linearised (Cochran 1977, section 6.4)."""
    ratio = float(a.sum() / b.sum())
    n = int((b > 0).sum())
    variance = float(((a - ratio * b) ** 2).sum()) / float(b.sum()) ** 2 * n / max(1, n - 1)
    return ratio, variance


def _findings(name: str, sides: dict[str, Course], z: float, traced: Json) -> list[Measured]:
    real, synthetic, holdout = sides["real"], sides["synthetic"], sides.get("holdout")
    out = []
    used = np.isfinite(real.lags) & np.isfinite(synthetic.lags)
    if used.any():
        estimate = _course_estimate(real, synthetic, holdout, used, z)
        at = int(np.flatnonzero(used)[0])
        told = f"lag {at + 1}: {synthetic.lags[at]:.2f} in synthetic, {real.lags[at]:.2f} in real"
        out.append(
            Measured(
                metric="autocorrelation_similarity",
                message=f"autocorrelation within sequences at {told}, {real.shuffled[at]:.2f} in random order",
                estimate=estimate,
                columns=(name,),
                details={
                    "lags": [int(lag) + 1 for lag in np.flatnonzero(used)],
                    "real": [float(v) for v in real.lags[used]],
                    "synthetic": [float(v) for v in synthetic.lags[used]],
                    "random_order": [float(v) for v in real.shuffled[used]],
                    "holdout": None if holdout is None else [float(v) for v in holdout.lags[used]],
                    "trace": traced,
                },
            )
        )
    out.append(_between(name, real, synthetic, holdout, z))
    return out


def _course_estimate(
    real: Course, synthetic: Course, holdout: Course | None, used: NDArray[np.bool_], z: float
) -> Estimate:
    """Place one minus half the mean absolute difference over lags between random order and fresh sequences.

    The errors of the lags are averaged, which bounds the error of their mean whatever their dependence.
    """
    distance = _apart(real, synthetic, used)
    spread = np.sqrt(real.variance[used] * (1 + real.sequences / synthetic.sequences)) / 2
    fresh = Reference(float(sqrt(2 / pi) * spread.mean()), float(sqrt(1 - 2 / pi) * spread.mean()))
    if holdout is not None and np.isfinite(holdout.lags[used]).all():
        there = _apart(real, holdout, used)
        fresh = drifted(fresh, there, real.sequences, holdout.sequences, synthetic.sequences)
    careless = float(np.abs(real.lags[used] - real.shuffled[used]).mean() / 2)
    return place(distance, fresh, careless, z, least=LEAST_SCALE)


def _apart(real: Course, other: Course, used: NDArray[np.bool_]) -> Distance:
    gap = np.abs(real.lags[used] - other.lags[used]).mean() / 2
    error = np.sqrt(real.variance[used] + other.variance[used]).mean() / 2
    return Distance(float(gap), float(error))


def _between(name: str, real: Course, synthetic: Course, holdout: Course | None, z: float) -> Measured:
    def apart(other: Course) -> Distance:
        return Distance(abs(real.between - other.between), sqrt(real.between_variance + other.between_variance))

    spread = sqrt(real.between_variance * (1 + real.sequences / synthetic.sequences))
    fresh = Reference(sqrt(2 / pi) * spread, sqrt(1 - 2 / pi) * spread)
    if holdout is not None:
        fresh = drifted(fresh, apart(holdout), real.sequences, holdout.sequences, synthetic.sequences)
    estimate = place(apart(synthetic), fresh, abs(real.between - real.dealt), z, least=LEAST_SCALE)
    return Measured(
        metric="between_sequences_similarity",
        message=(
            f"{synthetic.between:.0%} of the variance lies between sequences in synthetic, {real.between:.0%} in real, "
            f"{real.dealt:.0%} in steps dealt at random"
        ),
        estimate=estimate,
        columns=(name,),
        details={"real": real.between, "synthetic": synthetic.between},
    )
