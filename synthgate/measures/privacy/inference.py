"""Statistics of attacks: AUC with DeLong's variance, rates at low false-positive rates, exact tests.

Scores of different folds are never compared: statistics are means over strata (folds, or folds
by drift decile), and pooled curves use ranks within each fold.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, floor, log, sqrt

import numpy as np
from numpy.typing import NDArray

from synthgate.findings import Json
from synthgate.measures.privacy.encodings import Floats
from synthgate.statistics.intervals import wilson

Flags = NDArray[np.bool_]
Places = NDArray[np.int64]

FALSE_POSITIVE_RATES = (0.001, 0.01, 0.1)
LEAST_FALSE_POSITIVES = 10
RANK_SHARES = (0.001, 0.003, 0.01, 0.03, 0.1)
ROC_POINTS = 60
LEAST_SPREAD = 0.75
DRAWS = 20_000
TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Ties:
    """Pairs of a member and another that score alike, and the variances of the shares of the other pairs.

    Attributes
    ----------
    share : float
        Share of pairs that tie.
    wins, losses, both : float
        Variances of the shares of pairs won and lost, and their covariance.
    fewest : float
        One by the size of the smaller side: the variance of a share per ``p (1 - p)`` where no pair is won.
    """

    share: float
    wins: float
    losses: float
    both: float
    fewest: float

    def times(self, factor: float) -> Ties:
        """Return the same share with variances multiplied."""
        return Ties(self.share, self.wins * factor, self.losses * factor, self.both * factor, self.fewest * factor)


NO_TIES = Ties(0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Auc:
    """An AUC with its estimated variance, and its variance under exchangeable labels.

    Attributes
    ----------
    value : float
    variance, null_variance : float
        `variance` holds two pseudo-observations a side, since DeLong's is too small for small samples.
    design : float
        How many times rows that come in groups raise the variance; 1 for independent rows.
    ties : Ties
        Its variances are raised by the design too.
    """

    value: float
    variance: float
    null_variance: float
    design: float = 1.0
    ties: Ties = NO_TIES


def auc(positive: Floats, negative: Floats, units: tuple[Places, Places] | None = None) -> Auc:
    """Return the AUC of two samples of scores, ties counted half.

    The variance is that of DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44, 837-845, computed
    from mid-ranks, its components added up within groups of rows (Obuchowski 1997, Biometrics 53, 567-578);
    the null variance is that of the rank sum under permuted labels, given the ties, widened alike.

    Parameters
    ----------
    positive, negative : float64 array
    units : tuple of int64 array, or None
        The group of each positive and negative, when rows come in groups.

    Examples
    --------
    >>> auc(np.array([2.0, 3.0, 4.0]), np.array([0.0, 1.0, 3.0])).value.__round__(4)
    0.8333
    """
    from scipy.stats import rankdata

    n, m = len(positive), len(negative)
    ranks = rankdata(np.concatenate([positive, negative]))
    above = (ranks[:n] - rankdata(positive)) / m
    below = 1 - (ranks[n:] - rankdata(negative)) / n
    spread = float(np.square(ranks - ranks.mean()).sum())
    null = spread / ((n + m) * (n + m - 1.0) * n * m)
    if min(n, m) < 2:
        return Auc(float(above.mean()), null, null, 1.0, _without_ties(null, n, m))
    value = float(above.mean())
    variance = float(above.var(ddof=1) / n + below.var(ddof=1) / m) + _pseudo(value, n, m)
    design = 1.0
    if units is not None and variance > 0:
        grouped = _grouped_variance(above, units[0]) + _grouped_variance(below, units[1])
        design = max(1.0, grouped / variance)
    ties = _ties(positive, negative, above, below) or _without_ties(variance, n, m)
    return Auc(value, variance * design, null * design, design, ties.times(design))


def _pseudo(share: float, n: int, m: int) -> float:
    """Return what two pseudo-observations a side add to the variance of a share of pairs."""
    return 2 * share * (1 - share) * (1 / (n * (n - 1)) + 1 / (m * (m - 1)))


def _without_ties(variance: float, n: int, m: int) -> Ties:
    """Return what holds where nothing ties: what is not won is lost."""
    return Ties(0.0, variance, variance, -variance, 1 / max(1, min(n, m)))


def _ties(positive: Floats, negative: Floats, above: Floats, below: Floats) -> Ties | None:
    """Return the ties of two samples, given the share of the other sample that each lies above or below, or None."""
    n, m = len(positive), len(negative)
    sides = []
    for own, other in ((positive, negative), (negative, positive)):
        ordered = np.sort(other)
        sides.append(np.searchsorted(ordered, own, side="right") - np.searchsorted(ordered, own, side="left"))
    half, half_below = sides[0] / (2 * m), sides[1] / (2 * n)
    if not half.any():
        return None
    won, lost = above - half, 1 - above - half
    won_below, lost_below = below - half_below, 1 - below - half_below
    spread = np.cov(won, lost) / n + np.cov(won_below, lost_below) / m
    wins, losses = (float(spread[i, i]) + _pseudo(float(side.mean()), n, m) for i, side in ((0, won), (1, lost)))
    return Ties(float(2 * half.mean()), wins, losses, float(spread[0, 1]), 1 / min(n, m))


def auc_bounds(found: Auc, z_low: float, z_high: float, factor: float = 1.0) -> tuple[float, float]:
    """Return score bounds of an AUC, which hold at small samples and near 1, where the normal ones do not.

    Bounds are those of a share (Wilson 1927, Journal of the American Statistical Association 22, 209-212) of as many
    trials as would have the variance of the AUC: a binormal AUC near 1 has at most 4/3 as many as one under no leak.
    Where scores tie, the shares of pairs won and lost have such bounds each, and half their difference the bounds that
    these give together (MOVER with correlation: Zou 2007, Psychological Methods 12, 399-413): for a yes or no that of
    Newcombe (1998), for scores without ties the same as above.

    Parameters
    ----------
    found : Auc
    z_low, z_high : float
        Normal quantile of each bound.
    factor : float
        What the standard error is multiplied by.

    Examples
    --------
    >>> low, high = auc_bounds(Auc(0.5, 0.01**2, 0.01**2), 1.96, 1.96)
    >>> round(low, 3), round(high, 3)
    (0.48, 0.52)
    """
    ties, least = found.ties, 4 * LEAST_SPREAD * found.null_variance
    if not ties.share:
        each = _each(found.value, found.variance, least, 0.0) * factor**2
        return _bound(found.value, each, z_low)[0], _bound(found.value, each, z_high)[1]
    won, lost = found.value - ties.share / 2, 1 - found.value - ties.share / 2
    up, down = (
        _each(share, variance, least, ties.fewest) * factor**2
        for share, variance in ((won, ties.wins), (lost, ties.losses))
    )
    together = ties.both / sqrt(ties.wins * ties.losses) if ties.wins * ties.losses > 0 else 0.0
    low = won - _bound(won, up, z_low)[0], _bound(lost, down, z_low)[1] - lost
    high = _bound(won, up, z_high)[1] - won, lost - _bound(lost, down, z_high)[0]
    return found.value - _half(low, together), found.value + _half(high, together)


def _each(share: float, variance: float, least: float, empty: float) -> float:
    """Return the variance of a share per ``p (1 - p)``, `empty` at least where it is 0 or 1."""
    spread = share * (1 - share)
    return max(variance / spread, least) if spread > TINY else max(empty, least)


def _bound(share: float, each: float, z: float) -> tuple[float, float]:
    return wilson(share / each, 1 / each, z) if each > 0 else (share, share)


def _half(ways: tuple[float, float], together: float) -> float:
    """Return how far half the difference of two shares may lie off, given how far each may and their correlation."""
    first, second = ways
    return sqrt(max(0.0, first * first - 2 * together * first * second + second * second)) / 2


def _grouped_variance(parts: Floats, units: Places) -> float:
    """Return the variance of a mean of parts that are independent between groups only."""
    _, place = np.unique(units, return_inverse=True)
    sums = np.bincount(place, weights=parts - parts.mean())
    groups = max(2, len(sums))
    return float(groups / (groups - 1) * np.square(sums).sum() / len(parts) ** 2)


def stratified_auc(scores: Floats, member: Flags, strata: Places, units: Places | None = None) -> Auc:
    """Return the mean AUC within strata, weighted by what each can tell, `n m / (n + m)`.

    For folds of one size that is the plain mean.
    """
    total = value = variance = null = independent = 0.0
    ties = np.zeros(5)
    for stratum in np.unique(strata):
        here = strata == stratum
        mine, others = here & member, here & ~member
        if not mine.any() or not others.any():
            continue
        n, m = int(mine.sum()), int(others.sum())
        weight = n * m / (n + m)
        part = auc(scores[mine], scores[others], None if units is None else (units[mine], units[others]))
        total += weight
        value += weight * part.value
        variance += weight**2 * part.variance
        independent += weight**2 * part.variance / part.design
        null += weight**2 * part.null_variance
        tied = part.ties.times(weight**2)
        ties += np.array([weight * tied.share, tied.wins, tied.losses, tied.both, tied.fewest])
    if not total:
        return Auc(0.5, 0.25, 0.25)
    design = variance / independent if independent > 0 else 1.0
    ties[0] *= total
    return Auc(value / total, variance / total**2, null / total**2, design, Ties(*(ties / total**2).tolist()))


def fold_ranks(scores: Floats, fold: Places, rng: np.random.Generator) -> Floats:
    """Return each record's rank within its fold, in (0, 1), ties broken at random."""
    ranks = np.empty(len(scores))
    for f in np.unique(fold):
        here = np.flatnonzero(fold == f)
        order = np.lexsort((rng.random(len(here)), scores[here]))
        ranks[here[order]] = (np.arange(len(here)) + 0.5) / len(here)
    return ranks


@dataclass(frozen=True, slots=True)
class Rate:
    """The share of members found at a fixed rate of false positives.

    Attributes
    ----------
    value, low, high : float
        With one-sided bounds that hold at the asked level each.
    p : float
        Exact probability of at least this many members under exchangeable labels.
    """

    value: float
    low: float
    high: float
    p: float


def rate_at(
    ranks: Floats, member: Flags, allowed: float, tail: float, rng: np.random.Generator, *, design: float = 1.0
) -> Rate | None:
    """Return the true-positive rate at a false-positive rate, or None where too few false positives exist.

    With k = floor(allowed * m), a member counts when it ranks above the (k + 1)-th best non-member.
    Under exchangeable labels that count is beta-binomial. The bounds combine what is not known: how many
    non-members lie above the threshold that has exactly `allowed` false positives, a binomial count, and the share of
    members above it, with the two beta laws that Clopper and Pearson (1934, Biometrika 26, 404-413) bound a share by.

    Parameters
    ----------
    ranks : float64 array
        Without ties.
    member : bool array
    allowed : float
        The false-positive rate, in (0, 1).
    tail : float
        Error of each bound, in (0, 0.5).
    rng : Generator
    design : float
        Rows count as so many times fewer where they come in groups.
    """
    from scipy.stats import betabinom

    n, m = int(member.sum()), int((~member).sum())
    k = floor(allowed * m + 1e-9)
    if k < LEAST_FALSE_POSITIVES * design or n < LEAST_FALSE_POSITIVES * design:
        return None
    thresholds = np.sort(ranks[~member])[::-1]
    mine = np.sort(ranks[member])
    above = n - np.searchsorted(mine, thresholds, side="right")
    count = int(above[k])
    independent = max(1, round(n / design))
    false = np.minimum(m, np.round(rng.binomial(max(1, round(m / design)), k / m, DRAWS) * design)).astype(np.int64)
    beyond = np.concatenate([[0], above, [n]])
    fewer, more = (beyond[false + side] / n * independent for side in (0, 1))
    low = np.quantile(rng.beta(np.maximum(fewer, TINY), independent - fewer + 1), tail)
    high = np.quantile(rng.beta(more + 1, np.maximum(independent - more, TINY)), 1 - tail)
    value = count / n
    p = float(betabinom.sf(round(count / design) - 1, independent, (k + 1) / design, (m - k) / design))
    return Rate(value, min(value, float(low)), max(value, float(high)), p)


def roc(ranks: Floats, member: Flags) -> list[list[float]]:
    """Return at most 60 points of the ROC curve, evenly spaced in log false-positive rate from 1/m to 1."""
    n, m = int(member.sum()), int((~member).sum())
    thresholds = np.sort(ranks[~member])[::-1]
    mine = np.sort(ranks[member])
    counts = np.unique(np.geomspace(1, m, ROC_POINTS).round().astype(np.int64))
    found = n - np.searchsorted(mine, thresholds[counts - 1], side="left")
    return [[round(float(c / m), 6), round(float(t / n), 4)] for c, t in zip(counts, found, strict=True)]


def advantage(ranks: Floats, member: Flags, design: float = 1.0) -> tuple[float, float]:
    """Return the largest TPR - FPR over thresholds, and its one-sided p-value (Smirnov, large samples)."""
    n, m = int(member.sum()), int((~member).sum())
    best_first = member[np.argsort(-ranks)]
    gap = max(0.0, float((np.cumsum(best_first) / n - np.cumsum(~best_first) / m).max()))
    return gap, exp(-2 * gap * gap * n * m / (n + m) / design)


def lower_share(hits: int, misses: int, alpha: float) -> float:
    """Return the exact lower bound of a binomial share (Clopper and Pearson 1934, Biometrika 26, 404-413)."""
    from scipy.special import betaincinv

    return float(betaincinv(hits, misses + 1, alpha)) if hits else 0.0


def epsilon_bound(ranks: Floats, member: Flags, alpha: float) -> dict[str, float]:
    """Return the largest lower bound on epsilon over the top shares of the ranking.

    One training run: among the r highest ranks the number of members is stochastically at most
    Binomial(r, q e^eps / (1 - q + q e^eps)) for an (eps, 0)-private generator, q being the share of
    members (Steinke, Nasr and Jagielski 2023, arXiv 2305.08846). `alpha` is shared over the shares.
    """
    total = len(ranks)
    prior = float(member.mean())
    ordered = member[np.argsort(-ranks)]
    best = {"value": 0.0, "guesses": 0.0, "correct": 0.0}
    for share in RANK_SHARES:
        r = round(share * total)
        correct = int(ordered[:r].sum())
        low = lower_share(correct, r - correct, alpha / len(RANK_SHARES)) if r else 0.0
        if low > prior:
            bound = log(low / (1 - low)) - log(prior / (1 - prior))
            if bound > best["value"]:
                best = {"value": bound, "guesses": float(r), "correct": float(correct)}
    return best


def detectable_auc(n: int, m: int, attacks: int) -> float:
    """Return the smallest AUC found with probability 0.9 at a shared level of 5 %, one-sided (Bonferroni)."""
    from scipy.special import ndtri

    return 0.5 + float(ndtri(1 - 0.05 / attacks) + ndtri(0.9)) * sqrt((n + m + 1) / (12 * n * m))


def detectable_rate(n: int, m: int, attacks: int, allowed: float = 0.01) -> float | None:
    """Return the smallest true-positive rate at `allowed` found with probability 0.9, or None if not estimable.

    The critical count is the exact beta-binomial one; its own spread under a true rate t is that of a
    binomial count plus that of the threshold, taken as proportional to t.
    """
    from scipy.stats import betabinom

    k = floor(allowed * m + 1e-9)
    if k < LEAST_FALSE_POSITIVES:
        return None
    critical = float(betabinom.isf(0.05 / attacks, n, k + 1, m - k)) / n
    rates = np.linspace(critical, 1, 20_001)
    spread = np.sqrt(rates * (1 - rates) / n + np.square(rates) * k / (2 * m * allowed) ** 2)
    enough = np.flatnonzero(rates - 1.2816 * spread >= critical)
    return float(rates[enough[0]]) if len(enough) else 1.0


def simultaneous_z(alpha: float, attacks: int) -> float:
    """Return the one-sided normal quantile for bounds that hold together (Bonferroni)."""
    from scipy.special import ndtri

    return float(ndtri(1 - alpha / attacks))


def rounded(value: float, digits: int = 3) -> float:
    """Round for the report: exact metrics can be used as an oracle on the training rows."""
    return round(float(value), digits)


def shown(count: int) -> Json:
    """Return a count for the report, with one or two hidden."""
    return "<3" if 0 < count < 3 else int(count)
