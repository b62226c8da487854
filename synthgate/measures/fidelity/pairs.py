"""Pair fidelity: does the dependence between two columns survive?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from synthgate.catalogue import Options, measure
from synthgate.contingency import runs
from synthgate.counts import GROUPS, PairName, code_counts
from synthgate.findings import Estimate, Json, Ledger, Measured, Measurement, Skip
from synthgate.measures.fidelity import compatible
from synthgate.measures.fidelity.associations import correlations, theils_u
from synthgate.measures.fidelity.attenuation import DependenceKept
from synthgate.measures.fidelity.columns import drifted
from synthgate.measures.fidelity.pair_scores import TOGETHER, PairScore, score_pairs
from synthgate.statistics.distances import FloatArray, IntArray
from synthgate.statistics.intervals import z_value
from synthgate.statistics.positions import average, place

if TYPE_CHECKING:
    from synthgate.evidence import Evidence

LEAST_SCALE = 0.1
LEAST_MEAN_SCALE = 0.02
SMALL_CELL = 10
SHOWN_PAIRS = 12
MAX_HEATMAP = 60
MAX_FINDINGS = 2_000
"""Most pairs that are listed, the worst; all are scored."""


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
    # a profile has no rows to follow SDMetrics on
    trends = compatible.PairTrends(evidence) if evidence.real.has_rows else None
    correlated = correlations(evidence.sample, trends) if trends else None
    jackknife, collected = _Jackknife(evidence, len(names)), _Collected(evidence)
    together = DependenceKept(evidence)
    for found in _scored(evidence, names, trends):
        jackknife.add(found.without)
        together.add(found.pair, found.kept)
        known: dict[str, Json] = {"sdmetrics": trends.pairs.get(found.pair) if trends else None}
        known |= correlated.of_pair(found.pair) if correlated else {}
        collected.add(_pair(evidence, found, z, known))
    estimates, strengths = collected.estimates, collected.strengths
    if max(strengths) < LEAST_SCALE / 2:
        return Measurement.missing("no two columns of the real table depend on each other measurably at this size")
    floors = [(e.ceiling or 0.0) - strength for e, strength in zip(estimates, strengths, strict=True)]
    gap = sum(evidence.gap_of(pair) for pair in names) / len(names)
    half = jackknife.half_width() * evidence.design_effect + gap
    score = average(estimates, least=LEAST_MEAN_SCALE, floors=floors, half=half)
    at = score.position.value if score.position else score.value
    findings, by_plan = collected.worst()
    told = "" if len(findings) == len(names) else f"; the {len(findings):,} worst are listed"
    return Measurement(
        reason=(
            f"the joint shares of {len(names)} pairs lie {at:.0%} of the way "
            f"from independent columns to fresh real rows{told}"
        ),
        findings=(*findings, *together.findings(), *(_information(f) for f in by_plan)),
        score=score,
        ledger=Ledger(len(names), (*skipped, *together.skipped())),
        power=_power(evidence, estimates, z),
        details={
            "sdmetrics": trends.summary if trends else None,
            "heatmap": _heatmap(collected.heatmap),
            "correlations": correlated.details() if correlated else None,
        },
    )


def _scored(evidence: Evidence, names: list[PairName], trends: compatible.PairTrends | None) -> Iterator[PairScore]:
    """Yield the scores of pairs, after SDMetrics' of the same: in one pass, as tables may be counted on demand."""
    wanted, tables = set(names), evidence.pairs["real"].pairs
    for some in runs(tables, list(tables), TOGETHER):
        if trends:
            trends.add(some)
        yield from score_pairs(evidence, [pair for pair in some if pair in wanted])


class _Jackknife:
    """The error of the mean score over all pairs, by a delete-a-group jackknife on both sides.

    Pairs share columns and rows, so their errors do not average out as independent ones would; leaving out
    one random group of rows at a time keeps their dependence (Efron and Stein 1981, Annals of Statistics 9,
    586-596; Student's t on the number of groups less one). A profile has no groups of rows: then the real
    side's variance is that of the synthetic side, scaled by the numbers of rows.
    """

    def __init__(self, evidence: Evidence, pairs: int) -> None:
        self.pairs = pairs
        self.with_rows = evidence.real.has_rows
        self.scale = 1.0 if self.with_rows else 1.0 + evidence.synthetic.rows / max(1, evidence.real.rows)
        self.means = {"real": np.zeros(GROUPS), "synthetic": np.zeros(GROUPS)}

    def add(self, without: FloatArray) -> None:
        """Add one pair's distances without each of the groups, of real and of synthetic rows."""
        for side, distances in zip(self.means, without, strict=True):
            if self.with_rows or side == "synthetic":
                self.means[side] += distances / self.pairs

    def half_width(self) -> float:
        """Return the half width of the mean score's 95 % interval."""
        from scipy.special import stdtrit

        variance = sum(
            (GROUPS - 1) / GROUPS * float(((means - means.mean()) ** 2).sum()) for means in self.means.values()
        )
        return float(stdtrit(GROUPS - 1, 0.975) * np.sqrt(variance * self.scale))


class _Collected:
    """What is kept of the pairs as they are scored: every estimate, the worst findings and the worst pairs' tables."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.estimates: list[Estimate] = []
        self.strengths: list[float] = []
        self.heatmap: list[Measured] = []
        self._shown: dict[str, None] = {}
        self._kept: list[tuple[float, int, Measured]] = []
        self._pictures: list[tuple[float, int, Json]] = []

    def add(self, found: Measured) -> None:
        """Take the next pair in, in the plan's order."""
        if found.estimate is None:
            return
        at = found.estimate.position.value if found.estimate.position else 1.0
        number = len(self.estimates)
        self.estimates.append(found.estimate)
        self.strengths.append(float(str(found.details["dependence"])))
        self._shown.update(dict.fromkeys(found.columns if len(self._shown) < MAX_HEATMAP else ()))
        if all(name in self._shown for name in found.columns):
            self.heatmap.append(found)
        self._kept.append((at, number, found))
        if len(self._kept) >= 2 * MAX_FINDINGS:
            self._kept = sorted(self._kept, key=_place)[:MAX_FINDINGS]
        counted_once = not isinstance(self.evidence.pairs["real"].pairs, dict)
        if counted_once and (len(self._pictures) < SHOWN_PAIRS or at < self._pictures[-1][0]):
            pair = (found.columns[0], found.columns[1])
            self._pictures.append((at, number, _contingency(self.evidence, pair)))
            self._pictures = sorted(self._pictures, key=_place)[:SHOWN_PAIRS]

    def worst(self) -> tuple[list[Measured], list[Measured]]:
        """Return the worst findings, worst first with the pictures of the first, and the same in the plan's order."""
        from dataclasses import replace

        kept = sorted(self._kept, key=_place)[:MAX_FINDINGS]
        pictures = {number: picture for _, number, picture in self._pictures}
        for _, number, found in () if pictures else kept[:SHOWN_PAIRS]:
            pictures[number] = _contingency(self.evidence, (found.columns[0], found.columns[1]))
        findings = [
            replace(found, details={**found.details, "contingency": pictures[number]}) if number in pictures else found
            for _, number, found in kept
        ]
        return findings, [found for _, _, found in sorted(kept, key=lambda item: item[1])]


def _place(item: tuple[float, int, object]) -> tuple[float, int]:
    return item[0], item[1]


def _subjects(evidence: Evidence) -> tuple[list[PairName], list[Skip]]:
    synthetic = evidence.pairs["synthetic"].pairs
    pairs_there = list(evidence.pairs["real"].pairs)
    flat = [name for name in dict.fromkeys(name for pair in pairs_there for name in pair) if _is_flat(evidence, name)]
    names = [pair for pair in pairs_there if pair in synthetic and not set(pair) & set(flat)]
    left_out = [Skip(name, _why_flat(evidence, name)) for name in flat]
    left_out += [Skip(c.name, f"{c.role} columns enter no pair") for c in evidence.plan.columns if not c.is_paired]
    return names, left_out


def _is_flat(evidence: Evidence, name: str) -> bool:
    """Whether all real rows have the same code, a missing value being one."""
    column = evidence.real.counts.columns[name]
    if column.values.overflowed:
        return False
    seen = int((code_counts(evidence.plan[name], column) > 0).sum())
    return seen + (column.missing > 0) < 2


def _why_flat(evidence: Evidence, name: str) -> str:
    if len(evidence.plan[name].categories) > 1:
        return f"each of its categories has fewer than {SMALL_CELL} real rows: its pairs can tell no dependence"
    return "constant in real: its pairs hold no dependence"


def _pair(evidence: Evidence, found: PairScore, z: float, known: dict[str, Json]) -> Measured:
    fresh, careless = found.fresh, found.careless
    if found.held is not None and evidence.holdout is not None:
        fresh = drifted(fresh, found.held, evidence.real.rows, evidence.holdout.rows, evidence.synthetic.rows)
    design, gap = evidence.design_of(*found.pair), evidence.gap_of(found.pair)
    estimate = place(found.distance, fresh, careless, z, least=LEAST_SCALE, design=design, gap=gap)
    at = estimate.position.value if estimate.position else 0.0
    strength = max(0.0, careless - fresh.mean * design)
    details: dict[str, Json] = {
        "dependence": strength,
        "association_real": found.association["real"],
        "association_synthetic": found.association["synthetic"],
        "mutual_information_real": found.information["real"],
        "mutual_information_synthetic": found.information["synthetic"],
        "theils_u_real": [*theils_u(found.information["real"], found.entropies["real"])],
        "theils_u_synthetic": [*theils_u(found.information["synthetic"], found.entropies["synthetic"])],
        **known,
    }
    message = (
        f"joint shares agree to {estimate.value:.1%}, fresh real rows to {1 - fresh.mean:.1%}, "
        f"independent columns to {1 - careless:.1%}"
    )
    if at < 0.5:
        there, here = details["association_real"], details["association_synthetic"]
        message += f"; association {there:.2f} in real, {here:.2f} in synthetic"
    return Measured(
        metric="contingency_similarity", message=message, estimate=estimate, columns=found.pair, details=details
    )


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

    def shares(table: IntArray, least: int) -> Json:
        cut, rows = table[np.ix_(groups[0], groups[1])], max(1, int(table.sum()))
        return [[round(int(n) / rows, 4) if n == 0 or n >= least else None for n in row] for row in cut]

    rows: list[Json] = [*labels[0]]
    columns: list[Json] = [*labels[1]]
    return {"rows": rows, "columns": columns, "real": shares(real, SMALL_CELL), "synthetic": shares(synthetic, 0)}


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
