"""The command line as a whole: its commands, its exit statuses and what becomes of an error."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from io import TextIOWrapper
from typing import NoReturn

import click

from synthgate.cli.checks import checks, explain
from synthgate.cli.demo import demo
from synthgate.cli.init import init
from synthgate.cli.judging import Exit, Session
from synthgate.cli.output import warn
from synthgate.cli.past import baseline, diff
from synthgate.cli.profile import profile
from synthgate.cli.review import review
from synthgate.cli.run import run
from synthgate.errors import SynthgateError

COMMANDS = (run, init, profile, checks, explain, review, diff, baseline, demo)


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
        warn(f"synthgate: {error}")
        return Exit.UNJUDGED
    except SystemExit:
        # click leaves so when the reader of a help page goes away; its status 1 would say that a gate failed
        return Exit.UNJUDGED
    except Exception as error:  # noqa: BLE001 - the outermost boundary: a defect gets one sentence, not a traceback
        warn(f"synthgate: a defect of synthgate itself: {type(error).__name__}: {error}")
        warn("  fix: please report it; --traceback or SYNTHGATE_DEBUG=1 shows where it happened")
        if session.traceback:
            warn(traceback.format_exc())
        return Exit.DEFECT
    return int(status) if isinstance(status, int) else Exit.PASS


def _version(context: click.Context, _option: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - click calls it so
    if wanted and not context.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"synthgate {version('synthgate')}")
        context.exit()


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 pass, 1 fail, 2 could not judge, 3 incomplete, 4 a defect of synthgate.",
)
@click.option("--version", is_flag=True, callback=_version, expose_value=False, is_eager=True, help="Show the version.")
def commands() -> None:
    """Decide whether synthetic data may be used in place of real data."""


for command in COMMANDS:
    commands.add_command(command)
