"""``synthgate init``."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from synthgate.cli.judging import debugging
from synthgate.cli.output import make_folder, say, write_whole
from synthgate.cli.run import GATE_FILE
from synthgate.errors import UsageError

if TYPE_CHECKING:
    from synthgate.looks import Looks


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
    help="Also write the table's contract as a pandera schema (.yaml, .py); for a folder of tables a folder.",
)
@click.option(
    "--great-expectations",
    type=click.Path(path_type=Path),
    help="Also write the table's contract as a Great Expectations suite (JSON); for a folder of tables a folder.",
)
@click.option("--force", is_flag=True, help="Overwrite the file.")
@debugging
def init(real: str, metadata: Path | None, out: Path, force: bool, **exports: Path | None) -> None:  # noqa: FBT001 - click passes options so
    """Write a gate file for REAL, a table or a folder of tables: roles, keys and simple rules, ready to edit."""
    from synthgate.looks import look_at
    from synthgate.scaffold import gate_yaml, sdv_json

    wanted = {name: path for name, path in exports.items() if path is not None}
    _refuse_existing((out, *wanted.values()), force=force)
    looks = look_at(real, metadata)
    # all are made before the first is written, so that a mistake leaves nothing behind
    texts = {wanted["sdv"]: sdv_json(looks)} if "sdv" in wanted else {}
    entries = _contracts(looks, real, out, wanted, texts)
    _refuse_existing(texts, force=force)
    gate = gate_yaml(looks, _seen_from(out.parent, real)) + entries
    for path in texts:
        make_folder(path.parent)
    write_whole(out, gate)
    say(f"wrote {out}: edit it, then run `synthgate run --gate {out}`")
    for path, text in texts.items():
        write_whole(path, text)
        say(f"wrote {path}")


def _refuse_existing(paths: Iterable[Path], *, force: bool) -> None:
    for path in paths:
        if path.exists() and not path.is_dir() and not force:
            raise UsageError(
                str(path), "the file exists already", "use --force to overwrite it, or choose another name"
            )


def _seen_from(folder: Path, real: str) -> str:
    """Return the path of REAL as a gate file in a folder names it; what is no path on this disk stays as it is."""
    return os.path.relpath(real, folder) if Path(real).exists() and not Path(real).is_absolute() else real


def _contracts(looks: Looks, real: str, out: Path, wanted: dict[str, Path], texts: dict[Path, str]) -> str:
    """Add the texts of the contracts that are wanted, and return the gate file's entries for them."""
    from synthgate.contracts import Library

    targets = {library: wanted[library] for library in Library if library in wanted}
    if not targets:
        return ""
    from synthgate.bridges.exports import Export, contract_text, gate_entries, implied_contract

    if looks.is_many:
        for library, folder in targets.items():
            _refuse_no_folder(f"--{library.replace('_', '-')}", folder, Path(real))
    endings = {Library.PANDERA: ".yaml", Library.GREAT_EXPECTATIONS: ".json"}
    exports = [
        Export(table, library, path / f"{table}{endings[library]}" if looks.is_many else path)
        for table in looks.tables
        for library, path in targets.items()
    ]
    contracts = {table: implied_contract(look) for table, look in looks.tables.items()}
    texts.update({one.path: contract_text(contracts[one.table], one.library, one.path) for one in exports})
    return gate_entries(contracts, exports, out)


def _refuse_no_folder(option: str, folder: Path, real: Path) -> None:
    """Refuse a place where the contracts of several tables cannot stand: a file, or among the tables themselves."""
    if folder.suffix or (folder.exists() and not folder.is_dir()):
        problem = f"{str(folder)!r} is one file, and several tables are given"
        raise UsageError(option, problem, "name a folder, in which each table gets a file")
    if folder.resolve().is_relative_to(real.resolve()):
        problem = f"{str(folder)!r} lies among the tables, where its files would be read as tables"
        raise UsageError(option, problem, "name a folder outside of the tables")
