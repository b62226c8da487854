"""The entries under ``schemas`` of a gate file, read and checked without touching the files they name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from synthgate.contracts import ContractSource, Library
from synthgate.errors import GateFileError, nearest
from synthgate.findings import Severity
from synthgate.yamlfile import Node, shown

ENTRY_KEYS = (*Library, "name", "tolerance", "severity", "table")
EXAMPLE = "write for instance `- pandera: schema.yaml` or `- great_expectations: suite.json`"


def read_entries(node: Node, folder: Path, *, allow_code: bool) -> tuple[ContractSource, ...]:
    """Read the list under ``schemas``.

    Parameters
    ----------
    node : Node
        The gate file.
    folder : Path
        Where it stands: paths are relative to it.
    allow_code : bool
        Whether Python files may be run.

    Raises
    ------
    GateFileError
    """
    return tuple(_entry(node, at, item, folder, allow_code=allow_code) for at, item in enumerate(node.items("schemas")))


def _entry(node: Node, at: int, item: Any, folder: Path, *, allow_code: bool) -> ContractSource:
    place = node.place(f"schemas.{at}")
    if not isinstance(item, dict):
        raise GateFileError(place, f"the schema is {shown(item)}, expected a mapping", EXAMPLE)
    entry = node.child(f"schemas.{at}", item)
    entry.refuse_unknown(ENTRY_KEYS)
    named = [library for library in Library if entry.text(library) is not None]
    if len(named) != 1:
        raise GateFileError(place, f"the schema names {len(named)} libraries, expected one", EXAMPLE)
    library = named[0]
    target = str(entry.text(library)).strip()
    tolerance = entry.number("tolerance") or 0.0
    if not 0 <= tolerance <= 1:
        raise GateFileError(entry.place("tolerance"), f"tolerance is {tolerance:g}, expected a share from 0 to 1", "")
    severity = entry.text("severity")
    if severity is not None and severity not in tuple(Severity):
        fix = nearest(severity, tuple(Severity))
        raise GateFileError(entry.place("severity"), f"unknown severity {severity!r}", fix)
    where = _file(library, target, folder, entry.place(library), allow_code=allow_code)
    return ContractSource(
        library=library,
        **where,
        folder=folder,
        name=entry.text("name") or target,
        tolerance=tolerance,
        severity=Severity(severity) if severity else None,
        place=entry.place(library),
        table=entry.text("table"),
    )


def _file(library: Library, target: str, folder: Path, place: str, *, allow_code: bool) -> dict[str, Any]:
    """Return the path, module and attribute that a target names."""
    suffix = Path(target).suffix.lower()
    if library is Library.GREAT_EXPECTATIONS:
        if suffix != ".json":
            raise GateFileError(place, f"{target!r} is no JSON file", "name a suite that is saved as JSON")
        return {"path": folder / target}
    if suffix in (".yaml", ".yml"):
        return {"path": folder / target}
    source, colon, attribute = target.rpartition(":")
    if not colon or not source or not attribute:
        raise GateFileError(
            place,
            f"{target!r} names no pandera schema",
            "write a YAML file, `schemas.py:Adult` or `package.module:Adult`",
        )
    if not allow_code:
        raise GateFileError(
            place,
            f"{target!r} is Python, which runs as code when it is loaded",
            "add `allow_code: true` to the gate file if you trust it, or save the schema as YAML",
        )
    is_file = source.endswith(".py")
    return {
        "path": folder / source if is_file else None,
        "module": None if is_file else source,
        "attribute": attribute,
    }
