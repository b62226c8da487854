"""Near copies: whose rows do those synthetic rows point at that come suspiciously close to one real row?

Which real row a synthetic row comes closest to, and how suspiciously, does not depend on whose the real
row is. The real rows named first, in the order of suspicion, are therefore a hypergeometric draw from
training and holdout rows unless the generator copied. A leak of few people is seen among the first few
named, however little it moves an average over all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np

from synthgate.findings import Estimate, Measured
from synthgate.measures.privacy.attacks import agreement_weights
from synthgate.measures.privacy.encodings import Encoding, Floats, Rows, is_among
from synthgate.measures.privacy.excess import LEAST_HITS, Excess, against_strata, surest_run
from synthgate.measures.privacy.inference import Flags, Places, rounded, shown
from synthgate.measures.privacy.links import fit_of
from synthgate.measures.privacy.neighbours import agreement_index, distance_index, lead_of_best, nearest
from synthgate.measures.privacy.panel import Panel, join
from synthgate.measures.privacy.sides import Sides, copies_found
from synthgate.measures.privacy.slices import Slice

NEAR_ROWS = (10_000, 15_000)
NEAR_PAIRS = 7.5e8
NEAR_ALPHA = 6.25e-4
KIND_ALPHA = 2e-5
NEXT = 5
STEP = 1.4
MOST_NAMED = 0.2
MOST_OF_KIND = 0.5
LEAST_RATIO = 1.25
DRIFTED_RATIO = 2.0
CLEAR_RATIO = 2.0
STRICT_RATIO = 4.0
RANKINGS = 5
ROUNDED = 6


@dataclass(frozen=True, slots=True)
class Pool:
    """The real rows that can be named.

    Attributes
    ----------
    rows : Rows
        Different rows of one real side only, in the order of their hashes.
    subject : int64 array, shape (rows,)
        What is counted: the row, or its group.
    is_training : bool array, shape (subjects,)
    stratum : int64 array, shape (subjects,)
        Subjects are compared within strata; -1 for those that are not compared.
    """

    rows: Rows
    subject: Places
    is_training: Flags
    stratum: Places


@dataclass(frozen=True, slots=True)
class Ranking:
    """Real rows as synthetic rows name them, the most suspicious synthetic row first.

    Attributes
    ----------
    words : str
        What the synthetic rows do to the real rows, {}.
    at : int64 array
        Places in the pool, with repetitions.
    by : int64 array
        The synthetic row that names each, by its place among the different ones.
    scale : float
        Synthetic rows for each one asked.
    """

    words: str
    at: Places
    by: Places
    scale: float


@dataclass(frozen=True, slots=True)
class Allowed:
    """What near copies may show.

    Attributes
    ----------
    share : float
        Share of the synthetic rows that may be shown to be near copies.
    strict_share : float
        The same where the rows named are training rows at least 4 times as often as chance has it.
    """

    share: float
    strict_share: float


def near_copies(
    encoding: Encoding,
    sides: Sides,
    allowed: Allowed,
    *,
    kinds: Sequence[Slice] = (),
    drifted: tuple[Panel, Places] | None = None,
) -> list[Measured]:
    """Test near copies by five rankings, and return the share of nearest rows for comparison.

    Parameters
    ----------
    encoding : Encoding
    sides : Sides
        Each with a row at least.
    allowed : Allowed
    kinds : sequence of Slice
        Kinds of different synthetic rows, each of which is looked at by itself too: a group that alone was memorised
        stands at the top of what its like name, not of what all rows name.
    drifted : tuple of Panel and int64 array, or None
        Where the holdout is no random part: the queried real rows and the stratum of each. Rows are then compared
        within strata, only those of the panel count, and by the lower bound they must be training rows at least twice
        as often as chance has it.
    """
    pool = make_pool(sides, drifted)
    ranked, share = _rank(encoding, sides, pool)
    least = LEAST_RATIO if drifted is None else DRIFTED_RATIO
    totals = _totals(pool)
    found = [_strongest(one, pool, totals, (sides, allowed), least) for one in ranked]
    return [*found, *share, *_in_kinds(ranked, kinds, pool, (sides, allowed))]


def make_pool(sides: Sides, drifted: tuple[Panel, Places] | None = None) -> Pool:
    """Return the real rows of one side only, in the order of their hashes, with what is counted of them."""
    rows = join(sides.training, sides.holdout)
    is_training = np.repeat([True, False], [len(sides.training), len(sides.holdout)])
    order = np.argsort(rows.hashes, kind="stable")
    rows, is_training = rows.take(order), is_training[order]
    if sides.grouped_by is not None:
        _, first, subject = np.unique(rows.groups, return_index=True, return_inverse=True)
        return Pool(rows, subject, is_training[first], np.zeros(len(first), np.int64))
    stratum = np.zeros(len(rows), np.int64)
    if drifted is not None:
        panel, strata = drifted
        known = np.argsort(panel.queries.hashes, kind="stable")
        at = np.minimum(np.searchsorted(panel.queries.hashes[known], rows.hashes), len(known) - 1)
        stratum = np.where(panel.queries.hashes[known[at]] == rows.hashes, strata[known[at]], -1)
    return Pool(rows, np.arange(len(rows)), is_training, stratum)


def _rank(encoding: Encoding, sides: Sides, pool: Pool) -> tuple[list[Ranking], list[Measured]]:
    """Rank synthetic rows by distance, where they equal no real row, and by agreement, equal ones included."""
    asked = sides.synthetic.take(slice(0, most_asked(len(pool.rows))))
    rankings: list[Ranking] = []
    share: list[Measured] = []
    other = ~(is_among(sides.synthetic, encoding.real) | is_among(sides.synthetic, encoding.holdout or encoding.real))
    by = np.flatnonzero(other[: len(asked)])
    if len(by):
        inexact = asked.take(by)
        distances, at = nearest(inexact, distance_index(pool.rows, encoding), 1 + NEXT)
        scale = float(other.sum()) / len(by)
        rankings += _ranked(by_distance(distances), at[:, 0], by, scale)
        rankings += _ranked(*by_fit(inexact, pool.rows, at, encoding), by, scale)
        votes = np.bincount(at[:, 0], minlength=len(pool.rows)).astype(np.float64)
        share.append(dcr_share(votes, pool.is_training[pool.subject]))
    weights = agreement_weights(encoding, asked, pool.rows)
    score, best, lead = lead_of_best(asked, agreement_index(pool.rows, encoding), weights)
    scale = len(sides.synthetic) / len(asked)
    rankings += _ranked(by_agreement(score, lead), best, np.arange(len(asked)), scale)
    return rankings, share


def most_asked(real_rows: int) -> int:
    """Return how many synthetic rows to ask, a random part where there are more: 15,000, or 10,000 of large tables."""
    return int(min(NEAR_ROWS[1], max(NEAR_ROWS[0], NEAR_PAIRS / max(1, real_rows))))


def _ranked(orders: Sequence[tuple[str, Floats]], at: Places, by: Places, scale: float) -> Iterator[Ranking]:
    for words, suspicion in orders:
        order = np.argsort(suspicion, kind="stable")
        yield Ranking(words, at[order], by[order], scale)


def by_distance(distances: Floats) -> list[tuple[str, Floats]]:
    """Return two orders of suspicion: the distance to the nearest row, plain and against the next rows.

    A row moved a little lies close to where it came from, on the whole or against how far the next ones are.

    Parameters
    ----------
    distances : float64 array, shape (rows, 1 + next)
        Rising.

    Returns
    -------
    list of (str, float64 array)
        What rows do to the one they name, {}, and how suspicious that is: lower is more suspicious.
    """
    nearest_one, others = distances[:, 0], distances[:, 1:].mean(axis=1) if distances.shape[1] > 1 else distances[:, 0]
    against = np.divide(nearest_one, others, out=np.ones_like(others), where=others > 0)
    return [("lie closest to {}", nearest_one), ("lie closest to {}, as measured by the next rows", against)]


def by_fit(queries: Rows, real: Rows, at: Places, encoding: Encoding) -> tuple[list[tuple[str, Floats]], Places]:
    """Return the order of suspicion of how unlikely a random row fits the best of the nearest rows as well, and which.

    An unusual row that was moved a little lies no closer than others in the crowd, but few rows lie as close to
    its values.

    Parameters
    ----------
    queries, real : Rows
    at : int64 array, shape (queries, nearest)
        Places of the nearest real rows.
    encoding : Encoding
    """
    fits = np.stack([fit_of(queries, real.take(near), encoding) for near in at.T], axis=1).round(ROUNDED)
    best = fits.argmax(axis=1)
    each = np.arange(len(queries))
    return [("share, or nearly share, the most unusual cells with {}", -fits[each, best])], at[each, best]


def by_agreement(score: Floats, lead: Floats) -> list[tuple[str, Floats]]:
    """Return two orders of suspicion: the surprisal of the cells shared with the best row, and its lead."""
    return [
        ("share the most unusual cells with {}", -np.round(score, ROUNDED)),
        ("share far more unusual cells with {} than with any other real row", -lead),
    ]


@dataclass(frozen=True, slots=True)
class Tested:
    """The first rows of a list, tested.

    Attributes
    ----------
    strict : bool
        Whether no good fit explains them.
    excess : Excess
    named : int
        Length of the list.
    alpha : float
        Error of this test.
    """

    strict: bool
    excess: Excess
    named: int
    alpha: float

    @property
    def strength(self) -> tuple[bool, float, float]:
        """What tests are compared by."""
        return self.strict, self.excess.proven, -self.excess.p / self.alpha


def _strongest(
    ranking: Ranking, pool: Pool, totals: Places, limits: tuple[Sides, Allowed], least_ratio: float
) -> Measured:
    """Test the first rows named, at several lengths of the list, and return the test that shows most."""
    tested = _test(ranking.at, pool, totals, NEAR_ALPHA / RANKINGS, least_ratio)
    return _told(ranking, tested, *limits)


def _test(at: Places, pool: Pool, totals: Places, alpha: float, least_ratio: float, part: float = MOST_NAMED) -> Tested:
    """Test the first rows named, at several lengths of the list, and return the test that shows most.

    The error is spent on the lengths as ``1 / ((i + 1) (i + 2))``: half of it on the shortest that can show
    anything, since a leak of many needs little.
    """
    named = _first_named(pool.subject[at])
    named = named[pool.stratum[named] >= 0]
    of_training, strata = pool.is_training[named], pool.stratum[named]
    first = surest_run(totals.sum(axis=1), alpha / 2)
    tried: list[Tested] = []
    for i, k in enumerate(lengths(first, len(named), part)):
        here = np.bincount(strata[:k], minlength=totals.shape[1])
        spent = alpha / ((i + 1) * (i + 2))
        excess = against_strata(int(of_training[:k].sum()), here, totals, spent)
        tried.append(Tested(*judged(excess, k, least_ratio, spent), k, spent))
    return max(tried, key=lambda one: one.strength)


def _in_kinds(
    ranked: Sequence[Ranking], kinds: Sequence[Slice], pool: Pool, limits: tuple[Sides, Allowed]
) -> list[Measured]:
    """Test what synthetic rows of each kind name, and return the test that shows most, as a share of that kind."""
    totals = _totals(pool)
    alpha = KIND_ALPHA / (RANKINGS * max(1, len(kinds)))
    best: tuple[Tested, Ranking, Slice] | None = None
    for ranking in ranked:
        for kind in kinds:
            at = ranking.at[kind.kept[ranking.by]]
            if len(at):
                tested = _test(at, pool, totals, alpha, LEAST_RATIO, MOST_OF_KIND)
                if best is None or tested.strength > best[0].strength:
                    best = tested, ranking, kind
    if best is None:
        return []
    tested, ranking, kind = best
    scale = limits[0].scale / max(1, int(kind.kept.sum()))
    among = replace(ranking, words=f"among the {kind.words} {ranking.words}", scale=scale)
    return [replace(_told(among, tested, *limits, error=KIND_ALPHA), columns=kind.columns)]


def surest_near(subjects: Places | tuple[int, int]) -> int:
    """Return how many training subjects, named before any of the holdout, show near copies.

    Parameters
    ----------
    subjects : int64 array, shape (2,), or tuple of int
        Training and holdout subjects.
    """
    return surest_run(np.asarray(subjects), NEAR_ALPHA / RANKINGS / 2)


def judged(excess: Excess, k: int, least_ratio: float, alpha: float) -> tuple[bool, Excess]:
    """Tell whether rows are named too one-sidedly for a good fit, else deduct what a good fit alone explains.

    The p-value is exact, and sharper than the bound beside a small holdout: where it shows copies, one is there.

    Parameters
    ----------
    excess : Excess
        Of :func:`against_strata`.
    k : int
        Real rows named.
    least_ratio : float
        How many times more often than by chance training rows must be named, by the lower bound, unless they are named
        twice as often beyond doubt.
    alpha : float
        Error of the test, in (0, 1).
    """
    odds, even = excess.hits * (k - excess.expected), (k - excess.hits) * excess.expected
    is_shown = excess.p < alpha and excess.hits >= LEAST_HITS
    may_be_short = least_ratio <= LEAST_RATIO or excess.ratio >= least_ratio
    if is_shown and may_be_short and odds >= STRICT_RATIO * even:
        return True, replace(excess, proven=max(1.0, excess.proven))
    enough = excess.ratio >= least_ratio or (is_shown and may_be_short and odds >= CLEAR_RATIO * even)
    return False, excess if enough else replace(excess, proven=0.0)


def _told(ranking: Ranking, tested: Tested, sides: Sides, allowed: Allowed, *, error: float = NEAR_ALPHA) -> Measured:
    excess, k = tested.excess, tested.named
    words = ranking.words.replace("{}", "them")
    message = (
        f"of the first {k:,} real {sides.unit} in the order in which synthetic rows {words}, {shown(excess.hits)} are "
        f"training {sides.unit} and {shown(k - excess.hits)} of the holdout"
    )
    scale = sides.scale / (ranking.scale if sides.grouped_by is None else 1.0)
    limit = allowed.strict_share if tested.strict else allowed.share
    made = copies_found("near_copies", message, excess, scale, limit, tested.alpha)
    adjusted = min(1.0, excess.p * error / tested.alpha)
    return replace(made, details={**made.details, "level": words, "named": k, "p_adjusted": rounded(adjusted, 5)})


def _first_named(subjects: Places) -> Places:
    _, first = np.unique(subjects, return_index=True)
    return subjects[np.sort(first)]


def _totals(pool: Pool) -> Places:
    """Return how many subjects of training (first row) and holdout (second row) each stratum holds."""
    known = pool.stratum >= 0
    width = int(pool.stratum.max(initial=0)) + 1
    sides = (known & pool.is_training, known & ~pool.is_training)
    return np.stack([np.bincount(pool.stratum[side], minlength=width) for side in sides])


def lengths(first: int, named: int, part: float = MOST_NAMED) -> Sequence[int]:
    """Return how many rows of a list to look at: `first`, then about 1.4 times as many, up to a part of the list."""
    most = max(min(first, named), round(part * named))
    found = [min(first, named)]
    while found[-1] < most:
        found.append(min(most, round(found[-1] * STEP + 1)))
    return found


def dcr_share(votes: Floats, is_training: Flags) -> Measured:
    """Return the share of synthetic rows nearer to training than to holdout rows, for comparison with other tools.

    Many synthetic rows can share one nearest real row, so the variance is that of the votes under permuted
    labels, not a binomial one.

    Parameters
    ----------
    votes : float64 array, shape (real rows,)
        How many synthetic rows each real row is nearest to.
    is_training : bool array, shape (real rows,)
    """
    total, n, m = len(votes), int(is_training.sum()), int((~is_training).sum())
    share = float(votes[is_training].sum() / votes.sum())
    expected = n / total
    variance = n * m / (total * (total - 1.0)) * float(np.square(votes - votes.mean()).sum()) / votes.sum() ** 2
    z = (share - expected) / sqrt(variance) if variance > 0 else 0.0
    half = 1.96 * sqrt(variance)
    return Measured(
        metric="dcr_share",
        message=(
            f"{share:.1%} of the synthetic rows that copy no real row exactly are nearest to a training row, "
            f"{expected:.1%} would be by chance (shown for comparison, never judged: it misses most leaks)"
        ),
        estimate=Estimate(
            value=rounded(share),
            low=rounded(share - half),
            high=rounded(share + half),
            method="permutation of labels, 95 %",
            ceiling=rounded(expected),
        ),
        judged=False,
        details={"z": rounded(z, 2), "expected": rounded(expected)},
    )
