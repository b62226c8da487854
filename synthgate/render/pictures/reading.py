"""What the charts read from the details of findings, and how a coordinate is written."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, TypeVar

Picture = TypeVar("Picture")


def present(drawn: Iterable[Picture | None], most: int) -> list[Picture]:
    """Return the first pictures that could be drawn."""
    return list(islice((picture for picture in drawn if picture is not None), most))


def numbers(value: Any) -> list[float] | None:
    """Return a list of finite numbers, or None when `value` is something else."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        return None
    ok = all(isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) for v in value)
    return [float(v) for v in value] if ok and value else None


def number(value: Any) -> float | None:
    """Return a finite number, or None when `value` is something else."""
    found = numbers([value])
    return found[0] if found else None


def texts(value: Any) -> list[str] | None:
    """Return a list as texts, or None when `value` is something else."""
    return [str(v) for v in value] if isinstance(value, Sequence) and not isinstance(value, str) else None


def matrix(value: Any, rows: int, columns: int) -> list[list[float]] | None:
    """Return a matrix of finite numbers of this shape, or None when `value` is something else."""
    if isinstance(value, str) or not isinstance(value, Sequence) or len(value) != rows:
        return None
    lines = [numbers(line) for line in value]
    good = [line for line in lines if line is not None and len(line) == columns]
    return good if len(good) == rows else None


def filled(value: Any, hidden: float) -> Any:
    """Return a matrix with `hidden` where a cell is None; whatever is no matrix stays as it is."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        return value
    lines = [line if isinstance(line, Sequence) and not isinstance(line, str) else [line] for line in value]
    return [[hidden if cell is None else cell for cell in line] for line in lines]


def coordinate(value: float) -> str:
    """Return a coordinate: short, and never in scientific notation."""
    return f"{value:.1f}".removesuffix(".0")
