"""Lengths of sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synthgate.catalogue import Options, measure
from synthgate.clusters import LEAST_CLUSTERS
from synthgate.findings import Ledger, Measurement
from synthgate.measures.sequences.steps import NO_SEQUENCES
from synthgate.measures.sizes import LEAST_SCALE, Sizes, size_findings
from synthgate.statistics.intervals import z_value
from synthgate.statistics.positions import average
from synthgate.values import LabelCounts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthgate.evidence import Evidence


@measure("sequences.lengths")
def lengths(evidence: Evidence, options: Options) -> Measurement:
    """Compare the number of steps per sequence; sequences are the independent units.

    The floor is what steps dealt to the sequences at random would show.
    """
    if evidence.sequence is None or evidence.sequence.key is None:
        return Measurement.missing(NO_SEQUENCES)
    key = evidence.sequence.key
    if key not in evidence.shared:
        return Measurement.missing(f"the sequence key {key!r} is missing in synthetic")
    real, synthetic, holdout = (_lengths(evidence, side, key) for side in ("real", "synthetic", "holdout"))
    if real is None or synthetic is None:
        return Measurement.missing(f"the sequence key {key!r} has too many different values to count")
    if min(len(real), len(synthetic)) < LEAST_CLUSTERS:
        return Measurement.missing(f"fewer than {LEAST_CLUSTERS} sequences")
    z = z_value(looks=2)
    findings, estimate = size_findings(Sizes(real, synthetic, holdout), (key,), "steps per sequence", z)
    score = average([estimate], z=z, least=LEAST_SCALE / 2)
    at = score.position.value if score.position else score.value
    return Measurement(
        reason=f"lengths of {len(synthetic):,} sequences lie {at:.0%} of the way from chance to fresh real sequences",
        findings=tuple(findings),
        score=score,
        ledger=Ledger(1),
        power=f"compared were {len(real):,} real and {len(synthetic):,} synthetic sequences",
    )


def _lengths(evidence: Evidence, side: str, key: str) -> NDArray[np.int64] | None:
    data = evidence.sides.get(side)
    counts = data.counts.columns.get(key) if data is not None else None
    if counts is None or counts.values.overflowed or not isinstance(counts.values, LabelCounts):
        return None
    return counts.values.counts[counts.values.counts > 0]
