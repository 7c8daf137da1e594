"""Prediction with nnU-Net's own trained models, end to end, with flips: 30 hippocampi and 10 ACDC frames.

    python pipelines/benchmarks/predict_trained.py [--scratch FOLDER_OF_NNUNET_PARITY] [--runs 1]

The models are those of nnunet_parity.py (nnU-Net plans and trains them; widths 16 and 8); in its scratch folder they
are reused. `nnUNetv2_predict_from_modelfolder` with its defaults against `medarch import` and `medarch predict`, each
as it is, and once more with OpenVINO (where that is installed), in bfloat16 and with `--fast`; label maps compared
with each other and with the reference.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from nnunet_parity import ACDC, MODELS, SHARED, link_cases, train
from peer import Cost, find_peer, measure, peer_environment, print_table

from medarch.core.labels import LabelScheme
from medarch.core.plan import Plan
from medarch.evaluation.evaluate import evaluate

COUNTS = {"plain 3D": 30, "anisotropic (ACDC)": 10}


def main() -> None:
    options = parse_arguments()
    peer = find_peer(options.peer_python)
    scratch = (options.scratch or Path(tempfile.mkdtemp(prefix="predict_trained-"))).absolute()
    scratch.mkdir(parents=True, exist_ok=True)
    print(f"{len(os.sched_getaffinity(0))} cores, folder {scratch}", flush=True)
    for name, count in COUNTS.items():
        if options.only in (None, name):
            compare(peer, scratch, name, count, options)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=list(COUNTS))
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--steps", type=int, default=800, help="of training, where there is no model yet")
    parser.add_argument("--peer-python", type=Path)
    parser.add_argument("--scratch", type=Path)
    return parser.parse_args()


def compare(peer: Path, scratch: Path, name: str, count: int, options: argparse.Namespace) -> None:
    model = MODELS[name]
    link_cases(scratch, model.dataset)
    (theirs_model,) = train(peer, scratch, model, options.steps)
    dataset = SHARED / ("ACDC_subset30" if model.dataset == ACDC else "Task04_Hippocampus")
    work = scratch / f"predict_trained_{model.dataset}"
    shutil.rmtree(work, ignore_errors=True)
    inputs = work / "inputs"
    inputs.mkdir(parents=True)
    for image in sorted((dataset / "imagesTr").glob("*.nii.gz"))[-count:]:
        stem = image.name.removesuffix(".nii.gz").removesuffix("_0000")
        (inputs / f"{stem}_0000.nii.gz").symlink_to(image)
    program = Path(sys.executable).parent / "medarch"
    subprocess.run([program, "import", theirs_model, work / "model"], check=True, capture_output=True)
    ours: list[Cost] = []
    theirs: list[Cost] = []
    for _ in range(options.runs):
        for folder in ("ours", "theirs"):
            shutil.rmtree(work / folder, ignore_errors=True)
        command = [program, "predict", work / "model", inputs, work / "ours", "--device", "cpu"]
        ours.append(measure(command, log=work / "ours.log"))
        rival = [peer.parent / "nnUNetv2_predict_from_modelfolder", "-i", inputs, "-o", work / "theirs"]
        rival += ["-m", theirs_model, "-f", model.fold, "-device", "cpu"]
        theirs.append(measure(rival, log=work / "theirs.log", env=peer_environment(scratch)))
    print(f"\n== {name}, {count} cases, 8 mirrored copies", end="")
    print_table(ours, theirs, ours_name="medarch", theirs_name="nnU-Net")
    labels = Plan.load(work / "model" / "plan.json").labels
    print_agreement(work / "ours", work / "theirs", labels)
    cases = sorted(path.name.removesuffix(".nii.gz") for path in (work / "theirs").glob("*.nii.gz"))
    command = [program, "predict", work / "model", inputs, "unused", "--device", "cpu", "--dry-run", "--json"]
    said = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    seconds, peak = sum(row["seconds"] for row in said), max(row["peak_bytes"] for row in said)
    print(f"dry run of medarch: {seconds:.1f} s without start-up and {peak / 1e6:.0f} MB")
    variants = {"bf16": ["--precision", "bf16"], "fast": ["--fast"]}
    if importlib.util.find_spec("openvino"):
        variants = {"openvino": ["--engine", "openvino"]} | variants
    for folder, extra in variants.items():
        command = [program, "predict", work / "model", inputs, work / folder, "--device", "cpu", *extra]
        cost = measure(command, log=work / "ours.log")
        ratio = theirs[-1].wall_s / cost.wall_s
        print(f"medarch {' '.join(extra)}: {cost.wall_s:.1f} s, {ratio:.1f} times faster; ", end="")
        print_agreement(work / folder, work / "theirs", labels)
    for folder in ("ours", *variants, "theirs"):
        score = evaluate(work / folder, dataset / "labelsTr", labels=labels, cases=cases).mean()
        print(f"{folder}: DSC to the reference {score:.4f}", flush=True)


def print_agreement(ours: Path, theirs: Path, labels: LabelScheme) -> None:
    agreement = evaluate(ours, theirs, labels=labels)
    worst = min(row.values["dsc"] for row in agreement.rows if row.values["dsc"] is not None)
    print(f"Dice between both: mean {agreement.mean():.5f}, worst {worst:.5f}")


if __name__ == "__main__":
    main()
