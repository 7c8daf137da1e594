"""Is an imported nnU-Net model the same model? nnU-Net's own predictions against ours, from the same checkpoints.

    python pipelines/benchmarks/nnunet_parity.py [--steps 300] [--only cascade]

For plain 3D, ResEnc, 2D, cascade, regions and an anisotropic dataset (ACDC): nnU-Net plans, preprocesses and trains (a
small network, a few hundred steps), then predicts cases it has not seen, with and without flips; `medarch import` takes
the checkpoint over and `medarch predict` predicts the same files. Printed: voxels that agree, Dice between the two
label maps (worst class of the worst case) as nnU-Net is (float16 accumulators) and with float32 accumulators, the
largest difference of a probability to both, what the float16 accumulators alone change in nnU-Net's probabilities ("its
float16": weights of tiles fade to 1e-4 at corners), the largest difference of a Dice between nnU-Net's summary.json and
`medarch evaluate --empty-policy nnunet` on nnU-Net's label maps, and how much foreground there is to disagree
about. A cascade's label maps come from both programs' own first stages; its probabilities are compared from the same
first-stage label maps, because one voxel that differs there moves probabilities around it.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from peer import REPOSITORY, find_peer, measure, peer_environment

from medarch.core.labels import LabelScheme
from medarch.evaluation.evaluate import evaluate

SHARED = REPOSITORY.parent / "shared/data"
SMALL = {"features": 16, "batch_size": 2}
PLANNERS = {"nnUNetPlans": "ExperimentPlanner", "nnUNetResEncUNetMPlans": "nnUNetPlannerResEncM"}


@dataclass(frozen=True)
class Model:
    """One model to train and compare: what differs from nnU-Net's plan, and which configurations to train."""

    dataset: str
    plans: str
    changes: dict[str, dict[str, Any]]
    stages: tuple[str, ...]
    """Trained in this order; the last one is compared."""
    fold: str = "0"


HIPPOCAMPUS, REGIONS, ACDC = "Dataset904_Hippocampus", "Dataset905_Regions", "Dataset927_ACDC"
MODELS = {
    "plain 3D": Model(HIPPOCAMPUS, "nnUNetPlans", {"3d_fullres": SMALL}, ("3d_fullres",)),
    "ResEnc": Model(HIPPOCAMPUS, "nnUNetResEncUNetMPlans", {"3d_fullres": SMALL | {"features": 8}}, ("3d_fullres",)),
    "2D": Model(HIPPOCAMPUS, "nnUNetPlans2D", {"2d": SMALL | {"batch_size": 32}}, ("2d",)),
    "regions": Model(REGIONS, "nnUNetPlans", {"3d_fullres": SMALL}, ("3d_fullres",)),
    "cascade": Model(
        HIPPOCAMPUS,
        "nnUNetPlansCascade",
        {
            "3d_fullres": SMALL,
            "3d_lowres": {
                "inherits_from": "3d_fullres",
                "data_identifier": "nnUNetPlansCascade_3d_lowres",
                "spacing": [1.7, 1.6, 1.8],
                "patch_size": [24, 32, 24],
                "next_stage": "3d_cascade_fullres",
            },
            "3d_cascade_fullres": {"inherits_from": "3d_fullres", "previous_stage": "3d_lowres"},
        },
        ("3d_lowres", "3d_cascade_fullres"),
        fold="all",
    ),
    "anisotropic (ACDC)": Model(
        ACDC, "nnUNetPlans", {"3d_fullres": SMALL | {"patch_size": [10, 160, 128], "features": 8}}, ("3d_fullres",)
    ),
}


@dataclass
class Agreement:
    """Over all cases of one comparison."""

    voxels: float = 1.0
    """Smallest share of a case's voxels that agree."""
    dice: float = 1.0
    """Smallest Dice of a class of a case."""
    exact_dice: float = 1.0
    """The same against nnU-Net with float32 accumulators."""
    half: float = 0.0
    """Largest difference of a probability to nnU-Net as it is."""
    single: float = 0.0
    """Largest difference of a probability to nnU-Net with float32 accumulators."""
    theirs: float = 0.0
    """Largest difference of a probability between nnU-Net as it is and nnU-Net with float32 accumulators."""
    summary: float = 0.0
    """Largest difference of a Dice between nnU-Net's summary.json and our evaluation."""
    foreground: list[float] = field(default_factory=list)


def main() -> None:
    options = parse_arguments()
    peer = find_peer(options.peer_python)
    scratch = (options.scratch or Path(tempfile.mkdtemp(prefix="nnunet_parity-"))).absolute()
    scratch.mkdir(parents=True, exist_ok=True)
    chosen = {name: model for name, model in MODELS.items() if options.only in (None, name)}
    print(f"folder {scratch}, {options.steps} steps each", flush=True)
    rows: dict[str, Agreement] = {}
    for name, model in chosen.items():
        inputs = link_cases(scratch, model.dataset)
        trained = train(peer, scratch, model, options.steps)
        for flips in (True, False):
            rows[f"{name}, {'flips' if flips else 'no flips'}"] = compare(peer, scratch, name, trained, inputs, flips)
            print_rows(rows)
    passed = all(
        row.voxels >= 0.999 and row.dice >= 0.999 and row.half <= max(1e-2, 1.01 * row.theirs) for row in rows.values()
    )
    exact = all(row.single <= 1e-4 for row in rows.values())
    ruler = all(row.summary <= 1e-6 for row in rows.values())
    words = {True: "REACHED", False: "MISSED"}
    print(f"\nagreement {words[passed]}; 1e-4 in float32 {words[exact]}; Dice of summary.json to 1e-6 {words[ruler]}")
    sys.exit(not (passed and exact and ruler))


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--only", choices=list(MODELS))
    parser.add_argument("--peer-python", type=Path)
    parser.add_argument("--scratch", type=Path, help="folder to keep everything in; finished trainings are kept")
    return parser.parse_args()


def link_cases(scratch: Path, dataset: str) -> Path:
    """Link training cases into nnU-Net's raw folder; return the folder of the cases to predict."""
    raw, inputs = scratch / "nnUNet_raw" / dataset, scratch / "inputs" / dataset
    source = SHARED / ("ACDC_subset30" if dataset == ACDC else "Task04_Hippocampus")
    train_count, test_count = (20, 4) if dataset == ACDC else (60, 8)
    if raw.exists():
        return inputs
    references = scratch / "references" / dataset
    for folder in (raw / "imagesTr", raw / "labelsTr", inputs, references):
        folder.mkdir(parents=True, exist_ok=True)
    labels = sorted((source / "labelsTr").glob("*.nii.gz"))
    for number, label in enumerate(labels[:train_count] + labels[-test_count:]):
        case = label.name.removesuffix(".nii.gz")
        image = next((source / "imagesTr").glob(f"{case}*.nii.gz"))
        (raw / "imagesTr" if number < train_count else inputs).joinpath(f"{case}_0000.nii.gz").symlink_to(image)
        (raw / "labelsTr" if number < train_count else references).joinpath(label.name).symlink_to(label)
    classes: dict[str, Any] = {"background": 0, "Anterior": 1, "Posterior": 2}
    content: dict[str, Any] = {"channel_names": {"0": "MRI"}, "numTraining": train_count, "file_ending": ".nii.gz"}
    if dataset == ACDC:
        classes = {"background": 0, "RV": 1, "MYO": 2, "LV": 3}
    if dataset == REGIONS:
        classes = {"background": 0, "whole": [1, 2], "posterior": [2]}
        content["regions_class_order"] = [1, 2]
    (raw / "dataset.json").write_text(json.dumps(content | {"labels": classes}))
    return inputs


def train(peer: Path, scratch: Path, model: Model, steps: int) -> list[Path]:
    """Plan, preprocess and train with nnU-Net; return the model folder of each stage."""
    script = Path(__file__).with_name("peer_parity.py")
    environment = peer_environment(scratch) | {"nnUNet_def_n_proc": "2"}
    planner = PLANNERS.get(model.plans, "ExperimentPlanner")
    if not (scratch / "nnUNet_preprocessed" / model.dataset / f"{model.plans}.json").exists():
        changes = scratch / f"{model.dataset}_{model.plans}.json"
        changes.write_text(json.dumps(model.changes))
        command = [peer, script, "prepare", model.dataset, planner, model.plans, changes]
        measure(command, log=scratch / "prepare.log", env=environment)
    folders = []
    for stage in model.stages:
        folder = scratch / "nnUNet_results" / model.dataset / f"nnUNetTrainer__{model.plans}__{stage}"
        if not (folder / f"fold_{model.fold}" / "checkpoint_final.pth").exists():
            command = [peer, script, "train", model.dataset, model.plans, stage, model.fold, str(steps)]
            log = scratch / f"train_{model.dataset}_{model.plans}_{stage}.log"
            measure(command, log=log, env=environment | {"nnUNet_n_proc_DA": "0"})
        folders.append(folder)
    return folders


def compare(peer: Path, scratch: Path, name: str, trained: list[Path], inputs: Path, flips: bool) -> Agreement:
    fold = next(trained[-1].glob("fold_*")).name.removeprefix("fold_")
    work = scratch / "predictions" / f"{re.sub('[^a-z0-9]', '', name.lower())}_{'flips' if flips else 'plain'}"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    for accumulators in ("half", "single"):
        previous: Path | None = None
        for stage in trained:
            output = work / f"{accumulators}_{stage.name.rpartition('__')[2]}"
            predict_theirs(peer, scratch, stage, inputs, output, fold, flips, accumulators == "single", previous)
            previous = output
    program = Path(sys.executable).parent / "medarch"
    subprocess.run([program, "import", trained[-1], work / "model"], check=True, capture_output=True)
    options = ["--device", "cpu", *([] if flips else ["--no-mirror"])]
    measure([program, "predict", work / "model", inputs, work / "ours", *options], log=work / "ours.log")
    last = trained[-1].name.rpartition("__")[2]
    found = agreement(work / "ours", work / f"half_{last}")
    found.exact_dice = agreement(work / "ours", work / f"single_{last}").dice
    for accumulators in ("half", "single"):
        command = [
            program,
            "predict",
            work / "model",
            inputs,
            work / f"ours_{accumulators}",
            "--probabilities",
            *options,
        ]
        if len(trained) > 1:
            first = trained[0].name.rpartition("__")[2]
            command += ["--previous-stage-predictions", work / f"{accumulators}_{first}"]
        measure(command, log=work / "ours.log")
        setattr(
            found, accumulators, probability_difference(work / f"ours_{accumulators}", work / f"{accumulators}_{last}")
        )
    found.theirs = own_difference(work / f"half_{last}", work / f"single_{last}")
    found.summary = summary_difference(peer, scratch, work / f"half_{last}", inputs.name)
    return found


def predict_theirs(
    peer: Path, scratch: Path, model: Path, inputs: Path, output: Path, fold: str, flips: bool, single: bool,
    previous: Path | None,
) -> None:  # fmt: skip
    script = Path(__file__).with_name("peer_parity.py")
    output.mkdir()
    command = [peer, script, "predict", model, inputs, output, fold]
    command += [] if flips else ["--no-flips"]
    command += ["--float32"] if single else []
    command += ["--previous", previous] if previous else []
    measure(command, log=output.with_suffix(".log"), env=peer_environment(scratch))


def agreement(ours: Path, theirs: Path) -> Agreement:
    """Compare the label maps of all cases."""
    import nibabel as nib

    found = Agreement()
    for path in sorted(theirs.glob("*.nii.gz")):
        mine, rival = (np.asarray(nib.load(folder / path.name).dataobj) for folder in (ours, theirs))
        found.voxels = min(found.voxels, float((mine == rival).mean()))
        found.foreground.append(float((rival > 0).mean()))
        for value in sorted({*np.unique(rival), *np.unique(mine)} - {0}):
            a, b = mine == value, rival == value
            found.dice = min(found.dice, 2 * float((a & b).sum()) / float(a.sum() + b.sum()))
    return found


def probability_difference(ours: Path, theirs: Path) -> float:
    """Largest difference over all cases; the probabilities of nnU-Net lie in reader order z, y, x."""
    import nibabel as nib

    largest = 0.0
    for path in sorted(theirs.glob("*.npz")):
        shares = np.moveaxis(np.asarray(nib.load(ours / "probabilities" / f"{path.stem}.nii.gz").dataobj), -1, 0)
        rival = np.load(path)["probabilities"].transpose(0, 3, 2, 1)
        largest = max(largest, float(np.abs(shares - rival).max()))
    return largest


def own_difference(half: Path, single: Path) -> float:
    """What nnU-Net's float16 accumulators alone do to its probabilities."""
    pairs = ([np.load(folder / path.name)["probabilities"] for folder in (half, single)] for path in half.glob("*.npz"))
    return max(float(np.abs(first - second).max()) for first, second in pairs)


def summary_difference(peer: Path, scratch: Path, predictions: Path, dataset: str) -> float:
    """nnU-Net measures its own predictions, and so do we; the largest difference of a Dice of a case or a mean."""
    script, references = Path(__file__).with_name("peer_parity.py"), scratch / "references" / dataset
    command = [peer, script, "evaluate", predictions, references]
    measure(command, log=predictions.with_suffix(".log"), env=peer_environment(scratch))
    theirs = json.loads((predictions / "summary.json").read_text())
    content = json.loads((predictions / "dataset.json").read_text())
    scheme = LabelScheme(labels=content["labels"], regions_class_order=content.get("regions_class_order"))
    ours = evaluate(predictions, references, labels=scheme, empty_policy="nnunet")
    keys = {name: key_of(content["labels"][name]) for name in scheme.foreground_names}
    pairs = [(ours.mean(), theirs["foreground_mean"]["Dice"])]
    pairs += [(ours.mean(name), theirs["mean"][key]["Dice"]) for name, key in keys.items()]
    by_case = {Path(entry["prediction_file"]).name: entry["metrics"] for entry in theirs["metric_per_case"]}
    pairs += [(row.values["dsc"], by_case[f"{row.case}.nii.gz"][keys[row.label]]["Dice"]) for row in ours.rows]
    return max(abs((np.nan if mine is None else mine) - rival) for mine, rival in pairs if not np.isnan(rival))


def key_of(value: int | list[int]) -> str:
    """How summary.json calls a label or region."""
    return str(value) if isinstance(value, int) else str(tuple(value))


def print_rows(rows: dict[str, Agreement]) -> None:
    titles = (
        "voxels equal",
        "worst Dice",
        "Dice float32",
        "prob. nnU-Net",
        "prob. float32",
        "its float16",
        "summary.json",
        "foreground",
    )
    print(f"\n{'':<30}" + "".join(f"{title:>15}" for title in titles))
    for name, row in rows.items():
        share = float(np.mean(row.foreground))
        print(
            f"{name:<30}{row.voxels:>15.6f}{row.dice:>15.6f}{row.exact_dice:>15.6f}{row.half:>15.1e}{row.single:>15.1e}"
            f"{row.theirs:>15.1e}{row.summary:>15.1e}{share:>15.4f}"
        )
    sys.stdout.flush()


if __name__ == "__main__":
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    main()
