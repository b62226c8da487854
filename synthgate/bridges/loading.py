"""Load the contracts of a gate, and only those that a check of it will run."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from synthgate.contracts import Contract, ContractSource, Library


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
