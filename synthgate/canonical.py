"""Canonical columns: one representation per role, whatever the source stored.

Continuous roles become float64 numbers (datetimes as microseconds since 1970, UTC), with NaN
for missing; discrete roles become codes into a batch's own list of labels. A value
that does not fit its role becomes missing and is counted as a misfit, never a crash.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synthgate.notations import parser
from synthgate.roles import Role

if TYPE_CHECKING:
    import pyarrow as pa

NUMBER_PATTERN = r"^\s*[-+]?(\d+\.?\d*([eE][-+]?\d+)?|\.\d+([eE][-+]?\d+)?|inf|Inf|Infinity)\s*$"
TRUE_LABELS = frozenset({"true", "t", "yes", "y", "1", "1.0"})
FALSE_LABELS = frozenset({"false", "f", "no", "n", "0", "0.0"})
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Numbers:
    """A continuous column of one batch."""

    values: NDArray[np.float64]
    misfits: int = 0


@dataclass(frozen=True, slots=True)
class Labels:
    """A discrete column of one batch: ``labels[codes]``, with -1 for missing."""

    codes: NDArray[np.int32]
    labels: pa.Array
    misfits: int = 0


Canonical = Numbers | Labels


def kind_of(kind: pa.DataType) -> str:
    """Return the plain name of an Arrow type: integer, float, boolean, string, datetime, time, vector, ..."""
    import pyarrow.types as pt

    if pt.is_dictionary(kind):
        return kind_of(kind.value_type)
    tests: tuple[tuple[Callable[[pa.DataType], bool], str], ...] = (
        (pt.is_boolean, "boolean"),
        (pt.is_integer, "integer"),
        (pt.is_floating, "float"),
        (pt.is_decimal, "float"),
        (pt.is_date, "datetime"),
        (pt.is_timestamp, "datetime"),
        (pt.is_string, "string"),
        (pt.is_large_string, "string"),
        (pt.is_null, "null"),
        (pt.is_binary, "binary"),
        (pt.is_large_binary, "binary"),
        (pt.is_time, "time"),
        (pt.is_duration, "duration"),
    )
    for test, name in tests:
        if test(kind):
            return name
    lists = pt.is_list(kind) or pt.is_large_list(kind) or pt.is_fixed_size_list(kind)
    if lists and kind_of(kind.value_type) in ("integer", "float"):
        return "vector"
    return "nested"


def _plain(array: pa.Array) -> pa.Array:
    """Undo dictionary encoding, so that one code path reads every array."""
    import pyarrow.types as pt

    return array.dictionary_decode() if pt.is_dictionary(array.type) else array


def _floats(array: pa.Array) -> NDArray[np.float64]:
    import pyarrow as pa
    import pyarrow.compute as pc

    cast = pc.cast(array, pa.float64(), safe=False)
    plain: NDArray[np.float64] = cast.to_numpy(zero_copy_only=False).astype(np.float64, copy=False)
    if not array.null_count:
        return plain
    out = plain.copy()
    out[pc.is_null(array).to_numpy(zero_copy_only=False)] = np.nan
    return out


def _through_unique(array: pa.Array, parse: Callable[[str], float | None]) -> Numbers:
    """Parse each distinct string once, and spread the results over the rows."""
    import pyarrow as pa

    encoded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    parsed = [np.nan if text is None else parse(text) for text in encoded.dictionary.to_pylist()]
    table = np.array([np.nan if p is None else p for p in parsed] + [np.nan], np.float64)
    codes = encoded.indices.cast(pa.int64()).fill_null(len(parsed)).to_numpy(zero_copy_only=False)
    wrong = np.array([p is None for p in parsed] + [False])
    return Numbers(table[codes], int(wrong[codes].sum()))


def parse_datetime(text: str, layout: str | None = None) -> float | None:
    """Return microseconds since 1970 (UTC; no offset means UTC), or None when `text` is no such date."""
    stripped = text.strip()
    try:
        moment = datetime.strptime(stripped, layout) if layout else datetime.fromisoformat(stripped)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (aware - EPOCH).total_seconds() * 1e6


def parse_number(text: str) -> float | None:
    """Return the number that `text` spells (NaN, which is missing, for ``nan``), or None."""
    try:
        return float(text.strip().replace("_", "x"))
    except ValueError:
        return None


def to_numbers(array: pa.Array, role: Role, layout: str | None = None) -> Numbers:
    """Return a continuous column.

    Parameters
    ----------
    array : pyarrow.Array
    role : Role
    layout : str, optional
        How texts are written: a ``strptime`` format of dates, a notation of numbers (:mod:`synthgate.notations`).
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = kind_of(array.type)
    if kind != "string":
        array = _plain(array)
    if kind == "null":
        return Numbers(np.full(len(array), np.nan))
    if kind == "string":
        if role is Role.DATETIME:
            return _through_unique(array, lambda text: parse_datetime(text, layout))
        return _through_unique(array, parser(layout) if layout else parse_number)
    if kind == "datetime" and role is Role.DATETIME:
        micro = pc.cast(array, pa.timestamp("us"), safe=False) if not pa.types.is_timestamp(array.type) else array
        naive = pc.cast(micro, pa.timestamp("us", tz=micro.type.tz), safe=False)
        return Numbers(_floats(pc.cast(naive, pa.int64(), safe=False)))
    if kind in ("integer", "float", "boolean") and role is Role.NUMERICAL:
        return Numbers(_floats(array))
    return Numbers(np.full(len(array), np.nan), len(array) - array.null_count)


def number_label(value: float) -> str:
    """Return the label of a number used as a category: ``3`` for 3.0, ``2.5`` for 2.5."""
    return str(int(value)) if np.isfinite(value) and value == int(value) else repr(float(value))


def to_labels(array: pa.Array, role: Role) -> Labels:
    """Return a discrete column (categorical, boolean, id, text)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = kind_of(array.type)
    if kind in ("nested", "vector"):
        array = pa.array([None if v is None else repr(v) for v in array.to_pylist()], pa.string())
    elif kind == "float":
        plain = _plain(array)
        floats = _floats(plain)
        values, codes = np.unique(floats, return_inverse=True)
        names = [number_label(v) for v in values]
        missing = np.isnan(values)[codes]
        labels = Labels(np.where(missing, -1, codes).astype(np.int32), pa.array(names, pa.string()))
        return as_booleans(labels) if role is Role.BOOLEAN else labels
    encoded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    names = encoded.dictionary
    if kind != "string":
        names = pc.cast(names, pa.string()) if kind != "binary" else pa.array([v.hex() for v in names.to_pylist()])
    indices = encoded.indices.cast(pa.int32())
    codes = (indices.fill_null(-1) if indices.null_count else indices).to_numpy(zero_copy_only=False)
    labels = Labels(codes.astype(np.int32, copy=False), pc.cast(names, pa.string()))
    return as_booleans(labels) if role is Role.BOOLEAN else labels


def as_booleans(labels: Labels) -> Labels:
    """Map the spellings of a boolean on ``true`` and ``false``; anything else is a misfit."""
    import pyarrow as pa

    known = {**dict.fromkeys(TRUE_LABELS, 1), **dict.fromkeys(FALSE_LABELS, 0)}
    places = [known.get(str(text).strip().lower(), -1) for text in labels.labels.to_pylist()]
    table = np.array([*places, -1], np.int32)
    codes = table[labels.codes]
    return Labels(codes, pa.array(["false", "true"]), int(((codes < 0) & (labels.codes >= 0)).sum()))


def to_vectors(array: pa.Array) -> NDArray[np.float32]:
    """Return a vector column as a matrix; rows of another length become NaN."""
    rows: list[Any] = array.to_pylist()
    width = max((len(r) for r in rows if r is not None), default=0)
    out = np.full((len(rows), width), np.nan, np.float32)
    for at, row in enumerate(rows):
        if row is not None and len(row) == width:
            out[at] = row
    return out
