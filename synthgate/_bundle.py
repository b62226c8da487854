"""Find the files shipped beside the code: declared checks and report templates."""

from __future__ import annotations

from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal


def bundled(folder: Literal["checks", "reports"]) -> Traversable:
    """Return `folder` from the installed wheel, or from the checkout when running from source."""
    installed = resources.files("synthgate").joinpath(folder)
    if installed.is_dir():
        return installed
    return Path(__file__).resolve().parents[1] / folder
