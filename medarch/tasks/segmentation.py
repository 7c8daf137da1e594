"""Segmentation: labels, overlapping regions, and labels with unannotated voxels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from medarch.core.plan import Configuration, Plan
from medarch.tasks.deciding_task import DecidingTask
from medarch.tasks.dice_loss import dice_loss
from medarch.tasks.task import Outputs


class Segmentation(DecidingTask):
    """Dice + cross-entropy on labels, or Dice + binary cross-entropy on regions, at every resolution.

    Source: section 1.15 of nnU-Net's rules.
    """

    name = "segmentation"

    def __init__(self, plan: Plan, configuration: Configuration) -> None:
        super().__init__(plan, configuration)
        self.labels = plan.labels
        self._members = [self.labels.members(name) for name in self.labels.foreground_names]

    def class_names(self) -> tuple[str, ...]:
        """Classes or regions without background."""
        return self.labels.foreground_names

    def focus_values(self, present: Sequence[int]) -> list[tuple[int, ...]]:
        """One group a class or region that occurs in the case."""
        groups = [tuple(value for value in members if value in present) for members in self._members]
        return [group for group in groups if group]

    def target(self, label: Tensor, image: Tensor | None = None) -> Tensor:
        """``(B, 1, *patch)`` → ``(B, *patch)`` int64, outside counted as background."""
        return label[:, 0].clamp_min(0).long()

    def loss(self, outputs: Outputs, target: Tensor) -> Tensor:
        """Weighted mean over outputs: halved at each coarser resolution, the coarsest left out.

        Outputs of one resolution, such as UNet++ has (Zhou et al. 2018, equation 2), weigh the same.
        """
        if isinstance(outputs, Tensor):
            return self._loss_at_scale(outputs, target)
        sizes = [logits.shape[2:] for logits in outputs]
        scales = [sorted({*sizes}, key=math.prod, reverse=True).index(size) for size in sizes]
        weights = [0.0 if 0 < scale == max(scales) else 0.5**scale for scale in scales]
        total = outputs[0].new_zeros((), dtype=torch.float32)
        for logits, weight in zip(outputs, weights, strict=True):
            if weight:
                total = total + weight / sum(weights) * self._loss_at_scale(logits, _shrink(target, logits.shape[2:]))
            else:
                # Keeps every head in the graph, so that its (zero) gradient exists for all optimisers and DDP.
                total = total + 0.0 * logits.sum()
        return total

    def _loss_at_scale(self, logits: Tensor, target: Tensor) -> Tensor:
        logits = logits.float()
        ignore = self.labels.ignore_value
        known = None if ignore is None else target != ignore
        mask = None if known is None else known[:, None].to(logits.dtype)
        if self.labels.has_regions:
            truth = self._regions(target)
            voxelwise = F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
            entropy = (
                voxelwise.mean()
                if mask is None
                else (voxelwise * mask).sum() / (mask.sum() * logits.shape[1]).clamp_min(1e-8)
            )
            dice = dice_loss(logits.sigmoid(), truth, mask=mask, over_batch=self.configuration.batch_dice)
            return entropy + dice
        if known is not None:
            entropy = F.cross_entropy(
                logits, target, ignore_index=-100 if ignore is None else ignore, reduction="sum"
            ) / known.sum().clamp_min(1)
            target = target.masked_fill(~known, 0)
        else:
            entropy = F.cross_entropy(logits, target)
        truth = torch.stack([target == channel for channel in range(1, logits.shape[1])], dim=1)
        probabilities = logits.softmax(1)[:, 1:]
        return entropy + dice_loss(
            probabilities, truth.to(probabilities.dtype), mask=mask, over_batch=self.configuration.batch_dice
        )

    def _regions(self, target: Tensor) -> Tensor:
        return torch.stack(
            [torch.isin(target, torch.tensor(members, device=target.device)) for members in self._members], dim=1
        ).float()

    def tally(self, outputs: Outputs, target: Tensor) -> Tensor:
        """``(classes, 3)``: true positives, false positives, false negatives at full resolution."""
        logits = outputs if isinstance(outputs, Tensor) else outputs[0]
        ignore = self.labels.ignore_value
        known = torch.ones_like(target, dtype=torch.bool) if ignore is None else target != ignore
        rows = []
        winner = logits.argmax(1)
        for index, members in enumerate(self._members):
            truth = torch.isin(target, torch.tensor(members, device=target.device)) & known
            found = (logits[:, index] > 0 if self.labels.has_regions else winner == members[0]) & known
            hit = (truth & found).sum()
            rows.append(torch.stack([hit, found.sum() - hit, truth.sum() - hit]))
        return torch.stack(rows).double().cpu()

    def score(self, tally: Tensor) -> Mapping[str, float]:
        """Pooled ("pseudo") Dice of each class and their mean over the classes that occur."""
        hit, spurious, missed = tally.T
        size = 2 * hit + spurious + missed
        dice = torch.where(size > 0, 2 * hit / size.clamp_min(1), torch.nan)
        scores = dict(zip(self.class_names(), dice.tolist(), strict=True))
        mean = float(dice.nanmean()) if (size > 0).any() else 0.0
        return {**scores, "mean": mean}

    def probabilities(self, scores: np.ndarray) -> np.ndarray:
        """Sigmoid for regions, softmax for labels."""
        if self.labels.has_regions:
            shares: np.ndarray = 1.0 / (1.0 + np.exp(-scores))
            return shares
        exponent: np.ndarray = np.exp(scores - scores.max(axis=0, keepdims=True))
        exponent /= exponent.sum(axis=0, keepdims=True)
        return exponent

    def decode(self, scores: np.ndarray) -> np.ndarray:
        """The likeliest label; regions with probability above one half are written in ``regions_class_order``."""
        dtype = np.uint8 if self.labels.values[-1] < 255 else np.uint16
        if not self.labels.has_regions:
            winner: np.ndarray = scores.argmax(axis=0).astype(dtype)
            return winner
        out: np.ndarray = np.zeros(scores.shape[1:], dtype)
        for channel, value in zip(scores, self.labels.regions_class_order or (), strict=True):
            out[channel > 0] = value
        return out


def _shrink(target: Tensor, size: torch.Size) -> Tensor:
    """Nearest-neighbour down-sampling of ``(B, *spatial)``."""
    if target.shape[1:] == size:
        return target
    # Labels are small integers: float32 holds them exactly.
    return F.interpolate(target[:, None].float(), size=tuple(size), mode="nearest-exact")[:, 0].long()
