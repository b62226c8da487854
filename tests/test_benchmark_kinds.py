"""The defects that the benchmarks put into tables: what each promises of the table that it makes."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import kinds

ROWS = 1500


def part(seed: int) -> pd.DataFrame:
    """Return invented rows: numbers that hang together, categories, a date, missing values, and a target."""
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 80, ROWS)
    income = np.exp(rng.normal(7 + 0.02 * age, 0.4))
    region = rng.choice(["north", "south", "east", "west"], ROWS, p=[0.4, 0.3, 0.2, 0.1])
    table = pd.DataFrame(
        {
            "age": age,
            "income": np.round(income, 2),
            "spent": np.round(income * rng.uniform(0.2, 0.9, ROWS), 2),
            "region": region,
            "town": [f"{name} {number}" for name, number in zip(region, rng.geometric(0.3, ROWS), strict=True)],
            "since": pd.Timestamp("2015-01-01") + pd.to_timedelta(rng.integers(0, 3000, ROWS), unit="D"),
            "children": rng.poisson(1.2, ROWS),
        }
    )
    table.loc[rng.random(ROWS) < 0.15, "spent"] = np.nan
    table["pays"] = np.where(income / 3000 + rng.normal(0, 0.5, ROWS) > 1.5, "yes", "no")
    return table


@pytest.fixture(scope="module")
def context() -> kinds.Context:
    return kinds.Context(part(1), part(2), part(3), "pays")


@pytest.mark.parametrize("name", sorted(kinds.KINDS))
def test_a_kind_changes_what_it_names_and_is_made_again_by_its_seed(context: kinds.Context, name: str) -> None:
    made = kinds.make(context, name, "gross", 0)
    pd.testing.assert_frame_equal(context.fresh, part(3), obj="the rows that a defect is made in")
    if made is None:
        pytest.skip("does not apply to the invented table")
    again = kinds.make(context, name, "gross", 0)
    assert again is not None
    pd.testing.assert_frame_equal(made.table, again.table)
    assert list(made.table.columns) == list(context.fresh.columns)
    if made.columns and len(made.table) == len(context.fresh):
        for column in set(context.fresh) - set(made.columns):
            pd.testing.assert_series_equal(made.table[column], context.fresh[column])


def test_a_table_of_one_column_is_left_alone(context: kinds.Context) -> None:
    alone = kinds.Context(*(side[["income"]] for side in (context.train, context.holdout, context.fresh)), None)
    assert all(kinds.make(alone, name, "gross", 0) is None for name in kinds.KINDS)


def test_severities_are_held_to_the_rows_they_change(context: kinds.Context) -> None:
    made = {severity: kinds.make(context, "zeros_put_in", severity, 0) for severity in ("moderate", "gross")}
    zeros = [int((one.table[one.columns[0]] == 0).sum()) for one in made.values() if one is not None]
    assert 0.04 * ROWS <= zeros[0] < 0.15 * ROWS <= zeros[1]
