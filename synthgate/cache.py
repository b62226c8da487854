"""The verdict cache: equal data, gate and versions give an equal verdict, so that it need not be made again."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass, replace
from datetime import date
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthgate.errors import DataError
from synthgate.results import read_result
from synthgate.verdict import Verdict

if TYPE_CHECKING:
    from synthgate.findings import DataInfo

FOLDER = "SYNTHGATE_CACHE"
"""Environment variable that names the folder; by default ``synthgate`` in the user's cache folder."""
PLACES = ("path", "real", "synthetic", "holdout", "metadata", "lines", "place")
"""Where things stand in a gate, which changes no verdict."""


def cache_folder() -> Path:
    """Return where verdicts are kept: aggregates only, never rows."""
    given = os.environ.get(FOLDER)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(given) if given else Path(base) / "synthgate"


def cache_key(data: Mapping[str, DataInfo], policy: object, described: object, versions: Mapping[str, str]) -> str:
    """Return the name of a verdict: a digest of all that it depends on, the day included where waivers may expire.

    Parameters
    ----------
    data : dict of DataInfo
        Per side.
    policy, described : dataclass
        The gate and the metadata, with everything in force.
    versions : dict of str
        Of synthgate and of every library that has a say.
    """
    waivers = bool(getattr(policy, "waivers", ()))
    facts = {
        "data": {side: info.sha256 for side, info in data.items()},
        "kinds": {side: Path(info.source).suffixes[-2:] for side, info in data.items()},
        "policy": _plain(policy),
        "described": _plain(described),
        "versions": dict(versions),
        "python": sys.version,
        "day": date.today().isoformat() if waivers else None,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()


def _plain(value: Any) -> Any:
    """Return a value as JSON can hold it, whatever it is made of."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value) if f.name not in PLACES}
    if isinstance(value, Mapping):
        return [[str(key), _plain(item)] for key, item in value.items()]
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in (sorted(value, key=repr) if isinstance(value, set | frozenset) else value)]
    if value is None or (isinstance(value, bool | int | float | str) and not isinstance(value, Enum)):
        return value
    return repr(value)


def load(key: str, folder: Path) -> Verdict | None:
    """Return the verdict of that name, or None when there is none, or when its file is damaged."""
    path = folder / f"{key}.json"
    if not path.is_file():
        return None
    try:
        return read_result(path)
    except DataError:
        return None


def store(key: str, verdict: Verdict, folder: Path) -> None:
    """Keep a verdict. A cache that cannot be written changes nothing but the time of the next run."""
    text = json.dumps(verdict.to_dict())
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(prefix=".", dir=folder)
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        Path(aside).replace(folder / f"{key}.json")


def reused(verdict: Verdict, data: Mapping[str, DataInfo], policy: Any) -> Verdict:
    """Return a kept verdict as the verdict of this run: with its sources, and a note that says so."""
    note = f"reused the result of {verdict.run.created}: the same data, gate and versions"
    run = replace(
        verdict.run,
        real=data["real"],
        synthetic=data["synthetic"],
        holdout=data.get("holdout"),
        gate_file=str(policy.path) if policy.path else None,
        notes=(*verdict.run.notes, note),
        seconds={},
    )
    return replace(verdict, run=run)
