"""The judged rows as the pandas frames and the metadata that SDMetrics takes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from synthgate.roles import Role
from synthgate.sample import Sample, SampleSide

if TYPE_CHECKING:
    import pandas as pd

    from synthgate.evidence import Evidence

TABLE = "table"


def frame(sample: Sample, side: SampleSide, names: Iterable[str]) -> pd.DataFrame:
    """Return some columns of one side's rows, read by role; vectors are left out.

    Numbers are float64, or int64 when every number of every side is whole and none is missing; datetimes are
    ``datetime64[us]``; booleans are bool, or objects when some are missing; everything else is text.
    """
    import pandas as pd

    return pd.DataFrame({name: _series(sample, side, name) for name in names if sample.roles[name] is not Role.VECTOR})


def _series(sample: Sample, side: SampleSide, name: str) -> Any:
    column, role = side.columns[name], sample.roles[name]
    if role is Role.NUMERICAL:
        return column.astype(np.int64) if _whole(sample, name) else column
    if role is Role.DATETIME:
        gone = ~np.isfinite(column)
        moments = np.where(gone, 0, column).astype(np.int64).astype("datetime64[us]")
        moments[gone] = np.datetime64("NaT")
        return moments
    values = np.array([*sample.dictionaries[name], None], object)
    if role is Role.BOOLEAN:
        values = np.array([*(label == "true" for label in sample.dictionaries[name]), None], object)
        return values[column].astype(bool) if (column >= 0).all() else values[column]
    return values[column]


def _whole(sample: Sample, name: str) -> bool:
    def look(sample: Sample) -> bool:
        sides = [s for s in (sample.real, sample.synthetic, sample.holdout) if s is not None]
        return all(
            bool(np.isfinite(s.columns[name]).all() and (np.abs(s.columns[name]) < 2**53).all())
            and bool((s.columns[name] == np.floor(s.columns[name])).all())
            for s in sides
        )

    return sample.derive(f"sdmetrics whole {name}", look)


def metadata(evidence: Evidence, names: Iterable[str]) -> dict[str, Any]:
    """Return metadata of some columns, in the form with one named table."""
    roles = evidence.sample.roles
    columns = {name: {"sdtype": str(roles[name])} for name in names if roles[name] is not Role.VECTOR}
    table: dict[str, Any] = {"columns": columns}
    if len(evidence.keys) == 1 and evidence.keys[0] in columns:
        table["primary_key"] = evidence.keys[0]
    return {"tables": {TABLE: table}}
