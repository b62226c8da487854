"""Make the sample of evidence: the kept rows of all sides, with one dictionary per discrete column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synthgate.canonical import Labels, Numbers
from synthgate.errors import DataError
from synthgate.plan import Canonical
from synthgate.roles import Role
from synthgate.sample import Sample, SampleSide

if TYPE_CHECKING:
    from synthgate.evidence import Evidence


def build_sample(evidence: Evidence) -> Sample:
    """Give the kept rows of all sides one dictionary per discrete column.

    Raises
    ------
    DataError
        When real is a profile.
    """
    if not evidence.real.has_rows:
        problem = "is a profile, which holds counts and no rows; expected a table"
        raise DataError(evidence.real.table.source, problem, "give the real table itself")
    columns: dict[str, dict[str, NDArray[Any]]] = {side: {} for side in evidence.sides}
    dictionaries: dict[str, tuple[str, ...]] = {}
    roles, decimals = {}, {}
    for plan in _sampled(evidence):
        here = {side: data.kept.get(plan.name) for side, data in evidence.sides.items()}
        roles[plan.name] = plan.role
        if plan.role is Role.VECTOR:
            for side, data in evidence.sides.items():
                columns[side][plan.name] = data.vectors[plan.name]
        elif plan.role.is_continuous:
            decimals[plan.name] = plan.decimals
            for side, column in here.items():
                columns[side][plan.name] = _numbers(column, len(evidence.sides[side].index))
        else:
            dictionaries[plan.name], codes = _pooled(here, evidence)
            for side, coded in codes.items():
                columns[side][plan.name] = coded
    made = {side: SampleSide(data.rows, data.index, columns[side]) for side, data in evidence.sides.items()}
    return Sample(roles, dictionaries, decimals, made["real"], made["synthetic"], made.get("holdout"), evidence.seed)


def _sampled(evidence: Evidence) -> Iterator[Any]:
    for plan in evidence.plan.columns:
        if plan.role is Role.VECTOR:
            if all(plan.name in side.vectors for side in evidence.sides.values()):
                yield plan
        elif plan.name in evidence.shared:
            yield plan


def _numbers(column: Canonical | None, rows: int) -> NDArray[np.float64]:
    return column.values if isinstance(column, Numbers) else np.full(rows, np.nan)


def _pooled(
    here: Mapping[str, Canonical | None], evidence: Evidence
) -> tuple[tuple[str, ...], dict[str, NDArray[np.int32]]]:
    """Return the sorted dictionary over all sides, and each side's codes into it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    there = {side: column for side, column in here.items() if isinstance(column, Labels)}
    pool = pc.unique(pa.concat_arrays([column.labels for column in there.values()]))
    pool = pool.take(pc.sort_indices(pool))
    codes = {}
    for side, data in evidence.sides.items():
        column = there.get(side)
        if column is None:
            codes[side] = np.full(len(data.index), -1, np.int32)
            continue
        place = pc.index_in(column.labels, value_set=pool).to_numpy(zero_copy_only=False)
        codes[side] = np.append(place, -1).astype(np.int32)[column.codes]
    return tuple(pool.to_pylist()), codes
