"""Which metrics SDMetrics has, what each takes, and which of them synthgate computes itself.

What synthgate computes stands here as data, so that naming it loads nothing. Anything else is looked
up in the installed library, which is imported for that and for nothing less.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from importlib.util import find_spec
from math import inf
from typing import Any, Literal

from synthgate.errors import SynthgateError, nearest
from synthgate.measures.sdmetrics.silence import silenced

Kind = Literal["column", "pair", "table", "report"]

CONTINUOUS = ("numerical", "datetime")
DISCRETE = ("categorical", "boolean")
SUPPLIED = frozenset({"real_data", "synthetic_data", "real_training_data", "train_data", "metadata", "table_name"})
"""Arguments that synthgate gives by itself; ``test_data`` is the real table, as in SDMetrics' own examples."""
CALLABLES = frozenset({"scorer", "loss_function", "loss_function_kwargs", "structure"})
"""Arguments that a gate file cannot give: they are Python objects."""
SEQUENCE_PAIRS = frozenset({"InterRowMSAS", "StatisticMSAS"})
TABLE_PAIRS = frozenset({"ReferentialIntegrity", "CardinalityBoundaryAdherence"})
NAMES_COLUMNS = ("columns", "target", "key_fields", "sensitive_fields", "known_column_names", "sensitive_column_names",
    "prediction_column_name", "sensitive_column_name", "continuous_column_names")  # fmt: skip
"""Options whose values are names of columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One SDMetrics metric, as a gate file can name it.

    Attributes
    ----------
    name : str
        SDMetrics' own, such as ``"KSComplement"``.
    kind : str
        Scored per column, per pair of columns, once for the table, or a report of several.
    roles : tuple of str
        Roles of the columns it applies to; empty when the columns have to be named.
    low, high : float
        Range of its values, infinite where it has no end.
    maximize : bool
        Whether more is better.
    options : dict
        Keyword arguments that a gate file may set, with their defaults.
    required : tuple of str
        Those of `options` that a gate file has to set.
    holdout : bool
        Whether it needs real rows that the generator never saw.
    ours : bool
        Whether synthgate computes it itself, equal to SDMetrics.
    about : str
        One line on what it measures.
    """

    name: str
    kind: Kind
    roles: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 1.0
    maximize: bool = True
    options: Mapping[str, object] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    holdout: bool = False
    ours: bool = False
    about: str = ""

    @property
    def bound(self) -> str:
        """The side on which a limit holds it: ``min`` or ``max``."""
        return "min" if self.maximize else "max"


def _ours(name: str, kind: Kind, roles: tuple[str, ...], about: str, **options: object) -> Metric:
    more: dict[str, object] = {"columns": None} if kind in ("column", "pair") else {}
    return Metric(name=name, kind=kind, roles=roles, options={**more, **options}, ours=True, about=about)


OURS = {
    metric.name: metric
    for metric in (
        _ours("KSComplement", "column", CONTINUOUS, "1 - the Kolmogorov-Smirnov distance of each column."),
        _ours("TVComplement", "column", DISCRETE, "1 - the total variation distance of each column."),
        _ours(
            "BoundaryAdherence", "column", CONTINUOUS,
            "Share of synthetic values within the real minimum and maximum.",
            range_min=None, range_max=None, range_is_nullable=None,
        ),
        _ours(
            "CategoryAdherence", "column", DISCRETE, "Share of synthetic values that are real categories.",
            range_values=None, range_is_nullable=None,
        ),
        _ours("CategoryCoverage", "column", DISCRETE, "Share of the real categories that occur in synthetic."),
        _ours("RangeCoverage", "column", CONTINUOUS, "Share of the real range that the synthetic range covers."),
        _ours("MissingValueSimilarity", "column", CONTINUOUS, "1 - the difference of the shares of missing values."),
        _ours(
            "StatisticSimilarity", "column", CONTINUOUS,
            "1 - the difference of a statistic (mean, median or std) over the real range.", statistic="mean",
        ),
        _ours("KeyUniqueness", "column", (), "Share of synthetic key values that are neither missing nor repeated."),
        _ours(
            "CorrelationSimilarity", "pair", CONTINUOUS, "1 - half the difference of the correlations of each pair.",
            coefficient="Pearson", real_correlation_threshold=0.0,
        ),
        _ours(
            "ContingencySimilarity", "pair", DISCRETE, "1 - the total variation distance of each pair's joint shares.",
            continuous_column_names=None, num_discrete_bins=10, num_rows_subsample=None, real_association_threshold=0.0,
        ),
        _ours(
            "QualityReport", "report", (), "The overall score of the QualityReport: column shapes and pair trends.",
            real_correlation_threshold=0.5, real_association_threshold=0.3,
        ),
        _ours("DiagnosticReport", "report", (), "The overall score of the DiagnosticReport: validity and structure."),
        _ours("TableStructure", "table", (), "Share of columns with the same name and pandas type on both sides."),
    )
}  # fmt: skip


class UnknownMetricError(SynthgateError):
    """There is no such metric for one table, or it cannot be used."""


def is_installed() -> bool:
    """Whether the library is there; looking does not import it."""
    return find_spec("sdmetrics") is not None


def find_metric(name: str, where: str) -> Metric:
    """Return a metric by its SDMetrics name.

    Parameters
    ----------
    name : str
        Such as ``"KSComplement"``.
    where : str
        Who asks, for messages.

    Raises
    ------
    UnknownMetricError
        When there is none, when it is not for one table, or when the library it needs is not installed.
    """
    if name in OURS:
        return OURS[name]
    if not is_installed():
        close = get_close_matches(name, OURS, n=1, cutoff=0.8)
        fix = f"did you mean {close[0]!r}? " if close else ""
        problem = f"{name!r} is no metric that synthgate computes itself, and the package sdmetrics is not installed"
        raise UnknownMetricError(where, problem, f"{fix}install it: pip install 'synthgate[sdmetrics]'")
    found = _installed().get(name)
    if found is not None:
        return found
    elsewhere = _elsewhere().get(name)
    if elsewhere:
        raise UnknownMetricError(where, f"{name!r} is a metric for {elsewhere}, not for one table", "remove it")
    raise UnknownMetricError(where, f"SDMetrics has no metric {name!r}", nearest(name, {*OURS, *_installed()}))


@cache
def library() -> Any:
    """Import the library without its warnings and log lines.

    Returns
    -------
    dict of module
        By kind: ``column``, ``pair``, ``table``, and where metrics for other data are.
    """
    from importlib import import_module

    paths = {
        "column": "sdmetrics.single_column",
        "pair": "sdmetrics.column_pairs",
        "table": "sdmetrics.single_table",
        "sequences": "sdmetrics.timeseries",
        "several tables": "sdmetrics.multi_table",
    }
    with silenced():
        return {kind: import_module(path) for kind, path in paths.items()}


def _classes(kind: str) -> Iterator[tuple[str, Any]]:
    """Return the metric classes of a module; the bases, whose names end in ``Metric``, are left out."""
    module = library()[kind]
    for name in dir(module):
        found = getattr(module, name)
        if inspect.isclass(found) and hasattr(found, "compute") and not name.endswith("Metric"):
            yield name, found
    if kind == "table":
        yield from _more_tables()


def _more_tables() -> Iterator[tuple[str, Any]]:
    """Return table metrics that the library keeps out of its list, where what they need is installed."""
    from importlib import import_module

    places = {
        "sdmetrics.single_table.efficacy.mlefficacy": ("MLEfficacy",),
        "sdmetrics.single_table.data_augmentation": (
            "BinaryClassifierPrecisionEfficacy",
            "BinaryClassifierRecallEfficacy",
        ),
    }
    for path, names in places.items():
        try:
            with silenced():
                module = import_module(path)
        except ImportError:
            continue
        yield from ((name, getattr(module, name)) for name in names if hasattr(module, name))


def metric_class(metric: Metric) -> Any:
    """Return the library's class that scores one column, one pair or the table."""
    return dict(_classes(metric.kind))[metric.name]


@cache
def _installed() -> dict[str, Metric]:
    """Return the metrics of the installed library for one table, its columns and its pairs."""
    tables = dict(_classes("table"))
    out: dict[str, Metric] = {}
    kinds: tuple[Kind, ...] = ("column", "pair", "table")
    for kind in kinds:
        for name, found in _classes(kind):
            if name not in out and name not in SEQUENCE_PAIRS | TABLE_PAIRS:
                out[name] = _described(name, kind, found, getattr(tables.get(name), "field_types", None))
    return out


@cache
def _elsewhere() -> dict[str, str]:
    """Return what metrics that are not for one table are for."""
    out = {**dict.fromkeys(SEQUENCE_PAIRS, "sequences"), **dict.fromkeys(TABLE_PAIRS, "several tables")}
    for kind in ("sequences", "several tables"):
        out |= {name: kind for name, _ in _classes(kind) if name not in _installed()}
    return out


def _described(name: str, kind: Kind, found: Any, roles: Any) -> Metric:
    """Read off a class what a gate file may say of it."""
    parameters = inspect.signature(found.compute).parameters
    free = [p for key, p in parameters.items() if key not in SUPPLIED and p.kind is not p.VAR_KEYWORD]
    holdout = "real_validation_data" in parameters
    free = [p for p in free if p.name not in {"real_validation_data", "test_data", *CALLABLES}]
    needed = {p.name for p in free if p.default is inspect.Parameter.empty}
    if "key_fields" in parameters:
        needed |= {"key_fields", "sensitive_fields"}
    if any(base.__name__ == "MLEfficacyMetric" for base in found.__mro__):
        needed |= {"target"}
    options: dict[str, object] = {"columns": None} if kind in ("column", "pair") else {}
    options |= {p.name: None if p.default is inspect.Parameter.empty else p.default for p in free}
    known = tuple(t for t in roles or () if isinstance(t, str))
    minimum, maximum = getattr(found, "min_value", None), getattr(found, "max_value", None)
    return Metric(
        name=name,
        kind=kind,
        roles=known,
        low=-inf if minimum is None else float(minimum),
        high=inf if maximum is None else float(maximum),
        maximize=str(getattr(found.goal, "name", "MAXIMIZE")) != "MINIMIZE",
        options=options,
        required=tuple(key for key in options if key in needed),
        holdout=holdout,
        about=_first_line(found),
    )


def _first_line(found: Any) -> str:
    lines = (inspect.getdoc(found) or "").strip().splitlines()
    return lines[0].rstrip(".") + "." if lines else ""
