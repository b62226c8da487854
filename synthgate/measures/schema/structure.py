"""Which columns there are, what they store, what is missing, and which must be unique."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgate.canonical import kind_of
from synthgate.catalogue import Options, measure
from synthgate.counts import ColumnCounts
from synthgate.findings import Estimate, Ledger, Measured, Measurement, Severity
from synthgate.measures.schema.gaps import gap_findings, is_wrong
from synthgate.measures.schema.writing import other_notation, unread
from synthgate.roles import Role
from synthgate.values import LabelCounts, NumberCounts

if TYPE_CHECKING:
    from synthgate.evidence import Evidence
    from synthgate.plan import ColumnPlan


ALPHA = 0.001
LIKELY = 0.05
"""From this chance on, what fresh real rows would show, too, is told without a warning."""


def dealt_chance(both: LabelCounts, rows: int, of: int, known: int) -> float:
    """Bound the chance that categories which only fresh rows hold would have `rows` rows or more.

    If all rows are of one kind, they are dealt at random to `known` and fresh ones: all `c` rows of a category are
    fresh with the chance ``C(m, c) / C(N + m, c)``. Such categories' rows add up to `rows` with a chance of at most
    ``exp(-t k) prod (1 + p (exp(t c) - 1))`` for every ``t >= 0`` (Chernoff 1952, Annals of Mathematical Statistics
    23, 493-507; the deals of different categories are negatively associated). Rows of one category come together,
    which a binomial count of rows does not allow for. Categories of `rows` rows or more are added one by one.

    Parameters
    ----------
    both : LabelCounts
        The categories of all rows.
    rows : int
    of, known : int
        Fresh rows and known rows.
    """
    sizes, times, log_p = _all_fresh(both, of, known)
    small = sizes < rows
    log_p, sizes, times = log_p[small], sizes[small], times[small]
    tilt = np.geomspace(1e-3, 30, 120)[:, None]
    # log(1 - p + p exp(t c)), where exp(t c) may overflow
    parts = np.logaddexp(np.log1p(-np.exp(np.minimum(log_p, -1e-12))), log_p + tilt * sizes)
    together = float(((parts * times).sum(axis=1) - tilt[:, 0] * rows).min())
    return min(1.0, alone_chance(both, rows, of, known) + float(np.exp(min(0.0, together))))


def alone_chance(both: LabelCounts, rows: int, of: int, known: int) -> float:
    """Bound the chance that any one category which only fresh rows hold would have `rows` rows or more.

    Parameters are those of :func:`dealt_chance`; the chances of all categories of that size are added.
    """
    sizes, times, log_p = _all_fresh(both, of, known)
    return min(1.0, float((times * np.exp(log_p))[sizes >= rows].sum()))


def _all_fresh(
    both: LabelCounts, of: int, known: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return sizes of categories, how many have each, and the logarithm of the chance that all its rows are fresh."""
    from scipy.special import gammaln

    sizes, times = np.unique(both.counts[both.counts <= of], return_counts=True)
    log_p = gammaln(of + 1) - gammaln(of - sizes + 1) - gammaln(known + of + 1) + gammaln(known + of - sizes + 1)
    return sizes, times, log_p


def violation(
    metric: str, column: str | None, share: float, message: str, severity: Severity | None = None
) -> Measured:
    """Return a finding whose value is the share of rows (or columns) that break a rule."""
    return Measured(
        metric=metric,
        message=message,
        estimate=Estimate.exact(share),
        columns=(column,) if column is not None else (),
        severity=severity,
    )


def by_chance(metric: str, name: str, share: float, message: str) -> Measured:
    """Return a finding that chance explains: its excess is zero."""
    return Measured(
        metric=metric,
        message=message,
        estimate=Estimate.exact(0.0),
        columns=(name,),
        details={"observed_share": share},
    )


def chance_of_all(rows: int, synthetic: int, known: int) -> float:
    """Return the chance that all `rows` of a kind are among the synthetic rows, when they are no more common there."""
    steps = np.arange(min(rows, 1000))
    return float(np.prod((synthetic - steps) / (known + synthetic - steps)))


def summed_up(findings: list[Measured], subject: str, scored: int) -> Measurement:
    """Return a measurement whose score is the share of subjects without a violation."""
    broken = {f.columns for f in findings if f.estimate and f.estimate.value > 0}
    kept = 1 - len(broken) / scored if scored else 1.0
    noun = subject.split(" ", maxsplit=1)[0]
    reason = f"{len(broken)} of {scored} {subject}" if broken else f"all {scored} {noun} agree with real"
    return Measurement(
        reason=reason, findings=tuple(findings), score=Estimate.exact(max(0.0, kept)), ledger=Ledger(scored)
    )


@measure("schema.columns")
def columns(evidence: Evidence, options: Options) -> Measurement:
    """Compare the names of the columns: missing ones fail, additional ones fail, another order is told."""
    real, synthetic = evidence.real.table.schema.names, evidence.synthetic.table.schema.names
    missing = sorted(set(real) - set(synthetic), key=real.index)
    added = sorted(set(synthetic) - set(real), key=synthetic.index)
    findings = [violation("column_missing", name, 1.0, "in real, absent from synthetic") for name in missing]
    findings += [violation("column_added", name, 1.0, "in synthetic, absent from real") for name in added]
    shared = set(real) & set(synthetic)
    if [name for name in synthetic if name in shared] != [name for name in real if name in shared]:
        findings.append(
            Measured(metric="column_order", message="the common columns stand in another order", judged=False)
        )
    return summed_up(findings, "columns missing or added", len(real))


@measure("schema.types")
def types(evidence: Evidence, options: Options) -> Measurement:
    """Compare what the columns store; a value that does not fit its role, or a fraction in whole numbers, fails.

    Numbers that real stores as floating point may merely happen to be whole: fractions fail there when fresh rows would
    not hold as many (chance below 0.001: see :func:`chance_of_all`), and fewer are told as a warning.
    """
    findings: list[Measured] = []
    there = set(evidence.synthetic.table.schema.names)
    names = [n for n in evidence.plan.names if n in there]
    for name in names:
        plan = evidence.plan[name]
        stored = kind_of(evidence.synthetic.table.schema.field(name).type)
        counts = evidence.synthetic.counts.columns.get(name)
        findings.extend(
            _type_findings(plan, stored, counts, _whole(evidence, name), read_as_text=evidence.synthetic.table.as_text)
        )
        findings += _infinite(evidence, name)
    findings = [_with_notation(evidence, found) for found in findings]
    findings += [found for name in names if (found := unread(evidence, evidence.plan[name]))]
    return summed_up(findings, "columns store values of another type", len(names))


def _infinite(evidence: Evidence, name: str) -> list[Measured]:
    """Return infinite values where no known row has one: a warning where as many might be rare, and a failure else."""
    found = evidence.synthetic.counts.columns.get(name)
    known = [
        side.counts.columns[name] for side in (evidence.real, evidence.holdout) if side and name in side.counts.columns
    ]
    if found is None or not _infinities(found) or any(map(_infinities, known)):
        return []
    rows = _infinities(found)
    message = f"{rows:,} of {found.rows:,} values are infinite, real holds finite numbers only"
    may_be = chance_of_all(rows, found.present, sum(side.present for side in known)) >= ALPHA
    return [violation("infinite_share", name, rows / found.rows, message, Severity.WARN if may_be else None)]


def _infinities(counts: ColumnCounts) -> int:
    values = counts.values
    return int(values.counts[np.isinf(values.values)].sum()) if isinstance(values, NumberCounts) else 0


def _with_notation(evidence: Evidence, found: Measured) -> Measured:
    """Add to values that are no numbers how they are written, where that is why."""
    if found.metric != "misfit_share":
        return found
    (name,) = found.columns
    return replace(found, message=found.message + other_notation(evidence.plan[name], evidence.synthetic.table))


def _whole(evidence: Evidence, name: str) -> int:
    """Return in how many known rows a column holds a whole number; zero where the holdout holds a fraction."""
    real = evidence.real.counts.columns.get(name)
    held = evidence.holdout.counts.columns.get(name) if evidence.holdout else None
    if real is None or (held is not None and _fractions(evidence.plan[name], held)):
        return 0
    return real.present + (held.present if held is not None else 0)


def _type_findings(
    plan: ColumnPlan, stored: str, counts: ColumnCounts | None, known: int, *, read_as_text: bool
) -> list[Measured]:
    if counts is None:
        same = stored == plan.kind
        return [] if same else [violation("type", plan.name, 1.0, f"{stored} in synthetic, {plan.kind} in real")]
    found: list[Measured] = []
    if counts.misfits:
        share = counts.misfits / counts.rows
        message = f"{counts.misfits:,} of {counts.rows:,} values are no {_noun(plan.role)}"
        found.append(violation("misfit_share", plan.name, share, message))
    fractions = _fractions(plan, counts)
    if fractions:
        message = f"{fractions:,} of {counts.rows:,} values have a fraction, real holds whole numbers only"
        may_be = plan.kind == "float" and chance_of_all(fractions, counts.present, known) >= ALPHA
        severity = Severity.WARN if may_be else None
        found.append(violation("fraction_share", plan.name, fractions / counts.rows, message, severity))
    if stored not in (plan.kind, "null") and not read_as_text:
        harmless = {stored, plan.kind} <= {"integer", "float"} or plan.role is Role.BOOLEAN or plan.kind == "null"
        message = f"stored as {stored}, real as {plan.kind}"
        if plan.kind == "null":
            message = f"stored as {stored}; real has no value, and so no type"
        elif not found:
            message += "; the values themselves fit"
        severity = Severity.WARN if harmless else None
        found.append(violation("stored_type", plan.name, 1.0, message, severity))
    return found


def _noun(role: Role) -> str:
    return {Role.NUMERICAL: "number", Role.DATETIME: "date", Role.BOOLEAN: "yes or no"}.get(role, f"{role} value")


def _fractions(plan: ColumnPlan, counts: ColumnCounts) -> int:
    if plan.role is not Role.NUMERICAL or not plan.integral or not isinstance(counts.values, NumberCounts):
        return 0
    finite = counts.values.finite()
    return int(finite.counts[finite.values != np.floor(finite.values)].sum())


@measure("schema.nulls")
def nulls(evidence: Evidence, options: Options) -> Measurement:
    """Look for missing values in columns that have none in real (nor in the holdout, nor by metadata).

    If missing values were merely rare, the chance that all ``k`` of them are synthetic would be
    ``prod (m - i) / (N + m - i)``, ``i < k``, with ``N`` known real rows and ``m`` synthetic ones. Below 0.001 the
    column fails, below 0.05 it is a warning; one or two missing values are told, and no more. In columns that
    have some in real their share is compared.
    """
    findings = []
    names = list(evidence.shared)
    for name in names:
        counts = evidence.synthetic.counts.columns[name]
        known = [
            side.counts.columns[name]
            for side in (evidence.real, evidence.holdout)
            if side and name in side.counts.columns
        ]
        missing = counts.missing - counts.misfits
        if not missing or evidence.plan[name].nullable or any(side.missing for side in known):
            continue
        of = sum(side.rows for side in known)
        chance = chance_of_all(missing, counts.rows, of)
        message = f"{missing:,} of {counts.rows:,} values are missing; real has a value in every row"
        if chance >= LIKELY:
            share, why = missing / counts.rows, f", as {of + counts.rows:,} rows may (chance {chance:.2g})"
            findings.append(by_chance("missing_share", name, share, message + why))
            continue
        severity = None if chance < ALPHA else Severity.WARN
        findings.append(violation("missing_share", name, missing / counts.rows, message, severity))
    measured = summed_up(findings, "columns have missing values that real never has", len(names))
    gaps = gap_findings(evidence)
    wrong = sum(is_wrong(gap) for gap in gaps)
    far = "less than two thirds or more than one and a half of the real share"
    reason = f"{measured.reason}; {wrong} have {far}" if wrong else ""
    return replace(measured, reason=reason or measured.reason, findings=(*measured.findings, *gaps))


@measure("schema.keys")
def keys(evidence: Evidence, options: Options) -> Measurement:
    """Look for repeated or missing values in key columns: those named, else ids that are unique in real.

    A composite key is unique over its columns together.
    """
    named = [n for n in evidence.keys if n in evidence.shared]
    composite = [key for key in evidence.composite_keys if set(key) <= set(evidence.shared)]
    names = named or ([] if composite else [c.name for c in evidence.plan.columns if _is_key(evidence, c)])
    if not names and not composite:
        return Measurement.missing("real has no key column: name one under `key` in the gate file")
    findings = []
    for name in names:
        counts = evidence.synthetic.counts.columns[name]
        if counts.values.overflowed:
            continue
        repeated = int((counts.values.counts - 1).sum())
        message = f"{repeated:,} of {counts.rows:,} values repeat another row's key"
        findings.append(violation("repeated_share", name, repeated / max(1, counts.rows), message))
        if counts.missing:
            message = f"{counts.missing:,} of {counts.rows:,} keys are missing"
            findings.append(violation("missing_key_share", name, counts.missing / counts.rows, message))
    findings += [finding for key in composite for finding in _composite_key(evidence, key)]
    return summed_up(findings, "keys repeat or are missing", len(names) + len(composite))


def _composite_key(evidence: Evidence, key: tuple[str, ...]) -> list[Measured]:
    """Count rows whose values of several columns together repeat another row's, or are not all there."""
    side = evidence.sample.synthetic
    of = f"{side.rows:,} " + ("rows" if side.rows == side.rows_total else f"sampled rows of {side.rows_total:,}")
    columns = [side.columns[name] for name in key]
    missing = np.zeros(side.rows, bool)
    joint = np.zeros(side.rows, np.int64)
    for column in columns:
        missing |= np.isnan(column) if column.dtype.kind == "f" else column < 0
        codes = np.unique(column, return_inverse=True)[1]
        joint = np.unique(joint * (int(codes.max(initial=0)) + 1) + codes, return_inverse=True)[1]
    whole = joint[~missing]
    repeated, absent = len(whole) - len(np.unique(whole)), int(missing.sum())
    found = [("repeated_share", repeated, "repeat another row's key")]
    found += [("missing_key_share", absent, "lack a part of their key")] if absent else []
    return [
        Measured(
            metric=metric,
            message=f"{rows:,} of {of} {words} ({', '.join(key)})",
            estimate=Estimate.exact(rows / max(1, side.rows)),
            columns=key,
        )
        for metric, rows, words in found
    ]


def _is_key(evidence: Evidence, plan: ColumnPlan) -> bool:
    if plan.role is not Role.ID or plan.name not in evidence.shared:
        return False
    counts, gone = evidence.real.counts.columns[plan.name], evidence.real.suppression
    if gone is not None:
        return gone.columns[plan.name].unique
    return not counts.missing and not counts.values.overflowed and len(counts.values.counts) == counts.rows
