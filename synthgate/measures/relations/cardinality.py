"""Cardinality: how many children a parent has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthgate.catalogue import Options, measure
from synthgate.clusters import is_fixed
from synthgate.findings import Estimate, Ledger, Measured, Measurement, Skip
from synthgate.measures.fidelity.columns import drifted
from synthgate.measures.relations.foreign_keys import NO_LINKS, keys_of
from synthgate.measures.sizes import LEAST_SCALE, MOST_SCALE, Sizes, size_findings
from synthgate.statistics.distances import careless_total_variation, expected_total_variation, total_variation
from synthgate.statistics.intervals import z_value
from synthgate.statistics.positions import average, place

if TYPE_CHECKING:
    from synthgate.evidence import Evidence
    from synthgate.links import Link

LEAST_PARENTS = 10


@measure("relations.cardinality")
def cardinality(evidence: Evidence, options: Options) -> Measurement:
    """Compare the number of children per parent, zero included; parents are the independent units.

    The floor is what foreign keys drawn at random would show (children per parent as in a Poisson
    distribution). Where real and synthetic have the same parents, as in a reference table, the shares of
    children by parent are compared instead.
    """
    if not evidence.links:
        return Measurement.missing(NO_LINKS)
    z = z_value(looks=2 * len(evidence.links))
    findings: list[Measured] = []
    estimates: list[Estimate] = []
    skipped: list[Skip] = []
    for link in evidence.links:
        reason, found, estimate = _one(evidence, link, z)
        findings += found
        estimates += [estimate] if estimate else []
        skipped += [Skip(str(link.relationship), reason)] if reason else []
    if not estimates:
        return Measurement(reason=skipped[0].reason, not_assessed=skipped[0].reason, ledger=Ledger(0, tuple(skipped)))
    score = average(estimates, z=z, least=LEAST_SCALE / 2)
    at = score.position.value if score.position else score.value
    return Measurement(
        reason=f"children per parent lie {at:.0%} of the way from foreign keys drawn at random to fresh real parents",
        findings=tuple(findings),
        score=score,
        ledger=Ledger(len(estimates), tuple(skipped)),
    )


def _one(evidence: Evidence, link: Link, z: float) -> tuple[str | None, list[Measured], Estimate | None]:
    real, synthetic, holdout = (keys_of(evidence, link, side) for side in ("real", "synthetic", "holdout"))
    if real is None or synthetic is None:
        return "a key column is missing in synthetic, or cannot be counted", [], None
    columns = link.columns
    if is_fixed(link):
        if len(columns) == 1 and evidence.plan[columns[0]].role.is_discrete:
            return "a category of a reference table: its shares are compared by fidelity.columns", [], None
        return (None, *_shares(evidence, link, z))
    if min(len(real.children), len(synthetic.children)) < LEAST_PARENTS:
        return f"fewer than {LEAST_PARENTS} parents", [], None
    sizes = Sizes(real.children, synthetic.children, None if holdout is None else holdout.children)
    found, estimate = size_findings(sizes, columns, f"rows per {link.relationship.parent}", z)
    return None, found, estimate


def _shares(evidence: Evidence, link: Link, z: float) -> tuple[list[Measured], Estimate]:
    """Compare the children's shares by parent, over the parents of the real table."""
    labels = tuple(link.parent.real.counts.columns[link.key].labels.labels.to_pylist())
    cells = {
        side: data.counts.columns[link.foreign_key].labels.of_categories(labels)
        for side, data in evidence.sides.items()
        if link.foreign_key in data.counts.columns
    }
    real, synthetic, holdout = cells["real"], cells["synthetic"], cells.get("holdout")
    n, m = int(real.sum()), int(synthetic.sum())
    fresh = expected_total_variation(real if holdout is None else real + holdout, n, m)
    if holdout is not None:
        fresh = drifted(fresh, total_variation(real, holdout), n, int(holdout.sum()), m)
    careless = careless_total_variation(real, (real * 0 + 1) / max(1, len(real)), max(1, m))
    estimate = place(
        total_variation(real, synthetic), fresh, careless, z,
        least=LEAST_SCALE, most=MOST_SCALE, design=evidence.design_of(link.foreign_key),
    )  # fmt: skip
    message = (
        f"{estimate.value:.1%} of the shares by {link.relationship.parent} agree; "
        f"fresh real rows reach {estimate.ceiling or 1:.1%}"
    )
    found = Measured(metric="parent_tv_complement", message=message, estimate=estimate, columns=link.columns)
    return [found], estimate
