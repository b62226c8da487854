"""Pair fidelity: does the dependence between two columns survive?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synthgate.catalogue import Options, measure
from synthgate.counts import GROUPS, PairName
from synthgate.findings import Estimate, Json, Ledger, Measured, Measurement, Skip
from synthgate.measures.fidelity import compatible
from synthgate.measures.fidelity.associations import correlations, entropy, theils_u
from synthgate.measures.fidelity.columns import drifted
from synthgate.statistics.distances import (
    IntArray,
    careless_total_variation,
    cramers_v,
    expected_total_variation,
    mutual_information,
    total_variation,
)
from synthgate.statistics.intervals import z_value
from synthgate.statistics.positions import average, place

if TYPE_CHECKING:
    from synthgate.evidence import Evidence

Entropies = dict[tuple[str, str], float]

LEAST_SCALE = 0.1
LEAST_MEAN_SCALE = 0.02
SMALL_CELL = 10
SHOWN_PAIRS = 12
MAX_HEATMAP = 60


@measure("fidelity.pairs")
def pairs(evidence: Evidence, options: Options) -> Measurement:
    """Compare each pair's contingency table over shared bin edges, between independence and fresh real rows.

    The floor of a pair is the score of independently shuffled columns: the product of the real
    margins. A pair of 1 keeps all dependence, one of 0 has lost it.
    """
    names, skipped = _subjects(evidence)
    if not names:
        return Measurement.missing("there is no pair of comparable, varying columns")
    z = z_value(looks=len(names))
    compatible_scores = compatible.pair_trends(evidence)
    correlated = correlations(evidence.sample, compatible_scores)
    margins = _entropies(evidence, names)
    findings = [
        _pair(evidence, pair, z, {"sdmetrics": compatible_scores.pairs.get(pair), **correlated.of_pair(pair)}, margins)
        for pair in names
    ]
    estimates = [f.estimate for f in findings if f.estimate is not None]
    strengths = [float(str(f.details["dependence"])) for f in findings]
    if max(strengths) < LEAST_SCALE / 2:
        return Measurement.missing("no two columns of the real table depend on each other measurably at this size")
    floors = [(e.ceiling or 0.0) - strength for e, strength in zip(estimates, strengths, strict=True)]
    score = average(
        estimates, least=LEAST_MEAN_SCALE, floors=floors, half=_half_width(evidence, names) * evidence.design_effect
    )
    at = score.position.value if score.position else score.value
    by_plan = list(findings)
    findings.sort(key=lambda f: f.estimate.position.value if f.estimate and f.estimate.position else 1.0)
    return Measurement(
        reason=(
            f"the joint shares of {len(names)} pairs lie {at:.0%} of the way "
            "from independent columns to fresh real rows"
        ),
        findings=(*_with_pictures(evidence, findings), *(_information(f) for f in by_plan)),
        score=score,
        ledger=Ledger(len(names), tuple(skipped)),
        power=_power(evidence, estimates, z),
        details={
            "sdmetrics": compatible_scores.summary,
            "heatmap": _heatmap(by_plan),
            "correlations": correlated.details(),
        },
    )


def _half_width(evidence: Evidence, names: list[PairName]) -> float:
    """Return the half width of the mean score's 95 % interval, by a delete-a-group jackknife on both sides.

    Pairs share columns and rows, so their errors do not average out as independent ones would; leaving out
    one random group of rows at a time keeps their dependence (Efron and Stein 1981, Annals of Statistics 9,
    586-596; Student's t on the number of groups less one).
    """
    from scipy.special import stdtrit

    whole = {side: evidence.pair_tables[side] for side in ("real", "synthetic")}
    variance = 0.0
    for side, other in (("real", "synthetic"), ("synthetic", "real")):
        means = np.zeros(GROUPS)
        for pair in names:
            fixed = whole[other][pair] / max(1, whole[other][pair].sum())
            left = whole[side][pair] - evidence.pairs[side].pairs[pair]
            total = np.maximum(1, left.sum(axis=(1, 2), keepdims=True))
            means += 0.5 * np.abs(left / total - fixed).sum(axis=(1, 2)) / len(names)
        variance += (GROUPS - 1) / GROUPS * float(((means - means.mean()) ** 2).sum())
    return float(stdtrit(GROUPS - 1, 0.975) * np.sqrt(variance))


def _subjects(evidence: Evidence) -> tuple[list[PairName], list[Skip]]:
    real, synthetic = evidence.pair_tables["real"], evidence.pair_tables["synthetic"]
    names: list[PairName] = []
    skipped: dict[str, str] = {}
    for pair, table in real.items():
        flat = [name for name, axis in zip(pair, (1, 0), strict=True) if (table.sum(axis=axis) > 0).sum() < 2]
        for name in flat:
            skipped[name] = "constant in real: its pairs hold no dependence"
        if not flat and pair in synthetic:
            names.append(pair)
    left_out = [Skip(name, reason) for name, reason in skipped.items()]
    left_out += [Skip(c.name, f"{c.role} columns enter no pair") for c in evidence.plan.columns if not c.is_paired]
    return names, left_out


def _entropies(evidence: Evidence, names: list[PairName]) -> Entropies:
    """Return the entropy of every paired column on either side, over the cells of its pair tables."""
    out: Entropies = {}
    for pair in names:
        for name, axis in zip(pair, (1, 0), strict=True):
            if ("real", name) not in out:
                for side in ("real", "synthetic"):
                    out[side, name] = entropy(evidence.pair_tables[side][pair].sum(axis=axis))
    return out


def _pair(evidence: Evidence, pair: PairName, z: float, known: dict[str, Json], entropies: Entropies) -> Measured:
    real, synthetic = evidence.pair_tables["real"][pair], evidence.pair_tables["synthetic"][pair]
    holdout = evidence.pair_tables.get("holdout", {}).get(pair)
    n, m = int(real.sum()), int(synthetic.sum())
    fresh = expected_total_variation(real if holdout is None else real + holdout, n, m)
    if holdout is not None:
        fresh = drifted(fresh, total_variation(real, holdout), n, int(holdout.sum()), m)
    independent = np.outer(real.sum(axis=1), real.sum(axis=0)) / max(1, n) ** 2
    careless = careless_total_variation(real, independent, max(1, m))
    design = evidence.design_of(*pair)
    estimate = place(total_variation(real, synthetic), fresh, careless, z, least=LEAST_SCALE, design=design)
    at = estimate.position.value if estimate.position else 0.0
    strength = max(0.0, careless - fresh.mean * design)
    information = {"real": mutual_information(real), "synthetic": mutual_information(synthetic)}
    uncertainty = {s: theils_u(i, (entropies[s, pair[0]], entropies[s, pair[1]])) for s, i in information.items()}
    details: dict[str, Json] = {
        "dependence": strength,
        "association_real": cramers_v(real),
        "association_synthetic": cramers_v(synthetic),
        "mutual_information_real": information["real"],
        "mutual_information_synthetic": information["synthetic"],
        "theils_u_real": uncertainty["real"],
        "theils_u_synthetic": uncertainty["synthetic"],
        **known,
    }
    message = (
        f"joint shares agree to {estimate.value:.1%}, fresh real rows to {1 - fresh.mean:.1%}, "
        f"independent columns to {1 - careless:.1%}"
    )
    if at < 0.5:
        there, here = details["association_real"], details["association_synthetic"]
        message += f"; association {there:.2f} in real, {here:.2f} in synthetic"
    return Measured(metric="contingency_similarity", message=message, estimate=estimate, columns=pair, details=details)


def _information(found: Measured) -> Measured:
    """Return the change in mutual information of a pair, shown and never judged."""
    real, synthetic = (float(str(found.details[f"mutual_information_{side}"])) for side in ("real", "synthetic"))
    return Measured(
        metric="mutual_information_difference",
        message=f"mutual information {synthetic:.4g} nats in synthetic, {real:.4g} in real; shown, not judged",
        estimate=Estimate.exact(synthetic - real),
        columns=found.columns,
        judged=False,
    )


def _with_pictures(evidence: Evidence, findings: list[Measured]) -> list[Measured]:
    """Add the contingency tables of the worst pairs, margins pooled so that no small real cell shows."""
    from dataclasses import replace

    out = list(findings)
    for at, found in enumerate(findings[:SHOWN_PAIRS]):
        pair = (found.columns[0], found.columns[1])
        out[at] = replace(found, details={**found.details, "contingency": _contingency(evidence, pair)})
    return out


def _contingency(evidence: Evidence, pair: PairName) -> Json:
    real, synthetic = evidence.pair_tables["real"][pair], evidence.pair_tables["synthetic"][pair]
    labels, groups = [], []
    for name, axis in zip(pair, (1, 0), strict=True):
        margin = real.sum(axis=axis)
        names = evidence.plan[name].code_labels()
        order = np.argsort(-margin, kind="stable") if evidence.plan[name].role.is_discrete else np.arange(len(names))
        kept = [int(k) for k in order if margin[k] >= SMALL_CELL][:SHOWN_PAIRS]
        labels.append([names[k] for k in kept])
        groups.append(kept)

    def shares(table: IntArray) -> Json:
        cut = table[np.ix_(groups[0], groups[1])] / max(1, int(table.sum()))
        return [[float(v) for v in row] for row in np.round(cut, 4)]

    rows: list[Json] = [*labels[0]]
    columns: list[Json] = [*labels[1]]
    return {"rows": rows, "columns": columns, "real": shares(real), "synthetic": shares(synthetic)}


def _heatmap(findings: list[Measured]) -> Json:
    """Return the bias-corrected Cramer's V of every pair, real and synthetic, as matrices."""
    columns = list(dict.fromkeys(name for found in findings for name in found.columns))[:MAX_HEATMAP]
    at = {name: k for k, name in enumerate(columns)}

    def matrix(key: str) -> list[list[float]]:
        out = [[1.0 if i == j else 0.0 for j in columns] for i in columns]
        for found in findings:
            if all(name in at for name in found.columns):
                i, j = (at[name] for name in found.columns)
                out[i][j] = out[j][i] = round(float(str(found.details[key])), 4)
        return out

    real, synthetic = matrix("association_real"), matrix("association_synthetic")
    difference = [[round(s - r, 4) for r, s in zip(*rows, strict=True)] for rows in zip(real, synthetic, strict=True)]
    return {"columns": columns, "real": real, "synthetic": synthetic, "difference": difference}


def _power(evidence: Evidence, estimates: list[Estimate], z: float) -> str:
    widths = sorted((e.high - e.low) / 2 for e in estimates)
    middle = widths[len(widths) // 2] * (1 + 0.84 / z)
    n, m = evidence.real.rows, evidence.synthetic.rows
    seen = f"a middling pair that moved {middle:.3f} of its rows would have been seen with probability 0.8"
    return f"with {n:,} and {m:,} rows, {seen}"
