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
    unit : int64 array, shape (queries,)
        What is exchangeable: the row itself, or its group where rows come in groups.
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
    grouped_by : str or None
    """

    queries: Rows
    member: NDArray[np.bool_]
    fold: NDArray[np.int64]
    unit: NDArray[np.int64]
    references: tuple[Rows, ...]
    members: int
    nonmembers: int
    holdout_rows: int
    common: int
    duplicates: int
    grouped_by: str | None

    @property
    def units(self) -> tuple[int, int]:
        """Queried members and non-members, counted as groups where rows come in groups."""
        return len(np.unique(self.unit[self.member])), len(np.unique(self.unit[~self.member]))

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
    places = [_places(rows, encoding) for rows in (members, nonmembers)]
    folds = folds_for(int(places[1].max(initial=-1)) + 1)
    cap = _affordable(encoding, len(nonmembers), profile)
    kept = [_first(place, cap) for place in places]
    references = tuple(nonmembers.take(np.flatnonzero(places[1] % folds != f)[:MAX_REFERENCE]) for f in range(folds))
    unit = [place[at] for place, at in zip(places, kept, strict=True)]
    return Panel(
        queries=join(members.take(kept[0]), nonmembers.take(kept[1])),
        member=np.repeat([True, False], [len(at) for at in kept]),
        fold=np.concatenate(unit) % folds,
        unit=np.concatenate([unit[0], unit[1] + int(places[0].max(initial=-1)) + 1]),
        references=references,
        members=len(members),
        nonmembers=len(nonmembers),
        holdout_rows=len(holdout),
        common=int(shared.sum()),
        duplicates=len(encoding.real) - len(real) + len(encoding.holdout) - len(holdout),
        grouped_by=encoding.grouped_by,
    )


def _places(rows: Rows, encoding: Encoding) -> NDArray[np.int64]:
    """Return each row's place in an order that its content fixes, groups counted as one.

    Rows are in the order of their hashes; a group stands where its first row stands.
    """
    if encoding.grouped_by is None:
        return np.arange(len(rows))
    _, first, inverse = np.unique(rows.groups, return_index=True, return_inverse=True)
    order = np.empty(len(first), np.int64)
    order[np.argsort(first)] = np.arange(len(first))
    place: NDArray[np.int64] = order[inverse]
    return place


def _first(places: NDArray[np.int64], cap: int) -> NDArray[np.int64]:
    """Return the rows of the first places, whole groups, up to `cap` rows."""
    last = int(np.searchsorted(np.cumsum(np.bincount(places, minlength=1)), cap, side="right"))
    return np.flatnonzero(places < max(last, min(1, len(places))))


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
        np.concatenate([first.groups, second.groups]),
        np.concatenate([first.place, second.place]),
    )
