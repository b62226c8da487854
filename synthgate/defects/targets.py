"""Defects of the target: models learn something else, or nothing."""

from __future__ import annotations

import numpy as np

from synthgate.canonical import Labels
from synthgate.defects.arrays import Rows, count_of, permuted, some_rows, with_moved
from synthgate.defects.catalogue import (
    LEAST_DEPENDENCE,
    Injection,
    NotApplicableError,
    Subject,
    cramers_v,
    defect,
    read,
)

SUBGROUP = (0.15, 0.5)
"""Share of the rows of a subgroup that the target is shuffled in."""


@defect("Shuffled target", ("utility", "fidelity"), (0.05, 0.2, 0.4, 1.0))
def shuffled_target(subject: Subject, strength: float, rng: np.random.Generator) -> Injection:
    """Exchange the target's values among a share of the rows."""
    target = _target(subject)
    rows = some_rows(subject.rows, strength, rng)
    table = permuted(subject.table, target, rows, rng)
    return Injection(table=table, columns=(target,), told=f"the target is exchanged in {count_of(rows, table)}")


@defect("Label noise", ("utility", "fidelity"), (0.02, 0.05, 0.1, 0.3))
def label_noise(subject: Subject, strength: float, rng: np.random.Generator) -> Injection:
    """Give a share of the rows another class, drawn as often as it occurs."""
    target = _target(subject)
    column = read(subject.plan, subject.table, target)
    if not isinstance(column, Labels):
        raise NotApplicableError("the target is a number, not a class")
    rows = some_rows(subject.rows, strength, rng)
    source = np.empty(len(rows), np.intp)
    for code in np.unique(column.codes[rows]):
        at = column.codes[rows] == code
        others = np.flatnonzero((column.codes != code) & (column.codes >= 0))
        source[at] = rng.choice(others, int(at.sum())) if len(others) else rows[at]
    table = with_moved(subject.table, target, rows, source)
    return Injection(table=table, columns=(target,), told=f"{count_of(rows, table)} have another class")


@defect("Target shuffled in a subgroup", ("utility", "fidelity"), (0.1, 0.3, 0.6, 1.0))
def target_shuffled_in_subgroup(subject: Subject, strength: float, rng: np.random.Generator) -> Injection:
    """Exchange the target's values among a share of the rows of one group.

    Only groups count in which the target depends on another column: in the others an exchange spoils nothing.
    """
    target = _target(subject)
    groups: list[tuple[str, Rows]] = []
    for name in subject.plan.names:
        codes = subject.levels.get(name)
        if codes is None or name == target or not subject.plan[name].role.is_discrete:
            continue
        for level, size in enumerate(np.bincount(codes)):
            members = np.flatnonzero(codes == level)
            if SUBGROUP[0] <= size / subject.rows <= SUBGROUP[1] and _depends(subject, target, members):
                groups.append((name, members))
    if not groups:
        raise NotApplicableError(
            "no category holds from 15 % to 50 % of the rows, and has the target depend on another column there"
        )
    name, members = groups[int(rng.integers(len(groups)))]
    rows = members[some_rows(len(members), strength, rng)]
    table = permuted(subject.table, target, rows, rng)
    told = f"the target is exchanged in {count_of(rows, table)}, all of one group"
    return Injection(table=table, columns=(target, name), told=told)


def _depends(subject: Subject, target: str, rows: Rows) -> bool:
    """Tell whether the target depends on another column among some of the rows."""
    levels = subject.levels
    return any(
        cramers_v(levels[target][rows], levels[other][rows]) >= LEAST_DEPENDENCE for other in levels if other != target
    )


def _target(subject: Subject) -> str:
    """Return the first target that depends on another column.

    Raises
    ------
    NotApplicableError
    """
    if not subject.targets:
        raise NotApplicableError("no target is named")
    for target in subject.targets:
        if target in subject.levels and any(
            subject.tie(target, other) >= LEAST_DEPENDENCE for other in subject.levels if other != target
        ):
            return target
    raise NotApplicableError("the target does not depend on any other column")
