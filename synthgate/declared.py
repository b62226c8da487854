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

FAMILIES = ("schema", "constraints", "fidelity", "coverage", "utility", "privacy")
NEEDS = ("real", "synthetic", "holdout", "target", "constraints")
Undecided = Literal["pass", "warn", "fail"]
UNDECIDED = ("pass", "warn", "fail")
BOUNDS = ("min", "max", "min_position")
POLICY_KEYS = (*BOUNDS, "each", "severity", "require", "inconclusive", "skip")
CHECK_KEYS = (
    "id", "title", "question", "needs", "threshold", "each", "severity", "required", "inconclusive", "options",
    "how_to_read", "why", "remedy", "sources",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredCheck:
    """One check: a question, the limits on its measure, why it matters and what to do.

    Attributes
    ----------
    threshold, each : Limit
        On the check's score, and on every finding.
    required : bool
        Whether leaving it open makes the verdict incomplete.
    inconclusive : "pass", "warn" or "fail"
        What an undecided check counts as when it is not required.
    options : dict
        What the gate file may set of the measure, with the values in force.
    """

    id: str
    family: str
    title: str
    question: str
    needs: tuple[str, ...] = ("real", "synthetic")
    threshold: Limit = field(default_factory=Limit)
    each: Limit = field(default_factory=Limit)
    severity: Severity = Severity.ERROR
    required: bool = False
    inconclusive: Undecided = "warn"
    options: Mapping[str, object] = field(default_factory=dict)
    how_to_read: str = ""
    why: str = ""
    remedy: str = ""
    sources: tuple[str, ...] = ()


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
    return Preset(
        name=name, title=node.text("title") or name, checks=node.child("checks", node.values.get("checks") or {})
    )


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
        threshold=read_limit(node.child("threshold", node.values.get("threshold") or {}), strict=True),
        each=read_limit(node.child("each", node.values.get("each") or {}), strict=True),
        severity=_severity(node, Severity.ERROR),
        required=node.flag("required", default=False),
        inconclusive=_undecided(node, "warn"),
        options=dict(node.values.get("options") or {}),
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


def _severity(node: Node, default: Severity) -> Severity:
    value = node.text("severity", default=str(default))
    if value not in tuple(Severity):
        raise GateFileError(node.place("severity"), f"unknown severity {value!r}", nearest(str(value), tuple(Severity)))
    return Severity(str(value))


def _undecided(node: Node, default: Undecided) -> Undecided:
    value = node.text("inconclusive", default=default)
    if value not in UNDECIDED:
        raise GateFileError(node.place("inconclusive"), f"unknown value {value!r}", nearest(str(value), UNDECIDED))
    return cast(Undecided, value)


def apply(checks: tuple[DeclaredCheck, ...], changes: Node) -> tuple[DeclaredCheck, ...]:
    """Return the checks with the changes of a preset or gate file; ``skip: true`` removes one.

    Raises
    ------
    GateFileError
        For an unknown check or key.
    """
    by_id = {check.id: check for check in checks}
    known = {check.id for check in declared_checks()}
    for check_id, value in changes.values.items():
        if check_id not in known:
            raise GateFileError(changes.place(check_id), f"unknown check {check_id!r}", nearest(check_id, known))
        if check_id not in by_id:
            continue
        node = changes.child(check_id, value if value is not None else {})
        changed = _changed(by_id[check_id], node)
        if node.flag("skip", default=False):
            del by_id[check_id]
        else:
            by_id[check_id] = changed
    return tuple(by_id.values())


def _changed(check: DeclaredCheck, node: Node) -> DeclaredCheck:
    node.refuse_unknown((*POLICY_KEYS, *check.options))
    options: dict[str, Any] = dict(check.options)
    for key, default in check.options.items():
        if key in node.values:
            options[key] = _option(node, key, default)
    threshold = read_limit(node)
    each = read_limit(node.child("each", node.values["each"]), strict=True) if "each" in node.values else check.each
    return replace(
        check,
        threshold=threshold if threshold.as_dict() else check.threshold,
        each=each,
        severity=_severity(node, check.severity),
        required=node.flag("require", default=check.required),
        inconclusive=_undecided(node, check.inconclusive),
        options=options,
    )


def _option(node: Node, key: str, default: object) -> object:
    value = node.values[key]
    same = type(value) is type(default) or (isinstance(default, float) and type(value) is int)
    if default is not None and not same:
        kind = type(default).__name__
        raise GateFileError(
            node.place(key), f"`{key}` is {shown(value)}, expected a value like {default!r} ({kind})", ""
        )
    return float(value) if isinstance(default, float) else value


def index() -> str:
    """Return the index of all checks as a Markdown table."""
    rows = ["| check | question | default limit | needs |", "|---|---|---|---|"]
    for check in declared_checks():
        limits = [f"{name} {bound:g}" for name, bound in check.threshold.as_dict().items()]
        limits += [f"each: {name} {bound:g}" for name, bound in check.each.as_dict().items()]
        rows.append(f"| `{check.id}` | {check.question} | {'; '.join(limits) or 'none'} | {', '.join(check.needs)} |")
    return "\n".join(rows)
