"""Find foreign keys that nobody wrote down, from names and values of the real tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

from synthgate.canonical import kind_of
from synthgate.infer import ID_NAME
from synthgate.links import Relationship, parents_first

if TYPE_CHECKING:
    import pyarrow as pa

    from synthgate.tables import Table

KINDS = ("integer", "string")
LEAST_PARENTS = 3
LEAST_NAMED = 2
LUCK = 1e-4
WIDEST = 12
"""Signs of a text that are looked at."""
BARE = frozenset(("id", "key", "code", "uuid", "guid", "pk", "nr", "no", "number"))


def infer_relationships(tables: Mapping[str, Table]) -> tuple[Relationship, ...]:
    """Return the foreign keys that names and values both speak for.

    A column points to another table when that table has a unique, complete column of the same kind; the names
    agree (the same name, which for whole numbers has to look like a key; or the parent's name before a bare key such
    as ``id``); and every value of it occurs
    among the parent's keys, at least two different ones. A column that could point to several tables is left
    out, unless its name holds the name of exactly one.

    Parameters
    ----------
    tables : dict of Table
        The real tables, by name.
    """
    values = {name: _labels(table) for name, table in tables.items()}
    keys = {name: {column: seen for column, seen in columns.items() if seen.is_key} for name, columns in values.items()}
    found: list[Relationship] = []
    for child in sorted(tables):
        for column, seen in values[child].items():
            fitting = [
                Relationship(parent, child, key, column)
                for parent in sorted(tables)
                if parent != child
                for key, there in keys[parent].items()
                if _named_alike(column, parent, key, whole=there.kind == "integer") and _points(seen, there)
            ]
            if len(fitting) > 1:
                fitting = [one for one in fitting if _stem(one.parent) in _plain(column)]
            if len(fitting) == 1 and not _circle(tables, [*found, fitting[0]]):
                found += fitting
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A foreign key that values alone speak for.

    Attributes
    ----------
    relationship : Relationship
    values : int
        Different values of the child's column, all of which are keys of the parent.
    keys : int
        Keys of the parent.
    """

    relationship: Relationship
    values: int
    keys: int


def suggest_relationships(tables: Mapping[str, Table], known: Iterable[Relationship]) -> tuple[Suggestion, ...]:
    """Return the foreign keys that values alone speak for, whatever the columns are called.

    Every value of the child's column, at least three different ones, is a key of exactly one other table, and luck does
    not explain it: keys that fill a share ``p`` of the values they might have hold all of ``d`` others by chance with
    probability ``p ** d``, which has to be below 0.0001. What whole numbers might be is all between the least and the
    greatest, so that numbers that merely count (1 to n) prove nothing; what texts might be is every mixture of the
    signs that the keys have at each place.

    Parameters
    ----------
    tables : dict of Table
        The real tables, by name.
    known : iterable of Relationship
        Their children's columns are left out.
    """
    values = {name: _labels(table) for name, table in tables.items()}
    taken, links = {(r.child, name) for r in known for name in r.foreign_columns}, list(known)
    shares = {
        (table, key): (_filled(seen), seen)
        for table, columns in values.items()
        for key, seen in columns.items()
        if seen.is_key
    }
    found: list[Suggestion] = []
    for child in sorted(tables):
        for column, seen in values[child].items():
            if (child, column) in taken or len(seen.values) < LEAST_PARENTS:
                continue
            fitting = [
                Suggestion(Relationship(parent, child, key, column), len(seen.values), len(there.values))
                for (parent, key), (share, there) in shares.items()
                if parent != child and share ** len(seen.values) < LUCK and _points(seen, there)
            ]
            if len(fitting) == 1 and not _circle(tables, [*links, fitting[0].relationship]):
                found += fitting
                links.append(fitting[0].relationship)
    return tuple(found)


def _filled(seen: _Seen) -> float:
    """Return which share of the values that keys of this form might have they are."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if seen.kind == "integer":
        whole = pc.cast(seen.values, pa.int64())
        ends = pc.min_max(whole).as_py()
        return float(len(whole) / (ends["max"] - ends["min"] + 1))
    texts = seen.values.to_pylist()
    width = min(WIDEST, max(map(len, texts)))
    possible = prod(len({text[at : at + 1] for text in texts}) for at in range(width))
    return min(1.0, len(texts) / possible)


class _Seen:
    """The different values of a column that may be a key."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.missing = 0
        self.parts: list[pa.Array] = []
        self.kind = ""

    def close(self) -> None:
        """Pool the values of all batches."""
        import pyarrow as pa
        import pyarrow.compute as pc

        self.values = pc.unique(pa.concat_arrays(self.parts)).drop_null() if self.parts else pa.array([], pa.string())

    @property
    def is_key(self) -> bool:
        """Whether every row has a value of its own."""
        return not self.missing and len(self.values) == self.rows >= LEAST_PARENTS


def _labels(table: Table) -> dict[str, _Seen]:
    import pyarrow as pa
    import pyarrow.compute as pc

    found = {
        field.name: _Seen(table.rows)
        for field in table.schema
        if kind_of(field.type) in KINDS or kind_of(field.type) == "float"
    }
    for batch in table.batches():
        for name in list(found):
            array = batch.column(name)
            array = array.dictionary_decode() if pa.types.is_dictionary(array.type) else array
            kind = kind_of(array.type)
            if kind == "float":  # whole numbers with missing values, as pandas stores them
                whole = pc.all(pc.equal(pc.floor(array), array), min_count=0).as_py()
                if whole is False or pc.any(pc.greater(pc.abs(array), 2.0**53)).as_py():
                    del found[name]
                    continue
                array, kind = pc.cast(array, pa.int64(), safe=False), "integer"
            found[name].missing += array.null_count
            found[name].kind = kind
            found[name].parts.append(pc.cast(pc.unique(array), pa.string()))
    for seen in found.values():
        seen.close()
    return found


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())


def _stem(table: str) -> str:
    """Return a table's name in the singular, as far as English endings go."""
    plain = _plain(table)
    for ending, other in (("ies", "y"), ("sses", "ss"), ("s", "")):
        if plain.endswith(ending) and len(plain) > len(ending) + 2:
            return plain[: -len(ending)] + other
    return plain


def _named_alike(column: str, parent: str, key: str, *, whole: bool) -> bool:
    """Tell whether names speak for a foreign key; small whole numbers fit by accident, so that they need more."""
    own, theirs = _plain(column), _plain(key)
    if theirs in BARE:
        return own in {_stem(parent) + theirs, _plain(parent) + theirs, _stem(parent)}
    return own == theirs and (not whole or ID_NAME.search(key) is not None or _stem(parent) in theirs)


def _points(child: _Seen, parent: _Seen) -> bool:
    import pyarrow.compute as pc

    if child.kind != parent.kind or len(child.values) < LEAST_NAMED or len(child.values) > len(parent.values):
        return False
    if child.is_key and len(child.values) == len(parent.values):
        return False  # two tables of the same rows: neither is the other's parent by its values
    return bool(pc.all(pc.is_in(child.values, value_set=parent.values)).as_py())


def _circle(tables: Mapping[str, Table], relationships: list[Relationship]) -> bool:
    from synthgate.errors import DataError

    try:
        parents_first(tables, relationships, "")
    except DataError:
        return True
    return False
