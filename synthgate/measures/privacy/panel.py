"""The cross-fitted panel: who is queried, in which fold, against which reference.

Members are training rows, non-members are holdout rows. Each record is scored once, against a
reference made of holdout rows of the other folds, so that a non-member never meets itself
and both kinds of a fold meet the same reference. That is what makes them exchangeable when the
synthetic table tells nothing about which half was used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthgate.measures.privacy.encodings import Encoding, Rows, distinct_rows, is_among

QUERIES = {"quick": 2_000, "standard": 10_000, "full": 50_000}
MAX_REFERENCE = 100_000
MAX_WORK = {"quick": 2e11, "standard": 1e12, "full": 1e13}
LEAST_QUERIES = 1_000


@dataclass(frozen=True, slots=True)
class Panel:
    """Members and non-members to be told apart.

    Attributes
    ----------
    queries : Rows
        Members and non-members.
    member : bool array, shape (queries,)
    fold : int64 array, shape (queries,)
    references : tuple of Rows
        Per fold the holdout rows that calibrate it.
    members, nonmembers : int
        Different rows that could be queried on each side.
    holdout_rows : int
        Different holdout rows before those that are also training rows were removed.
    common : int
        Different rows that occur on both sides, removed from both.
    duplicates : int
        Rows left out because an equal one is queried, both sides.
    """

    queries: Rows
    member: NDArray[np.bool_]
    fold: NDArray[np.int64]
    references: tuple[Rows, ...]
    members: int
    nonmembers: int
    holdout_rows: int
    common: int
    duplicates: int

    @property
    def folds(self) -> int:
        """Number of folds."""
        return len(self.references)

    @property
    def queried(self) -> tuple[int, int]:
        """Queried members and non-members."""
        n = int(self.member.sum())
        return n, len(self.member) - n


def folds_for(nonmembers: int) -> int:
    """Return the number of folds: more when the holdout is small, so that references stay large."""
    if nonmembers < 250:
        return 10
    return 5 if nonmembers < 2_000 else 2


def make_panel(encoding: Encoding, profile: str) -> Panel:
    """Choose queries, folds and references.

    Which rows are queried and where they land depends on their content and the seed only.

    Parameters
    ----------
    encoding : Encoding
        With a holdout.
    profile : str
        ``quick``, ``standard`` or ``full``: how many rows of each side are queried.
    """
    if encoding.holdout is None:
        raise ValueError("a panel needs a holdout")
    real, _ = distinct_rows(encoding.real)
    holdout, _ = distinct_rows(encoding.holdout)
    shared = is_among(holdout, real)
    members, nonmembers = real.take(~is_among(real, holdout)), holdout.take(~shared)
    folds = folds_for(len(nonmembers))
    cap = _affordable(encoding, len(nonmembers), profile)
    asked = [rows.take(np.arange(min(cap, len(rows)))) for rows in (members, nonmembers)]
    fold = np.concatenate([np.arange(len(rows)) % folds for rows in asked])
    home = np.arange(len(nonmembers)) % folds
    references = tuple(nonmembers.take(np.flatnonzero(home != f)[:MAX_REFERENCE]) for f in range(folds))
    return Panel(
        queries=join(asked[0], asked[1]),
        member=np.repeat([True, False], [len(rows) for rows in asked]),
        fold=fold,
        references=references,
        members=len(members),
        nonmembers=len(nonmembers),
        holdout_rows=len(holdout),
        common=int(shared.sum()),
        duplicates=len(encoding.real) - len(real) + len(encoding.holdout) - len(holdout),
    )


def _affordable(encoding: Encoding, nonmembers: int, profile: str) -> int:
    """Return how many rows of each side to query: the profile's number, less for very large tables."""
    width = 10 + 3 * len(encoding.columns) + encoding.synthetic.dense.shape[1]
    each = 2.0 * (len(encoding.synthetic) + min(MAX_REFERENCE, nonmembers)) * 2 * width
    return max(LEAST_QUERIES, min(QUERIES[profile], int(MAX_WORK[profile] / each)))


def join(first: Rows, second: Rows) -> Rows:
    """Return the rows of both, first then second."""
    return Rows(
        tuple(np.concatenate(pair) for pair in zip(first.codes, second.codes, strict=True)),
        np.concatenate([first.dense, second.dense]),
        np.concatenate([first.hashes, second.hashes]),
    )
