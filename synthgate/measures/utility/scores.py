"""Scores of predictions on test rows, plain and under bootstrap weights.

Predictions are class probabilities of shape (rows, classes), or numbers of shape (rows,).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from synthgate.findings import Json
from synthgate.measures.fidelity.columns import SMALL_CELL

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

CHUNK = 1_000_000
TINY = 1e-6
LEAST_CHANCE = 1e-3
CALIBRATION_BINS = 10
SHOWN_CLASSES = 12


def resampling_weights(rng: np.random.Generator, rows: int, draws: int) -> FloatArray:
    """Return how often each row occurs in each bootstrap sample, shape (draws, rows)."""
    picks = rng.integers(0, rows, (draws, rows))
    return np.stack([np.bincount(pick, minlength=rows) for pick in picks]).astype(np.float64)


def auc(is_positive: NDArray[np.bool_], score: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the area under the ROC curve under each row of weights.

    The share of positive-negative pairs in which the positive scores higher, ties counting half
    (Hanley and McNeil 1982, Radiology 143, 29-36).

    Parameters
    ----------
    weights : float64 array, shape (draws, rows)
        Row weights; ones give the plain score.

    Returns
    -------
    float64 array, shape (draws,)
        In [0, 1]; NaN where one of the two classes has no weight.
    """
    order = np.argsort(score, kind="stable")
    ordered = score[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    hit = is_positive[order]
    out = np.empty(len(weights))
    step = max(1, CHUNK // max(1, len(score)))
    for at in range(0, len(weights), step):
        here = weights[at : at + step][:, order]
        positive, negative = np.where(hit, here, 0.0), np.where(hit, 0.0, here)
        if len(starts) < len(score):
            positive = np.add.reduceat(positive, starts, axis=1)
            negative = np.add.reduceat(negative, starts, axis=1)
        below = np.cumsum(negative, axis=1) - 0.5 * negative
        pairs = positive.sum(axis=1) * negative.sum(axis=1)
        won = (positive * below).sum(axis=1)
        out[at : at + step] = np.where(pairs > 0, won / np.where(pairs > 0, pairs, 1.0), np.nan)
    return out


def one_vs_rest_auc(truth: IntArray, chances: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the AUC of each class against the rest, weighted by the classes' shares of the test rows.

    With two classes this is the plain AUC. Classes without test rows, and draws that miss a class, are left out.
    """
    classes = chances.shape[1]
    if classes == 2:
        return auc(truth == 1, chances[:, 1], weights)
    shares = np.bincount(truth, minlength=classes) / len(truth)
    present = [k for k in range(classes) if 0 < shares[k] < 1]
    if not present:
        return np.full(len(weights), np.nan)
    each = np.stack([auc(truth == k, chances[:, k], weights) for k in present])
    share = np.where(np.isnan(each), 0.0, shares[present][:, None])
    total = share.sum(axis=0)
    return np.asarray((np.nan_to_num(each) * share).sum(axis=0) / np.where(total > 0, total, np.nan), np.float64)


def r_squared(truth: FloatArray, predicted: FloatArray, weights: FloatArray) -> FloatArray:
    """Return one minus the squared error over the test rows' own variance; 0 is the mean, NaN where nothing varies."""
    total = weights.sum(axis=1)
    mean = weights @ truth / total
    varied = weights @ truth**2 - total * mean**2
    wrong = weights @ (truth - predicted) ** 2
    return np.where(varied > 0, 1 - wrong / np.where(varied > 0, varied, 1.0), np.nan)


def confidence(truth: IntArray, chances: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the share of the log loss of the classes' plain shares that the stated chances save.

    ``1 - loss / loss of the shares``, with chances below 0.001 taken as that: 0 for a model that states the shares
    of the test rows, 1 for one that is always right and sure. It sees wrong probabilities where the AUC sees wrong
    order only (a proper score: Gneiting and Raftery 2007, Journal of the American Statistical Association 102,
    359-378).
    """
    shares = np.bincount(truth, minlength=chances.shape[1]) / len(truth)
    own = chances[np.arange(len(truth)), truth]
    loss = -np.log(np.clip(own, LEAST_CHANCE, 1.0))
    plain = -np.log(shares[truth])
    return np.asarray(1 - (weights @ loss) / np.maximum(weights @ plain, TINY), np.float64)


def skills(
    truth: NDArray[np.float64] | IntArray, predicted: FloatArray, weights: FloatArray | None = None
) -> FloatArray:
    """Return scores less those of chance, shape (scores, draws).

    AUC - 0.5 and :func:`confidence` of class probabilities; R2 of numbers.
    """
    ones = np.ones((1, len(truth))) if weights is None else weights
    if predicted.ndim == 2:
        classes = truth.astype(np.int64)
        return np.stack([one_vs_rest_auc(classes, predicted, ones) - 0.5, confidence(classes, predicted, ones)])
    return r_squared(truth.astype(np.float64), predicted, ones)[None, :]


def class_scores(truth: IntArray, chances: FloatArray) -> dict[str, float]:
    """Return the usual scores of class probabilities on test rows.

    ``average_precision`` is of the rarer class when there are two, else the classes' mean weighted by their
    shares; ``brier`` is the squared distance summed over classes (Brier 1950); ``f1`` and
    ``balanced_accuracy`` are means over the classes that the test rows hold.
    """
    classes = chances.shape[1]
    guess = chances.argmax(axis=1)
    counts = np.bincount(truth, minlength=classes)
    present = np.flatnonzero(counts)
    hits = np.bincount(truth[guess == truth], minlength=classes)
    guessed = np.bincount(guess, minlength=classes)
    recall = hits[present] / counts[present]
    f1 = 2 * hits[present] / (counts[present] + guessed[present])
    own = np.clip(chances[np.arange(len(truth)), truth], TINY, 1.0)
    each = {int(k): average_precision(truth == k, chances[:, k]) for k in present}
    rarer = int(present[counts[present].argmin()])
    precision = each[rarer] if classes == 2 else sum(each[k] * counts[k] for k in each) / len(truth)
    ones = np.ones((1, len(truth)))
    macro = [float(auc(truth == k, chances[:, k], ones)[0]) for k in present if counts[k] < len(truth)]
    return {
        "auc_macro": float(np.mean(macro)) if macro else 0.5,
        "average_precision": float(precision),
        "accuracy": float((guess == truth).mean()),
        "balanced_accuracy": float(recall.mean()),
        "f1_macro": float(f1.mean()),
        "log_loss": float(-np.log(own).mean()),
        "brier": float(((chances - np.eye(classes)[truth]) ** 2).sum(axis=1).mean()),
    }


def average_precision(is_positive: NDArray[np.bool_], score: FloatArray) -> float:
    """Return the precision averaged over the recall that each threshold adds; tied scores share one threshold."""
    order = np.argsort(-score, kind="stable")
    hit, ordered = is_positive[order], score[order]
    last = np.flatnonzero(np.r_[ordered[1:] != ordered[:-1], True])
    found = np.cumsum(hit)[last]
    gained = np.diff(found, prepend=0)
    return float((gained * found / (last + 1)).sum() / max(1, int(hit.sum())))


def weighted_average_precision(is_positive: NDArray[np.bool_], score: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the average precision under each row of weights, NaN where no positive row has weight."""
    order = np.argsort(-score, kind="stable")
    hit, ordered = is_positive[order], score[order]
    last = np.flatnonzero(np.r_[ordered[1:] != ordered[:-1], True])
    out = np.empty(len(weights))
    step = max(1, CHUNK // max(1, len(score)))
    for at in range(0, len(weights), step):
        here = weights[at : at + step][:, order]
        found = np.cumsum(np.where(hit, here, 0.0), axis=1)[:, last]
        seen = np.cumsum(here, axis=1)[:, last]
        gained = np.diff(found, prepend=0.0, axis=1)
        precision = found / np.maximum(seen, TINY)
        total = found[:, -1]
        out[at : at + step] = np.where(total > 0, (gained * precision).sum(axis=1) / np.maximum(total, TINY), np.nan)
    return out


def one_class_scores(truth: IntArray, chances: FloatArray, at: int, weights: FloatArray) -> FloatArray:
    """Return average precision, recall and precision of one class under each row of weights, shape (3, draws).

    A row is said to be of the most likely class. The precision is NaN where the class is never said.
    """
    own, said = truth == at, chances.argmax(axis=1) == at
    right, there, guessed = (weights @ rows.astype(np.float64) for rows in (own & said, own, said))
    recall = np.where(there > 0, right / np.maximum(there, TINY), np.nan)
    precision = np.where(guessed > 0, right / np.maximum(guessed, TINY), np.nan)
    return np.stack([weighted_average_precision(own, chances[:, at], weights), recall, precision])


def row_losses(truth: NDArray[np.float64], predicted: FloatArray) -> FloatArray:
    """Return the log loss of each row, or its squared error."""
    if predicted.ndim == 2:
        own = predicted[np.arange(len(truth)), truth.astype(np.int64)]
        return np.asarray(-np.log(np.clip(own, LEAST_CHANCE, 1.0)), np.float64)
    return np.asarray((truth - predicted) ** 2, np.float64)


def number_scores(truth: FloatArray, predicted: FloatArray) -> dict[str, float]:
    """Return the usual scores of predicted numbers on test rows."""
    from synthgate.measures.utility.features import mid_ranks

    a, b = mid_ranks(truth), mid_ranks(predicted)
    spread = float(a.std() * b.std())
    return {
        "rmse": float(np.sqrt(((truth - predicted) ** 2).mean())),
        "mae": float(np.abs(truth - predicted).mean()),
        "rank_correlation": float(((a - a.mean()) * (b - b.mean())).mean()) / spread if spread > 0 else 0.0,
    }


def calibration(truth: IntArray, chances: FloatArray) -> Json:
    """Compare stated confidence with the share of right answers, in ten equal bins of confidence.

    Returns
    -------
    dict
        ``error``: the mean gap, weighted by rows (expected calibration error, Naeini et al. 2015); and the bins
        that hold rows.
    """
    sure, right = chances.max(axis=1), chances.argmax(axis=1) == truth
    at = np.minimum((sure * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    rows = np.bincount(at, minlength=CALIBRATION_BINS)
    said = np.bincount(at, weights=sure, minlength=CALIBRATION_BINS)
    true = np.bincount(at, weights=right, minlength=CALIBRATION_BINS)
    used = np.flatnonzero(rows)
    bins: list[Json] = [
        {
            "rows": int(rows[k]),
            "stated": round(float(said[k] / rows[k]), 4),
            "right": round(float(true[k] / rows[k]), 4),
        }
        for k in used
    ]
    return {"error": float(np.abs(said - true).sum() / len(truth)), "bins": bins}


def confusion(truth: IntArray, chances: FloatArray, classes: Sequence[str]) -> Json:
    """Return what share of each class's test rows is taken for which class.

    Classes with fewer than ten test rows are left out, and so are all but the most frequent of the others.

    Returns
    -------
    dict
        ``classes``: their names; ``shares``: a row for each true class; a row adds up to less than one where some
        are taken for a class that is left out.
    """
    guess, counts = chances.argmax(axis=1), np.bincount(truth, minlength=len(classes))
    order = np.argsort(-counts, kind="stable")[:SHOWN_CLASSES]
    shown = [int(k) for k in np.sort(order) if counts[k] >= SMALL_CELL]
    shares = [[round(float((guess[truth == k] == said).mean()), 4) for said in shown] for k in shown]
    return {"classes": [classes[k] for k in shown], "shares": shares}
