"""Defects of what stands in a column: units, tails, rounding, missing values, categories, types, dates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgate.canonical import Labels, kind_of
from synthgate.defects.arrays import (
    DAY,
    count_of,
    numbers_as,
    some_rows,
    with_column,
    with_moved,
    with_nulls,
    with_numbers,
    with_texts,
)
from synthgate.defects.catalogue import Injection, NotApplicableError, Subject, defect, read
from synthgate.roles import Role

if TYPE_CHECKING:
    import pyarrow as pa

MOST_COLUMNS = 3
MANY_COLUMNS = 5
FEWEST_VALUES = 30
"""Distinct values that make a number fine enough to be clipped or rounded."""
HEAPS = 9
LEAST_MOVED = 0.6
LEAST_MISSING = 0.02
FloatArray = NDArray[np.float64]


def _known(subject: Subject, name: str) -> FloatArray:
    values = subject.values(name)
    return values[np.isfinite(values)]


def _fine(subject: Subject) -> list[str]:
    """Return the numbers with many distinct values, those with most first; no targets."""
    fine: dict[str, int] = {}
    for name in subject.named(Role.NUMERICAL):
        distinct = len(np.unique(_known(subject, name)))
        if distinct >= FEWEST_VALUES and name not in subject.targets:
            fine[name] = distinct
    return sorted(fine, key=lambda name: -fine[name])


@defect("Clipped tails", ("coverage", "fidelity"), (0.002, 0.01, 0.05, 0.15))
def clipped_tails(subject: Subject, strength: float, rng: np.random.Generator) -> Injection:
    """Pull the values of up to three numbers beyond a quantile, at both ends, back to it."""
    table, names, changed = subject.table, [], 0
    fine = _fine(subject)
    for name in (fine[at] for at in rng.permutation(len(fine))[:MOST_COLUMNS]):
        values = subject.values(name)
        low, high = np.quantile(_known(subject, name), (strength, 1 - strength))
        clipped = np.clip(values, low, high)
        if subject.plan[name].integral:
            clipped = np.clip(values, np.ceil(low), np.floor(high)) if np.ceil(low) <= np.floor(high) else values
        moved = int((clipped[~np.isnan(values)] != values[~np.isnan(values)]).sum())
        if moved:
            table, changed = with_numbers(table, subject.plan[name], clipped), changed + moved
            names.append(name)
    if not names:
        raise NotApplicableError("no number has tails beyond this quantile")
    told = f"values of {len(names)} columns beyond the quantiles {strength:g} and {1 - strength:g} are pulled back"
    return Injection(table=table, columns=tuple(names), told=f"{told}, {changed:,} in all")


@defect("Unit change", ("fidelity", "schema", "constraints"), (0.002, 0.02, 0.2, 1.0))
def unit_change(subject: Subject, strength: float, rng: np.random.Generator) -> Injection:
    """Multiply one number by 100 in a share of the rows."""
    usable = [n for n in _fine(subject) if np.nanmedian(subject.values(n)) > 0]
    if not usable:
        raise NotApplicableError("no number with many values is mostly above zero")
    name = usable[int(rng.integers(len(usable)))]
    rows, values = some_rows(subject.rows, strength, rng), subject.values(name).copy()
    values[rows] *= 100
    table = with_numbers(subject.table, subject.plan[name], values)
    return Injection(table=table, columns=(name,), told=f"one number is a hundredfold in {count_of(rows, table)}")


@defect("Heaping", ("fidelity",), (0.1, 0.25, 0.5, 1.0))
def heaping(subject: Subject, strength: float, rng: np.random.Generator) -> Injection:
    """Round one number to about nine heaps between its 5th and 95th percentile, in a share of the rows."""
    usable = []
    for name in _fine(subject):
        values = subject.values(name)
        low, high = np.quantile(_known(subject, name), (0.05, 0.95))
        step = _round_step((high - low) / HEAPS)
        # a number that is mostly round already would hardly change
        if step > 0 and np.mean(np.round(values / step) * step != values) >= LEAST_MOVED:
            usable.append((name, step))
    if not usable:
        raise NotApplicableError("no number is fine enough to be rounded")
    name, step = usable[int(rng.integers(len(usable)))]
    rows, values = some_rows(subject.rows, strength, rng), subject.values(name).copy()
    values[rows] = np.round(np.round(values[rows] / step) * step, 12)
    table = with_numbers(subject.table, subject.plan[name], values)
    told = f"one number is rounded to multiples of {step:g} in {count_of(rows, table)}"
    return Injection(table=table, columns=(name,), told=told)


def _round_step(length: float) -> float:
    """Return the number of the form 1, 2 or 5 times a power of ten that is nearest on a logarithmic scale."""
    if not np.isfinite(length) or length <= 0:
        return 0.0
    power = 10.0 ** np.floor(np.log10(length))
    return float(power * min((1, 2, 5, 10), key=lambda n: abs(np.log(n * power / length))))


@defect("Default value", ("coverage", "fidelity"), (0.005, 0.03, 0.08, 0.25))
def default_value(subject: Subject, strength: float, rng: np.random.Generator) -> Injection:
    """Put its median in the place of a share of the values of one number, as careless imputation does."""
    fine = _fine(subject)
    if not fine:
        raise NotApplicableError("no number has values fine enough for one of them to stand out")
    name = fine[int(rng.integers(len(fine)))]
    values, known = subject.values(name).copy(), _known(subject, name)
    median = np.sort(known)[len(known) // 2]
    others = np.flatnonzero(np.isfinite(values) & (values != median))
    rows = others[some_rows(len(others), strength, rng)]
    values[rows] = median
    table = with_numbers(subject.table, subject.plan[name], values)
    return Injection(table=table, columns=(name,), told=f"{count_of(rows, table)} have the median of a number")


@defect("Missing values added", ("schema", "fidelity", "constraints"), (0.001, 0.004, 0.05, 0.3))
def nulls_added(subject: Subject, strength: float, rng: np.random.Generator) -> Injection:
    """Delete a share of the values of a column that is never missing in real; of up to five from 5 % on."""
    whole = [
        c.name
        for c in subject.plan.columns
        if not c.nullable and c.role is not Role.VECTOR and c.name not in subject.keys
    ]
    whole = [name for name in whole if not subject.table[name].null_count]
    if not whole:
        raise NotApplicableError("every column has missing values in real")
    names = [whole[at] for at in rng.permutation(len(whole))[: MANY_COLUMNS if strength >= 0.05 else 1]]
    table, rows = subject.table, some_rows(subject.rows, strength, rng)
    for name in names:
        table = with_nulls(table, name, some_rows(subject.rows, strength, rng))
    told = f"{count_of(rows, table)} lack the value, in {len(names)} columns that are never missing in real"
    return Injection(table=table, columns=tuple(names), told=told)


@defect("Missing values removed", ("fidelity", "schema", "constraints"), (0.1, 0.3, 0.6, 1.0))
def nulls_removed(subject: Subject, strength: float, rng: np.random.Generator) -> Injection:
    """Fill a share of a column's missing values with values of other rows."""
    gone = {n: subject.table[n].null_count for n in subject.table.column_names if n in subject.plan.names}
    usable = [n for n, k in gone.items() if LEAST_MISSING * subject.rows <= k < subject.rows and n not in subject.keys]
    if not usable:
        raise NotApplicableError("no column lacks 2 % of its values")
    name = max(usable, key=lambda n: gone[n])
    missing = subject.table[name].combine_chunks().is_null().to_numpy(zero_copy_only=False)
    holes, filled = np.flatnonzero(missing), np.flatnonzero(~missing)
    rows = holes[some_rows(len(holes), strength, rng)]
    table = with_moved(subject.table, name, rows, rng.choice(filled, len(rows)))
    told = f"{len(rows):,} of {len(holes):,} missing values of a column are filled"
    return Injection(table=table, columns=(name,), told=told)


@defect("New category", ("schema", "fidelity"), (0.0002, 0.002, 0.02, 0.1))
def new_category(subject: Subject, strength: float, rng: np.random.Generator) -> Injection:
    """Put a value that real does not have into a share of the rows: a category misspelt, or a code that is free."""
    usable = [
        n
        for n in subject.named(Role.CATEGORICAL)
        if subject.plan[n].kind in ("string", "integer") and subject.plan[n].categories
    ]
    if not usable:
        raise NotApplicableError("no column holds categories")
    name = usable[int(rng.integers(len(usable)))]
    known = set(subject.plan[name].categories)
    column = read(subject.plan, subject.table, name)
    known |= set(column.labels.to_pylist()) if isinstance(column, Labels) else set()
    rows = some_rows(subject.rows, strength, rng)
    if subject.plan[name].kind == "integer":
        codes = np.array([np.nan if v is None else float(v) for v in subject.table[name].to_pylist()])
        codes[rows] = max(float(label) for label in known) + 1
        array = numbers_as(subject.table.schema.field(name).type, subject.plan[name], codes)
        table = with_column(subject.table, name, array)
    else:
        table = with_texts(subject.table, name, rows, [_misspelt(subject.plan[name].categories[0], known)] * len(rows))
    return Injection(table=table, columns=(name,), told=f"{count_of(rows, table)} have a category that real lacks")


def _misspelt(word: str, known: set[str]) -> str:
    """Return a spelling that is not known: the last letter lost, else doubled until it is new."""
    if len(word) > 2 and word[:-1].strip() and word[:-1] not in known:
        return word[:-1]
    while word in known:
        word += word[-1:] or "x"
    return word


@defect("Wrong type", ("schema",), (1, 2, 3, 4))
def wrong_type(subject: Subject, strength: float, rng: np.random.Generator) -> Injection:
    """Store a number as another type: whole numbers as floats, as digits, as text with a unit, and three of them so."""
    import pyarrow as pa

    stored = subject.table.schema
    numbers = [n for n in subject.named(Role.NUMERICAL) if kind_of(stored.field(n).type) in ("integer", "float")]
    whole = [n for n in numbers if kind_of(stored.field(n).type) == "integer"]
    pool = whole if strength == 1 else whole or numbers
    if not pool:
        raise NotApplicableError("no column holds whole numbers" if strength == 1 else "no column holds numbers")
    first = pool[int(rng.integers(len(pool)))]
    if strength == 1:
        values = subject.values(first)
        table = with_column(subject.table, first, pa.array(values, pa.float64(), mask=np.isnan(values)))
        return Injection(table=table, columns=(first,), told="a column of whole numbers is stored as floats")
    names = [first, *(n for n in numbers if n != first)][: MOST_COLUMNS if strength >= 4 else 1]
    table, ending = subject.table, "" if strength == 2 else " units"
    for name in names:
        texts = [None if v is None else f"{v}{ending}" for v in table[name].to_pylist()]
        table = with_column(table, name, pa.array(texts, pa.string()))
    written = "digits" if strength == 2 else "text with a unit"
    return Injection(table=table, columns=tuple(names), told=f"numbers of {len(names)} columns are stored as {written}")


@defect("Shifted dates", ("fidelity", "schema", "constraints"), (0.01, 0.05, 0.2, 1.0))
def shifted_dates(subject: Subject, strength: float, rng: np.random.Generator) -> Injection:
    """Move all dates by so many standard deviations, in whole days, into the past."""
    names = subject.named(Role.DATETIME)
    if not names:
        raise NotApplicableError("no column holds dates")
    spreads = [float(np.std(known)) for name in names if len(known := _known(subject, name))]
    if not spreads:
        raise NotApplicableError("no date is known")
    days = max(1.0, round(strength * max(spreads) / DAY))
    table: pa.Table = subject.table
    for name in names:
        table = with_numbers(table, subject.plan[name], subject.values(name) - days * DAY)
    del rng
    return Injection(
        table=table, columns=tuple(names), told=f"dates of {len(names)} columns lie {days:,.0f} days earlier"
    )
