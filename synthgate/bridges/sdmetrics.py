"""SDMetrics by name: the check that ``sdmetrics.NAME`` in a gate file stands for, made when it is named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import isfinite
from typing import TYPE_CHECKING

from synthgate.declared import DeclaredCheck, read_severity, read_undecided
from synthgate.errors import GateFileError, nearest
from synthgate.findings import Limit, Severity
from synthgate.measures.sdmetrics.metrics import NAMES_COLUMNS, Metric, UnknownMetricError, find_metric
from synthgate.yamlfile import Node, shown

if TYPE_CHECKING:
    from synthgate.gatefile import Gate

FAMILY = "sdmetrics"
PREFIX = f"{FAMILY}."
CHOICES = {"coefficient": ("Pearson", "Spearman"), "statistic": ("mean", "median", "std")}
SHARES = ("real_correlation_threshold", "real_association_threshold")
COUNTS = ("num_discrete_bins", "num_rows_subsample", "num_iterations", "synthetic_sample_size")
BOUNDS = ("min", "max")
POLICY = ("each", "severity", "require", "inconclusive", "skip")
REMEDY = (
    "Look at the worst columns or pairs. The score has no floor and no ceiling: see what fresh real rows and a "
    "shuffled table reach on it, or judge by the fidelity and coverage checks, which stand between the two."
)
WHY = (
    "It is the number that SDMetrics prints, for gates that come from SDMetrics. It says neither how far chance alone "
    "moves it nor what a careless generator reaches."
)


def declare(check_id: str, where: str) -> DeclaredCheck:
    """Return the check of an SDMetrics metric, without a limit.

    It is required unless a gate file says otherwise: who names it wants it measured.

    Parameters
    ----------
    check_id : str
        Such as ``"sdmetrics.KSComplement"``.
    where : str
        Who asks, for messages.

    Raises
    ------
    GateFileError
        When there is no such metric for one table.
    """
    try:
        metric = find_metric(check_id.removeprefix(PREFIX), where)
    except UnknownMetricError as error:
        raise GateFileError(error.where, error.problem, error.fix) from error
    side = "at least" if metric.maximize else "at most"
    by = {"column": "one finding per column", "pair": "one finding per pair of columns"}.get(metric.kind, "one score")
    own = "computed by synthgate, equal to SDMetrics 0.32 to 1e-9" if metric.ours else "computed by SDMetrics"
    needs = ("real", "synthetic", "rows", *(("holdout",) if metric.holdout else ()))
    ends = " to ".join(f"{end:g}" for end in (metric.low, metric.high))
    return DeclaredCheck(
        id=check_id,
        family=FAMILY,
        title=f"SDMetrics {metric.name}",
        question=f"Is SDMetrics' {metric.name} {side} the limit?",
        needs=needs,
        own_limits=f"none: the gate file sets `{metric.bound}`, from {ends}",
        required=True,
        options=metric.options,
        choices={key: values for key, values in CHOICES.items() if key in metric.options},
        how_to_read=f"{metric.about} {by.capitalize()}; {own}. The mean over columns or pairs is the check's score.",
        why=WHY,
        remedy=REMEDY,
        sources=(f"SDMetrics 0.32: {metric.name}",),
    )


def read_check(check_id: str, node: Node) -> DeclaredCheck | None:
    """Read what a gate file says of an SDMetrics metric.

    Returns
    -------
    DeclaredCheck or None
        None for ``skip: true``.

    Raises
    ------
    GateFileError
        With file and line: an unknown metric or option, a limit that is missing or out of range, an
        argument that the metric needs and did not get.
    """
    check = declare(check_id, node.place())
    metric = find_metric(check_id.removeprefix(PREFIX), node.place())
    node.refuse_unknown((*BOUNDS, *POLICY, *metric.options))
    if node.flag("skip", default=False):
        return None
    threshold = _limit(metric, node)
    if not threshold.as_dict():
        ends = f"{metric.low:g} to {metric.high:g}"
        fix = f"write for instance {{{metric.bound}: 0.9}}" if isfinite(metric.low) else f"values run from {ends}"
        raise GateFileError(node.place(), f"{check_id} has no limit: `{metric.bound}` is missing", fix)
    each = node.mapping("each")
    each.refuse_unknown(BOUNDS)
    options = {key: _option(metric, key, node) for key in metric.options}
    for key in metric.required:
        if options[key] is None and key != "target":
            raise GateFileError(node.place(), f"{check_id} needs `{key}`", f"add `{key}: ...` to the check")
    if metric.name in ("RegexFormatAdherence", "DatetimeFormatAdherence") and options["columns"] is None:
        raise GateFileError(node.place(), f"{check_id} needs `columns`", "name the columns that have the format")
    return replace(
        check,
        threshold=threshold,
        each=_limit(metric, each),
        own_limits=None,
        severity=read_severity(node, Severity.ERROR),
        required=node.flag("require", default=True),
        inconclusive=read_undecided(node, check.inconclusive),
        options=options,
    )


def _limit(metric: Metric, node: Node) -> Limit:
    other = "max" if metric.maximize else "min"
    if node.values.get(other) is not None:
        better = "more" if metric.maximize else "less"
        problem = f"`{other}` does not limit {metric.name}, of which {better} is better: a bad table could pass"
        raise GateFileError(node.place(other), problem, f"use {metric.bound}")
    bound = node.number(metric.bound)
    if bound is not None and not metric.low <= bound <= metric.high:
        ends = f"{metric.low:g} to {metric.high:g}"
        raise GateFileError(node.place(metric.bound), f"{metric.bound} is {bound:g}, expected {ends}", "")
    return Limit(min=bound) if metric.maximize else Limit(max=bound)


def _option(metric: Metric, key: str, node: Node) -> object:
    """Return an option's value, checked against the default that the metric's signature has."""
    default = metric.options[key]
    if node.values.get(key) is None:
        return default
    value = node.values[key]
    if key in NAMES_COLUMNS:
        names = node.words(key)
        single = key in ("target", "prediction_column_name", "sensitive_column_name")
        if not names or (single and len(names) > 1):
            raise GateFileError(node.place(key), f"`{key}` is {shown(value)}, expected a column", "name one")
        return names[0] if single else list(names)
    if key in CHOICES and value not in CHOICES[key]:
        raise GateFileError(
            node.place(key), f"unknown value {shown(value)} of `{key}`", nearest(str(value), CHOICES[key])
        )
    if key in SHARES and not 0 <= (node.number(key) or 0.0) <= 1:
        raise GateFileError(node.place(key), f"`{key}` is {shown(value)}, expected a share from 0 to 1", "")
    if key in COUNTS and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise GateFileError(node.place(key), f"`{key}` is {shown(value)}, expected a whole number from 1", "")
    if isinstance(default, bool | int | float | str) and not _is_like(value, default):
        kind = type(default).__name__
        raise GateFileError(
            node.place(key), f"`{key}` is {shown(value)}, expected a value like {default!r} ({kind})", ""
        )
    if key == "range_is_nullable":
        return node.flag(key, default=False)
    return value


def _is_like(value: object, default: object) -> bool:
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    if isinstance(default, float):
        return isinstance(value, int | float)
    return isinstance(value, type(default))


def named_in(node: Node) -> list[str]:
    """Return the SDMetrics checks that the ``checks`` of a gate file name."""
    return [key for key in node.values if key.startswith(PREFIX)]


def settle(gate: Gate, columns: Iterable[str], tables: Iterable[str], keys: Sequence[str] = ()) -> Gate:
    """Hold the named metrics against the tables: columns that are there, a holdout, a target.

    Parameters
    ----------
    gate : Gate
    columns : iterable of str
        Of the real table.
    tables : iterable of str
        Which of real, synthetic and holdout there are.
    keys : sequence of str
        Keys that metadata names.

    Returns
    -------
    Gate
        With the run's target filled in where a metric needs one and names none.

    Raises
    ------
    GateFileError
    """
    if all(check.family != FAMILY for check in gate.checks):
        return gate
    known, there = list(columns), set(tables)
    if not (gate.keys or keys):
        for check in gate.checks:
            if check.id == f"{PREFIX}KeyUniqueness" and not check.options["columns"]:
                problem = f"{check.id} needs a key"
                raise GateFileError(gate.place(f"checks.{check.id}"), problem, "add `columns: [KEY]`, or `key: KEY`")
    checks = tuple(_settled(gate, check, known, there) if check.family == FAMILY else check for check in gate.checks)
    return replace(gate, checks=checks)


def _settled(gate: Gate, check: DeclaredCheck, known: list[str], there: set[str]) -> DeclaredCheck:
    place = f"checks.{check.id}"
    if "holdout" in check.needs and "holdout" not in there:
        problem = f"{check.id} needs real rows that the generator never saw, and no holdout is given"
        raise GateFileError(gate.place(place), problem, "give a `holdout`, or remove the check")
    options: dict[str, object] = dict(check.options)
    if "target" in options and options["target"] is None:
        if len(gate.targets) != 1:
            problem = f"{check.id} needs `target`: one column to predict"
            raise GateFileError(gate.place(place), problem, "add `target: COLUMN` to the check, or to the gate file")
        options["target"] = gate.targets[0]
    for key in NAMES_COLUMNS:
        for name in _names(options, key):
            if name not in known:
                where = gate.place(f"{place}.{key}") if gate.lines.get(f"{place}.{key}") else gate.place(place)
                raise GateFileError(where, f"column {name!r} is not in the real table", nearest(name, known))
    return replace(check, options=options)


def _names(options: Mapping[str, object], key: str) -> list[str]:
    value = options.get(key)
    if value is None:
        return []
    return [str(name) for name in value] if isinstance(value, list) else [str(value)]
