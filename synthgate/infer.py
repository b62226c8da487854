"""Infer the role of each column from one look at the real table."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from synthgate.canonical import parse_datetime, to_numbers
from synthgate.notations import PLAIN, number_layout
from synthgate.roles import Role
from synthgate.values import LabelCounts, NumberCounts

if TYPE_CHECKING:
    import pyarrow as pa

DAYS = ("%Y/%m/%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y", "%m/%d/%y", "%d/%m/%y", "%d.%m.%y")
DATE_LAYOUTS = (
    None,
    *DAYS,
    "%d-%b-%Y",
    "%d-%b-%y",
    *(f"{day} {time}" for day in ("%Y-%m-%d", *DAYS) for time in ("%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M:%S %p")),
)
ID_NAME = re.compile(
    r"(^|[_\s.-])(id|ids|key|uuid|guid|index|rowid)$|(?-i:[a-z](Id|ID|Key)$)|^(id|uuid|guid|index)$", re.IGNORECASE
)
CODE_NAME = re.compile(
    r"(^|[_\s.-])(code|class|label|category|type|zip|zipcode|postcode|cluster|group|region)$", re.IGNORECASE
)
MAX_EXACT_INTEGER = 2**53
MAX_CODES = 1000
FEW_CODES = 20
MIN_UNIQUE = 20
MOST_PAIRED = 2
"""Different whole numbers that are categories rather than numbers."""
SAMPLE_TEXTS = 500


def date_layout(labels: pa.Array) -> tuple[bool, str | None]:
    """Tell whether all `labels` are dates, and in which ``strptime`` layout (None: ISO 8601).

    A text column is a date when one layout reads every value of a sample of its distinct values.
    """
    texts = labels.to_pylist()
    step = max(1, len(texts) // SAMPLE_TEXTS)
    texts = texts[::step]
    if not texts or not all(re.search(r"\d[-/.]\w{1,3}[-/.]\d", text) for text in texts):
        return False, None
    for layout in DATE_LAYOUTS:
        if all(parse_datetime(text, layout) is not None for text in texts):
            return True, layout
    return False, None


def number_notation(name: str, values: LabelCounts, *, is_target: bool) -> str | None:
    """Return the notation in which all texts of a column are numbers, or None where they are better read as text.

    Codes and pairs of values stay categories, as they would be among numbers, and so do targets of few values. Plain
    numbers that a typed table stores as text are taken as such only where they would be compared with nothing.
    """
    layout = number_layout(values.labels.to_pylist())
    if layout is None or (is_target and len(values.labels) <= FEW_CODES):
        return None
    if layout == PLAIN and text_role(name, values) not in (Role.ID, Role.TEXT):
        return None
    numbers = to_numbers(values.labels, Role.NUMERICAL, layout).values
    return layout if len(np.unique(numbers)) > MOST_PAIRED else None


def text_role(name: str, values: LabelCounts) -> Role:
    """Return the role of a text column that holds no dates.

    All different is an id, or free text when values are long or hold several words;
    mostly different and wordy is free text; everything else is categorical.
    """
    if values.overflowed:
        return Role.TEXT
    distinct, total = len(values.labels), values.total
    if not total:
        return Role.CATEGORICAL
    step = max(1, distinct // SAMPLE_TEXTS)
    texts = values.labels.to_pylist()[::step]
    wordy = float(np.mean([len(t.split()) >= 3 or len(t) > 60 for t in texts])) > 0.5
    if distinct == total and total >= MIN_UNIQUE:
        return Role.TEXT if wordy else Role.ID
    if wordy and distinct > max(50, 0.05 * total):
        return Role.TEXT
    if distinct > max(MAX_CODES, 0.5 * total) or (ID_NAME.search(name) and distinct > 0.5 * total):
        return Role.TEXT if wordy else Role.ID
    return Role.CATEGORICAL


def number_role(name: str, kind: str, values: NumberCounts) -> Role:
    """Return the role of a column stored as numbers.

    Whole numbers are an id when all are different and the name or a gapless run says so, and a
    category when there are at most two or when the name says code; otherwise they are numerical.
    """
    if values.overflowed or not len(values.values):
        return Role.NUMERICAL
    distinct, total = len(values.values), values.total
    finite = values.finite().values
    integral = len(finite) == distinct and bool((finite == np.floor(finite)).all())
    if not integral:
        return Role.NUMERICAL
    if kind == "integer" and np.abs(finite).max() > MAX_EXACT_INTEGER:
        return Role.ID
    gapless = finite[-1] / 2 - finite[0] / 2 == (distinct - 1) / 2
    if kind == "integer" and distinct == total and total >= MIN_UNIQUE and (gapless or ID_NAME.search(name)):
        return Role.ID
    if distinct <= MOST_PAIRED or (CODE_NAME.search(name) and distinct <= min(MAX_CODES, total / 5)):
        return Role.CATEGORICAL
    return Role.NUMERICAL


def target_role(role: Role, kind: str, values: NumberCounts | LabelCounts) -> Role:
    """Return the role of a column that is named as target: few whole numbers are classes."""
    if role is Role.NUMERICAL and kind == "integer" and isinstance(values, NumberCounts):
        return Role.CATEGORICAL if 0 < len(values.values) <= FEW_CODES else role
    return role
