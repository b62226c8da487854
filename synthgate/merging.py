"""One result per check, from the results of the tables: the worst table speaks for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from synthgate.findings import CheckResult, Ledger, Skip, Status, TableResult

RANK = (Status.ERROR, Status.FAIL, Status.INCONCLUSIVE, Status.WARN, Status.PASS, Status.NOT_ASSESSED)


def merge(results: Mapping[str, CheckResult]) -> CheckResult:
    """Return the result of a check over several tables.

    Status, score and reason are those of the worst table that was assessed; findings name their table. A
    table that was not assessed stands in the ledger, and decides only when no other was assessed.

    Parameters
    ----------
    results : dict of CheckResult
        By table, at least one.
    """
    order = sorted(results, key=lambda table: _badness(results[table]))
    worst = results[order[0]]
    scored = [results[table] for table in order if results[table].score is not None]
    skipped = [
        Skip(f"{table}.{skip.subject}", skip.reason) for table, one in results.items() for skip in one.ledger.skipped
    ]
    left = [Skip(table, one.reason) for table, one in results.items() if one.status is Status.NOT_ASSESSED]
    return replace(
        worst,
        reason=_reason(order, results),
        score=min((one for one in scored), key=_place).score if scored else None,
        ledger=Ledger(sum(one.ledger.scored for one in results.values()), (*left, *skipped)),
        power="; ".join(f"{table}: {results[table].power}" for table in order if results[table].power) or None,
        seconds=sum(one.seconds for one in results.values()),
        findings=tuple(finding for one in results.values() for finding in one.findings),
        details={},
        tables=tuple(
            TableResult(table=table, status=one.status, reason=one.reason, score=one.score, details=one.details)
            for table, one in results.items()
        ),
    )


def _badness(result: CheckResult) -> tuple[int, float]:
    return RANK.index(result.status), _place(result)


def _place(result: CheckResult) -> float:
    """Return where a score stands, so that the smallest is the worst."""
    if result.score is None:
        return 1.0
    if result.score.position is not None:
        return result.score.position.value
    return -result.score.value if result.threshold.max is not None else result.score.value


def _reason(order: list[str], results: Mapping[str, CheckResult]) -> str:
    """Return the worst table's sentence, with the count of the other outcomes."""
    first = results[order[0]]
    told = f"table {order[0]!r}: {first.reason}"
    others: dict[str, int] = {}
    for table in order[1:]:
        word = results[table].status.value.replace("_", " ")
        others[word] = others.get(word, 0) + 1
    more = ", ".join(f"{n} {word}" for word, n in others.items())
    return f"{told} (other tables: {more})" if more else told
