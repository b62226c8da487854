"""Read YAML with the line of every key: YAML 1.2, no duplicate keys, no Python objects."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from synthgate.errors import GateFileError, nearest

PLAIN_TAGS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map"))


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
        return None if value is None else float(value)

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
            raise GateFileError(self.place(key), f"`{key}` is {shown(value)}, expected text or a list of texts", "")
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
        With the line, for a syntax error, a duplicate key, a tag, or anything but a mapping.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    reader = YAML(typ="rt", pure=True)
    reader.allow_duplicate_keys = False
    try:
        content = reader.load(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        problem = " ".join(str(error.problem or error.context).split())
        raise GateFileError(f"{file}{line}", f"no valid YAML: {problem}", "correct this line") from error
    except (YAMLError, ValueError, RecursionError) as error:
        raise GateFileError(file, f"no valid YAML: {' '.join(str(error).split())[:200]}", "correct the file") from error
    if content is None:
        content = {}
    lines: dict[str, int] = {}
    plain = _plain(content, "", lines, file)
    if not isinstance(plain, dict):
        raise GateFileError(file, f"holds {shown(plain)}, expected a mapping", "start with `version: 1`")
    return Node(plain, file, lines)


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


def _plain(value: Any, path: str, lines: dict[str, int], file: str) -> Any:
    """Return plain Python values, noting the line of every key and list item."""
    tag = getattr(getattr(value, "tag", None), "value", None)
    if tag is not None and str(tag) not in PLAIN_TAGS:
        raise GateFileError(file, f"the tag {tag} is not allowed", "write plain values")
    marks: Any = getattr(value, "lc", None)
    if isinstance(value, dict):
        out = {}
        for key, item in value.items():
            name = key if isinstance(key, str) else str(key)
            here = f"{path}.{name}" if path else name
            lines[here] = marks.key(key)[0] + 1
            out[name] = _plain(item, here, lines, file)
        return out
    if isinstance(value, list):
        out_list = []
        for at, item in enumerate(value):
            here = f"{path}.{at}"
            lines[here] = marks.item(at)[0] + 1
            out_list.append(_plain(item, here, lines, file))
        return out_list
    if isinstance(value, bool) or value is None:
        return value
    if tag is not None:
        return str(value.value)
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value
