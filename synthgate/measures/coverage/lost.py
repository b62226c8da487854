"""Rare categories taken together: each may be too rare to be missed, and all of them are not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthgate.findings import Estimate, Limit, Measured

IntArray = NDArray[np.int64]

RARE_EXPECTED = 10.0
"""Synthetic rows below which a category counts as rare here."""
LEAST_ROWS = 20.0
"""Fewest rows beyond chance that the rare categories of a column have to hold together."""
LEAST_KEPT = 0.75


@dataclass(frozen=True, slots=True)
class Categories:
    """One column's categories, those of synthetic alone included.

    Attributes
    ----------
    known, found : int64 array
        Rows of each among the known real rows and among the synthetic ones.
    """

    column: str
    known: IntArray
    found: IntArray


def lost_together(categories: Categories, z: float) -> Measured | None:
    """Compare the rows of rare categories that synthetic lacks with what chance would leave out.

    Were all rows of one kind, each category's rows would be dealt to both tables at random: one of `c` rows
    is absent from synthetic with the chance ``C(N, c) / C(N + m, c)`` (hypergeometric), with `N` known and `m`
    synthetic rows. The value is the share of the rare real rows whose category is kept, chance set aside: 1 for fresh
    rows, 0 when all are lost. Rare is what both tables together hold few rows of, which favours neither.

    Returns
    -------
    Measured or None
        None when there are too few rare rows to tell.
    """
    from scipy.special import gammaln

    n, m = int(categories.known.sum()), int(categories.found.sum())
    both = categories.known + categories.found
    rare = (both > 0) & (both * m / max(1, n + m) < RARE_EXPECTED) & (both <= n)
    if not n or not m or rare.sum() < 2:
        return None
    c, found = both[rare].astype(np.float64), categories.found[rare]
    chance = np.exp(gammaln(n + 1) - gammaln(n - c + 1) - gammaln(n + m + 1) + gammaln(n + m - c + 1))
    expected, rows = float((c * chance).sum()), float(categories.known[rare].sum())
    if rows - expected < LEAST_ROWS:
        return None
    absent = found == 0
    lost = float(c[absent].sum())
    spread = float(np.sqrt((c**2 * chance * (1 - chance)).sum()))
    kept, half = 1 - (lost - expected) / (rows - expected), z * spread / (rows - expected)
    share = lost / n
    return Measured(
        metric="rare_rows_kept",
        message=(
            f"{int(absent.sum()):,} of {int(rare.sum()):,} rare categories do not occur, with {share:.1%} of the real "
            f"rows; chance would leave out {expected / n:.1%}"
        ),
        estimate=Estimate(
            value=float(np.clip(kept, 0, 1)),
            low=float(np.clip(kept - half, 0, 1)),
            high=float(np.clip(kept + half, 0, 1)),
            method=f"random relabelling, normal, z = {z:.2f}",
            ceiling=1.0,
            floor=0.0,
        ),
        columns=(categories.column,),
        limit=Limit(min=LEAST_KEPT),
        details={"rare_categories": int(rare.sum()), "absent": int(absent.sum()), "rare_rows": int(rows)},
    )
