"""Membership: can anyone tell from the synthetic table who was in the training rows?

A battery of attacks scores training rows and holdout rows; the AUC of each is held against
guessing with an interval that accounts for taking the strongest of many. Low success is an
equivalence claim: it passes only when the whole interval lies within the tolerance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import TYPE_CHECKING

from synthgate.catalogue import Options, measure
from synthgate.findings import Estimate, Json, Ledger, Limit, Measured, Measurement, Position, Skip
from synthgate.measures.privacy.attacks import ENSEMBLE, REFERENCE_FACTOR, Stage
from synthgate.measures.privacy.audit import LEAST_ROWS, audit_drift, audit_stage
from synthgate.measures.privacy.continuous import ensemble
from synthgate.measures.privacy.drift import Drift
from synthgate.measures.privacy.encodings import encode
from synthgate.measures.privacy.inference import (
    advantage,
    auc_bounds,
    detectable_auc,
    detectable_rate,
    epsilon_bound,
    roc,
    rounded,
    shown,
    simultaneous_z,
)
from synthgate.measures.privacy.meta import tiers
from synthgate.measures.privacy.panel import Panel
from synthgate.measures.privacy.scored import AUC_ERROR, META_FACTOR, Scored, rates_of, score_attacks
from synthgate.measures.privacy.slices import RISKS, Risks, risky_slices
from synthgate.sample import Sample

if TYPE_CHECKING:
    from synthgate.evidence import Evidence

DETECTED = 0.01
LEAST_HOLDOUT = 250
TOLERANCE = 0.05
WHOLE_ROWS = ("linkage", "dcr_cal", "meta")
NO_HOLDOUT = (
    "membership cannot be tested: all real rows supplied were available to the generator, and splitting them "
    "now would compare members with members and always pass; keep a holdout out of the next training run "
    "(20 % of the rows, at least 1,500 where the table allows it) and pass it as the holdout"
)


@measure("privacy.membership", profile="standard", max_tpr=0.03)
def membership(evidence: Evidence, options: Options) -> Measurement:
    """Attack the synthetic table and hold every attack's AUC against guessing.

    Options
    -------
    profile : {"standard", "quick", "full"}
        10,000 + 10,000 queries and all attacks; 2,000 + 2,000 and the cheap attacks; up to 50,000 + 50,000.
    max_tpr : float
        Largest share of members that may be found at 1 % false positives.
    """
    profile = str(options.get("profile", "standard"))
    return assess(evidence.sample, profile, float(str(options.get("max_tpr", 0.03))))


def assess(sample: Sample, profile: str = "standard", max_tpr: float = 0.03) -> Measurement:
    """Measure membership leakage on a sample; see :func:`membership`."""
    if sample.holdout is None:
        return Measurement.missing(NO_HOLDOUT)
    encoding = encode(sample)
    if not encoding.columns:
        return Measurement.missing("no column varies, apart from ids: there is nothing to attack with")
    stage = audit_stage(sample, profile)
    panel = stage.panel
    if min(*panel.queried, len(encoding.synthetic)) < LEAST_ROWS:
        return Measurement.missing(_too_few(panel, len(encoding.synthetic)))
    drift = audit_drift(sample, profile)
    chosen = ensemble(stage, profile)
    scored = score_attacks(stage, chosen, drift, sample)
    rates = [rates_of(one, panel, sample) for one in scored]
    context = _Context(panel, drift, len(chosen), max_tpr)
    findings = [f for one, rate in zip(scored, rates, strict=True) for f in _findings(one, rate, context)]
    if all(rate[0.01] is None for rate in rates):
        findings.append(_no_rate(panel))
    findings += _slices(stage, scored, context, sample)
    details = _details(stage, scored, context, profile)
    if any(one.p < DETECTED for one in scored):
        details["tiers"] = tiers(stage, {one.name: one.scores for one in scored}, sample.rng("privacy.tiers"))
    return Measurement(
        reason=_reason(scored, context),
        findings=(_drift_finding(drift), *findings),
        score=_score_estimate(scored, context),
        ledger=Ledger(len(scored), (*encoding.skipped, *_removed(panel))),
        power=_power(panel, len(chosen)),
        details=details,
    )


@dataclass(frozen=True, slots=True)
class _Context:
    panel: Panel
    drift: Drift
    attacks: int
    max_tpr: float

    @property
    def is_small(self) -> bool:
        return min(self.panel.nonmembers, self.panel.units[1]) < LEAST_HOLDOUT

    @property
    def is_open(self) -> bool:
        """Whether no attack can be judged at all."""
        return self.is_small or self.drift.is_clustered or self.drift.is_apart

    def method(self, one: Scored) -> str:
        """Say how the interval was made, and what keeps it open."""
        within = " within deciles of the drift score" if self.drift.is_shown else ""
        if one.name == "meta":
            base = f"DeLong{within}, doubled variance, score bounds, 99 % each side"
        else:
            base = f"DeLong{within}, score bounds, simultaneous over {self.attacks} attacks, 98 % each side"
        if self.is_small:
            return f"{base}; opened: fewer than {LEAST_HOLDOUT} holdout rows or groups decide nothing"
        if self.drift.is_clustered:
            return f"{base}; opened: holdout rows belong together"
        if self.drift.is_apart:
            return f"{base}; opened: few training rows have their like in the holdout"
        return f"{base}; open above: the holdout drifted" if self.drift.is_shown else base

    def interval(self, low: float, high: float) -> tuple[float, float]:
        if self.is_open:
            return min(low, 0.5), 1.0
        return (low, 1.0) if self.drift.is_shown else (low, high)


def _too_few(panel: Panel, synthetic: int) -> str:
    members, nonmembers = panel.queried
    if panel.holdout_rows and panel.common == panel.holdout_rows:
        return "every holdout row also occurs in the training rows: this is no holdout, and membership cannot be tested"
    return (
        f"membership cannot be tested: {members} different training rows, {nonmembers} different holdout rows and "
        f"{synthetic} synthetic rows are left to compare, and at least {LEAST_ROWS} of each are needed"
    )


def _findings(one: Scored, rates: dict[float, dict[str, float] | None], context: _Context) -> list[Measured]:
    panel = context.panel
    low, high = context.interval(*one.bounds)
    gap, ks_p = advantage(one.ranks, panel.member, one.auc.design)
    details: dict[str, Json] = {
        "attack": one.name,
        "se": rounded(one.error, 4),
        "z": rounded(one.z, 2),
        "p_adjusted": rounded(one.p, 5),
        "detected": one.p < DETECTED,
        "tpr": {f"{allowed:g}": _rate_json(rate, panel.nonmembers) for allowed, rate in rates.items()},
        "advantage": rounded(gap),
        "ks_p": rounded(ks_p, 5),
        "roc": roc(one.ranks, panel.member),
    }
    estimate = Estimate(
        value=rounded(one.auc.value, 4), low=low, high=high, method=context.method(one), ceiling=0.5, floor=None
    )
    message = f"{one.name} tells members from non-members with AUC {one.auc.value:.3f}; 0.5 is guessing"
    found = [
        Measured(metric="auc", message=message, estimate=estimate, judged=not context.is_open, details=details),
    ]
    rate = rates[0.01]
    if rate is not None and one.name != "meta":
        found.append(_rate_finding(one.name, rate, context))
    return found


def _slices(stage: Stage, scored: Sequence[Scored], context: _Context, sample: Sample) -> list[Measured]:
    """Return which kinds of rows leak most, and keep the scores of single records for whoever asks for that file."""
    sum_of_all = scored[-1]
    sample.derive(RISKS, lambda _: Risks.of(sum_of_all.scores, stage.panel, sample.real.index))
    looked_at = {one.name: one.ranks for one in scored if one.name in WHOLE_ROWS}
    found = risky_slices(stage, sample, looked_at, META_FACTOR)
    decides = not (context.drift.is_shown or context.is_open)
    return [replace(f, judged=f.judged and decides) for f in found]


def _rate_json(rate: dict[str, float] | None, nonmembers: int) -> Json:
    if rate is None:
        return {"not_estimable": f"too few false positives with {nonmembers} holdout rows"}
    return {name: rounded(value, 5 if name == "p" else 3) for name, value in rate.items()}


def _no_rate(panel: Panel) -> Measured:
    """Say that the share of members found at few false positives cannot be estimated, which leaves the check open."""
    why = f"1 % false positives of {panel.nonmembers:,} holdout rows are too few to count; 1,000 rows would do"
    return Measured(metric="tpr_at_fpr_1pct", message=why, not_assessed=why, decides=True)


def _rate_finding(name: str, rate: dict[str, float], context: _Context) -> Measured:
    drifted = context.drift.is_shown
    message = f"at 1 % false positives {name} finds {rate['value']:.1%} of the members"
    return Measured(
        metric="tpr_at_fpr_1pct",
        message=message + ("; not judged, since the holdout drifted" if drifted else ""),
        estimate=Estimate(
            value=rounded(rate["value"], 4),
            low=rate["low"],
            high=rate["high"],
            method=f"binomial threshold, Clopper-Pearson, simultaneous over {context.attacks} attacks, 98 % each side",
            ceiling=0.01,
        ),
        limit=Limit(max=context.max_tpr),
        judged=not (drifted or context.is_open),
        decides=True,
        details={"attack": name, "p": rounded(rate["p"], 5)},
    )


def _drift_finding(drift: Drift) -> Measured:
    z = simultaneous_z(0.025, 1)
    low, high = auc_bounds(drift.auc, z, z)
    value = drift.auc.value
    if drift.is_shown:
        named = f" (columns {', '.join(drift.columns)})" if drift.columns else ""
        message = (
            f"the holdout differs from the training rows without any synthetic row: AUC {value:.3f}{named}; attacks "
            "are compared within deciles of that difference, and can fail but not pass"
        )
    else:
        message = f"training rows and holdout cannot be told apart without the synthetic table (AUC {value:.3f})"
    return Measured(
        metric="drift_auc",
        message=message,
        estimate=Estimate(
            value=rounded(value, 4),
            low=low,
            high=high,
            method="two-fold cross-validated, DeLong with doubled variance, score bounds, 95 %",
            ceiling=0.5,
        ),
        columns=drift.columns,
        judged=False,
        details={"p": rounded(drift.p, 5), "shown": drift.is_shown},
    )


def _strongest(scored: Sequence[Scored]) -> Scored:
    return max(scored, key=lambda one: one.auc.value)


def _score_estimate(scored: Sequence[Scored], context: _Context) -> Estimate:
    """Return the largest AUC; its upper end is the largest upper bound of any attack."""
    top = _strongest(scored)
    low, high = context.interval(top.bounds[0], max(one.bounds[1] for one in scored))
    position = Position(value=_safe(top.auc.value), low=_safe(high), high=_safe(low))
    return Estimate(
        value=rounded(top.auc.value, 4),
        low=low,
        high=high,
        method=context.method(top),
        ceiling=0.5,
        position=position,
    )


def _safe(value: float) -> float:
    """Return the place of an AUC between a full leak (0) and guessing (1)."""
    return min(1.0, max(0.0, 2 * (1 - value)))


def _reason(scored: Sequence[Scored], context: _Context) -> str:
    top = _strongest(scored)
    members, nonmembers = context.panel.queried
    low, high = top.bounds
    parts = [
        f"the strongest of {len(scored)} attacks ({top.name}) reaches AUC {top.auc.value:.3f} [{low:.3f}, {high:.3f}] "
        f"on {members:,} members and {nonmembers:,} non-members; 0.5 is guessing"
    ]
    if context.panel.grouped_by is not None:
        members, nonmembers = context.panel.units
        parts.append(
            f"rows come in groups by {context.panel.grouped_by!r}, so {members:,} against {nonmembers:,} groups "
            "were compared"
        )
    if context.is_small:
        parts.append(f"fewer than {LEAST_HOLDOUT} holdout rows or groups can be queried, so nothing is decided")
    if context.drift.is_clustered:
        parts.append(
            "holdout rows are nearer to one another than to training rows, so rows belong together in a way that no "
            "column tells (persons, places, days): nothing is decided until a column names the groups"
        )
    if context.drift.is_apart:
        parts.append("few training rows have their like in the holdout, which is no random part: nothing is decided")
    elif context.drift.is_shown:
        parts.append("the holdout is no random part of the real rows, so nothing can be passed")
    if 2 * context.panel.common > context.panel.holdout_rows:
        parts.append("most holdout rows also occur in the training rows, so most records are alike by nature")
    if any(one.z < -3 for one in scored):
        parts.append("an attack is significantly worse than guessing: are real and holdout swapped?")
    return "; ".join(parts)


def _power(panel: Panel, attacks: int) -> str:
    n, m = panel.units
    rate = detectable_rate(n, m, attacks)
    tpr = f" or a TPR at 1 % FPR of at least {rate:.1%}" if rate is not None else ""
    groups = f" (groups by {panel.grouped_by!r})" if panel.grouped_by is not None else ""
    few = f"{max(1, ceil((rate - 0.01) * n)):,}" if rate is not None else f"{ceil(0.05 * n):,}"
    return (
        f"with {n:,} members and {m:,} non-members{groups} this audit would have detected a true AUC of at least "
        f"{detectable_auc(n, m, attacks):.3f}{tpr} with probability 0.9; leaks below that, leaks that touch fewer than "
        f"about {few} records, and attacks outside ensemble {ENSEMBLE} are not excluded"
    )


def _removed(panel: Panel) -> list[Skip]:
    out = []
    if panel.common:
        out.append(Skip(f"{shown(panel.common)} different rows", "occur in both training rows and holdout"))
    if panel.duplicates:
        out.append(Skip(f"{shown(panel.duplicates)} rows", "equal to another row of the same side"))
    return out


def _details(stage: Stage, scored: Sequence[Scored], context: _Context, profile: str) -> dict[str, Json]:
    panel, drift = context.panel, context.drift
    members, nonmembers = panel.queried
    alpha = 0.05 / len(scored)
    bounds = {one.name: epsilon_bound(one.ranks, panel.member, alpha) for one in scored}
    best = max(bounds, key=lambda name: bounds[name]["value"])
    top = _strongest(scored)
    return {
        "ensemble": ENSEMBLE,
        "profile": profile,
        "folds": panel.folds,
        "effective": {"members": panel.members, "nonmembers": panel.nonmembers},
        "queries": {"members": members, "nonmembers": nonmembers},
        "removed": {"common": shown(panel.common), "duplicates": shown(panel.duplicates)},
        "synthetic_rows": len(stage.synthetic),
        "synthetic_per_training_row": rounded(len(stage.synthetic) / max(1, len(stage.encoding.real))),
        "drift": {
            "auc": rounded(drift.auc.value),
            "p": rounded(drift.p, 5),
            "columns": list(drift.columns),
            "clustered": drift.is_clustered,
        },
        "detected": any(one.p < DETECTED for one in scored),
        "strongest": top.name,
        "epsilon_lower_bound": {
            "value": 0.0
            if drift.is_shown or drift.is_clustered or panel.grouped_by
            else rounded(bounds[best]["value"], 2),
            "attack": best,
            "meaning": "a differential privacy claim with delta 0 below this is contradicted, if the holdout was "
            "chosen at random and each person has one row; 0 means nothing shown",
        },
        "needed_holdout": _needed(top, len(scored)),
    }


def _needed(top: Scored, attacks: int) -> int | None:
    """Return the holdout (and as many members) that would show this AUC to be within 0.55, or None."""
    room = TOLERANCE - max(0.0, top.auc.value - 0.5)
    if room <= 0.005:
        return None
    return ceil((simultaneous_z(AUC_ERROR, attacks) * REFERENCE_FACTOR / room) ** 2 / 6)
