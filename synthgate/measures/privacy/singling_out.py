"""Singling out: does a predicate that isolates one synthetic row isolate one training row?

Predicates are drawn from the synthetic rows as an attacker would draw them: one value that occurs
once or lies outermost, or a few cells of one row together. Any predicate that fits few rows isolates one
by chance now and then, so the same predicates are tried on as many holdout rows, and the excess counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from synthgate.catalogue import Options, measure
from synthgate.findings import Json, Ledger, Measured, Measurement
from synthgate.measures.privacy.audit import LEAST_ROWS, NO_HOLDOUT, unfair
from synthgate.measures.privacy.encodings import Encoding, Floats, Ints, Rows, encode
from synthgate.measures.privacy.risk import Tried, as_json, opened, risk
from synthgate.sample import Sample

if TYPE_CHECKING:
    from synthgate.evidence import Evidence

PREDICATES = 2_000
ATTEMPTS = 3
MAX_CELLS = 5e9
CELLS = (2, 8)
Sign = Literal["=", "<=", ">="]


@dataclass(frozen=True, slots=True)
class Cell:
    """A condition on one column, on codes: equal, at most, or at least. Missing equals only missing."""

    column: int
    sign: Sign
    code: int


Predicate = tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Isolated:
    """What predicates isolate on one side.

    Attributes
    ----------
    chance : float64 array, shape (predicates,)
        Probability that each predicate fits exactly one row of a random subset of the size of the smaller side.
    row : int64 array, shape (predicates,)
        The row, or its group, that it fits alone on the whole side; -1 for none or several.
    """

    chance: Floats
    row: NDArray[np.int64]


@measure("privacy.singling_out")
def singling_out(evidence: Evidence, options: Options) -> Measurement:
    """Try predicates that isolate a synthetic row on training rows and on as many holdout rows."""
    return assess(evidence.sample)


def assess(sample: Sample) -> Measurement:
    """Measure singling out on a sample; see :func:`singling_out`."""
    encoding = encode(sample)
    if sample.holdout is None or encoding.holdout is None:
        return Measurement.missing(f"singling out cannot be tested: {NO_HOLDOUT}")
    if min(len(encoding.real), len(encoding.synthetic), len(encoding.holdout)) < LEAST_ROWS or not encoding.columns:
        return Measurement.missing(
            f"singling out cannot be tested: each side needs {LEAST_ROWS} rows and a column that varies"
        )
    doubted = unfair(sample)
    kinds = {
        "univariate": univariate(encoding, sample.rng("privacy.predicates.1")),
        "multivariate": multivariate(encoding, sample.rng("privacy.predicates.2")),
    }
    findings = [_finding(encoding, encoding.holdout, kind, made, doubted) for kind, made in kinds.items() if made]
    if not findings:
        return Measurement.missing("singling out cannot be tested: no predicate isolates a single synthetic row")
    worst = max((f.estimate for f in findings if f.estimate), key=lambda e: e.value)
    reason = "; ".join(f.message for f in findings)
    tried = sum(len(made) for made in kinds.values())
    half = max(worst.high - worst.value, worst.value - worst.low)
    return Measurement(
        reason=f"{reason}; {doubted}, so nothing is decided" if doubted else reason,
        findings=tuple(findings),
        score=worst,
        ledger=Ledger(tried, encoding.skipped),
        power=f"a risk of {2 * half:.1%} or more would almost surely have been shown to lie above 0",
        details={"predicates": {kind: len(made) for kind, made in kinds.items()}, "doubt": doubted},
    )


def _finding(
    encoding: Encoding, holdout: Rows, kind: str, predicates: Sequence[Predicate], doubted: str | None
) -> Measured:
    size = min(len(encoding.real), len(holdout))
    grouped = encoding.grouped_by is not None
    sides = [isolated(encoding, rows, predicates, size, grouped=grouped) for rows in (encoding.real, holdout)]
    main, control = (Tried(float(s.chance.sum()), len(predicates), design(s)) for s in sides)
    found = risk(main, control, 2)
    words = "one value or an extreme" if kind == "univariate" else "a few cells together"
    details: dict[str, Json] = {"kind": kind, "rows_compared": size, **as_json(main, control)}
    return Measured(
        metric="singling_out_risk",
        message=(
            f"predicates on {words} that isolate a synthetic row isolate a training row in {main.rate:.1%} and a "
            f"holdout row in {control.rate:.1%} of {len(predicates):,} tries"
        ),
        estimate=opened(found, doubted) if doubted else found,
        judged=doubted is None,
        details=details,
    )


def univariate(encoding: Encoding, rng: np.random.Generator) -> list[Predicate]:
    """Draw up to 2,000 predicates on one column: values that occur once in the synthetic rows, and extremes."""
    single: list[Ints] = []
    ends: list[list[Cell]] = []
    for at, column in enumerate(encoding.columns):
        counts = np.bincount(encoding.synthetic.codes[at], minlength=column.card)
        single.append(np.flatnonzero(counts == 1))
        known = np.flatnonzero(counts[:-1])
        outer: tuple[tuple[Sign, int], ...] = ()
        if column.ranks is not None and len(known) > 1:
            outer = (("<=", int(known[0])), (">=", int(known[-1])))
        ends.append([Cell(at, sign, code) for sign, code in outer if counts[code] == 1])
    upto = np.cumsum([len(codes) + len(cells) for codes, cells in zip(single, ends, strict=True)])
    made: list[Predicate] = []
    for place in np.sort(rng.permutation(int(upto[-1]))[:PREDICATES]):
        at = int(np.searchsorted(upto, place, side="right"))
        within = int(place - (upto[at] - len(single[at]) - len(ends[at])))
        codes, cells = single[at], ends[at]
        made.append((Cell(at, "=", int(codes[within])) if within < len(codes) else cells[within - len(codes)],))
    return made


def multivariate(encoding: Encoding, rng: np.random.Generator) -> list[Predicate]:
    """Draw up to 2,000 different conjunctions of cells of one synthetic row that fit no other one.

    Cells of random columns are added until only that row is left, at least 2 and at most 8. Numbers are
    bounded on their far side from the median, other cells equalled.
    """
    width, rows = len(encoding.columns), encoding.synthetic
    if width < CELLS[0]:
        return []
    tries = min(ATTEMPTS * PREDICATES, max(PREDICATES // 2, int(MAX_CELLS / (len(rows) * CELLS[1]))))
    found: dict[Predicate, None] = {}
    for _ in range(tries):
        row = int(rng.integers(len(rows)))
        made: list[Cell] = []
        left: Ints | None = None
        for at in rng.permutation(width)[: CELLS[1]]:
            made.append(_cell(encoding, int(at), int(rows.codes[at][row])))
            left = _narrowed(encoding, rows, made[-1], left)
            if len(left) == 1 and len(made) >= CELLS[0]:
                found[tuple(sorted(made, key=lambda cell: cell.column))] = None
                break
        if len(found) == PREDICATES:
            break
    return list(found)


def _cell(encoding: Encoding, at: int, code: int) -> Cell:
    ranks = encoding.columns[at].ranks
    if ranks is None or np.isnan(ranks[code]):
        return Cell(at, "=", code)
    return Cell(at, ">=" if ranks[code] > 0.5 else "<=", code)


def fitting(encoding: Encoding, rows: Rows, predicate: Predicate) -> Ints:
    """Return the places of the rows that a predicate fits."""
    left: Ints | None = None
    for cell in predicate:
        left = _narrowed(encoding, rows, cell, left)
    return np.arange(len(rows)) if left is None else left


def _narrowed(encoding: Encoding, rows: Rows, cell: Cell, left: Ints | None) -> Ints:
    """Return which of the rows left meet one more condition."""
    codes: Ints = rows.codes[cell.column] if left is None else rows.codes[cell.column][left]
    if cell.sign == "=":
        kept = codes == cell.code
    elif cell.sign == "<=":
        kept = codes <= cell.code
    else:
        # codes of numbers rise with them, and missing has the last
        kept = (codes >= cell.code) & (codes < encoding.columns[cell.column].card - 1)
    return np.flatnonzero(kept) if left is None else left[kept]


def isolated(
    encoding: Encoding, rows: Rows, predicates: Sequence[Predicate], size: int, *, grouped: bool = False
) -> Isolated:
    """Try predicates on one side, as on its random subsets of `size` rows.

    A predicate that fits c of n rows fits exactly one of a random subset of k with the hypergeometric
    probability ``c C(n - c, k - 1) / C(n, k)``, so both sides are compared at one size without drawing.
    """
    counts = np.empty(len(predicates), np.int64)
    row = np.full(len(predicates), -1, np.int64)
    for i, predicate in enumerate(predicates):
        at = fitting(encoding, rows, predicate)
        counts[i] = len(at)
        if len(at) == 1:
            row[i] = rows.groups[at[0]] if grouped else at[0]
    if size == len(rows):
        return Isolated((counts == 1).astype(np.float64), row)
    from scipy.stats import hypergeom

    return Isolated(np.asarray(hypergeom.pmf(1, len(rows), counts, size), dtype=np.float64), row)


def design(side: Isolated) -> float:
    """Return how many predicates isolate the same row, on average over predicates, at least 1.

    Whether a row is a training row is one fact, however many predicates hit it.
    """
    hits = np.bincount(side.row[side.row >= 0]).astype(np.float64)
    return float(np.square(hits).sum() / hits.sum()) if hits.sum() else 1.0
