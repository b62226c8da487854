"""Rare categories, or rare combinations, taken together: each may be too rare to be missed, and all of them are not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthgate.findings import Estimate, Limit, Measured

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

RARE_EXPECTED = 10.0
"""Synthetic rows below which a category counts as rare here."""
LEAST_ROWS = 20.0
"""Fewest rows beyond chance that the rare categories of a column have to hold together."""
LEAST_KEPT = 0.75
LEAST_OF_PAIRS = 0.5
"""Least share of two columns' rare rows: those of one country or person, where no column says whose, go together."""
MOST_EXACT = 200_000
"""Rows in rare categories up to which the distribution is exact; of so many no single category matters."""
TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Categories:
    """One column's categories, or the combinations of two columns' values, those of synthetic alone included.

    Attributes
    ----------
    columns : tuple of str
    known, found : int64 array
        Rows of each among the known real rows and among the synthetic ones.
    """

    columns: tuple[str, ...]
    known: IntArray
    found: IntArray

    @property
    def noun(self) -> str:
        """What one of them is called, for many."""
        return "categories" if len(self.columns) == 1 else "combinations"


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
    absent = found == 0
    lost = float(c[absent].sum())
    # of the many pairs of columns only those are told that may have lost any: the exact distribution costs too much
    is_pair = len(categories.columns) > 1
    if rows - expected < LEAST_ROWS or (is_pair and lost - expected <= z * _spread(c, chance)):
        return None
    kept, half = 1 - (lost - expected) / (rows - expected), _beyond_chance(c, chance, z) / (rows - expected)
    share = lost / n
    return Measured(
        metric="rare_rows_kept",
        message=(
            f"{int(absent.sum()):,} of {int(rare.sum()):,} rare {categories.noun} do not occur, with {share:.1%} of "
            f"the real rows; chance would leave out {expected / n:.1%}"
        ),
        estimate=Estimate(
            value=float(np.clip(kept, 0, 1)),
            low=float(np.clip(kept - half, 0, 1)),
            high=float(np.clip(kept + half, 0, 1)),
            method=f"random relabelling, exact, z = {z:.2f}",
            ceiling=1.0,
            floor=0.0,
        ),
        columns=categories.columns,
        limit=Limit(min=LEAST_OF_PAIRS if is_pair else LEAST_KEPT),
        details={f"rare_{categories.noun}": int(rare.sum()), "absent": int(absent.sum()), "rare_rows": int(rows)},
    )


def _spread(rows: FloatArray, chance: FloatArray) -> float:
    return float(np.sqrt((rows**2 * chance * (1 - chance)).sum()))


def _beyond_chance(rows: FloatArray, chance: FloatArray, z: float) -> float:
    """Return by how many rows chance exceeds its mean with the probability beyond a normal quantile, at most.

    Categories of as many rows are absent with the same chance, so that the distribution of the absent rows is that of a
    weighted sum of binomials, inverted from its characteristic function (Hong 2013, Computational Statistics and Data
    Analysis 59, 41-51). A normal distribution is far too narrow where one or two categories hold most of the rows.
    """
    from scipy.special import ndtr

    spread = _spread(rows, chance)
    sizes, first, many = np.unique(rows.astype(np.int64), return_index=True, return_counts=True)
    total = int((sizes * many).sum())
    if total > MOST_EXACT:
        return z * spread
    turns = np.exp(-2j * np.pi * np.arange(total + 1) / (total + 1))
    transform = np.ones(total + 1, np.complex128)
    for size, at, times in zip(sizes, first, many, strict=True):
        transform *= (1 - chance[at] + chance[at] * turns**size) ** times
    above = 1 - np.cumsum(np.fft.ifft(transform).real)
    at_most = int(np.argmax(above <= max(TINY, 1 - float(ndtr(z)))))
    return max(z * spread, at_most - float((rows * chance).sum()))
