"""Does synthetic training use the same columns, and do model families rank alike?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synthgate.catalogue import Options, measure
from synthgate.findings import Estimate, Json, Ledger, Measured, Measurement, Position, Skip
from synthgate.measures.utility.features import Columns, mid_ranks
from synthgate.measures.utility.fitting import Fitted
from synthgate.measures.utility.models import name_of, run_all
from synthgate.measures.utility.ranking import rank_models
from synthgate.measures.utility.ratio import caution
from synthgate.measures.utility.scores import skills
from synthgate.measures.utility.sweep import asked
from synthgate.measures.utility.trials import Trial, ranked_families
from synthgate.statistics.intervals import LEVEL, z_value

if TYPE_CHECKING:
    from synthgate.evidence import Evidence
    from synthgate.sample import Sample

FloatArray = NDArray[np.float64]

SWEPT_TARGETS = 1
TEST_ROWS = 1500
MAX_FEATURES = 40
LEAST_FEATURES = 4
UNLUCKY = 0.005
"""A rank correlation that two real trainings reach this seldom is no lack of agreement."""
FREEDOM = 6
DRAWS = 300
SHOWN = 10
PARTS = 4
LEAST_RANK_AGREEMENT = 0.2
WIDEST = 0.6
"""Length of an interval, on a scale of 1, from which on one number for all columns says nothing."""


@dataclass(frozen=True, slots=True)
class Roles:
    """How much a score falls when a column is shuffled, after either training.

    Attributes
    ----------
    names : tuple of str
    real, synthetic : float64 array
    error : float64 array
        Standard error of one training's importance: test rows, shuffling and the luck of training rows.
    skipped : tuple of str
        Features that were not shuffled, as there are many.
    """

    names: tuple[str, ...]
    real: FloatArray
    synthetic: FloatArray
    error: FloatArray
    skipped: tuple[str, ...] = ()

    @property
    def counted(self) -> NDArray[np.bool_]:
        """Which columns matter beyond noise under one of the trainings."""
        return np.asarray(np.maximum(self.real, self.synthetic) > 2 * self.error, np.bool_)


@measure("utility.importance", ranking=True)
def importance(evidence: Evidence, options: Options) -> Measurement:
    """Compare what models trained on synthetic and on real rows use, and how model families rank.

    A column's importance is the fall of the score (AUC, or R2) when it is shuffled among test rows (Breiman 2001,
    Machine Learning 45, 5-32). Both models of ``utility.tstr`` see the same shuffled rows. With `ranking`, several
    families are trained and tested on either side, as who picks a model on synthetic rows does.
    """
    trials = asked(evidence).best(SWEPT_TARGETS)
    if not trials:
        return Measurement.missing("no target is predicted by real rows well enough to ask which columns matter")
    findings: list[Measured] = []
    scores: list[Estimate] = []
    skips: list[Skip] = []
    for trial in trials.values():
        found = _roles(evidence.sample, trial)
        skips += [Skip(name, f"not among the {MAX_FEATURES} columns shuffled") for name in found.skipped]
        agreement = _agreement(evidence.sample, trial, found)
        findings.append(agreement)
        if agreement.estimate and agreement.judged:
            scores.append(agreement.estimate)
        findings += _changes(trial, found)
        if options["ranking"]:
            findings += rank_models(evidence.sample, trial)
    return _sum_up(findings, scores, skips, tuple(trials))


def _roles(sample: Sample, trial: Trial) -> Roles:
    """Measure the importance of up to 40 features on up to 1,500 test rows, under both trainings and part models."""
    result = ranked_families(trial)[0]
    rng = sample.rng(f"utility.importance {trial.task.target}")
    drawn = np.sort(rng.permutation(len(trial.features))[:MAX_FEATURES])
    names = tuple(trial.features[k] for k in drawn)
    rows = np.sort(rng.permutation(len(trial.truth))[:TEST_ROWS])
    test = {name: values[rows] for name, values in trial.test.items()}
    shuffles = [rng.permutation(len(rows)) for _ in names]
    parts = [fitted for repeat in result.parts[: max(1, PARTS // len(result.parts[0]))] for fitted in repeat]
    truth = trial.truth[rows]
    models = [result.real, result.synthetic, *parts]
    done = run_all([partial(_falls, model, truth, test, names, shuffles) for model in models])
    shares = len(result.parts[0])
    repeats = np.stack(done[2:]).reshape(-1, shares, len(names), 2)
    within = repeats[..., 0].var(axis=1, ddof=1).mean(axis=0) / shares
    spread = np.maximum(done[0][:, 1], done[1][:, 1]) ** 2
    widened = caution(min(trial.trained["real"], len(rows)), trial.units)
    error = np.sqrt(_steadied(within) + spread) * widened
    left = tuple(name for name in trial.features if name not in names)
    return Roles(names, done[0][:, 0], done[1][:, 0], error, left)


def _steadied(variance: FloatArray) -> FloatArray:
    """Draw variances that stand on few models half way to their mean, and never below it for lack of luck."""
    return np.asarray(np.maximum(variance, (variance + variance.mean()) / 2), np.float64)


def _falls(
    model: Fitted, truth: FloatArray, test: Columns, names: tuple[str, ...], shuffles: list[NDArray[np.int64]]
) -> FloatArray:
    """Return the fall of the score for each shuffled column with its standard error over halves of the rows."""
    said = model.predict(_stacked(test, names, shuffles)).reshape(len(names) + 1, len(truth), *model.said.shape[1:])
    folds = np.arange(len(truth)) % 4
    weights = np.stack([np.ones(len(truth)), *[(folds == k).astype(np.float64) for k in range(4)]])
    before = skills(truth, said[-1], weights)[0]
    out = np.empty((len(names), 2))
    for at in range(len(names)):
        after = skills(truth, said[at], weights)[0]
        fall = np.nan_to_num(before - after)
        out[at] = fall[0], fall[1:].std(ddof=1) / 2
    return out


def _stacked(test: Columns, names: tuple[str, ...], shuffles: list[NDArray[np.int64]]) -> Columns:
    """Return the rows once for each column, that column shuffled, and once as they are: one call predicts them all."""
    place = {name: at for at, name in enumerate(names)}

    def column(name: str, values: NDArray[Any]) -> NDArray[Any]:
        blocks = [values] * (len(names) + 1)
        if name in place:
            blocks[place[name]] = values[shuffles[place[name]]]
        return np.concatenate(blocks)

    return {name: column(name, values) for name, values in test.items()}


def _agreement(sample: Sample, trial: Trial, found: Roles) -> Measured:
    """Compare the order of the importances, with an interval and a ceiling by drawing their errors.

    Columns that matter under neither training have no order and are left out. The ceiling is the agreement of two real
    trainings that differ by these errors only.
    """
    counted = found.counted
    columns = (trial.task.target,)
    table: dict[str, Json] = {
        name: {"trtr": float(found.real[k]), "tstr": float(found.synthetic[k]), "error": float(found.error[k])}
        for k, name in enumerate(found.names)
    }
    details: dict[str, Json] = {"importance": table, "model": ranked_families(trial)[0].family}
    if counted.sum() < LEAST_FEATURES:
        why = f"fewer than {LEAST_FEATURES} columns matter surely for {trial.task.target!r}: they have no order"
        return Measured(
            metric="importance_rank_correlation", message=why, columns=columns, not_assessed=why, details=details
        )
    real, synthetic, error = found.real[counted], found.synthetic[counted], found.error[counted]
    value = _rank_correlation(real, synthetic)
    rng = sample.rng(f"utility.importance draws {trial.task.target}")
    noise = rng.normal(size=(3, DRAWS, len(error))) * error
    drawn = np.array([_rank_correlation(real + a, synthetic + b) for a, b in zip(noise[0], noise[1], strict=True)])
    fresh = np.array([_rank_correlation(real + a, real + c) for a, c in zip(noise[0], noise[2], strict=True)])
    ceiling = float(np.mean(fresh))
    half = max(z_value() * float(drawn.std(ddof=1)), ceiling - float(np.quantile(fresh, UNLUCKY)))
    low, high = max(-1.0, value - half), min(1.0, value + half)
    place = [min(1.0, max(0.0, end / max(ceiling, LEAST_RANK_AGREEMENT))) for end in (value, low, high)]
    return Measured(
        metric="importance_rank_correlation",
        message=(
            f"for {trial.task.target!r}, the {int(counted.sum())} columns that matter to {name_of(_family(trial))} "
            f"have a rank correlation of {value:.2f} between synthetic and real training (two real trainings: "
            f"{ceiling:.2f})"
        ),
        estimate=Estimate(
            value=value,
            low=low,
            high=high,
            method=f"parametric bootstrap of the importances ({DRAWS} draws), 95 %",
            ceiling=ceiling,
            floor=0.0,
            position=Position(value=place[0], low=place[1], high=place[2]),
        ),
        columns=columns,
        judged=ceiling > LEAST_RANK_AGREEMENT,
        details=details,
    )


def _family(trial: Trial) -> str:
    return ranked_families(trial)[0].family


def _rank_correlation(a: FloatArray, b: FloatArray) -> float:
    first, second = mid_ranks(a), mid_ranks(b)
    spread = float(first.std() * second.std())
    return float(((first - first.mean()) * (second - second.mean())).mean()) / spread if spread > 0 else 0.0


def _changes(trial: Trial, found: Roles) -> list[Measured]:
    """Return the columns whose role changed most, their errors taken as known to six degrees of freedom.

    1 is the same role, 0 a change by as much as the most important column matters.
    """
    from scipy.special import stdtrit

    scale = max(float(found.real.max()), float(found.error.max()), 1e-9)
    z = float(stdtrit(FREEDOM, 1 - (1 - LEVEL) / (2 * len(found.names))))
    out = []
    for k in np.argsort(-np.abs(found.synthetic - found.real), kind="stable")[:SHOWN]:
        change = float(found.synthetic[k] - found.real[k])
        half = z * float(np.sqrt(2) * found.error[k])
        least, most = max(0.0, abs(change) - half), abs(change) + half
        at, low, high = (max(0.0, 1 - size / scale) for size in (abs(change), most, least))
        score, name = trial.task.score, found.names[k]
        out.append(
            Measured(
                metric="permutation_importance",
                message=(
                    f"{name!r} {'gains' if change > 0 else 'loses'} weight for {trial.task.target!r}: shuffling it "
                    f"costs {found.synthetic[k]:.3f} of {score} after synthetic training and "
                    f"{found.real[k]:.3f} after real"
                ),
                estimate=Estimate(
                    value=float(found.synthetic[k]),
                    low=float(found.synthetic[k]) - half,
                    high=float(found.synthetic[k]) + half,
                    method=f"four folds of the test rows and part models, 95 % for {len(found.names)} columns together",
                    ceiling=float(found.real[k]),
                    floor=0.0,
                    position=Position(value=at, low=low, high=high),
                ),
                columns=(trial.task.target, name),
                details={"trtr": float(found.real[k]), "tstr": float(found.synthetic[k])},
            )
        )
    return out


def _sum_up(
    findings: list[Measured], scores: list[Estimate], skips: list[Skip], targets: tuple[str, ...]
) -> Measurement:
    names = ", ".join(repr(name) for name in targets)
    if not scores:
        why = f"too few columns matter surely for {names} to compare their order; each is compared on its own"
        return Measurement(reason=why, findings=tuple(findings), ledger=Ledger(len(findings), tuple(skips)))
    places = [estimate.position for estimate in scores if estimate.position]
    value, low, high = (float(np.mean([getattr(at, end) for at in places])) for end in ("value", "low", "high"))
    if high - low > WIDEST:
        why = f"the order in which columns matter for {names} cannot be told from noise; each is compared on its own"
        return Measurement(reason=why, findings=tuple(findings), ledger=Ledger(len(findings), tuple(skips)))
    return Measurement(
        reason=f"columns that matter for {names} rank after synthetic training as after real training: {value:.0%}",
        findings=tuple(findings),
        score=Estimate(
            value=value,
            low=low,
            high=high,
            method="mean of the targets' intervals",
            ceiling=1.0,
            floor=0.0,
            position=Position(value=value, low=low, high=high),
        ),
        ledger=Ledger(len(findings), tuple(skips)),
    )
