"""Write a gate file for a real table, ready to edit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthgate.bridges.sdv import Metadata, read_metadata, write_metadata
from synthgate.roles import Role
from synthgate.values import NumberCounts

if TYPE_CHECKING:
    from synthgate.counts import ColumnCounts
    from synthgate.plan import Plan
    from synthgate.tables import Table

HEADER = """\
# A gate for {source}: which checks decide whether synthetic rows may stand in for real ones.
# Every line can be edited; `synthgate checks` lists what there is, `synthgate explain ID` tells more.
version: 1
"""
MAX_CONSTRAINTS = 12


def gate_yaml(real: object, metadata: str | Path | Mapping[str, Any] | None = None) -> str:
    """Return a gate file for a real table: its roles, keys and the simple rules that it keeps.

    Parameters
    ----------
    real : path, URL or dataframe
    metadata : path or dict, optional
        SDV metadata, whose roles and keys go before inferred ones.

    Returns
    -------
    str
        YAML that :func:`synthgate.gatefile.load_gate` accepts.
    """
    from io import StringIO

    from ruamel.yaml import YAML

    table, plan, counts, keys = look_at(real, metadata)
    content: dict[str, Any] = {
        "real": table.source,
        "synthetic": "synthetic" + "".join(Path(table.source).suffixes[-2:] or [".parquet"]),
        "roles": {column.name: str(column.role) for column in plan.columns},
    }
    if keys:
        content["key"] = keys if len(keys) > 1 else keys[0]
    rules = _rules(plan, counts)
    if rules:
        content["constraints"] = rules
    stream = StringIO()
    writer = YAML()
    writer.width = 4096
    writer.dump(content, stream)
    hints = "# holdout: holdout.parquet   # real rows that the generator never saw: without them no privacy verdict\n"
    hints += "# target: COLUMN             # what models will predict\npreset: default\n"
    return HEADER.format(source=table.source.replace("\n", " ")) + stream.getvalue() + hints


def sdv_json(real: object, metadata: str | Path | Mapping[str, Any] | None = None) -> str:
    """Return SDV metadata (SINGLE_TABLE_V1, JSON) of a real table, from the same look as :func:`gate_yaml`."""
    import json

    _, plan, _, keys = look_at(real, metadata)
    return json.dumps(write_metadata(plan, tuple(keys)), indent=2, ensure_ascii=False) + "\n"


def look_at(
    real: object, metadata: str | Path | Mapping[str, Any] | None
) -> tuple[Table, Plan, Mapping[str, ColumnCounts], list[str]]:
    """Return a real table, its plan, the counts of its columns, and its keys."""
    from synthgate.evidence import count_side, make_plan
    from synthgate.tables import open_table

    described = read_metadata(metadata) if metadata is not None else Metadata()
    table = open_table(real, name="real")
    plan = make_plan(table, described.roles, (), described.layouts)
    counts = count_side(plan, table, 0).counts.columns
    return table, plan, counts, list(described.keys) or _keys(plan, counts)


def _keys(plan: Plan, counts: Mapping[str, ColumnCounts]) -> list[str]:
    ids = [c.name for c in plan.columns if c.role is Role.ID and c.name in counts]
    return [n for n in ids if not counts[n].missing and len(counts[n].values.counts) == counts[n].rows]


def _rules(plan: Plan, counts: Mapping[str, ColumnCounts]) -> list[str]:
    """Return rules that real keeps and that make sense to most: columns that are never negative."""
    rules = []
    for column in plan.columns:
        values = counts[column.name].values if column.name in counts else None
        if (
            column.role is Role.NUMERICAL
            and isinstance(values, NumberCounts)
            and len(values.values)
            and values.values[0] >= 0
        ):
            quoted = column.name.replace('"', '""')
            rules.append(f'"{quoted}" >= 0')
    return rules[:MAX_CONSTRAINTS]
