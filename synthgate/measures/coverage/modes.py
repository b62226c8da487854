"""Coverage of modes: does every region of the real table have its share of synthetic rows?"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgate.canonical import Numbers
from synthgate.catalogue import Options, measure
from synthgate.encoding import Float32Array, ranked, sides_of, vectors
from synthgate.findings import Measured, Measurement
from synthgate.measures.coverage import diversity
from synthgate.measures.coverage.shares import Cell, judge_cells
from synthgate.plan import RARE_BELOW, format_value
from synthgate.sample import Sample
from synthgate.threads import spread

if TYPE_CHECKING:
    from synthgate.evidence import Evidence

ROWS_PER_REGION = 60
MAX_REGIONS = 48
FIT_ROWS = 10_000
ROUNDS = 12
BLOCK = 8192
WORDS = 2


@measure("coverage.modes")
def modes(evidence: Evidence, options: Options) -> Measurement:
    """Cut the real rows into regions by k-means, and compare how many synthetic rows fall into each.

    A region with too small a share is a lost mode; it is named by the columns that set it
    apart. The regions are fitted on half of the known real rows and their shares counted on the other
    half, so that a region is not judged by the rows that drew it. Where there are categories, regions of the numbers
    alone are looked at too. Two findings about all rows stand before
    the regions: whether synthetic rows come near every real row, and whether they differ from each other.
    """
    sample = evidence.sample
    coded = vectors(sample).sides
    known = sum(len(coded[name]) for name in ("real", "holdout") if name in coded)
    if coded["real"].shape[1] == 0 or known < 4 * ROWS_PER_REGION or not len(coded["synthetic"]):
        return Measurement.missing("too few rows, or no comparable column, to tell regions apart")
    rng = sample.rng("coverage.modes")
    centres, words, cells = _regions(evidence, coded, rng)
    numbers = _numbers(sample)
    if numbers is not None:
        cells = [*cells, *_regions(evidence, numbers, rng)[2]]
    result = judge_cells(cells, "region")
    if result.not_assessed is not None:
        return result
    diverse, note = _diversity(coded, centres, words, rng)
    return replace(
        result,
        findings=(*diverse, *(replace(f, columns=()) for f in result.findings)),
        reason=result.reason + note,
    )


def _regions(
    evidence: Evidence, coded: Mapping[str, Float32Array], rng: np.random.Generator
) -> tuple[Float32Array, list[str], list[Cell]]:
    """Return the centres of regions, what sets them apart, and how many rows of each side fall into them."""
    known = np.concatenate([coded[name] for name in ("real", "holdout") if name in coded])
    order = rng.permutation(len(known))
    fit, count = order[: len(order) // 2], order[len(order) // 2 :]
    centres = k_means(known[fit[:FIT_ROWS]], int(min(MAX_REGIONS, len(count) // ROWS_PER_REGION)), rng)
    apart = count[count >= len(coded["real"])]
    sides = (known[count], coded["synthetic"], known[apart])
    there, found, held = (np.bincount(nearest(rows, centres), minlength=len(centres)) for rows in sides)
    words = _describe(evidence, nearest(coded["real"], centres), len(centres))
    totals = [len(rows) for rows in sides]
    return (
        centres,
        words,
        [
            Cell(
                "",
                words[k],
                "region_share_ratio",
                int(there[k]),
                totals[0],
                int(found[k]),
                totals[1],
                int(held[k]),
                totals[2],
            )
            for k in range(len(centres))
        ],
    )


def _numbers(sample: Sample) -> dict[str, Float32Array] | None:
    """Return the rows as ranks of numbers and dates alone; None where that is all there is, or one column.

    A mismatch of two categories outweighs any difference of numbers, so that regions of all columns follow categories.
    """
    sides = sides_of(sample)
    names = [name for name, role in sample.roles.items() if role.is_continuous]
    blocks = [ranked({side: rows.columns[name] for side, rows in sides.items()}) for name in names]
    there = [block for block in blocks if block is not None]
    if len(there) < 2 or len(vectors(sample).columns) == len(there):
        return None
    return {side: np.concatenate([block[side] for block in there], axis=1) for side in sides}


def _diversity(
    coded: Mapping[str, Float32Array], centres: Float32Array, words: list[str], rng: np.random.Generator
) -> tuple[list[Measured], str]:
    """Compare how well rows cover the real ones, and how many are distinct, with fresh real rows."""
    held = coded.get("holdout", coded["real"][:0])
    drawn = diversity.draw(len(coded["real"]), len(coded["synthetic"]), len(held), rng)
    if drawn is None:
        return [], f"; diversity was not assessed: fewer than {diversity.MIN_ROWS} rows of a kind"
    real, synthetic = coded["real"][drawn.real], coded["synthetic"][drawn.synthetic]
    fresh = (held if drawn.has_holdout else coded["real"])[drawn.fresh]
    regions = diversity.Regions(nearest(real, centres), nearest(synthetic, centres), words)
    found = diversity.findings(real, fresh, synthetic, regions)
    found.append(diversity.repeated(coded["real"], coded["synthetic"], rng))
    covered, distinct = (f.estimate.value if f.estimate else 0.0 for f in found[:2])
    told = f"rows reach {covered:.0%} of the neighbourhoods that fresh real rows reach, and are {distinct:.0%}"
    return found, f"; synthetic {told} as distinct ({len(real):,} of each)"


def k_means(rows: Float32Array, regions: int, rng: np.random.Generator) -> Float32Array:
    """Return k-means centres (Lloyd's algorithm from k-means++ seeds; Arthur and Vassilvitskii 2007)."""
    from sklearn.cluster import KMeans

    model = KMeans(regions, n_init=1, max_iter=ROUNDS, tol=0, random_state=int(rng.integers(2**31)))
    with warnings.catch_warnings():
        # the iteration limit is meant; equal rows may leave fewer regions than asked for
        warnings.simplefilter("ignore")
        spread(model.fit, [rows])
    centres: Float32Array = model.cluster_centers_.astype(np.float32)
    return centres


def nearest(rows: Float32Array, centres: Float32Array) -> NDArray[np.intp]:
    """Return the nearest centre of every row."""
    half = (centres**2).sum(axis=1) / 2
    parts = [np.argmin(half - rows[at : at + BLOCK] @ centres.T, axis=1) for at in range(0, len(rows), BLOCK)]
    return np.concatenate(parts) if parts else np.empty(0, np.intp)


def _describe(evidence: Evidence, placed: NDArray[np.intp], regions: int) -> list[str]:
    """Name each region by the columns whose values set it most apart from the rest of the real rows."""
    names = [c.name for c in evidence.plan.columns if c.is_paired and c.name in evidence.real.kept]
    gaps: dict[str, tuple[NDArray[np.float64], list[str]]] = {}
    for name in names:
        plan = evidence.plan[name]
        codes = plan.encode(evidence.real.kept[name])
        table = np.bincount(placed * plan.n_codes + codes, minlength=regions * plan.n_codes).reshape(regions, -1)
        inside = table / np.maximum(1, table.sum(axis=1, keepdims=True))
        overall = table.sum(axis=0) / max(1, table.sum())
        labels = [_value_words(evidence, name, placed == k, inside[k]) for k in range(regions)]
        gaps[name] = (0.5 * np.abs(inside - overall).sum(axis=1), labels)
    out = []
    for k in range(regions):
        best = sorted(names, key=lambda name: -gaps[name][0][k])[:WORDS]
        out.append("rows with " + " and ".join(f"{name} {gaps[name][1][k]}" for name in best))
    return out


def _value_words(evidence: Evidence, name: str, rows: NDArray[np.bool_], inside: NDArray[np.float64]) -> str:
    plan = evidence.plan[name]
    column = evidence.real.kept[name]
    if isinstance(column, Numbers):
        values = column.values[rows]
        values = values[np.isfinite(values)]
        if not len(values):
            return "missing"
        low, high = np.quantile(values, [0.1, 0.9])
        return f"about {format_value(low, plan.role)} to {format_value(high, plan.role)}"
    top = int(np.argmax(inside))
    if int((plan.encode(column) == top).sum()) < RARE_BELOW:
        return "= (a rare value)"
    return f"= {plan.code_labels()[top]}"
