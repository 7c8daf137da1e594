"""Prediction of 20 hippocampus cases from one set of weights: medarch against `nnUNetv2_predict -device cpu`.

    python pipelines/benchmarks/predict_small.py [--runs 3]

End to end, from fresh processes. medarch trains nnU-Net's default 3d_fullres network for three minutes and puts the
weights into an nnU-Net checkpoint. Two comparisons: both with all eight mirrored copies, label maps compared; and
medarch with the copies its own plan asks for (one axis, because the classes lie in one order along the others).
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from peer import REPOSITORY, Cost, find_peer, measure, peer_environment, print_table
from plan_preprocess import PEER_NAME, link_raw

from medarch import api
from medarch.core.plan import Plan
from medarch.evaluation.evaluate import evaluate
from medarch.inference.model_folder import weights_name

CASES = 20
TRAINER = "nnUNetTrainer__nnUNetPlans__3d_fullres"


def main() -> None:
    options = parse_arguments()
    peer = find_peer(options.peer_python)
    scratch = options.scratch or Path(tempfile.mkdtemp(prefix="predict_small-"))
    scratch.mkdir(parents=True, exist_ok=True)
    models = train_ours(options.dataset, scratch, options.train_seconds)
    prepare_theirs(peer, options.dataset, scratch, models["all mirror axes"] / weights_name(0))
    inputs = link_inputs(options.dataset, scratch)
    program = Path(sys.executable).parent / "medarch"
    print(f"{len(os.sched_getaffinity(0))} cores, {CASES} cases, folder {scratch}")
    ours: dict[str, list[Cost]] = {name: [] for name in models}
    theirs: list[Cost] = []
    for _ in range(options.runs):
        for name, model in models.items():
            output = scratch / f"ours_{name.replace(' ', '_')}"
            shutil.rmtree(output, ignore_errors=True)
            command = [program, "predict", model, inputs["medarch"], output, "--device", "cpu"]
            ours[name].append(measure(command, log=scratch / "ours.log"))
            print(f"medarch, {name}: {ours[name][-1].wall_s:.1f} s", flush=True)
        shutil.rmtree(scratch / "theirs", ignore_errors=True)
        rival = [
            peer.parent / "nnUNetv2_predict", "-i", inputs["nnunet"], "-o", scratch / "theirs",
            "-d", "4", "-c", "3d_fullres", "-f", "0", "-device", "cpu",
        ]  # fmt: skip
        theirs.append(measure(rival, log=scratch / "theirs.log", env=peer_environment(scratch)))
        print(f"nnU-Net {theirs[-1].wall_s:.1f} s", flush=True)
    labels = Plan.load(next(iter(models.values())) / "plan.json").labels
    for name in models:
        print(f"\n== {name}", end="")
        ratio = print_table(ours[name], theirs, ours_name="medarch", theirs_name="nnU-Net")
        agreement = evaluate(scratch / f"ours_{name.replace(' ', '_')}", scratch / "theirs", labels=labels)
        worst = min(row.values["dsc"] or 0.0 for row in agreement.rows)
        print(f"{ratio:.1f} times faster; Dice between both: mean {agreement.mean():.5f}, worst {worst:.5f}")
    truth = options.dataset / "labelsTr"
    for output in [f"ours_{name.replace(' ', '_')}" for name in models] + ["theirs"]:
        cases = sorted(path.name.removesuffix(".nii.gz") for path in (scratch / output).glob("*.nii.gz"))
        print(
            f"{output}: DSC to the reference {evaluate(scratch / output, truth, labels=labels, cases=cases).mean():.4f}"
        )


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", type=Path, default=REPOSITORY.parent / "shared/data/Task04_Hippocampus")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--train-seconds", type=float, default=180.0)
    parser.add_argument("--peer-python", type=Path)
    parser.add_argument("--scratch", type=Path, help="an empty folder to keep everything in")
    return parser.parse_args()


def train_ours(dataset: Path, scratch: Path, train_s: float) -> dict[str, Path]:
    """Train nnU-Net's network once; return its model folder, and a copy with the mirror axes of the auto preset."""
    workspace = scratch / "workspace"
    changes = scratch / "changes.yaml"
    changes.write_text(
        "training: {learning_rate: 0.04, momentum: 0.95, precision: bf16, iterations_per_epoch: 20, "
        f"validation_iterations: 1, time_budget_s: {train_s}, augmentation: {{mirror_axes: [2]}}}}\nbatch_size: 2\n"
    )
    plan = api.plan(dataset, workspace, preset="nnunet", changes=[changes])
    folder = workspace / plan.dataset / plan.name
    model = api.train(folder, configuration="3d_fullres", validate=False).model
    copy = model.parent / "model_own_axes"
    shutil.copytree(model, copy, dirs_exist_ok=True)
    full = plan.configuration("3d_fullres")
    own = full.model_copy(update={"inference": full.inference.model_copy(update={"mirror_axes": (2,)})})
    for target, configuration in ((model, full), (copy, own)):
        plan.model_copy(update={"configurations": {full.name: configuration}}).save(target / "plan.json")
    return {"all mirror axes": model, "own mirror axes": copy}


def prepare_theirs(peer: Path, dataset: Path, scratch: Path, weights: Path) -> None:
    """Make an nnU-Net checkpoint that holds our weights."""
    environment = peer_environment(scratch)
    link_raw(dataset, scratch / "nnUNet_raw" / PEER_NAME)
    prepare = [peer.parent / "nnUNetv2_plan_and_preprocess", "-d", "4", "-c", "3d_fullres", "-npfp", "2", "-np", "2"]
    measure(prepare, log=scratch / "nnunet_prepare.log", env=environment)
    folder = Path(__file__).parent
    train = [peer, folder / "peer_train.py", PEER_NAME, "3d_fullres", "0", "1", "--no-validation"]
    measure(train, log=scratch / "nnunet_train.log", env=environment)
    checkpoint = scratch / "nnUNet_results" / PEER_NAME / TRAINER / "fold_0" / "checkpoint_final.pth"
    subprocess.run([peer, folder / "peer_import_weights.py", checkpoint, weights], check=True)


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
