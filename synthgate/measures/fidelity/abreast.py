"""Contingency tables of many pairs laid side by side, so that one pass of arithmetic serves all.

Tables are padded with zeros to one height and width. Nothing that is measured of a pair depends on which of its columns
runs down the table, so the one of fewer codes does: tables of like size then have like shapes, and little is padded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from synthgate.counts import PairName
from synthgate.statistics.distances import IntArray

WASTE = 1.3
"""Most cells that tables take side by side, per cell of their own."""
MOST_CELLS = 2**16
"""Most cells of the tables that are laid side by side, unless one has more."""

Shape = tuple[int, int]


def alike(shapes: Mapping[PairName, Shape]) -> Iterator[list[PairName]]:
    """Part pairs into groups whose tables have about the same shape.

    Parameters
    ----------
    shapes : dict of (int, int)
        Rows and columns of each pair's table.
    """
    group: list[PairName] = []
    own = high = wide = 0
    for pair in sorted(shapes, key=lambda pair: shapes[pair][0] * shapes[pair][1]):
        low, long = sorted(shapes[pair])
        cells = max(high, low) * max(wide, long) * (len(group) + 1)
        if group and (cells > WASTE * (own + low * long) or cells > MOST_CELLS):
            yield group
            group, own, high, wide = [], 0, 0, 0
        group.append(pair)
        own, high, wide = own + low * long, max(high, low), max(wide, long)
    if group:
        yield group


def is_turned(shape: Shape) -> bool:
    """Tell whether a table lies with its second column down."""
    return shape[0] > shape[1]


def lay(tables: Sequence[IntArray], parts: int) -> IntArray:
    """Lay tables side by side.

    Parameters
    ----------
    tables : list of int64 array, shape (at most `parts`, rows, columns)
        Each with its own rows and columns.

    Returns
    -------
    int64 array, shape (tables, parts, height, width)
    """
    height = max(min(table.shape[1:]) for table in tables)
    width = max(max(table.shape[1:]) for table in tables)
    out = np.zeros((len(tables), parts, height, width), np.int64)
    for at, table in enumerate(tables):
        turned = table.transpose(0, 2, 1) if is_turned((table.shape[1], table.shape[2])) else table
        out[at, : turned.shape[0], : turned.shape[1], : turned.shape[2]] = turned
    return out
