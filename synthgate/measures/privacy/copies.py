"""Copies: are training rows in the synthetic table, exactly or nearly?

Every count is held against how often chance alone hits a real row: the holdout's rows, which the
generator never saw, or without a holdout the coincidences within the training rows. Each finding's
value is an exact lower bound: copies that are shown, so that coincidences are never accused.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from synthgate.catalogue import Options, measure
from synthgate.findings import Estimate, Json, Ledger, Limit, Measured, Measurement, Position
from synthgate.measures.privacy.attacks import agreement_weights
from synthgate.measures.privacy.audit import unfair
from synthgate.measures.privacy.encodings import Encoding, Floats, Rows, distinct_rows, encode, is_among
from synthgate.measures.privacy.excess import Excess, against_coincidence, against_holdout
from synthgate.measures.privacy.inference import Flags, Places, rounded, shown
from synthgate.measures.privacy.neighbours import agreement_index, best_agreement, distance_index, nearest
from synthgate.measures.privacy.panel import join
from synthgate.measures.privacy.values import Allowance, bound, id_leaks, value_leaks
from synthgate.sample import Sample

if TYPE_CHECKING:
    from synthgate.evidence import Evidence

ROW_ALPHA = 1e-4
VALUE_ALPHA = 2e-4
MAX_NEAR = 10_000
NEAR_ALPHA = 5e-4
NEXT = 5
LEAST_CLOSEST = 20
STEP = 4
MOST_CLOSEST = 0.2
ALL_BUT = (1, 3)
LEAST_RATIO = 1.25


@dataclass(frozen=True, slots=True)
class Sides:
    """Different rows of each side, rows that both real sides hold set apart.

    Attributes
    ----------
    training, holdout : Rows
        On that real side only.
    training_seen, holdout_seen : int64 array
        How often each occurs.
    synthetic : Rows
    synthetic_seen : int64 array
    shared : int
        Different rows on both real sides.
    grouped_by : str or None
        The column that says which rows belong together: groups are then counted instead of rows.
    """

    training: Rows
    training_seen: Places
    holdout: Rows
    holdout_seen: Places
    synthetic: Rows
    synthetic_seen: Places
    shared: int
    grouped_by: str | None

    @property
    def unit(self) -> str:
        """What is counted."""
        return "rows" if self.grouped_by is None else f"groups (by {self.grouped_by!r})"

    def count(self, rows: Rows, flags: Flags | None = None) -> int:
        """Count rows, or the groups that they are of."""
        if self.grouped_by is not None:
            return len(np.unique(rows.groups if flags is None else rows.groups[flags]))
        return len(rows) if flags is None else int(flags.sum())

    @property
    def scale(self) -> int:
        """What counts of copies are a share of: different synthetic rows, or training groups."""
        return max(1, len(self.synthetic) if self.grouped_by is None else self.count(self.training))


def split_sides(encoding: Encoding) -> Sides:
    """Return the different rows of each side."""
    training, training_seen = distinct_rows(encoding.real)
    synthetic, synthetic_seen = distinct_rows(encoding.synthetic)
    holdout, holdout_seen = distinct_rows(encoding.holdout or encoding.real.take(np.zeros(0, np.int64)))
    mine, theirs = ~is_among(training, holdout), ~is_among(holdout, training)
    return Sides(
        training.take(mine),
        training_seen[mine],
        holdout.take(theirs),
        holdout_seen[theirs],
        synthetic,
        synthetic_seen,
        int((~mine).sum()),
        encoding.grouped_by,
    )


@measure("privacy.copies", max_share=0.002, max_rare_share=0.0, max_value_share=0.1)
def copies(evidence: Evidence, options: Options) -> Measurement:
    """Look for training rows, values and ids in the synthetic table, beyond what chance explains.

    Options
    -------
    max_share : float
        Largest share of the synthetic rows that may be shown to copy a training row, exactly or nearly.
    max_rare_share : float
        The same for exact copies of rows too unusual to be met by chance.
    max_value_share : float
        Largest share of a column's values known to training rows only that may be shown to leak.
    """
    named = {"max_share": 0.002, "max_rare_share": 0.0, "max_value_share": 0.1}
    limits = {name: float(str(options.get(name, default))) for name, default in named.items()}
    return assess(evidence.sample, limits["max_share"], limits["max_rare_share"], limits["max_value_share"])


def assess(
    sample: Sample, max_share: float = 0.002, max_rare_share: float = 0.0, max_value_share: float = 0.1
) -> Measurement:
    """Measure copies on a sample; see :func:`copies`."""
    encoding = encode(sample)
    ids = id_leaks(sample, ROW_ALPHA, encoding.grouped_by)
    if not len(encoding.real) or not len(encoding.synthetic) or not (encoding.columns or ids):
        return Measurement.missing("no column varies on the two sides, so there is nothing that could be copied")
    limits = (max_share, max_rare_share, max_value_share)
    findings = _copies(sample, encoding, limits)
    if encoding.holdout is not None and any(_is_accused(f) for f in (*findings, *ids)):
        doubted = unfair(sample)
        if doubted is not None:
            ids = id_leaks(sample, ROW_ALPHA, encoding.grouped_by, is_fair=False)
            encoding = replace(encoding, holdout=None)
            findings = [*_copies(sample, encoding, limits)[:-1], _undecided(doubted)]
    findings += ids
    sides = split_sides(encoding)
    rows = [f for f in findings if f.metric in ("copied_rows", "copied_rare_rows", "near_copies") and f.estimate]
    share = max((f.estimate.value for f in rows if f.estimate), default=0.0)
    return Measurement(
        reason=_reason(findings),
        findings=tuple(findings),
        score=_score(share),
        ledger=Ledger(sum(f.judged and f.not_assessed is None for f in findings), encoding.skipped),
        power=_power(encoding, sides),
        details=_details(encoding, sides),
    )


def _copies(sample: Sample, encoding: Encoding, limits: tuple[float, float, float]) -> list[Measured]:
    """Test exact copies, values and near copies, in this order."""
    if not encoding.columns:
        return []
    max_share, max_rare_share, max_value_share = limits
    sides = split_sides(encoding)
    return [
        *_row_copies(encoding, sides, max_share, max_rare_share),
        *value_leaks(encoding, Allowance(VALUE_ALPHA, max_value_share, max_share)),
        *_near_copies(encoding, sides, sample, max_share),
    ]


def _is_accused(found: Measured) -> bool:
    return found.judged and found.estimate is not None and found.estimate.low > _allowed(found)


def _undecided(doubted: str) -> Measured:
    """Say that near copies cannot be told, which leaves the check open."""
    why = f"{doubted}, so closeness to training rows proves nothing; exact copies were held against the training rows"
    return Measured(metric="near_copies", message=why, not_assessed=why, decides=True)


def _score(share: float) -> Estimate:
    """Return the largest shown share of copies; on the scale of positions, 1 is none and 0 is every row."""
    at = 1 - min(1.0, share)
    made = bound(share, ROW_ALPHA)
    position = Position(value=at, low=at, high=at)
    return Estimate(value=made.value, low=made.low, high=made.high, method=made.method, ceiling=0.0, position=position)


def _hits(sides: Sides) -> tuple[Flags, Flags]:
    return is_among(sides.training, sides.synthetic), is_among(sides.holdout, sides.synthetic)


def _row_copies(encoding: Encoding, sides: Sides, max_share: float, max_rare_share: float) -> list[Measured]:
    """Test exact copies: all rows of one real side only, then those unique there and too unusual for chance."""
    mine, theirs = _hits(sides)
    everything = _exact(encoding, sides, mine, theirs)
    needed = np.log(max(2, len(sides.synthetic))) + np.log(max(2, len(sides.training) + len(sides.holdout)))
    rare_mine = (sides.training_seen == 1) & (encoding.surprisal(sides.training) >= needed)
    rare_theirs = (sides.holdout_seen == 1) & (encoding.surprisal(sides.holdout) >= needed)
    rare = _exact(encoding, sides, mine & rare_mine, theirs & rare_theirs, (rare_mine, rare_theirs))
    yard = _yardstick(encoding, everything, sides.count(sides.holdout, theirs), sides.count(sides.holdout))
    first = (
        f"{shown(everything.hits)} of the {sides.count(sides.training):,} training {sides.unit} that the holdout "
        f"does not hold occur in the synthetic table; {yard}"
    )
    there = (sides.count(sides.holdout, theirs & rare_theirs), sides.count(sides.holdout, rare_theirs))
    second = (
        f"{shown(rare.hits)} of the {sides.count(sides.training, rare_mine):,} training {sides.unit} that are unique "
        f"and too unusual to be met by chance occur in the synthetic table; {_yardstick(encoding, rare, *there)}"
    )
    return [
        _found("copied_rows", first, everything, sides, max_share),
        _found("copied_rare_rows", second, rare, sides, max_rare_share),
    ]


def _exact(
    encoding: Encoding, sides: Sides, mine: Flags, theirs: Flags, among: tuple[Flags, Flags] | None = None
) -> Excess:
    if encoding.holdout is not None:
        every = among or (np.ones_like(mine), np.ones_like(theirs))
        subjects = (sides.count(sides.training, every[0]), sides.count(sides.holdout, every[1]))
        hits = (sides.count(sides.training, mine), sides.count(sides.holdout, theirs))
        return against_holdout(hits, subjects, ROW_ALPHA)
    once = (sides.training_seen == 1) & mine
    twice = sides.training_seen == 2
    if among is not None:
        needed = encoding.surprisal(sides.training)
        twice &= needed >= needed[among[0]].min(initial=np.inf)
    rows = (len(encoding.synthetic), len(encoding.real))
    return against_coincidence(int(once.sum()), int(twice.sum()), rows, ROW_ALPHA)


def _yardstick(encoding: Encoding, excess: Excess, hits: int, subjects: int) -> str:
    if encoding.holdout is not None:
        return f"so do {shown(hits)} of {subjects:,} of the holdout"
    return f"coincidences among the training rows explain about {excess.expected:,.0f}"


def _found(metric: str, message: str, excess: Excess, sides: Sides, allowed: float) -> Measured:
    return Measured(
        metric=metric,
        message=message + (f"; at least {int(excess.proven):,} are copies" if excess.proven >= 1 else ""),
        estimate=bound(excess.proven / sides.scale, ROW_ALPHA),
        limit=Limit(max=allowed),
        details={
            "hits": shown(excess.hits),
            "by_chance": rounded(excess.expected, 0),
            "shown": int(excess.proven),
            "p": rounded(excess.p, 5),
        },
    )


def _near_copies(encoding: Encoding, sides: Sides, sample: Sample, max_share: float) -> list[Measured]:
    """Test near copies: whose rows are the nearest real rows of those synthetic rows that come closest?

    Which real row is nearest, and which synthetic rows come closest, does not depend on whose the real rows
    are, so that the different rows named are a hypergeometric draw unless the generator copied.
    """
    if encoding.holdout is None or not len(sides.training) or not len(sides.holdout):
        why = "near copies need a holdout: without one, closeness cannot tell memory from good fidelity"
        return [Measured(metric="near_copies", message=why, not_assessed=why)]
    pool = join(sides.training, sides.holdout)
    is_training = np.repeat([True, False], [len(sides.training), len(sides.holdout)])
    order = np.argsort(pool.hashes, kind="stable")
    pool, is_training = pool.take(order), is_training[order]
    inexact = ~(is_among(sides.synthetic, encoding.real) | is_among(sides.synthetic, encoding.holdout))
    asked = sides.synthetic.take(np.flatnonzero(inexact)[:MAX_NEAR])
    if not len(asked):
        return []
    scale = float(inexact.sum()) / len(asked)
    distances, at = nearest(asked, distance_index(pool, encoding), 1 + NEXT)
    levels = [*_agreeing(encoding, asked, pool, sides), *_closest(distances, at[:, 0])]
    votes = np.bincount(at[:, 0], minlength=len(pool)).astype(np.float64)
    allowance = _Near(scale, max_share, NEAR_ALPHA / max(1, len(levels)))
    return [
        *(_near(name, pool, hit, is_training, sides, allowance) for name, hit in levels),
        dcr_share(votes, is_training),
    ]


def _agreeing(encoding: Encoding, asked: Rows, pool: Rows, sides: Sides) -> list[tuple[str, Places]]:
    """Return the real rows that synthetic rows share nearly all cells with, at several levels."""
    weights = agreement_weights(encoding, asked, pool)
    score, at = best_agreement(asked, agreement_index(pool, encoding), weights)
    partners = pool.take(at)
    cells = np.sum([a == b for a, b in zip(asked.codes, partners.codes, strict=True)], axis=0)
    width = len(encoding.columns)
    levels = [
        (f"agree in all cells but {'one' if miss == 1 else f'at most {miss}'}", at[cells >= width - miss])
        for miss in ALL_BUT
        if width > 2 * miss + 1
    ]
    needed = np.log(max(2, len(sides.synthetic))) + np.log(max(2, len(pool)))
    unusual = (score >= needed) & (2 * cells >= width)
    return [*levels, ("share half of their cells or more, too unusual ones for chance", at[unusual])]


def _closest(distances: Floats, at: Places) -> list[tuple[str, Places]]:
    """Return the nearest real rows of the synthetic rows that come closest to one, at several sizes.

    A row moved a little lies close to where it came from, on the whole or as measured by the next real rows.
    """
    nearest_one, others = distances[:, 0], distances[:, 1:].mean(axis=1)
    against = np.divide(nearest_one, others, out=np.ones_like(others), where=others > 0)
    levels = []
    for words, closeness in (("", nearest_one), (", as measured by the next real rows", against)):
        order = np.argsort(closeness, kind="stable")
        levels += [(f"are the {size:,} closest of all{words}", at[order[:size]]) for size in _sizes(len(at))]
    return levels


def _sizes(rows: int) -> list[int]:
    """Return 20, 80, 320 and so on up to a fifth of the rows, and that fifth."""
    most = min(rows, max(LEAST_CLOSEST, round(MOST_CLOSEST * rows)))
    sizes = [LEAST_CLOSEST]
    while sizes[-1] * STEP < most:
        sizes.append(sizes[-1] * STEP)
    return sorted({*(min(size, most) for size in sizes), most})


@dataclass(frozen=True, slots=True)
class _Near:
    """How one level of nearness is judged.

    Attributes
    ----------
    scale : float
        Synthetic rows for each one asked.
    allowed : float
        Share of them that may be shown to be copies.
    alpha : float
        Error of the level.
    """

    scale: float
    allowed: float
    alpha: float


def _near(name: str, pool: Rows, hit: Places, is_training: Flags, sides: Sides, how: _Near) -> Measured:
    """Test one level of nearness; a good fit alone comes somewhat nearer to training rows, so that is allowed for."""
    named = np.zeros(len(pool), np.bool_)
    named[hit] = True
    x, y = sides.count(pool, named & is_training), sides.count(pool, named & ~is_training)
    subjects = (sides.count(sides.training), sides.count(sides.holdout))
    excess = against_holdout((x, y), subjects, how.alpha, least_ratio=LEAST_RATIO)
    message = (
        f"of the synthetic rows that {name}, the nearest real rows are {shown(x)} different training {sides.unit} "
        f"and {shown(y)} of the holdout"
    )
    made = _found("near_copies", message, excess, sides, how.allowed)
    share = excess.proven * (how.scale if sides.grouped_by is None else 1.0) / sides.scale
    return replace(made, estimate=bound(share, how.alpha), details={**made.details, "level": name})


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


def _reason(findings: list[Measured]) -> str:
    worst = [f for f in findings if _is_accused(f)]
    if not worst:
        return "no training row, value or id is copied beyond what chance explains"
    return worst[0].message


def _allowed(found: Measured) -> float:
    return found.limit.max if found.limit and found.limit.max is not None else 0.0


def _power(encoding: Encoding, sides: Sides) -> str:
    n, m = sides.count(sides.training), sides.count(sides.holdout)
    if encoding.holdout is None:
        return (
            "without a holdout, exact copies of unique rows and values are compared with coincidences among the "
            "training rows; near copies are not tested, and a generator that invents many values can hide leaks"
        )
    for hits in range(3, 1_000):
        if against_holdout((hits, 0), (n, m), ROW_ALPHA).proven > 0:
            return (
                f"{hits} different training {sides.unit} copied exactly, with no holdout row met by chance, are shown "
                f"as copies; fewer, or rows changed in many cells, are not: see privacy.membership"
            )
    return f"with {m:,} holdout {sides.unit} against {n:,} in training no number of copies can be told from chance"


def _details(encoding: Encoding, sides: Sides) -> dict[str, Json]:
    return {
        "columns_compared": len(encoding.columns),
        "training_only": len(sides.training),
        "holdout_only": len(sides.holdout),
        "on_both_sides": shown(sides.shared),
        "synthetic_different": len(sides.synthetic),
        "synthetic_repeated": shown(len(encoding.synthetic) - len(sides.synthetic)),
    }
