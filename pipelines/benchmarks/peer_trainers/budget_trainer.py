"""Runs inside nnU-Net's environment: its own trainer, given a wall-clock instead of a number of epochs.

Stock nnU-Net would spend 15 minutes on a CPU within its first epoch of 250 steps, at the full learning rate, and write
no checkpoint. Here its learning rate comes down to its end exactly when the time is used up, and epochs are short:
kinder than stock.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

import torch
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer


class BudgetTrainer(nnUNetTrainer):
    """nnU-Net's default trainer under MEDARCH_BUDGET_S seconds of training."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.budget_s = float(os.environ["MEDARCH_BUDGET_S"])
        self.num_iterations_per_epoch = 5
        self.num_val_iterations_per_epoch = 1
        self.num_epochs = 100_000
        self.save_every = 100_000
        self.started = None
        self.curve = []

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
