"""Great Expectations suites: run as they are in a context that leaves nothing behind, with real as a control."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from synthgate.catalogue import Options, measure
from synthgate.contracts import Contract, Library
from synthgate.findings import Measurement
from synthgate.libraries import silent
from synthgate.measures.constraints.breaches import Breach, Report, contracts_of, misfit, summed_up, with_rows
from synthgate.measures.constraints.frames import pandas_frame, typed_rows
from synthgate.measures.constraints.shown import MOST_ROWS

if TYPE_CHECKING:
    from synthgate.evidence import Evidence
    from synthgate.sides import Side

PLACE = "synthgate_place"
ROUNDING = 1e-9
WARNS = ("warning", "info")


@measure("constraints.great_expectations")
def great_expectations(evidence: Evidence, options: Options) -> Measurement:
    """Hold synthetic, and real as a control, against each suite, and count what each expectation finds unexpected.

    An expectation that real itself does not meet is the suite's fault, and is told as a warning. One that raises
    could not be judged, and counts as broken.
    """
    contracts = contracts_of(evidence, Library.GREAT_EXPECTATIONS)
    if not contracts:
        return Measurement.missing("no Great Expectations suite is named: list one under `schemas` in the gate file")
    reports = []
    for contract in contracts:
        synthetic = with_rows(evidence, _validate(evidence, evidence.synthetic, contract, rows=evidence.show_rows))
        real = _validate(evidence, evidence.real, contract) if evidence.real.has_rows else None
        reports.append(Report(contract.source, "suite", synthetic, real, len(contract.schema["expectations"])))
    return summed_up(reports)


def _validate(evidence: Evidence, side: Side, contract: Contract, *, rows: bool = False) -> list[Breach]:
    """Run a suite in an ephemeral context, which keeps everything in memory; with `rows` it lists those that break."""
    read = typed_rows(evidence, side, side.table.schema.names)
    frame = pandas_frame(read.table)
    with silent():
        result = _batch(frame).validate(
            _suite(contract.schema),
            result_format={"result_format": "COMPLETE" if rows else "BASIC", "partial_unexpected_count": 0},
            **_parameters(contract.schema),
        )
    # the library answers in an order of its own
    results = sorted(result.results, key=lambda found: int(found.expectation_config.meta[PLACE]))
    items = contract.schema["expectations"]
    named = {name for item in items for name in _columns(item.get("kwargs") or {})}
    breaches = [misfit(name, n, side.rows) for name, n in read.misfits.items() if name in named]
    breaches += [breach for at, found in enumerate(results) if (breach := _breach(found, items[at], at, side.rows))]
    return breaches


def _suite(content: Mapping[str, Any]) -> Any:
    import great_expectations as gx

    items = []
    for at, item in enumerate(content["expectations"]):
        kept = {key: item[key] for key in ("type", "kwargs", "severity") if item.get(key) is not None}
        items.append({**kept, "meta": {PLACE: at}})
    return gx.ExpectationSuite(name="suite", expectations=items)


def _parameters(content: Mapping[str, Any]) -> dict[str, Any]:
    parameters = content.get("suite_parameters")
    return {"expectation_parameters": parameters} if parameters else {}


def _batch(frame: Any) -> Any:
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    asset = context.data_sources.add_pandas("table").add_dataframe_asset("table")
    definition = asset.add_batch_definition_whole_dataframe("table")
    return definition.get_batch(batch_parameters={"dataframe": frame})


def _breach(found: Any, item: Mapping[str, Any], at: int, rows: int) -> Breach | None:
    """Return the breach that a result is, or None when it meets the expectation without a single unexpected value."""
    kwargs, result = item.get("kwargs") or {}, found.result or {}
    breach = Breach(
        columns=_columns(kwargs),
        rule=_rule(item["type"], kwargs),
        key=(str(at),),
        rows=None,
        of=rows,
        raised=_raised(found.exception_info),
        warns=str(item.get("severity")) in WARNS,
        observed=_observed(result),
    )
    if breach.raised is not None:
        return breach
    if result.get("unexpected_count") is None or result.get("element_count") is None:
        return None if found.success else breach
    count = int(result["unexpected_count"])
    of = int(result["element_count"]) - int(result.get("missing_count") or 0)
    if found.success and not count:
        return None
    share = count / of if of else 1.0
    mostly = kwargs.get("mostly")
    allowed = 1 - float(mostly) if isinstance(mostly, int | float) else 0.0
    # the library's own judgement goes before a rounding of the share
    allowed = max(allowed, share) if found.success else min(allowed, share - ROUNDING)
    index = [at for at in result.get("unexpected_index_list") or () if isinstance(at, int)]
    return replace(breach, rows=count, of=of, allowed=max(0.0, allowed), first=tuple(sorted(index)[:MOST_ROWS]))


def _raised(info: Any) -> str | None:
    """Return the message of the exception in a result, which is nested by metric when a metric raised."""
    if not isinstance(info, Mapping):
        return None
    if info.get("raised_exception") is False:
        return None
    if "raised_exception" in info:
        return _one_line(info.get("exception_message"))
    nested = [value for value in info.values() if isinstance(value, Mapping) and value.get("raised_exception")]
    return _one_line(nested[0].get("exception_message")) if nested else None


def _one_line(message: object) -> str:
    return " ".join(str(message or "an error").split())[:200]


def _observed(result: Mapping[str, Any]) -> str | None:
    """Return an observed number in words; anything else could show values."""
    value = result.get("observed_value")
    try:
        return None if value is None or isinstance(value, str | bool) else f"{float(value):.6g}"
    except (TypeError, ValueError):
        return None


def _columns(kwargs: Mapping[str, Any]) -> tuple[str, ...]:
    single = [kwargs[key] for key in ("column", "column_A", "column_B") if isinstance(kwargs.get(key), str)]
    several = kwargs.get("column_list")
    return tuple(dict.fromkeys([*single, *(n for n in several or () if isinstance(n, str))]))


def _rule(kind: str, kwargs: Mapping[str, Any]) -> str:
    """Return an expectation in words: its name and its bounds, long lists cut short."""
    told = []
    for key, value in kwargs.items():
        if key in ("column", "column_A", "column_B", "column_list", "batch_id", "mostly") or value is None:
            continue
        text = str(value)
        told.append(f"{key}={text if len(text) <= 40 else text[:37] + '...'}")
    return f"{kind}({', '.join(told)})"[:160]
