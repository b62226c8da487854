"""The verdict for a terminal: short, and the same words as the report."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import wrap
from typing import TypeAlias

from synthgate.findings import CheckResult, Estimate, Finding, Outcome, Status
from synthgate.render import story, tables
from synthgate.render.text import name, number, sentence, short
from synthgate.verdict import Verdict

WIDTH = 96
CODES = {
    Status.ERROR: "31",
    Status.FAIL: "31",
    Status.WARN: "33",
    Status.INCONCLUSIVE: "35",
    Status.NOT_ASSESSED: "2",
    Status.PASS: "32",
}
OUTCOME_STATUS = {
    Outcome.PASS: Status.PASS,
    Outcome.FAIL: Status.FAIL,
    Outcome.INCOMPLETE: Status.INCONCLUSIVE,
}
SHOWN_FINDINGS = 3
DESCRIBED_FINDINGS = 15
SHOWN_NOTES = 6

Paint: TypeAlias = Callable[[str, str], str]


def render(verdict: Verdict, *, color: bool) -> str:
    """Return the verdict, what failed and why, what is open, and one line for each family.

    Parameters
    ----------
    verdict : Verdict
    color : bool
        Whether the terminal takes ANSI colours.
    """
    paint = _painted if color else _unpainted
    sign = story.OUTCOMES[verdict.outcome]
    head = paint(f"{sign.symbol} {sign.word.upper()}", f"1;{CODES[OUTCOME_STATUS[verdict.outcome]]}")
    lines = [head, *_block(story.opening(verdict), "  "), ""]
    diagnosed = story.diagnosed(verdict)
    if diagnosed:
        lines += [paint("What seems to have gone wrong", "1")]
        lines += [part for title, told in diagnosed for part in _block(f"{title}: {told}", "  ")]
        lines += [""]
    for check in story.troubles(verdict):
        lines += _trouble(check, paint)
    left = story.left_open(verdict)
    if left:
        lines += [paint("Left open", "1")]
        for check in left:
            mark = paint(story.SIGNS[check.status].symbol, CODES[check.status])
            required = " (required)" if check.required else ""
            lines += [f"  {mark} {name(check.id)}{required}", *_block(sentence(check.reason), "      ")]
        lines += [""]
    lines += _tables(verdict, paint)
    lines += [_family(family, checks, verdict, paint) for family, checks in story.families(verdict).items()]
    notes = verdict.run.notes
    lines += [part for note in notes[:SHOWN_NOTES] for part in _block(f"note: {sentence(note)}", "")]
    lines += [f"and {len(notes) - SHOWN_NOTES:,} more notes in the report"] if len(notes) > SHOWN_NOTES else []
    return "\n".join(lines) + "\n"


def describe(check: CheckResult) -> str:
    """Return one check: what it asks, what was found, its findings worst first, and what to try."""
    sign = story.SIGNS[check.status]
    lines = [f"{sign.symbol} {sign.word}: {name(check.id)}", *_block(sentence(check.question), "  ")]
    lines += _block(sentence(check.reason), "  ")
    if check.score is not None and check.threshold.as_dict():
        limit = "; ".join(story.limit_words(check.threshold))
        lines += _block(f"score {number(check.score.value)}{_place(check.score)}, limit: {limit}", "  ")
    bad = [f for f in story.ranked(check.findings, check.each) if f.status not in (Status.PASS, Status.NOT_ASSESSED)]
    lines += [""] if bad else []
    for finding in bad[:DESCRIBED_FINDINGS]:
        lines += _row(finding, check)
    lines += [f"  and {len(bad) - DESCRIBED_FINDINGS:,} more findings"] if len(bad) > DESCRIBED_FINDINGS else []
    tries = check.remedy and check.status is not Status.PASS
    return "\n".join([*lines, *(["", *_block(f"Try: {sentence(check.remedy)}", "  ")] if tries else [])]) + "\n"


def _place(estimate: Estimate) -> str:
    return f" (position {number(estimate.position.value)})" if estimate.position else ""


def _row(finding: Finding, check: CheckResult) -> list[str]:
    estimate, limit = finding.measured.estimate, finding.measured.limit or check.each
    head = f"{story.SIGNS[finding.status].symbol} {story.subject(finding)}"
    facts = []
    if estimate is not None:
        metric = name(finding.measured.metric.replace("_", " "))
        facts.append(f"{metric} {number(estimate.value)} [{number(estimate.low)}, {number(estimate.high)}]")
        facts[-1] += _place(estimate)
    facts += [f"limit: {'; '.join(story.limit_words(limit))}"] if limit.as_dict() else []
    return [f"  {head}  {', '.join(facts)}", *_block(sentence(finding.measured.message), "      ")]


def _tables(verdict: Verdict, paint: Paint) -> list[str]:
    """Return a line for each of several tables: its outcome in every family."""
    found = tables.matrix(verdict)
    if found is None:
        return []
    width = min(24, max(len(short(table, 24)) for table, _ in found.rows))
    lines = [paint("Tables", "1")]
    for table, states in found.rows:
        marks = [
            f"{paint(story.SIGNS[status].symbol, CODES[status])} {story.family_title(family).lower()}"
            for family, status in zip(found.families, states, strict=True)
            if status is not None
        ]
        lines += [f"  {short(table, 24):<{width}}  {'  '.join(marks)}"]
    return [*lines, ""]


def _unpainted(text: str, _code: str) -> str:
    return text


def _painted(text: str, code: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m"


def _block(text: str, indent: str) -> list[str]:
    return wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent)


def _trouble(check: CheckResult, paint: Paint) -> list[str]:
    sign = story.SIGNS[check.status]
    lines = [f"{paint(f'{sign.symbol} {sign.word}', CODES[check.status])}  {paint(name(check.id), '1')}"]
    lines += _block(sentence(check.reason), "    ")
    if check.status is Status.WARN:
        return [*lines, ""]
    worst = [f for f in story.ranked(check.findings, check.each) if f.status in (Status.FAIL, Status.ERROR)]
    for finding in worst[:SHOWN_FINDINGS]:
        lines += _block(f"- {story.subject(finding)}: {sentence(finding.measured.message)}", "      ")
    if len(worst) > SHOWN_FINDINGS:
        lines += [f"      - and {len(worst) - SHOWN_FINDINGS:,} more"]
    if check.remedy:
        lines += _block(f"Try: {sentence(check.remedy)}", "    ")
    return [*lines, ""]


def _family(family: str, checks: list[CheckResult], verdict: Verdict, paint: Paint) -> str:
    status = story.worst_status(checks)
    score = verdict.scores.get(family)
    shown = f"{score:.3f}" if score is not None else story.SIGNS[Status.NOT_ASSESSED].symbol
    mark = paint(story.SIGNS[status].symbol, CODES[status])
    return f"{mark} {story.family_title(family):<12} {shown:>5}  {story.family_line(checks)}"
