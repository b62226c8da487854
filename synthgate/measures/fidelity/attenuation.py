"""How much of the real dependence is kept, over many pairs of columns together.

Each pair may lose a sixth of its dependence within its own noise; all pairs of a column together, looked at in the
direction of the real dependence alone, tell a loss that no single one shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

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

_add = np.add.reduce


@dataclass(frozen=True, slots=True)
class Attenuation:
    """What one pair, or a sum over pairs, says of the dependence kept.

    With D the joint shares less the products of the margins: the share kept is <D synthetic, D real> over
    <D real, D real>, the latter by products of different groups of rows only, so that noise adds nothing to it.
    Its cells are weighted by synthetic over real products of margins, so that other margins alone lose nothing.

    Attributes
    ----------
    kept, there : float
        Numerator and denominator.
    real_kept, real_there, synthetic_kept : float64 array, shape (GROUPS,)
        What each random group of rows contributes to them, to first order.
    """

    kept: float
    there: float
    real_kept: FloatArray
    real_there: FloatArray
    synthetic_kept: FloatArray

    @classmethod
    def of(cls, real: IntArray, synthetic: IntArray) -> Attenuation | None:
        """Compare two contingency tables per group of rows, shape (GROUPS, h, w); None where too few rows vary."""
        flat, flat_synthetic = real.reshape(GROUPS, -1), synthetic.reshape(GROUPS, -1)
        sizes, rows = _add(flat, 1), _add(flat_synthetic, 1)
        if not (sizes.all() and rows.all()):
            return None
        shares, shares_synthetic = flat / sizes[:, None], flat_synthetic / rows[:, None]
        joint, joint_synthetic = (_add(one, 0).reshape(real.shape[1:]) / GROUPS for one in (shares, shares_synthetic))
        down, across = _add(joint, 1), _add(joint, 0)
        varied = sizes.sum() * (1 - max(down.max(), across.max()))
        if varied * min(1.0, rows.sum() / sizes.sum()) < LEAST_VARIED:
            return None
        down_synthetic, across_synthetic = _add(joint_synthetic, 1), _add(joint_synthetic, 0)
        independent, independent_synthetic = np.outer(down, across), np.outer(down_synthetic, across_synthetic)
        apart, apart_synthetic = joint - independent, joint_synthetic - independent_synthetic
        weight = np.minimum(independent_synthetic / np.maximum(independent, TINY), MOST_WEIGHT)
        groups = shares.reshape(real.shape)
        single = groups - _add(groups, 2)[:, :, None] * across
        single -= down[:, None] * _add(groups, 1)[:, None, :]
        single += independent
        single *= single
        weighted = weight * apart
        whole = GROUPS**2 * float(np.vdot(weighted, apart)) - float(np.vdot(_add(single, 0), weight))
        return cls(
            float(np.vdot(apart, apart_synthetic)),
            whole / (GROUPS * (GROUPS - 1)),
            shares @ _centred(apart_synthetic, down, across),
            2 * (shares @ _centred(weighted, down, across)),
            shares_synthetic @ _centred(apart, down_synthetic, across_synthetic),
        )

    def __add__(self, other: Attenuation) -> Attenuation:
        return Attenuation(
            self.kept + other.kept,
            self.there + other.there,
            self.real_kept + other.real_kept,
            self.real_there + other.real_there,
            self.synthetic_kept + other.synthetic_kept,
        )

    @property
    def is_known(self) -> bool:
        """Whether the real dependence is beyond doubt."""
        return self.there > LEAST_SIGNAL * _error(self.real_there)

    @property
    def share(self) -> float:
        """The share kept: 1 for fresh real rows, 0 for independent columns."""
        return self.kept / self.there

    @property
    def error(self) -> float:
        """Its standard error, by the spread between groups of rows."""
        real = _error((self.real_kept - self.share * self.real_there) / self.there)
        return float(np.hypot(real, _error(self.synthetic_kept / self.there)))


def _centred(direction: FloatArray, down: FloatArray, across: FloatArray) -> FloatArray:
    """Return what a row adds to a product with the deviation from independence, whose margins it moves as well."""
    out: FloatArray = direction - (direction @ across)[:, None] - down @ direction
    return out.ravel()


def _error(groups: FloatArray) -> float:
    return float(groups.std(ddof=1) / np.sqrt(GROUPS))


class DependenceKept:
    """The dependence kept over the pairs of each column, and over all pairs."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self._sides = ("synthetic", "holdout") if evidence.holdout is not None else ("synthetic",)
        self._sums: dict[tuple[str, str], Attenuation] = {}
        self._columns: dict[str, None] = {}

    def add(self, pair: PairName) -> None:
        """Take a pair in; nothing of a profile, whose tables have no groups of rows."""
        self._columns.update(dict.fromkeys(pair))
        for side in self._sides if self.evidence.real.has_rows else ():
            if pair not in self.evidence.pairs[side].pairs:
                continue
            found = Attenuation.of(*(self.evidence.pairs[one].pairs[pair] for one in ("real", side)))
            if found is not None:
                for key in ((side, name) for name in ("", *pair)):
                    self._sums[key] = self._sums[key] + found if key in self._sums else found

    def findings(self) -> list[Measured]:
        """Return what all pairs keep, and what each column's pairs keep, where that is known."""
        if self._why_not():
            return []
        names = [name for side, name in self._sums if side == "synthetic" and self._is_known(name)]
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
        known = any(side == "synthetic" and self._is_known(name) for side, name in self._sums)
        return "" if known else "the real dependence of all pairs together is not beyond doubt at this size"

    def _is_known(self, name: str) -> bool:
        """Tell whether there is a real dependence beyond doubt, of which a holdout shows something as well."""
        held = self._sums.get(("holdout", name))
        return self._sums["synthetic", name].is_known and (held is None or not held.is_known or held.share > 0)

    def _finding(self, name: str, looks: int) -> Measured:
        from scipy.special import stdtrit

        wide = float(stdtrit(GROUPS - 1, 1 - LEVEL / 2 / looks))
        found, held = self._sums["synthetic", name], self._sums.get(("holdout", name))
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
