"""Write the contract that a real table implies in other libraries' formats, and the gate file's entries for them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from synthgate.bridges.inferred import ColumnRules, infer_rules, tolerance_for
from synthgate.contracts import Library


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


def implied_contract(real: object, metadata: str | Path | Mapping[str, Any] | None = None) -> Implied:
    """Infer the contract of a real table.

    Parameters
    ----------
    real : path, URL or dataframe
    metadata : path or dict, optional
        SDV metadata, whose roles and keys go before inferred ones.
    """
    from synthgate.scaffold import look_at

    table, plan, side, keys = look_at(real, metadata)
    counts = side.counts.columns
    return Implied(table.source, infer_rules(plan, counts, table.schema, keys), tolerance_for(table.rows))


def contract_text(contract: Implied, library: Library, target: Path) -> str:
    """Return a contract in the form of a library; for pandera as Python when `target` ends in ``.py``."""
    if library is Library.PANDERA:
        from synthgate.bridges.pandera_export import schema_text

        return schema_text(contract.rules, target, contract.source, contract.tolerance)
    from synthgate.bridges.expectations_export import suite_text

    return suite_text(contract.rules, target, contract.tolerance)


def gate_entries(contract: Implied, targets: Mapping[Library, Path], gate: Path) -> str:
    """Return the lines of a gate file that hold tables against exported contracts.

    Parameters
    ----------
    contract : Implied
    targets : dict of Path
        Where each was written.
    gate : Path
        The gate file: paths are relative to it.
    """
    from ruamel.yaml import YAML

    entries: list[dict[str, str | float]] = []
    runs_code = False
    for library, path in targets.items():
        name = os.path.relpath(path, gate.parent)
        if library is Library.GREAT_EXPECTATIONS:
            # a suite carries its tolerance as `mostly`
            entries.append({str(library): name})
            continue
        is_code = path.suffix.lower() == ".py"
        runs_code = runs_code or is_code
        entries.append({str(library): f"{name}:schema" if is_code else name, "tolerance": contract.tolerance})
    content: dict[str, Any] = {"schemas": entries}
    if runs_code:
        content["allow_code"] = True
    stream, writer = StringIO(), YAML()
    writer.width = 4096
    writer.dump(content, stream)
    return stream.getvalue()
