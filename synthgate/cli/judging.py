"""What the commands that judge have in common: options, exit statuses, reports."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from synthgate.cli.output import refuse_unwritable, say, warn
from synthgate.errors import UsageError, nearest
from synthgate.render import FORMATS

if TYPE_CHECKING:
    from synthgate.verdict import Verdict

DEFAULT_FORMATS = "html,json"


class Exit(IntEnum):
    """What the exit status says.

    ``PASS`` everything that counts passed; ``FAIL`` the gate failed; ``UNJUDGED`` bad arguments, unreadable
    data or an invalid gate file; ``INCOMPLETE`` something required was not assessed or not decided;
    ``DEFECT`` synthgate itself broke; ``INTERRUPTED`` stopped from the keyboard.
    """

    PASS = 0
    FAIL = 1
    UNJUDGED = 2
    INCOMPLETE = 3
    DEFECT = 4
    INTERRUPTED = 130


@dataclass
class Progress:
    """Tells what is being done on standard error, once the run has taken a second."""

    quiet: bool
    start: float = field(default_factory=perf_counter)

    def __call__(self, step: str) -> None:
        """Note that a step begins."""
        seconds = perf_counter() - self.start
        if not self.quiet and seconds > 1:
            warn(f"{seconds:6.1f} s  {step}")


@dataclass
class Session:
    """What the arguments say of the command line itself."""

    traceback: bool = field(default_factory=lambda: bool(os.environ.get("SYNTHGATE_DEBUG")))


def _show_traceback(context: click.Context, _option: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - click calls it so
    if wanted:
        context.ensure_object(Session).traceback = True


debugging = click.option(
    "--traceback",
    is_flag=True,
    callback=_show_traceback,
    expose_value=False,
    is_eager=True,
    help="Show where a defect of synthgate happened.",
)


def _formats(_context: click.Context, _option: click.Parameter, value: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in value.split(",") if name.strip())
    for name in names:
        if name not in FORMATS:
            raise click.BadParameter(f"unknown format {name!r}; {nearest(name, FORMATS)}")
    return tuple(dict.fromkeys(("json", *names)))


missing_option = click.option(
    "--missing",
    multiple=True,
    metavar="TEXT",
    help="Text that stands for a missing value in text files, besides the empty field; may be repeated.",
)
"""Shared by the commands that read a table on their own."""


def judging_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say where reports go and how much is told."""
    for option in reversed(
        (
            click.option(
                "--out",
                type=click.Path(path_type=Path),
                default=Path("synthgate-report"),
                show_default=True,
                help="Folder for the reports.",
            ),
            click.option(
                "--format",
                "formats",
                default=DEFAULT_FORMATS,
                show_default=True,
                callback=_formats,
                help="Reports to write: html, json, junit, markdown, sarif. result.json is always written.",
            ),
            click.option("--timings", is_flag=True, help="Print where the time went."),
            click.option("--quiet", is_flag=True, help="Print errors only."),
            debugging,
        )
    ):
        command = option(command)
    return command


def judge(request: dict[str, Any], options: dict[str, Any]) -> int:
    """Evaluate what `request` names, write the reports, tell the verdict, and return the exit status."""
    from synthgate.gate import evaluate

    refuse_unwritable(options["out"])
    progress = Progress(options["quiet"])
    verdict = evaluate(**request, progress=progress)
    progress("write reports")
    written = write_reports(verdict, options["out"], options["formats"])
    if not options["quiet"]:
        _tell(verdict, written)
    if options["timings"]:
        _tell_timings(verdict)
    return status_of(verdict)


def status_of(verdict: Verdict) -> Exit:
    """Return the exit status of a verdict."""
    from synthgate.findings import Outcome

    return {Outcome.PASS: Exit.PASS, Outcome.FAIL: Exit.FAIL, Outcome.INCOMPLETE: Exit.INCOMPLETE}[verdict.outcome]


def write_reports(verdict: Verdict, folder: Path, formats: Sequence[str]) -> list[Path]:
    """Write every report aside, then move all into place, so that none is ever half written.

    Raises
    ------
    UsageError
        When the folder cannot be written.
    """
    import shutil
    from tempfile import mkdtemp

    from synthgate.render import write

    aside: Path | None = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        aside = Path(mkdtemp(prefix=".synthgate-", dir=folder))
        made = [write(verdict, aside / FORMATS[name], name) for name in formats]
        return [path.replace(folder / path.name) for path in made]
    except OSError as error:
        raise UsageError(
            str(folder), f"the reports cannot be written: {error.strerror}", "choose another --out"
        ) from error
    finally:
        if aside is not None:
            shutil.rmtree(aside, ignore_errors=True)


def _tell(verdict: Verdict, written: Sequence[Path]) -> None:
    from synthgate.render.console import render

    color = sys.stdout.isatty() and "NO_COLOR" not in os.environ and "CI" not in os.environ
    page = next((path for path in written if path.suffix == ".html"), written[0])
    say(f"{render(verdict, color=color)}\nreport: {page}")


def _tell_timings(verdict: Verdict) -> None:
    steps = sorted(verdict.run.seconds.items(), key=lambda item: -item[1])
    for step, seconds in steps:
        warn(f"{seconds:8.3f} s  {step}")
    warn(f"{sum(verdict.run.seconds.values()):8.3f} s  in all")
