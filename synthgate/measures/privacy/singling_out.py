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
from synthgate.measures.privacy.audit import LEAST_ROWS, NO_HOLDOUT, audit_drift, audit_stage, doubt
from synthgate.measures.privacy.encodings import Encoding, Floats, Ints, Rows, encode
from synthgate.measures.privacy.risk import Tried, as_json, opened, risk
from synthgate.sample import Sample

if TYPE_CHECKING:
    from synthgate.evidence import Evidence

PREDICATES = 1_000
ATTEMPTS = 6
MAX_CELLS = 5e9
CELLS = (2, 5)
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
    doubted = doubt(audit_drift(sample)) if min(audit_stage(sample).panel.queried) >= LEAST_ROWS else None
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
    """Draw up to 1,000 predicates on one column: values that occur once in the synthetic rows, and extremes."""
    made: list[Predicate] = []
    for at, column in enumerate(encoding.columns):
        counts = np.bincount(encoding.synthetic.codes[at], minlength=column.card)
        made += [(Cell(at, "=", int(code)),) for code in np.flatnonzero(counts == 1)]
        known = np.flatnonzero(counts[:-1])
        if column.ranks is not None and len(known) > 1:
            ends: tuple[tuple[Sign, int], ...] = (("<=", int(known[0])), (">=", int(known[-1])))
            made += [(Cell(at, sign, code),) for sign, code in ends if counts[code] == 1]
    kept = rng.permutation(len(made))[:PREDICATES]
    return [made[at] for at in np.sort(kept)]


def multivariate(encoding: Encoding, rng: np.random.Generator) -> list[Predicate]:
    """Draw up to 1,000 different conjunctions of 2 to 5 cells of one synthetic row that fit no other one.

    Numbers are bounded on their far side from the median, other cells equalled.
    """
    width, rows = len(encoding.columns), len(encoding.synthetic)
    if width < 2:
        return []
    tries = min(ATTEMPTS * PREDICATES, max(PREDICATES // 2, int(MAX_CELLS / (rows * CELLS[1]))))
    found: dict[Predicate, None] = {}
    for _ in range(tries):
        size = int(rng.integers(CELLS[0], min(CELLS[1], width) + 1))
        row = int(rng.integers(rows))
        chosen = np.sort(rng.permutation(width)[:size])
        made = tuple(_cell(encoding, int(at), int(encoding.synthetic.codes[at][row])) for at in chosen)
        if made not in found and np.count_nonzero(fits(encoding, encoding.synthetic, made)) == 1:
            found[made] = None
        if len(found) == PREDICATES:
            break
    return list(found)


def _cell(encoding: Encoding, at: int, code: int) -> Cell:
    ranks = encoding.columns[at].ranks
    if ranks is None or np.isnan(ranks[code]):
        return Cell(at, "=", code)
    return Cell(at, ">=" if ranks[code] > 0.5 else "<=", code)


def fits(encoding: Encoding, rows: Rows, predicate: Predicate) -> NDArray[np.bool_]:
    """Tell which rows a predicate fits."""
    kept = np.ones(len(rows), np.bool_)
    for cell in predicate:
        codes: Ints = rows.codes[cell.column]
        if cell.sign == "=":
            kept &= codes == cell.code
        elif cell.sign == "<=":
            kept &= codes <= cell.code
        else:
            # codes of numbers rise with them, and missing has the last
            kept &= (codes >= cell.code) & (codes < encoding.columns[cell.column].card - 1)
    return kept


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
        at = np.flatnonzero(fits(encoding, rows, predicate))
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
