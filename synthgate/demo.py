"""The bundled pair that ``synthgate demo`` judges; ``demo_data/README.md`` says what it is."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from synthgate.errors import DataError


@dataclass(frozen=True, slots=True)
class DemoFiles:
    """The files of the demo, and the column that models are to predict."""

    real: Path
    synthetic: Path
    holdout: Path
    target: str


def demo_files() -> DemoFiles:
    """Return where the bundled tables are.

    Raises
    ------
    DataError
        When the package runs out of an archive, where its tables have no path of their own.

    Examples
    --------
    >>> demo_files().target
    'late'
    """
    folder = resources.files("synthgate").joinpath("demo_data")
    if not isinstance(folder, Path):
        raise DataError(
            "the demo",
            "its tables lie inside an archive, and files were expected",
            "install synthgate with pip, and run the demo again",
        )
    return DemoFiles(
        real=folder / "real.csv",
        synthetic=folder / "synthetic.csv",
        holdout=folder / "holdout.csv",
        target="late",
    )
