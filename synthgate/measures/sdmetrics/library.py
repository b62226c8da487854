"""Metrics that the installed SDMetrics computes: called quietly, seeded, and never trusted to work."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from synthgate.errors import SynthgateError
from synthgate.measures.sdmetrics.frames import TABLE, frame, metadata
from synthgate.measures.sdmetrics.metrics import NAMES_COLUMNS, Metric, metric_class
from synthgate.measures.sdmetrics.scores import NAN, IncomputableError
from synthgate.measures.sdmetrics.silence import silenced
from synthgate.roles import Role

if TYPE_CHECKING:
    from synthgate.evidence import Evidence

Scores = dict[tuple[str, ...], "float | IncomputableError"]

BREAKS = (ArithmeticError, AttributeError, LookupError, RuntimeError, SyntaxError, TypeError, ValueError)
"""What metrics raise on data that they cannot take; the text may hold values of rows, so only the kind is told."""


def table_score(metric: Metric, evidence: Evidence, options: Mapping[str, object]) -> Scores:
    """Return the score of the whole table, ids and text left out unless an option names them."""
    found, sample = metric_class(metric), evidence.sample
    names = table_columns(evidence, options)
    real = frame(sample, sample.real, names)
    given: dict[str, Any] = {
        "real_data": real,
        "real_training_data": real,
        "test_data": real,
        "synthetic_data": frame(sample, sample.synthetic, names),
        "metadata": metadata(evidence, names),
        "table_name": TABLE,
    }
    given["train_data"] = given["synthetic_data"]
    if metric.holdout and sample.holdout is not None:
        given["real_validation_data"] = frame(sample, sample.holdout, names)
    taken = inspect.signature(found.compute).parameters
    arguments = {name: value for name, value in given.items() if name in taken}
    return {(): _attempt(metric.name, found, evidence.seed, {**arguments, **_set(options)})}


def column_scores(metric: Metric, evidence: Evidence, names: list[str], options: Mapping[str, object]) -> Scores:
    """Return the score of each column."""
    found, (real, synthetic) = metric_class(metric), _frames(evidence, names)
    return {
        (name,): _attempt(
            metric.name,
            found,
            evidence.seed,
            {"real_data": real[name], "synthetic_data": synthetic[name], **_set(options)},
        )
        for name in names
    }


def pair_scores(metric: Metric, evidence: Evidence, names: list[str], options: Mapping[str, object]) -> Scores:
    """Return the score of each pair of columns."""
    found, (real, synthetic) = metric_class(metric), _frames(evidence, names)
    return {
        pair: _attempt(
            metric.name,
            found,
            evidence.seed,
            {"real_data": real[list(pair)], "synthetic_data": synthetic[list(pair)], **_set(options)},
        )
        for pair in combinations(names, 2)
    }


def table_columns(evidence: Evidence, options: Mapping[str, object]) -> list[str]:
    """Return the columns that a metric of the whole table sees."""
    named = {str(name) for key in NAMES_COLUMNS for name in listed(options.get(key))}
    kept = {role for role in Role if role.is_continuous or role.is_discrete}
    return [name for name, role in evidence.sample.roles.items() if role in kept or name in named]


def listed(value: object) -> list[str]:
    """Return the names that an option gives, one or several."""
    if value is None:
        return []
    return [str(v) for v in value] if isinstance(value, list | tuple) else [str(value)]


def _frames(evidence: Evidence, names: list[str]) -> tuple[Any, Any]:
    sample = evidence.sample
    return frame(sample, sample.real, names), frame(sample, sample.synthetic, names)


def _set(options: Mapping[str, object]) -> dict[str, object]:
    """Return the options that are set; the others keep the library's own defaults."""
    return {key: value for key, value in options.items() if value is not None and key != "columns"}


def _attempt(name: str, found: Any, seed: int, arguments: dict[str, Any]) -> float | IncomputableError:
    """Call a metric; what it raises is told by its kind, and its own errors by their text.

    Raises
    ------
    SynthgateError
        When the metric needs a package that is not installed.
    """
    from sdmetrics import errors

    own = (errors.IncomputableMetricError, errors.ConstantInputError)
    try:
        with silenced(seed):
            value = found.compute(**arguments)
    except own as error:
        return IncomputableError(name, " ".join(str(error).split()))
    except ImportError as error:
        fix = "install it, or remove the check"
        raise SynthgateError(f"sdmetrics.{name}", f"it needs a package that is missing: {error}", fix) from error
    except BREAKS as error:
        return IncomputableError(name, f"SDMetrics raised {type(error).__name__}")
    if isinstance(value, float | int | np.floating | np.integer):
        return float(value)
    return NAN
