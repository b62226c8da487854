"""Copies: are training rows in the synthetic table, exactly or nearly?

Every count is held against how often chance alone hits a real row: the holdout's rows, which the
generator never saw, or without a holdout the coincidences within the training rows. Each finding's
value is an exact lower bound: copies that are shown, so that coincidences are never accused.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from synthgate.catalogue import Options, measure
from synthgate.findings import Estimate, Json, Ledger, Measured, Measurement, Position
from synthgate.measures.privacy.apart import apart_copies
from synthgate.measures.privacy.audit import audit_drift, audit_stage, unfair
from synthgate.measures.privacy.encodings import Encoding, encode, is_among
from synthgate.measures.privacy.excess import Excess, against_coincidence, against_holdout
from synthgate.measures.privacy.inference import Flags, shown
from synthgate.measures.privacy.kin import kin_copies
from synthgate.measures.privacy.near import Allowed, most_asked, near_copies, surest_near
from synthgate.measures.privacy.sides import Sides, copies_found, split_sides
from synthgate.measures.privacy.slices import synthetic_kinds
from synthgate.measures.privacy.values import Allowance, bound, id_leaks, value_leaks
from synthgate.sample import Sample

if TYPE_CHECKING:
    from synthgate.evidence import Evidence

ROW_ALPHA = 1e-4
COPY_ALPHA = 5e-4
"""Chance left to exact copies beside a holdout, where the test is exact: one in a hundred copied rows shows earlier."""
SMALL_HOLDOUT = 2
VALUE_ALPHA = 2e-4


@measure("privacy.copies", max_share=0.002, max_rare_share=0.0, max_value_share=0.1)
def copies(evidence: Evidence, options: Options) -> Measurement:
    """Look for training rows, values and ids in the synthetic table, beyond what chance explains.

    Options
    -------
    max_share : float
        Largest share of the synthetic rows that may be shown to copy a training row, exactly or nearly.
    max_rare_share : float
        The same for exact copies of rows too unusual to be met by chance, and for near copies where the real rows
        they point at are training rows at least 4 times as often as chance has it.
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
            near = _near_in_drift(sample, encoding, limits, doubted)
            encoding = replace(encoding, holdout=None)
            findings = [*_exactly(encoding, limits), *near]
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
    return [*_exactly(encoding, limits), *_near(sample, encoding, Allowed(limits[0], limits[1]))]


def _exactly(encoding: Encoding, limits: tuple[float, float, float]) -> list[Measured]:
    """Test exact copies and values."""
    max_share, max_rare_share, max_value_share = limits
    return [
        *_row_copies(encoding, split_sides(encoding), max_share, max_rare_share),
        *value_leaks(encoding, Allowance(VALUE_ALPHA, max_value_share, max_share)),
    ]


def _near(sample: Sample, encoding: Encoding, allowed: Allowed) -> list[Measured]:
    """Test near copies against the holdout, and where that is small or missing against the training rows too."""
    sides = split_sides(encoding)
    if encoding.holdout is None or not len(sides.training) or not len(sides.holdout):
        return [kin_copies(encoding, sides)]
    asked = sides.synthetic.take(slice(0, most_asked(len(sides.training) + len(sides.holdout))))
    kinds = synthetic_kinds(encoding, asked, sample)
    found = [
        *near_copies(encoding, sides, allowed, kinds=kinds),
        *apart_copies(sample, sides, allowed, ROW_ALPHA),
    ]
    if len(sides.training) <= SMALL_HOLDOUT * len(sides.holdout) or any(_is_accused(f) for f in found):
        return found
    other = kin_copies(encoding, sides)
    return [*found, other] if other.decides else found


def _is_accused(found: Measured) -> bool:
    return found.judged and found.estimate is not None and found.estimate.low > _allowed(found)


def _near_in_drift(
    sample: Sample, encoding: Encoding, limits: tuple[float, float, float], doubted: str
) -> list[Measured]:
    """Test near copies within tenths of what tells the real sides apart; they can fail so, but not pass."""
    drift = audit_drift(sample)
    if drift.is_clustered or drift.is_apart or encoding.grouped_by is not None or not encoding.columns:
        return [_undecided(doubted)]
    drifted = (audit_stage(sample).panel, drift.deciles)
    found = near_copies(encoding, split_sides(encoding), Allowed(limits[0], limits[1]), drifted=drifted)
    accused = [
        replace(f, message=f"{f.message}; compared within tenths of what tells the two apart, since {doubted}")
        for f in found
        if _is_accused(f)
    ]
    return accused or [_undecided(doubted)]


def _undecided(doubted: str) -> Measured:
    """Say that near copies cannot be told, which leaves the check open."""
    why = (
        f"{doubted}, so closeness to training rows proves little, and what it proves shows no near copies; a holdout "
        "drawn at random from the real rows before training would settle it. Exact copies were held against the "
        "training rows"
    )
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
    alpha = ROW_ALPHA if encoding.holdout is None else COPY_ALPHA
    return [
        copies_found("copied_rows", first, everything, sides.scale, max_share, alpha),
        copies_found("copied_rare_rows", second, rare, sides.scale, max_rare_share, alpha),
    ]


def _exact(
    encoding: Encoding, sides: Sides, mine: Flags, theirs: Flags, among: tuple[Flags, Flags] | None = None
) -> Excess:
    if encoding.holdout is not None:
        every = among or (np.ones_like(mine), np.ones_like(theirs))
        subjects = (sides.count(sides.training, every[0]), sides.count(sides.holdout, every[1]))
        hits = (sides.count(sides.training, mine), sides.count(sides.holdout, theirs))
        return against_holdout(hits, subjects, COPY_ALPHA)
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
            "training rows; near copies can only leave the check open, and a generator that invents many values can "
            "hide leaks"
        )
    for hits in range(3, 1_000):
        if against_holdout((hits, 0), (n, m), COPY_ALPHA).proven > 0:
            return (
                f"{hits} different training {sides.unit} copied exactly, with no holdout row met by chance, are shown "
                f"as copies, and {surest_near((n, m))} copied nearly, when no holdout row looks as suspicious; fewer, "
                "or rows changed in most cells, are not: see privacy.membership"
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
