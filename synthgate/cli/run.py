"""``synthgate run``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from synthgate.cli.judging import judge, judging_options, missing_option
from synthgate.errors import UsageError

PRESETS = ("default", "training", "release", "share")
GATE_FILE = "synthgate.yaml"
MAX_SEED = 2**32 - 1


@click.command()
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
@missing_option
@click.option(
    "--engine",
    type=click.Choice(["embedded", "spark"]),
    default="embedded",
    show_default=True,
    help="Where batches are counted.",
)
@click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    help="An earlier result.json or `synthgate baseline`: fail only on what is worse, beyond noise, than there.",
)
@click.option("--cache", is_flag=True, help="Reuse the verdict of a run over the same data, gate and versions.")
@click.option(
    "--risk-file",
    type=click.Path(path_type=Path),
    help="Also write which rows of REAL are most at risk to this file (CSV). It names persons: keep it with REAL.",
)
@click.option(
    "--show-rows",
    is_flag=True,
    help="Let reports show a few synthetic rows that break a constraint; without it no report shows a row.",
)
@judging_options
def run(real: str | None, synthetic: str | None, **options: Any) -> int:
    """Judge SYNTHETIC against REAL: files, globs or database URLs.

    Without arguments ./synthgate.yaml says what to judge.
    """
    if options["engine"] == "spark":
        raise UsageError("--engine", "spark is not available in this version", "leave the option out")
    gate = gate_of(real, synthetic, options["gate"])
    missing = ("", *options["missing"]) if options["missing"] else None
    return judge(
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
            "baseline": options["baseline"],
            "cache": options["cache"],
            "risk_file": options["risk_file"],
            "show_rows": options["show_rows"],
        },
        options,
    )


def gate_of(real: str | None, synthetic: str | None, gate: Path | None) -> Path | None:
    """Return the gate file to use: the one that is named, else ./synthgate.yaml when no table is given.

    Raises
    ------
    UsageError
        When it is not clear what to judge.
    """
    if real is not None and synthetic is None and gate is None:
        raise UsageError(
            "SYNTHETIC", "one table is given, expected two", "synthgate run REAL SYNTHETIC [--holdout HOLDOUT]"
        )
    if real is not None or gate is not None:
        return gate
    found = Path(GATE_FILE)
    if not found.is_file():
        fix = "give two tables, or write a gate file with `synthgate init REAL`"
        raise UsageError(GATE_FILE, "no table is given and there is no gate file here", fix)
    return found
