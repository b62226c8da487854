"""``synthgate profile``."""

from __future__ import annotations

from pathlib import Path

import click

from synthgate.cli.judging import debugging, missing_option
from synthgate.cli.output import say, write_whole
from synthgate.errors import UsageError

LEAST_K = 2


@click.command()
@click.argument("real")
@click.option("--metadata", type=click.Path(path_type=Path), help="SDV metadata (JSON).")
@click.option("--gate", type=click.Path(path_type=Path), help="Gate file whose roles, target and metadata to use.")
@click.option("--target", multiple=True, help="Column to predict; may be repeated.")
@click.option(
    "-k", type=click.IntRange(LEAST_K), default=10, show_default=True, help="Cells of fewer rows are not told."
)
@missing_option
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True, help="File to write.")
@click.option("--force", is_flag=True, help="Overwrite the file.")
@debugging
def profile(real: str, out: Path, k: int, force: bool, **options: object) -> None:  # noqa: FBT001 - click passes options so
    """Write a profile of REAL: its counts without its rows, to judge against where the rows may not go."""
    from synthgate.gatefile import Gate, load_gate
    from synthgate.profiling import profile_text

    if out.exists() and not force:
        raise UsageError(str(out), "the file exists already", "use --force to overwrite it, or choose another name")
    policy = load_gate(Path(str(options["gate"]))) if options["gate"] else Gate()
    missing = ("", *_words(options["missing"])) if options["missing"] else policy.missing_values
    metadata = options["metadata"] or policy.metadata
    text = profile_text(
        real,
        metadata=str(metadata) if metadata else None,
        roles=policy.roles,
        targets=_words(options["target"]) or policy.targets,
        missing_values=missing,
        k=k,
    )
    write_whole(out, text)
    say(f"wrote {out} ({len(text.encode()):,} bytes): give it in place of REAL, as in `synthgate run {out} SYNTHETIC`")


def _words(value: object) -> tuple[str, ...]:
    return tuple(str(word) for word in value) if isinstance(value, tuple) else ()
