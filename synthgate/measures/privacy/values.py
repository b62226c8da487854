"""Values and ids of single columns that leak: reproduced from the training rows beyond chance."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthgate.findings import Estimate, Limit, Measured
from synthgate.measures.privacy.encodings import Encoding
from synthgate.measures.privacy.excess import LEAST_HITS, Excess, against_coincidence, against_holdout, against_space
from synthgate.measures.privacy.inference import rounded, shown
from synthgate.roles import Role
from synthgate.sample import Sample

Codes = NDArray[Any]

NOTHING = Excess(0, 0.0, 0.0, 1.0)
FEW_VALUES = 20
DENSE = 0.01
GAPLESS = 0.9
NUMBERED = re.compile(r"^(.*?)(\d{1,18})$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What the findings of single columns may show.

    Attributes
    ----------
    alpha : float
        Error of all of them together on fresh real rows.
    value_effect : float
        Largest share of the values that only training rows hold that may be reproduced beyond chance.
    text_share : float
        The same for whole texts.
    """

    alpha: float
    value_effect: float
    text_share: float


def value_leaks(encoding: Encoding, allowance: Allowance) -> list[Measured]:
    """Test each column with many values: are values that only training rows hold reproduced?

    With a holdout, values that occur on one real side only are exchangeable unless they leaked.
    Without one, values seen once are held against the rate of values seen twice.
    """
    wide = [at for at, column in enumerate(encoding.columns) if np.count_nonzero(column.counts) > FEW_VALUES]
    out = []
    for at in wide:
        found = _leak(encoding, at, allowance, allowance.alpha / len(wide))
        if found is not None:
            out.append(found)
    return out


def _leak(encoding: Encoding, at: int, allowance: Allowance, alpha: float) -> Measured | None:
    column = encoding.columns[at]
    real, synthetic, holdout = (_counts(encoding, side, at) for side in ("real", "synthetic", "holdout"))
    real[-1] = synthetic[-1] = 0
    if encoding.holdout is not None:
        only, other = (real > 0) & (holdout == 0), (holdout > 0) & (real == 0)
        other[-1] = False
        hits = (int((only & (synthetic > 0)).sum()), int((other & (synthetic > 0)).sum()))
        subjects = (int(only.sum()), int(other.sum()))
        excess = against_holdout(hits, subjects, alpha, design=_group_size(encoding))
        kind, yard = "only training rows hold", f"of the holdout's own {_rate(hits[1], subjects[1])}"
    else:
        only = real == 1
        hits = (int((only & (synthetic > 0)).sum()), 0)
        subjects = (int(only.sum()), 0)
        rows = (len(encoding.synthetic), len(encoding.real))
        excess = against_coincidence(hits[0], int((real == 2).sum()), rows, alpha)
        kind, yard = "occur once in the training rows", f"chance explains {_rate(excess.expected, subjects[0])}"
    if subjects[0] < LEAST_HITS:
        return None
    is_text = column.role is Role.TEXT
    share = excess.proven / subjects[0]
    return Measured(
        metric="text_leak" if is_text else "value_leak",
        message=f"{_rate(hits[0], subjects[0])} of the {subjects[0]:,} values that {kind} are reproduced, {yard}",
        estimate=bound(share, alpha),
        columns=(column.name,),
        limit=Limit(max=allowance.text_share if is_text else allowance.value_effect),
        details={
            "training_only": subjects[0],
            "holdout_only": subjects[1],
            "reproduced": shown(hits[0]),
            "reproduced_holdout": shown(hits[1]),
            "p": rounded(excess.p, 5),
        },
    )


def _group_size(encoding: Encoding) -> float:
    """Return the mean number of rows of a group: the values of one group are hit or missed together."""
    if encoding.grouped_by is None:
        return 1.0
    return len(encoding.real) / max(1, len(np.unique(encoding.real.groups)))


def bound(value: float, alpha: float) -> Estimate:
    """Return a lower confidence bound as the whole interval: what is shown, not what is likely."""
    low = rounded(value, 6)
    return Estimate(value=low, low=low, high=low, method=f"exact lower bound, error {alpha:.1g}; 0: none shown")


def _rate(part: float, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "0.0%"


def _counts(encoding: Encoding, side: str, at: int) -> NDArray[np.int64]:
    rows = getattr(encoding, side)
    card = encoding.columns[at].card
    return np.zeros(card, np.int64) if rows is None else np.bincount(rows.codes[at], minlength=card)


def id_leaks(sample: Sample, alpha: float, grouped_by: str | None = None, *, is_fair: bool = True) -> list[Measured]:
    """Test each id column, and the one that names groups: does a synthetic row carry the id of a training row?

    Ids that merely count, or that are dense in their range of numbers, coincide harmlessly and are not
    judged. Numbers drawn from a wide range are held against the coincidences of random draws;
    any other id of a training row that appears in the synthetic table is a leak by itself. Ids that repeat
    are compared with those of the holdout, unless that is no fair control.
    """
    names = [name for name, role in sample.roles.items() if role is Role.ID or name == grouped_by]
    out = []
    for name in names:
        found = _id_leak(sample, name, alpha / len(names), is_group=name == grouped_by, is_fair=is_fair)
        if found is not None:
            out.append(found)
    return out


def _id_leak(sample: Sample, name: str, alpha: float, *, is_group: bool, is_fair: bool) -> Measured | None:
    real = _known(sample.real.columns[name])
    mine = np.unique(real)
    synthetic = np.unique(_known(sample.synthetic.columns[name]))
    others = np.unique(_known(sample.holdout.columns[name])) if sample.holdout else np.zeros(0, np.int64)
    if not len(mine) or not len(synthetic):
        return None
    hit = np.intersect1d(mine, synthetic)
    is_key = (is_group or len(mine) == len(real)) and not len(np.intersect1d(mine, others))
    others = others if is_fair else others[:0]
    excess, harmless = _judge_ids(sample.dictionaries[name], (mine, synthetic, others), hit, alpha, is_key=is_key)
    message = f"{shown(len(hit))} of the {len(mine):,} different ids of the training rows occur in the synthetic table"
    if harmless:
        message += f"; not judged: {harmless}"
    return Measured(
        metric="id_leak",
        message=message,
        estimate=bound(excess.proven / len(synthetic), alpha),
        columns=(name,),
        limit=Limit(max=0.0),
        judged=not harmless,
        details={"hits": shown(len(hit)), "p": rounded(excess.p, 5)},
    )


def _judge_ids(
    labels: Sequence[str], ids: tuple[Codes, Codes, Codes], hit: Codes, alpha: float, *, is_key: bool
) -> tuple[Excess, str]:
    """Return the excess of id hits, and why they are harmless (empty when they are not)."""
    mine, synthetic, others = ids
    if not len(hit):
        return NOTHING, ""
    if is_key:
        return _judge_keys(labels, mine, synthetic, len(hit), alpha)
    if not len(others):
        return NOTHING, "the ids are not unique in the training rows, and no holdout says how often they coincide"
    own = (np.setdiff1d(mine, others), np.setdiff1d(others, mine))
    hits = (len(np.intersect1d(own[0], synthetic)), len(np.intersect1d(own[1], synthetic)))
    return against_holdout(hits, (len(own[0]), len(own[1])), alpha), ""


def _judge_keys(labels: Sequence[str], mine: Codes, synthetic: Codes, hits: int, alpha: float) -> tuple[Excess, str]:
    numbers = [_numbers(labels, side) for side in (mine, synthetic)]
    if numbers[0] is None or numbers[1] is None:
        return Excess(hits, 0.0, float(hits), 0.0), ""
    space = _spread(numbers[0])
    if len(mine) >= DENSE * space:
        return NOTHING, "the ids are numbered densely, so that equal ones mean nothing"
    if len(synthetic) >= GAPLESS * _spread(numbers[1]):
        return NOTHING, "the synthetic ids merely count, so that equal ones mean nothing"
    expected = len(mine) * len(synthetic) / space
    p = against_space(hits, (len(mine), len(synthetic)), space)
    return Excess(hits, expected, max(0.0, hits - 2 * expected) if p < alpha else 0.0, p), ""


def _known(codes: Codes) -> Codes:
    return codes[codes >= 0]


def _spread(numbers: NDArray[np.float64]) -> float:
    return float(numbers.max() - numbers.min()) + 1


def _numbers(labels: Sequence[str], codes: Codes) -> NDArray[np.float64] | None:
    """Return the numbers of ids that are one prefix and a number each, or None."""
    matches = [NUMBERED.match(labels[code]) for code in codes]
    found = [match for match in matches if match is not None]
    if len(found) < len(matches) or len({match[1] for match in found}) > 1:
        return None
    return np.array([float(match[2]) for match in found])
