"""What metadata says, held against what the real table holds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from synthgate.bridges.sdv import Metadata
from synthgate.errors import DataError, nearest
from synthgate.joints import count_labels, joint_labels
from synthgate.values import LabelCounts

if TYPE_CHECKING:
    from synthgate.plan import Plan
    from synthgate.sides import Side
    from synthgate.tables import Table

MOST_MISFITS = 0.05
"""Share of real values that may not fit what metadata says of a column before the two contradict each other."""


def refuse_unknown(described: Metadata, real: Table) -> None:
    """Raise when metadata describes a column that the real table does not have.

    Raises
    ------
    DataError
    """
    known = real.schema.names
    for name in described.columns or described.roles:
        if name not in known:
            raise DataError("metadata", f"column {name!r} is not in {real.source}", nearest(name, known))


def refuse_contradictions(described: Metadata, plan: Plan, real: Side, table: str) -> None:
    """Raise when real does not hold what metadata says: other values, repeated keys, another format.

    Parameters
    ----------
    described : Metadata
    plan : Plan
    real : Side
    table : str
        The table's name, or nothing for the only one.

    Raises
    ------
    DataError
    """
    prefix = f"{table}." if table else ""
    counts = real.counts.columns
    for name, role in described.roles.items():
        found = counts.get(name)
        if found is None or plan[name].role is not role or not found.rows:
            continue
        if found.misfits > MOST_MISFITS * (found.rows - found.missing + found.misfits):
            layout = f" of the format {described.layouts[name]!r}" if name in described.layouts else ""
            raise DataError(
                "metadata",
                f"says that {prefix + name!r} is {role}{layout}, but {found.misfits:,} of {found.rows:,} real values "
                "are not",
                "correct its sdtype or its datetime_format, or the table",
            )
    _refuse_wrong_keys(described, real, prefix)
    for name, pattern in described.patterns.items():
        found = counts.get(name)
        if found is None or not isinstance(found.values, LabelCounts):
            continue
        wrong = sum(n for label, n in found.values.as_dict().items() if not re.fullmatch(pattern, label))
        if wrong > MOST_MISFITS * found.present:
            raise DataError(
                "metadata",
                f"says that {prefix + name!r} matches {pattern!r}, but {wrong:,} of {found.present:,} real values "
                "do not",
                "correct its regex_format",
            )


def _refuse_wrong_keys(described: Metadata, real: Side, prefix: str) -> None:
    """Raise when a key that metadata names repeats in real, or is missing there.

    Raises
    ------
    DataError
    """
    kept, counts = real.kept, real.counts.columns
    keys = [(repr(prefix + name), "values", counts[name]) for name in described.keys if name in counts]
    for names in described.composite_keys:
        if real.is_whole and all(name in kept for name in names):
            joint = count_labels(joint_labels(kept, names))
            keys.append((f"{prefix}({', '.join(names)})", "rows", joint))
    for told, noun, found in keys:
        if found.values.overflowed:
            continue
        repeated = int((found.values.counts - 1).sum())
        if repeated or found.missing:
            what = f"{repeated:,} {noun} repeat" if repeated else f"{found.missing:,} {noun} are missing"
            raise DataError("metadata", f"says that {told} is a key, but {what} in real", "correct `primary_key`")
