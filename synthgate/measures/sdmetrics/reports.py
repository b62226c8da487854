"""The two reports of SDMetrics, from counts: QualityReport and DiagnosticReport, and the table's structure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from synthgate.canonical import kind_of
from synthgate.measures.fidelity.compatible import column_shapes, pair_trends
from synthgate.measures.sdmetrics.scores import NAN, boundary_adherence, category_adherence, key_uniqueness
from synthgate.plan import ColumnPlan
from synthgate.sides import Side
from synthgate.values import NumberCounts

if TYPE_CHECKING:
    from synthgate.evidence import Evidence

Parts = dict[str, float]


def quality(evidence: Evidence, options: Mapping[str, object]) -> Parts:
    """Return the properties of the QualityReport: Column Shapes and Column Pair Trends, NaN when nothing is scored.

    Parameters
    ----------
    evidence : Evidence
    options : dict
        ``real_correlation_threshold`` and ``real_association_threshold``: pairs at or below are left out.
    """
    thresholds = [float(str(options[f"real_{kind}_threshold"])) for kind in ("correlation", "association")]
    shapes: Any = column_shapes(evidence)
    trends: Any = pair_trends(evidence, *thresholds).summary
    parts = {"Column Shapes": shapes["column_shapes"], "Column Pair Trends": trends["column_pair_trends"]}
    return {name: NAN if value is None else value for name, value in parts.items()}


def diagnostic(evidence: Evidence) -> Parts:
    """Return the properties of the DiagnosticReport: Data Validity and Data Structure."""
    scores = []
    for name in evidence.shared:
        plan = evidence.plan[name]
        real, synthetic = evidence.real.counts.columns[name], evidence.synthetic.counts.columns[name]
        if real.values.overflowed or synthetic.values.overflowed:
            continue
        if (name,) == evidence.keys:
            scores.append(key_uniqueness(real, synthetic))
        elif plan.role.is_continuous:
            scores.append(boundary_adherence(real, synthetic))
        elif plan.role.is_discrete:
            scores.append(category_adherence(real, synthetic))
    known = [s for s in scores if not np.isnan(s)]
    return {"Data Validity": float(np.mean(known)) if known else NAN, "Data Structure": structure(evidence)}


def structure(evidence: Evidence) -> float:
    """Return ``TableStructure``: the share of (name, pandas type) that both tables have, of those that either has."""
    real, synthetic = (_types(evidence, side) for side in (evidence.real, evidence.synthetic))
    return len(real & synthetic) / len(real | synthetic)


def _types(evidence: Evidence, side: Side) -> set[tuple[str, str]]:
    known = set(evidence.plan.names)
    return {
        (item.name, _pandas_type(evidence.plan[item.name], item.type, side) if item.name in known else str(item.type))
        for item in side.table.schema
    }


def _pandas_type(plan: ColumnPlan, stored: Any, side: Side) -> str:
    """Return the column's type in pandas, where missing values make whole numbers floats and booleans objects."""
    import pyarrow as pa

    column = side.counts.columns.get(plan.name)
    missing = column is not None and column.missing > column.misfits
    kind = kind_of(stored)
    if side.table.as_text and plan.kind != "string" and column is not None and not column.misfits:
        kind, whole = plan.kind, isinstance(column.values, NumberCounts) and _is_whole(column.values)
        stored = pa.int64() if kind == "integer" and whole else _arrow_type(kind)
    if kind == "integer" and missing:
        return "float64"
    if kind == "boolean":
        return "object" if missing else "bool"
    if kind in ("integer", "float") and not pa.types.is_decimal(stored):
        return {"double": "float64", "float": "float32", "halffloat": "float16"}.get(str(stored), str(stored))
    if pa.types.is_timestamp(stored):
        zone = f", {stored.tz}" if stored.tz else ""
        return f"datetime64[{stored.unit}{zone}]"
    return "category" if pa.types.is_dictionary(stored) else "object"


def _is_whole(values: NumberCounts) -> bool:
    return bool((values.values == np.floor(values.values)).all())


def _arrow_type(kind: str) -> Any:
    import pyarrow as pa

    types = {"integer": pa.float64(), "float": pa.float64(), "boolean": pa.bool_(), "datetime": pa.timestamp("us")}
    return types.get(kind, pa.string())
