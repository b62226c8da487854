"""SARIF 2.1.0, for code scanning: one rule for each check, one result for each thing that is wrong."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import PurePath
from urllib.parse import quote

from synthgate.findings import CheckResult, Finding, Json, Severity, Status
from synthgate.render import story
from synthgate.render.text import name, sentence, visible
from synthgate.verdict import Verdict

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
DISTINCT = ("name", "attack", "model", "rule", "sql", "kind", "level", "slice")
"""Details that tell findings about the same columns apart."""
MOST_FINDINGS = 100
"""Results of one check; code scanning shows 5,000 of a run."""
LEVELS = {Severity.ERROR: "error", Severity.WARN: "warning", Severity.INFO: "note"}


def render(verdict: Verdict) -> str:
    """Return the verdict as a SARIF log with one run."""
    run = verdict.run
    driver: dict[str, Json] = {
        "name": "synthgate",
        "version": visible(run.synthgate_version),
        "rules": [_rule(check) for check in verdict.checks],
    }
    place = _place(run.gate_file or run.synthetic.source)
    results = [result for at, check in enumerate(verdict.checks) for result in _results(check, at, place)]
    log: dict[str, Json] = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "automationDetails": {"id": "synthgate/"},
                "invocations": [{"executionSuccessful": all(c.status is not Status.ERROR for c in verdict.checks)}],
                "columnKind": "unicodeCodePoints",
                "results": results,
                "properties": {"verdict": verdict.outcome.value, "seed": run.seed, "scores": dict(verdict.scores)},
            }
        ],
    }
    return json.dumps(log, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _rule(check: CheckResult) -> dict[str, Json]:
    parts = {"Why it matters": check.why, "What to try": check.remedy}
    told = {title: sentence(text) for title, text in parts.items() if text}
    plain = "\n\n".join([sentence(check.question), *(f"{title}: {text}" for title, text in told.items())])
    return {
        "id": name(check.id),
        "name": "".join(part.capitalize() for part in name(check.id).replace("_", ".").split(".")),
        "shortDescription": {"text": sentence(check.title or check.id)},
        "fullDescription": {"text": sentence(check.question or check.title or check.id)},
        "help": {"text": plain},
        "defaultConfiguration": {"level": LEVELS[check.severity]},
        "properties": {"tags": [name(check.family), "synthetic-data"]},
    }


def _place(source: str) -> dict[str, Json]:
    """Return where results are shown: code scanning wants a file and a line for each."""
    where = quote(PurePath(visible(source)).as_posix()[:2000], safe="/")
    return {"physicalLocation": {"artifactLocation": {"uri": where or "synthgate.yaml"}, "region": {"startLine": 1}}}


def _results(check: CheckResult, at: int, place: Mapping[str, Json]) -> list[dict[str, Json]]:
    if check.status is Status.PASS:
        return []
    bad = [f for f in story.ranked(check.findings, check.each) if f.status in (Status.FAIL, Status.WARN, Status.ERROR)]
    if check.status in (Status.NOT_ASSESSED, Status.INCONCLUSIVE) or not bad:
        return [_result(check, at, place, None, repr([check.id]))]
    out, seen = [], Counter[str]()
    for finding in bad[:MOST_FINDINGS]:
        identity = _identity(check, finding)
        # findings whose values are not told may look alike
        known = f"{identity} {seen[identity]}" if seen[identity] else identity
        seen[identity] += 1
        out.append(_result(check, at, place, finding, known))
    return out


def _identity(check: CheckResult, finding: Finding) -> str:
    """Return what a finding is about, the same from one run to the next."""
    measured = finding.measured
    parts = [check.id, measured.metric, measured.table, *measured.columns]
    return repr([*parts, *(measured.details.get(key) for key in DISTINCT)])


def _result(
    check: CheckResult, at: int, place: Mapping[str, Json], finding: Finding | None, identity: str
) -> dict[str, Json]:
    kind, level = _kind_and_level(check, finding.status if finding else check.status)
    logical = [{"fullyQualifiedName": story.subject(finding)}] if finding else []
    locations: list[Json] = [{**place, **({"logicalLocations": logical} if logical else {})}]
    return {
        "ruleId": name(check.id),
        "ruleIndex": at,
        "kind": kind,
        "level": level,
        "message": {"text": _message(check, finding)},
        "locations": locations,
        "partialFingerprints": {
            "synthgate/v1": hashlib.sha256(identity.encode("utf-8", "backslashreplace")).hexdigest()[:32]
        },
    }


def _kind_and_level(check: CheckResult, status: Status) -> tuple[str, str]:
    """Return SARIF's kind and level: a level other than ``none`` is for ``fail`` only (SARIF 2.1.0, 3.27.10)."""
    if status in (Status.NOT_ASSESSED, Status.INCONCLUSIVE) and not check.required:
        return "open", "none"
    return "fail", "warning" if status is Status.WARN else "error"


def _message(check: CheckResult, finding: Finding | None) -> str:
    if finding is None:
        return f"{story.SIGNS[check.status].word}: {sentence(check.reason)}"
    waived = f" Waived: {sentence(finding.waived)}" if finding.waived else ""
    return f"{story.subject(finding)}: {sentence(finding.measured.message)}{waived}"
