"""Why each number of a plan is what it is, in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from medarch.core.fingerprint import Fingerprint
from medarch.core.plan import ChannelNormalisation, Configuration, Reason
from medarch.planning.choose_normalisation import MASK_BELOW
from medarch.planning.fit_patch import PatchFit
from medarch.planning.nnunet_presets import MINIMUM_BATCH, REFERENCE_BATCH, NnunetPreset
from medarch.planning.target_spacing import TargetGrid

_SCHEMES = {
    "ct": "its name is CT: clipped to the 0.5 and 99.5 percentiles of the foreground, then dataset mean and deviation",
    "zscore": "its name is no scheme: each image by its own mean and deviation",
    "none": "its name says so",
    "rescale_to_0_1": "its name says so",
    "rgb_to_0_1": "its name says so",
}


def explain_dataset(
    fingerprint: Fingerprint,
    grid: TargetGrid,
    channels: tuple[str, ...],
    normalisation: tuple[ChannelNormalisation, ...],
    preset: NnunetPreset,
    memory_gb: float,
) -> tuple[Reason, ...]:
    """Explain what all configurations share: memory, grid and normalisation."""
    size = fingerprint.median_relative_size_after_crop
    mask = f"the crop to nonzero keeps {size:.0%} of the volume, and statistics are masked below {MASK_BELOW:.0%}"
    return (
        Reason(decision="memory_gb", value=f"{memory_gb:g}", because=_memory(preset, memory_gb)),
        Reason(decision="orientation", value="as stored", because="nnU-Net keeps the order of the file"),
        Reason(
            decision="axes",
            value=_times(grid.axes),
            because="nnU-Net reads z, y, x and puts the axis of largest spacing first; an axis of one voxel before all",
        ),
        Reason(decision="spacing_mm", value=_times(grid.spacing_mm), because=grid.because),
        *(
            Reason(
                decision=f"normalisation.{name}",
                value=channel.scheme + (" inside the mask" if channel.inside_mask else ""),
                because=_SCHEMES[channel.scheme] + (f"; {mask}" if channel.scheme == "zscore" else ""),
            )
            for name, channel in zip(channels, normalisation, strict=True)
        ),
    )


def explain_configuration(configuration: Configuration, fit: PatchFit) -> list[Reason]:
    """Explain patch, topology, batch, loss and augmentation of one configuration."""
    name, topology = configuration.name, fit.topology
    augmentation = configuration.training.augmentation
    why = {
        "patch_voxels": (_times(topology.patch_voxels), _patch(fit)),
        "network.strides": (
            _times(topology.divisor),
            f"each axis pools while it has 8 voxels or more and its spacing is within 2 times the finest; "
            f"{len(topology.strides)} stages",
        ),
        "batch_size": (str(fit.batch_size), _batch(fit)),
        "batch_dice": (str(configuration.batch_dice), _dice(configuration)),
        "training.augmentation.rotation_degrees": (
            _times(augmentation.rotation_degrees),
            _rotation(configuration),
        ),
        "training": (
            f"{configuration.training.epochs} epochs of {configuration.training.iterations_per_epoch} steps",
            "nnU-Net's default trainer: SGD, Nesterov momentum 0.99, learning rate 0.01 falling by a polynomial",
        ),
    }
    return [Reason(decision=f"{name}.{key}", value=value, because=because) for key, (value, because) in why.items()]


def _memory(preset: NnunetPreset, memory_gb: float) -> str:
    if memory_gb == preset.memory_gb:
        return f"what {preset.planner} is made for; nnU-Net does not look at the device"
    return f"asked for; the budget of {preset.planner} ({preset.memory_gb:g} GB) is scaled by it"


def _patch(fit: PatchFit) -> str:
    size = f"{fit.elements / 1e6:.4g} million activation elements of {fit.budget / 1e6:.4g} million"
    if not fit.shrunk:
        return f"the whole median case, or 256³ / 2048² voxels of equal millimetres if that is smaller; {size}"
    return f"made smaller {fit.shrunk} times along the axis largest against the median shape, to fit; {size}"


def _batch(fit: PatchFit) -> str:
    reference = REFERENCE_BATCH[len(fit.topology.patch_voxels)]
    return (
        f"memory allows {fit.memory_batch} (the budget is for {reference}), the share of the dataset that a batch may "
        f"cover allows {fit.dataset_batch}, and {MINIMUM_BATCH} is the least"
    )


def _dice(configuration: Configuration) -> str:
    if configuration.network.dim == 2:
        return "a slice alone may hold no foreground"
    if configuration.batch_dice:
        return "patches see a small part of a case, beside a low-resolution stage"
    return "patches see a large part of a case"


def _rotation(configuration: Configuration) -> str:
    if configuration.network.dim == 2:
        return "any angle, unless the patch is 1.5 times longer than wide"
    if configuration.training.augmentation.dummy_2d:
        return "the patch is more than 3 times wider than thick: rotated and scaled in its plane only"
    return "the patch is about as thick as wide"


def _times(values: Sequence[float] | np.ndarray) -> str:
    return "×".join(f"{value:.6g}" for value in values)
