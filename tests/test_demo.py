"""The bundled pair is what its README says it is."""

import csv
from collections import Counter
from pathlib import Path

import pytest

from synthgate.demo import demo_files

FILES = demo_files()
SIDES = ("real", "synthetic", "holdout")
MAX_BYTES = 1_000_000


def rows_of(side: str) -> list[dict[str, str]]:
    with Path(getattr(FILES, side)).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


ROWS = {side: rows_of(side) for side in SIDES}


def test_files_are_small_and_stand_together() -> None:
    paths = [getattr(FILES, side) for side in SIDES]
    assert len(set(paths)) == 3
    folder = FILES.real.parent
    assert sum(path.stat().st_size for path in folder.iterdir() if path.is_file()) < MAX_BYTES
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "holdout.csv", "real.csv", "synthetic.csv"]


def test_every_column_is_described() -> None:
    columns = list(ROWS["real"][0])
    readme = (FILES.real.parent / "README.md").read_text(encoding="utf-8")
    for side in SIDES:
        assert list(ROWS[side][0]) == columns
        assert len(ROWS[side]) == 3000
    assert FILES.target in columns
    assert [name for name in columns if f"| `{name}` |" not in readme] == []


def test_missing_values_are_as_stated() -> None:
    for name, share in (("wind_gust", 0.78), ("plane_year", 0.08)):
        missing = sum(row[name] == "" for row in ROWS["real"]) / 3000
        assert missing == pytest.approx(share, abs=0.005)


def test_the_planted_flaws_are_there() -> None:
    real, synthetic, holdout = (Counter(tuple(row.values()) for row in ROWS[side]) for side in SIDES)
    assert sum(count for row, count in synthetic.items() if row in real) == 450
    assert not real.keys() & holdout.keys()
    carriers = {side: Counter(row["carrier"] for row in ROWS[side]) for side in SIDES}
    assert {name: n for name, n in carriers["real"].items() if name not in carriers["synthetic"]} == {
        "HA": 22,
        "F9": 19,
    }
    assert {"HA", "F9"} <= carriers["holdout"].keys()
