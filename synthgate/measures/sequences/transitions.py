"""Transitions: which category follows which."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synthgate.catalogue import Options, measure
from synthgate.clusters import ClusteredShares, clustered_shares, jackknife_error
from synthgate.findings import Json, Ledger, Measured, Measurement, Skip
from synthgate.measures.fidelity.columns import drifted
from synthgate.measures.sequences.steps import Steps, own_columns, sides_with_steps, why_not
from synthgate.plan import ColumnPlan
from synthgate.statistics.distances import (
    Distance,
    Reference,
    careless_total_variation,
    expected_total_variation,
    total_variation,
)
from synthgate.statistics.intervals import t_value
from synthgate.statistics.positions import average, place

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthgate.evidence import Evidence

LEAST_SCALE = 0.1
SMALL_CELL = 10
SHOWN = 12


@measure("sequences.transitions")
def transitions(evidence: Evidence, options: Options) -> Measurement:
    """Compare how often a category is followed by each other one, step by step within sequences.

    The floor is what steps that do not depend on the step before show: the product of the real margins. A column
    that never changes within a real sequence has to stay the same here too. Sequences are the independent
    units of every interval.
    """
    reason = why_not(evidence)
    if reason is not None:
        return Measurement.missing(reason)
    steps = sides_with_steps(evidence)
    tables: dict[str, dict[str, ClusteredShares]] = {}
    skipped = []
    for name in own_columns(evidence):
        if not evidence.plan[name].role.is_discrete:
            continue
        made = {side: _table(evidence, name, side, steps[side]) for side in steps}
        found = {side: table for side, table in made.items() if table is not None}
        if "real" not in found or "synthetic" not in found:
            skipped.append(Skip(name, "constant, or without two steps in a row, on one side"))
        else:
            tables[name] = found
    if not tables:
        return Measurement.missing("no categorical column varies over the steps of the sequences")
    fewest = min(one.sequences for side, one in steps.items() if side != "holdout")
    z = t_value(fewest - 1, looks=len(tables))
    findings = [_column(evidence.plan[name], sides, z) for name, sides in tables.items()]
    estimates = [f.estimate for f in findings if f.estimate is not None]
    score = average(estimates, least=LEAST_SCALE / 2, z=z)
    at = score.position.value if score.position else score.value
    return Measurement(
        reason=(
            f"transitions of {len(findings)} columns lie {at:.0%} of the way "
            "from steps that forget the last to fresh real sequences"
        ),
        findings=tuple(findings),
        score=score,
        ledger=Ledger(len(findings), tuple(skipped)),
        power="compared were " + ", ".join(f"{side} {one.sequences:,} sequences" for side, one in steps.items()),
    )


def _table(evidence: Evidence, name: str, side: str, steps: Steps) -> ClusteredShares | None:
    column, plan = evidence.sides[side].kept.get(name), evidence.plan[name]
    first = steps.pairs(1)
    if column is None or not len(first):
        return None
    codes = plan.encode(column)[steps.order].astype(np.int64)
    if side == "real" and not (codes != codes[0]).any():
        return None
    _, units = np.unique(steps.sequence[first], return_inverse=True)
    return clustered_shares(units.astype(np.int64), codes[first] * plan.n_codes + codes[first + 1], plan.n_codes**2)


def _column(plan: ColumnPlan, sides: dict[str, ClusteredShares], z: float) -> Measured:
    real, synthetic, holdout = sides["real"], sides["synthetic"], sides.get("holdout")
    design = real.design
    pool = real.counts if holdout is None else real.counts + holdout.counts
    fresh = expected_total_variation(pool, real.rows, synthetic.rows)
    if holdout is not None:
        apart = total_variation(real.counts, holdout.counts)
        there = Distance(apart.value, max(apart.error * design, jackknife_error(real, holdout)))
        wider = Reference(fresh.mean * design, fresh.spread * design)
        moved = drifted(wider, there, real.rows, holdout.rows, synthetic.rows)
        fresh = Reference(moved.mean / design, moved.spread / design)
    table = real.counts.reshape(plan.n_codes, plan.n_codes)
    independent = np.outer(table.sum(axis=1), table.sum(axis=0)) / max(1, real.rows) ** 2
    careless = careless_total_variation(real.counts, independent, max(1, synthetic.rows))
    measured = total_variation(real.counts, synthetic.counts)
    error = max(measured.error, jackknife_error(real, synthetic) / design)
    estimate = place(Distance(measured.value, error), fresh, careless, z, least=LEAST_SCALE, design=design)
    stays = {side: _stays(one, plan.n_codes) for side, one in sides.items()}
    return Measured(
        metric="transition_similarity",
        message=(
            f"shares of transitions agree to {estimate.value:.1%}, fresh real ones to {estimate.ceiling or 1:.1%}; "
            f"the category stays the same in {stays['synthetic']:.1%} of the steps, in real in {stays['real']:.1%}"
        ),
        estimate=estimate,
        columns=(plan.name,),
        details={
            "stays_real": stays["real"],
            "stays_synthetic": stays["synthetic"],
            "design_effect": design,
            "transitions": _shown(plan, real, synthetic),
        },
    )


def _stays(shares: ClusteredShares, n: int) -> float:
    return float(np.trace(shares.counts.reshape(n, n)) / max(1, shares.rows))


def _shown(plan: ColumnPlan, real: ClusteredShares, synthetic: ClusteredShares) -> Json:
    """Return both transition matrices over the categories with enough real rows, rows adding up to at most one."""
    n = plan.n_codes
    margin = real.counts.reshape(n, n).sum(axis=1)
    order = [int(k) for k in np.argsort(-margin, kind="stable") if margin[k] >= SMALL_CELL][:SHOWN]
    labels = plan.code_labels()

    def matrix(shares: ClusteredShares) -> Json:
        table: NDArray[np.int64] = shares.counts.reshape(n, n)
        rows = table / np.maximum(1, table.sum(axis=1, keepdims=True))
        return [[float(v) for v in row] for row in np.round(rows[np.ix_(order, order)], 4)]

    names: list[Json] = [labels[k] for k in order]
    return {"categories": names, "real": matrix(real), "synthetic": matrix(synthetic)}
