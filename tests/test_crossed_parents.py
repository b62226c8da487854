"""Rows with several parents: errors are those of the parent that ties them most, not of the one with fewest rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

import synthgate
from synthgate.evidence import Evidence
from synthgate.findings import Status
from synthgate.gatefile import load_gate
from synthgate.links import Link, Relationship
from synthgate.roles import Role
from synthgate.sides import count_side
from synthgate.survey import make_plan
from synthgate.tables import open_table

LINKS = (
    Relationship("patients", "stays", "patient_id", "patient_id"),
    Relationship("doctors", "stays", "doctor_id", "doctor_id"),
    Relationship("stays", "labs", "stay_id", "stay_id"),
)


def hospital(patients: int, seed: int) -> dict[str, pa.Table]:
    """Draw patients of whom some stay often, few doctors at random, and labs of each stay."""
    rng = np.random.default_rng(seed)
    age = rng.integers(0, 95, patients)
    chronic = rng.random(patients) < 0.1 + 0.5 * (age > 60)
    owner = np.repeat(np.arange(patients), np.where(chronic, rng.geometric(0.3, patients), 1))
    stays, doctors = len(owner), 40
    labs = np.repeat(np.arange(stays), rng.geometric(np.where(chronic[owner], 0.15, 0.6)))
    level = np.round(rng.lognormal(np.where(chronic[owner][labs], 3.0, 1.0), 0.6), 1)
    staff = [f"D{seed}-{k:03d}" for k in range(doctors)]
    return {
        "patients": pa.table({"patient_id": [f"P{seed}-{k:05d}" for k in range(patients)], "age": age}),
        "doctors": pa.table({"doctor_id": staff, "rank": rng.choice(["senior", "junior"], doctors)}),
        "stays": pa.table(
            {
                "stay_id": np.arange(stays) + 100_000 * seed,
                "patient_id": [f"P{seed}-{k:05d}" for k in owner],
                "doctor_id": rng.choice(staff, stays),
                "chronic": chronic[owner],
            }
        ),
        "labs": pa.table(
            {
                "lab_id": np.arange(len(labs)) + 1_000_000 * seed,
                "stay_id": labs + 100_000 * seed,
                "level": level,
                "flag": np.where(level > 15, "high", "normal"),
            }
        ),
    }


def evidence(one: pa.Table, other: pa.Table, ids: tuple[str, ...], links: tuple[Link, ...] = ()) -> Evidence:
    real, synthetic = open_table(one, name="real"), open_table(other, name="synthetic")
    plan = make_plan(real, dict.fromkeys(ids, Role.ID), (), {})
    return Evidence(
        plan=plan,
        real=count_side(plan, real, 0),
        synthetic=count_side(plan, synthetic, 0),
        holdout=None,
        links=links,
    )


def test_the_parent_that_ties_a_column_sets_its_errors() -> None:
    a, b = hospital(600, 1), hospital(600, 2)
    patients = evidence(a["patients"], b["patients"], ("patient_id",))
    doctors = evidence(a["doctors"], b["doctors"], ("doctor_id",))
    by_patient, by_doctor = Link(LINKS[0], patients), Link(LINKS[1], doctors)

    def design(*links: Link) -> float:
        ids = ("stay_id", "patient_id", "doctor_id")
        return evidence(a["stays"], b["stays"], ids, links).design_of("chronic")

    alone = design(by_patient)
    assert alone > 1.4  # a patient is chronic in all stays
    assert design(by_doctor) < 1.2
    assert design(by_patient, by_doctor) == design(by_doctor, by_patient) == pytest.approx(alone)


def test_pairs_two_levels_up_count_ancestors_whatever_else_the_rows_between_belong_to() -> None:
    a, b = hospital(300, 1), hospital(300, 2)
    gate = replace(load_gate(only=["relations.pairs"]), relationships=LINKS)
    verdict = synthgate.evaluate(a, b, gate=gate)
    found = {
        f.measured.columns: f.measured.details["units_real"]
        for f in verdict["relations.pairs"].findings
        if f.measured.table == "labs"
    }
    assert found["flag", "patients.age"] == 300
    assert found["flag", "doctors.rank"] == 40


@pytest.mark.slow
def test_fresh_tables_with_crossed_parents_practically_never_fail() -> None:
    failed = []
    gate = replace(load_gate(only=["relations"]), relationships=LINKS)
    for seed in range(60):
        size = (100, 150, 400)[seed % 3]
        holdout = hospital(size, 2000 + seed) if seed % 2 else None
        verdict = synthgate.evaluate(hospital(size, 100 + seed), hospital(size, 500 + seed), holdout=holdout, gate=gate)
        failed += [(seed, size, check.id) for check in verdict if check.status in (Status.FAIL, Status.ERROR)]
    assert failed == []
