"""Write a gate file for a real table, ready to edit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthgate.bridges.sdv import Metadata, read_metadata, write_metadata
from synthgate.errors import DataError
from synthgate.roles import Role

if TYPE_CHECKING:
    from synthgate.counts import ColumnCounts
    from synthgate.plan import Plan
    from synthgate.sides import Side
    from synthgate.tables import Table

HEADER = """\
# A gate for {source}: which checks decide whether synthetic rows may stand in for real ones.
# Every line can be edited; `synthgate checks` lists what there is, `synthgate explain ID` tells more.
version: 1
"""
MAX_CONSTRAINTS = 60


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

    table, plan, side, keys = look_at(real, metadata)
    content: dict[str, Any] = {
        "real": table.source,
        "synthetic": "synthetic" + "".join(Path(table.source).suffixes[-2:] or [".parquet"]),
        "roles": {column.name: str(column.role) for column in plan.columns},
    }
    if keys:
        content["key"] = keys if len(keys) > 1 else keys[0]
    rules, unsaid = _rules(plan, side)
    if rules:
        content["constraints"] = rules
    stream = StringIO()
    writer = YAML()
    writer.width = 4096
    writer.dump(content, stream)
    told = [f"# also held in real, and checked by constraints.mined: {_one_line(words)}\n" for words in unsaid]
    hints = (
        "".join(told)
        + "# holdout: holdout.parquet   # real rows that the generator never saw: without them no privacy verdict\n"
    )
    hints += "# target: COLUMN             # what models will predict\npreset: default\n"
    return HEADER.format(source=table.source.replace("\n", " ")) + stream.getvalue() + hints


def sdv_json(real: object, metadata: str | Path | Mapping[str, Any] | None = None) -> str:
    """Return SDV metadata (SINGLE_TABLE_V1, JSON) of a real table, from the same look as :func:`gate_yaml`."""
    import json

    _, plan, _, keys = look_at(real, metadata)
    return json.dumps(write_metadata(plan, tuple(keys)), indent=2, ensure_ascii=False) + "\n"


def look_at(real: object, metadata: str | Path | Mapping[str, Any] | None) -> tuple[Table, Plan, Side, list[str]]:
    """Return a real table, its plan, its counted side, and its keys.

    Raises
    ------
    DataError
        When it cannot be read, or is a profile.
    """
    from synthgate.survey import count_surveyed, plan_of, survey
    from synthgate.tables import open_table

    described = read_metadata(metadata) if metadata is not None else Metadata()
    table = open_table(real, name="real")
    if table.profile is not None:
        problem = "is a profile, which holds counts and no rows; expected a table"
        raise DataError(table.source, problem, "give the real table itself")
    seen = survey(table, described.roles)
    plan = plan_of(seen, (), described.layouts)
    side = count_surveyed(plan, seen, 0)
    return table, plan, side, list(described.keys) or _keys(plan, side.counts.columns)


def _one_line(text: str) -> str:
    """Return a text that stays within its comment, whatever names and values hold."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def _keys(plan: Plan, counts: Mapping[str, ColumnCounts]) -> list[str]:
    ids = [c.name for c in plan.columns if c.role is Role.ID and c.name in counts]
    return [n for n in ids if not counts[n].missing and len(counts[n].values.counts) == counts[n].rows]


def _rules(plan: Plan, side: Side) -> tuple[list[dict[str, str]], list[str]]:
    """Return mined rules as constraints, and in words those that SQL cannot say of one row.

    Each is run on real first, so that a gate file never starts with a rule that real breaks.
    """
    from synthgate.evidence import Evidence
    from synthgate.expressions import Checkable, check_expression, count_violations, locked_connection
    from synthgate.mining import mine
    from synthgate.mining.words import spelling
    from synthgate.typed import typed_rows

    mined = mine(Evidence(plan=plan, real=side, synthetic=side, holdout=None))
    spell = spelling(plan)
    said = [(rule, rule.rule.words(), rule.rule.sql(spell)) for rule in mined.rules]
    unsaid = [words for _, words, sql in said if sql is None]
    rules = [(rule, words, sql) for rule, words, sql in said if sql is not None]
    unsaid += [words for _, words, _ in rules[MAX_CONSTRAINTS:]]
    rules = rules[:MAX_CONSTRAINTS]
    schema = side.table.schema
    with locked_connection() as connection:
        checked = [
            Checkable(sql, None, words, check_expression(connection, sql, words, schema.names))
            for _, words, sql in rules
        ]
        names = frozenset[str]().union(*(rule.columns for rule in checked))
        broken = count_violations(connection, typed_rows(plan, side, schema, names), checked) if checked else []
    content = []
    for (rule, words, sql), (rows, _) in zip(rules, broken, strict=True):
        if rows:
            unsaid.append(words)
            continue
        entry = {"name": words, "sql": sql}
        content.append({**entry, "severity": "warn"} if rule.is_habit else entry)
    return content, unsaid
