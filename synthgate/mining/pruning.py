"""Pruning: a rule that other rules imply is not told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from itertools import permutations
from typing import TYPE_CHECKING

from synthgate.mining.between import Linear, Order, Product, Sum
from synthgate.mining.labels import Atom, Determines, Implies, Same, Together, Within

if TYPE_CHECKING:
    from synthgate.mining.miner import MinedRule
    from synthgate.mining.rules import Rule

MOST_VALUES = 12


def prune(rules: list[MinedRule], halves: Mapping[str, tuple[str, ...]]) -> list[MinedRule]:
    """Return the rules without those that others imply, and with like ones told together.

    Parameters
    ----------
    rules : list of MinedRule
    halves : dict of tuple of str
        The two labels of each column that has two: there one is the other's opposite.
    """
    steps: tuple[Callable[[list[MinedRule]], list[MinedRule]], ...] = (
        _without_twins,
        _without_repeats,
        _mutual,
        _without_doubles,
        _without_chains,
        _orders,
        lambda told: _implications(told, halves),
        _ranges,
    )
    for step in steps:
        rules = step(rules)
    return rules


def _twins(rules: Iterable[MinedRule]) -> dict[str, str]:
    """Return columns that equal another one, or are a constant multiple of it, with that other."""
    twins: dict[str, str] = {}
    for mined in rules:
        if isinstance(mined.rule, Linear | Same):
            a, b = mined.rule.columns
            root_a, root_b = _root(twins, a), _root(twins, b)
            if root_a != root_b:
                twins[root_b] = root_a
    return twins


def _root(parents: dict[str, str], name: str) -> str:
    while name in parents:
        name = parents[name]
    return name


def _without_twins(rules: list[MinedRule]) -> list[MinedRule]:
    """Tell of columns that are one another's twin only that they are, and everything else of the first."""
    twins = _twins(rules)
    joined: dict[str, str] = {}
    kept = []
    for mined in rules:
        names = mined.rule.columns
        if isinstance(mined.rule, Linear | Same):
            if _root(joined, names[0]) != _root(joined, names[1]):
                joined[_root(joined, names[1])] = _root(joined, names[0])
                kept.append(mined)
        elif len(names) == 1 or not any(name in twins for name in names) or _ties_in(mined.rule, twins):
            kept.append(mined)
    return kept


def _ties_in(rule: Rule, twins: Mapping[str, str]) -> bool:
    """Whether a sum or a product says how a further column goes with two that are twins."""
    return isinstance(rule, Sum | Product) and len({_root(dict(twins), name) for name in rule.columns}) == 2


def _without_repeats(rules: list[MinedRule]) -> list[MinedRule]:
    """Keep one rule of arithmetic for every set of columns: a sum before a product, a product before a ratio."""
    taken: set[frozenset[str]] = set()
    kept = []
    for mined in rules:
        if isinstance(mined.rule, Sum | Product):
            if frozenset(mined.rule.columns) in taken:
                continue
            taken.add(frozenset(mined.rule.columns))
        kept.append(mined)
    return kept


def _mutual(rules: list[MinedRule]) -> list[MinedRule]:
    """Tell a dependency that holds both ways once, and of several columns that fix each other no more than needed."""
    pairs = {m.rule.columns for m in rules if isinstance(m.rule, Determines)}
    joined: dict[str, str] = {}
    kept = []
    for mined in rules:
        columns = mined.rule.columns
        if isinstance(mined.rule, Determines) and len(columns) == 2 and columns[::-1] in pairs:
            if columns != min(columns, columns[::-1], key=lambda pair: _first(rules, pair)):
                continue
            a, b = (_root(joined, name) for name in columns)
            if a == b:
                continue
            joined[b] = a
            mined = replace(mined, rule=replace(mined.rule, both_ways=True))
        kept.append(mined)
    return kept


def _without_doubles(rules: list[MinedRule]) -> list[MinedRule]:
    """Drop what is said again of a column that another one determines and is determined by."""
    twins: dict[str, str] = {}
    for mined in rules:
        if isinstance(mined.rule, Determines) and mined.rule.both_ways:
            a, b = (_root(twins, name) for name in mined.rule.columns)
            twins.update({b: a} if a != b else {})
    told = {(type(m.rule), _conditions(m.rule, twins)) for m in rules if not set(m.rule.columns) & set(twins)}
    return [
        m
        for m in rules
        if not isinstance(m.rule, Determines | Within | Implies)
        or not set(m.rule.columns) & set(twins)
        or (isinstance(m.rule, Determines) and m.rule.both_ways)
        or (type(m.rule), _conditions(m.rule, twins)) not in told
    ]


def _conditions(rule: Rule, twins: Mapping[str, str]) -> tuple[frozenset[str], str]:
    """Return the columns that a rule takes as given, each by its twin's name, and the one that it is about."""
    *given, about = (_root(dict(twins), name) for name in rule.columns)
    return frozenset(given), about


def _first(rules: list[MinedRule], pair: tuple[str, ...]) -> int:
    return next(at for at, m in enumerate(rules) if isinstance(m.rule, Determines) and m.rule.columns == pair)


def _without_chains(rules: list[MinedRule]) -> list[MinedRule]:
    """Drop a dependency that follows from two others, and one that a rule of arithmetic or of dates says already."""
    edges: set[tuple[str, ...]] = {
        m.rule.columns for m in rules if isinstance(m.rule, Determines) and len(m.rule.columns) == 2
    }
    edges |= {(b, a) for m in rules if isinstance(m.rule, Determines) and m.rule.both_ways for a, b in [m.rule.columns]}
    told = {frozenset(m.rule.columns) for m in rules if m.rule.kind == "part of a date"}
    kept = []
    for mined in rules:
        rule = mined.rule
        if isinstance(rule, Determines):
            if frozenset(rule.columns) in told:
                continue
            if len(rule.columns) == 2 and not rule.both_ways and _by_way_of(edges, rule.columns):
                edges.discard((rule.columns[0], rule.columns[1]))
                continue
        kept.append(mined)
    return kept


def _by_way_of(edges: set[tuple[str, ...]], pair: tuple[str, ...]) -> bool:
    """Whether a path of dependencies leads from the first column to the second without their direct one."""
    seen, todo = {pair[0]}, [pair[0]]
    while todo:
        here = todo.pop()
        for a, b in edges:
            if a == here and b not in seen and (a, b) != pair:
                if b == pair[1]:
                    return True
                seen.add(b)
                todo.append(b)
    return False


def _orders(rules: list[MinedRule]) -> list[MinedRule]:
    """Drop orders that follow from two others, or that a sum or a product settles with the sign of its third column."""
    edges: set[tuple[str, ...]] = {m.rule.columns for m in rules if isinstance(m.rule, Order)}
    for mined in rules:
        if isinstance(mined.rule, Sum | Product):
            edges -= set(permutations(mined.rule.columns, 2))
    for pair in sorted(edges):
        if _by_way_of(edges, pair):
            edges.discard(pair)
    return [m for m in rules if not isinstance(m.rule, Order) or m.rule.columns in edges]


def _implications(rules: list[MinedRule], halves: Mapping[str, tuple[str, ...]]) -> list[MinedRule]:
    """Drop implications that a dependency or a converse says already, and tell those of one column together."""
    determined = {
        pair
        for m in rules
        if isinstance(m.rule, Determines) and len(m.rule.columns) == 2
        for pair in ([m.rule.columns, m.rule.columns[::-1]] if m.rule.both_ways else [m.rule.columns])
    }
    every = [m for m in rules if isinstance(m.rule, Implies)]
    together = _missing_together([m for m in rules if isinstance(m.rule, Together)])
    apart = determined | {pair[::-1] for pair in determined}
    exact = _told_once([m for m in every if _of(m).exactly and _of(m).columns not in apart])
    settled = {frozenset((_of(m).when.column, _of(m).then.column)) for m in exact}
    loose = [
        m
        for m in every
        if not _of(m).exactly and _of(m).columns not in determined and frozenset(_of(m).columns) not in settled
    ]
    loose = _without_contrapositives(loose, halves)
    loose = _without_detours(loose, exact)
    kept = [m for m in rules if not isinstance(m.rule, Implies | Together)]
    return [*kept, *together, *exact, *_without_shadows(_together(loose))]


def _of(mined: MinedRule) -> Implies:
    if not isinstance(mined.rule, Implies):
        raise TypeError("not an implication")
    return mined.rule


def _missing_together(pairs: list[MinedRule]) -> list[MinedRule]:
    """Join columns that are missing in the same rows into one rule."""
    groups: dict[str, list[MinedRule]] = {}
    for mined in pairs:
        groups.setdefault(mined.rule.columns[0], []).append(mined)
    return [
        replace(members[0], rule=Together((first, *(m.rule.columns[1] for m in members))))
        for first, members in groups.items()
    ]


def _without_shadows(loose: list[MinedRule]) -> list[MinedRule]:
    """Drop that a column is not missing under a condition where its very value is told under it."""
    valued = {(_of(m).when.column, _of(m).then.column) for m in loose if _of(m).then.test not in ("null", "present")}
    return [m for m in loose if _of(m).then.test != "present" or (_of(m).when.column, _of(m).then.column) not in valued]


def _told_once(exact: list[MinedRule]) -> list[MinedRule]:
    """Keep of rules that say the same of the same groups of rows one spanning set: each column is tied in once."""
    joined: dict[str, str] = {}
    kept = []
    ranked = sorted(
        exact, key=lambda m: (_of(m).then.test != "null", _of(m).when.test != "null", _of(m).when.test != "in")
    )
    for mined in ranked:
        a, b = _root(joined, _of(mined).when.column), _root(joined, _of(mined).then.column)
        if a != b:
            joined[b] = a
            kept.append(mined)
    return kept


def _without_contrapositives(loose: list[MinedRule], halves: Mapping[str, tuple[str, ...]]) -> list[MinedRule]:
    """Keep one of `if a then b` and `if not b then not a`: the one whose condition is rarer."""
    said: set[tuple[Atom, Atom]] = set()
    kept = []

    def rank(mined: MinedRule) -> tuple[bool, bool, int]:
        rule = _of(mined)
        return rule.then.test not in ("null", "equal", "in"), rule.when.test in ("present", "other"), mined.support

    for mined in sorted(loose, key=rank):
        when, then = _of(mined).when, _of(mined).then
        if (_opposite(then, halves), _opposite(when, halves)) in said:
            continue
        said.add((when, then))
        kept.append(mined)
    return kept


def _opposite(atom: Atom, halves: Mapping[str, tuple[str, ...]]) -> Atom:
    pair = halves.get(atom.column, ())
    if atom.test == "in" and len(pair) == 2 and atom.labels[0] in pair:
        return replace(atom, labels=(pair[1 - pair.index(atom.labels[0])],))
    swap = {"null": "present", "present": "null", "equal": "other", "other": "equal"}
    return replace(atom, test=swap.get(atom.test, f"not {atom.test}"))


def _without_detours(loose: list[MinedRule], exact: list[MinedRule]) -> list[MinedRule]:
    """Drop an implication that follows from two others."""
    edges = {(_of(m).when, _of(m).then) for m in loose}
    fixed = {(_of(m).when, _of(m).then) for m in exact} | {(_of(m).then, _of(m).when) for m in exact}
    kept = []
    for mined in loose:
        pair = (_of(mined).when, _of(mined).then)
        around = {b for a, b in edges | fixed if a == pair[0] and b != pair[1]}
        if any((middle, pair[1]) in edges | fixed for middle in around):
            edges.discard(pair)
        else:
            kept.append(mined)
    return kept


def _together(loose: list[MinedRule]) -> list[MinedRule]:
    """Join implications that differ in the condition's label only, and name the most frequent labels."""
    groups: dict[tuple[str, Atom], list[MinedRule]] = {}
    kept = []
    for mined in loose:
        rule = _of(mined)
        if rule.when.test == "in":
            groups.setdefault((rule.when.column, rule.then), []).append(mined)
        else:
            kept.append(mined)
    for (column, then), members in groups.items():
        members = sorted(members, key=lambda m: -m.support)[:MOST_VALUES]
        labels = tuple(label for m in members for label in _of(m).when.labels)
        rule = Implies((column, then.column), Atom(column, "in", labels), then)
        kept.append(replace(members[0], rule=rule, support=sum(m.support for m in members)))
    return kept


def _ranges(rules: list[MinedRule]) -> list[MinedRule]:
    """Tell a range by category or the dependency that implies it, never both.

    A category that determines the number says more than its ranges do; ranges that lie apart say more than that
    the number determines the category.
    """
    forward = {m.rule.columns for m in rules if isinstance(m.rule, Determines)}
    ranges = {m.rule.columns for m in rules if isinstance(m.rule, Within)} - forward
    return [
        m
        for m in rules
        if not (isinstance(m.rule, Within) and m.rule.columns in forward)
        and not (isinstance(m.rule, Determines) and m.rule.columns[::-1] in ranges)
    ]
