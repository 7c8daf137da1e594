"""Registration: a field that brings a moving image onto a fixed one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from medarch.core.errors import PlanError
from medarch.core.plan import Configuration, Plan, RegistrationPlan
from medarch.networks.motion.jacobian_determinant import jacobian_determinant
from medarch.networks.motion.warp import warp
from medarch.tasks.registration.bending import bending
from medarch.tasks.registration.diffusion import diffusion
from medarch.tasks.registration.inverse_consistency import inverse_consistency
from medarch.tasks.registration.jacobian_penalty import jacobian_penalty
from medarch.tasks.registration.label_dice import label_dice
from medarch.tasks.registration.label_shares import label_shares
from medarch.tasks.registration.landmark_distance import landmark_distance
from medarch.tasks.registration.local_ncc import local_ncc
from medarch.tasks.registration.mind import mind
from medarch.tasks.registration.mse import mse
from medarch.tasks.registration.nmi import nmi
from medarch.tasks.task import Outputs, Task

SIMILARITY_STEPS = 10_000
"""The similarity is counted in ten-thousandths: whole numbers add up to the same sum in any order."""

SCALES = 3
"""A window sees as far as it is wide: training also compares images of half and of a quarter of the resolution."""


class Registration(Task):
    """Similarity of the fixed and the warped moving image, smoothness of the field, and overlap of labels.

    A batch's ``image`` is ``(B, 2 C, *grid)``, the fixed image's channels first; its ``label`` is ``(B, 2, *grid)``,
    fixed and moving, -1 all over for an image without labels; of a dataset without labels it has no channels. Sources:
    Balakrishnan et al. 2019, arXiv:1809.05231; Dalca et al. 2019, arXiv:1903.03545 for the velocity.
    """

    name = "registration"
    paired = True

    def __init__(self, plan: Plan, configuration: Configuration) -> None:
        super().__init__(plan, configuration)
        if configuration.registration is None:
            raise PlanError(
                f"{configuration.name} does not say how to register",
                expected='"registration": {"similarity": "lncc", ...} in plan.json',
                found="none",
                fix="plan again with --task registration",
            )
        self.settings: RegistrationPlan = configuration.registration
        self.channels = len(plan.channels)
        self.values = plan.labels.foreground_values
        spacing = configuration.preprocessing.spacing_mm
        first = next(side for side in reversed(spacing) if side is not None)
        self.spacing_mm = tuple(first if side is None else side for side in spacing)[3 - configuration.network.dim :]

    def class_names(self) -> tuple[str, ...]:
        """All labels."""
        return self.plan.labels.foreground_names

    def focus_values(self, present: Sequence[int]) -> list[tuple[int, ...]]:
        """None: the network sees whole images."""
        return []

    def blank_label(self, rows: int) -> Tensor:
        """``(rows, 2, *grid)``, or no channels without labels."""
        return torch.zeros(rows, 2 if self.values else 0, *self.configuration.patch_voxels, dtype=torch.int16)

    def target(self, label: Tensor, image: Tensor | None = None) -> Tensor:
        """Images and labels in one, ``(B, 2 C + 2, *grid)`` float."""
        if image is None:
            raise ValueError("a pair is compared by its images")
        return torch.cat([image.float(), label.to(image.device).float()], dim=1)

    def loss(self, outputs: Outputs, target: Tensor) -> Tensor:
        """Weighted sum of what the plan asks for."""
        pair, found, settings = self._pair(target), _Found.of(outputs), self.settings
        loss = self._likeness(pair.fixed, warp(pair.moving, found.displacement))
        backward = found.inverse
        if backward is not None and settings.bidirectional:
            loss = (loss + self._likeness(pair.moving, warp(pair.fixed, backward))) / 2
        smoothness = {"diffusion": diffusion, "bending": bending}[settings.smoothness]
        loss = loss + settings.smoothness_weight * smoothness(found.penalised, spacing_mm=self.spacing_mm)
        if settings.jacobian_weight:
            loss = loss + settings.jacobian_weight * jacobian_penalty(found.displacement)
        if backward is not None and settings.inverse_consistency_weight:
            trips = inverse_consistency(found.displacement, backward, spacing_mm=self.spacing_mm)
            loss = loss + settings.inverse_consistency_weight * trips
        if settings.label_weight and self.values:
            loss = loss + settings.label_weight * self._label_loss(pair, found)
        return loss

    def landmark_loss(self, outputs: Outputs, landmarks: Tensor) -> Tensor:
        """The weighted mean distance in mm over the pairs that have landmarks.

        Args:
            outputs: of the network.
            landmarks: ``(B, 2, N, D)`` in voxels of the batch's grid, of the fixed and of the moving image; NaN where
                a pair has fewer than N.
        """
        found = _Found.of(outputs)
        ways = [(found.displacement, landmarks)]
        if found.inverse is not None and self.settings.bidirectional:
            ways.append((found.inverse, landmarks.flip(1)))
        losses = []
        for displacement, places in ways:
            for row, (fixed, moving) in enumerate(places):
                known = (fixed + moving).isfinite().all(1)
                if known.any():
                    field = displacement[row : row + 1]
                    losses.append(landmark_distance(field, fixed[known], moving[known], spacing_mm=self.spacing_mm))
        return self.settings.landmark_weight * torch.stack(losses).mean()

    def _likeness(self, fixed: Tensor, moving: Tensor) -> Tensor:
        """The similarity that is trained on; of a local one the mean over several resolutions."""
        if self.settings.similarity != "lncc":
            return self._similarity(fixed, moving)
        losses = [self._similarity(fixed, moving)]
        while len(losses) < SCALES and min(fixed.shape[2:]) >= 2 * self.settings.window:
            fixed, moving = _coarser(fixed, 2), _coarser(moving, 2)
            losses.append(self._similarity(fixed, moving))
        return torch.stack(losses).mean()

    def _similarity(self, fixed: Tensor, moving: Tensor) -> Tensor:
        kind = self.settings.similarity
        if kind == "lncc":
            return local_ncc(fixed, moving, window=self.settings.window)
        return {"mse": mse, "nmi": nmi, "mind": mind}[kind](fixed, moving)

    def _label_loss(self, pair: _Pair, found: _Found) -> Tensor:
        loss = self._labels_apart(pair.fixed_label, pair.moving_label, found.displacement)
        if found.inverse is not None and self.settings.bidirectional:
            loss = (loss + self._labels_apart(pair.moving_label, pair.fixed_label, found.inverse)) / 2
        return loss

    def _labels_apart(self, fixed: Tensor, moving: Tensor, displacement: Tensor) -> Tensor:
        axes = tuple(range(1, fixed.dim()))
        known = (fixed >= 0).any(axes) & (moving >= 0).any(axes)
        mask = known.float().view(-1, *[1] * (fixed.dim() - 1))
        stride = self.settings.label_stride
        shares = [label_shares(label, self.values, stride=stride) * mask for label in (fixed, moving)]
        # Shares of blocks of voxels: the blocks' centres move by the mean, counted in blocks.
        return label_dice(shares[0], warp(shares[1], _coarser(displacement, stride) / stride))

    def tally(self, outputs: Outputs, target: Tensor) -> Tensor:
        """``(labels + 1, 3)``: of each label hits, spurious and missed voxels of the warped label map; in the last row
        the sum of similarities, the number of pairs, and the voxels where the field folds.
        """
        pair, found = self._pair(target), _Found.of(outputs)
        warped = warp(pair.moving, found.displacement)
        alike = torch.stack(
            [1 - self._similarity(pair.fixed[row : row + 1], warped[row : row + 1]) for row in range(len(warped))]
        )
        folds = (jacobian_determinant(found.displacement.float()) <= 0).sum()
        rows = []
        if self.values:
            moved = warp(pair.moving_label, found.displacement, mode="nearest")
            axes = tuple(range(1, moved.dim()))
            known = (pair.fixed_label >= 0).any(axes) & (pair.moving_label >= 0).any(axes)
            fixed_label, moved = pair.fixed_label[known], moved[known]
            for value in self.values:
                truth, got = fixed_label == value, moved == value
                hit = (truth & got).sum()
                rows.append(torch.stack([hit, got.sum() - hit, truth.sum() - hit]))
        steps = (alike * SIMILARITY_STEPS).round().sum()
        rows.append(torch.stack([steps, torch.full_like(steps, len(warped)), folds.to(steps)]))
        return torch.stack([row.double() for row in rows]).cpu()

    def score(self, tally: Tensor) -> Mapping[str, float]:
        """Pooled Dice of each label and their mean; without labels the mean similarity.

        One minus the loss of the similarity, so that higher is better.
        """
        hit, spurious, missed = tally[:-1].T
        size = 2 * hit + spurious + missed
        dice = torch.where(size > 0, 2 * hit / size.clamp_min(1), torch.nan)
        scores = dict(zip(self.class_names(), dice.tolist(), strict=True))
        alike = float(tally[-1, 0] / (SIMILARITY_STEPS * tally[-1, 1].clamp_min(1)))
        return {**scores, "mean": float(dice.nanmean()) if (size > 0).any() else alike}

    def _pair(self, target: Tensor) -> _Pair:
        channels = self.channels
        labels = target[:, 2 * channels :]
        return _Pair(target[:, :channels], target[:, channels : 2 * channels], labels[:, :1], labels[:, 1:])


@dataclass(frozen=True)
class _Pair:
    fixed: Tensor
    moving: Tensor
    fixed_label: Tensor
    moving_label: Tensor


@dataclass(frozen=True)
class _Found:
    """What a network gave: in evaluation the displacement alone."""

    displacement: Tensor
    penalised: Tensor
    inverse: Tensor | None

    @classmethod
    def of(cls, outputs: Outputs) -> _Found:
        if isinstance(outputs, Tensor):
            return cls(outputs, outputs, None)
        displacement, penalised, inverse = outputs
        return cls(displacement, penalised, inverse)


def _coarser(x: Tensor, stride: int) -> Tensor:
    """Means over blocks."""
    if stride == 1:
        return x
    pool = F.avg_pool3d if x.dim() == 5 else F.avg_pool2d
    return pool(x, stride, ceil_mode=True, count_include_pad=False)
