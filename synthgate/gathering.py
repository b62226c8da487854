"""Gather the evidence of one table: plan, count, and hold what metadata says against what real holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgate.blocks import join_columns
from synthgate.bridges.loading import load_contracts
from synthgate.bridges.sdv import Metadata
from synthgate.canonical import Canonical, Labels, Numbers
from synthgate.clock import Clock
from synthgate.contradictions import refuse_contradictions, refuse_unknown
from synthgate.counts import ColumnCounts
from synthgate.errors import DataError, GateFileError, UsageError, nearest
from synthgate.evidence import Evidence
from synthgate.gatefile import Gate
from synthgate.joints import with_joints
from synthgate.looks import unique_ids
from synthgate.plan import Plan
from synthgate.review.signoff import SignOff, read_signoff
from synthgate.roles import Role
from synthgate.sides import Side, count_side
from synthgate.survey import count_surveyed, plan_of, survey
from synthgate.values import NumberCounts

if TYPE_CHECKING:
    from synthgate.links import Link
    from synthgate.tables import Table


LEAST_ROWS = 20
MOST_ALIKE = 0.6
"""Share of rows with the most frequent value of a column from which on equal columns may be luck."""


@dataclass(frozen=True, kw_only=True)
class Ties:
    """What the other tables mean for one.

    Attributes
    ----------
    name : str
        Of the table; empty for the only one.
    links : tuple of Link
        Foreign keys, with the evidence of the parents.
    labels : dict of Role
        Roles of key columns, which are read as labels whatever they store.
    is_reference : bool or None
        Whether the table is declared to hold public facts; None to find out.
    joints : tuple of tuple of str
        Columns whose joint values foreign keys take.
    named : tuple of tuple of str
        Keys of this table that foreign keys of others name.
    """

    name: str = ""
    links: tuple[Link, ...] = ()
    labels: Mapping[str, Role] = field(default_factory=dict)
    is_reference: bool | None = False
    joints: tuple[tuple[str, ...], ...] = ()
    named: tuple[tuple[str, ...], ...] = ()


def gather(
    policy: Gate, tables: Mapping[str, Table], described: Metadata, clock: Clock, ties: Ties | None = None
) -> Evidence:
    """Plan and count: everything that measures look at.

    Raises
    ------
    SynthgateError
        When the gate file or the metadata names columns that are not there, or contradicts what real holds.
    """
    ties, real = ties or Ties(), tables["real"]
    sequence = policy.sequences.get("") or described.sequence
    _check_names(policy, described, real)
    roles: dict[str, Role] = {**described.roles, **policy.roles, **ties.labels}
    if sequence and sequence.key and (sequence.key not in roles or roles[sequence.key].is_continuous):
        roles[sequence.key] = Role.ID
    running = {check.id for check in policy.checks}
    contracts = clock.run("load schemas", lambda: load_contracts(policy.schemas, running, real.schema.names))
    plan, sides = _count(policy, tables, roles, described, clock)
    is_reference = ties.is_reference
    if is_reference is None:
        is_reference = "holdout" in sides and same_rows(sides["real"], sides["holdout"])
    if not ties.name and "holdout" in sides and in_the_same_order(sides["real"], sides["holdout"]):
        del sides["holdout"]  # it tells nothing that real does not; gather_one says so
    sides = {name: with_joints(side, plan, ties.joints) for name, side in sides.items()}
    keys, composite = _keys(policy if policy.keys or policy.composite_keys else described, ties, plan, sides["real"])
    evidence = Evidence(
        plan=plan,
        real=sides["real"],
        synthetic=sides["synthetic"],
        holdout=sides.get("holdout"),
        seed=policy.seed,
        targets=policy.targets,
        keys=keys,
        composite_keys=composite,
        time=policy.time,
        constraints=policy.constraints,
        links=ties.links,
        sequence=sequence,
        is_reference=is_reference,
        patterns=described.patterns,
        sign_off=sign_off(policy),
        contracts=contracts,
        show_rows=policy.show_rows,
    )
    refuse_contradictions(described, plan, sides["real"], ties.name)
    return evidence


def _count(
    policy: Gate, tables: Mapping[str, Table], roles: Mapping[str, Role], described: Metadata, clock: Clock
) -> tuple[Plan, dict[str, Side]]:
    """Fix the plan by a survey of the real table, and count every side.

    Raises
    ------
    SynthgateError
    """
    real, synthetic = tables["real"], tables["synthetic"]
    seen = clock.run("count real", lambda: survey(real, roles, policy.seed))
    plan = clock.run("plan", lambda: plan_of(seen, policy.targets, described.layouts))
    if policy.time and not plan[policy.time].role.is_continuous:
        found = f"column {policy.time!r} is read as {plan[policy.time].role}, expected datetime or numerical"
        raise GateFileError(policy.place("time"), found, "name a column of moments, or give its role under `roles`")
    if not set(plan.names) & set(synthetic.schema.names):
        raise DataError(
            synthetic.source,
            f"shares no column with {real.source}: it has {_some(synthetic.schema.names)}, "
            f"expected {_some(plan.names)}",
            "give two tables of the same kind",
        )
    sides = {"real": clock.run("count real", lambda: count_surveyed(plan, seen, policy.seed))}
    for name, table in tables.items():
        if name != "real":
            sides[name] = clock.run(f"count {name}", partial(count_side, plan, table, policy.seed))
    return plan, sides


def _keys(
    given: Gate | Metadata, ties: Ties, plan: Plan, real: Side
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return the keys of one column and of several: those that are given, and those that foreign keys name.

    Where no key is given, ids that are unique in real stay keys beside a named one of several columns.
    """
    single = tuple(names[0] for names in ties.named if len(names) == 1)
    composite = tuple(names for names in ties.named if len(names) > 1)
    if given.keys or given.composite_keys:
        single = (*given.keys, *single)
    elif composite:
        single = unique_ids(plan, real.counts.columns)
    else:
        return (), ()  # schema.keys finds ids that are unique in real, of which the named key is one
    return tuple(dict.fromkeys(single)), tuple(dict.fromkeys((*given.composite_keys, *composite)))


def sign_off(policy: Gate) -> SignOff | None:
    """Return the sign-off that the gate asks for, if there is one beside the gate file."""
    asked = next((check for check in policy.checks if check.id == "review.sample"), None)
    if asked is None:
        return None
    path = (policy.path.parent if policy.path else Path()) / str(asked.options["file"])
    return read_signoff(path) if path.exists() else None


def same_rows(one: Side, other: Side) -> bool:
    """Tell whether two sides hold the same rows, in any order."""
    names = sorted(one.counts.columns)
    if one.rows != other.rows or names != sorted(other.counts.columns) or one.vectors or other.vectors:
        return False
    for name in names:
        a, b = one.counts.columns[name], other.counts.columns[name]
        if a.missing != b.missing or a.values.overflowed or b.values.overflowed or not _same_values(a, b):
            return False
    if not (one.is_whole and other.is_whole):
        return True
    ranked = [_ranked(one.kept[name], other.kept[name]) for name in names]
    sides = [np.array([pair[at] for pair in ranked]) for at in (0, 1)]
    left, right = (side[:, np.lexsort(side)] for side in sides)
    return bool((left == right).all())


def in_the_same_order(one: Side, other: Side) -> bool:
    """Tell whether two sides are the same rows in the same order, too many and too varied for that to be luck."""
    if one.rows != other.rows or one.rows < LEAST_ROWS or not one.is_whole or not other.is_whole:
        return False
    names = list(one.kept)
    if sorted(names) != sorted(other.kept) or one.vectors or other.vectors:
        return False
    varied = False
    for name in names:
        a, b = one.counts.columns[name], other.counts.columns[name]
        if a.missing != b.missing or a.values.overflowed or b.values.overflowed or not _same_values(a, b):
            return False
        if not a.present:
            continue
        here, there = _ranked(one.kept[name], other.kept[name])
        if not np.array_equal(here, there):
            return False
        varied = varied or int(a.values.counts.max(initial=a.missing)) <= MOST_ALIKE * a.rows
    return varied


def _same_values(a: ColumnCounts, b: ColumnCounts) -> bool:
    if isinstance(a.values, NumberCounts) and isinstance(b.values, NumberCounts):
        return bool(
            np.array_equal(a.values.values, b.values.values) and np.array_equal(a.values.counts, b.values.counts)
        )
    return a.labels.as_dict() == b.labels.as_dict()


def _ranked(a: Canonical, b: Canonical) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return codes of two columns that are equal where their values are."""
    if isinstance(a, Numbers) and isinstance(b, Numbers):
        _, place = np.unique(np.concatenate((a.values, b.values)), return_inverse=True)
        return place[: len(a.values)], place[len(a.values) :]
    joined = join_columns([a, b])
    codes = joined.codes.astype(np.int64) if isinstance(joined, Labels) else np.empty(0, np.int64)
    length = len(a.codes) if isinstance(a, Labels) else 0
    return codes[:length], codes[length:]


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:5])
    return shown + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _check_names(policy: Gate, described: Metadata, real: Table) -> None:
    """Refuse names of columns that the real table does not have.

    Raises
    ------
    SynthgateError
    """
    known = real.schema.names
    refuse_unknown(described, real)
    named: list[tuple[str, str]] = [(f"roles.{name}", name) for name in policy.roles]
    named += [("target", name) for name in policy.targets] + [("key", name) for name in policy.keys]
    named += [("key", name) for key in policy.composite_keys for name in key]
    named += [("time", policy.time)] if policy.time else []
    named += [("waivers", name) for waiver in policy.waivers for name in waiver.columns]
    for sequence in policy.sequences.values():
        named += [("sequence", name) for name in (sequence.key, sequence.index) if name is not None]
    for key, name in named:
        if name not in known:
            where = policy.place(key)
            kind = GateFileError if policy.path else UsageError
            raise kind(where, f"column {name!r} is not in the real table", nearest(name, known))
