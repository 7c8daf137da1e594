"""The Lightning module: one training step for every task."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any, TypeAlias

import torch
from lightning.pytorch import LightningModule
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from medarch.core.errors import TrainingError
from medarch.core.plan import TrainingPlan
from medarch.networks.build_optimizer import build_optimizer
from medarch.networks.levers.checkpoint_blocks import checkpoint_blocks
from medarch.networks.levers.offload_activations import offload_activations
from medarch.networks.weights.fit_weights import fit_weights
from medarch.networks.weights.parameter_groups import frozen_modules
from medarch.tasks.task import Outputs, Task
from medarch.training.case_source import CaseSource
from medarch.training.finish_batch import finish_batch
from medarch.training.nuclei.nuclei_source import NucleiSource
from medarch.training.pair_source import PairSource
from medarch.training.patch_source import PatchSource, RawBatch
from medarch.training.schedule import Schedule
from medarch.training.weight_average import WeightAverage

SCORE_SMOOTHING = 0.9
Batch: TypeAlias = tuple[Tensor, Tensor, Tensor | None]
"""Images, labels, and landmarks of pairs that have them."""
log = logging.getLogger(__name__)


class TrainingModule(LightningModule):
    """Knows the :class:`Task` contract and the plan, nothing of any science."""

    def __init__(
        self,
        task: Task,
        *,
        train: PatchSource | CaseSource | PairSource | NucleiSource,
        validation: PatchSource | CaseSource | PairSource | NucleiSource,
        loader_workers: int,
        pretrained: Mapping[str, Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.task = task
        self.plan: TrainingPlan = task.configuration.training
        self.network = task.build_network()
        if pretrained is not None:
            self.fitted = fit_weights(self.network, pretrained)
        checkpoint_blocks(self.network, self.plan.checkpoint)
        self.schedule = Schedule(self.plan)
        self.average = (
            WeightAverage(self.network, decay=self.plan.weight_average_decay)
            if self.plan.weight_average_decay
            else None
        )
        self.sources = {"train": train, "validation": validation}
        self.loader_workers = loader_workers
        self.losses: list[Tensor] = []
        self.validation_losses: list[Tensor] = []
        self.tally: Tensor | None = None
        self.smoothed_score: float | None = None
        self.scores: dict[str, float] = {}

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """SGD with Nesterov momentum, or AdamW."""
        return build_optimizer(self.network, self.plan)

    def on_fit_start(self) -> None:
        """Frozen stages stay in evaluation mode, with the statistics they were trained with.

        Lightning brings every module back to its own mode after a validation.
        """
        for module in frozen_modules(self.network, self.plan.frozen_stages):
            module.eval()

    def train_dataloader(self) -> DataLoader[RawBatch]:
        """Batches of the present epoch; Lightning asks anew each epoch."""
        return self._loader("train", self.plan.iterations_per_epoch * self.plan.accumulate, self.current_epoch)

    def val_dataloader(self) -> DataLoader[RawBatch]:
        """The same validation batches every epoch, so that scores of epochs can be compared."""
        length = min(self.plan.validation_iterations, len(self.sources["validation"]))
        return self._loader("validation", length, 0)

    def _loader(self, source: str, length: int, epoch: int) -> DataLoader[RawBatch]:
        return DataLoader(
            self.sources[source],
            batch_size=None,
            sampler=_Numbers(epoch * length, length),
            num_workers=self.loader_workers,
            collate_fn=_as_is,
        )

    def transfer_batch_to_device(self, batch: RawBatch, device: torch.device, dataloader_idx: int) -> Batch:
        """Move and augment."""
        configuration = self.task.configuration
        values = self.task.plan.labels.foreground_values if configuration.previous_stage else ()
        image, label = finish_batch(batch, configuration, device, previous_values=values)
        return image, label, None if batch.landmarks is None else batch.landmarks.to(device)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One forward pass and its loss."""
        for group in self.optimizers().param_groups:  # type: ignore[union-attr]
            group["lr"] = group["lr_scale"] * self.schedule.learning_rate(self.global_step)
        image, label, landmarks = batch
        with offload_activations() if self.plan.offload_activations else nullcontext():
            loss = self._loss(self.network(image), self.task.target(label, image), landmarks)
        self.losses.append(loss.detach())
        return loss

    def _loss(self, outputs: Outputs, target: Tensor, landmarks: Tensor | None) -> Tensor:
        loss = self.task.loss(outputs, target)
        return loss if landmarks is None else loss + self.task.landmark_loss(outputs, landmarks)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Follow the weights, and end the run when its time is used up."""
        if self.average is not None:
            self.average.update()
        if self.plan.time_budget_s is not None and self.schedule.progress(self.global_step) >= 1.0:
            self.trainer.should_stop = True

    def on_validation_epoch_start(self) -> None:
        """Begin counting; validate the averaged weights if there are any."""
        self.tally = None
        self.validation_losses = []
        if self.average is not None:
            self.average._swap()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Count hits and misses on validation patches."""
        image, label, landmarks = batch
        outputs, target = self.network(image), self.task.target(label, image)
        self.validation_losses.append(self._loss(outputs, target, landmarks))
        tally = self.task.tally(outputs, target)
        self.tally = tally if self.tally is None else self.tally + tally

    def on_validation_epoch_end(self) -> None:
        """Score the epoch."""
        if self.average is not None:
            self.average._swap()
        if self.tally is not None:
            self.scores = dict(self.task.score(self.tally))
            score = self.scores["mean"]
            before = self.smoothed_score
            self.smoothed_score = score if before is None else SCORE_SMOOTHING * before + (1 - SCORE_SMOOTHING) * score

    def refuse_broken_loss(self) -> None:
        """Stop before a broken state can replace a good checkpoint.

        Raises:
            TrainingError: a loss of this epoch is infinite or NaN.
        """
        if self.losses and not torch.isfinite(torch.stack(self.losses)).all():
            raise TrainingError(
                f"the loss became infinite or NaN in epoch {self.current_epoch}",
                expected="a finite loss",
                found=str(float(self.losses[-1])),
                fix="lower training.learning_rate or set training.precision to float32 in plan.json, then train again",
            )

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what Lightning does not know."""
        checkpoint["medarch"] = {
            "seconds": self.schedule.seconds,
            "smoothed_score": self.smoothed_score,
            "scores": self.scores,
            "average": self.average.state() if self.average is not None else None,
        }

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore :meth:`on_save_checkpoint`."""
        kept = checkpoint["medarch"]
        self.schedule.seconds_before = kept["seconds"]
        self.smoothed_score, self.scores = kept["smoothed_score"], dict(kept["scores"])
        if self.average is not None and kept["average"] is not None:
            self.average.load(kept["average"])


class _Numbers(Sampler[int]):
    """Consecutive batch numbers."""

    def __init__(self, start: int, length: int) -> None:
        self.numbers = range(start, start + length)

    def __iter__(self) -> Any:
        return iter(self.numbers)

    def __len__(self) -> int:
        return len(self.numbers)


def _as_is(batch: Any) -> Any:
    return batch
