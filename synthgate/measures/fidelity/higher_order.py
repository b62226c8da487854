"""Higher-order fidelity: do three columns go together as in the real table?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from synthgate.catalogue import Options, measure
from synthgate.counts import GROUPS
from synthgate.findings import Estimate, Json, Ledger, Measured, Measurement, Skip
from synthgate.measures.fidelity import accuracy
from synthgate.measures.fidelity.columns import drifted
from synthgate.measures.fidelity.directed import pairs_kept, three_way_kept
from synthgate.measures.parts import kept_in_parts, worst_parts
from synthgate.measures.triples import MIN_LEVEL_ROWS, Chosen, Coarse, Joint, Triple, chosen_triples
from synthgate.statistics.distances import (
    Distance,
    FloatArray,
    IntArray,
    Reference,
    careless_total_variations,
    expected_total_variation,
    expected_total_variations,
    total_variation,
    total_variations,
)
from synthgate.statistics.intervals import LEVEL, z_value
from synthgate.statistics.joint import interaction_test, pairs_only
from synthgate.statistics.positions import average, place

if TYPE_CHECKING:
    from synthgate.evidence import Evidence

LEAST_SCALE = 0.1
SURE = 0.998
"""Level of the intervals of all triples together: sparse tables leave the normal curve in the tails."""
LEAST_MEAN_SCALE = 0.05
LEAST_IN_A_PART = 0.85
"""Least share of the dependence that the rows of any part keep."""
CHUNK = 250
EXPLAINS = 0.6
SHOWN_PER_CAUSE = 3
SHOWN_TRIPLES = 40
SHOWN_JOINT = 12


@dataclass(frozen=True, slots=True)
class Scores:
    """Every triple, scored: arrays of one number per triple.

    Attributes
    ----------
    distance, error : float64 array
        Total variation between real and synthetic, with its standard error.
    fresh, spread : float64 array
        What fresh real rows show, and how much that varies.
    held, held_error : float64 array or None
        Total variation between real and holdout.
    careless : float64 array
        What rows show that keep every pair and have no three-way effect.
    effect, chance : float64 array
        Likelihood-ratio statistic of the three-way effect in real, and its chance under none.
    left_out : float64 array, shape (2, GROUPS)
        Mean distance with one random group of the real, or of the synthetic, rows left out.
    """

    distance: FloatArray
    error: FloatArray
    fresh: FloatArray
    spread: FloatArray
    held: FloatArray | None
    held_error: FloatArray | None
    careless: FloatArray
    effect: FloatArray
    chance: FloatArray
    left_out: FloatArray


@measure("fidelity.higher_order")
def higher_order(evidence: Evidence, options: Options) -> Measurement:
    """Compare the joint shares of three columns at a time, between "only the pairs survive" and fresh real rows.

    Each column is cut into at most five levels and one for missing values. The floor of a triple is the
    score of the table that keeps each of its three pairs and has no dependence beyond them (largest entropy):
    a generator that learns pairs alone reaches it and looks right in every pair table. Triples are all
    scored where affordable, else chosen by what matters in the real table.
    """
    chosen = chosen_triples(evidence)
    joint, triples, candidates = chosen.joint, list(chosen.triples), chosen.candidates
    if joint.candidates == 0:
        return Measurement.missing("there are no three comparable, varying columns")
    if min(joint.rows["real"], joint.rows["synthetic"]) < GROUPS:
        return Measurement.missing("too few rows for three-way tables")
    scores = _scores(joint, triples)
    z = z_value(SURE, looks=candidates)
    estimates = [_estimate(evidence, joint, scores, at, z) for at in range(len(triples))]
    half = _half_width(scores) * evidence.design_effect
    score = average(estimates, least=LEAST_MEAN_SCALE, half=half)
    at = score.position.value if score.position else score.value
    judged, more = _findings(joint, triples, scores, estimates)
    sure = scores.chance < (1 - LEVEL) / candidates
    directed, why_not = _directed(evidence, chosen, [triples[at] for at in np.flatnonzero(sure)])
    rows = " and ".join(f"{n:,}" for n in joint.rows.values())
    ledger = _ledger(joint, len(triples), candidates)
    return Measurement(
        reason=(
            f"the joint shares of {len(triples):,} triples lie {at:.0%} of the way from careless to fresh real rows; "
            f"{int(sure.sum()):,} of them depend on each other beyond their pairs in real{more}"
        ),
        findings=(*judged, *directed, *accuracy.findings(evidence)),
        score=score,
        ledger=Ledger(ledger.scored, (*ledger.skipped, *why_not)),
        power=_power(scores, z, rows),
        details={"joint_effects": _effects(joint, triples, scores, candidates), "rows_used": dict(joint.rows)},
    )


def _directed(evidence: Evidence, chosen: Chosen, effects: list[Triple]) -> tuple[list[Measured], list[Skip]]:
    """Return what is kept in the direction of the real dependence: of three columns, of two, and of pairs in parts."""
    joint = chosen.joint
    if evidence.design_of(*(column.name for column in joint.columns)) > 1:
        why = "rows come in groups, whose luck random halves of the rows would take for dependence"
        names = ("three_way_dependence_kept", "pair_dependence_kept", "dependence_kept_in_a_part")
        return [], [Skip(name, why) for name in names]
    pairs = pairs_kept(joint, chosen.triples)
    return [*three_way_kept(joint, effects), *pairs, *worst_parts(kept_in_parts(evidence), LEAST_IN_A_PART)], []


def _scores(joint: Joint, triples: list[Triple]) -> Scores:
    """Count and score all triples, some at a time so that memory stays bounded."""
    parts = [_score_chunk(joint, triples[at : at + CHUNK]) for at in range(0, len(triples), CHUNK)]
    weights = np.array([len(part.distance) for part in parts]) / len(triples)

    def joined(name: str) -> FloatArray:
        return np.concatenate([getattr(part, name) for part in parts])

    held = parts[0].held is not None
    return Scores(
        distance=joined("distance"),
        error=joined("error"),
        fresh=joined("fresh"),
        spread=joined("spread"),
        held=joined("held") if held else None,
        held_error=joined("held_error") if held else None,
        careless=joined("careless"),
        effect=joined("effect"),
        chance=joined("chance"),
        left_out=sum((w * part.left_out for w, part in zip(weights, parts, strict=True)), np.zeros((2, GROUPS))),
    )


def _score_chunk(joint: Joint, triples: list[Triple]) -> Scores:
    groups = {side: joint.count(triples, side, grouped=True) for side in ("real", "synthetic")}
    real, synthetic = (groups[side].sum(axis=1) for side in ("real", "synthetic"))
    n, m = joint.rows["real"], joint.rows["synthetic"]
    pool, held, held_error = real, None, None
    if joint.rows.get("holdout"):
        holdout = joint.count(triples, "holdout")
        pool = real + holdout
        held, held_error = total_variations(real, holdout)
    fresh, spread = expected_total_variations(pool, n, m)
    cube = (len(triples), *joint.shape)
    fitted = pairs_only(pool.reshape(cube))
    effect, chance = interaction_test(pool.reshape(cube), fitted)
    distance, error = total_variations(real, synthetic)
    left_out = [_left_out(groups["real"], real, synthetic / m), _left_out(groups["synthetic"], synthetic, real / n)]
    return Scores(
        distance=distance,
        error=error,
        fresh=fresh,
        spread=spread,
        held=held,
        held_error=held_error,
        careless=careless_total_variations(real, fitted.reshape(len(triples), -1), m),
        effect=effect,
        chance=chance,
        left_out=np.stack(left_out),
    )


def _left_out(groups: IntArray, whole: IntArray, other: FloatArray) -> FloatArray:
    """Return the mean distance to the other side's shares with one group of rows left out at a time."""
    left = whole[:, None, :] - groups
    shares = left / np.maximum(1, left[0].sum(axis=1))[None, :, None]
    means: FloatArray = 0.5 * np.abs(shares - other[:, None, :]).sum(axis=2).mean(axis=0)
    return means


def _half_width(scores: Scores) -> float:
    """Return the half width of the mean score's 95 % interval: delete-a-group jackknife on both sides.

    Source: Efron and Stein (1981), Annals of Statistics 9, 586-596; Student's t on the groups less one.
    """
    from scipy.special import stdtrit

    spread = scores.left_out - scores.left_out.mean(axis=1, keepdims=True)
    return float(stdtrit(GROUPS - 1, 1 - (1 - LEVEL) / 2) * np.sqrt((GROUPS - 1) / GROUPS * (spread**2).sum()))


def _estimate(evidence: Evidence, joint: Joint, scores: Scores, at: int, z: float) -> Estimate:
    fresh = Reference(float(scores.fresh[at]), float(scores.spread[at]))
    if scores.held is not None and scores.held_error is not None:
        held = Distance(float(scores.held[at]), float(scores.held_error[at]))
        fresh = drifted(fresh, held, joint.rows["real"], joint.rows["holdout"], joint.rows["synthetic"])
    distance = Distance(float(scores.distance[at]), float(scores.error[at]))
    return place(distance, fresh, float(scores.careless[at]), z, least=LEAST_SCALE, design=evidence.design_effect)


def _findings(
    joint: Joint, triples: list[Triple], scores: Scores, estimates: list[Estimate]
) -> tuple[list[Measured], str]:
    """Return the worst triples, few for each cause, then those with the largest three-way effect in real.

    A passing triple without a joint effect needs no finding of its own: the ledger counts it.
    """
    ends = np.array([e.position.high if e.position else 1.0 for e in estimates])
    middle = np.array([e.position.value if e.position else 1.0 for e in estimates])
    kept: list[Measured] = []
    causes: dict[str, int] = {}
    for at in np.lexsort((middle, ends)):
        if ends[at] >= 1.0 or len(kept) >= SHOWN_TRIPLES:
            break
        tables = {side: joint.count([triples[at]], side)[0] for side in joint.rows}
        cause = _cause(joint, triples[at], tables)
        causes[cause] = causes.get(cause, 0) + 1
        if causes[cause] <= SHOWN_PER_CAUSE:
            kept.append(_finding(joint, triples[at], scores, int(at), estimates[at], tables))
    shown = {found.columns for found in kept}
    for at in np.argsort(scores.chance - scores.effect, kind="stable")[:SHOWN_JOINT]:
        names = tuple(joint.columns[k].name for k in triples[at])
        if names not in shown and ends[at] >= 1.0 and scores.chance[at] < (1 - LEVEL) / joint.candidates:
            tables = {side: joint.count([triples[at]], side)[0] for side in joint.rows}
            kept.append(_finding(joint, triples[at], scores, int(at), estimates[at], tables))
    hidden = sum(max(0, n - SHOWN_PER_CAUSE) for n in causes.values())
    return kept, f"; {hidden} more triples differ for the same causes" if hidden else ""


def _cause(joint: Joint, triple: Triple, tables: dict[str, IntArray]) -> str:
    """Say where the difference sits: in one column, between two, or only in the three together."""
    cubes = {side: table.reshape(joint.shape) for side, table in tables.items()}
    names = [joint.columns[at].name for at in triple]
    whole = _excess(cubes)
    parts = [((axis,), tuple(k for k in range(3) if k != axis)) for axis in range(3)]
    singles = {names[kept[0]]: _excess({s: c.sum(axis=gone) for s, c in cubes.items()}) for kept, gone in parts}
    column, most = max(singles.items(), key=lambda item: item[1])
    if most >= EXPLAINS * whole:
        return f"the distribution of {column} alone"
    pairs = {
        " and ".join(n for k, n in enumerate(names) if k != axis): _excess(
            {s: c.sum(axis=axis) for s, c in cubes.items()}
        )
        for axis in range(3)
    }
    pair, most = max(pairs.items(), key=lambda item: item[1])
    return f"how {pair} go together" if most >= EXPLAINS * whole else "the three together, not in their pairs"


def _excess(tables: dict[str, IntArray]) -> float:
    """Return by how much real and synthetic differ more than fresh real rows would."""
    real, synthetic = tables["real"], tables["synthetic"]
    pool = real + tables["holdout"] if "holdout" in tables else real
    fresh = expected_total_variation(pool, int(real.sum()), int(synthetic.sum()))
    return total_variation(real, synthetic).value - fresh.mean


def _finding(
    joint: Joint, triple: Triple, scores: Scores, at: int, estimate: Estimate, tables: dict[str, IntArray]
) -> Measured:
    columns = [joint.columns[k] for k in triple]
    message = f"joint shares agree to {estimate.value:.1%}, fresh real rows to {estimate.ceiling or 1.0:.1%}"
    cause = _cause(joint, triple, tables)
    off = estimate.position is not None and estimate.position.high < 1.0
    if off:
        message += f"; the difference lies in {cause}"
        message += _worst_cell(joint, columns, tables["real"], tables["synthetic"])
    return Measured(
        metric="three_way_similarity",
        message=message,
        estimate=estimate,
        columns=tuple(column.name for column in columns),
        details={
            "cause": cause if off else None,
            "pairs_alone": 1 - float(scores.careless[at]),
            "effect": float(scores.effect[at]),
            "chance": float(scores.chance[at]),
        },
    )


def _worst_cell(joint: Joint, columns: list[Coarse], real: IntArray, synthetic: IntArray) -> str:
    """Word the cell that differs most, among those with enough real rows to be named."""
    p, q = real / max(1, real.sum()), synthetic / max(1, synthetic.sum())
    cell = int(np.argmax(np.where(real >= MIN_LEVEL_ROWS, np.abs(p - q), -1.0)))
    if real[cell] < MIN_LEVEL_ROWS:
        return ""
    levels = np.unravel_index(cell, joint.shape)
    words = ", ".join(f"{c.name} {c.labels[int(k)]}" for c, k in zip(columns, levels, strict=True))
    return f", most of all in {words}: {q[cell]:.1%} of synthetic, {p[cell]:.1%} of real"


def _ledger(joint: Joint, scored: int, candidates: int) -> Ledger:
    skipped = []
    if candidates < joint.candidates:
        reason = f"{joint.candidates - candidates:,} of {joint.candidates:,} hold a column that was not drawn"
        skipped.append(Skip("triples beyond the columns that were screened", reason))
    if scored < candidates:
        reason = f"{candidates - scored:,} of {candidates:,} were screened in real and not chosen"
        skipped.append(Skip("triples that depend less on each other", reason))
    return Ledger(scored, tuple(skipped))


def _power(scores: Scores, z: float, rows: str) -> str:
    moved = (z + 0.84) * float(np.median(np.maximum(scores.error, scores.spread)))
    seen = f"a middling triple that moved {moved:.3f} of its rows would have been seen with probability 0.8"
    return f"with {rows} rows used, {seen}"


def _effects(joint: Joint, triples: list[Triple], scores: Scores, candidates: int) -> Json:
    """Return the triples with the largest three-way effect in real, for experts."""
    order = np.argsort(scores.chance - scores.effect, kind="stable")[:SHOWN_JOINT]
    return [
        {
            "columns": [joint.columns[k].name for k in triples[at]],
            "likelihood_ratio": float(scores.effect[at]),
            "chance": float(scores.chance[at]),
        }
        for at in order
        if scores.chance[at] < (1 - LEVEL) / candidates
    ]
