"""What the command line prints and writes."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from synthgate.errors import UsageError


def say(text: str) -> None:
    """Print to standard output. A reader that stops reading (``| head``) changes no exit status.

    Raises
    ------
    UsageError
        When standard output cannot be written for another reason, such as a full disk.
    """
    try:
        click.echo(text)
    except BrokenPipeError:
        silence(sys.stdout)
    except OSError as error:
        silence(sys.stdout)
        raise UsageError(
            "standard output", f"it cannot be written: {error.strerror}", "redirect it elsewhere"
        ) from error


def warn(text: str) -> None:
    """Print to standard error, if anyone can read it."""
    try:
        click.echo(text, err=True)
    except OSError:
        silence(sys.stderr)


def silence(stream: Any) -> None:
    """Point a broken stream at nothing, so that flushing it at exit does not fail again."""
    with suppress(OSError, ValueError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, stream.fileno())
        os.close(nothing)


def write_whole(path: Path, text: str) -> None:
    """Write a text file aside, then move it into place.

    Raises
    ------
    UsageError
        When the file cannot be written.
    """
    aside = path.with_name(path.name + ".part")
    try:
        aside.write_text(text, encoding="utf-8")
        aside.replace(path)
    except OSError as error:
        raise UsageError(str(path), f"the file cannot be written: {error.strerror}", "choose another name") from error


def refuse_unwritable(folder: Path) -> None:
    """Refuse a folder that reports could not be written to, before there is anything to write.

    Raises
    ------
    UsageError
    """
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists() or path.is_symlink())
    problem = ""
    if not there.is_dir():
        problem = "is a file" if there == folder else f"cannot be a folder: {str(there)!r} is a file"
    elif not os.access(there, os.W_OK | os.X_OK):
        problem = "cannot be written" if there == folder else f"cannot be made: {str(there)!r} cannot be written"
    if problem:
        raise UsageError(str(folder), f"{problem}; expected a folder for the reports", "choose another --out")


def make_folder(path: Path) -> None:
    """Make a folder for files to be written to, where it is not there.

    Raises
    ------
    UsageError
        When it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        problem = f"the folder cannot be made: {error.strerror}"
        raise UsageError(str(path), problem, "choose another name") from error
