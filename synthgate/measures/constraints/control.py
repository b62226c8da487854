"""How often real breaks a declared constraint, where real is a profile: counted on values, as far as these are told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgate.canonical import Labels, Numbers
from synthgate.expressions import Checkable, count_violations, typed_batch
from synthgate.plan import Plan
from synthgate.values import NumberCounts

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from synthgate.evidence import Evidence

BOUND = re.compile(r"^\s*(\"([^\"]|\"\")+\"|\w+)\s*(<=|>=|<|>)\s*[-+]?[\d.]+([eE][-+]?\d+)?\s*$")
"""A column above or below a number: what holds at both ends of a group of values holds in it."""
CHUNK = 122_880


def told_control(connection: duckdb.DuckDBPyConnection, evidence: Evidence, rule: Checkable) -> tuple[int, int] | None:
    """Return how many rows of a profile surely break a rule, of how many; None where the profile cannot tell.

    It can for rules over one column whose values it tells. Values that are known only in groups are counted for
    simple bounds alone, and a group only where both its ends break the bound.
    """
    if len(rule.columns) != 1:
        return None
    name = next(iter(rule.columns))
    plan, counts = evidence.plan[name], evidence.real.counts.columns.get(name)
    if counts is None or counts.values.overflowed or not plan.is_paired or plan.pool is not None:
        return None
    if not isinstance(counts.values, NumberCounts):
        return count_violations(connection, _rows(evidence, name, None), [rule])[0]
    grouped = _grouped(evidence, name)
    simple = BOUND.match(rule.sql) is not None and rule.condition is None
    if grouped.all() and not simple:
        return None
    ends = (0, 1) if simple else (None,)
    broken, of = min(count_violations(connection, _rows(evidence, name, end), [rule])[0] for end in ends)
    return broken, of + (0 if simple else int(counts.values.counts[grouped].sum()))


def _grouped(evidence: Evidence, name: str) -> NDArray[np.bool_]:
    """Return which values of a numerical column stand for a group."""
    gone = evidence.real.suppression
    points = gone.columns[name].groups.points if gone else np.empty(0)
    return np.isin(evidence.real.counts.columns[name].numbers.values, points)


def _rows(evidence: Evidence, name: str, end: int | None) -> Iterator[pa.Table]:
    """Yield a column's values as often as they occur; groups at their lower or upper end, or left out."""
    import pyarrow as pa

    counts = evidence.real.counts.columns[name]
    missing = np.zeros(counts.missing, np.int64) - 1
    if isinstance(counts.values, NumberCounts):
        values, times, grouped = counts.values.values.copy(), counts.values.counts, _grouped(evidence, name)
        if end is None:
            values, times = values[~grouped], times[~grouped]
        elif evidence.real.suppression is not None:
            groups = evidence.real.suppression.columns[name].groups
            values[grouped] = (groups.low, groups.high)[end]
        column: Numbers | Labels = Numbers(np.concatenate((np.repeat(values, times), np.full(len(missing), np.nan))))
    else:
        codes = np.repeat(np.arange(len(counts.values.counts)), counts.values.counts)
        column = Labels(np.concatenate((codes, missing)).astype(np.int32), counts.values.labels)
    # the ends of groups may have fractions where the values have none
    plan = evidence.plan[name] if end is None else replace(evidence.plan[name], kind="float")
    batch = typed_batch(Plan((plan,)), {name: column}, evidence.real.table.schema)
    yield pa.Table.from_batches([batch.slice(at, CHUNK) for at in range(0, max(1, batch.num_rows), CHUNK)])
