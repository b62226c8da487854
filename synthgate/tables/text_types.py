"""The types of text columns, inferred from all of their values.

Each kind of value that a column could be is a claim about *all* values ("every one is an int64"), so what is
known after some batches is the intersection of what is known of each: any split into batches, in any
order, gives the same type. Reading never guesses: only one spelling of a type is recognised, and
everything else stays text.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


class Family(StrEnum):
    """Kinds of values that the first character or two tell apart."""

    NUMBER = "number"
    DATE = "date"
    BOOLEAN = "boolean"


EVERY_FAMILY = frozenset(Family)
FAMILY_OF_TEXT = (
    (Family.DATE, re.compile(r"\s*\d{4}-\d\d-\d\d")),
    (Family.NUMBER, re.compile(r"\s*[-+]?(\d|\.\d|inf|nan)", re.IGNORECASE)),
    (Family.BOOLEAN, re.compile(r"\s*(true|false)\s*\Z", re.IGNORECASE)),
)
TRIED = 16
DATE_TYPES = ("date32", "us", "ns", "us UTC", "ns UTC")
NOT_WHOLE = r"[^-+0-9]"
PADDED = r"^[-+]?0[0-9]+$"
PAST_64_BITS = r"^[-+]?[0-9]{19,}$"

Claims = frozenset[str]


def arrow_type(kind: str) -> pa.DataType:
    """Return the Arrow type of a claim."""
    import pyarrow as pa

    if kind[:2] in ("us", "ns"):
        return pa.timestamp(kind[:2], tz="UTC" if kind.endswith("UTC") else None)
    return pa.type_for_alias(kind)


def _casts(texts: pa.Array, kind: str) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        # pyarrow words an error for every value that fails, so a few are tried before all
        pc.cast(texts.slice(0, TRIED), arrow_type(kind))
        pc.cast(texts, arrow_type(kind))
    except pa.ArrowInvalid:
        return False
    return True


def _any(texts: pa.Array, pattern: str) -> bool:
    import pyarrow.compute as pc

    return bool(pc.any(pc.match_substring_regex(texts, pattern)).as_py())


def _number_claims(texts: pa.Array) -> Claims:
    """Return the claims that hold for all `texts`; empty unless all are decimal numbers.

    ``unpadded``: no integer has leading zeros, which a code has and a number has not. ``whole`` and
    ``short``: all are integers; no integer has the 19 digits that a float64 would round.
    """
    if not _casts(texts, "float64"):
        return frozenset()
    claims = {"float64"} | {kind for kind in ("int64", "uint64") if _casts(texts, kind)}
    if not _any(texts, PADDED):
        claims.add("unpadded")
    if "int64" in claims or not _any(texts, NOT_WHOLE):
        claims.add("whole")
    if "int64" in claims or not _any(texts, PAST_64_BITS):
        claims.add("short")
    return frozenset(claims)


def claims_of(texts: pa.Array, families: Collection[Family] = EVERY_FAMILY) -> Claims | None:
    """Return what is true of all values in a batch of a text column.

    Parameters
    ----------
    texts : pyarrow.StringArray
    families : collection of Family
        What the column may be.

    Returns
    -------
    frozenset of str or None
        Empty when it can only be text; None when it has no value.
    """
    import pyarrow.compute as pc

    known = texts.drop_null()
    if not len(known):
        return None
    first = known[0].as_py()
    family = next((family for family, pattern in FAMILY_OF_TEXT if pattern.match(first)), None)
    if family is None or family not in families:
        return frozenset()
    trimmed = pc.ascii_trim_whitespace(known)
    if family is Family.NUMBER:
        return _number_claims(trimmed)
    if family is Family.DATE:
        return frozenset(kind for kind in DATE_TYPES if _casts(trimmed, kind))
    return frozenset() if _any(trimmed, r"^[^tTfF]") or not _casts(trimmed, "bool") else frozenset({"bool"})


def both(one: Claims | None, other: Claims | None) -> Claims | None:
    """Return what is true of two batches together."""
    if one is None or other is None:
        return other if one is None else one
    return one & other


def settle(claims: Claims | None) -> pa.DataType:
    """Return the narrowest type that holds every value exactly, or text."""
    import pyarrow as pa

    if claims is None:
        return pa.null()
    if "float64" in claims:
        if "unpadded" not in claims or ("whole" in claims and "short" not in claims and "uint64" not in claims):
            return pa.string()
        return arrow_type(next(kind for kind in ("int64", "uint64", "float64") if kind in claims))
    kind = next((kind for kind in ("bool", *DATE_TYPES) if kind in claims), None)
    return arrow_type(kind) if kind else pa.string()


def typed(texts: pa.Array, kind: pa.DataType) -> pa.Array:
    """Return a text column as the type it was settled to be.

    Raises
    ------
    pyarrow.ArrowInvalid
        When a value does not fit: the file has changed since.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if texts.type.equals(kind):
        return texts
    if pa.types.is_null(kind):
        return pa.nulls(len(texts), kind)
    return pc.cast(pc.ascii_trim_whitespace(texts), kind)
