"""Make a profile of a real table: the file that can stand in its place where counts are enough."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthgate.bridges.sdv import Metadata, read_metadata
from synthgate.canonical import Labels
from synthgate.counts import ColumnCounts, code_counts, pair_names
from synthgate.errors import DataError, UsageError
from synthgate.evidence import pair_counts
from synthgate.measures.schema.contents import MAX_MASKS, MIN_ROWS_FOR_MASKS, mask
from synthgate.plan import FINE_BINS, PAIR_BINS, PAIR_CATEGORIES, RARE_BELOW, ColumnPlan, Plan, quantile_edges
from synthgate.profile import column_json, pair_json
from synthgate.roles import Role
from synthgate.sides import Side
from synthgate.statistics.distances import total_variation
from synthgate.suppression import ColumnSuppression, fill_table, suppress_margin, suppress_numbers, suppress_table
from synthgate.survey import count_surveyed, plan_of, survey
from synthgate.tables import DEFAULT_MISSING, Table, open_table
from synthgate.tables.profiles import document_text
from synthgate.values import LabelCounts, NumberCounts

IntArray = NDArray[np.int64]
LEAST_K = 2


@dataclass(frozen=True, slots=True)
class _Column:
    """One column as it is told."""

    plan: ColumnPlan
    counts: ColumnCounts | None
    codes: IntArray
    gone: ColumnSuppression


def profile_text(
    real: object,
    *,
    metadata: str | Path | Mapping[str, Any] | None = None,
    roles: Mapping[str, Role] | None = None,
    targets: Sequence[str] = (),
    missing_values: Sequence[str] | None = None,
    k: int = RARE_BELOW,
) -> str:
    """Return the profile of a real table as text.

    Parameters
    ----------
    real : path, URL or dataframe
    metadata : path or dict, optional
        SDV metadata.
    roles : dict of Role, optional
        Go before the metadata's.
    targets : sequence of str
        Columns to predict: whole numbers with few values among them are classes.
    missing_values : sequence of str, optional
        Text that stands for a missing value in text files.
    k : int
        Cells of fewer rows are not told; at least 2.

    Raises
    ------
    SynthgateError
        When the table cannot be read, or lacks a column that is named.
    """
    if k < LEAST_K:
        raise UsageError("k", f"found {k}, expected at least {LEAST_K}: cells of one row would be told", "10 is usual")
    missing = DEFAULT_MISSING if missing_values is None else tuple(missing_values)
    table = open_table(real, name="real", missing_values=missing)
    if table.profile is not None:
        raise DataError(table.source, "is a profile already, expected a table with rows", "give the table itself")
    described = read_metadata(metadata) if metadata is not None else Metadata()
    wanted = {**described.roles, **(roles or {})}
    for name in (*wanted, *targets):
        if name not in table.schema.names:
            raise DataError(table.source, f"has no column {name!r}", f"use one of: {', '.join(table.schema.names)}")
    seen = survey(table, wanted)
    plan = plan_of(seen, tuple(targets), described.layouts)
    side = count_surveyed(plan, seen, 0)
    columns = [_told(column, side.counts.columns.get(column.name), k) for column in plan.columns]
    told = Plan(tuple(column.plan for column in columns))
    return document_text(
        {
            "made_by": f"synthgate {version('synthgate')}",
            "k": k,
            "rows": table.rows,
            "sha256": table.sha256,
            "schema": _schema(table),
            "columns": [column_json(c.plan, c.counts, c.codes, c.gone) for c in columns],
            "pairs": list(_pairs(told, _pooled(told, side), columns, k)),
        }
    )


def _schema(table: Table) -> str:
    import base64

    return base64.b64encode(table.schema.remove_metadata().serialize().to_pybytes()).decode("ascii")


def _told(plan: ColumnPlan, counts: ColumnCounts | None, k: int) -> _Column:
    nothing = np.empty(0, np.int64)
    if counts is None:
        return _Column(plan, None, nothing, ColumnSuppression())
    if plan.role.is_discrete:
        return _labels(plan, counts, k)
    if plan.role.is_continuous:
        return _numbers(plan, counts, k)
    labels = counts.labels
    unique = not counts.missing and not labels.overflowed and len(labels.counts) == counts.rows
    gone = ColumnSuppression(unique=unique, masks=_masks(labels, counts.present, k))
    empty = LabelCounts(labels.labels[:0], nothing, overflowed=True)
    return _Column(plan, replace(counts, values=empty), nothing, gone)


def _numbers(plan: ColumnPlan, counts: ColumnCounts, k: int) -> _Column:
    values, dates, least = counts.numbers, plan.role is Role.DATETIME, max(k, RARE_BELOW)
    if k > RARE_BELOW:
        plan = replace(
            plan,
            edges=quantile_edges(values, PAIR_BINS, least=least, dates=dates),
            fine_edges=quantile_edges(values, FINE_BINS, least=least, dates=dates),
        )
    if values.overflowed:
        return _Column(plan, counts, np.array([counts.present, counts.missing]), ColumnSuppression())
    codes = np.append(suppress_margin(code_counts(plan, counts), k), counts.missing)
    kept, gone = suppress_numbers(values, k, plan.fine_edges, dates=dates)
    missing = counts.missing if kept.total else counts.rows
    return _Column(plan, replace(counts, values=kept, missing=missing), codes, gone)


def _labels(plan: ColumnPlan, counts: ColumnCounts, k: int) -> _Column:
    labels = counts.labels
    if labels.overflowed:
        raise DataError(plan.name, "the column has too many categories to count", "give it the role text or id")
    pool = f"(fewer than {k} real rows)"
    known = dict(zip(plan.categories, labels.of_categories(plan.categories).tolist(), strict=True))
    kept = {label: rows for label, rows in known.items() if rows >= k and label != pool}
    rare = labels.total - sum(kept.values())
    shown = min(len(kept) + (1 if rare else 0), PAIR_CATEGORIES)
    named = {**kept, pool: rare} if rare else kept
    plan = replace(plan, categories=tuple(named), shown=shown, open=False, pool=pool if rare else None)
    import pyarrow as pa

    values = LabelCounts.of(pa.array(list(named), pa.string()), np.array(list(named.values()), np.int64))
    told = replace(counts, values=values)
    codes = code_counts(plan, told)
    codes[-1] = counts.missing
    masks = () if rare else _masks(labels, counts.present, k)
    return _Column(plan, told, codes, ColumnSuppression(share_gap=rare / max(1, labels.total), masks=masks))


def _masks(labels: LabelCounts, present: int, k: int) -> tuple[str, ...]:
    """Return the shapes of a column's texts, if all are frequent and the check of formats would use them."""
    if labels.overflowed or present < MIN_ROWS_FOR_MASKS or len(labels.labels) < MIN_ROWS_FOR_MASKS:
        return ()
    rows: dict[str, int] = {}
    for label, count in labels.as_dict().items():
        shape = mask(label)
        rows[shape] = rows.get(shape, 0) + count
        if len(rows) > MAX_MASKS:
            return ()
    return tuple(sorted(rows)) if min(rows.values()) >= k else ()


def _pooled(plan: Plan, side: Side) -> Side:
    """Read the kept rows as the told plan reads them."""
    kept = {
        name: plan[name].pooled(column) if isinstance(column, Labels) and plan[name].pool else column
        for name, column in side.kept.items()
    }
    return replace(side, kept=kept)


def _pairs(plan: Plan, side: Side, columns: Sequence[_Column], k: int) -> Iterator[dict[str, Any]]:
    names = pair_names(plan, side.counts.columns)
    places = {name: at for at, name in enumerate(plan.names)}
    tables = pair_counts(plan, side, names).pairs
    for a, b in names:
        left, right = columns[places[a]], columns[places[b]]
        table: IntArray = tables[a, b].sum(axis=0)
        kept = suppress_table(table, k)
        moved = total_variation(table, fill_table(kept, left.codes, right.codes)).value
        pooled = sum(c.gone.share_gap for c in (left, right) if c.plan.pool)
        yield pair_json((places[a], places[b]), kept, moved + pooled)


__all__ = ["NumberCounts", "profile_text"]
