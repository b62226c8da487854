"""Files of a table: found, checked before any reader sees them, opened, digested."""

from __future__ import annotations

import glob
import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING

from synthgate.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa


class Layout(StrEnum):
    """How a file is laid out."""

    CSV = "CSV"
    TSV = "TSV"
    JSON = "JSON Lines"
    PARQUET = "Parquet"
    ARROW = "Arrow IPC"
    DATABASE = "DuckDB database"


LAYOUTS = {
    ".csv": Layout.CSV,
    ".tsv": Layout.TSV,
    ".tab": Layout.TSV,
    ".jsonl": Layout.JSON,
    ".ndjson": Layout.JSON,
    ".json": Layout.JSON,
    ".parquet": Layout.PARQUET,
    ".pq": Layout.PARQUET,
    ".arrow": Layout.ARROW,
    ".feather": Layout.ARROW,
    ".ipc": Layout.ARROW,
    ".arrows": Layout.ARROW,
}
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
DATABASE_SUFFIXES = (".db", ".duckdb", ".ddb", ".sqlite", ".sqlite3")
HEAD_BYTES = 256
COPY_BYTES = 2**20
LFS = b"version https://git-lfs"
ANNEX = b"/annex/objects/"
# what the first bytes of a file say that its name does not
FOREIGN = (
    (b"PAR1", "a Parquet file", Layout.PARQUET),
    (b"ARROW1", "an Arrow IPC file", Layout.ARROW),
    (b"FEA1", "a Feather file of version 1, which is no longer read", None),
    (b"\x1f\x8b", "data compressed with gzip", None),
    (b"\x28\xb5\x2f\xfd", "data compressed with zstd", None),
    (b"PK\x03\x04", "a ZIP archive or a spreadsheet", None),
    (b"\xff\xfe", "text encoded as UTF-16", None),
    (b"\xfe\xff", "text encoded as UTF-16", None),
    (b"SQLite format 3\x00", "a SQLite database", None),
)
ADVICE = {
    "a Parquet file": "rename it to end in .parquet",
    "an Arrow IPC file": "rename it to end in .arrow",
    "a Feather file of version 1, which is no longer read": "write it again with pyarrow.feather.write_feather",
    "data compressed with gzip": "add .gz to its name",
    "data compressed with zstd": "add .zst to its name",
    "a ZIP archive or a spreadsheet": "unpack it, or save it as CSV or Parquet",
    "text encoded as UTF-16": "save it as UTF-8, for instance with: iconv -f utf-16 -t utf-8",
    "a SQLite database": "export the table to CSV or Parquet",
}


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file of a table; `compression` is ``""``, ``"gzip"`` or ``"zstd"``."""

    path: Path
    layout: Layout
    compression: str

    @property
    def where(self) -> str:
        """The path for messages, on one line."""
        return shown(self.path)


def shown(path: Path | str) -> str:
    """Return a path for a message: as it is, or quoted when it would break the line."""
    text = str(path)
    return text if text.isprintable() else repr(text)


def is_url(source: str) -> bool:
    """Tell whether `source` starts with a scheme, such as ``duckdb://``."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", source) is not None


def mask_url(url: str) -> str:
    """Return `url` without passwords and without the values of its query, except ``table``."""
    masked = re.sub(r"(?<=://)([^/@:]*):[^/]*@", r"\1:***@", url)
    return shown(re.sub(r"([?&;])(?!table=)([^=&;]*)=[^&;]*", r"\1\2=***", masked))


def find_files(source: str | Path) -> tuple[SourceFile, ...]:
    """Return the files that a path or a glob names, sorted by path, each checked.

    Raises
    ------
    DataError
        When there is none, or one cannot be a table.
    """
    path = Path(source).expanduser()
    text = str(path)
    if "\0" in text:
        raise DataError(shown(path), "found a NUL character in the path", "give a path without it")
    if os.path.lexists(path) or not glob.has_magic(text):
        return (_checked(path),)
    found = sorted(Path(hit) for hit in glob.glob(text, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
    if not found:
        raise DataError(shown(path), "no file matches this pattern, expected at least one", "check the pattern")
    files = tuple(_checked(hit) for hit in found)
    for file in files[1:]:
        if file.layout is not files[0].layout:
            raise DataError(
                file.where,
                f"is {file.layout}, but {files[0].where} is {files[0].layout}; expected one format",
                "narrow the pattern",
            )
    return files


def check_file(path: Path) -> bytes:
    """Return the first bytes of a file that is there, readable, and holds data.

    Raises
    ------
    DataError
    """
    where = shown(path)
    if path.is_dir():
        raise DataError(
            where,
            "is a folder, expected one table",
            "give one file, or the files of one table as a pattern such as 'folder/*.parquet'",
        )
    if path.suffix.lower() == ".dvc":
        raise DataError(
            where, "is a DVC pointer, not the data", f"run 'dvc pull' and give {shown(path.with_suffix(''))} instead"
        )
    head = _head(path)
    if head.startswith(LFS):
        raise DataError(where, "is a Git LFS pointer, not the data", "run 'git lfs pull' to fetch the file")
    if head.startswith(ANNEX):
        raise DataError(where, "is a git-annex pointer, not the data", "run 'git annex get' to fetch the file")
    if not head:
        raise DataError(where, "the file is empty (0 bytes), expected a table", "check the step that wrote it")
    return head


def _checked(path: Path) -> SourceFile:
    """Return `path` as a file of a table, after looking at its name, kind and first bytes."""
    where, head = shown(path), check_file(path)
    layout, compression = _layout(path)
    if not compression:
        for magic, what, is_layout in FOREIGN:
            if head.startswith(magic) and layout is not is_layout:
                raise DataError(where, f"holds {what}, but its name says {layout}", ADVICE[what])
    return SourceFile(path, layout, compression)


def _head(path: Path) -> bytes:
    where = shown(path)
    try:
        if path.exists() and not path.is_file():
            raise DataError(where, "is a device or a pipe, expected a file", "save the data to a file first")
        with path.open("rb") as file:
            return file.read(HEAD_BYTES)
    except FileNotFoundError as error:
        pointer = path.with_name(path.name + ".dvc")
        if pointer.exists():
            raise DataError(where, "is tracked by DVC and not here yet", "run 'dvc pull' to fetch the file") from error
        gone = "is a link to a file that does not exist" if path.is_symlink() else "does not exist"
        raise DataError(
            where, f"the file {gone}", f"check the path (the current folder is {shown(Path.cwd())})"
        ) from error
    except PermissionError as error:
        raise DataError(where, "may not be read by this user (permission denied)", "change its permissions") from error
    except OSError as error:
        raise DataError(where, f"cannot be opened ({error.strerror})", "check the path") from error


def _layout(path: Path) -> tuple[Layout, str]:
    """Return layout and compression by the ending of the name.

    Raises
    ------
    DataError
        When the ending is unknown.
    """
    compression = COMPRESSIONS.get(path.suffix.lower(), "")
    inner = Path(path.stem) if compression else path
    layout = LAYOUTS.get(inner.suffix.lower())
    if layout:
        return layout, compression
    ending = (
        f"the ending {''.join(path.suffixes[-2:] if compression else path.suffixes[-1:])!r}"
        if path.suffix
        else "no ending"
    )
    fix = (
        "name a table as in duckdb:///PATH?table=NAME"
        if inner.suffix.lower() in DATABASE_SUFFIXES
        else "rename or convert it"
    )
    raise DataError(
        shown(path),
        f"has {ending}, which names no format that is read; expected one of {' '.join(LAYOUTS)}, "
        "plain or with .gz or .zst after it",
        fix,
    )


def arrow_errors() -> tuple[type[Exception], ...]:
    """Return what pyarrow raises on data that cannot be read."""
    import pyarrow as pa

    return (pa.ArrowException, OSError)


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message, without a full stop at its end."""
    lines = str(error).strip().splitlines()
    return (lines[0].strip().rstrip(".") if lines else type(error).__name__)[:200]


def damaged(file: SourceFile, error: BaseException) -> DataError:
    """Word that the bytes of a file cannot be had."""
    if not file.path.exists():
        return DataError(file.where, "has gone since it was opened", "leave the files alone while synthgate runs")
    if not file.compression:
        return DataError(file.where, f"cannot be read ({first_line(error)})", "check the file")
    return DataError(
        file.where,
        f"cannot be uncompressed with {file.compression}, it is damaged or cut short ({first_line(error)})",
        "copy or write the file again",
    )


def open_bytes(file: SourceFile) -> pa.NativeFile:
    """Return the uncompressed bytes of a file as a stream; to be closed."""
    import pyarrow as pa

    return pa.input_stream(str(file.path), compression=file.compression or None)


@contextmanager
def plain_path(file: SourceFile) -> Iterator[Path]:
    """Give a path to the uncompressed file: its own, or that of a temporary copy."""
    if not file.compression:
        yield file.path
        return
    with tempfile.TemporaryDirectory(prefix="synthgate-") as folder:
        copy = Path(folder) / file.path.stem
        with open_bytes(file) as source, copy.open("wb") as target:
            while chunk := source.read(COPY_BYTES):
                target.write(chunk)
        yield copy


def digest_files(files: tuple[SourceFile, ...]) -> str:
    """Return the SHA-256 of one file's bytes, or of the names, sizes and bytes of several."""
    if len(files) == 1:
        with _open_again(files[0]) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    whole = hashlib.sha256()
    base = os.path.commonpath([file.path.absolute().parent for file in files])
    for file in files:
        name = file.path.absolute().relative_to(base).as_posix().encode("utf-8", "surrogateescape")
        with _open_again(file) as stream:
            whole.update(b"%d %b %d\n" % (len(name), name, file.path.stat().st_size))
            while chunk := stream.read(COPY_BYTES):
                whole.update(chunk)
    return whole.hexdigest()


@contextmanager
def _open_again(file: SourceFile) -> Iterator[BufferedReader]:
    try:
        with file.path.open("rb") as stream:
            yield stream
    except OSError as error:
        raise DataError(
            file.where, f"can no longer be read ({error.strerror})", "leave the files alone while synthgate runs"
        ) from error
