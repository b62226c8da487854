"""The steps of the action: ``python -m synthgate.action gate``, ``comment`` and ``verdict``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from synthgate.action import comment
from synthgate.action.judging import Judged, judge_all, worst
from synthgate.action.settings import FAIL_ON, read_event, read_settings
from synthgate.action.telling import annotation, write_outputs
from synthgate.cli import Exit
from synthgate.cli.output import say
from synthgate.declared import FAMILIES
from synthgate.errors import SynthgateError
from synthgate.findings import Status

COMMENT = "synthgate-comment.md"


def gate(env: Mapping[str, str]) -> int:
    """Judge, and leave outputs, summary and annotations; the verdict step ends the job."""
    try:
        settings, event = read_settings(env), read_event(env)
        judged = judge_all(settings, event, Path.cwd())
    except SynthgateError as error:
        say(annotation("error", str(error), title="synthgate"))
        text = "".join(f"    {line}\n" for line in str(error).splitlines())
        _summarize(env, f"synthgate gave no verdict (exit code 2).\n\n{text}")
        write_outputs(env.get("GITHUB_OUTPUT", ""), {"code": str(int(Exit.UNJUDGED)), "verdict": "error"})
        return Exit.PASS
    text = "\n".join(j.summary for j in judged)
    _summarize(env, text)
    (settings.temp / COMMENT).write_text(text, encoding="utf-8")
    write_outputs(env.get("GITHUB_OUTPUT", ""), _outputs(judged, settings.sarif))
    return Exit.PASS


def _summarize(env: Mapping[str, str], text: str) -> None:
    path = env.get("GITHUB_STEP_SUMMARY", "")
    if path:
        with Path(path).open("a", encoding="utf-8", newline="\n") as file:
            file.write(text)


def _outputs(judged: list[Judged], sarif: bool) -> dict[str, str]:  # noqa: FBT001 - one setting of the action
    code = worst(judged)
    first = next((j for j in judged if j.code == code), judged[0])
    with_scores = [j.verdict for j in judged if j.verdict is not None]
    scores: dict[str, float] = {}
    for verdict in with_scores:
        for family, score in verdict.scores.items():
            if score is not None:
                scores[family] = min(score, scores.get(family, 1.0))
    warned = any(check.status is Status.WARN for verdict in with_scores for check in verdict)
    written = first.verdict is not None
    out = {
        "code": "" if code is None else str(int(code)),
        "verdict": first.word,
        "warned": str(warned).lower(),
        "report": str(first.folder / "report.html") if written else "",
        "result": str(first.folder / "result.json") if written else "",
        "sarif": str(first.folder / "result.sarif") if written and sarif else "",
        "scores": json.dumps(scores, sort_keys=True),
    }
    return out | {f"score-{family}": f"{scores[family]:.6g}" for family in FAMILIES if family in scores}


def write_comment(env: Mapping[str, str]) -> int:
    """Put the verdict on the pull request."""
    text = comment.read_text(Path(env.get("RUNNER_TEMP", ".")) / COMMENT)
    if text:
        comment.post(read_event(env), text, env.get("NAME", ""), env)
    return Exit.PASS


def verdict(env: Mapping[str, str]) -> int:
    """End the job as `fail-on` wants it. A gate step that left no code and no skip crashed, and that is no pass."""
    fail_on, code, word = env.get("FAIL_ON", "fail"), env.get("CODE", ""), env.get("VERDICT", "")
    if fail_on not in FAIL_ON:
        say(annotation("error", f"fail-on must be one of {', '.join(FAIL_ON)}", title="synthgate"))
        return Exit.UNJUDGED
    if not code:
        return Exit.PASS if word == "skipped" else Exit.UNJUDGED
    if fail_on == "never" and code in (str(int(Exit.FAIL)), str(int(Exit.INCOMPLETE))):
        return Exit.PASS
    if fail_on == "warn" and code == "0" and env.get("WARNED") == "true":
        say(annotation("error", "fail-on is warn, and a check warns", title="synthgate"))
        return Exit.FAIL
    return int(code) if code.isdecimal() else Exit.UNJUDGED


STEPS = {"gate": gate, "comment": write_comment, "verdict": verdict}

if __name__ == "__main__":
    sys.exit(int(STEPS[sys.argv[1]](os.environ)))
