"""One bar for the whole training run."""

from __future__ import annotations

import sys
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from tqdm import tqdm

from medarch.training.training_module import TrainingModule


class ProgressBar(Callback):
    """Percent of the run, epoch, loss, validation score and time left; one line an epoch when stderr is no terminal."""

    def __init__(self) -> None:
        self.bar: Any = None
        self.terminal = sys.stderr.isatty()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the bar where a resumed run stands."""
        if isinstance(pl_module, TrainingModule):
            done = pl_module.schedule.progress(trainer.global_step)
            self.bar = tqdm(
                total=100.0,
                initial=round(100 * done, 1),
                desc="train",
                bar_format="{desc}: {percentage:3.0f}% |{bar}| {elapsed}<{remaining} {postfix}",
                disable=not self.terminal,
                dynamic_ncols=True,
            )

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Advance."""
        if self.terminal and isinstance(pl_module, TrainingModule):
            done = 100 * pl_module.schedule.progress(trainer.global_step)
            self.bar.set_postfix_str(self._state(trainer, pl_module), refresh=False)
            self.bar.update(done - self.bar.n)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write a line where no bar can be drawn (Slurm, cron, CI)."""
        if not self.terminal and isinstance(pl_module, TrainingModule):
            done = 100 * pl_module.schedule.progress(trainer.global_step)
            seconds = pl_module.schedule.seconds
            sys.stderr.write(f"train: {done:3.0f}% {self._state(trainer, pl_module)}, {seconds:.0f} s\n")

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close the bar."""
        self.bar.close()

    @staticmethod
    def _state(trainer: Trainer, module: TrainingModule) -> str:
        parts = [f"epoch {trainer.current_epoch + 1}/{module.plan.epochs}"]
        if module.losses:
            parts.append(f"loss {float(module.losses[-1]):.3f}")
        if "mean" in module.scores:
            parts.append(f"score {module.scores['mean']:.3f}")
        return ", ".join(parts)
