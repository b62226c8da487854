"""The gate: open the tables, plan, count, measure, judge."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from synthgate.bridges.loading import fingerprints, load_contracts
from synthgate.bridges.sdv import Metadata, read_metadata
from synthgate.cache import cache_folder, cache_key, load, reused, store
from synthgate.catalogue import find_measure
from synthgate.declared import DeclaredCheck
from synthgate.errors import DataError, GateFileError, SynthgateError, UsageError, nearest
from synthgate.findings import CheckResult, DataInfo, RunInfo
from synthgate.gatefile import Gate, load_gate
from synthgate.judging import Waivers, broken_check, judge_check
from synthgate.ratchet import hold
from synthgate.results import read_result
from synthgate.review.signoff import SignOff, read_signoff
from synthgate.roles import Role
from synthgate.verdict import Verdict, conclude

if TYPE_CHECKING:
    from synthgate.evidence import Evidence
    from synthgate.review.page import Page
    from synthgate.tables import Table

VERSIONED = ("duckdb", "numpy", "pyarrow", "scikit-learn", "scipy")
Progress = Callable[[str], None]


@dataclass(slots=True)
class Clock:
    """Seconds per step, and progress as steps begin."""

    progress: Progress | None
    seconds: dict[str, float] = field(default_factory=dict)

    def run(self, step: str, work: Callable[[], Any]) -> Any:
        """Do `work`, and note how long it took."""
        if self.progress:
            self.progress(step)
        start = perf_counter()
        try:
            return work()
        finally:
            self.seconds[step] = self.seconds.get(step, 0.0) + perf_counter() - start


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
    progress: Progress | None = None,
) -> Verdict:
    """Judge whether a synthetic table may be used in place of a real one.

    Parameters
    ----------
    real, synthetic : path, URL or dataframe
        Anything that speaks the Arrow C stream, or a file; by default what the gate file names.
    holdout : path, URL or dataframe, optional
        Real rows that the generator never saw. Without it membership cannot be assessed.
    target : str or sequence of str, optional
        Columns to predict.
    gate : path or Gate, optional
        A gate file.
    preset : str, optional
        ``default``, ``training``, ``release`` or ``share``.
    metadata : path or dict, optional
        SDV metadata (SINGLE_TABLE_V1).
    seed : int, optional
        Same inputs, seed and versions give the same verdict, timings aside.
    only, skip : sequence of str
        Check ids or families.
    missing_values : sequence of str, optional
        Text that stands for a missing value in text files; only the empty field by default.
    baseline : path, optional
        An earlier ``result.json``: what failed there already, and is no worse beyond noise, only warns.
    cache : bool
        Reuse the verdict of an earlier run over the same data, gate and versions, and keep this one.
    risk_file : path, optional
        Where to write which training rows are most at risk (CSV). It names persons; no report holds any of it.
    progress : callable, optional
        Called with the name of each step as it begins.

    Raises
    ------
    SynthgateError
        When the data, the gate file or the arguments do not allow a judgement.
    """
    policy = _overridden(_loaded(gate, preset, only, skip), target, seed, missing_values)
    clock = Clock(progress)
    past = read_result(baseline) if baseline is not None else None
    tables = clock.run("read", lambda: _open(policy, real, synthetic, holdout))
    verdict = _verdict(policy, tables, _metadata(policy, metadata), clock, cache=cache, risk_file=risk_file)
    return hold(verdict, past, str(baseline)) if past is not None else verdict


def _loaded(gate: str | Path | Gate | None, preset: str | None, only: Sequence[str], skip: Sequence[str]) -> Gate:
    return gate if isinstance(gate, Gate) else load_gate(gate, preset=preset, only=only, skip=skip)


def _verdict(
    policy: Gate,
    tables: Mapping[str, Table],
    described: Metadata,
    clock: Clock,
    *,
    cache: bool,
    risk_file: str | Path | None,
) -> Verdict:
    """Judge, or take the kept verdict, which knows no single rows."""
    if cache and risk_file is None:
        return _remembered(policy, tables, described, clock)
    return _judged(policy, tables, described, clock, risk_file)


def _remembered(policy: Gate, tables: Mapping[str, Table], described: Metadata, clock: Clock) -> Verdict:
    """Return the kept verdict on the same data, gate and versions, or judge and keep it.

    Code that a gate file names may change without a trace, so such a gate is always judged anew.
    """
    if policy.allow_code:
        return _judged(policy, tables, described, clock)
    data = clock.run("hash", lambda: {name: _info(table) for name, table in tables.items()})
    beside = (described, _sign_off(policy), fingerprints(policy.schemas))
    key = cache_key(data, policy, beside, {**_versions(), "synthgate": version("synthgate")})
    kept = load(key, cache_folder())
    if kept is not None:
        return reused(kept, data, policy)
    verdict = _judged(policy, tables, described, clock)
    store(key, verdict, cache_folder())
    return verdict


def _judged(
    policy: Gate, tables: Mapping[str, Table], described: Metadata, clock: Clock, risk_file: str | Path | None = None
) -> Verdict:
    from synthgate.bridges.sdmetrics import settle

    policy = settle(policy, tables["real"].schema.names, tables, described.keys)
    evidence = gather(policy, tables, described, clock)
    waivers = Waivers(policy.waivers, datetime.now(UTC).date(), set())
    checks = tuple(run_check(check, evidence, waivers, clock) for check in policy.checks)
    if risk_file is not None:
        from synthgate.measures.privacy.slices import write_risks

        write_risks(evidence.sample, Path(risk_file))
    run = _run_info(policy, tables, evidence, (*described.notes, *waivers.notes()), clock)
    return Verdict(outcome=conclude(checks), checks=checks, run=run)


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
    tables = _open(replace(policy, holdout=None), real, synthetic, None)
    evidence = gather(policy, tables, _metadata(policy, metadata), Clock(None))
    columns, chosen = choose(evidence, rows, with_real=with_real)
    sides = {name: _info(table) for name, table in tables.items()}
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


def _open(policy: Gate, real: object, synthetic: object, holdout: object) -> dict[str, Table]:
    """Open the tables; text files of the judged sides are read as text, so that no value is lost."""
    from synthgate.tables import DEFAULT_MISSING, open_table

    given = {
        "real": policy.real if real is None else real,
        "synthetic": policy.synthetic if synthetic is None else synthetic,
        "holdout": policy.holdout if holdout is None else holdout,
    }
    for name in ("real", "synthetic"):
        if given[name] is None:
            raise UsageError(
                name, f"no {name} table is given", f"give it as an argument, or as `{name}:` in the gate file"
            )
    missing = DEFAULT_MISSING if policy.missing_values is None else policy.missing_values
    tables = {
        name: open_table(source, name=name, as_text=name != "real", missing_values=missing)
        for name, source in given.items()
        if source is not None
    }
    for name, table in tables.items():
        if table.rows == 0:
            raise DataError(table.source, f"the {name} table has no rows", "give a table with at least one row")
    return tables


def _metadata(policy: Gate, metadata: str | Path | Mapping[str, Any] | None) -> Metadata:
    source = metadata if metadata is not None else policy.metadata
    return read_metadata(source) if source is not None else Metadata()


def gather(policy: Gate, tables: Mapping[str, Table], described: Metadata, clock: Clock) -> Evidence:
    """Plan and count: everything that measures look at."""
    from synthgate.evidence import Evidence, count_side, make_plan

    real = tables["real"]
    _check_names(policy, described, real)
    running = {check.id for check in policy.checks}
    contracts = clock.run("load schemas", lambda: load_contracts(policy.schemas, running, real.schema.names))
    roles: dict[str, Role] = {**described.roles, **policy.roles}
    plan = clock.run("plan", lambda: make_plan(real, roles, policy.targets, described.layouts))
    if policy.time and not plan[policy.time].role.is_continuous:
        found = f"column {policy.time!r} is read as {plan[policy.time].role}, expected datetime or numerical"
        raise GateFileError(policy.place("time"), found, "name a column of moments, or give its role under `roles`")
    shared = set(plan.names) & set(tables["synthetic"].schema.names)
    if not shared:
        raise DataError(
            tables["synthetic"].source,
            f"shares no column with {real.source}: it has {_some(tables['synthetic'].schema.names)}, "
            f"expected {_some(plan.names)}",
            "give two tables of the same kind",
        )
    sides = {
        name: clock.run(f"count {name}", partial(count_side, plan, table, policy.seed))
        for name, table in tables.items()
    }
    return Evidence(
        plan=plan,
        real=sides["real"],
        synthetic=sides["synthetic"],
        holdout=sides.get("holdout"),
        seed=policy.seed,
        targets=policy.targets,
        keys=policy.keys or described.keys,
        time=policy.time,
        constraints=policy.constraints,
        sign_off=_sign_off(policy),
        contracts=contracts,
    )


def _sign_off(policy: Gate) -> SignOff | None:
    """Return the sign-off that the gate asks for, if there is one beside the gate file."""
    asked = next((check for check in policy.checks if check.id == "review.sample"), None)
    if asked is None:
        return None
    path = (policy.path.parent if policy.path else Path()) / str(asked.options["file"])
    return read_signoff(path) if path.exists() else None


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
    for name in described.roles:
        if name not in known:
            raise DataError("metadata", f"column {name!r} is not in {real.source}", nearest(name, known))
    named: list[tuple[str, str]] = [(f"roles.{name}", name) for name in policy.roles]
    named += [("target", name) for name in policy.targets] + [("key", name) for name in policy.keys]
    named += [("time", policy.time)] if policy.time else []
    named += [("waivers", name) for waiver in policy.waivers for name in waiver.columns]
    for key, name in named:
        if name not in known:
            where = policy.place(key)
            kind = GateFileError if policy.path else UsageError
            raise kind(where, f"column {name!r} is not in the real table", nearest(name, known))


def run_check(check: DeclaredCheck, evidence: Evidence, waivers: Waivers, clock: Clock) -> CheckResult:
    """Measure and judge one check; a measure that breaks becomes an error, so that the gate fails closed."""
    start = perf_counter()
    found = find_measure(check.id)
    if found is None:
        raise SynthgateError(check.id, "no measure of this name is installed", "remove the check from the gate file")
    try:
        options = {**found.options, **check.options}
        measurement = clock.run(check.id, lambda: found.compute(evidence, options))
    except SynthgateError:
        raise
    except Exception as error:  # noqa: BLE001 - the one boundary where a defect of a measure becomes a finding
        return broken_check(check, error, perf_counter() - start)
    return judge_check(check, measurement, waivers, perf_counter() - start)


def _info(table: Table) -> DataInfo:
    return DataInfo(source=table.source, rows=table.rows, columns=len(table.schema.names), sha256=table.sha256)


def _versions() -> dict[str, str]:
    return {name: version(name) for name in VERSIONED}


def _run_info(
    policy: Gate, tables: Mapping[str, Table], evidence: Evidence, notes: Sequence[str], clock: Clock
) -> RunInfo:
    digests = clock.run("hash", lambda: {name: _info(table) for name, table in tables.items()})
    return RunInfo(
        real=digests["real"],
        synthetic=digests["synthetic"],
        holdout=digests.get("holdout"),
        seed=policy.seed,
        synthgate_version=version("synthgate"),
        versions=_versions(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        targets=policy.targets,
        gate_file=str(policy.path) if policy.path else None,
        preset=policy.preset,
        roles={column.name: str(column.role) for column in evidence.plan.columns},
        notes=tuple(notes),
        seconds=dict(clock.seconds),
    )
