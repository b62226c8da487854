"""The gate: open the tables, plan, count, measure, judge."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from synthgate.bridges.loading import fingerprints
from synthgate.bridges.sdv import Metadata, TablesMetadata, read_tables_metadata
from synthgate.cache import cache_folder, cache_key, load, reused, store
from synthgate.catalogue import find_measure
from synthgate.clock import Clock, Progress
from synthgate.dataset import DataSet, gather_many, gather_one, open_sides
from synthgate.declared import DeclaredCheck
from synthgate.errors import SynthgateError, UsageError
from synthgate.findings import CheckResult, DataInfo, Estimate, Measured, Measurement, RunInfo
from synthgate.gatefile import Gate, load_gate, select
from synthgate.gathering import sign_off
from synthgate.judging import Waivers, broken_check, judge_check
from synthgate.merging import merge
from synthgate.ratchet import hold
from synthgate.results import read_result
from synthgate.threads import single_products
from synthgate.verdict import Verdict, conclude

if TYPE_CHECKING:
    from synthgate.evidence import Evidence
    from synthgate.review.page import Page
    from synthgate.tables import Table

VERSIONED = ("duckdb", "numpy", "pyarrow", "scikit-learn", "scipy")
WHOLE_SET = ("relationships", "sequence", "schemas")
"""Needs that a check may have of the data set, without which it is no question at all."""
NOT_ON_REFERENCE = ("privacy", "utility")


def evaluate(
    real: object = None,
    synthetic: object = None,
    *,
    holdout: object = None,
    target: str | Sequence[str] | None = None,
    gate: str | Path | Gate | None = None,
    preset: str | None = None,
    metadata: str | Path | Mapping[str, Any] | None = None,
    seed: int | None = None,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    missing_values: Sequence[str] | None = None,
    baseline: str | Path | None = None,
    cache: bool = False,
    risk_file: str | Path | None = None,
    show_rows: bool = False,
    progress: Progress | None = None,
) -> Verdict:
    """Judge whether synthetic data may be used in place of real data.

    Parameters
    ----------
    real, synthetic, holdout : path, URL, dataframe or mapping
        A file, or anything that speaks the Arrow C stream; a folder or a mapping from name to table is a relational
        data set. The holdout is real rows that the generator never saw. By default what the gate file names.
    target : str or sequence of str, optional
        Columns to predict; ``table.column`` where several tables have the column.
    gate, preset : path or Gate, and str, optional
        A gate file; ``default``, ``training``, ``release`` or ``share``.
    metadata : path or dict, optional
        SDV metadata (SINGLE_TABLE_V1, MULTI_TABLE_V1 or V1).
    seed : int, optional
        Same inputs, seed and versions give the same verdict, timings aside.
    only, skip : sequence of str
        Check ids or families.
    missing_values : sequence of str, optional
        Texts for a missing value in text files; only the empty field by default.
    baseline : path, optional
        An earlier ``result.json``: what failed there already, and is no worse beyond noise, only warns.
    cache : bool
        Reuse, and keep, the verdict over the same data, gate and versions.
    risk_file : path, optional
        Where to write which training rows are most at risk (CSV). It names persons; no report holds any of it.
    show_rows : bool
        Let constraints, declared, mined or of schemas, show a few synthetic rows that break them.
    progress : callable, optional

    Raises
    ------
    SynthgateError
    """
    policy, clock = _loaded(gate, preset, only, skip, show_rows=show_rows), Clock(progress)
    policy = _overridden(policy, target, seed, missing_values)
    past = read_result(baseline) if baseline is not None else None
    opened = _opened(policy, {"real": real, "synthetic": synthetic, "holdout": holdout}, metadata, clock)
    # a kept verdict knows no single rows
    make = _remembered if cache and risk_file is None else partial(_judged, risk_file=risk_file)
    verdict = make(policy, opened, tuple(only), clock)
    return hold(verdict, past, str(baseline)) if past is not None else verdict


def _loaded(
    gate: str | Path | Gate | None, preset: str | None, only: Sequence[str], skip: Sequence[str], *, show_rows: bool
) -> Gate:
    if not isinstance(gate, Gate):
        policy = load_gate(gate, preset=preset, only=only, skip=skip)
    elif preset is not None:
        raise UsageError("preset", f"{preset!r} is given beside a gate that is loaded", "give it to load_gate instead")
    else:
        policy = replace(gate, checks=select(gate.checks, only, skip))
    return replace(policy, show_rows=True) if show_rows else policy


@dataclass(frozen=True, slots=True)
class Opened:
    """The tables of every side, what they were read from, and what metadata says of them."""

    tables: Mapping[str, Mapping[str, Table]]
    sources: Mapping[str, str]
    described: TablesMetadata

    @property
    def is_many(self) -> bool:
        """Whether the run is about several tables."""
        return "" not in self.tables["real"]

    def gather(self, policy: Gate, clock: Clock) -> DataSet:
        """Plan and count every table of every side."""
        gather = gather_many if self.is_many else gather_one
        return gather(policy, self.tables, self.sources, self.described, clock)

    def info(self) -> dict[str, DataInfo]:
        """Return origin, size and digest of every side."""
        return {side: _side_info(tables, self.sources[side]) for side, tables in self.tables.items()}


def _opened(
    policy: Gate, given: Mapping[str, object], metadata: str | Path | Mapping[str, Any] | None, clock: Clock
) -> Opened:
    named = {side: getattr(policy, side) if source is None else source for side, source in given.items()}
    tables, sources = clock.run("read", lambda: open_sides(policy, named))
    source = metadata if metadata is not None else policy.metadata
    described = read_tables_metadata(source) if source is not None else TablesMetadata({"": Metadata()})
    return Opened(tables, sources, described)


def _remembered(policy: Gate, opened: Opened, only: tuple[str, ...], clock: Clock) -> Verdict:
    """Return the kept verdict on the same data, gate and versions, or judge and keep it.

    Code that a gate file names may change without a trace, so such a gate is always judged anew.
    """
    if policy.allow_code:
        return _judged(policy, opened, only, clock)
    data = clock.run("hash", opened.info)
    profiles = {name: table.profile.digest for name, table in opened.tables["real"].items() if table.profile}
    facts = (opened.described, profiles, sign_off(policy), fingerprints(policy.schemas), only)
    key = cache_key(data, policy, facts, {**_versions(), "synthgate": version("synthgate")})
    kept = load(key, cache_folder())
    if kept is not None:
        return reused(kept, data, policy)
    verdict = _judged(policy, opened, only, clock)
    store(key, verdict, cache_folder())
    return verdict


def _judged(
    policy: Gate, opened: Opened, only: tuple[str, ...], clock: Clock, risk_file: str | Path | None = None
) -> Verdict:
    from synthgate.bridges.sdmetrics import settle

    columns = [name for table in opened.tables["real"].values() for name in table.schema.names]
    keys = [key for described in opened.described.tables.values() for key in described.keys]
    policy = settle(policy, columns, opened.tables, keys)
    data = opened.gather(policy, clock)
    waivers = Waivers(policy.waivers, datetime.now(UTC).date(), set())
    checks = tuple(_over_tables(check, data, waivers, clock) for check in _applicable(policy, data, only))
    if risk_file is not None:
        _write_risks(data, Path(risk_file))
    run = _run_info(policy, opened, data, (*data.notes, *_profile_notes(opened), *waivers.notes()), clock)
    return Verdict(outcome=conclude(checks), checks=checks, run=run)


def _profile_notes(opened: Opened) -> list[str]:
    """Say that real is a profile, and what that leaves out."""
    return [
        f"real is a profile of {table.rows:,} rows, not the rows themselves: cells of fewer than "
        f"{table.profile.body['k']} rows are left out of it, which intervals allow for; "
        "checks that need rows are not assessed"
        for table in opened.tables["real"].values()
        if table.profile is not None
    ]


def _write_risks(data: DataSet, path: Path) -> None:
    from synthgate.measures.privacy.slices import write_risks

    if data.is_many:
        raise UsageError(str(path), "several tables are given, expected one", "name the files of one table")
    write_risks(data.evidence[""].sample, path)


def review_page(
    real: object = None,
    synthetic: object = None,
    *,
    gate: str | Path | None = None,
    metadata: str | Path | Mapping[str, Any] | None = None,
    rows: int = 30,
    seed: int | None = None,
    with_real: bool = False,
) -> Page:
    """Return a page of synthetic rows for a person to look at, the most implausible first.

    Parameters
    ----------
    real, synthetic : path, URL or dataframe
        By default what the gate file names.
    gate : path, optional
    metadata : path or dict, optional
    rows : int
    seed : int, optional
    with_real : bool
        Show real rows beside them.

    Raises
    ------
    SynthgateError
        When the tables cannot be read or compared.
    """
    from synthgate.review.choice import choose
    from synthgate.review.page import Page

    policy = _overridden(load_gate(gate), None, seed, None)
    opened = _opened(
        replace(policy, holdout=None), {"real": real, "synthetic": synthetic, "holdout": None}, metadata, Clock(None)
    )
    if opened.is_many:
        raise UsageError("review", "several tables are given, expected one", "name the files of one table")
    (evidence,) = opened.gather(policy, Clock(None)).evidence.values()
    columns, chosen = choose(evidence, rows, with_real=with_real)
    sides = opened.info()
    return Page(columns=columns, rows=chosen, real=sides["real"], synthetic=sides["synthetic"], with_real=with_real)


def _overridden(
    policy: Gate, target: str | Sequence[str] | None, seed: int | None, missing_values: Sequence[str] | None
) -> Gate:
    targets = (target,) if isinstance(target, str) else tuple(target or policy.targets)
    return replace(
        policy,
        targets=targets,
        seed=policy.seed if seed is None else seed,
        missing_values=policy.missing_values if missing_values is None else tuple(missing_values),
    )


def _applicable(policy: Gate, data: DataSet, only: Sequence[str]) -> list[DeclaredCheck]:
    """Leave out the checks of foreign keys, sequences and schemas where there are none, unless they are asked for."""
    has = {
        "relationships": data.is_many,
        "sequence": any(one.sequence is not None for one in data.evidence.values()),
        "schemas": bool(policy.schemas),
    }
    return [
        check
        for check in policy.checks
        if all(has[need] for need in check.needs if need in WHOLE_SET)
        or check.required
        or check.id in only
        or check.family in only
    ] or list(policy.checks)


def _over_tables(check: DeclaredCheck, data: DataSet, waivers: Waivers, clock: Clock) -> CheckResult:
    """Run a check on every table that it concerns, and add the results up."""
    if not data.is_many:
        return run_check(check, data.evidence[""], waivers, clock)
    concerned = [name for name, one in data.evidence.items() if _concerns(check, one, data)] or list(data.evidence)
    results = {name: run_check(check, data.evidence[name], waivers, clock, table=name) for name in concerned}
    if check.id == "schema.columns":
        for name in (*data.missing, *data.added):
            results[name] = judge_check(check, _one_sided(name, is_missing=name in data.missing), waivers, 0.0)
    return merge(results)


def _concerns(check: DeclaredCheck, evidence: Evidence, data: DataSet) -> bool:
    """Tell whether a check is a question about this table, where others have what it needs."""
    if "relationships" in check.needs:
        return bool(evidence.links)
    if "sequence" in check.needs:
        return evidence.sequence is not None
    if "constraints" in check.needs:
        return bool(evidence.constraints)
    if "schemas" in check.needs:
        return any(f"constraints.{one.source.library}" == check.id for one in evidence.contracts)
    return bool(evidence.targets) or check.family != "utility" or not data.targets


def _one_sided(table: str, *, is_missing: bool) -> Measurement:
    told = "in real, absent from synthetic" if is_missing else "in synthetic, absent from real"
    metric = "table_missing" if is_missing else "table_added"
    found = Measured(metric=metric, message=f"the table is {told}", estimate=Estimate.exact(1.0), table=table)
    return Measurement(reason=f"the table is {told}", findings=(found,), score=Estimate.exact(0.0))


def run_check(
    check: DeclaredCheck, evidence: Evidence, waivers: Waivers, clock: Clock, *, table: str | None = None
) -> CheckResult:
    """Measure and judge one check; a measure that breaks becomes an error, so that the gate fails closed."""
    start = perf_counter()
    found = find_measure(check.id)
    if found is None:
        raise SynthgateError(check.id, "no measure of this name is installed", "remove the check from the gate file")
    try:
        options = {**found.options, **check.options}
        measurement = clock.run(check.id, lambda: _measured(check, evidence, lambda: found.compute(evidence, options)))
    except SynthgateError:
        raise
    except Exception as error:  # noqa: BLE001 - the one boundary where a defect of a measure becomes a finding
        return broken_check(check, error, perf_counter() - start)
    if table is not None:
        measurement = replace(measurement, findings=tuple(replace(f, table=table) for f in measurement.findings))
    return judge_check(check, measurement, waivers, perf_counter() - start)


def _measured(check: DeclaredCheck, evidence: Evidence, compute: Callable[[], Measurement]) -> Measurement:
    if evidence.is_reference and check.family in NOT_ON_REFERENCE:
        return Measurement.missing(
            "a reference table: its rows are public facts, the same in every part of the real data"
        )
    if "rows" in check.needs and not evidence.real.has_rows:
        return Measurement.missing("real is a profile, which holds counts and no rows")
    with single_products():
        return compute()


def _versions() -> dict[str, str]:
    return {name: version(name) for name in VERSIONED}


def _run_info(policy: Gate, opened: Opened, data: DataSet, notes: Sequence[str], clock: Clock) -> RunInfo:
    sides = clock.run("hash", opened.info)
    return RunInfo(
        real=sides["real"],
        synthetic=sides["synthetic"],
        holdout=sides.get("holdout"),
        seed=policy.seed,
        synthgate_version=version("synthgate"),
        versions=_versions(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        targets=data.targets if data.is_many else policy.targets,
        gate_file=str(policy.path) if policy.path else None,
        preset=policy.preset,
        roles=data.roles,
        notes=tuple(notes),
        seconds=dict(clock.seconds),
    )


def _side_info(tables: Mapping[str, Table], source: str) -> DataInfo:
    """Return origin and size of a side; of several tables the digest is over their names and digests."""

    def info(table: Table) -> DataInfo:
        return DataInfo(source=table.source, rows=table.rows, columns=len(table.schema.names), sha256=table.sha256)

    if "" in tables:
        return info(tables[""])
    made = {name: info(table) for name, table in tables.items()}
    whole = hashlib.sha256()
    for name, one in sorted(made.items()):
        encoded = name.encode("utf-8", "surrogateescape")
        whole.update(b"%d %b %b\n" % (len(encoded), encoded, one.sha256.encode()))
    return DataInfo(
        source=source,
        rows=sum(one.rows for one in made.values()),
        columns=sum(one.columns for one in made.values()),
        sha256=whole.hexdigest(),
        tables=made,
    )
