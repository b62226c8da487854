"""Defects of dates, years and seasons."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from .making import Context, Oracle, Spoiled, kind
from .oracles import CHANCE
from .tools import different, exchange, one_of, partner, put, ranks, some


def _periods(context: Context) -> list[str]:
    """Return dates, and numbers that are years by their name and values."""
    fresh = context.fresh
    years = [
        n
        for n in context.features
        if pd.api.types.is_numeric_dtype(fresh[n])
        and "year" in n.lower()
        and fresh[n].nunique() >= 4
        and fresh[n].dropna().between(1800, 2100).all()
    ]
    return [*(n for n in context.dates if n != context.target), *years]


@kind("coverage fidelity", 0.03, 0.12, 0.5)
def last_periods_lost(context: Context, share: float, rng: np.random.Generator) -> Spoiled | None:
    """Leave out the rows of the last dates or years.

    The generator was trained before the last data came.
    """
    name = one_of(_periods(context), rng)
    if name is None:
        return None
    gone = context.fresh[name].rank(pct=True, method="min").to_numpy(dtype=float) > 1 - share
    return Spoiled(context.without(gone), (name,)) if gone.mean() >= share / 3 else None


@kind("coverage fidelity", 0.05, 0.3, 0.95)
def one_period_only(context: Context, share: float, rng: np.random.Generator) -> Spoiled | None:
    """Give some rows a date or year of one short period.

    A prompt with an example in it: the language model keeps to its date.
    """
    name = one_of(_periods(context), rng)
    if name is None:
        return None
    place = ranks(context.fresh[name])
    start = rng.uniform(0.2, 0.7)
    period = context.fresh[name].to_numpy()[(place >= start) & (place <= start + 0.1)]
    if not len(period):
        return None
    table = context.spoilable()
    rows = some(context.fresh[name].notna().to_numpy(), share, rng)
    put(table, name, rows, period[rng.integers(len(period), size=len(rows))])
    return Spoiled(table, (name,))


@kind("fidelity utility", (0.25, 0.12), (0.6, 0.15), (1.0, 0.25))
def trend_lost(context: Context, strength: tuple[float, float], rng: np.random.Generator) -> Spoiled | None:
    """Exchange the date or year among rows.

    Years that are drawn for themselves: what has changed over time is the same all the time.
    """
    name = one_of([n for n in _periods(context) if partner(context, n)[0] >= strength[1]], rng)
    if name is None:
        return None
    table = context.spoilable()
    exchange(table, (name,), some(len(table), strength[0], rng), rng)
    return Spoiled(table, (name,))


def _parts_differ(*parts: str) -> Oracle:
    """Return an oracle that compares parts of dates."""

    def differ(context: Context, table: pd.DataFrame, columns: tuple[str, ...]) -> bool:
        chances = []
        for part in parts:
            sides = [getattr(side[columns[0]].dropna().dt, part) for side in (context.fresh, table)]
            counts = pd.concat([s.value_counts() for s in sides], axis=1).fillna(0).to_numpy()
            counts = counts[counts.sum(1) >= 10]
            chances.append(stats.chi2_contingency(counts).pvalue if len(counts) > 1 else 1.0)
        return bool(min(chances) * len(parts) < CHANCE)

    return differ


@kind("fidelity", (0.3, 0.1), (0.8, 0.15), (1.0, 0.3), oracle=_parts_differ("dayofweek"))
def weekdays_evened(context: Context, strength: tuple[float, float], rng: np.random.Generator) -> Spoiled | None:
    """Move dates by up to three days: the days of the week are no more what they were.

    Dates moved for privacy, or made as continuous numbers. Applies where weekdays differ much.
    """
    share, least = strength
    name = one_of([n for n in context.dates if n != context.target], rng)
    if name is None:
        return None
    shares = np.bincount(context.fresh[name].dropna().dt.dayofweek, minlength=7) / context.fresh[name].notna().sum()
    if 0.5 * np.abs(shares - 1 / 7).sum() < least:
        return None
    table = context.spoilable()
    rows = some(context.fresh[name].notna().to_numpy(), share, rng)
    moved = context.fresh[name].iloc[rows] + pd.to_timedelta(rng.integers(-3, 4, len(rows)), unit="D")
    put(table, name, rows, moved.to_numpy())
    return Spoiled(table, (name,))


@kind("fidelity", (0.3, 0.1), (0.8, 0.12), (1.0, 0.25), oracle=_parts_differ("month"))
def seasons_evened(context: Context, strength: tuple[float, float], rng: np.random.Generator) -> Spoiled | None:
    """Draw the day within the year anew: the seasons are lost, the years are right.

    A date made of parts, each drawn evenly. Applies where months differ much.
    """
    share, least = strength
    name = one_of([n for n in context.dates if n != context.target], rng)
    if name is None:
        return None
    known = context.fresh[name].dropna()
    shares = np.bincount(known.dt.month, minlength=13)[1:] / len(known)
    if known.dt.year.nunique() < 2 or 0.5 * np.abs(shares - 1 / 12).sum() < least:
        return None
    table = context.spoilable()
    rows = some(context.fresh[name].notna().to_numpy(), share, rng)
    start = pd.to_datetime(context.fresh[name].iloc[rows].dt.year.astype(str) + "-01-01")
    put(table, name, rows, (start + pd.to_timedelta(rng.integers(0, 365, len(rows)), unit="D")).to_numpy())
    return Spoiled(table, (name,))


@kind("fidelity", 0.05, 0.25, 1.0, oracle=_parts_differ("day"))
def moved_to_the_first(context: Context, share: float, rng: np.random.Generator) -> Spoiled | None:
    """Move dates to the first day of their month.

    Dates that are known by month, or were made coarse for privacy, read as days.
    """
    name = one_of([n for n in context.dates if n != context.target], rng)
    if name is None:
        return None
    table = context.spoilable()
    rows = some(context.fresh[name].notna().to_numpy(), share, rng)
    put(table, name, rows, context.fresh[name].iloc[rows].dt.to_period("M").dt.to_timestamp().to_numpy())
    return Spoiled(table, (name,))


@kind("fidelity", (0.3, 0.01), (1.0, 0.05), (1.0, 0.15), oracle=_parts_differ("day", "month", "dayofweek"))
def day_and_month_exchanged(
    context: Context, strength: tuple[float, float], rng: np.random.Generator
) -> Spoiled | None:
    """Exchange day and month of dates where that gives a date.

    Dates written in one country's order and read in another's. How far the months' shares move sets the strength.
    """
    name = one_of([n for n in context.dates if n != context.target], rng)
    if name is None:
        return None
    dates = context.fresh[name]
    rows = some((dates.dt.day.between(1, 12) & (dates.dt.day != dates.dt.month)).to_numpy(), strength[0], rng)
    parts = dates.iloc[rows].dt
    moved = pd.to_datetime(pd.DataFrame({"year": parts.year, "month": parts.day, "day": parts.month}))
    table = context.spoilable()
    put(table, name, rows, moved.to_numpy())
    return Spoiled(table, (name,)) if different(dates.dt.month, table[name].dt.month) >= strength[1] else None
