"""Markdown for a job summary or a pull request comment: worst first, and short enough for both."""

from __future__ import annotations

import re

from synthgate.findings import CheckResult, Finding, Status
from synthgate.render import story
from synthgate.render.text import count, name, number, sentence, visible
from synthgate.verdict import Verdict

LIMIT = 64_000
"""Characters; GitHub refuses a comment of more than 65,536."""
SHOWN_FINDINGS = 10
ROOM_FOR_THE_COUNT = 200
MARKUP = re.compile(r"[<>&|`*_\[\]!~\\$:]|[@#](?=\w)|(?i:www\.)")


def render(verdict: Verdict) -> str:
    """Return the verdict as GitHub-flavoured Markdown of less than 65,000 characters."""
    sign = story.OUTCOMES[verdict.outcome]
    page = Page(end=_judged(verdict))
    page.add([f"## {sign.symbol} synthgate: {sign.word}", "", safe(story.opening(verdict)), ""])
    page.add(_diagnosis(verdict))
    page.add(_families(verdict))
    troubles, left = story.troubles(verdict), story.left_open(verdict)
    for title, checks, block in (
        ("What failed, and what to do", [c for c in troubles if c.status is not Status.WARN], _trouble),
        ("Left open", left, _open),
        ("Warnings", [c for c in troubles if c.status is Status.WARN], _trouble),
    ):
        for at, check in enumerate(checks):
            page.add([*([f"### {title}", ""] if at == 0 else []), *block(check)])
    page.add(_every(verdict))
    return page.text()


class Page:
    """Blocks of lines, as many as there is room for, and a count of those that found none."""

    def __init__(self, end: list[str]) -> None:
        self._lines: list[str] = []
        self._end = end
        self._left = LIMIT - _size(end) - ROOM_FOR_THE_COUNT
        self._out = 0

    def add(self, lines: list[str]) -> None:
        """Add a block whole, or count it as left out when it does not fit."""
        size = _size(lines)
        if size > self._left:
            self._out += 1
            return
        self._left -= size
        self._lines += lines

    def text(self) -> str:
        """Return the page, with its end and what it left out."""
        told = f"{count(self._out, 'part')} found no room here: result.json holds everything."
        return "\n".join([*self._lines, *([told, ""] if self._out else []), *self._end]).rstrip() + "\n"


def _size(lines: list[str]) -> int:
    """Return the length of some lines as GitHub counts it, in units of UTF-16."""
    return sum(len(line.encode("utf-16-le")) // 2 + 1 for line in lines)


def safe(text: str) -> str:
    """Return text that shows as it is: no markup, no table cell, no link, and nobody is mentioned."""
    return MARKUP.sub(_harmless, visible(text))


def _harmless(found: re.Match[str]) -> str:
    """Return an entity for a sign of markup, and part a mention, an issue number or a host from its sign."""
    sign = found[0]
    return f"{sign}&#8203;" if len(sign) == 4 or sign in "@#" else f"&#{ord(sign)};"


def _prose(text: str) -> str:
    return safe(sentence(text))


def _code(text: str) -> str:
    return f"<code>{safe(text)}</code>"


def _diagnosis(verdict: Verdict) -> list[str]:
    lines = [f"- **{safe(title)}**: {safe(told)}" for title, told in story.diagnosed(verdict)]
    return ["**What seems to have gone wrong**", "", *lines, ""] if lines else []


def _families(verdict: Verdict) -> list[str]:
    lines = ["| | Family | Score | Checks |", "|:-:|---|--:|---|"]
    for family, checks in story.families(verdict).items():
        score = verdict.scores.get(family)
        symbol = story.SIGNS[story.worst_status(checks)].symbol
        shown = number(score) if score is not None else "not assessed"
        lines.append(f"| {symbol} | {safe(story.family_title(family))} | {shown} | {story.family_line(checks)} |")
    return [*lines, ""]


def _trouble(check: CheckResult) -> list[str]:
    sign = story.SIGNS[check.status]
    lines = [f"**Found.** {_prose(check.reason)}"]
    lines += [f"**Why it matters.** {_prose(check.why)}"] if check.why else []
    lines += [f"**What to try.** {_prose(check.remedy)}"] if check.remedy else []
    bad = [f for f in story.ranked(check.findings, check.each) if f.status not in (Status.PASS, Status.NOT_ASSESSED)]
    parts = [part for line in lines for part in (line, "")]
    return [f"#### {sign.symbol} {safe(name(check.title))} {_code(name(check.id))}", "", *parts, *_table(bad, check)]


def _table(findings: list[Finding], check: CheckResult) -> list[str]:
    if not findings:
        return []
    lines = [f"<details><summary>{count(len(findings), 'finding')}, worst first</summary>", ""]
    lines += ["| | Where | Metric | Value | Interval | Limit | Found |", "|:-:|---|---|--:|--:|---|---|"]
    for finding in findings[:SHOWN_FINDINGS]:
        estimate = finding.measured.estimate
        interval = f"{number(estimate.low)} to {number(estimate.high)}" if estimate else ""
        cells = [
            story.sign_of(finding).symbol,
            _code(story.subject(finding)),
            safe(name(finding.measured.metric.replace("_", " "))),
            number(estimate.value if estimate else None),
            interval,
            "; ".join(story.limit_words(finding.measured.limit or check.each)),
            _prose(finding.measured.message) + _waived(finding),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    more = len(findings) - SHOWN_FINDINGS
    lines += ["", f"{more:,} more in result.json."] if more > 0 else []
    return [*lines, "", "</details>", ""]


def _waived(finding: Finding) -> str:
    return f" Waived: {_prose(finding.waived)}" if finding.waived else ""


def _open(check: CheckResult) -> list[str]:
    required = " **(required)**" if check.required else ""
    symbol = story.SIGNS[check.status].symbol
    unknown = f" Unknown: {_prose(check.question)}" if check.question else ""
    return [
        f"- {symbol} {safe(name(check.title))} {_code(name(check.id))}{required}: {_prose(check.reason)}{unknown}",
        "",
    ]


def _every(verdict: Verdict) -> list[str]:
    lines = [f"<details><summary>All {count(len(verdict.checks), 'check')}</summary>", ""]
    lines += ["| | Check | Score | Limit | Found |", "|:-:|---|--:|---|---|"]
    for check in (check for checks in story.families(verdict).values() for check in checks):
        score = number(check.score.value) if check.score else ""
        limit = "; ".join(story.limit_words(check.threshold))
        symbol = story.SIGNS[check.status].symbol
        lines.append(f"| {symbol} | {_code(name(check.id))} | {score} | {limit} | {_prose(check.reason)} |")
    return [*lines, "", "</details>", ""]


def _judged(verdict: Verdict) -> list[str]:
    run = verdict.run
    sides = (("real", run.real), ("synthetic", run.synthetic), ("holdout", run.holdout))
    lines = ["<details><summary>What was judged</summary>", ""]
    lines += ["| Table | Source | Rows | Columns | SHA-256 |", "|---|---|--:|--:|---|"]
    for title, side in sides:
        if side is not None:
            cells = [title, _code(name(side.source)), f"{side.rows:,}", f"{side.columns:,}", _code(side.sha256[:12])]
            lines.append(f"| {' | '.join(cells)} |")
    gate = f", gate file {_code(name(run.gate_file))}" if run.gate_file else ""
    facts = f"Preset {_code(name(run.preset))}{gate}, seed {run.seed}, synthgate {safe(name(run.synthgate_version))}"
    lines += ["", f"{facts}, {safe(name(run.created))}.", ""]
    lines += [f"- {_prose(note)}" for note in run.notes[:20]]
    return [*lines, "", "</details>", ""]
