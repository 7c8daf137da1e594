"""After every epoch: one row of the log, one checkpoint, both atomic, and the plateau stop."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from medarch.core.files import atomic_path, write_text
from medarch.training.training_module import TrainingModule

COLUMNS = (
    "epoch", "iteration", "train_loss", "validation_loss", "validation_score", "smoothed_score", "learning_rate",
    "seconds",
)  # fmt: skip
KEPT = ("rows", "best_score", "best_epoch", "stopped")


class EpochRecord(Callback):
    """Writes ``log.csv``, ``checkpoints/last.ckpt`` and ``checkpoints/best.ckpt`` in a fold's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.last = folder / "checkpoints" / "last.ckpt"
        self.best = folder / "checkpoints" / "best.ckpt"
        self.rows: list[dict[str, Any]] = []
        self.best_score = float("-inf")
        self.best_epoch = 0
        self.stopped = False
        """Whether the run ended before its last epoch: at a plateau, or with its time used up."""

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep a run ended that had ended, when it was killed before its weights were written."""
        trainer.should_stop = self.stopped

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record the epoch."""
        if not isinstance(pl_module, TrainingModule):
            return
        pl_module.refuse_broken_loss()
        self._append(trainer, pl_module)
        score = pl_module.smoothed_score
        if score is not None and score > self.best_score:
            self.best_score, self.best_epoch = score, trainer.current_epoch
            self._save(trainer, self.best)
        patience = pl_module.plan.patience_epochs
        if patience is not None and trainer.current_epoch - self.best_epoch >= patience:
            trainer.should_stop = True
        self.stopped = trainer.should_stop
        self._save(trainer, self.last)

    def _save(self, trainer: Trainer, target: Path) -> None:
        with atomic_path(target) as temporary:
            trainer.save_checkpoint(temporary)

    def _append(self, trainer: Trainer, module: TrainingModule) -> None:
        mean = {
            name: float(torch.stack(values).mean()) if values else ""
            for name, values in (("train", module.losses), ("validation", module.validation_losses))
        }
        module.losses = []
        row = {
            "epoch": trainer.current_epoch,
            "iteration": trainer.global_step,
            "train_loss": mean["train"],
            "validation_loss": mean["validation"],
            "validation_score": module.scores.get("mean", ""),
            "smoothed_score": "" if module.smoothed_score is None else module.smoothed_score,
            "learning_rate": module.schedule.learning_rate(trainer.global_step),
            "seconds": round(module.schedule.seconds, 2),
        } | {f"score_{name}": value for name, value in module.scores.items() if name != "mean"}
        self.rows.append(row)
        text = io.StringIO()
        writer = csv.DictWriter(text, [*COLUMNS, *(name for name in row if name not in COLUMNS)], restval="")
        writer.writeheader()
        writer.writerows(self.rows)
        write_text(self.folder / "log.csv", text.getvalue())
        if trainer.logger is not None:
            trainer.logger.log_metrics(
                {name: float(value) for name, value in row.items() if value != ""}, step=trainer.global_step
            )

    def state_dict(self) -> dict[str, Any]:
        """Kept inside the checkpoint, so that log and checkpoint always agree."""
        return {name: getattr(self, name) for name in KEPT}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore :meth:`state_dict`."""
        for name in KEPT:
            setattr(self, name, state_dict[name])
