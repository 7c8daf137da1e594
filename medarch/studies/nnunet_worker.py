"""Runs inside nnU-Net's environment, by path, and imports nothing of medarch.

    python nnunet_worker.py preprocess|train|predict SPEC.json

It calls nnU-Net v2's own planner, preprocessor, trainer and predictor. What it adds is the budget: for epochs it sets
their number; for a wall-clock the learning rate comes down to its end exactly when the time is used up and the last
epoch is cut there. (Stock nnU-Net knows epochs only and would be stopped at a high learning rate, without a final
checkpoint: this is kinder than stock.) Seeds are set where nnU-Net takes one: the weights and the choice of cases; its
augmentation workers seed themselves.
"""

import importlib
import json
import multiprocessing
import os
import random
import shutil
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

PLANNERS = {
    "nnUNetPlans": "ExperimentPlanner",
    "nnUNetResEncUNetMPlans": "nnUNetPlannerResEncM",
    "nnUNetResEncUNetLPlans": "nnUNetPlannerResEncL",
    "nnUNetResEncUNetXLPlans": "nnUNetPlannerResEncXL",
}
CHECKPOINT = "checkpoint_final.pth"


def main() -> None:
    """Do one step."""
    step, path = sys.argv[1:]
    spec = json.loads(Path(path).read_text())
    for name, folder in spec["folders"].items():
        os.environ[name] = folder
        Path(folder).mkdir(parents=True, exist_ok=True)
    {"preprocess": preprocess, "train": train, "predict": predict}[step](spec)


def preprocess(spec: dict[str, Any]) -> None:
    """Link the raw files, plan, preprocess one configuration, and write the study's splits last."""
    from nnunetv2.experiment_planning.plan_and_preprocess_api import (
        extract_fingerprints,
        plan_experiments,
        preprocess,
    )

    prepared = Path(spec["folders"]["nnUNet_preprocessed"]) / spec["dataset"]
    shutil.rmtree(prepared, ignore_errors=True)
    link_raw(spec, Path(spec["folders"]["nnUNet_raw"]) / spec["dataset"])
    processes = int(os.environ.get("nnUNet_def_n_proc", "8"))  # noqa: SIM112 - nnU-Net's name
    extract_fingerprints([1], num_processes=processes, check_dataset_integrity=False)
    plans = plan_experiments([1], PLANNERS[spec["plans"]])
    preprocess([1], plans, (spec["configuration"],), (processes,))
    known = json.loads((prepared / f"{plans}.json").read_text())["configurations"]
    if spec["configuration"] not in known:
        sys.exit(f"nnU-Net plans no {spec['configuration']} for this dataset, only {', '.join(known)}")
    (prepared / "splits_final.json").write_text(json.dumps(spec["splits"], indent=1))


def link_raw(spec: dict[str, Any], raw: Path) -> None:
    """Write nnU-Net's raw layout: links where a case has one file a channel, split copies of 4D NIfTI files."""
    shutil.rmtree(raw, ignore_errors=True)
    for folder in ("imagesTr", "labelsTr"):
        (raw / folder).mkdir(parents=True)
    endings = {ending(path) for case in spec["cases"].values() for path in (*case["images"], case["label"])}
    if len(endings) != 1:
        sys.exit(f"nnU-Net needs one file format in a dataset, found {', '.join(sorted(endings))}")
    suffix = endings.pop()
    for name, case in spec["cases"].items():
        (raw / "labelsTr" / f"{name}{suffix}").symlink_to(case["label"])
        if len(case["images"]) == len(spec["channels"]):
            for channel, path in enumerate(case["images"]):
                (raw / "imagesTr" / f"{name}_{channel:04d}{suffix}").symlink_to(path)
        else:
            split_channels(Path(case["images"][0]), raw / "imagesTr", name, suffix, len(spec["channels"]))
    labels = {key: value for key, value in spec["labels"].items() if value is not None}
    content = {
        "channel_names": {str(number): name for number, name in enumerate(spec["channels"])},
        **labels,
        "numTraining": len(spec["cases"]),
        "file_ending": suffix,
    }
    (raw / "dataset.json").write_text(json.dumps(content, indent=1))


def split_channels(path: Path, target: Path, name: str, suffix: str, channels: int) -> None:
    """Write each volume of a 4D NIfTI file as a file of its own."""
    import nibabel

    if suffix not in (".nii", ".nii.gz"):
        sys.exit(f"{path} holds several channels; for nnU-Net such files must be NIfTI, or one file a channel")
    volumes = nibabel.four_to_three(nibabel.load(path))
    if len(volumes) != channels:
        sys.exit(f"{path} holds {len(volumes)} channels, the dataset names {channels}")
    for channel, volume in enumerate(volumes):
        nibabel.save(volume, target / f"{name}_{channel:04d}{suffix}")


def ending(path: str) -> str:
    """``.nii.gz`` of ``a.b.nii.gz``."""
    name = Path(path).name
    return ".nii.gz" if name.endswith(".nii.gz") else Path(name).suffix


def make_trainer(spec: dict[str, Any]) -> Any:
    """Return nnU-Net's trainer for this run, with the budget."""
    import torch

    prepared = Path(spec["folders"]["nnUNet_preprocessed"]) / spec["dataset"]
    plans = json.loads((prepared / f"{spec['plans']}.json").read_text()) | {"continue_training": False}
    kind = spec["device"]
    if kind == "auto":
        kind = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    # nnU-Net's own rule.
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", multiprocessing.cpu_count())) if kind == "cpu" else 1)
    trainer = trainer_class(spec["trainer"])(
        plans=plans,
        configuration=spec["configuration"],
        fold=spec["fold"],
        dataset_json=json.loads((prepared / "dataset.json").read_text()),
        device=torch.device(kind),
    )
    trainer.budget_s = spec["seconds"]
    trainer.num_epochs = spec["epochs"] or trainer.num_epochs
    return trainer


def trainer_class(name: str) -> type:
    """Return nnU-Net's trainer of that name with a clock, under the same name (nnU-Net's folders carry it)."""
    if name == "nnUNetTrainer":
        # Not looked up: the search imports all of nnU-Net, and with it torchvision, that a CPU build may lack.
        base = importlib.import_module("nnunetv2.training.nnUNetTrainer.nnUNetTrainer").nnUNetTrainer
    else:
        from nnunetv2.utilities.find_objects import recursive_find_trainer_class_by_name

        base = recursive_find_trainer_class_by_name(name)
    budgeted = with_clock(base)
    budgeted.__name__ = budgeted.__qualname__ = name
    return budgeted


def with_clock(base: type) -> type:
    """Return a subclass that trains until ``budget_s`` is used up, or as ever if that is None."""
    import torch

    class Budgeted(base):  # type: ignore[misc, valid-type]
        budget_s: float | None = None
        started: float | None = None

        def left(self) -> float:
            """Share of the time that is left."""
            if self.started is None:
                self.started = time.monotonic()
            return max(0.0, 1.0 - (time.monotonic() - self.started) / (self.budget_s or 1.0))

        def train_step(self, batch: dict[str, Any]) -> dict[str, Any]:
            if self.budget_s is not None:
                for group in self.optimizer.param_groups:
                    group["lr"] = self.initial_lr * self.left() ** 0.9
            result: dict[str, Any] = super().train_step(batch)
            return result

        def run_training(self) -> None:
            if self.budget_s is None:
                super().run_training()
                return
            self.on_train_start()
            while self.left() > 0:
                self.on_epoch_start()
                self.on_train_epoch_start()
                outputs: list[dict[str, Any]] = []
                while len(outputs) < self.num_iterations_per_epoch and self.left() > 0:
                    outputs.append(self.train_step(next(self.dataloader_train)))
                if self.left() == 0:
                    break
                self.on_train_epoch_end(outputs)
                with torch.no_grad():
                    self.on_validation_epoch_start()
                    self.on_validation_epoch_end(
                        [
                            self.validation_step(next(self.dataloader_val))
                            for _ in range(self.num_val_iterations_per_epoch)
                        ]
                    )
                self.on_epoch_end()
            # Counts epochs down by one, and writes the final checkpoint.
            self.current_epoch += 1
            self.on_train_end()

    return Budgeted


def train(spec: dict[str, Any]) -> None:
    """Train one fold from the start."""
    import numpy as np
    import torch

    shutil.rmtree(spec["folders"]["nnUNet_results"], ignore_errors=True)
    Path(spec["folders"]["nnUNet_results"]).mkdir()
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(spec["seed"])
    trainer = make_trainer(spec)
    trainer.initialize()
    trainer.run_training()
    parameters = sum(weight.numel() for weight in trainer.network.parameters())
    software = {"nnunetv2": version("nnunetv2"), "torch of nnunetv2": torch.__version__}
    Path(spec["facts"]).write_text(json.dumps({"parameters": parameters, "software": software}))


def predict(spec: dict[str, Any]) -> None:
    """Predict the validation cases from their raw files, with the final checkpoint, as ``nnUNetv2_predict`` does."""
    os.environ["nnUNet_compile"] = "f"  # noqa: SIM112 - its default for prediction
    import torch
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    trainer = make_trainer(spec)
    trainer.initialize()
    # nnU-Net wrote this file a moment ago, in this run's folder.
    trainer.load_checkpoint(str(Path(trainer.output_folder) / CHECKPOINT))
    trainer.set_deep_supervision_enabled(False)
    trainer.network.eval()
    predictor = nnUNetPredictor(device=trainer.device, perform_everything_on_device=trainer.device.type == "cuda",
                                allow_tqdm=False)  # fmt: skip
    state = {name: value.clone() for name, value in trainer.network.state_dict().items()}
    predictor.manual_initialization(
        trainer.network, trainer.plans_manager, trainer.configuration_manager, [state], trainer.dataset_json,
        spec["trainer"], trainer.inference_allowed_mirroring_axes,
    )  # fmt: skip
    raw = Path(spec["folders"]["nnUNet_raw"]) / spec["dataset"]
    suffix = trainer.dataset_json["file_ending"]
    channels = range(len(trainer.dataset_json["channel_names"]))
    inputs = [
        [str(raw / "imagesTr" / f"{case}_{channel:04d}{suffix}") for channel in channels] for case in spec["cases"]
    ]
    target = Path(spec["predictions"])
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    processes = min(3, torch.get_num_threads())
    predictor.predict_from_files(
        inputs, [str(target / case) for case in spec["cases"]], overwrite=True,
        num_processes_preprocessing=processes, num_processes_segmentation_export=processes,
    )  # fmt: skip


if __name__ == "__main__":
    main()
