"""Every source reads to the same rows, exactly, as often as asked."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synthgate.tables import DEFAULT_MISSING, Table, columnar, open_table, texts
from synthgate.tables.columns import regroup
from synthgate.tables.text_types import both, claims_of, settle

ROWS = {
    "id": [1, 2, 3],
    "price": [1.5, None, -2.25],
    "city": ["Bern", "Zürich, ZH", None],
    "born": [date(1600, 1, 31), None, date(9999, 12, 31)],
    "ok": [True, False, None],
}
FRAME = pa.table(ROWS)
QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def rows_of(table: Table, max_rows: int = 1_048_576) -> list[dict[str, object]]:
    return [row for batch in table.batches(max_rows) for row in batch.to_pylist()]


def column(table: Table, name: str = "a") -> list[object]:
    return [row[name] for row in rows_of(table)]


def text_column(tmp_path: Path, values: list[str], **options: object) -> Table:
    path = tmp_path / "column.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerows([["a", "n"], *([value, "1"] for value in values)])
    return open_table(path, **options)  # type: ignore[arg-type]


def as_csv(delimiter: str = ",") -> str:
    def text(value: object) -> str:
        return "" if value is None else str(value)

    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    writer.writerow(ROWS)
    writer.writerows([[text(value) for value in row] for row in zip(*ROWS.values(), strict=True)])
    return out.getvalue()


def as_json() -> str:
    return "".join(json.dumps(row, default=str) + "\n" for row in FRAME.to_pylist())


def as_parquet() -> bytes:
    out = io.BytesIO()
    pq.write_table(FRAME, out)
    return out.getvalue()


def as_ipc(*, stream: bool = False) -> bytes:
    out = io.BytesIO()
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(out, FRAME.schema) as writer:
        writer.write_table(FRAME)
    return out.getvalue()


FILES = {
    "t.csv": as_csv().encode(),
    "bom.csv": b"\xef\xbb\xbf" + as_csv().encode(),
    "crlf.CSV": as_csv().replace("\n", "\r\n").encode(),
    "semicolon.csv": as_csv(";").encode(),
    "bar.csv": as_csv("|").encode(),
    "t.tsv": as_csv("\t").encode(),
    "t.jsonl": as_json().encode(),
    "t.ndjson": b"\xef\xbb\xbf" + as_json().encode(),
    "array.json": ("[" + ",\n".join(as_json().splitlines()) + "]").encode(),
    "t.parquet": as_parquet(),
    "t.arrow": as_ipc(),
    "t.feather": as_ipc(),
    "stream.arrows": as_ipc(stream=True),
}


@pytest.mark.parametrize("compression", ["", ".gz", ".zst"])
@pytest.mark.parametrize("name", FILES)
def test_every_format_reads_the_same_rows(tmp_path: Path, name: str, compression: str) -> None:
    path = tmp_path / (name + compression)
    path.write_bytes(FILES[name])
    if compression == ".gz":
        path.write_bytes(gzip.compress(FILES[name]))
    elif compression == ".zst":
        path.write_bytes(pa.compress(FILES[name], "zstd", asbytes=True))
        with pa.output_stream(str(path), compression="zstd") as out:
            out.write(FILES[name])
    table = open_table(path, name="people")
    assert (table.name, table.source, table.rows) == ("people", str(path), 3)
    assert rows_of(table) == FRAME.to_pylist()
    assert table.schema.equals(FRAME.schema)
    assert rows_of(table) == FRAME.to_pylist(), "the second reading differs"
    assert table.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


IN_MEMORY = {
    "pyarrow": lambda: FRAME,
    "record batch": lambda: FRAME.to_batches()[0],
    "one-shot reader": FRAME.to_reader,
    "polars": lambda: pl.DataFrame(FRAME),
    "pandas": FRAME.to_pandas,
    "pandas, arrow types": lambda: FRAME.to_pandas(types_mapper=pd.ArrowDtype),
    "dict": lambda: ROWS,
    "dict of series": lambda: {name: pl.Series(values) for name, values in ROWS.items()},
}


@pytest.mark.parametrize("kind", IN_MEMORY)
def test_every_object_reads_the_same_rows(kind: str) -> None:
    table = open_table(IN_MEMORY[kind]())
    assert (rows_of(table), rows_of(table)) == (FRAME.to_pylist(), FRAME.to_pylist())
    assert table.schema.equals(FRAME.schema)
    assert table.source.startswith("<")
    assert table.source.endswith(">")


def test_duckdb_relation() -> None:
    with duckdb.connect() as connection:
        table = open_table(connection.sql("SELECT 1 AS a, 'x' AS b FROM range(3)"))
    assert rows_of(table) == [{"a": 1, "b": "x"}] * 3


def test_digest_of_memory_ignores_chunks_and_kind() -> None:
    whole = pa.table({"a": [1, None, 3] * 50_000, "b": ["x", "yy", None] * 50_000, "c": [True, None, False] * 50_000})
    chunked = pa.concat_tables([whole.slice(0, 7), whole.slice(7, 90_001), whole.slice(90_008)])
    assert chunked["a"].num_chunks == 3
    encoded = whole.set_column(1, "b", whole["b"].dictionary_encode())
    digests = {open_table(source).sha256 for source in (whole, chunked, encoded, pl.DataFrame(whole))}
    assert len(digests) == 1
    assert open_table(whole.slice(1)).sha256 not in digests
    assert open_table(whole.rename_columns(["a", "b", "d"])).sha256 not in digests


# ---- batches


@QUICK
@given(st.lists(st.integers(0, 9), max_size=12), st.integers(1, 30))
def test_regrouping_keeps_rows_and_sizes(sizes: list[int], max_rows: int) -> None:
    values = iter(range(1000))
    labels = iter("abcdefghijkl")
    schema = pa.schema([("n", pa.int64()), ("d", pa.dictionary(pa.int32(), pa.string()))])
    batches = []
    for size in sizes:
        label = next(labels)
        codes = pa.DictionaryArray.from_arrays(pa.array([0] * size, pa.int32()), pa.array([label]))
        batches.append(
            pa.RecordBatch.from_arrays([pa.array([next(values) for _ in range(size)]), codes], schema=schema)
        )
    out = list(regroup(iter(batches), schema, max_rows))
    assert all(batch.num_rows == max_rows for batch in out[:-1])
    assert all(0 < batch.num_rows <= max_rows for batch in out)
    flat = [row for batch in batches for row in batch.to_pylist()]
    assert [row for batch in out for row in batch.to_pylist()] == flat


def test_small_table_is_one_batch(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": range(1000)}), tmp_path / "t.parquet", row_group_size=10)
    table = open_table(tmp_path / "t.parquet")
    assert [batch.num_rows for batch in table.batches()] == [1000]
    assert [batch.num_rows for batch in table.batches(300)] == [300, 300, 300, 100]
    with pytest.raises(ValueError, match="max_rows"):
        next(table.batches(0))


def test_large_text_streams_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = 100_000
    body = "".join(f'{n},"line\nbreak {n}",{n if n < rows - 1 else "2.5"}\n' for n in range(rows))
    (tmp_path / "t.csv").write_text("n,text,late\n" + body, encoding="utf-8")
    kept = open_table(tmp_path / "t.csv")
    monkeypatch.setattr(texts, "KEPT_BYTES", 0)
    streamed = open_table(tmp_path / "t.csv")
    assert streamed.rows == rows
    assert streamed.schema.types == [pa.int64(), pa.string(), pa.float64()] == kept.schema.types
    for table in (streamed, streamed, kept):
        numbers = pa.chunked_array([batch["n"] for batch in table.batches(30_000)])
        assert numbers.to_pylist() == list(range(rows))


@pytest.mark.parametrize("compression", ["", ".gz"])
def test_large_parquet_streams_in_order(tmp_path: Path, compression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columnar, "STREAM_ROWS", 7)
    frame = pa.table({"a": range(100), "code": pa.array(list("xyzw") * 25).dictionary_encode()})
    out = io.BytesIO()
    pq.write_table(frame, out, row_group_size=30)
    path = tmp_path / f"t.parquet{compression}"
    path.write_bytes(gzip.compress(out.getvalue()) if compression else out.getvalue())
    table = open_table(path)
    assert [batch.num_rows for batch in table.batches(40)] == [40, 40, 20]
    assert rows_of(table, 40) == rows_of(table) == frame.to_pylist()


def test_abandoned_streams_leave_nothing_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "KEPT_BYTES", 0)
    (tmp_path / "t.csv").write_text("a,b\n" + "1,2\n" * 200_000, encoding="utf-8")
    table = open_table(tmp_path / "t.csv")
    stream = table.batches(10)
    assert next(stream).num_rows == 10
    del stream
    assert next(table.batches()).num_rows == 200_000


# ---- globs


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet", "arrow"])
def test_glob_is_one_table(tmp_path: Path, ending: str) -> None:
    parts = [pa.table({"a": [1, 2], "b": ["x", "y"]}), pa.table({"b": ["z"], "a": [2.5]})]
    for at, part in enumerate(parts):
        path = tmp_path / f"part-{at}.{ending}"
        if ending == "csv":
            part.to_pandas().to_csv(path, index=False)
        elif ending == "jsonl":
            part.to_pandas().to_json(path, orient="records", lines=True)
        elif ending == "parquet":
            pq.write_table(part, path)
        else:
            with pa.ipc.new_file(path, part.schema) as writer:
                writer.write_table(part)
    table = open_table(str(tmp_path / "part-*.") + ending)
    assert table.rows == 3
    assert rows_of(table) == [{"a": 1.0, "b": "x"}, {"a": 2.0, "b": "y"}, {"a": 2.5, "b": "z"}]
    digest = table.sha256
    (tmp_path / f"part-1.{ending}").rename(tmp_path / f"part-2.{ending}")
    renamed = open_table(str(tmp_path / "part-*.") + ending)
    assert rows_of(renamed) == [{"a": 1.0, "b": "x"}, {"a": 2.0, "b": "y"}, {"a": 2.5, "b": "z"}]
    assert renamed.sha256 != digest


def test_glob_of_json_in_several_forms(tmp_path: Path) -> None:
    (tmp_path / "1.jsonl").write_bytes(b'{"a":1,"b":null}\n')
    (tmp_path / "2.json").write_bytes(b'[{"a":2.5,"b":[1]},\n{"b":[2.5],"a":null}]')
    (tmp_path / "3.jsonl.gz").write_bytes(gzip.compress(b'{"a":"x","b":[3]}\n'))
    table = open_table(str(tmp_path / "*.json*"))
    assert rows_of(table) == [
        {"a": "1", "b": None},
        {"a": "2.5", "b": [1.0]},
        {"a": None, "b": [2.5]},
        {"a": "x", "b": [3.0]},
    ]
    assert rows_of(open_table(str(tmp_path / "[12].*")))[1] == {"a": 2.5, "b": [1.0]}


@pytest.mark.parametrize("stem", ["we[1]rd *?", 'it\'s "quoted"', "a\nb", "ü {x} $1"])
def test_file_names_are_taken_literally(tmp_path: Path, stem: str) -> None:
    contents = {"csv": "a\n{}\n", "jsonl": '{{"a": "{}"}}\n'}
    for ending, content in contents.items():
        (tmp_path / f"we1rd xy.{ending}").write_text(content.format("wrong"), encoding="utf-8")
        (tmp_path / f"{stem}.{ending}").write_text(content.format("right"), encoding="utf-8")
        assert column(open_table(tmp_path / f"{stem}.{ending}")) == ["right"]


# ---- text: missing values and types


def test_only_the_empty_field_is_missing_by_default(tmp_path: Path) -> None:
    values = ["", "?", "NA", "None", "null", "x"]
    assert DEFAULT_MISSING == ("",)
    assert column(text_column(tmp_path, values)) == [None, "?", "NA", "None", "null", "x"]
    assert column(text_column(tmp_path, values, missing_values=("?", "NA"))) == ["", None, None, "None", "null", "x"]
    assert column(text_column(tmp_path, values, missing_values=())) == values
    quoted = tmp_path / "quoted.csv"
    quoted.write_text('a,b\n"",1\n"?",2\n', encoding="utf-8")
    assert column(open_table(quoted, missing_values=("", "?"))) == [None, None]
    assert open_table(quoted, missing_values=("", "?")).schema.field("a").type == pa.null()


def test_missing_marks_do_not_hide_numbers(tmp_path: Path) -> None:
    table = text_column(tmp_path, ["1", "?", "3"], missing_values=("?",))
    assert (column(table), table.schema.field("a").type) == ([1, None, 3], pa.int64())


UTC_NOON = datetime(2020, 1, 1, 12, tzinfo=UTC)
TYPES: dict[str, tuple[list[str], pa.DataType, list[object]]] = {
    "integers": (["1", "-20", "0"], pa.int64(), [1, -20, 0]),
    "integers past 2^53": (["9007199254740993", "-9223372036854775808"], pa.int64(), [2**53 + 1, -(2**63)]),
    "integers past 2^63": (["18446744073709551615", "1"], pa.uint64(), [2**64 - 1, 1]),
    "integers past 2^64": (["18446744073709551616", "1"], pa.string(), ["18446744073709551616", "1"]),
    "integers of both ends": (["18446744073709551615", "-1"], pa.string(), ["18446744073709551615", "-1"]),
    "floats": (["1.5", "2", "-3e2", "+4", ".5"], pa.float64(), [1.5, 2.0, -300.0, 4.0, 0.5]),
    "signed integers": (["+1", "2"], pa.float64(), [1.0, 2.0]),
    "infinities": (["inf", "-Infinity", "1"], pa.float64(), [np.inf, -np.inf, 1.0]),
    "spaces around numbers": ([" 39", "50 "], pa.int64(), [39, 50]),
    "post codes": (["02139", "10115"], pa.string(), ["02139", "10115"]),
    "hexadecimals": (["0x1F", "1"], pa.string(), ["0x1F", "1"]),
    "thousands": (["1,000", "2"], pa.string(), ["1,000", "2"]),
    "booleans": (["true", "False", "TRUE"], pa.bool_(), [True, False, True]),
    "booleans and digits": (["true", "1"], pa.string(), ["true", "1"]),
    "zero and one": (["0", "1"], pa.int64(), [0, 1]),
    "dates": (["1600-02-29", "9999-12-31"], pa.date32(), [date(1600, 2, 29), date(9999, 12, 31)]),
    "no such date": (["2021-02-29", "2021-01-01"], pa.string(), ["2021-02-29", "2021-01-01"]),
    "dates in another order": (["01/02/2020", "13/02/2020"], pa.string(), ["01/02/2020", "13/02/2020"]),
    "moments": (
        ["1066-10-14 09:00", "2300-01-01T00:00:00.5", "2020-01-01"],
        pa.timestamp("us"),
        [datetime(1066, 10, 14, 9), datetime(2300, 1, 1, 0, 0, 0, 500_000), datetime(2020, 1, 1)],
    ),
    "nanoseconds": (
        ["2020-01-01T00:00:00.123456789"],
        pa.timestamp("ns"),
        [pd.Timestamp("2020-01-01T00:00:00.123456789")],
    ),
    "mixed offsets": (
        ["2020-01-01T12:00:00Z", "2020-01-01T14:00:00+02:00", "2020-01-01 06:30:00-0530"],
        pa.timestamp("us", "UTC"),
        [UTC_NOON, UTC_NOON, UTC_NOON],
    ),
    "some with an offset": (
        ["2020-01-01T12:00:00", "2020-01-01T12:00:00Z"],
        pa.string(),
        ["2020-01-01T12:00:00", "2020-01-01T12:00:00Z"],
    ),
    "times of day": (["12:30:00", "01:00:00"], pa.string(), ["12:30:00", "01:00:00"]),
    "number then text": (["1", "x"], pa.string(), ["1", "x"]),
    "text then number": (["x", "1"], pa.string(), ["x", "1"]),
    "nothing": (["", ""], pa.null(), [None, None]),
    "constant": (["7", "7"], pa.int64(), [7, 7]),
}


@pytest.mark.parametrize("case", TYPES)
@pytest.mark.parametrize("streamed", [False, True])
def test_types_of_text(tmp_path: Path, case: str, streamed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    values, kind, expected = TYPES[case]
    if streamed:
        monkeypatch.setattr(texts, "KEPT_BYTES", 0)
        monkeypatch.setattr(texts, "STREAM_ROWS", 1)
    table = text_column(tmp_path, values)
    assert table.schema.field("a").type == kind
    assert column(table) == expected


@pytest.mark.parametrize("case", TYPES)
def test_as_text_changes_no_value(tmp_path: Path, case: str) -> None:
    values = TYPES[case][0]
    table = text_column(tmp_path, values, as_text=True)
    assert table.schema.field("a").type == pa.string()
    assert column(table) == [value or None for value in values]


SPELLINGS = st.one_of(
    st.none(),
    st.integers(-(2**65), 2**65).map(str),
    st.floats(allow_nan=False).map(repr),
    st.datetimes().map(str),
    st.dates().map(str),
    st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=3))])).map(lambda d: d.isoformat()),
    st.booleans().map(str),
    st.sampled_from(["007", "0x1", " 5 ", "+6", "nan", "Infinity", "", "x", "1_0"]),
)


@settings(max_examples=300, deadline=None)
@given(st.data(), st.integers(0, 6))
def test_types_do_not_depend_on_how_rows_are_split(data: st.DataObject, cut: int) -> None:
    kind = data.draw(st.sampled_from([SPELLINGS, st.integers(-(2**65), 2**65).map(str), st.dates().map(str)]))
    values = data.draw(st.lists(kind, min_size=1, max_size=6))
    whole = claims_of(pa.array(values, pa.string()))
    left, right = claims_of(pa.array(values[:cut], pa.string())), claims_of(pa.array(values[cut:], pa.string()))
    assert settle(both(left, right)) == settle(both(right, left)) == settle(whole)


@QUICK
@given(st.lists(st.integers(-(2**63), 2**64 - 1), min_size=1, max_size=5))
def test_integers_survive_a_csv_exactly(tmp_path: Path, values: list[int]) -> None:
    assert [int(value) for value in column(text_column(tmp_path, [str(v) for v in values]))] == values  # type: ignore[call-overload]


@QUICK
@given(st.lists(st.floats(allow_nan=False), min_size=1, max_size=5))
def test_floats_survive_a_csv_exactly(tmp_path: Path, values: list[float]) -> None:
    table = text_column(tmp_path, [repr(v) for v in values])
    assert column(table) == values
    assert table.schema.field("a").type == pa.float64()


HOSTILE = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)


@QUICK
@given(st.lists(HOSTILE.filter(str.strip), min_size=1, max_size=4, unique=True), st.data())
def test_hostile_names_and_values_survive_a_csv(tmp_path: Path, names: list[str], data: st.DataObject) -> None:
    values = data.draw(st.lists(HOSTILE, min_size=len(names), max_size=len(names)))
    path = tmp_path / "hostile.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([names, values])
    table = open_table(path, as_text=True)
    assert (table.schema.names, [tuple(row.values()) for row in rows_of(table)]) == (names, [tuple(values)])


# ---- odd shapes

NAMES = [
    'say "hi"',
    "two words",
    "<script>alert(1)</script>",
    "line\nbreak",
    "it's",
    "a.b",
    "A.B",
    "*",
    "c0",
    "ünï",
    "$1",
]


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet", "arrow", "jsonl"])
def test_hostile_names(tmp_path: Path, ending: str) -> None:
    names = [name for name in NAMES if name != "A.B"] if ending == "jsonl" else NAMES
    frame = pa.table({name: [at, at + 1] for at, name in enumerate(names)})
    path = tmp_path / f"t.{ending}"
    if ending.startswith("csv"):
        frame.to_pandas().to_csv(path, index=False)
    elif ending == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in frame.to_pylist()), encoding="utf-8")
    elif ending == "parquet":
        pq.write_table(frame, path)
    else:
        with pa.ipc.new_file(path, frame.schema) as writer:
            writer.write_table(frame)
    table = open_table(path)
    assert table.schema.names == names
    assert rows_of(table) == frame.to_pylist()


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_ten_thousand_columns(tmp_path: Path, ending: str) -> None:
    frame = pa.table({f"column {at}": [at, at + 1] for at in range(10_000)})
    path = tmp_path / f"wide.{ending}"
    if ending == "csv":
        lines = [",".join(map(str, row)) for row in (frame.schema.names, range(10_000), range(1, 10_001))]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    else:
        pq.write_table(frame, path)
    table = open_table(path)
    (batch,) = table.batches()
    assert batch.equals(frame.combine_chunks().to_batches()[0])


@pytest.mark.parametrize("values", [["1"], ["x"], ["x", "", "y"]])
def test_one_column_and_one_row(tmp_path: Path, values: list[str]) -> None:
    path = tmp_path / "t.csv"
    path.write_text("only\n" + "".join(f"{value}\n" for value in values), encoding="utf-8")
    table = open_table(path)
    assert column(table, "only") == [1] if values == ["1"] else [value or None for value in values]
    assert table.rows == len(values)


def test_long_values_and_the_last_line_without_an_end(tmp_path: Path) -> None:
    long = "x" * 5_000_000
    (tmp_path / "t.csv").write_text(f"a,b\n{long},1\ny,2", encoding="utf-8")
    assert column(open_table(tmp_path / "t.csv")) == [long, "y"]


TYPED = pa.table(
    {
        "struct": pa.array([{"x": 1, "y": ["a"]}, None]),
        "floats": pa.array([[0.5, None], None], pa.list_(pa.float32())),
        "fixed": pa.array([[0.5, 1.5], [2.5, 3.5]], pa.list_(pa.float64(), 2)),
        "map": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
        "big": pa.array([2**63 - 1, -(2**63)], pa.int64()),
        "unsigned": pa.array([2**64 - 1, 0], pa.uint64()),
        "money": pa.array([Decimal("12345678901234567890.12"), None], pa.decimal128(38, 2)),
        "bytes": pa.array([b"\x00\xff", None], pa.binary()),
        "old": pa.array([date(1066, 10, 14), date(9999, 1, 1)], pa.date32()),
        "late": pa.array([datetime(1066, 1, 1), datetime(9999, 1, 1)], pa.timestamp("us")),
        "zoned": pa.array([UTC_NOON, None], pa.timestamp("us", "Europe/Zurich")),
        "nothing": pa.nulls(2),
        "infinite": pa.array([np.inf, -np.inf]),
        "nan": pa.array([np.nan, 1.0]),
        "codes": pa.array(["x", None]).dictionary_encode(),
    }
)


@pytest.mark.parametrize("ending", ["parquet", "arrow", "memory"])
def test_arrow_types_stay(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"t.{ending}"
    if ending == "parquet":
        pq.write_table(TYPED, path)
    elif ending == "arrow":
        with pa.ipc.new_file(path, TYPED.schema) as writer:
            writer.write_table(TYPED)
    table = open_table(TYPED if ending == "memory" else path)
    assert table.schema.names == TYPED.schema.names
    (batch,) = table.batches()
    for name, kind in zip(TYPED.schema.names, TYPED.schema.types, strict=True):
        if ending == "memory" or name not in ("floats", "map"):  # Parquet renames the inner fields of these
            assert table.schema.field(name).type == kind
        assert repr(batch[name].to_pylist()) == repr(TYPED[name].to_pylist())


VIEWS = {
    "string_view": (pa.array(["a", None], pa.string_view()), pa.string()),
    "large_string": (pa.array(["a", None], pa.large_string()), pa.string()),
    "binary_view": (pa.array([b"a", None], pa.binary_view()), pa.binary()),
    "large_list": (pa.array([["a"], None], pa.large_list(pa.large_string())), pa.list_(pa.string())),
    "list_view": (pa.array([[1.5], None], pa.list_view(pa.float32())), pa.list_(pa.float32())),
    "struct": (pa.array([{"x": "a"}, None], pa.struct([("x", pa.string_view())])), pa.struct([("x", pa.string())])),
    "map": (
        pa.array([[("k", "v")], None], pa.map_(pa.large_string(), pa.string_view())),
        pa.map_(pa.string(), pa.string()),
    ),
    "dictionary": (
        pa.array(["a", None], pa.large_string()).dictionary_encode(),
        pa.dictionary(pa.int32(), pa.string()),
    ),
    "run ends": (pa.RunEndEncodedArray.from_arrays([1, 2], pa.array(["a", None])), pa.string()),
    "extension": (pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0" * 16, None], pa.binary(16))), pa.binary(16)),
}


@pytest.mark.parametrize("case", VIEWS)
def test_types_are_made_plain(case: str) -> None:
    array, kind = VIEWS[case]
    table = open_table(pa.table({"a": array}))
    assert table.schema.field("a").type == kind
    (batch,) = table.batches()
    assert batch.schema.equals(table.schema)
    expected = array.storage.to_pylist() if isinstance(array, pa.ExtensionArray) else array.to_pylist()
    assert batch["a"].to_pylist() == expected


def test_schema_carries_no_metadata(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "t.parquet")
    table = open_table(tmp_path / "t.parquet")
    assert table.schema.metadata is None
    assert all(field.metadata is None for field in table.schema)


# ---- pandas


def test_pandas_missing_values_are_nulls() -> None:
    frame = pd.DataFrame({"f": [1.0, np.nan], "s": ["x", None], "n": ["x", np.nan], "t": [pd.Timestamp(0), pd.NaT]})
    assert all(batch[name].null_count == 1 for batch in open_table(frame).batches() for name in frame)
    assert column(open_table({"a": [1.0, float("nan")]})) == [1.0, None]


def test_pandas_index_is_a_column_only_when_named(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1, 2, 3]})
    kept = frame[frame.a > 1]
    assert open_table(kept).schema.names == ["a"]
    kept.to_parquet(tmp_path / "t.parquet")
    assert open_table(tmp_path / "t.parquet").schema.names == ["a"]
    assert rows_of(open_table(kept.rename_axis("key"))) == [{"key": 1, "a": 2}, {"key": 2, "a": 3}]


def test_mixed_python_values_become_text() -> None:
    expected = ["1", "x", None]
    assert column(open_table(pd.DataFrame({"a": pd.Series([1, "x", None], dtype=object)}))) == expected
    assert column(open_table({"a": [1, "x", None]})) == expected
    assert column(open_table({"a": [2**70, 1]})) == [str(2**70), "1"]


def test_pandas_mixed_time_zones_are_the_same_moments() -> None:
    moments = [UTC_NOON, UTC_NOON.astimezone(timezone(timedelta(hours=5)))]
    found = column(open_table(pd.DataFrame({"a": pd.Series(moments, dtype=object)})))
    assert found == moments


# ---- JSON Lines


def test_json_types_and_missing_keys(tmp_path: Path) -> None:
    records = [
        {"n": 9007199254740993, "f": 1, "s": "007", "d": "2020-01-31", "mixed": 1, "v": [1, 2.5], "o": {"x": "y"}},
        {"n": -1, "f": 2.5, "s": "8", "mixed": "x", "v": None, "o": None, "late": True},
    ]
    path = tmp_path / "t.jsonl"
    path.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    table = open_table(path)
    assert dict(zip(table.schema.names, table.schema.types, strict=True)) == {
        "n": pa.int64(),
        "f": pa.float64(),
        "s": pa.string(),
        "d": pa.date32(),
        "mixed": pa.string(),
        "v": pa.list_(pa.float64()),
        "o": pa.struct([("x", pa.string())]),
        "late": pa.bool_(),
    }
    first, second = rows_of(table)
    assert first == {**records[0], "d": date(2020, 1, 31), "mixed": "1", "late": None}
    assert second == {**records[1], "d": None}
    texts_only = open_table(path, as_text=True)
    assert column(texts_only, "n") == ["9007199254740993", "-1"]
    assert column(texts_only, "v") == [[1.0, 2.5], None]


# ---- databases


@pytest.mark.parametrize("name", ["people", "main.people", 'odd "name'])
def test_duckdb_file(tmp_path: Path, name: str) -> None:
    path = tmp_path / "base.db"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE people AS SELECT range AS a, 'x' AS b FROM range(3)")
        connection.execute('CREATE TABLE "odd ""name" AS FROM people')
    table = open_table(f"duckdb:///{path}?table={name}")
    assert rows_of(table) == rows_of(table) == [{"a": n, "b": "x"} for n in range(3)]
    assert table.rows == 3
    assert table.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


# ---- costs


def test_import_loads_no_heavy_library() -> None:
    code = "import sys, synthgate.tables; print(*{'duckdb', 'pyarrow', 'numpy', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_parquet_needs_no_duckdb(tmp_path: Path) -> None:
    pq.write_table(FRAME, tmp_path / "t.parquet")
    code = (
        "import sys; from synthgate.tables import open_table; "
        f"list(open_table({str(tmp_path / 't.parquet')!r}).batches()); "
        "print('pyarrow' in sys.modules, 'duckdb' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]


def test_text_of_parquet_is_counted_from_its_dictionaries_to_the_same_values(tmp_path):
    words = pa.array([None, "a", "<b>", "naïve\n", "", "a"] * 40)
    frame = pa.table({"w": words, "large": words.cast(pa.large_string()), "n": list(range(240))})
    for name, rows in (("one", slice(0, 150)), ("two", slice(150, 240))):
        pq.write_table(frame.slice(rows.start, rows.stop - rows.start), tmp_path / f"{name}.parquet", row_group_size=70)
    table = open_table(str(tmp_path / "*.parquet"))
    coded = list(table.coded_batches())
    assert [batch.schema.field("w").type for batch in coded] == [pa.dictionary(pa.int32(), pa.string())] * len(coded)
    plain = pa.Table.from_batches(list(table.batches()))
    assert table.schema == plain.schema
    for name in ("w", "large", "n"):
        assert pa.Table.from_batches(coded)[name].to_pylist() == plain[name].to_pylist() == frame[name].to_pylist()


def test_a_source_without_dictionaries_gives_its_rows_as_they_are(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("w\na\nb\n")
    table = open_table(path)
    assert list(table.coded_batches()) == list(table.batches())


@pytest.mark.parametrize("most", [2, 3, 100])
def test_tables_in_memory_give_text_as_dictionaries(monkeypatch, most):
    monkeypatch.setattr("synthgate.tables.MAX_ROWS", most)
    chunks = [pa.table({"w": ["a", None, "b"], "n": [1, 2, 3]}), pa.table({"w": ["b", "c"], "n": [4, None]})]
    table = open_table(pa.concat_tables(chunks))
    coded = list(table.coded_batches())
    assert all(pa.types.is_dictionary(batch.column("w").type) for batch in coded)
    assert [batch.num_rows for batch in coded] == [min(most, 5 - at) for at in range(0, 5, most)]
    rows = [row for batch in coded for row in batch.to_pylist()]
    assert rows == [row for batch in table.batches() for row in batch.to_pylist()]
