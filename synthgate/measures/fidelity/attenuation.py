"""How much of the real dependence is kept, over many pairs of columns together.

Each pair may lose a sixth of its dependence within its own noise; all pairs of a column together, looked at in the
direction of the real dependence alone, tell a loss that no single one shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgate.counts import GROUPS, PairName
from synthgate.findings import Estimate, Measured, Position, Skip
from synthgate.statistics.distances import FloatArray, IntArray

if TYPE_CHECKING:
    from synthgate.evidence import Evidence

MOST_WEIGHT = 4.0
"""Most that a cell counts more for being more frequent in synthetic margins than in real ones."""
LEAST_SIGNAL = 6.0
"""Least real dependence, in its standard errors, of which a share is told."""
LEAST_VARIED = 50
"""Least rows whose value is not the column's most frequent one: what hangs on fewer has no error that groups show."""
TINY = 1e-300
LEVEL = 0.05
"""Of all intervals together, two-sided."""


@dataclass(frozen=True, slots=True)
class Attenuation:
    """What one pair, or a sum over pairs, says of the dependence kept.

    With D the joint shares less the products of the margins: the share kept is <D synthetic, D real> over
    <D real, D real>, the latter by products of different groups of rows only, so that noise adds nothing to it.
    Its cells are weighted by synthetic over real products of margins, so that other margins alone lose nothing.

    Attributes
    ----------
    sums : float64 array, shape (2 + 3 GROUPS,)
        Numerator and denominator; what each random group of rows contributes to them, to first order: of real rows to
        the numerator, of real rows to the denominator, of synthetic rows to the numerator. See :func:`attenuations`.
    """

    sums: FloatArray

    @property
    def kept(self) -> float:
        """The numerator."""
        return float(self.sums[0])

    @property
    def there(self) -> float:
        """The denominator."""
        return float(self.sums[1])

    @property
    def is_known(self) -> bool:
        """Whether the real dependence is beyond doubt."""
        return self.there > LEAST_SIGNAL * _error(self._groups[1])

    @property
    def share(self) -> float:
        """The share kept: 1 for fresh real rows, 0 for independent columns."""
        return self.kept / self.there

    @property
    def error(self) -> float:
        """Its standard error, by the spread between groups of rows."""
        real_kept, real_there, synthetic_kept = self._groups
        real = _error((real_kept - self.share * real_there) / self.there)
        return float(np.hypot(real, _error(synthetic_kept / self.there)))

    @property
    def _groups(self) -> FloatArray:
        return self.sums[2:].reshape(3, GROUPS)


def _error(groups: FloatArray) -> float:
    return float(groups.std(ddof=1) / np.sqrt(GROUPS))


@dataclass(frozen=True, slots=True)
class Parted:
    """One side's contingency tables of many pairs, by groups of rows.

    Attributes
    ----------
    sizes : int64 array, shape (pairs, GROUPS)
        Rows of each group.
    shares : float64 array, shape (pairs, GROUPS, height, width)
        Of each group's rows.
    joint, independent, apart : float64 array, shape (pairs, height, width)
        Mean of the groups' shares, products of its margins, and the first less the second.
    down, across : float64 array, shape (pairs, height) and (pairs, width)
        Margins of the mean.
    """

    sizes: IntArray
    shares: FloatArray
    joint: FloatArray
    down: FloatArray
    across: FloatArray
    independent: FloatArray
    apart: FloatArray

    @classmethod
    def of(cls, tables: IntArray) -> Parted:
        """Read counts, shape (pairs, GROUPS, height, width)."""
        sizes = tables.sum(axis=(2, 3))
        shares = tables / np.maximum(sizes, 1)[:, :, None, None]
        joint: FloatArray = np.add.reduce(shares, 1) / GROUPS
        down, across = np.einsum("phw->ph", joint), np.einsum("phw->pw", joint)
        independent = down[:, :, None] * across[:, None, :]
        return cls(sizes, shares, joint, down, across, independent, joint - independent)

    def spread(self) -> FloatArray:
        """Return the squares of what is apart within each group of rows, added up; shape (pairs, height, width)."""
        single = self.shares - self.down[:, None, :, None] * np.einsum("pghw->pgw", self.shares)[:, :, None, :]
        single -= np.einsum("pghw->pgh", single)[:, :, :, None] * self.across[:, None, None, :]
        out: FloatArray = np.einsum("pghw,pghw->phw", single, single)
        return out

    def contributed(self, *directions: FloatArray) -> FloatArray:
        """Return what each group's rows add to products of what is apart with some directions.

        A row moves the margins as well. Shape (directions, pairs, GROUPS).
        """
        turned = [
            one
            - np.einsum("phw,pw->ph", one, self.across)[:, :, None]
            - np.einsum("phw,ph->pw", one, self.down)[:, None, :]
            for one in directions
        ]
        pairs, groups = self.shares.shape[:2]
        by = np.stack([one.reshape(pairs, -1) for one in turned], axis=2)
        out: FloatArray = np.moveaxis(self.shares.reshape(pairs, groups, -1) @ by, 2, 0)
        return out


def attenuations(real: Parted, spread: FloatArray, synthetic: Parted) -> FloatArray:
    """Compare the tables of many pairs.

    Parameters
    ----------
    real, synthetic : Parted
    spread : float64 array
        Of real: :meth:`Parted.spread`.

    Returns
    -------
    float64 array, shape (pairs, 2 + 3 GROUPS)
        The sums of an :class:`Attenuation` per pair; nothing but zeros where too few rows vary.
    """
    weight = np.minimum(synthetic.independent / np.maximum(real.independent, TINY), MOST_WEIGHT)
    weighted = weight * real.apart
    whole = GROUPS**2 * np.einsum("phw,phw->p", weighted, real.apart) - np.einsum("phw,phw->p", spread, weight)
    there = whole / (GROUPS * (GROUPS - 1))
    kept = np.einsum("phw,phw->p", real.apart, synthetic.apart)
    of_real = real.contributed(synthetic.apart, 2 * weighted)
    of_synthetic = synthetic.contributed(real.apart)
    out: FloatArray = np.concatenate((kept[:, None], there[:, None], *of_real, *of_synthetic), axis=1)
    out[~_vary(real, synthetic)] = 0.0
    return out


def _vary(real: Parted, synthetic: Parted) -> NDArray[np.bool_]:
    """Tell of which pairs every group has rows, and enough of them are not of the most frequent value."""
    rows = real.sizes.sum(axis=1)
    varied = rows * (1 - np.maximum(real.down.max(axis=1), real.across.max(axis=1)))
    varied *= np.minimum(1.0, synthetic.sizes.sum(axis=1) / np.maximum(rows, 1))
    known: NDArray[np.bool_] = real.sizes.all(axis=1) & synthetic.sizes.all(axis=1) & (varied >= LEAST_VARIED)
    return known


class DependenceKept:
    """The dependence kept over the pairs of each column, and over all pairs."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self._sums: dict[tuple[str, str], FloatArray] = {}
        self._columns: dict[str, None] = {}

    def add(self, pair: PairName, kept: Mapping[str, FloatArray]) -> None:
        """Take in what the sides keep of a pair; a profile, whose tables have no groups of rows, gives nothing."""
        self._columns.update(dict.fromkeys(pair))
        for side, sums in kept.items():
            for name in ("", *pair) if sums[0] or sums[1] else ():
                if (side, name) not in self._sums:
                    self._sums[side, name] = np.zeros_like(sums)
                self._sums[side, name] += sums

    def findings(self) -> list[Measured]:
        """Return what all pairs keep, and what each column's pairs keep, where that is known."""
        if self._why_not():
            return []
        names = self._known()
        return [self._finding(name, len(names)) for name in names]

    def skipped(self) -> list[Skip]:
        """Return why nothing is told, where nothing is."""
        why = self._why_not()
        return [Skip("dependence_kept", why)] if why else []

    def _why_not(self) -> str:
        if not self.evidence.real.has_rows:
            return "a profile has no groups of rows to tell its error by"
        if self.evidence.design_of(*self._columns) > 1:
            return "rows come in groups, whose luck random tenths of the rows would take for dependence"
        return "" if self._known() else "the real dependence of all pairs together is not beyond doubt at this size"

    def _known(self) -> list[str]:
        """Return what has a real dependence beyond doubt, of which a holdout shows something as well."""
        names = [
            name for side, name in self._sums if side == "synthetic" and Attenuation(self._sums[side, name]).is_known
        ]
        held = {name: self._held(name) for name in names}
        return [name for name in names if (found := held[name]) is None or not found.is_known or found.share > 0]

    def _held(self, name: str) -> Attenuation | None:
        return Attenuation(self._sums["holdout", name]) if ("holdout", name) in self._sums else None

    def _finding(self, name: str, looks: int) -> Measured:
        from scipy.special import stdtrit

        wide = float(stdtrit(GROUPS - 1, 1 - LEVEL / 2 / looks))
        found, held = Attenuation(self._sums["synthetic", name]), self._held(name)
        share, half, ceiling = found.share, wide * found.error, 1.0
        if held is not None and held.is_known and held.share < 1 - wide * held.error:
            # the holdout keeps less itself: that is drift, for which synthetic rows are not to blame
            ceiling = held.share
            half = float(np.hypot(half, share / ceiling * wide * held.error))
        at = [min(1.0, max(0.0, value / ceiling)) for value in (share, share - half, share + half)]
        about = f"the pairs of {name!r} keep" if name else "all pairs together keep"
        return Measured(
            metric="dependence_kept",
            message=f"{about} {max(0.0, share):.0%} of the dependence of real rows, fresh real rows {ceiling:.0%}",
            estimate=Estimate(
                value=share,
                low=share - half,
                high=share + half,
                method=f"groups of rows, Student's t, 95 % over {looks} such findings",
                ceiling=ceiling,
                floor=0.0,
                position=Position(value=at[0], low=at[1], high=at[2]),
            ),
            columns=(name,) if name else (),
        )
