"""Copies but for one column: does a synthetic row equal a real one in all other columns?

Rows of few columns, or of columns with few values, come close to many others, so that closeness does not tell a copy
whose one value was moved or swapped. How many rows of each real side are met so does: which real rows are met
does not depend on whose they are, unless the generator copied.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from synthgate.findings import Measured
from synthgate.measures.privacy.encodings import Encoding, Ints, Rows, encode, is_among
from synthgate.measures.privacy.excess import Excess, against_strata
from synthgate.measures.privacy.inference import Flags, rounded, shown
from synthgate.measures.privacy.near import Allowed, judged
from synthgate.measures.privacy.sides import Sides, copies_found
from synthgate.roles import Role
from synthgate.sample import Sample
from synthgate.threads import spread

MOST_CELLS = 1e7
LEAST_COLUMNS = 3
# good fits of public tables meet training rows up to 1.1 times as often as others
LEAST_RATIO = 1.1

Keys = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Met:
    """How many rows of each real side a synthetic row equals but for one column.

    Attributes
    ----------
    column : str or None
        The column left out; None where all columns count.
    hits, subjects : tuple of int
        (training, holdout) rows or groups, those alike on both sides left out.
    """

    column: str | None
    hits: tuple[int, int]
    subjects: tuple[int, int]


def apart_copies(sample: Sample, sides: Sides, allowed: Allowed, alpha: float) -> list[Measured]:
    """Test copies but for one column, each column in turn, and return the test that shows most.

    Synthetic rows that equal no real row exactly count. Their numbers stand for the nearest value that real rows have,
    so that a number moved by less than real values are apart is no difference. Training rows must be met 1.1 times as
    often as others by the lower bound, or 4 times as often.

    Parameters
    ----------
    sample : Sample
        With a holdout.
    sides : Sides
    allowed : Allowed
    alpha : float
        Error of all tests together, in (0, 1).
    """
    encoding = encode(sample)
    if len(encoding.columns) < LEAST_COLUMNS:
        return []
    tests = meet(encoding, respelled(sample, encoding))
    spent = alpha / len(tests)
    tried: list[tuple[bool, Excess, Met]] = []
    for met in tests:
        k, totals = sum(met.hits), np.array(met.subjects)[:, None]
        excess = against_strata(met.hits[0], np.array([k]), totals, spent)
        tried.append((*judged(excess, k, LEAST_RATIO, spent), met))
    strict, excess, met = max(tried, key=lambda t: (t[0], t[1].proven, -t[1].p))
    ours, others = met.subjects
    but = "in all columns" if met.column is None else f"in all columns but {met.column!r}"
    message = (
        f"a synthetic row that is no exact copy equals {shown(met.hits[0])} of the {ours:,} training {sides.unit} "
        f"{but}, and {shown(met.hits[1])} of {others:,} of the holdout, numbers taken as the nearest real value"
    )
    limit = allowed.strict_share if strict else allowed.share
    made = copies_found("near_copies", message, excess, sides.scale, limit, spent)
    details = {**made.details, "level": but, "p_adjusted": rounded(min(1.0, excess.p * len(tests)), 5)}
    return [replace(made, details=details)]


def respelled(sample: Sample, encoding: Encoding) -> Flags:
    """Tell which synthetic rows hold a text in a spelling that no real row has: in capitals, with more white space."""
    found = np.zeros(len(encoding.synthetic), np.bool_)
    real = [side for side in (sample.real, sample.holdout) if side is not None]
    for column in encoding.columns:
        if column.ranks is None and column.role is not Role.VECTOR:
            seen = np.zeros(len(sample.dictionaries[column.name]) + 1, np.bool_)
            for side in real:
                seen[side.columns[column.name]] = True
            # missing is code -1, which is no spelling
            seen[-1] = True
            found |= ~seen[sample.synthetic.columns[column.name]]
    return found[encoding.synthetic.place]


def meet(encoding: Encoding, changed: Flags) -> list[Met]:
    """Count the real rows that a synthetic row equals in all columns, and in all but each one.

    Synthetic rows that equal a real row of either side exactly are left out, since fresh rows do so by chance; of very
    large tables a random part is taken, about 10 million cells.

    Parameters
    ----------
    encoding : Encoding
        With a holdout.
    changed : bool array, shape (synthetic rows,)
        Rows that equal a real one up to the spelling of a text at most.
    """
    real, holdout = encoding.real, encoding.holdout
    if holdout is None:
        raise ValueError("copies but for one column need a holdout")
    width = len(encoding.columns)
    some = slice(0, max(1, int(MOST_CELLS / width)))
    synthetic = encoding.synthetic.take(some)
    synthetic = synthetic.take(changed[some] | ~(is_among(synthetic, real) | is_among(synthetic, holdout)))
    sides = (real, holdout, synthetic)
    whole = [_sum(encoding, rows) for rows in sides]
    groups = (real.groups, holdout.groups) if encoding.grouped_by is not None else None

    def leave_out(at: int) -> Met:
        keys = [np.subtract(total, _term(encoding, rows, at)) for total, rows in zip(whole, sides, strict=True)]
        return _met(encoding.columns[at].name, keys, groups)

    return [_met(None, whole, groups), *spread(leave_out, range(width))]


def _met(column: str | None, keys: list[Keys], groups: tuple[Ints, Ints] | None) -> Met:
    """Count the keys, or groups of rows, of one real side only, and those of them that synthetic rows have."""
    different = [np.unique(side) for side in keys]
    hits: list[int] = []
    subjects: list[int] = []
    for side, other in ((0, 1), (1, 0)):
        own = different[side] if groups is None else keys[side]
        kept = ~_among(own, different[other])
        met = kept & _among(own, different[-1])
        for counts, chosen in ((hits, met), (subjects, kept)):
            counts.append(int(chosen.sum()) if groups is None else len(np.unique(groups[side][chosen])))
    return Met(column, (hits[0], hits[1]), (subjects[0], subjects[1]))


def _among(keys: Keys, others: Keys) -> Flags:
    """Tell which keys are among others, which rise."""
    if not len(others):
        return np.zeros(len(keys), np.bool_)
    found: Flags = others[np.minimum(np.searchsorted(others, keys), len(others) - 1)] == keys
    return found


def _sum(encoding: Encoding, rows: Rows) -> Keys:
    total = np.zeros(len(rows), np.uint64)
    for at in range(len(encoding.columns)):
        total += _term(encoding, rows, at)
    return total


def _term(encoding: Encoding, rows: Rows, at: int) -> Keys:
    """Return what a column adds to the keys of rows: a random odd multiple of its codes."""
    settled = encoding.columns[at].settled
    codes = rows.codes[at] if settled is None else settled[rows.codes[at]]
    odd = np.random.default_rng([at, *b"apart"]).integers(0, 2**63, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    key: Keys = (codes.astype(np.uint64) + np.uint64(1)) * odd
    return key
