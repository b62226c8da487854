"""A made-up verdict that holds every status, every picture and every shape of finding."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest

from synthgate.findings import (
    CheckResult,
    DataInfo,
    Estimate,
    Finding,
    Ledger,
    Limit,
    Measured,
    Position,
    RunInfo,
    Severity,
    Skip,
    Status,
)
from synthgate.verdict import Verdict, conclude

COLUMNS = [
    "age", "workclass", "fnlwgt", "education", "education-num", "marital-status", "occupation", "relationship",
    "race", "sex", "capital-gain", "capital-loss", "hours-per-week", "native-country", "income",
]  # fmt: skip
CONTINUOUS = {"age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week"}
HOSTILE = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(2)'>",
    "{{ 7*7 }}{% raw %}",
    "right \u202eto left\u202c \u200f",
    "line\nbreak\r\ttab \x00\x07\x1b[31mred",
    "| a | `b` **c** [d](http://e.example) @someone #12 &amp; ]]>",
    "emoji 👩‍🔬🏴‍☠️ é 日本 \ufffe \ud800",
    "x" * 10_000,
]


def placed(value: float, low: float, high: float, floor: float, ceiling: float) -> Estimate:
    """Return an estimate with its place between floor and ceiling."""
    at = [(v - floor) / (ceiling - floor) for v in (value, low, high)]
    position = Position(value=at[0], low=at[1], high=at[2])
    return Estimate(
        value=value, low=low, high=high, method="bootstrap 95 %", floor=floor, ceiling=ceiling, position=position
    )


def check(check_id: str, status: Status, reason: str, **more: Any) -> CheckResult:
    words: dict[str, Any] = {
        "title": f"Title of {check_id}",
        "question": f"Does {check_id} hold?",
        "why": f"Whatever learns from the table inherits what {check_id} finds wrong.",
        "remedy": "Train longer, or give the generator more rows of the cases that are named here.",
        "severity": Severity.ERROR,
        "required": False,
        "seconds": 0.0125,
    }
    family = check_id.split(".", maxsplit=1)[0]
    return CheckResult(id=check_id, family=family, status=status, reason=reason, **{**words, **more})


def _shares(rng: np.random.Generator, n: int, tilt: float = 0.0) -> list[float]:
    weights = rng.gamma(2.0, 1.0, n) * (1 + tilt * np.linspace(-1, 1, n))
    return [round(float(w), 6) for w in weights / weights.sum()]


def _distribution(rng: np.random.Generator, name: str, tilt: float) -> dict[str, Any]:
    if name in CONTINUOUS:
        n = 24
        edges = [f"{17 + 3 * k}" for k in range(n - 1)]
        labels = [f"below {edges[0]}", *(f"{a} to {b}" for a, b in pairwise(edges)), f"{edges[-1]} and above"]
        flat = np.full(n, 1 / n)
        bent = flat * (1 + tilt * np.linspace(-1, 1, n))
        noise = [flat * (1 + 0.05 * rng.standard_normal(n)) for _ in range(2)]
        real, holdout = (list(map(float, np.round(part / part.sum(), 6))) for part in noise)
        synthetic = list(map(float, np.round(bent / bent.sum(), 6)))
        return {"kind": "bins", "labels": labels, "real": real, "synthetic": synthetic, "holdout": holdout}
    labels = [f"{name} {word}" for word in ("alpha", "beta", "gamma", "delta", "epsilon")] + ["(all other)"]
    real = sorted(_shares(rng, len(labels)), reverse=True)
    moved = np.array(real) * (1 + tilt * np.linspace(0.5, -1, len(labels)))
    synthetic = [round(float(s), 6) for s in moved / moved.sum()]
    return {"kind": "categories", "labels": labels, "real": real, "synthetic": synthetic, "holdout": None}


def fidelity_columns(rng: np.random.Generator, names: list[str]) -> CheckResult:
    findings = []
    for at, name in enumerate(names):
        tilt = 0.9 if at == 1 else 0.12 * (at % 3)
        value = 0.97 - 0.35 * tilt
        low_status = Status.FAIL if at == 1 else (Status.INCONCLUSIVE if at == 2 else Status.PASS)
        metric = "ks_complement" if name in CONTINUOUS else "tv_complement"
        measured = Measured(
            metric=metric,
            message=f"{value:.1%} of the shares agree; fresh real rows reach 98.9%",
            estimate=placed(value, value - 0.02, value + 0.02, 0.58, 0.989),
            columns=(name,),
            details={"distribution": _distribution(rng, name, tilt), "jensen_shannon_distance": 0.1 * tilt},
        )
        findings.append(Finding(measured=measured, status=low_status))
    told = Measured(metric="wasserstein_in_std", message="for reading only", columns=(names[0],), judged=False,
                    estimate=Estimate.exact(0.031))  # fmt: skip
    findings.append(Finding(measured=told, status=Status.PASS))
    waived = Measured(metric="missing_value_similarity", message="5.10% missing in synthetic, 0.00% in real",
                      estimate=Estimate(value=0.949, low=0.94, high=0.955, method="Newcombe"), columns=(names[-1],),
                      limit=Limit(min=0.96))  # fmt: skip
    findings.append(Finding(measured=waived, status=Status.WARN, waived="known heavy tail (until 2027-03-31)"))
    return check(
        "fidelity.columns",
        Status.FAIL,
        f"{len(names)} columns score 0.931 on average; failing: {names[1]}",
        title="Each column is distributed as in real",
        question="Is each column distributed as in the real table?",
        score=placed(0.931, 0.925, 0.938, 0.58, 0.989),
        threshold=Limit(min_position=0.75),
        each=Limit(min_position=0.5),
        ledger=Ledger(len(names), (Skip("record-id", "id columns have no distribution to compare"),)),
        power="a column whose shares differ by 0.031 in total would have been seen with probability 0.8",
        findings=tuple(findings),
    )


def fidelity_pairs(rng: np.random.Generator, names: list[str]) -> CheckResult:
    findings, k = [], len(names)
    real = np.eye(k)
    synthetic = np.eye(k)
    for at, (a, b) in enumerate(combinations(range(k), 2)):
        real[a, b] = real[b, a] = rng.beta(1, 3)
        synthetic[a, b] = synthetic[b, a] = real[a, b] * (0.2 if at % 9 == 4 else 0.95)
        failing = at % 9 == 4
        details: dict[str, Any] = {"dependence": float(real[a, b])}
        if failing:
            table = rng.dirichlet(np.ones(12)).reshape(3, 4)
            rows, columns = [f"{names[a]} {x}" for x in "abc"], [f"{names[b]} {x}" for x in "wxyz"]
            flat = np.outer(table.sum(axis=1), table.sum(axis=0))
            details["contingency"] = {
                "rows": rows,
                "columns": columns,
                "real": np.round(table, 4).tolist(),
                "synthetic": np.round(flat, 4).tolist(),
            }
        value = 0.71 if failing else 0.95
        measured = Measured(
            metric="contingency_similarity",
            message="joint shares agree to 71.0%, fresh real rows to 97.0%, independent columns to 70.2%",
            estimate=placed(value, value - 0.03, value + 0.015, 0.702, 0.97),
            columns=(names[a], names[b]),
            details=details,
        )
        findings.append(Finding(measured=measured, status=Status.FAIL if failing else Status.PASS))
    heatmap = {
        "columns": names,
        "real": np.round(real, 4).tolist(),
        "synthetic": np.round(synthetic, 4).tolist(),
        "difference": np.round(synthetic - real, 4).tolist(),
    }
    return check(
        "fidelity.pairs",
        Status.FAIL,
        f"the joint shares of {len(findings)} pairs lie 62% of the way from independent columns to fresh real rows",
        title="Columns depend on each other as in real",
        question="Does the dependence between two columns survive?",
        score=placed(0.881, 0.874, 0.888, 0.702, 0.97),
        threshold=Limit(min_position=0.75),
        each=Limit(min_position=0.5),
        ledger=Ledger(len(findings)),
        findings=tuple(findings),
        details={"heatmap": heatmap, "correlations": {"columns": names, "pearson": heatmap, "spearman": None}},
    )


def coverage() -> CheckResult:
    findings = []
    for name, expected, found in (
        ("Armed-Forces", 9.0, 0), ("Priv-house-serv", 149.0, 44), ("Never-worked", 11.0, 31), ("Holand", 6.2, 5),
        ("Private", 16_700.0, 16_920),
    ):  # fmt: skip
        spread = 2.6 * math.sqrt(expected)
        ratio = min(found / expected, expected / max(found, 1))
        status = Status.FAIL if ratio < 0.5 else Status.PASS
        measured = Measured(
            metric="category_share_ratio",
            message=f"{name}: {found:,} rows found, {expected:,.0f} expected",
            estimate=Estimate(
                value=ratio, low=ratio * 0.7, high=min(1.0, ratio * 1.3), method="exact", ceiling=1.0, floor=0.0
            ),
            columns=("workclass",),
            details={"name": name, "expected": expected, "found": found,
                     "interval": [max(0.0, expected - spread), expected + spread]},
        )  # fmt: skip
        findings.append(Finding(measured=measured, status=status))
    return check(
        "coverage.categories",
        Status.WARN,
        "3 of 5 categories have less than half or more than double their real share",
        title="Every category keeps its share",
        severity=Severity.WARN,
        score=Estimate.exact(0.4),
        threshold=Limit(min=0.95),
        ledger=Ledger(5, (Skip("native-country", "7 categories expected fewer than 5 times"),)),
        findings=tuple(findings),
    )


def utility() -> CheckResult:
    findings = []
    for model, value, ceiling in (("gradient boosting", 0.871, 0.925), ("logistic regression", 0.884, 0.901)):
        measured = Measured(
            metric="tstr_auc",
            message=f"{model}: {value:.3f} trained on synthetic, {ceiling:.3f} trained on real",
            estimate=placed(value, value - 0.012, value + 0.011, 0.5, ceiling),
            columns=("income",),
            details={"model": model, **learnt(0.04)},
        )
        findings.append(Finding(measured=measured, status=Status.PASS))
    return check(
        "utility.tstr",
        Status.PASS,
        "models trained on synthetic reach 93% of what models trained on real reach",
        title="Models trained on it work on real data",
        required=True,
        score=placed(0.93, 0.91, 0.951, 0.0, 1.0),
        threshold=Limit(min=0.9),
        ledger=Ledger(2),
        findings=tuple(findings),
    )


def triples(names: list[str]) -> CheckResult:
    findings = []
    for at, columns in enumerate(list(combinations(names, 3))[:3]):
        value = 0.78 + at / 20
        measured = Measured(
            metric="three_way_similarity",
            message=f"joint shares agree to {value:.1%}, fresh real rows to 96.0%",
            estimate=placed(value, value - 0.01, value + 0.01, 0.7, 0.96),
            columns=columns,
            details={"cause": "the three together, not in their pairs", "chance": 1e-9, "effect": 51.2},
        )
        findings.append(Finding(measured=measured, status=Status.FAIL if at == 0 else Status.PASS))
    return check("fidelity.higher_order", Status.WARN, "10 triples score 0.91", severity=Severity.WARN,
                 score=placed(0.91, 0.9, 0.92, 0.7, 0.96), each=Limit(min_position=0.5), ledger=Ledger(10),
                 findings=tuple(findings))  # fmt: skip


def detection() -> CheckResult:
    findings = []
    for rule, real, synthetic, status in (
        ("relationship = 'Husband' and sex = 'Female'", None, 0.021, Status.FAIL),
        ("capital-loss = 0", 0.953, 0.63, Status.PASS),
    ):
        low, high = (0.0, 0.0009) if real is None else (real - 0.01, real + 0.01)
        measured = Measured(
            metric="misplaced_share",
            message=f"{rule}: {synthetic:.1%} of synthetic rows",
            estimate=Estimate(value=synthetic, low=synthetic - 0.01, high=synthetic + 0.01, method="Wilson, z = 3.9"),
            columns=("sex",),
            judged=real is None,
            details={"rule": rule, "real_share": real, "real_interval": [low, high], "synthetic_share": synthetic,
                     "synthetic_interval": [synthetic - 0.01, synthetic + 0.01], "direction": "too many"},
        )  # fmt: skip
        findings.append(Finding(measured=measured, status=status))
    told = Measured(metric="detection_auc", message="a linear model tells them apart", judged=False,
                    estimate=placed(0.9, 0.89, 0.91, 1.0, 0.5), details={"model": "linear"})  # fmt: skip
    return check("fidelity.detection", Status.WARN, "a linear model tells synthetic from real rows with AUC 0.900",
                 severity=Severity.WARN, score=placed(0.2, 0.18, 0.22, 0.0, 0.99), each=Limit(max=0.01),
                 ledger=Ledger(2), findings=(*findings, Finding(measured=told, status=Status.PASS)))  # fmt: skip


def attributes(names: list[str]) -> CheckResult:
    findings = []
    for at, name in enumerate(names):
        main, control = 0.3 + 0.2 * (at == 1), 0.3
        measured = Measured(
            metric="attribute_risk",
            message=f"guessed rightly for {main:.0%} of the training rows and for {control:.0%} of the holdout rows",
            estimate=Estimate(value=(main - control) / 0.7, low=-0.02, high=0.32, method="delta method, 95 %"),
            columns=(name,),
            details={"main": {"rate": main, "interval": [main - 0.02, main + 0.02], "attacks": 1500},
                     "control": {"rate": control, "interval": [control - 0.02, control + 0.02], "attacks": 1500}},
        )  # fmt: skip
        findings.append(Finding(measured=measured, status=Status.INCONCLUSIVE if at == 1 else Status.PASS))
    return check("privacy.attributes", Status.PASS, "guessing a cell from all others has a risk of 1.3%",
                 score=placed(0.013, -0.02, 0.05, 1.0, 0.0), each=Limit(max=0.1), ledger=Ledger(len(names)),
                 findings=tuple(findings))  # fmt: skip


def constraints() -> CheckResult:
    findings = []
    for name, sql, broken, in_real in (("adults", "age >= 17", 12, 3), ("paid", '"capital-gain" >= 0', 0, 0)):
        measured = Measured(
            metric="violating_share",
            message=f"{name}: {broken} of 24,421 rows break `{sql}`",
            estimate=Estimate.exact(broken / 24_421),
            limit=Limit(max=0.0),
            details={"name": name, "sql": sql, "rows": 24_421, "broken": broken, "broken_in_real": in_real},
        )
        findings.append(Finding(measured=measured, status=Status.WARN if broken else Status.PASS))
    return check("constraints.declared", Status.WARN, "1 of 2 constraints is broken", severity=Severity.WARN,
                 score=Estimate.exact(0.5), ledger=Ledger(2), findings=tuple(findings))  # fmt: skip


def learnt(gap: float) -> dict[str, Any]:
    """Return the details of a model: its calibration and what it takes each class for."""
    bins = [{"stated": s, "right": s - gap * (1 - s), "rows": 900} for s in (0.55, 0.65, 0.75, 0.85, 0.97)]
    shares = [[0.93 - gap, 0.07 + gap], [0.4 + gap, 0.6 - gap]]
    one = {"bins": bins, "error": gap}
    matrix = {"classes": ["<=50K", ">50K"], "shares": shares}
    return {"calibration": {"real": one, "synthetic": one}, "confusion": {"real": matrix, "synthetic": matrix}}


def membership() -> CheckResult:
    findings = []
    for at, (attack, auc) in enumerate(
        [("linkage", 0.561), ("value_ratio", 0.532), ("dcr", 0.507), ("dcr_cal", 0.503)]
    ):
        fpr = np.concatenate([[0.0], np.logspace(-3, 0, 60)])
        tpr = fpr ** (1 / auc - 1)
        measured = Measured(
            metric="auc",
            message=f"the attack {attack} tells training rows from fresh ones with AUC {auc:.3f}",
            estimate=Estimate(value=auc, low=auc - 0.008, high=auc + 0.008, method="DeLong 95 %", floor=0.5),
            details={
                "attack": attack,
                "roc": [[round(float(x), 5), round(float(y), 5)] for x, y in zip(fpr, tpr, strict=True)],
                "tpr": {"0.001": None, "0.01": {"value": 0.03, "low": 0.02, "high": 0.041}, "0.1": 0.14 + at / 100},
            },
        )
        findings.append(Finding(measured=measured, status=Status.FAIL if at == 0 else Status.PASS))
    return check(
        "privacy.membership",
        Status.FAIL,
        "one of 4 attacks tells training rows from fresh ones better than the gate allows",
        title="Nobody can tell who was in the training data",
        why="Whoever can tell that a row was used for training learns that its person is in the real data.",
        remedy="Train with fewer epochs or with differential privacy, and remove copies of real rows.",
        required=True,
        each=Limit(max=0.55),
        ledger=Ledger(4),
        power="with 5,000 and 5,000 rows, an AUC of 0.521 would have been seen with probability 0.9",
        findings=tuple(findings),
    )


def schema() -> list[CheckResult]:
    bad = Measured(
        metric="stored_type",
        message="stored as float, real as integer; the values themselves fit",
        estimate=Estimate.exact(1.0),
        columns=("age",),
        severity=Severity.WARN,
    )
    missing = Measured(metric="type", message="", columns=("note",), not_assessed="nested types are not read")
    return [
        check("schema.columns", Status.PASS, "all 15 columns agree with real", score=Estimate.exact(1.0),
              ledger=Ledger(15)),
        check("schema.types", Status.WARN, "1 of 15 columns store values of another type", each=Limit(max=0.0),
              score=Estimate.exact(0.933), ledger=Ledger(15),
              findings=(Finding(measured=bad, status=Status.WARN),
                        Finding(measured=missing, status=Status.NOT_ASSESSED))),
        check("schema.keys", Status.NOT_ASSESSED, "no column is a key"),
        check("schema.formats", Status.ERROR, "the measure broke: ValueError: bad escape \\d at position 3"),
    ]  # fmt: skip


def make(n_columns: int = 15, seed: int = 7) -> Verdict:
    """Return the made-up verdict over the first columns of the Adult table."""
    rng = np.random.default_rng(seed)
    names = [*COLUMNS, *(f"measurement {at}" for at in range(len(COLUMNS), n_columns))][:n_columns]
    checks = (
        *schema(),
        fidelity_columns(rng, names),
        fidelity_pairs(rng, names),
        triples(names),
        detection(),
        constraints(),
        coverage(),
        check("coverage.modes", Status.INCONCLUSIVE, "2 of 48 regions may have lost rows; this size cannot tell",
              score=Estimate(value=0.96, low=0.91, high=0.99, method="Wilson 95 %"), threshold=Limit(min=0.95)),
        utility(),
        membership(),
        check("privacy.copies", Status.PASS, "12 synthetic rows equal a training row, 14 a holdout row",
              score=Estimate(value=0.999, low=0.998, high=1.0, method="Wilson 95 %"), threshold=Limit(min=0.99)),
        attributes(names),
        check("privacy.linkability", Status.NOT_ASSESSED, "no holdout was given", required=True),
    )  # fmt: skip
    run = RunInfo(
        real=DataInfo(source="data/train.parquet", rows=24_421, columns=n_columns, sha256="0123456789abcdef" * 4),
        synthetic=DataInfo(source="data/synthetic.parquet", rows=24_421, columns=n_columns, sha256="fedcba98" * 8),
        holdout=DataInfo(source="data/holdout.parquet", rows=24_421, columns=n_columns, sha256="00112233" * 8),
        seed=42,
        synthgate_version="0.1.0",
        versions={"python": "3.11.9", "numpy": "2.4.6", "duckdb": "2.0.0"},
        created="2026-11-25T06:30:00+00:00",
        targets=("income",),
        gate_file="synthgate.yaml",
        roles={name: "numerical" if name in CONTINUOUS else "categorical" for name in names},
        notes=("attacks use 5,000 of 24,421 rows of each side", "the waiver of schema.types expired on 2026-01-01"),
        seconds={"read": 0.21, "count": 0.18, "measure": 7.4, "report": 0.2},
    )
    return Verdict(outcome=conclude(checks), checks=checks, run=run)


def make_hostile() -> Verdict:
    """Return a verdict whose every text is one that an attacker would choose."""
    checks = []
    for at, text in enumerate(HOSTILE):
        status = list(Status)[at % len(Status)]
        details: dict[str, Any] = {
            "distribution": {"kind": ("bins", "categories")[at % 2], "labels": [text, text + "2"], "real": [0.5, 0.5],
                             "synthetic": [0.4, 0.6], "holdout": None},
            "contingency": {"rows": [text], "columns": [text, "b"], "real": [[0.5, 0.5]], "synthetic": [[0.1, 0.9]]},
            "roc": [[0.0, 0.0], [0.01, 0.1], [1.0, 1.0]], "attack": text, "model": text, "name": text,
            "expected": 10.0, "found": 3, "interval": [4.0, 16.0], "tpr": {text: 0.5},
            "rule": text, "sql": text, "broken": 3, "rows": 10, "broken_in_real": 2, "cause": text, "kind": text,
            "synthetic_share": 0.2, "synthetic_interval": [0.1, 0.3], "real_share": None, "real_interval": [0.0, 0.1],
            "main": {"rate": 0.4, "interval": [0.3, 0.5]}, "control": 0.1, "level": text, "slice": text,
            "calibration": {side: {"bins": [{"stated": 0.5, "right": 0.4, "rows": 9}], "error": 0.1}
                            for side in ("real", "synthetic")},
            "confusion": {side: {"classes": [text], "shares": [[1.0]]} for side in ("real", "synthetic")},
            "lags": [1, 2], "real": [0.5, 0.2], "synthetic": [0.1, 0.1], "random_order": [0.0, 0.0], "holdout": None,
            "trace": {side: [[0.0, 1.0, 2.0], [1.0, 2.0, 4.0]] for side in ("real", "synthetic")},
        }  # fmt: skip
        worst = Estimate(value=math.nan, low=-math.inf, high=math.inf, method=text)
        findings = tuple(
            Finding(
                measured=Measured(metric=metric, message=text, estimate=estimate, columns=(text,), table=text,
                                  details=details),
                status=Status.FAIL,
                waived=text,
            )
            for metric, estimate in ((text, worst), ("auc", placed(0.6, 0.5, 0.7, 0.5, 1.0)))
        )  # fmt: skip
        texts = dict.fromkeys(("title", "question", "why", "remedy", "power"), text)
        panels = {key: [[0.1, 0.2], [0.2, 0.1]] for key in ("real", "synthetic", "difference")}
        checks.append(
            check(f"fidelity.{text}", status, text, findings=findings, score=worst, required=at == 4,
                  ledger=Ledger(1, (Skip(text, text),)),
                  details={"heatmap": {"columns": [text, "b"], **panels},
                           "correlations": {"columns": [text, "b"], "pearson": panels, "spearman": panels}}, **texts)
        )  # fmt: skip
    evil = "".join(HOSTILE[:-1])
    data = DataInfo(source=evil, rows=1, columns=1, sha256=evil)
    run = RunInfo(real=data, synthetic=data, holdout=None, seed=0, synthgate_version=evil, versions={evil: evil},
                  created=evil, targets=tuple(HOSTILE), gate_file=evil, preset=evil, roles={evil: evil},
                  notes=tuple(HOSTILE), seconds={evil: 1.0})  # fmt: skip
    return Verdict(outcome=conclude(tuple(checks)), checks=tuple(checks), run=run)


@pytest.fixture(scope="session")
def verdict() -> Verdict:
    """The made-up verdict on a table of five columns."""
    return make(5)


@pytest.fixture(scope="session")
def adult_sized() -> Verdict:
    """The made-up verdict on a table of 15 columns and 105 pairs."""
    return make(15)


@pytest.fixture(scope="session")
def hostile() -> Verdict:
    """A verdict whose every text is one that an attacker would choose."""
    return make_hostile()


@pytest.fixture(scope="session")
def hostile_texts() -> list[str]:
    """The texts of the hostile verdict."""
    return HOSTILE


@pytest.fixture(scope="session")
def make_verdict() -> Callable[..., Verdict]:
    """Return the builder: ``make_verdict(n_columns, seed)``."""
    return make
