"""Which targets are asked for: the named ones, or every column in turn that real rows predict from the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from synthgate.catalogue import Options
from synthgate.measures.utility.fitting import Settings
from synthgate.measures.utility.models import FAMILIES
from synthgate.measures.utility.trials import Trial, Untried, find_trial, why_not_learnable
from synthgate.sample import Sample

if TYPE_CHECKING:
    from synthgate.evidence import Evidence

MAX_TARGETS = 40
SWEEP_TRAIN_ROWS = 3000
SWEEP_TEST_ROWS = 4000
SWEEP_CLASSES = 6
LEAST_SWEEP_ROWS = 60


@dataclass(frozen=True, slots=True)
class Asked:
    """The targets of a run, with their trials.

    Attributes
    ----------
    trials : dict
        Per target its trial, why there is none, or None where synthetic does not have the column.
    swept : bool
        Whether no target was named.
    tried : int
        Columns that were tried as target when none was named.
    dull : tuple of str
        Those of them that real rows do not predict.
    """

    trials: Mapping[str, Trial | Untried | None]
    swept: bool = False
    tried: int = 0
    dull: tuple[str, ...] = ()

    def best(self, most: int, *, classes: bool = False) -> dict[str, Trial]:
        """Return the trials that real rows teach: all named targets, else the `most` best predicted ones.

        Parameters
        ----------
        classes : bool
            Only classifications.
        """
        good = {
            name: trial
            for name, trial in self.trials.items()
            if isinstance(trial, Trial)
            and (trial.task.is_classification or not classes)
            and not why_not_learnable(trial)
        }
        return dict(list(good.items())[:most]) if self.swept else good


def settings_of(evidence: Evidence, options: Options) -> Settings:
    """Return how trials are made: as the options say, else alike for all checks, so that they share trials."""
    named = options.get("models") or FAMILIES
    families = tuple(str(name) for name in named) if isinstance(named, list | tuple) else (str(named),)
    return Settings(
        max_train_rows=max(1, int(str(options.get("max_train_rows", 25_000)))),
        draws=max(50, int(str(options.get("draws", 200)))),
        families=tuple(dict.fromkeys(families)),
        augmented=bool(options.get("augmentation", False)),
        time=evidence.time,
        keys=evidence.keys,
        units=_units(evidence),
    )


def _units(evidence: Evidence) -> int:
    """Return how many independent units (sequences, parents) stand behind the rows that train and test; 0 for rows."""
    tested = "holdout" if evidence.holdout is not None else "real"
    found = [evidence.units[side] for side in ("real", tested)]
    return min((len(np.unique(units)) for units in found if units is not None), default=0)


def asked(evidence: Evidence) -> Asked:
    """Return the trials that every check of this family looks at, with the default settings."""
    return ask(evidence.sample, evidence.targets, settings_of(evidence, {}), MAX_TARGETS)


def ask(sample: Sample, targets: Sequence[str], settings: Settings, most: int) -> Asked:
    """Try the named targets, or sweep over all columns when none is named.

    Parameters
    ----------
    targets : sequence of str
        Columns of the real table.
    most : int
        How many columns are tried when none is named; of more a random part.
    """
    named = tuple(dict.fromkeys(targets))
    if named:
        trials = {name: find_trial(sample, name, settings) if name in sample.roles else None for name in named}
        return Asked(trials)
    quick = replace(
        settings,
        max_train_rows=min(settings.max_train_rows, SWEEP_TRAIN_ROWS),
        max_test_rows=SWEEP_TEST_ROWS,
        draws=min(settings.draws, 100),
        families=("quick_forest",),
        max_classes=SWEEP_CLASSES,
        full=False,
        augmented=False,
        quick=True,
    )
    return sample.derive(f"utility.sweep {most} {quick}", lambda rows: _sweep(rows, quick, most))


def _sweep(sample: Sample, settings: Settings, most: int) -> Asked:
    """Try every column as target: a small forest on up to 3,000 rows, rarer classes than the first five pooled.

    A forest costs the same for any number of classes, and sees what depends on several columns only together.
    """
    if sample.real.rows < LEAST_SWEEP_ROWS:
        return Asked({}, swept=True)
    names = [name for name, role in sample.roles.items() if _is_candidate(sample, name) and name not in settings.barred]
    drawn = np.sort(sample.rng("utility.sweep").permutation(len(names))[:most])
    tried = {names[k]: find_trial(sample, names[k], settings) for k in drawn}
    good = {name: trial for name, trial in tried.items() if isinstance(trial, Trial) and not why_not_learnable(trial)}
    order = sorted(good, key=lambda name: -scaled_skill(good[name]))
    dull = tuple(name for name in tried if name not in good)
    return Asked({name: good[name] for name in order}, swept=True, tried=len(tried), dull=dull)


def scaled_skill(trial: Trial) -> float:
    """Return the skill of real rows from chance (0) to perfect (1): R2, or twice the AUC less one."""
    best = max(result.skills.real for result in trial.results)
    return 2 * best if trial.task.is_classification else best


def _is_candidate(sample: Sample, name: str) -> bool:
    role = sample.roles[name]
    return role.is_continuous or role.is_discrete
