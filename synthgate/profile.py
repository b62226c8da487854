"""The real side as a profile: plan and counts, small cells suppressed, to and from JSON.

What is read back takes the place of the real rows wherever counts are enough.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synthgate.counts import ColumnCounts, Counts, PairName
from synthgate.errors import DataError
from synthgate.plan import ColumnPlan, Plan
from synthgate.roles import Role
from synthgate.suppression import ColumnSuppression, Groups, Suppression, fill_table
from synthgate.tables.profiles import AGAIN
from synthgate.values import LabelCounts, NumberCounts, ValueCounts

if TYPE_CHECKING:
    from synthgate.tables import Table

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
Json = dict[str, Any]


@dataclass(frozen=True)
class Profile:
    """Plan and counts of a real table.

    Attributes
    ----------
    plan : Plan
    counts : Counts
        Of the columns.
    codes : dict of int64 array
        Rows per pair code of every paired column, missing included.
    tables : dict of int64 array
        Contingency tables of the pairs, suppressed cells filled by estimates.
    suppression : Suppression
    """

    plan: Plan
    counts: Counts
    codes: Mapping[str, IntArray]
    tables: Mapping[PairName, IntArray]
    suppression: Suppression


def column_json(plan: ColumnPlan, counts: ColumnCounts | None, codes: IntArray, gone: ColumnSuppression) -> Json:
    """Return one column as JSON."""
    told: Json = {
        "name": plan.name,
        "role": str(plan.role),
        "kind": plan.kind,
        "layout": plan.layout,
        "nullable": plan.nullable,
        "integral": plan.integral,
        "decimals": plan.decimals,
        "edges": _numbers(plan.edges),
        "fine_edges": _numbers(plan.fine_edges),
        "shown": plan.shown,
        "pool": plan.pool,
        "codes": codes.tolist(),
        "unique": gone.unique,
        "masks": list(gone.masks),
    }
    if counts is None:
        return told
    told |= {"missing": counts.missing, "misfits": counts.misfits}
    if isinstance(counts.values, NumberCounts):
        groups = gone.groups
        told |= {
            "values": _numbers(counts.values.values),
            "counts": counts.values.counts.tolist(),
            "overflowed": counts.values.overflowed,
            "groups": [list(ends) for ends in zip(_numbers(groups.low), _numbers(groups.high), strict=True)],
            "bounds": _numbers(np.array(gone.bounds)),
        }
    elif plan.role.is_discrete:
        told |= {
            "categories": list(plan.categories),
            "counts": counts.labels.of_categories(plan.categories).tolist(),
        }
    return told | {"share_gap": gone.share_gap, "step_gap": gone.step_gap}


def pair_json(places: tuple[int, int], kept: IntArray, gap: float) -> Json:
    """Return one pair as JSON: the numbers of its columns, and its kept cells row by row (0: taken out, or none)."""
    return {"columns": list(places), "cells": kept.ravel().tolist(), "gap": gap}


def _numbers(values: FloatArray) -> list[float | int | str]:
    """Return numbers as JSON has them: whole ones as such, infinities as text."""
    whole = np.isfinite(values) & (np.floor(values) == values) & (np.abs(values) < 2**53)
    return [
        int(v) if is_whole else float(v) if np.isfinite(v) else str(float(v))
        for v, is_whole in zip(values.tolist(), whole.tolist(), strict=True)
    ]


@lru_cache(maxsize=2)
def read_profile(table: Table) -> Profile:
    """Return the profile that a table was opened from.

    Raises
    ------
    DataError
        When its parts do not fit together.
    """
    document = table.profile
    if document is None:
        raise ValueError("this table has rows")
    try:
        return _profile(document.body, set(table.schema.names))
    except (KeyError, TypeError, ValueError, IndexError, OverflowError, AttributeError) as error:
        problem = "is a damaged profile: its parts do not fit together, expected what `synthgate profile` writes"
        raise DataError(document.where, problem, AGAIN) from error


def _profile(body: Mapping[str, Any], names: set[str]) -> Profile:
    rows, columns = int(body["rows"]), body["columns"]
    plan = Plan(tuple(_plan(told) for told in columns))
    if set(plan.names) != names or len(plan.names) != len(columns):
        raise ValueError("other columns than in the schema")
    there = [told for told in columns if "missing" in told]
    counts = {told["name"]: _counts(plan[told["name"]], told, rows) for told in there}
    codes = {told["name"]: _whole(told["codes"]) for told in there if told["codes"]}
    if any(len(counted) != plan[name].n_codes for name, counted in codes.items()):
        raise ValueError("codes and plan disagree")
    gone = {told["name"]: _suppression(told, counts[told["name"]].values) for told in there}
    tables = {pair: table for pair, table, _ in _pairs(body["pairs"], plan, codes)}
    gaps = {
        (plan.names[told["columns"][0]], plan.names[told["columns"][1]]): float(told["gap"]) for told in body["pairs"]
    }
    return Profile(plan, Counts(rows, counts, {}), codes, tables, Suppression(int(body["k"]), gone, gaps))


def _plan(told: Json) -> ColumnPlan:
    categories = tuple(str(label) for label in told.get("categories", ()))
    return ColumnPlan(
        name=str(told["name"]),
        role=Role(told["role"]),
        kind=str(told["kind"]),
        layout=told["layout"],
        nullable=bool(told["nullable"]),
        integral=bool(told["integral"]),
        decimals=int(told["decimals"]),
        edges=_floats(told["edges"]),
        fine_edges=_floats(told["fine_edges"]),
        categories=categories,
        shown=int(told["shown"]),
        pool=told["pool"],
    )


def _counts(plan: ColumnPlan, told: Json, rows: int) -> ColumnCounts:
    import pyarrow as pa

    values: ValueCounts
    if plan.role.is_continuous:
        values = NumberCounts(_floats(told["values"]), _whole(told["counts"]), bool(told["overflowed"]))
        if len(values.values) != len(values.counts) or (values.values[1:] <= values.values[:-1]).any():
            raise ValueError("values and counts disagree")
    elif plan.role.is_discrete:
        counts = _whole(told["counts"])
        if len(counts) != len(plan.categories):
            raise ValueError("categories and counts disagree")
        values = LabelCounts.of(pa.array(plan.categories, pa.string()), counts)
    else:
        values = LabelCounts(pa.array([], pa.string()), np.empty(0, np.int64), overflowed=True)
    return ColumnCounts(rows, int(told["missing"]), int(told["misfits"]), values)


def _suppression(told: Json, values: ValueCounts) -> ColumnSuppression:
    facts: Json = {"unique": bool(told["unique"]), "masks": tuple(str(mask) for mask in told["masks"])}
    facts |= {"share_gap": float(told["share_gap"]), "step_gap": float(told["step_gap"])}
    if not isinstance(values, NumberCounts):
        return ColumnSuppression(**facts)
    low, high = (_floats([ends[side] for ends in told["groups"]]) for side in (0, 1))
    # one value lies in each group: the one that stands for it
    points = values.values[np.searchsorted(values.values, low)] if len(low) else np.empty(0)
    if (points >= high).any() or (low[1:] < high[:-1]).any():
        raise ValueError("groups and values disagree")
    bounds = _floats(told["bounds"])
    return ColumnSuppression(
        **facts,
        bounds=(float(bounds[0]), float(bounds[1])),
        groups=Groups(low, high, points),
    )


def _pairs(
    every: Sequence[Json], plan: Plan, codes: Mapping[str, IntArray]
) -> Iterator[tuple[PairName, IntArray, float]]:
    for told in every:
        a, b = (plan.names[at] for at in told["columns"])
        kept = _whole(told["cells"]).reshape(plan[a].n_codes, plan[b].n_codes)
        yield (a, b), fill_table(kept, codes[a], codes[b]), float(told["gap"])


def _floats(values: Sequence[float | str]) -> FloatArray:
    return np.array([float(value) for value in values], np.float64)


def _whole(values: Sequence[int]) -> IntArray:
    out = np.array(values, np.int64).ravel()
    if (out < 0).any():
        raise ValueError("a count below zero")
    return out


def refuse_other_roles(table: Table, plan: Plan, roles: Mapping[str, Role], layouts: Mapping[str, str]) -> None:
    """Refuse to read columns in another way than they were profiled.

    Raises
    ------
    DataError
    """
    for name, role in roles.items():
        if name in plan.names and plan[name].role is not role:
            problem = f"column {name!r} was profiled as {plan[name].role}, expected {role} as metadata or gate say"
            raise DataError(table.source, problem, f"{AGAIN}, with the same --metadata or --gate")
    for name, layout in layouts.items():
        if name in plan.names and plan[name].role is Role.DATETIME and plan[name].layout != layout:
            problem = f"the dates of {name!r} were profiled in the layout {plan[name].layout!r}, expected {layout!r}"
            raise DataError(table.source, problem, f"{AGAIN}, with the same --metadata")
