"""Declared constraints: the gate file's SQL expressions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from synthgate.catalogue import Options, measure
from synthgate.expressions import Checkable, breaking_rows, check_expression, count_violations, locked_connection
from synthgate.findings import Estimate, Ledger, Limit, Measured, Measurement, Severity, Skip
from synthgate.measures.constraints.breaches import few_hidden, few_told
from synthgate.measures.constraints.control import told_control
from synthgate.measures.constraints.shown import MOST_ROWS, row_words, told_rows
from synthgate.typed import typed_rows

if TYPE_CHECKING:
    import duckdb

    from synthgate.evidence import Evidence
    from synthgate.gatefile import Constraint
    from synthgate.sides import Side


@measure("constraints.declared")
def declared(evidence: Evidence, options: Options) -> Measurement:
    """Count the rows that break each declared constraint, in synthetic and, as a control, in real.

    A row breaks a constraint when its expression is false; an unknown (null) result keeps it, as in
    an SQL CHECK. A constraint that real itself breaks beyond its tolerance is told as a warning:
    then the rule is at fault, not the data.
    """
    if not evidence.constraints:
        return Measurement.missing(
            "no constraint is declared: list SQL expressions under `constraints` in the gate file"
        )
    with locked_connection() as connection:
        rules = [_checked(connection, evidence, rule) for rule in evidence.constraints]
        findings = _findings(connection, evidence, rules)
    counted = [f for f in findings if f.not_assessed is None]
    failed = sum(1 for f in counted if f.estimate and f.limit and f.estimate.value > (f.limit.max or 0.0))
    total = len(counted)
    if not counted:
        return Measurement(reason="no constraint could be counted", findings=tuple(findings))
    reason = f"{failed} of {total} constraints are broken" if failed else f"all {total} constraints hold"
    skipped = tuple(Skip(str(f.details["name"]), f.not_assessed) for f in findings if f.not_assessed is not None)
    return Measurement(
        reason=reason, findings=tuple(findings), score=Estimate.exact(1 - failed / total), ledger=Ledger(total, skipped)
    )


def _findings(
    connection: duckdb.DuckDBPyConnection, evidence: Evidence, rules: Sequence[tuple[Constraint, Checkable]]
) -> list[Measured]:
    """Count every rule whose columns synthetic has, in one pass over each side."""
    there = set(evidence.synthetic.table.schema.names)
    lacking = [(rule, sorted(checked.columns - there)) for rule, checked in rules]
    findings = [_not_counted(rule, names) for rule, names in lacking if names]
    kept = [(rule, checked) for rule, checked in rules if checked.columns <= there]
    if not kept:
        return findings
    names = frozenset[str]().union(*(checked.columns for _, checked in kept))
    schema = evidence.real.table.schema
    every = [checked for _, checked in kept]

    def counted(side: Side) -> list[tuple[int, int]]:
        return count_violations(connection, typed_rows(evidence.plan, side, schema, names), every)

    found = counted(evidence.synthetic)
    control: Sequence[tuple[int, int] | None]
    if evidence.real.has_rows:
        control = counted(evidence.real)
    else:
        control = [told_control(connection, evidence, checked) for checked in every]
    for (rule, checked), synthetic, real in zip(kept, found, control, strict=True):
        shown: tuple[str, ...] = ()
        if evidence.show_rows and synthetic[0]:
            batches = typed_rows(evidence.plan, evidence.synthetic, schema, checked.columns)
            shown = tuple(row_words(row) for row in breaking_rows(connection, batches, checked, MOST_ROWS))
        named = tuple(name for name in schema.names if name in checked.columns)
        findings.append(_finding(rule, named, synthetic, real, shown))
    return findings


def _not_counted(rule: Constraint, lacking: Sequence[str]) -> Measured:
    why = f"synthetic has no column {', '.join(map(repr, lacking))}"
    details = {"name": rule.name, "sql": rule.sql}
    return Measured(metric="violating_share", message=f"{rule.name}: {why}", not_assessed=why, details=details)


def _checked(
    connection: duckdb.DuckDBPyConnection, evidence: Evidence, rule: Constraint
) -> tuple[Constraint, Checkable]:
    """Refuse what is no expression over the row's own columns."""
    known = evidence.real.table.schema.names
    columns = check_expression(connection, rule.sql, rule.place, known)
    if rule.where is not None:
        columns |= check_expression(connection, rule.where, rule.place, known)
    return rule, Checkable(rule.sql, rule.where, rule.place, columns)


def _finding(
    rule: Constraint,
    columns: tuple[str, ...],
    synthetic: tuple[int, int],
    real: tuple[int, int] | None,
    shown: Sequence[str],
) -> Measured:
    share = synthetic[0] / synthetic[1] if synthetic[1] else 0.0
    control = real[0] / real[1] if real and real[1] else 0.0
    message = f"{rule.name}: {synthetic[0]:,} of {synthetic[1]:,} rows break `{rule.sql}`"
    message += told_rows(shown)
    severity = rule.severity
    if real is None:
        message += "; whether real keeps it, its profile does not tell"
    elif control > rule.tolerance:
        message += f"; real itself breaks it in {few_told(real[0])} of {real[1]:,} rows, so the rule is at fault"
        severity = Severity.WARN
    return Measured(
        metric="violating_share",
        message=message,
        estimate=Estimate.exact(share),
        columns=columns,
        limit=Limit(max=rule.tolerance),
        severity=severity,
        details={
            "name": rule.name,
            "sql": rule.sql,
            "rows": synthetic[1],
            "broken": synthetic[0],
            "broken_in_real": few_hidden(real[0] if real else None),
        },
    )
