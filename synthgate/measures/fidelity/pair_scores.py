"""The numbers of many pairs at once: tables are laid side by side, so that one pass of arithmetic serves all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from synthgate.counts import GROUPS, PairName
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
WASTE = 1.5
"""How much longer than its shortest the longest of the tables laid side by side may be."""


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
    without : float64 array, shape (2, GROUPS)
        Total variation with one group of real rows, then one of synthetic rows, left out.
    """

    pair: PairName
    distance: Distance
    fresh: Reference
    held: Distance | None
    careless: float
    association: Mapping[str, float]
    information: Mapping[str, float]
    without: FloatArray


def score_pairs(evidence: Evidence, names: Sequence[PairName]) -> Iterator[PairScore]:
    """Yield the scores of pairs, in their order.

    Parameters
    ----------
    evidence : Evidence
    names : sequence of (str, str)
        In the plan's order, so that tables which are counted block by block are counted once.
    """
    for chunk in _chunks(names, TOGETHER):
        made: dict[PairName, PairScore] = {}
        for group in _alike(evidence, chunk):
            made.update(_score(evidence, group))
        yield from (made[pair] for pair in chunk)


def _chunks(names: Sequence[PairName], size: int) -> Iterator[Sequence[PairName]]:
    for start in range(0, len(names), size):
        yield names[start : start + size]


def _alike(evidence: Evidence, pairs: Sequence[PairName]) -> Iterator[list[PairName]]:
    """Part pairs into groups whose tables are about equally large."""
    sizes = {pair: evidence.plan[pair[0]].n_codes * evidence.plan[pair[1]].n_codes for pair in pairs}
    group: list[PairName] = []
    for pair in sorted(pairs, key=sizes.__getitem__):
        if group and sizes[pair] > WASTE * sizes[group[0]]:
            yield group
            group = []
        group.append(pair)
    if group:
        yield group


@dataclass(frozen=True, slots=True)
class _Side:
    """The tables of one side, side by side: counts per group of rows, and the margins of each table."""

    cells: IntArray
    groups: IntArray
    margins: tuple[list[IntArray], list[IntArray]]


def _laid_out(evidence: Evidence, side: str, pairs: Sequence[PairName], wide: int) -> _Side:
    groups = np.zeros((len(pairs), GROUPS, wide), np.int64)
    margins: tuple[list[IntArray], list[IntArray]] = ([], [])
    tables = evidence.pairs[side].pairs
    for at, pair in enumerate(pairs):
        table = tables[pair]
        # a profile has no groups of rows: all are one
        groups[at, : len(table), : table[0].size] = table.reshape(len(table), -1)
        whole = evidence.pair_tables[side][pair]
        margins[0].append(whole.sum(axis=1))
        margins[1].append(whole.sum(axis=0))
    return _Side(groups.sum(axis=1), groups, margins)


def _score(evidence: Evidence, pairs: Sequence[PairName]) -> dict[PairName, PairScore]:
    """Score pairs whose tables are about equally large."""
    wide = max(evidence.plan[a].n_codes * evidence.plan[b].n_codes for a, b in pairs)
    real, synthetic = (_laid_out(evidence, side, pairs, wide) for side in ("real", "synthetic"))
    there = evidence.pairs.get("holdout")
    with_holdout = there is not None and all(pair in there.pairs for pair in pairs)
    held = _laid_out(evidence, "holdout", pairs, wide).cells if with_holdout else None
    n, m = (max(1, int(side.cells[0].sum())) for side in (real, synthetic))
    pool = real.cells if held is None else real.cells + held
    fresh = expected_total_variations(pool, n, m) if pool[0].sum() >= 2 else np.zeros((2, len(pairs)))
    independent = {"real": _products(real, wide) / n**2, "synthetic": _products(synthetic, wide) / m**2}
    careless = careless_total_variations(real.cells, independent["real"], m)
    values, errors = total_variations(real.cells, synthetic.cells)
    apart = total_variations(real.cells, held) if held is not None and held[0].sum() else None
    information = {
        "real": _information(real.cells / n, independent["real"]),
        "synthetic": _information(synthetic.cells / m, independent["synthetic"]),
    }
    association = {
        "real": _cramers_v(real, n, independent["real"]),
        "synthetic": _cramers_v(synthetic, m, independent["synthetic"]),
    }
    without = np.stack([_without(real, synthetic), _without(synthetic, real)], axis=1)
    return {
        pair: PairScore(
            pair=pair,
            distance=Distance(float(values[at]), float(errors[at])),
            fresh=Reference(float(fresh[0][at]), float(fresh[1][at])),
            held=Distance(float(apart[0][at]), float(apart[1][at])) if apart is not None else None,
            careless=float(careless[at]),
            association={side: float(found[at]) for side, found in association.items()},
            information={side: float(found[at]) for side, found in information.items()},
            without=without[at],
        )
        for at, pair in enumerate(pairs)
    }


def _products(side: _Side, wide: int) -> FloatArray:
    """Return the products of every table's margins, laid out as the tables are."""
    out = np.zeros((len(side.cells), wide))
    for at, (rows, columns) in enumerate(zip(*side.margins, strict=True)):
        out[at, : len(rows) * len(columns)] = np.multiply.outer(rows.astype(np.float64), columns).ravel()
    return out


def _information(joint: FloatArray, independent: FloatArray) -> FloatArray:
    seen = joint > 0
    ratio = np.where(seen, joint, 1.0) / np.where(seen, independent, 1.0)
    out: FloatArray = np.maximum(0.0, (joint * np.log(ratio)).sum(axis=1))
    return out


def _cramers_v(side: _Side, total: int, independent: FloatArray) -> FloatArray:
    """Return Cramer's V of every table, corrected for bias: see :func:`synthgate.statistics.distances.cramers_v`."""
    if total < 2:
        return np.zeros(len(side.cells))
    rows, columns = (np.array([int((margin > 0).sum()) for margin in margins]) for margins in side.margins)
    known = independent > 0
    ratio = np.where(known, (side.cells / total) ** 2, 0.0) / np.where(known, independent, 1.0)
    phi = np.maximum(0.0, ratio.sum(axis=1) - 1 - (rows - 1) * (columns - 1) / (total - 1))
    least = np.minimum(rows - (rows - 1) ** 2 / (total - 1), columns - (columns - 1) ** 2 / (total - 1)) - 1
    found = np.sqrt(np.minimum(1.0, phi / np.maximum(1e-12, least)))
    return np.where(np.minimum(rows, columns) < 2, 0.0, found)


def _without(side: _Side, other: _Side) -> FloatArray:
    """Return the distance to the other side with one group of this side's rows left out, shape (tables, GROUPS)."""
    fixed = other.cells / max(1, int(other.cells[0].sum()))
    out = np.empty((len(side.cells), GROUPS))
    for group in range(GROUPS):
        left = side.cells - side.groups[:, group]
        out[:, group] = 0.5 * np.abs(left / max(1, int(left[0].sum())) - fixed).sum(axis=1)
    return out
