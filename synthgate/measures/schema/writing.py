"""How numbers are written: columns that look like numbers and are read as text, and values in another notation."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING

from synthgate.findings import Estimate, Measured, Severity
from synthgate.notations import PLAIN, number_layout, parser, written
from synthgate.plan import RARE_BELOW
from synthgate.roles import Role
from synthgate.values import LabelCounts

if TYPE_CHECKING:
    from synthgate.evidence import Evidence
    from synthgate.plan import ColumnPlan
    from synthgate.tables import Table

MOST_NUMBERS = 0.9
"""Share of the different texts that look like numbers from which on a column is told."""
LEAST_DISTINCT = 20
CODE_LENGTH = 16
"""Digits from which on a text is a code: a floating-point number would not hold them."""
LOOKED_AT = 10_000
"""Synthetic rows in which values of another notation are looked for."""


def unread(evidence: Evidence, plan: ColumnPlan) -> Measured | None:
    """Return a warning when a real column of texts looks like numbers, and is read as texts all the same."""
    counts = evidence.real.counts.columns.get(plan.name)
    if plan.kind != "string" or plan.role not in (Role.ID, Role.TEXT, Role.CATEGORICAL) or counts is None:
        return None
    labels = counts.values
    if not isinstance(labels, LabelCounts) or len(labels.labels) < LEAST_DISTINCT or plan.pool is not None:
        return None
    known = labels.as_dict()
    if sum(map(_is_number, islice(known, LEAST_DISTINCT))) < LEAST_DISTINCT / 2:
        return None
    numbers = {text: rows for text, rows in known.items() if _is_number(text)}
    rows = sum(numbers.values())
    if len(numbers) < MOST_NUMBERS * len(known) or (rows == labels.total and all(text.isdigit() for text in numbers)):
        return None
    left = "categories" if plan.role is Role.CATEGORICAL else "text, and its distribution is not compared"
    message = _why(known, numbers, rows, labels.total) + f"; the column is read as {left}"
    return Measured(
        metric="numbers_as_text",
        message=message,
        columns=(plan.name,),
        severity=Severity.WARN,
        estimate=Estimate.exact(rows / labels.total),
    )


def _why(known: Mapping[str, int], numbers: Mapping[str, int], rows: int, total: int) -> str:
    """Say why texts that look like numbers were not read as such; a value is named only when it is no rare one."""
    if rows == total:
        return (
            "all real values look like numbers, but not which of . , and ' parts thousands and which fractions: write "
            "them as 1234.5"
        )
    others = sorted((-n, text) for text, n in known.items() if text not in numbers and n >= RARE_BELOW)
    named = ", such as " + ", ".join(repr(text) for _, text in others[:3]) if others else ""
    mend = "name what stands for a missing value under missing_values" if others else "mend or drop the others"
    return f"{rows:,} of {total:,} real values look like numbers and the others{named} do not: {mend}"


def _is_number(text: str) -> bool:
    one = written(text)
    if one is None:
        return False
    is_padded = one.body.isdigit() and len(one.body) > 1 and one.body[0] == "0"
    return not is_padded and len(one.body) < CODE_LENGTH


def other_notation(plan: ColumnPlan, table: Table) -> str:
    """Return how synthetic values that are no numbers of the real notation are written, in words, or nothing."""
    if plan.role is not Role.NUMERICAL:
        return ""
    batch = next(iter(table.batches(LOOKED_AT)))
    read = parser(plan.layout or PLAIN)
    texts = {text for text in batch.column(plan.name).to_pylist() if isinstance(text, str) and read(text) is None}
    numbers = [text for text in sorted(texts) if written(text)]
    if len(numbers) < MOST_NUMBERS * len(texts) or not numbers:
        return ""
    found = number_layout(numbers)
    like = f"like {found}" if found and found != plan.layout else "in another way"
    return f": numbers are written {like}, in real like {plan.layout or PLAIN}"
