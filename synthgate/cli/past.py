"""``synthgate diff`` and ``synthgate baseline``: what an earlier verdict is good for."""

from __future__ import annotations

from pathlib import Path

import click

from synthgate.cli.judging import Exit, debugging
from synthgate.cli.output import say, write_whole
from synthgate.errors import UsageError

RESULT = Path("synthgate-report") / "result.json"
BASELINE = Path("synthgate-baseline.json")


@click.command()
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "layout",
    type=click.Choice(["text", "markdown", "json"]),
    default="text",
    show_default=True,
    help="Layout.",
)
@click.option("--exit-code", is_flag=True, help="Exit with 1 when something got worse beyond noise.")
@debugging
def diff(old: Path, new: Path, layout: str, exit_code: bool) -> int:  # noqa: FBT001 - click passes options so
    """Tell what got better and what got worse from OLD to NEW: two result.json files."""
    from synthgate.ratchet import Trend, compare
    from synthgate.render.changes import render
    from synthgate.results import read_result

    before, after = read_result(old), read_result(new)
    changes = compare(before, after)
    say(render(before, after, changes, layout).rstrip("\n"))
    worse = any(change.trend is Trend.WORSE for change in changes)
    return Exit.FAIL if exit_code and worse else Exit.PASS


@click.command()
@click.argument("result", type=click.Path(path_type=Path), default=RESULT)
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), default=BASELINE, show_default=True, help="File to write."
)
@click.option("--force", is_flag=True, help="Overwrite the file.")
@debugging
def baseline(result: Path, out: Path, force: bool) -> None:  # noqa: FBT001 - click passes options so
    """Write RESULT as a baseline for `synthgate run --baseline`: small, and fit for version control.

    RESULT is the result.json of a run, by default the last one's.
    """
    from synthgate.ratchet import as_baseline
    from synthgate.render.json import render
    from synthgate.results import read_result

    if out.exists() and not force:
        raise UsageError(str(out), "the file exists already", "use --force to overwrite it, or choose another name")
    write_whole(out, render(as_baseline(read_result(result))))
    say(f"wrote {out}: `synthgate run --baseline {out}` fails only on what is worse than that")
