"""What all attacks on records share: one panel of members and non-members, and its drift, made once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synthgate.findings import Skip
from synthgate.measures.privacy.attacks import Stage
from synthgate.measures.privacy.drift import Drift, measure_drift
from synthgate.measures.privacy.encodings import encode
from synthgate.measures.privacy.inference import Places
from synthgate.measures.privacy.panel import Panel, make_panel
from synthgate.sample import Sample

LEAST_ROWS = 40
NO_HOLDOUT = (
    "without a holdout nobody can say what the same attack reaches on people who are not in the data; keep one out of "
    "the next training run (20 % of the rows, at least 1,500 where the table allows it)"
)


def audit_stage(sample: Sample, profile: str = "standard") -> Stage:
    """Return the stage of a sample with a holdout, made once per profile."""

    def make(sample: Sample) -> Stage:
        encoding = encode(sample)
        return Stage(encoding, make_panel(encoding, profile), sample.seed)

    return sample.derive(f"privacy.stage.{profile}", make)


def audit_drift(sample: Sample, profile: str = "standard") -> Drift:
    """Return how far the holdout drifted, measured once per profile."""
    return sample.derive(f"privacy.drift.{profile}", lambda s: measure_drift(audit_stage(s, profile)))


@dataclass(frozen=True, slots=True)
class Asked:
    """The records that an attack on records is tried on.

    Attributes
    ----------
    stage : Stage
    at : int64 array
        Places in the panel's queries, members first.
    doubt : str or None
        Why a difference between members and others is no fault of the synthetic table.
    """

    stage: Stage
    at: Places
    doubt: str | None


def ask(sample: Sample, least_columns: int, most: int) -> Asked | str:
    """Choose up to `most` members and as many others, or say why nothing can be tried.

    Which rows are chosen depends on their content and the seed only.
    """
    if sample.holdout is None:
        return NO_HOLDOUT
    encoding = encode(sample)
    if len(encoding.columns) < least_columns:
        return f"{len(encoding.columns)} columns vary, apart from ids, and at least {least_columns} are needed"
    stage = audit_stage(sample)
    panel = stage.panel
    members, others = panel.queried
    if min(members, others, len(encoding.synthetic)) < LEAST_ROWS:
        return (
            f"{members} different training rows, {others} different holdout rows and {len(encoding.synthetic)} "
            f"synthetic rows are left to compare, and at least {LEAST_ROWS} of each are needed"
        )
    at = np.concatenate([np.flatnonzero(panel.member == side)[:most] for side in (True, False)])
    return Asked(stage, at, doubt(audit_drift(sample)))


def doubt(drift: Drift) -> str | None:
    """Say why the holdout is no fair control, or return None."""
    if drift.is_shown:
        return "the holdout is no random part of the real rows"
    return "holdout rows belong together in a way that no column tells" if drift.is_clustered else None


def unfair(sample: Sample) -> str | None:
    """Say why the holdout of a sample is no fair control, or return None; too few rows to tell are taken as fair."""
    if min(audit_stage(sample).panel.queried) < LEAST_ROWS:
        return None
    return doubt(audit_drift(sample))


def left_out(panel: Panel) -> list[Skip]:
    """Return what is no part of a panel, and why."""
    return (
        [Skip(f"{panel.common} different rows", "occur in both training rows and holdout")] if panel.common >= 3 else []
    )
