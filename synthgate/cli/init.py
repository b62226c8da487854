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
@click.option(
    "--pandera",
    type=click.Path(path_type=Path),
    help="Also write the table's contract as a pandera schema (.yaml, .py).",
)
@click.option(
    "--great-expectations",
    type=click.Path(path_type=Path),
    help="Also write the table's contract as a Great Expectations suite (JSON).",
)
@click.option("--force", is_flag=True, help="Overwrite the file.")
@debugging
def init(real: str, metadata: Path | None, out: Path, force: bool, **exports: Path | None) -> None:  # noqa: FBT001 - click passes options so
    """Write a gate file for REAL: its roles, keys and simple rules, ready to edit."""
    from synthgate.scaffold import gate_yaml, sdv_json

    wanted = {name: path for name, path in exports.items() if path is not None}
    for path in (out, *wanted.values()):
        if path.exists() and not force:
            raise UsageError(
                str(path), "the file exists already", "use --force to overwrite it, or choose another name"
            )
    # all are made before the first is written, so that a mistake leaves nothing behind
    texts = {wanted["sdv"]: sdv_json(real, metadata)} if "sdv" in wanted else {}
    entries = _contracts(real, metadata, out, wanted, texts)
    write_whole(out, gate_yaml(real, metadata) + entries)
    say(f"wrote {out}: edit it, then run `synthgate run --gate {out}`")
    for path, text in texts.items():
        write_whole(path, text)
        say(f"wrote {path}")


def _contracts(real: str, metadata: Path | None, out: Path, wanted: dict[str, Path], texts: dict[Path, str]) -> str:
    """Add the texts of the contracts that are wanted, and return the gate file's entries for them."""
    from synthgate.contracts import Library

    targets = {library: wanted[library] for library in Library if library in wanted}
    if not targets:
        return ""
    from synthgate.bridges.exports import contract_text, gate_entries, implied_contract

    contract = implied_contract(real, metadata)
    texts.update({path: contract_text(contract, library, path) for library, path in targets.items()})
    return gate_entries(contract, targets, out)
