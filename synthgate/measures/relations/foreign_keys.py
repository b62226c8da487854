"""Foreign keys: children without a parent, and parents without children."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgate.catalogue import Options, measure
from synthgate.clusters import is_fixed
from synthgate.findings import Estimate, Json, Ledger, Limit, Measured, Measurement, Severity, Skip
from synthgate.statistics.intervals import newcombe, z_value
from synthgate.values import LabelCounts

if TYPE_CHECKING:
    from synthgate.evidence import Evidence
    from synthgate.links import Link

IntArray = NDArray[np.int64]

ALPHA = 0.001
MIN_MISSING_SIMILARITY = 0.95
MIN_CHILDLESS_SIMILARITY = 0.9
NO_LINKS = "the table has no foreign key: relations need several tables, and metadata that says how they are linked"


@dataclass(frozen=True, slots=True)
class Keys:
    """One foreign key on one side.

    Attributes
    ----------
    children : int64 array, shape (parents,)
        Children of every parent key.
    orphans : int
        Child rows that name a parent which is not there.
    linked, rows : int
        Child rows that name a parent, and all of them.
    """

    children: IntArray
    orphans: int
    linked: int
    rows: int


def keys_of(evidence: Evidence, link: Link, side: str) -> Keys | None:
    """Count a foreign key on a side; None where a column is missing or holds too many values to count."""
    child, parent = evidence.sides.get(side), link.parent.sides.get(side)
    if child is None or parent is None:
        return None
    foreign, key = child.counts.columns.get(link.foreign_key), parent.counts.columns.get(link.key)
    if foreign is None or key is None or foreign.values.overflowed or key.values.overflowed:
        return None
    if not isinstance(foreign.values, LabelCounts) or not isinstance(key.values, LabelCounts):
        return None
    children = foreign.values.of_categories(tuple(key.values.labels.to_pylist()))
    linked = foreign.present
    return Keys(children, linked - int(children.sum()), linked, foreign.rows)


@measure("relations.foreign_keys")
def foreign_keys(evidence: Evidence, options: Options) -> Measurement:
    """Look for children whose parent is not there, and compare how many rows have no parent and no child.

    A row that lacks a column of its foreign key names no parent. Where real has no orphan, one orphan fails. Where
    real has some, synthetic may have as many: it fails when so many would be drawn from the real share with a chance
    below 0.001. Another share of parents without children is told as a warning here, since
    ``relations.cardinality`` judges it.
    """
    if not evidence.links:
        return Measurement.missing(NO_LINKS)
    z = z_value(looks=2 * len(evidence.links))
    findings: list[Measured] = []
    skipped: list[Skip] = []
    for link in evidence.links:
        known = [keys for side in ("real", "holdout") if (keys := keys_of(evidence, link, side)) is not None]
        found = keys_of(evidence, link, "synthetic")
        if found is None or keys_of(evidence, link, "real") is None:
            skipped.append(Skip(str(link.relationship), "a key column is missing in synthetic, or cannot be counted"))
            continue
        findings.append(_orphans(link, known, found, ALPHA / len(evidence.links)))
        findings.append(_without(link, known, found, z))
        if is_fixed(link):
            skipped.append(
                Skip(str(link.relationship), "real and synthetic share the parents: none is childless by chance")
            )
        else:
            findings.append(_childless(link, known, found, z))
    scored = sum(f.metric == "orphan_share" for f in findings)
    if not scored:
        return Measurement(reason=skipped[0].reason, not_assessed=skipped[0].reason, ledger=Ledger(0, tuple(skipped)))
    broken = sum(f.metric == "orphan_share" and f.estimate is not None and f.estimate.value > 0 for f in findings)
    reason = (
        f"{broken} of {scored} foreign keys name parents that are not there" if broken else "every child has its parent"
    )
    return Measurement(
        reason=reason,
        findings=tuple(findings),
        score=Estimate.exact(1 - broken / scored),
        ledger=Ledger(scored, tuple(skipped)),
    )


def _orphans(link: Link, known: list[Keys], found: Keys, alpha: float) -> Measured:
    from scipy.special import bdtrc

    share = found.orphans / max(1, found.linked)
    real, of = sum(k.orphans for k in known), sum(k.linked for k in known)
    told = f"{found.orphans:,} of {found.linked:,} rows name a row of {link.relationship.parent} that is not there"
    columns = link.columns
    details: dict[str, Json] = {
        "parent": link.relationship.parent_words,
        "observed_share": share,
        "real_share": real / max(1, of),
    }
    if not found.orphans:
        told = f"all {found.linked:,} rows name a row of {link.relationship.parent} that is there"
        return Measured(
            metric="orphan_share", message=told, estimate=Estimate.exact(0.0), columns=columns, details=details
        )
    if real:
        chance = float(bdtrc(found.orphans - 1, found.linked, min(1.0, (real + 1) / of)))
        told += f"; so do {real:,} of {of:,} real ones"
        if chance >= alpha:
            return Measured(
                metric="orphan_share", message=told, estimate=Estimate.exact(0.0), columns=columns, details=details
            )
    return Measured(
        metric="orphan_share", message=told, estimate=Estimate.exact(share), columns=columns, details=details
    )


def _similar(found: tuple[int, int], known: tuple[int, int], z: float) -> Estimate:
    """Return one minus the difference of two shares, with Newcombe's interval."""
    low, high = newcombe((found[0], known[0]), (found[1], known[1]), z)
    gap = abs(found[0] / max(1, found[1]) - known[0] / max(1, known[1]))
    nearest = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
    return Estimate(
        value=1 - gap, low=1 - max(abs(low), abs(high)), high=1 - nearest, method=f"Newcombe, z = {z:.2f}", ceiling=1.0
    )


def _without(link: Link, known: list[Keys], found: Keys, z: float) -> Measured:
    none, of = sum(k.rows - k.linked for k in known), sum(k.rows for k in known)
    here = found.rows - found.linked
    return Measured(
        metric="missing_link_similarity",
        message=(
            f"{here / max(1, found.rows):.2%} of the rows name no parent in synthetic, {none / max(1, of):.2%} in real"
        ),
        estimate=_similar((here, found.rows), (none, of), z),
        columns=link.columns,
        limit=Limit(min=MIN_MISSING_SIMILARITY),
        details={"parent": link.relationship.parent_words},
    )


def _childless(link: Link, known: list[Keys], found: Keys, z: float) -> Measured:
    none, of = sum(int((k.children == 0).sum()) for k in known), sum(len(k.children) for k in known)
    here = int((found.children == 0).sum())
    return Measured(
        metric="childless_similarity",
        message=(
            f"{here / max(1, len(found.children)):.1%} of the rows of {link.relationship.parent} have no child in "
            f"synthetic, {none / max(1, of):.1%} in real"
        ),
        estimate=_similar((here, len(found.children)), (none, of), z),
        columns=link.columns,
        limit=Limit(min=MIN_CHILDLESS_SIMILARITY),
        severity=Severity.WARN,
        details={"parent": link.relationship.parent_words},
    )
