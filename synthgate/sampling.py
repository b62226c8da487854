"""Make the sample of evidence: the kept rows of all sides, with one dictionary per discrete column."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from synthgate.canonical import Canonical, Labels, Numbers
from synthgate.errors import DataError
from synthgate.plan import ColumnPlan
from synthgate.roles import Role
from synthgate.sample import Sample, SampleSide

if TYPE_CHECKING:
    from synthgate.evidence import Evidence

T = TypeVar("T")
Pooled = tuple[tuple[str, ...], dict[str, NDArray[np.int32]]]


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
    roles, decimals = {}, {}
    pooled: dict[str, Callable[[], Pooled]] = {}
    columns: dict[str, dict[str, Callable[[], NDArray[Any]]]] = {side: {} for side in evidence.sides}
    for plan in _sampled(evidence):
        roles[plan.name] = plan.role
        if plan.role.is_continuous:
            decimals[plan.name] = plan.decimals
        elif plan.role is not Role.VECTOR:
            pooled[plan.name] = cache(partial(_pooled, evidence, plan.name))
        for side in evidence.sides:
            columns[side][plan.name] = partial(_column, evidence, side, plan, pooled.get(plan.name))
    dictionaries = OnDemand({name: partial(_words, made) for name, made in pooled.items()})
    made = {side: SampleSide(d.rows, d.index, OnDemand(columns[side])) for side, d in evidence.sides.items()}
    return Sample(roles, dictionaries, decimals, made["real"], made["synthetic"], made.get("holdout"), evidence.seed)


@dataclass(frozen=True, eq=False)
class OnDemand(Mapping[str, T]):
    """Values that are made when they are first asked for."""

    makers: Mapping[str, Callable[[], T]]
    _made: dict[str, T] = field(default_factory=dict, repr=False)

    def __getitem__(self, name: str) -> T:
        if name not in self._made:
            self._made[name] = self.makers[name]()
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self.makers

    def __iter__(self) -> Iterator[str]:
        return iter(self.makers)

    def __len__(self) -> int:
        return len(self.makers)


def _words(made: Callable[[], Pooled]) -> tuple[str, ...]:
    return made()[0]


def _column(evidence: Evidence, side: str, plan: ColumnPlan, pooled: Callable[[], Pooled] | None) -> NDArray[Any]:
    data = evidence.sides[side]
    if plan.role is Role.VECTOR:
        return data.vectors[plan.name]
    return _numbers(data.kept.get(plan.name), len(data.index)) if pooled is None else pooled()[1][side]


def _sampled(evidence: Evidence) -> Iterator[ColumnPlan]:
    for plan in evidence.plan.columns:
        if plan.role is Role.VECTOR:
            if all(plan.name in side.vectors for side in evidence.sides.values()):
                yield plan
        elif plan.name in evidence.shared:
            yield plan


def _numbers(column: Canonical | None, rows: int) -> NDArray[np.float64]:
    return column.values if isinstance(column, Numbers) else np.full(rows, np.nan)


def _pooled(evidence: Evidence, name: str) -> Pooled:
    """Return the sorted dictionary over all sides, and each side's codes into it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    here = {side: data.kept.get(name) for side, data in evidence.sides.items()}
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
