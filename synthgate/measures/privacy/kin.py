"""Near copies without a holdout: do synthetic rows come closer to training rows than those come to each other?

Fresh rows come as close to training rows as training rows do among themselves. Of s synthetic and n training
rows, close pairs across are to close pairs within as ``2 s`` to ``n``, or fewer, for a pair within can be found
from both ends: Good's estimate of coincidences (1953, Biometrika 40, 237-264), at any closeness. More pairs across
are near copies, or the work of a generator that repeats what occurs once by design, such as each country
once a year. Only a holdout tells these apart, so the answer leaves the check open.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, log

import numpy as np

from synthgate.findings import Measured
from synthgate.measures.privacy.attacks import agreement_weights
from synthgate.measures.privacy.encodings import Encoding, Floats, is_among
from synthgate.measures.privacy.inference import Places
from synthgate.measures.privacy.near import NEAR_ALPHA, NEXT, RANKINGS, by_agreement, by_distance, lengths, most_asked
from synthgate.measures.privacy.neighbours import agreement_index, distance_index, lead_of_best, nearest
from synthgate.measures.privacy.sides import Sides

LEAST_TRAINING = 20
NO_HOLDOUT = "near copies need a holdout: without one, closeness cannot tell memory from good fidelity"


def kin_copies(encoding: Encoding, sides: Sides) -> Measured:
    """Say that near copies cannot be judged, and leave the check open where close pairs across are too many."""
    found = None if sides.grouped_by is not None else _too_many(encoding, sides)
    if found is None:
        return Measured(metric="near_copies", message=NO_HOLDOUT, not_assessed=NO_HOLDOUT)
    words, across, k, expected = found
    why = (
        f"of the first {k:,} synthetic or other training rows that {words.format('a training row')}, {across:,} are "
        f"synthetic, where fresh rows bring {expected:,.0f} at most: near copies, or values that occur once by design; "
        "a holdout of as many rows as were trained on would settle it"
    )
    return Measured(metric="near_copies", message=why, not_assessed=why, decides=True)


def _too_many(encoding: Encoding, sides: Sides) -> tuple[str, int, int, float] | None:
    """Return the words, pairs across, all pairs and the most to expect of the list that shows most, or None."""
    from scipy.stats import binom

    if len(sides.training) < LEAST_TRAINING:
        return None
    best = None
    alpha = NEAR_ALPHA / RANKINGS
    for words, across, within, (asked, known) in _pairs(encoding, sides):
        # of equally close pairs those within come first
        is_across = np.repeat([False, True], [len(within), len(across)])
        is_across = is_across[np.lexsort((is_across, np.concatenate([within, across])))]
        share = 2 * asked / (2 * asked + known)
        for i, k in enumerate(lengths(ceil(log(alpha / 2) / log(share)), len(is_across))):
            x = int(is_across[:k].sum())
            p = float(binom.sf(x - 1, k, share)) * (i + 1) * (i + 2)
            if p < alpha and (best is None or p < best[0]):
                best = p, (words, x, k, k * share)
    return None if best is None else best[1]


def _pairs(encoding: Encoding, sides: Sides) -> Iterator[tuple[str, Floats, Floats, tuple[int, int]]]:
    """Yield per order of suspicion the words, how close pairs across and within are, and how many rows were asked."""
    training = sides.training
    most = most_asked(2 * len(training))
    synthetic = sides.synthetic.take(slice(0, most))
    synthetic = synthetic.take(~is_among(synthetic, encoding.real))
    if not len(synthetic):
        return
    own = np.arange(min(most, len(training)))
    asked = training.take(own)
    index = distance_index(training, encoding)
    across, at = nearest(synthetic, index, 1 + NEXT)
    within, others = _without_self(*nearest(asked, index, 2 + NEXT), own)
    sizes = len(synthetic), len(asked)
    for (words, mine), (_, theirs) in zip(by_distance(across), by_distance(within), strict=True):
        yield words, _closest(at[:, 0], mine), _closest(_pair(own, others), theirs), sizes
    weights = agreement_weights(encoding, synthetic, training)
    rows = agreement_index(training, encoding)
    score, best, lead = lead_of_best(synthetic, rows, weights)
    own_score, own_best, own_lead = lead_of_best(asked, rows, weights, skip=own)
    for (words, mine), (_, theirs) in zip(by_agreement(score, lead), by_agreement(own_score, own_lead), strict=True):
        yield words, _closest(best, mine), _closest(_pair(own, own_best), theirs), sizes


def _without_self(distances: Floats, at: Places, own: Places) -> tuple[Floats, Places]:
    """Drop each row from its own neighbours, or the farthest one where others lie in the same place."""
    is_self = at == own[:, None]
    is_self[~is_self.any(axis=1), -1] = True
    return distances[~is_self].reshape(len(own), -1), at[~is_self].reshape(len(own), -1)[:, 0]


def _pair(first: Places, second: Places) -> Places:
    """Return one number per pair of rows, the same from both ends."""
    pair: Places = np.minimum(first, second) * (int(max(first.max(), second.max())) + 1) + np.maximum(first, second)
    return pair


def _closest(named: Places, suspicion: Floats) -> Floats:
    """Return the suspicion of the most suspicious mention of each row or pair; lower is more suspicious."""
    order = np.lexsort((suspicion, named))
    first = np.append(True, named[order][1:] != named[order][:-1])
    kept: Floats = suspicion[order][first]
    return kept
