"""``synthgate init FOLDER``: a gate file, SDV metadata and contracts for several tables."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

import synthgate
from synthgate.bridges.sdv import read_tables_metadata
from synthgate.cli import run_command
from synthgate.findings import Status
from synthgate.gatefile import load_gate
from synthgate.links import Relationship


def clinic(patients: int, seed: int) -> dict[str, pa.Table]:
    """Draw patients and their visits, whose total is a sum and whose end follows their start."""
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(patients), rng.geometric(0.3, patients))
    rows = len(owner)
    base, extra = rng.integers(10, 500, rows), rng.integers(0, 90, rows)
    start = np.datetime64("2024-01-01", "D") + rng.integers(0, 700, rows)
    number = np.concatenate([np.arange(k) + 1 for k in np.bincount(owner)])
    return {
        "patients": pa.table(
            {"patient_id": [f"P{seed}-{k:05d}" for k in range(patients)], "age": rng.integers(0, 95, patients)}
        ),
        "visits": pa.table(
            {
                "patient_id": [f"P{seed}-{k:05d}" for k in owner],
                "visit_no": number,
                "base": base,
                "extra": extra,
                "total": base + extra,
                "start": start,
                "end": start + rng.geometric(0.4, rows) - 1,
            }
        ),
    }


def written(folder, tables):
    folder.mkdir(parents=True)
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet")
    return folder


@pytest.fixture
def sides(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, seed in (("train", 1), ("fresh", 2), ("held", 3)):
        written(tmp_path / name, clinic(400, seed))
    return tmp_path


def run(*arguments):
    return run_command([str(a) for a in arguments])


def test_the_gate_file_says_roles_keys_links_and_rules_of_every_table(sides):
    assert run("init", "train") == 0
    text = (sides / "synthgate.yaml").read_text()
    assert "relationships were inferred" in text
    gate = load_gate(sides / "synthgate.yaml")
    assert gate.relationships == (Relationship("patients", "visits", "patient_id", "patient_id"),)
    assert "patients.patient_id" in gate.keys
    assert gate.roles["visits.base"] == "numerical"
    assert "visits.patient_id" not in gate.roles  # the foreign key says it
    rules = {(rule.table, rule.name) for rule in gate.constraints}
    assert {("visits", "base + extra = total"), ("visits", "start <= end")} <= rules
    verdict = synthgate.evaluate(
        synthetic="fresh", holdout="held", gate=gate, only=["schema", "constraints", "relations"]
    )
    assert verdict.passed, verdict
    assert {t.table for t in verdict["constraints.declared"].tables} == {"visits", "patients"} & {r for r, _ in rules}


def test_a_broken_table_fails_the_rules_that_were_written(sides):
    run("init", "train")
    bad = clinic(400, 2)
    total = bad["visits"]["total"].to_numpy() + 1
    bad["visits"] = bad["visits"].set_column(4, "total", pa.array(total))
    written(sides / "bad", bad)
    assert run("run", "train", "bad", "--gate", "synthgate.yaml", "--only", "constraints.declared") == 1


def test_metadata_is_written_and_serves_the_next_run(sides):
    assert run("init", "train", "--sdv", "out/metadata.json") == 0
    content = json.loads((sides / "out" / "metadata.json").read_text())
    assert content["METADATA_SPEC_VERSION"] == "MULTI_TABLE_V1"
    assert content["tables"]["patients"]["primary_key"] == "patient_id"
    read = read_tables_metadata(content)
    assert [str(one) for one in read.relationships] == ["visits.patient_id -> patients.patient_id"]
    assert synthgate.evaluate("train", "fresh", metadata=content, only=["relations.foreign_keys"]).passed


def test_metadata_that_is_given_goes_before_what_is_found(sides):
    content = {
        "METADATA_SPEC_VERSION": "V1",
        "tables": {
            "patients": {"columns": {"patient_id": {"sdtype": "id"}, "age": {"sdtype": "categorical"}},
                         "primary_key": "patient_id"},
            "visits": {
                "columns": {n: {"sdtype": "id" if n == "patient_id" else "numerical"}
                            for n in ("patient_id", "visit_no", "base", "extra", "total")},
                "primary_key": ["patient_id", "visit_no"],
            },
        },
        "relationships": [],
    }  # fmt: skip
    (sides / "m.json").write_text(json.dumps(content))
    assert run("init", "train", "--metadata", "m.json", "--sdv", "again.json") == 0
    gate = load_gate(sides / "synthgate.yaml")
    assert gate.roles["patients.age"] == "categorical"
    assert gate.composite_keys == (("visits.patient_id", "visits.visit_no"),)
    assert gate.relationships == ()  # metadata of several tables says that there are none
    again = read_tables_metadata(json.loads((sides / "again.json").read_text()))
    assert again.tables["visits"].composite_keys == (("patient_id", "visit_no"),)
    assert synthgate.evaluate(synthetic="fresh", gate=gate, only=["schema.keys"]).passed


def test_contracts_are_written_for_each_table_and_held_to(sides):
    pytest.importorskip("pandera")
    pytest.importorskip("great_expectations")
    assert run("init", "train", "--pandera", "rules/pandera", "--great-expectations", "rules/gx", "-o", "g.yaml") == 0
    assert sorted(p.name for p in (sides / "rules").rglob("*.*")) == [
        "patients.json", "patients.yaml", "visits.json", "visits.yaml",
    ]  # fmt: skip
    names = ["constraints.pandera", "constraints.great_expectations"]
    verdict = synthgate.evaluate(synthetic="fresh", gate="g.yaml", only=names)
    assert [verdict[name].status for name in names] == [Status.PASS, Status.PASS]
    assert {one.table for one in verdict[names[0]].tables} == {"patients", "visits"}
    bad = clinic(400, 2)
    bad["patients"] = bad["patients"].set_column(1, "age", pa.array(np.full(400, -7)))
    verdict = synthgate.evaluate(synthetic=bad, real=clinic(400, 1), gate="g.yaml", only=names)
    for name in names:
        wrong = {f.measured.table for f in verdict[name].findings if f.status is Status.FAIL}
        assert wrong == {"patients"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--pandera", "schema.yaml"), "is one file, and several tables are given"),
        (("--great-expectations", "train/suites"), "lies among the tables"),
        (("--metadata", "nowhere.json"), "does not exist"),
        (("--pandera", "held/patients.parquet/x"), "cannot be made"),
    ],
)
def test_mistakes_are_one_sentence_and_leave_nothing_behind(sides, capsys, arguments, told):
    pytest.importorskip("pandera")
    before = sorted(sides.rglob("*"))
    assert run("init", "train", *arguments) == 2
    assert told in " ".join(capsys.readouterr().err.split())
    assert sorted(sides.rglob("*")) == before


def test_metadata_that_real_contradicts_is_refused_and_nothing_is_written(sides, capsys):
    columns = {name: {"sdtype": "numerical"} for name in ("visit_no", "base")}
    before = sorted(sides.rglob("*"))
    for change, told in (
        ({"primary_key": ["visit_no", "base"]}, "visits.(visit_no, base) is a key, but"),
        ({"columns": {**columns, "bse": {"sdtype": "numerical"}}}, "column 'bse' is not in"),
    ):
        tables = {"visits": {"columns": columns, **change}, "patients": {"columns": {"age": {"sdtype": "numerical"}}}}
        content = {"METADATA_SPEC_VERSION": "V1", "tables": tables, "relationships": []}
        path = sides.parent / "m.json"
        path.write_text(json.dumps(content))
        assert run("init", "train", "--metadata", path) == 2
        assert told in " ".join(capsys.readouterr().err.split())
        assert sorted(sides.rglob("*")) == before


def test_a_circle_is_told_at_its_line(sides, capsys):
    ends = "{child: visits.patient_id, parent: patients.patient_id}", "{child: patients.age, parent: visits.base}"
    (sides / "g.yaml").write_text(f"version: 1\nrelationships: [{', '.join(ends)}]\n")
    assert run("run", "train", "fresh", "--gate", "g.yaml") == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "g.yaml:2" in told
    assert "form a circle" in told


def test_what_is_there_already_is_not_overwritten(sides, capsys):
    pytest.importorskip("pandera")
    (sides / "rules").mkdir()
    (sides / "rules" / "visits.yaml").write_text("mine")
    before = sorted(sides.rglob("*"))
    assert run("init", "train", "--pandera", "rules") == 2
    assert "visits.yaml: the file exists already" in capsys.readouterr().err
    assert sorted(sides.rglob("*")) == before
    assert run("init", "train", "--pandera", "rules", "--force") == 0
    assert (sides / "rules" / "visits.yaml").read_text() != "mine"


def test_hostile_names_of_tables_and_columns_are_only_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def odd(seed):
        made = clinic(200, seed)
        renamed = made["patients"].rename_columns(["patient_id", "age: {x}\n# '\""])
        return {"patients 2024.v1": renamed, "visits'; -- #": made["visits"]}

    written(tmp_path / "real", odd(1))
    written(tmp_path / "synthetic", odd(2))
    assert run("init", "real", "--sdv", "m.json") == 0
    gate = load_gate("synthgate.yaml")
    assert "patients 2024.v1.age: {x}\n# '\"" in gate.roles
    verdict = synthgate.evaluate(gate="synthgate.yaml", only=["schema", "constraints", "relations"])
    assert verdict.passed, verdict
    assert verdict["relations.foreign_keys"].ledger.scored == 1


def test_the_gate_file_names_tables_as_seen_from_where_it_stands(sides):
    (sides / "gates").mkdir()
    assert run("init", "train", "-o", "gates/g.yaml") == 0
    assert load_gate("gates/g.yaml").real == "gates/../train"
    pa.csv.write_csv(clinic(300, 1)["visits"], sides / "visits.csv")
    assert run("init", "visits.csv", "-o", "gates/one.yaml") == 0
    gate = load_gate("gates/one.yaml")
    assert (gate.real, gate.synthetic) == ("gates/../visits.csv", "gates/synthetic.csv")


def trips(seed: int, rows: int = 400) -> dict[str, pa.Table]:
    """Draw trips between towns, which the trips call by other names than the towns do, and their price classes."""
    rng = np.random.default_rng(seed)
    codes = ["".join(rng.choice(list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), 4)) for _ in range(60)]
    return {
        "towns": pa.table({"code": codes, "people": rng.integers(100, 10**6, 60), "number": np.arange(60)}),
        "grades": pa.table({"letter": list("ABCDEF"), "least": [90, 80, 70, 60, 50, 0]}),
        "trips": pa.table(
            {
                "start": rng.choice(codes[:20], rows),
                "goal": [None, *rng.choice(codes[10:], rows - 1)],
                "seats": rng.integers(1, 60, rows),
                "class": rng.choice(list("ABC"), rows),
            }
        ),
    }


def test_foreign_keys_of_other_names_are_suggested_with_their_evidence_and_not_used(sides):
    written(sides / "trips", trips(5))
    assert run("init", "trips") == 0
    text = (sides / "synthgate.yaml").read_text()
    told = '#   - {"child": "trips.start", "parent": "towns.code"}   # all 20 different values are among the 60 keys'
    assert told in text
    assert '"child": "trips.goal"' in text
    # small whole numbers and single letters are among other keys by luck
    assert '"trips.seats"' not in text
    assert '"trips.class"' not in text
    gate = load_gate(sides / "synthgate.yaml")
    assert gate.relationships == ()


def test_no_foreign_key_is_suggested_between_tables_that_share_nothing():
    from synthgate.linking import suggest_relationships
    from synthgate.tables import open_table

    rng = np.random.default_rng(9)
    for _ in range(20):
        tables = {
            name: open_table(
                pa.table(
                    {
                        "id": np.arange(200),
                        "code": [f"{chr(65 + rng.integers(26))}{k % 10}{k // 10}" for k in range(200)],
                        "level": rng.choice(list("ABCDE"), 200),
                        "count": rng.poisson(20, 200),
                        "year": rng.integers(1990, 2020, 200),
                    }
                )
            )
            for name in ("a", "b", "c")
        }
        assert [s for s in suggest_relationships(tables, ()) if s.relationship.foreign_key != "code"] == []


def test_rules_of_sequences_are_tolerant_of_whole_sequences(sides):
    rng = np.random.default_rng(6)
    person = np.repeat(np.arange(200), rng.integers(3, 12, 200))
    low = rng.gamma(3, 10, 200)[person].round(1)
    high = low + rng.gamma(2, 4, 200)[person].round(1)
    table = pa.table({"person": [f"P{k:04d}" for k in person], "low": low, "high": high})
    pq.write_table(table, sides / "long.parquet")
    columns = {"person": {"sdtype": "id"}, "low": {"sdtype": "numerical"}, "high": {"sdtype": "numerical"}}
    described = {"METADATA_SPEC_VERSION": "SINGLE_TABLE_V1", "columns": columns}
    tolerated = []
    for more in ({}, {"sequence_key": "person"}):
        (sides / "metadata.json").write_text(json.dumps(described | more))
        assert run("init", "long.parquet", "--metadata", "metadata.json", "--force") == 0
        rules = {rule.name: rule.tolerance for rule in load_gate(sides / "synthgate.yaml").constraints}
        tolerated.append(rules["low <= high"])
    assert 0 < tolerated[0] < tolerated[1] / 1.5
