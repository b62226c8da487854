"""Declared constraints: the gate file's SQL expressions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthgate.catalogue import Options, measure
from synthgate.evidence import Side, read_columns
from synthgate.expressions import check_expression, count_violations, locked_connection, typed_batch
from synthgate.findings import Estimate, Ledger, Limit, Measured, Measurement, Severity

if TYPE_CHECKING:
    import duckdb

    from synthgate.evidence import Evidence
    from synthgate.gatefile import Constraint


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
    findings = []
    with locked_connection() as connection:
        for rule in evidence.constraints:
            for text in (rule.sql, rule.where):
                if text is not None:
                    check_expression(connection, text, rule.place)
        for rule in evidence.constraints:
            broken, of = _count(connection, evidence, evidence.synthetic, rule)
            control, control_of = _count(connection, evidence, evidence.real, rule)
            findings.append(_finding(rule, (broken, of), (control, control_of)))
    failed = sum(1 for f in findings if f.estimate and f.limit and f.estimate.value > (f.limit.max or 0.0))
    total = len(findings)
    reason = f"{failed} of {total} constraints are broken" if failed else f"all {total} constraints hold"
    return Measurement(
        reason=reason, findings=tuple(findings), score=Estimate.exact(1 - failed / total), ledger=Ledger(total)
    )


def _count(connection: duckdb.DuckDBPyConnection, evidence: Evidence, side: Side, rule: Constraint) -> tuple[int, int]:
    broken = of = 0
    schema = evidence.real.table.schema
    for batch in side.table.batches():
        typed = typed_batch(evidence.plan, read_columns(evidence.plan, batch), schema)
        here = count_violations(connection, typed, rule.sql, rule.where, rule.place)
        broken, of = broken + here[0], of + here[1]
    return broken, of


def _finding(rule: Constraint, synthetic: tuple[int, int], real: tuple[int, int]) -> Measured:
    share = synthetic[0] / synthetic[1] if synthetic[1] else 0.0
    control = real[0] / real[1] if real[1] else 0.0
    message = f"{rule.name}: {synthetic[0]:,} of {synthetic[1]:,} rows break `{rule.sql}`"
    severity = rule.severity
    if control > rule.tolerance:
        message += f"; real itself breaks it in {real[0]:,} of {real[1]:,} rows, so the rule is at fault"
        severity = Severity.WARN
    return Measured(
        metric="violating_share",
        message=message,
        estimate=Estimate.exact(share),
        limit=Limit(max=rule.tolerance),
        severity=severity,
        details={
            "name": rule.name,
            "sql": rule.sql,
            "rows": synthetic[1],
            "broken": synthetic[0],
            "broken_in_real": real[0],
        },
    )
