"""Search for rules on one column."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgate.mining.found import Found, edge_share
from synthgate.mining.rows import Rows
from synthgate.mining.rules import date_part
from synthgate.mining.single import UNITS, Bound, Clock, Pattern, Step, Weekdays
from synthgate.roles import Role

if TYPE_CHECKING:
    from synthgate.plan import Plan

FEWEST_VALUES = 10
FEWEST_NAMED = 10
FEW_VALUES = 25
EDGE_SHARE = 0.03
BESIDE_SHARE = 0.05
BESIDE_VALUES = 2
STEPS = (1000.0, 500.0, 100.0, 50.0, 25.0, 20.0, 10.0, 5.0, 2.0)
MOST_PLACES = 4
LAST_PLACE_SHARE = 0.5
FEWEST_TEXTS = 50
MOST_LENGTHS = 3


def find_bounds(rows: Rows) -> Found:
    """Search for bounds at which many values lie: those that something enforces."""
    found = Found()
    for name in rows.numbers:
        values = rows.numbers[name]
        values = values[np.isfinite(values)]
        if len(values) < FEWEST_NAMED or values.min() == values.max():
            continue
        found.tried += 2
        distinct = np.unique(values[:1000])
        if len(distinct) <= FEW_VALUES and distinct[0] != 0:
            continue  # codes and grades: schema.ranges and schema.categories hold them
        is_date = rows.roles[name] is Role.DATETIME
        low = 0.0 if values.min() >= 0 and not is_date and edge_share(values)[0] >= EDGE_SHARE else float(values.min())
        for edge, gaps, upper in ((low, values - low, False), (float(values.max()), values.max() - values, True)):
            if upper and len(distinct) <= FEW_VALUES:
                continue
            if is_hard(gaps, may_be_bare=edge == 0 and not upper):
                found.rules.append(Bound((name,), edge, upper, is_date))
    return found


def is_hard(gaps: NDArray[np.float64], *, may_be_bare: bool) -> bool:
    """Whether many values lie at the bound: close to it, or on it more than next to it.

    Unless the bound is zero it has to be a value of at least ten rows, so that no rare value is told.
    """
    on = int((gaps == 0).sum())
    if on < FEWEST_NAMED and not may_be_bare:
        return False
    share, near = edge_share(gaps)
    if share >= EDGE_SHARE and near >= 3 * FEWEST_NAMED:
        return True
    if on < FEWEST_NAMED:
        return False
    reach, left = 0.0, gaps
    for _ in range(BESIDE_VALUES):
        left = left[left > reach]
        if not len(left):
            return False
        reach = float(left.min())
    beside = int(((gaps > 0) & (gaps <= max(BESIDE_SHARE * float(gaps.max()), reach))).sum())
    return on >= 2 * beside


def find_steps(rows: Rows, plan: Plan) -> Found:
    """Search for whole numbers stored as fractions, for multiples, and for fixed decimals."""
    found = Found()
    for name in rows.of_role(Role.NUMERICAL):
        values = rows.numbers[name]
        values = np.unique(values[np.isfinite(values)])
        if len(values) < FEWEST_VALUES:
            continue
        found.tried += len(STEPS) + 2
        if (values == np.floor(values)).all():
            step = next((s for s in STEPS if (values % s == 0).all()), 1.0)
            if step > 1 or plan[name].kind != "integer":
                found.rules.append(Step((name,), step))
        elif 0 < rows.decimals.get(name, 15) <= MOST_PLACES and _needs(values, rows.decimals[name]):
            found.rules.append(Step((name,), places=rows.decimals[name]))
    return found


def _needs(values: NDArray[np.float64], places: int) -> bool:
    """Whether enough values use the last decimal place: when few do, others may use one more."""
    return float((np.round(values, places - 1) != values).mean()) >= LAST_PLACE_SHARE


def find_clocks(rows: Rows, plan: Plan, whole_days: frozenset[str]) -> Found:
    """Search for the unit of time stamps, and for days of the week that never occur.

    Parameters
    ----------
    rows : Rows
    plan : Plan
    whole_days : set of str
        Columns whose type holds days alone: there midnight is no finding.
    """
    found = Found()
    for name in rows.of_role(Role.DATETIME):
        values = rows.numbers[name]
        values = values[np.isfinite(values)]
        distinct = np.unique(values)
        if len(distinct) < FEWEST_VALUES:
            continue
        found.tried += len(UNITS) + 7
        if (date_part(distinct, "day") == 1).all() and (distinct % UNITS["day"] == 0).all():
            found.rules.append(Clock((name,), "month"))
            continue
        unit = next((u for u, micro in UNITS.items() if (distinct % micro == 0).all()), None)
        if unit is not None and not (unit == "day" and name in whole_days):
            found.rules.append(Clock((name,), unit))
        days = np.bincount(date_part(values, "weekday").astype(np.int64), minlength=8)[1:]
        seen = tuple(int(day) + 1 for day in np.flatnonzero(days))
        if len(seen) < 7 and len(seen) * len(values) / 7 >= 3 * FEWEST_NAMED:
            found.rules.append(Weekdays((name,), seen))
    return found


def find_patterns(rows: Rows, plan: Plan) -> Found:
    """Search for texts of one pattern."""
    found = Found()
    for name in rows.codes:
        if plan[name].kind != "string" or rows.roles[name] is Role.BOOLEAN:
            continue
        found.tried += 1
        present = np.unique(rows.codes[name])
        labels = [rows.labels[name][code] for code in present if code >= 0]
        regex = pattern_of(labels) if len(labels) >= FEWEST_TEXTS else None
        if regex is not None:
            found.rules.append(Pattern((name,), regex))
    return found


def pattern_of(texts: list[str]) -> str | None:
    """Return the regular expression that all texts match, or None when they have no form in common.

    The texts are cut into runs of digits, capitals, small letters and signs. They have a form when
    all have the same runs; a run of one length is given with it, a run with the same text in
    each with that text, unless it is a word: a form needs a digit or a sign.

    Examples
    --------
    >>> pattern_of(["AB-01", "AC-77", "XY-10"])
    '[A-Z]{2}-[0-9]{2}'
    """
    runs = [_runs(text) for text in texts]
    kinds = {tuple(kind for kind, _ in run) for run in runs}
    if len(kinds) != 1:
        return None
    shape = next(iter(kinds))
    if not shape or not ({"[0-9]"} & set(shape)):
        return None
    parts, fixed = [], 0
    for at, kind in enumerate(shape):
        held = {run[at][1] for run in runs}
        lengths = {len(text) for text in held}
        if len(held) == 1:
            parts.append(_escaped(next(iter(held))))
            fixed += 1
        elif kind not in CLASSES.values():
            parts.append(_escaped(next(iter(held))))
        elif len(lengths) == 1:
            parts.append(f"{kind}{{{lengths.pop()}}}")
            fixed += 1
        else:
            parts.append(f"{kind}{{{min(lengths)},{max(lengths)}}}")
    return "".join(parts) if fixed else None


CLASSES = {"digit": "[0-9]", "capital": "[A-Z]", "small": "[a-z]"}


def _runs(text: str) -> list[tuple[str, str]]:
    out: list[tuple[str, str]] = []
    for found in re.finditer(r"([0-9]+)|([A-Z]+)|([a-z]+)|([^0-9A-Za-z])", text[:200], re.DOTALL):
        kind = next((name for name, part in zip(CLASSES.values(), found.groups(), strict=False) if part), None)
        out.append((kind or found.group(), found.group()))
    return out


def _escaped(text: str) -> str:
    return re.sub(r"([\\.^$|?*+()\[\]{}])", r"\\\1", text)
