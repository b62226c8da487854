"""Sequences: order, lengths and transitions, with the sequence as the independent unit."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import synthgate
from synthgate.errors import GateFileError
from synthgate.findings import Status
from synthgate.gatefile import load_gate
from synthgate.measures.sequences.autocorrelation import course
from synthgate.measures.sequences.steps import steps_of

METADATA = {
    "METADATA_SPEC_VERSION": "SINGLE_TABLE_V1",
    "columns": {
        "patient": {"sdtype": "id"},
        "hour": {"sdtype": "numerical"},
        "state": {"sdtype": "categorical"},
        "ward": {"sdtype": "categorical"},
        "pulse": {"sdtype": "numerical"},
    },
    "sequence_key": "patient",
    "sequence_index": "hour",
}


def visits(sequences: int, seed: int, *, steps: int = 20, persistence: float = 0.8) -> pa.Table:
    """Draw sequences of an autoregressive value, a sticky state and a ward that never changes within one."""
    rng = np.random.default_rng(seed)
    rows: dict[str, list[object]] = {name: [] for name in METADATA["columns"]}
    for number in range(sequences):
        pulse, state, ward = rng.normal(), rng.integers(0, 3), rng.choice(["north", "south"])
        for hour in range(int(rng.integers(steps - 5, steps + 6))):
            pulse = persistence * pulse + np.sqrt(1 - persistence**2) * rng.normal()
            state = state if rng.random() < 0.85 else rng.integers(0, 3)
            values = (f"P{seed}-{number:05d}", hour, "abc"[state], ward, round(float(80 + 10 * pulse), 3))
            for name, value in zip(rows, values, strict=True):
                rows[name].append(value)
    return pa.table(rows)


def within(table: pa.Table, column: str, seed: int) -> pa.Table:
    """Return the table with one column in random order within every sequence."""
    rng = np.random.default_rng(seed)
    keys = table["patient"].to_numpy(zero_copy_only=False)
    values = table[column].to_numpy(zero_copy_only=False).copy()
    for key in np.unique(keys):
        at = np.flatnonzero(keys == key)
        values[at] = values[rng.permutation(at)]
    return table.set_column(table.column_names.index(column), column, pa.array(values))


def judged(real, synthetic, holdout=None):
    return synthgate.evaluate(real, synthetic, holdout=holdout, metadata=METADATA, only=["sequences"])


@pytest.fixture(scope="module")
def sides():
    """Return real, synthetic and holdout of one population."""
    return visits(400, 1), visits(400, 2), visits(400, 3)


def test_fresh_sequences_pass_whatever_the_order_of_their_rows(sides):
    real, synthetic, holdout = sides
    verdict = judged(real, synthetic, holdout)
    assert not verdict.failures()
    assert verdict["sequences.autocorrelation"].status is Status.PASS
    assert verdict["sequences.transitions"].status is Status.PASS
    turned = synthetic.take(pa.array(np.random.default_rng(0).permutation(synthetic.num_rows)))
    for check in judged(real, turned, holdout):
        assert check.score.value == pytest.approx(verdict[check.id].score.value, abs=1e-9)
        assert check.score.position.low == pytest.approx(verdict[check.id].score.position.low, abs=1e-9)


def test_values_in_random_order_fail_in_autocorrelation_alone(sides):
    real, synthetic, holdout = sides
    verdict = judged(real, within(synthetic, "pulse", 5), holdout)
    assert {check.id for check in verdict.failures()} == {"sequences.autocorrelation"}
    failing = [f.measured for f in verdict["sequences.autocorrelation"].findings if f.status is Status.FAIL]
    assert [f.columns for f in failing] == [("pulse",)]
    assert failing[0].metric == "autocorrelation_similarity"
    assert failing[0].details["real"][0] > 0.4 > failing[0].details["synthetic"][0]


def test_values_that_are_smoother_than_real_ones_fail_too(sides):
    real, _, holdout = sides
    verdict = judged(real, visits(400, 2, persistence=0.99), holdout)
    assert verdict["sequences.autocorrelation"].status is Status.FAIL


def test_states_in_random_order_fail_in_transitions_alone(sides):
    real, synthetic, holdout = sides
    verdict = judged(real, within(synthetic, "state", 5), holdout)
    assert {check.id for check in verdict.failures()} == {"sequences.transitions"}
    (failing,) = [f.measured for f in verdict["sequences.transitions"].findings if f.status is Status.FAIL]
    assert failing.columns == ("state",)
    assert failing.details["stays_real"] > 0.8 > failing.details["stays_synthetic"]


def test_what_never_changes_within_a_real_sequence_has_to_stay(sides):
    real, synthetic, holdout = sides
    ward = np.random.default_rng(1).permutation(synthetic["ward"].to_numpy(zero_copy_only=False))
    verdict = judged(real, synthetic.set_column(3, "ward", pa.array(ward)), holdout)
    assert {f.measured.columns for f in verdict["sequences.transitions"].failed} == {("ward",)}


def test_truncated_sequences_fail_in_lengths(sides):
    real, synthetic, holdout = sides
    short = synthetic.filter(pa.array(synthetic["hour"].to_numpy() < 10))
    assert "sequences.lengths" in {check.id for check in judged(real, short, holdout).failures()}


def test_steps_dealt_to_sequences_at_random_lose_the_variance_between_them(sides):
    real, synthetic, holdout = sides
    drawn = np.random.default_rng(3).permutation(synthetic["pulse"].to_numpy())
    verdict = judged(real, synthetic.set_column(4, "pulse", pa.array(drawn)), holdout)
    failed = {f.measured.metric for f in verdict["sequences.autocorrelation"].failed}
    assert {"autocorrelation_similarity", "between_sequences_similarity"} <= failed


def test_few_sequences_are_not_assessed_and_never_pass():
    verdict = judged(visits(6, 1), visits(6, 2))
    assert {check.status for check in verdict} == {Status.NOT_ASSESSED}


@pytest.mark.slow
def test_fresh_sequences_practically_never_fail():
    failed = []
    for seed in range(60):
        size = (15, 40, 120)[seed % 3]
        holdout = visits(size, 3000 + seed) if seed % 2 else None
        verdict = judged(visits(size, 1000 + seed), visits(size, 2000 + seed), holdout)
        failed += [(seed, size, check.id) for check in verdict.failures()]
    assert failed == []


def test_the_gate_file_names_a_sequence_too(tmp_path, sides):
    path = tmp_path / "synthgate.yaml"
    path.write_text("sequence: {key: patient, index: hour}\n")
    verdict = synthgate.evaluate(sides[0], sides[1], gate=path, only=["sequences"])
    assert verdict["sequences.transitions"].status is Status.PASS
    assert verdict.run.roles["patient"] == "id"
    path.write_text("sequence: {key: patiemt}\n")
    with pytest.raises(GateFileError, match="did you mean 'patient'"):
        synthgate.evaluate(sides[0], sides[1], gate=path)
    path.write_text("sequence: {index: hour}\n")
    with pytest.raises(GateFileError, match="has no `key`"):
        load_gate(path)


def test_known_sequences_widen_the_intervals_of_other_checks(sides):
    real, synthetic, _ = sides
    plain = synthgate.evaluate(real, synthetic, only=["fidelity.columns"])
    tied = synthgate.evaluate(real, synthetic, only=["fidelity.columns"], metadata=METADATA)

    def width(verdict):
        (found,) = [
            f.measured.estimate
            for f in verdict["fidelity.columns"].findings
            if f.measured.columns == ("ward",) and f.measured.metric == "tv_complement"
        ]
        return found.high - found.low

    assert width(tied) > 2 * width(plain)  # a ward is drawn once per sequence, not once per row


def test_one_sequence_beyond_the_real_range_is_one_case_and_not_one_per_step(sides):
    real, synthetic, _ = sides
    first = synthetic["patient"].to_numpy(zero_copy_only=False) == synthetic["patient"][0].as_py()
    moved = synthetic["pulse"].to_numpy() + 100 * first
    storm = synthetic.set_column(4, "pulse", pa.array(moved))
    assert synthgate.evaluate(real, storm, only=["schema.ranges"]).failures()
    assert not synthgate.evaluate(real, storm, only=["schema.ranges"], metadata=METADATA).failures()


def test_a_holdout_of_known_sequences_is_told(sides):
    real, synthetic, _ = sides
    verdict = synthgate.evaluate(real, synthetic, holdout=real[:900], metadata=METADATA, only=["sequences.lengths"])
    assert any("sequences of the holdout" in note for note in verdict.run.notes)


@given(st.integers(0, 2**16), st.integers(1, 4))
def test_autocorrelation_is_that_of_its_definition(make_sequences, seed, lag):
    evidence = make_sequences(seed)
    steps = steps_of(evidence, "real")
    found = course(evidence, "value", "real", steps, 4)
    values = evidence.real.kept["value"].values[steps.order]
    ranks = np.array([(np.sum(values < v) + np.sum(values <= v)) / 2 / len(values) for v in values])
    top = bottom = 0.0
    for number in range(steps.sequences):
        own = ranks[steps.sequence == number]
        own = own - own.mean()
        top += float((own[:-lag] * own[lag:]).sum())
        bottom += float(((own[:-lag] ** 2 + own[lag:] ** 2) / 2).sum())
    assert found.lags[lag - 1] == pytest.approx(top / bottom, abs=1e-9)


@pytest.fixture(scope="module")
def make_sequences():
    """Return a function that makes evidence of sequences of random length."""
    from synthgate.evidence import Evidence
    from synthgate.links import SequenceKey
    from synthgate.roles import Role
    from synthgate.sides import count_side
    from synthgate.survey import make_plan
    from synthgate.tables import open_table

    def make(seed):
        rng = np.random.default_rng(seed)
        keys = np.repeat(np.arange(12), rng.integers(6, 12, 12))
        order = rng.permutation(len(keys))
        table = open_table(
            pa.table({"key": keys[order], "at": order, "value": rng.integers(0, 9, len(keys)).astype(float)})
        )
        plan = make_plan(table, {"key": Role.ID, "value": Role.NUMERICAL}, (), {})
        side = count_side(plan, table, 0)
        return Evidence(plan=plan, real=side, synthetic=side, holdout=None, sequence=SequenceKey("key", "at"))

    return make


@pytest.mark.parametrize("name", ["fresh_real", "iid_steps", "entity_copy"])
def test_shared_sequences_come_out_as_their_readme_says(shared_data, name):
    folder = shared_data / "sequence" / "weather_days"
    verdict = synthgate.evaluate(
        folder / "train.parquet", folder / "synthetic" / f"{name}.parquet", holdout=folder / "holdout.parquet",
        metadata=folder / "metadata.json", only=["sequences", "privacy.copies"],
    )  # fmt: skip
    failed = {check.id for check in verdict.failures()}
    expected = {"fresh_real": None, "iid_steps": "sequences.autocorrelation", "entity_copy": "privacy.copies"}[name]
    assert expected in failed if expected else not failed


def test_traces_are_quartiles_over_many_sequences_and_stop_where_these_are_few(sides):
    real, synthetic, _ = sides
    verdict = judged(real, synthetic)
    finding = next(
        f.measured
        for f in verdict["sequences.autocorrelation"].findings
        if f.measured.columns == ("pulse",) and "trace" in f.measured.details
    )
    trace = finding.details["trace"]
    frame = real.to_pandas()
    at_seven = frame[frame.hour == 7].pulse
    assert len(at_seven) >= 30
    assert trace["real"][7] == pytest.approx(at_seven.quantile([0.25, 0.5, 0.75]).tolist())
    assert len(trace["real"]) == len(trace["synthetic"]) <= frame.groupby("hour").size().ge(30).sum()
