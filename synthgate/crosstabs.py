"""Cross tabulation: contingency tables of many pairs of columns with small codes, several columns at a time.

Adding up the rows of a table costs about as much for four columns as for two, as long as its cells stay in the
processor's cache, and the tables of pairs are its margins. So columns of few codes are bundled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthgate.counts import GROUPS, IntArray, PairName

Codes = NDArray[np.unsignedinteger[Any]]
Bundle = tuple[str, ...]

BLOCK = 131_072
MOST_CELLS = 2**17
"""Most cells of a table of more than two columns: what a processor's second cache holds."""
ROWS_PER_CELL = 1
"""Least rows per cell of such a table: below, taking its margins costs more than counting again."""
MOST_TOGETHER = 2**26
"""Bytes that tables which are counted in one pass take."""


@dataclass(frozen=True, slots=True)
class Coded:
    """One column's codes, all below `size`."""

    codes: Codes
    size: int


@dataclass(frozen=True, slots=True)
class _Job:
    """A table to count: bundles of columns down its lines and across them, and the pairs that are read off it."""

    left: Bundle
    right: Bundle
    pairs: tuple[PairName, ...]


def crosstabs(
    columns: Mapping[str, Coded], pairs: Iterable[PairName], groups: IntArray
) -> Iterator[dict[PairName, IntArray]]:
    """Count the contingency tables of pairs of columns, some at a time.

    Parameters
    ----------
    columns : dict of Coded
    pairs : iterable of (str, str)
    groups : int64 array, shape (rows,)
        The random group of each row.

    Yields
    ------
    dict of int64 array
        Per pair, a table of shape (GROUPS, codes of its first column, codes of its second).
    """
    sizes = {name: column.size for name, column in columns.items()}
    for jobs in _parts(_jobs(list(pairs), sizes, min(MOST_CELLS, len(groups) / ROWS_PER_CELL)), sizes):
        counted = _count(jobs, columns, sizes, groups)
        yield {pair: table for job, whole in zip(jobs, counted, strict=True) for pair, table in _margins(job, whole)}


def _jobs(pairs: Sequence[PairName], sizes: Mapping[str, int], most: float) -> list[_Job]:
    """Plan few tables of at most `most` cells, unless of two columns, that hold every pair between them."""
    used = {name: sizes[name] for pair in pairs for name in pair}
    bundles = _bundles(used, (most / GROUPS) ** 0.5)
    where = {name: at for at, bundle in enumerate(bundles) for name in bundle}
    between: dict[tuple[int, int], list[PairName]] = {}
    for a, b in pairs:
        one, other = where[a], where[b]
        between.setdefault((min(one, other), max(one, other)), []).append((a, b))
    jobs: list[_Job] = []
    for (one, other), held in sorted(between.items()):
        right = bundles[other] if other != one else ()
        jobs.extend(_fitting(_Job(bundles[one], right, tuple(held)), sizes, most))
    return jobs


def _bundles(sizes: Mapping[str, int], widest: float) -> list[Bundle]:
    """Put columns together whose joint codes are at most `widest`: the widest first, each where it first fits."""
    bundles: list[list[str]] = []
    widths: list[int] = []
    for name in sorted(sizes, key=lambda name: -sizes[name]):
        at = next((k for k, width in enumerate(widths) if width * sizes[name] <= widest), len(bundles))
        if at == len(bundles):
            bundles.append([])
            widths.append(1)
        bundles[at].append(name)
        widths[at] *= sizes[name]
    return [tuple(bundle) for bundle in bundles]


def _fitting(job: _Job, sizes: Mapping[str, int], most: float) -> Iterator[_Job]:
    """Cut a job until its tables are small enough, or of two columns."""
    if _cells(job, sizes) <= most or len(job.left) + len(job.right) <= 2:
        yield job
        return
    longer, rest = sorted((job.left, job.right), key=len, reverse=True)
    for half in (longer[: len(longer) // 2], longer[len(longer) // 2 :]):
        pairs = tuple(pair for pair in job.pairs if pair[0] in half or pair[1] in half)
        if pairs:
            yield from _fitting(_Job(half, rest, pairs), sizes, most)


def _cells(job: _Job, sizes: Mapping[str, int]) -> int:
    return GROUPS * prod(sizes[name] for name in job.left + job.right)


def _parts(jobs: Sequence[_Job], sizes: Mapping[str, int]) -> Iterator[list[_Job]]:
    """Cut jobs into runs whose tables take little memory."""
    part: list[_Job] = []
    held = 0
    for job in jobs:
        size = _cells(job, sizes) * 8
        if part and held + size > MOST_TOGETHER:
            yield part
            part, held = [], 0
        part.append(job)
        held += size
    if part:
        yield part


def _count(
    jobs: Sequence[_Job], columns: Mapping[str, Coded], sizes: Mapping[str, int], groups: IntArray
) -> list[IntArray]:
    """Count the tables of some jobs over all rows, in blocks that fit the processor's cache."""
    tables: list[IntArray] = []
    widths = [(prod(sizes[name] for name in job.left), prod(sizes[name] for name in job.right)) for job in jobs]
    for start in range(0, max(1, len(groups)), BLOCK):
        block = slice(start, start + BLOCK)
        bundles = dict.fromkeys(bundle for job in jobs for bundle in (job.left, job.right) if bundle)
        joint = {bundle: _joint(columns, bundle, block) for bundle in bundles}
        lines, cells = (np.empty(len(groups[block]), np.int64) for _ in range(2))
        before: Bundle = ()
        for at, (job, (height, width)) in enumerate(zip(jobs, widths, strict=True)):
            if job.left != before:
                np.multiply(groups[block], height, out=lines)
                np.add(lines, joint[job.left], out=lines)
                before = job.left
            np.multiply(lines, width, out=cells)
            if job.right:
                np.add(cells, joint[job.right], out=cells)
            counted = np.bincount(cells, minlength=GROUPS * height * width)
            if start:
                tables[at] += counted
            else:
                tables.append(counted)
    shapes = [[sizes[name] for name in job.left + job.right] for job in jobs]
    return [table.reshape(GROUPS, *shape) for table, shape in zip(tables, shapes, strict=True)]


def _joint(columns: Mapping[str, Coded], bundle: Bundle, block: slice) -> Codes:
    """Return one code for the codes of several columns: a small number, as all of them stay in the cache so."""
    if len(bundle) == 1:
        return columns[bundle[0]].codes[block]
    out = columns[bundle[0]].codes[block].astype(np.uint16)
    for name in bundle[1:]:
        out *= columns[name].size
        out += columns[name].codes[block]
    return out


def _margins(job: _Job, whole: IntArray) -> Iterator[tuple[PairName, IntArray]]:
    """Read the tables of a job's pairs off the table of all its columns."""
    names = job.left + job.right
    known = {names: whole}
    for a, b in job.pairs:
        table = _margin(known, names, {a, b})
        yield (a, b), table if names.index(a) < names.index(b) else np.ascontiguousarray(table.transpose(0, 2, 1))


def _margin(known: dict[Bundle, IntArray], names: Bundle, kept: set[str]) -> IntArray:
    """Add up a table over all but the kept columns, the last first; what is found on the way serves other pairs."""
    for name in reversed(names):
        if name not in kept:
            at = names.index(name) + 1
            rest = names[: at - 1] + names[at:]
            if rest not in known:
                axes = list(range(known[names].ndim))
                # adds up short axes several times faster than a sum does
                known[rest] = np.einsum(known[names], axes, axes[:at] + axes[at + 1 :])
            names = rest
    return known[names]
