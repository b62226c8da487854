"""Several tables: foreign keys, children per parent, dependence across joins, and everything table by table."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import jsonschema
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import synthgate
from synthgate._bundle import bundled
from synthgate.clusters import clustered_shares
from synthgate.errors import DataError, GateFileError, SynthgateError, UsageError
from synthgate.findings import Outcome, Status
from synthgate.gatefile import load_gate
from synthgate.linking import infer_relationships
from synthgate.links import Relationship
from synthgate.tables import open_table

FAST = ["schema", "constraints", "relations", "fidelity", "coverage"]
SHOPS = pa.table({"shop_id": [f"S{k}" for k in range(12)], "town": [f"town {k % 4}" for k in range(12)]})


def store(customers: int, seed: int, *, mean: float = 3.0) -> dict[str, pa.Table]:
    """Draw customers, their orders, and the shops where they ordered, which are the same for all."""
    rng = np.random.default_rng(seed)
    group = rng.choice(["young", "old", "firm"], customers, p=[0.4, 0.4, 0.2])
    many = rng.geometric(1 / np.where(group == "firm", 2 * mean, mean)) - (rng.random(customers) < 0.3)
    owner = np.repeat(np.arange(customers), many)
    level = {"young": 20.0, "old": 60.0, "firm": 150.0}
    amount = np.round(np.array([level[g] for g in group[owner]]) + rng.gamma(2, 8, len(owner)), 2)
    ids = np.array([f"C{seed:03d}{k:05d}" for k in range(customers)])
    # ids of equal length, of which orders are numbered over all
    return {
        "customers": pa.table({"customer_id": ids, "group": group, "age": rng.integers(18, 90, customers)}),
        "orders": pa.table(
            {
                "order_id": np.arange(len(owner)) + 10_000 * seed,
                "customer_id": ids[owner],
                "shop_id": rng.choice(SHOPS["shop_id"].to_numpy(zero_copy_only=False), len(owner)),
                "amount": amount,
                "paid": rng.random(len(owner)) < np.where(group[owner] == "firm", 0.4, 0.9),
            }
        ),
        "shops": SHOPS,
    }


LINKS = [
    Relationship("customers", "orders", "customer_id", "customer_id"),
    Relationship("shops", "orders", "shop_id", "shop_id"),
]


def changed(tables, table, column, values):
    """Return the tables with one column of one of them replaced."""
    at = tables[table].column_names.index(column)
    return {**tables, table: tables[table].set_column(at, column, pa.array(values))}


@pytest.fixture(scope="module")
def sides():
    """Return real, synthetic and holdout of one population."""
    return store(900, 1), store(900, 2), store(900, 3)


def found(verdict, check, metric):
    return [f for f in verdict[check].findings if f.measured.metric == metric]


def test_fresh_tables_pass_and_everything_names_its_table(sides):
    real, synthetic, holdout = sides
    verdict = synthgate.evaluate(real, synthetic, holdout=holdout, only=FAST)
    assert verdict.passed, verdict
    assert {f.measured.table for c in verdict for f in c.findings} == {"customers", "orders", "shops"}
    assert any("orders.customer_id -> customers.customer_id" in n and "inferred" in n for n in verdict.run.notes)
    assert any("reference tables" in n and "shops" in n for n in verdict.run.notes)
    assert {one.table for one in verdict["schema.columns"].tables} == {"customers", "orders", "shops"}
    assert {one.table for one in verdict["relations.cardinality"].tables} == {"orders"}
    assert verdict.run.real.rows == sum(table.num_rows for table in real.values())
    assert verdict.run.roles["orders.shop_id"] == "categorical"  # a key of a reference table means something
    assert verdict.run.roles["orders.customer_id"] == "id"


def test_one_orphan_fails_and_is_counted(sides):
    real, synthetic, holdout = sides
    owners = synthetic["orders"]["customer_id"].to_pylist()
    bad = changed(synthetic, "orders", "customer_id", ["nobody", *owners[1:]])
    verdict = synthgate.evaluate(real, bad, holdout=holdout, only=["relations.foreign_keys"])
    (wrong,) = [f for f in found(verdict, "relations.foreign_keys", "orphan_share") if f.status is Status.FAIL]
    assert wrong.measured.columns == ("customer_id",)
    assert wrong.measured.message.startswith("1 of ")
    assert verdict.outcome is Outcome.FAIL


def test_orphans_that_real_has_too_are_accepted(sides):
    def torn(tables, share):
        owners = tables["orders"]["customer_id"].to_pylist()
        lost = np.random.default_rng(0).random(len(owners)) < share
        return changed(
            tables, "orders", "customer_id", ["gone" if at else o for o, at in zip(owners, lost, strict=True)]
        )

    real, synthetic, _ = sides
    gate = replace(load_gate(only=["relations.foreign_keys"]), relationships=tuple(LINKS))
    as_real = synthgate.evaluate(torn(real, 0.03), torn(synthetic, 0.03), gate=gate)
    assert as_real.passed
    assert any("break the foreign key" in note for note in as_real.run.notes)
    assert synthgate.evaluate(torn(real, 0.03), torn(synthetic, 0.10), gate=gate).outcome is Outcome.FAIL


def test_keys_drawn_at_random_lose_cardinality_and_dependence_but_no_parent(sides):
    real, synthetic, holdout = sides
    keys = synthetic["customers"]["customer_id"].to_numpy(zero_copy_only=False)
    drawn = np.random.default_rng(5).choice(keys, synthetic["orders"].num_rows)
    verdict = synthgate.evaluate(
        real, changed(synthetic, "orders", "customer_id", drawn), holdout=holdout, only=["relations"]
    )
    assert {c.id for c in verdict.failures()} == {"relations.cardinality", "relations.pairs"}
    worst = verdict["relations.pairs"].findings[0].measured
    assert worst.columns[1] == "customers.group"
    assert worst.table == "orders"


def test_a_permuted_link_keeps_cardinality_and_loses_dependence(sides):
    real, synthetic, holdout = sides
    owners = np.random.default_rng(6).permutation(synthetic["orders"]["customer_id"].to_pylist())
    verdict = synthgate.evaluate(
        real, changed(synthetic, "orders", "customer_id", owners), holdout=holdout, only=["relations"]
    )
    assert {c.id for c in verdict.failures()} == {"relations.pairs"}


def test_dependence_is_seen_two_levels_up():
    def chain(seed, *, broken=False):
        rng = np.random.default_rng(seed)
        regions, firms, bills = 120, 700, 4000
        rich = rng.random(regions) < 0.5
        region = rng.integers(0, regions, firms)
        firm = rng.integers(0, firms, bills)
        size = np.where(rich[region[firm]], 900, 100) + rng.normal(0, 30, bills)
        if broken:
            size = rng.permutation(size)
        name = f"{seed:02d}"
        return {
            "regions": pa.table({"region_id": [f"R{name}{k:03d}" for k in range(regions)], "rich": rich}),
            "firms": pa.table(
                {
                    "firm_id": [f"F{name}{k:04d}" for k in range(firms)],
                    "region_id": [f"R{name}{k:03d}" for k in region],
                }
            ),
            "bills": pa.table({"firm_id": [f"F{name}{k:04d}" for k in firm], "size": size}),
        }

    good = synthgate.evaluate(chain(1), chain(2), holdout=chain(3), only=["relations.pairs"])
    assert good["relations.pairs"].status in (Status.PASS, Status.INCONCLUSIVE)
    bad = synthgate.evaluate(chain(1), chain(2, broken=True), holdout=chain(3), only=["relations.pairs"])
    (failing,) = [f.measured for f in bad["relations.pairs"].findings if f.status is Status.FAIL]
    assert failing.columns == ("size", "regions.rich")
    assert failing.details["levels"] == 2
    assert failing.details["units_real"] <= 120  # what is independent is the region


@pytest.mark.slow
def test_fresh_tables_practically_never_fail():
    failed = []
    for seed in range(40):
        size = (40, 150, 600)[seed % 3]
        holdout = store(size, 3000 + seed) if seed % 2 else None
        verdict = synthgate.evaluate(
            store(size, 100 + seed), store(size, 500 + seed), holdout=holdout, only=["relations"]
        )
        failed += [(seed, size, check.id) for check in verdict.failures()]
    assert failed == []


def test_a_folder_of_csv_files_is_judged_as_the_mapping_is(tmp_path, sides):
    for side, tables in zip(("real", "synthetic", "holdout"), sides, strict=True):
        (tmp_path / side).mkdir()
        (tmp_path / side / "README.md").write_text("no table")
        (tmp_path / side / "metadata.json").write_text("{}")
        for name, table in tables.items():
            pa.csv.write_csv(table, tmp_path / side / f"{name}.csv")
    as_files = synthgate.evaluate(
        tmp_path / "real", tmp_path / "synthetic", holdout=tmp_path / "holdout", only=["relations"]
    )
    as_frames = synthgate.evaluate(sides[0], sides[1], holdout=sides[2], only=["relations"])
    assert as_files.run.real.tables["orders"].rows == sides[0]["orders"].num_rows
    for check in as_files:
        assert check.score == as_frames[check.id].score
        assert check.status is as_frames[check.id].status


def test_a_table_may_be_a_folder_of_parts(tmp_path, sides):
    real = sides[0]
    (tmp_path / "orders").mkdir()
    half = real["orders"].num_rows // 2
    pq.write_table(real["orders"][:half], tmp_path / "orders" / "1.parquet")
    pq.write_table(real["orders"][half:], tmp_path / "orders" / "2.parquet")
    pq.write_table(real["customers"], tmp_path / "customers.parquet")
    verdict = synthgate.evaluate(tmp_path, tmp_path, only=["relations.foreign_keys"])
    assert verdict.run.real.tables["orders"].rows == real["orders"].num_rows


def test_the_same_seed_gives_the_same_result_in_any_order_of_the_tables(sides):
    def once(turned):
        real, synthetic, holdout = (dict(reversed(t.items())) if turned else t for t in sides)
        verdict = synthgate.evaluate(real, synthetic, holdout=holdout, only=FAST, target="orders.paid", seed=4)
        return repr([replace(check, seconds=0.0) for check in verdict])

    assert once(turned=False) == once(turned=True)


def test_the_result_fits_its_schema_and_every_report_shows_the_tables(tmp_path, sides):
    from synthgate.render import FORMATS, render
    from synthgate.render.console import render as console

    real, synthetic, holdout = sides
    hostile = '<script>alert("x")</script>'
    named = {hostile if k == "customers" else k: v for k, v in real.items()}
    other = {hostile if k == "customers" else k: v for k, v in synthetic.items()}
    verdict = synthgate.evaluate(
        named, other, holdout={hostile: holdout["customers"], "orders": holdout["orders"]}, only=FAST
    )
    schema = json.loads(bundled("reports").joinpath("result.schema.json").read_text())
    result = json.loads(render(verdict, "json"))
    jsonschema.validate(result, schema)
    assert result["data"]["real"]["tables"]["orders"]["rows"] == real["orders"].num_rows
    assert {one["table"] for one in result["checks"][0]["tables"]} == {hostile, "orders", "shops"}
    for kind in FORMATS:
        assert hostile not in render(verdict, kind).replace("\\", "") or kind in ("json", "sarif")
    assert "Table by table" in render(verdict, "html")
    assert "Tables\n" in console(verdict, color=False)
    assert any("the holdout lacks the table 'shops'" in note for note in verdict.run.notes)


def test_a_run_for_one_table_is_as_before(draw_people):
    verdict = synthgate.evaluate(draw_people(200, 1), draw_people(200, 2), only=FAST[:2])
    assert not any(check.tables for check in verdict)
    assert "tables" not in verdict.to_dict()["data"]["real"]
    every = synthgate.evaluate(draw_people(200, 1), draw_people(200, 2), skip=["privacy", "utility"])
    assert {check.family for check in every}.isdisjoint({"relations", "sequences"})
    asked = synthgate.evaluate(draw_people(200, 1), draw_people(200, 2), only=["relations.pairs", "schema.columns"])
    assert asked["relations.pairs"].status is Status.NOT_ASSESSED


def test_tables_of_one_side_only_are_findings(sides):
    real, synthetic, _ = sides
    more = {**{k: v for k, v in synthetic.items() if k != "shops"}, "notes": SHOPS}
    verdict = synthgate.evaluate(real, more, only=["schema.columns"])
    told = {
        (f.measured.table, f.measured.metric) for f in verdict["schema.columns"].findings if f.status is Status.FAIL
    }
    assert told == {("shops", "table_missing"), ("notes", "table_added")}
    assert verdict.outcome is Outcome.FAIL


def test_privacy_is_not_assessed_on_reference_tables_and_copies_of_others_are_found(sides):
    real, synthetic, holdout = sides
    copied = {name: pa.concat_tables([synthetic[name], real[name]]) for name in ("customers", "orders")}
    verdict = synthgate.evaluate(real, {**copied, "shops": SHOPS}, holdout=holdout, only=["privacy.copies"])
    by_table = {one.table: one.status for one in verdict["privacy.copies"].tables}
    assert by_table["shops"] is Status.NOT_ASSESSED
    assert by_table["orders"] is Status.FAIL


def test_a_holdout_that_was_split_by_row_is_told(sides):
    real, synthetic, _ = sides
    orders = real["orders"]
    first = np.random.default_rng(0).random(orders.num_rows) < 0.5
    half = {**real, "orders": orders.filter(pa.array(first))}
    other = {**real, "orders": orders.filter(pa.array(~first))}
    # the parents are the same rows on both sides: they count as reference, so that nothing is said of them
    other["customers"] = other["customers"].slice(0, 800)
    verdict = synthgate.evaluate(half, synthetic, holdout=other, only=["relations.foreign_keys"])
    assert any("split by parent, not by row" in note for note in verdict.run.notes)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("relationships: [{child: orders.customer, parent: customers.customer_id}]", "did you mean 'customer_id'"),
        ("relationships: [{child: orders, parent: customers.customer_id}]", "expected a table and its column"),
        ("reference: [shop]", "did you mean 'shops'"),
        ("target: customer_id", "several tables"),
        ("target: nothing", "is in no real table"),
        ("sequence: {key: shop_id, table: ordrs}", "did you mean 'orders'"),
        ("constraints: [amount > 0]", "which table"),
        ("constraints: [{sql: amount > 0, table: order}]", "did you mean 'orders'"),
    ],
)
def test_a_gate_file_for_other_tables_is_one_clear_sentence(tmp_path, sides, text, match):
    path = tmp_path / "synthgate.yaml"
    path.write_text(text + "\n")
    with pytest.raises((GateFileError, DataError), match=match):
        synthgate.evaluate(sides[0], sides[1], gate=path, only=["schema.columns"])


def test_what_the_gate_file_says_reaches_its_table(tmp_path, sides):
    path = tmp_path / "synthgate.yaml"
    path.write_text(
        "relationships: [{child: orders.customer_id, parent: customers.customer_id}]\n"
        "reference: [shops]\nroles: {orders.shop_id: id}\nkey: orders.order_id\n"
        "constraints: [{sql: amount < 0, table: orders, name: wrong}]\n"
        "waivers: [{check: constraints.declared, until: '2999-01-01', reason: known, columns: []}]\n"
    )
    verdict = synthgate.evaluate(sides[0], sides[1], gate=path, only=["constraints", "schema.keys", "relations"])
    assert {one.table for one in verdict["constraints.declared"].tables} == {"orders"}
    assert verdict["relations.foreign_keys"].ledger.scored == 1
    assert verdict.run.roles["orders.shop_id"] == "id"


def test_foreign_keys_are_inferred_only_where_names_and_values_agree():
    def opened(**tables):
        return {name: open_table(pa.table(columns), name=name) for name, columns in tables.items()}

    people = {"id": [1, 2, 3, 4], "count": [1, 2, 3, 4]}
    yes = opened(people=people, visits={"people_id": [1, 1, 4], "count": [1, 2, 3]})
    assert [str(r) for r in infer_relationships(yes)] == ["visits.people_id -> people.id"]
    singular = opened(cities={"id": [1, 2, 3]}, visits={"city_id": [1.0, None, 3.0]})
    assert [str(r) for r in infer_relationships(singular)] == ["visits.city_id -> cities.id"]
    for visits in (
        {"people_id": [1, 9]},  # a value that no parent has
        {"people_id": ["1", "2"]},  # another type
        {"other": [1, 2]},  # another name
        {"people_id": [1, 1]},  # one value only
        {"people_id": [1.5, 2.0]},  # no key
    ):
        assert infer_relationships(opened(people=people, visits=visits)) == ()
    two = opened(a={"code": [1, 2, 3]}, b={"code": [1, 2, 3, 4]}, c={"code": [1, 1, 2]})
    assert [r for r in infer_relationships(two) if r.child == "c"] == []  # which one is meant?


def test_a_table_that_points_to_itself_is_judged():
    def staff(seed):
        rng = np.random.default_rng(seed)
        boss = [None if k < 5 else f"E{seed}{rng.integers(0, k):04d}" for k in range(300)]
        return {
            "staff": pa.table(
                {"staff_id": [f"E{seed}{k:04d}" for k in range(300)], "boss": boss, "pay": rng.random(300)}
            )
        }

    link = Relationship("staff", "staff", "staff_id", "boss")
    gate = replace(load_gate(only=["relations"]), relationships=(link,))
    verdict = synthgate.evaluate(staff(1), staff(2), gate=gate)
    assert verdict["relations.foreign_keys"].status is Status.PASS
    assert not verdict.failures()


def test_bad_data_sets_are_refused(tmp_path, sides):
    real, synthetic, _ = sides
    with pytest.raises(UsageError, match="several tables"):
        synthgate.evaluate(real, synthetic["orders"])
    with pytest.raises(DataError, match="shares no table"):
        synthgate.evaluate(real, {"other": SHOPS})
    with pytest.raises(DataError, match="no rows"):
        synthgate.evaluate(real, {**synthetic, "orders": synthetic["orders"][:0]})
    with pytest.raises(DataError, match="holds no table"):
        synthgate.evaluate(tmp_path, tmp_path)
    (tmp_path / "t.csv").write_text("a\n1\n")
    (tmp_path / "t.tsv").write_text("a\n1\n")
    with pytest.raises(DataError, match="two files"):
        synthgate.evaluate(tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("relationships", "match"),
    [
        ((Relationship("shops", "orders", "town", "shop_id"),), "repeat in real"),
        ((Relationship("customers", "orders", "customer_id", "shop_id"),), "name a parent that is not there"),
        ((Relationship("customers", "orders", "customer_id", "amount"),), "float"),
        (
            (
                Relationship("customers", "orders", "customer_id", "customer_id"),
                Relationship("orders", "customers", "order_id", "age"),
            ),
            "circle",
        ),
    ],
)
def test_relationships_that_real_contradicts_are_refused(sides, relationships, match):
    gate = replace(load_gate(only=["relations"]), relationships=relationships)
    with pytest.raises(DataError, match=match):
        synthgate.evaluate(sides[0], sides[1], gate=gate)


def test_the_command_line_takes_folders_and_gives_exit_code_two_for_a_circle(tmp_path, sides):
    for side, tables in zip(("real", "synthetic"), sides, strict=False):
        (tmp_path / side).mkdir()
        for name, table in tables.items():
            pq.write_table(table, tmp_path / side / f"{name}.parquet")
    columns = {name: {c: {"sdtype": "id"} for c in table.column_names} for name, table in sides[0].items()}
    link = {"parent_primary_key": "shop_id", "child_foreign_key": "shop_id"}
    content = {
        "METADATA_SPEC_VERSION": "MULTI_TABLE_V1",
        "tables": {name: {"columns": entry} for name, entry in columns.items()},
        "relationships": [
            {"parent_table_name": "shops", "child_table_name": "orders", **link},
            {"parent_table_name": "orders", "child_table_name": "shops", **link},
        ],
    }
    (tmp_path / "m.json").write_text(json.dumps(content))
    command = [sys.executable, "-m", "synthgate", "run", "real", "synthetic", "--metadata", "m.json", "--out", "out"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env={**os.environ})
    assert done.returncode == 2
    assert "circle" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.json", "real", "synthetic"]


@given(st.integers(0, 2**16), st.integers(2, 40), st.integers(1, 6))
def test_the_variance_of_clustered_shares_is_that_of_a_ratio(seed, clusters, cells):
    rng = np.random.default_rng(seed)
    units = np.sort(rng.integers(0, clusters, 200))
    _, units = np.unique(units, return_inverse=True)
    codes = rng.integers(0, cells, 200)
    made = clustered_shares(units.astype(np.int64), codes, cells)
    sizes = np.bincount(units)
    for cell in range(cells):
        inside = np.bincount(units, weights=codes == cell)
        share = inside.sum() / 200
        expected = ((inside - share * sizes) ** 2).sum() / 200**2 * len(sizes) / max(1, len(sizes) - 1)
        assert made.variance[cell] == pytest.approx(expected, abs=1e-12)
    assert (made.groups.sum(axis=0) == made.counts).all()
    assert made.design >= 1


def test_shared_relational_data_comes_out_as_its_readme_says(shared_data):
    folder = shared_data / "relational" / "nycflights"
    failed = {}
    for name in ("fresh_real", "independent_tables"):
        verdict = synthgate.evaluate(
            folder / "train", folder / "synthetic" / name, holdout=folder / "holdout",
            metadata=folder / "metadata.json", only=["relations"],
        )  # fmt: skip
        failed[name] = {check.id for check in verdict.failures()}
    assert failed == {"fresh_real": set(), "independent_tables": {"relations.cardinality", "relations.pairs"}}


def test_any_wrong_pairing_of_sources_ends_in_a_clear_error(sides):
    for wrong in ({}, {"orders": 5}, {"orders": [1, 2]}):
        with pytest.raises(SynthgateError):
            synthgate.evaluate(sides[0], wrong)
