"""Runs inside nnU-Net's environment: prepare, train briefly and predict with nnU-Net's own code.

    python peer_parity.py prepare DATASET_NAME PLANNER PLANS_NAME CHANGES.json
    python peer_parity.py train DATASET_NAME PLANS_NAME CONFIGURATION FOLD STEPS
    python peer_parity.py predict MODEL INPUT OUTPUT FOLDS [--no-flips] [--float32] [--labels-only] [--previous FOLDER]
    python peer_parity.py evaluate PREDICTIONS REFERENCES

Training is nnU-Net's trainer with its steps, a shorter schedule and a momentum that suits few steps; everything that
decides a prediction (network, plans, checkpoint, mirroring axes) is nnU-Net's own.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
from pathlib import Path
from typing import Any

import torch

CPU = torch.device("cpu")
torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)))


def prepare(name: str, planner: str, plans_name: str, changes: Path) -> None:
    """Fingerprint, plan with smaller networks as the benchmark says, preprocess those configurations."""
    from nnunetv2.experiment_planning import plan_and_preprocess_api as steps
    from nnunetv2.paths import nnUNet_preprocessed

    number = int(name[7:10])
    steps.extract_fingerprints([number], num_processes=2, check_dataset_integrity=False, clean=False)
    steps.plan_experiments([number], planner, overwrite_plans_name=plans_name)
    path = Path(nnUNet_preprocessed) / name / f"{plans_name}.json"
    plans = json.loads(path.read_text())
    wanted = json.loads(changes.read_text())
    for configuration, update in wanted.items():
        entry = plans["configurations"].setdefault(configuration, {})
        features = update.pop("features", None)
        if features:
            kwargs = entry["architecture"]["arch_kwargs"]
            kwargs["features_per_stage"] = [features * 2**stage for stage in range(kwargs["n_stages"])]
        entry.update(update)
    path.write_text(json.dumps(plans, indent=2))
    stored = [name for name in wanted if name != "3d_cascade_fullres"]
    steps.preprocess([number], plans_name, configurations=stored, num_processes=[2] * len(stored))


def train(name: str, plans_name: str, configuration: str, fold: str, steps: int) -> None:
    """A few hundred steps, then a checkpoint; for a first stage also its predictions for the next one."""
    from nnunetv2.paths import nnUNet_preprocessed
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    folder = Path(nnUNet_preprocessed) / name
    trainer = nnUNetTrainer(
        plans=json.loads((folder / f"{plans_name}.json").read_text()) | {"continue_training": False},
        configuration=configuration,
        fold=fold if fold == "all" else int(fold),
        dataset_json=json.loads((folder / "dataset.json").read_text()),
        device=CPU,
    )
    torch.manual_seed(7)
    trainer.initialize()
    trainer.on_train_start()
    for group in trainer.optimizer.param_groups:
        group["momentum"] = 0.95
    trainer.network.train()
    for step in range(steps):
        for group in trainer.optimizer.param_groups:
            group["lr"] = 0.03 * (1 - step / steps) ** 0.9
        loss = trainer.train_step(next(trainer.dataloader_train))["loss"]
        if step % 25 == 0:
            print(f"step {step} loss {float(loss):.3f}", flush=True)
    trainer.on_train_end()
    if trainer.configuration_manager.next_stage_names:
        trainer.perform_actual_validation(False)


def predict(options: argparse.Namespace) -> None:
    """nnU-Net's predictor, case by case, with probabilities.

    Its accumulators are float16 whatever the device; ``--float32`` exchanges that one type, to see how much of a
    difference is theirs.
    """
    from nnunetv2.inference import predict_from_raw_data as module

    if options.float32:
        module.torch = _Exchanged(torch, half=torch.float32)
        module.compute_gaussian = functools.partial(module.compute_gaussian, dtype=torch.float32)
        module.compute_gaussian.cache_clear = lambda: None
    predictor = module.nnUNetPredictor(use_mirroring=not options.no_flips, device=CPU, allow_tqdm=False)
    folds = [fold if fold == "all" else int(fold) for fold in options.folds.split(",")]
    predictor.initialize_from_trained_model_folder(str(options.model), folds)
    with contextlib.redirect_stdout(None):
        predictor.predict_from_files_sequential(
            str(options.input),
            str(options.output),
            save_probabilities=not options.labels_only,
            folder_with_segs_from_prev_stage=str(options.previous) if options.previous else None,
        )


def evaluate(predictions: Path, references: Path) -> None:
    """nnU-Net's summary.json of a folder of predictions."""
    from nnunetv2.evaluation.evaluate_predictions import compute_metrics_on_folder2

    compute_metrics_on_folder2(
        str(references),
        str(predictions),
        str(predictions / "dataset.json"),
        str(predictions / "plans.json"),
        num_processes=1,
    )


class _Exchanged:
    """A module with some of its names exchanged."""

    def __init__(self, module: Any, **names: Any) -> None:
        self.module, self.names = module, names

    def __getattr__(self, name: str) -> Any:
        return self.names[name] if name in self.names else getattr(self.module, name)


def main() -> None:
    parser = argparse.ArgumentParser()
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("prepare")
    for name in ("name", "planner", "plans_name"):
        verb.add_argument(name)
    verb.add_argument("changes", type=Path)
    verb = verbs.add_parser("train")
    for name in ("name", "plans_name", "configuration", "fold"):
        verb.add_argument(name)
    verb.add_argument("steps", type=int)
    verb = verbs.add_parser("predict")
    for name in ("model", "input", "output"):
        verb.add_argument(name, type=Path)
    verb.add_argument("folds")
    verb.add_argument("--no-flips", action="store_true")
    verb.add_argument("--float32", action="store_true")
    verb.add_argument("--labels-only", action="store_true")
    verb.add_argument("--previous", type=Path)
    verb = verbs.add_parser("evaluate")
    for name in ("predictions", "references"):
        verb.add_argument(name, type=Path)
    options = parser.parse_args()
    if options.verb == "prepare":
        prepare(options.name, options.planner, options.plans_name, options.changes)
    elif options.verb == "train":
        train(options.name, options.plans_name, options.configuration, options.fold, options.steps)
    elif options.verb == "evaluate":
        evaluate(options.predictions, options.references)
    else:
        predict(options)


if __name__ == "__main__":
    main()
