"""Write a gate file for the real side, one table or several, ready to edit."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

from synthgate.bridges.sdv import Key, write_metadata, write_tables_metadata
from synthgate.links import Relationship
from synthgate.looks import Look, Looks

HEADER = """\
# A gate for {source}: which checks decide whether synthetic rows may stand in for real ones.
# Every line can be edited; `synthgate checks` lists what there is, `synthgate explain ID` tells more.
version: 1
"""
HINTS = """\
# holdout: {holdout}   # real rows that the generator never saw: without them no privacy verdict
# target: {target}             # what models will predict
"""
MANY_HINTS = "# reference: [TABLE]        # tables that hold public facts, the same rows on every side\n"
MAX_CONSTRAINTS = 60


def gate_yaml(looks: Looks, real: str | None = None) -> str:
    """Return a gate file for the real side: its roles, keys, foreign keys, and the simple rules that it keeps.

    Parameters
    ----------
    looks : Looks
    real : str, optional
        How the gate file names it; by default as it was given.

    Returns
    -------
    str
        YAML that :func:`synthgate.gatefile.load_gate` accepts.
    """
    named = looks.source if real is None else real
    endings = "" if looks.is_many else "".join(Path(named).suffixes[-2:]) or ".parquet"
    content: dict[str, Any] = {"real": named, "synthetic": f"synthetic{endings}", "roles": _roles(looks)}
    keys = [_key(key, table) for table, look in looks.tables.items() for key in look.keys]
    if keys:
        content["key"] = keys[0] if len(keys) == 1 and isinstance(keys[0], str) else keys
    if looks.relationships:
        content["relationships"] = [_ends(one) for one in looks.relationships]
    unsaid: list[str] = []
    rules = [rule for table, look in looks.tables.items() for rule in _rules(look, table, unsaid)]
    if rules:
        content["constraints"] = rules
    told = [f"# also held in real, and checked by constraints.mined: {_one_line(words)}\n" for words in unsaid]
    told += _suggestions(looks)
    holdout, target = ("holdout", "TABLE.COLUMN") if looks.is_many else ("holdout.parquet", "COLUMN")
    hints = HINTS.format(holdout=holdout, target=target) + (MANY_HINTS if looks.is_many else "")
    links = "# relationships were inferred from names and values: see that they are right\n"
    found = links if looks.is_inferred and looks.relationships else ""
    return (
        HEADER.format(source=_one_line(named)) + found + as_yaml(content) + "".join(told) + hints + "preset: default\n"
    )


def as_yaml(content: dict[str, Any]) -> str:
    """Return a mapping as YAML, long lines unbroken."""
    from ruamel.yaml import YAML

    stream, writer = StringIO(), YAML()
    writer.width = 4096
    writer.dump(content, stream)
    return stream.getvalue()


def sdv_json(looks: Looks) -> str:
    """Return SDV metadata (JSON) of the real side: SINGLE_TABLE_V1, or MULTI_TABLE_V1 for several tables."""
    import json

    if looks.is_many:
        plans = {name: look.plan for name, look in looks.tables.items()}
        keys = {name: _primary_first(name, look, looks) for name, look in looks.tables.items()}
        described = {name: look.described for name, look in looks.tables.items()}
        content = write_tables_metadata(plans, keys, looks.relationships, described)
    else:
        (look,) = looks.tables.values()
        content = write_metadata(look.plan, look.keys, look.described)
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _primary_first(table: str, look: Look, looks: Looks) -> tuple[Key, ...]:
    """Return the keys of a table, first that which foreign keys name: SDV takes it as the primary key."""
    named = [one.key for one in looks.relationships if one.parent == table]
    return tuple(dict.fromkeys((*named, *look.keys)))


def _dotted(table: str, name: str) -> str:
    return f"{table}.{name}" if table else name


def _key(key: Key, table: str) -> str | list[str]:
    return _dotted(table, key) if isinstance(key, str) else [_dotted(table, name) for name in key]


def _ends(one: Relationship) -> dict[str, str | list[str]]:
    return {"child": _key(one.foreign_key, one.child), "parent": _key(one.key, one.parent)}


def _suggestions(looks: Looks) -> list[str]:
    """Return as comments the foreign keys that values alone speak for, with the evidence."""
    import json

    lines = [
        f"#   - {_one_line(json.dumps(_ends(one.relationship), ensure_ascii=False))}   "
        f"# all {one.values:,} different values are among the {one.keys:,} keys\n"
        for one in looks.suggested
    ]
    first = "# foreign keys that values alone speak for, not used: put those that are right under relationships\n"
    return [first, *lines] if lines else []


def _roles(looks: Looks) -> dict[str, str]:
    """Return the role of every column, but for those that a foreign key settles."""
    tied = {(one.parent, one.key) for one in looks.relationships}
    tied |= {(one.child, one.foreign_key) for one in looks.relationships}
    return {
        _dotted(table, column.name): str(column.role)
        for table, look in looks.tables.items()
        for column in look.plan.columns
        if (table, column.name) not in tied
    }


def _one_line(text: str) -> str:
    """Return a text that stays within its comment, whatever names and values hold."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def _rules(look: Look, name: str, unsaid: list[str]) -> list[dict[str, str | float]]:
    """Return mined rules as constraints, and add in words those that SQL cannot say of one row.

    Each is run on real first, so that a gate file never starts with a rule that real breaks beyond its tolerance.
    """
    from synthgate.evidence import Evidence
    from synthgate.expressions import Checkable, check_expression, count_violations, locked_connection
    from synthgate.measures.constraints.mined import ALPHA, tolerated_share
    from synthgate.mining import mine
    from synthgate.mining.words import spelling
    from synthgate.typed import typed_rows

    plan, side = look.plan, look.side
    evidence = Evidence(plan=plan, real=side, synthetic=side, holdout=None, sequence=look.described.sequence)
    mined = mine(evidence)
    # rows of one sequence break a rule together
    effect = evidence.design_effect if evidence.sequence else 1.0
    spell = spelling(plan)
    said = [(rule, rule.rule.words(), rule.rule.sql(spell)) for rule in mined.rules]
    rules = [(rule, words, sql) for rule, words, sql in said if sql is not None]
    left = [words for _, words, sql in said if sql is None] + [words for _, words, _ in rules[MAX_CONSTRAINTS:]]
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
    for (rule, words, sql), (rows, of) in zip(rules, broken, strict=True):
        # what fresh real rows may break by chance: all rows count here, of which the rule may be about a few
        share = tolerated_share(rule, rule.support, ALPHA / mined.held, effect) * rule.support / of
        if rows > share * of:
            left.append(words)
            continue
        entry: dict[str, str | float] = {"table": name} if name else {}
        entry |= {"name": words, "sql": sql}
        if share:
            entry["tolerance"] = float(f"{share * 1.05:.2g}")
        content.append({**entry, "severity": "warn"} if rule.is_habit else entry)
    unsaid += [f"{name}: {words}" if name else words for words in left]
    return content
