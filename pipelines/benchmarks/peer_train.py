"""Runs inside nnU-Net's environment: its own trainer, given a wall-clock instead of a number of epochs.

    python peer_train.py DATASET_NAME CONFIGURATION FOLD BUDGET_SECONDS [--no-validation]

Stock nnU-Net would spend 15 minutes on a CPU within its first epoch of 250 steps, at the full learning rate, and write
no checkpoint. Here its learning rate comes down to its end exactly when the time is used up, and epochs are short:
kinder than stock. (The console script cannot be used: looking up a trainer of another name imports all of nnU-Net,
timm and torchvision with it, and no torchvision for a CPU build of torch exists here.)
"""

import json
import multiprocessing
import sys
import time
from pathlib import Path
from typing import Any

import torch
from nnunetv2.paths import nnUNet_preprocessed
from nnunetv2.training.nnUNetTrainer import nnUNetTrainer as Stock


class nnUNetTrainer(Stock.nnUNetTrainer):  # noqa: N801 - nnU-Net's prediction finds the trainer by this name
    """nnU-Net's default trainer under a budget."""

    budget_s = 0.0

    def __init__(
        self,
        plans: dict[str, Any],
        configuration: str,
        fold: int,
        dataset_json: dict[str, Any],
        device: torch.device = torch.device("cpu"),  # noqa: B008 - nnU-Net reads this very signature
    ) -> None:
        super().__init__(plans, configuration, fold, dataset_json, device)
        self.num_iterations_per_epoch = 5
        self.num_val_iterations_per_epoch = 1
        self.num_epochs = 100_000
        self.save_every = 100_000
        self.started: float | None = None
        self.curve: list[dict[str, float]] = []

    def train_step(self, batch: dict[str, Any]) -> dict[str, Any]:
        """One step at the learning rate of the time that is left."""
        if self.started is None:
            self.started = time.monotonic()
        left = max(0.0, 1.0 - (time.monotonic() - self.started) / self.budget_s)
        for group in self.optimizer.param_groups:
            group["lr"] = self.initial_lr * left**0.9
        return super().train_step(batch)

    def run_training(self) -> None:
        """Train until the time is used up."""
        self.on_train_start()
        # A picture an epoch costs a second; it is not part of learning.
        self.logger.plot_progress_png = lambda folder: None
        self.started = time.monotonic()
        steps = 0
        while time.monotonic() - self.started < self.budget_s:
            self.on_epoch_start()
            self.on_train_epoch_start()
            outputs = []
            for _ in range(self.num_iterations_per_epoch):
                outputs.append(self.train_step(next(self.dataloader_train)))
                steps += 1
                if time.monotonic() - self.started >= self.budget_s:
                    break
            self.on_train_epoch_end(outputs)
            self.network.eval()
            self.on_validation_epoch_start()
            with torch.no_grad():
                scores = [self.validation_step(next(self.dataloader_val))]
            self.on_validation_epoch_end(scores)
            mean = float(self.logger.get_value("mean_fg_dice", step=-1))
            self.curve.append({"seconds": time.monotonic() - self.started, "steps": steps, "score": mean})
            self.on_epoch_end()
        Path(self.output_folder, "curve.json").write_text(json.dumps(self.curve))
        # on_train_end writes checkpoint_final and counts epochs from here.
        self.on_train_end()


def main() -> None:
    """Train one fold and predict its validation cases, as nnUNetv2_train does."""
    dataset, configuration, fold, budget_s, *rest = sys.argv[1:]
    torch.set_num_threads(multiprocessing.cpu_count())
    folder = Path(nnUNet_preprocessed) / dataset
    plans = json.loads((folder / "nnUNetPlans.json").read_text()) | {"continue_training": False}
    trainer = nnUNetTrainer(
        plans=plans,
        configuration=configuration,
        fold=int(fold),
        dataset_json=json.loads((folder / "dataset.json").read_text()),
        device=torch.device("cpu"),
    )
    trainer.budget_s = float(budget_s)
    trainer.initialize()
    trainer.run_training()
    if not rest:
        trainer.perform_actual_validation(False)


if __name__ == "__main__":
    main()
