"""Known defects, put into clean tables on purpose: mutation testing for gates.

:mod:`~synthgate.defects.catalogue` says what a defect is, the modules ``rows``, ``dependence``, ``targets``,
``contents`` and ``rules`` hold them, :mod:`~synthgate.defects.trials` runs a gate on them.
"""

from __future__ import annotations

from synthgate.defects import contents, dependence, rows, rules, targets
from synthgate.defects.catalogue import DEFECTS, Defect, Injection, NotApplicableError, Rung, Subject, inject

__all__ = ["DEFECTS", "Defect", "Injection", "NotApplicableError", "Rung", "Subject", "inject"]

_ENTERED = (rows, dependence, targets, contents, rules)
"""Modules that enter their defects into the catalogue when they are imported."""
