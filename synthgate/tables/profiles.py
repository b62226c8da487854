"""Profiles: files that hold counts of a table instead of its rows; recognised by content, and checked."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthgate.errors import DataError
from synthgate.tables.files import HEAD_BYTES, shown

if TYPE_CHECKING:
    import pyarrow as pa

FORMAT = "synthgate.profile"
VERSION = 1
SUFFIX = ".profile"
HEAD = re.compile(rb'^(\xef\xbb\xbf)?\s*\{\s*"format"\s*:\s*"' + re.escape(FORMAT.encode()) + rb'"')
AGAIN = "make it again with `synthgate profile REAL -o FILE`"


@dataclass(frozen=True, eq=False)
class ProfileDocument:
    """The checked content of a profile file.

    Attributes
    ----------
    where : str
        The file, for messages.
    digest : str
        SHA-256 of the content.
    body : dict
        The content, apart from format, version and digest.
    """

    where: str
    digest: str
    body: Mapping[str, Any]

    @property
    def rows(self) -> int:
        """Rows of the table that it was made from."""
        return int(self.body["rows"])

    def schema(self) -> pa.Schema:
        """Return the Arrow schema of the table that it was made from."""
        import base64

        import pyarrow as pa

        return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(self.body["schema"])))


def is_profile(source: str | Path) -> bool:
    """Tell whether a path names a profile: by its first bytes, or by a name that promises one."""
    path = Path(source).expanduser()
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except (OSError, ValueError):
        return False
    return HEAD.match(head) is not None or path.suffix.lower() == SUFFIX


def read_document(source: str | Path) -> ProfileDocument:
    """Read a profile and check that it is whole.

    Raises
    ------
    DataError
        When it is damaged, truncated, changed by hand or of a newer format.
    """
    path = Path(source).expanduser()
    where = shown(path)
    try:
        content = json.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise DataError(where, f"cannot be read: {error.strerror}", "check the path and its permissions") from error
    except (ValueError, RecursionError) as error:
        problem = "is no whole profile: found a damaged or truncated JSON document, expected one that is complete"
        raise DataError(where, problem, f"copy it again, or {AGAIN}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise DataError(where, f"is no profile: expected a JSON document of the format {FORMAT!r}", AGAIN)
    version = content.get("version")
    if isinstance(version, int) and version > VERSION:
        problem = f"found a profile of version {version}, expected {VERSION} or earlier: a newer synthgate wrote it"
        raise DataError(where, problem, f"upgrade synthgate, or {AGAIN} with this version")
    body = content.get("profile")
    if version != VERSION or not isinstance(body, dict) or content.get("sha256") != digest_of(body):
        problem = "is a damaged profile: its content does not agree with its digest, expected it as it was written"
        raise DataError(where, problem, f"copy it again, or {AGAIN}")
    return ProfileDocument(where, str(content["sha256"]), body)


def digest_of(body: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a profile's content, however it is laid out as text."""
    plain = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()


def document_text(body: Mapping[str, Any]) -> str:
    """Return a profile as text: one line per column and per pair, for reading and for comparing."""
    lines = []
    for key, value in body.items():
        told = json.dumps(value, allow_nan=False)
        if isinstance(value, list) and value:
            told = (
                "[\n" + ",\n".join(json.dumps(item, allow_nan=False, separators=(",", ":")) for item in value) + "\n]"
            )
        lines.append(f"{json.dumps(key)}: {told}")
    head = f'{{"format": "{FORMAT}", "version": {VERSION}, "sha256": "{digest_of(body)}", "profile": {{\n'
    return head + ",\n".join(lines) + "\n}}\n"


def no_rows() -> Iterator[pa.RecordBatch]:
    """Stream nothing: a profile has no rows."""
    return iter(())
