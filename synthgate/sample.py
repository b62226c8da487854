"""The sample: rows in one canonical encoding, shared by models and attacks.

Rows are bounded and drawn with the run's seed. Every derived piece that two
measures need (codes, ranks, nearest neighbours) is made once, in :meth:`Sample.derive`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from synthgate.roles import Role

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SampleSide:
    """The sampled rows of one table.

    Attributes
    ----------
    rows_total : int
        Rows of the table that the sample was drawn from.
    index : int64 array, shape (rows,)
        Row numbers in that table, rising.
    columns : dict of array
        Per column: float64 with NaN for missing (numerical; datetime as microseconds since 1970);
        int32 codes into :attr:`Sample.dictionaries`, -1 for missing (categorical, boolean, id, text);
        float32 of shape (rows, dimensions) (vector).
    """

    rows_total: int
    index: NDArray[np.int64]
    columns: Mapping[str, NDArray[Any]]

    @property
    def rows(self) -> int:
        """Rows in the sample."""
        return len(self.index)


@dataclass(frozen=True)
class Sample:
    """Sampled rows of the real, synthetic and holdout side, with one dictionary per discrete column.

    Attributes
    ----------
    roles : dict
        Role per column; only columns that real and synthetic share.
    dictionaries : dict of tuple of str
        Per categorical, boolean, id or text column: its distinct values over all sides, sorted.
    decimals : dict of int
        Per numerical column: decimal places seen in real and holdout (at most 15).
    real, synthetic : SampleSide
    holdout : SampleSide or None
    seed : int
    """

    roles: Mapping[str, Role]
    dictionaries: Mapping[str, tuple[str, ...]]
    decimals: Mapping[str, int]
    real: SampleSide
    synthetic: SampleSide
    holdout: SampleSide | None
    seed: int
    _derived: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def derive(self, name: str, make: Callable[[Sample], T]) -> T:
        """Return ``make(self)``, computed at most once per `name`."""
        if name not in self._derived:
            self._derived[name] = make(self)
        return cast(T, self._derived[name])

    def find(self, name: str, kind: type[T]) -> T | None:
        """Return what was derived under `name` before, if anything was."""
        found = self._derived.get(name)
        return found if isinstance(found, kind) else None

    def rng(self, purpose: str) -> np.random.Generator:
        """Return a generator of its own for `purpose`, so that no check moves another's numbers."""
        return np.random.default_rng([self.seed, *purpose.encode()])
