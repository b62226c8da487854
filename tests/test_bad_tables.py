"""Every bad source ends in one clear sentence that names the place, the finding and the way out."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synthgate.errors import DataError
from synthgate.tables import Table, files, open_table, texts

FRAME = pa.table({"a": list(range(1000)), "b": ["some text"] * 1000})
MAX_SENTENCE = 400


def refused(source: object, **options: Any) -> DataError:
    """Read all of `source`, which must fail with a well-worded error."""
    with pytest.raises(DataError) as caught:
        list(open_table(source, **options).batches())
    error = caught.value
    assert error.where
    assert error.problem
    assert error.fix
    for part in (error.where, error.problem, error.fix):
        assert part.isprintable(), f"breaks the line: {part!r}"
    assert len(error.problem) < MAX_SENTENCE
    assert not error.problem.endswith("."), "the renderer ends the sentence"
    assert "Traceback" not in str(error)
    return error


def parquet_bytes(frame: pa.Table = FRAME) -> bytes:
    out = io.BytesIO()
    pq.write_table(frame, out)
    return out.getvalue()


def ipc_bytes(frame: pa.Table = FRAME, *, stream: bool = False) -> bytes:
    out = io.BytesIO()
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(out, frame.schema) as writer:
        writer.write_table(frame, 100)
    return out.getvalue()


# name of the file, bytes, what the place ends in, what the problem says, what the fix says
BAD_FILES: dict[str, tuple[str, bytes, str, str, str]] = {
    "empty": ("t.csv", b"", "t.csv", "empty (0 bytes)", "step that wrote it"),
    "empty parquet": ("t.parquet", b"", "t.parquet", "empty (0 bytes)", "step that wrote it"),
    "header only": ("t.csv", b"a,b\n", "t.csv", "no rows, only the names of 2 columns", "step"),
    "header only, no end": ("t.csv", b"a,b", "t.csv", "no rows, only the names of 2 columns", "step"),
    "no rows in parquet": ("t.parquet", parquet_bytes(FRAME.slice(0, 0)), "t.parquet", "no rows", "step"),
    "no rows in arrow": ("t.arrow", ipc_bytes(FRAME.slice(0, 0)), "t.arrow", "no rows", "step"),
    "no columns in parquet": ("t.parquet", parquet_bytes(FRAME.select([])), "t.parquet", "no columns", "step"),
    "blank first line": ("t.csv", b"\na,b\n1,2\n", "line 1", "the line is blank", "remove"),
    "only line ends": ("t.csv", b"\n\n", "line 1", "the line is blank", "remove"),
    "a field too many": ("t.csv", b"a,b\n1,2\n3,4,5\n6,7\n", "line 3", "found 3 fields, expected 2", "','"),
    "a field too few": ("t.csv", b"a,b\n1,2\n3\n", "line 3", "found 1 field, expected 2", "','"),
    "an empty field too many": ("t.csv", b"a,b\n1,2,\n", "line 2", "found 3 fields, expected 2", "','"),
    "ragged after quoted lines": ("t.csv", b'a,b\n"x\ny\nz",2\n3\n', "line 5", "found 1 field", "','"),
    "ragged tsv": ("t.tsv", b"a\tb\n1\t2\n3\n", "line 3", "found 1 field, expected 2", r"'\t'"),
    "comma in a tsv": ("t.tsv", b"a,b\tc\n1,2\n", "line 2", "found 1 field, expected 2", r"'\t'"),
    "quote never closed": ("t.csv", b'a,b\n1,2\n3,"4\n5,6\n', "line 3", "not closed", "double every quote"),
    "quote not closed at the end": ("t.csv", b'a,b\n1,2\n3,"4', "line 3", "not closed", "double every quote"),
    "quote not closed in gzip": (
        "t.csv.gz",
        gzip.compress(b'a,b\n1,2\n3,"4'),
        "line 3",
        "not closed",
        "double every quote",
    ),
    "quote opened by the last byte": ("t.csv", b'a,b\n1,2\n3,"', "line 3", "not closed", "double every quote"),
    "quote open in the names": ("t.csv", b'"a,b\n1,2\n', "line 1", "quote that is not closed", "close"),
    "latin-1": ("t.csv", b"a,b\n1,2\n3,\xe9\n", "line 3", "0xe9, which is not UTF-8", "iconv"),
    "latin-1 names": ("t.csv", b"\xe9,b\n1,2\n", "line 1", "0xe9, which is not UTF-8", "iconv"),
    "utf-16": ("t.csv", "a,b\n1,2\n".encode("utf-16"), "t.csv", "encoded as UTF-16", "iconv"),
    "duplicate names": ("t.csv", b"a,b,a\n1,2,3\n", "line 1", "duplicate column names: 'a'", "rename"),
    "duplicate hostile names": ("t.csv", b'"x\ny","x\ny"\n1,2\n', "line 1", r"'x\ny'", "rename"),
    "empty name": ("t.csv", b",a\n0,1\n", "line 1", "column 1 of 2 has an empty name", "index=False"),
    "blank name": ("t.csv", b"a, ,b\n0,1,2\n", "line 1", "column 2 of 3 has an empty name", "name it"),
    "truncated gzip": (
        "t.csv.gz",
        gzip.compress(b"a,b\n" + os.urandom(999).hex().encode())[:-200],
        "t.csv.gz",
        "cut short",
        "again",
    ),
    "no gzip": ("t.csv.gz", b"a,b\n1,2\n", "t.csv.gz", "cannot be uncompressed with gzip", "again"),
    "no zstd": ("t.parquet.zst", b"a,b\n1,2\n", "t.parquet.zst", "cannot be uncompressed with zstd", "again"),
    "nothing in gzip": ("t.csv.gz", gzip.compress(b""), "t.csv.gz", "empty once uncompressed", "step"),
    "nothing in json gzip": ("t.jsonl.gz", gzip.compress(b""), "t.jsonl.gz", "no records", "one JSON object"),
    "nothing in parquet gzip": (
        "t.parquet.gz",
        gzip.compress(b""),
        "t.parquet.gz",
        "cannot be read as Parquet",
        "again",
    ),
    "truncated parquet": ("t.parquet", parquet_bytes()[:-100], "t.parquet", "damaged or cut short", "again"),
    "parquet without its data": (
        "t.parquet",
        b"PAR1" + parquet_bytes()[600:],
        "t.parquet",
        "damaged or cut short",
        "again",
    ),
    "truncated arrow": ("t.arrow", ipc_bytes()[:-100], "t.arrow", "damaged or cut short", "again"),
    "truncated arrow stream": ("t.arrows", ipc_bytes(stream=True)[:-1000], "t.arrows", "damaged or cut short", "again"),
    "text as parquet": ("t.parquet", b"a,b\n1,2\n" * 9, "t.parquet", "cannot be read as Parquet", "again"),
    "text as arrow": ("t.arrow", b"a,b\n1,2\n" * 9, "t.arrow", "cannot be read as Arrow IPC", "again"),
    "parquet as csv": ("t.csv", parquet_bytes(), "t.csv", "holds a Parquet file, but its name says CSV", ".parquet"),
    "gzip as csv": ("t.csv", gzip.compress(b"a\n1\n"), "t.csv", "compressed with gzip", "add .gz"),
    "spreadsheet as csv": ("t.csv", b"PK\x03\x04rest", "t.csv", "ZIP archive or a spreadsheet", "CSV or Parquet"),
    "feather 1": ("t.feather", b"FEA1rest", "t.feather", "Feather file of version 1", "write it again"),
    "spreadsheet": ("t.xlsx", b"PK\x03\x04rest", "t.xlsx", "the ending '.xlsx', which names no format", "convert"),
    "no ending": ("table", b"a\n1\n", "table", "no ending, which names no format", "convert"),
    "unknown compression": ("t.csv.bz2", b"BZh", "t.csv.bz2", "the ending '.bz2'", "convert"),
    "unknown inside gzip": ("t.xml.gz", gzip.compress(b"<x/>"), "t.xml.gz", "the ending '.xml.gz'", "convert"),
    "database without url": ("t.duckdb", b"x", "t.duckdb", "names no format", "duckdb:///PATH?table=NAME"),
    "git lfs": (
        "t.csv",
        b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
        "t.csv",
        "Git LFS pointer",
        "git lfs pull",
    ),
    "git lfs parquet": (
        "t.parquet",
        b"version https://git-lfs.github.com/spec/v1\n",
        "t.parquet",
        "Git LFS pointer",
        "git lfs pull",
    ),
    "git-annex": ("t.csv", b"/annex/objects/SHA256E-s1--0\n", "t.csv", "git-annex pointer", "git annex get"),
    "dvc": ("t.csv.dvc", b"outs:\n- md5: 0\n", "t.csv.dvc", "DVC pointer", "t.csv instead"),
    "json broken": (
        "t.jsonl",
        b'{"a":1}\n{"a":\n',
        "line 2",
        "is not JSON (Expecting value at character",
        "one JSON object",
    ),
    "json truncated": ("t.jsonl", b'{"a":1}\n{"a":1', "line 2", "is not JSON", "one JSON object"),
    "json of another kind": ("t.jsonl", b'{"a":1}\n\n5\n', "line 3", "found a JSON int", "one JSON object"),
    "json without keys": ("t.jsonl", b"{}\n", "line 1", "without keys", "one JSON object"),
    "json latin-1": ("t.jsonl", b'{"a":1}\n{"a":"\xe9"}\n', "line 2", "0xe9, which is not UTF-8", "one JSON object"),
    "json blank": ("t.jsonl", b"\n\n", "t.jsonl", "no records", "one JSON object"),
    "json twins": ("t.jsonl", b'{"a":1,"A":2}\n', "t.jsonl", "'A', 'a' differ in case only", "rename"),
    "json empty name": ("t.jsonl", b'{"":1}\n', "t.jsonl", "column 1 of 1 has an empty name", "name it"),
    "json duplicate keys": (
        "t.jsonl",
        b'{"a":1}\n{"a":1,"b":2,"a":2}\n',
        "line 2",
        "found the key 'a' twice",
        "one JSON object",
    ),
    "json array of numbers": ("t.json", b"[1, 2]", "t.json", "no records", "one JSON object"),
    "json array of all sorts": (
        "t.json",
        b'[{"a":1}, 2]',
        "t.json",
        "cannot be read as JSON records",
        "one JSON object",
    ),
    "json array cut short": (
        "t.json",
        b'[{"a":1},{"a":',
        "t.json",
        "cannot be read as JSON records",
        "one JSON object",
    ),
    "json document": ("t.json", b'{\n "a": 1\n}\n', "line 1", "is not JSON", "one JSON object"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_files(tmp_path: Path, case: str) -> None:
    name, content, where, problem, fix = BAD_FILES[case]
    path = tmp_path / name
    path.write_bytes(content)
    error = refused(path)
    assert error.where.startswith(str(path))
    assert error.where.endswith(where)
    assert problem in error.problem
    assert fix in error.fix


@pytest.mark.parametrize("case", ["a field too many", "quote never closed", "latin-1", "json broken", "truncated gzip"])
def test_bad_text_is_found_in_streams_too(tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "KEPT_BYTES", 0)
    test_bad_files(tmp_path, case)


def test_bad_line_far_down(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "1,2\n" * 200_000 + "1\n" + "1,2\n" * 10, encoding="utf-8")
    assert refused(path).where == f"{path}, line 200,002"
    with gzip.open(tmp_path / "t.csv.gz", "wb") as file:
        file.write(path.read_bytes())
    assert refused(tmp_path / "t.csv.gz").where.endswith("line 200,002")


def test_bad_places(tmp_path: Path) -> None:
    gone = refused(tmp_path / "none.csv")
    assert "does not exist" in gone.problem
    (tmp_path / "link.csv").symlink_to(tmp_path / "none.csv")
    assert "link to a file that does not exist" in refused(tmp_path / "link.csv").problem
    (tmp_path / "none.csv.dvc").write_text("outs:\n", encoding="utf-8")
    assert refused(tmp_path / "none.csv").fix.startswith("run 'dvc pull'")
    folder = refused(tmp_path)
    assert "is a folder, expected one table" in folder.problem
    assert "no file matches" in refused(tmp_path / "*.parquet").problem
    os.mkfifo(tmp_path / "pipe.csv")
    assert "pipe" in refused(tmp_path / "pipe.csv").problem
    assert "NUL" in refused("a\0b.csv").problem
    assert "is a folder" in refused("").problem


def test_permission_denied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a\n1\n", encoding="utf-8")

    def deny(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", deny)
    assert "permission denied" in refused(path).problem


def test_hostile_path_stays_on_one_line(tmp_path: Path) -> None:
    path = tmp_path / "a\nb.csv"
    path.write_bytes(b"a,b\n1\n")
    assert r"a\nb.csv" in refused(path).where
    assert r"\x1b" in refused("\x1b[31m.csv").where


# ---- globs


def test_glob_of_different_columns(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("a,b,c\n1,2,3\n", encoding="utf-8")
    (tmp_path / "2.csv").write_text("a,x\n1,2\n", encoding="utf-8")
    error = refused(str(tmp_path / "*.csv"))
    assert error.where.endswith("2.csv")
    assert "lacks 'b', 'c' and also has 'x'" in error.problem
    assert "1.csv" in error.problem


def test_glob_of_different_types_and_formats(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1], "b": [1]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"a": [1], "b": ["x"]}), tmp_path / "2.parquet")
    error = refused(str(tmp_path / "*.parquet"))
    assert error.where.endswith("2.parquet")
    assert "the column 'b' is string, expected int64" in error.problem
    (tmp_path / "3.csv").write_text("a\n1\n", encoding="utf-8")
    assert "is CSV, but" in refused(str(tmp_path / "*")).problem


def test_glob_with_one_bad_file(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    (tmp_path / "2.csv").write_text("", encoding="utf-8")
    assert refused(str(tmp_path / "*.csv")).where.endswith("2.csv")


# ---- files that change


@pytest.mark.parametrize("ending", ["csv", "parquet", "arrow"])
def test_a_file_that_goes_away(tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "KEPT_BYTES", 0)
    path = tmp_path / f"t.{ending}"
    path.write_bytes({"csv": b"a,b\n1,2\n", "parquet": parquet_bytes(), "arrow": ipc_bytes()}[ending])
    table = open_table(path)
    path.unlink()
    for use in (lambda: list(table.batches()), lambda: table.sha256):
        with pytest.raises(DataError) as caught:
            use()
        assert "leave the file" in caught.value.fix


def test_a_file_whose_values_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "KEPT_BYTES", 0)
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n1,2\n")
    table = open_table(path)
    path.write_bytes(b"a,b\nx,2\n")
    with pytest.raises(DataError, match="other values than when it was opened"):
        list(table.batches())


# ---- objects


def pandas_frame(*names: object) -> pd.DataFrame:
    return pd.DataFrame([range(len(names))], columns=list(names))


BAD_OBJECTS: dict[str, tuple[Callable[[], object], str]] = {
    "nothing": (lambda: None, "is no table"),
    "bytes": (lambda: b"a,b\n1,2", "is no table"),
    "list": (lambda: [1, 2], "is no table"),
    "array": (lambda: pa.array([1]), "is one column"),
    "pandas series": (lambda: pd.Series([1]), "is one column"),
    "polars series": (lambda: pl.Series([1]), "is one column"),
    "lazy frame": (lambda: pl.LazyFrame({"a": [1]}), "is not computed yet"),
    "empty dict": (dict, "no columns"),
    "scalars": (lambda: {"a": 1}, "the column 'a' is one int"),
    "texts for columns": (lambda: {"a": "xyz"}, "the column 'a' is one str"),
    "uneven": (lambda: {"a": [1, 2], "b": [1]}, "the column 'b' has 1 values, expected 2"),
    "no rows": (lambda: FRAME.slice(0, 0), "no rows"),
    "no rows in pandas": (lambda: pd.DataFrame({"a": []}), "no rows"),
    "no columns": (lambda: FRAME.select([]), "no columns"),
    "pandas duplicates": (lambda: pandas_frame("a", "a"), "duplicate column names: 'a'"),
    "pandas duplicates once text": (lambda: pandas_frame(1, "1"), "duplicate column names: '1'"),
    "pandas index like a column": (lambda: pandas_frame("a").rename_axis("a"), "duplicate column names: 'a'"),
    "pandas empty name": (lambda: pandas_frame("a", ""), "column 2 of 2 has an empty name"),
    "arrow duplicates": (lambda: pa.table([[1], [2]], names=["a", "a"]), "duplicate column names: 'a'"),
    "type without an arrow twin": (lambda: pl.DataFrame({"a": pl.Series([1], dtype=pl.Int128)}), "Arrow table"),
}


@pytest.mark.parametrize("case", BAD_OBJECTS)
def test_bad_objects(case: str) -> None:
    make, problem = BAD_OBJECTS[case]
    source = make()
    error = refused(source)
    assert error.where == f"<{type(source).__name__}>"
    assert problem in error.problem


# ---- databases and other URLs


def test_bad_databases(tmp_path: Path) -> None:
    path = tmp_path / "base.db"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE people AS SELECT 1 AS a")
        connection.execute(f"CREATE VIEW nosy AS FROM read_text('{tmp_path}/secret.csv')")
    (tmp_path / "secret.csv").write_text("a\n1\n", encoding="utf-8")
    assert "did you mean 'people'?" in refused(f"duckdb:///{path}?table=peple").fix
    assert "names no table" in refused(f"duckdb:///{path}").problem
    assert "does not exist" in refused(f"duckdb:///{tmp_path}/none.db?table=x").problem
    assert "cannot be read as a duckdb database" in refused(f"duckdb:///{path}?table=nosy").problem
    (tmp_path / "text.db").write_text("no database, " * 1000, encoding="utf-8")
    assert "cannot be read as a duckdb database" in refused(f"duckdb:///{tmp_path}/text.db?table=x").problem


def test_sqlite_without_its_extension(tmp_path: Path) -> None:
    import sqlite3
    from contextlib import closing

    path = tmp_path / "base.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE people (a)")
        connection.execute("INSERT INTO people VALUES (1)")
        connection.commit()
    try:
        table = open_table(f"sqlite:///{path}?table=people")
    except DataError as error:
        assert "sqlite extension" in error.problem  # noqa: PT017
    else:
        assert table.rows == 1
    assert "the ending '.sqlite'" in refused(path).problem


@pytest.mark.parametrize(
    ("url", "masked"),
    [
        ("postgresql://me:s3cret@host/db?table=t&password=s3cret", "postgresql://me:***@host/db?table=t&password=***"),
        ("postgresql://me:p@s3cret@host/db", "postgresql://me:***@host/db"),
        ("https://host/t.csv?token=s3cret", "https://host/t.csv?token=***"),
        ("s3://bucket/t.parquet", "s3://bucket/t.parquet"),
    ],
)
def test_urls_are_refused_and_masked(url: str, masked: str) -> None:
    error = refused(url)
    assert error.where == masked
    assert "s3cret" not in str(error)
    assert "not read" in error.problem


# ---- the parser against Python's csv module

PIECES = st.text(st.sampled_from('ab0\r\n",; é#'), max_size=5)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.parametrize("small", [True, False])
def test_csv_is_read_as_the_csv_module_reads_it_or_refused(
    tmp_path: Path, small: bool, data: st.DataObject, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(texts, "KEPT_BYTES", 2**27 if small else 0)
    width = data.draw(st.integers(2, 3))
    rows = data.draw(st.lists(st.lists(PIECES, min_size=width, max_size=width), min_size=1, max_size=4))
    out = io.StringIO(newline="")
    quoting = data.draw(st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]))
    end = data.draw(st.sampled_from(["\n", "\r\n", "\r"]))
    csv.writer(out, quoting=quoting, lineterminator=end).writerows([["x", "y", "z"][:width], *rows])
    text = out.getvalue()[: data.draw(st.one_of(st.none(), st.integers(10, 40)))]
    (tmp_path / "t.csv").write_bytes(text.encode())
    try:
        expected = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except csv.Error:
        expected = []
    good = len(expected) > 1 and all(len(row) == len(expected[0]) for row in expected)
    try:
        table: Table | None = open_table(tmp_path / "t.csv", as_text=True, missing_values=())
    except DataError:
        table = None
    found = [list(row.values()) for batch in table.batches() for row in batch.to_pylist()] if table else []
    assert found == (expected[1:] if good else [])


def test_json_is_read_as_the_json_module_reads_it(tmp_path: Path) -> None:
    records = [{"k\n\"'é": 'v\n"', "n": 1}, {"n": 2, "k\n\"'é": None}, {"n": None, "k\n\"'é": "x" * 100_000}]
    (tmp_path / "t.jsonl").write_text("\r\n".join(map(json.dumps, records)), encoding="utf-8")
    assert [row for batch in open_table(tmp_path / "t.jsonl").batches() for row in batch.to_pylist()] == records


def test_every_foreign_start_has_advice() -> None:
    assert {what for _, what, _ in files.FOREIGN} == set(files.ADVICE)
