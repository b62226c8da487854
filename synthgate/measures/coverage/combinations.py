"""Coverage of combinations: do two and three values occur together as often as they should?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations as pick
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgate.catalogue import Options, measure
from synthgate.findings import Estimate, Ledger, Measured, Measurement, Severity, Skip
from synthgate.measures.coverage.rare_pairs import rare_pairs
from synthgate.measures.coverage.shares import MIN_EXPECTED, RARE_SHARE, SMALL_CELL, outside, overdispersion
from synthgate.measures.triples import MISSING, OTHER, Cut, Joint, chosen_triples, joint_of
from synthgate.statistics.distances import FloatArray, IntArray
from synthgate.statistics.intervals import ratio_intervals, z_value
from synthgate.statistics.joint import raked

if TYPE_CHECKING:
    from synthgate.evidence import Evidence

BoolArray = NDArray[np.bool_]

CUT = Cut(levels=11, runs=4, share=0.0)
CHUNK = 100
LEAST_SHARE = 0.7
"""Ratio to the share that is due below which a combination is told to be off: the default limit."""
LOOK_CLOSER, LOOK_CLOSER_Z = 0.85, 3.0
MOST_PAIRS = 5_000
SHOWN_PER_SET = 4
SHOWN = 40
HIDDEN = f"(a combination with a part that fewer than {SMALL_CELL} real rows have)"
UNNAMED = ("", OTHER, "(unseen)")


Words = Callable[[int, int], str | None]


def no_words(at: int, cell: int) -> str | None:
    """Return no words: combinations that are not told yet."""
    return None


@dataclass(frozen=True, slots=True)
class Counted:
    """The combinations of some sets of columns: one entry per combination that is frequent enough to be tested.

    Attributes
    ----------
    at : intp array
        Which set of columns it belongs to.
    cell : intp array
        Its place in that set's table.
    known, found, held : int64 array
        Rows of it in real and holdout together, in synthetic, and in the holdout alone.
    far : bool array
        Whether its share may be far from the real one; the others are as they should be.
    implied : float64 array
        Rows of it that the real dependence would give with synthetic's own values (two columns), or pairs (three);
        computed for the tables that hold a combination that is far off.
    totals : (int, int, int)
        Rows of all combinations on the three sides.
    sets : sequence of tuple of str
        The columns of each set.
    words : function
        Of a set and a place in its table: the combination in words, None when that would show something rare.
    """

    at: NDArray[np.intp]
    cell: NDArray[np.intp]
    known: IntArray
    found: IntArray
    held: IntArray
    far: BoolArray
    implied: FloatArray
    totals: tuple[int, int, int]
    sets: Sequence[tuple[str, ...]] = ()
    words: Words = no_words

    @property
    def expected(self) -> FloatArray:
        """Rows of it that as many fresh real rows would hold."""
        return self.known.astype(np.float64) * (self.totals[1] / self.totals[0])


@dataclass(frozen=True, slots=True)
class Ratios:
    """The share of each combination over the share it should have, turned over when above one."""

    value: FloatArray
    low: FloatArray
    high: FloatArray


@measure("coverage.combinations")
def combinations(evidence: Evidence, options: Options) -> Measurement:
    """Compare how often two and three values occur together with how often they should.

    A combination is judged by the milder of two ratios: to its real share, and to the share that the real
    dependence implies given how often synthetic holds the single values (of two columns) or the pairs (of
    three). So a lost category or pair is not told again here as a lost combination. Combinations of two values that
    are too rare to be judged one by one are judged together, pair by pair.
    """
    rng = evidence.sample.rng("coverage.combinations")
    joint = joint_of(evidence, CUT, rng)
    triples = chosen_triples(evidence).within(joint)
    parts = [
        part
        for part in (_pairs(evidence, rng), _triples(evidence, joint, triples))
        if part is not None and len(part.at)
    ]
    if not parts:
        return Measurement.missing("no combination of two values is expected often enough to be missed at this size")
    tested = sum(len(part.at) for part in parts)
    widen = float(np.sqrt(max(_dispersion(part) for part in parts)))
    z = z_value(looks=tested) * widen
    rated = [(part, _ratios(part, z)) for part in parts]
    lost = sum(int((ratios.high < LEAST_SHARE).sum()) for _, ratios in rated)
    findings, hidden = _findings(rated, z)
    together = rare_pairs(evidence)
    skipped = _skipped(evidence, joint, len(triples))
    reason = (
        f"{lost:,} of {tested:,} combinations of two or three values have {outside(LEAST_SHARE)} of the share "
        "that is due to them"
        if lost
        else f"all {tested:,} combinations of two or three values have their share, as far as this size can tell"
    )
    return Measurement(
        reason=reason + (f"; the worst {len(findings)} are told" if hidden else ""),
        findings=(*together, *findings),
        score=Estimate.exact(1 - lost / tested),
        ledger=Ledger(tested, skipped),
        power=_power(z, parts[0].totals),
    )


def _pairs(evidence: Evidence, rng: np.random.Generator) -> Counted | None:
    """Collect the combinations of two values, over all rows."""
    tables = evidence.pair_tables
    names = [pair for pair in tables["real"] if pair in tables["synthetic"]]
    if not names:
        return None
    if len(names) > MOST_PAIRS:
        names = [names[k] for k in np.sort(rng.choice(len(names), MOST_PAIRS, replace=False))]
    apart = tables.get("holdout", {})
    if not all(pair in apart for pair in names):
        apart = {}  # or totals would differ from pair to pair
    labels = {name: evidence.plan[name].code_labels() for name in {n for pair in names for n in pair}}
    parts = []
    margins: dict[str, IntArray] = {}
    for at, pair in enumerate(names):
        real, synthetic = tables["real"][pair], tables["synthetic"][pair]
        held = apart[pair] if apart else np.zeros_like(real)
        known = real + held
        margins.update({pair[0]: known.sum(axis=1), pair[1]: known.sum(axis=0)})
        rows, columns = (_named(labels[name]) for name in pair)
        parts.append(_kept(at, known, synthetic, held, rows[:, None] & columns[None, :]))

    def words(at: int, cell: int) -> str | None:
        pair = names[at]
        levels = np.unravel_index(cell, tuple(len(labels[name]) for name in pair))
        if any(0 < margins[name][level] < SMALL_CELL for name, level in zip(pair, levels, strict=True)):
            return None
        return _told(evidence, pair, [labels[n][k] for n, k in zip(pair, levels, strict=True)])

    return _joined(parts, names, words)


def _named(labels: Sequence[str]) -> BoolArray:
    return np.array([label not in UNNAMED for label in labels])


def _kept(at: int, known: IntArray, found: IntArray, held: IntArray, named: BoolArray) -> Counted:
    """Keep the combinations of named values that both sides together hold often enough.

    Choosing by the sum of both counts leaves the test that is made given that sum exact.
    """
    totals = int(known.sum()), int(found.sum()), int(held.sum())
    both = (known + found) * (totals[1] / max(1, totals[0] + totals[1]))
    cells = np.flatnonzero((both >= MIN_EXPECTED) & named)
    here, there, due = known.ravel()[cells], found.ravel()[cells], both.ravel()[cells]
    expected = here * (totals[1] / max(1, totals[0]))
    error = np.sqrt(due * (1 + totals[1] / max(1, totals[0])))
    apart = np.minimum(expected, there) < LOOK_CLOSER * np.maximum(expected, there)
    far = apart & (np.abs(there - expected) > LOOK_CLOSER_Z * error)
    implied: FloatArray = expected.astype(np.float64)
    if far.any():
        implied = raked(known[None], found[None])[0].ravel()[cells]
    return Counted(np.full(len(cells), at), cells, here, there, held.ravel()[cells], far, implied, totals)


def _joined(parts: list[Counted], sets: Sequence[tuple[str, ...]], words: Words) -> Counted:
    return Counted(
        np.concatenate([part.at for part in parts]),
        np.concatenate([part.cell for part in parts]),
        np.concatenate([part.known for part in parts]),
        np.concatenate([part.found for part in parts]),
        np.concatenate([part.held for part in parts]),
        np.concatenate([part.far for part in parts]),
        np.concatenate([part.implied for part in parts]),
        parts[0].totals,
        sets,
        words,
    )


def _shows_rare(known: IntArray, levels: Sequence[np.intp]) -> bool:
    """Whether a combination, or a part of it, belongs to fewer than :data:`SMALL_CELL` real rows, yet to some."""
    axes = range(known.ndim)
    for size in range(1, known.ndim + 1):
        for kept in pick(axes, size):
            rest = tuple(axis for axis in axes if axis not in kept)
            if 0 < known.sum(axis=rest)[tuple(levels[axis] for axis in kept)] < SMALL_CELL:
                return True
    return False


def _told(evidence: Evidence, columns: Sequence[str], values: Sequence[str]) -> str:
    """Word a combination: ``a = 'x' and b 10 to 20``."""
    parts = []
    for column, value in zip(columns, values, strict=True):
        if value == MISSING:
            parts.append(f"{column} is missing")
        else:
            parts.append(f"{column} {value}" if evidence.plan[column].role.is_continuous else f"{column} = {value!r}")
    return " and ".join(parts)


def _triples(evidence: Evidence, joint: Joint, triples: list[tuple[int, int, int]]) -> Counted | None:
    """Collect the combinations of three values, over the sampled rows, some triples at a time."""
    if not triples or min(joint.rows.values()) < 1:
        return None
    parts = []
    named = [_named(column.labels) for column in joint.columns]
    for start in range(0, len(triples), CHUNK):
        chunk = triples[start : start + CHUNK]
        sides = {side: joint.count(chunk, side).reshape(len(chunk), *joint.shape) for side in joint.rows}
        held = sides.get("holdout", np.zeros_like(sides["real"]))
        known, found = sides["real"] + held, sides["synthetic"]
        for k, (a, b, c) in enumerate(chunk):
            mask = named[a][:, None, None] & named[b][None, :, None] & named[c][None, None, :]
            parts.append(_kept(start + k, known[k], found[k], held[k], mask))

    sets = [tuple(joint.columns[k].name for k in triple) for triple in triples]

    def words(at: int, cell: int) -> str | None:
        real = [joint.count([triples[at]], side)[0] for side in joint.rows if side != "synthetic"]
        levels = np.unravel_index(cell, joint.shape)
        if _shows_rare(sum(real).reshape(joint.shape), levels):
            return None
        columns = [joint.columns[k] for k in triples[at]]
        return _told(evidence, sets[at], [c.labels[k] for c, k in zip(columns, levels, strict=True)])

    return _joined(parts, sets, words)


def _dispersion(counted: Counted) -> float:
    known_of, _, held_of = counted.totals
    return overdispersion(counted.held, counted.known, held_of / known_of) if held_of else 1.0


def _ratios(counted: Counted, z: float) -> Ratios:
    """Return the milder ratio of each combination, with exact ends where it may be far from one."""
    known_of, found_of, _ = counted.totals
    with np.errstate(divide="ignore", invalid="ignore"):
        plain = np.where(counted.expected > 0, counted.found / counted.expected, np.inf)
        given = np.where(counted.implied > 0, counted.found / counted.implied, np.where(counted.found > 0, np.inf, 1.0))
        half = 0.5 * found_of / known_of  # a combination without a real row has no share to scale by
        share = (counted.expected + half) / (counted.implied + half)
    value = np.maximum(_turned(plain), _turned(given))
    low, high = np.zeros(len(value)), np.ones(len(value))
    close = np.flatnonzero(counted.far)
    if len(close):
        ends = ratio_intervals(counted.found[close], found_of, counted.known[close], known_of, z)
        by_share, by_given = (
            _turned_ends(plain[close], *ends),
            _turned_ends(given[close], *(e * share[close] for e in ends)),
        )
        opposite = (plain[close] > 1) != (given[close] > 1)
        low[close] = np.maximum(by_share[0], by_given[0])
        high[close] = np.where(opposite, 1.0, np.maximum(by_share[1], by_given[1]))
        value[close] = np.where(opposite, 1.0, value[close])
    return Ratios(value, np.minimum(low, value), np.maximum(high, value))


def _turned(ratio: FloatArray) -> FloatArray:
    with np.errstate(divide="ignore"):
        out: FloatArray = np.where(ratio > 1, 1 / np.maximum(ratio, 1e-300), ratio)
    return out


def _turned_ends(ratio: FloatArray, low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Turn an interval of a ratio over where the ratio lies above one, and keep it within [0, 1]."""
    over = ratio > 1
    with np.errstate(divide="ignore"):
        least = np.where(over, 1 / np.maximum(high, 1e-300), low)
        most = np.where(over, np.where(low > 0, 1 / np.maximum(low, 1e-300), 1.0), high)
    return np.clip(least, 0.0, 1.0), np.clip(most, 0.0, 1.0)


def _findings(rated: list[tuple[Counted, Ratios]], z: float) -> tuple[list[Measured], bool]:
    """Return the worst combinations, few of each set of columns."""
    order = sorted(
        (float(high), float(value), part, int(at))
        for part, (_, ratios) in enumerate(rated)
        for at, (low, high, value) in enumerate(zip(ratios.low, ratios.high, ratios.value, strict=True))
        if high < 1.0 and low < LEAST_SHARE
    )
    told: dict[tuple[str, ...], int] = {}
    findings: list[Measured] = []
    lost = 0
    for high, _, part, at in order:
        counted, ratios = rated[part]
        columns = counted.sets[int(counted.at[at])]
        lost += high < LEAST_SHARE
        told[columns] = told.get(columns, 0) + 1
        if told[columns] <= SHOWN_PER_SET and len(findings) < SHOWN:
            findings.append(_finding(counted, ratios, at, z))
    failing = sum(f.estimate.high < LEAST_SHARE for f in findings if f.estimate)
    return findings, lost > failing


def _finding(counted: Counted, ratios: Ratios, at: int, z: float) -> Measured:
    known_of, found_of, _ = counted.totals
    columns = counted.sets[int(counted.at[at])]
    known, found, due = int(counted.known[at]), int(counted.found[at]), float(counted.implied[at])
    expected, told = float(counted.expected[at]), f"{counted.expected[at]:,.0f} expected"
    is_invented = expected < MIN_EXPECTED
    is_rare = 0 < known < SMALL_CELL
    named = (None if is_rare else counted.words(int(counted.at[at]), int(counted.cell[at]))) or HIDDEN
    if known < SMALL_CELL:
        expected = SMALL_CELL * found_of / known_of
        told = f"fewer than {expected:,.0f} expected"
        named = (
            named if known == 0 and found >= SMALL_CELL else f"(a combination with fewer than {SMALL_CELL} real rows)"
        )
    message = f"{named}: {found:,} rows found, {told}"
    if found == 0:
        message += "; it is lost"
    elif known >= SMALL_CELL and abs(due - expected) > 0.2 * expected:
        parts = "the single values" if len(columns) == 2 else "the pairs"
        message += f" ({due:,.0f} given how often synthetic has {parts})"
    spread = float(np.sqrt(expected * (1 + found_of / known_of)))
    return Measured(
        metric="combination_share_ratio",
        message=message,
        estimate=Estimate(
            value=float(ratios.value[at]),
            low=float(ratios.low[at]),
            high=float(ratios.high[at]),
            method=f"conditional binomial (Clopper-Pearson), z = {z:.2f}",
            ceiling=1.0,
            floor=0.0,
        ),
        columns=columns,
        severity=Severity.WARN if is_invented else None,
        details={
            "name": named,
            "expected": expected,
            "found": found,
            "interval": [max(0.0, expected - z * spread), expected + z * spread],
            "rare": known / known_of < RARE_SHARE,
        },
    )


def _skipped(evidence: Evidence, joint: Joint, scored: int) -> tuple[Skip, ...]:
    skipped = [
        Skip("combinations", f"those that both tables hold fewer than {MIN_EXPECTED:.0f} times at synthetic's size")
    ]
    pairs = len(evidence.pair_tables["real"])
    if pairs > MOST_PAIRS:
        skipped.append(Skip("pairs of columns", f"{MOST_PAIRS:,} of {pairs:,} were drawn at random"))
    if scored < joint.candidates:
        told = "those with a target, the most dependent, and a random rest"
        reason = f"{scored:,} of {joint.candidates:,} were counted: {told}"
        skipped.append(Skip("triples of columns", reason))
    return tuple(skipped)


def _power(z: float, totals: tuple[int, int, int]) -> str:
    """Say from which expected count on an absent combination is found: where its ratio ends at the limit."""
    known_of, found_of, _ = totals
    grid = np.unique(np.round(np.geomspace(5, 5000, 200))).astype(np.int64)
    known = np.round(grid * known_of / found_of).astype(np.int64)
    high = ratio_intervals(np.zeros_like(known), found_of, known, known_of, z)[1]
    seen = grid[high < LEAST_SHARE]
    return (
        f"an absent combination is found when {seen[0]:,} rows or more of it are expected"
        if len(seen)
        else "at this size no absent combination can be told from chance"
    )
