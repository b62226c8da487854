"""Joint values: several columns read as one, as a composite key needs them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from synthgate.blocks import blocks
from synthgate.canonical import Canonical, Labels, Numbers, to_labels
from synthgate.counts import ColumnCounts
from synthgate.links import joint_name
from synthgate.plan import Plan
from synthgate.roles import Role
from synthgate.sides import Side, read_columns
from synthgate.values import LabelCounts

if TYPE_CHECKING:
    import pyarrow as pa

SEPARATOR = "\x1f"


def with_joints(side: Side, plan: Plan, wanted: Iterable[tuple[str, ...]]) -> Side:
    """Return a side that also holds the joint values of columns, under the name that :func:`joint_name` gives them.

    A side without rows (a profile), or that lacks one of the columns, is left without.
    """
    counted, kept = dict(side.counts.columns), dict(side.kept)
    for names in wanted:
        if all(name in side.kept for name in names):
            joint = joint_labels(side.kept, names)
            kept[joint_name(names)] = joint
            counted[joint_name(names)] = count_labels(joint) if side.is_whole else _counted(side, plan, names)
    return replace(side, counts=replace(side.counts, columns=counted), kept=kept)


def _counted(side: Side, plan: Plan, names: Sequence[str]) -> ColumnCounts:
    """Read the columns of a table again of which not every row was kept."""
    part = Plan(tuple(plan[name] for name in names))
    read = blocks(side.table, lambda batch: read_columns(part, batch))
    parts = [count_labels(joint_labels(block, names)) for _, block in read]
    total = parts[0]
    for one in parts[1:]:
        total = total + one
    return total


def count_labels(column: Labels) -> ColumnCounts:
    """Count a column of labels."""
    seen = np.bincount(column.codes[column.codes >= 0], minlength=len(column.labels)).astype(np.int64)
    rows = len(column.codes)
    return ColumnCounts(rows, rows - int(seen.sum()), 0, LabelCounts.of(column.labels, seen))


def joint_labels(columns: Mapping[str, Canonical], names: Sequence[str]) -> Labels:
    """Return the values of several columns as one; missing where any of them is.

    Equal values have equal labels on every side, whatever stores them: whole numbers are written without a fraction.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    parts = [_as_labels(columns[name]) for name in names]
    there = np.logical_and.reduce([part.codes >= 0 for part in parts])
    joint = np.zeros(int(there.sum()), np.int64)
    for part in parts:
        joint = np.unique(joint * max(1, len(part.labels)) + part.codes[there], return_inverse=True)[1].astype(np.int64)
    first = np.unique(joint, return_index=True)[1]
    codes = np.full(len(there), -1, np.int32)
    codes[there] = joint
    texts = [pc.take(_escaped(part.labels), pa.array(part.codes[there][first])) for part in parts]
    return Labels(codes, pc.binary_join_element_wise(*texts, SEPARATOR))


def _as_labels(column: Canonical) -> Labels:
    import pyarrow as pa

    return to_labels(pa.array(column.values), Role.ID) if isinstance(column, Numbers) else column


def _escaped(labels: pa.Array) -> pa.Array:
    """Return labels without the separator, so that no two rows of values are joined to the same text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    plain = pc.replace_substring(pc.cast(labels, pa.string()), "\\", "\\\\")
    return pc.replace_substring(plain, SEPARATOR, "\\u")
