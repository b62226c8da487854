"""The command line. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum
from io import TextIOWrapper
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, NoReturn

import click

from synthgate.errors import SynthgateError, UsageError, nearest
from synthgate.render import FORMATS

if TYPE_CHECKING:
    from synthgate.verdict import Verdict

PRESETS = ("default", "training", "release", "share")
DEFAULT_FORMATS = "html,json"
GATE_FILE = "synthgate.yaml"
MAX_SEED = 2**32 - 1


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
            _warn(f"{seconds:6.1f} s  {step}")


@dataclass
class Session:
    """What the arguments say of the command line itself."""

    traceback: bool = field(default_factory=lambda: bool(os.environ.get("SYNTHGATE_DEBUG")))


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with the documented status."""
    for stream in (sys.stdout, sys.stderr):
        # a terminal that cannot show a sign must not turn a verdict into a defect
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")
    sys.exit(run_command(arguments))


def run_command(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    session = Session()
    try:
        status = commands.main(args=None if arguments is None else list(arguments), standalone_mode=False, obj=session)
    except (click.exceptions.Abort, KeyboardInterrupt):
        return Exit.INTERRUPTED
    except click.ClickException as error:
        with suppress(OSError):
            error.show()
        return Exit.UNJUDGED
    except SynthgateError as error:
        _warn(f"synthgate: {error}")
        return Exit.UNJUDGED
    except SystemExit:
        # click leaves so when the reader of a help page goes away; its status 1 would say that a gate failed
        return Exit.UNJUDGED
    except Exception as error:  # noqa: BLE001 - the outermost boundary: a defect gets one sentence, not a traceback
        _warn(f"synthgate: a defect of synthgate itself: {type(error).__name__}: {error}")
        _warn("  fix: please report it; --traceback or SYNTHGATE_DEBUG=1 shows where it happened")
        if session.traceback:
            _warn(traceback.format_exc())
        return Exit.DEFECT
    return int(status) if isinstance(status, int) else Exit.PASS


def _say(text: str) -> None:
    """Print to standard output. A reader that stops reading (``| head``) changes no exit status.

    Raises
    ------
    UsageError
        When standard output cannot be written for another reason, such as a full disk.
    """
    try:
        click.echo(text)
    except BrokenPipeError:
        _silence(sys.stdout)
    except OSError as error:
        _silence(sys.stdout)
        raise UsageError(
            "standard output", f"it cannot be written: {error.strerror}", "redirect it elsewhere"
        ) from error


def _warn(text: str) -> None:
    """Print to standard error, if anyone can read it."""
    try:
        click.echo(text, err=True)
    except OSError:
        _silence(sys.stderr)


def _silence(stream: Any) -> None:
    """Point a broken stream at nothing, so that flushing it at exit does not fail again."""
    with suppress(OSError, ValueError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, stream.fileno())
        os.close(nothing)


def _version(context: click.Context, _option: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - click calls it so
    if wanted and not context.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"synthgate {version('synthgate')}")
        context.exit()


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


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 pass, 1 fail, 2 could not judge, 3 incomplete, 4 a defect of synthgate.",
)
@click.option("--version", is_flag=True, callback=_version, expose_value=False, is_eager=True, help="Show the version.")
def commands() -> None:
    """Decide whether synthetic data may be used in place of real data."""


def _formats(_context: click.Context, _option: click.Parameter, value: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in value.split(",") if name.strip())
    for name in names:
        if name not in FORMATS:
            raise click.BadParameter(f"unknown format {name!r}; {nearest(name, FORMATS)}")
    return tuple(dict.fromkeys(("json", *names)))


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


@commands.command()
@click.argument("real", required=False)
@click.argument("synthetic", required=False)
@click.option("--holdout", help="Real rows that the generator never saw.")
@click.option("--metadata", type=click.Path(path_type=Path), help="SDV metadata (JSON).")
@click.option("--target", multiple=True, help="Column to predict; may be repeated.")
@click.option("--gate", type=click.Path(path_type=Path), help=f"Gate file; ./{GATE_FILE} when no table is given.")
@click.option("--preset", type=click.Choice(PRESETS), help="Policy to start from.")
@click.option("--only", multiple=True, metavar="ID", help="Check or family to run; may be repeated.")
@click.option("--skip", multiple=True, metavar="ID", help="Check or family to leave out; may be repeated.")
@click.option("--seed", type=click.IntRange(0, MAX_SEED), help="Same inputs, seed and versions: the same verdict.")
@click.option(
    "--missing",
    multiple=True,
    metavar="TEXT",
    help="Text that stands for a missing value in text files, besides the empty field; may be repeated.",
)
@click.option(
    "--engine",
    type=click.Choice(["embedded", "spark"]),
    default="embedded",
    show_default=True,
    help="Where batches are counted.",
)
@judging_options
def run(real: str | None, synthetic: str | None, **options: Any) -> int:
    """Judge SYNTHETIC against REAL: files, globs or database URLs.

    Without arguments ./synthgate.yaml says what to judge.
    """
    if options["engine"] == "spark":
        raise UsageError("--engine", "spark is not available in this version", "leave the option out")
    if real is not None and synthetic is None and options["gate"] is None:
        raise UsageError(
            "SYNTHETIC", "one table is given, expected two", "synthgate run REAL SYNTHETIC [--holdout HOLDOUT]"
        )
    gate = options["gate"]
    if real is None and gate is None:
        gate = Path(GATE_FILE)
        if not gate.is_file():
            fix = "give two tables, or write a gate file with `synthgate init REAL`"
            raise UsageError(GATE_FILE, "no table is given and there is no gate file here", fix)
    missing = ("", *options["missing"]) if options["missing"] else None
    return _judge(
        {
            "real": real,
            "synthetic": synthetic,
            "holdout": options["holdout"],
            "target": options["target"] or None,
            "gate": gate,
            "preset": options["preset"],
            "metadata": options["metadata"],
            "seed": options["seed"],
            "only": options["only"],
            "skip": options["skip"],
            "missing_values": missing,
        },
        options,
    )


def _judge(request: dict[str, Any], options: dict[str, Any]) -> int:
    from synthgate.gate import evaluate

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
    _say(f"{render(verdict, color=color)}\nreport: {page}")


def _tell_timings(verdict: Verdict) -> None:
    steps = sorted(verdict.run.seconds.items(), key=lambda item: -item[1])
    for step, seconds in steps:
        _warn(f"{seconds:8.3f} s  {step}")
    _warn(f"{sum(verdict.run.seconds.values()):8.3f} s  in all")


@commands.command()
@click.argument("real")
@click.option("--metadata", type=click.Path(path_type=Path), help="SDV metadata (JSON).")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), default=Path(GATE_FILE), show_default=True, help="File to write."
)
@click.option("--sdv", type=click.Path(path_type=Path), help="Also write SDV metadata (JSON) to this file.")
@click.option("--force", is_flag=True, help="Overwrite the file.")
@debugging
def init(real: str, metadata: Path | None, out: Path, sdv: Path | None, force: bool) -> None:  # noqa: FBT001 - click passes options so
    """Write a gate file for REAL: its roles, keys and simple rules, ready to edit."""
    from synthgate.scaffold import gate_yaml, sdv_json

    for path in filter(None, (out, sdv)):
        if path.exists() and not force:
            raise UsageError(
                str(path), "the file exists already", "use --force to overwrite it, or choose another name"
            )
    _write_whole(out, gate_yaml(real, metadata))
    _say(f"wrote {out}: edit it, then run `synthgate run --gate {out}`")
    if sdv is not None:
        _write_whole(sdv, sdv_json(real, metadata))
        _say(f"wrote {sdv}")


def _write_whole(path: Path, text: str) -> None:
    aside = path.with_name(path.name + ".part")
    try:
        aside.write_text(text, encoding="utf-8")
        aside.replace(path)
    except OSError as error:
        raise UsageError(str(path), f"the file cannot be written: {error.strerror}", "choose another name") from error


@commands.command()
@click.option(
    "--format", "layout", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Layout."
)
def checks(layout: str) -> None:
    """List every check: id, question, default limits, needs."""
    from synthgate.declared import declared_checks

    every = declared_checks()
    if layout == "json":
        import json

        rows = [
            {
                "id": c.id,
                "question": c.question,
                "threshold": c.threshold.as_dict(),
                "each": c.each.as_dict(),
                "needs": c.needs,
            }
            for c in every
        ]
        _say(json.dumps(rows, indent=2))
        return
    for check in every:
        _say(f"{check.id:24} {check.question}")
        _say(f"{'':24} limit: {check.limits}; needs: {', '.join(check.needs)}")


@commands.command()
@click.argument("check_id", metavar="ID")
def explain(check_id: str) -> None:
    """Tell what a check measures, how to read it, and what to do when it fails."""
    from synthgate.declared import declared_checks

    by_id = {check.id: check for check in declared_checks()}
    if check_id not in by_id:
        raise UsageError(check_id, "there is no such check", nearest(check_id, by_id))
    check = by_id[check_id]
    options = [f"{key}: {value}" for key, value in check.options.items()]
    options += [f"{key} is one of {', '.join(values)}" for key, values in check.choices.items()]
    parts = (
        ("", f"{check.id}: {check.title}"),
        ("Question", check.question),
        ("How to read it", check.how_to_read),
        ("Why it matters", check.why),
        ("When it fails", check.remedy),
        ("Default limit", check.limits),
        ("Options", "; ".join(options)),
        ("Needs", ", ".join(check.needs)),
        ("Sources", "; ".join(check.sources)),
    )
    for heading, text in parts:
        if text:
            _say(click.wrap_text(f"{heading}: {text}" if heading else text, width=100, subsequent_indent="  "))


@commands.command()
@judging_options
def demo(**options: Any) -> int:
    """Judge a bundled pair, end to end."""
    from synthgate.demo import demo_files

    files = demo_files()
    request = {"real": files.real, "synthetic": files.synthetic, "holdout": files.holdout, "target": files.target}
    return _judge(request, options)
