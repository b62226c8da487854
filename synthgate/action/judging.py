"""Running the gates that a push concerns, and comparing with the base of a pull request."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from synthgate.action.changes import Request, changed_files, concerned, git, refuse_absent, requests_of
from synthgate.action.settings import Event, Settings
from synthgate.action.telling import annotation, annotations_of
from synthgate.cli import Exit
from synthgate.cli.output import say
from synthgate.cli.run import GATE_FILE
from synthgate.errors import SynthgateError
from synthgate.results import read_result
from synthgate.verdict import Verdict

SKIPPED = "skipped"
WORDS = {Exit.PASS: "pass", Exit.FAIL: "fail", Exit.INCOMPLETE: "incomplete"}
ORDER = (Exit.DEFECT, Exit.UNJUDGED, Exit.FAIL, Exit.INCOMPLETE, Exit.PASS)
# -P: a file of the checkout that is called like a module must not be imported in its place
SYNTHGATE = (sys.executable, "-P", "-m", "synthgate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What became of one request.

    Attributes
    ----------
    code : int or None
        Exit status of the gate; None when it was skipped.
    folder : Path
        Where its reports are.
    summary : str
        Markdown.
    """

    request: Request
    code: int | None
    folder: Path
    summary: str
    verdict: Verdict | None = None

    @property
    def word(self) -> str:
        """pass, fail, incomplete, error or skipped."""
        return SKIPPED if self.code is None else WORDS.get(Exit(self.code), "error")


def judge_all(settings: Settings, event: Event, folder: Path) -> list[Judged]:
    """Run every gate that the push concerns.

    Raises
    ------
    SynthgateError
        When it is not clear what to judge.
    """
    if settings.real:
        data = tuple(folder / text for text in (settings.real, settings.synthetic, settings.holdout) if text)
        tables = Request(gate=None, data=tuple(path for path in data if "://" not in str(path)))
        wanted = [tables]
    else:
        wanted = requests_of(settings.gates or (GATE_FILE,), folder, settings.workspace)
    changed = changed_files(event.base, folder) if event.base else None
    if event.base and changed is None:
        say(annotation("notice", "git cannot tell what this pull request changes, so every gate is run"))
    several = len(wanted) > 1
    return [_judge(request, settings, event, folder, changed, alone=not several) for request in wanted]


def _judge(
    request: Request, settings: Settings, event: Event, folder: Path, changed: set[Path] | None, *, alone: bool
) -> Judged:
    out = Path(settings.report_dir)
    if not alone and request.gate is not None:
        out = out / "-".join(request.gate.with_suffix("").parts).strip("-./")
    if settings.only_changed and changed is not None and not concerned(request, changed, folder):
        told = f"synthgate: this pull request changes none of the files that {request.name} reads, so it is not judged."
        return Judged(request=request, code=None, folder=out, summary=f"{told}\n")
    _forget(folder / out)
    try:
        refuse_absent(request, changed)
    except SynthgateError as error:
        return _unjudged(request, out, Exit.UNJUDGED, str(error))
    kinds = ["html", "json", "markdown", *(k for k in settings.formats.split(",") if k.strip())]
    kinds += ["sarif"] if settings.sarif else []
    earlier = [f"--baseline={settings.baseline}"] if settings.baseline else []
    code, problem = _run(request, settings, folder, out, ",".join(dict.fromkeys(kinds)), earlier)
    summary = folder / out / "summary.md"
    if code not in WORDS or not summary.is_file():
        return _unjudged(request, out, code, problem)
    verdict = read_result(folder / out / "result.json")
    text = summary.read_text(encoding="utf-8")
    if settings.compare and event.base:
        text += "\n" + _comparison(request, settings, event, folder, out)
    data = settings.synthetic or _relative(verdict.run.synthetic.source, folder)
    for line in annotations_of(verdict, request.gate, data):
        say(line)
    return Judged(request=request, code=code, folder=out, summary=text, verdict=verdict)


def _unjudged(request: Request, out: Path, code: int, problem: str) -> Judged:
    """Return what could not be judged, with one annotation that says why."""
    first = problem.strip() or f"synthgate gave no verdict (exit code {code}); the log of this step says why"
    say(annotation("error", first, file=str(request.gate) if request.gate else "", title="synthgate"))
    code = code if code in (Exit.UNJUDGED, Exit.DEFECT) else Exit.DEFECT
    indented = "".join(f"    {line}\n" for line in first.splitlines())
    return Judged(
        request=request, code=code, folder=out, summary=f"synthgate gave no verdict (exit code {code}).\n\n{indented}"
    )


def _forget(folder: Path) -> None:
    """Remove the reports of an earlier run: they must not be taken for this one's."""
    for name in ("report.html", "result.json", "summary.md", "result.sarif", "junit.xml"):
        (folder / name).unlink(missing_ok=True)


def _arguments(request: Request, settings: Settings, out: Path, kinds: str, more: Sequence[str]) -> list[str]:
    gate = [f"--gate={request.gate}"] if request.gate else []
    tables = [settings.real, settings.synthetic] if request.gate is None else []
    return ["run", f"--out={out}", f"--format={kinds}", "--cache", *more, *gate, *settings.options, "--", *tables]


def _run(
    request: Request, settings: Settings, folder: Path, out: Path, kinds: str, more: Sequence[str] = ()
) -> tuple[int, str]:
    """Run the gate in a process of its own, and return its exit status and the last thing it complained of."""
    done = subprocess.run(  # noqa: S603 - a list of arguments, no shell
        [*SYNTHGATE, *_arguments(request, settings, out, kinds, more)],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    told = done.stderr.decode("utf-8", "replace")
    sys.stderr.write(told)
    sys.stderr.flush()
    at = told.rfind("synthgate: ")
    return done.returncode, told[at:] if at >= 0 else told[-1000:]


def _comparison(request: Request, settings: Settings, event: Event, folder: Path, out: Path) -> str:
    """Return what got better and worse since the base of the pull request, in Markdown."""
    top = git("rev-parse", "--show-toplevel", folder=folder)
    if top is None:
        return "No comparison with the base branch: this is no git checkout.\n"
    base = settings.temp / "synthgate-base"
    where = base / folder.resolve().relative_to(Path(top.strip()).resolve())
    if (
        not base.exists()
        and git("worktree", "add", "--detach", "--force", str(base), event.base, folder=folder) is None
    ):
        return "No comparison with the base branch: its commit is not in this checkout.\n"
    if request.gate is not None and not (where / request.gate).exists():
        return "No comparison with the base branch: it has no such gate file.\n"
    earlier = Path(os.path.relpath((settings.temp / "synthgate-earlier" / out.name).resolve(), where.resolve()))
    code, problem = _run(request, settings, where, earlier, "json")
    if code not in WORDS:
        first = (problem.strip().splitlines() or [""])[0]
        return f"No comparison with the base branch: it could not be judged ({json.dumps(first)[:200]}).\n"
    results = [str((at / "result.json").resolve()) for at in (where / earlier, folder / out)]
    done = subprocess.run(  # noqa: S603 - a list of arguments, no shell
        [*SYNTHGATE, "diff", *results, "--format=markdown"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        check=False,
    )
    return done.stdout.decode("utf-8", "replace")


def _relative(source: str, folder: Path) -> str:
    path = Path(source)
    if not path.is_absolute():
        return source
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else ""


def worst(judged: list[Judged]) -> int | None:
    """Return the exit status that counts: the worst of all; None when everything was skipped."""
    codes = [j.code for j in judged if j.code is not None]
    return min(codes, key=lambda code: ORDER.index(Exit(code))) if codes else None
