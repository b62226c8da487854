"""What a pull request changes, and whether a gate's files are there at all."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from synthgate.errors import DataError, GateFileError
from synthgate.yamlfile import read_yaml_file

DATA_KEYS = ("real", "synthetic", "holdout", "metadata")
WILD = "*?["


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One thing to judge: a gate file, or the tables that the action's inputs name.

    Attributes
    ----------
    gate : Path or None
    data : tuple of Path
        The files and globs it reads, as far as they are local.
    """

    gate: Path | None
    data: tuple[Path, ...]

    @property
    def name(self) -> str:
        """The gate file's path, for people."""
        return str(self.gate) if self.gate else "tables"


def git(*arguments: str, folder: Path) -> str | None:
    """Return what a git command prints, or None when it fails or git is not there."""
    try:
        done = subprocess.run(  # noqa: S603 - a list of arguments, no shell
            ["git", *arguments],  # noqa: S607 - the runner's own git
            cwd=folder,
            capture_output=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.decode("utf-8", "surrogateescape")


def changed_files(base: str, folder: Path) -> set[Path] | None:
    """Return the files that differ between the base commit and the checkout, or None when git cannot tell.

    A shallow checkout does not hold the base commit: then it alone is fetched.
    """
    if git("cat-file", "-e", f"{base}^{{commit}}", folder=folder) is None:
        git("fetch", "--no-tags", "--depth=1", "origin", base, folder=folder)
    top = git("rev-parse", "--show-toplevel", folder=folder)
    listed = git("diff", "--name-only", "-z", base, "HEAD", "--", folder=folder)
    if top is None or listed is None:
        return None
    return {Path(top.strip(), name).resolve() for name in listed.split("\0") if name}


def requests_of(gates: Iterable[str], folder: Path, workspace: Path) -> list[Request]:
    """Return what the gate files or globs name, each file once.

    Raises
    ------
    GateFileError
        For a file that is not there, that cannot be read, or that lies outside the workspace.
    """
    found: dict[Path, Request] = {}
    for text in gates:
        wild = any(sign in text for sign in WILD)
        paths = sorted(folder.glob(text)) if wild and not (folder / text).exists() else [folder / text]
        if not paths:
            raise GateFileError(text, "no gate file is named so", "put the path right, relative to working-directory")
        for path in paths:
            inside = path.resolve().is_relative_to(workspace.resolve())
            if not inside:
                raise GateFileError(text, "the gate file lies outside the workspace", "name one inside the checkout")
            found.setdefault(path.resolve(), Request(gate=_short(path, folder), data=_data_of(path)))
    return list(found.values())


def _short(path: Path, folder: Path) -> Path:
    return path.relative_to(folder) if path.is_relative_to(folder) else path


def _data_of(gate: Path) -> tuple[Path, ...]:
    node = read_yaml_file(gate)
    texts = [node.values.get(key) for key in DATA_KEYS]
    return tuple(gate.parent / text for text in texts if isinstance(text, str) and "://" not in text)


def concerned(request: Request, changed: set[Path], folder: Path) -> bool:
    """Whether a change touches the gate file, or anything that the gate reads, or the pointer that stands for it."""
    watched = [*request.data, *([folder / request.gate] if request.gate else [])]
    for path in watched:
        whole = path.resolve()
        names = {whole, Path(f"{whole}.dvc")}
        if changed & names or any(whole in other.parents for other in changed):
            return True
        if any(sign in str(path) for sign in WILD) and any(other.match(str(whole)) for other in changed):
            return True
    return False


def refuse_absent(request: Request, changed: set[Path] | None) -> None:
    """Say plainly that data is deleted, or tracked by DVC and not pulled.

    Raises
    ------
    DataError
    """
    for path in request.data:
        if path.exists() or any(sign in str(path) for sign in WILD):
            continue
        if Path(f"{path}.dvc").exists():
            raise DataError(str(path), "it is tracked by DVC and not here", "run `dvc pull` before this action")
        if changed and path.resolve() in changed:
            raise DataError(str(path), "this pull request deletes it", f"keep it, or take it out of {request.name}")
        raise DataError(str(path), "there is no such file", f"put the path right in {request.name}")
