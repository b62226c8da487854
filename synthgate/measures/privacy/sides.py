"""Different rows of each side, and how copies among them are counted and reported."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np

from synthgate.findings import Limit, Measured
from synthgate.measures.privacy.encodings import Encoding, Rows, distinct_rows, is_among
from synthgate.measures.privacy.excess import Excess
from synthgate.measures.privacy.inference import Flags, Places, rounded, shown
from synthgate.measures.privacy.values import bound


@dataclass(frozen=True, slots=True)
class Sides:
    """Different rows of each side, rows that both real sides hold set apart.

    Attributes
    ----------
    training, holdout : Rows
        On that real side only.
    training_seen, holdout_seen : int64 array
        How often each occurs.
    synthetic : Rows
    synthetic_seen : int64 array
    shared : int
        Different rows on both real sides.
    grouped_by : str or None
        The column that says which rows belong together: groups are then counted instead of rows.
    """

    training: Rows
    training_seen: Places
    holdout: Rows
    holdout_seen: Places
    synthetic: Rows
    synthetic_seen: Places
    shared: int
    grouped_by: str | None

    @property
    def unit(self) -> str:
        """What is counted."""
        return "rows" if self.grouped_by is None else f"groups (by {self.grouped_by!r})"

    def count(self, rows: Rows, flags: Flags | None = None) -> int:
        """Count rows, or the groups that they are of."""
        if self.grouped_by is not None:
            return len(np.unique(rows.groups if flags is None else rows.groups[flags]))
        return len(rows) if flags is None else int(flags.sum())

    @property
    def scale(self) -> int:
        """What counts of copies are a share of: different synthetic rows, or training groups."""
        return max(1, len(self.synthetic) if self.grouped_by is None else self.count(self.training))


def split_sides(encoding: Encoding) -> Sides:
    """Return the different rows of each side."""
    training, training_seen = distinct_rows(encoding.real)
    synthetic, synthetic_seen = distinct_rows(encoding.synthetic)
    holdout, holdout_seen = distinct_rows(encoding.holdout or encoding.real.take(np.zeros(0, np.int64)))
    mine, theirs = ~is_among(training, holdout), ~is_among(holdout, training)
    return Sides(
        training.take(mine),
        training_seen[mine],
        holdout.take(theirs),
        holdout_seen[theirs],
        synthetic,
        synthetic_seen,
        int((~mine).sum()),
        encoding.grouped_by,
    )


def copies_found(metric: str, message: str, excess: Excess, scale: float, allowed: float, alpha: float) -> Measured:
    """Report an excess of hits as a share of copies that is shown, which is a lower bound.

    Parameters
    ----------
    scale : float
        What the shown copies are a share of, positive.
    allowed : float
        Largest share that may be shown, in [0, 1].
    alpha : float
        Error of the bound, in (0, 1).
    """
    proven = ceil(excess.proven - 1e-9)
    return Measured(
        metric=metric,
        message=message + (f"; at least {proven:,} {'is a copy' if proven == 1 else 'are copies'}" if proven else ""),
        estimate=bound(proven / scale, alpha),
        limit=Limit(max=allowed),
        details={
            "hits": shown(excess.hits),
            "by_chance": rounded(excess.expected, 0),
            "shown": proven,
            "p": rounded(excess.p, 5),
        },
    )
