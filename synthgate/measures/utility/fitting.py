"""Fitting: every model of a trial in one parallel batch, and what test rows and training rows make of its scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from synthgate.measures.utility.features import Columns, Encoder, fit_encoder
from synthgate.measures.utility.models import FAMILIES, Predict, Recipe, run_all
from synthgate.measures.utility.ratio import Skills
from synthgate.measures.utility.scores import resampling_weights, skills
from synthgate.measures.utility.split import Split, take
from synthgate.measures.utility.tasks import MAX_CLASSES, Task
from synthgate.sample import Sample
from synthgate.statistics.intervals import z_value

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

PART_TEST_ROWS = 4000
MANY_ROWS = 12_000
FEW_ROWS = 1000
BOOTSTRAP_CELLS = 4_000_000
LEAST_DRAWS = 20
UNKNOWN_VARIANCE = 0.25
FULL_ROWS = 100_000
CLEARLY_MORE = 1.25


@dataclass(frozen=True, slots=True)
class Settings:
    """How a trial is made.

    Attributes
    ----------
    max_train_rows, max_test_rows : int
    draws : int
        Bootstrap draws of the test rows.
    families : tuple of str
        Model families to train.
    max_classes : int
        Rarer classes beyond these share the last one.
    full : bool
        Whether models are also trained on all rows of a side, where it has clearly more than are matched.
    augmented : bool
        Whether models are also trained on real and synthetic rows together.
    quick : bool
        Whether the training noise is taken from few models.
    time : str
        Column that orders the rows, or nothing.
    keys : tuple of str
        Columns that name rows, and must not predict.
    units : int
        Independent units behind the rows, such as sequences; 0 when each row stands for itself.
    """

    max_train_rows: int = 25_000
    max_test_rows: int = 50_000
    draws: int = 200
    families: tuple[str, ...] = FAMILIES
    max_classes: int = MAX_CLASSES
    full: bool = True
    augmented: bool = False
    quick: bool = False
    time: str = ""
    keys: tuple[str, ...] = ()
    units: int = 0

    @property
    def barred(self) -> dict[str, str]:
        """Columns that must not predict, and why."""
        keys = dict.fromkeys(self.keys, "a key names rows and predicts nothing")
        return {**keys, self.time: "it orders the rows: what is tested lies beyond what trains"} if self.time else keys


@dataclass(frozen=True, slots=True)
class Training:
    """Rows of one side that train, with known outcomes, and how they are coded."""

    columns: Columns
    outcome: FloatArray
    encoder: Encoder

    def part(self, rows: IntArray) -> tuple[Columns, FloatArray]:
        """Return the columns and the outcomes of some of the rows."""
        return {name: values[rows] for name, values in self.columns.items()}, self.outcome[rows]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model, and what it says of the test rows (of a part model: of few test rows)."""

    predict: Predict
    said: FloatArray


@dataclass(frozen=True, slots=True)
class Result:
    """One model family, trained on either side.

    Attributes
    ----------
    real, synthetic : Fitted
    parts : tuple of tuple of Fitted
        Models on disjoint parts of the real training rows, per repeat: they show the luck of training rows.
    skills : Skills
        By the judged score: AUC or R2.
    confidence : Skills or None
        Of a classification: by log loss.
    """

    family: str
    real: Fitted
    synthetic: Fitted
    parts: tuple[tuple[Fitted, ...], ...]
    skills: Skills
    confidence: Skills | None


@dataclass(frozen=True, slots=True)
class Extra:
    """A model on other training rows than the matched ones, compared with the model on the matched real rows.

    Attributes
    ----------
    kind : str
        ``"all_real"``, ``"all_synthetic"`` or ``"real_and_synthetic"``.
    rows : int
        Training rows.
    skill : float
        By the judged score.
    gain, half : float
        Skill less that of the model on matched real rows, and the half width of its 95 % interval over test rows.
    """

    kind: str
    family: str
    rows: int
    skill: float
    gain: float
    half: float


@dataclass(frozen=True, slots=True)
class Bench:
    """What is to be predicted, from what, and how."""

    sample: Sample
    task: Task
    split: Split
    features: tuple[str, ...]
    settings: Settings

    def rng(self, purpose: str) -> np.random.Generator:
        """Return a generator of its own for a purpose."""
        return self.sample.rng(f"utility.{purpose} {self.task.target}")

    def training(self, *sides: tuple[str, IntArray]) -> Training:
        """Return rows of one side or of several sides together as training rows, those of unknown outcome left out."""
        columns: dict[str, list[NDArray[np.generic]]] = {name: [] for name in self.features}
        outcomes = []
        for side, rows in sides:
            here = self.sample.real if side == "real" else self.sample.synthetic
            outcome = self.task.outcomes(here.columns[self.task.target][rows])
            known = ~np.isnan(outcome)
            outcomes.append(outcome[known])
            for name, values in take(here, self.features, rows[known]).items():
                columns[name].append(values)
        joined = {name: np.concatenate(parts) for name, parts in columns.items()}
        encoder = fit_encoder(joined, self.sample.roles, self.sample.dictionaries)
        return Training(joined, np.concatenate(outcomes), encoder)

    def more(self) -> dict[str, Training]:
        """Return the trainings on other than matched rows that are asked for."""
        split, out = self.split, {}
        if self.settings.full:
            for side, pool in (("real", split.real_pool), ("synthetic", split.synthetic_pool)):
                rows = np.sort(self.rng(f"all {side}").permutation(pool)[:FULL_ROWS])
                if len(rows) > CLEARLY_MORE * len(split.real):
                    out[f"all_{side}"] = self.training((side, rows))
        if self.settings.augmented:
            out["real_and_synthetic"] = self.training(("real", split.real), ("synthetic", split.synthetic))
        return out


@dataclass(frozen=True, slots=True)
class Made:
    """What fitting made: the families' results, further trainings, and the few test rows of part models."""

    results: tuple[Result, ...]
    extras: tuple[Extra, ...]
    few: IntArray


def fit_all(bench: Bench, families: Sequence[str], test: Columns, truth: FloatArray) -> Made:
    """Fit everything in one parallel batch: the trainings, then the parts that show the training noise."""
    task, settings = bench.task, bench.settings
    real, synthetic = bench.training(("real", bench.split.real)), bench.training(("synthetic", bench.split.synthetic))
    more = bench.more()
    rows = max(len(real.outcome), len(synthetic.outcome))
    few = np.sort(bench.rng("few").permutation(len(truth))[:PART_TEST_ROWS])
    small = {name: values[few] for name, values in test.items()}
    parts = _parts(bench.rng("parts"), len(real.outcome), quick=settings.quick)
    jobs: list[Callable[[], Fitted]] = []
    for family in families:
        recipe = Recipe(family, len(task.classes), rows)
        jobs += [partial(_fit, recipe, training, None, test) for training in (real, synthetic, *more.values())]
    for family in families:
        for seed, part in enumerate(part for repeat in parts for part in repeat):
            jobs.append(partial(_fit, Recipe(family, len(task.classes), rows, seed + 1), real, part, small))
    # code from elsewhere may not stand being run in several threads
    done = iter(run_all(jobs, in_turn=any(":" in family for family in families)))
    full = {family: [next(done) for _ in range(2 + len(more))] for family in families}
    drawn = _draw_skills(bench, truth, [fitted.said for family in families for fitted in full[family]])
    results, extras = [], []
    for family in families:
        models = full[family]
        repeats = tuple(tuple(next(done) for _ in repeat) for repeat in parts)
        own, share = [next(drawn[0]) for _ in models], drawn[1]
        reached = [skills(truth, fitted.said)[:, 0] for fitted in models]
        noise = part_noise(repeats, lambda fitted: skills(truth[few], fitted.said)[:, 0])
        found = [
            summed(
                (float(reached[1][at]), float(reached[0][at])),
                covariance(np.stack([own[0][at], own[1][at]]), share),
                float(noise[at]),
                degrees_of(repeats),
                settings.draws,
                (min(len(real.outcome), len(truth)), settings.units),
            )
            for at in range(len(noise))
        ]
        confidence = found[1] if task.is_classification else None
        results.append(Result(family, models[0], models[1], repeats, found[0], confidence))
        for k, (kind, training) in enumerate(more.items(), start=2):
            error = covariance(np.stack([own[0][0], own[k][0]]), share)
            half = z_value() * float(np.sqrt(max(0.0, error[0, 0] + error[1, 1] - 2 * error[0, 1])))
            gain = float(reached[k][0] - reached[0][0])
            extras.append(Extra(kind, family, len(training.outcome), float(reached[k][0]), gain, half))
    return Made(tuple(results), tuple(extras), few)


def summed(
    pair: tuple[float, float], test: FloatArray, train: float, degrees: int, draws: int, size: tuple[int, int]
) -> Skills:
    """Put a synthetic and a real skill together with their errors.

    Parameters
    ----------
    pair : tuple of float
        The synthetic and the real skill.
    test : float64 array, shape (2, 2)
        Covariance over test rows, real first.
    size : tuple of int
        The fewer of training and test rows, and the independent units behind them (0: each row is one).
    """
    return Skills(
        synthetic=pair[0],
        real=pair[1],
        test_synthetic=float(test[1, 1]),
        test_real=float(test[0, 0]),
        test_both=float(test[0, 1]),
        train=train,
        degrees=degrees,
        draws=draws,
        rows=size[0],
        units=size[1],
    )


def _fit(recipe: Recipe, training: Training, rows: IntArray | None, test: Columns) -> Fitted:
    if rows is None:
        predict = recipe.fit(training.encoder, training.columns, training.outcome)
    else:
        columns, outcome = training.part(rows)
        predict = recipe.fit(training.encoder.of_part(columns), columns, outcome)
    return Fitted(predict, predict(test))


def _parts(rng: np.random.Generator, rows: int, *, quick: bool) -> list[list[IntArray]]:
    """Return disjoint parts of the training rows: random quarters of many rows, or random halves of few, repeated."""
    shares, repeats = (4, 2) if rows >= MANY_ROWS else (2, 5 if rows >= FEW_ROWS else 8)
    if quick:
        shares, repeats = 2, 2
    return [[np.sort(part) for part in np.array_split(rng.permutation(rows), shares)] for _ in range(repeats)]


def degrees_of(repeats: Sequence[Sequence[Fitted]]) -> int:
    """Return the degrees of freedom of the noise that part models show."""
    return sum(len(repeat) - 1 for repeat in repeats)


def part_noise(repeats: Sequence[Sequence[Fitted]], score: Callable[[Fitted], FloatArray]) -> FloatArray:
    """Return the variance of each score over training samples of full size, from models trained on disjoint parts.

    The variance between parts of ``n / g`` rows, over ``g``: right where it falls with one over the rows, and too large
    rather than too small where models converge faster.

    Parameters
    ----------
    score : callable
        From a part model to its scores, an array of any one shape.
    """
    variances = []
    for repeat in repeats:
        values = np.stack([score(fitted) for fitted in repeat])
        variances.append(values.var(axis=0, ddof=1) / len(repeat))
    return np.asarray(np.nan_to_num(np.mean(variances, axis=0), nan=UNKNOWN_VARIANCE), np.float64)


def _draw_skills(
    bench: Bench, truth: FloatArray, predictions: Sequence[FloatArray]
) -> tuple[Iterator[FloatArray], float]:
    """Return each prediction's skills on resampled test rows, and by which share a covariance is to be scaled.

    A paired bootstrap without refitting. Of very many cells a random part is resampled, and the covariance
    shrinks by its share of the rows.
    """
    draws, classes = bench.settings.draws, len(bench.task.classes)
    cells = draws * (classes if classes > 2 else 1)
    rng = bench.rng("test rows")
    rows = np.sort(rng.permutation(len(truth))[: max(1000, BOOTSTRAP_CELLS // cells)])
    weights = resampling_weights(rng, len(rows), draws)
    drawn = run_all([partial(skills, truth[rows], said[rows], weights) for said in predictions])
    return iter(drawn), len(rows) / len(truth)


def covariance(pair: FloatArray, share: float = 1.0) -> FloatArray:
    """Return the covariance of two scores over bootstrap draws, shape (2, 2), draws without a score left out."""
    known = pair[:, np.isfinite(pair).all(axis=0)]
    if known.shape[1] < LEAST_DRAWS:
        return np.eye(2) * UNKNOWN_VARIANCE
    return np.asarray(np.cov(known) * share, np.float64)
