"""``synthgate init``."""

from __future__ import annotations

from pathlib import Path

import click

from synthgate.cli.judging import debugging
from synthgate.cli.output import say, write_whole
from synthgate.cli.run import GATE_FILE
from synthgate.errors import UsageError


@click.command()
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
    write_whole(out, gate_yaml(real, metadata))
    say(f"wrote {out}: edit it, then run `synthgate run --gate {out}`")
    if sdv is not None:
        write_whole(sdv, sdv_json(real, metadata))
        say(f"wrote {sdv}")
