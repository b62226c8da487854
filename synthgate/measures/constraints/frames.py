"""A side's rows as Arrow columns of the real table's types, and as the dataframes that other libraries check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from synthgate.canonical import kind_of, to_labels, to_numbers
from synthgate.roles import Role
from synthgate.tables.text_types import typed

if TYPE_CHECKING:
    import pyarrow as pa

    from synthgate.evidence import Evidence
    from synthgate.sides import Side

TEXT_TYPES = ("string", "object", "str", "large_string")


@dataclass(frozen=True, slots=True)
class TypedRows:
    """Columns of one side with the types that real has.

    Attributes
    ----------
    table : pyarrow.Table
    misfits : dict of int
        Per column, how many values of a text file do not fit the real type; they are missing in `table`.
    """

    table: pa.Table
    misfits: Mapping[str, int]


def typed_rows(evidence: Evidence, side: Side, names: Sequence[str]) -> TypedRows:
    """Read columns of a side; a text file, whose types say nothing, is given the types of real.

    Parameters
    ----------
    evidence : Evidence
    side : Side
    names : sequence of str
        Those that the side lacks are left out.
    """
    import pyarrow as pa

    there = [name for name in side.table.schema.names if name in set(names)]
    rows = pa.Table.from_batches([batch.select(there) for batch in side.table.batches()])
    if not side.table.as_text:
        return TypedRows(rows, {})
    columns, misfits = [], {}
    known = evidence.real.table.schema
    for name in there:
        column = rows[name]
        if name in known.names and kind_of(column.type) == "string":
            column, wrong = _as_real(evidence, name, column.combine_chunks())
            misfits.update({name: wrong} if wrong else {})
        columns.append(column)
    return TypedRows(pa.table(columns, names=there), misfits)


def _as_real(evidence: Evidence, name: str, texts: pa.Array) -> tuple[pa.Array, int]:
    """Return a text column as the real type and how many values do not fit it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(texts, pa.ChunkedArray):
        texts = pa.concat_arrays(texts.chunks)
    kind = evidence.real.table.schema.field(name).type
    plain = kind.value_type if pa.types.is_dictionary(kind) else kind
    family = kind_of(plain)
    if family not in ("integer", "float", "datetime", "boolean"):
        return texts, 0
    try:
        return typed(texts, plain), 0
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        pass
    if family == "boolean":
        labels = to_labels(texts, Role.BOOLEAN)
        truths = pa.array(labels.codes == 1, mask=labels.codes < 0)
        return truths, labels.misfits
    numbers = to_numbers(texts, Role.DATETIME if family == "datetime" else Role.NUMERICAL)
    missing = np.isnan(numbers.values)
    if family == "datetime":
        micro = pa.array(np.where(missing, 0, numbers.values).astype(np.int64), mask=missing)
        return pc.cast(pc.cast(micro, pa.timestamp("us")), plain, safe=False), numbers.misfits
    values = pa.array(numbers.values, mask=missing)
    try:
        return pc.cast(values, plain), numbers.misfits
    except pa.ArrowInvalid:
        # fractions in whole numbers stay, for the schema to see
        return values, numbers.misfits


def pandas_frame(table: pa.Table, expected: Mapping[str, Any] | None = None) -> Any:
    """Return a pandas frame, as pandas itself would read the table.

    Parameters
    ----------
    table : pyarrow.Table
    expected : dict of pandas dtype, optional
        Types that a schema expects. A column is handed over as such when it holds the same kind of values and
        loses none: whether whole numbers with gaps are ``Int64`` or ``float64`` is a matter of reading them, not of
        the data.
    """
    import pandas as pd

    wanted = expected or {}
    series = {name: _series(table[name], wanted.get(name)) for name in table.column_names}
    return pd.DataFrame(series, index=pd.RangeIndex(table.num_rows), copy=False)


def _series(column: pa.ChunkedArray, dtype: Any) -> Any:
    plain = column.to_pandas()
    if dtype is None or plain.dtype == dtype:
        return plain
    try:
        cast = _cast(column, plain, dtype)
    except (TypeError, ValueError, OverflowError):
        return plain
    return plain if cast is None else cast


def _cast(column: pa.ChunkedArray, plain: Any, dtype: Any) -> Any:
    """Return the column as `dtype`, or None when that is another kind of value or loses some."""
    import pandas as pd

    is_type = pd.api.types
    if isinstance(dtype, pd.CategoricalDtype):
        cast = plain.astype(dtype)
        return cast if cast.isna().sum() == column.null_count else None
    to_text = dtype is str or str(dtype) in TEXT_TYPES or is_type.is_string_dtype(dtype)
    casts = {
        "string": to_text,
        "datetime": to_text or is_type.is_datetime64_any_dtype(dtype),
        "boolean": is_type.is_bool_dtype(dtype),
        "number": is_type.is_numeric_dtype(dtype) and not is_type.is_bool_dtype(dtype),
    }
    family = kind_of(column.type)
    family = "number" if family in ("integer", "float") else family
    if not casts.get(family):
        return None
    if family == "datetime":
        return _moments(column, None if to_text else dtype)
    if family == "string":
        # numpy's own text would turn a missing value into the word None
        return plain.astype(dtype if isinstance(dtype, pd.api.extensions.ExtensionDtype) else object)
    cast = _nullable(column).astype(dtype)
    return cast if family == "boolean" or _same_numbers(cast, plain) else None


def _moments(column: pa.ChunkedArray, dtype: Any) -> Any:
    """Return moments as `dtype`, or as ISO 8601 text without one."""
    import pyarrow as pa

    if dtype is None:
        return column.cast(pa.string()).to_pandas().astype(object)
    stamps = column if pa.types.is_timestamp(column.type) else column.cast(pa.timestamp("us"))
    return stamps.to_pandas().astype(dtype)


def _same_numbers(cast: Any, plain: Any) -> bool:
    known = plain.notna().to_numpy()
    if not (cast.notna().to_numpy() == known).all():
        return False
    back = cast[known].to_numpy(float)
    return bool((back == plain[known].to_numpy(float)).all())


def _nullable(column: pa.ChunkedArray) -> Any:
    """Return a series in which missing values do not change the type."""
    import pandas as pd
    import pyarrow as pa

    kinds = {
        pa.int8(): pd.Int8Dtype(),
        pa.int16(): pd.Int16Dtype(),
        pa.int32(): pd.Int32Dtype(),
        pa.int64(): pd.Int64Dtype(),
        pa.uint8(): pd.UInt8Dtype(),
        pa.uint16(): pd.UInt16Dtype(),
        pa.uint32(): pd.UInt32Dtype(),
        pa.uint64(): pd.UInt64Dtype(),
        pa.float32(): pd.Float32Dtype(),
        pa.float64(): pd.Float64Dtype(),
        pa.bool_(): pd.BooleanDtype(),
    }
    return column.to_pandas(types_mapper=kinds.get)


def polars_frame(table: pa.Table, expected: Mapping[str, Any] | None = None) -> Any:
    """Return a polars frame, with the same courtesy for types as :func:`pandas_frame`."""
    import polars as pl

    frame = pl.DataFrame(pl.from_arrow(table))
    casts = []
    for name, dtype in (expected or {}).items():
        if name not in frame.columns or frame.schema[name] == dtype:
            continue
        series = frame[name]
        both = (series.dtype.is_numeric() and dtype.is_numeric()) or (
            series.dtype.is_temporal() and dtype.is_temporal()
        )
        both = both or (series.dtype in (pl.String, pl.Categorical) and dtype in (pl.String, pl.Categorical, pl.Enum))
        try:
            cast = series.cast(dtype, strict=True) if both else series
        except pl.exceptions.PolarsError:
            continue
        if both and cast.cast(series.dtype, strict=False).equals(series, null_equal=True):
            casts.append(cast)
    return frame.with_columns(casts)
