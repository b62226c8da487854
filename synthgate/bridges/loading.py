"""Load the contracts of a gate, and only those that a check of it will run."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version

from synthgate.contracts import Contract, ContractSource, Library

NEEDED = {
    Library.PANDERA: ("pandera", "pandas", "polars"),
    Library.GREAT_EXPECTATIONS: ("great_expectations", "pandas"),
}


def fingerprints(sources: Iterable[ContractSource]) -> tuple[str, ...]:
    """Return what a verdict depends on beside the gate file: contents of contracts, versions of their libraries."""
    told: list[str] = []
    for source in sources:
        if source.path is not None and source.path.is_file():
            told.append(hashlib.sha256(source.path.read_bytes()).hexdigest())
        told += [f"{name} {_version(name)}" for name in NEEDED[source.library]]
    return tuple(told)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def load_contracts(
    sources: Iterable[ContractSource], checks: Collection[str], columns: Sequence[str]
) -> tuple[Contract, ...]:
    """Load contracts, importing their libraries.

    Parameters
    ----------
    sources : iterable of ContractSource
    checks : collection of str
        Ids of the checks that will run; a contract that none of them holds the table to is left alone.
    columns : sequence of str
        Of the real table.

    Raises
    ------
    SynthgateError
        When a contract cannot be loaded, is for another table, or its library is missing.
    """
    loaded = []
    for source in sources:
        if f"constraints.{source.library}" not in checks:
            continue
        if source.library is Library.PANDERA:
            from synthgate.bridges.pandera_schemas import load_pandera

            loaded.append(load_pandera(source, columns))
        else:
            from synthgate.bridges.expectation_suites import load_suite

            loaded.append(load_suite(source, columns))
    return tuple(loaded)
