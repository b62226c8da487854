"""Renderers: one module per format, each a function of the verdict alone.

A format is a module ``synthgate.render.<name>`` with ``render(verdict) -> str``, and a
line in :data:`FORMATS`.
"""

from __future__ import annotations

import os
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from synthgate.errors import UsageError, nearest

if TYPE_CHECKING:
    from synthgate.verdict import Verdict

FORMATS = {
    "html": "report.html",
    "json": "result.json",
    "junit": "junit.xml",
    "markdown": "summary.md",
    "sarif": "result.sarif",
}
"""The formats that can be written, and the file name each has by default."""


def render(verdict: Verdict, kind: str) -> str:
    """Return the verdict as text in one of :data:`FORMATS`.

    Raises
    ------
    UsageError
        When there is no such format.
    """
    if kind not in FORMATS:
        raise UsageError("format", f"there is no format {kind!r}", nearest(kind, FORMATS))
    text: str = import_module(f"synthgate.render.{kind}").render(verdict)
    return text


def write(verdict: Verdict, path: Path, kind: str) -> Path:
    """Write the verdict to a file in one of :data:`FORMATS`, whole or not at all.

    Parameters
    ----------
    verdict : Verdict
    path : Path
        Its folder is made when it is not there.
    kind : str
        The name of the format.

    Returns
    -------
    Path
        The file that was written.

    Raises
    ------
    UsageError
        When there is no such format, or the file cannot be written.
    """
    text = render(verdict, kind)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with aside.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        aside.replace(path)
    except OSError as error:
        with suppress(OSError):
            aside.unlink()
        problem = f"the {kind} report cannot be written: {error.strerror or error}"
        raise UsageError(str(path), problem, "choose a folder that can be written to") from error
    return path
