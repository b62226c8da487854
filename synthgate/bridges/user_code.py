"""Objects of a user's own Python files: run only when a gate file allows code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import reduce
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from synthgate.contracts import ContractSource
from synthgate.errors import GateFileError, nearest
from synthgate.libraries import silent


def load_object(source: ContractSource, make: Callable[[Any], Any]) -> Any:
    """Import the module that an entry names and return ``make`` of its object.

    Raises
    ------
    GateFileError
        When the file is missing, has no such object, or raises.
    """
    shown = str(source.path or source.module)
    if source.path is not None and not source.path.is_file():
        raise GateFileError(source.place, f"{shown} does not exist", "check the path: it is relative to the gate file")
    with _guest(source.folder if source.path is None else source.path.parent), silent():
        try:
            module = _run_file(source.path) if source.path else import_module(str(source.module))
            return make(_attribute(module, str(source.attribute), source.place, shown))
        except GateFileError:
            raise
        # a user's code may raise anything, and may want to leave
        except (Exception, SystemExit) as error:
            problem = f"{shown} raises {type(error).__name__} when it is imported: {_first_line(error)}"
            raise GateFileError(source.place, problem, "make it importable with plain `python`") from error


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or ["without a message"])[0][:200]


@contextmanager
def _guest(folder: Path) -> Iterator[None]:
    """Let modules beside the file be imported, and leave no compiled files behind."""
    path, silenced = str(folder.resolve()), sys.dont_write_bytecode
    sys.path.insert(0, path)
    sys.dont_write_bytecode = True
    try:
        yield
    finally:
        sys.dont_write_bytecode = silenced
        if path in sys.path:
            sys.path.remove(path)


def _run_file(path: Path) -> ModuleType:
    name = f"synthgate_user_{path.stem}"
    spec = spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = module_from_spec(spec)
    # classes look their own module up, also later on
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _attribute(module: ModuleType, dotted: str, place: str, shown: str) -> Any:
    try:
        return reduce(getattr, dotted.split("."), module)
    except AttributeError as error:
        known = [name for name in vars(module) if not name.startswith("_")]
        raise GateFileError(place, f"{shown} has no {dotted!r}", nearest(dotted, known)) from error
