"""The miner: candidates from a few rows, verified on all, kept when luck does not explain them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from synthgate.findings import Skip
from synthgate.mining.between import Order
from synthgate.mining.find_between import (
    find_arithmetic,
    find_date_parts,
    find_elapsed,
    find_linear,
    find_orders,
)
from synthgate.mining.find_labels import (
    extend,
    find_dependencies,
    find_implications,
    find_rising,
    find_same,
    find_within,
    learn,
)
from synthgate.mining.find_single import EDGE_SHARE, find_bounds, find_clocks, find_patterns, find_steps
from synthgate.mining.found import Found, edge_share, slack
from synthgate.mining.labels import Determines, Implies, Rising, Together, Within
from synthgate.mining.pruning import prune
from synthgate.mining.rows import Floats, Rows, joined, rows_of
from synthgate.mining.rules import Rule
from synthgate.mining.single import Bound, Pattern, Step
from synthgate.roles import Role

if TYPE_CHECKING:
    from synthgate.evidence import Evidence

PROBE_ROWS = 4_000
WIDE_ROWS = 20_000
FEWEST_ROWS = 149
"""Rows that a rule has to hold in: then it is broken in less than 2 % of rows, at 95 % (rule of three)."""
LUCK = 1e-3
ENFORCED_SHARE = 0.05
PILED_UP = 2.0
"""How many times as many values lie at a bound that is enforced as at the next value inside."""
ENFORCED_ROWS = 50
NATURAL_ROWS = 3_000
"""Rows from which on no negative value speaks for none: less than 0.1 % are negative, at 95 % (rule of three)."""
MOST_RULES = 60
MOST_SKIPS = 20
CLEARLY = 20
"""How many times fewer rows break a rule than would if its columns were independent."""
LEAST_SHARE = 0.01
LEAST_SHARES = {"implication": 0.02, "order": 0.05}


@dataclass(frozen=True)
class MinedRule:
    """A rule that holds in every known row, or in nearly every one.

    Attributes
    ----------
    rule : Rule
    support : int
        Real and holdout rows that could have broken it.
    chance_share : float
        Share of rows that would break it if its columns were independent; 1 for rules on one column.
    enforced : bool
        Many rows lie close to the rule's edge and none beyond, as when something enforces it: then one
        row beyond is one too many.
    on_ids : bool
        It is a pattern of ids, which may as well be numbered anew.
    broken : int
        Known rows that break it: few, as errors in the data do.
    """

    rule: Rule
    support: int
    chance_share: float
    enforced: bool = False
    on_ids: bool = False
    broken: int = 0

    @property
    def broken_share(self) -> float:
        """Share of known rows that break it."""
        return self.broken / self.support if self.support else 0.0

    @property
    def is_habit(self) -> bool:
        """Whether breaking it is harmless: ids or decimals of another form, rows in another order."""
        rule = self.rule
        return isinstance(rule, Rising) or (isinstance(rule, Step) and rule.places > 0) or self.on_ids

    @property
    def bound(self) -> float:
        """Greatest share of rows that may break the rule, at 95 %, given how many of the known ones do."""
        from scipy.special import betaincinv

        return float(betaincinv(self.broken + 1, self.support - self.broken, 0.95)) if self.support else 1.0


@dataclass(frozen=True)
class Mined:
    """What always holds in real.

    Attributes
    ----------
    rules : tuple of MinedRule
    tried : int
        Rules that were looked at.
    held : int
        Rules that hold in (nearly) every known row, before those were dropped that others imply.
    skipped : tuple of Skip
        Rules that the holdout breaks, and what was not tried.
    """

    rules: tuple[MinedRule, ...]
    tried: int
    held: int
    skipped: tuple[Skip, ...]


# sums and products of numbers near the end of their range are infinite, and hold no rule
@np.errstate(over="ignore", invalid="ignore")
def mine(evidence: Evidence) -> Mined:
    """Find what always holds in the real rows and in the holdout.

    Candidates have to hold in a few thousand real rows, then in all of them and in the holdout. A rule is kept
    when it holds in at least 149 rows (so that it is broken in less than 2 % of rows at 95 %, by the rule of
    three), and when the chance that it would hold in all of them if its columns were independent is below 0.001,
    shared over all rules that were tried. A rule on several columns may be broken by 0.5 % of the real rows, and by
    a twentieth of what would break it if its columns were independent: real data has errors. Where no real row
    breaks it, none of the holdout may.
    """
    sample = evidence.sample
    real = rows_of(sample, sample.real)
    known = [real] + ([rows_of(sample, sample.holdout)] if sample.holdout else [])
    rng = sample.rng("constraints.mined")
    found = _search(evidence, known, rng)
    skipped = [Skip(text, "bounded to keep the cost low") for text in found.left_out]
    luck = float(np.log(max(1, found.tried) / LUCK)) * evidence.design_effect
    probe = _part(real, PROBE_ROWS, rng)
    kept: list[MinedRule] = []
    for rule in found.rules:
        mined = _examined(rule, known, probe, luck, rng)
        if isinstance(mined, Skip):
            skipped.append(mined)
        elif mined is not None:
            kept.append(mined)
    kept = _once(kept)
    rules = prune(kept, {c.name: c.categories for c in evidence.plan.columns if len(c.categories) == 2})
    single = {mined.rule for mined in kept}
    rules = [mined if mined.rule in single else _recounted(mined, known) for mined in rules]
    several = [m for m in rules if len(m.rule.columns) > 1]
    if len(several) > MOST_RULES:
        chosen = sorted(several, key=lambda m: -m.support * m.chance_share)[:MOST_RULES]
        skipped.append(Skip(f"{len(several) - MOST_RULES} more rules", f"the {MOST_RULES} with most evidence are told"))
        rules = [m for m in rules if len(m.rule.columns) == 1 or m in chosen]
    return Mined(tuple(rules), found.tried, len(kept), _summed_up(skipped))


def _recounted(mined: MinedRule, known: list[Rows]) -> MinedRule:
    """Count anew what known rows say of a rule that pruning joined from several."""
    if not isinstance(mined.rule, Together | Implies):
        return mined
    tested = [mined.rule.test(rows) for rows in known]
    return replace(mined, support=sum(one.of for one in tested), broken=sum(one.rows for one in tested))


def _once(rules: list[MinedRule]) -> list[MinedRule]:
    """Return the rules without implications that stand twice, as when both ways of one were found to hold one way."""
    implications = {mined.rule: mined for mined in reversed(rules) if isinstance(mined.rule, Implies)}
    return [m for m in rules if not isinstance(m.rule, Implies) or implications[m.rule] is m]


def _summed_up(skipped: list[Skip]) -> tuple[Skip, ...]:
    """Return the first skips, and how many more there are."""
    more = (
        [Skip(f"{len(skipped) - MOST_SKIPS} more rules", "the holdout breaks them")]
        if len(skipped) > MOST_SKIPS
        else []
    )
    return (*skipped[:MOST_SKIPS], *more)


def _part(rows: Rows, size: int, rng: np.random.Generator) -> Rows:
    return rows if rows.size <= size else rows.take(np.sort(rng.choice(rows.size, size, replace=False)))


def _search(evidence: Evidence, known: list[Rows], rng: np.random.Generator) -> Found:
    real = known[0]
    wide = _part(real, WIDE_ROWS, rng)
    probe = wide.head(PROBE_ROWS) if wide is real and real.size <= PROBE_ROWS else _part(wide, PROBE_ROWS, rng)
    schema = evidence.real.table.schema
    whole_days = frozenset(f.name for f in schema if str(f.type).startswith("date32"))
    keys = [
        c.name for c in evidence.plan.columns if c.name in real.codes and c.kind == "integer" and _is_id(real, c.name)
    ]
    steps: tuple[Callable[[], Found], ...] = (
        lambda: find_orders(probe),
        lambda: find_linear(probe),
        lambda: find_arithmetic(probe),
        lambda: find_elapsed(probe),
        lambda: find_date_parts(probe),
        lambda: find_same(probe),
        lambda: find_dependencies(probe),
        lambda: find_implications(wide),
        lambda: find_within(wide),
        lambda: find_bounds(joined(known)),
        lambda: find_steps(wide, evidence.plan),
        lambda: find_clocks(wide, evidence.plan, whole_days),
        lambda: find_patterns(wide, evidence.plan),
        lambda: find_rising(wide, keys),
    )
    found = Found()
    for step in steps:
        found += step()
    return found


def _is_id(rows: Rows, name: str) -> bool:
    return not rows.roles[name].is_discrete and len(rows.labels[name]) >= rows.size


def _examined(
    rule: Rule, known: list[Rows], probe: Rows, luck: float, rng: np.random.Generator
) -> MinedRule | Skip | None:
    """Return the rule with its support; None when real breaks it or luck explains it, a skip for the holdout."""
    alone = _verified(rule, known[:1])
    if alone is None:
        return None
    share = chance_share(alone.rule, probe, rng)
    if share < least_share(rule) or not is_tight(rule, probe) or not _is_clear(alone, share, probe):
        return None
    both = _verified(alone.rule, known) if len(known) > 1 else alone
    if both is None or (both.rows and not alone.rows):
        return Skip(rule.words(), "the holdout breaks it") if _is_no_luck(alone, share, luck) else None
    if not _is_no_luck(both, share, luck):
        return None
    on_ids = isinstance(rule, Pattern) and probe.roles[rule.columns[0]] is Role.ID
    enforced = not both.rows and is_enforced(both.rule, known[0], both.of)
    return MinedRule(both.rule, both.of, share, enforced, on_ids, both.rows)


def _is_no_luck(found: Verified, share: float, luck: float) -> bool:
    """Whether the chance of so few broken rows, if the columns were independent, is small (Chernoff's bound)."""
    p, q = min(share, 1 - 1e-12), found.rows / max(1, found.of)
    gain = (1 - q) * float(np.log((1 - q) / (1 - p))) + (q * float(np.log(q / p)) if q else 0.0)
    return found.of >= FEWEST_ROWS and q < p and found.of * gain >= luck


def _is_clear(found: Verified, share: float, probe: Rows) -> bool:
    """Whether few enough rows break a rule to be errors; an order of numbers needs names that speak for it too."""
    if not found.rows:
        return True
    is_order = isinstance(found.rule, Order) and probe.roles[found.rule.columns[0]] is Role.NUMERICAL
    return found.rows <= share / CLEARLY * found.of and (not is_order or _named_alike(found.rule.columns))


def is_tight(rule: Rule, probe: Rows) -> bool:
    """Whether an order of numbers is more than a matter of scale.

    It is when many rows come close to equality, or when the names of both columns share a word.
    """
    if not isinstance(rule, Order) or probe.roles[rule.columns[0]] is Role.DATETIME or _named_alike(rule.columns):
        return True
    return edge_share(_gaps(rule, probe))[0] >= EDGE_SHARE


def _named_alike(names: tuple[str, ...]) -> bool:
    low, high = ({word for word in re.split(r"[^a-z]+", name.lower()) if len(word) > 2} for name in names)
    return bool(low & high)


def is_enforced(rule: Rule, rows: Rows, support: int) -> bool:
    """Whether many rows lie close to the edge of a rule, so that chance would have put some beyond it.

    `support` is the number of known rows that the rule holds in.
    """
    if isinstance(rule, Bound):
        return _is_piled_up(rule, rows, support)
    if not isinstance(rule, Order) or rows.roles[rule.columns[0]] is not Role.DATETIME:
        return False
    share, near = edge_share(_gaps(rule, rows))
    return share >= ENFORCED_SHARE and near >= ENFORCED_ROWS


def _is_piled_up(rule: Bound, rows: Rows, support: int) -> bool:
    """Whether a bound is natural (zero, held in many rows), or more values lie at it than at the next one inside.

    The counts of a tail that merely ends there fall towards the end, and other rows may well lie beyond it: at zero
    too, such as years since school that are counted from a usual age.
    """
    values = rows.numbers[rule.columns[0]]
    inside = values[values < rule.edge] if rule.upper else values[values > rule.edge]
    if not len(inside):
        return True
    following = inside.max() if rule.upper else inside.min()
    on, beside = int((values == rule.edge).sum()), int((values == following).sum())
    if rule.edge == 0 and not rule.upper and support >= NATURAL_ROWS and not 0 < PILED_UP * on < beside:
        return True
    return on >= ENFORCED_ROWS and on >= PILED_UP * beside


def _gaps(rule: Order, rows: Rows) -> Floats:
    """Return how far the upper column lies above the lower one, ties left out: two zeros say nothing of an order."""
    gaps = rows.numbers[rule.columns[1]] - rows.numbers[rule.columns[0]]
    return gaps[np.isfinite(gaps) & (gaps > 0)]


@dataclass(frozen=True, slots=True)
class Verified:
    """A rule over all known rows: how many could break it, and how many do."""

    rule: Rule
    of: int
    rows: int


def _verified(rule: Rule, known: list[Rows]) -> Verified | None:
    """Return the rule over known rows, or None when more of them break it than errors in the data explain.

    A rule on one column holds in every row. What holds both ways in the first rows may do so one way in all.
    """
    if isinstance(rule, Determines):
        learnt = learn(rule, known)
        if learnt is None or learnt.broken > slack(learnt.support):
            return None
        return Verified(learnt, learnt.support, learnt.broken)
    if isinstance(rule, Within) and len(known) == 1:
        extended = extend(rule, known[0])
        if extended is None:
            return None
        rule = extended
    tested = [rule.test(rows) for rows in known]
    found = Verified(rule, sum(one.of for one in tested), sum(one.rows for one in tested))
    if found.rows <= (slack(found.of) if len(rule.columns) > 1 else 0):
        return found
    if isinstance(rule, Implies) and rule.exactly:
        ways = [replace(rule, exactly=False)]
        ways.append(replace(ways[0], columns=rule.columns[::-1], when=rule.then, then=rule.when))
        return next((one for way in ways if (one := _verified(way, known)) is not None), None)
    return None


def least_share(rule: Rule) -> float:
    """Return the share of independent rows that has to break a rule for it to be worth telling."""
    return LEAST_SHARES.get(rule.kind, LEAST_SHARE)


def chance_share(rule: Rule, probe: Rows, rng: np.random.Generator) -> float:
    """Return the share of rows that would break the rule if one of its columns were independent of the others.

    Each column in turn is dealt anew over the rows; the smallest share counts.
    """
    if len(rule.columns) == 1:
        return 1.0
    if isinstance(rule, Implies):
        return 1 - float(rule.then.holds(probe)[rule.then.known(probe)].mean())
    if isinstance(rule, Determines):  # what is missing elsewhere is said of that, and is no dependency
        there = ~np.logical_or.reduce([probe.missing(name) for name in rule.columns])
        probe = probe.take(np.flatnonzero(there))
    shares = []
    for name in rule.columns:
        tested = rule.test(probe.shuffled(name, rng))
        shares.append(tested.rows / tested.of if tested.of else 0.0)
    return min(shares)


__all__ = ["Bound", "Mined", "MinedRule", "NDArray", "Order", "Rising", "edge_share", "mine"]
