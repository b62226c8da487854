"""What each attack finds, what it costs, and how that compares with Anonymeter and published distance shares.

    python benchmarks/privacy.py attacks DATA [--match TEXT]
    python benchmarks/privacy.py shares DATA PUBLISHED
    python benchmarks/privacy.py anonymeter DATA/NAME [--synthetic NAME] [--python PYTHON] [--attacks N]

DATA holds ``*/train.parquet``, ``holdout.parquet`` and ``synthetic/*.parquet``. PUBLISHED is a CSV with columns
dataset, synthesizer, Share. The race needs Anonymeter in this interpreter or in the one that ``--python`` names,
and is left out where there is none. Everything of a part runs in one go; CPU seconds are what to compare.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import time
import warnings
from pathlib import Path

PEER_SECRETS = ("education", "occupation", "income")


def timed(work):
    """Return what some work gives, and its CPU seconds."""
    start = time.process_time()
    return work(), time.process_time() - start


def evidence_of(real, synthetic, holdout):
    """Plan and count three files."""
    from synthgate.evidence import Evidence
    from synthgate.sides import count_side
    from synthgate.survey import make_plan
    from synthgate.tables import open_table

    tables = [open_table(str(path)) for path in (real, synthetic, holdout)]
    plan = make_plan(tables[0], {}, (), {})
    sides = [count_side(plan, table, 0) for table in tables]
    return Evidence(plan=plan, real=sides[0], synthetic=sides[1], holdout=sides[2])


def pairs(data, match=""):
    """Yield (name, real, synthetic, holdout) of every synthetic table."""
    for train in sorted(data.glob("**/train.parquet")):
        for synthetic in sorted((train.parent / "synthetic").glob("*.parquet")):
            name = f"{train.parent.name}/{synthetic.stem}"
            holdout = train.parent / "holdout.parquet"
            if match in name and holdout.is_file():
                yield name, train, synthetic, holdout


def attacks(arguments):
    """Print AUC, TPR at 1 % FPR and CPU seconds of each attack; a shared pass is billed to its first user."""
    from synthgate.measures.privacy import membership
    from synthgate.measures.privacy.audit import audit_drift, audit_stage
    from synthgate.measures.privacy.continuous import ensemble

    print(f"{'':34} {'attack':16} {'AUC':>6} {'low':>6} {'high':>6} {'TPR@1%':>7} {'CPU s':>6}")
    for name, *files in pairs(arguments.data, arguments.match):
        sample = evidence_of(*files).sample
        stage, prepared = timed(lambda s=sample: audit_stage(s))
        _, drifted = timed(lambda s=sample: audit_drift(s))
        chosen = ensemble(stage, "standard")
        seconds = {a.name: timed(lambda a=a, s=stage: a.score(s))[1] for a in chosen}
        found, whole = timed(lambda s=sample: membership.assess(s))
        for f in found.findings:
            if f.metric == "auc":
                attack, rate = f.details["attack"], f.details["tpr"]["0.01"]
                tpr = f"{rate['value']:.3f}" if "value" in rate else "-"
                cost = f"{seconds[attack]:6.2f}" if attack in seconds else ""
                e = f.estimate
                print(f"{name:34} {attack:16} {e.value:6.3f} {e.low:6.3f} {e.high:6.3f} {tpr:>7} {cost}")
        print(
            f"{name:34} encode {prepared:.2f}, drift {drifted:.2f}, all with statistics {whole:.2f} CPU s", flush=True
        )


def shares(arguments):
    """Print published distance shares beside the strongest attack and our share, and how their rankings agree."""
    from scipy.stats import spearmanr

    from synthgate.measures.privacy import copies, membership

    with arguments.published.open() as stream:
        lines = list(csv.DictReader(stream))
    published = {(line["dataset"], line["synthesizer"]): float(line["Share"]) for line in lines}
    rows = []
    for name, *files in pairs(arguments.data, "2023-05"):
        key = (name.split("/")[0], name.split("_", maxsplit=1)[1].lower())
        if key in published:
            sample = evidence_of(*files).sample
            share = next(f for f in copies.assess(sample).findings if f.metric == "dcr_share")
            found = membership.assess(sample)
            rows.append((name, published[key], share.estimate.value, share.details["z"], found.score.value))
            _, theirs, own, z, auc = rows[-1]
            print(f"{name:34} published {theirs:.4f} ours {own:.4f} (z {z:5.1f}) AUC {auc:.3f}", flush=True)
    for data in sorted({row[0].split("/")[0] for row in rows}):
        own = [row for row in rows if row[0].startswith(f"{data}/")]
        if len(own) > 2:
            for words, at in (("our share", 2), ("the AUC", 4)):
                agreement = spearmanr([row[1] for row in own], [row[at] for row in own])[0]
                print(f"{data}: rank correlation of published share with {words}: {agreement:.2f} ({len(own)} tables)")


def peer(arguments):
    """Run Anonymeter's three attacks and print risks and CPU seconds as JSON; needs only Anonymeter and pandas."""
    import numpy as np
    import pandas as pd
    from anonymeter.evaluators import InferenceEvaluator, LinkabilityEvaluator, SinglingOutEvaluator

    np.random.seed(0)
    warnings.simplefilter("ignore")
    files = (arguments.data / "train.parquet", arguments.data / "synthetic" / f"{arguments.synthetic}.parquet")
    ori, syn = (pd.read_parquet(path) for path in files)
    control = pd.read_parquet(arguments.data / "holdout.parquet")
    names, n = list(ori.columns), arguments.attacks

    def run(evaluator, **how):
        start = time.process_time()
        evaluator.evaluate(**how)
        used = time.process_time() - start
        made = evaluator.risk()
        results = evaluator.results()
        rates = {"main": results.attack_rate.value, "control": results.control_rate.value}
        return {"risk": made.value, "interval": list(made.ci), "seconds": used, **rates}

    out = {}
    for mode in ("univariate", "multivariate"):
        out[f"singling_out {mode}"] = run(SinglingOutEvaluator(ori, syn, n, control=control), mode=mode)
    half = len(names) // 2
    out["linkability"] = run(LinkabilityEvaluator(ori, syn, (names[:half], names[half:]), n, control=control), n_jobs=1)
    for secret in arguments.secrets:
        aux = [name for name in names if name != secret]
        out[f"inference {secret}"] = run(
            InferenceEvaluator(ori, syn, aux, secret, regression=False, n_attacks=n, control=control), n_jobs=1
        )
    print(json.dumps(out))


def ours(files):
    """Return the risks of the three checks with their intervals, and CPU seconds."""
    from synthgate.measures.privacy import criteria, singling_out
    from synthgate.measures.privacy.audit import audit_drift

    sample = evidence_of(*files).sample
    _, shared = timed(lambda: audit_drift(sample))
    inferred, first = timed(lambda: criteria.assess_attributes(sample))
    linked, second = timed(lambda: criteria.assess_linkability(sample))
    singled, third = timed(lambda: singling_out.assess(sample))
    out = {f"inference {f.columns[0]}": f.estimate for f in inferred.findings}
    out["linkability"] = linked.score
    out |= {f"singling_out {f.details['kind']}": f.estimate for f in singled.findings}
    return out, first + second + third, shared


def anonymeter(arguments):
    """Print both tools' risks side by side, whether their intervals meet, and the CPU seconds."""
    python = arguments.python or sys.executable
    if subprocess.run([python, "-c", "import anonymeter"], capture_output=True, check=False).returncode:
        print("Anonymeter is not installed: the race is left out")
        return
    for name in arguments.synthetic.split(","):
        files = (
            arguments.data / "train.parquet",
            arguments.data / "synthetic" / f"{name}.parquet",
            arguments.data / "holdout.parquet",
        )
        mine, seconds, shared = ours(files)
        command = [python, __file__, "peer", str(arguments.data), "--synthetic", name]
        command += ["--attacks", str(arguments.attacks), "--secrets", *arguments.secrets]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        theirs = json.loads(done.stdout.splitlines()[-1])
        print(f"{name}\n{'':28} {'synthgate':>24} {'Anonymeter':>24}  meet")
        for key, other in theirs.items():
            e = mine[key]
            meet = e.low <= other["interval"][1] and other["interval"][0] <= max(e.high, 0)
            left = f"{e.value:7.3f} [{e.low:6.3f}, {e.high:6.3f}]"
            right = f"{other['risk']:7.3f} [{other['interval'][0]:6.3f}, {other['interval'][1]:6.3f}]"
            rates = f"rates {other['main']:.3f} {other['control']:.3f}"
            print(f"{key:28} {left:>24} {right:>24}  {'yes' if meet else 'NO'}  {rates}")
        used = sum(other["seconds"] for other in theirs.values())
        print(
            f"CPU seconds: synthgate {seconds:.2f} for every column as a secret (the panel and its drift, which the "
            f"membership attacks share, took {shared:.2f}), Anonymeter {used:.2f} for {len(arguments.secrets)} "
            f"secrets and {arguments.attacks} attacks: {used / seconds:.0f} times",
            flush=True,
        )


def main():
    """Read the arguments and run one part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["attacks", "shares", "anonymeter", "peer"])
    parser.add_argument("data", type=Path)
    parser.add_argument("published", type=Path, nargs="?")
    parser.add_argument("--match", default="")
    parser.add_argument("--synthetic", default="2023-05_ctgan,2023-05_synthpop")
    parser.add_argument("--python", help="an interpreter that has Anonymeter")
    parser.add_argument("--attacks", type=int, default=2_000)
    parser.add_argument("--secrets", nargs="*", default=PEER_SECRETS)
    arguments = parser.parse_args()
    {"attacks": attacks, "shares": shares, "anonymeter": anonymeter, "peer": peer}[arguments.part](arguments)


if __name__ == "__main__":
    main()
