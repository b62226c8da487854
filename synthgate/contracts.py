"""Contracts: schemas and suites of other libraries that a gate file names, and what they became when loaded."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from synthgate.findings import Severity


class Library(StrEnum):
    """Whose contract it is; also the key of a gate file's entry."""

    PANDERA = "pandera"
    GREAT_EXPECTATIONS = "great_expectations"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractSource:
    """An entry under ``schemas`` of a gate file.

    Attributes
    ----------
    library : Library
    path : Path or None
        The file; None for an object of an importable module.
    module : str or None
        The importable module.
    attribute : str or None
        The object in the file or module, dotted.
    folder : Path
        Where the gate file stands.
    name : str
        What reports call it.
    tolerance : float
        Share of rows that may break a rule, in [0, 1].
    severity : Severity or None
        What a broken rule does, where that differs from the check's severity.
    place : str
        ``file:line``, for messages.
    table : str or None
        The table that it is about, in a data set of several.
    """

    library: Library
    path: Path | None = None
    module: str | None = None
    attribute: str | None = None
    folder: Path = Path()
    name: str = ""
    tolerance: float = 0.0
    severity: Severity | None = None
    place: str = "schemas"
    table: str | None = None


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract that is loaded and fits the real table.

    Attributes
    ----------
    source : ContractSource
    schema : object
        A pandera ``DataFrameSchema`` (of pandas or polars), or the suite as the dictionary that its JSON holds.
    """

    source: ContractSource
    schema: Any
