"""What gives synthetic rows away: the slices that differ, counted on rows that did not choose them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import TYPE_CHECKING

import numpy as np

from synthgate.findings import Estimate, Json, Measured, Skip
from synthgate.measures.fidelity.columns import SMALL_CELL
from synthgate.measures.fidelity.rules import FACTOR, Half, Rule, column_sets, search
from synthgate.measures.fidelity.slicing import CodeArray, Slicer, slicers
from synthgate.sample import Sample, SampleSide
from synthgate.statistics.intervals import newcombe, scaled_difference, wilson, z_value

if TYPE_CHECKING:
    from synthgate.evidence import Evidence

MOST_ROWS = 40_000
LEAST_ROWS = 100
NOTABLE = 0.01


@dataclass(frozen=True, slots=True)
class Explanation:
    """The slices that held up.

    Attributes
    ----------
    findings : tuple of Measured
        Worst first: impossible ones, then by rows misplaced; those of one column alone last.
    skipped : tuple of Skip
    searched : int
        Slices that were found on the first half.
    reason, power : str
    """

    findings: tuple[Measured, ...]
    skipped: tuple[Skip, ...]
    searched: int
    reason: str
    power: str


@dataclass(frozen=True, slots=True)
class Count:
    """Rows of a slice among all rows of a side's second half, and in its first half."""

    inside: int
    rows: int
    before: int
    rows_before: int

    @property
    def share(self) -> float:
        """Share of the second half."""
        return self.inside / max(1, self.rows)

    @property
    def share_before(self) -> float:
        """Share of the first half."""
        return self.before / max(1, self.rows_before)


def explain(evidence: Evidence, names: list[str]) -> Explanation:
    """Search slices on one half of the rows of each side, and count them on the other half.

    Rows known to be real are those of the real table and of the holdout.
    """
    sample = evidence.sample
    cut = slicers(sample, names)
    rng = sample.rng("fidelity.detection.slices")
    real = [sample.real, *([sample.holdout] if sample.holdout is not None else [])]
    parts = {"synthetic": _codes(sample, [sample.synthetic], cut, rng), "real": _codes(sample, real, cut, rng)}
    rows = min(codes.shape[1] for codes in parts.values())
    if len(cut) < 1 or rows < LEAST_ROWS:
        reason = f"slices need at least {LEAST_ROWS} rows of either side, and a column that varies"
        return Explanation((), (Skip("slices", reason),), 0, "no slices were searched", reason)
    halves = {side: (codes[:, : codes.shape[1] // 2], codes[:, codes.shape[1] // 2 :]) for side, codes in parts.items()}
    found = search(Half(halves["synthetic"][0], halves["real"][0]), cut, rng)
    z = z_value(looks=len(found)) * evidence.design_effect
    held = []
    for rule in found:
        mine, theirs = (
            Count(int(rule.holds(b).sum()), b.shape[1], int(rule.holds(a).sum()), a.shape[1])
            for a, b in (halves["synthetic"], halves["real"])
        )
        told = _finding(rule, cut, mine, theirs, z)
        held += [told] if told is not None else []
    held.sort(key=_rank)
    least = z * z / (halves["synthetic"][1].shape[1] + z * z)
    return Explanation(
        tuple(held),
        _left_out(len(cut), parts, sample),
        len(found),
        _reason(held),
        f"an impossible slice of {least + NOTABLE:.1%} of the synthetic rows would have failed",
    )


def _rank(found: Measured) -> tuple[bool, bool, float]:
    """Put impossible slices first, then those with most rows out of place; columns on their own come last."""
    value = found.estimate.value if found.estimate else 0.0
    is_impossible = bool(found.details["never_in_real"]) and value >= NOTABLE
    return len(found.columns) == 1, not is_impossible, -value


def _codes(sample: Sample, sides: Sequence[SampleSide], cut: Sequence[Slicer], rng: np.random.Generator) -> CodeArray:
    """Return the classes of at most :data:`MOST_ROWS` rows in random order, one line per column."""
    blocks = []
    for side in sides:
        at = rng.permutation(side.rows)[:MOST_ROWS]
        lines = [c.encode(side.columns[c.name][at], sample.dictionaries.get(c.name, ())) for c in cut]
        blocks.append(np.stack(lines) if lines else np.empty((0, len(at)), np.intp))
    joined = np.concatenate(blocks, axis=1)
    return joined[:, rng.permutation(joined.shape[1])[:MOST_ROWS]]


def _left_out(columns: int, parts: dict[str, CodeArray], sample: Sample) -> tuple[Skip, ...]:
    out = []
    sets, there = column_sets(columns, np.random.default_rng(0))
    for order, noun in ((2, "pairs"), (3, "triples")):
        looked = sum(len(s) == order for s in sets)
        if looked < there[order]:
            out.append(
                Skip(f"slices of {noun}", f"a draw of {looked:,} of {comb(columns, order):,} {noun} was searched")
            )
    total = {"synthetic": sample.synthetic.rows_total, "real": sample.real.rows_total}
    for side, rows in total.items():
        used = parts[side].shape[1]
        if used < rows:
            out.append(Skip(f"{side} rows of slices", f"{used:,} of {rows:,} rows were used"))
    return tuple(out)


def _finding(rule: Rule, cut: Sequence[Slicer], mine: Count, theirs: Count, z: float) -> Measured | None:
    """Return the finding of a slice, or None when the second half does not bear the first one out."""
    is_more = mine.share_before > theirs.share_before
    more, less = (mine, theirs) if is_more else (theirs, mine)
    counts, rows = (more.inside, less.inside), (more.rows, less.rows)
    if newcombe(counts, rows, z)[0] <= 0:
        return None
    low, high = scaled_difference(counts, rows, FACTOR, z)
    value = more.share - FACTOR * less.share
    never = is_more and theirs.inside + theirs.before == 0
    name = rule.words(cut)
    is_marginal = rule.order == 1
    details: dict[str, Json] = {
        "rule": name,
        "direction": "too many" if is_more else "too few",
        "marginal": is_marginal,
        "never_in_real": never,
        "found": mine.inside,
        "of": mine.rows,
        "synthetic_share": mine.share,
        "synthetic_interval": list(wilson(mine.inside, mine.rows, z)),
        "real_share": theirs.share if theirs.inside >= SMALL_CELL or never else None,
        "real_interval": list(_told_interval(theirs, z, never=never)),
    }
    return Measured(
        metric="misplaced_share",
        message=_message(name, mine, theirs, z, never=never) + ("; fidelity.columns judges it" if is_marginal else ""),
        estimate=Estimate(
            value=max(0.0, value),
            low=max(0.0, low),
            high=max(0.0, high),
            method=f"Wilson intervals put together (MOVER), z = {z:.2f}, on rows that did not choose the slice",
            ceiling=0.0,
        ),
        columns=rule.columns(cut),
        judged=not is_marginal,
        details=details,
    )


def _told_interval(theirs: Count, z: float, *, never: bool) -> tuple[float, float]:
    """Return the interval of the real share; of a few rows it is the one that all counts below ten share."""
    if theirs.inside >= SMALL_CELL or never:
        return wilson(theirs.inside, theirs.rows, z)
    return 0.0, wilson(SMALL_CELL - 1, theirs.rows, z)[1]


def _message(name: str, mine: Count, theirs: Count, z: float, *, never: bool) -> str:
    here = f"{_percent(mine.share)} of synthetic rows ({mine.inside:,} of {mine.rows:,}{_range(mine, z)})"
    if never:
        return f"{name}: {here}, in none of {theirs.rows + theirs.rows_before:,} real rows"
    if theirs.inside < SMALL_CELL:
        there = (
            f"less than {_percent(SMALL_CELL / theirs.rows)} of real rows (fewer than {SMALL_CELL} of {theirs.rows:,})"
        )
    else:
        there = f"{_percent(theirs.share)} of real rows ({theirs.inside:,} of {theirs.rows:,}{_range(theirs, z)})"
    return f"{name}: {here}, {there}"


def _range(count: Count, z: float) -> str:
    low, high = wilson(count.inside, count.rows, z)
    return f", {_percent(low)} to {_percent(high)}"


def _percent(share: float) -> str:
    return f"{share:.1%}" if share >= 0.0095 or share == 0 else f"{share:.2%}"


def _reason(held: Sequence[Measured]) -> str:
    joint = [f for f in held if len(f.columns) > 1]
    if joint:
        return f"most of all in the slice {joint[0].details['rule']}"
    if held:
        return f"most of all by {held[0].details['rule']}"
    return "no slice of up to three conditions differs beyond doubt"
