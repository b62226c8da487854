"""Short numbers that stand between two others, so that neither need be told."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

DIGITS = 17
DAY = 86_400_000_000
DATE_UNITS = (DAY, DAY // 24, DAY // 1440, 1_000_000)
"""Day, hour, minute and second, in microseconds."""


def between(low: FloatArray, high: FloatArray, *, dates: bool = False) -> FloatArray:
    """Return the shortest decimals strictly between `low` and `high`, near their middles.

    Parameters
    ----------
    low, high : float64 array
        Finite, ``low < high``.
    dates : bool
        The numbers are microseconds since 1970: whole days, hours, minutes or seconds go first.

    Returns
    -------
    float64 array
        NaN where no number lies between.

    Examples
    --------
    >>> between(np.array([25.0, 0.131]), np.array([40.0, 0.1377]))
    array([30.   ,  0.134])
    """
    middle = low / 2 + high / 2
    out = np.full(len(middle), np.nan)

    def offer(candidate: FloatArray) -> None:
        fits = np.isnan(out) & (candidate > low) & (candidate < high)
        out[fits] = candidate[fits]

    with np.errstate(over="ignore", invalid="ignore"):
        for unit in DATE_UNITS if dates else ():
            offer(np.rint(middle / unit) * unit)
        gap = np.maximum(high / 2 - low / 2, np.finfo(np.float64).tiny)
        first = np.clip(np.ceil(np.log10(gap)), -290, 308)
        for step in range(DIGITS):
            if not np.isnan(out).any():
                break
            offer(to_power(middle, first - step))
    offer(middle)
    return out


def to_power(values: FloatArray, power: FloatArray) -> FloatArray:
    """Round to the nearest multiple of ten to the `power`, exact to the last digit of the decimal."""
    coarse, fine = 10.0 ** np.maximum(power, 0), 10.0 ** np.maximum(-power, 0)
    rounded: FloatArray = np.where(power >= 0, np.rint(values / coarse) * coarse, np.rint(values * fine) / fine)
    return rounded
