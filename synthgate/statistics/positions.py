"""The scale from floor to ceiling on which scores are judged."""

from __future__ import annotations

from synthgate.findings import Estimate, Position
from synthgate.statistics.distances import Distance, Reference
from synthgate.statistics.intervals import z_value


def place(
    distance: Distance,
    fresh: Reference,
    careless: float,
    z: float,
    *,
    least: float,
    most: float = 1.0,
    design: float = 1.0,
    gap: float = 0.0,
) -> Estimate:
    """Turn a distance into a score (one minus it) placed between floor and ceiling.

    Parameters
    ----------
    distance : Distance
        Of real and synthetic, in [0, 1].
    fresh : Reference
        Distance that fresh real rows of the same number show: one minus its mean is the ceiling.
    careless : float
        Distance that a careless generator shows: one minus it is the floor.
    z : float
        Normal quantile of the interval.
    least, most : float
        Bounds on the length of the scale. Where the careless draw happens to be nearly right, a
        generator is careless when it is `least` worse than fresh rows; where it is absurdly wrong,
        being `most` worse is careless enough.
    design : float
        How much farther apart real samples lie than independent rows would (1, or more when rows come in groups);
        the ceiling is lowered and the interval widened by it.
    gap : float
        Bound on how far suppression in a profile moved the distance; added to the interval on both sides.

    Returns
    -------
    Estimate
        With the position's interval: that of the distance, and the spread of the ceiling.
    """
    fresh = Reference(min(1.0, fresh.mean * design), fresh.spread)
    scale = min(max(careless - fresh.mean, least), most)
    half = z * max(distance.error, fresh.spread) * design + gap
    at = 1 - (distance.value - fresh.mean) / scale
    score = 1 - distance.value
    return Estimate(
        value=score,
        low=max(0.0, score - half),
        high=min(1.0, score + half),
        method=f"delta method on counts, normal, z = {z:.2f}"
        + (f", widened by {gap:.2g} for suppression" if gap else ""),
        ceiling=1 - fresh.mean,
        floor=1 - fresh.mean - scale,
        position=_clipped(at, at - half / scale, at + half / scale),
    )


def average(
    estimates: list[Estimate],
    *,
    least: float,
    half: float | None = None,
    floors: list[float] | None = None,
    z: float = 1.0,
    gap: float = 0.0,
) -> Estimate:
    """Return the mean of scores with its place between the mean floor and the mean ceiling.

    Parameters
    ----------
    estimates : list of Estimate
        Whose intervals were made with the normal quantile `z`; the mean's is at 95 %.
    least : float
        Least length of the scale.
    half : float, optional
        Half width of the mean's interval. By default the parts' errors are averaged, which bounds the error
        of the mean whatever their dependence (Minkowski's inequality for standard deviations).
    floors : list of float, optional
        The parts' own floors, where their scales were lengthened; by default the estimates' floors.
    z : float
        Normal quantile of the parts' intervals, when `half` is not given.
    gap : float
        Mean of what suppression in a profile added to the parts' half widths: an error that another quantile does
        not make smaller. Not used when `half` is given.
    """
    n = len(estimates)
    shrink = z_value() / z
    value = sum(e.value for e in estimates) / n
    kept = (1 - shrink) * gap
    low = value - (shrink * sum(e.value - e.low for e in estimates) / n + kept if half is None else half)
    high = value + (shrink * sum(e.high - e.value for e in estimates) / n + kept if half is None else half)
    ceiling = sum(e.ceiling for e in estimates if e.ceiling is not None) / n
    floor = sum(floors if floors is not None else [e.floor for e in estimates if e.floor is not None]) / n
    scale = max(ceiling - floor, least)
    place_of = [1 - (ceiling - score) / scale for score in (value, low, high)]
    return Estimate(
        value=value,
        low=max(0.0, low),
        high=min(1.0, high),
        method="mean of the parts' intervals, 95 %" if half is None else "delete-a-group jackknife, Student's t, 95 %",
        ceiling=ceiling,
        floor=ceiling - scale,
        position=_clipped(*place_of),
    )


def _clipped(value: float, low: float, high: float) -> Position:
    """Keep a position on the scale: nothing is worse than careless, nothing better than real rows."""
    value, low, high = (min(1.0, max(0.0, part)) for part in (value, low, high))
    return Position(value=value, low=low, high=high)


def ratio_estimate(ratio: float, low: float, high: float, z: float) -> Estimate:
    """Return how much of a count that should be there is there, in [0, 1], with the interval of a ratio of counts."""
    return Estimate(
        value=ratio,
        low=max(0.0, min(low, 1.0)),
        high=min(1.0, high),
        method=f"conditional binomial (Clopper-Pearson), z = {z:.2f}",
        ceiling=1.0,
        floor=0.0,
    )
