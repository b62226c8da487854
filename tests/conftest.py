"""Shared fixtures: small tables with known truths, and evidence made from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import settings

from synthgate.evidence import Evidence
from synthgate.sides import count_side
from synthgate.survey import make_plan
from synthgate.tables import open_table

# times on a shared machine say nothing, and the first call pays for imports
# the same examples every time, so that a run says something of the change and not of its luck
settings.register_profile("synthgate", deadline=None, derandomize=True)
settings.load_profile("synthgate")

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the shared data sets; tests that need it are skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("the shared data sets are not on this machine")
    return SHARED


def people(rows: int, seed: int) -> pa.Table:
    """Draw rows of one population: mixed types, dependence, missing values, a rare category, an id."""
    rng = np.random.default_rng(seed)
    age = rng.gamma(6, 7, rows).round()
    job = rng.choice(["clerk", "nurse", "farmer", "pilot"], rows, p=[0.5, 0.3, 0.18, 0.02])
    wage = np.round(1000 + 30 * age + 400 * (job == "pilot") + rng.normal(0, 300, rows), 2)
    rich = (wage + rng.normal(0, 300, rows) > 2300).astype(int)
    day = np.datetime64("2020-01-01") + rng.integers(0, 900, rows).astype("timedelta64[D]")
    region = np.where(rng.random(rows) < 0.7, np.where(job == "farmer", "north", "south"), "west")
    gone = rng.random(rows) < 0.1
    return pa.table(
        {
            "id": [f"P{seed:03d}-{k:06d}" for k in range(rows)],
            "age": age.astype(np.int64),
            "job": job,
            "wage": pa.array(wage, mask=gone),
            "day": day,
            "region": region,
            "member": rng.random(rows) < 0.3,
            "rich": rich,
        }
    )


@pytest.fixture(scope="session")
def draw_people() -> Callable[[int, int], pa.Table]:
    """Return the population's sampler: ``draw_people(rows, seed)``."""
    return people


@pytest.fixture
def make_evidence() -> Callable[..., Evidence]:
    """Return a function that plans and counts two or three tables."""

    def make(
        real: Any, synthetic: Any, holdout: Any = None, *, roles: Mapping[str, Any] | None = None, **more: Any
    ) -> Evidence:
        tables = {"real": real, "synthetic": synthetic, "holdout": holdout}
        opened = {name: open_table(data, name=name) for name, data in tables.items() if data is not None}
        plan = make_plan(opened["real"], roles or {}, more.get("targets", ()), {})
        sides = {name: count_side(plan, table, more.get("seed", 0)) for name, table in opened.items()}
        return Evidence(
            plan=plan, real=sides["real"], synthetic=sides["synthetic"], holdout=sides.get("holdout"), **more
        )

    return make


def shuffled(table: pa.Table, seed: int = 0) -> pa.Table:
    """Return the table with every column permuted on its own."""
    rng = np.random.default_rng(seed)
    return pa.table({name: table[name].take(pa.array(rng.permutation(table.num_rows))) for name in table.column_names})


@pytest.fixture
def shuffle_columns() -> Callable[..., pa.Table]:
    """Return a function that destroys every dependence and keeps every marginal."""
    return shuffled
