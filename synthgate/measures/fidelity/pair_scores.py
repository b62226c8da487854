"""The numbers of many pairs at once: tables are laid side by side, so that one pass of arithmetic serves all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from synthgate.counts import GROUPS, PairName
from synthgate.measures.fidelity.abreast import alike, is_turned, lay
from synthgate.measures.fidelity.attenuation import Parted, attenuations
from synthgate.statistics.distances import (
    Distance,
    FloatArray,
    IntArray,
    Reference,
    careless_total_variations,
    expected_total_variations,
    total_variations,
)

if TYPE_CHECKING:
    from synthgate.evidence import Evidence

TOGETHER = 256
"""Pairs whose tables are looked at together."""


@dataclass(frozen=True, slots=True)
class PairScore:
    """What the contingency tables of one pair say.

    Attributes
    ----------
    distance : Distance
        Total variation of real and synthetic.
    fresh : Reference
        Total variation of random splits of the known real rows.
    held : Distance or None
        Total variation of real and holdout.
    careless : float
        Expected total variation of independent columns.
    association, information : dict of float
        Cramer's V corrected for bias, and mutual information in nats, per side.
    entropies : dict of (float, float)
        Of the two columns, in nats, per side.
    without : float64 array, shape (2, GROUPS)
        Total variation with one group of real rows, then one of synthetic rows, left out.
    kept : dict of float64 array
        What synthetic and holdout keep of the real dependence, see
        :func:`synthgate.measures.fidelity.attenuation.attenuations`; nothing of a profile.
    """

    pair: PairName
    distance: Distance
    fresh: Reference
    held: Distance | None
    careless: float
    association: Mapping[str, float]
    information: Mapping[str, float]
    entropies: Mapping[str, tuple[float, float]]
    without: FloatArray
    kept: Mapping[str, FloatArray]


def score_pairs(evidence: Evidence, names: Sequence[PairName]) -> Iterator[PairScore]:
    """Yield the scores of pairs, in their order.

    Parameters
    ----------
    evidence : Evidence
    names : sequence of (str, str)
        Some hundreds whose tables are counted together: see :func:`synthgate.contingency.runs`.
    """
    shapes = {(a, b): (evidence.plan[a].n_codes, evidence.plan[b].n_codes) for a, b in names}
    made: dict[PairName, PairScore] = {}
    for group in alike(shapes):
        made.update(_score(evidence, group, [is_turned(shapes[pair]) for pair in group]))
    yield from (made[pair] for pair in names)


@dataclass(frozen=True, slots=True)
class _Side:
    """The tables of one side, side by side: counts of all rows and per group of rows, and the margins of each table.

    Attributes
    ----------
    tables : int64 array, shape (pairs, GROUPS, height, width)
    groups : int64 array, shape (pairs, GROUPS, cells)
        The same, flat.
    cells : int64 array, shape (pairs, cells)
    down, across : int64 array, shape (pairs, height) and (pairs, width)
    """

    tables: IntArray
    groups: IntArray
    cells: IntArray
    down: IntArray
    across: IntArray

    @classmethod
    def of(cls, evidence: Evidence, side: str, pairs: Sequence[PairName]) -> _Side:
        # a profile has no groups of rows: all are one
        tables = lay([evidence.pairs[side].pairs[pair] for pair in pairs], GROUPS)
        whole = tables.sum(axis=1)
        cells = whole.reshape(len(pairs), -1)
        down, across = np.einsum("phw->ph", whole), np.einsum("phw->pw", whole)
        return cls(tables, tables.reshape(len(pairs), GROUPS, -1), cells, down, across)

    @property
    def total(self) -> int:
        """Rows of each table, one at least."""
        return max(1, int(self.cells[0].sum()))

    def independent(self) -> FloatArray:
        """Return the products of every table's margins, as shares; shape (pairs, cells)."""
        products = self.down.astype(np.float64)[:, :, None] * self.across[:, None, :]
        return products.reshape(self.cells.shape) / self.total**2


def _score(evidence: Evidence, pairs: Sequence[PairName], turned: Sequence[bool]) -> dict[PairName, PairScore]:
    """Score pairs whose tables have about the same shape; of some the second column lies down."""
    sides = {side: _Side.of(evidence, side, pairs) for side in ("real", "synthetic")}
    there = evidence.pairs.get("holdout")
    if there is not None and all(pair in there.pairs for pair in pairs):
        sides["holdout"] = _Side.of(evidence, "holdout", pairs)
    real, synthetic, held = sides["real"], sides["synthetic"], sides.get("holdout")
    pool = real.cells if held is None else real.cells + held.cells
    n, m = real.total, synthetic.total
    fresh = expected_total_variations(pool, n, m) if pool[0].sum() >= 2 else np.zeros((2, len(pairs)))
    independent = {"real": real.independent(), "synthetic": synthetic.independent()}
    careless = careless_total_variations(real.cells, independent["real"], m)
    values, errors = total_variations(real.cells, synthetic.cells)
    apart = total_variations(real.cells, held.cells) if held is not None and held.cells[0].sum() else None
    information = {side: _information(sides[side].cells / sides[side].total, independent[side]) for side in independent}
    association = {side: _cramers_v(sides[side], independent[side]) for side in independent}
    entropies = {side: _entropies(sides[side], turned) for side in independent}
    without = np.stack([_without(real, synthetic), _without(synthetic, real)], axis=1)
    kept = _kept(sides) if evidence.real.has_rows else {}
    return {
        pair: PairScore(
            pair=pair,
            distance=Distance(float(values[at]), float(errors[at])),
            fresh=Reference(float(fresh[0][at]), float(fresh[1][at])),
            held=Distance(float(apart[0][at]), float(apart[1][at])) if apart is not None else None,
            careless=float(careless[at]),
            association={side: float(found[at]) for side, found in association.items()},
            information={side: float(found[at]) for side, found in information.items()},
            entropies={side: (float(found[at, 0]), float(found[at, 1])) for side, found in entropies.items()},
            without=without[at],
            kept={side: found[at] for side, found in kept.items()},
        )
        for at, pair in enumerate(pairs)
    }


def _kept(sides: Mapping[str, _Side]) -> dict[str, FloatArray]:
    real = Parted.of(sides["real"].tables)
    spread = real.spread()
    return {name: attenuations(real, spread, Parted.of(side.tables)) for name, side in sides.items() if name != "real"}


def _information(joint: FloatArray, independent: FloatArray) -> FloatArray:
    seen = joint > 0
    ratio = np.where(seen, joint, 1.0) / np.where(seen, independent, 1.0)
    out: FloatArray = np.maximum(0.0, (joint * np.log(ratio)).sum(axis=1))
    return out


def _entropies(side: _Side, turned: Sequence[bool]) -> FloatArray:
    """Return the entropies of both columns of every table, in the pairs' own order; shape (pairs, 2)."""
    shares = [margins / side.total for margins in (side.down, side.across)]
    both = np.stack([-(p * np.log(np.where(p > 0, p, 1.0))).sum(axis=1) for p in shares], axis=1)
    out: FloatArray = np.maximum(0.0, np.where(np.asarray(turned)[:, None], both[:, ::-1], both))
    return out


def _cramers_v(side: _Side, independent: FloatArray) -> FloatArray:
    """Return Cramer's V of every table, corrected for bias: see :func:`synthgate.statistics.distances.cramers_v`."""
    total = side.total
    if total < 2:
        return np.zeros(len(side.cells))
    rows, columns = (side.down > 0).sum(axis=1), (side.across > 0).sum(axis=1)
    known = independent > 0
    ratio = np.where(known, (side.cells / total) ** 2, 0.0) / np.where(known, independent, 1.0)
    phi = np.maximum(0.0, ratio.sum(axis=1) - 1 - (rows - 1) * (columns - 1) / (total - 1))
    least = np.minimum(rows - (rows - 1) ** 2 / (total - 1), columns - (columns - 1) ** 2 / (total - 1)) - 1
    found = np.sqrt(np.minimum(1.0, phi / np.maximum(1e-12, least)))
    return np.where(np.minimum(rows, columns) < 2, 0.0, found)


def _without(side: _Side, other: _Side) -> FloatArray:
    """Return the distance to the other side with one group of this side's rows left out, shape (tables, GROUPS)."""
    fixed = other.cells / other.total
    out = np.empty((len(side.cells), GROUPS))
    for group in range(GROUPS):
        left = side.cells - side.groups[:, group]
        out[:, group] = 0.5 * np.abs(left / max(1, int(left[0].sum())) - fixed).sum(axis=1)
    return out
