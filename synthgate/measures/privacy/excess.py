"""How many hits does chance not explain? Exact lower bounds, with a holdout and without one.

Real rows that the synthetic table hits are exchangeable between training and holdout when the
generator copied nothing: given which real rows are hit, whose they are is a hypergeometric draw.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from synthgate.measures.privacy.inference import lower_share

LEAST_HITS = 3


@dataclass(frozen=True, slots=True)
class Excess:
    """Hits on training rows against hits that chance explains.

    Attributes
    ----------
    hits : int
        Training subjects (rows or values) that are hit.
    expected : float
        Hits that chance explains, at the observed rate of the yardstick.
    proven : float
        Lower bound of the hits beyond chance; 0 when there may be none.
    p : float
        Exact one-sided p-value of no excess.
    ratio : float
        Lower bound of how many times more often training subjects are hit than others; 0 where not computed.
    """

    hits: int
    expected: float
    proven: float
    p: float
    ratio: float = 0.0


def against_holdout(
    hits: tuple[int, int], subjects: tuple[int, int], alpha: float, *, least_ratio: float = 1.0, design: float = 1.0
) -> Excess:
    """Compare hits on training subjects with hits on holdout subjects.

    The p-value is hypergeometric given all hits. The bound is that of Clopper and Pearson for the
    share of hits that fall on training subjects, turned into a ratio of hit rates, and is positive
    only when the p-value is below `alpha` and there are at least 3 hits.

    Parameters
    ----------
    hits, subjects : tuple of int
        (training, holdout): how many are hit, and how many there are.
    alpha : float
        Error of the bound, in (0, 1).
    least_ratio : float
        The bound is 0 unless training subjects are hit so many times more often, at least 1.
    design : float
        Subjects count as so many times fewer where they come in groups.

    Examples
    --------
    >>> against_holdout((50, 0), (5000, 5000), 1e-4).proven > 35
    True
    >>> against_holdout((8, 9), (5000, 5000), 1e-4).proven
    0.0
    """
    from scipy.stats import hypergeom

    (x, y), (n, m) = hits, subjects
    if not x or not n or not m:
        return Excess(x, float(x) if not m else y * n / m, 0.0, 1.0)
    apart = [floor(count / design) for count in (x, n)] + [ceil(count / design) for count in (y, m)]
    p = float(hypergeom.sf(apart[0] - 1, apart[1] + apart[3], apart[1], apart[0] + apart[2]))
    low = lower_share(apart[0], apart[2], alpha)
    ratio = low / (1 - low) * m / n if low < 1 else float("inf")
    proven = x * (1 - 1 / ratio) if ratio > least_ratio and p < alpha and apart[0] >= LEAST_HITS else 0.0
    return Excess(x, y * n / m, proven, p)


def against_strata(hits: int, drawn: NDArray[np.int64], totals: NDArray[np.int64], alpha: float) -> Excess:
    """Compare draws from training and holdout subjects within strata, as :func:`against_holdout` does in one.

    The p-value is that of a sum of hypergeometric counts, exact. The bound is that of Clopper and Pearson, which
    a sum of such counts keeps (Hoeffding 1956, Annals of Mathematical Statistics 27, 713-721).

    Parameters
    ----------
    hits : int
        Training subjects among those drawn.
    drawn : int64 array, shape (strata,)
        How many are drawn of each stratum.
    totals : int64 array, shape (2, strata)
        Training and holdout subjects of each stratum.
    alpha : float
        Error of the bound, in (0, 1).

    Examples
    --------
    >>> one = against_strata(50, np.array([52]), np.array([[500], [500]]), 1e-4)
    >>> one.p < 1e-4, one.proven > 30
    (True, True)
    """
    chances = np.ones(1)
    expected = 0.0
    for k, n, m in zip(drawn.tolist(), *totals.tolist(), strict=True):
        if k:
            chances = np.convolve(chances, _hypergeometric(k, n, m))
            expected += k * n / (n + m)
    k = int(drawn.sum())
    p = min(1.0, float(chances[hits:].sum()))
    if not hits or expected >= k:
        return Excess(hits, expected, 0.0, 1.0)
    low = lower_share(hits, k - hits, alpha)
    ratio = low / (1 - low) * (k - expected) / expected if low < 1 else float("inf")
    proven = hits * (1 - 1 / ratio) if ratio > 1 and p < alpha and hits >= LEAST_HITS else 0.0
    return Excess(hits, expected, proven, p, ratio)


def _hypergeometric(k: int, n: int, m: int) -> NDArray[np.float64]:
    """Return the probabilities of 0 to k training subjects among k drawn of n training and m other ones."""
    from scipy.special import gammaln

    def chosen(total: int, of: NDArray[np.int64] | int) -> NDArray[np.float64]:
        ways: NDArray[np.float64] = gammaln(total + 1) - gammaln(np.add(of, 1)) - gammaln(np.subtract(total + 1, of))
        return ways

    x = np.arange(max(0, k - m), min(k, n) + 1)
    chances = np.zeros(k + 1)
    chances[x] = np.exp(chosen(n, x) + chosen(m, k - x) - chosen(n + m, k))
    return chances


def surest_run(totals: NDArray[np.int64], alpha: float) -> int:
    """Return how many subjects drawn must all be training ones for the draw to be less likely than `alpha`.

    Parameters
    ----------
    totals : int64 array, shape (2,)
        Training and holdout subjects; all training ones and one more where no draw is that unlikely.
    alpha : float
        In (0, 1).

    Examples
    --------
    >>> surest_run(np.array([5000, 5000]), 1e-4)
    14
    """
    n, total = int(totals[0]), int(totals.sum())
    chance, k = 1.0, 0
    while chance >= alpha and k < n:
        chance *= (n - k) / (total - k)
        k += 1
    return k if chance < alpha else n + 1


def against_coincidence(hits: int, pairs: int, rows: tuple[int, int], alpha: float) -> Excess:
    """Compare hits on subjects that are unique in the training rows with coincidences inside them.

    Good's estimate of the chance that a fresh row equals one seen exactly once is `2 pairs / n`, with
    `pairs` the number of values seen exactly twice (Good 1953, Biometrika 40, 237-264). Hits of
    s fresh rows and pairs are then Poisson with means in the ratio `2 s / n` to 1, and given their sum
    the hits are binomial.

    Parameters
    ----------
    hits : int
        Different training subjects seen once that are hit.
    pairs : int
        Training subjects seen exactly twice.
    rows : tuple of int
        (synthetic, training) rows.
    alpha : float
        Error of the bound, in (0, 1).
    """
    from scipy.stats import binom

    s, n = rows
    if not hits or not n:
        return Excess(hits, 0.0, 0.0, 1.0)
    odds = 2 * s / n
    p = float(binom.sf(hits - 1, hits + pairs, odds / (1 + odds)))
    low = lower_share(hits, pairs, alpha)
    ratio = low / (1 - low) / odds if low < 1 else float("inf")
    proven = hits * (1 - 1 / ratio) if ratio > 1 and p < alpha and hits >= LEAST_HITS else 0.0
    return Excess(hits, pairs * odds, proven, p)


def against_space(hits: int, draws: tuple[int, int], space: float) -> float:
    """Return the Poisson p-value of that many coincidences of two sets of random numbers in one range.

    Parameters
    ----------
    hits : int
        Numbers in both sets.
    draws : tuple of int
        Sizes of the sets.
    space : float
        How many numbers the range holds.
    """
    from scipy.stats import poisson

    return float(poisson.sf(hits - 1, draws[0] * draws[1] / max(1.0, space)))
