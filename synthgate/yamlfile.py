"""Read YAML with the line of every key: YAML 1.2, no duplicate keys, no Python objects.

The file is parsed into nodes and never constructed: text, numbers, truth values, null, lists and mappings
are made here, everything else is refused. Keys and dates are the text that stands in the file, so that a
column may be called ``no``, ``1e3`` or ``2020-01-01``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthgate.errors import GateFileError, nearest

if TYPE_CHECKING:
    from ruamel.yaml import YAML

TAG = "tag:yaml.org,2002:"
MAX_VALUES = 500_000
"""Most values of a file, aliases written out: far more than any gate needs, far fewer than an alias bomb makes."""
MAX_DEPTH = 40
KINDS = {
    "scalar": ("str", "timestamp", "value", "null", "bool", "int", "float"),
    "sequence": ("seq",),
    "mapping": ("map",),
}


@dataclass(frozen=True)
class Node:
    """A mapping of a YAML file, which knows where its keys stand.

    Attributes
    ----------
    values : dict
        Plain Python values; nested mappings stay plain dictionaries.
    file : str
        Name of the file, for messages.
    lines : dict of int
        Line of every key, by dotted path; list items by their number.
    path : str
        Dotted path of this mapping in the file.
    """

    values: dict[str, Any]
    file: str
    lines: dict[str, int] = field(default_factory=dict)
    path: str = ""

    def at(self, key: str | int) -> str:
        """Return the dotted path of a key."""
        return f"{self.path}.{key}" if self.path else str(key)

    def place(self, key: str | int = "") -> str:
        """Return ``file:line`` of a key, or of the mapping itself."""
        line = self.lines.get(self.at(key) if key != "" else self.path)
        return f"{self.file}:{line}" if line else self.file

    def refuse_unknown(self, known: Iterable[str]) -> None:
        """Raise when a key is not among the known ones.

        Raises
        ------
        GateFileError
        """
        names = list(known)
        for key in self.values:
            if key not in names:
                raise GateFileError(self.place(key), f"unknown key {key!r}", nearest(str(key), names))

    def child(self, key: str | int, value: Any) -> Node:
        """Return a nested mapping as a node.

        Raises
        ------
        GateFileError
            When `value` is no mapping.
        """
        if not isinstance(value, dict):
            raise GateFileError(
                self.place(key), f"found {shown(value)}, expected a mapping", "write `key: value` pairs"
            )
        return Node(value, self.file, self.lines, self.at(key))

    def mapping(self, key: str) -> Node:
        """Return the mapping under a key; nothing is an empty one.

        Raises
        ------
        GateFileError
        """
        value = self.values.get(key)
        return self.child(key, {} if value is None else value)

    def items(self, key: str) -> list[Any]:
        """Return a list under a key; nothing is an empty list.

        Raises
        ------
        GateFileError
        """
        value = self.values.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise GateFileError(
                self.place(key), f"`{key}` is {shown(value)}, expected a list", "start each item with `-`"
            )
        return value

    def text(self, key: str, *, default: str | None = None) -> str | None:
        """Return a text under a key.

        Raises
        ------
        GateFileError
        """
        value = self.values.get(key, default)
        if value is not None and not isinstance(value, str):
            raise GateFileError(self.place(key), f"`{key}` is {shown(value)}, expected text", "put it in quotes")
        if value is not None and not value.strip():
            raise GateFileError(self.place(key), f"`{key}` is empty, expected text", "fill it in, or remove the key")
        return value

    def number(self, key: str) -> float | None:
        """Return a number under a key.

        Raises
        ------
        GateFileError
        """
        value = self.values.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise GateFileError(
                self.place(key), f"`{key}` is {shown(value)}, expected a number", "write it without quotes"
            )
        try:
            return None if value is None else float(value)
        except OverflowError as error:
            raise GateFileError(self.place(key), f"`{key}` is {shown(value)}, which is too large", "") from error

    def whole(self, key: str, *, default: int, greatest: int) -> int:
        """Return a whole number from 0 to `greatest` under a key.

        Raises
        ------
        GateFileError
        """
        value = self.values.get(key)
        if value is None:
            return default
        number = self.number(key)
        if number is None or not number.is_integer() or not 0 <= number <= greatest:
            raise GateFileError(
                self.place(key), f"`{key}` is {shown(value)}, expected a whole number from 0 to {greatest}", ""
            )
        return int(value)

    def flag(self, key: str, *, default: bool) -> bool:
        """Return a truth value under a key.

        Raises
        ------
        GateFileError
        """
        value = self.values.get(key, default)
        if not isinstance(value, bool):
            raise GateFileError(
                self.place(key), f"`{key}` is {shown(value)}, expected true or false", "write true or false"
            )
        return value

    def words(self, key: str) -> tuple[str, ...]:
        """Return one text or a list of texts under a key.

        Raises
        ------
        GateFileError
        """
        value = self.values.get(key)
        several = [value] if isinstance(value, str) else ([] if value is None else value)
        if not isinstance(several, list) or not all(isinstance(v, str) for v in several):
            raise GateFileError(
                self.place(key), f"`{key}` is {shown(value)}, expected text or a list of texts", "put each in quotes"
            )
        return tuple(several)


def shown(value: object) -> str:
    """Return a value for a message, shortened."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def read_yaml(text: str, file: str) -> Node:
    """Parse one YAML mapping.

    Raises
    ------
    GateFileError
        With the line, for a syntax error, a duplicate key, a merge key, a tag, or anything but a mapping.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    parser = YAML(typ="safe", pure=True)
    try:
        top = parser.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        problem = " ".join(str(error.problem or error.context).split())
        raise GateFileError(f"{file}{line}", f"no valid YAML: {problem}", "correct this line") from error
    except RecursionError as error:
        raise GateFileError(file, "no valid YAML: nested too deeply", f"at most {MAX_DEPTH} levels are read") from error
    except (YAMLError, ValueError) as error:
        raise GateFileError(file, f"no valid YAML: {' '.join(str(error).split())[:200]}", "correct the file") from error
    if top is None:
        return Node({}, file)
    reader = _Reader(file, parser)
    plain = reader.value(top, "")
    if not isinstance(plain, dict):
        raise GateFileError(reader.place(top), f"holds {shown(plain)}, expected a mapping", "start with `version: 1`")
    return Node(plain, file, reader.lines)


def read_yaml_file(path: Path) -> Node:
    """Parse the YAML mapping of a file.

    Raises
    ------
    GateFileError
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise GateFileError(
            str(path), "the file does not exist", "check the path, or write one with `synthgate init`"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise GateFileError(str(path), f"cannot be read: {error}", "expected a text file in UTF-8") from error
    return read_yaml(text, str(path))


@dataclass
class _Reader:
    """Turns parsed nodes into plain values, and notes the line of every key and list item."""

    file: str
    parser: YAML
    lines: dict[str, int] = field(default_factory=dict)
    read: int = 0
    open: list[Any] = field(default_factory=list)

    def place(self, node: Any) -> str:
        """Return ``file:line`` of a node."""
        return f"{self.file}:{node.start_mark.line + 1}"

    def value(self, node: Any, path: str) -> Any:
        """Return the plain value of a node.

        Raises
        ------
        GateFileError
        """
        self.read += 1
        if self.read > MAX_VALUES:
            raise GateFileError(self.place(node), f"more than {MAX_VALUES:,} values", "write out fewer aliases")
        if any(node is outer for outer in self.open):
            raise GateFileError(self.place(node), "an alias stands inside what it refers to", "remove the alias")
        if len(self.open) > MAX_DEPTH:
            raise GateFileError(self.place(node), f"nested more than {MAX_DEPTH} levels deep", "")
        kind = str(node.tag).removeprefix(TAG)
        if kind not in KINDS[node.id]:
            raise GateFileError(self.place(node), f"the tag {shown(kind)} is not allowed", "write plain values")
        if node.id == "scalar":
            return self._scalar(node, kind)
        self.open.append(node)
        plain = self._mapping(node, path) if node.id == "mapping" else self._list(node, path)
        self.open.pop()
        return plain

    def _mapping(self, node: Any, path: str) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for key, item in node.value:
            kind = str(key.tag).removeprefix(TAG)
            if kind == "merge":
                raise GateFileError(self.place(key), "merge keys (`<<`) are not supported", "repeat the lines")
            if key.id != "scalar" or kind not in KINDS["scalar"]:
                raise GateFileError(self.place(key), "a key is no plain text", "put it in quotes")
            if key.value in out:
                raise GateFileError(self.place(key), f"duplicate key {shown(key.value)}", "remove one of the two")
            here = f"{path}.{key.value}" if path else key.value
            self.lines[here] = key.start_mark.line + 1
            out[key.value] = self.value(item, here)
        return out

    def _list(self, node: Any, path: str) -> list[Any]:
        out = []
        for at, item in enumerate(node.value):
            here = f"{path}.{at}"
            self.lines[here] = item.start_mark.line + 1
            out.append(self.value(item, here))
        return out

    def _scalar(self, node: Any, kind: str) -> bool | int | float | str | None:
        if kind == "null":
            return None
        if kind not in ("bool", "int", "float"):
            return str(node.value)
        makers = self.parser.constructor
        make = {
            "bool": makers.construct_yaml_bool,
            "int": makers.construct_yaml_int,
            "float": makers.construct_yaml_float,
        }
        try:
            made: bool | int | float = make[kind](node)
        except (ValueError, KeyError) as error:
            fix = "put text in quotes"
            raise GateFileError(self.place(node), f"{shown(node.value)} is no valid {kind}", fix) from error
        return made
