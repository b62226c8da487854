"""Profiles: the real side without its rows gives the scores that the rows give, and tells no rare value."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

import synthgate
from synthgate.cli.app import run_command
from synthgate.errors import DataError, SynthgateError
from synthgate.plan import quantile_edges
from synthgate.profile import read_profile
from synthgate.profiling import profile_text
from synthgate.rounding import between
from synthgate.statistics.distances import kolmogorov_smirnov, total_variation
from synthgate.suppression import MAX_POINTS, fill_table, suppress_margin, suppress_numbers, suppress_table
from synthgate.tables import open_table
from synthgate.values import NumberCounts

K = 10
COUNTED = ("schema", "fidelity.columns", "fidelity.pairs", "coverage.categories", "coverage.ranges")
NEED_ROWS = (
    "coverage.modes",
    "coverage.combinations",
    "fidelity.higher_order",
    "fidelity.detection",
    "privacy",
    "utility",
)


def judged(real: object, synthetic: object, **more: Any) -> synthgate.Verdict:
    return synthgate.evaluate(real, synthetic, only=COUNTED, **more)


def saved(folder: Path, real: object, **more: Any) -> Path:
    path = folder / "real.profile"
    path.write_text(profile_text(real, **more), encoding="utf-8")
    return path


def secrets(rows: int = 1500, seed: int = 5) -> pa.Table:
    """Draw a table whose rare values are unmistakable in any file."""
    rng = np.random.default_rng(seed)
    city = rng.choice(["Aachen", "Bonn", "Celle"], rows).astype(object)
    city[:30] = [f"hamlet-{k:04d}-zq" for k in range(10)] * 3
    amount = np.where(rng.random(rows) < 0.4, 0.0, np.round(rng.lognormal(12, 2, rows), 3))
    seen = np.datetime64("2021-01-01T00:00:00") + rng.integers(0, 40_000_000, rows).astype("timedelta64[s]")
    return pa.table(
        {
            "person_id": [f"ID{int(v):09d}" for v in rng.permutation(10**8)[:rows]],
            "note": [f"spoke with {k} about the {rng.integers(10**7)} matter at length" for k in range(rows)],
            "city": pa.array(city.tolist(), pa.string()),
            "amount": amount,
            "whole": rng.integers(10**7, 10**8, rows),
            "age": rng.integers(18, 90, rows),
            "seen": pa.array(seen, pa.timestamp("s")),
            "flag": rng.random(rows) < 0.3,
        }
    )


def test_scores_are_those_from_the_rows_where_nothing_is_suppressed(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    n = 60

    def draw(seed: int) -> pa.Table:
        rng = np.random.default_rng(seed)
        amount = rng.integers(0, 12, n) * 1.5
        day = np.datetime64("2024-01-01") + rng.integers(0, 8, n).astype("timedelta64[D]")
        return pa.table(
            {
                "group": pa.array(rng.choice(["a", "b", "c"], n).tolist()),
                "amount": pa.array(amount, mask=rng.random(n) < 0.2),
                "day": day,
                "yes": amount > 6,
            }
        )

    real = draw(2).take(pa.array(np.repeat(np.arange(n), K)))
    synthetic, holdout = (
        draw(3).take(pa.array(rng.integers(0, n, 500))),
        draw(4).take(pa.array(rng.integers(0, n, 300))),
    )
    profile = saved(tmp_path, real)
    for held in (None, holdout):
        rows, told = judged(real, synthetic, holdout=held), judged(profile, synthetic, holdout=held)
        compared = 0
        for one, other in zip(rows.checks, told.checks, strict=True):
            assert one.id == other.id
            assert one.status == other.status or one.id == "fidelity.pairs", one.id
            if one.score is None or other.score is None:
                assert one.score is other.score
                continue
            assert other.score.value == pytest.approx(one.score.value, abs=1e-12), one.id
            values = {_subject(f): f.measured.estimate for f in one.findings}
            for found in other.findings:
                known = values[_subject(found)]
                assert known is not None
                assert found.measured.estimate is not None
                assert found.measured.estimate.value == pytest.approx(known.value, abs=1e-12)
                assert found.measured.estimate.low == pytest.approx(known.low, abs=1e-12)
                compared += 1
        assert compared > 20


def _subject(finding: Any) -> tuple[Any, ...]:
    return finding.measured.columns, finding.measured.metric, str(finding.measured.details.get("name"))


def assert_within(rows: synthgate.Verdict, told: synthgate.Verdict) -> int:
    """Every score from rows lies in the interval that the profile gives; return how many were compared."""
    compared = 0
    for one, other in zip(rows.checks, told.checks, strict=True):
        if one.id not in ("fidelity.columns", "fidelity.pairs") or one.score is None:
            continue
        assert other.score is not None
        assert other.score.low - 1e-12 <= one.score.value <= other.score.high + 1e-12, one.id
        scores = {f.measured.columns: f.measured.estimate for f in one.findings if _is_score(f)}
        for found in filter(_is_score, other.findings):
            known, estimate = scores[found.measured.columns], found.measured.estimate
            assert known is not None
            assert estimate is not None
            assert estimate.low - 1e-12 <= known.value <= estimate.high + 1e-12, (found.measured, known)
            compared += 1
    return compared


def _is_score(finding: Any) -> bool:
    return finding.measured.metric in ("ks_complement", "tv_complement", "contingency_similarity")


@pytest.mark.parametrize(("rows", "seed"), [(150, 1), (600, 2), (2500, 3)])
def test_scores_from_rows_lie_in_the_intervals_from_the_profile(
    draw_people: Callable[[int, int], pa.Table], tmp_path: Path, rows: int, seed: int
) -> None:
    real, fresh = draw_people(rows, seed), draw_people(rows, seed + 10)
    shuffled = np.random.default_rng(seed).permutation(rows)
    broken = fresh.set_column(3, "wage", fresh["wage"].take(pa.array(shuffled)))
    profile = saved(tmp_path, real)
    for synthetic in (fresh, broken):
        told = judged(profile, synthetic)
        assert assert_within(judged(real, synthetic), told) > 20
    assert not judged(profile, fresh).failures()
    if rows > 2000:
        assert {c.id for c in told.failures()} == {c.id for c in judged(real, broken).failures()}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["holdout", "synthetic/2023-05_ctgan", "synthetic/2024-12_mostlyai"])
def test_adult_gets_the_same_verdicts_from_its_profile(shared_data: Path, tmp_path: Path, name: str) -> None:
    folder = shared_data / "paper" / "adult"
    real, synthetic = folder / "train.parquet", folder / f"{name}.parquet"
    rows, told = judged(real, synthetic), judged(saved(tmp_path, real), synthetic)
    assert assert_within(rows, told) == 15 + 105
    assert (tmp_path / "real.profile").stat().st_size < 300_000
    # unknown categories cannot be told from the pooled ones of a profile
    compared = [(one.id, one.status, other.status) for one, other in zip(rows.checks, told.checks, strict=True)]
    assert [c for c in compared if c[1] != c[2] and c[0] != "schema.categories"] == []


def test_no_rare_value_is_in_the_file(tmp_path: Path) -> None:
    table = secrets()
    text = saved(tmp_path, table).read_text(encoding="utf-8")
    searched = 0
    for name in table.schema.names:
        column = table[name]
        for value, count in zip(*(part.to_pylist() for part in column.value_counts().flatten()), strict=True):
            if count >= K or name in ("age", "flag"):
                continue
            for spelling in _spellings(value):
                assert spelling not in text, (name, value, spelling)
                searched += 1
    assert searched > 5000


def _spellings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value, json.dumps(value)[1:-1]]
    if hasattr(value, "isoformat"):
        micro = int(np.datetime64(value).astype("datetime64[us]").astype(np.int64))
        return [value.isoformat(), str(value), str(micro), str(micro // 1000), str(micro // 10**6)]
    return [repr(value), f"{value:.17g}", f"{value:e}", f"{value:,}", f"{value:.3f}"]


def test_no_number_in_the_file_is_a_rare_value(tmp_path: Path) -> None:
    for seed, rows in ((0, 800), (1, 800), (2, 90)):
        table = secrets(rows, seed)
        told = json.loads(saved(tmp_path, table).read_text(encoding="utf-8"))["profile"]
        for column in told["columns"]:
            if "values" not in column:
                continue
            cast = table[column["name"]].cast(pa.int64()) if column["role"] == "datetime" else table[column["name"]]
            scale = 10**6 if column["role"] == "datetime" else 1
            values, counts = np.unique(cast.to_numpy().astype(float) * scale, return_counts=True)
            rare = values[counts < K]
            ends = [end for group in column["groups"] for end in group]
            numbers = [*column["values"], *column["edges"], *column["fine_edges"], *ends, *column["bounds"]]
            assert len(rare) > 3 or column["name"] == "age"
            assert not np.isin([float(n) for n in numbers], rare).any(), column["name"]
            assert min(column["counts"]) >= K
            assert all(rows == 0 or rows >= K for rows in column["codes"][:-1])
        for pair in told["pairs"]:
            assert all(cell == 0 or cell >= K for cell in pair["cells"])


@given(st.integers(0, 10**6))
def test_suppressed_tables_keep_their_margins_and_small_cells_cannot_be_subtracted(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = rng.integers(2, 9, 2)
    table = rng.poisson(rng.gamma(0.6, 40, shape)).astype(np.int64)
    kept = suppress_table(table, K)
    assert ((kept == 0) | (kept >= K)).all()
    for axis in (0, 1):
        rest = table.sum(axis=axis) - kept.sum(axis=axis)
        thin = (rest > 0) & (rest < K)
        assert (kept.sum(axis=axis)[thin] == 0).all()
    filled = fill_table(kept, table.sum(axis=1), table.sum(axis=0))
    assert filled.sum() == table.sum()
    assert (filled[kept > 0] == kept[kept > 0]).all()
    if not ((table > 0) & (table < K)).any():
        assert (filled == table).all()
    coarse = fill_table(kept, suppress_margin(table.sum(axis=1), K), suppress_margin(table.sum(axis=0), K))
    assert coarse.sum() == table.sum()
    assert (coarse >= kept).all()


@given(st.integers(0, 10**6))
def test_the_gaps_bound_what_grouping_changes(seed: int) -> None:
    rng = np.random.default_rng(seed)

    def draw(rows: int) -> NumberCounts:
        spread = np.round(rng.normal(0, 10.0 ** rng.integers(-2, 4), rows), int(rng.integers(0, 4)))
        return NumberCounts.of(np.where(rng.random(rows) < rng.random(), rng.choice(spread, 3)[0], spread))

    real, other = draw(int(rng.integers(K, 900))), draw(int(rng.integers(1, 900)))
    cuts = quantile_edges(real, 50)
    kept, gone = suppress_numbers(real, K, cuts)
    assert kept.total == real.total
    assert kept.counts.min() >= K
    rare = real.values[real.counts < K]
    for told in (kept.values, gone.groups.low, gone.groups.high, cuts, np.array(gone.bounds)):
        assert not np.isin(told, rare).any()
    coarse = gone.groups.coarsen(other)
    steps = kolmogorov_smirnov(real, other).value - kolmogorov_smirnov(kept, coarse).value
    shares = [total_variation(r.binned(cuts), o.binned(cuts)).value for r, o in ((real, other), (kept, coarse))]
    assert abs(steps) <= gone.step_gap + 1e-12
    assert abs(shares[0] - shares[1]) <= gone.share_gap + 1e-12


def test_long_columns_stay_small() -> None:
    values = NumberCounts.of(np.random.default_rng(0).normal(size=400_000))
    kept, gone = suppress_numbers(values, K, quantile_edges(values, 50))
    assert len(kept.values) <= MAX_POINTS + 60
    assert gone.step_gap < 0.004


@given(st.floats(-1e12, 1e12), st.floats(1e-9, 1e6))
def test_a_number_between_two_others_lies_between(low: float, gap: float) -> None:
    high = low + gap
    if high > low:
        found = between(np.array([low]), np.array([high]))[0]
        assert np.isnan(found) or low < found < high
        assert not (np.isnan(found) and np.nextafter(low, high) < high)


def test_checks_that_need_rows_are_not_assessed(draw_people: Callable[[int, int], pa.Table], tmp_path: Path) -> None:
    real, synthetic, holdout = (draw_people(300, seed) for seed in (1, 2, 3))
    verdict = synthgate.evaluate(saved(tmp_path, real), synthetic, holdout=holdout, target="rich")
    reasons = {c.id: c.reason for c in verdict.checks if c.id.startswith(NEED_ROWS)}
    assert len(reasons) >= 9
    assert set(reasons.values()) == {"real is a profile, which holds counts and no rows"}
    assert verdict.run.real.rows == 300
    assert verdict.run.real.sha256 == open_table(real).sha256
    assert "real is a profile of 300 rows" in " ".join(verdict.run.notes)
    assert "fewer than 10 rows" in " ".join(verdict.run.notes)
    for check in verdict.checks:
        assert check.status != "error", check.reason


def test_defects_are_found_from_a_profile(draw_people: Callable[[int, int], pa.Table], tmp_path: Path) -> None:
    real, fresh = draw_people(1500, 1), draw_people(1500, 2)
    profile = saved(tmp_path, real)

    def failing(name: str, values: Any) -> set[str]:
        at = fresh.schema.names.index(name)
        return {c.id for c in judged(profile, fresh.set_column(at, name, values)).failures()}

    wage = fresh["wage"].to_numpy()
    assert {"schema.ranges", "fidelity.columns", "coverage.ranges"} <= failing("wage", pa.array(wage * 100))
    assert "schema.keys" in failing("id", pa.array(["P001-000001"] * 1500))
    jobs = np.array(fresh["job"].to_pylist(), object)
    assert "schema.categories" in failing("job", pa.array(np.where(jobs == "nurse", "Nurse", jobs).tolist()))
    assert "coverage.categories" in failing("job", pa.array(np.where(jobs == "pilot", "clerk", jobs).tolist()))
    assert "schema.nulls" in failing("age", pa.array(fresh["age"].to_numpy(), mask=np.arange(1500) % 9 == 0))
    numbers = [f"{k:06d}" for k in range(1500)]
    found = judged(profile, fresh.set_column(0, "id", pa.array(numbers)))["schema.formats"]
    assert found.status == "warn"


def test_rare_and_unknown_categories_are_read_alike(tmp_path: Path) -> None:
    kinds = ["x"] * 500 + ["y"] * 480 + [f"rare {k}" for k in range(20)]
    real = pa.table({"kind": kinds, "n": np.arange(1000) % 7})
    fresh = pa.table({"kind": kinds[:980] + [f"new {k}" for k in range(20)], "n": np.arange(1000) % 7})
    profile = saved(tmp_path, real)
    told = judged(profile, fresh)
    assert not told.failures()
    pool = [f for f in told["coverage.categories"].findings if "fewer than 10" in str(f.measured.details["name"])]
    assert [f.measured.details["found"] for f in pool] == [20]
    flooded = pa.table({"kind": ["x"] * 400 + [f"new {k}" for k in range(600)], "n": np.arange(1000) % 7})
    assert {"fidelity.columns", "coverage.categories"} <= {c.id for c in judged(profile, flooded).failures()}


def test_the_least_count_can_be_chosen(tmp_path: Path) -> None:
    table = secrets()
    told = json.loads(profile_text(table, k=40))["profile"]
    assert told["k"] == 40
    assert all(min(c["counts"]) >= 40 for c in told["columns"] if "values" in c)
    assert all(cell == 0 or cell >= 40 for pair in told["pairs"] for cell in pair["cells"])
    with pytest.raises(SynthgateError, match="at least 2"):
        profile_text(table, k=1)


def test_odd_columns_can_be_profiled(tmp_path: Path) -> None:
    n = 60
    table = pa.table(
        {
            "nothing": pa.nulls(n, pa.float64()),
            "null": pa.nulls(n),
            "constant": np.ones(n),
            "few": pa.array([1.5, 2.5, 3.5] + [None] * (n - 3)),
            "infinite": np.where(np.arange(n) % 20 == 0, np.inf, np.arange(n) / 7),
            "huge": np.where(np.arange(n) % 2 == 0, 1.7e308, -1.7e308) * np.linspace(0.5, 1, n),
            "vector": pa.array([[1.0, 2.0]] * n, pa.list_(pa.float32())),
            '<script>"\n': pa.array(["(fewer than 10 real rows)", "b"] * (n // 2)),
            "empty": [""] * n,
        }
    )
    profile = saved(tmp_path, table)
    verdict = synthgate.evaluate(profile, table)
    assert [c.id for c in verdict.checks if c.status == "error"] == []
    assert read_profile(open_table(profile, name="real")).counts.rows == n


def test_declared_constraints_are_held_against_what_the_profile_tells(
    draw_people: Callable[[int, int], pa.Table], tmp_path: Path
) -> None:
    real, synthetic = draw_people(1500, 1), draw_people(1500, 2)
    gate = tmp_path / "synthgate.yaml"
    rules = [
        "age >= 0",
        "wage > 1500",
        "job <> 'nurse'",
        "age % 2 = 0",
        "wage = round(wage, 2)",
        "age < wage",
        "member",
    ]
    gate.write_text(f"version: 1\nconstraints: {json.dumps(rules)}\n", encoding="utf-8")
    profile = saved(tmp_path, real)
    rows, told = (
        {
            f.measured.details["sql"]: f
            for f in synthgate.evaluate(source, synthetic, gate=gate, only=[check])[check].findings
        }
        for check in ("constraints.declared",)
        for source in (real, profile)
    )
    assert len(told) == len(rules)
    for sql in rules:
        assert told[sql].measured.estimate == rows[sql].measured.estimate
        assert told[sql].status == rows[sql].status, sql
        known, found = (side[sql].measured.details["broken_in_real"] for side in (rows, told))
        assert found is None or 0.9 * int(str(known)) - K <= int(str(found)) <= int(str(known)), sql
    assert [sql for sql in rules if told[sql].measured.details["broken_in_real"] is None] == rules[4:6]
    assert "its profile does not tell" in told["age < wage"].measured.message


def test_a_column_of_too_many_numbers_is_left_out_as_from_rows(
    draw_people: Callable[[int, int], pa.Table], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("synthgate.values.MAX_NUMBERS", 300)
    real, synthetic = draw_people(1000, 1), draw_people(1000, 2)
    rows, told = judged(real, synthetic), judged(saved(tmp_path, real), synthetic)
    for check in ("fidelity.columns", "schema.nulls"):
        assert told[check].ledger == rows[check].ledger
    pairs = told["fidelity.pairs"].ledger
    assert pairs.scored == rows["fidelity.pairs"].ledger.scored
    # what all pairs keep together needs rows, and a profile says so
    assert pairs.skipped[-1].subject == "dependence_kept"
    assert pairs.skipped[:-1] == rows["fidelity.pairs"].ledger.skipped
    assert "too many distinct values" in str(told["fidelity.columns"].ledger)


def _changed(path: Path, change: Callable[[dict[str, Any]], None], *, sign: bool = True) -> None:
    from synthgate.tables.profiles import digest_of

    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    if sign:
        content["sha256"] = digest_of(content["profile"])
    path.write_text(json.dumps(content), encoding="utf-8")


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "newer": (lambda p: _changed(p, lambda c: c.update(version=2)), "version 2, expected 1 or earlier"),
    "truncated": (lambda p: p.write_bytes(p.read_bytes()[:2000]), "damaged or truncated"),
    "cut short": (lambda p: p.write_bytes(p.read_bytes()[:40]), "damaged or truncated"),
    "empty": (lambda p: p.write_bytes(b""), "damaged or truncated"),
    "not text": (lambda p: p.write_bytes(b"\xff\xfe\x00" * 50), "damaged or truncated"),
    "nested": (lambda p: p.write_text("[" * 100_000), "damaged or truncated"),
    "other JSON": (lambda p: p.write_text('{"a": 1}'), "is no profile"),
    "edited": (
        lambda p: _changed(p, lambda c: c["profile"].update(rows=7), sign=False),
        "does not agree with its digest",
    ),
    "no version": (lambda p: _changed(p, lambda c: c.pop("version")), "damaged profile"),
    "version text": (lambda p: _changed(p, lambda c: c.update(version="2")), "damaged profile"),
    "no schema": (lambda p: _changed(p, lambda c: c["profile"].pop("schema")), "damaged profile"),
    "bad schema": (lambda p: _changed(p, lambda c: c["profile"].update(schema="QUJD")), "damaged profile"),
    "no columns": (lambda p: _changed(p, lambda c: c["profile"].pop("columns")), "damaged profile"),
    "odd column": (lambda p: _changed(p, lambda c: c["profile"]["columns"].append(3)), "damaged profile"),
    "fewer counts": (lambda p: _changed(p, lambda c: c["profile"]["columns"][2]["counts"].pop()), "damaged profile"),
    "bad pair": (lambda p: _changed(p, lambda c: c["profile"]["pairs"][0].update(columns=[0, 99])), "damaged profile"),
    "short pair": (lambda p: _changed(p, lambda c: c["profile"]["pairs"][0]["cells"].pop()), "damaged profile"),
}


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A profile as text, and the file of a synthetic table that it can judge."""
    folder = tmp_path_factory.mktemp("profiles")
    table = secrets(200, 1)
    pq.write_table(table, folder / "synthetic.parquet")
    return profile_text(table), folder / "synthetic.parquet"


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_profile_is_refused(
    damage: str, ready: tuple[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change, words = DAMAGES[damage]
    path = tmp_path / "real.profile"
    path.write_text(ready[0], encoding="utf-8")
    change(path)
    status = run_command(["run", str(path), str(ready[1]), "--out", str(tmp_path / "out")])
    told = capsys.readouterr().err
    assert status == 2
    assert words in told
    assert "fix: " in told
    assert str(path) in told
    assert "Traceback" not in told


def test_a_profile_of_other_columns_is_refused(ready: tuple[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "real.json"
    path.write_text(ready[0], encoding="utf-8")
    with pytest.raises(DataError, match="shares no column with"):
        judged(path, pa.table({"other": [1, 2, 3]}))


def test_a_profile_stands_for_the_real_table_only(ready: tuple[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "data.json"
    path.write_text(ready[0], encoding="utf-8")
    for sides in ((ready[1], path), (path, path)):
        with pytest.raises(DataError, match="holds counts and no rows"):
            judged(*sides)
    with pytest.raises(DataError, match="holds counts and no rows"):
        judged(path, ready[1], holdout=path)
    with pytest.raises(DataError, match="is a profile already"):
        profile_text(path)
    gate = tmp_path / "synthgate.yaml"
    gate.write_text("version: 1\nroles: {age: categorical}\n", encoding="utf-8")
    with pytest.raises(DataError, match="profiled as numerical, expected categorical"):
        judged(path, ready[1], gate=gate)


@pytest.mark.parametrize("command", ["init {} -o g.yaml", "init {} -o g.yaml --sdv m.json", "review {} {}"])
def test_commands_that_need_rows_say_so(
    command: str, ready: tuple[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("real.profile").write_text(ready[0], encoding="utf-8")
    assert run_command(command.format("real.profile", ready[1]).split()) == 2
    assert "real.profile: is a profile, which holds counts and no rows" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["real.profile"]


def test_the_command_writes_what_the_gate_reads(ready: tuple[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "real.profile"
    assert run_command(["profile", str(ready[1]), "-o", str(out)]) == 0
    assert not list(tmp_path.glob("*.part"))
    assert run_command(["profile", str(ready[1]), "-o", str(out)]) == 2
    assert run_command(["profile", str(ready[1]), "-o", str(out), "--force", "-k", "20"]) == 0
    gate = tmp_path / "synthgate.yaml"
    gate.write_text(f"version: 1\nreal: {out.name}\nsynthetic: {ready[1]}\n", encoding="utf-8")
    assert run_command(["run", "--gate", str(gate), "--only", "schema", "--out", str(tmp_path / "report")]) == 0
    result = json.loads((tmp_path / "report" / "result.json").read_text(encoding="utf-8"))
    assert result["data"]["real"]["rows"] == 200
    assert run_command(["profile", str(ready[1]), "-o", str(out), "--force", "--target", "nobody"]) == 2


def test_the_cache_tells_a_profile_from_its_rows(
    draw_people: Callable[[int, int], pa.Table], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNTHGATE_CACHE", str(tmp_path / "cache"))
    real, synthetic = draw_people(600, 1), draw_people(600, 2)
    path, only = saved(tmp_path, real), ("coverage.modes",)
    rows = synthgate.evaluate(real, synthetic, only=only, cache=True)
    told = synthgate.evaluate(path, synthetic, only=only, cache=True)
    assert rows["coverage.modes"].status != "not_assessed"
    assert told["coverage.modes"].status == "not_assessed"


def test_the_same_table_gives_the_same_bytes() -> None:
    assert profile_text(secrets(300)) == profile_text(secrets(300))


def test_help_says_what_it_is_for() -> None:
    from synthgate.cli.app import commands

    told = " ".join(CliRunner().invoke(commands, ["profile", "--help"]).output.split())
    assert "to judge against where the rows may not go" in told
