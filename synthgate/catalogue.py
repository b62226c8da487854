"""The catalogue of measures: code that a declared check can name.

A measure is entered by :func:`measure` under the id of the check it serves. The
modules that hold measures are imported when a check first needs one, so that
``synthgate --help`` loads none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias

from synthgate.findings import Measurement

if TYPE_CHECKING:
    from synthgate.evidence import Evidence

Options: TypeAlias = Mapping[str, object]
Compute: TypeAlias = "Callable[[Evidence, Options], Measurement]"

FAMILY_MODULES = {
    "schema": "synthgate.measures.schema",
    "constraints": "synthgate.measures.constraints",
    "relations": "synthgate.measures.relations",
    "fidelity": "synthgate.measures.fidelity",
    "coverage": "synthgate.measures.coverage",
    "utility": "synthgate.measures.utility",
    "privacy": "synthgate.measures.privacy",
    "review": "synthgate.measures.review",
    "sequences": "synthgate.measures.sequences",
}
NAMED_FAMILIES = {"sdmetrics": "synthgate.measures.sdmetrics"}
"""Families whose measures are made from their names, by the module's ``measure_named``."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure and the options it takes, with their defaults."""

    id: str
    compute: Compute
    options: Mapping[str, object]


MEASURES: dict[str, Measure] = {}


def measure(check_id: str, **options: object) -> Callable[[Compute], Compute]:
    """Enter a function in the catalogue as the measure of `check_id`.

    Parameters
    ----------
    check_id : str
        Such as ``"fidelity.columns"``.
    **options
        The options the measure takes from the gate file, with their defaults.
    """

    def enter(compute: Compute) -> Compute:
        if check_id in MEASURES:
            raise ValueError(f"measure {check_id!r} is defined twice")
        MEASURES[check_id] = Measure(check_id, compute, options)
        return compute

    return enter


def find_measure(check_id: str) -> Measure | None:
    """Return the measure of a check, importing its family's module when needed."""
    family = check_id.split(".", maxsplit=1)[0]
    if family in NAMED_FAMILIES:
        made: Measure = import_module(NAMED_FAMILIES[family]).measure_named(check_id)
        return made
    module = FAMILY_MODULES.get(family)
    if check_id not in MEASURES and module:
        import_module(module)
    return MEASURES.get(check_id)
