"""Declared checks and presets: policy, read from the YAML files under ``checks/``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal, cast

from synthgate._bundle import bundled
from synthgate.errors import GateFileError, nearest
from synthgate.findings import Limit, Severity
from synthgate.yamlfile import Node, read_yaml, shown

NAMED_PREFIX = "sdmetrics."
"""Checks that are made from the name that a gate file gives: see :mod:`synthgate.bridges.sdmetrics`."""
FAMILIES = ("schema", "constraints", "relations", "fidelity", "coverage", "utility", "privacy", "sequences", "review")
NEEDS = ("real", "synthetic", "rows", "holdout", "target", "constraints", "schemas", "relationships", "sequence")
"""What a check cannot do without. ``rows``: the rows of real themselves, where a profile tells counts only."""
Undecided = Literal["pass", "warn", "fail"]
UNDECIDED = ("pass", "warn", "fail")
BOUNDS = ("min", "max", "min_position")
POLICY_KEYS = (*BOUNDS, "each", "severity", "require", "inconclusive", "skip")
CHECK_KEYS = (
    "id", "title", "question", "needs", "threshold", "each", "own_limits", "severity", "required", "inconclusive",
    "options", "choices", "how_to_read", "why", "remedy", "sources",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredCheck:
    """One check: a question, the limits on its measure, why it matters and what to do.

    Attributes
    ----------
    threshold, each : Limit
        On the check's score, and on every finding.
    own_limits : str or None
        What sets the limits, where every finding brings its own: then a gate file cannot set them here.
    required : bool
        Whether leaving it open makes the verdict incomplete.
    inconclusive : "pass", "warn" or "fail"
        What an undecided check counts as when it is not required.
    options : dict
        What the gate file may set of the measure, with the values in force.
    choices : dict of tuple of str
        The values that an option of text may have.
    """

    id: str
    family: str
    title: str
    question: str
    needs: tuple[str, ...] = ("real", "synthetic")
    threshold: Limit = field(default_factory=Limit)
    each: Limit = field(default_factory=Limit)
    own_limits: str | None = None
    severity: Severity = Severity.ERROR
    required: bool = False
    inconclusive: Undecided = "warn"
    options: Mapping[str, object] = field(default_factory=dict)
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    how_to_read: str = ""
    why: str = ""
    remedy: str = ""
    sources: tuple[str, ...] = ()

    @property
    def limits(self) -> str:
        """The limits in words."""
        told = [f"score {name} {bound:g}" for name, bound in self.threshold.as_dict().items()]
        told += [f"each finding {name} {bound:g}" for name, bound in self.each.as_dict().items()]
        return self.own_limits or "; ".join(told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """A named policy: changes to the declared checks."""

    name: str
    title: str
    checks: Node


@cache
def declared_checks() -> tuple[DeclaredCheck, ...]:
    """Return every declared check, in the order of families and of their files.

    Raises
    ------
    GateFileError
        When a shipped file is not valid: a defect that the tests catch.
    """
    checks: list[DeclaredCheck] = []
    for family in FAMILIES:
        name = f"{family}.yaml"
        node = read_yaml(bundled("checks").joinpath(name).read_text(encoding="utf-8"), f"checks/{name}")
        node.refuse_unknown(("checks",))
        checks += [_check(node.child(f"checks.{at}", item), family) for at, item in enumerate(node.items("checks"))]
    return tuple(checks)


def preset_names() -> tuple[str, ...]:
    """Return the names of the shipped presets."""
    files = bundled("checks").joinpath("presets").iterdir()
    return tuple(sorted(f.name.removesuffix(".yaml") for f in files if f.name.endswith(".yaml")))


def read_preset(name: str, where: str) -> Preset:
    """Return a shipped preset.

    Raises
    ------
    GateFileError
        When there is none of that name.
    """
    names = preset_names()
    if name not in names:
        raise GateFileError(where, f"unknown preset {name!r}", nearest(name, names))
    file = f"checks/presets/{name}.yaml"
    node = read_yaml(bundled("checks").joinpath("presets", f"{name}.yaml").read_text(encoding="utf-8"), file)
    node.refuse_unknown(("title", "checks"))
    return Preset(name=name, title=node.text("title") or name, checks=node.mapping("checks"))


def _check(node: Node, family: str) -> DeclaredCheck:
    node.refuse_unknown(CHECK_KEYS)
    for key in ("id", "title", "question", "why", "remedy"):
        if not node.text(key):
            raise GateFileError(node.place(), f"the check has no `{key}`", "add it")
    needs = node.words("needs") or ("real", "synthetic")
    for need in needs:
        if need not in NEEDS:
            raise GateFileError(node.place("needs"), f"unknown need {need!r}", nearest(need, NEEDS))
    return DeclaredCheck(
        id=str(node.text("id")),
        family=family,
        title=str(node.text("title")),
        question=_line(node, "question"),
        needs=needs,
        threshold=read_limit(node.mapping("threshold"), strict=True),
        each=read_limit(node.mapping("each"), strict=True),
        own_limits=node.text("own_limits"),
        severity=read_severity(node, Severity.ERROR),
        required=node.flag("required", default=False),
        inconclusive=read_undecided(node, "warn"),
        options=node.mapping("options").values,
        choices={key: node.mapping("choices").words(key) for key in node.mapping("choices").values},
        how_to_read=_line(node, "how_to_read"),
        why=_line(node, "why"),
        remedy=_line(node, "remedy"),
        sources=node.words("sources"),
    )


def _line(node: Node, key: str) -> str:
    return " ".join((node.text(key) or "").split())


def read_limit(node: Node, *, strict: bool = False) -> Limit:
    """Read the bounds of a mapping.

    Raises
    ------
    GateFileError
        For a bound outside its range, or a least bound above the greatest.
    """
    if strict:
        node.refuse_unknown(BOUNDS)
    bounds = {name: node.number(name) for name in BOUNDS}
    position = bounds["min_position"]
    if position is not None and not 0 <= position <= 1:
        raise GateFileError(
            node.place("min_position"), f"min_position is {position:g}, expected 0 to 1", "0.75 is usual"
        )
    for name in ("min", "max"):
        bound = bounds[name]
        if bound is not None and not 0 <= bound <= 1:
            raise GateFileError(node.place(name), f"{name} is {bound:g}, expected 0 to 1: every score is a share", "")
    if bounds["min"] is not None and bounds["max"] is not None and bounds["min"] > bounds["max"]:
        raise GateFileError(node.place("min"), "min lies above max", "swap them")
    return Limit(**bounds)


def read_severity(node: Node, default: Severity) -> Severity:
    """Read what a failure does.

    Raises
    ------
    GateFileError
    """
    value = node.text("severity", default=str(default))
    if value not in tuple(Severity):
        raise GateFileError(node.place("severity"), f"unknown severity {value!r}", nearest(str(value), tuple(Severity)))
    return Severity(str(value))


def read_undecided(node: Node, default: Undecided) -> Undecided:
    """Read what an undecided check counts as.

    Raises
    ------
    GateFileError
    """
    value = node.text("inconclusive", default=default)
    if value not in UNDECIDED:
        raise GateFileError(node.place("inconclusive"), f"unknown value {value!r}", nearest(str(value), UNDECIDED))
    return cast(Undecided, value)


def apply(checks: tuple[DeclaredCheck, ...], changes: Node) -> tuple[DeclaredCheck, ...]:
    """Return the checks with the changes of a preset or gate file.

    ``skip: true`` removes a check; naming one that was removed before brings it back.

    Raises
    ------
    GateFileError
        For an unknown check or key, or a limit that the check cannot be held to.
    """
    by_id = {check.id: check for check in checks}
    declared = {check.id: check for check in declared_checks()}
    for check_id, value in changes.values.items():
        node = changes.child(check_id, value if value is not None else {})
        if check_id.startswith(NAMED_PREFIX):
            by_id |= _named(check_id, node)
            continue
        if check_id not in declared:
            raise GateFileError(changes.place(check_id), f"unknown check {check_id!r}", nearest(check_id, declared))
        _refuse_idle_bounds(declared[check_id], node)
        changed = _changed(by_id.get(check_id, declared[check_id]), node)
        if node.flag("skip", default=False):
            if node.flag("require", default=False):
                raise GateFileError(
                    node.place("require"),
                    f"`skip` leaves {check_id} out, which `require` demands",
                    "remove one of the two",
                )
            by_id.pop(check_id, None)
        else:
            by_id[check_id] = changed
    named = [check for check_id, check in by_id.items() if check_id.startswith(NAMED_PREFIX)]
    return (*(by_id[check_id] for check_id in declared if check_id in by_id), *named)


def _named(check_id: str, node: Node) -> dict[str, DeclaredCheck]:
    from synthgate.bridges.sdmetrics import read_check

    check = read_check(check_id, node)
    return {} if check is None else {check_id: check}


def settable(limit: Limit) -> tuple[str, ...]:
    """Return the bounds that may stand in for those of a limit: they hold the same side.

    A bound on the other side, or on a position that the measure does not give, would let everything pass.
    """
    if limit.max is not None:
        return ("max",)
    if limit.min_position is not None:
        return ("min", "min_position")
    return ("min",) if limit.min is not None else ()


def _refuse_idle_bounds(check: DeclaredCheck, node: Node) -> None:
    """Raise for a bound that the check, as it is declared, would never be held to.

    Raises
    ------
    GateFileError
    """
    each = node.mapping("each")
    for place, limit, subject in ((node, check.threshold, "the score"), (each, check.each, "the findings")):
        usable = settable(limit)
        for name in (name for name in BOUNDS if place.values.get(name) is not None):
            if check.own_limits:
                problem = f"`{name}` has no effect: the limits of {check.id} are set elsewhere"
                raise GateFileError(place.place(name), problem, f"use {check.own_limits}")
            if not usable:
                problem = f"`{name}` has no effect: {check.id} sets no limit on {subject}"
                raise GateFileError(place.place(name), problem, "set it under `each`" if place is node else "remove it")
            if name not in usable:
                problem = f"`{name}` does not limit {subject} of {check.id}: a bad table could pass"
                raise GateFileError(place.place(name), problem, f"use {' or '.join(usable)}")


def _changed(check: DeclaredCheck, node: Node) -> DeclaredCheck:
    node.refuse_unknown((*POLICY_KEYS, *check.options))
    options: dict[str, Any] = dict(check.options)
    for key, default in check.options.items():
        if key in node.values:
            options[key] = _option(node, key, default, check.choices.get(key))
    threshold = read_limit(node)
    each = read_limit(node.mapping("each"), strict=True)
    return replace(
        check,
        threshold=threshold if threshold.as_dict() else check.threshold,
        each=each if each.as_dict() else _follow(check.each, threshold),
        severity=read_severity(node, check.severity),
        required=node.flag("require", default=check.required),
        inconclusive=read_undecided(node, check.inconclusive),
        options=options,
    )


def _follow(each: Limit, threshold: Limit) -> Limit:
    """Let the findings' limits follow a bound that a gate file sets on the score, where they have the same bound.

    Otherwise a looser score limit would do nothing: each finding would still fail the check.
    """
    bounds = threshold.as_dict()
    return Limit(**{name: bounds.get(name, bound) for name, bound in each.as_dict().items()})


def _option(node: Node, key: str, default: object, choices: tuple[str, ...] | None) -> object:
    value = node.values[key]
    same = type(value) is type(default) or (isinstance(default, float) and type(value) is int)
    same = same or (isinstance(default, list) and isinstance(value, str))
    if default is not None and not same:
        kind = type(default).__name__
        raise GateFileError(
            node.place(key), f"`{key}` is {shown(value)}, expected a value like {default!r} ({kind})", ""
        )
    if isinstance(default, list):
        return _texts(node, key, choices)
    if choices and value not in choices:
        raise GateFileError(node.place(key), f"unknown value {shown(value)} of `{key}`", nearest(str(value), choices))
    if isinstance(default, float):
        share = node.number(key)
        if share is None or not 0 <= share <= 1:
            raise GateFileError(node.place(key), f"`{key}` is {shown(value)}, expected a share from 0 to 1", "")
        return share
    if isinstance(value, int) and not isinstance(value, bool) and value < 1:
        raise GateFileError(node.place(key), f"`{key}` is {shown(value)}, expected a whole number from 1", "")
    return value


def _texts(node: Node, key: str, choices: tuple[str, ...] | None) -> list[str]:
    """Read an option that is a list of texts; where there are choices, ``module:Class`` names code and is let through.

    Raises
    ------
    GateFileError
    """
    values = list(node.words(key))
    for value in values:
        if choices and value not in choices and ":" not in value:
            raise GateFileError(node.place(key), f"unknown value {shown(value)} of `{key}`", nearest(value, choices))
    if choices and not values:
        raise GateFileError(node.place(key), f"`{key}` is empty", f"name one or more of: {', '.join(choices)}")
    return values


def names_code(check: DeclaredCheck) -> str | None:
    """Return the first option value of a check that names code to be run, ``module:Class``, if any."""
    lists = [check.options[key] for key in check.choices if isinstance(check.options.get(key), list)]
    named = [str(value) for values in lists if isinstance(values, list) for value in values]
    return next((value for value in named if ":" in value), None)


def index() -> str:
    """Return the index of all checks as a Markdown table."""
    rows = ["| check | question | default limit | needs |", "|---|---|---|---|"]
    for check in declared_checks():
        limits = [f"{name} {bound:g}" for name, bound in check.threshold.as_dict().items()]
        limits += [f"each: {name} {bound:g}" for name, bound in check.each.as_dict().items()]
        told = check.own_limits or "; ".join(limits)
        rows.append(f"| `{check.id}` | {check.question} | {told} | {', '.join(check.needs)} |")
    return "\n".join(rows)
