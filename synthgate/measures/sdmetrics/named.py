"""The measure behind every ``sdmetrics.NAME``: choose the subjects, score them, and say what was left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from synthgate.catalogue import Measure, Options
from synthgate.findings import Estimate, Ledger, Measured, Measurement, Skip
from synthgate.measures.sdmetrics import library, reports
from synthgate.measures.sdmetrics.metrics import Metric, find_metric
from synthgate.measures.sdmetrics.pairs import contingency_scores, correlation_scores
from synthgate.measures.sdmetrics.scores import IncomputableError, column_score

if TYPE_CHECKING:
    from synthgate.evidence import Evidence

NO_INTERVAL = "exact for the rows at hand: SDMetrics states no interval"
Scores = Mapping[tuple[str, ...], "float | IncomputableError"]


def measure_named(check_id: str) -> Measure:
    """Return the measure of ``sdmetrics.NAME``.

    Raises
    ------
    UnknownMetricError
    """
    metric = find_metric(check_id.split(".", maxsplit=1)[1], check_id)
    return Measure(check_id, partial(score, metric), metric.options)


def score(metric: Metric, evidence: Evidence, options: Options) -> Measurement:
    """Score what the metric applies to, as SDMetrics does: its value per column, per pair or for the table.

    The check's score is the mean over columns or pairs, NaN left out: what SDMetrics' single-table
    metric of that name returns.
    """
    if metric.kind == "report":
        return _report(metric, evidence, options)
    if metric.kind == "table":
        if metric.ours:
            return _measured(metric, evidence, {(): reports.structure(evidence)}, ())
        seen = library.table_columns(evidence, options)
        left = [Skip(c.name, f"{c.role} columns are left out") for c in evidence.plan.columns if c.name not in seen]
        return _measured(metric, evidence, library.table_score(metric, evidence, options), left)
    names, skipped = _subjects(metric, evidence, options)
    if len(names) < (2 if metric.kind == "pair" else 1):
        wanted = " or ".join(metric.roles) or "named"
        few = "no pair of columns" if metric.kind == "pair" else "no column"
        return Measurement.missing(f"{metric.name} applies to {wanted} columns, and there is {few} of that kind")
    return _measured(metric, evidence, _scores(metric, evidence, names, options), skipped)


def _scores(metric: Metric, evidence: Evidence, names: list[str], options: Options) -> Scores:
    if not metric.ours:
        by_kind = library.pair_scores if metric.kind == "pair" else library.column_scores
        return by_kind(metric, evidence, names, options)
    if metric.name == "CorrelationSimilarity":
        return dict(correlation_scores(evidence.sample, names, options).items())
    if metric.name == "ContingencySimilarity":
        return dict(contingency_scores(evidence.sample, names, options).items())
    return {(name,): _column(metric, evidence, name, options) for name in names}


def _column(metric: Metric, evidence: Evidence, name: str, options: Options) -> float | IncomputableError:
    real, synthetic = evidence.real.counts.columns[name], evidence.synthetic.counts.columns[name]
    if real.values.overflowed or synthetic.values.overflowed:
        return IncomputableError(metric.name, "it has too many distinct values to be counted")
    try:
        return column_score(metric.name, options, evidence.plan[name].role, real, synthetic)
    except IncomputableError as error:
        return error


def _subjects(metric: Metric, evidence: Evidence, options: Options) -> tuple[list[str], tuple[Skip, ...]]:
    """Return the columns to score, and those left out with the reason."""
    continuous = library.listed(options.get("continuous_column_names"))
    named = library.listed(options.get("columns"))
    if not named and metric.name == "KeyUniqueness":
        named = list(evidence.keys)
    names, skipped = [], []
    for column in evidence.plan.columns:
        name, role = column.name, str(column.role)
        if name not in evidence.shared:
            if not named or name in named:
                skipped.append(Skip(name, "not in the synthetic table"))
        elif metric.roles and role not in metric.roles and name not in continuous:
            if not named or name in named:
                skipped.append(Skip(name, f"{metric.name} does not apply to {role} columns"))
        elif named:
            names += [name] if name in named else []
        elif (name,) == evidence.keys:
            skipped.append(Skip(name, "a key"))
        else:
            names.append(name)
    return names, tuple(skipped)


def _measured(metric: Metric, evidence: Evidence, scores: Scores, skipped: Iterable[Skip]) -> Measurement:
    left_out, findings, known = list(skipped), [], []
    for columns, value in scores.items():
        if isinstance(value, IncomputableError):
            left_out.append(Skip(" x ".join(columns) or "the table", value.problem))
            findings.append(_open(metric, columns, f"SDMetrics cannot compute it: {value.problem}"))
        elif np.isnan(value):
            left_out.append(Skip(" x ".join(columns) or "the table", f"{metric.name} is not a number here"))
            findings.append(_open(metric, columns, f"{metric.name} is not a number here"))
        else:
            known.append(value)
            about = " and ".join(columns) or "the table"
            message = f"{metric.name} of {about} is {value:.4g}"
            findings.append(Measured(metric=metric.name, message=message, estimate=_exact(value), columns=columns))
    if not known:
        why = findings[0].not_assessed if findings else "there is nothing to score"
        return Measurement(
            reason=f"{metric.name} could not be computed: {why}",
            not_assessed=f"{metric.name} could not be computed: {why}",
            findings=tuple(findings),
            ledger=Ledger(0, tuple(left_out)),
        )
    mean = float(np.mean(known))
    several = {"column": "columns", "pair": "pairs"}.get(metric.kind)
    over = f", the mean over {len(known)} {several}" if several else ""
    worst = sorted(findings, key=lambda f: _order(metric, f))
    return Measurement(
        reason=f"{metric.name} is {mean:.4f}{over}{_sampled(evidence, metric)}",
        findings=tuple(worst),
        score=_exact(mean),
        ledger=Ledger(len(known), tuple(left_out)),
    )


def _order(metric: Metric, found: Measured) -> float:
    """Return a rank that puts the worst value first and what was not scored last."""
    if found.estimate is None:
        return float("inf")
    return found.estimate.value if metric.maximize else -found.estimate.value


def _exact(value: float) -> Estimate:
    return Estimate(value=value, low=value, high=value, method=NO_INTERVAL)


def _open(metric: Metric, columns: tuple[str, ...], why: str) -> Measured:
    return Measured(metric=metric.name, message=why, columns=columns, not_assessed=why)


def _sampled(evidence: Evidence, metric: Metric) -> str:
    """Say how many rows were used, where a metric that needs rows did not see all."""
    from_counts = metric.ours and metric.kind in ("column", "table")
    sides = [side for side in evidence.sides.values() if not side.is_whole]
    if from_counts or not sides:
        return ""
    return f"; computed on {min(len(side.index) for side in sides):,} sampled rows of each larger table"


def _report(metric: Metric, evidence: Evidence, options: Options) -> Measurement:
    parts = reports.quality(evidence, options) if metric.name == "QualityReport" else reports.diagnostic(evidence)
    known = {name: value for name, value in parts.items() if not np.isnan(value)}
    if not known:
        return Measurement.missing(f"the {metric.name} scores nothing here")
    total = float(np.mean(list(known.values())))
    findings = [
        Measured(
            metric=name,
            message=f"{name} is {value:.4f}",
            estimate=_exact(value),
        )
        if not np.isnan(value)
        else Measured(metric=name, message=f"{name} scores nothing here", not_assessed=f"{name} scores nothing here")
        for name, value in parts.items()
    ]
    told = ", ".join(f"{name} {value:.4f}" for name, value in known.items())
    return Measurement(
        reason=f"{metric.name} is {total:.4f}: {told}{_sampled(evidence, metric)}",
        findings=tuple(findings),
        score=_exact(total),
        ledger=Ledger(len(known), tuple(Skip(name, "nothing to score") for name in parts if name not in known)),
    )
