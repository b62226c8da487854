"""Who is at risk: a memorised kind of rows is named, single rows go to a file of their own, fresh rows name nobody."""

from __future__ import annotations

import csv
import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import synthgate
from synthgate.cli import run_command
from synthgate.errors import UsageError
from synthgate.findings import Measured, Measurement, Status
from synthgate.judging import judge
from synthgate.measures.privacy import copies, membership
from synthgate.sample import Sample

MakeSample = Callable[..., Sample]


@pytest.fixture
def make_sample(make_evidence: Callable[..., Any]) -> MakeSample:
    return lambda *tables, **more: make_evidence(*tables, **more).sample


def population(rows: int, seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    kind = rng.choice(["ash", "birch", "cedar", "elder"], rows, p=[0.5, 0.3, 0.14, 0.06])
    size = rng.gamma(3, 2, rows)
    return pa.table(
        {
            "kind": kind,
            "town": [f"Town {k}" for k in rng.geometric(0.04, rows)],
            "size": (size * 10).round(2),
            "price": (100 * size + rng.normal(0, 60, rows)).round(0),
            "age": rng.integers(18, 80, rows),
            "hue": rng.choice(list("rgbyk"), rows),
        }
    )


def planted(rows: pa.Table, fresh: pa.Table, share: float = 0.0, seed: int = 0) -> pa.Table:
    """Put real rows in place of the first fresh ones, a share of their cells redrawn from fresh rows."""
    rng = np.random.default_rng(seed)
    changed = {}
    for name in rows.column_names:
        values = rows[name].to_numpy(zero_copy_only=False)
        other = rng.choice(fresh[name].to_numpy(zero_copy_only=False), len(values))
        changed[name] = np.where(rng.random(len(values)) < share, other, values)
    return pa.concat_tables([pa.table(changed).cast(fresh.schema), fresh.slice(rows.num_rows)])


def slices(found: Measurement) -> list[Measured]:
    return [f for f in found.findings if f.metric == "slice_auc"]


def failing(found: Measurement) -> list[str]:
    return [str(f.details["slice"]) for f in slices(found) if f.judged and judge(f.estimate, f.limit) is Status.FAIL]


def test_a_memorised_subgroup_is_named_where_the_average_hides_it(make_sample: MakeSample):
    real, fresh, holdout = population(3000, 1), population(3000, 3), population(3000, 2)
    group = real.filter(pc.equal(real["kind"], "elder"))
    assert group.num_rows < 220
    found = membership.assess(make_sample(real, planted(group, fresh, 0.15), holdout), "quick")
    assert "rows with 'kind' = 'elder'" in failing(found)
    assert all("elder" in words for words in failing(found))
    assert found.score is not None
    assert found.score.value < 0.6


def test_memorised_outliers_are_named(make_sample: MakeSample):
    real, fresh, holdout = population(3000, 1), population(3000, 3), population(3000, 2)
    far = real.filter(pc.greater(real["size"], float(np.quantile(real["size"], 0.96))))
    found = membership.assess(make_sample(real, planted(far, fresh, 0.15), holdout), "quick")
    assert "rows with the highest values of 'size' (5%)" in failing(found)


@pytest.mark.parametrize("seed", range(4))
def test_fresh_rows_put_no_kind_of_rows_at_risk(make_sample: MakeSample, seed: int):
    found = membership.assess(make_sample(*(population(900, 10 * seed + k) for k in range(3))), "quick")
    assert slices(found) == []


def test_a_leak_of_all_rows_singles_out_no_kind(make_sample: MakeSample):
    real = population(1000, 1)
    assert failing(membership.assess(make_sample(real, real, population(1000, 2)), "quick")) == []


def test_single_rows_go_to_a_file_that_only_its_owner_reads(tmp_path: Path):
    real, fresh, holdout = population(600, 1), population(600, 3), population(600, 2)
    copied = real.take(pa.array(range(100, 160)))
    file = tmp_path / "risk.csv"
    verdict = synthgate.evaluate(
        real, planted(copied, fresh), holdout=holdout, only=["privacy.membership"], risk_file=file
    )
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    rows = list(csv.DictReader(file.read_text().splitlines()))
    assert len(rows) == 600
    assert sorted(int(r["row"]) for r in rows) == list(range(1, 601))
    top = {int(r["row"]) for r in rows[:60]}
    assert len(top & set(range(101, 161))) > 45
    risks = [float(r["risk"]) for r in rows]
    assert risks == sorted(risks, reverse=True)
    assert 0 <= min(risks) <= max(risks) <= 1
    for check in verdict.checks:
        assert "row_numbers" not in json.dumps(dict(check.details))
    assert {r["exposed"] for r in rows} <= {"true", "false"}


def test_without_membership_there_is_no_file_of_rows(tmp_path: Path):
    real, fresh = population(100, 1), population(100, 3)
    with pytest.raises(UsageError, match="not assessed"):
        synthgate.evaluate(real, fresh, only=["privacy.membership"], risk_file=tmp_path / "risk.csv")
    with pytest.raises(UsageError, match="cannot be written"):
        synthgate.evaluate(
            real, fresh, holdout=population(100, 2), only=["privacy.membership"], risk_file=tmp_path / "no" / "risk.csv"
        )


def test_the_command_line_writes_the_file_when_asked(tmp_path: Path):
    paths = []
    for name, seed in (("real", 1), ("synthetic", 3), ("holdout", 2)):
        paths.append(str(tmp_path / f"{name}.parquet"))
        pq.write_table(population(120, seed), paths[-1])
    arguments = ["run", paths[0], paths[1], "--holdout", paths[2], "--only", "privacy.membership", "--quiet"]
    risk, out = tmp_path / "risk.csv", tmp_path / "out"
    assert run_command([*arguments, "--out", str(out)]) == 0
    assert not risk.exists()
    assert run_command([*arguments, "--out", str(out), "--risk-file", str(risk)]) == 0
    assert risk.read_text().startswith("row,risk,p,exposed\n")
    assert not list(out.glob("*.csv"))


def case(table: pa.Table) -> pa.Table:
    """Write all text in capitals, with more white space."""
    return table.set_column(0, "kind", pc.utf8_upper(table["kind"])).set_column(
        1, "town", pc.replace_substring(pc.utf8_upper(table["town"]), " ", "  ")
    )


def rounded(table: pa.Table) -> pa.Table:
    return table.set_column(2, "size", pc.round(table["size"], 0))


@pytest.mark.parametrize("change", [case, rounded], ids=lambda change: change.__name__)
@pytest.mark.parametrize("has_holdout", [True, False])
def test_copies_up_to_case_white_space_and_rounding_are_copies(
    make_sample: MakeSample, change: Callable[[pa.Table], pa.Table], *, has_holdout: bool
):
    real, fresh, holdout = population(2000, 1), population(2000, 3), population(2000, 2)
    sides = (real, change(planted(real.slice(0, 60), fresh)), holdout if has_holdout else None)
    found = copies.assess(make_sample(*sides))
    exact = next(f for f in found.findings if f.metric == "copied_rare_rows")
    assert judge(exact.estimate, exact.limit) is Status.FAIL
    clean = copies.assess(make_sample(real, change(fresh), holdout if has_holdout else None))
    assert all(judge(f.estimate, f.limit) is not Status.FAIL for f in clean.findings if f.judged and f.estimate)


def test_copies_jittered_in_every_number_are_found(make_sample: MakeSample):
    real, fresh, holdout = population(2000, 1), population(2000, 3), population(2000, 2)
    rng, taken = np.random.default_rng(0), real.slice(0, 80)
    for at, name in ((2, "size"), (3, "price")):
        moved = taken[name].to_numpy() * (1 + rng.normal(0, 0.001, 80))
        taken = taken.set_column(at, name, pa.array(np.round(moved, 2)))
    found = copies.assess(make_sample(real, pa.concat_tables([taken, fresh.slice(80)]), holdout))
    near = [f for f in found.findings if f.metric == "near_copies" and judge(f.estimate, f.limit) is Status.FAIL]
    assert near
