"""Search for rules between numbers and dates of one row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from synthgate.mining.between import ELAPSED_SLACK, DatePart, Elapsed, Linear, Order, Product, Sum
from synthgate.mining.found import Found, slack
from synthgate.mining.rows import Floats, Rows
from synthgate.mining.rules import Rule, numbers_of
from synthgate.roles import Role

FIRST = 48
LINEAR = 100
OUTLYING = 5.0
EXACT = 1e-6
FEWEST = 30
MAX_TRIPLE_COLUMNS = 100
ROUNDED = 10
UNITS = {"seconds": 1e6, "minutes": 60e6, "hours": 3_600e6, "days": 86_400e6}
PARTS = ("year", "month", "day", "hour", "weekday")


def holds(rule: Rule, rows: Rows, fewest: int = FEWEST) -> bool:
    """Whether a rule applies to enough rows and holds in nearly all of them."""
    tested = rule.test(rows)
    return tested.of >= fewest and tested.rows <= slack(tested.of)


def find_orders(probe: Rows) -> Found:
    """Search every pair of numbers, and of dates, for one that never lies above the other."""
    found = Found()
    for role in (Role.NUMERICAL, Role.DATETIME):
        names = probe.of_role(role)
        if len(names) < 2:
            continue
        found.tried += len(names) * (len(names) - 1)
        stack = np.stack([probe.numbers[name][:1000] for name in names])
        for at, name in enumerate(names):
            with np.errstate(invalid="ignore"):
                fits = (stack < stack[at]).sum(axis=1) <= slack(stack.shape[1])
            fits[at] = False
            for other in np.flatnonzero(fits):
                rule = Order((name, names[other]))
                if holds(rule, probe):
                    found.rules.append(rule)
    return found


def rounding(rows: Rows, name: str) -> float:
    """Return half a unit in the last decimal place of a column; a billionth of its size without fixed decimals."""
    places = rows.decimals.get(name, 15)
    if places < ROUNDED:
        return 0.501 * 10.0**-places
    values = rows.numbers[name]
    return 1e-9 * float(np.nanmax(np.abs(np.where(np.isfinite(values), values, np.nan)), initial=1e-300))


def varying(rows: Rows, role: Role) -> list[str]:
    """Return the columns of a role that hold at least three values."""
    out = []
    for name in rows.of_role(role):
        values = rows.numbers[name][:1000]
        values = values[np.isfinite(values)]
        if len(values) >= FEWEST and len(np.unique(values)) > 2:
            out.append(name)
    return out


def find_linear(probe: Rows) -> Found:
    """Search every pair of numbers, and of dates, for a constant multiple, with a constant added or not."""
    found = Found()
    for role in (Role.NUMERICAL, Role.DATETIME):
        names = varying(probe, role)
        found.tried += len(names) * (len(names) - 1) // 2
        pairs: dict[tuple[str, str], None] = {}
        # an error in one of the first rows would hide a line, so that as many others are looked at too
        for rows in (slice(LINEAR), slice(LINEAR, 2 * LINEAR)):
            pairs |= dict.fromkeys(_alike(names, np.stack([probe.numbers[n][rows] for n in names])) if names else ())
        lines = (_line(probe, *pair) for pair in pairs)
        found.rules += [rule for rule in lines if rule is not None]
    return found


def _alike(names: Sequence[str], stack: Floats) -> Iterator[tuple[str, str]]:
    """Yield the pairs of columns that lie on a line in a few rows, or nearly so."""
    there = np.isfinite(stack)
    filled = np.where(there, stack, 0.0)
    for at, name in enumerate(names[:-1]):
        both = there[at] & there[at + 1 :]
        n = np.maximum(1, both.sum(axis=1))
        a, b = np.where(both, filled[at], 0.0), np.where(both, filled[at + 1 :], 0.0)
        a = np.where(both, a - (a.sum(axis=1) / n)[:, None], 0.0)
        b = np.where(both, b - (b.sum(axis=1) / n)[:, None], 0.0)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            like = (a * b).sum(axis=1) ** 2 / ((a * a).sum(axis=1) * (b * b).sum(axis=1))
        yield from ((name, names[at + 1 + other]) for other in np.flatnonzero(np.nan_to_num(like) > 0.999).tolist())


def _line(rows: Rows, a: str, b: str) -> Linear | None:
    """Return the line through two columns, with the coarser of the two as the outcome, if every row keeps it."""
    x, y = rows.numbers[a], rows.numbers[b]
    there = np.isfinite(x) & np.isfinite(y)
    if there.sum() < FEWEST:
        return None
    x, y = x[there], y[there]
    if (x != y).sum() <= slack(len(x)):
        return Linear((a, b))
    if rows.roles[a] is Role.DATETIME:
        shift = float(np.median(y - x))
        return None if (y - x != shift).sum() > slack(len(x)) else Linear((a, b), 1.0, shift, 0.0)
    x, y = _near_line(x, y)
    for left, right, u, v in ((a, b, x, y), (b, a, y, x)):
        tolerance = rounding(rows, right)
        spread = float(np.std(v))
        if spread < 20 * tolerance:
            continue
        factor, offset = np.polyfit(u - u.mean(), v, 1)
        offset -= factor * u.mean()
        for digits in range(1, 10):
            f = float(f"{factor:.{digits}g}")
            rest = v - f * u
            middle = (rest.max() + rest.min()) / 2
            for t in (0.0, float(round(middle)), float(f"{middle:.{digits}g}"), float(middle)):
                if (np.abs(rest - t) <= tolerance).all():
                    return Linear((left, right), f, t, tolerance)
    return None


def _near_line(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Return the rows without the few that lie far from the line through a few of them; all when many do."""
    tried = []
    for rows in (slice(LINEAR), slice(LINEAR, 2 * LINEAR)):
        if len(np.unique(x[rows])) > 1:
            factor, offset = np.polyfit(x[rows], y[rows], 1)
            tried.append(np.abs(y - factor * x - offset))
    if not tried:
        return x, y
    best = min(tried, key=lambda gaps: float(np.quantile(gaps, 0.9)))
    near = best <= max(OUTLYING * float(np.quantile(best, 0.9)), EXACT * float(np.std(y)))
    return (x[near], y[near]) if (~near).sum() <= slack(len(x)) else (x, y)


def _few_rows(probe: Rows, names: Sequence[str]) -> list[Floats]:
    """Return twice a few rows of the columns, those with the most values."""
    stack = np.stack([probe.numbers[name] for name in names])
    fullest = np.argsort(-np.isfinite(stack).sum(axis=0), kind="stable")
    return [part for at in (0, FIRST) if (part := stack[:, fullest[at : at + FIRST]]).shape[1] >= FEWEST]


def _triples(stack: Floats, allowed: Floats, join: str) -> Iterator[tuple[int, int, int]]:
    """Yield ``a < b`` and ``c`` for which ``a + b`` (or ``a * b``) is ``c`` in the few rows, up to `allowed` of c."""
    p = len(stack)
    first, second = np.triu_indices(p, 1)
    with np.errstate(invalid="ignore", over="ignore"):
        joined = stack[first] + stack[second] if join == "sum" else stack[first] * stack[second]
        for c in range(p):
            slack = allowed[c] + (1e-9 * np.abs(stack[c]) if join == "product" else 0.0)
            gap = np.abs(joined - stack[c])
            fits = ~(gap > slack).any(axis=1) & ((gap <= slack).sum(axis=1) >= 3)
            for at in np.flatnonzero(fits & (first != c) & (second != c)):
                yield int(first[at]), int(second[at]), c


def _ratios(stack: Floats, allowed: Floats) -> Iterator[tuple[int, int, int]]:
    """Yield ``a``, ``b``, ``c`` for which ``c / b`` is ``a`` in the few rows, up to the rounding of a."""
    p = len(stack)
    with np.errstate(invalid="ignore", over="ignore"):
        for a in range(p):
            for b in (b for b in range(p) if b != a):
                gap = np.abs(stack[a] * stack[b] - stack)
                slack = allowed[a] * np.abs(stack[b])
                fits = ~(gap > slack).any(axis=1) & ((gap <= slack).sum(axis=1) >= 3)
                fits[[a, b]] = False
                yield from ((a, b, int(c)) for c in np.flatnonzero(fits))


def find_arithmetic(probe: Rows) -> Found:
    """Search every three numbers for a sum, a product or a ratio."""
    names = varying(probe, Role.NUMERICAL)
    found = Found()
    if len(names) > MAX_TRIPLE_COLUMNS:
        why = f"sums and products among the last {len(names) - MAX_TRIPLE_COLUMNS} of {len(names)} numerical columns"
        found.left_out.append(f"{why}: only the first {MAX_TRIPLE_COLUMNS} are tried")
        names = names[:MAX_TRIPLE_COLUMNS]
    if len(names) < 3:
        return found
    found.tried += len(names) ** 2 * (len(names) - 1)
    allowed = np.array([rounding(probe, name) for name in names])
    candidates: dict[Rule, None] = {}
    # an error in one of the first few rows would hide a rule, so that as many others are looked at too
    for stack in _few_rows(probe, names):
        for a, b, c in _triples(stack, allowed, "sum"):
            candidates[Sum((names[a], names[b], names[c]), float(allowed[c]))] = None
        for a, b, c in _triples(stack, allowed, "product"):
            candidates[Product((names[a], names[b], names[c]), float(allowed[c]))] = None
        if len(names) <= MAX_TRIPLE_COLUMNS // 2:
            for a, b, c in _ratios(stack, allowed):
                candidates[Product((names[a], names[b], names[c]), float(allowed[a]), ratio=True)] = None
    found.rules = [rule for rule in candidates if holds(rule, probe)]
    return found


def _firsts(probe: Rows) -> list[Rows]:
    """Return a few rows, and as many others where there are: an error in the first would hide a rule."""
    more = np.arange(FIRST, min(2 * FIRST, probe.size))
    return [probe.head(FIRST), probe.take(more)] if len(more) == FIRST else [probe.head(FIRST)]


def find_elapsed(probe: Rows) -> Found:
    """Search for numbers that say how long after one date another lies."""
    found = Found()
    dates, numbers = varying(probe, Role.DATETIME), varying(probe, Role.NUMERICAL)
    if len(dates) < 2 or not numbers:
        return found
    found.tried += len(dates) * (len(dates) - 1) * len(numbers) * len(UNITS)
    for few in _firsts(probe):
        stack = np.stack([few.numbers[name] for name in numbers])
        for first, second in permutations(dates, 2):
            gap = few.numbers[second] - few.numbers[first]
            for unit, micro in UNITS.items():
                with np.errstate(invalid="ignore", over="ignore"):
                    off = np.abs(gap / micro - stack)
                fits = ~(off > ELAPSED_SLACK).any(axis=1) & ((off <= ELAPSED_SLACK).sum(axis=1) >= 3)
                rules = (Elapsed((first, second, numbers[at]), unit, micro) for at in np.flatnonzero(fits))
                found.rules += [rule for rule in rules if rule not in found.rules and holds(rule, probe)]
    return found


def find_date_parts(probe: Rows) -> Found:
    """Search for columns that hold the year, month, day, hour or weekday of a date."""
    found = Found()
    firsts = _firsts(probe)
    others = [*probe.of_role(Role.NUMERICAL), *(n for n in probe.codes if _spells_numbers(probe, n))]
    for date in varying(probe, Role.DATETIME):
        for name in others:
            for part in PARTS:
                for shift in (0, -1) if part == "weekday" else (0,):
                    found.tried += 1
                    rule = DatePart((date, name), part, shift)
                    if any(holds(rule, few, 3) for few in firsts) and holds(rule, probe) and _varies(probe, name):
                        found.rules.append(rule)
    return found


def _spells_numbers(rows: Rows, name: str) -> bool:
    labels = rows.labels[name]
    return 1 < len(labels) <= 400 and all(label.lstrip("-").isdigit() for label in labels)


def _varies(rows: Rows, name: str) -> bool:
    values: NDArray[np.float64] = numbers_of(rows, name)
    return len(np.unique(values[~np.isnan(values)])) > 1
