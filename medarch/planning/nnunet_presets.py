"""nnU-Net's planners as data: the network family, its memory budget, and how much of the dataset a batch may cover."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PresetName = Literal["nnunet", "resenc-m", "resenc-l", "resenc-xl"]


@dataclass(frozen=True)
class NnunetPreset:
    """One nnU-Net planner. Budgets count activation elements (see :func:`feature_map_size`)."""

    planner: str
    """nnU-Net's name for it."""
    architecture: Literal["plain_unet", "residual_unet"]
    budget_3d: float
    """Elements of one 3D patch when the reference memory is used by a batch of 2."""
    budget_2d: float
    """Elements of one 2D patch when the reference memory is used by a batch of 12."""
    memory_gb: float
    """Memory the budgets stand for; another amount scales them linearly."""
    dataset_share: float
    """A batch may cover this share of the dataset's voxels."""
    tolerance_2d: int
    """A 2D patch may exceed its budget by this factor before it is shrunk (6 in the default planner, unexplained)."""

    @property
    def residual(self) -> bool:
        """Whether the encoder is built of residual blocks."""
        return self.architecture == "residual_unet"


NNUNET_PRESETS: dict[PresetName, NnunetPreset] = {
    "nnunet": NnunetPreset("ExperimentPlanner", "plain_unet", 560e6, 85e6, 8, 0.05, 6),
    "resenc-m": NnunetPreset("nnUNetPlannerResEncM", "residual_unet", 680e6, 135e6, 8, 1.0, 1),
    "resenc-l": NnunetPreset("nnUNetPlannerResEncL", "residual_unet", 2.1e9, 380e6, 24, 1.0, 1),
    "resenc-xl": NnunetPreset("nnUNetPlannerResEncXL", "residual_unet", 3.6e9, 560e6, 40, 1.0, 1),
}
REFERENCE_BATCH = {2: 12, 3: 2}
"""Batch size that the budgets stand for, by dimension."""
MINIMUM_BATCH = 2
