"""Missing values where real has some: as many as there should be?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from synthgate.counts import as_often_missing
from synthgate.findings import Limit, Measured
from synthgate.statistics.intervals import ratio_interval, z_value
from synthgate.statistics.positions import ratio_estimate

if TYPE_CHECKING:
    from synthgate.evidence import Evidence

LEAST_KEPT = 2 / 3
MIN_EXPECTED = 5.0
SURE = 0.998
"""Level at which all columns together are held: many columns and tables are looked at."""


@dataclass(frozen=True, slots=True)
class _Gaps:
    """Missing values of a column: in synthetic, and in all rows known to be real."""

    name: str
    found: int
    found_of: int
    known: int
    known_of: int

    @property
    def expected(self) -> float:
        return self.known * self.found_of / max(1, self.known_of)


def gap_findings(evidence: Evidence) -> list[Measured]:
    """Compare the share of missing values with the real one, in columns that have some in real.

    The value is the ratio of the shares, turned over when above one: 1 is right, 0 is filled up (or flooded). Below two
    thirds beyond doubt it fails, and what stays in doubt is only shown. Of columns that rarely lack a value the
    distribution hardly moves when they are filled up. Columns with fewer than five expected are left out.
    """
    columns = [gaps for name in evidence.shared if (gaps := _gaps(evidence, name)).expected >= MIN_EXPECTED]
    z = z_value(SURE, looks=len(columns))
    return [_finding(gaps, z * evidence.design_of(gaps.name)) for gaps in columns]


def is_wrong(found: Measured) -> bool:
    """Tell whether a share is less than two thirds or more than one and a half of the real one, beyond doubt."""
    return found.judged and found.estimate is not None and found.estimate.high < LEAST_KEPT


def _gaps(evidence: Evidence, name: str) -> _Gaps:
    known, found = [evidence.real.counts.columns[name]], evidence.synthetic.counts.columns[name]
    held = evidence.holdout.counts.columns.get(name) if evidence.holdout else None
    if held is not None and as_often_missing(known[0], held):
        known.append(held)
    return _Gaps(
        name,
        found.missing - found.misfits,
        found.rows,
        sum(counts.missing - counts.misfits for counts in known),
        sum(counts.rows for counts in known),
    )


def _finding(gaps: _Gaps, z: float) -> Measured:
    low, high = ratio_interval(gaps.found, gaps.found_of, gaps.known, gaps.known_of, z)
    ratio = (gaps.found / gaps.found_of) / (gaps.known / gaps.known_of)
    if ratio > 1:
        low, ratio, high = (1 / high if np.isfinite(high) else 0.0), 1 / ratio, (1 / low if low > 0 else 1.0)
    clear = high < LEAST_KEPT or low >= LEAST_KEPT
    shares = f"{gaps.found / gaps.found_of:.1%} of the values are missing, in real {gaps.known / gaps.known_of:.1%}"
    return Measured(
        metric="missing_share_ratio",
        message=shares if clear else f"{shares}; shown only, as so few do not decide",
        estimate=ratio_estimate(ratio, low, high, z),
        columns=(gaps.name,),
        limit=Limit(min=LEAST_KEPT),
        judged=clear,
        details={"expected": gaps.expected, "found": gaps.found},
    )
