"""Write the contract that a real table implies in other libraries' formats, and the gate file's entries for them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthgate.bridges.inferred import ColumnRules, infer_rules, tolerance_for
from synthgate.contracts import Library
from synthgate.looks import Look
from synthgate.scaffold import as_yaml


@dataclass(frozen=True, slots=True)
class Implied:
    """The contract of a real table.

    Attributes
    ----------
    source : str
        The table.
    rules : tuple of ColumnRules
    tolerance : float
        Share of fresh rows that may break a rule.
    """

    source: str
    rules: tuple[ColumnRules, ...]
    tolerance: float


def implied_contract(look: Look) -> Implied:
    """Infer the contract of a real table."""
    counts, table = look.side.counts.columns, look.table
    rules = infer_rules(look.plan, counts, table.schema, look.plain_keys)
    return Implied(table.source, rules, tolerance_for(table.rows))


def contract_text(contract: Implied, library: Library, target: Path) -> str:
    """Return a contract in the form of a library; for pandera as Python when `target` ends in ``.py``."""
    if library is Library.PANDERA:
        from synthgate.bridges.pandera_export import schema_text

        return schema_text(contract.rules, target, contract.source, contract.tolerance)
    from synthgate.bridges.expectations_export import suite_text

    return suite_text(contract.rules, target, contract.tolerance)


@dataclass(frozen=True, slots=True)
class Export:
    """A contract to be written: of which table, for which library, to which file."""

    table: str
    library: Library
    path: Path


def gate_entries(contracts: Mapping[str, Implied], exports: Iterable[Export], gate: Path) -> str:
    """Return the lines of a gate file that hold tables against exported contracts.

    Parameters
    ----------
    contracts : dict of Implied
        By table; ``""`` for the only one.
    exports : iterable of Export
    gate : Path
        The gate file: paths are relative to it.
    """
    entries: list[dict[str, str | float]] = []
    runs_code = False
    for one in exports:
        name = os.path.relpath(one.path, gate.parent)
        entry: dict[str, str | float] = {"table": one.table} if one.table else {}
        if one.library is Library.GREAT_EXPECTATIONS:
            # a suite carries its tolerance as `mostly`
            entries.append({**entry, str(one.library): name})
            continue
        is_code = one.path.suffix.lower() == ".py"
        runs_code = runs_code or is_code
        target = f"{name}:schema" if is_code else name
        entries.append({**entry, str(one.library): target, "tolerance": contracts[one.table].tolerance})
    content: dict[str, Any] = {"schemas": entries}
    if runs_code:
        content["allow_code"] = True
    return as_yaml(content)
