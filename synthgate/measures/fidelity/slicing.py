"""Columns cut into few readable classes, so that parts of a table can be named by simple conditions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthgate.measures.fidelity.columns import SMALL_CELL
from synthgate.plan import format_value
from synthgate.roles import Role
from synthgate.sample import Sample
from synthgate.values import NumberCounts

FloatArray = NDArray[np.float64]
CodeArray = NDArray[np.intp]

CUTS = 8
HEAVY_SHARE = 0.05
MAX_HEAVY = 6
SHOWN_VALUES = 15
VALUE_LENGTH = 40
DAY = 86_400_000_000.0
OTHER = "(other)"


@dataclass(frozen=True, slots=True)
class Cut:
    """Where one class ends and the next begins: at a value, or just above it."""

    value: float
    above: bool = False

    @property
    def at(self) -> float:
        """The first number that belongs to the upper class."""
        return float(np.nextafter(self.value, np.inf)) if self.above else self.value


@dataclass(frozen=True, slots=True)
class Slicer:
    """How one column is cut into classes, and how a run of classes reads.

    Attributes
    ----------
    name : str
    role : Role
    cuts : tuple of Cut
        Of a continuous column, rising.
    values : tuple of str
        Of a discrete column: the frequent values, each a class; all others share one more.
    """

    name: str
    role: Role
    cuts: tuple[Cut, ...] = ()
    values: tuple[str, ...] = ()

    @property
    def is_ordered(self) -> bool:
        """Whether neighbouring classes may be joined."""
        return self.role.is_continuous

    @property
    def size(self) -> int:
        """Number of classes; the last one holds missing values."""
        return (len(self.cuts) + 1 if self.is_ordered else len(self.values) + 1) + 1

    def encode(self, column: NDArray[Any], dictionary: tuple[str, ...]) -> CodeArray:
        """Return the class of every row of a sampled column."""
        if self.is_ordered:
            places = np.searchsorted([cut.at for cut in self.cuts], column, side="right")
            return np.where(np.isnan(column), self.size - 1, places).astype(np.intp)
        place = {value: at for at, value in enumerate(self.values)}
        table = [place.get(label, len(self.values)) for label in dictionary]
        codes: CodeArray = np.array([*table, self.size - 1], np.intp)[column]
        return codes

    def words(self, first: int, last: int) -> str:
        """Return the condition that a row lies in the classes from `first` to `last`."""
        if first == self.size - 1:
            return f"{self.name} is missing"
        if not self.is_ordered:
            if first == len(self.values):
                return f"{self.name} is none of its {len(self.values)} frequent values"
            return f"{self.name} = {_quoted(self.values[first])}"
        low = self.cuts[first - 1] if first else None
        high = self.cuts[last] if last < len(self.cuts) else None
        if low and high and low.value == high.value:
            return f"{self.name} = {self._shown(low)}"
        lower = f"{self.name} {'>' if low.above else '>='} {self._shown(low)}" if low else ""
        upper = f"{self.name} {'<=' if high.above else '<'} {self._shown(high)}" if high else ""
        return " and ".join(part for part in (lower, upper) if part) or f"{self.name} is present"

    def _shown(self, cut: Cut) -> str:
        return format_value(cut.value, self.role)


def _quoted(value: str) -> str:
    short = value if len(value) <= VALUE_LENGTH else value[: VALUE_LENGTH - 1] + "…"
    return "'" + short.replace("'", "''") + "'"


def slicers(sample: Sample, names: list[str]) -> list[Slicer]:
    """Cut each column by what its real rows hold; columns with a single class are left out.

    Values and cuts that are shown stand for at least ten real rows each: cuts are rounded quantiles,
    and values with fewer rows share one class.
    """
    made = []
    for name in names:
        role, column = sample.roles[name], sample.real.columns[name]
        if role.is_continuous:
            slicer = Slicer(name, role, cuts=_cuts(NumberCounts.of(column), role))
        else:
            slicer = Slicer(name, role, values=_frequent(column, sample.dictionaries[name]))
        sides = (column, sample.synthetic.columns[name])
        if len(np.unique(np.concatenate([slicer.encode(s, sample.dictionaries.get(name, ())) for s in sides]))) > 1:
            made.append(slicer)
    return made


def _frequent(column: NDArray[np.int32], dictionary: tuple[str, ...]) -> tuple[str, ...]:
    counts = np.bincount(column[column >= 0], minlength=len(dictionary))
    order = np.argsort(-counts, kind="stable")[:SHOWN_VALUES]
    return tuple(dictionary[at] for at in order if counts[at] >= SMALL_CELL)


def _cuts(counts: NumberCounts, role: Role) -> tuple[Cut, ...]:
    """Return cuts around each frequent value, and at rounded quantiles of the rest."""
    kept = counts.finite()
    if kept.total < 2 * SMALL_CELL:
        return ()
    heavy = kept.counts >= max(SMALL_CELL, HEAVY_SHARE * kept.total)
    if heavy.sum() > MAX_HEAVY:
        heavy &= kept.counts >= np.sort(kept.counts)[-MAX_HEAVY]
    cuts = {Cut(float(v), above).at: Cut(float(v), above) for v in kept.values[heavy] for above in (False, True)}
    rest = NumberCounts(kept.values[~heavy], kept.counts[~heavy])
    parts = min(CUTS, rest.total // SMALL_CELL)
    if len(rest.values) > 1 and parts > 1:
        for value in _rounded(np.unique(rest.quantiles(np.arange(1, parts) / parts)), role):
            cuts.setdefault(float(value), Cut(float(value)))
    lowest = kept.values[0]
    return tuple(cuts[at] for at in sorted(cuts) if at > lowest or role is not Role.DATETIME)


def _rounded(edges: FloatArray, role: Role) -> FloatArray:
    """Round each edge as far as its neighbours allow, so that it reads well and is nobody's own value."""
    if len(edges) < 2:
        return edges
    gaps = np.diff(edges)
    near = np.minimum(np.append(gaps, gaps[-1]), np.insert(gaps, 0, gaps[0])) / 2
    if role is Role.DATETIME:
        step = np.where(near >= DAY, DAY, 1.0)
    else:
        step = 10.0 ** np.floor(np.log10(np.maximum(near, 1e-300)))
    with np.errstate(over="ignore", invalid="ignore"):
        out = np.round(edges / step) * step
    shown = np.array([float(f"{value:.12g}") for value in out]) if role is not Role.DATETIME else out
    return np.unique(np.where(np.isfinite(shown), shown, edges))
