"""How numbers and dates are written: columns that look like such and are read as text, and values in another way."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING

from synthgate.canonical import parse_datetime
from synthgate.findings import Estimate, Measured, Severity
from synthgate.infer import date_layout
from synthgate.notations import PLAIN, is_number, number_layout, parser
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
"""Signs from which on a text is a code: a floating-point number would not hold them."""
DATE = re.compile(
    r"((19|20)\d\d[-/.][01]?\d[-/.][0-3]?\d|[0-3]?\d[-/.]([0-3]?\d|[A-Za-z]{3})[-/.]((19|20)?\d\d))([ T]\d.*)?"
)
EXAMPLE = datetime(2031, 12, 30, 17, 45)
LOOKED_AT = 10_000
"""Synthetic rows in which values of another notation are looked for."""


def unread(evidence: Evidence, plan: ColumnPlan) -> Measured | None:
    """Return a warning when a real column holds what looks like numbers or dates, and is read as text."""
    counts = evidence.real.counts.columns.get(plan.name)
    if plan.kind in ("duration", "time") and plan.role in (Role.ID, Role.TEXT):
        return _told(plan, f"{plan.kind}_as_text", 1.0, f"real stores a {plan.kind}: store it as a number of seconds")
    if plan.kind != "string" or plan.role not in (Role.ID, Role.TEXT, Role.CATEGORICAL) or counts is None:
        return None
    labels = counts.values
    if not isinstance(labels, LabelCounts) or len(labels.labels) < LEAST_DISTINCT or plan.pool is not None:
        return None
    return _unread_dates(plan, labels) or _unread_numbers(plan, labels)


def _unread_dates(plan: ColumnPlan, labels: LabelCounts) -> Measured | None:
    known = labels.as_dict()
    if sum(map(_is_date, islice(known, LEAST_DISTINCT))) < LEAST_DISTINCT / 2:
        return None
    dates = sum(map(_is_date, known))
    share = dates / len(known)
    return _told(plan, "dates_as_text", share, _why_no_dates(known)) if share >= MOST_NUMBERS else None


def _unread_numbers(plan: ColumnPlan, labels: LabelCounts) -> Measured | None:
    known = labels.as_dict()
    if sum(map(_is_number, islice(known, LEAST_DISTINCT))) < LEAST_DISTINCT / 2:
        return None
    numbers = {text: rows for text, rows in known.items() if _is_number(text)}
    rows = sum(numbers.values())
    if len(numbers) < MOST_NUMBERS * len(known) or (rows == labels.total and all(text.isdigit() for text in numbers)):
        return None
    return _told(plan, "numbers_as_text", rows / labels.total, _why(known, numbers, rows, labels.total))


def _told(plan: ColumnPlan, metric: str, share: float, why: str) -> Measured:
    left = "categories" if plan.role is Role.CATEGORICAL else "text, and its distribution is not compared"
    return Measured(
        metric=metric,
        message=f"{why}; the column is read as {left}",
        columns=(plan.name,),
        severity=Severity.WARN,
        estimate=Estimate.exact(share),
    )


def _why_no_dates(known: Mapping[str, int]) -> str:
    """Say why texts that look like dates were not read as such; a value is named only when it is no rare one."""
    others = sorted((-n, text) for text, n in known.items() if not _is_date(text) and n >= RARE_BELOW)
    if not others:
        return "real values look like dates, but no one layout reads them all: write them as 2031-12-30"
    named = ", ".join(repr(text) for _, text in others[:3])
    return f"real values look like dates, but for {named}: name what stands for a missing value under missing_values"


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


def _is_date(text: str) -> bool:
    return DATE.fullmatch(text.strip()) is not None


def _is_number(text: str) -> bool:
    return len(text) < CODE_LENGTH and is_number(text)


def other_notation(plan: ColumnPlan, table: Table) -> str:
    """Return how synthetic values that do not fit are written, where they are numbers or dates all the same."""
    if not plan.role.is_continuous:
        return ""
    batch = next(iter(table.batches(LOOKED_AT)))
    present = {text for text in batch.column(plan.name).to_pylist() if isinstance(text, str)}
    if plan.role is Role.DATETIME:
        return _other_dates(plan, {text for text in present if parse_datetime(text, plan.layout) is None})
    read = parser(plan.layout or PLAIN)
    texts = {text for text in present if read(text) is None}
    numbers = [text for text in sorted(texts) if is_number(text)]
    if len(numbers) < MOST_NUMBERS * len(texts) or not numbers:
        return ""
    found = number_layout(numbers)
    like = f"like {found}" if found and found != plan.layout else "in another way"
    return f": numbers are written {like}, in real like {plan.layout or PLAIN}"


def _other_dates(plan: ColumnPlan, texts: set[str]) -> str:
    import pyarrow as pa

    are_dates, layout = date_layout(pa.array(sorted(texts), pa.string()))
    if not are_dates:
        return ""
    found, real = (EXAMPLE.strftime(like) if like else EXAMPLE.date().isoformat() for like in (layout, plan.layout))
    return f": dates are written like {found}, in real like {real}"
