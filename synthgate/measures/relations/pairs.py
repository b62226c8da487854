"""Pairs across a join: do children depend on their parents as in the real data?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgate.catalogue import Options, measure
from synthgate.clusters import (
    LEAST_CLUSTERS,
    ClusteredShares,
    clustered_shares,
    is_fixed,
    jackknife_error,
    left_out,
    link_units,
    parent_rows,
    units_of,
)
from synthgate.findings import Json, Ledger, Measured, Measurement, Skip
from synthgate.measures.fidelity.columns import drifted
from synthgate.measures.relations.foreign_keys import NO_LINKS
from synthgate.statistics.distances import (
    Distance,
    Reference,
    careless_total_variation,
    cramers_v,
    expected_total_variation,
    total_variation,
)
from synthgate.statistics.intervals import t_value
from synthgate.statistics.positions import average, place

if TYPE_CHECKING:
    from synthgate.evidence import Evidence
    from synthgate.links import Link

IntArray = NDArray[np.int64]

LEAST_SCALE = 0.1
LEAST_MEAN_SCALE = 0.02
LEAST_DEPENDENCE = 0.02
"""Least dependence of a pair in real (share of rows that unrelated columns would move) to enter the score."""
MAX_ROWS = 100_000
MAX_PAIRS = 400


@dataclass(frozen=True)
class Chain:
    """A way from a child up to a table above it: one link, or two.

    Attributes
    ----------
    links : tuple of Link
        From the child upwards.
    rows : dict of int64 array
        Per side, for every kept child row the place of its ancestor, below zero for none.
    units : dict of int64 array
        Per side, the independent unit of every kept child row.
    used : dict of bool array
        Per side, the rows that have the ancestor and are in the sample of whole units.
    """

    links: tuple[Link, ...]
    rows: Mapping[str, IntArray]
    units: Mapping[str, IntArray]
    used: Mapping[str, NDArray[np.bool_]]

    @property
    def top(self) -> Evidence:
        """The evidence of the table above."""
        return self.links[-1].parent

    @property
    def name(self) -> str:
        """The name of the table above."""
        return self.links[-1].relationship.parent


@measure("relations.pairs")
def pairs(evidence: Evidence, options: Options) -> Measurement:
    """Compare the joint shares of a child's column and a column of its parent, or of the parent's parent.

    The ceiling and every interval know that the children of one parent are not independent: variances are
    those of ratios over parents, and errors those of a jackknife over groups of parents, whichever is more. Every
    pair is judged; the score is the mean over those that depend on each other in real.
    """
    if not evidence.links:
        return Measurement.missing(NO_LINKS)
    chains = list(_chains(evidence))
    names, skipped = _subjects(evidence, chains)
    if not names:
        return Measurement.missing("no varying column of the table can be paired with one of a parent")
    used = [chains[at] for at in {at for at, _, _ in names}]
    fewest = min(_many(chain, side) for chain in used for side in ("real", "synthetic"))
    z = t_value(fewest - 1, looks=len(names))
    tables = {side: _codes(evidence, chains, names, side) for side in evidence.sides}
    findings = [
        _pair(evidence, chains[at], (own, above), {side: made[at, own, above] for side, made in tables.items()}, z)
        for at, own, above in names
    ]
    strengths = [float(str(f.details["dependence"])) for f in findings]
    if max(strengths) < LEAST_SCALE / 2:
        return Measurement.missing("no column depends measurably on a column of a parent in real")
    depend = [k for k, strength in enumerate(strengths) if strength >= LEAST_DEPENDENCE]
    estimates = [(f.estimate, strengths[k]) for k, f in enumerate(findings) if k in depend and f.estimate is not None]
    score = average(
        [estimate for estimate, _ in estimates],
        least=LEAST_MEAN_SCALE,
        floors=[(estimate.ceiling or 0.0) - strength for estimate, strength in estimates],
        half=_half_width(evidence, [names[k] for k in depend], tables, [findings[k] for k in depend]),
    )
    at = score.position.value if score.position else score.value
    findings.sort(key=lambda f: f.estimate.position.value if f.estimate and f.estimate.position else 1.0)
    return Measurement(
        reason=(
            f"{len(depend)} of {len(names)} pairs of a column and a parent's column depend on each other in real; "
            f"their joint shares lie {at:.0%} of the way from unrelated to fresh real rows"
        ),
        findings=tuple(findings),
        score=score,
        ledger=Ledger(len(names), tuple(skipped)),
        power=_power(chains),
    )


def _chains(evidence: Evidence) -> Iterator[Chain]:
    for link in evidence.links:
        ways: list[tuple[Link, ...]] = [(link,)]
        if link.relationship.parent != link.relationship.child:
            ways += [(link, above) for above in link.parent.links if above.parent is not link.parent]
        for way in ways:
            if all(side in step.parent.sides for step in way for side in ("real", "synthetic")):
                yield _chain(evidence, way)


def _chain(evidence: Evidence, way: tuple[Link, ...]) -> Chain:
    rows, units, used = {}, {}, {}
    for side in evidence.sides:
        if not all(side in step.parent.sides for step in way):
            continue
        place = parent_rows(evidence, way[0], side)
        if len(way) > 1:
            above = parent_rows(way[0].parent, way[1], side)
            place = np.where(place >= 0, above[np.maximum(place, 0)], place)
        own = None if is_fixed(way[0]) else link_units(evidence, way[0], side)
        if own is not None and len(way) > 1 and not is_fixed(way[1]):
            # rows of one ancestor share its values, whatever other parents the rows between have
            own = units_of(place, way[1].parent, side)
        own = evidence.units[side] if own is None else own
        unit = np.arange(len(place)) if own is None else own
        every = int(np.ceil((place >= 0).sum() / MAX_ROWS))
        rows[side], units[side] = place, unit
        used[side] = (place >= 0) & ((unit * 2_654_435_761 >> 5) % max(1, every) == 0)
    return Chain(way, rows, units, used)


def _subjects(evidence: Evidence, chains: list[Chain]) -> tuple[list[tuple[int, str, str]], list[Skip]]:
    """Return chain, own column and ancestor's column of every pair whose columns vary in real."""
    names, skipped = [], []
    for at, chain in enumerate(chains):
        keep = chain.used["real"]
        few = min(_many(chain, side) for side in ("real", "synthetic"))
        if few < LEAST_CLUSTERS:
            skipped.append(Skip(chain.name, f"only {few} independent units are linked to it on one side"))
            continue
        own = [n for n in evidence.shared if _usable(evidence, n) and _varies(evidence, n, keep)]
        rows = chain.rows["real"][keep]
        # what a foreign key of several columns copies from its parent is the child's own column too
        copied = chain.links[-1].relationship.key_columns
        above = [n for n in chain.top.shared if n not in copied and _usable(chain.top, n)]
        above = [n for n in above if _varies(chain.top, n, rows)]
        names += [(at, mine, theirs) for mine in own for theirs in above]
    skipped += [
        Skip(f"{own} x {chains[at].name}.{above}", f"beyond the first {MAX_PAIRS} pairs")
        for at, own, above in names[MAX_PAIRS:]
    ]
    return names[:MAX_PAIRS], skipped


def _many(chain: Chain, side: str) -> int:
    return len(np.unique(chain.units[side][chain.used[side]]))


def _usable(evidence: Evidence, name: str) -> bool:
    plan = evidence.plan[name]
    return plan.is_paired and name not in evidence.keys and not evidence.is_tie(name)


def _varies(evidence: Evidence, name: str, rows: NDArray[np.bool_] | IntArray) -> bool:
    codes = evidence.plan[name].encode(evidence.real.kept[name])[rows]
    return len(codes) > 0 and bool((codes != codes[0]).any())


def _codes(
    evidence: Evidence, chains: list[Chain], names: list[tuple[int, str, str]], side: str
) -> dict[tuple[int, str, str], ClusteredShares | None]:
    """Return the joint table of every pair on one side, None where a column is not there."""
    coded: dict[tuple[int, str, bool], NDArray[np.intp] | None] = {}
    units: dict[int, IntArray] = {}
    out: dict[tuple[int, str, str], ClusteredShares | None] = {}
    for at, own, above in names:
        chain = chains[at]
        if side not in chain.used:
            out[at, own, above] = None
            continue
        keep = chain.used[side]
        if at not in units:
            units[at] = np.unique(chain.units[side][keep], return_inverse=True)[1].astype(np.int64)
        for name, is_own in ((own, True), (above, False)):
            if (at, name, is_own) not in coded:
                source, rows = (evidence, keep) if is_own else (chain.top, chain.rows[side][keep])
                column = source.sides[side].kept.get(name)
                coded[at, name, is_own] = None if column is None else source.plan[name].encode(column)[rows]
        left, right = coded[at, own, True], coded[at, above, False]
        if left is None or right is None or not len(left):
            out[at, own, above] = None
            continue
        wide, high = chain.top.plan[above].n_codes, evidence.plan[own].n_codes
        out[at, own, above] = clustered_shares(units[at], left.astype(np.int64) * wide + right, high * wide)
    return out


def _pair(
    evidence: Evidence,
    chain: Chain,
    names: tuple[str, str],
    tables: Mapping[str, ClusteredShares | None],
    z: float,
) -> Measured:
    real, synthetic, holdout = tables["real"], tables["synthetic"], tables.get("holdout")
    if real is None or synthetic is None:
        raise ValueError("a pair needs both sides")
    wide = chain.top.plan[names[1]].n_codes
    design = max(real.design, evidence.design_of(names[0]))
    fresh = expected_total_variation(
        real.counts if holdout is None else real.counts + holdout.counts, real.rows, synthetic.rows
    )
    if holdout is not None and holdout.rows:
        fresh = _drifted(fresh, real, holdout, synthetic.rows, design)
    table = real.counts.reshape(-1, wide)
    independent = np.outer(table.sum(axis=1), table.sum(axis=0)) / max(1, real.rows) ** 2
    careless = careless_total_variation(real.counts, independent, max(1, synthetic.rows))
    measured = total_variation(real.counts, synthetic.counts)
    error = max(measured.error, jackknife_error(real, synthetic) / design)
    estimate = place(Distance(measured.value, error), fresh, careless, z, least=LEAST_SCALE, design=design)
    at = estimate.position.value if estimate.position else 0.0
    details: dict[str, Json] = {
        "dependence": max(0.0, careless - fresh.mean * design),
        "association_real": cramers_v(table),
        "association_synthetic": cramers_v(synthetic.counts.reshape(-1, wide)),
        "design_effect": design,
        "units_real": real.clusters,
        "units_synthetic": synthetic.clusters,
        "levels": len(chain.links),
    }
    message = (
        f"joint shares agree to {estimate.value:.1%}, fresh real rows to {estimate.ceiling or 1:.1%}, "
        f"unrelated rows to {1 - careless:.1%}"
    )
    if at < 0.5:
        there, here = details["association_real"], details["association_synthetic"]
        message += f"; association {there:.2f} in real, {here:.2f} in synthetic"
    return Measured(
        metric="contingency_similarity",
        message=message,
        estimate=estimate,
        columns=(names[0], f"{chain.name}.{names[1]}"),
        details=details,
    )


def _half_width(
    evidence: Evidence,
    names: list[tuple[int, str, str]],
    tables: Mapping[str, Mapping[tuple[int, str, str], ClusteredShares | None]],
    findings: list[Measured],
) -> float:
    """Return the half width of the mean score's 95 % interval, by leaving out groups of independent units.

    Pairs along one chain share their units, and so their groups; the errors of several chains are averaged,
    which bounds the error of their mean. Where the holdout shows more spread than units explain, it is widened.
    """
    from scipy.special import stdtrit

    total = 0.0
    for at in {name[0] for name in names}:
        here = [name for name in names if name[0] == at]
        sides = [[tables[side][name] for name in here] for side in ("real", "synthetic")]
        variance, groups = 0.0, 2
        for moved, fixed in (sides, sides[::-1]):
            means = [
                left_out(one, other)
                for one, other in zip(moved, fixed, strict=True)
                if one is not None and other is not None
            ]
            values = np.mean(means, axis=0)
            groups = len(values)
            variance += (groups - 1) / groups * float(((values - values.mean()) ** 2).sum())
        total += len(here) / len(names) * float(stdtrit(groups - 1, 0.975) * np.sqrt(variance))
    ours = float(np.mean([float(str(f.details["design_effect"])) for f in findings]))
    return total * max(1.0, evidence.design_effect / ours)


def _drifted(fresh: Reference, real: ClusteredShares, holdout: ClusteredShares, m: int, design: float) -> Reference:
    """Lower the ceiling where the holdout lies farther from real than clusters explain."""
    wider = Reference(fresh.mean * design, fresh.spread * design)
    apart = total_variation(real.counts, holdout.counts)
    error = max(apart.error * design, jackknife_error(real, holdout))
    moved = drifted(wider, Distance(apart.value, error), real.rows, holdout.rows, m)
    return Reference(moved.mean / design, moved.spread / design)


def _power(chains: list[Chain]) -> str | None:
    told = [
        f"{chain.name}: {int(chain.used['real'].sum()):,} and {int(chain.used['synthetic'].sum()):,} rows of "
        f"{_many(chain, 'real'):,} and {_many(chain, 'synthetic'):,} independent units"
        for chain in chains
    ]
    return "compared were " + "; ".join(told) if told else None
