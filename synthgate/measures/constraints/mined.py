"""Mined constraints: what always holds in real, checked in synthetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from synthgate.catalogue import Options, measure
from synthgate.findings import Estimate, Ledger, Limit, Measured, Measurement, Severity
from synthgate.measures.constraints.breaches import few_hidden, few_told
from synthgate.measures.constraints.shown import MOST_ROWS, numbered_rows, told_rows
from synthgate.mining import Mined, MinedRule, mine
from synthgate.mining.rows import Rows, rows_of
from synthgate.mining.rules import Tested
from synthgate.mining.single import Bound
from synthgate.mining.words import spelling
from synthgate.statistics.intervals import wilson

if TYPE_CHECKING:
    from synthgate.evidence import Evidence

ALPHA = 0.001
MOST_STEPS = 100_000
HABITS = ("implication", "conditional range")
NEARLY = 0.005
FEW_BEYOND = 2
"""Rows that may lie beyond a bound other than zero, at which many values lie: real data has an odd row as well."""
GROUPED = {
    "bound": "bounds",
    "step": "steps and fixed decimals",
    "unit of time": "units of time stamps",
    "pattern": "patterns of text",
}


@measure("constraints.mined")
def mined(evidence: Evidence, options: Options) -> Measurement:
    """Find rules that hold in every real row, and count the synthetic rows that break them.

    A rule that holds in ``N`` known rows may still be broken by fresh real ones. If it is broken in a share of
    rows that is the same in both tables, the chance that all ``k`` broken rows are among the ``m`` synthetic ones is
    at most ``prod (m - i) / (N + m - i)``, ``i < k``. As many as keep that chance at 0.001, shared over all rules, are
    tolerated. Where many real rows lie close to the rule's edge and none beyond, one row beyond fails. Of a rule
    that a few real rows break synthetic may break as much by chance, and 0.5 % of its rows more in any case.
    """
    found: Mined = evidence.sample.derive("constraints.mined", lambda _: mine(evidence))
    if not found.rules:
        return Measurement.missing(
            f"no rule was found that holds in all real rows with enough support ({found.tried:,} were tried)"
        )
    rows = rows_of(evidence.sample, evidence.sample.synthetic)
    checked = [_check(evidence, rows, rule, ALPHA / found.held) for rule in found.rules]
    findings = (*(c.finding() for c in checked if not c.is_grouped), *_grouped([c for c in checked if c.is_grouped]))
    broken = sum(1 for c in checked if c.fails)
    total = len(checked)
    told = f"{broken} of {total} rules that always hold in real are broken" if broken else ""
    seen = max((c.tolerated for c in checked if c.of), default=0.0)
    return Measurement(
        reason=told or f"all {total} rules that always hold in real hold",
        findings=findings,
        score=Estimate.exact(1 - broken / total),
        ledger=Ledger(total, found.skipped),
        power=f"rules that more than {seen:.2%} of the rows break are found",
        details={"tried": found.tried, "held": found.held, "real_rows": evidence.sample.real.rows_total},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A mined rule, counted in synthetic.

    Attributes
    ----------
    mined : MinedRule
    rows, of : int
        Rows that break it, of the rows it applies to.
    total : int
        Rows of the synthetic table.
    tolerated : float
        Share of rows that fresh real ones may break.
    shown : tuple of str
        Rows that break it, in words, where the user asked for them.
    """

    mined: MinedRule
    rows: int
    of: int
    total: int
    tolerated: float
    severity: Severity | None
    sql: str | None
    is_whole: bool
    shown: tuple[str, ...] = ()

    @property
    def fails(self) -> bool:
        """Whether more rows break the rule than fresh real ones would."""
        return self.of > 0 and self.rows / self.of > self.tolerated

    @property
    def is_grouped(self) -> bool:
        """Whether the rule is on one column and holds: then it is told with others like it."""
        return not self.rows and self.mined.rule.kind in GROUPED

    def finding(self) -> Measured:
        """Return the finding."""
        rule = self.mined.rule
        share = self.rows / self.of if self.of else 0.0
        words = rule.words()
        held = f"holds in all {self.mined.support:,} real rows that could break it"
        if self.mined.broken:
            held = f"{few_told(self.mined.broken)} of {self.mined.support:,} real rows break it"
        if not self.of:
            message, why = f"{words}: {held}", f"{words}: it applies to no synthetic row"
        elif self.rows:
            of = f"{self.of:,} synthetic rows" + (" that it applies to" if self.of < self.total else "")
            message, why = f"{words}: broken by {self.rows:,} of {of} ({share:.2%}); {held}", None
            if not self.fails:
                message += ", and fresh real rows may break it as often"
            message += told_rows(self.shown)
        else:
            message, why = f"{words}: holds in all {self.of:,} synthetic rows that it applies to", None
        low, high = wilson(self.rows, self.of) if not self.is_whole and self.of else (share, share)
        return Measured(
            metric="violating_share",
            message=message,
            estimate=Estimate(
                value=share, low=low, high=high, method="exact" if self.is_whole else "Wilson 95 % over sampled rows"
            ),
            columns=rule.columns,
            limit=Limit(max=self.tolerated),
            severity=self.severity,
            not_assessed=why,
            details={
                "rule": words,
                "kind": rule.kind,
                "sql": self.sql,
                "rows": self.of,
                "broken": self.rows,
                "real_rows": self.mined.support,
                "broken_in_real": few_hidden(self.mined.broken),
                "bound": self.mined.bound,
                "broken_if_independent": self.mined.chance_share,
            },
        )


def _check(evidence: Evidence, rows: Rows, rule: MinedRule, alpha: float) -> Checked:
    tested = rule.rule.test(rows)
    return Checked(
        mined=rule,
        rows=tested.rows,
        of=tested.of,
        total=rows.size,
        tolerated=tolerated_share(rule, tested.of, alpha, evidence.design_effect),
        severity=_severity(rule, tested, rows.size),
        sql=rule.rule.sql(spelling(evidence.plan)),
        is_whole=evidence.sample.synthetic.rows == evidence.sample.synthetic.rows_total,
        shown=numbered_rows(evidence, _first(evidence, tested), rule.rule.columns),
    )


def _first(evidence: Evidence, tested: Tested) -> list[int]:
    """Return the numbers of the first synthetic rows that break a rule."""
    rows: list[int] = evidence.sample.synthetic.index[np.flatnonzero(tested.broken)[:MOST_ROWS]].tolist()
    return rows


def tolerated_share(rule: MinedRule, fresh: int, alpha: float, effect: float) -> float:
    """Return the share of `fresh` rows that may break a mined rule.

    Parameters
    ----------
    rule : MinedRule
    fresh : int
        Rows that could break it.
    alpha : float
        Chance that is left to more broken rows, if the rule is broken as often in real.
    effect : float
        How much wider errors are than for independent rows.
    """
    if not fresh:
        return 0.0
    if rule.enforced and effect == 1:
        return FEW_BEYOND / fresh if isinstance(rule.rule, Bound) and rule.rule.edge != 0 else 0.0
    rows = tolerated(rule.support / effect, fresh / effect, alpha, rule.broken / effect) * effect
    if rule.broken:
        rows = max(rows, (rule.broken_share + NEARLY) * fresh)
    return min(1.0, rows / fresh)


def tolerated(known: float, fresh: float, alpha: float, broken: float = 0) -> int:
    """Return how many of `fresh` rows may break a rule that `broken` of `known` rows break, before it is no chance.

    Without broken rows the chance is exact; with some it is that of a binomial share, which lets a little more pass.

    Examples
    --------
    >>> tolerated(1000, 1000, 0.001)
    9
    >>> tolerated(1000, 1000, 0.001, 5)
    18
    """
    steps = np.arange(min(int(fresh), MOST_STEPS))
    if not broken:
        chances = np.cumsum(np.log((fresh - steps) / (known + fresh - steps)))
        return int((chances >= np.log(alpha)).sum())
    from scipy.special import betainc

    more = steps + 1
    return int((betainc(more, broken + 1, fresh / (known + fresh)) >= alpha).sum())


def _severity(rule: MinedRule, tested: Tested, total: int) -> Severity | None:
    """Return a warning for what is harmless: ids of another form or order, further decimals, a rule nearly kept.

    An implication or a range by category may be a habit of the data rather than a law. It is nearly kept when at
    most 0.5 % of all rows break it, and at most a third as many as would if its columns were independent.
    """
    nearly = tested.rows <= NEARLY * total and tested.rows <= tested.of * rule.chance_share / 3
    return Severity.WARN if rule.is_habit or (rule.rule.kind in HABITS and nearly) else None


def _grouped(held: list[Checked]) -> list[Measured]:
    """Return one finding for every kind of rule on one column that holds."""
    groups: dict[str, list[Checked]] = {}
    for checked in held:
        groups.setdefault(checked.mined.rule.kind, []).append(checked)
    return [
        Measured(
            metric="violating_share",
            message=f"{len(members)} {GROUPED[kind]} hold: {'; '.join(c.mined.rule.words() for c in members)}",
            estimate=Estimate.exact(0.0),
            limit=Limit(max=0.0),
            columns=tuple(dict.fromkeys(c.mined.rule.columns[0] for c in members)),
            details={
                "kind": kind,
                "rules": [c.mined.rule.words() for c in members],
                "sql": [c.sql for c in members],
                "real_rows": [c.mined.support for c in members],
            },
        )
        for kind, members in groups.items()
    ]
