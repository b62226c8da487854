"""JUnit XML: one test case for each check, for the test pages of CI systems."""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape, quoteattr

from synthgate.findings import CheckResult, Status
from synthgate.render import story
from synthgate.render.text import TEXT_LENGTH, name, sentence, shorten
from synthgate.verdict import Verdict

SHOWN_FINDINGS = 50


def render(verdict: Verdict) -> str:
    """Return the verdict as JUnit XML.

    A failed check is a failure, a broken one an error, one that was not assessed or not decided is
    skipped. A *required* one that is open is an error, since the gate could not judge.
    """
    run, checks = verdict.run, verdict.checks
    kinds = [_kind(check) for check in checks]
    totals = {
        "name": "synthgate",
        "tests": str(len(checks)),
        "failures": str(kinds.count("failure")),
        "errors": str(kinds.count("error")),
        "time": f"{sum(check.seconds for check in checks):.3f}",
    }
    facts = {
        "verdict": verdict.outcome.value,
        "synthgate_version": run.synthgate_version,
        "seed": str(run.seed),
        "real": run.real.source,
        "synthetic": run.synthetic.source,
        "holdout": run.holdout.source if run.holdout else "",
    }
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<testsuites{_attributes(totals)}>"]
    suite = {**totals, "skipped": str(kinds.count("skipped")), "timestamp": run.created[:19], "hostname": "localhost"}
    lines += [f"  <testsuite{_attributes(suite)}>", "    <properties>"]
    lines += [f"      <property{_attributes({'name': k, 'value': v})}/>" for k, v in facts.items()]
    lines += ["    </properties>"]
    for check in checks:
        lines += _case(check)
    return "\n".join([*lines, "  </testsuite>", "</testsuites>"]) + "\n"


def _kind(check: CheckResult) -> str | None:
    """Return the element that tells a check's outcome; a passing or warning one has none."""
    if check.status in (Status.NOT_ASSESSED, Status.INCONCLUSIVE):
        return "error" if check.required else "skipped"
    return {Status.FAIL: "failure", Status.ERROR: "error"}.get(check.status)


def _attributes(values: Mapping[str, str]) -> str:
    return "".join(f" {key}={quoteattr(shorten(value, TEXT_LENGTH))}" for key, value in values.items())


def _case(check: CheckResult) -> list[str]:
    head = _attributes({"name": name(check.id), "classname": name(check.family), "time": f"{check.seconds:.3f}"})
    kind, message = _kind(check), sentence(check.reason)
    if kind == "skipped":
        body = [f"      <skipped{_attributes({'message': f'{story.SIGNS[check.status].word}: {message}'})}/>"]
    elif kind:
        attributes = _attributes({"message": message, "type": f"{check.status.value} ({story.consequence(check)})"})
        body = [f"      <{kind}{attributes}>{_text(_explanation(check))}</{kind}>"]
    elif check.status is Status.WARN:
        body = [f"      <system-out>{_text(['warning: ' + message, *_explanation(check)])}</system-out>"]
    else:
        body = []
    return [f"    <testcase{head}>", *body, "    </testcase>"] if body else [f"    <testcase{head}/>"]


def _text(lines: list[str]) -> str:
    return escape("\n".join(lines))


def _explanation(check: CheckResult) -> list[str]:
    bad = [f for f in story.ranked(check.findings, check.each) if f.status not in (Status.PASS, Status.NOT_ASSESSED)]
    lines = [
        f"{story.sign_of(f).word}: {story.subject(f)} ({name(f.measured.metric)}): {sentence(f.measured.message)}"
        + (f" Waived: {sentence(f.waived)}" if f.waived else "")
        for f in bad[:SHOWN_FINDINGS]
    ]
    lines += [f"and {len(bad) - SHOWN_FINDINGS:,} more in result.json"] if len(bad) > SHOWN_FINDINGS else []
    lines += [f"why it matters: {sentence(check.why)}"] if check.why else []
    lines += [f"what to try: {sentence(check.remedy)}"] if check.remedy else []
    return lines
