"""From a fitted patch to a configuration of the plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from medarch.core.fingerprint import Fingerprint
from medarch.core.labels import LabelScheme
from medarch.core.plan import (
    ChannelNormalisation,
    Configuration,
    InferencePlan,
    NetworkPlan,
    PreprocessingPlan,
)
from medarch.planning.choose_normalisation import choose_normalisation
from medarch.planning.feature_map_size import decoder_blocks, encoder_blocks
from medarch.planning.fit_patch import PatchFit, fit_patch
from medarch.planning.nnunet_presets import NnunetPreset
from medarch.planning.nnunet_training import nnunet_training
from medarch.planning.target_spacing import TargetGrid

Floats = Sequence[float] | np.ndarray


@dataclass(frozen=True)
class ConfigurationBuilder:
    """What all configurations of one plan have in common."""

    fingerprint: Fingerprint
    channels: tuple[str, ...]
    labels: LabelScheme
    grid: TargetGrid
    preset: NnunetPreset
    memory_gb: float

    @cached_property
    def normalisation(self) -> tuple[ChannelNormalisation, ...]:
        """One entry a channel."""
        return choose_normalisation(self.fingerprint, self.channels)

    def fit(self, spacing_mm: Floats, median_shape: Floats, *, dataset_voxels: float | None = None) -> PatchFit:
        """Find patch, topology and batch at a spacing; the patch may be too small for a U-Net (``pools``).

        Args:
            spacing_mm: of the 2 or 3 network axes.
            median_shape: at that spacing.
            dataset_voxels: default the 3D voxels of the dataset at full resolution, also for 2D.
        """
        if dataset_voxels is None:
            dataset_voxels = float(np.prod(self.grid.median_shape, dtype=np.float64)) * self.fingerprint.num_training
        return fit_patch(
            [float(value) for value in spacing_mm],
            [float(value) for value in median_shape],
            preset=self.preset,
            memory_gb=self.memory_gb,
            heads=len(self.labels.labels),
            dataset_voxels=dataset_voxels,
            must_pool=False,
        )

    def build(
        self, name: str, fit: PatchFit, spacing_mm: Floats, median_shape: Floats, *, batch_dice: bool
    ) -> Configuration:
        """Write a fit down as a configuration; ``spacing_mm`` and ``median_shape`` have 2 or 3 entries."""
        patch = fit.topology.patch_voxels
        first = (None,) if len(patch) == 2 else ()
        training = nnunet_training(patch, self.normalisation)
        return Configuration(
            name=name,
            patch_voxels=patch,
            batch_size=fit.batch_size,
            batch_dice=batch_dice,
            median_shape=tuple(round(float(size)) for size in median_shape),
            preprocessing=PreprocessingPlan(
                orientation=None,
                axes=self.grid.axes,
                spacing_mm=(*first, *(float(value) for value in spacing_mm)),  # type: ignore[arg-type]
                normalisation=self.normalisation,
            ),
            network=self._network(fit),
            training=training,
            inference=InferencePlan(mirror_axes=training.augmentation.mirror_axes),
        )

    def cascade(self, fullres: Configuration) -> Configuration:
        """Full resolution, with the labels of the low-resolution stage as further input channels."""
        channels = len(self.channels) + len(self.labels.foreground_values)
        return fullres.model_copy(
            update={
                "name": "3d_cascade_fullres",
                "previous_stage": "3d_lowres",
                "network": fullres.network.model_copy(update={"in_channels": channels}),
            }
        )

    def _network(self, fit: PatchFit) -> NetworkPlan:
        topology, residual = fit.topology, self.preset.residual
        stages = len(topology.strides)
        return NetworkPlan(
            architecture=self.preset.architecture,
            dim=2 if len(topology.patch_voxels) == 2 else 3,
            in_channels=len(self.channels),
            heads=self.labels.heads,
            features=topology.features,
            strides=topology.strides,
            kernels=topology.kernels,
            blocks=encoder_blocks(stages, residual=residual),
            decoder_blocks=decoder_blocks(stages, residual=residual),
        )
