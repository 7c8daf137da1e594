"""Prediction of 20 hippocampus cases from one set of weights: medarch against `nnUNetv2_predict -device cpu`.

    python pipelines/benchmarks/predict_small.py [--runs 3]

End to end, from fresh processes. nnU-Net trains its default 3d_fullres network for a minute, so that the output is not
empty; the weights are carried over into medarch's network of the same plan. Both then predict the same files, with all
mirror axes, and the label maps are compared.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from peer import REPOSITORY, Cost, find_peer, measure, peer_environment, print_table
from plan_preprocess import PEER_NAME, link_raw
from safetensors.torch import load_file, save_file

from medarch import api
from medarch.core.files import atomic_path
from medarch.evaluation.evaluate import evaluate
from medarch.inference.load_model import ModelInfo, weights_name

CASES = 20
TRAINER = "nnUNetTrainer__nnUNetPlans__3d_fullres"


def main() -> None:
    options = parse_arguments()
    peer = find_peer(options.peer_python)
    scratch = options.scratch or Path(tempfile.mkdtemp(prefix="predict_small-"))
    scratch.mkdir(parents=True, exist_ok=True)
    environment = peer_environment(scratch)
    checkpoint = train_peer(peer, options.dataset, scratch, options.train_seconds)
    model = carry_over(peer, checkpoint, options.dataset, scratch)
    inputs = link_inputs(options.dataset, scratch)
    program = Path(sys.executable).parent / "medarch"
    print(f"{len(os.sched_getaffinity(0))} cores, {CASES} cases, folder {scratch}")
    ours: list[Cost] = []
    theirs: list[Cost] = []
    for _ in range(options.runs):
        for name in ("ours", "theirs"):
            shutil.rmtree(scratch / name, ignore_errors=True)
        command = [program, "predict", model, inputs["medarch"], scratch / "ours", "--device", "cpu"]
        ours.append(measure(command, log=scratch / "ours.log"))
        print(f"medarch {ours[-1].wall_s:.1f} s", flush=True)
        rival = [
            peer.parent / "nnUNetv2_predict", "-i", inputs["nnunet"], "-o", scratch / "theirs",
            "-d", "4", "-c", "3d_fullres", "-f", "0", "-device", "cpu",
        ]  # fmt: skip
        theirs.append(measure(rival, log=scratch / "theirs.log", env=environment))
        print(f"nnU-Net {theirs[-1].wall_s:.1f} s", flush=True)
    ratio = print_table(ours, theirs, ours_name="medarch", theirs_name="nnU-Net")
    labels = api.PlanFolder.load(model.parent.parent).plan.labels
    agreement = evaluate(scratch / "ours", scratch / "theirs", labels=labels)
    worst = min(row.values["dsc"] or 0.0 for row in agreement.rows)
    print(
        f"\n{ratio:.1f} times faster; Dice between both: mean {agreement.mean():.5f}, worst class and case {worst:.5f}"
    )


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, default=REPOSITORY.parent / "shared/data/Task04_Hippocampus")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--train-seconds", type=float, default=60.0)
    parser.add_argument("--peer-python", type=Path)
    parser.add_argument("--scratch", type=Path, help="e.g. train_budget.py's folder, to use its trained network")
    return parser.parse_args()


def train_peer(peer: Path, dataset: Path, scratch: Path, train_s: float) -> Path:
    """Return nnU-Net's checkpoint, trained now if there is none."""
    checkpoint = scratch / "nnUNet_results" / PEER_NAME / TRAINER / "fold_0" / "checkpoint_final.pth"
    if checkpoint.exists():
        return checkpoint
    environment = peer_environment(scratch)
    link_raw(dataset, scratch / "nnUNet_raw" / PEER_NAME)
    prepare = [peer.parent / "nnUNetv2_plan_and_preprocess", "-d", "4", "-c", "3d_fullres", "-npfp", "2", "-np", "2"]
    measure(prepare, log=scratch / "nnunet_prepare.log", env=environment)
    script = Path(__file__).parent / "peer_train.py"
    train = [peer, script, PEER_NAME, "3d_fullres", "0", str(train_s)]
    measure(train, log=scratch / "nnunet_train.log", env=environment)
    return checkpoint


def carry_over(peer: Path, checkpoint: Path, dataset: Path, scratch: Path) -> Path:
    """Write nnU-Net's weights as a medarch model folder of the `nnunet` preset."""
    exported = scratch / "nnunet_weights.safetensors"
    script = Path(__file__).parent / "peer_export_weights.py"
    subprocess.run([peer, script, checkpoint, exported], check=True)
    plan = api.plan(dataset, scratch / "workspace", preset="nnunet")
    model = scratch / "workspace" / plan.dataset / plan.name / "3d_fullres" / "model"
    model.mkdir(parents=True, exist_ok=True)
    plan.save(model / "plan.json")
    ModelInfo(configuration="3d_fullres", folds=("0",)).save(model / "model.json")
    weights = {our_name(name): tensor for name, tensor in load_file(exported).items() if our_name(name)}
    with atomic_path(model / weights_name(0)) as temporary:
        save_file(weights, temporary)
    return model


def our_name(name: str) -> str:
    """nnU-Net's name of a tensor → medarch's; empty for its duplicates."""
    if "all_modules" in name or name.startswith("decoder.encoder."):
        return ""
    name = re.sub(r"encoder\.stages\.(\d+)\.0\.convs\.(\d+)\.", r"encoder.stages.\1.\2.", name)
    name = re.sub(r"decoder\.stages\.(\d+)\.convs\.(\d+)\.", r"decoder.\1.\2.", name)
    name = name.replace("decoder.transpconvs.", "ups.").replace("decoder.seg_layers.", "heads.")
    return name.replace(".conv.", ".0.").replace(".norm.", ".1.")


def link_inputs(dataset: Path, scratch: Path) -> dict[str, Path]:
    """The first 20 cases by id, named as each side wants them."""
    images = sorted((dataset / "imagesTr").glob("*.nii.gz"))[:CASES]
    folders = {name: scratch / f"inputs_{name}" for name in ("medarch", "nnunet")}
    for name, folder in folders.items():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for image in images:
            stem = image.name.removesuffix(".nii.gz")
            (folder / f"{stem}{'_0000' if name == 'nnunet' else ''}.nii.gz").symlink_to(image.resolve())
    return folders


if __name__ == "__main__":
    main()
