"""Optional libraries: imported when a gate needs them, and kept quiet."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from types import ModuleType

from synthgate.errors import UsageError

NOISY = ("great_expectations", "pandera", "posthog")
# read by the library when it is imported: no usage statistics leave the machine
NO_TELEMETRY = {"GX_ANALYTICS_ENABLED": "false"}


def require(module: str, extra: str, where: str) -> ModuleType:
    """Import an optional library, quietly.

    Parameters
    ----------
    module : str
        Such as ``"pandera.pandas"``.
    extra : str
        The extra of this package that brings it.
    where : str
        What asks for it, for the message.

    Raises
    ------
    UsageError
        With the command that installs it.
    """
    try:
        with silent():
            return import_module(module)
    except ImportError as error:
        top = module.split(".", maxsplit=1)[0]
        raise UsageError(
            where, f"needs {top}, which cannot be imported ({error})", f"pip install 'synthgate[{extra}]'"
        ) from error


@contextmanager
def silent() -> Iterator[None]:
    """Keep warnings, log lines and telemetry of other libraries away; what they print goes to standard error."""
    loggers = [logging.getLogger(name) for name in NOISY]
    levels = [logger.level for logger in loggers]
    environment = {name: os.environ.get(name) for name in NO_TELEMETRY}
    os.environ.update(NO_TELEMETRY)
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings(), redirect_stdout(sys.stderr):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        for name, value in environment.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
