"""``synthgate selftest``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from synthgate.cli.judging import Exit, Progress, debugging, missing_option
from synthgate.cli.output import say, write_whole
from synthgate.cli.run import GATE_FILE, MAX_SEED, PRESETS
from synthgate.errors import UsageError

DEFAULT_ROWS = 4000


@click.command()
@click.argument("real", required=False)
@click.option("--holdout", help="Real rows that the generator never saw; without it REAL is cut into three.")
@click.option("--metadata", type=click.Path(path_type=Path), help="SDV metadata (JSON).")
@click.option("--target", multiple=True, help="Column to predict; may be repeated.")
@click.option("--gate", type=click.Path(path_type=Path), help=f"Gate file; ./{GATE_FILE} when no table is given.")
@click.option("--preset", type=click.Choice(PRESETS), help="Policy to start from.")
@click.option("--defect", multiple=True, metavar="NAME", help="Defect to inject, of all; may be repeated.")
@click.option(
    "--rows",
    type=click.IntRange(100, 1_000_000),
    default=DEFAULT_ROWS,
    show_default=True,
    help="Rows of each part at most: to compare with, as the holdout, and to spoil.",
)
@click.option("--seed", type=click.IntRange(0, MAX_SEED), help="Same inputs, seed and versions: the same result.")
@missing_option
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("synthgate-selftest"),
    show_default=True,
    help="Folder for selftest.html and selftest.json.",
)
@click.option("--quiet", is_flag=True, help="Print errors only.")
@debugging
def selftest(real: str | None, out: Path, quiet: bool, **options: Any) -> int:  # noqa: FBT001 - click passes options so
    """Inject known defects into fresh rows of REAL, and say which of them the gate catches.

    Each defect is injected at falling severity until the gate misses it. Exit status 1 says that the gate fails
    clean rows. Without arguments ./synthgate.yaml says what to judge.
    """
    from synthgate.defects.report import as_html, as_json, as_text
    from synthgate.defects.trials import policy_of, self_test

    gate = options["gate"]
    if real is None and gate is None:
        gate = Path(GATE_FILE)
        if not gate.is_file():
            fix = "give a table, or write a gate file with `synthgate init REAL`"
            raise UsageError(GATE_FILE, "no table is given and there is no gate file here", fix)
    policy = policy_of(
        gate,
        preset=options["preset"],
        target=options["target"],
        seed=options["seed"],
        missing_values=("", *options["missing"]) if options["missing"] else None,
    )
    test = self_test(
        policy,
        real,
        options["holdout"],
        metadata=options["metadata"],
        rows=options["rows"],
        only=options["defect"],
        progress=Progress(quiet),
    )
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(str(out), f"the folder cannot be made: {error.strerror}", "choose another --out") from error
    write_whole(out / "selftest.html", as_html(test))
    write_whole(out / "selftest.json", as_json(test))
    if not quiet:
        say(as_text(test) + f"report: {out / 'selftest.html'}")
    return Exit.FAIL if test.clean_fails else Exit.PASS
