"""The sign-off: who looked at which data, when, and what came of it. The review page writes it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from synthgate.errors import GateFileError
from synthgate.yamlfile import Node, read_yaml_file, shown

VERSION = 1
KEYS = (
    "synthgate_review", "verdict", "reviewer", "date", "synthetic_sha256", "real_sha256", "rows_shown",
    "rows_reviewed", "implausible", "note",
)  # fmt: skip
VERDICTS = ("accept", "reject")
MOST_ROWS = 1_000_000
DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOff:
    """A reviewer's word on one synthetic table.

    Attributes
    ----------
    accepted : bool
    reviewer : str
    day : date
    synthetic_sha256, real_sha256 : str
        Of the tables that were looked at; the real one is empty when no real row was shown.
    shown, reviewed : int
        Rows on the page, and rows that were marked.
    implausible : tuple of int
        Numbers of the synthetic rows that were marked as such, from 1.
    """

    accepted: bool
    reviewer: str
    day: date
    synthetic_sha256: str
    real_sha256: str
    shown: int
    reviewed: int
    implausible: tuple[int, ...]
    note: str = ""


def read_signoff(path: Path) -> SignOff:
    """Read a sign-off.

    Raises
    ------
    GateFileError
        With file, line, what was found and what was expected.
    """
    node = read_yaml_file(path)
    node.refuse_unknown(KEYS)
    if node.values.get("synthgate_review") != VERSION:
        found = shown(node.values.get("synthgate_review"))
        raise GateFileError(node.place("synthgate_review"), f"version {found}, expected {VERSION}", _AGAIN)
    verdict = node.text("verdict")
    if verdict not in VERDICTS:
        raise GateFileError(node.place("verdict"), f"verdict is {shown(verdict)}, expected accept or reject", _AGAIN)
    reviewer = (node.text("reviewer") or "").strip()
    if not reviewer:
        raise GateFileError(node.place("reviewer"), "nobody has signed", "say who looked at the rows")
    reviewed, rows = (node.whole(key, default=0, greatest=MOST_ROWS) for key in ("rows_reviewed", "rows_shown"))
    marked = _numbers(node)
    if not len(marked) <= reviewed <= rows:
        problem = f"{reviewed} of {rows} rows reviewed and {len(marked)} marked: these do not go together"
        raise GateFileError(node.place("rows_reviewed"), problem, _AGAIN)
    return SignOff(
        accepted=verdict == "accept",
        reviewer=reviewer,
        day=_day(node),
        synthetic_sha256=_digest(node, "synthetic_sha256"),
        real_sha256=_digest(node, "real_sha256") if node.values.get("real_sha256") else "",
        shown=rows,
        reviewed=reviewed,
        implausible=marked,
        note=node.text("note") or "",
    )


_AGAIN = "make it again with the page that `synthgate review` writes"


def _numbers(node: Node) -> tuple[int, ...]:
    found = node.items("implausible")
    for item in found:
        if isinstance(item, bool) or not isinstance(item, int) or item < 1:
            raise GateFileError(node.place("implausible"), f"{shown(item)} is no row number", _AGAIN)
    return tuple(found)


def _day(node: Node) -> date:
    text = node.text("date") or ""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        problem = f"date is {shown(text)}, expected one such as 2027-03-31"
        raise GateFileError(node.place("date"), problem, _AGAIN) from error


def _digest(node: Node, key: str) -> str:
    text = node.text(key) or ""
    if not DIGEST.fullmatch(text):
        raise GateFileError(node.place(key), f"{key} is {shown(text)}, expected a SHA-256", _AGAIN)
    return text
