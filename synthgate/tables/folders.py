"""Data sets of several tables: a folder with one file per table, or a mapping from name to table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from synthgate.errors import DataError
from synthgate.tables import DEFAULT_MISSING, Table, open_table
from synthgate.tables.files import COMPRESSIONS, LAYOUTS, is_url, shown

ASIDE = ("metadata", "constraints", "schema", "result", "profile")
"""Names of JSON files that stand beside the tables and are none."""


def is_many(source: object) -> bool:
    """Tell whether a source is a data set of several tables: a folder, or a mapping from name to table."""
    if isinstance(source, Mapping):
        return bool(source) and all(_is_table(value) for value in source.values())
    if isinstance(source, str | Path) and not (isinstance(source, str) and is_url(source)):
        return "\0" not in str(source) and Path(source).expanduser().is_dir()
    return False


def _is_table(value: Any) -> bool:
    """Tell a table, or the path of one, from a column."""
    if isinstance(value, str | Path | Mapping):
        return True
    return any(hasattr(value, name) for name in ("columns", "column_names", "schema"))


def open_many(
    source: object, *, name: str, as_text: bool = False, missing_values: Sequence[str] = DEFAULT_MISSING
) -> dict[str, Table]:
    """Open every table of a data set, by name, sorted.

    Parameters
    ----------
    source : str, Path or mapping
        A folder: each file is a table named as the file without its ending, each folder inside it a table
        whose files are its parts. Hidden files and files of other kinds are left alone. Or a mapping from
        name to anything that :func:`~synthgate.tables.open_table` reads.
    name : str
        Of the side, for messages.
    as_text, missing_values
        As for :func:`~synthgate.tables.open_table`.

    Raises
    ------
    DataError
        When there is no table, two have the same name, or one is not readable.
    """
    parts = {str(k): v for k, v in source.items()} if isinstance(source, Mapping) else _parts(Path(str(source)))
    return {
        table: open_table(part, name=f"{name}.{table}", as_text=as_text, missing_values=missing_values)
        for table, part in sorted(parts.items())
    }


def _parts(folder: Path) -> dict[str, str | Path]:
    where = shown(folder)
    try:
        entries = sorted(folder.expanduser().iterdir())
    except OSError as error:
        raise DataError(where, f"the folder cannot be read ({error.strerror})", "check its permissions") from error
    found: dict[str, str | Path] = {}
    for entry in entries:
        table, source = _part(entry)
        if table is None or source is None:
            continue
        if table in found:
            raise DataError(
                where, f"two files are named as the table {table!r}: {entry.name} and another", "keep one of them"
            )
        found[table] = source
    if not found:
        raise DataError(
            where,
            f"the folder holds no table; expected one file per table, ending in {' '.join(LAYOUTS)}",
            "give a file, or a folder with tables",
        )
    return found


def _part(entry: Path) -> tuple[str | None, str | Path | None]:
    """Return the table's name and source, or nothing for what is no table."""
    if entry.name.startswith((".", "_")):
        return None, None
    if entry.is_dir():
        endings = {_ending(file) for file in entry.iterdir()} - {None}
        if len(endings) != 1:
            return None, None
        return entry.name, str(Path(_escaped(entry)) / f"*{endings.pop()}")
    ending = _ending(entry)
    if ending is None:
        return None, None
    stem = entry.name[: -len(ending)]
    if ending.startswith(".json") and any(stem.lower().startswith(word) for word in ASIDE):
        return None, None
    return stem, entry


def _ending(file: Path) -> str | None:
    compression = file.suffix if file.suffix.lower() in COMPRESSIONS else ""
    inner = Path(file.name[: len(file.name) - len(compression)]).suffix
    return inner + compression if inner.lower() in LAYOUTS else None


def _escaped(path: Path) -> str:
    import glob

    return glob.escape(str(path))
