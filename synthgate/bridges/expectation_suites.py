"""Great Expectations suites of a gate file: read from the JSON that version 1 writes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from synthgate.contracts import Contract, ContractSource
from synthgate.errors import GateFileError, nearest
from synthgate.libraries import require, silent

EXTRA = "great-expectations"
VERSION = 1
COLUMN_KEYS = ("column", "column_A", "column_B")
SAVE = "save the suite with version 1: json.dump(suite.to_json_dict(), file)"


def load_suite(source: ContractSource, columns: Sequence[str]) -> Contract:
    """Load the suite that an entry names.

    Every expectation is made on its own: the library itself logs and drops those that it cannot make.

    Parameters
    ----------
    source : ContractSource
    columns : sequence of str
        Of the real table; each column that an expectation names has to be among them.

    Raises
    ------
    GateFileError
        When the file is no suite of version 1, or one for another table.
    UsageError
        When Great Expectations is not installed.
    """
    content = _read(source)
    expectations = content.get("expectations")
    if not isinstance(expectations, list) or not expectations:
        raise GateFileError(str(source.path), "the suite holds no expectations", SAVE)
    _refuse_old(content, expectations, source)
    for at, item in enumerate(expectations, 1):
        if not isinstance(item, dict) or not isinstance(item.get("type"), str):
            raise GateFileError(str(source.path), f"expectation {at} has no `type`", SAVE)
        _refuse_other_columns(item, at, source, columns)
    _make_all(content, expectations, source)
    return Contract(source, content)


def _read(source: ContractSource) -> Mapping[str, Any]:
    path = source.path
    if path is None or not path.is_file():
        raise GateFileError(source.place, f"{path} does not exist", "check the path: it is relative to the gate file")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise GateFileError(str(path), f"cannot be read: {error.strerror}", "check its permissions") from error
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise GateFileError(str(path), f"is no valid JSON: {error}", SAVE) from error
    if not isinstance(content, dict):
        raise GateFileError(str(path), "holds no JSON object, expected an expectation suite", SAVE)
    return content


def _refuse_old(content: Mapping[str, Any], expectations: Sequence[Any], source: ContractSource) -> None:
    meta = content.get("meta")
    version = meta.get("great_expectations_version", "") if isinstance(meta, dict) else ""
    old = [item for item in expectations if isinstance(item, dict) and "expectation_type" in item]
    if "expectation_suite_name" in content or old or str(version).startswith("0."):
        told = f" ({version})" if version else ""
        raise GateFileError(str(source.path), f"is a suite of Great Expectations 0.x{told}, expected version 1", SAVE)


def _named(kwargs: Mapping[str, Any]) -> Iterator[str]:
    for key in COLUMN_KEYS:
        if isinstance(kwargs.get(key), str):
            yield kwargs[key]
    several = kwargs.get("column_list")
    # the expectations that compare the whole table's names may name what the real table lacks
    if isinstance(several, list) and set(kwargs) & {"ignore_row_if", "sum_total", "mostly"}:
        yield from (name for name in several if isinstance(name, str))


def _refuse_other_columns(item: Mapping[str, Any], at: int, source: ContractSource, columns: Sequence[str]) -> None:
    kwargs = item.get("kwargs")
    for name in _named(kwargs if isinstance(kwargs, dict) else {}):
        if name not in columns:
            raise GateFileError(
                str(source.path),
                f"expectation {at}, {item['type']}, names the column {name!r}, which is not in the real table",
                f"{nearest(name, columns)} Or name the suite of this table",
            )


def _make_all(content: Mapping[str, Any], expectations: Sequence[Mapping[str, Any]], source: ContractSource) -> None:
    """Make the suite once, to find what the library refuses."""
    gx = require("great_expectations", EXTRA, source.place)
    if int(str(gx.__version__).split(".", maxsplit=1)[0]) < VERSION:
        problem = f"Great Expectations {gx.__version__} is installed, expected version 1"
        raise GateFileError(source.place, problem, f"pip install 'synthgate[{EXTRA}]'")
    from great_expectations.exceptions.exceptions import GreatExpectationsError

    with silent():
        # expectations look the current context up while they are made
        gx.get_context(mode="ephemeral")
    for at, item in enumerate(expectations, 1):
        try:
            with silent():
                made = gx.ExpectationSuite(name="suite", expectations=[plain_expectation(item)])
        except (GreatExpectationsError, AttributeError, KeyError, TypeError, ValueError) as error:
            first = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
            raise GateFileError(str(source.path), f"expectation {at}, {item['type']}: {first}", SAVE) from error
        if not made.expectations:
            raise GateFileError(
                str(source.path),
                f"expectation {at}, {item['type']}, is refused by Great Expectations {gx.__version__}",
                "correct its `kwargs`",
            )
    parameters = content.get("suite_parameters")
    if parameters is not None and not isinstance(parameters, dict):
        raise GateFileError(str(source.path), "`suite_parameters` is no JSON object", SAVE)


def plain_expectation(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an expectation without what ties it to a store."""
    return {key: item[key] for key in ("type", "kwargs", "meta", "severity") if item.get(key) is not None}
