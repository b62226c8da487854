"""``synthgate review``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from synthgate.cli.judging import debugging
from synthgate.cli.output import say, write_whole
from synthgate.cli.run import gate_of


@click.command()
@click.argument("real", required=False)
@click.argument("synthetic", required=False)
@click.option("--gate", type=click.Path(path_type=Path), help="Gate file that names the tables.")
@click.option("--metadata", type=click.Path(path_type=Path), help="SDV metadata (JSON).")
@click.option("--rows", type=click.IntRange(1, 1000), default=30, show_default=True, help="Rows to look at.")
@click.option("--seed", type=click.IntRange(0), help="Fixes which rows are drawn at random.")
@click.option(
    "--show-real-rows", is_flag=True, help="Show the real row that is most like each; then the page is secret."
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default=Path("synthgate-review.html"),
    show_default=True,
    help="File.",
)
@debugging
def review(real: str | None, synthetic: str | None, out: Path, **options: Any) -> None:
    """Write a page of SYNTHETIC rows for a person to look at, the most implausible first.

    The page saves a sign-off, which the check `review.sample` reads. Without arguments ./synthgate.yaml says which
    tables.
    """
    from synthgate.gate import review_page
    from synthgate.review.page import render

    gate = gate_of(real, synthetic, options["gate"])
    page = review_page(
        real,
        synthetic,
        gate=gate,
        metadata=options["metadata"],
        rows=options["rows"],
        seed=options["seed"],
        with_real=options["show_real_rows"],
    )
    write_whole(out, render(page))
    kept = "it shows real rows: keep it as you keep them" if page.with_real else "it shows no real row"
    say(f"wrote {out} ({len(page.rows)} rows; {kept}): mark the rows in a browser, and save the sign-off")
