"""Rare combinations of two values taken together: a generator that keeps the frequent ones alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synthgate.findings import Measured
from synthgate.measures.coverage.lost import Categories, lost_together
from synthgate.measures.coverage.shares import SURE
from synthgate.statistics.distances import IntArray
from synthgate.statistics.intervals import z_value

if TYPE_CHECKING:
    from synthgate.evidence import Evidence

SHOWN = 10


def rare_pairs(evidence: Evidence) -> list[Measured]:
    """Return the pairs of columns whose rare combinations synthetic lacks beyond chance, worst first.

    Only combinations of values that synthetic has count: a lost category is told elsewhere.
    """
    tables = evidence.pair_tables
    names = [pair for pair in tables["real"] if pair in tables["synthetic"]]
    z, found = z_value(SURE, looks=len(names)), []
    for pair in names:
        known, there = tables["real"][pair], tables["synthetic"][pair]
        if pair in tables.get("holdout", {}):
            known = known + tables["holdout"][pair]
        told = lost_together(_combinations(pair, known, there), z * evidence.design_of(*pair))
        found += [told] if told and told.estimate and told.estimate.high < 1 else []
    return sorted(found, key=_high)[:SHOWN]


def _combinations(pair: tuple[str, str], known: IntArray, found: IntArray) -> Categories:
    rows, columns = found.sum(axis=1) > 0, found.sum(axis=0) > 0
    there = rows[:, None] & columns[None, :]
    return Categories(pair, np.where(there, known, 0).ravel(), np.where(there, found, 0).ravel())


def _high(found: Measured) -> float:
    return found.estimate.high if found.estimate else 1.0
